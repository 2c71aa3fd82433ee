//! What a run may reach: files, network, memory, processes; and what truly held it.
//!
//! Everything is denied that is not listed. A leash is asked for in the [`RunSpec`](super::RunSpec); the supervisor
//! takes the strongest mechanisms that the machine has and [`Mechanisms`] allows, and records as [`Held`] what they
//! were. It never guesses: what is not enforced is named as a gap.
//!
//! | | bubblewrap | landlock | sandbox-exec (macOS) |
//! | --- | --- | --- | --- |
//! | files | what is not listed is not there | what is not listed is refused | refused |
//! | network | own namespace, a proxy as the only way out | TCP by port, UDP stays open | by address |
//! | other processes | not seen | not to be signalled or traced | – |
//! | unix sockets | what is not listed is not there | only abstract ones are refused | refused |
//!
//! Left out on purpose: which folders a build needs and what its agent's hosts are; `make` has the rule, the caller
//! the names.

#[cfg(target_os = "linux")]
mod bwrap;
#[cfg(target_os = "linux")]
mod control;
mod detect;
#[cfg(any(not(target_os = "linux"), test))]
#[cfg_attr(target_os = "linux", expect(dead_code, reason = "compiled so that it stays compilable"))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod enter;
#[cfg(target_os = "linux")]
mod fasten;
#[cfg(target_os = "linux")]
mod grants;
#[cfg(target_os = "linux")]
mod groups;
mod hosts;
#[cfg(target_os = "linux")]
mod landlock;
mod make;
mod pipe;
mod proxy;
#[cfg(target_os = "linux")]
mod relay;
mod request;
#[cfg(any(not(target_os = "linux"), test))]
mod seatbelt;

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::path_json;

pub use detect::{Detected, Tried, detect};
#[cfg(not(target_os = "linux"))]
pub use elsewhere::enter_main;
#[cfg(not(target_os = "linux"))]
pub(crate) use elsewhere::{Fastened, Groups, LastWords, Listener, fasten};
#[cfg(target_os = "linux")]
pub use enter::enter_main;
pub use make::{Folders, leash, tool_environment, tools, unsandboxed};
#[cfg(target_os = "linux")]
pub(crate) use {
    control::{LastWords, Listener},
    fasten::{Fastened, fasten},
    groups::Groups,
};

/// What a run may reach beyond the system's own programs and libraries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leash {
    /// Folders and files it may change; absolute. One that does not exist is left out.
    #[serde(with = "path_json::list", default)]
    pub writable: Vec<PathBuf>,
    /// Folders and files it may read besides; absolute. One that does not exist is left out.
    #[serde(with = "path_json::list", default)]
    pub readable: Vec<PathBuf>,
    /// What stays hidden though it lies in something readable, such as a data folder in `/opt`; what is listed as
    /// readable or writable inside of it is seen all the same.
    #[serde(with = "path_json::list", default)]
    pub hidden: Vec<PathBuf>,
    /// Its temporary folder, one of `writable`: also what it finds as `/tmp` where that can be arranged.
    #[serde(with = "path_json::optional", default)]
    pub temp: Option<PathBuf>,
    /// Whom it may talk to.
    #[serde(default)]
    pub network: Network,
    /// Most memory of all its processes together (of each, where only resource limits hold); bytes.
    #[serde(default)]
    pub memory_bytes: Option<u64>,
    /// Most processes and threads at once.
    #[serde(default)]
    pub processes: Option<u32>,
    /// What may be used to hold it.
    #[serde(default)]
    pub mode: Mechanisms,
    /// Whether it must not start where its files can't be guarded by any of these.
    #[serde(default)]
    pub strict: bool,
}

/// Whom a run may talk to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    /// Nobody.
    #[default]
    Closed,
    /// Everybody.
    Open,
    /// These hosts, by a proxy: `host` (ports 80 and 443), `host:port`, `*.suffix`, `*.suffix:port`.
    Hosts(Vec<String>),
}

/// What may be used; all of it, unless a test or the owner switches something off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mechanisms {
    /// Namespaces made by the `bwrap` program (Linux).
    pub bwrap: bool,
    /// The kernel's landlock rules (Linux).
    pub landlock: bool,
    /// Control groups (Linux).
    pub cgroup: bool,
    /// The `sandbox-exec` program (macOS).
    pub sandbox_exec: bool,
}

impl Mechanisms {
    /// Everything there is.
    pub const ALL: Self = Self { bwrap: true, landlock: true, cgroup: true, sandbox_exec: true };
    /// Nothing: only resource limits.
    pub const NONE: Self = Self { bwrap: false, landlock: false, cgroup: false, sandbox_exec: false };

    /// What both allow.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            bwrap: self.bwrap && other.bwrap,
            landlock: self.landlock && other.landlock,
            cgroup: self.cgroup && other.cgroup,
            sandbox_exec: self.sandbox_exec && other.sandbox_exec,
        }
    }
}

impl Default for Mechanisms {
    fn default() -> Self {
        Self::ALL
    }
}

/// What truly held a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// What guarded files.
    pub files: Files,
    /// How far the network reached.
    pub network: Reach,
    /// What bounded memory.
    pub memory: Bound,
    /// What bounded the number of processes.
    pub processes: Bound,
    /// How the whole tree is ended.
    pub kill: Kill,
    /// What was asked for and is not held, one plain sentence part each: `UDP is open`.
    #[serde(default)]
    pub gaps: Vec<String>,
}

impl Held {
    /// Whether the owner's files were out of reach.
    pub fn sandboxed(&self) -> bool {
        self.files != Files::None
    }
}

/// What guarded files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Files {
    /// A mount namespace by bubblewrap.
    Bwrap,
    /// Landlock rules.
    Landlock,
    /// A macOS sandbox profile.
    SandboxExec,
    /// Nothing: unsandboxed.
    None,
}

/// How far the network reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// Nowhere.
    Closed,
    /// The listed hosts.
    Hosts,
    /// No TCP; UDP was open.
    ClosedTcp,
    /// TCP to the listed hosts; UDP was open.
    HostsTcp,
    /// Everywhere.
    Open,
}

/// What bounded an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Bound {
    /// A control group, version 2.
    #[serde(rename = "cgroup v2")]
    CgroupV2,
    /// A control group, version 1.
    #[serde(rename = "cgroup v1")]
    CgroupV1,
    /// A resource limit of each process or of the user.
    #[serde(rename = "rlimit")]
    Rlimit,
    /// Nothing, or no bound was asked for.
    #[serde(rename = "none")]
    None,
}

/// How the whole tree is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kill {
    /// By its control group: nothing gets out of it.
    Cgroup,
    /// By walking the tree below the supervisor, which adopts orphans (on macOS: the process group).
    Subreaper,
}

macro_rules! shown {
    ($($type:ident { $($variant:ident => $text:literal),+ $(,)? })+) => {$(
        impl $type {
            /// As it is recorded and shown.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    )+};
}

shown! {
    Files { Bwrap => "bwrap", Landlock => "landlock", SandboxExec => "sandbox-exec", None => "none" }
    Reach {
        Closed => "closed", Hosts => "hosts", ClosedTcp => "closed-tcp", HostsTcp => "hosts-tcp", Open => "open",
    }
    Bound { CgroupV2 => "cgroup v2", CgroupV1 => "cgroup v1", Rlimit => "rlimit", None => "none" }
    Kill { Cgroup => "cgroup", Subreaper => "subreaper" }
}
