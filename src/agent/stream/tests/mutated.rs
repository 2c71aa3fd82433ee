//! Any bytes, and real streams that were cut, spliced, doubled and flipped: always a report, never a panic, and nothing
//! in it that is unbounded or can't be shown.

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;
use std::path::Path;

fn recorded() -> Vec<(AgentKind, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/agent-streams");
    let mut streams: Vec<(AgentKind, Vec<u8>)> = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if let Some(kind) = name.split('-').next().and_then(|word| word.parse().ok()) {
            streams.push((kind, std::fs::read(path).unwrap()));
        }
    }
    assert!(streams.len() >= 28, "the streams were not found");
    streams
}

/// One change to a stream.
#[derive(Debug, Clone)]
enum Change {
    Cut(usize, usize),
    Double(usize, usize),
    Flip(usize, u8),
    Splice(usize, Vec<u8>),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let at = |at: usize| at % (bytes.len() + 1);
        let range = |from: usize, length: usize| at(from)..(at(from) + length % 4096).min(bytes.len());
        match self {
            Self::Cut(from, length) => drop(bytes.drain(range(*from, *length))),
            Self::Double(from, length) => bytes.extend_from_within(range(*from, *length)),
            Self::Flip(from, byte) => {
                let at = at(*from);
                if let Some(target) = bytes.get_mut(at) {
                    *target = *byte;
                }
            }
            Self::Splice(from, new) => {
                let at = at(*from);
                drop(bytes.splice(at..at, new.iter().copied()));
            }
        }
    }
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (any::<usize>(), any::<usize>()).prop_map(|(from, length)| Change::Cut(from, length)),
        (any::<usize>(), any::<usize>()).prop_map(|(from, length)| Change::Double(from, length)),
        (any::<usize>(), any::<u8>()).prop_map(|(from, byte)| Change::Flip(from, byte)),
        (any::<usize>(), vec(any::<u8>(), 0..40)).prop_map(|(from, new)| Change::Splice(from, new)),
    ]
}

fn check(kind: AgentKind, bytes: &[u8], end: &AgentEnd) {
    let mut stream = Stream::new(kind, reference(), Spent { tokens: Some(5), cost_usd: Some(0.5) });
    for piece in bytes.chunks(997) {
        stream.push(piece);
    }
    let side = Side::read(kind, bytes);
    let report = stream.finish(end, &String::from_utf8_lossy(bytes), Some(&side));
    let texts = [Some(&report.why), report.summary.as_ref(), report.question.as_ref(), report.session_id.as_ref()];
    let texts = texts.into_iter().flatten().chain(&report.denials).chain(&report.leftovers);
    for text in texts {
        assert!(text.chars().count() <= 1000 && !text.chars().any(char::is_control), "{text:?}");
    }
    assert!(report.denials.len() <= 50 && report.windows.len() <= 60 && !report.why.is_empty());
    assert!(report.cost_usd.is_none_or(|cost| cost.is_finite() && cost >= 0.0), "{:?}", report.cost_usd);
    assert!(report.windows.iter().all(|window| (0.0..=1.0).contains(&window.utilization)));
    assert!(report.progress.is_none_or(|progress| progress.percent.is_none_or(|percent| percent <= 100)));
    assert_eq!(report.question.is_some(), report.outcome == Question);
    assert!(report.reset_at.is_none() || report.outcome == Limit);
    assert!(end.stopped != Some(Stopped::Budget) || report.outcome == Budget);
}

fn end() -> impl Strategy<Value = AgentEnd> {
    let stopped =
        prop_oneof![Just(None), Just(Some(Stopped::Asked)), Just(Some(Stopped::Budget)), Just(Some(Stopped::Hung))];
    (any::<Option<u8>>(), any::<Option<u8>>(), stopped).prop_map(|(status, signal, stopped)| AgentEnd {
        status: status.map(i32::from),
        signal: signal.filter(|signal| *signal > 0).map(i32::from),
        stopped,
        at: None,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_survived(bytes in vec(any::<u8>(), 0..2000), end in end()) {
        for kind in AgentKind::ALL {
            check(kind, &bytes, &end);
        }
    }

    #[test]
    fn real_streams_in_any_state_are_survived(which in any::<usize>(), changes in vec(change(), 1..6), end in end()) {
        let streams = recorded();
        let (kind, bytes) = &streams[which % streams.len()];
        let mut bytes = bytes.clone();
        for change in &changes {
            change.apply(&mut bytes);
        }
        check(*kind, &bytes, &end);
        // Another's output is just as well survived.
        check(AgentKind::ALL[which % AgentKind::ALL.len()], &bytes, &end);
    }
}
