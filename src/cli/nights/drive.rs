//! `overnight plan --drive`: one JSON line in, one JSON line out.

use super::visible::{Night, View};
use super::world::World;
use anyhow::Context;
use serde::Deserialize;
use std::io::{BufRead, Write};
use std::process::ExitCode;

/// A message: a view, with the night itself where it begins.
#[derive(Deserialize)]
struct Message {
    night: Option<Night>,
    view: View,
}

/// Answers until its input ends.
pub(in crate::cli) fn drive() -> anyhow::Result<ExitCode> {
    let mut world = None;
    let mut output = std::io::stdout().lock();
    for (number, line) in std::io::stdin().lock().lines().enumerate() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let place = || format!("line {}", number + 1);
        let message: Message = serde_json::from_str(&line).with_context(place)?;
        if let Some(night) = message.night {
            world = Some(World::new(&night).with_context(place)?);
        }
        let world = world.as_mut().with_context(|| format!("{}: the first message has no night", place()))?;
        let decision = world.decide(&message.view).with_context(place)?;
        serde_json::to_writer(&mut output, &decision)?;
        output.write_all(b"\n")?;
        output.flush()?;
    }
    Ok(ExitCode::SUCCESS)
}
