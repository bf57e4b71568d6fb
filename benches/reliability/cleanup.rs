//! The last resort: the processes and mounts of a trial end with it, also when a signal ends it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, PoisonError},
    thread,
    time::Duration,
};

use nix::{
    sys::signal::{SigSet, Signal, kill},
    unistd::Pid,
};

use crate::Result;

/// Something of a trial that outlives its process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// The processes with this home.
    Home(PathBuf),
    /// A mounted file system.
    Mount(PathBuf),
    /// A folder.
    Folder(PathBuf),
}

static KEPT: Mutex<Vec<Kept>> = Mutex::new(Vec::new());

/// Notes something that must end with the trial.
pub fn keep(kept: Kept) {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner).push(kept);
}

/// Ends something that was noted.
pub fn end(kept: &Kept) {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner).retain(|other| other != kept);
    match kept {
        Kept::Home(home) => end_processes(home),
        Kept::Mount(at) => unmount(at),
        Kept::Folder(at) => drop(fs::remove_dir_all(at)),
    }
}

/// Cleans up and exits when a signal asks for the end. Called before any other thread exists, because threads inherit
/// the blocked signals.
pub fn on_signals() -> Result<()> {
    let signals = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP]);
    signals.thread_block()?;
    thread::spawn(move || {
        let Ok(signal) = signals.wait() else { return };
        let kept = std::mem::take(&mut *KEPT.lock().unwrap_or_else(PoisonError::into_inner));
        // Processes first: they may use the mounts.
        for kept in kept.iter().rev() {
            end(kept);
        }
        std::process::exit(128 + signal as i32);
    });
    Ok(())
}

/// The live processes with this home in their environment, which all processes of a trial have, and no other.
pub fn processes(home: &Path) -> Vec<i32> {
    let mark = [b"HOME=", home.as_os_str().as_encoded_bytes()].concat();
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    pids.filter_map(|e| e.file_name().to_str()?.parse().ok())
        .filter(|pid| is_alive(*pid) && environment(*pid).split(|b| *b == 0).any(|v| v == mark))
        .collect()
}

fn environment(pid: i32) -> Vec<u8> {
    fs::read(format!("/proc/{pid}/environ")).unwrap_or_default()
}

/// The state of a process as a letter, see `proc_pid_stat(5)`.
pub fn state(pid: i32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next())
}

/// Returns true if a process exists and has not ended.
pub fn is_alive(pid: i32) -> bool {
    state(pid).is_some_and(|state| state != 'Z' && state != 'X')
}

/// Sends a signal to a process of the trial, which may already have ended.
pub fn signal(pid: i32, signal: Signal) {
    let _ = kill(Pid::from_raw(pid), signal);
}

fn end_processes(home: &Path) {
    // Several rounds, because a process that is just being started is not in the first list.
    for _ in 0..50 {
        let left = processes(home);
        if left.is_empty() {
            return;
        }
        for pid in left {
            signal(pid, Signal::SIGKILL);
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn unmount(at: &Path) {
    // Lazily if a process still uses it; the kernel frees the loop device together with the mount.
    let unmounted = Command::new("umount").arg(at).output().is_ok_and(|o| o.status.success());
    if !unmounted {
        let _ = Command::new("umount").arg("-l").arg(at).output();
    }
}
