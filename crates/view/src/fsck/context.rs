//! The facts about the whole tree that the rules of each task need.

use std::collections::HashMap;

use super::{report::Report, ticket_rules::KnownTickets};
use process::{identity::ProcessId, tree::ProcTable};
use tree::{Tree, ids::RunId, refs::TaskRef};

/// The facts about the whole tree while one task after the other is checked.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub(super) tree: &'a Tree,
    pub(super) tickets: KnownTickets,
    pub(super) marked: Marked,
}

impl Context<'_> {
    /// Returns true if a task has no driver. A lock that cannot be tested may be held.
    pub(super) fn is_unattended(&self, task: &TaskRef, report: &mut Report) -> bool {
        report.readable(self.tree.is_driven(task)) == Some(false)
    }
}

/// The processes of this machine with a run in their environment, by run, as of one moment.
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
