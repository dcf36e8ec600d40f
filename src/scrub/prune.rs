//! Which commits go because nothing is left of them, and which parents because nothing tells them apart.

/// When something superfluous goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum When {
    /// Where the rewrite made it so; what always was so stays.
    #[default]
    Auto,
    /// Never.
    Never,
    /// Always, also where it was so before.
    Always,
}

/// What goes, with git-filter-repo's names and meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pruning {
    /// Commits whose tree is that of their first parent.
    pub empty: When,
    /// Parents of a merge that are equal, or one an ancestor of another.
    pub degenerate: When,
    /// Whether a merge keeps its first parent even where that is an ancestor of another.
    pub no_ff: bool,
}
