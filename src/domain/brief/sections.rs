//! The brief's sections, in reading order. Empty ones are left out.

use super::phrase::{change_lines, ready_line, tests_line, title, titled, why};
use super::{BriefButton, MakeButton, Night, SECTION_ITEMS};
use crate::domain::build::{BuildStep, Wait};
use crate::domain::facts::{BuildFact, NightFacts, Standing, TaskNight, ThrottleFact};
use crate::domain::message::{Item, Message};
use crate::domain::pattern;
use crate::domain::task::Task;
use crate::domain::words::{capital, clock, clock_12, counted, file_name, list, plain, span};

/// Longest quote of an agent, in characters.
const QUOTE_CHARS: usize = 500;

/// Adds them all.
pub(super) fn add(message: Message, night: &Night<'_>, buttons: &mut MakeButton<'_>) -> Message {
    let facts = night.facts;
    let shipped: Vec<Item> = tasks(night, Standing::Ready, shipped);
    let queue = Item::new("", queue_line(facts.queue_open, facts.queue_ready_tonight));
    // A night that came to nothing has no use for a queue line unless there is a queue.
    let queue = if facts.queue_open == 0 && night.tasks.is_empty() { vec![] } else { vec![queue] };
    message
        .section("🔴 Red before anything was built", red_bases(facts))
        .section("🚀 What shipped", shipped)
        .section("🏗️ Still building", tasks(night, Standing::Building, building))
        .section("🅿️ Parked", parked(night))
        .section("🔁 Will be tried again", tasks(night, Standing::Again, again))
        .section("❌ Failed", tasks(night, Standing::Failed, failed))
        .section("⏹️ Stopped", tasks(night, Standing::Stopped, stopped))
        .section("🚫 Something was denied", tasks(night, Standing::Denied, unproven))
        .section("❔ Unverified", tasks(night, Standing::Unproven, unproven))
        .section("🔧 Auto-fixed", fixed(night))
        .section("📊 Patterns", patterns(night))
        .section("🔒 Needs you", needs_you(night, buttons))
        .section("🗒️ Queue", queue)
        .section("⏸️ Throttled", stretches(night, &facts.throttles))
        .section("⏳ Usage limits", stretches(night, &facts.closures))
        .section("📝 Notes", notes(night))
}

/// Said first: what was broken already is nobody's build's fault, and builds were judged by what they broke or mended.
fn red_bases(facts: &NightFacts) -> Vec<Item> {
    capped(facts.base_red.iter().map(|red| {
        let item = Item::new("", plain(&red.project, 80));
        let detail = plain(&red.detail, 300);
        if detail.is_empty() { item } else { item.evidence(detail) }
    }))
}

/// The items of one standing, at most [`SECTION_ITEMS`], the rest counted.
fn tasks(night: &Night<'_>, standing: Standing, item: fn(&Night<'_>, &TaskNight<'_>) -> Item) -> Vec<Item> {
    let earlier = |(task, earlier): &(TaskNight<'_>, bool)| {
        let mut item = item(night, task);
        if *earlier {
            item.evidence.push("Finished after the last brief".into());
        }
        item
    };
    capped(night.standing(standing).map(earlier))
}

fn capped(items: impl Iterator<Item = Item>) -> Vec<Item> {
    let mut items: Vec<Item> = items.collect();
    let more = items.len().saturating_sub(SECTION_ITEMS);
    items.truncate(SECTION_ITEMS);
    if more > 0 {
        items.push(Item::new("", format!("and {more} more")));
    }
    items
}

/// The agent's last words; shown as a quote, whatever they claim.
fn quoted(mut item: Item, fact: &BuildFact) -> Item {
    item.quote = plain(fact.build.progress_text.as_deref().unwrap_or(""), QUOTE_CHARS);
    item
}

fn runtime(night: &Night<'_>, fact: &BuildFact) -> String {
    let estimate = fact.task.spec.estimate_text();
    format!("{} of building, {estimate} estimated", span(fact.runtime(night.facts.now)))
}

fn shipped(night: &Night<'_>, task: &TaskNight<'_>) -> Item {
    let fact = task.last;
    let mut item = Item::new("✅", titled(fact));
    item.evidence.extend(fact.measure_text.as_deref().map(|text| plain(text, 200)));
    item.evidence.extend(tests_line(fact));
    item.evidence.push(ready_line(fact).to_owned());
    item.evidence.extend(change_lines(fact));
    item.evidence.push(runtime(night, fact));
    // For a desk, not for a pillow: it folds away.
    item.evidence.extend(fact.result_ref.as_deref().map(|at| format!("Kept at {}", plain(at, 200))));
    quoted(item, fact)
}

fn building(night: &Night<'_>, task: &TaskNight<'_>) -> Item {
    let (fact, facts) = (task.last, night.facts);
    let checking = fact.build.step == BuildStep::Checking;
    let text = match fact.build.progress {
        _ if checking => format!("{} (being verified)", title(fact)),
        Some(percent) => format!("{} ({}% complete)", title(fact), percent.min(100)),
        None => title(fact),
    };
    let mut item = Item::new("🔨", text);
    if fact.build.progress.is_some() && !checking {
        item.evidence.push("The percentage is the agent's own".into());
    }
    let estimate = fact.task.spec.estimate_text();
    item.evidence.push(format!("Running for {}, {estimate} estimated", span(fact.runtime(facts.now))));
    item.evidence.extend(fact.expected_finish.map(|at| {
        let time = clock_12(at, facts.zone);
        match fact.finish_at_most.filter(|most| *most > at) {
            _ if at <= facts.now => format!("Was expected by {time}"),
            Some(most) => format!("Should finish by {time}, 8 of 10 such do by {}", clock_12(most, facts.zone)),
            None => format!("Should finish by {time}"),
        }
    }));
    quoted(item, fact)
}

fn again(night: &Night<'_>, task: &TaskNight<'_>) -> Item {
    let mut item = Item::new("🔁", titled(task.last));
    item.evidence = why(task.last);
    item.evidence.extend(
        task.last.task.retry_at.map(|at| format!("Not before {}", clock(at.max(night.facts.now), night.facts.zone))),
    );
    item
}

fn failed(_: &Night<'_>, task: &TaskNight<'_>) -> Item {
    let fact = task.last;
    let mut item = Item::new("❌", titled(fact));
    item.evidence = why(fact);
    if task.attempts > 1 {
        item.evidence.push(format!("{} tonight", counted(task.attempts as usize, "attempt")));
    }
    item.evidence.extend(log_line(fact));
    item
}

fn log_line(fact: &BuildFact) -> Option<String> {
    let name = plain(file_name(&fact.log_path), 120);
    (!name.is_empty()).then(|| format!("Log: {name}"))
}

fn stopped(night: &Night<'_>, task: &TaskNight<'_>) -> Item {
    let mut item = Item::new("⏹️", titled(task.last));
    item.evidence = why(task.last);
    item.evidence.push(runtime(night, task.last));
    item
}

fn unproven(night: &Night<'_>, task: &TaskNight<'_>) -> Item {
    let fact = task.last;
    let mut item = Item::new("❔", titled(fact));
    item.evidence = why(fact);
    item.evidence.extend(change_lines(fact));
    item.evidence.push(runtime(night, fact));
    item.evidence.push("Not counted as completed".into());
    item.evidence.extend(log_line(fact));
    quoted(item, fact)
}

fn fixed(night: &Night<'_>) -> Vec<Item> {
    let fixes = night.facts.problems_fixed().filter_map(|problem| problem.fixed.as_deref());
    capped(fixes.map(|fix| Item::new("•", plain(fix, 200))))
}

fn patterns(night: &Night<'_>) -> Vec<Item> {
    capped(night.facts.patterns.iter().map(|fact| {
        let when = plain(&fact.when, 40);
        let item = Item::new("•", pattern::line(&when, &fact.title, fact.confidence, fact.support, fact.of));
        if fact.action.is_empty() { item } else { item.evidence(plain(&fact.action, 200)) }
    }))
}

fn needs_you(night: &Night<'_>, buttons: &mut MakeButton<'_>) -> Vec<Item> {
    let facts = night.facts;
    let critical = facts.problems.iter().filter(|problem| problem.needs_owner());
    let mut items: Vec<Item> = critical
        .map(|problem| Item::new("🚨", format!("{}: {}", plain(&problem.subject, 80), plain(&problem.detail, 300))))
        .collect();
    for (task, _) in night.standing(Standing::Unclear) {
        let mut item = Item::new("❓", titled(task.last));
        item.evidence = why(task.last);
        item.evidence.extend(log_line(task.last));
        items.push(item);
    }
    items.extend(questions(night));
    // Buttons are stored as they are made, so none is made for a task that is only counted.
    let room = SECTION_ITEMS.saturating_sub(items.len()).max(5);
    items.extend(facts.waiting_approval.iter().take(room).map(|task| locked(task, buttons)));
    let more = facts.waiting_approval.len().saturating_sub(room);
    if more > 0 {
        items.push(Item::new("🔒", format!("and {more} more locked tasks: /queue lists them")));
    }
    items
}

fn locked(task: &Task, buttons: &mut MakeButton<'_>) -> Item {
    let title = plain(&task.spec.title, crate::domain::task::limits::TITLE_CHARS);
    let what = format!("#{} {title} ({}, {})", task.id, task.spec.category.title(), task.spec.estimate_text());
    let mut item = Item::new("🔒", what);
    item.evidence.extend(task.text_lock.as_deref().map(|lock| format!("Locked by its text: {}", plain(lock, 200))));
    item.buttons.extend(buttons(BriefButton::Approve(task.id)));
    item.buttons.extend(buttons(BriefButton::Reject(task.id)));
    item
}

/// `7 tasks open, 3 ready for tonight`, and what to do about a dry queue.
fn queue_line(open: u32, ready: u32) -> String {
    let open_text = counted(open as usize, "task");
    match (open, ready) {
        (0, _) => "Empty: add tasks with /queue add".into(),
        (_, 0) => format!("{open_text} open, none ready for tonight"),
        _ => format!("{open_text} open, {ready} ready for tonight"),
    }
}

/// Builds that wait for their provider, those of earlier nights included.
fn parked(night: &Night<'_>) -> Vec<Item> {
    let before = night.facts.parked_before.iter().filter(|fact| fact.standing() == Standing::Parked);
    let own = night.standing(Standing::Parked).map(|(task, _)| task.last);
    capped(own.chain(before).map(|fact| {
        let mut item = Item::new("🅿️", titled(fact));
        if let Some(Wait::Provider { why }) = &fact.build.wait {
            item.evidence.push(capital(&plain(why, 200)));
        }
        item.evidence.push("Goes on by itself, in the same session; no attempt is counted".into());
        item
    }))
}

/// Agents' questions, those of earlier nights included.
fn questions(night: &Night<'_>) -> Vec<Item> {
    let before = night.facts.parked_before.iter().filter(|fact| fact.standing() == Standing::Asking);
    let own = night.standing(Standing::Asking).map(|(task, _)| task.last);
    let asks = own.chain(before).map(|fact| {
        let mut item = Item::new("💬", format!("{} asks you", titled(fact)));
        if let Some(Wait::Answer { question, .. }) = &fact.build.wait {
            item.quote = plain(question, QUOTE_CHARS);
        }
        item.evidence.push(format!("/answer {} and your answer; it goes on with it", fact.task.id));
        item
    });
    asks.collect()
}

fn stretches(night: &Night<'_>, stretches: &[ThrottleFact]) -> Vec<Item> {
    let zone = night.facts.zone;
    capped(stretches.iter().map(|throttle| {
        let from = clock(throttle.from, zone);
        let when = match throttle.until {
            Some(until) => format!("{from}–{}", clock(until, zone)),
            None => format!("since {from}"),
        };
        Item::new("⏸️", format!("{when}: {}", plain(&throttle.reason, 200)))
    }))
}

/// Builds that were not held as they should be, those with the same trouble on one line.
fn loose(facts: &NightFacts) -> Vec<String> {
    let mut lines: Vec<(String, Vec<String>)> = vec![];
    for fact in &facts.builds {
        let Some(why) = fact.build.loose.as_deref() else { continue };
        let task = format!("#{}", fact.task.id);
        match lines.iter_mut().find(|(known, _)| known == why) {
            Some((_, tasks)) if tasks.contains(&task) => {}
            Some((_, tasks)) => tasks.push(task),
            None => lines.push((why.to_owned(), vec![task])),
        }
    }
    lines.into_iter().map(|(why, tasks)| format!("{} ran {}", list(&tasks, 6), plain(&why, 400))).collect()
}

/// Hosts that builds tried to reach and may not.
fn refused(facts: &NightFacts) -> Vec<String> {
    let mut lines: Vec<String> = vec![];
    for fact in &facts.builds {
        let line = fact.build.refused.as_deref().map(|hosts| {
            format!(
                "#{} was kept from reaching {}; hosts under [isolation] allows more",
                fact.task.id,
                plain(hosts, 200)
            )
        });
        lines.extend(line.filter(|line| !lines.contains(line)));
    }
    lines
}

/// What was ended or cut, a line a task; hosts that checks were kept from among it.
fn incidents(facts: &NightFacts) -> Vec<String> {
    let mut lines: Vec<(String, Vec<String>)> = vec![];
    for fact in &facts.incidents {
        let (whose, words) = (fact.whose(), fact.words());
        match lines.iter_mut().find(|(known, _)| *known == whose) {
            Some((_, said)) if said.contains(&words) => {}
            Some((_, said)) => said.push(words),
            None => lines.push((whose, vec![words])),
        }
    }
    let line = |(whose, said): (String, Vec<String>)| format!("{whose}: {}", said.join("; "));
    lines.into_iter().map(line).collect()
}

/// What agents used, of those that say so.
fn used(facts: &NightFacts) -> Option<String> {
    let mut parts = vec![];
    if facts.used.usd >= 0.005 {
        parts.push(format!("US$ {:.2}", facts.used.usd));
    }
    if facts.used.tokens > 0 {
        parts.push(format!("{} tokens", crate::domain::format::count(facts.used.tokens)));
    }
    (!parts.is_empty()).then(|| format!("Agents used {}", parts.join(", ")))
}

fn notes(night: &Night<'_>) -> Vec<Item> {
    let facts = night.facts;
    let mut lines: Vec<(&str, String)> = vec![];
    lines.extend(facts.started_late_minutes.filter(|minutes| *minutes > 0).map(|minutes| {
        ("⏰", format!("The night began {} late", span(chrono::TimeDelta::try_minutes(minutes).unwrap_or_default())))
    }));
    // The intro of a missed night gives its one sleep as the reason already.
    let said = night.missed() && facts.session.missed_reason.is_none() && facts.slept.len() == 1;
    for (from, to) in facts.slept.iter().filter(|_| !said) {
        let (from, to) = (clock(*from, facts.zone), clock(*to, facts.zone));
        lines.push(("💤", format!("This machine was off or asleep from {from} to {to}")));
    }
    for date in &facts.missed_dates {
        lines.push(("📭", format!("The night of {} was missed", date.format("%-d %B"))));
    }
    lines.extend(loose(facts).into_iter().map(|line| ("🔓", line)));
    lines.extend(refused(facts).into_iter().map(|line| ("🚧", line)));
    lines.extend(incidents(facts).into_iter().map(|line| ("🛡️", line)));
    lines.extend(used(facts).map(|used| ("🪙", used)));
    lines.extend(facts.capped.as_deref().map(|cap| ("🪙", format!("Nothing more was begun: {cap}"))));
    // One that failed stands under what needs the owner.
    lines.extend(facts.drill.iter().filter(|drill| drill.trouble.is_none()).map(|drill| ("🛟", drill.text())));
    if facts.stopped_by_owner {
        lines.push(("⏹️", "You stopped the night".into()));
    }
    for problem in facts.problems.iter().filter(|p| p.fixed.is_none() && !p.needs_owner()) {
        lines.push(("⚠️", format!("{}: {}", plain(&problem.subject, 80), plain(&problem.detail, 300))));
    }
    capped(lines.into_iter().map(|(icon, text)| Item::new(icon, text)))
}
