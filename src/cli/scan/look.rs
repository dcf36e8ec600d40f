//! Looking through texts: those at hand, and those that are read while they are looked through.

use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use gix::bstr::{BString, ByteSlice as _};
use rayon::prelude::*;
use zeroize::Zeroizing;

use crate::host::progress::Progress;
use crate::scan::kubernetes::Within;
use crate::scan::{
    ArchiveLimits, Content, Coverage, Finding, Findings, Member, Note, Place, Salt, Scanner, Source, Start, Unscanned,
    Window, is_archive, read_archive,
};

/// What looks through texts, as this run is told to. Shared by all threads.
pub struct Look {
    /// The rules.
    pub scanner: Scanner,
    /// What fingerprints are keyed with.
    pub salt: Salt,
    /// Larger files are looked through in parts.
    pub max_blob: usize,
    /// How far archives are followed; not at all where `None`.
    pub archives: Option<ArchiveLimits>,
    /// How many threads; 0 for as many as there are cores.
    pub jobs: usize,
    /// When to stop.
    pub until: Option<Instant>,
    /// How many bytes may still be looked through.
    pub bytes_left: Option<AtomicU64>,
}

/// What is looked through: what it is called, how large it is as far as that is known, and the tree it lies in.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// What it is called.
    pub source: &'a Source,
    /// Its bytes.
    pub size: Option<u64>,
    /// The tree.
    pub within: Option<&'a Within<'a>>,
}

/// What was found, and in how much.
#[derive(Default)]
pub struct Seen {
    /// The findings.
    pub findings: Findings,
    /// What was looked through.
    pub coverage: Coverage,
    /// What layers of images delete: the image, and the path in it.
    pub deleted: Vec<(BString, BString)>,
}

/// As much of a large text is looked through at once, and what reaches over its end.
const PART: usize = 16 << 20;

/// What lets a secret through may stand this far from it.
const MARKS: usize = 4 << 10;

impl Look {
    /// Nothing yet.
    pub fn nothing(&self) -> Seen {
        Seen { findings: Findings::new(self.salt.clone()), ..Seen::default() }
    }

    /// Looks through a text.
    pub fn text(&self, source: &Source, bytes: &[u8], seen: &mut Seen) {
        self.scanner.scan(source, bytes, &mut seen.findings, &mut seen.coverage);
    }

    /// The same of one that may lie in a tree.
    pub fn text_within(&self, source: &Source, bytes: &[u8], within: Option<&Within<'_>>, seen: &mut Seen) {
        match within {
            Some(within) => {
                self.scanner.scan_within(source, bytes, within, &mut seen.findings, &mut seen.coverage);
            }
            None => self.text(source, bytes, seen),
        }
    }

    /// Whether a text of so many bytes may be looked through as well; what keeps it from that.
    pub fn charge(&self, bytes: usize) -> Result<(), Unscanned> {
        if self.until.is_some_and(|until| Instant::now() >= until) {
            return Err(Unscanned::OutOfTime);
        }
        let Some(left) = &self.bytes_left else { return Ok(()) };
        let taken = left.try_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes as u64));
        taken.map(|_| ()).map_err(|_| Unscanned::OverBudget)
    }

    /// Reads a file and looks through it: in parts where it is large, member by member where it is an archive that is to be
    /// followed. What cannot be read is noted.
    pub fn file(&self, subject: Subject<'_>, reader: &mut dyn Read, seen: &mut Seen) {
        if self.read(subject, reader, seen).is_err() {
            seen.coverage.unscanned.push((subject.source.clone(), Unscanned::Unreadable));
        }
    }

    fn read(&self, subject: Subject<'_>, reader: &mut dyn Read, seen: &mut Seen) -> io::Result<()> {
        let Some(limits) = self.archives else { return self.stream(subject, reader, seen) };
        let mut start = Vec::new();
        (&mut *reader).take(512).read_to_end(&mut start)?;
        let is_archive = is_archive(&start);
        let mut whole = io::Cursor::new(start).chain(reader);
        if !is_archive {
            return self.stream(subject, &mut whole, seen);
        }
        let name = subject.source.path().cloned().unwrap_or_default();
        read_archive(name, &mut whole, limits, &mut |names, member| {
            seen.deleted.extend(deleted(names));
            let source = Source::Archived(names.to_vec());
            match member {
                Member::File(reader) => self.stream(Subject::of(&source), reader, seen)?,
                Member::Link(target) => self.text(&source, target, seen),
                Member::Unscanned(why) => seen.coverage.unscanned.push((source, why)),
            }
            Ok(())
        });
        Ok(())
    }

    /// Looks through what a reader gives, in parts that overlap where there is more than one.
    fn stream(&self, subject: Subject<'_>, reader: &mut dyn Read, seen: &mut Seen) -> io::Result<()> {
        let Subject { source, size, within } = subject;
        let expected = size.and_then(|size| usize::try_from(size).ok()).unwrap_or(64 << 10);
        let mut bytes = Zeroizing::new(Vec::with_capacity(expected.min(self.max_blob) + 1));
        (&mut *reader).take(self.max_blob as u64 + 1).read_to_end(&mut bytes)?;
        if bytes.len() <= self.max_blob {
            self.text_within(source, &bytes, within, seen);
            return Ok(());
        }
        // To know it, most patterns have to be read.
        let reach = self.scanner.engine.widest().max(MARKS);
        let part = self.max_blob.min(PART).max(4 * reach);
        let at_once = self.max_blob.max(part);
        (&mut *reader).take((at_once + 1 - bytes.len()) as u64).read_to_end(&mut bytes)?;
        if bytes.len() <= at_once {
            self.text_within(source, &bytes, within, seen);
            return Ok(());
        }
        let content = Content::of(&bytes);
        let (mut starts, mut own) = (Start::default(), 0);
        loop {
            let is_last = bytes.len() <= at_once;
            let own_end = if is_last { bytes.len() } else { bytes.len() - reach };
            let this = Window { bytes: &bytes, content, own: own..own_end, starts };
            self.scanner.scan_part(source, &this, &mut seen.findings, &mut seen.coverage);
            if is_last || content == Content::Media {
                return Ok(());
            }
            let kept = own_end - reach;
            starts = starts.behind(&bytes[..kept]);
            bytes.drain(..kept);
            own = reach;
            let wanted = (at_once + 1).saturating_sub(bytes.len()) as u64;
            (&mut *reader).take(wanted).read_to_end(&mut bytes)?;
        }
    }

    /// Does `work` with each item, on all threads, and puts together what was seen, in the order of the items.
    pub fn all<T: Send>(&self, items: Vec<T>, progress: Progress, work: impl Fn(T, &mut Seen) + Sync) -> Seen {
        let progress = Mutex::new(progress);
        let one = |mut seen: Seen, item: T| {
            work(item, &mut seen);
            progress.lock().unwrap_or_else(PoisonError::into_inner).advance(1);
            seen
        };
        // Threads take longer to start than a few small texts to look through.
        if self.jobs == 1 || items.len() < 8 {
            return items.into_iter().fold(self.nothing(), one);
        }
        let run = || items.into_par_iter().fold(|| self.nothing(), one).reduce(|| self.nothing(), Seen::with);
        match rayon::ThreadPoolBuilder::new().num_threads(self.jobs).build() {
            Ok(pool) => pool.install(run),
            Err(_) => run(),
        }
    }
}

impl<'a> Subject<'a> {
    /// Of which no more is known.
    pub fn of(source: &'a Source) -> Self {
        Self { source, size: None, within: None }
    }
}

/// What an entry of a layer says to delete: the image, and the path; a folder ends with `/`.
///
/// Source: OCI image specification, "Image Layer Filesystem Changeset", whiteouts.
fn deleted(names: &[BString]) -> Option<(BString, BString)> {
    let [image, .., path] = names else { return None };
    let (folder, name) = path.rsplit_once_str("/").unwrap_or((b"", path));
    let what = name.strip_prefix(b".wh.")?;
    let joined = match (folder, what) {
        (folder, b".wh..opq") => [folder, b"/"].concat(),
        (b"", what) => what.to_vec(),
        (folder, what) => [folder, b"/", what].concat(),
    };
    Some((image.clone(), joined.into()))
}

impl Seen {
    /// Says of what a later layer of an image deletes that it is still there.
    pub fn note_deleted(&self, findings: &mut [Finding]) {
        let is_deleted = |place: &Place| match &place.source {
            Source::Archived(names) => names.first().zip(names.last()).is_some_and(|(image, path)| {
                self.deleted.iter().any(|(of, what)| {
                    let below = path.strip_prefix(what.as_slice());
                    of == image && below.is_some_and(|rest| rest.is_empty() || rest[0] == b'/' || what.ends_with(b"/"))
                })
            }),
            _ => false,
        };
        for finding in findings.iter_mut().filter(|_| !self.deleted.is_empty()) {
            if finding.places.iter().any(is_deleted) {
                finding.notes.push(Note::Says("a layer of the image deletes the file; an earlier one still holds it"));
            }
        }
    }

    /// Together with what another thread saw.
    pub fn with(mut self, other: Self) -> Self {
        self.findings.merge(other.findings);
        self.coverage.merge(other.coverage);
        self.deleted.extend(other.deleted);
        self
    }

    /// Notes what could not be looked through.
    pub fn missed(&mut self, path: BString, why: Unscanned) {
        self.coverage.unscanned.push((Source::File(path), why));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::scan::{Engine, Rule, Ruleset};

    fn look(max_blob: usize) -> Look {
        let rule = "[[rule]]\nid = 'a'\ntitle = 'A'\nseverity = 'high'\nkeywords = ['tok_']\npattern = '''tok_[a-z]{4,60}'''\n";
        let rules = Ruleset::new(Rule::parse_all(rule, "test").unwrap()).unwrap();
        let engine = Engine::new(rules, Vec::new()).unwrap();
        let scanner = Scanner { engine, now: 0 };
        let salt = Salt::default();
        Look { scanner, salt, max_blob, archives: None, jobs: 1, until: None, bytes_left: None }
    }

    #[test]
    fn parts_find_what_the_whole_finds_wherever_it_is_cut() {
        let mut text = String::new();
        for number in 0..2000 {
            let end = "abcdefghijklmnopqrstuvwxyz".repeat(3);
            text += &"ü".repeat(number % 17);
            text += &format!("tok_{}", &end[number % 20..number % 20 + 4 + number % 56]);
            text += if number % 5 == 0 { "\n" } else { " " };
        }
        let found = |look: &Look| {
            let mut seen = look.nothing();
            let source = Source::Input("x".into());
            look.file(Subject::of(&source), &mut text.as_bytes(), &mut seen);
            assert_eq!((seen.coverage.texts, seen.coverage.bytes), (1, text.len() as u64));
            let findings = seen.findings.finish(look.scanner.engine.rules());
            let place = |place: &crate::scan::Place| {
                (place.secret.clone(), place.line, place.column, place.end_line, place.end_column)
            };
            let mut places: Vec<_> = findings.iter().flat_map(|finding| finding.places.iter().map(place)).collect();
            places.sort_by_key(|place| place.0.start);
            places
        };
        let whole = found(&look(1 << 20));
        assert_eq!(whole.len(), 2000);
        for max_blob in [1, 20_000, 16_391] {
            assert_eq!(found(&look(max_blob)), whole, "{max_blob}");
        }
    }
}
