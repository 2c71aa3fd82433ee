//! Categories: which tasks may run without a tap.
//!
//! The four auto-approved and three locked ones are the mission's. The owner can move a category in the
//! configuration; a single task is unlocked only by an approval.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What kind of change a task asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// Query optimization, caches, algorithms, load time. Auto-approved.
    Performance,
    /// Bugs, edge cases, error fixes. Auto-approved.
    BugFix,
    /// API documentation, comments, README, architecture. Auto-approved.
    Documentation,
    /// Log rotation, cache refresh, database care, clean-up. Auto-approved.
    Infrastructure,
    /// User-facing changes, API additions, UI. Locked.
    NewFeature,
    /// Mails, posts, calls to other systems. Locked.
    ExternalAction,
    /// Settings, access control, credentials. Locked.
    ConfigChange,
}

/// A word that names no category.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no category; use one of: performance, bug, docs, infra, feature, external, config")]
pub struct UnknownCategory(pub String);

impl Category {
    /// All, auto-approved ones first.
    pub const ALL: [Self; 7] = [
        Self::Performance,
        Self::BugFix,
        Self::Documentation,
        Self::Infrastructure,
        Self::NewFeature,
        Self::ExternalAction,
        Self::ConfigChange,
    ];

    /// The word stored in tables and used in configuration files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Performance => "performance",
            Self::BugFix => "bug_fix",
            Self::Documentation => "documentation",
            Self::Infrastructure => "infrastructure",
            Self::NewFeature => "new_feature",
            Self::ExternalAction => "external_action",
            Self::ConfigChange => "config_change",
        }
    }

    /// The mission's name, as the owner reads it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Performance => "Performance optimization",
            Self::BugFix => "Bug fixes",
            Self::Documentation => "Documentation",
            Self::Infrastructure => "Infrastructure",
            Self::NewFeature => "New features",
            Self::ExternalAction => "External actions",
            Self::ConfigChange => "Config changes",
        }
    }

    /// Whether the mission runs it without approval; the configuration may say otherwise.
    pub fn auto_approved_by_default(self) -> bool {
        matches!(self, Self::Performance | Self::BugFix | Self::Documentation | Self::Infrastructure)
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.title())
    }
}

impl FromStr for Category {
    type Err = UnknownCategory;

    /// Takes the stored word, the mission's name and the short forms people type, in any case.
    fn from_str(text: &str) -> Result<Self, UnknownCategory> {
        let word: String = text.trim().to_lowercase().replace(['-', '_'], " ");
        Ok(match word.as_str() {
            "performance"
            | "performance optimization"
            | "performance optimisation"
            | "perf"
            | "optimization"
            | "optimisation"
            | "speed" => Self::Performance,
            "bug fix" | "bug fixes" | "bugfix" | "bugfixes" | "bug" | "bugs" | "fix" | "fixes" => Self::BugFix,
            "documentation" | "docs" | "doc" => Self::Documentation,
            "infrastructure" | "infra" | "maintenance" | "chore" => Self::Infrastructure,
            "new feature" | "new features" | "feature" | "features" | "feat" => Self::NewFeature,
            "external action" | "external actions" | "external" | "action" => Self::ExternalAction,
            "config change" | "config changes" | "config" | "configuration" | "settings" => Self::ConfigChange,
            _ => return Err(UnknownCategory(text.trim().chars().take(60).collect())),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_category_reads_back_from_both_its_names() {
        for category in Category::ALL {
            assert_eq!(category.as_str().parse(), Ok(category));
            assert_eq!(category.title().parse(), Ok(category));
        }
        assert!("nonsense".parse::<Category>().is_err());
    }
}
