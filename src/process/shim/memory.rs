//! Whether the kernel killed the agent for want of memory: a SIGKILL alone does not say who sent it.

use std::path::{Path, PathBuf};

use crate::fsx;

/// The kernel's counters of out-of-memory kills, as they stood when the agent began.
#[derive(Debug)]
pub(super) struct MemoryWatch {
    machine: Option<u64>,
    cgroup: Option<(PathBuf, u64)>,
}

impl MemoryWatch {
    /// Notes the counters of the machine and of the agent's control group.
    pub(super) fn begin(agent: i32) -> Self {
        let file = format!("/proc/{agent}/cgroup");
        let cgroup = text(Path::new(&file)).and_then(|groups| counter_file(&groups));
        let cgroup = cgroup.and_then(|path| counter(&path).map(|n| (path, n)));
        Self { machine: counter(Path::new("/proc/vmstat")), cgroup }
    }

    /// How it is known that the kernel killed for memory since, if it did.
    pub(super) fn evidence(&self) -> Option<String> {
        if let Some((path, before)) = &self.cgroup
            && counter(path).is_some_and(|now| now > *before)
        {
            return Some(format!("oom_kill went up in {}", path.display()));
        }
        let now = counter(Path::new("/proc/vmstat"))?;
        (now > self.machine?).then(|| "oom_kill went up in /proc/vmstat during the run".to_owned())
    }
}

/// The file with the counter, for the lines of `/proc/<pid>/cgroup`: cgroups(7), version 1 and 2.
fn counter_file(groups: &str) -> Option<PathBuf> {
    let found = |path: PathBuf| path.exists().then_some(path);
    groups.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (_, controllers, group) = (parts.next()?, parts.next()?, parts.next()?);
        let group = group.trim_start_matches('/');
        if controllers.split(',').any(|c| c == "memory") {
            found(Path::new("/sys/fs/cgroup/memory").join(group).join("memory.oom_control"))
        } else if controllers.is_empty() {
            found(Path::new("/sys/fs/cgroup").join(group).join("memory.events"))
        } else {
            None
        }
    })
}

/// The number behind `oom_kill`.
fn counter(path: &Path) -> Option<u64> {
    text(path)?.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

fn text(path: &Path) -> Option<String> {
    fsx::read_outside(path, 1 << 20).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}
