//! Carries the change between two commits onto a third, in the vault alone: no working tree, and no merge driver, since
//! none is configured there.
//!
//! The three trees are given one parent of our own, so that what git takes for their common past is exactly `from`: an
//! owner who rewrote history does not get back what they took out of it.

use super::{CommitMessage, Fault, GitError, Result, Sha, Vault, escape};

const ACTION: &str = "carry the change over";
/// Paths named of a conflict.
const SHOWN: usize = 20;

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Picked {
    /// One commit on top of `onto`; no ref holds it yet.
    Commit(Sha),
    /// `onto` has the whole change already.
    Nothing,
    /// Both sides changed these paths (escaped, at most 20).
    Conflict(Vec<String>),
}

/// Applies what leads from `from` to `to` on top of `onto`. The same commits and message give the same commit.
pub async fn pick(vault: &Vault, from: &Sha, to: &Sha, onto: &Sha, message: &CommitMessage) -> Result<Picked> {
    let text = message.text()?;
    let past = commit(vault, from, None, message, "from").await?;
    let ours = commit(vault, onto, Some(&past), message, "onto").await?;
    let theirs = commit(vault, to, Some(&past), message, "to").await?;
    let merge = vault.git.at(ACTION, vault.dir()).args(["merge-tree", "--write-tree", "-z", "--name-only"]);
    let output = merge.args(["--no-messages", ours.as_str(), theirs.as_str()]).once().await?;
    let mut fields = output.stdout.split(|byte| *byte == 0);
    let tree = fields.next().map(String::from_utf8_lossy).and_then(|text| text.parse::<Sha>().ok());
    let Some(tree) = tree.filter(|_| matches!(output.code, 0 | 1)) else {
        return Err(GitError::from_words(ACTION, vault.dir(), &output.words));
    };
    if output.code == 1 {
        let paths = fields.filter(|path| !path.is_empty()).take(SHOWN).map(escape);
        return Ok(Picked::Conflict(paths.collect()));
    }
    if tree == self::tree(vault, onto).await? {
        return Ok(Picked::Nothing);
    }
    Ok(Picked::Commit(write(vault, &tree, Some(onto), message, text).await?))
}

/// A commit of `of`'s tree with a past of our choice.
async fn commit(vault: &Vault, of: &Sha, parent: Option<&Sha>, message: &CommitMessage, text: &str) -> Result<Sha> {
    if !super::commit_exists(vault, of).await? {
        return Err(GitError::new(ACTION, vault.dir(), Fault::UnknownCommit(of.to_string())));
    }
    let tree = tree(vault, of).await?;
    write(vault, &tree, parent, message, text.to_owned()).await
}

async fn tree(vault: &Vault, of: &Sha) -> Result<Sha> {
    let asked = vault.git.at(ACTION, vault.dir()).args(["rev-parse", "--verify"]).args([format!("{of}^{{tree}}")]);
    asked.text().await?.parse().map_err(|_| GitError::new(ACTION, vault.dir(), Fault::Other))
}

async fn write(vault: &Vault, tree: &Sha, parent: Option<&Sha>, message: &CommitMessage, text: String) -> Result<Sha> {
    let mut command = vault.git.at(ACTION, vault.dir()).args(["commit-tree", tree.as_str(), "-F", "-"]);
    for (name, value) in message.env() {
        command = command.env(name, value);
    }
    if let Some(parent) = parent {
        command = command.args(["-p", parent.as_str()]);
    }
    let sha = command.input(text.into_bytes()).text().await?;
    sha.parse().map_err(|_| GitError::new(ACTION, vault.dir(), Fault::Other))
}
