//! What a forecast says, in words for the owner.

use super::{Ending, Model, Record, Traits};

/// Estimates within this factor of each other are alike.
const ALIKE: f64 = 1.5;

/// `your 4 h documentation tasks take about 2.1 h (25 of them built); 8 in 10 such are done within 3.4 h`.
pub fn explain(model: &Model, traits: &Traits, estimate: f64) -> String {
    let forecast = model.forecast(traits, estimate, 0);
    let (half, most) = (span(forecast.quantile(0.5)), span(forecast.quantile(0.8)));
    let ended = |record: &&Record| {
        record.minutes > 0.0
            && matches!(record.ending, Ending::Done | Ending::Failed)
            && record.traits.category == traits.category
    };
    let kind = traits.category.replace('_', " ");
    let all = model.records().iter().filter(ended).count();
    let alike = model
        .records()
        .iter()
        .filter(ended)
        .filter(|record| (record.estimate / estimate).max(estimate / record.estimate) <= ALIKE)
        .count();
    let seen = match (alike, all) {
        (0, 0) => {
            return format!(
                "no {kind} task was built yet; half of those of {} should take up to {half}, 8 in 10 up to {most}",
                span(estimate)
            );
        }
        (0, _) => format!("none of that size built yet, {all} others were"),
        (number, _) => format!("{number} of them built"),
    };
    format!("your {} {kind} tasks take about {half} ({seen}); 8 in 10 are done within {most}", span(estimate))
}

/// `40 min`, `2.1 h`, `4 h`.
pub(super) fn span(minutes: f64) -> String {
    if minutes < 59.5 {
        return format!("{:.0} min", minutes.max(1.0));
    }
    let hours = (minutes / 6.0).round() / 10.0;
    if hours.fract() == 0.0 { format!("{hours:.0} h") } else { format!("{hours:.1} h") }
}
