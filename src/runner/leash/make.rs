//! The leash of a build, from what it is and what the owner configured. Pure.
//!
//! A build may change its own folders and its project's caches, and read its tools. The owner's home is not among them:
//! of it only the folders where tools are usually installed for one user, and what the search path names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Leash, Mechanisms, Network};
use crate::domain::settings::{Isolation, NetworkRule, Project, Sandbox};

/// Where things are for one run; all absolute.
#[derive(Debug, Clone, Default)]
pub struct Folders {
    /// What it works in: the clone, the artifacts, the action's own folder.
    pub work: Vec<PathBuf>,
    /// Its temporary folder.
    pub temp: PathBuf,
    /// What it gets as home: private, kept between the runs of a build.
    pub home: PathBuf,
    /// Single files and folders it may change besides: its agent's login.
    pub login: Vec<PathBuf>,
    /// What it may read besides: the prompt, a store of objects.
    pub readable: Vec<PathBuf>,
    /// The bot's data folder: hidden but for the above.
    pub data: PathBuf,
    /// The owner's home folder, where tools may be installed.
    pub owner: Option<PathBuf>,
    /// The search path of its environment.
    pub path: String,
    /// Bytes of memory of this machine, if that is known.
    pub memory: Option<u64>,
}

/// Folders in a home where tools are installed, and the variable that leads their programs there when the home is
/// another. Logins lie beside some of them (`~/.cargo/credentials.toml`), so they are named narrowly.
const TOOLS: [(&str, Option<(&str, &str)>); 20] = [
    (".cargo/bin", None),
    (".rustup", Some(("RUSTUP_HOME", ".rustup"))),
    (".nvm", Some(("NVM_DIR", ".nvm"))),
    (".volta", Some(("VOLTA_HOME", ".volta"))),
    (".fnm", None),
    (".local/share/fnm", None),
    (".pyenv", Some(("PYENV_ROOT", ".pyenv"))),
    (".rbenv", Some(("RBENV_ROOT", ".rbenv"))),
    (".asdf", Some(("ASDF_DATA_DIR", ".asdf"))),
    (".local/share/mise", Some(("MISE_DATA_DIR", ".local/share/mise"))),
    (".sdkman", Some(("SDKMAN_DIR", ".sdkman"))),
    (".local/bin", None),
    (".local/lib", None),
    (".local/pipx", None),
    (".local/share/uv", None),
    (".local/share/claude", None),
    (".bun/bin", None),
    (".deno/bin", None),
    ("go/bin", None),
    (".opencode/bin", None),
];

/// What of the owner's home a build may read: the folders above, and those the search path names there (with the
/// `lib` beside a `bin`, where programs keep their parts).
pub fn tools(owner: &Path, path: &str) -> Vec<PathBuf> {
    let named = path.split(':').map(Path::new).filter(|entry| entry.starts_with(owner) && *entry != owner);
    let beside = |entry: &Path| (entry.file_name()? == "bin").then(|| entry.with_file_name("lib"));
    let named = named.flat_map(|entry| [Some(entry.to_owned()), beside(entry)].into_iter().flatten());
    TOOLS.iter().map(|(folder, _)| owner.join(folder)).chain(named).collect()
}

/// The variables by which those tools are found from a home of one's own.
pub fn tool_environment(owner: &Path) -> BTreeMap<String, String> {
    let variables = TOOLS.iter().filter_map(|(_, variable)| *variable);
    variables.map(|(name, folder)| (name.to_owned(), owner.join(folder).to_string_lossy().into_owned())).collect()
}

/// The leash of one run. `hosts` are its agent's own, empty for commands that are no agent's; `mode` is what this
/// machine can hold, as [`Detected::mode`](super::Detected::mode) gives it.
pub fn leash(
    folders: &Folders,
    project: Option<&Project>,
    hosts: &[String],
    isolation: &Isolation,
    mode: Mechanisms,
) -> Leash {
    let caches = project.map(|project| project.caches.clone()).unwrap_or_default();
    let own = [folders.temp.clone(), folders.home.clone()];
    let tools = folders.owner.iter().flat_map(|owner| tools(owner, &folders.path));
    // Each once: one that an agent's address and its owner both name is one way out.
    let hosts: std::collections::BTreeSet<String> = hosts.iter().chain(&isolation.hosts).cloned().collect();
    let hidden = std::iter::once(folders.data.clone()).chain(project.map(|project| project.path.clone()));
    Leash {
        writable: folders.work.iter().chain(&folders.login).cloned().chain(own).chain(caches).collect(),
        readable: folders.readable.iter().chain(&isolation.readable).cloned().chain(tools).collect(),
        hidden: hidden.collect(),
        temp: Some(folders.temp.clone()),
        network: match isolation.network {
            NetworkRule::Open => Network::Open,
            NetworkRule::Agents if !hosts.is_empty() => Network::Hosts(hosts.into_iter().collect()),
            NetworkRule::Agents | NetworkRule::Closed => Network::Closed,
        },
        memory_bytes: memory(isolation, folders.memory),
        processes: Some(isolation.processes),
        mode,
        strict: matches!(isolation.sandbox, Sandbox::Bwrap | Sandbox::Landlock),
    }
}

/// The leash of one run whose owner wants no sandbox: only how much it may use is bounded.
pub fn unsandboxed(isolation: &Isolation, memory_here: Option<u64>) -> Leash {
    Leash {
        network: Network::Open,
        memory_bytes: memory(isolation, memory_here),
        processes: Some(isolation.processes),
        mode: Mechanisms { cgroup: true, ..Mechanisms::NONE },
        ..Leash::default()
    }
}

/// Bytes of memory a build may use, of what this machine has.
fn memory(isolation: &Isolation, here: Option<u64>) -> Option<u64> {
    let asked = isolation.memory_gb.map(|gigabytes| std::time::Duration::from_secs_f64(gigabytes).as_nanos());
    asked.and_then(|bytes| u64::try_from(bytes).ok()).or_else(|| here.map(|bytes| bytes / 4 * 3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folders() -> Folders {
        Folders {
            work: vec!["/data/builds/b1/clone".into()],
            temp: "/data/builds/b1/tmp".into(),
            home: "/data/builds/b1/home".into(),
            login: vec!["/home/me/.agent/login.json".into()],
            readable: vec!["/data/builds/b1/prompt.md".into()],
            data: "/data".into(),
            owner: Some("/home/me".into()),
            path: "/usr/bin:/home/me/.npm/bin:/home/me:/home/mean/bin".into(),
            memory: Some(16_000_000_000),
        }
    }

    #[test]
    fn a_build_gets_its_own_folders_and_the_tools() {
        let project = Project { caches: vec!["/cache".into()], ..Project::new("app", "/home/me/app") };
        let made = leash(&folders(), Some(&project), &["api.example".into()], &Isolation::default(), Mechanisms::ALL);
        for path in ["/data/builds/b1/clone", "/data/builds/b1/tmp", "/data/builds/b1/home", "/cache"] {
            assert!(made.writable.contains(&path.into()), "{path}");
        }
        for path in ["/home/me/.rustup", "/home/me/.npm/bin", "/home/me/.npm/lib", "/data/builds/b1/prompt.md"] {
            assert!(made.readable.contains(&path.into()), "{path}");
        }
        let all = || made.readable.iter().chain(&made.writable);
        for path in ["/home/me", "/home/mean/bin", "/data", "/home/me/app", "/home/me/.cargo", "/home/me/.local"] {
            assert!(!all().any(|listed| listed == Path::new(path)), "{path}");
        }
        assert_eq!(made.hidden, [PathBuf::from("/data"), "/home/me/app".into()]);
        assert_eq!(made.network, Network::Hosts(vec!["api.example".into()]));
        assert_eq!((made.memory_bytes, made.processes), (Some(12_000_000_000), Some(4096)));
        assert!(!made.strict);
    }

    #[test]
    fn the_owners_word_counts() {
        let isolation = Isolation {
            sandbox: Sandbox::Bwrap,
            memory_gb: Some(1.5),
            network: NetworkRule::Closed,
            hosts: vec!["a.example".into()],
            ..Isolation::default()
        };
        let made = leash(&folders(), None, &["api.example".into()], &isolation, Mechanisms::ALL);
        assert_eq!((made.network, made.memory_bytes, made.strict), (Network::Closed, Some(1_500_000_000), true));
        let agents = Isolation { network: NetworkRule::Agents, ..isolation.clone() };
        let network = |hosts: &[String]| leash(&folders(), None, hosts, &agents, Mechanisms::ALL).network;
        assert_eq!(network(&[]), Network::Hosts(vec!["a.example".into()]));
        let none = leash(&folders(), None, &[], &Isolation::default(), Mechanisms::ALL);
        assert_eq!(none.network, Network::Closed);
    }

    #[test]
    fn tools_find_their_parts_from_another_home() {
        let env = tool_environment(Path::new("/home/me"));
        assert_eq!(env["RUSTUP_HOME"], "/home/me/.rustup");
        assert!(env.keys().all(|name| name.ends_with("_HOME") || name.ends_with("_DIR") || name.ends_with("_ROOT")));
    }
}
