//! Locked tasks: they wait for a tap, and a tap counts for exactly what its card showed.

use crate::harness::{Stage, both};
use overnight::domain::build::Outcome;

both!(
    a_locked_task_waits_for_a_tap,
    an_edit_after_the_approval_voids_it,
    a_stale_card_is_refused_with_a_fresh_one,
    a_second_tap_says_already_done,
    an_expired_button_brings_a_fresh_card,
    a_rejected_task_is_never_built,
    a_harmless_label_does_not_unlock,
    a_stranger_is_not_answered,
);

const DASHBOARD: &str = "/queue add Build workout dashboard | 5h | new features";

async fn a_locked_task_waits_for_a_tap(stage: Stage) {
    let mut o = stage.start("2026-03-14 21:58").await;
    let card = o.asks(DASHBOARD, "🔒 #1").await;
    assert!(card.text.contains("new features need your approval"), "{}", card.text);
    o.advance_to("23:20").await;
    assert!(o.builds().await.is_empty());
    o.taps(&card, "Approve").await;
    o.expect("✅ #1 \"Build workout dashboard\" is approved").await;
    assert_eq!(o.outcomes(1).await, [Some(Outcome::Verified)]);
    assert!(!o.again(&card).offers("Approve"), "an approved card still asks");
    // The build used the approval up: nothing is left that a second build could run on.
    assert_eq!(o.audited("approved").await.len(), 1);
    o.asks("/retry 1", "queued again").await;
    o.advance_to("23:50").await;
    assert_eq!(o.builds().await.len(), 1, "an approval was used twice");
    o.asks("/why 1", "need your approval").await;
    o.advance_to("07:00").await;
    let brief = o.expect("🌅 1 ready").await;
    assert!(brief.offers("Approve"), "{brief:#?}");
    o.finish().await;
}

async fn an_edit_after_the_approval_voids_it(stage: Stage) {
    let mut o = stage.start("2026-03-14 21:58").await;
    let card = o.asks(DASHBOARD, "🔒 #1").await;
    o.taps(&card, "Approve").await;
    o.expect("is approved").await;
    let edited = o.asks("/queue edit 1 title: Build another dashboard", "Changed after you approved it").await;
    assert!(o.again(&card).text.contains("#1 was changed; see the newer card"));
    o.advance_to("23:20").await;
    assert!(o.builds().await.is_empty(), "built on an approval of something else");
    o.taps(&edited, "Approve").await;
    o.expect("is approved").await;
    assert_eq!(o.outcomes(1).await, [Some(Outcome::Verified)]);
    o.advance_to("07:00").await;
    o.expect("🌅 1 ready").await;
    o.finish().await;
}

async fn a_stale_card_is_refused_with_a_fresh_one(stage: Stage) {
    let mut o = stage.start("2026-03-14 21:58").await;
    let old = o.asks(DASHBOARD, "🔒 #1").await;
    o.asks("/queue edit 1 title: Build a shop", "🔒 #1 Build a shop").await;
    o.taps(&old, "Approve").await;
    o.expect("was changed since that card was shown, so it is not approved").await;
    let fresh = o.expect("🔒 #1 Build a shop").await;
    assert!(o.audited("approved").await.is_empty());
    o.taps(&fresh, "Approve").await;
    o.expect("\"Build a shop\" is approved").await;
    o.asks("/queue drop 1", "out of the queue").await;
    o.finish().await;
}

async fn a_second_tap_says_already_done(stage: Stage) {
    let mut o = stage.start("2026-03-14 21:58").await;
    let card = o.asks(DASHBOARD, "🔒 #1").await;
    o.taps(&card, "Approve").await;
    o.expect("✅ #1").await;
    o.taps(&card, "Approve").await;
    o.expect("Already done: ✅ #1").await;
    assert_eq!(o.audited("approved").await.len(), 1);
    o.taps_unknown("00000000000000000000000000000000").await;
    o.expect("That button is not known here").await;
    // Typed words need no card.
    o.asks("/approve 1", "is approved already").await;
    o.finish().await;
}

async fn an_expired_button_brings_a_fresh_card(stage: Stage) {
    let mut o = stage.start("2026-03-14 21:58").await;
    let card = o.asks(DASHBOARD, "🔒 #1").await;
    o.advance_to("2026-03-15 07:00").await;
    o.expect("🌅 Nothing was built").await;
    o.advance_to("2026-03-15 22:59").await;
    o.taps(&card, "Approve").await;
    o.expect("That button has expired").await;
    let fresh = o.expect("🔒 #1").await;
    assert!(o.audited("approved").await.is_empty());
    o.taps(&fresh, "Approve").await;
    o.expect("is approved").await;
    o.advance_to("23:20").await;
    assert_eq!(o.outcomes(1).await, [Some(Outcome::Verified)]);
    o.advance_to("07:00").await;
    o.expect("🌅 1 ready").await;
    o.finish().await;
}

async fn a_rejected_task_is_never_built(stage: Stage) {
    let mut o = stage.start("2026-03-14 21:58").await;
    let card = o.asks(DASHBOARD, "🔒 #1").await;
    o.taps(&card, "Reject").await;
    o.expect("✖️ #1 \"Build workout dashboard\" is rejected").await;
    // The other button of the same card can't bring it back.
    o.taps(&card, "Approve").await;
    o.expect("#1 is over; nothing to approve").await;
    o.advance_to("23:30").await;
    assert!(o.builds().await.is_empty());
    o.advance_to("07:00").await;
    o.expect("the queue was empty").await;
    o.finish().await;
}

async fn a_harmless_label_does_not_unlock(stage: Stage) {
    let mut o = stage.start("2026-03-14 21:58").await;
    o.asks("/queue add Email all customers about the new prices | 1h | docs", "🔒 #1").await;
    o.asks("/queue add Rotate the API credentials of the payment provider | 1h | infra", "🔒 #2").await;
    o.asks("/queue add Describe the queue in the README | 1h | docs", "📝 #3").await;
    o.advance_to("23:30").await;
    assert_eq!(o.builds().await.iter().map(|build| build.task.0).collect::<Vec<_>>(), [3]);
    o.advance_to("07:00").await;
    let brief = o.expect("🌅 1 ready · 2 need you").await;
    assert!(brief.text.contains("Locked by its text"), "{}", brief.text);
    o.finish().await;
}

async fn a_stranger_is_not_answered(stage: Stage) {
    let mut o = stage.start("2026-03-14 21:58").await;
    o.stranger_says("/queue add Delete everything | 1h | perf").await;
    o.stranger_says("/status").await;
    assert!(o.messages().is_empty(), "{:#?}", o.messages());
    let seen = o.audited("stranger").await;
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0].actor, "phone:666");
    o.asks("/queue", "📭 The queue is empty").await;
    o.finish().await;
}
