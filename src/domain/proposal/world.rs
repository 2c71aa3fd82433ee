//! Orders with consequences that their verb alone doesn't tell: data deleted, money spent, branches merged, a live system
//! tried, people told in a roundabout way; and orders nobody here knows.
//!
//! Left out on purpose: whether the thing named exists.

use super::clause::Clause;
use super::lock::{Order, has, has_fault, object, one_of, told_of};
use super::words::{
    COMPOUND, DESCRIBING, DETERMINERS, LIVE, NOUN_CUES, PREPOSITIONS, RECIPIENTS, SUBORDINATORS, SYSTEMS, Words,
};

/// Ends what is stored.
pub(super) static DESTROY: Words = Words::new("delete drop wipe erase purge truncate destroy nuke shred empty");
/// Ends it too, but said of code as often.
pub(super) static REMOVE: Words =
    Words::new("remove clear clean tidy flush kill expire prune archive empty sort organize organise");
/// What is stored for people.
static DATA: Words = Words::new(
    "database databases db dbs table tables schema account accounts user users customer customers client clients data \
     records record rows row bucket buckets volume volumes backup backups snapshot snapshots repo repos repository \
     repositories branch branches mailbox mails emails tickets orders invoices everything server servers vm vms disk \
     partition cluster namespace instance instances profile profiles contacts subscribers photos uploads domain",
);
/// What does not stand in a repository, so that tidying it is done to the thing itself.
static KEPT_OUTSIDE: Words = Words::new(
    "users customers accounts backups snapshots branches bucket buckets repo repository issues tickets inbox mailbox \
     backlog board mailing-list subscribers contacts photos invoices vms instances volumes droplets domains spammers",
);
/// What is thrown away all the time.
static THROWAWAY: Words = Words::new(
    "temp temporary tmp log logs cache cached caches fixture fixtures mock mocks fake dummy dead scratch sample unused \
     in-memory build artifacts",
);

static SERVICES: Words =
    Words::new("api system systems site website environment shop app endpoint endpoints traffic service");
static MACHINES: Words =
    Words::new("server servers vm vms machine machines box host hosts router instance instances cluster pod pods");
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
     reviews report reports question questions comments email emails mail mails message messages complaint complaints \
     milestone milestones",
);

/// Tries something, on whatever it is pointed at.
static TRY: Words = Words::new(
    "test run try execute check verify replay rerun use point query hit seed import load process migrate call retry \
     reproduce debug start restart experiment compare measure benchmark profile stress loadtest trigger sync",
);
static REAL: Words = Words::new(
    "card cards customer customers account accounts money payment payments user users phone number numbers email \
     emails inbox address addresses shop store system systems site api thing server order orders",
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
    " hand over ",
    " hand it over ",
    " pass it on ",
    " cut over ",
    " flip the switch ",
];

/// "Give Bob a call", "drop her a line".
static TOKENS_OF_CONTACT: Words =
    Words::new("call ring shout ping note line mail message hint heads-up buzz email text");

pub(super) fn world(clause: &Clause, orders: &[Order]) -> bool {
    let head = clause.head();
    if has(&DESCRIBING, clause.get(head)) && clause.get(head + 1) != "on" {
        return false;
    }
    let merge = (0..clause.words.len())
        .filter(|at| clause.get(*at) == "merge" && !has(&NOUN_CUES, clause.before(*at, 1)) && !told_of(clause, *at))
        .map(|at| Order { object: at + 1, verb: "merge".to_owned() });
    if merge.into_iter().any(|order| merges(&Seen::new(clause, &order))) {
        return true;
    }
    orders.iter().any(|order| {
        let order = Seen::new(clause, order);
        destroys(&order)
            || restarts(&order)
            || undoes(&order)
            || touches(&order)
            || spends(&order)
            || merges(&order)
            || tries_live(&order)
            || tells(&order)
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

impl<'a> Seen<'a> {
    fn new(clause: &'a Clause, order: &'a Order) -> Self {
        Self { clause, verb: &order.verb, start: order.object, object: object(clause, order.object) }
    }

    fn within(&self, list: &Words) -> bool {
        self.object.clone().any(|at| has(list, self.clause.get(at)))
    }

    fn last(&self) -> &str {
        self.object.clone().last().map_or("", |at| self.clause.get(at))
    }

    /// A word of `list` behind one of `before`, with nothing but what belongs to it in between.
    fn behind(&self, before: &[&str], list: &Words) -> bool {
        (self.start..self.clause.words.len()).any(|at| {
            one_of(before, self.clause.get(at))
                && (at + 1..at + 5)
                    .take_while(|next| !has(&PREPOSITIONS, self.clause.get(*next)))
                    .any(|next| has(list, self.clause.get(next)) && !has(&COMPOUND, self.clause.get(next + 1)))
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
    stored && strong
        || has(&KEPT_OUTSIDE, order.last()) && !order.within(&THROWAWAY)
        || one_of(&["database", "databases", "db", "data", "everything"], order.last()) && order.verb == "remove"
}

fn restarts(order: &Seen) -> bool {
    one_of(&["restart", "reboot", "reprovision", "resize", "failover"], order.verb) && has(&MACHINES, order.last())
}

/// "Revert the last release", "rerun the failed payments".
fn undoes(order: &Seen) -> bool {
    one_of(&["revert", "undo", "rollback", "roll", "retry", "rerun", "redo", "repeat", "replay"], order.verb)
        && has(&DONE, order.last())
        && (!has_fault(order.clause) || has(&DETERMINERS, order.clause.get(order.start)))
}

/// Not the code but the thing itself: the live database, a server, a service's console, one customer's order.
fn touches(order: &Seen) -> bool {
    let clause = order.clause;
    let here = |at: usize| clause.get(at);
    let said = order.start..clause.words.len();
    let live = said
        .clone()
        .any(|at| has(&LIVE, here(at)) && [&DATA, &MACHINES, &SERVICES].iter().any(|list| has(list, here(at + 1))));
    let console = said
        .clone()
        .any(|at| one_of(&["in", "on", "at"], here(at)) && (at + 1..at + 5).any(|at| has(&CONSOLES, here(at))));
    let one = said.clone().any(|at| {
        has(&INSTANCES, here(at)) && here(at + 1).trim_start_matches('#').starts_with(|c: char| c.is_ascii_digit())
    });
    let machine = has(&OPERATE, order.verb) && (has(&MACHINES, order.last()) || order.behind(&["on"], &MACHINES));
    let quarrel =
        one_of(&["complaint", "complaints", "dispute", "disputes", "chargeback", "chargebacks"], order.last());
    let given = one_of(&["hand", "pass", "deliver", "demo", "present", "bring", "sell"], order.verb)
        && order.behind(&["to"], &RECIPIENTS);
    (live || one || quarrel) && !has_fault(clause) || console && has(&SYSTEMS_OR_EDIT, order.verb) || machine || given
}

/// What is done to machines.
pub(super) static OPERATE: Words =
    Words::new("kill stop install upgrade update patch reboot shut free reinstall provision edit uninstall");
/// What is changed in a console.
static SYSTEMS_OR_EDIT: Words = Words::new(
    "fix correct change update set edit add remove create delete configure check adjust put enter enable disable",
);
static CONSOLES: Words = Words::new("dashboard console portal backend-ui cpanel");
static DONE: Words = Words::new(
    "release releases deploy deploys deployment deployments rollout payment payments refund refunds charges migration \
     migrations webhooks mailing newsletter",
);
/// What is meant with a number behind it is one of them, not the code for all.
static INSTANCES: Words = Words::new(
    "order customer user account invoice client item booking subscription payment member ticket refund shipment",
);

fn spends(order: &Seen) -> bool {
    let first = order.clause.get(order.start);
    match order.verb {
        "wire" | "transfer" | "withdraw" | "deposit" => order.within(&MONEY),
        "donate" | "reimburse" | "invoice" | "tip" | "book" | "reserve" | "rent" | "hire" | "lease" => {
            !has(&COMPOUND, first) && !first.is_empty()
        }
        "order" => order.within(&GOODS) || first.starts_with(|c: char| c.is_ascii_digit()) || first == "more",
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
            has(&TRACKER, order.last())
                || order.verb == "close" && one_of(&["it", "them"], order.last())
                || order.behind(&["to", "on", "in"], &TRACKER)
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
    let real = (order.start..order.clause.words.len())
        .any(|at| one_of(&["real", "actual", "live"], order.clause.get(at)) && has(&REAL, order.clause.get(at + 1)));
    real || order.behind(&["with", "on", "in", "against", "at", "to"], &LIVE)
}

fn tells(order: &Seen) -> bool {
    let clause = order.clause;
    match order.verb {
        // "Let the customers know".
        "let" => order.anywhere(&KNOW) && !one_of(&["know"], clause.get(order.start)),
        "get" | "bring" => one_of(&["out", "live"], order.last()) || order.behind(&["out"], &TO),
        "keep" => order.anywhere(&POSTED),
        "give" | "drop" | "shoot" | "leave" | "hand" => {
            order.object.len() > 2 - usize::from(order.last() == "heads-up")
                && one_of(&["a", "the", "an", "quick"], clause.before(order.object.end, 2))
                && has(&TOKENS_OF_CONTACT, order.last())
        }
        _ => false,
    }
}

static TO: Words = Words::new("to");
static KNOW: Words = Words::new("know");
static POSTED: Words = Words::new("posted informed updated");

/// Words that start a clause without being an order.
static NO_ORDER: Words = Words::new(
    "not no only even still both either neither all any each every some as such like than via plus again just more less \
     most many few much there here it its they he she we you i who whose this that these those is are was were be \
     has have had does did do can could should would may might must except besides despite unless until till across \
     including especially e.g i.e etc",
);

/// Verbs of errands rather than of code.
pub(super) static ERRANDS: Words = Words::new(
    "put get take bring give hand buy sell ask sign cancel call phone visit meet convince arrange organise organize \
     apply obtain collect contact negotiate discuss schedule confirm chmod chown",
);
/// Of these, those that code does too; they count only behind something else.
static ALSO_CODE: Words = Words::new("put get take bring give apply collect confirm call");

/// An order by its shape, "… and zap the list", by a verb that nobody here knows; the title's first is `first`.
///
/// It locks nothing by itself, but it keeps a text from being called clear.
pub(super) fn unknown_order(clause: &Clause, later: bool, known: impl Fn(&str) -> bool) -> bool {
    let head = clause.head();
    let verb = clause.get(head);
    let shaped = has(&DETERMINERS, clause.get(head + 1)) && !one_of(&["new", "one"], clause.get(head + 1));
    if has(&ERRANDS, verb) && clause.words.len() > head + 1 && clause.get(head + 1) != "rid" && !has_fault(clause) {
        return later || !has(&ALSO_CODE, verb);
    }
    shaped
        && !verb.is_empty()
        && !verb.ends_with("ing")
        && ![&DETERMINERS, &PREPOSITIONS, &SUBORDINATORS, &NO_ORDER].iter().any(|list| has(list, verb))
        && !known(verb)
}
