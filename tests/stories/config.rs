//! What the owner sees of the configuration: what is wrong with it, in one line, and what is missing.

mod bad_values;

use overnight::config::{Config, ConfigError, Overrides};
use overnight::domain::category::Category;
use overnight::domain::settings::{AgentKind, Better, Settings};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A user's home folder (with nothing in it) and a folder to start from.
struct Place {
    root: TempDir,
    variables: BTreeMap<String, String>,
}

impl Place {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let home = root.path().join("user");
        fs::create_dir(&home).unwrap();
        fs::create_dir(root.path().join("here")).unwrap();
        let place = Self { root, variables: BTreeMap::new() };
        place.set("HOME", home.to_str().unwrap())
    }

    fn set(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    fn home(&self) -> PathBuf {
        self.root.path().join("user")
    }

    fn here(&self) -> PathBuf {
        self.root.path().join("here")
    }

    fn write(&self, file: impl AsRef<Path>, text: &str) {
        let file = self.root.path().join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    fn load(&self) -> Result<Config, ConfigError> {
        Config::load_from(&Overrides::default(), self.variables.clone(), &self.here())
    }

    fn error(&self) -> String {
        match self.load() {
            Ok(config) => panic!("loaded, though it should not: {config:?}"),
            Err(error) => error.to_string(),
        }
    }
}

fn load(toml: &str) -> Result<Config, ConfigError> {
    let place = Place::new();
    place.write("here/overnight.toml", toml);
    place.load()
}

fn error(toml: &str) -> String {
    match load(toml) {
        Ok(_) => panic!("loaded, though it should not:\n{toml}"),
        Err(error) => error.to_string(),
    }
}

fn repository_file(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// The example with every setting switched on: `#key` is a setting, `# text` is prose.
fn example_uncommented() -> String {
    let example = repository_file("overnight.example.toml");
    let setting = |line: &&str| line.starts_with('#') && !line.starts_with("# ") && line.len() > 1;
    let lines: Vec<&str> = example.lines().filter(setting).map(|line| &line[1..]).collect();
    lines.join("\n") + "\n"
}

#[test]
fn without_any_configuration_the_defaults_hold_and_what_is_missing_is_said() {
    let place = Place::new().set("TZ", "America/Nuuk");
    let config = place.load().unwrap();
    assert_eq!(config.home, place.home().join(".overnight"));
    assert_eq!((config.config_file.as_deref(), config.log_level.as_str()), (None, "info"));
    assert_eq!(config.settings.schedule.zone, chrono_tz::America::Nuuk);
    let missing: Vec<String> = config.missing.iter().map(ToString::to_string).collect();
    let file = place.home().join(".overnight/overnight.toml");
    let said = format!("builds: no project is configured: builds need [[projects]] in {}", file.display());
    assert!(missing.contains(&said), "{missing:#?}");
    assert!(missing.iter().any(|m| m.contains("[[agents]]")), "{missing:#?}");
    assert!(config.is_owner("terminal:owner") && !config.is_owner("terminal:other"));
    assert!(!config.home.exists(), "loading makes nothing");
}

#[test]
fn the_example_holds_every_key_and_shows_the_defaults() {
    let place = Place::new();
    place.write("here/overnight.toml", &example_uncommented());
    fs::create_dir_all(place.home().join("src/app")).unwrap();
    let config = place.load().unwrap();
    let Settings {
        schedule,
        limits,
        build,
        sample_every,
        categories,
        projects,
        agents,
        health,
        patterns,
        budget,
        isolation,
        planning,
    } = config.settings.clone();
    let default = Settings::default();
    assert_eq!(planning, default.planning);
    assert_eq!(schedule.zone, chrono_tz::Europe::Berlin);
    assert_eq!(overnight::domain::schedule::Schedule { zone: default.schedule.zone, ..schedule }, default.schedule);
    assert_eq!(limits.disk_free_gb, Some(20.0));
    let limits = overnight::domain::settings::ResourceSettings { disk_free_gb: None, ..limits };
    assert_eq!((limits, build, sample_every), (default.limits, default.build, default.sample_every));
    assert_eq!(budget.build.usd, Some(5.0));
    assert_eq!(budget.night.usd, Some(20.0));
    assert_eq!((categories, health, patterns), (default.categories, default.health, default.patterns));
    assert_eq!(isolation.memory_gb, Some(8.0));
    assert_eq!(overnight::domain::settings::Isolation { memory_gb: None, ..isolation }, default.isolation);

    let [agent, claude] = agents.as_slice() else { panic!("{agents:?}") };
    let program = place.home().join(".local/bin/claude");
    assert_eq!((claude.kind, claude.argv.program()), (AgentKind::Claude, program.to_str().unwrap()));
    assert_eq!((claude.model.as_deref(), claude.argv.args().len()), (Some("sonnet"), 0));
    for kind in AgentKind::ALL {
        assert!(
            repository_file("overnight.example.toml").contains(&format!("\"{kind}\"")),
            "{kind} is not in the example"
        );
    }
    assert_eq!(
        (agent.name.as_str(), agent.argv.as_slice()),
        ("my-agent", ["my-agent", "--batch"].map(String::from).as_slice())
    );
    let [project] = projects.as_slice() else { panic!("{projects:?}") };
    assert_eq!((project.name.as_str(), &project.path), ("app", &place.home().join("src/app")));
    assert_eq!(project.verify.as_ref().map(ToString::to_string).as_deref(), Some("npm test"));
    assert_eq!(project.measure.as_ref().map(|m| (m.unit.as_str(), m.better)), Some(("ms", Better::Lower)));
    assert_eq!((project.ports(1), config.settings.max_builds_of("app")), (Some((4010, 4019)), 1));
    assert_eq!(project.agent.as_deref(), Some("my-agent"));
    assert_eq!(config.missing.iter().map(|missing| missing.feature.as_str()).collect::<Vec<_>>(), ["Telegram"]);
    assert!(config.is_owner("terminal:owner"));

    let plain = load("[[projects]]\nname = \"app\"\npath = \"/x\"").unwrap().settings.projects.remove(0);
    assert_eq!(plain.ports_per_build, project.ports_per_build);
    assert_eq!((&plain.copy, &plain.caches, &plain.env_pass), (&project.copy, &project.caches, &project.env_pass));
}

#[test]
fn no_key_the_reader_knows_is_missing_in_the_example() {
    let example = example_uncommented();
    // The reader itself lists what it knows, in its answer to an unknown key.
    let tables = [
        ("", "zzz = 1\n"),
        ("[schedule]", "[schedule]\nzzz = 1\n"),
        ("[limits]", "[limits]\nzzz = 1\n"),
        ("[build]", "[build]\nzzz = 1\n"),
        ("[budget]", "[budget]\nzzz = 1\n"),
        ("[categories]", "[categories]\nzzz = 1\n"),
        ("[health]", "[health]\nzzz = 1\n"),
        ("[patterns]", "[patterns]\nzzz = 1\n"),
        ("[isolation]", "[isolation]\nzzz = 1\n"),
        ("[owner]", "[owner]\nzzz = 1\n"),
        ("[[agents]]", "[[agents]]\nname = \"a\"\ncommand = \"a\"\nzzz = 1\n"),
        ("[[agents]]", "[[agents]]\nname = \"a\"\nkind = \"codex\"\nzzz = 1\n"),
        ("[[projects]]", "[[projects]]\nname = \"a\"\npath = \"/a\"\nzzz = 1\n"),
    ];
    for (header, text) in tables {
        let error = error(text);
        let (_, known) = error.split_once("known here: ").unwrap_or_else(|| panic!("{error}"));
        assert!(example.contains(header), "the example has no {header}");
        // A kind of table may be shown more than once, each time with other keys.
        let in_tables = example.split(header).skip(1).map(|table| table.split("\n[").next().unwrap());
        let in_table = if header.is_empty() { example.clone() } else { in_tables.collect() };
        for key in known.split(", ") {
            let shown = in_table.lines().any(|line| {
                line.starts_with(&format!("{key} = ")) || line == format!("[{key}]") || line == format!("[[{key}]]")
            });
            assert!(shown, "{header} {key} is missing in overnight.example.toml");
        }
    }
}

#[test]
fn every_variable_that_is_read_is_in_the_example_environment() {
    let mut files = vec![PathBuf::from("src/config.rs")];
    files.extend(
        fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config")).unwrap().map(|e| e.unwrap().path()),
    );
    let source: String = files.iter().map(|file| repository_file(file.to_str().unwrap())).collect();
    let example = repository_file(".env.example");
    let quoted = source.split('"').skip(1);
    let names: Vec<&str> = quoted
        .filter(|text| ["OVERNIGHT_", "TELEGRAM_"].iter().any(|own| text.starts_with(own) && text.len() > own.len()))
        .filter(|text| text.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
        .collect();
    assert!(names.len() >= 6, "{names:?}");
    for name in names {
        assert!(example.contains(&format!("\n#{name}=")), "{name} is not in .env.example");
    }
    // And each one it shows is one that is read: .env files with any other are refused.
    let place = Place::new();
    place.write("here/.env", &example.replace("\n#OVERNIGHT_", "\nOVERNIGHT_").replace("\n#TELEGRAM_", "\nTELEGRAM_"));
    place.write("user/.overnight/overnight.toml", "");
    let config = place.load().unwrap();
    assert_eq!(config.home, place.home().join(".overnight"));
    assert_eq!(config.config_file, Some(place.home().join(".overnight/overnight.toml")));
}

#[test]
fn a_value_that_may_be_a_secret_is_never_repeated() {
    let toml = "[[agents]]\nname = \"a\"\ncommand = \"a\"\nenv = { SLACK_TOKEN = \"canary\" }";
    let said = error(toml);
    assert!(said.contains("agents[0].env.SLACK_TOKEN") && !said.contains("canary"), "{said}");
    let said = error("[[agents]]\nname = \"a\"\ncommand = \"a\"\nenv = { KEY = [\"canary\"] }");
    assert!(said.contains("agents[0].env.KEY") && !said.contains("canary"), "{said}");

    let place = Place::new().set("ANTHROPIC_API_KEY", "canary");
    assert!(!format!("{:?}", place.load().unwrap()).contains("canary"));
    place.write("here/.env", "GOOD=1\nAPI KEY=canary\n");
    let said = place.error();
    assert!(said.contains("here/.env, line 2: this line is no NAME=value") && !said.contains("canary"), "{said}");
}

#[test]
fn the_environment_wins_over_env_files_and_the_near_one_over_the_far_one() {
    let place = Place::new().set("OVERNIGHT_LOG", "warn").set("A", "real");
    place.write("here/.env", "OVERNIGHT_LOG=debug\nOVERNIGHT_HOME=data\nA=near\nB=near\n");
    place.write("here/data/.env", "OVERNIGHT_LOG=trace\nA=far\nB=far\nC=far\n");
    let config = place.load().unwrap();
    assert_eq!((config.home.clone(), config.log_level.as_str()), (place.here().join("data"), "warn"));
    let child = config.child_env(&["A", "B", "C", "D"].map(String::from));
    let get = |name: &str| child.get(name).map(String::as_str);
    assert_eq!([get("A"), get("B"), get("C"), get("D")], [Some("real"), Some("near"), Some("far"), None]);

    let place = Place::new();
    place.write("here/.env", "OVERNIGHT_LOG=overnight=loud\n");
    let said = place.error();
    assert!(said.contains("here/.env: OVERNIGHT_LOG = \"overnight=loud\"") && said.contains("trace"), "{said}");
    place.write("here/.env", "\nOVERNIGHT_HOEM=x\n");
    let said = place.error();
    assert!(said.contains(".env, line 2: OVERNIGHT_HOEM") && said.contains("did you mean OVERNIGHT_HOME?"), "{said}");
}

#[test]
fn the_file_is_the_named_one_else_the_near_one_else_the_one_at_home() {
    let place = Place::new();
    let file = |place: &Place| place.load().unwrap().config_file;
    place.write("user/.overnight/overnight.toml", "");
    assert_eq!(file(&place), Some(place.home().join(".overnight/overnight.toml")));
    place.write("here/overnight.toml", "");
    assert_eq!(file(&place), Some(place.here().join("overnight.toml")));
    place.write("here/other.toml", "");
    let place = place.set("OVERNIGHT_CONFIG", "other.toml");
    assert_eq!(file(&place), Some(place.here().join("other.toml")));
    let overrides = Overrides { home: Some("elsewhere".into()), config_file: Some("gone.toml".into()) };
    let error = Config::load_from(&overrides, place.variables.clone(), &place.here()).unwrap_err().to_string();
    assert!(error.contains("here/gone.toml") && error.contains("no such file"), "{error}");
    let place = place.set("OVERNIGHT_CONFIG", "/");
    assert!(place.error().contains("no regular file"), "{}", place.error());
}

#[test]
fn a_checkout_that_is_not_there_stops_only_its_own_project() {
    let place = Place::new();
    fs::create_dir_all(place.home().join("there")).unwrap();
    let project = |name: &str| format!("[[projects]]\nname = \"{name}\"\npath = \"~/{name}\"\nverify = \"true\"\n");
    let agent = "[[agents]]\nname = \"a\"\ncommand = \"true\"\nenv_pass = [\"KEY\"]\n";
    place.write("here/overnight.toml", &format!("{agent}{}{}", project("there"), project("gone")));
    let config = place.load().unwrap();
    assert_eq!(config.settings.projects.len(), 2);
    let said: Vec<String> = config.missing.iter().map(ToString::to_string).collect();
    let [key, folder, _telegram] = said.as_slice() else { panic!("{said:#?}") };
    assert!(key.starts_with("builds by agent a: KEY is not set (agents[0].env_pass in "), "{key}");
    let gone = place.home().join("gone");
    assert!(
        folder.starts_with(&format!("builds of project gone: its folder {} does not exist", gone.display())),
        "{folder}"
    );
    assert!(folder.contains("(projects[1].path in "), "{folder}");
}

#[test]
fn the_home_is_made_closed_and_closed_again() {
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let open = |path: &Path| fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    let place = Place::new().set("OVERNIGHT_HOME", "~/a/b");
    let config = place.load().unwrap();
    config.ensure_home().unwrap();
    assert_eq!(mode(&config.home), 0o700);
    open(&config.home);
    config.ensure_home().unwrap();
    assert_eq!(mode(&config.home), 0o700, "an empty folder is ours to close");
    place.write("user/a/b/family.jpg", "");
    place.write("user/a/b/.env", "");
    open(&config.home);
    let error = config.ensure_home().unwrap_err().to_string();
    assert!(error.contains("mode 755") && error.contains("chmod 700"), "{error}");
    assert_eq!(mode(&config.home), 0o755, "a folder in other use is left alone");
    place.write("user/a/b/overnight.toml", "");
    config.ensure_home().unwrap();
    assert_eq!(mode(&config.home), 0o700);
    let usual = Place::new();
    usual.write("user/.overnight/.env", "");
    open(&usual.home().join(".overnight"));
    usual.load().unwrap().ensure_home().unwrap();
    assert_eq!(mode(&usual.home().join(".overnight")), 0o700);
    place.write("user/file", "");
    let place = place.set("OVERNIGHT_HOME", "~/file/x");
    let error = place.load().unwrap().ensure_home().unwrap_err().to_string();
    assert!(error.contains("file/x") && error.contains("can't be made"), "{error}");
}

#[test]
fn a_home_that_would_harm_is_refused() {
    for home in ["/", "~", "~/"] {
        let error = Place::new().set("OVERNIGHT_HOME", home).error();
        assert!(error.contains("a folder of its own"), "{home}: {error}");
    }
    let climbing = Place::new().set("OVERNIGHT_HOME", "../user").error();
    assert!(climbing.contains("may not contain .."), "{climbing}");
    let place = Place::new().set("OVERNIGHT_HOME", "~/app/.overnight");
    place.write("here/overnight.toml", "[[projects]]\nname = \"app\"\npath = \"~/app\"\n");
    assert!(place.error().contains("project app"), "{}", place.error());
    let mut place = Place::new();
    place.variables.remove("HOME");
    assert!(place.error().contains("HOME is not set"), "{}", place.error());
}

#[test]
fn children_get_the_basics_and_never_what_is_the_bots() {
    let mut place = Place::new();
    for (name, value) in [
        ("PATH", "/bin"),
        ("LC_ALL", "C"),
        ("TERM", "xterm"),
        ("KEY", "k"),
        ("OTHER", "o"),
        ("TELEGRAM_BOT_TOKEN", "1:test"),
        ("SLACK_APP_TOKEN", "s"),
        ("OVERNIGHT_LOG", "info"),
    ] {
        place = place.set(name, value);
    }
    let asked_for = ["KEY", "TELEGRAM_BOT_TOKEN", "SLACK_APP_TOKEN", "OVERNIGHT_LOG"].map(String::from);
    let child = place.load().unwrap().child_env(&asked_for);
    let names: Vec<&str> = child.keys().map(String::as_str).collect();
    assert_eq!(names, ["HOME", "KEY", "LC_ALL", "PATH", "TERM"]);
    assert_eq!(child["TERM"], "dumb");
    place.variables.remove("PATH");
    assert!(place.load().unwrap().child_env(&[])["PATH"].contains("/usr/bin"));
}

#[test]
fn the_owner_can_move_a_category() {
    let config = load("[categories]\nnew_feature = \"auto\"\nbug_fix = \"locked\"").unwrap();
    assert!(config.settings.auto_approved(Category::NewFeature) && !config.settings.auto_approved(Category::BugFix));
    assert!(config.settings.auto_approved(Category::Documentation));
}

#[test]
fn telegram_is_checked_and_its_token_never_shown() {
    let place = Place::new().set("TELEGRAM_BOT_TOKEN", "123:abc def");
    let said = place.error();
    assert!(said.contains("TELEGRAM_BOT_TOKEN") && said.contains("@BotFather") && !said.contains("abc"), "{said}");
    let place = Place::new().set("TELEGRAM_BOT_TOKEN", "123:abcdef").set("TELEGRAM_OWNER_ID", "@me");
    let said = place.error();
    assert!(said.contains("TELEGRAM_OWNER_ID = \"@me\"") && said.contains("numeric"), "{said}");
    let place = place.set("TELEGRAM_OWNER_ID", "42").set("TELEGRAM_API_URL", "ftp://x");
    assert!(place.error().contains("TELEGRAM_API_URL"), "{}", place.error());
    let place = place.set("TELEGRAM_API_URL", "http://127.0.0.1:8081");
    place.write("here/.env", "TELEGRAM_TOKEN=1:x\n");
    let said = place.error();
    assert!(said.contains("TELEGRAM_TOKEN") && said.contains("TELEGRAM_BOT_TOKEN"), "{said}");
    place.write("here/.env", "SLACK_APP_TOKEN=x\n");
    let config = place.load().unwrap();
    assert!(config.is_owner("telegram:42") && config.is_owner("terminal:owner"));
    let telegram = config.telegram.as_ref().unwrap();
    assert_eq!(telegram.home_address().as_deref(), Some("telegram:42"));
    assert!(!format!("{config:?}").contains("abcdef"), "a configuration ends up in logs");
}
