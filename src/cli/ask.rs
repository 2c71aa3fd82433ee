//! Subcommands that ask what the chat can ask: the same command, in one transaction, answered on standard output.

use crate::app::{self, LOCAL_OWNER, OnlyOne, Outside};
use crate::chat::terminal::render::{RenderOptions, render};
use crate::config::Config;
use crate::domain::role::Role;
use crate::domain::session::Phase;
use crate::engine::Engine;
use crate::engine::inbound;
use crate::engine::reply::{Asker, Reply};
use crate::store::sessions;
use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;

/// Wide enough for paths; buttons are shown as what can be typed.
const PAGE: RenderOptions = RenderOptions { width: 100, color: false };

/// Does one chat command and prints its answer.
pub(super) async fn ask(config: &Config, text: String, json: bool) -> anyhow::Result<ExitCode> {
    let engine = app::engine(config, Outside::real(config)?).await?;
    let mut reply = answer(&engine, &text).await?;
    // What only a running bot goes on with, or tells of.
    let needs_it = ["/status", "/run", "/stop", "/keep"].iter().any(|word| text.split(' ').next() == Some(word));
    if needs_it && !reply.refused && !OnlyOne::is_taken(engine.home()) {
        reply.message.closing =
            format!("{}\nThe bot is not running; start it with: overnight run", reply.message.closing).trim().into();
        reply.data["bot_running"] = false.into();
    }
    print(&reply, json)
}

/// Does one command, the quick part of it in its own transaction.
pub(super) async fn answer(engine: &Engine, text: &str) -> anyhow::Result<Reply> {
    let asker = Asker { who: LOCAL_OWNER, role: Role::Owner, tapped: false };
    let said = inbound::hear(engine, asker, text).await?;
    let mut tx = engine.store().begin().await?;
    let reply = said.answered(engine, &mut tx, asker, engine.now()).await?;
    tx.commit().await?;
    Ok(reply)
}

/// Prints an answer: text for people, JSON for programs. A refusal goes to standard error with exit status 1.
pub(super) fn print(reply: &Reply, json: bool) -> anyhow::Result<ExitCode> {
    let messages = std::iter::once(&reply.message).chain(reply.more.iter().map(|(_, message)| message));
    let text: Vec<_> = messages.filter(|m| !m.verdict.is_empty()).map(|m| render(m, &PAGE, &BTreeMap::new())).collect();
    let text = text.join("\n");
    if reply.refused {
        if json {
            println(&serde_json::json!({"error": reply.message.verdict}).to_string())?;
        }
        eprintln!("{}", text.trim_end());
        return Ok(ExitCode::FAILURE);
    }
    if json {
        println(&serde_json::to_string_pretty(&reply.data)?)?;
    } else {
        println(text.trim_end())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A closed pipe (`overnight queue list | head -1`) is no error.
fn println(text: &str) -> anyhow::Result<()> {
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// For cron: makes what is due by now if no bot runs, then prints the report. Doing it twice changes nothing.
pub(super) async fn report(config: &Config, json: bool) -> anyhow::Result<ExitCode> {
    let engine = app::engine(config, Outside::real(config)?).await?;
    catch_up(&engine, |phase| phase < Phase::Brief).await?;
    let reply = answer(&engine, "/report").await?;
    print(&reply, json)
}

/// For cron: makes what is due by now if no bot runs, then prints the brief. Doing it twice changes nothing.
pub(super) async fn brief(config: &Config, json: bool) -> anyhow::Result<ExitCode> {
    let engine = app::engine(config, Outside::real(config)?).await?;
    catch_up(&engine, |phase| phase < Phase::Closed).await?;
    let reply = answer(&engine, "/brief").await?;
    print(&reply, json)
}

/// Steps until no due session is in a phase `pending` holds for. A running bot does this itself; and while builds could
/// be started, nothing is done here: asking for a report starts no night.
async fn catch_up(engine: &Engine, pending: impl Fn(Phase) -> bool) -> anyhow::Result<()> {
    let night = engine.settings().schedule.night_containing(engine.now());
    if night.is_some_and(|night| engine.now() < night.report) {
        return Ok(());
    }
    let Ok(_only_one) = OnlyOne::take(engine.home()) else { return Ok(()) };
    loop {
        let stepped = engine.step().await?;
        let mut conn = engine.store().read().await?;
        let due = sessions::current(&mut conn, engine.now()).await?;
        drop(conn);
        if !due.iter().any(|session| pending(session.phase) && session.spawn_until <= engine.now()) {
            return Ok(());
        }
        if !engine.is_busy() && stepped.next_wake.0 > engine.now() {
            return Ok(());
        }
        let _ = tokio::time::timeout(std::time::Duration::from_secs(1), engine.woken()).await;
    }
}
