//! The facts about the whole tree that the rules of each task need.

use super::{processes::Marked, report::Report, ticket_rules::KnownTickets};
use tree::{Tree, refs::TaskRef};

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
