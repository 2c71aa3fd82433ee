//! overnight: builds queued tasks while the owner sleeps, and tells the truth in the morning.
//!
//! Reading order (each layer uses only those below it):
//!
//! 1. [`domain`] what things are and what is decided: pure, no I/O, no clock.
//! 2. [`store`] the database; all SQL. [`git`], [`host`], [`runner`], [`agent`], [`chat`]: one outside thing each.
//! 3. [`engine`] looks at the whole state, asks [`domain::plan`] what to do, does it, records what happened.
//! 4. [`app`] wires them together; [`cli`] is what the shell sees.
//!
//! `ARCHITECTURE.md` has the map, the invariants and three walk-throughs.

pub mod agent;
pub mod app;
pub mod chat;
pub mod cli;
pub mod clock;
pub mod config;
pub mod domain;
pub mod engine;
pub mod git;
pub mod host;
pub mod runner;
pub mod store;
