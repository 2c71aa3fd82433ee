//! The owner's machine for one night: two git projects, a scripted agent, logs and a database that need care, and a
//! folder in which every agent and the action leave their traces.

use super::database;
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

/// What stands for a coding model. `task-N` is locked, which shows two agents of one task at once; what `slow-N` holds is
/// slept by the first agent of task N, beside a stray child.
const AGENT: &str = r#"
task=$OVERNIGHT_TASK
exec 9>> "$WITNESS/task-$task"
flock -n 9 || echo "overlap $task" >> "$WITNESS/agents"
echo "start $task" >> "$WITNESS/agents"
if [ -e "$WITNESS/slow-$task" ]; then
    seconds=$(cat "$WITNESS/slow-$task")
    rm "$WITNESS/slow-$task"
    setsid sleep "$seconds" 9>&- &
    sleep "$seconds" 9>&-
fi
echo "PROGRESS 40 thinking"
sleep 0.15 9>&-
case $task in
1) echo one >> code.txt ;;
2) : > broken ;;
3) if ! [ -e "$WITNESS/tried" ]; then
       : > "$WITNESS/tried"
       exit 75
   fi
   echo three > service.txt ;;
4) echo '<title>Dashboard</title>' > dashboard.html ;;
esac
echo "end $task" >> "$WITNESS/agents"
"#;

/// The project's tests. The pause makes kills fall into them too.
const CHECK: &str = "sleep 0.1\n[ ! -e broken ] || { echo 'it is broken'; exit 1; }\n";

/// The limits on processes are far beyond what the fast clock makes of them on a busy machine, and those on the machine
/// are never reached.
const CONFIG: &str = r#"
[schedule]
zone = "UTC"
progress_every = "15m"
[limits]
sample_every = "5m"
disk_used_percent = 99.0
memory_available_percent = 0.0
psi_memory_avg60 = 100.0
[build]
timeout = "24h"
setup_timeout = "8h"
verify_timeout = "8h"
[health]
log_rotate_bytes = "1 MB"
log_roots = ["@STAGE@/logs"]
databases = ["@STAGE@/fitness.db"]
[[agents]]
name = "scripted"
kind = "command"
command = ["sh", "@STAGE@/agent.sh"]
env = { WITNESS = "@STAGE@/witness" }
[[projects]]
name = "alpha"
path = "@STAGE@/alpha"
verify = ["sh", "check.sh"]
caches = ["@STAGE@/witness"]
[[projects]]
name = "beta"
path = "@STAGE@/beta"
verify = ["sh", "check.sh"]
caches = ["@STAGE@/witness"]
"#;

/// Where one night happens.
pub(super) struct Stage {
    folder: tempfile::TempDir,
    owners: BTreeMap<PathBuf, String>,
}

impl Stage {
    pub(super) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), owners: BTreeMap::new() }
    }

    /// When its folder was made, which is now, by the clock that dates the files.
    pub(super) fn made_at(&self) -> DateTime<Utc> {
        fs::metadata(self.root()).unwrap().modified().unwrap().into()
    }

    /// Makes everything. `evening` is when the night's clock begins: logs are old by it.
    pub(super) fn set(&mut self, evening: SystemTime) {
        for name in ["home", "witness", "logs"] {
            fs::create_dir(self.path(name)).unwrap();
        }
        fs::write(self.path("agent.sh"), AGENT).unwrap();
        fs::write(self.path("overnight.toml"), CONFIG.replace("@STAGE@", self.root().to_str().unwrap())).unwrap();
        self.project("alpha");
        self.project("beta");
        self.logs(evening);
        database::bloated(&self.path("fitness.db"));
        self.owners = self.repositories();
    }

    pub(super) fn root(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    /// Lets the first agent of a task take this long, with a stray child in a session of its own.
    pub(super) fn slow(&self, task: i64, seconds: u32) {
        fs::write(self.path("witness").join(format!("slow-{task}")), seconds.to_string()).unwrap();
    }

    /// What the agents wrote down: `start 1`, `end 1`, `overlap 1`.
    pub(super) fn agents(&self) -> Vec<String> {
        lines(&self.path("witness").join("agents"))
    }

    /// How often the action happened.
    pub(super) fn posted(&self) -> usize {
        lines(&self.path("witness").join("posted")).len()
    }

    /// Whether the owner's two repositories, with all of `.git`, are byte for byte as they were.
    pub(super) fn owners_untouched(&self) -> bool {
        self.repositories() == self.owners
    }

    /// The logs that are left, with their sizes. The rotated one is told apart: what a rotation makes is dated by the
    /// machine, for which the night lies weeks ahead, so a health check that is cut off and done again takes it for old.
    pub(super) fn log_files(&self) -> BTreeMap<String, u64> {
        let mut sizes = BTreeMap::from([("rotated".to_owned(), 0)]);
        for path in files(&self.path("logs")).into_iter().chain(files(&self.path("home").join("trash"))) {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if name.contains("worker.log.1") {
                sizes.insert("rotated".into(), 1);
            } else if path.starts_with(self.path("logs")) && name != "worker.log" {
                sizes.insert(name, fs::metadata(&path).unwrap().len());
            }
        }
        sizes
    }

    /// Processes of this night, by what only they carry: our folder in their command line or environment.
    pub(super) fn processes(&self) -> Vec<(u32, String)> {
        let own = self.root().to_str().unwrap().as_bytes().to_vec();
        let pids = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let found = pids.filter_map(|pid: u32| {
            let read = |what: &str| fs::read(format!("/proc/{pid}/{what}")).unwrap_or_default();
            let line = read("cmdline");
            let ours = contains(&line, &own) || contains(&read("environ"), &own);
            ours.then(|| (pid, String::from_utf8_lossy(&line).replace('\0', " ")))
        });
        found.collect()
    }

    fn project(&self, name: &str) {
        let folder = self.path(name);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("check.sh"), CHECK).unwrap();
        fs::write(folder.join("code.txt"), "zero\n").unwrap();
        git(&folder, &["init", "-q", "-b", "main"]);
        git(&folder, &["add", "-A"]);
        git(&folder, &["-c", "user.name=You", "-c", "user.email=you@example.org", "commit", "-q", "-m", "Begin"]);
    }

    fn logs(&self, evening: SystemTime) {
        let day = Duration::from_hours(24);
        let file = |name: &str, bytes: usize, age: Duration| {
            let path = self.path("logs").join(name);
            fs::write(&path, b"GET /daily 200 in 31 ms\n".repeat(bytes / 24)).unwrap();
            fs::File::options().write(true).open(&path).unwrap().set_modified(evening - age).unwrap();
        };
        for number in 1..=5 {
            file(&format!("web-{number}.log"), 100_000, (60 - number) * day);
        }
        file("worker.log", 1_200_000, Duration::from_hours(2));
        // The newest of a folder are kept however old; with these three it makes no difference that a rotated log is one more
        // of them at a second look.
        for name in ["mail.log", "cron.log", "web.log"] {
            file(name, 240, Duration::from_hours(2));
        }
    }

    fn repositories(&self) -> BTreeMap<PathBuf, String> {
        let paths = files(&self.path("alpha")).into_iter().chain(files(&self.path("beta")));
        paths.map(|path| (path.clone(), format!("{:x?}", Sha256::digest(fs::read(&path).unwrap())))).collect()
    }
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut open) = (vec![], vec![folder.to_owned()]);
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { open.push(path) } else { found.push(path) }
        }
    }
    found
}

/// The hash of a commit's tree, from a vault.
pub(super) fn tree(vault: &Path, commit: &str) -> String {
    git(vault, &["rev-parse", "--verify", &format!("{commit}^{{tree}}")])
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    let done = command.arg("-C").arg(folder).args(arguments).env("HOME", folder).output().unwrap();
    assert!(done.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
}

fn contains(all: &[u8], part: &[u8]) -> bool {
    all.windows(part.len()).any(|window| window == part)
}
