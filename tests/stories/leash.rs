//! A hostile command on its leash: what it tries is stopped, or said to be open; with each mechanism and without.
//!
//! Runs as root and as an ordinary user (`.ci/run` does both). With everything off the harm is not asserted, only that
//! it is said.
#![cfg(target_os = "linux")]

mod files;
mod network;
mod processes;
mod stage;

use overnight::runner::leash::{Bound, Files, Kill, Leash, Mechanisms, Network};
use overnight::runner::{End, Seen};
pub(crate) use stage::groups_are_writable;
use stage::{COMBINATIONS, Stage, each};

#[test]
fn what_holds_is_said_as_it_is() {
    each(|mode, stage| {
        let end = stage.run("echo hello");
        assert_eq!((end.end, end.code, stage.log().as_str()), (End::Exited, Some(0), "hello\n"), "{end:?}");
        let held = end.held.expect("a leash was asked for");
        let files = if mode.bwrap {
            Files::Bwrap
        } else if mode.landlock {
            Files::Landlock
        } else {
            Files::None
        };
        assert_eq!((held.files, held.sandboxed()), (files, files != Files::None));
        assert_eq!(held.gaps.iter().any(|gap| gap == "files are open"), files == Files::None);
        if mode.cgroup && groups_are_writable() {
            assert_eq!(held.kill, Kill::Cgroup);
            assert!(matches!(held.memory, Bound::CgroupV1 | Bound::CgroupV2), "{held:?}");
            assert!(matches!(held.processes, Bound::CgroupV1 | Bound::CgroupV2), "{held:?}");
        } else {
            assert_eq!((held.kill, held.memory), (Kill::Subreaper, Bound::Rlimit));
            let root = rustix::process::geteuid().is_root();
            assert_eq!(held.processes, if root { Bound::None } else { Bound::Rlimit });
            assert_eq!(held.gaps.iter().any(|gap| gap.contains("root's number of processes")), root);
        }
        assert_eq!(stage.started_held(), serde_json::to_value(&held).unwrap(), "known before the end too");
        assert_eq!(stage.groups(), [""; 0], "a control group is left");
    });
}

#[test]
fn a_strict_leash_that_nothing_holds_starts_nothing() {
    let mut stage = Stage::new(Mechanisms { cgroup: true, ..Mechanisms::NONE });
    stage.leash.strict = true;
    let end = stage.run("touch began");
    assert_eq!(end.end, End::NotStarted);
    assert!(end.error.as_ref().unwrap().contains("no sandbox is to be had"), "{end:?}");
    assert!(!stage.clone().join("began").exists());
}

#[test]
fn a_command_that_cannot_be_started_says_why_and_had_no_effect() {
    each(|_, stage| {
        let end = stage.run_argv(&["/nonexistent/program"]);
        assert_eq!(end.end, End::NotStarted, "{end:?}");
        assert!(end.error.as_ref().unwrap().contains("could not start /nonexistent/program"), "{end:?}");
        assert_eq!(stage.groups(), [""; 0]);
    });
}

#[test]
fn ends_are_told_as_without_a_leash() {
    each(|_, stage| {
        let end = stage.run("exit 37");
        assert_eq!((end.end, end.code, end.signal), (End::Exited, Some(37), None));
        let end = stage.run("kill -SEGV $$");
        assert_eq!((end.end, end.code, end.signal), (End::Signaled, None, Some(11)));
    });
}

#[test]
fn a_stop_gives_time_for_a_clean_end() {
    each(|_, stage| {
        stage.launch("trap 'echo clean; exit 3' TERM; echo ready; while :; do sleep 0.02; done");
        stage.wait_log("ready");
        let end = stage.stop();
        assert_eq!((end.end, end.code, end.leftovers), (End::Stopped, Some(3), 0), "{end:?}");
        assert!(stage.log().ends_with("clean\n"), "{}", stage.log());
    });
}

#[test]
fn a_command_that_ignores_the_request_is_killed() {
    each(|_, stage| {
        stage.spec.grace_secs = 0.3;
        stage.launch("trap '' TERM; echo ready; while :; do sleep 0.02; done");
        stage.wait_log("ready");
        let end = stage.stop();
        assert_eq!(end.end, End::Stopped, "{end:?}");
        stage.nothing_is_left();
    });
}

#[test]
fn silence_ends_a_run_and_output_does_not() {
    each(|_, stage| {
        stage.spec.silence_secs = Some(1.5);
        let end = stage.run("for i in 1 2 3 4 5 6 7 8; do echo $i; sleep 0.3; done; sleep 600");
        assert_eq!((end.end, stage.log().as_str()), (End::Silent, "1\n2\n3\n4\n5\n6\n7\n8\n"), "{end:?}");
        stage.nothing_is_left();
    });
}

#[test]
fn standard_error_can_go_elsewhere_bounded_like_the_log() {
    let mut stage = Stage::new(Mechanisms::ALL);
    stage.spec.stderr_path = Some(stage.root().join("errors"));
    let end =
        stage.run("echo '{\"a\":1}'; head -c 1000000 /dev/zero | tr '\\0' e >&2; echo last >&2; echo '{\"b\":2}'");
    assert!(end.success(), "{end:?}");
    assert_eq!(stage.log(), "{\"a\":1}\n{\"b\":2}\n");
    let errors = std::fs::read_to_string(stage.root().join("errors")).unwrap();
    assert!(errors.ends_with("last\n") && errors.contains("bytes left out") && errors.len() < 200_000);
    assert_eq!(end.log_bytes_total, 16 + 1_000_000 + 5);
}

#[test]
fn a_lost_run_is_swept_with_its_group_and_what_held_it_is_known() {
    for mode in COMBINATIONS {
        let mut stage = Stage::new(mode);
        stage.launch("setsid sh -c 'while :; do sleep 1; done' & echo ready; while :; do sleep 1; done");
        stage.wait_log("ready");
        stage.kill_supervisor();
        stage.wait("the loss", |stage| stage.seen() == Seen::Lost);
        let end = stage.sweep();
        assert_eq!(end.end, End::Lost, "{mode:?}");
        assert!(end.held.is_some(), "{end:?}");
        stage.nothing_is_left();
    }
}

#[test]
fn a_leash_survives_being_written_down() {
    let leash = Leash {
        writable: vec!["/a b".into()],
        temp: Some("/t".into()),
        network: Network::Hosts(vec!["a.example".into()]),
        memory_bytes: Some(5),
        ..Leash::default()
    };
    let text = serde_json::to_string(&leash).unwrap();
    assert_eq!(serde_json::from_str::<Leash>(&text).unwrap(), leash);
}
