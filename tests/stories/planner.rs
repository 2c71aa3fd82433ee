//! Twenty thousand nights of the planner in virtual time, on a world held in memory: rows as the database would have
//! them, actions performed as the engine performs them, and an outside that breaks, stops, sleeps and taps at random.
//!
//! The world goes on to `next_wake` or to the next event outside, whichever is first; after every step the rules are
//! checked. A seed that breaks one is lived again with its story noted down, and printed.
//! Left out on purpose: the database and the engine, which have their own stories.

mod apply;
mod dice;
mod made;
mod outside;
mod owner;
mod rules;
mod spawned;
mod strike;
mod world;

use self::apply::Refused;
use self::world::World;
use chrono::{DateTime, TimeDelta, Utc};
use overnight::domain::plan::{Action, Snapshot, plan};
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};

const SEEDS: u64 = 20_000;
/// Plans made and performed at one instant; more means that it goes in circles.
const MOST_ROUNDS: usize = 200;
/// A calm world has to come to rest within this.
const SETTLES_WITHIN: TimeDelta = TimeDelta::hours(72);

type Counts = BTreeMap<&'static str, u64>;

#[test]
fn twenty_thousand_nights_keep_every_rule() {
    let next = AtomicU64::new(0);
    let live_some = || {
        let mut counts = Counts::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= SEEDS {
                return counts;
            }
            let (world, end) = live(seed, false);
            assert!(end.is_ok(), "{}", retold(seed));
            for (kind, count) in world.counts {
                *counts.entry(kind).or_default() += count;
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let counts = std::thread::scope(|scope| {
        let lives: Vec<_> = (0..threads).map(|_| scope.spawn(live_some)).collect();
        let mut sum = Counts::new();
        for life in lives {
            let counts = life.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            for (kind, count) in counts {
                *sum.entry(kind).or_default() += count;
            }
        }
        sum
    });
    // Rules about things that never happen would hold too.
    let kinds = [
        "StartBuild",
        "MissNight",
        "OpenThrottle",
        "StopRun",
        "StartResultCheck",
        "verified",
        "cancelled",
        "denied",
        "ParkBuild for its provider",
        "ParkBuild for an answer",
        "ResumeBuild",
    ];
    for kind in kinds {
        assert!(counts.get(kind).copied().unwrap_or(0) > 400, "{kind} hardly ever happens: {counts:#?}");
    }
}

/// What happened to a seed, for a person.
fn retold(seed: u64) -> String {
    let (world, end) = live(seed, true);
    let story: Vec<String> = world.story.into_iter().flatten().collect();
    let zone = world.settings.schedule.zone;
    format!("seed {seed} in {zone} breaks a rule: {:?}\n{}", end.err(), story.join("\n"))
}

/// Lives one world to its end.
fn live(seed: u64, noted: bool) -> (World, Result<(), String>) {
    let mut world = made::world(seed);
    world.story = noted.then(VecDeque::new);
    let end = to_the_end(&mut world);
    (world, end)
}

fn to_the_end(world: &mut World) -> Result<(), String> {
    let hours = if world.dice.chance(8) { world.dice.range(40, 72) } else { world.dice.range(10, 15) };
    let horizon = world.real + TimeDelta::hours(hours);
    while world.real < horizon {
        let wake = step(world)?;
        pass(world, wake);
    }
    world.calm_down();
    let given_up = world.real + SETTLES_WITHIN;
    loop {
        let wake = step(world)?;
        if rules::settled(world) {
            return rules::at_the_end(world);
        }
        if world.real > given_up {
            return Err("a calm world does not come to rest".into());
        }
        pass(world, wake);
    }
}

/// Goes on to the next moment at which something can happen.
fn pass(world: &mut World, wake: DateTime<Utc>) {
    let wake = wake - world.ahead;
    world.real = world.real.max(wake.min(world.next_outside()));
    if world.real >= world.outside.strikes_at {
        world.strike();
    }
}

/// One step of the engine: look, plan, perform, until there is nothing left to do.
fn step(world: &mut World) -> Result<DateTime<Utc>, String> {
    for _ in 0..MOST_ROUNDS {
        world.observe();
        rules::after(world)?;
        let (looked_at, now) = (world.snapshot(), world.now());
        let planned = plan(&looked_at, now);
        if world.dice.chance(3) && plan(&looked_at, now) != planned {
            return Err("the same state gives two plans".into());
        }
        if planned.actions.is_empty() {
            rules::in_time(world)?;
            let (wake, why) = planned.next_wake;
            return if wake > now {
                Ok(wake)
            } else {
                Err(format!("wakes at {wake} ({why}), which is not after {now}"))
            };
        }
        perform(world, &looked_at, &planned.actions)?;
    }
    Err(format!("no rest after {MOST_ROUNDS} rounds at one instant"))
}

/// Performs a plan. A tap between the look and the deed may have some of it refused; a crash leaves the rest undone.
fn perform(world: &mut World, looked_at: &Snapshot, actions: &[Action]) -> Result<(), String> {
    let mut strikes = |percent| {
        let it_does = !world.outside.calm && world.dice.chance(percent);
        it_does.then(|| world.dice.below(actions.len()))
    };
    let (raced, crashed) = (strikes(2), strikes(1));
    for (number, action) in actions.iter().enumerate() {
        if crashed == Some(number) {
            world.crash();
            return Ok(());
        }
        if raced == Some(number) {
            world.tap();
        }
        if raced.is_none_or(|tap| number < tap) {
            rules::before(world, looked_at, action)?;
        }
        let safe = rules::always(world, action);
        world.note_action(action);
        match world.apply(action) {
            Ok(()) => safe?,
            Err(Refused::Race(_)) if raced.is_some() => {}
            Err(refused) => return Err(format!("{refused:?} refuses {action:?}")),
        }
    }
    Ok(())
}
