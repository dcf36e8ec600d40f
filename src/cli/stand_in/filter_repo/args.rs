//! The command line of git-filter-repo, read by its rules: any unique beginning of an option, path options in their order.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

use gix::ObjectId;
use regex::bytes::{Regex, RegexBuilder};

use crate::scrub::{
    Mailmap, PathChange, PathChanges, PathRule, PathSelection, Pruning, Replacements, TagRename, Template, When,
};

/// What is asked for.
#[derive(Default)]
pub struct Options {
    pub paths: PathChanges,
    pub replace_text: Option<Replacements>,
    pub replace_message: Option<Replacements>,
    pub largest_blob: Option<u64>,
    pub blobs: HashSet<ObjectId>,
    pub tag_rename: Option<TagRename>,
    pub mailmap: Option<Mailmap>,
    pub keeps_commit_hashes: bool,
    pub keeps_encoding: bool,
    pub replace_refs: Option<ReplaceRefs>,
    pub pruning: Pruning,
    pub removes_sensitive_data: bool,
    pub no_fetch: bool,
    pub force: bool,
    pub partial: bool,
    pub no_gc: bool,
    pub refs: Vec<String>,
    pub dry_run: bool,
    pub quiet: bool,
    pub analyze: bool,
    pub report_dir: Option<OsString>,
    /// Whether history comes as a stream, not from the repository.
    pub stdin: bool,
    /// The repository that history comes from, if it is another one.
    pub source: Option<OsString>,
    /// The repository that it goes to, if it is another one.
    pub target: Option<OsString>,
}

/// What becomes of refs below `refs/replace`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplaceRefs {
    /// Those that were there go.
    DeleteNoAdd,
    /// They go, and each commit that changed gets one.
    DeleteAndAdd,
    /// They follow.
    UpdateNoAdd,
    /// They follow, and commits that changed get one unless one leads to them.
    UpdateOrAdd,
    /// They follow, and each commit that changed gets one.
    UpdateAndAdd,
    /// As `UpdateAndAdd` the first time, then as `UpdateOrAdd`.
    OldDefault,
}

/// Another end than running.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    /// Help was asked for.
    Help,
    /// The version was.
    Version,
    /// The words are not a command line: said with the usage, exit code 2.
    Misuse(String),
    /// They ask for what cannot be, exit code 1.
    Stop(String),
    /// They ask for what only the real one does, exit code 2.
    Cannot(String),
}

/// How many words an option takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    Nothing,
    One,
    Some,
}

use Takes::{Nothing, One, Some as Several};

/// The options, in the order of its help: names that mean the same, and what they take.
#[rustfmt::skip]
const OPTIONS: [(&[&str], Takes); 51] = [
    (&["--analyze"], Nothing), (&["--report-dir"], One), (&["--invert-paths"], Nothing),
    (&["--path-match", "--path"], One), (&["--path-glob"], One), (&["--path-regex"], One),
    (&["--use-base-name"], Nothing), (&["--path-rename", "--path-rename-match"], One), (&["--paths"], One),
    (&["--paths-from-file"], One), (&["--subdirectory-filter"], One), (&["--to-subdirectory-filter"], One),
    (&["--replace-text"], One), (&["--strip-blobs-bigger-than"], One), (&["--strip-blobs-with-ids"], One),
    (&["--tag-rename"], One), (&["--replace-message"], One), (&["--preserve-commit-hashes"], Nothing),
    (&["--preserve-commit-encoding"], Nothing), (&["--mailmap"], One), (&["--use-mailmap"], Nothing),
    (&["--replace-refs"], One), (&["--prune-empty"], One), (&["--prune-degenerate"], One), (&["--no-ff"], Nothing),
    (&["--filename-callback"], One), (&["--file-info-callback"], One), (&["--message-callback"], One),
    (&["--name-callback"], One), (&["--email-callback"], One), (&["--refname-callback"], One),
    (&["--blob-callback"], One), (&["--commit-callback"], One), (&["--tag-callback"], One),
    (&["--reset-callback"], One), (&["--sensitive-data-removal", "--sdr"], Nothing), (&["--no-fetch"], Nothing),
    (&["--source"], One), (&["--target"], One), (&["--date-order"], Nothing), (&["--help", "-h"], Nothing),
    (&["--version"], Nothing), (&["--proceed"], Nothing), (&["--force", "-f"], Nothing), (&["--partial"], Nothing),
    (&["--no-gc"], Nothing), (&["--refs"], Several), (&["--dry-run"], Nothing), (&["--debug"], Nothing),
    (&["--quiet"], Nothing), (&["--stdin"], Nothing),
];

/// Options that only the real one has.
const ELSEWHERE: [(&[&str], Takes); 1] = [(&["--state-branch"], One)];

const WHENS: [(&str, When); 3] = [("always", When::Always), ("auto", When::Auto), ("never", When::Never)];

const REPLACE_REFS: [(&str, ReplaceRefs); 6] = [
    ("delete-no-add", ReplaceRefs::DeleteNoAdd),
    ("delete-and-add", ReplaceRefs::DeleteAndAdd),
    ("update-no-add", ReplaceRefs::UpdateNoAdd),
    ("update-or-add", ReplaceRefs::UpdateOrAdd),
    ("update-and-add", ReplaceRefs::UpdateAndAdd),
    ("old-default", ReplaceRefs::OldDefault),
];

impl Options {
    /// Reads the words behind the command's name, and the files that they name.
    pub fn read(words: &[OsString]) -> Result<Self, End> {
        if words.is_empty() {
            return Err(End::Stop("No arguments specified.".to_owned()));
        }
        let mut options = Self::default();
        let mut is_inverted = false;
        let mut strays: Vec<String> = Vec::new();
        let mut end = None;
        let mut at = 0;
        while let Some(word) = words.get(at) {
            at += 1;
            let bytes = word.as_bytes();
            if !bytes.starts_with(b"-") || bytes == b"-" {
                strays.push(word.to_string_lossy().into_owned());
                continue;
            }
            let (typed, mut value) = match bytes.iter().position(|byte| *byte == b'=') {
                Some(equals) if bytes.starts_with(b"--") => {
                    (&bytes[..equals], Some(OsStr::from_bytes(&bytes[equals + 1..]).to_owned()))
                }
                _ => (bytes, None),
            };
            let typed = String::from_utf8_lossy(typed);
            let Some((name, names, takes)) = option(&typed)? else {
                strays.push(word.to_string_lossy().into_owned());
                continue;
            };
            let is_value = |word: &&OsString| !word.as_bytes().starts_with(b"-") || word.len() == 1;
            let misused = |what: &str| End::Misuse(format!("argument {}: {what}", names.join("/")));
            match takes {
                Nothing if value.is_some() => return Err(misused("ignored explicit argument")),
                Nothing => {}
                One => {
                    if value.is_none() {
                        value = words.get(at).filter(is_value).cloned();
                        at += 1;
                    }
                    if value.is_none() {
                        return Err(misused("expected one argument"));
                    }
                }
                Several => {
                    let mut refs: Vec<OsString> = value.take().into_iter().collect();
                    if refs.is_empty() {
                        refs = words[at..].iter().take_while(is_value).cloned().collect();
                        at += refs.len();
                    }
                    if refs.is_empty() {
                        return Err(misused("expected at least one argument"));
                    }
                    options.refs = refs.iter().map(|word| word.to_string_lossy().into_owned()).collect();
                }
            }
            let value = value.map(OsString::into_vec).unwrap_or_default();
            match name {
                "--help" | "-h" => end = end.or(Some(End::Help)),
                "--version" => end = end.or(Some(End::Version)),
                "--invert-paths" => is_inverted = true,
                name => options.take(name, names, value)?,
            }
        }
        if !strays.is_empty() {
            return Err(End::Misuse(format!("unrecognized arguments: {}", strays.join(" "))));
        }
        if let Some(end) = end {
            return Err(end);
        }
        options.finish(is_inverted)
    }

    /// Whether history comes from another repository than it goes to.
    pub fn comes_from_elsewhere(&self) -> bool {
        self.source != self.target
    }

    /// Whether history comes as a stream.
    pub fn has_stream(&self) -> bool {
        self.stdin || self.comes_from_elsewhere()
    }

    fn take(&mut self, name: &str, names: &[&str], value: Vec<u8>) -> Result<(), End> {
        let text = || String::from_utf8_lossy(&value).into_owned();
        let choice = |choices: &[&str]| {
            let choices: Vec<String> = choices.iter().map(|choice| format!("'{choice}'")).collect();
            End::Misuse(format!("argument {name}: invalid choice: '{}' (choose from {})", text(), choices.join(", ")))
        };
        let when = || {
            let found = WHENS.iter().find(|(word, _)| word.as_bytes() == value);
            found.map(|(_, when)| *when).ok_or_else(|| choice(&WHENS.map(|(word, _)| word)))
        };
        match name {
            "--path-match" | "--path" | "--path-glob" | "--path-regex" => self.select(name, &value)?,
            "--path-rename" | "--path-rename-match" => self.rename(&value)?,
            "--paths" => {
                let problem = "Error: Option `--paths` unrecognized; did you mean --path or --paths-from-file?";
                return Err(End::Stop(problem.to_owned()));
            }
            "--paths-from-file" => self.paths_from_file(&value)?,
            "--subdirectory-filter" => {
                let directory = as_directory(&value);
                self.select("--path-match", &directory)?;
                self.rename(&[&directory, &b":"[..]].concat())?;
            }
            "--to-subdirectory-filter" => self.rename(&[&b":"[..], &as_directory(&value)].concat())?,
            "--use-base-name" => self.paths.by_base_name = true,
            "--replace-text" => self.replace_text = Some(expressions(&value)?),
            "--replace-message" => self.replace_message = Some(expressions(&value)?),
            "--strip-blobs-bigger-than" => self.largest_blob = Some(size(&text())?),
            "--strip-blobs-with-ids" => {
                let file = read(&value)?;
                let words = file.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
                self.blobs = words.filter_map(|word| ObjectId::from_hex(word).ok()).collect();
            }
            "--tag-rename" => {
                let Some(colon) = value.iter().position(|byte| *byte == b':') else {
                    return Err(End::Stop(
                        "Error: --tag-rename expects one colon in its argument: <old>:<new>.".into(),
                    ));
                };
                self.tag_rename = Some(TagRename { old: value[..colon].into(), new: value[colon + 1..].into() });
            }
            "--mailmap" => self.mailmap = Some(mailmap(&value)?),
            "--use-mailmap" => self.mailmap = Some(mailmap(b".mailmap")?),
            "--preserve-commit-hashes" => self.keeps_commit_hashes = true,
            "--preserve-commit-encoding" => self.keeps_encoding = true,
            "--replace-refs" => {
                let found = REPLACE_REFS.iter().find(|(word, _)| word.as_bytes() == value);
                let found = found.ok_or_else(|| choice(&REPLACE_REFS.map(|(word, _)| word)))?;
                self.replace_refs = Some(found.1);
            }
            "--prune-empty" => self.pruning.empty = when()?,
            "--prune-degenerate" => self.pruning.degenerate = when()?,
            "--no-ff" => self.pruning.no_ff = true,
            "--sensitive-data-removal" | "--sdr" => self.removes_sensitive_data = true,
            "--no-fetch" => self.no_fetch = true,
            "--force" | "-f" => self.force = true,
            "--partial" => self.partial = true,
            "--no-gc" => self.no_gc = true,
            "--dry-run" => self.dry_run = true,
            "--quiet" => self.quiet = true,
            "--stdin" => self.stdin = true,
            "--source" => self.source = Some(OsString::from_vec(value)),
            "--target" => self.target = Some(OsString::from_vec(value)),
            "--analyze" => self.analyze = true,
            "--report-dir" => self.report_dir = Some(OsString::from_vec(value)),
            // The order of commits is their graph's; what is done is told in any case; running is all there is to do.
            "--refs" | "--date-order" | "--debug" | "--proceed" => {}
            callback if callback.ends_with("-callback") => {
                return Err(End::Cannot(format!(
                    "{callback} runs Python, which seal does not have: use git-filter-repo itself for it, or options \
                     such as --replace-text, --path-rename, --mailmap and --replace-message"
                )));
            }
            _ => {
                return Err(End::Cannot(format!(
                    "{} is not available here: use git-filter-repo itself",
                    names.join("/")
                )));
            }
        }
        Ok(())
    }

    fn finish(mut self, is_inverted: bool) -> Result<Self, End> {
        let stop = |problem: &str| Err(End::Stop(problem.to_owned()));
        if self.analyze && !self.paths.is_empty() {
            return stop("Error: --analyze is incompatible with --path* flags; it's a read-only operation.");
        }
        if self.analyze && self.stdin {
            return stop("Error: --analyze is incompatible with --stdin.");
        }
        let has = |is: fn(&PathChange) -> bool| self.paths.changes.iter().any(is);
        self.paths.keeps_only = !is_inverted && has(|change| matches!(change, PathChange::Select(_)));
        if self.paths.by_base_name && has(|change| !matches!(change, PathChange::Select(_))) {
            return stop("Error: --use-base-name and --path-rename are incompatible.");
        }
        if (self.partial || !self.refs.is_empty()) && self.replace_refs.is_none() {
            self.replace_refs = Some(ReplaceRefs::UpdateNoAdd);
        }
        self.no_gc |= self.partial || !self.refs.is_empty();
        self.partial |= !self.refs.is_empty() || self.source.is_some() || self.target.is_some();
        self.no_fetch |= self.partial;
        Ok(self)
    }

    fn select(&mut self, name: &str, value: &[u8]) -> Result<(), End> {
        check_components(value, &[value])?;
        let rules = match name {
            "--path-glob" => globs(value)?,
            "--path-regex" => vec![PathRule::Regex(regex(value)?)],
            _ => vec![PathRule::Exact(value.to_vec())],
        };
        self.paths.changes.extend(rules.into_iter().map(PathChange::Select));
        Ok(())
    }

    fn rename(&mut self, value: &[u8]) -> Result<(), End> {
        let parts: Vec<&[u8]> = value.split(|byte| *byte == b':').collect();
        let [old, new] = parts[..] else {
            let problem = "Error: --path-rename expects one colon in its argument: <old_name:new_name>.";
            return Err(End::Stop(problem.to_owned()));
        };
        if slashes_differ(old, new) {
            let problem = "Error: With --path-rename, if OLD_NAME and NEW_NAME are both non-empty and either ends with \
                           a slash then both must.";
            return Err(End::Stop(problem.to_owned()));
        }
        check_components(value, &parts)?;
        self.paths.changes.push(PathChange::Move { old: old.to_vec(), new: new.to_vec() });
        Ok(())
    }

    fn paths_from_file(&mut self, name: &[u8]) -> Result<(), End> {
        for line in read(name)?.split(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            let (rule, new) = match memchr::memmem::rfind(line, b"==>") {
                Some(at) => (&line[..at], Some(&line[at + 3..])),
                None => (line, None),
            };
            if let Some(pattern) = rule.strip_prefix(b"regex:") {
                let pattern = regex(pattern)?;
                self.paths.changes.push(match new {
                    Some(new) => {
                        let template =
                            Template::parse(new).map_err(|problem| End::Stop(format!("Error: {problem}")))?;
                        PathChange::Replace(pattern, template)
                    }
                    None => PathChange::Select(PathRule::Regex(pattern)),
                });
            } else if let Some(glob) = rule.strip_prefix(b"glob:") {
                if new.is_some() {
                    return Err(End::Stop(format!(
                        "Error: In {}, 'glob:' and '==>' are incompatible (renaming globs makes no sense)",
                        String::from_utf8_lossy(name)
                    )));
                }
                self.paths.changes.extend(globs(glob)?.into_iter().map(PathChange::Select));
            } else {
                let old = rule.strip_prefix(b"literal:").unwrap_or(rule);
                match new {
                    Some(new) if slashes_differ(old, new) => {
                        let problem = "Error: When rename directories, if OLDNAME and NEW_NAME are both non-empty and \
                                       either ends with a slash then both must.";
                        return Err(End::Stop(problem.to_owned()));
                    }
                    Some(new) => self.paths.changes.push(PathChange::Move { old: old.to_vec(), new: new.to_vec() }),
                    None => self.paths.changes.push(PathChange::Select(PathRule::Exact(old.to_vec()))),
                }
            }
        }
        Ok(())
    }
}

/// An option: the name typed, all its names, and what it takes.
type Known = (&'static str, &'static [&'static str], Takes);

/// The option that a word is, by its name or the beginning of one alone.
fn option(typed: &str) -> Result<Option<Known>, End> {
    static ALL: [&[(&[&str], Takes)]; 2] = [&OPTIONS, &ELSEWHERE];
    let names = || {
        let all = ALL.iter().flat_map(|options| options.iter());
        all.flat_map(|(names, takes)| names.iter().map(move |name| (*name, *names, *takes)))
    };
    if let Some(exact) = names().find(|(name, ..)| *name == typed) {
        return Ok(Some(exact));
    }
    let begun: Vec<_> = names().filter(|(name, ..)| typed.starts_with("--") && name.starts_with(typed)).collect();
    match begun[..] {
        [] => Ok(None),
        [one] => Ok(Some(one)),
        _ => {
            let names: Vec<&str> = begun.iter().map(|(name, ..)| *name).collect();
            Err(End::Misuse(format!("ambiguous option: {typed} could match {}", names.join(", "))))
        }
    }
}

fn as_directory(value: &[u8]) -> Vec<u8> {
    if value.ends_with(b"/") { value.to_vec() } else { [value, b"/"].concat() }
}

fn slashes_differ(old: &[u8], new: &[u8]) -> bool {
    !old.is_empty() && !new.is_empty() && old.ends_with(b"/") != new.ends_with(b"/")
}

fn check_components(whole: &[u8], paths: &[&[u8]]) -> Result<(), End> {
    if paths.iter().any(|path| path.starts_with(b"/")) {
        return Err(End::Stop("Error: Pathnames cannot begin with a '/'".to_owned()));
    }
    for bad in [".", ".."] {
        if paths.iter().any(|path| path.split(|byte| *byte == b'/').any(|part| part == bad.as_bytes())) {
            let whole = String::from_utf8_lossy(whole);
            return Err(End::Stop(format!("Error: Invalid path component '{bad}' found in '{whole}'")));
        }
    }
    Ok(())
}

/// A glob, and what lies below a directory that it matches.
fn globs(glob: &[u8]) -> Result<Vec<PathRule>, End> {
    let mut globs = vec![glob.to_vec()];
    if !glob.ends_with(b"*") {
        globs.push([glob, if glob.ends_with(b"/") { b"*" } else { b"/*" }].concat());
    }
    let rule = |glob: &Vec<u8>| {
        PathSelection::glob(glob)
            .map_err(|_| End::Stop(format!("Error: Cannot handle glob {}", String::from_utf8_lossy(glob))))
    };
    globs.iter().map(rule).collect()
}

fn regex(pattern: &[u8]) -> Result<Regex, End> {
    let bad = |why: &str| End::Stop(format!("Error: {why}: {}", String::from_utf8_lossy(pattern)));
    let text = std::str::from_utf8(pattern).map_err(|_| bad("a regular expression must be UTF-8"))?;
    let regex = RegexBuilder::new(text).unicode(false).build();
    regex.map_err(|_| bad("not a regular expression that runs in linear time (no look-around, no references back)"))
}

fn size(text: &str) -> Result<u64, End> {
    let bad = || End::Stop(format!("Error: could not parse --strip-blobs-bigger-than argument {text}"));
    let (digits, shift) = match text.chars().last() {
        Some('K') => (&text[..text.len() - 1], 10),
        Some('M') => (&text[..text.len() - 1], 20),
        Some('G') => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    let number: u64 = digits.parse().map_err(|_| bad())?;
    number.checked_mul(1 << shift).ok_or_else(bad)
}

fn read(name: &[u8]) -> Result<Vec<u8>, End> {
    let path = OsStr::from_bytes(name);
    std::fs::read(path).map_err(|error| End::Stop(format!("Error: cannot read {}: {error}", path.to_string_lossy())))
}

fn expressions(name: &[u8]) -> Result<Replacements, End> {
    Replacements::parse(&read(name)?)
        .map_err(|error| End::Stop(format!("Error: {}: {error}", String::from_utf8_lossy(name))))
}

fn mailmap(name: &[u8]) -> Result<Mailmap, End> {
    let file = read(name).map_err(|_| End::Stop(format!("Cannot read {}", String::from_utf8_lossy(name))))?;
    Mailmap::parse(&file).map_err(|error| {
        let text = String::from_utf8_lossy(&error.text).escape_debug().to_string();
        End::Stop(format!("Unparseable mailmap file: line #{} is bad: b'{text}'", error.line))
    })
}

/// Usage, as far as a mistake needs it.
pub const USAGE: &str = "usage: git-filter-repo [--analyze] [filter, rename and control options]; --help lists them\n";

/// The list of options.
pub fn help() -> String {
    let mut text = format!("{USAGE}\nseal stands in for git-filter-repo. Options, as there:\n");
    for (names, takes) in OPTIONS.iter().filter(|(names, _)| names[0] != "--paths" && !names[0].ends_with("-callback"))
    {
        let value = match takes {
            Nothing => "",
            One => " VALUE",
            Several => " REF...",
        };
        text.push_str(&format!("  {}{value}\n", names.join(", ")));
    }
    text.push_str("Python callbacks and --state-branch need git-filter-repo itself.\n");
    text
}
