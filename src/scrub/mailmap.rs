//! Names and addresses of authors, committers and taggers, changed by a mailmap file.
//!
//! Their lines are edited as bytes: dates stay, and a line that names nobody in the usual form stays whole. Source:
//! gitmailmap(5) for the four forms, git-filter-repo for what takes precedence: the first rule of the file that fits.

use gix::objs::Kind;

use super::adjust::{Adjust, Worded};
use super::header::Words;
use super::objects::ObjectError;

/// Who is to be called what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mailmap {
    rules: Vec<Rule>,
}

/// A line of it; what is empty does not matter, or does not change.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    old_name: Vec<u8>,
    old_email: Option<Vec<u8>>,
    name: Vec<u8>,
    email: Vec<u8>,
}

/// A line that is in none of the four forms.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} is no line of a mailmap: write `New Name <new@example.org> Old Name <old@example.org>`")]
pub struct BadMailmap {
    /// The line, from 1.
    pub line: usize,
    /// What stands there.
    pub text: Vec<u8>,
}

impl Mailmap {
    /// The rules of a mailmap file.
    pub fn parse(file: &[u8]) -> Result<Self, BadMailmap> {
        let mut rules: Vec<Rule> = Vec::new();
        for (at, whole) in file.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let comment = memchr::memchr(b'#', whole).unwrap_or(whole.len());
            let line = whole[..comment].trim_ascii();
            if line.is_empty() {
                continue;
            }
            let bad = || BadMailmap { line: at + 1, text: whole.to_vec() };
            let (name, email, rest) = name_and_email(line).ok_or_else(bad)?;
            let mut rule = Rule {
                old_name: Vec::new(),
                old_email: Some(email.to_vec()),
                name: name.to_vec(),
                email: email.to_vec(),
            };
            match name_and_email(rest) {
                Some((old_name, old_email, b"")) => {
                    rule.old_name = old_name.to_vec();
                    rule.old_email = Some(old_email.to_vec());
                }
                Some(_) => return Err(bad()),
                None if rest.is_empty() => {}
                None => {
                    rule.old_name = rest.to_vec();
                    rule.old_email = None;
                }
            }
            // A later line for the same person takes the place of an earlier one.
            let is_same = |other: &&mut Rule| (&other.old_name, &other.old_email) == (&rule.old_name, &rule.old_email);
            match rules.iter_mut().find(is_same) {
                Some(earlier) => *earlier = rule,
                None => rules.push(rule),
            }
        }
        Ok(Self { rules })
    }

    /// The new name and address of somebody; `None` where both stay.
    pub fn translate<'a>(&'a self, name: &'a [u8], email: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
        let fits = |rule: &&Rule| {
            rule.old_email.as_ref().is_none_or(|old| old.eq_ignore_ascii_case(email))
                && (rule.old_name.is_empty() || rule.old_name == name)
        };
        let rule = self.rules.iter().find(fits)?;
        let or = |new: &'a [u8], old| if new.is_empty() { old } else { new };
        let new = (or(&rule.name, name), or(&rule.email, email));
        (new != (name, email)).then_some(new)
    }

    /// The new form of what stands behind `author`, `committer` or `tagger`; `None` where it stays.
    pub fn line(&self, value: &[u8]) -> Option<Vec<u8>> {
        let (name, rest) = match value.strip_prefix(b"<") {
            Some(rest) => (&b""[..], rest),
            None => {
                let at = memchr::memmem::find(value, b" <")?;
                (&value[..at], &value[at + 2..])
            }
        };
        let (email, rest) = rest.split_at(memchr::memchr(b'>', rest)?);
        let (name, email) = self.translate(name, email)?;
        Some([name, b" <", email, rest].concat())
    }
}

impl Adjust for Mailmap {
    fn asks_for_all(&self) -> bool {
        !self.rules.is_empty()
    }

    fn words(&mut self, of: &Worded<'_>, words: &mut Words<'_>) -> Result<(), ObjectError> {
        let keys: &[&[u8]] = if of.kind == Kind::Tag { &[b"tagger"] } else { &[b"author", b"committer"] };
        let is_person = |key: &[u8]| keys.contains(&key);
        let changed: Vec<(usize, Vec<u8>)> = words
            .fields()
            .filter(|(_, key, _)| is_person(key))
            .filter_map(|(place, _, value)| Some((place, self.line(value)?)))
            .collect();
        for (place, value) in changed {
            words.set_field(place, Some(value));
        }
        Ok(())
    }
}

/// The name and address at the beginning of `text`, and what follows them.
fn name_and_email(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let open = memchr::memchr(b'<', text)?;
    let close = open + memchr::memchr(b'>', &text[open..])?;
    Some((text[..open].trim_ascii_end(), &text[open + 1..close], text[close + 1..].trim_ascii_start()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn line(file: &str, value: &str) -> String {
        let new = Mailmap::parse(file.as_bytes()).unwrap().line(value.as_bytes());
        new.map_or("same".to_owned(), |new| String::from_utf8(new).unwrap())
    }

    #[test]
    fn four_forms_are_read() {
        let old = "Ada L <ada@old> 12 +0100";
        assert_eq!(line("Ada Lovelace <ada@OLD>", old), "Ada Lovelace <ada@OLD> 12 +0100");
        assert_eq!(line("<ada@new> <ADA@old> # her", old), "Ada L <ada@new> 12 +0100");
        assert_eq!(line("# x\n\nAda Lovelace <ada@new> <ada@old>\n", old), "Ada Lovelace <ada@new> 12 +0100");
        assert_eq!(line("Ada Lovelace <ada@new> Ada L <ada@old>", old), "Ada Lovelace <ada@new> 12 +0100");
        assert_eq!(line("Ada Lovelace <ada@new> Ada <ada@old>", old), "same");
        assert_eq!(line("A <ada@new> Ada L", "Ada L <x> -1"), "A <ada@new> -1", "a name alone");
        assert_eq!(line("Ada L <ada@old>", old), "same");
    }

    #[test]
    fn first_rule_that_fits_is_used_and_a_later_one_for_the_same_replaces_it() {
        let old = "Ada <a@x> 1";
        assert_eq!(line("One <1@x> <a@x>\nTwo <2@x> Ada <a@x>\n", old), "One <1@x> 1");
        assert_eq!(line("One <1@x> <a@x>\nTwo <2@x> <a@x>\n", old), "Two <2@x> 1");
    }

    #[test]
    fn odd_lines_survive_and_what_is_around_a_name_does_not_change() {
        let map = "New <new@x> <a@x>";
        for odd in ["", "Ada", "Ada <a@x", "Ada a@x>", "Ada<a@x> 1"] {
            assert_eq!(line(map, odd), "same", "{odd}");
        }
        assert_eq!(line(map, "<a@x> 1 +0000"), "New <new@x> 1 +0000");
        assert_eq!(line(map, "Ada  <a@x>x  -5 +051800 z"), "New <new@x>x  -5 +051800 z");
        assert_eq!(line("<new@x> <a@x>", " <a@x> 1"), " <new@x> 1");
    }

    #[test]
    fn bad_lines_are_named() {
        for bad in ["x", "a <b> c <d> e", "a <b"] {
            let file = format!("# first\n{bad}\n");
            assert_eq!(Mailmap::parse(file.as_bytes()).unwrap_err().line, 2, "{bad}");
        }
    }
}
