//! Stories: one module per thing a user can see. One binary, so linking happens once.
mod approval;
mod delivery;
mod harness;
mod host;
mod schedule;
mod whole_night;

mod runner;

mod git;

mod chat;

mod config;

mod layers;

mod demo;

mod planner;

mod crash;
mod store;
mod full_database;
