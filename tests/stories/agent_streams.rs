//! What is understood of the real CLIs' recorded output. Expectations follow from what each outcome means
//! (`AgentOutcome`), not from what a parser happens to say.

use chrono::{DateTime, Utc};
use overnight::agent::{AgentEnd, AgentOutcome, AgentReport, Reference, Spent, Stopped, Stream};
use overnight::domain::settings::AgentKind;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

/// One recorded stream and what it means.
struct Row {
    file: &'static str,
    kind: AgentKind,
    status: i32,
    outcome: AgentOutcome,
    session: Option<&'static str>,
    reset: Option<&'static str>,
    /// A part of each denial.
    denials: &'static [&'static str],
    tokens: Option<u64>,
    cost: Option<f64>,
    summary: Option<&'static str>,
}

const DONE: Option<&str> = Some("Done. All tests pass.");

const fn row(file: &'static str, kind: AgentKind, status: i32, outcome: AgentOutcome) -> Row {
    Row {
        file,
        kind,
        status,
        outcome,
        session: None,
        reset: None,
        denials: &[],
        tokens: None,
        cost: None,
        summary: None,
    }
}

impl Row {
    const fn session(self, session: &'static str) -> Self {
        Self { session: Some(session), ..self }
    }

    const fn reset(self, reset: &'static str) -> Self {
        Self { reset: Some(reset), ..self }
    }

    const fn denied(self, denials: &'static [&'static str]) -> Self {
        Self { denials, ..self }
    }

    const fn spent(self, tokens: u64, cost: Option<f64>) -> Self {
        Self { tokens: Some(tokens), cost, ..self }
    }

    const fn said(self, summary: Option<&'static str>) -> Self {
        Self { summary, ..self }
    }
}

/// Exit statuses are those of the README beside the streams.
const TABLE: [Row; 31] = {
    use AgentKind::{Claude, Codex, Gemini, OpenCode};
    use AgentOutcome::{Account, Budget, Denied, Failed, Hung, Interrupted, Limit, Success, Transient};
    [
        row("claude-ok", Claude, 0, Success)
            .session("28dce921-2295-4a48-bdb1-6d28f3b86af7")
            .spent(6542, Some(0.00407))
            .said(DONE),
        // 401 after two retries: nothing but the owner's login helps.
        row("claude-not-logged-in", Claude, 1, Account)
            .session("c24bd770-078f-441c-b1b8-5d49389fc409")
            .spent(0, Some(0.0))
            .said(Some("Not logged in · Please run /login")),
        // Both caps were ours, given on the command line. Its `usage` is zero here; `modelUsage` is not.
        row("claude-max-budget", Claude, 1, Budget)
            .session("619416b3-a1fd-471c-a203-702a35b0b3fc")
            .spent(6542, Some(0.00407))
            .said(Some("Reached maximum budget ($0.001)")),
        row("claude-max-turns", Claude, 1, Budget)
            .session("fd8da738-6ae2-4b3b-8829-c3e762716cb0")
            .spent(6542, Some(0.00407))
            .said(Some("Reached maximum number of turns (1)")),
        // Its result says `subtype: success`; `is_error` and `usage_limit_reached` say the truth. 1795382347 is the reset.
        row("claude-limit-mid-run", Claude, 1, Limit)
            .session("f3f0291e-58b9-43ee-888e-2a9eda66d71a")
            .reset("2026-11-22T21:19:07Z")
            .spent(13_084, Some(0.00814))
            .said(Some("You've hit your 5-hour limit · resets 9:19pm (UTC)")),
        row("claude-limit", Claude, 1, Limit)
            .session("b7d19c80-7288-4801-848a-1ba6d551576b")
            .reset("2026-11-22T21:18:15Z")
            .spent(0, Some(0.0))
            .said(Some("You've hit your 5-hour limit · resets 9:18pm (UTC)")),
        // A 429 without a usage limit: too fast, not too much.
        row("claude-api-429", Claude, 1, Transient)
            .session("ba07f6bd-c79e-428b-b18b-a48625b31151")
            .spent(0, Some(0.0))
            .said(Some("API Error: Request rejected (429) · This request would exceed your account's rate limit.")),
        row("claude-overloaded", Claude, 1, Transient)
            .session("7d5029f8-4191-44df-baac-61708a64eb10")
            .spent(0, Some(0.0))
            .said(Some("API Error: 529 Overloaded.")),
        // The same session as claude-limit-mid-run. It states 0.01221 for the session; this run took the difference.
        row("claude-resumed", Claude, 0, Success)
            .session("f3f0291e-58b9-43ee-888e-2a9eda66d71a")
            .spent(6542, Some(0.00407))
            .said(DONE),
        row("claude-resume-unknown-id", Claude, 1, Failed)
            .session("11111111-1111-4111-8111-111111111111")
            .spent(0, Some(0.0))
            .said(Some("No conversation found with session ID: 11111111-1111-4111-8111-111111111111")),
        // Exit status 0, `success`, "Done": and yet its push was refused.
        row("claude-tool-denied", Claude, 0, Denied)
            .session("5dfd5582-eef3-400a-b41e-e41c1e02c266")
            .denied(&["git push origin main"])
            .spent(13_084, Some(0.00814))
            .said(DONE),
        // No result line: what is known of tokens comes from its messages.
        row("claude-sigterm", Claude, 143, Interrupted).session("46081295-2f1b-4f05-83f3-6021a673fa14").spent(2, None),
        // Exit status 0 although it was interrupted. The tool it says was rejected is the one our signal ended.
        row("claude-sigint", Claude, 0, Interrupted)
            .session("5af860e7-1b54-4390-a1d4-2222a7840f25")
            .spent(3, Some(0.000_022)),
        row("codex-ok", Codex, 0, Success).session("01a204b9-25fe-7072-8ae5-d417ae11971d").spent(1542, None).said(DONE),
        // The time is prose, in the machine's zone; see REFERENCE.
        row("codex-limit", Codex, 1, Limit)
            .session("01a204b9-5819-7690-94b3-7ed90c7c5614")
            .reset("2026-11-22T22:05:59Z")
            .said(Some("You’ve hit your usage limit.")),
        row("codex-429", Codex, 1, Transient)
            .session("01a204b9-5d0a-79a0-a9c6-ca7782af734b")
            .said(Some("exceeded retry limit, last status: 429 Too Many Requests")),
        row("codex-500", Codex, 1, Transient)
            .session("01a204b9-6204-7640-926b-8bac45e700a7")
            .said(Some("unexpected status 503 Service Unavailable: overloaded")),
        // Stated for the session; alone the stream can't tell what came before. See `a_running_total_is_a_difference`.
        row("codex-resumed", Codex, 0, Success)
            .session("01a204b9-d09a-7461-97bc-64577892bd6d")
            .spent(4626, None)
            .said(DONE),
        // Its sandbox refused a commit, a file outside and a connection, in a command that ended with 0. It tried them, as
        // Claude Code tried its push; what it needed of them only the check of its result can tell.
        row("codex-sandbox-git-commit", Codex, 0, Denied)
            .session("01a204bf-dd54-73e3-99d6-22eaf7c5990c")
            .denied(&["index.lock': Read-only file system", "escape': Read-only file system"])
            .spent(3084, None)
            .said(DONE),
        row("codex-tool", Codex, 0, Success)
            .session("01a204b9-3edf-70a2-ba94-10346f1790e3")
            .spent(3084, None)
            .said(DONE),
        row("opencode-ok", OpenCode, 0, Success)
            .session("ses_dfb45817cffeWMGUMGS9snYX1d")
            .spent(1542, Some(0.00513))
            .said(DONE),
        row("opencode-ask-rejected", OpenCode, 0, Denied)
            .session("ses_dfb444601ffeaCXHmepr75NMAk")
            .denied(&["echo hello > out3.txt; ls"])
            .spent(1542, Some(0.00513)),
        row("opencode-tool", OpenCode, 0, Success)
            .session("ses_dfb456794ffeqgjiPk0tp7dXMQ")
            .spent(3084, Some(0.01026))
            .said(DONE),
        row("opencode-resumed", OpenCode, 0, Success)
            .session("ses_dfb456794ffeqgjiPk0tp7dXMQ")
            .spent(1542, Some(0.00513))
            .said(DONE),
        // Not a byte until it was killed: 124 is how timeout(1) says so.
        row("opencode-500-hangs", OpenCode, 124, Hung),
        // Its provider said when to come again, and it ended itself so as not to sit that out: 1200 s from then.
        row("opencode-limit-waits", OpenCode, 75, Limit)
            .session("ses_df78cfcc3ffeJ19Xvf7sqhmbm1")
            .reset("2026-11-22T19:45:00Z")
            .spent(110, Some(0.0))
            .said(Some("The usage limit has been reached")),
        // Told no time by a header it tried five times more; the body knows the reset: 1795438621.
        row("opencode-limit-stated", OpenCode, 1, Limit)
            .session("ses_df79845acffepuQuMDQpgIZ1g9")
            .reset("2026-11-23T12:57:01Z")
            .spent(110, Some(0.0))
            .said(Some("The usage limit has been reached")),
        // The same without a usage limit: too fast, not too much.
        row("opencode-429", OpenCode, 1, Transient)
            .session("ses_df79a2e73ffeZZDck5171Sjbys")
            .spent(110, Some(0.0))
            .said(Some("Rate limit reached")),
        row("gemini-ok", Gemini, 0, Success)
            .session("0694e386-2bbe-4af8-babc-a35b7aa9dd4e")
            .spent(1542, None)
            .said(DONE),
        // A daily quota is a usage limit; when it ends it does not say.
        row("gemini-quota", Gemini, 173, Limit)
            .session("9accea73-4c1e-4f13-81d4-e94c500f195b")
            .spent(0, None)
            .said(Some("[API Error: You have exhausted your daily quota on this model.]")),
        row("gemini-tool", Gemini, 0, Success)
            .session("9dda2c1c-97eb-4dae-adcc-b29d5ae07d3e")
            .spent(3084, None)
            .said(DONE),
    ]
};

fn reference() -> Reference {
    Reference { at: time("2026-11-22T19:25:00Z"), zone: chrono_tz::UTC }
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/agent-streams"))
}

fn recorded(name: &str) -> Vec<u8> {
    fs::read(folder().join(format!("{name}.jsonl"))).expect("a recorded stream")
}

fn exited(status: i32) -> AgentEnd {
    AgentEnd { status: Some(status), ..AgentEnd::default() }
}

fn read(kind: AgentKind, bytes: &[u8], end: &AgentEnd) -> AgentReport {
    let mut stream = Stream::new(kind, reference(), Spent::default());
    stream.push(bytes);
    stream.finish(end, "", None)
}

#[test]
fn every_recorded_stream_means_what_it_means() {
    let mut wrong = Vec::new();
    for row in &TABLE {
        let report = read(row.kind, &recorded(row.file), &exited(row.status));
        let mut differs = |what: &str, found: String, expected: String| {
            if found != expected {
                wrong.push(format!("{}: {what} is {found}, not {expected} ({})", row.file, report.why));
            }
        };
        differs("outcome", report.outcome.to_string(), row.outcome.to_string());
        differs("session", format!("{:?}", report.session_id.as_deref()), format!("{:?}", row.session));
        differs("reset", format!("{:?}", report.reset_at), format!("{:?}", row.reset.map(time)));
        differs("tokens", format!("{:?}", report.tokens), format!("{:?}", row.tokens));
        let micro = |cost: Option<f64>| cost.map(|cost| (cost * 1e6).round());
        differs("cost", format!("{:?}", micro(report.cost_usd)), format!("{:?}", micro(row.cost)));
        differs("question", format!("{:?}", report.question), "None".into());
        differs("session gone", report.session_gone.to_string(), row.file.contains("unknown-id").to_string());
        let begins = match (&report.summary, row.summary) {
            (Some(found), Some(wanted)) => found.starts_with(wanted),
            (found, wanted) => found.is_none() && wanted.is_none(),
        };
        differs(
            "summary",
            format!("{:?}", report.summary),
            if begins { format!("{:?}", report.summary) } else { format!("{:?}", row.summary) },
        );
        let named = report.denials.len() == row.denials.len()
            && row.denials.iter().zip(&report.denials).all(|(part, denial)| denial.contains(part));
        differs("all denials named", format!("{named} {:?}", report.denials), format!("true {:?}", report.denials));
        differs("why", report.why.is_empty().to_string(), "false".into());
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn the_table_has_every_recorded_stream_and_its_exit_status() {
    let readme = fs::read_to_string(folder().join("README.md")).expect("the README");
    let listed = |row: &Row| {
        let line = readme.lines().find(|line| line.starts_with(&format!("| `{}.jsonl` |", row.file)));
        line.is_some_and(|line| {
            line.split('|').nth(2).is_some_and(|cell| cell.trim().starts_with(&row.status.to_string()))
        })
    };
    for row in &TABLE {
        assert!(listed(row), "{}: the README gives another exit status than {}", row.file, row.status);
    }
    let streams: BTreeSet<String> = fs::read_dir(folder())
        .expect("the folder")
        .filter_map(|entry| entry.expect("an entry").file_name().to_str()?.strip_suffix(".jsonl").map(str::to_owned))
        .collect();
    assert_eq!(streams, TABLE.iter().map(|row| row.file.to_owned()).collect());
}

#[test]
fn in_whatever_pieces_it_comes_it_means_the_same() {
    for row in &TABLE {
        let bytes = recorded(row.file);
        let whole = read(row.kind, &bytes, &exited(row.status));
        for size in [1, 7, 4096] {
            let mut stream = Stream::new(row.kind, reference(), Spent::default());
            for piece in bytes.chunks(size) {
                stream.push(piece);
            }
            assert_eq!(stream.finish(&exited(row.status), "", None), whole, "{} in pieces of {size}", row.file);
        }
    }
}

#[test]
fn a_running_total_is_a_difference() {
    let before = Spent { tokens: Some(3084), cost_usd: None };
    let mut stream = Stream::new(AgentKind::Codex, reference(), before);
    stream.push(&recorded("codex-resumed"));
    assert_eq!(stream.finish(&exited(0), "", None).tokens, Some(1542));
    // A CLI that began to count anew has spent what it says.
    let mut stream = Stream::new(AgentKind::Codex, reference(), Spent { tokens: Some(9000), cost_usd: None });
    stream.push(&recorded("codex-resumed"));
    assert_eq!(stream.finish(&exited(0), "", None).tokens, Some(4626));
}

#[test]
fn what_we_ended_is_told_by_why_we_ended_it() {
    let ended = |file: &str, kind, stopped| {
        let end = AgentEnd { signal: Some(9), stopped: Some(stopped), ..AgentEnd::default() };
        read(kind, &recorded(file), &end).outcome
    };
    assert_eq!(ended("claude-sigterm", AgentKind::Claude, Stopped::Asked), AgentOutcome::Interrupted);
    assert_eq!(ended("claude-sigterm", AgentKind::Claude, Stopped::Budget), AgentOutcome::Budget);
    assert_eq!(ended("claude-sigterm", AgentKind::Claude, Stopped::Hung), AgentOutcome::Hung);
    // Nobody has to guess why it went silent: the provider's limit stands in the stream.
    assert_eq!(ended("codex-limit", AgentKind::Codex, Stopped::Hung), AgentOutcome::Limit);
    assert_eq!(ended("claude-limit", AgentKind::Claude, Stopped::Hung), AgentOutcome::Limit);
    // A kill that was not ours is no request to end.
    let killed = AgentEnd { signal: Some(9), ..AgentEnd::default() };
    assert_eq!(read(AgentKind::Claude, &recorded("claude-sigterm"), &killed).outcome, AgentOutcome::Failed);
}
