//! A control group of a run's own (cgroups(7), version 2), where one may be made.
//!
//! An agent is born into it, and nothing that it starts gets out by forking: one
//! write ends even what forks faster than a walk of `/proc` follows. That is all
//! that it is for; without it everything else works the same. The files are the
//! kernel's and no disk's: written in place, not through `fsx`.

use std::{
    collections::HashSet,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Component, Path, PathBuf},
};

use rustix::fs::{Mode, OFlags};

use crate::fsx::{self, Durability, EntryKind, RelPath, Root};

/// Where version 2 is mounted: alone, or beside version 1.
const MOUNTS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
const PREFIX: &str = "conductor-run-";

/// The control group of one run; it is removed when this is dropped, unless a process is left in it.
#[derive(Debug)]
pub struct RunGroup {
    path: PathBuf,
    fd: OwnedFd,
}

impl RunGroup {
    /// Makes the group of a run below our own; `None` where that may not be done.
    pub(super) fn make(run: &str) -> Option<Self> {
        let path = group_of("self")?.join(format!("{PREFIX}{run}"));
        match rustix::fs::mkdir(&path, Mode::from_raw_mode(0o755)) {
            // Left by a shim that was killed before it had claimed the run.
            Ok(()) | Err(rustix::io::Errno::EXIST) => Self::open(path),
            Err(_) => None,
        }
    }

    /// Whether groups may be made here: one is, and removed at once.
    #[must_use]
    pub fn may_be_made() -> bool {
        Self::make(&format!("trial-{}", std::process::id())).is_some()
    }

    /// The group that a claim names, if it is one of ours and still there.
    #[must_use]
    pub fn of_claim(path: &Path) -> Option<Self> {
        let below_mount = MOUNTS.iter().any(|mount| path.starts_with(mount));
        let ours = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX));
        if below_mount && ours && is_plain(path) { Self::open(path.to_owned()) } else { None }
    }

    /// The group of a run that nobody has claimed, whose shim was killed before it could: where a shim
    /// that was started by this process, or beside it, would have made it.
    #[must_use]
    pub fn of_unclaimed(run: &str) -> Option<Self> {
        Self::open(outside_of_runs(&group_of("self")?).join(format!("{PREFIX}{run}")))
    }

    fn open(path: PathBuf) -> Option<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::open(&path, flags, Mode::empty()).ok()?;
        Some(Self { path, fd })
    }

    /// Its folder.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether no live process is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let events = fsx::read_outside(&self.path.join("cgroup.events"), 1 << 16).unwrap_or_default();
        String::from_utf8_lossy(&events).lines().all(|line| line != "populated 1")
    }

    /// Ends everything in the group with SIGKILL, unless one of `others`, which are not to end, is in it.
    pub fn kill(&self, others: &HashSet<i32>) {
        let inside =
            |pid: &i32| group_of(&pid.to_string()).is_some_and(|group| group.starts_with(&self.path));
        if !others.iter().any(inside) {
            // Before Linux 5.14 there is no such file; the walk of /proc has to do then.
            write(&self.path.join("cgroup.kill"), "1");
        }
    }
}

impl AsFd for RunGroup {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for RunGroup {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// Leaves the group of the run that we were started in, so that the end of that run is not ours.
pub(super) fn leave_run() {
    let Some(own) = group_of("self") else { return };
    let outside = outside_of_runs(&own);
    if outside != own {
        write(&outside.join("cgroup.procs"), "0");
    }
}

/// The group that a group is in, or is, and that is no run's.
fn outside_of_runs(group: &Path) -> &Path {
    let of_a_run = |group: &&Path| group.file_name().is_some_and(|n| n.to_string_lossy().starts_with(PREFIX));
    // The outermost: an agent may have made groups of its own.
    group.ancestors().filter(of_a_run).last().and_then(Path::parent).unwrap_or(group)
}

/// The folder of a process's group; `None` without version 2, or from outside of what we see of it.
fn group_of(pid: &str) -> Option<PathBuf> {
    let groups = fsx::read_outside(Path::new(&format!("/proc/{pid}/cgroup")), 1 << 20).ok()?;
    let groups = String::from_utf8(groups).ok()?;
    let group = Path::new(groups.lines().find_map(|line| line.strip_prefix("0::/"))?);
    let mount = MOUNTS.iter().map(Path::new).find(|m| m.join("cgroup.controllers").exists())?;
    is_plain(group).then(|| mount.join(group))
}

fn is_plain(path: &Path) -> bool {
    path.components().all(|c| matches!(c, Component::Normal(_) | Component::RootDir))
}

/// Removes a group with those that were made in it, the innermost first.
fn remove(path: &Path) {
    let inner = Root::open(path, Durability::Never).and_then(|root| root.list(&RelPath::top()));
    for group in inner.unwrap_or_default().iter().filter(|e| e.kind == EntryKind::Dir) {
        remove(&path.join(&group.name));
    }
    let _ = rustix::fs::rmdir(path);
}

fn write(path: &Path, text: &str) {
    if let Ok(fd) = rustix::fs::open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty()) {
        let _ = rustix::io::write(&fd, text.as_bytes());
    }
}
