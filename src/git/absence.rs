//! Proof of absence: reads every byte of a repository in which a leaked value, or an object that was rewritten, may still be.
//!
//! All objects, reachable or not, of all packs and of the repositories borrowed from; packs and objects that were never finished; every
//! other file of the repository's folder, by name and content. What cannot be read is said, and then nothing is proven. Nothing is
//! changed here. How values are found is in [`Searcher`].

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufReader, Read};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use gix::ObjectId;
use gix::hash::Kind as HashKind;
use gix::objs::Kind;
use gix::odb::pack;
use sha2::{Digest as _, Sha256};

use super::graph::{Graph, Reached, Shard, Target, TreeStarts};
use super::ids::{Marks, Number};
use super::objects::{Made, Object, Objects, Stores, Visit, Visitor};
use super::pack::{Base, Head};
use super::roots::Roots;
use super::{GitError, Progress, Repository};
use crate::scrub::{HEADER_LEN, Searcher};

/// What must not be there.
#[derive(Default)]
pub struct Absent<'a> {
    /// Values, in any body.
    pub values: Option<&'a Searcher>,
    /// Objects that were rewritten or removed.
    pub objects: BTreeSet<ObjectId>,
    /// How many threads; 0 for as many as there are cores.
    pub jobs: usize,
}

/// Whether it is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// All was read, and nothing is there.
    Clean,
    /// Something is there.
    NotClean,
    /// Nothing was found, but not all could be read.
    Unknown,
}

/// What was looked at, and what is there.
#[derive(Debug, Default)]
pub struct Absence {
    /// Objects that hold a value or should be gone, by id.
    pub objects: BTreeMap<ObjectId, Present>,
    /// Files of the repository's own folder that hold a value, or have one in their name, relative to it.
    pub files: BTreeSet<PathBuf>,
    /// Files that name an object that should be gone.
    pub mentions: BTreeSet<PathBuf>,
    /// Files of working trees that hold a value: they are the user's, and do not count.
    pub working: BTreeSet<PathBuf>,
    /// What could not be read, in words.
    pub unread: BTreeSet<String>,
    /// How many objects were read.
    pub objects_read: usize,
    /// How many bytes they have.
    pub object_bytes: u64,
    /// How many other files were read.
    pub files_read: usize,
    /// How many bytes they have.
    pub file_bytes: u64,
    /// What the verdict is about, for another who has the same branches, tags and notes and asks the same.
    digest: Option<[u8; 32]>,
}

/// An object that is still there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Present {
    /// What it is.
    pub kind: Option<Kind>,
    /// Whether it holds a value, rather than being one that should be gone.
    pub holds_value: bool,
    /// The files that it is stored in: packs, with `.keep` where that is why it stays, or a file of its own.
    pub stored: Vec<PathBuf>,
    /// What leads to it: refs, reflogs, indices; nothing for what goes with the next prune.
    pub kept_by: Vec<String>,
}

/// Larger objects are searched in parts.
const MAX_BYTES: usize = 256 << 20;

/// What is said of a pack without an index.
const NO_INDEX: &str = "it has no index";

/// Folders are not followed deeper.
const MAX_DEPTH: usize = 256;

/// No file is looked through for ids that is larger.
const MAX_IDS: u64 = 1 << 30;

impl Absence {
    /// Whether it is proven.
    pub fn verdict(&self) -> Verdict {
        if !self.objects.is_empty() || !self.files.is_empty() {
            Verdict::NotClean
        } else if !self.unread.is_empty() {
            Verdict::Unknown
        } else {
            Verdict::Clean
        }
    }

    /// Names what was proven: whoever has the same branches, tags and notes, and asks for the same objects, gets the same.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(self.digest.unwrap_or_default());
        hash.update([self.verdict().code()]);
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Verdict {
    /// The exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::NotClean => 1,
            Self::Unknown => 2,
        }
    }
}

/// Looks for what must not be there, everywhere.
pub fn verify_absence(
    repository: &Repository,
    absent: &Absent<'_>,
    progress: &dyn Progress,
) -> Result<Absence, GitError> {
    let mut absence = Absence::default();
    let common = repository.inner.common_dir();
    let hash = repository.inner.object_hash();
    // Whatever lies outside of the repository is read as well: it is only searched.
    let mut stores = repository.stores(&[PathBuf::from("/")]);
    stores.folders.extend(unaccepted(&stores.folders, common));
    let objects = Objects::open(&stores, hash)?;
    progress.expect(objects.len());
    let roots = Roots::of(repository)?;
    absence.unread.extend(roots.problems.iter().cloned());
    let graph = absence.search_objects(&stores, &objects, absent, Some(&roots), progress)?;
    absence.digest = Some(digest(&objects, &graph, &roots, absent));
    for folder in &stores.folders {
        absence.search_unfinished(folder, &objects, absent);
        absence.search_derived(folder, absent);
    }
    absence.search_files(common, absent);
    let outside = repository.inner.git_dir();
    if !outside.starts_with(common) {
        absence.search_files(outside, absent);
    }
    for folder in modules(&common.join("modules")) {
        let stores = Stores::of(&folder.join("objects"), &[PathBuf::from("/")]);
        // A submodule has its own hash; that of the repository fits all that git makes today.
        match Objects::open(&stores, hash) {
            Ok(objects) => _ = absence.search_objects(&stores, &objects, absent, None, &())?,
            Err(error) => _ = absence.unread.insert(format!("{}: {error}", folder.display())),
        }
    }
    if let (Some(values), Some(root)) = (absent.values, repository.inner.workdir()) {
        absence.search_working(root, values);
    }
    Ok(absence)
}

impl Absence {
    fn search_objects(
        &mut self,
        stores: &Stores,
        objects: &Objects,
        absent: &Absent<'_>,
        roots: Option<&Roots>,
        progress: &dyn Progress,
    ) -> Result<Graph, GitError> {
        // A pack without an index is read as one that was not finished.
        self.unread.extend(objects.problems().iter().filter(|problem| !problem.ends_with(NO_INDEX)).cloned());
        let stop = AtomicBool::new(false);
        let cores = || std::thread::available_parallelism().map_or(1, |cores| cores.get());
        let jobs = if absent.jobs == 0 { cores() } else { absent.jobs };
        let all = [Some(Kind::Commit), Some(Kind::Tree), Some(Kind::Tag), Some(Kind::Blob), None];
        let wanted = objects.of_kinds(&all);
        let visit = Visit { wanted: &wanted, jobs, max_bytes: MAX_BYTES, stop: &stop };
        let visitors = objects.visit(stores, &visit, || Reader {
            values: absent.values,
            objects,
            progress,
            seen: Seen::default(),
        });
        let mut shards = Vec::new();
        let mut found = BTreeSet::new();
        let mut there = objects.no_marks();
        for Reader { seen, .. } in visitors {
            self.objects_read += seen.objects;
            self.object_bytes += seen.bytes;
            self.unread
                .extend(seen.failed.iter().map(|number| format!("object {} cannot be read", objects.id(*number))));
            found.extend(seen.found);
            shards.push(seen.shard);
        }
        let graph = Graph::new(objects, shards);
        let gone = absent.objects.iter().filter_map(|id| objects.number(id));
        let present: BTreeSet<Number> = found.iter().copied().chain(gone).collect();
        present.iter().for_each(|number| _ = there.insert(*number));
        let mut held: BTreeMap<Number, Vec<String>> = BTreeMap::new();
        if let Some(roots) = roots {
            let mut reached = Reached::new(objects);
            for (_, id) in names(roots) {
                match objects.number(&id) {
                    Some(root) => reached.follow(&graph, root),
                    None if roots.refs.values().any(|other| *other == id) => {
                        self.unread.insert(format!("object {id} is not there"));
                    }
                    // A reflog may name what was pruned since.
                    None => {}
                }
            }
            self.unread.extend(reached.missing.iter().map(|(id, ..)| format!("object {id} is not there")));
            if !present.is_empty() {
                held = keepers(objects, &graph, roots, &present);
            }
        }
        let packs = Packs::of(stores, objects.hash());
        for number in present {
            let id = objects.id(number);
            self.objects.insert(
                id,
                Present {
                    kind: objects.kind(number),
                    holds_value: found.contains(&number),
                    stored: packs.that_have(stores, &id),
                    kept_by: held.remove(&number).unwrap_or_default(),
                },
            );
        }
        Ok(graph)
    }

    /// Packs and objects of a store that were never finished, or have no index.
    fn search_unfinished(&mut self, store: &Path, objects: &Objects, absent: &Absent<'_>) {
        let Some(values) = absent.values else { return };
        for path in files_of(store).into_iter().chain(files_of(&store.join("pack"))).chain(loose_folders(store)) {
            let name = path.file_name().unwrap_or_default().as_bytes();
            let is_pack = name.starts_with(b"tmp_pack_")
                || name.ends_with(b".pack") && objects.problems().contains(&format!("{}: {NO_INDEX}", path.display()));
            if !is_pack && !name.starts_with(b"tmp_obj_") {
                continue;
            }
            self.files_read += 1;
            let searched = match is_pack {
                true => search_pack(&path, objects.hash(), values),
                false => search_deflated(&path, values),
            };
            match searched {
                Ok(true) => _ = self.files.insert(path),
                Ok(false) => {}
                Err(cause) => {
                    _ = self.unread.insert(format!("{}: {cause}; remove it with git gc --prune=now", path.display()))
                }
            }
        }
    }

    /// Files that git derives from objects, and that may name those that are gone.
    fn search_derived(&mut self, store: &Path, absent: &Absent<'_>) {
        let info = store.join("info");
        let graphs = files_of(&info.join("commit-graphs")).into_iter().chain([info.join("commit-graph")]);
        for path in graphs.chain([store.join("pack/multi-pack-index")]) {
            let Ok(bytes) = std::fs::read(&path) else { continue };
            self.files_read += 1;
            self.file_bytes += bytes.len() as u64;
            let width = absent.objects.first().map_or(20, |id| id.as_slice().len());
            let table = listed_ids(&bytes).unwrap_or_default();
            if table
                .chunks_exact(width)
                .filter_map(|id| ObjectId::try_from(id).ok())
                .any(|id| absent.objects.contains(&id))
            {
                self.mentions.insert(path);
            }
        }
    }

    /// All files of a folder but objects, by name and content.
    fn search_files(&mut self, folder: &Path, absent: &Absent<'_>) {
        let is_ours = |path: &Path| {
            let below = path.strip_prefix(folder).unwrap_or(path);
            below == Path::new("objects") || below.starts_with("modules") && below.ends_with("objects")
        };
        let (files, unread) = walk(folder, &is_ours);
        self.unread.extend(unread);
        for path in files {
            self.files_read += 1;
            let below = path.strip_prefix(folder).unwrap_or(&path).to_owned();
            let size = path.symlink_metadata().map_or(0, |metadata| metadata.len());
            self.file_bytes += size;
            if let Some(values) = absent.values {
                let name = values.is_in(below.as_os_str().as_bytes());
                match search_file(&path, values) {
                    Ok(is_in) if is_in || name => _ = self.files.insert(below.clone()),
                    Ok(_) => {}
                    Err(error) => _ = self.unread.insert(format!("{}: {error}", path.display())),
                }
            }
            // The maps of a rewrite name old ids because that is what they are for.
            let is_map = below.starts_with("seal") || below.starts_with("filter-repo");
            if !absent.objects.is_empty() && !is_map && size <= MAX_IDS && mentions(&path, &absent.objects) {
                self.mentions.insert(below);
            }
        }
    }

    fn search_working(&mut self, root: &Path, values: &Searcher) {
        let (files, unread) = walk(root, &|path| path.file_name().is_some_and(|name| name == ".git"));
        self.unread.extend(unread);
        let is_in = |path: &PathBuf| search_file(path, values).unwrap_or(false);
        self.working = files
            .into_iter()
            .filter(is_in)
            .map(|path| path.strip_prefix(root).map(Path::to_owned).unwrap_or(path))
            .collect();
    }
}

/// Folders in which pushes and rewrites lay what they bring before it is accepted.
fn unaccepted(stores: &[PathBuf], common: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    for store in stores {
        let is_one = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().as_bytes();
            name.starts_with(b"tmp_objdir") || name.starts_with(b"incoming-")
        };
        found.extend(folders_of(store).into_iter().filter(is_one));
    }
    found.extend(
        folders_of(&common.join("seal")).into_iter().map(|run| run.join("objects")).filter(|path| path.is_dir()),
    );
    found
}

/// What each object is led to by, where it is led to at all.
fn keepers(
    objects: &Objects,
    graph: &Graph,
    roots: &Roots,
    present: &BTreeSet<Number>,
) -> BTreeMap<Number, Vec<String>> {
    let mut held: BTreeMap<Number, Vec<String>> = BTreeMap::new();
    let mut by_root: BTreeMap<ObjectId, BTreeSet<String>> = BTreeMap::new();
    names(roots).for_each(|(name, id)| _ = by_root.entry(id).or_default().insert(name));
    // Who keeps one of many is who keeps the first few.
    for number in present.iter().take(MAX_KEPT) {
        let mut leads = Leads { seen: objects.no_marks(), leads: objects.no_marks() };
        leads.leads.insert(*number);
        leads.seen.insert(*number);
        for (id, names) in &by_root {
            if objects.number(id).is_some_and(|root| leads.from(graph, root)) {
                held.entry(*number).or_default().extend(names.iter().cloned());
            }
        }
    }
    held.values_mut().for_each(|names| {
        names.sort();
        names.dedup();
    });
    held
}

/// Of so many objects it is found out what keeps them.
const MAX_KEPT: usize = 200;

/// What leads to an object.
struct Leads {
    seen: Marks,
    leads: Marks,
}

impl Leads {
    /// Whether `root` does. Each object is looked at once, those that it leads to first.
    fn from(&mut self, graph: &Graph, root: Number) -> bool {
        let mut stack = vec![(root, false)];
        while let Some((number, is_known)) = stack.pop() {
            let next = graph
                .entries(number)
                .map(|(target, _)| target)
                .chain(graph.tree(number))
                .chain(graph.parents(number))
                .chain(graph.tagged(number))
                .filter_map(|target| if let Target::Object(number) = target { Some(number) } else { None });
            if is_known {
                if next.into_iter().any(|child| self.leads.contains(child)) {
                    self.leads.insert(number);
                }
            } else if self.seen.insert(number) {
                stack.push((number, true));
                stack.extend(next.map(|child| (child, false)));
            }
        }
        self.leads.contains(root)
    }
}

/// What roots are called, and what they name.
fn names(roots: &Roots) -> impl Iterator<Item = (String, ObjectId)> {
    let head = roots.head.iter().map(|id| ("HEAD".to_owned(), *id));
    let refs = roots.refs.iter().map(|(name, id)| (name.to_string(), *id));
    let others = roots.others.iter().flat_map(|(name, ids)| ids.iter().map(move |id| (name.clone(), *id)));
    head.chain(refs).chain(others).chain(roots.index.iter().map(|(id, path)| (format!("the index ({path})"), *id)))
}

/// What a verdict is about: what branches, tags and notes lead to, and which objects are to be gone.
fn digest(objects: &Objects, graph: &Graph, roots: &Roots, absent: &Absent<'_>) -> [u8; 32] {
    let shared = ["refs/heads/", "refs/tags/"];
    let is_shared = |name: &[u8]| shared.iter().any(|start| name.starts_with(start.as_bytes()));
    let refs = roots.refs.iter().filter(|(name, _)| is_shared(name)).map(|(_, id)| *id);
    let notes =
        roots.others.iter().filter(|(name, _)| name.starts_with("notes (")).flat_map(|(_, ids)| ids.iter().copied());
    let tips: BTreeSet<ObjectId> = refs.chain(notes).collect();
    let mut reached = Reached::new(objects);
    tips.iter().filter_map(|id| objects.number(id)).for_each(|root| reached.follow(graph, root));
    let mut hash = Sha256::new();
    hash.update(b"seal absence 1\0");
    let mut put = |ids: &mut dyn Iterator<Item = ObjectId>| {
        let mut count = 0_u64;
        ids.for_each(|id| {
            hash.update(id.as_slice());
            count += 1;
        });
        hash.update(count.to_le_bytes());
    };
    put(&mut tips.iter().copied());
    put(&mut reached.marks.iter().map(|number| objects.id(number)));
    put(&mut absent.objects.iter().copied());
    hash.finalize().into()
}

/// What one thread has seen of objects.
#[derive(Default)]
struct Seen {
    shard: Shard,
    found: Vec<Number>,
    failed: Vec<Number>,
    objects: usize,
    bytes: u64,
}

struct Reader<'a> {
    values: Option<&'a Searcher>,
    objects: &'a Objects,
    progress: &'a dyn Progress,
    seen: Seen,
}

impl Visitor for Reader<'_> {
    /// Whether no piece of a value stands in it, and where its entries start if it is a tree.
    type Kept = (bool, Option<TreeStarts>);

    fn object(&mut self, object: Object, bytes: &[u8], made: Option<Made<'_, Self::Kept>>) -> Self::Kept {
        self.progress.advance(1, bytes.len());
        self.seen.objects += 1;
        self.seen.bytes += bytes.len() as u64;
        let base = made.as_ref().filter(|made| made.kept.0).map(|made| made.parts);
        let is_clean = self.values.is_none_or(|values| !values.has_pieces(bytes, base));
        if !is_clean && self.values.is_some_and(|values| values.is_in(bytes)) {
            self.seen.found.push(object.number);
        }
        let made = made.as_ref().map(|made| Made { kept: &made.kept.1, parts: made.parts });
        (is_clean, self.seen.shard.add(self.objects, object, bytes, made))
    }

    fn large(&mut self, object: Object, stream: Option<&mut dyn Read>) {
        self.seen.objects += 1;
        match (self.values, stream) {
            (None, _) => {}
            (Some(values), Some(stream)) => match values.is_in_stream(stream) {
                Ok(true) => self.seen.found.push(object.number),
                Ok(false) => {}
                Err(_) => self.seen.failed.push(object.number),
            },
            _ => self.seen.failed.push(object.number),
        }
    }

    fn failed(&mut self, object: Number) {
        self.seen.failed.push(object);
    }
}

/// The indices of packs, to say which pack an object is in.
struct Packs(Vec<(PathBuf, pack::index::File)>);

impl Packs {
    fn of(stores: &Stores, hash: HashKind) -> Self {
        let paths = stores.folders.iter().flat_map(|folder| files_of(&folder.join("pack")));
        let indices = paths.filter(|path| path.extension().is_some_and(|end| end == "idx"));
        Self(
            indices
                .filter_map(|path| Some((path.with_extension("pack"), pack::index::File::at(&path, hash).ok()?)))
                .collect(),
        )
    }

    fn that_have(&self, stores: &Stores, id: &ObjectId) -> Vec<PathBuf> {
        let hex = id.to_string();
        let loose =
            stores.folders.iter().map(|folder| folder.join(&hex[..2]).join(&hex[2..])).filter(|path| path.is_file());
        let packs = self.0.iter().filter(|(_, index)| index.lookup(id).is_some()).map(|(path, _)| {
            let keep = path.with_extension("keep");
            if keep.is_file() { keep } else { path.clone() }
        });
        loose.chain(packs).collect()
    }
}

/// Whether a value stands in a file.
fn search_file(path: &Path, values: &Searcher) -> std::io::Result<bool> {
    if path.symlink_metadata()?.is_symlink() {
        return Ok(values.is_in(std::fs::read_link(path)?.as_os_str().as_bytes()));
    }
    values.is_in_stream(&mut File::open(path)?)
}

/// Whether a value stands in an object that was not finished.
fn search_deflated(path: &Path, values: &Searcher) -> Result<bool, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    // It ends where it was interrupted: there is no more of it to read.
    let mut readable = UntilError(flate2::read::ZlibDecoder::new(BufReader::new(file)));
    values.is_in_stream(&mut readable).map_err(|error| error.to_string())
}

struct UntilError<R>(R);

impl<R: Read> Read for UntilError<R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        Ok(self.0.read(into).unwrap_or(0))
    }
}

/// Whether a value stands in a pack that has no index: entry by entry, as far as it goes. Deltas cannot be undone, so what is only in
/// them is not known.
fn search_pack(path: &Path, hash: HashKind, values: &Searcher) -> Result<bool, String> {
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    let mut at = HEADER_LEN as usize;
    let mut is_whole = bytes.starts_with(b"PACK");
    while is_whole && at + hash.len_in_bytes() < bytes.len() {
        let Some((head, used)) = Head::parse(&bytes[at..], at as u64, hash.len_in_bytes()) else {
            is_whole = false;
            break;
        };
        let mut inflated = flate2::bufread::ZlibDecoder::new(&bytes[at + used..]);
        if values.is_in_stream(&mut UntilError(&mut inflated)).unwrap_or(false) {
            return Ok(true);
        }
        is_whole &= matches!(head.base, Base::None(_)) && inflated.total_out() == head.size;
        at += used + inflated.total_in() as usize;
    }
    if is_whole { Ok(false) } else { Err("a pack that was not finished, of which not all can be read".to_owned()) }
}

/// The table of ids of a commit-graph or a multi-pack index (gitformat-commit-graph, gitformat-pack).
fn listed_ids(bytes: &[u8]) -> Option<&[u8]> {
    let header = match bytes.get(..4)? {
        b"CGPH" => 8,
        b"MIDX" => 12,
        _ => return None,
    };
    let chunks = usize::from(*bytes.get(6)?);
    let number = |at: usize| Some(u64::from_be_bytes(bytes.get(at..at + 8)?.try_into().ok()?) as usize);
    (0..chunks).find_map(|chunk| {
        let entry = header + 12 * chunk;
        let is_ids = bytes.get(entry..entry + 4)? == b"OIDL";
        is_ids.then(|| bytes.get(number(entry + 4)?..number(entry + 16)?)).flatten()
    })
}

/// Whether a file names one of some objects, in hexadecimal digits.
fn mentions(path: &Path, ids: &BTreeSet<ObjectId>) -> bool {
    let Ok(bytes) = std::fs::read(path) else { return false };
    let runs = bytes.split(|byte| !byte.is_ascii_hexdigit());
    runs.filter(|run| matches!(run.len(), 40 | 64))
        .filter_map(|run| ObjectId::from_hex(run).ok())
        .any(|id| ids.contains(&id))
}

/// The repositories of submodules.
fn modules(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut todo = vec![(folder.to_owned(), 0)];
    while let Some((folder, depth)) = todo.pop() {
        let is_repository = folder.join("objects").is_dir() && folder.join("HEAD").exists();
        let inner = if is_repository { folder.join("modules") } else { folder.clone() };
        if is_repository {
            found.push(folder);
        }
        if depth < MAX_DEPTH {
            todo.extend(folders_of(&inner).into_iter().map(|folder| (folder, depth + 1)));
        }
    }
    found
}

/// All files below a folder, sorted, but for what is left out; and what could not be read.
fn walk(folder: &Path, leaves_out: &dyn Fn(&Path) -> bool) -> (Vec<PathBuf>, Vec<String>) {
    let (mut files, mut unread) = (Vec::new(), Vec::new());
    let mut todo = vec![(folder.to_owned(), 0)];
    while let Some((folder, depth)) = todo.pop() {
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) if depth < MAX_DEPTH => entries,
            Ok(_) => {
                unread.push(format!("{}: too deep", folder.display()));
                continue;
            }
            Err(error) => {
                unread.push(format!("{}: {error}", folder.display()));
                continue;
            }
        };
        for path in entries.flatten().map(|entry| entry.path()).filter(|path| !leaves_out(path)) {
            match path.symlink_metadata() {
                Ok(metadata) if metadata.is_dir() => todo.push((path, depth + 1)),
                Ok(metadata) if metadata.is_file() || metadata.is_symlink() => files.push(path),
                // Sockets and pipes hold nothing.
                _ => {}
            }
        }
    }
    files.sort();
    (files, unread)
}

fn entries_of(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

fn files_of(folder: &Path) -> Vec<PathBuf> {
    entries_of(folder).into_iter().filter(|path| path.is_file()).collect()
}

fn folders_of(folder: &Path) -> Vec<PathBuf> {
    entries_of(folder).into_iter().filter(|path| path.is_dir()).collect()
}

/// Unfinished objects lie where finished ones do.
fn loose_folders(store: &Path) -> Vec<PathBuf> {
    (0..=255_u8).flat_map(|first| files_of(&store.join(format!("{first:02x}")))).collect()
}
