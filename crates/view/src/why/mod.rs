//! Explains the status of a task: one sentence, and the files that prove it.

mod decide;
mod facts;
mod last_error;

use std::path::PathBuf;

use super::{
    dependency::readable_tickets,
    scan,
    task::Standing,
    task_files::{self, TaskFiles},
};
use tree::{
    Result, Tree, TreeError,
    paths::top,
    refs::TaskRef,
    run_info::RunStatus,
    ticket::{Ticket, TicketFolder},
};

pub use facts::{DaemonPresence, LastError, Surroundings};
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
pub fn sentence(task: &TaskRef, own: &TaskFiles, around: &Surroundings<'_>) -> String {
    decide::decide(&Facts { task, own, around }).0
}

/// Explains the status of a task from its files. `standing` is the gate's view of a queued ticket.
///
/// # Errors
/// [`TreeError::NotFound`] if the task does not exist.
pub fn of_task(tree: &Tree, task: &TaskRef, standing: Standing) -> Result<Reason> {
    let root = tree.root();
    let dir = task.dir();
    let number = tree.ticket_of(task)?.map(|(id, ..)| id);
    // Reads only the run that the sentence is about.
    let run = |ticket: Option<&(TicketFolder, Ticket)>| {
        let id = match ticket {
            Some((_, ticket)) => Some(ticket.run_id.clone()),
            None => tree.runs(task)?.pop(),
        };
        Ok(id.map(|id| scan::run(tree, task.run(id))).into_iter().collect::<Vec<_>>())
    };
    let look = task_files::look(tree, task, number, run)?;
    let look = look.ok_or_else(|| TreeError::NotFound { what: format!("task {task}") })?;
    let (own, number) = (look.files, look.ticket_id);
    let about = look.runs.into_iter().next().map(|run| run.run);
    let runs = tree.runs(task)?;
    let live = readable_tickets(tree, TicketFolder::Live)?;
    let queue = readable_tickets(tree, TicketFolder::Queue)?;
    let asked_by_us = |t: &&Ticket| t.parent_run_id.as_ref().is_some_and(|p| runs.contains(p));
    let roots: Vec<TaskRef> =
        live.iter().filter(|(_, t)| t.parent_run_id.is_none()).map(|(_, t)| t.task()).collect();
    let around = Surroundings {
        standing,
        live: &roots,
        runs: runs.len(),
        children: queue.iter().chain(&live).map(|(_, t)| t).filter(asked_by_us).map(Ticket::task).collect(),
        daemon: if tree.daemon_is_there()? { DaemonPresence::Running } else { DaemonPresence::Absent },
        now: tree.clock().now(),
        last_error: match &about {
            Some(run) if own.run.as_ref().is_some_and(|r| r.status == RunStatus::Running) => {
                last_error::last_error(tree, run)?
            }
            _ => None,
        },
    };
    let (sentence, sources) = decide::decide(&Facts { task, own: &own, around: &around });
    let path = |source: &Source| {
        let rel = match source {
            Source::Ticket => own.ticket.as_ref().zip(number.as_ref()).map(|((place, _), id)| place.file(id)),
            Source::LiveTickets => Some(top::live()),
            Source::Lock => Some(dir.lock()),
            Source::Config => Some(dir.config()),
            Source::Done => Some(dir.done()),
            Source::Stop => Some(dir.stop()),
            Source::End => Some(dir.end()),
            Source::RunInfo => about.as_ref().map(|run| run.dir().info()),
            Source::Events => about.as_ref().map(|run| run.dir().events()),
            Source::Job => about.as_ref().map(|run| run.dir().job()),
        };
        rel.map(|rel| root.absolute(&rel))
    };
    Ok(Reason { sentence, files: sources.iter().filter_map(path).collect() })
}
