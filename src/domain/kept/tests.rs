use super::*;
use chrono::Days;
use proptest::prelude::*;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn month() -> BTreeSet<NaiveDate> {
    day("2026-02-01").iter_days().take(60).collect()
}

fn words(days: &BTreeSet<NaiveDate>) -> Vec<String> {
    days.iter().map(|day| day.format("%m-%d").to_string()).collect()
}

#[test]
fn seven_days_and_the_first_of_four_weeks_before_them_stay() {
    // 1 April 2026 is a Wednesday.
    let stay = staying(&month(), day("2026-04-01"));
    let expected = ["03-02", "03-09", "03-16", "03-23", "03-26", "03-27", "03-28", "03-29", "03-30", "03-31", "04-01"];
    assert_eq!(words(&stay), expected);
    // Days on which nothing was kept count for nothing.
    let few: BTreeSet<_> = ["2025-11-03", "2025-12-30", "2026-04-01"].map(day).into();
    assert_eq!(staying(&few, day("2026-04-01")), few);
}

#[test]
fn a_clock_set_back_removes_neither_today_nor_what_it_made() {
    let mut days = month();
    days.insert(day("2031-01-01"));
    let stay = staying(&days, day("2026-02-03"));
    assert!(stay.contains(&day("2026-02-03")) && stay.contains(&day("2031-01-01")));
    let again = staying(&days, day("2026-04-01"));
    assert_eq!(again.len(), DAILY + WEEKLY + 1, "a day of the future pushes none out");
}

#[test]
fn one_drill_an_iso_week() {
    for (last, today, due) in [
        (None, "2026-03-14", true),
        (Some("2026-03-09"), "2026-03-15", false),
        (Some("2026-03-15"), "2026-03-16", true),
        (Some("2025-12-29"), "2026-01-04", false),
        (Some("2026-03-16"), "2026-03-15", true),
    ] {
        assert_eq!(drill_due(last.map(day), day(today)), due, "{last:?} {today}");
    }
}

#[test]
fn what_is_left_out_is_said_in_one_line() {
    let skipped = |path: &str, why: &str| Skipped { path: path.into(), why: why.into() };
    let mut project =
        KeptProject { name: "app".into(), commit: None, files: 3, skipped: vec![], bundle: None, bundle_trouble: None };
    assert_eq!(project.left_out(), None);
    project.skipped = vec![skipped("a", "too large")];
    assert_eq!(project.left_out().unwrap(), "1 file or folder is not in its snapshot: a (too large)");
    project.skipped.push(skipped("b", ""));
    assert_eq!(project.left_out().unwrap(), "2 files or folders are not in its snapshot: a (too large) and b");
    let mut drill =
        Drill { date: day("2026-03-14"), at: DateTime::UNIX_EPOCH, vaults: 3, bytes: 41_000_000, trouble: None };
    assert_eq!(drill.text(), "Restore drill: OK, 3 vaults, 41 MB");
    drill.trouble = Some("the database's copy is damaged".into());
    assert_eq!(drill.text(), "Restore drill: FAILED, the database's copy is damaged");
}

proptest! {
    /// Night after night, dates skipped and the clock set back now and then: the day just kept is there, so are the newest
    /// seven, and a first day of a week that once stayed as one of the four goes only when four newer weeks have one.
    #[test]
    fn nights_on_end_keep_the_newest_and_never_more_than_stated(steps in prop::collection::vec(-3_i64..6, 1..120)) {
        let mut today = day("2026-01-01");
        let mut days = BTreeSet::new();
        for step in steps {
            today = if step < 0 {
                today - Days::new(step.unsigned_abs())
            } else {
                today + Days::new(step.unsigned_abs())
            };
            days.insert(today);
            let stay = staying(&days, today);
            prop_assert!(stay.contains(&today));
            prop_assert!(stay.is_subset(&days));
            let past: Vec<_> = days.iter().filter(|day| **day <= today).collect();
            prop_assert!(past.iter().rev().take(DAILY).all(|day| stay.contains(day)));
            prop_assert!(stay.iter().filter(|day| **day <= today).count() <= DAILY + WEEKLY);
            prop_assert_eq!(&staying(&stay, today), &stay, "asking again removes nothing more");
            days = stay;
        }
    }
}
