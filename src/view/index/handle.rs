//! The index as everybody uses it: one state behind a lock, one look at the disk at a time.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard},
};

use chrono::{DateTime, Utc};
use tokio::sync::watch;

use super::{
    changes::Since,
    entry::{RunSummary, Standing, TaskSummary},
    read,
    state::State,
};
use crate::tree::{
    Result, Tree,
    ids::{ProjectId, RunId},
    refs::TaskRef,
    ticket::Place,
};

/// What is in the tree, as it was last looked at.
#[derive(Debug)]
pub struct Index {
    state: RwLock<State>,
    /// Held from reading the disk to writing down what was read: nothing older overwrites it.
    look: Mutex<()>,
    revision: watch::Sender<u64>,
    incarnation: String,
}

impl Index {
    /// An index that knows nothing yet. `incarnation` tells its revisions from those of other processes.
    #[must_use]
    pub fn new(incarnation: String) -> Self {
        Self { state: RwLock::default(), look: Mutex::default(), revision: watch::channel(0).0, incarnation }
    }

    /// Reads the whole tree.
    ///
    /// # Errors
    /// If the root or the planner's folders cannot be read.
    pub fn build(&self, tree: &Tree) -> Result<()> {
        self.look_at_tickets(tree)?;
        let mut tasks = Vec::new();
        for project in tree.projects()? {
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
        drop(looking);
        self.publish();
        Ok(())
    }

    /// Looks at the tickets again. Returns the tasks whose ticket has come, moved or gone.
    ///
    /// # Errors
    /// If the planner's folders cannot be read.
    pub fn look_at_tickets(&self, tree: &Tree) -> Result<Vec<TaskRef>> {
        let _looking = self.looking();
        let places = read::tickets(tree, &self.state().tickets())?;
        Ok(self.state_mut().put_tickets(places))
    }

    /// Says where the queued tasks stand; those that are not named stand nowhere.
    pub fn put_standings(&self, standings: BTreeMap<TaskRef, Standing>) {
        self.state_mut().put_standings(standings);
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

    /// Wakes on every change of a run.
    #[must_use]
    pub fn follow(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    fn publish(&self) {
        let now = self.revision();
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
