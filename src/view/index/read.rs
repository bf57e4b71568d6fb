//! Reads what an entry of the index says from disk.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::entry::{RunSummary, TaskSummary};
use crate::{
    tree::{Result, Tree, TreeError, ids::TicketId, refs::TaskRef, task::TaskKind, ticket::Place},
    view::scan,
};

/// The tickets of a tree: whose they are and where they lie.
pub(super) type Tickets = BTreeMap<TicketId, (TaskRef, Place)>;

/// Reads a task with its runs; `None` if there is no such task. A run that is known to have ended is not read again.
pub(super) fn task(
    tree: &Tree,
    task: &TaskRef,
    place: Option<Place>,
    known: Option<&TaskSummary>,
) -> Result<Option<TaskSummary>> {
    if !tree.root().exists(task.dir().path())? {
        return Ok(None);
    }
    let config = tree.task_config(task).ok();
    let mut runs = Vec::new();
    for id in tree.runs(task)? {
        let ended = known.and_then(|k| k.runs.iter().find(|r| r.run.run == id && r.settled));
        if let Some(run) = ended {
            runs.push(run.clone());
            continue;
        }
        let entry = scan::run(tree, task.run(id));
        // A folder without a record is a run that is just being made.
        if !matches!(entry.record, Err(TreeError::NotFound { .. })) {
            runs.push(Arc::new(RunSummary::of(entry, place)));
        }
    }
    let kind = config.as_ref().map_or(TaskKind::Task, |c| c.kind);
    let status = scan::status(tree, task, kind, place, &runs.iter().filter_map(|r| r.status))?;
    let last_activity = runs.iter().filter_map(|r| r.end_time.or(r.start_time)).max();
    let (agent, depends_on) = config.map(|c| (c.agent, c.depends_on)).unwrap_or_default();
    let task = task.clone();
    Ok(Some(TaskSummary { task, status, standing: None, agent, depends_on, runs, last_activity }))
}

/// Reads the tickets; what is known of a queued one is not read again, for a ticket never changes its task.
pub(super) fn tickets(tree: &Tree, known: &Tickets) -> Result<Tickets> {
    let mut found = Tickets::new();
    // The queue first: a ticket that is admitted between the two looks is found in the second.
    for place in [Place::Queue, Place::Live] {
        for id in tree.ticket_ids(place)? {
            let task = match known.get(&id) {
                Some((task, _)) => Some(task.clone()),
                // A ticket that cannot be read wants nothing.
                None => tree.ticket(place, &id).ok().flatten().map(|t| t.task()),
            };
            if let Some(task) = task {
                found.insert(id, (task, place));
            }
        }
    }
    Ok(found)
}

/// Reads many tasks on as many threads as the machine runs at a time. A task that cannot be read is left out and said.
pub(super) fn in_parallel(
    tree: &Tree,
    tasks: &[TaskRef],
    places: &HashMap<TaskRef, Place>,
) -> Vec<(TaskRef, Option<TaskSummary>)> {
    let next = AtomicUsize::new(0);
    let found = Mutex::new(Vec::with_capacity(tasks.len()));
    let threads = std::thread::available_parallelism().map_or(2, usize::from).min(8);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(name) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match task(tree, name, places.get(name).copied(), None) {
                        Ok(summary) => {
                            found
                                .lock()
                                .unwrap_or_else(PoisonError::into_inner)
                                .push((name.clone(), summary));
                        }
                        Err(e) => tracing::warn!(error = %e, task = %name, "a task cannot be read"),
                    }
                }
            });
        }
    });
    found.into_inner().unwrap_or_else(PoisonError::into_inner)
}
