//! Reports which kernel features Conductor and the agents may use. Tries each feature if trying is harmless, else reads
//! a setting.

use std::{collections::BTreeSet, path::Path};

use nix::sys::inotify::{InitFlags, Inotify};
use rustix::{
    fs::{CWD, Mode, OFlags, ResolveFlags},
    io::Errno,
    process::PidfdFlags,
};

use super::cgroup::RunGroup;
use base::fsx;

/// A kernel feature that may be missing or forbidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KernelFeature {
    /// openat2(2), since 5.6, unless a sandbox forbids it.
    Openat2,
    /// pidfd_open(2), since 5.3.
    Pidfd,
    /// A control group of version 2 may be created below our own.
    Cgroup,
    /// An unprivileged user may create user namespaces, which the agents' own sandboxes need.
    UserNamespaces,
    /// One more inotify instance can be created.
    Inotify,
}

/// The kernel's release, features and limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelSupport {
    /// Release of the kernel: `6.18.1`.
    pub kernel: String,
    /// The features that are available.
    pub all: BTreeSet<KernelFeature>,
    /// Largest number of inotify watches per user.
    pub max_user_watches: Option<u64>,
    /// Largest number of inotify instances per user.
    pub max_user_instances: Option<u64>,
}

impl KernelSupport {
    /// Probes the kernel.
    #[must_use]
    pub fn look() -> Self {
        let (folder, resolve) = (OFlags::PATH | OFlags::CLOEXEC, ResolveFlags::BENEATH);
        let openat2 = rustix::fs::openat2(CWD, ".", folder, Mode::empty(), resolve);
        let pidfd = rustix::process::pidfd_open(rustix::process::getpid(), PidfdFlags::empty());
        let found = [
            (KernelFeature::Openat2, !matches!(openat2, Err(Errno::NOSYS | Errno::PERM))),
            (KernelFeature::Pidfd, pidfd.is_ok()),
            (KernelFeature::Cgroup, RunGroup::may_be_made()),
            (KernelFeature::UserNamespaces, user_namespaces()),
            (KernelFeature::Inotify, Inotify::init(InitFlags::IN_CLOEXEC).is_ok()),
        ];
        Self {
            kernel: text("kernel/osrelease").unwrap_or_else(|| "?".to_owned()),
            all: found.into_iter().filter(|(_, there)| *there).map(|(feature, _)| feature).collect(),
            max_user_watches: number("fs/inotify/max_user_watches"),
            max_user_instances: number("fs/inotify/max_user_instances"),
        }
    }

    /// Returns true if the feature is available.
    #[must_use]
    pub fn has(&self, feature: KernelFeature) -> bool {
        self.all.contains(&feature)
    }
}

/// See user_namespaces(7). The second setting is Debian's, the third is Ubuntu's; a missing Debian or Ubuntu file
/// forbids nothing.
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
