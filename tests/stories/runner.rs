//! A command runs under its supervisor: it ends, is ended, or is lost, and nothing of it stays behind.
#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use overnight::runner::{End, LocalRunner, RunEnd, RunSpec, RunnerError, Seen, last_lines, read_new};
use rustix::process::{Pid, Signal, kill_process};

const EXE: &str = env!("CARGO_BIN_EXE_overnight");
/// Generous: two cores may be shared by many tests.
const PATIENCE: Duration = Duration::from_mins(1);

/// A run in a directory of its own. Ends everything it started when dropped.
struct Stage {
    dir: tempfile::TempDir,
    runner: LocalRunner,
    spec: RunSpec,
}

impl Stage {
    fn new(argv: &[&str]) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let dir = tempfile::tempdir().unwrap();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let spec = RunSpec {
            run_id: format!("story-{}-{number}", std::process::id()),
            argv: argv.iter().map(|a| (*a).to_owned()).collect(),
            cwd: dir.path().to_owned(),
            env: BTreeMap::from([("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned())]),
            stdin: None,
            log_path: dir.path().join("log"),
            stderr_path: None,
            log_head_bytes: 64 * 1024,
            log_tail_bytes: 64 * 1024,
            timeout_secs: 600.0,
            silence_secs: None,
            grace_secs: 30.0,
            leash: None,
        };
        Self { dir, runner: LocalRunner::new(EXE.into()), spec }
    }

    fn sh(script: &str) -> Self {
        Self::new(&["sh", "-c", script])
    }

    fn run_dir(&self) -> PathBuf {
        self.dir.path().join("run")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn launch(&self) {
        self.runner.launch(&self.run_dir(), &self.spec).unwrap();
        assert_ne!(self.seen(), Seen::Absent);
    }

    fn seen(&self) -> Seen {
        self.runner.observe(&self.run_dir()).unwrap()
    }

    fn wait_end(&self) -> RunEnd {
        let mut end = None;
        wait_for("the end", || {
            match self.seen() {
                Seen::Ended(seen) => end = Some(seen),
                Seen::Running => {}
                other => panic!("{other:?}"),
            }
            end.is_some()
        });
        assert_eq!(self.marked(), [] as [Pid; 0], "a process of the run is left");
        end.unwrap()
    }

    fn run(&self) -> RunEnd {
        self.launch();
        self.wait_end()
    }

    fn stop(&self) -> RunEnd {
        self.runner.stop(&self.run_dir(), "the owner said so").unwrap();
        self.wait_end()
    }

    fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.spec.log_path).unwrap()).into_owned()
    }

    fn wait_log(&self, text: &str) {
        wait_for(text, || fs::read(&self.spec.log_path).is_ok_and(|l| contains(&l, text.as_bytes())));
    }

    /// Living processes that carry this run's marker.
    fn marked(&self) -> Vec<Pid> {
        let marker = format!("OVERNIGHT_RUN={}", self.spec.run_id);
        processes().filter(|p| environ_has(p, &marker)).filter_map(|p| pid_of(&p)).collect()
    }

    fn supervisor(&self) -> Pid {
        let started = fs::read(self.run_dir().join("started.json")).unwrap();
        let started: serde_json::Value = serde_json::from_slice(&started).unwrap();
        let pid = i32::try_from(started["supervisor_pid"].as_i64().unwrap()).unwrap();
        Pid::from_raw(pid).unwrap()
    }

    /// Kills the supervisor as a crash would, and waits until its lock is free.
    fn lose_supervisor(&self) {
        kill_process(self.supervisor(), Signal::KILL).unwrap();
        wait_for("the lock", || self.seen() == Seen::Lost);
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if !self.run_dir().exists() {
            return;
        }
        // After a failed assertion the tree must not outlive the test.
        let _ = self.runner.stop(&self.run_dir(), "test over");
        let since = Instant::now();
        while matches!(self.runner.observe(&self.run_dir()), Ok(Seen::Running)) && since.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.runner.sweep_lost(&self.run_dir());
    }
}

fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let since = Instant::now();
    while !done() {
        assert!(since.elapsed() < PATIENCE, "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

fn processes() -> impl Iterator<Item = PathBuf> {
    fs::read_dir("/proc").unwrap().flatten().map(|e| e.path()).filter(|p| pid_of(p).is_some())
}

fn pid_of(proc: &Path) -> Option<Pid> {
    Pid::from_raw(proc.file_name()?.to_str()?.parse().ok()?)
}

fn environ_has(proc: &Path, entry: &str) -> bool {
    fs::read(proc.join("environ")).is_ok_and(|env| env.split(|b| *b == 0).any(|e| e == entry.as_bytes()))
}

#[test]
fn a_command_succeeds_and_its_output_is_kept() {
    let stage = Stage::sh("echo out; echo err >&2");
    let end = stage.run();
    assert!(end.success(), "{end:?}");
    assert_eq!((end.leftovers, end.log_bytes_total, end.log_bytes_dropped), (0, 8, 0));
    assert_eq!(stage.log(), "out\nerr\n");
    assert_eq!(end.error, None);
}

#[test]
fn an_exit_code_is_told() {
    let end = Stage::sh("exit 37").run();
    assert_eq!((end.end, end.code, end.signal), (End::Exited, Some(37), None));
    assert!(!end.success());
}

#[test]
fn a_foreign_signal_is_told() {
    let end = Stage::sh("kill -SEGV $$").run();
    assert_eq!((end.end, end.code, end.signal), (End::Signaled, None, Some(11)));
}

#[test]
fn a_missing_program_is_named() {
    let stage = Stage::new(&["no-such-agent", "--help"]);
    let end = stage.run();
    assert_eq!(end.end, End::NotStarted);
    let error = end.error.unwrap();
    assert!(error.contains("no-such-agent") && error.contains(stage.spec.cwd.to_str().unwrap()), "{error}");
}

#[test]
fn a_missing_directory_is_named() {
    let mut stage = Stage::sh("true");
    stage.spec.cwd = stage.path("gone");
    let end = stage.run();
    assert_eq!(end.end, End::NotStarted);
    assert!(end.error.unwrap().contains(stage.spec.cwd.to_str().unwrap()));
}

#[test]
fn a_missing_input_file_is_named() {
    let mut stage = Stage::sh("true");
    stage.spec.stdin = Some(stage.path("prompt"));
    let end = stage.run();
    assert_eq!(end.end, End::NotStarted);
    assert!(end.error.unwrap().contains("prompt"));
}

#[test]
fn a_senseless_spec_is_refused_before_anything_is_written() {
    let mut stage = Stage::sh("true");
    stage.spec.timeout_secs = f64::NAN;
    let refused = stage.runner.launch(&stage.run_dir(), &stage.spec);
    assert!(matches!(refused, Err(RunnerError::InvalidSpec(_))), "{refused:?}");
    assert!(!stage.run_dir().exists());
}

#[test]
fn a_supervisor_that_does_not_come_up_is_an_error_and_may_be_launched_again() {
    let stage = Stage::sh("true");
    let broken = LocalRunner::new("/bin/false".into());
    let refused = broken.launch(&stage.run_dir(), &stage.spec);
    assert!(matches!(refused, Err(RunnerError::NotLaunched { .. })), "{refused:?}");
    assert_eq!(stage.seen(), Seen::Absent);
    assert!(stage.run().success());
}

#[test]
fn input_comes_from_the_file_or_is_empty() {
    let mut stage = Stage::new(&["cat"]);
    stage.spec.stdin = Some(stage.path("prompt"));
    fs::write(stage.path("prompt"), "build it\n").unwrap();
    assert!(stage.run().success());
    assert_eq!(stage.log(), "build it\n");

    let stage = Stage::new(&["cat"]);
    assert!(stage.run().success());
    assert_eq!(stage.log(), "");
}

#[test]
fn the_environment_is_only_what_was_given() {
    let mut stage = Stage::new(&["/usr/bin/env"]);
    stage.spec.env.insert("TOKEN".into(), "s3cret".into());
    assert!(stage.run().success());
    let log = stage.log();
    let mut lines: Vec<&str> = log.lines().collect();
    lines.sort_unstable();
    let marker = format!("OVERNIGHT_RUN={}", stage.spec.run_id);
    assert_eq!(lines, [&marker[..], "PATH=/usr/local/bin:/usr/bin:/bin", "TOKEN=s3cret"]);
}

#[test]
fn a_command_finds_no_secret_in_the_run_directory_or_its_supervisor() {
    let mut stage = Stage::sh("cat run/*.json; cat /proc/$PPID/environ; echo done");
    stage.spec.env.insert("TOKEN".into(), "s3cret".into());
    assert!(stage.run().success());
    let log = stage.log();
    assert!(log.contains("\"TOKEN\": \"\"") && log.ends_with("}done\n"), "{log}");
    assert!(!log.contains("s3cret"), "{log}");
}

#[test]
fn paths_that_are_not_utf8_work() {
    let mut stage = Stage::sh("echo here; pwd");
    let odd = stage.dir.path().join(PathBuf::from(std::ffi::OsString::from_vec(b"b\xff d".to_vec())));
    fs::create_dir(&odd).unwrap();
    stage.spec.cwd.clone_from(&odd);
    stage.spec.log_path = odd.join("log");
    let run_dir = odd.join("run");
    stage.runner.launch(&run_dir, &stage.spec).unwrap();
    wait_for("the end", || matches!(stage.runner.observe(&run_dir).unwrap(), Seen::Ended(_)));
    assert!(contains(&fs::read(&stage.spec.log_path).unwrap(), b"b\xff d\n"));
}

#[test]
fn a_stop_asks_first() {
    let stage = Stage::sh("trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.05; done");
    stage.launch();
    stage.wait_log("ready");
    assert_eq!(stage.seen(), Seen::Running);
    let end = stage.stop();
    assert_eq!((end.end, end.code), (End::Stopped, Some(3)));
    assert_eq!(end.stop_reason.as_deref(), Some("the owner said so"));
    // A shell may also say that its `sleep` was terminated.
    assert!(stage.log().ends_with("bye\n"), "{}", stage.log());
}

#[test]
fn a_command_that_ignores_sigterm_is_killed() {
    let mut stage = Stage::sh("trap '' TERM; echo ready; while :; do sleep 0.05; done");
    stage.spec.grace_secs = 0.3;
    stage.launch();
    stage.wait_log("ready");
    let end = stage.stop();
    assert_eq!((end.end, end.signal), (End::Stopped, Some(9)));
    assert!(end.started_elapsed_ms >= 300, "{end:?}");
}

#[test]
fn a_stopped_process_is_woken_to_hear_of_its_end() {
    let stage = Stage::sh("trap 'echo bye; exit 0' TERM; echo ready; kill -STOP $$; sleep 600");
    stage.launch();
    stage.wait_log("ready");
    assert_eq!(stage.stop().end, End::Stopped);
    assert!(stage.log().contains("bye"));
}

#[test]
fn the_timeout_ends_the_command() {
    let mut stage = Stage::sh("echo begun; sleep 600");
    stage.spec.timeout_secs = 0.5;
    let end = stage.run();
    assert_eq!((end.end, end.signal), (End::TimedOut, Some(15)));
    assert!(end.started_elapsed_ms >= 500, "{end:?}");
    assert_eq!(stage.log(), "begun\n");
}

#[test]
fn sigterm_to_the_supervisor_is_a_stop() {
    let stage = Stage::sh("echo ready; sleep 600");
    stage.launch();
    stage.wait_log("ready");
    kill_process(stage.supervisor(), Signal::TERM).unwrap();
    let end = stage.wait_end();
    assert_eq!((end.end, end.stop_reason.as_deref()), (End::Stopped, Some("terminated")));
}

#[test]
fn a_run_stopped_before_its_launch_does_not_execute() {
    let stage = Stage::sh("touch ran");
    stage.runner.stop(&stage.run_dir(), "too late in the night").unwrap();
    assert_eq!(stage.seen(), Seen::Absent);
    assert_eq!(stage.run().end, End::Stopped);
    assert!(!stage.path("ran").exists());
}

/// A daemon as they are made: a new session, the parent gone, standard output inherited so that the pipe has no end.
const DAEMON: &str = "(setsid sh -c '(trap \"\" TERM HUP; echo daemon; while :; do sleep 0.05; done) &' &); ";

#[test]
fn a_daemon_does_not_outlive_a_finished_command() {
    let script = format!("{DAEMON} while ! grep -q daemon log; do sleep 0.02; done; echo end");
    let stage = Stage::sh(&script);
    let end = stage.run();
    assert_eq!((end.end, end.code), (End::Exited, Some(0)));
    // The loop, and perhaps its `sleep`.
    assert!((1..=2).contains(&end.leftovers), "{end:?}");
    assert_eq!(stage.log(), "daemon\nend\n");
}

#[test]
fn a_daemon_does_not_outlive_a_stop() {
    let mut stage = Stage::sh(&format!("{DAEMON} echo ready; sleep 600"));
    stage.spec.grace_secs = 0.3;
    stage.launch();
    stage.wait_log("daemon");
    stage.wait_log("ready");
    let end = stage.stop();
    assert_eq!(end.end, End::Stopped);
    assert!(end.leftovers >= 1, "{end:?}");
}

#[test]
fn leftovers_are_counted() {
    let end = Stage::sh("sleep 600 & sleep 600 & (sleep 600 &) ; exit 5").run();
    assert_eq!((end.end, end.code, end.leftovers), (End::Exited, Some(5), 3));
}

#[test]
fn orphans_that_ended_are_reaped_while_the_command_runs() {
    let stage = Stage::sh("for i in 1 2 3 4 5; do (sh -c 'sleep 0.01 &' &); done; echo ready; sleep 600");
    stage.launch();
    stage.wait_log("ready");
    let supervisor = stage.supervisor().to_string();
    let children = || {
        processes()
            .filter_map(|p| fs::read_to_string(p.join("status")).ok())
            .filter(|s| s.lines().any(|l| l.strip_prefix("PPid:").is_some_and(|p| p.trim() == supervisor)))
            .count()
    };
    wait_for("only the command below the supervisor", || children() == 1);
    stage.stop();
}

#[test]
fn output_held_open_by_a_stranger_does_not_hold_the_end() {
    // The test's own process takes the write end through /proc: it is in no tree of the run.
    let stage = Stage::sh("echo ready; while [ ! -e go ]; do sleep 0.02; done");
    stage.launch();
    stage.wait_log("ready");
    let command = stage.marked()[0];
    let held = fs::OpenOptions::new().write(true).open(format!("/proc/{command}/fd/1")).unwrap();
    fs::write(stage.path("go"), "").unwrap();
    assert!(stage.wait_end().success());
    drop(held);
}

#[test]
fn a_fork_bomb_is_gone_after_a_stop() {
    // At most 200 at a time, each ignoring SIGTERM and replacing itself for ever, every tenth in its own session.
    let bomb = "trap '' TERM
        bomb() { trap '' TERM; while :; do sh -c 'exit 0'; (:) & wait; done; }
        i=0; while [ $i -lt 100 ]; do i=$((i+1))
            if [ $((i % 10)) = 0 ]; then setsid sh -c \"trap '' TERM; while :; do (:); done\" & else bomb & fi
        done; echo ready; wait";
    let mut stage = Stage::sh(bomb);
    stage.spec.grace_secs = 0.2;
    stage.launch();
    stage.wait_log("ready");
    let end = stage.stop();
    assert_eq!((end.end, end.error), (End::Stopped, None));
    assert!(end.leftovers >= 100, "{}", end.leftovers);
}

#[test]
fn a_lost_run_is_seen_swept_and_never_executed_again() {
    let script = format!("{DAEMON} echo run >> ran; echo ready; while :; do sleep 0.1; done");
    let stage = Stage::sh(&script);
    stage.launch();
    stage.wait_log("daemon");
    stage.wait_log("ready");
    assert!(matches!(stage.runner.sweep_lost(&stage.run_dir()), Err(RunnerError::Alive(_))));
    stage.lose_supervisor();
    assert!(!stage.marked().is_empty());

    let end = stage.runner.sweep_lost(&stage.run_dir()).unwrap();
    assert_eq!(end.end, End::Lost);
    assert!(end.leftovers >= 2, "{end:?}");
    assert_eq!(stage.marked(), []);
    assert_eq!(stage.seen(), Seen::Ended(end.clone()));
    assert_eq!(stage.runner.sweep_lost(&stage.run_dir()).unwrap(), end);
    stage.launch();
    assert_eq!(stage.wait_end(), end);
    assert_eq!(fs::read_to_string(stage.path("ran")).unwrap(), "run\n");
}

#[test]
fn launching_a_lost_run_settles_it() {
    let stage = Stage::sh("echo run >> ran; echo ready; sleep 600");
    stage.launch();
    stage.wait_log("ready");
    stage.lose_supervisor();
    stage.launch();
    let end = stage.wait_end();
    assert_eq!((end.end, end.log_bytes_total), (End::Lost, 6));
    assert_eq!(fs::read_to_string(stage.path("ran")).unwrap(), "run\n");
}

#[test]
fn a_sweep_leaves_other_runs_alone() {
    let (lost, alive) = (Stage::sh("echo ready; sleep 600"), Stage::sh("echo ready; sleep 600"));
    for stage in [&lost, &alive] {
        stage.launch();
        stage.wait_log("ready");
    }
    lost.lose_supervisor();
    lost.runner.sweep_lost(&lost.run_dir()).unwrap();
    assert_eq!(alive.seen(), Seen::Running);
    assert!(!alive.marked().is_empty());
    assert_eq!(alive.stop().signal, Some(15));
}

#[test]
fn launches_at_once_execute_once() {
    let stage = Stage::sh("echo run >> ran; sleep 0.3");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| stage.launch());
        }
    });
    assert!(stage.wait_end().success());
    stage.launch();
    assert!(stage.wait_end().success());
    assert_eq!(fs::read_to_string(stage.path("ran")).unwrap(), "run\n");
    assert!(!fs::read_to_string(stage.run_dir().join("spec.json")).unwrap().contains("/usr/bin"));
}

#[test]
fn supervisors_at_once_execute_once() {
    let stage = Stage::sh("echo run >> ran; while [ ! -e go ]; do sleep 0.02; done");
    stage.launch();
    let second = Command::new(EXE).arg("supervise").arg(stage.run_dir()).status().unwrap();
    assert!(second.success());
    assert_eq!(stage.seen(), Seen::Running);
    fs::write(stage.path("go"), "").unwrap();
    assert!(stage.wait_end().success());
    let third = Command::new(EXE).arg("supervise").arg(stage.run_dir()).status().unwrap();
    assert!(third.success());
    assert_eq!(fs::read_to_string(stage.path("ran")).unwrap(), "run\n");
}

#[test]
fn a_run_outlives_the_process_that_launched_it() {
    let stage = Stage::sh("echo ready; while [ ! -e go ]; do sleep 0.02; done; echo end");
    fs::create_dir(stage.run_dir()).unwrap();
    fs::write(stage.run_dir().join("spec.json"), serde_json::to_vec(&stage.spec).unwrap()).unwrap();
    // The launching process is a shell in a group of its own, so that it can be killed without the test.
    let mut launcher = Command::new("sh")
        .args(["-c", "\"$0\" supervise \"$1\" & wait", EXE])
        .arg(stage.run_dir())
        .stdin(Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap();
    stage.wait_log("ready");
    let group = Pid::from_raw(i32::try_from(launcher.id()).unwrap()).unwrap();
    rustix::process::kill_process_group(group, Signal::KILL).unwrap();
    launcher.wait().unwrap();
    assert_eq!(stage.seen(), Seen::Running);
    fs::write(stage.path("go"), "").unwrap();
    assert!(stage.wait_end().success());
    assert_eq!(stage.log(), "ready\nend\n");
}

#[tokio::test]
async fn the_end_can_be_awaited_and_the_wait_dropped() {
    let stage = Stage::sh("while [ ! -e go ]; do sleep 0.02; done");
    stage.launch();
    let dir = stage.run_dir();
    let waited = tokio::time::timeout(Duration::from_millis(100), stage.runner.ended(&dir)).await;
    assert!(waited.is_err(), "it runs still");
    fs::write(stage.path("go"), "").unwrap();
    tokio::time::timeout(PATIENCE, stage.runner.ended(&dir)).await.unwrap();
    assert!(matches!(stage.seen(), Seen::Ended(end) if end.success()));
}

#[tokio::test]
async fn waiting_ends_when_the_run_is_lost() {
    let stage = Stage::sh("echo ready; sleep 600");
    stage.launch();
    stage.wait_log("ready");
    kill_process(stage.supervisor(), Signal::KILL).unwrap();
    tokio::time::timeout(PATIENCE, stage.runner.ended(&stage.run_dir())).await.unwrap();
    assert_eq!(stage.seen(), Seen::Lost);
}

#[test]
fn a_flood_is_bounded_on_disk_and_in_memory() {
    let mut stage =
        Stage::sh("echo first; head -c 200000000 /dev/zero | tr '\\0' x; echo; echo last; touch done; exec sleep 600");
    (stage.spec.log_head_bytes, stage.spec.log_tail_bytes) = (1 << 20, 1 << 20);
    stage.launch();
    let on_disk = || -> u64 {
        let files = fs::read_dir(stage.dir.path()).unwrap().flatten();
        let logs = files.filter(|e| e.file_name().to_string_lossy().starts_with("log"));
        logs.filter_map(|e| e.metadata().ok()).map(|m| m.len()).sum()
    };
    wait_for("the flood's end", || {
        assert!(on_disk() <= 3 << 20, "{} bytes", on_disk());
        stage.path("done").exists()
    });
    // While it runs the newest lines are found in the tail.
    wait_for("the last line", || last_lines(&stage.spec.log_path, 1).unwrap() == ["last"]);
    let status = fs::read_to_string(format!("/proc/{}/status", stage.supervisor())).unwrap();
    let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak < 64 * 1024, "{peak} kB resident");

    let end = stage.stop();
    assert_eq!(end.log_bytes_total, 200_000_012);
    assert_eq!(end.log_bytes_dropped, 200_000_012 - (2 << 20));
    let log = stage.log();
    assert!(log.starts_with("first\nxxx") && log.ends_with("xxx\nlast\n"));
    assert!(log.contains(&format!("\n… {} bytes left out …\n", end.log_bytes_dropped)));
    assert!(on_disk() < (2 << 20) + 1024);
}

#[test]
fn lines_are_followed_while_the_command_writes() {
    let mut stage = Stage::sh("i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo line $i; done");
    (stage.spec.log_head_bytes, stage.spec.log_tail_bytes) = (1000, 1 << 20);
    stage.launch();
    let (mut got, mut at) = (Vec::new(), 0);
    wait_for("all lines", || {
        let (bytes, next) = read_new(&stage.spec.log_path, at).unwrap();
        got.extend(bytes);
        at = next;
        contains(&got, b"line 3000\n")
    });
    let wanted: Vec<String> = (1..=3000).map(|i| format!("line {i}\n")).collect();
    assert_eq!(String::from_utf8(got).unwrap(), wanted.concat());
    stage.wait_end();
}
