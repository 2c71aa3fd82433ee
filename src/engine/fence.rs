//! What the commands of builds and checks may reach: the leash each run gets, and what is said where it did not hold.
//!
//! An action is not leashed: it does what its owner approved, with exactly the command that was shown.

use super::{Engine, room};
use crate::agent::Login;
use crate::domain::settings::{NetworkRule, Project, Sandbox};
use crate::domain::words::list;
use crate::runner::RunSpec;
use crate::runner::leash::{self, Detected, Files, Folders, Held, Leash, Network};
use std::path::{Path, PathBuf};

/// What one run needs beyond its own folder.
#[derive(Default)]
pub(super) struct Reach<'a> {
    /// What it works in besides the clone.
    pub(super) work: Vec<PathBuf>,
    /// What it reads besides.
    pub(super) readable: Vec<PathBuf>,
    /// Hosts of its agent.
    pub(super) hosts: Vec<String>,
    /// Its agent's login.
    pub(super) login: Option<Login>,
    /// Its project.
    pub(super) project: Option<&'a Project>,
    /// It fetches what the project needs, from wherever that is.
    pub(super) fetches: bool,
}

/// Tries what this machine can hold, once a process.
async fn ground(engine: &Engine) -> &Detected {
    let cell = &engine.live.ground;
    cell.get_or_init(|| async {
        let (exe, scratch) = (engine.parts.runner.exe().to_owned(), engine.home().root().to_owned());
        let tried = tokio::task::spawn_blocking(move || leash::detect(&exe, &scratch));
        tried.await.unwrap_or_else(|error| panic!("what holds here could not be tried: {error}"))
    })
    .await
}

/// How much memory this machine has, if that is known; asked once a process.
async fn memory(engine: &Engine) -> Option<u64> {
    let cell = &engine.live.memory;
    let measured = cell.get_or_init(|| async {
        let (probe, now) = (std::sync::Arc::clone(&engine.parts.probe), engine.now());
        let measured = tokio::task::spawn_blocking(move || probe.sample(now).memory_total).await;
        measured.ok().filter(|bytes| *bytes > 0)
    });
    *measured.await
}

/// Why no build may run: the sandbox its owner insists on does not hold here.
pub(super) async fn barred(engine: &Engine) -> Option<String> {
    let sandbox = engine.settings().isolation.sandbox;
    match sandbox {
        Sandbox::Auto | Sandbox::Off => None,
        Sandbox::Bwrap | Sandbox::Landlock => ground(engine).await.mode(sandbox).err(),
    }
}

/// Puts a run on its leash and gives it a home folder of its own. `folder` is its build's or check's.
pub(super) async fn fence(engine: &Engine, spec: &mut RunSpec, folder: &Path, reach: Reach<'_>) -> Result<(), String> {
    let isolation = &engine.settings().isolation;
    let owner = spec.env.get("HOME").map(PathBuf::from);
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    let temp = folder.join("tmp");
    std::fs::create_dir_all(&temp).map_err(failed)?;
    let off = isolation.sandbox == Sandbox::Off;
    if off {
        // What it may use is bounded all the same.
        let bounds = leash::unsandboxed(isolation, memory(engine).await);
        spec.leash = Some(Leash { mode: bounds.mode.and(engine.parts.mechanisms), ..bounds });
    }
    if off && reach.login.is_none() {
        return Ok(());
    }
    let room = room::furnish(folder, owner.as_deref(), reach.login.as_ref()).map_err(failed)?;
    spec.env.insert("HOME".into(), room.home.to_string_lossy().into_owned());
    let tools = owner.as_deref().map(leash::tool_environment).unwrap_or_default();
    let mut installed = Vec::new();
    for (name, place) in tools.into_iter().filter(|(_, place)| Path::new(place).is_dir()) {
        installed.push(PathBuf::from(&*spec.env.entry(name).or_insert(place)));
    }
    if off {
        return Ok(());
    }
    let mode = ground(engine).await.mode(isolation.sandbox)?.and(engine.parts.mechanisms);
    let folders = Folders {
        work: std::iter::once(spec.cwd.clone()).chain(reach.work).collect(),
        temp,
        home: room.home,
        login: room.logins,
        readable: reach.readable.into_iter().chain(named(spec)).chain(installed).collect(),
        data: engine.home().root().to_owned(),
        owner,
        path: spec.env.get("PATH").cloned().unwrap_or_default(),
        memory: memory(engine).await,
    };
    let mut leash = leash::leash(&folders, reach.project, &reach.hosts, isolation, mode);
    if reach.fetches && isolation.network == NetworkRule::Agents {
        leash.network = Network::Open;
    }
    spec.leash = Some(leash);
    Ok(())
}

/// What the command itself names: its program with the parts it is installed with, and files among its arguments.
fn named(spec: &RunSpec) -> Vec<PathBuf> {
    let path = spec.env.get("PATH").map(String::as_str).unwrap_or_default();
    let program = spec.argv.first().and_then(|program| found(program, path));
    let parts = program.iter().flat_map(|program| [Some(program.clone()), installed_with(program)]).flatten();
    let files = spec.argv.iter().skip(1).map(PathBuf::from).filter(|word| word.is_absolute() && word.is_file());
    parts.chain(files).collect()
}

/// Where a program is, as the supervisor will find it.
fn found(program: &str, path: &str) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(PathBuf::from(program)).filter(|program| program.is_absolute());
    }
    path.split(':').map(|folder| Path::new(folder).join(program)).find(|candidate| candidate.is_file())
}

/// A program's own files: the `node_modules` it stands in, or what a link leads to.
fn installed_with(program: &Path) -> Option<PathBuf> {
    let real = program.canonicalize().ok()?;
    let modules =
        real.ancestors().filter(|folder| folder.file_name().is_some_and(|name| name == "node_modules")).last();
    Some(modules.map_or(real.clone(), Path::to_path_buf))
}

/// Whether files are guarded here, so that an agent needs no sandbox of its own.
pub(super) async fn holds(engine: &Engine) -> bool {
    engine.settings().isolation.sandbox != Sandbox::Off && ground(engine).await.sandboxed()
}

/// What did not hold while a run was at work, for the owner; none: it was held as asked.
pub(super) fn loose(held: Option<&Held>) -> Option<String> {
    match held {
        None => Some("unsandboxed, free to read and change what you can".into()),
        Some(held) if held.files == Files::None => Some("unsandboxed, free to read and change what you can".into()),
        Some(held) if held.gaps.is_empty() => None,
        Some(held) => Some(format!("with gaps in the sandbox: {}", list(&held.gaps, 6))),
    }
}
