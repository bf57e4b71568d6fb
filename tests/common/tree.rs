//! A tree seen from outside: its files, byte counts and times, and the daemon's work for it.

use std::{collections::BTreeMap, fs, os::unix::fs::MetadataExt, path::Path};

/// The values that change if a file is touched: inode, length, and the times of its content and of its entry.
pub type FileStamp = (u64, u64, (i64, i64), (i64, i64));

/// Everything below a folder, folders included.
pub fn snapshot(root: &Path) -> BTreeMap<String, FileStamp> {
    let mut all = BTreeMap::new();
    look(root, &mut all);
    all
}

fn look(path: &Path, all: &mut BTreeMap<String, FileStamp>) {
    let meta = fs::symlink_metadata(path).expect("what was listed");
    let touched =
        (meta.ino(), meta.len(), (meta.mtime(), meta.mtime_nsec()), (meta.ctime(), meta.ctime_nsec()));
    all.insert(path.display().to_string(), touched);
    if meta.is_dir() {
        for entry in fs::read_dir(path).expect("a folder").flatten() {
            look(&entry.path(), all);
        }
    }
}

/// The processor time of a process so far, in ticks of 10 ms.
pub fn cpu_ticks(pid: i32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("a live process");
    let (_, rest) = stat.rsplit_once(") ").expect("its fields");
    rest.split(' ').skip(11).take(2).map(|n| n.parse::<u64>().expect("a number")).sum()
}

/// The reads and writes of a process so far: calls and bytes, without sockets by recv(2) and send(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Read {
    pub calls: u64,
    pub bytes: u64,
}

/// `/proc/<pid>/io`, see proc(5).
pub fn has_read(pid: i32) -> Read {
    let text = fs::read_to_string(format!("/proc/{pid}/io")).expect("a live process");
    let of = |name: &str| {
        let line = text.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(": ")).expect("a line");
        line.parse().expect("a number")
    };
    Read { calls: of("syscr"), bytes: of("rchar") }
}

/// The number of folders that a process watches with inotify.
pub fn watches(pid: i32) -> usize {
    let fds = fs::read_dir(format!("/proc/{pid}/fdinfo")).expect("a live process").flatten();
    let texts = fds.filter_map(|fd| fs::read_to_string(fd.path()).ok());
    texts.map(|text| text.lines().filter(|l| l.starts_with("inotify wd:")).count()).sum()
}
