//! Whether an agent's last words ask the owner something.
//!
//! The prompt tells it how: a last line `QUESTION: …`. Nothing else counts, however it ends: "Anything else?" after
//! finished work is politeness, and a card for it would teach the owner to ignore cards.

use crate::domain::words::plain;

/// Longest question kept, in characters.
const CHARS: usize = 1000;
/// Most lines of choices after it.
const CHOICES: usize = 20;

/// The question these last words end with.
pub(super) fn asked(text: &str) -> Option<String> {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let choices = lines.iter().rev().take(CHOICES).take_while(|line| is_choice(line)).count();
    let at = lines.len().checked_sub(choices + 1)?;
    let question = after_the_word(lines[at])?;
    let whole = std::iter::once(question).chain(lines[at + 1..].iter().copied()).collect::<Vec<_>>().join(" ");
    Some(plain(&whole, CHARS)).filter(|question| question.chars().any(char::is_alphanumeric))
}

/// What stands after `QUESTION:`, also where Markdown decorates it.
fn after_the_word(line: &str) -> Option<&str> {
    let line = line.trim_start_matches(['>', '#', ' ']);
    let (before, rest) = line.split_once("QUESTION")?;
    let decoration = |text: &str| text.chars().all(|c| "*_".contains(c));
    let (between, rest) = rest.split_once(':')?;
    if !decoration(before) || !decoration(between) {
        return None;
    }
    let rest = if before.is_empty() { rest } else { rest.trim_start_matches(|c| "*_".contains(c)) };
    // `**QUESTION: which?**` is decorated around the whole.
    let rest = rest.trim();
    Some(if before.is_empty() || !between.is_empty() { rest } else { rest.trim_end_matches(|c| "*_".contains(c)) })
}

/// `- a`, `* b`, `1. c`, `2) d`, `a) e`.
fn is_choice(line: &str) -> bool {
    if ["- ", "* ", "• "].iter().any(|mark| line.starts_with(mark)) {
        return true;
    }
    let Some((mark, _)) = line.split_once([')', '.']) else { return false };
    let mark = mark.trim_start_matches('(');
    (1..=2).contains(&mark.len())
        && (mark.bytes().all(|b| b.is_ascii_digit())
            || (mark.len() == 1 && mark.bytes().all(|b| b.is_ascii_alphabetic())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agreed_line_at_the_end_is_a_question() {
        for (text, question) in [
            ("QUESTION: Which database?", "Which database?"),
            ("I looked around.\n\nQUESTION: Keep v1 of the API?\n\n", "Keep v1 of the API?"),
            ("**QUESTION:** Keep v1?", "Keep v1?"),
            ("**QUESTION: Keep v1?**", "Keep v1?"),
            ("> QUESTION: Keep v1?", "Keep v1?"),
            ("QUESTION: Which one?\n- the first\n- the second", "Which one? - the first - the second"),
            ("QUESTION: Which one?\n1. keep\n2) drop\na) both", "Which one? 1. keep 2) drop a) both"),
            ("QUESTION: Delete \u{1b}[31mthe\u{202e} table?", "Delete [31mthe table?"),
            ("QUESTION: tell me the port", "tell me the port"),
        ] {
            assert_eq!(asked(text).as_deref(), Some(question), "{text}");
        }
    }

    #[test]
    fn everything_else_is_not() {
        for text in [
            "",
            "Done. All tests pass.",
            "Done. Anything else?",
            "All finished. Would you like me to add tests too?",
            "Should I have used a map? No: a list is enough. Done.",
            "QUESTION: which one?\nI took the first. Done.",
            "question: which one?",
            "QUESTION:",
            "QUESTION: ?",
            "My QUESTION: which one?",
            "The protocol is:\n```\nQUESTION: …\n```",
            "NO QUESTIONS: all is clear",
            "QUESTIONS: none",
            "- one\n- two",
        ] {
            assert_eq!(asked(text), None, "{text}");
        }
        let many = format!("QUESTION: which?\n{}", "- a\n".repeat(CHOICES + 1));
        assert_eq!(asked(&many), None);
        assert_eq!(asked(&format!("QUESTION: {}", "x".repeat(5000))).map(|q| q.chars().count()), Some(CHARS));
    }
}
