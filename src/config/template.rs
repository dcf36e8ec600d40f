//! The text of a first `.sops.yaml`.

use super::creation_rule::FLAT;
use crate::crypt::Recipient;

/// A `.sops.yaml` with one rule: in files whose path holds `path_regex`, what is below `data` and `stringData` is encrypted to
/// `recipients`.
pub fn default_config_text(path_regex: &str, recipients: &[Recipient]) -> String {
    let mut text = String::from(HEAD);
    text.push_str("creation_rules:\n");
    text.push_str(&format!("  - path_regex: {}\n", scalar(path_regex)));
    text.push_str("    encrypted_regex: ^(data|stringData)$\n");
    for (name, kind) in FLAT {
        let mut of_kind = recipients.iter().filter(|recipient| recipient.kind() == kind).peekable();
        if of_kind.peek().is_some() {
            text.push_str(&format!("    {name}:\n"));
        }
        for recipient in of_kind {
            text.push_str(&format!("      - {}\n", scalar(&recipient.to_string())));
        }
    }
    text
}

/// Plain where YAML reads it back as the same text, else in single quotes.
pub(super) fn scalar(text: &str) -> String {
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || "^\\/(.".contains(c))
        && !text.ends_with([':', ' '])
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.contains(char::is_control)
        && serde_yaml::from_str::<serde_yaml::Value>(text).is_ok_and(|value| value.as_str() == Some(text));
    if is_plain { text.to_owned() } else { format!("'{}'", text.replace('\'', "''")) }
}

const HEAD: &str = "\
# Who can read the secrets of this repository, and which of their values are encrypted. sops reads this file too.
# The first rule whose path_regex is found in a file's path, counted from this folder, is the one that counts.
# encrypted_regex names keys: all values below a key that matches are encrypted, everything else stays readable.
# To add a reader, add a line below and run `seal updatekeys` on the files, so that they can open them as well.
# Keep at least two readers, one of them a recovery key that lies in a safe place.
";

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::Config;
    use super::*;
    use crate::crypt::{Kind, SelectionRule};

    #[test]
    fn reads_back_as_what_was_asked_for() {
        let recipients = [
            Recipient::parse(Kind::Age, "age1abc").expect("age"),
            Recipient::parse(Kind::Age, "ssh-ed25519 AAAA ada: #1").expect("ssh"),
            Recipient::parse(Kind::Pgp, "0123").expect("pgp"),
        ];
        for path_regex in [r"\.ya?ml$", "it's: odd", "[ab]", "- x", "*a"] {
            let text = default_config_text(path_regex, &recipients);
            let config = Config::parse(&text, "/repo/.sops.yaml").expect("parses");
            assert!(config.warnings().is_empty());
            assert_eq!(config.creation_rules()[0].path_regex, path_regex);
            let rule = config.creation_rules()[0].body().expect("usable");
            assert_eq!(rule.groups, [recipients.to_vec()]);
            assert_eq!(rule.selection, Some(SelectionRule::EncryptedRegex("^(data|stringData)$".into())));
        }
        let text = default_config_text(r"\.ya?ml$", &recipients[..1]);
        assert!(text.ends_with(
            "creation_rules:\n  - path_regex: \\.ya?ml$\n    encrypted_regex: ^(data|stringData)$\n    age:\n      - age1abc\n"
        ));
        assert!(Config::parse(&text, "/r/.sops.yaml").expect("parses").rule_for(Path::new("/r/a/b.yml")).is_ok());
    }
}
