//! Starts a run once, through its executor, unless a marker says that it is not wanted any more.

use std::time::Duration;

use crate::runner::{
    Runner,
    agent::{
        executors::{self, Placed},
        launch::{self, Start},
    },
    attempt::changes,
    error::{Result, RunnerError},
};
use base::fsx::Published;
use config::spell_duration;
use process::{
    claim::{Claim, EndsAs},
    executor::{JobState, Launch, Submitted},
    launch_files::{self, JobRecord},
    spec::ShimReport,
};
use tree::{FsErrorKind, TreeError, run_info::RunInfo};

/// The state of a run after the attempt to start it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::runner) enum Started {
    /// Its claim says what has become of it.
    Claimed,
    /// Its executor has it. Look again after this time.
    HandedOver(Duration),
}

/// Starts a run that has no claim yet. The result is in the run's folder afterwards. `made` receives what was built for the
/// start.
pub(in crate::runner) fn start(runner: &Runner, info: &RunInfo, made: &mut Option<Start>) -> Result<Started> {
    let (root, run) = (runner.tree.root(), info.run_ref());
    for (marker, reason) in [
        (run.task.dir().done(), "the task was done before it started"),
        (run.task.dir().stop(), "stopped before it started"),
    ] {
        if root.is_file(&marker)? {
            return never(runner, info, EndsAs::Stopped, reason);
        }
    }
    let Some(placed) = executors::of(runner, &info.executor) else {
        let why = format!("executor '{}' is not configured", info.executor);
        return never(runner, info, EndsAs::Failed, &why);
    };
    if let Some(job) = JobRecord::read(root, run.dir().path())? {
        return await_claim(runner, info, &placed, &job);
    }
    // A shim and an agent get the root by its path. A run that starts now would fail, although its tree may come back.
    root.must_be_in_place()?;
    let Start { spec, env, file, record_changes, .. } = match launch::spec(runner, info) {
        Ok(start) => &*made.insert(start),
        // A folder or program may be gone since the acceptance: that ends the run, not its driver.
        Err(RunnerError::Tree(TreeError::Fs(e)))
            if e.kind() != FsErrorKind::TooLarge && !e.is_wrong_kind() =>
        {
            return Err(e.into());
        }
        Err(e) => return never(runner, info, EndsAs::Failed, &e.to_string()),
    };
    if let Some(file) = file {
        root.replace(&run.dir().path().join(file.name), file.content.as_bytes())?;
    }
    // The snapshot of the working folder and the shim's own start take about as long, so they run at the same time.
    let mut look = || {
        if *record_changes {
            changes::before(runner, info);
        }
    };
    let launch = Launch { root, spec, env };
    match placed.executor.submit(&launch, &mut look) {
        Ok(Submitted::Reported(ShimReport::Claimed | ShimReport::AlreadyClaimed)) => Ok(Started::Claimed),
        Ok(Submitted::Reported(ShimReport::Failed(why))) => {
            root.must_be_in_place()?;
            never(runner, info, EndsAs::Failed, &format!("could not be started: {why}"))
        }
        Ok(Submitted::HandedOver) => Ok(Started::HandedOver(placed.poll)),
        Err(source) => Err(RunnerError::Shim { program: runner.program.clone(), source }),
    }
}

/// Asks the executor for a run that was handed over and is not claimed yet. The wait has a limit, because a job that is
/// queued for ever would hold its task's place for ever.
fn await_claim(runner: &Runner, info: &RunInfo, placed: &Placed, job: &JobRecord) -> Result<Started> {
    match placed.executor.find(runner.tree.root(), info.run_ref().dir().path()) {
        Ok(JobState::Queued | JobState::Running) => {}
        // If the shim has claimed the run since it was looked at, that claim holds.
        Ok(JobState::Gone) => {
            let why = format!("executor '{}' has lost it before it started", info.executor);
            return never(runner, info, EndsAs::Failed, &why);
        }
        Err(e) => {
            tracing::warn!(run = %info.run_id, executor = %info.executor, error = %e, "cannot ask an executor about its job; trying again");
        }
    }
    let Some(limit) = placed.start_timeout else { return Ok(Started::HandedOver(placed.poll)) };
    let waited = (runner.tree.clock().now() - job.submitted_at).to_std().unwrap_or_default();
    let left = limit.saturating_sub(waited);
    if left.is_zero() {
        let (executor, limit) = (&info.executor, spell_duration(limit));
        let why = format!("executor '{executor}' has not started it within {limit} (start_timeout)");
        return never(runner, info, EndsAs::Failed, &why);
    }
    Ok(Started::HandedOver(placed.poll.min(left)))
}

/// Claims a run so that it never starts. If a shim was faster, the run has started, and its claim holds.
fn never(runner: &Runner, info: &RunInfo, ends_as: EndsAs, reason: &str) -> Result<Started> {
    let (root, dir) = (runner.tree.root(), info.run_ref().dir());
    let claim = Claim::by_driver(runner.tree.clock().now(), ends_as, reason);
    let published = claim.publish(root, dir.path())?;
    if published == Published::Ours && !info.executor.is_local() {
        launch_files::remove_secrets(root, dir.path())?;
        if let Some(Err(e)) =
            executors::of(runner, &info.executor).map(|p| p.executor.cancel(root, dir.path()))
        {
            // The job finds the claim when it starts, and ends at once.
            tracing::warn!(run = %info.run_id, executor = %info.executor, error = %e, "cannot cancel a job at its executor");
        }
    }
    Ok(Started::Claimed)
}
