//! Packages a project's tests need: builds have a home of their own, without the caches in the owner's.

use super::Findings;
use crate::domain::settings::{Isolation, NetworkRule, Project, Sandbox};
use std::path::Path;

/// A tool that takes packages from a cache in the home folder.
struct Tool {
    program: &'static str,
    /// Below the home folder.
    cache: &'static str,
    /// Files of a checkout that needs packages, and what has to be in one of them.
    needs: &'static [&'static str],
    with: &'static str,
    fetch: &'static str,
    variable: &'static str,
}

const TOOLS: [Tool; 6] = [
    Tool {
        program: "cargo",
        cache: ".cargo/registry",
        needs: &["Cargo.lock"],
        with: "\nsource = ",
        fetch: "cargo fetch",
        variable: "CARGO_HOME",
    },
    Tool {
        program: "npm",
        cache: ".npm",
        needs: &["package-lock.json"],
        with: "\"resolved\"",
        fetch: "npm ci",
        variable: "npm_config_cache",
    },
    Tool {
        program: "pnpm",
        cache: ".local/share/pnpm",
        needs: &["pnpm-lock.yaml"],
        with: "packages:",
        fetch: "pnpm install --frozen-lockfile",
        variable: "npm_config_store_dir",
    },
    Tool {
        program: "yarn",
        cache: ".cache/yarn",
        needs: &["yarn.lock"],
        with: "resolved ",
        fetch: "yarn install --frozen-lockfile",
        variable: "YARN_CACHE_FOLDER",
    },
    Tool {
        program: "go",
        cache: "go/pkg/mod",
        needs: &["go.sum"],
        with: "",
        fetch: "go mod download",
        variable: "GOMODCACHE",
    },
    Tool {
        program: "uv",
        cache: ".cache/uv",
        needs: &["uv.lock"],
        with: "registry",
        fetch: "uv sync --frozen",
        variable: "UV_CACHE_DIR",
    },
];

/// Says where tests will miss packages that the owner's own runs find.
pub(super) fn look(project: &Project, isolation: &Isolation, home: &Path, findings: &mut Findings) {
    let Some(verify) = project.verify.as_ref() else { return };
    let reaches = isolation.network == NetworkRule::Open || !isolation.hosts.is_empty();
    if isolation.sandbox == Sandbox::Off || reaches || project.setup.is_some() || !project.caches.is_empty() {
        return;
    }
    let words: Vec<&str> = verify.as_slice().iter().flat_map(|word| word.split([' ', ';', '&', '|', '/'])).collect();
    for tool in TOOLS.iter().filter(|tool| words.contains(&tool.program)) {
        let cache = home.join(tool.cache);
        let needs = |file: &&str| std::fs::read_to_string(project.path.join(file)).is_ok_and(|t| t.contains(tool.with));
        if cache.is_dir()
            && !isolation.readable.iter().any(|read| cache.starts_with(read))
            && tool.needs.iter().any(needs)
        {
            let what = format!(
                "{}: its tests call {}, but builds have a home of their own without ~/{}, and tests have no network",
                project.name, tool.program, tool.cache
            );
            let fix = format!(
                "set setup = \"{}\" under [[projects]], or share that folder by caches and {} in env",
                tool.fetch, tool.variable
            );
            findings.warn(what, fix);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::settings::Argv;
    use std::fs;

    #[test]
    fn tests_that_will_miss_their_packages_are_named_and_others_are_not() {
        let place = tempfile::tempdir().unwrap();
        let (home, path) = (place.path().join("home"), place.path().join("app"));
        fs::create_dir_all(home.join(".cargo/registry")).unwrap();
        fs::create_dir_all(&path).unwrap();
        let lock = "[[package]]\nname = \"serde\"\nsource = \"registry+https://example.org\"\n";
        fs::write(path.join("Cargo.lock"), lock).unwrap();
        let argv = |words: &[&str]| Some(Argv::new(words.iter().map(|word| (*word).to_owned()).collect()).unwrap());
        let bare = Project { verify: argv(&["sh", "-c", "cargo test && true"]), ..Project::new("app", &path) };
        let said = |project: &Project, isolation: &Isolation| {
            let mut findings = Findings::default();
            look(project, isolation, &home, &mut findings);
            findings.lines.into_iter().map(|line| format!("{} {}", line.what, line.fix)).collect::<Vec<_>>()
        };
        let isolation = Isolation::default();
        let told = said(&bare, &isolation);
        assert!(
            told.len() == 1 && told[0].contains("~/.cargo/registry") && told[0].contains("cargo fetch"),
            "{told:?}"
        );
        for fine in [
            Project { setup: argv(&["cargo", "fetch"]), ..bare.clone() },
            Project { caches: vec![home.join(".cargo")], ..bare.clone() },
            Project { verify: argv(&["make", "test"]), ..bare.clone() },
        ] {
            assert!(said(&fine, &isolation).is_empty(), "{fine:?}");
        }
        for fine in [
            Isolation { sandbox: Sandbox::Off, ..isolation.clone() },
            Isolation { network: NetworkRule::Open, ..isolation.clone() },
            Isolation { readable: vec![home.join(".cargo")], ..isolation.clone() },
        ] {
            assert!(said(&bare, &fine).is_empty(), "{fine:?}");
        }
        fs::write(path.join("Cargo.lock"), "[[package]]\nname = \"app\"\n").unwrap();
        assert!(said(&bare, &isolation).is_empty(), "it needs nothing from there");
    }
}
