//! TAP (the Test Anything Protocol, versions 12 to 14) and node's test runner, which prints TAP or its own `spec` form.

use super::{Found, Reader, remember, short};
use std::collections::BTreeSet;

/// Plain TAP counts its top level; node's summary (`# pass 3`, `ℹ pass 3`) counts single tests and wins where it stands.
#[derive(Debug, Default)]
pub(super) struct Tap {
    passed: u32,
    failed: u32,
    /// Points at the top level, skipped ones included: what the plan counts.
    points: u32,
    planned: Option<u32>,
    top: BTreeSet<String>,
    /// Failing at any depth, suites taken out, for node's counts.
    any: BTreeSet<String>,
    last_failed: Option<String>,
    node_passed: Option<u32>,
    node_failed: u32,
    /// Within the list of failing tests at the end of node's `spec` form.
    listing: bool,
}

impl Reader for Tap {
    fn line(&mut self, line: &str) -> bool {
        let trimmed = line.trim_start();
        if let Some((point, ok)) = test_point(trimmed) {
            self.point(point, ok, trimmed.len() == line.len());
            return true;
        }
        if trimmed == "type: 'suite'" {
            if let Some(name) = self.last_failed.take() {
                self.any.remove(&name);
            }
            return false;
        }
        if let Some(plan) = line.strip_prefix("1..").and_then(|n| n.split_whitespace().next()?.parse().ok()) {
            self.planned = Some(self.planned.unwrap_or(0).saturating_add(plan));
            return true;
        }
        self.node_line(line)
    }

    fn found(&self) -> Option<Found> {
        if let Some(passed) = self.node_passed {
            return Some(Found { passed: Some(passed), failed: Some(self.node_failed), failing: self.any.clone() });
        }
        if self.points == 0 && self.planned.is_none() {
            return None;
        }
        // Fewer points than planned: it ended early, and what the rest would have said is not known.
        let whole = self.planned.is_none_or(|plan| self.points >= plan);
        Some(Found {
            passed: whole.then_some(self.passed),
            failed: whole.then_some(self.failed),
            failing: self.top.clone(),
        })
    }
}

impl Tap {
    fn point(&mut self, point: &str, ok: bool, top: bool) {
        let (name, directive) = point.split_once(" # ").unwrap_or((point, ""));
        let directive = directive.to_ascii_lowercase();
        let skipped = directive.starts_with("skip") || directive.starts_with("todo");
        self.points = self.points.saturating_add(u32::from(top));
        if ok {
            self.passed = self.passed.saturating_add(u32::from(top && !skipped));
        } else if !skipped {
            let name = short(description(name));
            remember(&mut self.any, name.clone());
            if top {
                self.failed = self.failed.saturating_add(1);
                remember(&mut self.top, name.clone());
            }
            self.last_failed = Some(name);
        }
    }

    fn node_line(&mut self, line: &str) -> bool {
        if line == "✖ failing tests:" {
            self.listing = true;
            return true;
        }
        if let Some(name) = line.strip_prefix("✖ ") {
            if self.listing {
                remember(&mut self.any, short(name.rsplit_once(" (").map_or(name, |(name, _)| name)));
            }
            return true;
        }
        let Some(rest) = line.strip_prefix("# ").or_else(|| line.strip_prefix("ℹ ")) else { return false };
        let Some((word, number)) = rest.split_once(' ') else { return false };
        let Ok(number) = number.parse::<u32>() else { return false };
        match word {
            "pass" => self.node_passed = Some(self.node_passed.unwrap_or(0).saturating_add(number)),
            "fail" | "cancelled" => self.node_failed = self.node_failed.saturating_add(number),
            "tests" | "suites" | "skipped" | "todo" => {}
            _ => return false,
        }
        true
    }
}

/// What follows `ok` or `not ok`, and which it was. A number or a dash has to follow, as `ok` begins other lines.
fn test_point(line: &str) -> Option<(&str, bool)> {
    let (rest, ok) = match line.strip_prefix("not ok ") {
        Some(rest) => (rest, false),
        None => (line.strip_prefix("ok ")?, true),
    };
    let first = rest.split_whitespace().next()?;
    (first == "-" || first.parse::<u32>().is_ok()).then_some((rest, ok))
}

/// `x` of `2 - x`, `2 x` and `- x`; the number itself where there is nothing else.
fn description(point: &str) -> &str {
    let text = point.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start();
    let text = text.strip_prefix("- ").unwrap_or(text).trim();
    if text.is_empty() || text == "-" { point.trim() } else { text }
}
