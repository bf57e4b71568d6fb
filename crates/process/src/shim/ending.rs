//! Publishes `exit.json` into the reserved space. This is the last action of a shim.

use super::super::exit::ExitRecord;
use base::{
    fsx::{Lock, RelPath, Reserved, Root},
    names,
};

/// The shim's handles on the run's folder.
#[derive(Debug)]
pub(super) struct RunFiles {
    pub(super) root: Root,
    pub(super) dir: RelPath,
    pub(super) reserved: Reserved,
    /// Held until the shim ends. It shows other processes that the run is alive.
    pub(super) lock: Lock,
}

/// A run that has ended, with the handles that are needed to publish the end.
#[derive(Debug)]
pub(super) struct RunEnd {
    pub(super) files: RunFiles,
    pub(super) record: ExitRecord,
}

/// Publishes the end and releases the run. Returns the shim's exit code.
pub(super) fn publish(end: RunEnd) -> u8 {
    let RunEnd { files, record } = end;
    let path = files.dir.join(names::run::EXIT);
    let published = files.reserved.publish(&path, &record.to_bytes());
    drop(files.lock);
    u8::from(published.is_err())
}
