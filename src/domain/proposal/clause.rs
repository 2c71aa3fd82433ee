//! A task's text as clauses of words: what the rules of [`super::lock`] look at.
//!
//! Left out on purpose: grammar. A clause ends at punctuation and at `and`, `then`, `or`; that is enough to tell
//! "document the mailer" from "and send it".

use super::words::{CONJUNCTIONS, FILLERS, PAIRS};

/// Most words of a clause.
const LONGEST: usize = 100;

/// One word, lower-case.
#[derive(Clone)]
pub(super) struct Word {
    pub(super) text: String,
    /// Written like a name: `Bob`, not `CSV`.
    pub(super) name: bool,
    /// Written like an environment variable: `DATABASE_URL`.
    pub(super) variable: bool,
    /// Written like something in code: in backticks, `snake_case`, `camelCase`, `a::b`, `main.rs`, `utils2`.
    pub(super) code: bool,
}

/// A stretch of text with at most one order in its head position.
pub(super) struct Clause {
    pub(super) words: Vec<Word>,
    /// Joined to the clause before by a comma or a conjunction, so that a missing verb is that clause's.
    pub(super) joined: bool,
}

impl Clause {
    /// Where the first word stands that is no filler, as in "please then *send*"; the length if there is none.
    pub(super) fn head(&self) -> usize {
        self.words
            .iter()
            .position(|w| !FILLERS.has(&w.text) && !w.text.bytes().all(|b| b.is_ascii_digit()))
            .unwrap_or(self.words.len())
    }

    pub(super) fn get(&self, at: usize) -> &str {
        self.words.get(at).map_or("", |w| w.text.as_str())
    }

    /// The word before; empty at the start.
    pub(super) fn before(&self, at: usize, steps: usize) -> &str {
        at.checked_sub(steps).map_or("", |at| self.get(at))
    }

    /// The clause for a reader, cut to a line.
    pub(super) fn quote(&self) -> String {
        short(&self.words.iter().map(|w| w.text.as_str()).take(SHOWN).collect::<Vec<_>>().join(" "))
    }
}

const SHOWN: usize = 60;

/// Cut to a line.
pub(super) fn short(text: &str) -> String {
    let cut: String = text.chars().take(SHOWN).collect();
    if cut.len() < text.len() { format!("{cut}…") } else { cut }
}

/// Splits a text. Words are letters, digits and what joins them in names, files and addresses.
pub(super) fn clauses(text: &str) -> Vec<Clause> {
    let mut all = Vec::new();
    let mut current = Clause { words: Vec::new(), joined: false };
    let mut word = String::new();
    let mut quoted = false;
    let mut chars = text.chars().filter(|c| !invisible(*c)).peekable();
    while let Some(c) = chars.next() {
        let c = if matches!(c, '’' | '‘' | '´') { '\'' } else { c };
        let inside = chars.peek().is_some_and(|next| !next.is_whitespace());
        let part = c.is_alphanumeric()
            || matches!(c, '_' | '\'' | '@' | '#')
            || (matches!(c, '.' | '-') && inside)
            || (c == ':' && inside && !word.is_empty());
        if part {
            word.push(c);
            continue;
        }
        end_word(&mut word, quoted, &mut current, &mut all);
        match c {
            '`' => quoted = !quoted,
            '.' | '!' | '?' | ';' | ':' | '\n' | '|' | '•' | '→' => next_clause(&mut current, &mut all, false),
            // "Set DEBUG = True" gives a value as "set DEBUG to True" does.
            '=' if matches!(current.get(current.head()), "set" | "change" | "make" | "put") => {
                current.words.push(Word { text: "to".to_owned(), name: false, variable: false, code: false });
            }
            // "Fix it / deploy"; not "src/main".
            '/' if !inside => next_clause(&mut current, &mut all, true),
            ',' | '(' | ')' | '[' | ']' | '{' | '}' | '&' | '+' | '—' | '–' | '-' | '=' | '>' => {
                next_clause(&mut current, &mut all, true);
            }
            _ => {}
        }
    }
    end_word(&mut word, quoted, &mut current, &mut all);
    next_clause(&mut current, &mut all, false);
    all.iter_mut().for_each(join_pairs);
    all
}

/// Soft hyphens, zero-width characters and marks of direction: they'd hide a word from the rules, not from the agent.
fn invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
        || (c.is_control() && !c.is_whitespace())
}

fn end_word(word: &mut String, quoted: bool, current: &mut Clause, all: &mut Vec<Clause>) {
    let raw = std::mem::take(word);
    let raw = raw.trim_matches(|c| matches!(c, '\'' | ':' | '-'));
    if raw.is_empty() {
        return;
    }
    let name = raw.starts_with(char::is_uppercase) && raw.chars().nth(1).is_some_and(char::is_lowercase);
    let variable = raw.contains('_') && raw.chars().all(|c| c == '_' || c.is_ascii_uppercase() || c.is_ascii_digit());
    let code = quoted || like_code(raw);
    let text = raw.to_lowercase().replace("e-mail", "email");
    let text = text.strip_prefix("re-").unwrap_or(&text).to_owned();
    if CONJUNCTIONS.has(&text) {
        next_clause(current, all, true);
    } else {
        current.words.push(Word { text, name, variable, code });
        // The rules look back and forth within a clause; this keeps them linear on a text without any punctuation.
        if current.words.len() >= LONGEST {
            next_clause(current, all, true);
        }
    }
}

fn like_code(raw: &str) -> bool {
    let mixed = raw.chars().zip(raw.chars().skip(1)).any(|(a, b)| a.is_lowercase() && b.is_uppercase());
    let numbered = raw.starts_with(char::is_alphabetic) && raw.ends_with(|c: char| c.is_ascii_digit());
    mixed || numbered || raw.contains('_') || raw.contains("::") || raw.trim_end_matches('.').contains('.')
}

fn next_clause(current: &mut Clause, all: &mut Vec<Clause>, joined: bool) {
    if current.words.is_empty() {
        // ", and": still joined, unless a sentence ended in between.
        current.joined &= joined;
        return;
    }
    all.push(std::mem::replace(current, Clause { words: Vec::new(), joined }));
}

/// `api key` → `apikey`: a pair that means one thing is one word.
fn join_pairs(clause: &mut Clause) {
    let mut joined: Vec<Word> = Vec::with_capacity(clause.words.len());
    for word in clause.words.drain(..) {
        if let Some(last) = joined.last_mut()
            && let Some((.., one)) = PAIRS
                .iter()
                .find(|(a, b, _)| last.text == *a && word.text.trim_end_matches('s') == b.trim_end_matches('s'))
        {
            (*one).clone_into(&mut last.text);
        } else {
            joined.push(word);
        }
    }
    clause.words = joined;
}
