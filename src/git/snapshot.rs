//! The owner's files as they are, as one commit in the vault: changes staged or not, deletions, files git does not know
//! yet. What git ignores stays out.
//!
//! The owner's repository is only read, and takes no lock: the vault's objects and a private index are used over the
//! owner's files. Files are taken byte for byte: attributes that would convert them on the way in are overruled. The same
//! files give the same tree, and where nothing changed since the newest snapshot its commit is used again.
//!
//! Left out on purpose: repositories within and submodules (reported, not followed); what is too large or can't be read
//! (reported); ignore rules of the user's own git configuration, which is never read here.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDate, Utc};

use super::commit::identity;
use super::owner::OwnerRepo;
use super::refs::SNAPSHOTS;
use super::run::Invocation;
use super::snapshot_files::{Entry, Files, look};
use super::vault::Scratch;
use super::{Fault, GitError, Person, RefName, Result, Sha, Vault, commit_exists};

const ACTION: &str = "take a snapshot of the owner's files";
/// Files change while they are read; then all of it is done again, this often.
const TRIES: usize = 3;
/// Skipped files that are listed by name.
const MAX_SKIPPED: usize = 200;
/// Files are taken and given back as they are, whatever the project's attributes ask for.
const AS_THEY_ARE: &str = "* -text !eol !ident !filter !working-tree-encoding\n";

/// What a snapshot may hold at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotLimits {
    /// Bytes of one file.
    pub file_bytes: u64,
    /// Bytes of all files.
    pub all_bytes: u64,
}

impl Default for SnapshotLimits {
    /// 100 MiB a file, 8 GiB in all.
    fn default() -> Self {
        Self { file_bytes: 100 << 20, all_bytes: 8 << 30 }
    }
}

/// A file that is not in the snapshot.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SkippedFile {
    /// Its path from the top of the checkout, escaped.
    pub path: String,
    /// Why, in words for the owner.
    pub why: String,
}

/// A snapshot that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshotted {
    /// Its commit.
    pub commit: Sha,
    /// Files in it.
    pub files: u64,
    /// Files that are not; at most 200 are listed, the last line says how many more there were.
    pub skipped: Vec<SkippedFile>,
}

/// Takes the owner's files into the vault, at the ref of this date. `at` is the commit's date: a repeat must pass the same.
/// None: there is nothing to take (an empty bare repository).
pub async fn snapshot(
    vault: &Vault,
    owner_repo: &Path,
    date: NaiveDate,
    at: DateTime<Utc>,
    limits: &SnapshotLimits,
) -> Result<Option<Snapshotted>> {
    let owner = OwnerRepo::find(owner_repo)?;
    let parent = match owner.head(&vault.git).await? {
        Some(head) if commit_exists(vault, &head).await? => Some(head),
        _ => None,
    };
    let taken = if owner.bare {
        parent.map(|commit| Snapshotted { commit, files: 0, skipped: vec![] })
    } else {
        Some(take(vault, &owner, parent.as_ref(), date, at, limits).await?)
    };
    if let Some(taken) = &taken {
        let name = RefName::snapshot(date);
        let before = vault.read_ref(&name).await?;
        vault.record_ref(&name, &taken.commit, before.as_ref()).await?;
    }
    Ok(taken)
}

async fn take(
    vault: &Vault,
    owner: &OwnerRepo,
    parent: Option<&Sha>,
    date: NaiveDate,
    at: DateTime<Utc>,
    limits: &SnapshotLimits,
) -> Result<Snapshotted> {
    let mut tries = 1;
    let (tree, mut files) = loop {
        let desk = Desk::new(vault, &owner.root)?;
        let files = look(&vault.git, owner, limits).await?;
        match desk.tree(&files).await {
            Ok(tree) => break (tree, files),
            Err(error) if tries < TRIES && !matches!(error.fault, Fault::DiskFull | Fault::TimedOut(_)) => tries += 1,
            Err(error) => return Err(error),
        }
    };
    let commit = match known(vault, &tree, parent).await? {
        Some(commit) => commit,
        None => commit(vault, &tree, parent, date, at).await?,
    };
    let more = files.skipped.len().saturating_sub(MAX_SKIPPED);
    files.skipped.truncate(MAX_SKIPPED);
    if more > 0 {
        files.skipped.push(SkippedFile { path: format!("… and {more} more"), why: String::new() });
    }
    Ok(Snapshotted { commit, files: files.paths.len() as u64, skipped: files.skipped })
}

/// The newest snapshot's commit, if it holds the same files on the same parent.
async fn known(vault: &Vault, tree: &Sha, parent: Option<&Sha>) -> Result<Option<Sha>> {
    let listed = vault.git.at("read the newest snapshot", vault.dir());
    let format = "--format=%(objectname) %(tree) %(parent)";
    let newest = listed.args(["for-each-ref", "--sort=-refname", "--count=1", format, "--", SNAPSHOTS]).text().await?;
    let mut words = newest.split(' ');
    let (commit, its_tree) = (words.next().unwrap_or_default(), words.next());
    let its_parent = words.next().filter(|word| !word.is_empty());
    let same = its_tree == Some(tree.as_str()) && its_parent == parent.map(Sha::as_str);
    Ok(if same { commit.parse().ok() } else { None })
}

async fn commit(vault: &Vault, tree: &Sha, parent: Option<&Sha>, date: NaiveDate, at: DateTime<Utc>) -> Result<Sha> {
    let mut command = vault.git.at(ACTION, vault.dir());
    let person = Person { name: "overnight".into(), email: "overnight@localhost".into() };
    for (name, value) in identity(&person, at) {
        command = command.env(name, value);
    }
    command = command.args(["commit-tree", tree.as_str(), "-F", "-"]);
    if let Some(parent) = parent {
        command = command.args(["-p", parent.as_str()]);
    }
    let text = format!("Snapshot of {date}\n\nThe files of the checkout as they were, ignored ones left out.\n");
    parse(command.input(text.into_bytes())).await
}

async fn parse(command: Invocation<'_>) -> Result<Sha> {
    let failed = command.error(Fault::Other);
    command.text().await?.parse().map_err(|_| failed)
}

/// Removes the refs of snapshots of all days but those that stay; gives the days that were removed.
pub async fn drop_snapshots(
    vault: &Vault,
    staying: impl FnOnce(&BTreeSet<NaiveDate>) -> BTreeSet<NaiveDate>,
) -> Result<BTreeSet<NaiveDate>> {
    let action = "drop old snapshots";
    let listed = vault.git.at(action, vault.dir());
    let names = listed.args(["for-each-ref", "--format=%(refname:lstrip=3)", "--", SNAPSHOTS]).text().await?;
    let all: BTreeSet<NaiveDate> = names.lines().filter_map(|name| name.parse().ok()).collect();
    let stay = staying(&all);
    let old: BTreeSet<NaiveDate> = all.difference(&stay).copied().collect();
    for date in &old {
        let name = RefName::snapshot(*date);
        vault.git.at(action, vault.dir()).args(["update-ref", "-d", "--", name.as_str()]).run().await?;
    }
    Ok(old)
}

/// Writes the files of a snapshot into `into`, which must not exist; on an error nothing is left there.
pub async fn restore_files(vault: &Vault, commit: &Sha, into: &Path) -> Result<()> {
    let io =
        |error: &std::io::Error| GitError::from_io("restore files", into, into.as_os_str().as_encoded_bytes(), error);
    std::fs::create_dir(into).map_err(|error| io(&error))?;
    let written = async {
        let into = into.canonicalize().map_err(|error| io(&error))?;
        let desk = Desk::new(vault, &into)?;
        desk.git().args(["read-tree", commit.as_str()]).run().await?;
        desk.git().args(["checkout-index", "-a", "-q"]).run().await
    };
    let written = written.await;
    if written.is_err() {
        let _ = std::fs::remove_dir_all(into);
    }
    written.map(|_| ())
}

/// The vault's objects over some files, with a private index and none of the project's conversions.
struct Desk<'a> {
    vault: &'a Vault,
    files: PathBuf,
    scratch: Scratch,
}

impl<'a> Desk<'a> {
    fn new(vault: &'a Vault, files: &Path) -> Result<Self> {
        let scratch = vault.scratch()?;
        let git_dir = scratch.file("git");
        let made = (|| {
            for folder in ["refs", "info"] {
                std::fs::create_dir_all(git_dir.join(folder))?;
            }
            std::fs::write(git_dir.join("HEAD"), "ref: refs/heads/none\n")?;
            std::fs::write(git_dir.join("info/attributes"), AS_THEY_ARE)?;
            std::fs::copy(vault.dir().join("config"), git_dir.join("config"))
        })();
        made.map_err(|error| GitError::from_io(ACTION, vault.dir(), b"git", &error))?;
        Ok(Self { vault, files: files.to_owned(), scratch })
    }

    fn git(&self) -> Invocation<'_> {
        let over = self.vault.git.over(ACTION, &self.scratch.file("git"), &self.files);
        // The copied configuration says that there are no files; there are.
        let over = over.args(["-c", "core.bare=false"]).env("GIT_OBJECT_DIRECTORY", self.vault.dir().join("objects"));
        over.env("GIT_INDEX_FILE", self.scratch.file("index"))
    }

    async fn tree(&self, files: &Files) -> Result<Sha> {
        let entries = self.index_info(&files.entries).await?;
        self.git().args(["update-index", "-z", "--index-info"]).input(entries).run().await?;
        let paths = files.paths.iter().flat_map(|path| path.iter().copied().chain([0])).collect();
        self.git().args(["update-index", "--add", "--remove", "-z", "--stdin"]).input(paths).run().await?;
        parse(self.git().args(["write-tree"])).await
    }

    /// Entries whose content the vault has: a sparse checkout's files came with the branch, or are not known here.
    async fn index_info(&self, entries: &[Entry]) -> Result<Vec<u8>> {
        let asked = entries.iter().flat_map(|entry| [entry.object.as_str(), "\n"]).collect::<String>();
        let check = self.git().args(["cat-file", "--batch-check=%(objecttype)"]).input(asked.into_bytes());
        let answers = if entries.is_empty() { String::new() } else { check.text().await? };
        let mut info = Vec::new();
        for (entry, answer) in entries.iter().zip(answers.lines()) {
            if answer == "blob" || entry.mode == "160000" {
                info.extend_from_slice(format!("{} {}\t", entry.mode, entry.object).as_bytes());
                info.extend_from_slice(&entry.path);
                info.push(0);
            }
        }
        Ok(info)
    }
}
