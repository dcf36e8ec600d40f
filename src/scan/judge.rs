//! Weighs candidates by where their text lies and by each other.
//!
//! In order: what a rule says of paths; what cannot be a find in such a file at all (a lock file, generated code, a bare value where values are
//! quoted); stand-ins; pairs; the overlap of rules; and last the step down for tests and documentation.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::{OnceLock, PoisonError, RwLock};

use gix::bstr::BStr;
use regex_automata::meta::Regex;
use regex_automata::util::syntax;

use super::generic::is_chosen;
use super::placeholder::{is_default, placeholder};
use super::{Candidate, Confidence, Note, Rule, Ruleset, Specificity, most_specific, pair};

/// What is known of the text that candidates were found in.
#[derive(Debug, Clone, Copy)]
pub struct Where<'a> {
    /// Its path, with `/`; none for messages and standard input.
    pub path: Option<&'a BStr>,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// A line of this many bytes is written by a program.
const LONG_LINE: usize = 64 * 1024;

/// The candidates that remain in this place, surest first where they overlap, by offset.
pub fn judge(rules: &Ruleset, place: Where<'_>, mut candidates: Vec<Candidate>) -> Vec<Candidate> {
    if candidates.is_empty() {
        return candidates;
    }
    let kind = Kind::of(place.path.map(|path| -> &[u8] { path }));
    let is_generated = kind.is_generated || has_long_line(place.bytes);
    candidates.retain_mut(|candidate| {
        let rule = rules.rule(candidate.rule);
        if !on_its_paths(rule, place.path) {
            return false;
        }
        if rule.specificity() == Specificity::Generic {
            let is_bare = candidate.notes.contains(&Note::Bare) && !kind.has_bare_values;
            if is_generated || is_bare && !(kind.is_prose && is_shown_in_prose(rule, place.bytes, candidate)) {
                return false;
            }
            if kind.is_settings && !kind.is_test {
                trust_settings(rule, place.bytes, candidate);
            }
            mark_stand_in(place.bytes, candidate);
        }
        true
    });
    pair(rules, place.bytes, &mut candidates);
    let mut kept = without_overlap(rules, candidates);
    for candidate in &mut kept {
        if kind.is_test || in_doctest(place.bytes, candidate.whole.start) {
            lower(candidate);
        }
    }
    kept.sort_by_key(|candidate| (candidate.secret.start, candidate.secret.end, candidate.rule));
    kept
}

/// Makes of a stand-in what is shown when asked for. Rules with a pattern have theirs marked when they match.
fn mark_stand_in(bytes: &[u8], candidate: &mut Candidate) {
    let secret = match &candidate.decoded {
        Some(decoded) => decoded.expose(),
        None => &bytes[candidate.secret.clone()],
    };
    let how = placeholder(secret, 0).or_else(|| is_default(secret).then_some("a password that everybody tries first"));
    if let Some(how) = how {
        candidate.confidence = Confidence::Info;
        candidate.notes.push(Note::Placeholder(how));
    }
}

/// In a file of settings the words of a password are what somebody chose for it.
fn trust_settings(rule: &Rule, bytes: &[u8], candidate: &mut Candidate) {
    let secret = &bytes[candidate.secret.clone()];
    if candidate.confidence == Confidence::Low
        && rule.id == "generic-password"
        && candidate.decoded.is_none()
        && is_chosen(secret)
        // One word without quotes is a value; within quotes it may be what a form shows.
        && (candidate.notes.contains(&Note::Bare) || secret.iter().any(|byte| b"-_.".contains(byte)))
    {
        candidate.confidence = Confidence::Medium;
    }
}

/// Whether a value without quotes is a password in prose: of all four kinds of characters, as nothing else in a sentence is.
fn is_shown_in_prose(rule: &Rule, bytes: &[u8], candidate: &mut Candidate) -> bool {
    let secret = &bytes[candidate.secret.clone()];
    let has = |kind: fn(&u8) -> bool| secret.iter().any(kind);
    candidate.confidence = Confidence::Low;
    rule.id == "generic-password"
        && (8..=24).contains(&secret.len())
        && has(u8::is_ascii_lowercase)
        && has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_digit)
        && secret.iter().any(|byte| b"!#$%&*@^+?~".contains(byte))
}

/// Whether a place is in an example within documentation: a line that shows what is typed, as Python's do.
fn in_doctest(bytes: &[u8], at: usize) -> bool {
    let before = &bytes[at.saturating_sub(LONG_SAMPLE)..at];
    let start = memchr::memrchr(b'\n', before).map_or(0, |line| line + 1);
    before[start..].trim_ascii_start().starts_with(b">>> ")
}

/// No line of an example is longer.
const LONG_SAMPLE: usize = 200;

/// One step less sure, unless a check says that it is real.
fn lower(candidate: &mut Candidate) {
    if candidate.notes.iter().any(|note| matches!(note, Note::CheckPasses(_))) {
        return;
    }
    let lowered = candidate.confidence.lowered();
    if lowered != candidate.confidence {
        candidate.confidence = lowered;
        candidate.notes.push(Note::TestPath);
    }
}

/// Of candidates whose secrets overlap the one that says most. What was decoded shares its encoded run with its neighbours: they all stay, and what
/// is known of the run itself by its name goes.
fn without_overlap(rules: &Ruleset, candidates: Vec<Candidate>) -> Vec<Candidate> {
    let (decoded, mut kept): (Vec<_>, Vec<_>) =
        candidates.into_iter().partition(|candidate| !candidate.layers.is_empty());
    let is_generic = |candidate: &Candidate| rules.rule(candidate.rule).specificity() == Specificity::Generic;
    let by_name: HashMap<Range<usize>, Confidence> = kept
        .iter()
        .filter(|candidate| is_generic(candidate))
        .map(|candidate| (candidate.secret.clone(), candidate.confidence))
        .collect();
    most_specific(rules, &mut kept);
    // Where the name is surer than a shape that says little, both together are as sure as the name.
    for candidate in kept.iter_mut().filter(|candidate| candidate.confidence == Confidence::Low) {
        let is_refuted = candidate.notes.iter().any(|note| matches!(note, Note::CheckFails(_)));
        if let Some(confidence) = by_name.get(&candidate.secret).filter(|_| !is_refuted) {
            candidate.confidence = candidate.confidence.max(*confidence);
        }
    }
    if !decoded.is_empty() {
        let runs: BTreeMap<usize, usize> = decoded.iter().map(|found| (found.secret.start, found.secret.end)).collect();
        kept.retain(|candidate| {
            let run = runs.range(..candidate.secret.end).next_back();
            !is_generic(candidate) || run.is_none_or(|(_, end)| *end <= candidate.secret.start)
        });
    }
    kept.extend(decoded);
    kept
}

/// What a path says of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Kind {
    /// A value needs no quotes.
    has_bare_values: bool,
    /// It holds settings, and no text for people.
    is_settings: bool,
    /// It is a text to read.
    is_prose: bool,
    /// Tests, examples, documentation.
    is_test: bool,
    /// Lock files, minified code, source maps, test vectors, recordings: written by programs.
    is_generated: bool,
}

/// Endings of files in which a value needs no quotes.
const BARE: &[&str] = &[
    "bash",
    "bashrc",
    "bat",
    "cfg",
    "cmd",
    "cnf",
    "conf",
    "config",
    "credentials",
    "env",
    "envrc",
    "fish",
    "htpasswd",
    "ini",
    "j2",
    "ksh",
    "mak",
    "mk",
    "my",
    "netrc",
    "npmrc",
    "pgpass",
    "plist",
    "profile",
    "properties",
    "ps1",
    "pypirc",
    "reg",
    "sh",
    "sql",
    "strings",
    "template",
    "tf",
    "tfvars",
    "toml",
    "tpl",
    "txt",
    "xml",
    "yaml",
    "yml",
    "zsh",
    "zshrc",
    "zshenv",
    "bash_profile",
    "bash_history",
    "zsh_history",
    "s3cfg",
    "gitconfig",
    "log",
    "service",
    "unit",
    "secret",
    "secrets",
    "local",
    "production",
    "hcl",
    "nomad",
    "http",
    "rest",
    "desktop",
    "inc",
    "ldif",
    "robot",
    "sls",
];

/// Words in a path that say test, example or documentation.
const TESTS: &[&str] = &[
    "test",
    "tests",
    "testing",
    "testdata",
    "spec",
    "specs",
    "fixture",
    "fixtures",
    "mock",
    "mocks",
    "mocked",
    "example",
    "examples",
    "sample",
    "samples",
    "demo",
    "demos",
    "doc",
    "docs",
    "documentation",
    "e2e",
    "bench",
    "benches",
    "benchmark",
    "benchmarks",
    "stub",
    "stubs",
    "fake",
    "fakes",
    "dummy",
    "snapshots",
    "cassettes",
    "readme",
    "changelog",
    "changes",
    "tutorial",
    "tutorials",
    "unittest",
    "unittests",
    "testutil",
    "testutils",
    "vectors",
    "wycheproof",
    "man",
    "howto",
    "faq",
    "testcase",
    "testcases",
    "selftest",
    "fuzz",
    "corpus",
    "golden",
];

/// Endings of prose, in which a value needs quotes to be one.
const PROSE: &[&str] = &["1", "3", "5", "7", "8", "adoc", "asciidoc", "markdown", "md", "mdx", "rst", "tex", "textile"];

/// Endings of what programs write: locks, maps, pictures, translations, certificates, signatures, answers of test vectors.
const GENERATED: &[&str] = &[
    "asc",
    "crt",
    "csr",
    "kat",
    "lock",
    "map",
    "pb",
    "pem",
    "po",
    "pot",
    "pub",
    "rsp",
    "sig",
    "snap",
    "sum",
    "svg",
    "tsbuildinfo",
];

/// Parts of the paths of such files, where a `/` stands before the path.
const GENERATED_PARTS: &[&str] = &[
    "-lock.",
    ".lock.",
    ".min.",
    ".pb.go",
    "/cassettes/",
    "/i18n/",
    "/locale/",
    "/locales/",
    "/translations/",
    "/vectors/",
    "_vectors.",
    "test_vectors",
    "testvectors",
    "wycheproof",
];

impl Kind {
    fn of(path: Option<&[u8]>) -> Self {
        // Of a message or standard input nothing is known; it may well be a file of settings.
        let Some(path) = path else {
            return Self { has_bare_values: true, is_settings: true, ..Self::default() };
        };
        let lower = [b"/", path.to_ascii_lowercase().as_slice()].concat();
        let name = lower.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        let is_one_of = |word: &[u8], words: &[&str]| words.iter().any(|known| known.as_bytes() == word);
        let mut endings = name.rsplit(|byte| *byte == b'.');
        let ending = endings.next().unwrap_or_default();
        let before = endings.next().unwrap_or_default();
        let starts = |with: &[&str]| with.iter().any(|with| name.starts_with(with.as_bytes()));
        let has = |part: &&str| memchr::memmem::find(&lower, part.as_bytes()).is_some();
        let is_prose = is_one_of(ending, PROSE);
        let has_bare_values = !name.contains(&b'.')
            || name.starts_with(b".") && name.ends_with(b"rc")
            || is_one_of(ending, BARE)
            || starts(&[".env", "env.", "dockerfile", "containerfile", "makefile", "docker-compose"])
            || is_one_of(before, &["env", "yaml", "yml", "properties", "conf", "ini"]);
        let is_word_of_test = |word: &[u8]| {
            is_one_of(&word.to_ascii_lowercase(), TESTS)
                || [b"Test".as_slice(), b"Tests", b"Spec"].iter().any(|end| word.ends_with(end))
        };
        Self {
            has_bare_values: has_bare_values && !is_prose,
            is_settings: has_bare_values && !is_prose && ending != b"txt"
                || is_one_of(ending, &["json", "json5", "jsonc", "exs", "edn"])
                || starts(&["settings.", "config.", "local_settings."]),
            is_prose: is_prose || ending == b"eml",
            is_test: is_prose || path.split(|byte| !byte.is_ascii_alphanumeric()).any(is_word_of_test),
            is_generated: is_one_of(ending, GENERATED)
                || is_one_of(name, LOCK_FILES)
                || GENERATED_PARTS.iter().any(has),
        }
    }
}

/// Files of package managers that hold hashes.
const LOCK_FILES: &[&str] = &[
    "package-lock.json",
    "npm-shrinkwrap.json",
    "pnpm-lock.yaml",
    "yarn.lock",
    "cargo.lock",
    "go.sum",
    "go.work.sum",
    "poetry.lock",
    "pipfile.lock",
    "uv.lock",
    "composer.lock",
    "gemfile.lock",
    "flake.lock",
    "packages.lock.json",
    "deno.lock",
    "bun.lock",
    "pubspec.lock",
    "podfile.lock",
    "mix.lock",
    "gradle.lockfile",
    "package.resolved",
    "cargo-checksum.json",
    ".cargo-checksum.json",
    "manifest.json.sig",
    "checksums.txt",
    "sha256sums",
    "sha512sums",
    ".terraform.lock.hcl",
    "shrinkwrap.yaml",
    "module.bazel.lock",
    "project.assets.json",
];

/// Whether a line is as long as only programs write it.
fn has_long_line(bytes: &[u8]) -> bool {
    if bytes.len() < LONG_LINE {
        return false;
    }
    let mut start = 0;
    while bytes.len() - start >= LONG_LINE {
        // The last line end of the next stretch: without one there, the line is longer.
        match memchr::memrchr(b'\n', &bytes[start..start + LONG_LINE]) {
            Some(end) => start += end + 1,
            None => return true,
        }
    }
    false
}

/// Whether a rule's `paths` and `not_paths` let it speak here. Without a path, rules for certain paths say nothing.
fn on_its_paths(rule: &Rule, path: Option<&BStr>) -> bool {
    let any = |regexes: &[String], path: &[u8]| regexes.iter().any(|regex| matches(regex, path));
    match path {
        None => rule.paths.is_empty(),
        Some(path) => (rule.paths.is_empty() || any(&rule.paths, path)) && !any(&rule.not_paths, path),
    }
}

/// Whether a path matches a regular expression of a rule; none that is not one does, as was said when the rule was read.
fn matches(regex: &str, path: &[u8]) -> bool {
    static COMPILED: OnceLock<RwLock<HashMap<String, Option<Regex>>>> = OnceLock::new();
    let compiled = COMPILED.get_or_init(RwLock::default);
    let is_match = |regex: &Option<Regex>| regex.as_ref().is_some_and(|regex| regex.is_match(path));
    if let Some(known) = compiled.read().unwrap_or_else(PoisonError::into_inner).get(regex) {
        return is_match(known);
    }
    let syntax = syntax::Config::new().utf8(false).unicode(false);
    let built = Regex::builder().syntax(syntax).build(regex).ok();
    let is_match = is_match(&built);
    compiled.write().unwrap_or_else(PoisonError::into_inner).insert(regex.to_owned(), built);
    is_match
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::generic::Generic;
    use super::super::{Engine, Layer, Rule};
    use super::*;

    const RULES: &str = "
        [[rule]]
        id = 'generic-password'
        title = 'password'
        severity = 'medium'
        detector = 'generic-password'
        [[rule]]
        id = 'generic-assignment'
        title = 'token'
        severity = 'medium'
        detector = 'generic-assignment'
        [[rule]]
        id = 'acme'
        provider = 'Acme'
        title = 'Acme token'
        severity = 'high'
        keywords = ['acme_']
        pattern = 'acme_[0-9a-z]{12,24}'
        confidence = 'high'
        not_paths = ['^vendor/']
        [[rule]]
        id = 'hex'
        title = 'hex'
        severity = 'low'
        confidence = 'low'
        keywords = ['secret']
        pattern = 'secret = \"([0-9a-f]{32})\"'";

    /// The rules and confidences of what is found in a file of this path.
    fn judged(path: Option<&str>, text: &str) -> Vec<(String, Confidence)> {
        let rules = Ruleset::new(Rule::parse_all(RULES, "test").unwrap()).unwrap();
        let generic = Generic::new(&rules);
        let engine = Engine::new(rules, vec![Box::new(generic)]).unwrap();
        let mut found = Vec::new();
        engine.scan(text.as_bytes(), &mut found);
        let place = Where { path: path.map(|path| path.into()), bytes: text.as_bytes() };
        let told = |candidate: &Candidate| (engine.rules().rule(candidate.rule).id.clone(), candidate.confidence);
        judge(engine.rules(), place, found).iter().map(told).collect()
    }

    fn one(rule: &str, confidence: Confidence) -> Vec<(String, Confidence)> {
        vec![(rule.to_owned(), confidence)]
    }

    #[test]
    fn bare_values_count_where_the_format_makes_them_values() {
        let text = "password: kestrel-Mq71\n";
        for path in ["app.yaml", ".env", "a/b.properties", "Dockerfile", "deploy/.env.production", "values.yaml.gotmpl"]
        {
            assert_eq!(judged(Some(path), text), one("generic-password", Confidence::Medium), "{path}");
        }
        for path in ["main.go", "README.md", "index.html", "lib.rs"] {
            assert_eq!(judged(Some(path), text), [], "{path}");
        }
        assert_eq!(judged(None, text), one("generic-password", Confidence::Medium));
    }

    #[test]
    fn tests_and_documentation_are_a_step_less_sure() {
        let text = "password = \"kestrel-Mq71\"\nx = acme_q7x2m9k4v8z1\n";
        let of = |path| judged(Some(path), text).into_iter().map(|(_, confidence)| confidence).collect::<Vec<_>>();
        assert_eq!(of("src/app.py"), [Confidence::Medium, Confidence::High]);
        for path in [
            "tests/app.py",
            "app_test.go",
            "src/test/java/App.java",
            "docs/app.py",
            "README.md",
            "examples/a.py",
            "AppTests.cs",
        ] {
            assert_eq!(of(path), [Confidence::Low, Confidence::Medium], "{path}");
        }
        let shown = judged(Some("a.py"), "    >>> login(password=\"kestrel-Mq71\")\n");
        assert_eq!(shown, one("generic-password", Confidence::Low));
        for path in ["src/latest/app.py", "contest.py", "attestation.py"] {
            assert_eq!(of(path), [Confidence::Medium, Confidence::High], "{path}");
        }
    }

    #[test]
    fn generated_files_have_no_values_by_name() {
        let text = "password = \"kestrel-Mq71\"\nx = acme_q7x2m9k4v8z1\n";
        for path in ["package-lock.json", "app.min.js", "go.sum", "bundle.js.map", "web/yarn.lock", "locales/de.json"] {
            assert_eq!(judged(Some(path), text), one("acme", Confidence::High), "{path}");
        }
        let long = format!("{}\n{text}", "x=1;".repeat(LONG_LINE / 4));
        assert_eq!(judged(Some("app.js"), &long), one("acme", Confidence::High));
        let short = format!("{}\n{text}", "x=1;\n".repeat(LONG_LINE / 4));
        assert_eq!(judged(Some("app.js"), &short).len(), 2);
    }

    #[test]
    fn stand_ins_and_defaults_are_shown_when_asked_for() {
        for value in ["changeme", "Password123", "replace-me", "xxxxxxxxxxxx", "hunter2"] {
            let text = format!("password = \"{value}\"");
            assert_eq!(judged(Some("a.py"), &text), one("generic-password", Confidence::Info), "{value}");
        }
    }

    #[test]
    fn one_find_a_secret_and_rules_keep_to_their_paths() {
        let text = "api_token = \"acme_q7x2m9k4v8z1w3\"";
        assert_eq!(judged(Some("a.py"), text), one("acme", Confidence::High));
        assert_eq!(judged(Some("vendor/a.py"), text), one("generic-assignment", Confidence::Medium));
    }

    #[test]
    fn a_shape_that_says_little_is_as_sure_as_the_name() {
        let value = "9c41e07ab35d82f6";
        let text = format!("secret = \"{value}{}\"", "2d70b8e6139fa54c");
        assert_eq!(judged(Some("a.py"), &text), one("hex", Confidence::Medium));
        assert_eq!(judged(Some("a_test.py"), &text), one("hex", Confidence::Low));
    }

    #[test]
    fn what_was_decoded_replaces_what_the_name_said() {
        let rules = Ruleset::new(Rule::parse_all(RULES, "test").unwrap()).unwrap();
        let candidate = |rule: &str, layers: Vec<Layer>| Candidate {
            rule: rules.index(rule).unwrap(),
            whole: 0..40,
            secret: 10..40,
            decoded: None,
            layers,
            confidence: Confidence::High,
            severity: None,
            notes: Vec::new(),
            key_path: None,
        };
        let found = vec![
            candidate("generic-password", Vec::new()),
            candidate("acme", vec![Layer::Base64]),
            candidate("acme", vec![Layer::Base64]),
        ];
        let place = Where { path: None, bytes: &[b'x'; 40] };
        let kept = judge(&rules, place, found);
        assert_eq!(kept.iter().map(|found| found.layers.len()).collect::<Vec<_>>(), [1, 1]);
    }
}
