//! Clones: a build's, on the project's base or on the result it depends on, and a check's, of exactly one commit.

use super::vault;
use crate::agent::{CONVENTIONS, PromptFacts, prompt};
use crate::domain::build::{Build, HostFailure};
use crate::domain::id::{BuildId, CheckId};
use crate::domain::settings::{AgentKind, Project};
use crate::domain::task::{Task, TaskKind};
use crate::engine::{Engine, failpoint};
use crate::git::{self, CloneTarget, CopyLimits, GitError, Sha};
use crate::store::{StoreError, builds, checks, tasks};
use chrono::TimeDelta;
use std::path::Path;

/// Waits before a check's clone is tried again.
pub(super) const CHECK_PAUSES: [TimeDelta; 2] = [TimeDelta::seconds(15), TimeDelta::minutes(2)];

fn failure(error: &GitError) -> HostFailure {
    HostFailure { retry: error.retry(), text: error.to_string() }
}

fn plain(text: impl std::fmt::Display) -> HostFailure {
    HostFailure { retry: false, text: text.to_string() }
}

pub(super) async fn prepare_build(engine: &Engine, id: BuildId) -> Result<(), StoreError> {
    let (build, task) = {
        let mut conn = engine.store().read().await?;
        let build = builds::get(&mut conn, id).await?;
        let task = tasks::get(&mut conn, build.task).await?;
        (build, task)
    };
    let made = make_build(engine, &build, &task).await;
    failpoint::pass("build prepared");
    let mut tx = engine.store().begin().await?;
    match made {
        Ok(Some((base, branch))) => builds::prepared(&mut tx, id, Some(base.as_str()), Some(&branch)).await?,
        Ok(None) => builds::prepared(&mut tx, id, None, None).await?,
        Err(failure) => builds::host_failed(&mut tx, id, &failure).await?,
    }
    tx.commit().await?;
    Ok(())
}

/// Returns the commit the build stands on, and the branch it is for; none without a project.
async fn make_build(engine: &Engine, build: &Build, task: &Task) -> Result<Option<(Sha, String)>, HostFailure> {
    let folder = engine.home().build(build.id);
    fresh_folder(&folder)?;
    let name = task.spec.project.as_deref();
    let project = name.and_then(|name| engine.settings().project(name));
    let base = if let Some(project) = project {
        Some(clone_for(engine, project, build, &folder).await?)
    } else {
        std::fs::create_dir_all(folder.join("clone")).map_err(|error| io(&folder, &error))?;
        None
    };
    let artifacts = engine.home().artifacts(task.id);
    if task.spec.kind == TaskKind::Artifact {
        std::fs::create_dir_all(&artifacts).map_err(|error| io(&artifacts, &error))?;
    }
    let verify = project.and_then(|project| project.verify.as_ref()).map(|argv| argv.as_slice().join(" "));
    let artifacts = (task.spec.kind == TaskKind::Artifact).then(|| artifacts.to_string_lossy().into_owned());
    let clone = folder.join("clone");
    // Only whether they are there: what a checkout holds is not read by us, and a link may lead anywhere.
    let there = |name: &&str| clone.join(name).symlink_metadata().is_ok_and(|found| found.is_file());
    let conventions: Vec<&str> = CONVENTIONS.into_iter().filter(|name| there(name)).collect();
    let agent = crate::engine::spec::agent_of(engine, build, task);
    let facts = PromptFacts {
        agent: agent.map_or(AgentKind::Command, |agent| agent.kind),
        verify: verify.as_deref(),
        artifacts: artifacts.as_deref(),
        conventions: &conventions,
    };
    let text = prompt(task, facts);
    let file = folder.join("prompt.md");
    crate::host::atomic_write(&file, text.as_bytes()).map_err(|error| io(&file, &error))?;
    Ok(base)
}

async fn clone_for(
    engine: &Engine,
    project: &Project,
    build: &Build,
    folder: &Path,
) -> Result<(Sha, String), HostFailure> {
    let vault = vault(engine, &project.name).await.map_err(plain)?;
    let base = vault.refresh_base(&project.path, project.base.as_deref()).await.map_err(|error| failure(&error))?;
    let sha = match &build.on_top_of {
        Some(commit) => commit.parse().map_err(plain)?,
        None => base.sha,
    };
    let target = CloneTarget {
        builds_root: engine.home().builds(),
        dest: folder.join("clone"),
        build: format!("b{}", build.id),
    };
    git::make_clone(&vault, &sha, &target).await.map_err(|error| failure(&error))?;
    copy_untracked(project, &target.dest).await?;
    Ok((sha, base.branch))
}

async fn copy_untracked(project: &Project, clone: &Path) -> Result<(), HostFailure> {
    if project.copy.is_empty() {
        return Ok(());
    }
    git::copy_untracked(&project.path, &project.copy, clone, CopyLimits::default())
        .await
        .map(|_| ())
        .map_err(|error| failure(&error))
}

pub(super) async fn prepare_check(engine: &Engine, id: CheckId) -> Result<(), StoreError> {
    let check = {
        let mut conn = engine.store().read().await?;
        checks::get(&mut conn, id).await?
    };
    let mut made = make_check(engine, id, &check.project, &check.commit).await;
    // A build of hours hangs on this clone: what may go well in a moment is tried again here.
    for pause in CHECK_PAUSES {
        if !made.as_ref().is_err_and(|failure| failure.retry) {
            break;
        }
        engine.parts.clock.sleep_until(engine.now() + pause).await;
        made = make_check(engine, id, &check.project, &check.commit).await;
    }
    failpoint::pass("check prepared");
    let mut tx = engine.store().begin().await?;
    match made {
        Ok(commit) => checks::prepared(&mut tx, id, commit.as_str()).await?,
        Err(failure) => checks::host_failed(&mut tx, id, &failure).await?,
    }
    tx.commit().await?;
    Ok(())
}

/// An empty `commit` means the project's base as it is now.
async fn make_check(engine: &Engine, id: CheckId, project: &str, commit: &str) -> Result<Sha, HostFailure> {
    let folder = engine.home().check(id);
    fresh_folder(&folder)?;
    let settings = engine.settings();
    let project = settings.project(project).ok_or_else(|| plain(format!("project {project:?} is not configured")))?;
    let vault = vault(engine, &project.name).await.map_err(plain)?;
    let sha = if commit.is_empty() {
        vault.refresh_base(&project.path, project.base.as_deref()).await.map_err(|error| failure(&error))?.sha
    } else {
        commit.parse().map_err(plain)?
    };
    let target =
        CloneTarget { builds_root: engine.home().checks(), dest: folder.join("clone"), build: format!("c{id}") };
    git::make_clone(&vault, &sha, &target).await.map_err(|error| failure(&error))?;
    copy_untracked(project, &target.dest).await?;
    Ok(sha)
}

/// The folder with its `tmp`, whatever an earlier try left of it.
fn fresh_folder(folder: &Path) -> Result<(), HostFailure> {
    std::fs::create_dir_all(folder.join("tmp")).map_err(|error| io(folder, &error))
}

fn io(path: &Path, error: &std::io::Error) -> HostFailure {
    // A full disk or a busy file system may be better later; anything else needs a person.
    let retry = matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::Interrupted);
    HostFailure { retry, text: format!("{}: {error}", path.display()) }
}
