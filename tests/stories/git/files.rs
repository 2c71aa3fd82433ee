//! Strange files in a build's folder: each is taken, reported or refused, and none in silence.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use overnight::git::{ChangeStatus, Fault};
use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::*;

fn fifo(path: &Path) {
    mknodat(CWD, path, FileType::Fifo, Mode::RWXU, 0).unwrap();
}

#[tokio::test]
async fn what_the_agent_hid_in_its_own_repository_is_seen() {
    let world = World::new();
    world.write("owner/src/c.txt", "c\n");
    world.commit("owner", "third");
    let (vault, base) = world.building().await;
    world.plain("builds/b1", &["update-index", "--assume-unchanged", "src/a.txt"]);
    world.plain("builds/b1", &["update-index", "--skip-worktree", "src/c.txt"]);
    world.write("builds/b1/.git/info/exclude", "hidden\n");
    world.write("builds/b1/src/a.txt", "sly\n");
    world.write("builds/b1/src/c.txt", "sly\n");
    world.write("builds/b1/hidden", "sly\n");
    world.write("builds/b1/target/out", "built\n");
    world.write("builds/b1/x.log", "ignored by the tree\n");
    assert_eq!(world.plain("builds/b1", &["status", "--porcelain"]), "");
    let result = world.collect(&vault, &base).await;
    assert_eq!(paths(&result), ["A hidden", "M src/a.txt", "M src/c.txt"]);
}

#[tokio::test]
async fn lines_are_counted_whatever_the_trees_attributes_say() {
    let world = World::new();
    let (vault, base) = world.building().await;
    world.write("builds/b1/.gitattributes", "* -diff binary\n");
    world.write("builds/b1/src/a.txt", "one\n");
    std::fs::write(world.at("builds/b1/real.bin"), b"\0\x01\x02").unwrap();
    let result = world.collect(&vault, &base).await;
    assert_eq!((result.insertions, result.deletions), (1, 1));
    let binary: Vec<_> = result.files.iter().filter(|file| file.binary).map(|file| file.path.as_str()).collect();
    assert_eq!(binary, ["real.bin"]);
}

#[tokio::test]
async fn names_with_line_breaks_bidi_and_broken_utf8_are_kept_and_shown_escaped() {
    let world = World::new();
    let (vault, base) = world.building().await;
    let names: [&[u8]; 5] = [b"a\nb", "x\u{202e}txt.exe".as_bytes(), b"\xff\xfe", b"-rf", b":(exclude)src"];
    // A file system may refuse some names (macOS refuses broken UTF-8); what it takes must come through.
    let made =
        names.iter().filter(|name| std::fs::write(world.at("builds/b1").join(OsStr::from_bytes(name)), "x\n").is_ok());
    let mut expected: Vec<String> = made.map(|name| format!("A {}", overnight::git::escape(name))).collect();
    assert!(expected.len() >= 4);
    world.write("builds/b1/src/a.txt", "changed\n");
    expected.push("M src/a.txt".into());
    let mut found = paths(&world.collect(&vault, &base).await);
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn pipes_and_sockets_are_reported_and_never_waited_on() {
    let world = World::new();
    let (vault, base) = world.building().await;
    fifo(&world.at("builds/b1/pipe"));
    std::fs::remove_file(world.at("builds/b1/src/a.txt")).unwrap();
    fifo(&world.at("builds/b1/src/a.txt"));
    let _socket = UnixListener::bind(world.at("builds/b1/s")).unwrap();
    let result = world.collect(&vault, &base).await;
    assert_eq!(paths(&result), ["D src/a.txt"]);
    assert_eq!(result.special, ["pipe", "s", "src/a.txt"]);

    for name in [".gitattributes", "src/.gitignore", ".gitmodules"] {
        fifo(&world.at("builds/b1").join(name));
        let error = world.try_collect(&vault, &base, &[]).await.unwrap_err();
        assert_eq!(error.fault, Fault::SpecialFile(name.into()));
        std::fs::remove_file(world.at("builds/b1").join(name)).unwrap();
    }
}

#[tokio::test]
async fn links_stay_links_and_those_that_lead_out_are_named() {
    let world = World::new();
    world.write("secret/key", "canary\n");
    world.write("owner/dir/f", "f\n");
    world.commit("owner", "third");
    let (vault, base) = world.building().await;
    let build = world.at("builds/b1");
    symlink("src/a.txt", build.join("inside")).unwrap();
    symlink("/etc/passwd", build.join("absolute")).unwrap();
    symlink("../../secret/key", build.join("climbs")).unwrap();
    std::fs::remove_dir_all(build.join("dir")).unwrap();
    symlink(world.at("secret"), build.join("dir")).unwrap();
    std::fs::remove_file(build.join("src/a.txt")).unwrap();
    symlink("nowhere", build.join("src/a.txt")).unwrap();
    let result = world.collect(&vault, &base).await;
    assert_eq!(paths(&result), ["A absolute", "A climbs", "A dir", "D dir/f", "A inside", "T src/a.txt"]);
    assert_eq!(result.outward_links, ["absolute", "climbs", "dir"]);
    assert_eq!(result.files[5].status, ChangeStatus::TypeChanged);
    let stored = world.plain("vaults/app.git", &["cat-file", "--batch-all-objects", "--batch"]);
    assert!(!stored.contains("canary"));
}

#[tokio::test]
async fn a_folder_swapped_for_a_link_is_refused() {
    let world = World::new();
    let (vault, base) = world.building().await;
    std::fs::rename(world.at("builds/b1"), world.at("moved")).unwrap();
    assert_eq!(world.try_collect(&vault, &base, &[]).await.unwrap_err().fault, Fault::Vanished);
    symlink(world.at("moved"), world.at("builds/b1")).unwrap();
    let error = world.try_collect(&vault, &base, &[]).await.unwrap_err();
    assert!(matches!(error.fault, Fault::Refused(_)), "{error}");
    std::fs::remove_file(world.at("builds/b1")).unwrap();
    world.write("builds/b1", "a file");
    assert!(matches!(world.try_collect(&vault, &base, &[]).await.unwrap_err().fault, Fault::Refused(_)));
}

#[tokio::test]
async fn too_much_is_refused_but_not_what_is_ignored_or_was_there() {
    let world = World::new();
    world.write("owner/large", &"x".repeat(2000));
    world.commit("owner", "a large file of the owner's");
    let (vault, base) = world.building().await;
    world.write("builds/b1/target/huge", &"x".repeat(9000));
    world.write("builds/b1/copied", &"x".repeat(9000));
    world.write("builds/b1/large", &"y".repeat(1900));
    let result = world.try_collect(&vault, &base, &["copied"]).await.unwrap();
    assert_eq!(paths(&result), ["M large"]);

    let error = world.try_collect(&vault, &base, &[]).await.unwrap_err();
    assert_eq!(error.fault, Fault::FileTooLarge("copied".into(), 9000, 1000));
    world.write("builds/b1/large", &"y".repeat(2001));
    let error = world.try_collect(&vault, &base, &["copied"]).await.unwrap_err();
    assert_eq!(error.fault, Fault::FileTooLarge("large".into(), 2001, 1000));
    world.write("builds/b1/large", "");
    for n in 0..6 {
        world.write(&format!("builds/b1/many/{n}"), &"x".repeat(900));
    }
    let error = world.try_collect(&vault, &base, &["copied"]).await.unwrap_err();
    assert_eq!(error.fault, Fault::OverLimit("bytes of new files", 5000));
    for n in 0..51 {
        world.write(&format!("builds/b1/many/{n}"), "");
    }
    let error = world.try_collect(&vault, &base, &["copied"]).await.unwrap_err();
    assert_eq!(error.fault, Fault::OverLimit("new files", 50));
}

#[tokio::test]
async fn what_cannot_be_read_is_named_instead_of_left_out() {
    let world = World::new();
    let (vault, base) = world.building().await;
    world.write("builds/b1/shut", "x\n");
    world.write("builds/b1/dir/x", "x\n");
    world.write("builds/b1/target/dir/x", "ignored\n");
    can_be_locked_out(&world.at("builds/b1/target/dir"));
    for name in ["shut", "dir"] {
        let path = world.at("builds/b1").join(name);
        let locked = can_be_locked_out(&path);
        match world.try_collect(&vault, &base, &[]).await {
            Ok(result) => assert!(!locked && paths(&result) == ["A dir/x", "A shut"]),
            Err(error) => {
                assert!(locked && matches!(error.fault, Fault::Unreadable(_)), "{error}");
                assert!(error.to_string().contains(name), "{error}");
            }
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    std::fs::set_permissions(world.at("builds/b1/target/dir"), std::fs::Permissions::from_mode(0o755)).unwrap();
}
