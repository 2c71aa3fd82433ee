//! Whether two tasks work on the same files: by paths their words name, and by what earlier attempts touched.

use super::outlook::Outlook;
use crate::domain::task::Task;
use std::collections::BTreeSet;

/// Longest text looked through for paths, in bytes.
const TEXT_BYTES: usize = 8192;

/// Paths a text names: words with a slash, or with a file's extension. `and/or` and web addresses are none.
pub fn paths(text: &str) -> BTreeSet<String> {
    let end = text.char_indices().map(|(at, _)| at).take_while(|at| *at <= TEXT_BYTES).last().unwrap_or(0);
    let text = if text.len() > TEXT_BYTES { &text[..end] } else { text };
    text.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '(' | ')' | '"' | '\'' | '`' | '<' | '>'))
        .map(|word| word.trim_matches(|c: char| matches!(c, ':' | '!' | '?')).trim_end_matches('.'))
        .map(|word| word.strip_prefix("./").unwrap_or(word).trim_end_matches('/'))
        .filter(|word| is_path(word))
        .map(str::to_owned)
        .collect()
}

fn is_path(word: &str) -> bool {
    if word.contains("://") || word.len() < 3 {
        return false;
    }
    let name = word.rsplit('/').next().unwrap_or(word);
    let extension = name.rsplit_once('.').filter(|(stem, _)| !stem.is_empty()).map(|(_, extension)| extension);
    let has_extension = extension.is_some_and(|extension| {
        (1..=5).contains(&extension.len())
            // `e.g.` and `i.e.` are no files.
            && name.len() > 3
            && extension.starts_with(|c: char| c.is_ascii_alphabetic())
            && extension.chars().all(|c| c.is_ascii_alphanumeric())
    });
    let folders = word.matches('/').count();
    has_extension && !name.starts_with(|c: char| c.is_ascii_digit()) || folders >= 2
}

/// A path both tasks of one project work on, if one is known.
pub(super) fn shared(outlook: &Outlook, one: &Task, other: &Task) -> Option<String> {
    if one.spec.project.is_none() || one.spec.project != other.spec.project {
        return None;
    }
    let (own, theirs) = (known(outlook, one), known(outlook, other));
    own.iter().find_map(|path| theirs.iter().find(|their| meets(path, their)).map(|_| path.clone()))
}

fn known(outlook: &Outlook, task: &Task) -> BTreeSet<String> {
    let mut known = paths(&task.spec.title);
    known.extend(paths(&task.spec.details));
    known.extend(outlook.touched.get(&task.id).into_iter().flatten().cloned());
    known
}

/// The same file, or a folder and something in it.
fn meets(one: &str, other: &str) -> bool {
    let inside = |folder: &str, path: &str| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
    one == other || inside(one, other) || inside(other, one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_told_from_prose() {
        let named = |text: &str| paths(text).into_iter().collect::<Vec<_>>();
        assert_eq!(named("Speed up `src/report.rs`, see ./docs/api/v2/."), ["docs/api/v2", "src/report.rs"]);
        assert_eq!(named("Fix Cargo.toml."), ["Cargo.toml"]);
        for prose in ["and/or", "e.g. this", "https://a.org/x/y.html", "version 1.2.3", "24/7 at 3.5h", "read/write"] {
            assert_eq!(named(prose), Vec::<String>::new(), "{prose}");
        }
    }

    #[test]
    fn a_folder_meets_what_is_in_it() {
        assert!(meets("src/a.rs", "src/a.rs") && meets("src/web/api", "src/web/api/user.rs"));
        assert!(!meets("src/web", "src/website.rs") && !meets("src/a.rs", "src/b.rs"));
    }
}
