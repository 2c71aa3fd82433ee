//! Once a week what was kept is restored into a temporary folder: a backup nobody ever restored is a hope.

use super::keep::blocking;
use crate::domain::format::human_bytes;
use crate::domain::id::SessionId;
use crate::domain::kept::{Drill, KeptBundle, KeptDatabase, KeptDay, KeptProject};
use crate::domain::problem::{Problem, ProblemKind, Severity};
use crate::engine::{Engine, failpoint};
use crate::git::{self, Sha};
use crate::host::space::{available_space, file_hash};
use crate::store::copy::{Holdings, check_copy};
use crate::store::{StoreError, audit, health, kept, sessions};
use std::io;
use std::path::Path;

/// What the problem is about, in the brief.
const SUBJECT: &str = "Restore drill";

pub(super) async fn drill(engine: &Engine, id: SessionId) -> Result<(), StoreError> {
    let (date, days) = {
        let mut conn = engine.store().read().await?;
        let session = sessions::get(&mut conn, id).await?;
        let newest = kept::newest(&mut conn).await?;
        let others = kept::all(&mut conn).await?;
        (session.date, newest.into_iter().chain(others).collect::<Vec<_>>())
    };
    let mut drill = Drill { date, at: engine.now(), vaults: 0, bytes: 0, trouble: None };
    let folder = engine.home().snapshots().join(".drill");
    let tried = async {
        fresh(&folder).await?;
        restore(engine, &days, &folder, &mut drill).await
    };
    drill.trouble = tried.await.err();
    if let Err(error) = remove(&folder).await {
        tracing::warn!(%error, "can't remove what the restore drill made");
    }
    failpoint::pass("restore tried");
    drill.at = engine.now();
    let mut tx = engine.store().begin().await?;
    kept::insert_drill(&mut tx, id, &drill).await?;
    if let Some(trouble) = &drill.trouble {
        let problem = Problem {
            kind: ProblemKind::RestoreFailed,
            severity: Severity::Critical,
            subject: SUBJECT.into(),
            detail: format!("what is kept could not be restored: {trouble}"),
            bytes: drill.bytes,
            fix: None,
        };
        health::insert_problem(&mut tx, id, &problem).await?;
    }
    audit::append(&mut tx, drill.at, "host", "drill", None, &drill.text()).await?;
    tx.commit().await?;
    Ok(())
}

async fn fresh(folder: &Path) -> Result<(), String> {
    remove(folder).await?;
    let folder = folder.to_owned();
    blocking(move || std::fs::create_dir_all(folder)).await
}

async fn remove(folder: &Path) -> Result<(), String> {
    let folder = folder.to_owned();
    let removed = blocking(move || match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    });
    removed.await
}

/// `days`: what was kept last, then all days, newest first.
async fn restore(engine: &Engine, days: &[KeptDay], folder: &Path, drill: &mut Drill) -> Result<(), String> {
    let newest = days.first().ok_or("nothing was ever kept")?;
    let copy = newest.database.as_ref().ok_or("the last snapshot has no copy of the database")?;
    restore_database(copy, folder).await?;
    drill.bytes += copy.bytes;
    for project in &newest.projects {
        if let Some((kept, bundle)) = newest_bundle(days, project)? {
            restore_vault(engine, kept, bundle, folder).await.map_err(|why| format!("{}: {why}", project.name))?;
            drill.vaults += 1;
            drill.bytes += bundle.bytes;
        }
    }
    Ok(())
}

/// A full disk may have kept the last bundle from being written; then an older one has to do. None: the vault is empty.
fn newest_bundle<'a>(
    days: &'a [KeptDay],
    project: &KeptProject,
) -> Result<Option<(&'a KeptProject, &'a KeptBundle)>, String> {
    let mut kept = days.iter().flat_map(|day| &day.projects).filter(|kept| kept.name == project.name);
    match kept.find_map(|kept| Some((kept, kept.bundle.as_ref()?))) {
        None if project.commit.is_some() => Err(format!("there is no bundle of {}", project.name)),
        found => Ok(found),
    }
}

/// Copied, so that what is kept is not even opened by SQLite.
async fn restore_database(copy: &KeptDatabase, folder: &Path) -> Result<(), String> {
    let (from, to) = (copy.path.clone(), folder.join(crate::store::FILE));
    let target = to.clone();
    let hash = blocking(move || {
        std::fs::copy(from, &target)?;
        file_hash(&target)
    });
    let hash = hash.await.map_err(|why| format!("the database's copy: {why}"))?;
    same_file(&hash, (&copy.sha256, copy.bytes)).map_err(|why| format!("the database's copy {why}"))?;
    let found = check_copy(&to).await.map_err(|error| error.to_string())?;
    let recorded = Holdings { rows: copy.rows.clone(), content: copy.content.clone() };
    if found == recorded { Ok(()) } else { Err("the database's copy does not hold the rows it held".into()) }
}

async fn restore_vault(
    engine: &Engine,
    project: &KeptProject,
    bundle: &KeptBundle,
    folder: &Path,
) -> Result<(), String> {
    let (file, room) = (bundle.path.clone(), folder.to_owned());
    let (hash, free) = blocking(move || Ok((file_hash(Path::new(&file))?, available_space(&room)?))).await?;
    same_file(&hash, (&bundle.sha256, bundle.bytes)).map_err(|why| format!("its bundle {why}"))?;
    if free < bundle.bytes.saturating_mul(2) {
        return Err(format!("too little disk is free to try it: {}", human_bytes(free)));
    }
    let into = folder.join(format!("{}.git", project.name));
    let commit: Option<Sha> = project.commit.as_deref().and_then(|commit| commit.parse().ok());
    let restored = async {
        let vault = git::unbundle(&engine.parts.git, Path::new(&bundle.path), &into).await?;
        git::check_objects(&vault, bundle.bytes, commit.as_slice()).await
    };
    restored.await.map_err(|error| error.to_string())?;
    remove(&into).await
}

fn same_file(found: &(String, u64), (sha256, bytes): (&str, u64)) -> Result<(), String> {
    if found.0 == sha256 && found.1 == bytes {
        return Ok(());
    }
    Err(format!("is not the file that was written: {} bytes instead of {bytes}", found.1))
}
