//! `seal hook`: puts seal into git's hooks, and is what they run.
//!
//! The hook files themselves are handled in [`git`]; what is looked through is [`scan`]'s.

use std::ffi::OsString;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use gix::bstr::{BString, ByteSlice as _};

use super::failure::{Failure, Kind};
use super::receive;
use super::scan::{self, Outcome, RuleArgs, SourceArgs};
use super::session::Session;
use super::shown;
use crate::git::{self, Hook, HookChange, HookError, HookFile, HookState, RefUpdate, Repository, Side};
use crate::host::{Variable, process};
use crate::report;
use crate::scan::{Finding, Source};

/// Stop secrets in git's hooks
#[derive(Args)]
pub struct HookArgs {
    #[command(subcommand)]
    command: HookCommand,
}

#[derive(Subcommand)]
enum HookCommand {
    Install(InstallArgs),
    Run(RunArgs),
    Status(StatusArgs),
    Uninstall(UninstallArgs),
}

/// Put seal into hooks of this repository
///
/// Takes pre-commit, pre-push and commit-msg where none is named; pre-receive in a bare repository. A hook that stands there is kept
/// beside ours and runs before it.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  seal hook install\n  seal hook install pre-push\n  seal hook install --print lefthook"
)]
struct InstallArgs {
    /// Which hooks
    #[arg(value_name = "HOOK")]
    hooks: Vec<HookName>,
    /// Also into a folder of hooks outside this repository, which others use too
    #[arg(long)]
    shared: bool,
    /// Only print what to write into the config of another manager of hooks
    #[arg(long, value_name = "MANAGER")]
    print: Option<Manager>,
}

/// Do what a hook does; git calls it
#[derive(Args)]
#[command(
    after_help = "Examples:\n  seal hook run pre-commit\n  seal hook run pre-push origin https://example.com/a.git < /dev/null"
)]
struct RunArgs {
    /// Which hook
    #[arg(value_name = "HOOK")]
    hook: HookName,
    /// What git gives it
    #[arg(value_name = "ARG", trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<OsString>,
}

/// Show which hooks call seal
#[derive(Args)]
#[command(after_help = "Examples:\n  seal hook status\n  seal hook status --json")]
struct StatusArgs {
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Take seal out of hooks, and put back what stood there before
#[derive(Args)]
#[command(after_help = "Examples:\n  seal hook uninstall\n  seal hook uninstall pre-push")]
struct UninstallArgs {
    /// Which hooks; else all
    #[arg(value_name = "HOOK")]
    hooks: Vec<HookName>,
}

#[derive(ValueEnum, Clone, Copy, Debug)]
enum HookName {
    PreCommit,
    PrePush,
    CommitMsg,
    PreReceive,
}

/// Another program that manages hooks.
#[derive(ValueEnum, Clone, Copy, Debug)]
enum Manager {
    Husky,
    Lefthook,
    PreCommit,
    Plain,
}

impl HookName {
    fn hook(self) -> Hook {
        match self {
            Self::PreCommit => Hook::PreCommit,
            Self::PrePush => Hook::PrePush,
            Self::CommitMsg => Hook::CommitMsg,
            Self::PreReceive => Hook::PreReceive,
        }
    }
}

/// Runs it.
pub fn run(args: HookArgs, session: &Session) -> Result<(), Failure> {
    match args.command {
        HookCommand::Install(args) => install(&args, session),
        HookCommand::Run(args) => run_hook(args.hook.hook(), &args.args, session),
        HookCommand::Status(args) => status(&args, session),
        HookCommand::Uninstall(args) => uninstall(&args, session),
    }
}

/// The repository here, and the folder in which git looks for its hooks.
fn place(session: &Session) -> Result<(Repository, PathBuf), Failure> {
    let repository = Repository::open(Path::new("."), &session.environment)
        .map_err(|error| Failure::from(error).hint("make one: git init"))?;
    let folder = git::hooks_folder(repository.root())?;
    Ok((repository, folder))
}

fn install(args: &InstallArgs, session: &Session) -> Result<(), Failure> {
    if let Some(manager) = args.print {
        return session.answer(snippet(manager).as_bytes());
    }
    let (repository, folder) = place(session)?;
    if folder.ends_with(".husky/_") || folder.ends_with(".husky") {
        return Err(Failure::new(
            Kind::Refused,
            format!("the hooks in {} are husky's, which writes them anew", shown(&folder)),
        )
        .hint("see what to write into its files: seal hook install --print husky"));
    }
    if !args.shared && !repository.owns(&folder) {
        return Err(Failure::new(
            Kind::Refused,
            format!("git looks for hooks in {}, which lies outside this repository", shown(&folder)),
        )
        .hint("if it is for all repositories that use that folder: seal hook install --shared"));
    }
    if let Some(config) = LEFTHOOK.into_iter().find(|name| repository.root().join(name).is_file()) {
        session
            .warn(&format!("{config} is there: lefthook replaces hook files; see seal hook install --print lefthook"));
    }
    std::fs::create_dir_all(&folder)
        .map_err(|error| Failure::new(Kind::Output, format!("cannot make {}: {error}", shown(&folder))))?;
    let default = match repository.is_bare() {
        true => vec![Hook::PreReceive],
        false => vec![Hook::PreCommit, Hook::PrePush, Hook::CommitMsg],
    };
    let named: Vec<Hook> = args.hooks.iter().map(|name| name.hook()).collect();
    for hook in if named.is_empty() { default } else { named } {
        let file = HookFile::new(&folder, hook);
        let (path, kept) = (shown(&file.path).to_string(), ".before-seal");
        session.say(&match file.install()? {
            HookChange::None => format!("{:<12} {path} calls seal already", hook.name()),
            HookChange::Done => format!("{:<12} wrote {path}", hook.name()),
            HookChange::WithKept => {
                format!("{:<12} wrote {path}; the one before it is {path}{kept} and runs first", hook.name())
            }
        });
    }
    session.say("next  seal hook status; take it out again: seal hook uninstall");
    Ok(())
}

fn uninstall(args: &UninstallArgs, session: &Session) -> Result<(), Failure> {
    let (_, folder) = place(session)?;
    let named: Vec<Hook> = args.hooks.iter().map(|name| name.hook()).collect();
    for hook in if named.is_empty() { Hook::ALL.to_vec() } else { named } {
        let file = HookFile::new(&folder, hook);
        let path = shown(&file.path).to_string();
        match file.uninstall()? {
            HookChange::None => {}
            HookChange::Done => session.say(&format!("{:<12} removed {path}", hook.name())),
            HookChange::WithKept => session.say(&format!("{:<12} {path} is again as it was before", hook.name())),
        }
    }
    session.say("no hook calls seal any more");
    Ok(())
}

fn status(args: &StatusArgs, session: &Session) -> Result<(), Failure> {
    let (_, folder) = place(session)?;
    let mut rows = Vec::new();
    for hook in Hook::ALL {
        let file = HookFile::new(&folder, hook);
        let (word, says) = match file.state() {
            HookState::Absent => ("absent", "does not call seal: there is none"),
            HookState::Ours => ("installed", "calls seal"),
            HookState::OursAndKept => ("installed", "calls seal, after the hook that was there before"),
            HookState::Edited => ("edited", "calls seal, and was changed by hand"),
            HookState::Other => ("other", "does not call seal"),
        };
        rows.push((hook, word, says, file.path));
    }
    if args.json {
        let hooks: Vec<_> = rows
            .iter()
            .map(|(hook, word, _, path)| {
                serde_json::json!({"hook": hook.name(), "state": word, "path": path.to_string_lossy()})
            })
            .collect();
        let document = serde_json::json!({"schema": "seal.hooks/1", "hooks": hooks});
        return session.answer(format!("{document:#}\n").as_bytes());
    }
    for (hook, _, says, _) in rows {
        session.answer(format!("{:<12} {says}\n", hook.name()).as_bytes())?;
    }
    session.say(&format!("hooks are in {}", shown(&folder)));
    Ok(())
}

/// What a hook does: the one that stood there before first, then ours.
fn run_hook(hook: Hook, args: &[OsString], session: &Session) -> Result<(), Failure> {
    let mut input = Vec::new();
    if matches!(hook, Hook::PrePush | Hook::PreReceive) {
        let read = std::io::stdin().lock().take(scan::MAX_LINES).read_to_end(&mut input);
        read.map_err(|error| Failure::new(Kind::Usage, format!("cannot read standard input: {error}")))?;
    }
    // Only git's own call of the hook file leads to what lies beside it, never a config.
    if let Some(kept) = session.environment.path(Variable::SealHook).and_then(|path| git::kept_program(&path)) {
        let code = process::run_with_input(&kept, args, &input)
            .map_err(|error| Failure::new(Kind::Refused, shown(&error.to_string()).to_string()))?;
        if code != 0 {
            return Err(Failure::new(
                Kind::Child(u8::try_from(code).unwrap_or(1)),
                "the hook that was there before failed",
            ));
        }
    }
    let word = |at: usize| args.get(at).map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
    let source = match hook {
        Hook::PreCommit => SourceArgs { staged: true, ..SourceArgs::default() },
        Hook::PrePush => pushed(word(0), word(1), input, session),
        Hook::PreReceive => {
            return receive::receive(input, session, |outcome| verdict(hook, outcome, "", session));
        }
        Hook::CommitMsg => {
            let file = args.first().ok_or_else(|| {
                Failure::new(Kind::Usage, "the file of the message is missing").hint("seal hook run commit-msg FILE")
            })?;
            let message = crate::host::files::read(Path::new(file))?;
            let outcome = Outcome::of_text("the commit message", without_scissors(&message), session)?;
            return verdict(hook, &outcome, "", session);
        }
    };
    if hook == Hook::PrePush {
        let repository = Repository::open(Path::new("."), &session.environment)
            .map_err(|error| Failure { kind: Kind::Usage, ..error.into() })?;
        let updates = RefUpdate::parse_pushed(source.lines.as_deref().unwrap_or_default())
            .map_err(|error| Failure { kind: Kind::Usage, ..error.into() })?;
        super::scrub::stop_banned(&repository, &updates, Side::Pushing(&word(0)), session)?;
        // What `seal scrub push` pushes is there already, but for what was taken out.
        if session.environment.value(Variable::SealScrubPush).is_some() {
            return Ok(());
        }
    }
    let rules = RuleArgs::default();
    let outcome = scan::scan(&source, &rules, session)?;
    verdict(hook, &outcome, &word(0), session)
}

/// What a push brings; the pre-commit framework gives no lines, but says where the first of its refs begins and ends.
fn pushed(remote: String, url: String, lines: Vec<u8>, session: &Session) -> SourceArgs {
    let variable = |variable| session.environment.text(variable).map(str::to_owned);
    let Some(to) = variable(Variable::PreCommitToRef).filter(|_| lines.is_empty()) else {
        return SourceArgs { pre_push: Some(vec![remote, url]), lines: Some(lines), ..SourceArgs::default() };
    };
    if gix::ObjectId::from_hex(to.as_bytes()).is_err() {
        let range = variable(Variable::PreCommitFromRef).map_or(to.clone(), |from| format!("{from}..{to}"));
        return SourceArgs { commits: Some(range), ..SourceArgs::default() };
    }
    let remote = variable(Variable::PreCommitRemoteName).unwrap_or(remote);
    let line = format!("HEAD {to} refs/pre-commit {}\n", "0".repeat(to.len()));
    SourceArgs { pre_push: Some(vec![remote, url]), lines: Some(line.into_bytes()), ..SourceArgs::default() }
}

/// The message without what `git commit --verbose` shows below it, which is not part of it.
fn without_scissors(message: &[u8]) -> &[u8] {
    let at = memchr::memmem::find(message, b" ------------------------ >8 ------------------------\n");
    let line = at.map(|at| memchr::memrchr(b'\n', &message[..at]).map_or(0, |end| end + 1));
    &message[..line.unwrap_or(message.len())]
}

/// Says what stops a hook, in at most 20 lines, or that nothing does.
fn verdict(hook: Hook, outcome: &Outcome, remote: &str, session: &Session) -> Result<(), Failure> {
    let rules = RuleArgs::default();
    let mut report = outcome.report(&rules);
    report.options.utf8 = session.terminal().is_utf8();
    let stopping: Vec<&Finding> = report.stopping().collect();
    let brought = outcome.commits.map(|commits| count(commits, "new commit")).unwrap_or_default();
    if stopping.is_empty() && report.is_complete() {
        if hook == Hook::PrePush && outcome.commits.is_some_and(|commits| commits > 0) {
            session.say(&format!("seal: {brought}, nothing found ({:.2} s)", outcome.seconds()));
        }
        return Ok(());
    }
    let wholes = report.wholes();
    let secrets = match stopping.iter().filter(|finding| !wholes.have(finding)).count() {
        0 => "not everything could be looked through".to_owned(),
        many => count(many, "secret"),
    };
    let seconds = outcome.seconds();
    let heading = match hook {
        Hook::PreCommit => format!("seal: commit stopped: {secrets} in what is staged"),
        Hook::CommitMsg => format!("seal: commit stopped: {secrets} in its message"),
        Hook::PrePush => {
            format!(
                "seal: push to {} stopped: {secrets} in {brought} that it does not have ({seconds:.2} s)",
                shown(remote)
            )
        }
        Hook::PreReceive => format!("seal: push refused: {secrets} in {brought}"),
    };
    let advice = match hook {
        Hook::PreReceive => Vec::new(),
        _ => advice(hook, &stopping, session),
    };
    let mut bytes = Vec::new();
    let written = match hook {
        // Whoever pushes may be anybody: no part of a secret, and nothing of how to let it through.
        Hook::PreReceive => generic(&heading, &stopping, &report, &mut bytes),
        _ => report::write_brief(&heading, &advice, &report, &mut bytes),
    };
    written.map_err(|error| Failure::new(Kind::Io, error.to_string()))?;
    session.terminal().note_text(&bytes);
    Err(Failure::new(if stopping.is_empty() { Kind::Incomplete } else { Kind::No }, ""))
}

/// What to do besides taking the secret out: the way of git, for commits that nobody else has.
fn advice(hook: Hook, stopping: &[&Finding], session: &Session) -> Vec<String> {
    let places = stopping.iter().flat_map(|finding| &finding.places);
    let mut lines = Vec::new();
    match hook {
        Hook::PreCommit => lines.push("then:         git add it again, and commit".to_owned()),
        Hook::PrePush => {
            let commits = places.clone().filter_map(|place| place.history.as_ref());
            let first = commits.clone().filter_map(|history| history.first.as_ref()).min_by_key(|commit| commit.time);
            if commits.clone().next().is_some() && commits.clone().all(|history| !history.in_head) {
                lines.push("the files at HEAD are clean, but the older commits would publish it".to_owned());
            }
            let repository = Repository::open(Path::new("."), &session.environment).ok();
            let Some((first, repository)) = first.zip(repository) else { return lines };
            if repository.head_commit().ok().flatten() == Some(first.id) {
                lines.push("then:         git commit -a --amend (the commit is still only here)".to_owned());
                return lines;
            }
            let parents = repository.reader().and_then(|reader| reader.commit(first.id)).ok().flatten();
            let is_root = parents.is_some_and(|commit| commit.parents.is_empty());
            let id = first.id.to_hex_with_len(10);
            let onto = if is_root { "--root".to_owned() } else { format!("{id}^") };
            lines.push(format!(
                "then:         git rebase -i {onto} (these commits are still only here), mark {id} `edit`,"
            ));
            lines
                .push("              take it out, git commit -a --amend --no-edit && git rebase --continue".to_owned());
        }
        Hook::CommitMsg | Hook::PreReceive => {}
    }
    lines
}

/// What whoever pushed is told by the receiving side.
fn generic(
    heading: &str,
    stopping: &[&Finding],
    report: &report::Report<'_>,
    out: &mut Vec<u8>,
) -> std::io::Result<()> {
    use std::io::Write as _;
    writeln!(out, "{heading}")?;
    for finding in stopping.iter().take(12) {
        let Some(place) = finding.places.first() else { continue };
        // A name may be the secret itself, or hold another one that was found.
        let is_shown = |path: &&BString| {
            !matches!(place.source, Source::Name(_))
                && stopping.iter().all(|other| !path.contains_str(other.secret.expose()))
        };
        let what = match place.source.path() {
            Some(path) => Some(path).filter(is_shown).map_or_else(|| "a name".to_owned(), ToString::to_string),
            None => "a message".to_owned(),
        };
        let commit = place.history.as_ref().and_then(|history| history.first.as_ref());
        let commit = commit.map(|commit| format!(" in commit {}", commit.id.to_hex_with_len(10))).unwrap_or_default();
        let rule = &report.rules.rule(finding.rule).id;
        writeln!(out, "  {}:{}{commit}  {}  {}", shown(&what), place.line, shown(rule), finding.fingerprint.short())?;
    }
    if stopping.len() > 12 {
        writeln!(out, "  and {} more", stopping.len() - 12)?;
    }
    if !report.is_complete() {
        writeln!(out, "  {} could not be looked through", count(report.coverage.unscanned.len(), "text"))?;
    }
    writeln!(out, "Take it out of these commits and push again; what was real has to be revoked.")
}

fn count(many: usize, what: &str) -> String {
    format!("{many} {what}{}", if many == 1 { "" } else { "s" })
}

/// The files by which a repository is one of lefthook's.
const LEFTHOOK: [&str; 5] = ["lefthook.yml", "lefthook.yaml", ".lefthook.yml", ".lefthook.yaml", "lefthook.toml"];

fn snippet(manager: Manager) -> String {
    match manager {
        Manager::Husky => "\
# .husky/pre-commit
seal hook run pre-commit
# .husky/pre-push
seal hook run pre-push \"$@\"
# .husky/commit-msg
seal hook run commit-msg \"$1\"
"
        .to_owned(),
        Manager::Lefthook => "\
# lefthook.yml
pre-commit:
  commands:
    seal:
      run: seal hook run pre-commit
pre-push:
  commands:
    seal:
      run: seal hook run pre-push {1} {2}
      use_stdin: true
commit-msg:
  commands:
    seal:
      run: seal hook run commit-msg {1}
"
        .to_owned(),
        Manager::PreCommit => "\
# .pre-commit-config.yaml
repos:
  - repo: local
    hooks:
      - id: seal-scan
        name: seal
        entry: seal hook run pre-commit
        language: system
        pass_filenames: false
        stages: [pre-commit]
      - id: seal-scan-push
        name: seal
        entry: seal hook run pre-push
        language: system
        pass_filenames: false
        always_run: true
        stages: [pre-push]
"
        .to_owned(),
        Manager::Plain => {
            let file = |hook: Hook| format!("# .git/hooks/{}\n{}", hook.name(), hook.text());
            [Hook::PreCommit, Hook::PrePush, Hook::CommitMsg].map(file).concat()
        }
    }
}

impl From<HookError> for Failure {
    fn from(error: HookError) -> Self {
        let message = shown(&error.to_string()).to_string();
        match error {
            HookError::Occupied(path) => Self::new(Kind::Refused, message)
                .hint(format!("bring the two together in {}, and remove the other one", shown(&path))),
            HookError::Edited(path) => {
                Self::new(Kind::Refused, message).hint(format!("take the line that calls seal out of {}", shown(&path)))
            }
            HookError::File(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_below_a_message_is_not_part_of_it() {
        let scissors = "# ------------------------ >8 ------------------------\n";
        let message = format!("subject\n\nbody\n{scissors}# no\ndiff --git a/x b/x\n");
        assert_eq!(without_scissors(message.as_bytes()), b"subject\n\nbody\n");
        assert_eq!(without_scissors(b"subject >8\n"), b"subject >8\n");
    }
}
