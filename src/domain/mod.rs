//! (being written)
pub mod format;
pub mod problem;
pub mod resource;
pub mod throttle;
