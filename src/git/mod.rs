//! A git repository on disk: versions of files, what a range or a push brings, hooks, and its config.
//!
//! Reading goes through gix, which runs no program whatever a repository's config says. Writing config is git's own work.

mod hooks;
mod program;
mod push;
mod range;
mod reader;
mod repository;
mod staged;

pub use hooks::{Hook, HookChange, HookError, HookFile, HookState, kept_program};
pub use reader::{Commit, Entry, ObjectReader};
pub use program::{configured, hooks_folder, set_config};
pub use push::{everything, RefUpdate, pushed, received, unpushed};
pub use range::{Additions, NewBlob, Range};
pub use repository::{GitError, Repository, Tree, Version};
pub use staged::staged;
