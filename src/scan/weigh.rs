//! Whether what a pattern matched is a find at all, and how sure it is: edges, drop lists, entropy, placeholders, the check.
//!
//! Cheapest first, and all of it seen from the match alone: what the path or other finds say is weighed in [`judge`](super::judge)
//! and [`near`](super::near).

use std::ops::Range;
use std::sync::OnceLock;

use regex_automata::meta::Regex;
use regex_automata::util::syntax;

use super::check::{Check, Verdict};
use super::generic;
use super::placeholder::{is_default, placeholder};
use super::{Candidate, Confidence, Edges, Note, Rule};

/// The regular expressions of a rule's drop list, compiled when a match first needs them.
#[derive(Debug, Default)]
pub struct Dropped {
    regexes: OnceLock<Vec<Regex>>,
    lines: OnceLock<Vec<Regex>>,
}

/// Weighs a match of `rule`: notes and confidence are set, and whether it stays is given back.
pub fn weigh(rule: &Rule, dropped: &Dropped, bytes: &[u8], candidate: &mut Candidate) -> bool {
    let secret = &bytes[candidate.secret.clone()];
    if !edges_allow(rule.edges, bytes, &candidate.secret)
        || rule.value.is_some() && names_something_else(rule, &bytes[candidate.whole.start..candidate.secret.start])
        || dropped.holds(rule, bytes, candidate)
        || rule.entropy.is_some_and(|least| entropy(secret) < least)
    {
        return false;
    }
    let starts =
        |word: &&String| secret.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()));
    let shown = rule.keywords.iter().filter(starts).map(String::len).max().unwrap_or(0);
    let is_sample = rule.samples.iter().any(|sample| memchr::memmem::find(secret, sample.as_bytes()).is_some());
    let stands_in = if is_sample { Some("shown in documentation") } else { placeholder(secret, shown) };
    let is_tried_first = || rule.check == Some(Check::Password) && is_default(secret);
    let stands_in = stands_in.or_else(|| is_tried_first().then_some("a password that everybody tries first"));
    if let Some(how) = stands_in.filter(|_| !rule.keeps_stand_ins) {
        candidate.notes.push(Note::Placeholder(how));
        candidate.confidence = Confidence::Info;
        return true;
    }
    if let Some(check) = &rule.check {
        match check.run(secret, &mut candidate.notes) {
            Verdict::Proves => {
                candidate.notes.push(Note::CheckPasses(check.name()));
                candidate.confidence = Confidence::High;
            }
            Verdict::Fits if *check == Check::Password => {
                candidate.confidence = generic::password(secret).unwrap_or(Confidence::Low).min(candidate.confidence);
            }
            Verdict::Fits => {}
            // What no password is stands there by another rule of the grammar.
            Verdict::Fails if *check == Check::Password => return false,
            // Chance is all that such a value has to show.
            Verdict::Fails if rule.value.is_some() && matches!(check, Check::Random(_)) => return false,
            Verdict::Fails => {
                candidate.notes.push(Note::CheckFails(check.name()));
                candidate.confidence = Confidence::Low;
            }
        }
    }
    true
}

/// Words that say of the value behind them that it is a digest.
const DIGESTS: &[&str] = &[
    "sha1",
    "sha-1",
    "sha2",
    "sha3",
    "sha512",
    "sha-512",
    "md5",
    "commit",
    "checksum",
    "digest",
    "integrity",
    "etag",
    "revision",
    "_hash",
    "-hash",
];

/// Whether what stands from a rule's name up to the value says that it is a digest, or an id: `acme_key_sha256 =`, `ACME_APP_ID=`.
fn names_something_else(rule: &Rule, before: &[u8]) -> bool {
    let lower = before.to_ascii_lowercase();
    if DIGESTS.iter().any(|word| memchr::memmem::find(&lower, word.as_bytes()).is_some()) {
        return true;
    }
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.".contains(byte);
    let end = before.iter().rposition(is_name).map_or(0, |at| at + 1);
    let is_id = match &before[..end] {
        [.., b'_' | b'-' | b'.', b'i' | b'I', b'd' | b'D'] => true,
        [.., before, b'I', b'd' | b'D'] => before.is_ascii_lowercase(),
        _ => false,
    };
    is_id && !rule.names.iter().any(|name| name.to_ascii_lowercase().ends_with("id"))
}

impl Dropped {
    fn holds(&self, rule: &Rule, bytes: &[u8], candidate: &Candidate) -> bool {
        let drop = &rule.drop;
        let secret = &bytes[candidate.secret.clone()];
        if drop.values.iter().any(|value| value.as_bytes() == secret) {
            return true;
        }
        if !drop.words.is_empty() {
            let lower = secret.to_ascii_lowercase();
            if drop
                .words
                .iter()
                .any(|word| memchr::memmem::find(&lower, word.to_ascii_lowercase().as_bytes()).is_some())
            {
                return true;
            }
        }
        let any = |kept: &OnceLock<Vec<Regex>>, written: &[String], text: &[u8]| {
            !written.is_empty() && kept.get_or_init(|| compiled(written)).iter().any(|regex| regex.is_match(text))
        };
        any(&self.regexes, &drop.regexes, secret) || any(&self.lines, &drop.lines, line(bytes, &candidate.whole))
    }
}

/// The lines that a match stands in, of long ones [`AROUND`] bytes on either side.
fn line<'a>(bytes: &'a [u8], whole: &Range<usize>) -> &'a [u8] {
    let before = &bytes[whole.start.saturating_sub(AROUND)..whole.start];
    let behind = &bytes[whole.end..(whole.end + AROUND).min(bytes.len())];
    let start = memchr::memrchr(b'\n', before).map_or(before.len(), |at| before.len() - at - 1);
    let end = memchr::memchr(b'\n', behind).unwrap_or(behind.len());
    &bytes[whole.start - start..whole.end + end]
}

/// How many bytes around a match the weighing of `rule` looks at.
pub fn margin(rule: &Rule) -> usize {
    if rule.drop.lines.is_empty() { EDGE } else { AROUND }
}

/// What edges are told by: an escape before the match, a byte behind it.
const EDGE: usize = 16;

/// How much of a line is looked at on either side of a match.
const AROUND: usize = 512;

fn compiled(regexes: &[String]) -> Vec<Regex> {
    let syntax = syntax::Config::new().utf8(false).unicode(false);
    let build = |regex: &String| Regex::builder().syntax(syntax).build(regex).ok();
    // One that is none was told when the rule was read.
    regexes.iter().filter_map(build).collect()
}

fn edges_allow(edges: Edges, bytes: &[u8], secret: &Range<usize>) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let (before, behind) = (&bytes[..secret.start], &bytes[secret.end..]);
    let last = before.last().copied().filter(|_| !ends_in_escape(before));
    match edges {
        Edges::None => true,
        Edges::Word => !last.is_some_and(word) && !behind.first().copied().is_some_and(word),
        Edges::Token => {
            let joins = |byte: u8| word(byte) || b"-+".contains(&byte);
            let glued_before = match last {
                // The two slashes of a URL.
                Some(b'/') => !before.ends_with(b"//"),
                Some(byte) => joins(byte),
                None => false,
            };
            let glued_behind = match behind {
                [b'.', next, ..] => word(*next),
                [byte, ..] => joins(*byte) || b"/=".contains(byte),
                [] => false,
            };
            !glued_before && !glued_behind
        }
    }
}

/// Whether the last bytes are an escape of a string, a URL or a terminal, whose letters are none of the text's.
fn ends_in_escape(before: &[u8]) -> bool {
    let hex = |bytes: &[u8]| bytes.iter().all(u8::is_ascii_hexdigit);
    let ends = |marks: &[u8], count: usize| {
        let at = before.len().checked_sub(marks.len() + count);
        at.is_some_and(|at| before[at..].starts_with(marks) && hex(&before[before.len() - count..]))
    };
    matches!(before, [.., b'\\', b'n' | b'r' | b't' | b'f' | b'v' | b'b' | b'0'])
        || ends(b"%", 2)
        || ends(b"\\x", 2)
        || ends(b"\\u", 4)
        || is_colour(before)
}

/// Whether the last bytes colour a terminal: `ESC [ 0 ; 3 1 m`.
fn is_colour(before: &[u8]) -> bool {
    let Some(codes) = before.strip_suffix(b"m") else { return false };
    let digits = codes.iter().rev().take(12).take_while(|byte| byte.is_ascii_digit() || **byte == b';').count();
    codes[..codes.len() - digits].ends_with(b"\x1b[")
}

/// Shannon entropy in bits a byte.
pub fn entropy(bytes: &[u8]) -> f64 {
    let mut counts = [0u32; 256];
    bytes.iter().for_each(|byte| counts[usize::from(*byte)] += 1);
    let length = bytes.len() as f64;
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|&count| f64::from(count) / length)
        .map(|share| -share * share.log2())
        .sum()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::{Engine, Ruleset};
    use super::*;

    fn found(rule: &str, text: &str) -> Vec<(String, Confidence, Vec<Note>)> {
        let rule = format!("[[rule]]\nid = 'a'\ntitle = 'A'\nseverity = 'high'\nkeywords = ['tok_']\n{rule}");
        let rules = Ruleset::new(Rule::parse_all(&rule, "test").unwrap()).unwrap();
        let mut found = Vec::new();
        Engine::new(rules, Vec::new()).unwrap().scan(text.as_bytes(), &mut found);
        let told = |found: Candidate| (text[found.secret].to_owned(), found.confidence, found.notes);
        found.into_iter().map(told).collect()
    }

    #[test]
    fn an_escape_before_is_no_letter_and_a_word_is() {
        let count = |text: &str| found("pattern = 'tok_[a-z]{4}'", text).len();
        for text in [
            "tok_qzyj",
            "x=tok_qzyj;",
            r"a\ntok_qzyj",
            "%22tok_qzyj%22",
            r"\u0022tok_qzyj",
            "\x1b[0;31mtok_qzyj\x1b[0m",
        ] {
            assert_eq!(count(text), 1, "{text}");
        }
        for text in ["atok_qzyj", "_tok_qzyj", "tok_qzyjx", "tok_qzyj_", "ntok_qzyj", "am tok_qzyj9"] {
            assert_eq!(count(text), 0, "{text}");
        }
    }

    #[test]
    fn token_edges_keep_out_parts_of_longer_tokens() {
        let count = |text: &str| found("edges = 'token'\npattern = 'tok_[a-z-]{4}'", text).len();
        for text in ["x=tok_qzyj", "https://tok_qzyj@host", "It is tok_qzyj.", "tok_qzyj.\n"] {
            assert_eq!(count(text), 1, "{text}");
        }
        for text in ["tok_qzyj-x", "tok_qzyj=", "tok_qzyj.x", "a/tok_qzyj", "-tok_qzyj", "tok_qzyj/x"] {
            assert_eq!(count(text), 0, "{text}");
        }
    }

    #[test]
    fn a_value_behind_the_name_of_an_id_or_a_digest_is_another() {
        let count = |text: &str| found("value = '[0-9a-f]{16}'\ncheck = 'random hex'", text).len();
        for text in [
            "tok_key=7f3b9d1c52ae4c0e",
            "tok_key: \"7f3b9d1c52ae4c0e\"",
            "tok_: {key: '7f3b9d1c52ae4c0e'}",
            "tok_valid => 7f3b9d1c52ae4c0e",
        ] {
            assert_eq!(count(text), 1, "{text}");
        }
        for text in [
            "tok_app_id=7f3b9d1c52ae4c0e",
            "tok_orgId: '7f3b9d1c52ae4c0e'",
            "tok_sha256 = 7f3b9d1c52ae4c0e",
            "tok_key=deadbeefdeadbeef",
        ] {
            assert!(
                count(text) == 0
                    || found("value = '[0-9a-f]{16}'\ncheck = 'random hex'", text)[0].1 == Confidence::Info,
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_on_a_drop_list_is_no_find() {
        let pattern = "pattern = 'tok_[a-z0-9]{8}'\n";
        let count = |drop: &str| found(&format!("{pattern}{drop}"), "# sum: tok_q7zyj2kw\n").len();
        assert_eq!(count(""), 1);
        assert_eq!(count("drop.values = ['tok_q7zyj2kw']"), 0);
        assert_eq!(count("drop.words = ['ZYJ']"), 0);
        assert_eq!(count("drop.regexes = ['[0-9]kw$']"), 0);
        assert_eq!(count("drop.lines = ['(?i)SUM']"), 0);
        assert_eq!(count("drop.lines = ['other']"), 1);
        assert_eq!(count("entropy = 4.0"), 0);
        assert_eq!(count("entropy = 3.0"), 1);
    }

    #[test]
    fn a_check_raises_and_lowers_and_a_placeholder_is_info() {
        let rule = "pattern = 'tok_[0-9A-Za-z]{36}'\ncheck = 'github-crc32'\nconfidence = 'medium'\nsamples = ['q7Xw2LmN9dRt']\n";
        let rest = "Kv4bKc8YzFh1GsJp5AeT0uWnEi";
        let sum = super::super::check::Check::GithubCrc32.sum(&format!("tok_J3xQ{rest}")).unwrap();
        assert_eq!(found(rule, &format!("tok_J3xQ{rest}{sum}"))[0].1, Confidence::High);
        let (_, confidence, notes) = found(rule, &format!("tok_J3xQ{rest}000000")).remove(0);
        assert_eq!((confidence, notes), (Confidence::Low, vec![Note::CheckFails("github-crc32")]));
        let (_, confidence, notes) = found(rule, "tok_q7Xw2LmN9dRtKv4bKc8YzFh1GsJp5AeT0uWn").remove(0);
        assert_eq!((confidence, notes), (Confidence::Info, vec![Note::Placeholder("shown in documentation")]));
        assert_eq!(found(rule, "tok_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")[0].1, Confidence::Info);
    }
}
