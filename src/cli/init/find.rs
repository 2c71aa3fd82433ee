//! Looking around under a folder: git repositories, and the logs and databases that may belong to them. Only names and
//! sizes are looked at; nothing is opened but the few small files that tell how a project is tested.

use super::guess::{FILES, Guess, guess};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Folders below the one named that are searched for repositories.
const DEEPEST: usize = 4;
/// Repositories listed at most.
const MOST: usize = 60;
/// Bytes read of a file that tells how to test.
const LONGEST: u64 = 256 * 1024;
/// Never searched: what is made, fetched or somebody else's.
const PASSED_OVER: [&str; 9] =
    ["node_modules", "target", "vendor", "dist", "build", "venv", "__pycache__", "Library", "Pods"];

/// Folders with a repository of their own, sorted; what lies inside one is part of it.
pub(super) fn repositories(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![(folder.to_owned(), 0)];
    while let Some((folder, depth)) = open.pop() {
        if found.len() >= MOST {
            break;
        }
        if folder.join(".git").is_dir() {
            found.push(folder);
            continue;
        }
        if depth < DEEPEST {
            open.extend(folders(&folder).into_iter().map(|folder| (folder, depth + 1)));
        }
    }
    found.sort();
    found
}

/// Plain folders in a folder: no links, nothing hidden.
fn folders(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = folder.read_dir() else { return Vec::new() };
    let plain = |entry: &std::fs::DirEntry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let skipped = name.starts_with('.') || PASSED_OVER.contains(&name.as_ref());
        !skipped && entry.file_type().is_ok_and(|kind| kind.is_dir())
    };
    entries.filter_map(Result::ok).filter(plain).map(|entry| entry.path()).collect()
}

/// What the files of a checkout say about how it is tested.
pub(super) fn guesses(project: &Path) -> Vec<Guess> {
    let texts: Vec<(&str, String)> =
        FILES.iter().filter_map(|name| Some((*name, read(&project.join(name))?))).collect();
    guess(&|name| texts.iter().find(|(known, _)| *known == name).map(|(_, text)| text.clone()))
}

/// A plain file's beginning; binary ones as far as they are text.
fn read(file: &Path) -> Option<String> {
    // Asked before opening: opening a FIFO would wait for ever.
    if !file.symlink_metadata().ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    std::fs::File::open(file).ok()?.take(LONGEST).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// A name for the configuration: letters, digits, `.`, `_` and `-`, unlike those in `taken`.
pub(super) fn name_for(folder: &Path, taken: &[String]) -> String {
    let name = folder.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let kept: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' }).collect();
    let kept = kept.trim_matches(['-', '.', '_']).chars().take(40).collect::<String>();
    let kept = kept.replace("..", "-").trim_end_matches(".lock").trim_end_matches(['-', '.', '_']).to_owned();
    let kept = if kept.is_empty() { "project".to_owned() } else { kept };
    // One more than are taken: one of them is free.
    let numbered = (2..=taken.len() + 2).map(|n| format!("{kept}-{n}"));
    std::iter::once(kept.clone()).chain(numbered).find(|name| !taken.contains(name)).unwrap_or(kept)
}

/// Folders that hold logs, in the places projects put them.
pub(super) fn log_folders(project: &Path) -> Vec<PathBuf> {
    let places = ["logs", "log", "var/log", "storage/logs", "tmp/logs"].map(|name| project.join(name));
    places.into_iter().filter(|folder| folder.is_dir() && !folder.is_symlink() && has_logs(folder)).collect()
}

fn has_logs(folder: &Path) -> bool {
    let Ok(entries) = folder.read_dir() else { return false };
    entries.filter_map(Result::ok).any(|entry| {
        let name = entry.file_name().to_string_lossy().to_lowercase();
        Path::new(&name).extension().is_some_and(|end| end == "log") || name.contains(".log.")
    })
}

/// Files whose names say SQLite, in a project and one folder below.
pub(super) fn databases(project: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::iter::once(project.to_owned())
        .chain(folders(project))
        .filter_map(|folder| folder.read_dir().ok())
        .flat_map(|entries| entries.filter_map(Result::ok))
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
        .map(|entry| entry.path())
        .filter(|path| {
            let end = path.extension().and_then(|end| end.to_str()).unwrap_or_default();
            matches!(end, "sqlite" | "sqlite3" | "db" | "db3") && path.metadata().is_ok_and(|file| file.len() >= 512)
        })
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn make(root: &Path, files: &[&str]) {
        for file in files {
            let path = root.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x".repeat(600)).unwrap();
        }
    }

    #[test]
    fn repositories_are_found_and_not_what_lies_in_them() {
        let root = tempfile::tempdir().unwrap();
        let files =
            ["b/.git/HEAD", "a/x/.git/HEAD", "b/sub/.git/HEAD", "node_modules/c/.git/HEAD", ".d/.git/HEAD", "e/f"];
        make(root.path(), &files);
        std::os::unix::fs::symlink(root.path().join("b"), root.path().join("link")).unwrap();
        let expected = ["a/x", "b"].map(|name| root.path().join(name));
        assert_eq!(repositories(root.path()), expected);
        assert_eq!(repositories(&root.path().join("b")), [root.path().join("b")]);
    }

    #[test]
    fn logs_and_databases_are_candidates_by_their_names() {
        let root = tempfile::tempdir().unwrap();
        make(root.path(), &["logs/a.log", "log/readme", "storage/logs/x.log.1", "data/app.db", "b.sqlite3", "c.txt"]);
        fs::write(root.path().join("empty.db"), "").unwrap();
        let under = |names: &[&str]| names.iter().map(|name| root.path().join(name)).collect::<Vec<_>>();
        assert_eq!(log_folders(root.path()), under(&["logs", "storage/logs"]));
        assert_eq!(databases(root.path()), under(&["b.sqlite3", "data/app.db"]));
    }

    #[test]
    fn names_are_what_the_configuration_takes() {
        for (folder, name) in [
            ("/a/My App", "my-app"),
            ("/a/x.y_z", "x.y_z"),
            ("/a/...", "project"),
            ("/a/a..b.lock", "a-b"),
            ("/", "project"),
        ] {
            assert_eq!(name_for(Path::new(folder), &[]), name);
        }
        assert_eq!(name_for(Path::new("/b/app"), &["app".into(), "app-2".into()]), "app-3");
    }
}
