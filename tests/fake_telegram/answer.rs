//! What a method answers: a result, or a refusal in Telegram's words.

use serde_json::{Value, json};

pub(crate) type Answer = Result<Value, Refusal>;

/// An answer that is not `ok`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) code: u16,
    pub(crate) description: String,
    pub(crate) retry_after: Option<u64>,
    pub(crate) migrate_to: Option<i64>,
    /// What the bot should never have sent; none where the world's state alone is the reason.
    pub(crate) violation: Option<String>,
}

impl Refusal {
    pub(crate) fn new(code: u16, description: impl Into<String>) -> Self {
        Self { code, description: description.into(), ..Self::default() }
    }

    /// A well-formed request that the world's state does not allow.
    pub(crate) fn state(description: &str) -> Self {
        Self::new(400, format!("Bad Request: {description}"))
    }

    pub(crate) fn forbidden(description: &str) -> Self {
        Self::new(403, format!("Forbidden: {description}"))
    }

    /// A request that is wrong whatever the world looks like.
    pub(crate) fn wrong(description: impl AsRef<str>) -> Self {
        let description = description.as_ref();
        Self { violation: Some(description.to_owned()), ..Self::state(description) }
    }

    pub(crate) fn retry_after(seconds: u64) -> Self {
        let description = format!("Too Many Requests: retry after {seconds}");
        Self { retry_after: Some(seconds), ..Self::new(429, description) }
    }

    pub(crate) fn migrated(to: i64) -> Self {
        Self { migrate_to: Some(to), ..Self::state("group chat was upgraded to a supergroup chat") }
    }

    pub(crate) fn body(&self) -> Value {
        let mut body = json!({ "ok": false, "error_code": self.code, "description": self.description });
        if let Some(seconds) = self.retry_after {
            body["parameters"] = json!({ "retry_after": seconds });
        }
        if let Some(chat) = self.migrate_to {
            body["parameters"] = json!({ "migrate_to_chat_id": chat });
        }
        body
    }
}
