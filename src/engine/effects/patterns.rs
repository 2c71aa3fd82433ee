//! Phase 2: what the owner queues again and again, and what is queued for them because of it.

use crate::domain::id::SessionId;
use crate::domain::pattern::{Pattern, TaskEvent, mine, same_title, weekday_name};
use crate::domain::proposal::text_lock;
use crate::domain::session::Session;
use crate::domain::task::{Task, TaskState};
use crate::engine::{Engine, failpoint};
use crate::store::health::{StoredPattern, insert_pattern};
use crate::store::{Conn, StoreError, audit, sessions, tasks};
use chrono::{DateTime, NaiveTime, TimeDelta, Utc};

/// Past tasks are looked at this far back; habits are counted over twelve weeks.
const LOOK_BACK: TimeDelta = TimeDelta::weeks(13);
/// The hour by which a pre-build should be there, as in the mission.
const PRE_BUILD: NaiveTime = NaiveTime::from_hms_opt(6, 0, 0).expect("a time of day");

pub(super) async fn check(engine: &Engine, id: SessionId) -> Result<(), StoreError> {
    let now = engine.now();
    let mut tx = engine.store().begin().await?;
    let session = sessions::get(&mut tx, id).await?;
    let past = tasks::queued_by_owner_since(&mut tx, now - LOOK_BACK).await?;
    let events: Vec<_> = past
        .into_iter()
        .filter_map(|task| {
            let category = task.category.parse().ok()?;
            Some(TaskEvent { task: task.id, title: task.title, project: task.project, category, at: task.created_at })
        })
        .collect();
    let habits = mine(&events, engine.settings().schedule.zone, session.date, &[]);
    for habit in &habits {
        let (action, task) = act(engine, &mut tx, &session, habit, now).await?;
        let text = format!("{}: {action}", habit.text());
        audit::append(&mut tx, now, "planner", "pattern", task, &text).await?;
        let stored = StoredPattern {
            title: habit.title.clone(),
            when: weekday_name(habit.weekday).into(),
            support: habit.support,
            of: habit.of,
            confidence: habit.confidence,
            action,
            task,
        };
        insert_pattern(&mut tx, id, &stored).await?;
    }
    audit::append(&mut tx, now, "planner", "patterns", None, &format!("{} habits expected tomorrow", habits.len()))
        .await?;
    sessions::patterns_done(&mut tx, id).await?;
    failpoint::pass("before patterns commit");
    tx.commit().await?;
    Ok(())
}

/// A habit of an auto-approved category at enough confidence is queued by itself, with the last task's text; anything
/// else is only told.
async fn act(
    engine: &Engine,
    conn: &mut Conn,
    session: &Session,
    habit: &Pattern,
    now: DateTime<Utc>,
) -> Result<(String, Option<crate::domain::id::TaskId>), StoreError> {
    let settings = engine.settings();
    let waiting: Vec<Task> = tasks::waiting(conn).await?;
    if let Some(task) = waiting.iter().find(|task| same_title(&task.spec.title, &habit.title)) {
        return Ok((format!("queued already as #{}", task.id), None));
    }
    let sure = habit.confidence >= settings.patterns.confidence;
    let mut spec = tasks::get(conn, habit.source).await?.spec;
    let lock = text_lock(&spec.title, &spec.details, spec.category);
    let free = settings.auto_approved(spec.category) && lock.is_none();
    if !(settings.patterns.auto && sure && free) {
        let why = if free { "not sure enough to queue it by itself" } else { "its category needs your approval" };
        return Ok((format!("not queued: {why}"), None));
    }
    let by = settings.schedule.next_local_time(session.spawn_at, PRE_BUILD);
    let build_time = TimeDelta::minutes(i64::from(spec.estimate_minutes));
    spec.not_before = Some((by - build_time).max(session.spawn_at)).filter(|at| *at > session.spawn_at);
    spec.depends_on.clear();
    let id = tasks::insert(conn, &spec, TaskState::Open, lock.as_deref(), "pattern", now).await?;
    Ok((format!("pre-building, queued as #{id}"), Some(id)))
}
