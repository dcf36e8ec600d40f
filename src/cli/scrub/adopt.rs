//! `seal scrub adopt`: brings a clone from before a rewrite to the new history.

use super::remote::{AdoptArgs, remote};
use crate::cli::failure::{Failure, Kind};
use crate::cli::session::Session;
use crate::cli::shown;
use crate::git::{self, Adopted, Repository};
use crate::host::{clock, files};

/// Runs it.
pub fn run(args: &AdoptArgs, repository: &Repository, session: &Session) -> Result<(), Failure> {
    let map = git::CommitMap::parse(&files::read(&args.map)?).map_err(|line| {
        Failure::new(Kind::Input, format!("line {line} of {} is not two ids", shown(&args.map)))
            .hint("it is the file commit-map of whoever rewrote the history: seal scrub report tells them where it is")
    })?;
    if args.finish {
        let left = git::finish_adopting(repository, &map)?;
        if left > 0 {
            let message = format!("{left} old commits are still in this clone");
            return Err(Failure::new(Kind::No, message)
                .hint("see what leads to them: git log --all --reflog; stashes do too: git stash list"));
        }
        session.say("done      nothing of the old history is left in this clone");
        return Ok(());
    }
    let remote = remote(args.remote.as_deref(), repository)?;
    let time = clock::now().replace([':', '-'], "");
    let adopted = git::adopt(repository, &remote, &map, &time).map_err(|error| {
        Failure::new(Kind::Refused, shown(&error.to_string()).to_string()).hint(hint(&error.to_string()))
    })?;
    tell(&adopted, session)
}

fn hint(error: &str) -> &'static str {
    match () {
        () if error.contains("has not the new history") => "wait until it is pushed: seal scrub push",
        () if error.contains("in the middle of") => "end that first: git status tells how",
        _ => "no branch has moved; see what git says: git status",
    }
}

fn tell(adopted: &Adopted, session: &Session) -> Result<(), Failure> {
    for (name, commits) in &adopted.moved {
        let replayed = match commits {
            0 => String::new(),
            1 => ", with 1 commit of yours".to_owned(),
            many => format!(", with {many} commits of yours"),
        };
        session.say(&format!("moved     {}{replayed}", shown(&name.to_string())));
    }
    if adopted.moved.is_empty() && adopted.conflicts.is_empty() {
        session.say("nothing   no branch or tag of this clone has old history");
    }
    for name in &adopted.only_here {
        session.warn(&format!(
            "{} is only here and names old history: delete it, or make it anew",
            shown(&name.to_string())
        ));
    }
    if adopted.stashes > 0 {
        session.warn("your stashes name old history: apply them, then drop them");
    }
    if !adopted.moved.is_empty() {
        session.say(&format!("kept      what was before is below {}", adopted.backup));
        session.say("next      when all is well: the same with --finish removes it for good");
    }
    if adopted.conflicts.is_empty() {
        return Ok(());
    }
    let mut failure = Failure::new(Kind::No, "some branches are as they were: their commits change what was taken out");
    for conflict in &adopted.conflicts {
        let files: Vec<String> = conflict.files.iter().map(|file| shown(&file.to_string()).to_string()).collect();
        let name = conflict.name.to_string();
        failure =
            failure.detail(format!("{}  {}  {}", shown(&name), conflict.commit.to_hex_with_len(10), files.join(", ")));
        let short = name.strip_prefix("refs/heads/").unwrap_or(&name).to_owned();
        failure = failure.hint(format!(
            "git rebase --rebase-merges --onto {} {} {}",
            conflict.onto,
            conflict.from,
            shown(&short)
        ));
    }
    Err(failure)
}
