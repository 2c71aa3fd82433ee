//! What a verify command's output says: counts and names of failing tests, and what follows for a build.
//!
//! Every known form is read line by line; what is in none of them gives no counts rather than guessed ones. The exit
//! status decides whether tests passed, never this text: agent-written code prints it, so it may lie. It is used for
//! telling new failures from old ones, and for what the owner reads. Left out on purpose: structured formats (JUnit
//! files, JSON streams), because they need options the project's own command may not take.

mod go;
mod javascript;
mod judge;
mod measure;
mod python;
mod rust;
mod tap;

pub use judge::{Judgement, fully_named, judge};
pub use measure::{last_number, speed};

use super::build::TestCounts;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// Limits of what is read.
pub mod limits {
    /// Bytes of output that are read, from its end. Of a longer output no counts are given: part of them is missing.
    pub const OUTPUT_BYTES: usize = 16 * 1024 * 1024;
    /// Bytes of one line that are looked at.
    pub const LINE_BYTES: usize = 4096;
    /// Most failing tests that are named; the count stays exact.
    pub const NAMES: usize = 200;
    /// Longest name, in characters.
    pub const NAME_CHARS: usize = 200;
}

/// What one reader found in its own form.
struct Found {
    passed: Option<u32>,
    failed: Option<u32>,
    failing: BTreeSet<String>,
}

/// One form of test output.
trait Reader {
    /// Looks at one line; true when it is this form's and no other reader should see it.
    fn line(&mut self, line: &str) -> bool;
    /// What was found; none when the output is not of this form.
    fn found(&self) -> Option<Found>;
}

/// Reads what test runners print: cargo test, nextest, pytest, unittest, go test, TAP, node's runner, jest, vitest and
/// mocha, also several in one output. Unknown output gives no counts and no names. Never panics; reads at most
/// [`limits::OUTPUT_BYTES`] from the end.
pub fn read_counts(output: &str) -> TestCounts {
    let (output, whole) = tail(output);
    let mut readers: [Box<dyn Reader>; 7] = [
        Box::<rust::Nextest>::default(),
        Box::<rust::Cargo>::default(),
        Box::<python::Pytest>::default(),
        Box::<python::Unittest>::default(),
        Box::<go::Go>::default(),
        Box::<tap::Tap>::default(),
        Box::<javascript::Javascript>::default(),
    ];
    for line in output.lines() {
        let line = clean(line);
        if !line.is_empty() {
            // The first that knows a line takes it: an embedded runner's lines are then counted once.
            let _taken = readers.iter_mut().any(|reader| reader.line(&line));
        }
    }
    let found: Vec<Found> = readers.iter().filter_map(|reader| reader.found()).collect();
    let failing: BTreeSet<String> = found.iter().flat_map(|f| f.failing.iter().cloned()).collect();
    TestCounts {
        passed: total(&found, whole, |f| f.passed),
        failed: total(&found, whole, |f| f.failed),
        failing: failing.into_iter().take(limits::NAMES).collect(),
    }
}

/// The sum over all forms seen; none if one of them does not say.
fn total(found: &[Found], whole: bool, of: impl Fn(&Found) -> Option<u32>) -> Option<u32> {
    if found.is_empty() || !whole {
        return None;
    }
    found.iter().map(of).try_fold(0u32, |sum, count| count.map(|count| sum.saturating_add(count)))
}

/// The part that is read, and whether that is all of it.
fn tail(output: &str) -> (&str, bool) {
    if output.len() <= limits::OUTPUT_BYTES {
        return (output, true);
    }
    let from = output.ceil_char_boundary(output.len() - limits::OUTPUT_BYTES);
    (&output[from..], false)
}

/// A line as a terminal would leave it: cut to its limit, no escape sequences, only what follows the last carriage return.
fn clean(line: &str) -> Cow<'_, str> {
    let line = &line[..line.floor_char_boundary(limits::LINE_BYTES)];
    let line = line.trim_end();
    let line = line.rsplit('\r').next().unwrap_or(line);
    if line.contains('\u{1b}') { Cow::Owned(without_escapes(line)) } else { Cow::Borrowed(line) }
}

/// Removes ECMA-48 escape sequences: CSI (`ESC [ … final byte`), OSC (`ESC ] … BEL` or `ESC \`), and two-character ones.
fn without_escapes(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        if c != '\u{1b}' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('[') => {
                let _final = chars.by_ref().find(|c| ('@'..='~').contains(c));
            }
            Some(']') => {
                let end = chars.by_ref().find(|c| matches!(c, '\u{7}' | '\u{1b}'));
                if end == Some('\u{1b}') {
                    let _backslash = chars.next();
                }
            }
            // Character sets: one more character follows.
            Some('(' | ')') => {
                let _set = chars.next();
            }
            _ => {}
        }
    }
    out
}

/// Failing tests, each with the group (a binary, a package, a file) it was seen in: equal names in two groups stay two.
#[derive(Debug, Default)]
struct Names {
    seen: BTreeMap<String, BTreeSet<String>>,
    failing: BTreeSet<(String, String)>,
}

impl Names {
    /// A test that was seen, however it ended.
    fn saw(&mut self, group: &str, name: &str) {
        self.seen.entry(short(name)).or_default().insert(group.into());
    }

    /// A test that failed.
    fn failed(&mut self, group: &str, name: &str) {
        self.saw(group, name);
        self.failing.insert((short(name), group.into()));
    }

    /// Each failing test's name, with its group before it where the name alone would be ambiguous.
    fn failing(&self) -> BTreeSet<String> {
        let ambiguous = |name: &String| self.seen.get(name).is_some_and(|groups| groups.len() > 1);
        self.failing
            .iter()
            .map(
                |(name, group)| {
                    if ambiguous(name) && !group.is_empty() { format!("{group} {name}") } else { name.clone() }
                },
            )
            .collect()
    }
}

/// A test's name on one line, at most [`limits::NAME_CHARS`] long.
fn short(name: &str) -> String {
    name.trim().chars().filter(|c| !c.is_control()).take(limits::NAME_CHARS).collect()
}

/// The number that stands before one of `words`, such as 12 in `1 failed, 12 passed`.
fn counted(line: &str, words: &[&str]) -> Option<u32> {
    let mut tokens = line.split(|c: char| c.is_whitespace() || ",;|()=".contains(c)).filter(|t| !t.is_empty());
    let mut before = tokens.next()?;
    for token in tokens {
        if words.contains(&token)
            && let Ok(number) = before.parse()
        {
            return Some(number);
        }
        before = token;
    }
    None
}

#[cfg(test)]
mod tests;
