//! Whether a text asks for something locked, whatever it is labelled.
//!
//! The rules look for orders, not for words: "send it to all customers" is one, "fix the crash when sending mail fails"
//! tells of one. Where they can't tell, they lock: a tap costs the owner a second, a mail to all customers more.
//! They can only add a lock. Left out on purpose: other languages, and what the diff touches; that is looked at on its own.

use super::clause::{Clause, Word, clauses};
use super::evidence::{is_verb, says};
use super::outside::{outside, people_next};
use super::settings::settings;
use super::words::{
    ADD, CHANGE, CODE_NOUNS, COMPOUND, DETERMINERS, FAULT, FEATURES, HARMLESS, LIVE_VERBS, MAKE_NEW, NAMED_IN_CODE,
    NEGATIONS, NOUN_CUES, ORDER_CUES, OUTSIDE, PERFORM, PREPOSITIONS, SAFE_VERBS, SUBORDINATORS, SWITCH, TEXT_OR_TEST,
    TO_PEOPLE, TOLD_OF, Words,
};
use super::world::{DESTROY, ERRANDS, OPERATE, REMOVE, unknown_order};
use crate::domain::category::Category;

/// What a text asks for, and where.
pub(super) struct Lock {
    pub(super) category: Category,
    pub(super) why: String,
}

/// The first order for something locked in title or details; one that leaves the repository before one that stays.
pub(super) fn find(title: &str, details: &str) -> Option<Lock> {
    let mut new = None;
    for text in [title, details] {
        let mut all = clauses(text);
        let passives: Vec<Clause> = all.iter().filter_map(passive).collect();
        all.extend(passives);
        for (at, clause) in all.iter().enumerate() {
            let orders = orders(&all, at);
            let what = if outside(clause, &orders) {
                (Category::ExternalAction, "an external action")
            } else if settings(clause, &orders) && !builds(clause, &orders) {
                (Category::ConfigChange, "a change of settings, secrets or rights")
            } else if new.is_none() && feature(clause, &orders) && !goes_into_docs(&all, at) {
                (Category::NewFeature, "something new for users")
            } else {
                continue;
            };
            let lock =
                Lock { category: what.0, why: format!("its text asks for {}: “{}”", what.1, clause.quote()) };
            if lock.category != Category::NewFeature {
                return Some(lock);
            }
            new = Some(lock);
        }
    }
    new
}

/// "The password should be reset too" as "reset the password".
fn passive(clause: &Clause) -> Option<Clause> {
    const WANTED: &[&str] = &["should", "must", "shall", "to", "could", "can", "will"];
    let be = (1..clause.words.len()).find(|at| {
        one_of(&["be", "get"], clause.get(*at)) && one_of(WANTED, clause.before(*at, 1)) && !told_of(clause, *at)
    })?;
    let done = clause.words.get(be + 1)?;
    let verb = ["", "d", "ed"].iter().filter_map(|end| done.text.strip_suffix(end)).find(|verb| known_verb(verb))?;
    let first = clause.get(clause.head());
    if has(&SUBORDINATORS, first) && first != "that" || has(&SAFE_VERBS, verb) {
        return None;
    }
    let subject =
        clause.words[..be - 1].iter().filter(|word| !one_of(&["has", "have", "needs", "need", "that"], &word.text));
    let mut words = vec![Word { text: verb.to_owned(), name: false, variable: false, code: false }];
    words.extend(subject.cloned());
    Some(Clause { words, joined: false })
}

/// An order by its shape, by a verb that none of the lists has.
pub(super) fn unknown(clause: &Clause, later: bool) -> bool {
    unknown_order(clause, later, |verb| known_verb(verb) || is_verb(verb) || says(verb))
}

/// Whether a clause begins with a verb in the form of an order.
pub(super) fn is_imperative(clause: &Clause) -> bool {
    let verb = clause.get(clause.head());
    let bare = [&SAFE_VERBS, &CHANGE, &MAKE_NEW, &ADD, &PERFORM, &LIVE_VERBS, &DESTROY, &REMOVE, &ERRANDS, &OPERATE]
        .iter()
        .any(|list| has(list, verb));
    (bare || is_verb(verb)) && clause.words.len() > clause.head() + 1
}

/// "The client needs the report", "customers should hear about it": somebody outside waits for something.
pub(super) fn somebody_waits(clause: &Clause) -> bool {
    const WHO: &[&str] = &[
        "client",
        "clients",
        "customer",
        "customers",
        "boss",
        "ceo",
        "partner",
        "partners",
        "investors",
        "press",
        "sales",
        "marketing",
        "legal",
        "management",
        "team",
        "everyone",
        "everybody",
    ];
    const WAITS: &[&str] = &["needs", "need", "wants", "want", "awaits", "expects"];
    const TOLD: &[&str] = &["hear", "know", "get", "receive", "learn"];
    (0..clause.words.len()).any(|i| {
        let next = clause.get(i + 1);
        one_of(WHO, clause.get(i))
            && (one_of(WAITS, next) || one_of(&["should", "must"], next) && one_of(TOLD, clause.get(i + 2)))
    })
}

pub(super) fn has(list: &Words, word: &str) -> bool {
    list.has(word)
}

pub(super) fn one_of(list: &[&str], word: &str) -> bool {
    list.contains(&word)
}

/// An order: where its object starts, and the verb in its base form.
pub(super) struct Order {
    pub(super) object: usize,
    pub(super) verb: String,
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
    [&SAFE_VERBS, &CHANGE, &MAKE_NEW, &ADD, &PERFORM, &TO_PEOPLE, &SWITCH, &LIVE_VERBS, &DESTROY, &REMOVE]
        .iter()
        .any(|list| has(list, &base))
        || OUTSIDE.iter().any(|verb| verb.base == base && !verb.noun)
}

/// `changing` → `change`, where that is a verb we know; any other word as it is.
pub(super) fn base_of(word: &str) -> String {
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
    let lets = one_of(&["let", "allow"], word) && people_next(clause, i);
    (by || cued || with_object || lets).then(|| base_of(word))
}

/// Negated, after "fails to", or in the description that follows a safe verb: "fix the crash when …".
pub(super) fn told_of(clause: &Clause, i: usize) -> bool {
    let (prev, second) = (clause.before(i, 1), clause.before(i, 2));
    if has(&NEGATIONS, prev) {
        return true;
    }
    let head = clause.head();
    let safe = has(&SAFE_VERBS, clause.get(head));
    if prev == "to" && (has(&TOLD_OF, second) && !has(&NEGATIONS, clause.before(i, 3)) || safe && second == "time") {
        return true;
    }
    safe && (head + 1..i)
        .any(|at| subordinate(clause, at) && !one_of(&["so", "sure", "ensure", "such"], clause.before(at, 1)))
}

/// Where a part begins that only tells; "while you are at it" begins nothing.
pub(super) fn subordinate(clause: &Clause, at: usize) -> bool {
    let meanwhile =
        clause.get(at) == "while" && one_of(&["you", "we", "at", "i", "you're", "we're"], clause.get(at + 1));
    has(&SUBORDINATORS, clause.get(at)) && !meanwhile
}

pub(super) fn has_fault(clause: &Clause) -> bool {
    clause.words.iter().any(|word| has(&FAULT, &word.text))
}

/// The words from `start` to the next preposition: what a verb acts on.
pub(super) fn object(clause: &Clause, start: usize) -> std::ops::Range<usize> {
    let start = start.min(clause.words.len());
    let end = (start..clause.words.len()).find(|i| has(&PREPOSITIONS, clause.get(*i))).unwrap_or(clause.words.len());
    start..end
}

fn feature(clause: &Clause, orders: &[Order]) -> bool {
    let head = clause.head();
    if clause.get(0) == "new" || clause.get(head) == "new" {
        let object = object(clause, head);
        if object.last().is_some_and(|last| has(&FEATURES, clause.get(last))) && !has_fault(clause) {
            return true;
        }
    }
    orders.iter().any(|order| makes_new(clause, order) || renames(clause, order) || while_used(clause, order))
}

/// "Rename the Pro plan to Plus": not something in code, so it is what people see.
fn renames(clause: &Clause, order: &Order) -> bool {
    let object = object(clause, order.object);
    let code = |i: usize| {
        let word = clause.get(i);
        clause.words[i].code || has(&CODE_NOUNS, word) || has(&HARMLESS, word) || has(&NAMED_IN_CODE, word)
    };
    one_of(&["rename", "relabel", "retitle", "rebrand"], &order.verb) && !object.is_empty() && !object.clone().any(code)
}

/// "Validate the iban while typing": something new happens while people use it.
fn while_used(clause: &Clause, order: &Order) -> bool {
    const AT: &[(&str, &str)] = &[("on", "blur focus hover type keypress input paste"), ("while", "typing editing")];
    const WHO: &[&str] = &["you", "they", "users", "people", "user"];
    let said = order.object..clause.words.len();
    let moment = said.clone().any(|i| {
        let next = clause.get(i + 1);
        AT.iter().any(|(cue, words)| clause.get(i) == *cue && words.split(' ').any(|word| word == next))
            || one_of(&["as", "while"], clause.get(i)) && (1..=2).any(|step| one_of(WHO, clause.get(i + step)))
    });
    one_of(
        &["validate", "check", "verify", "warn", "suggest", "complete", "format", "mask", "save", "enforce"],
        &order.verb,
    ) && moment
        && !has_fault(clause)
}

/// "Add a section about payments and refunds to the handbook": the rest of the clause came behind the "and".
fn goes_into_docs(all: &[Clause], at: usize) -> bool {
    all.get(at + 1).is_some_and(|next| {
        let rest = next.joined && !known_verb(next.get(next.head()));
        let place =
            |i| one_of(&["to", "in", "into"], next.before(i, 1)) || one_of(&["to", "in", "into"], next.before(i, 2));
        rest && (0..next.words.len()).any(|i| has(&TEXT_OR_TEST, next.get(i)) && place(i))
    })
}

/// "Build an admin page": the page is what is new, whatever it is for.
fn builds(clause: &Clause, orders: &[Order]) -> bool {
    orders.iter().any(|order| {
        one_of(&["build", "implement", "introduce", "add", "create", "design"], &order.verb)
            && object(clause, order.object).last().is_some_and(|last| has(&FEATURES, clause.get(last)))
            && makes_new(clause, order)
    })
}

fn makes_new(clause: &Clause, order: &Order) -> bool {
    let verb = order.verb.as_str();
    let object = object(clause, order.object);
    if one_of(&["let", "allow"], verb) {
        return people_next(clause, order.object.saturating_sub(1));
    }
    let Some(last) = object.clone().last().map(|i| clause.get(i)) else { return false };
    // "Build it": what is built stands elsewhere.
    if one_of(&["it", "this", "them"], last)
        || has(&HARMLESS, last)
        || object.clone().any(|i| has(&TEXT_OR_TEST, clause.get(i)))
    {
        return false;
    }
    if has(&MAKE_NEW, verb) {
        // "Design review": a noun that looks like an order.
        return !has(&COMPOUND, last) || has(&FEATURES, last);
    }
    // "Replace the deprecated mail API": the old code, not what users see.
    let old = ["deprecated", "legacy", "unused", "obsolete", "dead", "duplicate", "duplicated", "redundant"];
    if !has(&ADD, verb) || object.clone().any(|i| one_of(&old, clause.get(i))) {
        return false;
    }
    // "Make the dashboard faster" has no feature as its last word, "add a dashboard" has.
    has(&FEATURES, last) && !in_docs(clause, &object)
        || one_of(&["add", "create", "make"], verb) && object.clone().any(|i| clause.get(i) == "new")
}

fn in_docs(clause: &Clause, object: &std::ops::Range<usize>) -> bool {
    let near = (object.end..clause.words.len().min(object.end + 4)).any(|i| has(&TEXT_OR_TEST, clause.get(i)));
    // "Add a section on proxies to the installation guide": where it goes stands at the end.
    let last = clause.words.len().saturating_sub(1);
    let goes_there = (1..=3).any(|back| one_of(&["to", "in", "into"], clause.before(last, back)));
    near || last >= object.end && goes_there && has(&TEXT_OR_TEST, clause.get(last))
}
