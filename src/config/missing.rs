//! What can't work as configured, though nothing is wrong with the configuration itself.

use super::environment::Environment;
use crate::domain::settings::{Agent, Project, Settings};
use std::fmt;
use std::path::{Display, Path};

/// One thing that is absent, and what does not work without it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// What does not work, such as `builds of project app`.
    pub feature: String,
    /// What is absent and how to add it.
    pub what: String,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.feature, self.what)
    }
}

fn entry(feature: impl Into<String>, what: impl Into<String>) -> Missing {
    Missing { feature: feature.into(), what: what.into() }
}

/// Looks for everything absent. `file` is the one that exists or the one to create.
pub(super) fn find(settings: &Settings, zone_known: bool, file: &Path, environment: &Environment) -> Vec<Missing> {
    let file = &file.display();
    let mut missing = Vec::new();
    if !zone_known {
        let what = format!("this machine's time zone can't be told, so UTC is used: set zone in [schedule] in {file}");
        missing.push(entry("your local time", what));
    }
    if settings.projects.is_empty() {
        missing.push(entry("builds", format!("no project is configured: builds need [[projects]] in {file}")));
    }
    if settings.agents.is_empty() {
        missing.push(entry("builds", format!("no agent is configured: builds need [[agents]] in {file}")));
    }
    for (i, agent) in settings.agents.iter().enumerate() {
        missing.extend(of_agent(agent, &format!("agents[{i}]"), file, environment));
    }
    for (i, project) in settings.projects.iter().enumerate() {
        missing.extend(of_project(project, &format!("projects[{i}]"), file, environment));
    }
    missing
}

fn of_agent(agent: &Agent, key: &str, file: &Display<'_>, environment: &Environment) -> Vec<Missing> {
    let feature = format!("builds by agent {}", agent.name);
    unset(&agent.env_pass, environment)
        .map(|name| entry(&feature, format!("{name} is not set ({key}.env_pass in {file})")))
        .collect()
}

fn of_project(project: &Project, key: &str, file: &Display<'_>, environment: &Environment) -> Vec<Missing> {
    let feature = format!("builds of project {}", project.name);
    let mut missing = Vec::new();
    if !project.path.is_dir() {
        let what = format!("its folder {} does not exist ({key}.path in {file})", project.path.display());
        missing.push(entry(&feature, what));
    }
    if project.verify.is_none() {
        let what = format!("it has no verify command, so its builds end as unverified: set {key}.verify in {file}");
        missing.push(entry(format!("verified builds of project {}", project.name), what));
    }
    missing.extend(
        unset(&project.env_pass, environment)
            .map(|name| entry(&feature, format!("{name} is not set ({key}.env_pass in {file})"))),
    );
    missing
}

fn unset<'a>(names: &'a [String], environment: &'a Environment) -> impl Iterator<Item = &'a String> {
    names.iter().filter(|name| environment.get(name).is_none())
}
