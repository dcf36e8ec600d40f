//! `seal scrub` by value: what is to go from blobs and from what people wrote, and how what was found is told.
//!
//! Which values is in [`leaked`](super::leaked). No line, error or report that leaves here holds one: all go through [`Wanted::hide`].

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use clap::Args;
use gix::bstr::{BString, ByteSlice as _};
use gix::objs::Kind as ObjectKind;
use serde_json::json;

use super::super::failure::{Failure, Kind};
use super::super::session::Session;
use super::super::shown;
use super::git_failure;
use super::leaked::LeakedArgs;
use super::seal_action::{SealArgs, Sealing};
use super::told::{counted, counted_as};
use crate::git::{self, BlobRules, BlobScrub, Repository, RunFolder};
use crate::host::files;
use crate::scrub::{
    Adjust, BlobFate, Encoding, History, LeakedValue, MessageReplacements, ObjectError, Objects, Outcome, Placeholder,
    RedactWords, Redactor, Replacements, Rules, Worded, Words,
};

/// What is to go by what it says, wherever it stands.
#[derive(Args)]
pub struct ValueArgs {
    #[command(flatten)]
    pub leaked: LeakedArgs,
    /// Replace in files by the rules of a file: PATTERN==>NEW a line, with literal:, glob: or regex: before it
    #[arg(long, value_name = "FILE")]
    pub replace_text: Option<PathBuf>,
    /// Replace in messages of commits and tags by the rules of a file
    #[arg(long, value_name = "FILE")]
    pub replace_message: Option<PathBuf>,
    /// Put ***REMOVED*** where the values stand; this is what happens to values without another action
    #[arg(long, conflicts_with = "remove")]
    pub redact: bool,
    /// Put as many * as the value has bytes
    #[arg(long, conflicts_with_all = ["remove", "placeholder_format"])]
    pub constant_length: bool,
    /// Put this text; {n} in it is the number of the value
    #[arg(long, value_name = "TEXT", conflicts_with = "remove")]
    pub placeholder_format: Option<String>,
    #[command(flatten)]
    pub seal: SealArgs,
}

/// What was asked for, once it was read.
#[derive(Default)]
pub struct Wanted {
    redactor: Option<Redactor>,
    /// What hides values in what is told, whatever stands for them in history.
    hider: Option<Redactor>,
    replacements: Option<Replacements>,
    messages: Option<Replacements>,
    /// Whether files with a value go as a whole.
    removes: bool,
}

/// More files than this are counted, not listed.
const MAX_FILES: usize = 20;

impl ValueArgs {
    /// Whether anything is named here.
    pub fn any(&self) -> bool {
        self.leaked.any() || self.replace_text.is_some() || self.replace_message.is_some()
    }

    /// Reads what is named. `removes` is whether files with a value are to go as a whole.
    pub fn read(&self, repository: &Repository, session: &Session, removes: bool) -> Result<Wanted, Failure> {
        let says_how = self.redact || self.constant_length || self.placeholder_format.is_some();
        if says_how && !self.leaked.any() {
            return Err(Failure::new(Kind::Usage, "no value is named that is to be redacted").hint("--value-file FILE"));
        }
        let values = self.leaked.values(repository, session)?;
        if self.leaked.any() && values.is_empty() {
            return Err(Failure::new(Kind::Input, "what was named has no value in it").hint("--value-file FILE"));
        }
        let placeholder = match &self.placeholder_format {
            _ if self.constant_length => Placeholder::ConstantLength,
            Some(text) => Placeholder::Text(text.clone()),
            None => Placeholder::default(),
        };
        let redactor = |placeholder: Placeholder| match values.as_slice() {
            [] => Ok(None),
            values => Redactor::new(values, placeholder).map(Some),
        };
        let wrong = |error: crate::scrub::BadPlaceholder| {
            Failure::new(Kind::Usage, error.to_string()).hint("--placeholder-format 'REMOVED-{n}'")
        };
        Ok(Wanted {
            redactor: redactor(placeholder).map_err(wrong)?,
            // A value that stands in the usual stand-in is hidden by stars.
            hider: redactor(Placeholder::default())
                .or_else(|_| redactor(Placeholder::ConstantLength))
                .map_err(wrong)?,
            replacements: self.replace_text.as_deref().map(expressions).transpose()?,
            messages: self.replace_message.as_deref().map(expressions).transpose()?,
            removes,
        })
    }

    /// The same in words that are the same in every run, and say nothing of the values.
    pub fn in_words(&self) -> String {
        let how = (self.constant_length, &self.placeholder_format, self.leaked.any(), self.seal.seal);
        format!("{how:?} {} {}", self.replace_text.is_some(), self.replace_message.is_some())
    }
}

fn expressions(file: &std::path::Path) -> Result<Replacements, Failure> {
    Replacements::parse(&files::read(file)?).map_err(|error| {
        Failure::new(Kind::Input, format!("{}, {error}", shown(file)))
            .hint("a rule a line: literal:OLD==>NEW, glob:OLD*==>NEW or regex:OLD==>NEW")
    })
}

impl Wanted {
    /// Whether words of commits and tags may change.
    pub fn rewords(&self) -> bool {
        self.redactor.is_some() || self.messages.is_some()
    }

    /// Text for people without the values.
    pub fn hide(&self, text: &str) -> String {
        let redacted = self.hider.as_ref().and_then(|hider| hider.words(text.as_bytes()));
        redacted.map_or_else(|| text.to_owned(), |redacted| String::from_utf8_lossy(&redacted.bytes).into_owned())
    }

    /// A failure without them.
    pub fn hide_failure(&self, failure: Failure) -> Failure {
        let all = |lines: Vec<String>| lines.iter().map(|line| self.hide(line)).collect();
        Failure {
            message: self.hide(&failure.message),
            details: all(failure.details),
            hints: all(failure.hints),
            ..failure
        }
    }

    /// JSON without them.
    pub fn hide_json(&self, value: &mut serde_json::Value) {
        match value {
            serde_json::Value::String(text) => *text = self.hide(text),
            serde_json::Value::Array(all) => all.iter_mut().for_each(|one| self.hide_json(one)),
            serde_json::Value::Object(map) => map.values_mut().for_each(|one| self.hide_json(one)),
            _ => {}
        }
    }

    /// What does it.
    pub fn scrub<'a>(&'a self, repository: &'a Repository, sealing: Option<Sealing<'a>>) -> Scrub<'a> {
        Scrub {
            wanted: self,
            repository,
            words: self.redactor.as_ref().map(RedactWords::new),
            messages: self.messages.clone().map(MessageReplacements),
            sealing,
            found: BlobScrub::default(),
            failure: None,
        }
    }

    /// That no new object holds a value.
    pub fn check(&self, repository: &Repository, run: &RunFolder) -> Result<(), Failure> {
        let Some(redactor) = &self.redactor else { return Ok(()) };
        let left = git::new_objects_with(repository, run, redactor.searcher()).map_err(|error| git_failure(&error))?;
        match left.first() {
            None => Ok(()),
            Some(first) => Err(Failure::new(
                Kind::Refused,
                format!(
                    "history is as it was: {} would still hold a value, the first is {first}",
                    counted(left.len(), "new object")
                ),
            )
            .hint("take the files out as a whole: the same with --remove")),
        }
    }

    /// Takes the values out of what git keeps beside history: reflogs, and the message written last.
    pub fn clean(&self, repository: &Repository, session: &Session) -> Result<(), Failure> {
        let Some(hider) = &self.hider else { return Ok(()) };
        let redact = |text: &[u8]| hider.words(text).map(|redacted| redacted.bytes);
        let files = git::redact_kept_words(repository, &redact).map_err(|error| git_failure(&error))?;
        if files > 0 {
            session.say(&format!("redacted  {} of git: reflogs and messages", counted(files, "file")));
        }
        session.say("then      see that they are gone: seal scrub verify --value-file FILE");
        Ok(())
    }
}

/// Takes what was asked for out of blobs and words.
pub struct Scrub<'a> {
    wanted: &'a Wanted,
    repository: &'a Repository,
    words: Option<RedactWords<'a>>,
    messages: Option<MessageReplacements>,
    sealing: Option<Sealing<'a>>,
    /// What was found in blobs.
    found: BlobScrub,
    /// Why it stopped, where that is more than the rewrite can say.
    pub failure: Option<Failure>,
}

impl Adjust for Scrub<'_> {
    fn begin(&mut self, objects: &mut dyn Objects, history: &History, rules: &mut Rules) -> Result<(), ObjectError> {
        if let Some(sealing) = &mut self.sealing {
            let redact = |bytes: &[u8]| self.wanted.redactor.as_ref()?.file(bytes).map(|redacted| redacted.bytes);
            if let Err(failure) = sealing.begin(objects, history, rules, &redact) {
                self.failure = Some(failure);
                return Err(ObjectError::Store("history cannot be sealed".to_owned()));
            }
        }
        if self.wanted.redactor.is_none() && self.wanted.replacements.is_none() {
            return Ok(());
        }
        let blobs = BlobRules {
            values: self.wanted.redactor.as_ref(),
            replacements: self.wanted.replacements.as_ref(),
            ..BlobRules::default()
        };
        let found = git::scrub_blobs(self.repository, &blobs, objects, &());
        self.found = found.map_err(|error| ObjectError::Store(error.to_string()))?;
        if let Some(first) = self.found.unread.first() {
            let failure = Failure::new(
                Kind::Refused,
                "history is as it was: not all of it can be read, and a value may stand there",
            );
            let failure = self
                .found
                .unread
                .iter()
                .take(MAX_FILES)
                .fold(failure, |failure, one| failure.detail(shown(one).to_string()));
            let hint = if first.ends_with("is not there") { "git fetch --refetch" } else { "git fsck --full" };
            self.failure = Some(failure.hint(hint));
            return Err(ObjectError::Store("not all of it can be read".to_owned()));
        }
        let removes = self.wanted.removes;
        let has_value = |place: &&git::BlobPlace| removes && place.outcome.is_some();
        let gone: BTreeSet<_> = self.found.places.iter().filter(has_value).map(|place| place.blob).collect();
        for (id, fate) in &self.found.fates {
            rules.blobs.entry(*id).or_insert(if gone.contains(id) { BlobFate::Drop } else { *fate });
        }
        Ok(())
    }

    fn asks_for_all(&self) -> bool {
        self.words.as_ref().is_some_and(|_| !self.found.worded.is_empty())
            || self.messages.as_ref().is_some_and(Adjust::asks_for_all)
    }

    fn words(&mut self, of: &Worded<'_>, words: &mut Words<'_>) -> Result<(), ObjectError> {
        if let Some(messages) = &mut self.messages {
            messages.words(of, words)?;
        }
        match &mut self.words {
            Some(redact) => redact.words(of, words),
            None => Ok(()),
        }
    }
}

/// What was found, for a plan.
pub struct Found {
    /// Lines for people.
    pub lines: Vec<String>,
    /// The same for programs; null where nothing was asked for by value.
    pub json: serde_json::Value,
    /// What is to be done that a rewrite does not do.
    pub hints: Vec<String>,
}

impl<'a> Scrub<'a> {
    /// What was asked for.
    pub fn wanted(&self) -> &'a Wanted {
        self.wanted
    }

    /// What was found and what becomes of it, in numbers.
    pub fn found(&self) -> Found {
        let mut found = Found { lines: Vec::new(), json: serde_json::Value::Null, hints: Vec::new() };
        if let Some(sealing) = &self.sealing {
            sealing.tell(&mut found);
        }
        if self.wanted.redactor.is_some() || self.wanted.replacements.is_some() {
            self.tell(&mut found);
        }
        found
    }

    fn tell(&self, told: &mut Found) {
        let BlobScrub { places, worded, unreachable, .. } = &self.found;
        let mut values: BTreeMap<usize, (usize, BTreeMap<Encoding, usize>)> = BTreeMap::new();
        let mut paths: BTreeMap<Option<&BString>, usize> = BTreeMap::new();
        for place in places {
            *paths.entry(place.path.as_ref()).or_default() += 1;
            let mut seen = BTreeSet::new();
            for ((value, encoding), count) in &place.found {
                let (blobs, by_encoding) = values.entry(*value).or_default();
                *blobs += usize::from(seen.insert(*value));
                *by_encoding.entry(*encoding).or_default() += count;
            }
        }
        let action = if self.wanted.removes { "remove" } else { "redact" };
        for (path, versions) in paths.iter().take(MAX_FILES) {
            let path =
                path.map_or_else(|| "a file without a path".to_owned(), |path| shown(&path.to_string()).to_string());
            told.lines.push(format!("{action:9} {path}  {}", counted(*versions, "version")));
        }
        if paths.len() > MAX_FILES {
            told.lines.push(format!("{action:9} {} more", counted(paths.len() - MAX_FILES, "file")));
        }
        let in_words = self.words.as_ref().map(|words| &words.found);
        for number in 0..self.wanted.redactor.as_ref().map_or(0, |redactor| redactor.searcher().values()) {
            let (blobs, by_encoding) = values.remove(&number).unwrap_or_default();
            let forms: Vec<String> =
                by_encoding.iter().map(|(encoding, count)| format!("{count} as {}", name_of(*encoding))).collect();
            let forms = if forms.is_empty() { String::new() } else { format!(" ({})", forms.join(", ")) };
            let words = in_words.and_then(|found| found.get(&number)).copied().unwrap_or(0);
            told.lines.push(format!(
                "value {:<4}{}{forms}, {} in words of commits and tags",
                number + 1,
                counted(blobs, "blob"),
                counted_as(words, "time", "times")
            ));
        }
        let of_kind = |kind: ObjectKind| worded.iter().filter(|(one, _)| *one == kind).count();
        if !worded.is_empty() {
            let (commits, tags) =
                (counted(of_kind(ObjectKind::Commit), "commit"), counted(of_kind(ObjectKind::Tag), "tag"));
            told.lines.push(format!("redact    words of {commits} and {tags}"));
        }
        let with = |outcome: Outcome| places.iter().filter(|place| place.outcome == Some(outcome)).count();
        for (outcome, what) in [
            (Outcome::OtherPlaceholder, "take another placeholder, or they could not be read as YAML or JSON any more"),
            (Outcome::NoDocument, "cannot be read as YAML or JSON any more, whatever takes the value's place"),
            (Outcome::Left, "go as a whole, as a value would be left in them"),
        ] {
            if with(outcome) > 0 && !self.wanted.removes {
                told.lines.push(format!("note      {} {what}", counted(with(outcome), "blob")));
            }
        }
        if *unreachable > 0 {
            told.lines.push(format!(
                "prune     {} that nothing leads to: they go with seal scrub finish",
                counted(*unreachable, "object")
            ));
        }
        for name in &self.found.refs {
            let folder = name.rsplitn(2, |byte| *byte == b'/').last().unwrap_or_default().as_bstr();
            told.lines.push(format!(
                "cannot    the name of a ref below {} holds a value, and stays",
                shown(&folder.to_string())
            ));
            told.hints.push(format!(
                "rename it: git branch -m OLD NEW, or git update-ref; see its name: git for-each-ref {}",
                shown(&folder.to_string())
            ));
        }
        if !self.found.names.is_empty() {
            told.lines.push(format!(
                "cannot    {} of files or folders hold a value, and stay",
                counted(self.found.names.len(), "name")
            ));
            told.hints.push("take them out by a pattern: seal scrub --path-glob 'PATTERN'".to_owned());
        }
        let files = paths.iter().map(
            |(path, versions)| json!({"path": path.map(|path| path.to_str_lossy().into_owned()), "versions": versions}),
        );
        told.json = json!({
            "action": action,
            "files": files.collect::<Vec<_>>(),
            "blobs": places.len(),
            "commits": of_kind(ObjectKind::Commit),
            "tags": of_kind(ObjectKind::Tag),
            "unreachable": unreachable,
            "refs": self.found.refs.len(),
            "names": self.found.names.len(),
            "searched": {"blobs": self.found.blobs, "bytes": self.found.bytes},
        });
    }
}

fn name_of(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Text => "text",
        Encoding::Utf16Le | Encoding::Utf16Be => "UTF-16",
        Encoding::Utf32Le | Encoding::Utf32Be => "UTF-32",
        Encoding::Hex => "hexadecimal",
        Encoding::Base64 => "base64",
        Encoding::Base64Twice => "base64 twice",
    }
}

/// The values alone, for a search.
pub fn searched(values: &[LeakedValue]) -> Option<crate::scrub::Searcher> {
    (!values.is_empty()).then(|| crate::scrub::Searcher::new(values))
}
