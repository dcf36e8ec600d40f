//! The five formats, and how one is told from a file's name.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

/// A file format that sops knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// `.yaml`, `.yml`
    Yaml,
    /// `.json`
    Json,
    /// `.env`
    Dotenv,
    /// `.ini`
    Ini,
    /// Everything else: the whole file is one value. Encrypted, it is a JSON file with one key, `data`.
    Binary,
}

impl Format {
    /// The format that a file's name stands for, as sops decides it.
    pub fn of_path(path: &Path) -> Self {
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        match name.rsplit_once('.').map(|(_, extension)| extension) {
            Some("yaml" | "yml") => Self::Yaml,
            Some("json") => Self::Json,
            Some("env") => Self::Dotenv,
            Some("ini") => Self::Ini,
            _ => Self::Binary,
        }
    }

    /// What an encrypted file is written in, by what its envelope looks like; a binary file's is JSON.
    pub fn of_encrypted(bytes: &[u8]) -> Self {
        let has_line = |wanted: &[u8]| {
            let mut at = memchr::memmem::find_iter(bytes, wanted);
            at.any(|at| at == 0 || bytes[at - 1] == b'\n')
        };
        if bytes.trim_ascii_start().starts_with(b"{") {
            Self::Json
        } else if has_line(b"sops:") {
            Self::Yaml
        } else if has_line(b"sops_") {
            Self::Dotenv
        } else if has_line(b"[sops]") {
            Self::Ini
        } else {
            Self::Binary
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Yaml => "yaml",
            Self::Json => "json",
            Self::Dotenv => "dotenv",
            Self::Ini => "ini",
            Self::Binary => "binary",
        })
    }
}

/// A word that names no format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown format `{0}`; it is one of yaml, json, dotenv, ini, binary")]
pub struct UnknownFormat(pub String);

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(word: &str) -> Result<Self, UnknownFormat> {
        match word {
            "yaml" => Ok(Self::Yaml),
            "json" => Ok(Self::Json),
            "dotenv" => Ok(Self::Dotenv),
            "ini" => Ok(Self::Ini),
            "binary" => Ok(Self::Binary),
            other => Err(UnknownFormat(other.to_owned())),
        }
    }
}
