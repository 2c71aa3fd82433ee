//! The files of a run directory: durable writes, reads, and the lock.
//!
//! Left out on purpose: any decision. `local` and `supervisor` say what a combination of files means.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::leash::Held;
use super::{RunEnd, RunSpec, RunnerError};

/// A run directory.
#[derive(Debug, Clone)]
pub(super) struct RunDir(PathBuf);

/// Content of `started.json`: which process of which boot began the command. The pid is for people; no code signals
/// by it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Started {
    pub(super) run_id: String,
    pub(super) supervisor_pid: u32,
    /// Field 22 of `/proc/<pid>/stat`, clock ticks since boot; absent where there is no `/proc`.
    pub(super) supervisor_start_ticks: Option<u64>,
    pub(super) boot_id: Option<String>,
    /// As in the spec: what a sweep needs when the supervisor is gone.
    #[serde(with = "super::path_json")]
    pub(super) log_path: PathBuf,
    pub(super) log_tail_bytes: u64,
    #[serde(default, with = "super::path_json::optional")]
    pub(super) stderr_path: Option<PathBuf>,
    /// What holds it, and its control groups.
    #[serde(default)]
    pub(super) held: Option<Held>,
    #[serde(default, with = "super::path_json::list")]
    pub(super) groups: Vec<PathBuf>,
}

/// Content of `stop.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct StopRequest {
    pub(super) reason: String,
}

/// Content of `spec.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct StoredSpec {
    #[serde(flatten)]
    pub(super) spec: RunSpec,
    /// The values of `env` were blanked, so that no process of the run can read a secret from here.
    #[serde(default)]
    pub(super) env_blanked: bool,
}

impl RunDir {
    pub(super) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(super) fn spec(&self) -> Result<Option<StoredSpec>, RunnerError> {
        read_json(&self.file("spec.json"))
    }

    pub(super) fn write_spec(&self, spec: &StoredSpec) -> Result<(), RunnerError> {
        write_json(&self.file("spec.json"), spec)
    }

    /// Blanks the values of `env` in `spec.json`; the names stay for diagnosis.
    pub(super) fn blank_env(&self) -> Result<(), RunnerError> {
        let Some(mut stored) = self.spec()? else {
            return Ok(());
        };
        if stored.env_blanked {
            return Ok(());
        }
        stored.env_blanked = true;
        stored.spec.env.values_mut().for_each(String::clear);
        self.write_spec(&stored)
    }

    pub(super) fn has_started(&self) -> bool {
        // By existence, not by content: a damaged file must not make a command run twice.
        self.file("started.json").symlink_metadata().is_ok()
    }

    pub(super) fn started(&self) -> Result<Option<Started>, RunnerError> {
        read_json(&self.file("started.json"))
    }

    pub(super) fn write_started(&self, started: &Started) -> Result<(), RunnerError> {
        write_json(&self.file("started.json"), started)
    }

    pub(super) fn exit(&self) -> Result<Option<RunEnd>, RunnerError> {
        read_json(&self.file("exit.json"))
    }

    pub(super) fn write_exit(&self, end: &RunEnd) -> Result<(), RunnerError> {
        write_json(&self.file("exit.json"), end)
    }

    /// The stop request, if one is there. A damaged one counts: stopping is the safe reading.
    pub(super) fn stop(&self) -> Option<StopRequest> {
        match read_json(&self.file("stop.json")) {
            Ok(request) => request,
            Err(error) => Some(StopRequest { reason: error.to_string() }),
        }
    }

    pub(super) fn write_stop(&self, request: &StopRequest) -> Result<(), RunnerError> {
        write_json(&self.file("stop.json"), request)
    }

    /// Takes the lock for writing; `None` if it stays held for `patience`. Observers hold it shared for microseconds,
    /// so a refusal is only believed when it lasts.
    pub(super) fn lock(&self, patience: Duration) -> Result<Option<File>, RunnerError> {
        let path = self.file("lock");
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(failed("open", &path))?;
        let since = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Some(file)),
                Err(TryLockError::WouldBlock) if since.elapsed() >= patience => return Ok(None),
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(5)),
                Err(TryLockError::Error(source)) => return Err(failed("lock", &path)(source)),
            }
        }
    }

    /// Whether somebody holds the lock for writing.
    pub(super) fn is_locked(&self) -> Result<bool, RunnerError> {
        let path = self.file("lock");
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(failed("open", &path)(error)),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(source)) => Err(failed("lock", &path)(source)),
        }
    }
}

/// Wraps an I/O error with what was tried on which file.
pub(super) fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> RunnerError {
    let path = path.to_owned();
    move |source| RunnerError::Io { what, path, source }
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, RunnerError> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|source| RunnerError::Damaged { path: path.to_owned(), source }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", path)(error)),
    }
}

fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), RunnerError> {
    let bytes =
        serde_json::to_vec_pretty(value).map_err(|source| RunnerError::Damaged { path: path.to_owned(), source })?;
    write_durably(path, &bytes).map_err(failed("write", path))
}

/// Replaces `path` whole: after a power cut it is the old file or the new one, never a part.
pub(super) fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // The pid and the thread keep two writers of one file apart; the last rename wins with a whole file either way.
    let unique = format!(".{}-{:?}.tmp", std::process::id(), std::thread::current().id());
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(unique);
    let temporary = PathBuf::from(temporary);
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        path.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
    })();
    if written.is_err() {
        // On a full disk a half-written file would make things worse; if even this fails there is nothing left to do.
        drop(fs::remove_file(&temporary));
    }
    written
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt as _;

    use super::*;
    use crate::runner::leash::Leash;

    fn spec(path: PathBuf) -> StoredSpec {
        let spec = RunSpec {
            run_id: "r1".into(),
            argv: vec!["true".into()],
            cwd: path.clone(),
            env: BTreeMap::from([("TOKEN".into(), "secret".into())]),
            stdin: Some(path.clone()),
            log_path: path.clone(),
            stderr_path: Some(path.clone()),
            log_head_bytes: 1,
            log_tail_bytes: 2,
            timeout_secs: 3.5,
            silence_secs: Some(1.5),
            grace_secs: 0.5,
            leash: Some(Leash { writable: vec![path.clone()], readable: vec![path], ..Leash::default() }),
        };
        StoredSpec { spec, env_blanked: false }
    }

    #[test]
    fn a_path_that_is_not_utf8_survives_the_json() {
        let dir = tempfile::tempdir().unwrap();
        let run = RunDir::new(dir.path());
        for path in [PathBuf::from("/a/ü b"), OsString::from_vec(b"/a/\xff\x00\x7b".to_vec()).into()] {
            run.write_spec(&spec(path.clone())).unwrap();
            assert_eq!(run.spec().unwrap(), Some(spec(path)));
        }
    }

    #[test]
    fn blanking_keeps_names_and_drops_values() {
        let dir = tempfile::tempdir().unwrap();
        let run = RunDir::new(dir.path());
        run.write_spec(&spec("/x".into())).unwrap();
        run.blank_env().unwrap();
        let text = fs::read_to_string(run.file("spec.json")).unwrap();
        assert!(text.contains("TOKEN") && !text.contains("secret"), "{text}");
        assert!(run.spec().unwrap().unwrap().env_blanked);
    }

    #[test]
    fn a_damaged_stop_request_still_stops() {
        let dir = tempfile::tempdir().unwrap();
        let run = RunDir::new(dir.path());
        assert_eq!(run.stop(), None);
        fs::write(run.file("stop.json"), b"{").unwrap();
        assert!(run.stop().unwrap().reason.contains("stop.json is damaged"));
    }

    #[test]
    fn the_lock_is_seen_while_held_and_only_then() {
        let dir = tempfile::tempdir().unwrap();
        let run = RunDir::new(dir.path());
        assert!(!run.is_locked().unwrap());
        let held = run.lock(Duration::ZERO).unwrap().expect("free");
        assert!(run.is_locked().unwrap());
        assert!(run.lock(Duration::from_millis(20)).unwrap().is_none());
        drop(held);
        assert!(!run.is_locked().unwrap());
    }
}
