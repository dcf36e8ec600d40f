//! What a rewrite with values leaves to be done beside moving refs: new objects are searched once more before it, and git's own copies
//! of what people wrote lose the values after it.

use std::io::Read;
use std::sync::atomic::AtomicBool;

use gix::ObjectId;
use gix::objs::Kind;

use super::graph::written_by_people;
use super::ids::Number;
use super::objects::{Made, Object, Objects, Stores, Visit, Visitor};
use super::refs::{Refs, read_optional};
use super::{GitError, Repository, RunFolder};
use crate::host::target;
use crate::scrub::Searcher;

/// Files in which git keeps a message that was written last.
const MESSAGES: [&str; 5] = ["COMMIT_EDITMSG", "MERGE_MSG", "SQUASH_MSG", "TAG_EDITMSG", "NOTES_EDITMSG"];

/// The new blobs, commits and tags of a run that hold a value still, or that cannot be read; there must be none.
///
/// Names of files are not looked at: a redaction leaves them as they are.
pub fn new_objects_with(
    repository: &Repository,
    run: &RunFolder,
    values: &Searcher,
) -> Result<Vec<ObjectId>, GitError> {
    let stores = Stores { folders: vec![run.objects()], refused: Vec::new() };
    let stored = Objects::open(&stores, repository.inner.object_hash())?;
    let wanted = stored.of_kinds(&[Some(Kind::Commit), Some(Kind::Blob), Some(Kind::Tag), None]);
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    let visit = Visit { wanted: &wanted, jobs, max_bytes: super::lookup::MAX_BYTES, stop: &AtomicBool::new(false) };
    let visitors = stored.visit(&stores, &visit, || Search { values, found: Vec::new() });
    let mut found: Vec<ObjectId> =
        visitors.iter().flat_map(|visitor| &visitor.found).map(|number| stored.id(*number)).collect();
    found.sort();
    Ok(found)
}

struct Search<'a> {
    values: &'a Searcher,
    found: Vec<Number>,
}

impl Visitor for Search<'_> {
    type Kept = ();

    fn object(&mut self, object: Object, bytes: &[u8], _: Option<Made<'_, ()>>) {
        let searched = match object.kind {
            Kind::Tree => return,
            Kind::Blob => bytes,
            Kind::Commit | Kind::Tag => &bytes[written_by_people(bytes)..],
        };
        if self.values.is_in(searched) {
            self.found.push(object.number);
        }
    }

    fn large(&mut self, object: Object, stream: Option<&mut dyn Read>) {
        let is_in = stream.is_none_or(|stream| self.values.is_in_stream(stream).unwrap_or(true));
        self.found.extend(is_in.then_some(object.number));
    }

    fn failed(&mut self, object: Number) {
        self.found.push(object);
    }
}

/// Takes values out of reflogs, line by line, and out of messages that git keeps of what was committed last. Gives how many files
/// changed.
pub fn redact_kept_words(
    repository: &Repository,
    redact: &dyn Fn(&[u8]) -> Option<Vec<u8>>,
) -> Result<usize, GitError> {
    let refs = Refs::read(repository)?;
    let messages = refs.checkouts.iter().flat_map(|one| MESSAGES.map(|name| one.git_dir.join(name)));
    let mut changed = 0;
    let logs = refs.reflogs()?.into_iter().map(|path| (path, true));
    for (path, is_log) in logs.chain(messages.map(|path| (path, false))) {
        let Some(old) = read_optional(&path)? else { continue };
        let redacted = |line: &[u8]| redact(line).unwrap_or_else(|| line.to_vec());
        let new = match is_log {
            true => old.split_inclusive(|byte| *byte == b'\n').flat_map(redacted).collect(),
            false => redacted(&old),
        };
        if new != old {
            let fail = |error| GitError::new(format!("write {}", path.display()), error);
            target::write(&path, &new, 0o644).map_err(fail)?;
            changed += 1;
        }
    }
    Ok(changed)
}
