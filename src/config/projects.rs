//! `[[projects]]` and `[[agents]]`.

use super::error::{ConfigError, nearest};
use super::file::log_root;
use super::section::{Field, Section};
use super::values::{Tilde, branch, command, inner_path, list, name, path, variable, variables};
use crate::domain::settings::{Agent, AgentKind, Argv, Better, Measure, Project, Settings};

/// Most projects, and most agents.
const ENTRIES_MAX: usize = 200;

pub(super) fn agents(root: &mut Section<'_>, tilde: Tilde<'_>) -> Result<Vec<Agent>, ConfigError> {
    let mut agents: Vec<Agent> = Vec::new();
    for mut section in bounded(root, "agents")? {
        let field = section.require("name", "a name that tasks and projects can call it by")?;
        let agent_name = name(&field)?;
        if agents.iter().any(|other| other.name == agent_name) {
            return Err(field.bad("a name no other agent has"));
        }
        agents.push(agent(&mut section, agent_name, tilde)?);
    }
    let names: Vec<&str> = agents.iter().map(|agent| agent.name.as_str()).collect();
    for agent in &agents {
        if let Some(unknown) =
            agent.fallback.iter().find(|name| !names.contains(&name.as_str()) || **name == agent.name)
        {
            let rule = format!("{}: fallback names {unknown:?}, which is no other configured agent", agent.name);
            return Err(root.broken(&rule));
        }
    }
    Ok(agents)
}

fn agent(section: &mut Section<'_>, name: String, tilde: Tilde<'_>) -> Result<Agent, ConfigError> {
    let mut kind = AgentKind::Command;
    section.read("kind", &mut kind, agent_kind)?;
    let mut model = None;
    let argv = if kind == AgentKind::Command {
        command(&section.require("command", "what to run, such as \"my-agent --batch\"; or name a CLI by kind")?)?
    } else {
        section.read("model", &mut model, |f| word(f, "the model's name as the CLI takes it").map(Some))?;
        known_cli(section, kind, tilde)?
    };
    let mut agent = Agent {
        name,
        kind,
        argv,
        model,
        hosts: Vec::new(),
        fallback: Vec::new(),
        reserve: 0.0,
        env_pass: Vec::new(),
        env: std::collections::BTreeMap::new(),
    };
    section.read("hosts", &mut agent.hosts, |f| list(f, super::values::host))?;
    section.read("fallback", &mut agent.fallback, |f| list(f, super::values::name))?;
    section.read("reserve_percent", &mut agent.reserve, |f| f.number(0.0..=95.0).map(|percent| percent / 100.0))?;
    section.read("env", &mut agent.env, variables)?;
    section.read("env_pass", &mut agent.env_pass, |f| list(f, variable))?;
    section.finish()?;
    Ok(agent)
}

/// A CLI's program, by its own name unless told otherwise, and what is added to its arguments.
fn known_cli(section: &mut Section<'_>, kind: AgentKind, tilde: Tilde<'_>) -> Result<Argv, ConfigError> {
    let mut program = kind.as_str().to_owned();
    section.read("program", &mut program, |f| {
        let allowed = "a program's name, an absolute path, or one that starts with ~/";
        let text = word(f, allowed)?;
        if !text.contains('/') {
            return Ok(text);
        }
        path(f, tilde)?.into_os_string().into_string().map_err(|_| f.bad(allowed))
    })?;
    let mut args = Vec::new();
    section.read("args", &mut args, |f| list(f, |arg| arg.text("an argument, written \"…\"").map(str::to_owned)))?;
    args.insert(0, program);
    Argv::new(args).map_err(|error| section.broken(&format!("program and args are no command: {error}")))
}

/// A text that can't be taken for an option, or for two words.
fn word(field: &Field<'_>, allowed: &str) -> Result<String, ConfigError> {
    let text = field.text(allowed)?;
    let odd = text.is_empty() || text.len() > 200 || text.starts_with('-') || text.contains(char::is_control);
    if odd || text.trim() != text { Err(field.bad(allowed)) } else { Ok(text.to_owned()) }
}

fn agent_kind(field: &Field<'_>) -> Result<AgentKind, ConfigError> {
    let known: Vec<String> = AgentKind::ALL.iter().map(|kind| format!("{:?}", kind.as_str())).collect();
    let allowed = format!("a known kind: {}", known.join(", "));
    field.text(&allowed)?.parse().map_err(|()| field.bad(&allowed))
}

pub(super) fn projects(
    root: &mut Section<'_>,
    settings: &Settings,
    tilde: Tilde<'_>,
) -> Result<Vec<Project>, ConfigError> {
    let mut projects: Vec<Project> = Vec::new();
    for mut section in bounded(root, "projects")? {
        let field = section.require("name", "a name that tasks can call it by")?;
        let project_name = name(&field)?;
        if projects.iter().any(|other| other.name == project_name) {
            return Err(field.bad("a name no other project has"));
        }
        let folder = path(&section.require("path", "the folder of your checkout")?, tilde)?;
        let mut project = Project::new(project_name, folder);
        commands(&mut section, &mut project)?;
        surroundings(&mut section, &mut project, tilde)?;
        capacity(&mut section, &mut project, settings)?;
        section.finish()?;
        if let Some(other) = projects.iter().find(|other| ports_overlap(other, &project, settings)) {
            return Err(section
                .broken(&format!("its ports overlap with those of {}; give it a port_base of its own", other.name)));
        }
        projects.push(project);
    }
    Ok(projects)
}

fn commands(section: &mut Section<'_>, project: &mut Project) -> Result<(), ConfigError> {
    section.read("base", &mut project.base, |f| branch(f).map(Some))?;
    section.read("setup", &mut project.setup, |f| command(f).map(Some))?;
    section.read("verify", &mut project.verify, |f| command(f).map(Some))?;
    section.read("measure", &mut project.measure, |f| measure(f).map(Some))
}

fn measure(field: &Field<'_>) -> Result<Measure, ConfigError> {
    let mut section = field.section()?;
    let argv = command(&section.require("command", "a command whose last printed number counts")?)?;
    let mut measure = Measure { argv, unit: String::new(), better: Better::Lower };
    section.read("unit", &mut measure.unit, |f| {
        let allowed = "a short unit such as \"ms\", at most 20 characters";
        let unit = f.text(allowed)?;
        let fits = unit.chars().count() <= 20 && !unit.contains(char::is_control);
        if fits { Ok(unit.to_owned()) } else { Err(f.bad(allowed)) }
    })?;
    section.read("better", &mut measure.better, |f| {
        let allowed = "\"lower\" or \"higher\"";
        f.text(allowed)?.parse().map_err(|()| f.bad(allowed))
    })?;
    section.finish()?;
    Ok(measure)
}

fn surroundings(section: &mut Section<'_>, project: &mut Project, tilde: Tilde<'_>) -> Result<(), ConfigError> {
    section.read("copy", &mut project.copy, |f| list(f, inner_path))?;
    section.read("caches", &mut project.caches, |f| list(f, |folder| path(folder, tilde)))?;
    section.read("env", &mut project.env, variables)?;
    section.read("env_pass", &mut project.env_pass, |f| list(f, variable))?;
    section.read("log_roots", &mut project.log_roots, |f| list(f, |root| log_root(root, tilde)))?;
    section.read("databases", &mut project.databases, |f| list(f, |file| path(file, tilde)))
}

fn capacity(section: &mut Section<'_>, project: &mut Project, settings: &Settings) -> Result<(), ConfigError> {
    section.read("agent", &mut project.agent, |f| known_agent(f, settings).map(Some))?;
    section.read("max_builds", &mut project.max_builds, |f| f.whole(1..=64).map(Some))?;
    section.read("ports_per_build", &mut project.ports_per_build, |f| f.whole(1..=1000))?;
    let port_base = section.get("port_base");
    if let Some(field) = &port_base {
        project.port_base = Some(field.whole(1024..=65_535)?);
        if ports(project, settings).is_none() {
            return Err(field.bad("a port low enough that (max_builds + 1) * ports_per_build more ports end by 65535"));
        }
    }
    Ok(())
}

fn known_agent(field: &Field<'_>, settings: &Settings) -> Result<String, ConfigError> {
    let name = field.text("the name of an agent")?;
    if settings.agent(name).is_some() {
        return Ok(name.to_owned());
    }
    let names: Vec<&str> = settings.agents.iter().map(|agent| agent.name.as_str()).collect();
    if names.is_empty() {
        return Err(field.bad("the name of an agent, but none is configured: add [[agents]]"));
    }
    let meant = nearest(name, names.iter().copied()).map(|name| format!("; did you mean {name}?")).unwrap_or_default();
    Err(field.bad(&format!("a configured agent: {}{meant}", names.join(", "))))
}

/// First and last port of all builds of a project.
fn ports(project: &Project, settings: &Settings) -> Option<(u16, u16)> {
    let builds = project.max_builds.unwrap_or(usize::MAX).min(settings.limits.max_builds);
    let (first, _) = project.ports(0)?;
    // One range more than builds: checks have their own.
    let (_, last) = project.ports(builds)?;
    Some((first, last))
}

fn ports_overlap(one: &Project, other: &Project, settings: &Settings) -> bool {
    let both = ports(one, settings).zip(ports(other, settings));
    both.is_some_and(|(one, other)| one.0 <= other.1 && other.0 <= one.1)
}

fn bounded<'a>(root: &mut Section<'a>, key: &'static str) -> Result<Vec<Section<'a>>, ConfigError> {
    let sections = root.sections(key)?;
    if let Some(first_too_many) = sections.get(ENTRIES_MAX) {
        return Err(
            first_too_many.broken(&format!("this is one too many, at most {ENTRIES_MAX} [[{key}]] are allowed"))
        );
    }
    Ok(sections)
}
