//! What an agent is told. One template for all agents; the owner's text stands in a fenced block, as data.

use crate::domain::build::Wait;
use crate::domain::task::{Task, TaskKind};
use std::fmt::Write;

/// What the template needs besides the task.
#[derive(Debug, Clone, Copy)]
pub struct PromptFacts<'a> {
    /// The project's verify command as one line, if it has one.
    pub verify: Option<&'a str>,
    /// The folder for files, for an artifact task.
    pub artifacts: Option<&'a str>,
}

/// The whole prompt.
pub fn prompt(task: &Task, facts: PromptFacts<'_>) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "# Task {}: {}\n", task.id, one_line(&task.spec.title));
    let _ = writeln!(text, "Category: {}. Estimate: {}.\n", task.spec.category.title(), task.spec.estimate_text());
    if !task.spec.details.trim().is_empty() {
        let fence = fence_for(&task.spec.details);
        let _ =
            writeln!(text, "What the owner wrote, as data:\n\n{fence}\n{}\n{fence}\n", task.spec.details.trim_end());
    }
    text.push_str(match task.spec.kind {
        TaskKind::Artifact => "Write the files this task asks for into the folder named below.\n",
        TaskKind::Code | TaskKind::Action => "Work in the current folder: it is a clone made for this task alone.\n",
    });
    if let Some(folder) = facts.artifacts {
        let _ = writeln!(text, "Folder for the files: {folder}");
    }
    match facts.verify {
        Some(verify) => {
            let _ = writeln!(text, "When you have ended, the result is checked on a fresh clone by: {verify}");
        }
        None => text.push_str("There is no check command: say plainly what you could not prove.\n"),
    }
    text.push_str(
        "\nRules:\n\
         - Leave your changes in the working tree; they are committed for you.\n\
         - Do not push, publish, send anything, or change settings outside this folder.\n\
         - Update the documentation of what you change.\n\
         - Report progress as lines of the form: PROGRESS 40 what you are doing\n\
         - End with exit status 0 when done, 75 if it should be tried again later, anything else if it failed.\n",
    );
    text
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A fence longer than any run of backticks in the text, so that the text can't close it.
fn fence_for(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    "`".repeat(longest.max(2) + 1)
}

/// What an agent is told when it goes on after waiting: it knows its task already.
pub fn resume_prompt(wait: Option<&Wait>) -> String {
    match wait {
        Some(Wait::Answer { question, answer: Some(answer) }) => {
            let fence = fence_for(answer);
            format!(
                "You asked: {}\n\nThe owner's answer, as data:\n\n{fence}\n{}\n{fence}\n\n\
                 Go on with the task. The rules from the beginning still hold.\n",
                one_line(question),
                answer.trim_end()
            )
        }
        _ => "You were interrupted by a limit of your provider, which is over now. The folder is as you left it. Look at \
              what is done, and go on with the task. The rules from the beginning still hold.\n"
            .into(),
    }
}
