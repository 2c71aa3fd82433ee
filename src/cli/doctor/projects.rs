//! Projects and agents, in the service's environment; and what a crash left in the vaults.

use super::Findings;
use super::packages;
use super::service::Service;
use crate::app::OnlyOne;
use crate::cli::agents::known::{Login, keys, look_for, of_kind, of_program};
use crate::cli::service::find_program;
use crate::config::Config;
use crate::domain::settings::{Argv, Project};
use crate::engine::home::Home;
use crate::git::{Git, owner_state};
use chrono::{DateTime, TimeDelta, Utc};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A lock file older than this belongs to no command that still runs: none may take so long.
const STALE: TimeDelta = TimeDelta::hours(1);

pub(super) async fn look(config: &Config, service: &Service, findings: &mut Findings) {
    let settings = &config.settings;
    if settings.agents.is_empty() {
        findings.bad("no agent is configured: nothing can be built", "overnight init finds those on PATH");
    }
    for agent in &settings.agents {
        let own = agent.env.get("PATH").unwrap_or(&service.path);
        let name = format!("agent {}", agent.name);
        if !program(&name, &agent.argv, own, service, None, findings) {
            continue;
        }
        let mut variables = config.child_env(&keys());
        variables.insert("PATH".into(), own.clone());
        let program = agent.argv.program();
        let Some(known) = of_kind(agent.kind).or_else(|| of_program(program)) else {
            findings.fine(format!("{name}: {}", agent.argv));
            continue;
        };
        match look_for(known, program, &variables).map(|found| found.login) {
            Some(Login::No) => findings.bad(format!("{name} is not logged in"), known.login_hint()),
            Some(Login::By(what)) => findings.fine(format!("{name}: found, login: {what}")),
            _ => findings.fine(format!("{name}: found; whether it is logged in can't be told without using it")),
        }
    }
    if settings.projects.is_empty() {
        findings.warn(
            "no project is configured: only artifacts and actions can be built",
            "overnight init --projects ~/src",
        );
    }
    let empty = config.home.join("empty");
    let git = Git::new("git".into(), service.path.clone().into(), if empty.is_dir() { empty } else { "/".into() });
    let git = git.with_timeout(Duration::from_mins(1));
    for project in &settings.projects {
        one(project, &git, service, findings).await;
        if let Some(home) = config.child_env(&[]).get("HOME") {
            packages::look(project, &settings.isolation, Path::new(home), findings);
        }
    }
}

async fn one(project: &Project, git: &Git, service: &Service, findings: &mut Findings) {
    let name = &project.name;
    if !project.path.is_dir() {
        let what = format!("{name}: its folder {} is not there", project.path.display());
        return findings.bad(what, "mount its disk, or correct path under [[projects]]");
    }
    let state = match owner_state(git, &project.path).await {
        Ok(state) => state,
        Err(error) => return findings.bad(format!("{name}: {error}"), "correct path under [[projects]]"),
    };
    let base = match (&project.base, &state.branch) {
        (Some(base), _) | (None, Some(base)) => base.clone(),
        (None, None) => {
            let what = format!("{name}: no branch is checked out there (a rebase under way?), and no base is named");
            return findings.warn(what, "check a branch out, or set base under [[projects]]");
        }
    };
    if state.head.is_none() {
        return findings.bad(format!("{name}: it has no commit yet"), "commit something");
    }
    if project.base.is_some() && !has_branch(&project.path, &base) {
        return findings.bad(format!("{name}: there is no branch {base}"), "correct base under [[projects]]");
    }
    let path = project.env.get("PATH").unwrap_or(&service.path);
    let commands = [("set-up", &project.setup), ("test", &project.verify)];
    let commands = commands.into_iter().filter_map(|(step, argv)| Some((step, argv.as_ref()?)));
    let measure = project.measure.as_ref().map(|measure| ("measure", &measure.argv));
    let mut fine = true;
    for (step, argv) in commands.chain(measure) {
        fine &= program(&format!("{name}: its {step} command"), argv, path, service, Some(&project.path), findings);
    }
    match &project.verify {
        None => findings
            .warn(format!("{name}: no test command, so its builds end as unverified"), "set verify under [[projects]]"),
        Some(verify) if fine => findings.fine(format!("{name}: builds start from {base}, checked by: {verify}")),
        Some(_) => {}
    }
}

/// A loose or packed branch. Git itself says more, when the night needs it.
fn has_branch(repository: &Path, branch: &str) -> bool {
    let dot_git = repository.join(".git");
    let git_dir = if dot_git.is_dir() { dot_git } else { repository.to_owned() };
    // A linked worktree keeps its branches elsewhere.
    if !git_dir.join("refs").is_dir() {
        return true;
    }
    let packed = std::fs::read_to_string(git_dir.join("packed-refs")).unwrap_or_default();
    let name = format!("refs/heads/{branch}");
    // Reftables keep no loose files.
    git_dir.join(&name).is_file()
        || git_dir.join("reftable").is_dir()
        || packed.lines().any(|line| line.ends_with(&format!(" {name}")))
}

/// Whether a command's program is found by the service. `clone` stands for the fresh clone it runs in.
fn program(
    what: &str,
    argv: &Argv,
    path: &str,
    service: &Service,
    clone: Option<&Path>,
    findings: &mut Findings,
) -> bool {
    let name = argv.program();
    if find_program(name, path).is_some() {
        return true;
    }
    if name.contains('/') && !name.starts_with('/') {
        // Made by the set-up command, perhaps; a checkout in use shows it.
        if clone.is_some_and(|clone| !clone.join(name).exists()) {
            findings.warn(format!("{what}: {name} is not in the checkout"), "fine if the set-up command makes it");
        }
        return true;
    }
    let fix = match (find_program(name, &service.shell_path), &service.unit) {
        (Some(found), Some(unit)) => {
            let folder = found.parent().unwrap_or(Path::new("/")).display().to_string();
            format!("add {folder} to PATH in {}, or run overnight init again from this shell", unit.display())
        }
        _ => format!("install {name}, or name it by its whole path"),
    };
    let place = if service.unit.is_some() { "the service does not find it" } else { "it is not on PATH" };
    findings.bad(format!("{what} needs {name}, and {place}"), fix);
    false
}

/// Lock files that git left in vaults when it was killed: everything that takes them fails from then on.
pub(super) fn locks(home: &Home, fix: bool, now: DateTime<Utc>, findings: &mut Findings) {
    let old = |path: &PathBuf| {
        let changed = path.metadata().and_then(|found| found.modified());
        changed.is_ok_and(|changed| now - DateTime::<Utc>::from(changed) > STALE)
    };
    let stale: Vec<PathBuf> = lock_files(&home.vaults()).into_iter().filter(old).collect();
    if stale.is_empty() {
        return;
    }
    // Held while they are removed, so that no bot begins to use them.
    let alone = OnlyOne::take(home);
    for file in stale {
        let what = format!("{} was left by a git that was killed; what needs it fails", file.display());
        match (&alone, fix) {
            (Err(_), _) => findings.warn(what, "end the bot, then: overnight doctor --fix"),
            (Ok(_), false) => findings.bad(what, "overnight doctor --fix"),
            (Ok(_), true) => match std::fs::remove_file(&file) {
                Ok(()) => findings.fine(format!("removed {}, left by a git that was killed", file.display())),
                Err(error) => findings.bad(format!("{what}; it can't be removed: {error}"), "remove it by hand"),
            },
        }
    }
}

fn lock_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        let Ok(entries) = folder.read_dir() else { continue };
        for entry in entries.filter_map(Result::ok) {
            let path = entry.path();
            match entry.file_type() {
                // Objects are many and never locked.
                Ok(kind) if kind.is_dir() && !path.ends_with("objects") => open.push(path),
                Ok(kind) if kind.is_file() && path.extension().is_some_and(|end| end == "lock") => found.push(path),
                _ => {}
            }
        }
    }
    found.sort();
    found
}
