//! An owner's things, a bot's things, and a build among them whose command is hostile.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use overnight::runner::leash::{Leash, Mechanisms, Network};
use overnight::runner::{LocalRunner, RunEnd, RunSpec, Seen};
use rustix::process::{Pid, Signal, kill_process};

/// Our own program; elsewhere where the user who runs the stories can't look into the checkout.
fn exe() -> PathBuf {
    let named = std::env::vars_os().find(|(name, _)| name == "OVERNIGHT_STORY_EXE");
    named.map_or_else(|| env!("CARGO_BIN_EXE_overnight").into(), |(_, path)| path.into())
}

/// Generous: two cores may be shared by many tests.
const PATIENCE: Duration = Duration::from_mins(1);

const OFF: Mechanisms = Mechanisms::NONE;

/// Every mechanism on and off.
pub(super) const COMBINATIONS: [Mechanisms; 8] = [
    Mechanisms { bwrap: true, landlock: true, cgroup: true, ..OFF },
    Mechanisms { bwrap: true, landlock: true, cgroup: false, ..OFF },
    Mechanisms { bwrap: true, landlock: false, cgroup: true, ..OFF },
    Mechanisms { bwrap: true, landlock: false, cgroup: false, ..OFF },
    Mechanisms { bwrap: false, landlock: true, cgroup: true, ..OFF },
    Mechanisms { bwrap: false, landlock: true, cgroup: false, ..OFF },
    Mechanisms { bwrap: false, landlock: false, cgroup: true, ..OFF },
    OFF,
];

/// Plays a story on each of them.
pub(super) fn each(mut story: impl FnMut(Mechanisms, &mut Stage)) {
    for mode in COMBINATIONS {
        eprintln!("with {mode:?}");
        story(mode, &mut Stage::new(mode));
    }
}

/// Whether files are guarded.
pub(super) fn guarded(mode: Mechanisms) -> bool {
    mode.bwrap || mode.landlock
}

/// Whether this user may make control groups with limits here.
pub(crate) fn groups_are_writable() -> bool {
    own_groups().iter().any(|group| {
        let name = group.to_string_lossy();
        name.contains("/pids") && rustix::fs::access(group, rustix::fs::Access::WRITE_OK).is_ok()
    }) || own_groups().iter().any(|group| {
        let offered = fs::read_to_string(group.join("cgroup.controllers")).unwrap_or_default();
        offered.contains("memory") && rustix::fs::access(group, rustix::fs::Access::WRITE_OK).is_ok()
    })
}

/// The folders of the groups this process is in, where they are usually mounted.
fn own_groups() -> Vec<PathBuf> {
    let cgroup = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let group = |line: &str| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?.trim_start_matches('/'));
        let mounts = if controllers.is_empty() { vec!["", "unified"] } else { vec![controllers] };
        mounts.into_iter().map(|mount| Path::new("/sys/fs/cgroup").join(mount).join(path)).find(|path| path.is_dir())
    };
    cgroup.lines().filter_map(group).collect()
}

/// A build's folder, its run, and what must stay out of its reach. Ends everything it started when dropped.
pub(super) struct Stage {
    dir: tempfile::TempDir,
    runner: LocalRunner,
    pub(super) spec: RunSpec,
    pub(super) leash: Leash,
    run: u32,
}

impl Stage {
    pub(super) fn new(mode: Mechanisms) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for name in
            ["owner/app", "data/vault/refs/heads", "data/other/clone", "build/clone/.git", "build/tmp", "build/home"]
        {
            fs::create_dir_all(at(name)).unwrap();
        }
        fs::write(at("owner/app/README"), "the owner's\n").unwrap();
        fs::write(at("owner/id_ed25519"), "canary-key\n").unwrap();
        fs::write(at("data/.env"), "TOKEN=canary-token\n").unwrap();
        fs::write(at("data/overnight.sqlite"), "canary-database\n").unwrap();
        fs::write(at("data/vault/refs/heads/main"), "0123\n").unwrap();
        fs::write(at("data/other/clone/file"), "another build's\n").unwrap();
        fs::write(at("build/clone/.git/config"), "[core]\n").unwrap();
        let (clone, temp, home) = (at("build/clone"), at("build/tmp"), at("build/home"));
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let env = BTreeMap::from([
            ("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned()),
            ("HOME".to_owned(), text(&home)),
            ("TMPDIR".to_owned(), text(&temp)),
            ("OWNER".to_owned(), text(&at("owner"))),
            ("DATA".to_owned(), text(&at("data"))),
        ]);
        let leash = Leash {
            writable: vec![clone.clone(), temp.clone(), home],
            hidden: vec![at("data"), at("owner")],
            temp: Some(temp),
            network: Network::Closed,
            memory_bytes: Some(1 << 30),
            // Room for the stories beside this one: as an ordinary user without a namespace all count together.
            processes: Some(2048),
            mode,
            ..Leash::default()
        };
        let spec = RunSpec {
            run_id: String::new(),
            argv: Vec::new(),
            cwd: clone,
            env,
            stdin: None,
            log_path: at("log"),
            stderr_path: None,
            log_head_bytes: 64 * 1024,
            log_tail_bytes: 64 * 1024,
            timeout_secs: 120.0,
            silence_secs: None,
            grace_secs: 20.0,
            leash: None,
        };
        Self { dir, runner: LocalRunner::new(exe()), spec, leash, run: 0 }
    }

    pub(super) fn root(&self) -> PathBuf {
        self.dir.path().to_owned()
    }

    pub(super) fn clone(&self) -> PathBuf {
        self.root().join("build/clone")
    }

    fn run_dir(&self) -> PathBuf {
        self.root().join(format!("run{}", self.run))
    }

    pub(super) fn launch(&mut self, script: &str) {
        self.launch_argv(&["sh", "-c", script]);
    }

    /// Begins the next run.
    pub(super) fn launch_argv(&mut self, argv: &[&str]) {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        self.run += 1;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        self.spec.run_id = format!("leash-{}-{number}", std::process::id());
        self.spec.argv = argv.iter().map(|word| (*word).to_owned()).collect();
        self.spec.leash = Some(self.leash.clone());
        self.runner.launch(&self.run_dir(), &self.spec).unwrap();
    }

    /// Runs a shell script to its end.
    pub(super) fn run(&mut self, script: &str) -> RunEnd {
        self.run_argv(&["sh", "-c", script])
    }

    /// Runs a Python program to its end.
    pub(super) fn python(&mut self, program: &str) -> RunEnd {
        self.run_argv(&["python3", "-c", program])
    }

    pub(super) fn run_argv(&mut self, argv: &[&str]) -> RunEnd {
        self.launch_argv(argv);
        self.wait_end()
    }

    pub(super) fn seen(&self) -> Seen {
        self.runner.observe(&self.run_dir()).unwrap()
    }

    pub(super) fn wait_end(&self) -> RunEnd {
        let mut end = None;
        self.wait("the end", |stage| {
            match stage.seen() {
                Seen::Ended(seen) => end = Some(seen),
                Seen::Running => {}
                other => panic!("{other:?}"),
            }
            end.is_some()
        });
        self.nothing_is_left();
        end.unwrap()
    }

    pub(super) fn stop(&self) -> RunEnd {
        self.runner.stop(&self.run_dir(), "the owner said so").unwrap();
        self.wait_end()
    }

    pub(super) fn sweep(&self) -> RunEnd {
        self.runner.sweep_lost(&self.run_dir()).unwrap()
    }

    pub(super) fn wait(&self, what: &str, mut done: impl FnMut(&Self) -> bool) {
        let since = Instant::now();
        while !done(self) {
            assert!(since.elapsed() < PATIENCE, "waited too long for {what}; the log: {}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub(super) fn wait_log(&self, text: &str) {
        self.wait(text, |stage| stage.log().contains(text));
    }

    pub(super) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.spec.log_path).unwrap_or_default()).into_owned()
    }

    fn started(&self) -> serde_json::Value {
        serde_json::from_slice(&fs::read(self.run_dir().join("started.json")).unwrap()).unwrap()
    }

    pub(super) fn started_held(&self) -> serde_json::Value {
        self.started()["held"].clone()
    }

    /// Control groups of the run that still exist.
    pub(super) fn groups(&self) -> Vec<String> {
        let groups = self.started()["groups"].as_array().unwrap().clone();
        groups.iter().filter_map(|g| g.as_str()).filter(|g| Path::new(g).exists()).map(str::to_owned).collect()
    }

    pub(super) fn supervisor(&self) -> i32 {
        i32::try_from(self.started()["supervisor_pid"].as_i64().unwrap()).unwrap()
    }

    /// Something no other test uses.
    pub(super) fn unique(&self) -> String {
        self.root().file_name().unwrap().to_string_lossy().trim_start_matches('.').to_owned()
    }

    pub(super) fn kill_supervisor(&self) {
        kill_process(Pid::from_raw(self.supervisor()).unwrap(), Signal::KILL).unwrap();
    }

    /// Memory of the supervisor now, in bytes.
    pub(super) fn supervisor_memory(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.supervisor())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
    }

    /// No process carries this run's marker, and no control group of it is there.
    #[track_caller]
    pub(super) fn nothing_is_left(&self) {
        let marker = format!("OVERNIGHT_RUN={}", self.spec.run_id);
        let carries = |pid: &PathBuf| {
            fs::read(pid.join("environ")).is_ok_and(|env| env.split(|b| *b == 0).any(|e| e == marker.as_bytes()))
        };
        let left: Vec<PathBuf> = fs::read_dir("/proc").unwrap().flatten().map(|e| e.path()).filter(carries).collect();
        assert_eq!(left, Vec::<PathBuf>::new(), "a process of the run is left");
        if self.run_dir().join("started.json").exists() {
            assert_eq!(self.groups(), [""; 0], "a control group is left");
        }
    }

    /// What belongs to the owner and to the bot is as it was.
    #[track_caller]
    pub(super) fn all_is_as_it_was(&self) {
        let read = |name: &str| fs::read_to_string(self.root().join(name)).unwrap_or_default();
        assert_eq!(read("owner/app/README"), "the owner's\n");
        assert_eq!(read("owner/id_ed25519"), "canary-key\n");
        assert_eq!(read("data/.env"), "TOKEN=canary-token\n");
        assert_eq!(read("data/overnight.sqlite"), "canary-database\n");
        assert_eq!(read("data/vault/refs/heads/main"), "0123\n");
        assert_eq!(read("data/other/clone/file"), "another build's\n");
        let names = |name: &str| fs::read_dir(self.root().join(name)).unwrap().count();
        assert_eq!((names("owner"), names("owner/app"), names("data"), names("data/other")), (2, 1, 4, 1));
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
