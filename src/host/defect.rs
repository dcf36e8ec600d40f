//! What is said and done when seal panics, which is a defect of its own.
//!
//! The message of a panic may quote what was at hand, so it is not shown. What must not stay is removed here, as a release build
//! does not unwind.

use std::io::Write as _;
use std::panic::PanicHookInfo;

use super::{leftovers, terminal};

/// From now on a panic removes temporary files, says where it was, and ends the process with code 101.
pub fn watch_panics() {
    std::panic::set_hook(Box::new(|info| {
        leftovers::remove_all();
        terminal::show_input();
        let _ = writeln!(std::io::stderr(), "{}", report(info));
        std::process::exit(101);
    }));
}

fn report(info: &PanicHookInfo<'_>) -> String {
    let place = info.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "error: seal {version} has a defect, at {place}\nhint: files are as they were, or whole and new; please report \
         this line and the command, without your data"
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use super::*;

    /// Not a test of its own: what the test below runs in a process of its own.
    #[test]
    fn as_child() {
        let Some(folder) = std::env::var_os("SEAL_TEST_PANIC") else { return };
        watch_panics();
        let file = leftovers::Leftover::new(Path::new(&folder).join("plain"));
        std::fs::write(file.path(), "hunter2").expect("written");
        panic!("hunter2");
    }

    #[test]
    fn a_panic_says_where_and_not_what_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().expect("folder");
        let mut command = Command::new(std::env::current_exe().expect("known"));
        command.args(["--exact", "host::defect::tests::as_child", "--nocapture"]);
        let output = command.env("SEAL_TEST_PANIC", folder.path()).output().expect("runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(101), "{said}");
        assert!(said.contains("has a defect, at src/host/defect.rs:") && !said.contains("hunter2"), "{said}");
        assert!(!folder.path().join("plain").exists());
    }
}
