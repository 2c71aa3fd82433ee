//! Whole nights with a hostile agent and a hostile test file among honest work: what they try is stopped or contained
//! and told, with each isolation feature and without; the rest of the night is built all the same.
//!
//! `hostile/hostile.sh` does the acts and notes what it could do. Where no sandbox holds the harm is not asserted, only
//! that the brief says "unsandboxed"; all it can reach are folders of the story.

mod stage;

use overnight::domain::build::Outcome::{self, TestsFailed, TimedOut, Verified};
use overnight::runner::leash::Mechanisms;
use stage::Night;

/// A way of holding builds.
#[derive(Debug, Clone, Copy)]
struct Mode {
    /// `[isolation] sandbox`.
    sandbox: &'static str,
    mechanisms: Mechanisms,
    /// Bytes each flood prints.
    bytes: u64,
}

const NO_GROUPS: Mechanisms = Mechanisms { cgroup: false, ..Mechanisms::ALL };
const TWO_GIGABYTES: u64 = 2_000_000_000;
/// Enough to go round its log many times.
const LESS: u64 = 100_000_000;

#[tokio::test]
async fn with_all_this_machine_has() {
    Box::pin(night(Mode { sandbox: "auto", mechanisms: Mechanisms::ALL, bytes: TWO_GIGABYTES })).await;
}

#[tokio::test]
async fn without_control_groups() {
    Box::pin(night(Mode { sandbox: "auto", mechanisms: NO_GROUPS, bytes: LESS })).await;
}

#[tokio::test]
async fn without_bubblewrap() {
    Box::pin(night(Mode { sandbox: "landlock", mechanisms: Mechanisms::ALL, bytes: LESS })).await;
}

#[tokio::test]
async fn without_bubblewrap_and_control_groups() {
    Box::pin(night(Mode { sandbox: "landlock", mechanisms: NO_GROUPS, bytes: LESS })).await;
}

#[tokio::test]
async fn without_any_sandbox() {
    Box::pin(night(Mode { sandbox: "off", mechanisms: Mechanisms::ALL, bytes: LESS })).await;
}

#[tokio::test]
async fn without_anything() {
    Box::pin(night(Mode { sandbox: "off", mechanisms: NO_GROUPS, bytes: LESS })).await;
}

/// What is attacked with in one go, by an agent or by a test file.
const EVERYTHING: &str = "act_writes act_reads act_deletes act_daemon act_connects act_prints act_plants act_forks";

async fn night(mode: Mode) {
    let mut night = Night::begin(mode).await;
    for (task, what, outcomes) in [
        (1, "| 2h | perf | high | app", &[Verified][..]),
        (2, &format!("| 2h | perf | app | hostile | details: {EVERYTHING} act_links"), &[Verified]),
        (3, "| 2h | perf | app | hostile | details: act_swaps_a_link", &[Verified]),
        (4, "| 2h | perf | app | hostile | details: act_swaps_a_file", &[Verified]),
        (5, "| 2h | perf | app | hostile | details: act_swaps_a_folder", &[Verified]),
        (6, "| 2h | perf | app | hostile | details: act_stays", &[TimedOut]),
        (
            7,
            &format!(
                "| 2h | perf | web | hostile | details: act_plants_a_test {EVERYTHING} act_follows act_swaps_a_link"
            ),
            &[Verified],
        ),
        (8, "| 2h | perf | web | hostile | details: act_plants_a_test act_stays", &[TestsFailed]),
        (9, "| 1h | perf | low | app", &[Verified]),
        (10, "| 1h | perf | low | web", &[Verified]),
    ] {
        night.queues(task, what, outcomes).await;
    }
    night.passes().await;
    night.came_to_what_was_expected().await;
    night.host_ran_nothing_of_theirs();
    night.nothing_lives();
    if mode.sandbox == "off" {
        night.brief_says("🔓 #1, #2, #3, #4, #5, #6 and 4 more ran unsandboxed");
    } else {
        night.nothing_was_touched().await;
        night.token_is_nowhere().await;
        night.nobody_could(&["write", "change", "read", "take", "see", "delete"]);
        night.brief_does_not_say("unsandboxed");
    }
    night.is_told().await;
    night.ends().await;
}

/// How the builds of a task should end.
type Expected = (i64, Vec<Outcome>);
