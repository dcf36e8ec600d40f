//! Weighs candidates by where their text lies and by each other.
//!
//! In order: what a rule says of paths; what cannot be a find in such a file at all (a lock file, generated code, a bare value where values are
//! quoted); stand-ins; pairs; the overlap of rules; and last the step down for tests and documentation.

use std::collections::HashMap;
use std::sync::{OnceLock, PoisonError, RwLock};

use gix::bstr::BStr;
use regex_automata::meta::Regex;
use regex_automata::util::syntax;

use super::placeholder::{is_default, placeholder};
use super::{Candidate, Confidence, Note, Rule, Ruleset, Specificity, pair};

/// What is known of the text that candidates were found in.
#[derive(Debug, Clone, Copy)]
pub struct Where<'a> {
    /// Its path, with `/`; none for messages and standard input.
    pub path: Option<&'a BStr>,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// A text keeps no more finds than this: the surest, then the first.
const MAX_FOUND: usize = 1_000;

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
            if is_generated || candidate.notes.contains(&Note::Bare) && !kind.has_bare_values {
                return false;
            }
            mark_stand_in(place.bytes, candidate);
        }
        true
    });
    pair(rules, place.bytes, &mut candidates);
    let mut kept = without_overlap(rules, candidates);
    if kind.is_test {
        kept.iter_mut().for_each(|candidate| lower(candidate));
    }
    if kept.len() > MAX_FOUND {
        kept.sort_by_key(|candidate| (std::cmp::Reverse(candidate.confidence), candidate.secret.start));
        kept.truncate(MAX_FOUND);
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

/// Of candidates whose secrets overlap the most specific rule's, then the surest, then the longest.
fn without_overlap(rules: &Ruleset, mut candidates: Vec<Candidate>) -> Vec<Candidate> {
    // A decoded secret shares its encoded run with its neighbours.
    let (decoded, mut plain): (Vec<_>, Vec<_>) =
        candidates.drain(..).partition(|candidate| !candidate.layers.is_empty());
    plain.sort_by_key(|candidate| (candidate.secret.start, candidate.secret.end));
    let rank = |candidate: &Candidate| {
        let length = candidate.secret.len();
        (rules.rule(candidate.rule).specificity(), candidate.confidence, length, std::cmp::Reverse(candidate.rule))
    };
    let mut kept: Vec<Candidate> = Vec::with_capacity(plain.len() + decoded.len());
    for candidate in plain {
        // What was kept does not overlap: those in the way are the last ones.
        let in_way = kept.iter().rev().take_while(|other| other.secret.end > candidate.secret.start).count();
        let rivals = kept.len() - in_way..kept.len();
        if kept[rivals.clone()].iter().all(|other| rank(&candidate) > rank(other)) {
            kept.truncate(rivals.start);
            kept.push(candidate);
        }
    }
    kept.extend(decoded);
    kept
}

/// What a path says of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Kind {
    /// A value needs no quotes.
    has_bare_values: bool,
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
    "integration",
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

impl Kind {
    fn of(path: Option<&[u8]>) -> Self {
        // Of a message or standard input nothing is known; it may well be a file of settings.
        let Some(path) = path else { return Self { has_bare_values: true, ..Self::default() } };
        let path = path.to_ascii_lowercase();
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(&path);
        let is_one_of = |word: &[u8], words: &[&str]| words.iter().any(|known| known.as_bytes() == word);
        let mut endings = name.rsplit(|byte| *byte == b'.');
        let ending = endings.next().unwrap_or(name);
        let before = endings.next().unwrap_or_default();
        let is_prose = is_one_of(
            ending,
            &[
                "md", "markdown", "mdx", "rst", "adoc", "asciidoc", "txt", "html", "htm", "tex", "po", "pot", "ipynb",
                "1", "3", "5", "8",
            ],
        );
        let has = |within: &str| memchr::memmem::find(&path, within.as_bytes()).is_some();
        let words = path.split(|byte| !byte.is_ascii_alphanumeric());
        Self {
            has_bare_values: !is_prose
                && (is_one_of(ending, BARE)
                    || name.starts_with(b".env")
                    || name.starts_with(b"env.")
                    || name.starts_with(b"dockerfile")
                    || name.starts_with(b"containerfile")
                    || ending == b"dockerfile"
                    || name.starts_with(b"makefile")
                    || name.starts_with(b"docker-compose")
                    || is_one_of(before, &["env", "yaml", "yml", "properties", "conf", "ini"])
                    || !name.contains(&b'.')),
            is_test: is_prose && ending != b"txt"
                || words
                    .clone()
                    .any(|word| is_one_of(word, TESTS) || word.ends_with(b"test") || word.ends_with(b"tests")),
            is_generated: is_one_of(
                ending,
                &[
                    "lock",
                    "map",
                    "sum",
                    "pb",
                    "svg",
                    "snap",
                    "ipynb",
                    "po",
                    "pot",
                    "csr",
                    "crt",
                    "pem",
                    "pub",
                    "asc",
                    "sig",
                    "tsbuildinfo",
                    "rsp",
                    "kat",
                ],
            ) || is_one_of(name, LOCK_FILES)
                || before == b"min"
                || name.ends_with(b".pb.go")
                || [
                    ".min.",
                    "-lock.",
                    ".lock.",
                    "wycheproof",
                    "/vectors/",
                    "_vectors.",
                    "test_vectors",
                    "testvectors",
                    "/locales/",
                    "/locale/",
                    "/i18n/",
                    "/translations/",
                    "/cassettes/",
                    "node_modules/.cache",
                ]
                .iter()
                .any(|part| has(part)),
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
