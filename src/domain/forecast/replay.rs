//! Forecasts against what came: a history gone through in the order of time, each row forecast from the rows before it.

use super::{Ending, History, Model, Record, Traits};
use serde::Serialize;

/// Rows a fit is made of, the newest ones.
const WINDOW: usize = super::REMEMBERED;

/// What was forecast for one row of a history, and what came.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Replayed {
    /// The row's number, 1 for the first.
    pub row: usize,
    /// Half of such tasks should have taken no longer, in minutes.
    pub p50: f64,
    /// 8 in 10 should have taken no longer.
    pub p80: f64,
    /// What it took; a lower bound if it was cut.
    pub actual_minutes: f64,
    /// Whether it was cut.
    pub cut: bool,
}

/// Why a row can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {trouble}")]
pub struct BadRow {
    /// Line of the file, 1 for the first.
    pub line: usize,
    /// What is wrong with it and what is expected.
    pub trouble: String,
}

const COLUMNS: &str = "owner,category,estimate_minutes,actual_minutes,outcome";

/// Reads `owner,category,estimate_minutes,actual_minutes,outcome` rows, with or without that line as their head.
/// Outcomes: `done`, `failed`, `cut`, `transient`.
pub fn read(text: &str) -> Result<Vec<Record>, BadRow> {
    let lines = text.lines().enumerate().map(|(n, line)| (n + 1, line.trim()));
    let head = |n: usize, line: &str| n == 1 && line == COLUMNS;
    lines.filter(|(n, line)| !line.is_empty() && !head(*n, line)).map(|(n, line)| row(n, line)).collect()
}

fn row(line: usize, text: &str) -> Result<Record, BadRow> {
    let bad = |trouble: String| BadRow { line, trouble };
    let fields: Vec<&str> = text.split(',').map(str::trim).collect();
    let [owner, category, estimate, actual, outcome] = fields[..] else {
        return Err(bad(format!("{} fields where 5 are expected: {COLUMNS}", fields.len())));
    };
    let minutes = |what: &str, text: &str| {
        text.parse::<f64>()
            .ok()
            .filter(|minutes| minutes.is_finite() && *minutes > 0.0)
            .ok_or_else(|| bad(format!("{what} {text:?} is no number of minutes above 0")))
    };
    let ending = match outcome {
        "done" => Ending::Done,
        "failed" => Ending::Failed,
        "cut" => Ending::Cut,
        "transient" => Ending::Transient,
        other => return Err(bad(format!("outcome {other:?} is none of done, failed, cut, transient"))),
    };
    let traits = Traits { asker: owner.into(), category: category.into(), ..Traits::default() };
    Ok(Record { traits, estimate: minutes("estimate", estimate)?, minutes: minutes("duration", actual)?, ending })
}

/// Forecasts each record from those before it.
pub fn replay(records: &[Record]) -> impl Iterator<Item = Replayed> + '_ {
    records.iter().enumerate().map(|(index, record)| {
        let known = &records[index.saturating_sub(WINDOW)..index];
        let model = Model::learn(&History { records: known.to_vec(), attempts: 1 }, &[]);
        let forecast = model.forecast(&record.traits, record.estimate, 0);
        let tenth = |minutes: f64| (minutes * 10.0).round() / 10.0;
        Replayed {
            row: index + 1,
            p50: tenth(forecast.quantile(0.5)),
            p80: tenth(forecast.quantile(0.8)),
            actual_minutes: record.minutes,
            cut: matches!(record.ending, Ending::Cut | Ending::Transient),
        }
    })
}

/// Of builds that came to their end: how many there were, and how many within their P50 and their P80.
pub fn coverage(replayed: impl Iterator<Item = Replayed>) -> (usize, usize, usize) {
    replayed.filter(|row| !row.cut).fold((0, 0, 0), |(all, half, most), row| {
        let within = |limit: f64| usize::from(row.actual_minutes <= limit);
        (all + 1, half + within(row.p50), most + within(row.p80))
    })
}
