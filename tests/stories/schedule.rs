//! When nights happen: late, missed, skipped, in the weeks when clocks change, and when the clock is wrong.

use crate::harness::{On, Overnight, Stage, both};
use overnight::domain::build::Outcome;
use overnight::domain::session::{Phase, SessionKind};

both!(
    a_late_bot_starts_a_late_night,
    a_missed_night_is_told_once,
    three_missed_nights_are_one_message,
    a_missed_night_waits_for_the_brief_of_the_one_that_runs,
    a_skipped_night_does_not_run,
    a_clock_set_back_repeats_nothing,
);

const TASK: &str = "/queue add Fix the labels | 1h | bug";

async fn a_late_bot_starts_a_late_night(stage: Stage) {
    let mut o = stage.start("2026-03-14 21:58").await;
    o.asks(TASK, "📝 #1").await;
    o.is_off_until("2026-03-15 02:00").await;
    o.expect("🌙 Overnight session started").await;
    assert_eq!(o.outcomes(1).await, [Some(Outcome::Verified)], "a late night builds at once");
    o.advance_to("07:00").await;
    let brief = o.expect("🌅 1 ready").await;
    assert!(brief.text.contains("The night began 3.0 h late"), "{}", brief.text);
    assert!(brief.text.contains("off or asleep from 21:58 to 02:00"), "{}", brief.text);
    assert_eq!(o.report("2026-03-14")["started_late_minutes"], 180);
    o.finish().await;
}

async fn a_missed_night_is_told_once(stage: Stage) {
    let mut o = stage.start("2026-03-14 21:58").await;
    o.asks(TASK, "📝 #1").await;
    o.is_off_until("2026-03-15 06:15").await;
    assert_eq!(o.sessions().await[0].phase, Phase::Missed);
    o.advance_to("06:59").await;
    assert!(o.sounding().is_empty());
    o.advance_to("07:00").await;
    let brief = o.expect("🌅 Last night was missed").await;
    assert!(brief.text.contains("off or asleep"), "{}", brief.text);
    assert!(o.builds().await.is_empty());
    o.advance_to("2026-03-16 07:00").await;
    let next = o.expect("🌅 1 ready").await;
    assert!(!next.text.contains("missed"), "{}", next.text);
    assert_eq!(o.sounding(), ["brief:2026-03-14", "brief:2026-03-15"]);
    o.finish().await;
}

async fn three_missed_nights_are_one_message(stage: Stage) {
    let mut o = stage.start("2026-03-14 21:58").await;
    o.asks(TASK, "📝 #1").await;
    o.is_off_until("2026-03-17 12:00").await;
    assert_eq!(o.sessions().await.iter().filter(|s| s.phase == Phase::Missed).count(), 3);
    assert_eq!(o.sounding(), ["brief:2026-03-16"]);
    let brief = o.expect("🌅 Last night was missed").await;
    for night in ["14 March", "15 March"] {
        assert!(brief.text.contains(&format!("The night of {night} was missed")), "{}", brief.text);
    }
    o.advance_to("2026-03-18 07:00").await;
    o.expect("🌅 1 ready").await;
    assert_eq!(o.sounding(), ["brief:2026-03-16", "brief:2026-03-17"]);
    o.finish().await;
}

async fn a_missed_night_waits_for_the_brief_of_the_one_that_runs(stage: Stage) {
    let mut o = stage.start("2026-03-14 21:58").await;
    o.asks(TASK, "📝 #1").await;
    o.is_off_until("2026-03-16 02:00").await;
    assert!(o.sounding().is_empty(), "a sound at two in the morning");
    o.advance_to("07:00").await;
    let brief = o.expect("🌅 1 ready").await;
    assert!(brief.text.contains("The night of 14 March was missed"), "{}", brief.text);
    assert_eq!(o.sounding(), ["brief:2026-03-15"]);
    o.finish().await;
}

async fn a_skipped_night_does_not_run(stage: Stage) {
    let mut o = stage.start("2026-03-14 21:58").await;
    o.asks(TASK, "📝 #1").await;
    o.asks("/night skip", "The night of Saturday, 14 March is left out").await;
    o.asks("/night skip", "Already so").await;
    o.advance_to("2026-03-15 07:00").await;
    assert!(o.builds().await.is_empty());
    let brief = o.expect("🌅").await;
    assert!(brief.text.contains("you asked to skip it"), "{}", brief.text);
    o.advance_to("2026-03-16 07:00").await;
    o.expect("🌅 1 ready").await;
    o.finish().await;
}

async fn a_clock_set_back_repeats_nothing(stage: Stage) {
    let mut o = stage.start("2026-03-14 21:58").await;
    o.asks(TASK, "📝 #1").await;
    o.advance_to("2026-03-15 03:00").await;
    o.clock_is_set_to("2026-03-15 00:00").await;
    o.says("/queue add Fix the names | 1h | bug").await;
    o.expect("#2 Fix the names").await;
    assert_eq!(o.outcomes(2).await, [Some(Outcome::Verified)], "the night goes on");
    o.advance_to("2026-03-15 07:00").await;
    o.expect("🌅 2 ready").await;
    // Set back once more, behind the brief and even behind the start.
    o.clock_is_set_to("2026-03-14 22:30").await;
    o.advance_to("2026-03-15 12:00").await;
    assert_eq!(o.sessions().await.len(), 1);
    assert_eq!(o.sounding(), ["brief:2026-03-14"]);
    assert_eq!(o.builds().await.len(), 2);
    o.finish().await;
}

#[tokio::test]
async fn nights_of_changing_clocks_happen_once() {
    for (zone, evening, dates) in [
        (chrono_tz::Europe::Berlin, "2026-03-28 21:00", ["2026-03-28", "2026-03-29"]),
        (chrono_tz::Europe::Berlin, "2026-10-24 21:00", ["2026-10-24", "2026-10-25"]),
        (chrono_tz::America::Nuuk, "2026-03-27 21:00", ["2026-03-27", "2026-03-28"]),
        (chrono_tz::America::Nuuk, "2026-10-23 21:00", ["2026-10-23", "2026-10-24"]),
        (chrono_tz::Africa::Cairo, "2026-04-23 21:00", ["2026-04-23", "2026-04-24"]),
        (chrono_tz::Africa::Cairo, "2026-10-28 21:00", ["2026-10-28", "2026-10-29"]),
    ] {
        let mut o = Stage::new(On::Phone).zone(zone).start(evening).await;
        two_nights(&mut o, dates).await;
        let sessions = o.sessions().await;
        let nights: Vec<_> = sessions.iter().map(|session| session.date.to_string()).collect();
        assert_eq!(nights, dates, "{zone}");
        assert!(sessions.iter().all(|session| session.kind == SessionKind::Nightly));
        for session in &sessions {
            let local = |at: chrono::DateTime<chrono::Utc>| at.with_timezone(&zone).format("%H:%M").to_string();
            assert_eq!(local(session.brief_at), "07:00", "{zone} {}", session.date);
            assert_eq!(local(session.spawn_until), "06:30", "{zone} {}", session.date);
            assert!(session.started_at <= session.spawn_at && session.spawn_at < session.spawn_until);
        }
        o.finish().await;
    }
}

async fn two_nights(o: &mut Overnight, dates: [&str; 2]) {
    for date in dates {
        let key = format!("brief:{date}");
        for _ in 0..60 {
            if o.sounding().contains(&key) {
                break;
            }
            let next = o.settle().await;
            o.clock_is_at(next);
            o.settle().await;
        }
        o.advance_to("12:00").await;
        assert_eq!(o.sounding().iter().filter(|said| **said == key).count(), 1, "{key}");
        o.expect("🌅").await;
    }
}
