//! Who asks, and what is answered.

use crate::domain::id::TaskId;
use crate::domain::message::Message;
use crate::domain::role::Role;

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    /// `platform:id`, as it stands in the audit.
    pub who: &'a str,
    /// What they may do.
    pub role: Role,
    /// Whether they tapped a button: the card it is on changes in place.
    pub tapped: bool,
}

/// What is answered.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    /// The answer as it is shown.
    pub message: Message,
    /// The same for programs.
    pub data: serde_json::Value,
    /// Outbox key, for answers that are redrawn later; otherwise each answer has its own.
    pub key: Option<String>,
    /// More messages, each with its key: a card for each task.
    pub more: Vec<(String, Message)>,
    /// The tasks it made, in the order they were written.
    pub added: Vec<TaskId>,
    /// What to say at the button, where the answer is a change of another message.
    pub toast: String,
    /// Whether what was asked could not be done; the message says why.
    pub refused: bool,
}

impl Reply {
    /// An answer of one line.
    pub fn line(text: impl Into<String>) -> Self {
        Self { message: Message::line(text), ..Self::default() }
    }

    /// A refusal: what is wrong and what to do.
    pub fn refuse(text: impl Into<String>) -> Self {
        Self { refused: true, ..Self::line(text) }
    }

    /// Adds the data for programs.
    #[must_use]
    pub fn with(mut self, data: serde_json::Value) -> Self {
        self.data = data;
        self
    }
}
