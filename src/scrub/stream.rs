//! A stream of `git fast-export`, made into the objects that `git fast-import` would make of it: so that what edits such streams
//! can feed a rewrite.
//!
//! Commits name each other by marks; what they change is told against their first parent. The format is that of
//! git-fast-import(1), without what asks for answers (`ls`, `cat-blob`, `get-mark`) and without notes as such: as files of
//! a commit they are fine.

use std::collections::btree_map::Entry::{Occupied, Vacant};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{BufRead, Read as _};

use gix::ObjectId;
use gix::bstr::{BStr, BString, ByteSlice as _};
use gix::objs::Kind;

use super::header::Header;
use super::objects::{ObjectError, Objects};
use super::tree::{Entries, EntryKind};
use super::unquote;

/// What a stream has made.
#[derive(Debug, Default)]
pub struct Imported {
    /// What the refs that it names lead to at its end; nothing for those that it only clears.
    pub refs: BTreeMap<BString, Option<ObjectId>>,
    /// Its blobs, and their sizes.
    pub blobs: Vec<(ObjectId, u64)>,
    /// A commit that is not in it, but that commits in it go on from.
    pub outside: Option<ObjectId>,
    /// What commits and blobs were called where the stream comes from, where it tells.
    pub originals: HashMap<ObjectId, ObjectId>,
}

/// Why a stream cannot be read on.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// It is not what it should be.
    #[error("line {line} of the stream: {problem}")]
    Bad {
        /// From 1; of lines in data none is counted.
        line: usize,
        /// What is wrong.
        problem: &'static str,
    },
    /// It ends too early, or cannot be read.
    #[error("the stream cannot be read: {0}")]
    Read(#[from] std::io::Error),
    /// An object cannot be read or written.
    #[error(transparent)]
    Object(#[from] ObjectError),
}

/// Reads a stream to its end, and writes its objects.
pub fn import(input: &mut dyn BufRead, objects: &mut dyn Objects) -> Result<Imported, StreamError> {
    let mut reader = Reader {
        input,
        objects,
        line: None,
        number: 0,
        marks: HashMap::new(),
        tips: HashMap::new(),
        made: HashSet::new(),
        out: Imported::default(),
    };
    let mut must_be_done = false;
    loop {
        let Some(line) = reader.next()? else {
            return if must_be_done { Err(reader.bad("it ends without `done`")) } else { Ok(reader.out) };
        };
        let (word, rest) = line.split_once_str(" ").unwrap_or((&line, b""));
        match word {
            b"blob" => reader.blob()?,
            b"commit" => reader.commit(rest.into())?,
            b"tag" => reader.tag(rest)?,
            b"reset" => reader.reset(rest.into())?,
            b"alias" => reader.alias()?,
            b"feature" => must_be_done |= rest == b"done",
            b"done" => return Ok(reader.out),
            b"" | b"option" | b"progress" | b"checkpoint" => {}
            comment if comment.starts_with(b"#") => {}
            b"get-mark" | b"cat-blob" | b"ls" => {
                return Err(reader.bad("it asks for an answer, which nobody waits for"));
            }
            _ => return Err(reader.bad("it is no command")),
        }
    }
}

/// No path has more components.
const MAX_DEPTH: usize = 2048;

/// No line is longer.
const MAX_LINE: u64 = 1 << 20;

struct Reader<'a> {
    input: &'a mut dyn BufRead,
    objects: &'a mut dyn Objects,
    /// A line that was looked at and not taken.
    line: Option<Vec<u8>>,
    number: usize,
    marks: HashMap<Vec<u8>, (Kind, ObjectId)>,
    /// The commits that commits of a branch follow on if they do not say on which.
    tips: HashMap<BString, ObjectId>,
    /// The commits of the stream.
    made: HashSet<ObjectId>,
    out: Imported,
}

impl Reader<'_> {
    fn bad(&self, problem: &'static str) -> StreamError {
        StreamError::Bad { line: self.number, problem }
    }

    /// The next line, without its end.
    fn next(&mut self) -> Result<Option<Vec<u8>>, StreamError> {
        if let Some(line) = self.line.take() {
            return Ok(Some(line));
        }
        let mut line = Vec::new();
        let read = (&mut self.input).take(MAX_LINE).read_until(b'\n', &mut line)?;
        self.number += 1;
        if read as u64 == MAX_LINE {
            return Err(self.bad("it is too long"));
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        Ok((read > 0).then_some(line))
    }

    /// What follows `word` on the next line, if it begins so.
    fn optional(&mut self, word: &str) -> Result<Option<Vec<u8>>, StreamError> {
        let line = self.next()?;
        match line.as_deref().and_then(|line| line.strip_prefix(word.as_bytes())) {
            Some(rest) => Ok(Some(rest.to_vec())),
            None => {
                self.line = line;
                Ok(None)
            }
        }
    }

    fn data(&mut self) -> Result<Vec<u8>, StreamError> {
        let size = self.optional("data ")?.ok_or_else(|| self.bad("data is missing"))?;
        let mut data = Vec::new();
        if let Some(end) = size.strip_prefix(b"<<") {
            while let Some(line) = self.next()? {
                if line == end {
                    return Ok(data);
                }
                data.extend_from_slice(&line);
                data.push(b'\n');
            }
            return Err(self.bad("data does not end"));
        }
        let size: u64 = size.to_str().ok().and_then(|size| size.parse().ok()).ok_or_else(|| self.bad("no size"))?;
        (&mut self.input).take(size).read_to_end(&mut data)?;
        if data.len() as u64 != size {
            return Err(self.bad("data ends too early"));
        }
        // A line break may follow that is not part of it.
        self.optional_blank()?;
        Ok(data)
    }

    fn optional_blank(&mut self) -> Result<(), StreamError> {
        let line = self.next()?;
        self.line = line.filter(|line| !line.is_empty());
        Ok(())
    }

    fn original(&mut self) -> Result<Option<ObjectId>, StreamError> {
        Ok(self.optional("original-oid ")?.and_then(|id| ObjectId::from_hex(id.trim_ascii()).ok()))
    }

    fn keep(&mut self, mark: Option<Vec<u8>>, original: Option<ObjectId>, kind: Kind, id: ObjectId) {
        if let Some(mark) = mark {
            self.marks.insert(mark, (kind, id));
        }
        if let Some(original) = original {
            self.out.originals.insert(id, original);
        }
    }

    /// What a mark or an id names.
    fn named(&self, name: &[u8], kind: Kind) -> Result<(Kind, ObjectId), StreamError> {
        match name.strip_prefix(b":") {
            Some(mark) => self.marks.get(mark).copied().ok_or_else(|| self.bad("it names a mark that nothing has")),
            None => {
                let id = ObjectId::from_hex(name).map_err(|_| self.bad("it names what is no mark and no id"))?;
                Ok((kind, id))
            }
        }
    }

    fn blob(&mut self) -> Result<(), StreamError> {
        let mark = self.optional("mark :")?;
        let original = self.original()?;
        let data = self.data()?;
        let id = self.write_blob(&data)?;
        self.keep(mark, original, Kind::Blob, id);
        Ok(())
    }

    fn write_blob(&mut self, data: &[u8]) -> Result<ObjectId, StreamError> {
        let id = self.objects.write(Kind::Blob, data)?;
        self.out.blobs.push((id, data.len() as u64));
        Ok(id)
    }

    fn commit(&mut self, branch: BString) -> Result<(), StreamError> {
        let mark = self.optional("mark :")?;
        let original = self.original()?;
        let author = self.person("author ")?;
        let committer = self.person("committer ")?.ok_or_else(|| self.bad("a commit has no committer"))?;
        // Nobody is whoever committed.
        let author = author.filter(|author| !author.trim_ascii_start().starts_with(b"<> "));
        let encoding = self.optional("encoding ")?;
        let message = self.data()?;
        let mut parents = Vec::new();
        let from = self.optional("from ")?;
        let has_from = from.is_some();
        if let Some(from) = from {
            parents.push(self.named(&from, Kind::Commit)?.1);
        }
        while let Some(merged) = self.optional("merge ")? {
            parents.push(self.named(&merged, Kind::Commit)?.1);
        }
        if !has_from && let Some(tip) = self.tips.get(&branch) {
            parents.insert(0, *tip);
        }
        parents.retain(|parent| !parent.is_null());
        let outside = parents.iter().find(|parent| !self.made.contains(*parent));
        self.out.outside = self.out.outside.or(outside.copied());
        let mut root = Directory::default();
        if let Some(parent) = parents.first() {
            let mut bytes = Vec::new();
            let kind = self.objects.read(parent, &mut bytes)?;
            let tree = Header::parse(&bytes).id("tree").filter(|_| kind == Kind::Commit);
            root.id = Some(tree.ok_or_else(|| self.bad("a parent is no commit"))?);
        }
        while let Some(line) = self.next()? {
            if !self.change(&mut root, &line)? {
                self.line = Some(line).filter(|line| !line.is_empty());
                break;
            }
        }
        let tree = match root.write(self.objects)? {
            Some(tree) => tree,
            None => self.objects.write(Kind::Tree, b"")?,
        };
        let mut bytes = format!("tree {tree}\n").into_bytes();
        for parent in &parents {
            bytes.extend_from_slice(format!("parent {parent}\n").as_bytes());
        }
        let author = author.as_ref().unwrap_or(&committer);
        for (key, value) in [("author", Some(author)), ("committer", Some(&committer)), ("encoding", encoding.as_ref())]
        {
            if let Some(value) = value {
                bytes.extend_from_slice(&[key.as_bytes(), b" ", value, b"\n"].concat());
            }
        }
        bytes.push(b'\n');
        bytes.extend_from_slice(&message);
        let id = self.objects.write(Kind::Commit, &bytes)?;
        self.keep(mark, original, Kind::Commit, id);
        self.made.insert(id);
        self.tips.insert(branch.clone(), id);
        self.out.refs.insert(branch, Some(id));
        Ok(())
    }

    fn person(&mut self, word: &str) -> Result<Option<Vec<u8>>, StreamError> {
        let person = self.optional(word)?;
        match &person {
            Some(person) if !person.contains_str("<") || !person.contains_str("> ") || person.contains(&0) => {
                Err(self.bad("it is no name, address and time"))
            }
            _ => Ok(person),
        }
    }

    /// Takes a line that changes a file; whether it is one.
    fn change(&mut self, root: &mut Directory, line: &[u8]) -> Result<bool, StreamError> {
        let (word, rest) = line.split_once_str(" ").unwrap_or((line, b""));
        match word {
            b"M" => {
                let mut words = rest.splitn(3, |byte| *byte == b' ');
                let (Some(mode), Some(name), Some(path)) = (words.next(), words.next(), words.next()) else {
                    return Err(self.bad("mode, object and path are not all there"));
                };
                let (mode, kind): (&'static [u8], Kind) = match mode {
                    b"644" | b"100644" => (b"100644", Kind::Blob),
                    b"755" | b"100755" => (b"100755", Kind::Blob),
                    b"120000" => (b"120000", Kind::Blob),
                    b"160000" => (b"160000", Kind::Commit),
                    b"040000" => (b"40000", Kind::Tree),
                    _ => return Err(self.bad("git has no such mode")),
                };
                let path = unquote(path);
                let id = match name {
                    b"inline" => {
                        let data = self.data()?;
                        self.write_blob(&data)?
                    }
                    name => self.named(name, kind)?.1,
                };
                let node = match kind {
                    Kind::Tree => Node::Directory(Directory { id: Some(id), entries: None }),
                    _ => Node::File { mode: mode.to_vec(), id },
                };
                self.put(root, &path, Some(node))?;
            }
            b"D" => self.put(root, &unquote(rest), None)?,
            b"R" | b"C" => {
                let (from, to) = two_paths(rest).ok_or_else(|| self.bad("it does not name two paths"))?;
                let node = root.find(self.objects, &from)?.ok_or_else(|| self.bad("there is no such path"))?;
                let node = match node {
                    // Stored first, so that what is in memory is no deeper than a path.
                    Node::Directory(directory) => {
                        let id = directory.write(self.objects)?;
                        Node::Directory(Directory { id, entries: None })
                    }
                    file => file,
                };
                if word == b"R" {
                    self.put(root, &from, None)?;
                }
                self.put(root, &to, Some(node))?;
            }
            b"deleteall" => *root = Directory::default(),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn put(&self, root: &mut Directory, path: &[u8], node: Option<Node>) -> Result<(), StreamError> {
        if path.is_empty() {
            *root = match node {
                Some(Node::Directory(directory)) => directory,
                None => Directory::default(),
                Some(Node::File { .. }) => return Err(self.bad("the top cannot be a file")),
            };
            return Ok(());
        }
        let names: Vec<&[u8]> = path.split(|byte| *byte == b'/').collect();
        if names.len() > MAX_DEPTH || names.iter().any(|name| name.is_empty() || *name == b"." || *name == b"..") {
            return Err(self.bad("git can have no such path"));
        }
        if path.contains(&0) {
            return Err(self.bad("git can have no such path"));
        }
        Ok(root.put(self.objects, &names, node)?)
    }

    fn tag(&mut self, name: &[u8]) -> Result<(), StreamError> {
        let mark = self.optional("mark :")?;
        let from = self.optional("from ")?;
        let _ = self.original()?;
        let tagger = self.person("tagger ")?;
        let message = self.data()?;
        let from = from.ok_or_else(|| self.bad("a tag names nothing"))?;
        let (mut kind, id) = self.named(&from, Kind::Commit)?;
        if !from.starts_with(b":") {
            kind = self.objects.read(&id, &mut Vec::new())?;
        }
        let mut bytes = format!("object {id}\ntype {kind}\ntag ").into_bytes();
        bytes.extend_from_slice(name);
        if let Some(tagger) = tagger {
            bytes.extend_from_slice(&[&b"\ntagger "[..], &tagger].concat());
        }
        bytes.extend_from_slice(b"\n\n");
        bytes.extend_from_slice(&message);
        let id = self.objects.write(Kind::Tag, &bytes)?;
        self.keep(mark, None, Kind::Tag, id);
        self.out.refs.insert([b"refs/tags/", name].concat().into(), Some(id));
        Ok(())
    }

    fn reset(&mut self, name: BString) -> Result<(), StreamError> {
        let Some(from) = self.optional("from ")? else {
            self.tips.remove(&name);
            self.out.refs.entry(name).or_default();
            return Ok(());
        };
        let (_, id) = self.named(&from, Kind::Commit)?;
        if id.is_null() {
            self.tips.remove(&name);
        } else {
            self.tips.insert(name.clone(), id);
        }
        self.out.refs.insert(name, Some(id).filter(|id| !id.is_null()));
        Ok(())
    }

    fn alias(&mut self) -> Result<(), StreamError> {
        let mark = self.optional("mark :")?.ok_or_else(|| self.bad("an alias has no mark"))?;
        let to = self.optional("to ")?.ok_or_else(|| self.bad("an alias names nothing"))?;
        let named = self.named(&to, Kind::Commit)?;
        self.marks.insert(mark, named);
        Ok(())
    }
}

/// Two paths, of which the first is quoted if it has a space.
fn two_paths(text: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let end = match text.strip_prefix(b"\"") {
        Some(inner) => {
            let mut escaped = false;
            let closes = |byte: &u8| {
                let closes = *byte == b'"' && !escaped;
                escaped = *byte == b'\\' && !escaped;
                closes
            };
            inner.iter().position(closes)? + 2
        }
        None => text.find_byte(b' ')?,
    };
    let (from, to) = text.split_at(end);
    Some((unquote(from), unquote(to.strip_prefix(b" ")?)))
}

/// A tree, read as far as something in it changes.
#[derive(Debug, Clone, Default)]
struct Directory {
    /// As it is stored; nothing where it changed, or never was.
    id: Option<ObjectId>,
    entries: Option<BTreeMap<BString, Node>>,
}

#[derive(Debug, Clone)]
enum Node {
    File { mode: Vec<u8>, id: ObjectId },
    Directory(Directory),
}

impl Directory {
    fn read(&mut self, objects: &dyn Objects) -> Result<&mut BTreeMap<BString, Node>, ObjectError> {
        if self.entries.is_none()
            && let Some(id) = self.id
        {
            let damaged = ObjectError::Damaged { id, problem: "it is not a tree" };
            let mut bytes = Vec::new();
            if objects.read(&id, &mut bytes)? != Kind::Tree {
                return Err(damaged);
            }
            let mut entries = BTreeMap::new();
            for entry in Entries::new(&bytes, objects.hash_kind().len_in_bytes()) {
                let entry = entry.map_err(|_| damaged.clone())?;
                let id = entry.id.to_owned();
                let node = match entry.kind() {
                    EntryKind::Tree => Node::Directory(Self { id: Some(id), entries: None }),
                    EntryKind::Blob | EntryKind::Submodule => Node::File { mode: entry.mode.to_vec(), id },
                };
                entries.insert(entry.name.into(), node);
            }
            self.entries = Some(entries);
        }
        Ok(self.entries.get_or_insert_default())
    }

    fn find(&mut self, objects: &dyn Objects, path: &[u8]) -> Result<Option<Node>, ObjectError> {
        let mut at = self;
        let mut names = path.split(|byte| *byte == b'/').peekable();
        while let Some(name) = names.next() {
            let node = at.read(objects)?.get_mut(BStr::new(name));
            if names.peek().is_none() {
                return Ok(node.cloned());
            }
            let Some(Node::Directory(directory)) = node else { break };
            at = directory;
        }
        Ok(None)
    }

    fn put(&mut self, objects: &dyn Objects, path: &[&[u8]], node: Option<Node>) -> Result<(), ObjectError> {
        let [directories @ .., name] = path else { return Ok(()) };
        let mut at = self;
        for name in directories {
            at.read(objects)?;
            at.id = None;
            let entry = at.entries.get_or_insert_default().entry((*name).into());
            let below = match (entry, &node) {
                (Occupied(entry), None) => entry.into_mut(),
                (Vacant(_), None) => return Ok(()),
                (entry, Some(_)) => entry.or_insert_with(|| Node::Directory(Self::default())),
            };
            if let (Node::File { .. }, Some(_)) = (&below, &node) {
                *below = Node::Directory(Self::default());
            }
            let Node::Directory(directory) = below else { return Ok(()) };
            at = directory;
        }
        let entries = at.read(objects)?;
        match node {
            Some(node) => _ = entries.insert((*name).into(), node),
            None => _ = entries.remove(BStr::new(name)),
        }
        at.id = None;
        Ok(())
    }

    /// Writes it where it changed; nothing where nothing is in it.
    fn write(&self, objects: &mut dyn Objects) -> Result<Option<ObjectId>, ObjectError> {
        let entries = match (&self.id, &self.entries) {
            (Some(id), _) => return Ok(Some(*id)),
            (None, None) => return Ok(None),
            (None, Some(entries)) => entries,
        };
        let mut sorted: Vec<(Vec<u8>, Vec<u8>)> = Vec::with_capacity(entries.len());
        for (name, node) in entries {
            let (mode, key, id) = match node {
                Node::File { mode, id } => (&mode[..], name.to_vec(), *id),
                // A directory has its place as if its name ended in `/`.
                Node::Directory(directory) => match directory.write(objects)? {
                    Some(id) => (&b"40000"[..], [name, &b"/"[..]].concat(), id),
                    None => continue,
                },
            };
            sorted.push((key, [mode, b" ", name, b"\0", id.as_bytes()].concat()));
        }
        if sorted.is_empty() {
            return Ok(None);
        }
        sorted.sort();
        let bytes: Vec<u8> = sorted.into_iter().flat_map(|(_, entry)| entry).collect();
        objects.write(Kind::Tree, &bytes).map(Some)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use gix::hash::Kind as HashKind;

    use super::super::objects::memory::Memory;
    use super::*;

    const HEAD: &str = "committer A <a@b> 1 +0000\ndata 1\nm\n";

    fn imported(stream: &str) -> Result<(Imported, Memory), StreamError> {
        let mut objects = Memory::new(HashKind::Sha1);
        import(&mut stream.as_bytes(), &mut objects).map(|imported| (imported, objects))
    }

    fn files(objects: &Memory, tree: ObjectId, path: &str, found: &mut Vec<String>) {
        let mut bytes = Vec::new();
        objects.read(&tree, &mut bytes).unwrap();
        for entry in Entries::new(&bytes, 20) {
            let entry = entry.unwrap();
            let below = format!("{path}{}", entry.name.as_bstr());
            if entry.kind() == EntryKind::Tree {
                files(objects, entry.id.to_owned(), &format!("{below}/"), found);
            } else {
                let mut blob = Vec::new();
                objects.read(entry.id, &mut blob).unwrap();
                found.push(format!("{below}={}", blob.as_bstr()));
            }
        }
    }

    #[test]
    fn files_come_go_move_and_are_copied() {
        let stream = format!(
            "feature done\nblob\nmark :1\ndata 1\nx\nreset refs/heads/gone\ncommit refs/heads/main\nmark :2\n{HEAD}\
             M 100644 :1 a\nM 755 inline \"b\\tc/d\"\ndata <<END\ny\nEND\nM 644 :1 e/f/g\n\n\
             commit refs/heads/main\nmark :3\n{HEAD}R e z\nC a e/a\nD \"b\\tc\"\n\n\
             commit refs/heads/side\nauthor  <> 5 +0000\n{HEAD}from :2\nmerge :3\nD e/f/g\nM 644 :1 a/b\n\n\
             commit refs/heads/main\n{HEAD}deleteall\nM 644 :1 last\n\ntag v1\nfrom :3\ndata 1\nt\n\
             progress x\ncheckpoint\ndone\n"
        );
        let (imported, objects) = imported(&stream).unwrap();
        let text = |id: ObjectId| {
            let mut bytes = Vec::new();
            objects.read(&id, &mut bytes).unwrap();
            String::from_utf8(bytes).unwrap()
        };
        let all = |name: &str| {
            let mut found = Vec::new();
            let text = text(imported.refs[name.as_bytes().as_bstr()].unwrap());
            files(&objects, ObjectId::from_hex(&text.as_bytes()[5..45]).unwrap(), "", &mut found);
            found
        };
        assert_eq!(all("refs/heads/side"), ["a/b=x", "b\tc/d=y\n"]);
        assert_eq!(all("refs/heads/main"), ["last=x"]);
        assert_eq!(imported.refs["refs/heads/gone".as_bytes().as_bstr()], None);
        let tag = text(imported.refs["refs/tags/v1".as_bytes().as_bstr()].unwrap());
        assert!(tag.ends_with("\ntype commit\ntag v1\n\nt"), "{tag}");
        let mut found = Vec::new();
        let commit = text(ObjectId::from_hex(&tag.as_bytes()[7..47]).unwrap());
        files(&objects, ObjectId::from_hex(&commit.as_bytes()[5..45]).unwrap(), "", &mut found);
        assert_eq!(found, ["a=x", "e/a=x", "z/f/g=x"]);
        assert!(text(imported.refs["refs/heads/side".as_bytes().as_bstr()].unwrap()).contains("\nauthor A <a@b> 1"));
    }

    #[test]
    fn what_is_no_stream_is_an_error() {
        let commit = format!("commit x\n{HEAD}");
        for (stream, problem) in [
            ("blob\ndata 5\nx\n".to_owned(), "too early"),
            ("blob\n".to_owned(), "data is missing"),
            ("blob\ndata 99999999999999999999\n".to_owned(), "no size"),
            ("feature done\n".to_owned(), "without `done`"),
            ("ls a\n".to_owned(), "asks for an answer"),
            ("what\n".to_owned(), "line 1 of the stream: it is no command"),
            (format!("{commit}from :9\n"), "nothing has"),
            (format!("{commit}M 644 inline a/../b\ndata 0\n"), "no such path"),
            (format!("{commit}M 644 inline {}\ndata 0\n", "a/".repeat(5000)), "no such path"),
            (format!("{commit}R a b\n"), "there is no such path"),
            (format!("{commit}M 7 :1 a\n"), "no such mode"),
            ("commit x\ncommitter me\ndata 0\n".to_owned(), "no name"),
            ("commit x\ndata 0\n".to_owned(), "no committer"),
        ] {
            let error = imported(&stream).err().unwrap().to_string();
            assert!(error.contains(problem), "{stream:?}: {error}");
        }
    }
}
