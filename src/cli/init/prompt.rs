//! Questions on the terminal. Without one (`live` is false) every question is answered by its default, so callers ask
//! only what flags can answer too.

use dialoguer::theme::ColorfulTheme;
use dialoguer::{Confirm, Input, MultiSelect, Password, Select};

/// Who is asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Prompt {
    /// A person at a terminal.
    pub(super) live: bool,
}

type Answer<T> = anyhow::Result<T>;

impl Prompt {
    /// Yes or no.
    pub(super) fn confirm(self, question: &str, default: bool) -> Answer<bool> {
        if !self.live {
            return Ok(default);
        }
        let theme = ColorfulTheme::default();
        // A habitual return after the letter must not answer the next question.
        let ask = Confirm::with_theme(&theme).with_prompt(question).default(default).wait_for_newline(true);
        Ok(ask.interact()?)
    }

    /// A line; `check` says what is wrong with it.
    pub(super) fn line(
        self,
        question: &str,
        default: &str,
        check: impl Fn(&str) -> Result<(), String>,
    ) -> Answer<String> {
        if !self.live {
            return Ok(default.to_owned());
        }
        let theme = ColorfulTheme::default();
        let mut ask = Input::<String>::with_theme(&theme).with_prompt(question).allow_empty(true);
        if !default.is_empty() {
            ask = ask.default(default.to_owned());
        }
        let line = ask.validate_with(|text: &String| check(text.trim())).interact_text()?;
        Ok(line.trim().to_owned())
    }

    /// A line that is never shown: what is typed may be seen over a shoulder, or kept in a terminal's scrollback.
    pub(super) fn secret(self, question: &str) -> Answer<String> {
        if !self.live {
            return Ok(String::new());
        }
        let theme = ColorfulTheme::default();
        let ask = Password::with_theme(&theme).with_prompt(question).allow_empty_password(true).report(false);
        Ok(ask.interact()?.trim().to_owned())
    }

    /// One of several.
    pub(super) fn choose(self, question: &str, items: &[String], default: usize) -> Answer<usize> {
        if !self.live {
            return Ok(default);
        }
        let theme = ColorfulTheme::default();
        Ok(Select::with_theme(&theme).with_prompt(question).items(items).default(default).interact()?)
    }

    /// Any of several.
    pub(super) fn several(self, question: &str, items: &[String], chosen: &[bool]) -> Answer<Vec<usize>> {
        if items.is_empty() {
            return Ok(Vec::new());
        }
        if !self.live {
            return Ok(chosen.iter().enumerate().filter(|(_, chosen)| **chosen).map(|(at, _)| at).collect());
        }
        let theme = ColorfulTheme::default();
        let question = format!("{question} (space marks, return goes on)");
        Ok(MultiSelect::with_theme(&theme).with_prompt(question).items(items).defaults(chosen).interact()?)
    }
}

/// Whether a question was answered by Ctrl-C.
pub(super) fn interrupted(error: &anyhow::Error) -> bool {
    let broken = |error: &std::io::Error| error.kind() == std::io::ErrorKind::Interrupted;
    match error.downcast_ref::<dialoguer::Error>() {
        Some(dialoguer::Error::IO(error)) => broken(error),
        None => error.downcast_ref::<std::io::Error>().is_some_and(broken),
    }
}
