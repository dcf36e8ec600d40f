//! A git repository on disk: versions of files, and its config.
//!
//! Reading goes through gix, which runs no program whatever a repository's config says. Writing config is git's own work.

mod program;
mod repository;

pub use program::{configured, set_config};
pub use repository::{GitError, Repository, Tree, Version};
