//! `seal scan`: looks for leaked secrets in files, in what is staged, committed or pushed.
//!
//! What is typed becomes what is [in force](force) and what is [looked through](look); [`files`] and [`objects`] bring the texts.

mod args;
mod files;
mod force;
mod ground;
mod keep;
mod look;
mod objects;
mod rules;

use std::collections::HashSet;
use std::io::Read as _;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

pub use args::{RuleArgs, ScanArgs, SourceArgs};

use super::failure::{Failure, Kind};
use super::session::Session;
use super::shown;
use crate::git::{self, GitError, RefUpdate, Repository};
use crate::host::target;
use crate::host::tree::TreeOptions;
use crate::report::{self, Format, Report};
use crate::scan::{Applied, ArchiveLimits, Coverage, Finding, Findings, Source, Unscanned, Used, sort};
use args::{Progress, ScanCommand, TellArgs};
use force::{InForce, Place};
use ground::Ground;
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
        Some(ScanCommand::Baseline(args)) => keep::baseline(*args, session),
        Some(ScanCommand::Ignore(args)) => keep::ignore(&args, session),
        Some(ScanCommand::Explain(args)) => keep::explain(&args, session),
        Some(ScanCommand::Rules(args)) => rules::run(args, session),
        None => {
            let outcome = scan(&args.source, &args.rules, session)?;
            outcome.tell(&args.tell, &args.rules, session)?;
            outcome.verdict(&args.rules)
        }
    }
}

/// Looks through what the words name.
pub fn scan(source: &SourceArgs, rules: &RuleArgs, session: &Session) -> Result<Outcome, Failure> {
    let task = Task { source, rules, session, started: Instant::now() };
    if !source.fetch_missing {
        return task.run();
    }
    // Each time something comes more may be found missing: trees, then what is in them.
    let mut asked: HashSet<gix::ObjectId> = HashSet::new();
    loop {
        let outcome = task.run()?;
        let missing = outcome.coverage.unscanned.iter().filter(|(_, why)| *why == Unscanned::Missing);
        let ids = missing.filter_map(|(source, _)| source.object());
        let new: Vec<gix::ObjectId> = ids.filter(|id| asked.insert(*id)).collect();
        if new.is_empty() {
            return Ok(outcome);
        }
        git::fetch_missing(&task.repository()?, &new)
            .map_err(|error| Failure { kind: Kind::Incomplete, ..error.into() })?;
    }
}

/// A scan that is to be done.
struct Task<'a> {
    source: &'a SourceArgs,
    rules: &'a RuleArgs,
    session: &'a Session,
    started: Instant,
}

impl Task<'_> {
    fn run(&self) -> Result<Outcome, Failure> {
        let source = self.source;
        let is_git = source.staged
            || source.commits.is_some()
            || source.pre_push.is_some()
            || source.pre_receive
            || source.unpushed
            || source.everything
            || source.history;
        if !is_git {
            return self.files();
        }
        let fail = |error: GitError| Failure { kind: Kind::Usage, ..error.into() };
        let repository = self.repository()?;
        if let Some(remote) = &source.pre_push {
            let updates = RefUpdate::parse_pushed(&lines(source)?).map_err(fail)?;
            let (name, url) = (remote.first().map_or("", |name| name), remote.get(1).map_or("", |url| url));
            let range = git::pushed(&repository, name, url, &updates)?;
            return self.objects(&repository, &range, refs(&updates));
        }
        if source.pre_receive {
            let updates = RefUpdate::parse_received(&lines(source)?).map_err(fail)?;
            let range = git::received(&repository, &updates)?;
            return self.objects(&repository, &range, refs(&updates));
        }
        if source.history {
            return self.history(&repository);
        }
        let range = match &source.commits {
            Some(words) => repository.range(words).map_err(fail)?,
            None if source.unpushed => git::unpushed(&repository)?,
            None if source.everything => git::everything(&repository)?,
            None => git::Range::default(),
        };
        let tip = source.commits.as_deref().map_or("HEAD", |words| words.rsplit("..").next().unwrap_or(words));
        self.objects(&repository, &range, vec![tip.into()])
    }

    fn repository(&self) -> Result<Repository, Failure> {
        Repository::open(Path::new("."), &self.session.environment)
            .map_err(|error| Failure { kind: Kind::Usage, ..error.into() })
    }

    fn files(&self) -> Result<Outcome, Failure> {
        let Self { source, session, .. } = self;
        // The settings of what is looked through count.
        let first = source.paths.iter().find(|path| path.as_os_str() != "-").map_or(Path::new("."), |path| path);
        let first = if first.is_dir() { first } else { first.parent().unwrap_or(first) };
        let first = if first.as_os_str().is_empty() { Path::new(".") } else { first };
        let repository = Repository::open(first, &Default::default()).ok().filter(|found| !found.is_bare());
        let folder = force::folder(repository.as_ref());
        let (in_force, look) = self.prepare(InForce::read(session, &Place::Folder(&folder), self.rules)?)?;
        let here = [Path::new(".").to_owned()];
        let paths = if source.paths.is_empty() { &here[..] } else { &source.paths };
        let named_by = repository.as_ref().filter(|_| !source.as_typed);
        let options = TreeOptions { ignored: source.ignored, nested: source.nested, jobs: source.jobs };
        let ground = Ground::folder(repository.as_ref());
        let mut seen = files::scan(session, &look, &ground, paths, source.path.as_deref(), options, named_by)?;
        if let Some(repository) = repository.as_ref().filter(|_| source.local) {
            seen = seen.with(files::scan_local(&look, repository));
        }
        let mut findings = std::mem::take(&mut seen.findings).finish(look.scanner.engine.rules());
        seen.note_deleted(&mut findings);
        Ok(self.outcome(in_force, look, findings, seen, None))
    }

    fn objects(
        &self,
        repository: &Repository,
        range: &git::Range,
        refs: Vec<gix::bstr::BString>,
    ) -> Result<Outcome, Failure> {
        let Self { source, session, .. } = self;
        // From here on a failure is one of the repository: the scan did not end.
        let fail = |error: GitError| Failure { kind: Kind::Incomplete, ..error.into() };
        // Neither what is pushed nor who pushes it has a say in what may stay: the receiving side's default branch, as it was, has.
        let rules = RuleArgs { no_inline: self.rules.no_inline || source.pre_receive, ..self.rules.clone() };
        let (in_force, look) = self.prepare(of_repository(repository, source.pre_receive, &rules, session)?)?;
        let brought = match source.staged {
            true => objects::scan_staged(session, &look, repository, source.changed_lines),
            false => objects::scan_range(session, &look, repository, range, refs, source.pre_receive),
        };
        let mut brought = brought.map_err(fail)?;
        let mut findings = brought.findings(&look, repository);
        let mut seen = brought.seen;
        self.add_local(&look, repository, &mut seen.coverage, &mut findings);
        Ok(self.outcome(in_force, look, findings, seen, (!source.staged).then_some(brought.commits)))
    }

    fn history(&self, repository: &Repository) -> Result<Outcome, Failure> {
        let Self { source, session, .. } = self;
        let fail = |error: GitError| Failure { kind: Kind::Incomplete, ..error.into() };
        let (in_force, look) = self.prepare(of_repository(repository, false, self.rules, session)?)?;
        let jobs = match source.jobs {
            0 => std::thread::available_parallelism().map_or(1, |cores| cores.get()),
            jobs => jobs,
        };
        let options = git::HistoryOptions {
            scope: if source.all_objects { git::Scope::AllObjects } else { git::Scope::Reachable },
            jobs,
            max_blob: look.max_blob,
            delta: !source.no_delta_scan,
            cache: !source.no_cache,
            alternates: Vec::new(),
            salt: look.salt.clone(),
        };
        let progress = Objects { session, shown: Mutex::default() };
        let scan = git::scan_history(repository, &look.scanner, &options, &progress).map_err(fail)?;
        drop(progress);
        let mut coverage = scan.coverage;
        for note in &scan.notes {
            session.warn(&shown(note).to_string());
        }
        if scan.is_incomplete && coverage.unscanned.is_empty() {
            // What is noted has no source of its own.
            coverage.unscanned.push((Source::Name(scan.notes.join("; ").into()), Unscanned::Unreadable));
        }
        let mut findings = scan.findings;
        // What was noted of objects that are borrowed keeps HEAD from being read, too.
        if !scan.is_incomplete || repository.reader().is_ok() {
            findings.extend(objects::scan_head(&look, repository, &mut coverage).map_err(fail)?);
        }
        self.add_local(&look, repository, &mut coverage, &mut findings);
        sort(&mut findings, look.scanner.engine.rules());
        let seen = Seen { coverage, ..look.nothing() };
        Ok(self.outcome(in_force, look, findings, seen, None))
    }

    /// Adds what git's own files hold, where that is asked for.
    fn add_local(&self, look: &Look, repository: &Repository, coverage: &mut Coverage, findings: &mut Vec<Finding>) {
        if self.source.local {
            let seen = files::scan_local(look, repository);
            coverage.merge(seen.coverage);
            findings.extend(seen.findings.finish(look.scanner.engine.rules()));
            sort(findings, look.scanner.engine.rules());
        }
    }

    fn prepare(&self, mut in_force: InForce) -> Result<(InForce, Look), Failure> {
        let Self { source, session, .. } = self;
        match source.progress {
            Progress::Auto => {}
            Progress::Never => session.terminal().set_quiet(),
            Progress::Json => session.terminal().set_json_progress(),
        }
        let limits = ArchiveLimits::default();
        let limits = ArchiveLimits { depth: source.archive_depth.unwrap_or(limits.depth), ..limits };
        let look = Look {
            scanner: in_force.scanner(session)?,
            salt: in_force.settings.salt.clone(),
            max_blob: source.max_blob.unwrap_or(MAX_BLOB),
            archives: source.archive.then_some(limits),
            jobs: source.jobs,
            until: source.seconds.map(|seconds| self.started + Duration::from_secs(seconds)),
            bytes_left: source.bytes.map(AtomicU64::new),
        };
        Ok((in_force, look))
    }

    fn outcome(
        &self,
        in_force: InForce,
        look: Look,
        mut findings: Vec<Finding>,
        seen: Seen,
        commits: Option<usize>,
    ) -> Outcome {
        let applied = in_force.apply(&mut findings, look.scanner.engine.rules());
        let mut coverage = seen.coverage;
        coverage.unscanned.sort();
        coverage.unscanned.dedup();
        Outcome { in_force, look, findings, coverage, applied, commits, seconds: self.started.elapsed().as_secs_f64() }
    }
}

/// Shows how many objects were looked at.
struct Objects<'a> {
    session: &'a Session,
    shown: Mutex<Option<crate::host::progress::Progress>>,
}

impl git::Progress for Objects<'_> {
    fn expect(&self, objects: usize) {
        let progress = self.session.terminal().progress("objects", Some(objects as u64));
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = Some(progress);
    }

    fn advance(&self, objects: usize, _: usize) {
        if let Some(progress) = &mut *self.shown.lock().unwrap_or_else(PoisonError::into_inner) {
            progress.advance(objects as u64);
        }
    }
}

/// What is in force in a repository: as its files say, or as its default branch does for what is pushed to it.
fn of_repository(
    repository: &Repository,
    is_pushed: bool,
    rules: &RuleArgs,
    session: &Session,
) -> Result<InForce, Failure> {
    if !is_pushed && !repository.is_bare() {
        return InForce::read(session, &Place::Folder(repository.root()), rules);
    }
    let fail = |error: GitError| Failure { kind: Kind::Incomplete, ..error.into() };
    let reader = repository.reader().map_err(fail)?;
    let head = repository.head_commit().map_err(fail)?;
    let tree = match head {
        Some(commit) => reader.commit(commit).map_err(fail)?.map(|commit| commit.tree),
        None => None,
    };
    InForce::read(session, &Place::Tree(&reader, tree), rules)
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
    /// The findings, in order; those that are let through too.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The findings themselves.
    pub fn into_findings(self) -> Vec<Finding> {
        self.findings
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
            now: self.in_force.now,
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
        if rules.report_unused || rules.fail_on_unused {
            for line in self.unused() {
                session.say(&shown(&line).to_string());
            }
        }
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
        if rules.fail_on_unused && !self.unused().is_empty() {
            return Err(Failure::new(Kind::Usage, "there are entries that let nothing through any more")
                .hint("take them out of the file that is named; those of a baseline: seal scan baseline prune"));
        }
        Ok(())
    }

    /// The entries that let nothing through any more, and what a baseline knows that is gone, a line each.
    fn unused(&self) -> Vec<String> {
        let entry = |entry: &Used| {
            let reason = if entry.reason.is_empty() { String::new() } else { format!(": {}", entry.reason) };
            format!("unused: {}{reason}", entry.origin)
        };
        let mut unused: Vec<String> = self.applied.unused().map(entry).collect();
        let gone = self.in_force.baseline.iter().flat_map(|baseline| baseline.compare(&self.findings).gone);
        unused.extend(gone.map(|fingerprint| format!("unused: {} of the baseline", fingerprint.short())));
        unused
    }

    /// A scan of nothing but a text.
    pub fn of_text(name: &str, text: &[u8], session: &Session) -> Result<Self, Failure> {
        let (source, rules) = (SourceArgs::default(), RuleArgs::default());
        let task = Task { source: &source, rules: &rules, session, started: Instant::now() };
        let folder = force::folder(task.repository().ok().as_ref());
        let (in_force, look) = task.prepare(InForce::read(session, &Place::Folder(&folder), &rules)?)?;
        let mut seen = look.nothing();
        look.text(&Source::Input(name.into()), text, &mut seen);
        let findings = std::mem::take::<Findings>(&mut seen.findings).finish(look.scanner.engine.rules());
        Ok(task.outcome(in_force, look, findings, seen, None))
    }
}
