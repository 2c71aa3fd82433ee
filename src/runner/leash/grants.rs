//! What of the file system a run sees: the system's own programs and what its leash lists, in an order and without
//! doubles, for bubblewrap and landlock alike.
//!
//! Left out on purpose: devices and `/proc`; each mechanism has its own way with them.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use super::Leash;

/// Where systems keep programs and libraries. Of Nix only what is installed, not its daemon's socket.
const SYSTEM: [&str; 12] = [
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/opt",
    "/snap",
    "/nix/store",
    "/nix/var/nix/profiles",
    "/run/current-system",
];

/// What programs need of `/etc` to find libraries, names, certificates, the time zone and their fonts. Nothing of it
/// is secret; the rest of `/etc` may be.
const ETC: [&str; 44] = [
    "ImageMagick-6",
    "ImageMagick-7",
    "R",
    "alternatives",
    "bash.bashrc",
    "ca-certificates",
    "ca-certificates.conf",
    "debian_version",
    "fonts",
    "group",
    "host.conf",
    "hosts",
    "inputrc",
    "java",
    "java-11-openjdk",
    "java-17-openjdk",
    "java-21-openjdk",
    "ld-musl-x86_64.path",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "locale.alias",
    "locale.conf",
    "localtime",
    "lsb-release",
    "magic",
    "manpath.config",
    "mime.types",
    "nsswitch.conf",
    "os-release",
    "passwd",
    "pki/ca-trust",
    "pki/tls/cert.pem",
    "pki/tls/certs",
    "pki/tls/openssl.cnf",
    "profile",
    "protocols",
    "resolv.conf",
    "services",
    "ssl/cert.pem",
    "ssl/certs",
    "ssl/openssl.cnf",
    "terminfo",
    "timezone",
];

/// The system's own that is there: folders and files, links as links.
pub(super) fn system() -> Vec<PathBuf> {
    let etc = ETC.iter().map(|name| Path::new("/etc").join(name));
    let all = SYSTEM.iter().map(PathBuf::from).chain(etc);
    all.filter(|path| path.symlink_metadata().is_ok()).collect()
}

/// What the leash lists and is there: readable and writable, shallow before deep, without what another entry covers.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) readable: Vec<PathBuf>,
    pub(super) writable: Vec<PathBuf>,
}

pub(super) fn listed(leash: &Leash) -> Listed {
    let there = |paths: &[PathBuf]| -> Vec<PathBuf> {
        let mut paths: Vec<PathBuf> =
            paths.iter().filter(|path| path.is_absolute() && path.exists()).map(|path| tidy(path)).collect();
        paths.sort();
        paths.dedup();
        paths
    };
    let writable = there(&leash.writable);
    let mut writable = outermost(&writable, &[]);
    let temp = leash.temp.as_ref().filter(|temp| temp.is_dir()).map(|temp| tidy(temp));
    let temp = temp.filter(|temp| !writable.iter().any(|path| temp.starts_with(path)));
    writable.extend(temp);
    // What lies in a folder the run may change is not looked up there: it could have been swapped by an earlier run.
    let readable = outermost(&there(&leash.readable), &writable);
    Listed { readable, writable }
}

fn outermost(sorted: &[PathBuf], covering: &[PathBuf]) -> Vec<PathBuf> {
    let mut kept: Vec<PathBuf> = Vec::new();
    for path in sorted {
        if !kept.iter().chain(covering).any(|outer| path.starts_with(outer)) {
            kept.push(path.clone());
        }
    }
    kept
}

/// Without `.` and doubled slashes.
fn tidy(path: &Path) -> PathBuf {
    path.components().collect()
}

/// What of the hidden lies in something visible and is there; shallow before deep.
pub(super) fn covered(leash: &Leash, visible: &[PathBuf]) -> Vec<PathBuf> {
    let mut hidden: Vec<PathBuf> = leash.hidden.iter().map(|path| tidy(path)).collect();
    hidden.retain(|path| path.exists() && visible.iter().any(|outer| path.starts_with(outer)));
    hidden.sort();
    hidden
}

/// `visible` without `hidden`, for a mechanism that can only add: a folder with something hidden in it is replaced by
/// what it holds besides.
pub(super) fn without(visible: Vec<PathBuf>, hidden: &[PathBuf]) -> Vec<PathBuf> {
    let mut open = visible;
    let mut kept = Vec::new();
    while let Some(path) = open.pop() {
        if hidden.iter().any(|hidden| path.starts_with(hidden)) {
            continue;
        }
        if hidden.iter().any(|hidden| hidden.starts_with(&path)) {
            open.extend(fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()));
        } else {
            kept.push(path);
        }
    }
    kept.sort();
    kept
}

/// The first of these programs that is there, in the system's own folders only: a project's `PATH` must not choose it.
pub(super) fn program(name: &str) -> Option<PathBuf> {
    let folders = ["/usr/bin", "/bin", "/usr/local/bin", "/run/current-system/sw/bin"];
    folders.iter().map(|folder| Path::new(folder).join(OsStr::new(name))).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_listed_twice_or_below_what_may_be_changed() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        for name in ["clone/.git", "tmp", "tools/bin"] {
            fs::create_dir_all(at(name)).unwrap();
        }
        let leash = Leash {
            writable: vec![at("clone/.git"), at("clone"), at("clone/."), at("gone")],
            readable: vec![at("tools/bin"), at("tools"), at("clone/.git"), "relative".into()],
            temp: Some(at("tmp")),
            ..Leash::default()
        };
        let wanted = Listed { readable: vec![at("tools")], writable: vec![at("clone"), at("tmp")] };
        assert_eq!(listed(&leash), wanted);
    }

    #[test]
    fn what_is_hidden_is_cut_out() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        for name in ["opt/a", "opt/data/builds/b1", "opt/data/vaults", "opt/z"] {
            fs::create_dir_all(at(name)).unwrap();
        }
        assert_eq!(without(vec![at("opt")], &[at("opt/data")]), [at("opt/a"), at("opt/z")]);
        assert_eq!(without(vec![at("opt/data/builds")], &[at("opt/data")]), Vec::<PathBuf>::new());
        let leash = Leash { hidden: vec![at("opt/data"), at("opt/none"), "/etc".into()], ..Leash::default() };
        assert_eq!(covered(&leash, &[at("opt")]), [at("opt/data")]);
    }
}
