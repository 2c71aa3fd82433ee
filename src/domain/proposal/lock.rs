//! Whether a text asks for something locked, whatever it is labelled.
//!
//! The rules look for orders, not for words: "send it to all customers" is one, "fix the crash when sending mail fails"
//! tells of one. Where they can't tell, they lock: a tap costs the owner a second, a mail to all customers more.
//! They can only add a lock. Left out on purpose: other languages, and what the diff touches; that is looked at on its own.

use super::clause::{Clause, clauses};
use super::words::{
    ADD, CALLS, CHANGE, CODE_NOUNS, COMPOUND, COMPOUND_STRICT, CONFIG, DESCRIBING, DETERMINERS, EVENTS, FAULT,
    FEATURES, FOREIGN, HARMLESS, LIVE, LIVE_VERBS, MAKE_NEW, MOVE_OUT, NEGATIONS, NOUN_CUES, ORDER_CUES, OUTSIDE,
    OUTSIDE_PHRASES, PERFORM, PREPOSITIONS, PROTECTIONS, RECIPIENTS, REMOTE_PROGRAMS, RESOURCES, RUN, SAFE_VERBS,
    SUBORDINATORS, SWITCH, SYSTEMS, TEXT_OR_TEST, TO_PEOPLE, TOLD_OF, TOOLS, Words,
};
use crate::domain::category::Category;

/// What a text asks for, and where.
pub(super) struct Lock {
    pub(super) category: Category,
    pub(super) why: String,
}

/// The first order for something locked in title or details.
pub(super) fn find(title: &str, details: &str) -> Option<Lock> {
    [title, details].into_iter().find_map(|text| {
        let all = clauses(text);
        all.iter().enumerate().find_map(|(at, clause)| {
            let orders = orders(&all, at);
            let what = if outside(clause, &orders) {
                (Category::ExternalAction, "an external action")
            } else if settings(clause, &orders) {
                (Category::ConfigChange, "a change of settings, secrets or rights")
            } else if feature(clause, &orders) {
                (Category::NewFeature, "something new for users")
            } else {
                return None;
            };
            Some(Lock { category: what.0, why: format!("its text asks for {}: “{}”", what.1, clause.quote()) })
        })
    })
}

fn has(list: &Words, word: &str) -> bool {
    list.has(word)
}

fn one_of(list: &[&str], word: &str) -> bool {
    list.contains(&word)
}

/// An order: where its object starts, and the verb in its base form.
struct Order {
    object: usize,
    verb: String,
}

/// The orders of one clause. A clause without a verb of its own takes that of the clause it is joined to: "change the
/// title, the footer and the password".
fn orders(all: &[Clause], at: usize) -> Vec<Order> {
    let clause = &all[at];
    let head = clause.head();
    let mut found: Vec<Order> = (head..clause.words.len())
        .filter_map(|i| ordered(clause, i).map(|verb| Order { object: i + 1, verb }))
        .collect();
    if clause.joined && !known_verb(clause.get(head)) {
        found.extend(inherited(all, at).map(|verb| Order { object: head, verb }));
    }
    found
}

fn inherited(all: &[Clause], at: usize) -> Option<String> {
    // A comma list is short; looking far back would only find another sentence's verb.
    const FAR: usize = 12;
    let mut from = at;
    while from > 0 && at - from < FAR && all[from].joined {
        from -= 1;
        let clause = &all[from];
        let head = clause.head();
        let verb = base_of(clause.get(head));
        if known_verb(&verb) {
            let object = object(clause, head + 1);
            // "Update the docs for login and settings": the settings are the docs' subject.
            let subject = object.end < clause.words.len() && object.clone().any(|i| has(&TEXT_OR_TEST, clause.get(i)));
            return (!subject).then_some(verb);
        }
    }
    None
}

fn known_verb(word: &str) -> bool {
    let base = base_of(word);
    [&SAFE_VERBS, &CHANGE, &MAKE_NEW, &ADD, &PERFORM, &TO_PEOPLE, &SWITCH, &LIVE_VERBS]
        .iter()
        .any(|list| has(list, &base))
        || OUTSIDE.iter().any(|verb| verb.base == base && !verb.noun)
}

/// `changing` → `change`, where that is a verb we know; any other word as it is.
fn base_of(word: &str) -> String {
    let Some(stem) = word.strip_suffix("ing").filter(|stem| stem.len() > 2) else { return word.to_owned() };
    let known =
        |base: &str| [&CHANGE, &MAKE_NEW, &ADD, &SAFE_VERBS, &SWITCH, &PERFORM].iter().any(|list| has(list, base));
    let doubled = &stem[..stem.len() - stem.chars().last().map_or(0, char::len_utf8)];
    [stem.to_owned(), format!("{stem}e"), doubled.to_owned()]
        .into_iter()
        .find(|base| known(base))
        .unwrap_or_else(|| word.to_owned())
}

/// The verb at `i`, if it is an order.
fn ordered(clause: &Clause, i: usize) -> Option<String> {
    let (word, prev) = (clause.get(i), clause.before(i, 1));
    if i == clause.head() {
        // "Changing the password fails" tells; ", changing the password" orders.
        let gerund = word.ends_with("ing") && base_of(word) != word;
        let tells = gerund && !clause.joined && has_fault(clause);
        return (!tells).then(|| base_of(word));
    }
    if told_of(clause, i) {
        return None;
    }
    let by = one_of(&["by", "start", "begin", "including", "include", "consider"], prev) && base_of(word) != word;
    let cued = has(&ORDER_CUES, prev) && known_verb(word);
    let with_object = known_verb(word) && has(&DETERMINERS, clause.get(i + 1)) && !has(&NOUN_CUES, prev);
    (by || cued || with_object).then(|| base_of(word))
}

/// Negated, after "fails to", or in the description that follows a safe verb: "fix the crash when …".
fn told_of(clause: &Clause, i: usize) -> bool {
    let (prev, second) = (clause.before(i, 1), clause.before(i, 2));
    if has(&NEGATIONS, prev) {
        return true;
    }
    let head = clause.head();
    let safe = has(&SAFE_VERBS, clause.get(head));
    if prev == "to" && (has(&TOLD_OF, second) && !has(&NEGATIONS, clause.before(i, 3)) || safe && second == "time") {
        return true;
    }
    safe && (head + 1..i).any(|at| {
        has(&SUBORDINATORS, clause.get(at)) && !one_of(&["so", "sure", "ensure", "such"], clause.before(at, 1))
    })
}

fn has_fault(clause: &Clause) -> bool {
    clause.words.iter().any(|word| has(&FAULT, &word.text))
}

/// The words from `start` to the next preposition: what a verb acts on.
fn object(clause: &Clause, start: usize) -> std::ops::Range<usize> {
    let start = start.min(clause.words.len());
    let end = (start..clause.words.len()).find(|i| has(&PREPOSITIONS, clause.get(*i))).unwrap_or(clause.words.len());
    start..end
}

// ---- external actions

fn outside(clause: &Clause, orders: &[Order]) -> bool {
    (0..clause.words.len()).any(|i| acts_outside(clause, i))
        || orders.iter().any(|order| order_outside(clause, order))
        || phrase_outside(clause)
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
    if has(&RESOURCES, object(clause, i + 1).last().map_or("", |at| clause.get(at))) && !reaches {
        return false;
    }
    if i == head {
        let statement = noun && (has(&FAULT, next) || next.is_empty() && clause.joined);
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
fn people_next(clause: &Clause, i: usize) -> bool {
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
        || one_of(&["make", "set", "turn"], verb) && last == "public"
}

/// "… to Stripe": a system that is somebody else's, or a live one.
fn goes_to_system(clause: &Clause, start: usize) -> bool {
    !has_fault(clause)
        && (start..clause.words.len())
            .any(|i| one_of(&["to", "into", "with", "on"], clause.get(i)) && has(&SYSTEMS, clause.get(i + 1)))
}

fn phrase_outside(clause: &Clause) -> bool {
    if has(&DESCRIBING, clause.get(clause.head())) {
        return false;
    }
    let text = clause.words.iter().fold(String::from(" "), |text, word| text + &word.text + " ");
    OUTSIDE_PHRASES.iter().any(|phrase| text.contains(phrase))
}

// ---- settings, secrets, rights

fn settings(clause: &Clause, orders: &[Order]) -> bool {
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

// ---- new features

fn feature(clause: &Clause, orders: &[Order]) -> bool {
    let head = clause.head();
    if clause.get(0) == "new" || clause.get(head) == "new" {
        let object = object(clause, head);
        if object.last().is_some_and(|last| has(&FEATURES, clause.get(last))) && !has_fault(clause) {
            return true;
        }
    }
    orders.iter().any(|order| makes_new(clause, order))
}

fn makes_new(clause: &Clause, order: &Order) -> bool {
    let verb = order.verb.as_str();
    let object = object(clause, order.object);
    if one_of(&["let", "allow"], verb) {
        return people_next(clause, order.object.saturating_sub(1));
    }
    let Some(last) = object.clone().last().map(|i| clause.get(i)) else { return false };
    if has(&HARMLESS, last) || object.clone().any(|i| has(&TEXT_OR_TEST, clause.get(i))) {
        return false;
    }
    if has(&MAKE_NEW, verb) {
        // "Design review": a noun that looks like an order.
        return !has(&COMPOUND, last) || has(&FEATURES, last);
    }
    if !has(&ADD, verb) {
        return false;
    }
    // "Make the dashboard faster" has no feature as its last word, "add a dashboard" has.
    has(&FEATURES, last) && !in_docs(clause, &object)
        || one_of(&["add", "create", "make"], verb) && object.clone().any(|i| clause.get(i) == "new")
}

fn in_docs(clause: &Clause, object: &std::ops::Range<usize>) -> bool {
    (object.end..clause.words.len().min(object.end + 4)).any(|i| has(&TEXT_OR_TEST, clause.get(i)))
}
