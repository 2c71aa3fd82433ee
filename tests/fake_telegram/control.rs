//! `POST /control/<order>` with a JSON object: everything a person can do and see, and faults, for other programs.
//!
//! The orders and their fields are those of [`Order`]: `POST /control/says {"user":7,"chat":7,"text":"/queue"}`. The answer
//! is JSON: what was made or asked for, or 400 and `{"error": why}`.

use super::answer::Refusal;
use super::faults::{Batch, Fault};
use super::people::Upload;
use super::server::{BODY, Shared, json_response};
use super::world::{Kept, Pace, Sort, World};
use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

/// What can be ordered; the order is the last part of the path, in snake case.
#[derive(Debug, Deserialize)]
#[serde(tag = "order", rename_all = "snake_case", deny_unknown_fields)]
enum Order {
    Person {
        id: i64,
        name: String,
        #[serde(default)]
        stranger: bool,
    },
    Room {
        sort: String,
        title: String,
        #[serde(default)]
        members: Vec<i64>,
    },
    Topic {
        chat: i64,
        name: String,
    },
    Says {
        user: i64,
        chat: i64,
        text: String,
        reply_to: Option<i64>,
        topic: Option<i64>,
        forwarded_from: Option<i64>,
    },
    Sends {
        user: i64,
        chat: i64,
        name: String,
        content: String,
        #[serde(default)]
        photo: bool,
        #[serde(default)]
        caption: String,
    },
    Edits {
        user: i64,
        chat: i64,
        message: i64,
        text: String,
    },
    Removes {
        chat: i64,
        message: i64,
    },
    Taps {
        user: i64,
        chat: i64,
        message: i64,
        data: String,
        #[serde(default)]
        stale: bool,
    },
    Blocks {
        user: i64,
        chat: i64,
    },
    Unblocks {
        user: i64,
        chat: i64,
    },
    Migrates {
        chat: i64,
    },
    Messages {
        chat: i64,
    },
    Actions {
        chat: i64,
    },
    Toasts {},
    Commands {
        user: i64,
        chat: i64,
        #[serde(default)]
        language: String,
    },
    Requests {
        method: Option<String>,
    },
    Violations {},
    Transcript {},
    Unconfirmed {},
    Fault {
        kind: String,
        method: Option<String>,
        #[serde(default = "one")]
        times: usize,
        code: Option<u16>,
        description: Option<String>,
        seconds: Option<u64>,
        milliseconds: Option<u64>,
    },
    Heal {},
    Webhook {
        url: String,
    },
    Outage {
        milliseconds: u64,
    },
    Batch {
        kind: String,
        milliseconds: Option<u64>,
    },
    Time {
        now: Option<i64>,
        forward: Option<i64>,
    },
    Ages {
        taps: i64,
        others: i64,
        answers: i64,
    },
    NextUpdate {
        id: i64,
    },
    Pace {
        milliseconds: Option<u64>,
        #[serde(default)]
        edits: bool,
    },
}

fn one() -> usize {
    1
}

pub(crate) async fn handle(shared: &Shared, order: &str, request: Request) -> Response {
    let obeyed = match to_bytes(request.into_body(), BODY).await {
        Ok(body) => read(order, &body).and_then(|order| shared.change(|world| obey(world, order))),
        Err(problem) => Err(format!("can't read the body: {problem}")),
    };
    match obeyed {
        Ok(result) => json_response(StatusCode::OK, result.to_string()),
        Err(problem) => json_response(StatusCode::BAD_REQUEST, json!({ "error": problem }).to_string()),
    }
}

fn read(order: &str, body: &[u8]) -> Result<Order, String> {
    let body = if body.is_empty() { b"{}" } else { body };
    let mut fields: Value =
        serde_json::from_slice(body).map_err(|problem| format!("the body is no JSON: {problem}"))?;
    let Some(object) = fields.as_object_mut() else { return Err("the body must be a JSON object".into()) };
    object.insert("order".into(), order.into());
    serde_json::from_value(fields).map_err(|problem| format!("/control/{order}: {problem}"))
}

fn obey(world: &mut World, order: Order) -> Result<Value, String> {
    Ok(match order {
        Order::Person { id, name, stranger } => {
            world.person(id, &name, stranger);
            json!({ "chat": id })
        }
        Order::Room { sort, title, members } => json!({ "chat": world.room(sort_of(&sort)?, &title, &members) }),
        Order::Topic { chat, name } => json!({ "topic": world.topic(chat, &name)? }),
        Order::Says { user, chat, text, reply_to, topic, forwarded_from } => {
            let now = world.now();
            let forwarded = forwarded_from.map(|from| (from, now));
            let words = Kept { text, reply_to, topic, forwarded, ..Kept::default() };
            json!({ "message": world.write(user, chat, words)? })
        }
        Order::Sends { user, chat, name, content, photo, caption } => {
            let upload = Upload { name: &name, bytes: content.as_bytes(), photo };
            json!({ "message": world.send_file(user, chat, upload, &caption)? })
        }
        Order::Edits { user, chat, message, text } => {
            world.rewrite(user, chat, message, &text)?;
            json!({})
        }
        Order::Removes { chat, message } => {
            world.remove(chat, message)?;
            json!({})
        }
        Order::Taps { user, chat, message, data, stale } => {
            json!({ "tap": world.tap(user, chat, message, &data, stale)? })
        }
        Order::Blocks { user, chat } => {
            world.close(user, chat, true)?;
            json!({})
        }
        Order::Unblocks { user, chat } => {
            world.close(user, chat, false)?;
            json!({})
        }
        Order::Migrates { chat } => json!({ "chat": world.migrate(chat)? }),
        Order::Messages { chat } => json!(world.seen(chat)?),
        Order::Actions { chat } => json!(world.chat(chat)?.actions),
        Order::Toasts {} => json!(world.toasts),
        Order::Commands { user, chat, language } => {
            world.chat(chat)?;
            json!(world.menu(user, &world.chats[&chat], &language))
        }
        Order::Requests { method } => {
            let log = world.log.iter();
            let wanted = log.filter(|one| method.as_ref().is_none_or(|method| one.method.eq_ignore_ascii_case(method)));
            json!(wanted.collect::<Vec<_>>())
        }
        Order::Violations {} => json!(world.violations),
        Order::Transcript {} => json!(world.transcript()),
        Order::Unconfirmed {} => json!(world.queue.unconfirmed()),
        other => return set(world, other),
    })
}

/// Faults, and what the world's rules are.
fn set(world: &mut World, order: Order) -> Result<Value, String> {
    match order {
        Order::Fault { kind, method, times, code, description, seconds, milliseconds } => {
            let fault = match kind.as_str() {
                "status" => {
                    let code = code.ok_or("a fault of the kind \"status\" needs a code")?;
                    Fault::Refuses(Refusal::new(code, description.unwrap_or_else(|| "fault".into())))
                }
                "too_many" => Fault::too_many(seconds.unwrap_or(1)),
                "hangs" => Fault::Hangs,
                "drops" => Fault::Drops,
                "truncates" => Fault::Truncates,
                "loses_answer" => Fault::LosesAnswer,
                "slow" => Fault::Slow(Duration::from_millis(milliseconds.unwrap_or(1000))),
                _ => {
                    return Err(format!(
                        "unknown fault {kind:?}: status, too_many, hangs, drops, truncates, loses_answer, slow"
                    ));
                }
            };
            world.faults.queue(method.as_deref(), times, fault);
        }
        Order::Heal {} => world.faults.clear(),
        Order::Webhook { url } => world.webhook = url,
        Order::Outage { milliseconds } => world.outage = Some(Duration::from_millis(milliseconds)),
        Order::Batch { kind, milliseconds } => world.queue.disturb(match kind.as_str() {
            "twice" => Batch::Twice,
            "again" => Batch::Again,
            "reversed" => Batch::Reversed,
            "delayed" => Batch::Delayed(Duration::from_millis(milliseconds.unwrap_or(1000))),
            _ => return Err(format!("unknown kind of batch {kind:?}: twice, again, reversed, delayed")),
        }),
        Order::Time { now, forward } => {
            let now = now.unwrap_or(world.now()) + forward.unwrap_or(0);
            world.set_time(now);
            return Ok(json!({ "now": now }));
        }
        Order::Ages { taps, others, answers } => {
            world.queue.ages = (taps, others);
            world.answerable = answers;
        }
        Order::NextUpdate { id } => world.queue.jump(id),
        Order::Pace { milliseconds, edits } => {
            world.pace = milliseconds.map(|every| Pace { every: Duration::from_millis(every), edits });
        }
        other => return Err(format!("{other:?} is not a setting")),
    }
    Ok(json!({}))
}

fn sort_of(name: &str) -> Result<Sort, String> {
    Ok(match name {
        "group" => Sort::Group,
        "supergroup" => Sort::Supergroup,
        "forum" => Sort::Forum,
        "channel" => Sort::Channel,
        _ => return Err(format!("unknown sort of chat {name:?}: group, supergroup, forum, channel")),
    })
}
