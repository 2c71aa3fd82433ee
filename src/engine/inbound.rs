//! One stored message → one transaction: what it asks for is done, and the answer is in the outbox, or neither.
//!
//! Receiving and handling are apart: [`store`] keeps the raw update before it is confirmed to the platform; a crash
//! in between only means that it is handled after the restart.

use super::reply::{Asker, Reply};
use super::strangers::{self, Kept};
use super::{Engine, commands, failpoint, late, reach, taps};
use crate::chat::command::{Command, ParseContext, ParseError, parse};
use crate::chat::{Incoming, What};
use crate::domain::message::Message;
use crate::store::{Conn, StoreError, audit, inbox, outbox, tasks, trouble};
use chrono::{DateTime, Utc};

/// Keeps an update. False if this exact one was kept before, or if it is one too many of somebody who is not known.
pub async fn store(engine: &Engine, platform: &str, incoming: &Incoming) -> Result<bool, StoreError> {
    let chat = incoming.chat.as_deref().unwrap_or(platform);
    let mut tx = engine.store().begin().await?;
    let new = match strangers::admit(engine, &mut tx, incoming).await? {
        Kept::Whole(incoming) => keep(&mut tx, chat, incoming, engine.now()).await?,
        Kept::Shortened(incoming) => keep(&mut tx, chat, &incoming, engine.now()).await?,
        Kept::Nothing => false,
    };
    failpoint::pass("before update stored");
    tx.commit().await?;
    failpoint::pass("update stored");
    engine.wake();
    Ok(new)
}

async fn keep(conn: &mut Conn, chat: &str, incoming: &Incoming, now: DateTime<Utc>) -> Result<bool, StoreError> {
    let body = serde_json::to_string(incoming).map_err(|error| StoreError::BadRow(error.to_string()))?;
    inbox::insert(conn, chat, &incoming.key, &body, now).await
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
        // A task of its own: a message that makes us panic must not take the bot with it, nor come again for ever.
        let (one, message) = (engine.clone(), stored.clone());
        let handled = match tokio::spawn(async move { handle(&one, &message, now).await }).await {
            Ok(handled) => handled.map_err(Trouble::Store),
            Err(ended) if ended.is_panic() => Err(Trouble::Panic),
            // The runtime ends: so do we, and the message waits.
            Err(_) => std::future::pending().await,
        };
        // An update that can't be handled must not hold up those behind it; it stays in the inbox with its trouble.
        match handled {
            Ok(()) => {}
            Err(Trouble::Store(error @ (StoreError::DiskFull | StoreError::ReadOnly(_)))) => return Err(error),
            Err(trouble) => give_up(engine, &stored, &trouble.to_string(), now).await?,
        }
        engine.said();
    }
}

#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("{0}")]
    Store(StoreError),
    #[error("this is a fault of overnight itself, see logs/overnight_execution.log")]
    Panic,
}

async fn give_up(engine: &Engine, stored: &inbox::Stored, why: &str, now: DateTime<Utc>) -> Result<(), StoreError> {
    tracing::error!(why, id = stored.id, "a message could not be handled");
    let known = serde_json::from_str::<Incoming>(&stored.body)
        .is_ok_and(|incoming| engine.parts.people.contains_key(&incoming.sender));
    let mut tx = engine.store().begin().await?;
    if known {
        let text = format!("That could not be done: {why}. Nothing was changed; what you wrote is kept.");
        outbox::say(&mut tx, &stored.chat, &reply_key(stored), &Message::line(text), true, now).await?;
    }
    inbox::handled(&mut tx, stored.id, Some(why), now).await?;
    tx.commit().await?;
    Ok(())
}

fn reply_key(stored: &inbox::Stored) -> String {
    format!("reply:{}", stored.id)
}

async fn handle(engine: &Engine, stored: &inbox::Stored, now: DateTime<Utc>) -> Result<(), StoreError> {
    let incoming: Incoming =
        serde_json::from_str(&stored.body).map_err(|error| StoreError::BadRow(error.to_string()))?;
    let role = engine.parts.people.get(&incoming.sender);
    let asker = role.map(|role| Asker {
        who: incoming.sender.as_str(),
        role: *role,
        tapped: matches!(incoming.what, What::Tap { .. }),
    });
    let said = match (&incoming.what, asker) {
        (What::Text(text), Some(asker)) => {
            Some(heard(engine, asker, text, late::since(&incoming, now).is_some()).await?)
        }
        (What::Tap { button, .. }, Some(asker)) => match taps::takes_time(engine, button, now).await? {
            Some(command) => Some(Said::Command(commands::prepare(engine, asker, command).await?)),
            None => None,
        },
        _ => None,
    };
    let mut tx = engine.store().begin().await?;
    if incoming.what == What::Other {
        inbox::handled(&mut tx, stored.id, None, now).await?;
        tx.commit().await?;
        return Ok(());
    }
    let reply = if let What::Outage { since } = incoming.what {
        commands::after_outage(engine, &mut tx, since, now).await?
    } else if matches!(incoming.what, What::Alarm(_) | What::Trouble { .. } | What::Well) {
        reach::note(engine, &mut tx, stored, &incoming, now).await?;
        Reply::default()
    } else if let Some(asker) = asker {
        let mut reply = answer(engine, &mut tx, asker, stored, &incoming, said, now).await?;
        if let Some(written) = late::since(&incoming, now) {
            late::note(&mut reply, written, engine.settings().schedule.zone);
        }
        reply
    } else {
        let text = format!("a message from {:?}, who is not known here, was left unanswered", incoming.sender);
        audit::append(&mut tx, now, &incoming.sender, "stranger", None, &text).await?;
        inbox::handled(&mut tx, stored.id, Some("not known"), now).await?;
        tx.commit().await?;
        return Ok(());
    };
    let tap = if let What::Tap { tap, .. } = &incoming.what { tap.as_deref() } else { None };
    if let Some(message) = &incoming.message {
        for (place, task) in reply.added.iter().enumerate() {
            tasks::came_from(&mut tx, &stored.chat, message, place, *task).await?;
        }
    }
    say_reply(&mut tx, stored, reply, tap, now).await?;
    inbox::handled(&mut tx, stored.id, None, now).await?;
    failpoint::pass("before reply commit");
    tx.commit().await?;
    failpoint::pass("after reply commit");
    Ok(())
}

async fn answer(
    engine: &Engine,
    conn: &mut Conn,
    asker: Asker<'_>,
    stored: &inbox::Stored,
    incoming: &Incoming,
    said: Option<Said>,
    now: DateTime<Utc>,
) -> Result<Reply, StoreError> {
    let chat = stored.chat.as_str();
    match &incoming.what {
        What::Text(text) => {
            if let Some(part) = &incoming.reply_to
                && let Some(key) = outbox::key_of_ref(conn, chat, part).await?
                && let Some(reply) = commands::reply_to(engine, conn, asker, &key, text, now).await?
            {
                return Ok(reply);
            }
            match said {
                Some(said) => said.answered(engine, conn, asker, now).await,
                None => typed(engine, conn, asker, text, now).await,
            }
        }
        What::Data { title, text, from } => commands::data(engine, conn, asker, title, text, from, now).await,
        What::Unreadable { what, why, text } => commands::unreadable(engine, conn, asker, what, why, text, now).await,
        What::Edited(text) => {
            let tasks = match &incoming.message {
                Some(message) => tasks::of_message(conn, chat, message).await?,
                None => vec![],
            };
            commands::edited(engine, conn, asker, &tasks, text, now).await
        }
        What::Tap { button, .. } => match said {
            Some(said) => said.answered(engine, conn, asker, now).await,
            None => taps::tapped(engine, conn, asker, chat, button, now).await,
        },
        What::Reachable => {
            outbox::reachable(conn, chat, now).await?;
            trouble::clear(conn, chat).await?;
            Ok(Reply::default())
        }
        What::Outage { .. } | What::Alarm(_) | What::Trouble { .. } | What::Well | What::Other => Ok(Reply::default()),
    }
}

async fn say_reply(
    conn: &mut Conn,
    stored: &inbox::Stored,
    reply: Reply,
    tap: Option<&str>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let chat = stored.chat.as_str();
    let said = !reply.message.verdict.is_empty();
    match (tap, reply.key) {
        // Another message changes; at the button a word is enough.
        (Some(tap), Some(key)) => {
            if said {
                outbox::say(conn, chat, &key, &reply.message, true, now).await?;
            }
            outbox::answer_tap(conn, chat, &reply_key(stored), &Message::line(reply.toast), tap, now).await?;
        }
        (Some(tap), None) => {
            outbox::answer_tap(conn, chat, &reply_key(stored), &reply.message, tap, now).await?;
        }
        (None, key) if said => {
            let key = key.unwrap_or_else(|| reply_key(stored));
            outbox::say(conn, chat, &key, &reply.message, true, now).await?;
        }
        (None, _) => {}
    }
    for (key, message) in reply.more {
        outbox::say(conn, chat, &key, &message, true, now).await?;
    }
    Ok(())
}

/// A text that was read, with what had to be done before the transaction that answers it.
pub enum Said {
    /// A command.
    Command(commands::Prepared),
    /// The answer is clear already.
    Refused(Reply),
}

/// Reads a text, and does what of it takes time: nobody else can write while a transaction is open.
pub async fn hear(engine: &Engine, asker: Asker<'_>, text: &str) -> Result<Said, StoreError> {
    heard(engine, asker, text, false).await
}

async fn heard(engine: &Engine, asker: Asker<'_>, text: &str, late: bool) -> Result<Said, StoreError> {
    let command = match read(engine, text) {
        Ok(command) => command,
        Err(error) => return Ok(Said::Refused(Reply::refuse(error.message))),
    };
    match late::refuse(&command).filter(|_| late) {
        Some(refusal) => Ok(Said::Refused(refusal)),
        None => Ok(Said::Command(commands::prepare(engine, asker, command).await?)),
    }
}

impl Said {
    /// Does the rest in its transaction and answers.
    pub async fn answered(
        self,
        engine: &Engine,
        conn: &mut Conn,
        asker: Asker<'_>,
        now: DateTime<Utc>,
    ) -> Result<Reply, StoreError> {
        match self {
            Self::Command(prepared) => commands::finish(engine, conn, asker, prepared, now).await,
            Self::Refused(reply) => Ok(reply),
        }
    }
}

/// Parses and does what a text asks for that takes no time, such as the edit behind a button.
pub async fn typed(
    engine: &Engine,
    conn: &mut Conn,
    asker: Asker<'_>,
    text: &str,
    now: DateTime<Utc>,
) -> Result<Reply, StoreError> {
    match read(engine, text) {
        Ok(command) => commands::execute(engine, conn, asker, command, now).await,
        Err(error) => Ok(Reply::refuse(error.message)),
    }
}

fn read(engine: &Engine, text: &str) -> Result<Command, ParseError> {
    let (projects, agents) = names(engine);
    parse(text, &ParseContext { projects: &projects, agents: &agents })
}

/// Names the parser recognises: projects and agents.
pub(super) fn names(engine: &Engine) -> (Vec<String>, Vec<String>) {
    let settings = engine.settings();
    let projects = settings.projects.iter().map(|project| project.name.clone()).collect();
    let agents = settings.agents.iter().map(|agent| agent.name.clone()).collect();
    (projects, agents)
}
