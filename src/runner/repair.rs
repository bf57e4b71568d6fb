//! Mending what `fsck` finds, where nothing can be lost by it. What somebody drives is left to him.

use std::{sync::Arc, time::Duration};

use super::{
    Runner, commit, drive,
    error::{Result, RunnerError},
    new_run::discard_unaccepted,
    orphan,
    submit::holder,
};
use crate::{
    process::claim::Claim,
    tree::{TreeError, refs::RunRef, task_lock::TaskLock},
    view::fsck::{Finding, Rule, Severity, Subject},
};

/// How long processes of an ended run have between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(2);

/// Mends one finding. `false`: it is not to be mended, or somebody is at it.
///
/// # Errors
/// If the disk fails.
pub fn repair(runner: &Runner, finding: &Finding) -> Result<bool> {
    if finding.severity != Severity::Mendable {
        return Ok(false);
    }
    match (&finding.subject, finding.rule) {
        (Subject::Run(run), Rule::LivingProcess) => {
            let claim = Claim::read(runner.tree.root(), run.dir().path()).ok().flatten();
            let Some(claim) = claim.filter(Claim::is_of_this_boot) else { return Ok(false) };
            orphan::end_processes(&run.run, &claim, GRACE);
            Ok(true)
        }
        (Subject::Run(run), rule) => with_lock(runner, run, |lock| of_run(runner, run, rule, lock)),
        (Subject::Ticket(place, id, task), _) => {
            // Under the task's lock, where there is a task: its driver closes the ticket itself.
            let _lock = match task {
                Some(task) if runner.tree.root().exists(task.dir().path())? => {
                    match runner.tree.lock_task(task, &holder()) {
                        Ok(lock) => Some(lock),
                        Err(TreeError::Locked { .. }) => return Ok(false),
                        Err(e) => return Err(e.into()),
                    }
                }
                _ => None,
            };
            runner.tree.close_ticket(*place, id)?;
            Ok(true)
        }
        (Subject::Path, Rule::Leftover) => remove(runner, finding),
        (Subject::Path, _) => Ok(false),
    }
}

fn with_lock(
    runner: &Runner,
    run: &RunRef,
    mend: impl FnOnce(Arc<TaskLock>) -> Result<bool>,
) -> Result<bool> {
    match runner.tree.lock_task(&run.task, &holder()) {
        Ok(lock) => mend(Arc::new(lock)),
        Err(TreeError::Locked { .. }) => Ok(false),
        Err(e) => Err(RunnerError::from(e)),
    }
}

fn of_run(runner: &Runner, run: &RunRef, rule: Rule, lock: Arc<TaskLock>) -> Result<bool> {
    match rule {
        Rule::UnacceptedRun => {
            let ticket = runner.tree.ticket_of(&run.task)?.map(|(_, _, ticket)| ticket);
            discard_unaccepted(runner, &run.task, ticket.as_ref())?;
            Ok(!runner.tree.root().exists(run.dir().path())?)
        }
        Rule::UncommittedEnd => drive::settle(runner, lock, run.clone()),
        Rule::MissingOutput => {
            commit::ensure_output(runner, run, &runner.tree.run_info(run)?)?;
            Ok(true)
        }
        _ => Ok(false),
    }
}

fn remove(runner: &Runner, finding: &Finding) -> Result<bool> {
    let root = runner.tree.root();
    let Some(path) = root.relative(&finding.path) else { return Ok(false) };
    if finding.path.is_dir() {
        root.remove_tree(&path)?;
        Ok(true)
    } else {
        Ok(root.remove(&path)?)
    }
}
