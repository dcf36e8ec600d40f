//! Looks through all of a repository's history: every blob once, every message, every name.
//!
//! Trees, commits and tags come first, which tells what is reachable and under which path; then the blobs, in the order in which
//! they lie in the packs. Only for what was found is it looked up where in history that is, in [`origin`](super::origin).

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use gix::objs::Kind;

use super::graph::{Graph, Reached, Shard, TreeStarts, written_by_people};
use super::ids::{Marks, Number};
use super::objects::{Made, Object, Objects, Stores, Visit, Visitor};
use super::origin::Origins;
use super::roots::Roots;
use super::scanned::Scanned;
use super::{GitError, Repository};
use crate::scan::{
    Candidate, Content, Coverage, Finding, Findings, Known, Salt, Scanner, Source, Start, Unscanned, Versions, Window,
    sort,
};

/// How to look through history.
#[derive(Debug, Clone)]
pub struct HistoryOptions {
    /// Which objects.
    pub scope: Scope,
    /// How many threads; 0 for as many as there are cores.
    pub jobs: usize,
    /// Blobs with more bytes are not held in memory; those that are stored as a change to another one are left out.
    pub max_blob: usize,
    /// Versions of a file are looked through only where they changed. The findings are the same, and it takes longer, without.
    pub delta: bool,
    /// What was found clean by an earlier scan with the same rules is not looked through again.
    pub cache: bool,
    /// Folders outside the repository whose objects it may use.
    pub alternates: Vec<PathBuf>,
    /// What fingerprints are keyed with.
    pub salt: Salt,
}

/// Which objects of a repository are looked through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// What a ref, HEAD, a stash, a note, a reflog, a working tree or an index leads to.
    Reachable,
    /// All that is stored.
    AllObjects,
}

/// Is told how far a scan is. Called by all threads.
pub trait Progress: Sync {
    /// So many objects are to be looked at.
    fn expect(&self, objects: usize);

    /// So many more were, with so many bytes.
    fn advance(&self, objects: usize, bytes: usize);
}

impl Progress for () {
    fn expect(&self, _: usize) {}

    fn advance(&self, _: usize, _: usize) {}
}

/// What was found in history.
#[derive(Debug, Default)]
pub struct HistoryScan {
    /// In the order of reports, each place with its history.
    pub findings: Vec<Finding>,
    /// What was looked through, and what was not.
    pub coverage: Coverage,
    /// What could not be read at all, or was refused, or is otherwise worth saying. The scan is incomplete where `is_incomplete`.
    pub notes: Vec<String>,
    /// Whether something was left out that should have been looked through.
    pub is_incomplete: bool,
    /// How many blobs were known to be clean.
    pub known_clean: usize,
}

/// Looks through the history of a repository.
///
/// The result is the same for any number of threads, with and without `delta` and `cache`.
pub fn scan_history(
    repository: &Repository,
    scanner: &Scanner,
    options: &HistoryOptions,
    progress: &dyn Progress,
) -> Result<HistoryScan, GitError> {
    let stores = repository.stores(&options.alternates);
    let objects = Objects::open(&stores, repository.inner.object_hash())?;
    let roots = Roots::of(repository)?;
    let mut scanned = match options.cache {
        true => Scanned::open(repository.inner.common_dir(), scanner, objects.hash()),
        false => Scanned::none(),
    };
    let clean = scanned.among(&objects);
    progress.expect(objects.len());
    let shared = Shared { scanner, options, progress, objects: &objects, clean: &clean };

    let kinds = [Some(Kind::Commit), Some(Kind::Tree), Some(Kind::Tag), None];
    let stop = AtomicBool::new(false);
    let wanted = objects.of_kinds(&kinds);
    let cores = || std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let jobs = if options.jobs == 0 { cores() } else { options.jobs };
    let visit = Visit { wanted: &wanted, jobs, max_bytes: MAX_STRUCTURE, stop: &stop };
    let readers = objects.visit(&stores, &visit, || Reader::new(&shared));
    let mut shards = Vec::new();
    let mut messages = Vec::new();
    let mut failed: BTreeMap<Number, Unscanned> = BTreeMap::new();
    let mut new_clean = Vec::new();
    for reader in readers {
        failed.extend(reader.failed);
        failed.extend(reader.shard.malformed.iter().map(|number| (*number, Unscanned::Unreadable)));
        shards.push(reader.shard);
        messages.extend(reader.messages);
        new_clean.extend(reader.clean);
    }
    let graph = Graph::new(&objects, shards);

    let mut reached = Reached::new(&objects);
    let mut missing_roots = BTreeSet::new();
    for id in roots.all_ids() {
        match objects.number(&id) {
            Some(root) => reached.follow(&graph, root),
            None => _ = missing_roots.insert(id),
        }
    }
    let reachable = reached.marks.clone();
    let in_scope = match options.scope {
        Scope::Reachable => reachable.clone(),
        Scope::AllObjects => {
            // What leads on first, so that a blob has a path where any tree has it.
            for kind in [Kind::Commit, Kind::Tag, Kind::Tree] {
                objects.of_kinds(&[Some(kind)]).iter().for_each(|number| reached.follow(&graph, number));
            }
            objects.of_kinds(&[Some(Kind::Blob), Some(Kind::Commit), Some(Kind::Tree), Some(Kind::Tag), None])
        }
    };
    let paths = Paths { graph: &graph, reached: &reached, roots: &roots, objects: &objects };

    let mut findings = Findings::new(options.salt.clone());
    let mut coverage = Coverage::default();
    let mut blobs = objects.no_marks();
    let mut known_clean = 0;
    for number in objects.of_kinds(&[Some(Kind::Blob)]).iter().filter(|number| in_scope.contains(*number)) {
        match clean.contains(number) {
            true => known_clean += 1,
            false => _ = blobs.insert(number),
        }
    }
    let visit = Visit { wanted: &blobs, max_bytes: options.max_blob, ..visit };
    let visitors = objects.visit(&stores, &visit, || BlobVisitor::new(&shared, &paths));
    for visitor in visitors {
        findings.merge(visitor.findings);
        coverage.merge(visitor.coverage);
        failed.extend(visitor.failed);
        new_clean.extend(visitor.clean);
    }
    messages.sort_by_key(|message| message.number);
    for message in messages.into_iter().filter(|message| in_scope.contains(message.number)) {
        let source = paths.source(message.number);
        let window = Window::whole(&message.bytes);
        coverage.count(&window);
        coverage.unscanned.extend(message.unscanned.into_iter().map(|reason| (source.clone(), reason)));
        scanner.add(&source, &window, message.candidates, &mut findings);
    }
    let mut names_coverage = Coverage::default();
    for name in graph.names(&in_scope).into_iter().chain(roots.refs.keys()) {
        scanner.scan(&Source::Name(name.clone()), name, &mut findings, &mut names_coverage);
    }
    coverage.unscanned.extend(names_coverage.unscanned);

    let failed_in_scope = failed.iter().filter(|(number, _)| in_scope.contains(**number));
    coverage.unscanned.extend(failed_in_scope.map(|(number, reason)| (paths.source(*number), *reason)));
    for (id, by, name) in &reached.missing {
        if in_scope.contains(*by) {
            let source = match name {
                Some(name) => Source::Blob(*id, Some(reached.path_below(&graph, *by, name))),
                None => Source::Commit(*id),
            };
            coverage.unscanned.push((source, Unscanned::Missing));
        }
    }
    // A reflog may name what was pruned since.
    let must_be_there = |id: &gix::ObjectId| {
        roots.head == Some(*id) || roots.refs.values().any(|known| known == id) || roots.index.contains_key(id)
    };
    for id in missing_roots.into_iter().filter(must_be_there) {
        let source = match roots.index.get(&id) {
            Some(path) => Source::Blob(id, Some(path.clone())),
            None => Source::Commit(id),
        };
        coverage.unscanned.push((source, Unscanned::Missing));
    }
    coverage.unscanned.sort();
    coverage.unscanned.dedup();

    let mut findings = findings.finish(scanner.engine.rules());
    if !findings.is_empty() {
        let reader = repository.reader()?;
        Origins { objects: &objects, graph: &graph, roots: &roots, in_scope: &in_scope }.fill(&mut findings, &reader);
        sort(&mut findings, scanner.engine.rules());
    }
    let mut notes: Vec<String> = objects.problems().iter().chain(&roots.problems).cloned().collect();
    let is_incomplete = !notes.is_empty() || !coverage.unscanned.is_empty();
    if options.cache {
        new_clean.retain(|number| in_scope.contains(*number));
        notes.extend(scanned.add(new_clean.into_iter().map(|number| objects.id(number))));
    }
    Ok(HistoryScan { findings, coverage, notes, is_incomplete, known_clean })
}

/// Trees, commits and tags are no larger, or they are not read.
const MAX_STRUCTURE: usize = 256 << 20;

/// A blob that is not held in memory is looked through in parts of so many bytes.
const WINDOW: usize = 8 << 20;

/// So many bytes of a part are looked through again with the next one. No match is longer than half of it.
const OVERLAP: usize = 256 << 10;

/// What all visitors share.
struct Shared<'a> {
    scanner: &'a Scanner,
    options: &'a HistoryOptions,
    progress: &'a dyn Progress,
    objects: &'a Objects,
    clean: &'a Marks,
}

/// Knows where objects are.
struct Paths<'a> {
    graph: &'a Graph,
    reached: &'a Reached,
    roots: &'a Roots,
    objects: &'a Objects,
}

impl Paths<'_> {
    fn source(&self, number: Number) -> Source {
        let id = self.objects.id(number);
        match self.objects.kind(number) {
            Some(Kind::Commit) => Source::Commit(id),
            Some(Kind::Tag) => Source::Tag(id),
            _ => {
                let path = self.reached.path(self.graph, number);
                Source::Blob(id, path.or_else(|| self.roots.index.get(&id).cloned()))
            }
        }
    }
}

/// Reads trees, commits and tags, and looks through the messages.
struct Reader<'a> {
    shared: &'a Shared<'a>,
    versions: Versions<'a>,
    shard: Shard,
    messages: Vec<Message>,
    failed: Vec<(Number, Unscanned)>,
    clean: Vec<Number>,
}

/// A commit or tag with something in it, before it is known whether it is reachable.
struct Message {
    number: Number,
    bytes: Vec<u8>,
    candidates: Vec<Candidate>,
    unscanned: Vec<Unscanned>,
}

impl<'a> Reader<'a> {
    fn new(shared: &'a Shared<'a>) -> Self {
        Self {
            shared,
            versions: Versions::new(&shared.scanner.engine),
            shard: Shard::default(),
            messages: Vec::new(),
            failed: Vec::new(),
            clean: Vec::new(),
        }
    }
}

impl Visitor for Reader<'_> {
    type Kept = Option<TreeStarts>;

    fn object(&mut self, object: Object, bytes: &[u8], made: Option<Made<'_, Self::Kept>>) -> Self::Kept {
        self.shared.progress.advance(1, bytes.len());
        let is_message = matches!(object.kind, Kind::Commit | Kind::Tag);
        if is_message && !self.shared.clean.contains(object.number) {
            let mut candidates = Vec::new();
            let (_, unscanned) = self.versions.look(bytes, &mut candidates);
            let start = written_by_people(bytes);
            candidates.retain(|candidate| candidate.secret.start >= start);
            if candidates.is_empty() && unscanned.is_empty() {
                self.clean.push(object.number);
            } else {
                self.messages.push(Message { number: object.number, bytes: bytes.to_vec(), candidates, unscanned });
            }
        }
        self.shard.add(self.shared.objects, object, bytes, made)
    }

    fn large(&mut self, object: Object, _: Option<&mut dyn Read>) {
        self.failed.push((object.number, Unscanned::TooLarge));
    }

    fn failed(&mut self, object: Number) {
        self.failed.push((object, Unscanned::Unreadable));
    }
}

/// Looks through blobs.
struct BlobVisitor<'a> {
    shared: &'a Shared<'a>,
    paths: &'a Paths<'a>,
    versions: Versions<'a>,
    findings: Findings,
    coverage: Coverage,
    failed: Vec<(Number, Unscanned)>,
    clean: Vec<Number>,
}

impl<'a> BlobVisitor<'a> {
    fn new(shared: &'a Shared<'a>, paths: &'a Paths<'a>) -> Self {
        Self {
            shared,
            paths,
            versions: Versions::new(&shared.scanner.engine),
            findings: Findings::new(shared.options.salt.clone()),
            coverage: Coverage::default(),
            failed: Vec::new(),
            clean: Vec::new(),
        }
    }
}

impl Visitor for BlobVisitor<'_> {
    type Kept = Option<Known>;

    fn object(&mut self, object: Object, bytes: &[u8], made: Option<Made<'_, Self::Kept>>) -> Self::Kept {
        self.shared.progress.advance(1, bytes.len());
        let window = Window::whole(bytes);
        if !self.coverage.count(&window) {
            self.clean.push(object.number);
            return None;
        }
        let mut candidates = Vec::new();
        let made = made.filter(|_| self.shared.options.delta).and_then(|made| Some((made.kept.as_ref()?, made.parts)));
        let (known, unscanned) = match made {
            Some((base, parts)) => self.versions.look_again(base, parts, bytes, &mut candidates),
            None => self.versions.look(bytes, &mut candidates),
        };
        if candidates.is_empty() && unscanned.is_empty() {
            self.clean.push(object.number);
        } else {
            let source = self.paths.source(object.number);
            self.coverage.unscanned.extend(unscanned.into_iter().map(|reason| (source.clone(), reason)));
            self.shared.scanner.add(&source, &window, candidates, &mut self.findings);
        }
        Some(known)
    }

    fn large(&mut self, object: Object, stream: Option<&mut dyn Read>) {
        let source = self.paths.source(object.number);
        let Some(stream) = stream else {
            self.coverage.unscanned.push((source, Unscanned::TooLarge));
            return;
        };
        if scan_stream(self.shared.scanner, &source, stream, &mut self.findings, &mut self.coverage).is_err() {
            self.coverage.unscanned.push((source, Unscanned::Unreadable));
        }
    }

    fn failed(&mut self, object: Number) {
        self.failed.push((object, Unscanned::Unreadable));
    }
}

/// Looks through what does not fit into memory, part by part; a match may lie across two parts.
fn scan_stream(
    scanner: &Scanner,
    source: &Source,
    stream: &mut dyn Read,
    findings: &mut Findings,
    coverage: &mut Coverage,
) -> std::io::Result<()> {
    let mut bytes: Vec<u8> = Vec::with_capacity(WINDOW);
    let mut content = None;
    let mut starts = Start::default();
    loop {
        stream.take((WINDOW - bytes.len()) as u64).read_to_end(&mut bytes)?;
        let is_last = bytes.len() < WINDOW;
        let content = *content.get_or_insert_with(|| Content::of(&bytes));
        // Half of what two parts share belongs to each: either sees enough of what is around a match.
        let from = if starts.offset == 0 { 0 } else { OVERLAP / 2 };
        let until = if is_last { bytes.len() } else { WINDOW - OVERLAP / 2 };
        let window = Window { bytes: &bytes, content, own: from..until, starts };
        scanner.scan_part(source, &window, findings, coverage);
        if is_last || content == Content::Media {
            return Ok(());
        }
        starts = starts.behind(&bytes[..WINDOW - OVERLAP]);
        bytes.copy_within(WINDOW - OVERLAP.., 0);
        bytes.truncate(OVERLAP);
    }
}

impl Roots {
    /// The ids of all roots: HEAD first, then the refs, then what else there is.
    fn all_ids(&self) -> impl Iterator<Item = gix::ObjectId> {
        let others = self.others.values().flatten().chain(self.index.keys());
        self.head.iter().chain(self.refs.values()).chain(others).copied()
    }
}

impl Repository {
    /// Where its objects are. Alternates outside of it are refused, unless they are below one of `allowed`.
    pub(super) fn stores(&self, allowed: &[PathBuf]) -> Stores {
        let common = self.inner.common_dir();
        let inside = [self.root().to_owned(), common.to_owned()];
        let real = |path: &PathBuf| path.canonicalize().unwrap_or_else(|_| path.clone());
        let allowed: Vec<PathBuf> = inside.iter().chain(allowed).map(real).collect();
        Stores::of(&common.join("objects"), &allowed)
    }
}
