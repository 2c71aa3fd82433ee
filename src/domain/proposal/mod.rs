//! What a text seems to be about: a category to propose, and whether the text itself asks for something locked.
//!
//! Pure and deterministic: weighted words and a few rules, no model, so that the owner can be told why, and so that the
//! same text always gets the same answer. Left out on purpose: deciding. A proposal is confirmed by the owner, and a lock
//! found here can only be added to what the category says. English only, see `words`.

mod clause;
mod lock;
mod outside;
mod settings;
mod words;

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
    let mut scores: Vec<Score> = SCORED.iter().map(|(category, _)| Score::new(*category)).collect();
    for (n, clause) in clause::clauses(title).iter().enumerate() {
        let head = clause.head();
        // "Build the API documentation": such a verb says nothing, what is built does.
        let empty = words::ADD.has(clause.get(head)) || words::MAKE_NEW.has(clause.get(head));
        for (i, word) in clause.words.iter().enumerate() {
            let told = if empty { words::DOCS.has(&word.text) } else { i == head };
            let weight = if n == 0 && told { FIRST_VERB } else { 2 };
            count(&mut scores, &word.text, weight, i == head);
        }
    }
    for word in clause::clauses(details).iter().flat_map(|clause| &clause.words).take(DETAIL_WORDS) {
        count(&mut scores, &word.text, 1, false);
    }
    scores.sort_by_key(|score| std::cmp::Reverse(score.points));
    let [best, second, ..] = &scores[..] else { return doubt("nothing to go by") };
    if best.points < LEAST {
        return doubt("no word in it tells what kind of change it is");
    }
    if best.points < second.points + MARGIN {
        return doubt(&format!("it could be “{}” or “{}”", best.category.title(), second.category.title()));
    }
    let words: Vec<String> = best.words.iter().take(3).map(|word| format!("“{word}”")).collect();
    Proposal { category: best.category, sure: true, why: format!("{}: {}", best.category.title(), words.join(", ")) }
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

/// Weight of the first word of the title: it nearly always names the kind of work.
const FIRST_VERB: u32 = 6;
/// Points below which nothing is proposed.
const LEAST: u32 = 3;
/// Points by which the best must lead.
const MARGIN: u32 = 2;
/// Words of the details that count; a pasted log is no argument.
const DETAIL_WORDS: usize = 200;

struct Score {
    category: Category,
    points: u32,
    words: Vec<String>,
}

impl Score {
    fn new(category: Category) -> Self {
        Self { category, points: 0, words: Vec::new() }
    }
}

/// Words that speak for a category.
const SCORED: &[(Category, &str)] = &[
    (
        Category::Performance,
        "optimize optimise speed accelerate tune parallelize performance faster slow latency throughput \
         speedup query queries load algorithm memory profile benchmark n+1 optimization optimisation batch \
         reduce quicker cache caching",
    ),
    (
        Category::BugFix,
        "fix repair resolve correct debug bug bugs crash crashes error errors broken fails failing wrong \
         regression panic exception deadlock race off-by-one edge-case hotfix handle prevent leak",
    ),
    (
        Category::Documentation,
        "document docs documentation readme comment comments docstring docstrings describe explain changelog \
         guide tutorial swagger wiki architecture",
    ),
    (
        Category::Infrastructure,
        "rotate rotation vacuum cleanup clean backup backups prune archive logs log disk maintenance tidy \
         purge reindex infrastructure housekeeping refresh",
    ),
    (
        Category::NewFeature,
        "build implement create design introduce develop add feature new dashboard page ui redesign support",
    ),
    (Category::ExternalAction, "newsletter campaign customers subscribers tweet announcement"),
    (Category::ConfigChange, "configure credentials permissions password settings config configuration secret secrets"),
];

fn count(scores: &mut [Score], word: &str, weight: u32, head: bool) {
    for (score, (_, words)) in scores.iter_mut().zip(SCORED) {
        if words.split_ascii_whitespace().any(|known| known == word) {
            // A locked category's noun in passing is weak evidence; a verb in first place is strong.
            score.points += if score.category.auto_approved_by_default() || head { weight } else { weight.min(1) };
            if !score.words.iter().any(|seen| seen == word) {
                score.words.push(word.to_owned());
            }
        }
    }
}

#[cfg(test)]
mod tests;
