//! Stories: one module per thing a user can see. One binary, so linking happens once.
mod host;

mod runner;

mod git;

mod chat;

mod config;

mod layers;

mod demo;
mod full_database;
