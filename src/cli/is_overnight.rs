//! `overnight is-overnight`: whether it is night now, by the configured schedule and zone.

use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use std::process::ExitCode;

pub(super) fn is_overnight(config: &Config, json: bool) -> ExitCode {
    let (schedule, now) = (&config.settings.schedule, SystemClock.now());
    let night = schedule.is_overnight(now);
    let (start, end) = (schedule.session_start.format("%H:%M"), schedule.brief_at.format("%H:%M"));
    if json {
        println!("{}", serde_json::json!({"overnight": night, "from": start.to_string(), "to": end.to_string()}));
    } else {
        let word = if night { "yes" } else { "no" };
        println!("{word}: {} in {}, night is {start} to {end}", schedule.local(now).format("%H:%M"), schedule.zone);
    }
    if night { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
