//! The environment: the process's own, completed by `.env` files. The real environment wins, then the current
//! folder's `.env`, then the one in `OVERNIGHT_HOME`.
//!
//! Nothing is written back into the process's environment: that would hand every value to every child.

use super::error::{ConfigError, Place, nearest};
use super::file::FILE_BYTES_MAX;
use super::values::is_reserved;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

/// Every variable of our own that is read; `.env.example` documents each.
pub(super) const OWN: [&str; 6] = [HOME_DIR, CONFIG_FILE, LOG, TELEGRAM_TOKEN, TELEGRAM_OWNER, TELEGRAM_API];
pub(super) const HOME_DIR: &str = "OVERNIGHT_HOME";
pub(super) const CONFIG_FILE: &str = "OVERNIGHT_CONFIG";
pub(super) const LOG: &str = "OVERNIGHT_LOG";
pub(super) const TELEGRAM_TOKEN: &str = "TELEGRAM_BOT_TOKEN";
pub(super) const TELEGRAM_OWNER: &str = "TELEGRAM_OWNER_ID";
pub(super) const TELEGRAM_API: &str = "TELEGRAM_API_URL";

/// What children get without being named; `LC_*` too.
const PASSED: [&str; 7] = ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ"];
const FALLBACK_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// All variables known, and which `.env` file gave those that came from one.
#[derive(Clone, Default)]
pub(super) struct Environment {
    variables: BTreeMap<String, String>,
    origins: BTreeMap<String, PathBuf>,
}

impl fmt::Debug for Environment {
    /// Names only: values may be secrets, and a configuration ends up in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.variables.keys()).finish()
    }
}

impl Environment {
    pub(super) fn new(variables: BTreeMap<String, String>) -> Self {
        Self { variables, origins: BTreeMap::new() }
    }

    /// This process's. Names and values that are not UTF-8 are left out; none that we read is.
    pub(super) fn of_process() -> BTreeMap<String, String> {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// A variable that is set and not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The user's home folder, if known.
    pub(super) fn users_home(&self) -> Option<&Path> {
        self.get("HOME").map(Path::new).filter(|home| home.is_absolute())
    }

    /// A path as typed, made absolute: `~/` is the user's home, anything else starts in `folder`. None: `~` leads nowhere.
    pub(super) fn absolute(&self, path: &Path, folder: &Path) -> Option<PathBuf> {
        match path.strip_prefix("~") {
            Ok(rest) => self.users_home().map(|home| home.join(rest)),
            Err(_) => Some(folder.join(path)),
        }
    }

    /// The error for a variable of our own.
    pub(super) fn bad(&self, name: &str, allowed: &str) -> ConfigError {
        ConfigError::Variable {
            origin: self.origins.get(name).map_or_else(|| "environment".into(), |file| file.display().to_string()),
            name: name.to_owned(),
            value: self.get(name).unwrap_or_default().to_owned(),
            allowed: allowed.to_owned(),
        }
    }

    /// The same for a value that may not be shown.
    pub(super) fn bad_secret(&self, name: &str, allowed: &str) -> ConfigError {
        match self.bad(name, allowed) {
            ConfigError::Variable { origin, name, allowed, .. } => {
                ConfigError::Variable { origin, name, value: "(not shown)".into(), allowed }
            }
            other => other,
        }
    }

    /// Adds what `folder/.env` sets and nobody set before. No such file is fine.
    pub(super) fn complete_from(&mut self, folder: &Path) -> Result<(), ConfigError> {
        let file = folder.join(".env");
        let Some(text) = read_bounded(&file, "make it readable or remove it")? else { return Ok(()) };
        for pair in dotenvy::from_read_iter(text.as_bytes()) {
            let (name, value) = pair.map_err(|e| bad_line(&file, &text, &e))?;
            if let Some(unknown) = Some(&name).filter(|n| is_ours(n) && !OWN.contains(&n.as_str())) {
                return Err(ConfigError::UnknownKey {
                    at: Place { file, line: line_of(&text, |line| line.contains(unknown.as_str())) },
                    key: unknown.clone(),
                    nearest: nearest(unknown, OWN).map(str::to_owned),
                    known: OWN.join(", "),
                });
            }
            if !self.variables.contains_key(&name) {
                self.origins.insert(name.clone(), file.clone());
                self.variables.insert(name, value);
            }
        }
        Ok(())
    }

    /// What a child may see: the basics, and the variables named. Never the bot's own, whoever names them.
    pub(super) fn for_child(&self, named: &[String]) -> BTreeMap<String, String> {
        let passed =
            |name: &str| PASSED.contains(&name) || name.starts_with("LC_") || named.iter().any(|wanted| wanted == name);
        let mut child: BTreeMap<String, String> = self
            .variables
            .iter()
            .filter(|(name, _)| passed(name) && !is_reserved(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        child.entry("PATH".into()).or_insert_with(|| FALLBACK_PATH.into());
        // Nobody watches: no colours, no cursor tricks, no pager.
        child.insert("TERM".into(), "dumb".into());
        child
    }
}

/// `SLACK_` is reserved, but nothing reads it yet.
fn is_ours(name: &str) -> bool {
    ["OVERNIGHT_", "TELEGRAM_"].iter().any(|prefix| name.starts_with(prefix))
}

fn bad_line(file: &Path, text: &str, error: &dotenvy::Error) -> ConfigError {
    let line = match error {
        dotenvy::Error::LineParse(bad, _) => {
            let first = bad.lines().next().unwrap_or_default().trim();
            line_of(text, |line| line.contains(first))
        }
        _ => None,
    };
    ConfigError::Dotenv { at: Place { file: file.to_owned(), line } }
}

fn line_of(text: &str, wanted: impl Fn(&str) -> bool) -> Option<usize> {
    text.lines().position(wanted).map(|index| index + 1)
}

/// A text file's content; none if there is no such file.
pub(super) fn read_bounded(file: &Path, hint: &'static str) -> Result<Option<String>, ConfigError> {
    let error = |problem: String| ConfigError::Read { file: file.to_owned(), problem, hint };
    // Asked before opening: opening a FIFO would wait for ever.
    match std::fs::metadata(file) {
        Ok(found) if found.is_file() => {}
        Ok(_) => return Err(error("it is no regular file".into())),
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
        Err(e) => return Err(error(e.to_string())),
    }
    let mut text = String::new();
    let opened = std::fs::File::open(file).map_err(|e| error(e.to_string()))?;
    opened.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(|e| error(e.to_string()))?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(error(format!("it is larger than {FILE_BYTES_MAX} bytes")));
    }
    Ok(Some(text))
}
