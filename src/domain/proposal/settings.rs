//! Orders that change settings, secrets or rights.
//!
//! Left out on purpose: which files hold them; that is the look at the diff.

use super::clause::Clause;
use super::lock::{Order, has, object, one_of};
use super::words::{
    CHANGE, CODE_NOUNS, CONFIG, DESCRIBING, FAULT, FEATURES, HARMLESS, LIMITS, PLACES, PREPOSITIONS, PROTECTIONS, SERVERS, SWITCH, TEXT_OR_TEST,
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
            || gives_value(clause, verb, &object)
            || changes && in_file(clause, &object)
            || changes && object.clone().any(|i| clause.words[i].variable && !code_follows(clause, i))
            || switches(clause, order, &object)
            || verb == "point" && one_of(&["at", "to"], clause.get(object.end))
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
    if has(&CONFIG, last) || one_of(&["public", "private", "writable", "readable", "executable", "accessible"], last) {
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

/// "Raise the timeout to 60s", "set DEBUG = True". A version is no value: "bump serde to 1.0.193".
fn gives_value(clause: &Clause, verb: &str, object: &std::ops::Range<usize>) -> bool {
    let free = one_of(&["set", "raise", "lower", "increase", "decrease", "reset", "extend", "shorten"], verb);
    if !free && !one_of(&["bump", "change", "switch", "adjust", "move", "update"], verb) {
        return false;
    }
    let limit = object.clone().any(|i| has(&LIMITS, clause.get(i)));
    (object.end..clause.words.len()).any(|i| {
        let value = clause.get(i + 1);
        let number = value.starts_with(|c: char| c.is_ascii_digit());
        let unit = number && value.ends_with(|c: char| c.is_ascii_alphabetic());
        let switch = one_of(&["true", "false", "on", "off", "yes", "no", "none", "null", "zero"], value);
        one_of(&["to", "from", "at"], clause.get(i)) && (number && (free || limit) || unit || switch)
    })
}

/// "… in nginx.conf".
fn in_file(clause: &Clause, object: &std::ops::Range<usize>) -> bool {
    (object.start..clause.words.len()).any(|i| {
        let word = clause.get(i);
        [".conf", ".cnf", ".cfg", ".ini", ".env", ".properties"].iter().any(|end| word.ends_with(end))
            || has(&SERVERS, word) && one_of(&["in", "to", "from", "on"], clause.before(i, 1))
    })
}

/// "Turn off …", "enable … on the server".
fn switches(clause: &Clause, order: &Order, object: &std::ops::Range<usize>) -> bool {
    let verb = order.verb.as_str();
    let last = object.clone().last().map_or("", |i| clause.get(i));
    let turned = one_of(&["turn", "switch", "flip", "toggle"], verb)
        && (order.object..clause.words.len()).any(|i| one_of(&["off", "on"], clause.get(i)));
    if !turned && !one_of(&["enable", "disable", "activate", "deactivate"], verb) {
        return false;
    }
    let there = (order.object..clause.words.len()).any(|i| has(&PLACES, clause.get(i)));
    there || !has(&HARMLESS, last) && !has(&CODE_NOUNS, last) && (turned || !has(&FEATURES, last))
}
