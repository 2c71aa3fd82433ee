//! The home folder of a build's commands: a folder of its own, empty but for what an agent's settings and login need.
//!
//! What an agent keeps (sessions, caches) goes with the build. Settings are copied, so that a build can't plant anything
//! in the owner's own; a login's file is linked, because CLIs renew it in place and a renewed copy would sign the owner
//! out.

use crate::agent::Login;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

/// Folder inside a build's.
const NAME: &str = "home";
/// Largest settings file that is copied, and most files of one settings folder.
const SETTINGS_BYTES: u64 = 1024 * 1024;
const SETTINGS_FILES: usize = 50;
/// So that a commit made by an agent or a test works; what is kept is committed by the host.
const GIT: &str = "[user]\n\tname = overnight\n\temail = overnight@localhost\n[init]\n\tdefaultBranch = main\n";

/// A home folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Room {
    /// Where it is.
    pub(super) home: PathBuf,
    /// Files of the owner's that it links to: the agent may change them.
    pub(super) logins: Vec<PathBuf>,
}

/// The folder's path, whether it is made or not.
pub(super) fn path(folder: &Path) -> PathBuf {
    folder.join(NAME)
}

/// Makes the home folder below a build's or check's `folder`. May be repeated; what is there stays.
pub(super) fn furnish(folder: &Path, owner: Option<&Path>, login: Option<&Login>) -> io::Result<Room> {
    let home = path(folder);
    fs::create_dir_all(&home)?;
    fs::set_permissions(&home, fs::Permissions::from_mode(0o700))?;
    let git = home.join(".gitconfig");
    if !git.exists() {
        fs::write(git, GIT)?;
    }
    let mut logins = Vec::new();
    if let (Some(owner), Some(login)) = (owner, login) {
        for settings in login.settings {
            copy(&owner.join(settings), &home.join(settings))?;
        }
        for file in login.files {
            let real = owner.join(file);
            if real.is_file() {
                link(&real, &home.join(file))?;
                logins.push(real);
            }
        }
    }
    Ok(Room { home, logins })
}

fn link(real: &Path, at: &Path) -> io::Result<()> {
    if let Some(parent) = at.parent() {
        fs::create_dir_all(parent)?;
    }
    match symlink(real, at) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

/// Copies a file, or the files directly in a folder; what is missing, large or special is left out.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let Ok(meta) = fs::metadata(from) else { return Ok(()) };
    if to.exists() {
        return Ok(());
    }
    if meta.is_dir() {
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(from)?.take(SETTINGS_FILES).flatten() {
            if entry.path().is_file() {
                copy(&entry.path(), &to.join(entry.file_name()))?;
            }
        }
    } else if meta.is_file() && meta.len() <= SETTINGS_BYTES {
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::copy(from, to)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent;
    use crate::domain::settings::AgentKind;

    #[test]
    fn a_login_is_linked_settings_are_copied_and_nothing_else_is_there() {
        let place = tempfile::tempdir().unwrap();
        let (owner, folder) = (place.path().join("owner"), place.path().join("b1"));
        for (file, text) in
            [(".codex/auth.json", "{}"), (".codex/config.toml", "model = 1"), (".ssh/id", "key"), (".codex/log", "x")]
        {
            fs::create_dir_all(owner.join(file).parent().unwrap()).unwrap();
            fs::write(owner.join(file), text).unwrap();
        }
        let login = agent::login(AgentKind::Codex);
        for _ in 0..2 {
            let room = furnish(&folder, Some(&owner), Some(&login)).unwrap();
            assert_eq!(room.logins, [owner.join(".codex/auth.json")]);
            assert_eq!(fs::read_link(room.home.join(".codex/auth.json")).unwrap(), owner.join(".codex/auth.json"));
            assert_eq!(fs::read_to_string(room.home.join(".codex/config.toml")).unwrap(), "model = 1");
            let mut names: Vec<_> =
                fs::read_dir(room.home.join(".codex")).unwrap().map(|e| e.unwrap().file_name()).collect();
            names.sort();
            assert_eq!(names, ["auth.json", "config.toml"]);
            assert!(!room.home.join(".ssh").exists());
        }
        fs::write(folder.join("home/.codex/config.toml"), "planted").unwrap();
        assert_eq!(fs::read_to_string(owner.join(".codex/config.toml")).unwrap(), "model = 1");
    }

    #[test]
    fn a_home_without_an_agent_is_empty_but_for_gits_name() {
        let place = tempfile::tempdir().unwrap();
        let room = furnish(place.path(), None, None).unwrap();
        let names: Vec<_> = fs::read_dir(&room.home).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!((names, room.logins.len()), (vec![".gitconfig".into()], 0));
    }
}
