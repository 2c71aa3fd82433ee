//! A command: a program and its arguments, run without a shell.
//!
//! People write commands as one line, so a line is split by the shell's quoting rules. What only a shell can do
//! (operators, variables, globs, assignments) is refused with the way to ask for one, since passing it on as plain
//! text would run something else than what was meant.

use std::fmt;

/// Longest command in bytes, all words together; far below what any system takes.
const BYTES_MAX: usize = 32 * 1024;

/// A non-empty list of words, the first one a program.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Argv(Vec<String>);

/// Why a text is no command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArgvError {
    /// No word, or an empty program.
    #[error("a command needs at least a program")]
    Empty,
    /// A NUL can't be passed to a program.
    #[error("a command can't hold a NUL character")]
    Nul,
    /// Longer than anything sensible.
    #[error("a command can have at most {BYTES_MAX} bytes")]
    TooLong,
    /// A quote without its end.
    #[error("a quote ({0}) is not closed")]
    OpenQuote(char),
    /// A backslash at the very end.
    #[error("the backslash at the end escapes nothing")]
    OpenEscape,
    /// Something only a shell does.
    #[error(
        "{0} needs a shell and commands run without one; use [\"sh\", \"-c\", \"…\"], or quote it to mean the text itself"
    )]
    NeedsShell(String),
}

impl Argv {
    /// From words as they are.
    pub fn new(words: Vec<String>) -> Result<Self, ArgvError> {
        if words.first().is_none_or(String::is_empty) {
            return Err(ArgvError::Empty);
        }
        if words.iter().any(|word| word.contains('\0')) {
            return Err(ArgvError::Nul);
        }
        if words.iter().map(String::len).sum::<usize>() > BYTES_MAX {
            return Err(ArgvError::TooLong);
        }
        Ok(Self(words))
    }

    /// From one line, split as a shell would: blanks separate, `'…'` and `"…"` and `\` quote.
    pub fn parse(line: &str) -> Result<Self, ArgvError> {
        if line.len() > BYTES_MAX {
            return Err(ArgvError::TooLong);
        }
        let mut splitter = Splitter { rest: line.chars().peekable(), words: Vec::new() };
        while splitter.word()? {}
        Self::new(splitter.words)
    }

    /// The program.
    pub fn program(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }

    /// What it is given.
    pub fn args(&self) -> &[String] {
        self.0.get(1..).unwrap_or_default()
    }

    /// All words.
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }

    /// All words, owned.
    pub fn into_vec(self) -> Vec<String> {
        self.0
    }
}

impl fmt::Display for Argv {
    /// As a person would type it; reads back by [`Argv::parse`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, word) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(" ")?;
            }
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,@%+".contains(c);
            if !word.is_empty() && word.chars().all(plain) {
                f.write_str(word)?;
            } else {
                write!(f, "'{}'", word.replace('\'', r"'\''"))?;
            }
        }
        Ok(())
    }
}

struct Splitter<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    words: Vec<String>,
}

impl Splitter<'_> {
    /// Takes one word; false at the end of the line.
    fn word(&mut self) -> Result<bool, ArgvError> {
        while self.rest.next_if(|c| c.is_whitespace() && *c != '\n').is_some() {}
        if self.rest.peek().is_none() {
            return Ok(false);
        }
        let mut word = String::new();
        let mut quoted = false;
        while let Some(c) = self.rest.next_if(|c| !c.is_whitespace() || *c == '\n') {
            match c {
                '\'' => self.single_quoted(&mut word)?,
                '"' => self.double_quoted(&mut word)?,
                '\\' => word.push(self.rest.next().ok_or(ArgvError::OpenEscape)?),
                '~' if word.is_empty() && !quoted => return Err(needs_shell("~")),
                '#' if word.is_empty() && !quoted => return Err(needs_shell("a comment (#)")),
                '=' if self.words.is_empty() && !quoted && is_variable_name(&word) => {
                    return Err(needs_shell(&format!("an assignment ({word}=…)")));
                }
                '\n' => return Err(needs_shell("a second line")),
                '|' | '&' | ';' | '<' | '>' | '(' | ')' | '$' | '`' | '*' | '?' => {
                    return Err(needs_shell(&self.operator(c)));
                }
                _ => word.push(c),
            }
            quoted |= matches!(c, '\'' | '"' | '\\');
        }
        self.words.push(word);
        Ok(true)
    }

    /// `&&`, `||`, `>>` are named whole.
    fn operator(&mut self, first: char) -> String {
        let doubled = matches!(first, '|' | '&' | '<' | '>') && self.rest.peek() == Some(&first);
        if doubled { format!("{first}{first}") } else { first.to_string() }
    }

    fn single_quoted(&mut self, word: &mut String) -> Result<(), ArgvError> {
        loop {
            match self.rest.next().ok_or(ArgvError::OpenQuote('\''))? {
                '\'' => return Ok(()),
                c => word.push(c),
            }
        }
    }

    fn double_quoted(&mut self, word: &mut String) -> Result<(), ArgvError> {
        loop {
            match self.rest.next().ok_or(ArgvError::OpenQuote('"'))? {
                '"' => return Ok(()),
                '\\' => match self.rest.next().ok_or(ArgvError::OpenQuote('"'))? {
                    c @ ('"' | '\\' | '$' | '`') => word.push(c),
                    c => word.extend(['\\', c]),
                },
                c @ ('$' | '`') => return Err(needs_shell(&c.to_string())),
                c => word.push(c),
            }
        }
    }
}

fn needs_shell(what: &str) -> ArgvError {
    ArgvError::NeedsShell(what.to_owned())
}

fn is_variable_name(word: &str) -> bool {
    let mut chars = word.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(line: &str) -> Vec<String> {
        Argv::parse(line).unwrap_or_else(|e| panic!("{line}: {e}")).into_vec()
    }

    #[test]
    fn a_line_is_split_as_a_shell_splits_it() {
        assert_eq!(words("cargo test --workspace"), ["cargo", "test", "--workspace"]);
        assert_eq!(words("  make\tcheck "), ["make", "check"]);
        assert_eq!(words(r#"echo 'a  b' "c d"e f\ g '' "" "#), ["echo", "a  b", "c de", "f g", "", ""]);
        assert_eq!(words(r#"echo "a\"b\\c\n" '\'"#), ["echo", r#"a"b\c\n"#, r"\"]);
        assert_eq!(words("sh -c 'a && b | c > d; $e'"), ["sh", "-c", "a && b | c > d; $e"]);
        assert_eq!(
            words(r"echo \$HOME \; a#b a~ make CFLAGS=-O2".trim_end()),
            ["echo", "$HOME", ";", "a#b", "a~", "make", "CFLAGS=-O2"]
        );
        assert_eq!(words("pip install .[dev]"), ["pip", "install", ".[dev]"]);
    }

    #[test]
    fn what_only_a_shell_does_is_refused_and_named() {
        for (line, named) in [
            ("a && b", "&&"),
            ("a || b", "||"),
            ("a | b", "| needs"),
            ("a; b", ";"),
            ("a > b", "> needs"),
            ("a >> b", ">>"),
            ("a < b", "<"),
            ("a &", "& needs"),
            ("a\nb", "second line"),
            ("(a)", "("),
            ("a $HOME", "$"),
            ("a \"$HOME\"", "$"),
            ("a `b`", "`"),
            ("ls *.rs", "*"),
            ("ls ~/x", "~"),
            ("# a", "comment"),
            ("CI=1 cargo test", "CI=…"),
        ] {
            let error = Argv::parse(line).unwrap_err().to_string();
            assert!(error.contains(named), "{line}: {error}");
            assert!(error.contains(r#"["sh", "-c", "…"]"#), "{line}: {error}");
        }
    }

    #[test]
    fn what_is_no_command_is_refused() {
        for line in ["", "   ", "''", "'' a"] {
            assert_eq!(Argv::parse(line), Err(ArgvError::Empty), "{line:?}");
        }
        assert_eq!(Argv::parse("a 'b"), Err(ArgvError::OpenQuote('\'')));
        assert_eq!(Argv::parse("a \"b"), Err(ArgvError::OpenQuote('"')));
        assert_eq!(Argv::parse("a \\"), Err(ArgvError::OpenEscape));
        assert_eq!(Argv::parse("a \0"), Err(ArgvError::Nul));
        assert_eq!(Argv::parse(&"a".repeat(BYTES_MAX + 1)), Err(ArgvError::TooLong));
        assert_eq!(Argv::new(vec!["a".repeat(BYTES_MAX), "b".into()]), Err(ArgvError::TooLong));
        assert_eq!(Argv::new(vec![]), Err(ArgvError::Empty));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_shown_reads_back(words in prop::collection::vec("[^\0]{0,12}", 0..5), program in "[^\0]{1,12}") {
            let argv = Argv::new(std::iter::once(program).chain(words).collect()).unwrap();
            prop_assert_eq!(Argv::parse(&argv.to_string()), Ok(argv));
        }

        #[test]
        fn any_text_is_a_command_that_reads_back_or_an_error(line in any::<String>()) {
            if let Ok(argv) = Argv::parse(&line) {
                prop_assert!(!argv.program().is_empty());
                prop_assert_eq!(Argv::parse(&argv.to_string()), Ok(argv));
            }
        }
    }
}
