//! The planner's look at the whole state, read in one transaction.

use super::{
    Conn, StoreError, approvals, builds, checks, control, health, kept, providers, runs, sessions, ships, tasks,
};
use crate::domain::plan::outlook::Outlook;
use crate::domain::plan::{Effect, Snapshot};
use crate::domain::settings::Settings;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How far back samples matter to a decision.
const SAMPLES: TimeDelta = TimeDelta::minutes(15);

/// Reads the state. `in_flight` is what this process has under way. The outlook is left empty: it is read from many rows,
/// by [`outlook::load`](super::outlook::load), and matters only where something is about to start.
pub async fn load(
    conn: &mut Conn,
    settings: &Arc<Settings>,
    in_flight: BTreeSet<Effect>,
    now: DateTime<Utc>,
) -> Result<Snapshot, StoreError> {
    let today = settings.schedule.local(now).date_naive();
    let (mut completed, mut gone) = (BTreeMap::new(), BTreeSet::new());
    for dependency in builds::dependencies(conn).await? {
        if dependency.completed {
            completed.insert(dependency.task, dependency.result);
        } else {
            gone.insert(dependency.task);
        }
    }
    let samples = health::samples(conn, now - SAMPLES).await?;
    let every = TimeDelta::from_std(settings.sample_every).unwrap_or(TimeDelta::seconds(30));
    // A clock set back leaves samples from the future; they must not keep the next one away, nor ask for one for ever.
    let last = samples.iter().rev().map(|sample| sample.at).find(|at| *at <= now);
    let sessions = sessions::current(conn, now).await?;
    let mut spent = BTreeMap::new();
    for session in &sessions {
        spent.insert(session.id, builds::used_in(conn, session.id).await?);
    }
    let runs = runs::current(conn).await?;
    let gaps = match runs.iter().map(|run| run.started_at).min() {
        Some(first) => control::gaps(conn, first, now).await?,
        None => vec![],
    };
    let drilled = kept::last_drill(conn).await?.map(|(_, drill)| drill.date);
    Ok(Snapshot {
        kept: kept::dates(conn).await?,
        drilled,
        settings: Arc::clone(settings),
        installed_at: control::read_installed_at(conn).await?,
        nights_seen: sessions::dates_seen(conn).await?,
        skipped: control::skipped(conn, today - TimeDelta::days(70)).await?,
        paused: control::paused(conn).await?,
        sessions,
        tasks: tasks::waiting(conn).await?,
        completed,
        gone,
        approvals: approvals::in_force(conn).await?,
        builds: builds::open(conn).await?,
        checks: checks::current(conn).await?,
        runs,
        gaps,
        ships: ships::open(conn).await?,
        sample_due: last.map_or(now, |at| at + every),
        samples: samples.into_iter().filter(|sample| sample.at <= now).collect(),
        throttles: health::open_throttles(conn).await?,
        barred: None,
        providers: providers::all(conn).await?,
        spent,
        in_flight,
        outlook: Outlook::default(),
    })
}
