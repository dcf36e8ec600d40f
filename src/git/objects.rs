//! Every object of a repository, each once: packed ones by delta family, each delta undone once; loose ones; those of alternates.
//!
//! An object stored as a delta is handed out with the parts of the object that it was made from, so that what was learnt of the
//! one need not be learnt again of the other. What cannot be read never ends a visit: it is handed out as such.
//! Who leads to an object is in [`graph`](super::graph), and what is looked for in it is the visitor's matter.
//! Reading packs is in [`pack`](super::pack).

use std::collections::HashSet;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use gix::ObjectId;
use gix::objs::Kind;
use gix::odb::pack;

use super::GitError;
use super::ids::{Ids, Marks, Number};
use super::pack::{Base, Bench, Entry, Family, HELD, NONE, Pack};
use crate::scan::Part;

/// The objects of a repository, by number: in the order of their ids.
pub struct Objects {
    hash: gix::hash::Kind,
    packs: Vec<Pack>,
    loose: Vec<Loose>,
    ids: Ids,
    kinds: Vec<Option<Kind>>,
    families: Vec<Family>,
    problems: Vec<String>,
}

/// Looks at objects, one visitor a thread.
pub trait Visitor: Send {
    /// What it keeps of an object for those made from it.
    type Kept;

    /// An object, and what it was made from where that was visited too.
    fn object(&mut self, object: Object, bytes: &[u8], made: Option<Made<'_, Self::Kept>>) -> Self::Kept;

    /// A blob that is larger than the limit, to be read from start to end; `None` where it could not be read so.
    fn large(&mut self, object: Object, stream: Option<&mut dyn Read>);

    /// An object that could not be read.
    fn failed(&mut self, object: Number);
}

/// An object that is visited.
#[derive(Debug, Clone, Copy)]
pub struct Object {
    /// Its number.
    pub number: Number,
    /// Its kind.
    pub kind: Kind,
}

/// What an object was made from.
pub struct Made<'a, K> {
    /// What was kept of that other object.
    pub kept: &'a K,
    /// The object's bytes as parts of the other's.
    pub parts: &'a [Part],
}

/// Which objects to visit, and how.
pub struct Visit<'a> {
    /// The numbers of those wanted.
    pub wanted: &'a Marks,
    /// How many threads.
    pub jobs: usize,
    /// Larger objects are not held in memory.
    pub max_bytes: usize,
    /// Ends the visit early once it is true.
    pub stop: &'a AtomicBool,
}

/// Where objects are.
#[derive(Debug, Clone)]
pub struct Stores {
    /// Folders of objects, the repository's own first.
    pub folders: Vec<PathBuf>,
    /// Alternates that were refused, as they lie outside.
    pub refused: Vec<PathBuf>,
}

struct Loose {
    number: Number,
    store: usize,
}

/// How deep alternates may lead, as in git.
const MAX_ALTERNATES: usize = 5;

impl Objects {
    /// Lists the objects of all stores; reads none but the heads of loose ones.
    pub fn open(stores: &Stores, hash: gix::hash::Kind) -> Result<Self, GitError> {
        let mut problems = Vec::new();
        for refused in &stores.refused {
            let refused = refused.display();
            problems.push(format!(
                "{refused}: objects outside the repository are not read; if they are meant: git config --global --add seal.alternates {refused}"
            ));
        }
        let mut listed: Vec<(pack::data::File, Vec<(ObjectId, u64)>)> = Vec::new();
        let mut loose_ids: Vec<(ObjectId, usize)> = Vec::new();
        for (index, folder) in stores.folders.iter().enumerate() {
            list_packs(&folder.join("pack"), hash, &mut listed, &mut problems);
            list_loose(folder, hash, |id| loose_ids.push((id, index)));
        }
        let count = listed.iter().map(|(_, entries)| entries.len()).sum::<usize>() + loose_ids.len();
        if count >= NONE as usize {
            return Err(GitError::new(
                "list the objects of the repository",
                "there are more than four thousand million",
            ));
        }
        let all = listed.iter().flat_map(|(_, entries)| entries.iter().map(|(id, _)| id));
        let ids = Ids::new(all.chain(loose_ids.iter().map(|(id, _)| id)), count, hash.len_in_bytes());
        let mut objects = Self {
            hash,
            packs: Vec::new(),
            loose: Vec::new(),
            kinds: vec![None; ids.len()],
            ids,
            families: Vec::new(),
            problems,
        };
        let mut seen = objects.no_marks();
        for (data, entries) in listed {
            objects.add_pack(data, entries, &mut seen);
        }
        for (id, store) in loose_ids {
            let Some(number) = objects.number(&id) else { continue };
            if seen.insert(number) {
                let mut file = open_loose(&stores.folders[store], &id);
                objects.kinds[number as usize] = file.as_mut().ok().and_then(|file| file.head()).map(|(kind, _)| kind);
                objects.loose.push(Loose { number, store });
            }
        }
        // The largest first, as one thread works through a family alone; the others in the order in which they lie.
        objects.families.sort_by_key(|family| if family.size >= 1000 { (0, u32::MAX - family.size) } else { (1, 0) });
        Ok(objects)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// An object's id.
    pub fn id(&self, number: Number) -> ObjectId {
        ObjectId::from_bytes_or_panic(self.ids.get(number as usize))
    }

    /// The bytes of an object's id.
    pub fn id_bytes(&self, number: Number) -> &[u8] {
        self.ids.get(number as usize)
    }

    /// The object of an id.
    pub fn number(&self, id: &gix::oid) -> Option<Number> {
        self.ids.find(id.as_bytes())
    }

    /// What an object is; `None` where that could not be read.
    pub fn kind(&self, number: Number) -> Option<Kind> {
        self.kinds[number as usize]
    }

    /// Packs and folders that could not be read, in words.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    /// The hash that ids are.
    pub fn hash(&self) -> gix::hash::Kind {
        self.hash
    }

    /// No object.
    pub fn no_marks(&self) -> Marks {
        Marks::none(self.len())
    }

    /// Those of these kinds; with `None` also those whose kind could not be read.
    pub fn of_kinds(&self, kinds: &[Option<Kind>]) -> Marks {
        let mut marks = self.no_marks();
        for (number, kind) in self.kinds.iter().enumerate() {
            if kinds.contains(kind) {
                marks.insert(number as Number);
            }
        }
        marks
    }

    /// Hands each wanted object to one of the visitors, of which `make` makes one a thread, and gives them back.
    ///
    /// Which object goes to which visitor differs from run to run.
    pub fn visit<V: Visitor>(&self, stores: &Stores, visit: &Visit<'_>, make: impl Fn() -> V + Sync) -> Vec<V> {
        let needed: Vec<Marks> = self.packs.iter().map(|pack| pack.needed(visit.wanted)).collect();
        let todo: Vec<Family> =
            self.families.iter().filter(|one| needed[one.pack as usize].contains(one.root)).copied().collect();
        let loose: Vec<&Loose> = self.loose.iter().filter(|loose| visit.wanted.contains(loose.number)).collect();
        let unreadable = self.packs.iter().flat_map(|pack| pack.entries.iter()).filter(|entry| !entry.is_double);
        let unreadable: Vec<Number> =
            unreadable.map(|entry| entry.number).filter(|number| self.kind(*number).is_none()).collect();
        let (next_family, next_loose) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let jobs = visit.jobs.clamp(1, (todo.len() + loose.len()).max(1));
        let work = || {
            let mut visitor = make();
            let mut bench = Bench::new();
            while let Some(family) = todo.get(next_family.fetch_add(1, Ordering::Relaxed)) {
                if visit.stop.load(Ordering::Relaxed) {
                    return visitor;
                }
                let pack = &self.packs[family.pack as usize];
                pack.visit(*family, &needed[family.pack as usize], visit, HELD / jobs, &mut bench, &mut visitor);
            }
            while let Some(loose) = loose.get(next_loose.fetch_add(1, Ordering::Relaxed)) {
                if visit.stop.load(Ordering::Relaxed) {
                    return visitor;
                }
                self.visit_loose(&stores.folders[loose.store], loose.number, visit, &mut bench, &mut visitor);
            }
            visitor
        };
        let mut visitors = if jobs == 1 {
            vec![work()]
        } else {
            std::thread::scope(|scope| {
                let threads: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
                threads.into_iter().map(|thread| thread.join().expect("no visitor panics")).collect()
            })
        };
        for number in unreadable.into_iter().filter(|number| visit.wanted.contains(*number)) {
            visitors[0].failed(number);
        }
        visitors
    }

    fn add_pack(&mut self, data: pack::data::File, listed: Vec<(ObjectId, u64)>, seen: &mut Marks) {
        let pack_index = self.packs.len() as u32;
        let mut entries: Vec<Entry> = listed
            .iter()
            .filter_map(|(id, offset)| Some((self.number(id)?, *offset)))
            .map(|(number, offset)| Entry {
                offset,
                number,
                base: NONE,
                first_child: NONE,
                next_sibling: NONE,
                is_double: false,
            })
            .collect();
        drop(listed);
        entries.sort_unstable_by_key(|entry| entry.offset);
        for entry in &mut entries {
            entry.is_double = !seen.insert(entry.number);
        }
        let mut pack = Pack { data, entries };
        let by_number = pack.by_number();
        let mut roots = Vec::new();
        // Backwards, so that the children of an entry are linked in the order in which they lie.
        for index in (0..pack.entries.len()).rev() {
            let Some((head, _)) = pack.entry(index) else { continue };
            let base = match head.base {
                Base::None(kind) => {
                    roots.push((index as u32, kind));
                    continue;
                }
                Base::Offset(offset) => pack.entries.binary_search_by_key(&offset, |entry| entry.offset).ok(),
                Base::Id(id) => self.ids.find(id.as_bytes()).and_then(|number| {
                    let found = by_number.binary_search_by_key(&number, |one| one.0).ok()?;
                    Some(by_number[found].1 as usize)
                }),
            };
            // Without a base, or in a circle, it is in no family and stays of an unknown kind.
            let Some(base) = base else { continue };
            pack.entries[index].base = base as u32;
            pack.entries[index].next_sibling = pack.entries[base].first_child;
            pack.entries[base].first_child = index as u32;
        }
        let mut below = Vec::new();
        for (root, kind) in roots.into_iter().rev() {
            below.push(root);
            let mut size = 0;
            while let Some(index) = below.pop() {
                let entry = pack.entries[index as usize];
                self.kinds[entry.number as usize].get_or_insert(kind);
                size += 1;
                let mut child = entry.first_child;
                while child != NONE {
                    below.push(child);
                    child = pack.entries[child as usize].next_sibling;
                }
            }
            self.families.push(Family { pack: pack_index, root, size, kind });
        }
        self.packs.push(pack);
    }

    fn visit_loose<V: Visitor>(
        &self,
        folder: &Path,
        number: Number,
        visit: &Visit<'_>,
        bench: &mut Bench,
        visitor: &mut V,
    ) {
        let Ok(mut file) = open_loose(folder, &self.id(number)) else { return visitor.failed(number) };
        let Some((kind, size)) = file.head() else { return visitor.failed(number) };
        let object = Object { number, kind };
        if size > visit.max_bytes as u64 {
            return visitor.large(object, Some(&mut file));
        }
        let mut bytes = bench.buffer();
        let read = file.by_ref().take(size + 1).read_to_end(&mut bytes);
        if read.is_ok_and(|read| read as u64 == size) {
            visitor.object(object, &bytes, None);
        } else {
            visitor.failed(number);
        }
        bench.give_back(bytes);
    }
}

/// A loose object: its head first, then its bytes.
struct LooseFile {
    inflated: flate2::read::ZlibDecoder<io::BufReader<std::fs::File>>,
}

impl LooseFile {
    /// Kind and size; to be read once, first.
    fn head(&mut self) -> Option<(Kind, u64)> {
        let mut head = Vec::new();
        let mut byte = [0];
        while head.len() < 32 {
            self.inflated.read_exact(&mut byte).ok()?;
            if byte[0] == 0 {
                let (kind, size) = std::str::from_utf8(&head).ok()?.split_once(' ')?;
                return Some((Kind::from_bytes(kind.as_bytes()).ok()?, size.parse().ok()?));
            }
            head.push(byte[0]);
        }
        None
    }
}

impl Read for LooseFile {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.inflated.read(into)
    }
}

fn open_loose(folder: &Path, id: &gix::oid) -> io::Result<LooseFile> {
    let hex = id.to_hex().to_string();
    let file = std::fs::File::open(folder.join(&hex[..2]).join(&hex[2..]))?;
    Ok(LooseFile { inflated: flate2::read::ZlibDecoder::new(io::BufReader::new(file)) })
}

/// Adds the packs of a folder with what their indices list, sorted by name.
fn list_packs(
    folder: &Path,
    hash: gix::hash::Kind,
    listed: &mut Vec<(pack::data::File, Vec<(ObjectId, u64)>)>,
    problems: &mut Vec<String>,
) {
    let names = std::fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let mut packs: Vec<PathBuf> =
        names.filter(|path| path.extension().is_some_and(|ending| ending == "pack")).collect();
    packs.sort();
    let mut multi = None;
    for path in packs {
        let index_path = path.with_extension("idx");
        let entries = if index_path.is_file() {
            pack::index::File::at(&index_path, hash)
                .map(|index| index.iter().map(|entry| (entry.oid, entry.pack_offset)).collect())
                .map_err(|error| error.to_string())
        } else {
            let multi =
                multi.get_or_insert_with(|| pack::multi_index::File::at(folder.join("multi-pack-index"), None).ok());
            of_multi_index(multi.as_ref(), &index_path).ok_or_else(|| "it has no index".to_owned())
        };
        let opened = entries.and_then(|entries| {
            let data = pack::data::File::at(&path, hash).map_err(|error| error.to_string())?;
            Ok((data, entries))
        });
        match opened {
            Ok(opened) => listed.push(opened),
            Err(cause) => problems.push(format!("{}: {cause}", path.display())),
        }
    }
}

/// What a multi-pack index lists of one pack, of which it knows the name of the index.
fn of_multi_index(multi: Option<&pack::multi_index::File>, index_path: &Path) -> Option<Vec<(ObjectId, u64)>> {
    let multi = multi?;
    let name = index_path.file_name()?;
    let number = multi.index_names().iter().position(|listed| listed.file_name() == Some(name))?;
    let of_pack = multi.iter().filter_map(Result::ok).filter(|entry| entry.pack_index as usize == number);
    Some(of_pack.map(|entry| (entry.oid, entry.pack_offset)).collect())
}

/// Names the loose objects of a folder, in order.
fn list_loose(folder: &Path, hash: gix::hash::Kind, mut each: impl FnMut(ObjectId)) {
    for first in 0..=255_u8 {
        let prefix = format!("{first:02x}");
        let names = std::fs::read_dir(folder.join(&prefix)).into_iter().flatten().flatten();
        let mut ids: Vec<ObjectId> = names
            .filter_map(|entry| {
                let name = entry.file_name();
                ObjectId::from_hex(format!("{prefix}{}", name.to_str()?).as_bytes()).ok()
            })
            .filter(|id| id.kind() == hash)
            .collect();
        ids.sort_unstable();
        ids.into_iter().for_each(&mut each);
    }
}

impl Stores {
    /// The stores that a folder of objects leads to through `info/alternates`. Those that are not below one of `allowed` are refused.
    pub fn of(objects: &Path, allowed: &[PathBuf]) -> Self {
        let mut stores = Self { folders: Vec::new(), refused: Vec::new() };
        let mut seen = HashSet::new();
        let mut todo = vec![(objects.to_owned(), 0)];
        while let Some((folder, depth)) = todo.pop() {
            let real = folder.canonicalize().unwrap_or_else(|_| folder.clone());
            if !seen.insert(real.clone()) {
                continue;
            }
            let is_allowed = depth == 0 || allowed.iter().any(|inside| real.starts_with(inside));
            if !is_allowed || depth > MAX_ALTERNATES {
                stores.refused.push(folder);
                continue;
            }
            let listed = std::fs::read(folder.join("info/alternates")).unwrap_or_default();
            let lines = listed.split(|byte| *byte == b'\n').filter(|line| !line.is_empty() && line[0] != b'#');
            for line in lines {
                use std::os::unix::ffi::OsStrExt as _;
                // Relative ones are relative to the folder of objects that names them.
                todo.push((folder.join(Path::new(std::ffi::OsStr::from_bytes(line))), depth + 1));
            }
            stores.folders.push(folder);
        }
        stores
    }
}
