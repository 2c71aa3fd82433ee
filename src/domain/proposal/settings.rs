//! Orders that change settings, secrets or rights.
//!
//! Left out on purpose: which files hold them; that is the look at the diff.

use super::clause::Clause;
use super::lock::{Order, has, has_fault, object, one_of};
use super::words::{
    CHANGE, CODE_NOUNS, CONFIG, DESCRIBING, FAULT, FEATURES, HARMLESS, LIMITS, LIVE, PLACES, PREPOSITIONS, PROTECTIONS,
    SERVERS, SWITCH, TEXT_OR_TEST,
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
            || limits(clause, verb, &object)
            || moves_on(clause, order)
            || verb == "point" && one_of(&["at", "to"], clause.get(object.end))
    })
}

/// Nothing but the end or a preposition after it: the setting itself, not some code named after it.
fn final_noun(clause: &Clause, i: usize) -> bool {
    let mut next = clause.get(i + 1);
    if one_of(
        &[
            "list", "lists", "file", "files", "store", "group", "vault", "table", "entry", "entries", "record",
            "records", "zone",
        ],
        next,
    ) && !has(&CODE_NOUNS, next)
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
    let entry = |i: usize| has(&CONFIG, clause.get(i)) && final_noun(clause, i);
    object.clone().any(entry) && object.clone().all(|i| !has(&FAULT, clause.get(i)))
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

/// "Raise the upload limit", "more workers in prod", "work_mem to 64MB".
fn limits(clause: &Clause, verb: &str, object: &std::ops::Range<usize>) -> bool {
    if clause.words.iter().any(|word| has(&TEXT_OR_TEST, &word.text)) || has_fault(clause) {
        return false;
    }
    let last = object.clone().last().map_or("", |i| clause.get(i));
    let turned = one_of(
        &["raise", "lower", "increase", "decrease", "bump", "loosen", "tighten", "relax", "double", "halve"],
        verb,
    );
    let value = |i: usize| clause.get(i).starts_with(|c: char| c.is_ascii_digit());
    let given =
        (0..clause.words.len()).any(|i| clause.get(i).contains('_') && clause.get(i + 1) == "to" && value(i + 2));
    let there = (1..clause.words.len()).any(|i| {
        has(&LIMITS, clause.get(i)) && one_of(&["in", "on"], clause.get(i + 1)) && has(&LIVE, clause.get(i + 2))
    });
    let port = (0..clause.words.len()).any(|i| clause.get(i) == "port" && value(i + 1))
        && one_of(&["use", "switch", "set", "change", "open", "listen", "bind", "move", "expose"], verb);
    turned && (has(&LIMITS, last) || last.contains('_')) || given || there || port
}

/// "Migrate to the new mail account".
fn moves_on(clause: &Clause, order: &Order) -> bool {
    one_of(&["migrate", "move", "switch"], &order.verb)
        && clause.get(order.object) == "to"
        && clause.words.last().is_some_and(|word| {
            one_of(
                &["account", "provider", "host", "server", "hosting", "registrar", "key", "domain", "plan"],
                &word.text,
            )
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
