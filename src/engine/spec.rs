//! What a run executes: program, folder, environment, log and limits, made from the rows and the configuration alone, so
//! that a restarted bot launches exactly the same.

use super::Engine;
use super::fence::{self, Reach};
use crate::agent::{self, AgentReport};
use crate::domain::build::{Build, Run, RunOwner, RunStep, Wait};
use crate::domain::id::RunId;
use crate::domain::plan::runs::left;
use crate::domain::settings::{Agent, AgentKind, Argv, Project};
use crate::domain::task::{Task, TaskKind};
use crate::runner::RunSpec;
use crate::store::{Conn, StoreError, builds, checks, control, runs, tasks};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(super) fn log_path(engine: &Engine, owner: RunOwner, step: RunStep, round: u32) -> PathBuf {
    let home = &engine.parts.home;
    match (owner, step) {
        (RunOwner::Build(build), RunStep::Agent) => home.build_log(build, round),
        (RunOwner::Build(build), step) => home.step_log(&format!("build_{build}"), step.as_str()),
        (RunOwner::Check(check), step) => home.step_log(&format!("check_{check}"), step.as_str()),
    }
}

/// Standard error of an agent, beside its log.
pub(super) fn stderr_path(log: &Path) -> PathBuf {
    log.with_extension("err.log")
}

/// The agent that works on a build.
pub(super) fn agent_of<'a>(engine: &'a Engine, build: &Build, task: &Task) -> Option<&'a Agent> {
    let settings = &engine.parts.settings;
    match build.agent.as_deref() {
        Some(name) => settings.agent(name),
        None => settings.agent_for(task.spec.project.as_deref(), task.spec.agent.as_deref()),
    }
}

/// What to run, from the rows and the configuration alone: the same after a restart. `Err` says why it can't be.
pub(super) async fn spec(engine: &Engine, conn: &mut Conn, id: RunId) -> Result<Result<RunSpec, String>, StoreError> {
    let run = runs::open(conn).await?.into_iter().find(|run| run.id == id);
    let Some(run) = run else { return Ok(Err("the run has ended".into())) };
    let fenced = match run.owner {
        RunOwner::Build(build) => {
            let build = builds::get(conn, build).await?;
            let task = tasks::get(conn, build.task).await?;
            let slot = builds::slot(conn, build.id).await?;
            let mut earlier = runs::rounds(conn, build.id).await?;
            earlier.retain(|earlier| earlier.round < build.round);
            let gaps = control::gaps(conn, build.started_at, run.started_at).await?;
            let left = left(engine.parts.settings.build.timeout, earlier.iter(), &gaps).to_std().unwrap_or_default();
            let resumed = match earlier.pop().and_then(|run| run.report) {
                Some(report) => Some((report, builds::went_on(conn, build.id).await?)),
                None => None,
            };
            let sandboxed = fence::holds(engine).await;
            let mut fenced = build_spec(engine, &run, &build, &task, slot, resumed.as_ref(), sandboxed);
            if let (Ok(fenced), RunStep::Agent) = (&mut fenced, run.step) {
                fenced.spec.timeout_secs = supervised(engine, left);
            }
            fenced
        }
        RunOwner::Check(check) => {
            let check = checks::get(conn, check).await?;
            let project = engine.parts.settings.project(&check.project);
            project.ok_or_else(|| format!("project {:?} is not configured", check.project)).and_then(|project| {
                let folder = engine.parts.home.check(check.id);
                let argv = project_command(project, run.step)?;
                // One check at a time per project: it has the range after those of the builds.
                let slot = engine.parts.settings.max_builds_of(&project.name);
                let env = environment(engine, &folder, Some(project), None, slot);
                let spec = finish(engine, &run, argv, folder.join("clone"), env, None);
                let fetches = run.step == RunStep::Setup;
                Ok(Fenced { spec, folder, reach: Some(Reach { project: Some(project), fetches, ..Reach::default() }) })
            })
        }
    };
    Ok(match fenced {
        Err(error) => Err(error),
        Ok(Fenced { spec, reach: None, .. }) => Ok(spec),
        Ok(Fenced { mut spec, folder, reach: Some(reach) }) => {
            fence::fence(engine, &mut spec, &folder, reach).await.map(|()| spec)
        }
    })
}

/// What to run and what it may reach; none: an action, which does what its owner approved.
struct Fenced<'a> {
    spec: RunSpec,
    folder: PathBuf,
    reach: Option<Reach<'a>>,
}

fn build_spec<'a>(
    engine: &'a Engine,
    run: &Run,
    build: &Build,
    task: &Task,
    slot: usize,
    resumed: Option<&(AgentReport, Option<Wait>)>,
    sandboxed: bool,
) -> Result<Fenced<'a>, String> {
    let home = &engine.parts.home;
    let folder = home.build(build.id);
    let project = task.spec.project.as_deref().and_then(|name| engine.parts.settings.project(name));
    let artifacts = home.artifacts(task.id);
    if task.spec.kind == TaskKind::Action {
        // An action has a folder of its own, not the owner's checkout: what it should reach there it names itself.
        let mut env = environment(engine, &folder, project, None, slot);
        if let Some(project) = project {
            env.insert("OVERNIGHT_PROJECT".into(), project.path.to_string_lossy().into_owned());
        }
        std::fs::create_dir_all(folder.join("tmp")).map_err(|error| format!("{}: {error}", folder.display()))?;
        let spec = finish(engine, run, task.spec.command.clone(), folder.clone(), env, None);
        return Ok(Fenced { spec, folder, reach: None });
    }
    let clone = folder.join("clone");
    match run.step {
        RunStep::Agent => {
            let agent = agent_of(engine, build, task).ok_or("the agent of this build is not configured any more")?;
            let prompt = prompt_file(&folder, task, build, resumed)?;
            let mut env = environment(engine, &folder, project, Some(agent), slot);
            // Some print the end of a limit as a local time: it is read in the same zone.
            if !agent.env.contains_key("TZ") {
                env.insert("TZ".into(), engine.parts.settings.schedule.zone.name().to_owned());
            }
            env.insert("OVERNIGHT_PROMPT".into(), prompt.to_string_lossy().into_owned());
            env.insert("OVERNIGHT_TASK".into(), task.id.to_string());
            if task.spec.kind == TaskKind::Artifact {
                env.insert("OVERNIGHT_ARTIFACTS".into(), artifacts.to_string_lossy().into_owned());
            }
            let session = session_id(engine, build);
            let caps = engine.parts.settings.budget.build.left(build.spent);
            let order = agent::Order {
                prompt_file: &prompt,
                session: resumed
                    .filter(|(report, _)| !report.session_gone)
                    .and_then(|(report, _)| report.session_id.as_deref())
                    .map_or(agent::SessionChoice::New(&session), agent::SessionChoice::Resume),
                budget: agent::Budget { usd: caps.usd, tokens: caps.tokens, turns: caps.turns },
                sandboxed,
                passed: &env,
            };
            let launch = agent::launch(agent, &order);
            // What its owner sets for it counts.
            for (name, value) in launch.env {
                env.entry(name).or_insert(value);
            }
            if let Some((file, text)) = &launch.helper {
                crate::host::atomic_write(file, text.as_bytes())
                    .map_err(|error| format!("{}: {error}", file.display()))?;
            }
            let stdin = (launch.stdin == agent::Input::Prompt).then(|| prompt.clone());
            let mut spec = finish(engine, run, launch.argv, clone, env, stdin);
            spec.stderr_path = launch.separate_stderr.then(|| stderr_path(&spec.log_path));
            // Never sooner by a clock that runs fast: an agent's silence is real.
            let silence = engine.parts.settings.build.silence;
            spec.silence_secs = Some(silence.max(engine.parts.clock.real(silence)).as_secs_f64());
            let work = if task.spec.kind == TaskKind::Artifact { vec![artifacts] } else { vec![] };
            let of_category = engine.parts.settings.isolation.category_hosts.get(&task.spec.category);
            let configured = agent.hosts.iter().chain(of_category.into_iter().flatten()).cloned();
            let hosts = launch.api_hosts.into_iter().chain(configured).collect();
            let login = (agent.kind != AgentKind::Command).then(|| agent::login(agent.kind));
            let readable = launch.helper.into_iter().map(|(file, _)| file).chain([prompt]).collect();
            let reach = Reach { work, readable, hosts, login, project, fetches: false };
            Ok(Fenced { spec, folder, reach: Some(reach) })
        }
        RunStep::Verify if task.spec.kind == TaskKind::Artifact => {
            let env = environment(engine, &folder, project, None, slot);
            let spec = finish(engine, run, task.spec.command.clone(), artifacts, env, None);
            Ok(Fenced { spec, folder, reach: Some(Reach { project, ..Reach::default() }) })
        }
        step => {
            let project = project.ok_or("the task's project is not configured")?;
            let env = environment(engine, &folder, Some(project), None, slot);
            let spec = finish(engine, run, project_command(project, step)?, clone, env, None);
            let fetches = step == RunStep::Setup;
            Ok(Fenced { spec, folder, reach: Some(Reach { project: Some(project), fetches, ..Reach::default() }) })
        }
    }
}

/// The id of a build's first conversation: a UUID made from what names the build, so that a restarted bot asks for the
/// same. A later round whose conversation is gone gets one of its own.
fn session_id(engine: &Engine, build: &Build) -> String {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(format!("{}-b{}-{}", unique_home(engine), build.id, build.round));
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    // Version 8: made by our own rule (RFC 9562).
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = crate::domain::format::hex(&bytes);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// The file with what the agent is told: the whole task at first, and what it waited for when it goes on.
fn prompt_file(
    folder: &Path,
    task: &Task,
    build: &Build,
    resumed: Option<&(AgentReport, Option<Wait>)>,
) -> Result<PathBuf, String> {
    let whole = folder.join("prompt.md");
    let Some((report, wait)) = resumed else { return Ok(whole) };
    let file = folder.join(format!("prompt.{}.md", build.round + 1));
    let mut text = match wait {
        Some(Wait::Answer { question, answer: Some(answer) }) => agent::answered(task, question, answer),
        _ => agent::go_on(task),
    };
    if report.session_gone || report.session_id.is_none() {
        // A conversation that can't go on is begun again in the same clone.
        let first = std::fs::read_to_string(&whole).map_err(|error| format!("{}: {error}", whole.display()))?;
        text = format!("{first}\n{text}");
    }
    crate::host::atomic_write(&file, text.as_bytes()).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(file)
}

fn project_command(project: &Project, step: RunStep) -> Result<Vec<String>, String> {
    let argv: Option<&Argv> = match step {
        RunStep::Setup => project.setup.as_ref(),
        RunStep::Verify | RunStep::VerifyAgain => project.verify.as_ref(),
        RunStep::Measure => project.measure.as_ref().map(|measure| &measure.argv),
        RunStep::Agent => None,
    };
    argv.map(|argv| argv.as_slice().to_vec())
        .ok_or_else(|| format!("project {:?} has no {step} command any more", project.name))
}

/// The whole environment of a child: the allow-list, the project's, the agent's, a temporary folder and ports of its
/// own. Nothing else of the bot's environment gets through.
fn environment(
    engine: &Engine,
    folder: &Path,
    project: Option<&Project>,
    agent: Option<&Agent>,
    slot: usize,
) -> BTreeMap<String, String> {
    let parts = &engine.parts;
    let mut env = parts.child_env.clone();
    let named = project.map(|p| &p.env_pass).into_iter().chain(agent.map(|a| &a.env_pass)).flatten();
    let logins = agent.into_iter().flat_map(|agent| agent::env_names(agent.kind));
    env.extend(logins.filter_map(|name| Some((name.to_owned(), parts.passable_env.get(name)?.clone()))));
    env.extend(named.filter_map(|name| Some((name.clone(), parts.passable_env.get(name)?.clone()))));
    env.extend(project.map(|p| p.env.clone()).unwrap_or_default());
    env.extend(agent.map(|a| a.env.clone()).unwrap_or_default());
    if let Some(project) = project.filter(|project| !project.caches.is_empty()) {
        let caches = project.caches.iter().map(|cache| cache.to_string_lossy()).collect::<Vec<_>>();
        env.insert("OVERNIGHT_CACHES".into(), caches.join(":"));
    }
    env.insert("TMPDIR".into(), folder.join("tmp").to_string_lossy().into_owned());
    if let Some((first, last)) = project.and_then(|project| project.ports(slot)) {
        env.insert("OVERNIGHT_PORT_FIRST".into(), first.to_string());
        env.insert("OVERNIGHT_PORT_LAST".into(), last.to_string());
    }
    env
}

fn finish(
    engine: &Engine,
    run: &Run,
    argv: Vec<String>,
    cwd: PathBuf,
    env: BTreeMap<String, String>,
    stdin: Option<PathBuf>,
) -> RunSpec {
    let settings = &engine.parts.settings.build;
    let limit = match run.step {
        RunStep::Setup => settings.setup_timeout,
        RunStep::Agent => settings.timeout,
        RunStep::Verify | RunStep::VerifyAgain => settings.verify_timeout,
        RunStep::Measure => settings.measure_timeout,
    };
    RunSpec {
        run_id: format!("{}-r{}", unique_home(engine), run.id),
        argv,
        cwd,
        env,
        stdin,
        log_path: log_path(engine, run.owner, run.step, run.round),
        stderr_path: None,
        log_head_bytes: settings.log_head_bytes,
        log_tail_bytes: settings.log_tail_bytes,
        timeout_secs: supervised(engine, limit),
        silence_secs: None,
        grace_secs: settings.grace.as_secs_f64(),
        leash: None,
    }
}

/// A time limit as the supervisor gets it, which counts by what really passes (a suspended machine does not count). The
/// planner stops a run in time by the bot's clock; this is for when the bot is not there.
fn supervised(engine: &Engine, limit: Duration) -> f64 {
    let margin = Duration::from_mins(2);
    limit.max(engine.parts.clock.real(limit)).saturating_add(margin).as_secs_f64()
}

/// Run ids have to differ between two bots on one machine: the data folder's path tells them apart.
fn unique_home(engine: &Engine) -> String {
    use sha2::{Digest, Sha256};
    use std::os::unix::ffi::OsStrExt;
    let digest = Sha256::digest(engine.parts.home.root().as_os_str().as_bytes());
    crate::domain::format::hex(&digest[..8])
}
