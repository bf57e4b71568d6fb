//! Explains the status of a task: one sentence, and the files that prove it.

mod decide;
mod facts;

use std::path::PathBuf;

use super::{dependency::readable_tickets, scan};
use crate::tree::{
    Result, Tree, TreeError,
    paths::top,
    refs::TaskRef,
    task::TaskKind,
    ticket::{Place, Ticket},
};

pub use facts::{Around, Attempt, Own, Served, Waits};
use facts::{Facts, Source};

/// The answer to "why".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// One sentence.
    pub sentence: String,
    /// The files that prove it.
    pub files: Vec<PathBuf>,
}

/// Explains the status of a task from known facts.
#[must_use]
pub fn sentence(task: &TaskRef, own: &Own, around: &Around<'_>) -> String {
    decide::decide(&Facts { task, own, around }).0
}

/// Explains the status of a task from its files. `waits` is the planner's decision about a queued ticket.
///
/// # Errors
/// [`TreeError::NotFound`] if the task does not exist.
pub fn of_task(tree: &Tree, task: &TaskRef, waits: Waits) -> Result<Reason> {
    let root = tree.root();
    let dir = task.dir();
    if !root.exists(dir.path())? {
        return Err(TreeError::NotFound { what: format!("task {task}") });
    }
    let ticket = tree.ticket_of(task)?;
    let runs = tree.runs(task)?;
    let about = ticket.as_ref().map(|(.., t)| t.run_id.clone()).or_else(|| runs.last().cloned());
    let live = readable_tickets(tree, Place::Live)?;
    let queue = readable_tickets(tree, Place::Queue)?;
    let asked_by_us = |t: &&Ticket| t.parent_run_id.as_ref().is_some_and(|p| runs.contains(p));
    let attempt = about.clone().and_then(|id| {
        let (info, status) = scan::run(tree, task.run(id)).record.ok()?;
        Some(Attempt { id: info.run_id, start: info.start_time, status, error: info.error_summary })
    });
    let kind = tree.task_config(task).map_or(TaskKind::Task, |c| c.kind);
    let own = Own::read(tree, task, kind, ticket.clone().map(|(_, place, t)| (place, t)), attempt)?;
    let roots: Vec<TaskRef> =
        live.iter().filter(|(_, t)| t.parent_run_id.is_none()).map(|(_, t)| t.task()).collect();
    let around = Around {
        waits,
        live: &roots,
        children: queue.iter().chain(&live).map(|(_, t)| t).filter(asked_by_us).map(Ticket::task).collect(),
        daemon: if tree.daemon_is_there()? { Served::Yes } else { Served::No },
        now: tree.clock().now(),
    };
    let (sentence, sources) = decide::decide(&Facts { task, own: &own, around: &around });
    let path = |source: &Source| {
        let rel = match source {
            Source::Ticket => ticket.as_ref().map(|(id, place, _)| place.file(id)),
            Source::LiveTickets => Some(top::live()),
            Source::Lock => Some(dir.lock()),
            Source::Config => Some(dir.config()),
            Source::Done => Some(dir.done()),
            Source::Stop => Some(dir.stop()),
            Source::End => Some(dir.end()),
            Source::RunInfo => about.clone().map(|id| task.run(id).dir().info()),
        };
        rel.map(|rel| root.absolute(&rel))
    };
    Ok(Reason { sentence, files: sources.iter().filter_map(path).collect() })
}
