//! A leash as arguments of bubblewrap. What is not mounted is not there: no home, no checkout, no data folder, no
//! sockets; processes, network, and the host's name are the sandbox's own.
//!
//! Left out on purpose: forbidding user namespaces inside, for agents have sandboxes of their own, made of them.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::grants::{self, Listed};
use super::{Leash, Network};

/// Where the sandbox finds our own program and the sockets to its supervisor.
pub(super) const INSIDE: &str = "/run/overnight";

/// A place in the sandbox and how it is made.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Mount {
    at: PathBuf,
    how: How,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum How {
    /// Before others at the same place, which win.
    Hidden,
    Link(PathBuf),
    Read(PathBuf),
    Write(PathBuf),
}

/// The arguments of `bwrap`, up to and with the `--` before the command. `sockets` is the folder shown as
/// `/run/overnight/sockets`, `exe` the program shown as `/run/overnight/overnight`.
pub(super) fn arguments(leash: &Leash, cwd: &Path, sockets: &Path, exe: &Path) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = [
        "--unshare-user",
        "--unshare-pid",
        "--unshare-ipc",
        "--unshare-uts",
        "--unshare-cgroup-try",
        "--hostname",
        "overnight",
        "--die-with-parent",
        "--new-session",
        "--cap-drop",
        "ALL",
        "--proc",
        "/proc",
        "--dev",
        "/dev",
        "--dir",
        "/run",
    ]
    .map(OsString::from)
    .to_vec();
    if leash.network != Network::Open {
        arguments.push("--unshare-net".into());
    }
    let listed = grants::listed(leash);
    let mounts = mounts(leash, &listed);
    for mount in &mounts {
        mount.push(&mut arguments);
    }
    let shown = Path::new(INSIDE);
    for (what, name) in [(exe, "overnight"), (sockets, "sockets")] {
        arguments.extend(["--ro-bind".into(), what.into(), shown.join(name).into()]);
    }
    let hidden = mounts.iter().filter(|mount| mount.how == How::Hidden && mount.at.is_dir());
    for at in hidden.map(|mount| mount.at.as_path()).chain([Path::new("/")]) {
        arguments.extend(["--remount-ro".into(), at.into()]);
    }
    arguments.extend(["--chdir".into(), cwd.into(), "--".into()]);
    arguments
}

fn mounts(leash: &Leash, listed: &Listed) -> Vec<Mount> {
    let mut mounts: Vec<Mount> = Vec::new();
    for at in grants::system() {
        let how = match fs::read_link(&at) {
            // A link into what is mounted anyway stays one; of others (resolv.conf) the target's content is shown.
            Ok(target) if at.parent() == Some(Path::new("/")) => How::Link(target),
            _ => How::Read(at.clone()),
        };
        mounts.push(Mount { at, how });
    }
    let visible: Vec<PathBuf> =
        mounts.iter().map(|mount| &mount.at).chain(&listed.readable).chain(&listed.writable).cloned().collect();
    let hidden = grants::covered(leash, &visible);
    mounts.extend(hidden.into_iter().map(|at| Mount { at, how: How::Hidden }));
    mounts.extend(listed.readable.iter().map(|at| Mount { at: at.clone(), how: How::Read(at.clone()) }));
    mounts.extend(listed.writable.iter().map(|at| Mount { at: at.clone(), how: How::Write(at.clone()) }));
    if let Some(temp) = leash.temp.as_ref().filter(|temp| temp.is_dir()) {
        for at in ["/tmp", "/var/tmp"] {
            mounts.push(Mount { at: at.into(), how: How::Write(temp.clone()) });
        }
    }
    // A parent before what lies in it.
    mounts.sort();
    mounts
}

impl Mount {
    fn push(&self, arguments: &mut Vec<OsString>) {
        let at = self.at.clone().into_os_string();
        match &self.how {
            How::Hidden if self.at.is_dir() => arguments.extend(["--tmpfs".into(), at]),
            How::Hidden => arguments.extend(["--ro-bind".into(), "/dev/null".into(), at]),
            How::Link(target) => arguments.extend(["--symlink".into(), target.into(), at]),
            // What vanished since it was looked for is left out.
            How::Read(what) => arguments.extend(["--ro-bind-try".into(), what.into(), at]),
            How::Write(what) => arguments.extend(["--bind-try".into(), what.into(), at]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_are_mounted_before_what_lies_in_them() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        for name in ["data/builds/b1/clone", "data/builds/b1/tmp", "data/vault"] {
            fs::create_dir_all(at(name)).unwrap();
        }
        fs::write(at("data/.env"), "TOKEN=1").unwrap();
        let leash = Leash {
            writable: vec![at("data/builds/b1/clone"), at("data/builds/b1/tmp")],
            readable: vec![at("data")],
            hidden: vec![at("data/builds"), at("data/.env")],
            temp: Some(at("data/builds/b1/tmp")),
            ..Leash::default()
        };
        let arguments = arguments(&leash, &at("data/builds/b1/clone"), Path::new("/s"), Path::new("/o"));
        let place = |what: &[OsString]| arguments.windows(what.len()).position(|window| window == what).unwrap();
        let text = |text: &str| OsString::from(text);
        let data = place(&[text("--ro-bind-try"), at("data").into(), at("data").into()]);
        let builds = place(&[text("--tmpfs"), at("data/builds").into()]);
        let clone = at("data/builds/b1/clone");
        let clone = place(&[text("--bind-try"), clone.clone().into(), clone.into()]);
        let env = place(&[text("--ro-bind"), text("/dev/null"), at("data/.env").into()]);
        assert!(data < builds && builds < clone && data < env);
        place(&[text("--bind-try"), at("data/builds/b1/tmp").into(), text("/tmp")]);
        place(&[text("--unshare-net")]);
        assert!(!arguments.contains(&at("data/vault").into()));
        let open = Leash { network: Network::Open, ..leash };
        assert!(
            !super::arguments(&open, Path::new("/"), Path::new("/s"), Path::new("/o")).contains(&text("--unshare-net"))
        );
    }
}
