use super::*;
use chrono::NaiveDate;
use proptest::prelude::*;

fn context_names() -> (Vec<String>, Vec<String>) {
    (vec!["Fitness".into(), "docs".into(), "web-app".into()], vec!["claude".into(), "codex".into()])
}

fn read(text: &str) -> Result<Command, ParseError> {
    let (projects, agents) = context_names();
    parse(text, &ParseContext { projects: &projects, agents: &agents })
}

fn added(text: &str) -> Draft {
    match read(text) {
        Ok(Command::QueueAdd(mut drafts)) if drafts.len() == 1 => drafts.remove(0),
        other => panic!("{text:?}: {other:?}"),
    }
}

fn refused(text: &str) -> String {
    let message = match read(text) {
        Err(error) => error.message,
        Ok(command) => panic!("{text:?} was read as {command:?}"),
    };
    assert!(!message.contains(['\n', '\0', '\u{1b}', '\u{202e}']), "one printable line: {message:?}");
    message
}

fn id(n: i64) -> TaskId {
    TaskId(n)
}

fn time(hour: u32, minute: u32) -> NaiveTime {
    NaiveTime::from_hms_opt(hour, minute, 0).unwrap()
}

#[test]
fn commands_are_read_in_any_case_and_with_a_bots_name() {
    let cases = [
        ("/start", Command::Start),
        ("/start abc123", Command::Start),
        ("/HELP", Command::Help { topic: None }),
        ("/help /Queue", Command::Help { topic: Some("queue".into()) }),
        ("/queue", Command::QueueList { filter: None, page: 0 }),
        ("/queue@NightBot", Command::QueueList { filter: None, page: 0 }),
        ("/queue fitness", Command::QueueList { filter: Some("fitness".into()), page: 0 }),
        ("/queue list locked", Command::QueueList { filter: Some("locked".into()), page: 0 }),
        ("/queue list locked 3", Command::QueueList { filter: Some("locked".into()), page: 2 }),
        ("/queue list 2", Command::QueueList { filter: None, page: 1 }),
        ("/undo #3", Command::Undo(TaskId(3))),
        ("/snooze 3", Command::Snooze(TaskId(3))),
        ("/queue show #3", Command::QueueShow(id(3))),
        ("/queue 3", Command::QueueShow(id(3))),
        ("/queue drop 3, #5 and 3", Command::QueueDrop(vec![id(3), id(5)])),
        ("/Approve@NightBot 3 #5", Command::Approve(vec![id(3), id(5)])),
        (
            "/reject 3 because it is\ntoo early",
            Command::Reject { task: id(3), reason: "because it is\ntoo early".into() },
        ),
        ("/reject 3", Command::Reject { task: id(3), reason: String::new() }),
        ("  /status \n", Command::Status),
        ("/brief", Command::Brief),
        ("/report", Command::Report),
        ("/log 12", Command::Log { task: id(12), lines: 40 }),
        ("/log #12 50", Command::Log { task: id(12), lines: 50 }),
        ("/stop 12", Command::Stop(StopTarget::Task(id(12)))),
        ("/stop ALL", Command::Stop(StopTarget::All)),
        ("/retry 4", Command::Retry(id(4))),
        ("/run #4", Command::Run(id(4))),
        ("/why 4", Command::Why(id(4))),
        ("/night start", Command::Night(NightCommand::Start)),
        ("/night stop", Command::Night(NightCommand::Stop)),
        ("/night pause", Command::Night(NightCommand::Pause)),
        ("/night Resume", Command::Night(NightCommand::Resume)),
        ("/night skip", Command::Night(NightCommand::Skip)),
        ("/health", Command::Health { fix: false }),
        ("/health fix", Command::Health { fix: true }),
        ("/metrics", Command::Metrics),
        ("/plan", Command::Plan),
        ("/audit", Command::Audit { lines: 20 }),
        ("/audit 7", Command::Audit { lines: 7 }),
        ("/keep", Command::KeepBuilding { until: None }),
        ("/keep building", Command::KeepBuilding { until: None }),
        ("/keep until 11:30", Command::KeepBuilding { until: Some(time(11, 30)) }),
        ("/keep until 9am", Command::KeepBuilding { until: Some(time(9, 0)) }),
        ("/review", Command::Review),
        ("/snapshots", Command::Snapshots),
        (" make it faster", Command::Plain(" make it faster".into())),
    ];
    for (text, wanted) in cases {
        assert_eq!(read(text), Ok(wanted), "{text:?}");
    }
}

#[test]
fn a_mistake_is_answered_with_what_to_type() {
    let cases = [
        ("", "empty"),
        ("/aprove 3", "Did you mean /approve?"),
        ("/staus", "Did you mean /status?"),
        ("/frobnicate", "/help lists"),
        ("/", "/help lists"),
        ("/qu\u{202e}eue add x", "Did you mean /queue?"),
        ("/approve", "/approve 3 5"),
        ("/approve all", "no task numbers"),
        ("/approve 3 x", "no task numbers"),
        ("/approve 0", "no task numbers"),
        ("/reject because", "no task number"),
        ("/stop", "/stop all"),
        ("/stop everything", "no task number"),
        ("/run 99999999999999999999", "no task number"),
        ("/log 12 0", "1 to 500"),
        ("/log 12 501", "1 to 500"),
        ("/audit 1000", "1 to 200"),
        ("/night", "start, stop, pause, resume, skip"),
        ("/night skip tomorrow", "start, stop, pause, resume, skip"),
        ("/keep until", "11:30"),
        ("/keep until late", "no time of day"),
        ("/keep until 25:00", "no time of day"),
        ("/health fxi", "/health fix"),
        ("/status now", "takes nothing after it"),
        ("/queue ad Build it", "Did you mean /queue add?"),
        ("/queue Build the dashboard", "write /queue add Build the dashboard"),
        ("/queue add", "title is missing"),
        ("/queue add | 4h | perf", "no title"),
        ("/queue add Build it | 9h", "0.1–8 h"),
        ("/queue add Build it | 9h", "split"),
        ("/queue add Build it | 5m", "0.1–8 h"),
        ("/queue add Build it | 0h", "0.1–8 h"),
        ("/queue add Build it | 4h | 2h", "second estimate"),
        ("/queue add Build it | docs | perf", "a category or a project"),
        ("/queue add Build it | priority: hihg", "critical, high, medium, low"),
        ("/queue add Build it | category: nonsense", "no category"),
        ("/queue add Build it | project: nowhere", "use Fitness, docs, web-app"),
        ("/queue add Build it | agent: gpt", "use claude, codex"),
        ("/queue add Build it | estimate: soon", "4h or 90m"),
        ("/queue add Build it | not before 25:00", "no time"),
        ("/queue add Build it | not before: soon", "no time"),
        ("/queue add Build it | ! echo \"half", "never closed"),
        ("/queue add Build it | ! echo “x”", "curly quotes"),
        ("/queue add Build it | ! ", "no program"),
        ("/queue add Build it | command: ''", "no program"),
        ("/queue add Build it | ! echo a\0b", "NUL"),
        ("/queue add\n- one\n- two | 99h", "Task 2 of the list"),
        ("/queue edit", "number is missing"),
        ("/queue edit 3", "What shall change?"),
        ("/queue edit 3 hihg", "names nothing to change"),
        ("/queue edit 3 title:", "1 to 200"),
    ];
    for (text, part) in cases {
        let message = refused(text);
        assert!(message.contains(part), "{text:?}: {message}");
    }
}

#[test]
fn the_whole_task_on_one_line_in_any_order() {
    let wanted = Draft {
        title: Some("Optimize the report query".into()),
        category: Some(Category::Performance),
        priority: Some(Priority::High),
        project: Some("Fitness".into()),
        estimate_minutes: Some(240),
        ..Draft::default()
    };
    for text in [
        "/queue add Optimize the report query | 4h | perf | high | fitness",
        "/queue add fitness|HIGH|4 hours|Performance Optimization|Optimize the report query",
        "/queue add title: Optimize the report query | estimate: 4 | category: perf | priority: high | project: FITNESS",
        "/Queue@Bot ADD 240m | | Optimize the report query | speed | high | fitness | high |",
        "/add Optimize the report query | 4.0 | perf | high | fitness",
        "/queue add\u{a0}Optimize the report query\u{3000}| 4h | perf | high | fitness",
    ] {
        assert_eq!(added(text), wanted, "{text}");
    }
}

#[test]
fn each_field_has_its_forms() {
    assert_eq!(added("/add x | 0.5 h").estimate_minutes, Some(30));
    assert_eq!(added("/add x | 0,5h").estimate_minutes, Some(30));
    assert_eq!(added("/add x | 90m").estimate_minutes, Some(90));
    assert_eq!(added("/add x | 1h30").estimate_minutes, Some(90));
    assert_eq!(added("/add x | 1h 30 min").estimate_minutes, Some(90));
    assert_eq!(added("/add x | 8h").estimate_minutes, Some(480));
    assert_eq!(added("/add x | 0.1h").estimate_minutes, Some(6));
    assert_eq!(added("/add x | action").kind, Some(TaskKind::Action));
    assert_eq!(added("/add x | action").category, None);
    assert_eq!(added("/add x | external").category, Some(Category::ExternalAction));
    assert_eq!(added("/add x | category: docs").category, Some(Category::Documentation));
    assert_eq!(added("/add x | project: docs").project, Some("docs".into()));
    assert_eq!(added("/add x | agent:CODEX").agent, Some("codex".into()));
    assert_eq!(added("/add x | claude").agent, Some("claude".into()));
    assert_eq!(added("/add x | after #3").depends_on, Some(vec![id(3)]));
    assert_eq!(added("/add x | After #3,#5 and 5").depends_on, Some(vec![id(3), id(5)]));
    assert_eq!(added("/add x | depends on: 3").depends_on, Some(vec![id(3)]));
    assert_eq!(added("/add x | not before 02:00").not_before, Some(NotBefore::Time(time(2, 0))));
    assert_eq!(added("/add x | after 2:30pm").not_before, Some(NotBefore::Time(time(14, 30))));
    let at = NaiveDate::from_ymd_opt(2026, 3, 15).unwrap().and_time(time(1, 0));
    assert_eq!(added("/add x | from 2026-03-15 01:00").not_before, Some(NotBefore::At(at)));
    assert_eq!(added("/add x | not before: 2026-03-15T01:00").not_before, Some(NotBefore::At(at)));
}

#[test]
fn a_command_is_split_by_its_quotes_and_never_expanded() {
    let argv = |text: &str| added(&format!("/add x | {text} | high")).command.unwrap();
    assert_eq!(argv(r#"! prog arg "quoted arg""#), ["prog", "arg", "quoted arg"]);
    assert_eq!(argv(r"! echo $HOME *.rs ~ # `id` ;"), ["echo", "$HOME", "*.rs", "~", "#", "`id`", ";"]);
    assert_eq!(argv(r#"! sh -c "a | b" 'c|d' e\|f"#), ["sh", "-c", "a | b", "c|d", "e|f"]);
    assert_eq!(argv(r#"! p '' "a\"b" 'a\b' "a\b""#), ["p", "", "a\"b", "a\\b", "a\\b"]);
    assert_eq!(argv("command: ls -l"), ["ls", "-l"]);
    assert_eq!(added("/add x | ! a 'b|c' | high").priority, Some(Priority::High));
    // An exclamation mark in a sentence is text.
    assert_eq!(added("/add x | !important").details, Some("!important".into()));
}

#[test]
fn what_is_no_field_is_text_and_stays() {
    let draft = added("/queue add Fix: crash on login | 4 h a week is too much | from now on | after the launch | 2h");
    assert_eq!(draft.title.as_deref(), Some("Fix: crash on login"));
    assert_eq!(draft.details.as_deref(), Some("4 h a week is too much\nfrom now on\nafter the launch"));
    assert_eq!(draft.estimate_minutes, Some(120));
    let named = added("/queue add low | title: High | note");
    assert_eq!((named.title.as_deref(), named.details.as_deref()), (Some("High"), Some("note")));
    assert_eq!(added(r"/queue add Fix a \| b | 2h").title.as_deref(), Some("Fix a | b"));
    let odd = added("/queue add a\0b \u{202e}evil\u{7} | x\u{1b}[2Jy");
    assert_eq!(odd.title.as_deref(), Some("a\0b \u{202e}evil\u{7}"));
    assert_eq!(odd.details.as_deref(), Some("x\u{1b}[2Jy"));
}

#[test]
fn a_title_over_the_limit_is_kept_whole_in_the_details() {
    let long = "wörd ".repeat(60).trim().to_owned();
    let draft = added(&format!("/queue add {long} | 2h | more"));
    let title = draft.title.unwrap();
    assert!(title.chars().count() <= limits::TITLE_CHARS && title.ends_with("wörd…"), "{title}");
    assert_eq!(draft.details.unwrap(), format!("{long}\nmore"));
    let unbroken = "ß".repeat(300);
    let draft = added(&format!("/queue add {unbroken}"));
    assert_eq!(draft.title.unwrap().chars().count(), limits::TITLE_CHARS);
    assert_eq!(draft.details.unwrap(), unbroken);
}

#[test]
fn further_lines_are_details_and_never_fields() {
    let draft = added("/queue add Fix the import | 2h\r\n\r\nlog: 9h | high\r\n- first\n! rm -rf x\n");
    assert_eq!(draft.title.as_deref(), Some("Fix the import"));
    assert_eq!(draft.details.as_deref(), Some("log: 9h | high\n- first\n! rm -rf x"));
    assert_eq!((draft.priority, draft.command), (None, None));
    let below = added("/queue add\nFix the import | 2h\nmore");
    assert_eq!((below.title.as_deref(), below.details.as_deref()), (Some("Fix the import"), Some("more")));
}

#[test]
fn every_line_with_a_bullet_is_a_task() {
    let Ok(Command::QueueAdd(drafts)) = read("/queue add\n- One | 2h\n  more of one\n• Two | high\n\n-\tThree --fast")
    else {
        panic!("no tasks")
    };
    let seen: Vec<_> = drafts.iter().map(|d| (d.title.as_deref().unwrap(), d.details.as_deref())).collect();
    assert_eq!(seen, [("One", Some("  more of one")), ("Two", None), ("Three --fast", None)]);
    assert_eq!(drafts[1].priority, Some(Priority::High));
    // A dash inside a word starts no task.
    assert_eq!(added("/queue add -v is ignored").title.as_deref(), Some("-v is ignored"));
    let many = "\n- x".repeat(101);
    assert!(refused(&format!("/queue add{many}")).contains("at most 100"));
}

#[test]
fn an_edit_names_only_what_changes() {
    let edit = |text: &str| match read(text) {
        Ok(Command::QueueEdit { task, draft }) => (task.0, draft),
        other => panic!("{text}: {other:?}"),
    };
    let both = Draft { priority: Some(Priority::High), estimate_minutes: Some(120), ..Draft::default() };
    assert_eq!(edit("/queue edit 3 | high | 2h"), (3, both.clone()));
    assert_eq!(edit("/queue edit #3|high|2h"), (3, both));
    let (_, draft) = edit("/queue edit 3 title: New title");
    assert_eq!(draft, Draft { title: Some("New title".into()), ..Draft::default() });
    let (_, draft) = edit("/queue edit 3 details: one\ntwo");
    assert_eq!(draft.details.as_deref(), Some("one\ntwo"));
    let (_, draft) = edit("/queue edit 3 | details: | after: none | command: none | not before: none");
    assert_eq!((draft.details.as_deref(), draft.depends_on, draft.command), (Some(""), Some(vec![]), Some(vec![])));
    let past = NaiveDate::from_ymd_opt(2001, 1, 1).unwrap().and_time(time(0, 0));
    assert!(matches!(draft.not_before, Some(NotBefore::At(at)) if at < past));
}

#[test]
fn a_text_over_the_limit_says_so() {
    let message = refused(&format!("/queue add {}", "x".repeat(MAX_TEXT_BYTES)));
    assert!(
        message.contains("64 KiB") && message.contains("nothing was queued") && message.contains("inbox"),
        "{message}"
    );
    assert!(matches!(read(&"x".repeat(MAX_TEXT_BYTES)), Ok(Command::Plain(_))));
}

/// A piece with what must be found again: a word no table knows, or a field.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "[a-zäß\u{202e}\u{0}]{3,8}qx( [#:!-]?[a-z0-9\u{a0}]{2,9}qx){0,4}",
        1 => prop::sample::select(vec!["4h", "perf", "high", "fitness", "after #3", "not before 02:00", "claude", ""])
            .prop_map(str::to_owned),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics(text in "(/(queue|q|keep|log|night|approve)( add| edit 3)?)?[ |!:#\n\\\\'\"0-9a-z\\PC\u{0}]{0,60}") {
        let (projects, agents) = context_names();
        if let Err(error) = parse(&text, &ParseContext { projects: &projects, agents: &agents }) {
            prop_assert!(!error.message.is_empty());
            prop_assert!(!error.message.chars().any(char::is_control), "{:?}", error.message);
        }
    }

    #[test]
    fn no_word_is_lost(
        pieces in prop::collection::vec(piece(), 1..6),
        lines in prop::collection::vec("(- |• |  )?[a-z|!:]{2,6}qx( [a-z|]{2,6}qx){0,3}", 0..4),
        break_first in any::<bool>(),
    ) {
        let text = format!("/queue add{}{}\n{}", if break_first { "\n" } else { " " }, pieces.join(" | "), lines.join("\n"));
        // Without a title the text is refused as a whole, and nothing is queued.
        if let Ok(Command::QueueAdd(drafts)) = read(&text) {
            let kept: Vec<String> = drafts
                .iter()
                .flat_map(|d| [d.title.as_deref(), d.details.as_deref()])
                .flatten()
                .flat_map(|text| text.split([' ', '\n', '|', '\u{a0}']))
                .map(str::to_owned)
                .collect();
            for word in text.split([' ', '\n', '|', '\u{a0}']).filter(|word| word.ends_with("qx")) {
                prop_assert!(kept.iter().any(|have| have == word), "{word:?} of {text:?} is not in {drafts:?}");
            }
            if pieces.iter().any(|piece| piece == "4h") {
                prop_assert_eq!(drafts[0].estimate_minutes, Some(240));
            }
            if pieces.iter().any(|piece| piece == "after #3") {
                prop_assert_eq!(drafts[0].depends_on.as_deref(), Some(&[TaskId(3)][..]));
            }
        } else {
            prop_assert!(pieces.iter().all(|piece| !piece.ends_with("qx")), "{:?}: {:?}", text, read(&text));
        }
    }
}
