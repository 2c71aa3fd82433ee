//! The one typed chat message. Every front-end renders it its own way; nothing here knows about HTML, ANSI or limits.
//!
//! Texts are data: whatever a task, a file name or an agent says is a plain string here and is escaped by the renderer.

use serde::{Deserialize, Serialize};
use std::path::Path;

/// One message to the owner: a verdict line first (it is what a lock screen shows), then sections, then buttons.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The first line, readable alone. Never empty.
    pub verdict: String,
    /// A sentence or two after the verdict; may be empty.
    #[serde(default)]
    pub intro: String,
    /// Titled groups of lines.
    #[serde(default)]
    pub sections: Vec<Section>,
    /// A closing line; may be empty.
    #[serde(default)]
    pub closing: String,
    /// Buttons that belong to the whole message, a row each.
    #[serde(default)]
    pub buttons: Vec<Vec<Button>>,
    /// Files to send along: paths on this machine with the name to show.
    #[serde(default)]
    pub attachments: Vec<Attachment>,
}

/// A titled group of items.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    /// Heading with its icon, such as `🚀 What shipped`. Empty: no heading.
    pub title: String,
    /// The lines under it.
    pub items: Vec<Item>,
}

/// One line with its evidence.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// One emoji, or empty.
    #[serde(default)]
    pub icon: String,
    /// The line itself; at best 45 characters, never cut by the model.
    pub text: String,
    /// What the host saw, a line each; folded away where the platform can.
    #[serde(default)]
    pub evidence: Vec<String>,
    /// Someone else's words (an agent's summary, a log): shown as a quote, never as the bot's own statement.
    #[serde(default)]
    pub quote: String,
    /// Whose words: a phrase before the quote, such as `you wrote`. Empty: the agent's.
    #[serde(default)]
    pub quoted_from: String,
    /// Buttons for this item, at most three.
    #[serde(default)]
    pub buttons: Vec<Button>,
}

/// One button. `id` is all a platform carries; what it means stays on the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Button {
    /// What the owner reads, with its emoji.
    pub label: String,
    /// Opaque nonce: 32 lower-case hex digits (128 bits), the key of a row in `button`.
    pub id: String,
    /// The typed equivalent, such as `/approve 3`: buttons die after a while, words do not.
    pub typed: String,
}

/// A file that goes with a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// Absolute path on this machine.
    pub path: String,
    /// File name to show.
    pub name: String,
}

impl Attachment {
    /// A file under its own name.
    pub fn file(path: &Path) -> Self {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Self { path: path.display().to_string(), name }
    }
}

impl Message {
    /// A message of one line.
    pub fn line(verdict: impl Into<String>) -> Self {
        Self { verdict: verdict.into(), ..Self::default() }
    }

    /// Adds a sentence after the verdict.
    #[must_use]
    pub fn intro(mut self, text: impl Into<String>) -> Self {
        self.intro = text.into();
        self
    }

    /// Adds a section unless it has no items.
    #[must_use]
    pub fn section(mut self, title: impl Into<String>, items: Vec<Item>) -> Self {
        if !items.is_empty() {
            self.sections.push(Section { title: title.into(), items });
        }
        self
    }

    /// Adds the closing line.
    #[must_use]
    pub fn closing(mut self, text: impl Into<String>) -> Self {
        self.closing = text.into();
        self
    }

    /// Adds one row of buttons.
    #[must_use]
    pub fn row(mut self, buttons: Vec<Button>) -> Self {
        if !buttons.is_empty() {
            self.buttons.push(buttons);
        }
        self
    }

    /// Every button of the message, those of items included, in reading order.
    pub fn all_buttons(&self) -> impl Iterator<Item = &Button> {
        self.sections
            .iter()
            .flat_map(|s| s.items.iter().flat_map(|i| i.buttons.iter()))
            .chain(self.buttons.iter().flatten())
    }
}

impl Item {
    /// A line with an icon.
    pub fn new(icon: impl Into<String>, text: impl Into<String>) -> Self {
        Self { icon: icon.into(), text: text.into(), ..Self::default() }
    }

    /// Adds a line of evidence.
    #[must_use]
    pub fn evidence(mut self, line: impl Into<String>) -> Self {
        self.evidence.push(line.into());
        self
    }

    /// Adds a button.
    #[must_use]
    pub fn button(mut self, button: Button) -> Self {
        self.buttons.push(button);
        self
    }
}
