//! What a story is played on: projects in temporary folders, their configuration, the machine's script.

use super::{FakePhone, Front, Keyboard, OnTelegram, Overnight};
use chrono::{DateTime, LocalResult, NaiveDateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use overnight::chat::telegram::TelegramOptions;
use overnight::clock::{Clock, ManualClock};
use overnight::config::{Config, Overrides};
use overnight::domain::resource::Sample;
use overnight::host::probe::ScriptedProbe;
use overnight::runner::leash::Mechanisms;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use tempfile::TempDir;

/// A project to be made.
#[derive(Debug, Clone)]
struct Project {
    name: String,
    /// Files it begins with, besides its README and check.
    files: Vec<(OsString, String)>,
    /// Lines of its configuration.
    lines: Vec<String>,
}

/// What the machine's script does to a calm sample.
type Change = fn(&mut Sample);

/// Where the owner sits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum On {
    Phone,
    Telegram,
    Terminal,
}

/// What a story needs before its evening begins.
pub(crate) struct Stage {
    on: On,
    pub(crate) zone: Tz,
    projects: Vec<Project>,
    sections: BTreeMap<&'static str, Vec<String>>,
    agents: String,
    variables: Vec<(String, String)>,
    script: Vec<(&'static str, Change)>,
    pub(crate) restless: bool,
    /// What may hold builds, of what this machine has.
    pub(crate) mechanisms: Mechanisms,
    pub(crate) folder: TempDir,
}

impl Stage {
    /// With a project `app` that has a verify command, in Berlin.
    pub(crate) fn new(on: On) -> Self {
        let folder = tempfile::Builder::new().prefix("night").tempdir_in(fast_folder()).unwrap();
        let mut stage = Self {
            on,
            zone: chrono_tz::Europe::Berlin,
            projects: vec![],
            sections: BTreeMap::new(),
            agents: String::new(),
            variables: vec![],
            script: vec![],
            restless: false,
            mechanisms: Mechanisms::ALL,
            folder,
        };
        stage = stage.project("app");
        let senders = ["phone:1", OnTelegram::SENDER, overnight::config::TERMINAL_OWNER]
            .map(|sender| format!("{sender:?}"))
            .join(", ");
        let senders = format!("senders = [{senders}]");
        let stage = stage.set("limits", "sample_every = \"10m\"").set("build", "grace = \"1s\"");
        stage.set("owner", &senders).set("isolation", "sandbox = \"off\"")
    }

    /// The owner's zone.
    pub(crate) fn zone(mut self, zone: Tz) -> Self {
        self.zone = zone;
        self
    }

    /// One more project, with a verify command.
    pub(crate) fn project(mut self, name: &str) -> Self {
        let lines = vec!["verify = [\"sh\", \"check.sh\"]".to_owned()];
        self.projects.push(Project { name: name.into(), files: vec![], lines });
        self
    }

    /// A file the latest project begins with.
    pub(crate) fn file(mut self, name: impl AsRef<OsStr>, text: &str) -> Self {
        self.projects.last_mut().unwrap().files.push((name.as_ref().to_owned(), text.into()));
        self
    }

    /// Another configuration line for the latest project.
    pub(crate) fn with(mut self, line: &str) -> Self {
        self.projects.last_mut().unwrap().lines.push(line.into());
        self
    }

    /// The latest project is verified by this command instead.
    pub(crate) fn checked_by(mut self, argv: &[&str]) -> Self {
        let project = self.projects.last_mut().unwrap();
        project.lines.retain(|line| !line.starts_with("verify"));
        project.lines.push(format!("verify = {argv:?}"));
        self
    }

    /// The latest project has no verify command.
    pub(crate) fn unchecked(mut self) -> Self {
        self.projects.last_mut().unwrap().lines.clear();
        self
    }

    /// A configuration line.
    pub(crate) fn set(mut self, section: &'static str, line: &str) -> Self {
        self.sections.entry(section).or_default().push(line.into());
        self
    }

    /// One more agent.
    pub(crate) fn agent(mut self, name: &str, command: &str) -> Self {
        let _ = writeln!(self.agents, "[[agents]]\nname = \"{name}\"\ncommand = [\"{command}\"]");
        self
    }

    /// One more agent: a script that prints what the CLI of that kind prints.
    pub(crate) fn cli(self, name: &str, kind: &str) -> Self {
        self.cli_with(name, kind, "")
    }

    /// The same with more of its configuration.
    pub(crate) fn cli_with(mut self, name: &str, kind: &str, line: &str) -> Self {
        let _ = writeln!(
            self.agents,
            "[[agents]]\nname = \"{name}\"\nkind = \"{kind}\"\nprogram = \"@STAGE@/{kind}.sh\"\n\
             env = {{ STAGE = \"@STAGE@/notes\" }}\n{line}"
        );
        self
    }

    /// Builds are held on their leashes, as they are unless somebody says otherwise; scripted agents can leave their notes.
    pub(crate) fn held(self) -> Self {
        self.held_by("auto")
    }

    /// The same by one mechanism.
    pub(crate) fn held_by(mut self, sandbox: &str) -> Self {
        self.sections.insert("isolation", vec![format!("sandbox = \"{sandbox}\"")]);
        for project in &mut self.projects {
            project.lines.push("caches = [\"@STAGE@/notes\"]".into());
        }
        self
    }

    /// A variable of the bot's environment.
    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// From this local moment on the machine is calm but for this.
    pub(crate) fn machine(mut self, from: &'static str, change: Change) -> Self {
        self.script.push((from, change));
        self
    }

    /// The bot is restarted whenever something has happened.
    pub(crate) fn restless(mut self) -> Self {
        self.restless = true;
        self
    }

    /// Path of a project's checkout.
    pub(crate) fn checkout(&self, project: &str) -> PathBuf {
        self.folder.path().join("src").join(project)
    }

    /// Paths of all checkouts.
    pub(crate) fn checkouts(&self) -> Vec<PathBuf> {
        self.projects.iter().map(|project| self.checkout(&project.name)).collect()
    }

    /// The owner's evening begins at this local moment, such as `2026-03-14 21:58`.
    pub(crate) async fn start(self, moment: &str) -> Overnight {
        for project in &self.projects {
            make(&self.checkout(&project.name), project);
        }
        let notes = self.folder.path().join("notes");
        for folder in ["held", "released"] {
            fs::create_dir_all(notes.join(folder)).unwrap();
        }
        fs::write(self.folder.path().join("agent.sh"), include_str!("agent.sh")).unwrap();
        executable(&self.folder.path().join("claude.sh"), include_str!("claude.sh"));
        executable(&self.folder.path().join("aider.sh"), include_str!("aider.sh"));
        let now = moment_in(self.zone, moment);
        let clock = Arc::new(ManualClock::new(now));
        let time = Arc::clone(&clock) as Arc<dyn Clock>;
        let front: Arc<dyn Front> = match self.on {
            On::Phone => Arc::new(FakePhone::new()),
            On::Telegram => Arc::new(OnTelegram::new(time).await),
            On::Terminal => Arc::new(Keyboard::new(time)),
        };
        self.raise(clock, front).await
    }

    /// The same with a phone whose faults the story stages.
    pub(crate) async fn start_with(self, moment: &str, phone: Arc<FakePhone>) -> Overnight {
        let mut o = self.start(moment).await;
        o.changes_front(phone).await;
        o
    }

    /// The same on Telegram, whose server the story can disturb.
    pub(crate) async fn start_on_telegram(
        self,
        moment: &str,
        change: impl FnOnce(&mut TelegramOptions),
    ) -> (Overnight, Arc<OnTelegram>) {
        let mut o = self.start(moment).await;
        let telegram = Arc::new(OnTelegram::with(o.clock(), change).await);
        o.changes_front(Arc::clone(&telegram) as Arc<dyn Front>).await;
        (o, telegram)
    }

    async fn raise(self, clock: Arc<ManualClock>, front: Arc<dyn Front>) -> Overnight {
        let config = self.load();
        let calm = ScriptedProbe::calm(clock.now() - TimeDelta::days(1));
        let script = self.script.iter().map(|(from, change)| {
            let mut sample = Sample { at: moment_in(self.zone, from), ..calm.clone() };
            change(&mut sample);
            sample
        });
        let probe = ScriptedProbe::new(std::iter::once(calm.clone()).chain(script).collect());
        Overnight::new(self, config, clock, front, Arc::new(probe)).await
    }

    fn load(&self) -> Config {
        let file = self.folder.path().join("overnight.toml");
        fs::write(&file, self.text()).unwrap();
        let overrides = Overrides { home: Some(self.folder.path().join("home")), config_file: Some(file) };
        let path = std::env::vars().find(|(name, _)| name == "PATH").unwrap();
        let home = ("HOME".to_owned(), self.folder.path().to_str().unwrap().to_owned());
        let variables = [path, home].into_iter().chain(self.variables.clone()).collect();
        Config::load_from(&overrides, variables, self.folder.path()).unwrap()
    }

    fn text(&self) -> String {
        let folder = self.folder.path().to_str().unwrap();
        let mut text = format!("[schedule]\nzone = \"{}\"\n", self.zone);
        for line in self.sections.get("schedule").into_iter().flatten() {
            let _ = writeln!(text, "{line}");
        }
        for (section, lines) in self.sections.iter().filter(|(section, _)| **section != "schedule") {
            let _ = writeln!(text, "[{section}]\n{}", lines.join("\n"));
        }
        let _ = writeln!(
            text,
            "[[agents]]\nname = \"script\"\ncommand = [\"sh\", \"{folder}/agent.sh\"]\nenv = {{ STAGE = \"{folder}/notes\" }}"
        );
        text.push_str(&self.agents);
        for project in &self.projects {
            let path = self.checkout(&project.name);
            let lines = project.lines.join("\n");
            let _ = writeln!(text, "[[projects]]\nname = \"{}\"\npath = \"{}\"\n{lines}", project.name, path.display());
        }
        text.replace("@STAGE@", folder)
    }
}

/// Memory where there is plenty of it: a story waits for thousands of syncs, and proves nothing about disks.
fn fast_folder() -> PathBuf {
    let memory = Path::new("/dev/shm");
    let plenty = rustix::fs::statvfs(memory).is_ok_and(|space| space.f_bavail * space.f_frsize > 2_000_000_000);
    let writable = rustix::fs::access(memory, rustix::fs::Access::WRITE_OK).is_ok();
    if plenty && writable { memory.to_owned() } else { std::env::temp_dir() }
}

fn executable(file: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::write(file, text).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
}

fn make(folder: &Path, project: &Project) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("README.md"), format!("# {}\n", project.name)).unwrap();
    fs::write(folder.join("check.sh"), include_str!("check.sh")).unwrap();
    for (name, text) in &project.files {
        fs::write(folder.join(OsStr::from_bytes(name.as_bytes())), text).unwrap();
    }
    git(folder, &["init", "-q", "-b", "main"]);
    git(folder, &["add", "-A"]);
    git(folder, &["commit", "-q", "-m", "As it is today"]);
}

/// What git says, run as the owner would.
pub(crate) fn git(folder: &Path, arguments: &[&str]) -> String {
    let done = Command::new("git")
        .args(["-c", "user.name=Owner", "-c", "user.email=owner@example.org"])
        .arg("-C")
        .arg(folder)
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .unwrap();
    assert!(done.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).trim_end().to_owned()
}

/// `2026-03-14 21:58` in that zone; the first of two, or the first after a gap.
pub(crate) fn moment_in(zone: Tz, text: &str) -> DateTime<Utc> {
    let naive = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap_or_else(|e| panic!("{text:?}: {e}"));
    match zone.from_local_datetime(&naive) {
        LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => at.with_timezone(&Utc),
        LocalResult::None => zone.from_local_datetime(&(naive + TimeDelta::hours(1))).unwrap().with_timezone(&Utc),
    }
}

/// Every file under a folder with its bytes: what "untouched" means.
pub(crate) fn bytes_of(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(current) = open.pop() {
        for entry in fs::read_dir(&current).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.insert(path.clone(), fs::read(&path).unwrap());
            }
        }
    }
    found
}
