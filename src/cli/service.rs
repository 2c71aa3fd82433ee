//! The service that keeps the bot running: what is written when it is installed, and what an installed one sees.
//!
//! The units come from `deploy/`, so that what is said there holds here too. Left out on purpose: cron and Docker,
//! which are set up by hand.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const UNIT: &str = include_str!("../../deploy/overnight.service");
const PLIST: &str = include_str!("../../deploy/com.overnight.plist");
/// Whose paths the plist in `deploy/` has.
const EXAMPLE_HOME: &str = "/Users/ross";
/// What a user's systemd gives services unless they say otherwise (`systemd.exec(5)`, "PATH").
const SYSTEMD_PATH: &str = "/usr/local/bin:/usr/bin:/bin";
/// What launchd gives (`path_helper` and shell profiles don't apply).
const LAUNCHD_PATH: &str = "/usr/bin:/bin:/usr/sbin:/sbin";

/// Which program keeps services running here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manager {
    /// Linux.
    Systemd,
    /// macOS.
    Launchd,
}

impl Manager {
    /// This machine's.
    pub(super) fn here() -> Self {
        if cfg!(target_os = "macos") { Self::Launchd } else { Self::Systemd }
    }

    /// Where the user's unit is.
    pub(super) fn file(self, variables: &BTreeMap<String, String>) -> Option<PathBuf> {
        let home = PathBuf::from(variables.get("HOME")?);
        Some(match self {
            Self::Launchd => home.join("Library/LaunchAgents/com.overnight.plist"),
            Self::Systemd => {
                let named = variables.get("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
                named.unwrap_or_else(|| home.join(".config")).join("systemd/user/overnight.service")
            }
        })
    }
}

/// What a unit has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Program and arguments.
    pub(super) command: Vec<String>,
    /// The user's home folder.
    pub(super) home: PathBuf,
    /// Where programs are looked up.
    pub(super) path: String,
}

/// The unit's text.
pub(super) fn text(manager: Manager, wanted: &Wanted) -> String {
    match manager {
        Manager::Systemd => unit(wanted),
        Manager::Launchd => plist(wanted),
    }
}

fn unit(wanted: &Wanted) -> String {
    let command: Vec<String> = wanted.command.iter().map(|word| systemd_word(&word.replace('$', "$$"))).collect();
    let replaced = |line: &str| {
        if line.starts_with("ExecStart=") {
            format!("ExecStart={}", command.join(" "))
        } else if line.starts_with("Environment=PATH=") {
            format!("Environment={}", systemd_word(&format!("PATH={}", wanted.path)))
        } else {
            line.to_owned()
        }
    };
    let lines = UNIT.lines().skip_while(|line| line.starts_with('#') || line.is_empty());
    let lines = lines.filter(|line| !line.starts_with("# Adapt:")).map(replaced);
    format!("# Written by `overnight init`.\n{}\n", lines.collect::<Vec<_>>().join("\n"))
}

/// Quoted where systemd would split or end the line, specifiers doubled (`systemd.service(5)`, "COMMAND LINES"). A `$` is
/// special in commands only, not in `Environment=` (`systemd.exec(5)`).
fn systemd_word(word: &str) -> String {
    let escaped = word.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%");
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@+,%".contains(c);
    if escaped.chars().all(plain) { escaped } else { format!("\"{escaped}\"") }
}

fn plist(wanted: &Wanted) -> String {
    let words: Vec<String> =
        wanted.command.iter().map(|word| format!("        <string>{}</string>", xml(word))).collect();
    let from_example =
        format!("        <string>{EXAMPLE_HOME}/.local/bin/overnight</string>\n        <string>run</string>");
    let text = PLIST.replace(&from_example, &words.join("\n"));
    let path = text.lines().find(|line| line.contains("/opt/homebrew/bin")).unwrap_or_default().to_owned();
    let text = text.replace(&path, &format!("        <string>{}</string>", xml(&wanted.path)));
    let start = text.find("<!--").unwrap_or(0);
    let end = text.find("-->").map_or(start, |at| at + "-->\n".len());
    format!(
        "{}<!-- Written by `overnight init`. -->\n{}",
        &text[..start],
        text[end..].replace(EXAMPLE_HOME, &xml(&wanted.home.display().to_string()))
    )
}

fn xml(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// An installed service, as its unit says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Installed {
    /// The program it starts.
    pub(super) program: Option<PathBuf>,
    /// All words of the command.
    pub(super) command: Vec<String>,
    /// What it sets, `PATH` always among it.
    pub(super) variables: BTreeMap<String, String>,
    /// Files that set more: path, and whether it may be absent.
    pub(super) files: Vec<(PathBuf, bool)>,
    /// Whether `PATH` is named, or is what the manager gives.
    pub(super) path_named: bool,
    /// Whether ending the bot leaves builds alone.
    pub(super) spares_builds: bool,
}

/// Reads a unit. Lines that don't matter here are passed over.
pub(super) fn read(manager: Manager, text: &str, home: &Path) -> Installed {
    match manager {
        Manager::Systemd => read_unit(text, home),
        Manager::Launchd => read_plist(text),
    }
}

fn read_unit(text: &str, home: &Path) -> Installed {
    let text = text.replace("\\\n", " ");
    let mut seen = Installed {
        program: None,
        command: Vec::new(),
        variables: BTreeMap::new(),
        files: Vec::new(),
        path_named: false,
        spares_builds: false,
    };
    let home = home.display().to_string();
    let expand = |word: &str| {
        let aside = word.replace("%%", "\0");
        aside.replace("%h", &home).replace('\0', "%")
    };
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';'])) {
        let Some((key, value)) = line.split_once('=') else { continue };
        match key.trim() {
            "ExecStart" => {
                let value = value.trim_start_matches(['-', '@', ':', '+', '!']);
                seen.command = words(value).iter().map(|word| expand(word).replace("$$", "$")).collect();
                seen.program = seen.command.first().map(PathBuf::from);
            }
            "Environment" => {
                let pairs = words(value);
                let pairs = pairs.iter().filter_map(|word| word.split_once('='));
                seen.variables.extend(pairs.map(|(name, value)| (name.to_owned(), expand(value))));
            }
            "EnvironmentFile" => {
                let bare = value.trim().trim_start_matches('-');
                seen.files.push((PathBuf::from(expand(bare)), value.trim().starts_with('-')));
            }
            "KillMode" => seen.spares_builds = matches!(value.trim(), "process" | "none"),
            _ => {}
        }
    }
    with_path(seen, SYSTEMD_PATH)
}

fn with_path(mut seen: Installed, default: &str) -> Installed {
    seen.path_named = seen.variables.contains_key("PATH");
    seen.variables.entry("PATH".into()).or_insert_with(|| default.to_owned());
    seen
}

/// Words of a line by systemd's quoting: blanks part them, quotes hold them together.
fn words(line: &str) -> Vec<String> {
    let (mut found, mut word, mut quote, mut inside) = (Vec::new(), String::new(), None, false);
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (_, '\\') => word.extend(chars.next()),
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => (quote, inside) = (Some(c), true),
            (None, c) if c.is_whitespace() => {
                if inside || !word.is_empty() {
                    found.push(std::mem::take(&mut word));
                }
                inside = false;
            }
            (_, c) => word.push(c),
        }
    }
    if inside || !word.is_empty() {
        found.push(word);
    }
    found
}

fn read_plist(text: &str) -> Installed {
    let after = |key: &str| text.split_once(&format!("<key>{key}</key>")).map(|(_, rest)| rest);
    let unescape = |text: &str| text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    let strings = |block: &str, end: &str| -> Vec<String> {
        let block = block.split(end).next().unwrap_or_default();
        block.split("<string>").skip(1).filter_map(|part| Some(unescape(part.split_once("</string>")?.0))).collect()
    };
    let command = after("ProgramArguments").map_or(Vec::new(), |block| strings(block, "</array>"));
    let environment = after("EnvironmentVariables").and_then(|rest| rest.split("</dict>").next()).unwrap_or_default();
    let variables = environment
        .split("<key>")
        .skip(1)
        .filter_map(|part| {
            let (name, rest) = part.split_once("</key>")?;
            Some((unescape(name), strings(rest, "<key>").into_iter().next()?))
        })
        .collect();
    let abandons = after("AbandonProcessGroup").is_some_and(|rest| rest.trim_start().starts_with("<true/>"));
    let program = command.first().map(PathBuf::from);
    let seen = Installed { program, command, variables, files: Vec::new(), path_named: false, spares_builds: abandons };
    with_path(seen, LAUNCHD_PATH)
}

/// The first program of that name in the folders of `path`. A name with a slash in it is a path.
pub(super) fn find_program(name: &str, path: &str) -> Option<PathBuf> {
    if name.contains('/') {
        return Some(PathBuf::from(name)).filter(|path| is_program(path));
    }
    let folders = std::env::split_paths(path).filter(|folder| folder.is_absolute());
    folders.map(|folder| folder.join(name)).find(|path| is_program(path))
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// The folders of `path` that are there, each once, in order: what a service is given.
pub(super) fn usable_path(path: &str) -> String {
    let mut folders: Vec<PathBuf> = Vec::new();
    for folder in std::env::split_paths(path).filter(|folder| folder.is_absolute() && folder.is_dir()) {
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    std::env::join_paths(folders).ok().and_then(|path| path.into_string().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> Wanted {
        Wanted {
            command: ["/opt/o v/overnight", "--home", "/home/a/100%$x", "run"].map(str::to_owned).to_vec(),
            home: "/home/a".into(),
            path: "/home/a/.nvm/v22 $x/bin:/usr/bin".into(),
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        for manager in [Manager::Systemd, Manager::Launchd] {
            let text = text(manager, &wanted());
            let seen = read(manager, &text, Path::new("/home/a"));
            assert_eq!(seen.command, wanted().command, "{text}");
            assert_eq!(seen.program.as_deref(), Some(Path::new("/opt/o v/overnight")), "{text}");
            assert_eq!(seen.variables["PATH"], wanted().path, "{text}");
            assert!(seen.spares_builds && seen.path_named, "{text}");
            assert!(!text.contains(EXAMPLE_HOME) && !text.contains("Adapt:"), "{text}");
        }
    }

    #[test]
    fn the_units_in_deploy_are_understood() {
        let seen = read(Manager::Systemd, UNIT, Path::new("/home/a"));
        assert_eq!(seen.command, ["/home/a/.local/bin/overnight", "run"]);
        assert!(seen.variables["PATH"].starts_with("/home/a/.local/bin:/home/a/.cargo/bin:"));
        let seen = read(Manager::Launchd, PLIST, Path::new("/Users/a"));
        assert_eq!(seen.command, ["/Users/ross/.local/bin/overnight", "run"]);
        assert!(seen.variables["PATH"].contains("/opt/homebrew/bin") && seen.spares_builds);
    }

    #[test]
    fn other_units_are_read_too() {
        let unit = "[Service]\n# Environment=PATH=/no\nExecStart=-/bin/o \\\n  run\nEnvironment=\"A=b c\" D=e\n\
                    Environment=F=%h/x%%\nEnvironmentFile=-/etc/o.env\n";
        let seen = read(Manager::Systemd, unit, Path::new("/home/a"));
        assert_eq!(seen.command, ["/bin/o", "run"]);
        assert_eq!((seen.variables["A"].as_str(), seen.variables["D"].as_str()), ("b c", "e"));
        assert_eq!(seen.variables["F"], "/home/a/x%");
        assert_eq!(seen.files, [(PathBuf::from("/etc/o.env"), true)]);
        assert_eq!(seen.variables["PATH"], SYSTEMD_PATH);
        assert!(!seen.path_named && !seen.spares_builds);
    }
}
