//! The only reader of the environment and of `overnight.toml`.
//!
//! Every value is checked here, once: what leaves this module is right by type and by range. A wrong value is one
//! error that names the file, the line, the key, the value and what is allowed. What is merely absent (no project yet,
//! a checkout on a disk that is not mounted) is no error: it is listed in [`Config::missing`], and the rest works.
//!
//! Left out on purpose: changing the configuration (the owner's editor does that; state never goes into it), and
//! reloading it while running (a restart takes less than a second and builds survive it).

mod environment;
mod error;
mod file;
mod home;
mod missing;
mod projects;
mod section;
mod telegram;
mod values;

pub use error::{ConfigError, Place};
pub use missing::Missing;
pub use telegram::{Places, Secret, Telegram, is_token};

use crate::domain::role::Role;
use crate::domain::settings::Settings;
use chrono_tz::Tz;
use environment::{CONFIG_FILE, Environment, LOG, TELEGRAM_API, read_bounded};
use section::Source;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use values::Tilde;

/// What the command line says; it wins over everything else.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// Instead of `OVERNIGHT_HOME`.
    pub home: Option<PathBuf>,
    /// Instead of `OVERNIGHT_CONFIG`.
    pub config_file: Option<PathBuf>,
}

/// The whole configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where everything of ours lives; absolute. Made by [`Config::ensure_home`].
    pub home: PathBuf,
    /// What the planner and the engine read.
    pub settings: Settings,
    /// Who may command the bot, as `platform:id`; see [`Config::is_owner`].
    pub senders: BTreeSet<String>,
    /// The file the settings came from; none: defaults.
    pub config_file: Option<PathBuf>,
    /// Telegram, if there is a token.
    pub telegram: Option<Telegram>,
    /// What is logged, in the syntax of `tracing`'s filters; valid.
    pub log_level: String,
    /// What can't work as configured, for `doctor` and the log at the start.
    pub missing: Vec<Missing>,
    environment: Environment,
}

/// Whether this process began with that variable.
pub fn is_set(name: &str) -> bool {
    std::env::vars_os().any(|(known, _)| known == name)
}

/// The sender the embedded terminal chat has.
pub const TERMINAL_OWNER: &str = "terminal:owner";

impl Config {
    /// Loads from this process's environment and current folder.
    pub fn load(overrides: &Overrides) -> Result<Self, ConfigError> {
        let folder = std::env::current_dir().map_err(|e| ConfigError::Read {
            file: ".".into(),
            problem: e.to_string(),
            hint: "start from a folder that exists",
        })?;
        Self::load_from(overrides, Environment::of_process(), &folder)
    }

    /// Loads from the given variables, as if started in `folder` (absolute).
    pub fn load_from(
        overrides: &Overrides,
        variables: BTreeMap<String, String>,
        folder: &Path,
    ) -> Result<Self, ConfigError> {
        let mut environment = Environment::new(variables);
        environment.complete_from(folder)?;
        let home = home::find(overrides.home.as_deref(), &environment, folder)?;
        environment.complete_from(&home)?;
        let log_level = log_level(&environment)?;

        let source = find_file(overrides, &environment, folder, &home)?;
        let config_file = source.as_ref().map(|source| source.file.clone());
        // An absent file reads as an empty one.
        let source = source.unwrap_or(Source { file: home.join(FILE_NAME), text: String::new() });
        let file::File { mut settings, senders, places, zone_given } =
            file::read(&source, Tilde(environment.users_home()))?;
        apart(&home, &settings)?;

        let zone = if zone_given { Some(settings.schedule.zone) } else { system_zone(&environment) };
        settings.schedule.zone = zone.unwrap_or(Tz::UTC);
        let telegram = telegram::find(&environment, places)?;
        let mut missing = missing::find(&settings, zone.is_some(), &source.file, &environment);
        missing.extend(telegram::missing(telegram.as_ref()));
        let mut senders = senders.unwrap_or_else(|| BTreeSet::from([TERMINAL_OWNER.to_owned()]));
        senders.extend(telegram.iter().filter_map(|telegram| telegram.owner).map(|id| format!("telegram:{id}")));
        Ok(Self { home, settings, senders, config_file, telegram, log_level, missing, environment })
    }

    /// Makes `home` if it is missing, readable by nobody else (0700).
    pub fn ensure_home(&self) -> Result<(), ConfigError> {
        home::ensure(&self.home)
    }

    /// Who may talk to the bot, and what they may do.
    pub fn people(&self) -> BTreeMap<String, Role> {
        let approvers = self.telegram.iter().flat_map(|telegram| &telegram.places.approvers);
        let approvers = approvers.map(|id| (format!("telegram:{id}"), Role::Approver));
        approvers.chain(self.senders.iter().map(|sender| (sender.clone(), Role::Owner))).collect()
    }

    /// Whether that sender may command the bot.
    pub fn is_owner(&self, sender: &str) -> bool {
        self.senders.contains(sender)
    }

    /// The Bot API server to use, also while there is no token yet; none: Telegram's own.
    pub fn telegram_api_url(&self) -> Option<&str> {
        self.environment.get(TELEGRAM_API)
    }

    /// The environment of a child: `PATH`, `HOME`, `USER`, `LOGNAME`, `SHELL`, `LANG`, `LC_*`, `TZ`, `TERM=dumb`, and
    /// the variables in `extra` that are set. Never the bot's own (`OVERNIGHT_*`, `TELEGRAM_*`, `SLACK_*`).
    pub fn child_env(&self, extra: &[String]) -> BTreeMap<String, String> {
        self.environment.for_child(extra)
    }
}

const FILE_NAME: &str = "overnight.toml";

/// The file to read: the override, else `OVERNIGHT_CONFIG`, else the first of `./` and `OVERNIGHT_HOME/` that has one.
fn find_file(
    overrides: &Overrides,
    environment: &Environment,
    folder: &Path,
    home: &Path,
) -> Result<Option<Source>, ConfigError> {
    let named = overrides.config_file.as_deref().or_else(|| environment.get(CONFIG_FILE).map(Path::new));
    let Some(named) = named else {
        for file in [folder.join(FILE_NAME), home.join(FILE_NAME)] {
            if let Some(text) = read_bounded(&file, "make it readable")? {
                return Ok(Some(Source { file, text }));
            }
        }
        return Ok(None);
    };
    let hint = "name a file that exists, by --config or OVERNIGHT_CONFIG";
    let file = environment.absolute(named, folder).unwrap_or_else(|| named.to_owned());
    match read_bounded(&file, hint)? {
        Some(text) => Ok(Some(Source { file, text })),
        None => Err(ConfigError::Read { file, problem: "there is no such file".into(), hint }),
    }
}

fn log_level(environment: &Environment) -> Result<String, ConfigError> {
    let filter = environment.get(LOG).unwrap_or("info");
    match filter.parse::<tracing_subscriber::filter::EnvFilter>() {
        Ok(_) => Ok(filter.to_owned()),
        Err(_) => Err(environment.bad(LOG, "error, warn, info, debug, trace, or target=level pairs with commas")),
    }
}

/// Our files inside a checkout would be committed by it; a checkout inside our folder would be cleaned with it.
fn apart(home: &Path, settings: &Settings) -> Result<(), ConfigError> {
    let nested = |path: &Path| home.starts_with(path) || path.starts_with(home);
    let Some(project) = settings.projects.iter().find(|project| nested(&project.path)) else { return Ok(()) };
    let problem = format!("it and project {} ({}) may not lie in one another", project.name, project.path.display());
    Err(ConfigError::Home { home: home.to_owned(), problem })
}

/// The machine's zone: `TZ` if it names one, else the system's own setting.
fn system_zone(environment: &Environment) -> Option<Tz> {
    let named = environment.get("TZ").map(|text| text.trim_start_matches(':'));
    let named = named.map(|text| text.rsplit_once("zoneinfo/").map_or(text, |(_, name)| name));
    let named = named.and_then(|name| name.parse().ok());
    named.or_else(|| iana_time_zone::get_timezone().ok()?.parse().ok())
}
