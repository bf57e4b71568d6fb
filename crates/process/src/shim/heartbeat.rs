//! `heartbeat`: a file that the shim touches again and again, so that a driver on another machine sees that it is there.

use std::{
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use rustix::fs::{Timespec, Timestamps, UTIME_NOW};

use base::{
    fsx::{RelPath, Root},
    names,
};

/// Touches the file, if the launch spec asks for it.
#[derive(Debug)]
pub(super) struct Heartbeat {
    file: Option<OwnedFd>,
    period: Duration,
    next: Instant,
}

impl Heartbeat {
    /// The file appears at once. Where it cannot be made, there is no sign of life, which must not fail the run.
    pub(super) fn new(root: &Root, dir: &RelPath, period: Option<Duration>) -> Self {
        let file = period.and_then(|_| root.open_append(&dir.join(names::run::HEARTBEAT)).ok());
        Self { file, period: period.unwrap_or_default(), next: Instant::now() }
    }

    /// Touches the file if it is time to.
    pub(super) fn beat(&mut self) {
        let Some(file) = self.file.as_ref().filter(|_| self.next <= Instant::now()) else { return };
        let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
        // A failure is repeated in a moment.
        let _ = rustix::fs::futimens(file, &Timestamps { last_access: now, last_modification: now });
        self.next = Instant::now() + self.period;
    }

    /// The time of the next touch.
    pub(super) fn next(&self) -> Option<Instant> {
        self.file.as_ref().map(|_| self.next)
    }
}
