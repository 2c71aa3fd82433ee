//! A build's folder poisoned in every way known: a canary program must not run when the host collects it, and does run
//! when plain git is used there, which shows that the poison works.

use std::os::unix::fs::symlink;

use overnight::git::{Landed, Landing, Picked, land, patch, pick};

use super::*;

/// Poisons the clone in `builds/b1`; `canary` is a shell command that leaves a mark.
type Poison = fn(&World, canary: &str);

fn config(world: &World, dir: &str, key: &str, value: &str) {
    world.plain(dir, &["config", "-f", ".git/config", key, value]);
}

fn attributes(world: &World, text: &str) {
    world.write("builds/b1/.gitattributes", text);
}

/// A repository elsewhere whose own configuration runs the canary.
fn evil(world: &World, dir: &str, canary: &str) {
    world.plain(".", &["init", "-q", dir]);
    world.write(&format!("{dir}/f"), "f\n");
    world.commit(dir, "evil");
    config(world, dir, "core.fsmonitor", canary);
}

/// Name, poison, and the plain git command (in a folder) that fires it.
const ATTACKS: &[(&str, Poison, &str, &[&str])] = &[
    ("fsmonitor", |w, c| config(w, "builds/b1", "core.fsmonitor", c), "builds/b1", &["status"]),
    (
        "clean filter",
        |w, c| {
            config(w, "builds/b1", "filter.evil.clean", c);
            attributes(w, "* filter=evil\n");
        },
        "builds/b1",
        &["add", "-A"],
    ),
    (
        "process filter",
        |w, c| {
            config(w, "builds/b1", "filter.evil.process", c);
            attributes(w, "* filter=evil\n");
        },
        "builds/b1",
        &["add", "-A"],
    ),
    (
        "smudge filter",
        |w, c| {
            config(w, "builds/b1", "filter.evil.smudge", c);
            attributes(w, "* filter=evil\n");
        },
        "builds/b1",
        &["checkout", "HEAD", "--", "src/a.txt"],
    ),
    ("external diff", |w, c| config(w, "builds/b1", "diff.external", c), "builds/b1", &["diff"]),
    (
        "textconv",
        |w, c| {
            config(w, "builds/b1", "diff.evil.textconv", c);
            attributes(w, "* diff=evil\n");
        },
        "builds/b1",
        &["diff"],
    ),
    (
        "included configuration",
        |w, c| {
            w.write("evil.conf", &format!("[core]\n\tfsmonitor = \"{c}\"\n"));
            config(w, "builds/b1", "include.path", &w.at("evil.conf").display().to_string());
        },
        "builds/b1",
        &["status"],
    ),
    (
        "hooks",
        |w, c| {
            for hook in ["pre-commit", "post-commit", "reference-transaction", "post-index-change", "post-checkout"] {
                let file = w.at("builds/b1/.git/hooks").join(hook);
                std::fs::create_dir_all(file.parent().unwrap()).unwrap();
                // Made by another process, which keeps it from being busy when it is to run.
                let line = format!("printf '#!/bin/sh\\n{c}\\n' > '{0}'; chmod +x '{0}'", file.display());
                assert!(Command::new("sh").args(["-c", &line]).status().unwrap().success());
            }
        },
        "builds/b1",
        &["commit", "--no-verify", "--allow-empty", "-m", "x"],
    ),
    (
        "signing program",
        |w, c| {
            let program = w.at("sign");
            let line = format!("printf '#!/bin/sh\\n{c}\\n' > '{0}'; chmod +x '{0}'", program.display());
            assert!(Command::new("sh").args(["-c", &line]).status().unwrap().success());
            config(w, "builds/b1", "gpg.program", &program.display().to_string());
            config(w, "builds/b1", "commit.gpgSign", "true");
        },
        "builds/b1",
        &["commit", "--allow-empty", "-m", "x"],
    ),
    ("editor", |w, c| config(w, "builds/b1", "core.editor", c), "builds/b1", &["commit", "--allow-empty"]),
    (
        "ext transport",
        |w, c| {
            config(w, "builds/b1", "protocol.ext.allow", "always");
            config(
                w,
                "builds/b1",
                "remote.origin.url",
                &format!("ext::sh -c {}", c.replace("; cat", "").replace(' ', "% ")),
            );
        },
        "builds/b1",
        &["fetch", "origin"],
    ),
    (
        "merge driver",
        |w, c| {
            config(w, "builds/b1", "merge.evil.driver", c);
            attributes(w, "* merge=evil\n");
            w.write("builds/b1/src/a.txt", "changed\n");
            w.commit("builds/b1", "mine");
            w.plain("builds/b1", &["checkout", "-q", "-b", "other", "HEAD~1"]);
            attributes(w, "* merge=evil\n");
            w.write("builds/b1/src/a.txt", "changed otherwise\n");
            w.commit("builds/b1", "other");
            w.plain("builds/b1", &["checkout", "-q", "overnight/b1"]);
        },
        "builds/b1",
        &["merge", "other"],
    ),
    (
        "ssh command",
        |w, c| {
            config(w, "builds/b1", "core.sshCommand", &c.replace("; cat", ""));
            config(w, "builds/b1", "remote.origin.url", "ssh://127.0.0.1/x");
        },
        "builds/b1",
        &["fetch", "origin"],
    ),
    (
        "credential helper",
        |w, c| config(w, "builds/b1", "credential.helper", &format!("!{}", c.replace("; cat", ""))),
        "builds/b1",
        &["-c", "alias.ask=!printf 'protocol=https\\nhost=h\\n' | git credential fill", "ask"],
    ),
    (
        ".git file that points elsewhere",
        |w, c| {
            evil(w, "evil", c);
            std::fs::remove_dir_all(w.at("builds/b1/.git")).unwrap();
            w.write("builds/b1/.git", &format!("gitdir: {}\n", w.at("evil/.git").display()));
        },
        "builds/b1",
        &["status"],
    ),
    (
        ".git link that points elsewhere",
        |w, c| {
            evil(w, "evil", c);
            std::fs::remove_dir_all(w.at("builds/b1/.git")).unwrap();
            symlink(w.at("evil/.git"), w.at("builds/b1/.git")).unwrap();
        },
        "builds/b1",
        &["status"],
    ),
    ("nested repository", |w, c| evil(w, "builds/b1/nested", c), "builds/b1/nested", &["status"]),
    (
        "submodule filled by the agent",
        |w, c| {
            evil(w, "builds/b1/sub", c);
            w.plain("builds/b1", &["-c", "core.fsmonitor=false", "add", "sub"]);
        },
        "builds/b1",
        &["status"],
    ),
    (
        "bare repository",
        |w, c| {
            w.plain("builds/b1", &["init", "-q", "--bare", "--template=", "bare"]);
            w.plain("builds/b1/bare", &["config", "core.bare", "false"]);
            w.plain("builds/b1/bare", &["config", "core.worktree", "."]);
            w.plain("builds/b1/bare", &["config", "core.fsmonitor", c]);
            w.plain("builds/b1/bare", &["config", "alias.st", &format!("!{c}")]);
        },
        "builds/b1/bare",
        &["st"],
    ),
    ("git folder among tracked files", |w, c| evil(w, "builds/b1/src", c), "builds/b1/src", &["status"]),
];

#[tokio::test]
async fn nothing_of_a_poisoned_tree_runs_when_it_is_collected() {
    for (name, poison, dir, args) in ATTACKS {
        let world = World::new();
        if *name == "submodule filled by the agent" {
            let head = world.plain("owner", &["rev-parse", "HEAD"]);
            world.plain("owner", &["update-index", "--add", "--cacheinfo", &format!("160000,{head},sub")]);
            world.write(
                "owner/.gitmodules",
                "[submodule \"sub\"]\n\tpath = sub\n\turl = ext::sh -c x\n\tupdate = merge\n",
            );
            world.plain("owner", &["add", ".gitmodules"]);
            world.plain("owner", &["commit", "-q", "-m", "submodule"]);
        }
        let (vault, base) = world.building().await;
        assert!(world.at("builds/b1/.git").is_dir());
        world.write("builds/b1/src/a.txt", "changed\n");
        let canary = world.at("canary");
        let (before_owner, refs) = (world.snapshot("owner"), world.plain("vaults/app.git", &["for-each-ref"]));
        poison(&world, &format!("touch {}; cat; false", canary.display()));
        // Making the poison may have set it off.
        let _ = std::fs::remove_file(&canary);

        let result = world.collect(&vault, &base).await;
        assert!(!canary.exists(), "{name}: the canary ran");
        assert!(paths(&result).contains(&"M src/a.txt".to_owned()), "{name}: {:?}", paths(&result));
        diff_stat(&vault, &base.sha, result.commit.as_ref().unwrap()).await.unwrap();
        make_clone(&vault, result.commit.as_ref().unwrap(), &world.target("b2")).await.unwrap();
        owner_state(&world.git, &world.at("owner")).await.unwrap();
        assert!(!canary.exists(), "{name}: the canary ran");
        assert_eq!(world.snapshot("owner"), before_owner, "{name}");
        assert_eq!(world.plain("vaults/app.git", &["for-each-ref"]), refs, "{name}");
        // And all that comes later: looked at, carried onto a branch that moved, landed in the owner's checkout.
        let commit = result.commit.unwrap();
        world.write("owner/more.txt", "more\n");
        world.commit("owner", "more");
        let onto = world.refresh(&vault).await.sha;
        patch(&vault, &base.sha, &commit, 1 << 20).await.unwrap();
        let picked = pick(&vault, &base.sha, &commit, &onto, &message()).await.unwrap();
        let Picked::Commit(new) = picked else { panic!("{name}: {picked:?}") };
        let owner = world.at("owner");
        let landing = Landing { owner: &owner, branch: "main", old: &onto, new: &new, note: "ship", again: false };
        let landed = land(&vault, &landing).await.unwrap();
        let filtered = matches!(&landed, Landed::Refused(why) if why.contains("goes through the filter evil"));
        assert!(landed == Landed::Done || (name.contains("filter") && filtered), "{name}: {landed:?}");
        assert!(!canary.exists(), "{name}: the canary ran");

        let _ = world.try_plain(dir, args);
        assert!(canary.exists(), "{name}: the poison does not work, so this shows nothing");
    }
}

#[tokio::test]
async fn repositories_inside_the_tree_are_reported_and_not_followed() {
    let world = World::new();
    let (vault, base) = world.building().await;
    world.plain("builds/b1", &["init", "-q", "unborn"]);
    world.write("builds/b1/unborn/x", "x\n");
    evil(&world, "builds/b1/deep/nested", "false");
    evil(&world, "builds/b1/target/ignored", "false");
    world.write("builds/b1/bogus/.git", "not a repository");
    world.write("builds/b1/bogus/x", "x\n");
    world.plain("builds/b1", &["init", "-q", "--bare", "--template=", "bare"]);
    world.plain("builds/b1", &["init", "-q", "src"]);
    world.write("builds/b1/src/a.txt", "changed\n");
    world.write("builds/b1/src/new.txt", "new\n");
    let result = world.collect(&vault, &base).await;
    assert_eq!(result.nested, ["bogus", "deep/nested", "src", "unborn"]);
    assert_eq!(result.bare, ["bare"]);
    let outside_bare: Vec<_> = paths(&result).into_iter().filter(|path| !path.contains(" bare/")).collect();
    assert_eq!(outside_bare, ["M src/a.txt", "A src/new.txt"]);
}

#[tokio::test]
async fn a_removed_git_folder_does_not_matter() {
    let world = World::new();
    let (vault, base) = world.building().await;
    std::fs::remove_dir_all(world.at("builds/b1/.git")).unwrap();
    world.write("builds/b1/new", "x\n");
    assert_eq!(paths(&world.collect(&vault, &base).await), ["A new"]);
}
