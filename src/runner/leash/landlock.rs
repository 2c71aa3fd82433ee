//! Landlock: rules the kernel holds this process and all it starts to. They can never be taken off again.
//!
//! Where bubblewrap can't be used they guard files and TCP ports. Inside of bubblewrap only their scopes are taken:
//! rules over files would forbid mounts, and with them the sandboxes agents make for their own tools.
//!
//! What a kernel can depends on its version (the ABI); see `Documentation/userspace-api/landlock.rst`.

use std::path::PathBuf;

use landlock::{
    ABI, Access, AccessFs, AccessNet, LandlockStatus, NetPort, RestrictSelf, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetError, Scope, path_beneath_rules,
};
use serde::{Deserialize, Serialize};

/// The first version with which files can't be emptied behind its back. Below it is no guard.
pub(super) const LEAST: u32 = 3;
/// The first version that knows TCP ports, signals and abstract sockets, unix sockets by path, UDP ports.
pub(super) const TCP: u32 = 4;
pub(super) const SCOPES: u32 = 6;
pub(super) const SOCKETS: u32 = 9;
pub(super) const UDP: u32 = 10;
/// The newest version that the rules below were written for.
const KNOWN: ABI = ABI::V10;

/// Devices every program expects.
const DEVICES: [&str; 8] =
    ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/ptmx", "/dev/pts"];

/// What to hold the process to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Rules {
    /// `None`: files are guarded by something else.
    pub(super) files: Option<FileRules>,
    /// Ports it may connect to; `None`: all.
    pub(super) ports: Option<Vec<u16>>,
}

/// What it may read, and what it may change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileRules {
    #[serde(with = "crate::runner::path_json::list")]
    pub(super) read: Vec<PathBuf>,
    #[serde(with = "crate::runner::path_json::list")]
    pub(super) write: Vec<PathBuf>,
}

/// The version this kernel has; 0: none.
pub(super) fn version() -> u32 {
    // Asks and changes nothing: no flag is set.
    match RestrictSelf::default().no_new_privs(false).apply() {
        Ok(status) => match status.landlock {
            LandlockStatus::Available { effective_abi, .. } => effective_abi as u32,
            _ => 0,
        },
        Err(_) => 0,
    }
}

/// Holds this thread, and what it executes, to `rules`, as far as the kernel can.
pub(super) fn restrict(rules: &Rules) -> Result<(), String> {
    apply(rules).map_err(|error| format!("landlock refused the rules: {error}"))
}

fn apply(rules: &Rules) -> Result<(), RulesetError> {
    let mut set = Ruleset::default().scope(Scope::from_all(KNOWN))?;
    if rules.files.is_some() {
        set = set.handle_access(AccessFs::from_all(KNOWN))?;
    }
    if rules.ports.is_some() {
        set = set.handle_access(AccessNet::ConnectTcp | AccessNet::ConnectSendUdp)?;
    }
    let mut set = set.create()?;
    if let Some(files) = &rules.files {
        let read = AccessFs::from_read(KNOWN);
        set = set
            .add_rules(path_beneath_rules(&files.read, read))?
            .add_rules(path_beneath_rules(["/proc"], read))?
            .add_rules(path_beneath_rules(DEVICES, read | AccessFs::WriteFile | AccessFs::IoctlDev))?
            .add_rules(path_beneath_rules(&files.write, AccessFs::from_all(KNOWN)))?;
    }
    for port in rules.ports.iter().flatten() {
        set = set.add_rule(NetPort::new(*port, AccessNet::ConnectTcp))?;
    }
    set.restrict_self().map(drop)
}
