//! A tap on a button: looked up, checked, done once, and answered. Whatever is wrong with it (late, doubled, foreign,
//! replayed) has its own answer; nothing is done twice.

use super::reply::{Asker, Reply};
use super::{Engine, card, commands, inbound};
use crate::chat::command::{Command, StopTarget};
use crate::domain::button::Meaning;
use crate::store::{Conn, StoreError, audit, buttons};
use chrono::{DateTime, Utc};

/// The command behind a button, if it takes time and has to be done before a transaction begins. Such a one only shows
/// something, so it may be tapped again.
pub(super) async fn takes_time(
    engine: &Engine,
    nonce: &str,
    now: DateTime<Utc>,
) -> Result<Option<Command>, StoreError> {
    let mut conn = engine.store().read().await?;
    let button = buttons::get(&mut conn, nonce).await?.filter(|button| now <= button.expires_at);
    Ok(button.and_then(|button| match button.meaning {
        Meaning::Diff { task } => Some(Command::Diff(task)),
        _ => None,
    }))
}

/// Does what a button means. A second tap gets the first one's answer.
pub(super) async fn tapped(
    engine: &Engine,
    conn: &mut Conn,
    asker: Asker<'_>,
    chat: &str,
    nonce: &str,
    now: DateTime<Utc>,
) -> Result<Reply, StoreError> {
    let Some(button) = buttons::get(conn, nonce).await? else {
        audit::append(conn, now, asker.who, "tap", None, "a button that was never given out").await?;
        return Ok(Reply::refuse("That button is not known here. Type the command instead; /help lists them."));
    };
    if button.used_at.is_some() {
        let answer = button.answer.unwrap_or_default();
        return Ok(Reply::line(format!("Already done: {answer}")));
    }
    if now > button.expires_at {
        return expired(engine, conn, &button.meaning, now).await;
    }
    let mut reply = obey(engine, conn, asker, &button.meaning, now).await?;
    if reply.toast.is_empty()
        && reply.key.is_some()
        && !matches!(button.meaning, Meaning::Page { .. } | Meaning::Choose { .. })
    {
        reply.toast.clone_from(&reply.message.verdict);
    }
    // The card that was tapped changes in place, whatever revision it began with.
    if let (Some(_), Some(task)) = (&reply.key, button.meaning.task()) {
        reply.key = card::shown(conn, chat, task).await?.or(reply.key);
    }
    // What only shows something can be tapped again.
    let shows = matches!(button.meaning, Meaning::Page { .. } | Meaning::Choose { .. } | Meaning::Review { .. });
    if !reply.refused && !shows {
        let answer = if reply.toast.is_empty() { &reply.message.verdict } else { &reply.toast };
        buttons::mark_used(conn, nonce, answer, now).await?;
    }
    Ok(reply)
}

async fn expired(engine: &Engine, conn: &mut Conn, meaning: &Meaning, now: DateTime<Utc>) -> Result<Reply, StoreError> {
    let mut reply = Reply::refuse("That button has expired.");
    if let Meaning::Approve { task, .. } | Meaning::Reject { task } = meaning {
        let task = crate::store::tasks::get(conn, *task).await?;
        reply.message.intro = "Here is a fresh card.".into();
        let card = card::draw(engine, conn, &task, now).await?;
        reply.more.push((format!("{}:fresh:{}", card::key(&task), now.timestamp_millis()), card));
    }
    Ok(reply)
}

async fn obey(
    engine: &Engine,
    conn: &mut Conn,
    asker: Asker<'_>,
    meaning: &Meaning,
    now: DateTime<Utc>,
) -> Result<Reply, StoreError> {
    let command = match meaning {
        Meaning::Approve { task, revision_hash } => {
            return commands::approve_one(engine, conn, asker, *task, Some(revision_hash), now).await;
        }
        Meaning::Answer { task, field } => {
            let line = format!("/queue edit {task} | {field}");
            let mut reply = inbound::typed(engine, conn, asker, &line, now).await?;
            if !reply.refused {
                reply.toast = format!("✏️ {field}");
            }
            return Ok(reply);
        }
        Meaning::Accept { task } => return commands::accept(engine, conn, asker, *task, now).await,
        Meaning::Choose { task, field } => return commands::choose(engine, conn, asker, *task, field, now).await,
        Meaning::Page { list, filter, page } => {
            return commands::page(engine, conn, list, filter.as_deref(), *page, now).await;
        }
        Meaning::Ship { task, build, anyway } => {
            return commands::ship_build(engine, conn, asker, *task, Some(*build), *anyway, now).await;
        }
        Meaning::Revert { task } => Command::Revert(*task),
        Meaning::Discard { task } => Command::Discard(*task),
        Meaning::Diff { task } => Command::Diff(*task),
        Meaning::Reject { task } => Command::Reject { task: *task, reason: String::new() },
        Meaning::Stop { task } => Command::Stop(StopTarget::Task(*task)),
        Meaning::Retry { task } => Command::Retry(*task),
        Meaning::Run { task } => Command::Run(*task),
        Meaning::Undo { task } => Command::Undo(*task),
        Meaning::Snooze { task } => Command::Snooze(*task),
        Meaning::KeepBuilding { .. } => Command::KeepBuilding { until: None },
        Meaning::Review { .. } => Command::Review,
        Meaning::Drop { task } => Command::QueueDrop(vec![*task]),
    };
    commands::execute(engine, conn, asker, command, now).await
}
