//! Checks: one verification of a commit, and what it found.

use super::{HostFailure, stored_words};
use crate::domain::id::{BuildId, CheckId, SessionId};
use crate::domain::task::UnknownWord;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Where a check stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckStep {
    /// Not begun: one check at a time per project.
    Waiting,
    /// The host makes a fresh clone of the commit.
    Preparing,
    /// The project's setup command runs in it.
    SettingUp,
    /// The verify command runs.
    Verifying,
    /// It failed: once more, to tell flaky from failed.
    VerifyingAgain,
    /// The measure command runs.
    Measuring,
    /// Over.
    Ended,
}

stored_words!(CheckStep, "check step", {
    Waiting => "waiting", Preparing => "preparing", SettingUp => "setting_up", Verifying => "verifying",
    VerifyingAgain => "verifying_again", Measuring => "measuring", Ended => "ended",
});

/// What a check is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckPurpose {
    /// The project's base, once a session.
    Base,
    /// A build's result.
    Result,
    /// What would land on a branch, or the branch itself.
    Ship,
}

stored_words!(CheckPurpose, "check purpose", { Base => "base", Result => "result", Ship => "ship" });

/// One verification of a commit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// Row number.
    pub id: CheckId,
    /// In which session.
    pub session: SessionId,
    /// Which project.
    pub project: String,
    /// Which commit; empty until the host knows it (a base is resolved when its clone is made).
    pub commit: String,
    /// What for.
    pub purpose: CheckPurpose,
    /// The build it judges, for a result.
    pub build: Option<BuildId>,
    /// Where it stands.
    pub step: CheckStep,
    /// When the step it is in began.
    pub step_at: DateTime<Utc>,
    /// Set when its clone is made.
    pub prepared: bool,
    /// Set when a host step failed.
    pub host_failure: Option<HostFailure>,
    /// What was found, once it has ended.
    pub verdict: Option<Verdict>,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Whether and how the verify command passed.
    pub tests: TestsVerdict,
    /// Test names and counts read from its output, where it prints a known form.
    pub counts: TestCounts,
    /// The number the measure command printed, where there is one.
    pub measure: Option<f64>,
    /// Why the check could not be done, or its measure could not be taken.
    pub trouble: Option<String>,
    /// The bot ended it because the disk was filling: it says nothing about the commit.
    #[serde(default)]
    pub cut_short: bool,
}

/// Whether the verify command passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TestsVerdict {
    /// Exit status 0.
    Passed,
    /// Failed twice.
    Failed,
    /// Failed, then passed.
    Flaky,
    /// The project has no verify command.
    NoCommand,
    /// Setup or clone failed, or the command could not be run.
    Impossible,
}

/// What a test runner's output says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestCounts {
    /// Tests that passed, where the output says so.
    pub passed: Option<u32>,
    /// Tests that failed, where the output says so.
    pub failed: Option<u32>,
    /// Names of those that failed, sorted, at most 200.
    pub failing: Vec<String>,
}
