//! Resources in the plan: throttle events as they begin and end, and when running builds have to stop.

use super::{Action, Snapshot};
use crate::domain::settings::Settings;
use crate::domain::throttle::{self, Limits, Permits};
use chrono::TimeDelta;

/// Begins and ends throttle events while anything is being built or about to be.
pub(super) fn events(world: &Snapshot, permits: &Permits, actions: &mut Vec<Action>) {
    let watched = !world.sessions.is_empty() || !world.builds.is_empty();
    // One event a kind, whatever number of disks presses.
    let mut open: Vec<_> = world.throttles.iter().map(|throttle| throttle.kind).collect();
    for pressure in permits.blocked_by.iter().filter(|_| watched) {
        if !open.contains(&pressure.kind()) {
            open.push(pressure.kind());
            actions.push(Action::OpenThrottle { kind: pressure.kind(), detail: pressure.to_string() });
        }
    }
    for open in &world.throttles {
        if !watched || !permits.blocked_by.iter().any(|pressure| pressure.kind() == open.kind) {
            actions.push(Action::CloseThrottle { kind: open.kind });
        }
    }
}

/// Why running builds must be stopped for the disk's sake, if they must.
pub(super) fn must_stop(world: &Snapshot) -> Option<String> {
    throttle::must_stop_builds(&limits(&world.settings), &world.samples, &world.throttles)
        .map(|reason| reason.to_string())
}

/// The configured limits as fractions. Each has a lower one to resume at, so that a value that hovers does not flap.
pub(super) fn limits(settings: &Settings) -> Limits {
    let configured = &settings.limits;
    let memory = configured.memory_available_percent / 100.0;
    Limits {
        max_builds: configured.max_builds,
        disk_used_fraction: configured.disk_used_percent / 100.0,
        disk_resume_fraction: (configured.disk_used_percent - 1.0) / 100.0,
        disk_free_bytes: configured.disk_free_gb.map(gigabytes),
        memory_available_fraction: memory,
        memory_resume_fraction: memory * 1.25,
        psi_memory_avg60: configured.psi_memory_avg60,
        psi_resume: configured.psi_memory_avg60 / 2.0,
        disk_stop_after: TimeDelta::minutes(i64::from(configured.disk_stop_after_minutes)),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the configuration takes 0 to 100,000 GB")]
fn gigabytes(gb: f64) -> u64 {
    (gb.max(0.0) * 1e9) as u64
}
