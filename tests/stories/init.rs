//! `overnight init` by flags: what it makes, what it leaves alone, and how it is claimed. Questions on a terminal are
//! asked in tests/live/setup_in_tmux.

use crate::desk::{Desk, Running, shown};
use crate::fake_telegram::FakeTelegram;
use crate::fake_telegram::faults::Fault;
use crate::harness::bytes_of;
use overnight::app::OnlyOne;
use overnight::config::{Config, Overrides};
use overnight::domain::settings::AgentKind;
use overnight::engine::home::Home;
use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

/// Asks and adds nothing that is not named.
const LEAST: [&str; 6] = ["init", "--yes", "--no-projects", "--no-agents", "--no-service", "--zone=Europe/Berlin"];

fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&LEAST[..], more].concat()
}

fn load(desk: &Desk) -> Config {
    let variables = BTreeMap::from([("HOME".to_owned(), shown(&desk.path("user")).to_owned())]);
    Config::load_from(&Overrides::default(), variables, &desk.path("user")).expect("what init wrote is right")
}

fn online(desk: &mut Desk, telegram: &FakeTelegram) {
    desk.sets("TELEGRAM_API_URL", &telegram.url()).sets("TELEGRAM_BOT_TOKEN", telegram.token());
}

#[tokio::test]
async fn without_a_terminal_the_missing_flags_are_named() {
    let desk = Desk::new();
    let ran = desk.overnight(&["init"]).await.ended(2);
    for flag in ["--yes", "--token", "--no-telegram", "--projects"] {
        ran.says(flag);
    }
    let ran = desk.overnight(&["init", "--yes", "--token", "1:abcd", "--no-projects"]).await.ended(2);
    ran.says("--owner ID, or --claim");
    ran.never_says("--no-telegram");
    assert!(!desk.has("user/.overnight"), "nothing is made");
}

#[tokio::test]
async fn the_least_is_a_zone_and_a_second_time_changes_nothing() {
    let desk = Desk::new();
    desk.overnight(&with(&["--no-telegram"])).await.ended(0).says("overnight.toml: is made");
    assert_eq!(desk.mode("user/.overnight/overnight.toml"), 0o600);
    assert!(!desk.has("user/.overnight/.env"));
    let before = desk.text("user/.overnight/overnight.toml");
    desk.overnight(&with(&["--no-telegram"])).await.ended(0).says("overnight.toml: stays as it is");
    assert_eq!(desk.text("user/.overnight/overnight.toml"), before);
    assert!(!desk.has("user/.overnight/overnight.toml.bak"));
    assert_eq!(load(&desk).settings.schedule.zone, chrono_tz::Europe::Berlin);
}

#[tokio::test]
async fn everything_at_once_by_flags() {
    let telegram = FakeTelegram::start().await;
    telegram.person(7, "Ann");
    let mut desk = Desk::new();
    online(&mut desk, &telegram);
    desk.program("codex", "exit 0");
    desk.program("make", "exit 0");
    desk.writes("user/.codex/auth.json", "{}");
    let app = desk.project("app", &[("Makefile", "test:\n\ttrue\n")]);
    let broken = desk.project("Broken Thing", &[("Makefile", "check:\n\tfalse\n")]);
    desk.program("make", "[ \"$1\" = test ] || { echo it is broken; exit 3; }");
    desk.writes("src/app/logs/app.log", "x");
    let before = bytes_of(&desk.path("src"));
    let [src, logs] = ["src", "src/app/logs"].map(|name| desk.path(name));

    let flags = ["init", "--yes", "--owner", "7", "--projects", shown(&src), "--logs", shown(&logs)];
    let ran = desk.overnight(&flags).await.ended(0);
    ran.says("the bot is @fake_bot");
    ran.says("tried in a fresh clone: test passes");
    ran.says("test fails (exit status 3)");
    ran.says("| it is broken");
    ran.says("the test message is on your phone");
    ran.never_says(telegram.token());
    assert_eq!(bytes_of(&desk.path("src")), before, "checkouts are only read");

    let config = load(&desk);
    let known = config.telegram.as_ref().expect("Telegram is set up");
    assert_eq!((known.token.expose(), known.owner), (telegram.token(), Some(7)));
    assert_eq!(known.api_url.as_deref(), Some(telegram.url().as_str()));
    let [first, second] = &config.settings.projects[..] else { panic!("{:?}", config.settings.projects) };
    assert_eq!((first.name.as_str(), &first.path), ("broken-thing", &broken));
    assert_eq!((second.name.as_str(), &second.path), ("app", &app));
    assert_eq!(second.verify.as_ref().map(ToString::to_string).as_deref(), Some("make test"));
    let agent = &config.settings.agents[0];
    assert_eq!((agent.name.as_str(), agent.kind, agent.argv.to_string()), ("codex", AgentKind::Codex, "codex".into()));
    assert_eq!(config.settings.health.log_roots, [logs]);
    for file in [".env", "overnight.toml"] {
        assert_eq!(desk.mode(&format!("user/.overnight/{file}")), 0o600, "{file}");
    }
    assert!(telegram.bot_messages(7)[0].text.contains("overnight is set up"));
    assert_eq!(telegram.violations(), [""; 0]);
    service_is_installed(&desk);

    // Once more: nothing doubles, and the claim needs no flag.
    desk.forgets("TELEGRAM_BOT_TOKEN");
    let toml = desk.text("user/.overnight/overnight.toml");
    desk.overnight(&["init", "--yes", "--projects", shown(&src)]).await.ended(0).says("no further git repository");
    assert_eq!(desk.text("user/.overnight/overnight.toml"), toml);
}

fn service_is_installed(desk: &Desk) {
    if cfg!(target_os = "macos") {
        let plist = desk.text("user/Library/LaunchAgents/com.overnight.plist");
        assert!(plist.contains("<key>AbandonProcessGroup</key>") && plist.contains(shown(&desk.path("bin"))));
        return;
    }
    let unit = desk.text("user/.config/systemd/user/overnight.service");
    let start =
        format!("ExecStart={} --home {}", env!("CARGO_BIN_EXE_overnight"), shown(&desk.path("user/.overnight")));
    assert!(unit.contains(&start) && unit.contains("\nKillMode=process\n"), "{unit}");
    assert!(unit.contains(&format!("Environment=PATH={}\n", shown(&desk.path("bin")))), "{unit}");
    let told = desk.text("user/systemctl");
    assert_eq!(told, "--user daemon-reload\n--user enable overnight\n--user restart overnight\n");
}

#[tokio::test]
async fn what_people_wrote_stays_and_a_copy_is_kept() {
    let telegram = FakeTelegram::start().await;
    telegram.person(7, "Ann");
    let mut desk = Desk::new();
    online(&mut desk, &telegram);
    let env = "# mine\nMY_KEY='a b'\nTELEGRAM_BOT_TOKEN=1:abcd # the old bot\n";
    let toml = "# my file\n[schedule] # times\nstart = \"22:00\" # early\n\n[limits]\nmax_builds = 2\n";
    desk.writes("user/.overnight/.env", env);
    desk.writes("user/.overnight/overnight.toml", toml);
    let ran = desk.overnight(&with(&["--owner", "7"])).await.ended(0);
    ran.says(".env.bak");
    ran.says("overnight.toml.bak");
    assert_eq!(desk.text("user/.overnight/.env.bak"), env);
    assert_eq!(desk.text("user/.overnight/overnight.toml.bak"), toml);
    let (new_env, new_toml) = (desk.text("user/.overnight/.env"), desk.text("user/.overnight/overnight.toml"));
    assert!(new_env.starts_with("# mine\nMY_KEY='a b'\nTELEGRAM_BOT_TOKEN="), "{new_env}");
    assert_eq!(new_toml, toml.replace("# times\n", "# times\nzone = \"Europe/Berlin\"\n"));
    assert_eq!((desk.mode("user/.overnight/.env"), desk.mode("user/.overnight/.env.bak")), (0o600, 0o600));
    assert_eq!(load(&desk).settings.limits.max_builds, 2);
}

#[tokio::test]
async fn a_file_that_can_not_be_edited_safely_is_left_and_the_lines_are_shown() {
    let desk = Desk::new();
    let toml = "schedule = { zone = \"UTC\" }\n";
    desk.writes("user/.overnight/overnight.toml", toml);
    let ran = desk.overnight(&with(&["--no-telegram"])).await.ended(1);
    ran.says("nothing was written");
    assert_eq!(desk.text("user/.overnight/overnight.toml"), toml);
    assert!(!desk.has("user/.overnight/overnight.toml.bak"));
}

#[tokio::test]
async fn a_wrong_token_and_no_network_are_said_plainly() {
    let telegram = FakeTelegram::start().await;
    let mut desk = Desk::new();
    desk.sets("TELEGRAM_API_URL", &telegram.url());
    for (token, words) in
        [("no token", "that is no token"), ("123456:WRONG-token", "Telegram does not know this token")]
    {
        desk.overnight(&with(&["--owner", "7", "--token", token])).await.ended(1).says(words);
    }
    telegram.cut();
    let ran = desk.overnight(&with(&["--owner", "7", "--token", telegram.token()])).await.ended(1);
    ran.says("Telegram can't be reached at 127.0.0.1");
    ran.never_says(telegram.token());
    assert!(!desk.has("user/.overnight/.env") && !desk.has("user/.overnight/overnight.toml"));
}

/// The code in the next link that is shown.
async fn code(init: &mut Running) -> String {
    let line = init.line("https://t.me/fake_bot?start=").await;
    init.line("Waiting").await;
    line.rsplit_once('=').expect("a code").1.to_owned()
}

#[tokio::test]
async fn whoever_sends_the_code_first_owns_the_bot() {
    let telegram = FakeTelegram::start().await;
    telegram.person(7, "Ann");
    telegram.stranger(8, "Eve");
    telegram.person(9, "Old");
    telegram.says(9, 9, "/start old-code");
    let mut desk = Desk::new();
    online(&mut desk, &telegram);
    let mut init = desk.starts(&with(&["--claim"]));
    let right = code(&mut init).await;
    let group = telegram.group("A group", &[7, 8]);
    telegram.says(8, 8, "/start guess");
    init.line("A wrong code came in; after 4 more").await;
    telegram.says(8, group, &format!("/start {right}"));
    telegram.says(7, 7, &format!("/start {right}"));
    init.line("claimed by Ann").await;
    let (status, rest) = init.ends().await;
    assert_eq!(status, Some(0), "{rest}");
    assert_eq!(load(&desk).telegram.expect("Telegram").owner, Some(7));
    assert_eq!(telegram.bot_messages(8).len(), 0, "strangers get no answer");
    assert_eq!(telegram.bot_messages(group).len(), 0);
    assert_eq!(telegram.unconfirmed().len(), 4, "what came in is still there for the bot");
    assert_eq!(telegram.violations(), [""; 0]);
}

#[tokio::test]
async fn five_wrong_codes_make_a_new_one() {
    let telegram = FakeTelegram::start().await;
    telegram.person(7, "Ann");
    telegram.stranger(8, "Eve");
    let mut desk = Desk::new();
    online(&mut desk, &telegram);
    let mut init = desk.starts(&with(&["--claim"]));
    let old = code(&mut init).await;
    for guess in ["a", "b", "c", "d", "e"] {
        telegram.says(8, 8, &format!("/start {guess}"));
    }
    init.line("Five wrong codes came in").await;
    let new = code(&mut init).await;
    assert_ne!(old, new);
    telegram.says(8, 8, &format!("/start {old}"));
    init.line("A wrong code came in").await;
    telegram.says(7, 7, &format!("/start {new}"));
    assert_eq!(init.ends().await.0, Some(0));
    assert_eq!(load(&desk).telegram.expect("Telegram").owner, Some(7));
}

#[tokio::test]
async fn an_expired_code_and_an_interrupted_claim_write_nothing() {
    let telegram = FakeTelegram::start().await;
    let mut desk = Desk::new();
    online(&mut desk, &telegram);
    let ran = desk.overnight(&with(&["--claim", "--claim-within", "1s"])).await.ended(1);
    ran.says("The code has expired");
    let mut init = desk.starts(&with(&["--claim"]));
    code(&mut init).await;
    init.interrupts();
    assert_eq!(init.ends().await.0, Some(1));
    assert!(!desk.has("user/.overnight/.env") && !desk.has("user/.overnight/overnight.toml"));
}

#[tokio::test]
async fn a_trial_that_is_interrupted_leaves_nothing_running() {
    let mut desk = Desk::new();
    let scratch = desk.path("scratch");
    fs::create_dir(&scratch).expect("a folder");
    desk.sets("TMPDIR", shown(&scratch));
    desk.project("app", &[("Makefile", "test:\n")]);
    desk.program("make", "while :; do echo alive >>\"$HOME/beat\"; /bin/sleep 0.02; done & wait");
    let src = desk.path("src");
    let flags = ["init", "--yes", "--no-telegram", "--no-service", "--projects", shown(&src)];
    let mut init = desk.starts(&flags);
    init.line("trying them in a throw-away clone").await;
    let beat = || fs::metadata(desk.path("user/beat")).map_or(0, |file| file.len());
    while beat() == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    init.interrupts();
    assert_eq!(init.ends().await.0, Some(1));
    let last = beat();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(beat(), last, "what was tried still runs");
    assert_eq!(fs::read_dir(&scratch).expect("a folder").count(), 0, "the clone is gone");
    assert!(!desk.has("user/.overnight/overnight.toml"));
}

#[tokio::test]
async fn a_running_bot_is_not_robbed_of_its_messages() {
    let telegram = FakeTelegram::start().await;
    let mut desk = Desk::new();
    online(&mut desk, &telegram);
    fs::create_dir(desk.path("user/.overnight")).expect("a folder");
    let home = Home::open(&desk.path("user/.overnight")).expect("a data folder");
    let _bot = OnlyOne::take(&home).expect("nobody else");
    let ran = desk.overnight(&with(&["--claim"])).await.ended(1);
    ran.says("the bot is running");
    assert_eq!(telegram.requests("getUpdates"), 0);
}

#[tokio::test]
async fn an_outage_during_the_claim_is_waited_out() {
    let telegram = FakeTelegram::start().await;
    telegram.person(7, "Ann");
    let mut desk = Desk::new();
    online(&mut desk, &telegram);
    let mut init = desk.starts(&with(&["--claim"]));
    let right = code(&mut init).await;
    telegram.cut();
    init.line("can't be reached").await;
    telegram.restore();
    telegram.says(7, 7, &format!("/start {right}"));
    assert_eq!(init.ends().await.0, Some(0));
    assert_eq!(load(&desk).telegram.expect("Telegram").owner, Some(7));
}

#[tokio::test]
async fn a_webhook_and_another_program_that_polls_are_told_before_a_code_is_shown() {
    let telegram = FakeTelegram::start().await;
    telegram.person(7, "Ann");
    let mut desk = Desk::new();
    online(&mut desk, &telegram);
    telegram.hooks("https://hooks.example.org/secret");
    for claims in [&["--claim"][..], &["--owner", "7"]] {
        let ran = desk.overnight(&with(claims)).await.ended(1);
        ran.says("Its messages go to a webhook at hooks.example.org;").says("a webhook is set for the bot");
        ran.never_says("t.me");
        ran.never_says("/secret");
    }
    assert_eq!(telegram.requests("deleteWebhook"), 0, "nobody said that it may be taken away");
    assert!(!desk.has("user/.overnight/.env"));

    telegram.hooks("");
    let conflict = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running";
    telegram.fails(Some("getUpdates"), 1, Fault::status(409, conflict));
    let ran = desk.overnight(&with(&["--claim"])).await.ended(1);
    ran.says("another program polls this bot");
    ran.never_says("t.me");
    assert!(!desk.has("user/.overnight/.env"));
}

#[tokio::test]
async fn a_webhook_is_taken_away_where_that_was_said_and_what_waits_is_kept() {
    let telegram = FakeTelegram::start().await;
    telegram.person(7, "Ann");
    telegram.person(9, "Chatty");
    telegram.says(9, 9, "hello?");
    telegram.hooks("https://hooks.example.org/secret");
    let mut desk = Desk::new();
    online(&mut desk, &telegram);
    let mut init = desk.starts(&with(&["--claim", "--remove-webhook"]));
    init.line("the webhook is taken away").await;
    let right = code(&mut init).await;
    telegram.says(7, 7, &format!("/start {right}"));
    assert_eq!(init.ends().await.0, Some(0));
    assert_eq!(load(&desk).telegram.expect("Telegram").owner, Some(7));
    assert_eq!(telegram.requests("deleteWebhook"), 1);
    assert_eq!(telegram.unconfirmed().len(), 2, "what waited is kept for the bot");
    desk.overnight(&["init", "--no-telegram", "--remove-webhook"]).await.ended(2);
}

#[tokio::test]
async fn a_full_queue_does_not_hide_the_claim() {
    let telegram = FakeTelegram::start().await;
    telegram.person(7, "Ann");
    telegram.person(9, "Chatty");
    for number in 0..130 {
        telegram.says(9, 9, &format!("message {number}"));
    }
    let mut desk = Desk::new();
    online(&mut desk, &telegram);
    let mut init = desk.starts(&with(&["--claim"]));
    let right = code(&mut init).await;
    telegram.says(7, 7, &format!("/start {right}"));
    init.line("these are let go").await;
    assert_eq!(init.ends().await.0, Some(0));
    assert_eq!(load(&desk).telegram.expect("Telegram").owner, Some(7));
    assert_eq!(telegram.unconfirmed().len(), 31, "only what hid the claim was let go");
}
