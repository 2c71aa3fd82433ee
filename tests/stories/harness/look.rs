//! Looking at what came of a night, and the end every story has to reach.

use super::{Keyboard, stage::bytes_of};
use super::{Overnight, git};
use overnight::domain::build::{Build, Outcome};
use overnight::domain::id::{BuildId, TaskId};
use overnight::domain::session::Session;
use overnight::domain::task::Task;
use overnight::engine::deliver;
use overnight::store::audit::Entry;
use overnight::store::{audit, builds, inbox, outbox, sessions, tasks};
use std::fmt::Write as _;
use std::path::PathBuf;

impl Overnight {
    /// Every build so far.
    pub(crate) async fn builds(&self) -> Vec<Build> {
        let mut conn = self.engine().store().read().await.unwrap();
        let ids: Vec<i64> = sqlx::query_scalar("SELECT id FROM build ORDER BY id").fetch_all(&mut *conn).await.unwrap();
        let mut all = Vec::new();
        for id in ids {
            all.push(builds::get(&mut conn, BuildId(id)).await.unwrap());
        }
        all
    }

    /// Tasks whose builds have not ended.
    pub(crate) async fn building(&self) -> Vec<i64> {
        self.builds().await.iter().filter(|build| build.outcome.is_none()).map(|build| build.task.0).collect()
    }

    /// The one build of a task.
    pub(crate) async fn build_of(&self, task: i64) -> Build {
        let mut of_task: Vec<_> = self.builds().await.into_iter().filter(|build| build.task.0 == task).collect();
        assert_eq!(of_task.len(), 1, "builds of #{task}: {of_task:#?}");
        of_task.remove(0)
    }

    /// How the builds of a task ended, oldest first.
    pub(crate) async fn outcomes(&self, task: i64) -> Vec<Option<Outcome>> {
        self.builds().await.iter().filter(|build| build.task.0 == task).map(|build| build.outcome).collect()
    }

    pub(crate) async fn task(&self, id: i64) -> Task {
        let mut conn = self.engine().store().read().await.unwrap();
        tasks::get(&mut conn, TaskId(id)).await.unwrap()
    }

    /// Every session so far.
    pub(crate) async fn sessions(&self) -> Vec<Session> {
        let mut conn = self.engine().store().read().await.unwrap();
        let ids: Vec<i64> =
            sqlx::query_scalar("SELECT id FROM session ORDER BY id").fetch_all(&mut *conn).await.unwrap();
        let mut all = Vec::new();
        for id in ids {
            all.push(sessions::get(&mut conn, overnight::domain::id::SessionId(id)).await.unwrap());
        }
        all
    }

    /// Every decision so far.
    pub(crate) async fn audit(&self) -> Vec<Entry> {
        let mut conn = self.engine().store().read().await.unwrap();
        audit::last(&mut conn, 100_000).await.unwrap()
    }

    /// Decisions of one kind.
    pub(crate) async fn audited(&self, kind: &str) -> Vec<Entry> {
        self.audit().await.into_iter().filter(|entry| entry.kind == kind).collect()
    }

    /// The report of a scheduled date.
    pub(crate) fn report(&self, date: &str) -> serde_json::Value {
        let path = self.engine().home().root().join("reports").join(format!("{date}.json"));
        serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap()
    }

    pub(crate) fn checkout(&self, project: &str) -> PathBuf {
        self.stage.checkout(project)
    }

    /// What git says about a project's vault.
    pub(crate) fn vault(&self, project: &str, arguments: &[&str]) -> String {
        git(&self.engine().home().vaults().join(format!("{project}.git")), arguments)
    }

    /// The files of a build's result.
    pub(crate) fn files(&self, project: &str, build: &Build) -> Vec<String> {
        let commit = build.result.as_deref().expect("the build has a result");
        self.vault(project, &["ls-tree", "-r", "--name-only", commit]).lines().map(str::to_owned).collect()
    }

    /// What a scripted agent noted under that name.
    pub(crate) fn note(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.stage_folder().join("notes").join(name)).ok()
    }

    /// Leaves a note for scripted agents.
    pub(crate) fn notes_say(&self, name: &str, text: &str) {
        std::fs::write(self.stage_folder().join("notes").join(name), text).unwrap();
    }

    /// What agents wrote down: `start 1`, `end 1`.
    pub(crate) fn journal(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.notes().join("journal")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Writes a file beside the projects; returns its path.
    pub(crate) fn writes(&self, name: &str, text: &str) -> String {
        let path = self.stage_folder().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// A file beside the projects.
    pub(crate) fn beside(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.stage_folder().join(name)).ok()
    }

    /// The folder all is in.
    pub(crate) fn stage_folder(&self) -> PathBuf {
        self.stage.folder.path().to_owned()
    }

    /// The checkout is gone, or changed by the owner, and the story knows.
    pub(crate) fn disowns(&mut self, project: &str) {
        let path = self.checkout(project);
        self.owned.remove(&path).expect("a project of the story");
    }

    /// Messages that came with a sound.
    pub(crate) fn sounding(&self) -> Vec<String> {
        self.messages().into_iter().filter(|message| !message.silent).map(|message| message.key).collect()
    }

    /// What was put into the terminal's outbox.
    pub(crate) async fn said_on_the_terminal(&self) -> Vec<String> {
        let terminal = Keyboard::new(self.clock());
        deliver::drain(self.engine(), &terminal, outbox::Lane::Messages).await.unwrap();
        let mut conn = self.engine().store().read().await.unwrap();
        let mut said = Vec::new();
        for (chat, key) in outbox::keys_like(&mut conn, "").await.unwrap() {
            if chat == "terminal" {
                said.extend(outbox::said(&mut conn, &chat, &key).await.unwrap().map(|message| message.verdict));
            }
        }
        said
    }

    /// What helps when a story fails.
    pub(crate) async fn tail(&self) -> String {
        let unread: Vec<_> = self.messages().into_iter().filter(|message| !message.read).collect();
        let mut text = format!("it is {}\nunread:\n", self.now().with_timezone(&self.stage.zone));
        for message in unread {
            let _ = writeln!(text, "  [{}] {} {:?}", message.key, message.text, message.buttons);
        }
        text.push_str("audit:\n");
        let entries = self.audit().await;
        for entry in entries.iter().skip(entries.len().saturating_sub(30)) {
            let at = entry.at.with_timezone(&self.stage.zone).format("%d %H:%M");
            let _ = writeln!(text, "  {at} {} {}: {}", entry.actor, entry.kind, entry.text);
        }
        text
    }

    /// The story's end: nothing is left to do, to say or to read, and no child lives.
    pub(crate) async fn finish(mut self) {
        self.settle().await;
        let tail = self.tail().await;
        let unread: Vec<_> = self
            .messages()
            .into_iter()
            // What a night says by itself while it runs need not be looked at.
            .filter(|message| {
                !message.read && !message.key.starts_with("started:") && !message.key.starts_with("live:")
            })
            .map(|message| message.text)
            .collect();
        assert!(unread.is_empty(), "never looked at: {unread:#?}\n{tail}");
        assert!(self.front.screen().refused.is_empty(), "{:#?}", self.front.screen().refused);
        assert!(self.front.broken_rules().is_empty(), "{:#?}", self.front.broken_rules());
        {
            let mut conn = self.engine().store().read().await.unwrap();
            assert_eq!(outbox::count_due(&mut conn).await.unwrap(), 0, "not all was said: {tail}");
            assert!(inbox::next(&mut conn).await.unwrap().is_none(), "not all was handled");
            assert!(builds::open(&mut conn).await.unwrap().is_empty(), "a build is open: {tail}");
            let pending: i64 =
                sqlx::query_scalar("SELECT COUNT(*) FROM operation WHERE done_at IS NULL AND dropped_at IS NULL")
                    .fetch_one(&mut *conn)
                    .await
                    .unwrap();
            assert_eq!(pending, 0, "an operation was begun and never seen to have happened");
        }
        // Whoever watched the last run needs a moment to notice what is recorded already.
        let since = std::time::Instant::now();
        while self.engine().is_busy() && since.elapsed() < std::time::Duration::from_secs(20) {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        assert!(!self.engine().is_busy(), "{tail}");
        assert_eq!(self.children(), Vec::<u32>::new(), "children of the story still live");
        for (path, before) in &self.owned {
            assert!(bytes_of(path) == *before, "the owner's checkout {} was touched", path.display());
        }
        let mut loud = self.sounding();
        loud.retain(|key| !key.starts_with("brief:") && !key.starts_with("alarm:"));
        assert!(loud.is_empty(), "only briefs and alarms may sound: {loud:?}");
        self.finished = true;
    }

    /// Processes that carry a run's mark. Only Linux shows them; elsewhere the supervisors' locks have to do.
    fn children(&self) -> Vec<u32> {
        let Ok(found) = std::fs::read_dir("/proc") else { return vec![] };
        let home = self.engine().home().root().to_path_buf();
        let ids: Vec<String> = std::fs::read_dir(home.join("runs"))
            .unwrap()
            .filter_map(|run| {
                let spec = std::fs::read(run.ok()?.path().join("spec.json")).ok()?;
                let spec: serde_json::Value = serde_json::from_slice(&spec).ok()?;
                Some(format!("{}={}", overnight::runner::MARKER, spec["run_id"].as_str()?))
            })
            .collect();
        found
            .filter_map(|entry| {
                let entry = entry.ok()?;
                let pid = entry.file_name().to_str()?.parse().ok()?;
                let environment = std::fs::read(entry.path().join("environ")).ok()?;
                let ours = |id: &String| environment.split(|byte| *byte == 0).any(|pair| pair == id.as_bytes());
                ids.iter().any(ours).then_some(pid)
            })
            .collect()
    }
}

impl Drop for Overnight {
    fn drop(&mut self) {
        // Agents that wait end by themselves once their folder is gone, which it is right after this.
        assert!(self.finished || std::thread::panicking(), "a story has to end with finish()");
    }
}
