//! Commit ids that messages quote, rewritten to what became of those commits.
//!
//! A quoted id is a whole word of 7 and more hex digits that begins the id of one commit which came before. What was pruned
//! or is not unique is left as it is, and listed.

use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;

use gix::ObjectId;
use gix::bstr::BString;
use gix::hash::oid;

use super::adjust::{Adjust, Worded};
use super::header::Words;
use super::history::History;
use super::moves::Mapped;
use super::objects::ObjectError;

/// Rewrites quoted ids.
#[derive(Debug)]
pub struct QuotedIds {
    /// The ids of all old commits, sorted.
    old: Vec<ObjectId>,
    /// Commits that messages call by other ids, which `old` has then.
    called: HashMap<ObjectId, ObjectId>,
    scope: Scope,
    /// All old commits in the order of the walk, and how many of them it has passed.
    order: Vec<ObjectId>,
    passed: usize,
    /// What those became.
    new: BTreeSet<ObjectId>,
    lost: BTreeSet<BString>,
}

/// Whose messages are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Those of commits and tags that something else changes: what is otherwise untouched keeps its id. A short id that
    /// would not be unique among the new ones gets more digits.
    Changed,
    /// All of them, and all keep their length, as with git-filter-repo.
    All,
}

/// No shorter word is an id.
const SHORTEST: usize = 7;

/// Digits alone that are fewer are a number, not an id, unless a commit is called so.
const SHORTEST_OF_DIGITS: usize = 12;

impl QuotedIds {
    /// For the commits of a history.
    pub fn new(history: &History, scope: Scope) -> Self {
        Self::called(history, scope, &HashMap::new())
    }

    /// For those of a history that messages call by other ids, as far as `originals` has them.
    pub fn called(history: &History, scope: Scope, originals: &HashMap<ObjectId, ObjectId>) -> Self {
        let order: Vec<ObjectId> = history.iter().map(|(_, commit)| commit.id).collect();
        let called: HashMap<ObjectId, ObjectId> =
            order.iter().filter_map(|id| Some((*originals.get(id)?, *id))).collect();
        let mut old: Vec<ObjectId> = order.iter().map(|id| *originals.get(id).unwrap_or(id)).collect();
        old.sort_unstable();
        Self { old, called, scope, order, passed: 0, new: BTreeSet::new(), lost: BTreeSet::new() }
    }

    /// What was left as it was though it looks like an id, as it stands in messages.
    pub fn lost(&self) -> impl Iterator<Item = &BString> {
        self.lost.iter()
    }

    /// A message with its ids rewritten; `None` where it stays.
    fn rewrite(&mut self, message: &[u8], known: &Known<'_>) -> Option<Vec<u8>> {
        let longest = self.old.first()?.kind().len_in_hex();
        let mut new = Vec::new();
        let mut done = 0;
        let mut at = 0;
        while at < message.len() {
            let length = message[at..].iter().take_while(|byte| is_word(**byte)).count();
            let word = &message[at..at + length];
            let is_hex = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
            if (SHORTEST..=longest).contains(&length)
                && word.iter().all(is_hex)
                && let Some(id) = self.new_id(word, known)
            {
                new.extend_from_slice(&message[done..at]);
                let length = self.unique_length(&id, length, known);
                new.extend_from_slice(id.to_hex_with_len(length).to_string().as_bytes());
                done = at + word.len();
            }
            at += length.max(1);
        }
        if done == 0 {
            return None;
        }
        new.extend_from_slice(&message[done..]);
        Some(new)
    }

    /// The id to quote instead of `word`; `None` where it stays.
    fn new_id(&mut self, word: &[u8], known: &Known<'_>) -> Option<ObjectId> {
        let least = ObjectId::from_hex(&padded(word, self.old[0].kind().len_in_hex())).ok()?;
        let from = self.old.partition_point(|id| *id < least);
        let begins = |id: &&ObjectId| id.to_hex_with_len(word.len()).to_string().as_bytes() == word;
        let fate = |id: &ObjectId| match (known(self.called.get(id).unwrap_or(id))?, self.called.get(id)) {
            (Mapped::Same, Some(other)) => Some(Mapped::of(id, *other)),
            (fate, _) => Some(fate),
        };
        let fates: Vec<Mapped> = self.old[from..].iter().take_while(begins).filter_map(fate).collect();
        let there: Vec<&Mapped> = fates.iter().filter(|fate| **fate != Mapped::Gone).collect();
        match there[..] {
            [Mapped::Same] => None,
            [Mapped::New(id)] => Some(*id),
            _ => {
                let is_number = word.len() < SHORTEST_OF_DIGITS && word.iter().all(u8::is_ascii_digit);
                if !is_number || !fates.is_empty() {
                    self.lost.insert(word.into());
                }
                None
            }
        }
    }

    /// How many digits name a new commit alone, but no fewer than `length`.
    fn unique_length(&mut self, id: &ObjectId, length: usize, known: &Known<'_>) -> usize {
        if self.scope == Scope::All {
            return length;
        }
        while let Some(fate) = self.order.get(self.passed).and_then(|old| known(old)) {
            match fate {
                Mapped::New(new) => _ = self.new.insert(new),
                Mapped::Same => _ = self.new.insert(self.order[self.passed]),
                Mapped::Gone => {}
            }
            self.passed += 1;
        }
        let before = self.new.range::<ObjectId, _>(..id).next_back();
        let after = self.new.range::<ObjectId, _>((Bound::Excluded(id), Bound::Unbounded)).next();
        let in_common = |other: &ObjectId| {
            let [one, other] = [id.to_string(), other.to_string()];
            one.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count()
        };
        before.into_iter().chain(after).map(|other| in_common(other) + 1).fold(length, usize::max)
    }
}

/// What became of a commit, if it came before.
type Known<'a> = dyn Fn(&oid) -> Option<Mapped> + 'a;

impl Adjust for QuotedIds {
    fn asks_for_all(&self) -> bool {
        self.scope == Scope::All
    }

    fn words(&mut self, of: &Worded<'_>, words: &mut Words<'_>) -> Result<(), ObjectError> {
        if (self.scope == Scope::All || of.changes || words.change())
            && let Some(message) = self.rewrite(words.message(), of.known)
        {
            words.set_message(message);
        }
        Ok(())
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Hex digits, up to a whole id with zeros.
fn padded(word: &[u8], length: usize) -> Vec<u8> {
    let mut padded = word.to_vec();
    padded.resize(length, b'0');
    padded
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use gix::objs::Kind;

    use super::super::header::Header;
    use super::super::objects::{Objects as _, memory::Memory};
    use super::*;

    /// A line of commits: their ids, and their history.
    fn line(count: usize) -> (Vec<ObjectId>, History) {
        let mut objects = Memory::new(gix::hash::Kind::Sha1);
        let mut ids: Vec<ObjectId> = Vec::new();
        for number in 0..count {
            let parent = ids.last().map(|id| format!("parent {id}\n")).unwrap_or_default();
            let tree = objects.hash_kind().empty_tree();
            let text = format!("tree {tree}\n{parent}author A <a> {number} +0000\n\nx\n");
            ids.push(objects.write(Kind::Commit, text.as_bytes()).unwrap());
        }
        let history = History::read(&objects, &ids[count - 1..], &[]).unwrap();
        (ids, history)
    }

    fn id(digits: &str) -> ObjectId {
        ObjectId::from_hex(&padded(digits.as_bytes(), 40)).unwrap()
    }

    fn rewritten(quoted: &mut QuotedIds, message: &str, known: &Known<'_>) -> String {
        let header = Header::parse(b"tree x\n\n");
        let mut words = Words::new(&header);
        words.set_message(message.into());
        let of = Worded { id: id("0"), kind: Kind::Commit, changes: true, known };
        quoted.words(&of, &mut words).unwrap();
        String::from_utf8(words.message().to_vec()).unwrap()
    }

    #[test]
    fn ids_of_commits_that_came_before_are_rewritten_at_their_length() {
        let (ids, history) = line(4);
        let became = id("abcdef0123456789");
        let known = |old: &oid| match ids.iter().position(|id| **id == *old)? {
            0 => Some(Mapped::Same),
            1 => Some(Mapped::New(became)),
            2 => Some(Mapped::Gone),
            _ => None,
        };
        let [same, new, gone, later] = [0, 1, 2, 3].map(|at: usize| ids[at].to_string());
        let short = &new[..8];
        let message = format!("{same} {new}. ({short}), x{new} {new}_ {gone} {} 1234567 {new}f", &later[..9]);
        let expected = format!("{same} {became}. (abcdef01), x{new} {new}_ {gone} {} 1234567 {new}f", &later[..9]);
        for scope in [Scope::All, Scope::Changed] {
            let mut quoted = QuotedIds::new(&history, scope);
            assert_eq!(rewritten(&mut quoted, &message, &known), expected);
            let lost: Vec<String> = quoted.lost().map(ToString::to_string).collect();
            let mut listed = vec![gone.clone(), later[..9].to_owned()];
            listed.sort();
            assert_eq!(lost, listed, "numbers are not listed");
        }
    }

    #[test]
    fn short_id_that_would_not_be_unique_is_extended_where_lengths_may_change() {
        let (ids, history) = line(3);
        let known = |old: &oid| match ids.iter().position(|id| **id == *old)? {
            0 => Some(Mapped::New(id("abcdef0123"))),
            1 => Some(Mapped::New(id("abcdef0124"))),
            _ => None,
        };
        let short = &ids[0].to_string()[..7];
        let mut quoted = QuotedIds::new(&history, Scope::Changed);
        assert_eq!(rewritten(&mut quoted, short, &known), "abcdef0123");
        let mut quoted = QuotedIds::new(&history, Scope::All);
        assert_eq!(rewritten(&mut quoted, short, &known), "abcdef0");
    }

    #[test]
    fn untouched_commit_stays_whatever_it_quotes() {
        let (ids, history) = line(1);
        let mut quoted = QuotedIds::new(&history, Scope::Changed);
        let text = format!("tree x\n\n{}", ids[0]);
        let header = Header::parse(text.as_bytes());
        let mut words = Words::new(&header);
        let known: &Known<'_> = &|_| Some(Mapped::New(id("ab")));
        quoted.words(&Worded { id: id("0"), kind: Kind::Commit, changes: false, known }, &mut words).unwrap();
        assert!(!words.change() && !quoted.asks_for_all());
    }
}
