//! Reflogs after a rewrite: every id becomes the one that stands for it; entries go only where nothing does. The stash is one as well.
//!
//! A line is `old SP new SP who SP time SP zone TAB message`. What is no such line stays as it is.

use gix::ObjectId;
use gix::bstr::ByteSlice as _;
use gix::hash::oid;

use super::Mapped;

/// A reflog whose ids are those of the new objects.
pub fn map_reflog(log: &[u8], map: &dyn Fn(&oid) -> Mapped) -> Vec<u8> {
    let mut new = Vec::with_capacity(log.len());
    let mut last = None;
    for line in log.lines_with_terminator() {
        let Some((old_id, new_id, rest)) = reflog_ids(line) else {
            new.extend_from_slice(line);
            continue;
        };
        let Some(now) = mapped(&new_id, map) else { continue };
        // Where what was before is gone, what is left before this is.
        let before = mapped(&old_id, map).or(last).unwrap_or(ObjectId::null(new_id.kind()));
        push_line(&mut new, before, now, &map_words(rest, new_id.kind(), map));
        last = Some(now);
    }
    new
}

/// The stashes after a rewrite.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stashes {
    /// The reflog of `refs/stash`.
    pub log: Vec<u8>,
    /// The last one, which `refs/stash` names.
    pub tip: Option<ObjectId>,
    /// The old ids of those of which nothing is left, oldest first.
    pub dropped: Vec<ObjectId>,
}

/// Rewrites the stashes in their order. `commit` gives a commit's tree and parents; `None` where it is not there.
///
/// A stash is a merge: of the commit it was made on, one with the index, and perhaps one with untracked files. One whose files are
/// those of the commit it was made on goes.
pub fn map_stashes<E>(
    log: &[u8],
    map: &dyn Fn(&oid) -> Mapped,
    mut commit: impl FnMut(ObjectId) -> Result<Option<(ObjectId, Vec<ObjectId>)>, E>,
) -> Result<Stashes, E> {
    let mut stashes = Stashes::default();
    for line in log.lines_with_terminator() {
        let Some((_, old, rest)) = reflog_ids(line) else { continue };
        let new = match map(&old) {
            Mapped::Same => Some(old),
            Mapped::Gone => None,
            Mapped::New(id) => {
                // What a pruned one was made on stands for it, and may be a merge itself.
                let base = commit(old)?.and_then(|(_, parents)| mapped(parents.first()?, map));
                match commit(id)? {
                    Some((tree, parents)) if parents.len() > 1 && base == Some(parents[0]) => {
                        let base = commit(parents[0])?.map(|base| base.0);
                        let index = commit(parents[1])?.map(|index| index.0);
                        let is_empty = base == Some(tree) && index == base;
                        (!is_empty || parents.len() > 2).then_some(id)
                    }
                    _ => None,
                }
            }
        };
        match new {
            Some(new) => {
                let before = stashes.tip.unwrap_or(ObjectId::null(new.kind()));
                push_line(&mut stashes.log, before, new, &map_words(rest, new.kind(), map));
                stashes.tip = Some(new);
            }
            None => stashes.dropped.push(old),
        }
    }
    Ok(stashes)
}

/// The ids of a line, and what follows them with the space before it.
pub fn reflog_ids(line: &[u8]) -> Option<(ObjectId, ObjectId, &[u8])> {
    let first = line.find_byte(b' ')?;
    let old = ObjectId::from_hex(&line[..first]).ok()?;
    let rest = &line[first + 1..];
    let second = rest.find_byte(b' ')?;
    let new = ObjectId::from_hex(&rest[..second]).ok()?;
    Some((old, new, &rest[second..]))
}

fn mapped(id: &ObjectId, map: &dyn Fn(&oid) -> Mapped) -> Option<ObjectId> {
    match if id.is_null() { Mapped::Same } else { map(id) } {
        Mapped::Same => Some(*id),
        Mapped::New(new) => Some(new),
        Mapped::Gone => None,
    }
}

fn push_line(log: &mut Vec<u8>, old: ObjectId, new: ObjectId, rest: &[u8]) {
    log.extend_from_slice(format!("{old} {new}").as_bytes());
    log.extend_from_slice(rest);
}

/// The rest of a line, in which whole ids are mapped too, as in `checkout: moving from <id> to main`; zeros for what is gone.
fn map_words(rest: &[u8], hash: gix::hash::Kind, map: &dyn Fn(&oid) -> Mapped) -> Vec<u8> {
    let mut new = Vec::with_capacity(rest.len());
    for word in rest.split_inclusive(|byte| !byte.is_ascii_alphanumeric()) {
        let digits = word.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let id = (digits == hash.len_in_hex() && word.len() - digits < 2).then(|| ObjectId::from_hex(&word[..digits]));
        match id {
            Some(Ok(id)) => {
                let id = mapped(&id, map).unwrap_or(ObjectId::null(hash));
                new.extend_from_slice(id.to_string().as_bytes());
                new.extend_from_slice(&word[digits..]);
            }
            _ => new.extend_from_slice(word),
        }
    }
    new
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn id(digit: char) -> ObjectId {
        ObjectId::from_hex(digit.to_string().repeat(40).as_bytes()).unwrap()
    }

    /// 1 stays, 2 becomes a, 3 becomes b, 4 goes, 5 and 6 become c.
    fn map(old: &oid) -> Mapped {
        match old.to_hex_with_len(1).to_string().as_str() {
            "2" => Mapped::New(id('a')),
            "3" => Mapped::New(id('b')),
            "4" => Mapped::Gone,
            "5" | "6" => Mapped::New(id('c')),
            _ => Mapped::Same,
        }
    }

    fn line(old: char, new: char, message: &str) -> String {
        format!("{} {} A <a@b> 1 +0000\t{message}\n", id(old), id(new))
    }

    #[test]
    fn ids_are_mapped_and_only_entries_of_what_is_gone_go() {
        let log = line('0', '1', "one") + &line('1', '4', "lost") + &line('4', '2', "two") + "odd line\n";
        let new = line('0', '1', "one") + &line('1', 'a', "two") + "odd line\n";
        assert_eq!(String::from_utf8(map_reflog(log.as_bytes(), &map)).unwrap(), new);
    }

    #[test]
    fn ids_in_messages_are_mapped_and_words_that_only_look_alike_are_not() {
        let message = |two, four| format!("moving from {two} to {four}: {}a {}", id('2'), "2".repeat(39));
        let log = line('1', '1', &message(id('2'), id('4')));
        let new = line('1', '1', &message(id('a'), id('0')));
        assert_eq!(String::from_utf8(map_reflog(log.as_bytes(), &map)).unwrap(), new);
    }

    #[test]
    fn log_that_names_nothing_old_keeps_its_bytes() {
        for log in [line('1', '7', "x\ty") + &line('7', '1', ""), "no end".into(), String::new(), "\n\n".into()] {
            assert_eq!(String::from_utf8(map_reflog(log.as_bytes(), &map)).unwrap(), log);
        }
    }

    #[test]
    fn stashes_keep_their_order_and_empty_ones_go() {
        let log = line('0', '1', "s1")
            + &line('1', '2', "s2")
            + &line('2', '4', "s3")
            + &line('4', '3', "s4")
            + &line('3', '5', "s5");
        // The new form of 2 has something left in the index only; that of 3 has nothing left; 5 became what it was made on, a merge.
        let commit = |at: ObjectId| -> Result<_, Infallible> {
            Ok(Some(match at {
                at if at == id('a') => (id('7'), vec![id('8'), id('9')]),
                at if at == id('b') => (id('7'), vec![id('8'), id('8')]),
                at if at == id('9') => (id('6'), vec![id('8')]),
                at if at == id('c') => (id('6'), vec![id('8'), id('9')]),
                at if at == id('5') => (id('7'), vec![id('6'), id('1')]),
                _ => (id('7'), vec![id('8')]),
            }))
        };
        let stashes = map_stashes(log.as_bytes(), &map, commit).unwrap();
        assert_eq!(String::from_utf8(stashes.log).unwrap(), line('0', '1', "s1") + &line('1', 'a', "s2"));
        assert_eq!((stashes.tip, stashes.dropped), (Some(id('a')), vec![id('4'), id('3'), id('5')]));
    }
}
