//! What keeps builds from everything else on this machine, and how to get more of it.

use super::Findings;
use crate::config::Config;
use crate::domain::settings::Sandbox;
use crate::runner::leash::{Bound, Detected, Kill, Tried, detect};

/// Tries it, in the data folder.
pub(super) async fn look(config: &Config, findings: &mut Findings) {
    let Ok(exe) = std::env::current_exe() else { return };
    let scratch = config.home.clone();
    let Ok(detected) = tokio::task::spawn_blocking(move || detect(&exe, &scratch)).await else { return };
    tell(config.settings.isolation.sandbox, &detected, findings);
}

fn tell(sandbox: Sandbox, detected: &Detected, findings: &mut Findings) {
    files(sandbox, detected, findings);
    if cfg!(target_os = "linux") {
        amounts(detected, findings);
    }
}

fn files(sandbox: Sandbox, detected: &Detected, findings: &mut Findings) {
    if let Err(missing) = detected.mode(sandbox) {
        findings.bad(missing, install(&detected.bwrap));
        return;
    }
    if sandbox == Sandbox::Off {
        let what = "builds run unsandboxed, as [isolation] says: they can read and change what you can";
        findings.warn(what, "take sandbox = \"off\" out");
        return;
    }
    if detected.sandbox_exec.works() {
        findings.fine("builds are kept in by sandbox-exec");
        return;
    }
    match &detected.bwrap {
        _ if sandbox == Sandbox::Landlock => {}
        Tried::Works => findings.fine("builds are kept in by bubblewrap: they see their own folders and tools only"),
        Tried::Fails(why) if detected.landlock.works() => {
            findings.warn(format!("bubblewrap can't be used: {why}"), install(&detected.bwrap));
        }
        Tried::Fails(why) => {
            let what = format!("builds run unsandboxed: they can read and change what you can (bubblewrap: {why})");
            findings.warn(what, install(&detected.bwrap));
        }
    }
    match &detected.landlock {
        Tried::Works if detected.bwrap.works() && sandbox != Sandbox::Landlock => {
            findings.fine("landlock holds too, inside of bubblewrap");
        }
        Tried::Works => {
            let open = &detected.landlock_gaps;
            let open = if open.is_empty() { String::new() } else { format!("; {}", open.join("; ")) };
            findings.fine(format!("builds are kept in by landlock{open}"));
        }
        Tried::Fails(why) if detected.bwrap.works() => {
            findings.fine(format!("landlock is not used inside of bubblewrap: {why}"));
        }
        Tried::Fails(why) => findings.warn(format!("landlock can't be used: {why}"), "a kernel of 6.2 or newer"),
    }
}

fn install(bwrap: &Tried) -> &'static str {
    match bwrap {
        Tried::Fails(why) if !why.contains("not installed") => {
            "allow user namespaces: on Ubuntu an AppArmor profile for bwrap, or sysctl \
             kernel.apparmor_restrict_unprivileged_userns=0; elsewhere sysctl kernel.unprivileged_userns_clone=1 or \
             user.max_user_namespaces"
        }
        _ => "install bubblewrap (apt install bubblewrap, dnf install bubblewrap, …)",
    }
}

fn amounts(detected: &Detected, findings: &mut Findings) {
    let Detected { memory, processes, kill, .. } = detected;
    let grouped = |bound: &Bound| matches!(bound, Bound::CgroupV1 | Bound::CgroupV2);
    let what = format!("memory of a build is bounded by {memory}, its processes by {processes}; it is ended by {kill}");
    if grouped(memory) && grouped(processes) && *kill == Kill::Cgroup {
        findings.fine(what);
    } else {
        let fix = "run it as a service of systemd 254 or newer with Delegate=yes and DelegateSubgroup=overnight-bot, as \
                   overnight init writes it";
        findings.warn(format!("{what}: each process by itself, not the build"), fix);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;
    use crate::runner::leash::Reach;

    fn detected(bwrap: Tried, landlock: Tried) -> Detected {
        Detected {
            bwrap,
            landlock,
            sandbox_exec: Tried::Fails("it is a program of macOS".into()),
            landlock_gaps: vec!["UDP is open".into()],
            memory: Bound::CgroupV2,
            processes: Bound::Rlimit,
            kill: Kill::Cgroup,
            network: Reach::Closed,
        }
    }

    fn lines(sandbox: Sandbox, detected: &Detected) -> Vec<(Level, String, String)> {
        let mut findings = Findings::default();
        files(sandbox, detected, &mut findings);
        findings.lines.into_iter().map(|line| (line.level, line.what, line.fix)).collect()
    }

    #[test]
    fn what_is_missing_is_named_with_what_to_do() {
        let missing = || Tried::Fails("it is not installed".into());
        let refused = || Tried::Fails("setting up uid map: Permission denied".into());
        let both = lines(Sandbox::Auto, &detected(Tried::Works, Tried::Works));
        assert!(both.iter().all(|(level, ..)| *level == Level::Fine) && both.len() == 2, "{both:?}");
        let landlock = lines(Sandbox::Auto, &detected(missing(), Tried::Works));
        assert!(
            landlock[0].2.contains("apt install bubblewrap") && landlock[1].1.contains("UDP is open"),
            "{landlock:?}"
        );
        let ubuntu = lines(Sandbox::Auto, &detected(refused(), Tried::Works));
        assert!(ubuntu[0].2.contains("apparmor_restrict_unprivileged_userns"), "{ubuntu:?}");
        let none = lines(Sandbox::Auto, &detected(missing(), Tried::Fails("no".into())));
        assert!(none[0].0 == Level::Warning && none[0].1.starts_with("builds run unsandboxed"), "{none:?}");
        let must = lines(Sandbox::Bwrap, &detected(missing(), Tried::Works));
        assert!(must.len() == 1 && must[0].0 == Level::Bad && must[0].1.contains("no build runs"), "{must:?}");
        let off = lines(Sandbox::Off, &detected(Tried::Works, Tried::Works));
        assert!(off[0].0 == Level::Warning && off[0].1.contains("unsandboxed"), "{off:?}");
    }
}
