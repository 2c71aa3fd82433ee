//! What the bot says unasked: each is written into the outbox in the transaction of what it tells.

use super::{Engine, card, facts, failpoint};
use crate::domain::brief::{BriefButton, brief as brief_message};
use crate::domain::build::{Build, Outcome};
use crate::domain::button::Meaning;
use crate::domain::id::SessionId;
use crate::domain::message::{Attachment, Button, Item, Message};
use crate::domain::session::{Phase, Session, SessionKind};
use crate::domain::status::{progress_check, spawned as spawned_message, started as started_message};
use crate::domain::task::Task;
use crate::domain::words::capital;
use crate::store::{Conn, StoreError, builds, buttons, checks, outbox, sessions, tasks};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeMap;

/// A button is obeyed this long; what it means can be typed for ever.
const BUTTON_LIFE: TimeDelta = TimeDelta::hours(24);

/// The button with this meaning: one that is still good, so that a redrawn message is the same message, or a new one.
pub(super) async fn button(
    conn: &mut Conn,
    label: &str,
    typed: &str,
    meaning: &Meaning,
    now: DateTime<Utc>,
) -> Result<Button, StoreError> {
    let nonce = if let Some(nonce) = buttons::same(conn, meaning, now + BUTTON_LIFE / 2).await? {
        nonce
    } else {
        let nonce = format!("{:032x}", rand::random::<u128>());
        buttons::insert(conn, &nonce, meaning, now, now + BUTTON_LIFE).await?;
        nonce
    };
    Ok(Button { label: label.into(), id: nonce, typed: typed.into() })
}

/// The start message of a session, and with it what needs a tap tonight.
pub(super) async fn started(
    engine: &Engine,
    conn: &mut Conn,
    session: &Session,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let status = facts::status(engine, conn, now).await?;
    let key = format!("started:{}", session.id);
    outbox::say(conn, &engine.parts.home_chat, &key, &started_message(&status), true, now).await
}

/// A build that starts later than this after the first one is told by the next progress check.
const FIRST_SPAWN: TimeDelta = TimeDelta::minutes(5);

/// What was started first, until the progress checks replace it.
pub(super) async fn spawned(
    engine: &Engine,
    conn: &mut Conn,
    session: SessionId,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let session = sessions::get(conn, session).await?;
    if session.kind == SessionKind::Single || session.progress_at.is_some() {
        return Ok(());
    }
    let status = facts::status(engine, conn, now).await?;
    if status.builds.iter().any(|fact| now - fact.build.started_at > FIRST_SPAWN) {
        return Ok(());
    }
    let key = format!("live:{}", session.id);
    outbox::say(conn, &engine.parts.home_chat, &key, &spawned_message(&status), true, now).await
}

/// The one live status message of a session, edited in place.
pub(super) async fn live_status(
    engine: &Engine,
    conn: &mut Conn,
    session: SessionId,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let status = facts::status(engine, conn, now).await?;
    // A night that builds nothing has no progress to tell; the brief says why.
    if status.builds.is_empty() {
        return Ok(());
    }
    let key = format!("live:{session}");
    outbox::say(conn, &engine.parts.home_chat, &key, &progress_check(&status), true, now).await
}

/// Redraws the live status of the session that has one and still builds or may.
pub(super) async fn refresh_live(engine: &Engine, conn: &mut Conn, now: DateTime<Utc>) -> Result<(), StoreError> {
    for session in sessions::current(conn, now).await? {
        let said = outbox::said(conn, &engine.parts.home_chat, &format!("live:{}", session.id)).await?;
        if said.is_some() && session.phase < Phase::Brief {
            live_status(engine, conn, session.id, now).await?;
        }
    }
    Ok(())
}

/// The brief: the one message of the day that sounds. The picture goes with it if there is one.
pub(super) async fn brief(
    engine: &Engine,
    conn: &mut Conn,
    id: SessionId,
    picture: Option<Attachment>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let session = sessions::get(conn, id).await?;
    let mut message = brief_of(engine, conn, &session, now).await?;
    message.attachments.extend(picture);
    let key = match session.kind {
        SessionKind::Nightly => format!("brief:{}", session.date),
        SessionKind::Manual | SessionKind::Single => format!("brief:{}:{id}", session.date),
    };
    outbox::say(conn, &engine.parts.home_chat, &key, &message, false, now).await?;
    builds::told_in_brief(conn, session.id, now).await?;
    // Nights missed before this one are told in it: their own briefs would only be noise.
    for missed in sessions::missed_before(conn, session.date).await? {
        if let Some(missed) = sessions::of_date(conn, missed).await? {
            sessions::briefed(conn, missed.id, Phase::Missed, now).await?;
        }
    }
    Ok(())
}

/// The brief of a session with working buttons, from the state as it is.
pub(super) async fn brief_of(
    engine: &Engine,
    conn: &mut Conn,
    session: &Session,
    now: DateTime<Utc>,
) -> Result<Message, StoreError> {
    let mut facts = facts::night(engine, conn, session, now).await?;
    let snoozed = tasks::snoozed(conn, now).await?;
    facts.waiting_approval.retain(|task| !snoozed.contains(&task.id));
    // Buttons are made first: the brief itself is pure.
    let mut made: BTreeMap<String, Button> = BTreeMap::new();
    for task in &facts.waiting_approval {
        let [approve, reject] = card::approval_buttons(conn, task, now).await?;
        made.insert(format!("approve {}", task.id), approve);
        made.insert(format!("reject {}", task.id), reject);
    }
    let review = button(conn, "👀 Review", "/review", &Meaning::Review { session: session.id }, now).await?;
    let keep = button(conn, "🔨 Keep building", "/keep", &Meaning::KeepBuilding { session: session.id }, now).await?;
    Ok(brief_message(&facts, &mut |which| match which {
        BriefButton::Approve(task) => made.get(&format!("approve {task}")).cloned(),
        BriefButton::Reject(task) => made.get(&format!("reject {task}")).cloned(),
        BriefButton::Review => Some(review.clone()),
        BriefButton::KeepBuilding => Some(keep.clone()),
    }))
}

/// What an agent asks, as a message of its own: a reply to it is the answer.
pub(super) async fn question(
    engine: &Engine,
    conn: &mut Conn,
    build: &Build,
    task: &Task,
    question: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let id = task.id;
    let mut item = Item::new("", "");
    item.quote = question.into();
    item.quoted_from = "its agent".into();
    let mut message = Message::line(format!("💬 #{id} {} asks you", task.spec.title)).section("", vec![item]);
    message.closing = format!("Reply to this message, or /answer {id} and your answer. It goes on with it.");
    let stop = button(conn, "⏹ Stop", &format!("/stop {id}"), &Meaning::Stop { task: id }, now).await?;
    let key = question_key(build);
    crate::store::outbox::say(conn, &engine.parts.home_chat, &key, &message.row(vec![stop]), true, now).await?;
    Ok(())
}

/// Outbox key of the question a parked build asks.
pub(super) fn question_key(build: &Build) -> String {
    format!("question:{}:{}:{}", build.task, build.id, build.round)
}

impl Engine {
    /// Tells the end of builds that ran on after their session's brief, or belonged to no brief at all.
    pub(super) async fn tell_ended(&self) -> Result<(), StoreError> {
        let now = self.now();
        let untold = {
            let mut conn = self.parts.store.read().await?;
            builds::ended_untold(&mut conn).await?
        };
        for build in untold {
            let mut tx = self.parts.store.begin().await?;
            let checks = checks::of_session(&mut tx, build.session).await?;
            let fact = facts::build_facts(self, &mut tx, vec![build.clone()], &checks).await?.remove(0);
            let icon = build.outcome.map_or("❌", card::outcome_icon);
            let mut item = Item::new("", capital(&build.reason));
            item.evidence.extend(fact.measure_text.clone());
            let words = build.outcome.map_or("ended", Outcome::as_str).replace('_', " ");
            let mut message = Message::line(format!("{icon} #{} {}: {words}", build.task, fact.task.spec.title))
                .section("", vec![item]);
            if fact.result_ref.is_some() {
                message.closing = "/review shows how to look at it.".into();
            }
            crate::store::outbox::say(
                &mut tx,
                &self.parts.home_chat,
                &format!("ended:{}", build.id),
                &message,
                true,
                now,
            )
            .await?;
            builds::told(&mut tx, build.id, now).await?;
            failpoint::pass("before told commit");
            tx.commit().await?;
            self.said();
        }
        Ok(())
    }
}
