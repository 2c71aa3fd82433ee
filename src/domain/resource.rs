//! One measurement of the machine: disks, memory, load, pressure.
//!
//! Only data and what follows from it; reading it from the system is `host::probe`, deciding on it is
//! [`super::throttle`]. What could not be measured is absent or named in [`Sample::unmeasured`], never a zero that would
//! read as "fine". Left out on purpose: per-process figures and network, which nothing here decides on.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The state of the machine at one instant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// When it was taken.
    pub at: DateTime<Utc>,
    /// File systems that hold the paths asked for, each once.
    pub mounts: Vec<Mount>,
    /// Physical memory in bytes; 0 when it could not be read.
    pub memory_total: u64,
    /// Memory in bytes a new process could get without swapping.
    pub memory_available: u64,
    /// Share of the last 60 s, in percent (0–100), in which some task stalled for memory; Linux PSI `some avg60`.
    pub psi_memory_some_avg60: Option<f64>,
    /// The same for processor time.
    pub psi_cpu_some_avg60: Option<f64>,
    /// The same for input and output.
    pub psi_io_some_avg60: Option<f64>,
    /// Load average over one minute, 0 when it could not be read. Recorded, never decided on.
    pub load_one: f64,
    /// How many processes exist.
    pub processes: u32,
    /// Seconds since the machine started.
    pub uptime_seconds: Option<u64>,
    /// Differs after every start of the machine; Linux only.
    pub boot_id: Option<String>,
    /// What was asked for and could not be read, each as "what: why".
    pub unmeasured: Vec<String>,
}

impl Sample {
    /// Of a machine of which nothing could be read.
    pub fn empty(at: DateTime<Utc>) -> Self {
        Self {
            at,
            mounts: vec![],
            memory_total: 0,
            memory_available: 0,
            psi_memory_some_avg60: None,
            psi_cpu_some_avg60: None,
            psi_io_some_avg60: None,
            load_one: 0.0,
            processes: 0,
            uptime_seconds: None,
            boot_id: None,
            unmeasured: vec![],
        }
    }
}

/// Space on one file system, in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// The first path asked for that lives on it, as text (lossy if it is not UTF-8).
    pub path: String,
    /// Bytes taken.
    pub used_bytes: u64,
    /// Bytes an unprivileged user can still take; smaller than total − used where the system reserves some.
    pub available_bytes: u64,
    /// Size of the file system.
    pub total_bytes: u64,
}

impl Mount {
    /// used / (used + available), as `df` shows it: 1.0 is what "No space left on device" looks like to the bot,
    /// whatever is reserved for root. An empty pseudo file system counts as 0.
    pub fn used_fraction(&self) -> f64 {
        let usable = self.used_bytes as f64 + self.available_bytes as f64;
        if usable > 0.0 { self.used_bytes as f64 / usable } else { 0.0 }
    }

    /// available / (used + available).
    pub fn available_fraction(&self) -> f64 {
        1.0 - self.used_fraction()
    }
}

impl Sample {
    /// Available memory as a share of all, `None` when memory could not be read.
    pub fn memory_available_fraction(&self) -> Option<f64> {
        (self.memory_total > 0).then(|| (self.memory_available as f64 / self.memory_total as f64).min(1.0))
    }

    /// The mount with the largest used fraction, `None` when no path could be measured.
    pub fn fullest_mount(&self) -> Option<&Mount> {
        self.mounts.iter().max_by(|a, b| a.used_fraction().total_cmp(&b.used_fraction()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_space_counts_as_full() {
        let mount = Mount { path: "/".into(), used_bytes: 95, available_bytes: 0, total_bytes: 100 };
        assert!((mount.used_fraction() - 1.0).abs() < f64::EPSILON);
        let pseudo = Mount { path: "/proc".into(), used_bytes: 0, available_bytes: 0, total_bytes: 0 };
        assert!(pseudo.used_fraction().abs() < f64::EPSILON);
    }
}
