//! A hostile night: its trap for the host, its canaries, and what is looked at in the morning.

use super::{Expected, Mode};
use crate::harness::{On, Overnight, Stage, bytes_of};
use overnight::domain::build::Outcome;
use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The value of the token, which nobody else may ever see.
const CANARY: &str = "123456789:canary-of-the-token-4711-abcdefgh";
/// Processes a build may have.
const PROCESSES: u64 = 200;
/// Children an attacker forks where that is bounded, and where it is not: then it bounds itself.
const FORKS: [&str; 2] = ["3000", "300"];
const DATE: &str = "2026-03-14";

/// A night, and what is known of it.
pub(super) struct Night {
    o: Overnight,
    mode: Mode,
    listener: TcpListener,
    root: PathBuf,
    outside: BTreeMap<PathBuf, Vec<u8>>,
    checkouts: Vec<(PathBuf, BTreeMap<PathBuf, Vec<u8>>)>,
    expected: Vec<Expected>,
    brief: String,
}

impl Night {
    /// The evening.
    pub(super) async fn begin(mode: Mode) -> Self {
        let mut stage = Stage::new(On::Phone).project("web").held_by(mode.sandbox);
        stage.mechanisms = mode.mechanisms;
        let root = stage.folder.path().to_owned();
        fs::create_dir_all(root.join("home")).unwrap();
        fs::set_permissions(root.join("home"), fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(root.join("home/.env"), format!("TELEGRAM_BOT_TOKEN={CANARY}\n")).unwrap();
        fs::create_dir(root.join("outside")).unwrap();
        fs::write(root.join("outside/kept"), "as it was\n").unwrap();
        let agent = root.join("hostile.sh");
        fs::write(&agent, include_str!("hostile.sh")).unwrap();
        fs::set_permissions(&agent, fs::Permissions::from_mode(0o755)).unwrap();
        let stage = stage
            .agent("hostile", "@STAGE@/hostile.sh")
            .set("isolation", &format!("processes = {PROCESSES}"))
            // With a host listed there is a proxy, which tells what it refused.
            .set("isolation", "hosts = [\"registry.example\"]")
            .set("build", "timeout = \"1h\"")
            .set("build", "verify_timeout = \"10m\"")
            .set("build", "log_head_bytes = \"64 KiB\"\nlog_tail_bytes = \"64 KiB\"");
        let o = stage.start("2026-03-14 21:58").await;
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        o.notes_say("port", &listener.local_addr().unwrap().port().to_string());
        o.notes_say("most-bytes", &mode.bytes.to_string());
        o.notes_say("most-forks", FORKS[usize::from(!bounded(mode))]);
        o.notes_say("trap.sh", "echo \"$1 ran\" >> \"${0%/*}/executed\"\n");
        let outside = bytes_of(&root.join("outside"));
        let checkouts = ["app", "web"].map(|project| o.checkout(project));
        let checkouts = checkouts.map(|path| (path.clone(), bytes_of(&path))).to_vec();
        Self { o, mode, listener, root, outside, checkouts, expected: Vec::new(), brief: String::new() }
    }

    /// One more task, and how its builds should end.
    pub(super) async fn queues(&mut self, task: i64, what: &str, outcomes: &[Outcome]) {
        self.o.says(&format!("/queue add Speed up part {task} {what}")).await;
        self.expected.push((task, outcomes.to_vec()));
    }

    /// The night, and its brief.
    pub(super) async fn passes(&mut self) {
        self.o.reads_all();
        self.o.advance_to("2026-03-15 07:00").await;
        self.brief = self.o.expect("🌅").await.text;
        self.o.reads_all();
    }

    pub(super) async fn came_to_what_was_expected(&self) {
        for (task, outcomes) in &self.expected {
            let expected: Vec<_> = outcomes.iter().copied().map(Some).collect();
            assert_eq!(self.o.outcomes(*task).await, expected, "#{task}: {}", self.o.tail().await);
        }
    }

    fn sandboxed(&self) -> bool {
        self.mode.sandbox != "off"
    }

    fn note(&self, name: &str) -> String {
        self.o.note(name).unwrap_or_default()
    }

    /// The trap was set in each way git has of running something, and only a git that trusts the clone springs it.
    pub(super) fn host_ran_nothing_of_theirs(&self) {
        assert_eq!(self.note("executed"), "", "the host ran something of the tree");
        let poisoned = self.root.join("notes/poisoned");
        // It may well fail: what it runs is no file system monitor.
        let _ = Command::new("git").arg("-C").arg(&poisoned).arg("status").output().unwrap();
        assert!(self.note("executed").contains("fsmonitor ran"), "the trap is none: {}", self.note("executed"));
        fs::remove_file(self.root.join("notes/executed")).unwrap();
    }

    /// No process is left that was started for this night, whatever it did to hide.
    pub(super) fn nothing_lives(&self) {
        for who in ["agent-2", "check"] {
            assert!(!self.note(&format!("daemon-{who}")).is_empty(), "the daemon of {who} never lived");
        }
        assert_eq!(living(&self.root), Vec::<String>::new(), "left alive");
    }

    /// Checkouts, what lies outside, and the vaults' refs.
    pub(super) async fn nothing_was_touched(&self) {
        for (path, before) in &self.checkouts {
            assert!(bytes_of(path) == *before, "{} was touched", path.display());
        }
        assert!(bytes_of(&self.root.join("outside")) == self.outside, "something outside was written");
        let session = self.o.sessions().await[0].name();
        for build in self.o.builds().await {
            let Some(result) = &build.result else { continue };
            let project = self.o.task(build.task.0).await.spec.project.unwrap();
            let name = format!("refs/overnight/{session}/t{}/b{}/result", build.task, build.id);
            assert_eq!(self.o.vault(&project, &["rev-parse", &name]), *result, "{name}");
        }
        for project in ["app", "web"] {
            self.o.vault(project, &["fsck", "--connectivity-only", "--no-dangling"]);
        }
    }

    /// Neither in what is kept nor in what is said.
    pub(super) async fn token_is_nowhere(&self) {
        let home = self.o.engine().home().root().to_owned();
        for folder in ["logs", "reports", "runs", "artifacts"] {
            for (path, bytes) in bytes_of(&home.join(folder)) {
                assert!(!holds(&bytes, CANARY), "the token is in {}", path.display());
            }
        }
        for entry in fs::read_dir(&home).unwrap().flatten().filter(|entry| entry.path().is_file()) {
            let known = entry.file_name() == ".env";
            assert!(
                known || !holds(&fs::read(entry.path()).unwrap(), CANARY),
                "the token is in {}",
                entry.path().display()
            );
        }
        for message in self.o.messages() {
            assert!(!message.text.contains(CANARY), "{}", message.text);
        }
        for build in self.o.builds().await.iter().filter(|build| build.result.is_some()) {
            let project = self.o.task(build.task.0).await.spec.project.unwrap();
            assert!(!self.o.files(&project, build).contains(&"stolen".to_owned()), "#{}", build.task);
        }
    }

    /// What the attackers noted as done has none of these.
    pub(super) fn nobody_could(&self, words: &[&str]) {
        for who in ["agent-2", "check"] {
            let could = self.note(&format!("could-{who}"));
            assert!(!could.lines().any(|line| words.iter().any(|word| line.starts_with(word))), "{who}: {could}");
        }
    }

    pub(super) fn brief_says(&self, words: &str) {
        assert!(self.brief.contains(words), "the brief lacks {words:?}: {}", self.brief);
    }

    pub(super) fn brief_does_not_say(&self, words: &str) {
        assert!(!self.brief.contains(words), "the brief has {words:?}: {}", self.brief);
    }

    /// The line of the brief that begins like this.
    fn line(&self, start: &str) -> &str {
        let from = self.brief.find(start).unwrap_or_else(|| panic!("the brief has no {start:?}: {}", self.brief));
        let line = &self.brief[from..];
        let end = ["🛡️", "🚧", "🔓", "🪙", "📎"].iter().filter_map(|icon| line[4..].find(icon)).min();
        end.map_or(line, |end| &line[..end + 4])
    }

    /// What was ended, refused or cut is in the brief and in the report.
    pub(super) async fn is_told(&self) {
        let flood = if self.mode.bytes >= 1_000_000_000 { "printed 2 GB" } else { "printed 100 MB" };
        for (whose, command) in [("🛡️ #2:", "its agent"), ("🛡️ #7:", "its check")] {
            let line = self.line(whose);
            assert!(line.contains(&format!("{command} left ")) && line.contains("they were ended"), "{line}");
            assert!(line.contains(&format!("{command} {flood}; the log keeps")), "{line}");
            if grouped(self.mode) {
                assert!(line.contains("was kept from starting more processes"), "{line}");
            }
        }
        assert!(self.line("🛡️ #6:").contains("its agent did not end when asked to; it was ended by force"));
        let stays = self.line("🛡️ #8:");
        for check in ["its check", "its second check"] {
            assert!(stays.contains(&format!("{check} did not end when asked to; it was ended by force")), "{stays}");
        }
        self.brief_says("its .git was replaced, and not used");
        self.brief_says("programs named in its .git, none was run");
        self.brief_says("link out of the tree: out-f");
        let connected = self.listener.accept().is_ok();
        if self.sandboxed() && !self.brief.contains("network is open") {
            assert!(!connected, "somebody came through: {} {}", self.note("could-agent-2"), self.brief);
            assert!(self.line("🚧 #2").contains("kept from reaching evil.example:443"));
            assert!(self.line("🛡️ #7:").contains("its check was kept from reaching evil.example:443"));
        }
        self.forks_met_a_limit_or_it_is_said();
        self.report_says_the_same();
        let audited = self.o.audited("incident").await;
        assert!(audited.len() >= 9, "{audited:#?}");
    }

    fn forks_met_a_limit_or_it_is_said(&self) {
        for who in ["agent-2", "check"] {
            let made: u64 = self.note(&format!("forks-{who}")).parse().unwrap();
            if grouped(self.mode) {
                assert!(made < PROCESSES, "{who} made {made}");
            } else if self.sandboxed() {
                self.brief_says("number of processes is not limited");
            }
        }
    }

    fn report_says_the_same(&self) {
        let report = self.o.report(DATE);
        let incidents = report["incidents"].as_array().unwrap();
        let has = |task: i64, step: &str, what: &str| {
            incidents.iter().any(|one| one["task"] == task && one["step"] == step && one["what"] == what)
        };
        for (task, step, what) in [
            (2, "agent", "leftovers"),
            (2, "agent", "log_cut"),
            (6, "agent", "forced"),
            (7, "verify", "leftovers"),
            (7, "verify", "log_cut"),
            (8, "verify", "forced"),
            (8, "verify_again", "forced"),
        ] {
            assert!(has(task, step, what), "#{task} {step} {what}: {incidents:#?}");
        }
        assert!(!incidents.iter().any(|one| [1, 9, 10].contains(&one["task"].as_i64().unwrap_or(0))));
    }

    /// The story's end.
    pub(super) async fn ends(mut self) {
        if !self.sandboxed() {
            self.o.disowns("app");
        }
        self.o.finish().await;
        assert_eq!(living(&self.root), Vec::<String>::new(), "left alive");
    }
}

/// Whether the number of processes is bounded by control groups here.
fn grouped(mode: Mode) -> bool {
    mode.mechanisms.cgroup && crate::leash::groups_are_writable()
}

/// Whether anything bounds it; root's is by nothing else.
fn bounded(mode: Mode) -> bool {
    grouped(mode) || (!rustix::process::geteuid().is_root())
}

fn holds(bytes: &[u8], words: &str) -> bool {
    bytes.windows(words.len()).any(|window| window == words.as_bytes())
}

/// Processes that name the folder in their command line, their environment or as where they are.
fn living(root: &Path) -> Vec<String> {
    let root = root.to_str().unwrap();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let path = entry.path();
        if !entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit) {
            continue;
        }
        let read = |name: &str| fs::read(path.join(name)).unwrap_or_default();
        let cwd = fs::read_link(path.join("cwd")).unwrap_or_default();
        if holds(&read("cmdline"), root) || holds(&read("environ"), root) || cwd.starts_with(root) {
            found.push(format!("{}: {}", path.display(), String::from_utf8_lossy(&read("cmdline"))));
        }
    }
    found
}
