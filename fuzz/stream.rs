//! Whatever an agent's output is: no panic, and a report that is bounded and can be shown. libFuzzer watches the time and
//! the memory of each run.
//!
//! The two folders are compiled in, not the crate: what else it needs would take a quarter of an hour to instrument.

#![no_main]
#![allow(dead_code, unreachable_pub, unused_imports, reason = "only the stream readers are used here")]

#[path = "../src/agent/mod.rs"]
mod agent;
#[path = "../src/domain/mod.rs"]
mod domain;

use agent::{AgentEnd, AgentOutcome, Reference, Side, Spent, Stopped, Stream};
use domain::settings::AgentKind;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let kind: AgentKind = env!("CARGO_BIN_NAME").parse().expect("a target is named as its kind");
    // The first byte says how the process ended, the second how the output comes: both matter as much as what it is.
    let (how, bytes) = bytes.split_first().unwrap_or((&0, &[]));
    let (pieces, bytes) = bytes.split_first().unwrap_or((&0, &[]));
    let stopped = [None, None, Some(Stopped::Asked), Some(Stopped::Budget), Some(Stopped::Hung)];
    let status = [Some(0), Some(1), None, Some(124), Some(143), Some(173), Some(75), Some(41)];
    let end = AgentEnd {
        status: status[usize::from(how >> 3) % status.len()],
        signal: (how & 4 != 0).then_some(15),
        stopped: stopped[usize::from(how & 3) + usize::from(how >> 7)],
        at: None,
    };
    let reference =
        Reference { at: chrono::DateTime::from_timestamp(1_795_375_500, 0).expect("a time"), zone: chrono_tz::UTC };
    let mut stream = Stream::new(kind, reference, Spent { tokens: Some(5), cost_usd: Some(0.5) });
    // Every line of output ends somewhere; what follows the last zero byte is standard error.
    let (out, stderr) = bytes.iter().rposition(|byte| *byte == 0).map_or((bytes, &[][..]), |at| bytes.split_at(at));
    for piece in out.chunks(usize::from(*pieces) * 16 + 1) {
        stream.push(piece);
    }
    let side = Side::read(kind, stderr);
    let report = stream.finish(&end, &String::from_utf8_lossy(stderr), Some(&side));

    let texts = [Some(&report.why), report.summary.as_ref(), report.question.as_ref(), report.session_id.as_ref()];
    for text in texts.into_iter().flatten().chain(&report.denials).chain(&report.leftovers) {
        assert!(text.chars().count() <= 1000 && !text.chars().any(char::is_control), "{text:?}");
    }
    assert!(!report.why.is_empty() && report.denials.len() <= 50 && report.windows.len() <= 60);
    assert!(report.cost_usd.is_none_or(|cost| cost.is_finite() && cost >= 0.0));
    assert!(report.windows.iter().all(|window| (0.0..=1.0).contains(&window.utilization)));
    assert!(report.reset_at.is_none() || report.outcome == AgentOutcome::Limit);
    assert_eq!(report.question.is_some(), report.outcome == AgentOutcome::Question);
});
