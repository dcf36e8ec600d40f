//! gitleaks: `git`, `dir`, `stdin`, `detect`, `protect`, made into scans of seal, with its reports, log lines and exit codes.
//!
//! How its command line is read is in [`gitleaks_args`](super::gitleaks_args); its reports are in [`report`](crate::report). What is
//! found is what seal finds: rules that gitleaks has too are called as it calls them. What could not be looked through ends with
//! exit code 1, as its partial scans do.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::gitleaks_args::{Command, Given, Misuse, command, help, usage};
use crate::cli::failure::{Failure, Kind};
use crate::cli::scan::{Outcome, RuleArgs, SourceArgs, scan};
use crate::cli::session::{ConfigSearch, Session, absolute};
use crate::cli::{Global, shown};
use crate::host::environment::Variable;
use crate::host::{Host, clock, target};
use crate::report::{self, Format, Report};
use crate::scan::Confidence;

/// The gitleaks that is stood in for.
const VERSION: &str = "8.30.1";

/// Runs what was typed behind `gitleaks`.
pub fn run(words: &[OsString]) -> ExitCode {
    let mut host = Host::open();
    let (command_typed, given) = match Given::read(words) {
        Ok(read) => read,
        Err((command, Misuse(problem))) => {
            host.terminal.note(format!("Error: {problem}"));
            note_lines(&mut host, &usage(command));
            if problem.starts_with("unknown flag") {
                return ExitCode::from(126);
            }
            host.terminal.note(logged("FTL", &problem));
            return ExitCode::FAILURE;
        }
    };
    let print = |text: &str, host: &mut Host| {
        // A closed pipe: whoever read it has read enough.
        let _ = host.terminal.answer(text.as_bytes());
        ExitCode::SUCCESS
    };
    let Some(chosen) = command_typed else {
        if let Some(unknown) = given.words.first() {
            let problem = format!("unknown command \"{}\" for \"gitleaks\"", shown(unknown));
            host.terminal.note(format!("Error: {problem}"));
            host.terminal.note("Run 'gitleaks --help' for usage.");
            host.terminal.note(logged("FTL", &problem));
            return ExitCode::FAILURE;
        }
        let text = if given.on("version") { format!("gitleaks version {VERSION}\n") } else { help(None) };
        return print(&text, &mut host);
    };
    if given.on("help") {
        return print(&help(Some(chosen)), &mut host);
    }
    match chosen.name {
        "version" => return print(&format!("{VERSION}\n"), &mut host),
        "help" => return print(&help(given.words.first().and_then(command)), &mut host),
        _ => {}
    }
    let session = Session::new(Global { quiet: true, ..Global::default() }, host, ConfigSearch::FromHere);
    let call = Call { given, session };
    match call.carry_out(chosen) {
        Ok(code) => code,
        Err(failure) => {
            call.log("FTL", &failure.message);
            ExitCode::FAILURE
        }
    }
}

/// One call of gitleaks.
struct Call {
    given: Given,
    session: Session,
}

/// The levels of its log, by the word in a line and the word of `--log-level`.
const LEVELS: [(&str, &str); 6] =
    [("TRC", "trace"), ("DBG", "debug"), ("INF", "info"), ("WRN", "warn"), ("ERR", "error"), ("FTL", "fatal")];

impl Call {
    fn carry_out(&self, command: &Command) -> Result<ExitCode, Failure> {
        let given = &self.given;
        if !given.on("no-banner") {
            for line in ["", concat!("    gitleaks (seal ", env!("CARGO_PKG_VERSION"), ")"), ""] {
                self.session.terminal().note(line);
            }
        }
        let source = self.source(command)?;
        let destination = self.destination()?;
        let rules = self.rules(&source)?;
        if let Source::Git(_, folder) = &source {
            // git names paths from the top of its repository on; all other paths were made absolute before.
            std::env::set_current_dir(folder).map_err(|_| missing(folder))?;
        }
        let looked_through = self.source_args(&source)?;
        let requested = |id: &&String| format!("there is no rule `{id}`");
        let outcome = scan(&looked_through, &rules, &self.session).map_err(|failure| {
            match rules.only.iter().find(|id| failure.message.starts_with(&requested(id))) {
                Some(id) => Failure::new(Kind::Config, format!("Requested rule {} not found in rules", shown(id))),
                None => failure,
            }
        })?;
        let report = self.report(&outcome, &rules);
        if given.on("verbose") {
            self.session.answer(report::gitleaks_verbose(&report).as_bytes())?;
        }
        if let Some((format, file)) = &destination {
            let mut bytes = Vec::new();
            report::write(*format, &report, &mut bytes).map_err(|error| Failure::new(Kind::Io, error.to_string()))?;
            match file {
                Some(file) => drop(target::write(file, &bytes, 0o644)?),
                None => self.session.answer(&bytes)?,
            }
        }
        if matches!(source, Source::Git(..)) {
            self.log("INF", &format!("{} commits scanned.", outcome.commits.unwrap_or_default()));
        }
        let bytes = report.coverage.bytes;
        self.log("INF", &format!("scanned ~{bytes} bytes ({}) in {:.0}ms", size(bytes), outcome.seconds() * 1000.0));
        for (place, why) in report.coverage.unscanned.iter().take(20) {
            self.log("ERR", &format!("partial scan: {why:?}: {}", shown_path(place)));
        }
        match report::gitleaks_count(&report) {
            0 => self.log("INF", "no leaks found"),
            leaks => {
                self.log("WRN", &format!("leaks found: {leaks}"));
                // A code that no process can end with is taken as the system would take it.
                return Ok(ExitCode::from(given.number("exit-code").unwrap_or(1) as u8));
            }
        }
        Ok(if report.is_complete() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// What is to be looked through, in gitleaks's terms.
    fn source(&self, command: &Command) -> Result<Source, Failure> {
        let given = &self.given;
        let word = given.words.first().map(PathBuf::from);
        let path = match command.name {
            "git" | "dir" => word.unwrap_or_else(|| ".".into()),
            _ => given.text("source").unwrap_or(".").into(),
        };
        let is_there = |path: PathBuf| if path.exists() { Ok(path) } else { Err(missing(&path)) };
        Ok(match command.name {
            "stdin" => Source::Input,
            "detect" if given.on("pipe") => Source::Input,
            "dir" => Source::Folder(is_there(path)?),
            "detect" if given.on("no-git") => Source::Folder(is_there(path)?),
            "protect" => {
                Source::Git(if given.on("staged") { Commits::Staged } else { Commits::Changed }, is_there(path)?)
            }
            "git" if given.on("staged") => Source::Git(Commits::Staged, is_there(path)?),
            "git" if given.on("pre-commit") => Source::Git(Commits::Changed, is_there(path)?),
            _ => Source::Git(self.commits()?, is_there(path)?),
        })
    }

    /// Which commits `--log-opts` names.
    fn commits(&self) -> Result<Commits, Failure> {
        let mut range = None;
        for word in self.given.text("log-opts").unwrap_or_default().split_whitespace() {
            match word {
                // Every commit is looked at in every file, merges too: these change nothing.
                "--all" | "--full-history" | "-p" | "-U0" | "--no-merges" | "--first-parent" | "-m" | "--" => {}
                word if word.starts_with('-') || range.is_some() => {
                    let problem =
                        format!("--log-opts: {} is not understood here; a range such as main..HEAD is", shown(word));
                    return Err(Failure::new(Kind::Usage, problem));
                }
                word => range = Some(word.to_owned()),
            }
        }
        Ok(range.map_or(Commits::All, Commits::Range))
    }

    /// The same as words of seal's own command.
    fn source_args(&self, source: &Source) -> Result<SourceArgs, Failure> {
        let depth = self.given.number("max-archive-depth").and_then(|depth| usize::try_from(depth).ok()).unwrap_or(0);
        let args =
            SourceArgs { archive: depth > 0, archive_depth: (depth > 0).then_some(depth), ..SourceArgs::default() };
        Ok(match source {
            Source::Input => SourceArgs { paths: vec!["-".into()], path: Some(PathBuf::new()), ..args },
            Source::Folder(path) => {
                SourceArgs { paths: vec![path.clone()], ignored: true, nested: true, as_typed: true, ..args }
            }
            Source::Git(Commits::Staged, _) => SourceArgs { staged: true, changed_lines: true, ..args },
            // What is changed and not staged is a part of the work tree.
            Source::Git(Commits::Changed, _) => SourceArgs { paths: vec![".".into()], ..args },
            Source::Git(Commits::All, _) => SourceArgs { everything: true, ..args },
            Source::Git(Commits::Range(range), _) => SourceArgs { commits: Some(range.clone()), ..args },
        })
    }

    /// The rules, and what may stay.
    fn rules(&self, source: &Source) -> Result<RuleArgs, Failure> {
        let given = &self.given;
        let environment = &self.session.environment;
        let folder = match source {
            Source::Folder(path) if path.is_file() => path.parent().unwrap_or(Path::new("")),
            Source::Folder(path) | Source::Git(_, path) => path,
            Source::Input => Path::new("."),
        };
        let beside = folder.join(".gitleaks.toml");
        let named = given.text("config").map(PathBuf::from).or_else(|| environment.path(Variable::GitleaksConfig));
        let text = environment.text(Variable::GitleaksConfigToml).filter(|_| named.is_none()).map(str::to_owned);
        let named = named.or_else(|| (text.is_none() && beside.is_file()).then_some(beside));
        // What else may lie in the repository is not for gitleaks.
        let text = text.or_else(|| named.is_none().then(|| "[extend]\nuseDefault = true\n".to_owned()));
        let ignore = PathBuf::from(given.text("gitleaks-ignore-path").unwrap_or("."));
        let ignore = if ignore.is_dir() { ignore.join(".gitleaksignore") } else { ignore };
        let mut ignores = vec![ignore, folder.join(".gitleaksignore")];
        ignores.retain(|file| file.is_file());
        let full = |path: PathBuf| absolute(&path);
        let only = given.list("enable-rule");
        if !only.is_empty() {
            self.log("INF", &format!("Overriding enabled rules: {}", shown(&only.join(", "))));
        }
        Ok(RuleArgs {
            only,
            settings: named.map(full).transpose()?,
            settings_text: text,
            baseline: given.text("baseline-path").map(|path| full(path.into())).transpose()?,
            gitleaksignores: ignores.into_iter().map(full).collect::<Result<_, _>>()?,
            no_inline: given.on("ignore-gitleaks-allow"),
            ..RuleArgs::default()
        })
    }

    /// The report asked for, and its file; standard output for none.
    fn destination(&self) -> Result<Option<(Format, Option<PathBuf>)>, Failure> {
        let given = &self.given;
        let fail = |problem: String| Failure::new(Kind::Usage, problem);
        let (path, template) = (given.text("report-path"), given.text("report-template"));
        let Some(path) = path.or(template) else { return Ok(None) };
        let extension = Path::new(path).extension().unwrap_or_default().to_string_lossy();
        let format = match given.text("report-format").unwrap_or(&extension) {
            _ if template.is_some() => Err("template"),
            "json" => Ok(Format::GitleaksJson),
            "csv" => Ok(Format::GitleaksCsv),
            "junit" => Ok(Format::GitleaksJunit),
            "sarif" => Ok(Format::GitleaksSarif),
            other => Err(other),
        };
        let format = format.map_err(|word| match word {
            "template" => {
                fail("templates of Go are not available; seal scan --format template takes one of Jinja".to_owned())
            }
            word if given.text("report-format").is_some() => fail(format!("unknown report format {}", shown(word))),
            _ => fail("Unknown report format: ".to_owned()),
        })?;
        Ok(Some((format, if path == "-" { None } else { Some(absolute(Path::new(path))?) })))
    }

    fn report<'a>(&self, outcome: &'a Outcome, rules: &RuleArgs) -> Report<'a> {
        let mut report = outcome.report(rules);
        report.options.least_confidence = Confidence::Low;
        // gitleaks hides nothing unless it is told to.
        let redact = self.given.text("redact").unwrap_or("0");
        report.options.redaction = redact.parse().unwrap_or_default();
        report.options.show_secrets = report.options.redaction != report::Redaction::default();
        report
    }

    /// A line of its log, unless it is below `--log-level`.
    fn log(&self, level: &str, message: &str) {
        let rank = |word: &str| LEVELS.iter().position(|(short, long)| *short == word || *long == word);
        let least = self.given.text("log-level").and_then(|word| rank(&word.to_ascii_lowercase())).unwrap_or(2);
        if rank(level).is_some_and(|rank| rank >= least) {
            self.session.terminal().note(logged(level, message));
        }
    }
}

/// What gitleaks looks through.
enum Source {
    Input,
    Folder(PathBuf),
    Git(Commits, PathBuf),
}

enum Commits {
    All,
    Range(String),
    Staged,
    Changed,
}

fn logged(level: &str, message: &str) -> String {
    let minutes = clock::seconds().rem_euclid(24 * 60 * 60) / 60;
    let (hour, half) = (minutes / 60 % 12, if minutes < 12 * 60 { "AM" } else { "PM" });
    format!("{}:{:02}{half} {level} {message}", if hour == 0 { 12 } else { hour }, minutes % 60)
}

fn note_lines(host: &mut Host, text: &str) {
    text.lines().for_each(|line| host.terminal.note(line));
}

fn missing(path: &Path) -> Failure {
    Failure::new(Kind::Missing, format!("stat {}: no such file or directory", shown(path)))
}

fn shown_path(source: &crate::scan::Source) -> String {
    source.path().map(|path| report::shown_bytes(path).to_string()).unwrap_or_default()
}

/// As gitleaks writes sizes: `59 bytes`, `1.23 KB`.
fn size(bytes: u64) -> String {
    let scaled = |shift: u32, unit: &str| format!("{:.2} {unit}", bytes as f64 / (1_u64 << shift) as f64);
    match bytes {
        0 => "0".to_owned(),
        1..1024 => format!("{bytes} bytes"),
        1024..0x10_0000 => scaled(10, "KB"),
        0x10_0000..0x4000_0000 => scaled(20, "MB"),
        _ => scaled(30, "GB"),
    }
}
