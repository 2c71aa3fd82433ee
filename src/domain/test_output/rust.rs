//! `cargo test` (libtest, doc tests included) and `cargo nextest run`.

use super::{Found, Names, Reader, counted};

/// libtest under cargo. Only lines at the margin count: runners that wrap it indent what it printed.
#[derive(Debug, Default)]
pub(super) struct Cargo {
    group: String,
    names: Names,
    passed: u32,
    failed: u32,
    /// Test binaries that began; one that crashed never prints its result.
    began: u32,
    ended: u32,
    /// Within the list of names at a binary's end.
    listing: bool,
}

impl Reader for Cargo {
    fn line(&mut self, line: &str) -> bool {
        if self.listing {
            if let Some(name) = line.strip_prefix("    ") {
                self.names.failed(&self.group, name);
                return true;
            }
            self.listing = false;
        }
        let trimmed = line.trim_start();
        if let Some(target) = trimmed.strip_prefix("Running ") {
            self.group = target_name(target).unwrap_or_default();
            return !self.group.is_empty();
        }
        if let Some(name) = trimmed.strip_prefix("Doc-tests ") {
            self.group = format!("{name} doc");
            return true;
        }
        if line == "failures:" {
            self.listing = true;
            return true;
        }
        if let Some(rest) = line.strip_prefix("running ") {
            let begins = rest.ends_with(" tests") || rest.ends_with(" test");
            self.began += u32::from(begins);
            return begins;
        }
        if let Some(result) = line.strip_prefix("test result: ") {
            self.passed = self.passed.saturating_add(counted(result, &["passed"]).unwrap_or(0));
            self.failed = self.failed.saturating_add(counted(result, &["failed"]).unwrap_or(0));
            self.ended += 1;
            return true;
        }
        if let Some(name) = line.strip_prefix("---- ").and_then(|l| l.strip_suffix(" stdout ----")) {
            self.names.failed(&self.group, name);
            return true;
        }
        self.test_line(line)
    }

    fn found(&self) -> Option<Found> {
        if self.began == 0 && self.ended == 0 {
            return None;
        }
        let whole = self.ended >= self.began;
        Some(Found {
            passed: whole.then_some(self.passed),
            failed: whole.then_some(self.failed),
            failing: self.names.failing(),
        })
    }
}

impl Cargo {
    /// `test a::b ... ok`.
    fn test_line(&mut self, line: &str) -> bool {
        let Some((name, end)) = line.strip_prefix("test ").and_then(|l| l.rsplit_once(" ... ")) else {
            return false;
        };
        let name = name.strip_suffix(" - should panic").unwrap_or(name);
        match end.split_whitespace().next().unwrap_or("") {
            "FAILED" => self.names.failed(&self.group, name),
            "ok" => self.names.saw(&self.group, name),
            _ => {}
        }
        true
    }
}

/// `demo` of `unittests src/lib.rs (target/debug/deps/demo-8348ca7a80742723)`: the binary without its hash.
fn target_name(target: &str) -> Option<String> {
    let path = target.rsplit_once('(')?.1.trim_end_matches([')', '`']);
    let file = path.rsplit(['/', '\\']).next()?;
    let file = file.strip_suffix(".exe").unwrap_or(file);
    Some(file.rsplit_once('-').map_or(file, |(name, _)| name).to_string())
}

/// nextest. Between its start and its summary every line is its own, so what a failing test printed is not read twice.
#[derive(Debug, Default)]
pub(super) struct Nextest {
    running: bool,
    summary: Option<(u32, u32)>,
    names: Names,
}

impl Reader for Nextest {
    fn line(&mut self, line: &str) -> bool {
        let trimmed = line.trim_start();
        if trimmed.starts_with("Starting ") && (trimmed.contains(" tests across ") || trimmed.contains(" test across "))
        {
            self.running = true;
            return true;
        }
        if let Some(rest) = trimmed.strip_prefix("Summary [") {
            let (passed, failed) = self.summary.unwrap_or((0, 0));
            let count = |words: &[&str]| counted(rest, words).unwrap_or(0);
            // "1 timed out" and "1 exec failed" are counted beside the failed ones.
            let failures = count(&["failed"]) + count(&["timed"]) + count(&["exec"]);
            self.summary = Some((passed.saturating_add(count(&["passed"])), failed.saturating_add(failures)));
            self.running = false;
            return true;
        }
        if let Some(name) = failed_name(trimmed) {
            self.names.failed("", name);
            return true;
        }
        self.running
    }

    fn found(&self) -> Option<Found> {
        if self.summary.is_none() && !self.running {
            return None;
        }
        // Ended before its summary: how many there would have been is not known.
        let whole = self.summary.filter(|_| !self.running);
        Some(Found { passed: whole.map(|s| s.0), failed: whole.map(|s| s.1), failing: self.names.failing() })
    }
}

/// `demo::x bad` of `FAIL [   0.092s] (5/5) demo::x bad`. A retried attempt (`TRY 1 FAIL [`) is not the end of a test.
fn failed_name(line: &str) -> Option<&str> {
    let (status, rest) = line.split_once(" [")?;
    let ended_badly = matches!(status, "FAIL" | "TIMEOUT" | "ABORT" | "LEAK-FAIL" | "FAIL + LEAK")
        || (status.starts_with("SIG") && status.chars().all(|c| c.is_ascii_uppercase()));
    if !ended_badly {
        return None;
    }
    let (seconds, rest) = rest.split_once(']')?;
    if !seconds.trim_end_matches('s').trim().starts_with(|c: char| c.is_ascii_digit() || c == '>') {
        return None;
    }
    let rest = rest.trim_start();
    let name = match rest.strip_prefix('(').and_then(|r| r.split_once(')')) {
        Some((_, name)) => name,
        None => rest,
    };
    Some(name.trim())
}
