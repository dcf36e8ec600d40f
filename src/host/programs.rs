//! Programs in `PATH`: where they are, and what one says when asked a question that changes nothing.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::process::strip_secrets;

/// The programs whose names `wanted` likes, first those that are found first. Folders that `path` gives relative to the current
/// one, likely a repository, are left out.
pub fn in_path(path: &OsStr, wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    for folder in std::env::split_paths(path).filter(|folder| folder.is_absolute()) {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        let mut here: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        here.retain(|path| path.file_name().and_then(OsStr::to_str).is_some_and(&wanted) && is_program(path));
        here.sort();
        for path in here {
            if !found.iter().any(|other| other.file_name() == path.file_name()) {
                found.push(path);
            }
        }
    }
    found
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// The first line that a program prints, if it ends well. It gets no input and nothing that leads to identities.
pub fn first_line(program: &Path, args: &[&str], env: &[(&str, &str)]) -> Option<String> {
    let mut command = Command::new(program);
    strip_secrets(&mut command);
    command.args(args).envs(env.iter().copied()).stdin(Stdio::null()).stderr(Stdio::null());
    let output = command.output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    output.status.success().then(|| text.lines().next().unwrap_or_default().trim().to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn first_of_a_name_is_found_and_only_programs_are() {
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for (folder, name, mode) in [(&a, "x-1", 0o755), (&b, "x-1", 0o755), (&b, "x-2", 0o755), (&b, "x-3", 0o644)] {
            let path = folder.path().join(name);
            std::fs::write(&path, "#!/bin/sh\necho \"$1 $ASKED\"\necho more\n").unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        let path = std::env::join_paths([a.path(), b.path(), Path::new("."), Path::new("/nowhere")]).unwrap();
        let found = in_path(&path, |name| name.starts_with("x-"));
        assert_eq!(found, [a.path().join("x-1"), b.path().join("x-2")]);
        assert_eq!(first_line(&found[0], &["a"], &[("ASKED", "b")]).unwrap(), "a b");
        assert_eq!(first_line(Path::new("/nowhere"), &[], &[]), None);
    }
}
