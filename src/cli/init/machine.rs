//! The questions about this machine: time zone, agents, projects, logs and databases.

use super::files::{NewAgent, NewProject};
use super::find;
use super::guess::Guess;
use super::prompt::Prompt;
use super::trial::{Ran, Trial};
use crate::cli::agents::known::{self, Found, KNOWN, Login};
use crate::config::Config;
use crate::domain::settings::{AgentKind, Argv};
use anyhow::{Context, bail};
use chrono_tz::{TZ_VARIANTS, Tz};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The time zone, if it is not in the file as it should be.
pub(super) fn zone(config: &Config, given: Option<Tz>, prompt: Prompt) -> anyhow::Result<Option<Tz>> {
    println!("\nTime zone");
    let known = !config.missing.iter().any(|missing| missing.feature == "your local time");
    let present = config.settings.schedule.zone;
    let zone = if let Some(zone) = given {
        zone
    } else {
        let default = if known { present.name() } else { "" };
        let check = |text: &str| parse_zone(text).map(drop);
        let typed = prompt.line("Your time zone (nights go by it)", default, check)?;
        parse_zone(&typed).map_err(anyhow::Error::msg)?
    };
    let schedule = &config.settings.schedule;
    println!(
        "  {zone}; a night is from {} to {}",
        schedule.session_start.format("%H:%M"),
        schedule.brief_at.format("%H:%M")
    );
    let in_file = config.config_file.as_ref().and_then(|file| std::fs::read_to_string(file).ok());
    let in_file = in_file.and_then(|text| text.parse::<toml::Table>().ok());
    let in_file = in_file.and_then(|table| Some(table.get("schedule")?.get("zone")?.as_str()?.to_owned()));
    Ok((in_file.as_deref() != Some(zone.name())).then_some(zone))
}

/// An IANA name, or what is wrong with it.
pub(super) fn parse_zone(text: &str) -> Result<Tz, String> {
    if let Ok(zone) = text.parse() {
        return Ok(zone);
    }
    let wanted = text.to_lowercase().replace(' ', "_");
    let city = |zone: &&Tz| zone.name().rsplit('/').next().is_some_and(|city| city.to_lowercase() == wanted);
    let near = |zone: &Tz| strsim::normalized_levenshtein(&zone.name().to_lowercase(), &wanted);
    let nearest = TZ_VARIANTS.iter().find(city).or_else(|| {
        TZ_VARIANTS.iter().max_by(|one, other| near(one).total_cmp(&near(other))).filter(|zone| near(zone) > 0.6)
    });
    let hint = nearest.map_or(String::new(), |zone| format!("; did you mean {zone}?"));
    Err(format!("{text:?} is no time zone such as Europe/Berlin or America/New_York{hint}"))
}

/// Agents to add.
pub(super) fn agents(
    config: &Config,
    variables: &BTreeMap<String, String>,
    left_out: bool,
    prompt: Prompt,
) -> anyhow::Result<Vec<NewAgent>> {
    println!("\nAgents");
    let present = &config.settings.agents;
    for agent in present {
        match agent.kind {
            AgentKind::Command => println!("  {} is configured: {}", agent.name, agent.argv),
            kind => println!("  {} is configured: {} ({})", agent.name, kind.title(), agent.argv),
        }
    }
    if left_out {
        return Ok(Vec::new());
    }
    let found: Vec<Found> = KNOWN.iter().filter_map(|known| known::look(known, variables)).collect();
    let named: Vec<&str> = KNOWN.iter().filter(|known| known.kind.is_some()).map(|known| known.name).collect();
    let absent: Vec<&str> = named.into_iter().filter(|name| !found.iter().any(|one| one.known.name == *name)).collect();
    for one in found.iter().filter(|one| one.known.kind.is_none()) {
        println!("  {} is there ({}); it can be configured as a command", one.known.title, one.program.display());
    }
    let taken = |one: &Found| {
        let same = |program: &str| known::of_program(program).is_some_and(|known| known.name == one.known.name);
        present.iter().any(|agent| agent.name == one.known.name || same(agent.argv.program()))
    };
    let new: Vec<&Found> = found.iter().filter(|one| one.known.kind.is_some() && !taken(one)).collect();
    if !absent.is_empty() {
        println!("  not found: {}", absent.join(", "));
    }
    if new.is_empty() {
        if present.is_empty() {
            println!("  ⚠️  No agent was found, so nothing can be built. Install one and run overnight init again,");
            println!("     or name any command under [[agents]]: it gets the task on standard input.");
        }
        return Ok(Vec::new());
    }
    let items: Vec<String> = new.iter().map(|one| format!("{} ({})", one.known.title, login_words(one))).collect();
    for item in &items {
        println!("  found: {item}");
    }
    println!("  They work without asking, each in a clone of its own, as your user: allow only what you trust.");
    let chosen: Vec<bool> = new.iter().map(|one| one.login != Login::No).collect();
    let chosen =
        prompt.several("Which may build? The first one is used unless a task names another", &items, &chosen)?;
    chosen.into_iter().map(|at| new_agent(new[at])).collect()
}

fn login_words(found: &Found) -> String {
    match &found.login {
        Login::By(what) => format!("login: {what}"),
        Login::CantTell => "whether it is logged in can't be told".into(),
        Login::No => format!("not logged in: {}", found.known.login_hint()),
    }
}

fn new_agent(found: &Found) -> anyhow::Result<NewAgent> {
    let known = found.known;
    for key in &found.keys {
        println!("  {key} is passed to {}: put it into .env too, where the service finds it", known.name);
    }
    Ok(NewAgent {
        name: known.name.into(),
        kind: known.kind.context("no adapter is known")?,
        comment: format!("{}, found at {}", known.title, found.program.display()),
    })
}

/// What is needed for the projects.
pub(super) struct Projects<'a> {
    /// As found.
    pub(super) config: &'a Config,
    /// The person.
    pub(super) prompt: Prompt,
    /// Runs commands in a throw-away clone; none: they are not tried.
    pub(super) trial: Option<Trial<'a>>,
    /// The user's home folder.
    pub(super) users_home: PathBuf,
}

impl Projects<'_> {
    /// Projects to add, from these folders or from one that is asked for.
    pub(super) async fn find(&self, folders: &[PathBuf]) -> anyhow::Result<Vec<NewProject>> {
        println!("\nProjects");
        let present = &self.config.settings.projects;
        for project in present {
            println!("  {} is configured: {}", project.name, project.path.display());
        }
        let mut folders = folders.to_vec();
        if folders.is_empty() {
            let check = |text: &str| text.is_empty().then_some(()).map_or_else(|| self.folder(text).map(drop), Ok);
            let question = "Folder to look for git repositories in (return: none)";
            let typed = self.prompt.line(question, "", |text| check(text).map_err(|error| error.to_string()))?;
            if typed.is_empty() {
                return Ok(Vec::new());
            }
            folders.push(typed.into());
        }
        let mut found = Vec::new();
        for folder in &folders {
            let folder = self.folder(&folder.display().to_string())?;
            found.extend(find::repositories(&folder));
        }
        let known: Vec<PathBuf> = present.iter().filter_map(|project| project.path.canonicalize().ok()).collect();
        let home = &self.config.home;
        found.retain(|path| !known.contains(path) && !home.starts_with(path) && !path.starts_with(home));
        found.sort();
        found.dedup();
        if found.is_empty() {
            println!("  no further git repository was found there");
            return Ok(Vec::new());
        }
        let items: Vec<String> = found.iter().map(|path| path.display().to_string()).collect();
        let all = vec![found.len() <= 3 || !self.prompt.live; found.len()];
        let chosen = self.prompt.several("Which ones shall be built on?", &items, &all)?;
        let mut taken: Vec<String> = present.iter().map(|project| project.name.clone()).collect();
        let mut new = Vec::new();
        for at in chosen {
            let project = self.project(&found[at], &taken).await?;
            taken.push(project.name.clone());
            new.push(project);
        }
        Ok(new)
    }

    fn folder(&self, text: &str) -> anyhow::Result<PathBuf> {
        let path = Path::new(text);
        let path = path.strip_prefix("~").map_or_else(|_| path.to_owned(), |rest| self.users_home.join(rest));
        let found = path.canonicalize().with_context(|| format!("{} can't be looked into", path.display()))?;
        if !found.is_dir() {
            bail!("{} is no folder", path.display());
        }
        Ok(found)
    }

    async fn project(&self, path: &Path, taken: &[String]) -> anyhow::Result<NewProject> {
        let name = find::name_for(path, taken);
        println!("\n  {name} ({})", path.display());
        let guess = find::guesses(path).into_iter().next();
        let (mut setup, mut verify) = if let Some(Guess { from, setup, verify }) = guess {
            println!("    by its {from}: {}", words(setup.as_ref(), verify.as_ref()));
            (setup, verify)
        } else {
            println!("    nothing says how it is tested");
            (None, None)
        };
        loop {
            setup = self.command("    Set-up command in a fresh clone (empty: none)", setup)?;
            verify = self.command("    Test command: it decides what done means (empty: none)", verify)?;
            let tried = self.try_out(path, setup.as_ref(), verify.as_ref()).await?;
            println!("    {tried}");
            let fine = tried.starts_with("tried") || self.trial.is_none();
            if fine || self.prompt.confirm("    Take it like that?", true)? {
                let none = "No test command: builds end as unverified.";
                let comment = if verify.is_none() { none.to_owned() } else { format!("overnight init: {tried}") };
                return Ok(NewProject { name, path: path.to_owned(), setup, verify, comment });
            }
        }
    }

    fn command(&self, question: &str, guess: Option<Argv>) -> anyhow::Result<Option<Argv>> {
        let default = guess.as_ref().map_or(String::new(), ToString::to_string);
        if !self.prompt.live {
            return Ok(guess);
        }
        // Return takes the default, so leaving out needs a word.
        let question = if default.is_empty() { question.to_owned() } else { question.replace("empty:", "-:") };
        let blank = |text: &str| matches!(text, "" | "-");
        let check = |text: &str| {
            if blank(text) { Ok(()) } else { Argv::parse(text).map(drop).map_err(|error| error.to_string()) }
        };
        let typed = self.prompt.line(&question, &default, check)?;
        Ok(if blank(&typed) { None } else { Some(Argv::parse(&typed)?) })
    }

    /// One line on what trying the commands showed; begins with `tried` if they pass.
    async fn try_out(&self, path: &Path, setup: Option<&Argv>, verify: Option<&Argv>) -> anyhow::Result<String> {
        let commands: Vec<(&str, &Argv)> =
            [("set-up", setup), ("test", verify)].into_iter().filter_map(|(step, argv)| Some((step, argv?))).collect();
        let Some(trial) = self.trial.as_ref().filter(|_| !commands.is_empty()) else {
            return Ok("not tried".into());
        };
        println!("    trying them in a throw-away clone …");
        let argv: Vec<&Argv> = commands.iter().map(|(_, argv)| *argv).collect();
        let ran = match trial.run(path, &argv).await {
            Ok(ran) => ran,
            Err(error) if super::prompt::interrupted(&error) => return Err(error),
            Err(error) => return Ok(format!("⚠️ no clone can be made: {error:#}")),
        };
        let mut said = Vec::new();
        for ((step, _), ended) in commands.iter().zip(&ran) {
            said.push(format!("{step} {}", ended.words()));
            if let Ran::Failed(_, lines) = ended {
                for line in lines {
                    println!("      | {line}");
                }
            }
        }
        let fine = ran.iter().all(|ended| matches!(ended, Ran::Passed(_)));
        let said = said.join(", ");
        Ok(if fine {
            format!("tried in a fresh clone: {said}")
        } else {
            format!("⚠️ in a fresh clone: {said}; until that is mended nothing there counts as verified")
        })
    }
}

fn words(setup: Option<&Argv>, verify: Option<&Argv>) -> String {
    let shown = |argv: Option<&Argv>| argv.map_or("none".into(), ToString::to_string);
    format!("set-up {}, test {}", shown(setup), shown(verify))
}

/// Logs and databases to look after: those named by flags, and those found and confirmed.
pub(super) fn looked_after(
    config: &Config,
    projects: &[PathBuf],
    named: (&[PathBuf], &[PathBuf]),
    prompt: Prompt,
) -> anyhow::Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    println!("\nLogs and databases to look after at night");
    let health = &config.settings.health;
    let absolute = |paths: &[PathBuf]| -> anyhow::Result<Vec<PathBuf>> {
        let real = |path: &PathBuf| path.canonicalize().with_context(|| format!("{} is not there", path.display()));
        paths.iter().map(real).collect()
    };
    let mut chosen = [absolute(named.0)?, absolute(named.1)?];
    let of_projects = |f: fn(&Path) -> Vec<PathBuf>| projects.iter().flat_map(|path| f(path)).collect::<Vec<_>>();
    let candidates = [of_projects(find::log_folders), of_projects(find::databases)];
    let questions = [
        "Log folders: old logs go to a trash for 14 days, large ones are rotated. Which?",
        "SQLite databases: checked, and made small when bloated. Which?",
    ];
    let present = [&health.log_roots, &health.databases];
    let project_owned = |path: &PathBuf| {
        config.settings.projects.iter().any(|p| p.log_roots.contains(path) || p.databases.contains(path))
    };
    for (at, candidates) in candidates.into_iter().enumerate() {
        let new = |path: &PathBuf| !present[at].contains(path) && !chosen[at].contains(path) && !project_owned(path);
        let new: Vec<PathBuf> = candidates.into_iter().filter(new).collect();
        let items: Vec<String> = new.iter().map(|path| path.display().to_string()).collect();
        // Touching somebody's files needs their word: nothing is marked beforehand.
        let picked = prompt.several(questions[at], &items, &vec![false; items.len()])?;
        chosen[at].extend(picked.into_iter().map(|at| new[at].clone()));
        chosen[at].retain(|path| !present[at].contains(path));
        for path in present[at].iter().chain(&chosen[at]) {
            println!("  {}", path.display());
        }
    }
    if present.iter().all(|list| list.is_empty()) && chosen.iter().all(Vec::is_empty) {
        println!("  none");
    }
    let [roots, databases] = chosen;
    Ok((roots, databases))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_an_iana_name_or_a_hint() {
        assert_eq!(parse_zone("Europe/Berlin"), Ok(Tz::Europe__Berlin));
        for (text, hint) in
            [("Berlin", "Europe/Berlin"), ("Europe/Berlni", "Europe/Berlin"), ("new york", "America/New_York")]
        {
            let error = parse_zone(text).unwrap_err();
            assert!(error.contains(&format!("did you mean {hint}?")), "{error}");
        }
        assert!(!parse_zone("xyz123").unwrap_err().contains("did you mean"));
        assert!(parse_zone("").is_err());
    }
}
