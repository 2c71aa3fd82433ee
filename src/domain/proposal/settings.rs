//! Orders that change settings, secrets or rights.
//!
//! Left out on purpose: which files hold them; that is the look at the diff.

use super::clause::Clause;
use super::lock::{Order, has, object, one_of};
use super::words::{
    CHANGE, CODE_NOUNS, CONFIG, DESCRIBING, FAULT, HARMLESS, PREPOSITIONS, PROTECTIONS, SWITCH, TEXT_OR_TEST,
};

pub(super) fn settings(clause: &Clause, orders: &[Order]) -> bool {
    orders.iter().any(|order| {
        let verb = order.verb.as_str();
        if has(&DESCRIBING, verb) {
            return false;
        }
        let object = object(clause, order.object);
        if object.clone().any(|i| has(&TEXT_OR_TEST, clause.get(i))) {
            return false;
        }
        let changes = has(&CHANGE, verb) || has(&SWITCH, verb);
        let in_object = object.clone().any(|i| {
            let word = clause.get(i);
            let bare = final_noun(clause, i);
            has(&CONFIG, word) && (bare || changes && !code_follows(clause, i))
                || has(&PROTECTIONS, word) && has(&SWITCH, verb) && !code_follows(clause, i)
        });
        in_object && (changes || acts_on_it_whole(clause, &object, verb))
            || changes && (in_place(clause, &object) || clause.words.iter().any(|w| w.text == "whocan"))
            || verb == "make" && made_so(clause, &object)
    })
}

/// Nothing but the end or a preposition after it: the setting itself, not some code named after it.
fn final_noun(clause: &Clause, i: usize) -> bool {
    let mut next = clause.get(i + 1);
    if one_of(&["list", "lists", "file", "files", "store", "group", "vault", "table"], next) && !has(&CODE_NOUNS, next)
    {
        next = clause.get(i + 2);
    }
    next.is_empty() || has(&PREPOSITIONS, next)
}

/// "Make the permissions stricter"; not "make config loading faster".
fn made_so(clause: &Clause, object: &std::ops::Range<usize>) -> bool {
    let mut from_end = object.clone().rev().map(|i| clause.get(i));
    let last = from_end.next().unwrap_or_default();
    if has(&CONFIG, last) {
        return true;
    }
    !one_of(&["faster", "quicker", "smaller", "cheaper"], last)
        && from_end.next().is_some_and(|noun| has(&CONFIG, noun))
}

fn code_follows(clause: &Clause, i: usize) -> bool {
    (i + 1..i + 3).any(|at| has(&CODE_NOUNS, clause.get(at)))
}

/// "Fix the permissions", "clean up the config", "make the permissions stricter"; not "fix the settings page".
fn acts_on_it_whole(clause: &Clause, object: &std::ops::Range<usize>, verb: &str) -> bool {
    if one_of(
        &[
            "test",
            "review",
            "audit",
            "list",
            "check",
            "verify",
            "handle",
            "measure",
            "profile",
            "benchmark",
            "catch",
            "cache",
            "refactor",
            "simplify",
            "speed",
            "log",
            "trace",
            "load",
            "parse",
            "batch",
        ],
        verb,
    ) {
        return false;
    }
    object.clone().last().is_some_and(|last| has(&CONFIG, clause.get(last)))
        && object.clone().all(|i| !has(&FAULT, clause.get(i)))
}

/// "Add Bob to the access list", "move the key into .env".
fn in_place(clause: &Clause, object: &std::ops::Range<usize>) -> bool {
    let harmless = object.clone().last().is_some_and(|last| has(&HARMLESS, clause.get(last)));
    !harmless
        && (object.end..clause.words.len()).any(|i| {
            has(&CONFIG, clause.get(i))
                && final_noun(clause, i)
                && (object.end..i).rev().take(3).any(|at| one_of(&["to", "into", "in", "from", "on"], clause.get(at)))
        })
}
