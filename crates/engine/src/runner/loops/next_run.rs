//! The next attempt of a loop: its agent and its prompt.

use crate::runner::{
    Runner,
    accept::{
        folder,
        new_run::{NewRun, make_run},
    },
    agent::{diversify, launch},
    error::Result,
};
use base::record::MAX_RECORD;
use tree::{
    refs::RunRef,
    run_info::{RunInfo, RunStatus},
    task::TaskKind,
    task_lock::TaskLock,
};

/// Creates the run that follows `last`.
pub(in crate::runner) fn make_next_run(runner: &Runner, lock: &TaskLock, last: &RunInfo) -> Result<RunRef> {
    let task = lock.task();
    let config = runner.tree.task_config(task)?;
    // A conversation stays with its agent.
    let failed =
        matches!(last.status, RunStatus::Failed | RunStatus::Crashed) && config.kind != TaskKind::Session;
    let cwd = folder::of_task(runner, task, &config)?;
    let other = failed.then(|| diversify::after_failure(runner, &cwd, &last.agent)).transpose()?.flatten();
    let agent = other.unwrap_or_else(|| last.agent.clone());
    let agent_type = agents::find(&*runner.config_in(&cwd)?, &agent)?.agent_type;
    let words = continued(runner, last)?;
    let run = NewRun {
        agent: &agent,
        agent_type: agent_type.as_str(),
        executor: last.executor.clone(),
        cwd: &cwd,
        parent: last.parent_run_id.clone(),
        previous: Some(last),
        attempt: last.attempt + 1,
        command: &config.command,
        words: &words,
        protocol: launch::protocol_of(&agent, agent_type, config.kind)?,
    };
    let mut batch = runner.tree.root().batch();
    let run = make_run(runner, lock, &mut batch, run)?;
    batch.commit()?;
    Ok(run)
}

/// Composes the task's prompt for an agent that continues the work of earlier runs.
pub(in crate::runner) fn continued(runner: &Runner, last: &RunInfo) -> Result<String> {
    let task = last.task_ref();
    let prompt = runner.tree.root().read_opt(&task.dir().prompt(), MAX_RECORD)?.unwrap_or_default();
    let prompt = String::from_utf8_lossy(&prompt);
    let took = last.took().as_secs();
    let how = last.error_summary.as_deref().unwrap_or("it ended without an error, but did not say DONE");
    Ok(format!(
        "Continue working on the following:\n\n{prompt}\n\n---\n\n\
         How the attempt before this one ended: run `{run}` (attempt {attempt}) was {status} after {took} s: {how}.\n\
         Its answer is in {output}, what it printed in {stdout}.\n",
        run = last.run_id,
        attempt = last.attempt,
        status = last.status.as_str(),
        output = last.output_path,
        stdout = last.stdout_path,
    ))
}
