//! What is wrong with the configuration, in one line a person can act on.

use std::fmt;
use std::path::PathBuf;

/// Why no configuration could be loaded. The caller's exit status is 2.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A value in a file that is not allowed.
    #[error("{at}: {key} = {value} is not allowed; allowed: {allowed}")]
    Value {
        /// File and line.
        at: Place,
        /// Dotted, such as `projects[0].path`.
        key: String,
        /// As it stands in the file, shortened.
        value: String,
        /// What may stand there.
        allowed: String,
    },
    /// Values that are allowed one by one, but not together.
    #[error("{at}: {key}: {rule}")]
    Rule {
        /// File and line of the table.
        at: Place,
        /// Dotted; the table.
        key: String,
        /// What they break, and what is allowed.
        rule: String,
    },
    /// A key that means nothing.
    #[error("{at}: {key} is no known key{}; known here: {known}", suggestion(.nearest.as_deref()))]
    UnknownKey {
        /// File and line.
        at: Place,
        /// Dotted.
        key: String,
        /// The known key closest to it, if any is close.
        nearest: Option<String>,
        /// All keys known at that place.
        known: String,
    },
    /// A key that must be there.
    #[error("{at}: {key} is missing; it must be {allowed}")]
    MissingKey {
        /// File and line of the table it belongs into.
        at: Place,
        /// Dotted.
        key: String,
        /// What it must be.
        allowed: String,
    },
    /// Text that is no TOML.
    #[error("{at}: this is not TOML: {problem}")]
    Syntax {
        /// File and line.
        at: Place,
        /// The parser's words.
        problem: String,
    },
    /// An environment variable whose value is not allowed.
    #[error("{origin}: {name} = {value:?} is not allowed; allowed: {allowed}")]
    Variable {
        /// `environment`, or the `.env` file it came from.
        origin: String,
        /// Its name.
        name: String,
        /// Its value.
        value: String,
        /// What it may be.
        allowed: String,
    },
    /// A line of a `.env` file that can't be read. The line is not shown: it may hold a secret.
    #[error("{at}: this line is no NAME=value; quote values with blanks, $ or # in '…'")]
    Dotenv {
        /// File and line.
        at: Place,
    },
    /// A file that can't be read.
    #[error("{}: can't be read: {problem}; {hint}", file.display())]
    Read {
        /// Which.
        file: PathBuf,
        /// The system's words.
        problem: String,
        /// What to do.
        hint: &'static str,
    },
    /// The folder for everything of ours can't be used.
    #[error("OVERNIGHT_HOME {}: {problem}", home.display())]
    Home {
        /// Which.
        home: PathBuf,
        /// What is wrong and what to do.
        problem: String,
    },
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// Its line, from 1; none where no single line is to blame.
    pub line: Option<usize>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        self.line.map_or(Ok(()), |line| write!(f, ", line {line}"))
    }
}

fn suggestion(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |word| format!("; did you mean {word}?"))
}

/// The candidate a mistyped word most likely meant.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let close = |candidate: &&str| strsim::jaro_winkler(word, candidate);
    candidates
        .into_iter()
        .map(|candidate| (close(&candidate), candidate))
        .filter(|(closeness, _)| *closeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}
