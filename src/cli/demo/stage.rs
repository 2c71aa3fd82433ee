//! The demo's stage: two small git projects with a real weakness each, old and oversized logs, and a bloated database.

use anyhow::{Context, bail};
use sqlx::Connection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

/// A check of a demo project takes about this long on an idle machine; the demo slows down on one that takes longer, so
/// that its night has room for its builds.
const USUAL_CHECK: Duration = Duration::from_millis(900);
const SLOWEST: f64 = 6.0;

/// What was made.
pub(super) struct Stage {
    /// Everything is in here.
    pub(super) folder: PathBuf,
    /// The configuration.
    pub(super) config: PathBuf,
    /// How many times slower than usual the night is lived: as slow as this machine is now, or as was asked.
    pub(super) pace: f64,
}

/// How long ago logs were last written, from the demo's evening.
const OLD: Duration = Duration::from_hours(60 * 24);
const FRESH: Duration = Duration::from_hours(2);

impl Stage {
    /// Makes everything in a new folder. `evening` is when the demo's night begins: logs of that day are fresh.
    pub(super) async fn set(folder: &Path, evening: SystemTime, slower: f64) -> anyhow::Result<Self> {
        fs::create_dir(folder).with_context(|| format!("can't make the demo's folder {}", folder.display()))?;
        let folder = folder.canonicalize()?;
        let agent = folder.join("agent");
        write(&agent, "agent.sh", include_str!("files/agent.sh"))?;
        write(&agent, "reports_lib_fast.rs", include_str!("files/reports_lib_fast.rs"))?;
        project(
            &folder.join("reports"),
            &[
                (
                    "README.md",
                    "# reports\n\nFinds order numbers that occur twice. `sh check.sh` tests, `sh measure.sh` measures.\n",
                ),
                ("src/lib.rs", include_str!("files/reports_lib.rs")),
                ("bench.rs", include_str!("files/reports_bench.rs")),
                ("check.sh", include_str!("files/check.sh")),
                ("measure.sh", include_str!("files/measure.sh")),
            ],
        )?;
        project(
            &folder.join("fitness"),
            &[
                ("README.md", "# fitness\n\nWorkout figures.\n"),
                ("src/lib.rs", include_str!("files/fitness_lib.rs")),
                ("check.sh", include_str!("files/check.sh")),
            ],
        )?;
        logs(&folder.join("logs"), evening)?;
        database(&folder.join("fitness.db")).await?;
        fs::create_dir_all(folder.join("agent/state"))?;
        let config = folder.join("overnight.toml");
        let shown =
            folder.to_str().with_context(|| format!("{} is not UTF-8; name another --folder", folder.display()))?;
        let pace = pace(&folder)?.max(slower);
        let text =
            include_str!("files/overnight.toml").replace("@DEMO@", shown).replace("@PACE@", &format!("{pace:.2}"));
        fs::write(&config, text)?;
        Ok(Self { folder, config, pace })
    }
}

/// Runs one project's check once, which also shows that there is a compiler.
fn pace(folder: &Path) -> anyhow::Result<f64> {
    let scratch = folder.join("scratch");
    fs::create_dir(&scratch)?;
    let begun = Instant::now();
    let check = Command::new("sh").arg("check.sh").current_dir(folder.join("fitness")).env("TMPDIR", &scratch).output();
    let check = check.context("sh can't be run")?;
    if !check.status.success() {
        bail!("the demo's projects need rustc, and it failed: {}", String::from_utf8_lossy(&check.stderr).trim());
    }
    let pace = begun.elapsed().as_secs_f64() / USUAL_CHECK.as_secs_f64();
    fs::remove_dir_all(&scratch)?;
    Ok(pace.clamp(1.0, SLOWEST))
}

fn write(folder: &Path, name: &str, text: &str) -> anyhow::Result<()> {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap_or(folder))?;
    fs::write(&path, text).with_context(|| format!("can't write {}", path.display()))
}

fn project(folder: &Path, files: &[(&str, &str)]) -> anyhow::Result<()> {
    for (name, text) in files {
        write(folder, name, text)?;
    }
    for arguments in [
        &["init", "-q", "-b", "main"][..],
        &["add", "-A"],
        &["-c", "user.name=You", "-c", "user.email=you@example.org", "commit", "-q", "-m", "As it is today"],
    ] {
        let done = Command::new("git").arg("-C").arg(folder).args(arguments).output();
        let done = done.context("git can't be run; install git 2.38 or newer")?;
        if !done.status.success() {
            bail!("git {} failed: {}", arguments.join(" "), String::from_utf8_lossy(&done.stderr).trim());
        }
    }
    Ok(())
}

/// Twelve logs untouched for weeks, one of 12 MB, and a few fresh ones that must stay.
fn logs(folder: &Path, evening: SystemTime) -> anyhow::Result<()> {
    fs::create_dir_all(folder)?;
    let line = "GET /reports/daily 200 in 31 ms; cache miss; 4 queries\n";
    let file = |name: &str, lines: usize, age: Duration| -> anyhow::Result<()> {
        let path = folder.join(name);
        fs::write(&path, line.repeat(lines))?;
        fs::File::options().write(true).open(&path)?.set_modified(evening - age)?;
        Ok(())
    };
    for number in 1..=12 {
        file(&format!("web-{number:02}.log"), 10_000, OLD)?;
    }
    file("worker.log", 230_000, FRESH)?;
    for name in ["web.log", "mail.log", "cron.log"] {
        file(name, 1, FRESH)?;
    }
    Ok(())
}

/// A database that had a large table once: most of its pages are free.
async fn database(path: &Path) -> anyhow::Result<()> {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut db = SqliteConnection::connect_with(&options).await.context("can't make the demo's database")?;
    for sql in [
        "CREATE TABLE workout (id INTEGER PRIMARY KEY, note TEXT)",
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) \
         INSERT INTO workout SELECT i, hex(randomblob(150)) FROM n",
        "DELETE FROM workout WHERE id % 4 <> 0",
    ] {
        sqlx::query(sql).execute(&mut db).await?;
    }
    db.close().await?;
    Ok(())
}
