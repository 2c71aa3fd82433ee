//! What in a change an owner should look at twice before it lands, told from its paths, kinds and added lines alone.
//!
//! Pure. A flag accuses nobody: it names what gives others power (what CI runs, what agents are told), what is hard to
//! read (binaries, links) and what must not leak. Ordinary source files raise none.

use super::words::list;
use std::collections::BTreeMap;

/// One changed path.
#[derive(Debug, Clone, Copy)]
pub struct Changed<'a> {
    /// From the top of the tree, as shown.
    pub path: &'a str,
    /// It is gone.
    pub deleted: bool,
    /// Git found no lines in it.
    pub binary: bool,
    /// It is a symbolic link now.
    pub link: bool,
    /// It is a submodule, or was one.
    pub submodule: bool,
}

/// Paths named of one kind of flag.
const SHOWN: usize = 3;

const CI_FOLDERS: &[&str] =
    &[".github/workflows", ".github/actions", ".circleci", ".buildkite", ".ci", ".woodpecker", ".gitlab"];
const CI_FILES: &[&str] = &[
    ".gitlab-ci.yml",
    ".travis.yml",
    "jenkinsfile",
    "azure-pipelines.yml",
    "bitbucket-pipelines.yml",
    ".drone.yml",
    "appveyor.yml",
    "cloudbuild.yaml",
];
const HOOK_FOLDERS: &[&str] = &[".husky", ".githooks", "githooks", ".lefthook", "hooks"];
const HOOK_FILES: &[&str] = &[".pre-commit-config.yaml", "lefthook.yml", "lefthook.yaml", ".overcommit.yml"];
const AGENT_FOLDERS: &[&str] = &[".claude", ".codex", ".cursor", ".gemini", ".opencode", ".windsurf"];
const AGENT_FILES: &[&str] = &[
    "claude.md",
    "agents.md",
    "gemini.md",
    "conventions.md",
    ".cursorrules",
    ".windsurfrules",
    "copilot-instructions.md",
    ".aider.conf.yml",
    ".mcp.json",
    "opencode.json",
];
const DEPENDENCY_FILES: &[&str] = &[
    "cargo.toml",
    "cargo.lock",
    "package.json",
    "package-lock.json",
    "npm-shrinkwrap.json",
    "pnpm-lock.yaml",
    "yarn.lock",
    "bun.lock",
    "bun.lockb",
    "deno.lock",
    "pyproject.toml",
    "poetry.lock",
    "uv.lock",
    "pipfile",
    "pipfile.lock",
    "setup.py",
    "setup.cfg",
    "go.mod",
    "go.sum",
    "gemfile",
    "gemfile.lock",
    "composer.json",
    "composer.lock",
    "pom.xml",
    "build.gradle",
    "build.gradle.kts",
    "packages.lock.json",
    "package.swift",
    "package.resolved",
    "mix.exs",
    "mix.lock",
    "flake.nix",
    "flake.lock",
    "environment.yml",
];
const SECRET_FILES: &[&str] = &[
    ".npmrc",
    ".pypirc",
    ".netrc",
    ".pgpass",
    ".htpasswd",
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    "credentials",
    "credentials.json",
    "secrets.yml",
    "secrets.yaml",
    "secrets.json",
    "secrets.toml",
    "service-account.json",
];
const SECRET_ENDS: &[&str] = &["pem", "key", "p12", "pfx", "kdbx", "jks", "keystore", "ppk", "asc"];
const CONFIG_FOLDERS: &[&str] = &[".cargo", ".devcontainer", ".vscode", ".idea", "terraform", "k8s", "helm"];
const CONFIG_FILES: &[&str] = &[
    ".gitattributes",
    ".gitmodules",
    ".envrc",
    "dockerfile",
    "docker-compose.yml",
    "docker-compose.yaml",
    "compose.yml",
    "compose.yaml",
    "nginx.conf",
    "overnight.toml",
    "netlify.toml",
    "vercel.json",
    "fly.toml",
    "procfile",
];

/// Flags of a change, one line a kind, the gravest first.
pub fn flags(changed: &[Changed<'_>], added_secrets: &[String]) -> Vec<String> {
    let mut found: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for change in changed {
        for kind in kinds(change) {
            found.entry(kind).or_default().push(change.path.to_owned());
        }
    }
    if !added_secrets.is_empty() {
        let paths = found.entry(0).or_default();
        paths.extend(added_secrets.iter().filter(|path| !paths.contains(path)).cloned().collect::<Vec<_>>());
    }
    found.into_iter().map(|(kind, paths)| format!("{}: {}", KINDS[kind], list(&paths, SHOWN))).collect()
}

const KINDS: [&str; 10] = [
    "may hold a secret",
    "changes what CI runs",
    "changes hooks",
    "changes what agents are told",
    "deletes tests",
    "changes dependencies",
    "changes configuration",
    "changes a submodule",
    "adds or changes a symbolic link",
    "changes a binary file",
];

fn kinds(change: &Changed<'_>) -> Vec<usize> {
    let path = change.path.to_ascii_lowercase();
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", &path));
    let within = |folders: &[&str]| {
        let slashed = format!("/{folder}/");
        folders.iter().any(|folder| slashed.contains(&format!("/{folder}/")))
    };
    let named = |names: &[&str]| names.contains(&name);
    let end = name.rsplit_once('.').map(|(_, end)| end);
    let sample = [".example", ".sample", ".template", ".dist"].iter().any(|mark| name.contains(mark));
    let env = name == ".env" || name.starts_with(".env.");
    let holds = [
        !change.deleted && !sample && (env || named(SECRET_FILES) || end.is_some_and(|end| SECRET_ENDS.contains(&end))),
        within(CI_FOLDERS) || named(CI_FILES),
        within(HOOK_FOLDERS) || named(HOOK_FILES),
        within(AGENT_FOLDERS) || named(AGENT_FILES),
        change.deleted && is_test(folder, name),
        named(DEPENDENCY_FILES) || (name.starts_with("requirements") && end == Some("txt")) || end == Some("csproj"),
        within(CONFIG_FOLDERS) || named(CONFIG_FILES) || name.starts_with("dockerfile.") || end == Some("tf"),
        change.submodule,
        change.link,
        change.binary && !change.deleted && !change.link && !change.submodule,
    ];
    holds.iter().enumerate().filter(|(_, holds)| **holds).map(|(kind, _)| kind).collect()
}

fn is_test(folder: &str, name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name);
    let marked = [".test.", ".spec.", "_test.", "_spec."].iter().any(|mark| name.contains(mark));
    marked
        || stem.starts_with("test_")
        || stem == "tests"
        || stem.ends_with("tests")
        || folder.split('/').any(|part| matches!(part, "test" | "tests" | "__tests__" | "spec" | "testdata"))
}

/// Files of a patch whose added lines look like they hold a secret. Known shapes only: a guess at randomness would cry
/// wolf at every hash.
pub fn added_secrets(patch: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut file = "";
    let mut in_hunk = false;
    for line in patch.lines() {
        if let Some(names) = line.strip_prefix("diff --git ") {
            file = names.rsplit_once(" b/").map_or(names, |(_, name)| name).trim_end_matches('"');
            in_hunk = false;
        } else if line.starts_with("@@") {
            in_hunk = true;
        } else if in_hunk
            && let Some(added) = line.strip_prefix('+')
            && is_secret(added)
            && found.last().is_none_or(|last| last != file)
        {
            found.push(file.to_owned());
        }
    }
    found
}

/// Starts of tokens with what must follow: how many characters of a token's alphabet.
const TOKENS: [(&str, usize); 14] = [
    ("AKIA", 16),
    ("ASIA", 16),
    ("ghp_", 36),
    ("gho_", 36),
    ("ghs_", 36),
    ("github_pat_", 40),
    ("glpat-", 20),
    ("xoxb-", 20),
    ("xoxp-", 20),
    ("sk-ant-", 20),
    ("sk_live_", 20),
    ("AIza", 35),
    ("npm_", 36),
    ("SG.", 40),
];

fn is_secret(line: &str) -> bool {
    if line.contains("-----BEGIN ") && line.contains("PRIVATE KEY") {
        return true;
    }
    TOKENS.iter().any(|(start, length)| {
        line.match_indices(start).any(|(at, _)| {
            let fresh = !line[..at].ends_with(|c: char| c.is_ascii_alphanumeric());
            let body = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
            fresh && line[at + start.len()..].chars().take_while(body).count() >= *length
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &str) -> Vec<String> {
        flags(&[Changed { path, deleted: false, binary: false, link: false, submodule: false }], &[])
    }

    #[test]
    fn what_gives_power_or_hides_is_named() {
        let cases = [
            (".github/workflows/ci.yml", "changes what CI runs"),
            ("sub/.gitlab-ci.yml", "changes what CI runs"),
            (".husky/pre-commit", "changes hooks"),
            ("CLAUDE.md", "changes what agents are told"),
            (".claude/settings.json", "changes what agents are told"),
            ("crates/a/Cargo.toml", "changes dependencies"),
            ("requirements-dev.txt", "changes dependencies"),
            (".env.production", "may hold a secret"),
            ("certs/server.pem", "may hold a secret"),
            ("Dockerfile", "changes configuration"),
            (".gitattributes", "changes configuration"),
        ];
        for (path, kind) in cases {
            assert_eq!(of(path), [format!("{kind}: {path}")], "{path}");
        }
        for path in
            ["src/main.rs", "docs/hooks.md", "README.md", ".env.example", "tests/a.rs", "src/keys.rs", "a.github"]
        {
            assert_eq!(of(path), [""; 0], "{path}");
        }
    }

    #[test]
    fn kinds_count_apart_and_paths_are_bounded() {
        let change = |path, deleted, link| Changed { path, deleted, binary: link, link, submodule: false };
        let changed = [
            change("tests/a.rs", true, false),
            change("src/a_test.go", true, false),
            change("web/app.test.ts", true, false),
            change("test_b.py", true, false),
            change("src/a.rs", true, false),
            change("link", false, true),
        ];
        let wanted = "deletes tests: tests/a.rs, src/a_test.go, web/app.test.ts";
        let flags = flags(&changed, &[]);
        assert!(flags[0].starts_with(wanted) && !flags[0].contains("src/a.rs"), "{flags:?}");
        assert_eq!(flags[1], "adds or changes a symbolic link: link");
        assert_eq!(flags.len(), 2);
    }

    #[test]
    fn secrets_are_seen_in_added_lines_by_their_shape() {
        let key = format!("AKIA{}", "A".repeat(16));
        let token = format!("ghp_{}", "a1".repeat(18));
        let patch = format!(
            "diff --git a/a.rs b/a.rs\n@@ -1 +1,2 @@\n-let k = \"{key}\";\n context {token}\n\
             diff --git a/b.rs b/b.rs\n@@ -0,0 +1,3 @@\n+let t = \"{token}\";\n+let k = \"{key}\";\n\
             diff --git a/c.pem b/c.pem\n@@ -0,0 +1 @@\n+-----BEGIN RSA PRIVATE KEY-----\n\
             diff --git a/d b/d\n@@ -0,0 +1,2 @@\n+sha256 {}\n+xAKIA{}\n",
            "ab".repeat(32),
            "A".repeat(16)
        );
        assert_eq!(added_secrets(&patch), ["b.rs", "c.pem"]);
    }
}
