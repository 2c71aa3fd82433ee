//! Stories of host-side git, with real repositories: what a build made reaches the vault, whole and nothing else.

mod attacks;
mod files;
mod land;
mod places;
mod snapshot;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use chrono::DateTime;
use overnight::git::{
    Base, BuildRefs, CloneTarget, Collected, CommitMessage, Fault, Git, GitError, Limits, Person, Vault, collect,
    commit_exists, diff_stat, is_ancestor, make_clone, owner_state,
};
use tempfile::TempDir;

/// One owner, one vault, one folder of builds, in a folder of their own.
struct World {
    dir: TempDir,
    git: Git,
}

impl World {
    /// With an owner's repository of two commits on `main`.
    fn new() -> Self {
        let world = Self::empty();
        world.write("owner/src/a.txt", "one\n");
        world.write("owner/.gitignore", "target/\n*.log\n");
        world.plain("owner", &["init", "-q", "-b", "main"]);
        world.commit("owner", "first");
        world.write("owner/src/a.txt", "one\ntwo\n");
        world.commit("owner", "second");
        world
    }

    fn empty() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for name in ["owner", "builds", "home"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        let git = Git::new("git".into(), path_env(), dir.path().join("home"));
        Self { dir, git }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.at(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Git as a person or an agent runs it: unprotected.
    fn try_plain(&self, dir: &str, args: &[&str]) -> Output {
        let mut command = Command::new("git");
        // Nothing of it goes on in the background.
        command.current_dir(self.at(dir)).args(["-c", "maintenance.auto=false"]).args(args);
        command.env("GIT_CONFIG_GLOBAL", "/dev/null");
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_EDITOR", "").env_remove("GIT_EDITOR");
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "Owner").env(format!("GIT_{who}_EMAIL"), "owner@example.com");
        }
        command.output().unwrap()
    }

    fn plain(&self, dir: &str, args: &[&str]) -> String {
        let output = self.try_plain(dir, args);
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn commit(&self, dir: &str, message: &str) {
        self.plain(dir, &["add", "-A"]);
        self.plain(dir, &["commit", "-q", "-m", message]);
    }

    async fn vault(&self) -> Vault {
        Vault::open_or_init(&self.git, &self.at("vaults"), "app", &self.at("owner")).await.unwrap()
    }

    async fn refresh(&self, vault: &Vault) -> Base {
        vault.refresh_base(&self.at("owner"), Some("main")).await.unwrap()
    }

    fn target(&self, build: &str) -> CloneTarget {
        let builds_root = self.at("builds");
        CloneTarget { dest: builds_root.join(build), builds_root, build: build.to_owned() }
    }

    /// A vault with the base fetched, and the clone of build `b1` in `builds/b1`.
    async fn building(&self) -> (Vault, Base) {
        let vault = self.vault().await;
        let base = self.refresh(&vault).await;
        make_clone(&vault, &base.sha, &self.target("b1")).await.unwrap();
        (vault, base)
    }

    async fn try_collect(&self, vault: &Vault, base: &Base, exclude: &[&str]) -> Result<Collected, GitError> {
        let exclude: Vec<PathBuf> = exclude.iter().map(PathBuf::from).collect();
        let limits = Limits { file_bytes: 1000, new_bytes: 5000, new_files: 50 };
        collect(vault, &self.at("builds/b1"), &base.sha, &message(), &exclude, &limits).await
    }

    async fn collect(&self, vault: &Vault, base: &Base) -> Collected {
        self.try_collect(vault, base, &[]).await.unwrap()
    }

    /// Every path below `name` with its kind, mode, time and content.
    fn snapshot(&self, name: &str) -> BTreeMap<PathBuf, (u32, i64, Vec<u8>)> {
        let mut found = BTreeMap::new();
        let mut pending = vec![self.at(name)];
        while let Some(path) = pending.pop() {
            let metadata = path.symlink_metadata().unwrap();
            let content = if metadata.is_dir() {
                pending.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
                Vec::new()
            } else if metadata.is_symlink() {
                std::fs::read_link(&path).unwrap().as_os_str().as_bytes().to_vec()
            } else {
                std::fs::read(&path).unwrap()
            };
            found.insert(path, (metadata.mode(), metadata.mtime(), content));
        }
        found
    }
}

fn path_env() -> OsString {
    std::env::vars_os().find(|(name, _)| name == "PATH").map(|(_, value)| value).unwrap()
}

fn message() -> CommitMessage {
    CommitMessage {
        subject: "Speed up the parser".into(),
        body: "The agent's own words.".into(),
        task: "7".into(),
        session: "2026-03-14".into(),
        build: "b1".into(),
        author: Person { name: "overnight".into(), email: "overnight@localhost".into() },
        date: DateTime::from_timestamp(1_773_500_000, 0).unwrap(),
    }
}

fn paths(collected: &Collected) -> Vec<String> {
    collected.files.iter().map(|file| format!("{} {}", file.status.letter(), file.path)).collect()
}

#[tokio::test]
async fn a_build_becomes_one_commit_in_the_vault_and_the_owner_notices_nothing() {
    let world = World::new();
    world.write("owner/src/a.txt", "one\ntwo\ndirty\n");
    world.write("owner/notes", "untracked\n");
    world.write("owner/.git/index.lock", "");
    let before = world.snapshot("owner");
    let (vault, base) = world.building().await;
    assert_eq!(world.plain("builds/b1", &["rev-parse", "--abbrev-ref", "HEAD"]), "overnight/b1");
    assert_eq!(world.plain("builds/b1", &["status", "--porcelain"]), "");

    // The agent commits on the way, starts over on an orphan branch, and leaves something uncommitted.
    world.write("builds/b1/src/b.txt", "new\n");
    world.commit("builds/b1", "agent's own");
    world.plain("builds/b1", &["checkout", "-q", "--orphan", "mine"]);
    world.write("builds/b1/src/a.txt", "one\nTWO\n");
    let result = world.collect(&vault, &base).await;
    assert_eq!(paths(&result), ["M src/a.txt", "A src/b.txt"]);
    assert_eq!((result.insertions, result.deletions), (2, 1));

    let commit = result.commit.clone().unwrap();
    let shown = world.plain("vaults/app.git", &["log", "--format=%P%n%B", "-1", commit.as_str()]);
    let trailers = "Overnight-Task: 7\nOvernight-Session: 2026-03-14\nOvernight-Build: b1";
    assert_eq!(shown, format!("{}\nSpeed up the parser\n\nThe agent's own words.\n\n{trailers}", base.sha));

    let refs = BuildRefs::new("2026-03-14", "7", "b1").unwrap();
    vault.record_ref(&refs.base, &base.sha, None).await.unwrap();
    vault.record_ref(&refs.result, &commit, None).await.unwrap();
    assert_eq!(vault.read_ref(&refs.result).await.unwrap(), Some(commit.clone()));
    assert_eq!(world.plain("vaults/app.git", &["fsck", "--unreachable", "--strict"]), "");
    let stat = diff_stat(&vault, &base.sha, &commit).await.unwrap();
    assert_eq!(stat.files, result.files);
    assert!(commit_exists(&vault, &commit).await.unwrap());
    assert!(is_ancestor(&vault, &base.sha, &commit).await.unwrap());
    assert!(!is_ancestor(&vault, &commit, &base.sha).await.unwrap());

    let state = owner_state(&world.git, &world.at("owner")).await.unwrap();
    assert_eq!((state.branch.as_deref(), state.head), (Some("main"), Some(base.sha)));
    assert_eq!((state.dirty, state.untracked), (Some(true), true));
    assert_eq!(world.snapshot("owner"), before);
}

#[tokio::test]
async fn collecting_again_gives_the_same_commit_and_nothing_gives_none() {
    let world = World::new();
    let (vault, base) = world.building().await;
    let nothing = world.collect(&vault, &base).await;
    assert_eq!((nothing.commit, nothing.files.len()), (None, 0));
    world.write("builds/b1/src/b.txt", "new\n");
    let first = world.collect(&vault, &base).await;
    assert!(first.commit.is_some());
    let reopened = world.vault().await;
    assert_eq!(world.collect(&reopened, &base).await, first);
    let scratch = std::fs::read_dir(vault.dir().join("overnight-scratch")).unwrap().count();
    assert_eq!(scratch, 0);
    std::fs::remove_dir_all(world.at("builds/b1/src")).unwrap();
    std::fs::remove_file(world.at("builds/b1/.gitignore")).unwrap();
    assert_eq!(paths(&world.collect(&vault, &base).await), ["D .gitignore", "D src/a.txt"]);
}

#[tokio::test]
async fn a_ref_moves_only_from_where_it_was_expected() {
    let world = World::new();
    let vault = world.vault().await;
    let base = world.refresh(&vault).await.sha;
    let parent = world.plain("owner", &["rev-parse", "HEAD~1"]).parse().unwrap();
    let name = BuildRefs::new("s", "t", "b").unwrap().result;
    vault.record_ref(&name, &base, None).await.unwrap();
    vault.record_ref(&name, &base, None).await.unwrap();
    let lost = vault.record_ref(&name, &parent, None).await.unwrap_err();
    assert_eq!((lost.fault.clone(), lost.retry()), (Fault::RefMoved, false), "{lost}");
    let lost = vault.record_ref(&name, &parent, Some(&parent)).await.unwrap_err();
    assert_eq!(lost.fault, Fault::RefMoved, "{lost}");
    assert_eq!(vault.read_ref(&name).await.unwrap(), Some(base.clone()));
    vault.record_ref(&name, &parent, Some(&base)).await.unwrap();
    assert_eq!(vault.read_ref(&name).await.unwrap(), Some(parent));
}

#[tokio::test]
async fn three_builds_start_at_once_also_over_two_handles() {
    let world = World::new();
    let (one, two) = (world.vault().await, world.vault().await);
    let start = async |vault: &Vault, build: &str| {
        let base = world.refresh(vault).await;
        make_clone(vault, &base.sha, &world.target(build)).await.unwrap();
        base.sha
    };
    let (a, b, c) = tokio::join!(start(&one, "b1"), start(&one, "b2"), start(&two, "b3"));
    assert!(a == b && b == c);
    for build in ["builds/b1", "builds/b2", "builds/b3"] {
        assert_eq!(world.plain(build, &["rev-parse", "HEAD"]), a.to_string());
    }
}

#[tokio::test]
async fn a_git_that_is_missing_or_hangs_is_said_so() {
    let world = World::new();
    let missing = Git::new("no-such-git".into(), path_env(), world.at("home"));
    let error = missing.version().await.unwrap_err();
    assert_eq!(error.fault, Fault::ProgramMissing);
    assert!(error.to_string().contains("install git"), "{error}");
    assert!(world.git.version().await.unwrap().contains('.'));

    // Written by another process: were it open for writing here while a test beside forks, it could not be run.
    let script = world.at("slow-git");
    let write =
        format!("printf '#!/bin/sh\\necho $$ > {0}.pid; sleep 600 & wait' > {0}; chmod +x {0}", script.display());
    assert!(Command::new("sh").args(["-c", &write]).status().unwrap().success());
    let limit = std::time::Duration::from_millis(700);
    let slow = Git::new(script.clone(), path_env(), world.at("home")).with_timeout(limit);
    let error = slow.version().await.unwrap_err();
    assert!(matches!(error.fault, Fault::TimedOut(_)) && error.retry(), "{error}");
    let group: i32 = std::fs::read_to_string(script.with_extension("pid")).unwrap().trim().parse().unwrap();
    let group = rustix::process::Pid::from_raw(group).unwrap();
    for _ in 0..500 {
        if rustix::process::test_kill_process_group(group).is_err() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the slow git's children still live");
}

/// Whether this user can be kept from reading a file; root cannot.
fn can_be_locked_out(path: &Path) -> bool {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o000)).unwrap();
    std::fs::read(path).is_err() && std::fs::read_dir(path).is_err()
}
