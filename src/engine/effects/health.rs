//! Phase 1: scan this machine, fix what is safe, write down both.

use crate::domain::id::SessionId;
use crate::domain::problem::{Fix, FixOutcome, Problem, ProblemKind, Severity};
use crate::domain::settings::Settings;
use crate::engine::{Engine, failpoint};
use crate::host::databases::{DatabaseRules, check_database, optimize_database};
use crate::host::logs::{LogRules, fix_logs, purge_trash, scan_logs};
use crate::store::health::StoredProblem;
use crate::store::{StoreError, audit, buttons, health as rows, sessions};
use chrono::TimeDelta;
use std::path::PathBuf;

/// The trash never takes more than this.
const TRASH_BYTES: u64 = 5_000_000_000;

/// What a health check found, with what was done about each.
pub(in crate::engine) struct Checked {
    pub(in crate::engine) problem: Problem,
    pub(in crate::engine) fix: Option<Fix>,
}

pub(super) async fn check(engine: &Engine, session: SessionId) -> Result<(), StoreError> {
    let name = {
        let mut conn = engine.store().read().await?;
        sessions::get(&mut conn, session).await?.name()
    };
    // What is wrong is written down before anything is fixed: a crash in between loses no fix from the report.
    let found = look(engine, None).await;
    note_found(engine, session, &found).await?;
    failpoint::pass("health scanned");
    let fixed = look(engine, Some(&name)).await;
    failpoint::pass("health fixed");
    note_fixed(engine, session, &fixed).await
}

async fn note_found(engine: &Engine, session: SessionId, found: &[Checked]) -> Result<(), StoreError> {
    let now = engine.now();
    let mut tx = engine.store().begin().await?;
    for Checked { problem, .. } in found {
        let text = format!("{} ({})", problem.detail, problem.subject);
        audit::append(&mut tx, now, "host", "problem", None, &text).await?;
        rows::insert_problem(&mut tx, session, problem).await?;
    }
    tx.commit().await?;
    Ok(())
}

async fn note_fixed(engine: &Engine, session: SessionId, fixed: &[Checked]) -> Result<(), StoreError> {
    let now = engine.now();
    let mut tx = engine.store().begin().await?;
    for Checked { problem, fix } in fixed {
        rows::insert_problem(&mut tx, session, problem).await?;
        let Some(fix) = fix else { continue };
        let (text, freed) = (fix.text(), if fix.is_fixed() { fix.freed_bytes } else { 0 });
        let done = if fix.is_fixed() { Ok(text.as_str()) } else { Err(text.as_str()) };
        audit::append(&mut tx, now, "host", if fix.is_fixed() { "fixed" } else { "not_fixed" }, None, &text).await?;
        rows::settle_problem(&mut tx, session, (problem.kind.as_str(), &problem.subject), done, freed).await?;
    }
    // Found before and no longer there, with nobody having written down why: the check was interrupted after the fix.
    let gone = |row: &StoredProblem| {
        let still = fixed.iter().any(|f| f.problem.kind.as_str() == row.kind && f.problem.subject == row.subject);
        row.fixable && row.fixed.is_none() && row.why_not.is_none() && !still
    };
    for row in rows::problems(&mut tx, session).await?.into_iter().filter(gone) {
        let text = format!("Fixed before an interruption: {} ({})", row.detail, row.subject);
        audit::append(&mut tx, now, "host", "fixed", None, &text).await?;
        rows::settle_problem(&mut tx, session, (&row.kind, &row.subject), Ok(&text), 0).await?;
    }
    let all = rows::problems(&mut tx, session).await?;
    let fixed = all.iter().filter(|row| row.fixed.is_some()).count();
    let escalated = all.iter().filter(|row| row.fixed.is_none() && row.severity == Severity::Critical.as_str()).count();
    let text = format!("problems detected: {}, auto-fixed: {fixed}, escalated: {escalated}", all.len());
    audit::append(&mut tx, now, "host", "health", None, &text).await?;
    buttons::forget(&mut tx, now - TimeDelta::days(30)).await?;
    sessions::health_done(&mut tx, session).await?;
    failpoint::pass("before health commit");
    tx.commit().await?;
    Ok(())
}

/// What `/health` looks at: done before the transaction of its answer, as nobody else can write while one is open and a
/// slow disk takes its time. What is wrong is written down before anything is fixed. Interrupted before the answer, all of
/// it is done again: what was fixed by then is no longer found, but is in the audit and in the trash.
pub(in crate::engine) async fn asked(engine: &Engine, who: &str, fix: bool) -> Result<Vec<Checked>, StoreError> {
    let found = look(engine, None).await;
    if !fix {
        return Ok(found);
    }
    let now = engine.now();
    let mut tx = engine.store().begin().await?;
    audit::append(&mut tx, now, who, "health", None, "asked to fix what is safe").await?;
    for Checked { problem, .. } in &found {
        let text = format!("{} ({})", problem.detail, problem.subject);
        audit::append(&mut tx, now, "host", "problem", None, &text).await?;
    }
    tx.commit().await?;
    failpoint::pass("health asked");
    Ok(look(engine, Some(&format!("asked_{}", now.timestamp()))).await)
}

/// Scans; with `fix_as` it also fixes what is safe, and that name is the folder in the trash.
async fn look(engine: &Engine, fix_as: Option<&str>) -> Vec<Checked> {
    let mut checked = logs(engine, fix_as).await;
    checked.extend(databases(engine, fix_as).await);
    checked.extend(machine(engine).await);
    checked
}

fn log_roots(settings: &Settings) -> Vec<PathBuf> {
    settings.health.log_roots.iter().chain(settings.projects.iter().flat_map(|p| &p.log_roots)).cloned().collect()
}

async fn logs(engine: &Engine, fix_as: Option<&str>) -> Vec<Checked> {
    let (settings, now) = (engine.settings(), engine.now());
    let rules = LogRules {
        older_than_days: settings.health.log_max_age_days,
        rotate_over_bytes: settings.health.log_rotate_bytes,
        never_enter: vec![engine.home().root().to_path_buf()],
        ..LogRules::default()
    };
    let (roots, keep_days) = (log_roots(settings), settings.health.trash_keep_days);
    let (trash_root, folder) = (engine.home().trash(), fix_as.map(ToOwned::to_owned));
    let worked = tokio::task::spawn_blocking(move || {
        let scan = scan_logs(&roots, &rules, now);
        let fixes = folder.map(|folder| {
            if let Err(error) = purge_trash(&trash_root, now, keep_days, TRASH_BYTES) {
                tracing::warn!(%error, "the trash could not be emptied");
            }
            fix_logs(&scan, &trash_root.join(folder), now)
        });
        for skipped in &scan.skipped {
            tracing::info!(path = %skipped.path.display(), why = skipped.why, "log left alone");
        }
        (scan.problems, fixes.unwrap_or_default())
    });
    let (problems, mut fixes) = worked.await.unwrap_or_default();
    let mut checked: Vec<_> = problems
        .into_iter()
        .map(|problem| {
            let of_this = |fix: &Fix| fix.kind == problem.kind && fix.subject == problem.subject;
            let fix = fixes.iter().position(of_this).map(|at| fixes.remove(at));
            Checked { problem, fix }
        })
        .collect();
    checked.extend(fixes.into_iter().map(of_fix));
    checked
}

/// A fix that answers no single problem: one file that could not be handled.
fn of_fix(fix: Fix) -> Checked {
    let detail = match &fix.done {
        FixOutcome::Fixed => fix.text(),
        FixOutcome::Skipped { why } | FixOutcome::Failed { why } => why.clone(),
    };
    let problem = Problem {
        kind: fix.kind,
        severity: Severity::Info,
        subject: fix.subject.clone(),
        detail,
        bytes: fix.before_bytes,
        fix: None,
    };
    Checked { problem, fix: Some(fix) }
}

async fn databases(engine: &Engine, fix_as: Option<&str>) -> Vec<Checked> {
    let settings = engine.settings();
    let rules = DatabaseRules::default();
    let own = engine.store().path();
    let mut checked = Vec::new();
    let named = settings.health.databases.iter().chain(settings.projects.iter().flat_map(|p| &p.databases));
    for path in named {
        let Some(problem) = check_database(path, own, &rules).await.problem else { continue };
        let fix = match fix_as {
            Some(folder) if problem.kind == ProblemKind::DatabaseBloat => {
                Some(optimize_database(path, own, &rules, &engine.home().trash().join(folder)).await)
            }
            _ => None,
        };
        checked.push(Checked { problem, fix });
    }
    checked
}

/// Disks over their limit, told before they throttle.
async fn machine(engine: &Engine) -> Vec<Checked> {
    let sample = match engine.store().read().await {
        Ok(mut conn) => rows::last_sample(&mut conn).await.ok().flatten(),
        Err(_) => None,
    };
    let limit = engine.settings().limits.disk_used_percent / 100.0;
    let full = sample.into_iter().flat_map(|sample| sample.mounts).filter(|mount| mount.used_fraction() > limit);
    full.map(|mount| Checked {
        problem: Problem {
            kind: ProblemKind::DiskNearlyFull,
            severity: if mount.used_fraction() > 0.95 { Severity::Critical } else { Severity::Warning },
            detail: format!("{} full", crate::domain::format::percent(mount.used_fraction())),
            bytes: mount.used_bytes,
            subject: mount.path,
            fix: None,
        },
        fix: None,
    })
    .collect()
}
