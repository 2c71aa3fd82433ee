//! The two files that setting up makes: `.env` and `overnight.toml`. They are put together in memory, read by the
//! configuration as they will be, shown, and only then written, each in one step, what was there kept as `.bak`.

use super::edit;
use crate::config::{Config, Overrides};
use crate::domain::settings::{AgentKind, Argv};
use crate::host::atomic_write;
use anyhow::{Context, bail};
use chrono_tz::Tz;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Everything that was answered and is not in the files yet.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// The time zone.
    pub(super) zone: Option<Tz>,
    /// Variables for `.env`.
    pub(super) variables: Vec<(&'static str, String)>,
    /// Agents to add.
    pub(super) agents: Vec<NewAgent>,
    /// Projects to add.
    pub(super) projects: Vec<NewProject>,
    /// Folders to add to `health.log_roots`.
    pub(super) log_roots: Vec<PathBuf>,
    /// Files to add to `health.databases`.
    pub(super) databases: Vec<PathBuf>,
}

/// An agent to add.
#[derive(Debug, Clone)]
pub(super) struct NewAgent {
    /// Its name.
    pub(super) name: String,
    /// What it is.
    pub(super) kind: AgentKind,
    /// Said above it.
    pub(super) comment: String,
}

/// A project to add.
#[derive(Debug, Clone)]
pub(super) struct NewProject {
    /// Its name.
    pub(super) name: String,
    /// The owner's checkout.
    pub(super) path: PathBuf,
    /// Run in a fresh clone first.
    pub(super) setup: Option<Argv>,
    /// Decides whether a result is right.
    pub(super) verify: Option<Argv>,
    /// Said above it: what trying showed.
    pub(super) comment: String,
}

/// A file as it is and as it will be.
#[derive(Debug)]
pub(super) struct Change {
    /// Where; a link is followed.
    pub(super) file: PathBuf,
    /// None: there is no such file.
    before: Option<String>,
    after: String,
    /// Others may read it now.
    open_to_others: bool,
}

/// Both files.
#[derive(Debug)]
pub(super) struct Changes {
    /// `.env`.
    pub(super) env: Change,
    /// `overnight.toml`.
    pub(super) toml: Change,
}

impl Changes {
    /// Puts the texts together and lets the configuration read them. Nothing is written outside a temporary folder.
    pub(super) fn prepare(config: &Config, wanted: &Wanted) -> anyhow::Result<Self> {
        let toml_file = config.config_file.clone().unwrap_or_else(|| config.home.join("overnight.toml"));
        let mut env = Change::read(config.home.join(".env"))?;
        let mut toml = Change::read(toml_file)?;
        for (name, value) in &wanted.variables {
            env.after = edit::set_variable(&env.after, name, value);
        }
        toml.after = compose(&toml.after, wanted)?;
        let changes = Self { env, toml };
        changes.check(config, wanted)?;
        Ok(changes)
    }

    /// Whether there is anything to write.
    pub(super) fn any(&self) -> bool {
        self.env.differs() || self.toml.differs()
    }

    /// Writes what differs; `said` tells what was done, also if not all could be.
    pub(super) fn write(&self, said: &mut Vec<String>) -> anyhow::Result<()> {
        self.env.write(said)?;
        self.toml.write(said)
    }

    fn check(&self, config: &Config, wanted: &Wanted) -> anyhow::Result<()> {
        let folder = std::env::temp_dir().join(format!("overnight-init-{:032x}", rand::random::<u128>()));
        fs::create_dir(&folder).with_context(|| format!("can't make {}", folder.display()))?;
        let checked = self.check_in(&folder, config, wanted);
        let _ = fs::remove_dir_all(&folder);
        checked
    }

    fn check_in(&self, folder: &Path, config: &Config, wanted: &Wanted) -> anyhow::Result<()> {
        let staged = folder.join("overnight.toml");
        atomic_write(&folder.join(".env"), self.env.after.as_bytes())?;
        atomic_write(&staged, self.toml.after.as_bytes())?;
        let overrides = Overrides { home: Some(config.home.clone()), config_file: Some(staged.clone()) };
        let read = Config::load_from(&overrides, config.child_env(&[]), folder).map_err(|error| {
            let shown = error.to_string().replace(&staged.display().to_string(), &self.toml.file.display().to_string());
            anyhow::anyhow!("the files would not be readable after the change, so nothing was written: {shown}")
        })?;
        if let Some(lost) = missing_from(&read, wanted) {
            bail!(
                "{} is written in a way that can't be edited safely ({lost} did not arrive), so nothing was written; add \
                 this by hand:\n\n{}",
                self.toml.file.display(),
                compose("", wanted)?
            );
        }
        Ok(())
    }
}

/// What was wanted and is not there.
fn missing_from(read: &Config, wanted: &Wanted) -> Option<String> {
    let settings = &read.settings;
    if wanted.zone.is_some_and(|zone| zone != settings.schedule.zone) {
        return Some("the time zone".into());
    }
    let agent = |new: &&NewAgent| settings.agent(&new.name).is_none_or(|agent| agent.kind != new.kind);
    if let Some(agent) = wanted.agents.iter().find(agent) {
        return Some(format!("agent {}", agent.name));
    }
    let project = |new: &&NewProject| {
        settings.project(&new.name).is_none_or(|p| p.path != new.path || p.verify != new.verify || p.setup != new.setup)
    };
    if let Some(project) = wanted.projects.iter().find(project) {
        return Some(format!("project {}", project.name));
    }
    let mut paths = wanted.log_roots.iter().filter(|path| !settings.health.log_roots.contains(path));
    let mut files = wanted.databases.iter().filter(|path| !settings.health.databases.contains(path));
    paths.next().or_else(|| files.next()).map(|path| path.display().to_string())
}

/// The configuration's text with what is wanted in it.
fn compose(text: &str, wanted: &Wanted) -> anyhow::Result<String> {
    let mut text = text.to_owned();
    if text.is_empty() {
        "# Written by `overnight init`, which can be run again. overnight.example.toml explains every key.\n"
            .clone_into(&mut text);
    }
    if let Some(zone) = wanted.zone {
        text = edit::set_key(&text, "schedule", "zone", &edit::string(zone.name()));
    }
    let [roots, databases] = [path_list(&wanted.log_roots)?, path_list(&wanted.databases)?];
    text = edit::add_to_list(&text, "health", "log_roots", &roots);
    text = edit::add_to_list(&text, "health", "databases", &databases);
    for agent in &wanted.agents {
        let mut block = format!("{}[[agents]]\n", comment(&agent.comment));
        block.push_str(&line("name", &edit::string(&agent.name)));
        block.push_str(&line("kind", &edit::string(agent.kind.as_str())));
        text = edit::append(&text, &block);
    }
    for project in &wanted.projects {
        let mut block = format!("{}[[projects]]\n", comment(&project.comment));
        block.push_str(&line("name", &edit::string(&project.name)));
        block.push_str(&line("path", &edit::string(shown(&project.path)?)));
        for (key, argv) in [("setup", &project.setup), ("verify", &project.verify)] {
            if let Some(argv) = argv {
                block.push_str(&line(key, &command(argv)));
            }
        }
        text = edit::append(&text, &block);
    }
    Ok(text)
}

fn line(key: &str, value: &str) -> String {
    format!("{key} = {value}\n")
}

fn comment(text: &str) -> String {
    text.lines().fold(String::new(), |all, line| all + "# " + line + "\n")
}

/// One line where it reads well; shell scripts as a list, without a second layer of quotes.
fn command(argv: &Argv) -> String {
    if argv.program() == "sh" { list(argv.as_slice()) } else { edit::string(&argv.to_string()) }
}

fn list(words: &[String]) -> String {
    format!("[{}]", words.iter().map(|word| edit::string(word)).collect::<Vec<_>>().join(", "))
}

fn path_list(paths: &[PathBuf]) -> anyhow::Result<Vec<String>> {
    paths.iter().map(|path| Ok(edit::string(shown(path)?))).collect()
}

fn shown(path: &Path) -> anyhow::Result<&str> {
    path.to_str().with_context(|| format!("{} is not UTF-8: the configuration can't name it", path.display()))
}

impl Change {
    fn read(file: PathBuf) -> anyhow::Result<Self> {
        let file = file.canonicalize().unwrap_or(file);
        let before = match fs::read_to_string(&file) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(error).with_context(|| format!("{} can't be read", file.display())),
        };
        let open = |found: fs::Metadata| found.permissions().mode() & 0o077 != 0;
        let open_to_others = file.metadata().is_ok_and(open) && file.ends_with(".env");
        Ok(Self { after: before.clone().unwrap_or_default(), before, file, open_to_others })
    }

    /// Whether anything is to be written.
    pub(super) fn differs(&self) -> bool {
        self.before.as_deref().unwrap_or_default() != self.after || self.open_to_others
    }

    /// What will be done, in a line.
    pub(super) fn words(&self) -> String {
        let file = self.file.display();
        match &self.before {
            _ if !self.differs() => format!("{file}: stays as it is"),
            None => format!("{file}: is made, readable by you only"),
            Some(before) if *before == self.after => format!("{file}: is closed to others (0600)"),
            Some(before) => {
                let old: BTreeMap<&str, usize> = counted(before);
                let added =
                    counted(&self.after).into_iter().map(|(line, n)| n.saturating_sub(*old.get(line).unwrap_or(&0)));
                let added: usize = added.sum();
                format!(
                    "{file}: {added} lines added or changed, the rest stays; a copy is kept as {}",
                    self.kept().display()
                )
            }
        }
    }

    fn kept(&self) -> PathBuf {
        let mut name = self.file.clone().into_os_string();
        name.push(".bak");
        name.into()
    }

    fn write(&self, said: &mut Vec<String>) -> anyhow::Result<()> {
        if !self.differs() {
            return Ok(());
        }
        let failed = |file: &Path| format!("{} can't be written", file.display());
        if let Some(before) = self.before.as_ref().filter(|before| **before != self.after) {
            let kept = self.kept();
            atomic_write(&kept, before.as_bytes()).with_context(|| failed(&kept))?;
            said.push(format!("kept:    {}", kept.display()));
        }
        atomic_write(&self.file, self.after.as_bytes()).with_context(|| failed(&self.file))?;
        said.push(format!("written: {}", self.file.display()));
        Ok(())
    }
}

fn counted(text: &str) -> BTreeMap<&str, usize> {
    let mut lines = BTreeMap::new();
    for line in text.lines() {
        *lines.entry(line).or_default() += 1;
    }
    lines
}
