//! What all formats say, in words and values, with every secret hidden in whatever it stands in.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use aho_corasick::{AhoCorasick, MatchKind};
use gix::bstr::ByteSlice as _;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::{Report, Wholes, shown, shown_bytes};
use crate::scan::{
    CommitRef, Confidence, Coverage, Finding, Fingerprint, History, Layer, Note, Piece, Place, Rule, Source,
    Suppression, Unscanned, Used,
};

/// A report as formats see it.
pub(super) struct View<'a> {
    pub(super) report: &'a Report<'a>,
    /// All secrets that were found, to be hidden wherever they stand.
    secrets: Option<AhoCorasick>,
    /// What has parts that are told with it.
    pub(super) wholes: Wholes,
    /// The keys of those parts, by the whole's fingerprint.
    keys: HashMap<Fingerprint, Vec<&'a str>>,
}

/// Shorter secrets are not looked for in other texts: they would be found in half of them.
const MIN_HIDDEN: usize = 6;

/// What stands in place of a secret.
const HIDDEN: &str = "········";

/// How bytes from outside become text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum As {
    /// As they are: the format escapes them itself.
    Raw,
    /// With what could trick a terminal made visible.
    Shown,
}

impl<'a> View<'a> {
    pub(super) fn new(report: &'a Report<'a>) -> Self {
        // What may well be no secret would only make paths unreadable.
        let sure = report.findings.iter().filter(|finding| finding.confidence >= Confidence::Medium);
        let secrets = sure.map(|finding| finding.secret.expose());
        let secrets = secrets.filter(|secret| secret.len() >= MIN_HIDDEN && !report.options.show_secrets);
        let secrets = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(secrets).ok();
        let wholes = report.wholes();
        let mut keys: HashMap<Fingerprint, Vec<&str>> = HashMap::new();
        for part in report.findings.iter().filter(|finding| wholes.have(finding)) {
            let key = part.places.iter().find_map(|place| place.key_path.as_deref());
            if let (Some(whole), Some(key)) = (part.part_of, key) {
                keys.entry(whole).or_default().push(key);
            }
        }
        Self { report, secrets: secrets.filter(|all| all.patterns_len() > 0), wholes, keys }
    }

    pub(super) fn rule(&self, finding: &Finding) -> &'a Rule {
        self.report.rules.rule(finding.rule)
    }

    /// Text from outside without any secret that was found.
    pub(super) fn text(&self, bytes: &[u8], form: As) -> String {
        let hidden: Cow<'_, [u8]> = match &self.secrets {
            Some(secrets) if secrets.is_match(bytes) => {
                let replacements = vec![HIDDEN; secrets.patterns_len()];
                Cow::Owned(secrets.replace_all_bytes(bytes, &replacements))
            }
            _ => Cow::Borrowed(bytes),
        };
        match form {
            As::Raw => String::from_utf8_lossy(&hidden).into_owned(),
            As::Shown => shown_bytes(&hidden).to_string(),
        }
    }

    /// A secret as far as it may be shown.
    pub(super) fn secret(&self, finding: &Finding) -> String {
        self.report.options.redaction.of(finding.secret.expose())
    }

    /// The line of a place, with all secrets hidden, and where the secret that is meant stands in it.
    pub(super) fn excerpt(&self, finding: &Finding, place: &Place, form: As) -> (String, Range<usize>) {
        let mut line = String::new();
        let mut at = 0..0;
        for piece in place.excerpt.pieces() {
            match piece {
                Piece::Text(bytes) => line += &self.text(&bytes.replace(b"\t", b"    "), form),
                Piece::Secret => {
                    // Of an object the key is marked that its values stand under.
                    let key = self.keys.get(&finding.fingerprint).and(place.key_path.as_deref());
                    let key = key.and_then(|path| path.rsplit('.').next());
                    let secret = key.map_or_else(|| self.secret(finding), |key| self.text(key.as_bytes(), As::Raw));
                    let secret = if form == As::Shown { shown(&secret).to_string() } else { secret };
                    at = line.len()..line.len() + secret.len();
                    line += &secret;
                }
                Piece::OtherSecret => line += HIDDEN,
                Piece::Cut => line.push('…'),
            }
        }
        (line, at)
    }

    /// The keys of an object that are found with it.
    pub(super) fn keys(&self, finding: &Finding) -> &[&'a str] {
        self.keys.get(&finding.fingerprint).map_or(&[], Vec::as_slice)
    }

    /// What a place is called: its path, or what else it is.
    pub(super) fn name(&self, source: &Source, form: As) -> String {
        let short = |id: &gix::ObjectId| id.to_hex_with_len(10).to_string();
        match source {
            Source::File(path) | Source::Index(path, _) | Source::Blob(_, Some(path)) => self.text(path, form),
            Source::Blob(id, None) => format!("blob {}", short(id)),
            Source::Commit(id) => format!("commit {}", short(id)),
            Source::Tag(id) => format!("tag {}", short(id)),
            Source::Name(name) => format!("the name {}", self.text(name, form)),
            Source::Input(name) if name.is_empty() => "standard input".to_owned(),
            Source::Input(name) => self.text(name, form),
            Source::Archived(names) => self.text(&gix::bstr::join("!", names), form),
        }
    }

    /// The path of a place for a machine; without one, what it is called.
    pub(super) fn path(&self, source: &Source) -> String {
        match source {
            Source::Name(name) => self.text(name, As::Raw),
            source => self.name(source, As::Raw),
        }
    }

    /// `path:line:column`; a message has no column that helps.
    pub(super) fn location(&self, place: &Place, form: As) -> String {
        let name = self.name(&place.source, form);
        match place.source {
            Source::Name(_) => name,
            _ => format!("{name}:{}:{}", place.line, place.column),
        }
    }

    /// The command that seals it where it stands, if that can be done.
    pub(super) fn fix(&self, finding: &Finding) -> Option<String> {
        let rule = self.report.rules.rule(finding.rule).id.as_str();
        // What a kustomization names is to be sealed, not what names it.
        let is_sealed =
            |place: &&Place| place.key_path.is_some() && rule != "kustomize-envs" || rule == "sops-expected";
        let place = finding.places.iter().filter(|place| is_there(place)).find(is_sealed)?;
        let path = place.source.path()?.to_str().ok()?;
        let is_plain = shown(path).to_string() == path;
        is_plain.then(|| format!("seal fix {}", shell_words::quote(path)))
    }

    /// In which sense it is there, in a word or two.
    pub(super) fn presence(&self, place: &Place) -> Option<&'static str> {
        let history = place.history.as_ref()?;
        Some(if history.in_head {
            "in HEAD"
        } else if !history.refs.is_empty() || !history.held_by.is_empty() {
            "history only"
        } else {
            "unreachable"
        })
    }

    /// `3f9c2e1  2026-03-02  dana  "wip export"`.
    pub(super) fn commit(&self, commit: &CommitRef) -> String {
        let author = self.text(&commit.author, As::Shown);
        let summary = self.text(&commit.summary, As::Shown);
        format!("{}  {}  {author}  \"{summary}\"", commit.id.to_hex_with_len(7), date(commit.time))
    }

    /// The refs that have it, the first few by their short names.
    pub(super) fn refs(&self, history: &History) -> String {
        const FEW: usize = 3;
        let short = |name: &gix::bstr::BString| {
            let name =
                ["refs/heads/", "refs/tags/", "refs/"].iter().find_map(|start| name.strip_prefix(start.as_bytes()));
            name.map(<[u8]>::to_vec)
        };
        let name = |full: &gix::bstr::BString| self.text(&short(full).unwrap_or_else(|| full.to_vec()), As::Shown);
        let mut names: Vec<String> = history.refs.iter().take(FEW).map(name).collect();
        if history.refs.len() > FEW {
            names.push(format!("{} more", history.refs.len() - FEW));
        }
        names.extend(history.held_by.iter().map(|what| shown(what).to_string()));
        names.join(", ")
    }

    /// Why a finding is what it is, a sentence each.
    pub(super) fn notes(&self, finding: &Finding) -> Vec<String> {
        finding.notes.iter().map(|note| self.note(note)).collect()
    }

    fn note(&self, note: &Note) -> String {
        match note {
            Note::CheckPasses(check) => format!("check {check} passes"),
            Note::CheckFails(check) => format!("check {check} fails: made up, truncated or mangled"),
            Note::Reads(what, value) => format!("{what}: {}", self.text(value.as_bytes(), As::Raw)),
            Note::Placeholder(how) => format!("a placeholder: {how}"),
            Note::Expired(time) => format!("expired on {}", date(*time)),
            Note::Bare => "neither quoted nor in brackets".to_owned(),
            Note::TestPath => "less sure because of where it is: a test, an example or documentation".to_owned(),
            Note::With(rule) => format!("belongs together with a find of {rule}"),
            Note::Says(words) => (*words).to_owned(),
        }
    }

    /// How many findings there are, by what becomes of them.
    pub(super) fn summary(&self) -> Summary {
        let report = self.report;
        let is_told = |finding: &Finding| {
            finding.confidence >= report.options.least_confidence && finding.severity >= report.options.least_severity
        };
        let mut summary = Summary {
            texts: report.coverage.texts,
            bytes: report.coverage.bytes,
            commits: report.options.commits,
            seconds: report.options.seconds,
            not_scanned: report.coverage.unscanned.len(),
            in_lfs: report.coverage.pointers,
            ..Summary::default()
        };
        for finding in report.findings {
            match finding {
                finding if finding.suppressed.is_some() => summary.suppressed += 1,
                finding if !is_told(finding) => summary.left_out += 1,
                finding if self.wholes.have(finding) => {}
                finding => {
                    summary.findings += 1;
                    summary.preexisting += usize::from(finding.preexisting);
                    *summary.by_severity.entry(finding.severity.name()).or_default() += 1;
                }
            }
            summary.stopping += usize::from(report.options.gate.stops(finding));
        }
        summary
    }

    /// All that is known of a finding, for a machine.
    pub(super) fn finding(&self, finding: &'a Finding) -> FindingView<'a> {
        let rule = self.rule(finding);
        let options = &self.report.options;
        let check = |note: &Note| match note {
            Note::CheckPasses(name) => Some(CheckView { name, outcome: "passes" }),
            Note::CheckFails(name) => Some(CheckView { name, outcome: "fails" }),
            _ => None,
        };
        FindingView {
            fingerprint: finding.fingerprint.to_string(),
            short: finding.fingerprint.short(),
            rule: &rule.id,
            title: &rule.title,
            provider: &rule.provider,
            severity: finding.severity.name(),
            confidence: finding.confidence.name(),
            stops: options.gate.stops(finding),
            secret_sha256: self.secret_hash(finding),
            secret: options.show_secrets.then(|| String::from_utf8_lossy(finding.secret.expose()).into_owned()),
            redacted: super::redacted(finding.secret.expose()),
            length: finding.secret.expose().len(),
            checks: finding.notes.iter().filter_map(check).collect(),
            notes: self.notes(finding),
            suppressed: finding.suppressed.as_ref().map(SuppressionView::of),
            part_of: finding.part_of.map(|whole| whole.to_string()),
            preexisting: finding.preexisting,
            revoke: &rule.revoke,
            docs: &rule.docs,
            fix: self.fix(finding),
            place_count: finding.place_count,
            places: finding.places.iter().map(|place| self.place(finding, place)).collect(),
        }
    }

    /// SHA-256 over salt and secret, each behind its length in eight bytes, little-endian.
    fn secret_hash(&self, finding: &Finding) -> String {
        let mut hash = Sha256::new();
        for part in [self.report.options.salt.0.as_slice(), finding.secret.expose()] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn place(&self, finding: &Finding, place: &'a Place) -> PlaceView<'a> {
        let (kind, commit) = match &place.source {
            Source::File(_) => ("file", None),
            Source::Index(..) => ("index", None),
            Source::Blob(..) => ("blob", None),
            Source::Commit(id) => ("commit", Some(id.to_string())),
            Source::Tag(id) => ("tag", Some(id.to_string())),
            Source::Name(_) => ("name", None),
            Source::Input(_) => ("input", None),
            Source::Archived(_) => ("archive", None),
        };
        let rule = self.rule(finding);
        PlaceView {
            kind,
            path: match &place.source {
                Source::Archived(names) => Some(self.text(&gix::bstr::join("!", names), As::Raw)),
                source => source.path().map(|path| self.text(path, As::Raw)),
            },
            blob: place.source.blob().map(|id| id.to_string()),
            object: commit,
            line: place.line,
            column: place.column,
            end_line: place.end_line,
            end_column: place.end_column,
            start: place.secret.start,
            end: place.secret.end,
            key_path: place.key_path.as_deref().map(|path| self.text(path.as_bytes(), As::Raw)),
            decode: &place.layers,
            excerpt: self.excerpt(finding, place, As::Raw).0,
            position: format!("{}:{}:{}", self.path(&place.source), rule.id, place.line),
            suppressed: place.suppressed.as_ref().map(SuppressionView::of),
            history: place.history.as_ref().map(|history| self.history(history)),
        }
    }

    fn history(&self, history: &History) -> HistoryView {
        let texts = |all: &[gix::bstr::BString]| all.iter().map(|one| self.text(one, As::Raw)).collect();
        let commit = |commit: &CommitRef| CommitView {
            id: commit.id.to_string(),
            author: self.text(&commit.author, As::Raw),
            email: self.text(&commit.email, As::Raw),
            time: timestamp(commit.time),
            summary: self.text(&commit.summary, As::Raw),
        };
        HistoryView {
            first: history.first.as_ref().map(commit),
            last: history.last.as_ref().map(commit),
            paths: texts(&history.paths),
            in_head: history.in_head,
            refs: texts(&history.refs),
            held_by: history.held_by.clone(),
        }
    }

    /// What was not looked through.
    pub(super) fn unscanned(&self) -> Vec<UnscannedView> {
        let one = |(source, reason): &(Source, Unscanned)| UnscannedView {
            name: self.name(source, As::Raw),
            reason: why_unscanned(*reason),
        };
        let Coverage { unscanned, .. } = self.report.coverage;
        let mut all: Vec<UnscannedView> = unscanned.iter().map(one).collect();
        all.sort();
        all
    }
}

/// Whether it is in a file that can be changed now.
pub(super) fn is_there(place: &Place) -> bool {
    let in_head = place.history.as_ref().is_some_and(|history| history.in_head);
    in_head || matches!(place.source, Source::File(_) | Source::Index(..))
}

/// Why something was not looked through, in words.
pub(super) fn why_unscanned(reason: Unscanned) -> &'static str {
    match reason {
        Unscanned::TooManyMatches => "more matches than are looked at in one text",
        Unscanned::TooLarge => "larger than the limit",
        Unscanned::Missing => "not there: a partial or shallow clone, or a damaged repository",
        Unscanned::Unreadable => "cannot be read",
        Unscanned::TooManyLayers => "more or deeper encodings than are followed",
        Unscanned::TooDeep => "an archive in more archives than are followed",
        Unscanned::TooMuch => "an archive of more entries or bytes than are followed",
        Unscanned::TooManyPlaces => "the same files in more places than are followed",
        Unscanned::OutOfTime => "the time that was given was over",
        Unscanned::OverBudget => "more bytes than were to be looked through",
    }
}

/// A date in UTC: `2026-03-02`.
pub(super) fn date(time: i64) -> String {
    timestamp(time)[..10].to_owned()
}

/// A moment in UTC: `2026-03-02T10:00:00Z`.
pub(super) fn timestamp(time: i64) -> String {
    let time = jiff::Timestamp::from_second(time).unwrap_or_default();
    format!("{}Z", jiff::tz::TimeZone::UTC.to_datetime(time).strftime("%Y-%m-%dT%H:%M:%S"))
}

/// A number with commas: `412,880`.
pub(super) fn number(number: impl TryInto<u64>) -> String {
    let digits = number.try_into().unwrap_or_default().to_string();
    let first = digits.len() % 3;
    let groups = digits.as_bytes()[first..].chunks(3);
    let mut parts: Vec<&str> = Vec::new();
    parts.extend((first > 0).then(|| &digits[..first]));
    parts.extend(groups.filter_map(|group| std::str::from_utf8(group).ok()));
    parts.join(",")
}

/// Bytes in words: `3.1 GB`.
pub(super) fn size(bytes: u64) -> String {
    let mut value = bytes as f64;
    let units = ["B", "KB", "MB", "GB", "TB"];
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{value:.1} {}", units[unit]) }
}

/// `1 finding`, `2 findings`.
pub(super) fn count(many: usize, what: &str) -> String {
    format!("{} {what}{}", number(many as u64), if many == 1 { "" } else { "s" })
}

fn is_zero(many: &usize) -> bool {
    *many == 0
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Summary {
    pub(super) findings: usize,
    pub(super) stopping: usize,
    pub(super) suppressed: usize,
    pub(super) preexisting: usize,
    pub(super) left_out: usize,
    pub(super) by_severity: BTreeMap<&'static str, usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) commits: Option<u64>,
    pub(super) texts: usize,
    pub(super) bytes: u64,
    pub(super) not_scanned: usize,
    /// Files whose content is in Git LFS and not here.
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) in_lfs: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) seconds: Option<f64>,
}

#[derive(Debug, Serialize)]
pub(super) struct FindingView<'a> {
    pub(super) fingerprint: String,
    pub(super) short: String,
    pub(super) rule: &'a str,
    pub(super) title: &'a str,
    pub(super) provider: &'a str,
    pub(super) severity: &'static str,
    pub(super) confidence: &'static str,
    pub(super) stops: bool,
    pub(super) secret_sha256: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) secret: Option<String>,
    pub(super) redacted: String,
    pub(super) length: usize,
    pub(super) checks: Vec<CheckView>,
    pub(super) notes: Vec<String>,
    pub(super) suppressed: Option<SuppressionView>,
    pub(super) part_of: Option<String>,
    pub(super) preexisting: bool,
    pub(super) revoke: &'a str,
    pub(super) docs: &'a str,
    pub(super) fix: Option<String>,
    pub(super) place_count: usize,
    pub(super) places: Vec<PlaceView<'a>>,
}

#[derive(Debug, Serialize)]
pub(super) struct CheckView {
    name: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Serialize)]
pub(super) struct SuppressionView {
    /// `inline`, `allowed` or `baseline`.
    pub(super) by: &'static str,
    pub(super) entry: Option<String>,
    pub(super) reason: String,
    pub(super) until: Option<String>,
}

impl SuppressionView {
    pub(super) fn of(suppression: &Suppression) -> Self {
        match suppression {
            Suppression::Inline { mark, reason } => {
                Self { by: "inline", entry: Some(mark.clone()), reason: reason.clone(), until: None }
            }
            Suppression::Allowed { entry, reason, until } => {
                Self { by: "allowed", entry: Some(entry.clone()), reason: reason.clone(), until: until.clone() }
            }
            Suppression::Baseline => Self { by: "baseline", entry: None, reason: String::new(), until: None },
        }
    }

    /// In words.
    pub(super) fn words(&self) -> String {
        let mut words = match (self.by, &self.entry) {
            ("inline", Some(mark)) => format!("let through by the mark {mark} beside it"),
            ("allowed", Some(entry)) => format!("let through by {entry}"),
            _ => "known: it is in the baseline".to_owned(),
        };
        if !self.reason.is_empty() {
            words += &format!(": {}", self.reason);
        }
        if let Some(until) = &self.until {
            words += &format!(" (until {until})");
        }
        words
    }
}

#[derive(Debug, Serialize)]
pub(super) struct PlaceView<'a> {
    pub(super) kind: &'static str,
    pub(super) path: Option<String>,
    pub(super) blob: Option<String>,
    /// The commit or tag whose message it stands in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) object: Option<String>,
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) end_line: usize,
    pub(super) end_column: usize,
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) key_path: Option<String>,
    pub(super) decode: &'a [Layer],
    pub(super) excerpt: String,
    /// The name of the place for older tools.
    pub(super) position: String,
    pub(super) suppressed: Option<SuppressionView>,
    pub(super) history: Option<HistoryView>,
}

#[derive(Debug, Serialize)]
pub(super) struct HistoryView {
    pub(super) first: Option<CommitView>,
    pub(super) last: Option<CommitView>,
    pub(super) paths: Vec<String>,
    pub(super) in_head: bool,
    pub(super) refs: Vec<String>,
    pub(super) held_by: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct CommitView {
    pub(super) id: String,
    pub(super) author: String,
    pub(super) email: String,
    pub(super) time: String,
    pub(super) summary: String,
}

#[derive(Debug, Serialize, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct UnscannedView {
    pub(super) name: String,
    pub(super) reason: &'static str,
}

#[derive(Debug, Serialize)]
pub(super) struct EntryView<'a> {
    entry: &'a str,
    reason: &'a str,
    until: Option<&'a str>,
    findings: usize,
    expired: bool,
}

impl<'a> EntryView<'a> {
    pub(super) fn of(used: &'a Used) -> Self {
        Self {
            entry: &used.origin,
            reason: &used.reason,
            until: used.until.as_deref(),
            findings: used.findings,
            expired: used.is_expired,
        }
    }
}
