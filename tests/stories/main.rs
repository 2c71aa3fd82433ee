//! Stories: one module per thing a user can see. One binary, so linking happens once.

mod agent_streams;
mod agents;
mod approval;
mod chat;
mod command_line;
mod config;
mod crash;
mod delivery;
mod demo;
mod desk;
mod doctor;
#[path = "../fake_telegram/mod.rs"]
mod fake_telegram;
mod fake_telegram_strict;
mod fenced;
mod full_database;
mod git;
mod harness;
mod health;
mod host;
#[cfg(target_os = "linux")]
mod hostile;
mod init;
mod input;
mod kept;
mod kinds;
mod landings;
mod layers;
mod leash;
mod messages;
mod morning;
mod planner;
mod rounds;
mod runner;
mod schedule;
mod ship;
mod store;
mod telegram;
mod throttle;
mod verify;
mod whole_night;
