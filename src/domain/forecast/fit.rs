//! The fit: biases, slope and noise from records.

use super::linear::Factored;
use super::normal::{above, hazard};
use super::rates::Rates;
use super::{Ending, Forecast, History, Record, Traits};

/// Expected global bias and its spread, in ln. Spreads of all biases are those of 22,922 pairs of estimate and duration
/// of human tasks (SiP and CESAW data) rounded down: agents vary less.
const GLOBAL: (f64, f64) = (-0.05, 0.25);
/// Spread of a bias of asker, category, project and agent.
const SPREAD: [f64; 4] = [0.35, 0.2, 0.2, 0.2];
/// Long tasks are estimated too long: the slope in ln(estimate / 120 minutes) and its spread.
const SLOPE: (f64, f64) = (-0.12, 0.05);
const SLOPE_FROM: f64 = 120.0;
/// Sizes of the noise that are weighed against each other, and how likely each is before anything was seen.
const NOISE: [(f64, f64); 10] = [
    (0.05, 0.01),
    (0.1, 0.01),
    (0.2, 0.03),
    (0.35, 0.08),
    (0.45, 0.17),
    (0.55, 0.24),
    (0.65, 0.2),
    (0.8, 0.12),
    (1.0, 0.09),
    (1.25, 0.05),
];
/// A size of the noise less likely than this is left out.
const UNLIKELY: f64 = 0.01;
/// How many tasks of one asker weigh as much as the noise all show.
const NOISE_OF_ALL: f64 = 8.0;
/// Steps of the search where durations are known only as "longer than".
const NEWTON_STEPS: usize = 4;

/// Everything learned; makes forecasts.
#[derive(Debug, Clone)]
pub struct Model {
    levels: [Vec<String>; 4],
    parts: Vec<Part>,
    /// Each asker's noise as a multiple of that of all.
    noise_of: Vec<f64>,
    rates: Rates,
    records: Vec<Record>,
}

/// The fit under one size of the noise.
#[derive(Debug, Clone)]
struct Part {
    weight: f64,
    noise: f64,
    unknowns: Vec<f64>,
    information: Factored,
}

/// A record as the fit reads it.
struct Row {
    /// The unknowns it depends on, with their factors: global, slope, one each of the traits.
    terms: [(usize, f64); 6],
    /// ln(minutes / estimate).
    ratio: f64,
    longer: bool,
    asker: usize,
}

impl Row {
    fn expected(&self, unknowns: &[f64]) -> f64 {
        self.terms.iter().map(|(index, factor)| unknowns[*index] * factor).sum()
    }
}

/// The normal equations as they grow.
#[derive(Clone)]
struct Equations {
    matrix: Vec<f64>,
    right: Vec<f64>,
}

impl Equations {
    fn empty(size: usize) -> Self {
        Self { matrix: vec![0.0; size * size], right: vec![0.0; size] }
    }

    fn add(&mut self, row: &Row, weight: f64, ratio: f64) {
        let size = self.right.len();
        for (i, a) in row.terms {
            self.right[i] += weight * ratio * a;
            for (j, b) in row.terms {
                self.matrix[i * size + j] += weight * a * b;
            }
        }
    }
}

fn words(traits: &Traits) -> [&str; 4] {
    [&traits.asker, &traits.category, &traits.project, &traits.agent]
}

impl Model {
    /// Learns from the past and from what runs now (given as [`Ending::Cut`] records).
    pub fn learn(history: &History, running: &[Record]) -> Self {
        let records: Vec<Record> = history.records.iter().chain(running).cloned().collect();
        let rates = Rates::new(records.iter(), history.attempts);
        let mut model = Self { levels: Default::default(), parts: vec![], noise_of: vec![], rates, records };
        let rows = model.rows();
        model.noise_of = vec![1.0; model.levels[0].len()];
        model.fit(&rows);
        if rows.iter().any(|row| !row.longer) {
            model.noise_of = model.noise_by_asker(&rows);
            model.fit(&rows);
        }
        model
    }

    /// How many unknowns come before those of a trait.
    fn offset(&self, of: usize) -> usize {
        2 + self.levels[..of].iter().map(Vec::len).sum::<usize>()
    }

    fn rows(&mut self) -> Vec<Row> {
        let timed: Vec<&Record> = self.records.iter().filter(|r| r.minutes > 0.0 && r.estimate > 0.0).collect();
        let mut levels: [Vec<String>; 4] = Default::default();
        for record in &timed {
            for (known, word) in levels.iter_mut().zip(words(&record.traits)) {
                if !known.iter().any(|level| level == word) {
                    known.push(word.to_owned());
                }
            }
        }
        let mut offsets = [2; 4];
        for of in 1..4 {
            offsets[of] = offsets[of - 1] + levels[of - 1].len();
        }
        let place = |of: usize, word: &str| levels[of].iter().position(|level| level == word).unwrap_or(0);
        let rows = timed
            .iter()
            .map(|record| {
                let at = words(&record.traits);
                let term = |of: usize| (offsets[of] + place(of, at[of]), 1.0);
                let long = (record.estimate / SLOPE_FROM).ln();
                Row {
                    terms: [(0, 1.0), (1, long), term(0), term(1), term(2), term(3)],
                    ratio: (record.minutes.max(1.0) / record.estimate).ln(),
                    longer: matches!(record.ending, Ending::Cut | Ending::Transient),
                    asker: place(0, at[0]),
                }
            })
            .collect();
        self.levels = levels;
        rows
    }

    /// What the unknowns are expected to be, and how surely (1 / variance).
    fn priors(&self) -> (Vec<f64>, Vec<f64>) {
        let (mut means, mut sure) = (vec![GLOBAL.0, SLOPE.0], vec![GLOBAL.1.powi(-2), SLOPE.1.powi(-2)]);
        for (levels, spread) in self.levels.iter().zip(SPREAD) {
            means.extend(levels.iter().map(|_| 0.0));
            sure.extend(levels.iter().map(|_| spread.powi(-2)));
        }
        (means, sure)
    }

    fn fit(&mut self, rows: &[Row]) {
        let (means, sure) = self.priors();
        let size = means.len();
        // What was seen whole enters alike under every size of the noise, but for a factor.
        let mut whole = Equations::empty(size);
        for row in rows.iter().filter(|row| !row.longer) {
            whole.add(row, self.noise_of[row.asker].powi(-2), row.ratio);
        }
        let cut: Vec<&Row> = rows.iter().filter(|row| row.longer).collect();
        let mut fits = Vec::with_capacity(NOISE.len());
        for (noise, likely) in NOISE {
            let mut unknowns = means.clone();
            let mut information = None;
            for _ in 0..if cut.is_empty() { 1 } else { NEWTON_STEPS } {
                let mut equations = whole.clone();
                equations.matrix.iter_mut().chain(&mut equations.right).for_each(|sum| *sum /= noise * noise);
                for (i, (mean, sure)) in means.iter().zip(&sure).enumerate() {
                    equations.matrix[i * size + i] += sure;
                    equations.right[i] += sure * mean;
                }
                for row in &cut {
                    let (weight, ratio) = at_least(row, &unknowns, noise * self.noise_of[row.asker]);
                    equations.add(row, weight, ratio);
                }
                let factored = Factored::new(equations.matrix, size);
                unknowns = factored.solve(&equations.right);
                information = Some(factored);
            }
            let Some(information) = information else { continue };
            let evidence = self.evidence(rows, noise, &unknowns, (&means, &sure)) + likely.ln()
                - information.half_log_determinant();
            fits.push((evidence, Part { weight: 0.0, noise, unknowns, information }));
        }
        self.parts = weighed(fits);
    }

    /// ln of how well unknowns explain what was seen (Laplace's approximation, without its constant).
    fn evidence(&self, rows: &[Row], noise: f64, unknowns: &[f64], priors: (&[f64], &[f64])) -> f64 {
        let seen: f64 = rows
            .iter()
            .map(|row| {
                let noise = noise * self.noise_of[row.asker];
                let z = (row.ratio - row.expected(unknowns)) / noise;
                if row.longer { above(z).max(1e-300).ln() } else { -0.5 * z * z - noise.ln() }
            })
            .sum();
        let believed: f64 = unknowns
            .iter()
            .zip(priors.0.iter().zip(priors.1))
            .map(|(unknown, (mean, sure))| 0.5 * sure.ln() - 0.5 * sure * (unknown - mean).powi(2))
            .sum();
        seen + believed
    }

    fn noise_by_asker(&self, rows: &[Row]) -> Vec<f64> {
        let usual: f64 = self.parts.iter().map(|part| part.weight * part.noise * part.noise).sum();
        let mut sums = vec![(0.0, 0.0); self.levels[0].len()];
        for row in rows.iter().filter(|row| !row.longer) {
            let (squares, number) = &mut sums[row.asker];
            *number += 1.0;
            *squares += self
                .parts
                .iter()
                .map(|part| part.weight * (row.ratio - row.expected(&part.unknowns)).powi(2))
                .sum::<f64>();
        }
        let multiple =
            |(squares, number): (f64, f64)| ((NOISE_OF_ALL + squares / usual) / (NOISE_OF_ALL + number)).sqrt();
        sums.into_iter().map(multiple).collect()
    }

    /// The forecast for a task with these traits and this estimate (minutes) that was tried `tried` times before.
    pub fn forecast(&self, traits: &Traits, estimate: f64, tried: u32) -> Forecast {
        let estimate = estimate.max(1.0);
        let mut terms = vec![(0, 1.0), (1, (estimate / SLOPE_FROM).ln())];
        let mut unseen = 0.0;
        for (of, word) in words(traits).into_iter().enumerate() {
            match self.levels[of].iter().position(|level| level == word) {
                Some(place) => terms.push((self.offset(of) + place, 1.0)),
                None => unseen += SPREAD[of] * SPREAD[of],
            }
        }
        let asker = self.levels[0].iter().position(|level| *level == traits.asker);
        let noise_of = asker.map_or(1.0, |asker| self.noise_of[asker]);
        let parts = self
            .parts
            .iter()
            .map(|part| {
                let mean: f64 = terms.iter().map(|(index, factor)| part.unknowns[*index] * factor).sum();
                let variance = (part.noise * noise_of).powi(2) + unseen + part.information.variance(&terms);
                (part.weight, estimate.ln() + mean, variance.sqrt())
            })
            .collect();
        let (succeeds, retries) = self.rates.of(traits, tried);
        Forecast { parts, beyond: 0.0, succeeds, retries }
    }

    /// The records it was made of.
    pub fn records(&self) -> &[Record] {
        &self.records
    }
}

/// A duration known as "longer than" as one Newton step sees it: how much it weighs, and which ratio it speaks for.
fn at_least(row: &Row, unknowns: &[f64], noise: f64) -> (f64, f64) {
    let expected = row.expected(unknowns);
    let z = (row.ratio - expected) / noise;
    let pull = hazard(z);
    let share = (pull * (pull - z)).clamp(1e-6, 1.0);
    (share / (noise * noise), expected + noise * pull / share)
}

/// Turns evidence into weights and leaves out what is unlikely.
fn weighed(fits: Vec<(f64, Part)>) -> Vec<Part> {
    let best = fits.iter().map(|(evidence, _)| *evidence).fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = fits.iter().map(|(evidence, _)| (evidence - best).exp()).sum();
    let mut parts: Vec<Part> = fits
        .into_iter()
        .map(|(evidence, part)| Part { weight: (evidence - best).exp() / total, ..part })
        .filter(|part| part.weight > UNLIKELY)
        .collect();
    let kept: f64 = parts.iter().map(|part| part.weight).sum();
    for part in &mut parts {
        part.weight /= kept;
    }
    parts
}
