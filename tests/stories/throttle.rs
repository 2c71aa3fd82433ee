//! When the machine runs short: new builds wait, running ones go on, and only a disk about to fill stops them.

use crate::harness::{Stage, both};
use overnight::domain::build::Outcome;
use overnight::domain::resource::Sample;

both!(
    a_filling_disk_holds_new_builds_back,
    a_full_disk_stops_builds_and_they_start_again,
    memory_has_to_recover_well_before_builds_start_again,
);

fn disk(sample: &mut Sample, percent: u64) {
    let mount = &mut sample.mounts[0];
    mount.used_bytes = mount.total_bytes / 100 * percent;
    mount.available_bytes = mount.total_bytes - mount.used_bytes;
}

fn memory(sample: &mut Sample, percent: u64) {
    sample.memory_available = sample.memory_total / 100 * percent;
}

const HELD: &str = "/queue add Fix the labels | 1h | bug | high | details: agent_waits";
const NEXT: &str = "/queue add Fix the names | 1h | bug";

async fn a_filling_disk_holds_new_builds_back(stage: Stage) {
    // An hour at 85 % would stop running builds as well; here the owner allows it longer.
    let stage = stage.set("limits", "disk_stop_after_minutes = 720");
    let stage = stage.machine("2026-03-15 00:05", |sample| disk(sample, 85));
    let mut o = stage.machine("2026-03-15 02:05", |sample| disk(sample, 60)).start("2026-03-14 21:58").await;
    o.asks(HELD, "📝 #1").await;
    o.advance_to("2026-03-15 00:20").await;
    o.asks(NEXT, "📝 #2").await;
    o.asks("/why 2", "but held up: disk / is 85 % full").await;
    let status = o.asks("/status", "🌙 Overnight · building").await;
    assert!(status.text.contains("🔨 Building (1 of 3)"), "{}", status.text);
    assert!(status.text.contains("⏸️ Held up ⏸️ disk / is 85 % full"), "{}", status.text);
    o.advance_to("2026-03-15 02:00").await;
    assert_eq!(o.building().await, [1], "the running build goes on");
    assert_eq!(o.outcomes(2).await, [], "a build was started on a filling disk");
    o.advance_to("2026-03-15 02:20").await;
    assert_eq!(o.outcomes(2).await, [Some(Outcome::Verified)]);
    o.releases(1).await;
    o.advance_to("07:00").await;
    let brief = o.expect("🌅 2 ready").await;
    assert!(brief.text.contains("⏸️ Throttled"), "{}", brief.text);
    let events = o.report("2026-03-14")["throttle_events"].clone();
    assert_eq!(events.as_array().unwrap().len(), 1, "{events:#}");
    assert!(events[0]["reason"].as_str().unwrap().contains("85 % full"));
    assert!(events[0]["until"].as_str().unwrap().starts_with("2026-03-15T02:"), "{events:#}");
    assert_eq!((o.audited("throttled").await.len(), o.audited("resumed").await.len()), (1, 1));
    o.finish().await;
}

async fn a_full_disk_stops_builds_and_they_start_again(stage: Stage) {
    let stage = stage.machine("2026-03-15 00:05", |sample| disk(sample, 99));
    let mut o = stage.machine("2026-03-15 02:05", |sample| disk(sample, 40)).start("2026-03-14 21:58").await;
    o.asks(HELD, "📝 #1").await;
    o.advance_to("2026-03-15 01:00").await;
    assert_eq!(o.outcomes(1).await, [Some(Outcome::Cancelled)]);
    let build = o.build_of(1).await;
    assert!(build.reason.contains("the disk was filling"), "{}", build.reason);
    assert_eq!(o.task(1).await.attempts, 1, "what may be filling the disk is not tried for ever");
    o.advance_to("2026-03-15 02:20").await;
    assert_eq!(o.building().await, [1], "it did not start again");
    o.releases(1).await;
    assert_eq!(o.outcomes(1).await, [Some(Outcome::Cancelled), Some(Outcome::Verified)]);
    o.advance_to("07:00").await;
    o.expect("🌅 1 ready").await;
    o.finish().await;
}

async fn memory_has_to_recover_well_before_builds_start_again(stage: Stage) {
    let stage = stage.machine("2026-03-14 22:30", |sample| memory(sample, 15));
    let stage = stage.machine("2026-03-15 01:05", |sample| memory(sample, 22));
    let mut o = stage.machine("2026-03-15 03:05", |sample| memory(sample, 30)).start("2026-03-14 21:58").await;
    o.asks(NEXT, "📝 #1").await;
    o.advance_to("23:00").await;
    let started = o.expect("Resource check: 15 % of memory available").await;
    assert!(started.text.contains("Max concurrent: 3 builds"), "{}", started.text);
    o.advance_to("2026-03-15 01:00").await;
    o.asks("/why 1", "but held up: 15 % of memory available").await;
    o.advance_to("2026-03-15 03:00").await;
    assert_eq!(o.outcomes(1).await, [], "22 % is above the limit, not above where it resumes");
    o.advance_to("2026-03-15 03:20").await;
    assert_eq!(o.outcomes(1).await, [Some(Outcome::Verified)]);
    o.advance_to("07:00").await;
    o.expect("🌅 1 ready").await;
    assert_eq!(o.report("2026-03-14")["throttle_events"].as_array().unwrap().len(), 1, "it flapped");
    o.finish().await;
}
