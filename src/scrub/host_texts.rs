//! What people and hosts have to be told after history was rewritten: texts that hold ids, counts and names of refs, never a value.

use std::fmt::Write as _;

use gix::ObjectId;

/// What the texts tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// The run's name.
    pub run: String,
    /// Where the repository is kept, without what logs in.
    pub remote: Option<String>,
    /// Commits that have another id now, or are gone.
    pub changed: usize,
    /// The commits that were the first to change, as they were, and what stands for them.
    pub first_changed: Vec<(ObjectId, Option<ObjectId>)>,
    /// The refs that changed.
    pub refs: Vec<String>,
    /// Pull or merge requests with old commits; nothing where the host was not asked.
    pub requests: Option<usize>,
    /// Contents of files that were taken out.
    pub blobs: usize,
    /// Objects of git LFS to which the files that were taken out pointed.
    pub lfs: Vec<String>,
}

/// The script that moves a clone with git alone.
pub const REBASE_SCRIPT: &str = include_str!("rebase-local.sh");

/// No more ids are listed in a text.
const MAX_LISTED: usize = 20;

impl Facts {
    /// The texts, by the names of their files.
    pub fn texts(&self) -> Vec<(&'static str, String)> {
        vec![
            ("report.md", self.report()),
            ("team-notice.md", self.team()),
            ("support-request-github.md", self.github()),
            ("support-request-gitlab.md", self.gitlab()),
            ("support-request-generic.md", self.generic()),
        ]
    }

    fn place(&self) -> &str {
        self.remote.as_deref().unwrap_or("(the repository's address)")
    }

    fn first(&self) -> String {
        let mut text = String::new();
        for (old, _) in self.first_changed.iter().take(MAX_LISTED) {
            let _ = writeln!(text, "- `{old}`");
        }
        if self.first_changed.len() > MAX_LISTED {
            let more = self.first_changed.len() - MAX_LISTED;
            let _ = writeln!(text, "- and {more} more, in the file `first-changed-commits`");
        }
        text
    }

    fn requests(&self) -> String {
        match self.requests {
            Some(count) => count.to_string(),
            None => "not known: `seal scrub --fetch` asks for them before a rewrite".to_owned(),
        }
    }

    fn lfs(&self) -> String {
        match self.lfs.as_slice() {
            [] => "none".to_owned(),
            ids => ids.iter().map(|id| format!("\n- `{id}`")).collect(),
        }
    }

    fn report(&self) -> String {
        format!(
            "# History of {place} was rewritten\n\n\
             Rotate the credential first: whoever fetched, forked or mirrored the repository keeps the old text.\n\n\
             - run: `{run}`\n- commits with another id: {changed}\n- refs that changed: {refs}\n\
             - contents taken out: {blobs}\n- pull or merge requests with old commits: {requests}\n- LFS objects left without a pointer: {lfs}\n\n\
             ## First commits that changed\n\n{first}\n\
             ## What is still to be done\n\n\
             1. Publish: `seal scrub push`.\n\
             2. Tell the team: `team-notice.md`, with `commit-map` and `rebase-local.sh`.\n\
             3. Have the host remove what a push does not reach: `support-request-*.md`.\n\
             4. Look for copies outside git: build logs and artifacts, container images, package registries, mirrors, the caches \
             of Argo CD and Flux, backups, search engines.\n\
             5. When nobody needs the old history any more: `seal scrub finish`.\n",
            place = self.place(),
            run = self.run,
            changed = self.changed,
            refs = self.refs.len(),
            blobs = self.blobs,
            requests = self.requests(),
            lfs = self.lfs(),
            first = self.first(),
        )
    }

    fn team(&self) -> String {
        let refs: String = self.refs.iter().take(MAX_LISTED).map(|name| format!("- `{name}`\n")).collect();
        format!(
            "# Before you push again to {place}\n\n\
             A credential was in its history. It has been replaced, and the history was rewritten without it: {changed} commits have \
             another id. A clone from before still has the old ones. Pushing them would bring the credential back, so such a push is refused \
             where seal looks at pushes.\n\n\
             Your work is not lost. In each of your clones, with the files that came with this note:\n\n\
             \x20   seal scrub adopt commit-map\n\n\
             or, without seal:\n\n\
             \x20   sh rebase-local.sh commit-map\n\n\
             Both keep what your branches were until you remove it. Please\n\n\
             - do not merge old branches into new ones, and do not pull old into new;\n\
             - do not run the same rewrite yourself: other refs or versions give other ids;\n\
             - delete forks, mirrors and copies that nobody needs, and tell us about those you cannot delete.\n\n\
             ## Refs that changed\n\n{refs}{more}",
            place = self.place(),
            changed = self.changed,
            more = if self.refs.len() > MAX_LISTED { "- and more, in the file `changed-refs`\n" } else { "" },
        )
    }

    fn github(&self) -> String {
        format!(
            "Subject: Remove sensitive data from {place}\n\n\
             We rewrote the history of {place} to take a credential out of it, and pushed the result. Its old commits can still be read \
             through pull requests and cached views. Please dereference or delete the pull requests' refs, run garbage \
             collection, and purge the cached views.\n\n\
             - Repository: {place}\n- Pull requests affected: {requests}\n- LFS objects left without a pointer: {lfs}\n\
             - First commits that changed:\n\n{first}\n\
             Why rotating the credential alone does not meet the risk: (say it here; without it the request may be declined)\n\n\
             Forks: (the owners of forks that have the commits were asked to delete them, or there are none; a fork shares its objects \
             with this repository)\n",
            place = self.place(),
            requests = self.requests(),
            lfs = self.lfs(),
            first = self.first(),
        )
    }

    fn gitlab(&self) -> String {
        format!(
            "# Clean-up of {place} on GitLab\n\n\
             An owner of the project can do all of this. Stop pipelines first, and unlink forks: a project in a fork network keeps its objects.\n\n\
             1. Settings > Repository > Repository maintenance > Clean up repository: upload `commit-map`, or its parts \
             `commit-map.part-*` one after the other. This removes the refs that GitLab keeps for itself (keep-around, merge requests, pipelines).\n\
             2. Or, for single contents: Remove blobs, with the ids in `blob-ids.txt`.\n\
             3. Settings > General > Advanced > Run housekeeping; wait half an hour; then Prune unreachable objects.\n\n\
             Changes that merge requests show from the database stay visible: delete those merge requests, or ask an administrator.\n\n\
             - Merge requests affected: {requests}\n- LFS objects left without a pointer: {lfs}\n- First commits that changed:\n\n{first}",
            place = self.place(),
            requests = self.requests(),
            lfs = self.lfs(),
            first = self.first(),
        )
    }

    fn generic(&self) -> String {
        format!(
            "Subject: Remove old objects from {place}\n\n\
             We rewrote the history of {place} to take a credential out of it, and pushed the result. Please delete refs of the host \
             itself that still lead to the old commits (of pull or merge requests, changes, or kept by the host), expire reflogs, run \
             garbage collection without a grace period, and drop caches and replicas.\n\n\
             - Pull or merge requests affected: {requests}\n- Contents to remove: {blobs}, in the attached `blob-ids.txt`\n\
             - LFS objects left without a pointer: {lfs}\n- First commits that changed:\n\n{first}\n\
             We check afterwards that none of these ids can be fetched. On Gerrit, also ban the first ids (`gerrit ban-commit`) and \
             delete the changes below `refs/changes/`.\n",
            place = self.place(),
            requests = self.requests(),
            blobs = self.blobs,
            lfs = self.lfs(),
            first = self.first(),
        )
    }
}

/// An address without what logs in: `https://name:word@host/a` is `https://host/a`.
pub fn without_login(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            let host = rest[..end].rsplit('@').next().unwrap_or_default();
            let path = rest[end..].split(['?', '#']).next().unwrap_or_default();
            format!("{scheme}://{host}{path}")
        }
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_loses_what_logs_in() {
        assert_eq!(without_login("https://ada:pa@ss@example.com/a/b.git?token=x"), "https://example.com/a/b.git");
        assert_eq!(without_login("https://token@example.com"), "https://example.com");
        assert_eq!(without_login("git@example.com:a/b.git"), "git@example.com:a/b.git");
    }

    #[test]
    fn texts_tell_the_facts() {
        let id = ObjectId::null(gix::hash::Kind::Sha1);
        let facts = Facts {
            remote: Some("https://example.com/a".to_owned()),
            first_changed: vec![(id, None); 25],
            requests: Some(7),
            lfs: vec!["abc".to_owned()],
            ..Facts::default()
        };
        for (name, text) in facts.texts() {
            assert!(text.contains("https://example.com/a"), "{name}");
            if name != "team-notice.md" {
                assert!(
                    text.contains(&id.to_string())
                        && text.contains("and 5 more")
                        && text.contains("affected: 7") | text.contains("commits: 7"),
                    "{name}"
                );
            }
        }
    }
}
