//! What an agent is told. One template for all agents; the owner's text stands in a fenced block, as data.

use crate::domain::settings::AgentKind;
use crate::domain::task::{Task, TaskKind};
use std::fmt::Write;

/// Files that say how a project wants to be worked on. Those that exist are named; the agent reads them itself.
pub const CONVENTIONS: [&str; 6] =
    ["AGENTS.md", "CLAUDE.md", "CONTRIBUTING.md", ".github/CONTRIBUTING.md", "docs/CONTRIBUTING.md", "HACKING.md"];

/// What the template needs besides the task.
#[derive(Debug, Clone, Copy)]
pub struct PromptFacts<'a> {
    /// Who is told.
    pub agent: AgentKind,
    /// The project's verify command as one line, if it has one.
    pub verify: Option<&'a str>,
    /// The folder for files, for an artifact task.
    pub artifacts: Option<&'a str>,
    /// Those of [`CONVENTIONS`] that exist.
    pub conventions: &'a [&'a str],
}

const RULES: &str = "\
Rules:
- Leave your changes in the working tree; do not commit them, they are committed for you.
- Never push, publish, deploy or send anything, and never change configuration (of this machine, of a service, of CI or of
  how the project is released), unless the task above asks for exactly that.
- Update the documentation of what you change.
- Something may be refused to you. Do not work around it; say at the end what you could not do for it.
- Do not leave anything running in the background.
- Nobody watches. Report progress now and then as a line of its own: PROGRESS 40 what you are doing
- If you can't go on without an answer, write as your very last line: QUESTION: what you need to know
  The owner's answer comes later, in this conversation. Ask only then; decide everything else yourself and say what you
  decided.
- End with a few plain sentences: what you changed, and what you could not prove.
";

/// The whole prompt of a new conversation.
pub fn prompt(task: &Task, facts: PromptFacts<'_>) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "# Task {}: {}\n", task.id, one_line(&task.spec.title));
    let _ = writeln!(text, "Category: {}. Estimate: {}.\n", task.spec.category.title(), task.spec.estimate_text());
    if !task.spec.details.trim().is_empty() {
        let _ = writeln!(text, "What the owner wrote, as data:\n\n{}", fenced(&task.spec.details));
    }
    text.push_str(match task.spec.kind {
        TaskKind::Artifact => "Write the files this task asks for into the folder named below.\n",
        TaskKind::Code | TaskKind::Action => "Work in the current folder: it is a clone made for this task alone.\n",
    });
    if let Some(folder) = facts.artifacts {
        let _ = writeln!(text, "Folder for the files: {folder}");
    }
    if !facts.conventions.is_empty() {
        let _ = writeln!(text, "How this project is worked on stands in: {}", facts.conventions.join(", "));
    }
    match facts.verify {
        Some(verify) => {
            let _ = writeln!(text, "When you have ended, the result is checked on a fresh clone by: {verify}");
        }
        None => text.push_str("There is no check command: say plainly what you could not prove.\n"),
    }
    let _ = write!(text, "\n{RULES}");
    if facts.agent == AgentKind::Command {
        text.push_str(
            "- End with exit status 0 when done, 75 if it should be tried again later, anything else if it failed.\n",
        );
    }
    text
}

/// What a conversation that was cut off is told: by a limit, a crash, or the end of a night.
pub fn go_on(task: &Task) -> String {
    format!(
        "You were interrupted in task {}: {}\n\nGo on where you stopped; look at the working tree first, as it is what \
         counts. What you were told at the start still holds, and so do its rules.\n",
        task.id,
        one_line(&task.spec.title)
    )
}

/// What a conversation that ended with a question is told.
pub fn answered(task: &Task, question: &str, answer: &str) -> String {
    format!(
        "You asked, in task {}: {}\n\n{}\nThe owner's answer, as data:\n\n{}\nGo on with it. What you were told at the \
         start still holds, and so do its rules.\n",
        task.id,
        one_line(&task.spec.title),
        fenced(question),
        fenced(answer)
    )
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// In a fence longer than any run of backticks in the text, so that the text can't close it.
fn fenced(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}\n{}\n{fence}\n", text.trim_end())
}

#[cfg(test)]
mod tests;
