//! Mornings at random: results are shipped, taken back, the owner works in the same repository, and the bot is killed
//! between any two of its git commands. Whatever happens: the branch is at a state that passed the checks or one the owner
//! made, nothing of the owner's is lost, and everything can be undone.
//!
//! Real processes and a real clock but faster. The bot's `git` is a script that counts and kills its parent.
#![cfg(target_os = "linux")]

use crate::crash::database::Database;
use chrono::{DateTime, TimeDelta, Utc};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_mins(2);
/// How many times as fast as real time: what is tried again after 30 s is tried after a third of one.
const SPEED: f64 = 100.0;
const TASKS: i64 = 4;
/// Steps of one morning.
const STEPS: u64 = 9;

const GIT: &str = "#!/bin/sh\nhere=${0%/*}\nif [ -e \"$here/left\" ]; then\n  left=$(cat \"$here/left\")\n\
                   if [ \"${left:-0}\" -le 0 ]; then\n    rm -f \"$here/left\"\n\
                   if [ -e \"$here/after\" ]; then @GIT@ \"$@\"; fi\n    kill -9 $PPID\n    exit 1\n  fi\n\
                   echo $((left - 1)) > \"$here/left\"\nfi\nexec @GIT@ \"$@\"\n";
const AGENT: &str = "cat > /dev/null\necho \"work of $OVERNIGHT_TASK\" > work-$OVERNIGHT_TASK.txt\n";
/// Tasks 2 and 3 don't go together.
const CHECK: &str = "[ ! -e broken ] || { echo 'not ok 1 - is whole'; exit 1; }\n\
                     [ ! -e work-2.txt ] || [ ! -e work-3.txt ] || { echo 'not ok 2 - fits'; exit 1; }\necho 'ok 1 - fine'\n";
const CONFIG: &str = "[schedule]\nzone = \"UTC\"\n[limits]\ndisk_used_percent = 99.0\nmemory_available_percent = 0.0\n\
                      psi_memory_avg60 = 100.0\nmax_builds = 3\n[isolation]\nsandbox = \"off\"\n[build]\ntimeout = \"24h\"\n\
                      verify_timeout = \"8h\"\n[[agents]]\nname = \"scripted\"\nkind = \"command\"\n\
                      command = [\"sh\", \"@STAGE@/agent.sh\"]\n[[projects]]\nname = \"app\"\npath = \"@STAGE@/app\"\n\
                      base = \"main\"\nverify = [\"sh\", \"check.sh\"]\n";

/// The owner's machine on one morning.
struct Morning {
    folder: tempfile::TempDir,
    bot: Option<Child>,
    typed: usize,
    random: u64,
    /// Commits the owner made, and those that must still be on the branch.
    owners: BTreeSet<String>,
    kept: BTreeSet<String>,
    /// What the owner is writing and has not committed.
    in_hand: Option<String>,
    told: Vec<String>,
    kills: usize,
}

/// A folder in which a night was: four results, none shipped.
fn night() -> &'static Path {
    static NIGHT: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = NIGHT.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        for name in ["home", "app", "bin"] {
            fs::create_dir(path.join(name)).unwrap();
        }
        fs::write(path.join("app/check.sh"), CHECK).unwrap();
        fs::write(path.join("app/README.md"), "read me\n").unwrap();
        git(&path.join("app"), &["init", "-q", "-b", "main"]);
        git(&path.join("app"), &["add", "-A"]);
        git(&path.join("app"), &["commit", "-q", "-m", "Begin"]);
        let mut morning = Morning::at(tempfile::tempdir().unwrap(), path, 0);
        for task in 1..=TASKS {
            morning.types(&format!("/queue add Fix part {task} | 1h | bug | app"));
        }
        morning.types("/night start");
        morning.wait("four results", |m| {
            m.number("SELECT COUNT(*) FROM build WHERE outcome = 'verified'") == TASKS
                && m.number("SELECT COUNT(*) FROM build WHERE step <> 'ended'") == 0
        });
        morning.types("/night stop");
        morning.settles();
        morning.ends();
        fs::remove_dir_all(path.join("home")).unwrap();
        fs::remove_dir_all(path.join("app")).unwrap();
        copy(&morning.path("home"), &path.join("home"));
        copy(&morning.path("app"), &path.join("app"));
        folder
    });
    folder.path()
}

fn copy(from: &Path, to: &Path) {
    let done = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(done.success());
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let (done, text) = try_git(folder, arguments);
    assert!(done, "git {arguments:?}: {text}");
    text
}

fn try_git(folder: &Path, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new("git");
    command.args(["-c", "maintenance.auto=false", "-c", "user.name=You", "-c", "user.email=you@example.org"]);
    command.arg("-C").arg(folder).args(arguments).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    let done = command.output().unwrap();
    let text = if done.status.success() { done.stdout } else { done.stderr };
    (done.status.success(), String::from_utf8_lossy(&text).trim().to_owned())
}

impl Morning {
    /// A copy of the night, and a bot that runs.
    fn at(folder: tempfile::TempDir, night: &Path, seed: u64) -> Self {
        let path = folder.path().to_owned();
        for name in ["home", "app", "bin"] {
            copy(&night.join(name), &path.join(name));
        }
        let real = std::env::split_paths(&path_variable()).map(|folder| folder.join("git")).find(|git| git.is_file());
        fs::write(path.join("bin/git"), GIT.replace("@GIT@", real.unwrap().to_str().unwrap())).unwrap();
        fs::set_permissions(path.join("bin/git"), fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(path.join("agent.sh"), AGENT).unwrap();
        fs::write(path.join("overnight.toml"), CONFIG.replace("@STAGE@", path.to_str().unwrap())).unwrap();
        let owners: BTreeSet<String> = [git(&path.join("app"), &["rev-parse", "main"])].into();
        let mut morning = Self {
            folder,
            bot: None,
            typed: 0,
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            kept: owners.clone(),
            owners,
            in_hand: None,
            told: vec![],
            kills: 0,
        };
        morning.typed = usize::try_from(morning.number("SELECT COUNT(*) FROM inbox")).unwrap();
        morning.starts();
        morning
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn app(&self) -> PathBuf {
        self.path("app")
    }

    fn below(&mut self, end: u64) -> u64 {
        // xorshift64*
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        (self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % end
    }

    fn number(&self, sql: &'static str) -> i64 {
        Database(self.path("home/overnight.sqlite")).number(sql)
    }

    fn starts(&mut self) {
        let trace = "SELECT MAX(at) FROM (SELECT MAX(at) AS at FROM audit UNION ALL SELECT MAX(at) FROM sample)";
        let noon = DateTime::parse_from_rfc3339("2026-03-14T12:00:00Z").unwrap().to_utc();
        let last = DateTime::from_timestamp_millis(self.number(trace)).unwrap_or_default();
        let from: DateTime<Utc> = noon.max(last + TimeDelta::seconds(1));
        let log = |name: &str| fs::File::options().create(true).append(true).open(self.path(name)).unwrap();
        let mut path = std::ffi::OsString::from(self.path("bin"));
        path.push(":");
        path.push(path_variable());
        let mut command = Command::new(env!("CARGO_BIN_EXE_overnight"));
        command.arg("--home").arg(self.path("home")).arg("--config").arg(self.path("overnight.toml"));
        command.args(["run", "--rehearse-from", &from.to_rfc3339(), "--speed", &SPEED.to_string()]);
        command.current_dir(self.folder.path()).env("HOME", self.folder.path()).env("PATH", path);
        command.stdin(Stdio::piped()).stdout(log("screen")).stderr(log("errors"));
        self.bot = Some(command.spawn().unwrap());
    }

    /// Types a line, and waits until it is kept or the bot has died of it.
    fn types(&mut self, line: &str) {
        self.told.push(line.to_owned());
        let kept = |m: &Self| usize::try_from(m.number("SELECT COUNT(*) FROM inbox")).unwrap();
        let before = kept(self);
        let keyboard = self.bot.as_mut().unwrap().stdin.as_mut().unwrap();
        let sent = keyboard.write_all(format!("{line}\n").as_bytes());
        self.wait("a line to be kept", |m| sent.is_err() || kept(m) > before || m.died());
        self.typed = kept(self);
    }

    fn died(&mut self) -> bool {
        self.bot.as_mut().is_none_or(|bot| bot.try_wait().unwrap().is_some())
    }

    fn wait(&mut self, what: &str, mut met: impl FnMut(&mut Self) -> bool) {
        let since = Instant::now();
        while !met(self) {
            assert!(since.elapsed() < PATIENCE, "waited in vain for {what}\n{}", self.story());
            std::thread::sleep(Duration::from_millis(15));
        }
    }

    /// Until nothing moves but what waits for the owner. A bot that was killed is started again.
    fn settles(&mut self) {
        self.wait("rest", |m| {
            if m.died() {
                m.kills += 1;
                m.told.push("(killed, and started again)".into());
                m.starts();
                return false;
            }
            m.number("SELECT COUNT(*) FROM inbox WHERE handled_at IS NULL") == 0 && m.number(MOVING) == 0
        });
    }

    fn ends(&mut self) {
        if let Some(bot) = &mut self.bot {
            kill_process(Pid::from_raw(i32::try_from(bot.id()).unwrap()).unwrap(), Signal::TERM).unwrap();
            bot.wait().unwrap();
        }
        self.bot = None;
    }

    fn story(&self) -> String {
        let read = |name: &str| fs::read_to_string(self.path(name)).unwrap_or_default();
        let tail = |text: String| text.lines().rev().take(30).map(str::to_owned).collect::<Vec<_>>();
        let ships = Database(self.path("home/overnight.sqlite")).texts(
            "SELECT id || ' ' || kind || ' build ' || build_id || ' ' || step || ' ' || COALESCE(outcome, '') || ' ' || reason || ' '
             || COALESCE(waits, '') || ' ' || COALESCE(found, '') || ' ' || COALESCE(onto, '') || '>' || COALESCE(commit_sha, '') FROM ship ORDER BY id",
        );
        let log = try_git(&self.app(), &["log", "--oneline", "--graph", "main"]).1;
        format!("{:#?}\n{ships:#?}\n{log}\n{:#?}", self.told, tail(read("errors")))
    }

    /// One step, of the owner or of the bot.
    fn step(&mut self) {
        let task = 1 + self.below(TASKS as u64);
        if self.below(3) == 0 {
            let calls = self.below(28);
            self.told.push(format!("(dies after {calls} more git commands)"));
            // Before the command, or after it has done its work.
            let after = self.path("bin/after");
            let _ = if self.below(2) == 0 { fs::remove_file(after) } else { fs::write(after, "") };
            fs::write(self.path("bin/left"), calls.to_string()).unwrap();
        }
        match self.below(14) {
            0..=3 => self.types(&format!("/ship {task}")),
            4 => self.types("/ship all"),
            5..=7 => self.types(&format!("/revert {task}")),
            8 => self.types(&format!("/undo {task}")),
            9 => self.commits("own.txt", "mine"),
            10 => self.commits(&format!("work-{task}.txt"), "the owner's version"),
            11 => self.breaks_or_mends(),
            12 => self.writes_or_lets_go(),
            _ => self.amends(),
        }
        // What the owner does comes in between as well as after.
        if self.below(3) > 0 {
            self.settles();
            self.holds();
        }
    }

    fn commits(&mut self, name: &str, text: &str) {
        let text = format!("{text} {}\n", self.below(1000));
        self.told.push(format!("(the owner commits {name})"));
        let staged = fs::write(self.app().join(name), text).is_ok() && try_git(&self.app(), &["add", name]).0;
        let made = staged && try_git(&self.app(), &["commit", "-q", "-m", "Mine", "--", name]).0;
        self.made(made, name);
    }

    /// A commit that failed, because a landing held the branch in that moment, is made after it.
    fn made(&mut self, made: bool, name: &str) {
        if !made {
            self.settles();
            git(&self.app(), &["add", "-A", "--", name]);
            try_git(&self.app(), &["commit", "-q", "-m", "Mine", "--", name]);
        }
        let tip = git(&self.app(), &["rev-parse", "HEAD"]);
        self.owners.insert(tip.clone());
        self.kept.insert(tip);
    }

    fn breaks_or_mends(&mut self) {
        if self.app().join("broken").exists() {
            fs::remove_file(self.app().join("broken")).unwrap();
            self.told.push("(the owner mends it)".into());
            let made = try_git(&self.app(), &["commit", "-q", "-m", "Mended", "--", "broken"]).0;
            self.made(made, "broken");
        } else {
            self.commits("broken", "it is");
        }
    }

    fn writes_or_lets_go(&mut self) {
        let text = if self.in_hand.take().is_some() {
            git(&self.app(), &["show", "HEAD:README.md"]) + "\n"
        } else {
            let text = format!("half a sentence {}", self.below(1000));
            self.in_hand = Some(text.clone());
            text
        };
        self.told.push(format!("(README: {text:?})"));
        fs::write(self.app().join("README.md"), text).unwrap();
    }

    /// The owner rewrites their last commit, if it is the last.
    fn amends(&mut self) {
        self.settles();
        let tip = git(&self.app(), &["rev-parse", "HEAD"]);
        if self.owners.contains(&tip) && self.owners.len() > 1 {
            self.told.push("(the owner amends)".into());
            let message = format!("Mine, better {}", self.below(1000));
            if try_git(&self.app(), &["commit", "-q", "--amend", "-m", &message, "--only"]).0 {
                self.kept.remove(&tip);
                let tip = git(&self.app(), &["rev-parse", "HEAD"]);
                self.owners.insert(tip.clone());
                self.kept.insert(tip);
            }
        }
    }

    /// What must be true at every rest.
    fn holds(&mut self) {
        let app = self.app();
        let story = self.story();
        for made in git(&app, &["rev-list", "main"]).lines() {
            if self.owners.contains(made) {
                continue;
            }
            let files = git(&app, &["ls-tree", "--name-only", made]);
            let has = |name: &str| files.lines().any(|file| file == name);
            let fails = has("broken") || (has("work-2.txt") && has("work-3.txt"));
            assert!(!fails, "{made} never passed the checks\n{story}");
        }
        for own in &self.kept {
            let there = try_git(&app, &["merge-base", "--is-ancestor", own, "main"]).0;
            assert!(there, "the owner's {own} is gone\n{story}");
        }
        let status = git(&app, &["status", "--porcelain"]);
        let wanted = if self.in_hand.is_some() { "M README.md" } else { "" };
        assert_eq!(status.trim(), wanted, "{story}");
        if let Some(text) = &self.in_hand {
            assert_eq!(&fs::read_to_string(app.join("README.md")).unwrap(), text, "{story}");
        }
        for lock in ["index.lock", "HEAD.lock", "refs/heads/main.lock"] {
            assert!(!app.join(".git").join(lock).exists(), "{lock} is left\n{story}");
        }
    }

    /// Everything that is on the branch is taken off it again, or it is said why not.
    fn undoes_all(&mut self) {
        let _ = fs::remove_file(self.path("bin/left"));
        self.settles();
        if self.in_hand.is_some() {
            self.writes_or_lets_go();
        }
        if self.app().join("broken").exists() {
            self.breaks_or_mends();
        }
        for task in 1..=TASKS {
            self.types(&format!("/undo {task}"));
        }
        for task in (1..=TASKS).rev() {
            self.types(&format!("/revert {task}"));
            self.settles();
        }
        self.wait("nothing to wait for any more", |m| m.number("SELECT COUNT(*) FROM ship WHERE step <> 'ended'") == 0);
        self.holds();
        let story = self.story();
        let open = "SELECT COUNT(*) FROM operation WHERE done_at IS NULL AND dropped_at IS NULL";
        assert_eq!(self.number(open), 0, "an operation is neither done nor dropped\n{story}");
        let landed: Vec<(i64, String)> = Database(self.path("home/overnight.sqlite")).rows(
            "SELECT build.task_id, s.kind FROM ship s JOIN build ON build.id = s.build_id WHERE s.id IN
             (SELECT MAX(ship.id) FROM ship JOIN build ON build.id = build_id WHERE ship.outcome = 'landed' GROUP BY task_id)",
        );
        let files = git(&self.app(), &["ls-tree", "--name-only", "main"]);
        for (task, kind) in landed {
            let name = format!("work-{task}.txt");
            let theirs = git(&self.app(), &["log", "--format=%s", "main", "--", &name]).contains("Mine");
            let there = files.lines().any(|file| file == name);
            assert!(theirs || there == (kind == "ship"), "{name}: {kind}\n{story}");
            let refused = "SELECT COUNT(*) FROM ship WHERE kind = 'revert' AND outcome NOT IN ('landed', 'withdrawn') AND reason <> ''";
            assert!(
                kind == "revert" || self.number(refused) > 0,
                "#{task} was not taken back, and nothing was said\n{story}"
            );
        }
        git(&self.app(), &["fsck", "--strict", "--no-dangling"]);
        self.ends();
    }
}

impl Drop for Morning {
    fn drop(&mut self) {
        if let Some(bot) = &mut self.bot {
            drop(bot.kill());
            drop(bot.wait());
        }
    }
}

/// Ships that go on by themselves now: not those that wait for the owner, nor those queued behind one that does.
const MOVING: &str = "SELECT COUNT(*) FROM ship WHERE step NOT IN ('ended', 'waiting') AND NOT (step = 'queued'
    AND asked_onto IS NOT NULL AND EXISTS (SELECT 1 FROM ship other WHERE other.step = 'waiting'))";

fn path_variable() -> std::ffi::OsString {
    std::env::vars_os().find(|(name, _)| name == "PATH").map(|(_, value)| value).unwrap()
}

/// Lives one morning and undoes it; gives how often the bot was killed.
fn morning(seed: u64) -> usize {
    let mut morning = Morning::at(tempfile::tempdir().unwrap(), night(), seed + 1);
    morning.told.push(format!("seed {seed}"));
    for _ in 0..STEPS {
        morning.step();
    }
    morning.settles();
    morning.holds();
    morning.undoes_all();
    morning.kills
}

fn mornings(seeds: std::ops::Range<u64>, at_once: u64) -> (usize, Vec<String>) {
    night();
    let next = std::sync::atomic::AtomicU64::new(seeds.start);
    let (kills, failures) = (std::sync::atomic::AtomicUsize::new(0), std::sync::Mutex::new(vec![]));
    let work = || {
        loop {
            let seed = next.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            if seed >= seeds.end {
                return;
            }
            match std::panic::catch_unwind(|| morning(seed)) {
                Ok(killed) => drop(kills.fetch_add(killed, std::sync::atomic::Ordering::SeqCst)),
                Err(panic) => {
                    let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
                    failures.lock().unwrap().push(format!("seed {seed}: {text}"));
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(work);
        }
    });
    (kills.into_inner(), failures.into_inner().unwrap())
}

/// A sample; a thousand are in [`a_thousand_mornings`].
#[test]
fn whatever_happens_in_a_morning_nothing_is_lost_and_all_can_be_undone() {
    let (kills, failures) = mornings(0..8, 3);
    assert!(failures.is_empty(), "{}", failures.join("\n=====\n"));
    assert!(kills > 0, "the bot was never killed");
}

#[test]
#[ignore = "a thousand mornings: run by .ci/long"]
fn a_thousand_mornings() {
    let since = Instant::now();
    let count =
        std::env::vars().find(|(name, _)| name == "OVERNIGHT_MORNINGS").map_or(1000, |(_, n)| n.parse().unwrap());
    let (kills, failures) = mornings(0..count, 4);
    println!("{count} mornings, {kills} kills: {} broke a rule; {} s", failures.len(), since.elapsed().as_secs());
    assert!(failures.is_empty(), "{}", failures.join("\n=====\n"));
}
