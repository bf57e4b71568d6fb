//! Control groups of versions 1 and 2 that a test makes if it is allowed to, see cgroups(7).

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

const UNIFIED: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];

/// A group below that of the test, removed with it.
pub struct Group {
    path: PathBuf,
}

impl Group {
    /// Creates a group with this much memory and no swap. `None`, with a message on stderr, if that is not allowed.
    pub fn of_memory(megabytes: u64) -> Option<Self> {
        let limit = (megabytes << 20).to_string();
        let v1 = || {
            let group = Self::make(&Path::new("/sys/fs/cgroup/memory").join(own("memory")?))?;
            group.set("memory.swappiness", "0");
            group.set("memory.limit_in_bytes", &limit).then_some(group)
        };
        let v2 = || {
            let above = unified()?;
            let _ = fs::write(above.join("cgroup.subtree_control"), "+memory");
            let group = Self::make(&above)?;
            group.set("memory.swap.max", "0");
            group.set("memory.max", &limit).then_some(group)
        };
        said(v1().or_else(v2), "no control group with a limit of memory may be made here")
    }

    /// Creates a group of version 2 that allows no groups below it. `None`, with a message on stderr, if that is not
    /// allowed.
    pub fn without_groups() -> Option<Self> {
        let group = unified().and_then(|above| Self::make(&above));
        let group = group.filter(|group| group.set("cgroup.max.descendants", "0"));
        said(group, "no control group of version 2 may be made here")
    }

    fn make(above: &Path) -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = above.join(format!("test-{}-{n}", std::process::id()));
        fs::create_dir(&path).ok().map(|()| Self { path })
    }

    fn set(&self, name: &str, value: &str) -> bool {
        fs::write(self.path.join(name), value).is_ok()
    }

    /// The file to which a process writes 0 to enter the group.
    pub fn door(&self) -> PathBuf {
        self.path.join("cgroup.procs")
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// Removes a group, if it exists, once the processes that are ending in it have ended.
pub fn remove(path: &Path) {
    for _ in 0..100 {
        if !path.exists() || fs::remove_dir(path).is_ok() {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn said<T>(made: Option<T>, reason: &str) -> Option<T> {
    if made.is_none() {
        super::skipped(reason);
    }
    made
}

/// The folder of the test's own group of version 2.
pub fn unified() -> Option<PathBuf> {
    let mount = UNIFIED.iter().find(|m| Path::new(m).join("cgroup.controllers").exists())?;
    Some(Path::new(mount).join(own("")?))
}

fn own(controller: &str) -> Option<String> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let line = groups.lines().find_map(|line| {
        let (controllers, group) = line.split_once(':')?.1.split_once(':')?;
        controllers.split(',').any(|c| c == controller).then_some(group)
    })?;
    Some(line.trim_start_matches('/').to_owned())
}
