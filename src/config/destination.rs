//! The `destination_rules` of a config: where `publish` sends a file.

use serde_yaml::Value;

use super::creation_rule::{self, Rule};
use super::fields::Fields;
use super::{ConfigError, Source};

/// Where files of one kind are published.
#[derive(Debug, Clone)]
pub struct DestinationRule {
    /// Which one, from 1.
    pub number: usize,
    /// Its line, where known.
    pub line: Option<usize>,
    /// Looked for in the path as it was typed; empty for every file.
    pub path_regex: String,
    /// Where to.
    pub destination: Option<Destination>,
    /// Re-encrypts before the upload, when given.
    pub recreation_rule: Option<Result<Rule, ConfigError>>,
    /// Whether the file's name loses its extension.
    pub omit_extensions: bool,
}

/// A store that files are published to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// An S3 bucket; gets the encrypted file.
    S3 {
        /// Its name.
        bucket: String,
        /// What object names begin with.
        prefix: String,
    },
    /// A Google Cloud Storage bucket; gets the encrypted file.
    Gcs {
        /// Its name.
        bucket: String,
        /// What object names begin with.
        prefix: String,
    },
    /// A key-value engine of Vault; gets the **decrypted** values.
    Vault {
        /// The address; empty for that of the environment.
        address: String,
        /// The path within the engine.
        path: String,
        /// Where the engine is mounted; empty for the default.
        kv_mount_name: String,
        /// The engine's version; 0 for the default.
        kv_version: i64,
    },
}

impl DestinationRule {
    pub(super) fn parse(
        value: &Value,
        number: usize,
        line: Option<usize>,
        source: &mut Source<'_>,
    ) -> Result<Self, ConfigError> {
        let place = format!("destination rule {number}");
        let fields = Fields::checked(value, &place, line, &KNOWN, source)?;
        let mut destinations = Vec::new();
        let bucket = fields.text("s3_bucket")?;
        if !bucket.is_empty() {
            destinations.push(Destination::S3 { bucket, prefix: fields.text("s3_prefix")? });
        }
        let bucket = fields.text("gcs_bucket")?;
        if !bucket.is_empty() {
            destinations.push(Destination::Gcs { bucket, prefix: fields.text("gcs_prefix")? });
        }
        let path = fields.text("vault_path")?;
        if !path.is_empty() {
            destinations.push(Destination::Vault {
                address: fields.text("vault_address")?,
                path,
                kv_mount_name: fields.text("vault_kv_mount_name")?,
                kv_version: fields.number("vault_kv_version")?.unwrap_or(0),
            });
        }
        if destinations.len() > 1 {
            return Err(fields.fail("only one of s3_bucket, gcs_bucket and vault_path can be used at a time"));
        }
        let recreation = fields.value("recreation_rule");
        Ok(Self {
            number,
            line,
            path_regex: fields.text("path_regex")?,
            destination: destinations.pop(),
            recreation_rule: recreation.map(|value| creation_rule::parse_body(value, number, line, &place, source)),
            omit_extensions: fields.flag("omit_extensions")?,
        })
    }
}

const KNOWN: [&str; 11] = [
    "path_regex",
    "s3_bucket",
    "s3_prefix",
    "gcs_bucket",
    "gcs_prefix",
    "vault_path",
    "vault_address",
    "vault_kv_mount_name",
    "vault_kv_version",
    "recreation_rule",
    "omit_extensions",
];

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    #[test]
    fn one_destination_a_rule() {
        let config = Config::parse(
            "destination_rules:\n- s3_bucket: b\n  s3_prefix: p/\n  path_regex: s3/.*\n  recreation_rule: {pgp: F}\n- vault_path: v\n  vault_kv_version: 1\n  omit_extensions: true\n",
            "/c",
        )
        .expect("parses");
        let [first, second] = config.destination_rules() else { panic!("two rules") };
        assert_eq!(first.destination, Some(Destination::S3 { bucket: "b".into(), prefix: "p/".into() }));
        assert_eq!(first.recreation_rule.as_ref().map(|r| r.is_ok()), Some(true));
        assert_eq!((second.omit_extensions, second.line), (true, Some(6)));
        assert!(Config::parse("destination_rules: [{s3_bucket: a, gcs_bucket: b}]", "/c").is_err());
    }
}
