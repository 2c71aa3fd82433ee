//! The queue of updates, and how `getUpdates` reads it.

use super::answer::Refusal;
use super::faults::Batch;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Most updates in one answer.
const MOST: i64 = 100;

/// How far beyond the last update an offset can be and still mean what it says.
const AHEAD: i64 = 10;

/// Left out unless asked for.
const RARE: [&str; 3] = ["chat_member", "message_reaction", "message_reaction_count"];

pub(crate) struct Queue {
    waiting: VecDeque<Pending>,
    /// Comes again although it was handed out.
    again: Vec<Value>,
    next: i64,
    /// The kinds that are kept; all but the rare ones if empty.
    allowed: Vec<String>,
    batches: VecDeque<Batch>,
    held: Option<Instant>,
    /// The newest poll; an older one that still waits is sent away.
    poll: u64,
    /// Seconds after which a tap, and anything else, is dropped.
    pub(crate) ages: (i64, i64),
}

struct Pending {
    id: i64,
    born: i64,
    tap: bool,
    body: Value,
}

/// A `getUpdates` that is being answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Poll {
    turn: u64,
    from: i64,
    limit: usize,
}

/// What a poll finds.
pub(crate) enum Found {
    Updates(Vec<Value>),
    /// Nothing yet, and perhaps when to look again.
    Nothing(Option<Instant>),
}

impl Queue {
    pub(crate) fn new() -> Self {
        Self {
            waiting: VecDeque::new(),
            again: Vec::new(),
            next: 700_000_001,
            allowed: Vec::new(),
            batches: VecDeque::new(),
            held: None,
            poll: 0,
            ages: (150, 86_400),
        }
    }

    /// The next update gets this number.
    pub(crate) fn jump(&mut self, next: i64) {
        self.next = next;
    }

    pub(crate) fn next_id(&self) -> i64 {
        self.next
    }

    /// What happens to the next answers that hold updates.
    pub(crate) fn disturb(&mut self, batch: Batch) {
        self.batches.push_back(batch);
    }

    /// Keeps an update, unless its kind is not wanted.
    pub(crate) fn push(&mut self, kind: &str, body: Value, now: i64) {
        let wanted = if self.allowed.is_empty() {
            !RARE.contains(&kind)
        } else {
            self.allowed.iter().any(|allowed| allowed == kind)
        };
        if !wanted {
            return;
        }
        let mut update = json!({ "update_id": self.next });
        update[kind] = body;
        self.waiting.push_back(Pending { id: self.next, born: now, tap: kind == "callback_query", body: update });
        self.next += 1;
    }

    /// Numbers of the updates that are not confirmed.
    pub(crate) fn unconfirmed(&self) -> Vec<i64> {
        self.waiting.iter().map(|pending| pending.id).collect()
    }

    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
        self.again.clear();
    }

    /// A poll begins: what it confirms is forgotten, and one that waits is sent away.
    pub(crate) fn begin(&mut self, offset: i64, limit: i64, allowed: Option<Vec<String>>) -> Poll {
        self.poll += 1;
        if let Some(allowed) = allowed {
            self.allowed = allowed;
        }
        let mut from = i64::MIN;
        if offset < 0 {
            let keep = usize::try_from(-offset).unwrap_or(usize::MAX);
            let forget = self.waiting.len().saturating_sub(keep);
            self.waiting.drain(..forget);
        } else if offset > 0 && offset <= self.next + AHEAD {
            self.waiting.retain(|pending| pending.id >= offset);
            from = offset;
        }
        let limit = if (1..=MOST).contains(&limit) { limit } else { MOST };
        Poll { turn: self.poll, from, limit: usize::try_from(limit).unwrap_or(1) }
    }

    /// What there is for a poll.
    pub(crate) fn look(&mut self, poll: Poll, now: i64) -> Result<Found, Refusal> {
        if poll.turn != self.poll {
            let reason = "terminated by other getUpdates request; make sure that only one bot instance is running";
            return Err(Refusal::new(409, format!("Conflict: {reason}")));
        }
        let (taps, rest) = self.ages;
        self.waiting.retain(|pending| now - pending.born < if pending.tap { taps } else { rest });
        let fresh = self.waiting.iter().filter(|pending| pending.id >= poll.from);
        let mut batch: Vec<Value> = fresh.take(poll.limit).map(|pending| pending.body.clone()).collect();
        if batch.is_empty() && self.again.is_empty() {
            return Ok(Found::Nothing(None));
        }
        if let Some(Batch::Delayed(time)) = self.batches.front() {
            self.held = Some(Instant::now() + *time);
            self.batches.pop_front();
        }
        if let Some(held) = self.held.filter(|held| *held > Instant::now()) {
            return Ok(Found::Nothing(Some(held)));
        }
        self.held = None;
        let repeated = std::mem::take(&mut self.again);
        match self.batches.pop_front() {
            Some(Batch::Twice) => batch = batch.iter().flat_map(|update| [update.clone(), update.clone()]).collect(),
            Some(Batch::Again) => self.again.clone_from(&batch),
            Some(Batch::Reversed) => batch.reverse(),
            Some(Batch::Delayed(time)) => {
                self.batches.push_front(Batch::Delayed(time));
            }
            None => {}
        }
        Ok(Found::Updates(repeated.into_iter().chain(batch).collect()))
    }
}

/// How long a poll waits: Telegram's own limit is 50 seconds.
pub(crate) fn patience(timeout: i64) -> Duration {
    Duration::from_secs(u64::try_from(timeout.clamp(0, 50)).unwrap_or(0))
}
