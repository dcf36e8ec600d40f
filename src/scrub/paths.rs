//! Which paths are meant: exact ones, globs and regular expressions, followed directory by directory.

use std::collections::{HashMap, HashSet};

use regex::bytes::Regex;

/// How a path is meant.
#[derive(Debug, Clone)]
pub enum PathRule {
    /// This file, or all files below this directory, from the top.
    Exact(Vec<u8>),
    /// Paths that a shell pattern matches in whole, where `*` also crosses `/`.
    Glob(Regex),
    /// Paths in which a regular expression is found.
    Regex(Regex),
}

/// What is selected by paths.
#[derive(Debug, Clone, Default)]
pub struct PathSelection {
    /// Any of these.
    pub rules: Vec<PathRule>,
    /// Whether the rules look at the last component alone.
    pub by_base_name: bool,
}

/// Where a walk stands below the top, as far as the selection cares: equal directories in equal states are treated alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct State(u32);

impl State {
    /// Nothing below is selected.
    pub const NOTHING: Self = Self(0);
    /// All below is selected.
    pub const ALL: Self = Self(1);
}

/// What becomes of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Below {
    /// It and all below it is not selected.
    Nothing,
    /// It and all below it is selected.
    All,
    /// It must be looked into.
    Inside(State),
}

/// A walk over directories with a selection in mind.
#[derive(Debug)]
pub struct PathWalk {
    patterns: Vec<Regex>,
    /// Exact paths, component by component.
    exact: Trie,
    /// Exact base names, where those are what counts.
    base_names: Option<HashSet<Vec<u8>>>,
    /// The directories that states stand for, by state.
    directories: Vec<Directory>,
    states: HashMap<Vec<u8>, State>,
    path: Vec<u8>,
}

#[derive(Debug, Default)]
struct Directory {
    path: Vec<u8>,
    /// Where it stands among the exact paths, if any is below it.
    node: Option<usize>,
}

/// Paths by their components; the first node is the top.
#[derive(Debug)]
struct Trie(Vec<Node>);

#[derive(Debug, Default)]
struct Node {
    /// Whether a path ends here.
    is_end: bool,
    /// Sorted by name.
    below: Vec<(Vec<u8>, usize)>,
}

impl PathSelection {
    /// The pattern of a shell in `glob`, as git-filter-repo reads it: `*` and `?` match `/` too.
    ///
    /// Fails where a class of characters is not one.
    pub fn glob(glob: &[u8]) -> Result<PathRule, regex::Error> {
        let mut pattern = String::from("(?s-u)^");
        let mut at = 0;
        while at < glob.len() {
            let byte = glob[at];
            at += 1;
            match byte {
                b'*' => pattern.push_str(".*"),
                b'?' => pattern.push('.'),
                b'[' => {
                    // A `]` right behind the bracket or the `!` is one of the class.
                    let negated = usize::from(glob.get(at) == Some(&b'!'));
                    let from = at + negated + usize::from(glob.get(at + negated) == Some(&b']'));
                    match glob.get(from..).and_then(|rest| memchr::memchr(b']', rest)) {
                        Some(length) => {
                            pattern.push_str(if negated == 1 { "[^" } else { "[" });
                            for &byte in &glob[at + negated..from + length] {
                                match byte {
                                    b'-' => pattern.push('-'),
                                    byte => push_byte(&mut pattern, byte),
                                }
                            }
                            pattern.push(']');
                            at = from + length + 1;
                        }
                        None => pattern.push_str("\\["),
                    }
                }
                byte => push_byte(&mut pattern, byte),
            }
        }
        pattern.push('$');
        // `$` without `m` is the end of the text alone.
        Regex::new(&pattern).map(PathRule::Glob)
    }

    /// Whether a file's path is selected.
    pub fn selects(&self, path: &[u8]) -> bool {
        let base = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
        let seen = if self.by_base_name { base } else { path };
        self.rules.iter().any(|rule| match rule {
            PathRule::Exact(exact) if self.by_base_name => seen == exact,
            PathRule::Exact(exact) => is_at_or_below(seen, exact),
            PathRule::Glob(regex) | PathRule::Regex(regex) => regex.is_match(seen),
        })
    }
}

impl PathWalk {
    /// A walk that has not begun.
    pub fn new(selection: PathSelection) -> Self {
        let mut walk = Self {
            patterns: Vec::new(),
            exact: Trie(vec![Node::default()]),
            base_names: selection.by_base_name.then(HashSet::new),
            directories: vec![Directory::default(), Directory::default()],
            states: HashMap::new(),
            path: Vec::new(),
        };
        for rule in selection.rules {
            match (rule, &mut walk.base_names) {
                (PathRule::Exact(name), Some(names)) => drop(names.insert(name)),
                (PathRule::Exact(path), None) => walk.exact.insert(&path),
                (PathRule::Glob(regex) | PathRule::Regex(regex), _) => walk.patterns.push(regex),
            }
        }
        walk
    }

    /// The state at the top.
    pub fn top(&mut self) -> State {
        let has_names = self.base_names.as_ref().is_some_and(|names| !names.is_empty());
        let top = &self.exact.0[0];
        match top.is_end {
            true => State::ALL,
            false if top.below.is_empty() && self.patterns.is_empty() && !has_names => State::NOTHING,
            false => self.state(Vec::new(), Some(0)),
        }
    }

    /// Whether a file is selected.
    pub fn file(&mut self, state: State, name: &[u8]) -> bool {
        match state {
            State::NOTHING => return false,
            State::ALL => return true,
            _ => {}
        }
        if let Some(names) = &self.base_names {
            let base = name.rsplit(|byte| *byte == b'/').next().unwrap_or(name);
            return names.contains(base) || self.patterns.iter().any(|regex| regex.is_match(base));
        }
        let directory = &self.directories[state.0 as usize];
        if directory.node.is_some_and(|node| self.exact.below(node, name).is_none()) {
            return true;
        }
        if self.patterns.is_empty() {
            return false;
        }
        join(&directory.path, name, &mut self.path);
        self.patterns.iter().any(|regex| regex.is_match(&self.path))
    }

    /// What becomes of a directory.
    pub fn directory(&mut self, state: State, name: &[u8]) -> Below {
        match state {
            State::NOTHING => return Below::Nothing,
            State::ALL => return Below::All,
            _ => {}
        }
        if self.base_names.is_some() {
            // Where a file lies does not matter: all directories are alike.
            return Below::Inside(state);
        }
        let directory = &self.directories[state.0 as usize];
        let node = match directory.node.map(|node| self.exact.below(node, name)) {
            Some(None) => return Below::All,
            Some(Some(node)) => node,
            None => None,
        };
        if node.is_none() && self.patterns.is_empty() {
            return Below::Nothing;
        }
        join(&directory.path, name, &mut self.path);
        match self.states.get(&self.path) {
            Some(state) => Below::Inside(*state),
            None => Below::Inside(self.state(self.path.clone(), node)),
        }
    }

    /// The path of what stands in a directory; its name alone where that is what counts.
    pub fn path(&self, state: State, name: &[u8]) -> Vec<u8> {
        let mut path = Vec::new();
        join(&self.directories[state.0 as usize].path, name, &mut path);
        path
    }

    fn state(&mut self, path: Vec<u8>, node: Option<usize>) -> State {
        if let Some(state) = self.states.get(&path) {
            return *state;
        }
        let state =
            State(u32::try_from(self.directories.len()).expect("a repository has fewer than four billion directories"));
        self.directories.push(Directory { path: path.clone(), node });
        self.states.insert(path, state);
        state
    }
}

impl Trie {
    fn insert(&mut self, path: &[u8]) {
        let mut at = 0;
        // A `/` at the end does not matter.
        let path = path.strip_suffix(b"/").unwrap_or(path);
        for name in path.split(|byte| *byte == b'/').filter(|_| !path.is_empty()) {
            at = match self.0[at].below.binary_search_by(|(other, _)| other.as_slice().cmp(name)) {
                Ok(found) => self.0[at].below[found].1,
                Err(place) => {
                    let new = self.0.len();
                    self.0[at].below.insert(place, (name.to_vec(), new));
                    self.0.push(Node::default());
                    new
                }
            };
        }
        self.0[at].is_end = true;
    }

    /// Where an entry of a directory stands: `None` where a path ends at it, `Some(None)` where none leads to it.
    fn below(&self, node: usize, name: &[u8]) -> Option<Option<usize>> {
        let mut at = node;
        // Trees can have names with `/` in them; git reads them as the paths that they look like.
        for name in name.split(|byte| *byte == b'/') {
            let below = &self.0[at].below;
            let Ok(found) = below.binary_search_by(|(other, _)| other.as_slice().cmp(name)) else { return Some(None) };
            at = below[found].1;
            if self.0[at].is_end {
                return None;
            }
        }
        Some(Some(at))
    }
}

fn join(directory: &[u8], name: &[u8], into: &mut Vec<u8>) {
    into.clear();
    if !directory.is_empty() {
        into.extend_from_slice(directory);
        into.push(b'/');
    }
    into.extend_from_slice(name);
}

/// Whether `path` is `exact`, or in it where that is a directory. A `/` at the end of `exact` does not matter.
fn is_at_or_below(path: &[u8], exact: &[u8]) -> bool {
    let exact = exact.strip_suffix(b"/").unwrap_or(exact);
    exact.is_empty() || path == exact || is_below(path, exact)
}

fn is_below(path: &[u8], directory: &[u8]) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.starts_with(b"/"))
}

fn push_byte(pattern: &mut String, byte: u8) {
    if byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'/' {
        pattern.push(byte as char);
    } else {
        pattern.push_str(&format!("\\x{byte:02x}"));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn exact(paths: &[&str]) -> PathSelection {
        let rules = paths.iter().map(|path| PathRule::Exact(path.as_bytes().to_vec())).collect();
        PathSelection { rules, by_base_name: false }
    }

    fn glob(glob: &str) -> PathSelection {
        PathSelection { rules: vec![PathSelection::glob(glob.as_bytes()).unwrap()], by_base_name: false }
    }

    #[test]
    fn directories_that_cannot_matter_are_not_entered() {
        let mut walk = PathWalk::new(exact(&["a/b/secret.yaml", "c"]));
        let top = walk.top();
        let Below::Inside(a) = walk.directory(top, b"a") else { panic!("a leads to a path") };
        assert_eq!(walk.directory(top, b"ab"), Below::Nothing);
        assert_eq!(walk.directory(top, b"c"), Below::All);
        assert!(walk.file(top, b"c"));
        let Below::Inside(b) = walk.directory(a, b"b") else { panic!("a/b leads to a path") };
        assert!(walk.file(b, b"secret.yaml"));
        assert!(!walk.file(b, b"secret.yam"));
        assert_eq!(walk.directory(b, b"secret.yaml"), Below::All);
        assert_eq!(walk.directory(top, b"a"), Below::Inside(a), "one directory has one state");
    }

    #[test]
    fn walk_and_whole_paths_agree() {
        let paths = ["a", "a/b", "a/b/c.env", "x/a", ".env", "a/.env", "a]b", "a\nb/c", "b/a/b"];
        for selection in [
            exact(&["a"]),
            exact(&["a/"]),
            exact(&["a/b", ".env"]),
            glob("*.env"),
            glob("a/*"),
            glob("?"),
            glob("[!x]/*"),
            glob("a[]]b"),
            glob("a[b"),
            exact(&[]),
        ] {
            for base in [false, true] {
                let selection = PathSelection { by_base_name: base, ..selection.clone() };
                for path in paths {
                    let mut walk = PathWalk::new(selection.clone());
                    let mut state = walk.top();
                    let parts: Vec<&str> = path.split('/').collect();
                    for part in &parts[..parts.len() - 1] {
                        state = match walk.directory(state, part.as_bytes()) {
                            Below::Nothing => State::NOTHING,
                            Below::All => State::ALL,
                            Below::Inside(state) => state,
                        };
                    }
                    let by_walk = walk.file(state, parts[parts.len() - 1].as_bytes());
                    assert_eq!(by_walk, selection.selects(path.as_bytes()), "{path:?} in {selection:?}");
                }
            }
        }
    }

    #[test]
    fn globs_are_those_of_a_shell_that_cross_directories() {
        assert!(glob("*.env").selects(b"a/b/c.env"));
        assert!(!glob("*.env").selects(b"a.env/b"));
        assert!(glob("a?b").selects(b"a/b"));
        assert!(glob("[a-c]x").selects(b"bx"));
        assert!(glob("[!a-c]x").selects(b"dx"));
        assert!(glob("caf\u{e9}*").selects("caf\u{e9}s".as_bytes()));
    }
}
