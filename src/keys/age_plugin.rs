//! What age plugins (`age-plugin-*` programs) may do: whether one may be run, and how it talks to the user.
//!
//! A plugin's name comes out of a recipient or an identity, so a file could name a program. The age crate refuses names
//! that are no plain file names (RUSTSEC-2024-0433) and looks in `PATH`; here a name is checked once more, and a
//! program in a folder that `PATH` gives relative to the current one, likely a repository, is refused.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use age::DecryptError;
use age::plugin::ResolveError;
use age_core::secrecy::SecretString;

use super::age::Ask;

/// Whether the plugin of this name may be run.
pub(super) fn check(name: &str) -> Result<(), String> {
    check_in(name, &std::env::var_os("PATH").unwrap_or_default())
}

fn check_in(name: &str, path: &std::ffi::OsStr) -> Result<(), String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"+-._".contains(&b);
    if name.is_empty() || !name.bytes().all(plain) {
        return Err("the name of its plugin is malformed".to_owned());
    }
    let program = format!("age-plugin-{name}{}", std::env::consts::EXE_SUFFIX);
    match std::env::split_paths(path).find(|folder| is_program(&folder.join(&program))) {
        Some(folder) if folder.is_absolute() => Ok(()),
        Some(_) => Err(format!("{program} is in a folder that PATH names relative to the current one")),
        None => Err(format!("{program} is not in PATH")),
    }
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    path.is_file()
}

/// What a plugin's error says, in one line.
pub(super) fn describe(error: &DecryptError) -> String {
    match error {
        DecryptError::Plugin(errors) => describe_all(errors),
        DecryptError::PluginResolve(error) => describe_resolve(error),
        DecryptError::Io(error) => error.kind().to_string(),
        _ => "it refused".to_owned(),
    }
}

pub(super) fn describe_all(errors: &[impl fmt::Display]) -> String {
    errors.iter().map(|error| one_line(&error.to_string())).collect::<Vec<_>>().join("; ")
}

pub(super) fn describe_resolve(error: &ResolveError) -> String {
    match error {
        ResolveError::MissingPlugin { binary_name } => format!("{binary_name} is not in PATH"),
        _ => "the name of its plugin is malformed".to_owned(),
    }
}

/// A plugin may say anything at any length; the age crate adds invisible marks around it.
fn one_line(message: &str) -> String {
    let visible = message.trim_end().chars().filter(|c| !matches!(c, '\u{2066}'..='\u{2069}'));
    visible.take(300).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The age crate's way of asking, passed on to ours.
#[derive(Clone)]
pub(super) struct Callbacks(pub(super) Arc<dyn Ask>);

impl age::Callbacks for Callbacks {
    fn display_message(&self, message: &str) {
        self.0.message(message);
    }

    fn confirm(&self, message: &str, yes: &str, no: Option<&str>) -> Option<bool> {
        self.0.confirm(message, yes, no)
    }

    fn request_public_string(&self, description: &str) -> Option<String> {
        self.0.text(description)
    }

    fn request_passphrase(&self, description: &str) -> Option<SecretString> {
        self.0.passphrase(description)
    }
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn only_a_plain_name_in_an_absolute_folder_is_run() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("age-plugin-x");
        std::fs::write(&program, "").unwrap();
        let check = |name, path: &str| check_in(name, path.as_ref());
        let absolute = folder.path().to_str().unwrap();

        assert!(check("x", absolute).unwrap_err().ends_with("not in PATH"), "it is not executable yet");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(check("x", absolute), Ok(()));
        for name in ["", "../x", "/x", "a b", "x\0", "é"] {
            assert!(check(name, absolute).unwrap_err().ends_with("malformed"));
        }

        let up = "../".repeat(std::env::current_dir().unwrap().components().count());
        let relative = format!("{up}{}", &absolute[1..]);
        assert!(check("x", &format!("{relative}:{absolute}")).unwrap_err().contains("relative"));
        assert_eq!(check("x", &format!("{absolute}:{relative}")), Ok(()));
    }

    #[test]
    fn what_a_plugin_says_is_one_line() {
        assert_eq!(describe_all(&["a\n\u{2068}\x1b[2Jb\u{2069}\n", "c"]), "a  [2Jb; c");
        assert_eq!(one_line(&"é".repeat(1000)).chars().count(), 300);
    }
}
