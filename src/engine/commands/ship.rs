//! Decisions about results: look at them, ship, revert, discard.

use super::task_or_answer;
use crate::domain::build::{Build, Outcome};
use crate::domain::button::Meaning;
use crate::domain::diff_page;
use crate::domain::id::{BuildId, TaskId};
use crate::domain::message::{Attachment, Item, Message};
use crate::domain::review::{concerns, unfit};
use crate::domain::ship::{Ship, ShipKind, ShipOutcome, ShipStep, in_force};
use crate::domain::task::{Task, TaskKind};
use crate::engine::reply::{Asker, Reply};
use crate::engine::say::button;
use crate::engine::{Engine, effects, review};
use crate::git::{self, Sha};
use crate::store::ships::NewShip;
use crate::store::{Conn, StoreError, audit, builds, ships};
use chrono::{DateTime, Utc};
use serde_json::json;
use std::path::PathBuf;

/// Cards shown at once.
const MOST_CARDS: usize = 12;

/// The newest build of a task that left a result; none: there is nothing to look at.
async fn newest(conn: &mut Conn, task: TaskId) -> Result<Option<BuildId>, StoreError> {
    let builds = builds::of_task(conn, task, 20).await?;
    Ok(builds.iter().filter(|build| build.result.is_some()).map(|build| build.id).max())
}

/// What waits for a decision, a card each.
pub(super) async fn review(engine: &Engine, conn: &mut Conn, now: DateTime<Utc>) -> Result<Reply, StoreError> {
    let mut open = Vec::new();
    for build in builds::with_results(conn).await? {
        let result = review::load(engine, conn, build).await?;
        if review::is_open(&result) {
            open.push(result);
        }
    }
    // What counts comes first.
    open.sort_by_key(|result| !concerns(&result.fact).is_empty());
    let ready = open.iter().filter(|result| concerns(&result.fact).is_empty()).count();
    let verdict = match (ready, open.len() - ready) {
        (0, 0) => "👀 Nothing is ready to review".into(),
        (ready, 0) => format!("👀 {ready} ready to ship"),
        (ready, others) => format!("👀 {ready} ready to ship · {others} to look at twice"),
    };
    let mut reply = Reply::line(verdict);
    if open.len() > MOST_CARDS {
        reply.message.closing = format!("The first {MOST_CARDS} are shown; decide on some and /review again.");
    } else if ready > 1 {
        reply.message.closing =
            "/ship all lands what is ready, one after the other, each after its tests passed.".into();
    }
    let mut data = Vec::new();
    for result in open.iter().take(MOST_CARDS) {
        let fact = &result.fact;
        data.push(json!({
            "task": fact.task.id, "build": fact.build.id, "title": fact.task.spec.title, "outcome": fact.build.outcome,
            "result": fact.build.result, "ref": fact.result_ref, "concerns": concerns(fact),
        }));
        let card = review::draw(conn, result, now).await?;
        reply.more.push((format!("{}{}", review::key(fact.build.id), now.timestamp_millis()), card));
    }
    Ok(reply.with(json!(data)))
}

/// Ships tasks by their numbers, or all that are ready.
pub(super) async fn ship(
    engine: &Engine,
    conn: &mut Conn,
    asker: Asker<'_>,
    tasks: &[TaskId],
    anyway: bool,
    now: DateTime<Utc>,
) -> Result<Reply, StoreError> {
    let mut wanted = tasks.to_vec();
    if tasks.is_empty() {
        for build in builds::with_results(conn).await? {
            let result = review::load(engine, conn, build).await?;
            if review::is_open(&result) && concerns(&result.fact).is_empty() {
                wanted.push(result.fact.task.id);
            }
        }
        if wanted.is_empty() {
            return Ok(Reply::refuse("Nothing is ready to ship without a second look. /review shows what there is."));
        }
    }
    // What others stand on goes first: numbers grow with time, and a task needs only older ones in most cases.
    wanted.sort_unstable();
    wanted.dedup();
    let mut replies = Vec::new();
    for task in wanted {
        replies.push(ship_build(engine, conn, asker, task, None, anyway, now).await?);
    }
    if replies.len() == 1 {
        return Ok(replies.remove(0));
    }
    let refused = replies.iter().all(|reply| reply.refused);
    let said: Vec<String> = replies.iter().map(|reply| reply.message.verdict.clone()).collect();
    Ok(Reply { refused, ..Reply::line(said.join("\n")) })
}

/// Ships one task's newest result; a button names the build its card showed.
pub(in crate::engine) async fn ship_build(
    engine: &Engine,
    conn: &mut Conn,
    asker: Asker<'_>,
    id: TaskId,
    shown: Option<BuildId>,
    anyway: bool,
    now: DateTime<Utc>,
) -> Result<Reply, StoreError> {
    if let Some(refusal) = super::access::owner_only(asker) {
        return Ok(refusal);
    }
    let task = task_or_answer!(conn, id);
    let Some(build) = newest(conn, id).await? else {
        let why = if task.spec.kind == TaskKind::Code { "has no result yet" } else { "leaves nothing that could land" };
        return Ok(Reply::refuse(format!("#{id} {why}. /why {id} says where it stands.")));
    };
    let result = review::load(engine, conn, build).await?;
    if shown.is_some_and(|shown| shown != build) {
        let text = format!("#{id} was built again since that card was shown; this is its newest result.");
        let card = review::draw(conn, &result, now).await?;
        let more = vec![(format!("{}{}", review::key(build), now.timestamp_millis()), card)];
        return Ok(Reply { more, ..Reply::refuse(text) });
    }
    if let Some(why) = unfit(&result.fact) {
        return Ok(Reply::refuse(why));
    }
    if let Some(ship) = result.ship.as_ref().filter(|ship| ship.is_open()) {
        let what = if ship.kind == ShipKind::Ship { "shipping" } else { "being taken back" };
        return Ok(Reply::line(format!("#{id} {:?} is {what} already.", task.spec.title)));
    }
    if result.landed.is_some() {
        return Ok(Reply::line(format!("#{id} {:?} is shipped already; /revert {id} takes it back.", task.spec.title)));
    }
    if let Some(first) = unshipped_ground(engine, conn, &result).await? {
        return Ok(Reply::refuse(format!("#{id} stands on #{first}, which is not shipped: /ship {first} first.")));
    }
    let concerns = concerns(&result.fact);
    if !concerns.is_empty() && !anyway {
        let meaning = Meaning::Ship { task: id, build, anyway: true };
        let sure = button(conn, "🚢 Ship anyway", &format!("/ship {id} anyway"), &meaning, now).await?;
        let items = concerns.iter().map(|concern| Item::new("⚠️", concern)).collect();
        let message = Message::line(format!("⚠️ Look twice at #{id} {} before it ships", task.spec.title));
        let message = message.section("", items).row(vec![sure]);
        return Ok(Reply { message, refused: true, ..Reply::default() });
    }
    let (Some(from), Some(to)) = (&result.fact.build.base, &result.fact.build.result) else {
        return Ok(Reply::refuse(format!(
            "#{id} does not know which commit it stands on; /retry {id} builds it again."
        )));
    };
    let project = task.spec.project.clone().unwrap_or_default();
    let verified = result.fact.build.outcome == Some(Outcome::Verified);
    let branch = builds::branch(conn, build).await?;
    let branch = branch.as_deref();
    let new = NewShip { kind: ShipKind::Ship, build, project: &project, branch, by: asker.who, from, to, verified };
    ships::discard(conn, build, None, now).await?;
    let ship = ships::insert(conn, &new, now).await?;
    let told = if concerns.is_empty() { String::new() } else { format!("; told before: {}", concerns.join("; ")) };
    let text = format!("asked to ship build {build} to {project}{told}");
    audit::append(conn, now, asker.who, "ship", Some(id), &text).await?;
    review::redraw(engine, conn, build, now).await?;
    let mut reply = Reply::line(format!("🚢 #{id} {:?} is on its way to {project}", task.spec.title));
    reply.message.closing = "It lands once its tests pass on the branch as it is now.".into();
    Ok(reply.with(json!({"ship": ship, "task": id})))
}

/// The task whose result this one was built on, if that is not on the branch.
async fn unshipped_ground(
    engine: &Engine,
    conn: &mut Conn,
    result: &review::Reviewed,
) -> Result<Option<TaskId>, StoreError> {
    if result.fact.build.on_top_of.is_none() {
        return Ok(None);
    }
    for first in &result.fact.task.spec.depends_on {
        let Some(build) = newest(conn, *first).await? else { continue };
        let ground = review::load(engine, conn, build).await?;
        if ground.fact.build.result == result.fact.build.on_top_of && ground.landed.is_none() {
            return Ok(Some(*first));
        }
    }
    Ok(None)
}

/// Takes a landed result off its branch.
pub(super) async fn revert(
    engine: &Engine,
    conn: &mut Conn,
    asker: Asker<'_>,
    id: TaskId,
    now: DateTime<Utc>,
) -> Result<Reply, StoreError> {
    let task = task_or_answer!(conn, id);
    let all = ships::of_task(conn, id).await?;
    if let Some(open) = all.iter().find(|ship| ship.is_open()) {
        let hint = if open.kind == ShipKind::Ship { format!("; /undo {id} calls it off") } else { String::new() };
        return Ok(Reply::refuse(format!("#{id} is on its way already{hint}.")));
    }
    let Some(landed) = in_force(&all) else {
        return Ok(Reply::refuse(format!("#{id} is not shipped, so there is nothing to take back.")));
    };
    let (Some(from), Some(to)) = (&landed.commit, &landed.onto) else {
        return Ok(Reply::refuse(format!("#{id}: what landed is not on record; /oplog has what is.")));
    };
    let new = NewShip {
        kind: ShipKind::Revert,
        build: landed.build,
        project: &landed.project,
        branch: landed.branch.as_deref(),
        by: asker.who,
        from,
        to,
        verified: true,
    };
    let ship = ships::insert(conn, &new, now).await?;
    let text = format!("asked to take build {} off {}", landed.build, landed.project);
    audit::append(conn, now, asker.who, "revert", Some(id), &text).await?;
    review::redraw(engine, conn, landed.build, now).await?;
    let text = format!("↩ #{id} {:?} is being taken off {}", task.spec.title, landed.project);
    Ok(Reply::line(text).with(json!({"ship": ship, "task": id})))
}

/// A result is not wanted.
pub(super) async fn discard(
    engine: &Engine,
    conn: &mut Conn,
    asker: Asker<'_>,
    id: TaskId,
    now: DateTime<Utc>,
) -> Result<Reply, StoreError> {
    let task = task_or_answer!(conn, id);
    let Some(build) = newest(conn, id).await? else {
        return Ok(Reply::refuse(format!("#{id} has no result to discard.")));
    };
    let result = review::load(engine, conn, build).await?;
    if result.landed.is_some() || result.ship.as_ref().is_some_and(Ship::is_open) {
        return Ok(Reply::refuse(format!("#{id} is shipped or on its way; /revert {id} takes it back.")));
    }
    ships::discard(conn, build, Some(asker.who), now).await?;
    audit::append(conn, now, asker.who, "discarded", Some(id), &format!("build {build} is not wanted")).await?;
    review::redraw(engine, conn, build, now).await?;
    let mut reply = Reply::line(format!("🗑 #{id} {:?} is discarded", task.spec.title));
    reply.message.closing = format!("It stays in the vault; /undo {id} brings it back.");
    Ok(reply.with(json!({"discarded": id})))
}

/// Takes back what was decided about a result: a ship that has not landed, or a discard. None: nothing was.
pub(super) async fn undo(
    engine: &Engine,
    conn: &mut Conn,
    asker: Asker<'_>,
    id: TaskId,
    now: DateTime<Utc>,
) -> Result<Option<Reply>, StoreError> {
    if super::access::owner_only(asker).is_some() {
        return Ok(None);
    }
    let all = ships::of_task(conn, id).await?;
    if let Some(ship) = all.iter().find(|ship| ship.is_open()) {
        if ship.step == ShipStep::Landing {
            return Ok(Some(Reply::refuse(format!("#{id} is landing in this moment; look again in a second."))));
        }
        let reason = "called off";
        ships::end(conn, ship.id, ship.step, ShipOutcome::Withdrawn, reason, now).await?;
        audit::append(conn, now, asker.who, "undone", Some(id), "the ship is called off").await?;
        review::redraw(engine, conn, ship.build, now).await?;
        return Ok(Some(Reply::line(format!("↩ #{id}: called off, nothing landed"))));
    }
    let Some(build) = newest(conn, id).await? else { return Ok(None) };
    if ships::is_discarded(conn, build).await? {
        ships::discard(conn, build, None, now).await?;
        audit::append(conn, now, asker.who, "undone", Some(id), "its result is wanted again").await?;
        review::redraw(engine, conn, build, now).await?;
        return Ok(Some(Reply::line(format!("↩ #{id}: its result is ready to review again"))));
    }
    Ok(in_force(&all).map(|_| Reply::refuse(format!("#{id} is shipped; /revert {id} takes it off the branch."))))
}

/// What was done to repositories and folders.
pub(super) async fn oplog(engine: &Engine, conn: &mut Conn, lines: usize) -> Result<Reply, StoreError> {
    let entries = audit::operations(conn, i64::try_from(lines).unwrap_or(100)).await?;
    let zone = engine.settings().schedule.zone;
    let items = entries
        .iter()
        .map(|entry| {
            let at = entry.at.with_timezone(&zone).format("%d %b %H:%M:%S");
            let task = entry.task.map(|id| format!(" #{id}")).unwrap_or_default();
            let mut item =
                Item::new(entry.icon(), format!("{}. {at}{task} {}", entry.id, done(&entry.kind, &entry.subject)));
            let states = [entry.before.as_deref(), entry.after.as_deref()];
            if states.iter().any(Option::is_some) {
                item =
                    item.evidence(format!("{} → {}", states[0].unwrap_or("nothing"), states[1].unwrap_or("nothing")));
            }
            item
        })
        .collect();
    let message = Message::line(format!("🧾 The last {} operations", entries.len())).section("", items);
    Ok(Reply { message, data: json!(entries), ..Reply::default() })
}

fn done(kind: &str, subject: &str) -> String {
    match kind {
        "land" => format!("moved the branch of {subject}"),
        "set_ref" => format!("kept a result: {subject}"),
        _ => format!("{} {subject}", kind.replace('_', " ")),
    }
}

/// Longest patch sent, in bytes.
const PATCH_BYTES: usize = 8 << 20;

/// What a task's newest result changes, written as a page and as a patch into files that go with the answer.
pub(super) async fn diff(engine: &Engine, id: TaskId) -> Result<Reply, StoreError> {
    let found = {
        let mut conn = engine.store().read().await?;
        let task = task_or_answer!(&mut conn, id);
        match newest(&mut conn, id).await? {
            Some(build) => Some((task, builds::get(&mut conn, build).await?)),
            None => None,
        }
    };
    let Some((task, build)) = found else {
        return Ok(Reply::refuse(format!("#{id} has no result to look at. /why {id} says where it stands.")));
    };
    match write_diff(engine, &task, &build).await {
        Ok((page, patch)) => {
            let mut message = Message::line(format!("📄 #{id} {}", task.spec.title));
            message.attachments = vec![Attachment::file(&page), Attachment::file(&patch)];
            let data = json!({"task": id, "page": page, "patch": patch});
            Ok(Reply { message, data, ..Reply::default() })
        }
        Err(why) => Ok(Reply::refuse(format!("The difference of #{id} can't be shown: {why}."))),
    }
}

async fn write_diff(engine: &Engine, task: &Task, build: &Build) -> Result<(PathBuf, PathBuf), String> {
    let project = task.spec.project.as_deref().unwrap_or_default();
    let vault = effects::vault(engine, project).await?;
    let sha = |text: &Option<String>| text.as_deref().unwrap_or_default().parse::<Sha>().map_err(|e| e.to_string());
    let (base, result) = (sha(&build.base)?, sha(&build.result)?);
    let patch = git::patch(&vault, &base, &result, PATCH_BYTES).await.map_err(|error| error.fault.to_string())?;
    let title = format!("#{} {}", task.id, task.spec.title);
    let page = diff_page::page(&title, &String::from_utf8_lossy(&patch));
    let folder = engine.home().diffs();
    let write = |name: String, bytes: &[u8]| {
        let file = folder.join(name);
        crate::host::atomic_write(&file, bytes).map(|()| file).map_err(|error| error.to_string())
    };
    std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let name = format!("task-{}-build-{}", task.id, build.id);
    Ok((write(format!("{name}.html"), page.as_bytes())?, write(format!("{name}.diff"), &patch)?))
}
