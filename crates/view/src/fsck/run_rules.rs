//! Rules for one run that has not ended; `ended_rules` has the others.

use super::{Report, Rule, Subject, bus_rules::Ended, context::Context, ended_rules, stray, value_rules};
use crate::run::{self, RunFacts, RunState};
use process::liveness::{self, Liveness};
use tree::{RelPath, TreeError, refs::RunRef, run_info::RunStatus, transcript::damaged_events};

/// Checks a run. If it has ended, returns the facts that must be on its task's bus.
pub(super) fn check(context: &Context<'_>, run: &RunRef, report: &mut Report) -> Option<Ended> {
    let tree = context.tree;
    stray::run(tree, run, report);
    // The record is read first, because the driver that commits an end writes the record last.
    let info = tree.run_info(run);
    let missing = matches!(info, Err(TreeError::NotFound { .. }));
    let info = report.readable(info);
    let claim = report.readable(run::claim(tree, run));
    let liveness = claim.as_ref().and_then(Option::as_ref).map_or(Liveness::Gone, liveness::of);
    let exit = report.readable(run::exit(tree, run));
    // An unreadable file is already reported, and nothing more can be checked.
    let (claim, exit) = (claim?, exit?);
    let record = tree.root().absolute(&run.dir().info());
    if missing {
        if claim.is_some() {
            report.note(Rule::MissingRecord, record, "the run was claimed, and has no record");
        } else {
            unaccepted(context, run, "it has no record", report);
        }
        return None;
    }
    let info = info?;
    if (&info.project_id, &info.task_id, &info.run_id) != (&run.task.project, &run.task.task, &run.run) {
        let what = format!("it is the record of {}/{}/{}", info.project_id, info.task_id, info.run_id);
        report.note(Rule::MisplacedRecord, record, what);
        return None;
    }
    if claim.is_none() && run::has_begun(&info, exit.as_ref()) {
        let path = tree.root().absolute(&run.dir().claim());
        report.note(Rule::MissingClaim, path, format!("run {} has begun without it", run.run));
        return None;
    }
    if let Some(what) = value_rules::impossible(&info) {
        report.note(Rule::ImpossibleValue, record.clone(), what);
    }
    let damaged = report.readable(damaged_events(tree.root(), &run.dir()));
    if let Some(damaged @ 1..) = damaged {
        let what = format!("has {damaged} line(s) that do not fit their checksum");
        report.note(Rule::EventsDamaged, tree.root().absolute(&run.dir().events()), what);
    }
    let account = report.readable(run::account(tree, run, &info))?;
    let facts = RunFacts { info, job: None, claim, exit, liveness, account };
    match facts.state(None) {
        RunState::Ended(_) => return Some(ended_rules::check(context, run, &facts, report)),
        RunState::Ending(outcome) => {
            if context.is_unattended(&run.task, report) && is_still(context, run, facts.info.status) {
                let (is, says) = (outcome.status.as_str(), facts.info.status.as_str());
                let what = format!("the run is {is}, and its record says {says}");
                report.add(Rule::UncommittedEnd, record, what, Subject::Run(run.clone()));
            }
        }
        RunState::Created => created(context, run, report),
        RunState::Running(Liveness::Shim(shim)) if shim.is_frozen() => {
            let what = format!("the shim of run {} (pid {}) is stopped by a signal", run.run, shim.pid);
            report.add(
                Rule::FrozenShim,
                tree.root().absolute(&run.dir().claim()),
                what,
                Subject::Run(run.clone()),
            );
        }
        RunState::Running(_) => {}
    }
    None
}

/// Checks a run without a claim.
fn created(context: &Context<'_>, run: &RunRef, report: &mut Report) {
    let tree = context.tree;
    let held = report.readable(tree.root().is_locked(&run.dir().lock()).map_err(TreeError::from));
    if held == Some(true) && context.is_unattended(&run.task, report) {
        let path = tree.root().absolute(&run.dir().lock());
        report.note(Rule::SilentShim, path, format!("run {} is not claimed", run.run));
    } else {
        unaccepted(context, run, "it has no ticket and no claim", report);
    }
}

/// Reports a run that was never accepted. It may have been accepted since the tickets were read: then it is driven,
/// wanted, or over.
fn unaccepted(context: &Context<'_>, run: &RunRef, what: &str, report: &mut Report) {
    let tree = context.tree;
    if context.tickets.may_want(run) || !context.is_unattended(&run.task, report) {
        return;
    }
    let wanted = tree.ticket_of(&run.task).map(|found| found.is_some_and(|(_, _, t)| t.run_id == run.run));
    let folder = run.dir();
    let there = |rel: &RelPath| tree.root().exists(rel).unwrap_or(false);
    let begun = there(&folder.claim()) || tree.run_info(run).is_ok_and(|i| i.status != RunStatus::Created);
    if matches!(wanted, Ok(false)) && !begun && there(folder.path()) {
        let path = tree.root().absolute(folder.path());
        report.add(Rule::UnacceptedRun, path, what, Subject::Run(run.clone()));
    }
}

/// Returns true if a run's record still has this status; a driver may have committed the end since.
fn is_still(context: &Context<'_>, run: &RunRef, status: RunStatus) -> bool {
    context.tree.run_info(run).is_ok_and(|info| info.status == status)
}
