//! Snapshots: the owner's files as they are come into the vault and out of it again, and the owner notices nothing.

use std::os::unix::fs::symlink;

use chrono::{NaiveDate, TimeDelta};
use overnight::git::{
    RefName, Sha, SnapshotLimits, Snapshotted, bundle, check_objects, drop_snapshots, restore_files, snapshot, tips,
    unbundle,
};

use super::*;

fn day(day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 3, day).unwrap()
}

impl World {
    async fn try_snap(&self, vault: &Vault, date: NaiveDate) -> Result<Option<Snapshotted>, GitError> {
        let limits = SnapshotLimits { file_bytes: 1000, all_bytes: 50_000 };
        let at = DateTime::from_timestamp(1_773_500_000, 0).unwrap() + TimeDelta::days(i64::from(date.day0()));
        snapshot(vault, &self.at("owner"), date, at, &limits).await
    }

    async fn snap(&self, vault: &Vault, date: NaiveDate) -> Snapshotted {
        self.try_snap(vault, date).await.unwrap().unwrap()
    }

    /// Mode, object and path of each file in a commit of the vault.
    fn tree(&self, commit: &Sha) -> Vec<String> {
        let listed = self.plain("vaults/app.git", &["ls-tree", "-r", commit.as_str()]);
        listed.lines().map(str::to_owned).collect()
    }

    fn names(&self, commit: &Sha) -> Vec<String> {
        self.tree(commit).iter().map(|line| line.split('\t').nth(1).unwrap().to_owned()).collect()
    }

    fn parent(&self, commit: &Sha) -> String {
        self.plain("vaults/app.git", &["log", "-1", "--format=%P", commit.as_str()])
    }
}

use chrono::Datelike;

fn skipped(taken: &Snapshotted) -> Vec<String> {
    taken.skipped.iter().map(|file| format!("{}: {}", file.path, file.why)).collect()
}

#[tokio::test]
async fn everything_the_owner_works_on_is_in_it_and_the_owner_notices_nothing() {
    let world = World::new();
    for (name, text) in [("b.txt", "b\n"), ("gone.txt", "g\n"), ("staged.txt", "old\n"), ("link-to-be", "x\n")] {
        world.write(&format!("owner/{name}"), text);
    }
    world.write("owner/folder/deep.txt", "deep\n");
    world.write("owner/to-folder", "file\n");
    world.commit("owner", "third");
    // Changed and staged, changed and not, deleted, new, ignored, tracked though ignored, a link, a script.
    world.write("owner/staged.txt", "staged\n");
    world.write("owner/forced.log", "forced\n");
    world.plain("owner", &["add", "-f", "staged.txt", "forced.log"]);
    world.write("owner/staged.txt", "staged, then changed\n");
    world.write("owner/src/a.txt", "changed\n");
    std::fs::remove_file(world.at("owner/gone.txt")).unwrap();
    world.write("owner/new/notes", "untracked\n");
    world.write("owner/x.log", "ignored\n");
    world.write("owner/target/out", "ignored\n");
    world.write("owner/.git/info/exclude", "private\n");
    world.write("owner/private", "ignored by the clone alone\n");
    symlink("/etc/passwd", world.at("owner/away")).unwrap();
    std::fs::remove_file(world.at("owner/link-to-be")).unwrap();
    symlink("src", world.at("owner/link-to-be")).unwrap();
    std::fs::remove_file(world.at("owner/to-folder")).unwrap();
    world.write("owner/to-folder/inside", "now a folder\n");
    // What was a tracked folder leads elsewhere now.
    std::fs::remove_dir_all(world.at("owner/folder")).unwrap();
    world.write("elsewhere/deep.txt", "not the project's\n");
    symlink(world.at("elsewhere"), world.at("owner/folder")).unwrap();
    world.write("owner/run", "#!/bin/sh\n");
    std::fs::set_permissions(world.at("owner/run"), std::fs::Permissions::from_mode(0o755)).unwrap();
    // A commit the owner's git was killed in.
    world.write("owner/.git/index.lock", "");
    let before = world.snapshot("owner");

    let vault = world.vault().await;
    let base = world.refresh(&vault).await;
    let taken = world.snap(&vault, day(14)).await;
    let expected = [
        ".gitignore",
        "away",
        "b.txt",
        "folder",
        "forced.log",
        "link-to-be",
        "new/notes",
        "run",
        "src/a.txt",
        "staged.txt",
        "to-folder/inside",
    ];
    assert_eq!(world.names(&taken.commit), expected);
    assert_eq!((taken.files, skipped(&taken)), (expected.len() as u64, vec![]));
    let tree = world.tree(&taken.commit);
    let modes: Vec<&str> = tree.iter().map(|line| &line[..6]).collect();
    assert_eq!([modes[1], modes[3], modes[7], modes[8]], ["120000", "120000", "100755", "100644"]);
    let content = |name: &str| world.plain("vaults/app.git", &["show", &format!("{}:{name}", taken.commit)]);
    assert_eq!((content("staged.txt"), content("away")), ("staged, then changed".into(), "/etc/passwd".into()));
    assert_eq!(world.parent(&taken.commit), base.sha.to_string());
    assert_eq!(vault.read_ref(&RefName::snapshot(day(14))).await.unwrap(), Some(taken.commit.clone()));
    assert_eq!(world.snapshot("owner"), before);
    let scratch = std::fs::read_dir(vault.dir().join("overnight-scratch")).unwrap().count();
    assert_eq!(scratch, 0, "the private index is gone");

    // And out again, byte for byte.
    restore_files(&vault, &taken.commit, &world.at("again")).await.unwrap();
    for name in expected.iter().filter(|name| !["away", "folder", "link-to-be"].contains(name)) {
        let [was, is] = ["owner", "again"].map(|place| std::fs::read(world.at(place).join(name)).unwrap());
        assert_eq!(was, is, "{name}");
    }
    assert_eq!(std::fs::read_link(world.at("again/away")).unwrap(), Path::new("/etc/passwd"));
    assert!(!world.at("again/x.log").exists());
    let refused = restore_files(&vault, &taken.commit, &world.at("owner")).await.unwrap_err();
    assert!(refused.to_string().contains("exists"), "{refused}");
    assert_eq!(world.snapshot("owner"), before, "what is there is never written over");
}

#[tokio::test]
async fn the_same_files_are_one_commit_and_days_are_dropped_by_date() {
    let world = World::new();
    world.write("owner/notes", "one\n");
    let vault = world.vault().await;
    world.refresh(&vault).await;
    let first = world.snap(&vault, day(1)).await;
    assert_eq!(world.snap(&vault, day(1)).await, first, "a repeat");
    let held = tips(&vault).await.unwrap();
    assert_eq!(world.snap(&vault, day(2)).await.commit, first.commit, "nothing changed");
    assert_eq!(tips(&vault).await.unwrap(), held, "nothing new to bundle");
    world.write("owner/notes", "two\n");
    let third = world.snap(&vault, day(3)).await;
    assert_ne!(third.commit, first.commit);
    assert_ne!(tips(&vault).await.unwrap(), held);
    assert_eq!(drop_snapshots(&vault, |days| days - &[day(1)].into()).await.unwrap(), [day(1)].into());
    assert_eq!(vault.read_ref(&RefName::snapshot(day(1))).await.unwrap(), None);
    assert_eq!(vault.read_ref(&RefName::snapshot(day(2))).await.unwrap(), Some(first.commit));
}

#[tokio::test]
async fn nothing_of_the_projects_own_runs_and_bytes_stay_as_they_are() {
    let world = World::new();
    let mark = world.at("ran");
    let touch = format!("touch {}", mark.display());
    world.write(
        "owner/.gitattributes",
        "*.dat filter=evil\n*.txt text eol=lf ident\n*.u16 working-tree-encoding=UTF-16\n",
    );
    for (key, value) in [
        ("filter.evil.clean", touch.as_str()),
        ("filter.evil.process", touch.as_str()),
        ("core.fsmonitor", touch.as_str()),
        ("core.hooksPath", "hooks"),
        ("core.autocrlf", "true"),
    ] {
        world.plain("owner", &["config", key, value]);
    }
    for hook in ["pre-commit", "post-index-change", "reference-transaction", "pre-auto-gc", "post-commit"] {
        world.write(&format!("owner/hooks/{hook}"), &format!("#!/bin/sh\n{touch}\n"));
        let hook = world.at("owner/hooks").join(hook);
        std::fs::set_permissions(hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    world.write("owner/lines.txt", "crlf\r\n$Id$\r\n");
    world.write("owner/x.dat", "data\n");
    world.write("owner/x.u16", "not UTF-16\n");
    let _ = std::fs::remove_file(&mark);
    let before = world.snapshot("owner");
    let vault = world.vault().await;
    world.refresh(&vault).await;
    let taken = world.snap(&vault, day(14)).await;
    assert!(!mark.exists(), "something of the project's ran");
    assert_eq!(world.snapshot("owner"), before);
    restore_files(&vault, &taken.commit, &world.at("again")).await.unwrap();
    for name in ["lines.txt", "x.dat", "x.u16", ".gitattributes"] {
        let [was, is] = ["owner", "again"].map(|place| std::fs::read(world.at(place).join(name)).unwrap());
        assert_eq!(was, is, "{name}");
    }
    assert!(!mark.exists(), "something of the project's ran");
}

#[tokio::test]
async fn what_is_left_out_is_said() {
    let world = World::new();
    world.write("owner/huge.bin", &"x".repeat(1001));
    world.write("owner/inner/file", "of its own repository\n");
    world.plain("owner/inner", &["init", "-q"]);
    world.write("library/l.txt", "l\n");
    world.plain("library", &["init", "-q"]);
    world.commit("library", "library");
    let library = world.at("library");
    world.plain(
        "owner",
        &["-c", "protocol.file.allow=always", "submodule", "add", "-q", library.to_str().unwrap(), "sub"],
    );
    rustix::fs::mknodat(rustix::fs::CWD, world.at("owner/pipe"), rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0)
        .unwrap();
    std::fs::remove_file(world.at("owner/src/a.txt")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        world.at("owner/src/a.txt"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();
    world.write("owner/locked", "mine\n");
    let locked_out = can_be_locked_out(&world.at("owner/locked"));
    let vault = world.vault().await;
    world.refresh(&vault).await;
    let taken = world.snap(&vault, day(14)).await;
    let mut expected = vec![
        "huge.bin: too large: 1001 bytes",
        "inner: a repository of its own, not followed",
        "src/a.txt: not a regular file",
        "sub: a submodule: its own repository is not followed",
    ];
    let mut names = vec![".gitignore", ".gitmodules", "sub"];
    if locked_out {
        expected.push("locked: it can't be read");
    } else {
        names.insert(2, "locked");
    }
    let mut said = skipped(&taken);
    said.sort_unstable();
    expected.sort_unstable();
    assert_eq!(said, expected);
    assert_eq!(world.names(&taken.commit), names);
}

#[tokio::test]
async fn any_state_of_the_repository_will_do() {
    // No commit at all.
    let world = World::empty();
    world.plain("owner", &["init", "-q", "-b", "main"]);
    let vault = world.vault().await;
    world.write("owner/first.txt", "not committed yet\n");
    let taken = world.snap(&vault, day(1)).await;
    assert_eq!((world.names(&taken.commit), world.parent(&taken.commit)), (vec!["first.txt".into()], String::new()));

    // A rebase that stopped at a conflict: HEAD detached, three entries of one file in the index.
    let world = World::new();
    world.plain("owner", &["checkout", "-q", "-b", "side", "HEAD~1"]);
    world.write("owner/src/a.txt", "side\n");
    world.commit("owner", "side");
    assert!(!world.try_plain("owner", &["rebase", "main"]).status.success());
    let before = world.snapshot("owner");
    let vault = world.vault().await;
    let base = world.refresh(&vault).await;
    let taken = world.snap(&vault, day(1)).await;
    let shown = world.plain("vaults/app.git", &["show", &format!("{}:src/a.txt", taken.commit)]);
    assert!(shown.contains("<<<<<<<"), "{shown}");
    assert_eq!(world.parent(&taken.commit), base.sha.to_string());
    assert_eq!(world.snapshot("owner"), before);

    // On a branch whose commits are not in the vault.
    world.plain("owner", &["rebase", "--abort"]);
    let taken = world.snap(&vault, day(2)).await;
    assert_eq!(world.parent(&taken.commit), "");
    assert_eq!(world.names(&taken.commit), [".gitignore", "src/a.txt"]);

    // Files a sparse checkout leaves out are no deletions.
    world.plain("owner", &["checkout", "-q", "main"]);
    world.write("owner/lib/l.txt", "l\n");
    world.commit("owner", "lib");
    world.plain("owner", &["sparse-checkout", "set", "src"]);
    assert!(!world.at("owner/lib").exists());
    world.refresh(&vault).await;
    let taken = world.snap(&vault, day(3)).await;
    assert_eq!(world.names(&taken.commit), [".gitignore", "lib/l.txt", "src/a.txt"]);
}

#[tokio::test]
async fn a_bare_repository_is_its_branch() {
    let world = World::empty();
    world.plain("owner", &["init", "-q", "--bare", "-b", "main"]);
    let vault = world.vault().await;
    assert_eq!(world.try_snap(&vault, day(1)).await.unwrap(), None);
    world.write("work/a.txt", "a\n");
    world.plain("work", &["init", "-q", "-b", "main"]);
    world.commit("work", "first");
    world.plain("work", &["push", "-q", "../owner", "main"]);
    let base = world.refresh(&vault).await;
    assert_eq!(world.snap(&vault, day(2)).await.commit, base.sha);
}

#[tokio::test]
async fn a_vault_comes_back_from_its_bundle_also_a_shallow_one() {
    for shallow in [false, true] {
        let world = World::new();
        if shallow {
            std::fs::rename(world.at("owner"), world.at("far")).unwrap();
            let far = format!("file://{}", world.at("far").display());
            world.plain(".", &["-c", "protocol.file.allow=always", "clone", "-q", "--depth=1", &far, "owner"]);
        }
        let vault = world.vault().await;
        std::fs::create_dir(world.at("day")).unwrap();
        let file = world.at("day/app.bundle");
        assert!(!bundle(&vault, &file).await.unwrap() && !file.exists(), "an empty vault");
        world.refresh(&vault).await;
        world.write("owner/notes", "untracked\n");
        let taken = world.snap(&vault, day(1)).await;
        assert!(bundle(&vault, &file).await.unwrap());
        let left: Vec<_> = std::fs::read_dir(world.at("day")).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left.len(), 1 + usize::from(shallow), "{left:?}");

        std::fs::remove_dir_all(world.at("vaults")).unwrap();
        let back = unbundle(&world.git, &file, &world.at("back")).await.unwrap();
        check_objects(&back, 0, std::slice::from_ref(&taken.commit)).await.unwrap();
        restore_files(&back, &taken.commit, &world.at("again")).await.unwrap();
        assert_eq!(std::fs::read_to_string(world.at("again/notes")).unwrap(), "untracked\n");
        let unknown = "0123456789012345678901234567890123456789".parse().unwrap();
        assert!(check_objects(&back, 0, &[unknown]).await.is_err());

        // A flipped byte in the middle is noticed.
        let mut bytes = std::fs::read(&file).unwrap();
        let middle = bytes.len() - 60;
        bytes[middle] ^= 0x55;
        std::fs::write(&file, bytes).unwrap();
        assert!(unbundle(&world.git, &file, &world.at("broken")).await.is_err());
    }
}

#[tokio::test]
async fn strange_names_come_through() {
    let world = World::new();
    let names: [&[u8]; 6] =
        [b"a\nb", b"\xff\xfe", b"-rf", b":(exclude)src", b"back\\slash", "gr\u{fc}\u{df}e".as_bytes()];
    let made: Vec<_> = names
        .iter()
        .filter(|name| std::fs::write(world.at("owner").join(OsStr::from_bytes(name)), "x\n").is_ok())
        .collect();
    assert!(made.len() >= 5);
    let vault = world.vault().await;
    world.refresh(&vault).await;
    let taken = world.snap(&vault, day(1)).await;
    assert_eq!((taken.files, skipped(&taken)), (2 + made.len() as u64, vec![]));
    restore_files(&vault, &taken.commit, &world.at("again")).await.unwrap();
    for name in made {
        assert!(world.at("again").join(OsStr::from_bytes(name)).is_file(), "{}", overnight::git::escape(name));
    }
}
