//! How fast what comes in becomes durable: `cargo bench`. Prints figures and asserts nothing about time.
//!
//! - drain: 10,000 queued updates of a chat, each stored, handled and answered in the database, two commits with fsync
//!   each; and the memory that takes.
//! - reply: one message at a time, from its arrival until its answer is durable.

use overnight::app::{self, Outside};
use overnight::chat::{Incoming, What};
use overnight::clock::SystemClock;
use overnight::config::{Config, Overrides};
use overnight::engine::{Engine, inbound};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

const DRAINED: usize = 10_000;
const REPLIES: usize = 500;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let engine = engine(folder.path()).await?;
    let before = resident();
    let since = Instant::now();
    for n in 0..DRAINED {
        inbound::store(&engine, "terminal", &message(n, "/queue")).await?;
    }
    let stored = since.elapsed();
    engine.step().await?;
    let whole = since.elapsed();
    let rate = |time: std::time::Duration| DRAINED as f64 / time.as_secs_f64();
    println!("drain: {DRAINED} updates stored at {:.0}/s, stored and answered at {:.0}/s", rate(stored), rate(whole));
    println!("drain: {} MiB resident before, {} MiB after", before, resident());

    let mut times = Vec::new();
    for n in 0..REPLIES {
        let since = Instant::now();
        inbound::store(&engine, "terminal", &message(DRAINED + n, "/queue")).await?;
        engine.step().await?;
        times.push(since.elapsed());
    }
    times.sort();
    let at = |part: usize| times[times.len() * part / 100].as_secs_f64() * 1000.0;
    println!("reply: {REPLIES} messages, durable answer after {:.1} ms (median), {:.1} ms (99 %)", at(50), at(99));
    engine.store().close().await;
    Ok(())
}

async fn engine(folder: &Path) -> anyhow::Result<Engine> {
    let overrides = Overrides { home: Some(folder.join("home")), config_file: None };
    let variables = BTreeMap::from([("HOME".to_owned(), folder.display().to_string())]);
    let config = Config::load_from(&overrides, variables, folder)?;
    let outside = Outside {
        clock: Arc::new(SystemClock),
        probe: None,
        exe: PathBuf::from(env!("CARGO_BIN_EXE_overnight")),
        home_chat: "terminal".into(),
        mechanisms: overnight::runner::leash::Mechanisms::ALL,
    };
    app::engine(&config, outside).await
}

fn message(n: usize, text: &str) -> Incoming {
    Incoming::new(n.to_string(), "terminal:owner", What::Text(text.into()), chrono::DateTime::UNIX_EPOCH)
}

/// Resident memory in MiB; 0 where the system does not tell.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = pages.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0);
    pages * 4096 / (1 << 20)
}
