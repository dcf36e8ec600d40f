//! Looking through texts: those at hand, and those that are read while they are looked through.

use std::io::{self, Read};
use std::sync::{Mutex, PoisonError};

use gix::bstr::BString;
use rayon::prelude::*;
use zeroize::Zeroizing;

use crate::host::progress::Progress;
use crate::scan::{
    ArchiveLimits, Content, Coverage, Findings, Member, Salt, Scanner, Source, Start, Unscanned, Window, is_archive,
    read_archive,
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
}

/// What was found, and in how much.
#[derive(Default)]
pub struct Seen {
    /// The findings.
    pub findings: Findings,
    /// What was looked through.
    pub coverage: Coverage,
}

/// As much of a large text is looked through at once, and what reaches over its end.
const PART: usize = 16 << 20;

/// What lets a secret through may stand this far from it.
const MARKS: usize = 4 << 10;

impl Look {
    /// Nothing yet.
    pub fn nothing(&self) -> Seen {
        Seen { findings: Findings::new(self.salt.clone()), coverage: Coverage::default() }
    }

    /// Looks through a text.
    pub fn text(&self, source: &Source, bytes: &[u8], seen: &mut Seen) {
        self.scanner.scan(source, bytes, &mut seen.findings, &mut seen.coverage);
    }

    /// Reads a file of `size` bytes, as far as that is known, and looks through it: in parts where it is large, member by member
    /// where it is an archive that is to be followed. What cannot be read is noted.
    pub fn file(&self, source: &Source, size: Option<u64>, reader: &mut dyn Read, seen: &mut Seen) {
        if self.read(source, size, reader, seen).is_err() {
            seen.coverage.unscanned.push((source.clone(), Unscanned::Unreadable));
        }
    }

    fn read(&self, source: &Source, size: Option<u64>, reader: &mut dyn Read, seen: &mut Seen) -> io::Result<()> {
        let Some(limits) = self.archives else { return self.stream(source, size, reader, seen) };
        let mut start = Vec::new();
        (&mut *reader).take(512).read_to_end(&mut start)?;
        let is_archive = is_archive(&start);
        let mut whole = io::Cursor::new(start).chain(reader);
        if !is_archive {
            return self.stream(source, size, &mut whole, seen);
        }
        let name = source.path().cloned().unwrap_or_default();
        read_archive(name, &mut whole, limits, &mut |names, member| {
            let source = Source::Archived(names.to_vec());
            match member {
                Member::File(reader) => self.stream(&source, None, reader, seen)?,
                Member::Link(target) => self.text(&source, target, seen),
                Member::Unscanned(why) => seen.coverage.unscanned.push((source, why)),
            }
            Ok(())
        });
        Ok(())
    }

    /// Looks through what a reader gives, in parts that overlap where there is more than one.
    fn stream(&self, source: &Source, size: Option<u64>, reader: &mut dyn Read, seen: &mut Seen) -> io::Result<()> {
        let reach = self.scanner.engine.widest().max(MARKS);
        let part = self.max_blob.min(PART).max(4 * reach);
        let at_once = self.max_blob.max(part);
        let expected = size.and_then(|size| usize::try_from(size).ok()).unwrap_or(64 << 10);
        let mut bytes = Zeroizing::new(Vec::with_capacity(expected.min(at_once) + 1));
        (&mut *reader).take(at_once as u64 + 1).read_to_end(&mut bytes)?;
        if bytes.len() <= at_once {
            self.text(source, &bytes, seen);
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

impl Seen {
    /// Together with what another thread saw.
    pub fn with(mut self, other: Self) -> Self {
        self.findings.merge(other.findings);
        self.coverage.merge(other.coverage);
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
        Look { scanner: Scanner { engine }, salt: Salt::default(), max_blob, archives: None, jobs: 1 }
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
            look.file(&source, None, &mut text.as_bytes(), &mut seen);
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
