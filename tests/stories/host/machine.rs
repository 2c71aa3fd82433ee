//! Whole files or none, and a machine that stays awake exactly as long as it should.

use overnight::host::space::available_space;
use overnight::host::{KeepAwake, atomic_write};
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

#[test]
fn a_file_is_replaced_whole_and_a_failed_write_leaves_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.json");
    atomic_write(&report, b"old").unwrap();
    // A leftover of a crash, made a trap: it must be replaced, not written through.
    let outside = folder.path().join("outside");
    fs::write(&outside, "precious").unwrap();
    symlink(&outside, folder.path().join(".report.json.overnight-new")).unwrap();
    atomic_write(&report, b"new").unwrap();
    assert_eq!(fs::read(&report).unwrap(), b"new");
    assert_eq!(fs::read(&outside).unwrap(), b"precious");
    assert_eq!(report.metadata().unwrap().permissions().mode() & 0o777, 0o600);

    let taken = folder.path().join("folder");
    fs::create_dir(&taken).unwrap();
    assert!(atomic_write(&taken, b"x").is_err());
    assert!(atomic_write(&folder.path().join("no/where"), b"x").is_err());
    let mut left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["folder", "outside", "report.json"]);
    assert!(available_space(folder.path()).unwrap() > 0);
    assert!(available_space(&taken.join("gone")).is_err());
}

/// Written by a child, so that no process forked meanwhile by another test holds it open for writing.
fn program(folder: &Path, name: &str, script: &str) {
    let path = folder.join(name);
    let write = r#"printf '%s' "$1" > "$2" && chmod 755 "$2""#;
    let status = Command::new("/bin/sh").args(["-c", write, "sh", script]).arg(&path).status().unwrap();
    assert!(status.success());
}

#[test]
fn the_machine_is_kept_awake_until_told_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let told = folder.path().join("told");
    let script = format!("#!/bin/sh\necho \"$$ $*\" > '{0}.new' && mv '{0}.new' '{0}'\nexec cat\n", told.display());
    program(folder.path(), "systemd-inhibit", &script);
    let mut search: OsString = folder.path().into();
    search.push(":/usr/bin:/bin");
    let mut awake = KeepAwake::start("3 builds\nrunning", &search).unwrap();
    assert!(awake.program().starts_with(folder.path()));
    while !told.exists() && awake.is_held() {
        std::thread::yield_now();
    }
    assert!(awake.is_held());
    let line = fs::read_to_string(&told).unwrap();
    assert!(line.ends_with("--what=sleep:idle --who=overnight --mode=block --why=3 buildsrunning cat\n"), "{line}");
    let pid = line.split(' ').next().unwrap().parse().ok().and_then(rustix::process::Pid::from_raw).unwrap();
    awake.stop();
    assert!(rustix::process::test_kill_process(pid).is_err(), "it has ended");
}

#[test]
fn a_refused_or_missing_lock_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let search: OsString = folder.path().into();
    let none = KeepAwake::start("builds", &search).unwrap_err();
    assert!(none.to_string().contains("may go to sleep"), "{none}");
    program(folder.path(), "caffeinate", "#!/bin/sh\nexit 1\n");
    let mut refused = KeepAwake::start("builds", &search).unwrap();
    while refused.is_held() {
        std::thread::yield_now();
    }
    refused.stop();
}
