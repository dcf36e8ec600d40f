//! One command over many files: on all cores, reported in the order in which they were named.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use super::failure::{Failure, Kind};
use super::session::Session;
use super::shown;
use crate::host::files;

/// The files that `paths` stand for: themselves, and those below folders for which `wanted` holds.
///
/// A file that was named is taken as it is; a path named twice counts once.
pub fn expand(paths: &[PathBuf], wanted: impl Fn(&Path) -> bool) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            for file in files::walk(path) {
                let file = file?;
                if wanted(&file) {
                    found.push(file);
                }
            }
        } else {
            found.push(path.clone());
        }
    }
    let mut seen = std::collections::HashSet::new();
    found.retain(|path| seen.insert(path.clone()));
    Ok(found)
}

/// Does `work` with each file and says what came of it: the lines that `work` gives, or its failure.
///
/// With one file its failure is the command's; with more the others go on, and the failures are counted in the end.
pub fn each(
    session: &Session,
    files: &[PathBuf],
    work: impl Fn(&Path) -> Result<Vec<String>, Failure> + Sync,
) -> Result<(), Failure> {
    if let [file] = files {
        for line in work(file)? {
            session.say(&line);
        }
        return Ok(());
    }
    let progress = Mutex::new(session.terminal().progress("files", Some(files.len() as u64)));
    let work = |file: &PathBuf| {
        let result = work(file);
        progress.lock().unwrap_or_else(PoisonError::into_inner).advance(1);
        result
    };
    let all = || -> Vec<_> { files.par_iter().map(work).collect() };
    let results = match threads(files.len()) {
        Ok(threads) => threads.install(all),
        Err(_) => all(),
    };
    drop(progress);
    let mut failed = Vec::new();
    for result in results {
        match result {
            Ok(lines) => lines.iter().for_each(|line| session.say(line)),
            Err(failure) => {
                session.report(&failure);
                failed.push(failure);
            }
        }
    }
    match failed.as_slice() {
        [] => Ok(()),
        [first, rest @ ..] => {
            let kind = match failed.len() == files.len() && rest.iter().all(|other| other.kind == first.kind) {
                true => first.kind,
                false => Kind::Partly,
            };
            Err(Failure::new(kind, format!("{} of {} files failed; the others are done", failed.len(), files.len())))
        }
    }
}

/// Threads for so many files, more than there are cores: most of the time goes into waiting for the disk, which confirms
/// several files as quickly as one.
fn threads(files: usize) -> Result<rayon::ThreadPool, rayon::ThreadPoolBuildError> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    rayon::ThreadPoolBuilder::new().num_threads(files.min(cores.max(WAITING))).build()
}

/// How many files may be waited for at once.
const WAITING: usize = 16;

/// `file` for messages.
pub fn title(file: &Path) -> String {
    shown(file).to_string()
}
