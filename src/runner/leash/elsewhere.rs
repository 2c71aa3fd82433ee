//! Putting a leash on where there is no Linux: `sandbox-exec` on a Mac, nothing on others. Not tried there; on Linux it
//! is compiled for its tests only.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::hosts::Hosts;
use super::proxy::{Proxy, point_at};
use super::{Bound, Files, Held, Kill, Leash, Network, Reach, seatbelt};
use crate::runner::{RunEnd, RunSpec};

const PROGRAM: &str = "/usr/bin/sandbox-exec";

/// There is no guard here; what it would have told.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LastWords {
    pub(crate) ended: Option<(Option<i32>, Option<i32>)>,
    pub(crate) left: Option<u64>,
}

/// There is no guard here to listen to.
#[derive(Debug)]
pub(crate) struct Listener;

impl Listener {
    #[expect(clippy::unused_self, reason = "the other systems' signature")]
    pub(crate) fn rest(&self, _heard: &mut LastWords) {}
}

/// There are no control groups here.
#[derive(Debug, Default)]
pub(crate) struct Groups;

#[expect(clippy::unused_self, reason = "the other systems' signature")]
impl Groups {
    pub(crate) fn kill(&self) -> BTreeSet<(u32, u64)> {
        BTreeSet::new()
    }

    pub(crate) fn out_of_memory(&self) -> u64 {
        0
    }

    pub(crate) fn refused_processes(&self) -> u64 {
        0
    }

    pub(crate) fn remove(&self, _end: &mut RunEnd) {}

    pub(crate) fn folders(&self) -> &[PathBuf] {
        &[]
    }

    pub(crate) fn recorded(_folders: Vec<PathBuf>) -> Self {
        Self
    }
}

/// A leash put on: what to start, and what is around it.
#[derive(Debug)]
pub(crate) struct Fastened {
    pub(crate) argv: Vec<OsString>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) held: Held,
    pub(crate) groups: Groups,
    pub(crate) stays: bool,
    proxy: Option<Proxy>,
}

/// Prepares the run of `spec` on `leash`; the error says why it must not start.
pub(crate) fn fasten(leash: &Leash, spec: &RunSpec, _run_dir: &Path) -> Result<Fastened, String> {
    let there = leash.mode.sandbox_exec && Path::new(PROGRAM).is_file();
    if leash.strict && !there {
        return Err("no sandbox is to be had on this machine, and without one it must not run".into());
    }
    let mut env = spec.env.clone();
    let (mut proxy, mut ports, mut gaps) = (None, Vec::new(), Vec::new());
    let network = match (&leash.network, there) {
        (Network::Open, _) => Reach::Open,
        (Network::Closed, true) => Reach::Closed,
        (Network::Hosts(list), true) => {
            let hosts = Hosts::new(list)?;
            ports.extend(hosts.here().into_iter().map(|(_, port)| port));
            let secret = format!("overnight:{:032x}", rand::random::<u128>());
            let (served, port) =
                Proxy::on_loopback(hosts, &secret).map_err(|error| format!("no proxy for its network: {error}"))?;
            point_at(&mut env, &format!("http://{secret}@127.0.0.1:{port}"));
            ports.push(port);
            proxy = Some(served);
            Reach::Hosts
        }
        _ => {
            gaps.push("the network is open".to_owned());
            Reach::Open
        }
    };
    if !there {
        gaps.insert(0, "files are open".to_owned());
    }
    if leash.memory_bytes.is_some() || leash.processes.is_some() {
        gaps.push("memory and processes have no limit".to_owned());
    }
    let command = spec.argv.iter().map(OsString::from);
    let profile = || OsString::from(seatbelt::profile(leash, &ports));
    let argv = if there {
        [PROGRAM.into(), "-p".into(), profile()].into_iter().chain(command).collect()
    } else {
        command.collect()
    };
    let files = if there { Files::SandboxExec } else { Files::None };
    let (memory, processes) = (Bound::None, Bound::None);
    let held = Held { files, network, memory, processes, kill: Kill::Subreaper, gaps };
    Ok(Fastened { argv, env, held, groups: Groups, stays: false, proxy })
}

impl Fastened {
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "the other systems' signature")]
    pub(crate) fn begun(&self, _child: u32) -> Result<Listener, String> {
        Ok(Listener)
    }

    /// Tells in `end` what held it and what it tried.
    pub(crate) fn tell(&self, end: &mut RunEnd) {
        end.held = Some(self.held.clone());
        end.out_of_memory = self.groups.out_of_memory();
        end.refused_processes = self.groups.refused_processes();
        if let Some(proxy) = &self.proxy {
            proxy.tell(end);
        }
    }
}

/// Nothing is entered here.
#[cfg_attr(target_os = "linux", expect(unreachable_pub, reason = "exported elsewhere"))]
pub fn enter_main(_plan: &str, _argv: &[OsString]) -> ExitCode {
    eprintln!("overnight enter: there is nothing to enter on this system");
    ExitCode::from(2)
}
