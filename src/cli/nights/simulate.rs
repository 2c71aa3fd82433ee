//! `overnight simulate`: whole nights in virtual time. What a planner can't know is read here and stays here: it sees views
//! only.

use super::visible::{Ended, Night, Running, View, Window};
use super::world::World;
use anyhow::{Context, ensure};
use flate2::read::MultiGzDecoder;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::process::ExitCode;

/// What of a night is hidden from the planner.
#[derive(Deserialize)]
struct Hidden {
    tasks: Vec<Truth>,
    #[serde(default)]
    blocked: Vec<Window>,
}

#[derive(Deserialize)]
struct Truth {
    id: String,
    actual_minutes: i64,
    outcome: String,
    #[serde(default)]
    transient: Vec<i64>,
}

/// A build as a schedule has it.
#[derive(Debug, Clone, Serialize)]
struct Run {
    task: String,
    slot: usize,
    start: i64,
    end: i64,
    result: String,
}

#[derive(Serialize)]
struct Schedule<'a> {
    id: &'a str,
    runs: &'a [Run],
}

/// Plans every night of a file (JSON lines, also compressed) and writes the schedules.
pub(in crate::cli) fn simulate(nights: &Path, out: &Path) -> anyhow::Result<ExitCode> {
    let file = File::open(nights).with_context(|| format!("{} can't be opened", nights.display()))?;
    let packed = nights.extension().is_some_and(|extension| extension == "gz");
    let input: Box<dyn Read> = if packed { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    let file = File::create(out).with_context(|| format!("{} can't be written", out.display()))?;
    let mut output = BufWriter::new(file);
    for (number, line) in BufReader::new(input).lines().enumerate() {
        let line = line?;
        let place = || format!("{}, line {}", nights.display(), number + 1);
        let night: Night = serde_json::from_str(&line).with_context(place)?;
        let hidden: Hidden = serde_json::from_str(&line).with_context(place)?;
        let runs = live(&night, &hidden).with_context(place)?;
        serde_json::to_writer(&mut output, &Schedule { id: &night.id, runs: &runs })?;
        output.write_all(b"\n")?;
    }
    output.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// A night as it goes.
struct Virtual<'a> {
    night: &'a Night,
    truth: HashMap<&'a str, &'a Truth>,
    windows: &'a [Window],
    now: i64,
    /// By slot.
    running: Vec<Option<Run>>,
    tried: HashMap<String, usize>,
    runs: Vec<Run>,
}

fn live(night: &Night, hidden: &Hidden) -> anyhow::Result<Vec<Run>> {
    let truth = hidden.tasks.iter().map(|task| (task.id.as_str(), task)).collect();
    let running = vec![None; night.slots];
    let mut going =
        Virtual { night, truth, windows: &hidden.blocked, now: 0, running, tried: HashMap::new(), runs: vec![] };
    let mut world = World::new(night)?;
    let mut ended = vec![];
    loop {
        let decision = world.decide(&going.view(ended))?;
        for (task, _) in decision.start {
            going.start(&task)?;
        }
        match going.advance() {
            Some(new) => ended = new,
            None => return Ok(going.runs),
        }
    }
}

impl Virtual<'_> {
    fn limits(&self) -> impl Iterator<Item = (i64, i64)> {
        let end = self.night.window_minutes;
        let mut limits: Vec<(i64, i64)> =
            self.windows.iter().filter(|w| w.kind == "limit").map(|w| (w.from, w.to.min(end))).collect();
        limits.sort_unstable();
        limits.into_iter()
    }

    fn worked(&self, from: i64, to: i64) -> i64 {
        to - from - self.limits().map(|(start, end)| (to.min(end) - from.max(start)).max(0)).sum::<i64>()
    }

    /// When so many minutes of work that begin now are done.
    fn done_at(&self, work: i64) -> i64 {
        let (mut at, mut left) = (self.now, work);
        for (start, end) in self.limits().filter(|(_, end)| *end > self.now) {
            if start > at {
                if left <= start - at {
                    return at + left;
                }
                left -= start - at;
            }
            at = end;
        }
        at + left
    }

    fn open(&self, slot: usize) -> bool {
        let closes = |window: &&Window| {
            let reaches = window.kind == "limit" || slot >= self.night.slots - window.slots;
            window.from <= self.now && self.now < window.to && reaches
        };
        self.running[slot].is_none() && !self.windows.iter().any(|window| closes(&window))
    }

    fn view(&self, ended: Vec<Ended>) -> View {
        let running = self.running.iter().flatten();
        View {
            t: self.now,
            free: (0..self.night.slots).filter(|slot| self.open(*slot)).collect(),
            running: running.map(|run| Running { task: run.task.clone(), start: run.start }).collect(),
            ended,
            windows: self.windows.iter().filter(|window| window.announced <= self.now).cloned().collect(),
        }
    }

    fn start(&mut self, task: &str) -> anyhow::Result<()> {
        let slot = (0..self.night.slots).find(|slot| self.open(*slot)).context("no slot is free")?;
        let truth = *self.truth.get(task).with_context(|| format!("{task} is not there"))?;
        let tried = self.tried.entry(task.to_owned()).or_default();
        *tried += 1;
        ensure!(*tried <= self.night.max_attempts as usize, "{task} is tried too often");
        let (work, result) = match truth.transient.get(*tried - 1) {
            Some(minutes) => (*minutes, "transient"),
            None => (truth.actual_minutes, truth.outcome.as_str()),
        };
        let (end, last) = (self.done_at(work), self.night.window_minutes);
        let (end, result) = if end <= last { (end, result) } else { (last, "cut") };
        let run = Run { task: task.to_owned(), slot, start: self.now, end, result: result.to_owned() };
        self.running[slot] = Some(run);
        Ok(())
    }

    /// Goes to the next moment at which something happens; what ended then, or nothing once the night is over.
    fn advance(&mut self) -> Option<Vec<Ended>> {
        let last = self.night.window_minutes;
        let ends = self.running.iter().flatten().map(|run| run.end);
        let marks = self.windows.iter().flat_map(|window| [window.from, window.to, window.announced]);
        let marks = marks.chain([last]).filter(|at| *at > self.now && *at <= last);
        self.now = ends.chain(marks).min()?;
        let mut ended = vec![];
        for slot in 0..self.running.len() {
            if let Some(run) = self.running[slot].take_if(|run| run.end == self.now) {
                let worked = self.worked(run.start, run.end);
                ended.push(Ended { task: run.task.clone(), result: run.result.clone(), worked });
                self.runs.push(run);
            }
        }
        (self.now < last).then_some(ended)
    }
}
