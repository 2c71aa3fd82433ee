//! What a commit changes, from the vault's objects alone.
//!
//! Attributes are not read: a tree that says `* -diff` would otherwise hide its own line counts. Renames are a deletion
//! and an addition, so every path that changed is named.

use std::path::Path;

use super::records::records;
use super::{Fault, GitError, Result, Sha, Vault, escape};

/// What happened to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChangeStatus {
    /// It is new.
    Added,
    /// Its content or its executable bit changed.
    Modified,
    /// It is gone.
    Deleted,
    /// It became another kind of thing: file, symbolic link, submodule.
    TypeChanged,
}

impl ChangeStatus {
    /// Git's letter: A, M, D or T.
    pub fn letter(self) -> char {
        match self {
            Self::Added => 'A',
            Self::Modified => 'M',
            Self::Deleted => 'D',
            Self::TypeChanged => 'T',
        }
    }
}

/// One changed path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChange {
    /// Path from the top of the tree, escaped by [`escape`].
    pub path: String,
    /// What happened to it.
    pub status: ChangeStatus,
    /// Lines added; 0 if binary.
    pub added: u64,
    /// Lines deleted; 0 if binary.
    pub deleted: u64,
    /// Git found no lines to count.
    pub binary: bool,
    /// It is a symbolic link now.
    pub link: bool,
    /// It is a submodule, or was one.
    pub submodule: bool,
}

/// All changes between two commits.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DiffStat {
    /// In git's path order.
    pub files: Vec<FileChange>,
    /// Sum of added lines.
    pub insertions: u64,
    /// Sum of deleted lines.
    pub deletions: u64,
    /// Raw paths of new or changed symbolic links.
    pub(super) links: Vec<Vec<u8>>,
}

/// Compares `base` with `commit` (commits or trees in the vault).
pub async fn diff_stat(vault: &Vault, base: &Sha, commit: &Sha) -> Result<DiffStat> {
    let action = "compare two commits";
    let options = ["diff-tree", "-r", "-z", "--raw", "--numstat", "--no-renames", "--no-abbrev", "--full-index"];
    let safe = ["--no-ext-diff", "--no-textconv", "--submodule=short", "--ignore-submodules=none"];
    let command = vault.git.at(action, vault.dir()).args(options).args(safe);
    let output = command.args([base.as_str(), commit.as_str(), "--"]).run().await?;
    parse(&output).ok_or_else(|| GitError::new(action, vault.dir(), Fault::Other))
}

/// The difference as a patch, at most `limit` bytes of it; what is longer errs with [`Fault::OverLimit`].
pub async fn patch(vault: &Vault, base: &Sha, commit: &Sha, limit: usize) -> Result<Vec<u8>> {
    let options =
        ["diff-tree", "-r", "-p", "--no-renames", "--no-ext-diff", "--no-textconv", "--no-color", "--full-index"];
    let command = vault.git.at("show a difference", vault.dir()).args(options).args(["--submodule=short"]);
    command.args([base.as_str(), commit.as_str(), "--"]).at_most(limit).run().await
}

/// Whether the vault has this commit.
pub async fn commit_exists(vault: &Vault, sha: &Sha) -> Result<bool> {
    let command = vault.git.at("look for a commit", vault.dir()).args(["cat-file", "--batch-check=%(objecttype)"]);
    Ok(command.input(format!("{sha}\n").into_bytes()).text().await? == "commit")
}

/// Whether `ancestor` is `descendant` or can be reached from it. Both must be in the vault.
pub async fn is_ancestor(vault: &Vault, ancestor: &Sha, descendant: &Sha) -> Result<bool> {
    let action = "compare two commits";
    let args = ["merge-base", "--is-ancestor", ancestor.as_str(), descendant.as_str()];
    let output = vault.git.at(action, vault.dir()).args(args).once().await?;
    match output.code {
        0 => Ok(true),
        1 => Ok(false),
        _ => Err(GitError::from_words(action, vault.dir(), &output.words)),
    }
}

/// Whether documentation changed: a README, anything under a `docs` or `doc` folder, Markdown or reStructuredText.
/// Comments in code do not count; they cannot be told from the paths.
pub fn docs_touched(files: &[FileChange]) -> bool {
    files.iter().any(|file| {
        let path = Path::new(&file.path);
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_ascii_lowercase();
        let folder = path.parent().is_some_and(|parent| {
            parent.iter().any(|part| part.eq_ignore_ascii_case("docs") || part.eq_ignore_ascii_case("doc"))
        });
        let ending = Path::new(&name).extension().is_some_and(|end| end == "md" || end == "rst");
        folder || ending || name.starts_with("readme")
    })
}

/// Parses `diff-tree -z --raw --numstat`: all raw records (`:old new old-sha new-sha S`, path), then all counts
/// (`added TAB deleted TAB path`), in the same order. Paths are raw bytes and may hold anything but NUL.
fn parse(output: &[u8]) -> Option<DiffStat> {
    let mut fields = records(output).peekable();
    let mut stat = DiffStat::default();
    let mut raw = Vec::new();
    while fields.peek().is_some_and(|field| field.starts_with(b":")) {
        let head = std::str::from_utf8(fields.next()?).ok()?;
        let (new_mode, letter) = (head.split(' ').nth(1)?, head.split(' ').nth(4)?);
        let status = match letter.as_bytes().first()? {
            b'A' => ChangeStatus::Added,
            b'M' => ChangeStatus::Modified,
            b'D' => ChangeStatus::Deleted,
            b'T' => ChangeStatus::TypeChanged,
            _ => return None,
        };
        let path = fields.next()?;
        let link = new_mode == "120000";
        if link {
            stat.links.push(path.to_vec());
        }
        let submodule = new_mode == "160000" || head.starts_with(":160000");
        raw.push((path, status, link, submodule));
    }
    for (path, status, link, submodule) in raw {
        let count = fields.next()?;
        let mut parts = count.splitn(3, |byte| *byte == b'\t');
        let (added, deleted) = (number(parts.next()?), number(parts.next()?));
        if parts.next()? != path {
            return None;
        }
        let binary = added.is_none();
        let (added, deleted) = (added.unwrap_or(0), deleted.unwrap_or(0));
        stat.insertions += added;
        stat.deletions += deleted;
        stat.files.push(FileChange { path: escape(path), status, added, deleted, binary, link, submodule });
    }
    fields.next().is_none().then_some(stat)
}

fn number(bytes: &[u8]) -> Option<u64> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(new_mode: &str, letter: char, path: &str) -> String {
        let zeros = "0".repeat(40);
        format!(":100644 {new_mode} {zeros} {zeros} {letter}\0{path}\0")
    }

    #[test]
    fn counts_belong_to_their_paths_whatever_these_hold() {
        let text = raw("100644", 'M', ":a\n\tb") + &raw("120000", 'A', "l") + "3\t1\t:a\n\tb\0-\t-\tl\0";
        let stat = parse(text.as_bytes()).unwrap();
        assert_eq!((stat.insertions, stat.deletions), (3, 1));
        assert_eq!(stat.files[0].path, r":a\n\tb");
        assert!(stat.files[1].binary && stat.files[1].status == ChangeStatus::Added);
        assert_eq!(stat.links, vec![b"l".to_vec()]);
        assert_eq!(parse(b""), Some(DiffStat::default()));
        assert_eq!(parse(raw("100644", 'M', "a").as_bytes()), None);
    }

    #[test]
    fn documentation_is_told_by_its_path() {
        let change = |path: &str| {
            let path = path.to_owned();
            docs_touched(&[FileChange {
                path,
                status: ChangeStatus::Modified,
                added: 1,
                deleted: 0,
                binary: false,
                link: false,
                submodule: false,
            }])
        };
        for yes in ["README", "readme.txt", "docs/x.png", "a/Docs/b", "CHANGES.md", "a/b.RST"] {
            assert!(change(yes), "{yes}");
        }
        for no in ["src/docs.rs", "src/lib.rs", "amd", "docs"] {
            assert!(!change(no), "{no}");
        }
        assert!(!docs_touched(&[]));
    }
}
