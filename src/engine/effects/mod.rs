//! Effects: work that takes time, done in the background. Each ends in one recorded fact, success or failure; until it
//! is recorded the planner waits, and after a crash it asks for the effect again, so each can be repeated.

mod clones;
mod collect;
mod drill;
mod health;
mod keep;
mod patterns;
mod report;
mod ship;

pub(super) use health::{Checked, asked as health_asked};

use super::{Engine, lock};
use crate::domain::plan::Effect;
use crate::git::Vault;
use crate::store::StoreError;
use std::time::Duration;

/// After a failure to record its fact an effect stays "under way" this long, so that a full disk is not hammered.
const RECORD_PAUSE: Duration = Duration::from_secs(5);

/// Begins an effect unless this process has it under way already.
pub(super) fn begin(engine: &Engine, effect: Effect) {
    if !engine.in_flight().insert(effect) {
        return;
    }
    let engine = engine.clone();
    let tracker = engine.live.tasks.clone();
    tracker.spawn(async move {
        super::failpoint::pass("effect begins");
        // A panic in an effect must not leave it "under way" for ever.
        let done = tokio::spawn(run(engine.clone(), effect)).await;
        let trouble = match done {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(error) => Some(format!("it broke: {error}")),
        };
        if let Some(trouble) = trouble {
            tracing::error!(?effect, trouble, "an effect could not be recorded; it will be tried again");
            tokio::time::sleep(RECORD_PAUSE).await;
        }
        super::failpoint::pass("effect recorded");
        engine.in_flight().remove(&effect);
        engine.wake();
    });
}

async fn run(engine: Engine, effect: Effect) -> Result<(), StoreError> {
    match effect {
        Effect::Health(session) => health::check(&engine, session).await,
        Effect::Patterns(session) => patterns::check(&engine, session).await,
        Effect::Snapshot(session) => keep::keep(&engine, session).await,
        Effect::Drill(session) => drill::drill(&engine, session).await,
        Effect::PrepareBuild(build) => clones::prepare_build(&engine, build).await,
        Effect::PrepareCheck(check) => clones::prepare_check(&engine, check).await,
        Effect::Collect(build) => collect::collect(&engine, build).await,
        Effect::Report(session) => report::write(&engine, session).await,
        Effect::SeeBranch(id) => ship::see_branch(&engine, id).await,
        Effect::Pick(id) => ship::pick(&engine, id).await,
        Effect::Land(id) => ship::land(&engine, id).await,
    }
}

/// The project's vault, opened once a process so that builds of one project share its lock.
pub(super) async fn vault(engine: &Engine, project: &str) -> Result<Vault, String> {
    if let Some(vault) = lock(&engine.live.vaults).get(project) {
        return Ok(vault.clone());
    }
    let settings = engine.settings();
    let path = &settings.project(project).ok_or_else(|| format!("project {project:?} is not configured"))?.path;
    let opened = Vault::open_or_init(&engine.parts.git, &engine.home().vaults(), project, path).await;
    let vault = opened.map_err(|error| error.to_string())?;
    Ok(lock(&engine.live.vaults).entry(project.to_owned()).or_insert(vault).clone())
}
