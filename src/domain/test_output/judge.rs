//! Whether a build's result counts, given what our own runs of the verify command found on it and on its base.
//!
//! The exit status of our run decides; names and counts only tell new failures from old ones on a base that was red
//! before. Where they can't tell, the answer is [`Outcome::Unverified`], never a guess.

use crate::domain::build::{Outcome, TestCounts, TestsVerdict, Verdict};
use crate::domain::words::{counted, list};
use std::collections::BTreeSet;

/// What follows for a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// One of `Verified`, `Unverified`, `TestsFailed`, `Flaky`, `Failed`.
    pub outcome: Outcome,
    /// Tests that fail on the result and did not on the base, sorted.
    pub broke: Vec<String>,
    /// Tests that failed on the base and pass on the result, sorted.
    pub mended: Vec<String>,
    /// Why, in words for the owner, without a full stop.
    pub text: String,
}

/// Whether every failing test has its name: only then can "no new failures" be said.
pub fn fully_named(counts: &TestCounts) -> bool {
    u32::try_from(counts.failing.len()).is_ok_and(|named| named > 0 && counts.failed == Some(named))
}

/// Judges a result by the verdict on it and, where there is one, on its base.
///
/// | base \ result | passed | failed |
/// |---|---|---|
/// | passed, flaky | verified | tests failed |
/// | failed | verified, with what it mends | by name: new ones → tests failed; none → verified; can't tell → unverified |
/// | none, impossible, no command | verified | tests failed; whether they did before is not known |
///
/// A result that is flaky is flaky; without a command it is unverified; a check that could not be done is failed.
pub fn judge(base: Option<&Verdict>, result: &Verdict) -> Judgement {
    match result.tests {
        TestsVerdict::Passed => passed(base, &result.counts),
        TestsVerdict::Failed => failed(base, &result.counts),
        TestsVerdict::Flaky => {
            plain(Outcome::Flaky, "the tests failed once and passed once on the very same commit".into())
        }
        TestsVerdict::NoCommand => {
            plain(Outcome::Unverified, "the project has no verify command, so nothing was checked".into())
        }
        TestsVerdict::Impossible => {
            let trouble = result.trouble.as_deref().unwrap_or("no reason was recorded");
            plain(Outcome::Failed, format!("the check could not be done: {trouble}"))
        }
    }
}

fn plain(outcome: Outcome, text: String) -> Judgement {
    Judgement { outcome, broke: vec![], mended: vec![], text }
}

/// `48 tests pass`, or `the checks pass` where the output counts none.
fn pass_text(counts: &TestCounts) -> String {
    match counts.passed {
        Some(1) => "1 test passes".into(),
        Some(n) if n > 0 => format!("{n} tests pass"),
        _ => "the checks pass".into(),
    }
}

fn passed(base: Option<&Verdict>, now: &TestCounts) -> Judgement {
    let text = pass_text(now);
    let Some(base) = base else { return plain(Outcome::Verified, text) };
    match base.tests {
        TestsVerdict::Failed => mends(&base.counts, now),
        TestsVerdict::Flaky => plain(Outcome::Verified, format!("{text}; the base was flaky")),
        TestsVerdict::Impossible => plain(Outcome::Verified, format!("{text}; the base could not be checked")),
        TestsVerdict::NoCommand => plain(Outcome::Verified, text),
        // Exit status 0 is a pass, but tests that are gone are worth a look: it is how a red test is made green.
        TestsVerdict::Passed => match (base.counts.passed, now.passed) {
            (Some(before), Some(after)) if after < before => {
                plain(Outcome::Verified, format!("{text}, {} fewer than before", before - after))
            }
            _ => plain(Outcome::Verified, text),
        },
    }
}

/// A red base and a green result.
fn mends(base: &TestCounts, now: &TestCounts) -> Judgement {
    let text = pass_text(now);
    if base.failing.is_empty() {
        return plain(Outcome::Verified, format!("{text}; they failed before this change"));
    }
    if may_be_removed(base, now, base.failing.len()) {
        let gone = counted(base.failing.len(), "test");
        let text = format!("{text}; {gone} that failed before may have been removed, as no more pass than before");
        return plain(Outcome::Verified, text);
    }
    let mended = base.failing.clone();
    // Names are capped and may be incomplete; the count, where known, is not.
    let number = base.failed.map_or(mended.len(), |failed| mended.len().max(failed as usize));
    let text = format!("mends {} that failed before; {text}", counted(number, "test"));
    Judgement { outcome: Outcome::Verified, broke: vec![], mended, text }
}

/// Whether tests that no longer fail seem to be gone instead of passing: too few more pass for them to be mended.
fn may_be_removed(base: &TestCounts, now: &TestCounts, vanished: usize) -> bool {
    match (base.passed, now.passed) {
        (Some(before), Some(after)) => (after as usize) < before as usize + vanished,
        _ => false,
    }
}

fn failed(base: Option<&Verdict>, now: &TestCounts) -> Judgement {
    let failing = match now.failed {
        Some(n) if n > 0 => format!("{} {}", counted(n as usize, "test"), if n == 1 { "fails" } else { "fail" }),
        _ => "the checks fail".into(),
    };
    match base.map(|base| (base.tests, &base.counts)) {
        Some((TestsVerdict::Passed, before)) => broke(before, now, &failing, ["passed", "passed"]),
        Some((TestsVerdict::Flaky, before)) => broke(before, now, &failing, ["was flaky", "were flaky"]),
        Some((TestsVerdict::Failed, before)) => still_red(before, now),
        Some((TestsVerdict::Impossible | TestsVerdict::NoCommand, _)) | None => {
            let names = named(&now.failing);
            plain(Outcome::TestsFailed, format!("{failing}{names}; whether they did before is not known"))
        }
    }
}

/// `: a, b and 3 more`, or nothing.
fn named(names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!(": {}", list(names, 3)) }
}

fn without(names: &[String], minus: &[String]) -> Vec<String> {
    let minus: BTreeSet<&String> = minus.iter().collect();
    names.iter().filter(|name| !minus.contains(name)).cloned().collect()
}

/// The base could pass, the result can't. `was` tells how the base stood: of one test, of several.
fn broke(before: &TestCounts, now: &TestCounts, failing: &str, was: [&str; 2]) -> Judgement {
    let broke = without(&now.failing, &before.failing);
    let were = if now.failed == Some(1) { format!("it {}", was[0]) } else { format!("they {}", was[1]) };
    let text = format!("{failing}{}; {were} before this change", named(&now.failing));
    Judgement { outcome: Outcome::TestsFailed, broke, mended: vec![], text }
}

/// Red before and red now: the only case in which names decide.
fn still_red(base: &TestCounts, now: &TestCounts) -> Judgement {
    let more = base.failed.zip(now.failed).filter(|(before, after)| after > before);
    if !fully_named(base) {
        return match more {
            Some((before, after)) => {
                plain(Outcome::TestsFailed, format!("{after} tests fail where {before} failed before this change"))
            }
            None if base.failing.is_empty() => {
                plain(Outcome::Unverified, "the base was red already and its output names no tests".into())
            }
            None => plain(
                Outcome::Unverified,
                "the base was red already and its output names only some of the tests".into(),
            ),
        };
    }
    let broke = without(&now.failing, &base.failing);
    if !broke.is_empty() {
        let text = format!("breaks {}{}", counted(broke.len(), "test"), named(&broke));
        return Judgement { outcome: Outcome::TestsFailed, broke, mended: without(&base.failing, &now.failing), text };
    }
    if let Some((before, after)) = more {
        return plain(Outcome::TestsFailed, format!("{after} tests fail where {before} failed before this change"));
    }
    if !fully_named(now) {
        return plain(Outcome::Unverified, "the base was red already and the result's output names no tests".into());
    }
    no_new_failures(base, now)
}

/// Every failure of the result was one of the base, by name.
fn no_new_failures(base: &TestCounts, now: &TestCounts) -> Judgement {
    let mended = without(&base.failing, &now.failing);
    match (base.passed, now.passed) {
        (Some(before), Some(after)) if after < before => plain(
            Outcome::Unverified,
            format!("no new failures, but {} fewer than before", counted((before - after) as usize, "passing test")),
        ),
        (Some(_), Some(_)) if may_be_removed(base, now, mended.len()) => plain(
            Outcome::Unverified,
            format!("{} that failed before may have been removed", counted(mended.len(), "test")),
        ),
        (Some(_), Some(_)) => {
            let red = format!("{} still red as before", now.failing.len());
            let text = if mended.is_empty() {
                format!("no new failures; {red}")
            } else {
                format!("mends {} that failed before; {red}", counted(mended.len(), "test"))
            };
            Judgement { outcome: Outcome::Verified, broke: vec![], mended, text }
        }
        _ => plain(
            Outcome::Unverified,
            "no new failures by name, but the output does not say how many tests pass".into(),
        ),
    }
}
