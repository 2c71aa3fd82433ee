//! The card of a build's result: what changed, what proves it, what to look at twice, and what became of it.

use super::brief::phrase::{change_lines, tests_line, title, why};
use super::build::Outcome;
use super::facts::BuildFact;
use super::message::{Button, Item, Message};
use super::ship::{Ship, ShipKind, ShipOutcome, ShipStep};
use super::words::{capital, plain};

/// Longest quote of an agent, in characters.
const QUOTE_CHARS: usize = 500;

/// What a card is made from.
#[derive(Debug, Clone, Copy)]
pub struct ReviewFacts<'a> {
    /// The build.
    pub fact: &'a BuildFact,
    /// Its newest ship or revert, if there was one.
    pub ship: Option<&'a Ship>,
    /// Whether its result is on the branch now.
    pub landed: bool,
    /// Whether the owner does not want it.
    pub discarded: bool,
}

/// A button of a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReviewButton {
    /// Land it.
    Ship,
    /// Show its difference.
    Diff,
    /// It is not wanted.
    Discard,
    /// Take the last wish back: to ship it, or to discard it.
    Undo,
    /// Take it off the branch.
    Revert,
}

impl ReviewFacts<'_> {
    /// Its ship or revert that is on its way.
    fn open(&self) -> Option<&Ship> {
        self.ship.filter(|ship| ship.is_open())
    }

    /// Whether it waits for the owner to say what becomes of it.
    fn decides(&self) -> bool {
        self.open().is_none() && !self.discarded && !self.landed
    }

    /// What can be tapped.
    pub fn buttons(&self) -> &'static [ReviewButton] {
        match self.open() {
            Some(ship) if ship.step == ShipStep::Landing => &[],
            Some(_) => &[ReviewButton::Undo, ReviewButton::Diff],
            None if self.discarded => &[ReviewButton::Undo],
            None if self.landed => &[ReviewButton::Revert, ReviewButton::Diff],
            None => &[ReviewButton::Ship, ReviewButton::Diff, ReviewButton::Discard],
        }
    }
}

/// What the owner has to be told before it may land; empty: one tap is enough.
pub fn concerns(fact: &BuildFact) -> Vec<String> {
    let mut concerns = vec![];
    if fact.build.outcome != Some(Outcome::Verified) {
        concerns.extend(why(fact));
    }
    concerns.extend(fact.build.change.iter().flat_map(|change| &change.flags).map(|flag| capital(&plain(flag, 160))));
    concerns
}

/// Why a result can't be shipped at all; none: it can.
pub fn unfit(fact: &BuildFact) -> Option<String> {
    let id = fact.task.id;
    if fact.build.result.is_none() {
        return Some(format!("#{id} has no result to ship. /why {id} says where it stands."));
    }
    match fact.build.outcome {
        Some(Outcome::Verified | Outcome::Unverified | Outcome::Denied | Outcome::OverBudget | Outcome::Flaky) => None,
        None => Some(format!("#{id} is still being built; its card comes when it is ready.")),
        Some(_) => {
            let why = why(fact).join("; ");
            Some(format!("#{id} is not fit to ship: {why}. /retry {id} queues it again."))
        }
    }
}

/// The card with its buttons, those of [`ReviewFacts::buttons`].
pub fn card(facts: ReviewFacts<'_>, buttons: Vec<Button>) -> Message {
    let fact = facts.fact;
    let (icon, state, intro) = state(&facts);
    let mut message = Message::line(format!("{icon} #{} {}: {state}", fact.task.id, title(fact))).intro(intro);
    let lines = fact.measure_text.iter().map(|text| plain(text, 200)).chain(tests_line(fact)).chain(change_lines(fact));
    let mut items: Vec<Item> = lines.map(|line| Item::new("", line)).collect();
    if let (Some(last), Some(change)) = (items.last_mut(), &fact.build.change) {
        last.evidence = change.paths.iter().map(|path| plain(path, 200)).collect();
    }
    let quote = plain(fact.build.progress_text.as_deref().unwrap_or(""), QUOTE_CHARS);
    if !quote.is_empty() {
        let mut item = Item::new("", "");
        item.quote = quote;
        items.push(item);
    }
    message = message.section("", items);
    let concerns = concerns(fact);
    if facts.decides() && !concerns.is_empty() {
        let items = concerns.into_iter().map(|concern| Item::new("⚠️", concern)).collect();
        message = message.section("Look twice", items);
    }
    message.row(buttons)
}

/// Icon, state and a sentence about it.
fn state(facts: &ReviewFacts<'_>) -> (&'static str, String, String) {
    if facts.discarded {
        return ("🗑", "discarded".into(), "Nothing of it lands. It is kept in the vault.".into());
    }
    let Some(ship) = facts.ship else { return ready(facts.fact) };
    let shipping = if ship.kind == ShipKind::Ship { "shipping" } else { "being taken back" };
    match (ship.step, ship.outcome) {
        (ShipStep::Queued, _) => ("⏳", shipping.into(), "It waits its turn: one at a time lands on a branch.".into()),
        (ShipStep::Picking | ShipStep::Landing, _) => ("⏳", shipping.into(), String::new()),
        (ShipStep::Checking, _) => {
            ("⏳", shipping.into(), "Its tests run on the branch as it is now; it lands if they pass.".into())
        }
        (ShipStep::CheckingBase, _) => {
            ("⏳", shipping.into(), "They failed, so the branch is tested without it.".into())
        }
        (ShipStep::Waiting, _) => {
            let why = ship.waits.clone().unwrap_or_default();
            ("⏸", "waits for you".into(), format!("{}. It goes on by itself then.", capital(&why)))
        }
        (ShipStep::Ended, Some(ShipOutcome::Landed)) if facts.landed => ("🚢", "shipped".into(), landed(ship)),
        (ShipStep::Ended, Some(ShipOutcome::Landed)) => ("↩", "taken back".into(), landed(ship)),
        (ShipStep::Ended, Some(ShipOutcome::Withdrawn) | None) => {
            if facts.landed {
                ("🚢", "shipped".into(), String::new())
            } else {
                ready(facts.fact)
            }
        }
        (ShipStep::Ended, Some(ShipOutcome::Moved)) => {
            ("🔁", "not shipped".into(), format!("{}.", capital(&ship.reason)))
        }
        (ShipStep::Ended, Some(_)) => {
            let what = if ship.kind == ShipKind::Ship { "not shipped" } else { "not taken back" };
            ("❌", what.into(), format!("{}.", capital(&ship.reason)))
        }
    }
}

fn landed(ship: &Ship) -> String {
    let short = |commit: &Option<String>| commit.as_deref().unwrap_or_default().chars().take(12).collect::<String>();
    format!("The branch went from {} to {}.", short(&ship.onto), short(&ship.commit))
}

fn ready(fact: &BuildFact) -> (&'static str, String, String) {
    match (fact.build.outcome, concerns(fact).is_empty()) {
        (Some(Outcome::Verified), true) => ("✅", "ready to ship".into(), String::new()),
        (Some(Outcome::Verified), false) => ("✅", "ready to ship".into(), "Look twice before you do.".into()),
        _ => ("❔", "not proven to work".into(), String::new()),
    }
}
