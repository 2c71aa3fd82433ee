//! Weighs the words of a text for each category.
//!
//! What a title is about stands in its first clause: the verb of an order, or the subject of a statement. So the place of
//! a word scales its weight. Left out on purpose: orders for something locked; `lock` is asked first.

use super::clause::{Clause, clauses};
use super::lock::{object, subordinate};
use super::table::{ALSO_NOUNS, ALSO_PLURALS, LABELS, OCCASIONS, PHRASES, Row, SELDOM_NOUNS, STATEMENT, VERBS, WORDS};
use super::words::{DETERMINERS, HARMLESS, PREPOSITIONS, SUBORDINATORS};
use crate::domain::category::Category;

/// Words of the details that count; a pasted log is no argument.
const DETAIL_WORDS: usize = 200;
/// Verbs that call their object a fault, whatever it is.
const FIXES: &str = "fix repair resolve debug hotfix";
/// What a statement says by itself: that something is not as it should be.
const TOLD: u32 = 7;

/// How much speaks for one category, and what.
pub(super) struct Score {
    pub(super) category: Category,
    pub(super) points: u32,
    pub(super) words: Vec<String>,
}

/// All categories, the best first; of equals the one first in [`Category::ALL`], a bug before the rest.
pub(super) fn weigh(title: &str, details: &str) -> Vec<Score> {
    let mut tally = Tally::new();
    let title = title.replace(['’', '‘', '´'], "'");
    let (label, rest) = label(&title);
    if let Some(label) = &label {
        tally.look_up(LABELS, label, 1);
    }
    tally.phrases(&title);
    let all = clauses(rest);
    let subject = usize::from(label.is_none() && is_subject(rest, &all));
    for (n, clause) in all.iter().enumerate() {
        if n < subject {
            clause.words.iter().for_each(|word| tally.word(clause, &word.text, 2, true, false));
        } else {
            tally.clause(clause, n == subject);
        }
    }
    let mut seen: Vec<String> = Vec::new();
    for word in clauses(details).into_iter().flat_map(|clause| clause.words).take(DETAIL_WORDS) {
        if !seen.contains(&word.text) {
            tally.look_up(WORDS, &word.text, 1);
            seen.push(word.text);
        }
    }
    let mut scores = tally.0;
    scores.sort_by_key(|score| (std::cmp::Reverse(score.points), score.category != Category::BugFix));
    scores
}

/// The sentences and lines of a text.
pub(super) fn sentences(text: &str) -> impl Iterator<Item = &str> {
    text.split(['\n', ';', '!', '?']).flat_map(|line| line.split(". ")).filter(|line| !line.trim().is_empty())
}

/// What somebody does to see a fault, and what they see: no order to anybody who mends it.
const STEPS: &str = "open click see press scroll watch type select choose observe notice wait hover tap drag paste enter \
    reload expect look keep";

/// Whether a clause of the details tells somebody to do something.
pub(super) fn is_order(clause: &Clause) -> bool {
    let head = clause.get(clause.head());
    // "I noticed this while …".
    let told = ["i", "we"].contains(&clause.get(0)) && head.ends_with("ed");
    !head.is_empty() && !told && statement(clause).is_none() && !listed(STEPS, head)
}

/// The title's clauses behind its label or the part it names.
pub(super) fn orders_of(title: &str) -> (bool, Vec<Clause>) {
    let (label, rest) = label(title);
    let mut all = clauses(rest);
    if label.is_none() && is_subject(rest, &all) {
        all.remove(0);
    }
    (label.is_some(), all)
}

/// `fix(parser): rest`, `[Bug] rest`, `Feature request: rest`: the label's last word, and the rest.
fn label(title: &str) -> (Option<String>, &str) {
    let title = title.trim_start();
    let cut = if let Some(inner) = title.strip_prefix('[') {
        inner.split_once(']').map(|(label, rest)| (label, rest.trim_start_matches(':')))
    } else {
        title.split_once(": ").map(|(label, rest)| (label.split('(').next().unwrap_or(label), rest))
    };
    match cut {
        // A whole sentence before the colon is no label.
        Some((label, rest)) if label.split_whitespace().count() <= 2 && !rest.trim().is_empty() => {
            let word = label.split_whitespace().last().unwrap_or_default();
            let word = word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
            let known = LABELS.iter().any(|(_, _, words)| listed(words, &word));
            if known { (Some(word), rest) } else { (None, title) }
        }
        _ => (None, title),
    }
}

/// "Settings page: changes are lost": a part, and what is the matter with it.
fn is_subject(text: &str, all: &[Clause]) -> bool {
    let few = text.split_once(": ").is_some_and(|(part, _)| part.split_whitespace().count() <= 3);
    few && all.len() > 1 && !all[0].joined && !is_verb(all[0].get(all[0].head()))
}

fn listed(words: &str, word: &str) -> bool {
    words.split_ascii_whitespace().any(|known| known == word)
}

/// The word itself, and what it may be a form of.
fn forms(word: &str) -> Vec<String> {
    let mut forms = vec![word.to_owned()];
    for (ending, instead) in
        [("s", ""), ("es", ""), ("ies", "y"), ("ing", ""), ("ing", "e"), ("ed", ""), ("ed", "e"), ("'s", "")]
    {
        if let Some(stem) = word.strip_suffix(ending)
            && stem.len() > 2
        {
            forms.push(format!("{stem}{instead}"));
        }
    }
    forms
}

/// Where the finite verb of a statement stands, if the clause is one.
fn statement(clause: &Clause) -> Option<usize> {
    let head = clause.head();
    let told = (head + 1..clause.words.len()).take_while(|at| !subordinate(clause, *at)).find(|at| {
        let plural = *at == head + 1 && listed(ALSO_NOUNS, clause.get(head)) && listed(ALSO_PLURALS, clause.get(*at));
        listed(STATEMENT, clause.get(*at))
            && !DETERMINERS.has(clause.before(*at, 1))
            && !PREPOSITIONS.has(clause.before(*at, 1))
            && !plural
    });
    let order = is_verb(clause.get(head)) && !listed(ALSO_NOUNS, clause.get(head));
    let asked = SUBORDINATORS.has(clause.get(head)) && listed(STATEMENT, clause.get(head + 1));
    told.filter(|_| !order).or(asked.then_some(head + 1))
}

/// Whether the word speaks for an auto-approved category by itself.
pub(super) fn says(word: &str) -> bool {
    let forms = forms(word);
    WORDS.iter().any(|(category, weight, words)| {
        let tells = !matches!(category, Category::BugFix) && category.auto_approved_by_default();
        tells && *weight > 2 && forms.iter().any(|form| listed(words, form))
    })
}

pub(super) fn is_verb(word: &str) -> bool {
    VERBS.iter().any(|(_, _, words)| listed(words, word))
}

struct Tally(Vec<Score>);

impl Tally {
    fn new() -> Self {
        Self(Category::ALL.into_iter().map(|category| Score { category, points: 0, words: Vec::new() }).collect())
    }

    fn add(&mut self, category: Category, points: u32, word: &str) {
        for score in self.0.iter_mut().filter(|score| score.category == category) {
            score.points += points;
            if !score.words.iter().any(|seen| seen == word) {
                score.words.push(word.to_owned());
            }
        }
    }

    fn look_up(&mut self, rows: &[Row], word: &str, factor: u32) {
        let forms = forms(word);
        for (category, weight, words) in rows {
            if forms.iter().any(|form| listed(words, form)) {
                self.add(*category, weight * factor, word);
            }
        }
    }

    fn phrases(&mut self, title: &str) {
        let text = title.to_lowercase();
        let text: String = text.chars().map(|c| if ",.;:!?()[]/".contains(c) { ' ' } else { c }).collect();
        let text = format!(" {} ", text.split_whitespace().collect::<Vec<_>>().join(" "));
        for (category, weight, phrases) in PHRASES {
            for phrase in phrases.split('|').map(str::trim) {
                if text.contains(&format!(" {phrase} ")) || text.contains(&format!(" {phrase}s ")) {
                    self.add(*category, *weight, phrase);
                }
            }
        }
    }

    fn clause(&mut self, clause: &Clause, first: bool) {
        let head = clause.head();
        let told = statement(clause);
        let question = told.is_some() && SUBORDINATORS.has(clause.get(head));
        let start = if question { head + 1 } else { head };
        // What the clause is about ends at its verb or at the first preposition.
        let core =
            (start..object(clause, start + 1).end).take_while(|at| question || told.is_none_or(|verb| *at < verb));
        let noun = core.last();
        let vague = VERBS
            .iter()
            .any(|(category, _, words)| !category.auto_approved_by_default() && listed(words, clause.get(head)));
        // "The newsletter is due on Friday" tells of no fault.
        if told.is_some() && !clause.words.iter().any(|word| listed(OCCASIONS, &word.text)) {
            self.add(Category::BugFix, if first { TOLD } else { TOLD / 2 }, "it tells what happens");
        }
        for at in head.min(clause.words.len())..clause.words.len() {
            let word = clause.get(at);
            if at == head && told.is_none() && is_verb_form(word) {
                self.verb(word, first, doubtful(clause, head));
                continue;
            }
            let factor = match (first, noun) {
                (true, Some(noun)) if noun == at => 3,
                (true, Some(noun)) if at < noun => 2,
                // "Link to the start page broken": a statement without its verb.
                (true, _) if told.is_none() && !is_verb_form(clause.get(head)) && at + 1 == clause.words.len() => 2,
                (true, _) if told.is_some() && told.is_some_and(|verb| at > verb && near(clause, verb, at)) => 2,
                _ => 1,
            };
            // "Fix the slow query" is called a fix by who wrote it.
            let fixes = told.is_none() && listed(FIXES, clause.get(head));
            // Said of a page or a setting, or done to its code: neither asks for a new one.
            let asked = told.is_none() && (!is_verb_form(clause.get(head)) || vague || doubtful(clause, head));
            self.word(clause, word, factor, !asked, fixes);
            self.measure(clause, at);
        }
    }

    fn verb(&mut self, word: &str, first: bool, doubtful: bool) {
        let forms = forms(word);
        for (category, weight, words) in VERBS {
            if forms.iter().any(|form| listed(words, form)) {
                self.add(
                    *category,
                    if !first {
                        weight.div_ceil(3)
                    } else if doubtful {
                        weight.div_ceil(2)
                    } else {
                        *weight
                    },
                    word,
                );
            }
        }
    }

    fn word(&mut self, clause: &Clause, word: &str, factor: u32, told: bool, fixes: bool) {
        if ["error", "exception"].iter().any(|end| word.ends_with(end) && word.len() > end.len()) {
            self.add(Category::BugFix, 4 * factor, word);
        }
        if ["500", "502", "503", "404", "403", "401", "400", "405", "422"].contains(&word.trim_end_matches('s')) {
            self.add(Category::BugFix, 4 * factor, word);
        }
        if [".md", ".rst", ".adoc"].iter().any(|end| word.ends_with(end)) {
            self.add(Category::Documentation, 4 * factor, word);
        }
        let rows = WORDS.iter().filter(|(category, ..)| !told || category.auto_approved_by_default());
        let documents = WORDS.iter().any(|(category, weight, words)| {
            *category == Category::Documentation && *weight > 2 && clause.words.iter().any(|w| listed(words, &w.text))
        });
        let docs_page = documents && ["page", "form"].contains(&word);
        for row in rows.filter(|row| !docs_page || row.0 != Category::NewFeature) {
            let factor = if fixes && row.0 == Category::Performance { 1 } else { factor };
            self.look_up(std::slice::from_ref(row), word, factor);
        }
    }

    /// "takes 8 seconds", "200ms", "4 MB": how long or how much is a matter of performance.
    fn measure(&mut self, clause: &Clause, at: usize) {
        let (word, next) = (clause.get(at), clause.get(at + 1));
        let digits = word.trim_end_matches(|c: char| c.is_ascii_lowercase());
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
            return;
        }
        let unit = if digits.len() < word.len() { &word[digits.len()..] } else { next };
        if ["s", "sec", "secs", "second", "seconds", "ms", "min", "minute", "minutes", "mb", "gb", "kb"].contains(&unit)
        {
            let taken = ["takes", "took", "needs", "take"].contains(&clause.before(at, 1));
            self.add(Category::Performance, if taken { 10 } else { 4 }, word);
        }
    }
}

/// "Document sharing", "profile pictures": as likely a thing as an order. "Profile the parser" is an order.
fn doubtful(clause: &Clause, head: usize) -> bool {
    let next = clause.get(head + 1);
    let named = next.contains(['_', '.', '/', ':']);
    let towards = next == "to" && ["switch", "move", "port", "upgrade", "update"].contains(&clause.get(head));
    let after = towards || DETERMINERS.has(next) || SUBORDINATORS.has(next) || ["up", "that"].contains(&next) || named;
    let verb = clause.get(head);
    listed(ALSO_NOUNS, verb)
        && !listed(SELDOM_NOUNS, verb)
        && !after
        && (verb != "document" || next.ends_with("ing") || next.is_empty())
}

/// A later order for something that the owner is asked about: "… and add a map".
pub(super) fn asks(clause: &Clause) -> bool {
    let head = clause.head();
    let verb = clause.get(head);
    if statement(clause).is_some() {
        return false;
    }
    let locked = VERBS
        .iter()
        .any(|(category, weight, words)| !category.auto_approved_by_default() && *weight >= 5 && listed(words, verb));
    // "… so that we can offer it": what for is the point.
    let ability = ["we", "users", "people", "customers", "they", "you", "one"]
        .iter()
        .any(|who| (0..2).any(|at| clause.get(at) == *who && ["can", "could"].contains(&clause.get(at + 1))))
        && clause.words.last().is_some_and(|word| word.text != "again");
    let able = ability || verb == "make" && clause.words.last().is_some_and(|word| word.text.ends_with("able"));
    let object = object(clause, head + 1);
    let harmless =
        object.clone().any(|at| says(clause.get(at))) || object.last().is_some_and(|at| HARMLESS.has(clause.get(at)));
    able || locked && !harmless && verb != "have"
}

fn is_verb_form(word: &str) -> bool {
    forms(word).iter().any(|form| is_verb(form)) && !word.ends_with('s')
}

/// Before any preposition: what the statement says of its subject.
fn near(clause: &Clause, verb: usize, at: usize) -> bool {
    (verb + 1..at).all(|between| !PREPOSITIONS.has(clause.get(between)))
}
