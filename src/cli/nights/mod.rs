//! Made-up nights, planned by the very function that plans real ones: for measuring the planner.
//!
//! `overnight plan --drive` answers one view of a night after the other; `overnight simulate` lives whole nights in virtual
//! time. Both hand a [`Snapshot`](crate::domain::plan::Snapshot) to [`plan`](crate::domain::plan::plan) and read which
//! builds it starts; `tests/fixtures/nightbench/README.md` has the format. Neither reads the configuration or touches a
//! database.

mod drive;
mod replay;
mod simulate;
mod visible;
mod world;

pub(super) use drive::drive;
pub(super) use replay::replay;
pub(super) use simulate::simulate;
