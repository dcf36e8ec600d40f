//! `--analyze`: reports on what takes space in history, as files with the names, columns and order that git-filter-repo gives them.
//!
//! What a commit changes, and which paths are renames of which, is git's own answer (`git diff-tree -M`): no other one would
//! be the same. It is asked for many commits at once; how the answers add up is here.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io::Write as _;
use std::path::Path;
use std::rc::Rc;

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice as _};
use rayon::prelude::*;

use super::run::text;
use crate::git::Git;
use crate::scrub::unquote;

/// Commits that one git is asked about. Their ids must fit into a pipe.
const AT_ONCE: usize = 400;

/// Answers that are waited for together: they are held in memory.
const BATCH: usize = 16;

/// What is known of the paths and blobs of a history.
#[derive(Default)]
pub struct Analysis {
    sizes: HashMap<ObjectId, Size>,
    commits: HashMap<ObjectId, Commit>,
    /// Where each blob was.
    names: HashMap<ObjectId, BTreeSet<BString>>,
    /// When paths went that did not come back.
    gone: BTreeMap<BString, BString>,
    /// The same of directories.
    gone_directories: BTreeMap<BString, BString>,
    /// Names of what is one file to a user, by each of them; the newest is the last.
    same: HashMap<BString, Rc<Vec<BString>>>,
    /// The commits that renamed a path.
    renamed_by: HashMap<BString, BTreeSet<ObjectId>>,
}

/// Bytes that something takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Size {
    unpacked: u64,
    packed: u64,
}

struct Commit {
    parents: Vec<ObjectId>,
    generation: u32,
}

/// What a commit changes, against each of its parents. The last of each list is what it has itself.
struct Change<'a> {
    modes: Vec<&'a [u8]>,
    id: ObjectId,
    /// A letter for each parent.
    kinds: &'a [u8],
    paths: Vec<BString>,
}

impl Analysis {
    /// Reads all that `revisions` lead to; nothing where that is nothing.
    pub fn read(git: &Git, revisions: &[&str]) -> Result<Option<Self>, String> {
        let mut analysis = Self::default();
        let listed = git.read(&[&["rev-list", "--topo-order", "--reverse"], revisions].concat()).map_err(text)?;
        let commits: Vec<&[u8]> = listed.lines().collect();
        if commits.is_empty() {
            return Ok(None);
        }
        analysis.read_sizes(git)?;
        let ask = [
            "diff-tree",
            "--stdin",
            "--always",
            "--root",
            "--format=%H%n%P%n%cd",
            "--date=short",
            "-M",
            "-t",
            "-c",
            "--raw",
            "--combined-all-paths",
        ];
        let chunks: Vec<&[&[u8]]> = commits.chunks(AT_ONCE).collect();
        for batch in chunks.chunks(BATCH) {
            let answer = |commits: &&[&[u8]]| git.ask(&ask, &[commits.join(&b'\n'), b"\n".to_vec()].concat());
            let answers: Result<Vec<Vec<u8>>, _> = batch.par_iter().map(answer).collect();
            for answer in answers.map_err(text)? {
                analysis.take(&answer).ok_or("fatal: cannot understand what git diff-tree says")?;
            }
        }
        Ok(Some(analysis))
    }

    fn read_sizes(&mut self, git: &Git) -> Result<(), String> {
        let format = "--batch-check=%(objectname) %(objecttype) %(objectsize) %(objectsize:disk)";
        let listed = git.read(&["cat-file", "--batch-all-objects", format]).map_err(text)?;
        for line in listed.lines() {
            let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
            let [id, b"blob", unpacked, packed] = words[..] else { continue };
            let id = ObjectId::from_hex(id).map_err(text)?;
            let number = |word: &[u8]| word.to_str_lossy().parse().map_err(text);
            self.sizes.insert(id, Size { unpacked: number(unpacked)?, packed: number(packed)? });
        }
        Ok(())
    }

    /// Takes what git says of some commits.
    fn take(&mut self, answer: &[u8]) -> Option<()> {
        let mut lines = answer.split(|byte| *byte == b'\n').peekable();
        while let Some(id) = lines.next().filter(|line| !line.is_empty()) {
            let id = ObjectId::from_hex(id).ok()?;
            let parents = lines.next()?.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
            let parents: Vec<ObjectId> = parents.map(ObjectId::from_hex).collect::<Result<_, _>>().ok()?;
            let date = BString::from(lines.next()?);
            let generation = parents.iter().filter_map(|parent| self.commits.get(parent)).map(|it| it.generation + 1);
            let generation = generation.max().unwrap_or(0);
            let sides = parents.len().max(1);
            self.commits.insert(id, Commit { parents, generation });
            // A blank line before changes, none where there are none.
            let _ = lines.next_if(|line| line.is_empty());
            while let Some(line) = lines.next_if(|line| line.starts_with(b":")) {
                self.change(id, &date, Change::parse(line, sides)?)?;
            }
        }
        Some(())
    }

    fn change(&mut self, commit: ObjectId, date: &BString, change: Change<'_>) -> Option<()> {
        let path = change.paths.last()?;
        let (mode, before) = change.modes.split_last()?;
        match *mode {
            // The content of submodules is elsewhere.
            b"160000" => {}
            b"000000" => {
                let gone = if before.contains(&&b"040000"[..]) { &mut self.gone_directories } else { &mut self.gone };
                let names = self.same.get(path);
                for name in names.map_or(std::slice::from_ref(path), |names| names) {
                    gone.insert(name.clone(), date.clone());
                }
            }
            b"040000" => self.is_there(commit, path, true),
            _ => {
                self.names.entry(change.id).or_default().insert(path.clone());
                self.is_there(commit, path, false);
                for (old, _) in change.paths.iter().zip(change.kinds).filter(|(_, kind)| **kind == b'R') {
                    self.rename(commit, old, path);
                }
            }
        }
        Some(())
    }

    /// A path that a commit adds or changes: it is not gone, and no longer the old name of another one.
    fn is_there(&mut self, commit: ObjectId, path: &BString, is_directory: bool) {
        let gone = if is_directory { &mut self.gone_directories } else { &mut self.gone };
        let Some(names) = self.same.get(path).cloned() else {
            gone.remove(path);
            return;
        };
        for name in names.iter() {
            gone.remove(name);
        }
        // On a branch that does not know of the renaming it still is.
        let renamed_by = self.renamed_by.get(path);
        let knows = |renaming: &ObjectId| self.is_ancestor(renaming, commit);
        if names.last() != Some(path) && renamed_by.is_some_and(|commits| commits.iter().any(knows)) {
            for name in names.iter() {
                self.same.remove(name);
            }
        }
    }

    fn rename(&mut self, commit: ObjectId, old: &BString, new: &BString) {
        self.renamed_by.entry(old.clone()).or_default().insert(commit);
        let names = match self.same.get(old) {
            Some(names) if names.contains(new) => return,
            Some(names) => names.iter().chain([new]).cloned().collect(),
            None => vec![old.clone(), new.clone()],
        };
        let names = Rc::new(names);
        for name in names.iter() {
            self.same.insert(name.clone(), Rc::clone(&names));
        }
    }

    fn is_ancestor(&self, ancestor: &ObjectId, of: ObjectId) -> bool {
        let generation = |id: &ObjectId| self.commits.get(id).map_or(0, |commit| commit.generation);
        let least = generation(ancestor);
        let mut seen = HashSet::new();
        let mut todo = vec![of];
        while let Some(at) = todo.pop() {
            if at == *ancestor {
                return true;
            }
            if let Some(commit) = self.commits.get(&at).filter(|commit| commit.generation > least) {
                todo.extend(commit.parents.iter().copied().filter(|parent| seen.insert(*parent)));
            }
        }
        false
    }

    /// Writes the reports into `folder`.
    pub fn write(&self, folder: &Path) -> std::io::Result<()> {
        self.reports().into_iter().try_for_each(|(name, bytes)| std::fs::write(folder.join(name), bytes))
    }

    /// The reports, by the names of their files.
    fn reports(&self) -> Vec<(&'static str, Vec<u8>)> {
        let mut total = Size::default();
        let mut paths: HashMap<&[u8], Size> = HashMap::new();
        let mut extensions: HashMap<&[u8], Size> = HashMap::new();
        let mut directories: HashMap<&[u8], Size> = HashMap::new();
        for (id, names) in &self.names {
            let size = self.sizes.get(id).copied().unwrap_or_default();
            for name in names {
                total.add(size);
                paths.entry(name).or_default().add(size);
                extensions.entry(extension(name)).or_default().add(size);
                for directory in directories_of(name) {
                    directories.entry(directory).or_default().add(size);
                }
            }
        }
        // An extension went with the last path that had it.
        let mut gone_extensions: HashMap<&[u8], Option<&BString>> = HashMap::new();
        for name in paths.keys() {
            let when = self.gone.get(name.as_bstr());
            let last = gone_extensions.entry(extension(name)).or_insert(when);
            *last = last.zip(when).map(|(last, when)| last.max(when));
        }
        let counts = [
            ("Number of commits", self.commits.len()),
            ("Number of filenames", paths.len()),
            ("Number of directories", directories.len()),
            ("Number of file extensions", extensions.len()),
        ];
        let mut readme = "== Overall Statistics ==\n".to_owned();
        for (what, count) in counts {
            readme += &format!("  {what}: {count}\n");
        }
        readme += &format!(
            "\n  Total unpacked size (bytes): {}\n  Total packed size (bytes): {}\n\n{CAVEATS}",
            total.unpacked, total.packed
        );
        let mut reports = vec![
            ("README", readme.into_bytes()),
            ("renames.txt", self.renames()),
            ("blob-shas-and-paths.txt", self.blobs()),
        ];
        let gone_path = |name: &[u8]| self.gone.get(name.as_bstr());
        let gone_directory = |name: &[u8]| self.gone_directories.get(name.as_bstr());
        let gone_extension = |name: &[u8]| gone_extensions.get(name).copied().flatten();
        let top = "<toplevel>";
        let none = "<no extension>";
        let titles = ["Deleted directories by reverse size", "All directories by reverse size"];
        let files = ["directories-deleted-sizes.txt", "directories-all-sizes.txt"];
        reports.extend(tables(files, titles, ["directory name"; 2], top, &directories, &gone_directory));
        let titles = ["Deleted extensions by reverse size", "All extensions by reverse size"];
        let files = ["extensions-deleted-sizes.txt", "extensions-all-sizes.txt"];
        reports.extend(tables(files, titles, ["extension name"; 2], none, &extensions, &gone_extension));
        let titles = ["Deleted paths by reverse accumulated size", "All paths by reverse accumulated size"];
        let files = ["path-deleted-sizes.txt", "path-all-sizes.txt"];
        reports.extend(tables(files, titles, ["path name(s)", "path name"], "", &paths, &gone_path));
        reports
    }

    fn renames(&self) -> Vec<u8> {
        let groups: BTreeSet<&Vec<BString>> = self.same.values().map(Rc::as_ref).collect();
        let mut out = String::new();
        for group in groups {
            let names: Vec<_> = group.iter().map(|name| name.to_str_lossy()).collect();
            out += &format!("{} ->\n    {}\n", names[0], names[1..].join("\n    "));
        }
        out.into_bytes()
    }

    fn blobs(&self) -> Vec<u8> {
        let mut out = b"=== Files by sha and associated pathnames in reverse size ===\n\
            Format: sha, unpacked size, packed size, filename(s) object stored as\n"
            .to_vec();
        let mut blobs: Vec<(u64, &ObjectId, u64, &BTreeSet<BString>)> = Vec::new();
        for (id, names) in &self.names {
            if let Some(size) = self.sizes.get(id) {
                blobs.push((size.packed, id, size.unpacked, names));
            }
        }
        blobs.sort_by(|one, other| (other.0, other.1).cmp(&(one.0, one.1)));
        for (packed, id, unpacked, names) in blobs {
            let joined = gix::bstr::join(", ", names);
            let names = if names.len() == 1 { joined } else { [&b"["[..], &joined, b"]"].concat() };
            put(&mut out, format_args!("  {id} {unpacked:10} {packed:10} "), &names);
        }
        out
    }
}

impl Size {
    fn add(&mut self, other: Self) {
        self.unpacked += other.unpacked;
        self.packed += other.packed;
    }
}

impl<'a> Change<'a> {
    /// A raw line of a commit with so many `sides`.
    fn parse(line: &'a [u8], sides: usize) -> Option<Self> {
        let (words, paths) = line.get(sides..)?.split_once_str("\t")?;
        let words: Vec<&[u8]> = words.split(|byte| *byte == b' ').collect();
        let (modes, words) = words.split_at_checked(sides + 1)?;
        let [.., id, kinds] = *words else { return None };
        // Behind the letter of a rename stands how alike both are.
        let kinds = if sides == 1 { kinds.get(..1)? } else { kinds };
        let paths = paths.split(|byte| *byte == b'\t').map(|path| unquote(path).into()).collect();
        Some(Self { modes: modes.to_vec(), id: ObjectId::from_hex(id).ok()?, kinds, paths })
    }
}

/// A table of what is gone, and one of all: the largest first, as packed.
fn tables<'a>(
    files: [&'static str; 2],
    titles: [&str; 2],
    columns: [&str; 2],
    nameless: &str,
    sizes: &HashMap<&'a [u8], Size>,
    gone: &dyn Fn(&[u8]) -> Option<&'a BString>,
) -> [(&'static str, Vec<u8>); 2] {
    let mut sorted: Vec<(&[u8], Size)> = sizes.iter().map(|(name, size)| (*name, *size)).collect();
    sorted.sort_by(|one, other| (other.1.packed, other.0).cmp(&(one.1.packed, one.0)));
    [0, 1].map(|at| {
        let (title, column) = (titles[at], columns[at]);
        let head = format!("=== {title} ===\nFormat: unpacked size, packed size, date deleted, {column}\n");
        let mut out = head.into_bytes();
        for (name, size) in &sorted {
            let when = gone(name);
            if at == 1 || when.is_some() {
                let when = when.map_or("<present>".into(), |when| when.to_str_lossy());
                let name = if name.is_empty() { nameless.as_bytes() } else { name };
                put(&mut out, format_args!("  {:10} {:10} {when:<10} ", size.unpacked, size.packed), name);
            }
        }
        (files[at], out)
    })
}

fn put(out: &mut Vec<u8>, begin: std::fmt::Arguments<'_>, name: &[u8]) {
    // Memory takes all.
    let _ = out.write_fmt(begin);
    out.extend_from_slice(name);
    out.push(b'\n');
}

/// From the last dot of a name on; dots that it begins with do not count.
fn extension(path: &[u8]) -> &[u8] {
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
    let begin = name.iter().position(|byte| *byte != b'.').unwrap_or(name.len());
    name[begin..].iter().rposition(|byte| *byte == b'.').map_or(b"", |dot| &name[begin + dot..])
}

/// The directories that a path is in, the nearest first, the top of all last.
fn directories_of(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let slashes = memchr::memrchr_iter(b'/', path);
    slashes.map(|slash| &path[..slash]).chain([&b""[..]])
}

const CAVEATS: &str = "\
== Caveats ==
=== Sizes ===
The packed size is what the blobs take in this repository as it is packed now;
the unpacked size is what they take without compression and deltas. Neither
counts commits, trees and tags. A blob that was at several paths, or came back
to one, is counted for each, though git has it once. What removing it saves
can be less than either size: others may be stored as deltas against it.

=== Deletions ===
A path counts as deleted if the last commit that touches it, parents before
children, takes it away. It may still be in other branches or older tags.

=== Renames ===
Names that git takes for one file are listed together, the oldest first, across
all branches. They are listed no more once an old name has come into use again.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_are_those_of_python() {
        for (path, expected) in
            [("a.b/c", ""), ("a/b.c.d", ".d"), (".hidden", ""), ("..x.y", ".y"), ("x.", "."), ("...", "")]
        {
            assert_eq!(extension(path.as_bytes()), expected.as_bytes(), "{path}");
        }
    }
}
