//! Tasks made from messages: a plain line becomes a card "add this?", whose parts are changed by taps; a file or a forwarded
//! message becomes details; an edited message edits its task; a reply to a card speaks about its task.

use super::{access, queue, task_or_answer};
use crate::chat::command::{Command, Draft, ParseContext, parse};
use crate::domain::button::Meaning;
use crate::domain::category::Category;
use crate::domain::id::TaskId;
use crate::domain::message::Message;
use crate::domain::task::{Priority, Task, TaskState, limits};
use crate::engine::reply::{Asker, Reply};
use crate::engine::{Engine, card, inbound, say};
use crate::store::{Conn, StoreError, audit};
use chrono::{DateTime, Utc};
use serde_json::json;

/// Assumed until the owner says otherwise.
const DEFAULT_ESTIMATE_MINUTES: u32 = 120;
/// Lines of one message that become tasks.
const MOST_LINES: usize = 20;

/// Text without a slash: kept as drafts with the question "add this?", one a line. After an empty line come details.
pub(super) async fn plain(
    engine: &Engine,
    conn: &mut Conn,
    asker: Asker<'_>,
    text: &str,
    now: DateTime<Utc>,
) -> Result<Reply, StoreError> {
    let drafts = drafts_of(text);
    if drafts.is_empty() {
        return Ok(Reply::refuse("Write what should be built, or /help for what can be asked."));
    }
    ask(engine, conn, asker, drafts, now).await
}

/// What a plain message would queue.
fn drafts_of(text: &str) -> Vec<Draft> {
    let text = text.trim();
    let lines: Vec<&str> = text.lines().collect();
    let several = lines.len() > 1 && lines.len() <= MOST_LINES && lines.iter().all(|line| is_task_line(line));
    let parts: Vec<(&str, &str)> = if several {
        lines.iter().map(|line| (line.trim(), "")).collect()
    } else {
        vec![text.split_once('\n').unwrap_or((text, ""))]
    };
    parts
        .into_iter()
        .filter(|(first, _)| !first.trim().is_empty())
        .map(|(first, rest)| {
            let (title, over) = split_title(first.trim());
            let details =
                [over, rest.trim()].iter().filter(|part| !part.trim().is_empty()).copied().collect::<Vec<_>>();
            Draft { title: Some(title.into()), details: Some(details.join("\n")), ..Draft::default() }
        })
        .collect()
}

/// A line that can stand alone: not empty, not indented, no longer than a title.
fn is_task_line(line: &str) -> bool {
    !line.trim().is_empty() && !line.starts_with(char::is_whitespace) && line.chars().count() <= limits::TITLE_CHARS
}

fn split_title(line: &str) -> (&str, &str) {
    let cut = line.char_indices().nth(limits::TITLE_CHARS).map_or(line.len(), |(at, _)| at);
    line.split_at(cut)
}

async fn ask(
    engine: &Engine,
    conn: &mut Conn,
    asker: Asker<'_>,
    drafts: Vec<Draft>,
    now: DateTime<Utc>,
) -> Result<Reply, StoreError> {
    if let Some(refusal) = queue::no_room(conn, drafts.len()).await? {
        return Ok(refusal);
    }
    let mut cards = Vec::new();
    let mut added = Vec::new();
    let mut data = Vec::new();
    for draft in drafts {
        let mut spec = match queue::fill(engine, conn, queue::empty_spec(), draft, None, now).await? {
            Ok(spec) => spec,
            Err(trouble) => return Ok(Reply::refuse(format!("{trouble} Nothing was added."))),
        };
        spec.estimate_minutes = DEFAULT_ESTIMATE_MINUTES;
        let task = queue::insert(engine, conn, asker, &spec, TaskState::Draft, now).await?;
        cards.push((card::key(&task), card::draw(engine, conn, &task, now).await?));
        added.push(task.id);
        data.push(json!({"id": task.id, "state": task.state}));
    }
    let (key, message) = cards.remove(0);
    let data = if data.len() == 1 { data.remove(0) } else { json!(data) };
    Ok(Reply { key: Some(key), message, more: cards, added, data, ..Reply::default() })
}

/// A file or a forwarded message: details of a new draft, never a command.
pub(in crate::engine) async fn data(
    engine: &Engine,
    conn: &mut Conn,
    asker: Asker<'_>,
    title: &str,
    text: &str,
    from: &str,
    now: DateTime<Utc>,
) -> Result<Reply, StoreError> {
    if let Some(refusal) = access::owner_only(asker) {
        return Ok(refusal);
    }
    let first = [title, text].into_iter().flat_map(str::lines).map(str::trim).find(|line| !line.is_empty());
    let (title, over) = split_title(first.unwrap_or("Look at what was sent"));
    let mut details = format!("From {from}:\n{text}");
    if !over.is_empty() {
        details = format!("{over}\n{details}");
    }
    let draft = Draft { title: Some(title.into()), details: Some(details), ..Draft::default() };
    ask(engine, conn, asker, vec![draft], now).await
}

/// What was sent can't be read: said, and what was written with it is not lost.
pub(in crate::engine) async fn unreadable(
    engine: &Engine,
    conn: &mut Conn,
    asker: Asker<'_>,
    what: &str,
    why: &str,
    text: &str,
    now: DateTime<Utc>,
) -> Result<Reply, StoreError> {
    if let Some(refusal) = access::owner_only(asker) {
        return Ok(refusal);
    }
    let text = text.trim();
    if text.is_empty() || text.starts_with('/') {
        return Ok(Reply::refuse(format!("I can't read {what}: {why}. Nothing was added.")));
    }
    let mut reply = plain(engine, conn, asker, text, now).await?;
    reply.message.closing = format!("Without {what}, which can't be read: {why}.");
    Ok(reply)
}

/// A message was edited: the task it became changes with it, and an approval of what it said before is void.
pub(in crate::engine) async fn edited(
    engine: &Engine,
    conn: &mut Conn,
    asker: Asker<'_>,
    ids: &[TaskId],
    text: &str,
    now: DateTime<Utc>,
) -> Result<Reply, StoreError> {
    // An edited command is not given again: whoever wants that sends it.
    if ids.is_empty() {
        return Ok(Reply::default());
    }
    if let Some(refusal) = access::owner_only(asker) {
        return Ok(refusal);
    }
    let (projects, agents) = inbound::names(engine);
    let drafts = match parse(text, &ParseContext { projects: &projects, agents: &agents }) {
        Ok(Command::QueueAdd(drafts)) => drafts,
        Ok(Command::Plain(text)) => drafts_of(&text),
        Ok(_) => vec![],
        Err(error) => return Ok(Reply::refuse(format!("The edit was not taken over: {}", error.message))),
    };
    if drafts.len() != ids.len() {
        let list: Vec<_> = ids.iter().map(|id| format!("#{id}")).collect();
        return Ok(Reply::refuse(format!(
            "That message became {}; its edit does not fit them any more. Nothing was changed: /queue edit N changes one.",
            list.join(", ")
        )));
    }
    let mut reply = Reply::default();
    for (id, draft) in ids.iter().zip(drafts) {
        let task = task_or_answer!(conn, *id);
        let same_title = draft.title.as_ref() == Some(&task.spec.title);
        let same_details = draft.details.clone().unwrap_or_default() == task.spec.details;
        let rest = Draft { title: None, details: None, ..draft.clone() };
        if same_title && same_details && rest == Draft::default() {
            continue;
        }
        let draft = Draft { details: Some(draft.details.unwrap_or_default()), ..draft };
        let one = queue::edit(engine, conn, asker, *id, draft, now).await?;
        if one.refused {
            return Ok(one);
        }
        reply.more.extend(one.key.map(|key| (key, one.message)));
    }
    Ok(reply)
}

/// A reply to a card: fields for a draft, the reason for a rejection. None: it is a message like any other.
pub(in crate::engine) async fn reply_to(
    engine: &Engine,
    conn: &mut Conn,
    asker: Asker<'_>,
    key: &str,
    text: &str,
    now: DateTime<Utc>,
) -> Result<Option<Reply>, StoreError> {
    let question = key.strip_prefix("question:").and_then(|rest| rest.split(':').next()).and_then(|id| id.parse().ok());
    if let Some(id) = question.map(TaskId).filter(|_| !text.trim_start().starts_with('/')) {
        return super::answer(engine, conn, asker, id, text.trim(), now).await.map(Some);
    }
    let number = key.strip_prefix("card:").and_then(|rest| rest.split(':').next()).and_then(|id| id.parse().ok());
    let Some(id) = number.map(TaskId).filter(|_| !text.trim_start().starts_with('/')) else { return Ok(None) };
    let Ok(task) = super::find(conn, id).await? else { return Ok(None) };
    match task.state {
        TaskState::Draft => {
            let line = format!("/queue edit {id} | {}", text.trim());
            Ok(Some(inbound::typed(engine, conn, asker, &line, now).await?))
        }
        TaskState::Dropped => {
            // The reason stands under the name of who gives it, as if they had decided.
            if let Some(refusal) = super::decide::not_theirs(conn, asker, &task).await? {
                return Ok(Some(refusal));
            }
            let reason = text.trim();
            audit::append(conn, now, asker.who, "rejected", Some(id), &format!("rejected: {reason}")).await?;
            card::redraw(engine, conn, &task, now).await?;
            Ok(Some(Reply::line(format!("✏️ Noted for #{id}: {reason}"))))
        }
        TaskState::Open | TaskState::Done => Ok(None),
    }
}

/// The owner accepts a draft as proposed.
pub(in crate::engine) async fn accept(
    engine: &Engine,
    conn: &mut Conn,
    asker: Asker<'_>,
    id: TaskId,
    now: DateTime<Utc>,
) -> Result<Reply, StoreError> {
    if let Some(refusal) = access::owner_only(asker) {
        return Ok(refusal);
    }
    let task = task_or_answer!(conn, id);
    if task.state != TaskState::Draft {
        return Ok(Reply::line(format!("#{id} is in the queue already.")));
    }
    let mut spec = task.spec.clone();
    if spec.estimate_minutes == 0 {
        spec.estimate_minutes = DEFAULT_ESTIMATE_MINUTES;
    }
    let reply = queue::change(engine, conn, asker, &task, &spec, queue::state_of(&spec), now).await?;
    Ok(Reply { toast: format!("➕ #{id} is in the queue"), ..reply })
}

/// Shows, in the draft's card, what one of its fields can be.
pub(in crate::engine) async fn choose(
    engine: &Engine,
    conn: &mut Conn,
    asker: Asker<'_>,
    id: TaskId,
    field: &str,
    now: DateTime<Utc>,
) -> Result<Reply, StoreError> {
    if let Some(refusal) = access::owner_only(asker) {
        return Ok(refusal);
    }
    let task = task_or_answer!(conn, id);
    let mut message = card::draw(engine, conn, &task, now).await?;
    let question = (task.state == TaskState::Draft).then(|| options(engine, field)).flatten();
    let mut toast = String::new();
    if let Some((text, options)) = question {
        message = question_card(conn, &task, message, text, options, now).await?;
        text.clone_into(&mut toast);
    }
    Ok(Reply { key: Some(card::key(&task)), message, toast, ..Reply::default() })
}

/// The question and its answers, each as the label and the field to type.
fn options(engine: &Engine, field: &str) -> Option<(&'static str, Vec<(String, String)>)> {
    let same = |text: &str| (text.to_owned(), text.to_owned());
    Some(match field {
        "category" => {
            let label = |category: Category| {
                let lock = if engine.settings().auto_approved(category) { "" } else { "🔒 " };
                (format!("{lock}{}", category.title()), category.as_str().to_owned())
            };
            ("What kind of change is it?", Category::ALL.into_iter().map(label).collect())
        }
        "estimate" => ("How long may it take?", ["30m", "1h", "2h", "4h", "6h", "8h"].map(same).to_vec()),
        "priority" => {
            let all = [Priority::Critical, Priority::High, Priority::Medium, Priority::Low];
            ("How much is it wanted?", all.map(|priority| same(&priority.word())).to_vec())
        }
        "project" => {
            let projects = engine.settings().projects.iter().take(12).map(|project| same(&project.name)).collect();
            ("In which project?", projects)
        }
        _ => return None,
    })
}

async fn question_card(
    conn: &mut Conn,
    task: &Task,
    card: Message,
    question: &str,
    options: Vec<(String, String)>,
    now: DateTime<Utc>,
) -> Result<Message, StoreError> {
    let mut message = Message { buttons: vec![], intro: question.into(), ..card };
    for pair in options.chunks(2) {
        let mut row = Vec::new();
        for (label, field) in pair {
            let meaning = Meaning::Answer { task: task.id, field: field.clone() };
            row.push(say::button(conn, label, &format!("/queue edit {} | {field}", task.id), &meaning, now).await?);
        }
        message = message.row(row);
    }
    let back = Meaning::Choose { task: task.id, field: "back".into() };
    let back = say::button(conn, "↩ Back", &format!("/queue show {}", task.id), &back, now).await?;
    Ok(message.row(vec![back]))
}
