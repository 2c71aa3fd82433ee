//! The map of the crate holds: imports go one way, the domain is pure, and time, the environment and SQL have one home.
//!
//! The rules read `src/` as text. Left out on purpose: what clippy.toml and Cargo.toml's lints already refuse.

mod source;

use source::{Source, is_name, sources};

/// The adapters: one outside thing each. They never import one another.
const ADAPTERS: [&str; 8] = ["store", "chat", "agent", "runner", "git", "host", "config", "clock"];

/// What each area may import, besides itself and the domain.
const LAYERS: [(&str, &[&str]); 14] = [
    ("main", &["cli"]),
    // Only declares the others.
    ("lib", &[]),
    ("cli", &["app", "engine"]),
    // The composition root: it makes every part, and nothing else does.
    ("app", &["engine", "store", "chat", "agent", "runner", "git", "host", "config", "clock"]),
    // Settings come in as values of the domain; who read them is not the engine's business.
    ("engine", &["store", "chat", "agent", "runner", "git", "host", "clock"]),
    ("store", &[]),
    ("chat", &[]),
    ("agent", &[]),
    ("runner", &[]),
    ("git", &[]),
    ("host", &[]),
    ("config", &[]),
    ("clock", &[]),
    ("domain", &[]),
];

/// Arrows that are not in [`LAYERS`]: the file or folder that has it, what it imports, why.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("chat", "clock", "a message is stamped when it comes in; Clock is a trait for all"),
    ("cli/queue.rs", "chat", "flags make the same command that a typed message makes"),
    ("cli/ask.rs", "chat", "an answer is shown as the terminal chat shows it"),
    ("cli/run.rs", "chat", "the terminal's standard input and output belong to the process"),
    ("cli", "clock", "a subcommand chooses between the machine's clock and a rehearsal's"),
    ("cli", "config", "arguments override the configuration, so they are read together"),
    ("cli/mod.rs", "runner", "the hidden subcommand by which our program supervises a run"),
    ("cli/agents/", "agent", "what a login looks like, and what a recorded stream means, is asked without an engine"),
    ("cli/demo/", "chat", "the demo types into a terminal chat and shows what it says"),
    ("cli/demo/", "host", "the demo's machine is scripted, so that a shortage can be shown"),
    ("cli/demo/", "store", "the demo ends when its brief is out, and lists the night's commits"),
    ("cli/init/", "chat", "one way to a Bot API server, for the bot and for setting it up"),
    ("cli/init/", "git", "a project's commands are tried in a clone made as builds get theirs"),
    ("cli/init/", "host", "the files it makes are written whole or not at all"),
    ("cli/doctor/", "git", "git and the projects' repositories are looked at as the night will"),
    ("cli/doctor/", "host", "the machine is measured, and kept awake for a moment, as the night will"),
    ("cli/doctor/", "runner", "what can hold a build is tried as the night will"),
    ("cli/doctor/", "store", "what is on record of tonight and of last night"),
    ("cli/ask.rs", "store", "the report and the brief of a session are looked up before they are printed"),
];

/// Most lines of a file in `src/`; the aim is 300.
const MOST_LINES: usize = 450;

/// Files that may be longer, and why.
const LONG: [(&str, &str); 1] = [("domain/test_output/tests.rs", "recorded outputs of many test runners")];

#[test]
fn imports_only_go_down() {
    let sources = sources("src");
    assert!(sources.len() > 100, "the sources were not found");
    nothing(&climbing(&sources));
    for (path, target, _) in EXCEPTIONS {
        let used = sources.iter().any(|source| is_in(source, path) && source.imports().iter().any(|i| i == target));
        assert!(used, "{path} no longer imports {target}: take the exception out");
    }
}

#[test]
fn the_domain_is_pure() {
    let manifest = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).expect("the manifest");
    let dependencies = dependencies(&manifest);
    assert!(dependencies.contains(&"tokio".to_owned()), "{dependencies:?}");
    nothing(&impure(&sources("src"), &dependencies));
}

#[test]
fn sql_time_the_environment_and_exit_have_one_home() {
    nothing(&homeless(&sources("src")));
}

/// sqlx binds a plain `?` by its place among the plain ones: beside a `?2` the wrong value is bound, silently.
#[test]
fn queries_number_all_their_parameters_or_none() {
    nothing(&mixing(&sources("src")));
}

fn mixing(sources: &[Source]) -> Vec<String> {
    let numbered = |text: &str, at: usize| text[at + 1..].starts_with(|c: char| c.is_ascii_digit());
    let mixes = |text: &String| {
        let marks = || text.match_indices('?').map(|(at, _)| numbered(text, at));
        marks().any(|is| is) && marks().any(|is| !is)
    };
    let store = sources.iter().filter(|source| source.area() == "store");
    store
        .flat_map(|source| source.strings().into_iter().filter(mixes).map(|text| (source, text)).collect::<Vec<_>>())
        .map(|(source, text)| format!("{}: numbers some parameters and not others: {text}", source.path))
        .collect()
}

#[test]
fn files_are_short_and_open_with_what_they_are_for() {
    let sources = sources("src");
    nothing(&shapeless(&sources));
    for (path, _) in LONG {
        let long = sources.iter().any(|s| s.path == path && s.text.lines().count() > MOST_LINES);
        assert!(long, "{path} is no longer long: take the exception out");
    }
    nothing(&unexplained(&self::sources("tests")));
}

#[track_caller]
fn nothing(breaches: &[String]) {
    assert!(breaches.is_empty(), "\n{}\n", breaches.join("\n"));
}

/// Whether `place` is this file, a folder it is in (ends with `/`), or its area.
fn is_in(source: &Source, place: &str) -> bool {
    source.path == place || source.area() == place || (place.ends_with('/') && source.path.starts_with(place))
}

/// Imports of what is not below.
fn climbing(sources: &[Source]) -> Vec<String> {
    let areas: Vec<&str> = LAYERS.iter().map(|(area, _)| *area).collect();
    let mut breaches = Vec::new();
    for source in sources {
        let area = source.area();
        let Some((_, below)) = LAYERS.iter().find(|(known, _)| *known == area) else {
            breaches.push(format!("{}: {area} has no place in LAYERS", source.path));
            continue;
        };
        for import in source.imports().iter().filter(|import| areas.contains(&import.as_str())) {
            let allowed = import == area
                || (import == "domain" && !matches!(area, "main" | "lib"))
                || below.contains(&import.as_str())
                || EXCEPTIONS.iter().any(|(path, target, _)| is_in(source, path) && target == import);
            if !allowed {
                breaches.push(format!("{}: {area} may not import {import}", source.path));
            }
        }
        if has_word(&source.code, "crate as") || has_word(&source.code, "crate::*") {
            breaches
                .push(format!("{}: the crate under another name, or all of it, hides what is imported", source.path));
        }
    }
    breaches
}

/// Names of the manifest's `[dependencies]`, as the code writes them.
fn dependencies(manifest: &str) -> Vec<String> {
    let section = manifest.lines().skip_while(|line| line.trim() != "[dependencies]").skip(1);
    let section = section.take_while(|line| !line.starts_with('['));
    section.filter_map(|line| Some(line.split_once('=')?.0.trim().replace('-', "_"))).collect()
}

/// Crates that compute and do nothing else.
const PURE: [&str; 9] =
    ["chrono", "chrono_tz", "serde", "serde_json", "sha2", "strsim", "thiserror", "toml", "unicode_width"];

/// What reaches outside or asks for the time, as it is written in code.
const IMPURE: [&str; 17] = [
    "std::fs",
    "std::process",
    "std::env",
    "std::net",
    "std::os",
    "std::thread",
    "std::io::std",
    "SystemTime",
    "Instant",
    "now()",
    ".exists()",
    ".is_file()",
    ".is_dir()",
    ".metadata()",
    ".canonicalize()",
    ".read_dir()",
    "async",
];

/// What the domain reaches for and must not.
fn impure(sources: &[Source], dependencies: &[String]) -> Vec<String> {
    let crates = dependencies.iter().filter(|name| !PURE.contains(&name.as_str())).map(|name| format!("{name}::"));
    let words: Vec<String> = crates.chain(IMPURE.map(str::to_owned)).collect();
    let domain = sources.iter().filter(|source| source.area() == "domain");
    domain.flat_map(|source| found(source, &words, "the domain is pure")).collect()
}

/// Words that have one home, and where it is: areas, folders and files. Owners' databases are looked after by `host`, and
/// the demo makes one.
const HOMES: [(&str, &[&str]); 11] = [
    ("sqlx::", &["store", "host/databases.rs", "host/databases/", "cli/demo/stage.rs"]),
    ("Utc::now", &["clock.rs"]),
    ("Local::now", &["clock.rs"]),
    ("SystemTime::now", &["clock.rs"]),
    ("env::var", &["config"]),
    ("env::var_os", &["config"]),
    ("env::vars", &["config"]),
    ("env::vars_os", &["config"]),
    ("env::set_var", &[]),
    ("process::exit", &[]),
    ("dotenvy::", &["config"]),
];

/// Uses of what has its home elsewhere.
fn homeless(sources: &[Source]) -> Vec<String> {
    let mut breaches = Vec::new();
    for (word, homes) in HOMES {
        let at_home = |source: &Source| homes.iter().any(|home| is_in(source, home));
        let why = if homes.is_empty() { "nobody uses it".into() } else { format!("only {} uses it", homes.join(", ")) };
        for source in sources.iter().filter(|source| !at_home(source)) {
            breaches.extend(found(source, &[word.to_owned()], &why));
        }
    }
    breaches
}

fn shapeless(sources: &[Source]) -> Vec<String> {
    let long = sources.iter().filter(|s| s.text.lines().count() > MOST_LINES);
    let long = long.filter(|s| !LONG.iter().any(|(path, _)| s.path == *path));
    let long = long.map(|s| format!("{}: {} lines, more than {MOST_LINES}", s.path, s.text.lines().count()));
    long.chain(unexplained(sources)).collect()
}

/// A `tests.rs` and what lies in a `tests/` are their parent's `mod tests`, moved out: the parent says what it is for.
fn unexplained(sources: &[Source]) -> Vec<String> {
    let of_parent = |s: &Source| s.path.ends_with("/tests.rs") || s.path.contains("/tests/");
    let unexplained = sources.iter().filter(|s| !s.text.starts_with("//! ") && !of_parent(s));
    unexplained.map(|s| format!("{}: does not open with //! and what it is for", s.path)).collect()
}

/// Where these words stand in the code.
fn found(source: &Source, words: &[String], why: &str) -> Vec<String> {
    let lines = || source.code.lines().enumerate();
    words
        .iter()
        .flat_map(|word| lines().filter(|(_, line)| has_word(line, word)).map(move |(at, _)| (word, at + 1)))
        .map(|(word, line)| format!("{}:{line}: {word}: {why}", source.path))
        .collect()
}

/// Whether `word` stands there as a whole: `Instant` is not in `Instantly`, `rand::` not in `operand::`.
fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let before = word.starts_with(is_name) && text[..at].ends_with(is_name);
        let after = word.ends_with(is_name) && text[at + word.len()..].starts_with(is_name);
        !before && !after
    })
}

#[test]
fn the_rules_catch_what_breaks_them() {
    let climbs = |path: &str, code: &str| !climbing(&[Source::new(path, code)]).is_empty();
    for area in ADAPTERS {
        let path = format!("{area}/a.rs");
        assert!(!climbs(&path, "use crate::domain::id::TaskId;"), "{area}");
        for other in ADAPTERS.into_iter().filter(|other| *other != area && (area, *other) != ("chat", "clock")) {
            assert!(climbs(&path, &format!("use crate::{other}::A;")), "{area} imports its sibling {other}");
        }
        for above in ["engine", "app", "cli"] {
            assert!(climbs(&path, &format!("fn f() {{ crate::{above}::f() }}")), "{area} imports {above}");
        }
        assert!(climbs("domain/a.rs", &format!("use super::super::{area}::A;")), "the domain imports {area}");
        assert!(climbs("main.rs", &format!("use overnight::{area};")), "main imports {area}");
    }
    assert!(climbs("engine/mod.rs", "use crate::app::Outside;") && climbs("app.rs", "use crate::cli::main;"));
    assert!(climbs("cli/demo.rs", "use crate::git::Git;") && climbs("engine/mod.rs", "use crate::config::Config;"));
    assert!(climbs("util.rs", "") && climbs("git/a.rs", "use crate as c;"));

    let dirty = |code: &str| !impure(&[Source::new("domain/a.rs", code)], &["rand".into(), "serde".into()]).is_empty();
    assert!(
        dirty("let now = Utc::now();") && dirty("use std::fs;") && dirty("rand::random()") && dirty("path.exists()")
    );
    assert!(!dirty("use serde::Serialize; // std::fs, now()\nlet operand::A = Instantly;"));

    let strays = |path: &str, code: &str| !homeless(&[Source::new(path, code)]).is_empty();
    assert!(strays("engine/facts.rs", "sqlx::query!(\"\")") && strays("host/logs.rs", "use sqlx::Row;"));
    assert!(!strays("host/databases/session.rs", "use sqlx::Row;") && !strays("store/mod.rs", "use sqlx::Row;"));
    assert!(strays("app.rs", "Utc::now()") && strays("cli/mod.rs", "std::process::exit(1)"));
    assert!(strays("git/run.rs", "std::env::var(\"PATH\")") && !strays("config/a.rs", "std::env::var(\"PATH\")"));

    let mixed = |sql: &str| !mixing(&[Source::new("store/a.rs", &format!("query!(\"{sql}\")"))]).is_empty();
    assert!(mixed("SET a = ?, b = ?2 WHERE id = ?") && !mixed("SET a = ?1, b = ?2") && !mixed("SET a = ?, b = ?"));

    assert_eq!(shapeless(&[Source::new("a.rs", &format!("//! For a.\n{}", "\n".repeat(449)))]), [""; 0]);
    assert_eq!(shapeless(&[Source::new("a.rs", &format!("//! For a.\n{}", "\n".repeat(450)))]).len(), 1);
    assert_eq!(unexplained(&[Source::new("a.rs", "use b;"), Source::new("a/tests.rs", "use b;")]).len(), 1);
}
