//! Posts the messages at the end of a loop: once, whichever driver posts them and however often it tries.

use chrono::TimeDelta;

use crate::runner::{Runner, error::Result, loops::restart::Say};
use base::words::count;
use tree::{
    bus::{Bus, Draft, LookBack, MessageType},
    run_info::RunInfo,
    task_end::TaskEnd,
};

/// Maximum jump of the clock backwards since the run began.
const CLOCK_SLACK: TimeDelta = TimeDelta::hours(24);

/// Posts the end of the loop to the task's bus, and to the project's bus too if the task is done. `info` is the last
/// run that began.
pub(in crate::runner) fn post(runner: &Runner, info: &RunInfo, end: &TaskEnd, say: Say) -> Result<()> {
    let task = info.task_ref();
    let once = format!("task-end:{}", end.run_id);
    let runs = count(end.attempt.into(), "run");
    let (kind, body) = match say {
        Say::Nothing => return Ok(()),
        Say::Done => (MessageType::TASK_DONE, format!("task {} is done after {runs}", task.task)),
        Say::Error => (MessageType::ERROR, format!("task {} failed: {}", task.task, end.reason)),
        Say::Question => (
            MessageType::QUESTION,
            format!(
                "task {} was stopped: {}. Continue it? Run `run-agent resume {task}`.",
                task.task, end.reason
            ),
        ),
    };
    post_once(runner, &runner.tree.task_bus(&task), info, kind, &body, &once)?;
    if say == Say::Done {
        let fact =
            format!("task {} completed after {runs}; its answer is in {}", task.task, info.output_path);
        post_once(runner, &runner.tree.project_bus(&task.project), info, MessageType::FACT, &fact, &once)?;
    }
    Ok(())
}

fn post_once(
    runner: &Runner,
    bus: &Bus,
    info: &RunInfo,
    kind: MessageType,
    body: &str,
    once: &str,
) -> Result<()> {
    let draft = Draft::new(kind, runner.redactor.text(body)).by_run(&info.run_id).with_meta("once", once);
    let oldest = info.start_time - CLOCK_SLACK;
    bus.post_once(&draft, |m| {
        if m.meta.get("once").is_some_and(|v| v == once) {
            LookBack::Found
        } else if m.is_older_than(oldest) {
            LookBack::Stop
        } else {
            LookBack::Continue
        }
    })?;
    Ok(())
}
