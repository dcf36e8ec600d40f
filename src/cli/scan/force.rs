//! What is in force in a scan: the settings of the repository, the words typed, the rules, and what lets findings through.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use gix::bstr::BString;

use super::super::failure::{Failure, Kind};
use super::super::session::Session;
use super::super::shown;
use super::args::{DecodeWord, RuleArgs};
use crate::config::ScanSettings;
use crate::document::nearest;
use crate::git::{ObjectReader, Repository};
use crate::host::{clock, files};
use crate::scan::decode::Decode;
use crate::scan::{Allow, Applied, Baseline, Finding, Rule, Ruleset, Scanner, Suppressing};

/// What is in force.
pub struct InForce {
    /// The settings, with what was typed.
    pub settings: ScanSettings,
    /// What lets findings through.
    pub allow: Vec<Allow>,
    /// What was known before.
    pub baseline: Option<Baseline>,
    /// Whether marks in files count.
    pub inline: bool,
    /// What ended before it is expired; in seconds since 1970.
    pub now: i64,
    /// The rules that were typed.
    typed: Vec<String>,
    decode: Decode,
    decode_depth: Option<usize>,
}

/// Where the files lie that a repository brings to say what may stay.
pub enum Place<'a> {
    /// On disk, below this folder.
    Folder(&'a Path),
    /// In a commit's tree; `None` where there is no commit yet. Nothing else is read.
    Tree(&'a ObjectReader, Option<gix::ObjectId>),
    /// In the index, whose files these are.
    Index(&'a ObjectReader, &'a HashMap<BString, gix::ObjectId>),
}

/// Our settings, and those of the tool that many come from.
const SETTINGS: [&str; 2] = [".seal/scan.toml", ".gitleaks.toml"];
/// What may stay.
pub const IGNORE: &str = ".sealignore-secrets";

impl InForce {
    /// Reads what a place says, and adds what was typed.
    pub fn read(session: &Session, place: &Place<'_>, args: &RuleArgs) -> Result<Self, Failure> {
        let typed = args.settings.as_deref();
        let own = SETTINGS.into_iter().map(PathBuf::from).find(|path| !matches!(place.read(path), Ok(None)));
        let mut settings = match (typed, own) {
            (Some(path), _) => ScanSettings::load(path, &mut |path| Place::typed(path))?,
            (None, _) if args.settings_text.is_some() => {
                let mut first = args.settings_text.clone();
                let mut read = |path: &Path| first.take().map_or_else(|| Place::typed(path), Ok);
                ScanSettings::load(Path::new("GITLEAKS_CONFIG_TOML"), &mut read)?
            }
            (None, Some(path)) => {
                // A repository says what may stay in it; it has no say in what else of the disk is read.
                ScanSettings::load(&path, &mut |path| {
                    place.read(path)?.ok_or_else(|| "there is no such file".to_owned())
                })?
            }
            (None, None) => ScanSettings::default(),
        };
        for file in &args.files {
            let text = Place::typed(file).map_err(|why| usage(file, &why))?;
            settings.rules.extend(Rule::parse_all(&text, &file.to_string_lossy())?);
        }
        settings.only.extend(args.only.iter().cloned());
        settings.disabled.extend(args.skip_rule.iter().cloned());
        let typed = args.only.iter().chain(&args.skip_rule).cloned().collect();
        let mut allow = Vec::new();
        let mut baseline = None;
        if !args.no_allow {
            allow.append(&mut settings.allow);
            let ours = Path::new(IGNORE);
            if let Some(text) = place.read(ours).map_err(|why| usage(ours, &why))? {
                allow.extend(
                    Allow::parse_all(&text, IGNORE)
                        .map_err(|error| Failure::new(Kind::Usage, shown(&error.to_string()).to_string()))?,
                );
            }
            let theirs = Path::new(".gitleaksignore");
            let mut texts = vec![(theirs, place.read(theirs).map_err(|why| usage(theirs, &why))?)];
            for file in &args.gitleaksignores {
                texts.push((file, Some(Place::typed(file).map_err(|why| usage(file, &why))?)));
            }
            for (file, text) in texts {
                let (entries, bad) = Allow::parse_gitleaksignore(&text.unwrap_or_default(), &file.to_string_lossy());
                allow.extend(entries);
                for line in bad {
                    session.warn(&format!("{}:{line} is not an entry", shown(file)));
                }
            }
            baseline = match (&args.baseline, &settings.baseline) {
                _ if args.ignores_baseline => None,
                (Some(file), _) => Some(parse_baseline(file, &Place::typed(file).map_err(|why| usage(file, &why))?)?),
                (None, Some(file)) => match place.read(file).map_err(|why| usage(file, &why))? {
                    Some(text) => Some(parse_baseline(file, &text)?),
                    None => return Err(usage(file, "there is no such file")),
                },
                (None, None) => None,
            };
        }
        Ok(Self {
            settings,
            allow,
            baseline,
            inline: !args.no_inline && !args.no_allow,
            now: args.now.unwrap_or_else(clock::seconds),
            typed,
            decode: match args.decode {
                DecodeWord::Promising => Decode::Promising,
                DecodeWord::All => Decode::All,
            },
            decode_depth: args.decode_depth.map(usize::from),
        })
    }

    /// The rules, compiled.
    pub fn scanner(&mut self, session: &Session) -> Result<Scanner, Failure> {
        let rules = self.settings.apply_to_rules(Ruleset::built_in()?)?;
        for id in &self.typed {
            // Looking for nothing would find nothing.
            if self.settings.warnings.contains(&format!("there is no rule `{id}`")) {
                let failure = Failure::new(Kind::Usage, format!("there is no rule `{}`", shown(id)));
                let built_in = Ruleset::built_in()?;
                let known =
                    built_in.iter().map(|(_, rule)| rule).chain(&self.settings.rules).map(|rule| rule.id.as_str());
                return Err(match nearest(id, known) {
                    Some(meant) => failure.hint(format!("did you mean: --rule {meant}")),
                    None => failure,
                });
            }
        }
        for warning in std::mem::take(&mut self.settings.warnings) {
            session.warn(&shown(&warning).to_string());
        }
        let Scanner { engine, now } = Scanner::new(rules, self.now, self.decode)?;
        let engine = match self.decode_depth {
            Some(layers) => engine.with_layers(layers),
            None => engine,
        };
        Ok(Scanner { engine, now })
    }

    /// Marks what is let through, and says by what.
    pub fn apply(&self, findings: &mut Vec<Finding>, rules: &Ruleset) -> Applied {
        self.settings.drop_unreported(findings, rules);
        let suppressing =
            Suppressing { inline: self.inline, allow: &self.allow, baseline: self.baseline.as_ref(), now: self.now };
        suppressing.apply(findings, rules)
    }
}

impl Place<'_> {
    /// The text of a file; `None` where there is none.
    pub fn read(&self, path: &Path) -> Result<Option<String>, String> {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned());
        self.read_bytes(path)?.map(text).transpose()
    }

    /// The bytes of a file; `None` where there is none.
    pub fn read_bytes(&self, path: &Path) -> Result<Option<Vec<u8>>, String> {
        let fail = |error: crate::git::GitError| error.to_string();
        let name = || BString::from(path.as_os_str().as_encoded_bytes());
        let blob = |reader: &ObjectReader, id| {
            let mut buffer = Vec::new();
            let object = reader.read(id, &mut buffer).map_err(fail)?;
            Ok(object.filter(|object| object.kind == gix::objs::Kind::Blob).map(|object| object.data.to_vec()))
        };
        match self {
            Self::Folder(folder) => {
                let file = folder.join(path);
                let Ok(full) = file.canonicalize() else { return Ok(None) };
                if !folder.canonicalize().is_ok_and(|folder| full.starts_with(folder)) {
                    return Err("it lies outside the repository".to_owned());
                }
                Ok(Some(files::read(&full).map_err(|error| error.problem.to_string())?.to_vec()))
            }
            Self::Tree(_, None) => Ok(None),
            Self::Tree(reader, Some(tree)) => {
                reader.at(*tree, &name()).map_err(fail)?.map_or(Ok(None), |id| blob(reader, id))
            }
            Self::Index(reader, index) => index.get(&name()).map_or(Ok(None), |id| blob(reader, *id)),
        }
    }

    /// The text of a file that the user named.
    fn typed(path: &Path) -> Result<String, String> {
        let bytes = files::read(path).map_err(|error| error.problem.to_string())?;
        String::from_utf8(bytes.to_vec()).map_err(|_| "it is not UTF-8".to_owned())
    }
}

/// The folder whose settings count: the repository's, else the current one.
pub fn folder(repository: Option<&Repository>) -> PathBuf {
    repository.map_or_else(|| PathBuf::from("."), |repository| repository.root().to_owned())
}

/// Reads a baseline.
pub fn parse_baseline(file: &Path, text: &str) -> Result<Baseline, Failure> {
    Baseline::parse(text, &file.to_string_lossy())
        .map_err(|error| Failure::new(Kind::Usage, shown(&error.to_string()).to_string()))
}

fn usage(file: &Path, why: &str) -> Failure {
    Failure::new(Kind::Usage, format!("cannot read {}: {}", shown(file), shown(why)))
}

impl From<crate::scan::RuleError> for Failure {
    fn from(error: crate::scan::RuleError) -> Self {
        Self::new(Kind::Usage, shown(&error.to_string()).to_string())
    }
}

impl From<crate::config::SettingsError> for Failure {
    fn from(error: crate::config::SettingsError) -> Self {
        Self::new(Kind::Usage, shown(&error.to_string()).to_string())
    }
}
