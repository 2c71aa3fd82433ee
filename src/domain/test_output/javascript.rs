//! jest, vitest and mocha. Of mocha only the counts: its list of failures spreads one name over several lines.

use super::{Found, Names, Reader, counted};

#[derive(Debug, Default)]
pub(super) struct Javascript {
    /// The test file being reported, from jest's `FAIL path`.
    file: String,
    names: Names,
    totals: Option<(u32, u32)>,
    /// Files that failed before any of their tests ran; jest does not count them as tests.
    broken_files: u32,
}

impl Reader for Javascript {
    fn line(&mut self, line: &str) -> bool {
        let trimmed = line.trim_start();
        if let Some(rest) = trimmed.strip_prefix("FAIL ") {
            return self.fail_line(rest.trim());
        }
        if let Some(name) = line.strip_prefix("  ● ").filter(|name| !name.starts_with("Console")) {
            self.jest_name(name);
            return true;
        }
        // jest `Tests:  1 failed, 12 passed, 13 total`; vitest `Tests  1 failed | 12 passed (13)`.
        if let Some(rest) = trimmed.strip_prefix("Tests") {
            let jest = rest.starts_with(':') && rest.ends_with(" total");
            let vitest = rest.starts_with("  ") && rest.ends_with(')');
            if jest || vitest {
                self.add(counted(rest, &["passed"]).unwrap_or(0), counted(rest, &["failed"]).unwrap_or(0));
            }
            return jest || vitest;
        }
        self.mocha_line(trimmed)
    }

    fn found(&self) -> Option<Found> {
        let (passed, failed) = self.totals?;
        let failed = failed.saturating_add(self.broken_files);
        Some(Found { passed: Some(passed), failed: Some(failed), failing: self.names.failing() })
    }
}

impl Javascript {
    fn add(&mut self, passed: u32, failed: u32) {
        let (p, f) = self.totals.unwrap_or((0, 0));
        self.totals = Some((p.saturating_add(passed), f.saturating_add(failed)));
    }

    /// vitest names the test behind the file (`FAIL  a.test.ts > suite > name`); jest gives the file alone.
    fn fail_line(&mut self, rest: &str) -> bool {
        if let Some((file, name)) = rest.split_once(" > ") {
            self.names.failed(file, name);
            return true;
        }
        let (file, broken) = match rest.split_once(" [ ") {
            Some((file, _)) => (file, true),
            None => (rest.split(" (").next().unwrap_or(rest), false),
        };
        let script = file.contains('.') && !file.contains(char::is_whitespace);
        if script {
            self.file = file.to_string();
            if broken {
                self.broken(file);
            }
        }
        script
    }

    fn jest_name(&mut self, name: &str) {
        if name == "Test suite failed to run" {
            let file = self.file.clone();
            self.broken(&file);
        } else {
            self.names.failed(&self.file, name);
        }
    }

    /// Counts a file that failed as a whole, once however often it is told.
    fn broken(&mut self, file: &str) {
        let before = self.names.failing.len();
        self.names.failed("", file);
        self.broken_files += u32::from(self.names.failing.len() > before);
    }

    /// `12 passing (34ms)` and `1 failing`.
    fn mocha_line(&mut self, line: &str) -> bool {
        let mut words = line.split_whitespace();
        let (Some(number), Some(word), time) = (words.next(), words.next(), words.next()) else { return false };
        let Ok(number) = number.parse::<u32>() else { return false };
        match word {
            "passing" if time.is_none_or(|t| t.starts_with('(')) => self.add(number, 0),
            "failing" if time.is_none() && self.totals.is_some() => self.add(0, number),
            _ => return false,
        }
        true
    }
}
