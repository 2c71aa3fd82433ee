//! The one commit a build becomes: who, when and what it says, in a form no agent's text can bend.

use std::fmt::Write as _;
use std::path::Path;

use chrono::{DateTime, Utc};

use super::refs::check_id;
use super::{Fault, GitError, Result};

/// Longest subject, in characters.
const SUBJECT_LIMIT: usize = 120;
/// Longest body, in characters.
const BODY_LIMIT: usize = 16_000;

/// Name and address in a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// As shown by git log.
    pub name: String,
    /// Need not be deliverable.
    pub email: String,
}

/// Everything a result commit says besides its files. The same message, base and files give the same commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitMessage {
    /// First line; line breaks become spaces, cut to 120 characters.
    pub subject: String,
    /// Free text, may be empty; cut to 16,000 characters.
    pub body: String,
    /// Trailer `Overnight-Task`.
    pub task: String,
    /// Trailer `Overnight-Session`.
    pub session: String,
    /// Trailer `Overnight-Build`.
    pub build: String,
    /// Author and committer.
    pub author: Person,
    /// Author and committer date; a retry must pass the same.
    pub date: DateTime<Utc>,
}

impl CommitMessage {
    /// Subject, body and trailers. The trailers stand last and alone, so a body that imitates them is only text.
    pub(super) fn text(&self) -> Result<String> {
        let subject = clean(&self.subject, SUBJECT_LIMIT).split_whitespace().collect::<Vec<_>>().join(" ");
        if subject.is_empty() {
            let fault = Fault::Refused("the commit's subject is empty".to_owned());
            return Err(GitError::new("write the commit message", Path::new("vault"), fault));
        }
        let mut text = format!("{subject}\n\n");
        let body = clean(&self.body, BODY_LIMIT);
        if !body.trim().is_empty() {
            let _ = write!(text, "{}\n\n", body.trim());
        }
        for (key, value) in [("Task", &self.task), ("Session", &self.session), ("Build", &self.build)] {
            check_id(value)?;
            let _ = writeln!(text, "Overnight-{key}: {value}");
        }
        Ok(text)
    }

    /// The environment git commit-tree takes identity and time from.
    pub(super) fn env(&self) -> [(&'static str, String); 6] {
        identity(&self.author, self.date)
    }
}

/// The environment git commit-tree takes identity and time from.
pub(super) fn identity(author: &Person, date: DateTime<Utc>) -> [(&'static str, String); 6] {
    let strip = |text: &str, or: &str| {
        let kept: String = text.chars().filter(|c| !c.is_control() && !matches!(c, '<' | '>')).collect();
        if kept.trim().is_empty() { or.to_owned() } else { kept.trim().to_owned() }
    };
    let (name, email) = (strip(&author.name, "overnight"), strip(&author.email, "overnight@localhost"));
    let date = format!("@{} +0000", date.timestamp());
    [
        ("GIT_AUTHOR_NAME", name.clone()),
        ("GIT_AUTHOR_EMAIL", email.clone()),
        ("GIT_AUTHOR_DATE", date.clone()),
        ("GIT_COMMITTER_NAME", name),
        ("GIT_COMMITTER_EMAIL", email),
        ("GIT_COMMITTER_DATE", date),
    ]
}

fn clean(text: &str, limit: usize) -> String {
    text.chars().filter(|c| !c.is_control() || *c == '\n').take(limit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> CommitMessage {
        CommitMessage {
            subject: "Fix\nthe  thing\0".into(),
            body: "Why.\n\nOvernight-Task: 99".into(),
            task: "7".into(),
            session: "2026-03-14".into(),
            build: "b1".into(),
            author: Person { name: "A <x>\n".into(), email: String::new() },
            date: DateTime::from_timestamp(1_000, 0).unwrap(),
        }
    }

    #[test]
    fn trailers_stand_last_whatever_the_body_says() {
        let text = message().text().unwrap();
        assert!(text.starts_with("Fix the thing\n\nWhy."), "{text}");
        assert!(
            text.ends_with("99\n\nOvernight-Task: 7\nOvernight-Session: 2026-03-14\nOvernight-Build: b1\n"),
            "{text}"
        );
        assert!(CommitMessage { task: "7\nSigned-off-by: x".into(), ..message() }.text().is_err());
        assert!(CommitMessage { subject: " \n".into(), ..message() }.text().is_err());
    }

    #[test]
    fn identity_cannot_break_the_commit_header() {
        let env = message().env();
        assert_eq!(env[0].1, "A x");
        assert_eq!(env[1].1, "overnight@localhost");
        assert_eq!(env[2].1, "@1000 +0000");
    }
}
