//! Commits and tags as bytes: the lines of their header, of which some are replaced and all others stay as they are.
//!
//! Nothing is parsed into fields and printed again: names, dates, encodings and headers that nobody knows come through.

use std::ops::Range;

use gix::ObjectId;

/// The header of a commit or tag, and where its message begins.
#[derive(Debug, Clone)]
pub struct Header<'a> {
    bytes: &'a [u8],
    fields: Vec<Field>,
    /// Where the message begins: behind the empty line, or at the end.
    message: usize,
}

/// A line of a header, with the lines that continue it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// All of it, with its line break.
    all: Range<usize>,
    /// The word it starts with.
    key: Range<usize>,
    /// What follows, without the last line break; the lines that continue it start with a space.
    value: Range<usize>,
}

impl<'a> Header<'a> {
    /// The header of a commit or tag.
    pub fn parse(bytes: &'a [u8]) -> Self {
        let mut fields: Vec<Field> = Vec::new();
        let mut at = 0;
        while at < bytes.len() && bytes[at] != b'\n' {
            let line_end = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |length| at + length);
            let next = (line_end + 1).min(bytes.len());
            match fields.last_mut() {
                Some(last) if bytes[at] == b' ' => {
                    last.all.end = next;
                    last.value.end = line_end;
                }
                _ => {
                    let space = memchr::memchr(b' ', &bytes[at..line_end]).map_or(line_end, |length| at + length);
                    fields.push(Field { all: at..next, key: at..space, value: (space + 1).min(line_end)..line_end });
                }
            }
            at = next;
        }
        Self { bytes, fields, message: (at + 1).min(bytes.len()) }
    }

    /// Its fields, in order.
    pub fn fields(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        self.fields.iter().map(|field| (&self.bytes[field.key.clone()], &self.bytes[field.value.clone()]))
    }

    /// The value of the first field of a name.
    pub fn value(&self, key: &str) -> Option<&'a [u8]> {
        self.fields().find(|(name, _)| *name == key.as_bytes()).map(|(_, value)| value)
    }

    /// The id in the first field of a name.
    pub fn id(&self, key: &str) -> Option<ObjectId> {
        ObjectId::from_hex(self.value(key)?).ok()
    }

    /// The ids of a commit's parents, in order.
    pub fn parents(&self) -> impl Iterator<Item = Option<ObjectId>> {
        self.fields().filter(|(key, _)| *key == b"parent").map(|(_, value)| ObjectId::from_hex(value).ok())
    }

    /// The message.
    pub fn message(&self) -> &'a [u8] {
        &self.bytes[self.message..]
    }
}

/// What becomes of a commit; every other byte stays.
pub struct CommitEdit<'a> {
    /// Its new tree.
    pub tree: ObjectId,
    /// Its new parents, in order.
    pub parents: &'a [ObjectId],
    /// Its new message; `None` keeps it.
    pub message: Option<&'a [u8]>,
    /// Whether its signature stays, though it no longer fits.
    pub keep_signature: bool,
    /// Whether an embedded tag goes, by the id of the parent it was merged for.
    pub drops_merge_tag: &'a dyn Fn(&ObjectId) -> bool,
}

/// The fields that sign a commit or tag.
const SIGNATURES: [&[u8]; 2] = [b"gpgsig", b"gpgsig-sha256"];

impl CommitEdit<'_> {
    /// The new commit.
    pub fn apply(&self, header: &Header<'_>) -> Vec<u8> {
        let mut new = Vec::with_capacity(header.bytes.len() + 64);
        let put_parents = |new: &mut Vec<u8>| {
            for parent in self.parents {
                new.extend_from_slice(format!("parent {parent}\n").as_bytes());
            }
        };
        let has_parents = header.fields().any(|(key, _)| key == b"parent");
        let mut parents_are_in = false;
        for field in &header.fields {
            match &header.bytes[field.key.clone()] {
                b"tree" => {
                    new.extend_from_slice(format!("tree {}\n", self.tree).as_bytes());
                    if !has_parents {
                        put_parents(&mut new);
                    }
                }
                b"parent" => {
                    if !parents_are_in {
                        put_parents(&mut new);
                        parents_are_in = true;
                    }
                }
                key if SIGNATURES.contains(&key) && !self.keep_signature => {}
                b"mergetag"
                    if merge_tag_target(&header.bytes[field.value.clone()])
                        .is_some_and(|id| (self.drops_merge_tag)(&id)) => {}
                _ => new.extend_from_slice(&header.bytes[field.all.clone()]),
            }
        }
        let separator = header.fields.last().map_or(0, |field| field.all.end);
        new.extend_from_slice(&header.bytes[separator..header.message]);
        new.extend_from_slice(self.message.unwrap_or(header.message()));
        new
    }
}

/// Whether a commit or tag carries a signature.
pub fn is_signed(header: &Header<'_>) -> bool {
    header.fields().any(|(key, _)| SIGNATURES.contains(&key)) || inline_signature(header.message()).is_some()
}

/// A tag that names another object; a signature that no longer fits goes.
pub fn retarget_tag(header: &Header<'_>, object: &ObjectId, message: Option<&[u8]>) -> Vec<u8> {
    let mut new = Vec::with_capacity(header.bytes.len());
    for field in &header.fields {
        match &header.bytes[field.key.clone()] {
            b"object" => new.extend_from_slice(format!("object {object}\n").as_bytes()),
            key if SIGNATURES.contains(&key) => {}
            _ => new.extend_from_slice(&header.bytes[field.all.clone()]),
        }
    }
    let separator = header.fields.last().map_or(0, |field| field.all.end);
    new.extend_from_slice(&header.bytes[separator..header.message]);
    let message = message.unwrap_or(header.message());
    new.extend_from_slice(&message[..inline_signature(message).unwrap_or(message.len())]);
    new
}

/// Where the signature begins that stands at the end of a tag's message.
fn inline_signature(message: &[u8]) -> Option<usize> {
    const BEGINNINGS: [&[u8]; 4] = [
        b"-----BEGIN PGP SIGNATURE-----",
        b"-----BEGIN PGP MESSAGE-----",
        b"-----BEGIN SSH SIGNATURE-----",
        b"-----BEGIN SIGNED MESSAGE-----",
    ];
    let starts = |at: usize| BEGINNINGS.iter().any(|beginning| message[at..].starts_with(beginning));
    let lines = std::iter::once(0).chain(memchr::memchr_iter(b'\n', message).map(|at| at + 1));
    lines.fold(None, |last, at| if starts(at) { Some(at) } else { last })
}

/// The commit that an embedded tag names.
fn merge_tag_target(value: &[u8]) -> Option<ObjectId> {
    let line = value.split(|byte| *byte == b'\n').next()?;
    ObjectId::from_hex(line.strip_prefix(b"object ")?).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const COMMIT: &str = "tree 1111111111111111111111111111111111111111\n\
        parent 2222222222222222222222222222222222222222\n\
        parent 3333333333333333333333333333333333333333\n\
        author  <> 12 +051800\n\
        committer A <a@b -5 -0000\n\
        gpgsig -----BEGIN PGP SIGNATURE-----\n \n abc\n -----END PGP SIGNATURE-----\n\
        encoding latin-1\n\
        mergetag object 3333333333333333333333333333333333333333\n type commit\n tag v1\n\
        change-id zz\n\nmessage\n\nwithout end";

    fn id(digit: char) -> ObjectId {
        ObjectId::from_hex(digit.to_string().repeat(40).as_bytes()).unwrap()
    }

    fn edit(tree: char, parents: &[ObjectId], keep: bool) -> String {
        let header = Header::parse(COMMIT.as_bytes());
        let gone = |merged: &ObjectId| *merged == id('3') && !parents.contains(merged);
        let edit = CommitEdit { tree: id(tree), parents, message: None, keep_signature: keep, drops_merge_tag: &gone };
        String::from_utf8(edit.apply(&header)).unwrap()
    }

    #[test]
    fn header_is_read_with_its_continued_lines() {
        let header = Header::parse(COMMIT.as_bytes());
        assert_eq!(header.id("tree"), Some(id('1')));
        assert_eq!(header.parents().collect::<Vec<_>>(), [Some(id('2')), Some(id('3'))]);
        assert_eq!(header.value("gpgsig").unwrap().iter().filter(|byte| **byte == b'\n').count(), 3);
        assert_eq!(header.message(), b"message\n\nwithout end");
        assert!(is_signed(&header));
    }

    #[test]
    fn edit_that_changes_nothing_gives_the_same_bytes() {
        assert_eq!(edit('1', &[id('2'), id('3')], true), COMMIT);
    }

    #[test]
    fn only_tree_parents_signature_and_stale_merge_tag_change() {
        let new = edit('9', &[id('8')], false);
        let expected = COMMIT.replace(&"1".repeat(40), &"9".repeat(40)).replacen(
            &format!("parent {}\nparent {}\n", "2".repeat(40), "3".repeat(40)),
            &format!("parent {}\n", "8".repeat(40)),
            1,
        );
        let (head, rest) = expected.split_once("gpgsig").unwrap();
        let rest = &rest[rest.find("encoding").unwrap()..];
        let (middle, tail) = rest.split_once("mergetag").unwrap();
        let tail = &tail[tail.find("change-id").unwrap()..];
        assert_eq!(new, format!("{head}{middle}{tail}"));
    }

    #[test]
    fn odd_ends_of_a_header_stay() {
        for bytes in ["", "\n", "tree 1", "tree 1\n", "tree 1\n\n", "x\n\n\nmessage"] {
            let header = Header::parse(bytes.as_bytes());
            let tag = retarget_tag(&header, &id('1'), None);
            assert_eq!(String::from_utf8(tag).unwrap(), bytes);
        }
    }

    #[test]
    fn signature_of_a_moved_tag_goes() {
        let tag = format!(
            "object {}\ntype commit\ntag v1\n\nnotes\n-----BEGIN PGP SIGNATURE-----\nx\n-----END PGP SIGNATURE-----\n",
            "1".repeat(40)
        );
        let new = retarget_tag(&Header::parse(tag.as_bytes()), &id('2'), None);
        assert_eq!(
            String::from_utf8(new).unwrap(),
            format!("object {}\ntype commit\ntag v1\n\nnotes\n", "2".repeat(40))
        );
    }
}
