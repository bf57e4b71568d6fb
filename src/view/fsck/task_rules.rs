//! What is wrong with one task and its runs.

use super::{Report, bus_rules::Told, processes::Marked, run_rules, stray, ticket_rules::KnownTickets};
use crate::tree::{Result, Tree, refs::TaskRef};

pub(super) fn check(
    tree: &Tree,
    task: &TaskRef,
    tickets: &KnownTickets,
    told: &Told,
    marked: &Marked,
    report: &mut Report,
) -> Result<()> {
    let root = tree.root();
    if root.exists(&task.dir().config())? {
        report.unless_unreadable(tree.task_config(task))?;
    }
    // The end of a task without ticket has not been read yet.
    if tickets.of(task).is_none() {
        report.unless_unreadable(tree.task_end(task))?;
    }
    stray::names_of_runs(tree, task, report)?;
    let driven = tree.is_driven(task)?;
    let wanted = tickets.of(task).map(|(_, ticket)| &ticket.run_id);
    for id in tree.runs(task)? {
        let looked = run_rules::Looked { run: task.run(id.clone()), driven, wanted: wanted == Some(&id) };
        run_rules::check(tree, &looked, told, marked, report)?;
    }
    Ok(())
}
