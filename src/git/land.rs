//! Moves a branch of the owner's repository from one commit to another, and with it the files of the checkout that is
//! on it. The only place where the host writes to what is the owner's.
//!
//! Nothing of the owner's is ever lost: the branch is held by git's own lock while its checkout is looked at and
//! changed; a checkout with changes, an operation under way or a file in the way is left exactly as it is. A landing cut
//! off half-way is finished if each file is as it was before or as it will be, else what it left is taken back.
//!
//! The owner's configuration is trusted, what lands is not yet: hooks and file system monitors are off as everywhere, and
//! files that would go through a filter (LFS) are not landed in a checkout.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::hold::HeldRef;
use super::owner::OwnerRepo;
use super::records::records;
use super::run::Invocation;
use super::unland::unland;
use super::vault::Scratch;
use super::{Fault, GitError, Result, Sha, Vault, escape};

const ACTION: &str = "land on the owner's branch";
/// Names in the git folder that say an operation of the owner's is under way, and what it is.
const UNDER_WAY: [(&str, &str); 5] = [
    ("rebase-apply", "a rebase"),
    ("MERGE_HEAD", "a merge"),
    ("CHERRY_PICK_HEAD", "a cherry-pick"),
    ("REVERT_HEAD", "a revert"),
    ("BISECT_LOG", "a bisection"),
];
/// Paths named in words.
const SHOWN: usize = 3;

/// Where a branch shall go.
#[derive(Debug, Clone)]
pub struct Landing<'a> {
    /// The owner's repository.
    pub owner: &'a Path,
    /// Its branch, without `refs/heads/`.
    pub branch: &'a str,
    /// Where it must be.
    pub old: &'a Sha,
    /// Where it goes; a commit in the vault.
    pub new: &'a Sha,
    /// For the owner's reflog.
    pub note: &'a str,
    /// Whether this landing may have been cut off half-way before.
    pub again: bool,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Landed {
    /// The branch is at the new commit, and so is its checkout.
    Done,
    /// Nothing was changed; it can go on once the owner has done what the words say.
    Waits(String),
    /// Nothing was changed: the branch is at another commit.
    Moved(Sha),
    /// Nothing was changed, and waiting changes nothing: what the owner can do instead.
    Refused(String),
}

/// Moves the branch, or says why not. Can be repeated.
pub async fn land(vault: &Vault, landing: &Landing<'_>) -> Result<Landed> {
    let owner = OwnerRepo::find(landing.owner)?;
    let name = format!("refs/heads/{}", landing.branch);
    owner.require_branch(&vault.git, landing.branch).await?;
    let at = owner.commit_of(&vault.git, &name).await?;
    if at == *landing.new {
        return Ok(Landed::Done);
    }
    if at != *landing.old && !landing.again {
        return Ok(Landed::Moved(at));
    }
    let worktrees = Worktree::all(vault, &owner).await?;
    for worktree in &worktrees {
        if worktree.rebases(vault, &name).await? {
            let (branch, root) = (landing.branch, shown(&worktree.root));
            return Ok(Landed::Waits(format!("a rebase of {branch} is under way in {root}; finish or abort it")));
        }
    }
    // Objects alone, which no ref holds yet: git takes hold of a branch only for a commit it has.
    fetch(vault, &owner, landing.new).await?;
    let Some(checkout) = Checkout::of(vault, &worktrees, &name)? else {
        if at != *landing.old {
            return Ok(Landed::Moved(at));
        }
        let hold = owner.read(&vault.git, ACTION);
        HeldRef::take(hold, &name, landing.old, landing.new, landing.note).await?.commit().await?;
        return Ok(Landed::Done);
    };
    if at != *landing.old {
        let changed = checkout.changed(landing).await?;
        unland(|| checkout.git(), &changed, landing.new, &at).await?;
        return Ok(Landed::Moved(at));
    }
    let command = checkout.git();
    let held = match HeldRef::take(command, &name, landing.old, landing.new, landing.note).await {
        Ok(held) => held,
        Err(error) if error.fault == Fault::Locked => return Ok(locked(&error)),
        Err(error) if error.fault == Fault::RefMoved => {
            return owner.commit_of(&vault.git, &name).await.map(Landed::Moved);
        }
        Err(error) => return Err(error),
    };
    // Not before it is held: from here on neither a commit nor a checkout of the owner's comes in between.
    match checkout.move_files(landing).await {
        Ok(None) => held.commit().await.map(|()| Landed::Done),
        Ok(Some(left)) => held.release().await.map(|()| left),
        Err(error) => held.release().await.and(Err(error)),
    }
}

/// Takes the commit's objects over; no ref holds them until the branch does.
async fn fetch(vault: &Vault, owner: &OwnerRepo, new: &Sha) -> Result<()> {
    let options =
        ["fetch", "-q", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--no-recurse-submodules"];
    let fetch = owner.read(&vault.git, "take the commit over").args(options).args(["--"]);
    fetch.args([vault.dir()]).args([new.as_str()]).run().await.map(|_| ())
}

fn locked(error: &GitError) -> Landed {
    Landed::Waits(format!("{}; {}", error.fault, error.words))
}

/// A folder with a checkout of the owner's repository.
struct Worktree {
    root: PathBuf,
    branch: Option<Vec<u8>>,
}

impl Worktree {
    /// All that are there; a bare repository is none.
    async fn all(vault: &Vault, owner: &OwnerRepo) -> Result<Vec<Self>> {
        let listed = owner.read(&vault.git, ACTION).args(["worktree", "list", "--porcelain", "-z"]).run().await?;
        let mut all: Vec<Self> = Vec::new();
        for line in records(&listed) {
            if let Some(path) = line.strip_prefix(b"worktree ") {
                all.push(Self { root: PathBuf::from(OsStr::from_bytes(path)), branch: None });
            } else if let (Some(branch), Some(last)) = (line.strip_prefix(b"branch "), all.last_mut()) {
                last.branch = Some(branch.to_vec());
            }
        }
        all.retain(|worktree| worktree.git_dir().exists());
        Ok(all)
    }

    fn git_dir(&self) -> PathBuf {
        self.root.join(".git")
    }

    /// Whether the branch is being rebased here: HEAD is on none meanwhile, and the branch is moved at the end.
    async fn rebases(&self, vault: &Vault, name: &str) -> Result<bool> {
        let ask = vault.git.over(ACTION, &self.git_dir(), &self.root);
        let names = ["--git-path", "rebase-merge/head-name", "--git-path", "rebase-apply/head-name"];
        let listed = ask.args(["rev-parse"]).args(names).run().await?;
        let mut paths = listed.split(|byte| *byte == b'\n').filter(|path| !path.is_empty());
        Ok(paths.any(|path| {
            let head = std::fs::read(self.root.join(OsStr::from_bytes(path)));
            head.is_ok_and(|head| head.trim_ascii() == name.as_bytes())
        }))
    }
}

/// The working tree that is on the branch.
struct Checkout<'a> {
    vault: &'a Vault,
    root: PathBuf,
    git_dir: PathBuf,
    scratch: Scratch,
}

impl<'a> Checkout<'a> {
    /// The owner's own checkout or a linked worktree; None if none is on the branch.
    fn of(vault: &'a Vault, worktrees: &[Worktree], name: &str) -> Result<Option<Self>> {
        let Some(on) = worktrees.iter().find(|worktree| worktree.branch.as_deref() == Some(name.as_bytes())) else {
            return Ok(None);
        };
        Ok(Some(Self { vault, root: on.root.clone(), git_dir: on.git_dir(), scratch: vault.scratch()? }))
    }

    fn git(&self) -> Invocation<'_> {
        self.vault.git.over(ACTION, &self.git_dir, &self.root)
    }

    /// Makes the files those of the new commit, or says why nothing was done.
    async fn move_files(&self, landing: &Landing<'_>) -> Result<Option<Landed>> {
        if let Some(what) = self.under_way().await? {
            let text = format!("{what} is under way in {}; finish or abort it", shown(&self.root));
            return Ok(Some(Landed::Waits(text)));
        }
        let changed = self.changed(landing).await?;
        if let Some(why) = self.by_hand(landing, &changed).await? {
            let text = format!("{why}; in {} run: git merge --ff-only {}", shown(&self.root), landing.new.short());
            return Ok(Some(Landed::Refused(text)));
        }
        let dirty = self.dirty().await?;
        let obstacle = if dirty.is_empty() {
            let blocked = self.in_the_way(landing, &changed).await?;
            blocked.map(|path| format!("{path} is in the way; move or remove it"))
        } else {
            let (root, dirty) = (shown(&self.root), list(&dirty));
            Some(format!("{root} has changes that are not committed ({dirty}); commit or stash them"))
        };
        match obstacle {
            None => self.write_files(&["read-tree", "-m", "-u", landing.old.as_str(), landing.new.as_str()]).await,
            Some(_) if landing.again && self.is_half_done(landing).await? => {
                self.write_files(&["read-tree", "--reset", "-u", landing.new.as_str()]).await
            }
            Some(obstacle) => {
                if landing.again {
                    unland(|| self.git(), &changed, landing.new, landing.old).await?;
                }
                Ok(Some(Landed::Waits(obstacle)))
            }
        }
    }

    async fn write_files(&self, step: &[&str]) -> Result<Option<Landed>> {
        match self.git().args(step).run().await {
            Ok(_) => Ok(None),
            Err(error) if error.fault == Fault::Locked => Ok(Some(locked(&error))),
            // It refuses as a whole: something of the owner's would have been overwritten.
            Err(error) if error.fault == Fault::Other => Ok(Some(Landed::Waits(error.words))),
            Err(error) => Err(error),
        }
    }

    async fn under_way(&self) -> Result<Option<&'static str>> {
        let mut ask = self.git().args(["rev-parse"]);
        for (name, _) in UNDER_WAY {
            ask = ask.args(["--git-path", name]);
        }
        let listed = ask.run().await?;
        let paths = listed.split(|byte| *byte == b'\n').map(|path| self.root.join(OsStr::from_bytes(path)));
        Ok(paths.zip(UNDER_WAY).find(|(path, _)| path.symlink_metadata().is_ok()).map(|(_, (_, what))| what))
    }

    /// Tracked files that differ from HEAD or are staged.
    async fn dirty(&self) -> Result<Vec<Vec<u8>>> {
        let args = ["status", "--porcelain", "-z", "--no-renames", "--ignore-submodules=all", "--untracked-files=no"];
        let listed = self.git().args(args).run().await?;
        Ok(records(&listed).filter_map(|entry| entry.get(3..)).map(<[u8]>::to_vec).collect())
    }

    /// Paths that differ between the two commits, with whether they are new in the second.
    async fn changed(&self, landing: &Landing<'_>) -> Result<Vec<(Vec<u8>, bool)>> {
        let ask = self.vault.git.at(ACTION, self.vault.dir());
        let ask = ask.args(["diff-tree", "-r", "-z", "--name-status", "--no-renames"]);
        let listed = ask.args([landing.old.as_str(), landing.new.as_str(), "--"]).run().await?;
        let fields: Vec<&[u8]> = records(&listed).collect();
        Ok(fields.chunks_exact(2).map(|pair| (pair[1].to_vec(), pair[0] == b"A")).collect())
    }

    /// Why these changes can't be written into this checkout without asking more of git than is safe.
    async fn by_hand(&self, landing: &Landing<'_>, changed: &[(Vec<u8>, bool)]) -> Result<Option<String>> {
        let marks = self.git().args(["ls-files", "-v", "-z"]).run().await?;
        for mark in records(&marks) {
            let (tag, path) = (mark[0], mark.get(2..).unwrap_or_default());
            if tag == b'S' {
                return Ok(Some("the checkout is sparse".into()));
            }
            if tag.is_ascii_lowercase() && changed.iter().any(|(changed, _)| changed == path) {
                return Ok(Some(format!("git is told to overlook changes of {} there", escape(path))));
            }
        }
        let private = |scratch: &Scratch| {
            let over = self.vault.git.over(ACTION, self.vault.dir(), &self.root);
            over.env("GIT_INDEX_FILE", scratch.file("vault"))
        };
        private(&self.scratch).args(["read-tree", landing.new.as_str()]).run().await?;
        let input = changed.iter().flat_map(|(path, _)| path.iter().copied().chain([0])).collect();
        let ask = private(&self.scratch).args(["check-attr", "--cached", "-z", "--stdin", "filter"]);
        let listed = ask.input(input).run().await?;
        let fields: Vec<&[u8]> = records(&listed).collect();
        let filter = |value: &[u8]| !matches!(value, b"unspecified" | b"unset" | b"set");
        let found = fields.chunks_exact(3).find(|triple| filter(triple[2]));
        Ok(found.map(|triple| {
            format!("{} goes through the filter {}, which is not run here", escape(triple[0]), escape(triple[2]))
        }))
    }

    /// A file git does not track where the new commit has one.
    async fn in_the_way(&self, landing: &Landing<'_>, changed: &[(Vec<u8>, bool)]) -> Result<Option<String>> {
        self.private("old").args(["read-tree", landing.old.as_str()]).run().await?;
        let tracked = self.tracked("old").await?;
        let mut added = changed.iter().filter(|(_, added)| *added).map(|(path, _)| path);
        // A folder that gives way to a file holds tracked files, which git removes; what else is in it, git refuses.
        let folder =
            |path: &[u8]| tracked.range([path, b"/"].concat()..).next().is_some_and(|first| first.starts_with(path));
        let there = |path: &[u8]| self.root.join(OsStr::from_bytes(path)).symlink_metadata().is_ok();
        Ok(added.find(|path| !folder(path) && there(path)).map(|path| escape(path)))
    }

    /// Whether all that differs is a landing of ours that was cut off: the index is one of the two commits, and each
    /// tracked file is as one of them has it.
    async fn is_half_done(&self, landing: &Landing<'_>) -> Result<bool> {
        let mut index_is_known = false;
        let mut odd: Option<BTreeSet<Vec<u8>>> = None;
        for (name, commit) in [("old", landing.old), ("new", landing.new)] {
            let cached =
                ["diff-index", "--cached", "--name-only", "-z", "--ignore-submodules=all", commit.as_str(), "--"];
            index_is_known |= self.git().args(cached).run().await?.is_empty();
            self.private(name).args(["read-tree", commit.as_str()]).run().await?;
            let _ = self.private(name).args(["update-index", "-q", "--refresh"]).once().await?;
            let differ =
                self.private(name).args(["diff-files", "--name-only", "-z", "--ignore-submodules=all"]).run().await?;
            let mut differ: BTreeSet<Vec<u8>> = records(&differ).map(<[u8]>::to_vec).collect();
            // What the other commit alone tracks differs from this one if it is there.
            let (ours, theirs) = (self.tracked(name).await?, self.listed(landing, name).await?);
            let there = |path: &&Vec<u8>| self.root.join(OsStr::from_bytes(path)).symlink_metadata().is_ok();
            differ.extend(theirs.difference(&ours).filter(there).cloned());
            odd = Some(odd.map_or(differ.clone(), |odd| odd.intersection(&differ).cloned().collect()));
        }
        Ok(index_is_known && odd.is_some_and(|odd| odd.is_empty()))
    }

    /// Paths of the commit that is not called `name`.
    async fn listed(&self, landing: &Landing<'_>, name: &str) -> Result<BTreeSet<Vec<u8>>> {
        let other = if name == "old" { landing.new } else { landing.old };
        let listed =
            self.git().args(["ls-tree", "-r", "-z", "--name-only", "--full-tree", other.as_str()]).run().await?;
        Ok(records(&listed).map(<[u8]>::to_vec).collect())
    }

    async fn tracked(&self, name: &str) -> Result<BTreeSet<Vec<u8>>> {
        let listed = self.private(name).args(["ls-files", "-z"]).run().await?;
        Ok(records(&listed).map(<[u8]>::to_vec).collect())
    }

    /// Over the owner's files with an index of our own.
    fn private(&self, name: &str) -> Invocation<'_> {
        self.git().env("GIT_INDEX_FILE", self.scratch.file(name))
    }
}

fn shown(path: &Path) -> String {
    escape(path.as_os_str().as_bytes())
}

fn list(paths: &[Vec<u8>]) -> String {
    let mut text = paths.iter().take(SHOWN).map(|path| escape(path)).collect::<Vec<_>>().join(", ");
    if let Some(more) = paths.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        text = format!("{text} and {more} more");
    }
    text
}
