//! A vault as one file: `git bundle` of all its refs, verified, and a vault made from such a file again.
//!
//! A shallow vault's bundle can't be read without knowing where its history ends, so that list lies beside it. Left out
//! on purpose: bundles of what is new only; one file alone must be enough to get everything back.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{Fault, Git, GitError, Result, Sha, Vault};

/// Up to this many bytes every object is read again when a bundle is checked; above it only that all are there.
const READ_ALL: u64 = 1 << 30;

/// Writes the vault to `file` by way of a temporary name, verified before it gets its own. False: the vault is empty.
pub async fn bundle(vault: &Vault, file: &Path) -> Result<bool> {
    let action = "bundle the vault";
    if names(vault).await?.is_empty() {
        return Ok(false);
    }
    let io = |error: &io::Error| GitError::from_io(action, file, file.as_os_str().as_encoded_bytes(), error);
    let new = beside(file, ".new");
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io(&error)),
        _ => {}
    }
    let made = async {
        let create = vault.git.at(action, vault.dir());
        create.args(["bundle", "create", "-q"]).args([&new]).args(["--all"]).run().await?;
        let verify = vault.git.at("verify the vault's bundle", vault.dir());
        verify.args(["bundle", "verify", "-q"]).args([&new]).run().await?;
        let placed = (|| {
            match std::fs::copy(vault.dir().join("shallow"), beside(file, ".shallow")) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            File::open(&new)?.sync_all()?;
            std::fs::rename(&new, file)
        })();
        placed.map_err(|error| io(&error))
    };
    let made = made.await;
    if made.is_err() {
        let _ = std::fs::remove_file(&new);
    }
    made.map(|()| true)
}

/// A name for what the vault holds: the same commits give the same, whatever their refs are called.
pub async fn tips(vault: &Vault) -> Result<String> {
    let mut tips = names(vault).await?;
    tips.sort_unstable();
    tips.dedup();
    let shallow = std::fs::read(vault.dir().join("shallow")).unwrap_or_default();
    let digest = Sha256::new().chain_update(tips.join("\n")).chain_update([0]).chain_update(shallow).finalize();
    Ok(format!("{digest:x}"))
}

async fn names(vault: &Vault) -> Result<Vec<String>> {
    let listed = vault.git.at("list the vault's refs", vault.dir()).args(["for-each-ref", "--format=%(objectname)"]);
    Ok(listed.text().await?.lines().map(str::to_owned).collect())
}

/// Makes a vault of a bundle in the folder `into`, which must not exist.
pub async fn unbundle(git: &Git, file: &Path, into: &Path) -> Result<Vault> {
    let action = "read a bundle";
    let io = |error: &io::Error| GitError::from_io(action, file, file.as_os_str().as_encoded_bytes(), error);
    std::fs::create_dir(into).map_err(|error| io(&error))?;
    let file = file.canonicalize().map_err(|error| io(&error))?;
    let into = into.canonicalize().map_err(|error| io(&error))?;
    let heads = git.command(action, &into).about(&file).args(["bundle", "list-heads"]).args([&file]).text().await?;
    let format = match heads.split_whitespace().next().map(str::len) {
        Some(40) => "sha1",
        Some(64) => "sha256",
        _ => return Err(GitError::new(action, &file, Fault::Other)),
    };
    let init = git.command(action, &into).args(["init", "-q", "--bare", "--template="]);
    init.args([format!("--object-format={format}")]).args(["--"]).args([&into]).run().await?;
    match std::fs::copy(beside(&file, ".shallow"), into.join("shallow")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io(&error)),
        _ => {}
    }
    let fetch = git.at(action, &into).about(&file).args(["fetch", "-q", "--no-tags", "--no-write-fetch-head", "--"]);
    fetch.args([&file]).args(["+refs/*:refs/*"]).run().await?;
    Ok(Vault::at(git, &into))
}

/// Whether everything the vault's refs and `commits` lead to is there and, unless it is very large, can be read and is
/// what its name says.
pub async fn check_objects(vault: &Vault, bytes: u64, commits: &[Sha]) -> Result<()> {
    let mut check =
        vault.git.at("check the restored vault", vault.dir()).args(["fsck", "--no-dangling", "--no-progress"]);
    if bytes > READ_ALL {
        check = check.args(["--connectivity-only"]);
    }
    check.run().await?;
    for commit in commits {
        if !super::commit_exists(vault, commit).await? {
            let fault = Fault::UnknownCommit(commit.to_string());
            return Err(GitError::new("find a snapshot in the restored vault", vault.dir(), fault));
        }
    }
    Ok(())
}

/// Where a project's bundle lies in a day's folder.
pub fn bundle_file(day: &Path, project: &str) -> PathBuf {
    day.join(format!("{project}.bundle"))
}

fn beside(file: &Path, end: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(end);
    name.into()
}
