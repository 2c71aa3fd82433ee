use super::*;
use crate::domain::build::{Outcome, TestsVerdict};
use crate::domain::category::Category;
use crate::domain::facts::ProblemFact;
use crate::domain::facts::sample::{at, dashboard, empty_night, fact, full_night, task, text, verdict as checked};
use crate::domain::task::TaskState;
use proptest::prelude::*;

fn labelled(what: BriefButton) -> Button {
    let (label, typed) = match what {
        BriefButton::Approve(task) => ("✅ Approve", format!("/approve {task}")),
        BriefButton::Reject(task) => ("✖️ Reject", format!("/reject {task}")),
        BriefButton::Review => ("Review", "/review".into()),
        BriefButton::KeepBuilding => ("Keep building", "/keep".into()),
    };
    Button { label: label.into(), id: "0".repeat(32), typed }
}

fn said(facts: &NightFacts) -> String {
    text(&brief(facts, &mut |what| Some(labelled(what))))
}

#[test]
fn a_full_night() {
    insta::assert_snapshot!(said(&full_night()), @r#"
        🌅 2 ready · 1 still building · 1 failed · 1 unverified · 3 need you
        Good morning! Two things are ready: the nutrition calculations (5.2× faster) and the docs for fitness API endpoints. One is still building and should finish by 9:10am. Also fixed two system problems.

        🔴 Red before anything was built
        blog
           - 2 tests fail: a and b

        🚀 What shipped
        ✅ Optimize nutrition calculations (Performance)
           - 5.2× faster (210 ms → 40 ms)
           - 48 tests pass, 2 mended
           - Ready to ship
           - Documentation updated
           - 4 files, +120 −33
           - 3.8 h of building, 4h estimated
           - Kept at overnight/1
           > CLAIM: a 50x speedup, all done
        ✅ Document fitness API endpoints (Documentation)
           - 48 tests pass
           - Ready to ship
           - 2.5 h of building, 3h estimated
           - Kept at overnight/2

        🏗️ Still building
        🔨 Workout analytics dashboard (75% complete)
           - The percentage is the agent's own
           - Running for 4.2 h, 5h estimated
           - Should finish by 9:10am
           > CLAIM: core charts working, adding final polish

        ❌ Failed
        ❌ Fix login crash (Bug fix)
           - The verify command failed twice
           - 2 tests fail: auth::login and auth::logout; they passed before this change
           - Log: subagent_4.log

        ❔ Unverified
        ❔ Refresh cache (Infrastructure)
           - The project has no verify command, so nothing was checked
           - 30 min of building, 1h estimated
           - Not counted as completed
           - Log: subagent_6.log
           > CLAIM: everything works

        🔧 Auto-fixed
        • Cleaned 45 MB of old logs
        • Optimized fitness.db (20% smaller)

        📊 Patterns
        • Sunday: NBA rankings, 0.81 (6 of the last 7 Sundays)
           - Queued as #14 for 6:00

        🔒 Needs you
        🚨 disk: about 2 nights left
        🔒 #8 Post the weekly summary (External actions, 1h)
           - Locked by its text: asks for an e-mail
        [✅ Approve] [✖️ Reject]

        🗒️ Queue
        7 tasks open, 3 ready for tonight

        ⏸️ Throttled
        ⏸️ 02:10–03:40: memory above 80 %

        📝 Notes
        ⏰ The night began 12 min late
        📭 The night of 12 March was missed
        ⚠️ backup: 3 days old


        📊 Total: 6.3 hours of work completed overnight

        Ready to review or should I keep building?
        [Review] [Keep building]
        "#);
}

#[test]
fn a_night_with_nothing() {
    insta::assert_snapshot!(said(&empty_night()), @r#"
        🌅 Nothing was built
        Good morning. Nothing was built: the queue was empty.
        "#);
}

#[test]
fn a_missed_night_says_why_where_it_can() {
    let mut facts = empty_night();
    facts.session.phase = Phase::Missed;
    facts.slept = vec![(at("14 23:00"), at("15 06:12"))];
    (facts.queue_open, facts.queue_ready_tonight) = (2, 2);
    insta::assert_snapshot!(said(&facts), @r#"
        🌅 Last night was missed
        Good morning. Nothing was built: this machine was off or asleep from 23:00 to 06:12.

        🗒️ Queue
        2 tasks open, 2 ready for tonight

        Should I keep building?
        [Keep building]
        "#);
    facts.session.missed_reason = Some("the bot was not running from 22:50 to 06:40.".into());
    assert!(said(&facts).contains("Nothing was built: the bot was not running from 22:50 to 06:40."));
    assert!(said(&facts).contains("off or asleep from 23:00 to 06:12"));
    (facts.session.missed_reason, facts.slept) = (None, vec![]);
    assert!(said(&facts).contains("why is not known"));
}

#[test]
fn a_night_without_a_result_is_told_as_it_was() {
    let mut facts = empty_night();
    let crash = task(1, "Fix crash", Category::BugFix, 2);
    facts.builds = vec![fact(1, crash, Some(Outcome::TimedOut), "14 23:12", Some("15 01:12")), dashboard()];
    let message = brief(&facts, &mut |what| Some(labelled(what)));
    assert_eq!(message.verdict, "🌅 Nothing ready · 1 still building · 1 failed");
    assert_eq!(message.intro, "Good morning. Nothing is ready to ship: one failed and one is still building.");
    assert!(!text(&message).contains("Total"), "nothing was completed");
    assert_eq!(message.closing, "");
    assert!(text(&message).contains("It ran into its time limit"));
}

#[test]
fn why_nothing_was_built_is_said() {
    let mut facts = empty_night();
    facts.waiting_approval = vec![task(8, "Post", Category::ExternalAction, 1)];
    facts.queue_open = 1;
    assert!(said(&facts).starts_with("🌅 Nothing was built · 1 needs you\n"));
    assert!(said(&facts).contains("one task waits for your approval"));
    facts.throttles = vec![crate::domain::facts::ThrottleFact {
        from: at("14 23:10"),
        until: None,
        reason: "disk above 80 %".into(),
    }];
    assert!(said(&facts).contains("Nothing was built: disk above 80 %."));
    assert!(said(&facts).contains("since 23:10: disk above 80 %"));
    facts.stopped_by_owner = true;
    assert!(said(&facts).starts_with("🌅 Stopped by you · Nothing was built"));
}

#[test]
fn every_outcome_is_told_in_its_own_place() {
    let table = [
        (Outcome::Verified, "🚀 What shipped", "1 ready"),
        (Outcome::Unverified, "❔ Unverified", "1 unverified"),
        (Outcome::TestsFailed, "❌ Failed", "1 failed"),
        (Outcome::Flaky, "❔ Unverified", "1 unverified"),
        (Outcome::NoChange, "❌ Failed", "1 failed"),
        (Outcome::Failed, "❌ Failed", "1 failed"),
        (Outcome::Transient, "🔁 Will be tried again", "1 to be tried again"),
        (Outcome::TimedOut, "❌ Failed", "1 failed"),
        (Outcome::Stopped, "⏹️ Stopped", "1 stopped"),
        (Outcome::Cancelled, "⏹️ Stopped", "1 stopped"),
        (Outcome::Unknown, "🔒 Needs you", "1 needs you"),
    ];
    for (outcome, section, verdict) in table {
        let mut facts = empty_night();
        facts.queue_open = 1;
        facts.builds =
            vec![fact(1, task(1, "Tidy up", Category::BugFix, 1), Some(outcome), "14 23:12", Some("15 01:12"))];
        let message = brief(&facts, &mut |what| Some(labelled(what)));
        assert!(message.sections.iter().any(|s| s.title == section), "{outcome}: {}", text(&message));
        assert!(message.verdict.contains(verdict), "{outcome}: {}", message.verdict);
        assert_eq!(message.verdict.contains("1 ready"), outcome == Outcome::Verified);
    }
    let mut facts = empty_night();
    let mut given_up = task(1, "Tidy up", Category::BugFix, 1);
    given_up.state = TaskState::Done;
    facts.builds = vec![fact(1, given_up, Some(Outcome::Transient), "14 23:12", Some("15 01:12"))];
    assert!(said(&facts).contains("1 failed"), "no try is left");
}

#[test]
fn what_ended_after_the_last_brief_is_told_but_not_counted_as_this_night() {
    let mut facts = empty_night();
    let late = task(3, "Build workout dashboard", Category::NewFeature, 5);
    facts.finished_since = vec![fact(3, late, Some(Outcome::Verified), "14 02:00", Some("14 09:00"))];
    let said = said(&facts);
    assert!(said.starts_with("🌅 1 ready\nGood morning! One thing is ready: the workout dashboard."), "{said}");
    assert!(said.contains("Finished after the last brief") && !said.contains("Total"), "{said}");
}

#[test]
fn tests_that_went_missing_are_shown_with_a_verified_result() {
    let mut facts = empty_night();
    let mut fewer =
        fact(1, task(1, "Tidy", Category::BugFix, 1), Some(Outcome::Verified), "14 23:12", Some("15 00:12"));
    fewer.verdict = Some(checked(TestsVerdict::Passed, 40, &[]));
    fewer.base_verdict = Some(checked(TestsVerdict::Passed, 48, &[]));
    facts.builds = vec![fewer];
    assert!(said(&facts).contains("40 tests pass, 8 fewer than before"));
}

#[test]
fn a_long_list_is_counted_and_gets_no_needless_buttons() {
    let mut facts = empty_night();
    facts.waiting_approval = (0..500).map(|n| task(n, "Post", Category::ExternalAction, 1)).collect();
    facts.queue_open = 500;
    let mut made = 0;
    let message = brief(&facts, &mut |what| {
        made += 1;
        Some(labelled(what))
    });
    // Two for each task shown, and keep building.
    assert_eq!(made, 2 * SECTION_ITEMS + 1);
    assert!(text(&message).contains("and 480 more locked tasks"));
    assert!(message.verdict.contains("500 need you"));
    assert_eq!(brief(&facts, &mut |_| None).all_buttons().count(), 0);
}

/// Texts as hostile as they come; every agent's word has a mark that may turn up in quotes only.
fn any_night() -> impl Strategy<Value = NightFacts> {
    let outcome = prop_oneof![
        Just(None),
        (0..8usize).prop_map(|n| {
            use Outcome::{Failed, Flaky, NoChange, TestsFailed, Transient, Unknown, Unverified, Verified};
            Some([Failed, Flaky, NoChange, TestsFailed, Transient, Unknown, Unverified, Verified][n])
        }),
    ];
    let build = (0i64..5, outcome, "\\PC{0,40}", "\\PC{0,40}", any::<u8>(), any::<i32>());
    (proptest::collection::vec(build, 0..8), any::<bool>(), any::<bool>(), "\\PC{0,40}", any::<u32>(), any::<i64>())
        .prop_map(|(builds, missed, stopped, other, count, late)| {
            let mut facts = full_night();
            facts.builds.truncate(usize::from(!missed) * 6);
            for (id, outcome, title, claim, progress, shift) in builds {
                let to = outcome.map(|_| "15 01:00");
                let mut one = fact(id, task(id, &title, Category::BugFix, 1), outcome, "14 23:12", to);
                one.build.progress = Some(progress);
                one.build.progress_text = Some(format!("CLAIM {claim}"));
                one.build.started_at += chrono::Duration::seconds(i64::from(shift));
                one.expected_finish = Some(one.build.started_at);
                facts.finished_since.push(one.clone());
                facts.builds.push(one);
            }
            if missed {
                facts.session.phase = Phase::Missed;
            }
            facts.stopped_by_owner = stopped;
            (facts.queue_open, facts.queue_ready_tonight) = (count, count / 2);
            facts.started_late_minutes = Some(late);
            facts.problems.push(ProblemFact {
                kind: other.clone(),
                severity: "critical".into(),
                subject: other.clone(),
                detail: other,
                fixed: None,
                freed_bytes: u64::MAX,
            });
            facts
        })
}

proptest! {
    #[test]
    fn a_brief_can_always_be_made_and_claims_stay_in_quotes(facts in any_night()) {
        let mut message = brief(&facts, &mut |what| Some(labelled(what)));
        prop_assert!(message.verdict.trim().chars().count() > 2);
        prop_assert!(!message.verdict.contains('\n'));
        for item in message.sections.iter_mut().flat_map(|s| s.items.iter_mut()) {
            prop_assert!(item.buttons.len() <= 3);
            item.quote.clear();
        }
        prop_assert!(!text(&message).contains("CLAIM"));
        let ready = crate::domain::report::report(&facts).tasks_completed;
        prop_assert!(ready == 0 || message.verdict.contains(" ready"));
    }
}
