//! Rules for a run with a final record: the record is checked against all other traces of its end.

use chrono::TimeDelta;

use super::{Report, Rule, Subject, bus_rules::Ended, context::Context, value_rules};
use crate::{
    outcome::{self, Outcome},
    run::RunFacts,
};
use base::names;
use tree::{kinds::Executor, refs::RunRef, run_info::RunInfo};

/// Maximum time that a shim may live after its run's end.
const SHIM_GOES_WITHIN: TimeDelta = TimeDelta::seconds(10);

pub(super) fn check(context: &Context<'_>, run: &RunRef, facts: &RunFacts, report: &mut Report) -> Ended {
    let root = context.tree.root();
    let info = &facts.info;
    let record = root.absolute(&run.dir().info());
    if let Some(what) = value_rules::bad_times(info, facts.claim.as_ref(), facts.exit.as_ref()) {
        report.note(Rule::BadTimes, record.clone(), what);
    }
    let output = run.dir().output();
    if matches!(root.is_file(&output), Ok(false)) {
        let what = format!("run {} has ended without it", run.run);
        report.add(Rule::MissingOutput, root.absolute(&output), what, Subject::Run(run.clone()));
    }
    if let Some((file, outcome)) = told_otherwise(facts) {
        let what = format!("it says {}, {file} says {}", say(&of_record(info)), say(&outcome));
        report.note(Rule::ExitDisagrees, record.clone(), what);
    } else if let Some(what) = facts.claim.as_ref().and_then(|c| value_rules::other_process(info, c)) {
        report.note(Rule::ExitDisagrees, record.clone(), what);
    }
    let alive = living(context, run, facts);
    if !alive.is_empty() {
        let what = format!("the run has ended, and of its processes {} are still there", alive.join(", "));
        report.add(Rule::LivingProcess, record, what, Subject::Run(run.clone()));
    }
    // Only a run with a process has a start to report.
    Ended { run: run.clone(), began: info.pid.is_some(), imported: info.executor == Executor::Imported }
}

/// Returns the file that contradicts the record about the end.
fn told_otherwise(facts: &RunFacts) -> Option<(&'static str, Outcome)> {
    let (file, outcome) = match (&facts.exit, &facts.claim) {
        (Some(exit), _) => (names::run::EXIT, outcome::of_exit(exit, facts.account.as_deref())),
        (None, Some(claim)) => (names::run::CLAIM, outcome::of_driver_claim(claim)?),
        (None, None) => return None,
    };
    let info = of_record(&facts.info);
    let same =
        (outcome.status, outcome.exit_code, outcome.signal) == (info.status, info.exit_code, info.signal);
    (!same).then_some((file, outcome))
}

fn of_record(info: &RunInfo) -> Outcome {
    Outcome {
        status: info.status,
        exit_code: info.exit_code,
        signal: info.signal,
        error_summary: None,
        ended_at: info.end_time,
        started_at: None,
    }
}

fn say(outcome: &Outcome) -> String {
    let status = outcome.status.as_str();
    match (outcome.exit_code, outcome.signal) {
        (Some(code), _) => format!("{status} (exit code {code})"),
        (None, Some(signal)) => format!("{status} ({})", outcome::signal_name(signal)),
        (None, None) => status.to_owned(),
    }
}

/// Returns the live processes of the run, found by its claim and by their environment.
fn living(context: &Context<'_>, run: &RunRef, facts: &RunFacts) -> Vec<String> {
    let claim = facts.claim.as_ref().filter(|c| c.is_of_this_boot());
    let late = facts.info.end_time.is_some_and(|end| context.tree.clock().now() - end > SHIM_GOES_WITHIN);
    let shim = claim.and_then(|c| c.shim).filter(|shim| late && shim.is_alive());
    let agent = claim.and_then(|c| c.agent).filter(|agent| agent.is_alive());
    let mut pids: Vec<i32> =
        shim.into_iter().chain(agent).chain(context.marked.alive(&run.run)).map(|p| p.pid).collect();
    pids.sort_unstable();
    pids.dedup();
    pids.into_iter().map(|pid| pid.to_string()).collect()
}
