//! The index as everybody uses it: one state behind a lock, one look at the disk at a time.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard},
};

use chrono::{DateTime, Utc};
use tokio::sync::watch;

use super::{
    changes::{Since, TreeChange},
    entry::{ProjectEntry, RunSummary, Standing, TaskSummary},
    list::{self, Page, RunQuery, TaskQuery},
    read,
    revisions::Part,
    state::State,
    tally::Tally,
};
use crate::{
    tree::{
        Fault, Result, Tree,
        bus::BusOwner,
        ids::{ProjectId, RunId, TaskId},
        refs::{RunRef, TaskRef},
        ticket::Place,
    },
    view::{
        bus_stats::{BusSizes, BusStats},
        task::TaskStatus,
    },
};

/// What is in the tree, as it was last looked at.
#[derive(Debug)]
pub struct Index {
    state: RwLock<State>,
    /// Held from reading the disk to writing down what was read: nothing older overwrites it.
    look: Mutex<()>,
    revision: watch::Sender<u64>,
    incarnation: String,
    buses: BusSizes,
}

impl Index {
    /// An index that knows nothing yet. `incarnation` tells its revisions from those of other processes.
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
            self.look_at_project(tree, &project)?;
            let ids = tree.tasks(&project)?;
            tasks.extend(ids.into_iter().map(|task| TaskRef { project: project.clone(), task }));
        }
        let places = self.state().places();
        let found = read::in_parallel(tree, &tasks, &places);
        let _looking = self.looking();
        let mut state = self.state_mut();
        for (task, summary) in found {
            // What was looked at since the scan began is newer.
            if state.task(&task).is_none() {
                state.put(&task, summary);
            }
        }
        Ok(())
    }

    /// Says that everything is known: from now on the index is ready.
    pub fn open(&self) {
        self.state_mut().open();
        self.publish();
    }

    /// Whether everything is known.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.state().is_ready()
    }

    /// Looks at one task and its runs again.
    ///
    /// # Errors
    /// If its folder cannot be read.
    pub fn look_at(&self, tree: &Tree, task: &TaskRef) -> Result<()> {
        let looking = self.looking();
        let (known, ticket) = {
            let state = self.state();
            (state.task(task), state.ticket_of(task))
        };
        let summary = read::task(tree, task, ticket, known.as_deref())?;
        self.state_mut().put(task, summary);
        self.posted_to(&BusOwner::Task(task.clone()));
        drop(looking);
        self.publish();
        Ok(())
    }

    /// Looks at a project's own files again.
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

    /// Looks at the tickets again. Returns the tasks whose ticket has come, moved or gone.
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

    /// The files that could not be read when they were looked at last.
    #[must_use]
    pub fn faults(&self) -> Vec<Fault> {
        self.state().faults()
    }

    /// Says where the queued tasks stand; those that are not named stand nowhere.
    pub fn put_standings(&self, standings: BTreeMap<TaskRef, Standing>) {
        self.state_mut().put_standings(standings);
        self.publish();
    }

    /// Says that a bus may have grown.
    pub fn posted_to(&self, owner: &BusOwner) {
        self.buses.touched(owner);
    }

    /// How many buses a project has, and how large they are. What others post to the bus of a task at rest is seen
    /// when the task is looked at next.
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

    /// The folders that projects and runs work in, each once, those used last first.
    #[must_use]
    pub fn work_folders(&self) -> Vec<Arc<str>> {
        self.state().work_folders()
    }

    /// The runs that are wanted, page by page.
    #[must_use]
    pub fn list_runs(&self, query: &RunQuery) -> Page<RunSummary> {
        list::runs(&self.state(), query)
    }

    /// The tasks that are wanted, page by page.
    #[must_use]
    pub fn list_tasks(&self, query: &TaskQuery) -> Page<TaskSummary> {
        list::tasks(&self.state(), query)
    }

    /// The tasks that a task waits for.
    #[must_use]
    pub fn blocked_by(&self, task: &TaskSummary) -> Vec<TaskId> {
        let state = self.state();
        let unmet = |id: &&TaskId| {
            state.task(&task.task.sibling((*id).clone())).is_none_or(|t| t.status() != TaskStatus::Completed)
        };
        task.depends_on.iter().filter(unmet).cloned().collect()
    }

    /// What the runs of each agent came to that have ended since the index was opened.
    #[must_use]
    pub fn tallies(&self) -> BTreeMap<String, Tally> {
        self.state().tallies()
    }

    /// How many tasks and how many runs there are.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        self.state().size()
    }

    /// The tasks, of one project or of all, sorted by name.
    #[must_use]
    pub fn tasks(&self, project: Option<&ProjectId>) -> Vec<Arc<TaskSummary>> {
        self.state().tasks(project)
    }

    /// Why each of these tasks stands where it stands, one sentence each.
    #[must_use]
    pub fn reasons(&self, tasks: &[Arc<TaskSummary>], now: DateTime<Utc>) -> Vec<String> {
        self.state().reasons(tasks, now)
    }

    /// One task.
    #[must_use]
    pub fn task(&self, task: &TaskRef) -> Option<Arc<TaskSummary>> {
        self.state().task(task)
    }

    /// The tasks with a ticket, or with a run that has not ended.
    #[must_use]
    pub fn wanted(&self) -> Vec<TaskRef> {
        self.state().wanted()
    }

    /// Where a task's ticket lies.
    #[must_use]
    pub fn place_of(&self, task: &TaskRef) -> Option<Place> {
        self.state().ticket_of(task).map(|(place, _)| place)
    }

    /// All runs, newest first.
    #[must_use]
    pub fn runs(&self) -> Vec<Arc<RunSummary>> {
        self.state().runs()
    }

    /// One run; the id alone is unique but in trees that were copied together.
    #[must_use]
    pub fn run(&self, id: &RunId) -> Option<Arc<RunSummary>> {
        self.state().run(id)
    }

    /// The task whose agent asked for a task.
    #[must_use]
    pub fn parent_of(&self, task: &TaskSummary) -> Option<TaskRef> {
        let parent = task.parent()?;
        let found = self.state().run(parent)?;
        (found.run.task != task.task).then(|| found.run.task.clone())
    }

    /// The runs whose end is not written down, newest first.
    #[must_use]
    pub fn unsettled(&self) -> Vec<Arc<RunSummary>> {
        self.state().newest_first().filter(|r| !r.settled).cloned().collect()
    }

    /// How many tickets wait, and how many are live.
    #[must_use]
    pub fn tickets(&self) -> (usize, usize) {
        let tickets = self.state().tickets();
        let queued = tickets.values().filter(|t| t.place == Place::Queue).count();
        (queued, tickets.len() - queued)
    }

    /// One run by its full name.
    #[must_use]
    pub fn run_of(&self, run: &RunRef) -> Option<Arc<RunSummary>> {
        self.state().task(&run.task)?.runs.iter().find(|r| r.run == *run).cloned()
    }

    /// Tells revisions of this index from those of others.
    #[must_use]
    pub fn incarnation(&self) -> &str {
        &self.incarnation
    }

    /// The number of the last change of a run.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.state().revision()
    }

    /// The changes of runs behind a revision, oldest first, at most some hundred.
    #[must_use]
    pub fn since(&self, revision: u64) -> Since {
        self.state().since(revision)
    }

    /// What of a part of the tree is different behind a revision, in the order of the changes, some dozens at a time;
    /// `None`: that is too long ago, or has not been yet.
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
