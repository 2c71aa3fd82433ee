//! Collecting: the host commits what the agent left and takes it into the vault. Repeating it gives the same commit.

use super::vault;
use crate::agent;
use crate::domain::build::{Build, Change, HostFailure};
use crate::domain::id::BuildId;
use crate::domain::risk;
use crate::domain::session::Session;
use crate::domain::settings::AgentKind;
use crate::domain::task::{Task, TaskKind};
use crate::domain::words::list;
use crate::engine::home::build_refs;
use crate::engine::spec::agent_of;
use crate::engine::{Engine, failpoint};
use crate::git::{self, CommitMessage, Person, Sha};
use crate::store::{StoreError, audit, builds, sessions, tasks};
use std::path::{Path, PathBuf};

/// Paths shown of a change; the rest is counted.
const SHOWN_PATHS: usize = 20;
/// Longest patch looked through for secrets.
const READ_BYTES: usize = 1 << 20;

pub(super) async fn collect(engine: &Engine, id: BuildId) -> Result<(), StoreError> {
    let (build, task, session) = {
        let mut conn = engine.store().read().await?;
        let build = builds::get(&mut conn, id).await?;
        let task = tasks::get(&mut conn, build.task).await?;
        let session = sessions::get(&mut conn, build.session).await?;
        (build, task, session)
    };
    let collected = match task.spec.kind {
        TaskKind::Artifact => files(&engine.home().artifacts(task.id)).map(|change| (None, change)),
        TaskKind::Code | TaskKind::Action => commit(engine, &build, &task, &session).await,
    };
    failpoint::pass("result collected");
    let mut tx = engine.store().begin().await?;
    match collected {
        Ok((commit, change)) => {
            builds::collected(&mut tx, id, commit.as_ref().map(Sha::as_str), &change).await?;
        }
        Err(failure) => builds::host_failed(&mut tx, id, &failure).await?,
    }
    tx.commit().await?;
    Ok(())
}

async fn commit(
    engine: &Engine,
    build: &Build,
    task: &Task,
    session: &Session,
) -> Result<(Option<Sha>, Change), HostFailure> {
    let git_failure = |error: git::GitError| HostFailure { retry: error.retry(), text: error.to_string() };
    let plain = |text: String| HostFailure { retry: false, text };
    let name = task.spec.project.clone().unwrap_or_default();
    let vault = vault(engine, &name).await.map_err(plain)?;
    let base: Sha = build
        .base
        .as_deref()
        .and_then(|base| base.parse().ok())
        .ok_or_else(|| plain(format!("build {} does not know the commit it stands on", build.id)))?;
    let message = CommitMessage {
        subject: task.spec.title.clone(),
        body: task.spec.details.clone(),
        task: task.id.to_string(),
        session: session.name(),
        build: build.id.to_string(),
        author: Person { name: "overnight".into(), email: "overnight@localhost".into() },
        date: build.started_at,
    };
    let mut exclude = engine.settings().project(&name).map(|project| project.copy.clone()).unwrap_or_default();
    let clone = engine.home().build(build.id).join("clone");
    exclude.extend(agent_of(engine, build, task).map(|agent| litter(&clone, agent.kind)).unwrap_or_default());
    let collected =
        git::collect(&vault, &clone, &base, &message, &exclude, &git::Limits::default()).await.map_err(git_failure)?;
    let refs = build_refs(build, session).map_err(git_failure)?;
    if let Some(commit) = &collected.commit {
        let subject = format!("{name}.git {}", refs.result.as_str());
        let operation = note(engine, &subject, commit, build).await.map_err(|error| plain(error.to_string()))?;
        failpoint::pass("refs announced");
        vault.record_ref(&refs.base, &base, None).await.map_err(git_failure)?;
        vault.record_ref(&refs.result, commit, None).await.map_err(git_failure)?;
        failpoint::pass("refs set");
        done(engine, operation).await.map_err(|error| plain(error.to_string()))?;
    }
    let secrets = match &collected.commit {
        Some(commit) => git::patch(&vault, &base, commit, READ_BYTES).await,
        None => Ok(vec![]),
    };
    let secrets = secrets.map(|patch| risk::added_secrets(&String::from_utf8_lossy(&patch)));
    let mut change = change(&collected, secrets.as_deref().unwrap_or_default());
    if secrets.is_err() {
        change.flags.push("too large to be looked through for secrets".into());
    }
    Ok((collected.commit.clone(), change))
}

/// What the agent's CLI left at the top of the clone for itself. Where the project has a file by such a name, that file
/// counts as ever.
fn litter(clone: &Path, kind: AgentKind) -> Vec<PathBuf> {
    let begins = agent::litter(kind);
    let entries = std::fs::read_dir(clone).into_iter().flatten().flatten();
    let names = entries.map(|entry| PathBuf::from(entry.file_name()));
    names.filter(|name| name.to_str().is_some_and(|name| begins.iter().any(|begin| name.starts_with(begin)))).collect()
}

async fn note(engine: &Engine, subject: &str, commit: &Sha, build: &Build) -> Result<i64, StoreError> {
    let mut tx = engine.store().begin().await?;
    let id = audit::operation(&mut tx, engine.now(), "set_ref", subject, None, Some(commit.as_str()), Some(build.task))
        .await?;
    tx.commit().await?;
    Ok(id)
}

async fn done(engine: &Engine, operation: i64) -> Result<(), StoreError> {
    let mut tx = engine.store().begin().await?;
    audit::operation_done(&mut tx, operation, engine.now()).await?;
    tx.commit().await?;
    Ok(())
}

fn change(collected: &git::Collected, secrets: &[String]) -> Change {
    let count = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    let mut flags = Vec::new();
    if collected.git_replaced {
        flags.push("its .git was replaced, and not used".to_owned());
    }
    if !collected.planted.is_empty() {
        flags.push(format!("programs named in its .git, none was run: {}", list(&collected.planted, 3)));
    }
    let mut flag = |what: &str, paths: &[String]| {
        flags.extend(paths.iter().take(5).map(|path| format!("{what}: {path}")));
    };
    flag("nested repository, not taken", &collected.nested);
    flag("looks like a bare repository", &collected.bare);
    flag("link out of the tree", &collected.outward_links);
    flag("special file, not taken", &collected.special);
    let changed: Vec<risk::Changed<'_>> = collected
        .files
        .iter()
        .map(|file| risk::Changed {
            path: &file.path,
            deleted: file.status == git::ChangeStatus::Deleted,
            binary: file.binary,
            link: file.link,
            submodule: file.submodule,
        })
        .collect();
    flags.extend(risk::flags(&changed, secrets));
    Change {
        files: u32::try_from(collected.files.len()).unwrap_or(u32::MAX),
        insertions: count(collected.insertions),
        deletions: count(collected.deletions),
        docs_touched: git::docs_touched(&collected.files),
        paths: collected.files.iter().take(SHOWN_PATHS).map(|file| file.path.clone()).collect(),
        flags,
    }
}

/// What an artifact task left in its folder. Links and folders' own entries are not followed or counted.
fn files(folder: &Path) -> Result<Change, HostFailure> {
    let mut change = Change::default();
    let mut open = vec![folder.to_path_buf()];
    while let Some(current) = open.pop() {
        let failure =
            |error: std::io::Error| HostFailure { retry: false, text: format!("{}: {error}", current.display()) };
        for entry in std::fs::read_dir(&current).map_err(failure)? {
            let entry = entry.map_err(failure)?;
            let kind = entry.file_type().map_err(failure)?;
            if kind.is_dir() {
                open.push(entry.path());
            } else if kind.is_file() {
                change.files += 1;
                if change.paths.len() < SHOWN_PATHS {
                    let path = entry.path();
                    let shown = path.strip_prefix(folder).unwrap_or(&path);
                    change.paths.push(git::escape(shown.as_os_str().as_encoded_bytes()));
                }
            }
        }
    }
    change.paths.sort();
    Ok(change)
}
