//! Stories: one module per thing a user can see. One binary, so linking happens once.
mod approval;
mod delivery;
mod harness;
mod host;
mod input;
mod kinds;
mod morning;
mod schedule;
mod throttle;
mod verify;
mod whole_night;

mod runner;

mod git;

mod chat;

mod config;
