//! Shipping: a build's result lands on its project's branch, or is taken off it again.
//!
//! Each project has one queue. A ship walks `Queued → Picking → Checking → Landing → Ended`; it goes to `CheckingBase` when
//! its check fails, to learn whose fault that is, and to `Waiting` for what only the owner can change: a checkout with
//! changes, a branch whose own tests fail. What is checked is what lands: the result on top of the branch as it is then.

use super::build::stored_words;
use super::id::{BuildId, CheckId, SessionId, ShipId, TaskId};
use super::task::UnknownWord;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShipKind {
    /// A build's result lands.
    Ship,
    /// A landed one is taken back.
    Revert,
}

stored_words!(ShipKind, "ship kind", { Ship => "ship", Revert => "revert" });

/// Where a ship stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShipStep {
    /// Others of its project go first. The host looks where the branch is as it is asked for.
    Queued,
    /// The host carries the change onto the branch as it is now, in the vault.
    Picking,
    /// What would land is verified.
    Checking,
    /// That failed: the branch itself is verified.
    CheckingBase,
    /// The host moves the branch.
    Landing,
    /// For the owner; [`Ship::waits`] says what for. Tried again at [`Ship::retry_at`].
    Waiting,
    /// Over; [`Ship::outcome`] says how.
    Ended,
}

stored_words!(ShipStep, "ship step", {
    Queued => "queued", Picking => "picking", Checking => "checking", CheckingBase => "checking_base",
    Landing => "landing", Waiting => "waiting", Ended => "ended",
});

/// How a ship ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShipOutcome {
    /// It is on the branch.
    Landed,
    /// The branch was moved by somebody else after the owner asked: ask again.
    Moved,
    /// Both sides changed the same lines.
    Conflict,
    /// It does not pass on the branch as it is now.
    Failed,
    /// The branch has it already.
    Nothing,
    /// It can't be done here; the reason says what to do instead.
    Refused,
    /// The owner took the wish back.
    Withdrawn,
}

stored_words!(ShipOutcome, "ship outcome", {
    Landed => "landed", Moved => "moved", Conflict => "conflict", Failed => "failed", Nothing => "nothing",
    Refused => "refused", Withdrawn => "withdrawn",
});

/// What the host's last step came to. Cleared when the ship moves on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// What shall land.
    Picked {
        /// Whether it must be verified first: it is neither the verified result itself nor a commit the branch was at.
        check: bool,
    },
    /// Both sides changed these paths.
    Conflict {
        /// Escaped, at most 20.
        paths: Vec<String>,
    },
    /// The branch has the change already.
    Nothing,
    /// Somebody else moved the branch since the owner asked.
    Moved {
        /// What they did, in words.
        text: String,
    },
    /// The branch still is where its own tests failed.
    StillRed,
    /// The branch and its checkout are at the new commit.
    Landed,
    /// The branch was moved in this moment: look again.
    Overtaken,
    /// Nothing was changed; the owner has to do something first.
    Waits {
        /// What, in words.
        text: String,
    },
    /// It can't be done here.
    Refused {
        /// Why and what to do instead.
        text: String,
    },
    /// The host failed, and can try again.
    Failed {
        /// Why.
        text: String,
    },
}

/// One landing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ship {
    /// Row number; also the order in its project's queue.
    pub id: ShipId,
    /// Which way.
    pub kind: ShipKind,
    /// Whose result.
    pub build: BuildId,
    /// Its task.
    pub task: TaskId,
    /// The session it was built in.
    pub session: SessionId,
    /// Of which project.
    pub project: String,
    /// Onto which branch; none: the one its project is built on.
    pub branch: Option<String>,
    /// Where it stands.
    pub step: ShipStep,
    /// When the step it is in began.
    pub step_at: DateTime<Utc>,
    /// Who asked, as `platform:id`.
    pub asked_by: String,
    /// When.
    pub asked_at: DateTime<Utc>,
    /// The commit the branch was at when it was asked for: only our own landings may have moved it since.
    pub asked_onto: Option<String>,
    /// The change begins here: the build's base, or for a revert what had landed.
    pub from: String,
    /// And leads here: the build's result, or for a revert where the branch was before.
    pub to: String,
    /// Whether `to` was verified as it is.
    pub verified: bool,
    /// What the host's last step came to.
    pub found: Option<Found>,
    /// Where the branch was when the change was carried over.
    pub onto: Option<String>,
    /// What shall land.
    pub commit: Option<String>,
    /// The check of that.
    pub check: Option<CheckId>,
    /// The check of the branch itself, after that failed.
    pub base_check: Option<CheckId>,
    /// A commit of the branch whose own tests failed: no use to go on before it moved.
    pub red: Option<String>,
    /// What the owner has to do before it goes on.
    pub waits: Option<String>,
    /// When it is tried again.
    pub retry_at: Option<DateTime<Utc>>,
    /// How it ended.
    pub outcome: Option<ShipOutcome>,
    /// Why so, in words for the owner.
    pub reason: String,
    /// When.
    pub ended_at: Option<DateTime<Utc>>,
}

/// The landing that is on its branch now, of those of one task or build in their order.
pub fn in_force(ships: &[Ship]) -> Option<&Ship> {
    let last = ships.iter().rfind(|ship| ship.outcome == Some(ShipOutcome::Landed));
    last.filter(|ship| ship.kind == ShipKind::Ship)
}

impl Ship {
    /// Whether it is on its way.
    pub fn is_open(&self) -> bool {
        self.step != ShipStep::Ended
    }

    /// Whether it is its project's turn: only one of a project is.
    pub fn is_at_work(&self) -> bool {
        !matches!(self.step, ShipStep::Queued | ShipStep::Ended)
    }
}

/// Whether our own landings alone lead a branch from one commit to another. `moves` are (from, to) of all that landed.
pub fn only_ours(from: &str, to: &str, moves: &[(String, String)]) -> bool {
    let mut reached = vec![from];
    let mut next = 0;
    while let Some(at) = reached.get(next).copied() {
        if at == to {
            return true;
        }
        for (_, new) in moves.iter().filter(|(old, _)| old == at) {
            if !reached.contains(&new.as_str()) {
                reached.push(new);
            }
        }
        next += 1;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_is_followed_through_our_own_landings_alone() {
        let moves = |pairs: &[(&str, &str)]| -> Vec<_> {
            pairs.iter().map(|(old, new)| ((*old).to_owned(), (*new).to_owned())).collect()
        };
        let there_and_back = moves(&[("a", "b"), ("b", "a"), ("a", "c"), ("x", "y")]);
        for (from, to, ours) in
            [("a", "a", true), ("a", "c", true), ("b", "c", true), ("c", "a", false), ("a", "y", false)]
        {
            assert_eq!(only_ours(from, to, &there_and_back), ours, "{from} to {to}");
        }
    }
}
