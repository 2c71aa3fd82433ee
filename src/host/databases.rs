//! The owner's `SQLite` files: are they sound, are they bloated, and making the bloated ones small again.
//!
//! Files are opened by `SQLite` only, never by plain open and close: closing any handle of a file drops all of a process's
//! POSIX locks on it, which has cost acknowledged commits (sqlite.org, "How To Corrupt", 2.2). For the same reason the
//! bot's own database is refused here, under whatever name it comes.
//! A check reads only. An optimization first writes a checked copy into the trash, works only while nobody else holds
//! the database, and compares the rows of all tables afterwards.
//! Left out on purpose: repairing a damaged database (a person decides), other database systems, and tables whose implicit
//! row ids somebody relies on, which `VACUUM` may renumber (sqlite.org, "VACUUM"): name no such database.

mod session;

use crate::domain::format::{human_bytes, percent};
use crate::domain::problem::{Fix, FixKind, FixOutcome, Problem, ProblemKind, Severity};
use session::{Session, Trouble};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What counts as bloated, and how long one statement sequence may take.
#[derive(Debug, Clone, PartialEq)]
pub struct DatabaseRules {
    /// Free pages as a share of all from which it is worth a vacuum.
    pub bloat_fraction: f64,
    /// Smaller files (bytes) are left alone.
    pub least_bytes: u64,
    /// How long to wait for another process's lock.
    pub busy_timeout: Duration,
    /// After this a check or an optimization is interrupted; `SQLite` rolls back.
    pub longest: Duration,
}

impl Default for DatabaseRules {
    fn default() -> Self {
        Self {
            bloat_fraction: 0.20,
            least_bytes: 1_000_000,
            busy_timeout: Duration::from_secs(2),
            longest: Duration::from_mins(5),
        }
    }
}

/// What a check read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseFacts {
    /// Bytes of a page.
    pub page_size: u64,
    /// Pages in the file.
    pub pages: u64,
    /// Pages that hold nothing.
    pub free_pages: u64,
    /// `wal`, `delete`, …
    pub journal_mode: String,
}

impl DatabaseFacts {
    /// Size in bytes.
    pub fn bytes(&self) -> u64 {
        self.pages.saturating_mul(self.page_size)
    }

    /// Free pages as a share of all.
    pub fn bloat(&self) -> f64 {
        if self.pages == 0 { 0.0 } else { self.free_pages as f64 / self.pages as f64 }
    }
}

/// The result of [`check_database`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseCheck {
    /// What is wrong, if anything.
    pub problem: Option<Problem>,
    /// What was read, if it could be.
    pub facts: Option<DatabaseFacts>,
}

/// Checks one database file, reading only. `own` is the bot's own database, which is refused.
pub async fn check_database(path: &Path, own: &Path, rules: &DatabaseRules) -> DatabaseCheck {
    match look(path, own, rules).await {
        Ok(facts) => {
            let bloated = facts.bloat() >= rules.bloat_fraction && facts.bytes() >= rules.least_bytes;
            let problem = bloated.then(|| Problem {
                kind: ProblemKind::DatabaseBloat,
                severity: Severity::Warning,
                subject: path.display().to_string(),
                detail: format!("{}, of it {} empty pages", human_bytes(facts.bytes()), percent(facts.bloat())),
                bytes: facts.free_pages.saturating_mul(facts.page_size),
                fix: Some(FixKind::OptimizeDatabase),
            });
            DatabaseCheck { problem, facts: Some(facts) }
        }
        Err(trouble) => DatabaseCheck { problem: Some(problem_of(path, &trouble)), facts: None },
    }
}

fn problem_of(path: &Path, trouble: &Trouble) -> Problem {
    let (kind, severity) = match trouble {
        Trouble::Missing => (ProblemKind::DatabaseMissing, Severity::Warning),
        Trouble::NotADatabase => (ProblemKind::NotADatabase, Severity::Warning),
        Trouble::Corrupt(_) => (ProblemKind::DatabaseCorrupt, Severity::Critical),
        Trouble::Locked => (ProblemKind::DatabaseLocked, Severity::Info),
        Trouble::Refused(_) | Trouble::TooSlow | Trouble::Other(_) => (ProblemKind::Unreadable, Severity::Warning),
    };
    let detail = trouble.to_string();
    Problem { kind, severity, subject: path.display().to_string(), detail, bytes: 0, fix: None }
}

async fn look(path: &Path, own: &Path, rules: &DatabaseRules) -> Result<DatabaseFacts, Trouble> {
    let path = admit(path, own)?;
    let mut session = Session::open(&path, true, rules).await?;
    let facts = async {
        session.quick_check().await?;
        session.facts().await
    };
    let facts = facts.await;
    session.close().await;
    facts
}

/// The real path of a database that may be looked at. Asks for metadata only, opens nothing.
fn admit(path: &Path, own: &Path) -> Result<PathBuf, Trouble> {
    let real = path.canonicalize().map_err(not_there)?;
    let found = real.metadata().map_err(not_there)?;
    let own_real = own.canonicalize().unwrap_or_else(|_| own.to_owned());
    let same_file = own_real.metadata().is_ok_and(|own| own.dev() == found.dev() && own.ino() == found.ino());
    let side_file = ["-wal", "-shm", "-journal"].iter().any(|ending| {
        let mut side = own_real.clone().into_os_string();
        side.push(ending);
        real.as_os_str() == side
    });
    if same_file || side_file || real == own_real {
        return Err(Trouble::Refused("this is overnight's own database; take it out of the configured list"));
    }
    if !found.is_file() {
        return Err(Trouble::NotADatabase);
    }
    // Each name of a file would get a journal of its own, and a crash would leave the wrong one.
    if found.nlink() != 1 {
        return Err(Trouble::Refused("the file has several hard links, which SQLite can't handle safely"));
    }
    Ok(real)
}

#[expect(clippy::needless_pass_by_value, reason = "used as the function of map_err")]
fn not_there(error: io::Error) -> Trouble {
    if error.kind() == io::ErrorKind::NotFound { Trouble::Missing } else { Trouble::Other(error.to_string()) }
}

/// Makes a bloated database small: copy into `trash` (this session's folder, made if missing), `PRAGMA optimize`,
/// checkpoint, `VACUUM`, checks. Looks at everything again first, since a check may be hours old.
pub async fn optimize_database(path: &Path, own: &Path, rules: &DatabaseRules, trash: &Path) -> Fix {
    let mut fix = Fix {
        kind: ProblemKind::DatabaseBloat,
        subject: path.display().to_string(),
        files: 1,
        before_bytes: 0,
        after_bytes: 0,
        freed_bytes: 0,
        done: FixOutcome::Fixed,
    };
    if let Err(trouble) = optimize(path, own, rules, trash, &mut fix).await {
        let why = trouble.to_string();
        fix.done = match trouble {
            Trouble::Locked | Trouble::Refused(_) | Trouble::Missing | Trouble::NotADatabase => {
                FixOutcome::Skipped { why }
            }
            Trouble::Corrupt(_) | Trouble::TooSlow | Trouble::Other(_) => FixOutcome::Failed { why },
        };
    }
    fix
}

async fn optimize(path: &Path, own: &Path, rules: &DatabaseRules, trash: &Path, fix: &mut Fix) -> Result<(), Trouble> {
    let real = admit(path, own)?;
    let before = disk_bytes(&real)?;
    let copy = trash.join(copy_name(&real, trash));
    let mut session = Session::open(&real, false, rules).await?;
    let worked = work(&mut session, &real, &copy, rules, fix).await;
    session.close().await;
    if let Err(trouble) = worked {
        // Only a database that came out wrong still needs its copy.
        if !matches!(trouble, Trouble::Corrupt(_)) {
            let _ = std::fs::remove_file(&copy);
        }
        return Err(trouble);
    }
    let kept = keep_copy(copy).await?;
    fix.freed_bytes = before.saturating_sub(disk_bytes(&real)?.saturating_add(kept));
    Ok(())
}

async fn work(
    session: &mut Session,
    real: &Path,
    copy: &Path,
    rules: &DatabaseRules,
    fix: &mut Fix,
) -> Result<(), Trouble> {
    session.quick_check().await?;
    let facts = session.facts().await?;
    fix.before_bytes = facts.bytes();
    fix.after_bytes = facts.bytes();
    if facts.bloat() < rules.bloat_fraction || facts.bytes() < rules.least_bytes {
        return Err(Trouble::Refused("it is not bloated any more"));
    }
    room(real, copy, facts.bytes())?;
    session.try_write_lock().await?;
    let (rows, version) = (session.row_counts().await?, session.data_version().await?);

    session.vacuum_into(copy).await?;
    let copied = check_copy(copy, rules).await;
    let same = copied.as_ref().is_ok_and(|copied| *copied == rows);
    if !same {
        // Without a copy to trust nothing more is done; the database was not touched.
        copied.map_err(|trouble| {
            Trouble::Other(format!("the safety copy is not good ({trouble}); nothing was changed"))
        })?;
        if session.data_version().await? != version {
            return Err(Trouble::Locked);
        }
        let why = "the safety copy does not hold the same rows; nothing was changed";
        return Err(Trouble::Other(why.to_owned()));
    }
    session.shrink().await?;
    session.quick_check().await?;
    let after = session.facts().await?;
    fix.after_bytes = after.bytes();
    // Rows another process wrote meanwhile make counts differ rightly; then the copy and the check have to do.
    if session.row_counts().await? != rows && session.data_version().await? == version {
        let kept = copy.display();
        return Err(Trouble::Corrupt(format!(
            "after VACUUM its tables hold other row counts; the copy before it is {kept}"
        )));
    }
    Ok(())
}

async fn check_copy(copy: &Path, rules: &DatabaseRules) -> Result<session::Rows, Trouble> {
    let mut session = Session::open(copy, true, rules).await?;
    let rows = async {
        session.quick_check().await?;
        session.row_counts().await
    };
    let rows = rows.await;
    session.close().await;
    rows
}

/// `VACUUM` needs up to twice the size beside the database, the copy once its size in the trash.
fn room(real: &Path, copy: &Path, bytes: u64) -> Result<(), Trouble> {
    let beside = real.parent().unwrap_or(Path::new("/"));
    let trash = copy.parent().unwrap_or(Path::new("/"));
    std::fs::create_dir_all(trash).map_err(other)?;
    let same_device = beside.metadata().map_err(other)?.dev() == trash.metadata().map_err(other)?.dev();
    let vacuum = bytes.saturating_mul(22) / 10;
    let copied = bytes.saturating_mul(11) / 10;
    let (least_beside, least_trash) = if same_device { (vacuum + copied, 0) } else { (vacuum, copied) };
    let available = crate::host::space::available_space(beside).map_err(other)?;
    if available < least_beside || crate::host::space::available_space(trash).map_err(other)? < least_trash {
        return Err(Trouble::Refused("there is not enough free space to vacuum it safely"));
    }
    Ok(())
}

/// A name in the trash that is not taken.
fn copy_name(real: &Path, trash: &Path) -> String {
    let stem = real.file_name().unwrap_or_default().to_string_lossy();
    let plain: String =
        stem.chars().take(60).map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '_' }).collect();
    let taken = |name: &String| trash.join(name).exists() || trash.join(format!("{name}.gz")).exists();
    (1..10_000).map(|n| format!("database-{n}-{plain}")).find(|name| !taken(name)).unwrap_or(plain)
}

/// Compresses the copy in the trash; keeps it as it is when that fails. Returns what it takes on the disk.
async fn keep_copy(copy: PathBuf) -> Result<u64, Trouble> {
    let kept = tokio::task::spawn_blocking(move || super::logs::compress_copy(&copy)).await;
    kept.map_err(|error| Trouble::Other(error.to_string()))?.map_err(other)
}

fn disk_bytes(path: &Path) -> Result<u64, Trouble> {
    Ok(path.metadata().map_err(other)?.blocks() * 512)
}

#[expect(clippy::needless_pass_by_value, reason = "used as the function of map_err")]
fn other(error: io::Error) -> Trouble {
    Trouble::Other(error.to_string())
}
