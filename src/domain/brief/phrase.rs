//! How one task is called in the brief: its line, its short category, its evidence.

use crate::domain::build::{Outcome, TestsVerdict};
use crate::domain::category::Category;
use crate::domain::facts::BuildFact;
use crate::domain::task::TaskKind;
use crate::domain::task::limits::TITLE_CHARS;
use crate::domain::words::{capital, counted, list, plain};

/// The mission's short word for a category.
fn short_category(category: Category) -> &'static str {
    match category {
        Category::Performance => "Performance",
        Category::BugFix => "Bug fix",
        Category::Documentation => "Documentation",
        Category::Infrastructure => "Infrastructure",
        Category::NewFeature => "New feature",
        Category::ExternalAction => "External action",
        Category::ConfigChange => "Config change",
    }
}

/// The task's title on one line.
pub(in crate::domain) fn title(fact: &BuildFact) -> String {
    plain(&fact.task.spec.title, TITLE_CHARS)
}

/// `Optimize nutrition calculations (Performance)`.
pub(in crate::domain) fn titled(fact: &BuildFact) -> String {
    format!("{} ({})", title(fact), short_category(fact.task.spec.category))
}

/// `the nutrition calculations (5.2× faster)`.
pub(super) fn ready(fact: &BuildFact) -> String {
    let thing = thing(&title(fact));
    let ratio = fact.measure_text.as_deref().and_then(|text| text.split(" (").next()).filter(|text| text.contains('×'));
    ratio.map_or(thing.clone(), |ratio| format!("{thing} ({})", plain(ratio, 40)))
}

/// What a title that gives an order leaves when it is done; other titles stand as the owner wrote them.
fn thing(title: &str) -> String {
    let Some((verb, rest)) = title.split_once(' ') else { return title.to_string() };
    let first = rest.split(' ').next().unwrap_or(rest).to_lowercase();
    if matches!(first.as_str(), "" | "and" | "or" | "up" | "out" | "in" | "on" | "&" | "-") || verb.ends_with(':') {
        return title.to_string();
    }
    let rest = match first.as_str() {
        "the" | "a" | "an" => rest.split_once(' ').map_or(rest, |(_, rest)| rest),
        _ => rest,
    };
    match verb.to_lowercase().as_str() {
        "optimize" | "optimise" | "build" | "create" | "write" | "implement" => format!("the {rest}"),
        "document" => format!("the docs for {rest}"),
        "fix" => format!("the fix for {rest}"),
        "analyze" | "analyse" => format!("the analysis of {rest}"),
        _ => title.to_string(),
    }
}

/// What the verify command found, as evidence for a result that counts.
pub(in crate::domain) fn tests_line(fact: &BuildFact) -> Option<String> {
    let (verdict, judgement) = (fact.verdict.as_ref()?, fact.judgement()?);
    if verdict.tests == TestsVerdict::Passed && !judgement.mended.is_empty() {
        let mended = judgement.mended.len();
        return Some(match verdict.counts.passed {
            Some(n) if n > 0 => format!("{} pass, {mended} mended", counted(n as usize, "test")),
            _ => format!("The checks pass, {} mended", counted(mended, "test")),
        });
    }
    Some(capital(&plain(&judgement.text, 300)))
}

/// `Documentation updated` and `4 files, +120 −33`.
pub(in crate::domain) fn change_lines(fact: &BuildFact) -> Vec<String> {
    let Some(change) = &fact.build.change else { return vec![] };
    let mut lines = vec![];
    if change.docs_touched {
        lines.push("Documentation updated".to_string());
    }
    if change.files > 0 {
        let files = counted(change.files as usize, "file");
        lines.push(format!("{files}, +{} −{}", change.insertions, change.deletions));
    }
    if !change.flags.is_empty() {
        let flags: Vec<String> = change.flags.iter().map(|flag| plain(flag, 120)).collect();
        lines.push(format!("Look at: {}", list(&flags, 3)));
    }
    lines
}

/// What can be done with a verified result. Nothing of ours is merged yet, so code is *ready to ship*, never shipped.
pub(super) fn ready_line(fact: &BuildFact) -> &'static str {
    match fact.task.spec.kind {
        TaskKind::Code => "Ready to ship",
        TaskKind::Artifact => "Files ready",
        TaskKind::Action => "Done",
    }
}

/// Why a task did not come to a result, a line each, none twice.
pub(in crate::domain) fn why(fact: &BuildFact) -> Vec<String> {
    let mut lines = vec![plain(&fact.build.reason, 300)];
    if let Some(judgement) = fact.judgement() {
        lines.push(plain(&judgement.text, 300));
    }
    lines.retain(|line| !line.is_empty());
    if let [reason, judged] = lines.as_slice()
        && reason.to_lowercase().contains(&judged.to_lowercase())
    {
        lines.pop();
    }
    if lines.is_empty() {
        lines.push(usual(fact.build.outcome).to_string());
    }
    lines.iter().map(|line| capital(line)).collect()
}

/// The outcome in words, where nothing more exact was recorded.
fn usual(outcome: Option<Outcome>) -> &'static str {
    match outcome {
        Some(Outcome::Verified) => "it was verified",
        Some(Outcome::Unverified) => "nothing could prove that it works",
        Some(Outcome::Denied) => "something its agent asked for was denied",
        Some(Outcome::OverBudget) => "its budget was used up",
        Some(Outcome::TestsFailed) => "its tests fail",
        Some(Outcome::Flaky) => "its tests failed once and passed once",
        Some(Outcome::NoChange) => "the agent ended and left nothing changed",
        Some(Outcome::Failed) => "it failed; its log has the details",
        Some(Outcome::Transient) => "something outside failed, such as the network",
        Some(Outcome::TimedOut) => "it ran into its time limit",
        Some(Outcome::Stopped) => "you stopped it",
        Some(Outcome::Cancelled) => "it was stopped because the disk was filling",
        Some(Outcome::Unknown) => "whether it happened can't be known; look before you run it again",
        None => "it is still running",
    }
}

#[cfg(test)]
mod tests {
    use super::thing;

    #[test]
    fn an_order_becomes_a_thing_and_other_titles_stay() {
        for (title, expected) in [
            ("Optimize nutrition calculations", "the nutrition calculations"),
            ("Document the fitness API", "the docs for fitness API"),
            ("Fix crash on empty file", "the fix for crash on empty file"),
            ("Build and deploy", "Build and deploy"),
            ("Fix: crash", "Fix: crash"),
            ("fix", "fix"),
            ("Speed up login", "Speed up login"),
            ("NBA rankings", "NBA rankings"),
            ("", ""),
        ] {
            assert_eq!(thing(title), expected);
        }
    }
}
