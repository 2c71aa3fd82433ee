use super::*;
use crate::domain::category::Category;
use crate::domain::facts::ThrottleFact;
use crate::domain::facts::sample::{ZONE, at, empty_night, fact, full_night, task};
use crate::domain::throttle::Pressure;
use chrono::TimeZone;
use proptest::prelude::*;

/// A night of builds `(outcome, from, to)`, one a task.
pub(crate) fn night_of(builds: &[(Option<Outcome>, &str, Option<&str>)]) -> NightFacts {
    let mut facts = empty_night();
    facts.builds = (1..)
        .zip(builds)
        .map(|(id, (outcome, from, to))| {
            fact(id, task(id, &format!("Task {id}"), Category::BugFix, 1), *outcome, from, *to)
        })
        .collect();
    facts
}

fn slots(timeline: &Timeline) -> Vec<Vec<i64>> {
    timeline.lanes.iter().map(|lane| lane.blocks.iter().map(|block| block.task.0).collect()).collect()
}

#[test]
fn each_build_takes_the_first_free_slot() {
    let done = Some(Outcome::Verified);
    let facts = night_of(&[
        (done, "14 23:10", Some("15 01:00")),
        (done, "14 23:10", Some("14 23:40")),
        (done, "14 23:40", Some("15 02:00")),
        (None, "15 00:30", None),
        (done, "15 01:30", Some("15 01:30")),
        (done, "15 02:00", Some("15 03:00")),
    ]);
    let timeline = Timeline::of(&facts);
    assert_eq!(slots(&timeline), [vec![1, 5, 6], vec![2, 3], vec![4]]);
    assert_eq!(timeline.lanes.iter().map(|lane| lane.label.as_str()).collect::<Vec<_>>(), ["1", "2", "3"]);
    let mut turned = facts;
    turned.builds.reverse();
    assert_eq!(Timeline::of(&turned), timeline, "the order of rows does not matter");
}

#[test]
fn the_missions_night_is_told_by_fate_band_and_mark() {
    let mut facts = full_night();
    facts.slept = vec![(at("15 04:00"), at("15 04:30"))];
    let timeline = Timeline::of(&facts);
    assert_eq!(timeline.title, "Night of Saturday, 14 March 2026");
    assert_eq!((timeline.from, timeline.to), (at("14 23:00"), at("15 07:00")));
    let fates: Vec<_> = timeline.blocks().iter().map(|block| (block.task.0, block.attempt, block.fate)).collect();
    let expected = [
        (1, 1, Fate::Ready),
        (2, 1, Fate::Retried),
        (4, 1, Fate::Failed),
        (2, 2, Fate::Ready),
        (6, 1, Fate::Unproven),
        (3, 1, Fate::Building),
    ];
    assert_eq!(fates, expected);
    let bands: Vec<_> = timeline.bands.iter().map(|band| (band.kind, band.from, band.to)).collect();
    let expected =
        [(BandKind::Memory, at("15 02:10"), at("15 03:40")), (BandKind::Asleep, at("15 04:00"), at("15 04:30"))];
    assert_eq!(bands, expected);
    let marks: Vec<_> = timeline.marks.iter().map(|mark| (mark.word, mark.at)).collect();
    assert_eq!(marks, [("start", at("14 23:00")), ("report", at("15 06:30")), ("brief", at("15 07:00"))]);
}

/// A passing failure that nobody tries again has failed.
#[test]
fn a_passing_failure_without_another_try_has_failed() {
    let mut facts = night_of(&[(Some(Outcome::Transient), "14 23:10", Some("15 01:00"))]);
    assert_eq!(Timeline::of(&facts).lanes[0].blocks[0].fate, Fate::Retried, "it waits for another");
    facts.builds[0].task.state = crate::domain::task::TaskState::Done;
    assert_eq!(Timeline::of(&facts).lanes[0].blocks[0].fate, Fate::Failed);
}

#[test]
fn a_throttle_is_known_by_its_words() {
    let pressures = [
        (Pressure::Disk { path: "/memory".into(), used: 0.9, available_bytes: 9 }, BandKind::Disk),
        (Pressure::Memory { available: 0.1 }, BandKind::Memory),
        (Pressure::MemoryPressure { avg60: 23.0 }, BandKind::Memory),
    ];
    for (pressure, kind) in pressures {
        assert_eq!(BandKind::of_reason(&pressure.to_string()), kind, "{pressure}");
    }
    assert_eq!(BandKind::of_reason("claude is at its usage limit until 03:00"), BandKind::Limit);
    assert_eq!(BandKind::of_reason("something new"), BandKind::Other);
}

#[test]
fn bands_that_touch_are_one_and_none_leaves_the_axis() {
    let mut facts = empty_night();
    let throttle = |from, until: Option<&str>| ThrottleFact {
        from: at(from),
        until: until.map(at),
        reason: "disk / is 83 % full, 170 B left".into(),
    };
    facts.throttles = vec![
        throttle("14 20:00", Some("14 22:00")),
        throttle("14 22:30", Some("14 23:30")),
        throttle("14 23:20", Some("15 00:00")),
        throttle("15 05:00", None),
    ];
    let bands: Vec<_> = Timeline::of(&facts).bands.iter().map(|band| (band.from, band.to)).collect();
    assert_eq!(bands, [(at("14 23:00"), at("15 00:00")), (at("15 05:00"), at("15 07:00"))]);
}

#[test]
fn the_axis_is_never_empty_nor_longer_than_a_day() {
    let mut facts = night_of(&[(None, "14 23:10", None)]);
    facts.now = at("14 22:00");
    let early = Timeline::of(&facts);
    assert_eq!(early.to - early.from, SHORTEST, "a clock set back");
    facts.now = at("20 09:00");
    let late = Timeline::of(&facts);
    assert_eq!(late.to - late.from, LONGEST);
    assert!(late.marks.iter().all(|mark| mark.at <= late.to));
}

/// Labels of an axis a thousand wide.
fn labels(timeline: &Timeline) -> Vec<String> {
    let axis = axis::Axis::new(timeline, 0.0, 1000.0);
    axis.ticks(timeline, 112.0).into_iter().map(|tick| tick.label).collect()
}

#[test]
fn hours_are_real_and_labels_local_when_clocks_change() {
    let night = |zone: Tz, from: DateTime<Utc>, hours: i64| {
        let mut timeline = Timeline::of(&empty_night());
        (timeline.zone, timeline.from, timeline.to) = (zone, from, from + TimeDelta::hours(hours));
        timeline
    };
    // Spring: 02:00 does not exist. Autumn: 01:00 comes twice.
    let spring = night(ZONE, Utc.with_ymd_and_hms(2026, 3, 8, 4, 0, 0).unwrap(), 7);
    assert_eq!(labels(&spring), ["23:00", "00:00", "01:00", "03:00", "04:00", "05:00", "06:00", "07:00"]);
    assert_eq!(axis::zone_words(&spring), "America/New_York · clocks went forward 60 min");
    let autumn = night(ZONE, Utc.with_ymd_and_hms(2026, 11, 1, 3, 0, 0).unwrap(), 8);
    let shown = ["23:00", "00:00", "01:00", "01:00", "02:00", "03:00", "04:00", "05:00", "06:00"];
    assert_eq!(labels(&autumn), shown);
    assert_eq!(axis::zone_words(&autumn), "America/New_York · clocks went back 60 min");
    // A quarter of an hour off the hour, as in Nepal, and no change at all.
    let nepal = night(chrono_tz::Asia::Kathmandu, Utc.with_ymd_and_hms(2026, 3, 8, 17, 15, 0).unwrap(), 3);
    assert_eq!(labels(&nepal), ["23:00", "23:30", "00:00", "00:30", "01:00", "01:30", "02:00"]);
    assert_eq!(axis::zone_words(&nepal), "Asia/Kathmandu");
}

#[test]
fn no_label_of_a_moment_is_crossed_or_covered() {
    let mut timeline = Timeline::of(&full_night());
    timeline.marks.push(Mark { at: at("14 23:20"), word: "late" });
    timeline.marks.sort_by_key(|mark| mark.at);
    let axis = axis::Axis::new(&timeline, 76.0, 1046.0);
    let flags = axis.flags(&timeline, |text| text_width(text, 26.0, false));
    assert_eq!(flags.len(), 4);
    let span = |flag: &axis::Flag| {
        let width = text_width(&flag.text, 26.0, false) + 8.0;
        if flag.left { (flag.x - width, flag.x - 8.0) } else { (flag.x + 8.0, flag.x + width) }
    };
    for flag in &flags {
        let (from, to) = span(flag);
        for other in flags.iter().filter(|other| *other != flag) {
            let (left, right) = span(other);
            assert!(other.row != flag.row || to < left || right < from, "{flag:?} covers {other:?}");
            // Its line comes down through the rows under its own text.
            let crossed = other.row >= flag.row && (from..to).contains(&other.x);
            assert!(!crossed, "{flag:?} is crossed by {other:?}");
        }
    }
}

#[test]
fn only_what_occurs_is_in_the_legend() {
    let drawn = svg(&Timeline::of(&full_night()));
    for there in ["2 ready", "1 still building", "1 unproven", "1 failed", "1 retried", "Memory short", "02:10–03:40"]
    {
        assert!(drawn.contains(there), "{there}");
    }
    for absent in ["stopped", "unclear", "Disk above", "Usage limit", "asleep"] {
        assert!(!drawn.contains(absent), "{absent}");
    }
    assert!(svg(&Timeline::of(&empty_night())).contains("No build was started"));
}

#[test]
fn foreign_titles_stay_text() {
    let mut facts = night_of(&[(Some(Outcome::Verified), "14 23:10", Some("15 06:00"))]);
    facts.builds[0].task.spec.title = "</text></svg><script>alert(1)</script>".into();
    let drawn = svg(&Timeline::of(&facts));
    assert_eq!((drawn.matches("<svg").count(), drawn.matches("</svg>").count()), (1, 1));
    assert!(!drawn.contains("<script") && drawn.contains("&lt;/text&gt;&lt;/svg&gt;&lt;script&gt;"), "{drawn}");
}

#[test]
fn a_small_picture_is_what_it_was() {
    let mut facts = night_of(&[(Some(Outcome::Verified), "14 23:10", Some("15 01:00")), (None, "15 02:00", None)]);
    facts.throttles = vec![ThrottleFact { from: at("15 01:00"), until: Some(at("15 02:00")), reason: "memory".into() }];
    insta::assert_snapshot!(svg(&Timeline::of(&facts)));
}

proptest! {
    #[test]
    fn builds_in_a_lane_never_overlap(spans in proptest::collection::vec((0_i64..600, 0_i64..300, any::<bool>()), 0..30)) {
        let mut facts = night_of(&vec![(Some(Outcome::Verified), "14 23:00", Some("14 23:00")); spans.len()]);
        for (fact, (from, length, open)) in facts.builds.iter_mut().zip(spans) {
            fact.build.started_at += TimeDelta::minutes(from);
            fact.build.ended_at = (!open).then(|| fact.build.started_at + TimeDelta::minutes(length));
            fact.build.outcome = fact.build.outcome.filter(|_| !open);
        }
        let timeline = Timeline::of(&facts);
        let shown = facts.builds.iter().filter(|fact| fact.build.started_at < timeline.to).count();
        prop_assert_eq!(timeline.blocks().len(), shown);
        for lane in &timeline.lanes {
            for pair in lane.blocks.windows(2) {
                prop_assert!(pair[0].to.is_some_and(|ended| ended <= pair[1].from), "{:?}", pair);
            }
        }
        // No slot more than builds that ran at once.
        let at_once = timeline.blocks().iter().map(|block| {
            timeline.blocks().iter().filter(|other| {
                other.from <= block.from && other.to.is_none_or(|ended| ended > block.from || ended == other.from && other.from == block.from)
            }).count()
        }).max().unwrap_or(1);
        prop_assert!(timeline.lanes.len() <= at_once.max(1));
    }
}
