//! Every day is kept before the night's first build, and can be had back.

use crate::harness::{On, Overnight, Stage, bytes_of, git};
use overnight::domain::build::Outcome;
use overnight::store::kept;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const BUG: &str = "/queue add Fix the labels | 1h | bug";

fn stage() -> Stage {
    Stage::new(On::Phone)
}

fn home(o: &Overnight) -> PathBuf {
    o.stage_folder().join("home")
}

async fn texts(o: &Overnight, sql: &'static str) -> Vec<String> {
    let mut conn = o.engine().store().read().await.unwrap();
    sqlx::query_scalar(sql).fetch_all(&mut *conn).await.unwrap()
}

/// The days kept, as their folders in `OVERNIGHT_HOME` are called.
fn days(o: &Overnight) -> Vec<String> {
    let entries = fs::read_dir(home(o).join("snapshots")).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    names
}

fn day(o: &Overnight, date: &str, file: &str) -> PathBuf {
    home(o).join("snapshots").join(date).join(file)
}

/// The program, as the owner types it.
fn overnight(o: &Overnight, arguments: &[&str]) -> Output {
    let path = std::env::vars().find(|(name, _)| name == "PATH").unwrap().1;
    let mut command = Command::new(env!("CARGO_BIN_EXE_overnight"));
    command.env_clear().env("PATH", path).env("HOME", o.stage_folder()).current_dir(o.stage_folder());
    command.arg("--home").arg(home(o)).arg("--config").arg(o.stage_folder().join("overnight.toml"));
    command.args(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test]
async fn a_night_keeps_the_day_tries_it_and_gives_it_back() {
    let mut o = stage().project("lib").start("2026-03-14 21:58").await;
    let app = o.checkout("app");
    // Work the owner went to bed on; made after the story began, so it is looked at here that it stays.
    fs::write(app.join("idea.txt"), "half an idea\r\n").unwrap();
    fs::write(app.join("README.md"), "# app, changed\n").unwrap();
    let before = bytes_of(&app);
    o.disowns("app");
    o.asks(&format!("{BUG} | app"), "📝 #1").await;
    o.advance_to("07:00").await;
    let brief = o.expect("🌅 1 ready").await;
    assert!(brief.text.contains("Restore drill: OK, 2 vaults"), "{}", brief.text);
    assert_eq!(bytes_of(&app), before, "the owner's checkout was touched");

    assert_eq!(days(&o), ["2026-03-14"]);
    let kept = {
        let mut conn = o.engine().store().read().await.unwrap();
        kept::newest(&mut conn).await.unwrap().unwrap()
    };
    let copy = kept.database.as_ref().unwrap();
    assert_eq!((copy.rows["task"], copy.rows["build"]), (1, 0), "kept before the first build: {:?}", copy.rows);
    assert!(kept.projects.iter().all(|project| project.bundle.is_some() && project.commit.is_some()), "{kept:#?}");
    let health = o.asks("/health", "overnight itself").await;
    assert!(
        health.text.contains("Restore drill: OK, 2 vaults") && health.text.contains("snapshots "),
        "{}",
        health.text
    );
    let list = o.asks("/snapshots", "🗄️ 1 day kept").await;
    assert!(list.text.contains("app: 3 files, vault"), "{}", list.text);

    // Back again: one project, then all of it, then without the vaults; never over what is there.
    let listed = overnight(&o, &["snapshots", "--json"]);
    assert!(said(&listed).contains("\"date\": \"2026-03-14\""), "{}", said(&listed));
    let back = o.stage_folder().join("back");
    let to = back.to_str().unwrap();
    let restored = overnight(&o, &["snapshots", "restore", "2026-03-14", "--project", "app", "--into", to]);
    assert!(restored.status.success(), "{}", said(&restored));
    let without_git = |folder: &Path| {
        let mut files = bytes_of(folder);
        files.retain(|path, _| !path.starts_with(folder.join(".git")));
        files
            .into_iter()
            .map(|(path, bytes)| (path.strip_prefix(folder).unwrap().to_owned(), bytes))
            .collect::<Vec<_>>()
    };
    assert_eq!(without_git(&back), without_git(&app));
    let again = overnight(&o, &["snapshots", "restore", "2026-03-14", "--into", to]);
    assert!(!again.status.success() && said(&again).contains("exists already"), "{}", said(&again));
    let unknown = overnight(&o, &["snapshots", "restore", "2026-03-13", "--into", "new"]);
    assert!(said(&unknown).contains("These days are: 2026-03-14"), "{}", said(&unknown));
    fs::rename(home(&o).join("vaults"), home(&o).join("vaults-lost")).unwrap();
    let all = o.stage_folder().join("all");
    let restored = overnight(&o, &["snapshots", "restore", "2026-03-14", "--into", all.to_str().unwrap()]);
    assert!(restored.status.success(), "{}", said(&restored));
    assert_eq!(without_git(&all.join("app")), without_git(&app));
    assert!(all.join("overnight.sqlite").is_file() && all.join("lib/README.md").is_file());
    assert_eq!(days(&o), ["2026-03-14"], "nothing is left beside the days");
    fs::rename(home(&o).join("vaults-lost"), home(&o).join("vaults")).unwrap();
    o.finish().await;
}

#[tokio::test]
async fn a_week_of_nights_tries_once_and_bundles_what_is_new() {
    let mut o = stage().start("2026-03-15 21:58").await;
    o.advance_to("2026-03-16 07:00").await;
    // Sunday's was the first of its week, Monday's is the first of the next.
    o.advance_to("2026-03-17 07:00").await;
    o.advance_to("2026-03-18 07:00").await;
    let drills: Vec<String> = texts(&o, "SELECT date FROM restore_drill ORDER BY date").await;
    assert_eq!(drills, ["2026-03-15", "2026-03-16"]);
    assert_eq!(days(&o), ["2026-03-15", "2026-03-16", "2026-03-17"]);
    let file = |o: &Overnight, date: &str| day(o, date, "app.bundle").metadata().unwrap().ino();
    assert_eq!(file(&o, "2026-03-15"), file(&o, "2026-03-17"), "nothing changed: the same file under a new name");
    fs::write(o.checkout("app").join("new.txt"), "new\n").unwrap();
    o.disowns("app");
    o.advance_to("2026-03-19 07:00").await;
    assert_ne!(file(&o, "2026-03-17"), file(&o, "2026-03-18"));
    // The twelfth day pushes one out, folder, refs and rows.
    for date in 20..=29 {
        o.advance_to(&format!("2026-03-{date} 07:00")).await;
    }
    let expected = [15, 16, 22, 23, 24, 25, 26, 27, 28].map(|day| format!("2026-03-{day}"));
    assert_eq!(days(&o), expected);
    let vault = home(&o).join("vaults/app.git");
    let refs = git(&vault, &["for-each-ref", "--format=%(refname:lstrip=3)", "refs/overnight/snapshots"]);
    assert_eq!(refs.lines().collect::<Vec<_>>(), expected);
    o.reads_all();
    let kept = texts(&o, "SELECT date FROM snapshot WHERE removed_at IS NULL ORDER BY date").await;
    assert_eq!(kept, expected);
    o.finish().await;
}

#[tokio::test]
async fn what_cannot_be_kept_is_said_and_the_night_goes_on() {
    let mut o = stage().project("lib").start("2026-03-14 21:58").await;
    let (lib, away) = (o.checkout("lib"), o.stage_folder().join("away"));
    fs::rename(&lib, &away).unwrap();
    fs::write(o.checkout("app").join("huge.bin"), vec![0; (100 << 20) + 1]).unwrap();
    o.disowns("app");
    o.asks(&format!("{BUG} | app"), "📝 #1").await;
    o.advance_to("07:00").await;
    let brief = o.expect("🌅 1 ready").await;
    assert!(brief.text.contains("lib: not in today's snapshot"), "{}", brief.text);
    let partial = "app: 1 file or folder is not in its snapshot: huge.bin (too large: 104857601 bytes)";
    assert!(brief.text.contains(partial), "{}", brief.text);
    assert_eq!(o.outcomes(1).await, [Some(Outcome::Verified)]);
    fs::rename(&away, &lib).unwrap();
    // Said once, not every morning.
    o.advance_to("2026-03-16 07:00").await;
    let brief = o.expect("🌅 Nothing was built").await;
    assert!(!brief.text.contains("snapshot"), "{}", brief.text);
    o.finish().await;
}

#[tokio::test]
async fn a_damaged_backup_is_an_alarm_in_the_brief() {
    for (file, says) in
        [("app.bundle", "app: its bundle is not the file"), ("overnight.sqlite", "the database's copy is not")]
    {
        let mut o = stage().start("2026-03-15 21:58").await;
        o.advance_to("2026-03-16 07:00").await;
        o.reads_all();
        let path = day(&o, "2026-03-15", file);
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0xff;
        fs::write(&path, &bytes).unwrap();
        // The next night, the first of its week, finds nothing to keep and only tries.
        let mut tx = o.engine().store().begin().await.unwrap();
        let kept_already =
            "CREATE TRIGGER kept AFTER INSERT ON session BEGIN UPDATE session SET snapshot_done = 1; END";
        sqlx::raw_sql(kept_already).execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
        o.advance_to("2026-03-17 07:00").await;
        let brief = o.expect("🌅 Nothing was built · 1 needs you").await;
        let alarm = format!("🚨 Restore drill: what is kept could not be restored: {says}");
        assert!(brief.text.contains(&alarm), "{}", brief.text);
        assert_eq!(texts(&o, "SELECT severity || ' ' || kind FROM problem").await, ["critical restore_failed"]);
        let health = o.asks("/health", "overnight itself").await;
        assert!(health.text.contains("Restore drill: FAILED"), "{}", health.text);
        assert_eq!(days(&o), ["2026-03-15"], "the temporary folder is gone");
        o.finish().await;
    }
}

#[tokio::test]
async fn old_logs_and_differences_go_and_those_of_open_builds_stay() {
    let mut o = stage().start("2026-03-14 21:58").await;
    o.asks(&format!("{BUG} | details: agent_waits"), "📝 #1").await;
    o.advance_to("23:30").await;
    let long_ago = std::time::SystemTime::from(o.now() - chrono::TimeDelta::days(91));
    let write = |name: &str, old: bool| {
        let path = home(&o).join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let file = fs::OpenOptions::new().append(true).create(true).open(&path).unwrap();
        if old {
            file.set_modified(long_ago).unwrap();
        }
        path
    };
    let gone = ["logs/subagent_99.log", "logs/subagent_98.2.log", "logs/check_7_verify.log", "diffs/t3.html"]
        .map(|name| write(name, true));
    let stays = [
        write("logs/subagent_97.log", false),
        write("logs/subagent_1.log", true),
        write("logs/owners-notes.log", true),
        write("diffs/t4.html", false),
        write("reports/2025-01-01.json", true),
    ];
    o.asks("/queue add Fix the names | 1h | bug", "#2 Fix the names").await;
    o.advance_to("2026-03-15 07:00").await;
    o.releases(1).await;
    o.reads_all();
    let there = |paths: &[PathBuf]| paths.iter().filter(|path| path.exists()).cloned().collect::<Vec<_>>();
    assert_eq!(there(&gone), Vec::<PathBuf>::new());
    assert_eq!(there(&stays), stays);
    o.finish().await;
}
