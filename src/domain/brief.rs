//! The morning brief: what a night came to, in one message that begins with its verdict.
//!
//! Verified, unproven, failed and still running are said apart. What an agent says of itself stands in quotes only
//! ([`Item::quote`]); its percentage is named as its own. Left out: everything a front-end decides (length, markup).

pub(in crate::domain) mod phrase;
mod sections;

use super::facts::{BuildFact, NightFacts, Standing, TaskNight, by_task};
use super::id::TaskId;
use super::message::{Button, Item, Message};
use super::session::{Phase, SKIPPED, SessionKind};
use super::words::{capital, clock, clock_12, count_word, counted_word, list, one_decimal, plain};
use chrono::Timelike;

/// A button of the brief, to be made by the caller, who alone can store what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BriefButton {
    /// Approve a locked task.
    Approve(TaskId),
    /// Reject it.
    Reject(TaskId),
    /// Go through what is ready.
    Review,
    /// Go on building for a while.
    KeepBuilding,
}

/// Makes buttons; `None` where there is none to make.
pub type MakeButton<'a> = dyn FnMut(BriefButton) -> Option<Button> + 'a;

/// Most items a section lists; more are counted.
pub const SECTION_ITEMS: usize = 20;

/// A night as the brief sees it: its tasks by where they stand.
struct Night<'a> {
    facts: &'a NightFacts,
    /// Tasks of the session, then those of earlier ones that ended since the last brief (marked true).
    tasks: Vec<(TaskNight<'a>, bool)>,
}

impl<'a> Night<'a> {
    fn new(facts: &'a NightFacts) -> Self {
        let own = facts.tasks().into_iter().map(|task| (task, false));
        let since = by_task(&facts.finished_since).into_iter().map(|task| (task, true));
        Self { facts, tasks: own.chain(since).collect() }
    }

    fn standing(&self, wanted: Standing) -> impl Iterator<Item = &(TaskNight<'a>, bool)> {
        self.tasks.iter().filter(move |(task, _)| task.last.standing() == wanted)
    }

    fn count(&self, wanted: Standing) -> usize {
        self.standing(wanted).count()
    }

    fn missed(&self) -> bool {
        self.facts.session.phase == Phase::Missed
    }

    /// Things only the owner can settle.
    fn need_owner(&self) -> usize {
        self.facts.waiting_approval.len()
            + self.facts.base_red.len()
            + self.facts.problems.iter().filter(|problem| problem.needs_owner()).count()
            + self.count(Standing::Unclear)
    }
}

/// Makes the brief. `buttons` is asked once for each button, in reading order.
pub fn brief(facts: &NightFacts, buttons: &mut MakeButton<'_>) -> Message {
    let night = Night::new(facts);
    let message = Message::line(verdict(&night)).intro(intro(&night));
    let message = sections::add(message, &night, buttons);
    let message = message.section("", total(&night).into_iter().collect());
    closing(message, &night, buttons)
}

/// `🌅 2 ready · 1 still building · 1 failed · 2 need you`. Never empty.
fn verdict(night: &Night<'_>) -> String {
    let part = |count: usize, text: &str| (count > 0).then(|| format!("{count} {text}"));
    let mut parts: Vec<String> = vec![];
    if night.missed() {
        let skipped = night.facts.session.missed_reason.as_deref() == Some(SKIPPED);
        parts.push(if skipped { "Last night was left out" } else { "Last night was missed" }.into());
    } else if night.facts.stopped_by_owner {
        parts.push("Stopped by you".into());
    }
    let ready = night.count(Standing::Ready);
    match (ready, night.tasks.is_empty()) {
        (0, true) if night.missed() => {}
        (0, true) => parts.push("Nothing was built".into()),
        (0, false) => parts.push("Nothing ready".into()),
        _ => parts.extend(part(ready, "ready")),
    }
    parts.extend(part(night.count(Standing::Building), "still building"));
    parts.extend(part(night.count(Standing::Failed), "failed"));
    parts.extend(part(night.count(Standing::Unproven), "unverified"));
    parts.extend(part(night.count(Standing::Again), "to be tried again"));
    parts.extend(part(night.count(Standing::Stopped), "stopped"));
    let need = night.need_owner();
    parts.extend(part(need, if need == 1 { "needs you" } else { "need you" }));
    format!("🌅 {}", parts.join(" · "))
}

/// One or two sentences made of facts.
fn intro(night: &Night<'_>) -> String {
    if night.missed() {
        return format!("{}. Nothing was built: {}.", greeting(night.facts), missed_reason(night.facts));
    }
    let ready: Vec<String> = night.standing(Standing::Ready).map(|(task, _)| phrase::ready(task.last)).collect();
    let mut sentences = vec![];
    if ready.is_empty() {
        sentences.push(format!("{}. {}", greeting(night.facts), nothing_ready(night)));
    } else {
        let things = capital(&counted_word(ready.len(), "thing"));
        let are = if ready.len() == 1 { "is" } else { "are" };
        sentences.push(format!("{}! {things} {are} ready: {}.", greeting(night.facts), list(&ready, 3)));
        sentences.extend(still_building(night));
    }
    let fixed = night.facts.problems_fixed().count();
    if fixed > 0 {
        sentences.push(format!("Also fixed {}.", counted_word(fixed, "system problem")));
    }
    sentences.join(" ")
}

/// By the owner's clock: a session started by hand can end at any hour.
fn greeting(facts: &NightFacts) -> &'static str {
    match facts.now.with_timezone(&facts.zone).hour() {
        4..12 => "Good morning",
        12..18 => "Good afternoon",
        _ => "Good evening",
    }
}

fn missed_reason(facts: &NightFacts) -> String {
    if let Some(reason) = &facts.session.missed_reason {
        return plain(reason, 200).trim_end_matches('.').to_string();
    }
    match facts.slept.iter().max_by_key(|(from, to)| *to - *from) {
        Some((from, to)) => {
            format!("this machine was off or asleep from {} to {}", clock(*from, facts.zone), clock(*to, facts.zone))
        }
        None => "why is not known; the log of the bot may say".into(),
    }
}

/// Why the owner reads no good news.
fn nothing_ready(night: &Night<'_>) -> String {
    let facts = night.facts;
    if !night.tasks.is_empty() {
        let say = |standing, one: &str, many: &str| {
            let n = night.count(standing);
            (n > 0).then(|| format!("{} {}", count_word(n), if n == 1 { one } else { many }))
        };
        let parts: Vec<String> = [
            say(Standing::Failed, "failed", "failed"),
            say(Standing::Unproven, "could not be verified", "could not be verified"),
            say(Standing::Building, "is still building", "are still building"),
            say(Standing::Again, "will be tried again", "will be tried again"),
            say(Standing::Stopped, "was stopped", "were stopped"),
            say(Standing::Unclear, "may or may not have happened", "may or may not have happened"),
        ]
        .into_iter()
        .flatten()
        .collect();
        return format!("Nothing is ready to ship: {}.", list(&parts, parts.len()));
    }
    if facts.stopped_by_owner {
        return "You stopped the night before anything was built.".into();
    }
    if let Some(throttle) = facts.throttles.first() {
        return format!("Nothing was built: {}.", plain(&throttle.reason, 200));
    }
    if facts.queue_open == 0 {
        return "Nothing was built: the queue was empty.".into();
    }
    let waiting = facts.waiting_approval.len();
    if waiting > 0 && facts.queue_ready_tonight == 0 {
        let wait = if waiting == 1 { "task waits" } else { "tasks wait" };
        return format!("Nothing was built: {} {wait} for your approval.", count_word(waiting));
    }
    "Nothing was built; /status says what each task waits for.".into()
}

/// `One is still building and should finish by 9:10am.`
fn still_building(night: &Night<'_>) -> Option<String> {
    let building: Vec<&BuildFact> = night.standing(Standing::Building).map(|(task, _)| task.last).collect();
    match building.as_slice() {
        [] => None,
        [one] => Some(match one.expected_finish.filter(|at| *at > night.facts.now) {
            Some(at) => format!("One is still building and should finish by {}.", clock_12(at, night.facts.zone)),
            None => "One is still building.".into(),
        }),
        many => Some(format!("{} are still building.", capital(&count_word(many.len())))),
    }
}

/// `📊 Total: 6.3 hours of work completed overnight`: verified builds of this session only.
fn total(night: &Night<'_>) -> Option<Item> {
    let own = night.standing(Standing::Ready).any(|(_, earlier)| !earlier);
    let when = if night.facts.session.kind == SessionKind::Nightly { " overnight" } else { "" };
    let hours = one_decimal(night.facts.hours_shipped());
    own.then(|| Item::new("📊", format!("Total: {hours} hours of work completed{when}")))
}

/// Asks only what can be answered: nothing built leaves nothing to review, an empty queue nothing to build. A locked
/// task counts as something to build: it may be approved by the tap above.
fn closing(message: Message, night: &Night<'_>, buttons: &mut MakeButton<'_>) -> Message {
    let reviewable = [Standing::Ready, Standing::Unproven].into_iter().any(|s| night.count(s) > 0);
    let buildable = night.facts.queue_open > 0;
    let text = match (reviewable, buildable) {
        (true, true) => "Ready to review or should I keep building?",
        (true, false) => "Ready to review?",
        (false, true) => "Should I keep building?",
        (false, false) => return message,
    };
    let review = if reviewable { buttons(BriefButton::Review) } else { None };
    let keep = if buildable { buttons(BriefButton::KeepBuilding) } else { None };
    message.closing(text).row(review.into_iter().chain(keep).collect())
}

#[cfg(test)]
mod tests;
