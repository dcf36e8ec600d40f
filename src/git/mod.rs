//! A git repository on disk: versions of files, what a range or a push brings, all of its history, hooks, and its config.
//!
//! Reading goes through gix, which runs no program whatever a repository's config says. Writing config is git's own work.

mod elsewhere;
mod fetch;
mod graph;
mod hooks;
mod ids;
mod left;
mod lfs;
mod finish;
mod absence;
mod adopt;
mod ban;
mod commands;
mod large_blobs;
mod lookup;
mod new_objects;
mod origin;
mod pack;
mod scan_history;
mod scanned;
mod scrub_blobs;
mod objects;
mod program;
mod proof;
mod push;
mod quarantine;
mod range;
mod reader;
mod receive;
mod remote_push;
mod refs;
mod renames;
mod repository;
mod rewriting;
mod roots;
mod run_folder;
mod staged;
mod switch;

pub use absence::{Absence, Absent, Present, Verdict, verify_absence};
pub use adopt::{Adopted, CommitMap, Conflict, adopt, finish_adopting};
pub use ban::{Brought, Side};
pub use commands::Git;
pub use elsewhere::elsewhere;
pub use fetch::fetch_missing;
pub use finish::{Kept, finish};
pub use hooks::{Hook, HookChange, HookError, HookFile, HookState, kept_program};
pub use lfs::{Lfs, Pointed};
pub use new_objects::{new_objects_with, redact_kept_words};
pub use program::{configured, hooks_folder, set_config};
pub use proof::{Proof, prove};
pub use push::{RefUpdate, everything, pushed, received, unpushed};
pub use quarantine::{NewPack, Quarantine};
pub use range::{Additions, NewBlob, Range};
pub use reader::{Commit, Entry, ObjectReader};
pub use receive::Receiving;
pub use refs::{BACKUPS, Checkout, Refs, Target};
pub use remote_push::{
    Deed, FETCHED, Moved, PushOutcome, RemoteRef, RemoteState, Tip, advertised, fetch_all, push_rewritten, remote_state,
};
pub use renames::follow;
pub use repository::{GitError, Repository, Tree, Version};
pub use rewriting::{Prepared, Rekeyed, RewriteError, old_objects, prepare, read_map};
pub use run_folder::RunFolder;
pub use scan_history::{HistoryOptions, HistoryScan, Progress, Scope, scan_history};
pub use scrub_blobs::{BlobPlace, BlobRules, BlobScrub, scrub_blobs};
pub use staged::staged;
pub use switch::{
    CheckoutReport, MissingCheckouts, Refusal, RunState, SwitchError, SwitchPlan, Switched, refusals, resume, status,
    switch, undo,
};
