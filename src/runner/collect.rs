//! Removing what is old: runs that have ended, and tasks that are done with.
//!
//! Never anything of a task that is queued, live, driven or running, or that a queued or live task depends on or was
//! started by; never a task's last run, which says where the task stands. What is found is looked at again, under
//! the task's lock, before it goes.

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use super::{Runner, children::live_children, error::Result, new_run::discard, submit::holder};
use crate::{
    fsx::{EntryKind, RelPath},
    tree::{
        Tree, TreeError,
        ids::ProjectId,
        refs::{RunRef, TaskRef},
        run_info::RunStatus,
        ticket::Place,
    },
    view::scan::{self, TaskEntry, Tickets},
};

/// What is old.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// It ended before this time.
    pub before: DateTime<Utc>,
    /// So many of the latest runs of a task stay; at least one does.
    pub keep: usize,
    /// Runs that did not succeed.
    pub failed: Failed,
    /// What goes of a task.
    pub scope: Scope,
}

/// What becomes of runs that did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failed {
    /// They go with the others.
    Collect,
    /// They stay.
    Keep,
}

/// How much goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Runs; tasks stay.
    Runs,
    /// Whole tasks too, of which nothing would stay but what is old.
    Tasks,
}

/// Something that is old.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Old {
    /// A run.
    Run(RunRef),
    /// A task with all its runs.
    Task(TaskRef),
}

impl Old {
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

/// What is old in a project, and how many bytes its files have.
///
/// # Errors
/// If a folder cannot be read. A task whose records cannot be read is passed over.
pub fn old(tree: &Tree, project: &ProjectId, policy: &Policy) -> Result<Vec<(Old, u64)>> {
    let needed = needed(tree)?;
    let mut found = Vec::new();
    for task in tree.tasks(project)? {
        let task = TaskRef { project: project.clone(), task };
        for old in of_task(tree, &task, policy, &needed)? {
            let bytes = size(tree, &old.path())?;
            found.push((old, bytes));
        }
    }
    Ok(found)
}

/// Removes something old. `false`: it is not old any more, or somebody has its task.
///
/// # Errors
/// If it cannot be removed.
pub fn collect(runner: &Runner, old: &Old, policy: &Policy) -> Result<bool> {
    let tree = &runner.tree;
    let lock = match tree.lock_task(old.task(), &holder()) {
        Ok(lock) => lock,
        Err(TreeError::Locked { .. }) => return Ok(false),
        Err(e) => return Err(e.into()),
    };
    // Our own lock is no reason to keep it.
    let still = of_free_task(tree, old.task(), policy, &needed(tree)?)?;
    if !still.contains(old) {
        return Ok(false);
    }
    let done = discard(runner, &old.path()).map(|()| true);
    drop(lock);
    done
}

/// The tasks that queued and live ones depend on.
fn needed(tree: &Tree) -> Result<HashSet<TaskRef>> {
    let mut needed = HashSet::new();
    for place in [Place::Queue, Place::Live] {
        for ticket in tree.tickets(place)?.into_iter().filter_map(|f| f.ticket.ok()) {
            let project = &ticket.project_id;
            let named = ticket.depends_on.iter();
            needed.extend(named.map(|t| TaskRef { project: project.clone(), task: t.clone() }));
        }
    }
    Ok(needed)
}

fn of_task(tree: &Tree, task: &TaskRef, policy: &Policy, needed: &HashSet<TaskRef>) -> Result<Vec<Old>> {
    if tree.is_driven(task)? {
        return Ok(Vec::new());
    }
    of_free_task(tree, task, policy, needed)
}

fn of_free_task(tree: &Tree, task: &TaskRef, policy: &Policy, needed: &HashSet<TaskRef>) -> Result<Vec<Old>> {
    let tickets = Tickets::read(tree)?;
    let wanted = tickets.place_of(task).is_some() || needed.contains(task);
    if wanted || !live_children(tree, task)?.is_empty() {
        return Ok(Vec::new());
    }
    let entry = scan::task(tree, task, &tickets)?;
    let Some(runs) = past_runs(&entry) else { return Ok(Vec::new()) };
    let chosen = choose(&runs, policy);
    if policy.scope == Scope::Tasks && is_over(&runs, policy) {
        return Ok(vec![Old::Task(task.clone())]);
    }
    Ok(chosen.into_iter().map(|n| Old::Run(entry.runs[n].run.clone())).collect())
}

/// When each run of a task ended and how, oldest first; `None` if one has not ended, or cannot be read.
fn past_runs(entry: &TaskEntry) -> Option<Vec<(DateTime<Utc>, RunStatus)>> {
    let past = |record: &crate::tree::Result<_>| match record {
        Ok((info, status)) => {
            let info: &crate::tree::run_info::RunInfo = info;
            // A run that is over by all signs, and whose end nobody has committed, is still somebody's to commit.
            info.status.is_final().then(|| (info.end_time.unwrap_or(info.start_time), *status))
        }
        Err(_) => None,
    };
    entry.runs.iter().map(|run| past(&run.record)).collect()
}

/// Which of a task's runs go.
fn choose(runs: &[(DateTime<Utc>, RunStatus)], policy: &Policy) -> Vec<usize> {
    let candidates = runs.len().saturating_sub(policy.keep.max(1));
    (0..candidates).filter(|n| is_old(&runs[*n], policy)).collect()
}

fn is_old((ended, status): &(DateTime<Utc>, RunStatus), policy: &Policy) -> bool {
    let kept = policy.failed == Failed::Keep && *status != RunStatus::Completed;
    *ended < policy.before && !kept
}

/// Whether nothing of a task need stay.
fn is_over(runs: &[(DateTime<Utc>, RunStatus)], policy: &Policy) -> bool {
    !runs.is_empty() && runs.iter().all(|run| is_old(run, policy))
}

/// Bytes of the files in a folder, links not followed.
pub(super) fn size(tree: &Tree, folder: &RelPath) -> Result<u64> {
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

    #[test]
    fn the_latest_and_the_young_stay() {
        let day = |n: i64| DateTime::from_timestamp(n * 86_400, 0).unwrap();
        let (good, bad) = (RunStatus::Completed, RunStatus::Failed);
        let runs = [(day(1), good), (day(2), bad), (day(3), good), (day(9), good), (day(4), bad)];
        let base = Policy { before: day(5), keep: 1, failed: Failed::Collect, scope: Scope::Runs };
        for (policy, gone) in [
            (base, vec![0, 1, 2]),
            (Policy { keep: 0, ..base }, vec![0, 1, 2]),
            (Policy { keep: 3, ..base }, vec![0, 1]),
            (Policy { failed: Failed::Keep, ..base }, vec![0, 2]),
            (Policy { before: day(1), ..base }, vec![]),
            (Policy { keep: 9, ..base }, vec![]),
        ] {
            assert_eq!(choose(&runs, &policy), gone, "{policy:?}");
        }
        assert!(!is_over(&runs, &base) && is_over(&runs[..3], &base) && !is_over(&[], &base));
        assert!(!is_over(&runs[..3], &Policy { failed: Failed::Keep, ..base }));
    }
}
