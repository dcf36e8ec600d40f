//! What may stay: entries that let findings through, and what became of each entry.
//!
//! An entry says what it covers and why; it comes from `.sealignore-secrets`, from `.gitleaksignore`, from the settings, or from
//! another scanner's settings ([`config`](crate::config) reads the latter two). Nothing is dropped: what is covered is suppressed,
//! counted, and kept in machine-readable reports.

use std::collections::HashMap;
use std::ops::Range;

use gix::bstr::{BStr, BString, ByteSlice as _};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use jiff::civil::Date;
use regex::bytes::Regex;
use sha2::{Digest as _, Sha256};

use super::baseline::Baseline;
use super::{Finding, Fingerprint, Place, Rule, RuleIndex, Ruleset, Source, Suppression};

/// What lets findings through.
#[derive(Debug, Default)]
pub struct Suppressing<'a> {
    /// Whether marks in the files count; a gate that must not trust the author says no.
    pub inline: bool,
    /// The entries.
    pub allow: &'a [Allow],
    /// What was known before.
    pub baseline: Option<&'a Baseline>,
    /// Seconds since 1970.
    pub now: i64,
}

/// An entry: what it covers, until when, and why.
#[derive(Debug, Default, Clone)]
pub struct Allow {
    /// The file and line, or the part of the settings, that it stands in.
    pub origin: String,
    /// Why.
    pub reason: String,
    /// The last day on which it counts.
    pub until: Option<Date>,
    /// Only finds of these rules, by id or by another tool's name for them; of all where empty.
    pub rules: Vec<String>,
    /// Whether all of the kinds of criteria below have to hold, or one of them.
    pub needs_all: bool,
    /// Fingerprints, or the first digits of one.
    pub fingerprints: Vec<String>,
    /// The first hexadecimal digits, 32 or more, of the SHA-256 of a secret.
    pub values: Vec<String>,
    /// Ids of commits.
    pub commits: Vec<String>,
    /// Paths.
    pub paths: Paths,
    /// Searched in the secret.
    pub secrets: Vec<Regex>,
    /// Searched in the whole match, as far as the excerpt has it.
    pub matches: Vec<Regex>,
    /// Searched in the line, as far as the excerpt has it.
    pub lines: Vec<Regex>,
    /// Words in the secret, in lower case.
    pub words: Vec<String>,
    /// Places, as `.gitleaksignore` names them.
    pub positions: Vec<Position>,
}

/// Paths by glob or by regular expression.
#[derive(Debug, Default, Clone)]
pub struct Paths {
    globs: Option<GlobSet>,
    regexes: Vec<Regex>,
}

/// A place as gitleaks names it: `commit:path:rule:line`, or without the commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    commit: Option<String>,
    path: BString,
    rule: String,
    line: usize,
}

/// Why a text is no list of entries.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {problem}")]
pub struct AllowError {
    /// The file as it was named.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong and what would be right.
    pub problem: String,
}

/// What became of the entries.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Applied {
    /// One for an entry, in their order.
    pub entries: Vec<Used>,
}

/// What became of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Used {
    /// Where it stands.
    pub origin: String,
    /// What it says.
    pub reason: String,
    /// When it ends, as a date.
    pub until: Option<String>,
    /// How many findings it covers, or would if it had not expired.
    pub findings: usize,
    /// Its last day has passed: it covers nothing.
    pub is_expired: bool,
    /// For how many days more it counts.
    pub days_left: Option<i64>,
}

impl Applied {
    /// Entries that cover nothing that is there.
    pub fn unused(&self) -> impl Iterator<Item = &Used> {
        self.entries.iter().filter(|entry| entry.findings == 0)
    }

    /// Entries that would cover something, had they not expired.
    pub fn expired(&self) -> impl Iterator<Item = &Used> {
        self.entries.iter().filter(|entry| entry.is_expired && entry.findings > 0)
    }

    /// Entries that cover something.
    pub fn used(&self) -> impl Iterator<Item = &Used> {
        self.entries.iter().filter(|entry| !entry.is_expired && entry.findings > 0)
    }
}

impl Suppressing<'_> {
    /// Suppresses what marks, entries and the baseline cover. What was suppressed before stays so.
    pub fn apply(&self, findings: &mut [Finding], rules: &Ruleset) -> Applied {
        let now = jiff::Timestamp::from_second(self.now).unwrap_or_default();
        let today = jiff::tz::TimeZone::UTC.to_datetime(now).date();
        let mut entries: Vec<Used> = self.allow.iter().map(|entry| entry.unused(today)).collect();
        for finding in findings.iter_mut() {
            let rule = rules.rule(finding.rule);
            let secret = Subject::new(finding, rule);
            let mut covering = vec![false; self.allow.len()];
            let possible: Vec<(usize, &Allow, Criteria)> = (self.allow.iter().enumerate())
                .filter_map(|(index, entry)| Some((index, entry, entry.of_secret(&secret)?)))
                .collect();
            let suppressions: Vec<Option<Suppression>> = (finding.places.iter())
                .map(|place| {
                    let mut found = place.suppressed.clone();
                    if let Some(mark) = place.mark.as_ref().filter(|_| self.inline) {
                        found.get_or_insert_with(|| Suppression::Inline {
                            mark: mark.mark.clone(),
                            reason: mark.reason.clone(),
                        });
                    }
                    for &(index, entry, of_secret) in &possible {
                        if entry.covers(&secret, of_secret, place) {
                            covering[index] = true;
                            if !entries[index].is_expired {
                                found.get_or_insert_with(|| entry.suppression());
                            }
                        }
                    }
                    if self.baseline.is_some_and(|baseline| baseline.covers(finding, place, rule)) {
                        found.get_or_insert(Suppression::Baseline);
                    }
                    found
                })
                .collect();
            for (place, suppressed) in finding.places.iter_mut().zip(suppressions) {
                place.suppressed = suppressed;
            }
            finding.settle_suppression();
            covering.iter().zip(&mut entries).for_each(|(covers, entry)| entry.findings += usize::from(*covers));
        }
        suppress_parts(findings);
        Applied { entries }
    }
}

/// What covers an object covers the parts of it that are bad for no other reason, in the places where they are parts of it.
fn suppress_parts(findings: &mut [Finding]) {
    type Covered = (Source, Range<usize>, Suppression);
    let mut wholes: HashMap<(Fingerprint, RuleIndex), Vec<Covered>> = HashMap::new();
    for whole in findings.iter().filter(|finding| finding.part_of.is_none()) {
        for place in &whole.places {
            if let Some(suppressed) = &place.suppressed {
                let covered = (place.source.clone(), place.whole.clone(), suppressed.clone());
                wholes.entry((whole.fingerprint, whole.rule)).or_default().push(covered);
            }
        }
    }
    for part in findings {
        let Some(covered) = part.part_of.and_then(|whole| wholes.get(&(whole, part.rule))) else { continue };
        for place in part.places.iter_mut().filter(|place| place.suppressed.is_none()) {
            let holds = |(source, span, _): &&Covered| *source == place.source && span.contains(&place.secret.start);
            place.suppressed = covered.iter().find(holds).map(|(.., suppressed)| suppressed.clone());
        }
        part.settle_suppression();
    }
}

/// What entries look at, once for a finding.
struct Subject<'a> {
    fingerprint: Fingerprint,
    rule: &'a Rule,
    secret: &'a [u8],
    lower: zeroize::Zeroizing<Vec<u8>>,
    sha256: String,
}

impl<'a> Subject<'a> {
    fn new(finding: &'a Finding, rule: &'a Rule) -> Self {
        let secret = finding.secret.expose();
        Self {
            fingerprint: finding.fingerprint,
            rule,
            secret,
            lower: secret.to_ascii_lowercase().into(),
            sha256: hex(&Sha256::digest(secret)),
        }
    }
}

/// Whether all of the criteria that an entry has hold, and whether one of them does.
#[derive(Debug, Clone, Copy)]
struct Criteria {
    all: bool,
    any: bool,
}

impl Criteria {
    /// Adds a criterion, which holds where one of its values does; an empty one is none.
    fn add<T>(&mut self, values: &[T], holds: impl FnMut(&T) -> bool) {
        if !values.is_empty() {
            let holds = values.iter().any(holds);
            self.all &= holds;
            self.any |= holds;
        }
    }
}

impl Allow {
    /// What it says of a secret wherever that stands; `None` where it can cover it nowhere.
    fn of_secret(&self, subject: &Subject<'_>) -> Option<Criteria> {
        if !self.rules.is_empty() && !self.rules.iter().any(|id| is_called(subject.rule, id)) {
            return None;
        }
        let has_word = |word: &String| memchr::memmem::find(&subject.lower, word.as_bytes()).is_some();
        let mut criteria = Criteria { all: true, any: false };
        criteria.add(&self.fingerprints, |typed| subject.fingerprint.is_meant_by(typed));
        criteria.add(&self.values, |digits| subject.sha256.starts_with(digits));
        criteria.add(&self.secrets, |regex| regex.is_match(subject.secret));
        criteria.add(&self.words, has_word);
        let depends = !self.commits.is_empty()
            || !self.paths.is_empty()
            || !self.matches.is_empty()
            || !self.lines.is_empty()
            || self.positions.iter().any(|position| is_called(subject.rule, &position.rule));
        let possible = if self.needs_all { criteria.all } else { criteria.any || depends };
        possible.then_some(criteria)
    }

    /// Whether it covers a secret in this place, whatever the day.
    fn covers(&self, subject: &Subject<'_>, of_secret: Criteria, place: &Place) -> bool {
        let (before, behind) = place.excerpt.sides();
        let around = |before: &[u8], behind: &[u8], regex: &Regex| {
            let text = zeroize::Zeroizing::new([before, subject.secret, behind].concat());
            regex.is_match(&text)
        };
        let mut criteria = of_secret;
        criteria.add(&self.commits, |id| commit_of(place).as_ref() == Some(id));
        if !self.paths.is_empty() {
            criteria.add(&[&self.paths], |paths| place.source.path().is_some_and(|path| paths.has(path.as_bstr())));
        }
        criteria.add(&self.matches, |regex| {
            let (before, behind) = place.around_secret();
            around(before, behind, regex)
        });
        criteria.add(&self.lines, |regex| around(before, behind, regex));
        criteria.add(&self.positions, |position| position.is(subject.rule, place));
        if self.needs_all { criteria.all } else { criteria.any }
    }

    /// Whether it says what it covers.
    pub fn has_criteria(&self) -> bool {
        let lists = [&self.fingerprints, &self.values, &self.commits, &self.words];
        let regexes = [&self.secrets, &self.matches, &self.lines];
        lists.iter().any(|list| !list.is_empty())
            || regexes.iter().any(|list| !list.is_empty())
            || !self.paths.is_empty()
            || !self.positions.is_empty()
    }

    fn suppression(&self) -> Suppression {
        Suppression::Allowed {
            entry: self.origin.clone(),
            reason: self.reason.clone(),
            until: self.until.map(|date| date.to_string()),
        }
    }

    fn unused(&self, today: Date) -> Used {
        let days_left = self.until.and_then(|until| today.until(until).ok()).map(|span| i64::from(span.get_days()));
        Used {
            origin: self.origin.clone(),
            reason: self.reason.clone(),
            until: self.until.map(|date| date.to_string()),
            findings: 0,
            is_expired: self.until.is_some_and(|until| until < today),
            days_left,
        }
    }

    /// The entries of a `.sealignore-secrets`: one a line, `#` before a remark.
    ///
    /// `fp:FINGERPRINT [GLOB] [until=DATE] # REASON`, `path:GLOB [RULE] [until=DATE] # REASON`,
    /// `value:SHA256 [until=DATE] # REASON`. `file` is its name for messages.
    pub fn parse_all(text: &str, file: &str) -> Result<Vec<Self>, AllowError> {
        let mut entries = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let (words, reason) = match line.trim_start().strip_prefix('#') {
                Some(_) => continue,
                None => line.split_once(" #").unwrap_or((line, "")),
            };
            let mut words = words.split_whitespace();
            let Some(first) = words.next() else { continue };
            let fail = |problem: String| AllowError { file: file.to_owned(), line: index + 1, problem };
            let mut entry = Self {
                origin: format!("{file}:{}", index + 1),
                reason: reason.trim().to_owned(),
                needs_all: true,
                ..Self::default()
            };
            let (kind, value) = first.split_once(':').unwrap_or((first, ""));
            match kind {
                "fp" if is_fingerprint(value) => entry.fingerprints.push(value.to_owned()),
                "fp" => return Err(fail("a fingerprint has 26 digits, of which 6 or more stand here".into())),
                "path" if !value.is_empty() => entry.paths.add_globs(&[value.to_owned()]).map_err(fail)?,
                "value" if value.len() >= 32 && value.len() <= 64 && value.bytes().all(|b| b.is_ascii_hexdigit()) => {
                    entry.values.push(value.to_ascii_lowercase());
                }
                "value" => return Err(fail("32 or more hexadecimal digits of a SHA-256 were expected".into())),
                _ => return Err(fail("an entry begins with fp:, path: or value:".into())),
            }
            for word in words {
                match (word.split_once('='), kind) {
                    (Some(("until", date)), _) => entry.until = Some(parse_date(date).map_err(fail)?),
                    (None, "fp") if entry.paths.is_empty() => {
                        entry.paths.add_globs(&[word.to_owned()]).map_err(fail)?
                    }
                    (None, "path") if entry.rules.is_empty() => entry.rules.push(word.to_owned()),
                    _ => return Err(fail("until=DATE or `# reason` was expected behind what it covers".into())),
                }
            }
            entries.push(entry);
        }
        Ok(entries)
    }

    /// The line that [`parse_all`](Self::parse_all) reads as an entry for this finding.
    pub fn line_for(fingerprint: Fingerprint, path: Option<&str>, until: Option<Date>, reason: &str) -> String {
        let path = path.map(|path| format!(" {path}")).unwrap_or_default();
        let until = until.map(|date| format!(" until={date}")).unwrap_or_default();
        // A reason is one line.
        let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
        let reason = if reason.is_empty() { reason } else { format!(" # {reason}") };
        format!("fp:{fingerprint}{path}{until}{reason}")
    }

    /// The entries of a `.gitleaksignore`, and the numbers of the lines that are none.
    pub fn parse_gitleaksignore(text: &str, file: &str) -> (Vec<Self>, Vec<usize>) {
        let mut entries = Vec::new();
        let mut bad = Vec::new();
        for (index, line) in text.lines().enumerate().map(|(index, line)| (index, line.trim())) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match Position::parse(line) {
                Some(position) => entries.push(Self {
                    origin: format!("{file}:{}", index + 1),
                    positions: vec![position],
                    ..Self::default()
                }),
                None => bad.push(index + 1),
            }
        }
        (entries, bad)
    }
}

/// A `.gitleaksignore` as lines of a `.sealignore-secrets`: a fingerprint for what is found, a remark for what is not.
pub fn migrate_gitleaksignore(text: &str, findings: &[Finding], rules: &Ruleset) -> String {
    let mut out = String::new();
    let mut written = std::collections::BTreeSet::new();
    for line in text.lines().map(str::trim) {
        let Some(position) = Position::parse(line).filter(|_| !line.starts_with('#')) else {
            out += &format!("{line}\n");
            continue;
        };
        let is_meant = |finding: &&Finding| {
            let rule = rules.rule(finding.rule);
            finding.places.iter().any(|place| position.is(rule, place))
        };
        let mut found = findings.iter().filter(is_meant).peekable();
        if found.peek().is_none() {
            out += &format!("# not found: {line}\n");
        }
        for finding in found.filter(|finding| written.insert(finding.fingerprint)) {
            out += &Allow::line_for(finding.fingerprint, None, None, &format!("was {line}"));
            out.push('\n');
        }
    }
    out
}

impl Position {
    /// Reads `commit:path:rule:line` or `path:rule:line`; the path may have colons.
    fn parse(text: &str) -> Option<Self> {
        let (rest, line) = text.rsplit_once(':')?;
        let (rest, rule) = rest.rsplit_once(':')?;
        let (commit, path) = match rest.split_once(':') {
            Some((commit, path)) if commit.len() >= 40 && commit.bytes().all(|b| b.is_ascii_hexdigit()) => {
                (Some(commit.to_ascii_lowercase()), path)
            }
            _ => (None, rest),
        };
        let line = line.parse().ok()?;
        Some(Self { commit, path: path.into(), rule: rule.to_owned(), line })
    }

    fn is(&self, rule: &Rule, place: &Place) -> bool {
        self.line == place.line
            && place.source.path() == Some(&self.path)
            && is_called(rule, &self.rule)
            && self.commit.as_ref().is_none_or(|commit| commit_of(place).as_ref() == Some(commit))
    }
}

impl Paths {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.globs.is_none() && self.regexes.is_empty()
    }

    /// Takes globs as git's ignore files have them: without a slash it is a name in any folder, and a folder stands for all that is
    /// in it.
    pub fn add_globs(&mut self, globs: &[String]) -> Result<(), String> {
        if globs.is_empty() {
            return Ok(());
        }
        let mut set = GlobSetBuilder::new();
        let fail = |glob: &str, error: &globset::Error| format!("`{glob}` is not a glob: {}", error.kind());
        for glob in globs {
            let anchored = glob.trim_end_matches('/');
            let any_folder = if anchored.contains('/') { "" } else { "**/" };
            let anchored = anchored.trim_start_matches('/');
            for pattern in [format!("{any_folder}{anchored}"), format!("{any_folder}{anchored}/**")] {
                let built = GlobBuilder::new(&pattern).literal_separator(true).build();
                set.add(built.map_err(|error| fail(glob, &error))?);
            }
        }
        self.globs = Some(set.build().map_err(|error| fail(&globs.join(" "), &error))?);
        Ok(())
    }

    /// Adds a regular expression, searched in the path.
    pub fn add_regex(&mut self, regex: Regex) {
        self.regexes.push(regex);
    }

    fn has(&self, path: &BStr) -> bool {
        self.globs.as_ref().is_some_and(|globs| globs.is_match(path.to_path_lossy()))
            || self.regexes.iter().any(|regex| regex.is_match(path))
    }
}

/// Whether a rule has this id, or another tool's name for it is this.
pub fn is_called(rule: &Rule, id: &str) -> bool {
    rule.id == id || rule.aliases.iter().any(|alias| alias == id)
}

/// The commit that brought a secret to its place.
fn commit_of(place: &Place) -> Option<String> {
    match (&place.source, &place.history) {
        (Source::Commit(id), _) => Some(id.to_string()),
        (_, Some(history)) => history.first.as_ref().map(|commit| commit.id.to_string()),
        _ => None,
    }
}

/// Reads a date as `2027-02-01`.
pub fn parse_date(text: &str) -> Result<Date, String> {
    text.parse().map_err(|_| format!("`{text}` is not a date such as 2027-02-01"))
}

/// Whether it can be a fingerprint, or the first digits of one.
pub fn is_fingerprint(text: &str) -> bool {
    let text = text.strip_prefix("F-").or_else(|| text.strip_prefix("f-")).unwrap_or(text);
    let digits = text.bytes().filter(|byte| *byte != b'-').count();
    (6..=26).contains(&digits) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use gix::ObjectId;

    use super::*;
    use crate::scan::{Candidate, CommitRef, Confidence, Findings, History, RuleIndex};

    const NOW: i64 = 1_795_000_000; // 2026-11-18

    fn rules() -> Ruleset {
        let text = "[[rule]]\nid = 'a-key'\ntitle = 'A'\nseverity = 'high'\nkeywords = ['aaa']\npattern = 'aaa'\naliases = ['a-token']\n\
                    [[rule]]\nid = 'b-key'\ntitle = 'B'\nseverity = 'low'\nkeywords = ['bbb']\npattern = 'bbb'\n";
        Ruleset::new(Rule::parse_all(text, "test").unwrap()).unwrap()
    }

    /// A finding of `secret` by a rule, in each of these files, on line 2.
    fn finding(rules: &Ruleset, rule: u16, secret: &str, paths: &[&str]) -> Finding {
        let mut findings = Findings::default();
        for path in paths {
            let text = format!("first\nkey = \"{secret}\" # end\n");
            let start = text.find(secret).unwrap();
            let candidate = Candidate {
                rule: RuleIndex(rule),
                whole: start - 1..start + secret.len() + 1,
                secret: start..start + secret.len(),
                decoded: None,
                layers: Vec::new(),
                confidence: Confidence::Medium,
                severity: None,
                notes: Vec::new(),
                key_path: None,
            };
            findings.add(rules, &Source::File((*path).into()), text.as_bytes(), vec![candidate]);
        }
        findings.finish(rules).remove(0)
    }

    /// What lets a finding through, and what became of the entries.
    fn apply(entries: &[Allow], finding: Finding) -> (Option<Suppression>, Applied) {
        let mut findings = vec![finding];
        let suppressing = Suppressing { inline: true, allow: entries, baseline: None, now: NOW };
        let applied = suppressing.apply(&mut findings, &rules());
        (findings.remove(0).suppressed, applied)
    }

    fn covers(lines: &str, finding: Finding) -> bool {
        apply(&Allow::parse_all(lines, "list").unwrap(), finding).0.is_some()
    }

    #[test]
    fn entries_cover_what_they_name_and_nothing_else() {
        let rules = rules();
        let one = |paths: &[&str]| finding(&rules, 0, "hunter2-hunter2", paths);
        let name = one(&["x"]).fingerprint;
        let (short, long) = (name.short(), name.to_string());
        for fingerprint in [&short, &long, &long.to_uppercase()] {
            assert!(covers(&format!("fp:{fingerprint}"), one(&["a/b.py"])));
        }
        assert!(!covers(&format!("fp:{long}"), finding(&rules, 0, "hunter3-hunter3", &["a/b.py"])));
        assert!(!covers(&format!("fp:{long}"), finding(&rules, 1, "hunter2-hunter2", &["a/b.py"])));
        assert!(covers(&format!("fp:{long} a/*.py"), one(&["a/b.py"])));
        assert!(!covers(&format!("fp:{long} a/*.py"), one(&["a/c/b.py"])));
        assert!(!covers(&format!("fp:{long} a/*.py"), one(&["a/b.py", "c/b.py"])), "it is in another place too");

        assert!(covers("path:docs", one(&["docs/deep/x.md"])) && covers("path:docs/", one(&["a/docs/x.md"])));
        assert!(!covers("path:docs", one(&["docs.md"])) && covers("path:*.md", one(&["a/b/c.md"])));
        assert!(covers("path:/a/**/c.md a-key", one(&["a/b/c.md"])) && covers("path:a/** a-token", one(&["a/b"])));
        assert!(!covers("path:a/** b-key", one(&["a/b"])));

        let hash = hex(&Sha256::digest("hunter2-hunter2"));
        assert!(
            covers(&format!("value:{}", &hash[..32]), one(&["x"])) && covers(&format!("value:{hash}"), one(&["x"]))
        );
        assert!(!covers(&format!("value:{}", &hash[1..33]), one(&["x"])));
    }

    #[test]
    fn entries_end_and_are_said_when_they_do() {
        let rules = rules();
        let one = finding(&rules, 0, "hunter2-hunter2", &["a"]);
        let list = "path:a until=2026-11-17 # over\npath:a until=2026-11-18 # today\n\n# remark\npath:zzz\n";
        let entries = Allow::parse_all(list, ".sealignore-secrets").unwrap();
        let (suppressed, applied) = apply(&entries, one);
        let until = Some("2026-11-18".to_owned());
        let entry = ".sealignore-secrets:2".to_owned();
        assert_eq!(suppressed, Some(Suppression::Allowed { entry, reason: "today".into(), until }));
        let origins = |of: &mut dyn Iterator<Item = &Used>| of.map(|used| used.origin.clone()).collect::<Vec<_>>();
        assert_eq!(origins(&mut applied.expired()), [".sealignore-secrets:1"]);
        assert_eq!(origins(&mut applied.used()), [".sealignore-secrets:2"]);
        assert_eq!(origins(&mut applied.unused()), [".sealignore-secrets:5"]);
        assert_eq!(applied.entries[1].days_left, Some(0));
    }

    #[test]
    fn lines_that_are_no_entries_are_errors_with_their_number() {
        for (line, problem) in [
            ("fp:abc", "a fingerprint has 26 digits, of which 6 or more stand here"),
            ("value:12", "32 or more hexadecimal digits of a SHA-256 were expected"),
            ("value:zz345678901234567890123456789012", "32 or more hexadecimal digits of a SHA-256 were expected"),
            ("hunter2", "an entry begins with fp:, path: or value:"),
            ("path:", "an entry begins with fp:, path: or value:"),
            ("path:a until=soon", "`soon` is not a date such as 2027-02-01"),
            ("path:a until=2026-02-30", "`2026-02-30` is not a date such as 2027-02-01"),
            ("path:a b c", "until=DATE or `# reason` was expected behind what it covers"),
            ("path:a[", "`a[` is not a glob: unclosed character class; missing ']'"),
        ] {
            let error = Allow::parse_all(&format!("# fine\n{line}\n"), "list").unwrap_err().to_string();
            assert_eq!(error, format!("list:2: {problem}"));
        }
    }

    #[test]
    fn a_line_that_is_written_is_read() {
        let rules = rules();
        let one = finding(&rules, 0, "hunter2-hunter2", &["a/b"]);
        let until = parse_date("2027-02-01").ok();
        let line = Allow::line_for(one.fingerprint, Some("a/*"), until, "two\nlines  here");
        assert!(line.ends_with(" a/* until=2027-02-01 # two lines here"), "{line}");
        assert!(covers(&line, one));
    }

    #[test]
    fn criteria_hold_all_or_any() {
        let rules = rules();
        let one = || finding(&rules, 0, "hunter2-hunter2", &["vendor/a"]);
        let regex = |text: &str| vec![Regex::new(text).unwrap()];
        let mut paths = Paths::default();
        paths.add_regex(Regex::new("^vendor/").unwrap());
        let entry = Allow { paths, secrets: regex("^nothing"), ..Allow::default() };
        assert!(apply(std::slice::from_ref(&entry), one()).0.is_some());
        assert!(apply(&[Allow { needs_all: true, ..entry }], one()).0.is_none());
        for (entry, covers) in [
            (Allow { secrets: regex("^hunter2"), ..Allow::default() }, true),
            (Allow { secrets: regex("key"), ..Allow::default() }, false),
            (Allow { matches: regex("^\"hunter2-hunter2\"$"), ..Allow::default() }, true),
            (Allow { matches: regex("key"), ..Allow::default() }, false),
            (Allow { lines: regex("^key = .* # end$"), ..Allow::default() }, true),
            (Allow { lines: regex("first"), ..Allow::default() }, false),
            (Allow { words: vec!["ter2-h".into()], ..Allow::default() }, true),
            (Allow { words: vec!["HUNTER".into()], ..Allow::default() }, false),
            (Allow { rules: vec!["b-key".into()], secrets: regex("."), ..Allow::default() }, false),
            (Allow { rules: vec!["a-token".into()], needs_all: true, ..Allow::default() }, true),
        ] {
            assert_eq!(apply(std::slice::from_ref(&entry), one()).0.is_some(), covers, "{entry:?}");
        }
    }

    #[test]
    fn gitleaks_positions_name_a_place_and_become_fingerprints() {
        let rules = rules();
        let id = ObjectId::from_hex("ab".repeat(20).as_bytes()).unwrap();
        let mut one = finding(&rules, 0, "hunter2-hunter2", &["a:b/c"]);
        let covers = |line: &str, finding: Finding| {
            let (entries, bad) = Allow::parse_gitleaksignore(line, ".gitleaksignore");
            assert!(bad.is_empty());
            apply(&entries, finding).0.is_some()
        };
        let again = || finding(&rules, 0, "hunter2-hunter2", &["a:b/c"]);
        assert!(covers("a:b/c:a-token:2\n", again()) && covers("# x\n\na:b/c:a-key:2", again()));
        assert!(!covers("a:b/c:a-key:3", again()) && !covers("a:b/c:b-key:2", again()));
        let with_commit = format!("{id}:a:b/c:a-token:2");
        assert!(!covers(&with_commit, again()));
        let (author, email, summary) = ("a".into(), "b".into(), "c".into());
        one.places[0].history =
            Some(History { first: Some(CommitRef { id, author, email, time: 0, summary }), ..History::default() });
        let text = format!("# kept\n{with_commit}\ngone:a-key:9\na:b/c:a-key:2\n");
        let migrated = migrate_gitleaksignore(&text, std::slice::from_ref(&one), &rules);
        let fingerprint = one.fingerprint;
        assert_eq!(migrated, format!("# kept\nfp:{fingerprint} # was {with_commit}\n# not found: gone:a-key:9\n"));
        assert!(covers(&with_commit, one));
        assert_eq!(Allow::parse_gitleaksignore("a:b\nx:y:z\n", "f").1, [1, 2]);
    }

    #[test]
    fn marks_count_only_where_they_may() {
        let rules = rules();
        let mut one = finding(&rules, 0, "hunter2-hunter2", &["a"]);
        one.places[0].mark = Some(crate::scan::Mark { mark: "seal:allow".into(), reason: "x".into() });
        let mut findings = vec![one];
        Suppressing::default().apply(&mut findings, &rules);
        assert_eq!(findings[0].suppressed, None);
        Suppressing { inline: true, ..Suppressing::default() }.apply(&mut findings, &rules);
        assert!(matches!(findings[0].suppressed, Some(Suppression::Inline { .. })));
    }

    #[test]
    fn baselines_of_three_tools_are_known() {
        let rules = rules();
        let one = || finding(&rules, 0, "hunter2-hunter2", &["src/a.py"]);
        let known = |text: &str| {
            let baseline = Baseline::parse(text, "b.json").unwrap();
            let mut findings = vec![one()];
            Suppressing { baseline: Some(&baseline), ..Suppressing::default() }.apply(&mut findings, &rules);
            findings[0].suppressed == Some(Suppression::Baseline)
        };
        assert!(known(&Baseline::of(&[one()]).to_text()));
        assert!(known(&format!(
            "{{\"schema\": \"seal.scan/1\", \"findings\": [{{\"fingerprint\": \"{}\"}}]}}",
            one().fingerprint
        )));
        let gitleaks = |rule: &str, file: &str, secret: &str, line: usize| {
            format!(
                "[{{\"RuleID\": \"{rule}\", \"File\": \"{file}\", \"Secret\": \"{secret}\", \"StartLine\": {line}}}]"
            )
        };
        assert!(known(&gitleaks("a-token", "src/a.py", "hunter2-hunter2", 9)));
        assert!(
            known(&gitleaks("a-key", "src/a.py", "REDACTED", 2)) && known(&gitleaks("a-key", "src/a.py", "hunt...", 2))
        );
        assert!(
            !known(&gitleaks("a-key", "src/a.py", "REDACTED", 3))
                && !known(&gitleaks("a-key", "src/b.py", "hunter2-hunter2", 2))
        );
        assert!(!known(&gitleaks("b-key", "src/a.py", "hunter2-hunter2", 2)));
        let detect = |hash: &str, path: &str| {
            format!(
                "{{\"version\": \"1.5.0\", \"results\": {{\"{path}\": [{{\"type\": \"x\", \"hashed_secret\": \"{hash}\", \"line_number\": 7}}]}}}}"
            )
        };
        // printf hunter2-hunter2 | sha1sum
        let hash = "ddf177405687b93ebc8ca2791ed4d3bcc6c94232";
        assert!(known(&detect(hash, "src/a.py")) && known(&detect(&hash.to_uppercase(), "src\\\\a.py")));
        assert!(!known(&detect(hash, "src/b.py")) && !known(&detect(&"0".repeat(40), "src/a.py")));
        for bad in [
            "",
            "{",
            "{}",
            "7",
            "{\"schema\": \"seal.baseline/1\", \"fingerprints\": [\"hunter2\"]}",
            "{\"schema\": \"seal.baseline/9\"}",
        ] {
            let error = Baseline::parse(bad, "b.json").unwrap_err().to_string();
            assert!(error.starts_with("b.json: ") && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn baselines_are_compared_pruned_and_merged() {
        let rules = rules();
        let make = |secret: &str| finding(&rules, 0, secret, &["a"]);
        let mut baseline = Baseline::of(&[make("old-secret-1"), make("kept-secret")]);
        let now = [make("kept-secret"), make("new-secret-1")];
        let difference = baseline.compare(&now);
        assert_eq!(difference.new, [now[1].fingerprint]);
        assert_eq!(difference.known, [now[0].fingerprint]);
        assert_eq!(difference.gone, [make("old-secret-1").fingerprint]);
        baseline.prune(&now);
        assert_eq!(baseline.to_text().lines().count(), 3 + 1 + 2);
        baseline.extend(Baseline::of(&now));
        let text = baseline.to_text();
        let lines: Vec<&str> = text.lines().filter(|line| line.len() > 20 && !line.contains("schema")).collect();
        assert!(lines.len() == 2 && lines[0].trim_end_matches(',') < lines[1], "{text}");
        assert_eq!(Baseline::of(&[]).to_text(), "{\n\"schema\": \"seal.baseline/1\",\n\"fingerprints\": [\n]\n}\n");
    }
}
