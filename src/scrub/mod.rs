//! Rewriting history: which paths and blobs go, what becomes of trees, commits and tags, and what proves it.
//!
//! Objects are bytes here, and only the bytes that must change do: what no rule touches keeps its id. Where objects come from
//! and go to is [`Objects`]; refs, indexes and reflogs are moved by `git`.

mod adjust;
mod header;
mod history;
mod mailmap;
mod maps;
mod messages;
mod moves;
mod new_graph;
mod objects;
mod pack_writer;
mod paths;
mod prune;
mod quoted_ids;
mod rename;
mod replace;
mod rewrite;
mod tips;
mod tree;
mod trees;

pub use adjust::{Adjust, Worded};
pub use header::{CommitEdit, Header, Words, retarget_tag};
pub use history::{Commit, CommitIndex, History};
pub use mailmap::{BadMailmap, Mailmap};
pub use maps::{BadMap, Maps};
pub use messages::{MessageReplacements, Plain, TagRename};
pub use moves::{Mapped, RefMove};
pub use objects::{ObjectError, Objects};
pub use pack_writer::{HEADER_LEN, PackBuilder, checksum};
pub use paths::{PathRule, PathSelection};
pub use prune::{Pruning, When};
pub use quoted_ids::{QuotedIds, Scope};
pub use rename::{Mover, PathChange, PathChanges};
pub use replace::{BadExpression, REMOVED, Replacements, Template};
pub use rewrite::{BlobFate, CommitFate, Rewritten, Rules, rewrite};
pub use tips::{Tag, Tips};
pub use tree::{Entries, Entry, EntryKind, NotATree, TreeEdit};
pub use trees::Dropped;
