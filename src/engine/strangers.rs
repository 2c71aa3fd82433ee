//! People who are not known get no answer, and so little of what they send is kept that they can't fill the disk: the first
//! few messages of each, shortened, and not many a day of all together, as accounts are made easily. The rest is a number.

use super::Engine;
use crate::chat::{Incoming, What};
use crate::domain::words::{clock, counted};
use crate::store::strangers::{self, Limits};
use crate::store::{Conn, StoreError, audit};
use chrono::{DateTime, TimeDelta, Utc};

/// Enough to see what somebody wants.
const LIMITS: Limits = Limits { sender_hour: 3, all_day: 100 };
/// Characters kept of each text.
const TEXT_CHARS: usize = 300;

/// What is kept of an update.
pub(super) enum Kept<'a> {
    /// All: it is from somebody who is known, or from the platform itself.
    Whole(&'a Incoming),
    /// A shortened one.
    Shortened(Box<Incoming>),
    /// Nothing but the count.
    Nothing,
}

/// Decides that, and counts.
pub(super) async fn admit<'a>(
    engine: &Engine,
    conn: &mut Conn,
    incoming: &'a Incoming,
) -> Result<Kept<'a>, StoreError> {
    let nobody = matches!(incoming.what, What::Outage { .. } | What::Alarm(_) | What::Trouble { .. } | What::Well);
    if nobody || engine.parts.people.contains_key(&incoming.sender) {
        return Ok(Kept::Whole(incoming));
    }
    // Not even said to us, such as the talk in a group.
    if incoming.what == What::Other || !strangers::count(conn, &incoming.sender, LIMITS, engine.now()).await? {
        return Ok(Kept::Nothing);
    }
    Ok(Kept::Shortened(Box::new(shortened(incoming))))
}

fn shortened(incoming: &Incoming) -> Incoming {
    let short = |text: &str| text.chars().take(TEXT_CHARS).collect::<String>();
    let what = match &incoming.what {
        What::Text(text) => What::Text(short(text)),
        What::Data { title, text, from } => What::Data { title: short(title), text: short(text), from: short(from) },
        What::Unreadable { what, why, text } => {
            What::Unreadable { what: short(what), why: short(why), text: short(text) }
        }
        What::Edited(text) => What::Edited(short(text)),
        What::Tap { button, tap } => What::Tap { button: short(button), tap: tap.as_deref().map(short) },
        other => other.clone(),
    };
    Incoming { what, raw: None, ..incoming.clone() }
}

/// Writes down how many were only counted, once the hour is over.
pub(super) async fn tell_left_out(engine: &Engine, conn: &mut Conn, now: DateTime<Utc>) -> Result<(), StoreError> {
    for (hour, messages) in strangers::left_out(conn, now).await? {
        let (zone, count) = (engine.settings().schedule.zone, usize::try_from(messages).unwrap_or(usize::MAX));
        let text = format!(
            "{} of people who are not known, between {} and {}, only counted",
            counted(count, "more message"),
            clock(hour, zone),
            clock(hour + TimeDelta::hours(1), zone)
        );
        audit::append(conn, now, "chat", "strangers", None, &text).await?;
    }
    Ok(())
}
