//! Host-side git: the vault, clones for builds, taking the result out of a tree an agent wrote, landing it on the
//! owner's branch, and snapshots of the owner's files.
//!
//! Everything goes through the `git` program, by argv, with a cleared environment, no system or user configuration, an
//! explicit `GIT_DIR` that is ours, a time limit and bounded output. Overriding single settings is not enough on a
//! poisoned repository (filters, drivers and includes have names we cannot list), so the rule is stronger:
//! **no command ever reads configuration an agent could have written.** A build's `.git` is never git's on the host;
//! the vault's is used over the build's files instead ([`collect`]). What an agent planted there is only told (`planted`).
//!
//! Left out on purpose: the network (only the file transport is allowed; pushing is the owner's), garbage collection
//! (refs keep results for ever, and nothing may prune while a build is being collected), submodules and LFS content
//! (both need programs or addresses taken from the tree).

mod bundle;
mod clone;
mod collect;
mod commit;
mod copy;
mod diff;
mod error;
mod hold;
mod land;
mod owner;
mod paths;
mod pick;
mod planted;
mod records;
mod refs;
mod run;
mod sha;
mod sight;
mod snapshot;
mod snapshot_files;
mod survey;
mod unland;
mod vault;

pub use bundle::{bundle, bundle_file, check_objects, tips, unbundle};
pub use clone::{CloneTarget, make_clone};
pub use collect::{Collected, Limits, collect};
pub use commit::{CommitMessage, Person};
pub use copy::{Copied, CopyLimits, copy_untracked};
pub use diff::{ChangeStatus, DiffStat, FileChange, commit_exists, diff_stat, docs_touched, is_ancestor, patch};
pub use error::{Fault, GitError};
pub use land::{Landed, Landing, land};
pub use owner::{OwnerState, owner_state};
pub use paths::escape;
pub use pick::{Picked, pick};
pub use refs::{BuildRefs, RefName};
pub use run::Git;
pub use sha::{NotASha, Sha};
pub use snapshot::{SkippedFile, SnapshotLimits, Snapshotted, drop_snapshots, restore_files, snapshot};
pub use vault::{Base, Vault};

/// What every operation here returns.
pub type Result<T> = std::result::Result<T, GitError>;
