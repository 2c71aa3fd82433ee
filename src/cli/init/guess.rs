//! Which commands a project is set up and tested with, guessed from its files. Pure: what a file says comes in as text.
//!
//! Left out on purpose: running anything (`trial`), and certainty: a guess is tried in a throw-away clone and shown.

use crate::domain::settings::Argv;

/// What one kind of project is set up and tested by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Guess {
    /// The file that tells.
    pub(in crate::cli) from: &'static str,
    /// Run first in a fresh clone.
    pub(in crate::cli) setup: Option<Argv>,
    /// Decides whether a result is right; none: the project names no tests.
    pub(in crate::cli) verify: Option<Argv>,
}

/// Files that are asked for; nothing else is read.
pub(in crate::cli) const FILES: [&str; 26] = [
    "Cargo.toml",
    "Cargo.lock",
    "package.json",
    "package-lock.json",
    "pnpm-lock.yaml",
    "yarn.lock",
    "bun.lock",
    "bun.lockb",
    "pyproject.toml",
    "requirements.txt",
    "requirements-dev.txt",
    "setup.py",
    "uv.lock",
    "poetry.lock",
    "tox.ini",
    "pytest.ini",
    "go.mod",
    "mix.exs",
    "Gemfile",
    ".rspec",
    "Rakefile",
    "gradlew",
    "pom.xml",
    "Makefile",
    "makefile",
    "GNUmakefile",
];

/// Guesses in the order they should be tried; `file` gives the text of one of [`FILES`], if it is there. The first one
/// that names tests comes first.
pub(in crate::cli) fn guess(file: &dyn Fn(&str) -> Option<String>) -> Vec<Guess> {
    let kinds = [rust, node, python, go, elixir, ruby, jvm, make];
    let mut found: Vec<Guess> = kinds.into_iter().filter_map(|kind| kind(file)).collect();
    found.sort_by_key(|guess| guess.verify.is_none());
    found
}

type Files<'a> = &'a dyn Fn(&str) -> Option<String>;

fn argv(words: &[&str]) -> Option<Argv> {
    Argv::new(words.iter().map(ToString::to_string).collect()).ok()
}

/// For what takes more than one command.
fn shell(line: &str) -> Option<Argv> {
    argv(&["sh", "-c", line])
}

fn rust(file: Files<'_>) -> Option<Guess> {
    let manifest = file("Cargo.toml")?;
    let locked: &[&str] = if file("Cargo.lock").is_some() { &["--locked"] } else { &[] };
    let workspace: &[&str] = if has_table(&manifest, "workspace") { &["--workspace"] } else { &[] };
    Some(Guess {
        from: "Cargo.toml",
        setup: argv(&[&["cargo", "fetch"], locked].concat()),
        verify: argv(&[&["cargo", "test"], workspace, locked].concat()),
    })
}

fn node(file: Files<'_>) -> Option<Guess> {
    let package: serde_json::Value = serde_json::from_str(&file("package.json")?).unwrap_or_default();
    let said = package["packageManager"].as_str().and_then(|text| text.split('@').next());
    let has = |name: &str| file(name).is_some();
    let (manager, install): (&str, &[&str]) = if has("pnpm-lock.yaml") {
        ("pnpm", &["pnpm", "install", "--frozen-lockfile"])
    } else if has("yarn.lock") {
        ("yarn", &["yarn", "install", "--frozen-lockfile"])
    } else if has("bun.lock") || has("bun.lockb") {
        ("bun", &["bun", "install", "--frozen-lockfile"])
    } else if has("package-lock.json") {
        ("npm", &["npm", "ci"])
    } else {
        match said {
            Some("pnpm") => ("pnpm", &["pnpm", "install"]),
            Some("yarn") => ("yarn", &["yarn", "install"]),
            Some("bun") => ("bun", &["bun", "install"]),
            // It would leave a new lock file in every result.
            _ => ("npm", &["npm", "install", "--no-package-lock"]),
        }
    };
    let lists = |key: &str| package[key].as_object().is_some_and(|list| !list.is_empty());
    let needs = ["dependencies", "devDependencies", "workspaces", "optionalDependencies"].into_iter().any(lists)
        || package["workspaces"].is_array();
    // What `npm init` writes fails always.
    let test = package["scripts"]["test"].as_str().filter(|line| !line.contains("no test specified"));
    let run: &[&str] = if manager == "bun" { &["bun", "run", "test"] } else { &[manager, "test"] };
    Some(Guess {
        from: "package.json",
        setup: if needs { argv(install) } else { None },
        verify: test.and_then(|_| argv(run)),
    })
}

fn python(file: Files<'_>) -> Option<Guess> {
    let project = file("pyproject.toml");
    let requirements = ["requirements.txt", "requirements-dev.txt"].map(|name| (name, file(name)));
    let setup_py = file("setup.py");
    let from = if project.is_some() {
        "pyproject.toml"
    } else if requirements.iter().any(|(_, text)| text.is_some()) {
        "requirements.txt"
    } else {
        setup_py.as_ref().map(|_| "setup.py")?
    };
    let texts =
        || project.iter().chain(setup_py.iter()).chain(requirements.iter().filter_map(|(_, text)| text.as_ref()));
    let pytest = texts().any(|text| text.contains("pytest")) || file("pytest.ini").is_some();
    let test: &[&str] = if pytest { &["pytest"] } else { &["unittest"] };
    let with = |start: &[&str]| argv(&[start, &["python", "-m"], test].concat());
    if file("uv.lock").is_some() {
        return Some(Guess { from, setup: argv(&["uv", "sync", "--frozen"]), verify: with(&["uv", "run"]) });
    }
    if file("poetry.lock").is_some() {
        let setup = argv(&["poetry", "install", "--no-interaction"]);
        return Some(Guess { from, setup, verify: with(&["poetry", "run"]) });
    }
    let mut installs = String::new();
    for (name, _) in requirements.iter().filter(|(_, text)| text.is_some()) {
        installs.push_str(" -r ");
        installs.push_str(name);
    }
    let package = setup_py.is_some() || project.as_ref().is_some_and(|text| has_table(text, "project"));
    if package {
        installs.push_str(" -e .");
    }
    if pytest && !requirements.iter().any(|(_, text)| text.as_ref().is_some_and(|text| text.contains("pytest"))) {
        installs.push_str(" pytest");
    }
    // The environment ignores itself, so that it never gets into a commit, whatever the project's .gitignore says.
    let setup = if installs.is_empty() {
        None
    } else {
        shell(&format!(
            "python3 -m venv .venv && echo '*' >.venv/.gitignore && .venv/bin/pip install --quiet{installs}"
        ))
    };
    let python = if setup.is_some() { ".venv/bin/python" } else { "python3" };
    Some(Guess { from, verify: argv(&[&[python, "-m"], test].concat()), setup })
}

fn go(file: Files<'_>) -> Option<Guess> {
    file("go.mod")?;
    Some(Guess { from: "go.mod", setup: argv(&["go", "mod", "download"]), verify: argv(&["go", "test", "./..."]) })
}

fn elixir(file: Files<'_>) -> Option<Guess> {
    file("mix.exs")?;
    Some(Guess { from: "mix.exs", setup: argv(&["mix", "deps.get"]), verify: argv(&["mix", "test"]) })
}

fn ruby(file: Files<'_>) -> Option<Guess> {
    let gems = file("Gemfile")?;
    let verify: Option<&[&str]> = if gems.contains("rspec") || file(".rspec").is_some() {
        Some(&["bundle", "exec", "rspec"])
    } else {
        file("Rakefile").map(|_| &["bundle", "exec", "rake", "test"][..])
    };
    Some(Guess { from: "Gemfile", setup: argv(&["bundle", "install"]), verify: verify.and_then(argv) })
}

fn jvm(file: Files<'_>) -> Option<Guess> {
    if file("gradlew").is_some() {
        return Some(Guess { from: "gradlew", setup: None, verify: argv(&["./gradlew", "--no-daemon", "test"]) });
    }
    file("pom.xml")?;
    Some(Guess { from: "pom.xml", setup: None, verify: argv(&["mvn", "--batch-mode", "test"]) })
}

fn make(file: Files<'_>) -> Option<Guess> {
    // In the order make itself looks.
    let name = ["GNUmakefile", "makefile", "Makefile"].into_iter().find(|name| file(name).is_some())?;
    let text = file(name)?;
    let has = |target: &str| text.lines().any(|line| is_target(line, target));
    let target = ["test", "tests", "check"].into_iter().find(|target| has(target));
    Some(Guess { from: name, setup: None, verify: target.and_then(|target| argv(&["make", target])) })
}

/// `test:` and `lint test: deps`, not `test := x`.
fn is_target(line: &str, target: &str) -> bool {
    let Some((names, rest)) = line.split_once(':') else { return false };
    let assigns = rest.starts_with('=') || rest.starts_with(":=");
    !line.starts_with([' ', '\t', '#']) && !assigns && names.split_whitespace().any(|name| name == target)
}

fn has_table(text: &str, name: &str) -> bool {
    text.parse::<toml::Table>().is_ok_and(|table| table.contains_key(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first guess as `setup ⏵ verify`.
    fn first(files: &[(&str, &str)]) -> String {
        let asked = |name: &str| {
            assert!(FILES.contains(&name), "{name} is asked for and not in FILES");
            files.iter().find(|(known, _)| *known == name).map(|(_, text)| (*text).to_owned())
        };
        let shown = |argv: &Option<Argv>| argv.as_ref().map_or("-".into(), ToString::to_string);
        guess(&asked)
            .first()
            .map_or("nothing".into(), |guess| format!("{} ⏵ {}", shown(&guess.setup), shown(&guess.verify)))
    }

    #[test]
    fn commands_are_guessed_from_what_is_there() {
        let venv = "python3 -m venv .venv && echo '*' >.venv/.gitignore && .venv/bin/pip install --quiet";
        let python = |installs: &str, test: &str| {
            let setup = argv(&["sh", "-c", &format!("{venv}{installs}")]).unwrap();
            format!("{setup} ⏵ .venv/bin/python -m {test}")
        };
        let tested = r#"{"scripts": {"test": "vitest"}, "devDependencies": {"vitest": "1"}}"#;
        let cases: [(&[(&str, &str)], String); 27] = [
            (&[], "nothing".into()),
            (&[("Cargo.toml", "[package]")], "cargo fetch ⏵ cargo test".into()),
            (
                &[("Cargo.toml", "[workspace]\nmembers = []"), ("Cargo.lock", "")],
                "cargo fetch --locked ⏵ cargo test --workspace --locked".into(),
            ),
            (&[("Cargo.toml", "not [ toml")], "cargo fetch ⏵ cargo test".into()),
            (&[("package.json", tested), ("package-lock.json", "{}")], "npm ci ⏵ npm test".into()),
            (&[("package.json", tested)], "npm install --no-package-lock ⏵ npm test".into()),
            (&[("package.json", tested), ("pnpm-lock.yaml", "")], "pnpm install --frozen-lockfile ⏵ pnpm test".into()),
            (&[("package.json", tested), ("yarn.lock", "")], "yarn install --frozen-lockfile ⏵ yarn test".into()),
            (&[("package.json", tested), ("bun.lock", "")], "bun install --frozen-lockfile ⏵ bun run test".into()),
            (
                &[(
                    "package.json",
                    r#"{"packageManager": "pnpm@9.1.0", "scripts": {"test": "x"}, "workspaces": ["a"]}"#,
                )],
                "pnpm install ⏵ pnpm test".into(),
            ),
            (&[("package.json", r#"{"scripts": {"test": "node --test"}}"#)], "- ⏵ npm test".into()),
            (
                &[("package.json", r#"{"scripts": {"test": "echo \"Error: no test specified\" && exit 1"}}"#)],
                "- ⏵ -".into(),
            ),
            (&[("package.json", "not json")], "- ⏵ -".into()),
            (&[("requirements.txt", "flask\npytest\n")], python(" -r requirements.txt", "pytest")),
            (&[("requirements.txt", "flask\n")], python(" -r requirements.txt", "unittest")),
            (
                &[("requirements.txt", "a"), ("requirements-dev.txt", "pytest==8")],
                python(" -r requirements.txt -r requirements-dev.txt", "pytest"),
            ),
            (
                &[("pyproject.toml", "[project]\nname = 'a'\n[tool.pytest.ini_options]\n")],
                python(" -e . pytest", "pytest"),
            ),
            (&[("pyproject.toml", "[tool.black]\n")], "- ⏵ python3 -m unittest".into()),
            (
                &[("pyproject.toml", "[dependency-groups]\ndev = ['pytest']"), ("uv.lock", "")],
                "uv sync --frozen ⏵ uv run python -m pytest".into(),
            ),
            (
                &[("pyproject.toml", "[tool.poetry]\n"), ("poetry.lock", ""), ("pytest.ini", "")],
                "poetry install --no-interaction ⏵ poetry run python -m pytest".into(),
            ),
            (&[("go.mod", "module a")], "go mod download ⏵ go test ./...".into()),
            (&[("Gemfile", "gem 'rspec'")], "bundle install ⏵ bundle exec rspec".into()),
            (&[("gradlew", "")], "- ⏵ ./gradlew --no-daemon test".into()),
            (&[("Makefile", ".PHONY: test\nall: a\nlint test: all\n\tx")], "- ⏵ make test".into()),
            (&[("Makefile", "test := 1\n\ttest:\n# test:\ncheck:\n")], "- ⏵ make check".into()),
            (&[("Makefile", "all:\n")], "- ⏵ -".into()),
            // Who names tests comes first.
            (&[("package.json", "{}"), ("Makefile", "check:")], "- ⏵ make check".into()),
        ];
        for (files, expected) in cases {
            assert_eq!(first(files), expected, "{files:?}");
        }
    }

    #[test]
    fn several_kinds_are_several_guesses() {
        let file = |name: &str| ["Cargo.toml", "go.mod"].contains(&name).then(String::new);
        assert_eq!(guess(&file).iter().map(|guess| guess.from).collect::<Vec<_>>(), ["Cargo.toml", "go.mod"]);
    }
}
