//! The processes of this machine that say by their environment which run they belong to.

use std::collections::HashMap;

use crate::{process::tree::ProcTable, tree::ids::RunId};

/// Processes by run, as they were at one moment.
#[derive(Debug)]
pub(super) struct Marked(HashMap<String, Vec<i32>>);

impl Marked {
    pub(super) fn look() -> Self {
        let mut by_run: HashMap<String, Vec<i32>> = HashMap::new();
        for (run, pid) in ProcTable::snapshot().runs() {
            by_run.entry(run).or_default().push(pid);
        }
        Self(by_run)
    }

    pub(super) fn of(&self, run: &RunId) -> &[i32] {
        self.0.get(run.as_str()).map_or(&[], Vec::as_slice)
    }
}
