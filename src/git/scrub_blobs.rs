//! Looks through all that a repository stores for what is to go, and writes what takes its place, each object once.
//!
//! Blobs are visited by delta family; of one that was made from another in which nothing stands, only what is new is searched.
//! No more than a few blobs are in memory at a time. What a redaction does to bytes is in [`scrub`](crate::scrub), and what a new
//! blob means for trees and commits is the rewrite's.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Read;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use gix::ObjectId;
use gix::bstr::BString;
use gix::objs::Kind;

use super::graph::{Graph, Reached, Shard, TreeStarts, written_by_people};
use super::ids::{Marks, Number};
use super::objects::{Made, Object, Objects, Visit, Visitor};
use super::roots::Roots;
use super::{GitError, Progress, Repository};
use crate::scrub::{self, BlobFate, Encoding, Outcome, Redactor, Replacements, is_binary};

/// What is to go from blobs, and what takes its place.
#[derive(Default)]
pub struct BlobRules<'a> {
    /// Leaked values.
    pub values: Option<&'a Redactor>,
    /// Replacements of an expression file, which apply first.
    pub replacements: Option<&'a Replacements>,
    /// Whether expression files leave binary files alone, as git-filter-repo does.
    pub skips_binary: bool,
    /// Larger blobs go, by bytes.
    pub larger_than: Option<u64>,
    /// Blobs that go.
    pub drop: HashSet<ObjectId>,
    /// How many threads; 0 for as many as there are cores.
    pub jobs: usize,
}

/// What was found, and what came of it. New blobs were written; nothing names them yet.
#[derive(Debug, Default)]
pub struct BlobScrub {
    /// What becomes of blobs, for [`Rules`](scrub::Rules).
    pub fates: HashMap<ObjectId, BlobFate>,
    /// Blobs with something in them, sorted by path, then id.
    pub places: Vec<BlobPlace>,
    /// Commits and tags with a value in a message, a name or another line, sorted.
    pub worded: Vec<(Kind, ObjectId)>,
    /// Names of refs with a value.
    pub refs: Vec<BString>,
    /// Names of files and directories with a value.
    pub names: Vec<BString>,
    /// Objects that nothing leads to, but that hold a value: they go when the rewrite is finished.
    pub unreachable: usize,
    /// What could not be looked through, in words: nothing that it holds counts as absent.
    pub unread: Vec<String>,
    /// How many blobs were looked through.
    pub blobs: usize,
    /// How many bytes they have.
    pub bytes: u64,
}

/// A blob with something in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BlobPlace {
    /// A path that it has or had; `None` where no tree leads to it.
    pub path: Option<BString>,
    /// The blob.
    pub blob: ObjectId,
    /// What stands for it; `None` where it goes.
    pub new: Option<ObjectId>,
    /// How often each value stands in it, by its number and how it is written down.
    pub found: BTreeMap<(usize, Encoding), usize>,
    /// Whether it could be redacted as asked; `None` for what no value is in.
    pub outcome: Option<Outcome>,
}

/// Trees, commits and tags are no larger, or they are not read.
const MAX_STRUCTURE: usize = 256 << 20;

/// Larger blobs are not held in memory: they are searched in parts, and go where a value is in them.
const MAX_BLOB: usize = 256 << 20;

/// So many new blobs wait to be written.
const WAITING: usize = 16;

/// Finds what `rules` speak of, and writes new blobs to `objects`.
pub fn scrub_blobs(
    repository: &Repository,
    rules: &BlobRules<'_>,
    objects: &mut dyn scrub::Objects,
    progress: &dyn Progress,
) -> Result<BlobScrub, GitError> {
    let stores = repository.stores(&[]);
    let stored = Objects::open(&stores, repository.inner.object_hash())?;
    let roots = Roots::of(repository)?;
    progress.expect(stored.len());
    let mut result = BlobScrub::default();
    result.unread.extend(stored.problems().iter().chain(&roots.problems).cloned());
    let stop = AtomicBool::new(false);
    let cores = || std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let jobs = if rules.jobs == 0 { cores() } else { rules.jobs };

    let wanted = stored.of_kinds(&[Some(Kind::Commit), Some(Kind::Tree), Some(Kind::Tag), None]);
    let visit = Visit { wanted: &wanted, jobs, max_bytes: MAX_STRUCTURE, stop: &stop };
    let visitors = stored.visit(&stores, &visit, || Reader::new(rules, &stored, progress));
    let (mut shards, mut worded, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    for visitor in visitors {
        shards.push(visitor.shard);
        worded.extend(visitor.worded);
        failed.extend(visitor.failed);
    }
    let graph = Graph::new(&stored, shards);
    let mut reached = Reached::new(&stored);
    for id in
        roots.head.iter().chain(roots.refs.values()).chain(roots.others.values().flatten()).chain(roots.index.keys())
    {
        if let Some(root) = stored.number(id) {
            reached.follow(&graph, root);
        }
    }
    let reachable = reached.marks.clone();

    let blobs = stored.of_kinds(&[Some(Kind::Blob)]);
    let (sender, receiver) = sync_channel(WAITING);
    let shared = Shared { rules, reachable: &reachable, progress, sender };
    let written = std::thread::scope(|scope| {
        let visit = Visit { wanted: &blobs, jobs, max_bytes: MAX_BLOB, stop: &stop };
        let (stores, stored) = (&stores, &stored);
        let visiting = scope.spawn(move || {
            let visitors = stored.visit(stores, &visit, || BlobVisitor::new(&shared));
            // With their senders gone, the writer knows that nothing more comes.
            visitors.into_iter().map(|visitor| visitor.seen).collect::<Vec<_>>()
        });
        // The store is of this thread; that no more can be written is found out by those that wait.
        let written = write_all(receiver, objects);
        if written.is_err() {
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
        }
        let visitors = visiting.join().expect("no visitor panics");
        written.map(|written| (written, visitors))
    });
    let (written, visitors) = written.map_err(|error| GitError::new("write the new blobs", error))?;
    for seen in visitors {
        result.blobs += seen.blobs;
        result.bytes += seen.bytes;
        failed.extend(seen.failed);
        for hit in seen.hits {
            let id = stored.id(hit.number);
            if !reachable.contains(hit.number) {
                result.unreachable += 1;
                continue;
            }
            let new = written.get(&hit.number).copied();
            if new == Some(id) {
                continue;
            }
            result.fates.insert(id, new.map_or(BlobFate::Drop, BlobFate::Replace));
            let path = reached.path(&graph, hit.number).or_else(|| roots.index.get(&id).cloned());
            result.places.push(BlobPlace { path, blob: id, new, found: hit.found, outcome: hit.outcome });
        }
    }
    // What is named by its id goes, whatever is in it.
    for id in rules.drop.iter().filter(|id| stored.number(id).is_some_and(|number| reachable.contains(number))) {
        if result.fates.insert(*id, BlobFate::Drop).is_none() {
            let path = stored.number(id).and_then(|number| reached.path(&graph, number));
            result.places.push(BlobPlace { path, blob: *id, new: None, found: BTreeMap::new(), outcome: None });
        }
    }
    let is_dropped = |place: &mut BlobPlace| place.new = place.new.filter(|_| !rules.drop.contains(&place.blob));
    result.places.iter_mut().for_each(is_dropped);
    result.places.sort();
    for (number, kind) in worded {
        match reachable.contains(number) {
            true => result.worded.push((kind, stored.id(number))),
            false => result.unreachable += 1,
        }
    }
    result.worded.sort();
    if let Some(values) = rules.values {
        let is_in = |name: &&BString| values.searcher().is_in(name);
        result.refs = roots.refs.keys().filter(is_in).cloned().collect();
        result.names = graph.names(&reachable).into_iter().filter(is_in).cloned().collect();
    }
    for number in failed.into_iter().filter(|number| reachable.contains(*number)) {
        result.unread.push(format!("object {} cannot be read", stored.id(number)));
    }
    let missing = reached.missing.iter().map(|(id, ..)| format!("object {id} is not there"));
    result.unread.extend(missing);
    result.unread.sort();
    result.unread.dedup();
    Ok(result)
}

/// A new blob on its way to the store: which it stands for, and which others it is likely to resemble.
type Replaced = (Number, u64, Vec<u8>);

fn write_all(
    receiver: Receiver<Replaced>,
    objects: &mut dyn scrub::Objects,
) -> Result<HashMap<Number, ObjectId>, scrub::ObjectError> {
    let write = |(number, family, bytes): Replaced| Ok((number, objects.write_version(Kind::Blob, &bytes, family)?));
    receiver.into_iter().map(write).collect()
}

struct Shared<'a> {
    rules: &'a BlobRules<'a>,
    reachable: &'a Marks,
    progress: &'a dyn Progress,
    sender: SyncSender<Replaced>,
}

/// A blob with something in it.
struct Hit {
    number: Number,
    found: BTreeMap<(usize, Encoding), usize>,
    outcome: Option<Outcome>,
}

/// Looks through blobs.
struct BlobVisitor<'a> {
    rules: &'a BlobRules<'a>,
    reachable: &'a Marks,
    progress: &'a dyn Progress,
    sender: SyncSender<Replaced>,
    seen: Seen,
}

/// What one thread has seen.
#[derive(Default)]
struct Seen {
    hits: Vec<Hit>,
    failed: Vec<Number>,
    blobs: usize,
    bytes: u64,
}

/// What is kept of a blob for those made from it.
struct Kept {
    /// No piece of a value stands in it.
    is_clean: bool,
    /// The first of its family.
    family: Number,
}

/// What was found in a blob, and the bytes that take its place if any do.
type Becomes = (Hit, Option<Vec<u8>>);

impl<'a> BlobVisitor<'a> {
    fn new(shared: &Shared<'a>) -> Self {
        let Shared { rules, reachable, progress, sender } = shared;
        Self { rules, reachable, progress: *progress, sender: sender.clone(), seen: Seen::default() }
    }

    /// What a blob becomes: other bytes, or nothing at all; `None` where it stays.
    fn look(&self, bytes: &[u8], made: Option<&Made<'_, Kept>>) -> (bool, Option<Becomes>) {
        let hit = |found, outcome| Hit { number: 0, found, outcome };
        if self.rules.larger_than.is_some_and(|most| bytes.len() as u64 > most) {
            return (false, Some((hit(BTreeMap::new(), None), None)));
        }
        let skips = self.rules.skips_binary && is_binary(bytes);
        let replaced = self.rules.replacements.filter(|_| !skips).and_then(|rules| rules.apply(bytes));
        let Some(values) = self.rules.values else {
            return (true, replaced.map(|bytes| (hit(BTreeMap::new(), None), Some(bytes))));
        };
        let base = made.filter(|made| made.kept.is_clean && replaced.is_none());
        let text = replaced.as_deref().unwrap_or(bytes);
        if !values.searcher().has_pieces(text, base.map(|made| made.parts)) {
            // What was replaced may have held pieces of a value.
            return (replaced.is_none(), replaced.map(|bytes| (hit(BTreeMap::new(), None), Some(bytes))));
        }
        let redacted = values.file(text);
        let redacted = redacted.map(|redacted| {
            let bytes = Some(redacted.bytes).filter(|_| redacted.outcome != Outcome::Left);
            (hit(redacted.found, Some(redacted.outcome)), bytes)
        });
        (false, redacted.or(replaced.map(|bytes| (hit(BTreeMap::new(), None), Some(bytes)))))
    }
}

impl Visitor for BlobVisitor<'_> {
    type Kept = Kept;

    fn object(&mut self, object: Object, bytes: &[u8], made: Option<Made<'_, Kept>>) -> Kept {
        let number = object.number;
        self.progress.advance(1, bytes.len());
        self.seen.blobs += 1;
        self.seen.bytes += bytes.len() as u64;
        let family = made.as_ref().map_or(number, |made| made.kept.family);
        let (is_clean, hit) = self.look(bytes, made.as_ref());
        if let Some((hit, new)) = hit {
            self.seen.hits.push(Hit { number, ..hit });
            if let Some(new) = new.filter(|_| self.reachable.contains(number)) {
                // Where nobody listens, writing failed, which is said by who writes.
                drop(self.sender.send((number, family.into(), new)));
            }
        }
        Kept { is_clean, family }
    }

    fn large(&mut self, object: Object, stream: Option<&mut dyn Read>) {
        self.seen.blobs += 1;
        let number = object.number;
        let goes = self.rules.larger_than.is_some_and(|most| most <= MAX_BLOB as u64);
        let found = match (self.rules.values, stream) {
            _ if goes => Ok(true),
            (None, _) if self.rules.replacements.is_none() => Ok(false),
            (Some(values), Some(stream)) => values.searcher().is_in_stream(stream).map_err(|_| ()),
            _ => Err(()),
        };
        match found {
            Ok(true) => {
                let outcome = (!goes).then_some(Outcome::Left);
                self.seen.hits.push(Hit { number, found: BTreeMap::new(), outcome });
            }
            Ok(false) => {}
            Err(()) => self.seen.failed.push(number),
        }
    }

    fn failed(&mut self, object: Number) {
        self.seen.failed.push(object);
    }
}

/// Reads trees, commits and tags, and looks through what people wrote in them.
struct Reader<'a> {
    rules: &'a BlobRules<'a>,
    stored: &'a Objects,
    progress: &'a dyn Progress,
    shard: Shard,
    worded: Vec<(Number, Kind)>,
    failed: Vec<Number>,
}

impl<'a> Reader<'a> {
    fn new(rules: &'a BlobRules<'a>, stored: &'a Objects, progress: &'a dyn Progress) -> Self {
        Self { rules, stored, progress, shard: Shard::default(), worded: Vec::new(), failed: Vec::new() }
    }
}

impl Visitor for Reader<'_> {
    type Kept = Option<TreeStarts>;

    fn object(&mut self, object: Object, bytes: &[u8], made: Option<Made<'_, Self::Kept>>) -> Self::Kept {
        self.progress.advance(1, bytes.len());
        if matches!(object.kind, Kind::Commit | Kind::Tag)
            && self.rules.values.is_some_and(|values| values.searcher().is_in(&bytes[written_by_people(bytes)..]))
        {
            self.worded.push((object.number, object.kind));
        }
        self.shard.add(self.stored, object, bytes, made)
    }

    fn large(&mut self, object: Object, _: Option<&mut dyn Read>) {
        self.failed.push(object.number);
    }

    fn failed(&mut self, object: Number) {
        self.failed.push(object);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::path::Path;
    use std::process::{Command, Stdio};

    use zeroize::Zeroizing;

    use super::super::lookup::Lookup;
    use super::super::{Quarantine, RunFolder};
    use super::*;
    use crate::scrub::{LeakedValue, Objects as _, Placeholder};

    const VALUE: &str = "correct-horse-7";

    fn git(folder: &Path, args: &[&str]) -> String {
        let mut command = Command::new("git");
        command.args(args).current_dir(folder).env("GIT_CONFIG_GLOBAL", "/dev/null").stderr(Stdio::inherit());
        for person in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{person}_NAME"), "ada").env(format!("GIT_{person}_EMAIL"), "ada@example.com");
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "git {args:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn commit(folder: &Path, files: &[(&str, &[u8])], message: &str) {
        for (name, bytes) in files {
            std::fs::write(folder.join(name), bytes).unwrap();
        }
        git(folder, &["add", "--all"]);
        git(folder, &["commit", "--quiet", "--allow-empty", "-m", message]);
    }

    fn redactor(value: &str) -> Redactor {
        let value = LeakedValue::new(Zeroizing::new(value.as_bytes().to_vec())).unwrap();
        Redactor::new(&[value], Placeholder::default()).unwrap()
    }

    fn scrubbed(folder: &Path, rules: &BlobRules<'_>) -> (BlobScrub, Vec<(ObjectId, Vec<u8>)>) {
        let repository = Repository::of(folder).unwrap();
        let runs = tempfile::tempdir().unwrap();
        let run = RunFolder::create(runs.path(), "run").unwrap();
        let lookup = Lookup::open(&repository.stores(&[]), repository.inner.object_hash()).unwrap();
        let mut quarantine = Quarantine::begin(lookup, &run).unwrap();
        let result = scrub_blobs(&repository, rules, &mut quarantine, &()).unwrap();
        let mut new = Vec::new();
        for fate in result.fates.values() {
            if let BlobFate::Replace(id) = fate {
                let mut bytes = Vec::new();
                quarantine.read(id, &mut bytes).unwrap();
                new.push((*id, bytes));
            }
        }
        new.sort();
        (result, new)
    }

    fn repository() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        git(folder.path(), &["init", "--quiet", "--initial-branch=main", "."]);
        let lines: String = (0..400).map(|number| format!("line {number}\n")).collect();
        let yaml = format!("{lines}password: {VALUE}\n");
        commit(folder.path(), &[("clean", lines.as_bytes()), ("a.txt", yaml.as_bytes())], "one");
        // Versions that are deltas of each other: with it, without, and with it elsewhere.
        for number in 0..12 {
            let place = lines.replace(&format!("line {}\n", number * 31), &format!("{VALUE}\nline\n"));
            let text = if number % 3 == 1 { lines.clone() + "more\n" } else { place };
            commit(folder.path(), &[("a.txt", text.as_bytes())], &format!("version {number}"));
        }
        commit(folder.path(), &[("b.bin", &[b"\0\x01", VALUE.as_bytes()].concat())], &format!("says {VALUE}"));
        git(folder.path(), &["tag", "-a", "v1", "-m", &format!("also {VALUE}")]);
        git(folder.path(), &["branch", &format!("on-{VALUE}")]);
        std::fs::create_dir(folder.path().join(VALUE)).unwrap();
        commit(folder.path(), &[(&format!("{VALUE}/x"), b"x")], "named");
        folder
    }

    #[test]
    fn everything_that_holds_a_value_is_found_packed_or_not() {
        let folder = repository();
        let values = redactor(VALUE);
        let rules = BlobRules { values: Some(&values), ..BlobRules::default() };
        let (loose, new) = scrubbed(folder.path(), &rules);
        assert_eq!(loose.fates.len(), 10, "nine versions of a.txt and b.bin");
        assert_eq!(new.len(), 10);
        assert!(new.iter().all(|(_, bytes)| !values.searcher().is_in(bytes)));
        assert!(new.iter().any(|(_, bytes)| bytes == b"\0\x01***************"));
        assert_eq!(loose.worded.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), [Kind::Commit, Kind::Tag]);
        assert_eq!((loose.refs.len(), loose.names.len(), loose.unreachable), (1, 1, 0));
        assert!(loose.unread.is_empty(), "{:?}", loose.unread);
        assert_eq!(
            loose.places.iter().filter(|place| place.path.as_ref().is_some_and(|path| path == "a.txt")).count(),
            9
        );
        git(folder.path(), &["gc", "--quiet"]);
        for jobs in [1, 4] {
            let (packed, same) =
                scrubbed(folder.path(), &BlobRules { values: Some(&values), jobs, ..BlobRules::default() });
            assert_eq!((&packed.fates, &packed.places, &same), (&loose.fates, &loose.places, &new));
        }
    }

    #[test]
    fn expressions_sizes_and_ids_are_obeyed() {
        let folder = repository();
        let replacements = Replacements::parse(format!("{VALUE}==>x\n").as_bytes()).unwrap();
        let compat = BlobRules { replacements: Some(&replacements), skips_binary: true, ..BlobRules::default() };
        assert_eq!(scrubbed(folder.path(), &compat).0.fates.len(), 9, "all but the binary one");
        let all = BlobRules { replacements: Some(&replacements), ..BlobRules::default() };
        assert_eq!(scrubbed(folder.path(), &all).0.fates.len(), 10);
        let large = BlobRules { larger_than: Some(1000), ..BlobRules::default() };
        let (result, _) = scrubbed(folder.path(), &large);
        assert!(result.fates.len() == 11 && result.fates.values().all(|fate| *fate == BlobFate::Drop), "{result:?}");
        let id = ObjectId::from_hex(git(folder.path(), &["rev-parse", "HEAD:b.bin"]).as_bytes()).unwrap();
        let named = BlobRules { drop: HashSet::from([id]), ..BlobRules::default() };
        let (result, _) = scrubbed(folder.path(), &named);
        assert_eq!(result.places.iter().map(|place| (place.blob, place.new)).collect::<Vec<_>>(), [(id, None)]);
        assert_eq!(result.fates, HashMap::from([(id, BlobFate::Drop)]));
    }

    #[test]
    fn what_nothing_leads_to_is_counted_and_not_rewritten() {
        let folder = repository();
        std::fs::write(folder.path().join("lost"), format!("lost {VALUE}")).unwrap();
        git(folder.path(), &["hash-object", "-w", "lost"]);
        let values = redactor(VALUE);
        let (result, _) = scrubbed(folder.path(), &BlobRules { values: Some(&values), ..BlobRules::default() });
        assert_eq!((result.fates.len(), result.unreachable), (10, 1));
    }
}
