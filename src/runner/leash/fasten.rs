//! From a leash to a command that runs on it: which mechanisms, with what arguments, and what they hold.
//!
//! Linux. Elsewhere see `seatbelt`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use super::control::{self, Listener};
use super::enter::Plan;
use super::groups::{Groups, Limits};
use super::hosts::Hosts;
use super::landlock::{self, FileRules, Rules};
use super::proxy::{Proxy, point_at};
use super::relay::{self, Relay};
use super::{Bound, Files, Held, Kill, Leash, Network, Reach, bwrap, grants};
use crate::runner::{RunEnd, RunSpec};

/// Threads of the guard in a sandbox, which count as processes of the run.
const GUARDS: u64 = 300;
/// The first kernel that counts a user namespace's processes by themselves.
const COUNTED_APART: (u32, u32) = (5, 14);

/// A leash put on: what to start, and what is around it.
#[derive(Debug)]
pub(crate) struct Fastened {
    pub(crate) argv: Vec<OsString>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) held: Held,
    pub(crate) groups: Groups,
    /// Whether a guard stays above the command, inside of a sandbox.
    pub(crate) stays: bool,
    proxy: Option<Proxy>,
    socket: UnixListener,
}

/// Prepares the run of `spec` on `leash`; `run_dir` takes its sockets. The error says why it must not start.
pub(crate) fn fasten(leash: &Leash, spec: &RunSpec, run_dir: &Path) -> Result<Fastened, String> {
    let sockets = run_dir.join("leash");
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&sockets)
        .and_then(|()| control::bind(&sockets, control::NAME))
        .map_err(|error| format!("could not make {}: {error}", sockets.display()))
        .and_then(|socket| Fastening::new(leash, spec, sockets)?.fasten(socket))
}

struct Fastening<'a> {
    leash: &'a Leash,
    spec: &'a RunSpec,
    sockets: PathBuf,
    exe: PathBuf,
    bwrap: Option<PathBuf>,
    /// The version that guards files, or inside of bubblewrap only scopes; 0: none.
    landlock: u32,
    env: BTreeMap<String, String>,
}

impl<'a> Fastening<'a> {
    fn new(leash: &'a Leash, spec: &'a RunSpec, sockets: PathBuf) -> Result<Self, String> {
        let exe = std::env::current_exe().map_err(|error| format!("our own program can't be found: {error}"))?;
        let bwrap = leash.mode.bwrap.then(|| grants::program("bwrap")).flatten();
        let landlock = if leash.mode.landlock { landlock::version() } else { 0 };
        Ok(Self { leash, spec, sockets, exe, bwrap, landlock, env: spec.env.clone() })
    }

    fn files(&self) -> Files {
        match &self.bwrap {
            Some(_) => Files::Bwrap,
            None if self.landlock >= landlock::LEAST => Files::Landlock,
            None => Files::None,
        }
    }

    fn fasten(mut self, socket: UnixListener) -> Result<Fastened, String> {
        let files = self.files();
        if self.leash.strict && files == Files::None {
            return Err("no sandbox is to be had on this machine, and without one it must not run".into());
        }
        let hosts = match &self.leash.network {
            Network::Hosts(list) => Some(Hosts::new(list)?),
            Network::Open | Network::Closed => None,
        };
        let mut gaps = Vec::new();
        let network = self.reach(files, &mut gaps);
        let (proxy, ports, relay) = self.network(files, network, hosts)?;
        let (groups, limits) = if self.leash.mode.cgroup {
            Groups::make(&self.spec.run_id, self.leash.memory_bytes, self.leash.processes)
        } else {
            (Groups::default(), Limits { memory: Bound::None, processes: Bound::None })
        };
        let mut outer = Plan { groups: groups.folders().to_vec(), ..Plan::default() };
        let mut inner = Plan::default();
        let (memory, processes) = self.limits(limits, &mut outer, &mut inner, &mut gaps);
        if files == Files::None {
            gaps.insert(0, "files are open".into());
        }
        let kill = if groups.can_kill() { Kill::Cgroup } else { Kill::Subreaper };
        let held = Held { files, network, memory, processes, kill, gaps };
        let argv = self.argv(outer, inner, ports, relay);
        Ok(Fastened { argv, env: self.env, held, groups, stays: files == Files::Bwrap, proxy, socket })
    }

    /// How far the network will reach.
    fn reach(&self, files: Files, gaps: &mut Vec<String>) -> Reach {
        let mut gap = |text: &str| gaps.push(text.to_owned());
        let landlock = if files == Files::Landlock { self.landlock } else { 0 };
        if files == Files::Landlock {
            if landlock < landlock::SCOPES {
                gap("processes of the same user can be signalled, and abstract sockets reached");
            }
            if landlock < landlock::SOCKETS {
                gap("unix sockets can be reached");
            }
        }
        let closed = self.leash.network == Network::Closed;
        match (files, landlock) {
            _ if self.leash.network == Network::Open => Reach::Open,
            (Files::Bwrap, _) | (_, landlock::UDP..) => {
                if closed {
                    Reach::Closed
                } else {
                    Reach::Hosts
                }
            }
            (_, landlock::TCP..) => {
                gap("UDP is open");
                if closed { Reach::ClosedTcp } else { Reach::HostsTcp }
            }
            _ => {
                gap("the network is open");
                Reach::Open
            }
        }
    }

    /// The proxy, the ports that stay open, and what carries connections inside.
    #[expect(clippy::type_complexity, reason = "three optional parts of one answer, taken apart at once")]
    fn network(
        &mut self,
        files: Files,
        reach: Reach,
        hosts: Option<Hosts>,
    ) -> Result<(Option<Proxy>, Option<Vec<u16>>, Option<Relay>), String> {
        let failed = |error: std::io::Error| format!("no proxy for its network: {error}");
        let Some(hosts) = hosts else {
            return Ok((None, (reach != Reach::Open).then(Vec::new), None));
        };
        if reach == Reach::Open {
            return Ok((None, None, None));
        }
        let places = hosts.here();
        if files == Files::Bwrap {
            let socket = control::bind(&self.sockets, "proxy").map_err(failed)?;
            let proxy = Proxy::on_socket(socket, hosts).map_err(failed)?;
            point_at(&mut self.env, &format!("http://127.0.0.1:{}", relay::PORT));
            let proxy_inside = Path::new(bwrap::INSIDE).join("sockets/proxy");
            return Ok((Some(proxy), None, Some(Relay { proxy: proxy_inside, places })));
        }
        // Any process of this machine can connect to a port of loopback.
        let secret = format!("overnight:{:032x}", rand::random::<u128>());
        let (proxy, port) = Proxy::on_loopback(hosts, &secret).map_err(failed)?;
        point_at(&mut self.env, &format!("http://{secret}@127.0.0.1:{port}"));
        let ports = places.into_iter().map(|(_, port)| port).chain([port]).collect();
        Ok((Some(proxy), Some(ports), None))
    }

    /// Resource limits where no control group holds. Of memory it is the data segment that is limited, not the address
    /// space, of which a JavaScript engine reserves hundreds of gigabytes and uses little. The number of processes is
    /// counted by user: in a user namespace of its own that is the run; else what the user has already is added.
    fn limits(&self, held: Limits, outer: &mut Plan, inner: &mut Plan, gaps: &mut Vec<String>) -> (Bound, Bound) {
        let Limits { mut memory, mut processes } = held;
        if let (Some(bytes), Bound::None) = (self.leash.memory_bytes, memory) {
            outer.data = Some(bytes);
            memory = Bound::Rlimit;
            gaps.push("memory is limited by process, not for all together".into());
        }
        if let (Some(most), Bound::None) = (self.leash.processes, processes) {
            if rustix::process::geteuid().is_root() {
                gaps.push("root's number of processes is not limited".into());
            } else if self.bwrap.is_some() && kernel() >= COUNTED_APART {
                inner.processes = Some(u64::from(most) + GUARDS);
                processes = Bound::Rlimit;
            } else {
                outer.processes = Some(u64::from(most) + running());
                processes = Bound::Rlimit;
                gaps.push("processes are counted together with the user's others".into());
            }
        }
        (memory, processes)
    }

    fn argv(&self, mut outer: Plan, mut inner: Plan, ports: Option<Vec<u16>>, relay: Option<Relay>) -> Vec<OsString> {
        let command = self.spec.argv.iter().map(OsString::from);
        let json = |plan: &Plan| OsString::from(serde_json::to_string(plan).unwrap_or_default());
        let Some(program) = &self.bwrap else {
            outer.control = Some(self.sockets.join(control::NAME));
            let files = (self.landlock >= landlock::LEAST).then(|| self.file_rules());
            outer.rules = files.map(|files| Rules { files: Some(files), ports });
            let guard = [self.exe.clone().into_os_string(), "enter".into(), json(&outer)];
            return guard.into_iter().chain(command).collect();
        };
        let inside = Path::new(bwrap::INSIDE);
        inner.control = Some(inside.join("sockets").join(control::NAME));
        inner.rules = (self.landlock >= landlock::SCOPES).then(Rules::default);
        inner.relay = relay;
        inner.stay = true;
        let guard = [self.exe.clone().into_os_string(), "enter".into(), json(&outer), program.into()];
        let within = [inside.join("overnight").into_os_string(), "enter".into(), json(&inner)];
        let sandbox = bwrap::arguments(self.leash, &self.spec.cwd, &self.sockets, &self.exe);
        guard.into_iter().chain(sandbox).chain(within).chain(command).collect()
    }

    fn file_rules(&self) -> FileRules {
        let listed = grants::listed(self.leash);
        let mut read = grants::system();
        read.extend(listed.readable.iter().cloned());
        let hidden = grants::covered(self.leash, &read);
        let mut read = grants::without(read, &hidden);
        // What was listed inside of something hidden is seen all the same.
        read.extend(listed.readable.into_iter().filter(|path| hidden.iter().any(|hidden| path.starts_with(hidden))));
        FileRules { read, write: listed.writable }
    }
}

impl Fastened {
    /// Waits until the command begins; the error says why it does not.
    pub(crate) fn begun(&self, child: u32) -> Result<Listener, String> {
        Listener::accept(&self.socket, child, self.stays)
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

/// Version of the running kernel.
fn kernel() -> (u32, u32) {
    let name = rustix::system::uname();
    let mut numbers = name.release().to_str().unwrap_or("").split(|c: char| !c.is_ascii_digit()).map(str::parse);
    let mut next = || numbers.next().and_then(Result::ok).unwrap_or(0);
    (next(), next())
}

/// Threads this user has now, as they count against the limit.
fn running() -> u64 {
    let me = rustix::process::getuid().as_raw().to_string();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let threads = entries.filter_map(|entry| {
        let status = fs::read_to_string(entry.path().join("status")).ok()?;
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
        let owner = field("Uid:")?.split_whitespace().next()?;
        (owner == me).then(|| field("Threads:")?.trim().parse::<u64>().ok()).flatten()
    });
    threads.sum()
}
