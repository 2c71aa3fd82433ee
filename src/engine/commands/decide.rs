//! Decisions about tasks: approve, reject, undo, snooze, stop, retry.

use super::{queue, task_or_answer};
use crate::domain::build::Wait;
use crate::domain::id::TaskId;
use crate::domain::plan::choice::{self, Standing};
use crate::domain::role::Role;
use crate::domain::task::{Task, TaskState};
use crate::engine::reply::{Asker, Reply};
use crate::engine::{Engine, card, facts};
use crate::store::{Conn, StoreError, approvals, audit, builds, tasks};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

pub(super) async fn approve(
    engine: &Engine,
    conn: &mut Conn,
    asker: Asker<'_>,
    ids: &[TaskId],
    now: DateTime<Utc>,
) -> Result<Reply, StoreError> {
    let mut said = Vec::new();
    let mut refused = false;
    for id in ids {
        let reply = approve_one(engine, conn, asker, *id, None, now).await?;
        refused |= reply.refused;
        said.push(reply.message.verdict);
    }
    let reply = Reply { refused, ..Reply::line(said.join("\n")) };
    Ok(reply.with(json!({"approved": ids, "refused": refused})))
}

/// Approves one task. A button passes the hash of what it showed; a task edited since is not approved by it.
pub async fn approve_one(
    engine: &Engine,
    conn: &mut Conn,
    asker: Asker<'_>,
    id: TaskId,
    shown: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Reply, StoreError> {
    let task = task_or_answer!(conn, id);
    if task.state == TaskState::Draft && queue::state_of(&task.spec) == TaskState::Open {
        return super::accept(engine, conn, asker, id, now).await;
    }
    if task.state != TaskState::Open {
        let what = if task.state == TaskState::Draft { "still a draft: answer its questions first" } else { "over" };
        return Ok(Reply::refuse(format!("#{id} is {what}; nothing to approve.")));
    }
    let hash = task.spec.revision_hash();
    if shown.is_some_and(|shown| shown != hash) {
        let mut reply = Reply::refuse(format!("#{id} was changed since that card was shown, so it is not approved."));
        let card = card::draw(engine, conn, &task, now).await?;
        reply.more.push((format!("{}:again:{}", card::key(&task), now.timestamp_millis()), card));
        return Ok(reply);
    }
    let world = facts::world(engine, conn, now).await?;
    if choice::lock(&world, &task).is_none() {
        return Ok(Reply::line(format!("#{id} {:?} needs no approval: it is auto-approved.", task.spec.title)));
    }
    if choice::is_approved(&world, &task) {
        return Ok(Reply::line(format!("#{id} {:?} is approved already.", task.spec.title)));
    }
    approvals::insert(conn, id, &hash, asker.who, now).await?;
    let text = format!("approved {:?}, revision {}", task.spec.title, task.revision);
    audit::append(conn, now, asker.who, "approved", Some(id), &text).await?;
    card::redraw(engine, conn, &task, now).await?;
    Ok(Reply::line(format!("✅ #{id} {:?} is approved", task.spec.title)).with(json!({"approved": [id]})))
}

pub(super) async fn reject(
    engine: &Engine,
    conn: &mut Conn,
    asker: Asker<'_>,
    id: TaskId,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<Reply, StoreError> {
    let task = task_or_answer!(conn, id);
    if !matches!(task.state, TaskState::Open | TaskState::Draft) {
        return Ok(Reply::refuse(format!("#{id} is {} already.", task.state.as_str())));
    }
    tasks::set_state(conn, id, task.state, TaskState::Dropped, now).await?;
    approvals::void(conn, id, "the task was rejected", now).await?;
    super::request_stop(conn, Some(id), asker.who, now).await?;
    let why = if reason.trim().is_empty() { String::new() } else { format!(": {}", reason.trim()) };
    audit::append(conn, now, asker.who, "rejected", Some(id), &format!("rejected{why}")).await?;
    let rejected = tasks::get(conn, id).await?;
    card::redraw(engine, conn, &rejected, now).await?;
    let mut reply = Reply::line(format!("✖️ #{id} {:?} is rejected{why}", task.spec.title));
    reply.message.closing = format!("/undo {id} puts it back.");
    Ok(reply.with(json!({"rejected": id})))
}

/// Takes back the last decision: an approval no build has begun under, or a rejection or drop. Only the owner takes back
/// what somebody else decided.
pub(super) async fn undo(
    engine: &Engine,
    conn: &mut Conn,
    asker: Asker<'_>,
    id: TaskId,
    now: DateTime<Utc>,
) -> Result<Reply, StoreError> {
    let task = task_or_answer!(conn, id);
    if let Some(refusal) = not_theirs(conn, asker, &task).await? {
        return Ok(refusal);
    }
    if let Some(reply) = super::ship::undo(engine, conn, asker, id, now).await? {
        return Ok(reply);
    }
    let undone = match task.state {
        TaskState::Dropped => {
            tasks::reopen(conn, id).await?;
            let state = queue::state_of(&task.spec);
            if state != TaskState::Open {
                tasks::set_state(conn, id, TaskState::Open, state, now).await?;
            }
            "it is in the queue again"
        }
        TaskState::Open => {
            if approvals::in_force(conn).await?.iter().any(|approval| approval.task == id && approval.used_at.is_some())
            {
                return Ok(Reply::refuse(format!("#{id} was started under its approval; /stop {id} stops it.")));
            }
            if approvals::void(conn, id, "taken back", now).await? == 0 {
                return Ok(Reply::refuse(format!("There is no decision about #{id} to take back.")));
            }
            "its approval is taken back"
        }
        TaskState::Draft | TaskState::Done => {
            return Ok(Reply::refuse(format!("There is no decision about #{id} to take back.")));
        }
    };
    audit::append(conn, now, asker.who, "undone", Some(id), undone).await?;
    let task = tasks::get(conn, id).await?;
    card::redraw(engine, conn, &task, now).await?;
    Ok(Reply::line(format!("↩ #{id} {:?}: {undone}", task.spec.title)).with(json!({"undone": id})))
}

/// Refuses to touch what somebody else decided about a task, unless the owner asks.
pub(super) async fn not_theirs(conn: &mut Conn, asker: Asker<'_>, task: &Task) -> Result<Option<Reply>, StoreError> {
    let others = asker.role != Role::Owner && decided_by(conn, task).await?.is_some_and(|who| who != asker.who);
    let text = format!("Somebody else decided that about #{}; only they or the owner can take it back.", task.id);
    Ok(others.then(|| Reply::refuse(text)))
}

/// Who decided what an undo of this task would take back; none if there is nothing to take back.
async fn decided_by(conn: &mut Conn, task: &Task) -> Result<Option<String>, StoreError> {
    match task.state {
        TaskState::Open => {
            let approvals = approvals::in_force(conn).await?;
            Ok(approvals.into_iter().rfind(|approval| approval.task == task.id).map(|approval| approval.approver))
        }
        // A task is dropped together with this row. Should it not be found, it was nobody who asks now.
        TaskState::Dropped => {
            Ok(Some(audit::last_actor(conn, task.id, ["rejected", "dropped"]).await?.unwrap_or_default()))
        }
        TaskState::Draft | TaskState::Done => Ok(None),
    }
}

/// How long after the next brief a snoozed task may be asked about again: before the brief after that one.
const SNOOZE_PAST_BRIEF: TimeDelta = TimeDelta::hours(12);

/// Leaves a locked task out of the next brief.
pub(super) async fn snooze(
    engine: &Engine,
    conn: &mut Conn,
    asker: Asker<'_>,
    id: TaskId,
    now: DateTime<Utc>,
) -> Result<Reply, StoreError> {
    let task = task_or_answer!(conn, id);
    let world = facts::world(engine, conn, now).await?;
    // How a task would stand says nothing of one that is over.
    let asks = task.state == TaskState::Open && matches!(choice::standing(&world, &task, now), Standing::Locked { .. });
    if !asks {
        return Ok(Reply::refuse(format!("#{id} asks for nothing now, so there is nothing to put off.")));
    }
    let schedule = &engine.settings().schedule;
    let next = schedule.next_local_time(now, schedule.brief_at);
    tasks::snooze(conn, id, next + SNOOZE_PAST_BRIEF).await?;
    audit::append(conn, now, asker.who, "snoozed", Some(id), "left out of the next brief").await?;
    card::redraw(engine, conn, &task, now).await?;
    let text = format!("💤 #{id} {:?} stays locked; you are asked again in the brief after the next", task.spec.title);
    Ok(Reply::line(text).with(json!({"snoozed": id})))
}

/// Answers what a task's agent asked. It goes on with the answer as soon as a session has room.
pub(in crate::engine) async fn answer(
    engine: &Engine,
    conn: &mut Conn,
    asker: Asker<'_>,
    id: TaskId,
    text: &str,
    now: DateTime<Utc>,
) -> Result<Reply, StoreError> {
    if let Some(refusal) = super::access::owner_only(asker) {
        return Ok(refusal);
    }
    let task = task_or_answer!(conn, id);
    let build = builds::open(conn).await?.into_iter().find(|build| build.task == id);
    let Some((build, question)) = build.and_then(|build| match build.wait.clone()? {
        Wait::Answer { question, .. } => Some((build, question)),
        Wait::Provider { .. } => None,
    }) else {
        return Ok(Reply::refuse(format!("#{id} asks nothing now. /why {id} says where it stands.")));
    };
    let wait = Wait::Answer { question, answer: Some(text.to_owned()) };
    builds::set_wait(conn, build.id, &wait).await?;
    audit::append(conn, now, asker.who, "answered", Some(id), &format!("answered its agent: {text}")).await?;
    let open = facts::world(engine, conn, now).await?.sessions.iter().any(|session| session.may_spawn(now));
    card::redraw(engine, conn, &task, now).await?;
    let when = if open { "it goes on as soon as there is room" } else { "it goes on tonight" };
    Ok(Reply::line(format!("💬 #{id}: understood, {when}")).with(json!({"answered": id})))
}

pub(super) async fn stop(
    engine: &Engine,
    conn: &mut Conn,
    asker: Asker<'_>,
    id: Option<TaskId>,
    now: DateTime<Utc>,
) -> Result<Reply, StoreError> {
    if let Some(id) = id {
        let _ = task_or_answer!(conn, id);
    }
    let stopped = super::request_stop(conn, id, asker.who, now).await?;
    if id.is_none() {
        super::night::end_kept(conn, asker, now).await?;
    }
    engine.wake();
    Ok(match (stopped.is_empty(), id) {
        (true, Some(id)) => Reply::refuse(format!("#{id} is not being built now. /queue drop {id} takes it out.")),
        (true, None) => Reply::line("Nothing is being built."),
        (false, _) => {
            let ids: Vec<_> = stopped.iter().map(|task| format!("#{task}")).collect();
            let mut reply = Reply::line(format!("⏹ Stopping {}", ids.join(", ")));
            let again = if let [one] = stopped.as_slice() { format!("/retry {one}") } else { "/retry N".into() };
            reply.message.closing = format!("What was done so far is kept. {again} queues it again.");
            reply.with(json!({"stopping": stopped}))
        }
    })
}

pub(super) async fn retry(
    engine: &Engine,
    conn: &mut Conn,
    asker: Asker<'_>,
    id: TaskId,
    now: DateTime<Utc>,
) -> Result<Reply, StoreError> {
    let task = task_or_answer!(conn, id);
    if builds::open(conn).await?.iter().any(|build| build.task == id) {
        return Ok(Reply::refuse(format!("#{id} is being built now.")));
    }
    let last = builds::of_task(conn, id, 1).await?;
    match task.state {
        TaskState::Draft => return Ok(Reply::refuse(format!("#{id} is a draft: answer its questions first."))),
        TaskState::Open if task.retry_at.is_some_and(|at| at > now) => tasks::clear_wait(conn, id).await?,
        TaskState::Open => {
            return Ok(Reply::line(format!("#{id} waits in the queue already; /why {id} says for what.")));
        }
        TaskState::Done | TaskState::Dropped => tasks::reopen(conn, id).await?,
    }
    let was =
        last.first().and_then(|build| build.outcome).map_or("never built".into(), |o| o.as_str().replace('_', " "));
    audit::append(conn, now, asker.who, "retry", Some(id), &format!("queued again (it was: {was})")).await?;
    let task = tasks::get(conn, id).await?;
    card::redraw(engine, conn, &task, now).await?;
    let mut message = card::draw(engine, conn, &task, now).await?;
    message.verdict = format!("🔁 #{id} {:?} is queued again", task.spec.title);
    Ok(Reply { message, data: json!({"queued": id}), ..Reply::default() })
}
