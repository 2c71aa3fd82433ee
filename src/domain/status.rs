//! `/status`, and the two messages a session sends by itself while it runs: its start and its progress checks.
//!
//! One screen: where the night stands, each build, what comes next and why, what holds things up, and when what happens
//! next. An agent's percentage is drawn as it claims it; without one a bar is drawn from the estimate and says so.

use super::build::Wait;
use super::facts::{BuildFact, Standing};
use super::id::TaskId;
use super::message::{Item, Message};
use super::report::context;
use super::schedule::Night;
use super::session::{Phase, Session};
use super::task::Task;
use super::task::limits::TITLE_CHARS;
use super::words::{clock, counted, hours, one_decimal, plain, span};
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use std::collections::BTreeSet;

/// Most waiting or next tasks that are listed; more are counted.
pub const LISTED: usize = 5;

/// Cells of a bar.
const CELLS: u32 = 10;

/// The most a bar drawn from the estimate shows: only an end is a hundred percent.
const ESTIMATE_MOST: u32 = 95;

/// What is known when somebody asks.
#[derive(Debug, Clone, PartialEq)]
pub struct StatusFacts {
    /// Now.
    pub now: DateTime<Utc>,
    /// The owner's zone.
    pub zone: Tz,
    /// The session that runs, if one does.
    pub session: Option<Session>,
    /// Whether the owner paused the bot.
    pub paused: bool,
    /// The session's builds: running ones, and those that ended in it.
    pub builds: Vec<BuildFact>,
    /// What would be built next, in order, each with why it comes next.
    pub next: Vec<(Task, String)>,
    /// Tasks that can't be built now, each with what it waits for.
    pub waiting: Vec<(Task, String)>,
    /// Those of the builds' tasks that run because the owner approved them.
    pub approved: BTreeSet<TaskId>,
    /// How many of the waiting ones wait for an approval.
    pub locked: u32,
    /// Most builds at once.
    pub permits_max: u32,
    /// Why fewer than that may run now; empty if nothing is in the way.
    pub permits_blocked: Vec<String>,
    /// Disk, memory and load, a line each.
    pub resources: Vec<String>,
    /// The next night that is not left out.
    pub next_night: Night,
    /// What stands between the owner and the bot: which chat, since when, and why.
    pub chat_trouble: Vec<(String, DateTime<Utc>, String)>,
}

/// The answer to `/status`.
pub fn status(facts: &StatusFacts) -> Message {
    let running: Vec<Item> =
        facts.builds.iter().filter(|b| b.standing() == Standing::Building).map(|b| running(b, facts)).collect();
    let waits = |b: &&BuildFact| matches!(b.standing(), Standing::Parked | Standing::Asking);
    let parked: Vec<Item> = facts.builds.iter().filter(waits).map(parked).collect();
    let over = |b: &&BuildFact| b.standing() != Standing::Building && !waits(b);
    let ended: Vec<Item> = facts.builds.iter().filter(over).map(|b| ended(b, facts)).collect();
    let resources = facts.resources.iter().map(|line| Item::new("", plain(line, 120))).collect();
    let blocked = facts.permits_blocked.iter().map(|why| Item::new("⏸️", plain(why, 200))).collect();
    let trouble = facts.chat_trouble.iter().map(|(chat, since, why)| {
        let since = since.with_timezone(&facts.zone).format("%a %H:%M");
        Item::new("", format!("{} since {since}", plain(chat, 80))).evidence(plain(why, 300))
    });
    Message::line(verdict(facts))
        .section("📵 Out of reach", trouble.collect())
        .section(format!("🔨 Building ({} of {})", running.len(), facts.permits_max), capped(running, 0))
        .section("🅿️ Parked", capped(parked, 0))
        .section("🏁 Ended tonight", capped(ended, 0))
        .section("⏭️ Next", listed("", &facts.next))
        .section("⏳ Waiting", listed("", &facts.waiting))
        .section("⏸️ Held up", blocked)
        .section("🖥️ This machine", resources)
        .section("", foot(facts))
}

/// `🌙 Overnight · building · until 06:30`. Never empty.
fn verdict(facts: &StatusFacts) -> String {
    let paused = if facts.paused { " · paused" } else { "" };
    let running = facts.builds.iter().any(|b| b.standing() == Standing::Building);
    let Some(session) = facts.session.as_ref().filter(|s| s.phase != Phase::Missed) else {
        let night = facts.next_night.start.with_timezone(&facts.zone).format("%a %H:%M");
        let now = if running { "Still building" } else { "Nothing is running" };
        return format!("☀️ {now}{paused} · next night {night}");
    };
    let phase = match session.phase {
        Phase::Health => "looking for problems",
        Phase::Patterns => "looking at your habits",
        Phase::Building => "building",
        Phase::Report => "writing the report",
        Phase::Brief => "no new builds",
        Phase::Closed if running => "brief sent, still building",
        Phase::Closed | Phase::Missed => "over",
    };
    let until = match session.phase {
        Phase::Health | Phase::Patterns => format!(" · builds from {}", clock(session.spawn_at, facts.zone)),
        Phase::Building => {
            let until = session.keep_until.map_or(session.spawn_until, |keep| keep.max(session.spawn_until));
            format!(" · until {}", clock(until, facts.zone))
        }
        Phase::Report | Phase::Brief => format!(" · brief at {}", clock(session.brief_at, facts.zone)),
        Phase::Closed | Phase::Missed => String::new(),
    };
    let stopped = if session.stopped { " · stopped by you" } else { "" };
    format!("🌙 Overnight · {phase}{until}{paused}{stopped}")
}

/// `▓▓▓▓▓▓░░░░`, whole cells only: a bar is full only at a hundred.
fn bar(percent: u32) -> String {
    let full = (percent.min(100) * CELLS / 100) as usize;
    format!("{}{}", "▓".repeat(full), "░".repeat(CELLS as usize - full))
}

/// Percent of the estimate that has passed, at most [`ESTIMATE_MOST`].
fn by_estimate(build: &BuildFact, now: DateTime<Utc>) -> u32 {
    let passed = build.runtime(now).num_minutes().max(0);
    let percent = passed.saturating_mul(100) / i64::from(build.task.spec.estimate_minutes.max(1));
    u32::try_from(percent).unwrap_or(ESTIMATE_MOST).min(ESTIMATE_MOST)
}

fn title(task: &Task) -> String {
    format!("#{} {}", task.id, plain(&task.spec.title, TITLE_CHARS))
}

fn running(build: &BuildFact, facts: &StatusFacts) -> Item {
    use super::build::BuildStep;
    let line = if let Some(percent) = build.build.progress.map(|percent| percent.min(100)) {
        format!("{} {percent} %", bar(u32::from(percent)))
    } else {
        let percent = by_estimate(build, facts.now);
        format!("{} about {percent} % by the estimate", bar(percent))
    };
    let step = match build.build.step {
        BuildStep::Preparing => "Preparing its clone",
        BuildStep::SettingUp => "Setting up",
        BuildStep::Working => "Working",
        BuildStep::Collecting => "Collecting the result",
        BuildStep::Checking => "Being checked",
        BuildStep::Parked => "Waiting",
        BuildStep::Ended => "Ended",
    };
    // How often its model answered: work that moves, where nothing says how far it is.
    let answers = match build.build.spent.turns {
        0 => String::new(),
        turns => format!(", {}", counted(turns as usize, "answer")),
    };
    let attempt = if build.build.attempt > 1 { format!(", attempt {}", build.build.attempt) } else { String::new() };
    let mut item = Item::new("🔨", title(&build.task))
        .evidence(line)
        .evidence(format!("{step} · running for {}{answers}{attempt}", span(build.runtime(facts.now))));
    item.evidence.extend(time_left(build, facts));
    item.quote = plain(build.build.progress_text.as_deref().unwrap_or(""), super::progress::TEXT_CHARS);
    item
}

fn time_left(build: &BuildFact, facts: &StatusFacts) -> Option<String> {
    let at = build.expected_finish?;
    let time = clock(at, facts.zone);
    Some(if at > facts.now {
        let most = build.finish_at_most.filter(|most| *most > at).map(|most| clock(most, facts.zone));
        let most = most.map(|most| format!("; 8 of 10 such are done by {most}")).unwrap_or_default();
        format!("About {} left, until {time}{most}", span(at - facts.now))
    } else {
        format!("Was expected by {time}")
    })
}

/// How an ended build stands, with its icon.
fn ending(build: &BuildFact) -> (&'static str, &'static str) {
    match build.standing() {
        Standing::Ready => ("✅", "verified, ready"),
        Standing::Building => ("🔨", "in progress"),
        Standing::Parked => ("🅿️", "parked"),
        Standing::Asking => ("💬", "asks you"),
        Standing::Denied => ("🚫", "something was denied"),
        Standing::Again => ("🔁", "to be tried again"),
        Standing::Unproven => ("❔", "unverified"),
        Standing::Failed => ("❌", "failed"),
        Standing::Stopped => ("⏹️", "stopped"),
        Standing::Unclear => ("❓", "not known whether it happened"),
    }
}

/// A build that waits, and for what.
fn parked(build: &BuildFact) -> Item {
    let (icon, words) = ending(build);
    let item = Item::new(icon, format!("{}: {words}", title(&build.task)));
    match &build.build.wait {
        Some(Wait::Answer { question, answer: None }) => {
            let mut item = item.evidence(format!("/answer {} and your answer", build.task.id));
            item.quote = plain(question, 300);
            item
        }
        Some(Wait::Answer { .. }) => item.evidence("Answered; it goes on as soon as there is room"),
        Some(Wait::Provider { why }) => item.evidence(plain(why, 200)),
        None => item,
    }
}

fn ended(build: &BuildFact, facts: &StatusFacts) -> Item {
    let (icon, words) = ending(build);
    let item = Item::new(icon, format!("{}: {words}", title(&build.task)));
    let mut item = item.evidence(format!("Ran for {}", span(build.runtime(facts.now))));
    item.evidence.extend(build.measure_text.as_deref().map(|text| plain(text, 200)));
    if build.standing() != Standing::Ready && !build.build.reason.is_empty() {
        item.evidence.push(plain(&build.build.reason, 300));
    }
    item
}

/// The first tasks of a list, each with its reason; the rest counted.
fn listed(icon: &str, tasks: &[(Task, String)]) -> Vec<Item> {
    let items =
        tasks.iter().take(LISTED).map(|(task, why)| Item::new(icon, title(task)).evidence(plain(why, 200))).collect();
    capped(items, tasks.len().saturating_sub(LISTED))
}

/// At most twenty items; what is left out, here or before, is counted.
fn capped(mut items: Vec<Item>, left_out: usize) -> Vec<Item> {
    let more = left_out + items.len().saturating_sub(super::brief::SECTION_ITEMS);
    items.truncate(super::brief::SECTION_ITEMS);
    if more > 0 {
        items.push(Item::new("", format!("and {more} more")));
    }
    items
}

fn foot(facts: &StatusFacts) -> Vec<Item> {
    let mut items = vec![];
    if facts.locked > 0 {
        items.push(Item::new("🔒", format!("{} for your approval", wait(facts.locked))));
    }
    items.push(Item::new("⏰", to_come(facts)));
    items
}

/// What happens next by itself, and when.
fn to_come(facts: &StatusFacts) -> String {
    let at = |moment| clock(moment, facts.zone);
    let session = facts.session.as_ref().filter(|s| !matches!(s.phase, Phase::Missed | Phase::Closed));
    let Some(session) = session else {
        let Night { start, spawn, brief, .. } = facts.next_night;
        let day = start.with_timezone(&facts.zone).format("%a");
        return format!(
            "The night begins {day} {}, builds start {}, the brief comes {}",
            at(start),
            at(spawn),
            at(brief)
        );
    };
    let brief = at(session.brief_at);
    match session.phase {
        Phase::Health | Phase::Patterns => {
            format!("Builds start at {}, the brief comes at {brief}", at(session.spawn_at))
        }
        Phase::Building if facts.paused => format!("Paused: /night resume goes on; the brief comes at {brief}"),
        _ => format!("The brief comes at {brief}"),
    }
}

fn wait(tasks: u32) -> String {
    format!("{} {}", counted(tasks as usize, "task"), if tasks == 1 { "waits" } else { "wait" })
}

/// The message that opens a session, in the mission's words.
pub fn started(facts: &StatusFacts) -> Message {
    let word = facts.session.as_ref().map_or("AWAKE", |session| context(session.kind));
    let check = match facts.permits_blocked.as_slice() {
        [] => "Resource check: OK".to_string(),
        blocked => {
            let reasons: Vec<String> = blocked.iter().map(|why| plain(why, 200)).collect();
            format!("Resource check: {}", reasons.join("; "))
        }
    };
    let mut lines = vec![
        Item::new("", format!("Context: {word}")),
        Item::new("", format!("Max concurrent: {}", counted(facts.permits_max as usize, "build"))),
        Item::new("", check),
    ];
    if facts.locked > 0 {
        lines.push(Item::new("🔒", format!("{} for your approval", wait(facts.locked))));
    }
    Message::line("🌙 Overnight session started").section("", lines)
}

/// What a session says when its first builds have started, in the mission's words; the progress checks replace it.
pub fn spawned(facts: &StatusFacts) -> Message {
    let items: Vec<Item> = facts
        .builds
        .iter()
        .map(|build| {
            let approved =
                if facts.approved.contains(&build.task.id) { "Approved by you" } else { "Auto-approved: Yes" };
            Item::new("🔨", format!("Spawned: {}", plain(&build.task.spec.title, TITLE_CHARS)))
                .evidence(format!("Category: {}", build.task.spec.category.title()))
                .evidence(format!("Estimated: {}", build.task.spec.estimate_text()))
                .evidence(approved)
        })
        .collect();
    let started = super::words::counted(facts.builds.len(), "build");
    Message::line(format!("🏗️ {started} started at {}", clock(facts.now, facts.zone))).section("", capped(items, 0))
}

/// The progress check a session sends while it builds, in the mission's words.
pub fn progress_check(facts: &StatusFacts) -> Message {
    let time = clock(facts.now, facts.zone);
    let count = |wanted: Standing| facts.builds.iter().filter(|b| b.standing() == wanted).count();
    let (running, done) = (count(Standing::Building), count(Standing::Ready));
    let mut verdict = format!("⏱️ Progress check {time} · {running} building · {done} completed");
    for (standing, word) in [
        (Standing::Failed, "failed"),
        (Standing::Unproven, "unverified"),
        (Standing::Stopped, "stopped"),
        (Standing::Again, "to be tried again"),
        (Standing::Unclear, "unclear"),
    ] {
        let number = count(standing);
        if number > 0 {
            verdict = format!("{verdict} · {number} {word}");
        }
    }
    let builds: Vec<Item> =
        facts.builds.iter().enumerate().map(|(n, build)| progress_item(n + 1, build, facts)).collect();
    let blocked = facts.permits_blocked.iter().map(|why| Item::new("⏸️", plain(why, 200))).collect();
    Message::line(verdict).section("", capped(builds, 0)).section("⏸️ Held up", blocked)
}

fn progress_item(number: usize, build: &BuildFact, facts: &StatusFacts) -> Item {
    let item = Item::new("", format!("Build {number}: {}", plain(&build.task.spec.title, TITLE_CHARS)));
    let ran = one_decimal(hours(build.runtime(facts.now)));
    if build.standing() == Standing::Building {
        let status = match build.build.progress {
            Some(percent) => format!("Status: In progress ({}%)", percent.min(100)),
            None => format!("Status: In progress (about {}% by the estimate)", by_estimate(build, facts.now)),
        };
        let estimate = one_decimal(f64::from(build.task.spec.estimate_minutes) / 60.0);
        let percent =
            build.build.progress.map_or_else(|| by_estimate(build, facts.now), |percent| percent.min(100).into());
        let left = build.expected_finish.filter(|at| *at > facts.now);
        let left = left.map_or_else(String::new, |at| format!(" · until about {}", clock(at, facts.zone)));
        let mut item = item
            .evidence(format!("{}{left}", bar(percent)))
            .evidence(status)
            .evidence(format!("Runtime: {ran} hours / {estimate} hours"));
        item.quote = plain(build.build.progress_text.as_deref().unwrap_or(""), super::progress::TEXT_CHARS);
        return item;
    }
    let (icon, words) = ending(build);
    let words = if build.standing() == Standing::Ready { "completed" } else { words };
    let status = format!("{} {icon}", super::words::capital(words));
    let short = build.runtime(facts.now) < TimeDelta::minutes(6);
    let ran = if short { span(build.runtime(facts.now)) } else { format!("{ran} hours") };
    let mut item = item.evidence(format!("Status: {status}")).evidence(format!("Runtime: {ran}"));
    item.evidence.extend(build.measure_text.as_deref().map(|text| format!("Result: {}", plain(text, 200))));
    item
}

#[cfg(test)]
mod tests;
