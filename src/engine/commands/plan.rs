//! `/plan`: tonight as it will probably be, and why a task comes to its turn or does not. Changes nothing.

use crate::domain::forecast::{Model, explain};
use crate::domain::id::TaskId;
use crate::domain::message::{Item, Message};
use crate::domain::plan::likely::{LikelyNight, likely};
use crate::domain::plan::{Snapshot, expect};
use crate::domain::task::Task;
use crate::domain::task::limits::TITLE_CHARS;
use crate::domain::words::{clock, counted, day_clock, plain};
use crate::engine::reply::Reply;
use crate::engine::{Engine, facts};
use crate::store::{Conn, StoreError};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde_json::json;

/// Most tasks left out that are listed; more are counted.
const LISTED: usize = 8;

pub(super) async fn plan(engine: &Engine, conn: &mut Conn, now: DateTime<Utc>) -> Result<Reply, StoreError> {
    let world = facts::world_ahead(engine, conn, now).await?;
    let night = likely(&world, now);
    let zone = engine.settings().schedule.zone;
    let verdict = format!("🗺️ The night from {} to {}", day_clock(night.from, zone), clock(night.until, zone));
    let intro = if night.builds.is_empty() {
        "Nothing will be built: no task is ready.".to_owned()
    } else {
        "As far as can be told from your estimates and earlier builds. Times are those half of such builds keep.".into()
    };
    let (tonight, late): (Vec<_>, Vec<_>) = night.builds.iter().partition(|build| build.half <= night.until);
    let item = |build: &&crate::domain::plan::likely::LikelyBuild| {
        let times = format!("{}–{}", clock(build.start, zone), clock(build.half, zone));
        let item = Item::new(
            if build.running { "🔨" } else { "🕐" },
            format!("{times} #{} {}", build.task, plain(&build.title, TITLE_CHARS)),
        )
        .evidence(format!("8 of 10 such are done by {}", clock(build.most, zone)));
        if build.why.is_empty() { item } else { item.evidence(build.why.clone()) }
    };
    let mut left: Vec<Item> = night
        .left
        .iter()
        .take(LISTED)
        .map(|(task, why)| {
            let title = world.task(*task).map(|task| plain(&task.spec.title, TITLE_CHARS)).unwrap_or_default();
            Item::new("", format!("#{task} {title}")).evidence(plain(why, 250))
        })
        .collect();
    let unsaid = night.left.len().saturating_sub(LISTED) + night.left_unsaid;
    if unsaid > 0 {
        left.push(Item::new("", format!("and {} more", counted(unsaid, "task"))));
    }
    let message = Message::line(verdict)
        .intro(intro)
        .section("🌙 Tonight", tonight.iter().map(item).collect())
        .section("🌅 Goes on after the night", late.iter().map(item).collect())
        .section("⏳ Not tonight", left);
    Ok(Reply { message, data: json!(night), ..Reply::default() })
}

/// For `/why`: what is expected of a ready task tonight, and what the forecast goes by.
pub(super) fn prospects(world: &Snapshot, task: &Task, zone: Tz, now: DateTime<Utc>) -> String {
    let night = likely(world, now);
    let estimate = f64::from(task.spec.estimate_minutes);
    let goes_by = explain(&Model::learn(&world.outlook.history, &[]), &expect::traits_of(world, task), estimate);
    format!("{}. By experience, {goes_by}", turn(&night, task.id, zone))
}

fn turn(night: &LikelyNight, task: TaskId, zone: Tz) -> String {
    match night.builds.iter().find(|build| build.task == task) {
        Some(build) => format!("It will probably start at {}: {}", clock(build.start, zone), build.why),
        None => "It will probably not start tonight: others are worth more for the time there is".into(),
    }
}
