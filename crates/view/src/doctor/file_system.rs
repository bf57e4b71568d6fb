//! Checks the file system of the tree: its type and its free space.

use super::check::Check;
use tree::Tree;

/// With less room than this, new work fails soon.
const TOO_LITTLE: u64 = 100 << 20;
/// With less room than this, the user should free some.
const LITTLE: u64 = 1 << 30;

/// The configured way to notice changes of the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeDetection {
    /// Notifications of the kernel.
    Notifications,
    /// Polling.
    Polling,
}

/// The facts about a file system.
#[derive(Debug, Clone)]
struct FileSystem {
    root: String,
    /// The number of the file system's type, statfs(2).
    magic: Option<u32>,
    remote: bool,
    free: Option<u64>,
}

pub(super) fn checks(tree: &Tree, detection: ChangeDetection) -> Vec<Check> {
    let root = tree.root();
    judge(
        &FileSystem {
            root: root.path().display().to_string(),
            magic: root.file_system(),
            remote: root.is_remote(),
            free: root.free_bytes().ok(),
        },
        detection,
    )
}

fn judge(place: &FileSystem, detection: ChangeDetection) -> Vec<Check> {
    vec![file_system(place, detection), disk(place)]
}

fn file_system(place: &FileSystem, detection: ChangeDetection) -> Check {
    let name = "file_system";
    let kind = place.magic.map_or_else(|| "unknown".to_owned(), type_name);
    let what = format!("{} lies on {kind}", place.root);
    match (place.remote, detection) {
        (true, ChangeDetection::Notifications) => Check::fail(
            name,
            format!("{what}, where the kernel does not report changes by other machines"),
            "set watch.mode to auto or poll",
        ),
        (true, ChangeDetection::Polling) => Check::warn(
            name,
            format!("{what}: changes are found by polling, every watch.sweep"),
            "nothing to do; a local disk is faster",
        ),
        (false, _) if kind == "tmpfs" => Check::warn(
            name,
            format!("{what}, which is empty after a reboot"),
            "choose a folder on a disk with --root",
        ),
        (false, _) => Check::ok(name, what),
    }
}

fn disk(place: &FileSystem) -> Check {
    let name = "disk";
    let hint = "make room, for example with `run-agent gc --older-than 30d`, or move the tree";
    let Some(free) = place.free else {
        return Check::warn(name, "the kernel does not say how much room is left", "look with `df`");
    };
    let what = format!("{} MiB are free", free >> 20);
    match free {
        ..TOO_LITTLE => Check::fail(name, what, hint),
        TOO_LITTLE..LITTLE => Check::warn(name, what, hint),
        LITTLE.. => Check::ok(name, what),
    }
}

/// Returns the name of a common type, statfs(2).
fn type_name(magic: u32) -> String {
    let name = match magic {
        0xEF53 => "ext4",
        0x5846_5342 => "xfs",
        0x9123_683E => "btrfs",
        0x2FC1_2FC1 => "zfs",
        0x0102_1994 => "tmpfs",
        0x794C_7630 => "overlayfs",
        0x6969 => "nfs",
        0x517B | 0xFF53_4D42 | 0xFE53_4D42 => "smb",
        0x6573_5546 => "fuse",
        0x00C3_6400 => "ceph",
        0x0102_1997 => "9p",
        0x0BD0_0BD0 => "lustre",
        0x4750_4653 => "gpfs",
        other => return format!("a file system of type {other:#x}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    #[test]
    fn a_place_is_judged() {
        use ChangeDetection::{Notifications, Polling};
        let (ext4, nfs, tmpfs) = (Some(0xEF53), Some(0x6969), Some(0x0102_1994));
        for (magic, remote, detection, free, states) in [
            (ext4, false, Notifications, Some(5 << 30), [State::Ok, State::Ok]),
            (ext4, false, Polling, Some(500 << 20), [State::Ok, State::Warn]),
            (nfs, true, Polling, Some(5 << 20), [State::Warn, State::Fail]),
            (nfs, true, Notifications, None, [State::Fail, State::Warn]),
            (tmpfs, false, Notifications, Some(5 << 30), [State::Warn, State::Ok]),
            (None, false, Notifications, Some(5 << 30), [State::Ok, State::Ok]),
        ] {
            let place = FileSystem { root: "/r".to_owned(), magic, remote, free };
            let checks = judge(&place, detection);
            assert_eq!([checks[0].state, checks[1].state], states, "{checks:?}");
        }
    }
}
