//! `seal scrub ban`, and the bans that a rewrite sets and lifts by itself.

use std::path::Path;

use gix::ObjectId;
use gix::objs::Kind as ObjectKind;

use super::notice::{self, Record};
use super::remote::BanCommand;
use crate::cli::failure::{Failure, Kind};
use crate::cli::session::Session;
use crate::cli::shown;
use crate::git::{Moved, RefUpdate, Repository, RunFolder, Side};
use crate::host::{clock, files};
use crate::scrub::{Ban, BanKind, Bans, is_day};

/// Runs it.
pub fn run(command: &BanCommand, repository: &Repository, session: &Session) -> Result<(), Failure> {
    let mut bans = repository.own_bans()?;
    match command {
        BanCommand::List => {
            let line = |(id, ban): (&ObjectId, &Ban)| {
                let until = ban.until.as_deref().unwrap_or("for good");
                let over = if ban.holds(&today()) { "" } else { "  (over)" };
                format!("{id}  {:6}  {until:10}  {}{over}\n", ban.kind.word(), shown(&ban.reason))
            };
            return session.answer(repository.bans()?.iter().map(line).collect::<String>().as_bytes());
        }
        BanCommand::Export => return session.answer(repository.bans()?.to_text().as_bytes()),
        BanCommand::Add { ids, blobs, reason, until } => {
            if until.as_deref().is_some_and(|day| !is_day(day)) {
                return Err(Failure::new(Kind::Usage, "--until is no day").hint("write it as 2027-11-24"));
            }
            for id in ids {
                let id = whole(id)?;
                let kind = if *blobs { BanKind::Blob } else { kind(repository, id)? };
                bans.add(id, Ban { kind, until: until.clone(), reason: reason.clone() });
            }
        }
        BanCommand::Remove { ids } => {
            for id in ids {
                let id = whole(id)?;
                if bans.remove(|other, _| *other == id) == 0 {
                    return Err(Failure::new(Kind::NotFound, format!("{id} is not in the list of this repository"))
                        .hint(
                            "see what is: seal scrub ban list; lists that seal.ban names are changed where they are",
                        ));
                }
            }
        }
        BanCommand::Import { file } => {
            let bytes = if file == Path::new("-") { files::read_stdin()? } else { files::read(file)? };
            let list =
                Bans::parse(&bytes).map_err(|error| Failure::new(Kind::Input, format!("{}: {error}", shown(file))))?;
            bans.extend(list);
        }
    }
    repository.write_bans(&bans)?;
    session.say(&format!("banned    {} objects are not to come back", bans.len()));
    Ok(())
}

/// Bans the commits that a rewrite replaced: the first ones that changed, through which all others lead, and what refs named.
pub fn after_switch(repository: &Repository, run: &RunFolder, record: &Record) -> Result<(), Failure> {
    let commits = record.first_changed.iter().chain(&record.old_tips);
    ban(repository, run, commits.map(|id| (*id, BanKind::Commit)))
}

/// Bans the contents that runs took out, and that stand nowhere any more.
pub fn contents(repository: &Repository, moved: &Moved) -> Result<(), Failure> {
    for run in moved.runs() {
        let gone = repository.unreached(notice::blobs_of(run)?)?;
        ban(repository, run, gone.into_iter().map(|id| (id, BanKind::Blob)))?;
    }
    Ok(())
}

/// Lifts the bans of a run that is undone.
pub fn lift(repository: &Repository, run: &RunFolder) -> Result<(), Failure> {
    let mut bans = repository.own_bans()?;
    if bans.remove(|_, ban| ban.reason == reason(run)) > 0 {
        repository.write_bans(&bans)?;
    }
    Ok(())
}

/// Stops a push that brings back what is banned; `lines` are those that git gives to the hook.
pub fn stop(repository: &Repository, updates: &[RefUpdate], side: Side<'_>, session: &Session) -> Result<(), Failure> {
    let bans = repository.bans()?;
    let brought = repository.brought_back(&bans, &today(), updates, side)?;
    if brought.is_empty() {
        return Ok(());
    }
    let mut text = match side {
        Side::Pushing(remote) => {
            format!("seal: push to {} stopped: it brings back what was taken out\n", shown(remote))
        }
        Side::Receiving => "seal: push refused: it brings back what was taken out\n".to_owned(),
    };
    for one in brought.iter().take(12) {
        let what = match one.kind {
            BanKind::Commit => "history from before, as commit",
            BanKind::Blob => "a file's content that was taken out,",
        };
        text.push_str(&format!("  {}  {what} {}\n", shown(&one.name.to_string()), one.id.to_hex_with_len(10)));
    }
    let advice: &[&str] = match brought.iter().any(|one| one.kind == BanKind::Commit) {
        true => &[
            "Your work is not lost: bring this clone to the new history, with the files that came with the notice of it:",
            "  seal scrub adopt commit-map     or, without seal:     sh rebase-local.sh commit-map",
        ],
        false => &["Take that content out of your commits, and push again."],
    };
    advice.iter().for_each(|line| text.push_str(&format!("{line}\n")));
    session.terminal().note_text(text.as_bytes());
    Err(Failure::new(Kind::No, ""))
}

fn ban(
    repository: &Repository,
    run: &RunFolder,
    ids: impl Iterator<Item = (ObjectId, BanKind)>,
) -> Result<(), Failure> {
    let mut bans = repository.own_bans()?;
    let before = bans.len();
    let until = year_after(&today());
    for (id, kind) in ids {
        if bans.get(&id).is_none() {
            bans.add(id, Ban { kind, until: Some(until.clone()), reason: reason(run) });
        }
    }
    if bans.len() > before { Ok(repository.write_bans(&bans)?) } else { Ok(()) }
}

fn reason(run: &RunFolder) -> String {
    format!("taken out of history by the run {}", run.name())
}

fn whole(id: &str) -> Result<ObjectId, Failure> {
    ObjectId::from_hex(id.as_bytes()).map_err(|_| {
        Failure::new(Kind::Usage, format!("{} is no whole id", shown(id))).hint("all of its digits: git rev-parse NAME")
    })
}

fn kind(repository: &Repository, id: ObjectId) -> Result<BanKind, Failure> {
    let mut buffer = Vec::new();
    let object = repository.reader()?.read(id, &mut buffer)?.map(|object| object.kind);
    match object {
        Some(ObjectKind::Blob) => Ok(BanKind::Blob),
        Some(ObjectKind::Tree) => {
            Err(Failure::new(Kind::Usage, format!("{id} is a folder; ban its files or a commit")))
        }
        _ => Ok(BanKind::Commit),
    }
}

/// Today, as lists have it.
pub fn today() -> String {
    clock::now().chars().take(10).collect()
}

fn year_after(day: &str) -> String {
    let year: u32 = day.get(..4).and_then(|year| year.parse().ok()).unwrap_or(9998);
    format!("{:04}{}", year + 1, day.get(4..).unwrap_or_default())
}
