//! An object name, checked once so that it can never be read as an option, a ref or a path.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A full object name: 40 (SHA-1) or 64 (SHA-256) lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sha(String);

/// The text is not 40 or 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a full object name (40 or 64 hexadecimal digits)")]
pub struct NotASha;

impl Sha {
    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first ten digits, for people.
    pub fn short(&self) -> &str {
        &self.0[..10]
    }

    /// The name git uses for "no object", in this object's hash.
    pub(super) fn zeros(&self) -> String {
        "0".repeat(self.0.len())
    }
}

impl FromStr for Sha {
    type Err = NotASha;

    fn from_str(text: &str) -> Result<Self, NotASha> {
        let hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if hex && matches!(text.len(), 40 | 64) { Ok(Self(text.to_ascii_lowercase())) } else { Err(NotASha) }
    }
}

impl TryFrom<String> for Sha {
    type Error = NotASha;

    fn try_from(text: String) -> Result<Self, NotASha> {
        text.parse()
    }
}

impl From<Sha> for String {
    fn from(sha: Sha) -> Self {
        sha.0
    }
}

impl fmt::Display for Sha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_full_names_pass() {
        let full = "0123456789abcdefABCDEF0123456789abcdef01";
        let sha: Sha = full.parse().unwrap();
        assert_eq!(sha.to_string(), full.to_ascii_lowercase());
        assert_eq!(serde_json::from_str::<Sha>(&serde_json::to_string(&sha).unwrap()).unwrap(), sha);
        for bad in ["", "HEAD", "--upload-pack=x", "0123456", &full[1..], &format!("{full}0")] {
            assert_eq!(bad.parse::<Sha>(), Err(NotASha), "{bad}");
        }
        assert!(serde_json::from_str::<Sha>("\"main\"").is_err());
    }
}
