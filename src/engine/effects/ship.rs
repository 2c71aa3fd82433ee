//! Ships: what would land is made in the vault, and the owner's branch is moved to it. The only effect that writes to a
//! repository of the owner's; each can be repeated.

use super::{clones, vault};
use crate::domain::id::ShipId;
use crate::domain::settings::Project;
use crate::domain::ship::{Found, Ship, ShipKind, ShipStep, only_ours};
use crate::engine::home::build_refs;
use crate::engine::{Engine, failpoint};
use crate::git::{self, CommitMessage, Fault, GitError, Landed, Landing, Person, Picked, Sha, Vault};
use crate::store::{StoreError, audit, builds, sessions, ships, tasks};
use chrono::TimeDelta;

/// A wish that is older when the branch is looked at was made before the bot was away.
const FRESH: TimeDelta = TimeDelta::minutes(5);

/// A failed host step: whether it can be tried again is the plan's to act on.
fn failed(error: &GitError) -> Found {
    let text = error.to_string();
    if error.retry() { Found::Failed { text } } else { Found::Refused { text } }
}

fn refused(text: impl Into<String>) -> Found {
    Found::Refused { text: text.into() }
}

async fn load(engine: &Engine, id: ShipId) -> Result<Ship, StoreError> {
    let mut conn = engine.store().read().await?;
    ships::get(&mut conn, id).await
}

async fn ground<'a>(engine: &'a Engine, ship: &Ship) -> Result<(&'a Project, Vault), Found> {
    let project = engine.settings().project(&ship.project);
    let project = project.ok_or_else(|| refused(format!("the project {:?} is not configured", ship.project)))?;
    let vault = vault(engine, &project.name).await.map_err(refused)?;
    Ok((project, vault))
}

/// The branch a ship lands on.
fn onto<'a>(ship: &'a Ship, project: &'a Project) -> Option<&'a str> {
    ship.branch.as_deref().or(project.base.as_deref())
}

/// Where the branch is in the moment the ship is asked for.
pub(super) async fn see_branch(engine: &Engine, id: ShipId) -> Result<(), StoreError> {
    let ship = load(engine, id).await?;
    let mut seen = branch(engine, &ship).await;
    for pause in clones::CHECK_PAUSES {
        if !matches!(seen, Err(Found::Failed { .. })) {
            break;
        }
        engine.parts.clock.sleep_until(engine.now() + pause).await;
        seen = branch(engine, &ship).await;
    }
    if engine.now() - ship.asked_at > FRESH && seen.is_ok() && ship.kind == ShipKind::Ship {
        seen = Err(refused("the bot was away as you asked, and the branch may have moved since; ask again"));
    }
    let mut tx = engine.store().begin().await?;
    match seen {
        Ok(base) => ships::asked_onto(&mut tx, id, base.as_str()).await?,
        Err(found) => {
            let text = match found {
                Found::Failed { text } | Found::Refused { text } => text,
                _ => String::new(),
            };
            ships::found(&mut tx, id, ShipStep::Queued, &refused(text)).await?;
        }
    }
    tx.commit().await?;
    Ok(())
}

async fn branch(engine: &Engine, ship: &Ship) -> Result<Sha, Found> {
    let (project, vault) = ground(engine, ship).await?;
    let base = vault.refresh_base(&project.path, onto(ship, project)).await.map_err(|error| failed(&error))?;
    Ok(base.sha)
}

/// Carries the change onto the branch as it is now.
pub(super) async fn pick(engine: &Engine, id: ShipId) -> Result<(), StoreError> {
    let ship = load(engine, id).await?;
    let (moves, message) = {
        let mut conn = engine.store().read().await?;
        let moves = ships::moves(&mut conn, &ship.project).await?;
        let task = tasks::get(&mut conn, ship.task).await?;
        let session = sessions::get(&mut conn, ship.session).await?;
        let (subject, body) = match ship.kind {
            ShipKind::Ship => (task.spec.title, task.spec.details),
            ShipKind::Revert => (format!("Revert {:?}", task.spec.title), format!("Takes back {}.", ship.from)),
        };
        let message = CommitMessage {
            subject,
            body,
            task: ship.task.to_string(),
            session: session.name(),
            build: ship.build.to_string(),
            author: Person { name: "overnight".into(), email: "overnight@localhost".into() },
            date: ship.asked_at,
        };
        (moves, message)
    };
    let found = carry(engine, &ship, &moves, &message).await;
    failpoint::pass("ship picked");
    let mut tx = engine.store().begin().await?;
    let found = match found {
        Ok((onto, commit, check)) => {
            ships::picked(&mut tx, id, onto.as_str(), commit.as_str()).await?;
            Found::Picked { check }
        }
        Err(found) => found,
    };
    ships::found(&mut tx, id, ShipStep::Picking, &found).await?;
    tx.commit().await?;
    Ok(())
}

/// The branch, what shall land on it, and whether that must be verified first.
async fn carry(
    engine: &Engine,
    ship: &Ship,
    moves: &[(String, String)],
    message: &CommitMessage,
) -> Result<(Sha, Sha, bool), Found> {
    let (_, vault) = ground(engine, ship).await?;
    let onto = branch(engine, ship).await?;
    if ship.red.as_deref() == Some(onto.as_str()) {
        return Err(Found::StillRed);
    }
    let asked_onto = ship.asked_onto.as_deref().unwrap_or_default();
    if ship.kind == ShipKind::Ship && !only_ours(asked_onto, onto.as_str(), moves) {
        let short = |sha: &str| sha.chars().take(12).collect::<String>();
        let (from, to) = (short(asked_onto), short(onto.as_str()));
        let text =
            format!("somebody moved the branch from {from} to {to} after you asked; ask again if you still want it");
        return Err(Found::Moved { text });
    }
    let parse = |sha: &str| sha.parse::<Sha>().map_err(|error| refused(error.to_string()));
    let (from, to) = (parse(&ship.from)?, parse(&ship.to)?);
    if onto == from {
        return Ok((onto, to, !ship.verified));
    }
    match git::pick(&vault, &from, &to, &onto, message).await.map_err(|error| failed(&error))? {
        Picked::Commit(commit) => Ok((onto, commit, true)),
        Picked::Nothing => Err(Found::Nothing),
        Picked::Conflict(paths) => Err(Found::Conflict { paths }),
    }
}

/// Moves the branch, written down before it happens.
pub(super) async fn land(engine: &Engine, id: ShipId) -> Result<(), StoreError> {
    let ship = load(engine, id).await?;
    let (build, session) = {
        let mut conn = engine.store().read().await?;
        (builds::get(&mut conn, ship.build).await?, sessions::get(&mut conn, ship.session).await?)
    };
    let (Some(old), Some(new)) = (ship.onto.as_deref(), ship.commit.as_deref()) else {
        return record(engine, id, &refused("what shall land is not known")).await;
    };
    let (operation, again) = {
        let mut tx = engine.store().begin().await?;
        audit::drop_announced(&mut tx, "land", &ship.project, Some(new), engine.now()).await?;
        let again = audit::announced(&mut tx, "land", &ship.project, new).await?;
        let now = engine.now();
        let row = audit::operation(&mut tx, now, "land", &ship.project, Some(old), Some(new), Some(ship.task)).await?;
        tx.commit().await?;
        (row, again)
    };
    failpoint::pass("landing announced");
    let undo = build_refs(&build, &session).map(|refs| refs.undo);
    let found = match undo {
        Ok(undo) => move_branch(engine, &ship, (old, new), &undo, again).await,
        Err(error) => failed(&error),
    };
    failpoint::pass("branch moved");
    let mut tx = engine.store().begin().await?;
    match &found {
        Found::Landed => audit::operation_done(&mut tx, operation, engine.now()).await?,
        // What failed on the way may have begun: it stays announced, and is looked at again.
        Found::Failed { .. } => {}
        _ => audit::operation_dropped(&mut tx, operation, engine.now()).await?,
    }
    ships::found(&mut tx, id, ShipStep::Landing, &found).await?;
    tx.commit().await?;
    Ok(())
}

async fn record(engine: &Engine, id: ShipId, found: &Found) -> Result<(), StoreError> {
    let mut tx = engine.store().begin().await?;
    ships::found(&mut tx, id, ShipStep::Landing, found).await?;
    tx.commit().await?;
    Ok(())
}

async fn move_branch(
    engine: &Engine,
    ship: &Ship,
    (old, new): (&str, &str),
    undo: &git::RefName,
    again: bool,
) -> Found {
    let (project, vault) = match ground(engine, ship).await {
        Ok(ground) => ground,
        Err(found) => return found,
    };
    let (Ok(old), Ok(new)) = (old.parse::<Sha>(), new.parse::<Sha>()) else {
        return refused("what shall land has no commit's name");
    };
    let work = async {
        let before = vault.read_ref(undo).await?;
        vault.record_ref(undo, &old, before.as_ref()).await?;
        let base = vault.refresh_base(&project.path, onto(ship, project)).await?;
        let what = if ship.kind == ShipKind::Ship { "ship" } else { "revert" };
        let note = format!("overnight: {what} #{}", ship.task);
        let landing = Landing { owner: &project.path, branch: &base.branch, old: &old, new: &new, note: &note, again };
        git::land(&vault, &landing).await
    };
    match work.await {
        Ok(Landed::Done) => Found::Landed,
        Ok(Landed::Waits(text)) => Found::Waits { text },
        Ok(Landed::Moved(_)) => Found::Overtaken,
        Ok(Landed::Refused(text)) => Found::Refused { text },
        Err(error) if error.fault == Fault::RefMoved => Found::Overtaken,
        Err(error) => failed(&error),
    }
}
