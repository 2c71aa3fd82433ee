//! Before the first build of a session the day is kept: each project's files as a commit in its vault, each vault as a
//! bundle, the database as a copy. What can't be kept is a problem of the session and never stops it. Each step replaces
//! what an interrupted try left.

use super::vault;
use crate::domain::format::human_bytes;
use crate::domain::id::SessionId;
use crate::domain::kept::{KeptBundle, KeptDatabase, KeptDay, KeptProject, Skipped, staying};
use crate::domain::problem::{Problem, ProblemKind, Severity};
use crate::domain::session::Session;
use crate::domain::settings::Project;
use crate::domain::throttle::PressureKind;
use crate::engine::{Engine, failpoint};
use crate::git::{self, SnapshotLimits, Vault};
use crate::host::space::{available_space, file_hash, folder_bytes, place};
use crate::store::{StoreError, audit, health, kept, sessions};
use chrono::NaiveDate;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

/// What is known before anything is kept.
struct Ground {
    session: Session,
    folder: PathBuf,
    before: Vec<KeptDay>,
    /// Why nothing large is written now.
    disk: Option<&'static str>,
}

pub(super) async fn keep(engine: &Engine, id: SessionId) -> Result<(), StoreError> {
    let ground = {
        let mut conn = engine.store().read().await?;
        let session = sessions::get(&mut conn, id).await?;
        let pressed = health::open_throttles(&mut conn).await?.iter().any(|open| open.kind == PressureKind::Disk);
        Ground {
            folder: engine.home().snapshot(session.date),
            before: kept::all(&mut conn).await?,
            disk: pressed.then_some("the disk is over its limit"),
            session,
        }
    };
    let mut problems = Vec::new();
    let mut day = KeptDay { date: ground.session.date, taken_at: engine.now(), database: None, projects: Vec::new() };
    match std::fs::create_dir_all(&ground.folder) {
        Ok(()) => {
            for project in &engine.settings().projects {
                day.projects.push(keep_project(engine, &ground, project, &mut problems).await);
                failpoint::pass("project kept");
            }
            match keep_database(engine, &ground.folder).await {
                Ok(copy) => day.database = Some(copy),
                Err(why) => problems.push(failed("the database", &why)),
            }
        }
        Err(error) => problems.push(failed(&ground.folder.display().to_string(), &error.to_string())),
    }
    failpoint::pass("database kept");
    describe(&ground.folder, &day, &mut problems);
    let old = drop_old(engine, &ground, &mut problems).await;
    failpoint::pass("snapshot taken");
    record(engine, id, &day, &problems, &old).await
}

async fn record(
    engine: &Engine,
    id: SessionId,
    day: &KeptDay,
    problems: &[Problem],
    old: &BTreeSet<NaiveDate>,
) -> Result<(), StoreError> {
    let now = engine.now();
    let mut tx = engine.store().begin().await?;
    for date in old {
        kept::removed(&mut tx, *date, now).await?;
    }
    kept::insert(&mut tx, id, day).await?;
    for problem in problems {
        health::insert_problem(&mut tx, id, problem).await?;
    }
    let commits = day.projects.iter().filter(|project| project.commit.is_some()).count();
    let text = format!(
        "kept {}: {commits} of {} projects, {}database, {}",
        day.date,
        day.projects.len(),
        if day.database.is_some() { "" } else { "no " },
        human_bytes(day.bytes())
    );
    audit::append(&mut tx, now, "host", "snapshot", None, &text).await?;
    sessions::snapshot_done(&mut tx, id).await?;
    failpoint::pass("before snapshot commit");
    tx.commit().await?;
    Ok(())
}

fn problem(kind: ProblemKind, severity: Severity, subject: &str, detail: String) -> Problem {
    Problem { kind, severity, subject: subject.to_owned(), detail, bytes: 0, fix: None }
}

fn failed(subject: &str, why: &str) -> Problem {
    let detail = format!("not in today's snapshot: {why}");
    problem(ProblemKind::SnapshotFailed, Severity::Warning, subject, detail)
}

async fn keep_project(engine: &Engine, ground: &Ground, project: &Project, problems: &mut Vec<Problem>) -> KeptProject {
    let mut done = KeptProject {
        name: project.name.clone(),
        commit: None,
        files: 0,
        skipped: Vec::new(),
        bundle: None,
        bundle_trouble: None,
    };
    let vault = match vault(engine, &project.name).await {
        Ok(vault) => vault,
        Err(why) => {
            problems.push(failed(&project.name, &why));
            return done;
        }
    };
    // A snapshot stands on the branch where that is known; a repository without one has files all the same.
    if let Err(error) = vault.refresh_base(&project.path, project.base.as_deref()).await {
        tracing::info!(%error, "a snapshot is taken without the branch");
    }
    let session = &ground.session;
    let limits = SnapshotLimits::default();
    match git::snapshot(&vault, &project.path, session.date, session.started_at, &limits).await {
        Ok(Some(taken)) => {
            done.commit = Some(taken.commit.to_string());
            done.files = taken.files;
            let skipped = taken.skipped.into_iter();
            done.skipped = skipped.map(|file| Skipped { path: file.path, why: file.why }).collect();
        }
        Ok(None) => {}
        Err(error) => problems.push(failed(&project.name, &error.to_string())),
    }
    // What was left out the last time too is not told again.
    let told = last(ground, project).is_some_and(|last| last.skipped == done.skipped);
    if let Some(text) = done.left_out().filter(|_| !told) {
        problems.push(problem(ProblemKind::SnapshotPartial, Severity::Info, &project.name, text));
    }
    match keep_vault(ground, project, &vault).await {
        Ok(bundle) => done.bundle = bundle,
        Err(why) => {
            problems.push(failed(&format!("the vault of {}", project.name), &why));
            done.bundle_trouble = Some(why);
        }
    }
    done
}

fn last<'a>(ground: &'a Ground, project: &Project) -> Option<&'a KeptProject> {
    ground.before.iter().flat_map(|day| &day.projects).find(|kept| kept.name == project.name)
}

/// The vault as a bundle: that of an earlier day, if it leads to the same commits and is still what it was. None: the
/// vault is empty.
async fn keep_vault(ground: &Ground, project: &Project, vault: &Vault) -> Result<Option<KeptBundle>, String> {
    let file = git::bundle_file(&ground.folder, &project.name);
    let tips = git::tips(vault).await.map_err(|error| error.to_string())?;
    let kept = ground.before.iter().flat_map(|day| &day.projects).filter(|kept| kept.name == project.name);
    let same: Vec<KeptBundle> = kept.filter_map(|kept| kept.bundle.clone()).filter(|kept| kept.tips == tips).collect();
    let (dir, folder) = (vault.dir().to_owned(), ground.folder.clone());
    let name = file.clone();
    let linked = blocking(move || {
        let linked = same.into_iter().find(|kept| link(kept, &name).unwrap_or(false));
        let room = (folder_bytes(&dir), available_space(&folder)?);
        Ok((linked, room))
    });
    let (linked, (needed, free)) = linked.await?;
    let path = file.display().to_string();
    if let Some(linked) = linked {
        return Ok(Some(KeptBundle { path, ..linked }));
    }
    if let Some(why) = ground.disk {
        return Err(format!("no bundle is written, {why}"));
    }
    enough(free, needed)?;
    if !git::bundle(vault, &file).await.map_err(|error| error.to_string())? {
        return Ok(None);
    }
    let (sha256, bytes) = blocking(move || file_hash(&file)).await?;
    Ok(Some(KeptBundle { path, bytes, sha256, tips }))
}

/// One more name for a bundle that is still what it was; takes no room.
fn link(kept: &KeptBundle, name: &Path) -> io::Result<bool> {
    let from = Path::new(&kept.path);
    if file_hash(from)? != (kept.sha256.clone(), kept.bytes) {
        return Ok(false);
    }
    if from == name {
        return Ok(true);
    }
    for end in ["", ".shallow"] {
        let with_end = |path: &Path| PathBuf::from(format!("{}{end}", path.display()));
        let (from, name) = (with_end(from), with_end(name));
        let new = with_end(&name.with_extension("link"));
        match std::fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        match std::fs::hard_link(&from, &new) {
            Ok(()) => place(&new, &name)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !end.is_empty() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

fn enough(free: u64, needed: u64) -> Result<(), String> {
    let wanted = needed.saturating_mul(2);
    if free >= wanted {
        return Ok(());
    }
    Err(format!("only {} of disk are free, {} are wanted", human_bytes(free), human_bytes(wanted)))
}

async fn keep_database(engine: &Engine, folder: &Path) -> Result<KeptDatabase, String> {
    let (new, file) = (folder.join(".new.sqlite"), folder.join(crate::store::FILE));
    let (live, place_for, leftover) = (engine.store().path().to_owned(), folder.to_owned(), new.clone());
    let (needed, free) = blocking(move || {
        match std::fs::remove_file(&leftover) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        // Only asked for its size: opening it here would drop SQLite's locks.
        Ok((std::fs::metadata(&live)?.len(), available_space(&place_for)?))
    })
    .await?;
    enough(free, needed)?;
    let holdings = engine.store().copy_to(&new).await.map_err(|error| error.to_string())?;
    let path = file.display().to_string();
    let (sha256, bytes) = blocking(move || place(&new, &file).and_then(|()| file_hash(&file))).await?;
    Ok(KeptDatabase { path, bytes, sha256, rows: holdings.rows, content: holdings.content })
}

/// Writes what the folder holds beside it: should the database be lost, this is how its copy is found.
fn describe(folder: &Path, day: &KeptDay, problems: &mut Vec<Problem>) {
    let written = serde_json::to_vec_pretty(day).map_err(io::Error::other);
    let written =
        written.and_then(|text| crate::host::atomic_write(&folder.join(crate::engine::home::MANIFEST), &text));
    if let Err(error) = written {
        problems.push(failed("the list of what was kept", &error.to_string()));
    }
}

/// Removes folders of days that do not stay, and in each vault the refs of days that do not stay there: a project that
/// could not be kept lately keeps its older days. Gives the days whose folders are gone.
async fn drop_old(engine: &Engine, ground: &Ground, problems: &mut Vec<Problem>) -> BTreeSet<NaiveDate> {
    let today = ground.session.date;
    for project in &engine.settings().projects {
        let Ok(vault) = vault(engine, &project.name).await else { continue };
        if let Err(error) = git::drop_snapshots(&vault, |days| staying(days, today)).await {
            problems.push(failed(&format!("the vault of {}", project.name), &error.to_string()));
        }
    }
    let mut days: BTreeSet<NaiveDate> = ground.before.iter().map(|day| day.date).collect();
    days.insert(today);
    let stay = staying(&days, today);
    let mut gone = BTreeSet::new();
    for date in days.difference(&stay) {
        let folder = engine.home().snapshot(*date);
        match blocking(move || std::fs::remove_dir_all(folder).or_else(not_there)).await {
            Ok(()) => drop(gone.insert(*date)),
            Err(why) => problems.push(failed(&format!("the old snapshot of {date}"), &why)),
        }
    }
    gone
}

fn not_there(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

/// File work, on a thread where it may take its time.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, String> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    }
}
