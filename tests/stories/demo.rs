//! The demo lives a night, and its brief is right: checked against the repositories, files and processes it left behind,
//! not against its own words alone.

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const BINARY: &str = env!("CARGO_BIN_EXE_overnight");

struct Demo {
    _outer: tempfile::TempDir,
    folder: PathBuf,
}

impl Demo {
    fn new() -> Self {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("demo");
        Self { folder, _outer: outer }
    }

    fn start(&self) -> Child {
        let mut command = Command::new(BINARY);
        // Slowly: other stories keep the machine busy, and the night needs room for its builds.
        command
            .args(["demo", "--slower", "4", "--folder"])
            .arg(&self.folder)
            .env("TZ", "Europe/Berlin")
            .stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn git(&self, repository: &str, arguments: &[&str]) -> String {
        let output = Command::new("git").arg("-C").arg(self.folder.join(repository)).args(arguments).output().unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Command lines that name the demo's folder and this word.
    fn processes(&self, word: &str) -> Vec<String> {
        let folder = self.folder.to_str().unwrap();
        let Ok(entries) = fs::read_dir("/proc") else { return vec![] };
        entries
            .flatten()
            .filter_map(|entry| {
                // What is held on a leash shows its command line and not its environment.
                let line = String::from_utf8_lossy(&fs::read(entry.path().join("cmdline")).ok()?).replace('\0', " ");
                (line.contains(folder) && line.contains(word)).then_some(line)
            })
            .collect()
    }
}

fn finish(child: Child) -> (Output, String) {
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    (output, text)
}

fn task<'a>(report: &'a Value, title: &str) -> &'a Value {
    let tasks = report["tasks"].as_array().unwrap();
    tasks
        .iter()
        .find(|task| task["title"] == title)
        .unwrap_or_else(|| panic!("{title} is not in the report: {report:#}"))
}

fn report(demo: &Demo) -> Value {
    let files = fs::read_dir(demo.folder.join("home/reports")).unwrap().flatten().map(|file| file.path());
    let (pictures, reports): (Vec<_>, Vec<_>) = files.partition(|path| path.extension().is_some_and(|e| e == "png"));
    assert_eq!((reports.len(), pictures.len()), (1, 1), "one report and its picture");
    serde_json::from_slice(&fs::read(&reports[0]).unwrap()).unwrap()
}

#[test]
fn the_brief_says_what_really_happened() {
    let demo = Demo::new();
    let (output, text) = finish(demo.start());
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    let report = report(&demo);
    let brief = text.split("🌅").nth(1).expect("a brief");
    faster_search(&demo, &report, brief);
    documented_api(&demo, &report, brief);
    failed_rounding(&demo, &report, brief);
    retried_week(&demo, &report, brief);
    dashboard_and_mail(&demo, &report, brief);
    fixed_machine(&demo, &report, brief);
    for project in ["reports", "fitness"] {
        assert_eq!(demo.git(project, &["rev-list", "--count", "--all"]).trim(), "1", "{project} was committed to");
        assert_eq!(demo.git(project, &["status", "--porcelain", "--ignored"]), "", "{project} was touched");
    }
    assert!(report["throttle_events"].as_array().unwrap().iter().any(|e| e["reason"].to_string().contains("memory")));
    assert!(brief.contains("10 % of memory available"));
    assert_eq!(demo.processes(""), Vec::<String>::new());
}

fn faster_search(demo: &Demo, report: &Value, brief: &str) {
    let task = task(report, "Make the duplicate search faster");
    assert_eq!(task["outcome"], "verified");
    let commit = task["commit"].as_str().unwrap();
    let code = demo.git("home/vaults/reports.git", &["show", &format!("{commit}:src/lib.rs")]);
    assert!(code.contains("HashMap"), "{code}");
    let trailers = demo.git("home/vaults/reports.git", &["show", "-s", "--format=%(trailers)", commit]);
    assert!(trailers.contains("Overnight-Task: 1") && trailers.contains("Overnight-Session: overnight_"), "{trailers}");
    let (before, after) = (measure(demo, &format!("{commit}^")), measure(demo, commit));
    assert!(before > after * 2.0, "the test's own measure: {before} ms before, {after} ms after");
    assert!(brief.contains("× faster"), "{brief}");
}

/// Measures a commit of the reports project as the test's own doing.
fn measure(demo: &Demo, commit: &str) -> f64 {
    let checkout = checkout(demo, "reports", commit);
    let output = script(checkout.path(), "measure.sh");
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

fn checkout(demo: &Demo, project: &str, commit: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let vault = demo.folder.join(format!("home/vaults/{project}.git"));
    let index = folder.path().join("index");
    let done = Command::new("git")
        .arg(format!("--git-dir={}", vault.display()))
        .arg(format!("--work-tree={}", folder.path().display()))
        .args(["checkout", "-q", "-f", commit, "--", "."])
        .env("GIT_INDEX_FILE", &index)
        .status();
    assert!(done.unwrap().success());
    folder
}

fn script(folder: &Path, name: &str) -> Output {
    Command::new("sh").arg(name).current_dir(folder).env("TMPDIR", folder).output().unwrap()
}

fn documented_api(demo: &Demo, report: &Value, brief: &str) {
    let task = task(report, "Document the fitness API");
    assert_eq!((&task["outcome"], &task["documentation_touched"]), (&"verified".into(), &true.into()));
    let commit = task["commit"].as_str().unwrap();
    let docs = demo.git("home/vaults/fitness.git", &["show", &format!("{commit}:docs/API.md")]);
    assert!(docs.contains("weekly_average"));
    assert!(brief.contains("Documentation updated"));
}

fn failed_rounding(demo: &Demo, report: &Value, brief: &str) {
    let task = task(report, "Round weekly averages up");
    assert_eq!(task["outcome"], "tests_failed");
    let commit = task["commit"].as_str().unwrap();
    let checked = script(checkout(demo, "fitness", commit).path(), "check.sh");
    assert!(!checked.status.success(), "the brief says it fails, and it does");
    let (_, failed) = brief.split_once("❌ Failed").expect("a section of its own");
    assert!(failed.contains("Round weekly averages up") && failed.contains("average_is_rounded_down"), "{failed}");
    assert!(!brief.contains("ready to ship!"), "the agent's claim is not repeated as a fact");
    let (shipped, _) = brief.split_once("❌ Failed").unwrap();
    assert!(!shipped.contains("Round weekly averages up"));
}

fn retried_week(demo: &Demo, report: &Value, brief: &str) {
    let task = task(report, "Handle a week without workouts");
    assert_eq!((&task["outcome"], &task["attempts"]), (&"verified".into(), &2.into()), "{task:#}\n{brief}");
    let commit = task["commit"].as_str().unwrap();
    assert!(script(checkout(demo, "fitness", commit).path(), "check.sh").status.success());
    assert!(brief.contains("Handle a week without workouts"));
}

fn dashboard_and_mail(demo: &Demo, report: &Value, brief: &str) {
    let dashboard = task(report, "Build the workout dashboard");
    assert!(brief.contains("Build the workout dashboard"));
    assert_eq!(dashboard["category"], "new_feature");
    let tasks = report["tasks"].as_array().unwrap();
    let mail = "Email the weekly report to all customers";
    assert!(tasks.iter().all(|task| task["title"] != mail), "a locked task was built");
    assert!(report["approvals_waiting"].to_string().contains(mail));
    let (_, needs) = brief.split_once("🔒 Needs you").expect("a section of its own");
    assert!(needs.contains("Email the weekly report") && needs.contains("Approve"));
    let refs = demo.git("home/vaults/reports.git", &["for-each-ref", "--format=%(refname)", "refs/overnight"]);
    assert!(!refs.contains("/t6/"), "{refs}");
}

fn fixed_machine(demo: &Demo, report: &Value, brief: &str) {
    assert_eq!(report["problems_fixed"], 3);
    let logs: Vec<String> = fs::read_dir(demo.folder.join("logs"))
        .unwrap()
        .flatten()
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    assert!(logs.iter().all(|name| !name.starts_with("web-")), "old logs are gone: {logs:?}");
    for kept in ["web.log", "mail.log", "cron.log", "worker.log"] {
        assert!(logs.iter().any(|name| name == kept), "{kept} is missing: {logs:?}");
    }
    assert_eq!(fs::metadata(demo.folder.join("logs/worker.log")).unwrap().len(), 0, "rotated");
    assert!(logs.iter().any(|name| name.starts_with("worker.log.1")), "{logs:?}");
    let database = fs::metadata(demo.folder.join("fitness.db")).unwrap().len();
    assert!(database < 3_000_000, "fitness.db has {database} bytes");
    assert!(brief.contains("of old logs") && brief.contains("Optimized fitness.db"), "{brief}");
}

#[test]
fn ctrl_c_leaves_nothing_running() {
    let demo = Demo::new();
    let child = demo.start();
    let deadline = Instant::now() + Duration::from_mins(1);
    while demo.processes("agent.sh").is_empty() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(!demo.processes("agent.sh").is_empty(), "no build began");
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let (output, text) = finish(child);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("Nothing is left running"), "{text}");
    assert_eq!(demo.processes(""), Vec::<String>::new());
}
