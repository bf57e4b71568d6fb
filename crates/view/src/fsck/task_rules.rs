//! Rules for one task: its records, its runs, and their messages on its bus.

use super::{Report, Rule, bus_rules, context::Context, run_rules, stray};
use tree::{TreeError, refs::TaskRef};

pub(super) fn check(context: &Context<'_>, task: &TaskRef, report: &mut Report) {
    let tree = context.tree;
    stray::task(tree, task, report);
    let config = tree.task_config(task);
    if matches!(config, Err(TreeError::NotFound { .. })) && context.tickets.of(task).is_some() {
        let path = tree.root().absolute(&task.dir().config());
        report.note(Rule::MissingRecord, path, "a ticket wants the task, which has no settings");
    }
    report.readable(config);
    report.readable(tree.task_end(task));
    let runs = report.readable(tree.runs(task)).unwrap_or_default();
    let ended: Vec<_> =
        runs.into_iter().filter_map(|id| run_rules::check(context, &task.run(id), report)).collect();
    // The bus is read after the records, because each fact is posted to the bus before it is recorded.
    bus_rules::check(tree, &tree.task_bus(task), &ended, report);
}
