//! What builds may reach and how much they may use.

use crate::domain::category::Category;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Section `[isolation]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Isolation {
    /// What keeps builds from everything else.
    pub sandbox: Sandbox,
    /// Most memory of one build's commands, in gigabytes (10^9 bytes); none: three quarters of the machine's.
    pub memory_gb: Option<f64>,
    /// Most processes and threads of one build.
    pub processes: u32,
    /// Folders and files builds may read besides, absolute.
    pub readable: Vec<PathBuf>,
    /// Whom builds may talk to.
    pub network: NetworkRule,
    /// Hosts that builds may reach besides their agent's, such as package registries; not where the network is closed.
    pub hosts: Vec<String>,
    /// Hosts that agents may reach besides for tasks of one category.
    pub category_hosts: BTreeMap<Category, Vec<String>>,
}

impl Default for Isolation {
    fn default() -> Self {
        Self {
            sandbox: Sandbox::Auto,
            memory_gb: None,
            processes: 4096,
            readable: Vec::new(),
            network: NetworkRule::Agents,
            hosts: Vec::new(),
            category_hosts: BTreeMap::new(),
        }
    }
}

/// What keeps builds from everything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sandbox {
    /// The strongest there is; without any builds run unsandboxed, and it is said.
    Auto,
    /// Bubblewrap, or no build runs.
    Bwrap,
    /// Landlock, or no build runs.
    Landlock,
    /// None.
    Off,
}

/// Whom builds may talk to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetworkRule {
    /// The agent's own hosts and those listed.
    Agents,
    /// Everybody.
    Open,
    /// Nobody.
    Closed,
}
