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
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;

/// How long drawing may take; it takes less than a second.
const LONGEST: Duration = Duration::from_mins(1);

/// Draws a session as it stands now. `None`: there is nothing to draw, or it could not be drawn.
pub(super) async fn draw(engine: &Engine, id: SessionId) -> Option<Attachment> {
    let known = known(engine, id).await;
    let (session, timeline) =
        known.inspect_err(|error| tracing::warn!(%error, "the brief goes without its picture")).ok()??;
    let path = engine.home().picture(&session);
    let target = path.clone();
    let drawn = match drawn_apart(engine.parts.runner.exe(), chart::drawing(timeline)).await {
        Ok(bytes) => tokio::task::spawn_blocking(move || crate::host::atomic_write(&target, &bytes)).await,
        Err(error) => Ok(Err(error)),
    };
    let error = match drawn {
        Ok(Ok(())) => return Some(Attachment { path: path.display().to_string(), name: name(&session) }),
        Ok(Err(error)) => error,
        Err(error) => std::io::Error::other(error),
    };
    tracing::warn!(path = %path.display(), %error, "the brief goes without its picture");
    None
}

/// The picture, drawn by a process of its own: fonts and pixels take twenty megabytes, once a night, and this process
/// would keep them.
async fn drawn_apart(exe: &Path, drawing: String) -> std::io::Result<Vec<u8>> {
    let mut child = tokio::process::Command::new(exe)
        .arg("draw")
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut input = child.stdin.take().ok_or_else(|| std::io::Error::other("it takes no input"))?;
    // It reads all of its input before it writes anything.
    input.write_all(drawing.as_bytes()).await?;
    drop(input);
    let done = tokio::time::timeout(LONGEST, child.wait_with_output()).await;
    let done = done.map_err(|_| std::io::Error::other(format!("not drawn within {} s", LONGEST.as_secs())))??;
    let said = || String::from_utf8_lossy(&done.stderr).trim().to_owned();
    if done.status.success() { Ok(done.stdout) } else { Err(std::io::Error::other(said())) }
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
