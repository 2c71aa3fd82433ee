//! Orders with consequences that their verb alone doesn't tell: data deleted, money spent, branches merged, a live system
//! tried, people told in a roundabout way; and orders nobody here knows.
//!
//! Left out on purpose: whether the thing named exists.

use super::clause::Clause;
use super::lock::{Order, has, has_fault, object, one_of};
use super::words::{COMPOUND, DETERMINERS, LIVE, PREPOSITIONS, SUBORDINATORS, SYSTEMS, Words};

/// Ends what is stored.
static DESTROY: Words = Words::new("delete drop wipe erase purge truncate destroy nuke shred empty");
/// Ends it too, but said of code as often.
static REMOVE: Words = Words::new("remove clear clean flush kill expire prune archive");
/// What is stored for people.
static DATA: Words = Words::new(
    "database databases db dbs table tables schema account accounts user users customer customers client clients data \
     records record rows row bucket buckets volume volumes backup backups snapshot snapshots repo repos repository \
     repositories branch branches mailbox mails emails tickets orders invoices everything server servers vm vms disk \
     partition cluster namespace instance instances profile profiles contacts subscribers photos uploads domain",
);
/// What is thrown away all the time.
static THROWAWAY: Words = Words::new(
    "temp temporary tmp log logs cache cached caches fixture fixtures mock mocks fake dummy dead scratch sample unused \
     in-memory build artifacts",
);

static MONEY: Words = Words::new(
    "money funds amount payment payments salary salaries fee fees dollar dollars euro euros usd eur deposit cash \
     invoice invoices bill bills",
);
static GOODS: Words = Words::new(
    "licence licences license licenses server servers domain domains hardware laptop laptops stickers sticker shirts \
     certificate certificates subscription subscriptions seats seat flight flights room rooms hotel venue appointment \
     cake pizza lunch parts replacement plan membership ticket tickets credits storage",
);
static CONTRACTS: Words = Words::new(
    "subscription subscriptions contract contracts plan plans membership memberships order orders meeting meetings \
     account accounts licence licences license licenses domain domains hosting trial appointment server servers nda \
     agreement lease booking bookings",
);

/// Where merged work counts.
static BRANCHES: Words =
    Words::new("main master trunk production prod live release staging upstream origin stable develop default");
static TRACKER: Words = Words::new(
    "issue issues ticket tickets pr prs mr mrs pullrequest pullrequests discussion discussions thread threads review \
     reviews bugreport milestone milestones",
);

/// Tries something, on whatever it is pointed at.
static TRY: Words = Words::new(
    "test run try execute check verify replay rerun use point query hit seed import load process migrate call retry \
     reproduce debug start restart experiment compare measure benchmark profile stress loadtest trigger sync",
);
static REAL: Words = Words::new(
    "card cards customer customers account accounts money payment payments user users phone number numbers email \
     emails inbox address addresses shop store thing server order orders",
);

/// Orders of several words, wherever they stand in a clause.
const PHRASES: &[&str] = &[
    " force push ",
    " force-push ",
    " terraform apply ",
    " terraform destroy ",
    " kubectl apply ",
    " kubectl delete ",
    " helm upgrade ",
    " helm install ",
    " docker push ",
    " git push ",
    " npm publish ",
    " cargo publish ",
    " gh release ",
    " make deploy ",
    " make release ",
    " ssh into ",
    " push it live ",
    " make it live ",
    " put it live ",
    " bring it live ",
    " take it live ",
    " set it live ",
    " goes out ",
    " go out ",
    " get the word out ",
    " hit publish ",
    " hit send ",
    " press send ",
    " heads up ",
    " heads-up ",
    " keep them posted ",
    " follow up with ",
    " get back to ",
    " check in with ",
    " talk to ",
    " speak to ",
    " speak with ",
    " sign up for ",
    " roll back production ",
    " roll back prod ",
    " hand it over ",
    " cut over ",
    " flip the switch ",
];

/// "Give Bob a call", "drop her a line".
static TOKENS_OF_CONTACT: Words = Words::new("call ring shout ping note line mail message hint heads-up buzz email text");

pub(super) fn world(clause: &Clause, orders: &[Order]) -> bool {
    orders.iter().any(|order| {
        let order = Seen { clause, verb: &order.verb, start: order.object, object: object(clause, order.object) };
        destroys(&order) || spends(&order) || merges(&order) || tries_live(&order) || tells(&order)
    })
}

/// Whether one of [`PHRASES`] is in it as an order.
pub(super) fn phrase(text: &str) -> bool {
    PHRASES.iter().any(|phrase| text.contains(phrase))
}

/// An order and what it is about.
struct Seen<'a> {
    clause: &'a Clause,
    verb: &'a str,
    start: usize,
    object: std::ops::Range<usize>,
}

impl Seen<'_> {
    fn within(&self, list: &Words) -> bool {
        self.object.clone().any(|at| has(list, self.clause.get(at)))
    }

    fn last(&self) -> &str {
        self.object.clone().last().map_or("", |at| self.clause.get(at))
    }

    /// A word of `list` right behind one of `before`.
    fn behind(&self, before: &[&str], list: &Words) -> bool {
        (self.start..self.clause.words.len()).any(|at| {
            let next = (at + 1..at + 4).find(|next| !has(&DETERMINERS, self.clause.get(*next))).unwrap_or(at + 1);
            one_of(before, self.clause.get(at)) && has(list, self.clause.get(next))
        })
    }

    fn anywhere(&self, list: &Words) -> bool {
        self.clause.words.iter().skip(self.start).any(|word| has(list, &word.text))
    }
}

fn destroys(order: &Seen) -> bool {
    let strong = has(&DESTROY, order.verb);
    if !strong && !has(&REMOVE, order.verb) || has_fault(order.clause) {
        return false;
    }
    if strong && (order.behind(&["from", "in", "on", "off"], &SYSTEMS) || order.behind(&["from", "in", "on"], &LIVE)) {
        return true;
    }
    let stored = has(&DATA, order.last()) && !order.within(&THROWAWAY);
    let belongs = ["database", "databases", "db", "users", "customers", "accounts", "data", "everything", "backups", "branches"];
    stored && (strong || one_of(&belongs, order.last()) && !one_of(&["clean", "clear", "flush"], order.verb))
}

fn spends(order: &Seen) -> bool {
    let first = order.clause.get(order.start);
    match order.verb {
        "wire" | "transfer" | "withdraw" | "deposit" => order.within(&MONEY),
        "donate" | "reimburse" | "invoice" | "tip" => !has(&COMPOUND, first) && !first.is_empty(),
        "order" => order.within(&GOODS) || first.starts_with(|c: char| c.is_ascii_digit()) || first == "more",
        "book" | "reserve" | "rent" | "hire" | "lease" => !has(&COMPOUND, first) && !first.is_empty(),
        "get" => order.within(&GOODS) && (first == "more" || first.starts_with(|c: char| c.is_ascii_digit())),
        "cancel" | "terminate" | "renew" | "extend" | "upgrade" | "sign" | "resign" => has(&CONTRACTS, order.last()),
        _ => false,
    }
}

fn merges(order: &Seen) -> bool {
    match order.verb {
        "merge" | "land" | "rebase" | "cherry-pick" | "backport" | "fast-forward" => {
            order.behind(&["to", "into", "in", "onto"], &BRANCHES)
                || has(&TRACKER, order.last())
                || one_of(&["it", "this", "them", "branch", "branches"], order.last())
                || order.within(&BRANCHES) && !has(&COMPOUND, order.last())
        }
        "close" | "reopen" | "label" | "triage" | "approve" | "answer" | "react" | "reply" | "respond" => {
            has(&TRACKER, order.last()) || order.behind(&["to", "on", "in"], &TRACKER)
        }
        "comment" => order.behind(&["on", "in"], &TRACKER),
        "tag" => one_of(&["it", "release", "version"], order.last()) || order.last().starts_with('v'),
        "yank" | "unpublish" => true,
        _ => false,
    }
}

fn tries_live(order: &Seen) -> bool {
    if !has(&TRY, order.verb) || has_fault(order.clause) {
        return false;
    }
    let real = (order.start..order.clause.words.len()).any(|at| {
        one_of(&["real", "actual", "live"], order.clause.get(at)) && has(&REAL, order.clause.get(at + 1))
    });
    real || order.behind(&["with", "on", "in", "against", "at", "to"], &LIVE)
}

fn tells(order: &Seen) -> bool {
    let clause = order.clause;
    match order.verb {
        // "Let the customers know".
        "let" => order.anywhere(&KNOW) && !one_of(&["know"], clause.get(order.start)),
        "keep" => order.anywhere(&POSTED),
        "give" | "drop" | "shoot" | "leave" | "hand" => {
            order.object.len() > 2 - usize::from(order.last() == "heads-up")
                && one_of(&["a", "the", "an", "quick"], clause.before(order.object.end, 2))
                && has(&TOKENS_OF_CONTACT, order.last())
        }
        _ => false,
    }
}

static KNOW: Words = Words::new("know");
static POSTED: Words = Words::new("posted informed updated");

/// Words that start a clause without being an order.
static NO_ORDER: Words = Words::new(
    "not no only even still both either neither all any each every some as such like than via plus again just more less \
     most many few much there here it its they he she we you i who whose this that these those is are was were be \
     has have had does did do can could should would may might must except besides despite unless until till across \
     including especially e.g i.e etc",
);

/// An order by its shape, "… and zap the list", by a verb that nobody here knows; the title's first is `first`.
///
/// It locks nothing by itself, but it keeps a text from being called clear.
pub(super) fn unknown_order(clause: &Clause, known: impl Fn(&str) -> bool) -> bool {
    let head = clause.head();
    let verb = clause.get(head);
    let shaped = has(&DETERMINERS, clause.get(head + 1)) && !one_of(&["new", "one"], clause.get(head + 1));
    shaped
        && !verb.is_empty()
        && !verb.ends_with("ing")
        && ![&DETERMINERS, &PREPOSITIONS, &SUBORDINATORS, &NO_ORDER].iter().any(|list| has(list, verb))
        && !known(verb)
}
