//! The card of a build's result, and how the owner is told what became of a ship. One a build; it changes in place.

use super::say::button;
use super::{Engine, facts};
use crate::domain::button::Meaning;
use crate::domain::facts::BuildFact;
use crate::domain::id::{BuildId, ShipId};
use crate::domain::message::Message;
use crate::domain::review::{ReviewButton, ReviewFacts, card};
use crate::domain::ship::{Ship, ShipKind, ShipOutcome, in_force};
use crate::store::{Conn, StoreError, audit, builds, checks, outbox, ships};
use chrono::{DateTime, Utc};

/// Outbox key of a result's card.
pub(super) fn key(build: BuildId) -> String {
    format!("review:{build}:")
}

/// A result with all that was decided about it.
pub(super) struct Reviewed {
    /// The build.
    pub(super) fact: BuildFact,
    /// Its newest ship or revert.
    pub(super) ship: Option<Ship>,
    /// The landing in force: its result is on the branch.
    pub(super) landed: Option<Ship>,
    /// The owner does not want it.
    pub(super) discarded: bool,
}

/// Loads a build's result.
pub(super) async fn load(engine: &Engine, conn: &mut Conn, build: BuildId) -> Result<Reviewed, StoreError> {
    let build = builds::get(conn, build).await?;
    let of_session = checks::of_session(conn, build.session).await?;
    let (id, task) = (build.id, build.task);
    let fact = facts::build_facts(engine, conn, vec![build], &of_session).await?.remove(0);
    let history: Vec<Ship> = ships::of_task(conn, task).await?.into_iter().filter(|ship| ship.build == id).collect();
    let landed = in_force(&history).cloned();
    let discarded = ships::is_discarded(conn, id).await?;
    Ok(Reviewed { fact, landed, discarded, ship: history.into_iter().next_back() })
}

/// The card, with working buttons.
pub(super) async fn draw(conn: &mut Conn, result: &Reviewed, now: DateTime<Utc>) -> Result<Message, StoreError> {
    let (task, build) = (result.fact.task.id, result.fact.build.id);
    let facts = ReviewFacts {
        fact: &result.fact,
        ship: result.ship.as_ref(),
        landed: result.landed.is_some(),
        discarded: result.discarded,
    };
    let mut row = Vec::new();
    for which in facts.buttons() {
        let (label, command, meaning) = match which {
            ReviewButton::Ship => ("🚢 Ship", "ship", Meaning::Ship { task, build, anyway: false }),
            ReviewButton::Diff => ("📄 Diff", "diff", Meaning::Diff { task }),
            ReviewButton::Discard => ("🗑 Discard", "discard", Meaning::Discard { task }),
            ReviewButton::Undo => ("↩ Undo", "undo", Meaning::Undo { task }),
            ReviewButton::Revert => ("↩ Revert", "revert", Meaning::Revert { task }),
        };
        row.push(button(conn, label, &format!("/{command} {task}"), &meaning, now).await?);
    }
    Ok(card(facts, row))
}

/// Redraws the card of a result wherever it was shown.
pub(super) async fn redraw(
    engine: &Engine,
    conn: &mut Conn,
    build: BuildId,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let shown = outbox::keys_like(conn, &key(build)).await?;
    if shown.is_empty() {
        return Ok(());
    }
    let result = load(engine, conn, build).await?;
    let message = draw(conn, &result, now).await?;
    for (chat, key) in shown {
        outbox::say(conn, &chat, &key, &message, true, now).await?;
    }
    Ok(())
}

/// A ship has ended: it is written down, its card redrawn, and said to the owner if it was not what they asked for.
pub(super) async fn ended(engine: &Engine, conn: &mut Conn, id: ShipId, now: DateTime<Utc>) -> Result<(), StoreError> {
    let ship = ships::get(conn, id).await?;
    let Some(outcome) = ship.outcome else { return Ok(()) };
    let kind = match (ship.kind, outcome) {
        (ShipKind::Ship, ShipOutcome::Landed) => "shipped",
        (ShipKind::Revert, ShipOutcome::Landed) => "reverted",
        _ => "not_landed",
    };
    let moved = ship.onto.as_deref().zip(ship.commit.as_deref()).filter(|_| outcome == ShipOutcome::Landed);
    let moved = moved.map_or(String::new(), |(old, new)| format!(" ({} from {old} to {new})", ship.project));
    let text = format!("{} of build {} ended {outcome}: {}{moved}", ship.kind, ship.build, ship.reason);
    audit::append(conn, now, "host", kind, Some(ship.task), &text).await?;
    redraw(engine, conn, ship.build, now).await?;
    // Who has the card in front of them sees it change; what they did not ask for is said besides.
    if outcome == ShipOutcome::Landed && !outbox::keys_like(conn, &self::key(ship.build)).await?.is_empty() {
        return Ok(());
    }
    let result = load(engine, conn, ship.build).await?;
    let mut message = draw(conn, &result, now).await?;
    message.sections.clear();
    let key = format!("ship:{id}");
    outbox::say(conn, &engine.parts.home_chat, &key, &message, true, now).await
}

/// Whether a result waits for a decision: it could land, and nobody has said anything about it.
pub(super) fn is_open(result: &Reviewed) -> bool {
    let idle = !result.ship.as_ref().is_some_and(Ship::is_open);
    idle && result.landed.is_none() && !result.discarded && crate::domain::review::unfit(&result.fact).is_none()
}
