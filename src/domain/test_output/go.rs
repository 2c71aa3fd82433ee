//! `go test`, with or without `-v`.

use super::{Found, Names, Reader};

/// Tests that pass are named only under `-v`; without it how many passed is not known.
#[derive(Debug, Default)]
pub(super) struct Go {
    names: Names,
    /// Failing tests of the package being run: its name comes after them.
    pending: Vec<String>,
    passed: u32,
    packages: u32,
}

impl Reader for Go {
    fn line(&mut self, line: &str) -> bool {
        let trimmed = line.trim_start();
        if let Some(rest) = trimmed.strip_prefix("--- ") {
            let Some((status, name)) = rest.split_once(": ") else { return false };
            let name = name.split_whitespace().next().unwrap_or(name);
            match status {
                "FAIL" => self.pending.push(name.to_string()),
                "PASS" => self.passed += 1,
                "SKIP" => {}
                _ => return false,
            }
            return true;
        }
        if let Some(package) = line.strip_prefix("ok  \t").and_then(|l| l.split('\t').next()) {
            self.package(package.trim(), false);
            return true;
        }
        if let Some(rest) = line.strip_prefix("FAIL\t") {
            // `FAIL\tpkg [build failed]`: the reason stays, it is the name of what failed.
            self.package(rest.split('\t').next().unwrap_or(rest).trim(), true);
            return true;
        }
        false
    }

    fn found(&self) -> Option<Found> {
        if self.packages == 0 {
            return None;
        }
        let failing = self.names.failing();
        // Tests after the last package line: it was cut off.
        let whole = self.pending.is_empty();
        Some(Found {
            passed: (whole && self.passed > 0).then_some(self.passed),
            failed: u32::try_from(failing.len()).ok().filter(|_| whole && !self.names.more),
            failing,
        })
    }
}

impl Go {
    fn package(&mut self, package: &str, failed: bool) {
        self.packages += 1;
        if failed && self.pending.is_empty() {
            // It failed to build, or a test took the process down: the package is all that can be named.
            self.names.failed("", package);
        }
        for name in self.pending.drain(..) {
            self.names.failed(package, &name);
        }
    }
}
