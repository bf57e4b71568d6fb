//! A control group for one run (cgroups(7), version 2), on systems that allow one to be created.
//!
//! An agent is started inside the group, and forking does not lead out of it. One write kills every process in the
//! group, even processes that fork faster than a walk of `/proc` finds them. The group serves only this purpose;
//! without it everything else works the same. Its files belong to the kernel and not to a disk, so they are written in
//! place and not through `fsx`.

use std::{
    collections::HashSet,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Component, Path, PathBuf},
};

use rustix::fs::{Mode, OFlags};

use base::fsx::{self, Durability, EntryKind, RelPath, Root};

/// Mount points of version 2: alone, or beside version 1.
const MOUNTS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
const PREFIX: &str = "conductor-run-";

/// The control group of one run. Dropping it removes the group, unless a process is left in it.
#[derive(Debug)]
pub struct RunGroup {
    path: PathBuf,
    fd: OwnedFd,
}

impl RunGroup {
    /// Creates the group of a run below our own; `None` if that is not allowed.
    pub(super) fn make(run: &str) -> Option<Self> {
        let path = group_of("self")?.join(format!("{PREFIX}{run}"));
        match rustix::fs::mkdir(&path, Mode::from_raw_mode(0o755)) {
            // The group already exists if an earlier shim was killed before it had claimed the run.
            Ok(()) | Err(rustix::io::Errno::EXIST) => Self::open(path),
            Err(_) => None,
        }
    }

    /// Returns true if groups may be created here. Creates one and removes it at once.
    #[must_use]
    pub fn may_be_made() -> bool {
        Self::make(&format!("trial-{}", std::process::id())).is_some()
    }

    /// Opens the group that a claim names, if it is a run's group and still exists.
    #[must_use]
    pub fn of_claim(path: &Path) -> Option<Self> {
        let below_mount = MOUNTS.iter().any(|mount| path.starts_with(mount));
        let ours = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX));
        if below_mount && ours && is_plain(path) { Self::open(path.to_owned()) } else { None }
    }

    /// Opens the group of a run that has no claim because its shim was killed before claiming it. The group is expected
    /// in the place where a shim that was started by this process, or beside it, creates one.
    #[must_use]
    pub fn of_unclaimed(run: &str) -> Option<Self> {
        Self::open(outside_of_runs(&group_of("self")?).join(format!("{PREFIX}{run}")))
    }

    fn open(path: PathBuf) -> Option<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::open(&path, flags, Mode::empty()).ok()?;
        Some(Self { path, fd })
    }

    /// Returns the group's folder.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns true if the group contains no live process.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let events = fsx::read_outside(&self.path.join("cgroup.events"), 1 << 16).unwrap_or_default();
        String::from_utf8_lossy(&events).lines().all(|line| line != "populated 1")
    }

    /// Kills every process in the group with SIGKILL, unless one of `others`, which must not be killed, is in it.
    pub fn kill(&self, others: &HashSet<i32>) {
        let inside =
            |pid: &i32| group_of(&pid.to_string()).is_some_and(|group| group.starts_with(&self.path));
        if !others.iter().any(inside) {
            // The file does not exist before Linux 5.14. The walk of /proc has to suffice there.
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

/// Moves this process out of the group of the run that started it, so that the end of that run does not kill this
/// process.
pub(super) fn leave_run() {
    let Some(own) = group_of("self") else { return };
    let outside = outside_of_runs(&own);
    if outside != own {
        write(&outside.join("cgroup.procs"), "0");
    }
}

/// Returns the nearest group outside of every run: the group itself, or one of its ancestors.
fn outside_of_runs(group: &Path) -> &Path {
    let of_a_run = |group: &&Path| group.file_name().is_some_and(|n| n.to_string_lossy().starts_with(PREFIX));
    // Takes the outermost, because an agent may have created groups of its own.
    group.ancestors().filter(of_a_run).last().and_then(Path::parent).unwrap_or(group)
}

/// Returns the folder of a process's group; `None` without version 2, or if the group is outside of the visible
/// hierarchy.
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

/// Removes a group and the groups created inside it, the innermost first.
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
