//! What the minutes of a place are worth tonight.
//!
//! Every task is wanted by all places, but can be built once. Each gets a *rent* (a Lagrange multiplier), such that with
//! rents paid no task is wanted more often than it is there; then places can be looked at one by one. One place with `r`
//! minutes left is worth
//!
//! ```text
//! V(r) = max( V(r - step),  max over tasks of  value · P(done within r) - rent + E[V(r - D)] )
//! ```
//!
//! which a dynamic programme finds on a grid of [`STEP`] minutes (stochastic knapsack: Dean, Goemans and Vondrák 2008; the
//! rents: Hawkins' relaxation of weakly coupled problems, 2003, by subgradient steps). Numbers only: what a task is worth
//! and how long it takes is decided elsewhere.

/// Minutes between two points of the grid.
pub(super) const STEP: f64 = 10.0;
/// Steps towards the rents; the second half is averaged.
const ROUNDS: usize = 20;
/// How far the first step goes, as a share of a task's value.
const FIRST_STEP: f64 = 0.3;
/// A place this unlikely to be free is not followed further.
const NEGLIGIBLE: f64 = 1e-4;

/// Tasks that are alike to the planner.
#[derive(Debug, Clone)]
pub(super) struct Offer {
    /// What one of them is worth when it is done, its chance to succeed counted in.
    pub value: f64,
    /// How many there are.
    pub count: f64,
    /// Whether one could be started now.
    pub startable: bool,
    /// Not before so many minutes are left; infinite: at once.
    pub opens: f64,
    /// Chance that it has ended within `r - (points - i) · STEP` minutes, for each point.
    pub within: Vec<f64>,
    /// Chance that it ends in the i-th step after its start.
    pub ends: Vec<f64>,
    /// Offers that wait for it: which, and the share of their worth that is due to this one.
    pub unlocks: Vec<(usize, f64)>,
}

/// One place for a build.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// Chance that it becomes free with `i` steps left, for each point.
    pub free: Vec<f64>,
    /// Spans of remaining minutes (from, down to) in which it accepts no start.
    pub closed: Vec<(f64, f64)>,
}

/// What came out.
#[derive(Debug)]
pub(super) struct Prices {
    /// What a place is worth with `i` steps left, averaged over the places.
    pub worth: Vec<f64>,
    rents: Vec<f64>,
    unlocked: Vec<Vec<f64>>,
}

/// Points of the grid for so many remaining minutes.
pub(super) fn points(remaining: f64) -> usize {
    // At most two days of minutes: small and positive.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a few hundred at most, never negative"
    )]
    let points = (remaining / STEP).ceil().max(1.0) as usize;
    points
}

/// One place's best choices under given rents.
struct Programme {
    worth: Vec<f64>,
    best: Vec<Option<usize>>,
}

struct Market<'a> {
    offers: &'a [Offer],
    remaining: f64,
    points: usize,
}

impl Market<'_> {
    fn left(&self, point: usize) -> f64 {
        self.remaining - (self.points - point) as f64 * STEP
    }

    fn programme(&self, closed: &[(f64, f64)], rents: &[f64]) -> Programme {
        let mut worth = vec![0.0; self.points + 1];
        let mut best = vec![None; self.points + 1];
        for point in 1..=self.points {
            let left = self.left(point);
            worth[point] = worth[point - 1];
            if closed.iter().any(|(from, to)| left <= *from && left > *to) {
                continue;
            }
            for (index, offer) in self.offers.iter().enumerate() {
                if (!offer.startable && offer.opens.is_infinite()) || left > offer.opens {
                    continue;
                }
                let gain = offer.value * offer.within[point] - rents[index];
                let gain = gain + expected(&offer.ends, &worth, point);
                if gain > worth[point] {
                    (worth[point], best[point]) = (gain, Some(index));
                }
            }
        }
        Programme { worth, best }
    }

    /// Adds how often a place takes each offer.
    fn follow(&self, place: &Place, best: &[Option<usize>], taken: &mut [f64]) {
        let mut chance = place.free.clone();
        for point in (1..=self.points).rev() {
            let here = chance[point];
            if here < NEGLIGIBLE {
                continue;
            }
            match best[point] {
                None => chance[point - 1] += here,
                Some(offer) => {
                    taken[offer] += here;
                    for (later, ends) in chance[..point].iter_mut().rev().zip(&self.offers[offer].ends[1..]) {
                        *later += here * ends;
                    }
                }
            }
        }
    }

    /// Rents to begin with: what is left of each task's value once its time is paid for at the price of the last task
    /// that still fits.
    fn first_rents(&self, places: &[Place]) -> Vec<f64> {
        let capacity: f64 =
            places.iter().flat_map(|place| place.free.iter().enumerate()).map(|(i, p)| p * i as f64 * STEP).sum();
        let minutes = |offer: &Offer| {
            let ended: f64 = offer.ends.iter().enumerate().map(|(i, p)| p * (i as f64 - 0.5).max(0.0)).sum();
            (ended * STEP + (1.0 - offer.within[self.points]) * self.remaining).max(1.0)
        };
        let time: Vec<f64> = self.offers.iter().map(minutes).collect();
        let value: Vec<f64> = self.offers.iter().map(|offer| offer.value * offer.within[self.points]).collect();
        let mut order: Vec<usize> = (0..value.len()).collect();
        order.sort_by(|a, b| (value[*b] / time[*b]).total_cmp(&(value[*a] / time[*a])).then(a.cmp(b)));
        let (mut used, mut price) = (0.0, 0.0);
        for index in order {
            used += time[index] * self.offers[index].count;
            price = value[index] / time[index];
            if used >= capacity {
                break;
            }
        }
        let price = if used < capacity { 0.0 } else { price };
        value.iter().zip(&time).map(|(value, time)| (value - price * time).max(0.0)).collect()
    }
}

/// Expected worth of what is left after a task that ends like this.
fn expected(ends: &[f64], worth: &[f64], point: usize) -> f64 {
    ends[1..=point].iter().zip(worth[..point].iter().rev()).map(|(chance, worth)| chance * worth).sum()
}

/// Finds the prices for places with `remaining` minutes until the end. `leaves_first` lists the offers such that those
/// that wait for others come before them.
pub(super) fn prices(offers: &[Offer], places: &[Place], remaining: f64, leaves_first: &[usize]) -> Prices {
    let market = Market { offers, remaining, points: points(remaining) };
    let value: Vec<f64> = offers.iter().map(|offer| offer.value * offer.within[market.points]).collect();
    let mut kinds: Vec<&[(f64, f64)]> = Vec::new();
    for place in places {
        if !kinds.contains(&place.closed.as_slice()) {
            kinds.push(&place.closed);
        }
    }
    let kind_of = |place: &Place| kinds.iter().position(|kind| *kind == place.closed.as_slice()).unwrap_or(0);
    let mut rents = market.first_rents(places);
    let mut sums = vec![0.0; offers.len()];
    for round in 1..=ROUNDS {
        let programmes: Vec<Programme> = kinds.iter().map(|closed| market.programme(closed, &rents)).collect();
        let mut taken = vec![0.0; offers.len()];
        for place in places {
            market.follow(place, &programmes[kind_of(place)].best, &mut taken);
        }
        let step = FIRST_STEP / (1.0 + round as f64 / 6.0);
        for (index, offer) in offers.iter().enumerate() {
            let wanted_too_often = ((taken[index] - offer.count) / offer.count).clamp(-0.6, 1.5);
            rents[index] = (rents[index] + step * value[index].max(0.1) * wanted_too_often).clamp(0.0, value[index]);
            if round * 2 > ROUNDS {
                sums[index] += rents[index] / (ROUNDS - ROUNDS / 2) as f64;
            }
        }
    }
    let programmes: Vec<Programme> = kinds.iter().map(|closed| market.programme(closed, &sums)).collect();
    let mut worth = vec![0.0; market.points + 1];
    for place in places {
        for (sum, own) in worth.iter_mut().zip(&programmes[kind_of(place)].worth) {
            *sum += own / places.len() as f64;
        }
    }
    let mut prices = Prices { worth, rents: sums, unlocked: vec![vec![]; offers.len()] };
    if offers.iter().any(|offer| !offer.unlocks.is_empty()) {
        for index in leaves_first {
            prices.unlocked[*index] = prices.worth_of_having(offers, *index, market.points);
        }
    }
    prices
}

impl Prices {
    /// What it is worth to be able to start an offer with `i` steps left.
    fn worth_of_having(&self, offers: &[Offer], index: usize, points: usize) -> Vec<f64> {
        let mut row = vec![0.0; points + 1];
        for point in 1..=points {
            let offer = &offers[index];
            let gain = self.earns(offers, index, point) + self.after(offer, point) - self.rents[index];
            let gain: f64 = (gain - self.worth[point]).max(0.0) * offer.count;
            row[point] = gain.max(row[point - 1]);
        }
        row
    }

    /// Expected value of starting an offer with `point` steps left, with its share of what it unlocks.
    pub(super) fn earns(&self, offers: &[Offer], index: usize, point: usize) -> f64 {
        let offer = &offers[index];
        let unlocks: f64 = offer
            .unlocks
            .iter()
            .filter(|(waiting, _)| !self.unlocked[*waiting].is_empty())
            .map(|(waiting, share)| share * expected(&offer.ends, &self.unlocked[*waiting], point))
            .sum();
        offer.value * offer.within[point] + unlocks
    }

    /// Expected worth of the place once that offer has ended.
    pub(super) fn after(&self, offer: &Offer, point: usize) -> f64 {
        expected(&offer.ends, &self.worth, point)
    }
}
