//! Resources in the plan: throttle events as they begin and end, and when running builds have to stop.

use super::{Action, Snapshot};
use crate::domain::throttle::{self, Permits};

/// Begins and ends throttle events while anything is being built or about to be.
pub(super) fn events(world: &Snapshot, permits: &Permits, actions: &mut Vec<Action>) {
    let watched = !world.sessions.is_empty() || !world.builds.is_empty();
    for pressure in permits.blocked_by.iter().filter(|_| watched) {
        if !world.throttles.iter().any(|open| open.kind == pressure.kind()) {
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
    throttle::must_stop_builds(&world.settings.limits, &world.samples, &world.throttles).map(|reason| reason.to_string())
}
