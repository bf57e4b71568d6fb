//! Processes as seen from a test: found by a mark in their environment, ended by pid.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// Maximum time that a test waits for an event.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Polls until there is an answer; fails after a while.
#[track_caller]
pub fn until<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    until_within(PATIENCE, what, ask)
}

/// Polls with a given patience.
#[track_caller]
pub fn until_within<T>(patience: Duration, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited in vain for: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Polls for a condition.
#[track_caller]
pub fn until_true(what: &str, mut ask: impl FnMut() -> bool) {
    until(what, || ask().then_some(()));
}

/// A live process that carries a mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marked {
    pub pid: i32,
    pub command: String,
}

/// The live processes with `mark` (`NAME=value`) in their environment.
pub fn marked(mark: &str) -> Vec<Marked> {
    let pids = fs::read_dir("/proc").expect("/proc").flatten();
    let pids = pids.filter_map(|e| e.file_name().to_str()?.parse().ok());
    pids.filter(|pid| is_alive(*pid) && carries(*pid, mark))
        .map(|pid| Marked { pid, command: command_line(pid) })
        .collect()
}

fn carries(pid: i32, mark: &str) -> bool {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environment.split(|b| *b == 0).any(|variable| variable == mark.as_bytes())
}

fn command_line(pid: i32) -> String {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ")
}

/// Returns true if a process exists and has not ended.
pub fn is_alive(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    state.is_some_and(|state| state != 'Z' && state != 'X')
}

/// Sends a signal to a process of the test. The process may already have ended.
pub fn signal(pid: i32, signal: Signal) {
    let _ = kill(Pid::from_raw(pid), signal);
}

/// Returns a number from `/proc/<pid>/status`, in the unit used there.
pub fn status(pid: i32, name: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).expect("a live process");
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.unwrap_or_else(|| panic!("{name} in {text}"))
}

/// Kills all processes with a mark when the test ends, even if it fails.
#[derive(Debug)]
pub struct Cleanup {
    mark: String,
    group: Option<PathBuf>,
}

impl Cleanup {
    pub fn of(mark: &str) -> Self {
        Self { mark: mark.to_owned(), group: None }
    }

    /// Also removes a control group, which a killed shim cannot do.
    pub fn with_group(mut self, group: Option<PathBuf>) -> Self {
        self.group = group;
        self
    }

    fn end_processes(&self) {
        // Several rounds, because a process that is just being started is not in the first list.
        for _ in 0..20 {
            let left = marked(&self.mark);
            if left.is_empty() {
                return;
            }
            for process in left {
                signal(process.pid, Signal::SIGKILL);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Cleanup {
    fn drop(&mut self) {
        self.end_processes();
        if let Some(group) = &self.group {
            super::cgroups::remove(group);
        }
    }
}
