//! Coding agents that are known here: how each is run with the prompt it gets, and whether it seems to be logged in.
//!
//! Nothing is asked of them that could cost something: only files and variables are looked for. Agents whose
//! unattended command line nobody has tried are named when found, and left to their owner to write.

use super::super::service::find_program;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A known agent.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::cli) struct Known {
    /// Its program, and its name in the configuration.
    pub(in crate::cli) name: &'static str,
    /// Who it is.
    pub(in crate::cli) title: &'static str,
    /// How it works alone on the prompt it gets on standard input; none: nobody has tried that.
    command: &'static [&'static str],
    /// Files below the home folder that a login leaves.
    files: &'static [&'static str],
    /// Variables that stand for a login.
    keys: &'static [&'static str],
    /// How to log in.
    pub(in crate::cli) login: &'static str,
}

/// Command lines as seen to work headless with these programs in 2026 (claude 2.1, codex 0.169, opencode 1.18,
/// gemini 0.61); aider's by its documentation.
pub(in crate::cli) const KNOWN: [Known; 11] = [
    Known {
        name: "claude",
        title: "Claude Code",
        command: &[
            "claude",
            "-p",
            "--permission-mode",
            "acceptEdits",
            "--allowedTools",
            "Bash,Read,Edit,Write,Glob,Grep",
            "--disallowedTools",
            "Bash(git push:*)",
        ],
        files: &[".claude/.credentials.json"],
        keys: &["ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN"],
        login: "run `claude` once and log in, or `claude setup-token`",
    },
    Known {
        name: "codex",
        title: "Codex",
        command: &["codex", "exec", "-s", "workspace-write", "-"],
        files: &[".codex/auth.json"],
        keys: &["OPENAI_API_KEY", "CODEX_API_KEY"],
        login: "run `codex login`",
    },
    Known {
        name: "opencode",
        title: "OpenCode",
        command: &["opencode", "run"],
        files: &[".local/share/opencode/auth.json"],
        keys: &["ANTHROPIC_API_KEY", "OPENAI_API_KEY", "OPENROUTER_API_KEY"],
        login: "run `opencode auth login`",
    },
    Known {
        name: "gemini",
        title: "Gemini CLI",
        command: &["gemini", "--approval-mode", "yolo", "--skip-trust", "-p", "Do the task described above."],
        files: &[".gemini/oauth_creds.json"],
        keys: &["GEMINI_API_KEY", "GOOGLE_API_KEY"],
        login: "run `gemini` once and log in",
    },
    Known {
        name: "aider",
        title: "aider",
        command: &[
            "aider",
            "--message-file",
            "{prompt}",
            "--yes-always",
            "--no-stream",
            "--no-pretty",
            "--no-check-update",
            "--analytics-disable",
        ],
        files: &[".aider.conf.yml"],
        keys: &["OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "DEEPSEEK_API_KEY", "OPENROUTER_API_KEY"],
        login: "put your provider's key into .env",
    },
    untried("cursor-agent", "Cursor"),
    untried("copilot", "GitHub Copilot CLI"),
    untried("goose", "goose"),
    untried("amp", "Amp"),
    untried("qwen", "Qwen Code"),
    untried("crush", "Crush"),
];

const fn untried(name: &'static str, title: &'static str) -> Known {
    Known { name, title, command: &[], files: &[], keys: &[], login: "" }
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
    /// The variables of [`Known::keys`] that are set.
    pub(in crate::cli) keys: Vec<&'static str>,
}

impl Known {
    /// The command line for the configuration.
    pub(in crate::cli) fn command(&self) -> Option<Vec<String>> {
        (!self.command.is_empty()).then(|| self.command.iter().map(ToString::to_string).collect())
    }

    fn login(&self, home: &Path, set: &[&'static str]) -> Login {
        if let Some(key) = set.first() {
            return Login::By((*key).to_owned());
        }
        match self.files.iter().find(|file| home.join(file).is_file()) {
            Some(file) => Login::By(format!("~/{file}")),
            None if self.files.is_empty() || (self.name == "claude" && cfg!(target_os = "macos")) => Login::CantTell,
            None => Login::No,
        }
    }
}

/// Every variable that stands for a login, to be asked of the environment.
pub(in crate::cli) fn keys() -> Vec<String> {
    KNOWN.iter().flat_map(|known| known.keys).map(ToString::to_string).collect()
}

/// The known agent of a program, such as `claude` or `/usr/bin/claude`.
pub(in crate::cli) fn of_program(program: &str) -> Option<&'static Known> {
    let name = Path::new(program).file_name()?.to_str()?;
    KNOWN.iter().find(|known| known.name == name)
}

/// Looks one up in the folders of `PATH`.
pub(in crate::cli) fn look(known: &'static Known, variables: &BTreeMap<String, String>) -> Option<Found> {
    let program = find_program(known.name, variables.get("PATH")?)?;
    let set = |key: &&&'static str| variables.get(**key).is_some_and(|value| !value.is_empty());
    let keys: Vec<&'static str> = known.keys.iter().filter(set).copied().collect();
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
    fn every_known_command_starts_its_own_program() {
        for known in &KNOWN {
            if let Some(command) = known.command() {
                assert_eq!(command[0], known.name);
                assert!(!known.login.is_empty(), "{}", known.name);
            }
        }
    }
}
