//! Time. The only place that asks the system for it: everything else is given a [`Clock`] or a moment.
//!
//! Day-light saving, suspend and clock jumps are not handled here: the engine looks at the wall clock again at least
//! every 30 s and [`crate::domain::plan`] decides from dates, so a late wake-up is just a late look.

use chrono::{DateTime, TimeDelta, Utc};
use std::sync::Mutex;
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Where the time comes from.
#[async_trait::async_trait]
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> DateTime<Utc>;

    /// Returns at or after `until`, or after at most 30 s of real time, whichever comes first: the wall clock may jump
    /// while we wait, so nobody sleeps long without looking again. Cancel safe.
    async fn sleep_until(&self, until: DateTime<Utc>);

    /// How long `duration` of this clock takes in real time; supervisors count real time.
    fn real(&self, duration: Duration) -> Duration;
}

const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// The machine's clock.
#[derive(Debug, Default)]
pub struct SystemClock;

#[async_trait::async_trait]
impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one home of the system's time")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    async fn sleep_until(&self, until: DateTime<Utc>) {
        let wait = (until - self.now()).to_std().unwrap_or(Duration::ZERO);
        tokio::time::sleep(wait.min(LOOK_AGAIN)).await;
    }

    fn real(&self, duration: Duration) -> Duration {
        duration
    }
}

/// A clock that starts at a given moment and runs `speed` times as fast as real time: the demo lives a night on it.
#[derive(Debug)]
pub struct FastClock {
    origin: DateTime<Utc>,
    started: Instant,
    speed: f64,
}

impl FastClock {
    /// Starts at `origin` now. `speed` must be positive.
    pub fn new(origin: DateTime<Utc>, speed: f64) -> Self {
        Self { origin, started: Instant::now(), speed: speed.max(f64::MIN_POSITIVE) }
    }
}

#[async_trait::async_trait]
impl Clock for FastClock {
    fn now(&self) -> DateTime<Utc> {
        let passed = self.started.elapsed().mul_f64(self.speed);
        // Whole milliseconds, as the database keeps them.
        self.origin + TimeDelta::milliseconds(i64::try_from(passed.as_millis()).unwrap_or(i64::MAX / 2))
    }

    async fn sleep_until(&self, until: DateTime<Utc>) {
        let wait = (until - self.now()).to_std().unwrap_or(Duration::ZERO);
        tokio::time::sleep(self.real(wait).min(LOOK_AGAIN) + Duration::from_millis(1)).await;
    }

    fn real(&self, duration: Duration) -> Duration {
        duration.div_f64(self.speed)
    }
}

/// A clock that stands still until it is set: the stories live on it.
#[derive(Debug)]
pub struct ManualClock {
    now: Mutex<DateTime<Utc>>,
    moved: Notify,
}

impl ManualClock {
    /// Stands at `now`.
    pub fn new(now: DateTime<Utc>) -> Self {
        Self { now: Mutex::new(now), moved: Notify::new() }
    }

    /// Moves it, forward or back.
    pub fn set(&self, now: DateTime<Utc>) {
        *self.now.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = now;
        self.moved.notify_waiters();
    }
}

#[async_trait::async_trait]
impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        *self.now.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    async fn sleep_until(&self, until: DateTime<Utc>) {
        loop {
            let moved = self.moved.notified();
            if self.now() >= until {
                return;
            }
            moved.await;
        }
    }

    fn real(&self, duration: Duration) -> Duration {
        duration
    }
}
