//! Old and large log files, in folders the owner named and nowhere else.
//!
//! [`scan_logs`] looks and changes nothing; its result is the dry run. [`fix_logs`] does what the scan says, to files that
//! are still exactly the ones scanned. What holds at every step:
//! - A folder is reached only from its root, part by part, through open handles, never through a symlink, never onto
//!   another device; the root is the same folder at the fix as at the scan.
//! - Only regular files with one link and a log's name count; never the newest few of a folder, never (for removal) one
//!   that a process holds open.
//! - Nothing is removed before a compressed copy was written, read back and compared by length and SHA-256.
//! - Everything has a cap; what a cap left is said.
//!
//! A process that opens a file between the look at open files and the removal goes on writing to a file without a name;
//! no system call closes that gap, the age of 30 days makes it unlikely. Left out on purpose: configurable name patterns,
//! hidden files, and telling loggers to reopen their files.

mod compress;
mod folder;
mod names;
mod open_files;
mod rotate;
mod trash;
mod walk;

pub(super) use trash::compress_copy;
pub use trash::{Purge, purge_trash};

use crate::domain::problem::{Fix, FixKind, FixOutcome, Problem, ProblemKind, Severity};
use chrono::{DateTime, TimeDelta, Utc};
use folder::{FileId, Found, Left, RootId, shown};
use names::LogName;
use open_files::{OpenFiles, Use};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use trash::Trash;

/// What counts as old and large, and how much one night may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRules {
    /// Logs untouched for more days than this are removed.
    pub older_than_days: u32,
    /// Logs with more bytes than this are rotated and compressed.
    pub rotate_over_bytes: u64,
    /// This many of the newest logs of each folder are never removed.
    pub keep_newest: usize,
    /// Bytes of logs handled in one night.
    pub max_bytes: u64,
    /// Files handled in one night.
    pub max_files: usize,
    /// Folders never entered: the bot's own trash and data.
    pub never_enter: Vec<PathBuf>,
}

impl Default for LogRules {
    fn default() -> Self {
        Self {
            older_than_days: 30,
            rotate_over_bytes: 10_000_000,
            keep_newest: 3,
            max_bytes: 5_000_000_000,
            max_files: 1000,
            never_enter: Vec::new(),
        }
    }
}

/// A path that was left alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The path.
    pub path: PathBuf,
    /// Why, for a person.
    pub why: String,
}

/// What a scan found, and what [`fix_logs`] would do.
#[derive(Debug)]
pub struct LogScan {
    /// What is wrong, for report and brief: one for the old logs of each root, one for each large log.
    pub problems: Vec<Problem>,
    /// What looks like a log and is left alone, at most 1000.
    pub skipped: Vec<Skipped>,
    roots: Vec<RootId>,
    old: Vec<Found>,
    large: Vec<Found>,
}

/// More skipped paths than this are counted, not listed.
const MOST_SKIPPED: usize = 1000;

/// Looks through `roots` for logs to clean or rotate; changes nothing.
pub fn scan_logs(roots: &[PathBuf], rules: &LogRules, now: DateTime<Utc>) -> LogScan {
    let mut scan =
        LogScan { problems: Vec::new(), skipped: Vec::new(), roots: Vec::new(), old: Vec::new(), large: Vec::new() };
    let found = walk::walk(roots, rules, &mut scan.roots, &mut scan.problems, &mut scan.skipped);
    let newest = newest_of_each_folder(&found, rules.keep_newest);
    let open = OpenFiles::look();
    let age = TimeDelta::days(rules.older_than_days.into());
    let (mut bytes, mut files, mut over) = (0_u64, 0_usize, 0_usize);

    let mut found: Vec<Found> = found.into_values().collect();
    found.sort_by(|a, b| (a.touched(), &a.path).cmp(&(b.touched(), &b.path)));
    for file in found {
        let old = now.signed_duration_since(file.touched()) > age;
        let large = file.name_kind != LogName::Compressed && file.len > rules.rotate_over_bytes;
        let remove = old && !newest.contains(&file.id);
        if !remove && !large {
            continue;
        }
        let open = open.use_of(&file, now);
        let why = match (remove, &open) {
            (true, Use::Closed) | (false, Use::Closed | Use::Appended) => None,
            (true, _) => Some("old, but a process holds it open"),
            (false, Use::Overwritten) => {
                Some("a process writes to it at its own offset; only that process can rotate it")
            }
            (false, Use::Unknown) => {
                Some("changed lately, and this system does not tell whether a process holds it open")
            }
        };
        if let Some(why) = why {
            scan.skipped.push(Skipped { path: file.path, why: why.to_owned() });
        } else if files + 1 > rules.max_files || bytes.saturating_add(file.len) > rules.max_bytes {
            over += 1;
        } else {
            files += 1;
            bytes += file.len;
            if remove {
                scan.old.push(file);
            } else {
                scan.large.push(file);
            }
        }
    }
    scan.describe(rules, over);
    scan
}

impl LogScan {
    /// Turns the work found into problems.
    fn describe(&mut self, rules: &LogRules, over: usize) {
        for (index, root) in self.roots.iter().enumerate() {
            let old: Vec<&Found> = self.old.iter().filter(|file| file.root == index).collect();
            if !old.is_empty() {
                self.problems.push(Problem {
                    kind: ProblemKind::OldLogs,
                    severity: Severity::Warning,
                    subject: shown(&root.path),
                    detail: format!("{} log files untouched for over {} days", old.len(), rules.older_than_days),
                    bytes: old.iter().map(|file| file.len).sum(),
                    fix: Some(FixKind::TrashOldLogs),
                });
            }
        }
        self.problems.extend(self.large.iter().map(|file| Problem {
            kind: ProblemKind::LargeLog,
            severity: Severity::Warning,
            subject: shown(&file.path),
            detail: format!("log file of {}", crate::domain::format::human_bytes(file.len)),
            bytes: file.len,
            fix: Some(FixKind::RotateLog),
        }));
        if over > 0 {
            self.problems.push(Problem {
                kind: ProblemKind::OldLogs,
                severity: Severity::Info,
                subject: "logs".to_owned(),
                detail: format!("{over} more log files are left for another night (limit of one night reached)"),
                bytes: 0,
                fix: None,
            });
        }
        if self.skipped.len() > MOST_SKIPPED {
            let more = self.skipped.len() - MOST_SKIPPED;
            self.skipped.truncate(MOST_SKIPPED);
            self.skipped.push(Skipped { path: PathBuf::new(), why: format!("{more} more paths were left alone") });
        }
    }
}

/// The newest `keep` logs of each folder, by the time they were last touched.
fn newest_of_each_folder(found: &HashMap<FileId, Found>, keep: usize) -> std::collections::HashSet<FileId> {
    let mut folders: HashMap<(usize, &Path), Vec<&Found>> = HashMap::new();
    for file in found.values() {
        folders.entry((file.root, &file.folder)).or_default().push(file);
    }
    let mut newest = std::collections::HashSet::new();
    for files in folders.values_mut() {
        // Equal times are told apart by name: every look has to keep the same files.
        files.sort_by(|a, b| (b.modified, &a.path).cmp(&(a.modified, &b.path)));
        newest.extend(files.iter().take(keep).map(|file| file.id));
    }
    newest
}

/// Does what `scan` found: old logs go compressed into `trash` (this session's folder, made if missing), large ones are
/// rotated where they are. One [`Fix`] for the old logs of each root, one for each rotated log, and one for each file that
/// could not be handled. Blocking; takes as long as reading and compressing the files does.
pub fn fix_logs(scan: &LogScan, trash: &Path, now: DateTime<Utc>) -> Vec<Fix> {
    if scan.old.is_empty() && scan.large.is_empty() {
        return Vec::new();
    }
    let mut trash = match Trash::open(trash) {
        Ok(trash) => trash,
        Err(error) => {
            let why = format!("the trash folder could not be made: {error}");
            return vec![fix(ProblemKind::OldLogs, shown(trash), FixOutcome::Failed { why })];
        }
    };
    let open = OpenFiles::look();
    let mut fixes = Vec::new();
    for (index, root) in scan.roots.iter().enumerate() {
        let of_root = |file: &&Found| file.root == index;
        let old = scan.old.iter().filter(of_root);
        clean(root, old, &open, now, &mut trash, &mut fixes);
        for file in scan.large.iter().filter(of_root) {
            let mut done = fix(ProblemKind::LargeLog, shown(&file.path), FixOutcome::Fixed);
            done.files = 1;
            match rotate::rotate(root, file, open.use_of(file, now), &mut trash) {
                Ok(rotated) => {
                    done.before_bytes = rotated.before;
                    done.after_bytes = rotated.after;
                    done.freed_bytes = rotated.freed;
                }
                Err(left) => done.done = left.into(),
            }
            fixes.push(done);
        }
    }
    fixes
}

/// The old logs of one root: one fix for all that went well, one for each that did not.
fn clean<'a>(
    root: &RootId,
    old: impl Iterator<Item = &'a Found>,
    open: &OpenFiles,
    now: DateTime<Utc>,
    trash: &mut Trash,
    fixes: &mut Vec<Fix>,
) {
    let mut cleaned = fix(ProblemKind::OldLogs, shown(&root.path), FixOutcome::Fixed);
    for file in old {
        let done = match open.use_of(file, now) {
            Use::Closed => trash.take(root, file),
            _ => Err(Left::skip("a process holds it open")),
        };
        match done {
            Ok(kept) => {
                cleaned.files += 1;
                cleaned.before_bytes += file.len;
                cleaned.freed_bytes += file.disk_bytes.saturating_sub(kept);
            }
            Err(left) => fixes.push(fix(ProblemKind::OldLogs, shown(&file.path), left.into())),
        }
    }
    if cleaned.files > 0 {
        fixes.push(cleaned);
    }
}

fn fix(kind: ProblemKind, subject: String, done: FixOutcome) -> Fix {
    Fix { kind, subject, files: 0, before_bytes: 0, after_bytes: 0, freed_bytes: 0, done }
}
