//! What can go wrong with git, as a decision (retry or give up) and as words a person can act on.
//!
//! Git has no error codes, so a fault is read from its C-locale words; what is not recognised stays [`Fault::Other`]
//! with git's own words attached, never swallowed.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::paths::escape;

/// Git's own words are cut to this many characters in a message.
const WORDS_LIMIT: usize = 400;

/// What git says when objects it needs are not there.
const MISSING: [&str; 6] = [
    "promisor",
    "lazy fetching disabled",
    "missing necessary objects",
    "bad object",
    "not our ref",
    "did not send all necessary objects",
];

/// Why a git operation failed. `Display` says what is wrong and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The git program could not be started.
    #[error("the git program cannot be run; install git 2.38 or newer, or set its path")]
    ProgramMissing,
    /// The installed git lacks settings this code depends on for safety.
    #[error("git is too old; install git 2.38 or newer")]
    ProgramTooOld,
    /// The command was ended after its time limit.
    #[error("git took longer than {0} seconds and was ended; is the disk slow or unreachable?")]
    TimedOut(u64),
    /// Another git process holds a lock file, or one was left behind.
    #[error("a git lock is held; if no git runs there, remove the named lock file")]
    Locked,
    /// The machine was out of processes or memory for a moment.
    #[error("the machine had no process or memory to give; it will be tried again")]
    Busy,
    /// The file system is full or over quota.
    #[error("the disk is full; free some space")]
    DiskFull,
    /// A ref was not where the caller expected it: someone else moved it.
    #[error("the ref was moved by someone else; look at it again before changing it")]
    RefMoved,
    /// The named branch does not exist in the owner's repository.
    #[error("there is no branch {0}; create it, or set the project's base branch to one that exists")]
    MissingBranch(String),
    /// HEAD is on no branch, none was configured, and none was seen before.
    #[error("HEAD is detached; check a branch out, or set the project's base branch")]
    DetachedHead,
    /// The repository has no commit at all.
    #[error("the repository has no commit yet; make a first commit")]
    EmptyRepository,
    /// The folder exists but is no repository of its own.
    #[error("it is not a git repository; give the top folder of one")]
    NotARepository,
    /// The folder is not there.
    #[error("the folder is gone; was it moved, or is its disk not mounted?")]
    Vanished,
    /// The repository belongs to another user, and git refuses to read it.
    #[error("the repository belongs to another user; run overnight as its owner")]
    ForeignOwner,
    /// Objects are missing: a partial or damaged clone.
    #[error(
        "objects are missing; if it is a partial clone run `git fetch --refetch --no-filter` there, else `git fsck`"
    )]
    MissingObjects,
    /// The commit asked for is not in the vault.
    #[error("commit {0} is not in the vault")]
    UnknownCommit(String),
    /// A file or folder cannot be read.
    #[error("{0} cannot be read; fix its permissions")]
    Unreadable(String),
    /// A named file does not exist.
    #[error("{0} does not exist")]
    MissingFile(String),
    /// A file is over the size limit: name, its bytes, the limit in bytes.
    #[error("{0} is {1} bytes, over the limit of {2}; ignore it or keep it elsewhere")]
    FileTooLarge(String, u64, u64),
    /// A sum (files, bytes, depth, output) is over its limit: what, the limit.
    #[error("{0} are over the limit of {1}")]
    OverLimit(&'static str, u64),
    /// A pipe, socket or device stands where git would open a file and wait for ever.
    #[error("{0} is not a regular file; remove it")]
    SpecialFile(String),
    /// A path, name or link leads where it must not; nothing was done.
    #[error("refused: {0}")]
    Refused(String),
    /// The operating system refused something else.
    #[error("the operating system said: {0}")]
    Io(String),
    /// Git failed in a way not known here; its words say more.
    #[error("git failed")]
    Other,
}

impl Fault {
    /// Whether the same call can succeed later without anybody changing the repository.
    pub fn retry(&self) -> bool {
        matches!(self, Self::TimedOut(_) | Self::Locked | Self::Busy | Self::DiskFull)
    }

    /// Reads the fault from git's standard error (C locale).
    pub(super) fn from_words(words: &str) -> Self {
        let has = |needle: &str| words.contains(needle);
        if has(".lock': File exists") {
            Self::Locked
        } else if has("cannot lock ref") && (has("but expected") || has("already exists") || has("unable to resolve")) {
            Self::RefMoved
        } else if has("No space left on device") || has("quota exceeded") {
            Self::DiskFull
        } else if has("dubious ownership") {
            Self::ForeignOwner
        } else if has("not a git repository") || has("does not appear to be a git repository") {
            Self::NotARepository
        } else if let Some(branch) = after(words, "couldn't find remote ref refs/heads/") {
            Self::MissingBranch(escape(branch.as_bytes()))
        } else if MISSING.iter().any(|needle| has(needle)) {
            Self::MissingObjects
        } else if has("Resource temporarily unavailable") || has("Cannot allocate memory") || has("Out of memory") {
            Self::Busy
        } else if has("Permission denied") {
            Self::Unreadable(escape(quoted(words).unwrap_or("a file").as_bytes()))
        } else {
            Self::Other
        }
    }
}

/// The rest of the line that follows `mark`.
fn after<'a>(words: &'a str, mark: &str) -> Option<&'a str> {
    let start = words.find(mark)? + mark.len();
    words[start..].lines().next().map(str::trim)
}

/// The name git put between quotes in the line that says "Permission denied".
fn quoted(words: &str) -> Option<&str> {
    let line = words.lines().find(|line| line.contains("Permission denied"))?;
    let quote = line.find(['\'', '"'])?;
    let rest = &line[quote + 1..];
    rest.find(['\'', '"']).map(|end| &rest[..end])
}

/// A failed git operation: what was being done, where, why, and git's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitError {
    /// What was being done, as an infinitive: "fetch the base branch".
    pub action: &'static str,
    /// The repository or folder it concerns.
    pub place: PathBuf,
    /// Why it failed.
    pub fault: Fault,
    /// Git's own words, control characters escaped, cut to 400 characters; empty if git said nothing.
    pub words: String,
}

impl GitError {
    /// An error git itself said nothing about.
    pub(super) fn new(action: &'static str, place: &Path, fault: Fault) -> Self {
        Self { action, place: place.to_owned(), fault, words: String::new() }
    }

    /// An error read from git's standard error.
    pub(super) fn from_words(action: &'static str, place: &Path, words: &str) -> Self {
        Self { action, place: place.to_owned(), fault: Fault::from_words(words), words: trim_words(words) }
    }

    /// An error of the operating system about `name`.
    pub(super) fn from_io(action: &'static str, place: &Path, name: &[u8], error: &std::io::Error) -> Self {
        use std::io::ErrorKind;
        let fault = match error.kind() {
            ErrorKind::PermissionDenied => Fault::Unreadable(escape(name)),
            ErrorKind::NotFound => Fault::MissingFile(escape(name)),
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Fault::DiskFull,
            _ => Fault::Io(format!("{}: {error}", escape(name))),
        };
        Self::new(action, place, fault)
    }

    /// Whether the same call can succeed later without anybody changing the repository.
    pub fn retry(&self) -> bool {
        self.fault.retry()
    }
}

impl std::fmt::Display for GitError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let place = escape(self.place.as_os_str().as_encoded_bytes());
        write!(f, "could not {} ({place}): {}", self.action, self.fault)?;
        if !self.words.is_empty() {
            write!(f, " (git: {})", self.words)?;
        }
        Ok(())
    }
}

impl std::error::Error for GitError {}

fn trim_words(words: &str) -> String {
    let mut text = String::new();
    for line in words.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("hint:")) {
        let separator = if text.is_empty() { "" } else { "; " };
        let _ = write!(text, "{separator}{}", escape(line.as_bytes()));
    }
    if let Some((cut, _)) = text.char_indices().nth(WORDS_LIMIT) {
        text.truncate(cut);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read_from_gits_words() {
        let lock = "fatal: Unable to create '/v/refs/x.lock': File exists.\n\nAnother git process seems to be running";
        let moved = "fatal: update_ref failed for ref 'r': cannot lock ref 'r': is at aa but expected bb";
        let cases = [
            (lock, Fault::Locked, true),
            (moved, Fault::RefMoved, false),
            ("fatal: couldn't find remote ref refs/heads/nope", Fault::MissingBranch("nope".into()), false),
            ("error: unable to write file a: No space left on device", Fault::DiskFull, true),
            (
                "error: open(\"a b\"): Permission denied\nfatal: adding files failed",
                Fault::Unreadable("a b".into()),
                false,
            ),
            ("fatal: 'x' does not appear to be a git repository", Fault::NotARepository, false),
            ("something new", Fault::Other, false),
        ];
        for (words, fault, retry) in cases {
            let error = GitError::from_words("try", Path::new("/v"), words);
            assert_eq!(error.fault, fault, "{words}");
            assert_eq!(error.retry(), retry, "{words}");
        }
    }

    #[test]
    fn a_message_names_action_place_reason_and_gits_words_without_control_characters() {
        let error = GitError::from_words("fetch the base branch", Path::new("/v"), "hint: no\nfatal: \u{1b}[31mred\n");
        assert_eq!(error.to_string(), r"could not fetch the base branch (/v): git failed (git: fatal: \u{1b}[31mred)");
        assert!(trim_words(&"x".repeat(2000)).chars().count() <= WORDS_LIMIT + 1);
    }
}
