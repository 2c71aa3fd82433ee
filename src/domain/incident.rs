//! Incidents: what was ended, refused or cut while a command ran, as far as the host can tell.
//!
//! A sandbox refuses most things in silence (a file that is not there can't be read, and nobody hears of the attempt);
//! what is listed here is what leaves a trace.

use super::build::RunStep;
use super::format::human_bytes;
use super::id::TaskId;
use super::words::{list, plain};
use serde::{Deserialize, Serialize};

/// Hosts named in one line.
const MOST_HOSTS: usize = 3;

/// One thing that was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Incident {
    /// Processes it left behind were ended.
    Leftovers {
        /// How many.
        processes: u64,
    },
    /// It did not end when it was asked to.
    Forced,
    /// The middle of what it printed was not kept.
    LogCut {
        /// Bytes it printed.
        printed: u64,
        /// Bytes of these that are gone.
        dropped: u64,
    },
    /// Its memory was used up, and the kernel ended processes of it.
    OutOfMemory {
        /// How many.
        processes: u64,
    },
    /// It had as many processes as it may have, and could not start more.
    TooManyProcesses {
        /// How often it tried.
        times: u64,
    },
    /// Hosts it may not reach.
    Refused {
        /// Which, the first of them.
        hosts: Vec<String>,
    },
    /// Something around it could not be done.
    Trouble {
        /// What.
        text: String,
    },
}

impl Incident {
    /// In words that follow whose command it was: `left 2 processes behind; they were ended`.
    pub fn words(&self) -> String {
        match self {
            Self::Leftovers { processes: 1 } => "left a process behind; it was ended".into(),
            Self::Leftovers { processes } => format!("left {processes} processes behind; they were ended"),
            Self::Forced => "did not end when asked to; it was ended by force".into(),
            Self::LogCut { printed, dropped } => {
                let kept = human_bytes(printed.saturating_sub(*dropped));
                format!("printed {}; the log keeps {kept} of it, from its start and its end", human_bytes(*printed))
            }
            Self::OutOfMemory { processes: 1 } => "used up its memory; one of its processes was ended for it".into(),
            Self::OutOfMemory { processes } => {
                format!("used up its memory; {processes} of its processes were ended for it")
            }
            Self::TooManyProcesses { .. } => "was kept from starting more processes than it may".into(),
            Self::Refused { hosts } => format!("was kept from reaching {}", plain(&list(hosts, MOST_HOSTS), 200)),
            Self::Trouble { text } => format!("met trouble: {}", plain(text, 200)),
        }
    }
}

/// An incident of a night, and whose command it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncidentFact {
    /// The task whose build or check it was; none: the check of a base.
    pub task: Option<TaskId>,
    /// The project of a check.
    pub project: Option<String>,
    /// Which of the commands.
    pub step: RunStep,
    /// What was seen.
    pub incident: Incident,
}

impl IncidentFact {
    /// `#3`, or `the base of app`.
    pub fn whose(&self) -> String {
        match (self.task, &self.project) {
            (Some(task), _) => format!("#{task}"),
            (None, project) => format!("the base of {}", plain(project.as_deref().unwrap_or("a project"), 80)),
        }
    }

    /// `its agent left 2 processes behind; they were ended`.
    pub fn words(&self) -> String {
        let command = match self.step {
            RunStep::Setup => "its set-up",
            RunStep::Agent => "its agent",
            RunStep::Verify => "its check",
            RunStep::VerifyAgain => "its second check",
            RunStep::Measure => "its measurement",
        };
        format!("{command} {}", self.incident.words())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incident_reads_as_a_sentence() {
        let fact = |task, step, incident| IncidentFact { task, project: Some("app".into()), step, incident };
        let one = fact(Some(TaskId(3)), RunStep::Agent, Incident::Leftovers { processes: 1 });
        assert_eq!(
            (one.whose().as_str(), one.words().as_str()),
            ("#3", "its agent left a process behind; it was ended")
        );
        let cut = Incident::LogCut { printed: 2_000_000_000, dropped: 1_983_222_784 };
        let base = fact(None, RunStep::Verify, cut);
        assert_eq!(base.whose(), "the base of app");
        assert_eq!(base.words(), "its check printed 2 GB; the log keeps 17 MB of it, from its start and its end");
        let refused = Incident::Refused { hosts: vec!["evil.example:443".into(), "b.example:80".into()] };
        assert_eq!(refused.words(), "was kept from reaching evil.example:443 and b.example:80");
        let two = Incident::OutOfMemory { processes: 2 };
        assert_eq!(two.words(), "used up its memory; 2 of its processes were ended for it");
    }
}
