//! Queueing: add, edit, drop.

use super::{find, task_or_answer};
use crate::chat::command::{Draft, NotBefore};
use crate::domain::category::Category;
use crate::domain::id::TaskId;
use crate::domain::proposal::{propose, text_lock};
use crate::domain::task::{Task, TaskKind, TaskSpec, TaskState, limits};
use crate::engine::reply::{Asker, Reply};
use crate::engine::{Engine, card};
use crate::store::{Conn, StoreError, approvals, audit, builds, tasks};
use chrono::{DateTime, LocalResult, TimeZone, Utc};
use serde_json::json;

pub(super) async fn add(
    engine: &Engine,
    conn: &mut Conn,
    asker: Asker<'_>,
    drafts: Vec<Draft>,
    now: DateTime<Utc>,
) -> Result<Reply, StoreError> {
    if let Some(refusal) = no_room(conn, drafts.len()).await? {
        return Ok(refusal);
    }
    let mut reply = Reply::default();
    let mut added = Vec::new();
    for draft in drafts {
        let spec = match fill(engine, conn, empty_spec(), draft, None, now).await? {
            Ok(spec) => spec,
            Err(trouble) => return Ok(Reply::refuse(format!("{trouble} Nothing was added."))),
        };
        let state = state_of(&spec);
        let task = insert(engine, conn, asker, &spec, state, now).await?;
        added.push(json!({"id": task.id, "state": task.state, "category": spec.category, "text_lock": task.text_lock}));
        reply.added.push(task.id);
        let card = card::draw(engine, conn, &task, now).await?;
        reply.more.push((card::key(&task), card));
    }
    reply.data = if added.len() == 1 { added.remove(0) } else { json!(added) };
    if let [(key, card)] = reply.more.as_slice() {
        (reply.key, reply.message) = (Some(key.clone()), card.clone());
        reply.more.clear();
    } else {
        reply.message = crate::domain::message::Message::line(format!("{} tasks added", reply.more.len()));
    }
    Ok(reply)
}

/// The refusal, if the queue does not hold so many more.
pub(super) async fn no_room(conn: &mut Conn, more: usize) -> Result<Option<Reply>, StoreError> {
    let waiting = tasks::count_waiting(conn).await?;
    Ok((waiting + more > limits::OPEN_TASKS).then(|| {
        Reply::refuse(format!(
            "The queue is full: {waiting} tasks wait, at most {} can. Nothing was added; /queue drop makes room.",
            limits::OPEN_TASKS
        ))
    }))
}

pub(super) fn empty_spec() -> TaskSpec {
    TaskSpec {
        title: String::new(),
        details: String::new(),
        project: None,
        kind: TaskKind::Code,
        // Doubt means locked.
        category: Category::NewFeature,
        priority: crate::domain::task::Priority::default(),
        estimate_minutes: 0,
        not_before: None,
        depends_on: vec![],
        agent: None,
        command: vec![],
    }
}

pub(super) fn state_of(spec: &TaskSpec) -> TaskState {
    let no_project = spec.project.is_none() && spec.kind == TaskKind::Code;
    if spec.estimate_minutes == 0 || no_project { TaskState::Draft } else { TaskState::Open }
}

pub(super) async fn insert(
    engine: &Engine,
    conn: &mut Conn,
    asker: Asker<'_>,
    spec: &TaskSpec,
    state: TaskState,
    now: DateTime<Utc>,
) -> Result<Task, StoreError> {
    let lock = lock_of(engine, spec);
    let id = tasks::insert(conn, spec, state, lock.as_deref(), "owner", now).await?;
    let text = format!("queued {:?} as {} ({})", spec.title, spec.category.title(), state.as_str());
    audit::append(conn, now, asker.who, "queued", Some(id), &text).await?;
    tasks::get(conn, id).await
}

/// What the text asks for can add a lock to an auto-approved category; a locked one needs none.
fn lock_of(engine: &Engine, spec: &TaskSpec) -> Option<String> {
    engine
        .settings()
        .auto_approved(spec.category)
        .then(|| text_lock(&spec.title, &spec.details, spec.category))
        .flatten()
}

/// `base` with what was typed put over it. `Err` says what is wrong with it.
pub(super) async fn fill(
    engine: &Engine,
    conn: &mut Conn,
    base: TaskSpec,
    draft: Draft,
    of: Option<TaskId>,
    now: DateTime<Utc>,
) -> Result<Result<TaskSpec, String>, StoreError> {
    let mut spec = base;
    let is_new = of.is_none();
    spec.title = draft.title.unwrap_or(spec.title);
    spec.details = draft.details.unwrap_or(spec.details);
    spec.kind = draft.kind.unwrap_or(if is_new && draft.command.is_some() { TaskKind::Action } else { spec.kind });
    spec.priority = draft.priority.unwrap_or(spec.priority);
    spec.estimate_minutes = draft.estimate_minutes.unwrap_or(spec.estimate_minutes);
    spec.agent = draft.agent.or(spec.agent);
    spec.command = draft.command.unwrap_or(spec.command);
    spec.project = draft.project.or(spec.project);
    if spec.kind == TaskKind::Action && is_new {
        spec.category = Category::ExternalAction;
        spec.estimate_minutes = spec.estimate_minutes.max(limits::ESTIMATE_MIN_MINUTES);
    } else if is_new {
        spec.category = propose(&spec.title, &spec.details).category;
    }
    spec.category = draft.category.unwrap_or(spec.category);
    if let (None, TaskKind::Code, [only]) = (&spec.project, spec.kind, engine.settings().projects.as_slice()) {
        spec.project = Some(only.name.clone());
    }
    if let Some(when) = draft.not_before {
        spec.not_before = match moment(engine, when, now) {
            Some(at) => Some(at).filter(|at| *at > now),
            None => return Ok(Err("That local time does not exist (the clock is changed then); name another.".into())),
        };
    }
    if let Some(needs) = draft.depends_on {
        if let Some(trouble) = check_dependencies(conn, &needs, of).await? {
            return Ok(Err(trouble));
        }
        spec.depends_on = needs;
    }
    Ok(Ok(spec))
}

fn moment(engine: &Engine, when: NotBefore, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let schedule = &engine.settings().schedule;
    match when {
        NotBefore::Time(time) => Some(schedule.next_local_time(now, time)),
        NotBefore::At(local) => match schedule.zone.from_local_datetime(&local) {
            LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => Some(at.with_timezone(&Utc)),
            LocalResult::None => None,
        },
    }
}

async fn check_dependencies(
    conn: &mut Conn,
    needs: &[TaskId],
    of: Option<TaskId>,
) -> Result<Option<String>, StoreError> {
    for need in needs {
        if find(conn, *need).await?.is_err() {
            return Ok(Some(format!("There is no task #{need} to wait for.")));
        }
        let Some(task) = of else { continue };
        if *need == task || tasks::closes_cycle(conn, task, *need).await? {
            return Ok(Some(format!("#{task} can't wait for #{need}: #{need} already waits for #{task}.")));
        }
    }
    Ok(None)
}

pub(super) async fn edit(
    engine: &Engine,
    conn: &mut Conn,
    asker: Asker<'_>,
    id: TaskId,
    draft: Draft,
    now: DateTime<Utc>,
) -> Result<Reply, StoreError> {
    let task = task_or_answer!(conn, id);
    if !matches!(task.state, TaskState::Open | TaskState::Draft) {
        return Ok(Reply::refuse(format!("#{id} is {}; /retry {id} opens it again.", task.state.as_str())));
    }
    if builds::open(conn).await?.iter().any(|build| build.task == id) {
        return Ok(Reply::refuse(format!("#{id} is being built; /stop {id} first, or wait for its end.")));
    }
    let spec = match fill(engine, conn, task.spec.clone(), draft, Some(id), now).await? {
        Ok(spec) => spec,
        Err(trouble) => return Ok(Reply::refuse(format!("{trouble} Nothing was changed."))),
    };
    // A draft with nothing missing waits for "add"; one whose last gap is filled has said enough.
    let waits = task.state == TaskState::Draft && state_of(&task.spec) == TaskState::Open;
    let state = if waits { TaskState::Draft } else { state_of(&spec) };
    change(engine, conn, asker, &task, &spec, state, now).await
}

pub(super) async fn change(
    engine: &Engine,
    conn: &mut Conn,
    asker: Asker<'_>,
    task: &Task,
    spec: &TaskSpec,
    state: TaskState,
    now: DateTime<Utc>,
) -> Result<Reply, StoreError> {
    tasks::edit(conn, task, spec, state, lock_of(engine, spec).as_deref()).await?;
    let covered = task.spec.revision_hash() == spec.revision_hash();
    let voided = if covered { 0 } else { approvals::void(conn, task.id, "the task was edited", now).await? };
    let note = if voided > 0 { "; its approval is void" } else { "" };
    audit::append(
        conn,
        now,
        asker.who,
        "edited",
        Some(task.id),
        &format!("changed, now revision {}{note}", task.revision + 1),
    )
    .await?;
    let edited = tasks::get(conn, task.id).await?;
    if asker.tapped {
        card::redraw(engine, conn, &edited, now).await?;
    } else {
        card::retire(conn, &edited, now).await?;
    }
    let mut message = card::draw(engine, conn, &edited, now).await?;
    if voided > 0 {
        message.intro = format!("Changed after you approved it, so it needs a new tap. {}", message.intro);
    }
    let data =
        json!({"id": edited.id, "revision": edited.revision, "state": edited.state, "approval_voided": voided > 0});
    Ok(Reply { key: Some(card::key(&edited)), message, data, ..Reply::default() })
}

pub(super) async fn drop(
    engine: &Engine,
    conn: &mut Conn,
    asker: Asker<'_>,
    ids: &[TaskId],
    now: DateTime<Utc>,
) -> Result<Reply, StoreError> {
    let mut said = Vec::new();
    for id in ids {
        let task = task_or_answer!(conn, *id);
        if !matches!(task.state, TaskState::Open | TaskState::Draft) {
            said.push(format!("#{id} was {} already", task.state.as_str()));
            continue;
        }
        tasks::set_state(conn, *id, task.state, TaskState::Dropped, now).await?;
        approvals::void(conn, *id, "the task was dropped", now).await?;
        let stopped = super::request_stop(conn, Some(*id), asker.who, now).await?;
        audit::append(conn, now, asker.who, "dropped", Some(*id), "taken out of the queue").await?;
        let dropped = tasks::get(conn, *id).await?;
        card::redraw(engine, conn, &dropped, now).await?;
        let running = if stopped.is_empty() { "" } else { ", and its build is being stopped" };
        said.push(format!("#{id} {:?} is out of the queue{running}", task.spec.title));
    }
    let mut reply = Reply::line(format!("🗑 {}", said.join("\n🗑 ")));
    reply.message.closing = match ids {
        [one] => format!("/undo {one} puts it back."),
        _ => "/undo N puts one back.".into(),
    };
    Ok(reply.with(json!({"dropped": ids})))
}
