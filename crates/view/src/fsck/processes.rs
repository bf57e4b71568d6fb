//! The processes of this machine whose environment names a run.

use std::collections::HashMap;

use process::{identity::ProcessId, tree::ProcTable};
use tree::ids::RunId;

/// Processes by run, as of one moment.
#[derive(Debug)]
pub(super) struct Marked(HashMap<String, Vec<ProcessId>>);

impl Marked {
    pub(super) fn look() -> Self {
        let mut by_run: HashMap<String, Vec<ProcessId>> = HashMap::new();
        for (run, process) in ProcTable::snapshot().runs() {
            by_run.entry(run).or_default().push(process);
        }
        Self(by_run)
    }

    /// Returns the processes of a run that are still alive, because some may have ended since the snapshot.
    pub(super) fn alive(&self, run: &RunId) -> impl Iterator<Item = ProcessId> {
        self.0.get(run.as_str()).into_iter().flatten().copied().filter(|p| p.is_alive())
    }
}
