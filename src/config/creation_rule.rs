//! Creation rules: from a file's path to recipients and selection, and why a rule did not match.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;

use serde_yaml::Value;

use super::fields::Fields;
use super::{ConfigError, Source};
use crate::crypt::{KeyGroup, Kind, Pattern, Recipient, SelectionRule};

/// One of a config's creation rules, whether or not it can be used.
#[derive(Debug, Clone)]
pub struct CreationRule {
    /// Which one, from 1.
    pub number: usize,
    /// The line at which it begins, from 1, where known.
    pub line: Option<usize>,
    /// As written; empty for a rule that matches every file.
    pub path_regex: String,
    pattern: Result<Option<Pattern>, ConfigError>,
    body: Result<Rule, ConfigError>,
}

/// What a creation rule says of the files that it matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Which rule, from 1.
    pub number: usize,
    /// The line at which it begins, from 1, where known.
    pub line: Option<usize>,
    /// The recipients, in the order of sops. A rule that names none gives one empty group.
    pub groups: Vec<KeyGroup>,
    /// How many groups are needed; `None` for all of them.
    pub threshold: Option<usize>,
    /// Which values are encrypted; `None` for the default.
    pub selection: Option<SelectionRule>,
    /// Whether the MAC covers encrypted values only.
    pub mac_only_encrypted: bool,
}

impl CreationRule {
    pub(super) fn parse(
        value: &Value,
        number: usize,
        line: Option<usize>,
        source: &mut Source<'_>,
    ) -> Result<Self, ConfigError> {
        let place = format!("creation rule {number}");
        let fields = Fields::of(value, &place, line, source)?;
        let path_regex = fields.text("path_regex")?;
        let pattern = Some(path_regex.as_str()).filter(|text| !text.is_empty()).map(Pattern::new).transpose();
        let pattern = pattern.map_err(|cause| fields.fail(format!("path_regex: {cause}")));
        Ok(Self { number, line, path_regex, pattern, body: parse_body(value, number, line, &place, source) })
    }

    /// Whether the rule is for this path, which is cut to what rules see.
    pub(super) fn matches(&self, path: &[u8]) -> Result<bool, ConfigError> {
        Ok(self.pattern.as_ref().map_err(Clone::clone)?.as_ref().is_none_or(|pattern| pattern.is_match(path)))
    }

    /// What it says, or why it cannot be used.
    pub fn body(&self) -> Result<&Rule, ConfigError> {
        self.body.as_ref().map_err(Clone::clone)
    }

    pub(super) fn tried(&self) -> Tried {
        Tried { number: self.number, line: self.line, path_regex: self.path_regex.clone() }
    }
}

/// A rule that was tried and did not match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// Which one, from 1.
    pub number: usize,
    /// Its line, where known.
    pub line: Option<usize>,
    /// Its pattern.
    pub path_regex: String,
}

/// No creation rule is for a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no creation rule matches {file}")]
pub struct NoRule {
    /// The path as the rules saw it.
    pub file: String,
    /// Where the rules stand.
    pub config: PathBuf,
    /// The rules, in order.
    pub tried: Vec<Tried>,
}

impl NoRule {
    /// The second line of the message: `looked in .sops.yaml: ^staging/ · ^shared/`.
    pub fn looked_in(&self) -> String {
        let regexes: Vec<_> = self.tried.iter().map(|rule| rule.path_regex.as_str()).collect();
        let regexes =
            if regexes.is_empty() { "it has an empty list of rules".to_owned() } else { regexes.join(" · ") };
        format!("looked in {}: {regexes}", self.config.display())
    }
}

/// Why there is no rule for a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// None matches.
    #[error(transparent)]
    NoRule(NoRule),
    /// The one that was reached cannot be used.
    #[error(transparent)]
    Broken(#[from] ConfigError),
}

/// What a rule says apart from the paths it is for.
pub(super) fn parse_body(
    value: &Value,
    number: usize,
    line: Option<usize>,
    place: &str,
    source: &mut Source<'_>,
) -> Result<Rule, ConfigError> {
    let fields = Fields::checked(value, place, line, &KNOWN, source)?;
    let groups = fields.list("key_groups")?;
    let groups = if groups.is_empty() {
        vec![flat_group(&fields)?]
    } else {
        groups.iter().map(|group| key_group(group, line, place, source)).collect::<Result<_, _>>()?
    };
    let mut selections = [const { None }; 6];
    for (selection, name) in selections.iter_mut().zip(SelectionRule::FIELDS) {
        *selection = Some(fields.text(name)?);
    }
    let threshold = match fields.number("shamir_threshold")?.unwrap_or(0) {
        0 => None,
        given => match usize::try_from(given) {
            Ok(threshold) if threshold <= 255 => Some(threshold),
            _ => return Err(fields.fail("shamir_threshold: a number up to 255 was expected")),
        },
    };
    Ok(Rule {
        number,
        line,
        groups,
        threshold,
        selection: SelectionRule::from_fields(selections).map_err(|error| fields.fail(error.to_string()))?,
        mac_only_encrypted: fields.flag("mac_only_encrypted")?,
    })
}

/// The recipients that stand directly in a rule.
fn flat_group(fields: &Fields<'_>) -> Result<KeyGroup, ConfigError> {
    let mut group = KeyGroup::new();
    let aws_profile = fields.text("aws_profile")?;
    for (name, kind) in FLAT {
        // The one list for which sops takes no comma text.
        let texts = if kind == Kind::HuaweiKms { fields.texts(name) } else { fields.comma_texts(name) }?;
        for text in texts {
            let mut recipient = parse_recipient(kind, &text, name, fields)?;
            if let Recipient::AwsKms { profile, .. } = &mut recipient {
                profile.clone_from(&aws_profile);
            }
            group.push(recipient);
        }
    }
    Ok(group)
}

/// One of `key_groups`, with the groups merged into it; no recipient stands in it twice.
fn key_group(
    value: &Value,
    line: Option<usize>,
    place: &str,
    source: &mut Source<'_>,
) -> Result<KeyGroup, ConfigError> {
    let known = ["merge", "age", "pgp", "kms", "gcp_kms", "hckms", "azure_keyvault", "hc_vault"];
    let fields = Fields::checked(value, place, line, &known, source)?;
    let mut group = KeyGroup::new();
    for merged in fields.list("merge")? {
        group.extend(key_group(merged, line, place, source)?);
    }
    for text in fields.comma_texts("age")? {
        group.push(parse_recipient(Kind::Age, &text, "age", &fields)?);
    }
    for text in fields.texts("pgp")? {
        group.push(parse_recipient(Kind::Pgp, &text, "pgp", &fields)?);
    }
    for item in fields.list("kms")? {
        let key = Fields::checked(item, place, line, &["arn", "role", "context", "aws_profile"], source)?;
        let mut context = BTreeMap::new();
        if let Some(pairs) = key.value("context") {
            let pairs = pairs.as_mapping().ok_or_else(|| key.fail("context: a map was expected"))?;
            for (name, value) in pairs {
                let text = |value: &Value| value.as_str().map(str::to_owned);
                let pair = text(name).zip(text(value));
                let (name, value) = pair.ok_or_else(|| key.fail("context: a map of texts to texts was expected"))?;
                context.insert(name, value);
            }
        }
        let role = Some(key.text("role")?).filter(|role| !role.is_empty());
        let arn = match parse_recipient(Kind::AwsKms, &key.text("arn")?, "kms", &key)? {
            Recipient::AwsKms { arn, role: None, .. } => arn,
            _ => return Err(key.fail("kms: within a key group the role has a field of its own, `role`")),
        };
        group.push(Recipient::AwsKms { arn, role, context, profile: key.text("aws_profile")? });
    }
    for item in fields.list("gcp_kms")? {
        let key = Fields::checked(item, place, line, &["resource_id"], source)?;
        group.push(parse_recipient(Kind::GcpKms, &key.text("resource_id")?, "gcp_kms", &key)?);
    }
    for item in fields.list("hckms")? {
        let key = Fields::checked(item, place, line, &["key_id"], source)?;
        group.push(parse_recipient(Kind::HuaweiKms, &key.text("key_id")?, "hckms", &key)?);
    }
    for item in fields.list("azure_keyvault")? {
        let key = Fields::checked(item, place, line, &["vaultUrl", "key", "version"], source)?;
        let (vault_url, name) = (key.text("vaultUrl")?, key.text("key")?);
        if vault_url.is_empty() || name.is_empty() {
            return Err(key.fail("azure_keyvault: vaultUrl and key must both be given"));
        }
        let vault_url = vault_url.trim_end_matches('/').to_owned();
        group.push(Recipient::AzureKeyVault { vault_url, name, version: key.text("version")? });
    }
    for text in fields.texts("hc_vault")? {
        group.push(parse_recipient(Kind::VaultTransit, &text, "hc_vault", &fields)?);
    }
    let mut seen = HashSet::new();
    group.retain(|recipient| seen.insert((recipient.kind(), recipient.to_string())));
    Ok(group)
}

fn parse_recipient(kind: Kind, text: &str, name: &str, fields: &Fields<'_>) -> Result<Recipient, ConfigError> {
    Recipient::parse(kind, text).map_err(|error| fields.fail(format!("{name}: {error}")))
}

/// The fields of recipients in a rule, in the order in which sops wraps for them.
pub(super) const FLAT: [(&str, Kind); 7] = [
    ("age", Kind::Age),
    ("pgp", Kind::Pgp),
    ("kms", Kind::AwsKms),
    ("gcp_kms", Kind::GcpKms),
    ("hckms", Kind::HuaweiKms),
    ("azure_keyvault", Kind::AzureKeyVault),
    ("hc_vault_transit_uri", Kind::VaultTransit),
];

const KNOWN: [&str; 18] = [
    "path_regex",
    "kms",
    "aws_profile",
    "age",
    "pgp",
    "gcp_kms",
    "hckms",
    "azure_keyvault",
    "hc_vault_transit_uri",
    "key_groups",
    "shamir_threshold",
    "unencrypted_suffix",
    "encrypted_suffix",
    "unencrypted_regex",
    "encrypted_regex",
    "unencrypted_comment_regex",
    "encrypted_comment_regex",
    "mac_only_encrypted",
];

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::Config;
    use super::*;

    fn rule(text: &str) -> Result<Rule, RuleError> {
        let config = Config::parse(text, "/repo/.sops.yaml").expect("parses");
        config.rule_for(Path::new("/repo/a.yaml")).map(|rule| rule.expect("has rules").clone())
    }

    fn names(group: &KeyGroup) -> Vec<String> {
        group.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn flat_recipients_stand_in_the_order_of_sops() {
        let rule = rule(
            "creation_rules:
  - hc_vault_transit_uri: https://v/v1/sops/keys/k
    azure_keyvault: https://z.vault.azure.net/keys/k/1
    hckms: [eu:1]
    gcp_kms: projects/p
    kms: arn:aws:kms:r:1:key/a+arn:aws:iam::1:role/r, arn:aws:kms:r:1:key/b,
    aws_profile: dev
    pgp: [AB CD, EF]
    age: age1a,age1b
    shamir_threshold: 2
    mac_only_encrypted: yes
    encrypted_suffix: _enc
",
        )
        .expect("matches");
        assert_eq!(
            names(&rule.groups[0]),
            [
                "age1a",
                "age1b",
                "ABCD",
                "EF",
                "arn:aws:kms:r:1:key/a+arn:aws:iam::1:role/r",
                "arn:aws:kms:r:1:key/b",
                "projects/p",
                "eu:1",
                "https://z.vault.azure.net/keys/k/1",
                "https://v/v1/sops/keys/k"
            ]
        );
        assert!(matches!(&rule.groups[0][5], Recipient::AwsKms { profile, .. } if profile == "dev"));
        assert_eq!((rule.threshold, rule.mac_only_encrypted), (Some(2), true));
        assert_eq!(rule.selection, Some(SelectionRule::EncryptedSuffix("_enc".into())));
    }

    #[test]
    fn groups_win_over_flat_recipients_merge_and_hold_nobody_twice() {
        let rule = rule(
            "base: &base
  pgp: [A, B]
creation_rules:
  - pgp: IGNORED
    key_groups:
      - merge: [*base, {age: [age1a]}]
        kms: [{arn: 'arn:aws:kms:r:1:key/a', role: 'arn:aws:iam::1:role/r', context: {app: x}, aws_profile: p}]
        pgp: [C, A]
        azure_keyvault: [{vaultUrl: 'https://z.vault.azure.net', key: k, version: v}]
        hc_vault: ['https://v/v1/sops/keys/k']
      - <<: *base
        gcp_kms: [{resource_id: projects/p}]
        hckms: [{key_id: 'eu:1'}]
",
        )
        .expect("matches");
        assert_eq!(
            names(&rule.groups[0]),
            [
                "A",
                "B",
                "age1a",
                "C",
                "arn:aws:kms:r:1:key/a+arn:aws:iam::1:role/r",
                "https://z.vault.azure.net/keys/k/v",
                "https://v/v1/sops/keys/k"
            ]
        );
        assert!(
            matches!(&rule.groups[0][4], Recipient::AwsKms { context, profile, .. } if context["app"] == "x" && profile == "p")
        );
        assert_eq!(names(&rule.groups[1]), ["A", "B", "projects/p", "eu:1"]);
        assert_eq!(rule.threshold, None);
    }

    #[test]
    fn a_rule_without_recipients_gives_an_empty_group() {
        assert_eq!(rule("creation_rules: [{path_regex: a}]").expect("matches").groups, [vec![]]);
    }

    #[test]
    fn a_rule_that_cannot_be_used_says_where_and_why() {
        for (text, problem) in [
            (
                "encrypted_regex: a, unencrypted_suffix: b",
                "creation rule 1: only one of unencrypted_suffix and encrypted_regex can",
            ),
            ("age: AGE-SECRET-KEY-1X", "this is a secret identity"),
            ("age: {a: b}", "age: a text was expected"),
            ("age: [[a]]", "age: a list of texts was expected"),
            ("shamir_threshold: -1", "shamir_threshold: a number"),
            ("mac_only_encrypted: maybe", "mac_only_encrypted: true or false"),
            ("key_groups: [{azure_keyvault: [{key: k}]}]", "azure_keyvault: vaultUrl and key"),
        ] {
            let error = rule(&format!("creation_rules: [{{{text}}}]")).expect_err(text).to_string();
            assert!(error.contains(problem), "{error}");
        }
    }
}
