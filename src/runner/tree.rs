//! Finding and ending the processes of a run.
//!
//! On Linux the supervisor is a child subreaper, so whatever a command starts, with `setsid` or a double fork, stays
//! below it and a walk over parent ids finds it. After the supervisor's own death the walk has no root any more; then
//! the marker in `/proc/<pid>/environ` is what counts.
//!
//! Every signal goes through a pidfd whose process was checked to be the one seen, so a reused pid is never hit.
//! Elsewhere (macOS) there is only the process group: a daemon that left it is not found.
//!
//! Left out on purpose: control groups (`leash`). They are neater but need delegation, which a plain user's machine
//! does not have; where they are this only comes after.

/// The processes meant.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scope<'a> {
    /// Everything below the calling process. The group is the one its command leads, for systems without `/proc`.
    Below {
        #[cfg_attr(target_os = "linux", expect(dead_code, reason = "used where there is no `/proc`"))]
        group: u32,
    },
    /// Everything whose environment carries this run id, and everything below that.
    Marked { run_id: &'a str },
}

/// What a sweep did.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Swept {
    /// Processes killed, by pid and start time.
    pub(super) killed: std::collections::BTreeSet<(u32, u64)>,
    /// Processes still there when the sweep gave up: not ours to signal, or stuck in the kernel.
    pub(super) remaining: usize,
}

pub(super) use system::{adopt_orphans, identity, kill_all, terminate};

/// A line of `/proc/<pid>/stat`, the fields used here.
#[cfg(any(target_os = "linux", test))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Proc {
    pid: u32,
    state: u8,
    parent: u32,
    group: u32,
    /// 0 when its leader lives outside this container.
    session: u32,
    /// Clock ticks since boot.
    start: u64,
}

#[cfg(any(target_os = "linux", test))]
impl Proc {
    fn leads_session(&self) -> bool {
        self.session == self.pid
    }
}

/// Reads one `stat` line; see proc_pid_stat(5). The command name may hold blanks, parentheses and any byte, so the
/// fields are counted from the last `)`.
#[cfg(any(target_os = "linux", test))]
fn parse_stat(line: &[u8]) -> Option<Proc> {
    let open = line.iter().position(|b| *b == b'(')?;
    let close = line.iter().rposition(|b| *b == b')')?;
    let pid = std::str::from_utf8(line.get(..open)?).ok()?.trim().parse().ok()?;
    let rest = std::str::from_utf8(line.get(close + 1..)?).ok()?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    Some(Proc {
        pid,
        state: *fields.first()?.as_bytes().first()?,
        parent: fields.get(1)?.parse().ok()?,
        group: fields.get(2)?.parse().ok()?,
        session: fields.get(3)?.parse().ok()?,
        start: fields.get(19)?.parse().ok()?,
    })
}

#[cfg(target_os = "linux")]
mod system {
    use std::collections::{BTreeMap, BTreeSet};
    use std::fs;
    use std::io;
    use std::time::{Duration, Instant};

    use rustix::process::{
        Pid, PidfdFlags, Signal, getpid, kill_process, kill_process_group, pidfd_open, pidfd_send_signal,
        set_child_subreaper,
    };

    use super::{Proc, Scope, Swept, parse_stat};
    use crate::runner::MARKER;

    /// Rounds of stopping before killing begins anyway: a process that forks faster than we read `/proc` in separate
    /// sessions is then thinned out by killing instead.
    const FREEZE_ROUNDS: usize = 20;

    /// Makes orphans of the command our children, so that they are found and reaped here.
    pub(in crate::runner) fn adopt_orphans() -> io::Result<()> {
        Ok(set_child_subreaper(Some(getpid()))?)
    }

    /// Start time of this process in clock ticks, and the id of this boot.
    pub(in crate::runner) fn identity() -> (Option<u64>, Option<String>) {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok();
        (stat("self").map(|p| p.start), boot.map(|id| id.trim().to_owned()))
    }

    /// Sends SIGTERM once to each process but `spared`, and wakes the stopped ones so that they see it. Once, because many
    /// programs take a second one as "at once"; so no group signal on top.
    pub(in crate::runner) fn terminate(scope: Scope<'_>, spared: Option<u32>) {
        for process in members(scope).into_iter().filter(|process| Some(process.pid) != spared) {
            signal(&process, Signal::TERM);
            signal(&process, Signal::CONT);
        }
    }

    /// Kills all of `scope` until none is seen twice in a row, or `limit` is over. `pause` waits about 10 ms between
    /// looks; it returns true when the caller knows better that nothing is left.
    pub(in crate::runner) fn kill_all(scope: Scope<'_>, limit: Duration, mut pause: impl FnMut() -> bool) -> Swept {
        let since = Instant::now();
        let mut swept = Swept::default();
        let mut clean_looks = 0;
        loop {
            freeze(scope);
            let alive = members(scope);
            for process in &alive {
                swept.killed.insert((process.pid, process.start));
                signal(process, Signal::KILL);
            }
            clean_looks = if alive.is_empty() { clean_looks + 1 } else { 0 };
            let gone = pause() || clean_looks >= 2;
            if gone || since.elapsed() >= limit {
                swept.remaining = if gone { 0 } else { alive.len() };
                return swept;
            }
        }
    }

    /// Stops every process, looking again until no new one is seen. A stopped process can't fork, so a fork bomb can't
    /// outrun the killing that follows.
    fn freeze(scope: Scope<'_>) {
        let own_group = stat("self").filter(Proc::leads_session).map(|me| me.pid);
        let mut stopped = BTreeSet::new();
        for _ in 0..FREEZE_ROUNDS {
            let fresh: Vec<Proc> = members(scope).into_iter().filter(|p| stopped.insert((p.pid, p.start))).collect();
            if fresh.is_empty() {
                return;
            }
            for process in &fresh {
                signal(process, Signal::STOP);
            }
            // A signal to a group is atomic against fork, which a walk is not. The groups are ours: they lie within
            // sessions begun by us or below us, and a stopped member keeps the number from being given away.
            if let (Scope::Below { .. }, Some(own)) = (scope, own_group) {
                let groups: BTreeSet<u32> = fresh.iter().map(|p| p.group).filter(|g| *g != own).collect();
                for group in groups.into_iter().filter_map(pid) {
                    let _ = kill_process_group(group, Signal::STOP);
                }
            }
        }
    }

    /// The living processes of `scope`, without ourselves.
    fn members(scope: Scope<'_>) -> Vec<Proc> {
        let all = scan();
        let mut children: BTreeMap<u32, Vec<&Proc>> = BTreeMap::new();
        for process in all.values() {
            children.entry(process.parent).or_default().push(process);
        }
        let me = std::process::id();
        let mut open: Vec<&Proc> = match scope {
            Scope::Below { .. } => children.get(&me).cloned().unwrap_or_default(),
            Scope::Marked { run_id } => all.values().filter(|p| p.pid != me && is_marked(p.pid, run_id)).collect(),
        };
        let mut found = BTreeMap::new();
        while let Some(process) = open.pop() {
            if process.pid != me && found.insert(process.pid, *process).is_none() {
                open.extend(children.get(&process.pid).into_iter().flatten());
            }
        }
        found.into_values().filter(|p| !matches!(p.state, b'Z' | b'X' | b'x')).collect()
    }

    fn scan() -> BTreeMap<u32, Proc> {
        let Ok(entries) = fs::read_dir("/proc") else {
            return BTreeMap::new();
        };
        entries
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
            .filter_map(|pid| Some((pid, stat(&pid.to_string())?)))
            .collect()
    }

    fn stat(pid: &str) -> Option<Proc> {
        parse_stat(&fs::read(format!("/proc/{pid}/stat")).ok()?)
    }

    fn is_marked(pid: u32, run_id: &str) -> bool {
        let wanted = format!("{MARKER}={run_id}");
        // Other users' processes can't be read, and are not ours.
        fs::read(format!("/proc/{pid}/environ"))
            .is_ok_and(|env| env.split(|b| *b == 0).any(|entry| entry == wanted.as_bytes()))
    }

    /// Signals the process that was seen, or nobody.
    fn signal(seen: &Proc, signal: Signal) {
        let Some(pid) = pid(seen.pid) else { return };
        let handle = pidfd_open(pid, PidfdFlags::empty());
        if stat(&seen.pid.to_string()).is_none_or(|now| now.start != seen.start) {
            return;
        }
        // It may be gone by now, or another user's; the next look tells.
        match handle {
            Ok(handle) => {
                let _ = pidfd_send_signal(handle, signal);
            }
            // Kernels before 5.3 have no pidfd.
            Err(rustix::io::Errno::NOSYS) => {
                let _ = kill_process(pid, signal);
            }
            Err(_) => {}
        }
    }

    fn pid(raw: u32) -> Option<Pid> {
        Pid::from_raw(i32::try_from(raw).ok()?)
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::io;
    use std::time::Duration;

    use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};

    use super::{Scope, Swept};

    /// There is no such facility here.
    #[expect(clippy::unnecessary_wraps, reason = "the other systems' signature")]
    pub(in crate::runner) fn adopt_orphans() -> io::Result<()> {
        Ok(())
    }

    /// Nothing here tells them without unsafe code.
    pub(in crate::runner) fn identity() -> (Option<u64>, Option<String>) {
        (None, None)
    }

    /// Sends SIGTERM to the command's process group.
    pub(in crate::runner) fn terminate(scope: Scope<'_>, _spared: Option<u32>) {
        if let Some(group) = group(scope) {
            let _ = kill_process_group(group, Signal::TERM);
            let _ = kill_process_group(group, Signal::CONT);
        }
    }

    /// Kills the command's process group until it is empty or `limit` is over. Lost runs have no group any more, so
    /// nothing of theirs is killed.
    pub(in crate::runner) fn kill_all(scope: Scope<'_>, limit: Duration, mut pause: impl FnMut() -> bool) -> Swept {
        let mut swept = Swept::default();
        let since = std::time::Instant::now();
        let Some(group) = group(scope) else {
            return swept;
        };
        while test_kill_process_group(group).is_ok() {
            swept.killed.insert((group.as_raw_nonzero().get().unsigned_abs(), 0));
            let _ = kill_process_group(group, Signal::KILL);
            pause();
            if since.elapsed() >= limit {
                swept.remaining = 1;
                break;
            }
        }
        swept
    }

    fn group(scope: Scope<'_>) -> Option<Pid> {
        match scope {
            Scope::Below { group } => Pid::from_raw(i32::try_from(group).ok()?),
            Scope::Marked { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_with_a_hostile_name_is_read() {
        let line = b"42 (a) R 1 (\xff x) S 7 40 39 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 98765 1000 2 3\n";
        let wanted = Proc { pid: 42, state: b'S', parent: 7, group: 40, session: 39, start: 98_765 };
        assert_eq!(parse_stat(line), Some(wanted));
    }

    #[test]
    fn a_session_begun_outside_the_container_is_nobodys() {
        let outside = parse_stat(b"42 (sh) S 0 0 0 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 98765 1000 2 3").unwrap();
        assert!(!outside.leads_session());
        assert!(Proc { session: 42, ..outside }.leads_session());
    }

    #[test]
    fn a_torn_stat_line_is_nobody() {
        for line in [&b""[..], b"42", b"42 (sh", b"42 (sh) S 1 2", b"x (sh) S 7 40 39 0 -1 1"] {
            assert_eq!(parse_stat(line), None);
        }
    }
}
