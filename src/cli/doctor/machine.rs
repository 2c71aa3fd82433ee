//! The configuration, the data folder, and this machine.

use super::Findings;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::domain::format::human_bytes;
use crate::git::Git;
use crate::host::awake::KeepAwake;
use crate::host::probe::{Probe, SystemProbe};
use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

/// How long the program that keeps the machine awake has to be refused.
const REFUSAL: Duration = Duration::from_millis(400);

pub(super) fn configuration(config: &Config, findings: &mut Findings) {
    match &config.config_file {
        Some(file) => findings.fine(format!("{} is right", file.display())),
        None => findings.warn("there is no overnight.toml: everything is at its default", "overnight init"),
    }
    let schedule = &config.settings.schedule;
    let now = SystemClock.now();
    let night = schedule.current_or_next(now);
    let zone = schedule.zone;
    if config.missing.iter().any(|missing| missing.feature == "your local time") {
        findings.warn("this machine's time zone can't be told, so nights go by UTC", "set zone under [schedule]");
    } else {
        let start = schedule.local(night.start).format("%a %d %b %H:%M");
        let when = if night.start <= now { "this night began" } else { "the next night begins" };
        findings.fine(format!("time zone {zone}; {when} {start}"));
    }
    let env = config.home.join(".env");
    if let Ok(found) = env.metadata() {
        let mode = found.permissions().mode() & 0o777;
        let open = mode & 0o077;
        if open == 0 {
            findings.fine(format!("{} is readable by you only", env.display()));
        } else {
            let what = format!("others may read {} and so your token (mode {mode:o})", env.display());
            findings.warn(what, format!("chmod 600 {}", env.display()));
        }
    }
}

/// Whether the data folder can be used.
pub(super) fn folder(config: &Config, findings: &mut Findings) -> bool {
    let home = &config.home;
    if home.symlink_metadata().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
        findings.bad(format!("there is no data folder {} yet", home.display()), "overnight init");
        return false;
    }
    if let Err(error) = config.ensure_home() {
        findings.bad(error.to_string(), "make it a folder you can write to, or choose another by OVERNIGHT_HOME");
        return false;
    }
    let probe = home.join(".doctor-probe");
    let _ = std::fs::remove_file(&probe);
    match std::fs::File::options().write(true).create_new(true).open(&probe) {
        Ok(_) => {
            let _ = std::fs::remove_file(&probe);
            findings.fine(format!("the data folder {} can be written", home.display()));
            true
        }
        Err(error) => {
            let what = format!("the data folder {} can't be written: {error}", home.display());
            findings.bad(what, "make it writable for your user, or choose another by OVERNIGHT_HOME");
            false
        }
    }
}

/// Space, memory, git, and being kept awake.
pub(super) async fn look(config: &Config, path: &str, findings: &mut Findings) {
    resources(config, findings);
    let empty = config.home.join("empty");
    let git = Git::new("git".into(), path.into(), if empty.is_dir() { empty } else { "/".into() });
    match git.with_timeout(Duration::from_secs(20)).version().await {
        Ok(version) => findings.fine(format!("git {version}")),
        Err(error) => {
            findings.bad(format!("git can't be used: {error}"), "install git 2.38 or newer, on the PATH above");
        }
    }
    awake(path, findings).await;
    if cfg!(target_os = "macos") {
        mac(config, findings);
    }
}

fn resources(config: &Config, findings: &mut Findings) {
    let limits = &config.settings.limits;
    let paths = std::iter::once(config.home.clone()).chain(config.settings.projects.iter().map(|p| p.path.clone()));
    let sample = SystemProbe::new(paths.filter(|path| path.exists()).collect()).sample(SystemClock.now());
    for mount in &sample.mounts {
        let used = mount.used_fraction() * 100.0;
        let free = human_bytes(mount.available_bytes);
        let least = limits.disk_free_gb.unwrap_or(0.0);
        let what = format!("the disk of {} is {used:.0} % full, {free} free", mount.path);
        if used > limits.disk_used_percent {
            let fix = format!("free space, or raise disk_used_percent ({}) under [limits]", limits.disk_used_percent);
            findings.bad(format!("{what}: no build starts"), fix);
        } else if (mount.available_bytes as f64) < least * 1e9 {
            findings.bad(format!("{what}: no build starts"), format!("free space, or lower disk_free_gb ({least})"));
        } else {
            findings.fine(what);
        }
    }
    if let Some(available) = sample.memory_available_fraction() {
        let share = available * 100.0;
        let what = format!("{share:.0} % of memory is available now");
        if share < limits.memory_available_percent {
            let fix = format!("builds wait below {} %; end what needs it", limits.memory_available_percent);
            findings.warn(what, fix);
        } else {
            findings.fine(what);
        }
    }
}

/// By trying it: the programs are often there and refused.
async fn awake(path: &str, findings: &mut Findings) {
    let fix = "switch automatic sleep off on this machine (or install systemd-inhibit and log in once)";
    match KeepAwake::start("overnight doctor tries whether it can", OsStr::new(path)) {
        Ok(mut held) => {
            tokio::time::sleep(REFUSAL).await;
            if held.is_held() {
                findings.fine(format!("this machine is kept awake during builds by {}", held.program().display()));
            } else {
                findings
                    .warn(format!("{} is refused: the machine may sleep during builds", held.program().display()), fix);
            }
        }
        Err(error) => findings.warn(error.to_string(), fix),
    }
}

/// What stops a Mac that nobody sits at.
fn mac(config: &Config, findings: &mut Findings) {
    let fdesetup = std::process::Command::new("/usr/bin/fdesetup").arg("status").output();
    if fdesetup.is_ok_and(|said| String::from_utf8_lossy(&said.stdout).contains("is On")) {
        findings.warn(
            "FileVault is on: after a power cut nothing runs until somebody logs in",
            "log in after each boot, or before a planned restart: sudo fdesetup authrestart",
        );
    }
    findings.warn(
        "logins in the keychain are locked while nobody is logged in",
        "stay logged in (screen locked is fine), or give agents a key or token in .env",
    );
    let guarded: [&str; 4] = ["Documents", "Desktop", "Downloads", "Library"];
    for project in &config.settings.projects {
        let inside = |folder: &&str| project.path.components().any(|part| part.as_os_str() == OsStr::new(*folder));
        if let Some(folder) = guarded.into_iter().find(inside) {
            let what =
                format!("{}: macOS asks before a service may read {folder}, and nobody answers at night", project.name);
            findings.warn(what, "give overnight Full Disk Access (Privacy & Security), or move the checkout");
        }
    }
    if !Path::new("/usr/bin/caffeinate").exists() {
        findings.warn("caffeinate is not there", "switch automatic sleep off in Energy settings");
    }
}
