//! Caps on what agents may use.

use crate::domain::build::Used;
use crate::domain::format::count;

/// Caps for one build, and for all builds of one session together.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct BudgetSettings {
    /// For each build, over all rounds of its agent.
    pub build: Caps,
    /// For the builds of one session together.
    pub night: Caps,
}

/// Caps; none: as much as it takes.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Caps {
    /// US dollars.
    pub usd: Option<f64>,
    /// Tokens in and out.
    pub tokens: Option<u64>,
    /// Turns of the model.
    pub turns: Option<u32>,
}

impl Caps {
    /// The cap that is reached, in words; none while there is something left.
    pub fn reached(&self, spent: Used) -> Option<String> {
        if let Some(cap) = self.usd.filter(|cap| spent.usd >= *cap) {
            return Some(format!("US$ {:.2} of {cap:.2} used", spent.usd));
        }
        if let Some(cap) = self.tokens.filter(|cap| spent.tokens >= *cap) {
            return Some(format!("{} of {} tokens used", count(spent.tokens), count(cap)));
        }
        self.turns.filter(|cap| spent.turns >= *cap).map(|cap| format!("{} of {cap} turns used", spent.turns))
    }

    /// What is left of them.
    #[must_use]
    pub fn left(&self, spent: Used) -> Self {
        Self {
            usd: self.usd.map(|cap| (cap - spent.usd).max(0.0)),
            tokens: self.tokens.map(|cap| cap.saturating_sub(spent.tokens)),
            turns: self.turns.map(|cap| cap.saturating_sub(spent.turns)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_cap_that_is_reached_is_named() {
        let spent = Used { tokens: 1200, usd: 0.5, turns: 9 };
        assert_eq!(Caps::default().reached(spent), None);
        let caps = Caps { usd: Some(0.5), tokens: Some(5000), turns: Some(9) };
        assert_eq!(caps.reached(spent).as_deref(), Some("US$ 0.50 of 0.50 used"));
        let caps = Caps { usd: Some(1.0), ..caps };
        assert_eq!(caps.reached(spent).as_deref(), Some("9 of 9 turns used"));
        assert_eq!(caps.left(spent), Caps { usd: Some(0.5), tokens: Some(3800), turns: Some(0) });
    }
}
