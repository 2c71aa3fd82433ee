//! The installed service, and the environment it gives: which programs are found there, which variables are set.

use super::Findings;
use crate::cli::init::lingers;
use crate::cli::service::{self, Installed, Manager, find_program};
use crate::config::{Config, Overrides};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What builds will find.
#[derive(Debug)]
pub(super) struct Service {
    /// Its unit, if one is installed.
    pub(super) unit: Option<PathBuf>,
    /// Where programs are looked up.
    pub(super) path: String,
    /// Where the shell looks them up.
    pub(super) shell_path: String,
}

pub(super) fn look(config: &Config, overrides: &Overrides, findings: &mut Findings) -> Service {
    let names = ["XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"].map(str::to_owned);
    let variables = config.child_env(&names);
    let shell_path = variables.get("PATH").cloned().unwrap_or_default();
    let home = variables.get("HOME").map(PathBuf::from).unwrap_or_default();
    let manager = Manager::here();
    let file = manager.file(&variables);
    let text = file.as_ref().and_then(|file| std::fs::read_to_string(file).ok());
    let (Some(file), Some(text)) = (file, text) else {
        findings.warn(
            "no service is installed: the bot runs only while you run it, with this shell's environment",
            "overnight init installs one; deploy/ has crontab and Dockerfile",
        );
        return Service { unit: None, path: shell_path.clone(), shell_path };
    };
    let installed = service::read(manager, &text, &home);
    findings.fine(format!("installed: {}", file.display()));
    command(&installed, config, &home, findings);
    if !installed.spares_builds {
        let (key, value) = match manager {
            Manager::Systemd => ("KillMode", "KillMode=process"),
            Manager::Launchd => ("AbandonProcessGroup", "AbandonProcessGroup true"),
        };
        let what = format!("{key} is not set as in deploy/: a restart of the bot ends all running builds");
        findings.warn(what, format!("set {value} in {}", file.display()));
    }
    if manager == Manager::Systemd {
        systemd(&variables, findings);
    }
    environment(&installed, config, overrides, &variables, &file, findings);
    let path = installed.variables.get("PATH").cloned().unwrap_or_default();
    findings.fine(format!("its programs are looked up in {path}"));
    Service { unit: Some(file), path, shell_path }
}

fn command(installed: &Installed, config: &Config, home: &Path, findings: &mut Findings) {
    let Some(program) = &installed.program else {
        return findings.bad("the unit starts no program", "overnight init writes it anew");
    };
    if find_program(&program.display().to_string(), "").is_none() {
        findings.bad(format!("it starts {}, which is not there", program.display()), "overnight init writes it anew");
    }
    let after = |flag: &str| installed.command.iter().skip_while(|word| *word != flag).nth(1).map(PathBuf::from);
    let named = after("--home").or_else(|| installed.variables.get("OVERNIGHT_HOME").map(PathBuf::from));
    let used = named.unwrap_or_else(|| home.join(".overnight"));
    if used != config.home {
        let what = format!("the service uses {}, this command {}", used.display(), config.home.display());
        findings.warn(what, format!("overnight --home {} doctor looks at the service's", used.display()));
    }
}

fn systemd(variables: &BTreeMap<String, String>, findings: &mut Findings) {
    let ask = |what: &str| -> Option<String> {
        let program = find_program("systemctl", variables.get("PATH")?)?;
        let asked = Command::new(program).args(["--user", what, "overnight"]).env_clear().envs(variables).output();
        let said = String::from_utf8_lossy(&asked.ok()?.stdout).trim().to_owned();
        (!said.is_empty()).then_some(said)
    };
    match ask("is-enabled").as_deref() {
        Some("enabled") => findings.fine("it starts at boot"),
        Some(state) => {
            findings.bad(format!("it does not start at boot ({state})"), "systemctl --user enable --now overnight");
        }
        None => findings.warn("systemctl --user does not answer here", "look from a login of the service's user"),
    }
    if ask("is-active").as_deref() == Some("failed") {
        let fix = "journalctl --user -u overnight; then systemctl --user reset-failed overnight and start it";
        findings.bad("it has failed and stays down", fix);
    }
    match lingers(variables) {
        Some(true) => findings.fine("it runs while nobody is logged in (linger)"),
        Some(false) => findings.bad("it ends when you log out: linger is off", "loginctl enable-linger"),
        None => findings.warn("whether it runs while nobody is logged in can't be told", "loginctl enable-linger"),
    }
}

/// Reads the configuration as the service does.
fn environment(
    installed: &Installed,
    config: &Config,
    overrides: &Overrides,
    variables: &BTreeMap<String, String>,
    file: &Path,
    findings: &mut Findings,
) {
    let mut given: BTreeMap<String, String> = ["HOME", "USER", "LOGNAME", "SHELL", "LANG"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), variables.get(name)?.clone())))
        .collect();
    given.extend(installed.variables.clone());
    for (path, optional) in &installed.files {
        match std::fs::read_to_string(path) {
            Ok(text) => given.extend(text.lines().filter_map(assignment)),
            Err(_) if *optional => {}
            Err(error) => {
                let what =
                    format!("its EnvironmentFile {} can't be read, so it does not start: {error}", path.display());
                findings.bad(what, format!("make it, or take the line out of {}", file.display()));
            }
        }
    }
    let home = given.get("HOME").map_or_else(|| PathBuf::from("/"), PathBuf::from);
    let overrides = Overrides { home: Some(config.home.clone()), config_file: overrides.config_file.clone() };
    let seen = match Config::load_from(&overrides, given, &home) {
        Ok(seen) => seen,
        Err(error) => return findings.bad(format!("for the service: {error}"), "correct that, or overnight init"),
    };
    let own = |config: &Config| config.telegram.as_ref().map(|known| (known.token.clone(), known.owner));
    if own(&seen) != own(config) {
        let what = "the service does not see the Telegram token and owner you see here";
        findings.bad(what, format!("overnight init writes both into {}", config.home.join(".env").display()));
    }
    if seen.config_file != config.config_file {
        let shown = |file: &Option<PathBuf>| file.as_ref().map_or("none".into(), |file| file.display().to_string());
        let what = format!(
            "the service reads another configuration: {} instead of {}",
            shown(&seen.config_file),
            shown(&config.config_file)
        );
        findings.warn(what, "move it into the data folder, or name it by --config in the unit");
    }
    for missing in seen.missing.iter().filter(|missing| !config.missing.contains(missing)) {
        findings.warn(format!("for the service: {missing}"), format!("put it into {}/.env", config.home.display()));
    }
}

/// `NAME=value` of an EnvironmentFile.
fn assignment(line: &str) -> Option<(String, String)> {
    let line = line.trim();
    let (name, value) = line.split_once('=').filter(|_| !line.starts_with(['#', ';']))?;
    let value = value.trim();
    let bare = ['"', '\''].into_iter().find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote));
    Some((name.trim().to_owned(), bare.unwrap_or(value).to_owned()))
}
