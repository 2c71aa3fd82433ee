//! What is kept of each day: the projects' files, the database, the vaults; and for how long.

use super::format::human_bytes;
use super::words::counted;
use chrono::{DateTime, Datelike, IsoWeek, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Newest days that are kept.
pub const DAILY: usize = 7;
/// Weeks before those of which one day is kept.
pub const WEEKLY: usize = 4;

/// Which of these days stay: today's, the newest seven, and before them the first of each of the newest four ISO weeks.
/// A week's first day is the first of its days to grow old, so what is kept of it does not change with the time of asking.
/// Days that have not come yet were kept by a clock that was wrong: they stay, and push no other out.
pub fn staying(days: &BTreeSet<NaiveDate>, today: NaiveDate) -> BTreeSet<NaiveDate> {
    let past: Vec<NaiveDate> = days.range(..=today).copied().collect();
    let mut stay = days.difference(&past.iter().copied().collect()).copied().collect::<BTreeSet<_>>();
    let (older, newest) = past.split_at(past.len().saturating_sub(DAILY));
    let mut weeks: BTreeMap<(i32, u32), NaiveDate> = BTreeMap::new();
    for day in older {
        weeks.entry(week(*day)).or_insert(*day);
    }
    stay.extend(newest);
    stay.extend(weeks.values().rev().take(WEEKLY));
    stay
}

fn week(day: NaiveDate) -> (i32, u32) {
    let week: IsoWeek = day.iso_week();
    (week.year(), week.week())
}

/// Whether a restore is to be tried on this day: none was in its ISO week.
pub fn drill_due(last: Option<NaiveDate>, day: NaiveDate) -> bool {
    last.is_none_or(|last| week(last) != week(day))
}

/// One day that was kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptDay {
    /// The session's scheduled local date.
    pub date: NaiveDate,
    /// When.
    pub taken_at: DateTime<Utc>,
    /// The copy of the database; none: that failed.
    pub database: Option<KeptDatabase>,
    /// The projects, by name.
    pub projects: Vec<KeptProject>,
}

/// A copy of the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptDatabase {
    /// Where it lies.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// Hash of the file.
    pub sha256: String,
    /// Rows of each table.
    pub rows: BTreeMap<String, i64>,
    /// Hash of all rows, in whatever order.
    pub content: String,
}

/// What was kept of a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptProject {
    /// Its name.
    pub name: String,
    /// Its files, as a commit in its vault; none: that failed, or there was nothing.
    pub commit: Option<String>,
    /// How many files were taken from the disk.
    pub files: u64,
    /// Those that were not.
    pub skipped: Vec<Skipped>,
    /// Its whole vault as one file.
    pub bundle: Option<KeptBundle>,
    /// Why there is no bundle.
    pub bundle_trouble: Option<String>,
}

/// A file that is not in a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// Its path, escaped.
    pub path: String,
    /// Why.
    pub why: String,
}

/// A vault as one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptBundle {
    /// Where it lies.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// Hash of the file.
    pub sha256: String,
    /// Hash of the commits it leads to.
    pub tips: String,
}

impl KeptDay {
    /// Bytes of its files.
    pub fn bytes(&self) -> u64 {
        let bundles = self.projects.iter().filter_map(|project| project.bundle.as_ref());
        self.database.as_ref().map_or(0, |copy| copy.bytes) + bundles.map(|bundle| bundle.bytes).sum::<u64>()
    }
}

impl KeptProject {
    /// `2 files are not in the snapshot of app: huge.bin (too large: 120 bytes), …`; none if all are.
    pub fn left_out(&self) -> Option<String> {
        let told = |file: &Skipped| match file.why.as_str() {
            "" => file.path.clone(),
            why => format!("{} ({why})", file.path),
        };
        let names: Vec<String> = self.skipped.iter().map(told).collect();
        let are = if names.len() == 1 { "is" } else { "are" };
        let what = counted(names.len(), "file or folder");
        let what = what.replace("file or folders", "files or folders");
        (!names.is_empty()).then(|| format!("{what} {are} not in its snapshot: {}", super::words::list(&names, 3)))
    }
}

/// A restore that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drill {
    /// The session's scheduled local date.
    pub date: NaiveDate,
    /// When it ended.
    pub at: DateTime<Utc>,
    /// Vaults that were restored.
    pub vaults: u32,
    /// Bytes restored from.
    pub bytes: u64,
    /// What can't be restored, and why.
    pub trouble: Option<String>,
}

impl Drill {
    /// `Restore drill: OK, 3 vaults, 41 MB`.
    pub fn text(&self) -> String {
        match &self.trouble {
            None => {
                format!("Restore drill: OK, {}, {}", counted(self.vaults as usize, "vault"), human_bytes(self.bytes))
            }
            Some(trouble) => format!("Restore drill: FAILED, {trouble}"),
        }
    }
}

#[cfg(test)]
mod tests;
