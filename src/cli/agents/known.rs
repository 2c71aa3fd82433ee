//! Coding agents that are known here: where each is found, and whether it seems to be logged in.
//!
//! Nothing is asked of them that could cost something: only files and variables are looked for, and never read. Agents
//! nobody has written an adapter for are named when found, and left to their owner to configure as a command.

use super::super::service::find_program;
use crate::agent;
use crate::domain::settings::AgentKind;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A known agent.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::cli) struct Known {
    /// Its program, and its name in the configuration.
    pub(in crate::cli) name: &'static str,
    /// Who it is.
    pub(in crate::cli) title: &'static str,
    /// How it is launched and read; none: not known here.
    pub(in crate::cli) kind: Option<AgentKind>,
}

/// All of them.
pub(in crate::cli) const KNOWN: [Known; 11] = [
    known(AgentKind::Claude),
    known(AgentKind::Codex),
    known(AgentKind::OpenCode),
    known(AgentKind::Gemini),
    known(AgentKind::Aider),
    untried("cursor-agent", "Cursor"),
    untried("copilot", "GitHub Copilot CLI"),
    untried("goose", "goose"),
    untried("amp", "Amp"),
    untried("qwen", "Qwen Code"),
    untried("crush", "Crush"),
];

const fn known(kind: AgentKind) -> Known {
    Known { name: kind.as_str(), title: kind.title(), kind: Some(kind) }
}

const fn untried(name: &'static str, title: &'static str) -> Known {
    Known { name, title, kind: None }
}

/// Whether an agent seems to be logged in.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::cli) enum Login {
    /// By this file or variable.
    By(String),
    /// A login in the keychain can't be seen without asking for it.
    CantTell,
    /// Nothing was found.
    No,
}

/// An agent that was found.
#[derive(Debug)]
pub(in crate::cli) struct Found {
    /// Which.
    pub(in crate::cli) known: &'static Known,
    /// Where.
    pub(in crate::cli) program: PathBuf,
    /// Whether it can work.
    pub(in crate::cli) login: Login,
    /// The variables that stand for a login and are set.
    pub(in crate::cli) keys: Vec<&'static str>,
}

impl Known {
    /// How to log in.
    pub(in crate::cli) fn login_hint(&self) -> &'static str {
        self.kind.map_or("", |kind| agent::login(kind).hint)
    }

    fn keys(&self) -> &'static [&'static str] {
        self.kind.map_or(&[], |kind| agent::login(kind).keys)
    }

    fn login(&self, home: &Path, set: &[&'static str]) -> Login {
        if let Some(key) = set.first() {
            return Login::By((*key).to_owned());
        }
        let files = self.kind.map_or(&[][..], |kind| agent::login(kind).files);
        match files.iter().find(|file| home.join(file).is_file()) {
            Some(file) => Login::By(format!("~/{file}")),
            // On macOS its login is in the keychain.
            None if files.is_empty() || (self.kind == Some(AgentKind::Claude) && cfg!(target_os = "macos")) => {
                Login::CantTell
            }
            None => Login::No,
        }
    }
}

/// Every variable that stands for a login, to be asked of the environment.
pub(in crate::cli) fn keys() -> Vec<String> {
    KNOWN.iter().flat_map(Known::keys).map(ToString::to_string).collect()
}

/// The known agent of that kind; none for a plain command.
pub(in crate::cli) fn of_kind(kind: AgentKind) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.kind == Some(kind))
}

/// The known agent of a program, such as `claude` or `/usr/bin/claude`.
pub(in crate::cli) fn of_program(program: &str) -> Option<&'static Known> {
    let name = Path::new(program).file_name()?.to_str()?;
    KNOWN.iter().find(|known| known.name == name)
}

/// Looks one up in the folders of `PATH`, under its own name.
pub(in crate::cli) fn look(known: &'static Known, variables: &BTreeMap<String, String>) -> Option<Found> {
    look_for(known, known.name, variables)
}

/// Looks one up under this name or path.
pub(in crate::cli) fn look_for(
    known: &'static Known,
    program: &str,
    variables: &BTreeMap<String, String>,
) -> Option<Found> {
    let program = find_program(program, variables.get("PATH")?)?;
    let set = |key: &&&'static str| variables.get(**key).is_some_and(|value| !value.is_empty());
    let keys: Vec<&'static str> = known.keys().iter().filter(set).copied().collect();
    let home = variables.get("HOME").map(PathBuf::from).unwrap_or_default();
    Some(Found { login: known.login(&home, &keys), known, program, keys })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn an_agent_is_found_with_what_shows_its_login() {
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        let mut variables = BTreeMap::from([
            ("PATH".to_owned(), bin.display().to_string()),
            ("HOME".to_owned(), folder.path().display().to_string()),
        ]);
        let codex = of_program("/usr/bin/codex").unwrap();
        assert!(look(codex, &variables).is_none());
        std::fs::write(bin.join("codex"), "").unwrap();
        assert!(look(codex, &variables).is_none(), "it can't be executed");
        std::fs::set_permissions(bin.join("codex"), std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(look(codex, &variables).unwrap().login, Login::No);
        std::fs::create_dir(folder.path().join(".codex")).unwrap();
        std::fs::write(folder.path().join(".codex/auth.json"), "{}").unwrap();
        assert_eq!(look(codex, &variables).unwrap().login, Login::By("~/.codex/auth.json".into()));
        variables.insert("OPENAI_API_KEY".into(), "k".into());
        let found = look(codex, &variables).unwrap();
        assert_eq!((found.login, found.keys), (Login::By("OPENAI_API_KEY".into()), vec!["OPENAI_API_KEY"]));
    }

    #[test]
    fn every_cli_with_an_adapter_is_known_and_says_how_to_log_in() {
        for kind in AgentKind::ALL.into_iter().filter(|kind| *kind != AgentKind::Command) {
            let known = of_kind(kind).unwrap();
            assert!(known.name == kind.as_str() && !known.login_hint().is_empty(), "{kind}");
        }
        assert_eq!(of_kind(AgentKind::Command), None);
    }
}
