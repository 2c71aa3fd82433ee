//! What holds on this machine: tried, not guessed. Each mechanism gets a command that reads a secret and writes outside
//! of its folder, run just as a build would be; it holds if neither comes off.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{Bound, Kill, Leash, Mechanisms, Reach};
use crate::domain::settings::Sandbox;
use crate::runner::{LocalRunner, RunEnd, RunSpec, Seen, last_lines};

/// How long one trial may take.
const PATIENCE: Duration = Duration::from_secs(20);
const SECRET: &str = "overnight-tries-to-read-this";

/// What became of a trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tried {
    /// It holds.
    Works,
    /// It does not, and what was seen.
    Fails(String),
}

impl Tried {
    /// Whether it holds.
    pub fn works(&self) -> bool {
        *self == Self::Works
    }
}

/// What this machine can hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detected {
    /// Bubblewrap (Linux).
    pub bwrap: Tried,
    /// Landlock (Linux).
    pub landlock: Tried,
    /// `sandbox-exec` (macOS).
    pub sandbox_exec: Tried,
    /// What landlock leaves open here.
    pub landlock_gaps: Vec<String>,
    /// What bounds memory.
    pub memory: Bound,
    /// What bounds processes.
    pub processes: Bound,
    /// How a whole tree is ended.
    pub kill: Kill,
    /// How far the network of a build that may reach nobody truly is.
    pub network: Reach,
}

impl Detected {
    /// Whether anything keeps builds from the owner's files.
    pub fn sandboxed(&self) -> bool {
        self.bwrap.works() || self.landlock.works() || self.sandbox_exec.works()
    }

    /// What to use for `sandbox`; the error says what is missing for it, and that no build runs.
    pub fn mode(&self, sandbox: Sandbox) -> Result<Mechanisms, String> {
        let must = |tried: &Tried, name: &str| match tried {
            Tried::Works => Ok(()),
            Tried::Fails(why) => {
                Err(format!("sandbox = \"{name}\" under [isolation], but it does not hold here ({why}): no build runs"))
            }
        };
        let all = Mechanisms {
            bwrap: self.bwrap.works(),
            landlock: self.landlock.works(),
            sandbox_exec: self.sandbox_exec.works(),
            cgroup: true,
        };
        match sandbox {
            Sandbox::Auto => Ok(all),
            Sandbox::Bwrap => must(&self.bwrap, "bwrap").map(|()| all),
            Sandbox::Landlock => must(&self.landlock, "landlock").map(|()| Mechanisms { bwrap: false, ..all }),
            Sandbox::Off => Ok(Mechanisms { cgroup: true, ..Mechanisms::NONE }),
        }
    }
}

/// Tries everything. `exe` is our own program; `scratch` a folder in which a folder is made and removed. Blocks for some
/// 200 ms, at most a minute; the answer changes only with the machine, so keep it.
pub fn detect(exe: &Path, scratch: &Path) -> Detected {
    let only = |mode| try_one(exe, scratch, mode);
    let none = Mechanisms::NONE;
    let bwrap = if installed("bwrap") {
        only(Mechanisms { bwrap: true, cgroup: true, ..none })
    } else {
        Err("it is not installed".to_owned())
    };
    let landlock = only(Mechanisms { landlock: true, cgroup: true, ..none });
    let sandbox_exec = if cfg!(target_os = "macos") {
        only(Mechanisms { sandbox_exec: true, ..none })
    } else {
        Err("it is a program of macOS".to_owned())
    };
    let held = [&bwrap, &landlock, &sandbox_exec].into_iter().find_map(|tried| tried.as_ref().ok());
    let held = held.and_then(|end| end.held.clone()).or_else(|| {
        let bare = run(exe, scratch, Mechanisms { cgroup: true, ..none }, false);
        bare.ok().and_then(|(end, _)| end.held)
    });
    let landlock_gaps = landlock.as_ref().ok().and_then(|end| end.held.as_ref());
    let landlock_gaps = landlock_gaps.map(|held| held.gaps.clone()).unwrap_or_default();
    let tried = |outcome: Result<RunEnd, String>| outcome.map_or_else(Tried::Fails, |_| Tried::Works);
    Detected {
        bwrap: tried(bwrap),
        landlock: tried(landlock),
        sandbox_exec: tried(sandbox_exec),
        landlock_gaps,
        memory: held.as_ref().map_or(Bound::None, |held| held.memory),
        processes: held.as_ref().map_or(Bound::None, |held| held.processes),
        kill: held.as_ref().map_or(Kill::Subreaper, |held| held.kill),
        network: held.as_ref().map_or(Reach::Open, |held| held.network),
    }
}

#[cfg(target_os = "linux")]
fn installed(name: &str) -> bool {
    super::grants::program(name).is_some()
}

#[cfg(not(target_os = "linux"))]
fn installed(_name: &str) -> bool {
    false
}

fn try_one(exe: &Path, scratch: &Path, mode: Mechanisms) -> Result<RunEnd, String> {
    let (end, trial) = run(exe, scratch, mode, true)?;
    let said = last_lines(&trial.at("log"), 20).unwrap_or_default().join(" / ");
    if !end.success() {
        return Err([end.error.unwrap_or_default(), said].join("; ").trim_matches([';', ' ']).to_owned());
    }
    if said.contains(SECRET) || trial.at("outside/written").exists() {
        return Err("a command got around it".into());
    }
    Ok(end)
}

/// A folder for one trial; removed when dropped.
struct Trial(PathBuf);

impl Trial {
    fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn run(exe: &Path, scratch: &Path, mode: Mechanisms, strict: bool) -> Result<(RunEnd, Trial), String> {
    let name = format!("trial-{:016x}", rand::random::<u64>());
    let trial = Trial(scratch.join(&name));
    let failed = |error: std::io::Error| format!("{}: {error}", trial.0.display());
    for folder in ["work", "tmp", "outside"] {
        fs::create_dir_all(trial.at(folder)).map_err(failed)?;
    }
    fs::write(trial.at("outside/secret"), SECRET).map_err(failed)?;
    let outside = trial.at("outside").to_string_lossy().into_owned();
    let script = "cat \"$1\"/secret; echo x > \"$1\"/written; exit 0";
    let spec = RunSpec {
        run_id: name,
        argv: ["sh", "-c", script, "trial", &outside].map(str::to_owned).to_vec(),
        cwd: trial.at("work"),
        env: BTreeMap::from([("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned())]),
        stdin: None,
        log_path: trial.at("log"),
        stderr_path: None,
        log_head_bytes: 4096,
        log_tail_bytes: 4096,
        timeout_secs: 10.0,
        silence_secs: None,
        grace_secs: 0.0,
        leash: Some(Leash {
            writable: vec![trial.at("work"), trial.at("tmp")],
            temp: Some(trial.at("tmp")),
            memory_bytes: Some(1 << 30),
            processes: Some(256),
            mode,
            strict,
            ..Leash::default()
        }),
    };
    let runner = LocalRunner::new(exe.to_owned());
    runner.launch(&trial.at("run"), &spec).map_err(|error| error.to_string())?;
    let since = Instant::now();
    loop {
        match runner.observe(&trial.at("run")).map_err(|error| error.to_string())? {
            Seen::Ended(end) => return Ok((end, trial)),
            Seen::Running if since.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(5)),
            other => return Err(format!("a trial did not end: {other:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_and_does_not_hold_lets_no_build_run() {
        let fails = || Tried::Fails("not installed".into());
        let detected = Detected {
            bwrap: fails(),
            landlock: Tried::Works,
            sandbox_exec: fails(),
            landlock_gaps: Vec::new(),
            memory: Bound::Rlimit,
            processes: Bound::Rlimit,
            kill: Kill::Subreaper,
            network: Reach::ClosedTcp,
        };
        let why = detected.mode(Sandbox::Bwrap).unwrap_err();
        assert!(why.contains("sandbox = \"bwrap\"") && why.contains("not installed") && why.contains("no build runs"));
        let auto = detected.mode(Sandbox::Auto).unwrap();
        assert!(!auto.bwrap && auto.landlock && auto.cgroup && detected.sandboxed());
        let off = detected.mode(Sandbox::Off).unwrap();
        assert!(!off.landlock && off.cgroup);
        let none = Detected { landlock: fails(), ..detected };
        assert!(none.mode(Sandbox::Landlock).is_err() && none.mode(Sandbox::Auto).is_ok() && !none.sandboxed());
    }
}
