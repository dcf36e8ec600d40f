//! A git repository on disk: versions of files, what a range or a push brings, all of its history, hooks, and its config.
//!
//! Reading goes through gix, which runs no program whatever a repository's config says. Writing config is git's own work.

mod finish;
mod graph;
mod hooks;
mod ids;
mod origin;
mod pack;
mod scan_history;
mod scanned;
mod objects;
mod program;
mod push;
mod range;
mod reader;
mod refs;
mod repository;
mod roots;
mod run_folder;
mod staged;
mod switch;

pub use finish::{Kept, finish};
pub use hooks::{Hook, HookChange, HookError, HookFile, HookState, kept_program};
pub use program::{configured, hooks_folder, set_config};
pub use push::{RefUpdate, everything, pushed, received, unpushed};
pub use range::{Additions, NewBlob, Range};
pub use reader::{Commit, Entry, ObjectReader};
pub use refs::{BACKUPS, Checkout, Refs, Target};
pub use repository::{GitError, Repository, Tree, Version};
pub use run_folder::RunFolder;
pub use scan_history::{HistoryOptions, HistoryScan, Progress, Scope, scan_history};
pub use staged::staged;
pub use switch::{
    CheckoutReport, MissingCheckouts, Refusal, RunState, SwitchError, SwitchPlan, Switched, refusals, resume, status,
    switch, undo,
};
