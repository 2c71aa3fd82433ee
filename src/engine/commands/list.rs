//! The queue as a list: narrowed by a word, in pages that turn in place.

use crate::domain::button::Meaning;
use crate::domain::message::{Item, Message};
use crate::domain::plan::choice::{self, Standing};
use crate::domain::task::Task;
use crate::engine::reply::Reply;
use crate::engine::{Engine, facts, say};
use crate::store::{Conn, StoreError};
use chrono::{DateTime, Utc};
use serde_json::json;

/// Tasks on one page.
const PAGE: usize = 12;

pub(super) async fn list(
    engine: &Engine,
    conn: &mut Conn,
    filter: Option<&str>,
    page: usize,
    now: DateTime<Utc>,
) -> Result<Reply, StoreError> {
    let key = format!("list:{:032x}", rand::random::<u128>());
    let reply = shown(engine, conn, &key, filter, page, now).await?;
    Ok(Reply { key: Some(key), ..reply })
}

/// Another page of a list, in place of the one shown.
pub(in crate::engine) async fn page(
    engine: &Engine,
    conn: &mut Conn,
    key: &str,
    filter: Option<&str>,
    page: usize,
    now: DateTime<Utc>,
) -> Result<Reply, StoreError> {
    let reply = shown(engine, conn, key, filter, page, now).await?;
    Ok(Reply { key: Some(key.to_owned()), ..reply })
}

async fn shown(
    engine: &Engine,
    conn: &mut Conn,
    key: &str,
    filter: Option<&str>,
    page: usize,
    now: DateTime<Utc>,
) -> Result<Reply, StoreError> {
    let world = facts::world(engine, conn, now).await?;
    let rows: Vec<(&Task, Standing)> = world
        .tasks
        .iter()
        .map(|task| (task, choice::standing(&world, task, now)))
        .filter(|(task, standing)| filter.is_none_or(|filter| matches_filter(task, standing, filter)))
        .collect();
    let data = rows.iter().map(|(task, standing)| listed(engine, task, standing)).collect::<Vec<_>>();
    let locked = rows.iter().filter(|(_, standing)| matches!(standing, Standing::Locked { .. })).count();
    let ready = rows.iter().filter(|(_, standing)| matches!(standing, Standing::Ready { .. })).count();
    let pages = rows.len().div_ceil(PAGE).max(1);
    // Tasks leave the queue while somebody reads it.
    let page = page.min(pages - 1);
    let mut message = match (rows.len(), filter) {
        (0, None) => Message::line("📭 The queue is empty").closing("/queue add Optimize the report query | 4h | perf"),
        (0, Some(filter)) => Message::line(format!("Nothing in the queue fits {filter:?}")),
        (n, _) => Message::line(format!("🗒️ {n} in the queue · {ready} ready · {locked} locked")),
    };
    let items = rows.iter().skip(page * PAGE).take(PAGE).map(|(task, standing)| item(engine, task, standing)).collect();
    message = message.section("", items);
    if pages > 1 {
        message.closing = format!("Page {} of {pages}", page + 1);
    }
    let mut row = Vec::new();
    for (label, to) in [("◀", page.checked_sub(1)), ("▶", (page + 1 < pages).then_some(page + 1))] {
        let Some(to) = to else { continue };
        row.push(turn(conn, key, label, filter, to, now).await?);
    }
    message = message.row(row);
    let mut row = Vec::new();
    for (label, to, worth) in [("🔒 Locked", "locked", locked), ("✔️ Ready", "ready", ready)] {
        if worth > 0 && worth < rows.len() && filter.is_none() {
            row.push(turn(conn, key, label, Some(to), 0, now).await?);
        }
    }
    if filter.is_some() {
        row.push(turn(conn, key, "🗒️ All", None, 0, now).await?);
    }
    Ok(Reply { message: message.row(row), data: json!(data), ..Reply::default() })
}

async fn turn(
    conn: &mut Conn,
    key: &str,
    label: &str,
    filter: Option<&str>,
    page: usize,
    now: DateTime<Utc>,
) -> Result<crate::domain::message::Button, StoreError> {
    let filter = filter.map(str::to_owned);
    let typed = format!("/queue list {} {}", filter.as_deref().unwrap_or_default(), page + 1).replace("  ", " ");
    say::button(conn, label, &typed, &Meaning::Page { list: key.to_owned(), filter, page }, now).await
}

fn matches_filter(task: &Task, standing: &Standing, filter: &str) -> bool {
    let word = filter.trim().to_lowercase();
    let state = match standing {
        Standing::Ready { .. } => "ready",
        Standing::Building => "building",
        Standing::Parked { .. } => "parked",
        Standing::Asks { .. } => "asks",
        Standing::Draft => "draft",
        Standing::Locked { .. } => "locked",
        _ => "waiting",
    };
    state == word
        || word.parse() == Ok(task.spec.category)
        || word.parse() == Ok(task.spec.priority)
        || word.parse() == Ok(task.spec.kind)
        || task.spec.project.as_deref() == Some(word.as_str())
}

fn item(engine: &Engine, task: &Task, standing: &Standing) -> Item {
    let icon = match standing {
        Standing::Locked { .. } => "🔒",
        Standing::Building => "🔨",
        Standing::Parked { .. } => "🅿️",
        Standing::Asks { .. } => "💬",
        Standing::Ready { .. } => "✔️",
        Standing::Draft => "❔",
        _ => "⏳",
    };
    let line = [task.spec.category.title().to_owned(), task.spec.priority.word(), task.spec.estimate_text()];
    let item = Item::new(icon, format!("#{} {}", task.id, task.spec.title)).evidence(line.join(" · "));
    // A page is for a phone: what the icon and the first line say already is not said a dozen times.
    if *standing == (Standing::Ready { approved: false }) {
        return item;
    }
    item.evidence(standing.words(engine.settings().schedule.zone))
}

fn listed(engine: &Engine, task: &Task, standing: &Standing) -> serde_json::Value {
    json!({
        "id": task.id, "title": task.spec.title, "project": task.spec.project, "kind": task.spec.kind,
        "category": task.spec.category, "priority": task.spec.priority,
        "estimate_hours": f64::from(task.spec.estimate_minutes) / 60.0,
        "standing": standing.words(engine.settings().schedule.zone),
        "locked": matches!(standing, Standing::Locked { .. }),
        "ready": matches!(standing, Standing::Ready { .. }), "state": task.state, "attempts": task.attempts,
    })
}
