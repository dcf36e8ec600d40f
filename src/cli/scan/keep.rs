//! What is done with findings that may stay: baselines, entries that let one through, and why one was reported.

use std::path::{Path, PathBuf};

use super::super::failure::{Failure, Kind};
use super::super::session::Session;
use super::super::shown;
use super::args::{BaselineArgs, BaselineCommand, BaselineFileArgs, ExplainArgs, IgnoreArgs, RuleArgs, SourceArgs};
use super::force::{self, IGNORE};
use super::{Outcome, scan};
use crate::git::Repository;
use crate::host::{files, target};
use crate::report;
use crate::scan::{Allow, Baseline, Fingerprint, is_fingerprint, migrate_gitleaksignore, parse_date};

/// Where a baseline lies where nothing else is said.
const BASELINE: &str = ".seal/baseline.json";

/// Runs `baseline`.
pub fn baseline(args: BaselineArgs, session: &Session) -> Result<(), Failure> {
    match args.command {
        BaselineCommand::Write(args) => {
            let (outcome, file) = held_against(&args, session)?;
            let baseline = Baseline::of(outcome.findings());
            write(&file, &baseline)?;
            session.say(&format!(
                "wrote {}: {} findings are known from now on",
                shown(&file),
                outcome.findings().len()
            ));
            session.say(&format!("next  seal scan --baseline {}", shown(&file)));
            Ok(())
        }
        BaselineCommand::Diff(args) => {
            let (outcome, file) = held_against(&args, session)?;
            let difference = read(&file)?.compare(outcome.findings());
            let rows =
                |sign: &str, of: &[Fingerprint]| of.iter().map(|one| format!("{sign} {one}\n")).collect::<String>();
            session.answer((rows("+", &difference.new) + &rows("-", &difference.gone)).as_bytes())?;
            let counts = [difference.new.len(), difference.known.len(), difference.gone.len()];
            session.say(&format!("{} new, {} known, {} gone", counts[0], counts[1], counts[2]));
            if counts[0] > 0 { Err(Failure::new(Kind::No, "")) } else { Ok(()) }
        }
        BaselineCommand::Prune(args) => {
            let (outcome, file) = held_against(&args, session)?;
            let mut baseline = read(&file)?;
            let gone = baseline.compare(outcome.findings()).gone.len();
            baseline.prune(outcome.findings());
            write(&file, &baseline)?;
            session.say(&format!("{}: {gone} taken out, as they are no longer found", shown(&file)));
            Ok(())
        }
    }
}

/// All that is found, whatever the baseline knows, and the file of the baseline.
fn held_against(args: &BaselineFileArgs, session: &Session) -> Result<(Outcome, PathBuf), Failure> {
    let repository = Repository::open(Path::new("."), &Default::default()).ok();
    let in_repository = |file: &Path| force::folder(repository.as_ref()).join(file);
    let outcome = scan(&args.source, &args.rules.without_baseline(), session)?;
    if !outcome.report(&args.rules).is_complete() {
        return Err(Failure::new(
            Kind::Incomplete,
            "not everything could be looked through, so the baseline is left alone",
        )
        .hint("see what: seal scan"));
    }
    let of_settings = outcome.in_force.settings.baseline.as_deref();
    let file = match (&args.file, of_settings) {
        (Some(file), _) => file.clone(),
        (None, Some(file)) => in_repository(file),
        (None, None) => in_repository(Path::new(BASELINE)),
    };
    Ok((outcome, file))
}

fn read(file: &Path) -> Result<Baseline, Failure> {
    let text = files::read(file)?;
    force::parse_baseline(file, &String::from_utf8_lossy(&text))
}

fn write(file: &Path, baseline: &Baseline) -> Result<(), Failure> {
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|error| files::FileError::new("create", folder, error))?;
    }
    target::write(file, baseline.to_text().as_bytes(), 0o644)?;
    Ok(())
}

/// Runs `ignore`.
pub fn ignore(args: &IgnoreArgs, session: &Session) -> Result<(), Failure> {
    if let Some(file) = &args.migrate {
        return migrate(file, session);
    }
    let until = args
        .until
        .as_deref()
        .map(parse_date)
        .transpose()
        .map_err(|why| Failure::new(Kind::Usage, shown(&why).to_string()))?;
    let mut lines = Vec::new();
    let mut scans = Vec::new();
    for typed in &args.fingerprints {
        let found = find(typed, &mut scans, session)?;
        lines.push(Allow::line_for(found, args.path.as_deref(), until, &args.reason));
    }
    let file = add_entries(&lines)?;
    for line in &lines {
        session.say(&format!("{}: {}", shown(&file), shown(line)));
    }
    session.say(&format!("next  git add {IGNORE}"));
    Ok(())
}

/// Adds lines to the list of what may stay; gives its file.
fn add_entries(lines: &[String]) -> Result<PathBuf, Failure> {
    let repository = Repository::open(Path::new("."), &Default::default()).ok();
    let file = force::folder(repository.as_ref()).join(IGNORE);
    let mut text = if file.exists() { files::read(&file)?.to_vec() } else { Vec::new() };
    if !text.is_empty() && !text.ends_with(b"\n") {
        text.push(b'\n');
    }
    for line in lines {
        text.extend_from_slice(format!("{line}\n").as_bytes());
    }
    // Nothing is written that could not be read.
    Allow::parse_all(&String::from_utf8_lossy(&text), IGNORE)
        .map_err(|error| Failure::new(Kind::Usage, shown(&error.to_string()).to_string()))?;
    target::write(&file, &text, 0o644)?;
    Ok(file)
}

/// Writes fingerprints for what gitleaks's list names by its place.
fn migrate(file: &Path, session: &Session) -> Result<(), Failure> {
    let text = files::read(file).map_err(|error| Failure { kind: Kind::Usage, ..error.into() })?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let rules = RuleArgs { no_allow: true, ..RuleArgs::default().without_baseline() };
    let history = SourceArgs { history: true, no_cache: true, ..SourceArgs::default() };
    let here = scan(&SourceArgs::default(), &rules, session)?;
    let mut is_complete = here.report(&rules).is_complete();
    let Outcome { look, mut findings, .. } = here;
    // Outside of a repository there is no history that could be meant.
    if Repository::open(Path::new("."), &session.environment).is_ok() {
        let outcome = scan(&history, &rules, session)?;
        is_complete &= outcome.report(&rules).is_complete();
        findings.extend(outcome.into_findings());
    }
    let lines: Vec<String> =
        migrate_gitleaksignore(&text, &findings, look.scanner.engine.rules()).lines().map(str::to_owned).collect();
    let kinds = |start: &str| lines.iter().filter(|line| line.starts_with(start)).count();
    let (found, lost) = (kinds("fp:"), kinds("# not found:"));
    let written = add_entries(&lines)?;
    session.say(&format!("{}: {found} by fingerprint, {lost} not found", shown(&written)));
    if !is_complete {
        session.warn("not everything could be looked through: what was not found may be there");
    }
    session.say(&format!("next  git add {IGNORE} && git rm {}", shown(file)));
    Ok(())
}

/// Runs `explain`.
pub fn explain(args: &ExplainArgs, session: &Session) -> Result<(), Failure> {
    if !looks_like_fingerprint(&args.what) {
        let outcome = Outcome::of_text("-", args.what.as_bytes(), session)?;
        if outcome.findings().is_empty() {
            return session.answer(b"no rule finds anything in it\n");
        }
        return tell(&outcome, |_| true, session);
    }
    let mut scans = Vec::new();
    let fingerprint = find(&args.what, &mut scans, session)?;
    for outcome in
        scans.iter().filter(|outcome| outcome.findings().iter().any(|one| one.fingerprint == fingerprint)).take(1)
    {
        tell(outcome, |found| found == fingerprint, session)?;
    }
    Ok(())
}

fn tell(outcome: &Outcome, wanted: impl Fn(Fingerprint) -> bool, session: &Session) -> Result<(), Failure> {
    let report = outcome.report(&RuleArgs::default());
    for finding in outcome.findings().iter().filter(|finding| wanted(finding.fingerprint)) {
        session.answer(report::explain(&report, finding).as_bytes())?;
    }
    Ok(())
}

fn looks_like_fingerprint(text: &str) -> bool {
    is_fingerprint(text) && (text.len() >= 20 || text.to_ascii_lowercase().starts_with("f-") || text.starts_with("fp:"))
}

/// The finding that is meant: of the work tree, else of what is staged, of the commits that no remote has, of all history.
fn find(typed: &str, scans: &mut Vec<Outcome>, session: &Session) -> Result<Fingerprint, Failure> {
    let unpushed = SourceArgs { unpushed: true, ..SourceArgs::default() };
    let history = SourceArgs { history: true, ..SourceArgs::default() };
    let sources = [SourceArgs::default(), SourceArgs { staged: true, ..SourceArgs::default() }, unpushed, history];
    for (number, source) in sources.iter().enumerate() {
        if number == scans.len() {
            match scan(source, &RuleArgs::default().without_baseline(), session) {
                Ok(outcome) => scans.push(outcome),
                // Not in a repository.
                Err(_) if number > 0 => break,
                Err(failure) => return Err(failure),
            }
        }
        let meant = |finding: &&crate::scan::Finding| finding.fingerprint.is_meant_by(typed);
        let mut all = scans[number].findings().iter().filter(meant).map(|finding| finding.fingerprint);
        match (all.next(), all.next()) {
            (Some(found), None) => return Ok(found),
            (Some(_), Some(_)) => {
                return Err(Failure::new(Kind::Usage, format!("`{}` means more than one finding", shown(typed)))
                    .hint("type more of it: seal scan --format json shows it whole"));
            }
            (None, _) => {}
        }
    }
    Err(Failure::new(Kind::NotFound, format!("no finding is called `{}`", shown(typed)))
        .hint("names are shown by: seal scan"))
}
