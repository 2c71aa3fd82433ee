//! What each command does: one function each, inside the transaction of the message that asked for it. The chat, the
//! buttons and the command line all come through [`execute`].

mod access;
mod decide;
mod draft;
mod kept;
mod list;
mod night;
mod plan;
mod queue;
mod read;
mod ship;

pub(super) use decide::answer;
pub use decide::approve_one;
pub(super) use draft::{accept, choose, data, edited, reply_to, unreadable};
pub(super) use list::page;
pub(super) use night::after_outage;
pub(super) use ship::ship_build;

use super::effects::{self, Checked};
use super::reply::{Asker, Reply};
use super::{Engine, garbage, perform};
use crate::chat::command::{Command, NightCommand, StopTarget, help, help_text};
use crate::domain::id::TaskId;
use crate::domain::message::Message;
use crate::domain::role::Role;
use crate::domain::task::Task;
use crate::store::{Conn, StoreError, tasks};
use chrono::{DateTime, Utc};

/// A command with what had to be done before its transaction, as nobody else can write while that is open.
pub struct Prepared {
    command: Command,
    done: Option<Done>,
}

/// What was done before the transaction.
enum Done {
    /// The machine was looked at.
    Health(Vec<Checked>, Vec<(&'static str, u64)>),
    /// A difference was written into files.
    Diff(Box<Reply>),
}

/// Does what takes time for a command, outside of any transaction.
pub async fn prepare(engine: &Engine, asker: Asker<'_>, command: Command) -> Result<Prepared, StoreError> {
    let allowed = access::refuse(asker, &command).is_none();
    let done = match command {
        Command::Health { fix } if allowed => {
            let checked = effects::health_asked(engine, asker.who, fix).await?;
            Some(Done::Health(checked, garbage::disk_use(engine).await))
        }
        Command::Diff(task) if allowed => Some(Done::Diff(Box::new(ship::diff(engine, task).await?))),
        _ => None,
    };
    Ok(Prepared { command, done })
}

/// Does the rest of a prepared command and answers.
pub async fn finish(
    engine: &Engine,
    conn: &mut Conn,
    asker: Asker<'_>,
    prepared: Prepared,
    now: DateTime<Utc>,
) -> Result<Reply, StoreError> {
    match (prepared.command, prepared.done) {
        (Command::Health { fix }, Some(Done::Health(checked, used))) => {
            read::health(engine, conn, fix, (&checked, &used), now).await
        }
        (_, Some(Done::Diff(reply))) => Ok(*reply),
        (command, _) => execute(engine, conn, asker, command, now).await,
    }
}

/// Does what a command asks for and answers. Anything the owner got wrong is an answer, not an error.
pub async fn execute(
    engine: &Engine,
    conn: &mut Conn,
    asker: Asker<'_>,
    command: Command,
    now: DateTime<Utc>,
) -> Result<Reply, StoreError> {
    if let Some(refusal) = access::refuse(asker, &command) {
        return Ok(refusal);
    }
    match command {
        Command::Start => Ok(welcome(engine, asker)),
        Command::Help { topic } => Ok(message_reply(help(topic.as_deref(), asker.role == Role::Owner))),
        Command::QueueList { filter, page } => list::list(engine, conn, filter.as_deref(), page, now).await,
        Command::QueueAdd(drafts) => queue::add(engine, conn, asker, drafts, now).await,
        Command::Plain(text) => draft::plain(engine, conn, asker, &text, now).await,
        Command::QueueShow(task) => read::show(engine, conn, task, now).await,
        Command::QueueEdit { task, draft } => queue::edit(engine, conn, asker, task, draft, now).await,
        Command::QueueDrop(ids) => queue::drop(engine, conn, asker, &ids, now).await,
        Command::Approve(ids) => decide::approve(engine, conn, asker, &ids, now).await,
        Command::Reject { task, reason } => decide::reject(engine, conn, asker, task, &reason, now).await,
        Command::Status => read::status(engine, conn, now).await,
        Command::Brief => read::brief(engine, conn, now).await,
        Command::Report => read::report(conn).await,
        Command::Log { task, lines } => read::log(engine, conn, task, lines).await,
        Command::Stop(StopTarget::Task(task)) => decide::stop(engine, conn, asker, Some(task), now).await,
        Command::Stop(StopTarget::All) => decide::stop(engine, conn, asker, None, now).await,
        Command::Retry(task) => decide::retry(engine, conn, asker, task, now).await,
        Command::Run(task) => night::run_one(engine, conn, asker, task, now).await,
        Command::Plan => plan::plan(engine, conn, now).await,
        Command::Why(task) => read::why(engine, conn, task, now).await,
        Command::Night(NightCommand::Start) => night::start(engine, conn, asker, now).await,
        Command::Night(NightCommand::Stop) => night::stop(engine, conn, asker, now).await,
        Command::Night(NightCommand::Pause) => night::pause(conn, asker, true, now).await,
        Command::Night(NightCommand::Resume) => night::pause(conn, asker, false, now).await,
        Command::Night(NightCommand::Skip) => night::skip(engine, conn, asker, now).await,
        Command::KeepBuilding { until } => night::keep_building(engine, conn, asker, until, now).await,
        // It takes time, so it is looked at before a transaction begins: see `prepare`.
        Command::Health { .. } => Ok(Reply::refuse("Write /health as a message of its own.")),
        Command::Metrics => read::metrics(engine, conn, now).await,
        Command::Audit { lines } => read::audit_rows(engine, conn, lines).await,
        Command::Undo(task) => decide::undo(engine, conn, asker, task, now).await,
        Command::Snooze(task) => decide::snooze(engine, conn, asker, task, now).await,
        Command::Answer { task, text } => decide::answer(engine, conn, asker, task, &text, now).await,
        Command::Snapshots => kept::list(engine, conn).await,
        Command::Review => ship::review(engine, conn, now).await,
        Command::Ship { tasks, anyway } => ship::ship(engine, conn, asker, &tasks, anyway, now).await,
        Command::Revert(task) => ship::revert(engine, conn, asker, task, now).await,
        Command::Discard(task) => ship::discard(engine, conn, asker, task, now).await,
        Command::Oplog { lines } => ship::oplog(engine, conn, lines).await,
        // It takes time, so it is made before a transaction begins: see `prepare`.
        Command::Diff(_) => Ok(Reply::refuse("Write /diff as a message of its own.")),
    }
}

fn message_reply(message: Message) -> Reply {
    Reply { message, ..Reply::default() }
}

fn welcome(engine: &Engine, asker: Asker<'_>) -> Reply {
    let everything = asker.role == Role::Owner;
    let mut message = help_text(everything);
    message.verdict = "🌙 overnight builds your queued tasks while you sleep.".into();
    let schedule = &engine.settings().schedule;
    let (start, brief) = (schedule.session_start.format("%H:%M"), schedule.brief_at.format("%H:%M"));
    let next = if everything {
        "Add a task now: write what should be done, or all of it at once:\n/queue add Optimize the report query | 4h | perf"
    } else {
        message.intro.as_str()
    };
    message.intro = format!("The night begins at {start}, its brief comes at {brief}. {next}");
    message_reply(message)
}

/// The task of this number, or the answer that there is none.
async fn find(conn: &mut Conn, id: TaskId) -> Result<Result<Task, Reply>, StoreError> {
    match tasks::get(conn, id).await {
        Ok(task) => Ok(Ok(task)),
        Err(StoreError::Missing(_)) => {
            Ok(Err(Reply::refuse(format!("There is no task #{id}. /queue lists those that wait."))))
        }
        Err(error) => Err(error),
    }
}

/// Unwraps [`find`], or answers.
macro_rules! task_or_answer {
    ($conn:expr, $id:expr) => {
        match $crate::engine::commands::find($conn, $id).await? {
            Ok(task) => task,
            Err(reply) => return Ok(reply),
        }
    };
}
use task_or_answer;

use perform::request_stop;
