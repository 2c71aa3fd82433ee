//! The owner's repository, only read here: where it is, what its HEAD says, whether its files are clean.
//!
//! Its configuration is the owner's and trusted; the user's global configuration is still not read, so a checkout
//! whose line endings or LFS filter are set only globally may look dirty where the owner's own git says clean.

use std::path::{Path, PathBuf};

use super::records::records;
use super::run::Invocation;
use super::{Fault, Git, GitError, Result, Sha};

/// What the owner's checkout looks like now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerState {
    /// The branch HEAD is on; None if detached.
    pub branch: Option<String>,
    /// The commit HEAD leads to; None if that branch has no commit yet.
    pub head: Option<Sha>,
    /// Tracked files differ from HEAD or are staged; None for a bare repository, which has no files.
    pub dirty: Option<bool>,
    /// There are files git neither tracks nor ignores; false for a bare repository.
    pub untracked: bool,
}

/// A repository of the owner that was found where it was said to be.
pub(super) struct OwnerRepo {
    /// Absolute; what fetch is given.
    pub(super) root: PathBuf,
    git_dir: PathBuf,
    /// It has no files of its own.
    pub(super) bare: bool,
}

impl OwnerRepo {
    /// `root` may be a checkout, a linked worktree or a bare repository, but not a folder inside one: what git would
    /// find by walking upwards is not what was registered.
    pub(super) fn find(root: &Path) -> Result<Self> {
        let action = "open the owner's repository";
        let fail = |fault| Err(GitError::new(action, root, fault));
        let root = match root.canonicalize() {
            Ok(root) if root.is_dir() => root,
            Ok(_) => return fail(Fault::NotARepository),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return fail(Fault::Vanished);
            }
            Err(error) => {
                return Err(GitError::from_io(action, root, root.as_os_str().as_encoded_bytes(), &error));
            }
        };
        let dot_git = root.join(".git");
        if dot_git.exists() {
            return Ok(Self { root, git_dir: dot_git, bare: false });
        }
        if root.join("HEAD").is_file() && root.join("objects").is_dir() && root.join("refs").is_dir() {
            return Ok(Self { git_dir: root.clone(), root, bare: true });
        }
        fail(Fault::NotARepository)
    }

    /// A command on it, run in its top folder.
    pub(super) fn read<'a>(&self, git: &'a Git, action: &'static str) -> Invocation<'a> {
        git.command(action, &self.root).env("GIT_DIR", &self.git_dir)
    }

    /// The commit a branch is at, which must exist.
    pub(super) async fn commit_of(&self, git: &Git, name: &str) -> Result<Sha> {
        let action = "read the owner's branch";
        let text = self
            .read(git, action)
            .args(["rev-parse", "--verify", "-q"])
            .args([format!("{name}^{{commit}}")])
            .text()
            .await?;
        text.parse().map_err(|_| GitError::from_words(action, &self.root, &text))
    }

    /// `sha1` or `sha256`.
    pub(super) async fn object_format(&self, git: &Git) -> Result<String> {
        self.read(git, "read the repository's format").args(["rev-parse", "--show-object-format"]).text().await
    }

    /// The branch HEAD is on, which may have no commit yet; None if HEAD is detached.
    pub(super) async fn branch(&self, git: &Git) -> Result<Option<String>> {
        let asked = self.read(git, "read HEAD").args(["symbolic-ref", "-q", "HEAD"]);
        let output = asked.once().await?;
        match output.code {
            0 => Ok(String::from_utf8_lossy(&output.stdout).trim().strip_prefix("refs/heads/").map(str::to_owned)),
            1 => Ok(None),
            _ => Err(GitError::from_words("read HEAD", &self.root, &output.words)),
        }
    }

    /// The commit HEAD leads to; None if there is none yet.
    pub(super) async fn head(&self, git: &Git) -> Result<Option<Sha>> {
        let asked = self.read(git, "read HEAD").args(["rev-parse", "-q", "--verify", "HEAD^{commit}"]);
        Ok(String::from_utf8_lossy(&asked.once().await?.stdout).trim().parse().ok())
    }

    /// Errs unless `branch` exists: with what is wrong, since an empty repository needs other advice than a typo.
    pub(super) async fn require_branch(&self, git: &Git, branch: &str) -> Result<()> {
        let action = "find the base branch";
        let listed = self.read(git, action).args(["for-each-ref", "--format=%(refname)", "refs/heads"]).text().await?;
        let full = format!("refs/heads/{branch}");
        if listed.lines().any(|name| name == full) {
            return Ok(());
        }
        let fault = if listed.is_empty() { Fault::EmptyRepository } else { Fault::MissingBranch(branch.to_owned()) };
        Err(GitError::new(action, &self.root, fault))
    }
}

/// Reads branch, head and cleanliness of the owner's checkout without taking a lock or refreshing its index.
pub async fn owner_state(git: &Git, owner_repo: &Path) -> Result<OwnerState> {
    let owner = OwnerRepo::find(owner_repo)?;
    let branch = owner.branch(git).await?;
    let head = owner.head(git).await?;
    if owner.bare {
        return Ok(OwnerState { branch, head, dirty: None, untracked: false });
    }
    let status = owner.read(git, "read the status of the owner's checkout").env("GIT_WORK_TREE", &owner.root);
    let args = ["status", "--porcelain", "-z", "--no-renames", "--ignore-submodules=all", "--untracked-files=normal"];
    let listed = status.args(args).run().await?;
    let (mut dirty, mut untracked) = (false, false);
    for entry in records(&listed) {
        if entry.starts_with(b"??") {
            untracked = true;
        } else {
            dirty = true;
        }
    }
    Ok(OwnerState { branch, head, dirty: Some(dirty), untracked })
}
