//! What the database says of the bot and of tonight.

use super::Findings;
use crate::domain::plan::choice;
use crate::engine::{Engine, facts};
use crate::store::{StoreError, control, trouble};
use chrono::{DateTime, TimeDelta, Utc};

/// A running bot says something at least this often.
const SIGN_OF_LIFE: TimeDelta = TimeDelta::minutes(10);

pub(super) async fn whole(engine: &Engine, findings: &mut Findings) -> Result<(), StoreError> {
    let wrong = engine.store().quick_check().await?;
    match wrong.first() {
        None => findings.fine("the database is whole"),
        Some(first) => findings.bad(
            format!("the database is damaged: {first}"),
            format!("end the bot, move {} away and restore a backup", engine.store().path().display()),
        ),
    }
    Ok(())
}

pub(super) async fn alive(
    engine: &Engine,
    running: bool,
    now: DateTime<Utc>,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    let mut conn = engine.store().read().await?;
    let last = control::last_sign_of_life(&mut conn).await?;
    let ago = last.map(|last| span(now - last));
    let every = TimeDelta::from_std(engine.settings().sample_every).unwrap_or_default();
    match (running, last) {
        (true, Some(last)) if now - last > SIGN_OF_LIFE.max(every * 4) => findings.bad(
            format!("the bot runs, but has shown no sign of life for {}", ago.unwrap_or_default()),
            "restart it (systemctl --user restart overnight); builds go on",
        ),
        (true, _) => findings.fine("the bot runs"),
        (false, _) => {
            let since = ago.map_or("never ran here".into(), |ago| format!("was last awake {ago} ago"));
            findings.bad(format!("the bot does not run; it {since}"), "overnight run, or start its service");
        }
    }
    Ok(())
}

/// What the bot itself put on record about reaching its owner, which nobody else can see without taking messages away.
pub(super) async fn reach(engine: &Engine, findings: &mut Findings) -> Result<(), StoreError> {
    let mut conn = engine.store().read().await?;
    for known in trouble::all(&mut conn).await? {
        let since = known.since.with_timezone(&engine.settings().schedule.zone).format("%a %H:%M");
        let what = format!("by the bot's record: {} since {since}: {}", known.chat, known.why);
        let fix = if known.chat.contains(':') {
            "unblock the bot there and press Start, or look at TELEGRAM_OWNER_ID and [telegram]"
        } else {
            "the record is cleared by itself once it is over and the bot runs"
        };
        findings.bad(what, fix);
    }
    Ok(())
}

/// What would be built tonight, and what waits for the owner.
pub(super) async fn queue(engine: &Engine, now: DateTime<Utc>, findings: &mut Findings) -> Result<(), StoreError> {
    findings.section("Tonight");
    let mut conn = engine.store().read().await?;
    let world = facts::world(engine, &mut conn, now).await?;
    let night = engine.settings().schedule.current_or_next(now);
    let ready = choice::ready(&world, night.report).len();
    let locked = facts::locked(&world);
    if world.paused {
        findings.bad("building is paused", "/night resume in the chat");
    }
    if world.skipped.contains(&night.date) {
        findings.warn(format!("the night of {} is skipped, as you asked", night.date), "");
    }
    match ready {
        0 if world.tasks.is_empty() => {
            findings.warn("the queue is empty: nothing will be built", "overnight queue add \"Fix the slow report\"");
        }
        0 => findings.warn(
            format!("none of {} queued tasks can run", world.tasks.len()),
            "overnight queue list says what each waits for",
        ),
        ready => findings.fine(format!("{ready} of {} queued tasks can run", world.tasks.len())),
    }
    if !locked.is_empty() {
        let numbers: Vec<String> = locked.iter().map(|task| task.id.to_string()).collect();
        let what = format!("locked, waiting for your tap: #{}", numbers.join(", #"));
        findings.warn(what, format!("overnight approve {}", numbers.join(" ")));
    }
    Ok(())
}

/// Minutes, hours or days, whichever reads best.
fn span(time: TimeDelta) -> String {
    match time.num_minutes().max(0) {
        minutes @ 0..=119 => format!("{minutes} min"),
        minutes @ 120..=2879 => format!("{} h", minutes / 60),
        minutes => format!("{} days", minutes / 1440),
    }
}
