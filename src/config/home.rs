//! `OVERNIGHT_HOME`: where it is, and making it safely.
//!
//! It holds the queue, logs of private code and the vaults, so nobody else may look into it.

use super::environment::{Environment, HOME_DIR};
use super::error::ConfigError;
use std::fs::{DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

const DEFAULT_NAME: &str = ".overnight";
/// Files that show that a folder is ours, so that its permissions are ours to tighten. Not `.env`: everybody has one.
const OURS: [&str; 2] = ["overnight.toml", "overnight.sqlite"];

/// Where everything of ours lives: the override, else `OVERNIGHT_HOME`, else `~/.overnight`.
pub(super) fn find(given: Option<&Path>, environment: &Environment, folder: &Path) -> Result<PathBuf, ConfigError> {
    let default = Path::new("~").join(DEFAULT_NAME);
    let wanted = given.or_else(|| environment.get(HOME_DIR).map(Path::new)).unwrap_or(&default);
    let Some(home) = environment.absolute(wanted, folder) else {
        let problem = "HOME is not set, so ~ leads nowhere; set OVERNIGHT_HOME to an absolute path".into();
        return Err(ConfigError::Home { home: wanted.to_owned(), problem });
    };
    // Compared by what they are, so that a trailing slash or a dot does not hide one.
    let same = |other: &Path| home.components().eq(other.components());
    if home.components().any(|part| part == Component::ParentDir) {
        // What it leads to could not be compared with anything.
        return Err(ConfigError::Home { home, problem: "it may not contain ..; write the path out".into() });
    }
    if home.parent().is_none() || environment.users_home().is_some_and(same) {
        let problem = "it must be a folder of its own, not / and not your home folder; try ~/.overnight".into();
        return Err(ConfigError::Home { home, problem });
    }
    Ok(home)
}

/// Makes the folder if it is missing, closed to others (0700), and closes it if it is ours and open.
pub(super) fn ensure(home: &Path) -> Result<(), ConfigError> {
    let error = |problem: String| ConfigError::Home { home: home.to_owned(), problem };
    DirBuilder::new().recursive(true).mode(0o700).create(home).map_err(|e| {
        error(format!("can't be made: {e}; make it, or set OVERNIGHT_HOME to a folder you can write to"))
    })?;
    let mode = home.metadata().map_err(|e| error(e.to_string()))?.permissions().mode();
    let open_to_others = mode & 0o077;
    if open_to_others == 0 {
        return Ok(());
    }
    let mut entries = home.read_dir().map_err(|e| error(format!("can't be read: {e}")))?;
    let ours =
        home.ends_with(DEFAULT_NAME) || entries.next().is_none() || OURS.iter().any(|name| home.join(name).exists());
    if !ours {
        // Closing a folder that serves something else would break that.
        let problem = format!(
            "others may look into it (mode {:o}) and it holds files that are not ours; use a folder of its own, or \
             chmod 700 it",
            mode & 0o777
        );
        return Err(error(problem));
    }
    let closed = std::fs::set_permissions(home, Permissions::from_mode(0o700));
    closed.map_err(|e| error(format!("others may look into it and it can't be closed: {e}; chmod 700 it")))
}
