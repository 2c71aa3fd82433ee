//! Orders that reach other people or systems.
//!
//! Left out on purpose: whether the system is really reached; the sandbox and the ship step hold that.

use super::clause::Clause;
use super::lock::{Order, has, has_fault, object, one_of, told_of};
use super::words::{
    CALLS, CODE_NOUNS, COMPOUND, COMPOUND_STRICT, DESCRIBING, DETERMINERS, EVENTS, FAULT, FINITE, FOREIGN, LIVE,
    LIVE_VERBS, MOVE_OUT, NOUN_CUES, ORDER_CUES, OUTSIDE, OUTSIDE_PHRASES, PERFORM, RECIPIENTS, REMOTE_PROGRAMS,
    RESOURCES, RUN, SAFE_VERBS, STORES, SYSTEMS, TO_PEOPLE, TOOLS, TRAFFIC, Words,
};
use super::world::{phrase, world};

pub(super) fn outside(clause: &Clause, orders: &[Order]) -> bool {
    (0..clause.words.len()).any(|i| acts_outside(clause, i))
        || orders.iter().any(|order| order_outside(clause, order))
        || phrase_outside(clause)
        || world(clause, orders)
}

fn acts_outside(clause: &Clause, i: usize) -> bool {
    let word = clause.get(i);
    for verb in OUTSIDE {
        if word == verb.base {
            return base_outside(clause, i, verb.noun);
        }
        if word == verb.gerund {
            return gerund_outside(clause, i);
        }
        if word == verb.participle {
            return participle_outside(clause, i);
        }
        if word == verb.third {
            let safe = has(&SAFE_VERBS, clause.get(clause.head()));
            return !safe && !told_of(clause, i) && (people_next(clause, i) || !verb.noun && goes_to(clause, i));
        }
    }
    false
}

fn base_outside(clause: &Clause, i: usize, noun: bool) -> bool {
    let (prev, next) = (clause.before(i, 1), clause.get(i + 1));
    let head = clause.head();
    let reaches = people_next(clause, i) || goes_to(clause, i);
    // "Refund order 12": what has a number is an object.
    let numbered = clause.get(i + 2).starts_with(|c: char| c.is_ascii_digit() || c == '#');
    let compound = !numbered && has(if noun || i != head { &COMPOUND } else { &COMPOUND_STRICT }, next)
        || (i != head && has(&EVENTS, next) && has(&COMPOUND, clause.get(i + 2)));
    // "Send fewer queries", "send the header": between parts of a program.
    let inner =
        one_of(&["send", "push", "release", "post"], clause.get(i)) && !clause.words.iter().any(|w| w.text == "to");
    if inner && has(&TRAFFIC, object(clause, i + 1).last().map_or("", |at| clause.get(at))) && !reaches {
        return false;
    }
    if has(&RESOURCES, object(clause, i + 1).last().map_or("", |at| clause.get(at))) && !reaches {
        return false;
    }
    if i == head {
        // "Tweet embed breaks the layout": the subject of a statement.
        let tells = (i + 2..clause.words.len().min(i + 4)).any(|at| has(&FINITE, clause.get(at)));
        let statement = noun && (has(&FAULT, next) || next == "of") || tells && !has(&DETERMINERS, next);
        return reaches || !compound && !statement;
    }
    if told_of(clause, i) || compound && !(reaches && has(&ORDER_CUES, prev)) {
        return false;
    }
    let described = has(&DESCRIBING, clause.get(head));
    if has(&TOOLS, prev) {
        return !described && !has(&FAULT, next);
    }
    if has(&NOUN_CUES, prev) {
        return false;
    }
    if !noun {
        return true;
    }
    let after_safe = i == head + 1 && has(&SAFE_VERBS, prev);
    has(&ORDER_CUES, prev)
        || has(&DETERMINERS, next)
        || !after_safe && (one_of(&["to", "onto", "into"], next) || people_next(clause, i))
}

fn gerund_outside(clause: &Clause, i: usize) -> bool {
    let (prev, next) = (clause.before(i, 1), clause.get(i + 1));
    let reaches = has(&DETERMINERS, next) || people_next(clause, i) || goes_to(clause, i);
    if !reaches || told_of(clause, i) {
        return false;
    }
    if i == clause.head() {
        return !has_fault(clause);
    }
    let caused = one_of(&["caused", "triggered", "produced", "reproduced"], clause.before(i, 2));
    one_of(&["by", "start", "begin", "including", "include", "consider", "do", "keep"], prev) && !caused
}

/// "must be sent", "get it published".
fn participle_outside(clause: &Clause, i: usize) -> bool {
    const WANTED: &[&str] =
        &["must", "should", "shall", "need", "needs", "has", "have", "to", "will", "want", "sure", "get", "ensure"];
    let wanted = (0..i).any(|at| one_of(WANTED, clause.get(at)));
    let passive = one_of(&["be", "get", "gets", "it", "them", "this", "being"], clause.before(i, 1));
    wanted && passive && !told_of(clause, i)
}

/// People, or a place, right after a verb: "email all our customers".
pub(super) fn people_next(clause: &Clause, i: usize) -> bool {
    let mut at = i + 1;
    while at < i + 4 && has(&DETERMINERS, clause.get(at)) && !has(&RECIPIENTS, clause.get(at)) {
        at += 1;
    }
    // "email users table": people that belong to a thing.
    has(&RECIPIENTS, clause.get(at)) && !has(&COMPOUND, clause.get(at + 1))
        || clause.get(at).contains('@')
        || at == i + 1 && clause.words.get(at).is_some_and(|word| word.name) && clause.get(at + 1).is_empty()
}

/// "… to all customers", "… to Bob", "… on Slack", an address anywhere after the verb.
fn goes_to(clause: &Clause, i: usize) -> bool {
    // A recipient stands near its verb; a bound keeps a hostile text linear.
    const NEAR: usize = 30;
    (i + 1..clause.words.len().min(i + NEAR)).any(|at| {
        let word = clause.get(at);
        if word.contains('@') && word.len() > 1 {
            return true;
        }
        one_of(&["to", "with", "on", "onto", "into"], word)
            && (clause.words.get(at + 1).is_some_and(|next| next.name && one_of(&["to", "with"], word))
                || clause.get(at + 1).strip_prefix('#').is_some_and(|name| name.starts_with(char::is_alphabetic))
                || people_next(clause, at))
    })
}

fn order_outside(clause: &Clause, order: &Order) -> bool {
    let verb = order.verb.as_str();
    let at = order.object.saturating_sub(1);
    let object = object(clause, order.object);
    let last = object.clone().last().map_or("", |i| clause.get(i));
    let within = |list: &Words| object.clone().any(|i| has(list, clause.get(i)));
    if has(&REMOTE_PROGRAMS, verb) && !has(&COMPOUND, clause.get(order.object)) && !has_fault(clause) {
        return true;
    }
    if has(&TO_PEOPLE, verb)
        && (people_next(clause, at)
            || one_of(&["write", "reply", "respond", "message", "text"], verb) && goes_to(clause, at))
    {
        return true;
    }
    if has(&CALLS, verb) && within(&FOREIGN) {
        return true;
    }
    if has(&PERFORM, verb) && has(&EVENTS, last) || has(&RUN, verb) && within(&EVENTS) {
        return true;
    }
    has(&LIVE_VERBS, verb)
        && clause
            .words
            .iter()
            .enumerate()
            .skip(order.object)
            .any(|(i, word)| has(&LIVE, &word.text) && !has(&CODE_NOUNS, clause.get(i + 1)))
        || has(&MOVE_OUT, verb) && goes_to_system(clause, order.object)
        || one_of(&["make", "set", "turn"], verb) && last == "public" && !within(&STORES)
}

/// One for an article after the word at `i`: "on the app-store".
fn skip(clause: &Clause, i: usize) -> usize {
    usize::from(one_of(&["the", "our", "my"], clause.get(i + 1)))
}

/// "… to Stripe": a system that is somebody else's, or a live one.
fn goes_to_system(clause: &Clause, start: usize) -> bool {
    !has_fault(clause)
        && (start..clause.words.len()).any(|i| {
            one_of(&["to", "into", "with", "on"], clause.get(i)) && has(&SYSTEMS, clause.get(i + 1 + skip(clause, i)))
        })
}

fn phrase_outside(clause: &Clause) -> bool {
    if has(&DESCRIBING, clause.get(clause.head())) {
        return false;
    }
    let text = clause.words.iter().fold(String::from(" "), |text, word| text + &word.text + " ");
    OUTSIDE_PHRASES.iter().any(|phrase| text.contains(phrase)) || !has_fault(clause) && phrase(&text)
}
