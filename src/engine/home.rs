//! Where things are kept under `OVERNIGHT_HOME`: the only place that knows the names of folders and of a build's refs.

use crate::domain::build::Build;
use crate::domain::id::{BuildId, CheckId, RunId, TaskId};
use crate::domain::session::{Session, SessionKind};
use crate::git::{BuildRefs, GitError};
use chrono::NaiveDate;
use std::io;
use std::path::{Path, PathBuf};

/// Says what a kept day's folder holds.
pub const MANIFEST: &str = "snapshot.json";

/// The data folder.
#[derive(Debug, Clone)]
pub struct Home {
    root: PathBuf,
}

impl Home {
    /// Takes the folder as absolute path; makes what is missing in it.
    pub fn open(root: &Path) -> io::Result<Self> {
        let home = Self { root: root.canonicalize()? };
        for folder in
            ["logs", "reports", "vaults", "builds", "checks", "runs", "trash", "artifacts", "empty", "snapshots"]
        {
            std::fs::create_dir_all(home.root.join(folder))?;
        }
        Ok(home)
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Logs of the bot and of builds.
    pub fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// `logs/subagent_<build>.log`, as in the mission; a build that went on after waiting has `.<round + 1>` before the
    /// ending.
    pub fn build_log(&self, build: BuildId, round: u32) -> PathBuf {
        let round = if round == 0 { String::new() } else { format!(".{}", round + 1) };
        self.logs().join(format!("subagent_{build}{round}.log"))
    }

    /// Log of a build's or check's other commands.
    pub fn step_log(&self, of: &str, step: &str) -> PathBuf {
        self.logs().join(format!("{of}_{step}.log"))
    }

    /// `reports/<scheduled date>.json`; sessions started by hand add their name.
    pub fn report(&self, session: &Session) -> PathBuf {
        let name = match session.kind {
            SessionKind::Nightly => format!("{}.json", session.date),
            SessionKind::Manual | SessionKind::Single => format!("{}-{}.json", session.date, session.name()),
        };
        self.root.join("reports").join(name)
    }

    /// The picture of the night, beside its report.
    pub fn picture(&self, session: &Session) -> PathBuf {
        self.report(session).with_extension("png")
    }

    /// Vaults, one bare repository a project.
    pub fn vaults(&self) -> PathBuf {
        self.root.join("vaults")
    }

    /// All build clones.
    pub fn builds(&self) -> PathBuf {
        self.root.join("builds")
    }

    /// One build's folder: its clone, temporary folder and prompt.
    pub fn build(&self, build: BuildId) -> PathBuf {
        self.builds().join(format!("b{build}"))
    }

    /// All check clones.
    pub fn checks(&self) -> PathBuf {
        self.root.join("checks")
    }

    /// One check's folder.
    pub fn check(&self, check: CheckId) -> PathBuf {
        self.checks().join(format!("c{check}"))
    }

    /// All runs.
    pub fn runs(&self) -> PathBuf {
        self.root.join("runs")
    }

    /// A run's own folder, written by its supervisor.
    pub fn run(&self, run: RunId) -> PathBuf {
        self.runs().join(format!("r{run}"))
    }

    /// Files an artifact task made.
    pub fn artifacts(&self, task: TaskId) -> PathBuf {
        self.root.join("artifacts").join(format!("t{task}"))
    }

    /// Differences that were sent: pages and patches.
    pub fn diffs(&self) -> PathBuf {
        self.root.join("diffs")
    }

    /// Days that were kept, a folder each.
    pub fn snapshots(&self) -> PathBuf {
        self.root.join("snapshots")
    }

    /// One day that was kept.
    pub fn snapshot(&self, date: NaiveDate) -> PathBuf {
        self.snapshots().join(date.to_string())
    }

    /// Where cleaned files go.
    pub fn trash(&self) -> PathBuf {
        self.root.join("trash")
    }

    /// An empty folder: git's HOME.
    pub fn empty(&self) -> PathBuf {
        self.root.join("empty")
    }
}

/// The refs of a build in its project's vault.
pub(super) fn build_refs(build: &Build, session: &Session) -> Result<BuildRefs, GitError> {
    BuildRefs::new(&session.name(), &format!("t{}", build.task), &format!("b{}", build.id))
}
