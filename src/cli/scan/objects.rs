//! Texts of a repository's objects: what is staged, what a range of commits brings, what a push brings.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use std::sync::PoisonError;

use gix::ObjectId;
use gix::bstr::BString;

use super::super::session::Session;
use super::ground::Ground;
use super::look::{Look, Seen};
use crate::git::{Additions, GitError, Lfs, NewBlob, ObjectReader, Pointed, Range, Repository, staged};
use crate::scan::kubernetes::{Within, tree};
use crate::scan::{Coverage, Finding, Fingerprint, History, Source, Unscanned, sort};

/// No larger object is held in memory.
const MAX_BYTES: u64 = 1 << 30;

/// What was seen, where it comes from, and how it is judged against what was there before.
pub struct Brought {
    /// What was seen.
    pub seen: Seen,
    /// How many commits were looked through; 0 for what is staged.
    pub commits: usize,
    reader: ObjectReader,
    ground: Ground,
    /// By path and blob, what is known of it.
    blobs: HashMap<(ObjectId, BString), NewBlob>,
    additions: Additions,
    changed_lines: bool,
    /// What leads to what a range brings.
    refs: Vec<BString>,
}

enum Item {
    /// An object, and each of its places: with the commit whose tree it lies in.
    Object(ObjectId, Vec<(Source, Option<ObjectId>)>),
    Name(BString),
}

/// Looks through what is staged; with `changed_lines` only what stands on lines that HEAD does not have.
pub fn scan_staged(
    session: &Session,
    look: &Look,
    repository: &Repository,
    changed_lines: bool,
) -> Result<Brought, GitError> {
    let reader = repository.reader()?;
    let blobs = staged(repository, &reader)?;
    let mut items = names(&blobs);
    items.extend(of_blobs(&blobs, |blob| Source::Index(blob.path.clone(), blob.id)));
    let ground = Ground::index(repository)?;
    let seen = look_through(session, look, &Lfs::of(repository), &reader, &ground, items);
    let blobs = blobs.into_iter().map(|blob| ((blob.id, blob.path.clone()), blob)).collect();
    let head = repository.head_commit()?.map(|commit| reader.commit(commit)).transpose()?.flatten();
    let additions =
        Additions { boundary: head.into_iter().map(|commit| commit.tree).collect(), ..Additions::default() };
    Ok(Brought { seen, commits: 0, reader, ground, blobs, additions, changed_lines, refs: Vec::new() })
}

/// Looks through what a range brings: the versions of files, their names, messages, and the names of the `refs` that lead to it.
/// What `is_received` has no say in what should be encrypted.
pub fn scan_range(
    session: &Session,
    look: &Look,
    repository: &Repository,
    range: &Range,
    refs: Vec<BString>,
    is_received: bool,
) -> Result<Brought, GitError> {
    let reader = repository.reader()?;
    let ground = if is_received { Ground::received(repository, &reader)? } else { Ground::commits(repository) };
    let additions = repository.additions(&reader, range)?;
    let blobs = &additions.blobs;
    let mut items = names(blobs);
    items.extend(refs.iter().cloned().map(Item::Name));
    items.extend(additions.commits.iter().map(|id| Item::Object(*id, vec![(Source::Commit(*id), None)])));
    items.extend(additions.tags.iter().map(|id| Item::Object(*id, vec![(Source::Tag(*id), None)])));
    let path = |blob: &NewBlob| Some(blob.path.clone()).filter(|path| !path.is_empty());
    items.extend(of_blobs(blobs, |blob| Source::Blob(blob.id, path(blob))));
    let mut seen = look_through(session, look, &Lfs::of(repository), &reader, &ground, items);
    seen.coverage.unscanned.extend(additions.unscanned.iter().cloned());
    let blobs = blobs.iter().map(|blob| ((blob.id, blob.path.clone()), blob.clone())).collect();
    Ok(Brought { seen, commits: additions.commits.len(), reader, ground, blobs, additions, changed_lines: false, refs })
}

/// The paths that were not there before, each once.
fn names(blobs: &[NewBlob]) -> Vec<Item> {
    let mut seen = HashSet::new();
    let new = blobs.iter().filter(|blob| blob.before.is_empty() && seen.insert(&blob.path));
    new.map(|blob| Item::Name(blob.path.clone())).collect()
}

/// Each version of a file once, with all its places.
fn of_blobs(blobs: &[NewBlob], source: impl Fn(&NewBlob) -> Source) -> Vec<Item> {
    let mut numbers = HashMap::new();
    let mut objects: Vec<(ObjectId, Vec<_>)> = Vec::new();
    for blob in blobs {
        let number = *numbers.entry(blob.id).or_insert_with(|| {
            objects.push((blob.id, Vec::new()));
            objects.len() - 1
        });
        objects[number].1.push((source(blob), blob.commit));
    }
    objects.into_iter().map(|(id, places)| Item::Object(id, places)).collect()
}

fn look_through(
    session: &Session,
    look: &Look,
    lfs: &Lfs,
    reader: &ObjectReader,
    ground: &Ground,
    items: Vec<Item>,
) -> Seen {
    let progress = session.terminal().progress("texts", Some(items.len() as u64));
    // A reader is for one thread: as many are made as are in use at once.
    let readers = Mutex::new(Vec::new());
    let spare = || readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let shared = Mutex::new(reader.clone());
    look.all(items, progress, |item, seen| match item {
        Item::Name(name) => look.text(&Source::Name(name.clone()), &name, seen),
        Item::Object(id, places) => {
            let (reader, mut buffer) =
                spare().unwrap_or_else(|| (shared.lock().unwrap_or_else(PoisonError::into_inner).clone(), Vec::new()));
            match read(&reader, id, &mut buffer) {
                Ok(bytes) => {
                    if let Err(why) = look.charge(bytes.len()) {
                        seen.coverage.unscanned.extend(places.into_iter().map(|(source, _)| (source, why)));
                        return;
                    }
                    let Seen { findings, coverage, .. } = seen;
                    let mut looked = look.scanner.look(bytes, coverage);
                    match lfs.follow(bytes, look.max_blob) {
                        Pointed::Nothing => {}
                        Pointed::Elsewhere => coverage.pointers += 1,
                        Pointed::Unread(why) => looked.add((Vec::new(), vec![why])),
                        Pointed::Content(content) => looked.add(look.scanner.look_behind(bytes.len(), content)),
                    }
                    for (source, commit) in &places {
                        ground.with_blob(&reader, source.path().map(|path| path.as_ref()), *commit, |within| {
                            look.scanner.tell(source, within, &looked, findings, coverage);
                        });
                    }
                }
                Err(why) => seen.coverage.unscanned.extend(places.into_iter().map(|(source, _)| (source, why))),
            }
            readers.lock().unwrap_or_else(PoisonError::into_inner).push((reader, buffer));
        }
    })
}

/// What HEAD's tree says of its files, of which a scan of history knows only the bytes.
pub fn scan_head(look: &Look, repository: &Repository, coverage: &mut Coverage) -> Result<Vec<Finding>, GitError> {
    let rules = look.scanner.engine.rules();
    let reader = repository.reader()?;
    let Some(head) = repository.head_commit()? else { return Ok(Vec::new()) };
    let Some(tree) = reader.commit(head)?.map(|commit| commit.tree) else { return Ok(Vec::new()) };
    let ground = Ground::commits(repository);
    let mut seen = look.nothing();
    let mut folders = vec![(BString::default(), tree)];
    let mut known = HashSet::new();
    let mut repeated = 0;
    while let Some((folder, tree)) = folders.pop() {
        // What is missing or cannot be read was told.
        let entries = reader.tree(tree).ok().flatten().unwrap_or_default();
        if !known.insert(tree) {
            repeated += entries.len();
            if repeated > MAX_REPEATED {
                coverage.unscanned.push((Source::Name(folder), Unscanned::TooManyPlaces));
                break;
            }
        }
        for entry in entries {
            let mut path = folder.clone();
            path.extend_from_slice(&entry.name);
            if entry.mode.is_tree() && path.len() <= MAX_PATH {
                path.push(b'/');
                folders.push((path, entry.id));
            } else if entry.mode.is_blob() {
                let source = Source::Blob(entry.id, Some(path.clone()));
                ground.with_blob(&reader, Some(path.as_ref()), Some(head), |within| {
                    let says = |within: &&Within<'_>| within.selection.is_some() || tree::names_files(within.path);
                    let Some(within) = within.filter(says) else { return };
                    if let Ok(bytes) = read(&reader, entry.id, &mut Vec::new()) {
                        look.text_within(&source, bytes, Some(within), &mut seen);
                    }
                });
            }
        }
    }
    coverage.unscanned.extend(seen.coverage.unscanned);
    let mut findings = seen.findings.finish(rules);
    findings.retain(|finding| tree::RULES.contains(&rules.rule(finding.rule).id.as_str()));
    let first = reader.describe(head);
    for place in findings.iter_mut().flat_map(|finding| &mut finding.places) {
        let paths = place.source.path().cloned().into_iter().collect();
        place.history = Some(History { first: first.clone(), paths, in_head: true, ..History::default() });
    }
    Ok(findings)
}

/// So many entries of trees are looked at that were seen in another place already: a few trees can stand for billions of paths.
const MAX_REPEATED: usize = 1 << 16;

/// No path is longer where files can be checked out.
const MAX_PATH: usize = 4096;

fn read<'b>(reader: &ObjectReader, id: ObjectId, buffer: &'b mut Vec<u8>) -> Result<&'b [u8], Unscanned> {
    match reader.size(id) {
        Ok(Some(size)) if size > MAX_BYTES => Err(Unscanned::TooLarge),
        Ok(Some(_)) => match reader.read(id, buffer) {
            Ok(Some(object)) => Ok(object.data),
            Ok(None) => Err(Unscanned::Missing),
            Err(_) => Err(Unscanned::Unreadable),
        },
        Ok(None) => Err(Unscanned::Missing),
        Err(_) => Err(Unscanned::Unreadable),
    }
}

impl Brought {
    /// The findings, in order: with the commit that brought each place, and marked where the secret stood there before.
    pub fn findings(&mut self, look: &Look, repository: &Repository) -> Vec<Finding> {
        let rules = look.scanner.engine.rules();
        let mut findings = std::mem::take(&mut self.seen.findings).finish(rules);
        if findings.is_empty() {
            return findings;
        }
        let known = self.known_blobs(&findings);
        let head = repository.head_commit().ok().flatten().and_then(|id| self.reader.commit(id).ok()?);
        let mut described = HashMap::new();
        let mut describe = |id| described.entry(id).or_insert_with(|| self.reader.describe(id)).clone();
        let at_head = |place: &crate::scan::Place| {
            head.as_ref()
                .zip(place.source.path())
                .zip(place.source.blob())
                .is_some_and(|((head, path), blob)| self.reader.at(head.tree, path).ok().flatten() == Some(blob))
        };
        let mut before = Before { look, reader: &self.reader, ground: &self.ground, versions: HashMap::new() };
        for finding in &mut findings {
            if self.changed_lines {
                finding.places.retain(|place| {
                    let blob = self.blob(&place.source);
                    blob.is_none_or(|blob| {
                        blob.before.iter().all(|old| self.is_changed(*old, blob.id, place.line, place.end_line))
                    })
                });
            }
            let is_old = |place: &crate::scan::Place| {
                let Some(blob) = self.blob(&place.source) else { return false };
                known.contains(&blob.id) || blob.before.iter().any(|old| before.has(*old, blob, finding.fingerprint))
            };
            let mut old: Vec<bool> = finding.places.iter().map(is_old).collect();
            // The same version of a file at another path brings nothing new.
            let old_blobs: HashSet<ObjectId> = finding
                .places
                .iter()
                .zip(&old)
                .filter_map(|(place, old)| place.source.blob().filter(|_| *old))
                .collect();
            for (place, old) in finding.places.iter().zip(&mut old) {
                *old |= place.source.blob().is_some_and(|blob| old_blobs.contains(&blob));
            }
            // What is new comes first, as that is what has to be acted on.
            let is_new = old.iter().any(|old| !old);
            if is_new {
                let mut old = old.drain(..);
                finding.places.retain(|_| !old.next().unwrap_or_default());
            }
            finding.preexisting = !is_new;
            for place in &mut finding.places {
                let commit = match &place.source {
                    Source::Commit(id) => Some(*id),
                    source => self.blob(source).and_then(|blob| blob.commit),
                };
                let Some(first) = commit.and_then(&mut describe) else { continue };
                let path = place.source.path().cloned();
                place.history = Some(History {
                    first: Some(first),
                    in_head: at_head(place),
                    paths: path.into_iter().collect(),
                    refs: self.refs.clone(),
                    ..History::default()
                });
            }
            finding.place_count = finding.places.len();
        }
        findings.retain(|finding| !finding.places.is_empty());
        sort(&mut findings, rules);
        findings
    }

    fn blob(&self, source: &Source) -> Option<&NewBlob> {
        let path = source.path().cloned().unwrap_or_default();
        self.blobs.get(&(source.blob()?, path))
    }

    /// The blobs with findings that the range's own ground has at any path: they were only moved.
    fn known_blobs(&self, findings: &[Finding]) -> HashSet<ObjectId> {
        let wanted =
            findings.iter().flat_map(|finding| &finding.places).filter_map(|place| place.source.blob()).collect();
        self.additions.known_blobs(&self.reader, &wanted)
    }

    /// Whether some of these lines, from 1, are not in the old version.
    fn is_changed(&self, old: ObjectId, new: ObjectId, first: usize, last: usize) -> bool {
        let (mut one, mut other) = (Vec::new(), Vec::new());
        let (Ok(old), Ok(new)) = (read(&self.reader, old, &mut one), read(&self.reader, new, &mut other)) else {
            return true;
        };
        let input = imara_diff::InternedInput::new(old, new);
        let diff = imara_diff::Diff::compute(imara_diff::Algorithm::Histogram, &input);
        let lines = first.saturating_sub(1)..last.min(input.after.len());
        lines.clone().any(|line| u32::try_from(line).is_ok_and(|line| diff.is_added(line)))
    }
}

/// What was in older versions of files, each looked through once.
struct Before<'a> {
    look: &'a Look,
    reader: &'a ObjectReader,
    ground: &'a Ground,
    versions: HashMap<(ObjectId, BString), HashSet<Fingerprint>>,
}

impl Before<'_> {
    /// Whether an older version of a file had it, in the tree as it is now.
    fn has(&mut self, id: ObjectId, now: &NewBlob, fingerprint: Fingerprint) -> bool {
        let (look, reader, path) = (self.look, self.reader, &now.path);
        let found = self.versions.entry((id, path.clone())).or_insert_with(|| {
            let mut seen = look.nothing();
            let mut buffer = Vec::new();
            if let Ok(bytes) = read(reader, id, &mut buffer) {
                self.ground.with_blob(reader, Some(path.as_ref()), now.commit, |within| {
                    look.text_within(&Source::Blob(id, Some(path.clone())), bytes, within, &mut seen);
                });
            }
            let findings = seen.findings.finish(look.scanner.engine.rules());
            findings.iter().map(|finding| finding.fingerprint).collect()
        });
        found.contains(&fingerprint)
    }
}
