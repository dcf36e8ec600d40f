//! Where files that go from their paths stand still: a copy of one may have another path, that nobody named.

use std::io::Read;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use gix::ObjectId;
use gix::bstr::BString;
use gix::objs::Kind;

use super::graph::{Graph, Reached, Shard, TreeStarts};
use super::ids::Number;
use super::objects::{Made, Object, Objects, Stores, Visit, Visitor};
use super::{GitError, Prepared, Refs, Repository, RunFolder};
use crate::scrub::Mapped;

/// Trees are no larger, or they are not looked into.
const MAX_BYTES: usize = 256 << 20;

/// The removed blobs that history still leads to when refs have moved, each with one of its paths, sorted. Reads all trees once.
pub fn elsewhere(
    repository: &Repository,
    refs: &Refs,
    run: &RunFolder,
    prepared: &Prepared,
) -> Result<Vec<(BString, ObjectId)>, GitError> {
    if prepared.removed.is_empty() {
        return Ok(Vec::new());
    }
    let anywhere = [Path::new("/").to_owned()];
    let mut stores = Stores::of(&repository.common_dir().join("objects"), &anywhere);
    stores.folders.insert(0, run.objects());
    let stored = Objects::open(&stores, repository.inner.object_hash())?;
    let wanted = stored.of_kinds(&[Some(Kind::Commit), Some(Kind::Tree), Some(Kind::Tag)]);
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    let visit = Visit { wanted: &wanted, jobs, max_bytes: MAX_BYTES, stop: &AtomicBool::new(false) };
    let readers = stored.visit(&stores, &visit, || Reader { stored: &stored, shard: Shard::default() });
    let graph = Graph::new(&stored, readers.into_iter().map(|reader| reader.shard).collect());
    let mut reached = Reached::new(&stored);
    for (_, old) in refs.tips() {
        let now = match prepared.mapped(&old) {
            Some(Mapped::Gone) => continue,
            Some(Mapped::New(new)) => new,
            Some(Mapped::Same) | None => old,
        };
        if let Some(number) = stored.number(&now) {
            reached.follow(&graph, number);
        }
    }
    let is_left = |id: &&ObjectId| stored.number(id).is_some_and(|number| reached.marks.contains(number));
    let path = |id: &ObjectId| stored.number(id).and_then(|number| reached.path(&graph, number)).unwrap_or_default();
    let stands_in = |id: &&ObjectId| prepared.rules.stand_in.as_ref() == Some(id);
    let left = prepared.removed.iter().filter(is_left).filter(|id| !stands_in(id));
    let mut left: Vec<(BString, ObjectId)> = left.map(|id| (path(id), *id)).collect();
    left.sort();
    Ok(left)
}

struct Reader<'a> {
    stored: &'a Objects,
    shard: Shard,
}

impl Visitor for Reader<'_> {
    type Kept = Option<TreeStarts>;

    fn object(&mut self, object: Object, bytes: &[u8], made: Option<Made<'_, Self::Kept>>) -> Self::Kept {
        self.shard.add(self.stored, object, bytes, made)
    }

    // What history needs and cannot be read has stopped the rewrite already.
    fn large(&mut self, _: Object, _: Option<&mut dyn Read>) {}

    fn failed(&mut self, _: Number) {}
}
