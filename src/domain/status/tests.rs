use super::*;
use crate::domain::category::Category;
use crate::domain::facts::sample::{ZONE, at, dashboard, fact, full_night, session, task, text};
use crate::domain::session::SessionKind;
use proptest::prelude::*;

fn facts() -> StatusFacts {
    let night = full_night();
    let mut session = session();
    session.phase = Phase::Building;
    let mut quiet = fact(9, task(9, "Speed up search", Category::Performance, 4), None, "15 02:00", None);
    quiet.build.attempt = 2;
    StatusFacts {
        approved: std::collections::BTreeSet::new(),
        now: at("15 03:30"),
        zone: ZONE,
        session: Some(session),
        paused: false,
        builds: vec![night.builds[0].clone(), night.builds[4].clone(), dashboard(), quiet],
        next: vec![(task(11, "Tune cache", Category::Performance, 2), "high priority, fits before 06:30".into())],
        waiting: vec![(task(12, "Ship mails", Category::ExternalAction, 2), "waits for #11".into())],
        locked: 2,
        permits_max: 3,
        permits_blocked: vec![],
        resources: vec!["Disk 61 % · memory 40 % · load 1.2".into()],
        next_night: Night {
            date: at("15 12:00").date_naive(),
            start: at("15 23:00"),
            patterns: at("15 23:05"),
            spawn: at("15 23:10"),
            report: at("16 06:30"),
            brief: at("16 07:00"),
        },
        chat_trouble: vec![],
    }
}

#[test]
fn mid_night() {
    insta::assert_snapshot!(text(&status(&facts())), @r#"
        🌙 Overnight · building · until 06:30

        🔨 Building (2 of 3)
        🔨 #3 Workout analytics dashboard
           - ▓▓▓▓▓▓▓░░░ 75 %
           - Working · running for 42 min
           - About 5.7 h left, until 09:10
           > CLAIM: core charts working, adding final polish
        🔨 #9 Speed up search
           - ▓▓▓░░░░░░░ about 37 % by the estimate
           - Working · running for 1.5 h, attempt 2

        🏁 Ended tonight
        ✅ #1 Optimize nutrition calculations: verified, ready
           - Ran for 3.8 h
           - 5.2× faster (210 ms → 40 ms)
        ❌ #4 Fix login crash: failed
           - Ran for 1.8 h
           - the verify command failed twice

        ⏭️ Next
        #11 Tune cache
           - high priority, fits before 06:30

        ⏳ Waiting
        #12 Ship mails
           - waits for #11

        🖥️ This machine
        Disk 61 % · memory 40 % · load 1.2


        🔒 2 tasks wait for your approval
        ⏰ The brief comes at 07:00
        "#);
}

#[test]
fn the_first_line_says_where_the_night_stands() {
    let with = |change: fn(&mut StatusFacts)| {
        let mut facts = facts();
        change(&mut facts);
        status(&facts).verdict
    };
    assert_eq!(with(|f| f.session = None), "☀️ Still building · next night Sun 23:00");
    let idle = |f: &mut StatusFacts| (f.session, f.builds, f.paused) = (None, vec![], true);
    assert_eq!(with(idle), "☀️ Nothing is running · paused · next night Sun 23:00");
    let phase = |f: &mut StatusFacts, phase| f.session.as_mut().unwrap().phase = phase;
    assert_eq!(with(|_| ()), "🌙 Overnight · building · until 06:30");
    assert_eq!(
        with(|f| f.session.as_mut().unwrap().keep_until = Some(at("15 09:00"))),
        "🌙 Overnight · building · until 09:00"
    );
    for (wanted, text) in [
        (Phase::Health, "🌙 Overnight · looking for problems · builds from 23:10"),
        (Phase::Report, "🌙 Overnight · writing the report · brief at 07:00"),
        (Phase::Closed, "🌙 Overnight · brief sent, still building"),
        (Phase::Missed, "☀️ Still building · next night Sun 23:00"),
    ] {
        let mut facts = facts();
        phase(&mut facts, wanted);
        assert_eq!(status(&facts).verdict, text);
    }
}

#[test]
fn a_bar_is_full_only_at_a_hundred() {
    assert_eq!(bar(0), "░░░░░░░░░░");
    assert_eq!(bar(99), "▓▓▓▓▓▓▓▓▓░");
    assert_eq!(bar(100), "▓▓▓▓▓▓▓▓▓▓");
    assert_eq!(bar(250), "▓▓▓▓▓▓▓▓▓▓");
}

#[test]
fn an_estimate_that_has_passed_is_not_called_done() {
    let mut late = facts();
    late.now = at("16 03:30");
    let text = text(&status(&late));
    assert!(text.contains("about 95 % by the estimate") && text.contains("Was expected by 09:10"), "{text}");
}

#[test]
fn the_start_is_told_in_the_missions_words() {
    let mut facts = facts();
    insta::assert_snapshot!(text(&started(&facts)), @r#"
        🌙 Overnight session started


        Context: SLEEPING
        Max concurrent: 3 builds
        Resource check: OK
        🔒 2 tasks wait for your approval
        "#);
    facts.permits_blocked = vec!["disk above 80 %".into(), "memory above 80 %".into()];
    facts.session.as_mut().unwrap().kind = SessionKind::Manual;
    let text = text(&started(&facts));
    assert!(text.contains("Resource check: disk above 80 %; memory above 80 %") && text.contains("Context: AWAKE"));
}

#[test]
fn a_progress_check_is_told_in_the_missions_words() {
    insta::assert_snapshot!(text(&progress_check(&facts())), @r#"
        ⏱️ Progress check 03:30 · 2 building · 1 completed · 1 failed


        Build 1: Optimize nutrition calculations
           - Status: Completed ✅
           - Runtime: 3.8 hours
           - Result: 5.2× faster (210 ms → 40 ms)
        Build 2: Fix login crash
           - Status: Failed ❌
           - Runtime: 1.8 hours
        Build 3: Workout analytics dashboard
           - ▓▓▓▓▓▓▓░░░ · until about 09:10
           - Status: In progress (75%)
           - Runtime: 0.7 hours / 5.0 hours
           > CLAIM: core charts working, adding final polish
        Build 4: Speed up search
           - ▓▓▓░░░░░░░
           - Status: In progress (about 37% by the estimate)
           - Runtime: 1.5 hours / 4.0 hours
        "#);
}

#[test]
fn trouble_with_a_chat_comes_first() {
    let mut facts = facts();
    facts.chat_trouble = vec![("telegram".into(), at("14 22:10"), "Telegram can't be reached".into())];
    let text = text(&status(&facts));
    let lines: Vec<&str> = text.lines().skip(1).take(4).map(str::trim).collect();
    assert_eq!(lines, ["", "📵 Out of reach", "telegram since Sat 22:10", "- Telegram can't be reached"], "{text}");
}

proptest! {
    #[test]
    fn a_status_can_always_be_made(minutes in any::<i32>(), progress in any::<u8>(), estimate in any::<u32>(), many in 0usize..60) {
        let mut facts = facts();
        facts.now += chrono::Duration::minutes(i64::from(minutes));
        for build in &mut facts.builds {
            build.build.progress = Some(progress);
            build.build.progress_text = Some("CLAIM".into());
            build.task.spec.estimate_minutes = estimate;
        }
        facts.builds = std::iter::repeat_n(facts.builds.clone(), many).flatten().collect();
        facts.next = std::iter::repeat_n(facts.next[0].clone(), many).collect();
        for mut message in [status(&facts), progress_check(&facts), started(&facts)] {
            prop_assert!(!message.verdict.is_empty());
            for item in message.sections.iter_mut().flat_map(|s| s.items.iter_mut()) {
                item.quote.clear();
            }
            prop_assert!(!text(&message).contains("CLAIM"));
            prop_assert!(message.sections.iter().all(|s| s.items.len() <= 21));
        }
    }
}
