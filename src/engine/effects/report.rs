//! Phase 5: the JSON report, written whole or not at all.

use crate::domain::id::SessionId;
use crate::domain::report::report;
use crate::engine::{Engine, facts, failpoint};
use crate::store::{StoreError, audit, sessions};

pub(super) async fn write(engine: &Engine, id: SessionId) -> Result<(), StoreError> {
    let (session, facts) = {
        let mut conn = engine.store().read().await?;
        let session = sessions::get(&mut conn, id).await?;
        let facts = facts::night(engine, &mut conn, &session, engine.now()).await?;
        (session, facts)
    };
    let path = engine.home().report(&session);
    let text = serde_json::to_string_pretty(&report(&facts)).map_err(|error| StoreError::BadRow(error.to_string()))?;
    let target = path.clone();
    let written = tokio::task::spawn_blocking(move || crate::host::atomic_write(&target, text.as_bytes())).await;
    failpoint::pass("report written");
    let mut tx = engine.store().begin().await?;
    let shown = path.display().to_string();
    let trouble = match written {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(error) => Some(error.to_string()),
    };
    // A report that can't be written must not hold back the brief.
    let text = match &trouble {
        None => format!("the report is in {shown}"),
        Some(trouble) => format!("the report could not be written to {shown}: {trouble}"),
    };
    audit::append(&mut tx, engine.now(), "host", "report", None, &text).await?;
    sessions::reported(&mut tx, id, &shown, engine.now()).await?;
    tx.commit().await?;
    Ok(())
}
