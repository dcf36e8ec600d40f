//! Texts of the file system: work trees, files that were named, standard input.

use std::collections::HashSet;
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use gix::bstr::{BString, ByteSlice as _};

use super::super::failure::{Failure, Kind};
use super::super::session::Session;
use super::super::shown;
use super::ground::Ground;
use super::look::{Look, Seen, Subject};
use crate::git::Repository;
use crate::host::files;
use crate::host::tree::{self, Tree, TreeOptions};
use crate::scan::{Source, Unscanned};

/// A file or a link, and what it is called in reports.
struct Item {
    file: PathBuf,
    name: BString,
}

/// Looks through files, folders, and standard input for `-`, which is called `input_name`.
pub fn scan(
    session: &Session,
    look: &Look,
    ground: &Ground,
    paths: &[PathBuf],
    input_name: Option<&Path>,
    options: TreeOptions,
    repository: Option<&Repository>,
) -> Result<Seen, Failure> {
    let namer = Namer { root: repository.map(|repository| repository.root().to_owned()) };
    let mut items = Vec::new();
    let mut before = look.nothing();
    for path in paths {
        if path == Path::new("-") {
            let name = input_name.map_or(BString::from("-"), |name| name.as_os_str().as_bytes().into());
            look.file(Subject::of(&Source::Input(name)), &mut io::stdin().lock(), &mut before);
            continue;
        }
        // What was named is followed, what is found is not.
        let metadata = path.metadata().map_err(|error| {
            let failure = Failure::from(files::FileError::new("read", path, error));
            Failure { kind: Kind::Usage, ..failure }
        })?;
        let full = path.canonicalize().unwrap_or_else(|_| path.clone());
        let folder = if path.is_symlink() { &full } else { path };
        if metadata.is_dir() {
            let tree = tree::walk_tree(folder, options);
            items.extend(tree.files.iter().chain(&tree.links).map(|file| namer.item(file)));
            items.extend(tracked(folder, &tree).iter().map(|file| namer.item(file)));
            for error in tree.errors {
                session.warn(&shown(&error.to_string()).to_string());
                before.missed(namer.item(&error.path).name, Unscanned::Unreadable);
            }
        } else if metadata.file_type().is_fifo() {
            // As a shell makes of `<(command)`.
            let mut pipe = std::fs::File::open(path).map_err(|error| files::FileError::new("read", path, error))?;
            look.file(Subject::of(&Source::File(namer.item(path).name)), &mut pipe, &mut before);
        } else {
            items.push(Item { name: namer.item(path).name, file: full });
        }
    }
    let mut seen = HashSet::new();
    items.retain(|item| seen.insert(item.file.clone()));
    let progress = session.terminal().progress("files", Some(items.len() as u64));
    let after = look.all(items, progress, |item, seen| one(look, ground, item, seen));
    Ok(before.with(after))
}

/// Looks through git's own files of a repository that no clone brings: configs with what URLs in them hold, and hooks.
pub fn scan_local(look: &Look, repository: &Repository) -> Seen {
    let folder = repository.common_dir();
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let mut files = vec![folder.join("config"), folder.join("config.worktree"), folder.join("credentials")];
    let mut folders = vec![(folder.join("hooks"), 0), (folder.join("modules"), 0), (folder.join("worktrees"), 0)];
    while let Some((folder, depth)) = folders.pop() {
        let is_hooks = folder.ends_with("hooks");
        let is_folder = folder.symlink_metadata().is_ok_and(|metadata| metadata.is_dir());
        let entries = is_folder.then(|| std::fs::read_dir(&folder).ok()).flatten().into_iter().flatten().flatten();
        for path in entries.map(|entry| entry.path()) {
            let name = path.file_name().unwrap_or_default();
            if path.is_dir() && !path.is_symlink() {
                // A submodule's folder has its own, and may have a path for a name.
                if depth < MAX_DEEP && !is_hooks && !OBJECTS.iter().any(|other| name == *other) {
                    folders.push((path, depth + 1));
                }
            } else if is_hooks && path.extension().is_none_or(|end| end != "sample")
                || name == "config"
                || name == "config.worktree"
            {
                files.push(path);
            }
        }
    }
    files.sort();
    let mut seen = look.nothing();
    for file in files {
        let inside = file.strip_prefix(&folder).unwrap_or(&file);
        let name = Path::new(".git").join(inside);
        let source = Source::File(name.as_os_str().as_bytes().into());
        match tree::open_regular(&file) {
            Ok(Some((mut open, size))) => {
                look.file(Subject { source: &source, size: Some(size), within: None }, &mut open, &mut seen);
            }
            Err(_) if !file.exists() => {}
            Ok(None) | Err(_) => seen.coverage.unscanned.push((source, Unscanned::Unreadable)),
        }
    }
    seen
}

/// Folders of git that hold neither.
const OBJECTS: [&str; 4] = ["objects", "refs", "logs", "lfs"];

/// A submodule in a submodule in …
const MAX_DEEP: usize = 20;

fn one(look: &Look, ground: &Ground, item: Item, seen: &mut Seen) {
    let source = Source::File(item.name);
    match tree::open_regular(&item.file) {
        Ok(Some((mut file, size))) => {
            ground.with_file(&item.file, |within| {
                look.file(Subject { source: &source, size: Some(size), within }, &mut file, seen);
            });
        }
        Ok(None) => match std::fs::read_link(&item.file) {
            Ok(target) => look.text(&source, target.as_os_str().as_bytes(), seen),
            Err(_) => seen.coverage.unscanned.push((source, Unscanned::Unreadable)),
        },
        Err(_) => seen.coverage.unscanned.push((source, Unscanned::Unreadable)),
    }
}

/// The files below a folder that git tracks although it would ignore them.
fn tracked(folder: &Path, tree: &Tree) -> Vec<PathBuf> {
    let repository = Repository::open(folder, &Default::default()).ok().filter(|found| !found.is_bare());
    let (Some(repository), Ok(full)) = (repository, folder.canonicalize()) else { return Vec::new() };
    let Ok(below) = full.strip_prefix(repository.root()) else { return Vec::new() };
    let walked: HashSet<&Path> =
        tree.files.iter().chain(&tree.links).filter_map(|file| file.strip_prefix(folder).ok()).collect();
    let paths = repository
        .tracked()
        .unwrap_or_default()
        .into_iter()
        .map(|path| PathBuf::from(std::ffi::OsString::from_vec(path.into())));
    let inside = paths.filter_map(|path| path.strip_prefix(below).map(Path::to_owned).ok());
    let missing = inside.filter(|path| !walked.contains(path.as_path()));
    // Another repository may lie where the index has a file.
    let is_file =
        |path: &PathBuf| tree::kind_within(folder, path).is_some_and(|kind| kind.is_file() || kind.is_symlink());
    missing.filter(is_file).map(|path| folder.join(path)).collect()
}

/// Names files in reports: by their path in the repository, or as they were typed.
struct Namer {
    root: Option<PathBuf>,
}

impl Namer {
    fn item(&self, file: &Path) -> Item {
        let inside = self.root.as_ref().and_then(|root| {
            let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let full = match file.file_name() {
                Some(name) => folder.canonicalize().ok()?.join(name),
                None => file.canonicalize().ok()?,
            };
            full.strip_prefix(root).map(Path::to_owned).ok()
        });
        let name = inside.unwrap_or_else(|| file.strip_prefix("./").unwrap_or(file).to_owned());
        Item { file: file.to_owned(), name: name.as_os_str().as_bytes().as_bstr().to_owned() }
    }
}
