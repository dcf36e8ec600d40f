//! The words that sops understands, and the rules by which it reads them.
//!
//! sops is written in Go with urfave/cli 1.22, so the rules are those of Go's `flag` package: `-x` and `--x` are one, a value
//! follows behind `=` or as the next word, the first word that is no flag ends them, and the last of several wins. Behind a
//! subcommand urfave first moves the flags it knows to the front ([`front_loaded`]). A variable stands for an absent flag.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::path::PathBuf;

use crate::host::{Environment, Variable};

/// A command of sops, or sops itself.
pub struct Command {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub about: &'static str,
    /// The words it takes besides flags.
    pub words: &'static str,
    /// Its flags, in groups that commands share.
    pub flags: &'static [&'static [Flag]],
    /// Its subcommands.
    pub commands: &'static [Command],
}

/// A flag.
#[derive(Debug)]
pub struct Flag {
    /// Its names; the first is what [`Given`] is asked for.
    names: &'static [&'static str],
    takes: Takes,
    variable: Option<Variable>,
    about: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    /// Nothing, or `=true` or `=false`.
    Switch,
    /// The same, on where it is not given.
    SwitchOn,
    Text,
    Number,
    /// Text, any number of times.
    Texts,
}

/// What was typed for one command.
#[derive(Debug, Clone, Default)]
pub struct Given {
    values: HashMap<&'static str, Vec<OsString>>,
    /// The words that are no flags.
    pub words: Vec<OsString>,
}

/// Words that sops would not understand: what is wrong with them, as sops says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misuse(pub String);

impl Command {
    /// Reads the words behind the command's name.
    pub fn read(&self, words: &[OsString], environment: &Environment) -> Result<Given, Misuse> {
        let mut given = Given::default();
        let mut seen: HashMap<&'static str, &'static str> = HashMap::new();
        let mut rest = words.iter();
        while let Some(word) = rest.next() {
            let Some(text) = word.to_str().filter(|text| text.len() > 1 && text.starts_with('-')) else {
                given.words.push(word.clone());
                break;
            };
            if text == "--" {
                break;
            }
            let body = text.strip_prefix("--").unwrap_or(&text[1..]);
            if body.is_empty() || body.starts_with(['-', '=']) {
                return Err(Misuse(format!("bad flag syntax: {text}")));
            }
            let (name, attached) = body.split_once('=').map_or((body, None), |(name, value)| (name, Some(value)));
            let (flag, name) =
                self.flag(name).ok_or_else(|| Misuse(format!("flag provided but not defined: -{name}")))?;
            let value: OsString = match (flag.takes, attached) {
                (Takes::Switch | Takes::SwitchOn, value) => value.unwrap_or("true").into(),
                (_, Some(value)) => value.into(),
                (_, None) => rest.next().ok_or_else(|| Misuse(format!("flag needs an argument: -{name}")))?.clone(),
            };
            flag.check(&value).map_err(|kind| {
                let shown = value.to_string_lossy();
                Misuse(match kind {
                    "boolean" => format!("invalid boolean value {shown:?} for -{name}: parse error"),
                    _ => format!("invalid value {shown:?} for flag -{name}: parse error"),
                })
            })?;
            if let Some(other) = seen.insert(flag.names[0], name).filter(|other| *other != name) {
                return Err(Misuse(format!("Cannot use two forms of the same flag: {name} {other}")));
            }
            let values = given.values.entry(flag.names[0]).or_default();
            if flag.takes != Takes::Texts {
                values.clear();
            }
            values.push(value);
        }
        given.words.extend(rest.cloned());
        for flag in self.all_flags() {
            let value = flag.variable.and_then(|variable| environment.value(variable));
            if let (Some(value), false) = (value, given.values.contains_key(flag.names[0])) {
                flag.check(value).map_err(|kind| {
                    Misuse(format!("could not parse {} as a {kind} value for flag {}", value.display(), flag.names[0]))
                })?;
                let split = |text: &str| text.split(',').map(|part| part.trim().into()).collect();
                let values = match (flag.takes, value.to_str()) {
                    (Takes::Texts, Some(text)) => split(text),
                    _ => vec![value.to_owned()],
                };
                given.values.insert(flag.names[0], values);
            }
        }
        Ok(given)
    }

    /// Reads the words behind a subcommand's name, where flags may also follow.
    pub fn read_anywhere(&self, words: &[OsString], environment: &Environment) -> Result<Given, Misuse> {
        self.read(&self.front_loaded(words), environment)
    }

    /// Moves known flags before other words, as urfave does: each with the word behind it unless it has a `=`, whether it
    /// takes a value or not.
    fn front_loaded(&self, words: &[OsString]) -> Vec<OsString> {
        let is_flag = |word: &OsStr| {
            let text = word.to_str().filter(|text| text.len() > 1 && text.starts_with('-') && *text != "--");
            let body = text.map(|text| text.strip_prefix("--").unwrap_or(&text[1..]));
            body.is_some_and(|body| self.flag(body.split('=').next().unwrap_or_default()).is_some())
        };
        let (mut flags, mut others) = (Vec::new(), Vec::new());
        let mut wants_value = false;
        for (at, word) in words.iter().enumerate() {
            if wants_value && !is_flag(word) {
                wants_value = false;
                flags.push(word.clone());
            } else if word == "--" {
                others.insert(0, word.clone());
                others.extend_from_slice(&words[at + 1..]);
                break;
            } else if is_flag(word) {
                wants_value = !word.as_encoded_bytes().contains(&b'=');
                flags.push(word.clone());
            } else {
                others.push(word.clone());
            }
        }
        flags.append(&mut others);
        flags
    }

    fn flag(&self, name: &str) -> Option<(&'static Flag, &'static str)> {
        self.all_flags().find_map(|flag| Some((flag, *flag.names.iter().find(|other| **other == name)?)))
    }

    fn all_flags(&self) -> impl Iterator<Item = &'static Flag> + use<> {
        self.flags.iter().copied().flatten().chain(HELP)
    }

    /// The help text; `line` is how the command is called.
    pub fn help(&self, line: &str) -> String {
        let mut out = format!("NAME:\n   {line} - {}\n\nUSAGE:\n   {line} {}\n", self.about, self.words);
        let width = |lines: &[(String, String)]| lines.iter().map(|(left, _)| left.len()).max().unwrap_or(0);
        let mut section = |title: &str, lines: Vec<(String, String)>| {
            let width = width(&lines);
            let _ = write!(out, "\n{title}:\n");
            for (left, right) in lines {
                let _ = writeln!(out, "   {left:width$}  {right}");
            }
        };
        if !self.commands.is_empty() {
            let lines = self.commands.iter().map(|command| (command.name.to_owned(), command.about.to_owned()));
            section("COMMANDS", lines.collect());
        }
        let lines = self.all_flags().map(|flag| {
            let dashed = |name: &&str| format!("{}{name}", if name.len() == 1 { "-" } else { "--" });
            let mut left = flag.names.iter().map(dashed).collect::<Vec<_>>().join(", ");
            if !matches!(flag.takes, Takes::Switch | Takes::SwitchOn) {
                left.push_str(" value");
            }
            let variable = flag.variable.map(|variable| format!(" [${}]", variable.name())).unwrap_or_default();
            (left, format!("{}{variable}", flag.about))
        });
        section("OPTIONS", lines.collect());
        out
    }

    /// What completes a word that was begun: subcommands, or flags behind a dash.
    pub fn completions(&self, begun: &str) -> Vec<String> {
        let mut found: Vec<String> = match begun.starts_with('-') {
            true => self.all_flags().flat_map(|flag| flag.names).map(|name| format!("--{name}")).collect(),
            false => self.commands.iter().map(|command| command.name.to_owned()).collect(),
        };
        found.retain(|word| word.starts_with(begun) || begun == "-");
        found
    }
}

impl Flag {
    fn check(&self, value: &OsStr) -> Result<(), &'static str> {
        let text = value.to_str();
        match self.takes {
            Takes::Switch | Takes::SwitchOn => text.and_then(switch).map(|_| ()).ok_or("boolean"),
            Takes::Number => text.and_then(number).map(|_| ()).ok_or("number"),
            Takes::Text | Takes::Texts => Ok(()),
        }
    }
}

impl Given {
    /// A text flag, if given and not empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name)?.last()?.to_str().filter(|text| !text.is_empty())
    }

    /// A text flag as a list of one text or none.
    pub fn list(&self, name: &str) -> Vec<String> {
        self.text(name).map(str::to_owned).into_iter().collect()
    }

    /// All values of a flag that may be given several times.
    pub fn texts(&self, name: &str) -> Vec<String> {
        let values = self.values.get(name).into_iter().flatten();
        values.filter_map(|value| value.to_str()).filter(|text| !text.is_empty()).map(str::to_owned).collect()
    }

    /// A path, if given and not empty.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.values.get(name)?.last().filter(|value| !value.is_empty()).map(PathBuf::from)
    }

    /// Whether a switch is on.
    pub fn on(&self, name: &str) -> bool {
        self.values.get(name).and_then(|values| switch(values.last()?.to_str()?)).unwrap_or(false)
    }

    /// Whether a switch was turned off.
    pub fn off(&self, name: &str) -> bool {
        self.values.contains_key(name) && !self.on(name)
    }

    /// A number, if given.
    pub fn number(&self, name: &str) -> Option<i64> {
        number(self.values.get(name)?.last()?.to_str()?)
    }
}

/// Go's `strconv.ParseBool`.
fn switch(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

/// Go's `strconv.ParseInt` with base 0, without `_`.
fn number(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let (digits, radix) = match lower.as_bytes() {
        [b'0', b'x', ..] => (&lower[2..], 16),
        [b'0', b'b', ..] => (&lower[2..], 2),
        [b'0', b'o', ..] => (&lower[2..], 8),
        [b'0', _, ..] => (&lower[1..], 8),
        _ => (lower.as_str(), 10),
    };
    let is_plain = digits.starts_with(|c: char| c.is_ascii_alphanumeric());
    is_plain.then(|| i64::from_str_radix(&format!("{sign}{digits}"), radix).ok()).flatten()
}

const fn flag(names: &'static [&'static str], takes: Takes, about: &'static str) -> Flag {
    Flag { names, takes, variable: None, about }
}

const fn with(names: &'static [&'static str], takes: Takes, variable: Variable, about: &'static str) -> Flag {
    Flag { names, takes, variable: Some(variable), about }
}

use Takes::{Number, Switch, SwitchOn, Text, Texts};

const HELP: &[Flag] = &[flag(&["help", "h"], Switch, "show help")];

const KEYSERVICE: &[Flag] = &[
    with(
        &["enable-local-keyservice"],
        SwitchOn,
        Variable::SopsEnableLocalKeyservice,
        "use the identities of this machine (default: true)",
    ),
    with(&["keyservice"], Texts, Variable::SopsKeyservice, "a remote key service (not available in this version)"),
];

const TYPES: &[Flag] = &[
    flag(&["input-type"], Text, "read the file as yaml, json, dotenv, ini or binary, whatever its name"),
    flag(&["output-type"], Text, "write the result as yaml, json, dotenv, ini or binary"),
];

const INPUT_TYPE: &[Flag] = &[flag(&["input-type"], Text, "read the file as yaml, json, dotenv, ini or binary")];

const IN_PLACE: &[Flag] = &[flag(&["in-place", "i"], Switch, "write the result back to the file")];

const OUTPUT: &[Flag] = &[
    flag(&["output"], Text, "write the result to this file"),
    flag(&["filename-override"], Text, "find rules and types by this name"),
];

const ORDER: &[Flag] =
    &[with(&["decryption-order"], Text, Variable::SopsDecryptionOrder, "kinds of recipients to try first")];

const IGNORE_MAC: &[Flag] = &[flag(&["ignore-mac"], Switch, "open the file although its MAC does not fit")];

const IDEMPOTENT: &[Flag] = &[flag(&["idempotent"], Switch, "leave the file alone where nothing would change")];

const EXTRACT: &[Flag] = &[flag(&["extract"], Text, "print one part only: '[\"key\"][0]'")];

const SHOW_MASTER_KEYS: &[Flag] = &[flag(&["show-master-keys", "s"], Switch, "show the envelope in the editor too")];

const RECIPIENTS: &[Flag] = &[
    with(&["kms", "k"], Text, Variable::SopsKmsArn, "AWS KMS key ARNs, separated by commas"),
    flag(&["aws-profile"], Text, "the AWS profile to use"),
    with(&["gcp-kms"], Text, Variable::SopsGcpKmsIds, "GCP KMS resource ids, separated by commas"),
    with(&["hckms"], Text, Variable::SopsHuaweicloudKmsIds, "Huawei Cloud KMS keys (region:id), separated by commas"),
    with(&["azure-kv"], Text, Variable::SopsAzureKeyvaultUrls, "Azure Key Vault key URLs, separated by commas"),
    with(&["hc-vault-transit"], Text, Variable::SopsVaultUris, "Vault transit key URIs, separated by commas"),
    with(&["pgp", "p"], Text, Variable::SopsPgpFp, "OpenPGP fingerprints, separated by commas"),
    with(&["age", "a"], Text, Variable::SopsAgeRecipients, "age recipients, separated by commas"),
];

const CONTEXT: &[Flag] = &[flag(&["encryption-context"], Text, "AWS KMS encryption context, key:value,key:value")];

const SELECTION: &[Flag] = &[
    flag(&["unencrypted-suffix"], Text, "leave values plain whose key ends in this"),
    flag(&["encrypted-suffix"], Text, "encrypt only values whose key ends in this"),
    flag(&["unencrypted-regex"], Text, "leave values plain whose key matches"),
    flag(&["encrypted-regex"], Text, "encrypt only values whose key matches"),
    flag(&["unencrypted-comment-regex"], Text, "leave values plain whose comment matches"),
    flag(&["encrypted-comment-regex"], Text, "encrypt only values whose comment matches"),
];

const THRESHOLD: &[Flag] =
    &[flag(&["shamir-secret-sharing-threshold"], Number, "how many key groups are needed to decrypt")];

macro_rules! changes {
    ($($add:literal $rm:literal $what:literal)*) => {
        &[$(
            flag(&[$add], Text, concat!("add these ", $what)),
            flag(&[$rm], Text, concat!("remove these ", $what)),
        )*]
    };
}

const CHANGES: &[Flag] = changes! {
    "add-kms" "rm-kms" "AWS KMS keys"
    "add-pgp" "rm-pgp" "OpenPGP keys"
    "add-gcp-kms" "rm-gcp-kms" "GCP KMS keys"
    "add-hckms" "rm-hckms" "Huawei Cloud KMS keys"
    "add-azure-kv" "rm-azure-kv" "Azure Key Vault keys"
    "add-hc-vault-transit" "rm-hc-vault-transit" "Vault transit keys"
    "add-age" "rm-age" "age recipients"
};

const CHILD: &[Flag] = &[
    flag(&["background"], Switch, "do not wait for the command (deprecated)"),
    flag(&["user"], Text, "run the command as this user"),
];

const GROUP_FILE: &[Flag] = &[flag(&["file", "f"], Text, "the file whose groups change")];

const GROUP_RECIPIENTS: &[Flag] = &[
    flag(&["pgp"], Texts, "an OpenPGP fingerprint, any number of times"),
    flag(&["kms"], Texts, "an AWS KMS key ARN, any number of times"),
    flag(&["aws-profile"], Text, "the AWS profile to use"),
    flag(&["gcp-kms"], Texts, "a GCP KMS resource id, any number of times"),
    flag(&["hckms"], Texts, "a Huawei Cloud KMS key, any number of times"),
    flag(&["azure-kv"], Texts, "an Azure Key Vault key URL, any number of times"),
    flag(&["hc-vault-transit"], Texts, "a Vault transit key URI, any number of times"),
    flag(&["age"], Texts, "an age recipient, any number of times"),
];

const fn command(
    name: &'static str,
    words: &'static str,
    flags: &'static [&'static [Flag]],
    about: &'static str,
) -> Command {
    Command { name, about, words, flags, commands: &[] }
}

/// sops itself: its global flags, among them those of the old way without a subcommand.
pub const SOPS: Command = Command {
    name: "sops",
    about: "encrypted files, by seal",
    words: "[flags] FILE, or sops [global flags] COMMAND [flags] FILE",
    flags: &[
        &[
            flag(&["version", "v"], Switch, "print the version"),
            flag(&["decrypt", "d"], Switch, "decrypt a file"),
            flag(&["encrypt", "e"], Switch, "encrypt a file"),
            flag(&["rotate", "r"], Switch, "make a new data key and encrypt all values with it"),
            flag(&["set"], Text, "set one value: '[\"key\"][0] JSON'"),
            with(&["disable-version-check"], Switch, Variable::SopsDisableVersionCheck, "without effect: none is made"),
            flag(&["check-for-updates"], Switch, "without effect: no network is used"),
            with(&["config"], Text, Variable::SopsConfig, "read this config instead of the nearest .sops.yaml"),
            flag(&["mac-only-encrypted"], Switch, "the MAC covers encrypted values only"),
            flag(&["indent"], Number, "blanks per level of YAML and JSON"),
            flag(&["verbose"], Switch, "say more"),
        ],
        IN_PLACE,
        OUTPUT,
        TYPES,
        EXTRACT,
        RECIPIENTS,
        CONTEXT,
        SELECTION,
        THRESHOLD,
        CHANGES,
        IGNORE_MAC,
        ORDER,
        SHOW_MASTER_KEYS,
        KEYSERVICE,
    ],
    commands: &[
        Command {
            name: "completion",
            about: "print a completion script",
            words: "bash|zsh",
            flags: &[],
            commands: &[
                command("bash", "", &[], "for bash: source <(sops completion bash)"),
                command("zsh", "", &[], "for zsh: source <(sops completion zsh)"),
            ],
        },
        command(
            "exec-env",
            "FILE COMMAND",
            &[
                CHILD,
                &[
                    flag(&["pristine"], Switch, "give the command the decrypted values and nothing else"),
                    flag(&["same-process"], Switch, "become the command instead of starting it"),
                ],
                ORDER,
                KEYSERVICE,
            ],
            "run a command with the decrypted values as variables",
        ),
        command(
            "exec-file",
            "FILE COMMAND",
            &[
                CHILD,
                &[
                    flag(&["no-fifo"], Switch, "a file instead of a pipe"),
                    flag(&["filename"], Text, "name of the file"),
                ],
                TYPES,
                ORDER,
                KEYSERVICE,
            ],
            "run a command with the decrypted file at the place of {}",
        ),
        command(
            "publish",
            "FILE",
            &[
                &[
                    flag(&["yes", "y"], Switch, "do not ask"),
                    flag(&["omit-extensions"], Switch, "leave off file extensions"),
                    flag(&["recursive"], Switch, "publish all files of a folder"),
                    flag(&["verbose"], Switch, "say more"),
                ],
                ORDER,
                KEYSERVICE,
            ],
            "not available in this version",
        ),
        command(
            "keyservice",
            "",
            &[&[
                flag(&["network", "net"], Text, "kind of network"),
                flag(&["address", "addr"], Text, "address to listen on"),
                flag(&["prompt"], Switch, "ask before each use of a key"),
                flag(&["verbose"], Switch, "say more"),
            ]],
            "not available in this version",
        ),
        command("filestatus", "FILE", &[INPUT_TYPE], "say whether a file is encrypted, as JSON"),
        Command {
            name: "groups",
            about: "change a file's key groups",
            words: "add|delete",
            flags: &[],
            commands: &[
                command(
                    "add",
                    "",
                    &[GROUP_FILE, GROUP_RECIPIENTS, IN_PLACE, THRESHOLD, CONTEXT, KEYSERVICE],
                    "add a key group",
                ),
                command("delete", "INDEX", &[GROUP_FILE, IN_PLACE, THRESHOLD, KEYSERVICE], "remove a key group"),
            ],
        },
        command(
            "updatekeys",
            "FILE…",
            &[&[flag(&["yes", "y"], Switch, "do not ask")], INPUT_TYPE, KEYSERVICE],
            "give files the recipients that .sops.yaml names",
        ),
        command(
            "decrypt",
            "[FILE]",
            &[IN_PLACE, EXTRACT, OUTPUT, TYPES, IGNORE_MAC, ORDER, KEYSERVICE],
            "decrypt a file, or standard input",
        ),
        command(
            "encrypt",
            "[FILE]",
            &[IN_PLACE, OUTPUT, RECIPIENTS, TYPES, SELECTION, CONTEXT, THRESHOLD, KEYSERVICE],
            "encrypt a file, or standard input",
        ),
        command(
            "rotate",
            "FILE",
            &[IN_PLACE, OUTPUT, TYPES, CONTEXT, CHANGES, ORDER, KEYSERVICE],
            "make a new data key and encrypt all values with it",
        ),
        command(
            "edit",
            "FILE",
            &[RECIPIENTS, TYPES, SELECTION, CONTEXT, THRESHOLD, SHOW_MASTER_KEYS, IGNORE_MAC, ORDER, KEYSERVICE],
            "edit a file in an editor",
        ),
        command(
            "set",
            "FILE PATH JSON",
            &[
                TYPES,
                &[
                    flag(&["value-file"], Switch, "the value is the name of a file that holds it"),
                    flag(&["value-stdin"], Switch, "read the value from standard input"),
                ],
                THRESHOLD,
                IGNORE_MAC,
                ORDER,
                IDEMPOTENT,
                KEYSERVICE,
            ],
            "set one value of a file",
        ),
        command(
            "unset",
            "FILE PATH",
            &[TYPES, THRESHOLD, IGNORE_MAC, ORDER, IDEMPOTENT, KEYSERVICE],
            "remove a key or an item of a file",
        ),
        command("help", "[COMMAND]", &[], "show help"),
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    fn subcommand(name: &str) -> &'static Command {
        SOPS.commands.iter().find(|command| command.name == name).expect("a command of sops")
    }

    fn read(line: &str) -> Result<Given, Misuse> {
        SOPS.read(&words(line), &Environment::default())
    }

    #[test]
    fn flags_are_read_as_go_reads_them() {
        let given = read("-d --output-type=json -extract [\"a\"] --in-place=false file -e").expect("well formed");
        assert!(given.on("decrypt") && !given.on("in-place") && given.off("in-place") && !given.on("encrypt"));
        assert_eq!((given.text("output-type"), given.text("extract")), (Some("json"), Some("[\"a\"]")));
        assert_eq!(given.words, words("file -e"));
        assert_eq!(read("--output a --output b -").expect("well formed").text("output"), Some("b"));
        assert_eq!(read("-d -- -x").expect("well formed").words, words("-x"));
        assert_eq!(read("--indent 0x10 f").expect("well formed").number("indent"), Some(16));
    }

    #[test]
    fn what_go_refuses_is_refused_in_its_words() {
        for (line, message) in [
            ("--bogus", "flag provided but not defined: -bogus"),
            ("---d", "bad flag syntax: ---d"),
            ("--=x", "bad flag syntax: --=x"),
            ("--output", "flag needs an argument: -output"),
            ("-d=maybe f", "invalid boolean value \"maybe\" for -d: parse error"),
            ("--indent x f", "invalid value \"x\" for flag -indent: parse error"),
            ("-i -in-place f", "Cannot use two forms of the same flag: in-place i"),
        ] {
            assert_eq!(read(line).expect_err(line), Misuse(message.into()));
        }
    }

    #[test]
    fn behind_a_subcommand_known_flags_may_follow_the_file() {
        let read = |line: &str| subcommand("decrypt").read_anywhere(&words(line), &Environment::default());
        let given = read("file --extract [\"a\"] --output-type=json").expect("well formed");
        assert_eq!((given.text("extract"), given.text("output-type")), (Some("[\"a\"]"), Some("json")));
        assert_eq!(given.words, words("file"));
        // The word behind a switch moves with it and then ends the flags, as for sops.
        let given = read("-i file --extract p").expect("well formed");
        assert_eq!((given.words, given.values.len()), (words("file --extract p"), 1));
        let given = read("file -i other").expect("well formed");
        assert_eq!(given.words, words("other file"));
        assert_eq!(read("file -- -i").expect("well formed").words, words("file -i"));
    }

    #[test]
    fn variables_stand_for_absent_flags() {
        let environment = Environment::from_lookup(|name| match name {
            "SOPS_AGE_RECIPIENTS" => Some("age1a,age1b".into()),
            "SOPS_KEYSERVICE" => Some("tcp://a:1, tcp://b:2".into()),
            "SOPS_ENABLE_LOCAL_KEYSERVICE" => Some("0".into()),
            _ => None,
        });
        let given = subcommand("encrypt").read(&words("-a age1c f"), &environment).expect("well formed");
        assert_eq!(given.list("age"), ["age1c"]);
        assert_eq!(given.texts("keyservice"), ["tcp://a:1", "tcp://b:2"]);
        assert!(given.off("enable-local-keyservice"));
        let given = subcommand("encrypt").read(&words("f"), &environment).expect("well formed");
        assert_eq!(given.list("age"), ["age1a,age1b"]);
    }

    #[test]
    fn no_flag_is_named_twice_in_one_command() {
        let all = SOPS.commands.iter().flat_map(|command| command.commands.iter().chain([command])).chain([&SOPS]);
        for command in all {
            let mut names: Vec<_> = command.all_flags().flat_map(|flag| flag.names).collect();
            let count = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), count, "{}", command.name);
            assert!(command.help(command.name).contains(command.about));
        }
    }
}
