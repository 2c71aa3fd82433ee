//! Budgets in the plan: which cap a build or its night has reached.

use super::Snapshot;
use crate::domain::build::Build;
use crate::domain::id::SessionId;

/// The cap a build has reached, its own or its night's, in words; none while there is something left.
pub fn of_build(world: &Snapshot, build: &Build) -> Option<String> {
    let own = world.settings.budget.build.reached(build.spent).map(|cap| format!("its budget is reached: {cap}"));
    own.or_else(|| of_night(world, build.session))
}

/// The cap a session's builds have reached together.
pub fn of_night(world: &Snapshot, session: SessionId) -> Option<String> {
    let spent = world.spent.get(&session).copied().unwrap_or_default();
    world.settings.budget.night.reached(spent).map(|cap| format!("the night's budget is reached: {cap}"))
}
