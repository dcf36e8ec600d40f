//! One run: what is read, what is rewritten, and what follows.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice as _};
use gix::hash::oid;
use gix::objs::Kind;

use super::analyze::Analysis;
use super::args::{Options, ReplaceRefs};
use super::checks::{Ground, Refs};
use crate::git::{Git, Quarantine, Repository, RunFolder};
use crate::host::Host;
use crate::scrub::{
    Adjust, BlobFate, CommitFate, Header, History, Imported, Mapped, Maps, MessageReplacements, Mover, ObjectError,
    Objects, PathChange, PathRule, PathSelection, Plain, QuotedIds, Rewritten, Rules, Scope, Tips, Worded, Words,
    import, is_binary, retarget_tag, rewrite,
};

/// Where its files are, in the folder of the repository.
const FOLDER: &str = "filter-repo";

/// A run is taken as the first one when the last is longer ago, in seconds.
const DAY: u64 = 86_400;

/// Rewrites the repository of the current folder. The error is the whole message.
pub fn run(options: &Options, host: &mut Host) -> Result<(), String> {
    let begun = Instant::now();
    let begun_in = std::env::current_dir().map_err(text)?;
    let source = begun_in.join(options.source.as_deref().unwrap_or(".".as_ref()));
    if let Some(target) = &options.target {
        std::env::set_current_dir(target).map_err(|error| format!("fatal: {}: {error}", target.display()))?;
    }
    let here = std::env::current_dir().map_err(text)?;
    let git = Git::at(&here);
    let repository = Repository::open(&here, &host.environment).map_err(text)?;
    let mut run = Run { options, source, git, repository, begun, host };
    run.carry_out()
}

struct Run<'a> {
    options: &'a Options,
    /// Where history comes from.
    source: PathBuf,
    /// Where it goes to.
    git: Git,
    repository: Repository,
    begun: Instant,
    host: &'a mut Host,
}

/// What each ref named, and what it names.
type RefMap = BTreeMap<BString, (ObjectId, Option<ObjectId>)>;

/// Refs before the run, as it takes them: with those of `origin` as branches.
#[derive(Default)]
struct Start {
    /// All of them.
    refs: Refs,
    /// What `git update-ref` is told for it.
    moves: Vec<u8>,
}

impl Run<'_> {
    fn carry_out(&mut self) -> Result<(), String> {
        let options = self.options;
        let git_dir = self.git.read(&["rev-parse", "--git-dir"]).map_err(text)?;
        let git_dir = PathBuf::from(std::ffi::OsStr::from_bytes(git_dir.trim_ascii_end()));
        if options.analyze {
            return self.analyze(&git_dir);
        }
        let is_bare = self.repository.is_bare();
        let refs = self.show_refs()?;
        let config = self.config()?;
        let folder = git_dir.join(FOLDER);
        let ran = std::fs::metadata(folder.join("already_ran")).and_then(|meta| meta.modified()).ok();
        let age = ran.map(|time| time.elapsed().unwrap_or_default().as_secs());
        let already_ran = match age {
            Some(age) if age > DAY => self.goes_on(&folder.join("already_ran"))?,
            age => age.is_some(),
        };
        let removes_sensitive = if already_ran {
            let before = folder.join("sensitive_data_removal").is_file();
            if options.removes_sensitive_data && !before {
                return Err("Error: Cannot specify --sensitive-data-removal on a follow-up invocation\n       of \
                            git-filter-repo unless it was specified in previously runs."
                    .to_owned());
            }
            before
        } else {
            options.removes_sensitive_data
        };
        let other = match () {
            () if options.stdin => Some("--stdin"),
            () if options.source.is_some() || options.target.is_some() => Some("--source and --target"),
            () => None,
        };
        if let Some(other) = other.filter(|_| removes_sensitive) {
            return Err(format!("Error: sensitive data removal is incompatible with {other}"));
        }
        if !options.force && !already_ran {
            let ground = Ground { git: &self.git, refs: &refs, config: &config, is_bare, git_dir: &git_dir };
            if let Some(objection) = ground.objection().map_err(text)? {
                return Err(objection);
            }
        }
        let mut refs = refs;
        if removes_sensitive && !options.no_fetch && !already_ran && !options.dry_run {
            refs = self.fetch_all(refs, &config)?;
        }
        let start = if options.partial { Start { refs, moves: Vec::new() } } else { migrated(refs, self.hash()) };
        let run = RunFolder::create(self.repository.common_dir(), &run_name()).map_err(text)?;
        let done = self.rewrite(&start, &run, &git_dir, already_ran, removes_sensitive, &config);
        let removed = run.remove().map_err(text);
        done.and(removed)
    }

    /// Whether a run goes on from one that is long ago: asked, as it may be forgotten by now. If not, its trace is removed.
    fn goes_on(&mut self, trace: &Path) -> Result<bool, String> {
        let question = format!(
            "The previous run is older than a day ({} already exists).\nTreat this run as a continuation of filtering in \
             the previous run (Y/N)? ",
            trace.display()
        );
        // Without an answer nothing goes on.
        let _ = self.host.terminal.answer(question.as_bytes());
        let _ = std::io::stdout().flush();
        let mut answer = String::new();
        if std::io::stdin().read_line(&mut answer).map_err(text)? == 0 {
            return Err(format!("\nfatal: no answer; remove {} to begin anew, or answer Y to go on", trace.display()));
        }
        if answer.trim_end_matches(['\r', '\n']).eq_ignore_ascii_case("y") {
            return Ok(true);
        }
        std::fs::remove_file(trace).map_err(text)?;
        Ok(false)
    }

    /// Writes reports and changes nothing.
    fn analyze(&mut self, git_dir: &Path) -> Result<(), String> {
        let chosen = self.options.report_dir.as_ref().map(PathBuf::from);
        let folder = chosen.unwrap_or_else(|| git_dir.join(FOLDER).join("analysis"));
        let shown = folder.display();
        let fail = |error: std::io::Error| format!("fatal: cannot write to {}: {error}", folder.display());
        if folder.is_dir() {
            if !self.options.force {
                return Err(format!("Error: dir already exists (use --force to delete): \"{shown}\""));
            }
            self.say(&format!("Warning: Removing recursively: \"{shown}\""));
            std::fs::remove_dir_all(&folder).map_err(fail)?;
        }
        if self.options.report_dir.is_none() {
            std::fs::create_dir_all(git_dir.join(FOLDER)).map_err(fail)?;
        }
        std::fs::create_dir(&folder).map_err(fail)?;
        let refs: Vec<&str> = self.options.refs.iter().map(String::as_str).collect();
        let revisions = if refs.is_empty() { &["--all"][..] } else { &refs };
        let analysis = Analysis::read(&self.git, revisions)?;
        let analysis = analysis.ok_or("Nothing to analyze; repository is empty.")?;
        analysis.write(&folder).map_err(fail)?;
        self.say(&format!("Writing reports to {shown}...done."));
        Ok(())
    }

    fn rewrite(
        &mut self,
        start: &Start,
        run: &RunFolder,
        git_dir: &Path,
        already_ran: bool,
        removes_sensitive: bool,
        config: &BTreeMap<String, BString>,
    ) -> Result<(), String> {
        let options = self.options;
        let mut quarantine = self.repository.quarantine(run).map_err(text)?;
        let stream = self.stream(&mut quarantine)?;
        // A stream has neither stashes nor replacements: whatever made it has seen to them.
        let (replaced, chosen, stash) = match &stream {
            Some(stream) => (HashMap::new(), of_stream(stream), Vec::new()),
            None => (replacements(&start.refs), self.chosen(start)?, self.stash(start, git_dir)),
        };
        let mut objects = View { inner: &mut quarantine, replaced: &replaced };
        let chains = chains(&objects, &chosen)?;
        // Tags are written for each ref, below; here counts what they lead to.
        let leads_to = |(name, id): (&BString, &ObjectId)| chains.get(name).map_or(*id, |chain| chain.commit);
        let takes_all = self.takes_all() && stream.is_none();
        let replacing = start.refs.iter().filter(|(name, _)| takes_all && name.starts_with(b"refs/replace/"));
        let names = chosen.iter().map(leads_to).chain(stash.iter().map(|(id, _)| *id));
        let names = names.chain(replacing.map(|(_, id)| *id));
        let tips = Tips::read(&objects, names, []).map_err(text)?;
        let history = History::read(&objects, &tips.commits, &[]).map_err(text)?;
        let rules = self.rules(&mut objects, stream.as_ref())?;
        let mut adjust = Adjustments::new(options, &history, &replaced, stream.as_ref());
        let mut last = 0;
        let rewritten = rewrite(&history, &tips, &mut objects, &rules, &mut adjust, |count| last = count);
        let rewritten = rewritten.map_err(text)?;
        let tags = self.tags(&chains, &mut objects, &history, &rewritten, &mut adjust)?;
        let lost: Vec<BString> = adjust.quoted.iter().flat_map(|quoted| quoted.lost().cloned()).collect();
        let seconds = self.begun.elapsed().as_secs_f64();
        if !options.quiet {
            self.say(&format!("Parsed {last} commits"));
        }
        if options.dry_run {
            self.say(&format!("New history written in {seconds:.2} seconds..."));
            let changed = rewritten.commits.iter().filter(|fate| **fate != CommitFate::Same).count();
            self.say(&format!(
                "NOTE: Nothing was changed; --dry-run passed. {changed} of {last} commits would change."
            ));
            return Ok(());
        }
        let pack = quarantine.finish().map_err(text)?;
        let then = if options.no_gc { "..." } else { "; now repacking/cleaning..." };
        self.say(&format!("New history written in {seconds:.2} seconds{then}"));
        if let Some(pack) = pack {
            self.adopt(&pack.path)?;
        }
        let (mut moves, mut refs) = self.moves(start, &chosen, &tags, &history, &rewritten, already_ran);
        if let Some(stream) = &stream {
            self.move_rest(stream, start, &mut moves, &mut refs);
        }
        // In two steps: git moves a ref only once in each.
        for moves in [&start.moves, &moves] {
            self.git.feed(&["update-ref", "--no-deref", "--stdin"], moves).map_err(text)?;
        }
        if !options.partial && !removes_sensitive {
            self.remove_origin(config)?;
        }
        let mut maps = Maps::of(&history, &rewritten, refs, lost);
        if let Some(stream) = &stream {
            maps = maps.called(&stream.originals, &history);
        }
        self.record(git_dir, maps, &history, already_ran, removes_sensitive)?;
        self.clean_up(&stash, &history, &rewritten, git_dir)?;
        self.say(&format!("Completely finished after {:.2} seconds.", self.begun.elapsed().as_secs_f64()));
        if removes_sensitive {
            let push =
                if options.no_fetch { "git push --all --tags origin" } else { "git push --force --mirror origin" };
            self.say(&format!(
                "\nThe new history is here alone. Rotate what leaked, then `{push}`, then have every other copy removed: \
                 clones of colleagues, forks, caches and backups of the host."
            ));
        }
        Ok(())
    }

    /// History that is not read from this repository, as objects of it.
    fn stream(&self, quarantine: &mut Quarantine) -> Result<Option<Imported>, String> {
        let options = self.options;
        let imported = if options.stdin {
            import(&mut std::io::stdin().lock(), quarantine).map_err(text)?
        } else if options.comes_from_elsewhere() {
            let encoding = if options.keeps_encoding { "--reencode=no" } else { "--reencode=yes" };
            let mut words = vec!["fast-export", "--show-original-ids", "--signed-tags=strip"];
            words.extend(["--tag-of-filtered-object=rewrite", "--fake-missing-tagger", "--mark-tags"]);
            words.extend(["--reference-excluded-parents", "--use-done-feature", encoding]);
            words.extend(options.refs.iter().map(String::as_str));
            if options.refs.is_empty() {
                words.push("--all");
            }
            let read = |stream: &mut dyn std::io::BufRead| import(stream, quarantine).map_err(text);
            Git::at(&self.source).pipe(&words, read).map_err(text)??
        } else {
            return Ok(None);
        };
        match imported.outside {
            Some(id) => Err(format!(
                "fatal: the stream goes on from {id}, which is not in it: seal rewrites whole histories; nothing was \
                 changed"
            )),
            None => Ok(Some(imported)),
        }
    }

    /// Refs that take part, by name: all of them but notes, or those that were asked for.
    fn chosen(&self, start: &Start) -> Result<Refs, String> {
        if self.takes_all() {
            let mut chosen = start.refs.clone();
            // A symbolic ref moves with the one that it names.
            let listed = self.git.read(&["for-each-ref", "--format=%(symref) %(refname)"]).map_err(text)?;
            let symbolic: BTreeSet<&[u8]> = listed
                .lines()
                .filter(|line| !line.starts_with(b" "))
                .filter_map(|line| line.rsplit(|b| *b == b' ').next())
                .collect();
            let takes_part = |name: &BString| {
                !name.starts_with(b"refs/notes/")
                    && !name.starts_with(b"refs/replace/")
                    && !symbolic.contains(name.as_slice())
            };
            chosen.retain(|name, _| takes_part(name));
            if let Some(head) = self.detached_head()? {
                chosen.insert("HEAD".into(), head);
            }
            return Ok(chosen);
        }
        let mut chosen = Refs::new();
        for name in &self.options.refs {
            let full =
                ["", "refs/", "refs/tags/", "refs/heads/", "refs/remotes/"].map(|space| format!("{space}{name}"));
            let found = full.iter().find_map(|full| start.refs.get_key_value(full.as_bytes().as_bstr()));
            let found = match found {
                Some((name, id)) => Some((name.clone(), *id)),
                None if name == "HEAD" => self.head(start)?,
                None => None,
            };
            let (name, id) = found.ok_or_else(|| {
                format!("fatal: --refs {name}: seal takes names of refs here, not ranges or ids; nothing was changed")
            })?;
            chosen.insert(name, id);
        }
        Ok(chosen)
    }

    fn takes_all(&self) -> bool {
        self.options.refs.is_empty() || self.options.refs == ["--all"]
    }

    fn head(&self, start: &Start) -> Result<Option<(BString, ObjectId)>, String> {
        if let Some(id) = self.detached_head()? {
            return Ok(Some(("HEAD".into(), id)));
        }
        let name = self.git.read(&["symbolic-ref", "--quiet", "HEAD"]).map_err(text)?;
        Ok(start.refs.get_key_value(name.trim_ascii_end().as_bstr()).map(|(name, id)| (name.clone(), *id)))
    }

    fn detached_head(&self) -> Result<Option<ObjectId>, String> {
        if self.git.agrees(&["symbolic-ref", "--quiet", "HEAD"]).map_err(text)? {
            return Ok(None);
        }
        let id = self.git.read(&["rev-parse", "--verify", "--quiet", "HEAD"]).map_err(text)?;
        ObjectId::from_hex(id.trim_ascii()).map(Some).map_err(|error| error.to_string())
    }

    fn rules(&self, objects: &mut View<'_>, stream: Option<&Imported>) -> Result<Rules, String> {
        let options = self.options;
        let mut rules = Rules { pruning: options.pruning, ..Rules::default() };
        if !moves_paths(options) {
            let rule = |change: &PathChange| match change {
                PathChange::Select(rule) => Some(rule.clone()),
                _ => None,
            };
            let selected = options.paths.changes.iter().filter_map(rule).collect();
            rules.paths = PathSelection { rules: selected, by_base_name: options.paths.by_base_name };
            rules.keeps_only = options.paths.keeps_only;
        }
        rules.blobs = options.blobs.iter().map(|id| (*id, BlobFate::Drop)).collect();
        let called = stream.iter().flat_map(|stream| &stream.originals);
        let dropped = called.filter(|(_, original)| options.blobs.contains(*original));
        rules.blobs.extend(dropped.map(|(id, _)| (*id, BlobFate::Drop)));
        if options.largest_blob.is_none() && options.replace_text.is_none() {
            return Ok(rules);
        }
        let blobs = match stream {
            Some(stream) => stream.blobs.clone(),
            None => self.blobs()?,
        };
        let mut buffer = Vec::new();
        for (id, size) in blobs {
            if options.largest_blob.is_some_and(|most| size > most) {
                rules.blobs.insert(id, BlobFate::Drop);
            } else if let Some(replacements) = &options.replace_text
                && !rules.blobs.contains_key(&id)
            {
                objects.read(&id, &mut buffer).map_err(text)?;
                if !is_binary(&buffer)
                    && let Some(new) = replacements.apply(&buffer)
                {
                    let new = objects.write(Kind::Blob, &new).map_err(text)?;
                    rules.blobs.insert(id, BlobFate::Replace(new));
                }
            }
        }
        Ok(rules)
    }

    /// The blobs of the repository, and their sizes.
    fn blobs(&self) -> Result<Vec<(ObjectId, u64)>, String> {
        let format = "--batch-check=%(objectname) %(objecttype) %(objectsize)";
        let mut blobs = Vec::new();
        let listed = self.git.read(&["cat-file", "--batch-all-objects", "--unordered", format]).map_err(text)?;
        for line in listed.lines() {
            let mut words = line.split(|byte| *byte == b' ');
            let (Some(id), Some(b"blob"), Some(size)) = (words.next(), words.next(), words.next()) else { continue };
            blobs.push((ObjectId::from_hex(id).map_err(text)?, size.to_str_lossy().parse().map_err(text)?));
        }
        Ok(blobs)
    }

    /// The refs of a stream that no rule looks at: notes, and those that it leaves without anything.
    fn move_rest(&self, stream: &Imported, start: &Start, moves: &mut Vec<u8>, map: &mut RefMap) {
        for (name, id) in &stream.refs {
            let old = start.refs.get(name);
            match id {
                Some(id) if is_note(name) => {
                    moves.extend_from_slice(&[b"update ", name.as_slice(), format!(" {id}\n").as_bytes()].concat());
                    map.insert(name.clone(), (old.copied().unwrap_or(*id), Some(*id)));
                }
                None if old.is_some() && !self.options.partial => {
                    moves.extend_from_slice(&[b"delete ", name.as_slice(), b"\n"].concat());
                    map.extend(old.map(|old| (name.clone(), (*old, None))));
                }
                _ => {}
            }
        }
        // Of refs that were not there before it tells where another repository is named.
        let tells_all = self.options.source.is_some() || self.options.target.is_some();
        map.retain(|name, (_, new)| start.refs.contains_key(name) || tells_all && new.is_some());
        for (name, (old, _)) in map.iter_mut() {
            *old = start.refs.get(name).copied().unwrap_or(ObjectId::null(self.hash()));
        }
    }

    /// The new tag of each ref that names one, which is called as the ref is; nothing where its commit is gone.
    fn tags(
        &self,
        chains: &BTreeMap<BString, Chain>,
        objects: &mut View<'_>,
        history: &History,
        rewritten: &Rewritten,
        adjust: &mut Adjustments,
    ) -> Result<BTreeMap<BString, Option<ObjectId>>, String> {
        let mut new_tags = BTreeMap::new();
        let mut buffer = Vec::new();
        for (name, chain) in chains {
            let mut target = match rewritten.mapped(history, &chain.commit) {
                Some(Mapped::New(new)) => new,
                Some(Mapped::Gone) => {
                    new_tags.insert(name.clone(), None);
                    continue;
                }
                Some(Mapped::Same) | None => chain.commit,
            };
            for id in chain.tags.iter().rev() {
                objects.read(id, &mut buffer).map_err(text)?;
                let header = Header::parse(&buffer);
                let mut words = Words::new(&header);
                let place = words.fields().find(|(_, key, _)| *key == b"tag").map(|(place, ..)| place);
                if let Some((place, tag)) = place.zip(name.strip_prefix(b"refs/tags/")) {
                    words.set_field(place, Some(tag.to_vec()));
                }
                let of = Worded { id: *id, kind: Kind::Tag, changes: true, known: &|_| None };
                adjust.words(&of, &mut words).map_err(text)?;
                target = objects.write(Kind::Tag, &retarget_tag(&words, &target, false)).map_err(text)?;
            }
            new_tags.insert(name.clone(), Some(target));
        }
        Ok(new_tags)
    }

    /// What `git update-ref` is told, and what became of each ref.
    fn moves(
        &self,
        start: &Start,
        chosen: &Refs,
        tags: &BTreeMap<BString, Option<ObjectId>>,
        history: &History,
        rewritten: &Rewritten,
        already_ran: bool,
    ) -> (Vec<u8>, RefMap) {
        let options = self.options;
        let became = |id: &ObjectId| match rewritten.mapped(history, id) {
            Some(Mapped::New(new)) => Some(new),
            Some(Mapped::Gone) => None,
            Some(Mapped::Same) | None => Some(*id),
        };
        let mut moves = Vec::new();
        let mut tell = |words: &[&[u8]]| {
            moves.extend_from_slice(&words.join(&b' '));
            moves.push(b'\n');
        };
        let mut map = BTreeMap::new();
        let hex = |id: &ObjectId| id.to_string().into_bytes();
        for (name, old) in chosen {
            let new = tags.get(name).copied().unwrap_or_else(|| became(old));
            let renamed = name.strip_prefix(b"refs/tags/").zip(options.tag_rename.as_ref());
            let renamed = renamed.and_then(|(tag, rename)| rename.name(tag));
            let mut listed = new;
            match (&new, renamed) {
                (Some(new), Some(tag)) => {
                    let to = [&b"refs/tags/"[..], &tag].concat();
                    tell(&[b"update", &to, &hex(new)]);
                    if options.has_stream() {
                        map.insert(BString::from(to), (*old, Some(*new)));
                    }
                    if !options.partial && (!options.has_stream() || start.refs.contains_key(name)) {
                        tell(&[b"delete", name]);
                    }
                    listed = None;
                }
                (Some(new), None) if new != old || options.has_stream() => tell(&[b"update", name, &hex(new)]),
                (None, _) if !options.partial && (!options.has_stream() || start.refs.contains_key(name)) => {
                    tell(&[b"delete", name]);
                }
                _ => {}
            }
            if name != "HEAD" {
                map.insert(name.clone(), (*old, listed));
            }
        }
        if self.takes_all() && !options.has_stream() {
            // Notes pass through as they are.
            let notes = start.refs.iter().filter(|(name, _)| name.starts_with(b"refs/notes/"));
            map.extend(notes.map(|(name, id)| (name.clone(), (*id, Some(*id)))));
        }
        let mode = match options.replace_refs.unwrap_or(ReplaceRefs::DeleteNoAdd) {
            ReplaceRefs::OldDefault if already_ran => ReplaceRefs::UpdateOrAdd,
            ReplaceRefs::OldDefault => ReplaceRefs::UpdateAndAdd,
            mode => mode,
        };
        let name_of = |old: &ObjectId| BString::from(format!("refs/replace/{old}"));
        let mut replace: BTreeMap<BString, Option<ObjectId>> = BTreeMap::new();
        for (name, id) in start.refs.iter().filter(|(name, _)| name.starts_with(b"refs/replace/")) {
            // The real one leaves those of commits that changed to be updated, of which those that went then are not.
            let old = ObjectId::from_hex(&name["refs/replace/".len()..]).ok().and_then(|old| history.index(&old));
            let changed = old.is_some_and(|old| rewritten.commits[old.get()] != CommitFate::Same);
            let goes = mode == ReplaceRefs::DeleteNoAdd || mode == ReplaceRefs::DeleteAndAdd && !changed;
            let new = became(id);
            if goes || new != Some(*id) {
                replace.insert(name.clone(), new.filter(|_| !goes));
            }
        }
        if !matches!(mode, ReplaceRefs::DeleteNoAdd | ReplaceRefs::UpdateNoAdd) {
            for (index, commit) in history.iter() {
                let CommitFate::New(new) = rewritten.commits[index.get()] else { continue };
                let is_led_to =
                    || start.refs.iter().any(|(name, id)| name.starts_with(b"refs/replace/") && *id == commit.id);
                if mode != ReplaceRefs::UpdateOrAdd || !is_led_to() {
                    replace.insert(name_of(&commit.id), Some(new));
                }
            }
        }
        for (name, new) in &replace {
            match new {
                Some(new) => tell(&[b"update", name, &hex(new)]),
                None => tell(&[b"delete", name]),
            }
        }
        (moves, map)
    }

    /// Stashes, oldest first, each with the rest of its line in the reflog.
    fn stash(&self, start: &Start, git_dir: &Path) -> Vec<(ObjectId, Vec<u8>)> {
        if !self.options.refs.is_empty() || !start.refs.contains_key("refs/stash".as_bytes().as_bstr()) {
            return Vec::new();
        }
        let log = std::fs::read(git_dir.join("logs/refs/stash")).unwrap_or_default();
        let line = |line: &[u8]| {
            let mut words = line.splitn(3, |byte| *byte == b' ').skip(1);
            Some((ObjectId::from_hex(words.next()?).ok()?, words.next()?.to_vec()))
        };
        log.lines().filter_map(line).collect()
    }

    /// Takes the new objects in.
    fn adopt(&self, pack: &Path) -> Result<(), String> {
        let folder = self.repository.common_dir().join("objects/pack");
        let fail = |error: std::io::Error| format!("fatal: cannot write to {}: {error}", folder.display());
        std::fs::create_dir_all(&folder).map_err(fail)?;
        // The index comes last: with it git sees the pack.
        for path in [pack.to_owned(), pack.with_extension("idx")] {
            std::fs::rename(&path, folder.join(path.file_name().unwrap_or_default())).map_err(fail)?;
        }
        std::fs::File::open(&folder).and_then(|folder| folder.sync_all()).map_err(fail)
    }

    fn record(
        &mut self,
        git_dir: &Path,
        maps: Maps,
        history: &History,
        already_ran: bool,
        removes_sensitive: bool,
    ) -> Result<(), String> {
        let folder = git_dir.join(FOLDER);
        let fail = |error: std::io::Error| format!("fatal: cannot write to {}: {error}", folder.display());
        std::fs::create_dir_all(&folder).map_err(fail)?;
        let maps = if already_ran {
            let earlier = Maps::read(|name| std::fs::read(folder.join(name)).ok()).map_err(text)?;
            let parents = |id: &ObjectId| {
                let index = history.index(id);
                let parents = index.map(|index| history.parents(index)).unwrap_or_default();
                parents.iter().map(|parent| history.commit(*parent).id).collect()
            };
            maps.after(&earlier, parents)
        } else {
            maps
        };
        for (name, bytes) in maps.files() {
            std::fs::write(folder.join(name), bytes).map_err(fail)?;
        }
        if removes_sensitive {
            std::fs::write(folder.join("sensitive_data_removal"), b"").map_err(fail)?;
            let changed = maps.commits.iter().filter(|(old, new)| **new != Some(**old)).count();
            self.say(&format!("You rewrote {changed} (of {}) commits.\n", maps.commits.len()));
            let first: Vec<String> = maps.first_changed.keys().map(ToString::to_string).collect();
            self.say(&format!("NOTE: First Changed Commit(s) is/are:\n  {}", first.join("\n  ")));
            self.say("NOTE: LFS object orphaning not checked\n");
        }
        Ok(())
    }

    fn remove_origin(&mut self, config: &BTreeMap<String, BString>) -> Result<(), String> {
        let Some(url) = config.get("remote.origin.url") else { return Ok(()) };
        self.say(&format!(
            "NOTICE: Removing 'origin' remote; see 'Why is my origin removed?'\n        in the manual if you want to \
             push back there.\n        (was {url})"
        ));
        self.git.read(&["remote", "rm", "origin"]).map(drop).map_err(text)
    }

    fn fetch_all(&mut self, refs: Refs, config: &BTreeMap<String, BString>) -> Result<Refs, String> {
        let is_mirror = config.get("remote.origin.mirror").is_some_and(|value| value == "true");
        if !config.contains_key("remote.origin.url") || is_mirror {
            return Ok(refs);
        }
        let fetch = ["fetch", "-q", "--prune", "--update-head-ok", "--refmap", "", "origin", "+refs/*:refs/*"];
        self.say(
            "NOTICE: Fetching all refs from origin to make sure we rewrite\n        all history that may reference the \
             sensitive data, via\n      git fetch -q --prune --update-head-ok --refmap \"\" origin +refs/*:refs/*",
        );
        if self.git.read(&fetch).is_err() {
            self.say("WARNING: Fetching all refs from origin failed");
        }
        self.show_refs()
    }

    /// Resets what is checked out, and has git forget what was.
    fn clean_up(
        &mut self,
        stash: &[(ObjectId, Vec<u8>)],
        history: &History,
        rewritten: &Rewritten,
        git_dir: &Path,
    ) -> Result<(), String> {
        let git = |args: &[&str], run: &Self| {
            let failed = |_| format!("fatal: running 'git {}' failed!", args.join(" "));
            run.git.read(args).map(drop).map_err(failed)
        };
        if !self.repository.is_bare() {
            git(&["reset", "--quiet", "--hard"], self)?;
        }
        if self.options.no_gc {
            return Ok(());
        }
        if !self.options.quiet {
            self.say("Repacking your repo and cleaning out old unneeded objects");
        }
        git(&["reflog", "expire", "--expire=now", "--all"], self)?;
        if !stash.is_empty() {
            let mut log = Vec::new();
            let mut last = ObjectId::null(self.hash());
            for (old, rest) in stash {
                let Some(index) = history.index(old) else { continue };
                let new = match rewritten.commits[index.get()] {
                    CommitFate::Same => *old,
                    CommitFate::New(new) => new,
                    CommitFate::Pruned(_) => continue,
                };
                log.extend_from_slice(format!("{last} {new} ").as_bytes());
                log.extend_from_slice(rest);
                log.push(b'\n');
                last = new;
            }
            let path = git_dir.join("logs/refs/stash");
            std::fs::write(&path, log).map_err(|error| format!("fatal: cannot write {}: {error}", path.display()))?;
            self.say("Rewrote the stash.");
        }
        git(&["gc", "--quiet", "--prune=now"], self)
    }

    fn show_refs(&self) -> Result<Refs, String> {
        // It fails where there are none.
        let listed = self.git.read(&["for-each-ref", "--format=%(objectname) %(refname)"]).map_err(text)?;
        let line = |line: &[u8]| {
            let (id, name) = line.split_once_str(" ")?;
            Some((name.into(), ObjectId::from_hex(id).ok()?))
        };
        Ok(listed.lines().filter_map(line).collect())
    }

    fn config(&self) -> Result<BTreeMap<String, BString>, String> {
        let listed = self.git.read(&["config", "--list"]).map_err(text)?;
        let line = |line: &[u8]| {
            let (name, value) = line.split_once_str("=")?;
            Some((name.to_str_lossy().into_owned(), value.into()))
        };
        Ok(listed.lines().filter_map(line).collect())
    }

    fn hash(&self) -> gix::hash::Kind {
        self.repository.hash_kind()
    }

    fn say(&mut self, line: &str) {
        // Nobody needs to hear it.
        let _ = self.host.terminal.answer(format!("{line}\n").as_bytes());
    }
}

/// Whether paths are followed by [`Mover`]: renames, and exact paths alone, which need but the directories that lead there.
fn moves_paths(options: &Options) -> bool {
    let is_pattern = |change: &PathChange| matches!(change, PathChange::Select(PathRule::Glob(_) | PathRule::Regex(_)));
    let is_move = |change: &PathChange| !matches!(change, PathChange::Select(_));
    let changes = &options.paths.changes;
    changes.iter().any(is_move) || (!options.paths.by_base_name && !changes.iter().any(is_pattern))
}

/// What is changed beside the rules, in git-filter-repo's order.
struct Adjustments {
    mover: Option<Mover>,
    /// What only a stream leaves of commits and tags; what comes from one is left already.
    plain: Option<Plain>,
    /// Commits that are read as others: their own bytes do not say what they are.
    replaced: HashMap<ObjectId, ObjectId>,
    messages: Option<MessageReplacements>,
    quoted: Option<QuotedIds>,
    others: Vec<Box<dyn Adjust>>,
}

impl Adjustments {
    fn new(
        options: &Options,
        history: &History,
        replaced: &HashMap<ObjectId, ObjectId>,
        stream: Option<&Imported>,
    ) -> Self {
        let quoted = || match stream {
            Some(stream) => QuotedIds::called(history, Scope::All, &stream.originals),
            None => QuotedIds::new(history, Scope::All),
        };
        let mut others: Vec<Box<dyn Adjust>> = Vec::new();
        if let Some(mailmap) = &options.mailmap {
            others.push(Box::new(mailmap.clone()));
        }
        if let Some(rename) = &options.tag_rename {
            others.push(Box::new(rename.clone()));
        }
        Self {
            mover: (!options.paths.is_empty() && moves_paths(options)).then(|| Mover::new(options.paths.clone())),
            plain: stream.is_none().then_some(Plain { keeps_encoding: options.keeps_encoding }),
            replaced: replaced.clone(),
            messages: options.replace_message.clone().map(MessageReplacements),
            quoted: (!options.keeps_commit_hashes).then(quoted),
            others,
        }
    }
}

impl Adjust for Adjustments {
    fn root(&mut self, objects: &mut dyn Objects, root: ObjectId) -> Result<ObjectId, ObjectError> {
        self.mover.as_mut().map_or(Ok(root), |mover| mover.tree(objects, root))
    }

    fn asks_for_all(&self) -> bool {
        true
    }

    fn words(&mut self, of: &Worded<'_>, words: &mut Words<'_>) -> Result<(), ObjectError> {
        if let Some(plain) = &mut self.plain {
            plain.words(of, words)?;
        }
        if self.replaced.contains_key(&of.id) {
            words.set_message(words.message().to_vec());
            // Written whatever else changes, as what was read is not what it is.
            let committer = words.fields().find(|(_, key, _)| *key == b"committer");
            if let Some((place, value)) = committer.map(|(place, _, value)| (place, value.to_vec())) {
                words.set_field(place, Some(value));
            }
        }
        if let Some(messages) = &mut self.messages {
            messages.words(of, words)?;
        }
        // It does not look for ids in messages of tags.
        if let Some(quoted) = self.quoted.as_mut().filter(|_| of.kind == Kind::Commit) {
            quoted.words(of, words)?;
        }
        self.others.iter_mut().try_for_each(|one| one.words(of, words))
    }
}

/// The objects, with replacements in the place of what they replace, as git shows them.
struct View<'a> {
    inner: &'a mut Quarantine,
    replaced: &'a HashMap<ObjectId, ObjectId>,
}

impl Objects for View<'_> {
    fn hash_kind(&self) -> gix::hash::Kind {
        self.inner.hash_kind()
    }

    fn read(&self, id: &oid, buffer: &mut Vec<u8>) -> Result<Kind, ObjectError> {
        self.inner.read(self.replaced.get(id).map_or(id, |new| new), buffer)
    }

    fn write(&mut self, kind: Kind, bytes: &[u8]) -> Result<ObjectId, ObjectError> {
        self.inner.write(kind, bytes)
    }

    fn write_version(&mut self, kind: Kind, bytes: &[u8], place: u64) -> Result<ObjectId, ObjectError> {
        self.inner.write_version(kind, bytes, place)
    }
}

/// The refs of a stream that rules look at.
fn of_stream(stream: &Imported) -> Refs {
    let refs = stream.refs.iter().filter(|(name, _)| !is_note(name));
    refs.filter_map(|(name, id)| Some((name.clone(), (*id)?))).collect()
}

fn is_note(name: &[u8]) -> bool {
    name.starts_with(b"refs/notes/")
}

/// What stands for an object by `refs/replace`, through chains of them.
fn replacements(refs: &Refs) -> HashMap<ObjectId, ObjectId> {
    let pair = |(name, new): (&BString, &ObjectId)| {
        Some((ObjectId::from_hex(name.strip_prefix(b"refs/replace/")?).ok()?, *new))
    };
    let direct: HashMap<ObjectId, ObjectId> = refs.iter().filter_map(pair).collect();
    let last = |old: &ObjectId| {
        let mut at = *old;
        // A circle ends as git ends it: after a few steps.
        for _ in 0..5 {
            match direct.get(&at) {
                Some(next) => at = *next,
                None => break,
            }
        }
        at
    };
    direct.keys().map(|old| (*old, last(old))).collect()
}

/// Tags that a ref leads through, the outermost first, and their commit.
struct Chain {
    tags: Vec<ObjectId>,
    commit: ObjectId,
}

/// The refs that lead through tags to a commit.
fn chains(objects: &View<'_>, refs: &Refs) -> Result<BTreeMap<BString, Chain>, String> {
    let mut chains = BTreeMap::new();
    let mut buffer = Vec::new();
    for (name, id) in refs {
        let mut tags = Vec::new();
        let mut at = *id;
        // An id names what was there before it: there is no circle.
        let kind = loop {
            match objects.read(&at, &mut buffer).map_err(text)? {
                Kind::Tag => {
                    tags.push(at);
                    at = Header::parse(&buffer)
                        .id("object")
                        .ok_or_else(|| format!("fatal: the tag {at} names nothing"))?;
                }
                kind => break kind,
            }
        };
        if kind == Kind::Commit && !tags.is_empty() {
            chains.insert(name.clone(), Chain { tags, commit: at });
        }
    }
    Ok(chains)
}

/// Branches of `origin` as branches of one's own, as the real one has them.
fn migrated(mut refs: Refs, hash: gix::hash::Kind) -> Start {
    let mut moves = Vec::new();
    let remote: Vec<BString> = refs.keys().filter(|name| name.starts_with(b"refs/remotes/origin/")).cloned().collect();
    for name in remote {
        let Some(id) = refs.remove(&name) else { continue };
        moves.extend_from_slice(&[b"delete ", name.as_slice(), b"\n"].concat());
        let branch = &name["refs/remotes/origin/".len()..];
        if branch != b"HEAD" {
            let branch = BString::from([b"refs/heads/", branch].concat());
            let create =
                [b"update ", branch.as_slice(), format!(" {id} {}\n", ObjectId::null(hash)).as_bytes()].concat();
            refs.entry(branch).or_insert_with(|| {
                moves.extend_from_slice(&create);
                id
            });
        }
    }
    Start { refs, moves }
}

/// A name for the run's folder, which nobody else's has.
fn run_name() -> String {
    format!("filter-repo-{}", std::process::id())
}

pub fn text(error: impl std::fmt::Display) -> String {
    format!("fatal: {error}")
}
