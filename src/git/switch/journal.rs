//! What a switch changes, written down before it changes anything: enough to go on after a crash, and to go back.
//!
//! Lines of words; in a word, what is not a plain sign stands as `%` and two digits. What files held and will hold lies beside it:
//! `<n>.old` and `<n>.new` for the n-th file, `<n>.index…` for the index of the n-th working tree.

use gix::ObjectId;
use gix::bstr::{BStr, BString, ByteSlice as _};

use crate::git::refs::read_optional;
use crate::git::switch::disk::{self, Disk};
use crate::git::{GitError, RunFolder};

/// All that a switch changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Journal {
    /// Refs that all working trees share, of which one is moved, made or removed.
    pub refs: Vec<RefChange>,
    /// Where HEADs lead that name a branch: they stay.
    pub heads: Vec<(BString, BString)>,
    /// Other files, by their path from the shared folder: HEADs and refs of one working tree, pseudo refs, reflogs.
    pub files: Vec<FileChange>,
    /// Working trees whose index or files change.
    pub checkouts: Vec<CheckoutChange>,
    /// Stashes of which nothing is left.
    pub dropped_stashes: Vec<ObjectId>,
    /// Whether the setting that hides the backups was made.
    pub hides: bool,
}

/// A ref that changes; `None` where it is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefChange {
    /// Its full name.
    pub name: BString,
    /// What it named.
    pub old: Option<ObjectId>,
    /// What it will name.
    pub new: Option<ObjectId>,
}

/// A file that changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChange {
    /// Its path from the shared folder.
    pub path: BString,
    /// Whether work is lost where someone else changed it.
    pub matters: bool,
    /// Whether it was there.
    pub had: bool,
    /// Whether it will be.
    pub has: bool,
}

/// A working tree that changes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CheckoutChange {
    /// What git calls it; none is the main one.
    pub id: Option<BString>,
    /// What its HEAD named, and will name.
    pub heads: [Option<ObjectId>; 2],
    /// Files that have other content.
    pub contents: Vec<BString>,
    /// Files that stay where they are though they are no longer in HEAD.
    pub untracked: Vec<BString>,
    /// Files whose staged version stays though HEAD has lost it.
    pub staged: Vec<BString>,
}

/// How far a run has come, as its folder says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Refs are being moved.
    Switching,
    /// Refs are moved, working trees are being.
    Switched,
    /// All is done.
    Done,
    /// All is being put back.
    Undoing,
    /// All is as it was.
    Undone,
    /// Old objects are being removed.
    Finishing,
}

const MARKS: [(Mark, &str); 6] = [
    (Mark::Switching, "switching"),
    (Mark::Switched, "switched"),
    (Mark::Done, "done"),
    (Mark::Undoing, "undoing"),
    (Mark::Undone, "undone"),
    (Mark::Finishing, "finishing"),
];

const FIRST_LINE: &[u8] = b"seal-journal 1";

impl Journal {
    /// The journal of a run; `None` where there is none, as nothing was moved.
    pub fn read(run: &RunFolder) -> Result<Option<Self>, GitError> {
        let path = run.journal();
        let bytes = read_optional(&path)?;
        bytes
            .map(|bytes| {
                Self::parse(&bytes).ok_or_else(|| GitError::new(format!("read {}", path.display()), "it is damaged"))
            })
            .transpose()
    }

    /// Writes it; what it refers to is on the disk.
    pub fn write(&self, run: &RunFolder, disk: Disk) -> Result<(), GitError> {
        disk.replace(&run.path().join("journal.new"), &run.journal(), &self.to_bytes())
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut text = Lines(FIRST_LINE.to_vec());
        text.0.push(b'\n');
        for change in &self.refs {
            text.line("ref", &[&change.name, &id_word(change.old), &id_word(change.new)]);
        }
        for (name, target) in &self.heads {
            text.line("head", &[name, target]);
        }
        for file in &self.files {
            let flags = [file.matters, file.had, file.has].map(|flag| if flag { b'1' } else { b'0' });
            text.line("file", &[&file.path, &flags]);
        }
        for checkout in &self.checkouts {
            let id = checkout.id.as_ref().map_or(&b""[..], |id| id);
            text.line("checkout", &[id, &id_word(checkout.heads[0]), &id_word(checkout.heads[1])]);
            for (word, paths) in
                [("content", &checkout.contents), ("untracked", &checkout.untracked), ("staged", &checkout.staged)]
            {
                paths.iter().for_each(|path| text.line(word, &[path]));
            }
        }
        self.dropped_stashes.iter().for_each(|id| text.line("stash", &[&id_word(Some(*id))]));
        if self.hides {
            text.line("hides", &[]);
        }
        text.line("end", &[]);
        text.0
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut journal = Self::default();
        let mut lines = bytes.lines();
        if lines.next()? != FIRST_LINE {
            return None;
        }
        let mut is_whole = false;
        for line in lines {
            let words: Vec<BString> = line.split_str(" ").map(plain).collect::<Option<_>>()?;
            let words: Vec<&BStr> = words.iter().map(AsRef::as_ref).collect();
            is_whole = false;
            match words.as_slice() {
                [word, name, old, new] if *word == "ref" => {
                    journal.refs.push(RefChange { name: (*name).to_owned(), old: id_of(old)?, new: id_of(new)? });
                }
                [word, name, target] if *word == "head" => journal.heads.push(((*name).into(), (*target).into())),
                [word, path, flags] if *word == "file" && flags.len() == 3 => {
                    let [matters, had, has] = [0, 1, 2].map(|at| flags[at] == b'1');
                    journal.files.push(FileChange { path: (*path).to_owned(), matters, had, has });
                }
                [word, id, old, new] if *word == "checkout" => journal.checkouts.push(CheckoutChange {
                    id: Some((*id).to_owned()).filter(|id| !id.is_empty()),
                    heads: [id_of(old)?, id_of(new)?],
                    ..CheckoutChange::default()
                }),
                [word, path] if *word == "stash" => journal.dropped_stashes.push(id_of(path)??),
                [word, path] => {
                    let checkout = journal.checkouts.last_mut()?;
                    let list = match word.as_bytes() {
                        b"content" => &mut checkout.contents,
                        b"untracked" => &mut checkout.untracked,
                        b"staged" => &mut checkout.staged,
                        _ => return None,
                    };
                    list.push((*path).to_owned());
                }
                [word] if *word == "hides" => journal.hides = true,
                [word] if *word == "end" => is_whole = true,
                _ => return None,
            }
        }
        is_whole.then_some(journal)
    }
}

impl Mark {
    /// The mark of a run; none before anything moves.
    pub fn read(run: &RunFolder) -> Result<Option<Self>, GitError> {
        let path = run.path().join("mark");
        let Some(bytes) = read_optional(&path)? else { return Ok(None) };
        let known = MARKS.iter().find(|(_, word)| bytes.trim_ascii_end() == word.as_bytes());
        let known = known.ok_or_else(|| GitError::new(format!("read {}", path.display()), "it is damaged"))?;
        Ok(Some(known.0))
    }

    /// Sets it; it is on the disk then.
    pub fn set(self, run: &RunFolder, disk: Disk) -> Result<(), GitError> {
        let word = MARKS.iter().find(|(mark, _)| *mark == self).map_or("", |(_, word)| *word);
        disk.replace(&run.path().join("mark.new"), &run.path().join("mark"), format!("{word}\n").as_bytes())
    }

    /// Forgets journal and mark, where nothing was moved.
    pub fn clear(run: &RunFolder) -> Result<(), GitError> {
        // The journal first: a mark alone says nothing.
        disk::remove(&run.journal())?;
        disk::remove(&run.path().join("mark"))?;
        disk::sync_folder(run.path())
    }
}

struct Lines(Vec<u8>);

impl Lines {
    fn line(&mut self, word: &str, words: &[&[u8]]) {
        self.0.extend_from_slice(word.as_bytes());
        for word in words {
            self.0.push(b' ');
            for byte in *word {
                if byte.is_ascii_graphic() && *byte != b'%' {
                    self.0.push(*byte);
                } else {
                    self.0.extend_from_slice(format!("%{byte:02x}").as_bytes());
                }
            }
        }
        self.0.push(b'\n');
    }
}

/// A word without its `%`.
fn plain(word: &[u8]) -> Option<BString> {
    let mut parts = word.split_str("%");
    let mut plain = BString::from(parts.next()?);
    for part in parts {
        let digits = std::str::from_utf8(part.get(..2)?).ok()?;
        plain.push(u8::from_str_radix(digits, 16).ok()?);
        plain.extend_from_slice(&part[2..]);
    }
    Some(plain)
}

fn id_word(id: Option<ObjectId>) -> Vec<u8> {
    id.map_or_else(|| b"-".to_vec(), |id| id.to_string().into_bytes())
}

fn id_of(word: &BStr) -> Option<Option<ObjectId>> {
    if word == "-" { Some(None) } else { ObjectId::from_hex(word).ok().map(Some) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn journal() -> Journal {
        let id = |digit: &str| ObjectId::from_hex(digit.repeat(64).as_bytes()).unwrap();
        Journal {
            refs: vec![
                RefChange { name: "refs/heads/é%".into(), old: Some(id("1")), new: None },
                RefChange { name: "refs/seal/backup/x".into(), old: None, new: Some(id("2")) },
            ],
            heads: vec![("HEAD".into(), "refs/heads/main".into())],
            files: vec![FileChange { path: "worktrees/a b/HEAD".into(), matters: true, had: true, has: false }],
            checkouts: vec![CheckoutChange {
                id: Some("a b".into()),
                heads: [Some(id("1")), None],
                contents: vec!["a\nb c%".into()],
                untracked: vec![vec![0xff, b' '].into()],
                staged: vec!["x".into()],
            }],
            dropped_stashes: vec![id("3")],
            hides: true,
        }
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        for journal in [journal(), Journal::default()] {
            assert_eq!(Journal::parse(&journal.to_bytes()), Some(journal));
        }
    }

    #[test]
    fn half_a_journal_is_none() {
        let bytes = journal().to_bytes();
        for length in 0..bytes.len() - 1 {
            assert_eq!(Journal::parse(&bytes[..length]), None, "{length}");
        }
    }
}
