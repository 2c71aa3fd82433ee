//! The night as a picture: which build ran when, beside which other, and when none could start.
//!
//! [`Timeline::of`] takes what the brief is made of and lays it out in time; [`svg()`] draws it as text. Turning that
//! into pixels needs a font and is the host's work. Left out: what a build did, which the brief itself tells.

mod axis;
mod draw;
mod palette;
mod pen;
mod rows;

pub use draw::{WIDTH, svg};
pub use pen::{is_safe_width, text_width};

use super::build::Outcome;
use super::facts::{BuildFact, NightFacts, Standing, Stretch};
use super::id::TaskId;
use super::session::SessionKind;
use super::task::limits::TITLE_CHARS;
use super::words::plain;
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

/// The shortest stretch a picture shows: a session of seconds is still a picture with hours on its axis.
const SHORTEST: TimeDelta = TimeDelta::minutes(10);

/// The longest: after days without power the brief comes late, but the night is still what is to be seen.
const LONGEST: TimeDelta = TimeDelta::hours(24);

/// One session as lanes of builds over time.
#[derive(Debug, Clone, PartialEq)]
pub struct Timeline {
    /// The heading, such as `Night of Saturday, 14 March 2026`.
    pub title: String,
    /// The zone of every label.
    pub zone: Tz,
    /// Where the axis begins.
    pub from: DateTime<Utc>,
    /// Where it ends; after `from`, always.
    pub to: DateTime<Utc>,
    /// One a slot, the first used first. Never empty.
    pub lanes: Vec<Lane>,
    /// When no build could start, in order.
    pub bands: Vec<Band>,
    /// The session's own moments, in order.
    pub marks: Vec<Mark>,
}

/// One slot.
#[derive(Debug, Clone, PartialEq)]
pub struct Lane {
    /// Its number from one.
    pub label: String,
    /// Builds, none of which overlaps another, in order.
    pub blocks: Vec<Block>,
}

/// One build.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// The task's number.
    pub task: TaskId,
    /// The task's title on one line.
    pub title: String,
    /// When it began.
    pub from: DateTime<Utc>,
    /// When it ended; none: it runs.
    pub to: Option<DateTime<Utc>>,
    /// What came of it.
    pub fate: Fate,
    /// 1 for the first attempt.
    pub attempt: u32,
}

/// What came of a build, as coarse as a colour can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fate {
    /// Verified.
    Ready,
    /// It runs.
    Building,
    /// Nothing proved that it works.
    Unproven,
    /// It did not work.
    Failed,
    /// A passing failure, followed by another attempt or waiting for one.
    Retried,
    /// The owner or the disk guard ended it.
    Stopped,
    /// Whether it happened can't be known.
    Unclear,
    /// It waits: for its provider or for an answer.
    Parked,
}

impl Fate {
    /// Every fate, in the order of the legend.
    pub const ALL: [Self; 8] = [
        Self::Ready,
        Self::Building,
        Self::Parked,
        Self::Unproven,
        Self::Failed,
        Self::Retried,
        Self::Stopped,
        Self::Unclear,
    ];

    /// The word of the legend.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Building => "still building",
            Self::Unproven => "unproven",
            Self::Failed => "failed",
            Self::Retried => "retried",
            Self::Stopped => "stopped",
            Self::Unclear => "unclear",
            Self::Parked => "waiting",
        }
    }

    /// Its sign: whoever can't tell the colours apart reads this.
    pub fn sign(self) -> char {
        match self {
            Self::Ready => '✔',
            Self::Building => '▶',
            Self::Unproven => '?',
            Self::Failed => '✘',
            Self::Retried => '↻',
            Self::Stopped => '■',
            Self::Unclear => '!',
            Self::Parked => '…',
        }
    }

    fn of(fact: &BuildFact, facts: &NightFacts) -> Self {
        let tried_again = || {
            facts.builds.iter().any(|other| other.task.id == fact.task.id && other.build.attempt > fact.build.attempt)
        };
        match fact.standing() {
            _ if fact.build.outcome == Some(Outcome::Transient) && tried_again() => Self::Retried,
            Standing::Ready => Self::Ready,
            Standing::Building => Self::Building,
            Standing::Again => Self::Retried,
            Standing::Parked | Standing::Asking => Self::Parked,
            Standing::Unproven | Standing::Denied => Self::Unproven,
            Standing::Failed => Self::Failed,
            Standing::Stopped => Self::Stopped,
            Standing::Unclear => Self::Unclear,
        }
    }
}

/// A stretch in which no build could start.
#[derive(Debug, Clone, PartialEq)]
pub struct Band {
    /// Why.
    pub kind: BandKind,
    /// From.
    pub from: DateTime<Utc>,
    /// Until; the axis' end if it goes on.
    pub to: DateTime<Utc>,
}

/// Why no build could start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BandKind {
    /// A disk above its limit.
    Disk,
    /// Little memory, or stalls for it.
    Memory,
    /// An agent's usage limit.
    Limit,
    /// The machine slept or was off.
    Asleep,
    /// Anything else the throttle named.
    Other,
}

impl BandKind {
    /// Every kind, in the order of the picture.
    pub const ALL: [Self; 5] = [Self::Disk, Self::Memory, Self::Limit, Self::Asleep, Self::Other];

    /// The words beside its strip.
    pub fn words(self) -> &'static str {
        match self {
            Self::Disk => "Disk above its limit, no new builds",
            Self::Memory => "Memory short, no new builds",
            Self::Limit => "An agent's usage limit",
            Self::Asleep => "Machine off or asleep",
            Self::Other => "Held up, no new builds",
        }
    }

    /// By the words of a throttle, as [`super::throttle::Pressure`] writes them.
    fn of_reason(reason: &str) -> Self {
        let reason = reason.to_lowercase();
        if reason.starts_with("disk") {
            Self::Disk
        } else if reason.contains("usage limit") || reason.contains("rate limit") {
            Self::Limit
        } else if reason.contains("memory") {
            Self::Memory
        } else {
            Self::Other
        }
    }
}

/// A moment of the session itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// When.
    pub at: DateTime<Utc>,
    /// What, in a word.
    pub word: &'static str,
}

impl Timeline {
    /// Lays out a night. `facts.now` is where running builds are cut and where the brief is marked.
    pub fn of(facts: &NightFacts) -> Self {
        let session = &facts.session;
        let from = facts.builds.iter().map(|fact| fact.build.started_at).fold(session.started_at, DateTime::min);
        let to = facts.now.clamp(from + SHORTEST, from + LONGEST);
        let what = if session.kind == SessionKind::Nightly { "Night" } else { "Session" };
        Self {
            title: format!("{what} of {}", session.date.format("%A, %-d %B %Y")),
            zone: facts.zone,
            from,
            to,
            lanes: lanes(facts, to),
            bands: bands(facts, from, to),
            marks: marks(facts, from, to),
        }
    }

    /// Every build in the order of its start, as the list under the picture has them.
    fn blocks(&self) -> Vec<&Block> {
        let mut blocks: Vec<&Block> = self.lanes.iter().flat_map(|lane| &lane.blocks).collect();
        blocks.sort_by_key(|block| (block.from, block.task, block.attempt));
        blocks
    }
}

/// Which slot a build had is not kept, so each takes the first that is free when it begins.
fn lanes(facts: &NightFacts, to: DateTime<Utc>) -> Vec<Lane> {
    // A build that waited frees its slot meanwhile: each stretch of work is a bar of its own.
    let mut order: Vec<(&BuildFact, Stretch)> = vec![];
    for fact in &facts.builds {
        if fact.stretches.is_empty() {
            order.push((fact, (fact.build.started_at, fact.build.ended_at)));
        }
        order.extend(fact.stretches.iter().map(|stretch| (fact, *stretch)));
    }
    order.retain(|(_, (from, _))| *from < to);
    order.sort_by_key(|(fact, (from, _))| (*from, fact.build.id));
    let mut lanes: Vec<(DateTime<Utc>, Vec<Block>)> = vec![];
    for (fact, (started, ended)) in order {
        let build = &fact.build;
        // A clock set back can end a build before it began.
        let ended = ended.map(|at| at.max(started));
        let last = fact.stretches.last().is_none_or(|(from, _)| *from == started);
        let block = Block {
            task: fact.task.id,
            title: plain(&fact.task.spec.title, TITLE_CHARS),
            from: started,
            to: ended,
            fate: if last { Fate::of(fact, facts) } else { Fate::Parked },
            attempt: build.attempt,
        };
        let free_again = ended.unwrap_or(DateTime::<Utc>::MAX_UTC);
        match lanes.iter_mut().find(|(free, _)| *free <= started) {
            Some(lane) => {
                lane.0 = free_again;
                lane.1.push(block);
            }
            None => lanes.push((free_again, vec![block])),
        }
    }
    if lanes.is_empty() {
        lanes.push((to, vec![]));
    }
    let numbered = lanes.into_iter().enumerate();
    numbered.map(|(at, (_, blocks))| Lane { label: (at + 1).to_string(), blocks }).collect()
}

fn bands(facts: &NightFacts, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<Band> {
    let throttles = facts.throttles.iter().map(|t| (BandKind::of_reason(&t.reason), t.from, t.until.unwrap_or(to)));
    let slept = facts.slept.iter().map(|(from, to)| (BandKind::Asleep, *from, *to));
    let limits = facts.closures.iter().map(|c| (BandKind::Limit, c.from, c.until.unwrap_or(to)));
    let mut bands: Vec<Band> = throttles
        .chain(slept)
        .chain(limits)
        .map(|(kind, began, ended)| Band { kind, from: began.max(from), to: ended.min(to) })
        .filter(|band| band.from < band.to)
        .collect();
    bands.sort_by_key(|band| (band.kind, band.from, band.to));
    // Several disks press at once: to the owner it is one stretch.
    bands.dedup_by(|next, last| {
        let touches = next.kind == last.kind && next.from <= last.to;
        if touches {
            last.to = last.to.max(next.to);
        }
        touches
    });
    bands
}

fn marks(facts: &NightFacts, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<Mark> {
    let session = &facts.session;
    let report = session.reported_at.or((session.kind == SessionKind::Nightly).then_some(session.spawn_until));
    let all = [(Some(session.started_at), "start"), (report, "report"), (Some(facts.now), "brief")];
    let shown = |at: &DateTime<Utc>| (from..=to).contains(at);
    let mut marks: Vec<Mark> =
        all.into_iter().filter_map(|(at, word)| Some(Mark { at: at.filter(shown)?, word })).collect();
    marks.sort_by_key(|mark| mark.at);
    marks
}

#[cfg(test)]
mod tests;
