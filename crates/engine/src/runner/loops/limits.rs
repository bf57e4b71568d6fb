//! The limits of a loop: money, tokens, runs that change nothing, and the limits that its agents meet.

use chrono::{DateTime, TimeDelta, Utc};

use super::restart::MetLimit;
use crate::runner::{Runner, error::Result};
use base::words::usd;
use config::{Defaults, Limits};
use tree::{
    FsErrorKind,
    event::ErrorClass,
    refs::TaskRef,
    run_info::{RunInfo, RunStatus},
};

/// Maximum wait for a limit without a reported end.
const LONGEST: TimeDelta = TimeDelta::hours(1);

/// Returns the limit that was reached, in one sentence; `None` if none is set or reached.
pub(in crate::runner) fn hit(runner: &Runner, task: &TaskRef, limits: &Limits) -> Result<Option<String>> {
    if *limits == Limits::default() {
        return Ok(None);
    }
    let mut runs = Vec::new();
    for id in runner.tree.runs(task)? {
        // An unreadable record adds nothing; `fsck` names it.
        runs.extend(runner.tree.run_info(&task.run(id)));
    }
    // A replayed run costs nothing: its usage was paid for once.
    let usage = || runs.iter().filter(|r| r.replay_of.is_none()).filter_map(|r| r.usage.as_ref());
    let cost: f64 = usage().filter_map(|u| u.cost_usd).sum();
    if let Some(max) = limits.max_cost_usd.filter(|max| cost >= *max) {
        return Ok(Some(format!(
            "its runs cost {} USD of the {} that limits.max_cost_usd allows",
            usd(cost),
            usd(max)
        )));
    }
    let tokens: u64 = usage().map(|u| u.input_tokens.unwrap_or(0) + u.output_tokens.unwrap_or(0)).sum();
    if let Some(max) = limits.max_tokens.filter(|max| tokens >= *max) {
        return Ok(Some(format!("its runs used {tokens} tokens of the {max} that limits.max_tokens allows")));
    }
    match limits.no_progress_runs {
        Some(max) if same_answers(runner, task, &runs)? >= max => {
            Ok(Some(format!("its last {max} runs changed nothing (limits.no_progress_runs)")))
        }
        _ => Ok(None),
    }
}

/// Maximum length of an answer that is compared with others.
const MAX_COMPARED: u64 = 1 << 20;

/// Counts the last runs in a row that left the same answer and changed nothing in their folder, without a progress note
/// that is newer than them. A run that could not be compared as a whole may have changed something.
fn same_answers(runner: &Runner, task: &TaskRef, runs: &[RunInfo]) -> Result<u32> {
    let root = runner.tree.root();
    let noted = root.stat(&task.dir().state())?.map_or(0, |s| s.modified_ns);
    let mut same = 0;
    let mut answer: Option<Vec<u8>> = None;
    for run in runs.iter().rev() {
        let output = match root.read_if_file(&run.run_ref().dir().output(), MAX_COMPARED) {
            Ok(output) => output.unwrap_or_default(),
            // An answer that is too long to compare counts as a new one.
            Err(e) if e.kind() == FsErrorKind::TooLarge => break,
            Err(e) => return Err(e.into()),
        };
        let began = i128::from(run.start_time.timestamp_nanos_opt().unwrap_or(0));
        if !run.git.as_ref().is_some_and(|git| git.unchanged)
            || noted > began
            || answer.as_ref().is_some_and(|a| *a != output)
        {
            break;
        }
        answer = Some(output);
        same += 1;
    }
    Ok(same)
}

/// Returns the usage limit or overload that ended the last run, with the time of the next attempt, from the last runs
/// (newest first); `None` if the last run met no limit. Such a restart does not count.
///
/// A time that the agent reports takes precedence. Without one the loop waits for `restart_delay_max`, twice that
/// after the second such run in a row, and so on up to an hour, so that a limit of hours does not cause hundreds of
/// runs.
pub(in crate::runner) fn met_limit(
    past: &[RunInfo],
    settings: &Defaults,
    now: DateTime<Utc>,
) -> Option<MetLimit> {
    let overload = past.first()?.error_class == Some(ErrorClass::Overload);
    next_attempt(past, settings, now).map(|until| MetLimit { until, overload })
}

fn next_attempt(past: &[RunInfo], settings: &Defaults, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let last = past.first().filter(|run| met_a_limit(run))?;
    if last.retry_at.is_some() {
        return last.retry_at;
    }
    let untold = past.iter().take_while(|run| met_a_limit(run) && run.retry_at.is_none()).count();
    let doublings = u32::try_from(untold - 1).unwrap_or(u32::MAX).min(20);
    let first = TimeDelta::from_std(settings.restart_delay_max).unwrap_or(LONGEST);
    let pause = first.checked_mul(1 << doublings).unwrap_or(LONGEST).min(LONGEST.max(first));
    last.ended_by(now).checked_add_signed(pause)
}

/// Returns the reason, in one sentence, why no further run can succeed before a person changes something; `None` if
/// the next one may. `past` has the last runs, newest first.
///
/// Refused credentials stay refused. A refused request may have been too long for its conversation, which the next run
/// begins anew, so it takes two in a row.
pub(in crate::runner) fn cannot_heal(past: &[RunInfo], sign_in: &str) -> Option<String> {
    let refused = |run: &RunInfo, class| failed(run) && run.error_class == Some(class);
    let (last, before) = (past.first()?, past.get(1));
    let how = last.error_summary.as_deref().unwrap_or("no reason is known");
    if refused(last, ErrorClass::Auth) {
        return Some(format!("the provider refuses its credentials ({how}); {sign_in}"));
    }
    let twice =
        refused(last, ErrorClass::Request) && before.is_some_and(|run| refused(run, ErrorClass::Request));
    twice.then(|| {
        format!(
            "the provider refused its request twice in a row ({how}); correct the prompt, model or settings"
        )
    })
}

fn met_a_limit(run: &RunInfo) -> bool {
    failed(run) && matches!(run.error_class, Some(ErrorClass::UsageLimit | ErrorClass::Overload))
}

fn failed(run: &RunInfo) -> bool {
    matches!(run.status, RunStatus::Failed | RunStatus::Crashed)
}
