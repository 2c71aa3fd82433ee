//! What a hostile command does with processes, memory and output.

use super::stage::{Stage, each, groups_are_writable};
use overnight::runner::End;
use overnight::runner::leash::{Bound, Mechanisms};
use std::fs;
use std::process::{Command, Stdio};

#[test]
fn a_daemon_that_left_its_session_is_ended_and_counted() {
    each(|mode, stage| {
        let end = stage.run(
            "setsid sh -c 'setsid sh -c \"echo > there; while :; do sleep 1; done\" & exit' &
             while ! [ -s there ]; do sleep 0.02; done; exit 5",
        );
        assert_eq!((end.end, end.code), (End::Exited, Some(5)), "{end:?}");
        assert!(end.leftovers >= 1, "{mode:?}: {end:?}");
        stage.nothing_is_left();
    });
}

#[test]
fn a_clean_command_leaves_nothing_and_none_is_counted() {
    each(|mode, stage| {
        let end = stage.run("sleep 0.05 & exit 0");
        assert_eq!((end.end, end.leftovers), (End::Exited, 0), "{mode:?}: {end:?}");
    });
}

/// Bounded by itself to 400 processes, for the modes in which nothing else bounds it.
const FORKS: &str = "
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
made = 0
for i in range(400):
    try:
        if os.fork() == 0:
            time.sleep(600)
            os._exit(0)
        made += 1
    except OSError:
        break
print('made', made, flush=True)
time.sleep(600)
";

#[test]
fn forking_without_end_meets_a_limit_or_is_said_to_have_none() {
    each(|mode, stage| {
        stage.spec.grace_secs = 0.2;
        stage.leash.processes = Some(64);
        stage.launch_argv(&["python3", "-c", FORKS]);
        stage.wait_log("made");
        let log = stage.log();
        let made: u32 = log.trim().strip_prefix("made ").unwrap().parse().unwrap();
        let end = stage.stop();
        let held = end.held.unwrap();
        match held.processes {
            Bound::CgroupV1 | Bound::CgroupV2 => assert!(made < 64, "{made} with {mode:?}"),
            // The limit has room for the guard's own threads.
            Bound::Rlimit => assert!(made < 64 + 300, "{made} with {mode:?}"),
            Bound::None => assert!(held.gaps.iter().any(|gap| gap.contains("number of processes")), "{held:?}"),
        }
        assert!(end.leftovers >= u64::from(made), "{} of {made} with {mode:?}", end.leftovers);
        stage.nothing_is_left();
    });
}

#[test]
fn a_memory_hog_meets_a_limit() {
    each(|mode, stage| {
        stage.leash.memory_bytes = Some(256 << 20);
        let end = stage.python(
            "held = []\ntry:\n  for i in range(64): held.append(bytearray(b'x' * (16 << 20)))\n  print('had', len(held))\n\
             except MemoryError: print('refused')",
        );
        let held = end.held.as_ref().unwrap();
        assert!(!stage.log().contains("had"), "{mode:?} {held:?} {}", stage.log());
        match held.memory {
            Bound::CgroupV1 | Bound::CgroupV2 => {
                assert_eq!((end.end, end.signal), (End::Signaled, Some(9)), "{end:?}");
                assert!(end.out_of_memory >= 1, "{end:?}");
            }
            Bound::Rlimit => assert_eq!(stage.log(), "refused\n", "{end:?}"),
            Bound::None => panic!("asked for and not held: {held:?}"),
        }
    });
}

#[test]
fn two_gigabytes_of_output_are_bounded_on_disk_and_in_memory() {
    for mode in [Mechanisms::ALL, Mechanisms::NONE] {
        let mut stage = Stage::new(mode);
        stage.launch("echo first; head -c 2000000000 /dev/zero; echo last; echo; while :; do sleep 0.1; done");
        let mut most = 0;
        stage.wait("the flood's end", |stage| {
            most = most.max(stage.supervisor_memory().unwrap_or(0));
            let log = fs::read_dir(stage.root()).unwrap().flatten();
            let logs = log.filter(|entry| entry.file_name().to_string_lossy().starts_with("log"));
            let bytes: u64 = logs.filter_map(|entry| entry.metadata().ok()).map(|meta| meta.len()).sum();
            assert!(bytes <= 4 * 64 * 1024 + 4096, "{bytes} bytes of log");
            overnight::runner::last_lines(&stage.spec.log_path, 2).unwrap().iter().any(|line| line.ends_with("last"))
        });
        assert!(most < 48 << 20, "{most} bytes");
        let end = stage.stop();
        assert!(end.log_bytes_total > 2_000_000_000 && end.log_bytes_dropped > 1_900_000_000, "{end:?}");
        assert!(stage.log().starts_with("first\n") && stage.log().contains("last"));
    }
}

#[test]
fn the_bots_processes_are_not_seen_signalled_or_traced() {
    each(|mode, stage| {
        // Stands in for the bot: the same user, with a secret in its environment.
        let mut bot = Command::new("sleep").arg("600").env("TOKEN", "canary").stdout(Stdio::null()).spawn().unwrap();
        let pid = bot.id();
        let guarded = mode.bwrap || mode.landlock;
        let supervisors_parent = "$(grep PPid /proc/$PPID/status | cut -f2)";
        let attempts = format!(
            "kill -9 {pid} && echo signalled; kill -9 {supervisors_parent}; cat /proc/{pid}/environ /proc/{pid}/maps
             cat /proc/{pid}/mem; ls -l /proc/{pid}/fd /proc/{pid}/cwd/; echo done"
        );
        let end = stage.run(if guarded { attempts.as_str() } else { "true" });
        let alive = bot.try_wait().unwrap().is_none();
        bot.kill().unwrap();
        bot.wait().unwrap();
        let log = stage.log();
        if guarded {
            assert!(
                alive && !log.contains("canary") && !log.contains("libc") && !log.contains("signalled"),
                "{mode:?}: {log}"
            );
            assert!(log.ends_with("done\n") && end.end == End::Exited, "{mode:?}: {end:?} {log}");
        } else {
            assert!(!end.held.unwrap().sandboxed());
        }
    });
}

/// The guard above a sandboxed command speaks to the supervisor: the command can end it, not speak for it.
#[test]
fn a_sandboxs_guard_can_be_killed_and_not_looked_into() {
    for landlock in [true, false] {
        let mut stage = Stage::new(Mechanisms { bwrap: true, landlock, ..Mechanisms::NONE });
        let end =
            stage.run("ls -l /proc/$PPID/fd/ /proc/$PPID/cwd/; cat /proc/$PPID/environ /proc/$PPID/mem; echo done");
        assert!(end.success() && stage.log().ends_with("done\n"), "{end:?}");
        assert!(!stage.log().contains("socket") && !stage.log().contains("OVERNIGHT_RUN"), "{}", stage.log());
        let end = stage.run("setsid sleep 600 & kill -9 $PPID; sleep 600");
        assert_eq!((end.end, end.code.is_some_and(|code| code != 0)), (End::Exited, true), "{end:?}");
        stage.nothing_is_left();
    }
}

#[test]
fn control_groups_of_others_are_not_touched() {
    let before = fs::read_to_string("/proc/self/cgroup").unwrap();
    let mut stage = Stage::new(Mechanisms::ALL);
    stage.launch("echo ready; while :; do sleep 0.1; done");
    stage.wait_log("ready");
    let groups = stage.groups();
    assert_eq!(!groups.is_empty(), groups_are_writable());
    assert!(groups.iter().all(|group| group.contains("/overnight-run-leash-")), "{groups:?}");
    stage.stop();
    assert_eq!(fs::read_to_string("/proc/self/cgroup").unwrap(), before);
}
