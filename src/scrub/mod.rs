//! Rewriting history: which paths and blobs go, what becomes of trees, commits and tags, and what proves it.
//!
//! Objects are bytes here, and only the bytes that must change do: what no rule touches keeps its id. Where objects come from
//! and go to is [`Objects`]; refs, indexes and reflogs are moved by `git`.

mod header;
mod history;
mod moves;
mod notes;
mod objects;
mod pack;
mod paths;
mod prune;
mod reflog;
mod replace;
mod rewrite;
mod tree;

pub use header::{CommitEdit, Header, retarget_tag};
pub use history::{Commit, CommitIndex, History};
pub use moves::{Mapped, RefMove};
pub use notes::{Notes, rewrite_notes};
pub use objects::{ObjectError, Objects};
pub use pack::{HEADER_LEN, PackBuilder, checksum};
pub use paths::{PathRule, PathSelection};
pub use prune::{Pruning, When};
pub use reflog::{Stashes, map_reflog, map_stashes, reflog_ids};
pub use replace::{BadExpression, REMOVED, Replacements};
pub use rewrite::{BlobFate, CommitFate, Rewritten, Rules, rewrite};
