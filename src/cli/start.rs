//! `overnight start`, for cron: one session in the foreground, with the terminal chat. It takes tonight's session if
//! one is due, starts one by hand otherwise, and ends when its last build has ended and everything is said.

use super::{ask, run};
use crate::app::{self, Outside};
use crate::config::Config;
use std::process::ExitCode;
use std::sync::Arc;

pub(super) async fn start(config: &Config) -> anyhow::Result<ExitCode> {
    let outside = Outside::real(config)?;
    let clock = Arc::clone(&outside.clock);
    let engine = app::engine(config, outside).await?;
    let _log = run::log_to_file(&engine, &config.log_level)?;
    let stop = app::stop_on_signals()?;
    let only_one = app::OnlyOne::take(engine.home())?;
    // Opens tonight's session if it is due; what is due by itself is not started by hand again.
    app::note_start(&engine).await?;
    engine.step().await?;
    if app::is_idle(&engine).await? {
        let reply = ask::answer(&engine, "/night start").await?;
        ask::print(&reply, false)?;
    }
    let chats = run::chats(config, &engine, clock, false).await?;
    app::run(&engine, only_one, chats, stop, true).await?;
    Ok(ExitCode::SUCCESS)
}
