//! Somebody's machine with a shell: a home folder, a PATH with nothing on it but what is put there, checkouts. Stories
//! of the command line run the real program here, in an environment of nothing else.

use crate::harness::git;
use axum::http::{HeaderMap, Uri};
use axum::routing::any;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// Real time after which a program hangs.
const PATIENCE: Duration = Duration::from_mins(2);

pub(crate) struct Desk {
    root: TempDir,
    variables: BTreeMap<String, String>,
}

/// What a run came to.
pub(crate) struct Ran {
    pub(crate) status: ExitStatus,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    #[track_caller]
    pub(crate) fn ended(self, code: i32) -> Self {
        assert_eq!(self.status.code(), Some(code), "{}\n{}", self.out, self.err);
        self
    }

    #[track_caller]
    pub(crate) fn says(&self, words: &str) -> &Self {
        assert!(self.out.contains(words) || self.err.contains(words), "no {words:?} in\n{}\n{}", self.out, self.err);
        self
    }

    #[track_caller]
    pub(crate) fn never_says(&self, words: &str) {
        assert!(!self.out.contains(words) && !self.err.contains(words), "{words:?} in\n{}\n{}", self.out, self.err);
    }
}

/// A run whose output is read while it goes on; it is ended with this.
pub(crate) struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Running {
    /// The next line with these words.
    pub(crate) async fn line(&mut self, words: &str) -> String {
        let read = async {
            while let Some(line) = self.lines.next_line().await.expect("output") {
                if line.contains(words) {
                    return line;
                }
            }
            panic!("it ended without {words:?}")
        };
        tokio::time::timeout(PATIENCE, read).await.unwrap_or_else(|_| panic!("it never says {words:?}"))
    }

    /// The exit status and the rest of the output.
    pub(crate) async fn ends(mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        while let Some(line) = self.lines.next_line().await.expect("output") {
            rest.push_str(&line);
            rest.push('\n');
        }
        (self.child.wait().await.expect("its end").code(), rest)
    }

    pub(crate) fn interrupts(&self) {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(id.expect("it runs"), rustix::process::Signal::INT).expect("a signal");
    }
}

impl Desk {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().expect("a folder");
        for folder in ["user", "bin", "src"] {
            fs::create_dir(root.path().join(folder)).expect("a folder");
        }
        let mut desk = Self { root, variables: BTreeMap::new() };
        let path = std::env::vars_os().find(|(name, _)| name == "PATH").expect("a PATH").1;
        let path = std::env::split_paths(&path)
            .map(|folder| folder.join("git"))
            .find(|program| program.is_file())
            .expect("git on PATH");
        std::os::unix::fs::symlink(path, desk.path("bin/git")).expect("a link");
        // The real one would reach the real services of who runs the tests.
        desk.program("systemctl", "echo \"$@\" >>\"$HOME/systemctl\"; [ \"$2\" != is-enabled ] || echo enabled");
        desk.program("loginctl", "echo yes");
        let (home, path) = (desk.path("user"), desk.path("bin"));
        desk.sets("HOME", home.to_str().expect("UTF-8")).sets("PATH", path.to_str().expect("UTF-8"));
        desk.sets("TZ", "Europe/Berlin");
        desk
    }

    /// A path below the desk: `user` is the home folder, `bin` the PATH.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().canonicalize().expect("the desk").join(name)
    }

    /// Sets a variable of the shell.
    pub(crate) fn sets(&mut self, name: &str, value: &str) -> &mut Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn forgets(&mut self, name: &str) {
        self.variables.remove(name);
    }

    /// Puts a shell script on PATH.
    pub(crate) fn program(&self, name: &str, script: &str) {
        let path = self.path("bin").join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("a program");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a program");
    }

    /// The text of a file, such as `user/.overnight/.env`.
    #[track_caller]
    pub(crate) fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn writes(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    #[track_caller]
    pub(crate) fn mode(&self, name: &str) -> u32 {
        fs::metadata(self.path(name)).expect(name).permissions().mode() & 0o777
    }

    /// A checkout below `src` with these files committed.
    pub(crate) fn project(&self, name: &str, files: &[(&str, &str)]) -> PathBuf {
        let folder = self.path("src").join(name);
        fs::create_dir(&folder).expect("a folder");
        git(&folder, &["init", "-q", "-b", "main"]);
        for (file, text) in files {
            fs::write(folder.join(file), text).expect("a file");
        }
        git(&folder, &["add", "-A"]);
        git(&folder, &["commit", "-q", "--allow-empty", "-m", "as it is"]);
        folder
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_overnight"));
        command.args(arguments).env_clear().envs(&self.variables).current_dir(self.path("user"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    /// Runs `overnight` to its end.
    pub(crate) async fn overnight(&self, arguments: &[&str]) -> Ran {
        let run = self.command(arguments).output();
        let output = tokio::time::timeout(PATIENCE, run).await.expect("it hangs").expect("it starts");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ran { status: output.status, out: text(output.stdout), err: text(output.stderr) }
    }

    /// Starts `overnight`.
    pub(crate) fn starts(&self, arguments: &[&str]) -> Running {
        let mut child = self.command(arguments).stderr(Stdio::null()).spawn().expect("it starts");
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        Running { child, lines }
    }

    /// What `overnight doctor` finds: exit status and lines.
    pub(crate) async fn doctor(&self) -> Findings {
        let ran = self.overnight(&["doctor", "--json"]).await;
        let found: Value = serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{}\n{}", ran.out, ran.err));
        assert_eq!(found["ok"].as_bool(), Some(ran.status.success()), "{found:#}");
        Findings(found)
    }
}

/// What doctor found.
pub(crate) struct Findings(Value);

impl Findings {
    fn line(&self, words: &str) -> Option<&Value> {
        let lines = self.0["lines"].as_array().expect("lines");
        lines.iter().find(|line| line["what"].as_str().expect("words").contains(words))
    }

    /// There is a line of this level (`fine`, `warning`, `bad`) with these words, and if something is wrong it says
    /// what to do with those.
    #[track_caller]
    pub(crate) fn has(&self, level: &str, words: &str, fix: &str) {
        let line = self.line(words).unwrap_or_else(|| panic!("no {words:?} in {:#}", self.0));
        assert_eq!(line["level"], level, "{line:#}");
        assert!(line["fix"].as_str().expect("words").contains(fix), "{fix:?} is not in {line:#}");
    }

    #[track_caller]
    pub(crate) fn has_no(&self, words: &str) {
        assert!(self.line(words).is_none(), "{:#}", self.0);
    }
}

/// The data folder as absolute text.
pub(crate) fn shown(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// A Bot API server that only says that a webhook is set, on a day long past. It ends with this.
pub(crate) struct Hooked {
    pub(crate) url: String,
    server: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Hooked {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let router = axum::Router::new().fallback(any(|uri: Uri| async move { Self::answer(&uri) }));
        Self { url, server: tokio::spawn(async move { axum::serve(listener, router).await }) }
    }

    fn answer(uri: &Uri) -> (HeaderMap, String) {
        let result = if uri.path().to_lowercase().ends_with("/getwebhookinfo") {
            json!({"url": "https://hooks.example.org/x", "has_custom_certificate": false, "pending_update_count": 3})
        } else {
            json!({
                "id": 1, "is_bot": true, "first_name": "B", "username": "b_bot", "can_join_groups": true,
                "can_read_all_group_messages": true, "supports_inline_queries": false,
                "can_connect_to_business": false, "has_main_web_app": false,
            })
        };
        let mut headers = HeaderMap::new();
        headers.insert("date", "Mon, 02 Jan 2023 10:00:00 GMT".parse().expect("a date"));
        headers.insert("content-type", "application/json".parse().expect("a type"));
        (headers, json!({"ok": true, "result": result}).to_string())
    }
}

impl Drop for Hooked {
    fn drop(&mut self) {
        self.server.abort();
    }
}
