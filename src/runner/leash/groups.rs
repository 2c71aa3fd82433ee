//! Control groups of a run: made below our own, limited, ended, removed. See cgroups(7), `cgroup-v2.rst`, and
//! `cgroup-v1/memory.rst` of the kernel's documentation.
//!
//! Version 2 is taken where a subtree is ours (systemd: `Delegate=yes`), and each controller that it lacks from
//! version 1 where that may be written. Existing groups and mounts are not touched, with one exception: a delegated
//! group offers limits to those below it. It can do so only if it holds no process itself, so the service has to begin in
//! a group of its own there (systemd 254: `DelegateSubgroup=`). Nobody is moved: systemd could then not start the
//! service again while builds of its predecessor live.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::Bound;
use crate::runner::RunEnd;

/// Where our own processes are in a delegated group; the unit has the same name.
const OURS: &str = "overnight-bot";
/// How long an emptied group may stay busy.
const EMPTY: Duration = Duration::from_secs(2);

/// The groups of one run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Groups {
    folders: Vec<PathBuf>,
}

/// What they bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    pub(super) memory: Bound,
    pub(super) processes: Bound,
}

/// Where a hierarchy is mounted and which of its groups is ours.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Hierarchy {
    /// Empty: version 2.
    controllers: Vec<String>,
    own: PathBuf,
}

impl Groups {
    /// Makes groups for the run, as far as that is allowed.
    pub(super) fn make(run_id: &str, memory: Option<u64>, processes: Option<u32>) -> (Self, Limits) {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let hierarchies = hierarchies(&read("/proc/self/cgroup"), &read("/proc/self/mountinfo"));
        Self::make_in(&hierarchies, &name(run_id), memory, processes)
    }

    fn make_in(all: &[Hierarchy], name: &str, memory: Option<u64>, processes: Option<u32>) -> (Self, Limits) {
        let mut groups = Self::default();
        let mut limits = Limits { memory: Bound::None, processes: Bound::None };
        if let Some(v2) = all.iter().find(|hierarchy| hierarchy.controllers.is_empty()) {
            let above = delegated(&v2.own);
            let group = above.unwrap_or(&v2.own).join(name);
            if made(&group) {
                if let Some(above) = above {
                    offer(above);
                }
                if memory.is_some_and(|bytes| set(&group, "memory.max", bytes)) {
                    limits.memory = Bound::CgroupV2;
                    set(&group, "memory.swap.max", 0);
                }
                if processes.is_some_and(|most| set(&group, "pids.max", u64::from(most))) {
                    limits.processes = Bound::CgroupV2;
                }
                groups.folders.push(group);
            }
        }
        let v1 = |controller: &str| {
            let of = all.iter().find(|hierarchy| hierarchy.controllers.iter().any(|c| c == controller))?;
            Some(of.own.join(name))
        };
        if let (Some(bytes), Bound::None, Some(group)) = (memory, limits.memory, v1("memory"))
            && groups.limited(group, "memory.limit_in_bytes", bytes)
        {
            limits.memory = Bound::CgroupV1;
        }
        if let (Some(most), Bound::None, Some(group)) = (processes, limits.processes, v1("pids"))
            && groups.limited(group, "pids.max", u64::from(most))
        {
            limits.processes = Bound::CgroupV1;
        }
        (groups, limits)
    }

    fn limited(&mut self, group: PathBuf, file: &str, limit: u64) -> bool {
        let there = self.folders.contains(&group);
        if !there && !made(&group) {
            return false;
        }
        let held = set(&group, file, limit);
        if file.starts_with("memory") {
            // Memory and swap together; there only where swap is counted.
            set(&group, "memory.memsw.limit_in_bytes", limit);
        }
        if held && !there {
            self.folders.push(group);
        } else if !held && !there {
            let _ = fs::remove_dir(&group);
        }
        held
    }

    /// Whether what is in them can be ended as a whole.
    pub(super) fn can_kill(&self) -> bool {
        self.folders.iter().any(|group| group.join("cgroup.kill").exists() || group.join("pids.max").exists())
    }

    /// Puts the calling process in; what it starts is in them too.
    pub(super) fn join(folders: &[PathBuf]) -> Result<(), String> {
        for group in folders {
            fs::write(group.join("cgroup.procs"), "0")
                .map_err(|error| format!("could not join the control group {}: {error}", group.display()))?;
        }
        Ok(())
    }

    /// Processes in any of them.
    pub(super) fn members(&self) -> Vec<u32> {
        let mut members: Vec<u32> = self.folders.iter().flat_map(|group| members(group)).collect();
        members.sort_unstable();
        members.dedup();
        members
    }

    /// Kills all of them at once, where the kernel has that; else no new one can begin while each is killed. Gives which
    /// they were.
    pub(crate) fn kill(&self) -> BTreeSet<(u32, u64)> {
        let members = self.members();
        if !self.folders.iter().any(|group| fs::write(group.join("cgroup.kill"), "1").is_ok()) {
            for group in &self.folders {
                set(group, "pids.max", 0);
            }
            for pid in self.members().into_iter().filter_map(|pid| Pid::from_raw(i32::try_from(pid).ok()?)) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
        members.into_iter().map(|pid| (pid, 0)).collect()
    }

    /// How many processes the kernel killed for want of memory.
    pub(crate) fn out_of_memory(&self) -> u64 {
        let count = |group: &PathBuf| {
            let events = fs::read_to_string(group.join("memory.events"))
                .or_else(|_| fs::read_to_string(group.join("memory.oom_control")))
                .ok()?;
            let line = events.lines().find_map(|line| line.strip_prefix("oom_kill "))?;
            line.trim().parse::<u64>().ok()
        };
        self.folders.iter().filter_map(count).sum()
    }

    /// How often the kernel refused one more process or thread.
    pub(crate) fn refused_processes(&self) -> u64 {
        let count = |group: &PathBuf| {
            let events = fs::read_to_string(group.join("pids.events")).ok()?;
            events.lines().find_map(|line| line.strip_prefix("max "))?.trim().parse::<u64>().ok()
        };
        self.folders.iter().filter_map(count).sum()
    }

    /// Removes them; kills what is still in them. What could not be removed is named in `end`.
    pub(crate) fn remove(&self, end: &mut RunEnd) {
        let left = self.try_remove();
        if !left.is_empty() {
            let names: Vec<String> = left.iter().map(|group| group.display().to_string()).collect();
            let error = format!("control groups could not be removed: {}", names.join(", "));
            end.error = Some(end.error.take().map_or(error.clone(), |before| format!("{before}; {error}")));
        }
    }

    fn try_remove(&self) -> Vec<PathBuf> {
        let since = Instant::now();
        let mut left = self.folders.clone();
        loop {
            left.retain(|group| match fs::remove_dir(group) {
                Ok(()) => false,
                Err(error) => error.kind() != io::ErrorKind::NotFound,
            });
            if left.is_empty() || since.elapsed() >= EMPTY {
                return left;
            }
            self.kill();
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Where they are.
    pub(crate) fn folders(&self) -> &[PathBuf] {
        &self.folders
    }

    /// The groups recorded for a run. Others than those made here are not taken, whatever a file says.
    pub(crate) fn recorded(folders: Vec<PathBuf>) -> Self {
        let ours = |group: &PathBuf| {
            let name = group.file_name().and_then(|name| name.to_str());
            group.starts_with("/sys/fs/cgroup") && name.is_some_and(|name| name.starts_with("overnight-run-"))
        };
        Self { folders: folders.into_iter().filter(ours).collect() }
    }
}

fn name(run_id: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '.' };
    format!("overnight-run-{}", run_id.chars().map(plain).collect::<String>())
}

fn made(group: &Path) -> bool {
    match fs::create_dir(group) {
        Ok(()) => true,
        // Left by a supervisor that died before it could record it.
        Err(error) => error.kind() == io::ErrorKind::AlreadyExists && members(group).is_empty(),
    }
}

fn members(group: &Path) -> Vec<u32> {
    let listed = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    listed.lines().filter_map(|line| line.parse().ok()).collect()
}

/// Sets a limit, and whether it is there then: the file's absence would otherwise look like success.
fn set(group: &Path, file: &str, value: u64) -> bool {
    let file = group.join(file);
    file.exists() && fs::write(file, value.to_string()).is_ok()
}

/// The delegated group, where we are in a group of our own below it.
fn delegated(own: &Path) -> Option<&Path> {
    own.parent().filter(|_| own.file_name().is_some_and(|name| name == OURS))
}

/// Offers memory and pids to the groups below a delegated one.
fn offer(base: &Path) {
    let has = |file: &str| fs::read_to_string(base.join(file)).unwrap_or_default();
    let (there, offered) = (has("cgroup.controllers"), has("cgroup.subtree_control"));
    for name in ["memory", "pids"] {
        let listed = |list: &str| list.split_whitespace().any(|listed| listed == name);
        if listed(&there) && !listed(&offered) {
            let _ = fs::write(base.join("cgroup.subtree_control"), format!("+{name}"));
        }
    }
}

/// Reads `/proc/self/cgroup` and `/proc/self/mountinfo`: see cgroups(7) and proc_pid_mountinfo(5).
fn hierarchies(cgroup: &str, mountinfo: &str) -> Vec<Hierarchy> {
    let mounts: Vec<(bool, Vec<&str>, &str, &str)> = mountinfo.lines().filter_map(mount).collect();
    let mut found = Vec::new();
    for line in cgroup.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { continue };
        let controllers: Vec<&str> = controllers.split(',').filter(|name| !name.is_empty()).collect();
        let v2 = controllers.is_empty();
        let mount = mounts.iter().find(|(unified, options, ..)| {
            *unified == v2 && (v2 || controllers.iter().all(|name| options.contains(name)))
        });
        let Some((_, _, root, at)) = mount else { continue };
        // The mount may show a part of the hierarchy only.
        let Ok(own) = Path::new(path).strip_prefix(root) else { continue };
        let controllers = controllers.into_iter().map(str::to_owned).collect();
        found.push(Hierarchy { controllers, own: Path::new(at).join(own) });
    }
    found
}

/// Whether it is version 2, the options of the file system, its root and mount point.
fn mount(line: &str) -> Option<(bool, Vec<&str>, &str, &str)> {
    let (place, kind) = line.split_once(" - ")?;
    let place: Vec<&str> = place.split(' ').collect();
    let kind: Vec<&str> = kind.split(' ').collect();
    let unified = match *kind.first()? {
        "cgroup2" => true,
        "cgroup" => false,
        _ => return None,
    };
    Some((unified, kind.get(2)?.split(',').collect(), place.get(3)?, place.get(4)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hybrid_machine_is_read() {
        let cgroup = "9:name=systemd:/\n8:pids:/\n4:memory:/a/b\n2:cpu,cpuacct:/\n0::/u\n";
        let mountinfo = "30 29 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                         31 29 0:27 / /sys/fs/cgroup/pids rw shared:1 - cgroup cgroup rw,pids\n\
                         32 29 0:28 /u /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n\
                         33 29 0:29 / /data rw - ext4 /dev/x rw,memory\n";
        let own = |controllers: &[&str], own: &str| Hierarchy {
            controllers: controllers.iter().map(|name| (*name).to_owned()).collect(),
            own: own.into(),
        };
        let wanted = [
            own(&["pids"], "/sys/fs/cgroup/pids"),
            own(&["memory"], "/sys/fs/cgroup/memory/a/b"),
            own(&[], "/sys/fs/cgroup/unified"),
        ];
        let found = hierarchies(cgroup, mountinfo);
        assert_eq!(found.iter().map(|h| h.own.join("")).collect::<Vec<_>>(), wanted.map(|h| h.own.join("")));
    }

    /// A folder stands in for a delegated version 2 group: what files it has decides, what the kernel does is not seen.
    #[test]
    fn limits_are_claimed_only_where_there_is_a_file_for_them() {
        let root = tempfile::tempdir().unwrap();
        let v2 = Hierarchy { controllers: Vec::new(), own: root.path().join(OURS) };
        let group = root.path().join("overnight-run-x");
        fs::create_dir(&group).unwrap();
        fs::write(group.join("memory.max"), "max").unwrap();
        let (groups, limits) = Groups::make_in(&[v2], "overnight-run-x", Some(1 << 20), Some(7));
        assert_eq!(groups.folders, std::slice::from_ref(&group));
        assert_eq!(limits, Limits { memory: Bound::CgroupV2, processes: Bound::None });
        assert_eq!(fs::read_to_string(group.join("memory.max")).unwrap(), "1048576");
        assert!(!groups.can_kill());
    }

    #[test]
    fn nothing_is_made_where_nothing_is_ours() {
        let gone = Hierarchy { controllers: Vec::new(), own: "/nonexistent/group".into() };
        let memory = Hierarchy { controllers: vec!["memory".into()], own: "/nonexistent/memory".into() };
        let (groups, limits) = Groups::make_in(&[gone, memory], "overnight-run-x", Some(1), Some(1));
        assert_eq!((groups, limits.memory, limits.processes), (Groups::default(), Bound::None, Bound::None));
    }

    #[test]
    fn only_our_own_groups_are_taken_from_a_record() {
        let ours = PathBuf::from("/sys/fs/cgroup/memory/overnight-run-r1");
        let all = vec![ours.clone(), "/sys/fs/cgroup/memory/other".into(), "/home/overnight-run-r1".into()];
        assert_eq!(Groups::recorded(all).folders, [ours]);
        assert_eq!(name("a/b c-1"), "overnight-run-a.b.c-1");
    }
}
