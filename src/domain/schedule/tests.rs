use super::*;
use chrono::Datelike;
use proptest::prelude::*;

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn utc(text: &str) -> DateTime<Utc> {
    format!("{text}:00Z").parse().unwrap()
}

fn time(text: &str) -> NaiveTime {
    NaiveTime::parse_from_str(text, "%H:%M").unwrap()
}

fn in_zone(name: &str) -> Schedule {
    Schedule { zone: name.parse().unwrap(), ..Schedule::default() }
}

/// Minutes from start to report.
fn window(night: &Night) -> i64 {
    (night.report - night.start).num_minutes()
}

#[test]
fn a_plain_night_has_the_missions_times() {
    let night = in_zone("Europe/Berlin").night(date("2026-01-15"));
    assert_eq!(night.start, utc("2026-01-15T22:00"));
    assert_eq!(night.patterns, utc("2026-01-15T22:05"));
    assert_eq!(night.spawn, utc("2026-01-15T22:10"));
    assert_eq!(night.report, utc("2026-01-16T05:30"));
    assert_eq!(night.brief, utc("2026-01-16T06:00"));
}

#[test]
fn a_start_that_does_not_exist_means_the_first_instant_after_the_gap() {
    // Nuuk springs from 23:00 to 00:00 on the 28th: 23:00, 23:05 and 23:10 are all missing.
    let night = in_zone("America/Nuuk").night(date("2026-03-28"));
    assert_eq!(night.start, utc("2026-03-29T01:00"));
    assert_eq!((night.patterns, night.spawn), (night.start, night.start));
    assert_eq!(night.date, date("2026-03-28"));
    assert_eq!(in_zone("America/Nuuk").local(night.start).date_naive(), date("2026-03-29"));
    assert_eq!(window(&night), 6 * 60 + 30);
}

#[test]
fn a_start_that_comes_twice_means_the_first() {
    for (zone, day) in [
        ("Africa/Cairo", "2026-10-29"),
        ("Asia/Beirut", "2026-10-24"),
        ("America/Nuuk", "2026-10-24"),
        ("America/Santiago", "2026-04-04"),
    ] {
        let schedule = in_zone(zone);
        let night = schedule.night(date(day));
        assert_eq!(window(&night), 8 * 60 + 30, "{zone}: the hour comes twice, so the night is longer");
        let second = night.start + TimeDelta::hours(1);
        assert_eq!(schedule.local(second).time(), time("23:00"), "{zone}");
        assert_eq!(schedule.night_containing(second), Some(night), "{zone}: the second 23:00 is no new night");
        assert_eq!(schedule.nights_between(night.start - TimeDelta::hours(2), night.brief), [night], "{zone}");
    }
}

#[test]
fn odd_clock_changes_change_the_length_only() {
    // Troll moves by two hours, Lord Howe by half an hour.
    let troll = in_zone("Antarctica/Troll");
    assert_eq!(window(&troll.night(date("2026-03-28"))), 5 * 60 + 30);
    assert_eq!(window(&troll.night(date("2026-10-24"))), 9 * 60 + 30);
    let lord_howe = in_zone("Australia/Lord_Howe");
    assert_eq!(window(&lord_howe.night(date("2026-04-04"))), 8 * 60);
    assert_eq!(window(&lord_howe.night(date("2026-10-03"))), 7 * 60);
}

#[test]
fn a_skipped_day_still_has_its_night_and_disturbs_no_other() {
    let apia = in_zone("Pacific/Apia");
    let skipped = apia.night(date("2011-12-30"));
    assert_eq!(apia.local(skipped.start).naive_local(), date("2011-12-31").and_time(NaiveTime::MIN));
    let now = apia.night(date("2011-12-31")).brief;
    let dates: Vec<_> = apia.nights_between(utc("2011-12-29T00:00"), now).iter().map(|n| n.date.day()).collect();
    assert_eq!(dates, [28, 29, 30, 31]);
    // The 29th's brief falls into the gap too: the two nights touch.
    assert_eq!(apia.current_or_next(skipped.start - TimeDelta::minutes(1)).date, date("2011-12-29"));
    assert_eq!(apia.current_or_next(skipped.start), skipped);
}

#[test]
fn a_night_is_on_from_its_start_until_its_brief() {
    let schedule = in_zone("Europe/Berlin");
    let night = schedule.night(date("2026-01-15"));
    let second = TimeDelta::seconds(1);
    assert_eq!(schedule.night_containing(night.start - second), None);
    assert_eq!(schedule.night_containing(night.start), Some(night));
    assert_eq!(schedule.night_containing(night.brief - second), Some(night));
    assert_eq!(schedule.night_containing(night.brief), None);
    assert!(schedule.is_overnight(night.report) && !schedule.is_overnight(night.brief));
    assert_eq!(schedule.current_or_next(night.report), night);
    assert_eq!(schedule.current_or_next(night.brief), schedule.night(date("2026-01-16")));
}

#[test]
fn a_late_start_needs_half_an_hour() {
    let schedule = in_zone("Europe/Berlin");
    let night = schedule.night(date("2026-01-15"));
    assert!(schedule.late_start_possible(&night, night.report - TimeDelta::minutes(30)));
    assert!(!schedule.late_start_possible(&night, night.report - TimeDelta::minutes(30) + TimeDelta::seconds(1)));
    assert!(!schedule.late_start_possible(&night, night.report + TimeDelta::hours(1)));
}

#[test]
fn nights_between_are_those_started_since_and_bounded() {
    let schedule = in_zone("Europe/Berlin");
    let first = schedule.night(date("2026-01-15"));
    let third = schedule.night(date("2026-01-17"));
    let dates = |after, now| schedule.nights_between(after, now).iter().map(|n| n.date.day()).collect::<Vec<_>>();
    assert_eq!(dates(first.start, third.start), [16, 17], "after is left out, now is in");
    assert_eq!(dates(third.start, first.start), [0_u32; 0], "a clock set back starts nothing");
    let long = schedule.nights_between(utc("2020-01-01T00:00"), third.start);
    assert_eq!((long.len(), long.last().copied()), (NIGHTS_BETWEEN_MAX, Some(third)));
}

#[test]
fn the_next_local_time_is_later_than_now() {
    let schedule = in_zone("America/Nuuk");
    assert_eq!(schedule.next_local_time(utc("2026-01-15T14:00"), time("12:00")), utc("2026-01-16T14:00"));
    assert_eq!(schedule.next_local_time(utc("2026-01-15T13:59"), time("12:00")), utc("2026-01-15T14:00"));
    // 23:30 on the 28th of March is missing: the first instant after the gap.
    assert_eq!(schedule.next_local_time(utc("2026-03-29T00:00"), time("23:30")), utc("2026-03-29T01:00"));
}

#[test]
fn times_that_make_no_night_are_refused() {
    assert_eq!(Schedule::default().validate(), Ok(()));
    let noon = Schedule {
        session_start: time("00:30"),
        patterns_at: time("00:30"),
        spawn_at: time("00:40"),
        ..Schedule::default()
    };
    assert_eq!(noon.validate(), Ok(()), "a night that starts after midnight is one");
    for (wrong, word) in [
        (Schedule { patterns_at: time("22:59"), ..Schedule::default() }, "spawn"),
        (Schedule { report_at: time("23:10"), ..Schedule::default() }, "report"),
        (Schedule { brief_at: time("06:29"), ..Schedule::default() }, "brief"),
        (Schedule { brief_at: time("23:00"), ..Schedule::default() }, "brief"),
        (Schedule { keep_building_until: time("07:00"), ..Schedule::default() }, "keep_building_until"),
        (Schedule { late_start_needs: Duration::from_hours(8), ..Schedule::default() }, "late_start_needs"),
        (Schedule { progress_every: Duration::from_secs(59), ..Schedule::default() }, "progress_every"),
    ] {
        let error = wrong.validate().unwrap_err();
        assert!(error.contains(word), "{error}");
    }
}

/// Any schedule that validates, its times in order around a random start.
fn any_schedule() -> impl Strategy<Value = Schedule> {
    let steps = prop::collection::btree_set(1_u32..1439, 5);
    (0..chrono_tz::TZ_VARIANTS.len(), 0_u32..1440, steps).prop_map(|(zone, start, steps)| {
        let at = |offset: u32| {
            let minute = (start + offset) % 1440;
            clock(minute / 60, minute % 60)
        };
        let steps: Vec<u32> = steps.into_iter().collect();
        Schedule {
            zone: chrono_tz::TZ_VARIANTS[zone],
            session_start: at(0),
            patterns_at: at(steps[0]),
            spawn_at: at(steps[1]),
            report_at: at(steps[2]),
            brief_at: at(steps[3]),
            keep_building_until: at(steps[4]),
            late_start_needs: Duration::from_mins(1),
            ..Schedule::default()
        }
    })
}

fn any_date() -> impl Strategy<Value = NaiveDate> {
    (0_u64..16 * 365).prop_map(|days| date("2020-01-01") + chrono::Days::new(days))
}

fn check_nights(schedule: &Schedule, day: NaiveDate) -> Result<(), TestCaseError> {
    let night = schedule.night(day);
    let next = schedule.night(next_day(day));
    prop_assert_eq!(night.date, day);
    prop_assert!(night.start <= night.patterns && night.patterns <= night.spawn, "{:?}", night);
    prop_assert!(night.spawn < night.report && night.report <= night.brief, "{:?}", night);
    prop_assert!(night.start < next.start, "every date has its own night: {:?} {:?}", night, next);
    prop_assert!(night.brief <= next.start, "nights do not overlap: {:?} {:?}", night, next);
    for inside in [night.start, night.spawn, night.report - TimeDelta::seconds(1), night.brief - TimeDelta::seconds(1)]
    {
        prop_assert_eq!(schedule.night_containing(inside), Some(night));
        prop_assert_eq!(schedule.current_or_next(inside), night);
    }
    if night.brief < next.start {
        prop_assert_eq!(schedule.night_containing(night.brief), None);
        prop_assert_eq!(schedule.current_or_next(night.brief), next);
    }
    let dates: Vec<_> =
        schedule.nights_between(night.start - TimeDelta::seconds(1), next.start).iter().map(|n| n.date).collect();
    prop_assert_eq!(dates, vec![day, next_day(day)]);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_date_has_exactly_one_night_in_every_zone(
        zone in 0..chrono_tz::TZ_VARIANTS.len(),
        day in any_date(),
    ) {
        check_nights(&Schedule { zone: chrono_tz::TZ_VARIANTS[zone], ..Schedule::default() }, day)?;
    }

    #[test]
    fn any_valid_schedule_has_exactly_one_night_a_date(schedule in any_schedule(), day in any_date()) {
        prop_assert_eq!(schedule.validate(), Ok(()));
        check_nights(&schedule, day)?;
    }

    #[test]
    fn the_next_local_time_comes_within_a_day_or_so(
        schedule in any_schedule(),
        day in any_date(),
        minute in 0_u32..1440,
        at in 0_i64..86_400,
    ) {
        let now = day.and_time(NaiveTime::MIN).and_utc() + TimeDelta::seconds(at);
        let next = schedule.next_local_time(now, clock(minute / 60, minute % 60));
        prop_assert!(next > now && next <= now + TimeDelta::hours(27), "{} {}", now, next);
    }
}

#[test]
fn every_clock_change_of_every_zone_keeps_one_night_a_date() {
    // Changes are where it breaks and random dates seldom meet one: look at each day whose length is not 24 hours.
    for zone in chrono_tz::TZ_VARIANTS {
        let schedule = Schedule { zone, ..Schedule::default() };
        let mut day = date("2026-01-01");
        let mut midnight = first_instant(zone, day.and_time(NaiveTime::MIN));
        while day.year() < 2028 {
            let next = first_instant(zone, next_day(day).and_time(NaiveTime::MIN));
            if next - midnight != TimeDelta::days(1) {
                for near in [previous_day(previous_day(day)), previous_day(day), day, next_day(day)] {
                    check_nights(&schedule, near).unwrap_or_else(|e| panic!("{zone} {near}: {e}"));
                }
            }
            (day, midnight) = (next_day(day), next);
        }
    }
}

#[test]
fn the_last_night_started_is_found_through_every_change_of_the_clock() {
    let zones =
        ["America/Nuuk", "Africa/Cairo", "Asia/Beirut", "America/Santiago", "Pacific/Apia", "Australia/Lord_Howe"];
    for (zone, day) in zones.into_iter().flat_map(|zone| {
        ["2026-03-28", "2026-04-04", "2026-04-23", "2026-09-05", "2026-10-24", "2026-10-29", "2011-12-29"]
            .map(|day| (zone, day))
    }) {
        for start in ["23:00", "00:15", "12:00"] {
            let schedule = Schedule { session_start: time(start), ..in_zone(zone) };
            let nights: Vec<Night> = date(day).iter_days().take(6).map(|date| schedule.night(date)).collect();
            let (mut now, end) = (nights[1].start, nights[4].start);
            while now < end {
                let last = nights.iter().rfind(|night| night.start <= now).unwrap();
                assert_eq!(schedule.start_of(schedule.last_started(now)), last.start, "{zone} {now}");
                let on = nights.iter().rfind(|night| night.start <= now && now < night.brief);
                assert_eq!(schedule.night_containing(now).as_ref(), on, "{zone} {now}");
                now += TimeDelta::minutes(15);
            }
        }
    }
}
