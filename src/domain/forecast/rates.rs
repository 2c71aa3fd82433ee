//! How often builds fail, for good or in passing: counted per category and project, drawn towards what all show.

use super::{Ending, Record, Traits};
use std::collections::BTreeMap;

/// What is expected before anything was seen, and how many tasks that belief is worth.
const EXPECTED: f64 = 0.01;
const WEIGHT_OF_ALL: f64 = 30.0;
/// How many tasks of one kind weigh as much as what all show.
const WEIGHT_OF_KIND: f64 = 10.0;

#[derive(Debug, Clone, Copy, Default)]
struct Count {
    ended: f64,
    failed: f64,
    broke_off: f64,
}

impl Count {
    fn add(&mut self, ending: Ending) {
        match ending {
            Ending::Done => self.ended += 1.0,
            Ending::Failed => (self.ended, self.failed) = (self.ended + 1.0, self.failed + 1.0),
            Ending::Transient => self.broke_off += 1.0,
            Ending::Cut => {}
        }
    }
}

/// Chances to fail.
#[derive(Debug, Clone, Default)]
pub(super) struct Rates {
    all: Count,
    kinds: BTreeMap<(String, String), Count>,
    attempts: u32,
}

fn drawn(seen: f64, of: f64, towards: f64, weight: f64) -> f64 {
    ((seen + towards * weight) / (of + weight)).clamp(0.0, 0.99)
}

impl Rates {
    pub(super) fn new<'a>(records: impl Iterator<Item = &'a Record>, attempts: u32) -> Self {
        let mut rates = Self { attempts: attempts.max(1), ..Self::default() };
        for record in records {
            rates.all.add(record.ending);
            let kind = (record.traits.category.clone(), record.traits.project.clone());
            rates.kinds.entry(kind).or_default().add(record.ending);
        }
        rates
    }

    /// The chance that a task of this kind, tried `tried` times before, ends well, and the chances of no, one, two…
    /// further passing failures on the way there.
    pub(super) fn of(&self, traits: &Traits, tried: u32) -> (f64, Vec<f64>) {
        let kind = self.kinds.get(&(traits.category.clone(), traits.project.clone())).copied().unwrap_or_default();
        let attempts = f64::from(self.attempts);
        let failed = drawn(self.all.failed, self.all.ended, EXPECTED, WEIGHT_OF_ALL);
        let failed = drawn(kind.failed, kind.ended, failed, WEIGHT_OF_KIND);
        // Each of the attempts a task is given breaks off with this chance.
        let given = |count: Count| (count.ended * attempts).max(count.broke_off);
        let broke = drawn(self.all.broke_off, given(self.all), EXPECTED, attempts * WEIGHT_OF_ALL * 2.0 / 3.0);
        let broke = drawn(kind.broke_off, given(kind), broke, attempts * WEIGHT_OF_KIND * 2.0 / 3.0);
        let chances: Vec<f64> = (tried.min(self.attempts)..=self.attempts).map(|n| self.binomial(n, broke)).collect();
        let total: f64 = chances.iter().sum();
        // The last one: all attempts break off, and it never gets there.
        let arrives: f64 = chances[..chances.len() - 1].iter().sum();
        if total <= 0.0 || arrives <= 0.0 {
            return (0.0, vec![1.0]);
        }
        let mut retries: Vec<f64> = chances[..chances.len() - 1].iter().map(|chance| chance / arrives).collect();
        if retries[0] > 0.985 {
            retries = vec![1.0];
        }
        ((1.0 - failed) * arrives / total, retries)
    }

    fn binomial(&self, number: u32, chance: f64) -> f64 {
        let ways = (0..number).fold(1.0, |ways, k| ways * f64::from(self.attempts - k) / f64::from(k + 1));
        ways * chance.powi(i32::try_from(number).unwrap_or(0))
            * (1.0 - chance).powi(i32::try_from(self.attempts - number).unwrap_or(0))
    }
}
