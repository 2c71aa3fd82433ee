//! Owners' repositories in every state a night can find them, and folders that are not what they should be.

use std::os::unix::fs::{MetadataExt, symlink};
use std::path::PathBuf;

use overnight::git::{CloneTarget, CopyLimits, Fault, GitError, Vault, copy_untracked, make_clone, owner_state};

use super::*;

async fn refused(world: &World, owner: &str, branch: Option<&str>) -> GitError {
    let vault = Vault::open_or_init(&world.git, &world.at("vaults"), "app", &world.at(owner)).await;
    match vault {
        Ok(vault) => vault.refresh_base(&world.at(owner), branch).await.unwrap_err(),
        Err(error) => error,
    }
}

#[tokio::test]
async fn each_wrong_repository_is_named_with_what_to_do() {
    let world = World::new();
    world.plain(".", &["init", "-q", "-b", "main", "empty"]);
    std::fs::create_dir(world.at("folder")).unwrap();
    let cases = [
        ("empty", None, Fault::EmptyRepository, "first commit"),
        ("empty", Some("main"), Fault::EmptyRepository, "first commit"),
        ("owner", Some("nope"), Fault::MissingBranch("nope".into()), "base branch"),
        ("gone", Some("main"), Fault::Vanished, "mounted"),
        ("folder", Some("main"), Fault::NotARepository, "top folder"),
        ("owner/src", Some("main"), Fault::NotARepository, "top folder"),
    ];
    for (owner, branch, fault, advice) in cases {
        let error = refused(&world, owner, branch).await;
        assert_eq!((&error.fault, error.retry()), (&fault, false), "{owner}");
        assert!(error.to_string().contains(advice) && error.to_string().contains(owner), "{error}");
    }
    for branch in ["--upload-pack=touch x", "a:b", "../x"] {
        assert!(matches!(refused(&world, "owner", Some(branch)).await.fault, Fault::Refused(_)));
    }
    world.plain("owner", &["checkout", "-q", "--orphan", "unborn"]);
    assert_eq!(refused(&world, "owner", None).await.fault, Fault::MissingBranch("unborn".into()));
    let state = owner_state(&world.git, &world.at("owner")).await.unwrap();
    assert_eq!((state.branch.as_deref(), state.head), (Some("unborn"), None));
}

#[tokio::test]
async fn a_detached_head_uses_the_branch_seen_before() {
    let world = World::new();
    let owner = world.at("owner");
    world.plain("owner", &["checkout", "-q", "--detach", "HEAD~1"]);
    let error = refused(&world, "owner", None).await;
    assert_eq!(error.fault, Fault::DetachedHead);
    let vault = world.vault().await;
    assert_eq!(vault.refresh_base(&owner, Some("main")).await.unwrap().branch, "main");
    world.plain("owner", &["checkout", "-q", "main"]);
    let base = vault.refresh_base(&owner, None).await.unwrap();
    world.plain("owner", &["checkout", "-q", "--detach", "HEAD~1"]);
    assert_eq!(vault.refresh_base(&owner, None).await.unwrap(), base);
    assert_eq!(owner_state(&world.git, &owner).await.unwrap().branch, None);
}

#[tokio::test]
async fn shallow_linked_bare_and_sha256_repositories_work() {
    let world = World::new();
    let url = format!("file://{}", world.at("owner").display());
    world.plain(".", &["clone", "-q", "--depth", "1", &url, "shallow"]);
    world.plain("owner", &["worktree", "add", "-q", "-b", "side", "../linked"]);
    world.plain(".", &["clone", "-q", "--bare", "owner", "bare.git"]);
    world.plain(".", &["init", "-q", "-b", "main", "--object-format=sha256", "wide"]);
    world.write("wide/a", "a\n");
    world.commit("wide", "first");
    for (owner, branch) in [("shallow", "main"), ("linked", "side"), ("bare.git", "main"), ("wide", "main")] {
        let before = world.snapshot(owner);
        let project = owner.trim_end_matches(".git");
        let vault = Vault::open_or_init(&world.git, &world.at("vaults"), project, &world.at(owner)).await.unwrap();
        let base = vault.refresh_base(&world.at(owner), None).await.unwrap();
        assert_eq!(base.branch, branch);
        make_clone(&vault, &base.sha, &world.target("b1")).await.unwrap();
        world.write("builds/b1/new", "x\n");
        assert_eq!(paths(&world.collect(&vault, &base).await), ["A new"], "{owner}");
        let state = owner_state(&world.git, &world.at(owner)).await.unwrap();
        let dirty = (owner != "bare.git").then_some(false);
        assert_eq!((state.head, state.dirty), (Some(base.sha), dirty), "{owner}");
        assert_eq!(world.snapshot(owner), before, "{owner}");
    }
}

#[tokio::test]
async fn the_base_follows_a_rebase_and_a_branch_that_became_a_folder() {
    let world = World::new();
    let vault = world.vault().await;
    let owner = world.at("owner");
    world.plain("owner", &["branch", "feature"]);
    vault.refresh_base(&owner, Some("feature")).await.unwrap();
    world.plain("owner", &["branch", "-D", "feature"]);
    world.plain("owner", &["branch", "feature/one"]);
    assert_eq!(vault.refresh_base(&owner, Some("feature/one")).await.unwrap().branch, "feature/one");
    world.plain("owner", &["commit", "-q", "--amend", "-m", "rewritten"]);
    let base = world.refresh(&vault).await;
    assert_eq!(base.sha.to_string(), world.plain("owner", &["rev-parse", "main"]));
}

#[tokio::test]
async fn a_clone_shares_nothing_and_leads_nowhere() {
    let world = World::new();
    world.write("owner/.gitattributes", "*.bin filter=lfs\n");
    world.write("owner/big.bin", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n");
    world.commit("owner", "lfs pointer");
    world.plain("owner", &["branch", "secret-plans"]);
    let (vault, base) = world.building().await;
    assert_eq!(world.plain("builds/b1", &["for-each-ref", "--format=%(refname)"]), "refs/heads/overnight/b1");
    assert_eq!(world.plain("builds/b1", &["remote"]), "");
    assert!(!world.try_plain("builds/b1", &["push"]).status.success());
    assert!(!world.at("builds/b1/.git/objects/info/alternates").exists());
    let (mine, theirs) = (world.snapshot("builds/b1"), world.snapshot("vaults"));
    for path in mine.keys().filter(|path| path.is_file()) {
        assert_eq!(path.metadata().unwrap().nlink(), 1, "{}", path.display());
    }
    let place = world.at("").display().to_string();
    for (path, (_, _, content)) in &mine {
        let text = String::from_utf8_lossy(content);
        assert!(!text.contains(&format!("{place}vaults")) && !text.contains(&format!("{place}owner")), "{path:?}");
    }
    assert!(mine.values().any(|(_, _, content)| content.starts_with(b"version https://git-lfs")));

    // What an agent does to history, refs and replacements stays in its clone.
    world.plain("builds/b1", &["replace", "-f", "HEAD", "HEAD~1"]);
    world.plain("builds/b1", &["update-ref", "refs/overnight/base/main", "HEAD~1"]);
    world.plain("builds/b1", &["commit", "-q", "--allow-empty", "--amend", "-m", "forged"]);
    assert_eq!(world.snapshot("vaults"), theirs);
    assert_eq!(world.collect(&vault, &base).await.commit, None);
}

#[tokio::test]
async fn what_a_cut_off_clone_left_is_removed_but_nothing_outside() {
    let world = World::new();
    let (vault, base) = world.building().await;
    world.write("outside/keep", "mine\n");
    world.write("builds/b1/.git/HEAD", "garbage");
    world.write("builds/b1/cache/module/x", "read-only\n");
    symlink(world.at("outside"), world.at("builds/b1/link")).unwrap();
    can_be_locked_out(&world.at("builds/b1/cache/module"));
    make_clone(&vault, &base.sha, &world.target("b1")).await.unwrap();
    assert_eq!(world.plain("builds/b1", &["status", "--porcelain", "--ignored"]), "");

    std::fs::remove_dir_all(world.at("builds/b1")).unwrap();
    symlink(world.at("outside"), world.at("builds/b1")).unwrap();
    make_clone(&vault, &base.sha, &world.target("b1")).await.unwrap();
    assert!(world.at("builds/b1").symlink_metadata().unwrap().is_dir());

    symlink(world.at("outside"), world.at("builds/sly")).unwrap();
    let root = world.at("builds");
    for dest in [root.clone(), world.at("outside"), root.join("sly/keep"), root.join("../outside"), PathBuf::from("b1")]
    {
        let target = CloneTarget { builds_root: root.clone(), dest: dest.clone(), build: "b1".into() };
        let error = make_clone(&vault, &base.sha, &target).await.unwrap_err();
        assert!(matches!(error.fault, Fault::Refused(_)), "{error}");
    }
    assert_eq!(std::fs::read_to_string(world.at("outside/keep")).unwrap(), "mine\n");
    let unknown = "0123456789012345678901234567890123456789".parse().unwrap();
    let error = make_clone(&vault, &unknown, &world.target("b1")).await.unwrap_err();
    assert!(matches!(error.fault, Fault::UnknownCommit(_)));
}

#[tokio::test]
async fn named_untracked_files_come_along_and_never_into_the_result() {
    let world = World::new();
    world.write("owner/.env", "KEY=canary\n");
    world.write("owner/data/x/one", "1\n");
    world.write("owner/data/x/.git/config", "nested\n");
    world.write("owner/src/local.txt", "local\n");
    symlink("x/one", world.at("owner/data/inside")).unwrap();
    let (vault, base) = world.building().await;
    let names: Vec<PathBuf> = [".env", "data", "src"].iter().map(PathBuf::from).collect();
    let (owner, build) = (world.at("owner"), world.at("builds/b1"));
    let copied = copy_untracked(&owner, &names, &build, CopyLimits::default()).await.unwrap();
    assert_eq!((copied.files, copied.bytes), (4, 11 + 2 + 6));
    assert_eq!(copied.skipped.len(), 2, "{:?}", copied.skipped);
    assert_eq!(std::fs::read_link(build.join("data/inside")).unwrap(), PathBuf::from("x/one"));

    // The agent un-ignores everything; what was copied in still stays out, and its own work in those folders counts.
    world.write("builds/b1/.gitignore", "!.env\n!data\n");
    world.write("builds/b1/src/a.txt", "changed\n");
    let result = world.try_collect(&vault, &base, &[".env", "data", "src/local.txt"]).await.unwrap();
    assert_eq!(paths(&result), ["M .gitignore", "M src/a.txt"]);
    let whole = world.try_collect(&vault, &base, &[".env", "data", "src"]).await.unwrap();
    assert_eq!(paths(&whole), ["M .gitignore", "M src/a.txt"]);
    let stored = world.plain("vaults/app.git", &["cat-file", "--batch-all-objects", "--batch"]);
    assert!(!stored.contains("KEY=canary"));
    assert!(world.try_collect(&vault, &base, &["../x"]).await.is_err());
}

#[tokio::test]
async fn copies_that_would_reach_out_or_are_too_big_are_refused() {
    let world = World::new();
    world.building().await;
    world.write("secret", "s\n");
    world.write("owner/big", &"x".repeat(200));
    symlink("../secret", world.at("owner/out")).unwrap();
    symlink("..", world.at("owner/up")).unwrap();
    world.write("owner/pair/a", "1\n");
    let (owner, build) = (world.at("owner"), world.at("builds/b1"));
    let limits = CopyLimits { bytes: 100, files: 1 };
    for (name, words) in [
        ("../secret", "plain path"),
        ("/etc/passwd", "plain path"),
        (".git/config", "plain path"),
        ("src/../.env", "plain path"),
        ("out", "leads out"),
        ("up/secret", ""),
        ("missing.env", "missing.env does not exist"),
        ("big", "bytes to copy"),
    ] {
        let error = copy_untracked(&owner, &[name.into()], &build, limits).await.unwrap_err();
        assert!(error.to_string().contains(words) && !error.retry(), "{name}: {error}");
    }
    // The clone's side cannot be led out either.
    world.write("outside/x", "");
    symlink(world.at("outside"), world.at("builds/b1/pair")).unwrap();
    assert!(copy_untracked(&owner, &["pair/a".into()], &build, limits).await.is_err());
    assert!(!world.at("outside/a").exists());
}
