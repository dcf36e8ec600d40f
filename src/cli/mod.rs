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
mod doctor;
mod edit;
mod encrypt;
mod exec;
mod failure;
mod file_status;
mod git_setup;
mod groups;
mod help;
mod init;
mod keys;
mod man;
mod many;
mod merge;
mod readers;
mod rotate;
mod session;
mod stand_in;
mod textconv;
mod update_keys;
mod verify;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

pub use failure::{Failure, Kind};
pub use help::manual;
pub use session::{ConfigSearch, Session};

use crate::host::Host;
use crate::host::terminal::{Colour, shown};

/// Encrypts Kubernetes Secrets in git, byte for byte, in the sops format
#[derive(Parser)]
#[command(name = "seal", version, propagate_version = true, max_term_width = 100, disable_help_subcommand = true, after_help = EXAMPLES)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

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

// One is made a run, so its size costs nothing.
#[allow(clippy::large_enum_variant)]
#[derive(Subcommand)]
enum Command {
    Completions(completions::CompletionsArgs),
    Config(config_show::ConfigArgs),
    Decrypt(decrypt::DecryptArgs),
    Diff(diff::DiffArgs),
    Doctor(doctor::DoctorArgs),
    Edit(edit::EditArgs),
    Encrypt(encrypt::EncryptArgs),
    ExecEnv(exec::ExecEnvArgs),
    ExecFile(exec::ExecFileArgs),
    #[command(name = "filestatus")]
    FileStatus(file_status::FileStatusArgs),
    Get(change::GetArgs),
    Groups(groups::GroupsArgs),
    Help(help::HelpArgs),
    Init(init::InitArgs),
    Keys(keys::KeysArgs),
    Man(man::ManArgs),
    #[command(hide = true)]
    MergeDriver(merge::MergeDriverArgs),
    Rotate(rotate::RotateArgs),
    Set(change::SetArgs),
    #[command(hide = true)]
    Textconv(textconv::TextconvArgs),
    Unset(change::UnsetArgs),
    #[command(name = "updatekeys")]
    UpdateKeys(update_keys::UpdateKeysArgs),
    Verify(verify::VerifyArgs),
}

/// Runs the command that was typed and gives the exit code.
pub fn run() -> ExitCode {
    if let Some(code) = stand_in::run(&std::env::args_os().collect::<Vec<_>>()) {
        return code;
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
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
    let session = Session::new(cli.global, Host::open(), ConfigSearch::FromFile);
    let result = match cli.command {
        Command::Completions(args) => completions::run(args, &session),
        Command::Config(args) => config_show::run(args, &session),
        Command::Decrypt(args) => decrypt::run(args, &session),
        Command::Diff(args) => diff::run(args, &session),
        Command::Doctor(args) => doctor::run(args, &session),
        Command::Edit(args) => edit::run(args, &session),
        Command::Encrypt(args) => encrypt::run(args, &session),
        Command::ExecEnv(args) => exec::exec_env(args, &session),
        Command::ExecFile(args) => exec::exec_file(args, &session),
        Command::FileStatus(args) => file_status::run(args, &session),
        Command::Get(args) => change::get(args, &session),
        Command::Groups(args) => groups::run(args, &session),
        Command::Help(args) => help::run(args, &session),
        Command::Init(args) => init::run(args, &session),
        Command::Keys(args) => keys::run(args, &session),
        Command::Man(args) => man::run(args, &session),
        Command::MergeDriver(args) => merge::run(args, &session),
        Command::Rotate(args) => rotate::run(args, &session),
        Command::Set(args) => change::set(args, &session),
        Command::Textconv(args) => textconv::run(args, &session),
        Command::Unset(args) => change::unset(args, &session),
        Command::UpdateKeys(args) => update_keys::run(args, &session),
        Command::Verify(args) => verify::run(args, &session),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            session.report(&failure);
            ExitCode::from(failure.kind.code())
        }
    }
}
