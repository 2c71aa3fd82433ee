//! Landing on the owner's branch: it moves as a whole or not at all, and nothing of the owner's is ever lost.

use super::*;
use overnight::git::{Landed, Landing, Picked, Sha, land, pick};
use std::os::unix::fs::symlink;

/// What the owner has: files outside of `.git`, the index, HEAD and all refs.
type Belongings = (BTreeMap<PathBuf, (u32, Vec<u8>)>, Vec<u8>, String);

impl World {
    fn belongings(&self) -> Belongings {
        let git = self.at("owner/.git");
        let files = self.snapshot("owner").into_iter().filter(|(path, _)| !path.starts_with(&git));
        let files = files.map(|(path, (mode, _, content))| (path, (mode, content))).collect();
        let refs = self.plain("owner", &["for-each-ref", "--format=%(refname) %(objectname)"]);
        let head = std::fs::read_to_string(git.join("HEAD")).unwrap();
        (files, std::fs::read(git.join("index")).unwrap_or_default(), format!("{refs}\n{head}"))
    }

    fn head(&self, branch: &str) -> String {
        self.plain("owner", &["rev-parse", branch])
    }
}

/// A vault with a verified result on top of the base: `src/a.txt` changed, `src/b.txt` new.
async fn result(world: &World) -> (Vault, Sha, Sha) {
    result_of(world, || {
        world.write("builds/b1/src/a.txt", "one\nTWO\n");
        world.write("builds/b1/src/b.txt", "new\n");
    })
    .await
}

async fn result_of(world: &World, work: impl FnOnce()) -> (Vault, Sha, Sha) {
    let (vault, base) = world.building().await;
    work();
    let commit = world.collect(&vault, &base).await.commit.unwrap();
    (vault, base.sha, commit)
}

async fn try_land(world: &World, vault: &Vault, old: &Sha, new: &Sha, again: bool) -> Landed {
    let owner = world.at("owner");
    let landing = Landing { owner: &owner, branch: "main", old, new, note: "overnight: ship #7", again };
    land(vault, &landing).await.unwrap()
}

#[tokio::test]
async fn a_clean_checkout_follows_its_branch_and_the_reflog_says_who_moved_it() {
    let world = World::new();
    world.write("owner/notes", "untracked\n");
    let (vault, base, commit) = result(&world).await;
    assert_eq!(try_land(&world, &vault, &base, &commit, false).await, Landed::Done);
    assert_eq!(world.head("main"), commit.as_str());
    assert_eq!(world.plain("owner", &["status", "--porcelain"]), "?? notes");
    assert_eq!(std::fs::read_to_string(world.at("owner/src/b.txt")).unwrap(), "new\n");
    for name in ["main", "HEAD"] {
        let log = world.plain("owner", &["reflog", "-1", name]);
        assert!(log.contains("overnight: ship #7"), "{name}: {log}");
    }
    // Repeated after a crash, and back again.
    assert_eq!(try_land(&world, &vault, &base, &commit, true).await, Landed::Done);
    assert_eq!(try_land(&world, &vault, &commit, &base, false).await, Landed::Done);
    assert!(!world.at("owner/src/b.txt").exists());
    assert_eq!(world.plain("owner", &["status", "--porcelain"]), "?? notes");
}

#[tokio::test]
async fn a_branch_nobody_has_checked_out_moves_alone() {
    for elsewhere in [&["checkout", "-q", "--detach"][..], &["checkout", "-q", "-b", "mine"]] {
        let world = World::new();
        let (vault, base, commit) = result(&world).await;
        world.plain("owner", elsewhere);
        world.write("owner/src/a.txt", "dirty\n");
        let (files, index, _) = world.belongings();
        assert_eq!(try_land(&world, &vault, &base, &commit, false).await, Landed::Done);
        assert_eq!(world.head("main"), commit.as_str());
        let (files_now, index_now, _) = world.belongings();
        assert_eq!((files_now, index_now), (files, index));
    }
    let world = World::new();
    let (vault, base, commit) = result(&world).await;
    world.plain(".", &["clone", "-q", "--bare", "owner", "bare"]);
    let landing = |owner| Landing { owner, branch: "main", old: &base, new: &commit, note: "ship", again: false };
    assert_eq!(land(&vault, &landing(&world.at("bare"))).await.unwrap(), Landed::Done);
    assert_eq!(world.plain("bare", &["rev-parse", "main"]), commit.as_str());
}

#[tokio::test]
async fn a_linked_worktree_on_the_branch_is_the_checkout() {
    let world = World::new();
    let (vault, base, commit) = result(&world).await;
    world.plain("owner", &["checkout", "-q", "-b", "mine"]);
    world.plain("owner", &["worktree", "add", "-q", "../linked", "main"]);
    world.write("linked/src/a.txt", "dirty\n");
    let Landed::Waits(why) = try_land(&world, &vault, &base, &commit, false).await else { panic!() };
    assert!(why.contains("linked has changes that are not committed (src/a.txt)"), "{why}");
    world.plain("linked", &["checkout", "-q", "src/a.txt"]);
    assert_eq!(try_land(&world, &vault, &base, &commit, false).await, Landed::Done);
    assert_eq!(world.plain("linked", &["status", "--porcelain"]), "");
    assert_eq!(std::fs::read_to_string(world.at("linked/src/b.txt")).unwrap(), "new\n");
    assert_eq!(std::fs::read_to_string(world.at("owner/src/a.txt")).unwrap(), "one\ntwo\n");
}

/// What the owner did, and a part of the words that say so.
type State = (&'static str, fn(&World), &'static str);

#[tokio::test]
async fn what_the_owner_has_under_way_is_left_as_it_is_and_named() {
    let rebase: fn(&World) = |world| {
        world.plain("owner", &["checkout", "-q", "-b", "other", "HEAD~1"]);
        world.write("owner/src/a.txt", "else\n");
        world.commit("owner", "else");
        world.plain("owner", &["checkout", "-q", "main"]);
        assert!(!world.try_plain("owner", &["rebase", "other"]).status.success());
    };
    let merge: fn(&World) = |world| {
        world.plain("owner", &["checkout", "-q", "-b", "other"]);
        world.write("owner/c.txt", "c\n");
        world.commit("owner", "c");
        world.plain("owner", &["checkout", "-q", "main"]);
        world.plain("owner", &["merge", "-q", "--no-ff", "--no-commit", "other"]);
    };
    let states: [State; 12] = [
        ("changed", |w| w.write("owner/src/a.txt", "mine\n"), "changes that are not committed (src/a.txt)"),
        ("changed elsewhere", |w| w.write("owner/.gitignore", "mine\n"), "not committed (.gitignore)"),
        ("deleted", |w| std::fs::remove_file(w.at("owner/src/a.txt")).unwrap(), "not committed (src/a.txt)"),
        (
            "staged",
            |w| {
                w.write("owner/new", "mine\n");
                w.plain("owner", &["add", "new"]);
            },
            "not committed (new)",
        ),
        ("a file in the way", |w| w.write("owner/src/b.txt", "mine\n"), "src/b.txt is in the way"),
        (
            "an ignored file in the way",
            |w| {
                w.write("owner/src/b.txt", "mine\n");
                w.write("owner/.git/info/exclude", "b.txt\n");
            },
            "src/b.txt is in the way",
        ),
        ("a left lock", |w| w.write("owner/.git/index.lock", ""), "index.lock"),
        ("a held branch", |w| w.write("owner/.git/refs/heads/main.lock", ""), "main.lock"),
        ("a rebase", rebase, "a rebase of main is under way"),
        ("a merge", merge, "a merge is under way"),
        (
            "told to overlook",
            |w| {
                w.plain("owner", &["update-index", "--assume-unchanged", "src/a.txt"]);
                w.write("owner/src/a.txt", "mine\n");
            },
            "told to overlook changes of src/a.txt",
        ),
        (
            "sparse",
            |w| {
                w.plain("owner", &["sparse-checkout", "set", "--no-cone", "/.gitignore"]);
            },
            "the checkout is sparse; in ",
        ),
    ];
    for (name, state, words) in states {
        let world = World::new();
        let (vault, base, commit) = result(&world).await;
        state(&world);
        let before = world.belongings();
        let said = match try_land(&world, &vault, &base, &commit, false).await {
            Landed::Waits(why) | Landed::Refused(why) => why,
            other => panic!("{name}: {other:?}"),
        };
        assert!(said.contains(words), "{name}: {said}");
        assert_eq!(world.belongings(), before, "{name}");
        // A landing that was cut off is never an excuse to overwrite anything.
        assert!(!matches!(try_land(&world, &vault, &base, &commit, true).await, Landed::Done), "{name}");
        assert_eq!(world.belongings(), before, "{name}");
    }
}

#[tokio::test]
async fn a_branch_that_moved_or_is_gone_is_not_moved() {
    let world = World::new();
    let (vault, base, commit) = result(&world).await;
    world.write("owner/c.txt", "c\n");
    world.commit("owner", "the owner's");
    let before = world.belongings();
    let at: Sha = world.head("main").parse().unwrap();
    assert_eq!(try_land(&world, &vault, &base, &commit, false).await, Landed::Moved(at));
    assert_eq!(world.belongings(), before);
    world.plain("owner", &["checkout", "-q", "-b", "other"]);
    world.plain("owner", &["branch", "-q", "-D", "main"]);
    let owner = world.at("owner");
    let landing = Landing { owner: &owner, branch: "main", old: &base, new: &commit, note: "ship", again: false };
    assert_eq!(land(&vault, &landing).await.unwrap_err().fault, Fault::MissingBranch("main".into()));
}

#[tokio::test]
async fn a_landing_that_was_cut_off_is_finished() {
    // After the files and before the branch; and in the middle of the files.
    for halfway in [&["src/a.txt", "src/b.txt"][..], &["src/a.txt"], &["src/b.txt"]] {
        for index_too in [true, false] {
            let world = World::new();
            let (vault, base, commit) = result(&world).await;
            world.plain("owner", &["fetch", "-q", "../vaults/app.git", commit.as_str()]);
            if index_too && halfway.len() == 2 {
                world.plain("owner", &["read-tree", "-m", "-u", base.as_str(), commit.as_str()]);
            } else {
                for path in halfway {
                    let content = world.plain("owner", &["show", &format!("{commit}:{path}")]);
                    world.write(&format!("owner/{path}"), &format!("{content}\n"));
                }
            }
            let done = try_land(&world, &vault, &base, &commit, true).await;
            assert_eq!(done, Landed::Done, "{halfway:?}");
            assert_eq!(world.head("main"), commit.as_str());
            assert_eq!(world.plain("owner", &["status", "--porcelain"]), "");
        }
    }
}

#[tokio::test]
async fn odd_names_kinds_and_modes_land_as_they_are() {
    let world = World::new();
    world.write("owner/folder/x", "x\n");
    world.write("owner/plain", "p\n");
    world.commit("owner", "more");
    let odd = ["two\nlines", "\u{202e}txt.exe", "README", "readme", "-rf", " "];
    let (vault, base, commit) = result_of(&world, || {
        for name in odd {
            world.write(&format!("builds/b1/{name}"), name);
        }
        let invalid = world.at("builds/b1").join(OsStr::from_bytes(b"not-\xff-text"));
        std::fs::write(invalid, "invalid").unwrap();
        symlink("/etc/passwd", world.at("builds/b1/link")).unwrap();
        std::fs::remove_dir_all(world.at("builds/b1/folder")).unwrap();
        world.write("builds/b1/folder", "a file now\n");
        std::fs::remove_file(world.at("builds/b1/plain")).unwrap();
        world.write("builds/b1/plain/in", "a folder now\n");
        let script = world.at("builds/b1/run.sh");
        std::fs::write(&script, "exit\n").unwrap();
        std::fs::set_permissions(script, std::fs::Permissions::from_mode(0o755)).unwrap();
    })
    .await;
    assert_eq!(try_land(&world, &vault, &base, &commit, false).await, Landed::Done);
    assert_eq!(world.plain("owner", &["status", "--porcelain"]), "");
    for name in odd {
        assert_eq!(std::fs::read_to_string(world.at("owner").join(name)).unwrap(), name);
    }
    assert_eq!(world.at("owner/link").read_link().unwrap(), PathBuf::from("/etc/passwd"));
    assert_eq!(world.at("owner/run.sh").metadata().unwrap().mode() & 0o111, 0o111);
    assert_eq!(try_land(&world, &vault, &commit, &base, false).await, Landed::Done);
    assert_eq!(world.plain("owner", &["status", "--porcelain"]), "");
    assert!(world.at("owner/folder/x").is_file() && world.at("owner/plain").is_file());
}

#[tokio::test]
async fn nothing_is_written_through_a_link_of_the_owners() {
    let world = World::new();
    let (vault, base, commit) = result_of(&world, || world.write("builds/b1/deep/b.txt", "new\n")).await;
    std::fs::create_dir(world.at("elsewhere")).unwrap();
    symlink(world.at("elsewhere"), world.at("owner/deep")).unwrap();
    let before = world.belongings();
    assert!(matches!(try_land(&world, &vault, &base, &commit, false).await, Landed::Waits(_)));
    assert_eq!(world.belongings(), before);
    assert_eq!(std::fs::read_dir(world.at("elsewhere")).unwrap().count(), 0);
}

#[tokio::test]
async fn no_program_of_the_owners_repository_or_of_the_result_is_run() {
    let world = World::new();
    let canary = world.at("canary");
    let run = format!("touch '{}'", canary.display());
    for hook in ["post-checkout", "post-merge", "reference-transaction", "post-index-change", "post-commit"] {
        world.write(&format!("owner/.git/hooks/{hook}"), &format!("#!/bin/sh\n{run}\n"));
        let path = world.at(&format!("owner/.git/hooks/{hook}"));
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    world.plain("owner", &["config", "core.fsmonitor", &run]);
    world.plain("owner", &["config", "filter.evil.smudge", &run]);
    world.plain("owner", &["config", "filter.evil.clean", &run]);
    let (vault, base, commit) = result(&world).await;
    assert_eq!(try_land(&world, &vault, &base, &commit, false).await, Landed::Done);
    assert!(!canary.exists());
    // Such as LFS: a filter of the owner's that the result sends a file through.
    let world = World::new();
    world.plain("owner", &["config", "filter.evil.smudge", &format!("touch '{}'", world.at("canary").display())]);
    let (vault, base, commit) = result_of(&world, || {
        world.write("builds/b1/.gitattributes", "*.bin filter=evil\n");
        world.write("builds/b1/big.bin", "pointer\n");
    })
    .await;
    let before = world.belongings();
    let Landed::Refused(why) = try_land(&world, &vault, &base, &commit, false).await else { panic!() };
    assert!(why.contains("big.bin goes through the filter evil") && why.contains("git merge --ff-only"), "{why}");
    assert_eq!(world.belongings(), before);
    assert!(!world.at("canary").exists());
    // What it tells the owner to do works.
    world.plain("owner", &["merge", "-q", "--ff-only", commit.as_str()]);
}

#[test]
fn an_owner_who_commits_at_the_same_moment_loses_nothing() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for round in 0..12_u64 {
        let world = World::new();
        let (vault, base, commit) = runtime.block_on(result(&world));
        let (committed, landed) = std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                std::thread::sleep(std::time::Duration::from_millis(round * 4));
                world.write("owner/mine.txt", "the owner's\n");
                let added = world.try_plain("owner", &["add", "mine.txt"]).status.success();
                added && world.try_plain("owner", &["commit", "-q", "-m", "mine"]).status.success()
            });
            let landed = runtime.block_on(try_land(&world, &vault, &base, &commit, false));
            (thread.join().unwrap(), landed)
        });
        let tip = world.head("main");
        let holds = |ancestor: &str| {
            world.try_plain("owner", &["merge-base", "--is-ancestor", ancestor, &tip]).status.success()
        };
        assert_eq!(holds(commit.as_str()), landed == Landed::Done, "round {round}: {landed:?}");
        assert_eq!(std::fs::read_to_string(world.at("owner/mine.txt")).unwrap(), "the owner's\n");
        if committed {
            assert_eq!(world.plain("owner", &["show", "main:mine.txt"]), "the owner's", "round {round}: {landed:?}");
        }
        let wanted = if landed == Landed::Done { "one\nTWO\n" } else { "one\ntwo\n" };
        assert_eq!(std::fs::read_to_string(world.at("owner/src/a.txt")).unwrap(), wanted, "round {round}");
        assert!(!world.at("owner/.git/refs/heads/main.lock").exists() && !world.at("owner/.git/HEAD.lock").exists());
    }
}

#[tokio::test]
async fn a_change_is_carried_onto_a_base_that_moved() {
    let world = World::new();
    let (vault, base, commit) = result(&world).await;
    world.write("owner/c.txt", "c\n");
    world.commit("owner", "the owner's");
    let onto = world.refresh(&vault).await.sha;
    let picked = pick(&vault, &base, &commit, &onto, &message()).await.unwrap();
    let Picked::Commit(moved) = picked.clone() else { panic!("{picked:?}") };
    assert_eq!(pick(&vault, &base, &commit, &onto, &message()).await.unwrap(), picked, "repeatable");
    let stat = diff_stat(&vault, &onto, &moved).await.unwrap();
    assert_eq!(stat.files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(), ["src/a.txt", "src/b.txt"]);
    assert!(is_ancestor(&vault, &onto, &moved).await.unwrap());
    // Back again: what led there, the other way round.
    let Picked::Commit(back) = pick(&vault, &moved, &onto, &moved, &message()).await.unwrap() else { panic!() };
    assert_eq!(diff_stat(&vault, &onto, &back).await.unwrap().files, []);
    assert_eq!(pick(&vault, &base, &commit, &moved, &message()).await.unwrap(), Picked::Nothing);

    world.write("owner/src/a.txt", "one\nsomething else\n");
    world.commit("owner", "in conflict");
    let onto = world.refresh(&vault).await.sha;
    let conflict = pick(&vault, &base, &commit, &onto, &message()).await.unwrap();
    assert_eq!(conflict, Picked::Conflict(vec!["src/a.txt".into()]));
}

#[tokio::test]
async fn what_an_owner_took_out_of_history_does_not_come_back() {
    let world = World::new();
    world.write("owner/secret", "s\n");
    world.commit("owner", "with a secret");
    let (vault, base, commit) = result(&world).await;
    world.plain("owner", &["reset", "-q", "--hard", "HEAD~1"]);
    world.write("owner/c.txt", "c\n");
    world.commit("owner", "rewritten");
    let onto = world.refresh(&vault).await.sha;
    let Picked::Commit(moved) = pick(&vault, &base, &commit, &onto, &message()).await.unwrap() else { panic!() };
    let tree = world.plain("vaults/app.git", &["ls-tree", "-r", "--name-only", moved.as_str()]);
    assert!(!tree.contains("secret") && tree.contains("src/b.txt") && tree.contains("c.txt"), "{tree}");
    let log = world.plain("vaults/app.git", &["rev-list", moved.as_str()]);
    assert!(!log.contains(base.as_str()), "the old history is no ancestor");
}
