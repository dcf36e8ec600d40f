//! `seal doctor`: whether everything that seal needs is at hand, and where it was found. Changes nothing.

use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use clap::Args;
use serde_json::json;

use super::check::Mark;
use super::failure::{Failure, Kind};
use super::session::{self, Session};
use super::shown;
use crate::config::Config;
use crate::crypt::SOPS_VERSION;
use crate::host::{OnDisk, Scratch, Variable, clock, files, hardening, programs};
use crate::keys::identities::{self, Holds, Place, Source};

/// Check that everything seal needs is at hand
///
/// Looks for identities, plugins, .sops.yaml and git's settings, and says what was found where. Changes nothing, prints no
/// secret, and asks no network.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  seal doctor\n  seal doctor --json\n\nExit codes: 0 nothing is broken, 1 something is."
)]
pub struct DoctorArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// One thing that was looked at.
struct Check {
    about: &'static str,
    mark: Mark,
    text: String,
    /// What to do about it.
    hint: Option<String>,
}

#[derive(Default)]
struct Checks(Vec<Check>);

impl Checks {
    fn add(&mut self, about: &'static str, mark: Mark, text: impl Into<String>) {
        self.0.push(Check { about, mark, text: text.into(), hint: None });
    }

    fn hint(&mut self, hint: impl Into<String>) {
        if let Some(check) = self.0.last_mut() {
            check.hint = Some(hint.into());
        }
    }
}

/// Runs it.
pub fn run(args: DoctorArgs, session: &Session) -> Result<(), Failure> {
    let mut checks = Checks::default();
    let version = env!("CARGO_PKG_VERSION");
    checks.add("seal", Mark::Good, format!("{version}, files in the format of sops {SOPS_VERSION}"));
    check_identities(&mut checks);
    check_programs(&mut checks, session);
    check_config(&mut checks, session)?;
    check_git(&mut checks, session)?;
    check_host(&mut checks, session);

    if args.json {
        let list: Vec<_> = checks
            .0
            .iter()
            .map(|check| {
                json!({"about": check.about, "result": check.mark.word(), "text": check.text, "hint": check.hint})
            })
            .collect();
        session.answer_json(&json!({"schema": "seal.doctor/1", "checks": list}))?;
    } else {
        for check in &checks.0 {
            session.answer_line(check.mark.line(session, &format!("{:9}  {}", check.about, check.text)))?;
            if let Some(hint) = &check.hint {
                session.answer_line(format!("             {hint}"))?;
            }
        }
    }
    match checks.0.iter().filter(|check| check.mark == Mark::Bad).count() {
        0 => {
            session.say("nothing is broken");
            Ok(())
        }
        1 => Err(Failure::new(Kind::No, "one thing is broken")),
        n => Err(Failure::new(Kind::No, format!("{n} things are broken"))),
    }
}

fn check_identities(checks: &mut Checks) {
    let places = identities::places(&identities::Environment::of_process());
    let mut found = false;
    for place in &places {
        found |= check_place(checks, place);
    }
    if !found {
        checks.add("identity", Mark::Bad, "there is none, so that no file can be decrypted");
        let looked: Vec<_> = places.iter().map(|place| shown(&place.name).to_string()).collect();
        checks.hint(format!("looked in {}; make one: seal init, or seal keys generate -o FILE", looked.join(", ")));
    }
}

/// Whether there is anything in the place that may be an identity.
fn check_place(checks: &mut Checks, place: &Place) -> bool {
    let name = shown(&place.name).to_string();
    let path = match &place.source {
        Source::Command(_) => {
            checks.add(
                "identity",
                Mark::Good,
                format!("{name}: what the command prints, when it is needed; not run now"),
            );
            return true;
        }
        Source::Text(_) => None,
        Source::File(path) => Some((path, true)),
        Source::DefaultFile(path) => Some((path, false)),
    };
    if let Some((path, is_named)) = path {
        let metadata = match path.metadata() {
            Ok(metadata) => metadata,
            Err(error) if is_named => {
                checks.add("identity", Mark::Bad, format!("{name}: {error}"));
                return false;
            }
            Err(_) => return false,
        };
        if metadata.permissions().mode() & 0o077 != 0 {
            checks.add("identity", Mark::Warning, format!("{name}: others on this machine may use it"));
            checks.hint(format!("chmod 600 {}", shown(path)));
        }
        if place.holds == Holds::SshKey {
            let opened = std::fs::File::open(path);
            match opened {
                Ok(_) => checks.add("identity", Mark::Good, format!("{name}: an ssh key")),
                Err(error) => checks.add("identity", Mark::Bad, format!("{name}: {error}")),
            }
            return true;
        }
        if is_locked(path) {
            checks.add("identity", Mark::Good, format!("{name}: identities under a passphrase, asked for when needed"));
            return true;
        }
    }
    match identities::public_keys(place) {
        Ok(keys) if keys.is_empty() => {
            checks.add("identity", Mark::Good, format!("{name}: only identities of plugins, or none"));
        }
        Ok(keys) => {
            let word = if keys.len() == 1 { "identity" } else { "identities" };
            checks.add("identity", Mark::Good, format!("{name}: {} {word}", keys.len()));
            checks.hint(format!("public: {}", keys.join(", ")));
        }
        Err(error) => checks.add("identity", Mark::Bad, shown(&error.to_string()).to_string()),
    }
    true
}

/// Whether a file is itself encrypted by age, as identity files under a passphrase are.
fn is_locked(path: &Path) -> bool {
    let mut head = [0; 34];
    let read = std::fs::File::open(path).and_then(|mut file| file.read(&mut head)).unwrap_or_default();
    [b"age-encryption.org/".as_slice(), b"-----BEGIN AGE ENCRYPTED FILE-----"]
        .iter()
        .any(|m| head[..read].starts_with(m))
}

fn check_programs(checks: &mut Checks, session: &Session) {
    let path = session.environment.value(Variable::Path).unwrap_or_default();
    let plugins = programs::in_path(path, |name| name.starts_with("age-plugin-") && !name.contains('.'));
    for plugin in &plugins {
        checks.add("plugin", Mark::Good, shown(plugin).to_string());
    }
    if plugins.is_empty() {
        checks.add("plugin", Mark::Good, "no age-plugin-… in PATH; none is needed for plain age keys");
    }
    let Some(sops) = programs::in_path(path, |name| name == "sops").into_iter().next() else {
        checks.add("sops", Mark::Good, "not in PATH; none is needed");
        return;
    };
    let own = std::env::current_exe().and_then(std::fs::canonicalize).ok();
    if own.is_some() && std::fs::canonicalize(&sops).ok() == own {
        checks.add("sops", Mark::Good, format!("{} is seal", shown(&sops)));
        return;
    }
    // Without the variable it would ask the network for newer versions.
    let version = programs::first_line(&sops, &["--version"], &[("SOPS_DISABLE_VERSION_CHECK", "1")]);
    match version {
        Some(line) => checks.add("sops", Mark::Good, format!("{}: {}", shown(&sops), shown(&line))),
        None => checks.add("sops", Mark::Warning, format!("{} does not say its version", shown(&sops))),
    }
}

fn check_config(checks: &mut Checks, session: &Session) -> Result<(), Failure> {
    let here = session::absolute(Path::new("."))?;
    let path = match &session.global.config {
        Some(path) => path.clone(),
        None => {
            let search = files::find_config(&here);
            if let Some(ignored) = &search.ignored {
                checks.add("config", Mark::Warning, format!("{} is not read by sops", shown(ignored)));
                checks.hint("rename it to .sops.yaml");
            }
            let Some(path) = search.found else {
                checks.add("config", Mark::Warning, "no .sops.yaml here or above: readers must be named with flags");
                checks.hint("make one: seal init");
                return Ok(());
            };
            path
        }
    };
    let text = match files::read(&path) {
        Ok(text) => text,
        Err(error) => {
            checks.add("config", Mark::Bad, shown(&error.to_string()).to_string());
            return Ok(());
        }
    };
    let config = match Config::parse(&String::from_utf8_lossy(&text), session::absolute(&path)?) {
        Ok(config) => config,
        Err(error) => {
            checks.add("config", Mark::Bad, shown(&error.to_string()).to_string());
            return Ok(());
        }
    };
    let rules = config.creation_rules().len();
    checks.add(
        "config",
        Mark::Good,
        format!("{} with {rules} creation rule{}", shown(&path), if rules == 1 { "" } else { "s" }),
    );
    for warning in config.warnings() {
        checks.add("config", Mark::Warning, shown(&warning.to_string()).to_string());
    }
    for error in config.creation_rules().iter().filter_map(|rule| rule.body().err()) {
        checks.add("config", Mark::Bad, shown(&error.to_string()).to_string());
    }
    Ok(())
}

fn check_git(checks: &mut Checks, session: &Session) -> Result<(), Failure> {
    let here = session::absolute(Path::new("."))?;
    if !here.ancestors().any(|folder| folder.join(".git").exists()) {
        checks.add("git", Mark::Good, "not in a repository");
        return Ok(());
    }
    let path = session.environment.value(Variable::Path).unwrap_or_default();
    let Some(git) = programs::in_path(path, |name| name == "git").into_iter().next() else {
        checks.add("git", Mark::Warning, "not in PATH");
        return Ok(());
    };
    let setting = |name: &str| programs::first_line(&git, &["config", "--get", name], &[]).filter(|v| !v.is_empty());
    for (name, what, command) in [
        ("diff.seal.textconv", "git diff shows values", "git config diff.seal.textconv 'seal textconv'"),
        (
            "merge.seal.driver",
            "git merge merges values",
            "git config merge.seal.driver 'seal merge-driver %O %A %B %L %P'",
        ),
    ] {
        match setting(name) {
            Some(value) => checks.add("git", Mark::Good, format!("{name} is `{}`: {what}", shown(&value))),
            None => {
                checks.add("git", Mark::Warning, format!("{name} is not set"));
                checks.hint(format!("{what} with: {command}"));
            }
        }
    }
    if setting("diff.seal.cachetextconv").is_some_and(|value| value != "false") {
        checks.add("git", Mark::Bad, "diff.seal.cachetextconv is set: git stores plain values in the repository");
        checks.hint("git config diff.seal.cachetextconv false");
    }
    let hook = |name: &str| programs::first_line(&git, &["rev-parse", "--git-path", &format!("hooks/{name}")], &[]);
    let calls_seal = |name: &&str| {
        let text = hook(name).and_then(|path| files::read(Path::new(&path)).ok());
        text.is_some_and(|text| memchr::memmem::find(&text, b"seal").is_some())
    };
    let hooks: Vec<_> = ["pre-commit", "pre-push"].into_iter().filter(calls_seal).collect();
    match hooks.as_slice() {
        [] => checks.add("git", Mark::Warning, "no hook keeps plain secrets from being committed"),
        hooks => checks.add("git", Mark::Good, format!("hooks that call seal: {}", hooks.join(", "))),
    }
    Ok(())
}

fn check_host(checks: &mut Checks, session: &Session) {
    match hardening::is_hardened() {
        true => checks.add("memory", Mark::Good, "neither core dumps nor other processes can see it"),
        false => checks.add("memory", Mark::Warning, "core dumps or tracing cannot be switched off here"),
    }
    let runtime = session.environment.path(Variable::XdgRuntimeDir);
    match Scratch::new(runtime.as_deref(), OnDisk::Refuse) {
        Ok(scratch) => {
            let folder = scratch.path().parent().unwrap_or(scratch.path());
            checks.add("scratch", Mark::Good, format!("editors work in memory, below {}", shown(folder)));
        }
        Err(error) => {
            checks.add(
                "scratch",
                Mark::Warning,
                format!("no file system in memory for editors: {}", shown(&error.to_string())),
            );
            checks.hint("set XDG_RUNTIME_DIR to a folder on a tmpfs");
        }
    }
    let now = clock::now();
    match clock::is_plausible(&now) {
        true => checks.add("clock", Mark::Good, now),
        false => {
            checks.add("clock", Mark::Bad, format!("{now} cannot be right, and is written into every file"));
            checks.hint("set the system's clock");
        }
    }
}
