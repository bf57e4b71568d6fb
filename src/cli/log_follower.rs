//! Shows the output of a run while the run prints it.

use super::{error::CliResult, print::Printer};
use crate::{
    fsx::{ReadFile, RelPath},
    tree::{Tree, TreeError, refs::RunRef},
};

/// Maximum number of bytes read at once.
const CHUNK: u64 = 256 * 1024;

/// Positions in a run's stdout and stderr.
#[derive(Debug)]
pub(super) struct LogFollower {
    tree: Tree,
    streams: [(RelPath, Option<ReadFile>, u64); 2],
}

impl LogFollower {
    pub(super) fn new(tree: &Tree, run: &RunRef) -> Self {
        let dir = run.dir();
        Self { tree: tree.clone(), streams: [(dir.stdout(), None, 0), (dir.stderr(), None, 0)] }
    }

    /// Prints the new output to stderr, because stdout carries the answer alone.
    pub(super) fn print(&mut self, printer: Printer) -> CliResult<()> {
        for (path, file, offset) in &mut self.streams {
            if file.is_none() {
                *file = self.tree.root().open_read(path).ok();
            }
            let Some(file) = file else { continue };
            loop {
                let bytes = file.read_range(*offset, *offset + CHUNK).map_err(TreeError::from)?;
                let shown = printer.foreign_word(&bytes);
                if shown == 0 {
                    break;
                }
                *offset += shown as u64;
            }
        }
        Ok(())
    }
}
