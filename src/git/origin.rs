//! Where in history a finding is: its first commit and its last, its paths, the refs that lead to it.
//!
//! Worked out for what was found only, from the graph alone. Which of the finds a tree holds is a set, kept once however many trees
//! have the same; a commit is looked at only where its set is another than its parents'. Which refs lead to a find is worked
//! out for 64 commits that brought something at a time, in one pass over all commits.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet};
use std::rc::Rc;

use gix::ObjectId;
use gix::bstr::BString;

use super::ObjectReader;
use super::graph::{Graph, Target, joined};
use super::ids::{Marks, Number};
use super::objects::Objects;
use super::roots::Roots;
use crate::scan::{CommitRef, Finding, History, Source};

/// What is needed to say where in history something is.
pub struct Origins<'a> {
    /// The objects.
    pub objects: &'a Objects,
    /// Who leads to whom.
    pub graph: &'a Graph,
    /// Where reachability begins.
    pub roots: &'a Roots,
    /// The objects that were looked through.
    pub in_scope: &'a Marks,
}

/// Something that was found: which objects hold it, and what is known of it.
#[derive(Default)]
struct Item {
    /// The commits that have it where none of their parents has.
    brought_by: Vec<u32>,
    /// The places of the first and the last commit that has it, in the order of all commits.
    first: Option<u32>,
    last: Option<u32>,
    paths: BTreeSet<BString>,
    in_head: bool,
    /// By their place among [`Origins::refs`].
    refs: BTreeSet<u32>,
    held_by: BTreeSet<String>,
}

/// Sets of items, each once.
struct Sets {
    sets: Vec<Rc<[u32]>>,
    numbers: HashMap<Rc<[u32]>, SetNumber>,
}

type SetNumber = u32;

const EMPTY: SetNumber = 0;
/// Not looked at yet.
const UNKNOWN: SetNumber = u32::MAX;
/// Being looked at.
const OPEN: SetNumber = u32::MAX - 1;

/// The commits that were looked through: parents before children, and the older ones first where there is a choice.
struct Line {
    commits: Vec<Number>,
    /// Where a commit is in the line, by its number; `NONE` for what is not in it.
    places: Vec<u32>,
    /// Places of the parents, by place.
    parents: Vec<Vec<u32>>,
}

const NONE: u32 = u32::MAX;

/// A find has no more refs in a report: on a forge, each pull request ever made is one. Branches come first, then tags.
const MAX_REFS: usize = 100;

/// A find has no more paths in a report.
const MAX_PATHS: usize = 1000;

impl Origins<'_> {
    /// Says of each place in a blob, a message or a name where in history it is.
    pub fn fill(&self, findings: &mut [Finding], reader: &ObjectReader) {
        let mut numbers: BTreeMap<Source, u32> = BTreeMap::new();
        for place in findings.iter().flat_map(|finding| &finding.places) {
            let next = numbers.len() as u32;
            numbers.entry(key(&place.source)).or_insert(next);
        }
        let mut of_object = HashMap::new();
        let mut of_name = HashMap::new();
        for (source, item) in &numbers {
            match source {
                Source::Blob(id, _) | Source::Commit(id) | Source::Tag(id) => {
                    if let Some(number) = self.objects.number(id) {
                        of_object.insert(number, *item);
                    }
                }
                Source::Name(name) => _ = of_name.insert(name.clone(), *item),
                _ => {}
            }
        }
        let mut items: Vec<Item> = (0..numbers.len()).map(|_| Item::default()).collect();
        let set_of = vec![UNKNOWN; self.objects.len()];
        let line = Search { of: self, of_object, of_name, sets: Sets::new(), set_of }.run(&mut items);
        let refs = self.refs();
        let mut described: HashMap<ObjectId, Option<CommitRef>> = HashMap::new();
        let mut describe = |commit: Option<u32>| {
            let id = self.objects.id(line.commits[commit? as usize]);
            described.entry(id).or_insert_with(|| reader.describe(id)).clone()
        };
        for place in findings.iter_mut().flat_map(|finding| &mut finding.places) {
            let item = &items[numbers[&key(&place.source)] as usize];
            place.history = Some(History {
                first: describe(item.first),
                last: describe(item.last.filter(|_| !item.in_head)),
                paths: item.paths.iter().cloned().collect(),
                in_head: item.in_head,
                refs: item.refs.iter().map(|at| refs[*at as usize].0.clone()).collect(),
                held_by: item.held_by.iter().cloned().collect(),
            });
        }
    }

    /// The refs, those first that matter most.
    fn refs(&self) -> Vec<(&BString, &ObjectId)> {
        let mut refs: Vec<_> = self.roots.refs.iter().collect();
        let kinds = ["refs/heads/", "refs/tags/", "refs/remotes/"];
        refs.sort_by_key(|(name, _)| {
            kinds.iter().position(|kind| name.starts_with(kind.as_bytes())).unwrap_or(kinds.len())
        });
        refs
    }

    /// What a root leads to, with all tags on the way.
    fn peeled(&self, id: &ObjectId) -> Vec<Number> {
        let mut way: Vec<Number> = self.objects.number(id).into_iter().collect();
        while let Some(Target::Object(next)) = way.last().and_then(|last| self.graph.tagged(*last)) {
            way.push(next);
        }
        way
    }
}

/// A find's path does not matter to where it is.
fn key(source: &Source) -> Source {
    match source {
        Source::Blob(id, _) => Source::Blob(*id, None),
        other => other.clone(),
    }
}

struct Search<'a> {
    of: &'a Origins<'a>,
    of_object: HashMap<Number, u32>,
    of_name: HashMap<BString, u32>,
    sets: Sets,
    /// The set of what is in a tree, by its number.
    set_of: Vec<SetNumber>,
}

impl Search<'_> {
    fn run(mut self, items: &mut [Item]) -> Line {
        let line = Line::of(self.of);
        let mut sets = Vec::with_capacity(line.commits.len());
        let mut seen = HashSet::new();
        for (at, &commit) in line.commits.iter().enumerate() {
            let set = match self.of.graph.tree(commit) {
                Some(Target::Object(tree)) => self.set_of_tree(tree),
                _ => EMPTY,
            };
            sets.push(set);
            if seen.insert(set) {
                for item in self.sets.get(set).iter() {
                    items[*item as usize].first.get_or_insert(at as u32);
                }
            }
            let of_parents = || line.parents[at].iter().map(|parent| sets[*parent as usize]);
            if set != EMPTY && of_parents().all(|parent| parent != set) {
                let has = |item: &u32| of_parents().any(|parent| self.sets.get(parent).binary_search(item).is_ok());
                for item in self.sets.get(set).iter().filter(|item| !has(item)) {
                    items[*item as usize].brought_by.push(at as u32);
                }
            }
            // Its own message.
            if let Some(item) = self.of_object.get(&commit) {
                let item = &mut items[*item as usize];
                item.first = Some(at as u32);
                item.brought_by = vec![at as u32];
            }
        }
        seen.clear();
        for (at, set) in sets.iter().enumerate().rev() {
            if seen.insert(*set) {
                for item in self.sets.get(*set).iter() {
                    items[*item as usize].last.get_or_insert(at as u32);
                }
            }
        }
        let head = self.of.roots.head.as_ref().and_then(|id| line.place(*self.of.peeled(id).last()?));
        if let Some(at) = head {
            for item in self.sets.get(sets[at as usize]).iter() {
                items[*item as usize].in_head = true;
            }
        }
        self.add_paths(&line.commits, items);
        self.add_holders(&line, head, items);
        line
    }

    /// The finds that are in a tree, at any depth.
    fn set_of_tree(&mut self, root: Number) -> SetNumber {
        let graph = self.of.graph;
        let (mut own, mut others) = (Vec::new(), Vec::new());
        // A tree is on the stack twice: to have the trees in it looked at first, and to be put together from them.
        let mut todo = vec![root];
        while let Some(&tree) = todo.last() {
            match self.set_of[tree as usize] {
                UNKNOWN => {
                    self.set_of[tree as usize] = OPEN;
                    for (target, _) in graph.entries(tree) {
                        if let Target::Object(child) = target
                            && self.set_of[child as usize] == UNKNOWN
                            && graph.is_tree(child)
                        {
                            todo.push(child);
                        }
                    }
                }
                OPEN => {
                    todo.pop();
                    for (target, name) in graph.entries(tree) {
                        if !self.of_name.is_empty() {
                            own.extend(self.of_name.get(name));
                        }
                        if let Target::Object(child) = target {
                            match self.set_of[child as usize] {
                                // Mostly blobs. A tree that holds itself cannot be made; what claims to is not followed.
                                UNKNOWN | OPEN => own.extend(self.of_object.get(&child)),
                                EMPTY => {}
                                set => others.push(set),
                            }
                        }
                    }
                    self.set_of[tree as usize] = self.sets.union(&mut own, &mut others);
                }
                _ => _ = todo.pop(),
            }
        }
        self.set_of[root as usize]
    }

    /// Adds every path that a find has had.
    fn add_paths(&self, commits: &[Number], items: &mut [Item]) {
        let mut paths: Vec<Option<(u32, &BString)>> = vec![None];
        let mut path_numbers: HashMap<(u32, &BString), u32> = HashMap::new();
        let mut seen: HashSet<(Number, u32)> = HashSet::new();
        // What is in a tree that was met so often has all the paths it gets: a few trees can stand for billions.
        let mut met: HashMap<Number, usize> = HashMap::new();
        let mut todo = Vec::new();
        let holds = |tree: Number| !matches!(self.set_of[tree as usize], EMPTY | UNKNOWN | OPEN);
        for commit in commits {
            if let Some(Target::Object(tree)) = self.of.graph.tree(*commit) {
                todo.push((tree, 0));
            }
            while let Some((tree, path)) = todo.pop() {
                if !holds(tree) || !seen.insert((tree, path)) {
                    continue;
                }
                let met = met.entry(tree).or_default();
                *met += 1;
                if *met > MAX_PATHS {
                    continue;
                }
                for (target, name) in self.of.graph.entries(tree) {
                    let found = match target {
                        Target::Object(child) => self.of_object.get(&child),
                        _ => None,
                    };
                    for item in found.into_iter().chain(self.of_name.get(name)) {
                        let paths_of = &mut items[*item as usize].paths;
                        if paths_of.len() < MAX_PATHS {
                            paths_of.insert(spelled(&paths, path, name));
                        }
                    }
                    if let Target::Object(child) = target
                        && holds(child)
                    {
                        let below = *path_numbers.entry((path, name)).or_insert_with(|| {
                            paths.push(Some((path, name)));
                            paths.len() as u32 - 1
                        });
                        todo.push((child, below));
                    }
                }
            }
        }
    }

    /// Adds the refs, and what else leads to a find.
    fn add_holders(&mut self, line: &Line, head: Option<u32>, items: &mut [Item]) {
        let roots = self.of.roots;
        let mut tips: Vec<(u32, u32)> = Vec::new();
        for (name, (_, id)) in self.of.refs().into_iter().enumerate() {
            for number in self.of.peeled(id) {
                match line.place(number) {
                    Some(at) => tips.push((name as u32, at)),
                    None => self.directly(number).for_each(|item| items[item as usize].add_ref(name as u32)),
                }
            }
        }
        let mut other_tips: Vec<(&String, u32)> = Vec::new();
        for (name, ids) in &roots.others {
            for number in ids.iter().flat_map(|id| self.of.peeled(id)) {
                match line.place(number) {
                    Some(at) => other_tips.push((name, at)),
                    None => {
                        self.directly(number).for_each(|item| _ = items[item as usize].held_by.insert(name.clone()))
                    }
                }
            }
        }
        let messages: HashSet<u32> =
            line.commits.iter().filter_map(|commit| self.of_object.get(commit)).copied().collect();
        let mut bringing: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (number, item) in items.iter().enumerate() {
            item.brought_by.iter().for_each(|at| bringing.entry(*at).or_default().push(number as u32));
        }
        let bringing: Vec<(u32, Vec<u32>)> = bringing.into_iter().collect();
        let mut has = vec![0_u64; line.commits.len()];
        for group in bringing.chunks(64) {
            has.fill(0);
            group.iter().enumerate().for_each(|(bit, (at, _))| has[*at as usize] |= 1 << bit);
            for at in group[0].0 as usize..has.len() {
                has[at] |= line.parents[at].iter().fold(0, |all, parent| all | has[*parent as usize]);
            }
            let mut each = |at: u32, tell: &mut dyn FnMut(u32, &mut Item)| {
                let mut rest = has[at as usize];
                while rest != 0 {
                    let brought = &group[rest.trailing_zeros() as usize].1;
                    rest &= rest - 1;
                    brought.iter().for_each(|item| tell(*item, &mut items[*item as usize]));
                }
            };
            for (name, at) in &tips {
                each(*at, &mut |_, item| item.add_ref(*name));
            }
            for (name, at) in &other_tips {
                each(*at, &mut |_, item| _ = item.held_by.insert((*name).clone()));
            }
            if let Some(at) = head {
                // A message is in HEAD where its commit is.
                each(at, &mut |number, item| item.in_head |= messages.contains(&number));
            }
        }
        for id in roots.index.keys() {
            if let Some(item) = self.of.objects.number(id).and_then(|number| self.of_object.get(&number)) {
                items[*item as usize].held_by.insert("the index".to_owned());
            }
        }
        // What a ref leads to needs no other holder.
        for item in items.iter_mut().filter(|item| !item.refs.is_empty()) {
            item.held_by.clear();
        }
    }

    /// The finds that are an object, or in it where it is a tree.
    fn directly(&mut self, number: Number) -> impl Iterator<Item = u32> + use<> {
        let set = if self.of.graph.is_tree(number) { self.set_of_tree(number) } else { EMPTY };
        let own = self.of_object.get(&number).copied();
        own.into_iter().chain(self.sets.get(set).to_vec())
    }
}

/// A path from its parts.
fn spelled(paths: &[Option<(u32, &BString)>], folder: u32, name: &BString) -> BString {
    let mut names = vec![name];
    let mut at = folder;
    while let Some((above, name)) = paths[at as usize] {
        names.push(name);
        at = above;
    }
    names.reverse();
    joined(names.into_iter())
}

impl Sets {
    fn new() -> Self {
        let empty: Rc<[u32]> = Rc::from([]);
        Self { sets: vec![empty.clone()], numbers: HashMap::from([(empty, EMPTY)]) }
    }

    fn get(&self, number: SetNumber) -> &Rc<[u32]> {
        &self.sets[number as usize]
    }

    /// The set of all that are in `own` or in one of `others`; both are used up.
    fn union(&mut self, own: &mut Vec<u32>, others: &mut Vec<SetNumber>) -> SetNumber {
        others.sort_unstable();
        others.dedup();
        if own.is_empty() && others.len() <= 1 {
            return others.pop().unwrap_or(EMPTY);
        }
        others.drain(..).for_each(|set| own.extend_from_slice(&self.sets[set as usize]));
        own.sort_unstable();
        own.dedup();
        let number = match self.numbers.get(own.as_slice()) {
            Some(number) => *number,
            None => {
                let set: Rc<[u32]> = Rc::from(own.as_slice());
                self.sets.push(set.clone());
                self.numbers.insert(set, self.sets.len() as u32 - 1);
                self.sets.len() as u32 - 1
            }
        };
        own.clear();
        number
    }
}

impl Item {
    fn add_ref(&mut self, place: u32) {
        if self.refs.len() < MAX_REFS {
            self.refs.insert(place);
        }
    }
}

impl Line {
    fn of(origins: &Origins<'_>) -> Self {
        let graph = origins.graph;
        let all: Vec<Number> = origins.in_scope.iter().filter(|number| graph.tree(*number).is_some()).collect();
        let mut places = vec![NONE; origins.objects.len()];
        all.iter().enumerate().for_each(|(at, commit)| places[*commit as usize] = at as u32);
        let mut children: Vec<Vec<u32>> = vec![Vec::new(); all.len()];
        let mut parents: Vec<Vec<u32>> = Vec::with_capacity(all.len());
        for (at, commit) in all.iter().enumerate() {
            let mut of_one: Vec<u32> = Vec::new();
            for parent in graph.parents(*commit) {
                if let Target::Object(parent) = parent
                    && places[parent as usize] != NONE
                    && !of_one.contains(&places[parent as usize])
                {
                    of_one.push(places[parent as usize]);
                    children[places[parent as usize] as usize].push(at as u32);
                }
            }
            parents.push(of_one);
        }
        let mut waiting: Vec<usize> = parents.iter().map(Vec::len).collect();
        let time = |at: u32| (graph.time(all[at as usize]), at);
        let roots = (0..all.len() as u32).filter(|at| waiting[*at as usize] == 0);
        let mut ready: BinaryHeap<_> = roots.map(|at| Reverse(time(at))).collect();
        let mut order = Vec::with_capacity(all.len());
        while let Some(Reverse((_, at))) = ready.pop() {
            places[all[at as usize] as usize] = order.len() as u32;
            order.push(at);
            for child in std::mem::take(&mut children[at as usize]) {
                waiting[child as usize] -= 1;
                if waiting[child as usize] == 0 {
                    ready.push(Reverse(time(child)));
                }
            }
        }
        let commits: Vec<Number> = order.iter().map(|at| all[*at as usize]).collect();
        let parents = order
            .iter()
            .map(|at| parents[*at as usize].iter().map(|parent| places[all[*parent as usize] as usize]).collect());
        Self { parents: parents.collect(), commits, places }
    }

    fn place(&self, number: Number) -> Option<u32> {
        Some(self.places[number as usize]).filter(|place| *place != NONE)
    }
}
