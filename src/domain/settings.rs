//! What the owner configured, as the planner and the engine read it: plain data with the mission's defaults.
//!
//! Left out on purpose: where it comes from (the configuration reads the file and checks every value), and secrets.
//! Percentages are of 100; sizes are bytes unless the name says otherwise.

mod argv;
mod budget;
mod isolation;
mod project;

pub use argv::{Argv, ArgvError};
pub use budget::{BudgetSettings, Caps};
pub use isolation::{Isolation, NetworkRule, Sandbox};
pub use project::{Agent, AgentKind, Better, Measure, Project};

use super::category::Category;
use super::schedule::Schedule;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const MIB: u64 = 1024 * 1024;

/// Everything configured.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// When things are due.
    pub schedule: Schedule,
    /// How much of the machine builds may take.
    pub limits: ResourceSettings,
    /// How long and how often a build is tried.
    pub build: BuildSettings,
    /// What agents may use.
    pub budget: BudgetSettings,
    /// How often the machine is measured.
    pub sample_every: Duration,
    /// Every category: whether it runs without approval.
    pub categories: BTreeMap<Category, bool>,
    /// The repositories builds work on, as listed.
    pub projects: Vec<Project>,
    /// The commands that build, as listed; the first one is used where nobody names one.
    pub agents: Vec<Agent>,
    /// What the health check looks after.
    pub health: HealthSettings,
    /// What learned habits may do.
    pub patterns: PatternSettings,
    /// What builds may reach.
    pub isolation: Isolation,
    /// How tonight's places are given away.
    pub planning: Planning,
}

/// How tonight's places are given away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Planning {
    /// To the tasks their time is worth most to: priority × estimated hours, as far as it will be done tonight.
    #[default]
    Value,
    /// By priority, then age.
    Strict,
}

/// When builds wait, and when they are stopped.
#[derive(Debug, Clone, PartialEq)]
pub struct ResourceSettings {
    /// Most builds at once, over all projects.
    pub max_builds: usize,
    /// No build starts while a disk is fuller than this, in percent.
    pub disk_used_percent: f64,
    /// No build starts while a disk has less than this many GB (10^9 bytes) free; none: only the percentage counts.
    pub disk_free_gb: Option<f64>,
    /// No build starts while less than this share of memory is available, in percent.
    pub memory_available_percent: f64,
    /// No build starts while the kernel's memory pressure (`some avg60`, in percent) is above this.
    pub psi_memory_avg60: f64,
    /// Running builds are stopped once a disk was over its limit for this many minutes.
    pub disk_stop_after_minutes: u32,
}

/// How a build is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildSettings {
    /// Longest an agent may work.
    pub timeout: Duration,
    /// Longest an agent may print nothing.
    pub silence: Duration,
    /// Between the request to end and the kill.
    pub grace: Duration,
    /// Longest a setup command may run.
    pub setup_timeout: Duration,
    /// Longest a verify command may run.
    pub verify_timeout: Duration,
    /// Longest a measure command may run.
    pub measure_timeout: Duration,
    /// Builds tried for one revision of a task, the first one counted.
    pub max_attempts: u32,
    /// Waits before the second, third… attempt; the last one repeats.
    pub retry_backoff: Vec<Duration>,
    /// Bytes kept from the start of each log.
    pub log_head_bytes: u64,
    /// Bytes kept from the end of each log.
    pub log_tail_bytes: u64,
}

/// What the health check looks after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthSettings {
    /// Folders whose logs are cleaned and rotated; absolute. Nothing outside them is touched.
    pub log_roots: Vec<PathBuf>,
    /// SQLite databases looked after; absolute.
    pub databases: Vec<PathBuf>,
    /// Logs older than this many days are moved to the trash.
    pub log_max_age_days: u32,
    /// Logs larger than this are rotated.
    pub log_rotate_bytes: u64,
    /// Days until the trash is emptied.
    pub trash_keep_days: u32,
}

/// What learned habits may do.
#[derive(Debug, Clone, PartialEq)]
pub struct PatternSettings {
    /// Whether a habit of an auto-approved category may queue its task by itself.
    pub auto: bool,
    /// How sure it must be for that, 0 to 1.
    pub confidence: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            schedule: Schedule::default(),
            limits: ResourceSettings::default(),
            build: BuildSettings::default(),
            budget: BudgetSettings::default(),
            sample_every: Duration::from_secs(30),
            categories: Category::ALL.into_iter().map(|c| (c, c.auto_approved_by_default())).collect(),
            projects: Vec::new(),
            agents: Vec::new(),
            health: HealthSettings::default(),
            patterns: PatternSettings::default(),
            isolation: Isolation::default(),
            planning: Planning::default(),
        }
    }
}

impl Default for ResourceSettings {
    fn default() -> Self {
        Self {
            max_builds: 3,
            disk_used_percent: 80.0,
            disk_free_gb: None,
            memory_available_percent: 20.0,
            psi_memory_avg60: 10.0,
            disk_stop_after_minutes: 10,
        }
    }
}

impl Default for BuildSettings {
    fn default() -> Self {
        Self {
            timeout: 8 * HOUR,
            silence: 45 * MINUTE,
            grace: Duration::from_secs(10),
            setup_timeout: 30 * MINUTE,
            verify_timeout: HOUR,
            measure_timeout: 10 * MINUTE,
            max_attempts: 3,
            retry_backoff: vec![MINUTE, 5 * MINUTE],
            log_head_bytes: 8 * MIB,
            log_tail_bytes: 8 * MIB,
        }
    }
}

impl BuildSettings {
    /// How long to wait after `attempts` builds of a task failed in a way worth another try; none: no more tries.
    pub fn retry_after(&self, attempts: u32) -> Option<Duration> {
        if attempts >= self.max_attempts {
            return None;
        }
        let step = usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX);
        Some(self.retry_backoff.get(step).or(self.retry_backoff.last()).copied().unwrap_or(Duration::ZERO))
    }
}

impl Default for HealthSettings {
    fn default() -> Self {
        Self {
            log_roots: Vec::new(),
            databases: Vec::new(),
            log_max_age_days: 30,
            log_rotate_bytes: 10_000_000,
            trash_keep_days: 14,
        }
    }
}

impl Default for PatternSettings {
    fn default() -> Self {
        Self { auto: true, confidence: 0.85 }
    }
}

impl Settings {
    /// The project of that name.
    pub fn project(&self, name: &str) -> Option<&Project> {
        self.projects.iter().find(|project| project.name == name)
    }

    /// The agent of that name.
    pub fn agent(&self, name: &str) -> Option<&Agent> {
        self.agents.iter().find(|agent| agent.name == name)
    }

    /// Who builds a task of `project` that asks for `agent`: the task's word first, then the project's, then the first
    /// agent listed. A name that is not configured gives none: falling back would run something nobody asked for.
    pub fn agent_for(&self, project: Option<&str>, agent: Option<&str>) -> Option<&Agent> {
        let named = agent.or_else(|| project.and_then(|name| self.project(name)).and_then(|p| p.agent.as_deref()));
        named.map_or_else(|| self.agents.first(), |name| self.agent(name))
    }

    /// Whether tasks of that category run without approval.
    pub fn auto_approved(&self, category: Category) -> bool {
        self.categories.get(&category).copied().unwrap_or(false)
    }

    /// Most builds of that project at once: its own limit, never more than the global one. A project that is not
    /// configured can't be built.
    pub fn max_builds_of(&self, project: &str) -> usize {
        let own = self.project(project).map_or(0, |p| p.max_builds.unwrap_or(self.limits.max_builds));
        own.min(self.limits.max_builds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(name: &str) -> Agent {
        Agent {
            name: name.into(),
            kind: AgentKind::Command,
            argv: Argv::new(vec!["true".into()]).unwrap(),
            model: None,
            hosts: Vec::new(),
            fallback: Vec::new(),
            reserve: 0.0,
            env_pass: Vec::new(),
            env: BTreeMap::new(),
        }
    }

    fn settings() -> Settings {
        let app = Project { agent: Some("second".into()), max_builds: Some(9), ..Project::new("app", "/srv/app") };
        let lib = Project { max_builds: Some(1), ..Project::new("lib", "/srv/lib") };
        Settings { projects: vec![app, lib], agents: vec![agent("first"), agent("second")], ..Settings::default() }
    }

    #[test]
    fn the_agent_is_the_tasks_then_the_projects_then_the_first() {
        let settings = settings();
        let name = |project, agent| settings.agent_for(project, agent).map(|a| a.name.as_str());
        assert_eq!(name(Some("app"), Some("first")), Some("first"));
        assert_eq!(name(Some("app"), None), Some("second"));
        assert_eq!(name(Some("lib"), None), Some("first"));
        assert_eq!(name(None, None), Some("first"));
        assert_eq!(name(Some("lib"), Some("gone")), None);
    }

    #[test]
    fn a_project_never_gets_more_builds_than_there_are() {
        let settings = settings();
        assert_eq!(settings.max_builds_of("app"), 3);
        assert_eq!(settings.max_builds_of("lib"), 1);
        assert_eq!(settings.max_builds_of("gone"), 0);
    }

    #[test]
    fn an_unlisted_category_is_locked() {
        let mut settings = Settings::default();
        assert!(settings.auto_approved(Category::BugFix) && !settings.auto_approved(Category::NewFeature));
        settings.categories.clear();
        assert!(!settings.auto_approved(Category::BugFix));
    }

    #[test]
    fn retries_wait_longer_and_end() {
        let build = BuildSettings { max_attempts: 4, ..BuildSettings::default() };
        assert_eq!(
            [1, 2, 3, 4].map(|n| build.retry_after(n)),
            [Some(MINUTE), Some(5 * MINUTE), Some(5 * MINUTE), None]
        );
        let none = BuildSettings { retry_backoff: Vec::new(), ..BuildSettings::default() };
        assert_eq!(none.retry_after(1), Some(Duration::ZERO));
    }
}
