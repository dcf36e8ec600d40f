//! The pattern of a rule, compiled when it is first needed, and tried only where a keyword stands.

use std::ops::Range;
use std::sync::OnceLock;

use regex_automata::meta::{Cache, Regex};
use regex_automata::util::captures::Captures;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input};
use regex_syntax::hir::{Class, Hir, HirKind};

use super::Rule;
use super::weigh::{self, Dropped};

/// A rule's pattern. It is parsed when its reach is asked for, and compiled when it is tried: most never are.
pub struct Pattern {
    text: String,
    keywords: Vec<String>,
    /// The longest match that the rule allows, in bytes.
    stated_len: Option<usize>,
    /// What a match may not be.
    dropped: Dropped,
    /// How much is looked at around a match, in bytes.
    margin: usize,
    shape: OnceLock<Shape>,
    compiled: OnceLock<Option<Compiled>>,
}

/// What the matches of a pattern are like.
#[derive(Debug, Clone, Copy)]
struct Shape {
    /// The longest match, in bytes.
    max_len: usize,
    /// Every match starts with one of the rule's keywords, so that it need not be looked for.
    starts_with_keyword: bool,
}

/// What a thread needs to run one pattern.
pub struct Scratch {
    cache: Cache,
    captures: Captures,
}

struct Compiled {
    regex: Regex,
    /// The group that holds the credential, where it has a name for it.
    group: Option<usize>,
}

/// The longest match of a pattern that has no bound, where its rule states none.
const MAX_LEN: usize = 512;

/// No more beginnings of a pattern are looked at.
const MAX_STARTS: usize = 512;

impl Pattern {
    /// The pattern of a rule, if it has one.
    pub fn of(rule: &Rule) -> Option<Self> {
        Some(Self {
            text: rule.pattern.clone()?,
            keywords: rule.keywords.iter().map(|word| word.to_ascii_lowercase()).collect(),
            stated_len: rule.max_len,
            dropped: Dropped::default(),
            margin: weigh::margin(rule),
            shape: OnceLock::new(),
            compiled: OnceLock::new(),
        })
    }

    /// How far from a keyword a match depends on the text, in bytes.
    pub fn reach(&self) -> usize {
        // What the rule states is known without parsing its pattern.
        self.stated_len.unwrap_or_else(|| self.shape().max_len) + self.margin
    }

    /// What a match may not be.
    pub fn dropped(&self) -> &Dropped {
        &self.dropped
    }

    /// The match that holds the keyword at `keyword`, and the credential in it.
    ///
    /// It depends on no more than [`reach`](Self::reach) bytes before and behind the keyword.
    pub fn find(&self, text: &[u8], keyword: Range<usize>, scratch: &mut Option<Scratch>) -> Option<Found> {
        let Shape { max_len, starts_with_keyword } = self.shape();
        let Compiled { regex, group } = self.compiled()?;
        let Scratch { cache, captures } =
            scratch.get_or_insert_with(|| Scratch { cache: regex.create_cache(), captures: regex.create_captures() });
        let end = (keyword.end + max_len).min(text.len());
        let mut input = Input::new(text);
        if starts_with_keyword {
            input.set_anchored(Anchored::Yes);
            input.set_span(keyword.start..end.min(keyword.start + max_len));
        } else {
            input.set_span(keyword.start.saturating_sub(max_len)..end);
        }
        loop {
            // The cheap search first: most keywords are in no match.
            let half = regex.search_half_with(cache, &input)?;
            if half.offset() < keyword.end {
                let next = half.offset().max(input.start() + 1);
                if starts_with_keyword || next > keyword.start {
                    return None;
                }
                input.set_start(next);
                continue;
            }
            regex.search_captures_with(cache, &input, captures);
            let whole = captures.get_match()?.range();
            if whole.start > keyword.start {
                return None;
            }
            // Without a name, the first that took part in the match.
            let named = group.and_then(|at| captures.get_group(at));
            let secret = named.or_else(|| (1..captures.group_len()).find_map(|at| captures.get_group(at)));
            let secret = secret.map_or(whole.clone(), |group| group.start..group.end);
            return Some(Found { whole, secret });
        }
    }

    fn shape(&self) -> Shape {
        *self.shape.get_or_init(|| {
            let parsed = regex_syntax::ParserBuilder::new().utf8(false).unicode(false).build().parse(&self.text).ok();
            let bound = parsed.as_ref().and_then(|parsed| parsed.properties().maximum_len());
            let longest = self.keywords.iter().map(String::len).max().unwrap_or(0);
            let begins = |start: &Vec<u8>| self.keywords.iter().any(|word| start.starts_with(word.as_bytes()));
            Shape {
                max_len: self.stated_len.or(bound).unwrap_or(MAX_LEN),
                starts_with_keyword: parsed.is_some_and(|parsed| starts(&parsed, longest).iter().all(begins)),
            }
        })
    }

    /// Nothing where it is no pattern; whoever read the rule has said so.
    fn compiled(&self) -> Option<&Compiled> {
        let compile = || {
            let syntax = syntax::Config::new().utf8(false).unicode(false);
            let built = Regex::builder().syntax(syntax).configure(Regex::config().utf8_empty(false)).build(&self.text);
            let regex = built.ok()?;
            let group = regex.group_info().to_index(regex_automata::PatternID::ZERO, "secret");
            Some(Compiled { regex, group })
        };
        self.compiled.get_or_init(compile).as_ref()
    }
}

/// A match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// All of it.
    pub whole: Range<usize>,
    /// The credential.
    pub secret: Range<usize>,
}

/// How the matches of a pattern can start, in lower case: each of its matches starts with one of these.
///
/// Each is as long as the pattern tells, and no longer than `length`. One is empty where nothing is known.
fn starts(hir: &Hir, length: usize) -> Vec<Vec<u8>> {
    let (starts, _) = starts_and_end(hir, length);
    starts.into_iter().collect()
}

/// The same, and whether all of what `hir` matches is told, so that what follows it goes on from there.
fn starts_and_end(hir: &Hir, length: usize) -> (std::collections::BTreeSet<Vec<u8>>, bool) {
    let nothing = || [Vec::new()].into();
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => (nothing(), true),
        HirKind::Literal(literal) => {
            let start: Vec<u8> = literal.0.iter().take(length).map(u8::to_ascii_lowercase).collect();
            ([start].into(), literal.0.len() <= length)
        }
        HirKind::Class(class) => {
            let mut bytes = std::collections::BTreeSet::new();
            let ranges: Vec<(u32, u32)> = match class {
                Class::Bytes(class) => {
                    class.ranges().iter().map(|range| (range.start().into(), range.end().into())).collect()
                }
                Class::Unicode(class) => {
                    class.ranges().iter().map(|range| (range.start().into(), range.end().into())).collect()
                }
            };
            for (start, end) in ranges {
                if end > 255 || end - start > 64 {
                    return (nothing(), false);
                }
                bytes.extend((start as u8..=end as u8).map(|byte| vec![byte.to_ascii_lowercase()]));
            }
            (bytes, true)
        }
        HirKind::Capture(capture) => starts_and_end(&capture.sub, length),
        HirKind::Repetition(repetition) if repetition.min > 0 => {
            let (starts, _) = starts_and_end(&repetition.sub, length);
            let once = repetition.min == 1 && repetition.max == Some(1);
            (starts, once)
        }
        HirKind::Repetition(_) => (nothing(), false),
        HirKind::Alternation(branches) => {
            let mut all = std::collections::BTreeSet::new();
            let mut is_whole = true;
            for branch in branches {
                let (starts, whole) = starts_and_end(branch, length);
                all.extend(starts);
                is_whole &= whole;
            }
            (all, is_whole)
        }
        HirKind::Concat(parts) => {
            let mut all: std::collections::BTreeSet<Vec<u8>> = nothing();
            for part in parts {
                let (starts, is_whole) = starts_and_end(part, length);
                if all.len() * starts.len() > MAX_STARTS {
                    return (all, false);
                }
                let longer = |start: &Vec<u8>| -> Vec<Vec<u8>> {
                    if start.len() >= length {
                        return vec![start.clone()];
                    }
                    starts.iter().map(|next| [start.as_slice(), next].concat()).collect()
                };
                all = all.iter().flat_map(longer).collect();
                if !is_whole || all.iter().all(|start| start.len() >= length) {
                    return (all, false);
                }
            }
            (all, true)
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn pattern(keywords: &str, pattern: &str) -> Pattern {
        let text = format!(
            "[[rule]]\nid = 'a'\ntitle = 'A'\nseverity = 'low'\nkeywords = [{keywords}]\npattern = '''{pattern}'''\n"
        );
        Pattern::of(&Rule::parse_all(&text, "test").unwrap()[0]).unwrap()
    }

    fn secret<'a>(pattern: &Pattern, text: &'a str, keyword: &str) -> Option<&'a str> {
        let at = text.find(keyword).unwrap();
        let found = pattern.find(text.as_bytes(), at..at + keyword.len(), &mut None)?;
        Some(&text[found.secret])
    }

    #[test]
    fn patterns_that_start_with_a_keyword_are_known() {
        for (keywords, text, starts) in [
            ("'ghp_'", r"ghp_[0-9A-Za-z]{36}", true),
            ("'ghp_', 'gho_'", r"\b(gh[po]_[0-9A-Za-z]{36})\b", true),
            ("'ghp_'", r"gh[po]_[0-9A-Za-z]{36}", false),
            ("'akia', 'asia'", r"(?:AKIA|ASIA)[A-Z2-7]{16}", true),
            ("'heroku'", r"(?i)heroku[a-z_]{0,9}=([0-9a-f]{8})", true),
            ("'heroku'", r"(?i)[a-z]?heroku=([0-9a-f]{8})", false),
            ("'abc'", r"a?bc[0-9]{8}", false),
            ("'abc'", r"abc?[0-9]{8}", false),
            ("'aaa'", r"a{3}", false),
        ] {
            assert_eq!(pattern(keywords, text).shape().starts_with_keyword, starts, "{text}");
        }
    }

    #[test]
    fn match_holds_the_keyword() {
        let anywhere = pattern("'key'", r"([0-9]{4})[a-z ]{0,9}key");
        assert_eq!(secret(&anywhere, "1234 5678 my key", "key"), Some("5678"));
        assert_eq!(secret(&anywhere, "1234 a key", "key"), Some("1234"));
        assert_eq!(secret(&anywhere, "12345 key 1", "key"), Some("2345"));
        assert_eq!(secret(&anywhere, "123 key 1234 key", "key"), None);
        let behind = pattern("'key'", r"key=(?<secret>[0-9]{4})");
        assert_eq!(secret(&behind, "key=1 key=1234", "key"), None);
        assert_eq!(secret(&behind, "key=1234", "key"), Some("1234"));
    }

    #[test]
    fn bound_is_the_patterns_own() {
        assert_eq!(pattern("'ghp_'", "ghp_[a-z]{36}").shape().max_len, 40);
    }
}
