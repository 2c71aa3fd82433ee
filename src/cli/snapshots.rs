//! `overnight snapshots`: days that are kept, and one of them back into a new folder.

use super::{ask, examples};
use crate::app::{self, Outside};
use crate::config::Config;
use crate::engine::restore;
use chrono::NaiveDate;
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// Arguments of `overnight snapshots`.
#[derive(Debug, Args)]
pub(super) struct SnapshotsArgs {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Write what was kept of a day into a new folder
    #[command(after_help = examples::RESTORE)]
    Restore {
        /// The day, such as 2026-03-14
        date: NaiveDate,
        /// The folder to make
        #[arg(long, value_name = "FOLDER")]
        into: PathBuf,
        /// Only the files of this project
        #[arg(long, value_name = "NAME")]
        project: Option<String>,
    },
}

pub(super) async fn snapshots(config: &Config, args: SnapshotsArgs, json: bool) -> anyhow::Result<ExitCode> {
    let Some(What::Restore { date, into, project }) = args.what else {
        return ask::ask(config, "/snapshots".into(), json).await;
    };
    let engine = app::engine(config, Outside::real(config)?).await?;
    let reply = restore::restore(&engine, date, project.as_deref(), &into).await;
    ask::print(&reply, json)
}
