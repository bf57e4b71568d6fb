//! Whether the kernel killed the agent for want of memory: a SIGKILL alone does not say who sent it.

use std::path::{Path, PathBuf};

use crate::fsx;

/// The kernel's counter of out-of-memory kills that is nearest to the agent, as it stood when the agent began.
#[derive(Debug)]
pub(super) struct MemoryWatch {
    counter: PathBuf,
    before: Option<u64>,
}

impl MemoryWatch {
    /// Notes the counter of the agent's control group; where there is none, the machine's.
    pub(super) fn begin(agent: i32) -> Self {
        let groups = text(Path::new(&format!("/proc/{agent}/cgroup"))).unwrap_or_default();
        let of_group = counter_files(&groups).into_iter().find_map(|path| Some((count(&path)?, path)));
        match of_group {
            Some((before, counter)) => Self { counter, before: Some(before) },
            None => Self { counter: "/proc/vmstat".into(), before: count(Path::new("/proc/vmstat")) },
        }
    }

    /// How it is known that the kernel killed for memory since, if it did.
    pub(super) fn evidence(&self) -> Option<String> {
        let now = count(&self.counter)?;
        (now > self.before?).then(|| format!("oom_kill went up in {} during the run", self.counter.display()))
    }
}

/// Where the counter may be, nearest first, for the lines of `/proc/<pid>/cgroup`: cgroups(7), version 1 and 2.
fn counter_files(groups: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(group)) = (parts.next(), parts.next()) else { continue };
        let group = Path::new(group.trim_start_matches('/'));
        if controllers.split(',').any(|c| c == "memory") {
            files.push(Path::new("/sys/fs/cgroup/memory").join(group).join("memory.oom_control"));
        } else if controllers.is_empty() {
            // Groups without the controller count in the nearest one above that has it.
            let above = group.ancestors().map(|g| Path::new("/sys/fs/cgroup").join(g).join("memory.events"));
            files.extend(above);
        }
    }
    files
}

/// The number behind `oom_kill`.
fn count(path: &Path) -> Option<u64> {
    text(path)?.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

fn text(path: &Path) -> Option<String> {
    fsx::read_outside(path, 1 << 20).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_counter_comes_first() {
        let files = |groups| -> Vec<String> {
            counter_files(groups).iter().map(|p| p.display().to_string()).collect()
        };
        let memory = "/sys/fs/cgroup/memory/a/b/memory.oom_control";
        assert_eq!(files("8:pids:/x\n4:memory:/a/b\n"), [memory]);
        assert_eq!(
            files("0::/a/b\n"),
            ["a/b/", "a/", ""].map(|g| format!("/sys/fs/cgroup/{g}memory.events"))
        );
        assert!(files("nonsense").is_empty());
    }
}
