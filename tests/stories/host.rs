//! This machine: logs are cleaned without touching anything else, databases shrink and keep their rows.

mod databases;
mod logs;
mod machine;
