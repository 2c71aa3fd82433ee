//! `overnight forecast replay`: what would have been forecast for each build of a history, from those before it.

use crate::domain::forecast::replay as forecast;
use anyhow::Context;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

/// Prints one JSON line a row.
pub(in crate::cli) fn replay(file: &Path) -> anyhow::Result<ExitCode> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{} can't be read", file.display()))?;
    let records = forecast::read(&text).with_context(|| format!("{} is no history", file.display()))?;
    let mut output = std::io::BufWriter::new(std::io::stdout().lock());
    for row in forecast::replay(&records) {
        serde_json::to_writer(&mut output, &row)?;
        output.write_all(b"\n")?;
    }
    output.flush()?;
    Ok(ExitCode::SUCCESS)
}
