//! Leaked values as they are named: from standard input, files, keys of manifests and reports of a scan; never as a word of the command
//! line, which others see.

use std::path::{Path, PathBuf};

use clap::Args;
use zeroize::Zeroizing;

use super::super::args::OpenArgs;
use super::super::failure::{Failure, Kind};
use super::super::session::Session;
use super::super::shown;
use super::git_failure;
use crate::document::{Document, Format, KeyPath, Leaf, Node, Scalar};
use crate::git::{ObjectReader, Repository};
use crate::host::files;
use crate::scrub::{Holder, LeakedValue, Reported, WeakValue, reported};

/// Which values leaked.
#[derive(Args, Debug, Clone, PartialEq, Eq, Default)]
pub struct LeakedArgs {
    /// Read a leaked value from standard input, without the line break at its end
    #[arg(long)]
    pub value_stdin: bool,
    /// Read a leaked value from a file, without the line break at its end
    #[arg(long, value_name = "FILE")]
    pub value_file: Vec<PathBuf>,
    /// The leaked value at a key of a manifest, encrypted or not: stringData.password@secret.yaml
    #[arg(long, value_name = "KEY@FILE")]
    pub value_from: Vec<String>,
    /// Read leaked values from the report of a scan: of seal or gitleaks in JSON, or SARIF
    #[arg(long, value_name = "FILE")]
    pub from_scan: Vec<PathBuf>,
    /// Take values that are short or common too, though they may stand in texts that have nothing to do with them
    #[arg(long)]
    pub yes_short_value: bool,
}

impl LeakedArgs {
    /// Whether any is named.
    pub fn any(&self) -> bool {
        self.value_stdin || !(self.value_file.is_empty() && self.value_from.is_empty() && self.from_scan.is_empty())
    }

    /// The values, each once, in the order in which they are named.
    pub fn values(&self, repository: &Repository, session: &Session) -> Result<Vec<LeakedValue>, Failure> {
        let mut values: Vec<LeakedValue> = Vec::new();
        let mut add = |bytes: Zeroizing<Vec<u8>>, whence: &str| {
            let value = match self.yes_short_value {
                true => LeakedValue::even_if_weak(bytes),
                false => LeakedValue::new(bytes),
            };
            let value = value.map_err(|error| weak(error, whence))?;
            if values.iter().all(|one| one.expose() != value.expose()) {
                values.push(value);
            }
            Ok::<_, Failure>(())
        };
        if self.value_stdin {
            add(LeakedValue::without_line_break(files::read_stdin()?), "standard input")?;
        }
        for file in &self.value_file {
            add(LeakedValue::without_line_break(files::read(file)?), &shown(file).to_string())?;
        }
        for place in &self.value_from {
            add(value_at(place, session)?, &shown(place).to_string())?;
        }
        for file in &self.from_scan {
            for value in of_report(file, repository, session)? {
                add(value, &shown(file).to_string())?;
            }
        }
        Ok(values)
    }
}

fn weak(error: WeakValue, whence: &str) -> Failure {
    let failure = Failure::new(Kind::Refused, format!("{whence}: {error}"));
    match error {
        WeakValue::Short | WeakValue::Common => {
            failure.hint("see first where it stands: the same with --yes-short-value --dry-run")
        }
        WeakValue::Empty | WeakValue::Long => failure,
    }
}

/// The value at a key of a file; that under `data` of a Secret is what its base64 stands for.
fn value_at(place: &str, session: &Session) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let (key, file) =
        place.split_once('@').filter(|(key, file)| !key.is_empty() && !file.is_empty()).ok_or_else(|| {
            Failure::new(Kind::Usage, "--value-from takes a key and a file")
                .hint("--value-from stringData.password@secret.yaml")
        })?;
    let path: KeyPath = key.parse()?;
    let name = Path::new(file);
    let format = Format::of_path(name);
    let parse = |bytes| Document::parse(bytes, format).map_err(|error| Failure::of_parse(name, &error));
    let mut document = parse(files::read(name)?)?;
    if document.roots().first().is_some_and(|root| root.attachment.is_some()) {
        let plain = session.decrypt(name, document.into_source(), format, &OpenArgs::default())?;
        document = parse(plain.into_zeroizing())?;
    }
    let not_found = |what: &str| Failure::new(Kind::NotFound, format!("{} in {}", shown(what), shown(name)));
    let node = document.find(&path).map_err(|error| not_found(&error.to_string()))?;
    let Node::Leaf(Leaf { scalar: Scalar::Str(text), .. }) = node else {
        return Err(not_found("there is no string at that key"));
    };
    let text = Zeroizing::new(document.text(text).to_vec());
    if !key.starts_with("data.") && !key.starts_with("data[") {
        return Ok(text);
    }
    use base64::Engine as _;
    let decoded = base64::engine::general_purpose::STANDARD.decode(text.trim_ascii());
    Ok(decoded.map(Zeroizing::new).map_or(text, LeakedValue::without_line_break))
}

/// The values of a report; what it hides is read where it says that it stands.
fn of_report(file: &Path, repository: &Repository, session: &Session) -> Result<Vec<Zeroizing<Vec<u8>>>, Failure> {
    let report = files::read(file)?;
    let findings = reported(&report).map_err(|error| {
        Failure::new(Kind::Input, format!("{}: {error}", shown(file)))
            .hint("seal scan --history --format json > report.json")
    })?;
    let reader = repository.reader().map_err(|error| git_failure(&error))?;
    let all = findings.len();
    let mut values = Vec::new();
    for finding in findings {
        match finding {
            Reported::Value(value) => values.push(value),
            Reported::At(location) => {
                let text = held(&location.holder, &reader).map_err(|error| git_failure(&error))?;
                values.extend(text.and_then(|text| location.value(&text)));
            }
            Reported::Lost(_) => {}
        }
    }
    match all - values.len() {
        0 => {}
        lost => {
            let failure =
                format!("{lost} of {all} findings of {} do not lead to a value in this repository", shown(file));
            if values.is_empty() {
                return Err(Failure::new(Kind::Input, failure)
                    .hint("name the value: --value-file FILE, or the file that it is in: --path PATH"));
            }
            session.warn(&failure);
        }
    }
    Ok(values)
}

fn held(holder: &Holder, reader: &ObjectReader) -> Result<Option<Zeroizing<Vec<u8>>>, crate::git::GitError> {
    let id = match holder {
        Holder::Object(id) => Some(*id),
        Holder::File(commit, path) => match reader.commit(*commit)? {
            Some(commit) => reader.at(commit.tree, path)?,
            None => None,
        },
    };
    let Some(id) = id else { return Ok(None) };
    let mut buffer = Vec::new();
    let is_there = reader.read(id, &mut buffer)?.is_some();
    Ok(is_there.then(|| Zeroizing::new(buffer)))
}
