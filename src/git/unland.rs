//! Takes back what a landing that was cut off left in the owner's checkout, when it is not to be finished: the owner moved
//! the branch meanwhile, or has other changes there.
//!
//! Only what is exactly ours is touched: a path the landing changed, whose index entry and file are both as the landing
//! made them. Everything else is the owner's.

use std::collections::{BTreeMap, BTreeSet};

use super::records::{entry, records};
use super::run::Invocation;
use super::{Result, Sha};

/// Mode and object of each path.
type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

/// Restores those paths of `changed` to what the branch has now, `at`. `git` gives a command over the checkout.
pub(super) async fn unland<'a>(
    git: impl Fn() -> Invocation<'a>,
    changed: &[(Vec<u8>, bool)],
    new: &Sha,
    at: &Sha,
) -> Result<()> {
    let tree = async |commit: &Sha| -> Result<Entries> {
        let listed = git().args(["ls-tree", "-r", "-z", "--full-tree", commit.as_str()]).run().await?;
        // `mode type object TAB path`
        Ok(entries(&listed, |head| {
            let mut words = head.split(|byte| *byte == b' ');
            let (mode, object) = (words.next()?, words.nth(1)?);
            Some([mode, b" ", object].concat())
        }))
    };
    let (made, there) = (tree(new).await?, tree(at).await?);
    let index = git().args(["ls-files", "-s", "-z"]).run().await?;
    // `mode object stage TAB path`
    let index = entries(&index, |head| {
        let end = head.iter().rposition(|byte| *byte == b' ')?;
        Some(head[..end].to_vec())
    });
    let _ = git().args(["update-index", "-q", "--refresh"]).once().await?;
    let differ = git().args(["diff-files", "--name-only", "-z", "--ignore-submodules=all"]).run().await?;
    let differ: BTreeSet<&[u8]> = records(&differ).collect();
    let ours = changed.iter().map(|(path, _)| path).filter(|path| {
        let as_made = index.get(*path) == made.get(*path) && !differ.contains(path.as_slice());
        as_made && made.get(*path) != there.get(*path)
    });
    let paths: Vec<u8> = ours.flat_map(|path| path.iter().copied().chain([0])).collect();
    if paths.is_empty() {
        return Ok(());
    }
    let restore = git().args(["restore", "--staged", "--worktree", "--no-recurse-submodules", "--source", at.as_str()]);
    let restore = restore.env("GIT_LITERAL_PATHSPECS", "1");
    restore.args(["--pathspec-from-file=-", "--pathspec-file-nul"]).input(paths).run().await?;
    Ok(())
}

fn entries(listed: &[u8], read: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Entries {
    let pairs = records(listed).filter_map(|record| {
        let (head, path) = entry(record)?;
        Some((path.to_vec(), read(head)?))
    });
    pairs.collect()
}
