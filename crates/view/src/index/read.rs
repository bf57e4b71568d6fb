//! Reads the entries of the index from disk.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use chrono::DateTime;

use super::entry::{ProjectSummary, RunSummary, TaskSummary};
use crate::{
    scan,
    task_files::{self, TaskSnapshot},
};
use tree::{
    Fault, Result, Tree, TreeError,
    ids::{ProjectId, RunId, TicketId},
    paths::ProjectDir,
    refs::TaskRef,
    thread_link::ThreadParent,
    ticket::{Ticket, TicketFolder},
};

/// The tickets of a tree.
pub(super) type Tickets = BTreeMap<TicketId, TicketFacts>;

/// The constant facts of a ticket, and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TicketFacts {
    pub(super) task: TaskRef,
    /// The run of the agent that created the ticket.
    pub(super) parent: Option<RunId>,
    pub(super) place: TicketFolder,
}

/// Reads a task with its runs; `None` if the task does not exist. A run that is known to have ended is not read
/// again.
pub(super) fn task(
    tree: &Tree,
    name: &TaskRef,
    ticket: Option<TicketId>,
    known: Option<&TaskSummary>,
) -> Result<Option<TaskSummary>> {
    let mut faults: Vec<Fault> = Vec::new();
    let read_runs = |ticket: Option<&(TicketFolder, Ticket)>| {
        faults.clear();
        runs(tree, name, ticket.map(|(place, _)| *place), known, &mut faults)
    };
    let Some(look) = task_files::look(tree, name, ticket, read_runs)? else { return Ok(None) };
    let facts = look.facts();
    let TaskSnapshot { files, config, runs, faults: own_faults, .. } = look;
    faults.extend(own_faults);
    let (agent, depends_on) = config.map(|c| (c.agent, c.depends_on)).unwrap_or_default();
    let last_output = match runs.last() {
        Some(run) => tree.root().stat(&run.run.dir().output())?.map(|s| s.len),
        None => None,
    };
    Ok(Some(TaskSummary {
        task: name.clone(),
        facts,
        standing: None,
        agent,
        depends_on,
        last_activity: runs.iter().filter_map(|r| r.end_time.or(r.made_or_started)).max(),
        runs,
        thread_parent: thread_parent(tree, name, known, &mut faults),
        last_output,
        faults,
        files,
    }))
}

/// Reads the runs of a task, oldest first. A run that is known to have ended is not read again.
fn runs(
    tree: &Tree,
    task: &TaskRef,
    place: Option<TicketFolder>,
    known: Option<&TaskSummary>,
    faults: &mut Vec<Fault>,
) -> Result<Vec<Arc<RunSummary>>> {
    let mut runs: Vec<Arc<RunSummary>> = Vec::new();
    for id in tree.runs(task)? {
        // Both lists are sorted oldest first.
        let place_of = |k: &TaskSummary| k.runs.binary_search_by(|r| r.run.run.cmp(&id)).ok();
        let before = known.and_then(|k| k.runs.get(place_of(k)?));
        if let Some(run) = before.filter(|run| run.settled) {
            runs.push(run.clone());
            continue;
        }
        let entry = scan::run(tree, task.run(id));
        // A folder without a record belongs to a run that is just being created.
        if !matches!(entry.record, Err(TreeError::NotFound { .. })) {
            faults.extend(entry.record.as_ref().err().and_then(TreeError::fault));
            let mut run = RunSummary::of(entry, place);
            // Runs of one task mostly work in one folder, so they share its name.
            if let Some(same) = runs.last().map(|r| &r.cwd).filter(|cwd| **cwd == run.cwd) {
                run.cwd.clone_from(same);
            }
            runs.push(Arc::new(run));
        }
    }
    Ok(runs)
}

/// Returns the message that a task answers. The link is written before the task is accepted, and never changes.
fn thread_parent(
    tree: &Tree,
    task: &TaskRef,
    known: Option<&TaskSummary>,
    faults: &mut Vec<Fault>,
) -> Option<Arc<ThreadParent>> {
    if let Some(known) = known.filter(|k| k.thread_parent.is_some() || !k.runs.is_empty()) {
        return known.thread_parent.clone();
    }
    match tree.thread_link(task) {
        Ok(link) => link.map(|link| Arc::new(link.parent)),
        // An unreadable link counts as none.
        Err(e) => {
            faults.extend(e.fault());
            None
        }
    }
}

/// Reads a project's own files; `None` if the project does not exist.
pub(super) fn project(tree: &Tree, project: &ProjectId) -> Result<Option<ProjectSummary>> {
    let root = tree.root();
    let dir = ProjectDir::new(project);
    let Some(folder) = root.stat(dir.path())? else { return Ok(None) };
    let marker = root.stat(&dir.root_marker())?;
    // An unreadable file counts as none.
    let home = tree.project_home(project).ok().flatten();
    let modified = marker.unwrap_or(folder).modified_ns;
    let marked_at = i64::try_from(modified).map(DateTime::from_timestamp_nanos).unwrap_or_default();
    let home = home.map(|h| Arc::from(h.to_string_lossy()));
    Ok(Some(ProjectSummary { project: project.clone(), home, marked_at }))
}

/// Reads the tickets, and returns the unreadable files, too. A ticket that was readable before still counts as it was.
///
/// The number alone does not identify a ticket: the number of a closed one may be given to another task at once. The
/// tree caches the content by the version of the file, so a ticket that has not changed costs one stat.
pub(super) fn tickets(tree: &Tree, known: &Tickets) -> Result<(Tickets, Vec<Fault>)> {
    let (mut found, mut faults) = (Tickets::new(), Vec::new());
    // Reads the queue first: a ticket that is admitted between the two listings is found in the second.
    for place in [TicketFolder::Queue, TicketFolder::Live] {
        for file in tree.tickets(place)? {
            let ticket = match file.ticket {
                Ok(ticket) => Some(TicketFacts { task: ticket.task(), parent: ticket.parent_run_id, place }),
                Err(e) => {
                    faults.extend(e.fault());
                    known.get(&file.id).map(|ticket| TicketFacts { place, ..ticket.clone() })
                }
            };
            found.extend(ticket.map(|ticket| (file.id, ticket)));
        }
    }
    Ok((found, faults))
}

/// Reads many tasks on as many threads as the machine has processors. An unreadable task is left out and reported.
pub(super) fn in_parallel(
    tree: &Tree,
    tasks: &[TaskRef],
    tickets: &HashMap<TaskRef, TicketId>,
) -> Vec<(TaskRef, Option<TaskSummary>)> {
    let next = AtomicUsize::new(0);
    let found = Mutex::new(Vec::with_capacity(tasks.len()));
    let threads = std::thread::available_parallelism().map_or(2, usize::from).min(8);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(name) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match task(tree, name, tickets.get(name).cloned(), None) {
                        Ok(summary) => {
                            found
                                .lock()
                                .unwrap_or_else(PoisonError::into_inner)
                                .push((name.clone(), summary));
                        }
                        Err(e) => tracing::warn!(error = %e, task = %name, "cannot read a task"),
                    }
                }
            });
        }
    });
    found.into_inner().unwrap_or_else(PoisonError::into_inner)
}
