//! Builds whose agent has to wait: when it is parked, and when it goes on.
//!
//! Left out on purpose: another agent for a build that has begun. Its session belongs to the one that has it.

use super::choice::Standing;
use super::{Action, Snapshot};
use crate::domain::agent::{AgentOutcome, AgentReport};
use crate::domain::build::{Build, Run, Wait};
use crate::domain::provider::{Block, BlockKind, Provider, Room};
use chrono::{DateTime, Utc};

/// Parks a build whose agent's run has ended so that it has to wait; none: it does not.
pub(super) fn park(
    world: &Snapshot,
    build: &Build,
    run: &Run,
    report: &AgentReport,
    now: DateTime<Utc>,
) -> Option<Action> {
    let kind = match report.outcome {
        AgentOutcome::Limit => BlockKind::Limit,
        AgentOutcome::Account => BlockKind::Account,
        AgentOutcome::Question => {
            let question = report.question.clone().unwrap_or_else(|| report.why.clone());
            let wait = Wait::Answer { question, answer: None };
            return Some(Action::ParkBuild { build: build.id, wait, block: None });
        }
        _ => return None,
    };
    let wait = Wait::Provider { why: report.why.clone() };
    let block = build.agent.clone().map(|agent| {
        let block = blocked(world, &agent, kind, run, report, build, now);
        Box::new((agent, block))
    });
    Some(Action::ParkBuild { build: build.id, wait, block })
}

/// Until when the agent's account can't be used. Several builds that meet the same wall are one block; only a run that
/// was begun after a block had ended says something new about it.
fn blocked(
    world: &Snapshot,
    agent: &str,
    kind: BlockKind,
    run: &Run,
    report: &AgentReport,
    build: &Build,
    now: DateTime<Utc>,
) -> Block {
    let known = world.provider(agent).and_then(|provider| provider.block.as_ref());
    match known {
        Some(block) if run.started_at < block.until && (block.known || report.reset_at.is_none()) => block.clone(),
        known => {
            let seed = u64::try_from(build.id.0).unwrap_or(0).wrapping_mul(7);
            Block::next(known, kind, report.reset_at, &report.why, seed, now)
        }
    }
}

/// Whether one more build may use the agent's account now, others being at work or about to be.
pub(super) fn room(world: &Snapshot, agent: &str, started: usize, now: DateTime<Utc>) -> Room {
    let reserve = world.settings.agent(agent).map_or(0.0, |agent| agent.reserve);
    let room = world.provider(agent).map_or(Room::Free, |provider: &Provider| provider.room(reserve, now));
    let at_work = world.running().filter(|build| build.agent.as_deref() == Some(agent)).count() + started;
    match (&room, world.provider(agent).and_then(|provider| provider.block.as_ref())) {
        (Room::Probe, Some(block)) if at_work > 0 => {
            let why = format!("{}; one build is trying whether it works again", block.why);
            Room::Closed { until: now, known: false, why }
        }
        _ => room,
    }
}

/// Whether a parked build could go on now if there is a permit.
pub(super) fn may_go_on(world: &Snapshot, build: &Build, started: usize, now: DateTime<Utc>) -> bool {
    let answered = match &build.wait {
        Some(Wait::Answer { answer, .. }) => answer.is_some(),
        Some(Wait::Provider { .. }) => true,
        None => false,
    };
    let agent = build.agent.as_deref();
    answered
        && build.stop_requested.is_none()
        && agent.is_none_or(|agent| !matches!(room(world, agent, started, now), Room::Closed { .. }))
}

/// Where the task of a parked build stands.
pub(super) fn standing(world: &Snapshot, build: &Build, now: DateTime<Utc>) -> Standing {
    match (&build.wait, build.agent.as_deref()) {
        (Some(Wait::Answer { question, answer: None }), _) => Standing::Asks { question: question.clone() },
        (Some(Wait::Provider { why }), Some(agent)) => match room(world, agent, 0, now) {
            Room::Closed { until, known, .. } if until > now => {
                Standing::Parked { until: Some((until, known)), why: why.clone() }
            }
            _ => Standing::Parked { until: None, why: why.clone() },
        },
        _ => Standing::Parked { until: None, why: "it goes on as soon as there is room".into() },
    }
}
