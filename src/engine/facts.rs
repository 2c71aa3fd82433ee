//! What is known of a night, gathered from the database for its report and brief, and of now for `/status`.

use super::Engine;
use crate::domain::build::{Build, Check, CheckPurpose, TestsVerdict, Verdict};
use crate::domain::facts::{BaseRedFact, BuildFact, NightFacts, PatternFact, ProblemFact, ThrottleFact, by_task};
use crate::domain::forecast::{History, Model};
use crate::domain::plan::{Snapshot, budget, choice, expect};
use crate::domain::schedule::Night;
use crate::domain::session::Session;
use crate::domain::status::StatusFacts;
use crate::domain::task::Task;
use crate::domain::test_output::speed;
use crate::store::{
    Conn, StoreError, builds, checks, control, health, kept, outlook, providers, runs, sessions, snapshot, tasks,
    trouble,
};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;

/// Everything the report and the brief of a session are made from, as of `now`.
pub async fn night(
    engine: &Engine,
    conn: &mut Conn,
    session: &Session,
    now: DateTime<Utc>,
) -> Result<NightFacts, StoreError> {
    let settings = engine.settings();
    let world = world(engine, conn, now).await?;
    let checks = checks::of_session(conn, session.id).await?;
    let (_, _, late) = sessions::outputs(conn, session.id).await?;
    let next_night = settings.schedule.current_or_next(now);
    let until = session.brief_at.min(now).max(session.started_at);
    let rows = builds::of_session(conn, session.id).await?;
    let used = builds::used_in(conn, session.id).await?;
    let before = builds::parked_before(conn, session.id).await?;
    let parked_before = build_facts(engine, conn, before, &checks).await?;
    let closures = providers::closures(conn, session.started_at, until).await?;
    Ok(NightFacts {
        zone: settings.schedule.zone,
        now,
        max_concurrent: u32::try_from(settings.limits.max_builds).unwrap_or(u32::MAX),
        builds: build_facts(engine, conn, rows, &checks).await?,
        problems: problems(conn, session).await?,
        patterns: patterns(conn, session).await?,
        throttles: health::throttles(conn, session.started_at, until)
            .await?
            .into_iter()
            .map(|t| ThrottleFact { from: t.since, until: t.until, reason: t.detail })
            .collect(),
        closures: closures
            .into_iter()
            .map(|c| ThrottleFact { from: c.since, until: c.until, reason: format!("{}: {}", c.agent, c.detail) })
            .collect(),
        parked_before,
        used,
        capped: world.barred.clone().or_else(|| budget::of_night(&world, session.id)),
        waiting_approval: locked(&world),
        queue_open: u32::try_from(world.tasks.len()).unwrap_or(u32::MAX),
        queue_ready_tonight: u32::try_from(choice::ready(&world, next_night.report).len()).unwrap_or(u32::MAX),
        base_red: base_red(&checks),
        slept: control::gaps(conn, session.started_at.min(session.spawn_at), until).await?,
        missed_dates: sessions::missed_before(conn, session.date).await?,
        started_late_minutes: (late > 0).then_some(late),
        stopped_by_owner: session.stopped,
        incidents: runs::incidents(conn, session.id).await?,
        drill: kept::last_drill(conn).await?.filter(|(id, _)| *id == session.id).map(|(_, drill)| drill),
        finished_since: vec![],
        session: session.clone(),
    })
}

/// The whole state as the planner would see it now, for answering. Where nothing was measured lately (the command line
/// without a running bot) it is measured on the spot.
pub async fn world(engine: &Engine, conn: &mut Conn, now: DateTime<Utc>) -> Result<Snapshot, StoreError> {
    let mut world = snapshot::load(conn, engine.settings(), std::collections::BTreeSet::new(), now).await?;
    world.barred = super::fence::barred(engine).await;
    if world.samples.is_empty() {
        world.samples.push(engine.parts.probe.sample(now));
    }
    Ok(world)
}

/// The same with what earlier builds tell, for looking ahead.
pub async fn world_ahead(engine: &Engine, conn: &mut Conn, now: DateTime<Utc>) -> Result<Snapshot, StoreError> {
    let outlook = outlook::load(conn, engine.settings().build.max_attempts).await?;
    Ok(Snapshot { outlook, ..world(engine, conn, now).await? })
}

/// Locked tasks that nobody approved, in queue order.
pub fn locked(world: &Snapshot) -> Vec<Task> {
    let waits = |task: &&Task| choice::lock(world, task).is_some() && !choice::is_approved(world, task);
    let open = |task: &&Task| task.state == crate::domain::task::TaskState::Open;
    world.tasks.iter().filter(open).filter(waits).cloned().collect()
}

async fn problems(conn: &mut Conn, session: &Session) -> Result<Vec<ProblemFact>, StoreError> {
    let rows = health::problems(conn, session.id).await?;
    Ok(rows
        .into_iter()
        .map(|row| ProblemFact {
            kind: row.kind,
            severity: row.severity,
            subject: row.subject,
            detail: row.why_not.unwrap_or(row.detail),
            fixed: row.fixed,
            freed_bytes: row.freed,
        })
        .collect())
}

async fn patterns(conn: &mut Conn, session: &Session) -> Result<Vec<PatternFact>, StoreError> {
    let rows = health::patterns(conn, session.id).await?;
    Ok(rows
        .into_iter()
        .map(|row| PatternFact {
            title: row.title,
            when: row.when,
            support: row.support,
            of: row.of,
            confidence: row.confidence,
            action: row.action,
        })
        .collect())
}

fn base_red(checks: &[Check]) -> Vec<BaseRedFact> {
    let red = |check: &&Check| {
        check.purpose == CheckPurpose::Base
            && check.verdict.as_ref().is_some_and(|verdict| {
                matches!(verdict.tests, TestsVerdict::Failed | TestsVerdict::Flaky | TestsVerdict::Impossible)
            })
    };
    checks
        .iter()
        .filter(red)
        .map(|check| BaseRedFact {
            project: check.project.clone(),
            detail: check.verdict.as_ref().map(base_trouble).unwrap_or_default(),
        })
        .collect()
}

fn base_trouble(verdict: &Verdict) -> String {
    match (&verdict.trouble, verdict.counts.failing.as_slice()) {
        (Some(trouble), _) => trouble.clone(),
        (None, []) => "its verify command fails".into(),
        (None, names) => format!("fails: {}", crate::domain::words::list(names, 3)),
    }
}

/// Builds with what their checks found.
pub async fn build_facts(
    engine: &Engine,
    conn: &mut Conn,
    rows: Vec<Build>,
    checks: &[Check],
) -> Result<Vec<BuildFact>, StoreError> {
    let mut sessions_seen: BTreeMap<i64, Session> = BTreeMap::new();
    let mut facts = Vec::new();
    let mut expects = None;
    for build in rows {
        let task = tasks::get(conn, build.task).await?;
        let session = match sessions_seen.get(&build.session.0) {
            Some(session) => session.clone(),
            None => sessions::get(conn, build.session).await?,
        };
        sessions_seen.insert(build.session.0, session.clone());
        let stretches = if build.round > 0 || build.wait.is_some() { stretches(conn, &build).await? } else { vec![] };
        let finish = if build.outcome.is_none() && build.wait.is_none() {
            if expects.is_none() {
                expects = Some(Expects::learn(engine, conn).await?);
            }
            expects.as_ref().map(|expects| expects.finish(engine, &build, &task))
        } else {
            None
        };
        let (expected_finish, finish_at_most) = finish.unzip();
        let fact = build_fact(engine, build, task, &session, checks);
        facts.push(BuildFact { expected_finish, finish_at_most, stretches, ..fact });
    }
    Ok(facts)
}

/// The stretches in which a build that had to wait was worked on: up to the end of each round of its agent, and from the
/// beginning of the next.
async fn stretches(conn: &mut Conn, build: &Build) -> Result<Vec<(DateTime<Utc>, Option<DateTime<Utc>>)>, StoreError> {
    let mut stretches = vec![];
    let mut from = Some(build.started_at);
    for run in runs::rounds(conn, build.id).await? {
        let from = from.take().unwrap_or(run.started_at);
        let last = run.round == build.round && build.wait.is_none();
        let to = if last { build.ended_at } else { run.ended.map(|(at, _)| at) };
        stretches.push((from, to));
        if last {
            return Ok(stretches);
        }
    }
    // The round it is in has not ended, or not begun.
    if build.wait.is_none() {
        stretches.push((from.unwrap_or(build.step_at), build.ended_at));
    }
    Ok(stretches)
}

fn build_fact(engine: &Engine, build: Build, task: Task, session: &Session, checks: &[Check]) -> BuildFact {
    let verdict = build.check.and_then(|id| checks.iter().find(|c| c.id == id)).and_then(|c| c.verdict.clone());
    let base = checks.iter().find(|check| {
        check.purpose == CheckPurpose::Base
            && check.session == build.session
            && Some(check.project.as_str()) == task.spec.project.as_deref()
    });
    let base_verdict = base.and_then(|check| check.verdict.clone());
    let artifacts = engine.home().artifacts(task.id);
    let result_ref = match (&build.result, task.spec.kind) {
        (Some(_), _) => super::home::build_refs(&build, session).ok().map(|refs| refs.result.as_str().to_owned()),
        (None, crate::domain::task::TaskKind::Artifact) => Some(artifacts.display().to_string()),
        (None, _) => None,
    };
    BuildFact {
        log_path: engine.home().build_log(build.id, build.round).display().to_string(),
        expected_finish: None,
        finish_at_most: None,
        stretches: vec![],
        measure_text: measured(engine, &task, base_verdict.as_ref(), verdict.as_ref()),
        result_ref,
        build,
        task,
        verdict,
        base_verdict,
    }
}

/// What running builds are expected to take.
struct Expects(Model);

impl Expects {
    async fn learn(engine: &Engine, conn: &mut Conn) -> Result<Self, StoreError> {
        let attempts = engine.settings().build.max_attempts;
        let records = outlook::records(conn).await?;
        Ok(Self(Model::learn(&History { records, attempts }, &[])))
    }

    /// When a build should end: by what such builds take, how long it runs already, and what its agent says.
    fn finish(&self, engine: &Engine, build: &Build, task: &Task) -> expect::Finish {
        expect::finish_of(&self.0, engine.settings(), task, build, engine.now())
    }
}

fn measured(engine: &Engine, task: &Task, base: Option<&Verdict>, result: Option<&Verdict>) -> Option<String> {
    let project = engine.settings().project(task.spec.project.as_deref()?)?;
    let measure = project.measure.as_ref()?;
    speed(base?.measure?, result?.measure?, measure.better, &measure.unit)
}

/// What `/status` is made from.
pub async fn status(engine: &Engine, conn: &mut Conn, now: DateTime<Utc>) -> Result<StatusFacts, StoreError> {
    let settings = engine.settings();
    let world = world(engine, conn, now).await?;
    let permits = world.permits();
    let session = world.sessions.iter().filter(|s| s.is_open()).max_by_key(|s| s.id).cloned();
    let checks = world.checks.clone();
    let running = build_facts(engine, conn, world.builds.clone(), &checks).await?;
    let ended = match &session {
        Some(session) => {
            let rows =
                builds::of_session(conn, session.id).await?.into_iter().filter(|b| b.outcome.is_some()).collect();
            let checks = checks::of_session(conn, session.id).await?;
            build_facts(engine, conn, rows, &checks).await?
        }
        None => vec![],
    };
    let next = choice::ready(&world, now).into_iter().map(|(task, approved)| {
        let why = if approved { "approved" } else { "auto-approved" };
        (task.clone(), format!("{} priority, {why}", task.spec.priority.word()))
    });
    let waiting = world.tasks.iter().filter_map(|task| {
        use choice::Standing::{Asks, Building, Parked, Ready};
        let standing = choice::standing(&world, task, now);
        (!matches!(standing, Ready { .. } | Building | Parked { .. } | Asks { .. }))
            .then(|| (task.clone(), standing.words(engine.settings().schedule.zone)))
    });
    let builds: Vec<BuildFact> = running.into_iter().chain(ended).collect();
    // Several attempts at one task are one line: the last.
    let builds: Vec<BuildFact> = by_task(&builds).into_iter().map(|task| task.last.clone()).collect();
    let approved = builds.iter().filter(|fact| choice::lock(&world, &fact.task).is_some()).map(|fact| fact.task.id);
    Ok(StatusFacts {
        approved: approved.collect(),
        now,
        zone: settings.schedule.zone,
        paused: world.paused,
        builds,
        next: next.collect(),
        waiting: waiting.collect(),
        permits_max: u32::try_from(settings.limits.max_builds).unwrap_or(u32::MAX),
        permits_blocked: permits
            .blocked_by
            .iter()
            .map(ToString::to_string)
            .chain(permits.unknown)
            .chain(world.barred.clone())
            .chain(session.as_ref().and_then(|session| budget::of_night(&world, session.id)))
            .collect(),
        resources: resources(engine, &world),
        next_night: next_night(&world, now),
        chat_trouble: trouble::all(conn).await?.into_iter().map(|t| (t.chat, t.since, t.why)).collect(),
        locked: u32::try_from(locked(&world).len()).unwrap_or(u32::MAX),
        session,
    })
}

/// The next night; one that has begun is not the next, and neither is one that is left out.
fn next_night(world: &Snapshot, now: DateTime<Utc>) -> Night {
    let schedule = &world.settings.schedule;
    let mut night = schedule.current_or_next(now);
    while night.start <= now || world.skipped.contains(&night.date) {
        let Some(date) = night.date.succ_opt() else { break };
        night = schedule.night(date);
    }
    night
}

/// Disk, memory and load as last measured.
pub fn resources(engine: &Engine, world: &Snapshot) -> Vec<String> {
    let Some(sample) = world.samples.last() else { return vec!["not measured yet".into()] };
    let mut lines: Vec<_> = sample
        .mounts
        .iter()
        .map(|mount| {
            let (used, free) = (mount.used_fraction(), crate::domain::format::human_bytes(mount.available_bytes));
            format!("disk {} used, {free} free ({})", crate::domain::format::percent(used), mount.path)
        })
        .collect();
    if let Some(available) = sample.memory_available_fraction() {
        lines.push(format!("memory {} available", crate::domain::format::percent(available)));
    }
    lines.push(format!("load {:.1}, {} processes", sample.load_one, sample.processes));
    if engine.parts.probe.label() != "system" {
        lines.push(format!("figures: {}", engine.parts.probe.label()));
    }
    lines
}
