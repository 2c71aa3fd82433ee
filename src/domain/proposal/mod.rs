//! What a text seems to be about: a category to propose, and whether the text itself asks for something locked.
//!
//! Pure and deterministic: weighted words (`table`, weighed by `evidence`) and a few rules for orders (`lock`), so that the
//! owner can be told why, and so that the same text always gets the same answer. How often it is right is measured on
//! titles in `tests/fixtures/titles`. Left out on purpose: deciding. A proposal is confirmed by the owner, and a lock
//! found here can only be added to what the category says. English only, see `words`.

mod clause;
mod evidence;
mod lock;
mod outside;
mod settings;
mod table;
mod words;
mod world;

use crate::domain::category::Category;

/// A category proposed for a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// What to propose. In doubt a locked one.
    pub category: Category,
    /// Whether the text is clear enough to be queued without asking.
    pub sure: bool,
    /// One line for the owner.
    pub why: String,
}

/// Proposes a category. In doubt: [`Category::NewFeature`], not sure.
pub fn propose(title: &str, details: &str) -> Proposal {
    if let Some(found) = lock::find(title, details) {
        return Proposal { category: found.category, sure: true, why: found.why };
    }
    let (labelled, orders) = evidence::orders_of(title);
    let unknown = |(n, clause): &(usize, &clause::Clause)| {
        lock::unknown(clause, labelled || *n > 0) || *n > 0 && evidence::asks(clause)
    };
    if let Some((_, clause)) = orders.iter().enumerate().find(unknown) {
        return doubt(&format!("I don't know what “{}” would do", clause.quote()));
    }
    if let Some(doubtful) = evidence::sentences(details).find(|sentence| is_doubtful(sentence)) {
        return doubt(&format!("below the title it says “{}”", clause::short(doubtful)));
    }
    let scores = evidence::weigh(title, details);
    let [best, second, ..] = &scores[..] else { return doubt("nothing to go by") };
    if best.points < LEAST {
        return doubt("no word in it tells what kind of change it is");
    }
    // Between two auto-approved ones nothing is at stake; the owner is asked where a tap hangs on it.
    let rivals = scores[1..].iter().find(|score| !score.category.auto_approved_by_default()).unwrap_or(second);
    if best.category.auto_approved_by_default() && best.points < rivals.points + MARGIN {
        return doubt(&format!("it could be “{}” or “{}”", best.category.title(), rivals.category.title()));
    }
    let words: Vec<String> = best.words.iter().take(3).map(|word| format!("“{word}”")).collect();
    Proposal { category: best.category, sure: true, why: format!("{}: {}", best.category.title(), words.join(", ")) }
}

/// Whether a sentence of the details would need a tap as a title of its own. Only orders count there: what a bug report
/// tells, and the steps to see it, ask for nothing.
fn is_doubtful(sentence: &str) -> bool {
    let all = clause::clauses(sentence);
    let orders: Vec<&clause::Clause> = all.iter().filter(|clause| evidence::is_order(clause)).collect();
    orders.iter().any(|clause| is_doubtful_order(clause)) || all.iter().any(lock::somebody_waits)
}

fn is_doubtful_order(order: &clause::Clause) -> bool {
    let words: Vec<&str> = order.words.iter().map(|word| word.text.as_str()).collect();
    let scores = evidence::weigh(&words.join(" "), "");
    let clear = scores.first().filter(|best| best.points >= LEAST);
    let locked = clear.map_or_else(|| lock::is_imperative(order), |best| !best.category.auto_approved_by_default());
    locked || lock::unknown(order, true) || evidence::asks(order)
}

/// Why the text asks for something locked, whatever `category` says; `None` if no order for it was found.
///
/// A mention is no order: "fix the crash when sending mail fails" locks nothing, "and send it to all customers" does.
pub fn text_lock(title: &str, details: &str, category: Category) -> Option<String> {
    lock::find(title, details).map(|found| {
        if found.category == category {
            found.why
        } else {
            format!("labelled “{}”, but {}", category.title(), found.why)
        }
    })
}

fn doubt(why: &str) -> Proposal {
    Proposal { category: Category::NewFeature, sure: false, why: format!("I'm not sure: {why}") }
}

/// Points below which nothing is proposed.
const LEAST: u32 = 7;
/// Points by which an auto-approved category must lead the best locked one.
const MARGIN: u32 = 2;

#[cfg(test)]
mod tests;
