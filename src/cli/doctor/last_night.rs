//! What became of last night, from what is on record: why it did not start, why builds failed, why the brief was empty.

use super::Findings;
use crate::domain::build::{Build, Outcome};
use crate::domain::session::{Phase, Session};
use crate::domain::words::clock;
use crate::engine::Engine;
use crate::store::{Conn, StoreError, builds, control, health, outbox, sessions, tasks};
use chrono::{DateTime, Utc};

pub(super) async fn look(engine: &Engine, now: DateTime<Utc>, findings: &mut Findings) -> Result<(), StoreError> {
    findings.section("About last night");
    let schedule = &engine.settings().schedule;
    let night = schedule.night(schedule.last_started(now));
    let mut conn = engine.store().read().await?;
    let Some(session) = sessions::of_date(&mut conn, night.date).await? else {
        let installed = control::read_installed_at(&mut conn).await?;
        match installed {
            Some(installed) if installed < night.start => findings.warn(
                format!("the night of {} is not on record: no bot has run since it was due", night.date),
                "start the bot (overnight run, or its service): it says at its start that the night was missed",
            ),
            _ => findings.fine("there was none yet"),
        }
        return Ok(());
    };
    if session.phase == Phase::Missed {
        let why = session.missed_reason.as_deref().unwrap_or("no bot ran");
        findings.warn(
            format!("the night of {} did not run: {why}", session.date),
            "keep the bot running and the machine awake; see Service and Machine above",
        );
        return delivery(&mut conn, &session, now, findings).await;
    }
    ran(engine, &mut conn, &session, findings).await?;
    let rows = builds::of_session(&mut conn, session.id).await?;
    if rows.is_empty() {
        not_started(engine, &mut conn, &session, now, findings).await?;
    }
    for build in rows.iter().filter(|build| build.outcome.is_some_and(is_trouble)) {
        failed(&mut conn, build, findings).await?;
    }
    delivery(&mut conn, &session, now, findings).await
}

async fn ran(engine: &Engine, conn: &mut Conn, session: &Session, findings: &mut Findings) -> Result<(), StoreError> {
    let zone = engine.settings().schedule.zone;
    let rows = builds::of_session(conn, session.id).await?;
    let count = |wanted: fn(Outcome) -> bool| rows.iter().filter(|build| build.outcome.is_some_and(wanted)).count();
    let verified = count(|outcome| outcome == Outcome::Verified);
    let open = rows.iter().filter(|build| build.outcome.is_none()).count();
    let began = clock(session.started_at, zone);
    findings.fine(format!(
        "the night of {} began at {began}: {} builds, {verified} verified, {} with trouble, {open} still running",
        session.date,
        rows.len(),
        count(is_trouble)
    ));
    let (_, _, late) = sessions::outputs(conn, session.id).await?;
    if late > 0 {
        findings.warn(format!("it began {late} minutes late"), "the machine slept, or the bot did not run: see above");
    }
    if session.stopped {
        findings.warn("you ended it early", "");
    }
    for (since, until) in control::gaps(conn, session.started_at.min(session.spawn_at), session.brief_at).await? {
        let what = format!("nothing ran between {} and {}", clock(since, zone), clock(until, zone));
        findings.warn(what, "the machine slept or was off: see Machine above");
    }
    Ok(())
}

/// Why a night that ran built nothing.
async fn not_started(
    engine: &Engine,
    conn: &mut Conn,
    session: &Session,
    now: DateTime<Utc>,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    let zone = engine.settings().schedule.zone;
    if now < session.spawn_at {
        findings.fine(format!("builds start at {}", clock(session.spawn_at, zone)));
        return Ok(());
    }
    let mut told = false;
    for held in health::throttles(conn, session.spawn_at, session.spawn_until.min(now)).await? {
        let until = held.until.map_or("now".into(), |until| clock(until, zone));
        let what = format!("builds were held up from {} until {until}: {}", clock(held.since, zone), held.detail);
        findings.warn(what, "free what was short, or change [limits]");
        told = true;
    }
    let world = crate::engine::facts::world(engine, conn, now).await?;
    let before = world.tasks.iter().filter(|task| task.created_at < session.spawn_until).count();
    let locked = crate::engine::facts::locked(&world).len();
    if world.tasks.is_empty() {
        findings.warn("nothing was built: the queue is empty", "overnight queue add \"Fix the slow report\"");
    } else if before == 0 {
        findings.warn("nothing was built: all queued tasks are newer than that night", "they run tonight");
    } else if locked > 0 {
        findings.warn(
            format!("of {before} tasks that were queued, {locked} are locked until you tap"),
            "overnight queue list locked; overnight approve N",
        );
    } else if !told {
        findings.warn(
            format!("{before} tasks were queued and none was built"),
            "overnight why N says what each waited for; overnight audit 100 has the decisions",
        );
    }
    Ok(())
}

async fn failed(conn: &mut Conn, build: &Build, findings: &mut Findings) -> Result<(), StoreError> {
    let task = tasks::get(conn, build.task).await?;
    let word = build.outcome.map_or("", Outcome::as_str).replace('_', " ");
    let reason = if build.reason.is_empty() { String::new() } else { format!(": {}", build.reason) };
    findings.warn(
        format!("#{} {} ({word}){reason}", task.id, task.spec.title),
        format!("overnight log {} shows its output, overnight why {} the rest", task.id, task.id),
    );
    Ok(())
}

fn is_trouble(outcome: Outcome) -> bool {
    !matches!(outcome, Outcome::Verified | Outcome::Unverified | Outcome::Stopped)
}

/// Whether the brief was written, and whether it arrived.
async fn delivery(
    conn: &mut Conn,
    session: &Session,
    now: DateTime<Utc>,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    let (briefed, ..) = sessions::outputs(conn, session.id).await?;
    let Some(briefed) = briefed else {
        if now < session.brief_at {
            findings.fine("its brief is not due yet");
        } else {
            findings
                .warn("its brief is due and not written", "overnight brief writes and prints it; then start the bot");
        }
        return Ok(());
    };
    let deliveries = outbox::deliveries(conn, &format!("brief:{}", session.date)).await?;
    if deliveries.is_empty() {
        // A missed night is told in the brief of the next one that ran.
        findings.fine("it was told in a later brief");
    }
    for delivery in deliveries {
        let place = delivery.chat.split(':').next().unwrap_or_default();
        let trouble = delivery.trouble.map_or(String::new(), |trouble| format!(": {trouble}"));
        match delivery.state.as_str() {
            "sent" => findings.fine(format!("its brief was sent ({place})")),
            "gone" => findings.bad(
                format!("its brief could not be delivered ({place}){trouble}"),
                "see Telegram above; overnight brief prints it",
            ),
            _ if now - briefed < chrono::TimeDelta::minutes(2) => findings.fine("its brief is on its way"),
            _ => findings.bad(
                format!("its brief still waits to be sent ({place}){trouble}"),
                "is the bot running, and Telegram reachable? overnight brief prints it",
            ),
        }
    }
    Ok(())
}
