//! One night of a real bot process on a fast clock, with an owner who types, and a hand that kills and starts again.

use super::database::Database;
use super::stage::Stage;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Generous: two cores may be shared by many tests.
const PATIENCE: Duration = Duration::from_mins(3);
const LOOK: Duration = Duration::from_millis(30);
/// How many times as fast as real time: the hours for builds are 88 s, many times what they need on a busy machine.
const SPEED: f64 = 300.0;
/// The same for the morning, in which nothing is built.
const MORNING_SPEED: f64 = 3_000.0;
/// So many days ahead lies the night: what the machine wrote today is old by then.
const AHEAD: TimeDelta = TimeDelta::days(45);

/// What the owner types, and what they see then. All but the last is typed in the evening.
const TYPED: [(&str, &str); 8] = [
    ("/queue add Speed up alpha | 1h | perf | alpha", "#1 Speed up alpha"),
    ("/queue add Break alpha | 1h | bug | high | alpha", "#2 Break alpha"),
    ("/queue add Retry beta | 1h | bug | beta", "#3 Retry beta"),
    ("/queue add Draw dashboard | 1h | feature | beta", "#4 Draw dashboard"),
    (
        "/queue add Post the news | 1h | action | external | ! sh -c \"echo posted >> @STAGE@/witness/posted\"",
        "#5 Post the news",
    ),
    ("/approve 4", "#4 \"Draw dashboard\" is approved"),
    ("/approve 5", "#5 \"Post the news\" is approved"),
    ("/why 3", "🔎 #3 Retry beta"),
];

/// One night.
pub(super) struct Night {
    pub(super) stage: Stage,
    pub(super) database: Database,
    /// Four minutes before the night begins.
    evening: DateTime<Utc>,
    /// Whether all is built, and what is left is the report and the brief.
    is_morning: bool,
    /// At which failpoint of the morning the bot is to die.
    pub(super) morning_failpoint: Option<u64>,
    bot: Option<Bot>,
    /// How many lines have their answer.
    answered: usize,
    typed: bool,
    /// How much was on the screen when this life began.
    screen_before: usize,
    /// Lives of the bot so far.
    pub(super) lives: usize,
}

struct Bot {
    process: Child,
    keyboard: ChildStdin,
}

/// How a look at the night went.
#[derive(Debug, PartialEq)]
pub(super) enum Seen {
    /// It goes on.
    Under,
    /// The brief is out, all is said, and the bot has ended when it was asked to.
    Over,
    /// The bot was killed.
    Killed,
}

impl Night {
    pub(super) fn new() -> Self {
        let mut stage = Stage::new();
        let evening = (stage.made_at() + AHEAD).date_naive().and_hms_opt(22, 56, 0).unwrap().and_utc();
        stage.set(evening.into());
        let database = Database(stage.path("home").join("overnight.sqlite"));
        Self {
            stage,
            database,
            evening,
            is_morning: false,
            morning_failpoint: None,
            bot: None,
            answered: 0,
            typed: false,
            screen_before: 0,
            lives: 0,
        }
    }

    /// The night's date.
    pub(super) fn date(&self) -> NaiveDate {
        self.evening.date_naive()
    }

    /// Starts the bot at the moment the night has reached.
    pub(super) fn start(&mut self, failpoint: Option<u64>) {
        assert!(self.bot.is_none(), "it runs already");
        let speed = if self.is_morning { MORNING_SPEED } else { SPEED };
        let append = |name: &str| File::options().create(true).append(true).open(self.stage.path(name)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_overnight"));
        command.arg("--home").arg(self.stage.path("home")).arg("--config").arg(self.stage.path("overnight.toml"));
        command.args(["run", "--rehearse-from", &self.reached().to_rfc3339(), "--speed", &speed.to_string()]);
        command.args(failpoint.map(|place| format!("--failpoint={place}")));
        command.current_dir(self.stage.root()).env("HOME", self.stage.root());
        command.stdin(Stdio::piped()).stdout(append("screen")).stderr(append("errors"));
        self.screen_before = self.screen().len();
        let mut process = command.spawn().unwrap();
        let keyboard = process.stdin.take().unwrap();
        self.bot = Some(Bot { process, keyboard });
        self.lives += 1;
    }

    /// The last moment this night left a trace of.
    fn reached(&self) -> DateTime<Utc> {
        let trace = "SELECT MAX(at) FROM (SELECT MAX(at) AS at FROM audit UNION ALL SELECT MAX(at) FROM sample)";
        let trace = DateTime::from_timestamp_millis(self.database.number(trace)).unwrap();
        // A minute before the report is due: hours in which nothing would happen are left out.
        let morning = self.evening + TimeDelta::minutes(7 * 60 + 33);
        trace.max(if self.is_morning { morning } else { self.evening })
    }

    /// One look: types what is next to be typed, and says how things stand.
    pub(super) fn look(&mut self) -> Seen {
        if let Some(status) = self.died() {
            assert_eq!(status.signal(), Some(9), "the bot ended by itself: {status}\n{}", self.told());
            self.forget_bot();
            return Seen::Killed;
        }
        self.read_and_type();
        if self.answered < TYPED.len() {
            return Seen::Under;
        }
        if !self.is_morning && self.is_built() {
            let ended = self.end();
            if ended == Seen::Killed {
                return ended;
            }
            self.is_morning = true;
            self.start(self.morning_failpoint);
        }
        if self.is_over() { self.end() } else { Seen::Under }
    }

    fn is_built(&self) -> bool {
        self.open() == 0 && self.database.number("SELECT COUNT(*) FROM task WHERE state <> 'done'") == 0
    }

    /// Looks until the night is over or the bot was killed.
    pub(super) fn live(&mut self) -> Seen {
        self.live_until("the end of the night", |_| false)
    }

    /// Looks until something is the case, or the night is over, or the bot was killed.
    pub(super) fn live_until(&mut self, what: &str, met: impl Fn(&Self) -> bool) -> Seen {
        let since = Instant::now();
        loop {
            let seen = self.look();
            if seen != Seen::Under || met(self) {
                return seen;
            }
            assert!(since.elapsed() < PATIENCE, "waited in vain for {what}; {}\n{}", self.standing(), self.told());
            std::thread::sleep(LOOK);
        }
    }

    /// Kills the bot as a crash would.
    pub(super) fn kill(&mut self) {
        if let Some(bot) = &mut self.bot {
            // It may have died this moment; that is what was wanted.
            drop(bot.process.kill());
            bot.process.wait().unwrap();
        }
        self.forget_bot();
    }

    /// The supervisor of a task's running agent.
    pub(super) fn supervisor_of_agent(&self, task: i64) -> (u32, String) {
        let runs: Vec<(i64, i64)> = self.database.rows(
            "SELECT task_id, run.id FROM run JOIN build ON build.id = owner_id
             WHERE owner_kind = 'build' AND run.step = 'agent' AND run.ended_at IS NULL",
        );
        let (_, run) = runs.iter().find(|(of, _)| *of == task).expect("an open run");
        let folder = format!("supervise {} ", self.stage.path("home").join(format!("runs/r{run}")).display());
        self.stage.processes().into_iter().find(|(_, line)| line.contains(&folder)).expect("a supervisor")
    }

    /// Kills everything of this night at once: bot, supervisors, agents and what they started.
    pub(super) fn power_off(&mut self) {
        self.kill();
        let since = Instant::now();
        loop {
            let left = self.stage.processes();
            if left.is_empty() {
                return;
            }
            super::kill_all(&left);
            assert!(since.elapsed() < PATIENCE, "can't be killed: {left:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends the bot politely, as soon as it says that it runs. A failpoint can lie in its last breath.
    fn end(&mut self) -> Seen {
        self.wait_for("the bot to run", |night| {
            night.screen()[night.screen_before..].contains("overnight is running") || night.died().is_some()
        });
        if self.died().is_none() {
            // Not waited for yet: its number is its own.
            let bot = self.bot.as_ref().expect("it runs");
            kill_process(Pid::from_raw(i32::try_from(bot.process.id()).unwrap()).unwrap(), Signal::TERM).unwrap();
        }
        self.wait_for("the bot's end", |night| night.died().is_some());
        let status = self.died().expect("it has ended");
        self.forget_bot();
        match (status.success(), status.signal()) {
            (true, _) => Seen::Over,
            (false, Some(9)) => Seen::Killed,
            _ => panic!("ended with {status}\n{}", self.told()),
        }
    }

    fn wait_for(&mut self, what: &str, mut met: impl FnMut(&mut Self) -> bool) {
        let since = Instant::now();
        while !met(self) {
            assert!(since.elapsed() < PATIENCE, "waited in vain for {what}; {}\n{}", self.standing(), self.told());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn died(&mut self) -> Option<ExitStatus> {
        self.bot.as_mut().and_then(|bot| bot.process.try_wait().unwrap())
    }

    /// A line in the keyboard's pipe dies with the bot. One that was kept is answered by the next life; for one that was
    /// not no answer comes, and the owner types it again.
    fn forget_bot(&mut self) {
        self.bot = None;
        if self.typed && !self.answered_now() {
            let kept = self.database.texts("SELECT body FROM inbox");
            let line = serde_json::to_string(&self.line()).unwrap();
            self.typed = kept.iter().any(|body| body.contains(&line));
        }
    }

    fn read_and_type(&mut self) {
        if self.answered == TYPED.len() {
            return;
        }
        if !self.typed {
            let at_night = self.answered + 1 == TYPED.len();
            if at_night && self.database.number("SELECT COUNT(*) FROM build") == 0 {
                return;
            }
            let line = self.line();
            let keyboard = &mut self.bot.as_mut().expect("it runs").keyboard;
            // A broken pipe: the bot has just died, which the next look sees.
            self.typed = keyboard.write_all(format!("{line}\n").as_bytes()).is_ok();
        } else if self.answered_now() {
            self.answered += 1;
            self.typed = false;
        }
    }

    fn line(&self) -> String {
        TYPED[self.answered].0.replace("@STAGE@", self.stage.root().to_str().unwrap())
    }

    fn answered_now(&self) -> bool {
        TYPED.get(self.answered).is_some_and(|(_, answer)| self.screen().contains(answer))
    }

    fn is_over(&self) -> bool {
        self.database.number("SELECT COUNT(*) FROM session WHERE briefed_at IS NOT NULL") == 1
            && self.open() == 0
            && self.database.number("SELECT COUNT(*) FROM inbox WHERE handled_at IS NULL") == 0
    }

    fn open(&self) -> i64 {
        self.database.number(
            "SELECT (SELECT COUNT(*) FROM build WHERE step <> 'ended') + (SELECT COUNT(*) FROM run WHERE ended_at IS NULL)
             + (SELECT COUNT(*) FROM outbox WHERE state IN ('pending', 'sending'))",
        )
    }

    /// All that was shown in all lives.
    pub(super) fn screen(&self) -> String {
        fs::read_to_string(self.stage.path("screen")).unwrap_or_default()
    }

    /// The report of the night.
    pub(super) fn report(&self) -> serde_json::Value {
        let path = self.stage.path("home").join(format!("reports/{}.json", self.date()));
        serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
    }

    fn standing(&self) -> String {
        let session = self.database.texts("SELECT phase FROM session");
        format!("life {}, {} of {} lines answered, session {session:?}", self.lives, self.answered, TYPED.len())
    }

    /// Everything that helps to understand a failed night.
    pub(super) fn told(&self) -> String {
        let decisions = self.database.texts(
            "SELECT strftime('%H:%M:%S', at / 1000, 'unixepoch') || ' ' || kind || ' ' || text FROM audit ORDER BY id",
        );
        let log = self.stage.path("home").join("logs/overnight_execution.log");
        let tail = |text: String, lines: usize| {
            let all: Vec<_> = text.lines().collect();
            all[all.len().saturating_sub(lines)..].join("\n")
        };
        format!(
            "--- errors\n{}\n--- log\n{}\n--- audit\n{}\n--- screen\n{}",
            fs::read_to_string(self.stage.path("errors")).unwrap_or_default(),
            tail(fs::read_to_string(log).unwrap_or_default(), 60),
            decisions.join("\n"),
            tail(self.screen(), 400)
        )
    }
}

impl Drop for Night {
    /// Leaves nothing running, whatever failed.
    fn drop(&mut self) {
        self.kill();
        for _ in 0..20 {
            let left = self.stage.processes();
            if left.is_empty() {
                return;
            }
            super::kill_all(&left);
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
