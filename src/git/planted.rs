//! What a build left in its clone's `.git` by which git would run a program: read as plain text, so that the owner hears
//! of it. Git itself never sees it on this machine, whatever it says.

use std::io::Read as _;
use std::path::Path;

use cap_fs_ext::DirExt;
use cap_std::ambient_authority;
use cap_std::fs::Dir;

use super::escape;

/// Most that is read of its configuration.
const CONFIG_BYTES: u64 = 64 * 1024;
/// Most names given, and most of a folder's entries looked at.
const MOST: usize = 50;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Planted {
    /// Its `.git` is no folder any more.
    pub(super) replaced: bool,
    /// Hooks, and settings that name programs or lead to other folders; escaped.
    pub(super) names: Vec<String>,
}

/// Looks at a clone in which nothing runs any more.
pub(super) fn planted(clone: &Path) -> Planted {
    let Ok(top) = Dir::open_ambient_dir(clone, ambient_authority()) else { return Planted::default() };
    let Ok(own) = top.open_dir_nofollow(".git") else { return Planted { replaced: true, names: Vec::new() } };
    let mut names = settings(&text(&own));
    let hooks = own.open_dir_nofollow("hooks").and_then(|hooks| hooks.entries());
    let hooks = hooks.into_iter().flatten().flatten().take(MOST).map(|entry| entry.file_name());
    let hooks = hooks.filter(|name| !name.as_encoded_bytes().ends_with(b".sample"));
    names.extend(hooks.map(|name| format!("hooks/{}", escape(name.as_encoded_bytes()))));
    if own.symlink_metadata("commondir").is_ok() {
        names.push("commondir".into());
    }
    names.sort_unstable();
    names.dedup();
    names.truncate(MOST);
    Planted { replaced: false, names }
}

fn text(own: &Dir) -> String {
    // A pipe in its place would be waited on for ever.
    let plain = own.symlink_metadata("config").is_ok_and(|found| found.is_file());
    let mut bytes = Vec::new();
    if let Some(file) = plain.then(|| own.open("config").ok()).flatten() {
        let _ = file.take(CONFIG_BYTES).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Settings by which git runs something or works elsewhere. What common tools set for themselves is left out.
fn settings(config: &str) -> Vec<String> {
    let (mut section, mut found) = (String::new(), Vec::new());
    for line in config.lines().map(str::trim) {
        if let Some(head) = line.strip_prefix('[') {
            let head = head.split(']').next().unwrap_or_default();
            let (name, sub) = head.split_once('"').map_or((head, ""), |(name, sub)| (name, sub.trim_end_matches('"')));
            let name = name.trim().to_lowercase();
            section = if sub.is_empty() { name } else { format!("{name}.{sub}") };
            continue;
        }
        let (key, value) = line.split_once('=').map_or((line, ""), |(key, value)| (key.trim(), value.trim()));
        let key = format!("{section}.{}", key.to_lowercase());
        if runs(&key, value) {
            found.push(escape(key.as_bytes()));
        }
    }
    found
}

fn runs(key: &str, value: &str) -> bool {
    let Some((section, last)) = key.rsplit_once('.') else { return false };
    let kind = section.split('.').next().unwrap_or_default();
    match (kind, last) {
        ("core", "fsmonitor") => !matches!(value, "" | "true" | "false"),
        ("core", "hookspath") => !value.trim_matches('"').starts_with(".husky"),
        ("filter", "clean" | "smudge" | "process") => section != "filter.lfs",
        ("core", "sshcommand" | "gitproxy" | "pager" | "editor" | "askpass" | "worktree" | "alternaterefscommand")
        | ("diff", "textconv" | "command" | "external")
        | ("merge", "driver")
        | ("credential", "helper")
        | ("gpg", "program")
        | ("include" | "includeif", "path") => true,
        ("alias", _) => value.trim_matches('"').starts_with('!'),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_names_a_program_is_found_and_what_every_clone_has_is_not() {
        let clone = tempfile::tempdir().unwrap();
        let own = clone.path().join(".git");
        fs::create_dir_all(own.join("hooks")).unwrap();
        fs::write(own.join("hooks/pre-commit.sample"), "").unwrap();
        let usual = "[core]\n\tbare = false\n\tfsmonitor = true\n[remote \"origin\"]\n\turl = /vault\n\
                     [filter \"lfs\"]\n\tclean = git-lfs clean\n[user]\n\tname = a\n";
        fs::write(own.join("config"), usual).unwrap();
        assert_eq!(planted(clone.path()), Planted::default());
        fs::write(own.join("hooks/post-checkout"), "").unwrap();
        let evil = "[filter \"e\"]\n\tClean = sh x\n[core]\n\tfsmonitor = ./x\n[diff \"e\"] \n textconv=x\n[alias]\n\ts = \"!x\"\n";
        fs::write(own.join("config"), format!("{usual}{evil}")).unwrap();
        let names = ["alias.s", "core.fsmonitor", "diff.e.textconv", "filter.e.clean", "hooks/post-checkout"];
        assert_eq!(planted(clone.path()).names, names);
    }

    #[test]
    fn a_replaced_folder_is_said_and_never_followed() {
        let place = tempfile::tempdir().unwrap();
        let clone = place.path().join("clone");
        fs::create_dir_all(place.path().join("other/hooks")).unwrap();
        fs::create_dir(&clone).unwrap();
        fs::write(place.path().join("other/hooks/post-checkout"), "").unwrap();
        for plant in [
            |clone: &Path| std::os::unix::fs::symlink("../other", clone.join(".git")).unwrap(),
            |clone: &Path| fs::write(clone.join(".git"), "gitdir: ../other\n").unwrap(),
        ] {
            plant(&clone);
            assert_eq!(planted(&clone), Planted { replaced: true, names: vec![] });
            fs::remove_file(clone.join(".git")).unwrap();
        }
    }
}
