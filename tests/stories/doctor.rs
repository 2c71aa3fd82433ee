//! `overnight doctor`: each fault is made, and its line says what is wrong and what to do.

mod last_night;

use crate::desk::{Desk, Hooked, shown};
use crate::fake_telegram::FakeTelegram;
use overnight::app::OnlyOne;
use overnight::engine::home::Home;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

const HOME: &str = "user/.overnight";

/// A desk on which everything is in order, but that no bot runs.
fn set_up() -> Desk {
    let desk = Desk::new();
    let app = desk.project("app", &[("check", "")]);
    desk.program("builder", "exit 0");
    desk.program("checker", "exit 0");
    config(&desk, &format!("path = {:?}\nverify = \"checker all\"", shown(&app)));
    unit(&desk, &format!("Environment=PATH={}\nKillMode=process", shown(&desk.path("bin"))));
    desk
}

fn config(desk: &Desk, project: &str) {
    let text = format!(
        "[schedule]\nzone = \"Europe/Berlin\"\n[limits]\ndisk_used_percent = 99.0\n[[agents]]\nname = \"b\"\n\
         kind = \"command\"\ncommand = \"builder\"\n[[projects]]\nname = \"app\"\n{project}\n"
    );
    desk.writes("user/.overnight/overnight.toml", &text);
}

/// The unit of the service, with these lines.
fn unit(desk: &Desk, lines: &str) {
    let text = format!("[Service]\nExecStart={} run\n{lines}\n", env!("CARGO_BIN_EXE_overnight"));
    desk.writes("user/.config/systemd/user/overnight.service", &text);
}

fn home(desk: &Desk) -> Home {
    Home::open(&desk.path(HOME)).expect("a data folder")
}

/// The place of the bot, taken as a running bot does.
fn running(desk: &Desk) -> OnlyOne {
    OnlyOne::take(&home(desk)).expect("nobody else")
}

#[tokio::test]
async fn all_is_well_where_all_is_well() {
    let telegram = FakeTelegram::start().await;
    telegram.person(7, "Ann");
    let desk = set_up();
    let env =
        format!("TELEGRAM_BOT_TOKEN={}\nTELEGRAM_OWNER_ID=7\nTELEGRAM_API_URL={}\n", telegram.token(), telegram.url());
    desk.writes("user/.overnight/.env", &env);
    fs::set_permissions(desk.path("user/.overnight/.env"), Permissions::from_mode(0o600)).expect("a mode");
    let _bot = running(&desk);
    desk.overnight(&["queue", "add", "Fix it", "--in", "bug fixes", "--estimate", "1", "--project", "app"])
        .await
        .ended(0);
    let found = desk.doctor().await;
    for words in [
        "overnight.toml is right",
        "is readable by you only",
        "the database is whole",
        "the bot runs",
        "agent b: builder",
        "app: builds start from main, checked by: checker all",
        "the token is good: @fake_bot",
        "no webhook is set",
        "its owner (7) can be reached",
        "this machine's clock is right",
        "1 of 1 queued tasks can run",
        "there was none yet",
    ] {
        found.has("fine", words, "");
    }
    desk.overnight(&["doctor"]).await.ended(0).says("Tonight will work");
    assert_eq!(telegram.requests("getUpdates"), 0, "it never polls");
    assert_eq!(telegram.violations(), [""; 0]);
}

#[tokio::test]
async fn a_wrong_configuration_is_named_with_its_line() {
    let desk = Desk::new();
    desk.writes("user/.overnight/overnight.toml", "[schedule]\nzone = \"Mars\"\n");
    desk.doctor().await.has("bad", "overnight.toml, line 2", "correct that line");
}

#[tokio::test]
async fn where_nothing_is_set_up_nothing_is_made() {
    let desk = Desk::new();
    let found = desk.doctor().await;
    found.has("bad", "there is no data folder", "overnight init");
    found.has("warning", "there is no overnight.toml", "overnight init");
    assert!(!desk.has(HOME));
}

#[tokio::test]
async fn a_readable_env_file_and_an_unusable_data_folder_are_told() {
    let mut desk = set_up();
    desk.writes("user/.overnight/.env", "MY=1\n");
    fs::set_permissions(desk.path("user/.overnight/.env"), Permissions::from_mode(0o644)).expect("a mode");
    desk.doctor().await.has("warning", "others may read", "chmod 600");
    // A file where a folder should be: also root can't write into it.
    desk.writes("user/file", "");
    let place = desk.path("user/file/home");
    desk.sets("OVERNIGHT_HOME", shown(&place));
    desk.doctor().await.has("bad", "can't be made", "OVERNIGHT_HOME");
}

#[tokio::test]
async fn a_bot_that_does_not_run_and_a_damaged_database_are_told() {
    let desk = set_up();
    desk.doctor().await.has("bad", "the bot does not run", "overnight run");
    fs::write(desk.path(HOME).join("overnight.sqlite"), "this is no database, only words".repeat(400)).expect("a file");
    for journal in ["overnight.sqlite-wal", "overnight.sqlite-shm"] {
        let _ = fs::remove_file(desk.path(HOME).join(journal));
    }
    desk.doctor().await.has("bad", "the database", "restore a backup");
}

#[tokio::test]
async fn projects_that_can_not_be_built_are_told() {
    let desk = set_up();
    let path = |name: &str| format!("path = {:?}", shown(&desk.path("src").join(name)));
    config(&desk, &path("gone"));
    desk.doctor().await.has("bad", "app: its folder", "correct path");
    fs::create_dir(desk.path("src/plain")).expect("a folder");
    config(&desk, &path("plain"));
    desk.doctor().await.has("bad", "app:", "correct path");
    config(&desk, &format!("{}\nbase = \"release\"", path("app")));
    let found = desk.doctor().await;
    found.has("bad", "there is no branch release", "correct base");
    config(&desk, &path("app"));
    desk.doctor().await.has("warning", "app: no test command", "set verify");
    config(&desk, &format!("{}\nverify = \"no-such-checker\"", path("app")));
    desk.doctor().await.has("bad", "app: its test command needs no-such-checker", "install no-such-checker");
}

#[tokio::test]
async fn agents_that_can_not_build_are_told() {
    let desk = set_up();
    fs::remove_file(desk.path("bin/builder")).expect("an agent");
    desk.doctor().await.has("bad", "agent b needs builder", "install builder");
    let text = desk.text("user/.overnight/overnight.toml").replace("\"builder\"", "\"codex exec -\"");
    desk.writes("user/.overnight/overnight.toml", &text);
    desk.program("codex", "exit 0");
    desk.doctor().await.has("bad", "agent b is not logged in", "codex login");
    desk.writes("user/.codex/auth.json", "{}");
    desk.doctor().await.has("fine", "agent b: found, login: ~/.codex/auth.json", "");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_the_shell_finds_and_the_service_does_not_is_told() {
    let mut desk = set_up();
    unit(&desk, "");
    let found = desk.doctor().await;
    found.has(
        "bad",
        "agent b needs builder, and the service does not find it",
        &format!("add {}", shown(&desk.path("bin"))),
    );
    found.has("bad", "app: its test command needs checker", "overnight init");
    found.has("warning", "KillMode is not set", "KillMode=process");
    // A key and a token that only the shell has.
    let text =
        desk.text("user/.overnight/overnight.toml").replace("\"builder\"", "\"builder\"\nenv_pass = [\"MY_KEY\"]");
    desk.writes("user/.overnight/overnight.toml", &text);
    desk.sets("MY_KEY", "1");
    desk.doctor().await.has("warning", "for the service: builds by agent b: MY_KEY is not set", ".overnight/.env");
    desk.sets("TELEGRAM_BOT_TOKEN", "123456:abcd").sets("TELEGRAM_API_URL", "http://127.0.0.1:9");
    desk.doctor().await.has("bad", "the service does not see the Telegram token", ".env");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_service_that_will_not_start_or_stay_is_told() {
    let desk = set_up();
    let path = format!("Environment=PATH={}\nKillMode=process", shown(&desk.path("bin")));
    unit(&desk, &format!("{path}\nEnvironmentFile=/no/such/file"));
    desk.doctor().await.has("bad", "EnvironmentFile /no/such/file can't be read", "make it");
    desk.writes("user/.config/systemd/user/overnight.service", "[Service]\nExecStart=/no/such/overnight run\n");
    desk.doctor().await.has("bad", "it starts /no/such/overnight, which is not there", "overnight init");
    unit(&desk, &format!("{path}\nEnvironment=OVERNIGHT_HOME=%h/other"));
    desk.doctor().await.has("warning", "the service uses", "doctor looks at the service's");
    unit(&desk, &path);
    desk.program("loginctl", "echo no");
    desk.program("systemctl", "[ \"$2\" = is-enabled ] && echo disabled || echo failed");
    let found = desk.doctor().await;
    found.has("bad", "linger is off", "loginctl enable-linger");
    found.has("bad", "it does not start at boot (disabled)", "enable --now");
    found.has("bad", "it has failed and stays down", "reset-failed");
    fs::remove_file(desk.path("user/.config/systemd/user/overnight.service")).expect("a unit");
    desk.doctor().await.has("warning", "no service is installed", "overnight init");
}

#[tokio::test]
async fn a_missing_git_and_no_way_to_stay_awake_are_told() {
    let desk = set_up();
    desk.doctor().await.has("warning", "neither systemd-inhibit nor caffeinate", "automatic sleep");
    desk.program("systemd-inhibit", "exit 1");
    desk.doctor().await.has("warning", "systemd-inhibit is refused", "automatic sleep");
    desk.program("systemd-inhibit", "exec /bin/cat");
    desk.doctor().await.has("fine", "kept awake during builds by", "");
    fs::remove_file(desk.path("bin/git")).expect("git");
    desk.doctor().await.has("bad", "git can't be used", "install git");
    desk.program("git", "echo git version 2.20.1");
    desk.doctor().await.has("bad", "git can't be used", "2.38");
}

#[tokio::test]
async fn a_disk_over_its_limit_is_told() {
    let desk = set_up();
    let text = desk.text("user/.overnight/overnight.toml").replace("[limits]", "[limits]\ndisk_free_gb = 100000.0");
    desk.writes("user/.overnight/overnight.toml", &text);
    desk.doctor().await.has("bad", "no build starts", "disk_free_gb");
}

#[tokio::test]
async fn locks_left_by_a_crash_are_removed_if_no_bot_runs() {
    let desk = set_up();
    desk.doctor().await.has_no("was left by a git");
    let [old, fresh] = ["old.lock", "packed-refs.lock"].map(|name| lock(&desk, name));
    let hours_ago =
        File::open(&fresh).and_then(|file| file.metadata()).and_then(|file| file.modified()).expect("a time");
    let hours_ago = hours_ago - Duration::from_hours(2);
    File::options().write(true).open(&old).and_then(|file| file.set_modified(hours_ago)).expect("a time");
    desk.doctor().await.has("bad", "old.lock was left by a git", "doctor --fix");
    let bot = running(&desk);
    desk.overnight(&["doctor", "--fix"]).await.says("end the bot, then");
    assert!(old.exists());
    drop(bot);
    desk.overnight(&["doctor", "--fix"]).await.says("removed");
    assert!(!old.exists() && fresh.exists(), "a fresh lock may be in use");
}

fn lock(desk: &Desk, name: &str) -> PathBuf {
    let path = home(desk).vaults().join("app.git").join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(&path, "").expect("a lock");
    path
}

#[tokio::test]
async fn telegram_that_does_not_work_is_told() {
    let telegram = FakeTelegram::start().await;
    let mut desk = set_up();
    desk.doctor().await.has("warning", "not set up", "overnight init");
    desk.sets("TELEGRAM_API_URL", &telegram.url()).sets("TELEGRAM_BOT_TOKEN", telegram.token());
    desk.doctor().await.has("bad", "nobody owns the bot", "overnight init");
    desk.sets("TELEGRAM_OWNER_ID", "7");
    desk.doctor().await.has("bad", "its owner (7) can't be reached", "press Start");
    desk.sets("TELEGRAM_BOT_TOKEN", "123456:WRONG");
    desk.doctor().await.has("bad", "Telegram does not know this token", "@BotFather");
    telegram.person(7, "Ann");
    let group = telegram.group("A group", &[7]);
    desk.sets("TELEGRAM_BOT_TOKEN", telegram.token());
    let text = desk.text("user/.overnight/overnight.toml");
    desk.writes("user/.overnight/overnight.toml", &format!("{text}[telegram]\nhome = \"-77\"\nchats = [{group}]\n"));
    let found = desk.doctor().await;
    found.has("bad", "chat -77, where the brief goes", "add the bot to it");
    found.has("fine", &format!("chat {group} can be reached"), "");
    telegram.cut();
    desk.doctor().await.has("bad", "Telegram can't be reached at 127.0.0.1", "network");
}

#[tokio::test]
async fn what_the_bot_met_on_the_way_to_its_owner_is_told() {
    use overnight::store::{Store, trouble};
    let desk = set_up();
    desk.overnight(&["status"]).await.ended(0).never_says("📵");
    desk.doctor().await.has_no("by the bot's record");
    let store = Store::open(&desk.path(HOME)).await.expect("a database");
    let mut tx = store.begin().await.expect("a transaction");
    let since = "2026-03-14T21:10:00Z".parse().expect("a time");
    trouble::set(&mut tx, "telegram", "another program reads this bot's messages", since, true).await.expect("kept");
    trouble::set(&mut tx, "telegram:7", "blocked", since, false).await.expect("kept");
    tx.commit().await.expect("kept");
    store.close().await;
    let found = desk.doctor().await;
    found.has("bad", "telegram since Sat 22:10: another program reads this bot's messages", "once it is over");
    found.has("bad", "telegram:7 since Sat 22:10: blocked", "press Start");
    let status = desk.overnight(&["status"]).await.ended(0);
    status.says("📵 Out of reach").says("telegram since Sat 22:10").says("telegram:7 since Sat 22:10");
    status.says("another program reads this bot's messages");
}

#[tokio::test]
async fn a_webhook_and_a_wrong_clock_are_told() {
    let hooked = Hooked::start().await;
    let mut desk = set_up();
    desk.sets("TELEGRAM_API_URL", &hooked.url).sets("TELEGRAM_BOT_TOKEN", "1:abcd").sets("TELEGRAM_OWNER_ID", "7");
    let found = desk.doctor().await;
    found.has("bad", "a webhook at hooks.example.org takes", "overnight init");
    found.has("warning", "min fast", "timedatectl");
}

#[tokio::test]
async fn what_tonight_will_bring_is_told() {
    let desk = set_up();
    desk.doctor().await.has("warning", "the queue is empty", "queue add");
    let add = ["queue", "add", "Mail it", "--in", "external actions", "--estimate", "1", "--project", "app"];
    desk.overnight(&add).await.ended(0);
    let found = desk.doctor().await;
    found.has("warning", "none of 1 queued tasks can run", "queue list");
    found.has("warning", "locked, waiting for your tap: #1", "overnight approve 1");
}

#[tokio::test]
async fn completions_and_examples_are_there() {
    let desk = Desk::new();
    for (shell, words) in [("bash", "complete -F"), ("zsh", "#compdef overnight"), ("fish", "complete -c overnight")] {
        desk.overnight(&["completions", shell]).await.ended(0).says(words);
    }
    for command in ["init", "doctor", "run", "queue", "approve", "health", "log", "completions"] {
        desk.overnight(&[command, "--help"]).await.ended(0).says("Example");
    }
}
