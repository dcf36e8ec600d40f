//! Leaked values in what people wrote into commits and tags: messages, names, addresses, and any other line of their headers.
//!
//! An [`Adjust`] for the walk. A line that is not known may hold a value like any other; ids are left alone, and a signature that
//! would have to change goes with the rest.

use std::collections::BTreeMap;

use super::adjust::{Adjust, Worded};
use super::header::Words;
use super::objects::ObjectError;
use super::redact::{Outcome, Redactor};

/// Takes values out of the words of commits and tags.
pub struct RedactWords<'a> {
    redactor: &'a Redactor,
    /// How many commits and tags changed.
    pub changed: usize,
    /// How often each value stood in them, by its number.
    pub found: BTreeMap<usize, usize>,
}

/// Lines that hold an id, or say what an id is of.
const IDS: [&[u8]; 4] = [b"tree", b"parent", b"object", b"type"];

impl<'a> RedactWords<'a> {
    /// Takes out what `redactor` looks for.
    pub fn new(redactor: &'a Redactor) -> Self {
        Self { redactor, changed: 0, found: BTreeMap::new() }
    }

    /// Words without the values; `None` where there are none.
    fn redacted(&mut self, text: &[u8]) -> Result<Option<Vec<u8>>, ()> {
        let Some(redacted) = self.redactor.words(text) else { return Ok(None) };
        for ((value, _), count) in &redacted.found {
            *self.found.entry(*value).or_default() += count;
        }
        if redacted.outcome == Outcome::Left { Err(()) } else { Ok(Some(redacted.bytes)) }
    }
}

impl Adjust for RedactWords<'_> {
    fn asks_for_all(&self) -> bool {
        true
    }

    fn words(&mut self, of: &Worded<'_>, words: &mut Words<'_>) -> Result<(), ObjectError> {
        let left = |()| ObjectError::Damaged { id: of.id, problem: "values are left in it whatever is taken out" };
        let mut fields = Vec::new();
        for (place, key, value) in words.fields() {
            if IDS.contains(&key) {
                continue;
            }
            // A signature or an embedded tag with a value in it would be no signature any more.
            let goes = matches!(key, b"gpgsig" | b"gpgsig-sha256" | b"mergetag");
            match self.redacted(value).map_err(left)? {
                Some(_) if goes => fields.push((place, None)),
                Some(new) => fields.push((place, Some(new))),
                None => {}
            }
        }
        let message = self.redacted(words.message()).map_err(left)?;
        self.changed += usize::from(message.is_some() || !fields.is_empty());
        fields.into_iter().for_each(|(place, value)| words.set_field(place, value));
        if let Some(message) = message {
            words.set_message(message);
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use gix::ObjectId;
    use gix::objs::Kind;
    use zeroize::Zeroizing;

    use super::super::header::{CommitEdit, Header};
    use super::super::redact::Placeholder;
    use super::super::value::LeakedValue;
    use super::*;

    fn edited(commit: &str) -> Option<String> {
        let value = LeakedValue::new(Zeroizing::new(b"correct-horse-7".to_vec())).unwrap();
        let redactor = Redactor::new(&[value], Placeholder::Text("GONE".into())).unwrap();
        let mut adjust = RedactWords::new(&redactor);
        let id = ObjectId::from_hex("1".repeat(40).as_bytes()).unwrap();
        let header = Header::parse(commit.as_bytes());
        let mut words = Words::new(&header);
        adjust.words(&Worded { id, kind: Kind::Commit, changes: false, known: &|_| None }, &mut words).unwrap();
        assert_eq!(adjust.changed, usize::from(words.change()));
        let edit =
            CommitEdit { tree: id, parents: &[], words: &words, keep_signature: true, drops_merge_tag: &|_| false };
        words.change().then(|| String::from_utf8(edit.apply()).unwrap())
    }

    #[test]
    fn values_go_from_every_line_and_all_else_stays() {
        let commit = |author: &str, more: &str, message: &str| {
            format!(
                "tree {}\nauthor {author} <a@b> 1 +0000\ncommitter c <c@d> 2 -7530\n{more}\n{message}",
                "1".repeat(40)
            )
        };
        let plain = commit("ada", "encoding latin-1\n", "message\r\nwithout end");
        assert_eq!(edited(&plain), None);
        assert_eq!(
            edited(&commit(
                "correct-horse-7",
                "change-id correct-horse-7\n",
                "a correct-horse-7\n Y29ycmVjdC1ob3JzZS03"
            )),
            Some(commit("GONE", "change-id GONE\n", "a GONE\n R09ORSoqKioqKioqKioq"))
        );
        let tag = format!("mergetag object {}\n type commit\n \n correct-horse-7\n", "2".repeat(40));
        assert_eq!(edited(&commit("ada", &tag, "m")), Some(commit("ada", "", "m")));
    }
}
