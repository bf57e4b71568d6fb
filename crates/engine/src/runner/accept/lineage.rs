//! The parent run of a task, that is, the run of the agent that asks for it: it must be live, and its own task must not
//! lie too deep.
//!
//! A task that an agent starts is a child: it waits for no place. Without these two rules any text would pass as a
//! parent, and an agent that starts itself would recurse until the machine has no process left.

use crate::runner::error::{Result, RunnerError};
use tree::{
    Tree,
    ids::RunId,
    refs::{RunRef, TaskRef},
    ticket::{Ticket, TicketFolder},
};
use view::{
    dependency::readable_tickets,
    run::{RunFacts, RunState},
};

/// The deepest level of a child task. A root task is at level 0, a child that its agent starts at level 1.
pub const DEEPEST: usize = 16;

/// Refuses a run that cannot be the parent of a new task.
///
/// # Errors
/// [`RunnerError::NoParent`] if it is no live run of this tree, [`RunnerError::TooDeep`] if its task is at the deepest
/// level already.
pub fn check_parent(tree: &Tree, parent: &RunId) -> Result<()> {
    let lineage = Lineage::read(tree)?;
    let no_parent = |problem| RunnerError::NoParent { run: parent.clone(), problem };
    let run = lineage.find(parent)?.ok_or_else(|| no_parent("this run does not exist in this tree"))?;
    if let Some(problem) = problem_of(tree, &run)? {
        return Err(no_parent(problem));
    }
    if lineage.level(run)? >= DEEPEST {
        return Err(RunnerError::TooDeep { run: parent.clone(), deepest: DEEPEST });
    }
    Ok(())
}

/// Returns true if the run is live, so that it may be the parent of a task.
///
/// # Errors
/// If the tree cannot be read.
pub(in crate::runner) fn is_live(tree: &Tree, run: &RunId) -> Result<bool> {
    match Lineage::read(tree)?.find(run)? {
        Some(run) => Ok(problem_of(tree, &run)?.is_none()),
        None => Ok(false),
    }
}

/// The reason why a run cannot start a task; `None` if its agent is at work.
fn problem_of(tree: &Tree, run: &RunRef) -> Result<Option<&'static str>> {
    Ok(match RunFacts::read(tree, run)?.state(None) {
        RunState::Running(_) => None,
        RunState::Created => Some("it has not begun"),
        RunState::Ending(_) | RunState::Ended(_) => Some("it has ended"),
    })
}

/// Finds runs by their ids alone.
struct Lineage<'a> {
    tree: &'a Tree,
    live: Vec<Ticket>,
}

impl<'a> Lineage<'a> {
    fn read(tree: &'a Tree) -> Result<Self> {
        let live =
            readable_tickets(tree, TicketFolder::Live)?.into_iter().map(|(_, ticket)| ticket).collect();
        Ok(Self { tree, live })
    }

    /// The run of this id. Live tasks are searched first: a parent belongs to one of them, except under `wrap`.
    fn find(&self, id: &RunId) -> Result<Option<RunRef>> {
        if let Some(ticket) = self.live.iter().find(|ticket| ticket.run_id == *id) {
            return Ok(Some(ticket.run()));
        }
        for ticket in &self.live {
            if let Some(run) = self.run_of(&ticket.task(), id)? {
                return Ok(Some(run));
            }
        }
        for project in self.tree.projects()? {
            for task in self.tree.tasks(&project)? {
                let task = TaskRef { project: project.clone(), task };
                if let Some(run) = self.run_of(&task, id)? {
                    return Ok(Some(run));
                }
            }
        }
        Ok(None)
    }

    fn run_of(&self, task: &TaskRef, id: &RunId) -> Result<Option<RunRef>> {
        let run = task.run(id.clone());
        Ok(self.tree.root().exists(run.dir().path())?.then_some(run))
    }

    /// The level of a run's task: how many parents lie above it, counted as far as it matters.
    fn level(&self, mut run: RunRef) -> Result<usize> {
        for level in 0..DEEPEST {
            // The ancestors of a deleted or unreadable run are unknown, and do not count.
            let parent = self.tree.run_info(&run).ok().and_then(|info| info.parent_run_id);
            let Some(parent) = parent else { return Ok(level) };
            let Some(above) = self.find(&parent)? else { return Ok(level + 1) };
            run = above;
        }
        Ok(DEEPEST)
    }
}
