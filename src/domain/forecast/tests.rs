//! What is learned from records, and how surely.

use super::*;

fn record(asker: &str, category: &str, estimate: f64, minutes: f64, ending: Ending) -> Record {
    let traits = Traits { asker: asker.into(), category: category.into(), ..Traits::default() };
    Record { traits, estimate, minutes, ending }
}

fn model(records: Vec<Record>) -> Model {
    Model::learn(&History { records, attempts: 3 }, &[])
}

fn half(model: &Model, asker: &str, category: &str, estimate: f64) -> f64 {
    model.forecast(&record(asker, category, estimate, 1.0, Ending::Done).traits, estimate, 0).quantile(0.5)
}

#[test]
fn the_estimate_is_believed_until_builds_tell_otherwise() {
    let fresh = half(&model(vec![]), "a", "docs", 120.0);
    assert!((100.0..130.0).contains(&fresh), "{fresh}");
    let twice: Vec<Record> = (0..20).map(|_| record("a", "docs", 120.0, 240.0, Ending::Done)).collect();
    let few = half(&model(twice[..2].to_vec()), "a", "docs", 120.0);
    let many = half(&model(twice.clone()), "a", "docs", 120.0);
    assert!(fresh * 1.1 < few && few < many * 0.95 && (215.0..245.0).contains(&many), "{fresh} {few} {many}");
    // Another asker is only as far from the estimate as all may be.
    let other = half(&model(twice), "b", "docs", 120.0);
    assert!(fresh < other && other < many, "{other}");
}

#[test]
fn what_was_cut_took_longer_than_that() {
    let cut = |minutes| vec![record("a", "docs", 60.0, minutes, Ending::Cut); 6];
    let (none, short, long) = (model(vec![]), model(cut(5.0)), model(cut(300.0)));
    let of = |model: &Model| half(model, "a", "docs", 60.0);
    assert!((of(&short) - of(&none)).abs() < 2.0, "five minutes say nothing: {} {}", of(&short), of(&none));
    assert!(of(&long) > 1.8 * of(&none), "{} {}", of(&long), of(&none));
}

#[test]
fn time_that_has_passed_and_claims_move_a_running_build() {
    let fresh = model(vec![]).forecast(&Traits::default(), 120.0, 0);
    let late = fresh.clone().after(200.0);
    assert!(late.quantile(0.5) > 200.0 && late.within(200.0) == 0.0 && late.quantile(0.5) < 400.0);
    let ahead = fresh.clone().claims(20.0, 80).after(20.0);
    assert!(ahead.quantile(0.5) < 60.0, "{}", ahead.quantile(0.5));
    let early = fresh.clone().claims(2.0, 1).quantile(0.5) / fresh.quantile(0.5);
    assert!((0.9..1.2).contains(&early), "one percent says little: {early}");
    let spread = |forecast: &Forecast| forecast.quantile(0.9) / forecast.quantile(0.1);
    assert!(spread(&ahead) < spread(&fresh));
}

#[test]
fn failures_and_retries_are_counted_by_kind() {
    let mut records = vec![record("a", "docs", 60.0, 60.0, Ending::Done); 30];
    records.extend(vec![record("a", "auth", 60.0, 60.0, Ending::Failed); 10]);
    records.extend(vec![record("a", "auth", 60.0, 60.0, Ending::Done); 10]);
    records.extend(vec![record("a", "auth", 60.0, 0.0, Ending::Transient); 15]);
    let model = model(records);
    let of =
        |category: &str, tried| model.forecast(&record("a", category, 60.0, 1.0, Ending::Done).traits, 60.0, tried);
    let (docs, auth) = (of("docs", 0), of("auth", 0));
    assert!(docs.succeeds > 0.9 && auth.succeeds < 0.7, "{} {}", docs.succeeds, auth.succeeds);
    assert!(auth.quantile(0.8) > docs.quantile(0.8) * 1.05, "retries take time");
    assert!(of("auth", 2).succeeds < auth.succeeds, "the last attempt");
    assert!((of("auth", 3).succeeds).abs() < 1e-9, "none is left");
}

#[test]
fn a_steady_owner_gets_a_narrow_forecast() {
    let steady = |spread: f64| {
        let one = |n: i32| record("a", "docs", 100.0, 100.0 * (spread * f64::from(n % 5 - 2)).exp(), Ending::Done);
        let model = model((0..40).map(one).collect());
        let forecast = model.forecast(&record("a", "docs", 1.0, 1.0, Ending::Done).traits, 100.0, 0);
        forecast.quantile(0.8) / forecast.quantile(0.5)
    };
    assert!(steady(0.02) < 1.15 && steady(0.6) > 1.6, "{} {}", steady(0.02), steady(0.6));
}

#[test]
fn it_says_what_it_goes_by() {
    let seen = vec![record("a", "documentation", 240.0, 126.0, Ending::Done); 25];
    let traits = seen[0].traits.clone();
    let words = explain(&model(seen), &traits, 240.0);
    assert!(
        words.starts_with("your 4 h documentation tasks take about 2.") && words.contains("25 of them built"),
        "{words}"
    );
    assert!(explain(&model(vec![]), &traits, 240.0).starts_with("no documentation task was built yet"));
}

#[test]
fn a_replay_forecasts_each_row_from_those_before_it() {
    let head = "owner,category,estimate_minutes,actual_minutes,outcome\n";
    let rows = "a,docs,60,120,done\n".repeat(12);
    let records = replay::read(&format!("{head}{rows}")).unwrap();
    let replayed: Vec<_> = replay::replay(&records).collect();
    assert_eq!(replayed.len(), 12);
    assert!(replayed[0].p50 < 75.0 && replayed[11].p50 > 100.0, "{replayed:?}");
    let mut other = records.clone();
    other[11].minutes = 5.0;
    let again = replay::replay(&other).last().unwrap();
    assert!((again.p50 - replayed[11].p50).abs() < 1e-9, "its own end is not known before");
    for (text, line) in [("a,b,c", 1), ("a,b,0,5,done", 1), ("a,b,5,5,done\na,b,5,5,lost", 2)] {
        assert_eq!(replay::read(text).unwrap_err().line, line, "{text}");
    }
}

/// The shares of outcomes within P80, over owners whose habits differ: their worlds are drawn anew from one seed.
fn covered(builds_before: usize) -> f64 {
    let mut seed = 0x2545_F491_4F6C_DD17_u64;
    let mut uniform = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((seed >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    };
    let mut normal = || (-2.0 * uniform().ln()).sqrt() * (std::f64::consts::TAU * uniform()).cos();
    let (mut within, mut all) = (0, 0);
    for _ in 0..200 {
        let (bias, noise) = (0.45 * normal(), (0.6 + 0.15 * normal()).clamp(0.3, 1.0));
        let mut build = || {
            let estimate = [30.0, 60.0, 120.0, 240.0, 480.0][all % 5];
            all += 1;
            record("a", "docs", estimate, estimate * (bias + noise * normal()).exp(), Ending::Done)
        };
        let known = model((0..builds_before).map(|_| build()).collect());
        for next in (0..5).map(|_| build()) {
            let limit = known.forecast(&next.traits, next.estimate, 0).quantile(0.8);
            within += usize::from(next.minutes <= limit);
        }
    }
    f64::from(u32::try_from(within).unwrap()) / 1000.0
}

#[test]
fn eight_in_ten_are_done_within_p80_with_few_builds_and_with_many() {
    let (few, many) = (covered(3), covered(30));
    assert!((0.7..=0.9).contains(&few), "after three: {few}");
    assert!((0.75..=0.88).contains(&many), "after thirty: {many}");
}
