//! The card of a task: what it is, where it stands, who decided what when, and what can be tapped. One a chat is live; it
//! is redrawn in place under its outbox key.

use super::say::button;
use super::{Engine, facts};
use crate::domain::build::Outcome;
use crate::domain::button::Meaning;
use crate::domain::id::TaskId;
use crate::domain::message::{Button, Item, Message};
use crate::domain::plan::Snapshot;
use crate::domain::plan::choice::{self, Standing};
use crate::domain::role::Role;
use crate::domain::task::{Task, TaskKind, TaskState};
use crate::domain::words::{capital, clock};
use crate::store::{Conn, StoreError, audit, builds, outbox, tasks};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;

/// Approve and reject, for a task as it reads now.
pub(super) async fn approval_buttons(
    conn: &mut Conn,
    task: &Task,
    now: DateTime<Utc>,
) -> Result<[Button; 2], StoreError> {
    let id = task.id;
    let meaning = Meaning::Approve { task: id, revision_hash: task.spec.revision_hash() };
    let approve = button(conn, "✅ Approve", &format!("/approve {id}"), &meaning, now).await?;
    let reject = button(conn, "✖️ Reject", &format!("/reject {id}"), &Meaning::Reject { task: id }, now).await?;
    Ok([approve, reject])
}

/// Outbox key of a task's card: a new revision is a new card.
pub(super) fn key(task: &Task) -> String {
    format!("card:{}:{}", task.id, task.revision)
}

/// A task as a card: what it is, where it stands, and what can be tapped.
pub(super) async fn draw(
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
        Some(standing) => (standing_icon(standing), capital(&standing.words(engine.settings().schedule.zone))),
        None => over(conn, task).await?,
    };
    let mut message = Message::line(format!("{icon} #{} {}", task.id, task.spec.title)).intro(intro);
    message = message.section("", details(&world, task, standing.as_ref()));
    Ok(match standing {
        Some(Standing::Locked { .. }) => {
            let mut row = Vec::from(approval_buttons(conn, task, now).await?);
            if tasks::snoozed(conn, now).await?.contains(&task.id) {
                message.closing = "💤 Not asked about in the next brief".into();
            } else {
                let snooze = Meaning::Snooze { task: task.id };
                row.push(button(conn, "💤 Later", &format!("/snooze {}", task.id), &snooze, now).await?);
            }
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

/// How whoever did something is called.
pub(super) fn name_of(engine: &Engine, who: &str) -> String {
    match (engine.parts.people.get(who), who.split_once(':')) {
        (Some(Role::Owner), _) => "you".into(),
        (Some(Role::Approver), Some((_, number))) => format!("approver {number}"),
        (None, None) => "overnight".into(),
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
    if matches!(standing, Standing::Building | Standing::Parked { .. } | Standing::Asks { .. }) {
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
        Standing::Parked { .. } => "🅿️",
        Standing::Asks { .. } => "💬",
        _ => "📝",
    }
}

/// How a task that is over ended.
async fn over(conn: &mut Conn, task: &Task) -> Result<(&'static str, String), StoreError> {
    let last = builds::of_task(conn, task.id, 1).await?.into_iter().next();
    Ok(match last.and_then(|build| Some((build.outcome?, build.reason))) {
        Some((outcome, reason)) if task.state == TaskState::Done => {
            (outcome_icon(outcome), format!("{}: {reason}", capital(&outcome.as_str().replace('_', " "))))
        }
        // Who took it out is said below.
        _ if task.state == TaskState::Dropped => ("🗑", String::new()),
        _ => ("•", capital(task.state.as_str())),
    })
}

pub(super) fn outcome_icon(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Verified => "✅",
        Outcome::Denied => "🚫",
        Outcome::Unverified | Outcome::Flaky | Outcome::Unknown | Outcome::OverBudget => "❔",
        _ => "❌",
    }
}

fn details(world: &Snapshot, task: &Task, standing: Option<&Standing>) -> Vec<Item> {
    let spec = &task.spec;
    let mut line = vec![spec.category.title().to_owned(), format!("{} priority", spec.priority.word())];
    if spec.estimate_minutes > 0 {
        line.push(spec.estimate_text());
    }
    line.extend(spec.project.clone());
    let mut items = vec![Item::new("", line.join(" · "))];
    if spec.kind != TaskKind::Code {
        let what = match spec.kind {
            TaskKind::Action => "Runs this command once:",
            _ => "Makes files, changes no code",
        };
        items.push(Item::new("", what));
    }
    if !spec.command.is_empty() {
        items.push(Item::new("▶", spec.command.iter().map(|w| format!("{w:?}")).collect::<Vec<_>>().join(" ")));
    }
    if !spec.depends_on.is_empty() {
        let ids: Vec<_> = spec.depends_on.iter().map(|id| format!("#{id}")).collect();
        items.push(Item::new("⛓", format!("after {}", ids.join(", "))));
    }
    // While it waits for that only, the first line says it.
    if let Some(at) = spec.not_before.filter(|at| standing != Some(&Standing::NotBefore(*at))) {
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
        ("priority", "high", format!("❗ {}", spec.priority.word())),
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
pub(super) async fn redraw(
    engine: &Engine,
    conn: &mut Conn,
    task: &Task,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let shown = outbox::keys_like(conn, &format!("card:{}:", task.id)).await?;
    let newest: BTreeMap<String, String> = shown.iter().cloned().collect();
    for (chat, key) in shown {
        let message =
            if newest.get(&chat) == Some(&key) { draw(engine, conn, task, now).await? } else { older_card(task) };
        outbox::say(conn, &chat, &key, &message, true, now).await?;
    }
    Ok(())
}

/// Makes every card of a task point to the one that is about to be shown.
pub(super) async fn retire(conn: &mut Conn, task: &Task, now: DateTime<Utc>) -> Result<(), StoreError> {
    for (chat, key) in outbox::keys_like(conn, &format!("card:{}:", task.id)).await? {
        outbox::say(conn, &chat, &key, &older_card(task), true, now).await?;
    }
    Ok(())
}

fn older_card(task: &Task) -> Message {
    Message::line(format!("✏️ #{} was changed; see the newer card", task.id))
}

/// The key of the card of a task that this chat shows, if it shows one.
pub(super) async fn shown(conn: &mut Conn, chat: &str, task: TaskId) -> Result<Option<String>, StoreError> {
    let shown = outbox::keys_like(conn, &format!("card:{task}:")).await?;
    Ok(shown.into_iter().rfind(|(there, _)| there == chat).map(|(_, key)| key))
}
