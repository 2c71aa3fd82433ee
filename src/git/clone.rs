//! A build's own repository: an independent copy at one commit, on a branch of its own, that leads nowhere.
//!
//! It shares no object, no ref and no configuration with the vault or the owner's checkout, and has no remote, so
//! nothing an agent does in it, or pushes from it, reaches them. Left out on purpose: submodule content and filters
//! (LFS files stay pointers), since both run what the tree names; a shared object store, since an agent could write it.

use std::io;
use std::path::{Component, Path, PathBuf};

use cap_fs_ext::DirExt;
use cap_std::ambient_authority;
use cap_std::fs::{Dir, PermissionsExt};

use super::refs::check_id;
use super::{Fault, GitError, Result, Sha, Vault, commit_exists};

const ACTION: &str = "make the build's clone";

/// Settings the clone gets: an identity, so an agent can commit, and no signing, which would ask for a passphrase.
const CLONE_CONFIG: [(&str, &str); 5] = [
    ("user.name", "overnight build"),
    ("user.email", "overnight@localhost"),
    ("commit.gpgSign", "false"),
    ("tag.gpgSign", "false"),
    ("gc.autoDetach", "false"),
];

/// Where a clone goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloneTarget {
    /// Folder that holds all builds; must exist. Nothing outside it is ever removed.
    pub builds_root: PathBuf,
    /// The clone's folder, strictly below `builds_root`. What is there is removed first.
    pub dest: PathBuf,
    /// The build's id; the branch is `overnight/<build>`.
    pub build: String,
}

/// Makes an independent clone at `sha`, checked out on `overnight/<build>`. Can be repeated: what a cut-off try (or an
/// earlier build) left at the destination is removed first.
pub async fn make_clone(vault: &Vault, sha: &Sha, target: &CloneTarget) -> Result<()> {
    check_id(&target.build)?;
    if !commit_exists(vault, sha).await? {
        return Err(GitError::new(ACTION, vault.dir(), Fault::UnknownCommit(sha.to_string())));
    }
    let owned = target.clone();
    let dest = tokio::task::spawn_blocking(move || clear(&owned)).await;
    let dest = dest.map_err(|error| GitError::new(ACTION, &target.dest, Fault::Io(error.to_string())))??;
    let branch = format!("overnight/{}", target.build);
    let format = if sha.as_str().len() == 40 { "sha1" } else { "sha256" };
    let init = vault.git.command(ACTION, &target.builds_root).about(&dest);
    let options = [format!("--initial-branch={branch}"), format!("--object-format={format}")];
    init.args(["init", "-q", "--template="]).args(options).args(["--"]).args([&dest]).run().await?;
    let git_dir = dest.join(".git");
    for (key, value) in CLONE_CONFIG {
        vault.git.at(ACTION, &git_dir).args(["config", key, value]).run().await?;
    }
    let fetch = vault.git.at(ACTION, &git_dir).about(&dest);
    let options = ["fetch", "-q", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--update-shallow"];
    let fetch = fetch.args(options).args(["--update-head-ok", "--no-recurse-submodules", "--"]);
    fetch.args([vault.dir()]).args([format!("{sha}:refs/heads/{branch}")]).run().await?;
    let checkout = vault.git.over(ACTION, &git_dir, &dest);
    checkout.args(["read-tree", "--reset", "-u", "HEAD"]).run().await?;
    Ok(())
}

/// Makes way at the destination and gives its real path, whose parents exist.
fn clear(target: &CloneTarget) -> Result<PathBuf> {
    let fail =
        |error: &io::Error| GitError::from_io(ACTION, &target.dest, target.dest.as_os_str().as_encoded_bytes(), error);
    let relative = inside(target)?;
    let root = target.builds_root.canonicalize().map_err(|error| fail(&error))?;
    let mut dir = Dir::open_ambient_dir(&root, ambient_authority()).map_err(|error| fail(&error))?;
    let (parents, name) = relative.split_at(relative.len() - 1);
    for parent in parents {
        match dir.create_dir(parent) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(fail(&error)),
            _ => {}
        }
        // A link here would carry the removal out of the builds' folder.
        dir = dir.open_dir_nofollow(parent).map_err(|_| {
            let why = format!("{} is not a real folder", super::escape(parent.as_os_str().as_encoded_bytes()));
            GitError::new(ACTION, &target.dest, Fault::Refused(why))
        })?;
    }
    remove(&dir, &name[0]).map_err(|error| fail(&error))?;
    Ok(relative.iter().fold(root, |path, part| path.join(part)))
}

/// The destination's components below the builds' root.
fn inside(target: &CloneTarget) -> Result<Vec<PathBuf>> {
    let below = target.dest.strip_prefix(&target.builds_root).ok();
    let parts = below.map(|path| path.components().collect::<Vec<_>>()).unwrap_or_default();
    if parts.is_empty() || !parts.iter().all(|part| matches!(part, Component::Normal(_))) {
        let why = format!("the clone must lie below {}", target.builds_root.display());
        return Err(GitError::new(ACTION, &target.dest, Fault::Refused(why)));
    }
    Ok(parts.into_iter().map(|part| PathBuf::from(part.as_os_str())).collect())
}

/// Removes `name` and all below it, links as links. Folders an agent made read-only are opened up first.
fn remove(dir: &Dir, name: &Path) -> io::Result<()> {
    let kind = match dir.symlink_metadata(name) {
        Ok(metadata) => metadata.file_type(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !kind.is_dir() {
        return dir.remove_file(name);
    }
    match dir.remove_dir_all(name) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            unlock(dir, name)?;
            dir.remove_dir_all(name)
        }
        other => other,
    }
}

/// Gives us every folder at and below `name`. Depth is bounded by the path length the system takes.
fn unlock(dir: &Dir, name: &Path) -> io::Result<()> {
    dir.set_permissions(name, cap_std::fs::Permissions::from_mode(0o700))?;
    let opened = dir.open_dir_nofollow(name)?;
    for entry in opened.entries()? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            unlock(&opened, Path::new(&entry.file_name()))?;
        }
    }
    Ok(())
}
