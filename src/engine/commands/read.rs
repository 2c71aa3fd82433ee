//! Reading: what waits, what runs, why, and what happened. Nothing here changes anything.

use super::task_or_answer;
use crate::domain::build::{Build, Outcome, RunOwner};
use crate::domain::format::human_bytes;
use crate::domain::id::TaskId;
use crate::domain::message::{Attachment, Item, Message};
use crate::domain::plan::choice::{self, Standing};
use crate::domain::session::Phase;
use crate::domain::status::status as status_message;
use crate::domain::task::TaskState;
use crate::domain::words::{capital, clock, counted};
use crate::engine::effects::Checked;
use crate::engine::reply::Reply;
use crate::engine::{Engine, card, facts, perform, say};
use crate::runner::last_lines;
use crate::store::{Conn, StoreError, audit, builds, kept, outbox, sessions};
use chrono::{DateTime, Utc};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub(super) async fn show(
    engine: &Engine,
    conn: &mut Conn,
    id: TaskId,
    now: DateTime<Utc>,
) -> Result<Reply, StoreError> {
    let task = task_or_answer!(conn, id);
    let mut message = card::draw(engine, conn, &task, now).await?;
    let history = builds::of_task(conn, id, 5).await?;
    message = message.section("Builds", history.iter().map(|build| build_item(engine, build)).collect());
    let data = json!({"task": task, "builds": history});
    Ok(Reply { key: None, message, data, ..Reply::default() })
}

fn build_item(engine: &Engine, build: &Build) -> Item {
    let zone = engine.settings().schedule.zone;
    let word = build.outcome.map_or_else(|| build.step.as_str().replace('_', " "), |o| o.as_str().replace('_', " "));
    let icon = match build.outcome {
        None => "🔨",
        Some(Outcome::Verified) => "✅",
        Some(Outcome::Transient) => "🔁",
        Some(_) => "❌",
    };
    let mut item = Item::new(icon, format!("build {}: {word}", build.id)).evidence(format!(
        "started {} {}",
        build.started_at.with_timezone(&zone).format("%a"),
        clock(build.started_at, zone)
    ));
    if !build.reason.is_empty() {
        item = item.evidence(build.reason.clone());
    }
    if let Some(change) = &build.change {
        item = item.evidence(format!("{} files, +{} −{}", change.files, change.insertions, change.deletions));
    }
    item
}

pub(super) async fn status(engine: &Engine, conn: &mut Conn, now: DateTime<Utc>) -> Result<Reply, StoreError> {
    let facts = facts::status(engine, conn, now).await?;
    let data = json!({
        "context": facts.session.as_ref().map_or("AWAKE", |session| if session.phase <= Phase::Brief { "SLEEPING" } else { "AWAKE" }),
        "session": facts.session.as_ref().map(|session| json!({
            "session_id": session.name(), "kind": session.kind, "phase": session.phase, "date": session.date,
            "spawn_until": session.spawn_until, "brief_at": session.brief_at,
        })),
        "paused": facts.paused,
        "builds": facts.builds.iter().map(|fact| json!({
            "build": fact.build.id, "task": fact.task.id, "title": fact.task.spec.title, "step": fact.build.step,
            "progress": fact.build.progress, "outcome": fact.build.outcome, "expected_finish": fact.expected_finish,
        })).collect::<Vec<_>>(),
        "next": facts.next.iter().map(|(task, why)| json!({"task": task.id, "why": why})).collect::<Vec<_>>(),
        "permits": facts.permits_max, "held_up": facts.permits_blocked, "resources": facts.resources,
        "next_night": facts.next_night.start,
        "chat_trouble": facts.chat_trouble.iter().map(|(chat, since, why)| json!({"chat": chat, "since": since, "why": why}))
            .collect::<Vec<_>>(),
    });
    Ok(Reply { message: status_message(&facts), data, ..Reply::default() })
}

pub(super) async fn brief(engine: &Engine, conn: &mut Conn, now: DateTime<Utc>) -> Result<Reply, StoreError> {
    let Some(session) = sessions::latest(conn).await? else {
        return Ok(Reply::line("There has been no night yet. /status says when the first one begins."));
    };
    let home = &engine.parts.home_chat;
    let said = outbox::said(conn, home, &format!("brief:{}", session.date)).await?;
    let message = match said {
        Some(message) => message,
        None => say::brief_of(engine, conn, &session, now).await?,
    };
    let data = json!({"session_id": session.name(), "date": session.date, "message": message});
    Ok(Reply { message, data, ..Reply::default() })
}

pub(super) async fn report(conn: &mut Conn) -> Result<Reply, StoreError> {
    let Some(path) = sessions::latest_report(conn).await? else {
        return Ok(Reply::refuse("No report was written yet: the first comes at the end of the first night."));
    };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => return Ok(Reply::refuse(format!("The report {path} can't be read: {error}"))),
    };
    let data = serde_json::from_str(&text).unwrap_or_default();
    let name = Path::new(&path).file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let night = name.parse().map_or(name, |date: chrono::NaiveDate| date.format("%A, %-d %B").to_string());
    let mut message = Message::line(format!("📄 The report of the night of {night}"));
    message.attachments.push(Attachment::file(Path::new(&path)));
    Ok(Reply { message, data, ..Reply::default() })
}

pub(super) async fn log(engine: &Engine, conn: &mut Conn, id: TaskId, lines: usize) -> Result<Reply, StoreError> {
    let task = task_or_answer!(conn, id);
    let Some(build) = builds::of_task(conn, id, 1).await?.into_iter().next() else {
        return Ok(Reply::refuse(format!(
            "#{id} was never built, so there is no log. /why {id} says what it waits for."
        )));
    };
    // The verify log is what explains a failed check; otherwise the agent's own.
    let checked = match (build.outcome, build.check) {
        (Some(Outcome::TestsFailed | Outcome::Flaky), Some(check)) => {
            perform::log_of(conn, RunOwner::Check(check)).await?
        }
        _ => None,
    };
    let path = checked.map_or_else(|| engine.home().build_log(build.id, build.round), PathBuf::from);
    let read = path.clone();
    let tail = tokio::task::spawn_blocking(move || last_lines(&read, lines)).await;
    let tail = match tail {
        Ok(Ok(tail)) => tail,
        _ => vec![],
    };
    let mut message = Message::line(format!("📜 #{id} {}: the last {}", task.spec.title, counted(tail.len(), "line")));
    message = message.section("", vec![log_item(&tail)]);
    if path.is_file() {
        message.attachments.push(Attachment::file(&path));
    }
    Ok(Reply { message, data: json!({"path": path, "lines": tail}), ..Reply::default() })
}

fn log_item(tail: &[String]) -> Item {
    let quote = tail.join("\n");
    Item { quote, quoted_from: "its output".into(), ..Item::default() }
}

pub(super) async fn why(engine: &Engine, conn: &mut Conn, id: TaskId, now: DateTime<Utc>) -> Result<Reply, StoreError> {
    let task = task_or_answer!(conn, id);
    let world = facts::world_ahead(engine, conn, now).await?;
    let zone = engine.settings().schedule.zone;
    let now_words = match task.state {
        TaskState::Open | TaskState::Draft => {
            let standing = choice::standing(&world, &task, now);
            let ready = matches!(standing, Standing::Ready { .. });
            let held = if ready {
                format!("{}. {}", held_up(engine, &world, id, now), super::plan::prospects(&world, &task, zone, now))
            } else {
                String::new()
            };
            format!("{}{held}", standing.words(zone))
        }
        TaskState::Done => {
            let built = builds::of_task(conn, id, 1).await?.first().map_or("done".into(), |build| {
                format!("{}: {}", build.outcome.map_or("ended", Outcome::as_str).replace('_', " "), build.reason)
            });
            let ship = world.ships.iter().find(|ship| ship.task == id);
            match ship.map(|ship| (ship.kind, ship.waits.as_deref())) {
                Some((kind, Some(waits))) => format!("its {kind} waits: {waits}"),
                Some((kind, None)) => format!("its {kind} is under way"),
                None => built,
            }
        }
        TaskState::Dropped => "taken out of the queue".into(),
    };
    let entries = audit::of_task(conn, id, 15).await?;
    let items = entries
        .iter()
        .map(|entry| {
            let at = entry.at.with_timezone(&zone).format("%a %H:%M");
            Item::new("•", format!("{at} {}: {}", card::name_of(engine, &entry.actor), entry.text))
        })
        .collect();
    let message =
        Message::line(format!("🔎 #{id} {}", task.spec.title)).intro(capital(&now_words)).section("So far", items);
    Ok(Reply { message, data: json!({"task": id, "now": now_words, "decisions": entries}), ..Reply::default() })
}

/// Why a ready task does not run at this moment.
fn held_up(engine: &Engine, world: &crate::domain::plan::Snapshot, id: TaskId, now: DateTime<Utc>) -> String {
    if world.paused {
        return ", but paused: /night resume".into();
    }
    if world.spawning_session(now).is_none() {
        let next = engine.settings().schedule.current_or_next(now);
        let spawn = if now < next.spawn {
            next.spawn
        } else {
            engine.settings().schedule.night(next.date.succ_opt().unwrap_or(next.date)).spawn
        };
        return format!("; builds start at {}, /run {id} builds it now", clock(spawn, engine.settings().schedule.zone));
    }
    let permits = world.permits();
    if !permits.blocked_by.is_empty() {
        let why: Vec<_> = permits.blocked_by.iter().map(ToString::to_string).collect();
        return format!(", but held up: {}", why.join(", "));
    }
    let before = choice::ready(world, now).iter().position(|(task, _)| task.id == id).unwrap_or(0);
    let turn = match before {
        0 => "it is next".to_owned(),
        before => format!("{} before it", if before == 1 { "1 task is".into() } else { format!("{before} tasks are") }),
    };
    format!("; {} of {} places are taken, {turn}", world.builds.len(), permits.max)
}

/// The answer to `/health`, from what was found before this transaction began.
pub(super) async fn health(
    engine: &Engine,
    conn: &mut Conn,
    fix: bool,
    (checked, used): (&[Checked], &[(&'static str, u64)]),
    now: DateTime<Utc>,
) -> Result<Reply, StoreError> {
    let mut items = Vec::new();
    for found in checked {
        let (icon, text) = match &found.fix {
            Some(done) if done.is_fixed() => ("✅", done.text()),
            Some(done) => ("⚠️", done.text()),
            None => ("⚠️", found.problem.detail.clone()),
        };
        if found.fix.is_some() {
            audit::append(conn, now, "host", "fixed", None, &text).await?;
        }
        items.push(Item::new(icon, text).evidence(found.problem.subject.clone()));
    }
    let fixed =
        checked.iter().filter(|found| found.fix.as_ref().is_some_and(crate::domain::problem::Fix::is_fixed)).count();
    let verdict = match (checked.len(), fix) {
        (0, _) => "💚 Nothing found that needs care".to_owned(),
        (n, true) => format!("🔧 Problems found: {n}, fixed: {fixed}"),
        (n, false) => format!("⚠️ Problems found: {n}"),
    };
    let mut message = Message::line(verdict).section("", items);
    if !fix && checked.iter().any(|found| found.problem.fix.is_some()) {
        message.closing = "/health fix does what is safe now; tonight's check does it anyway.".into();
    }
    let world = facts::world(engine, conn, now).await?;
    let lines = facts::resources(engine, &world);
    message = message.section("🖥️ This machine", lines.iter().map(|line| Item::new("", line)).collect());
    let total: u64 = used.iter().map(|(_, bytes)| bytes).sum();
    let some = used.iter().filter(|(_, bytes)| *bytes > 0);
    let parts: Vec<_> = some.map(|(what, bytes)| format!("{what} {}", human_bytes(*bytes))).collect();
    let colon = if parts.is_empty() { "" } else { ": " };
    let mut own = vec![Item::new("", format!("{} of disk{colon}{}", human_bytes(total), parts.join(", ")))];
    let drill = kept::last_drill(conn).await?.map(|(_, drill)| drill);
    own.extend(drill.iter().map(|drill| Item::new("", format!("{} ({})", drill.text(), drill.date))));
    message = message.section("🌙 overnight itself", own);
    let problems: Vec<_> = checked.iter().map(|f| json!({"problem": f.problem, "fix": f.fix})).collect();
    Ok(Reply {
        message,
        data: json!({
            "problems": problems, "machine": lines, "disk_use": used.iter().copied().collect::<BTreeMap<_, _>>(), "restore_drill": drill,
        }),
        ..Reply::default()
    })
}

pub(super) async fn metrics(engine: &Engine, conn: &mut Conn, now: DateTime<Utc>) -> Result<Reply, StoreError> {
    let week = builds::week(conn, now - chrono::TimeDelta::days(7)).await?;
    let rate = if week.ended == 0 { None } else { Some(week.completed as f64 / week.ended as f64) };
    let goal = |met: bool| if met { "✅" } else { "◻️" };
    let percent = rate.map_or("no build has ended".into(), |rate| {
        format!("{} of builds completed", crate::domain::format::percent(rate))
    });
    let items = vec![
        Item::new(goal(week.completed >= 14), format!("{} builds completed (goal 14–21)", week.completed)),
        Item::new(goal(week.hours >= 42.0), format!("{:.1} hours shipped (goal 42–56)", week.hours)),
        Item::new(goal(week.fixed >= 7), format!("{} problems fixed (goal 7–14)", week.fixed)),
        Item::new(goal(rate.is_some_and(|rate| rate >= 0.95)), format!("{percent} (goal 95 %)")),
    ];
    let drill = kept::last_drill(conn).await?.map(|(_, drill)| drill);
    let mut items = items;
    items.extend(drill.iter().map(|drill| Item::new(goal(drill.trouble.is_none()), drill.text())));
    let world = facts::world(engine, conn, now).await?;
    let lines = facts::resources(engine, &world);
    let message = Message::line("📈 The last seven days")
        .section("", items)
        .section("🖥️ This machine", lines.iter().map(|line| Item::new("", line)).collect());
    let data = json!({
        "builds_completed": week.completed, "builds_ended": week.ended, "hours_shipped": week.hours,
        "problems_fixed": week.fixed, "completion_rate": rate, "restore_drill": drill, "machine": world.samples.last(),
    });
    Ok(Reply { message, data, ..Reply::default() })
}

pub(super) async fn audit_rows(engine: &Engine, conn: &mut Conn, lines: usize) -> Result<Reply, StoreError> {
    let entries = audit::last(conn, i64::try_from(lines).unwrap_or(100)).await?;
    let zone = engine.settings().schedule.zone;
    let items = entries
        .iter()
        .map(|entry| {
            let at = entry.at.with_timezone(&zone).format("%d %b %H:%M:%S");
            // Most texts begin with what kind of thing they tell.
            let kind = if entry.text.starts_with(&entry.kind) { String::new() } else { format!("{} · ", entry.kind) };
            let task = entry.task.map(|id| format!("#{id} ")).unwrap_or_default();
            Item::new("•", format!("{at} {}: {task}{kind}{}", card::name_of(engine, &entry.actor), entry.text))
        })
        .collect();
    let message = Message::line(format!("🧾 The last {} decisions", entries.len())).section("", items);
    Ok(Reply { message, data: json!(entries), ..Reply::default() })
}
