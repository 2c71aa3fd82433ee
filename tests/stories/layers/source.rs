//! Source files as the rules read them: code without comments and strings, and what it imports of ours.
//!
//! Left out on purpose: a whole parser. Paths through `pub use` of another area, and names made by macros, are not seen.

use std::path::Path;

/// One file below `src/`.
pub(super) struct Source {
    /// Below `src/`, such as `store/tasks.rs`.
    pub(super) path: String,
    /// The whole text.
    pub(super) text: String,
    /// The text with comments, strings and character literals blanked; lines keep their numbers.
    pub(super) code: String,
}

impl Source {
    pub(super) fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned(), code: blanked(text) }
    }

    /// The part of the crate it belongs to: `store` for `store.rs` and all of `store/`.
    pub(super) fn area(&self) -> &str {
        let first = self.path.split('/').next().unwrap_or_default();
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// Areas named by `crate::…`, `overnight::…`, or by enough `super::` to get out of its own.
    pub(super) fn imports(&self) -> Vec<String> {
        let packed = packed(&self.code);
        let mut found = Vec::new();
        for root in ["crate::", "overnight::"] {
            for (at, _) in packed.match_indices(root) {
                if !packed[..at].ends_with(is_name) {
                    found.extend(names(&packed[at + root.len()..]));
                }
            }
        }
        let depth = self.module_depth();
        for (at, _) in packed.match_indices("super::") {
            let climbed = packed[..at + "super::".len()].chars().rev().collect::<String>();
            let steps = climbed.as_bytes().chunks(7).take_while(|step| *step == b"::repus").count();
            let rest = &packed[at + "super::".len()..];
            if steps >= depth && !rest.starts_with("super::") {
                found.extend(names(rest));
            }
        }
        found
    }

    /// Its string literals, with their quotes.
    pub(super) fn strings(&self) -> Vec<String> {
        let chars: Vec<char> = self.text.chars().collect();
        let (mut at, mut found) = (0, Vec::new());
        while at < chars.len() {
            let length = literal(&chars, at);
            if length > 0 && matches!(chars[at], '"' | 'r' | 'b') {
                found.push(chars[at..(at + length).min(chars.len())].iter().collect());
            }
            at += length.max(1);
        }
        found
    }

    /// How many `super` lead from the file's own module to the crate's root.
    fn module_depth(&self) -> usize {
        let parts = self.path.split('/').count();
        if self.path.ends_with("/mod.rs") { parts - 1 } else { parts }
    }
}

/// All of `src/`, or of another folder of the project. What lies in a folder `files` is copied or read by the program, and
/// no part of it.
pub(super) fn sources(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut open = vec![root.clone()];
    let mut found = Vec::new();
    while let Some(current) = open.pop() {
        for entry in std::fs::read_dir(&current).expect("a folder of sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                if !path.ends_with("files") {
                    open.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let shown = path.strip_prefix(&root).expect("below the root").to_string_lossy().into_owned();
                found.push(Source::new(&shown, &std::fs::read_to_string(&path).expect("a source file")));
            }
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

pub(super) fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// First names of what a path or a `{…}` group names: `a::b` → a; `{a::{x, y}, b}` → a, b.
fn names(rest: &str) -> Vec<String> {
    let first = |text: &str| text.chars().take_while(|c| is_name(*c)).collect::<String>();
    let Some(group) = rest.strip_prefix('{') else { return vec![first(rest)] };
    let (mut depth, mut found, mut item) = (0_usize, Vec::new(), String::new());
    for c in group.chars() {
        match c {
            '}' if depth == 0 => break,
            ',' if depth == 0 => found.push(std::mem::take(&mut item)),
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 && c != ',' {
            item.push(c);
        }
    }
    found.push(item);
    found.iter().map(|item| first(item)).filter(|name| !name.is_empty()).collect()
}

/// The code without white space, except where it parts two names.
fn packed(code: &str) -> String {
    let mut packed = String::with_capacity(code.len());
    let mut gap = false;
    for c in code.chars() {
        if c.is_whitespace() {
            gap = true;
            continue;
        }
        if gap && is_name(c) && packed.ends_with(is_name) {
            packed.push(' ');
        }
        gap = false;
        packed.push(c);
    }
    packed
}

/// Comments, strings and character literals as spaces; newlines stay.
fn blanked(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let length = literal(&chars, at);
        if length == 0 {
            code.push(chars[at]);
            at += 1;
            continue;
        }
        let end = (at + length).min(chars.len());
        code.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
        at = end;
    }
    code
}

/// How many characters of comment or literal begin here; 0 for code.
fn literal(chars: &[char], at: usize) -> usize {
    let rest = &chars[at..];
    let after_name = at > 0 && is_name(chars[at - 1]);
    match rest {
        ['/', '/', ..] => rest.iter().position(|c| *c == '\n').unwrap_or(rest.len()),
        ['/', '*', ..] => block_comment(rest),
        ['"', ..] => 1 + string(&rest[1..]),
        ['r', '"' | '#', ..] if !after_name => raw_string(&rest[1..]).map_or(0, |length| length + 1),
        ['b', 'r', '"' | '#', ..] if !after_name => raw_string(&rest[2..]).map_or(0, |length| length + 2),
        ['\'', '\\', _, ..] => rest[3..].iter().position(|c| *c == '\'').map_or(rest.len(), |end| end + 4),
        ['\'', _, '\'', ..] => 3,
        _ => 0,
    }
}

fn string(rest: &[char]) -> usize {
    let mut at = 0;
    while at < rest.len() {
        match rest[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// From the `#`s or the quote on; none if it is a raw name such as `r#type`.
fn raw_string(rest: &[char]) -> Option<usize> {
    let hashes = rest.iter().take_while(|c| **c == '#').count();
    if rest.get(hashes) != Some(&'"') {
        return None;
    }
    let end: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    let body = &rest[hashes + 1..];
    let length = body.windows(end.len()).position(|window| window == end).unwrap_or(body.len());
    Some(hashes + 1 + length + end.len())
}

fn block_comment(rest: &[char]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at + 1 < rest.len() {
        match (rest[at], rest[at + 1]) {
            ('/', '*') => (depth, at) = (depth + 1, at + 2),
            ('*', '/') => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

#[test]
fn comments_and_strings_are_no_code() {
    let text = "a /* b /* c */ d */ e // f\ng(\"h \\\" i\", 'j', '\\'', &'k l, r#\"m \" n\"#, br\"o\", r#type)";
    let code = blanked(text);
    assert_eq!(code.split_whitespace().collect::<String>(), "aeg(,,,&'kl,,,r#type)");
    assert_eq!((code.lines().count(), code.chars().count()), (2, text.chars().count()));
}

#[test]
fn every_way_to_name_another_area_is_seen() {
    let of = |path: &str, code: &str| Source::new(path, code).imports();
    assert_eq!(of("store/tasks.rs", "use crate::domain::task::Task;"), ["domain"]);
    assert_eq!(of("cli.rs", "use crate :: {\n  app::{self, Outside},\n  chat, // engine\n};"), ["app", "chat"]);
    assert_eq!(of("main.rs", "overnight::cli::main()"), ["cli"]);
    assert_eq!(of("git/mod.rs", "fn f() { let _ = \"crate::store\"; $crate::host::f() }"), ["host"]);
    // Out of an area by climbing, and not out of it.
    assert_eq!(of("git/a/b.rs", "use super::super::super::store::Store;"), ["store"]);
    assert_eq!(of("git/mod.rs", "use super::{store, host};"), ["store", "host"]);
    assert_eq!(of("git/a/b.rs", "use super::super::store::Store;"), [""; 0]);
    assert_eq!(of("git/a.rs", "mod tests { use super::*; }"), [""; 0]);
}
