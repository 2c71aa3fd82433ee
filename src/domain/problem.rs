//! What the health check found on the machine, and what was done about it.
//!
//! Plain facts that travel to the database, the report and the brief. Finding and fixing is `host`'s; whether a problem
//! is escalated follows from it ([`Problem::escalates`]). Left out on purpose: how a fix works and where trash is kept.

use super::format::{human_bytes, percent};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// A word from a table or file that names no known kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is not a known {what}")]
pub struct UnknownWord {
    /// The kind of word expected, for the message.
    pub what: &'static str,
    /// The word met.
    pub word: String,
}

/// An enum stored as a plain word: the words are written once and serve the table, the report and the parser.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident, $what:literal { $($(#[$doc:meta])* $variant:ident => $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$doc])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            /// Every variant, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word kept in tables and reports.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(word: &str) -> Result<Self, UnknownWord> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(UnknownWord { what: $what, word: word.to_owned() }),
                }
            }
        }
    };
}

words! {
    /// What is wrong.
    ProblemKind, "kind of problem" {
        /// Log files nobody has touched for longer than the rules keep them.
        OldLogs => "old_logs",
        /// A log file over the size limit.
        LargeLog => "large_log",
        /// A log folder that is not safe to clean (a symlink, writable by others, changed under us).
        UnsafeLogRoot => "unsafe_log_root",
        /// A database file that is largely free pages.
        DatabaseBloat => "database_bloat",
        /// A database that fails its own check.
        DatabaseCorrupt => "database_corrupt",
        /// A database another process kept locked while it was looked at.
        DatabaseLocked => "database_locked",
        /// A configured database that does not exist.
        DatabaseMissing => "database_missing",
        /// A configured file that is not a `SQLite` database.
        NotADatabase => "not_a_database",
        /// A file system above the limit.
        DiskNearlyFull => "disk_nearly_full",
        /// Little memory left.
        MemoryLow => "memory_low",
        /// A file or folder that could not be read or measured.
        Unreadable => "unreadable",
        /// Something that should be kept of the day could not be.
        SnapshotFailed => "snapshot_failed",
        /// Files that are not in a project's snapshot.
        SnapshotPartial => "snapshot_partial",
        /// What was kept could not be restored.
        RestoreFailed => "restore_failed",
    }
}

words! {
    /// How much it matters.
    Severity, "severity" {
        /// Worth a line.
        Info => "info",
        /// Worth fixing tonight.
        Warning => "warning",
        /// Needs a person.
        Critical => "critical",
    }
}

words! {
    /// A fix that is safe to do without asking.
    FixKind, "kind of fix" {
        /// Compress old logs into the trash, verify, then remove them.
        TrashOldLogs => "trash_old_logs",
        /// Rotate and compress a large log.
        RotateLog => "rotate_log",
        /// Optimize, checkpoint and vacuum a database after a backup.
        OptimizeDatabase => "optimize_database",
    }
}

/// One thing found wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What is wrong.
    pub kind: ProblemKind,
    /// How much it matters.
    pub severity: Severity,
    /// The path it is about, as text.
    pub subject: String,
    /// One sentence for a person.
    pub detail: String,
    /// Bytes concerned (logs to clean, pages to give back); 0 where size plays no part.
    pub bytes: u64,
    /// The safe fix, `None` where a person has to look.
    pub fix: Option<FixKind>,
}

impl Problem {
    /// Needs a person: critical, or worth a warning and nothing safe to do about it.
    pub fn escalates(&self) -> bool {
        self.severity == Severity::Critical || (self.severity == Severity::Warning && self.fix.is_none())
    }
}

/// How a fix ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum FixOutcome {
    /// Done, and checked afterwards.
    Fixed,
    /// Left alone, nothing changed.
    Skipped {
        /// Why, for a person.
        why: String,
    },
    /// Tried, and not achieved.
    Failed {
        /// What happened and what state it left, for a person.
        why: String,
    },
}

/// What was done about a problem, with sizes as measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fix {
    /// The problem it answers.
    pub kind: ProblemKind,
    /// The path it is about, as text.
    pub subject: String,
    /// Files concerned.
    pub files: u32,
    /// Bytes before: the size of what was cleaned, rotated or optimized.
    pub before_bytes: u64,
    /// Bytes of the same files after; 0 for those removed.
    pub after_bytes: u64,
    /// Disk blocks given back in bytes, less what the copy kept in the trash takes.
    pub freed_bytes: u64,
    /// How it ended.
    pub done: FixOutcome,
}

impl Fix {
    /// Whether it was done and checked.
    pub fn is_fixed(&self) -> bool {
        self.done == FixOutcome::Fixed
    }

    /// One line for the brief.
    pub fn text(&self) -> String {
        match &self.done {
            FixOutcome::Fixed => self.fixed_text(),
            FixOutcome::Skipped { why } => format!("Left {} alone: {why}", name(&self.subject)),
            FixOutcome::Failed { why } => format!("Could not fix {}: {why}", name(&self.subject)),
        }
    }

    fn fixed_text(&self) -> String {
        match self.kind {
            ProblemKind::OldLogs if self.freed_bytes > 0 => {
                format!("Cleaned {} of old logs", human_bytes(self.freed_bytes))
            }
            ProblemKind::OldLogs => format!("Moved {} old log files to the trash (no space freed)", self.files),
            ProblemKind::LargeLog => format!("Rotated {}{}", name(&self.subject), self.change()),
            ProblemKind::DatabaseBloat => {
                format!("Optimized {}{}", name(&self.subject), self.change())
            }
            other => format!("Fixed {}: {}", other.as_str().replace('_', " "), name(&self.subject)),
        }
    }

    /// " (78 MB → 62 MB, 21 % smaller)", or without the percentage when it did not shrink.
    fn change(&self) -> String {
        let (before, after) = (human_bytes(self.before_bytes), human_bytes(self.after_bytes));
        if self.after_bytes >= self.before_bytes {
            return format!(" ({before} → {after})");
        }
        let share = 1.0 - self.after_bytes as f64 / self.before_bytes as f64;
        format!(" ({before} → {after}, {} smaller)", percent(share))
    }
}

/// The last part of a path: what a person calls the file.
fn name(subject: &str) -> &str {
    subject.trim_end_matches('/').rsplit('/').next().filter(|part| !part.is_empty()).unwrap_or(subject)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fix(kind: ProblemKind, before: u64, after: u64, freed: u64, done: FixOutcome) -> Fix {
        let subject = "/srv/data/fitness.db".to_owned();
        Fix { kind, subject, files: 2, before_bytes: before, after_bytes: after, freed_bytes: freed, done }
    }

    #[test]
    fn words_are_the_same_in_tables_and_reports() {
        for kind in ProblemKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(*kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
        for severity in Severity::ALL {
            assert_eq!(severity.as_str().parse(), Ok(*severity));
        }
        for fix in FixKind::ALL {
            assert_eq!(fix.as_str().parse(), Ok(*fix));
        }
        let unknown = "gremlins".parse::<ProblemKind>().unwrap_err();
        assert_eq!(unknown.to_string(), "\"gremlins\" is not a known kind of problem");
    }

    #[test]
    fn the_brief_reads_as_the_owner_knows_it() {
        let mb = 1_000_000;
        for (fix, text) in [
            (fix(ProblemKind::OldLogs, 50 * mb, 0, 45 * mb, FixOutcome::Fixed), "Cleaned 45 MB of old logs"),
            (
                fix(ProblemKind::OldLogs, 10, 0, 0, FixOutcome::Fixed),
                "Moved 2 old log files to the trash (no space freed)",
            ),
            (
                fix(ProblemKind::DatabaseBloat, 78 * mb, 62 * mb, 0, FixOutcome::Fixed),
                "Optimized fitness.db (78 MB → 62 MB, 21 % smaller)",
            ),
            (
                fix(ProblemKind::DatabaseBloat, mb, mb, 0, FixOutcome::Skipped { why: "it is locked".into() }),
                "Left fitness.db alone: it is locked",
            ),
            (fix(ProblemKind::LargeLog, mb, 2 * mb, 0, FixOutcome::Fixed), "Rotated fitness.db (1 MB → 2 MB)"),
        ] {
            assert_eq!(fix.text(), text);
        }
    }

    #[test]
    fn only_what_needs_a_person_escalates() {
        let mut problem = Problem {
            kind: ProblemKind::DatabaseBloat,
            severity: Severity::Warning,
            subject: "a.db".into(),
            detail: String::new(),
            bytes: 0,
            fix: Some(FixKind::OptimizeDatabase),
        };
        assert!(!problem.escalates());
        problem.fix = None;
        assert!(problem.escalates());
        problem.severity = Severity::Info;
        assert!(!problem.escalates());
    }
}
