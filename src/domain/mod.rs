//! What things are and what is decided. Pure: no I/O, no clock, no randomness, so every rule here can be
//! tested on a table or on thousands of seeded nights.
//!
//! Start with [`plan`]: everything else is what it looks at or what it says.

pub mod agent;
pub mod approval;
pub mod brief;
pub mod build;
pub mod button;
pub mod category;
pub mod diff_page;
pub mod facts;
pub mod forecast;
pub mod format;
pub mod id;
pub mod incident;
pub mod kept;
pub mod message;
pub mod pattern;
pub mod plan;
pub mod problem;
pub mod progress;
pub mod proposal;
pub mod provider;
pub mod report;
pub mod resource;
pub mod review;
pub mod risk;
pub mod role;
pub mod schedule;
pub mod session;
pub mod settings;
pub mod ship;
pub mod status;
pub mod task;
pub mod test_output;
pub mod throttle;
pub mod timeline;
pub mod visible;
pub mod words;
