//! What the bot says unasked, and the cards: each is written into the outbox in the transaction of what it tells.

use super::{Engine, facts, failpoint};
use crate::domain::brief::{BriefButton, brief as brief_message};
use crate::domain::build::Outcome;
use crate::domain::button::Meaning;
use crate::domain::id::{SessionId, TaskId};
use crate::domain::message::{Attachment, Button, Item, Message};
use crate::domain::plan::Snapshot;
use crate::domain::plan::choice::{self, Standing};
use crate::domain::role::Role;
use crate::domain::session::{Phase, Session, SessionKind};
use crate::domain::status::{progress_check, spawned as spawned_message, started as started_message};
use crate::domain::task::{Task, TaskKind, TaskState};
use crate::domain::words::clock;
use crate::store::{Conn, StoreError, audit, builds, buttons, checks, outbox, sessions, tasks};
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
    facts.waiting_approval.retain(|task| snoozed.iter().all(|(id, _)| *id != task.id));
    // Buttons are made first: the brief itself is pure.
    let mut made: BTreeMap<String, Button> = BTreeMap::new();
    for task in &facts.waiting_approval {
        let [approve, reject] = approval_buttons(conn, task, now).await?;
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

async fn approval_buttons(conn: &mut Conn, task: &Task, now: DateTime<Utc>) -> Result<[Button; 2], StoreError> {
    let id = task.id;
    let meaning = Meaning::Approve { task: id, revision_hash: task.spec.revision_hash() };
    let approve = button(conn, "✅ Approve", &format!("/approve {id}"), &meaning, now).await?;
    let reject = button(conn, "✖️ Reject", &format!("/reject {id}"), &Meaning::Reject { task: id }, now).await?;
    Ok([approve, reject])
}

/// Outbox key of a task's card: a new revision is a new card.
pub(super) fn card_key(task: &Task) -> String {
    format!("card:{}:{}", task.id, task.revision)
}

/// A task as a card: what it is, where it stands, and what can be tapped.
pub(super) async fn card(
    engine: &Engine,
    conn: &mut Conn,
    task: &Task,
    now: DateTime<Utc>,
) -> Result<Message, StoreError> {
    let world = facts::world(engine, conn, now).await?;
    let standing = match task.state {
        TaskState::Open | TaskState::Draft => Some(choice::standing(&world, task, now)),
        TaskState::Done | TaskState::Dropped => None,
    };
    let (icon, intro) = match &standing {
        Some(standing) => (standing_icon(standing), standing.words(engine.settings().schedule.zone)),
        None => over(conn, task).await?,
    };
    let mut message = Message::line(format!("{icon} #{} {}", task.id, task.spec.title)).intro(intro);
    message = message.section("", details(&world, task));
    Ok(match standing {
        Some(Standing::Locked { .. }) => {
            let mut row = Vec::from(approval_buttons(conn, task, now).await?);
            let snooze = Meaning::Snooze { task: task.id };
            row.push(button(conn, "💤 Later", &format!("/snooze {}", task.id), &snooze, now).await?);
            message.row(row)
        }
        Some(Standing::Draft) => questions(engine, conn, message, task, now).await?,
        Some(standing) => {
            let approval = world.approvals.iter().rfind(|approval| approval.task == task.id);
            if let Some(approval) = approval.filter(|_| choice::is_approved(&world, task)) {
                let at = clock(approval.decided_at, engine.settings().schedule.zone);
                message.closing = format!("✅ Approved {at} by {}", name_of(engine, &approval.approver));
            }
            message.row(open_buttons(conn, task, &standing, approval.is_some_and(|a| a.used_at.is_none()), now).await?)
        }
        None => decided(engine, conn, message, task, now).await?,
    })
}

/// How a person is called on a card.
fn name_of(engine: &Engine, who: &str) -> String {
    match engine.parts.people.get(who) {
        Some(Role::Owner) => "you".into(),
        _ => who.into(),
    }
}

/// What can be tapped on an open task that is not locked.
async fn open_buttons(
    conn: &mut Conn,
    task: &Task,
    standing: &Standing,
    can_undo: bool,
    now: DateTime<Utc>,
) -> Result<Vec<Button>, StoreError> {
    let id = task.id;
    let mut row = Vec::new();
    if *standing == Standing::Building {
        row.push(button(conn, "⏹ Stop", &format!("/stop {id}"), &Meaning::Stop { task: id }, now).await?);
        return Ok(row);
    }
    if matches!(standing, Standing::Ready { .. }) {
        row.push(button(conn, "▶️ Run now", &format!("/run {id}"), &Meaning::Run { task: id }, now).await?);
    }
    let (label, typed, meaning) = if can_undo {
        ("↩ Undo", format!("/undo {id}"), Meaning::Undo { task: id })
    } else {
        ("🗑 Drop", format!("/queue drop {id}"), Meaning::Drop { task: id })
    };
    row.push(button(conn, label, &typed, &meaning, now).await?);
    Ok(row)
}

/// A task that is over: who ended it when, and what can be done about it.
async fn decided(
    engine: &Engine,
    conn: &mut Conn,
    mut message: Message,
    task: &Task,
    now: DateTime<Utc>,
) -> Result<Message, StoreError> {
    let id = task.id;
    if task.state == TaskState::Dropped {
        let entries = audit::of_task(conn, id, 20).await?;
        let decision = entries.iter().rfind(|entry| matches!(entry.kind.as_str(), "rejected" | "dropped"));
        if let Some(entry) = decision {
            let at = clock(entry.at, engine.settings().schedule.zone);
            let (icon, why) = match entry.text.split_once(": ") {
                Some((_, why)) if entry.kind == "rejected" => ("✖️ Rejected", format!(": {why}")),
                _ if entry.kind == "rejected" => ("✖️ Rejected", String::new()),
                _ => ("🗑 Dropped", String::new()),
            };
            message.closing = format!("{icon} {at} by {}{why}", name_of(engine, &entry.actor));
        }
        let undo = button(conn, "↩ Undo", &format!("/undo {id}"), &Meaning::Undo { task: id }, now).await?;
        return Ok(message.row(vec![undo]));
    }
    let last = builds::of_task(conn, id, 1).await?.into_iter().next().and_then(|build| build.outcome);
    if last.is_some_and(|outcome| outcome != Outcome::Verified) && task.spec.kind != TaskKind::Action {
        let retry = button(conn, "🔁 Retry", &format!("/retry {id}"), &Meaning::Retry { task: id }, now).await?;
        message = message.row(vec![retry]);
    }
    Ok(message)
}

fn standing_icon(standing: &Standing) -> &'static str {
    match standing {
        Standing::Locked { .. } => "🔒",
        Standing::Draft => "❔",
        Standing::Building => "🔨",
        _ => "📝",
    }
}

/// How a task that is over ended.
async fn over(conn: &mut Conn, task: &Task) -> Result<(&'static str, String), StoreError> {
    let last = builds::of_task(conn, task.id, 1).await?.into_iter().next();
    Ok(match last.and_then(|build| Some((build.outcome?, build.reason))) {
        Some((outcome, reason)) if task.state == TaskState::Done => {
            (outcome_icon(outcome), format!("{}: {reason}", outcome.as_str().replace('_', " ")))
        }
        _ => ("•", task.state.as_str().into()),
    })
}

fn outcome_icon(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Verified => "✅",
        Outcome::Unverified | Outcome::Flaky | Outcome::Unknown => "❔",
        _ => "❌",
    }
}

fn details(world: &Snapshot, task: &Task) -> Vec<Item> {
    let spec = &task.spec;
    let mut line = vec![spec.category.title().to_owned(), spec.priority.to_string()];
    if spec.estimate_minutes > 0 {
        line.push(spec.estimate_text());
    }
    line.extend(spec.project.clone());
    let mut items = vec![Item::new("", line.join(" · "))];
    if spec.kind != TaskKind::Code {
        items.push(Item::new("", format!("kind: {}", spec.kind.as_str())));
    }
    if !spec.command.is_empty() {
        items.push(Item::new("▶", spec.command.iter().map(|w| format!("{w:?}")).collect::<Vec<_>>().join(" ")));
    }
    if !spec.depends_on.is_empty() {
        let ids: Vec<_> = spec.depends_on.iter().map(|id| format!("#{id}")).collect();
        items.push(Item::new("⛓", format!("after {}", ids.join(", "))));
    }
    if let Some(at) = spec.not_before {
        let local = at.with_timezone(&world.settings.schedule.zone);
        items.push(Item::new("⏰", format!("not before {}", local.format("%a %H:%M"))));
    }
    if !spec.details.trim().is_empty() {
        items.push(Item { quote: spec.details.clone(), quoted_from: "you wrote".into(), ..Item::default() });
    }
    items
}

/// What a draft still needs, each with buttons and its typed equivalent.
async fn questions(
    engine: &Engine,
    conn: &mut Conn,
    mut message: Message,
    task: &Task,
    now: DateTime<Utc>,
) -> Result<Message, StoreError> {
    let id = task.id;
    let mut missing = Vec::new();
    if task.spec.estimate_minutes == 0 {
        missing.push("how long it takes");
        message = message.row(answers(conn, id, ["1h", "2h", "4h", "6h"].map(String::from).to_vec(), now).await?);
    }
    if task.spec.project.is_none() && task.spec.kind == TaskKind::Code {
        let names: Vec<_> = engine.settings().projects.iter().map(|project| project.name.clone()).take(8).collect();
        missing.push(if names.is_empty() { "a project: none is configured yet" } else { "which project" });
        message = message.row(answers(conn, id, names, now).await?);
    }
    let drop = button(conn, "🗑 Forget it", &format!("/queue drop {id}"), &Meaning::Drop { task: id }, now).await?;
    if !missing.is_empty() {
        message.intro = format!("Still to say: {}", missing.join(", "));
        return Ok(message.row(vec![drop]));
    }
    message.intro = if engine.settings().auto_approved(task.spec.category) && task.text_lock.is_none() {
        "Add this? It is auto-approved and runs tonight.".into()
    } else {
        "Add this? It will need your approval to run.".into()
    };
    let spec = &task.spec;
    let fields = [
        ("category", "perf", format!("🏷 {}", spec.category.title())),
        ("estimate", "4h", format!("⏱ {}", spec.estimate_text())),
        ("priority", "high", format!("❗ {}", spec.priority)),
        ("project", "NAME", format!("📁 {}", spec.project.as_deref().unwrap_or("no project"))),
    ];
    for pair in fields.chunks(2) {
        let mut row = Vec::new();
        for (field, example, label) in pair {
            let meaning = Meaning::Choose { task: id, field: (*field).into() };
            row.push(button(conn, label, &format!("/queue edit {id} | {example}"), &meaning, now).await?);
        }
        message = message.row(row);
    }
    let add = button(conn, "➕ Add", &format!("/approve {id}"), &Meaning::Accept { task: id }, now).await?;
    Ok(message.row(vec![add, drop]))
}

async fn answers(
    conn: &mut Conn,
    task: TaskId,
    fields: Vec<String>,
    now: DateTime<Utc>,
) -> Result<Vec<Button>, StoreError> {
    let mut row = Vec::new();
    for field in fields {
        let typed = format!("/queue edit {task} | {field}");
        row.push(button(conn, &field, &typed, &Meaning::Answer { task, field: field.clone() }, now).await?);
    }
    Ok(row)
}

/// Redraws the cards of a task wherever they were shown, after something about it changed. In each chat the newest one
/// is the card; those before it only point to it.
pub(super) async fn redraw_cards(
    engine: &Engine,
    conn: &mut Conn,
    task: &Task,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let shown = outbox::keys_like(conn, &format!("card:{}:", task.id)).await?;
    let newest: BTreeMap<String, String> = shown.iter().cloned().collect();
    for (chat, key) in shown {
        let message =
            if newest.get(&chat) == Some(&key) { card(engine, conn, task, now).await? } else { older_card(task) };
        outbox::say(conn, &chat, &key, &message, true, now).await?;
    }
    Ok(())
}

/// Makes every card of a task point to the one that is about to be shown.
pub(super) async fn retire_cards(conn: &mut Conn, task: &Task, now: DateTime<Utc>) -> Result<(), StoreError> {
    for (chat, key) in outbox::keys_like(conn, &format!("card:{}:", task.id)).await? {
        outbox::say(conn, &chat, &key, &older_card(task), true, now).await?;
    }
    Ok(())
}

fn older_card(task: &Task) -> Message {
    Message::line(format!("✏️ #{} was changed; see the newer card", task.id))
}

/// The key of the card of a task that this chat shows, if it shows one.
pub(super) async fn shown_card(conn: &mut Conn, chat: &str, task: TaskId) -> Result<Option<String>, StoreError> {
    let shown = outbox::keys_like(conn, &format!("card:{task}:")).await?;
    Ok(shown.into_iter().rfind(|(there, _)| there == chat).map(|(_, key)| key))
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
            let icon = build.outcome.map_or("❌", outcome_icon);
            let mut item = Item::new(icon, build.reason.clone());
            item.evidence.extend(fact.measure_text.clone());
            item.evidence.extend(fact.result_ref.as_ref().map(|at| format!("kept at {at}")));
            let words = build.outcome.map_or("ended", Outcome::as_str).replace('_', " ");
            let message = Message::line(format!("{icon} #{} {}: {words}", build.task, fact.task.spec.title))
                .section("", vec![item]);
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
