//! Rewriting history: which paths and blobs go, what becomes of trees, commits and tags, and what proves it.
//!
//! Objects are bytes here, and only the bytes that must change do: what no rule touches keeps its id. Where objects come from
//! and go to is [`Objects`]; refs, indexes and reflogs are moved by `git`.

mod adjust;
mod ban;
mod bodies;
mod from_scan;
mod header;
mod history;
mod host_texts;
mod mailmap;
mod maps;
mod messages;
mod moves;
mod new_graph;
mod notes;
mod objects;
mod pack_writer;
mod paths;
mod plan;
mod prune;
mod reflog;
mod redact;
mod quoted_ids;
mod rename;
mod replace;
mod rewrite;
mod sealing;
mod searcher;
mod tips;
mod tree;
mod trees;
mod value;
mod words;

pub use adjust::{Adjust, Worded};
pub use ban::{BadBan, Ban, BanKind, Bans, is_day};
pub use bodies::Encoding;
pub use from_scan::{Holder, Location, NotAReport, Region, Reported, reported};
pub use header::{CommitEdit, Header, Words, retarget_tag};
pub use history::{Commit, CommitIndex, History};
pub use host_texts::{Facts, REBASE_SCRIPT, without_login};
pub use mailmap::{BadMailmap, Mailmap};
pub use maps::{BadMap, Maps};
pub use messages::{MessageReplacements, Plain, TagRename};
pub use moves::{Mapped, RefMove};
pub use notes::{Notes, rewrite_notes};
pub use objects::{ObjectError, Objects};
pub use pack_writer::{HEADER_LEN, PackBuilder, checksum};
pub use paths::{PathRule, PathSelection};
pub use plan::{Plan, RefKind, digest};
pub use prune::{Pruning, When};
pub use quoted_ids::{QuotedIds, Scope};
pub use redact::{BadPlaceholder, Outcome, Placeholder, Redacted, Redactor, is_binary};
pub use reflog::{Stashes, map_reflog, map_stashes, reflog_ids};
pub use rename::{Mover, PathChange, PathChanges};
pub use replace::{BadExpression, REMOVED, Replacements, Template};
pub use rewrite::{BlobFate, CommitFate, Rewritten, Rules, rewrite};
pub use sealing::{FileVersion, SealError, SealedVersions, Sealer, Unparsable, seal_versions};
pub use searcher::{Match, Searcher};
pub use tips::{Tag, Tips};
pub use tree::{Entries, Entry, EntryKind, NotATree, TreeEdit};
pub use trees::Dropped;
pub use value::{LeakedValue, MIN_LEN, WeakValue};
pub use words::RedactWords;
