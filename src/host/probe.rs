//! Measuring the machine: one [`Sample`] a call, cheap enough for every 15 seconds.
//!
//! A probe never fails: what could not be read is named in the sample. Left out on purpose: deciding anything
//! (`domain::throttle`), and the limits of a container, which can be lower than the machine's; stalls there still show in
//! the pressure figures.

use crate::domain::resource::{Mount, Sample};
use chrono::{DateTime, Utc};
use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use sysinfo::System;

/// Where samples come from.
pub trait Probe: Send + Sync {
    /// Measures now; `now` is the time written into the sample.
    fn sample(&self, now: DateTime<Utc>) -> Sample;

    /// One word saying what is measured ("system", "scripted"), shown wherever figures are.
    fn label(&self) -> &'static str;
}

/// The real machine.
#[derive(Debug)]
pub struct SystemProbe {
    paths: Vec<PathBuf>,
}

impl SystemProbe {
    /// Measures the file systems that hold `paths`; paths on the same one count once, under the first of them.
    pub fn new(paths: Vec<PathBuf>) -> Self {
        Self { paths }
    }

    fn mounts(&self, unmeasured: &mut Vec<String>) -> Vec<Mount> {
        let mut seen = HashSet::new();
        let mut mounts = Vec::new();
        for path in &self.paths {
            let shown = path.display().to_string();
            let measured = fs::metadata(path).and_then(|found| Ok((found.dev(), rustix::fs::statvfs(path)?)));
            match measured {
                Ok((device, space)) => {
                    if seen.insert(device) {
                        mounts.push(Mount {
                            path: shown,
                            used_bytes: space.f_blocks.saturating_sub(space.f_bfree).saturating_mul(space.f_frsize),
                            available_bytes: space.f_bavail.saturating_mul(space.f_frsize),
                            total_bytes: space.f_blocks.saturating_mul(space.f_frsize),
                        });
                    }
                }
                Err(error) => unmeasured.push(format!("disk of {shown}: {error}")),
            }
        }
        mounts
    }
}

impl Probe for SystemProbe {
    fn sample(&self, now: DateTime<Utc>) -> Sample {
        let mut unmeasured = Vec::new();
        let mounts = self.mounts(&mut unmeasured);
        let (memory_total, memory_available) = memory().unwrap_or_default();
        Sample {
            at: now,
            mounts,
            memory_total,
            memory_available,
            psi_memory_some_avg60: pressure("memory"),
            psi_cpu_some_avg60: pressure("cpu"),
            psi_io_some_avg60: pressure("io"),
            load_one: System::load_average().map_or(0.0, |load| load.one),
            processes: process_count(),
            uptime_seconds: System::uptime().ok(),
            boot_id: fs::read_to_string("/proc/sys/kernel/random/boot_id").ok().map(|id| id.trim().to_owned()),
            unmeasured,
        }
    }

    fn label(&self) -> &'static str {
        "system"
    }
}

/// Total and available bytes, `None` when the system tells neither.
fn memory() -> Option<(u64, u64)> {
    let mut system = System::new().ok()?;
    system.refresh_memory();
    Some((system.total_memory(), system.available_memory()))
}

/// Counts by listing `/proc`; where there is none (macOS), asks for the bare list of processes.
fn process_count() -> u32 {
    let is_process = |entry: &fs::DirEntry| entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit);
    let count = if let Ok(entries) = fs::read_dir("/proc") {
        entries.filter_map(Result::ok).filter(is_process).count()
    } else {
        let nothing = sysinfo::ProcessRefreshKind::nothing();
        let all = sysinfo::ProcessesToUpdate::All;
        System::new().map_or(0, |mut system| system.refresh_processes_specifics(all, true, nothing))
    };
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn pressure(resource: &str) -> Option<f64> {
    fs::read_to_string(format!("/proc/pressure/{resource}")).ok().and_then(|text| some_avg60(&text))
}

/// The `some avg60` figure of a `/proc/pressure` file, in percent (Linux `Documentation/accounting/psi.rst`). `None` for
/// anything that is not a number from 0 to 100.
fn some_avg60(text: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix("some "))?;
    let figure = line.split_ascii_whitespace().find_map(|field| field.strip_prefix("avg60="))?;
    figure.parse().ok().filter(|share| (0.0..=100.0).contains(share))
}

/// A played-back machine for the demonstration and for stories; every place that shows figures shows its label.
#[derive(Debug, Clone)]
pub struct ScriptedProbe {
    script: Vec<Sample>,
}

impl ScriptedProbe {
    /// Plays `script`: a sample holds from its `at` until the next one's; before the first, the first holds.
    /// An empty script measures nothing and says so.
    pub fn new(mut script: Vec<Sample>) -> Self {
        script.sort_by_key(|sample| sample.at);
        Self { script }
    }

    /// A machine with nothing to complain about, to build scripts from: 500 GB disk at 40 %, 16 GB memory half free.
    pub fn calm(at: DateTime<Utc>) -> Sample {
        const GB: u64 = 1_000_000_000;
        let mount =
            Mount { path: "/".to_owned(), used_bytes: 200 * GB, available_bytes: 300 * GB, total_bytes: 500 * GB };
        Sample {
            at,
            mounts: vec![mount],
            memory_total: 16 * GB,
            memory_available: 8 * GB,
            psi_memory_some_avg60: Some(0.0),
            psi_cpu_some_avg60: Some(0.0),
            psi_io_some_avg60: Some(0.0),
            load_one: 0.5,
            processes: 120,
            uptime_seconds: Some(86_400),
            boot_id: None,
            unmeasured: Vec::new(),
        }
    }
}

impl Probe for ScriptedProbe {
    fn sample(&self, now: DateTime<Utc>) -> Sample {
        let held = self.script.partition_point(|sample| sample.at <= now).saturating_sub(1);
        if let Some(sample) = self.script.get(held) {
            Sample { at: now, ..sample.clone() }
        } else {
            let unmeasured = vec!["disk: the script is empty".to_owned()];
            Sample { mounts: Vec::new(), memory_total: 0, memory_available: 0, unmeasured, ..Self::calm(now) }
        }
    }

    fn label(&self) -> &'static str {
        "scripted"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    #[test]
    fn pressure_files_are_read_strictly() {
        let text = "some avg10=1.00 avg60=12.50 avg300=3.00 total=99\nfull avg10=0.00 avg60=7.00 avg300=0.00 total=1\n";
        assert_eq!(some_avg60(text), Some(12.5));
        for odd in
            ["", "full avg60=7.00", "some avg10=1", "some avg60=x", "some avg60=NaN", "some avg60=-1", "some avg60=inf"]
        {
            assert_eq!(some_avg60(odd), None, "{odd}");
        }
    }

    #[test]
    fn one_file_system_counts_once_and_a_vanished_path_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        fs::create_dir(&inner).unwrap();
        let gone = folder.path().join("gone");
        let probe = SystemProbe::new(vec![folder.path().to_owned(), inner, gone]);
        let sample = probe.sample(DateTime::UNIX_EPOCH);
        assert_eq!(sample.mounts.len(), 1);
        let mount = &sample.mounts[0];
        assert!(mount.total_bytes >= mount.used_bytes && (0.0..=1.0).contains(&mount.used_fraction()));
        assert_eq!(sample.unmeasured.len(), 1);
        assert!(sample.unmeasured[0].contains("gone"), "{:?}", sample.unmeasured);
        assert!(sample.processes > 0 && sample.memory_total >= sample.memory_available);
        assert!(sample.memory_total > 0);
        assert_eq!(probe.label(), "system");
    }

    #[test]
    fn a_script_holds_each_sample_until_the_next() {
        let start = DateTime::UNIX_EPOCH;
        let mut busy = ScriptedProbe::calm(start + TimeDelta::minutes(10));
        busy.processes = 999;
        let probe = ScriptedProbe::new(vec![busy, ScriptedProbe::calm(start)]);
        for (minute, processes) in [(-5, 120), (0, 120), (9, 120), (10, 999), (600, 999)] {
            let now = start + TimeDelta::minutes(minute);
            let sample = probe.sample(now);
            assert_eq!((sample.at, sample.processes), (now, processes), "minute {minute}");
        }
        assert_eq!(ScriptedProbe::new(Vec::new()).sample(start).unmeasured.len(), 1);
        assert_eq!(probe.label(), "scripted");
    }
}
