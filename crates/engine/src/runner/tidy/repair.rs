//! Repairs the findings of `fsck` that can be repaired without losing anything. A driven task is left to its driver.
//!
//! A finding may be outdated: each one is checked again, under the task's lock, before the repair.

use std::{sync::Arc, time::Duration};

use crate::runner::{
    Runner,
    accept::{
        new_run::{discard_if_unaccepted, some_ticket_is_unreadable},
        submit::holder,
    },
    attempt::{commit, drive, frozen_shim, orphan},
    error::Result,
    tidy::stale_files,
};
use process::claim::Claim;
use tree::{
    RelPath, Tree, TreeError,
    ids::TicketId,
    refs::{RunRef, TaskRef},
    task_lock::TaskLock,
    ticket::TicketFolder,
};
use view::fsck::{self, Finding, Rule, Severity, Subject};

/// Time between SIGTERM and SIGKILL for processes of an ended run.
const GRACE: Duration = Duration::from_secs(2);

/// The result of a repair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repaired {
    /// The finding is repaired.
    Yes,
    /// The finding is not to be repaired, is gone, or its task has a driver.
    No,
}

impl From<bool> for Repaired {
    fn from(mended: bool) -> Self {
        if mended { Self::Yes } else { Self::No }
    }
}

/// Repairs one finding.
///
/// # Errors
/// If the disk fails, or a record that the repair needs is unreadable; nothing is lost by that.
pub fn repair(runner: &Runner, finding: &Finding) -> Result<Repaired> {
    if finding.severity != Severity::Mendable {
        return Ok(Repaired::No);
    }
    let mended = match &finding.subject {
        Subject::Run(run) => {
            let Some(lock) = free(&runner.tree, &run.task)? else { return Ok(Repaired::No) };
            of_run(runner, run, finding.rule, lock)?
        }
        Subject::Ticket(folder, id, task) => void_ticket(&runner.tree, *folder, id, task)?,
        Subject::Path => match runner.tree.root().relative(&finding.path) {
            Some(path) => of_path(&runner.tree, &path, finding.rule)?,
            None => false,
        },
    };
    Ok(mended.into())
}

/// Returns the lock of a task without a driver; `None` if it has one.
fn free(tree: &Tree, task: &TaskRef) -> Result<Option<TaskLock>> {
    match tree.lock_task(task, &holder()) {
        Ok(lock) => Ok(Some(lock)),
        Err(TreeError::Locked { .. }) => Ok(None),
        Err(e) => Err(e.into()),
    }
}

fn of_run(runner: &Runner, run: &RunRef, rule: Rule, lock: TaskLock) -> Result<bool> {
    let tree = &runner.tree;
    match rule {
        // An unreadable ticket may have accepted this run.
        Rule::UnacceptedRun if some_ticket_is_unreadable(tree)? => Ok(false),
        Rule::UnacceptedRun => {
            let ticket = tree.ticket_of(&run.task)?.map(|(_, _, ticket)| ticket);
            discard_if_unaccepted(runner, run, ticket.as_ref())
        }
        Rule::UncommittedEnd => drive::settle(runner, Arc::new(lock), run.clone()),
        Rule::MissingOutput => {
            let info = tree.run_info(run)?;
            if info.status.is_final() {
                let account = view::run::account(tree, run, &info)?;
                commit::ensure_output(runner, run, &info, account.as_deref())?;
            }
            Ok(info.status.is_final())
        }
        Rule::LivingProcess => {
            let (info, claim) = (tree.run_info(run)?, view::run::claim(tree, run)?);
            let Some(claim) = claim.filter(Claim::is_of_this_boot) else { return Ok(false) };
            if info.status.is_final() {
                orphan::end_processes(&run.run, &claim, GRACE);
            }
            Ok(info.status.is_final())
        }
        Rule::FrozenShim => {
            let claim = view::run::claim(tree, run)?.filter(Claim::is_of_this_boot);
            Ok(claim.and_then(|claim| claim.shim).is_some_and(frozen_shim::wake))
        }
        _ => Ok(false),
    }
}

/// Removes a ticket that cannot start anything any more.
fn void_ticket(tree: &Tree, folder: TicketFolder, id: &TicketId, task: &TaskRef) -> Result<bool> {
    let exists = tree.root().exists(task.dir().path())?;
    // A task without a folder has no lock and no driver.
    let lock = if exists { free(tree, task)? } else { None };
    if exists && lock.is_none() {
        return Ok(false);
    }
    // Ticket numbers are reused: another task may have this one by now.
    let Some(ticket) = tree.ticket(folder, id)?.filter(|t| t.task() == *task) else { return Ok(false) };
    let void = fsck::is_void(tree, &ticket)?;
    if void {
        tree.close_ticket(folder, id)?;
    }
    Ok(void)
}

fn of_path(tree: &Tree, path: &RelPath, rule: Rule) -> Result<bool> {
    let root = tree.root();
    match rule {
        Rule::BusTorn => Ok(root.end_line(path)?),
        Rule::Leftover if path.parent() == tree::paths::top::trash() => {
            let left = fsck::is_left_behind(tree, path)?;
            if left {
                root.remove_tree(path)?;
            }
            Ok(left)
        }
        Rule::Leftover => stale_files::remove(tree, path),
        _ => Ok(false),
    }
}
