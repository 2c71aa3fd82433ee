//! Forecasts: how long a build will take and how likely it ends well, from the owner's estimate and what was seen.
//!
//! A task's duration is a distribution: ln(minutes / estimate) = a global bias + one each for who asked, category, project
//! and agent + a slope for long estimates + noise. All are learned with priors, so that few builds move them a little and
//! many a lot (a Bayesian linear model; estimate correction after Tsafrir, Etsion and Feitelson 2007). How much noise there
//! is, is learned too. A build that was cut off, or failed on the way, counts as "took longer than that".
//!
//! Left out on purpose: what the task's text says, and every claim of an agent but its percentage.

mod fit;
mod linear;
mod normal;
mod rates;
pub mod replay;
mod words;

pub use fit::Model;
pub use words::explain;

use super::build::Outcome;
use normal::{above, below};

/// How many of the newest builds a forecast is made of: older ones say little about today's agents.
pub const REMEMBERED: usize = 400;

/// What a duration may depend on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Traits {
    /// Who made the estimate: the owner, or a habit.
    pub asker: String,
    /// The task's category.
    pub category: String,
    /// Its project; empty for none.
    pub project: String,
    /// The agent that builds it; empty for an action.
    pub agent: String,
}

/// How an attempt ended, as far as its duration tells something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It came to its end and was good.
    Done,
    /// It came to its end and was not.
    Failed,
    /// It was ended, or is still running: it takes longer than this.
    Cut,
    /// It broke off for a passing reason and is tried again: the whole takes longer than this.
    Transient,
}

impl Ending {
    /// What a build's outcome tells, and whether its duration is that of the whole task: an agent that gave up, or ran
    /// into a wall, tells nothing of how long the task takes.
    pub fn of(outcome: Outcome) -> (Self, bool) {
        match outcome {
            Outcome::Verified | Outcome::Unverified => (Self::Done, true),
            Outcome::TestsFailed | Outcome::Flaky => (Self::Failed, true),
            Outcome::Failed | Outcome::NoChange | Outcome::Denied => (Self::Failed, false),
            Outcome::Transient => (Self::Transient, true),
            Outcome::TimedOut | Outcome::OverBudget | Outcome::Stopped | Outcome::Cancelled | Outcome::Unknown => {
                (Self::Cut, true)
            }
        }
    }
}

/// One attempt at a task, past or running.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// What was built, for whom, by whom.
    pub traits: Traits,
    /// The owner's estimate, in minutes.
    pub estimate: f64,
    /// Minutes it worked; 0 where that is not known, and then only its ending counts.
    pub minutes: f64,
    /// How it ended.
    pub ending: Ending,
}

/// What a forecast is learned from.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct History {
    /// In no special order.
    pub records: Vec<Record>,
    /// Attempts a task is given; 0 counts as 1.
    pub attempts: u32,
}

/// The forecast of one task's next attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Forecast {
    /// Normal distributions of ln(minutes): weight, mean, standard deviation. Each stands for a size of the noise.
    parts: Vec<(f64, f64, f64)>,
    /// Minutes it is known to take more than.
    beyond: f64,
    /// Chance that it ends well if it is given all the time it needs, retries included.
    pub succeeds: f64,
    /// Chances of no, one, two… passing failures before its end, given that it gets there.
    retries: Vec<f64>,
}

/// A passing failure comes about half way.
const LOST_IN_A_RETRY: f64 = 0.5;

impl Forecast {
    fn raw(&self, minutes: f64) -> f64 {
        if minutes <= 0.0 {
            return 0.0;
        }
        let x = minutes.ln();
        self.parts.iter().map(|(weight, mean, sd)| weight * below((x - mean) / sd)).sum()
    }

    /// Chance that it has ended, well or not, within so many minutes of work, retries included. For one that runs,
    /// counted from its beginning, and given that it has not ended yet.
    pub fn within(&self, minutes: f64) -> f64 {
        let gone = self.raw(self.beyond);
        let left = (1.0 - gone).max(1e-9);
        let stretched = |(number, chance): (usize, &f64)| {
            chance * (self.raw(minutes / (1.0 + LOST_IN_A_RETRY * number as f64)) - gone).max(0.0)
        };
        self.retries.iter().enumerate().map(stretched).sum::<f64>() / left
    }

    /// Expected minutes of work, where none beyond `most` are spent.
    pub fn capped_mean(&self, most: f64) -> f64 {
        let plain = |most: f64| -> f64 {
            let part = |(weight, mean, sd): &(f64, f64, f64)| {
                let z = (most.ln() - mean) / sd;
                weight * ((mean + 0.5 * sd * sd).exp() * below(z - sd) + most * above(z))
            };
            self.parts.iter().map(part).sum()
        };
        let stretched = |(number, chance): (usize, &f64)| {
            let stretch = 1.0 + LOST_IN_A_RETRY * number as f64;
            chance * stretch * plain(most / stretch)
        };
        self.retries.iter().enumerate().map(stretched).sum()
    }

    /// The minutes of work within which it has ended with this chance (0.5: the median).
    pub fn quantile(&self, chance: f64) -> f64 {
        let (mut low, mut high) = (self.beyond.max(0.01), 1e7_f64);
        for _ in 0..60 {
            let middle = (low * high).sqrt();
            if self.within(middle) < chance { low = middle } else { high = middle }
        }
        (low * high).sqrt()
    }

    /// The same for a build that has worked so many minutes and has not ended.
    #[must_use]
    pub fn after(mut self, worked: f64) -> Self {
        self.beyond = self.beyond.max(worked);
        self
    }

    /// The same for a build whose agent says it has done so many percent in the minutes it has worked. A claim is a hint
    /// about the whole duration: a weak one at the beginning, a good one near the end.
    #[must_use]
    pub fn claims(mut self, worked: f64, percent: u8) -> Self {
        if percent == 0 || worked < 1.0 {
            return self;
        }
        let done = f64::from(percent.min(100)) / 100.0;
        let (hint, doubt) = ((worked / done).ln(), 0.25 + (1.0 - done));
        for (_, mean, sd) in &mut self.parts {
            let (own, told) = (sd.powi(-2), doubt.powi(-2));
            *mean = (*mean * own + hint * told) / (own + told);
            *sd = (own + told).sqrt().recip();
        }
        self
    }
}

#[cfg(test)]
mod tests;
