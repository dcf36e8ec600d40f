//! The command line of gitleaks 8.30, read by the rules of pflag: flags anywhere, `--name=value`, `-vf json`, values joined.

use std::collections::HashMap;
use std::ffi::OsString;

/// A flag.
pub(super) struct Flag {
    name: &'static str,
    short: Option<char>,
    takes: Takes,
    about: &'static str,
}

/// What a flag takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    Nothing,
    Text,
    Number,
    /// A number behind `=`, or 100.
    Percent,
}

/// A command of gitleaks.
pub(super) struct Command {
    /// Its name.
    pub(super) name: &'static str,
    aliases: &'static [&'static str],
    /// Whether it is in the list of commands.
    is_listed: bool,
    words: &'static str,
    about: &'static str,
    flags: &'static [Flag],
}

/// What was typed.
#[derive(Debug, Default)]
pub(super) struct Given {
    values: HashMap<&'static str, Vec<String>>,
    /// What is no flag.
    pub(super) words: Vec<OsString>,
}

/// The command that was typed, if one was.
pub(super) type Chosen = Option<&'static Command>;

/// Words that gitleaks does not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Misuse(pub(super) String);

const fn flag(name: &'static str, short: Option<char>, takes: Takes, about: &'static str) -> Flag {
    Flag { name, short, takes, about }
}

const HELP: Flag = flag("help", Some('h'), Takes::Nothing, "show this help");
const LOG_OPTS: Flag = flag("log-opts", None, Takes::Text, "which commits: a range, a revision, or --all");
const PLATFORM: Flag = flag("platform", None, Takes::Text, "accepted; reports of seal have no links");
const SOURCE: Flag = flag("source", Some('s'), Takes::Text, "what to look through (default \".\")");
const STAGED: Flag = flag("staged", None, Takes::Nothing, "look at what is staged");
const FOLLOW: Flag = flag("follow-symlinks", None, Takes::Nothing, "accepted; links that are named are followed");

/// What every command takes.
const GLOBAL: [Flag; 17] = [
    flag("baseline-path", Some('b'), Takes::Text, "a report; what it has is not reported again"),
    flag("config", Some('c'), Takes::Text, "settings; else GITLEAKS_CONFIG, GITLEAKS_CONFIG_TOML, .gitleaks.toml"),
    flag("diagnostics", None, Takes::Text, "accepted and without effect"),
    flag("diagnostics-dir", None, Takes::Text, "accepted and without effect"),
    flag("enable-rule", None, Takes::Text, "only these rules, comma-separated"),
    flag("exit-code", None, Takes::Number, "exit code where there are leaks (default 1)"),
    flag(
        "gitleaks-ignore-path",
        Some('i'),
        Takes::Text,
        "a .gitleaksignore, or the folder that has one (default \".\")",
    ),
    flag("ignore-gitleaks-allow", None, Takes::Nothing, "marks in files do not count"),
    flag("log-level", Some('l'), Takes::Text, "trace, debug, info, warn, error, fatal (default \"info\")"),
    flag("max-archive-depth", None, Takes::Number, "look into archives, so deep (default 0: not at all)"),
    flag("max-decode-depth", None, Takes::Number, "accepted; seal has its own limits"),
    flag("max-target-megabytes", None, Takes::Number, "accepted; seal looks through larger files in parts"),
    flag("no-banner", None, Takes::Nothing, "no banner"),
    flag("no-color", None, Takes::Nothing, "no colour"),
    flag("redact", None, Takes::Percent, "hide so much of each secret, in percent"),
    flag("report-format", Some('f'), Takes::Text, "json, csv, junit, sarif"),
    flag("report-path", Some('r'), Takes::Text, "the report's file; - for stdout"),
];

const MORE_GLOBAL: [Flag; 4] = [
    flag("report-template", None, Takes::Text, "not available: templates of Go"),
    flag("timeout", None, Takes::Number, "accepted and without effect"),
    flag("verbose", Some('v'), Takes::Nothing, "print each leak"),
    flag("version", None, Takes::Nothing, "the version"),
];

/// All commands.
pub(super) const COMMANDS: [Command; 7] = [
    Command {
        name: "dir",
        aliases: &["file", "directory"],
        is_listed: true,
        words: "[flags] [path]",
        about: "look through files and folders",
        flags: &[FOLLOW, HELP],
    },
    Command {
        name: "git",
        aliases: &[],
        is_listed: true,
        words: "[flags] [repo]",
        about: "look through the history of a repository",
        flags: &[LOG_OPTS, PLATFORM, flag("pre-commit", None, Takes::Nothing, "look at what is changed"), STAGED, HELP],
    },
    Command {
        name: "stdin",
        aliases: &[],
        is_listed: true,
        words: "[flags]",
        about: "look through standard input",
        flags: &[HELP],
    },
    Command {
        name: "version",
        aliases: &[],
        is_listed: true,
        words: "[flags]",
        about: "say the version",
        flags: &[HELP],
    },
    Command {
        name: "help",
        aliases: &[],
        is_listed: true,
        words: "[command]",
        about: "help for a command",
        flags: &[HELP],
    },
    Command {
        name: "detect",
        aliases: &[],
        is_listed: false,
        words: "[flags]",
        about: "look through a repository, or with --no-git a folder",
        flags: &[
            FOLLOW,
            LOG_OPTS,
            flag("no-git", None, Takes::Nothing, "look through the folder as it is"),
            flag("pipe", None, Takes::Nothing, "look through standard input"),
            PLATFORM,
            SOURCE,
            HELP,
        ],
    },
    Command {
        name: "protect",
        aliases: &[],
        is_listed: false,
        words: "[flags]",
        about: "look through what is changed or staged",
        flags: &[LOG_OPTS, SOURCE, STAGED, HELP],
    },
];

/// The command of this name.
pub(super) fn command(name: &OsString) -> Option<&'static Command> {
    let name = name.to_str()?;
    COMMANDS.iter().find(|command| command.name == name || command.aliases.contains(&name))
}

fn global() -> impl Iterator<Item = &'static Flag> {
    GLOBAL.iter().chain(&MORE_GLOBAL)
}

impl Given {
    /// Reads words; the first that is no flag and names a command is that command.
    pub(super) fn read(words: &[OsString]) -> Result<(Chosen, Self), (Chosen, Misuse)> {
        // pflag knows a flag only of the command that it belongs to, wherever it stands.
        let chosen = words.iter().find_map(command);
        let mut given = Self::default();
        let flags: Vec<&'static Flag> = global().chain(chosen.map_or(&[HELP][..], |command| command.flags)).collect();
        given.read_all(words, &flags, chosen.is_some()).map_err(|misuse| (chosen, misuse))?;
        Ok((chosen, given))
    }

    fn read_all(&mut self, words: &[OsString], flags: &[&'static Flag], mut has_command: bool) -> Result<(), Misuse> {
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let text = word.to_string_lossy();
            if text == "--" {
                self.words.extend(words.by_ref().cloned());
            } else if let Some(long) = text.strip_prefix("--") {
                let (name, value) =
                    long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value.to_owned())));
                let known = flags.iter().find(|flag| flag.name == name);
                let flag = known.ok_or_else(|| Misuse(format!("unknown flag: --{name}")))?;
                self.take(flag, value, &format!("--{name}"), &mut words)?;
            } else if text.len() > 1 && text.starts_with('-') {
                let mut rest = &text[1..];
                while let Some(short) = rest.chars().next() {
                    rest = &rest[short.len_utf8()..];
                    let known = flags.iter().find(|flag| flag.short == Some(short));
                    let flag = known.ok_or_else(|| Misuse(format!("unknown shorthand flag: '{short}' in {text}")))?;
                    let joined = match flag.takes {
                        Takes::Nothing => rest.strip_prefix('=').map(str::to_owned),
                        _ => (!rest.is_empty()).then(|| rest.strip_prefix('=').unwrap_or(rest).to_owned()),
                    };
                    let is_all = joined.is_some() || flag.takes != Takes::Nothing;
                    self.take(flag, joined, &format!("'{short}' in {text}"), &mut words)?;
                    if is_all {
                        break;
                    }
                }
            } else if has_command && command(word).is_some() {
                has_command = false;
            } else {
                self.words.push(word.clone());
            }
        }
        Ok(())
    }

    fn take<'a>(
        &mut self,
        flag: &'static Flag,
        value: Option<String>,
        typed: &str,
        words: &mut impl Iterator<Item = &'a OsString>,
    ) -> Result<(), Misuse> {
        let value = match (flag.takes, value) {
            (Takes::Nothing, None) => "true".to_owned(),
            (Takes::Percent, None) => "100".to_owned(),
            (_, Some(value)) => value,
            (_, None) => {
                let next = words.next().ok_or_else(|| Misuse(format!("flag needs an argument: {typed}")))?;
                next.to_string_lossy().into_owned()
            }
        };
        let is_right = match flag.takes {
            Takes::Nothing => ["true", "false", "1", "0", "t", "f", "T", "F", "TRUE", "FALSE", "True", "False"]
                .contains(&value.as_str()),
            Takes::Number => value.parse::<i64>().is_ok(),
            Takes::Percent => value.parse::<u32>().is_ok(),
            Takes::Text => true,
        };
        if !is_right {
            let short = flag.short.map(|short| format!("-{short}, ")).unwrap_or_default();
            return Err(Misuse(format!("invalid argument \"{value}\" for \"{short}--{}\" flag", flag.name)));
        }
        self.values.entry(flag.name).or_default().push(value);
        Ok(())
    }

    /// Whether a flag without a value is on.
    pub(super) fn on(&self, name: &str) -> bool {
        self.text(name).is_some_and(|value| !value.to_ascii_lowercase().starts_with(['f', '0']))
    }

    /// The last value of a flag.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name)?.last().map(String::as_str)
    }

    /// All values of a flag, those with commas in parts.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        let values = self.values.get(name).into_iter().flatten();
        values.flat_map(|value| value.split(',')).filter(|part| !part.is_empty()).map(str::to_owned).collect()
    }

    /// The last value of a flag, as a number.
    pub(super) fn number(&self, name: &str) -> Option<i64> {
        self.text(name)?.parse().ok()
    }
}

/// How a command is used; of `None`, gitleaks as a whole.
pub(super) fn usage(command: Option<&Command>) -> String {
    let Some(command) = command else {
        let listed = COMMANDS.iter().filter(|command| command.is_listed);
        let commands: String = listed.map(|command| format!("  {:<11} {}\n", command.name, command.about)).collect();
        return format!(
            "Usage:\n  gitleaks [command]\n\nAvailable Commands:\n{commands}\nFlags:\n{}\nUse \"gitleaks [command] --help\" for more.\n",
            rows(global().chain([&HELP]))
        );
    };
    format!(
        "Usage:\n  gitleaks {} {}\n\nFlags:\n{}\nGlobal Flags:\n{}",
        command.name,
        command.words,
        rows(command.flags.iter()),
        rows(global().filter(|flag| flag.name != "version"))
    )
}

/// What a command is for, and how it is used.
pub(super) fn help(command: Option<&Command>) -> String {
    let about = command.map_or("Looks for leaked secrets in code (seal, as gitleaks)", |command| command.about);
    format!("{about}\n\n{}", usage(command))
}

fn rows<'a>(flags: impl Iterator<Item = &'a Flag>) -> String {
    let row = |flag: &Flag| {
        let short = flag.short.map_or("    ".to_owned(), |short| format!("-{short}, "));
        let kind = match flag.takes {
            Takes::Nothing => "",
            Takes::Text => " string",
            Takes::Number => " int",
            Takes::Percent => " uint[=100]",
        };
        format!("  {short}--{:<30}{}\n", format!("{}{kind}", flag.name), flag.about)
    };
    flags.map(row).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<(Option<&'static str>, Given), Misuse> {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        Given::read(&words)
            .map(|(command, given)| (command.map(|command| command.name), given))
            .map_err(|(_, misuse)| misuse)
    }

    #[test]
    fn flags_stand_anywhere_and_in_every_form() {
        let (command, given) =
            read(&["-v", "file", "--redact=20", "a b", "-fjson", "-r", "-", "--exit-code", "7", "--", "-x"]).unwrap();
        assert_eq!(command, Some("dir"));
        assert!(given.on("verbose") && !given.on("no-banner"));
        assert_eq!(
            (given.text("redact"), given.text("report-format"), given.text("report-path")),
            (Some("20"), Some("json"), Some("-"))
        );
        assert_eq!((given.number("exit-code"), given.words), (Some(7), vec!["a b".into(), "-x".into()]));
        let (_, given) = read(&[
            "git",
            "-vl=error",
            "--redact",
            "50",
            "--no-banner=false",
            "--enable-rule",
            "a,b",
            "--enable-rule=c",
        ])
        .unwrap();
        assert_eq!(
            (given.text("redact"), given.text("log-level"), given.on("no-banner")),
            (Some("100"), Some("error"), false)
        );
        assert_eq!(
            (given.words.clone(), given.list("enable-rule")),
            (vec!["50".into()], vec!["a".into(), "b".into(), "c".into()])
        );
        let (command, given) = read(&["dir", "git"]).unwrap();
        assert_eq!((command, given.words), (Some("dir"), vec!["git".into()]));
    }

    #[test]
    fn what_is_not_a_flag_is_said() {
        let said = |words: &[&str]| read(words).unwrap_err().0;
        assert_eq!(said(&["dir", "--bogus"]), "unknown flag: --bogus");
        assert_eq!(said(&["dir", "--staged"]), "unknown flag: --staged");
        assert_eq!(said(&["dir", "-vx"]), "unknown shorthand flag: 'x' in -vx");
        assert_eq!(said(&["dir", "-r"]), "flag needs an argument: 'r' in -r");
        assert!(said(&["dir", "--exit-code", "x"]).starts_with("invalid argument \"x\" for \"--exit-code\" flag"));
    }

    #[test]
    fn every_flag_is_in_the_help_of_its_command() {
        for command in &COMMANDS {
            let text = help(Some(command));
            assert!(
                command
                    .flags
                    .iter()
                    .chain(global())
                    .filter(|flag| flag.name != "version")
                    .all(|flag| text.contains(flag.name))
            );
        }
    }
}
