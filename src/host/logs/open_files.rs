//! Which files are held open by some process, and how.
//!
//! Linux: the handles under `/proc`, each compared by device and inode. Elsewhere: one run of `lsof`. A bot without root
//! sees its own user's processes only; a file of that user is then taken as closed if none of them holds it, since
//! nobody else but root could write to it. Left out on purpose: memory maps, and locks.

use super::folder::{FileId, Found};
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::HashMap;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// `lsof` can hang on a dead network mount; past this it is ended and what it said counts as incomplete.
const LSOF_LONGEST: Duration = Duration::from_secs(30);
/// Where handles can't be listed, a file touched within this time counts as possibly open.
const LATELY: TimeDelta = TimeDelta::days(1);

/// `O_RDONLY`, on every system.
const READ_ONLY: u32 = 0;

/// How a file is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// By nobody.
    Closed,
    /// Held open; whoever writes appends, so its head can be cut off.
    Appended,
    /// Some process writes at its own offset (or may).
    Overwritten,
    /// It can't be told, and it was touched lately.
    Unknown,
}

/// One look at all processes.
#[derive(Debug)]
pub(super) struct OpenFiles {
    held: HashMap<FileId, Use>,
    sees: Sees,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sees {
    Everything,
    OwnUser(u32),
    Nothing,
}

impl OpenFiles {
    /// Looks now.
    pub(super) fn look() -> Self {
        let us = rustix::process::geteuid().as_raw();
        let own = if us == 0 { Sees::Everything } else { Sees::OwnUser(us) };
        if let Some(held) = from_proc(Path::new("/proc")) {
            return Self { held, sees: own };
        }
        match from_lsof() {
            Some(held) => Self { held, sees: own },
            None => Self { held: HashMap::new(), sees: Sees::Nothing },
        }
    }

    /// How `file` is in use.
    pub(super) fn use_of(&self, file: &Found, now: DateTime<Utc>) -> Use {
        if let Some(&held) = self.held.get(&file.id) {
            return held;
        }
        let seen = match self.sees {
            Sees::Everything => true,
            Sees::OwnUser(us) => file.owner == us,
            Sees::Nothing => false,
        };
        let lately = now.signed_duration_since(file.touched()) < LATELY;
        if seen || !lately { Use::Closed } else { Use::Unknown }
    }
}

/// A second holder can only make it worse.
fn add(held: &mut HashMap<FileId, Use>, id: FileId, how: Use) {
    let entry = held.entry(id).or_insert(how);
    if how == Use::Overwritten {
        *entry = how;
    }
}

/// `None` where there is no such file system.
fn from_proc(proc: &Path) -> Option<HashMap<FileId, Use>> {
    fs::metadata(proc.join("self/fd")).ok()?;
    let mut held = HashMap::new();
    let processes = fs::read_dir(proc).ok()?.filter_map(Result::ok);
    for process in processes.filter(|entry| entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit)) {
        // Processes of other users, and those that end while we look, can't be listed.
        let Ok(handles) = fs::read_dir(process.path().join("fd")) else {
            continue;
        };
        for handle in handles.filter_map(Result::ok) {
            if let Ok(found) = fs::metadata(handle.path())
                && found.is_file()
            {
                let info = process.path().join("fdinfo").join(handle.file_name());
                let how = fs::read_to_string(info).ok().map_or(Use::Overwritten, |info| proc_use(&info));
                add(&mut held, FileId::of(&found), how);
            }
        }
    }
    Some(held)
}

/// Reads the octal `flags:` of a `/proc/PID/fdinfo` file (proc(5)): the two lowest bits are the access mode (0 = read
/// only), 0o2000 is `O_APPEND`.
fn proc_use(info: &str) -> Use {
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
    match flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok()) {
        Some(flags) if flags & 0o3 == READ_ONLY || flags & 0o2000 != 0 => Use::Appended,
        _ => Use::Overwritten,
    }
}

/// `None` when `lsof` is not there, or did not end in time.
fn from_lsof() -> Option<HashMap<FileId, Use>> {
    let mut child = Command::new("lsof")
        .args(["-n", "-P", "-w", "+fg", "-F", "faDiG"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut output = child.stdout.take()?;
    let reader = std::thread::spawn(move || {
        let mut text = Vec::new();
        output.read_to_end(&mut text).map(|_| text)
    });
    let started = Instant::now();
    while !reader.is_finished() && started.elapsed() < LSOF_LONGEST {
        std::thread::sleep(Duration::from_millis(20));
    }
    let complete = reader.is_finished();
    // Ends it if it still runs; then the pipe closes and the reader with it.
    let _ = child.kill();
    let _ = child.wait();
    let text = reader.join().ok()?.ok()?;
    complete.then(|| lsof_uses(&String::from_utf8_lossy(&text)))
}

/// Reads `lsof -F faDiG` (lsof(8), OUTPUT FOR OTHER PROGRAMS): a line `f…` starts a handle, `a` is its access (r, w or u),
/// `G` its open flags with `AP` for append, `D` the device in hex, `i` the inode.
fn lsof_uses(text: &str) -> HashMap<FileId, Use> {
    let mut held = HashMap::new();
    let (mut access, mut append, mut device, mut inode) = (' ', false, None, None);
    let mut finish = |access: char, append: bool, device: Option<u64>, inode: Option<u64>| {
        if let (Some(device), Some(inode)) = (device, inode) {
            let how = if access == 'r' || append { Use::Appended } else { Use::Overwritten };
            add(&mut held, FileId { device, inode }, how);
        }
    };
    for line in text.lines() {
        let (field, value) = line.split_at_checked(1).unwrap_or(("", ""));
        match field {
            "f" | "p" => {
                finish(access, append, device, inode);
                (access, append, device, inode) = (' ', false, None, None);
            }
            "a" => access = value.chars().next().unwrap_or(' '),
            "G" => append = value.split([',', ';']).any(|flag| flag == "AP"),
            "D" => device = u64::from_str_radix(value.trim_start_matches("0x"), 16).ok(),
            "i" => inode = value.parse().ok(),
            _ => {}
        }
    }
    finish(access, append, device, inode);
    held
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_tell_how_a_file_is_used() {
        for (flags, expected) in [
            ("flags:\t0100000", Use::Appended),
            ("pos:\t0\nflags:\t0102001\nmnt_id:\t9", Use::Appended),
            ("flags:\t0100001", Use::Overwritten),
            ("flags:\t0100002", Use::Overwritten),
            ("nothing known", Use::Overwritten),
        ] {
            assert_eq!(proc_use(flags), expected, "{flags}");
        }
    }

    #[test]
    fn lsof_output_is_read_handle_by_handle() {
        let text = "p12\nfcwd\na \nD0x1\ni2\nf3\nar\nGLG\nD0x10\ni7\nf4\naw\nGW,AP,LG\nD0x10\ni8\n\
                    p13\nf1\naw\nGW,LG\nD0x10\ni9\nf5\nau\nGRW\nD0x10\ni8\nf6\nau\ntIPv4\n";
        let held = lsof_uses(text);
        let of = |inode| held.get(&FileId { device: 0x10, inode }).copied();
        assert_eq!(of(7), Some(Use::Appended));
        assert_eq!(of(8), Some(Use::Overwritten), "the second holder makes it worse");
        assert_eq!(of(9), Some(Use::Overwritten));
        assert_eq!(of(2), None);
    }
}
