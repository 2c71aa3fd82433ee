//! Installing the service: its unit is written next to the other files, then the service manager is told.

use super::prompt::Prompt;
use crate::cli::service::{self, Manager, Wanted, find_program};
use crate::config::Config;
use crate::host::atomic_write;
use anyhow::Context;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the service managers' programs need to find their daemon.
pub(super) const BUS: [&str; 3] = ["XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"];

/// A unit to be written.
#[derive(Debug)]
pub(super) struct Unit {
    manager: Manager,
    pub(super) file: PathBuf,
    text: String,
    before: Option<String>,
}

impl Unit {
    /// Puts the unit together, or says why there can't be one.
    pub(super) fn prepare(
        config: &Config,
        config_file: &Path,
        variables: &BTreeMap<String, String>,
    ) -> anyhow::Result<Self> {
        let manager = Manager::here();
        let file = manager.file(variables).context("HOME is not set, so there is no place for a service")?;
        let program = std::env::current_exe().context("can't find the path of this program")?;
        let word =
            |path: &Path| path.to_str().map(str::to_owned).with_context(|| format!("{} is not UTF-8", path.display()));
        let mut command = vec![word(&program)?, "--home".into(), word(&config.home)?];
        if config_file != config.home.join("overnight.toml") {
            command.extend(["--config".into(), word(config_file)?]);
        }
        command.push("run".into());
        let path = service::usable_path(variables.get("PATH").map(String::as_str).unwrap_or_default());
        let home = variables.get("HOME").map(PathBuf::from).unwrap_or_default();
        let text = service::text(manager, &Wanted { command, home, path });
        Ok(Self { before: fs::read_to_string(&file).ok(), manager, file, text })
    }

    /// Whether the same unit is there already.
    pub(super) fn is_there(&self) -> bool {
        self.before.as_deref() == Some(self.text.as_str())
    }

    /// Writes the unit; another one that was there is kept as `.bak`. `said` tells what was done.
    pub(super) fn write(&self, said: &mut Vec<String>) -> anyhow::Result<()> {
        if self.is_there() {
            return Ok(());
        }
        let folder = self.file.parent().context("the unit's folder")?;
        fs::create_dir_all(folder).with_context(|| format!("can't make {}", folder.display()))?;
        if let Some(before) = &self.before {
            let mut kept = self.file.clone().into_os_string();
            kept.push(".bak");
            atomic_write(Path::new(&kept), before.as_bytes())?;
            said.push(format!("kept:    {}", Path::new(&kept).display()));
        }
        atomic_write(&self.file, self.text.as_bytes())
            .with_context(|| format!("{} can't be written", self.file.display()))?;
        said.push(format!("written: {}", self.file.display()));
        Ok(())
    }

    /// Starts the service now and at every boot, and says what is left to do.
    pub(super) fn start(&self, variables: &BTreeMap<String, String>, running: bool) {
        let uid = rustix::process::getuid().as_raw();
        let file = self.file.display().to_string();
        let domain = format!("gui/{uid}");
        let steps: Vec<Vec<&str>> = match self.manager {
            Manager::Systemd => vec![
                vec!["systemctl", "--user", "daemon-reload"],
                vec!["systemctl", "--user", "enable", "overnight"],
                vec!["systemctl", "--user", "restart", "overnight"],
            ],
            Manager::Launchd => vec![vec!["launchctl", "bootstrap", &domain, &file]],
        };
        if running && self.manager == Manager::Systemd && !is_active(variables) {
            println!(
                "  A bot runs already, outside the service. End it (Ctrl-C), then: systemctl --user restart overnight"
            );
            let _ = run(&steps[0], variables).and_then(|()| run(&steps[1], variables));
            return;
        }
        if self.manager == Manager::Launchd {
            // Not loaded before is fine.
            let _ = run(&["launchctl", "bootout", &format!("{domain}/com.overnight")], variables);
        }
        for step in &steps {
            if let Err(problem) = run(step, variables) {
                println!("  ⚠️  {} did not work: {problem}", step.join(" "));
                println!("     The unit is written; once that is mended, run:");
                for step in &steps {
                    println!("       {}", step.join(" "));
                }
                return;
            }
        }
        println!("  ✅ the service is started, now and at every boot");
        match self.manager {
            Manager::Systemd => {
                if lingers(variables) == Some(false) {
                    println!(
                        "  ⚠️  It ends when you log out. So that it runs while nobody is logged in: loginctl enable-linger"
                    );
                }
            }
            Manager::Launchd => println!(
                "  It runs while you are logged in. On a machine nobody watches, turn on automatic login (not possible \
                 with FileVault: then log in after each boot)."
            ),
        }
    }
}

fn is_active(variables: &BTreeMap<String, String>) -> bool {
    run(&["systemctl", "--user", "--quiet", "is-active", "overnight"], variables).is_ok()
}

/// Whether the user's services run while nobody is logged in; none: it can't be told here.
pub(in crate::cli) fn lingers(variables: &BTreeMap<String, String>) -> Option<bool> {
    let uid = rustix::process::getuid().as_raw().to_string();
    let program = find_program("loginctl", variables.get("PATH")?)?;
    let asked = Command::new(program)
        .args(["show-user", &uid, "--property=Linger", "--value"])
        .env_clear()
        .envs(variables)
        .output()
        .ok()?;
    match String::from_utf8_lossy(&asked.stdout).trim() {
        "yes" => Some(true),
        "no" => Some(false),
        // Somebody who neither lingers nor is logged in is not known to it.
        _ if String::from_utf8_lossy(&asked.stderr).contains("not logged in or lingering") => Some(false),
        _ => None,
    }
}

fn run(words: &[&str], variables: &BTreeMap<String, String>) -> Result<(), String> {
    let path = variables.get("PATH").map(String::as_str).unwrap_or_default();
    let program = find_program(words[0], path).ok_or_else(|| format!("{} is not on PATH", words[0]))?;
    let ran = Command::new(program).args(&words[1..]).env_clear().envs(variables).output();
    let ran = ran.map_err(|error| error.to_string())?;
    if ran.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&ran.stderr);
    Err(said.lines().next().map_or_else(|| ran.status.to_string(), str::to_owned))
}

/// Asks whether to install it.
pub(super) fn wanted(prompt: Prompt, unit: &Unit) -> anyhow::Result<bool> {
    if unit.is_there() {
        println!("  {} is up to date", unit.file.display());
    }
    let question = format!("Keep the bot running as a service, from boot on ({})?", unit.file.display());
    prompt.confirm(&question, true)
}
