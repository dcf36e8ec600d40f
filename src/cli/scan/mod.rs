//! `seal scan`: looks for leaked secrets in files, in what is staged, committed or pushed.
//!
//! What is typed becomes what is [in force](force) and what is [looked through](look); [`files`] and [`objects`] bring the texts.

mod args;
mod files;
mod force;
mod keep;
mod look;
mod objects;

use std::io::Read as _;
use std::path::Path;
use std::time::Instant;

pub use args::{RuleArgs, ScanArgs, SourceArgs};

use super::failure::{Failure, Kind};
use super::session::Session;
use super::shown;
use crate::git::{self, GitError, RefUpdate, Repository};
use crate::host::tree::TreeOptions;
use crate::host::{clock, target};
use crate::report::{self, Format, Report};
use crate::scan::{Applied, ArchiveLimits, Coverage, Finding, Findings};
use args::{Progress, ScanCommand, TellArgs};
use force::{InForce, Place};
use look::{Look, Seen};

/// What came of a scan.
pub struct Outcome {
    in_force: InForce,
    look: Look,
    /// The findings, in order.
    findings: Vec<Finding>,
    coverage: Coverage,
    applied: Applied,
    /// How many commits were looked through, where commits were.
    pub commits: Option<usize>,
    seconds: f64,
}

/// Larger files are read in parts where nothing else is said.
const MAX_BLOB: usize = 64 << 20;

/// A hook is given no more lines than this by an honest git.
pub const MAX_LINES: u64 = 64 << 20;

/// Runs it.
pub fn run(args: ScanArgs, session: &Session) -> Result<(), Failure> {
    match args.command {
        Some(ScanCommand::Baseline(args)) => keep::baseline(args, session),
        Some(ScanCommand::Ignore(args)) => keep::ignore(&args, session),
        Some(ScanCommand::Explain(args)) => keep::explain(&args, session),
        None => {
            let outcome = scan(&args.source, &args.rules, session)?;
            outcome.tell(&args.tell, &args.rules, session)?;
            outcome.verdict(&args.rules)
        }
    }
}

/// Looks through what the words name.
pub fn scan(source: &SourceArgs, rules: &RuleArgs, session: &Session) -> Result<Outcome, Failure> {
    let started = Instant::now();
    let is_git =
        source.staged || source.commits.is_some() || source.pre_push.is_some() || source.pre_receive || source.unpushed;
    if !is_git {
        return scan_files(source, rules, session, started);
    }
    let fail = |error: GitError| Failure { kind: Kind::Usage, ..error.into() };
    let repository = Repository::open(Path::new("."), &session.environment).map_err(fail)?;
    if let Some(remote) = &source.pre_push {
        let updates = RefUpdate::parse_pushed(&lines(source)?).map_err(fail)?;
        let (name, url) = (remote.first().map_or("", |name| name), remote.get(1).map_or("", |url| url));
        let range = git::pushed(&repository, name, url, &updates)?;
        return scan_objects(source, rules, session, &repository, &range, refs(&updates), started);
    }
    if source.pre_receive {
        let updates = RefUpdate::parse_received(&lines(source)?).map_err(fail)?;
        let range = git::received(&repository, &updates)?;
        return scan_objects(source, rules, session, &repository, &range, refs(&updates), started);
    }
    let range = match &source.commits {
        Some(words) => repository.range(words).map_err(fail)?,
        None if source.unpushed => git::unpushed(&repository)?,
        None => git::Range::default(),
    };
    let tip = source.commits.as_deref().map_or("HEAD", |words| words.rsplit("..").next().unwrap_or(words));
    scan_objects(source, rules, session, &repository, &range, vec![tip.into()], started)
}

fn scan_files(source: &SourceArgs, rules: &RuleArgs, session: &Session, started: Instant) -> Result<Outcome, Failure> {
    // The settings of what is looked through count.
    let first = source.paths.iter().find(|path| path.as_os_str() != "-").map_or(Path::new("."), |path| path);
    let first = if first.is_dir() { first } else { first.parent().unwrap_or(first) };
    let first = if first.as_os_str().is_empty() { Path::new(".") } else { first };
    let repository = Repository::open(first, &Default::default()).ok().filter(|found| !found.is_bare());
    let folder = force::folder(repository.as_ref());
    let in_force = InForce::read(session, &Place::Folder(&folder), rules)?;
    let (in_force, look) = prepare(in_force, source, session)?;
    let here = [Path::new(".").to_owned()];
    let paths = if source.paths.is_empty() { &here[..] } else { &source.paths };
    let options = TreeOptions { ignored: source.ignored, nested: source.nested, jobs: source.jobs };
    let mut seen = files::scan(session, &look, paths, source.path.as_deref(), options, repository.as_ref())?;
    let findings = std::mem::take(&mut seen.findings).finish(look.scanner.engine.rules());
    Ok(Outcome::new(in_force, look, findings, seen, None, started))
}

fn scan_objects(
    source: &SourceArgs,
    rules: &RuleArgs,
    session: &Session,
    repository: &Repository,
    range: &git::Range,
    refs: Vec<gix::bstr::BString>,
    started: Instant,
) -> Result<Outcome, Failure> {
    // From here on a failure is one of the repository: the scan did not end.
    let fail = |error: GitError| Failure { kind: Kind::Incomplete, ..error.into() };
    let reader = repository.reader().map_err(fail)?;
    let in_force = if source.pre_receive || repository.is_bare() {
        // Neither what is pushed nor who pushes it has a say in what may stay: the default branch as it was has.
        let head = repository.head_commit().map_err(fail)?;
        let tree = match head {
            Some(commit) => reader.commit(commit).map_err(fail)?.map(|commit| commit.tree),
            None => None,
        };
        let rules = RuleArgs { no_inline: rules.no_inline || source.pre_receive, ..rules.clone() };
        InForce::read(session, &Place::Tree(&reader, tree), &rules)?
    } else {
        InForce::read(session, &Place::Folder(repository.root()), rules)?
    };
    let (in_force, look) = prepare(in_force, source, session)?;
    let brought = match source.staged {
        true => objects::scan_staged(session, &look, repository, source.changed_lines),
        false => objects::scan_range(session, &look, repository, range, refs),
    };
    let mut brought = brought.map_err(fail)?;
    let findings = brought.findings(&look, repository);
    let commits = (!source.staged).then_some(brought.commits);
    Ok(Outcome::new(in_force, look, findings, brought.seen, commits, started))
}

fn prepare(mut in_force: InForce, source: &SourceArgs, session: &Session) -> Result<(InForce, Look), Failure> {
    if source.progress == Progress::Never {
        session.terminal().set_quiet();
    }
    let limits = ArchiveLimits::default();
    let limits = ArchiveLimits { depth: source.archive_depth.unwrap_or(limits.depth), ..limits };
    let look = Look {
        scanner: in_force.scanner(session)?,
        salt: in_force.settings.salt.clone(),
        max_blob: source.max_blob.unwrap_or(MAX_BLOB),
        archives: source.archive.then_some(limits),
        jobs: source.jobs,
    };
    Ok((in_force, look))
}

/// The lines that git gives to a hook.
fn lines(source: &SourceArgs) -> Result<Vec<u8>, Failure> {
    if let Some(lines) = &source.lines {
        return Ok(lines.clone());
    }
    let mut lines = Vec::new();
    let read = std::io::stdin().lock().take(MAX_LINES).read_to_end(&mut lines);
    read.map_err(|error| Failure::new(Kind::Usage, format!("cannot read standard input: {error}")))?;
    Ok(lines)
}

/// The names of refs that come into being or move.
fn refs(updates: &[RefUpdate]) -> Vec<gix::bstr::BString> {
    updates.iter().filter(|update| update.new.is_some()).map(|update| update.name.clone()).collect()
}

impl Outcome {
    fn new(
        in_force: InForce,
        look: Look,
        mut findings: Vec<Finding>,
        seen: Seen,
        commits: Option<usize>,
        started: Instant,
    ) -> Self {
        let applied = in_force.apply(&mut findings, look.scanner.engine.rules());
        let mut coverage = seen.coverage;
        coverage.unscanned.sort();
        coverage.unscanned.dedup();
        Self { in_force, look, findings, coverage, applied, commits, seconds: started.elapsed().as_secs_f64() }
    }

    /// The findings, in order; those that are let through too.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// How long it took, in seconds.
    pub fn seconds(&self) -> f64 {
        self.seconds
    }

    /// As reports tell it, without colours.
    pub fn report(&self, rules: &RuleArgs) -> Report<'_> {
        let options = report::Options {
            gate: rules.gate(self.in_force.settings.gate),
            salt: self.in_force.settings.salt.clone(),
            now: clock::seconds(),
            commits: self.commits.map(|commits| commits as u64),
            ..report::Options::default()
        };
        let engine = &self.look.scanner.engine;
        Report {
            rules: engine.rules(),
            findings: &self.findings,
            coverage: &self.coverage,
            applied: &self.applied,
            options,
        }
    }

    /// Writes the reports that were asked for.
    fn tell(&self, tell: &TellArgs, rules: &RuleArgs, session: &Session) -> Result<(), Failure> {
        let mut report = self.report(rules);
        let options = &mut report.options;
        options.show_secrets = tell.show_secrets;
        options.redaction = match tell.redact {
            None if tell.show_secrets => "0".parse().unwrap_or_default(),
            redact => redact.unwrap_or_default(),
        };
        options.least_confidence = tell.confidence.unwrap_or(options.least_confidence);
        options.least_severity = tell.severity.unwrap_or(options.least_severity);
        options.seconds = tell.stats.then_some(self.seconds);
        if let Some(file) = &tell.template {
            let text = crate::host::files::read(file)?;
            options.template = Some(String::from_utf8_lossy(&text).into_owned());
        }
        let (seen, colour, utf8, width) = {
            let terminal = session.terminal();
            (terminal.answers_are_seen(), terminal.colours_answers(), terminal.is_utf8(), terminal.width())
        };
        let reveals = options.redaction.of(b"0123456789abcdef0123456789abcdef")
            != report::redacted(b"0123456789abcdef0123456789abcdef");
        if tell.format == Format::Human && reveals && !seen {
            return Err(Failure::new(Kind::Usage, "secrets are shown to people only at a terminal")
                .hint("for a program: --format json --show-secrets"));
        }
        let write = |format, report: &Report<'_>| {
            let mut bytes = Vec::new();
            report::write(format, report, &mut bytes).map_err(|error| {
                Failure::new(Kind::Usage, format!("cannot write the report: {}", shown(&error.to_string())))
            })?;
            Ok::<_, Failure>(bytes)
        };
        for destination in &tell.output {
            let bytes = write(destination.format, &report)?;
            match &destination.file {
                Some(file) => drop(target::write(file, &bytes, 0o644)?),
                None => session.answer(&bytes)?,
            }
        }
        if tell.output.iter().any(|destination| destination.file.is_none()) {
            return Ok(());
        }
        (report.options.colour, report.options.utf8, report.options.width) = (colour, utf8, width);
        session.answer(&write(tell.format, &report)?)
    }

    /// The exit code: findings that stop a gate, or gaps, or neither.
    fn verdict(&self, rules: &RuleArgs) -> Result<(), Failure> {
        let report = self.report(rules);
        if report.stopping().next().is_some() {
            return Err(Failure::new(Kind::No, ""));
        }
        if !report.is_complete() {
            return Err(Failure::new(Kind::Incomplete, ""));
        }
        match self.applied.unused().next() {
            Some(entry) if rules.fail_on_unused => {
                Err(Failure::new(Kind::Usage, format!("{} lets nothing through any more", shown(&entry.origin)))
                    .hint("take it out"))
            }
            _ => Ok(()),
        }
    }

    /// A scan of nothing but a text.
    pub fn of_text(name: &str, text: &[u8], session: &Session) -> Result<Self, Failure> {
        let started = Instant::now();
        let repository = Repository::open(Path::new("."), &session.environment).ok();
        let folder = force::folder(repository.as_ref());
        let in_force = InForce::read(session, &Place::Folder(&folder), &RuleArgs::default())?;
        let (in_force, look) = prepare(in_force, &SourceArgs::default(), session)?;
        let mut seen = look.nothing();
        look.text(&crate::scan::Source::Input(name.into()), text, &mut seen);
        let findings = std::mem::take::<Findings>(&mut seen.findings).finish(look.scanner.engine.rules());
        Ok(Self::new(in_force, look, findings, seen, None, started))
    }
}
