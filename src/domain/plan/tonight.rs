//! Which task a free place is worth most to, tonight.
//!
//! Value is priority (8, 4, 2, 1) times the owner's estimate in hours, earned when a build is done before the window ends.
//! Tasks that are alike to the forecast form a group; the most promising groups, at several remaining times, go to market
//! ([`super::price`]). A place takes the task whose expected value plus the expected worth of the place afterwards is
//! largest. One that unlocks others earns its share of them too.

use super::choice::{self, Standing};
use super::expect::{forecast_of, running_record, traits_of, worked};
use super::outlook::Closure;
use super::price::{self, Offer, Place, Prices, STEP};
use super::{Snapshot, overlap};
use crate::domain::build::Build;
use crate::domain::forecast::{Forecast, Model, Record};
use crate::domain::id::TaskId;
use crate::domain::task::{Priority, Task};
use crate::domain::words::clock;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Groups that go to market: the best by value a minute over so much of the remaining time, and how many of them.
const CONTENDERS: [(f64, usize); 4] = [(1.0, 40), (0.5, 13), (0.25, 10), (0.12, 8)];
/// Tasks that wait for others, or that others wait for, on the market.
const CHAINED: usize = 60;
/// A build that is lost if it is not done when the window ends needs at least this chance.
const LEAST_CHANCE: f64 = 0.28;
/// How much of a place's worth is put against time that would be lost.
const LOSS: f64 = 0.1;

/// A decision, with its reason in numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Odds {
    /// Chance that it is done when the window ends.
    pub chance: f64,
    /// Expected value: priority × estimated hours × chance, and its share of what waits for it.
    pub worth: f64,
    /// What the time it takes would be worth to the other tasks.
    pub price: f64,
    /// Half of such tasks take no longer than this, in minutes.
    pub half: f64,
}

impl Odds {
    /// `82 % chance to finish by 06:30, worth 14.2, slot time costs 9.1`.
    pub fn words(&self, end: DateTime<Utc>, zone: Tz) -> String {
        format!(
            "{:.0} % chance to finish by {}, worth {:.1}, slot time costs {:.1}",
            self.chance * 100.0,
            clock(end, zone),
            self.worth,
            self.price
        )
    }
}

/// Weight of a priority.
pub fn weight(priority: Priority) -> f64 {
    match priority {
        Priority::Critical => 8.0,
        Priority::High => 4.0,
        Priority::Medium => 2.0,
        Priority::Low => 1.0,
    }
}

/// Tasks that are alike to the planner, oldest first.
struct Group<'a> {
    tasks: Vec<(&'a Task, bool)>,
    /// How many of them are gone.
    taken: usize,
    forecast: Forecast,
    value: f64,
    startable: bool,
    opens: f64,
    goes_on: bool,
    waits_for: Vec<TaskId>,
    chained: bool,
}

impl Group<'_> {
    fn left(&self) -> usize {
        self.tasks.len() - self.taken
    }

    /// Expected value a minute, if `minutes` are left.
    fn density(&self, minutes: f64) -> f64 {
        self.value * self.forecast.succeeds * self.forecast.within(minutes + 0.5)
            / self.forecast.capped_mean(minutes).max(1.0)
    }
}

/// The rest of a night, as its places see it.
pub(super) struct Tonight<'a> {
    world: &'a Snapshot,
    now: DateTime<Utc>,
    remaining: f64,
    places: Vec<Place>,
    groups: Vec<Group<'a>>,
    /// The groups as offers, made when first needed.
    offers: HashMap<usize, Offer>,
}

/// What distinguishes tasks to the planner.
type Alike<'a> = (Priority, u32, crate::domain::category::Category, Option<&'a str>, Option<&'a str>, &'a str, bool);

impl<'a> Tonight<'a> {
    /// Looks at the tasks a session's places may take until `end`. `full` says of which projects no more may start now.
    pub(super) fn new(
        world: &'a Snapshot,
        end: DateTime<Utc>,
        now: DateTime<Utc>,
        mut may_start: impl FnMut(&Task) -> bool,
    ) -> Self {
        let running: Vec<Record> = world.running().filter_map(|build| running_record(world, build, now)).collect();
        let model = Model::learn(&world.outlook.history, &running);
        let remaining = world.outlook.working_minutes(now, end).max(0.0);
        let mut tonight = Self { world, now, remaining, places: vec![], groups: vec![], offers: HashMap::new() };
        tonight.group(&model, end, &mut may_start);
        tonight.places = tonight.places(&model, end);
        tonight
    }

    fn group(&mut self, model: &Model, end: DateTime<Utc>, may_start: &mut impl FnMut(&Task) -> bool) {
        let world = self.world;
        let needed: BTreeSet<TaskId> =
            world.tasks.iter().flat_map(|task| task.spec.depends_on.iter().copied()).collect();
        let mut alike: HashMap<Alike<'_>, usize> = HashMap::new();
        for task in &world.tasks {
            let until_open = |at: DateTime<Utc>| {
                if at < end { Some(world.outlook.working_minutes(at, end)) } else { None }
            };
            let (approved, startable, opens, waits_for) = match choice::standing(world, task, self.now) {
                Standing::Ready { approved } if may_start(task) => (approved, true, f64::INFINITY, vec![]),
                Standing::DependsOn(ids) => (false, false, f64::INFINITY, ids),
                Standing::NotBefore(at) | Standing::RetryAt(at) | Standing::AgentClosed { until: (at, _), .. } => {
                    match until_open(at) {
                        Some(opens) => (false, false, opens, vec![]),
                        None => continue,
                    }
                }
                // Also where its project is full: it may start later, but nobody knows when.
                _ => continue,
            };
            let chained = !waits_for.is_empty() || needed.contains(&task.id);
            let goes_on = !world.outlook.lost_at_the_end.contains(&task.id);
            let simple = startable && !chained && task.attempts == 0;
            let spec = &task.spec;
            let key = (
                spec.priority,
                spec.estimate_minutes,
                spec.category,
                spec.project.as_deref(),
                spec.agent.as_deref(),
                task.source.as_str(),
                goes_on,
            );
            if simple && let Some(group) = alike.get(&key) {
                self.groups[*group].tasks.push((task, approved));
                continue;
            }
            if simple {
                alike.insert(key, self.groups.len());
            }
            let traits = traits_of(world, task);
            let forecast = model
                .forecast(&traits, f64::from(spec.estimate_minutes), task.attempts)
                .after(world.outlook.lasted.get(&task.id).copied().unwrap_or(0.0));
            let value = weight(spec.priority) * f64::from(spec.estimate_minutes) / 60.0;
            let tasks = vec![(task, approved)];
            self.groups.push(Group { tasks, taken: 0, forecast, value, startable, opens, goes_on, waits_for, chained });
        }
    }

    /// The places: those that build, with when they may be free, and the rest.
    fn places(&self, model: &Model, end: DateTime<Utc>) -> Vec<Place> {
        let points = price::points(self.remaining);
        let most = self.world.settings.limits.max_builds.max(self.world.running().count());
        let mut places: Vec<Place> = self
            .world
            .running()
            .map(|build| Place { free: self.free_after(build, model, points), closed: vec![] })
            .collect();
        let mut at_once = vec![0.0; points + 1];
        at_once[points] = 1.0;
        places.resize(most, Place { free: at_once, closed: vec![] });
        for closure in self.world.outlook.closures.iter().filter(|closure| !closure.stands_still) {
            let span = |at: DateTime<Utc>| self.world.outlook.working_minutes(at.clamp(self.now, end), end);
            let from = most.saturating_sub(closure.places);
            for place in &mut places[from..] {
                place.closed.push((span(closure.from), span(closure.until)));
            }
        }
        places
    }

    fn free_after(&self, build: &Build, model: &Model, points: usize) -> Vec<f64> {
        let mut free = vec![0.0; points + 1];
        let Some(forecast) = forecast_of(self.world, model, build, self.now) else {
            return free;
        };
        let worked = worked(self.world, build, self.now);
        let mut before = 0.0;
        for steps in 1..=points {
            let by_then = forecast.within(worked + steps as f64 * STEP);
            free[points - steps] = by_then - before;
            before = by_then;
        }
        free
    }

    fn offer(&self, group: &Group<'_>) -> Offer {
        let points = price::points(self.remaining);
        let at = |minutes: f64| group.forecast.within(minutes);
        let within = (0..=points)
            // A build is done by a minute, not before it.
            .map(|point| at((self.remaining - (points - point) as f64 * STEP).max(0.0) + 0.5))
            .collect();
        let steps: Vec<f64> = (0..=points).map(|step| at(step as f64 * STEP)).collect();
        let ends = (0..=points).map(|step| if step == 0 { 0.0 } else { steps[step] - steps[step - 1] }).collect();
        Offer {
            value: group.value * group.forecast.succeeds,
            count: 1.0,
            startable: group.startable,
            opens: group.opens,
            within,
            ends,
            unlocks: vec![],
        }
    }

    /// The groups that go to market: the most promising at several remaining times, and chains with what they wait for.
    fn contenders(&self) -> Vec<usize> {
        let mut chosen = BTreeSet::new();
        let open = |group: &Group<'_>| group.left() > 0 && (group.startable || group.opens.is_finite());
        for (share, most) in CONTENDERS {
            let minutes = (self.remaining * share).max(5.0);
            let among = self.groups.iter().enumerate().filter(|(_, group)| open(group));
            chosen.extend(best(among.map(|(index, group)| (group.density(minutes), index)).collect(), most));
        }
        let chained = self.groups.iter().enumerate().filter(|(_, group)| group.chained && group.left() > 0);
        let mut chains = best(chained.map(|(index, group)| (group.density(self.remaining), index)).collect(), CHAINED);
        let place: BTreeMap<TaskId, usize> = self
            .groups
            .iter()
            .enumerate()
            .filter(|(_, group)| group.chained && group.left() > 0)
            .map(|(index, group)| (group.tasks[0].0.id, index))
            .collect();
        while let Some(index) = chains.pop() {
            if chosen.insert(index) || !self.groups[index].waits_for.is_empty() {
                let needs = self.groups[index].waits_for.iter().filter_map(|id| place.get(id));
                chains.extend(needs.filter(|needed| !chosen.contains(needed)));
            }
        }
        chosen.into_iter().collect()
    }

    /// The best start for a free place now, if any is better than waiting.
    pub(super) fn best(&mut self) -> Option<(&'a Task, bool, Odds)> {
        let contenders = self.contenders();
        if !contenders.iter().any(|index| self.groups[*index].startable) {
            return None;
        }
        for index in &contenders {
            if !self.offers.contains_key(index) {
                let offer = self.offer(&self.groups[*index]);
                self.offers.insert(*index, offer);
            }
        }
        let mut offers: Vec<Offer> = contenders.iter().map(|index| self.offers[index].clone()).collect();
        for (offer, index) in offers.iter_mut().zip(&contenders) {
            offer.count = self.groups[*index].left() as f64;
        }
        let leaves_first = self.link(&contenders, &mut offers);
        let prices = price::prices(&offers, &self.places, self.remaining, &leaves_first);
        let (at, odds) = self.decide(&contenders, &offers, &prices)?;
        let (task, approved) = self.groups[contenders[at]].tasks[self.groups[contenders[at]].taken];
        Some((task, approved, odds))
    }

    /// Connects offers with those that wait for them; returns an order in which the waiting come first.
    fn link(&self, contenders: &[usize], offers: &mut [Offer]) -> Vec<usize> {
        let place: BTreeMap<TaskId, usize> = contenders
            .iter()
            .enumerate()
            .filter(|(_, index)| self.groups[**index].chained)
            .map(|(at, index)| (self.groups[*index].tasks[0].0.id, at))
            .collect();
        for (at, index) in contenders.iter().enumerate() {
            let needs = &self.groups[*index].waits_for;
            let building = |id: &TaskId| self.world.builds.iter().any(|build| build.task == *id);
            if needs.is_empty() || !needs.iter().all(|id| place.contains_key(id) || building(id)) {
                continue;
            }
            for id in needs {
                if let Some(parent) = place.get(id) {
                    let share = self.groups[contenders[*parent]].forecast.succeeds / needs.len() as f64;
                    offers[*parent].unlocks.push((at, share));
                }
            }
        }
        let mut order = Vec::with_capacity(offers.len());
        let mut seen = vec![false; offers.len()];
        for start in 0..offers.len() {
            visit(start, offers, &mut seen, &mut order);
        }
        order
    }

    fn decide(&self, contenders: &[usize], offers: &[Offer], prices: &Prices) -> Option<(usize, Odds)> {
        let points = price::points(self.remaining);
        let waiting = prices.worth[points.saturating_sub(1)];
        let mut best: Option<(f64, usize, Odds)> = None;
        for (at, (offer, index)) in offers.iter().zip(contenders).enumerate().filter(|(_, (offer, _))| offer.startable)
        {
            let group = &self.groups[*index];
            let chance = offer.within[points];
            if !group.goes_on && chance < LEAST_CHANCE {
                continue;
            }
            let lost = if group.goes_on { 0.0 } else { LOSS * (1.0 - chance) * prices.worth[points] };
            let worth = prices.earns(offers, at, points);
            let after = prices.after(offer, points);
            let score = worth + after - lost;
            // What can go on after the window is worth a start even if it won't be done tonight.
            if score <= waiting * (1.0 - 1e-9) - 1e-9 {
                continue;
            }
            if best.as_ref().is_none_or(|(highest, ..)| score > *highest) {
                let price = (prices.worth[points] - after).max(0.0);
                let odds =
                    Odds { chance: chance * group.forecast.succeeds, worth, price, half: group.forecast.quantile(0.5) };
                best = Some((score, at, odds));
            }
        }
        best.map(|(_, at, odds)| (at, odds))
    }

    /// A task of some group was started, or can't be now.
    pub(super) fn take(&mut self, task: TaskId, started: bool) {
        let Some(index) =
            self.groups.iter().position(|group| group.tasks.get(group.taken).is_some_and(|(t, _)| t.id == task))
        else {
            return;
        };
        self.groups[index].taken += 1;
        if !started {
            return;
        }
        // The place that takes it is the first free one: from now on it is free when the task has ended.
        let points = price::points(self.remaining);
        let ends: Vec<f64> = match self.offers.get(&index) {
            Some(offer) => offer.ends.clone(),
            None => self.offer(&self.groups[index]).ends,
        };
        if let Some(place) = self.places.iter_mut().find(|place| place.free[points] > 0.5) {
            place.free = ends.into_iter().rev().collect();
        }
    }

    /// Groups whose first task nights have passed over, the longest first.
    pub(super) fn passed_over(&self) -> Option<(&'a Task, bool, u32)> {
        let nights = |task: &Task| self.world.outlook.passed_over.get(&task.id).copied().unwrap_or(0);
        self.groups
            .iter()
            .filter(|group| group.startable)
            .filter(|group| group.goes_on || group.forecast.within(self.remaining) >= LEAST_CHANCE)
            .flat_map(|group| group.tasks[group.taken..].iter())
            .map(|(task, approved)| (*task, *approved, nights(task)))
            .filter(|(_, _, nights)| *nights >= super::outlook::PATIENCE)
            .max_by_key(|(task, _, nights)| (*nights, task.spec.priority, std::cmp::Reverse(task.id)))
    }
}

/// What starts where there is nothing to choose: nothing is ready, or there is a place for everything that is or may become
/// ready tonight, and nothing would be lost. Most wanted first, then oldest.
pub(super) fn without_choice(
    world: &Snapshot,
    end: DateTime<Utc>,
    now: DateTime<Utc>,
    free: usize,
    may_start: impl Fn(&Task) -> bool,
) -> Option<Vec<(&Task, bool)>> {
    let (mut ready, mut to_come) = (vec![], 0);
    for task in &world.tasks {
        match choice::standing(world, task, now) {
            Standing::Ready { approved } if may_start(task) => ready.push((task, approved)),
            Standing::DependsOn(_) | Standing::Ready { .. } => to_come += 1,
            Standing::NotBefore(at) | Standing::RetryAt(at) | Standing::AgentClosed { until: (at, _), .. }
                if at < end =>
            {
                to_come += 1;
            }
            _ => {}
        }
        if !ready.is_empty() && ready.len() + to_come > free {
            return None;
        }
    }
    if ready.iter().any(|(task, _)| world.outlook.lost_at_the_end.contains(&task.id)) {
        return None;
    }
    ready.sort_by_key(|(task, _)| (std::cmp::Reverse(task.spec.priority), task.id));
    Some(ready)
}

/// Indices of the largest numbers, at most so many.
fn best(mut numbers: Vec<(f64, usize)>, most: usize) -> Vec<usize> {
    let by = |a: &(f64, usize), b: &(f64, usize)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
    if numbers.len() > most {
        numbers.select_nth_unstable_by(most, by);
        numbers.truncate(most);
    }
    numbers.into_iter().map(|(_, index)| index).collect()
}

fn visit(at: usize, offers: &[Offer], seen: &mut [bool], order: &mut Vec<usize>) {
    if std::mem::replace(&mut seen[at], true) {
        return;
    }
    for (waiting, _) in &offers[at].unlocks {
        visit(*waiting, offers, seen, order);
    }
    order.push(at);
}

/// Whether another task of the same project, running or just chosen, names a file this one names too.
pub(super) fn shares_files(world: &Snapshot, task: &Task, chosen: &[&Task]) -> Option<(TaskId, String)> {
    let running = world.running().filter_map(|build| world.task(build.task));
    running.chain(chosen.iter().copied()).filter(|other| other.id != task.id).find_map(|other| {
        let shared = overlap::shared(&world.outlook, task, other)?;
        Some((other.id, shared))
    })
}

/// Whether a closure lets nothing start now.
pub(super) fn standing_still(closures: &[Closure], now: DateTime<Utc>) -> bool {
    closures.iter().any(|closure| closure.stands_still && closure.from <= now && now < closure.until)
}
