//! Takes the result of a build out of the folder the agent worked in, as one commit in the vault.
//!
//! Git never opens the build's own `.git`: the vault's is used over the build's files, with a private index that starts
//! as the base commit. So what the agent committed, hid (assume-unchanged, info/exclude), configured or replaced does
//! not count; only the files that are there do. Untracked files the tree's `.gitignore` names stay out. Attributes in
//! the tree still convert line endings, as they would for the owner, but name no program, as no driver is configured.
//!
//! Left out on purpose: nested repositories are reported and not followed; pipes, sockets and devices are reported;
//! nothing is fsck'ed, since every object is written here by our own git.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::paths::leads_out;
use super::records::{entry, records};
use super::run::Invocation;
use super::sight::{Sight, Tracked, shown};
use super::survey::{Survey, survey};
use super::vault::Scratch;
use super::{CommitMessage, Fault, FileChange, GitError, Result, Sha, Vault, diff_stat};

const ACTION: &str = "collect the build's changes";

/// What a result may hold at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one new or grown file.
    pub file_bytes: u64,
    /// Bytes of all new files.
    pub new_bytes: u64,
    /// Number of new files.
    pub new_files: u64,
}

impl Default for Limits {
    /// 100 MiB a file, 1 GiB and 50,000 files in all.
    fn default() -> Self {
        Self { file_bytes: 100 << 20, new_bytes: 1 << 30, new_files: 50_000 }
    }
}

/// What a build left behind. All paths are escaped by [`escape`](super::escape); the lists of oddities end after 1000
/// with a line that says how many more there were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collected {
    /// The one commit on top of the base; None if nothing changed.
    pub commit: Option<Sha>,
    /// Changed files, in git's order.
    pub files: Vec<FileChange>,
    /// Lines added.
    pub insertions: u64,
    /// Lines deleted.
    pub deletions: u64,
    /// Repositories inside the tree, and submodules with files: not followed, their files are not in the commit.
    /// Only where the base already tracks files below such a folder do these files count as ever.
    pub nested: Vec<String>,
    /// Folders that look like bare repositories. Their files are ordinary and in the commit; git run inside one would
    /// obey its configuration.
    pub bare: Vec<String>,
    /// New or changed symbolic links that lead out of the tree.
    pub outward_links: Vec<String>,
    /// Pipes, sockets and devices: never in the commit.
    pub special: Vec<String>,
    /// The build's `.git` is no folder any more.
    pub git_replaced: bool,
    /// Hooks and settings in it by which git would run a program; here it never sees them.
    pub planted: Vec<String>,
}

/// Commits the files in `worktree` as they are now onto `base`, into the vault; no ref is set. `exclude` are untracked
/// files or folders (relative) that were copied in and never belong to the result. The same files, base and message
/// give the same commit, so it can be repeated.
pub async fn collect(
    vault: &Vault,
    worktree: &Path,
    base: &Sha,
    message: &CommitMessage,
    exclude: &[PathBuf],
    limits: &Limits,
) -> Result<Collected> {
    let text = message.text()?;
    let before = identity(worktree)?;
    if !super::commit_exists(vault, base).await? {
        return Err(GitError::new(ACTION, vault.dir(), Fault::UnknownCommit(base.to_string())));
    }
    let desk = Desk { vault, worktree, scratch: vault.scratch()? };
    let found = desk.survey(limits.file_bytes).await?;
    desk.git().args(["read-tree", base.as_str()]).run().await?;
    let sight = Sight::new(&desk, found, base, exclude).await?;
    sight.check(&desk, limits).await?;
    let replaced = sight.replaced_by_special();
    desk.git().args(["update-index", "--force-remove", "-z", "--stdin"]).input(replaced).run().await?;
    let pathspec = sight.pathspec();
    desk.git().args(["add", "-A", "--pathspec-from-file=-", "--pathspec-file-nul"]).input(pathspec).run().await?;
    let tree = desk.sha(desk.git().args(["write-tree"])).await?;
    if identity(worktree)? != before {
        return Err(GitError::new(ACTION, worktree, Fault::Refused("the folder was replaced meanwhile".into())));
    }
    desk.finish(base, &tree, message, text, &sight).await
}

/// The vault, the build's folder and a private index, ready to be worked with.
pub(super) struct Desk<'a> {
    vault: &'a Vault,
    pub(super) worktree: &'a Path,
    scratch: Scratch,
}

impl Desk<'_> {
    fn git(&self) -> Invocation<'_> {
        let over = self.vault.git.over(ACTION, self.vault.dir(), self.worktree);
        over.env("GIT_INDEX_FILE", self.scratch.file("index"))
    }

    async fn survey(&self, large: u64) -> Result<Survey> {
        let root = self.worktree.to_owned();
        let walk = tokio::task::spawn_blocking(move || survey(&root, large)).await;
        walk.map_err(|error| self.fail(Fault::Io(error.to_string())))?
    }

    /// Paths in the base: submodules apart from the rest.
    pub(super) async fn tracked(&self, base: &Sha) -> Result<Tracked> {
        let mut tracked = Tracked::default();
        let listed = self.git().args(["ls-tree", "-r", "-z", "--full-tree", base.as_str()]).run().await?;
        for record in records(&listed) {
            let (_, path) = entry(record).ok_or_else(|| self.fail(Fault::Other))?;
            let place = if record.starts_with(b"160000") { &mut tracked.submodules } else { &mut tracked.files };
            place.insert(path.to_vec());
        }
        Ok(tracked)
    }

    /// Paths git neither tracks nor ignores; a repository within is one path that ends in a slash.
    pub(super) async fn loose(&self) -> Result<BTreeSet<Vec<u8>>> {
        let command = self.git().args(["ls-files", "-z", "--others", "--exclude-standard"]);
        let output = command.complete().await?;
        // Git only warns of a folder it cannot open, and would leave out what is in it.
        if output.words.contains("could not open directory") {
            return Err(GitError::from_words(ACTION, self.worktree, &output.words));
        }
        Ok(records(&output.stdout).map(<[u8]>::to_vec).collect())
    }

    /// Bytes a tracked file has in the base.
    pub(super) async fn base_size(&self, path: &[u8]) -> Result<u64> {
        // The index is still the base; `:0:` takes the path as it is.
        let mut name = b":0:".to_vec();
        name.extend_from_slice(path);
        let size = self.git().args(["cat-file", "-s"]).args([OsStr::from_bytes(&name)]).text().await?;
        size.parse().map_err(|_| self.fail(Fault::Other))
    }

    async fn sha(&self, command: Invocation<'_>) -> Result<Sha> {
        command.text().await?.parse().map_err(|_| self.fail(Fault::Other))
    }

    async fn finish(
        &self,
        base: &Sha,
        tree: &Sha,
        message: &CommitMessage,
        text: String,
        sight: &Sight,
    ) -> Result<Collected> {
        let stat = diff_stat(self.vault, base, tree).await?;
        let mut commit = None;
        if !stat.files.is_empty() {
            let mut command = self.vault.git.at("write the result's commit", self.vault.dir());
            for (name, value) in message.env() {
                command = command.env(name, value);
            }
            let command = command.args(["commit-tree", tree.as_str(), "-p", base.as_str(), "-F", "-"]);
            commit = Some(self.sha(command.input(text.into_bytes())).await?);
        }
        let read_link = |path: &[u8]| {
            let link = std::fs::read_link(self.worktree.join(OsStr::from_bytes(path))).ok()?;
            Some(link.into_os_string().into_vec())
        };
        let (clone, planted) = (self.worktree.to_owned(), super::planted::planted);
        let planted = tokio::task::spawn_blocking(move || planted(&clone)).await;
        let planted = planted.map_err(|error| self.fail(Fault::Io(error.to_string())))?;
        let outward = stat.links.iter().filter(|link| leads_out(link, read_link));
        Ok(Collected {
            commit,
            outward_links: shown(outward.map(Vec::as_slice)),
            files: stat.files,
            insertions: stat.insertions,
            deletions: stat.deletions,
            nested: shown(sight.nested()),
            bare: shown(sight.bare()),
            special: shown(sight.special()),
            git_replaced: planted.replaced,
            planted: planted.names,
        })
    }

    pub(super) fn fail(&self, fault: Fault) -> GitError {
        GitError::new(ACTION, self.worktree, fault)
    }
}

/// Device and inode of the build's folder, which must be a real folder and not a link to one.
fn identity(worktree: &Path) -> Result<(u64, u64)> {
    let fail = |fault| Err(GitError::new(ACTION, worktree, fault));
    match worktree.symlink_metadata() {
        Ok(_) if !worktree.is_absolute() => fail(Fault::Refused("the folder's path is not absolute".into())),
        Ok(found) if found.is_symlink() => fail(Fault::Refused("the folder was replaced by a symbolic link".into())),
        Ok(found) if found.is_dir() => Ok((found.dev(), found.ino())),
        Ok(_) => fail(Fault::Refused("the folder was replaced by something else".into())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => fail(Fault::Vanished),
        Err(error) => Err(GitError::from_io(ACTION, worktree, b".", &error)),
    }
}
