//! The readers of a file and how they change: what `rotate`, `updatekeys`, `keys` and `groups` share.
//!
//! Either the data key stays and is wrapped anew ([`rewrap`]), or everything is encrypted with a new one ([`rotate`]). Both open
//! the result again before it is given out: nobody is to lock themselves out without having said so.

use std::collections::HashSet;
use std::fmt::Display;
use std::path::{Path, PathBuf};

use super::args::OpenArgs;
use super::failure::{Failure, Kind, short};
use super::session::{self, Input, Session};
use super::{many, shown};
use crate::config::Rule;
use crate::crypt::{self, DataKey, Encrypted, Envelope, KeyGroup, Opened, Recipient, Sealed};
use crate::document::{Document, Format, emit};
use crate::host::files;
use crate::host::terminal::Line;
use crate::keys::identities::{self, Holds, Source};

/// Defines arguments that name recipients of all seven kinds: `--age`, or with a prefix `--add-age`.
macro_rules! recipient_lists {
    ($(#[$about:meta])* $name:ident, $prefix:literal, $what:literal) => {
        $(#[$about])*
        #[derive(clap::Args, Clone, Debug, Default)]
        pub struct $name {
            #[arg(help = concat!($what, ": age and ssh public keys"), id = concat!($prefix, "age"), long = concat!($prefix, "age"), value_name = "KEYS")]
            age: Vec<String>,
            #[arg(help = concat!($what, ": OpenPGP fingerprints"), id = concat!($prefix, "pgp"), long = concat!($prefix, "pgp"), value_name = "FINGERPRINTS")]
            pgp: Vec<String>,
            #[arg(help = concat!($what, ": AWS KMS key ARNs"), id = concat!($prefix, "kms"), long = concat!($prefix, "kms"), value_name = "ARNS")]
            kms: Vec<String>,
            #[arg(help = concat!($what, ": GCP KMS resource ids"), id = concat!($prefix, "gcp-kms"), long = concat!($prefix, "gcp-kms"), value_name = "IDS")]
            gcp_kms: Vec<String>,
            #[arg(help = concat!($what, ": Huawei Cloud KMS keys"), id = concat!($prefix, "hckms"), long = concat!($prefix, "hckms"), value_name = "IDS")]
            hckms: Vec<String>,
            #[arg(help = concat!($what, ": Azure Key Vault key URLs"), id = concat!($prefix, "azure-kv"), long = concat!($prefix, "azure-kv"), value_name = "URLS")]
            azure_kv: Vec<String>,
            #[arg(help = concat!($what, ": Vault or OpenBao transit key URIs"), id = concat!($prefix, "hc-vault-transit"), long = concat!($prefix, "hc-vault-transit"), value_name = "URIS")]
            hc_vault_transit: Vec<String>,
        }

        impl $name {
            /// The recipients typed, in sops's order, nobody twice.
            pub fn group(&self, aws: &AwsArgs) -> Result<KeyGroup, Failure> {
                let args = super::args::RecipientArgs {
                    age: self.age.clone(),
                    pgp: self.pgp.clone(),
                    kms: self.kms.clone(),
                    gcp_kms: self.gcp_kms.clone(),
                    hckms: self.hckms.clone(),
                    azure_kv: self.azure_kv.clone(),
                    hc_vault_transit: self.hc_vault_transit.clone(),
                    aws_profile: aws.aws_profile.clone(),
                    encryption_context: aws.encryption_context.clone(),
                };
                Ok(args.group()?.unwrap_or_default())
            }
        }
    };
}

recipient_lists!(
    /// Recipients, by kind.
    KindArgs, "", "Recipients, comma-separated");
recipient_lists!(
    /// Recipients to add, by kind.
    AddArgs, "add-", "Add to the first key group");
recipient_lists!(
    /// Recipients to remove, by kind.
    RemoveArgs, "rm-", "Remove from every key group");

/// What belongs to AWS KMS keys that are typed.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct AwsArgs {
    /// The AWS profile to use
    #[arg(long, value_name = "NAME")]
    pub aws_profile: Option<String>,
    /// The encryption context of AWS KMS, as key:value,key:value
    #[arg(long, value_name = "PAIRS")]
    pub encryption_context: Option<String>,
}

/// Who comes and who goes.
#[derive(Debug, Default)]
pub struct Change {
    /// Added to the first key group.
    pub add: KeyGroup,
    /// Removed from every key group.
    pub remove: KeyGroup,
}

impl Change {
    /// The key groups after it.
    pub fn apply(&self, groups: &[KeyGroup]) -> Vec<KeyGroup> {
        let mut groups = groups.to_vec();
        if let Some(first) = groups.first_mut() {
            for new in &self.add {
                if !has(first, new) {
                    first.push(new.clone());
                }
            }
        }
        for group in &mut groups {
            group.retain(|recipient| !has(&self.remove, recipient));
        }
        groups
    }
}

/// The recipients of an envelope, by group.
pub fn groups_of(envelope: &Envelope) -> Vec<KeyGroup> {
    envelope.groups.iter().map(|group| group.iter().map(|key| key.recipient.clone()).collect()).collect()
}

/// Whether a recipient is in a group. As for sops, its kind and its name count: what only says how to reach it does not.
pub fn has(group: &[Recipient], recipient: &Recipient) -> bool {
    let name = recipient.to_string();
    group.iter().any(|other| other.kind() == recipient.kind() && other.to_string() == name)
}

/// The lines that tell two sets of key groups and thresholds apart: `+ age1…`, `- age1…`; none where they are the same.
pub fn differences(old: &[KeyGroup], new: &[KeyGroup], thresholds: (Option<usize>, Option<usize>)) -> Vec<String> {
    let mut lines = Vec::new();
    let none = KeyGroup::new();
    for index in 0..old.len().max(new.len()) {
        let (before, after) = (old.get(index).unwrap_or(&none), new.get(index).unwrap_or(&none));
        let place = if old.len().max(new.len()) > 1 { format!("  (group {index})") } else { String::new() };
        let line = |sign: char, recipient: &Recipient| format!("{sign} {}{place}", shown(&recipient.to_string()));
        lines.extend(after.iter().filter(|recipient| !has(before, recipient)).map(|recipient| line('+', recipient)));
        lines.extend(before.iter().filter(|recipient| !has(after, recipient)).map(|recipient| line('-', recipient)));
    }
    let (before, after) = thresholds;
    if before != after {
        let word = |threshold: Option<usize>| threshold.map_or_else(|| "all".to_owned(), |n| n.to_string());
        lines.push(format!("~ groups needed to decrypt: {} instead of {}", word(after), word(before)));
    }
    lines
}

/// `1 reader`, `3 readers`
pub fn count(groups: &[KeyGroup]) -> String {
    match groups.iter().map(Vec::len).sum() {
        1 => "1 reader".to_owned(),
        n => format!("{n} readers"),
    }
}

/// The files that `paths` stand for, of folders those for which `wanted` holds; that there is none is an error.
pub fn files_in(paths: &[PathBuf], wanted: impl Fn(&Path) -> bool) -> Result<Vec<PathBuf>, Failure> {
    let files = many::expand(paths, wanted)?;
    if files.is_empty() {
        let folders: Vec<_> = paths.iter().map(|path| many::title(path)).collect();
        return Err(Failure::new(Kind::NotFound, format!("there is no encrypted file in {}", folders.join(", "))));
    }
    Ok(files)
}

/// What to do where none of the identities at hand opens the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockedOut {
    /// Say so and go on: it does not take the place of the file, or the user said yes.
    Warn,
    /// Ask, or fail where there is nobody to ask.
    Ask,
}

/// The file with its data key wrapped anew for `groups`: values, MAC and time stay to the byte.
pub fn rewrap(
    session: &Session,
    name: &Path,
    encrypted: &Encrypted,
    key: &DataKey,
    groups: &[KeyGroup],
    threshold: Option<usize>,
    locked_out: LockedOut,
) -> Result<Vec<u8>, Failure> {
    let mut envelope = encrypted.envelope().clone();
    envelope.threshold = threshold;
    let only_adds = |old: &[KeyGroup]| old.len() == 1 && groups.len() == 1 && old[0].iter().all(|r| has(&groups[0], r));
    let old = groups_of(&envelope);
    // Who has the whole data key keeps it as it is wrapped; with several groups the shares are new, so all must be.
    let wrapped = if only_adds(&old) {
        let new: KeyGroup = groups[0].iter().filter(|recipient| !has(&old[0], recipient)).cloned().collect();
        let mut wrapped = envelope.groups.clone();
        if !new.is_empty() {
            wrapped[0].extend(session.wrap(name, &[new], None, key)?.into_iter().flatten());
        }
        wrapped
    } else {
        session.wrap(name, groups, threshold, key)?
    };
    replace_keys(session, name, encrypted, envelope, wrapped, key, locked_out)
}

/// The same with every wrapped key made anew, as sops does.
pub fn rewrap_all(
    session: &Session,
    name: &Path,
    encrypted: &Encrypted,
    key: &DataKey,
    groups: &[KeyGroup],
    threshold: Option<usize>,
    locked_out: LockedOut,
) -> Result<Vec<u8>, Failure> {
    let mut envelope = encrypted.envelope().clone();
    envelope.threshold = threshold;
    let wrapped = session.wrap(name, groups, threshold, key)?;
    replace_keys(session, name, encrypted, envelope, wrapped, key, locked_out)
}

fn replace_keys(
    session: &Session,
    name: &Path,
    encrypted: &Encrypted,
    mut envelope: Envelope,
    wrapped: Vec<Vec<crypt::WrappedKey>>,
    key: &DataKey,
    locked_out: LockedOut,
) -> Result<Vec<u8>, Failure> {
    envelope.groups = wrapped;
    let bytes = crypt::with_envelope(encrypted, &envelope)
        .map_err(|error| Failure::new(Kind::Defect, format!("cannot write {}: {error}", shown(name))))?;
    check_opens(session, name, &bytes, encrypted.format(), key, locked_out)?;
    Ok(bytes)
}

/// A file under a new data key.
pub struct Rotated {
    /// The file and what was encrypted in it.
    pub sealed: Sealed,
    /// Who reads it now.
    pub groups: Vec<KeyGroup>,
    /// Who of those to be removed was a reader.
    pub removed: KeyGroup,
    /// Which values are encrypted in it, as key paths.
    pub values: Vec<String>,
}

/// Encrypts everything with a new data key, for the readers that `change` leaves. Nothing is taken over from the old file.
pub fn rotate(
    session: &Session,
    input: Input,
    change: &Change,
    open: &OpenArgs,
    output: Format,
    locked_out: LockedOut,
) -> Result<Rotated, Failure> {
    let Input { name, bytes, format } = input;
    let encrypted = session::read_encrypted(&name, bytes, format)?;
    let old_groups = groups_of(encrypted.envelope());
    let groups = change.apply(&old_groups);
    let old_key = session.data_key(&name, encrypted.envelope(), open)?;
    let opened = session::open(&name, &encrypted, &old_key, open.mac_check())?;
    let mut plain =
        Document::parse(opened.plain().into_zeroizing(), format).map_err(|error| Failure::of_parse(&name, &error))?;
    let mut style = encrypted.style();
    if output != format {
        let bytes = emit(&plain, output, crate::document::Indent::Default)?;
        plain = Document::parse(bytes, output).map_err(|error| Failure::of_parse(&name, &error))?;
        style = session.style(&name, output, None)?;
    }
    let key = session.new_data_key()?;
    let mut envelope = encrypted.envelope().clone();
    envelope.threshold = threshold_for(groups.len(), envelope.threshold);
    envelope.groups = session.wrap(&name, &groups, envelope.threshold, &key)?;
    let sealed = session.seal(&name, plain, envelope, &key, None, style)?;
    check_opens(session, &name, &sealed.bytes, output, &key, locked_out)?;
    let removed = change.remove.iter().filter(|r| old_groups.iter().any(|group| has(group, r))).cloned().collect();
    let values = encrypted_values(&opened);
    Ok(Rotated { sealed, groups, removed, values })
}

/// The key paths of all encrypted values, each once, in order.
fn encrypted_values(opened: &Opened<'_>) -> Vec<String> {
    let encrypted = opened.encrypted();
    let mut paths = Vec::new();
    let walked = crypt::walk(encrypted.document(), encrypted.selection(), |site| {
        if let (crypt::What::Leaf(leaf), true) = (site.what, site.chosen)
            && !leaf.span.is_empty()
            && !matches!(leaf.scalar, crate::document::Scalar::Null)
        {
            paths.push(shown(&site.path.to_string()).to_string());
        }
        Ok::<_, std::convert::Infallible>(())
    });
    let Ok(()) = walked;
    let mut seen = HashSet::new();
    paths.retain(|path| seen.insert(path.clone()));
    paths
}

/// The threshold that is written with so many groups: sops writes one where several groups have none.
pub fn threshold_for(groups: usize, threshold: Option<usize>) -> Option<usize> {
    threshold.or((groups > 1).then_some(groups))
}

/// Opens a new file with the identities at hand, as its readers will, before the old one is gone.
fn check_opens(
    session: &Session,
    name: &Path,
    bytes: &[u8],
    format: Format,
    key: &DataKey,
    locked_out: LockedOut,
) -> Result<(), Failure> {
    let encrypted = session::read_encrypted(name, bytes.to_vec().into(), format)?;
    let envelope = encrypted.envelope();
    match session.keyring().unwrap_any(&envelope.groups, envelope.threshold, &[]) {
        Ok((other, _)) if other.expose() == key.expose() => return Ok(()),
        Ok(_) => {
            return Err(Failure::new(
                Kind::Defect,
                format!("the new wrapped keys of {} hold another data key; nothing was written", shown(name)),
            ));
        }
        // Where several groups have to come together, one's own is all that can be asked for.
        Err(error) if error.opened > 0 => return Ok(()),
        Err(_) => {}
    }
    let problem = format!("none of your identities would open {} any more", shown(name));
    if locked_out == LockedOut::Warn {
        session.warn(&problem);
        return Ok(());
    }
    let instead = "pass --yes if others are to keep it without you";
    match session.confirm(&format!("{problem}. Write it all the same?"), instead) {
        Ok(true) => Ok(()),
        _ => Err(Failure::new(Kind::Refused, format!("{problem}; nothing was written")).hint(instead)),
    }
}

impl Session {
    /// Asks for yes or no; a failure that names the flag instead where there is nobody to ask.
    pub fn confirm(&self, question: &str, instead: &str) -> Result<bool, Failure> {
        use crate::host::terminal::AskError;
        self.terminal().confirm(question, instead).map_err(|error| match &error {
            AskError::NoTerminal { instead, .. } => Failure::new(Kind::Usage, error.to_string()).hint(instead.clone()),
            _ => Failure::new(Kind::Io, error.to_string()),
        })
    }

    /// Writes one line of the answer.
    pub fn answer_line(&self, line: impl Into<Line>) -> Result<(), Failure> {
        match self.terminal().answer_line(line) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                Err(Failure::new(Kind::Io, format!("cannot write to standard output: {error}")))
            }
            _ => Ok(()),
        }
    }

    /// Writes a JSON document as the answer.
    pub fn answer_json(&self, value: &serde_json::Value) -> Result<(), Failure> {
        self.answer(format!("{value:#}\n").as_bytes())
    }

    /// The recipients that are the user's own, as far as that can be told without asking or running anything.
    pub fn own_recipients(&self) -> Vec<Recipient> {
        let mut own = Vec::new();
        for place in identities::places(&identities::Environment::of_process()) {
            match identities::public_keys(&place) {
                Ok(keys) => own.extend(keys.into_iter().map(Recipient::Age)),
                Err(error) => self.warn(&error.to_string()),
            }
            if let (Holds::SshKey, Source::File(path) | Source::DefaultFile(path)) = (place.holds, &place.source) {
                let mut public = path.clone().into_os_string();
                public.push(".pub");
                if let Ok(text) = files::read(Path::new(&public)) {
                    own.push(Recipient::Age(String::from_utf8_lossy(&text).trim().to_owned()));
                }
            }
        }
        own
    }

    /// Warns of readers of a file that its creation rule does not name, as a stranger may have added them.
    pub fn warn_of_strangers(&self, name: &Path, groups: &[KeyGroup], expected: &[Recipient]) {
        let Ok(Some(rule)) = self.rule(name) else { return };
        for stranger in groups.iter().flatten() {
            if !rule.groups.iter().any(|group| has(group, stranger)) && !has(expected, stranger) {
                self.warn(&format!(
                    "{}: {} reads it, but creation rule {} does not name it; to take it away: seal keys remove {} {}",
                    shown(name),
                    short(stranger),
                    rule.number,
                    shown(&stranger.to_string()),
                    shown(name)
                ));
            }
        }
    }
}

/// Whether `recipient` is one of `own`; of ssh keys the comment does not count.
pub fn is_own(own: &[Recipient], recipient: &Recipient) -> bool {
    let words = |recipient: &Recipient| match recipient {
        Recipient::Age(text) => text.split_whitespace().take(2).collect::<Vec<_>>().join(" "),
        _ => String::new(),
    };
    let name = words(recipient);
    !name.is_empty() && own.iter().any(|own| words(own) == name)
}

/// Where a rule stands: `creation rule 2 (line 7)`.
pub fn rule_title(rule: &Rule) -> impl Display {
    match rule.line {
        Some(line) => format!("creation rule {} (line {line})", rule.number),
        None => format!("creation rule {}", rule.number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(names: &[&str]) -> KeyGroup {
        names.iter().map(|name| Recipient::Age((*name).to_owned())).collect()
    }

    #[test]
    fn who_is_added_joins_the_first_group_and_who_is_removed_leaves_all() {
        let change = Change { add: group(&["age1c", "age1a"]), remove: group(&["age1b"]) };
        let groups = change.apply(&[group(&["age1a", "age1b"]), group(&["age1b", "age1d"])]);
        assert_eq!(groups, [group(&["age1a", "age1c"]), group(&["age1d"])]);
    }

    #[test]
    fn differences_are_told_by_group() {
        let old = [group(&["age1a", "age1b"])];
        assert!(differences(&old, &[group(&["age1b", "age1a"])], (None, None)).is_empty());
        assert_eq!(differences(&old, &[group(&["age1a", "age1c"])], (None, None)), ["+ age1c", "- age1b"]);
        assert_eq!(
            differences(&old, &[old[0].clone(), group(&["age1c"])], (None, Some(2))),
            ["+ age1c  (group 1)", "~ groups needed to decrypt: 2 instead of all"]
        );
    }

    #[test]
    fn ssh_comment_does_not_count() {
        let own = group(&["ssh-ed25519 AAAA me@here"]);
        assert!(is_own(&own, &Recipient::Age("ssh-ed25519 AAAA".into())));
        assert!(!is_own(&own, &Recipient::Age("ssh-ed25519 BBBB me@here".into())));
        assert!(!is_own(&[Recipient::Pgp("A".into())], &Recipient::Pgp("A".into())));
    }
}
