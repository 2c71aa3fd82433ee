//! What is known beyond the present state: how earlier builds went, and times that are not there.

use crate::domain::forecast::History;
use crate::domain::id::TaskId;
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Nights a ready task is passed over before it goes first.
pub const PATIENCE: u32 = 3;

/// A time in which builds can't start, or stand still, as far as it is announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closure {
    /// From then on.
    pub from: DateTime<Utc>,
    /// Until then.
    pub until: DateTime<Utc>,
    /// Nothing starts and what runs stands still; otherwise only starts are refused.
    pub stands_still: bool,
    /// How many places accept no start.
    pub places: usize,
}

/// What is known beyond the present state. Empty: nothing.
#[derive(Debug, Clone, Default)]
pub struct Outlook {
    /// The newest ended builds.
    pub history: Arc<History>,
    /// Times that are not there.
    pub closures: Vec<Closure>,
    /// Tasks whose builds are lost if they are not done when the window ends. All others go on after it.
    pub lost_at_the_end: BTreeSet<TaskId>,
    /// Minutes earlier attempts at a task have worked before they broke off: it takes longer than that.
    pub lasted: BTreeMap<TaskId, f64>,
    /// How many nights a ready task was passed over.
    pub passed_over: BTreeMap<TaskId, u32>,
    /// One that was passed over has had its turn in this session.
    pub turn_given: bool,
    /// Files that earlier attempts at a task touched.
    pub touched: BTreeMap<TaskId, Vec<String>>,
    /// Places that accept a start now, where that is known better than by counting.
    pub free: Option<usize>,
}

impl Outlook {
    /// Minutes between two moments in which builds work.
    pub fn working_minutes(&self, from: DateTime<Utc>, until: DateTime<Utc>) -> f64 {
        let minutes = |from: DateTime<Utc>, until: DateTime<Utc>| (until - from).as_seconds_f64().max(0.0) / 60.0;
        let still: f64 = self
            .closures
            .iter()
            .filter(|closure| closure.stands_still)
            .map(|closure| minutes(closure.from.max(from), closure.until.min(until)))
            .sum();
        minutes(from, until) - still
    }
}
