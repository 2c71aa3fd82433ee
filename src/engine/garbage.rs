//! Garbage: the folders of builds, checks and runs that have ended. What they came to is in the vault and the database,
//! and their output in `logs/`; a clone is of no use any more, and a night of them would fill a disk.
//!
//! Left out on purpose: vault refs and logs, which are kept.

use super::Engine;
use crate::domain::id::{BuildId, CheckId, RunId};
use crate::host::space::folder_bytes;
use crate::store::{Conn, StoreError, builds, checks, runs};
use std::path::PathBuf;

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
    drop(conn);
    let removed = tokio::task::spawn_blocking(move || unneeded.iter().for_each(remove)).await;
    if let Err(error) = removed {
        tracing::warn!(%error, "cleaning up broke");
    }
    Ok(())
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
fn remove(folder: &PathBuf) {
    if let Err(error) = std::fs::remove_dir_all(folder) {
        tracing::warn!(%error, folder = %folder.display(), "can't remove what is no longer needed");
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
