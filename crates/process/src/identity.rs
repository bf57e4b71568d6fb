//! Identifies a process by pid, start time, boot and machine, because pids are reused.

use std::{path::Path, time::Duration};

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use base::fsx::{self, Holder};

/// A unique process. A pid is reused, but the pair of pid and start time is unique within one boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct ProcessId {
    /// Process id.
    pub pid: i32,
    /// Start in clock ticks since boot: field 22 of `/proc/<pid>/stat`, proc_pid_stat(5).
    pub started: u64,
}

/// A moment in clock ticks since boot, as the start of a [`ProcessId`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticks(pub u64);

impl Ticks {
    /// Ticks of a second in `/proc`: `USER_HZ`, which is 100 on every architecture.
    const PER_SECOND: u64 = 100;

    /// Returns the present moment.
    #[must_use]
    pub fn now() -> Self {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let (seconds, nanos) = (now.tv_sec.cast_unsigned(), u64::try_from(now.tv_nsec).unwrap_or(0));
        Self(seconds * Self::PER_SECOND + nanos / (1_000_000_000 / Self::PER_SECOND))
    }

    /// Returns the moment that was this long before.
    #[must_use]
    pub fn minus(self, time: Duration) -> Self {
        Self(self.0.saturating_sub(Self::count(time)))
    }

    /// Returns true if this moment is at least `time` before the other.
    #[must_use]
    pub fn is_before(self, other: Self, time: Duration) -> bool {
        self.0.saturating_add(Self::count(time)) <= other.0
    }

    fn count(time: Duration) -> u64 {
        u64::try_from(time.as_millis() / (1000 / u128::from(Self::PER_SECOND))).unwrap_or(u64::MAX)
    }
}

/// Returns this process as the holder of a lock, under the given name.
#[must_use]
pub fn holder(who: &str) -> Holder {
    let me = ProcessId::current();
    Holder::process(who, me.pid, me.started)
}

/// The kernel's facts about a process, from `/proc/<pid>/stat`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcStat {
    /// The process.
    pub id: ProcessId,
    /// Its name, at most 15 bytes.
    pub comm: String,
    /// `R`, `S`, `D`, `Z`, ….
    pub state: char,
    /// Pid of its parent.
    pub parent: i32,
    /// Id of its process group.
    pub group: i32,
    /// Its kernel flags: `PF_…` in `include/linux/sched.h`.
    pub flags: u32,
    /// Number of its threads.
    pub threads: u32,
    /// Its status in the form of wait(2), while it waits to be reaped. It is also 0 if this process may not read it.
    pub wait_status: i32,
}

impl ProcStat {
    /// Reads the facts of a process; `None` if no process has that pid.
    #[must_use]
    pub fn of(pid: i32) -> Option<Self> {
        let bytes = fsx::read_outside(Path::new(&format!("/proc/{pid}/stat")), 4096).ok()?;
        Self::parse(&String::from_utf8_lossy(&bytes))
    }

    /// Returns true if the process has ended and waits to be reaped. After the end of its first thread a process lives
    /// on in its other threads.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        matches!(self.state, 'Z' | 'X') && self.threads <= 1
    }

    /// Returns the status, in the form of wait(2), of a process that waits to be reaped; `None` if this process may not
    /// read it.
    #[must_use]
    pub fn wait_status_of(id: ProcessId) -> Option<i32> {
        // The kernel requires the same permission to read this link as to see the real status instead of 0.
        rustix::fs::readlink(format!("/proc/{}/ns/user", id.pid), Vec::new()).ok()?;
        Self::of(id.pid).filter(|stat| stat.id == id && stat.is_dead()).map(|stat| stat.wait_status)
    }

    /// Parses the line. The name may contain spaces and parentheses, so the other fields start after the last `)`.
    fn parse(text: &str) -> Option<Self> {
        let open = text.find('(')?;
        let close = text.rfind(')')?;
        let own = text[..open].trim().parse().ok()?;
        let comm = text.get(open + 1..close)?.to_owned();
        let mut rest = text[close + 1..].split_ascii_whitespace();
        let state = rest.next()?.chars().next()?;
        let parent = rest.next()?.parse().ok()?;
        let group = rest.next()?.parse().ok()?;
        // The flags are field 9, the threads field 20, the start time is field 22.
        let flags = rest.nth(3)?.parse().ok()?;
        let threads = rest.nth(10)?.parse().ok()?;
        let started = rest.nth(1)?.parse().ok()?;
        // Field 52.
        let wait_status = rest.nth(29)?.parse().ok()?;
        Some(Self {
            id: ProcessId { pid: own, started },
            comm,
            state,
            parent,
            group,
            flags,
            threads,
            wait_status,
        })
    }
}

impl ProcessId {
    /// Returns this process.
    #[must_use]
    pub fn current() -> Self {
        let pid = std::process::id().cast_signed();
        ProcStat::of(pid).map_or(Self { pid, started: 0 }, |s| s.id)
    }

    /// Returns true if the process exists and has not ended.
    #[must_use]
    pub fn is_alive(self) -> bool {
        ProcStat::of(self.pid).is_some_and(|s| s.id == self && !s.is_dead())
    }

    /// Returns true if a signal has stopped the process. `t`, the state of a process that a debugger has stopped, is left to
    /// the debugger.
    #[must_use]
    pub fn is_frozen(self) -> bool {
        ProcStat::of(self.pid).is_some_and(|s| s.id == self && s.state == 'T')
    }

    /// Returns true if the process exists and is not about to end. A process that has received a SIGKILL is about to
    /// end.
    #[must_use]
    pub fn goes_on(self) -> bool {
        /// `PF_EXITING`: the process is exiting, and may still hold files.
        const EXITING: u32 = 0x4;
        let status = fsx::read_outside(Path::new(&format!("/proc/{}/status", self.pid)), 16384);
        let killed = status.is_ok_and(|s| waits_for_sigkill(&String::from_utf8_lossy(&s)));
        // Read after the pending signals: between its SIGKILL and its end a process shows at least one of the two
        // signs.
        let there = ProcStat::of(self.pid).filter(|s| s.id == self && !s.is_dead());
        there.is_some_and(|s| s.flags & EXITING == 0) && !killed
    }

    /// Returns the time of the process's start by today's clock; `None` if the kernel does not tell it.
    #[must_use]
    pub fn started_at(self) -> Option<DateTime<Utc>> {
        /// `USER_HZ`, the same on every machine that this program is built for: proc_pid_stat(5), time(7).
        const TICKS: u64 = 100;
        let bytes = fsx::read_outside(Path::new("/proc/stat"), 4 << 20).ok()?;
        let text = String::from_utf8_lossy(&bytes);
        let boot: u64 = text.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
        DateTime::from_timestamp(i64::try_from(boot + self.started / TICKS).ok()?, 0)
    }

    /// Returns the arguments that the process was started with; empty if it is gone.
    #[must_use]
    pub fn arguments(self) -> Vec<String> {
        let bytes = fsx::read_outside(Path::new(&format!("/proc/{}/cmdline", self.pid)), 2 << 20);
        let bytes = bytes.unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        text.trim_end_matches('\0').split('\0').map(str::to_owned).collect()
    }
}

/// Returns true if a SIGKILL is pending for the first thread of a process: `SigPnd` of proc_pid_status(5), bit 8.
fn waits_for_sigkill(status: &str) -> bool {
    const SIGKILL: u64 = 1 << (libc::SIGKILL - 1);
    let pending = status.lines().find_map(|line| line.strip_prefix("SigPnd:"));
    pending.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).is_some_and(|set| set & SIGKILL != 0)
}

/// Returns the kernel's id of this boot. Pids and start times of another boot are meaningless.
#[must_use]
pub fn boot_id() -> String {
    let path = Path::new("/proc/sys/kernel/random/boot_id");
    fsx::read_outside(path, 128)
        .map_or_else(|_| "unknown".to_owned(), |b| String::from_utf8_lossy(&b).trim().to_owned())
}

/// Returns the name of this machine.
#[must_use]
pub fn host() -> String {
    nix::unistd::gethostname().map_or_else(|_| "unknown".to_owned(), |n| n.to_string_lossy().into_owned())
}

/// Returns a word for this process's view of the file system. Two processes with the same word see the same files under
/// the same paths. The word is a digest of the boot, the mount namespace and the root folder. `None` if the kernel does
/// not reveal them.
#[must_use]
pub fn file_system() -> Option<String> {
    let boot = boot_id();
    let mounts = rustix::fs::readlink("/proc/self/ns/mnt", Vec::new()).ok()?;
    let top = rustix::fs::stat("/").ok()?;
    if boot == "unknown" {
        return None;
    }
    let said = format!("{boot} {} {} {}", mounts.to_string_lossy(), top.st_dev, top.st_ino);
    let digest: [u8; 32] = Sha256::digest(said.as_bytes()).into();
    let (half, _) = digest.split_first_chunk::<16>()?;
    Some(format!("{:032x}", u128::from_be_bytes(*half)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_move_the_fields() {
        let text = stat("42 (a) (b c) S", 1);
        let stat = ProcStat::parse(&text).unwrap();
        assert_eq!(stat.comm, "a) (b c");
        assert_eq!((stat.id, stat.parent, stat.group), (ProcessId { pid: 42, started: 12345 }, 7, 42));
        assert_eq!((stat.threads, stat.wait_status), (1, 1280));
    }

    /// Builds a line of `/proc/<pid>/stat`, proc_pid_stat(5).
    fn stat(front: &str, threads: u32) -> String {
        let rest = "0 ".repeat(29);
        format!("{front} 7 42 42 0 -1 0 0 0 0 0 0 0 0 0 20 0 {threads} 0 12345 {rest}1280\n")
    }

    #[test]
    fn a_process_is_dead_when_its_last_thread_is() {
        for (state, threads, dead) in [("S", 1, false), ("Z", 1, true), ("Z", 3, false)] {
            assert_eq!(
                ProcStat::parse(&stat(&format!("42 (a) {state}"), threads)).unwrap().is_dead(),
                dead,
                "{state} {threads}"
            );
        }
    }

    #[test]
    fn what_is_seen_of_the_file_system_is_the_same_each_time() {
        let said = file_system().unwrap();
        assert_eq!((said.len(), file_system()), (32, Some(said.clone())));
        assert!(!said.contains(&boot_id()[..8]));
    }

    #[test]
    fn a_thread_that_starts_now_has_the_present_moment() {
        let before = Ticks::now();
        let stat = std::thread::spawn(|| fsx::read_outside(Path::new("/proc/thread-self/stat"), 4096));
        let stat = String::from_utf8(stat.join().unwrap().unwrap()).unwrap();
        let started = ProcStat::parse(&stat).unwrap().id.started;
        assert!(before.0 <= started + 1 && started <= Ticks::now().0, "{before:?} {started}");
        let second = Duration::from_secs(1);
        assert!(Ticks(5).is_before(Ticks(105), second) && !Ticks(6).is_before(Ticks(105), second));
        assert_eq!((Ticks(105).minus(second), Ticks(5).minus(second)), (Ticks(5), Ticks(0)));
    }

    #[test]
    fn this_process_is_alive_and_its_pid_with_another_start_is_not() {
        let me = ProcessId::current();
        let other = ProcessId { started: me.started + 1, ..me };
        assert!(me.is_alive() && me.goes_on());
        assert!(!other.is_alive() && !other.goes_on());
    }

    #[test]
    fn a_process_that_was_sent_a_sigkill_does_not_go_on() {
        assert!(waits_for_sigkill("Name:\tx\nSigPnd:\t0000000000000100\nShdPnd:\t0000000000000000\n"));
        for status in ["", "SigPnd:\t0000000000000200\nShdPnd:\t0000000000000100\n", "SigPnd:\tx\n"] {
            assert!(!waits_for_sigkill(status), "{status}");
        }
    }
}
