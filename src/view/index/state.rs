//! The entries themselves and their order; touches no disk.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use chrono::{DateTime, Utc};

use super::{
    changes::{History, Since},
    entry::{RunSummary, Standing, TaskSummary},
    read::{Known, Tickets},
};
use crate::{
    tree::{
        ids::{ProjectId, RunId, TicketId},
        refs::TaskRef,
        ticket::Place,
    },
    view::why::{self, Around, Served, Waits},
};

/// Everything that the index knows.
#[derive(Debug, Default)]
pub(super) struct State {
    tasks: BTreeMap<TaskRef, Arc<TaskSummary>>,
    /// By id, which sorts by time; several runs of one id are found in trees that were copied together.
    runs: BTreeMap<RunId, Vec<Arc<RunSummary>>>,
    tickets: Tickets,
    /// The tasks that stand somewhere in the queue.
    standing: Vec<TaskRef>,
    history: History,
    ready: bool,
}

impl State {
    pub(super) fn is_ready(&self) -> bool {
        self.ready
    }

    /// What was found at the start is no news; from now on changes are told.
    pub(super) fn open(&mut self) {
        self.history.forget();
        self.ready = true;
    }

    /// Takes in what was read of a task; `None`: it is gone.
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
                self.history.note(old.map(Arc::as_ref), run);
                self.forget(run);
                self.runs.entry(run.run.run.clone()).or_default().push(run.clone());
            }
        }
        match summary {
            Some(mut summary) => {
                summary.standing = before.and_then(|b| b.standing.clone());
                self.tasks.insert(task.clone(), Arc::new(summary));
            }
            None => {
                self.tasks.remove(task);
            }
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

    /// Takes in the tickets. Returns the tasks whose ticket has come, moved or gone.
    pub(super) fn put_tickets(&mut self, tickets: Tickets) -> Vec<TaskRef> {
        let differs = |a: &Tickets, b: &Tickets| {
            let missing = a.iter().filter(|(id, at)| b.get(id) != Some(at));
            missing.map(|(_, ticket)| ticket.task.clone()).collect::<Vec<_>>()
        };
        let mut changed = differs(&self.tickets, &tickets);
        changed.extend(differs(&tickets, &self.tickets));
        changed.sort_unstable();
        changed.dedup();
        self.tickets = tickets;
        changed
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
        if let Some(task) = self.tasks.get_mut(task).filter(|t| t.standing != standing) {
            Arc::make_mut(task).standing = standing;
        }
    }

    pub(super) fn tickets(&self) -> Tickets {
        self.tickets.clone()
    }

    /// Where the tickets of the tasks lie.
    pub(super) fn places(&self) -> HashMap<TaskRef, (Place, TicketId)> {
        self.tickets.iter().map(|(id, t)| (t.task.clone(), (t.place, id.clone()))).collect()
    }

    pub(super) fn ticket_of(&self, task: &TaskRef) -> Option<(Place, TicketId)> {
        self.tickets.iter().find(|(_, t)| t.task == *task).map(|(id, t)| (t.place, id.clone()))
    }

    /// Why each of these tasks stands where it stands.
    pub(super) fn reasons(&self, tasks: &[Arc<TaskSummary>], now: DateTime<Utc>) -> Vec<String> {
        let live = self.tickets.values().filter(|t| t.place == Place::Live && t.parent.is_none());
        let live: Vec<TaskRef> = live.map(|t| t.task.clone()).collect();
        let reason = |task: &Arc<TaskSummary>| {
            let ours =
                |t: &&Known| t.parent.as_ref().is_some_and(|p| task.runs.iter().any(|r| r.run.run == *p));
            let waits = match &task.standing {
                Some(Standing::Position(n)) => Waits::ForPlace(*n),
                Some(Standing::Blocked(why)) => Waits::ForTasks(why.clone()),
                None => Waits::ForDriver,
            };
            // Only what is wanted waits for anybody.
            let children = if task.own.ticket.is_some() {
                self.tickets.values().filter(ours).map(|t| t.task.clone()).collect()
            } else {
                Vec::new()
            };
            // It is the daemon who keeps an index.
            let around = Around { waits, live: &live, children, daemon: Served::Yes, now };
            why::sentence(&task.task, &task.own, &around)
        };
        tasks.iter().map(reason).collect()
    }

    pub(super) fn tasks(&self, project: Option<&ProjectId>) -> Vec<Arc<TaskSummary>> {
        let wanted = |t: &&Arc<TaskSummary>| project.is_none_or(|p| t.task.project == *p);
        self.tasks.values().filter(wanted).cloned().collect()
    }

    pub(super) fn task(&self, task: &TaskRef) -> Option<Arc<TaskSummary>> {
        self.tasks.get(task).cloned()
    }

    pub(super) fn wanted(&self) -> Vec<TaskRef> {
        let open = self.tasks.values().filter(|t| t.runs.iter().any(|r| !r.settled));
        let mut wanted: Vec<TaskRef> = open.map(|t| t.task.clone()).collect();
        wanted.extend(self.tickets.values().map(|t| t.task.clone()));
        wanted.sort_unstable();
        wanted.dedup();
        wanted
    }

    pub(super) fn runs(&self) -> Vec<Arc<RunSummary>> {
        self.runs.values().rev().flatten().cloned().collect()
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
}
