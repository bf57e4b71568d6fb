//! Follows the bus of a project and those of its tasks as one stream, including the buses of future tasks.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use futures_util::{FutureExt, future::BoxFuture};
use tokio::{sync::watch, time::Instant};

use super::source::{Content, PollResult, Reader, Room, Source, SourceEvent, until};
use crate::{
    Api,
    error::{HttpError, Result},
};
use base::blocking;
use tree::{
    Tree, TreeError,
    bus::BusOwner,
    ids::{ProjectId, TaskId},
};
use view::{
    index::Index,
    merged::{BusesBegin, BusesCursor, BusesLog, ChangedBuses},
    watch::{Changed, Collector, Hints, Watched},
};

/// Follows the buses of a project.
pub(crate) struct BusesSource {
    tree: Tree,
    project: ProjectId,
    index: Arc<Index>,
    begin: Option<BusesBegin>,
    log: Option<Reader<Following>>,
    position: BusesCursor,
    hints: Hints,
    /// The tasks at the last look.
    tasks: Vec<TaskId>,
    changed_buses: ChangedBuses,
    changed: watch::Receiver<u64>,
    collector: Collector,
    /// The time of the last look at all buses.
    swept: Instant,
}

/// The buses and their watched folders.
struct Following {
    buses: BusesLog,
    hints: Hints,
    watched: BTreeMap<Option<TaskId>, Watched>,
}

impl BusesSource {
    /// Creates a reader of the buses of a project.
    pub(crate) fn new(api: &Api, project: &ProjectId, begin: BusesBegin) -> Self {
        let index = api.core.index.clone();
        Self {
            tree: api.core.runner.tree.clone(),
            project: project.clone(),
            begin: Some(begin),
            log: None,
            position: BusesCursor::default(),
            hints: api.core.hints.clone(),
            tasks: Vec::new(),
            changed_buses: ChangedBuses::Any,
            changed: index.follow(),
            collector: api.core.hints.collect(is_bus),
            swept: Instant::now(),
            index,
        }
    }

    /// Finds the start. Returns true if everything is sent again.
    ///
    /// # Errors
    /// If there is no such project, or no such message on any of its buses.
    pub(crate) async fn begin(&mut self) -> Result<bool> {
        let Some(begin) = self.begin.take() else { return Ok(false) };
        self.tasks = tasks(&self.index, &self.project);
        let (tree, project, tasks, hints) =
            (self.tree.clone(), self.project.clone(), self.tasks.clone(), self.hints.clone());
        let (log, reset) = blocking::run(move || {
            // Watch before reading: a change in between is then seen twice instead of never.
            let watched = BTreeMap::new();
            let mut watching = Watching { tree: &tree, project: &project, hints: &hints, watched };
            watching.watch(&tasks);
            let watched = watching.watched;
            let (buses, reset) = BusesLog::begin(tree, project, &tasks, begin)?;
            Ok::<_, TreeError>((Following { buses, hints, watched }, reset))
        })
        .await?;
        self.position = log.buses.position();
        self.log = Some(Reader::new(log));
        Ok(reset)
    }

    async fn read(&mut self, room: &mut Room) -> Result<PollResult> {
        let mut bytes = Room::USUAL;
        loop {
            match self.read_within(bytes).await? {
                Ok(result) => return Ok(result),
                Err(large) => {
                    room.make(large).await;
                    bytes = large;
                }
            }
        }
    }

    /// Reads some messages, at most `bytes` bytes. Returns the length of the next message if it alone is longer.
    async fn read_within(&mut self, bytes: u64) -> Result<std::result::Result<PollResult, u64>> {
        let mut events = Vec::new();
        match self.begin().await {
            Ok(true) => events
                .push(SourceEvent { content: Content::Reset, position: BusesCursor::default().to_string() }),
            Ok(false) => {}
            Err(e) if e.status == http::StatusCode::NOT_FOUND => return Ok(Ok(PollResult::Gone)),
            Err(e) => return Err(e),
        }
        self.changed.mark_unchanged();
        let now = tasks(&self.index, &self.project);
        let other_tasks = (now != self.tasks).then(|| now.clone());
        self.tasks = now;
        if self.swept.elapsed() >= self.hints.period() {
            self.changed_buses = ChangedBuses::Any;
        }
        if self.changed_buses == ChangedBuses::Any {
            self.swept = Instant::now();
        }
        let changed_buses = std::mem::replace(&mut self.changed_buses, ChangedBuses::These(BTreeSet::new()));
        let (tree, project) = (self.tree.clone(), self.project.clone());
        let log = self.log.as_mut().ok_or_else(|| HttpError::not_found("the buses were not found"))?;
        let read = log.read(move |own| {
            if let Some(tasks) = other_tasks {
                let watched = std::mem::take(&mut own.watched);
                let mut watching = Watching { tree: &tree, project: &project, hints: &own.hints, watched };
                watching.watch(&tasks);
                own.watched = watching.watched;
                own.buses.set_tasks(&tasks);
            }
            match own.buses.read(&changed_buses, usize::MAX, bytes) {
                Err(TreeError::NotFound { .. }) => Ok(None),
                read => read.map(|page| Some((page, own.buses.position()))),
            }
        });
        let Some((page, position)) = read.await? else { return Ok(Ok(PollResult::Gone)) };
        self.position = position;
        if let Some(large) = page.large.filter(|_| events.is_empty()) {
            return Ok(Err(large));
        }
        let each = |(message, position): (_, BusesCursor)| SourceEvent {
            content: Content::Message(message),
            position: position.to_string(),
        };
        events.extend(page.messages.into_iter().map(each));
        Ok(Ok(PollResult::Events(events)))
    }

    /// Records the changed paths. Returns true if one of them is a bus of this project.
    fn note(changed_buses: &mut ChangedBuses, tree: &Tree, project: &ProjectId, changed: &Changed) -> bool {
        let paths = match changed {
            Changed::Everything => {
                *changed_buses = ChangedBuses::Any;
                return true;
            }
            Changed::Paths(paths) => paths,
        };
        let ours =
            paths.iter().filter_map(|path| bus_of(tree, project, path)).map(|owner| owner.task().cloned());
        match changed_buses {
            ChangedBuses::Any => ours.count() > 0,
            ChangedBuses::These(names) => {
                let before = names.len();
                names.extend(ours);
                names.len() > before
            }
        }
    }
}

/// Watches the folders of the buses of a project.
struct Watching<'a> {
    tree: &'a Tree,
    project: &'a ProjectId,
    hints: &'a Hints,
    watched: BTreeMap<Option<TaskId>, Watched>,
}

impl Watching<'_> {
    fn watch(&mut self, tasks: &[TaskId]) {
        self.watched.retain(|task, _| task.as_ref().is_none_or(|task| tasks.binary_search(task).is_ok()));
        for task in std::iter::once(None).chain(tasks.iter().cloned().map(Some)) {
            self.watched.entry(task.clone()).or_insert_with(|| {
                let folder = BusOwner::new(self.project.clone(), task).path().parent();
                self.hints.watch(&self.tree.root().absolute(&folder))
            });
        }
    }
}

/// Returns the tasks of a project, sorted by name.
fn tasks(index: &Index, project: &ProjectId) -> Vec<TaskId> {
    index.tasks(Some(project)).iter().map(|task| task.task.task.clone()).collect()
}

fn is_bus(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "jsonl")
}

/// Returns the owner of the bus at a path, if the bus belongs to the project.
fn bus_of(tree: &Tree, project: &ProjectId, path: &Path) -> Option<BusOwner> {
    let rel = tree.root().relative(path)?;
    let mut names = rel.as_path().components().filter_map(|name| name.as_os_str().to_str());
    if names.next() != Some(project.as_str()) {
        return None;
    }
    let task = names.next().and_then(|name| name.parse().ok());
    let owner = BusOwner::new(project.clone(), task);
    (owner.path() == rel).then_some(owner)
}

impl Source for BusesSource {
    fn poll<'a>(&'a mut self, room: &'a mut Room) -> BoxFuture<'a, Result<PollResult>> {
        self.read(room).boxed()
    }

    fn wait(&mut self) -> BoxFuture<'_, ()> {
        let rest = self.hints.period().saturating_sub(self.swept.elapsed());
        let (project, seen) = (&self.project, &self.tasks);
        let changed = until(&self.index, &mut self.changed, move |index| tasks(index, project) != *seen);
        let (changed_buses, tree, collector) = (&mut self.changed_buses, &self.tree, &self.collector);
        async move {
            let grew = async { while !Self::note(changed_buses, tree, project, &collector.next().await) {} };
            tokio::select! {
                () = grew => {}
                () = changed => {}
                () = tokio::time::sleep(rest) => {}
            }
        }
        .boxed()
    }

    fn position(&self) -> String {
        self.position.to_string()
    }
}
