//! The files that a rewrite leaves in its folder for the team, for hosts and for other tools; readable for their owner alone.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use gix::ObjectId;

use crate::cli::failure::{Failure, Kind};
use crate::cli::session::Session;
use crate::cli::shown;
use crate::git::{self, GitError, Moved, ObjectReader, Prepared, Refs, Repository, RunFolder};
use crate::scrub::{EntryKind, Facts, Mapped, Maps, Plan, REBASE_SCRIPT, RefKind, without_login};

/// What a rewrite took out, by ids.
pub struct Record {
    /// The first commits that changed, as they were.
    pub first_changed: Vec<ObjectId>,
    /// What refs named that moved.
    pub old_tips: BTreeSet<ObjectId>,
}

/// The file of the ids of contents that were taken out.
pub const BLOB_IDS: &str = "blob-ids.txt";

/// GitLab takes no more lines in one file without trouble.
const PART: usize = 20_000;

/// So large a pointer of LFS may be.
const MAX_POINTER: u64 = 1024;

/// Writes them all.
pub fn write(
    repository: &Repository,
    run: &RunFolder,
    refs: &Refs,
    plan: &Plan,
    prepared: &Prepared,
    report: &str,
) -> Result<Record, Failure> {
    let mapped = |id: &ObjectId| match prepared.mapped(id) {
        Some(Mapped::New(new)) => Some(new),
        Some(Mapped::Gone) => None,
        Some(Mapped::Same) | None => Some(*id),
    };
    let named: BTreeMap<_, _> = refs.tips().map(|(name, id)| (name.to_owned(), (id, mapped(&id)))).collect();
    let maps = Maps::of(&prepared.history, &prepared.rewritten, named, []);
    let reader = repository.reader()?;
    let mut blobs: BTreeSet<ObjectId> = prepared.rules.blobs.keys().copied().collect();
    for (kind, id) in prepared.rewritten.dropped.values().flatten() {
        match kind {
            EntryKind::Tree => add_tree(&reader, *id, &mut blobs)?,
            EntryKind::Submodule => {}
            _ => _ = blobs.insert(*id),
        }
    }
    for (name, bytes) in maps.files() {
        // That one is about a second run of a program that runs in place.
        if name != "already_ran" {
            put(run, name, &bytes)?;
        }
    }
    let changed: Vec<String> = maps
        .commits
        .iter()
        .filter(|(old, new)| **new != Some(**old))
        .map(|(old, new)| format!("{old} {}\n", new.unwrap_or(ObjectId::null(old.kind()))))
        .collect();
    for (number, part) in changed.chunks(PART).enumerate() {
        let head = format!("{:<40} new\n", "old");
        put(run, &format!("commit-map.part-{}", number + 1), (head + &part.concat()).as_bytes())?;
    }
    let rewritten = maps.commits.iter().filter_map(|(old, new)| Some((old, (*new)?))).filter(|(old, new)| new != *old);
    put(run, "rewrite-list", rewritten.map(|(old, new)| format!("{old} {new}\n")).collect::<String>().as_bytes())?;
    put(run, BLOB_IDS, blobs.iter().map(|id| format!("{id}\n")).collect::<String>().as_bytes())?;
    put(run, "report.json", report.as_bytes())?;
    put(run, "rebase-local.sh", REBASE_SCRIPT.as_bytes())?;
    let facts = Facts {
        run: run.name(),
        remote: address(repository)?,
        changed: changed.len(),
        first_changed: maps.first_changed.iter().map(|(old, new)| (*old, *new)).collect(),
        refs: maps.changed_refs().map(|name| shown(&name.to_string()).to_string()).collect(),
        requests: requests(&maps),
        blobs: blobs.len(),
        lfs: lfs(&reader, &blobs)?,
    };
    for (name, text) in facts.texts() {
        put(run, name, text.as_bytes())?;
    }
    Ok(Record {
        first_changed: plan.first_changed.clone(),
        old_tips: prepared.moves.iter().filter(|moved| moved.new != Some(moved.old)).map(|moved| moved.old).collect(),
    })
}

/// Tells where they are.
pub fn tell(repository: &Repository, session: &Session) -> Result<(), Failure> {
    let moved = Moved::of(repository)?;
    let Some(run) = moved.last_run() else { return Err(nothing_moved()) };
    let path = |name: &str| shown(&run.path().join(name)).to_string();
    let lines = [
        ("report", vec!["report.md", "report.json"]),
        ("team", vec!["team-notice.md", "commit-map", "rebase-local.sh"]),
        (
            "host",
            vec!["support-request-github.md", "support-request-gitlab.md", "support-request-generic.md", BLOB_IDS],
        ),
        ("tools", vec!["rewrite-list", "ref-map", "changed-refs", "first-changed-commits"]),
    ];
    let line = |what: &str, name: &str| format!("{what:9} {}\n", path(name));
    let text = lines.iter().flat_map(|(what, names)| names.iter().map(move |name| line(what, name)));
    session.answer(text.collect::<String>().as_bytes())
}

/// There is no run of which anything could be told or pushed.
pub fn nothing_moved() -> Failure {
    Failure::new(Kind::NotFound, "no history was rewritten here").hint("seal scrub --path PATH")
}

fn put(run: &RunFolder, name: &str, bytes: &[u8]) -> Result<(), Failure> {
    let path = run.path().join(name);
    let fail = |error| Failure::new(Kind::Output, format!("cannot write {}: {error}", shown(&path)));
    let file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path);
    file.and_then(|mut file| file.write_all(bytes)).map_err(fail)
}

fn add_tree(reader: &ObjectReader, id: ObjectId, blobs: &mut BTreeSet<ObjectId>) -> Result<(), GitError> {
    let (mut waiting, mut seen) = (vec![id], BTreeSet::new());
    while let Some(id) = waiting.pop() {
        if seen.insert(id) {
            for entry in reader.tree(id)?.unwrap_or_default() {
                match entry.mode.is_tree() {
                    true => waiting.push(entry.id),
                    false if entry.mode.is_commit() => {}
                    false => _ = blobs.insert(entry.id),
                }
            }
        }
    }
    Ok(())
}

/// Pull and merge requests of which a commit changed; nothing where none was fetched.
fn requests(maps: &Maps) -> Option<usize> {
    let is_host = |name: &&gix::bstr::BString| RefKind::of(name) == RefKind::Host;
    let is_known = maps.refs.keys().any(|name| name.starts_with(git::FETCHED.as_bytes()));
    is_known.then(|| maps.changed_refs().filter(is_host).filter(|name| name.ends_with(b"/head")).count())
}

fn lfs(reader: &ObjectReader, blobs: &BTreeSet<ObjectId>) -> Result<Vec<String>, GitError> {
    let mut found = BTreeSet::new();
    let mut buffer = Vec::new();
    for id in blobs {
        if reader.size(*id)?.is_none_or(|size| size > MAX_POINTER) {
            continue;
        }
        let Some(object) = reader.read(*id, &mut buffer)? else { continue };
        let text = String::from_utf8_lossy(object.data);
        if text.starts_with("version https://git-lfs.") {
            let ids = text.lines().filter_map(|line| line.strip_prefix("oid sha256:"));
            found.extend(ids.filter(|id| id.bytes().all(|byte| byte.is_ascii_hexdigit())).map(str::to_owned));
        }
    }
    Ok(found.into_iter().collect())
}

fn address(repository: &Repository) -> Result<Option<String>, GitError> {
    let Some(remote) = super::remote::remotes(repository)?.into_iter().next() else { return Ok(None) };
    let url = git::configured(repository.root(), &format!("remote.{remote}.url"))?;
    Ok(url.map(|url| shown(without_login(&url).as_str()).to_string()))
}

/// The ids that a run wrote down as taken out.
pub fn blobs_of(run: &RunFolder) -> Result<BTreeSet<ObjectId>, Failure> {
    let path: &Path = &run.path().join(BLOB_IDS);
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(text.lines().filter_map(|line| ObjectId::from_hex(line.as_bytes()).ok()).collect()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(BTreeSet::new()),
        Err(error) => Err(Failure::new(Kind::Io, format!("cannot read {}: {error}", shown(path)))),
    }
}
