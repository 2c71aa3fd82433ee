//! How many builds the machine can take now, and when running ones must be stopped.
//!
//! Two questions, both pure: [`permits`] for starting, [`must_stop_builds`] for stopping. Starting pauses early and
//! cheaply; stopping throws work away, so it needs a disk that really is about to fill. Memory pauses new builds but
//! never stops running ones here: each build has its own memory limit, and the kernel acts faster than a sampler could.
//! Each limit has a lower one to resume at, so a value that hovers does not flap.
//! Left out on purpose: load and processor pressure (a busy processor is what the night is for) and anything remembered;
//! the open throttles come in as a parameter.

mod stop;

pub use stop::{StopReason, must_stop_builds};

use super::format::{human_bytes, percent};
use super::resource::{Mount, Sample};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// When to pause and when to resume. Fractions are of one.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Builds at once when nothing presses.
    pub max_builds: usize,
    /// Used share of a disk above which no build starts.
    pub disk_used_fraction: f64,
    /// Used share below which they start again.
    pub disk_resume_fraction: f64,
    /// Free bytes below which no build starts, whatever the share; resumes 5 % above.
    pub disk_free_bytes: Option<u64>,
    /// Available share of memory below which no build starts.
    pub memory_available_fraction: f64,
    /// Available share above which they start again.
    pub memory_resume_fraction: f64,
    /// PSI memory `some avg60` in percent above which no build starts.
    pub psi_memory_avg60: f64,
    /// PSI below which they start again.
    pub psi_resume: f64,
    /// Running builds are stopped when a disk stays above its limit this long, or would be full within it.
    pub disk_stop_after: TimeDelta,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_builds: 3,
            disk_used_fraction: 0.80,
            disk_resume_fraction: 0.79,
            disk_free_bytes: None,
            memory_available_fraction: 0.20,
            memory_resume_fraction: 0.25,
            psi_memory_avg60: 10.0,
            psi_resume: 5.0,
            disk_stop_after: TimeDelta::minutes(10),
        }
    }
}

/// What presses, as a word for a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PressureKind {
    /// A disk above its limit.
    Disk,
    /// Little memory available.
    Memory,
    /// Tasks stall for memory (PSI).
    MemoryPressure,
}

impl PressureKind {
    /// Every kind, in order.
    pub const ALL: [Self; 3] = [Self::Disk, Self::Memory, Self::MemoryPressure];

    /// The word kept in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disk => "disk",
            Self::Memory => "memory",
            Self::MemoryPressure => "memory_pressure",
        }
    }
}

/// A word that names no pressure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a known pressure")]
pub struct UnknownPressure(pub String);

impl FromStr for PressureKind {
    type Err = UnknownPressure;

    fn from_str(word: &str) -> Result<Self, UnknownPressure> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word).ok_or_else(|| UnknownPressure(word.to_owned()))
    }
}

/// What presses, with the figure measured. `Display` is a phrase for a person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Pressure {
    /// A disk above its limit.
    Disk {
        /// The mount's path.
        path: String,
        /// Used share.
        used: f64,
        /// Bytes left for unprivileged users.
        available_bytes: u64,
    },
    /// Little memory.
    Memory {
        /// Available share.
        available: f64,
    },
    /// Stalls for memory.
    MemoryPressure {
        /// PSI `some avg60`, percent.
        avg60: f64,
    },
}

impl Pressure {
    /// Its word.
    pub fn kind(&self) -> PressureKind {
        match self {
            Self::Disk { .. } => PressureKind::Disk,
            Self::Memory { .. } => PressureKind::Memory,
            Self::MemoryPressure { .. } => PressureKind::MemoryPressure,
        }
    }

    fn disk(mount: &Mount) -> Self {
        let used = mount.used_fraction();
        Self::Disk { path: mount.path.clone(), used, available_bytes: mount.available_bytes }
    }
}

impl fmt::Display for Pressure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk { path, used, available_bytes } => {
                write!(f, "disk {path} is {} full, {} left", percent(*used), human_bytes(*available_bytes))
            }
            Self::Memory { available } => write!(f, "{} of memory available", percent(*available)),
            Self::MemoryPressure { avg60 } => {
                write!(f, "tasks waited for memory {avg60:.0} % of the last minute")
            }
        }
    }
}

/// A throttle that is on. One per kind: while a disk throttle is open, every disk has to come below the resume limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenThrottle {
    /// What pressed.
    pub kind: PressureKind,
    /// Since when.
    pub since: DateTime<Utc>,
}

/// How many builds may be running for one more to start.
#[derive(Debug, Clone, PartialEq)]
pub struct Permits {
    /// Builds at once: the configured number, or 0 while anything presses. Running builds go on either way.
    pub max: usize,
    /// What presses, empty when nothing does.
    pub blocked_by: Vec<Pressure>,
    /// What is not known, each a phrase; builds start in spite of it, but it is said.
    pub unknown: Vec<String>,
}

/// Decides how many builds may run. Without a sample the answer is the configured number, with the gap named.
pub fn permits(limits: &Limits, sample: Option<&Sample>, open: &[OpenThrottle]) -> Permits {
    let Some(sample) = sample else {
        let unknown = vec!["disk and memory were not measured".to_owned()];
        return Permits { max: limits.max_builds, blocked_by: Vec::new(), unknown };
    };
    let is_open = |kind| open.iter().any(|throttle| throttle.kind == kind);
    let mut blocked_by: Vec<Pressure> = sample
        .mounts
        .iter()
        .filter(|mount| presses(limits, mount, is_open(PressureKind::Disk)))
        .map(Pressure::disk)
        .collect();
    let mut unknown = sample.unmeasured.clone();

    match sample.memory_available_fraction() {
        Some(available) if is_open(PressureKind::Memory) && available <= limits.memory_resume_fraction => {
            blocked_by.push(Pressure::Memory { available });
        }
        Some(available) if available < limits.memory_available_fraction => {
            blocked_by.push(Pressure::Memory { available });
        }
        Some(_) => {}
        None => unknown.push("memory was not measured".to_owned()),
    }
    // PSI is absent on many systems and on none of them the only protection: absence is not worth a line.
    if let Some(avg60) = sample.psi_memory_some_avg60 {
        let resumed = !is_open(PressureKind::MemoryPressure) || avg60 < limits.psi_resume;
        if avg60 > limits.psi_memory_avg60 || !resumed {
            blocked_by.push(Pressure::MemoryPressure { avg60 });
        }
    }
    let max = if blocked_by.is_empty() { limits.max_builds } else { 0 };
    Permits { max, blocked_by, unknown }
}

/// Whether a disk blocks; with a throttle open it has to come below the resume limit first.
fn presses(limits: &Limits, mount: &Mount, open: bool) -> bool {
    let used = mount.used_fraction();
    let above = used > limits.disk_used_fraction || (open && used >= limits.disk_resume_fraction);
    let scarce = limits.disk_free_bytes.is_some_and(|least| {
        let least = if open { least.saturating_add(least / 20) } else { least };
        mount.available_bytes < least
    });
    above || scarce
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A machine with one 1000-byte disk and 1000 bytes of memory.
    fn sample(used: u64, memory: u64, psi: Option<f64>) -> Sample {
        let mount = Mount { path: "/".into(), used_bytes: used, available_bytes: 1000 - used, total_bytes: 1000 };
        Sample {
            at: DateTime::UNIX_EPOCH,
            mounts: vec![mount],
            memory_total: 1000,
            memory_available: memory,
            psi_memory_some_avg60: psi,
            psi_cpu_some_avg60: Some(99.0),
            psi_io_some_avg60: None,
            load_one: 400.0,
            processes: 9,
            uptime_seconds: None,
            boot_id: None,
            unmeasured: Vec::new(),
        }
    }

    fn open(kinds: &[PressureKind]) -> Vec<OpenThrottle> {
        kinds.iter().map(|&kind| OpenThrottle { kind, since: DateTime::UNIX_EPOCH }).collect()
    }

    #[test]
    fn each_limit_blocks_and_resumes_where_it_says() {
        use PressureKind::{Disk, Memory, MemoryPressure};
        let cases: &[(&str, Sample, &[PressureKind], &[PressureKind])] = &[
            ("idle, whatever the load", sample(500, 900, Some(0.0)), &[], &[]),
            ("disk at the limit", sample(800, 900, None), &[], &[]),
            ("disk above", sample(801, 900, None), &[], &[Disk]),
            ("disk falling, not yet below 79 %", sample(790, 900, None), &[Disk], &[Disk]),
            ("disk below 79 %", sample(789, 900, None), &[Disk], &[]),
            ("memory at the limit", sample(0, 200, None), &[], &[]),
            ("memory below", sample(0, 199, None), &[], &[Memory]),
            ("memory rising, not yet above 25 %", sample(0, 250, None), &[Memory], &[Memory]),
            ("memory above 25 %", sample(0, 251, None), &[Memory], &[]),
            ("stalls", sample(0, 900, Some(10.1)), &[], &[MemoryPressure]),
            ("stalls easing", sample(0, 900, Some(5.0)), &[MemoryPressure], &[MemoryPressure]),
            ("stalls over", sample(0, 900, Some(4.9)), &[MemoryPressure], &[]),
            ("one throttle does not hold another", sample(795, 900, None), &[Memory], &[]),
            ("all at once", sample(990, 10, Some(80.0)), &[], &[Disk, Memory, MemoryPressure]),
        ];
        for (name, sample, throttles, expected) in cases {
            let permits = permits(&Limits::default(), Some(sample), &open(throttles));
            let kinds: Vec<PressureKind> = permits.blocked_by.iter().map(Pressure::kind).collect();
            assert_eq!(kinds, *expected, "{name}");
            assert_eq!(permits.max, if expected.is_empty() { 3 } else { 0 }, "{name}");
        }
    }

    #[test]
    fn a_floor_in_bytes_holds_whatever_the_share() {
        let limits = Limits { disk_free_bytes: Some(600), ..Limits::default() };
        assert_eq!(permits(&limits, Some(&sample(401, 900, None)), &[]).max, 0);
        assert_eq!(permits(&limits, Some(&sample(400, 900, None)), &[]).max, 3);
        assert_eq!(permits(&limits, Some(&sample(400, 900, None)), &open(&[PressureKind::Disk])).max, 0);
        assert_eq!(permits(&limits, Some(&sample(370, 900, None)), &open(&[PressureKind::Disk])).max, 3);
    }

    #[test]
    fn what_is_not_known_is_said_and_does_not_block() {
        let none = permits(&Limits::default(), None, &open(&[PressureKind::Disk]));
        assert_eq!((none.max, none.unknown.len()), (3, 1));
        let mut partly = sample(0, 0, None);
        partly.memory_total = 0;
        partly.unmeasured.push("disk of /gone: no such file".into());
        let permits = permits(&Limits::default(), Some(&partly), &[]);
        assert_eq!(permits.max, 3);
        assert_eq!(permits.unknown, ["disk of /gone: no such file", "memory was not measured"]);
    }

    #[test]
    fn pressures_read_as_phrases() {
        let pressed = permits(&Limits::default(), Some(&sample(830, 140, Some(23.4))), &[]);
        let text: Vec<String> = pressed.blocked_by.iter().map(ToString::to_string).collect();
        assert_eq!(
            text,
            [
                "disk / is 83 % full, 170 B left",
                "14 % of memory available",
                "tasks waited for memory 23 % of the last minute"
            ]
        );
        for kind in PressureKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }

    proptest! {
        #[test]
        fn more_pressure_never_gives_more_permits(
            used in 0_u64..=1000, memory in 0_u64..=1000, psi in 0.0_f64..100.0,
            more in 0_u64..=1000, less in 0_u64..=1000, stalls in 0.0_f64..100.0,
            throttles in proptest::sample::subsequence(PressureKind::ALL.to_vec(), 0..=3),
        ) {
            let limits = Limits::default();
            let open = open(&throttles);
            let calm = permits(&limits, Some(&sample(used, memory, Some(psi))), &open);
            let worse = sample(used.max(more), memory.min(less), Some(psi.max(stalls)));
            let pressed = permits(&limits, Some(&worse), &open);
            prop_assert!(calm.max <= limits.max_builds);
            prop_assert!(pressed.max <= calm.max);
            prop_assert!(permits(&limits, Some(&sample(used, memory, Some(psi))), &[]).max >= calm.max);
        }
    }
}
