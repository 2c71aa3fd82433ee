//! Days that are kept, as a list.

use crate::domain::format::human_bytes;
use crate::domain::kept::KeptDay;
use crate::domain::message::{Item, Message};
use crate::domain::words::counted;
use crate::engine::reply::Reply;
use crate::engine::{Engine, restore};
use crate::store::{Conn, StoreError, kept};
use serde_json::json;

/// Read from the folders, so that it is there to be seen after the database was lost too.
pub(super) async fn list(engine: &Engine, conn: &mut Conn) -> Result<Reply, StoreError> {
    let days = restore::days(engine.home());
    let drill = kept::last_drill(conn).await?.map(|(_, drill)| drill);
    let mut message = match days.len() {
        0 => Message::line("🗄️ No day is kept yet").intro("The first is kept tonight, before the first build."),
        n => Message::line(format!("🗄️ {} kept", counted(n, "day"))).section("", days.iter().map(item).collect()),
    };
    if let Some(drill) = &drill {
        message = message.section("", vec![Item::new("🛟", format!("{} ({})", drill.text(), drill.date))]);
    }
    if let Some(newest) = days.first() {
        message.closing = format!("overnight snapshots restore {} --into FOLDER writes one back.", newest.date);
    }
    Ok(Reply { message, data: json!({"days": days, "restore_drill": drill}), ..Reply::default() })
}

fn item(day: &KeptDay) -> Item {
    let database = if day.database.is_some() { "database" } else { "no database" };
    let mut item = Item::new("•", format!("{}: {database}, {}", day.date, human_bytes(day.bytes())));
    for project in &day.projects {
        let files = match &project.commit {
            Some(_) => counted(usize::try_from(project.files).unwrap_or(usize::MAX), "file"),
            None => "no files".into(),
        };
        let vault = if project.bundle.is_some() { "vault" } else { "no vault" };
        item.evidence.push(format!("{}: {files}, {vault}", project.name));
        item.evidence.extend(project.left_out());
        item.evidence.extend(project.bundle_trouble.clone());
    }
    item
}
