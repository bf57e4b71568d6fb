//! Watches for requests: STOP in the task's folder, and commands in the run's inbox.
//!
//! inotify only wakes the shim; the shim then reads the files. Without inotify (too many instances, a network file
//! system) the shim reads the same files periodically.

use std::{
    os::fd::{AsFd, BorrowedFd},
    time::{Duration, Instant},
};

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use serde::Deserialize;

use super::super::exit::StopBy;
use base::{
    fsx::{Folder, LineReader, RelPath, Root},
    names,
};

/// Largest part of a command that is read. The commands for the shim are short.
const COMMAND_BYTES: u64 = 4096;
/// Period of the checks without hints.
const POLL: Duration = Duration::from_millis(250);
/// Period of the checks with hints, in case a hint is lost.
const SWEEP: Duration = Duration::from_secs(30);

/// Time after a deletion during which the shim checks without hints: no hint says that a folder which is still open
/// was removed.
const RESTLESS: Duration = Duration::from_secs(5);

/// Hints about the folders of the run and the task.
#[derive(Debug)]
pub(super) struct Watch {
    root: Root,
    stop_marker: RelPath,
    inotify: Option<Inotify>,
    /// The run's folder; `None` if it could not be opened.
    folder: Option<Folder>,
    /// Result of the last check, which a hint or the sweep causes.
    stop_seen: bool,
    /// True if the last check found that the run's folder was removed.
    folder_is_gone: bool,
    next_sweep: Instant,
    restless_until: Instant,
}

impl Watch {
    pub(super) fn new(root: &Root, dir: &RelPath, stop_marker: &RelPath) -> Self {
        let inotify = if root.is_remote() { None } else { hints(root, dir, stop_marker).ok() };
        let mut watch = Self {
            root: root.clone(),
            stop_marker: stop_marker.clone(),
            inotify,
            folder: root.open_folder(dir).ok(),
            stop_seen: false,
            folder_is_gone: false,
            next_sweep: Instant::now(),
            restless_until: Instant::now(),
        };
        watch.look();
        watch
    }

    /// Drains the pending hints. Checks the marker if there were any, or if the sweep is due.
    pub(super) fn drain(&mut self) {
        let mut hinted = false;
        while let Some(Ok(events)) = self.inotify.as_ref().map(Inotify::read_events) {
            hinted |= !events.is_empty();
            if events.iter().any(|event| event.mask.contains(AddWatchFlags::IN_DELETE)) {
                self.restless_until = Instant::now() + RESTLESS;
            }
        }
        if hinted || Instant::now() >= self.next_sweep {
            self.look();
        }
    }

    pub(super) fn stop_marker_is_there(&self) -> bool {
        self.stop_seen
    }

    /// Returns true if the run's folder was removed: nothing can ask the run to stop any more, and nothing reads its end.
    pub(super) fn folder_is_gone(&self) -> bool {
        self.folder_is_gone
    }

    pub(super) fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.inotify.as_ref().map(AsFd::as_fd)
    }

    /// Returns the time of the next check without a hint.
    pub(super) fn next_look(&self) -> Instant {
        self.next_sweep
    }

    fn look(&mut self) {
        let now = Instant::now();
        let quiet = self.inotify.is_some() && now >= self.restless_until;
        self.next_sweep = now + if quiet { SWEEP } else { POLL };
        self.folder_is_gone = self.folder.as_ref().is_some_and(Folder::is_removed);
        self.stop_seen = self.root.is_file(&self.stop_marker).unwrap_or(self.stop_seen);
    }
}

fn hints(root: &Root, dir: &RelPath, stop_marker: &RelPath) -> nix::Result<Inotify> {
    let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
    let names = AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO | AddWatchFlags::IN_DELETE;
    inotify.add_watch(&root.absolute(&stop_marker.parent()), names)?;
    // Each of our own marks causes one more wake-up, at most every 25 ms. Files in the folder may be created later, so
    // watches on single files would miss some.
    inotify.add_watch(&root.absolute(dir), names | AddWatchFlags::IN_MODIFY)?;
    Ok(inotify)
}

/// The commands in `inbox.jsonl` that the shim obeys.
#[derive(Debug)]
pub(super) struct Inbox {
    root: Root,
    path: RelPath,
    offset: u64,
    /// The reason why the run must end, if it must.
    pub(super) stop: Option<StopBy>,
    /// True if the agent's input must end.
    pub(super) end_of_input: bool,
    /// The size of the agent's standard output with its final result, which a driver has found since the last call.
    pub(super) last_word: Option<u64>,
}

#[derive(Deserialize)]
struct Command {
    #[serde(rename = "type")]
    kind: String,
    /// The size of a `last_word`.
    #[serde(default)]
    stdout: Option<u64>,
}

impl Inbox {
    pub(super) fn new(root: &Root, dir: &RelPath) -> Self {
        Self {
            root: root.clone(),
            path: dir.join(names::run::INBOX),
            offset: 0,
            stop: None,
            end_of_input: false,
            last_word: None,
        }
    }

    /// Reads the commands that were appended since the last call.
    pub(super) fn read(&mut self) {
        let Ok(file) = self.root.open_read(&self.path) else { return };
        let Ok(size) = file.size() else { return };
        let lines = LineReader::new(&file).keeping(COMMAND_BYTES).forward(self.offset, size);
        for line in lines.map_while(Result::ok) {
            self.offset = line.end();
            let Ok(command) = serde_json::from_slice::<Command>(&line.bytes) else { continue };
            match command.kind.as_str() {
                "stop" => self.stop = Some(StopBy::Inbox),
                // The agent waits out a usage limit by itself.
                "usage_limit" => _ = self.stop.get_or_insert(StopBy::UsageLimit),
                // The driver of a conversation counts the silence, because a turn may wait for a person.
                "idle_timeout" => _ = self.stop.get_or_insert(StopBy::IdleTimeout),
                "end_of_input" => self.end_of_input = true,
                "last_word" => self.last_word = command.stdout,
                // The command is for the driver, or is unknown.
                _ => {}
            }
        }
    }
}
