//! What keeps this process's memory out of files and of other processes of the same user.

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// Switches off core dumps and tracing by other processes, as far as the system lets it.
///
/// Best effort: where it fails nothing is lost that other programs have. Children inherit the limit on core files.
pub fn harden() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let _ = setrlimit(Resource::Core, none);
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

/// Whether neither core dumps nor tracing can show this process's memory.
pub fn is_hardened() -> bool {
    use rustix::process::{dumpable_behavior, getrlimit};
    getrlimit(Resource::Core).current == Some(0)
        && dumpable_behavior().is_ok_and(|behavior| behavior == DumpableBehavior::NotDumpable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_core_dumps_nor_tracing() {
        harden();
        assert!(is_hardened());
    }
}
