//! What is kept of each day, and restores that were tried.

use super::{Conn, StoreError, from_json, from_json_opt, ms, small, time, to_json};
use crate::domain::id::SessionId;
use crate::domain::kept::{Drill, KeptBundle, KeptDatabase, KeptDay, KeptProject};
use chrono::{DateTime, NaiveDate, Utc};
use std::collections::BTreeSet;

/// Records what a session kept.
pub async fn insert(conn: &mut Conn, session: SessionId, day: &KeptDay) -> Result<(), StoreError> {
    let (date, at) = (day.date.to_string(), ms(day.taken_at));
    let copy = day.database.as_ref();
    let (path, bytes) = (copy.map(|copy| copy.path.as_str()), copy.map(|copy| whole(copy.bytes)));
    let (sha256, content) = (copy.map(|copy| copy.sha256.as_str()), copy.map(|copy| copy.content.as_str()));
    let rows = copy.map(|copy| to_json(&copy.rows)).transpose()?;
    sqlx::query!(
        "INSERT INTO snapshot (session_id, date, taken_at, copy_path, copy_bytes, copy_sha256, copy_rows, copy_content) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        session.0,
        date,
        at,
        path,
        bytes,
        sha256,
        rows,
        content
    )
    .execute(&mut *conn)
    .await?;
    for project in &day.projects {
        insert_project(conn, session, project).await?;
    }
    Ok(())
}

async fn insert_project(conn: &mut Conn, session: SessionId, project: &KeptProject) -> Result<(), StoreError> {
    let (files, skipped) = (whole(project.files), to_json(&project.skipped)?);
    let bundle = project.bundle.as_ref();
    let (path, bytes) = (bundle.map(|bundle| bundle.path.as_str()), bundle.map(|bundle| whole(bundle.bytes)));
    let (sha256, tips) = (bundle.map(|bundle| bundle.sha256.as_str()), bundle.map(|bundle| bundle.tips.as_str()));
    sqlx::query!(
        "INSERT INTO snapshot_project (session_id, project, commit_sha, files, skipped, bundle_path, bundle_bytes, \
         bundle_sha256, bundle_tips, bundle_trouble) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        session.0,
        project.name,
        project.commit,
        files,
        skipped,
        path,
        bytes,
        sha256,
        tips,
        project.bundle_trouble
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Sizes stay far below the limit of a column.
fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The last 100 days that were kept and not removed.
pub async fn dates(conn: &mut Conn) -> Result<BTreeSet<NaiveDate>, StoreError> {
    sqlx::query_scalar!("SELECT DISTINCT date FROM snapshot WHERE removed_at IS NULL ORDER BY date DESC LIMIT 100")
        .fetch_all(conn)
        .await?
        .iter()
        .map(|date| day(date))
        .collect()
}

fn day(text: &str) -> Result<NaiveDate, StoreError> {
    text.parse().map_err(|_| StoreError::BadRow(format!("date {text:?}")))
}

/// What was kept last, whatever the clock said then.
pub async fn newest(conn: &mut Conn) -> Result<Option<KeptDay>, StoreError> {
    let id = sqlx::query_scalar!(
        "SELECT session_id FROM snapshot WHERE removed_at IS NULL ORDER BY session_id DESC LIMIT 1"
    );
    match id.fetch_optional(&mut *conn).await? {
        Some(id) => Ok(Some(of_session(conn, id).await?)),
        None => Ok(None),
    }
}

/// Every day that is kept, as it was kept last, newest first.
pub async fn all(conn: &mut Conn) -> Result<Vec<KeptDay>, StoreError> {
    let ids = sqlx::query_scalar!(
        "SELECT MAX(session_id) AS \"id!: i64\" FROM snapshot WHERE removed_at IS NULL GROUP BY date ORDER BY date DESC"
    );
    let mut days = Vec::new();
    for id in ids.fetch_all(&mut *conn).await? {
        days.push(of_session(conn, id).await?);
    }
    Ok(days)
}

async fn of_session(conn: &mut Conn, id: i64) -> Result<KeptDay, StoreError> {
    let row = sqlx::query!(
        "SELECT date, taken_at, copy_path, copy_bytes, copy_sha256, copy_rows, copy_content FROM snapshot WHERE session_id = ?",
        id
    )
    .fetch_one(&mut *conn)
    .await?;
    let database = match row.copy_path {
        Some(path) => Some(KeptDatabase {
            path,
            bytes: small(row.copy_bytes.unwrap_or(0))?,
            sha256: row.copy_sha256.unwrap_or_default(),
            rows: from_json_opt(row.copy_rows.as_deref())?.unwrap_or_default(),
            content: row.copy_content.unwrap_or_default(),
        }),
        None => None,
    };
    Ok(KeptDay { date: day(&row.date)?, taken_at: time(row.taken_at)?, database, projects: projects(conn, id).await? })
}

async fn projects(conn: &mut Conn, id: i64) -> Result<Vec<KeptProject>, StoreError> {
    let rows = sqlx::query!(
        "SELECT project, commit_sha, files, skipped, bundle_path, bundle_bytes, bundle_sha256, bundle_tips, bundle_trouble \
         FROM snapshot_project WHERE session_id = ? ORDER BY project",
        id
    );
    let mut projects = Vec::new();
    for row in rows.fetch_all(conn).await? {
        let bundle = match row.bundle_path {
            Some(path) => Some(KeptBundle {
                path,
                bytes: small(row.bundle_bytes.unwrap_or(0))?,
                sha256: row.bundle_sha256.unwrap_or_default(),
                tips: row.bundle_tips.unwrap_or_default(),
            }),
            None => None,
        };
        projects.push(KeptProject {
            name: row.project,
            commit: row.commit_sha,
            files: small(row.files)?,
            skipped: from_json(&row.skipped)?,
            bundle,
            bundle_trouble: row.bundle_trouble,
        });
    }
    Ok(projects)
}

/// Folder and refs of this day are gone.
pub async fn removed(conn: &mut Conn, date: NaiveDate, at: DateTime<Utc>) -> Result<(), StoreError> {
    let (date, at) = (date.to_string(), ms(at));
    sqlx::query!("UPDATE snapshot SET removed_at = ? WHERE date = ? AND removed_at IS NULL", at, date)
        .execute(conn)
        .await?;
    Ok(())
}

/// Records a restore that was tried.
pub async fn insert_drill(conn: &mut Conn, session: SessionId, drill: &Drill) -> Result<(), StoreError> {
    let (date, at, bytes) = (drill.date.to_string(), ms(drill.at), whole(drill.bytes));
    sqlx::query!(
        "INSERT INTO restore_drill (session_id, date, at, vaults, bytes, trouble) VALUES (?, ?, ?, ?, ?, ?)",
        session.0,
        date,
        at,
        drill.vaults,
        bytes,
        drill.trouble
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The restore that was tried last.
pub async fn last_drill(conn: &mut Conn) -> Result<Option<(SessionId, Drill)>, StoreError> {
    let row = sqlx::query!(
        "SELECT session_id, date, at, vaults, bytes, trouble FROM restore_drill ORDER BY session_id DESC LIMIT 1"
    );
    let Some(row) = row.fetch_optional(conn).await? else { return Ok(None) };
    let drill = Drill {
        date: day(&row.date)?,
        at: time(row.at)?,
        vaults: small(row.vaults)?,
        bytes: small(row.bytes)?,
        trouble: row.trouble,
    };
    Ok(Some((SessionId(row.session_id), drill)))
}
