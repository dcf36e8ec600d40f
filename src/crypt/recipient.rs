//! Recipients: who may read a file. Parsing and printing only; using one is the work of [`keys`](crate::keys).

use std::collections::BTreeMap;
use std::fmt;

/// One who may read: an age key, a KMS key, a vault's key.
///
/// The fields are sops's own, as they stand in the envelope.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Recipient {
    /// `age1…`, `age1pq1…`, `age1name1…` (plugin), `ssh-ed25519 …`, `ssh-rsa …`
    Age(String),
    /// An OpenPGP fingerprint in hexadecimal.
    Pgp(String),
    /// An AWS KMS key.
    AwsKms {
        /// `arn:aws:kms:REGION:ACCOUNT:key/…` or `…:alias/…`
        arn: String,
        /// The role to assume, if any.
        role: Option<String>,
        /// The encryption context.
        context: BTreeMap<String, String>,
        /// The AWS profile; often empty.
        profile: String,
    },
    /// `projects/P/locations/L/keyRings/R/cryptoKeys/K`
    GcpKms(String),
    /// Huawei Cloud: `region:uuid`
    HuaweiKms(String),
    /// An Azure Key Vault key.
    AzureKeyVault {
        /// `https://NAME.vault.azure.net`
        vault_url: String,
        /// The key's name.
        name: String,
        /// The key's version; may be empty.
        version: String,
    },
    /// A key of HashiCorp Vault's or OpenBao's transit engine.
    VaultTransit {
        /// `https://HOST:PORT`
        address: String,
        /// Where the engine is mounted.
        engine_path: String,
        /// The key's name.
        key_name: String,
    },
}

/// A kind of recipient: one of sops's key services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// AWS KMS
    AwsKms,
    /// Google Cloud KMS
    GcpKms,
    /// Huawei Cloud KMS
    HuaweiKms,
    /// Azure Key Vault
    AzureKeyVault,
    /// Vault or OpenBao transit
    VaultTransit,
    /// OpenPGP
    Pgp,
    /// age, ssh keys and age plugins
    Age,
}

impl Kind {
    /// All kinds, in the order sops reads them from an envelope.
    pub const ALL: [Self; 7] =
        [Self::AwsKms, Self::GcpKms, Self::HuaweiKms, Self::AzureKeyVault, Self::VaultTransit, Self::Pgp, Self::Age];

    /// The list of the envelope that holds this kind's wrapped keys; also the word of `--decryption-order`.
    pub fn envelope_name(self) -> &'static str {
        match self {
            Self::AwsKms => "kms",
            Self::GcpKms => "gcp_kms",
            Self::HuaweiKms => "hckms",
            Self::AzureKeyVault => "azure_kv",
            Self::VaultTransit => "hc_vault",
            Self::Pgp => "pgp",
            Self::Age => "age",
        }
    }

    /// The kind of which a recipient of this form is; `None` where the form is that of none.
    pub fn of_text(text: &str) -> Option<Self> {
        let text = text.trim();
        let is_fingerprint = |text: &str| {
            let text = text.replace(' ', "");
            let digits = text.strip_suffix('!').unwrap_or(&text);
            (16..=40).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit())
        };
        let is_url = text.starts_with("https://") || text.starts_with("http://");
        match text {
            _ if text.starts_with("age1") || text.starts_with("ssh-") => Some(Self::Age),
            _ if text.to_ascii_uppercase().starts_with("AGE-SECRET-KEY-") => Some(Self::Age),
            _ if text.starts_with("arn:aws") => Some(Self::AwsKms),
            _ if text.starts_with("projects/") => Some(Self::GcpKms),
            _ if is_url && text.contains("/v1/") => Some(Self::VaultTransit),
            _ if is_url && text.contains("/keys/") => Some(Self::AzureKeyVault),
            _ if is_fingerprint(text) => Some(Self::Pgp),
            _ if !is_url
                && text.split_once(':').is_some_and(|(region, id)| region.contains('-') && id.contains('-')) =>
            {
                Some(Self::HuaweiKms)
            }
            _ => None,
        }
    }

    /// What people call it.
    pub fn title(self) -> &'static str {
        match self {
            Self::AwsKms => "AWS KMS",
            Self::GcpKms => "GCP KMS",
            Self::HuaweiKms => "Huawei Cloud KMS",
            Self::AzureKeyVault => "Azure Key Vault",
            Self::VaultTransit => "Vault transit",
            Self::Pgp => "PGP",
            Self::Age => "age",
        }
    }
}

/// Why a text names no recipient of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a recipient of {}: {problem}", .kind.title())]
pub struct RecipientError {
    /// What was written.
    pub text: String,
    /// The kind it was read as.
    pub kind: Kind,
    /// What is wrong.
    pub problem: &'static str,
}

impl Recipient {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Age(_) => Kind::Age,
            Self::Pgp(_) => Kind::Pgp,
            Self::AwsKms { .. } => Kind::AwsKms,
            Self::GcpKms(_) => Kind::GcpKms,
            Self::HuaweiKms(_) => Kind::HuaweiKms,
            Self::AzureKeyVault { .. } => Kind::AzureKeyVault,
            Self::VaultTransit { .. } => Kind::VaultTransit,
        }
    }

    /// Reads the form in which recipients are typed after flags and in `.sops.yaml`.
    ///
    /// AWS: `ARN` or `ARN+ROLE`. Azure: `https://V/keys/NAME[/VERSION]`. Vault: `https://HOST/v1/ENGINE/keys/NAME`. PGP:
    /// blanks are dropped. Whether an age recipient can be used is only known to the age library, later.
    pub fn parse(kind: Kind, text: &str) -> Result<Self, RecipientError> {
        let text = text.trim();
        let is_identity = text.to_ascii_uppercase().contains("AGE-SECRET-KEY-");
        let quoted = if is_identity { "AGE-SECRET-KEY-…" } else { text };
        let fail = |problem| RecipientError { text: quoted.to_owned(), kind, problem };
        if text.is_empty() {
            return Err(fail("it is empty"));
        }
        match kind {
            Kind::Age => {
                let known =
                    text.starts_with("age1") || text.starts_with("ssh-ed25519 ") || text.starts_with("ssh-rsa ");
                if !known {
                    return Err(fail(if is_identity {
                        "this is a secret identity; a recipient starts with age1"
                    } else {
                        "it must start with age1, ssh-ed25519 or ssh-rsa"
                    }));
                }
                Ok(Self::Age(text.to_owned()))
            }
            Kind::Pgp => Ok(Self::Pgp(text.replace(' ', ""))),
            Kind::AwsKms => {
                let (arn, role) = match text.find("+arn:aws") {
                    Some(plus) => (&text[..plus], Some(text[plus + 1..].to_owned())),
                    None => (text, None),
                };
                let mut parts = arn.split(':');
                let is_arn = parts.next() == Some("arn")
                    && parts.next().is_some_and(|p| p.starts_with("aws"))
                    && parts.next() == Some("kms");
                if !is_arn {
                    return Err(fail("it must look like arn:aws:kms:REGION:ACCOUNT:key/ID"));
                }
                Ok(Self::AwsKms { arn: arn.to_owned(), role, context: BTreeMap::new(), profile: String::new() })
            }
            Kind::GcpKms => Ok(Self::GcpKms(text.to_owned())),
            Kind::HuaweiKms => match text.split_once(':') {
                Some((region, id)) if !region.is_empty() && !id.is_empty() => Ok(Self::HuaweiKms(text.to_owned())),
                _ => Err(fail("it must look like REGION:KEY-ID")),
            },
            Kind::AzureKeyVault => {
                let problem = "it must look like https://VAULT/keys/NAME/VERSION";
                let (vault_url, rest) = text.split_once("/keys/").ok_or_else(|| fail(problem))?;
                if !vault_url.starts_with("https://") {
                    return Err(fail(problem));
                }
                let (name, version) = rest.split_once('/').unwrap_or((rest, ""));
                Ok(Self::AzureKeyVault {
                    vault_url: vault_url.to_owned(),
                    name: name.to_owned(),
                    version: version.trim_end_matches('/').to_owned(),
                })
            }
            Kind::VaultTransit => {
                let problem = "it must look like https://HOST/v1/ENGINE/keys/NAME";
                let scheme_end = text.find("://").ok_or_else(|| fail(problem))? + 3;
                let path_at = text[scheme_end..].find('/').ok_or_else(|| fail(problem))? + scheme_end;
                let path = text[path_at..].strip_prefix("/v1/").ok_or_else(|| fail(problem))?;
                let (engine_path, key_name) = path.rsplit_once("/keys/").ok_or_else(|| fail(problem))?;
                if engine_path.is_empty() || key_name.is_empty() || key_name.contains('/') {
                    return Err(fail(problem));
                }
                Ok(Self::VaultTransit {
                    address: text[..path_at].to_owned(),
                    engine_path: engine_path.to_owned(),
                    key_name: key_name.to_owned(),
                })
            }
        }
    }
}

impl fmt::Display for Recipient {
    /// The form that sops prints and that [`Recipient::parse`] reads (an encryption context and a profile are left out).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Age(text) | Self::Pgp(text) | Self::GcpKms(text) | Self::HuaweiKms(text) => f.write_str(text),
            Self::AwsKms { arn, role: None, .. } => f.write_str(arn),
            Self::AwsKms { arn, role: Some(role), .. } => write!(f, "{arn}+{role}"),
            Self::AzureKeyVault { vault_url, name, version } if version.is_empty() => {
                write!(f, "{vault_url}/keys/{name}")
            }
            Self::AzureKeyVault { vault_url, name, version } => write!(f, "{vault_url}/keys/{name}/{version}"),
            Self::VaultTransit { address, engine_path, key_name } => {
                write!(f, "{address}/v1/{engine_path}/keys/{key_name}")
            }
        }
    }
}

/// Recipients of which any one suffices.
pub type KeyGroup = Vec<Recipient>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typed_form_and_printed_form_are_inverse() {
        for (kind, text) in [
            (Kind::Age, "age1qyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqs3290gq"),
            (Kind::Age, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA"),
            (Kind::AwsKms, "arn:aws:kms:us-east-1:1:key/a+arn:aws:iam::1:role/r"),
            (Kind::AwsKms, "arn:aws-cn:kms:cn-north-1:1:alias/a"),
            (Kind::GcpKms, "projects/p/locations/l/keyRings/r/cryptoKeys/k"),
            (Kind::AzureKeyVault, "https://v.vault.azure.net/keys/sops/0123"),
            (Kind::VaultTransit, "https://vault.example.com:8200/v1/team/transit/keys/k"),
            (Kind::HuaweiKms, "eu:1-2"),
        ] {
            assert_eq!(Recipient::parse(kind, text).map(|r| r.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn kind_is_told_from_the_form() {
        for (text, kind) in [
            ("age1pq1xyz", Some(Kind::Age)),
            ("ssh-ed25519 AAAA me", Some(Kind::Age)),
            ("arn:aws-cn:kms:cn-north-1:1:alias/a+arn:aws:iam::1:role/r", Some(Kind::AwsKms)),
            ("projects/p/locations/l/keyRings/r/cryptoKeys/k", Some(Kind::GcpKms)),
            ("https://v.vault.azure.net/keys/sops/0123", Some(Kind::AzureKeyVault)),
            ("https://vault.example.com:8200/v1/transit/keys/k", Some(Kind::VaultTransit)),
            ("FBC7 B9E2 A4F9 289A C0C1 D484 3D16 CEE4 A270 81B4!", Some(Kind::Pgp)),
            ("eu-west-101:01234567-89ab-cdef-0123-456789abcdef", Some(Kind::HuaweiKms)),
            ("deploy/secret.yaml", None),
            ("C:secret.yaml", None),
            ("", None),
        ] {
            assert_eq!(Kind::of_text(text), kind, "{text}");
        }
    }

    #[test]
    fn secret_identity_is_not_taken_for_a_recipient() {
        let error = Recipient::parse(Kind::Age, "AGE-SECRET-KEY-1X").expect_err("an identity");
        assert!(error.problem.contains("secret identity"));
        assert!(!error.to_string().contains("1X"));
    }
}
