//! The last act of a shim: `exit.json`, into the room that was reserved for it.

use super::super::exit::ExitRecord;
use crate::{
    fsx::{Lock, RelPath, Reserved, Root},
    names,
};

/// What the shim holds of the run's folder.
#[derive(Debug)]
pub(super) struct RunFiles {
    pub(super) root: Root,
    pub(super) dir: RelPath,
    pub(super) reserved: Reserved,
    /// Held until the shim ends: "alive" to everybody else.
    pub(super) lock: Lock,
}

/// A run that has ended, with what is needed to say so.
#[derive(Debug)]
pub(super) struct RunEnd {
    pub(super) files: RunFiles,
    pub(super) record: ExitRecord,
}

/// Publishes the end and lets go of the run. Returns the shim's exit code.
pub(super) fn publish(end: RunEnd) -> u8 {
    let RunEnd { files, record } = end;
    let path = files.dir.join(names::run::EXIT);
    let published = files.reserved.publish(&path, &record.to_bytes());
    drop(files.lock);
    u8::from(published.is_err())
}
