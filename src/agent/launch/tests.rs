use super::*;
use crate::domain::settings::Argv;

const UUID: &str = "11111111-1111-4111-8111-111111111111";

fn agent(kind: AgentKind) -> Agent {
    let argv = if kind == AgentKind::Command { vec!["build-it", "--task", "{prompt}"] } else { vec![kind.as_str()] };
    Agent {
        name: "a".into(),
        kind,
        argv: Argv::new(argv.into_iter().map(str::to_owned).collect()).unwrap(),
        model: None,
        hosts: Vec::new(),
        fallback: Vec::new(),
        reserve: 0.0,
        env_pass: Vec::new(),
        env: BTreeMap::new(),
    }
}

fn launched(agent: &Agent, change: impl FnOnce(&mut Order<'_>)) -> Launch {
    let passed = BTreeMap::new();
    let mut order = Order {
        prompt_file: Path::new("/builds/b1/prompt.md"),
        session: SessionChoice::New(UUID),
        budget: Budget::default(),
        sandboxed: false,
        passed: &passed,
    };
    change(&mut order);
    launch(agent, &order)
}

/// One argument a line would be long: those that begin with a dash begin a line.
fn shown(launch: &Launch) -> String {
    launch.argv.join(" ").replace(" -", "\n-")
}

#[test]
fn claude_code() {
    let mut claude = agent(AgentKind::Claude);
    let new = launched(&claude, |_| ());
    insta::assert_snapshot!(shown(&new), @"
    claude
    -p
    --output-format stream-json
    --verbose
    --permission-mode acceptEdits
    --allowedTools Bash,Read,Edit,Write,MultiEdit,NotebookEdit,Glob,Grep,LS,TodoWrite,TaskCreate,TaskUpdate,TaskList,TaskGet,Task
    --disallowedTools WebFetch,WebSearch,CronCreate,CronDelete,ScheduleWakeup,RemoteTrigger,SendMessage,Monitor,Workflow,EnterWorktree,ExitWorktree,ExitPlanMode,AskUserQuestion,Bash(git push:*),Bash(git send-email:*),Bash(gh:*),Bash(glab:*),Bash(npm publish:*),Bash(yarn publish:*),Bash(yarn npm publish:*),Bash(pnpm publish:*),Bash(cargo publish:*),Bash(twine upload:*),Bash(gem push:*),Bash(docker push:*),Bash(podman push:*)
    --strict-mcp-config
    --session-id 11111111-1111-4111-8111-111111111111
    ");
    assert_eq!(new.env["CLAUDE_CODE_DISABLE_BACKGROUND_TASKS"], "1");
    assert_eq!((new.stdin, new.separate_stderr), (Input::Prompt, true));
    assert_eq!(new.api_hosts, ["api.anthropic.com", "platform.claude.com"]);

    claude.model = Some("sonnet".into());
    claude.argv = Argv::new(["/opt/claude", "--betas", "x"].map(str::to_owned).to_vec()).unwrap();
    claude.env.insert("ANTHROPIC_BASE_URL".into(), "http://user@127.0.0.1:4010/v1".into());
    claude.env.insert("DISABLE_AUTOUPDATER".into(), "0".into());
    let resumed = launched(&claude, |order| {
        order.session = SessionChoice::Resume(UUID);
        order.budget = Budget { usd: Some(2.5), tokens: Some(9), turns: Some(40) };
    });
    assert_eq!(resumed.argv[0], "/opt/claude");
    let tail = shown(&resumed).split("--strict-mcp-config\n").nth(1).unwrap().to_owned();
    assert_eq!(tail, format!("--resume {UUID}\n--max-turns 40\n--max-budget-usd 2.5000\n--model sonnet\n--betas x"));
    assert_eq!(resumed.env.get("DISABLE_AUTOUPDATER"), None, "what the owner sets is what counts");
    assert_eq!(resumed.api_hosts[2], "127.0.0.1:4010");
}

#[test]
fn codex() {
    let mut codex = agent(AgentKind::Codex);
    insta::assert_snapshot!(shown(&launched(&codex, |_| ())), @r#"
    codex exec
    --json
    --skip-git-repo-check
    -c sandbox_mode="workspace-write"
    -c approval_policy="never"
    -c sandbox_workspace_write.network_access=false
    -c web_search="disabled"
    -c check_for_update_on_startup=false
    -
    "#);
    codex.model = Some("gpt-5-codex".into());
    let resumed = launched(&codex, |order| {
        order.session = SessionChoice::Resume(UUID);
        order.sandboxed = true;
    });
    insta::assert_snapshot!(shown(&resumed), @r#"
    codex exec resume 11111111-1111-4111-8111-111111111111
    --json
    --skip-git-repo-check
    -c sandbox_mode="danger-full-access"
    -c approval_policy="never"
    -c sandbox_workspace_write.network_access=false
    -c web_search="disabled"
    -c check_for_update_on_startup=false
    -m gpt-5-codex
    -
    "#);
}

#[test]
fn opencode() {
    let mut opencode = agent(AgentKind::OpenCode);
    opencode.model = Some("anthropic/claude-sonnet-5-5".into());
    let resumed = launched(&opencode, |order| order.session = SessionChoice::Resume("ses_1"));
    insta::assert_snapshot!(shown(&resumed), @"
    opencode run
    --format json
    --print-logs
    --log-level WARN
    --session ses_1
    --model anthropic/claude-sonnet-5-5
    ");
    assert_eq!(resumed.api_hosts, ["api.anthropic.com"]);
    let configured = &resumed.env["OPENCODE_CONFIG_CONTENT"];
    let value: serde_json::Value = serde_json::from_str(configured).unwrap();
    assert_eq!(
        (&value["permission"]["bash"]["git push*"], &value["permission"]["webfetch"]),
        (&"deny".into(), &"deny".into())
    );
    assert!(configured.find("\"*\"").unwrap() < configured.find("\"git push*\"").unwrap(), "the last rule decides");
    assert!(!shown(&launched(&opencode, |_| ())).contains("session"), "its ids are its own");
    let (file, text) = resumed.helper.unwrap();
    assert_eq!(file, Path::new("/builds/b1/opencode_waits.mjs"));
    assert_eq!((&value["plugin"][0], text.contains("overnight.wait")), (&file.to_string_lossy().into(), true));
}

#[test]
fn gemini_cli() {
    let gemini = agent(AgentKind::Gemini);
    insta::assert_snapshot!(shown(&launched(&gemini, |_| ())), @"
    gemini
    --output-format stream-json
    --approval-mode yolo
    --skip-trust
    --session-id 11111111-1111-4111-8111-111111111111
    --prompt Do what is written above.
    ");
    let resumed = launched(&gemini, |order| order.session = SessionChoice::Resume(UUID));
    assert!(shown(&resumed).contains(&format!("\n--resume {UUID}\n")));
}

#[test]
fn aider() {
    let aider = agent(AgentKind::Aider);
    let new = launched(&aider, |_| ());
    insta::assert_snapshot!(shown(&new), @"
    aider
    --message-file /builds/b1/prompt.md
    --yes-always
    --no-stream
    --no-pretty
    --no-check-update
    --no-show-release-notes
    --analytics-disable
    --no-auto-commits
    --no-dirty-commits
    --no-gitignore
    --no-suggest-shell-commands
    --no-detect-urls
    --chat-history-file .git/aider.chat.history.md
    --input-history-file .git/aider.input.history
    ");
    assert_eq!(new.stdin, Input::Null);
    let resumed = launched(&aider, |order| order.session = SessionChoice::Resume("any"));
    assert!(shown(&resumed).contains("\n--restore-chat-history"));
}

#[test]
fn a_plain_command_gets_nothing_it_did_not_ask_for() {
    let command = launched(&agent(AgentKind::Command), |_| ());
    assert_eq!(command.argv, ["build-it", "--task", "/builds/b1/prompt.md"]);
    assert_eq!((command.env.len(), env_names(AgentKind::Command).len(), command.stdin), (0, 0, Input::Prompt));
}

#[test]
fn every_cli_may_be_logged_in_from_outside_and_never_gets_what_is_ours() {
    for kind in AgentKind::ALL.into_iter().filter(|kind| *kind != AgentKind::Command) {
        let launch = launched(&agent(kind), |_| ());
        assert!(env_names(kind).iter().any(|name| name.ends_with("_KEY")), "{kind}");
        assert!(env_names(kind).contains(&"HTTPS_PROXY"), "{kind}");
        let ours = |name: &str| ["OVERNIGHT_", "TELEGRAM_", "SLACK_"].iter().any(|prefix| name.starts_with(prefix));
        assert!(!env_names(kind).iter().any(|name| ours(name)) && !launch.env.keys().any(|name| ours(name)), "{kind}");
    }
}

#[test]
fn hosts_of_addresses() {
    for (url, expected) in [
        ("https://api.example.com/v1?x#y", Some("api.example.com")),
        ("http://u:p@127.0.0.1:4010", Some("127.0.0.1:4010")),
        ("HTTP://API.Example.com", Some("api.example.com")),
        ("api.example.com", None),
        ("http://", None),
        ("", None),
    ] {
        assert_eq!(host(url).as_deref(), expected, "{url}");
    }
}
