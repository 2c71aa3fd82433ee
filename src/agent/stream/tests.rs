use super::*;
use crate::domain::agent::Progress;
use AgentKind::{Aider, Claude, Codex, Command, Gemini, OpenCode};
use AgentOutcome::{Account, Budget, Denied, Failed, Hung, Interrupted, Limit, Question, Success, Transient};

mod mutated;

fn reference() -> Reference {
    Reference { at: "2026-11-22T19:25:00Z".parse().unwrap(), zone: Tz::UTC }
}

fn read(kind: AgentKind, status: i32, out: &str, stderr: &str) -> AgentReport {
    let mut stream = Stream::new(kind, reference(), Spent::default());
    stream.push(out.as_bytes());
    stream.finish(&AgentEnd { status: Some(status), ..AgentEnd::default() }, stderr, None)
}

fn events_of(kind: AgentKind, out: &str) -> Vec<AgentEvent> {
    Stream::new(kind, reference(), Spent::default()).push(out.as_bytes())
}

const CLAUDE_DONE: &str = r#"{"type":"result","is_error":false,"subtype":"success","result":"Done.","num_turns":2}"#;
const CODEX_DONE: &str = r#"{"type":"turn.completed","usage":{"input_tokens":10,"output_tokens":2}}"#;
const OPENCODE_STOP: &str =
    r#"{"type":"step_finish","part":{"reason":"stop","tokens":{"input":7,"output":2},"cost":0.5}}"#;
const GEMINI_DONE: &str = r#"{"type":"result","status":"success","stats":{"total_tokens":9}}"#;

/// Ends nobody recorded, by what the CLIs' sources and documentation say of them.
#[test]
fn ends_that_were_not_recorded() {
    let failed = |message: &str| format!(r#"{{"type":"turn.failed","error":{{"message":"{message}"}}}}"#);
    let claude = |fields: &str| format!(r#"{{"type":"result","is_error":true,"subtype":"success",{fields}}}"#);
    let opencode =
        |name: &str, data: &str| format!(r#"{{"type":"error","error":{{"name":"{name}","data":{{{data}}}}}}}"#);
    let gemini = |message: &str| format!(r#"{{"type":"result","status":"error","error":{{"message":"{message}"}}}}"#);
    for (kind, status, out, stderr, outcome) in [
        (Claude, 0, CLAUDE_DONE.into(), "", Success),
        (Claude, 1, CLAUDE_DONE.into(), "", Failed),
        (Claude, 0, String::new(), "", Failed),
        (Claude, 1, "Invalid API key · Please run /login\n".into(), "", Account),
        (Claude, 1, String::new(), "Error: Session ID 1-1 is already in use.", Failed),
        (Claude, 1, claude(r#""api_error_status":400,"result":"Credit balance is too low""#), "", Account),
        (Claude, 1, claude(r#""api_error":"connection_failed","result":"x""#), "", Transient),
        (Claude, 1, claude(r#""api_error_status":400,"result":"prompt is too long""#), "", Failed),
        (Claude, 1, claude(r#""result":"You've hit your weekly limit · resets Nov 25 at 9pm (UTC)""#), "", Limit),
        (Claude, 1, claude(r#""subtype":"error_during_execution","terminal_reason":"model_error""#), "", Failed),
        (Claude, 124, CLAUDE_DONE.into(), "", Hung),
        (Codex, 1, failed("Quota exceeded. Check your plan and billing details."), "", Account),
        (Codex, 1, failed("exceeded retry limit, last status: 401 Unauthorized"), "", Account),
        (Codex, 1, failed("stream disconnected before completion: idle timeout"), "", Transient),
        (Codex, 1, failed("Selected model is at capacity. Please try a different model."), "", Transient),
        (Codex, 1, failed("unexpected status 400 Bad Request: x"), "", Failed),
        (Codex, 1, r#"{"type":"error","message":"unexpected status 502 Bad Gateway"}"#.into(), "", Transient),
        (Codex, 0, r#"{"type":"turn.started"}"#.into(), "", Failed),
        (Codex, 143, r#"{"type":"turn.started"}"#.into(), "", Interrupted),
        (OpenCode, 1, opencode("APIError", r#""message":"slow down","statusCode":429,"isRetryable":true"#), "", Transient),
        (OpenCode, 1, opencode("APIError", r#""message":"x","statusCode":401"#), "", Account),
        (OpenCode, 1, opencode("APIError", r#""message":"You exceeded your current quota","statusCode":429"#), "", Limit),
        (OpenCode, 1, opencode("ProviderAuthError", r#""message":"no key""#), "", Account),
        (OpenCode, 1, opencode("MessageAbortedError", r#""message":"aborted""#), "", Interrupted),
        (OpenCode, 1, opencode("UnknownError", r#""message":"boom""#), "", Failed),
        (OpenCode, 0, OPENCODE_STOP.into(), "level=ERROR message=\"Failed to fetch models.dev\" unable to connect", Success),
        (OpenCode, 0, OPENCODE_STOP.replace("stop", "length"), "", Failed),
        (OpenCode, 0, String::new(), "", Failed),
        (OpenCode, 0, String::new(), "level=ERROR stream error: 429 Too Many Requests", Transient),
        (OpenCode, 124, String::new(), "level=ERROR stream error: insufficient_quota", Account),
        (Gemini, 41, String::new(), "Please set an Auth method in your settings.json", Account),
        (Gemini, 53, r#"{"type":"error","severity":"error","message":"Maximum session turns exceeded"}"#.into(), "", Budget),
        (Gemini, 130, String::new(), "", Interrupted),
        (Gemini, 173, String::new(), "", Transient),
        (Gemini, 1, gemini("[API Error: Resource exhausted: quota of requests per minute]"), "", Transient),
        (Gemini, 173, gemini("You have exhausted your capacity on this model. Your quota will reset after 3h2m1s."), "", Limit),
        (Gemini, 1, gemini("[API Error: got status: 503 UNAVAILABLE]"), "", Transient),
        (Gemini, 44, String::new(), "sandbox failed", Failed),
        (Gemini, 0, GEMINI_DONE.into(), "a warning about quota", Success),
        (Aider, 0, "I changed it.\nTokens: 2.3k sent, 45 received. Cost: $0.0012 message, $0.01 session.\n".into(), "", Success),
        (Aider, 0, "litellm.RateLimitError: AnthropicException - 429\nRetrying in 0.2 seconds...\n".into(), "", Transient),
        (Aider, 0, "litellm.AuthenticationError: invalid x-api-key\nThe API provider is not able to authenticate you. Check your API key.\n".into(), "", Account),
        (Aider, 0, "litellm.APIConnectionError: no\nI changed it.\nTokens: 2 sent, 1 received.\n".into(), "", Success),
        (Aider, 1, "boom\n".into(), "", Failed),
        (Command, 0, "all done\n".into(), "", Success),
        (Command, 75, "not now\n".into(), "", Transient),
        (Command, 3, "rate limit\n".into(), "usage limit reached", Failed),
        (Command, 130, String::new(), "", Interrupted),
        (Command, 124, String::new(), "", Hung),
        (Command, 139, String::new(), "", Failed),
    ] {
        let report = read(kind, status, &format!("{out}\n"), stderr);
        assert_eq!(report.outcome, outcome, "{kind} {status} {out} {stderr}: {}", report.why);
        assert!(!report.why.is_empty(), "{kind} {status} {out}");
        assert!(report.reset_at.is_none() || outcome == Limit, "{kind} {out}");
    }
}

#[test]
fn a_question_is_one_only_at_a_clean_end_and_in_the_agreed_form() {
    let claude = |text: &str| CLAUDE_DONE.replace("Done.", text);
    let message = |text: &str| {
        format!(r#"{{"type":"item.completed","item":{{"type":"agent_message","text":"{text}"}}}}{CODEX_DONE}"#)
    };
    for (kind, status, out, expected) in [
        (Claude, 0, claude(r"I looked.\nQUESTION: Keep v1?"), Some("Keep v1?")),
        (Claude, 0, claude("Done. Anything else?"), None),
        (Claude, 1, claude(r"QUESTION: Keep v1?"), None),
        (Codex, 0, message("QUESTION: Keep v1?"), Some("Keep v1?")),
        (Codex, 0, message("Should I go on? I did."), None),
        (
            OpenCode,
            0,
            format!(r#"{{"type":"text","part":{{"text":"QUESTION: Keep v1?"}}}}{OPENCODE_STOP}"#),
            Some("Keep v1?"),
        ),
        (
            Gemini,
            0,
            format!(
                r#"{{"type":"message","role":"assistant","delta":true,"content":"QUEST"}}{{"type":"message","role":"assistant","delta":true,"content":"ION: Keep v1?"}}{GEMINI_DONE}"#
            ),
            Some("Keep v1?"),
        ),
        (Aider, 0, "I looked.\nQUESTION: Keep v1?\nTokens: 2 sent, 1 received.\n".into(), Some("Keep v1?")),
        (Command, 0, "looking\nPROGRESS 40 reading\nQUESTION: Keep v1?\n".into(), Some("Keep v1?")),
        (Command, 0, "QUESTION: Keep v1?\nnever mind, done\n".into(), None),
        (Command, 75, "QUESTION: Keep v1?\n".into(), None),
    ] {
        let report = read(kind, status, &out, "");
        assert_eq!(
            (report.question.as_deref(), report.outcome == Question),
            (expected, expected.is_some()),
            "{kind} {out}"
        );
    }
}

#[test]
fn a_question_by_a_tool_counts_if_nothing_was_done_after_it() {
    let ask = r#"{"type":"assistant","message":{"id":"m","content":[{"type":"tool_use","id":"t","name":"AskUserQuestion","input":{"questions":[{"question":"Keep v1?"}]}}]}}
{"type":"system","subtype":"permission_denied","tool_use_id":"t","tool_name":"AskUserQuestion"}
"#;
    let report = read(Claude, 0, &format!("{ask}{CLAUDE_DONE}"), "");
    assert_eq!((report.outcome, report.question.as_deref(), report.denials.len()), (Question, Some("Keep v1?"), 0));
    let after = r#"{"type":"assistant","message":{"id":"n","content":[{"type":"tool_use","id":"u","name":"Edit","input":{}}]}}"#;
    assert_eq!(read(Claude, 0, &format!("{ask}{after}\n{CLAUDE_DONE}"), "").outcome, Success);

    let tool = r#"{"type":"tool_use","part":{"tool":"question","state":{"status":"error","error":"The user dismissed this question","input":{"questions":[{"question":"Keep v1?"}]}}}}"#;
    let finish = OPENCODE_STOP.replace("stop", "tool-calls");
    assert_eq!(read(OpenCode, 0, &format!("{tool}\n{finish}"), "").question.as_deref(), Some("Keep v1?"));
}

#[test]
fn what_is_refused_is_named_once() {
    let policy = r#"{"type":"tool_use","tool_id":"1","tool_name":"run_shell_command","parameters":{"command":"gh pr create"}}
{"type":"tool_result","tool_id":"1","status":"error","error":{"type":"policy_violation","message":"Tool execution denied by policy."}}
"#;
    let report = read(Gemini, 0, &format!("{policy}{policy}{GEMINI_DONE}"), "");
    assert_eq!((report.outcome, report.denials), (Denied, vec!["run_shell_command: gh pr create".to_owned()]));

    let command = |status: &str, code: i32, output: &str| {
        let item = serde_json::json!({"type": "command_execution", "command": "/bin/bash -lc 'make it'", "status": status,
            "exit_code": code, "aggregated_output": output});
        read(Codex, 0, &format!("{}\n{CODEX_DONE}", serde_json::json!({"type": "item.completed", "item": item})), "")
    };
    assert_eq!(command("declined", -1, "").denials, ["make it"]);
    assert_eq!(command("failed", 1, "touch: /x: Operation not permitted\n").outcome, Denied);
    assert_eq!(command("failed", 1, "bwrap: execvp codex-linux-sandbox: No such file or directory\n").outcome, Denied);
    // What people write about, and what fails for other reasons, is not refused.
    assert_eq!(command("completed", 0, "docs: Read-only file system errors explained\n").outcome, Success);
    assert_eq!(command("completed", 0, "chown: x: Operation not permitted\n").outcome, Success);
    assert_eq!(command("failed", 1, "./run.sh: Permission denied\n").outcome, Success);
}

#[test]
fn progress_is_what_structured_events_say() {
    let last = |kind, out: &str| {
        let mut said = events_of(kind, out).into_iter().filter_map(|event| match event {
            AgentEvent::Progress(Progress { percent, text, estimated }) => {
                assert!(!estimated);
                Some((percent, text))
            }
            _ => None,
        });
        said.next_back().unwrap_or_default()
    };
    let todos = r#"[{"content":"a","status":"completed"},{"content":"b","status":"in_progress","activeForm":"doing b"},{"content":"c","status":"pending"}]"#;
    let claude = |name: &str, input: &str| {
        format!(
            r#"{{"type":"assistant","message":{{"id":"m","content":[{{"type":"tool_use","id":"1","name":"{name}","input":{input}}}]}}}}"#
        )
    };
    let expected = (Some(33), "doing b".to_owned());
    assert_eq!(last(Claude, &format!("{}\n", claude("TodoWrite", &format!(r#"{{"todos":{todos}}}"#)))), expected);
    assert_eq!(
        last(
            OpenCode,
            &format!(
                "{{\"type\":\"tool_use\",\"part\":{{\"tool\":\"todowrite\",\"state\":{{\"input\":{{\"todos\":{todos}}}}}}}}}\n"
            )
        ),
        expected
    );
    assert_eq!(
        last(
            Gemini,
            &format!("{{\"type\":\"tool_use\",\"tool_name\":\"write_todos\",\"parameters\":{{\"todos\":{todos}}}}}\n")
        ),
        expected
    );
    let codex = r#"{"type":"item.updated","item":{"type":"todo_list","items":[{"text":"a","completed":true},{"text":"b","completed":false}]}}"#;
    assert_eq!(last(Codex, &format!("{codex}\n")), (Some(50), "b".to_owned()));

    let pieces = [
        claude("TaskCreate", r#"{"subject":"a","activeForm":"doing a"}"#),
        claude("TaskCreate", r#"{"subject":"b"}"#),
        claude("TaskUpdate", r#"{"taskId":"1","status":"completed"}"#),
        claude("TaskUpdate", r#"{"taskId":"2","status":"in_progress"}"#),
        claude("TaskUpdate", r#"{"taskId":"99","status":"completed"}"#),
        String::new(),
    ];
    assert_eq!(last(Claude, &pieces.join("\n")), (Some(50), "b".to_owned()));
    // What it does next does not lose how far it is; and prose is no claim.
    let then = format!("{}\n{}\n", pieces.join("\n"), claude("Bash", r#"{"command":"cargo test"}"#));
    assert_eq!(last(Claude, &then), (Some(50), "Bash: cargo test".to_owned()));
    let message = |text: &str| {
        format!("{{\"type\":\"item.completed\",\"item\":{{\"type\":\"agent_message\",\"text\":\"{text}\"}}}}\n")
    };
    assert_eq!(last(Codex, &message(r"so far:\nPROGRESS 60 tests")), (Some(60), "tests".to_owned()));
    assert_eq!(last(Codex, &message("40% faster now")), (None, String::new()));
    assert_eq!(last(Command, "40% built\n"), (Some(40), "built".to_owned()));
}

#[test]
fn spending_is_told_while_it_runs() {
    let message = |id: &str, tokens: u32| {
        format!(
            r#"{{"type":"assistant","message":{{"id":"{id}","usage":{{"input_tokens":{tokens},"cache_read_input_tokens":5,"output_tokens":1}}}}}}"#
        )
    };
    let out = [message("a", 10), message("a", 10), message("b", 20), String::new()].join("\n");
    let usage = |event: &AgentEvent| match event {
        AgentEvent::Usage { spent, turns } => Some((spent.tokens.unwrap_or(0), *turns)),
        _ => None,
    };
    let told: Vec<(u64, u32)> = events_of(Claude, &out).iter().filter_map(usage).collect();
    assert_eq!(told, [(16, 1), (42, 2)], "the same message twice is counted once");

    let step = format!("{OPENCODE_STOP}\n{OPENCODE_STOP}\n");
    assert_eq!(events_of(OpenCode, &step).iter().filter_map(usage).next_back(), Some((18, 2)));
    let report = read(
        Aider,
        0,
        "Tokens: 2.5k sent, 1k cache hit, 45 received. Cost: $0.25 message, $9 session.\nTokens: 1M sent, 0 received.\n",
        "",
    );
    assert_eq!((report.tokens, report.cost_usd, report.turns), (Some(1_002_545), Some(0.25), Some(2)));
    // Two results in one run add up.
    let result = |share: f64| {
        format!(
            r#"{{"type":"result","is_error":false,"result":"x","total_cost_usd":9.0,"model_usage_since_last_result":{{"m":{{"inputTokens":3,"costUSD":{share}}}}}}}"#
        )
    };
    let report = read(Claude, 0, &format!("{}\n{}\n", result(0.25), result(0.5)), "");
    assert_eq!((report.tokens, report.cost_usd), (Some(6), Some(0.75)));
}

#[test]
fn a_session_that_is_gone_is_told_from_other_failures() {
    for (kind, stderr) in [
        (Claude, "No conversation found with session ID: 1"),
        (Codex, "Error: thread/resume: thread/resume failed: no rollout found for thread id 1 (code -32600)"),
        (OpenCode, "\u{1b}[91mError: \u{1b}[0mSession not found"),
        (Gemini, "Error resuming session: Invalid session identifier \"1\"."),
    ] {
        let report = read(kind, 1, "", stderr);
        assert_eq!((report.outcome, report.session_gone), (Failed, true), "{kind}");
        assert!(!read(kind, 1, "", "boom").session_gone, "{kind}");
    }
}

#[test]
fn codexs_own_file_tells_the_windows_the_reset_and_the_tokens() {
    let told = |used: u32| {
        format!(
            r#"{{"type":"event_msg","payload":{{"type":"token_count","info":{{"total_token_usage":{{"input_tokens":90,"output_tokens":10}}}},"rate_limits":{{"primary":{{"used_percent":{used}.0,"window_minutes":300,"resets_at":1795382347}},"secondary":{{"used_percent":13.5,"window_minutes":10080,"resets_at":1795775147}}}}}}}}"#
        )
    };
    let side = Side::read(Codex, format!("half a line}}\n{}\n{}\n", told(42), told(100)).as_bytes());
    let names: Vec<(&str, f64)> =
        side.windows.iter().map(|window| (window.name.as_str(), window.utilization)).collect();
    assert_eq!((names, side.tokens), (vec![("five_hour", 1.0), ("seven_day", 0.135)], Some(100)));
    let mut stream = Stream::new(Codex, reference(), Spent { tokens: Some(30), cost_usd: None });
    stream.push(br#"{"type":"turn.failed","error":{"message":"You've hit your usage limit. try again at 10:05 PM."}}"#);
    let report = stream.finish(&AgentEnd { status: Some(1), ..AgentEnd::default() }, "", Some(&side));
    // A number is better than prose.
    assert_eq!(report.reset_at.unwrap().timestamp(), 1_795_382_347);
    assert_eq!((report.outcome, report.tokens, report.windows.len()), (Limit, Some(70), 2));
    assert_eq!(Side::read(Claude, told(100).as_bytes()), Side::default());
}

#[test]
fn jobs_left_behind_are_named_and_those_that_ended_are_not() {
    let job = |id: &str| {
        format!(
            r#"{{"type":"system","subtype":"task_started","task_id":"{id}","is_backgrounded":true,"description":"serve {id}"}}"#
        )
    };
    let ended = r#"{"type":"system","subtype":"task_notification","task_id":"a","status":"completed"}"#;
    let report = read(Claude, 0, &[job("a"), job("b"), ended.to_owned(), CLAUDE_DONE.to_owned()].join("\n"), "");
    assert_eq!((report.outcome, report.leftovers.as_slice()), (Success, ["serve b".to_owned()].as_slice()));
    assert!(report.why.contains("serve b"), "{}", report.why);
}

#[test]
fn wrong_types_long_texts_and_control_characters_do_no_harm() {
    let out = r#"{"type":"result","is_error":"no","subtype":7,"result":["x"],"num_turns":-1,"total_cost_usd":"free","usage":3,"modelUsage":[],"permission_denials":{"a":1},"session_id":{}}"#;
    let report = read(Claude, 0, out, "");
    assert_eq!((report.outcome, report.summary, report.session_id, report.cost_usd), (Success, None, None, None));
    let huge = r#"{"type":"turn.completed","usage":{"input_tokens":18446744073709551615,"output_tokens":1e300}}"#;
    assert_eq!(read(Codex, 0, huge, "").tokens, Some(u64::MAX));
    let bad_id = r#"{"type":"thread.started","thread_id":"--help"}{"type":"thread.started","thread_id":"a b"}"#;
    assert_eq!(read(Codex, 0, bad_id, "").session_id, None, "it becomes an argument");
    let text = "\\u001b[2J\\u202eab\\nc".to_owned() + &"x".repeat(9000);
    let report = read(Claude, 0, &CLAUDE_DONE.replace("Done.", &text), "");
    let summary = report.summary.unwrap();
    assert_eq!(read(Codex, 1, "\u{1}\n", "\u{0}\u{202e}").why, "it ended with exit status 1", "found by fuzzing");
    assert!(summary.starts_with("[2Jab c") && summary.chars().count() == SUMMARY_CHARS, "{summary}");
}

#[test]
fn what_it_said_last_is_its_summary_without_its_progress() {
    let message = |text: &str| {
        format!("{{\"type\":\"item.completed\",\"item\":{{\"type\":\"agent_message\",\"text\":\"{text}\"}}}}\n")
    };
    let out = format!("{}{}{CODEX_DONE}", message("first"), message(r"PROGRESS 90 nearly\nI fixed it."));
    assert_eq!(read(Codex, 0, &out, "").summary.as_deref(), Some("I fixed it."));
    assert_eq!(read(Command, 0, "a\nb\nPROGRESS 50 x\nc\n\n", "").summary.as_deref(), Some("c"));
    assert_eq!(read(Codex, 1, "", "Error: no such model").summary.as_deref(), Some("Error: no such model"));
}
