//! Finds out if the kernel killed the agent for lack of memory, because a SIGKILL does not show its sender.

use std::path::{Path, PathBuf};

use base::fsx;

/// The kernel's counter of out-of-memory kills that is nearest to the agent, with its value at the agent's start.
#[derive(Debug)]
pub(super) struct MemoryWatch {
    counter: PathBuf,
    before: Option<u64>,
}

impl MemoryWatch {
    /// Reads the counter of the agent's control group, or the machine's if the group has none.
    pub(super) fn begin(agent: i32) -> Self {
        let groups = text(Path::new(&format!("/proc/{agent}/cgroup"))).unwrap_or_default();
        let of_group = counter_files(&groups).into_iter().find_map(|path| Some((count(&path)?, path)));
        match of_group {
            Some((before, counter)) => Self { counter, before: Some(before) },
            None => Self { counter: "/proc/vmstat".into(), before: count(Path::new("/proc/vmstat")) },
        }
    }

    /// Returns the evidence that the kernel has killed a process for lack of memory since the start, if it did.
    pub(super) fn evidence(&self) -> Option<String> {
        let now = count(&self.counter)?;
        (now > self.before?).then(|| format!("oom_kill went up in {} during the run", self.counter.display()))
    }
}

/// Returns the possible files of the counter, nearest first, for the lines of `/proc/<pid>/cgroup`: cgroups(7),
/// versions 1 and 2.
fn counter_files(groups: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(group)) = (parts.next(), parts.next()) else { continue };
        let group = Path::new(group.trim_start_matches('/'));
        if controllers.split(',').any(|c| c == "memory") {
            files.push(Path::new("/sys/fs/cgroup/memory").join(group).join("memory.oom_control"));
        } else if controllers.is_empty() {
            // A group without the controller is counted in the nearest ancestor that has it.
            let above = group.ancestors().map(|g| Path::new("/sys/fs/cgroup").join(g).join("memory.events"));
            files.extend(above);
        }
    }
    files
}

/// Returns the number behind `oom_kill`.
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
