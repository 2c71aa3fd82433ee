//! kill -9 at every step of a night, then start again: the same end, no build twice at once, no lost reply, one brief.
//!
//! Real processes: the bot on a fast clock, supervisors, scripted agents in git clones. What is the same is read from
//! the database, the vaults, the screen and the traces the agents leave; see `crash/end_state.rs`.
#![cfg(target_os = "linux")]

pub(crate) mod database;
mod end_state;
mod night;
mod stage;

use end_state::EndState;
use night::{Night, Seen};
use rustix::process::{Pid, Signal, kill_process};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Nights lived at the same time: most of a night is waiting.
const AT_ONCE: usize = 3;

/// The undisturbed night all others are compared with, and how long it took.
fn reference() -> &'static (EndState, Duration) {
    static REFERENCE: OnceLock<(EndState, Duration)> = OnceLock::new();
    REFERENCE.get_or_init(|| {
        let mut night = Night::new();
        let since = Instant::now();
        night.start(None);
        assert_eq!(night.live(), Seen::Over);
        (finish(&night), since.elapsed())
    })
}

/// Checks what must hold of any night that is over.
fn finish(night: &Night) -> EndState {
    let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        end_state::check(night);
        end_state::read(night)
    }));
    checked.unwrap_or_else(|panic| {
        println!("{}", night.told());
        std::panic::resume_unwind(panic)
    })
}

/// Goes on after a kill to the end of the night, undisturbed, and compares.
fn same_end(mut night: Night, what: &str) {
    assert_eq!(night.live(), Seen::Over, "{what}");
    let end = finish(&night);
    let (wanted, _) = reference();
    assert!(end == *wanted, "{what}: not the same end\n{}\n{}", differences(wanted, &end), night.told());
}

/// The lines in which two end states differ.
fn differences(wanted: &EndState, is: &EndState) -> String {
    let (wanted, is) = (format!("{wanted:#?}"), format!("{is:#?}"));
    let only = |these: &str, those: &str, sign: &str| {
        let others: Vec<&str> = those.lines().collect();
        let own = these.lines().filter(|line| !others.contains(line));
        own.map(|line| format!("{sign} {}", line.trim())).collect::<Vec<_>>().join("\n")
    };
    format!("{}\n{}", only(&wanted, &is, "-"), only(&is, &wanted, "+"))
}

/// Where the bot dies: at the n-th failpoint it passes.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// From the evening to the end of the last build.
    Night(u64),
    /// Of the morning with its report and brief.
    Morning(u64),
}

/// A night with a death at this place. False if the night does not pass so many.
fn dies_at(place: Place) -> bool {
    let mut night = Night::new();
    let (first, morning) = match place {
        Place::Night(number) => (Some(number), None),
        Place::Morning(number) => (None, Some(number)),
    };
    night.morning_failpoint = morning;
    night.start(first);
    if night.live() == Seen::Over {
        finish(&night);
        return false;
    }
    night.morning_failpoint = None;
    night.start(None);
    same_end(night, &format!("after a kill at {place:?}"));
    true
}

/// Runs `one` for 0, 1, 2 … on a few threads until it says stop, or `until`. Failures are collected, not hidden.
fn at_once(until: u64, one: impl Fn(u64) -> bool + Sync) -> Vec<String> {
    let (next, failures) = (AtomicU64::new(0), std::sync::Mutex::new(Vec::new()));
    let stopped = AtomicUsize::new(0);
    let work = || {
        while stopped.load(Ordering::SeqCst) == 0 {
            let number = next.fetch_add(1, Ordering::SeqCst);
            if number >= until {
                return;
            }
            match std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| one(number))) {
                Ok(true) => {}
                Ok(false) => drop(stopped.fetch_add(1, Ordering::SeqCst)),
                Err(panic) => failures.lock().unwrap().push(words(panic.as_ref())),
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(work);
        }
    });
    failures.into_inner().unwrap()
}

fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}

/// A sample spread over the night; every one is in [`every_failpoint`].
#[test]
fn a_kill_at_any_step_changes_nothing() {
    reference();
    let night = [3, 17, 32, 54, 79, 108, 131, 160, 187, 214].map(Place::Night);
    let places: Vec<_> = night.into_iter().chain([5, 12].map(Place::Morning)).collect();
    let failures = at_once(places.len() as u64, |number| {
        let place = places[usize::try_from(number).unwrap()];
        assert!(dies_at(place), "there are not so many failpoints: {place:?}");
        true
    });
    assert!(failures.is_empty(), "{} of {} nights:\n{}", failures.len(), places.len(), failures.join("\n=====\n"));
}

#[test]
#[ignore = "some hundred nights: run by .ci/long"]
fn every_failpoint() {
    let since = Instant::now();
    println!("the undisturbed night took {:.1} s", reference().1.as_secs_f64());
    let mut failures = vec![];
    for (what, place) in [("the night", Place::Night as fn(u64) -> Place), ("the morning", Place::Morning)] {
        let survived = AtomicUsize::new(0);
        let failed = at_once(u64::MAX, |number| {
            let died = dies_at(place(number + 1));
            survived.fetch_add(usize::from(died), Ordering::SeqCst);
            died
        });
        let same = survived.load(Ordering::SeqCst);
        println!(
            "killed at each of {} failpoints of {what}, one a night, and started again: {same} ended the same, {} did not",
            same + failed.len(),
            failed.len()
        );
        failures.extend(failed);
    }
    println!("{} s", since.elapsed().as_secs());
    assert!(failures.is_empty(), "{}", failures.join("\n=====\n"));
}

/// Kills in all, and most in one night.
const KILLS: usize = 500;
const KILLS_A_NIGHT: usize = 6;

#[test]
#[ignore = "500 kills: run by .ci/long"]
fn random_kills() {
    let since = Instant::now();
    let (_, whole) = reference();
    let (kills, nights) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let failures = at_once(u64::MAX, |seed| {
        let mut night = Night::new();
        let mut random = Random(seed + 1);
        for _ in 0..=random.below(KILLS_A_NIGHT as u64 - 1) {
            night.start(None);
            let until = Instant::now() + whole.mul_f64(random.below(1000) as f64 / 1000.0);
            if night.live_until("the moment to kill it", |_| Instant::now() >= until) == Seen::Over {
                break;
            }
            night.kill();
            kills.fetch_add(1, Ordering::SeqCst);
        }
        night.start(None);
        let lives = night.lives;
        same_end(night, &format!("seed {seed}, after {} kills", lives - 1));
        nights.fetch_add(1, Ordering::SeqCst);
        kills.load(Ordering::SeqCst) < KILLS
    });
    println!(
        "{} kills at random moments of {} nights: {} nights ended the same, {} did not; {} s",
        kills.load(Ordering::SeqCst),
        nights.load(Ordering::SeqCst) + failures.len(),
        nights.load(Ordering::SeqCst),
        failures.len(),
        since.elapsed().as_secs()
    );
    assert!(failures.is_empty(), "{}", failures.join("\n=====\n"));
}

/// The builds that had an agent, as task, attempt and outcome.
fn builds(night: &Night) -> Vec<(i64, i64, String)> {
    night.database.rows("SELECT task_id, attempt, outcome FROM build ORDER BY task_id, attempt")
}

fn build(task: i64, attempt: i64, outcome: &str) -> (i64, i64, String) {
    (task, attempt, outcome.to_owned())
}

fn has_begun(night: &Night, task: i64) -> bool {
    night.stage.agents().contains(&format!("start {task}"))
}

/// The supervisors' last child dies with nobody to say how it ended: tried again, and its strays are gone.
#[test]
fn a_killed_supervisor_costs_one_attempt() {
    let mut night = Night::new();
    // Far longer than the story takes: nothing here ends by itself.
    night.stage.slow(1, 600);
    night.start(None);
    let sleepers = |night: &Night| night.stage.processes().iter().filter(|(_, line)| line == "sleep 600 ").count();
    night.live_until("the agent of task 1 and its stray", |night| sleepers(night) == 2);
    kill_all(&[night.supervisor_of_agent(1)]);
    assert_eq!(night.live(), Seen::Over);
    finish(&night);
    let wanted = [
        build(1, 1, "transient"),
        build(1, 2, "verified"),
        build(2, 1, "tests_failed"),
        build(3, 1, "transient"),
        build(3, 2, "verified"),
        build(4, 1, "verified"),
        build(5, 1, "verified"),
    ];
    assert_eq!(builds(&night), wanted, "{}", night.told());
}

/// Power off and on: whatever ran is tried again, and what is not to be repeated is not.
#[test]
fn a_reboot_costs_one_attempt_of_what_ran() {
    let mut night = Night::new();
    night.stage.slow(1, 600);
    night.stage.slow(2, 600);
    night.start(None);
    night.live_until("two agents", |night| has_begun(night, 1) && has_begun(night, 2));
    let ran: Vec<i64> = night.database.rows::<(i64,)>(RUNNING).into_iter().map(|row| row.0).collect();
    night.power_off();
    night.start(None);
    assert_eq!(night.live(), Seen::Over);
    finish(&night);
    let ended = builds(&night);
    // Which other tasks had an agent at that moment is a matter of microseconds: of task 3 it may be its first or second.
    for task in [1, 2].into_iter().chain(ran) {
        let lost = night.database.number("SELECT COUNT(*) FROM audit WHERE kind = 'ended' AND text LIKE '%was lost%'");
        assert!(lost >= 2 && ended.contains(&build(task, 1, "transient")), "task {task}: {ended:?}\n{}", night.told());
    }
    for (task, outcome) in [(1, "verified"), (2, "tests_failed"), (3, "verified"), (4, "verified")] {
        let last = ended.iter().rfind(|build| build.0 == task).unwrap();
        assert_eq!(last.2, outcome, "task {task}: {ended:?}\n{}", night.told());
        assert_eq!(ended.iter().filter(|build| build.0 == task && build.2 == outcome).count(), 1);
    }
    assert_eq!(ended.iter().filter(|build| build.0 == 5).count(), 1, "{ended:?}");
}

const RUNNING: &str = "SELECT DISTINCT task_id FROM run JOIN build ON build.id = owner_id
    WHERE owner_kind = 'build' AND run.step = 'agent' AND run.ended_at IS NULL AND task_id IN (1, 2)";

/// xorshift64: the same kills for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        for _ in 0..3 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
        }
        self.0 % limit
    }
}

/// Kills exactly these processes.
fn kill_all(processes: &[(u32, String)]) {
    for (pid, _) in processes {
        if let Some(pid) = i32::try_from(*pid).ok().and_then(Pid::from_raw) {
            // One that has ended meanwhile is what was wanted.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}
