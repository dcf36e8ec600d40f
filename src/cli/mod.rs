//! Words typed, words printed: one file a command.
//!
//! A command gathers its arguments and what the host knows into a plan, has the rooms below do the work, and reports.
//! What several commands need of a file (its config, its data key, sealing it again) is in [`Session`].

mod args;
mod change;
mod check;
mod completions;
mod config_show;
mod decrypt;
mod diff;
mod diff_report;
mod doctor;
mod draft;
mod edit;
mod encrypt;
mod exec;
mod failure;
mod file_status;
mod fix;
mod git_setup;
mod groups;
mod help;
mod hook;
mod init;
mod keys;
mod man;
mod many;
mod merge;
mod readers;
mod receive;
mod rotate;
mod scan;
mod scrub;
mod session;
mod stand_in;
mod textconv;
mod update_keys;
mod verify;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, FromArgMatches};

pub use failure::{Failure, Kind};
pub use help::manual;
pub use session::{ConfigSearch, Session};

use crate::host::terminal::{Colour, shown};
use crate::host::{Host, defect};

const EXAMPLES: &str = "\
Examples:
  seal encrypt --init secret.yaml
  seal decrypt secret.yaml | kubectl apply -f -
  seal diff secret.yaml

More: seal help COMMAND, and seal help with one of exit-codes, environment, config, keys, recipients, layout";

/// What every command takes.
#[derive(Args, Clone, Debug, Default)]
pub struct Global {
    /// Read this config instead of the nearest .sops.yaml
    #[arg(long, global = true, value_name = "FILE", env = "SOPS_CONFIG", hide_env = true)]
    pub config: Option<PathBuf>,
    /// Say nothing but answers, warnings and errors
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Never ask; fail where an answer would be needed
    #[arg(long, global = true)]
    pub no_input: bool,
    /// When to use colour
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", value_parser = colour())]
    pub color: Colour,
}

fn colour() -> impl clap::builder::TypedValueParser<Value = Colour> {
    use clap::builder::{PossibleValuesParser, TypedValueParser as _};
    PossibleValuesParser::new(["auto", "always", "never"]).map(|word| match word.as_str() {
        "always" => Colour::Always,
        "never" => Colour::Never,
        _ => Colour::Auto,
    })
}

/// A command: its name, its arguments, and what runs it.
struct Command {
    name: &'static str,
    /// Not in the list of commands: git calls it, not people.
    is_hidden: bool,
    /// Adds its arguments to an empty command.
    arguments: fn(clap::Command) -> clap::Command,
    run: fn(&clap::ArgMatches, &Session) -> Result<(), Failure>,
}

macro_rules! command {
    ($name:literal, $arguments:ty, $run:expr) => {
        Command {
            name: $name,
            is_hidden: false,
            arguments: <$arguments as Args>::augment_args,
            run: |matches, session| {
                let arguments = <$arguments as FromArgMatches>::from_arg_matches(matches);
                $run(arguments.expect("clap has checked what these arguments are made of"), session)
            },
        }
    };
}

/// All commands, in alphabetical order.
const COMMANDS: [Command; 27] = [
    command!("completions", completions::CompletionsArgs, completions::run),
    command!("config", config_show::ConfigArgs, config_show::run),
    command!("decrypt", decrypt::DecryptArgs, decrypt::run),
    command!("diff", diff::DiffArgs, diff::run),
    command!("doctor", doctor::DoctorArgs, doctor::run),
    command!("edit", edit::EditArgs, edit::run),
    command!("encrypt", encrypt::EncryptArgs, encrypt::run),
    command!("exec-env", exec::ExecEnvArgs, exec::exec_env),
    command!("exec-file", exec::ExecFileArgs, exec::exec_file),
    command!("filestatus", file_status::FileStatusArgs, file_status::run),
    command!("fix", fix::FixArgs, fix::run),
    command!("get", change::GetArgs, change::get),
    command!("groups", groups::GroupsArgs, groups::run),
    command!("help", help::HelpArgs, help::run),
    command!("hook", hook::HookArgs, hook::run),
    command!("init", init::InitArgs, init::run),
    command!("keys", keys::KeysArgs, keys::run),
    command!("man", man::ManArgs, man::run),
    Command { is_hidden: true, ..command!("merge-driver", merge::MergeDriverArgs, merge::run) },
    command!("rotate", rotate::RotateArgs, rotate::run),
    command!("scan", scan::ScanArgs, scan::run),
    command!("scrub", scrub::ScrubArgs, scrub::run),
    command!("set", change::SetArgs, change::set),
    Command { is_hidden: true, ..command!("textconv", textconv::TextconvArgs, textconv::run) },
    command!("unset", change::UnsetArgs, change::unset),
    command!("updatekeys", update_keys::UpdateKeysArgs, update_keys::run),
    command!("verify", verify::VerifyArgs, verify::run),
];

/// The whole command line as clap sees it, for who wants to look through it.
pub fn command() -> clap::Command {
    command_line(&COMMANDS)
}

/// The command line as clap sees it, with these commands: to describe all of them takes longer than opening a small file.
fn command_line(commands: &[Command]) -> clap::Command {
    let seal = clap::Command::new("seal")
        .about("Encrypts Kubernetes Secrets in git, byte for byte, in the sops format; finds leaked ones")
        .version(env!("CARGO_PKG_VERSION"))
        .propagate_version(true)
        .max_term_width(100)
        .disable_help_subcommand(true)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .after_help(EXAMPLES);
    let describe = |command: &Command| (command.arguments)(clap::Command::new(command.name)).hide(command.is_hidden);
    Global::augment_args(seal).subcommands(commands.iter().map(describe))
}

/// Runs the command that was typed and gives the exit code.
pub fn run() -> ExitCode {
    defect::watch_panics();
    if let Some(code) = stand_in::run(&std::env::args_os().collect::<Vec<_>>()) {
        return code;
    }
    let first = std::env::args_os().nth(1);
    let first = first.as_deref().and_then(|word| word.to_str()).unwrap_or_default();
    let needed = match (first, COMMANDS.iter().find(|command| command.name == first)) {
        (_, Some(command)) => std::slice::from_ref(command),
        ("-V" | "--version", None) => &[],
        (_, None) => &COMMANDS,
    };
    let matches = match command_line(needed).try_get_matches() {
        Ok(matches) => matches,
        Err(error) => {
            // It quotes what was typed, of which clap takes colours away, but no other control characters.
            let text = error.render().to_string();
            let is_safe = |line: &str| shown(line).to_string() == line;
            if text.lines().all(is_safe) {
                let _ = error.print();
            } else {
                let lines: Vec<String> = text.lines().map(|line| shown(line).to_string()).collect();
                let _ = writeln!(std::io::stderr(), "{}", lines.join("\n"));
            }
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let global = Global::from_arg_matches(&matches).expect("clap has checked what these arguments are made of");
    let session = Session::new(global, Host::open(), ConfigSearch::FromFile);
    let (name, arguments) = matches.subcommand().expect("clap asks for a command");
    let command = COMMANDS.iter().find(|command| command.name == name).expect("clap knows no others");
    if !command.is_hidden {
        session.warn_of_twins();
    }
    let result = (command.run)(arguments, &session);
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            session.report(&failure);
            ExitCode::from(failure.kind.code())
        }
    }
}
