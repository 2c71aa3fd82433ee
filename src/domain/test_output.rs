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
    /// Most bytes of lines about tests, each counted with [`LINE_COSTS`] more: what is remembered of them stays that small,
    /// whatever is printed. Some 20,000 tests; of a longer output no counts are given: part of them is missing.
    pub const TAKEN_BYTES: usize = 3_000_000;
    /// What a line costs besides its bytes.
    pub const LINE_COSTS: usize = 100;
    /// Bytes of one line that are looked at.
    pub const LINE_BYTES: usize = 4096;
    /// Most failing tests that are named; the count stays exact.
    pub const NAMES: usize = 200;
    /// Most failing tests that one reader remembers by name.
    pub const REMEMBERED: usize = 1000;
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
/// mocha, also several in one output. Unknown output gives no counts and no names. Never panics; takes the output piece
/// by piece and keeps little of it.
pub struct OutputReader {
    readers: [Box<dyn Reader + Send>; 7],
    /// The beginning of the line that is not complete.
    half: Vec<u8>,
    taken: usize,
    whole: bool,
}

impl Default for OutputReader {
    fn default() -> Self {
        let readers: [Box<dyn Reader + Send>; 7] = [
            Box::<rust::Nextest>::default(),
            Box::<rust::Cargo>::default(),
            Box::<python::Pytest>::default(),
            Box::<python::Unittest>::default(),
            Box::<go::Go>::default(),
            Box::<tap::Tap>::default(),
            Box::<javascript::Javascript>::default(),
        ];
        Self { readers, half: Vec::new(), taken: 0, whole: true }
    }
}

impl OutputReader {
    /// More of the output; bytes that are no UTF-8 are replaced.
    pub fn push(&mut self, bytes: &[u8]) {
        let mut pieces = bytes.split(|byte| *byte == b'\n').peekable();
        while let Some(piece) = pieces.next() {
            let room = (limits::LINE_BYTES + 4).saturating_sub(self.half.len());
            self.half.extend_from_slice(&piece[..piece.len().min(room)]);
            if pieces.peek().is_some() {
                self.line();
            }
        }
    }

    /// Something is missing here: what comes next begins a line, and there is no whole count any more.
    pub fn gap(&mut self) {
        self.half.clear();
        self.whole = false;
    }

    /// What was read, once all of it was.
    pub fn finish(mut self) -> TestCounts {
        self.line();
        let found: Vec<Found> = self.readers.iter().filter_map(|reader| reader.found()).collect();
        let failing: BTreeSet<String> = found.iter().flat_map(|f| f.failing.iter().cloned()).collect();
        TestCounts {
            passed: total(&found, self.whole, |f| f.passed),
            failed: total(&found, self.whole, |f| f.failed),
            failing: failing.into_iter().take(limits::NAMES).collect(),
        }
    }

    fn line(&mut self) {
        let bytes = std::mem::take(&mut self.half);
        let text = String::from_utf8_lossy(&bytes);
        let line = clean(&text);
        // The first that knows a line takes it: an embedded runner's lines are then counted once.
        if !line.is_empty() && self.taken < limits::TAKEN_BYTES && self.readers.iter_mut().any(|r| r.line(&line)) {
            self.taken += line.len() + limits::LINE_COSTS;
            self.whole &= self.taken < limits::TAKEN_BYTES;
        }
        self.half = bytes;
        self.half.clear();
    }
}

/// The sum over all forms seen; none if one of them does not say.
fn total(found: &[Found], whole: bool, of: impl Fn(&Found) -> Option<u32>) -> Option<u32> {
    if found.is_empty() || !whole {
        return None;
    }
    found.iter().map(of).try_fold(0u32, |sum, count| count.map(|count| sum.saturating_add(count)))
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
    /// Their numbers.
    groups: BTreeMap<String, usize>,
    /// Each test with the first of its groups, and whether there are more.
    seen: BTreeMap<String, (usize, bool)>,
    failing: BTreeSet<(String, usize)>,
    /// More failed than are remembered.
    more: bool,
}

impl Names {
    /// A test that was seen, however it ended.
    fn saw(&mut self, group: &str, name: &str) {
        let group = self.group(group);
        let (first, more) = self.seen.entry(short(name)).or_insert((group, false));
        *more |= *first != group;
    }

    /// A test that failed.
    fn failed(&mut self, group: &str, name: &str) {
        self.saw(group, name);
        let failed = (short(name), self.group(group));
        self.more |= !remember(&mut self.failing, failed);
    }

    fn group(&mut self, group: &str) -> usize {
        let next = self.groups.len();
        self.groups.get(group).copied().unwrap_or_else(|| *self.groups.entry(group.into()).or_insert(next))
    }

    /// Each failing test's name, with its group before it where the name alone would be ambiguous.
    fn failing(&self) -> BTreeSet<String> {
        let ambiguous = |name: &String| self.seen.get(name).is_some_and(|(_, more)| *more);
        let groups: BTreeMap<usize, &str> = self.groups.iter().map(|(name, number)| (*number, name.as_str())).collect();
        let shown = |(name, group): &(String, usize)| match groups.get(group) {
            Some(group) if ambiguous(name) && !group.is_empty() => format!("{group} {name}"),
            _ => name.clone(),
        };
        self.failing.iter().map(shown).collect()
    }
}

/// Puts a failing test with the others while there is room; whether it is among them.
fn remember<T: Ord>(failing: &mut BTreeSet<T>, failed: T) -> bool {
    let known = failing.len() < limits::REMEMBERED || failing.contains(&failed);
    if known {
        failing.insert(failed);
    }
    known
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
