//! The vault: our own bare repository per project, out of every agent's reach, where base and result commits are kept.
//!
//! Refs: `refs/overnight/base/<branch>` (what was last fetched of the owner's branch), `refs/overnight/default` (which
//! branch that was, when none was configured), [`BuildRefs`](super::BuildRefs) and `refs/overnight/snapshots/<date>`.
//! Nothing here is ever pruned.
//! The owner's repository is only read, by fetch.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::{Pid, test_kill_process};
use tokio::sync::Mutex;

use super::owner::OwnerRepo;
use super::refs::check_id;
use super::{Fault, Git, GitError, RefName, Result, Sha};

/// Holds the name of the branch used when none is configured.
const DEFAULT_BRANCH: &str = "refs/overnight/default";
/// Private files (indexes) of collections under way.
const SCRATCH: &str = "overnight-scratch";

/// One project's vault. Clones share the lock, so keep one per project and clone it.
#[derive(Debug, Clone)]
pub struct Vault {
    pub(super) git: Git,
    dir: PathBuf,
    lock: Arc<Mutex<()>>,
}

/// The owner's branch as it was when fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// Branch name without `refs/heads/`.
    pub branch: String,
    /// Its commit.
    pub sha: Sha,
}

impl Vault {
    /// Opens `<vaults>/<project>.git`, or makes it with the object format of `owner_repo`, which is needed only then.
    /// Safe to call at once from several processes.
    pub async fn open_or_init(git: &Git, vaults: &Path, project: &str, owner_repo: &Path) -> Result<Self> {
        check_id(project)?;
        let action = "open the vault";
        std::fs::create_dir_all(vaults).map_err(|e| GitError::from_io(action, vaults, project.as_bytes(), &e))?;
        let vaults = vaults.canonicalize().map_err(|e| GitError::from_io(action, vaults, project.as_bytes(), &e))?;
        let dir = vaults.join(format!("{project}.git"));
        let vault = Self { git: git.clone(), dir, lock: Arc::default() };
        if vault.dir.join("HEAD").is_file() {
            vault.sweep_scratch();
        } else {
            vault.init(&vaults, &OwnerRepo::find(owner_repo)?).await?;
        }
        Ok(vault)
    }

    /// A vault made by something else, such as of a bundle.
    pub(super) fn at(git: &Git, dir: &Path) -> Self {
        Self { git: git.clone(), dir: dir.to_owned(), lock: Arc::default() }
    }

    /// The bare repository's folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Made aside and renamed into place, so a vault is there whole or not at all.
    async fn init(&self, vaults: &Path, owner: &OwnerRepo) -> Result<()> {
        let action = "make the vault";
        let format = owner.object_format(&self.git).await?;
        let aside = vaults.join(format!(".new-{}", unique()));
        let init = self.git.command(action, vaults).about(&self.dir);
        let format = format!("--object-format={format}");
        init.args(["init", "-q", "--bare", "--template="]).args([&format]).args(["--"]).args([&aside]).run().await?;
        // A clone for a build asks for one commit by name, not for a ref.
        let config = self.git.at(action, &aside);
        config.args(["config", "uploadpack.allowAnySHA1InWant", "true"]).run().await?;
        let renamed = std::fs::rename(&aside, &self.dir);
        let _ = std::fs::remove_dir_all(&aside);
        match renamed {
            Err(_) if self.dir.join("HEAD").is_file() => Ok(()),
            other => {
                other.map_err(|e| GitError::from_io(action, &self.dir, self.dir.as_os_str().as_encoded_bytes(), &e))
            }
        }
    }

    /// Fetches one branch of the owner's repository into the vault. Without a name it is the branch HEAD is on, or,
    /// if HEAD is detached (a rebase left overnight), the one it was on the last time.
    pub async fn refresh_base(&self, owner_repo: &Path, base_branch: Option<&str>) -> Result<Base> {
        let owner = OwnerRepo::find(owner_repo)?;
        let _one_at_a_time = self.lock.lock().await;
        let branch = match base_branch {
            Some(branch) => branch.to_owned(),
            None => self.default_branch(&owner).await?,
        };
        let name = RefName::base_branch(&branch)?;
        owner.require_branch(&self.git, &branch).await?;
        self.clear_way_for(&name).await?;
        let fetch = self.git.at("fetch the base branch", &self.dir).about(&owner.root);
        let options =
            ["fetch", "-q", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--update-shallow"];
        let refspec = format!("+refs/heads/{branch}:{name}");
        fetch.args(options).args(["--no-recurse-submodules", "--"]).args([&owner.root]).args([refspec]).run().await?;
        if base_branch.is_none() {
            let remember = self.git.at("remember the base branch", &self.dir);
            remember.args(["symbolic-ref", DEFAULT_BRANCH, name.as_str()]).run().await?;
        }
        let missing = || GitError::new("fetch the base branch", &owner.root, Fault::MissingBranch(branch.clone()));
        let sha = self.read_ref(&name).await?.ok_or_else(missing)?;
        Ok(Base { branch, sha })
    }

    async fn default_branch(&self, owner: &OwnerRepo) -> Result<String> {
        if let Some(branch) = owner.branch(&self.git).await? {
            return Ok(branch);
        }
        let asked = self.git.at("recall the base branch", &self.dir).args(["symbolic-ref", "-q", DEFAULT_BRANCH]);
        let text = String::from_utf8_lossy(&asked.once().await?.stdout).trim().to_owned();
        let branch = text.strip_prefix("refs/overnight/base/").map(str::to_owned);
        branch.ok_or_else(|| GitError::new("find the base branch", &owner.root, Fault::DetachedHead))
    }

    /// The owner may replace branch `a` by `a/b`; as files both cannot exist. Our copy of a branch is only a cache:
    /// what a build started from is kept by the build's own refs.
    async fn clear_way_for(&self, name: &RefName) -> Result<()> {
        let action = "list the vault's branches";
        let listed =
            self.git.at(action, &self.dir).args(["for-each-ref", "--format=%(refname)", "refs/overnight/base"]);
        for other in listed.text().await?.lines() {
            let below = |a: &str, b: &str| a.strip_prefix(b).is_some_and(|rest| rest.starts_with('/'));
            if below(other, name.as_str()) || below(name.as_str(), other) {
                self.git.at("drop a replaced branch", &self.dir).args(["update-ref", "-d", "--", other]).run().await?;
            }
        }
        Ok(())
    }

    /// The commit a ref holds, or None if there is no such ref.
    pub async fn read_ref(&self, name: &RefName) -> Result<Option<Sha>> {
        let action = "read a ref";
        let asked =
            self.git.at(action, &self.dir).args(["for-each-ref", "--format=%(objectname)", "--", name.as_str()]);
        let text = asked.text().await?;
        if text.is_empty() {
            return Ok(None);
        }
        text.parse().map(Some).map_err(|_| GitError::from_words(action, &self.dir, &text))
    }

    /// Sets `name` to `new` if it is at `expected_old` (None: if it does not exist), else errs with
    /// [`Fault::RefMoved`]. A ref already at `new` is left so, which makes a repeat after a crash harmless.
    pub async fn record_ref(&self, name: &RefName, new: &Sha, expected_old: Option<&Sha>) -> Result<()> {
        if self.read_ref(name).await?.as_ref() == Some(new) {
            return Ok(());
        }
        let old = expected_old.map_or_else(|| new.zeros(), Sha::to_string);
        let command = self.git.at("record a ref", &self.dir);
        command.args(["update-ref", "--no-deref", "--", name.as_str(), new.as_str(), &old]).run().await?;
        Ok(())
    }

    /// A new private folder in the vault, removed when dropped.
    pub(super) fn scratch(&self) -> Result<Scratch> {
        let dir = self.dir.join(SCRATCH).join(unique());
        let made = std::fs::create_dir_all(&dir);
        made.map_err(|e| GitError::from_io("make a private folder", &self.dir, SCRATCH.as_bytes(), &e))?;
        Ok(Scratch(dir))
    }

    /// Removes what collections of processes that are no more left behind.
    fn sweep_scratch(&self) {
        let Ok(entries) = std::fs::read_dir(self.dir.join(SCRATCH)) else {
            return;
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let owner = name.to_str().and_then(|name| name.split('-').next()?.parse().ok()).and_then(Pid::from_raw);
            if owner.is_none_or(|pid| test_kill_process(pid) == Err(rustix::io::Errno::SRCH)) {
                let _ = std::fs::remove_dir_all(entry.path());
            }
        }
    }
}

/// A folder of our own that goes when we are done with it.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// `<pid>-<count>`: no two in this process, and the process can be asked for.
fn unique() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}
