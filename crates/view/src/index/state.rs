//! The entries themselves and their order, without access to the disk.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use chrono::{DateTime, Utc};

use super::{
    changes::{EntryState, History, Since, TreeChange},
    entry::{ProjectEntry, ProjectSummary, RunSummary, TaskSummary},
    read::{TicketFacts, Tickets},
    revisions::{Entity, Part, Revisions},
    tally::Tally,
};
use crate::{
    task::Standing,
    why::{self, DaemonPresence, Surroundings},
};
use tree::{
    Fault,
    ids::{ProjectId, RunId, TicketId},
    refs::TaskRef,
    ticket::TicketFolder,
};

/// The whole content of the index.
#[derive(Debug, Default)]
pub(super) struct State {
    tasks: BTreeMap<TaskRef, Arc<TaskSummary>>,
    /// By id, which sorts by time. Trees that were copied together may have several runs of one id.
    runs: BTreeMap<RunId, Vec<Arc<RunSummary>>>,
    projects: BTreeMap<ProjectId, Arc<ProjectSummary>>,
    tickets: Tickets,
    /// Unreadable tickets.
    ticket_faults: Vec<Fault>,
    /// The tasks with an unreadable file.
    faulty: BTreeSet<TaskRef>,
    /// The tasks with a run that is not known to have ended.
    open: BTreeSet<TaskRef>,
    /// The tasks with a position in the queue.
    standing: Vec<TaskRef>,
    history: History,
    revisions: Revisions,
    /// Statistics of each agent's runs that have ended since the index was opened.
    tallies: BTreeMap<String, Tally>,
    ready: bool,
}

impl State {
    pub(super) fn is_ready(&self) -> bool {
        self.ready
    }

    /// Discards the changes of the first scan; from now on changes are reported.
    pub(super) fn open(&mut self) {
        self.history.forget();
        self.ready = true;
    }

    /// Stores the result of reading a task; `None` if the task is gone.
    pub(super) fn put(&mut self, task: &TaskRef, summary: Option<TaskSummary>) {
        let before = self.tasks.get(task).cloned();
        let known = before.as_ref().map_or(&[][..], |b| &b.runs);
        let now = summary.as_ref().map_or(&[][..], |s| &s.runs);
        for run in known.iter().filter(|r| !now.iter().any(|n| n.run == r.run)) {
            self.forget(run);
        }
        for run in now {
            let old = known.iter().find(|r| r.run == run.run);
            if old != Some(run) {
                self.count_end(old.map(Arc::as_ref), run);
                self.history.note(old.map(Arc::as_ref), run);
                self.forget(run);
                let same = self.runs.entry(run.run.run.clone()).or_default();
                same.push(run.clone());
                same.sort_unstable_by(|a, b| a.run.cmp(&b.run));
            }
        }
        if summary.as_ref().is_some_and(|s| !s.faults.is_empty()) {
            self.faulty.insert(task.clone());
        } else {
            self.faulty.remove(task);
        }
        if now.iter().any(|run| !run.settled) {
            self.open.insert(task.clone());
        } else {
            self.open.remove(task);
        }
        let counted = |task: Option<&TaskSummary>| task.map(|t| (t.last_activity, t.runs.is_empty()));
        if counted(before.as_deref()) != counted(summary.as_ref())
            && self.projects.contains_key(&task.project)
        {
            self.revisions.touch(Entity::Project(task.project.clone()));
        }
        if let Some(mut summary) = summary {
            summary.standing = before.as_ref().and_then(|b| b.standing.clone());
            if before.as_deref() != Some(&summary) {
                self.revisions.touch(Entity::Task(task.clone()));
                self.tasks.insert(task.clone(), Arc::new(summary));
            }
        } else {
            self.revisions.gone(Entity::Task(task.clone()));
            self.tasks.remove(task);
        }
    }

    fn forget(&mut self, run: &RunSummary) {
        if let Some(same) = self.runs.get_mut(&run.run.run) {
            same.retain(|r| r.run != run.run);
            if same.is_empty() {
                self.runs.remove(&run.run.run);
            }
        }
    }

    fn count_end(&mut self, before: Option<&RunSummary>, now: &RunSummary) {
        if let Some(status) = now.status.filter(|s| s.is_final())
            && self.ready
            && !before.is_some_and(RunSummary::is_final)
        {
            self.tallies.entry(now.agent.clone()).or_default().count(
                status,
                now.start_time.zip(now.end_time).map(|(start, end)| end - start),
                now.spent(),
            );
        }
    }

    /// Returns statistics of each agent's runs that have ended since the index was opened.
    pub(super) fn tallies(&self) -> BTreeMap<String, Tally> {
        self.tallies.clone()
    }

    /// Returns the number of tasks and of runs.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.tasks.len(), self.runs.len())
    }

    /// Stores the result of reading a project; `None` if the project is gone.
    pub(super) fn put_project(&mut self, project: &ProjectId, summary: Option<ProjectSummary>) {
        if let Some(summary) = summary {
            if self.projects.get(project).is_none_or(|known| **known != summary) {
                self.revisions.touch(Entity::Project(project.clone()));
                self.projects.insert(project.clone(), Arc::new(summary));
            }
        } else {
            self.revisions.gone(Entity::Project(project.clone()));
            self.projects.remove(project);
        }
    }

    pub(super) fn projects(&self) -> Vec<ProjectEntry> {
        self.projects.values().map(|p| self.entry_of(p)).collect()
    }

    pub(super) fn project(&self, project: &ProjectId) -> Option<ProjectEntry> {
        self.projects.get(project).map(|p| self.entry_of(p))
    }

    fn entry_of(&self, summary: &Arc<ProjectSummary>) -> ProjectEntry {
        let (mut tasks, mut last_activity) = (0, summary.marked_at);
        for task in self.of_project(Some(&summary.project)) {
            tasks += usize::from(!task.runs.is_empty());
            last_activity = last_activity.max(task.last_activity.unwrap_or(last_activity));
        }
        ProjectEntry { summary: summary.clone(), tasks, last_activity }
    }

    /// The folders that projects and runs work in, each once, last used first.
    pub(super) fn work_folders(&self) -> Vec<Arc<str>> {
        let mut used: HashMap<&Arc<str>, DateTime<Utc>> = HashMap::new();
        let homes = self.projects.values().filter_map(|p| Some((p.home.as_ref()?, p.marked_at)));
        let runs = self.runs.values().flatten().filter_map(|r| Some((r.cwd.as_ref()?, r.made_or_started?)));
        for (folder, at) in homes.chain(runs) {
            let last = used.entry(folder).or_insert(at);
            *last = at.max(*last);
        }
        let mut used: Vec<_> = used.into_iter().collect();
        used.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        used.into_iter().map(|(folder, _)| folder.clone()).collect()
    }

    /// The tasks of a project, or all, sorted by name.
    pub(super) fn of_project(&self, project: Option<&ProjectId>) -> impl Iterator<Item = &Arc<TaskSummary>> {
        self.tasks.values().filter(move |t| project.is_none_or(|p| t.task.project == *p))
    }

    /// All runs, newest first.
    pub(super) fn newest_first(&self) -> impl DoubleEndedIterator<Item = &Arc<RunSummary>> {
        self.runs.values().rev().flat_map(|same| same.iter().rev())
    }

    /// The unreadable files.
    pub(super) fn faults(&self) -> Vec<Fault> {
        let tasks = self.faulty.iter().filter_map(|task| self.tasks.get(task));
        self.ticket_faults.iter().chain(tasks.flat_map(|t| &t.faults)).cloned().collect()
    }

    /// Stores the tickets. Returns the tasks with a ticket that is new, moved or gone.
    pub(super) fn put_tickets(&mut self, tickets: Tickets, faults: Vec<Fault>) -> Vec<TaskRef> {
        self.ticket_faults = faults;
        let differs = |a: &Tickets, b: &Tickets| {
            let missing = a.iter().filter(|(id, at)| b.get(id) != Some(at));
            missing.map(|(_, ticket)| ticket.task.clone()).collect::<Vec<_>>()
        };
        let mut changed = differs(&self.tickets, &tickets);
        changed.extend(differs(&tickets, &self.tickets));
        changed.sort_unstable();
        changed.dedup();
        self.tell_the_waiting(&tickets);
        self.tickets = tickets;
        changed
    }

    /// Marks the tasks with a reason that names other tasks as changed, if these tickets change the reason.
    fn tell_the_waiting(&mut self, tickets: &Tickets) {
        if live_roots(&self.tickets).ne(live_roots(tickets)) {
            for task in self.standing.clone() {
                self.revisions.touch(Entity::Task(task));
            }
        }
        let children = |of: &Tickets| of.values().filter_map(|t| t.parent.clone()).collect::<Vec<RunId>>();
        let (before, now) = (children(&self.tickets), children(tickets));
        let come_or_gone =
            before.iter().filter(|p| !now.contains(p)).chain(now.iter().filter(|p| !before.contains(p)));
        for parent in come_or_gone {
            if let Some(run) = self.run(parent) {
                self.revisions.touch(Entity::Task(run.run.task.clone()));
            }
        }
    }

    pub(super) fn put_standings(&mut self, standings: BTreeMap<TaskRef, Standing>) {
        for name in std::mem::take(&mut self.standing) {
            if !standings.contains_key(&name) {
                self.stand(&name, None);
            }
        }
        self.standing = standings.keys().cloned().collect();
        for (name, standing) in standings {
            self.stand(&name, Some(standing));
        }
    }

    fn stand(&mut self, task: &TaskRef, standing: Option<Standing>) {
        if let Some(known) = self.tasks.get_mut(task).filter(|t| t.standing != standing) {
            Arc::make_mut(known).standing = standing;
            self.revisions.touch(Entity::Task(task.clone()));
        }
    }

    pub(super) fn tickets(&self) -> Tickets {
        self.tickets.clone()
    }

    /// Returns the numbers of the tasks' tickets.
    pub(super) fn ticket_ids(&self) -> HashMap<TaskRef, TicketId> {
        self.tickets.iter().map(|(id, t)| (t.task.clone(), id.clone())).collect()
    }

    pub(super) fn ticket_of(&self, task: &TaskRef) -> Option<(TicketFolder, TicketId)> {
        self.tickets.iter().find(|(_, t)| t.task == *task).map(|(id, t)| (t.place, id.clone()))
    }

    /// Returns the reason for the status of each of these tasks.
    pub(super) fn reasons(&self, tasks: &[Arc<TaskSummary>], now: DateTime<Utc>) -> Vec<String> {
        let live: Vec<TaskRef> = live_roots(&self.tickets).cloned().collect();
        let reason = |task: &Arc<TaskSummary>| {
            let ours = |t: &&TicketFacts| {
                t.parent.as_ref().is_some_and(|p| task.runs.iter().any(|r| r.run.run == *p))
            };
            let standing = task.standing.clone().unwrap_or(Standing::Next);
            // Only a task with a ticket waits for its children.
            let children = if task.files.ticket.is_some() {
                self.tickets.values().filter(ours).map(|t| t.task.clone()).collect()
            } else {
                Vec::new()
            };
            // Only a daemon keeps an index, so a daemon serves this root.
            let around = Surroundings {
                standing,
                live: &live,
                runs: task.runs.len(),
                children,
                daemon: DaemonPresence::Running,
                now,
                // A list does not read the files of its runs.
                last_error: None,
            };
            why::sentence(&task.task, &task.files, &around)
        };
        tasks.iter().map(reason).collect()
    }

    pub(super) fn tasks(&self, project: Option<&ProjectId>) -> Vec<Arc<TaskSummary>> {
        self.of_project(project).cloned().collect()
    }

    pub(super) fn task(&self, task: &TaskRef) -> Option<Arc<TaskSummary>> {
        self.tasks.get(task).cloned()
    }

    /// The tasks with a ticket, or with a run that is not known to have ended. Every hint asks for them, so the cost
    /// does not depend on the size of the tree.
    pub(super) fn wanted(&self) -> Vec<TaskRef> {
        let with_ticket = self.tickets.values().map(|t| &t.task);
        let wanted: BTreeSet<&TaskRef> = self.open.iter().chain(with_ticket).collect();
        wanted.into_iter().cloned().collect()
    }

    pub(super) fn runs(&self) -> Vec<Arc<RunSummary>> {
        self.newest_first().cloned().collect()
    }

    pub(super) fn run(&self, id: &RunId) -> Option<Arc<RunSummary>> {
        self.runs.get(id)?.first().cloned()
    }

    pub(super) fn revision(&self) -> u64 {
        self.history.last()
    }

    pub(super) fn since(&self, revision: u64) -> Since {
        self.history.since(revision)
    }

    /// The number of the last change of a project or task.
    pub(super) fn tree_revision(&self) -> u64 {
        self.revisions.last()
    }

    /// Returns the changed things of a part after a revision, in their current state.
    pub(super) fn tree_since(&self, revision: u64, part: &Part) -> Option<Vec<TreeChange>> {
        let changes = self.revisions.since(revision, part)?.into_iter();
        Some(changes.map(|(revision, thing)| TreeChange { revision, now: self.now(thing) }).collect())
    }

    fn now(&self, thing: Entity) -> EntryState {
        match thing {
            Entity::Project(id) => self.project(&id).map_or(EntryState::NoProject(id), EntryState::Project),
            Entity::Task(name) => self.task(&name).map_or(EntryState::NoTask(name), EntryState::Task),
        }
    }
}

/// Returns the root tasks that have been admitted.
fn live_roots(tickets: &Tickets) -> impl Iterator<Item = &TaskRef> {
    tickets.values().filter(|t| t.place == TicketFolder::Live && t.parent.is_none()).map(|t| &t.task)
}
