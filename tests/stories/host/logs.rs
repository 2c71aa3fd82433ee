//! Old logs go to the trash, large ones are rotated, and nothing outside the named folders changes, whatever lies in them.

use chrono::{DateTime, TimeDelta, Utc};
use flate2::read::MultiGzDecoder;
use overnight::domain::problem::{Fix, FixOutcome, ProblemKind};
use overnight::host::logs::{LogRules, LogScan, fix_logs, purge_trash, scan_logs};
use std::collections::BTreeMap;
use std::fs::{self, File, FileTimes, OpenOptions, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::TempDir;

/// A log folder, a folder beside it that must never change, and a time 100 days after the files were made.
struct Place {
    whole: TempDir,
    now: DateTime<Utc>,
}

impl Place {
    fn new() -> Self {
        let whole = tempfile::tempdir().unwrap();
        for folder in ["logs", "canary/inner"] {
            fs::create_dir_all(whole.path().join(folder)).unwrap();
        }
        for file in ["canary/secret.log", "canary/inner/deep.log", "canary/hard.log"] {
            fs::write(whole.path().join(file), format!("precious {file}")).unwrap();
        }
        let made: DateTime<Utc> = fs::metadata(whole.path()).unwrap().modified().unwrap().into();
        Self { now: made + TimeDelta::days(100), whole }
    }

    fn path(&self, below: &str) -> PathBuf {
        self.whole.path().join(below)
    }

    fn roots(&self) -> Vec<PathBuf> {
        vec![self.path("logs")]
    }

    fn trash(&self) -> PathBuf {
        self.path("home/trash/2026-03-14")
    }

    /// A file last written `days` ago as seen from `now`.
    fn log(&self, below: &str, days: i64, content: &[u8]) -> PathBuf {
        let path = self.path(below);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        let modified = self.now - TimeDelta::days(days);
        File::open(&path).unwrap().set_times(FileTimes::new().set_modified(modified.into())).unwrap();
        path
    }

    /// Three fresh files, so that the rule about the newest of a folder does not hide the others.
    fn fresh(&self, folder: &str) {
        for name in ["fresh-a.log", "fresh-b.log", "fresh-c.log"] {
            self.log(&format!("{folder}/{name}"), 0, b"fresh");
        }
    }

    fn scan(&self, rules: &LogRules) -> LogScan {
        scan_logs(&self.roots(), rules, self.now)
    }

    fn fix(&self, scan: &LogScan) -> Vec<Fix> {
        fix_logs(scan, &self.trash(), self.now)
    }
}

/// Every path below `folder` with what it is and holds.
fn listing(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let kind = entry.file_type().unwrap();
            let content = if kind.is_dir() {
                folders.push(entry.path());
                b"folder".to_vec()
            } else if kind.is_symlink() {
                fs::read_link(entry.path()).unwrap().into_os_string().into_encoded_bytes()
            } else {
                fs::read(entry.path()).unwrap_or_default()
            };
            all.insert(entry.path(), content);
        }
    }
    all
}

fn unpack(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    MultiGzDecoder::new(File::open(path).unwrap()).read_to_end(&mut bytes).unwrap();
    bytes
}

fn why(scan: &LogScan, name: &str) -> String {
    let found: Vec<&str> = scan
        .skipped
        .iter()
        .filter(|skipped| skipped.path.ends_with(name))
        .map(|skipped| skipped.why.as_str())
        .collect();
    found.join("; ")
}

#[test]
fn a_zoo_of_a_folder_is_cleaned_of_old_logs_and_nothing_else() {
    let place = Place::new();
    place.fresh("logs");
    let old = place.log("logs/old.log", 40, &b"a line of an old log\n".repeat(5000));
    let newline = place.log("logs/sub/two\nlines.log", 40, b"odd name");
    place.fresh("logs/sub");
    let future = place.log("logs/future.log", -400, b"from a wrong clock");
    let text = place.log("logs/notes.txt", 40, b"not a log");
    let held = place.log("logs/held.log", 40, b"some process has it");
    let _holder = File::open(&held).unwrap();
    symlink(place.path("canary/secret.log"), place.path("logs/link.log")).unwrap();
    symlink(place.path("canary"), place.path("logs/folder.log")).unwrap();
    fs::hard_link(place.path("canary/hard.log"), place.path("logs/hard.log")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(place.path("logs/socket.log")).unwrap();
    let closed = place.log("logs/closed.log", 40, b"nobody may read it");
    fs::set_permissions(&closed, Permissions::from_mode(0o000)).unwrap();
    let readable = File::open(&closed).is_ok();
    let before = listing(&place.path("canary"));
    let whole = listing(&place.path("logs"));

    let scan = place.scan(&LogRules::default());
    assert_eq!(listing(&place.path("logs")), whole, "a scan changes nothing");
    assert!(why(&scan, "link.log").contains("symlink"));
    assert!(why(&scan, "folder.log").contains("symlink"));
    assert!(why(&scan, "hard.log").contains("hard link"));
    assert!(why(&scan, "socket.log").contains("regular file"));
    assert!(why(&scan, "held.log").contains("holds it open"));
    assert_eq!(why(&scan, "closed.log").is_empty(), readable, "only root can read it");

    let fixes = place.fix(&scan);
    let count = if readable { 3 } else { 2 };
    assert_eq!(fixes.len(), 1, "{fixes:?}");
    assert_eq!((fixes[0].kind, fixes[0].files, &fixes[0].done), (ProblemKind::OldLogs, count, &FixOutcome::Fixed));
    assert!(fixes[0].freed_bytes > 0 && fixes[0].text().starts_with("Cleaned "), "{}", fixes[0].text());
    assert!(!old.exists() && !newline.exists());
    for kept in [&future, &text, &held, &place.path("logs/link.log"), &place.path("logs/sub/fresh-a.log")] {
        assert!(kept.symlink_metadata().is_ok(), "{kept:?}");
    }
    assert_eq!(listing(&place.path("canary")), before);

    let manifest = fs::read_to_string(place.trash().join("manifest.jsonl")).unwrap();
    assert_eq!(manifest.lines().count(), usize::try_from(count).unwrap());
    let entry: serde_json::Value = manifest
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .find(|e: &serde_json::Value| e["bytes"] == 105_000)
        .unwrap();
    assert_eq!(unpack(&place.trash().join(entry["copy"].as_str().unwrap())), b"a line of an old log\n".repeat(5000));
    assert_eq!(place.trash().metadata().unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn the_newest_of_a_folder_stay_however_old() {
    let place = Place::new();
    for days in 40..45 {
        place.log(&format!("logs/app.log.{days}"), days, b"old");
    }
    place.fix(&place.scan(&LogRules::default()));
    let left: Vec<PathBuf> = listing(&place.path("logs")).into_keys().collect();
    assert_eq!(left, [40, 41, 42].map(|days| place.path(&format!("logs/app.log.{days}"))));
}

#[test]
fn a_young_change_of_attributes_keeps_an_old_log() {
    let place = Place::new();
    place.fresh("logs");
    let log = place.log("logs/old.log", 40, b"old");
    // Its content is from long before, but its attributes changed when the test made it: ten days before this scan.
    File::open(&log).unwrap().set_times(FileTimes::new().set_modified(std::time::UNIX_EPOCH)).unwrap();
    let scan = scan_logs(&place.roots(), &LogRules::default(), place.now - TimeDelta::days(90));
    assert!(scan.problems.is_empty(), "{:?}", scan.problems);
}

#[test]
fn unsafe_roots_are_named_and_left_alone() {
    let place = Place::new();
    place.log("logs/old.log", 40, b"old");
    symlink(place.path("logs"), place.path("linked")).unwrap();
    place.log("open/old.log", 40, b"old");
    fs::set_permissions(place.path("open"), Permissions::from_mode(0o777)).unwrap();
    let rules = LogRules { keep_newest: 0, ..LogRules::default() };
    let roots = [place.path("linked"), place.path("open"), place.path("missing")];
    let scan = scan_logs(&roots, &rules, place.now);
    let kinds: Vec<ProblemKind> = scan.problems.iter().map(|problem| problem.kind).collect();
    assert_eq!(kinds, [ProblemKind::UnsafeLogRoot, ProblemKind::UnsafeLogRoot, ProblemKind::Unreadable]);
    assert!(scan.problems.iter().all(overnight::domain::problem::Problem::escalates));
    assert!(fix_logs(&scan, &place.trash(), place.now).is_empty());

    fs::set_permissions(place.path("open"), Permissions::from_mode(0o1777)).unwrap();
    let sticky = scan_logs(&[place.path("open")], &rules, place.now);
    assert_eq!(sticky.problems[0].kind, ProblemKind::OldLogs, "our own file in a sticky folder is ours to clean");
}

#[test]
fn a_root_or_folder_swapped_for_a_symlink_after_the_scan_is_refused() {
    for swapped in ["logs", "logs/inner"] {
        let place = Place::new();
        place.fresh("logs/inner");
        place.log("logs/inner/deep.log", 40, b"old");
        place.log("canary/inner/deep.log", 40, b"precious");
        let before = listing(&place.path("canary"));
        let scan = place.scan(&LogRules::default());
        assert_eq!(scan.problems.len(), 1);
        fs::rename(place.path(swapped), place.path("moved")).unwrap();
        let target = if swapped == "logs" { "canary" } else { "canary/inner" };
        symlink(place.path(target), place.path(swapped)).unwrap();

        let fixes = place.fix(&scan);
        assert!(matches!(&fixes[..], [Fix { done: FixOutcome::Skipped { .. }, .. }]), "{fixes:?}");
        assert_eq!(listing(&place.path("canary")), before);
    }
}

#[test]
fn a_root_replaced_by_another_folder_is_refused() {
    let place = Place::new();
    place.fresh("logs");
    place.log("logs/secret.log", 40, b"old");
    let scan = place.scan(&LogRules::default());
    fs::rename(place.path("logs"), place.path("moved")).unwrap();
    fs::rename(place.path("canary"), place.path("logs")).unwrap();
    let before = listing(&place.path("logs"));
    let fixes = place.fix(&scan);
    assert!(matches!(&fixes[0].done, FixOutcome::Skipped { why } if why.contains("not the one")), "{fixes:?}");
    assert_eq!(listing(&place.path("logs")), before);
}

#[test]
fn a_log_written_or_opened_after_the_scan_is_left() {
    let place = Place::new();
    place.fresh("logs");
    let written = place.log("logs/written.log", 40, b"old");
    let opened = place.log("logs/opened.log", 40, b"old");
    let scan = place.scan(&LogRules::default());
    OpenOptions::new().append(true).open(&written).unwrap().write_all(b"new").unwrap();
    let _holder = File::open(&opened).unwrap();
    let fixes = place.fix(&scan);
    assert_eq!(fixes.len(), 2);
    assert!(fixes.iter().all(|fix| matches!(fix.done, FixOutcome::Skipped { .. })), "{fixes:?}");
    assert_eq!((fs::read(&written).unwrap(), fs::read(&opened).unwrap()), (b"oldnew".to_vec(), b"old".to_vec()));
}

#[test]
fn a_night_stops_at_its_caps_and_says_what_is_left() {
    let place = Place::new();
    place.fresh("logs");
    for number in 1..=5 {
        place.log(&format!("logs/app.log.{number}"), 40 + number, b"0123456789");
    }
    for rules in [LogRules { max_files: 2, ..LogRules::default() }, LogRules { max_bytes: 25, ..LogRules::default() }] {
        let scan = place.scan(&rules);
        assert_eq!(scan.problems.len(), 2);
        assert_eq!((scan.problems[0].bytes, scan.problems[0].fix.is_some()), (20, true));
        assert!(scan.problems[1].detail.starts_with("3 more"), "{:?}", scan.problems[1]);
    }
}

#[test]
fn a_folder_never_to_enter_is_not_entered() {
    let place = Place::new();
    place.log("logs/trash/old.log", 40, b"old");
    let never_enter = vec![place.path("logs/trash")];
    let rules = LogRules { keep_newest: 0, never_enter, ..LogRules::default() };
    assert!(place.scan(&rules).problems.is_empty());
}

#[test]
fn a_closed_log_is_rotated_and_older_numbers_move_up() {
    let place = Place::new();
    let rules = LogRules { rotate_over_bytes: 1000, older_than_days: 365, ..LogRules::default() };
    let big = b"a line that compresses well\n".repeat(4000);
    let log = place.log("logs/app.log", 1, &big);
    fs::set_permissions(&log, Permissions::from_mode(0o640)).unwrap();
    for number in 1..=9 {
        fs::write(place.path(&format!("logs/app.log.{number}.gz")), format!("number {number}")).unwrap();
    }
    let dated = place.log("logs/web-2024-01-01.log", 1, &big);

    let fixes = place.fix(&place.scan(&rules));
    assert_eq!(fixes.len(), 2, "{fixes:?}");
    for fix in &fixes {
        assert_eq!((fix.kind, &fix.done), (ProblemKind::LargeLog, &FixOutcome::Fixed));
        assert_eq!(fix.before_bytes, big.len() as u64);
        assert!(fix.after_bytes < fix.before_bytes && fix.freed_bytes > 0, "{fix:?}");
    }
    let fresh = log.metadata().unwrap();
    assert_eq!((fresh.len(), fresh.permissions().mode() & 0o777), (0, 0o640));
    assert_eq!(unpack(&place.path("logs/app.log.1.gz")), big);
    for number in 1..=8 {
        let moved = fs::read_to_string(place.path(&format!("logs/app.log.{}.gz", number + 1))).unwrap();
        assert_eq!(moved, format!("number {number}"));
    }
    assert!(!place.path("logs/app.log.10.gz").exists());
    assert_eq!(unpack(&place.trash().join("00001-app.log.9.gz.gz")), b"number 9");
    assert!(!dated.exists());
    assert_eq!(unpack(&place.path("logs/web-2024-01-01.log.gz")), big);
    let left = listing(&place.path("logs")).len();
    assert_eq!(left, 11, "no temporary file stays");
}

/// Whether this file system can cut off the head of a file while others append to it.
#[cfg(target_os = "linux")]
fn loses_nothing(folder: &Path) -> bool {
    let path = folder.join("probe");
    fs::write(&path, vec![0; 1 << 20]).unwrap();
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    let cut = rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::COLLAPSE_RANGE, 0, 1 << 16).is_ok();
    fs::remove_file(path).unwrap();
    cut
}

#[cfg(not(target_os = "linux"))]
fn loses_nothing(_: &Path) -> bool {
    false
}

#[test]
fn a_log_rotated_while_it_is_written_to_keeps_every_byte() {
    let place = Place::new();
    let log = place.path("logs/app.log");
    let mut writer = OpenOptions::new().create(true).append(true).open(&log).unwrap();
    let mut line = 0_u64;
    let mut write = move || {
        writeln!(writer, "line {line}").unwrap();
        line += 1;
        line
    };
    while write() < 100_000 {}
    let rules = LogRules { rotate_over_bytes: 1_000_000, ..LogRules::default() };
    // Where the file system can't cut a head off, what is written in the last microseconds may be lost (the catching up is
    // tested beside its code); there the writer holds the file open and is silent.
    let through = loses_nothing(&place.path("canary"));
    let stop = AtomicBool::new(false);
    let (fixes, lines) = std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            let mut last = 100_000;
            while through && !stop.load(Ordering::Relaxed) {
                last = write();
                std::thread::sleep(std::time::Duration::from_micros(20));
            }
            (write(), last).0
        });
        let fixes = place.fix(&place.scan(&rules));
        stop.store(true, Ordering::Relaxed);
        (fixes, writing.join().unwrap())
    });
    assert!(matches!(&fixes[..], [Fix { done: FixOutcome::Fixed, .. }]), "{fixes:?}");
    let rest = fs::read(&log).unwrap();
    let mut all = unpack(&place.path("logs/app.log.1.gz"));
    assert!(all.len() > 1_000_000);
    all.extend(rest);
    let mut expected = Vec::new();
    for line in 0..lines {
        writeln!(expected, "line {line}").unwrap();
    }
    assert!(all == expected, "{} bytes of {}", all.len(), expected.len());
}

#[test]
fn a_log_written_at_an_own_offset_is_left_to_its_writer() {
    let place = Place::new();
    let log = place.log("logs/app.log", 1, &vec![b'x'; 5000]);
    let _writer = OpenOptions::new().write(true).open(&log).unwrap();
    let rules = LogRules { rotate_over_bytes: 1000, ..LogRules::default() };
    let scan = place.scan(&rules);
    assert!(scan.problems.is_empty());
    assert!(why(&scan, "app.log").contains("own offset"), "{:?}", scan.skipped);
}

#[test]
fn trash_is_purged_by_age_and_size_and_only_ours() {
    let place = Place::new();
    let root = place.path("home/trash");
    for (session, days) in [("a", 40), ("b", 20), ("c", 1)] {
        place.log(&format!("home/trash/{session}/00001-x.gz"), days, &vec![7; 100_000]);
        place.log(&format!("home/trash/{session}/manifest.jsonl"), days, b"{}\n");
    }
    place.log("home/trash/mine/letter.txt", 400, b"not the bot's");
    symlink(place.path("canary"), root.join("link")).unwrap();
    let before = listing(&place.path("canary"));

    let aged = purge_trash(&root, place.now, 30, u64::MAX).unwrap();
    assert_eq!((aged.sessions, aged.failed.len()), (1, 0));
    assert!(!root.join("a").exists() && root.join("b").exists() && aged.freed_bytes >= 100_000);
    let sized = purge_trash(&root, place.now, 30, 150_000).unwrap();
    assert_eq!(sized.sessions, 1);
    assert!(!root.join("b").exists() && root.join("c").exists() && root.join("mine/letter.txt").exists());
    assert_eq!(listing(&place.path("canary")), before);
    assert_eq!(purge_trash(&place.path("nowhere"), place.now, 30, 0).unwrap().sessions, 0);
}
