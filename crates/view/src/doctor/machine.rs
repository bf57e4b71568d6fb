//! Checks the kernel and its limits.

use super::{check::Check, file_system::ChangeDetection};
use process::kernel_support::{KernelFeature, KernelSupport};

/// With fewer watches than this, a tree with a day's live tasks may run out of them. Folders without a watch are
/// polled.
const WATCHES: u64 = 8192;
/// Every daemon, and every command that waits, takes an instance.
const INSTANCES: u64 = 64;

pub(super) fn judge(found: &KernelSupport, detection: ChangeDetection) -> Vec<Check> {
    vec![inotify(found, detection), openat2(found), pidfd(found), cgroup(found), user_namespaces(found)]
}

fn inotify(found: &KernelSupport, detection: ChangeDetection) -> Check {
    let name = "inotify";
    if detection == ChangeDetection::Polling {
        return Check::ok(name, "not used: changes are found by polling");
    }
    if !found.has(KernelFeature::Inotify) {
        return Check::fail(
            name,
            "no inotify instance is left: too many programs of this user watch files",
            "raise fs.inotify.max_user_instances with sysctl, or set watch.mode: poll",
        );
    }
    let limits =
        [("watches", found.max_user_watches, WATCHES), ("instances", found.max_user_instances, INSTANCES)];
    for (what, limit, least) in limits {
        if let Some(limit) = limit.filter(|l| *l < least) {
            let hint =
                format!("sysctl fs.inotify.max_user_{what}={}, and in /etc/sysctl.d for good", least * 16);
            return Check::warn(name, format!("a user may have {limit} {what} only"), hint);
        }
    }
    let shown = |limit: Option<u64>| limit.map_or_else(|| "?".to_owned(), |l| l.to_string());
    let (watches, instances) = (shown(found.max_user_watches), shown(found.max_user_instances));
    Check::ok(name, format!("{watches} watches and {instances} instances for a user"))
}

fn openat2(found: &KernelSupport) -> Check {
    if found.has(KernelFeature::Openat2) {
        return Check::ok("openat2", format!("Linux {}", found.kernel));
    }
    let what = format!(
        "not available (Linux {}): paths are walked name by name, and no links are followed",
        found.kernel
    );
    Check::warn("openat2", what, "Linux 5.6 or later has it; gVisor and old seccomp profiles forbid it")
}

fn pidfd(found: &KernelSupport) -> Check {
    if found.has(KernelFeature::Pidfd) {
        return Check::ok("pidfd", "available: a signal reaches exactly the process it is meant for");
    }
    Check::fail(
        "pidfd",
        "not available: agents cannot be watched or stopped safely",
        "use Linux 5.3 or later",
    )
}

fn cgroup(found: &KernelSupport) -> Check {
    if found.has(KernelFeature::Cgroup) {
        return Check::ok("cgroup", "each run gets its own control group");
    }
    Check::warn(
        "cgroup",
        "no control groups can be created: a stop must find an agent's processes one by one, and may miss some if the shim was killed (survivors_possible in the run's record)",
        "start the daemon with Delegate=yes in its systemd unit, or with `systemd-run --user --scope -p Delegate=yes`",
    )
}

fn user_namespaces(found: &KernelSupport) -> Check {
    if found.has(KernelFeature::UserNamespaces) {
        return Check::ok("user_namespaces", "agents can put their commands into a sandbox");
    }
    Check::warn(
        "user_namespaces",
        "ordinary users cannot create user namespaces: the sandboxes of codex and others may not work",
        "check user.max_user_namespaces and kernel.apparmor_restrict_unprivileged_userns; permissions: bypass uses no sandbox",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    fn good() -> KernelSupport {
        KernelSupport {
            kernel: "6.1.0".to_owned(),
            all: [
                KernelFeature::Openat2,
                KernelFeature::Pidfd,
                KernelFeature::Cgroup,
                KernelFeature::UserNamespaces,
                KernelFeature::Inotify,
            ]
            .into(),
            max_user_watches: Some(65_536),
            max_user_instances: Some(128),
        }
    }

    type Change = fn(&mut KernelSupport);

    #[test]
    fn what_is_missing_is_said_with_a_hint() {
        let all_well = judge(&good(), ChangeDetection::Notifications);
        assert!(all_well.iter().all(|c| c.state == State::Ok && c.hint.is_none()), "{all_well:?}");
        let table: [(&str, State, Change); 8] = [
            ("inotify", State::Fail, |a| a.all.retain(|has| *has != KernelFeature::Inotify)),
            ("inotify", State::Warn, |a| a.max_user_watches = Some(100)),
            ("inotify", State::Warn, |a| a.max_user_instances = Some(8)),
            ("inotify", State::Ok, |a| a.max_user_instances = None),
            ("openat2", State::Warn, |a| a.all.retain(|has| *has != KernelFeature::Openat2)),
            ("pidfd", State::Fail, |a| a.all.retain(|has| *has != KernelFeature::Pidfd)),
            ("cgroup", State::Warn, |a| a.all.retain(|has| *has != KernelFeature::Cgroup)),
            ("user_namespaces", State::Warn, |a| a.all.retain(|has| *has != KernelFeature::UserNamespaces)),
        ];
        for (name, state, change) in table {
            let mut found = good();
            change(&mut found);
            let checks = judge(&found, ChangeDetection::Notifications);
            let check = checks.iter().find(|c| c.name == name).unwrap();
            assert_eq!(check.state, state, "{check:?}");
            assert_eq!(check.hint.is_some(), state != State::Ok, "{check:?}");
            let others = checks.iter().filter(|c| c.name != name).all(|c| c.state == State::Ok);
            assert!(others, "{name}: {checks:?}");
        }
        let mut none = good();
        none.all.clear();
        assert_eq!(judge(&none, ChangeDetection::Polling)[0].state, State::Ok);
    }
}
