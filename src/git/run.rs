//! Runs one git command: hardened, bounded in time and output, its whole process group ended if we stop waiting.
//!
//! Left out on purpose: a shell, an inherited environment, discovery of a repository from the working directory.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use super::{Fault, GitError, Result};

/// Default time limit of one git command. Generous: a first fetch of a large repository is one command.
const TIMEOUT: Duration = Duration::from_mins(10);
/// Default limit of captured standard output, in bytes.
const OUTPUT_LIMIT: usize = 64 << 20;
/// Captured standard error, in bytes; the rest is read and dropped so git never blocks on it.
const WORDS_LIMIT: usize = 64 << 10;
/// Waits before a command that met a held lock is tried again; git holds locks for milliseconds.
const LOCK_WAITS: [u64; 5] = [30, 100, 250, 500, 1000];
/// First version with `safe.bareRepository`.
const OLDEST: (u32, u32) = (2, 38);

/// Settings given on every command line; they win over every configuration file.
/// The programs named here are never needed by what we run, so they are all set to ones that do nothing.
const SETTINGS: &[&str] = &[
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.untrackedCache=false",
    "core.splitIndex=false",
    "core.sparseCheckout=false",
    "core.attributesFile=/dev/null",
    "core.excludesFile=/dev/null",
    "core.askPass=",
    "core.editor=:",
    "core.pager=cat",
    "core.sshCommand=false",
    "core.gitProxy=false",
    "core.quotePath=false",
    "core.protectHFS=true",
    "core.protectNTFS=true",
    "core.logAllRefUpdates=false",
    "core.fsync=committed,reference",
    "core.fsyncMethod=batch",
    "credential.helper=",
    "gpg.program=false",
    "commit.gpgSign=false",
    "protocol.allow=never",
    "protocol.ext.allow=never",
    "protocol.file.allow=always",
    "safe.bareRepository=explicit",
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    "fetch.writeCommitGraph=false",
    "fetch.unpackLimit=1",
    "gc.auto=0",
    "maintenance.auto=false",
    "diff.ignoreSubmodules=none",
    "advice.addEmbeddedRepo=false",
    "init.defaultBranch=main",
    "color.ui=false",
];

/// How to run git on this machine. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Git {
    program: PathBuf,
    path_env: OsString,
    home: PathBuf,
    timeout: Duration,
}

impl Git {
    /// `git_program` is a path or a name looked up in `path_env`; relative entries of `path_env` are dropped, since the
    /// working directory may be an agent's. `home` is an empty folder of ours that stands in for the user's home.
    pub fn new(git_program: PathBuf, path_env: OsString, home: PathBuf) -> Self {
        let all = std::env::split_paths(&path_env).all(|entry| entry.is_absolute());
        let absolute = std::env::split_paths(&path_env).filter(|entry| entry.is_absolute());
        let path_env = if all { path_env } else { std::env::join_paths(absolute).unwrap_or_default() };
        Self { program: git_program, path_env, home, timeout: TIMEOUT }
    }

    /// The same with another time limit for each single command (default 10 minutes).
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// The version git states, such as `2.47.3`. Errs if git cannot be run or is older than 2.38.
    pub async fn version(&self) -> Result<String> {
        let action = "ask git for its version";
        let text = self.command(action, Path::new("/")).args(["version"]).text().await?;
        let version = text.split_whitespace().nth(2).unwrap_or_default().to_owned();
        let mut numbers = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
        let found = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        if found < OLDEST {
            return Err(GitError::new(action, &self.program, Fault::ProgramTooOld));
        }
        Ok(version)
    }

    /// A command with no repository, run in `dir`. Only for commands that name theirs (`init`) or need none.
    pub(super) fn command(&self, action: &'static str, dir: &Path) -> Invocation<'_> {
        let place = dir.to_owned();
        let limit = OUTPUT_LIMIT;
        Invocation {
            git: self,
            action,
            place,
            dir: dir.to_owned(),
            args: Vec::new(),
            env: Vec::new(),
            input: Vec::new(),
            limit,
        }
    }

    /// A command on the repository `git_dir`, run in it.
    pub(super) fn at(&self, action: &'static str, git_dir: &Path) -> Invocation<'_> {
        self.command(action, git_dir).env("GIT_DIR", git_dir)
    }

    /// A command on the repository `git_dir` over the files in `work_tree`, run there.
    pub(super) fn over(&self, action: &'static str, git_dir: &Path, work_tree: &Path) -> Invocation<'_> {
        self.command(action, work_tree).env("GIT_DIR", git_dir).env("GIT_WORK_TREE", work_tree)
    }

    fn base(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.env_clear().env("PATH", &self.path_env).env("HOME", &self.home);
        for (name, value) in [
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_ATTR_NOSYSTEM", "1"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_OPTIONAL_LOCKS", "0"),
            ("GIT_NO_REPLACE_OBJECTS", "1"),
            ("GIT_NO_LAZY_FETCH", "1"),
            ("LC_ALL", "C"),
        ] {
            command.env(name, value);
        }
        command.arg("--no-pager");
        for setting in SETTINGS {
            command.arg("-c").arg(setting);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.process_group(0);
        command
    }
}

/// One command being put together.
pub(super) struct Invocation<'a> {
    git: &'a Git,
    action: &'static str,
    place: PathBuf,
    dir: PathBuf,
    args: Vec<OsString>,
    env: Vec<(&'static str, OsString)>,
    input: Vec<u8>,
    limit: usize,
}

/// What a command that ran to its end left.
pub(super) struct Output {
    pub(super) code: i32,
    pub(super) stdout: Vec<u8>,
    pub(super) words: String,
}

impl Invocation<'_> {
    pub(super) fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    pub(super) fn env(mut self, name: &'static str, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name, value.as_ref().to_owned()));
        self
    }

    pub(super) fn input(mut self, input: Vec<u8>) -> Self {
        self.input = input;
        self
    }

    /// Errs with [`Fault::OverLimit`] if it prints more than this.
    pub(super) fn at_most(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// The repository a message should name, if it is not the one the command runs in.
    pub(super) fn about(mut self, place: &Path) -> Self {
        place.clone_into(&mut self.place);
        self
    }

    /// Standard output of a command that must succeed. A held lock is waited for, about two seconds in all.
    pub(super) async fn run(self) -> Result<Vec<u8>> {
        Ok(self.complete().await?.stdout)
    }

    /// As [`Self::run`], as text without surrounding white space.
    pub(super) async fn text(self) -> Result<String> {
        Ok(String::from_utf8_lossy(&self.run().await?).trim().to_owned())
    }

    /// As [`Self::run`], with what git said on standard error.
    pub(super) async fn complete(self) -> Result<Output> {
        let mut waits = LOCK_WAITS.into_iter();
        loop {
            let output = self.once().await?;
            if output.code == 0 {
                return Ok(output);
            }
            let error = GitError::from_words(self.action, &self.place, &output.words);
            match waits.next() {
                Some(wait) if error.fault == Fault::Locked => {
                    tokio::time::sleep(Duration::from_millis(wait)).await;
                }
                _ => return Err(error),
            }
        }
    }

    /// Runs once; any exit code is an answer. Errs if git could not be started, timed out or wrote too much.
    pub(super) async fn once(&self) -> Result<Output> {
        let mut child = self.spawn()?;
        let group = Group(child.id());
        let outcome = tokio::time::timeout(self.git.timeout, self.talk(&mut child)).await;
        match outcome {
            Ok(Ok(output)) => {
                group.disarm();
                Ok(output)
            }
            Ok(Err(error)) => Err(error),
            Err(_) => Err(self.error(Fault::TimedOut(self.git.timeout.as_secs()))),
        }
    }

    fn spawn(&self) -> Result<Child> {
        self.start(true)
    }

    /// Starts the command, its pipes open. Unless it is killed when dropped it sees the end of its input then.
    pub(super) fn start(&self, kill_on_drop: bool) -> Result<Child> {
        let mut command = self.git.base();
        command.kill_on_drop(kill_on_drop);
        command.args(&self.args).current_dir(&self.dir);
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.spawn().map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound if !self.dir.is_dir() => self.error(Fault::Vanished),
            std::io::ErrorKind::NotFound | std::io::ErrorKind::PermissionDenied => {
                GitError::new(self.action, &self.git.program, Fault::ProgramMissing)
            }
            std::io::ErrorKind::WouldBlock | std::io::ErrorKind::OutOfMemory => self.error(Fault::Busy),
            _ => self.error(Fault::Io(error.to_string())),
        })
    }

    async fn talk(&self, child: &mut Child) -> Result<Output> {
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let feed = async {
            if let Some(mut pipe) = stdin {
                // A command that ends before it has read everything says why by its exit code.
                let _ = pipe.write_all(&self.input).await;
            }
        };
        let ((), stdout, words) = tokio::join!(feed, read_all(stdout, self.limit), read_head(stderr));
        let stdout = stdout.map_err(|error| self.error(Fault::Io(error.to_string())))?;
        let stdout = stdout.ok_or_else(|| self.error(Fault::OverLimit("bytes of output", self.limit as u64)))?;
        let status = child.wait().await.map_err(|error| self.error(Fault::Io(error.to_string())))?;
        Ok(Output { code: status.code().unwrap_or(-1), stdout, words: String::from_utf8_lossy(&words).into_owned() })
    }

    pub(super) fn error(&self, fault: Fault) -> GitError {
        GitError::new(self.action, &self.place, fault)
    }
}

/// Ends the command's whole group (git starts programs of its own) unless the command was waited for.
struct Group(Option<u32>);

impl Group {
    fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Not yet reaped, so the number still names this group and no other.
        let pid = self.0.and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid {
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

/// Everything, or None as soon as it is more than `limit` bytes.
async fn read_all(pipe: Option<impl AsyncRead + Unpin>, limit: usize) -> std::io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        pipe.take(limit as u64 + 1).read_to_end(&mut bytes).await?;
    }
    Ok((bytes.len() <= limit).then_some(bytes))
}

/// The first part; the rest is read and dropped.
async fn read_head(pipe: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut head = Vec::new();
    if let Some(mut pipe) = pipe {
        let _ = (&mut pipe).take(WORDS_LIMIT as u64).read_to_end(&mut head).await;
        let _ = tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await;
    }
    head
}
