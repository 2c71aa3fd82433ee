//! Trying a project's commands where builds will run them: in a fresh clone that is thrown away. The owner's checkout
//! is only read, by git's fetch.

use crate::domain::settings::Argv;
use crate::git::{CloneTarget, Git, Vault, make_clone};
use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process_group};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

/// Lines of a failed command's output that are shown.
const SHOWN: usize = 8;

/// How one command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ran {
    /// Exit status 0, after so long.
    Passed(Duration),
    /// Anything else, with the end of what it said.
    Failed(String, Vec<String>),
    /// There is no such program.
    NoProgram,
    /// It ran longer than it may here.
    TooLong(Duration),
}

impl Ran {
    /// For a person.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Passed(took) => format!("passes ({:.1} s)", took.as_secs_f64()),
            Self::Failed(how, _) => format!("fails ({how})"),
            Self::NoProgram => "its program is not on PATH".into(),
            Self::TooLong(limit) => format!("was ended after {} min", limit.as_secs() / 60),
        }
    }
}

/// What is needed to try things.
pub(super) struct Trial<'a> {
    /// The environment builds get.
    pub(super) variables: &'a BTreeMap<String, String>,
    /// Longest for one command.
    pub(super) limit: Duration,
    /// Ctrl-C.
    pub(super) stop: &'a CancellationToken,
}

/// A folder that goes when it is dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn make() -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("overnight-init-{:032x}", rand::random::<u128>()));
        fs::DirBuilder::new().mode(0o700).create(&path).with_context(|| format!("can't make {}", path.display()))?;
        Ok(Self(path.canonicalize()?))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What can't be removed lies in the system's temporary folder, which is emptied.
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Trial<'_> {
    /// Runs the commands in turn until one does not pass. An error says why there is no clone to run them in.
    pub(super) async fn run(&self, project: &Path, commands: &[&Argv]) -> anyhow::Result<Vec<Ran>> {
        let scratch = Scratch::make()?;
        let clone = self.clone_into(&scratch.0, project).await?;
        let mut ran = Vec::new();
        for command in commands {
            let ended = self.one(&scratch.0, &clone, command).await?;
            let passed = matches!(ended, Ran::Passed(_));
            ran.push(ended);
            if !passed {
                break;
            }
        }
        Ok(ran)
    }

    async fn clone_into(&self, scratch: &Path, project: &Path) -> anyhow::Result<PathBuf> {
        let [empty, builds] = ["empty", "builds"].map(|name| scratch.join(name));
        fs::create_dir(&empty)?;
        fs::create_dir(&builds)?;
        let path = self.variables.get("PATH").cloned().unwrap_or_default();
        let git = Git::new("git".into(), path.into(), empty);
        let vault = Vault::open_or_init(&git, &scratch.join("vaults"), "trial", project).await?;
        let base = vault.refresh_base(project, None).await?;
        let dest = builds.join("trial");
        let target = CloneTarget { builds_root: builds, dest: dest.clone(), build: "trial".into() };
        make_clone(&vault, &base.sha, &target).await?;
        Ok(dest)
    }

    async fn one(&self, scratch: &Path, clone: &Path, argv: &Argv) -> anyhow::Result<Ran> {
        let log = scratch.join("log");
        let out = fs::File::create(&log)?;
        let words = argv.as_slice();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).current_dir(clone).env_clear().envs(self.variables).env("CI", "1");
        command.stdin(Stdio::null()).stderr(out.try_clone()?).stdout(out).process_group(0).kill_on_drop(true);
        let begun = Instant::now();
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Ran::NoProgram),
            Err(error) => return Ok(Ran::Failed(error.to_string(), Vec::new())),
        };
        // What it started goes with it, however this ends.
        let _group = Group(child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)));
        let status = tokio::select! {
            status = child.wait() => status?,
            () = tokio::time::sleep(self.limit) => return Ok(Ran::TooLong(self.limit)),
            () = self.stop.cancelled() => anyhow::bail!(std::io::Error::from(std::io::ErrorKind::Interrupted)),
        };
        if status.success() {
            return Ok(Ran::Passed(begun.elapsed()));
        }
        let how = status.code().map_or_else(|| status.to_string(), |code| format!("exit status {code}"));
        let text = fs::read(&log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
        let end = lines[lines.len().saturating_sub(SHOWN)..].iter();
        Ok(Ran::Failed(how, end.map(|line| line.chars().filter(|c| !c.is_control()).take(160).collect()).collect()))
    }
}

/// A process group that is killed when this is dropped. Its leader is not waited for before, or was and is gone: then
/// either nothing is left of the group, or the id is still the group's.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}
