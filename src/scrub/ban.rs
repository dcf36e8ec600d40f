//! Objects that are not to come back: the ids of what was taken out of history, each with why and until when. Ids only, no value.
//!
//! A line each, sorted by id, so that lists of several people merge: `<id> <kind> <until> <reason>`, where `until` is a date or `-`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use gix::ObjectId;
use gix::bstr::ByteSlice as _;

/// What is banned, by id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bans(BTreeMap<ObjectId, Ban>);

/// Why an object is banned, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ban {
    /// What it is.
    pub kind: BanKind,
    /// The last day, as `2027-11-24`; without one it is for good.
    pub until: Option<String>,
    /// Why, in one line.
    pub reason: String,
}

/// What a banned object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BanKind {
    /// A commit or a tag.
    Commit,
    /// The content of a file.
    Blob,
}

/// A line of a list cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {0} is no id, kind (commit or blob), date or -, and reason")]
pub struct BadBan(pub usize);

const HEAD: &str = "# What is not to come back into this repository: id, kind, last day, reason. See seal scrub ban.\n";

impl Bans {
    /// Reads a list.
    pub fn parse(text: &[u8]) -> Result<Self, BadBan> {
        let mut bans = Self::default();
        for (at, line) in text.lines().enumerate() {
            let line = line.trim_ascii();
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            let (id, ban) = entry(line).ok_or(BadBan(at + 1))?;
            bans.add(id, ban);
        }
        Ok(bans)
    }

    /// The list as a file.
    pub fn to_text(&self) -> String {
        let mut text = HEAD.to_owned();
        for (id, ban) in &self.0 {
            let until = ban.until.as_deref().unwrap_or("-");
            let _ = writeln!(text, "{id} {} {until} {}", ban.kind.word(), ban.reason);
        }
        text
    }

    /// Adds one, in place of what was said of it.
    pub fn add(&mut self, id: ObjectId, mut ban: Ban) {
        ban.reason = ban.reason.split_whitespace().collect::<Vec<_>>().join(" ");
        self.0.insert(id, ban);
    }

    /// Adds those of another list.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Takes those out that `is_meant` means, and says how many.
    pub fn remove(&mut self, mut is_meant: impl FnMut(&ObjectId, &Ban) -> bool) -> usize {
        let before = self.0.len();
        self.0.retain(|id, ban| !is_meant(id, ban));
        before - self.0.len()
    }

    /// What is said of an object.
    pub fn get(&self, id: &ObjectId) -> Option<&Ban> {
        self.0.get(id)
    }

    /// All of them, by id.
    pub fn iter(&self) -> impl Iterator<Item = (&ObjectId, &Ban)> {
        self.0.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Ban {
    /// Whether it still holds on a day, as `2026-11-24`.
    pub fn holds(&self, day: &str) -> bool {
        self.until.as_deref().is_none_or(|until| day <= until)
    }
}

impl BanKind {
    /// Its word in a list.
    pub fn word(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Blob => "blob",
        }
    }
}

/// Whether a text is a day as lists have it.
pub fn is_day(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    lengths == [4, 2, 2] && parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
}

fn entry(line: &[u8]) -> Option<(ObjectId, Ban)> {
    let text = line.to_str().ok()?;
    let mut words = text.splitn(4, ' ');
    let id = ObjectId::from_hex(words.next()?.as_bytes()).ok()?;
    let kind = match words.next()? {
        "commit" => BanKind::Commit,
        "blob" => BanKind::Blob,
        _ => return None,
    };
    let until = match words.next()? {
        "-" => None,
        day if is_day(day) => Some(day.to_owned()),
        _ => return None,
    };
    Some((id, Ban { kind, until, reason: words.next().unwrap_or_default().to_owned() }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn list_is_read_as_it_was_written_and_sorted() {
        let (one, two) = ("1".repeat(40), "2".repeat(64));
        let text = format!("{two} blob - run x\n\n# words\n{one} commit 2027-11-24 left  in\ta commit\n");
        let bans = Bans::parse(text.as_bytes()).unwrap();
        assert_eq!(bans.len(), 2);
        let written = bans.to_text();
        assert!(written.ends_with(&format!("{one} commit 2027-11-24 left in a commit\n{two} blob - run x\n")));
        assert_eq!(Bans::parse(written.as_bytes()).unwrap(), bans);
        let ban = bans.get(&ObjectId::from_hex(one.as_bytes()).unwrap()).unwrap();
        assert!(ban.holds("2027-11-24") && !ban.holds("2027-11-25"));
        for bad in ["x commit - a", &format!("{one} tree - a"), &format!("{one} blob tomorrow a"), &one] {
            assert_eq!(Bans::parse(format!("#\n{bad}").as_bytes()), Err(BadBan(2)), "{bad}");
        }
    }
}
