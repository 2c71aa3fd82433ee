//! A leash as a profile of macOS's `sandbox-exec`. Pure; written from the language's public descriptions and from the
//! profiles that ship with macOS, and **not tried on a Mac**: only its text is tested.
//!
//! Left out on purpose: memory and process limits, which macOS has none of for a tree.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::{Leash, Network};

/// What programs read of the system. The firmlinked folders are named as they resolve.
const SYSTEM: [&str; 14] = [
    "/bin",
    "/sbin",
    "/usr",
    "/opt",
    "/nix/store",
    "/System",
    "/Library/Apple",
    "/Library/Developer",
    "/Library/Frameworks",
    "/Library/Preferences",
    "/private/etc/ssl",
    "/private/var/db/timezone",
    "/private/var/select",
    "/Applications/Xcode.app",
];

/// Files every program reads.
const FILES: [&str; 9] = [
    "/",
    "/private/etc/hosts",
    "/private/etc/resolv.conf",
    "/private/etc/localtime",
    "/private/etc/passwd",
    "/private/etc/group",
    "/private/etc/services",
    "/private/etc/protocols",
    "/private/etc/shells",
];

/// Services without which names, users and certificates are not found.
const SERVICES: [&str; 6] = [
    "com.apple.system.opendirectoryd.libinfo",
    "com.apple.system.opendirectoryd.membership",
    "com.apple.SystemConfiguration.configd",
    "com.apple.trustd",
    "com.apple.logd",
    "com.apple.system.notification_center",
];

/// The profile. `ports` are the ports of loopback it may connect to: the proxy's and those listed.
pub(super) fn profile(leash: &Leash, ports: &[u16]) -> String {
    let mut text = String::from(
        "(version 1)\n(deny default)\n(allow process-fork process-exec)\n(allow signal (target same-sandbox))\n\
         (allow process-info* (target same-sandbox))\n(allow sysctl-read)\n(allow file-read-metadata)\n\
         (allow ipc-posix-sem)\n(allow pseudo-tty)\n",
    );
    let mut rule = |what: &str, filters: Vec<String>| {
        if !filters.is_empty() {
            let _ = writeln!(text, "({what}\n  {})", filters.join("\n  "));
        }
    };
    let subpaths = |paths: &[PathBuf]| paths.iter().map(|path| filter("subpath", path)).collect::<Vec<_>>();
    rule("allow mach-lookup", SERVICES.iter().map(|name| format!("(global-name {})", quoted(name))).collect());
    let system = SYSTEM.iter().map(|path| filter("subpath", Path::new(path)));
    let files = FILES.iter().map(|path| filter("literal", Path::new(path)));
    rule("allow file-read*", system.chain(files).chain(subpaths(&leash.readable)).collect());
    // The last rule that fits counts: hidden, and then what is listed inside of it.
    rule("deny file-read* file-write*", subpaths(&leash.hidden));
    let inside = |path: &&PathBuf| leash.hidden.iter().any(|hidden| path.starts_with(hidden));
    rule("allow file-read*", leash.readable.iter().filter(inside).map(|path| filter("subpath", path)).collect());
    let devices = ["/dev/null", "/dev/zero", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/ptmx"];
    rule(
        "allow file-read* file-write* file-ioctl",
        devices.iter().map(|path| filter("literal", Path::new(path))).chain(subpaths(&leash.writable)).collect(),
    );
    match leash.network {
        Network::Open => text.push_str("(allow network*)\n(allow system-socket)\n"),
        Network::Closed | Network::Hosts(_) => {
            text.push_str("(allow network-bind network-inbound (local ip \"localhost:*\"))\n");
            for port in ports {
                let _ = writeln!(text, "(allow network-outbound (remote tcp \"localhost:{port}\"))");
            }
        }
    }
    text
}

fn filter(kind: &str, path: &Path) -> String {
    format!("({kind} {})", quoted(&path.to_string_lossy()))
}

/// A string of the profile's language.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_denies_by_default_and_lists_the_rest() {
        let leash = Leash {
            writable: vec!["/data/builds/b1/clone".into(), "/data/builds/b1/tmp".into()],
            readable: vec!["/Users/me/.cargo/bin".into(), "/data/builds/b1/a \"b\\".into()],
            hidden: vec!["/data".into()],
            network: Network::Hosts(vec!["api.example.com".into()]),
            ..Leash::default()
        };
        insta::assert_snapshot!(profile(&leash, &[4010, 50000]));
    }

    #[test]
    fn the_network_is_as_asked() {
        let text = |network| profile(&Leash { network, ..Leash::default() }, &[]);
        assert!(text(Network::Open).contains("(allow network*)"));
        assert!(!text(Network::Closed).contains("outbound"));
    }
}
