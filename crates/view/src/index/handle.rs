//! The index as all its users see it: one state behind a lock, and one read of the disk at a time.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard},
};

use chrono::{DateTime, Utc};
use tokio::sync::watch;

use super::{
    changes::{Since, TreeChange},
    entry::{ProjectEntry, RunSummary, TaskSummary},
    list::{self, Page, RunQuery, TaskQuery},
    read,
    revisions::Part,
    state::State,
    tally::Tally,
};
use crate::{
    bus_stats::{BusSizes, BusStats},
    task::{Standing, TaskStatus},
};
use tree::{
    Fault, Result, Tree,
    bus::BusOwner,
    ids::{ProjectId, RunId, TaskId},
    refs::{RunRef, TaskRef},
    ticket::TicketFolder,
};

/// The content of the tree, as it was last read.
#[derive(Debug)]
pub struct Index {
    state: RwLock<State>,
    /// Held from reading the disk until the result is stored, so that nothing older overwrites it.
    look: Mutex<()>,
    revision: watch::Sender<u64>,
    incarnation: String,
    buses: BusSizes,
}

impl Index {
    /// Creates an empty index. `incarnation` distinguishes its revisions from those of other processes.
    #[must_use]
    pub fn new(incarnation: String) -> Self {
        Self {
            state: RwLock::default(),
            look: Mutex::default(),
            revision: watch::channel(0).0,
            incarnation,
            buses: BusSizes::default(),
        }
    }

    /// Reads the whole tree.
    ///
    /// # Errors
    /// If the root or the planner's folders cannot be read.
    pub fn build(&self, tree: &Tree) -> Result<()> {
        self.look_at_tickets(tree)?;
        let mut tasks = Vec::new();
        for project in tree.projects()? {
            let looked = self.look_at_project(tree, &project).and_then(|()| tree.tasks(&project));
            let ids = match looked {
                // One folder that cannot be read must not hide the other projects.
                Err(e) if let Some(fault) = e.lasting_fault() => {
                    tracing::warn!(path = %fault.path.display(), problem = %fault.problem, "a project cannot be read");
                    continue;
                }
                looked => looked?,
            };
            tasks.extend(ids.into_iter().map(|task| TaskRef { project: project.clone(), task }));
        }
        let tickets = self.state().ticket_ids();
        let found = read::in_parallel(tree, &tasks, &tickets);
        let _looking = self.looking();
        let mut state = self.state_mut();
        for (task, summary) in found {
            // A task that was read again since the scan began is newer.
            if state.task(&task).is_none() {
                state.put(&task, summary);
            }
        }
        Ok(())
    }

    /// Marks the index as complete and therefore ready.
    pub fn open(&self) {
        self.state_mut().open();
        self.publish();
    }

    /// Returns true if the index is complete.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.state().is_ready()
    }

    /// Reads one task and its runs again.
    ///
    /// # Errors
    /// If its folder cannot be read.
    pub fn look_at(&self, tree: &Tree, task: &TaskRef) -> Result<()> {
        let looking = self.looking();
        let (known, ticket) = {
            let state = self.state();
            (state.task(task), state.ticket_of(task).map(|(_, id)| id))
        };
        let summary = read::task(tree, task, ticket, known.as_deref())?;
        self.state_mut().put(task, summary);
        self.posted_to(&BusOwner::Task(task.clone()));
        drop(looking);
        self.publish();
        Ok(())
    }

    /// Reads a project's own files again.
    ///
    /// # Errors
    /// If its folder cannot be read.
    pub fn look_at_project(&self, tree: &Tree, project: &ProjectId) -> Result<()> {
        let looking = self.looking();
        let summary = read::project(tree, project)?;
        self.state_mut().put_project(project, summary);
        drop(looking);
        self.publish();
        self.posted_to(&BusOwner::Project(project.clone()));
        Ok(())
    }

    /// Reads the tickets again. Returns the tasks with a ticket that is new, moved or gone.
    ///
    /// # Errors
    /// If the planner's folders cannot be read.
    pub fn look_at_tickets(&self, tree: &Tree) -> Result<Vec<TaskRef>> {
        let looking = self.looking();
        let (tickets, faults) = read::tickets(tree, &self.state().tickets())?;
        let changed = self.state_mut().put_tickets(tickets, faults);
        drop(looking);
        self.publish();
        Ok(changed)
    }

    /// The files that could not be read the last time.
    #[must_use]
    pub fn faults(&self) -> Vec<Fault> {
        self.state().faults()
    }

    /// Sets the positions of the queued tasks; tasks that are not named have none.
    pub fn put_standings(&self, standings: BTreeMap<TaskRef, Standing>) {
        self.state_mut().put_standings(standings);
        self.publish();
    }

    /// Records that a bus may have grown.
    pub fn posted_to(&self, owner: &BusOwner) {
        self.buses.touched(owner);
    }

    /// Returns the number and size of a project's buses. Messages that other processes post to the bus of an inactive
    /// task are counted when the task is read next.
    ///
    /// # Errors
    /// If a folder cannot be read.
    pub fn bus_stats(&self, tree: &Tree, project: &ProjectId) -> Result<BusStats> {
        let (tasks, wanted) = (self.tasks(Some(project)), self.wanted());
        let live = wanted.iter().filter(|t| t.project == *project).map(|t| &t.task);
        self.buses.of_project(tree, project, tasks.iter().map(|t| &t.task.task), live)
    }

    /// The projects, sorted by name.
    #[must_use]
    pub fn projects(&self) -> Vec<ProjectEntry> {
        self.state().projects()
    }

    /// One project.
    #[must_use]
    pub fn project(&self, project: &ProjectId) -> Option<ProjectEntry> {
        self.state().project(project)
    }

    /// The folders that projects and runs work in, each once, last used first.
    #[must_use]
    pub fn work_folders(&self) -> Vec<Arc<str>> {
        self.state().work_folders()
    }

    /// Returns a page of the runs that a query selects.
    #[must_use]
    pub fn list_runs(&self, query: &RunQuery) -> Page<RunSummary> {
        list::runs(&self.state(), query)
    }

    /// Returns a page of the tasks that a query selects.
    #[must_use]
    pub fn list_tasks(&self, query: &TaskQuery) -> Page<TaskSummary> {
        list::tasks(&self.state(), query)
    }

    /// Returns the tasks that a task waits for.
    #[must_use]
    pub fn blocked_by(&self, task: &TaskSummary) -> Vec<TaskId> {
        let state = self.state();
        let unmet = |id: &&TaskId| {
            state.task(&task.task.sibling((*id).clone())).is_none_or(|t| t.status() != TaskStatus::Completed)
        };
        task.depends_on.iter().filter(unmet).cloned().collect()
    }

    /// Returns statistics of each agent's runs that have ended since the index was opened.
    #[must_use]
    pub fn tallies(&self) -> BTreeMap<String, Tally> {
        self.state().tallies()
    }

    /// Returns the number of tasks and of runs.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        self.state().size()
    }

    /// Returns the tasks of one project or of all, sorted by name.
    #[must_use]
    pub fn tasks(&self, project: Option<&ProjectId>) -> Vec<Arc<TaskSummary>> {
        self.state().tasks(project)
    }

    /// Returns the reason for the status of each of these tasks, one sentence each.
    #[must_use]
    pub fn reasons(&self, tasks: &[Arc<TaskSummary>], now: DateTime<Utc>) -> Vec<String> {
        self.state().reasons(tasks, now)
    }

    /// One task.
    #[must_use]
    pub fn task(&self, task: &TaskRef) -> Option<Arc<TaskSummary>> {
        self.state().task(task)
    }

    /// The tasks with a ticket, or with an unfinished run.
    #[must_use]
    pub fn wanted(&self) -> Vec<TaskRef> {
        self.state().wanted()
    }

    /// Returns the place of a task's ticket.
    #[must_use]
    pub fn place_of(&self, task: &TaskRef) -> Option<TicketFolder> {
        self.state().ticket_of(task).map(|(place, _)| place)
    }

    /// All runs, newest first.
    #[must_use]
    pub fn runs(&self) -> Vec<Arc<RunSummary>> {
        self.state().runs()
    }

    /// Returns one run. The id alone is unique except in trees that were copied together.
    #[must_use]
    pub fn run(&self, id: &RunId) -> Option<Arc<RunSummary>> {
        self.state().run(id)
    }

    /// Returns the task of the agent that started a task.
    #[must_use]
    pub fn parent_of(&self, task: &TaskSummary) -> Option<TaskRef> {
        let parent = task.parent()?;
        let found = self.state().run(parent)?;
        (found.run.task != task.task).then(|| found.run.task.clone())
    }

    /// The runs without a recorded end, newest first.
    #[must_use]
    pub fn unsettled(&self) -> Vec<Arc<RunSummary>> {
        self.state().newest_first().filter(|r| !r.settled).cloned().collect()
    }

    /// Returns the number of queued and of live tickets.
    #[must_use]
    pub fn tickets(&self) -> (usize, usize) {
        let tickets = self.state().tickets();
        let queued = tickets.values().filter(|t| t.place == TicketFolder::Queue).count();
        (queued, tickets.len() - queued)
    }

    /// One run by its full name.
    #[must_use]
    pub fn run_of(&self, run: &RunRef) -> Option<Arc<RunSummary>> {
        self.state().task(&run.task)?.runs.iter().find(|r| r.run == *run).cloned()
    }

    /// Distinguishes revisions of this index from those of others.
    #[must_use]
    pub fn incarnation(&self) -> &str {
        &self.incarnation
    }

    /// The number of the last change of a run.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.state().revision()
    }

    /// Returns the changes of runs after a revision, oldest first, at most some hundred.
    #[must_use]
    pub fn since(&self, revision: u64) -> Since {
        self.state().since(revision)
    }

    /// Returns the changed things of a part of the tree after a revision, in the order of the changes, some dozens at
    /// a time. `None` if the revision is too old, or does not exist yet.
    #[must_use]
    pub fn tree_since(&self, revision: u64, part: &Part) -> Option<Vec<TreeChange>> {
        self.state().tree_since(revision, part)
    }

    /// Wakes on every change.
    #[must_use]
    pub fn follow(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    fn publish(&self) {
        let now = {
            let state = self.state();
            state.revision() + state.tree_revision()
        };
        self.revision.send_if_modified(|last| std::mem::replace(last, now.max(*last)) < now);
    }

    fn looking(&self) -> MutexGuard<'_, ()> {
        self.look.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn state_mut(&self) -> std::sync::RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}
