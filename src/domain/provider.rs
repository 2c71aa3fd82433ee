//! The account behind an agent: whether it can be used now, until when not, and how much of it is left.
//!
//! A usage limit is not a failure: what would use the account waits for the reset. Where no reset is known, or the account
//! needs its owner (signed out, no credit), one build at a time is let through now and then to see whether it works again.

use super::agent::Window;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// A stated reset is a claim: one sooner than this, or past, is taken as this far away.
const SOONEST: TimeDelta = TimeDelta::minutes(1);
/// And one further away than this as this far: longer than any weekly window.
const FURTHEST: TimeDelta = TimeDelta::days(8);
/// Waits before the first, second… probe where no reset is known; the last one repeats.
const PROBES: [TimeDelta; 4] =
    [TimeDelta::minutes(15), TimeDelta::minutes(30), TimeDelta::minutes(60), TimeDelta::minutes(120)];
/// A window this full, of 1, counts as empty: better to wait than to lose a build's last minutes to the wall.
const FULL: f64 = 0.98;

/// Why an account can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockKind {
    /// Its usage limit is reached.
    Limit,
    /// It needs its owner: not signed in, a key refused, no credit.
    Account,
}

/// An account that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// Why.
    pub kind: BlockKind,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Not to be used before.
    pub until: DateTime<Utc>,
    /// Whether `until` is the reset the provider stated; otherwise only the time of the next probe.
    pub known: bool,
    /// Probes so far, where no reset is known.
    pub probes: u32,
    /// What was said, in one line for the owner.
    pub why: String,
}

impl Block {
    /// The block that follows when an agent says its account can't be used. `seed` spreads what resumes at the same
    /// reset over a minute, the same for the same build.
    pub fn next(
        previous: Option<&Self>,
        kind: BlockKind,
        reset_at: Option<DateTime<Utc>>,
        why: &str,
        seed: u64,
        now: DateTime<Utc>,
    ) -> Self {
        let since = previous.map_or(now, |block| block.since);
        let why = why.to_owned();
        if let Some(reset) = reset_at.filter(|_| kind == BlockKind::Limit) {
            let spread = TimeDelta::seconds(i64::try_from(5 + seed % 50).unwrap_or(5));
            let until = reset.clamp(now + SOONEST, now + FURTHEST) + spread;
            return Self { kind, since, until, known: true, probes: 0, why };
        }
        let probes = previous.filter(|block| !block.known).map_or(0, |block| block.probes.saturating_add(1));
        let wait = PROBES[(probes as usize).min(PROBES.len() - 1)];
        Self { kind, since, until: now + wait, known: false, probes, why }
    }

    /// Whether nothing may use the account now.
    pub fn holds(&self, now: DateTime<Utc>) -> bool {
        now < self.until
    }
}

/// What is known of the account behind an agent.
#[derive(Debug, Clone, PartialEq)]
pub struct Provider {
    /// Name of the agent.
    pub agent: String,
    /// Set while it can't be used, and until something has worked again.
    pub block: Option<Block>,
    /// Usage windows as last reported.
    pub windows: Vec<Window>,
}

/// Whether one more build may use an account now.
#[derive(Debug, Clone, PartialEq)]
pub enum Room {
    /// As many as there are permits.
    Free,
    /// One, to see whether it works again.
    Probe,
    /// None before this time.
    Closed {
        /// Until when.
        until: DateTime<Utc>,
        /// Whether that is a stated reset.
        known: bool,
        /// Why, for the owner.
        why: String,
    },
}

impl Provider {
    /// Whether one more build may begin on it now, keeping `reserve` (0–1) of every window for the owner's own day.
    pub fn room(&self, reserve: f64, now: DateTime<Utc>) -> Room {
        match &self.block {
            Some(block) if block.holds(now) => {
                return Room::Closed { until: block.until, known: block.known, why: block.why.clone() };
            }
            Some(block) if !block.known => return Room::Probe,
            _ => {}
        }
        let most = FULL.min(1.0 - reserve);
        let full = self.windows.iter().filter(|window| window.utilization >= most);
        let full = full.filter_map(|window| Some((window, window.resets_at.filter(|at| *at > now)?)));
        match full.max_by_key(|(_, resets)| *resets) {
            None => Room::Free,
            Some((window, resets)) => Room::Closed {
                until: resets.min(now + FURTHEST),
                known: true,
                why: format!("{:.0} % of its {} limit is used", window.utilization * 100.0, window.name),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + minutes * 60, 0).expect("a time")
    }

    fn provider(block: Option<Block>, windows: Vec<Window>) -> Provider {
        Provider { agent: "claude".into(), block, windows }
    }

    #[test]
    fn a_stated_reset_is_taken_within_reason() {
        for (reset, soonest) in [(90, 90), (-300, 1), (60 * 24 * 365, 60 * 24 * 8)] {
            let block = Block::next(None, BlockKind::Limit, Some(at(reset)), "limit", 7, at(0));
            assert!(block.until >= at(soonest) && block.until <= at(soonest + 1), "{reset}: {}", block.until);
            assert!(block.known);
            assert!(block.holds(at(soonest)));
            assert_eq!(provider(Some(block), vec![]).room(0.0, at(soonest + 1)), Room::Free);
        }
    }

    #[test]
    fn an_unknown_reset_is_probed_at_growing_distances_by_one_build_at_a_time() {
        let (mut now, mut block, mut waits) = (at(0), None, vec![]);
        for _ in 0..6 {
            let next = Block::next(block.as_ref(), BlockKind::Limit, None, "limit", 1, now);
            assert_eq!(next.since, at(0));
            waits.push((next.until - now).num_minutes());
            now = next.until;
            assert_eq!(provider(Some(next.clone()), vec![]).room(0.0, now), Room::Probe);
            block = Some(next);
        }
        assert_eq!(waits, [15, 30, 60, 120, 120, 120]);
    }

    #[test]
    fn an_account_that_needs_its_owner_is_probed_whatever_reset_was_said() {
        let block = Block::next(None, BlockKind::Account, Some(at(1)), "not signed in", 1, at(0));
        assert!(!block.known);
        assert_eq!(block.until, at(15));
    }

    #[test]
    fn a_window_is_left_alone_before_its_wall_and_above_the_reserve() {
        let window = |utilization| Window { name: "weekly".into(), utilization, resets_at: Some(at(600)) };
        let room = |used, reserve| provider(None, vec![window(used)]).room(reserve, at(0));
        assert_eq!(room(0.5, 0.0), Room::Free);
        assert!(matches!(room(0.985, 0.0), Room::Closed { known: true, .. }));
        assert!(matches!(room(0.75, 0.3), Room::Closed { .. }));
        assert_eq!(room(0.65, 0.3), Room::Free);
        // A window whose reset has passed says nothing any more.
        assert_eq!(provider(None, vec![window(1.0)]).room(0.0, at(601)), Room::Free);
    }
}
