//! The picture that goes with a brief: drawn and written before the brief's transaction, which must not wait for it.
//!
//! A brief without its picture is still the brief: whatever goes wrong here is logged and nothing else.

use super::{Engine, facts};
use crate::domain::id::SessionId;
use crate::domain::message::Attachment;
use crate::domain::session::{Phase, Session, SessionKind};
use crate::domain::timeline::Timeline;
use crate::host::chart;
use crate::store::{StoreError, sessions};

/// Draws a session as it stands now. `None`: there is nothing to draw, or it could not be drawn.
pub(super) async fn draw(engine: &Engine, id: SessionId) -> Option<Attachment> {
    let known = known(engine, id).await;
    let (session, timeline) =
        known.inspect_err(|error| tracing::warn!(%error, "the brief goes without its picture")).ok()??;
    let target = engine.home().picture(&session);
    let path = target.clone();
    let drawn = tokio::task::spawn_blocking(move || {
        let bytes = chart::png(&timeline)?;
        crate::host::atomic_write(&target, &bytes)?;
        anyhow::Ok(())
    });
    let error = match drawn.await {
        Ok(Ok(())) => return Some(Attachment { path: path.display().to_string(), name: name(&session) }),
        Ok(Err(error)) => error,
        Err(error) => error.into(),
    };
    tracing::warn!(path = %path.display(), %error, "the brief goes without its picture");
    None
}

/// A missed night has nothing to show.
async fn known(engine: &Engine, id: SessionId) -> Result<Option<(Session, Timeline)>, StoreError> {
    let mut conn = engine.store().read().await?;
    let session = sessions::get(&mut conn, id).await?;
    if session.phase == Phase::Missed {
        return Ok(None);
    }
    let facts = facts::night(engine, &mut conn, &session, engine.now()).await?;
    Ok(Some((session, Timeline::of(&facts))))
}

/// What it is called where it arrives.
fn name(session: &Session) -> String {
    let what = if session.kind == SessionKind::Nightly { "night" } else { "session" };
    format!("{what}-{}.png", session.date)
}
