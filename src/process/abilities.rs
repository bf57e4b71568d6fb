//! What this kernel, with these limits, lets us and the agents do: each tried where trying is harmless, else read.

use std::{collections::BTreeSet, path::Path};

use nix::sys::inotify::{InitFlags, Inotify};
use rustix::{
    fs::{CWD, Mode, OFlags, ResolveFlags},
    io::Errno,
    process::PidfdFlags,
};

use super::cgroup::RunGroup;
use crate::fsx;

/// Something that a kernel may let us do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ability {
    /// openat2(2), since 5.6, where no sandbox forbids it.
    Openat2,
    /// pidfd_open(2), since 5.3.
    Pidfd,
    /// A control group of version 2 may be made below our own.
    Cgroup,
    /// An ordinary user may make user namespaces, which agents' own sandboxes are made of.
    UserNamespaces,
    /// One more inotify instance may be had.
    Inotify,
}

/// What there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Abilities {
    /// Release of the kernel: `6.18.1`.
    pub kernel: String,
    /// What it lets us do.
    pub all: BTreeSet<Ability>,
    /// Most inotify watches of a user.
    pub max_user_watches: Option<u64>,
    /// Most inotify instances of a user.
    pub max_user_instances: Option<u64>,
}

impl Abilities {
    /// Looks.
    #[must_use]
    pub fn look() -> Self {
        let (folder, resolve) = (OFlags::PATH | OFlags::CLOEXEC, ResolveFlags::BENEATH);
        let openat2 = rustix::fs::openat2(CWD, ".", folder, Mode::empty(), resolve);
        let pidfd = rustix::process::pidfd_open(rustix::process::getpid(), PidfdFlags::empty());
        let found = [
            (Ability::Openat2, !matches!(openat2, Err(Errno::NOSYS | Errno::PERM))),
            (Ability::Pidfd, pidfd.is_ok()),
            (Ability::Cgroup, RunGroup::may_be_made()),
            (Ability::UserNamespaces, user_namespaces()),
            (Ability::Inotify, Inotify::init(InitFlags::IN_CLOEXEC).is_ok()),
        ];
        Self {
            kernel: text("kernel/osrelease").unwrap_or_else(|| "?".to_owned()),
            all: found.into_iter().filter(|(_, there)| *there).map(|(ability, _)| ability).collect(),
            max_user_watches: number("fs/inotify/max_user_watches"),
            max_user_instances: number("fs/inotify/max_user_instances"),
        }
    }

    /// Whether this is among them.
    #[must_use]
    pub fn has(&self, ability: Ability) -> bool {
        self.all.contains(&ability)
    }
}

/// user_namespaces(7); the second is Debian's, the third Ubuntu's. Where there is no such file, nothing is forbidden.
fn user_namespaces() -> bool {
    number("user/max_user_namespaces").is_some_and(|most| most > 0)
        && number("kernel/unprivileged_userns_clone") != Some(0)
        && number("kernel/apparmor_restrict_unprivileged_userns").is_none_or(|restricted| restricted == 0)
}

fn number(name: &str) -> Option<u64> {
    text(name)?.parse().ok()
}

fn text(name: &str) -> Option<String> {
    let bytes = fsx::read_outside(&Path::new("/proc/sys").join(name), 4096).ok()?;
    Some(std::str::from_utf8(&bytes).ok()?.trim().to_owned())
}
