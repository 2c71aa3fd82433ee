//! One stored message → one transaction: what it asks for is done, and the answer is in the outbox, or neither.
//!
//! Receiving and handling are apart: [`store`] keeps the raw update before it is confirmed to the platform; a crash
//! in between only means that it is handled after the restart.

use super::reply::{Asker, Reply};
use super::{Engine, commands, failpoint, say};
use crate::chat::command::{Command, ParseContext, parse};
use crate::chat::{Incoming, What};
use crate::domain::button::Meaning;
use crate::domain::message::Message;
use crate::store::{Conn, StoreError, audit, buttons, inbox, outbox};
use chrono::{DateTime, Utc};

/// Keeps an update. False if this exact one was kept before.
pub async fn store(engine: &Engine, chat: &str, incoming: &Incoming) -> Result<bool, StoreError> {
    let body = serde_json::to_string(incoming).map_err(|error| StoreError::BadRow(error.to_string()))?;
    let mut tx = engine.store().begin().await?;
    let new = inbox::insert(&mut tx, chat, &incoming.key, &body, engine.now()).await?;
    failpoint::pass("before update stored");
    tx.commit().await?;
    failpoint::pass("update stored");
    engine.wake();
    Ok(new)
}

/// Handles every stored update, oldest first.
pub(super) async fn handle_all(engine: &Engine) -> Result<(), StoreError> {
    loop {
        let stored = {
            let mut conn = engine.store().read().await?;
            inbox::next(&mut conn).await?
        };
        let Some(stored) = stored else { return Ok(()) };
        let now = engine.now();
        let handled = handle(engine, &stored, now).await;
        // An update that can't be handled must not hold up those behind it; it stays in the inbox with its trouble.
        if let Err(error) = handled {
            if matches!(error, StoreError::DiskFull | StoreError::ReadOnly(_)) {
                return Err(error);
            }
            tracing::error!(%error, id = stored.id, "a message could not be handled");
            let mut tx = engine.store().begin().await?;
            let text = format!("That could not be done: {error}. Nothing was changed; what you wrote is kept.");
            outbox::say(&mut tx, &stored.chat, &format!("reply:{}", stored.id), &Message::line(text), true, now)
                .await?;
            inbox::handled(&mut tx, stored.id, Some(&error.to_string()), now).await?;
            tx.commit().await?;
        }
        engine.live.outbox.notify_one();
    }
}

async fn handle(engine: &Engine, stored: &inbox::Stored, now: DateTime<Utc>) -> Result<(), StoreError> {
    let incoming: Incoming =
        serde_json::from_str(&stored.body).map_err(|error| StoreError::BadRow(error.to_string()))?;
    let mut tx = engine.store().begin().await?;
    if !engine.parts.owners.contains(&incoming.sender) {
        let text = format!("a message from {:?}, who is not an owner, was left unanswered", incoming.sender);
        audit::append(&mut tx, now, &incoming.sender, "stranger", None, &text).await?;
        inbox::handled(&mut tx, stored.id, Some("not an owner"), now).await?;
        tx.commit().await?;
        return Ok(());
    }
    let asker = Asker { who: &incoming.sender };
    let reply = match &incoming.what {
        What::Text(text) => typed(engine, &mut tx, asker, text, now).await?,
        What::Tap { button, .. } => tapped(engine, &mut tx, asker, button, now).await?,
    };
    say_reply(&mut tx, stored, reply, now).await?;
    inbox::handled(&mut tx, stored.id, None, now).await?;
    failpoint::pass("before reply commit");
    tx.commit().await?;
    failpoint::pass("after reply commit");
    Ok(())
}

async fn say_reply(
    conn: &mut Conn,
    stored: &inbox::Stored,
    reply: Reply,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let key = reply.key.unwrap_or_else(|| format!("reply:{}", stored.id));
    if !reply.message.verdict.is_empty() {
        outbox::say(conn, &stored.chat, &key, &reply.message, true, now).await?;
    }
    for (key, message) in reply.more {
        outbox::say(conn, &stored.chat, &key, &message, true, now).await?;
    }
    Ok(())
}

/// Parses and does what a text asks for.
pub async fn typed(
    engine: &Engine,
    conn: &mut Conn,
    asker: Asker<'_>,
    text: &str,
    now: DateTime<Utc>,
) -> Result<Reply, StoreError> {
    let (projects, agents) = names(engine);
    match parse(text, &ParseContext { projects: &projects, agents: &agents }) {
        Ok(command) => commands::execute(engine, conn, asker, command, now).await,
        Err(error) => Ok(Reply::refuse(error.message)),
    }
}

/// Names the parser recognises: projects and agents.
pub(super) fn names(engine: &Engine) -> (Vec<String>, Vec<String>) {
    let settings = engine.settings();
    let projects = settings.projects.iter().map(|project| project.name.clone()).collect();
    let agents = settings.agents.iter().map(|agent| agent.name.clone()).collect();
    (projects, agents)
}

/// A tap: looked up, checked, done once, and answered. A second tap gets the first one's answer.
async fn tapped(
    engine: &Engine,
    conn: &mut Conn,
    asker: Asker<'_>,
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
    let reply = obey(engine, conn, asker, &button.meaning, now).await?;
    if !reply.refused {
        buttons::mark_used(conn, nonce, &reply.message.verdict, now).await?;
    }
    Ok(reply)
}

async fn expired(engine: &Engine, conn: &mut Conn, meaning: &Meaning, now: DateTime<Utc>) -> Result<Reply, StoreError> {
    let mut reply = Reply::refuse("That button has expired.");
    if let Meaning::Approve { task, .. } | Meaning::Reject { task } = meaning {
        let task = crate::store::tasks::get(conn, *task).await?;
        reply.message.intro = "Here is a fresh card.".into();
        let card = say::card(engine, conn, &task, now).await?;
        reply.more.push((format!("{}:fresh:{}", say::card_key(&task), now.timestamp_millis()), card));
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
            return typed(engine, conn, asker, &format!("/queue edit {task} | {field}"), now).await;
        }
        Meaning::Accept { task } => return commands::accept(engine, conn, asker, *task, now).await,
        Meaning::Reject { task } => Command::Reject { task: *task, reason: String::new() },
        Meaning::Stop { task } => Command::Stop(crate::chat::command::StopTarget::Task(*task)),
        Meaning::Retry { task } => Command::Retry(*task),
        Meaning::Run { task } => Command::Run(*task),
        Meaning::KeepBuilding { .. } => Command::KeepBuilding { until: None },
        Meaning::Review { .. } => Command::Review,
        Meaning::Drop { task } => Command::QueueDrop(vec![*task]),
    };
    commands::execute(engine, conn, asker, command, now).await
}
