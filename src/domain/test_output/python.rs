//! pytest and unittest.

use super::{Found, Names, Reader};

/// pytest, quiet, verbose or usual.
#[derive(Debug, Default)]
pub(super) struct Pytest {
    summary: Option<(u32, u32)>,
    names: Names,
    errors: Names,
}

impl Reader for Pytest {
    fn line(&mut self, line: &str) -> bool {
        if let Some((passed, failed)) = summary(line) {
            let (p, f) = self.summary.unwrap_or((0, 0));
            self.summary = Some((p.saturating_add(passed), f.saturating_add(failed)));
            return true;
        }
        // `FAILED (failures=1)` is unittest's.
        for (prefix, names) in [("FAILED ", &mut self.names), ("ERROR ", &mut self.errors)] {
            if let Some(rest) = line.strip_prefix(prefix) {
                let path = rest.contains("::")
                    || rest.split(" - ").next().and_then(|p| p.rsplit_once('.')).is_some_and(|p| p.1 == "py");
                if path {
                    names.failed("", node_id(rest));
                }
                return path;
            }
        }
        // Verbose: `tests/test_a.py::test_b FAILED   [ 50%]`.
        if let Some((name, _)) = line.split_once(" FAILED").filter(|(name, _)| name.contains(".py::")) {
            self.names.failed("", name);
            return true;
        }
        false
    }

    fn found(&self) -> Option<Found> {
        let (passed, failed) = self.summary?;
        let mut failing = self.names.failing();
        for name in self.errors.failing() {
            // A test can fail and have its clean-up fail too: pytest counts both.
            let name = if failing.contains(&name) { format!("{name} (error)") } else { name };
            failing.insert(name);
        }
        Some(Found { passed: Some(passed), failed: Some(failed), failing })
    }
}

/// The name without the message after it; a parameter in brackets may hold ` - ` itself.
fn node_id(rest: &str) -> &str {
    let from = match (rest.find('['), rest.find(" - ")) {
        (Some(bracket), Some(dash)) if bracket < dash => rest.find("] - ").map_or(rest.len(), |at| at + 1),
        (_, Some(dash)) => dash,
        _ => rest.len(),
    };
    rest[..from].trim()
}

/// Passed and failed (errors included) of `==== 1 failed, 12 passed, 1 warning in 0.12s ====`.
fn summary(line: &str) -> Option<(u32, u32)> {
    let (parts, time) = line.trim().trim_matches('=').trim().rsplit_once(" in ")?;
    let time = time.split_whitespace().next()?;
    time.strip_suffix('s')?.parse::<f64>().ok()?;
    if parts == "no tests ran" {
        return Some((0, 0));
    }
    let (mut passed, mut failed, mut known) = (0u32, 0u32, false);
    for part in parts.split(", ") {
        let (number, word) = part.split_once(' ')?;
        let number: u32 = number.parse().ok()?;
        known = true;
        match word {
            "passed" => passed = number,
            "failed" | "error" | "errors" => failed = failed.saturating_add(number),
            "skipped" | "deselected" | "xfailed" | "xpassed" | "warning" | "warnings" | "rerun" => {}
            _ if word.starts_with("subtests ") => {}
            _ => return None,
        }
    }
    known.then_some((passed, failed))
}

/// unittest. Its names count only once it said how many ran, since `FAIL: ` begins lines elsewhere too.
#[derive(Debug, Default)]
pub(super) struct Unittest {
    names: Names,
    ran: Option<u32>,
    not_passed: u32,
    failed: u32,
    /// Its last line (`OK` or `FAILED (…)`) was seen for every run.
    open: bool,
}

impl Reader for Unittest {
    fn line(&mut self, line: &str) -> bool {
        if let Some(name) = line.strip_prefix("FAIL: ").or_else(|| line.strip_prefix("ERROR: ")) {
            let of_unittest = name.contains(" (");
            if of_unittest {
                self.names.failed("", name);
            }
            return of_unittest;
        }
        if let Some(rest) = line.strip_prefix("Ran ")
            && let Some((number, _)) = rest.split_once(" test")
            && rest.contains(" in ")
            && let Ok(number) = number.parse::<u32>()
        {
            self.ran = Some(self.ran.unwrap_or(0).saturating_add(number));
            self.open = true;
            return true;
        }
        let ends = self.open && (line == "OK" || line.starts_with("OK (") || line.starts_with("FAILED ("));
        if ends {
            self.open = false;
            self.failed = self.failed.saturating_add(of(line, "failures=") + of(line, "errors="));
            let expected = of(line, "expected failures=");
            // "expected failures=" ends in "failures=" as well; `of` reads whole keys, so it is not counted above.
            self.not_passed = self.not_passed.saturating_add(of(line, "skipped=") + expected);
            self.not_passed = self.not_passed.saturating_add(of(line, "unexpected successes="));
            self.failed = self.failed.saturating_add(of(line, "unexpected successes="));
        }
        ends
    }

    fn found(&self) -> Option<Found> {
        let ran = self.ran?;
        let whole = !self.open;
        Some(Found {
            passed: whole.then(|| ran.saturating_sub(self.not_passed).saturating_sub(self.failed)),
            failed: whole.then_some(self.failed),
            failing: self.names.failing(),
        })
    }
}

/// The number after a whole key in `FAILED (failures=2, errors=1, skipped=1)`; 0 without it.
fn of(line: &str, key: &str) -> u32 {
    let Some((_, inner)) = line.split_once('(') else { return 0 };
    let value = inner.trim_end_matches(')').split(", ").find_map(|part| part.strip_prefix(key));
    value.and_then(|v| v.parse::<u32>().ok()).unwrap_or(0).min(1_000_000)
}
