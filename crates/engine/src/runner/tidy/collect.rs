//! Removes old runs that have ended, and old tasks.
//!
//! It never removes anything of a task that is queued, live, driven or running, or that a queued or live task depends
//! on or was started by. A task that stays keeps these runs: the last one, which determines the task's status, the
//! last one with an answer, and the last successful one with an answer. Each candidate is examined again under the
//! task's lock before it is removed.

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use crate::runner::{
    Runner,
    accept::{new_run::discard, submit::holder},
    error::Result,
    loops::children::live_children,
};
use base::fsx::{EntryKind, RelPath};
use tree::{
    Tree, TreeError,
    ids::ProjectId,
    refs::{RunRef, TaskRef},
    run_info::RunStatus,
    ticket::TicketFolder,
};
use view::{
    answer::has_answer,
    scan::{self, TaskEntry, Tickets},
};

/// The rules for the age of runs and tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// A run is old if it ended before this time.
    pub before: DateTime<Utc>,
    /// This many of the latest runs of a task stay; at least one does.
    pub keep: usize,
    /// The treatment of runs that did not succeed.
    pub failed: Failed,
    /// The things that are removed.
    pub scope: Scope,
}

/// The treatment of runs that did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failed {
    /// They are removed like the others.
    Collect,
    /// They stay.
    Keep,
}

/// The things that are removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Only runs; tasks stay.
    Runs,
    /// Also whole tasks of which all runs are old.
    Tasks,
}

/// An old run or task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OldItem {
    /// A run.
    Run(RunRef),
    /// A task with all its runs.
    Task(TaskRef),
}

impl OldItem {
    fn task(&self) -> &TaskRef {
        match self {
            Self::Run(run) => &run.task,
            Self::Task(task) => task,
        }
    }

    fn path(&self) -> RelPath {
        match self {
            Self::Run(run) => run.dir().path().clone(),
            Self::Task(task) => task.dir().path().clone(),
        }
    }
}

/// An old run or task, with statistics.
#[derive(Debug, Clone)]
pub struct Collectable {
    /// The run or task.
    pub old: OldItem,
    /// The last end in it.
    pub ended: DateTime<Utc>,
    /// The number of its runs.
    pub runs: usize,
    /// The bytes of its files.
    pub bytes: u64,
}

/// Returns the old runs and tasks of a project.
///
/// # Errors
/// If a folder cannot be read. A task with unreadable records is skipped.
pub fn old(tree: &Tree, project: &ProjectId, policy: &Policy) -> Result<Vec<Collectable>> {
    let needed = needed(tree)?;
    let mut found = Vec::new();
    for task in tree.tasks(project)? {
        let task = TaskRef { project: project.clone(), task };
        if !tree.is_driven(&task)? {
            found.extend(of_free_task(tree, &task, policy, &needed)?);
        }
    }
    for one in &mut found {
        one.bytes = size(tree, &one.old.path())?;
    }
    Ok(found)
}

/// Removes an old run or task. Returns false if it is not old any more, or its task has a driver.
///
/// # Errors
/// If it cannot be removed.
pub fn collect(runner: &Runner, old: &OldItem, policy: &Policy) -> Result<bool> {
    let tree = &runner.tree;
    let lock = match tree.lock_task(old.task(), &holder()) {
        Ok(lock) => lock,
        Err(TreeError::Locked { .. }) => return Ok(false),
        Err(e) => return Err(e.into()),
    };
    // This process's own lock does not count as a driver.
    let still = of_free_task(tree, old.task(), policy, &needed(tree)?)?;
    if !still.iter().any(|found| found.old == *old) {
        return Ok(false);
    }
    let done = discard(runner, &old.path()).map(|()| true);
    drop(lock);
    done
}

/// Returns the tasks that queued and live ones depend on.
fn needed(tree: &Tree) -> Result<HashSet<TaskRef>> {
    let mut needed = HashSet::new();
    for folder in [TicketFolder::Queue, TicketFolder::Live] {
        for ticket in tree.tickets(folder)?.into_iter().filter_map(|f| f.ticket.ok()) {
            let project = &ticket.project_id;
            let named = ticket.depends_on.iter();
            needed.extend(named.map(|t| TaskRef { project: project.clone(), task: t.clone() }));
        }
    }
    Ok(needed)
}

/// Returns the old runs of a task without a driver, or the task itself; the size is not known yet.
fn of_free_task(
    tree: &Tree,
    task: &TaskRef,
    policy: &Policy,
    needed: &HashSet<TaskRef>,
) -> Result<Vec<Collectable>> {
    let tickets = Tickets::read(tree)?;
    let wanted = tickets.has(task) || needed.contains(task);
    if wanted || !live_children(tree, task)?.is_empty() {
        return Ok(Vec::new());
    }
    let entry = scan::task(tree, task, &tickets)?;
    if entry.unreadable.is_some() {
        return Ok(Vec::new());
    }
    let Some(runs) = past_runs(&entry) else { return Ok(Vec::new()) };
    if policy.scope == Scope::Tasks && is_over(&runs, policy) {
        let ended = runs.iter().map(|run| run.ended).max().unwrap_or_default();
        return Ok(vec![Collectable { old: OldItem::Task(task.clone()), ended, runs: runs.len(), bytes: 0 }]);
    }
    let chosen = choose(&runs, policy, |n| has_answer(tree, &entry.runs[n].run));
    let found = |n: usize| {
        let old = OldItem::Run(entry.runs[n].run.clone());
        Collectable { old, ended: runs[n].ended, runs: 1, bytes: 0 }
    };
    Ok(chosen.into_iter().map(found).collect())
}

/// A run that has ended.
#[derive(Debug, Clone, Copy)]
struct EndedRun {
    ended: DateTime<Utc>,
    status: RunStatus,
}

/// Returns the ends of all runs, oldest first; `None` if a run is active, or its record cannot be read.
fn past_runs(entry: &TaskEntry) -> Option<Vec<EndedRun>> {
    let past = |run: &scan::RunEntry| {
        let (info, status) = run.record.as_ref().ok()?;
        // A driver must first commit the end of a run that is over.
        info.status
            .is_final()
            .then(|| EndedRun { ended: info.end_time.unwrap_or(info.start_time), status: *status })
    };
    entry.runs.iter().map(past).collect()
}

/// Selects the runs of a task to remove; `answered` returns true for runs with an answer.
fn choose(runs: &[EndedRun], policy: &Policy, answered: impl Fn(usize) -> bool) -> Vec<usize> {
    let candidates = runs.len().saturating_sub(policy.keep.max(1));
    let old: Vec<usize> = (0..candidates).filter(|n| is_old(&runs[*n], policy)).collect();
    if old.is_empty() {
        return old;
    }
    let succeeded = |n: &usize| runs[*n].status == RunStatus::Completed;
    let last = (0..runs.len()).rev().find(|n| answered(*n));
    let last_good = (0..runs.len()).rev().find(|n| succeeded(n) && answered(*n));
    old.into_iter().filter(|n| ![last, last_good].contains(&Some(*n))).collect()
}

fn is_old(run: &EndedRun, policy: &Policy) -> bool {
    let kept = policy.failed == Failed::Keep && run.status != RunStatus::Completed;
    run.ended < policy.before && !kept
}

/// Returns true if all of a task is old.
fn is_over(runs: &[EndedRun], policy: &Policy) -> bool {
    !runs.is_empty() && runs.iter().all(|run| is_old(run, policy))
}

/// Returns the bytes of the files in a folder, without following links.
///
/// # Errors
/// If a folder cannot be read.
pub fn size(tree: &Tree, folder: &RelPath) -> Result<u64> {
    let root = tree.root();
    let mut bytes = 0;
    for entry in root.list(folder)? {
        let rel = folder.join(&entry.name);
        bytes += match entry.kind {
            EntryKind::Dir => size(tree, &rel)?,
            EntryKind::File => root.stat(&rel)?.map_or(0, |s| s.len),
            EntryKind::Other => 0,
        };
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: RunStatus = RunStatus::Completed;
    const BAD: RunStatus = RunStatus::Failed;

    fn day(n: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(n * 86_400, 0).unwrap()
    }

    fn past(runs: &[(i64, RunStatus)]) -> Vec<EndedRun> {
        runs.iter().map(|(n, status)| EndedRun { ended: day(*n), status: *status }).collect()
    }

    fn base() -> Policy {
        Policy { before: day(5), keep: 1, failed: Failed::Collect, scope: Scope::Runs }
    }

    #[test]
    fn the_latest_and_the_young_stay() {
        let runs = past(&[(1, GOOD), (2, BAD), (3, GOOD), (9, GOOD), (4, BAD)]);
        let base = base();
        for (policy, gone) in [
            (base, vec![0, 1, 2]),
            (Policy { keep: 0, ..base }, vec![0, 1, 2]),
            (Policy { keep: 3, ..base }, vec![0, 1]),
            (Policy { failed: Failed::Keep, ..base }, vec![0, 2]),
            (Policy { before: day(1), ..base }, vec![]),
            (Policy { keep: 9, ..base }, vec![]),
        ] {
            assert_eq!(choose(&runs, &policy, |n| n == 3), gone, "{policy:?}");
        }
        assert!(!is_over(&runs, &base) && is_over(&runs[..3], &base) && !is_over(&[], &base));
        assert!(!is_over(&runs[..3], &Policy { failed: Failed::Keep, ..base }));
    }

    #[test]
    fn the_last_answer_stays_and_so_does_the_last_one_of_a_success() {
        let stopped = RunStatus::Stopped;
        for (runs, answered, gone) in [
            // Resumed, and stopped before its next run began.
            (vec![(1, GOOD), (2, GOOD), (3, stopped)], vec![0, 1], vec![0]),
            (vec![(1, GOOD), (2, stopped), (3, stopped)], vec![0], vec![1]),
            // The output of a failed run is an answer, but possibly not the one to keep.
            (vec![(1, GOOD), (2, GOOD), (3, BAD), (4, stopped)], vec![0, 1, 2], vec![0]),
            (vec![(1, BAD), (2, BAD), (3, stopped)], vec![0, 1], vec![0]),
            (vec![(1, GOOD), (2, GOOD)], vec![], vec![0]),
            (vec![(1, GOOD), (2, GOOD)], vec![0, 1], vec![0]),
        ] {
            assert_eq!(choose(&past(&runs), &base(), |n| answered.contains(&n)), gone, "{runs:?}");
        }
    }
}
