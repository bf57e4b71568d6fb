//! Finds the damage of a tree: the invariants of the design, each as a small rule with a name.
//!
//! The check only reads, and its time grows with the tree. One broken file is one finding and hides nothing else. A
//! tree at work has no findings for that: a thing that looks unfinished is examined again before it is reported.
//! Repairs are left to `runner`.

mod bus_rules;
mod context;
mod daemon_rules;
mod ended_rules;
mod report;
mod rule;
mod run_rules;
mod stray;
mod task_rules;
mod ticket_rules;
mod value_rules;

use context::{Context, Marked};

use tree::{Result, Tree, refs::TaskRef};

pub use report::{Finding, Report, Subject};
pub use rule::{Rule, Severity};
pub use stray::is_left_behind;
pub use ticket_rules::is_void;

/// Checks everything.
///
/// # Errors
/// Only if the root itself cannot be read.
pub fn check(tree: &Tree) -> Result<Report> {
    let projects = tree.projects()?;
    let mut report = Report::default();
    stray::top(tree, &mut report);
    daemon_rules::check(tree, &mut report);
    let tickets = ticket_rules::check(tree, &mut report);
    let context = Context { tree, tickets, marked: Marked::look() };
    for project in projects {
        stray::project(tree, &project, &mut report);
        bus_rules::check(tree, &tree.project_bus(&project), &[], &mut report);
        for task in report.readable(tree.tasks(&project)).unwrap_or_default() {
            task_rules::check(&context, &TaskRef { project: project.clone(), task }, &mut report);
        }
    }
    Ok(report)
}
