//! Commits and tags as bytes: the lines of their header, of which some are replaced and all others stay as they are.
//!
//! Nothing is parsed into fields and printed again: names, dates, encodings and headers that nobody knows come through.

use std::collections::BTreeMap;
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

    /// The ids of a commit's parents, in order: those that stand right behind its tree, as git reads them.
    pub fn parents(&self) -> impl Iterator<Item = Option<ObjectId>> {
        self.fields[self.parent_fields()].iter().map(|field| ObjectId::from_hex(&self.bytes[field.value.clone()]).ok())
    }

    fn parent_fields(&self) -> Range<usize> {
        let is_parent = |field: &&Field| &self.bytes[field.key.clone()] == b"parent";
        let begin = self.fields.len().min(1);
        begin..begin + self.fields[begin..].iter().take_while(is_parent).count()
    }

    /// The message.
    pub fn message(&self) -> &'a [u8] {
        &self.bytes[self.message..]
    }
}

/// The words of a commit or tag: all of it but what it names by id; and how they change.
pub struct Words<'a> {
    header: &'a Header<'a>,
    message: Option<Vec<u8>>,
    fields: BTreeMap<usize, Option<Vec<u8>>>,
}

impl<'a> Words<'a> {
    /// No change yet.
    pub fn new(header: &'a Header<'a>) -> Self {
        Self { header, message: None, fields: BTreeMap::new() }
    }

    /// The message, as changed so far.
    pub fn message(&self) -> &[u8] {
        self.message.as_deref().unwrap_or(self.header.message())
    }

    /// The fields of the header, as changed so far, each with its place. A value's further lines start with a space.
    pub fn fields(&self) -> impl Iterator<Item = (usize, &[u8], &[u8])> {
        self.header.fields().enumerate().filter_map(|(place, (key, value))| match self.fields.get(&place) {
            Some(new) => Some((place, key, new.as_deref()?)),
            None => Some((place, key, value)),
        })
    }

    /// Gives another message.
    pub fn set_message(&mut self, message: Vec<u8>) {
        self.message = Some(message).filter(|message| message != self.header.message());
    }

    /// Gives the field at `place` another value, or takes it out.
    pub fn set_field(&mut self, place: usize, value: Option<Vec<u8>>) {
        self.fields.insert(place, value);
    }

    /// Whether anything is to change.
    pub fn change(&self) -> bool {
        self.message.is_some() || !self.fields.is_empty()
    }

    /// Writes a field that names nothing by id.
    fn put_field(&self, place: usize, into: &mut Vec<u8>) {
        let field = &self.header.fields[place];
        match self.fields.get(&place) {
            None => into.extend_from_slice(&self.header.bytes[field.all.clone()]),
            Some(None) => {}
            Some(Some(value)) => {
                into.extend_from_slice(&self.header.bytes[field.key.clone()]);
                into.push(b' ');
                into.extend_from_slice(value);
                into.push(b'\n');
            }
        }
    }

    /// What stands between header and message.
    fn put_separator(&self, into: &mut Vec<u8>) {
        let end = self.header.fields.last().map_or(0, |field| field.all.end);
        into.extend_from_slice(&self.header.bytes[end..self.header.message]);
    }
}

/// What becomes of a commit; every other byte stays.
pub struct CommitEdit<'a> {
    /// Its new tree.
    pub tree: ObjectId,
    /// Its new parents, in order.
    pub parents: &'a [ObjectId],
    /// Its other fields and its message.
    pub words: &'a Words<'a>,
    /// Whether its signature stays, though it no longer fits.
    pub keep_signature: bool,
    /// Whether an embedded tag goes, by the id of the parent it was merged for.
    pub drops_merge_tag: &'a dyn Fn(&ObjectId) -> bool,
}

/// The fields that sign a commit or tag.
const SIGNATURES: [&[u8]; 2] = [b"gpgsig", b"gpgsig-sha256"];

impl CommitEdit<'_> {
    /// The new commit.
    pub fn apply(&self) -> Vec<u8> {
        let header = self.words.header;
        let mut new = Vec::with_capacity(header.bytes.len() + 64);
        let old_parents = header.parent_fields();
        for (place, field) in header.fields.iter().enumerate() {
            let value = &header.bytes[field.value.clone()];
            match &header.bytes[field.key.clone()] {
                // The first line of a commit is its tree.
                _ if place == 0 => {
                    new.extend_from_slice(format!("tree {}\n", self.tree).as_bytes());
                    for parent in self.parents {
                        new.extend_from_slice(format!("parent {parent}\n").as_bytes());
                    }
                }
                _ if old_parents.contains(&place) => {}
                key if SIGNATURES.contains(&key) && !self.keep_signature => {}
                b"mergetag" if merge_tag_target(value).is_some_and(|id| (self.drops_merge_tag)(&id)) => {}
                _ => self.words.put_field(place, &mut new),
            }
        }
        self.words.put_separator(&mut new);
        new.extend_from_slice(self.words.message());
        new
    }
}

/// Whether a commit is signed.
pub fn is_signed_commit(header: &Header<'_>) -> bool {
    header.fields().any(|(key, _)| SIGNATURES.contains(&key))
}

/// Whether a tag is signed, in its header or at the end of its message.
pub fn is_signed_tag(header: &Header<'_>) -> bool {
    is_signed_commit(header) || inline_signature(header.message()).is_some()
}

/// A tag that names another object, or has other words; a signature that no longer fits goes, unless it is to stay.
pub fn retarget_tag(words: &Words<'_>, object: &ObjectId, keep_signature: bool) -> Vec<u8> {
    let header = words.header;
    let mut new = Vec::with_capacity(header.bytes.len());
    for (place, field) in header.fields.iter().enumerate() {
        match &header.bytes[field.key.clone()] {
            b"object" if place == 0 => new.extend_from_slice(format!("object {object}\n").as_bytes()),
            key if SIGNATURES.contains(&key) && !keep_signature => {}
            _ => words.put_field(place, &mut new),
        }
    }
    words.put_separator(&mut new);
    let message = words.message();
    let signature = inline_signature(message).filter(|_| !keep_signature);
    new.extend_from_slice(&message[..signature.unwrap_or(message.len())]);
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
        let words = &Words::new(&header);
        let edit = CommitEdit { tree: id(tree), parents, words, keep_signature: keep, drops_merge_tag: &gone };
        String::from_utf8(edit.apply()).unwrap()
    }

    #[test]
    fn header_is_read_with_its_continued_lines() {
        let header = Header::parse(COMMIT.as_bytes());
        assert_eq!(header.id("tree"), Some(id('1')));
        assert_eq!(header.parents().collect::<Vec<_>>(), [Some(id('2')), Some(id('3'))]);
        assert_eq!(header.value("gpgsig").unwrap().iter().filter(|byte| **byte == b'\n').count(), 3);
        assert_eq!(header.message(), b"message\n\nwithout end");
        assert!(is_signed_commit(&header));
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
    fn words_change_where_they_are_told_to_and_nowhere_else() {
        let header = Header::parse(COMMIT.as_bytes());
        let mut words = Words::new(&header);
        assert!(!words.change());
        let author = words.fields().find(|(_, key, _)| *key == b"author").map(|(place, ..)| place).unwrap();
        words.set_field(author, Some(b"B <b@c> 12 +051800".to_vec()));
        let change_id = words.fields().find(|(_, key, _)| *key == b"change-id").map(|(place, ..)| place).unwrap();
        words.set_field(change_id, None);
        words.set_message(b"other".to_vec());
        assert_eq!(words.message(), b"other");
        assert!(words.fields().all(|(_, key, _)| key != b"change-id"));
        let parents = [id('2'), id('3')];
        let edit = CommitEdit {
            tree: id('1'),
            parents: &parents,
            words: &words,
            keep_signature: true,
            drops_merge_tag: &|_| false,
        };
        let expected = COMMIT
            .replace("author  <>", "author B <b@c>")
            .replace("change-id zz\n", "")
            .replace("message\n\nwithout end", "other");
        assert_eq!(String::from_utf8(edit.apply()).unwrap(), expected);
    }

    #[test]
    fn odd_ends_of_a_header_stay() {
        for bytes in ["", "\n", "tree 1", "tree 1\n", "tree 1\n\n", "x\n\n\nmessage"] {
            let header = Header::parse(bytes.as_bytes());
            let tag = retarget_tag(&Words::new(&header), &id('1'), false);
            assert_eq!(String::from_utf8(tag).unwrap(), bytes);
        }
    }

    #[test]
    fn signature_of_a_moved_tag_goes() {
        let tag = format!(
            "object {}\ntype commit\ntag v1\n\nnotes\n-----BEGIN PGP SIGNATURE-----\nx\n-----END PGP SIGNATURE-----\n",
            "1".repeat(40)
        );
        let new = retarget_tag(&Words::new(&Header::parse(tag.as_bytes())), &id('2'), false);
        assert_eq!(
            String::from_utf8(new).unwrap(),
            format!("object {}\ntype commit\ntag v1\n\nnotes\n", "2".repeat(40))
        );
    }
}
