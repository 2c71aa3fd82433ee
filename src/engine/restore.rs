//! What was kept of a day, back into folders. Works from the day's own folder, so it needs no database; the files of a
//! project come from its vault or, where that is gone, from its bundle.

use super::Engine;
use super::home::{Home, MANIFEST};
use super::reply::Reply;
use crate::domain::kept::{KeptDay, KeptProject};
use crate::domain::message::{Item, Message};
use crate::domain::words::list;
use crate::git::{self, Sha, Vault};
use crate::host::space::file_hash;
use crate::store;
use chrono::NaiveDate;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Days that are kept, newest first, as their folders describe them.
pub fn days(home: &Home) -> Vec<KeptDay> {
    let Ok(entries) = std::fs::read_dir(home.snapshots()) else { return vec![] };
    let read = |folder: PathBuf| {
        let text = std::fs::read(folder.join(MANIFEST)).ok()?;
        let day: KeptDay = serde_json::from_slice(&text).ok()?;
        (folder == home.snapshot(day.date)).then_some(day)
    };
    let mut days: Vec<KeptDay> = entries.flatten().filter_map(|entry| read(entry.path())).collect();
    days.sort_unstable_by_key(|day| std::cmp::Reverse(day.date));
    days
}

/// Writes what was kept of a day into a folder that must not exist yet; with `project` only that one's files.
pub async fn restore(engine: &Engine, date: NaiveDate, project: Option<&str>, into: &Path) -> Reply {
    match written(engine, date, project, into).await {
        Ok(done) => {
            let items = done.iter().map(|(what, path)| Item::new("•", format!("{what}: {}", path.display())));
            let message = Message::line(format!("🗄️ Restored from {date}")).section("", items.collect());
            let restored = json!({"date": date, "restored": done.iter().map(|(_, path)| path).collect::<Vec<_>>()});
            Reply { message, data: restored, ..Reply::default() }
        }
        Err(why) => Reply::refuse(why),
    }
}

type Written = Vec<(String, PathBuf)>;

async fn written(engine: &Engine, date: NaiveDate, project: Option<&str>, into: &Path) -> Result<Written, String> {
    let days = days(engine.home());
    let day = days.iter().find(|day| day.date == date).ok_or_else(|| {
        let dates: Vec<String> = days.iter().map(|day| day.date.to_string()).collect();
        match dates.as_slice() {
            [] => "No day is kept yet.".to_owned(),
            _ => format!("Nothing is kept of {date}. These days are: {}.", list(&dates, dates.len())),
        }
    })?;
    if into.symlink_metadata().is_ok() {
        return Err(format!("{} exists already. Name a folder that does not.", into.display()));
    }
    if let Some(name) = project {
        let kept = day.projects.iter().find(|kept| kept.name == name);
        let names: Vec<&str> = day.projects.iter().map(|kept| kept.name.as_str()).collect();
        let kept = kept.ok_or_else(|| format!("There is no project {name:?} in it, only {}.", list(&names, 20)))?;
        files(engine, day, kept, into).await?;
        return Ok(vec![(format!("files of {name}"), into.to_owned())]);
    }
    std::fs::create_dir(into).map_err(|error| format!("{}: {error}", into.display()))?;
    let mut done = Written::new();
    if let Some(copy) = &day.database {
        let to = into.join(store::FILE);
        let copied = std::fs::copy(engine.home().snapshot(date).join(store::FILE), &to).and_then(|_| file_hash(&to));
        match copied {
            Ok((sha256, _)) if sha256 == copy.sha256 => done.push(("database".into(), to)),
            Ok(_) => return Err(format!("The database's copy of {date} is not the file that was written.")),
            Err(error) => return Err(format!("{}: {error}", to.display())),
        }
    }
    for kept in day.projects.iter().filter(|kept| kept.commit.is_some()) {
        let to = into.join(&kept.name);
        files(engine, day, kept, &to).await?;
        done.push((format!("files of {}", kept.name), to));
    }
    Ok(done)
}

async fn files(engine: &Engine, day: &KeptDay, kept: &KeptProject, into: &Path) -> Result<(), String> {
    let (home, git) = (engine.home(), &engine.parts.git);
    let commit = kept.commit.as_deref().and_then(|commit| commit.parse::<Sha>().ok());
    let commit = commit.ok_or_else(|| format!("The files of {} were not kept on {}.", kept.name, day.date))?;
    let shown = |error: git::GitError| error.to_string();
    if home.vaults().join(format!("{}.git", kept.name)).is_dir() {
        let vault = Vault::open_or_init(git, &home.vaults(), &kept.name, into).await.map_err(shown)?;
        if git::commit_exists(&vault, &commit).await.map_err(shown)? {
            return git::restore_files(&vault, &commit, into).await.map_err(shown);
        }
    }
    let bundle = git::bundle_file(&home.snapshot(day.date), &kept.name);
    let aside = home.snapshots().join(format!(".restore-{}", std::process::id()));
    let restored = async {
        let vault = git::unbundle(git, &bundle, &aside).await?;
        git::restore_files(&vault, &commit, into).await
    };
    let restored = restored.await.map_err(shown);
    let _ = std::fs::remove_dir_all(&aside);
    restored
}
