//! What of a made-up night a planner may see, as it is written in the files.

use serde::{Deserialize, Serialize};

/// A night at its beginning. Times are whole minutes since then.
#[derive(Debug, Deserialize)]
pub(super) struct Night {
    pub(super) id: String,
    pub(super) slots: usize,
    pub(super) window_minutes: i64,
    pub(super) max_attempts: u32,
    pub(super) tasks: Vec<Wanted>,
    #[serde(default)]
    pub(super) history: Vec<Past>,
}

/// A task in the queue.
#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    pub(super) id: String,
    pub(super) priority: String,
    pub(super) category: String,
    pub(super) owner: String,
    pub(super) estimate_minutes: u32,
    pub(super) approved: bool,
    #[serde(default)]
    pub(super) depends_on: Vec<String>,
    #[serde(default)]
    pub(super) checkpointable: bool,
}

/// A task of an earlier night.
#[derive(Debug, Deserialize)]
pub(super) struct Past {
    pub(super) owner: String,
    pub(super) category: String,
    pub(super) estimate_minutes: f64,
    pub(super) actual_minutes: f64,
    pub(super) outcome: String,
    #[serde(default)]
    pub(super) transients: u32,
}

/// A time in which starts are refused (`throttle`) or all stands still (`limit`).
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Window {
    pub(super) kind: String,
    pub(super) from: i64,
    pub(super) to: i64,
    pub(super) slots: usize,
    #[serde(default)]
    pub(super) announced: i64,
}

/// A build that runs.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Running {
    pub(super) task: String,
    pub(super) start: i64,
}

/// A build that has ended since the last look.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Ended {
    pub(super) task: String,
    pub(super) result: String,
    pub(super) worked: i64,
}

/// One look at a night that runs.
#[derive(Debug, Deserialize)]
pub(super) struct View {
    pub(super) t: i64,
    pub(super) free: Vec<usize>,
    pub(super) running: Vec<Running>,
    pub(super) ended: Vec<Ended>,
    pub(super) windows: Vec<Window>,
}

/// What is to be done: tasks to start, each in a slot or the lowest free one; nothing is ever killed.
#[derive(Debug, Serialize)]
pub(super) struct Decision {
    pub(super) start: Vec<(String, Option<usize>)>,
    pub(super) kill: Vec<usize>,
}
