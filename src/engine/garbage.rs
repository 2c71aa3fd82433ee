//! Garbage: what is cleaned, and when. None of it holds unshipped work.
//!
//! | what | goes |
//! | --- | --- |
//! | a build's clone and home | when the build has ended: its result is in the vault by then, or there is none |
//! | a check's clone, a run's folder | when the check or run is over and recorded |
//! | logs of builds and checks | 90 days after they were last written, unless the build is open |
//! | differences that were sent | 30 days after they were written; `/diff` makes them again |
//! | days that were kept | as `domain::kept::staying` says, by the session that keeps the next |
//! | cleaned files of the owner in the trash | as configured, by the health check |
//! | results, their refs, objects in a vault | never |
//!
//! The last is on purpose: a result that was shipped or discarded may be wanted back by a hash that stands in the audit or
//! in a brief, a vault is small beside the clones that were made of it, and where nothing is ever pruned no mistake in
//! what counts as unshipped can lose work. What a vault takes is in `/health`.

use super::Engine;
use crate::domain::id::{BuildId, CheckId, RunId};
use crate::host::space::folder_bytes;
use crate::store::{Conn, StoreError, builds, checks, runs};
use chrono::TimeDelta;
use std::path::PathBuf;
use std::time::SystemTime;

/// Logs are kept this long after their last line.
const LOG_DAYS: TimeDelta = TimeDelta::days(90);
/// Differences are kept this long.
const DIFF_DAYS: TimeDelta = TimeDelta::days(30);
/// Logs of builds and checks begin so; the bot's own rotates by itself.
const LOGS: [&str; 3] = ["subagent_", "build_", "check_"];

/// Removes what belongs to nothing open any more: at the start of a session, and whenever a build has ended.
pub(super) async fn sweep(engine: &Engine) -> Result<(), StoreError> {
    let home = engine.home();
    let mut unneeded = Vec::new();
    let mut conn = engine.store().read().await?;
    for root in [home.builds(), home.checks(), home.runs()] {
        let Ok(entries) = std::fs::read_dir(&root) else { continue };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            if !is_needed(&mut conn, name).await? {
                unneeded.push(entry.path());
            }
        }
    }
    unneeded.extend(old_files(engine, &mut conn).await?);
    drop(conn);
    let removed = tokio::task::spawn_blocking(move || unneeded.iter().for_each(remove)).await;
    if let Err(error) = removed {
        tracing::warn!(%error, "cleaning up broke");
    }
    Ok(())
}

/// Logs and differences nobody has written for long.
async fn old_files(engine: &Engine, conn: &mut Conn) -> Result<Vec<PathBuf>, StoreError> {
    let home = engine.home();
    let mut old = Vec::new();
    for (folder, days) in [(home.logs(), LOG_DAYS), (home.diffs(), DIFF_DAYS)] {
        let until = SystemTime::from(engine.now() - days);
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let written =
                entry.metadata().ok().filter(std::fs::Metadata::is_file).and_then(|file| file.modified().ok());
            let name = entry.file_name();
            let log = folder == home.logs();
            if written.is_some_and(|written| written < until)
                && (!log || name.to_str().is_some_and(|name| LOGS.iter().any(|start| name.starts_with(start))))
                && !(log && belongs_to_open_build(conn, &name.to_string_lossy()).await?)
            {
                old.push(entry.path());
            }
        }
    }
    Ok(old)
}

/// `subagent_12.log`, `subagent_12.2.log`, `build_12_setup.log`.
async fn belongs_to_open_build(conn: &mut Conn, name: &str) -> Result<bool, StoreError> {
    let number = name.strip_prefix("subagent_").or_else(|| name.strip_prefix("build_"));
    let number = number.and_then(|rest| rest.split(['.', '_']).next()?.parse().ok());
    match number {
        Some(number) => builds::is_open(conn, BuildId(number)).await,
        None => Ok(false),
    }
}

/// Folders are named b<build>, c<check>, r<run>; anything else is not ours to remove.
async fn is_needed(conn: &mut Conn, name: &str) -> Result<bool, StoreError> {
    let Some(number) = name.get(1..).and_then(|digits| digits.parse().ok()) else { return Ok(true) };
    match name.as_bytes()[0] {
        b'b' => builds::is_open(conn, BuildId(number)).await,
        b'c' => checks::is_open(conn, CheckId(number)).await,
        b'r' => runs::is_needed(conn, RunId(number)).await,
        _ => Ok(true),
    }
}

/// Symbolic links are not followed. What can't be removed now (an agent took away its own write permission) is tried
/// again with the next sweep, and said in the log.
fn remove(path: &PathBuf) {
    let removed = if path.is_file() { std::fs::remove_file(path) } else { std::fs::remove_dir_all(path) };
    if let Err(error) = removed {
        tracing::warn!(%error, path = %path.display(), "can't remove what is no longer needed");
    }
}

/// Disk use of the data folder, by what it is for, largest first.
pub(super) async fn disk_use(engine: &Engine) -> Vec<(&'static str, u64)> {
    let root = engine.home().root().to_owned();
    let parts = ["artifacts", "builds", "checks", "logs", "reports", "runs", "snapshots", "trash", "vaults"];
    let measured = tokio::task::spawn_blocking(move || {
        let mut used: Vec<_> = parts.into_iter().map(|part| (part, folder_bytes(&root.join(part)))).collect();
        used.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
        used
    });
    measured.await.unwrap_or_default()
}
