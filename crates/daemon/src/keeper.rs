//! Keeps the index: reads again the things that hints name or that the daemon has changed, and everything
//! periodically.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use super::parts::Parts;
use base::{blocking, names};
use engine::{planner, runner};
use tree::{
    RelPath, Result, TreeError,
    ids::{ProjectId, TaskId},
    paths::{ProjectDir, top},
    refs::TaskRef,
    run_info::RunStatus,
    ticket::TicketFolder,
};
use view::{
    task::Standing,
    watch::{Changed, Watched},
};

/// The pause after the first hint of a burst, so that the burst is read together. It is long enough for the files of
/// a start, which reading must not delay. The daemon's own changes are read at once.
const GATHER: Duration = Duration::from_millis(25);

/// Files that an agent or its driver writes, and that do not affect the status of a run.
const NOISE: [&str; 10] = [
    names::run::STDOUT,
    names::run::STDERR,
    names::run::LOG_TIMES,
    names::run::EVENTS,
    names::task::BUS,
    names::project::BUS,
    names::task::PROMPT,
    names::run::PROMPT,
    names::task::LOCK,
    names::run::LOCK,
];

/// Files that may let a queued task pass the gate: its own, or those of a task that it waits for.
const MARKERS: [&str; 2] = [names::task::DONE, names::task::STOP];

/// The file that names a project's home.
const ROOT_MARKER: &str = names::project::ROOT_MARKER;

/// The things to be read again.
#[derive(Debug, Default)]
struct Todo {
    tickets: bool,
    /// A DONE or a STOP was created or removed, which may change the positions of queued tasks.
    markers: bool,
    projects: BTreeSet<ProjectId>,
    all_projects: bool,
    tasks: BTreeSet<TaskRef>,
}

/// The keeper's own state: the watched folders.
#[derive(Debug)]
struct Watching {
    keeper: Arc<IndexKeeper>,
    watched: HashMap<PathBuf, Watched>,
    swept: Instant,
}

/// Keeps the index of the daemon.
#[derive(Debug)]
pub(super) struct IndexKeeper(Parts);

impl IndexKeeper {
    /// A keeper that has not looked yet.
    pub(super) fn new(parts: Parts) -> Arc<Self> {
        Arc::new(Self(parts))
    }

    /// Builds the index and keeps it until the shutdown begins.
    pub(super) async fn keep(self: Arc<Self>) {
        let collector = self.0.hints.collect(matters);
        let watching = Watching { keeper: self.clone(), watched: HashMap::new(), swept: Instant::now() };
        let mut watching = blocking::run(move || watching.begun()).await;
        loop {
            let changed = tokio::select! {
                () = self.0.shutdown.token().cancelled() => return,
                changed = collector.next() => {
                    tokio::time::sleep(GATHER).await;
                    changed
                }
                () = tokio::time::sleep(self.0.hints.period()) => Changed::Everything,
            };
            watching = blocking::run(move || watching.look_again(changed)).await;
        }
    }

    /// Reads a task again that we have just changed, so that the next reader sees the change.
    pub(super) fn refresh(&self, task: &TaskRef) -> Result<()> {
        let tree = &self.0.runner.tree;
        let moved = self.0.index.look_at_tickets(tree)?;
        for other in moved.iter().filter(|m| *m != task) {
            self.0.index.look_at(tree, other)?;
        }
        self.0.index.look_at(tree, task)?;
        self.0.index.look_at_project(tree, &task.project)?;
        self.restand()
    }

    /// Determines the positions of the queued tasks again.
    fn restand(&self) -> Result<()> {
        let mut standings = BTreeMap::new();
        if !self.0.runner.tree.ticket_ids(TicketFolder::Queue)?.is_empty() {
            for (_, ticket, standing) in planner::standings(&self.0.runner.tree, self.0.limits())? {
                // A ticket that is admitted in a moment does not wait, and would only change twice.
                if standing != Standing::Next {
                    standings.insert(ticket.task(), standing);
                }
            }
        }
        self.0.index.put_standings(standings);
        Ok(())
    }
}

impl Watching {
    /// Reads everything for the first time, and tries again until that succeeds.
    fn begun(mut self) -> Self {
        let root = self.keeper.0.runner.tree.root().clone();
        let planner = [root.absolute(&top::queue()), root.absolute(&top::live())];
        for folder in root.absolute_everywhere(&RelPath::top()).into_iter().chain(planner) {
            self.watch(folder);
        }
        if let Err(e) = self.keeper.0.index.build(&self.keeper.0.runner.tree) {
            tracing::error!(error = %e, "cannot read the tree; trying again");
            return self;
        }
        discard_abandoned(&self.keeper.0);
        clear_left_behind(&self.keeper.0);
        let watching = self.settled(Todo { tickets: true, all_projects: true, ..Todo::default() });
        watching.keeper.0.index.open();
        watching
    }

    fn look_again(self, changed: Changed) -> Self {
        if !self.keeper.0.index.is_ready() {
            return self.begun();
        }
        let todo = match changed {
            Changed::Paths(paths) => {
                let tree = &self.keeper.0.runner.tree;
                let markers = paths.iter().any(|path| MARKERS.iter().any(|marker| path.ends_with(marker)));
                let mut todo = Todo { markers, ..Todo::default() };
                for path in &paths {
                    if let Some(rel) = tree.root().relative(path) {
                        todo.add(rel.as_path());
                    }
                }
                todo
            }
            Changed::Everything => self.everything(),
        };
        if todo.markers {
            self.keeper.0.wake.up();
        }
        self.settled(todo)
    }

    /// Returns the things to be read periodically: the live tasks, or all tasks if the sweep is due. With native hints
    /// the period is that of the sweep.
    fn everything(&self) -> Todo {
        let index = &self.keeper.0.index;
        let sweep = self.keeper.0.runner.config.watch.sweep;
        let due = self.swept.elapsed() >= sweep;
        let tasks =
            if due { index.tasks(None).iter().map(|t| t.task.clone()).collect() } else { index.wanted() };
        let tasks = tasks.into_iter().collect();
        Todo { tickets: true, markers: true, all_projects: true, tasks, ..Todo::default() }
    }

    /// Reads the due things, then watches newly live tasks, and reads these once more.
    fn settled(mut self, todo: Todo) -> Self {
        if self.swept.elapsed() >= self.keeper.0.runner.config.watch.sweep {
            self.swept = Instant::now();
        }
        if let Err(e) = self.settle(todo) {
            // The next sweep tries again.
            tracing::warn!(error = %e, "cannot read a part of the tree");
        }
        self
    }

    fn settle(&mut self, mut todo: Todo) -> Result<()> {
        // The cost depends on the length of the queue, so this is done only if needed.
        let restand = todo.tickets || todo.markers;
        loop {
            let moved = if todo.tickets {
                self.keeper.0.index.look_at_tickets(&self.keeper.0.runner.tree)?
            } else {
                Vec::new()
            };
            todo.tasks.extend(moved);
            self.list(&mut todo)?;
            for task in &todo.tasks {
                if let Err(e) = self.keeper.0.index.look_at(&self.keeper.0.runner.tree, task) {
                    self.keeper.0.faults.complain(task, &e.into(), "cannot read a task");
                }
            }
            self.keeper.0.faults.settle(self.keeper.0.index.faults());
            let again = self.watch_what_is_live();
            if again.is_empty() {
                break;
            }
            // Reads the changes between the first read and the start of the watch.
            todo = Todo { tasks: again, ..Todo::default() };
        }
        if restand { self.keeper.restand() } else { Ok(()) }
    }

    /// Finds the created and removed tasks of the projects to be read.
    fn list(&mut self, todo: &mut Todo) -> Result<()> {
        let tree = self.keeper.0.runner.tree.clone();
        if todo.all_projects {
            todo.projects.extend(tree.projects()?);
            todo.projects
                .extend(self.keeper.0.index.projects().into_iter().map(|p| p.summary.project.clone()));
        }
        for project in &todo.projects {
            self.keeper.0.index.look_at_project(&tree, project)?;
            let dir = ProjectDir::new(project);
            // Watched before it is listed: a change in between is then seen twice instead of never.
            for folder in tree.root().absolute_everywhere(dir.path()) {
                self.watch(folder);
            }
            let known = self.keeper.0.index.tasks(Some(project));
            let known: BTreeSet<TaskId> = known.iter().map(|known| known.task.task.clone()).collect();
            let there: BTreeSet<TaskId> = tree.tasks(project)?.into_iter().collect();
            let named = |task: &TaskId| TaskRef { project: project.clone(), task: task.clone() };
            todo.tasks.extend(known.symmetric_difference(&there).map(named));
        }
        Ok(())
    }

    /// Watches the folders of live tasks and no others. Returns the tasks with a newly watched folder.
    fn watch_what_is_live(&mut self) -> BTreeSet<TaskRef> {
        let root = self.keeper.0.runner.tree.root().clone();
        let mut live: HashMap<PathBuf, TaskRef> = HashMap::new();
        for name in self.keeper.0.index.wanted() {
            let Some(task) = self.keeper.0.index.task(&name) else { continue };
            let runs = task.runs.iter().filter(|r| !r.settled).map(|r| r.run.dir().path().clone());
            for folder in [name.dir().path().clone(), name.dir().runs()].into_iter().chain(runs) {
                live.insert(root.absolute(&folder), name.clone());
            }
        }
        let tops = root.absolute_everywhere(&RelPath::top());
        let own = |folder: &PathBuf| {
            let below = root.relative(folder);
            let of_all = |rel: RelPath| {
                rel.parent() == RelPath::top() || rel.as_path().starts_with(top::planner().as_path())
            };
            tops.contains(folder) || below.is_some_and(of_all)
        };
        self.watched.retain(|folder, _| own(folder) || live.contains_key(folder));
        let mut fresh = BTreeSet::new();
        for (folder, task) in live {
            if !self.watched.contains_key(&folder) {
                self.watch(folder);
                fresh.insert(task);
            }
        }
        fresh
    }

    fn watch(&mut self, folder: PathBuf) {
        if !self.watched.contains_key(&folder) {
            let watched = self.keeper.0.hints.watch(&folder);
            self.watched.insert(folder, watched);
        }
    }
}

impl Todo {
    /// Adds the things that a changed path below the root affects.
    fn add(&mut self, path: &Path) {
        let mut names = path.components().filter_map(|c| c.as_os_str().to_str());
        let (project, task) = (names.next(), names.next());
        match (project, task) {
            (Some(names::top::PLANNER), _) => self.tickets = true,
            (Some(project), task) => {
                let Ok(project) = project.parse::<ProjectId>() else { return };
                match task.map(str::parse::<TaskId>) {
                    Some(Ok(task)) => {
                        self.tasks.insert(TaskRef { project, task });
                    }
                    Some(Err(_)) if !path.ends_with(ROOT_MARKER) => {}
                    Some(Err(_)) | None => {
                        self.projects.insert(project);
                    }
                }
            }
            (None, _) => self.all_projects = true,
        }
    }
}

/// Returns true if a change of this path can affect the index.
fn matters(path: &Path) -> bool {
    let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
    !name.starts_with('.') && !NOISE.contains(&name)
}

/// Removes runs that were not accepted because of a crash.
fn discard_abandoned(parts: &Parts) {
    for task in parts.index.tasks(None) {
        let created = task.runs.iter().any(|r| r.status == Some(RunStatus::Created));
        let shown = parts.runner.tree.root().is_only_shown(task.task.dir().path());
        if !created || shown || parts.index.place_of(&task.task).is_some() {
            continue;
        }
        match runner::discard_abandoned(&parts.runner, &task.task) {
            Ok(()) => {
                if let Err(e) = parts.index.look_at(&parts.runner.tree, &task.task) {
                    parts.faults.complain(&task.task, &e.into(), "cannot read a task");
                }
            }
            // Another process is just accepting the task.
            Err(runner::RunnerError::Tree(TreeError::Locked { .. })) => {}
            Err(e) => parts.faults.complain(&task.task, &e, "cannot remove an abandoned run"),
        }
    }
}

/// Removes stale files of killed daemons in the folders that belong to daemons.
fn clear_left_behind(parts: &Parts) {
    for folder in [top::daemon(), top::queue(), top::live()] {
        if let Err(e) = runner::clear_left_behind(&parts.runner.tree, &folder) {
            tracing::warn!(error = %e, %folder, "cannot remove the temporary files of a killed daemon");
        }
    }
}
