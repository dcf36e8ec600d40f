//! Arguments that several commands share: recipients, selections, formats, and which key services to ask first.

use std::collections::BTreeMap;

use clap::Args;

use super::failure::{Failure, Kind as FailureKind};
use crate::crypt::{KeyGroup, Kind, Recipient, SelectionRule};
use crate::document::{Format, Indent};

/// Who may read; given, they replace those of the creation rule.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Recipients (comma-separated; they replace those of .sops.yaml)")]
pub struct RecipientArgs {
    /// age and ssh public keys
    #[arg(long, short, value_name = "KEYS", env = "SOPS_AGE_RECIPIENTS", hide_env = true)]
    pub age: Vec<String>,
    /// OpenPGP fingerprints
    #[arg(long, short, value_name = "FINGERPRINTS", env = "SOPS_PGP_FP", hide_env = true)]
    pub pgp: Vec<String>,
    /// AWS KMS key ARNs, each with +ROLE-ARN if a role is to be assumed
    #[arg(long, short, value_name = "ARNS", env = "SOPS_KMS_ARN", hide_env = true)]
    pub kms: Vec<String>,
    /// The AWS profile to use
    #[arg(long, value_name = "NAME")]
    pub aws_profile: Option<String>,
    /// The encryption context of AWS KMS, as key:value,key:value
    #[arg(long, value_name = "PAIRS")]
    pub encryption_context: Option<String>,
    /// GCP KMS resource ids
    #[arg(long, value_name = "IDS", env = "SOPS_GCP_KMS_IDS", hide_env = true)]
    pub gcp_kms: Vec<String>,
    /// Huawei Cloud KMS keys, as REGION:ID
    #[arg(long, value_name = "IDS", env = "SOPS_HUAWEICLOUD_KMS_IDS", hide_env = true)]
    pub hckms: Vec<String>,
    /// Azure Key Vault key URLs
    #[arg(long, value_name = "URLS", env = "SOPS_AZURE_KEYVAULT_URLS", hide_env = true)]
    pub azure_kv: Vec<String>,
    /// Vault or OpenBao transit key URIs
    #[arg(long, value_name = "URIS", env = "SOPS_VAULT_URIS", hide_env = true)]
    pub hc_vault_transit: Vec<String>,
}

impl RecipientArgs {
    /// The recipients typed, as one group in sops's order; `None` where there are none.
    pub fn group(&self) -> Result<Option<KeyGroup>, Failure> {
        let context = self.encryption_context.as_deref().map(parse_context).transpose()?;
        let lists = [
            (Kind::AwsKms, &self.kms),
            (Kind::GcpKms, &self.gcp_kms),
            (Kind::HuaweiKms, &self.hckms),
            (Kind::AzureKeyVault, &self.azure_kv),
            (Kind::Pgp, &self.pgp),
            (Kind::VaultTransit, &self.hc_vault_transit),
            (Kind::Age, &self.age),
        ];
        let mut group = Vec::new();
        for (kind, texts) in lists {
            for text in texts.iter().flat_map(|list| list.split(',')).filter(|text| !text.trim().is_empty()) {
                let mut recipient = Recipient::parse(kind, text)?;
                if let Recipient::AwsKms { context: own, profile, .. } = &mut recipient {
                    *own = context.clone().unwrap_or_default();
                    *profile = self.aws_profile.clone().unwrap_or_default();
                }
                if !group.contains(&recipient) {
                    group.push(recipient);
                }
            }
        }
        Ok((!group.is_empty()).then_some(group))
    }
}

fn parse_context(text: &str) -> Result<BTreeMap<String, String>, Failure> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once(':').ok_or_else(|| {
            Failure::new(FailureKind::Context, format!("`{}` is no encryption context", super::shown(pair)))
                .hint("write it as key:value,key:value")
        })?;
        Ok((name.to_owned(), value.to_owned()))
    };
    text.split(',').map(pair).collect()
}

/// Which values are encrypted; at most one.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Which values are encrypted (at most one; else as .sops.yaml says)")]
pub struct SelectionArgs {
    /// All but those with a key that ends in this
    #[arg(long, value_name = "SUFFIX")]
    pub unencrypted_suffix: Option<String>,
    /// Only those with a key that ends in this
    #[arg(long, value_name = "SUFFIX")]
    pub encrypted_suffix: Option<String>,
    /// All but those with a key that matches
    #[arg(long, value_name = "REGEX")]
    pub unencrypted_regex: Option<String>,
    /// Only those with a key that matches
    #[arg(long, value_name = "REGEX")]
    pub encrypted_regex: Option<String>,
    /// All but those with a comment that matches
    #[arg(long, value_name = "REGEX")]
    pub unencrypted_comment_regex: Option<String>,
    /// Only those with a comment that matches
    #[arg(long, value_name = "REGEX")]
    pub encrypted_comment_regex: Option<String>,
}

impl SelectionArgs {
    /// The selection typed, if any.
    pub fn rule(&self) -> Result<Option<SelectionRule>, Failure> {
        Ok(SelectionRule::from_fields([
            self.unencrypted_suffix.clone(),
            self.encrypted_suffix.clone(),
            self.unencrypted_regex.clone(),
            self.encrypted_regex.clone(),
            self.unencrypted_comment_regex.clone(),
            self.encrypted_comment_regex.clone(),
        ])?)
    }
}

/// What format input and output have, where the file's name does not say it.
#[derive(Args, Clone, Debug, Default)]
pub struct FormatArgs {
    /// Read input as yaml, json, dotenv, ini or binary
    #[arg(long, value_name = "FORMAT")]
    pub input_type: Option<Format>,
    /// Write output as yaml, json, dotenv, ini or binary
    #[arg(long, value_name = "FORMAT")]
    pub output_type: Option<Format>,
    /// Find rules and formats by this name; needed when reading standard input
    #[arg(long, value_name = "NAME")]
    pub filename_override: Option<std::path::PathBuf>,
    /// Blanks per level of YAML and JSON that is written anew
    #[arg(long, value_name = "N")]
    pub indent: Option<usize>,
}

impl FormatArgs {
    /// How output that is written anew is indented.
    pub fn indentation(&self) -> Indent {
        self.indent.map_or(Indent::Default, Indent::Blanks)
    }
}

/// How a data key is found and a file checked.
#[derive(Args, Clone, Debug, Default)]
pub struct OpenArgs {
    /// Decrypt although the MAC does not fit: the file was changed by hand, and you know it
    #[arg(long)]
    pub ignore_mac: bool,
    /// Ask these kinds of recipients first: age, pgp, kms, gcp_kms, azure_kv, hc_vault, hckms
    #[arg(long, value_name = "KINDS", value_delimiter = ',', env = "SOPS_DECRYPTION_ORDER", hide_env = true)]
    pub decryption_order: Vec<String>,
}

impl OpenArgs {
    /// The kinds to ask first, in order.
    pub fn order(&self) -> Result<Vec<Kind>, Failure> {
        let mut order = Vec::new();
        for word in self.decryption_order.iter().filter(|word| !word.is_empty()) {
            let kind = Kind::ALL.into_iter().find(|kind| kind.envelope_name() == word).ok_or_else(|| {
                Failure::new(FailureKind::Usage, format!("unknown kind of recipient `{}`", super::shown(word)))
                    .hint("kinds are age, pgp, kms, gcp_kms, azure_kv, hc_vault, hckms")
            })?;
            if order.contains(&kind) {
                return Err(Failure::new(FailureKind::Order, format!("{word} is given twice in --decryption-order")));
            }
            order.push(kind);
        }
        Ok(order)
    }

    /// Whether the MAC counts.
    pub fn mac_check(&self) -> crate::crypt::MacCheck {
        if self.ignore_mac { crate::crypt::MacCheck::Ignore } else { crate::crypt::MacCheck::Require }
    }
}
