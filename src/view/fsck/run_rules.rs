//! What is wrong with one run.

use super::{Report, Rule, Subject, bus_rules::Told, processes::Marked};
use crate::{
    process::exit::ExitRecord,
    tree::{
        Result, Tree, TreeError,
        refs::RunRef,
        run_info::{RunInfo, RunStatus},
    },
    view::{
        outcome,
        run::{RunFacts, RunState},
    },
};

/// A run, with what its task knows of it.
#[derive(Debug)]
pub(super) struct Looked {
    pub(super) run: RunRef,
    /// Whether somebody holds the task's lock: then what looks unfinished is being worked on.
    pub(super) driven: bool,
    /// Whether a ticket names it.
    pub(super) wanted: bool,
}

pub(super) fn check(
    tree: &Tree,
    of: &Looked,
    told: &Told,
    marked: &Marked,
    report: &mut Report,
) -> Result<()> {
    let run = &of.run;
    let dir = run.dir();
    let folder = tree.root().absolute(dir.path());
    let subject = || Subject::Run(run.clone());
    let missing = !tree.root().exists(&dir.info())?;
    if missing && !of.driven && !of.wanted && !tree.root().exists(&dir.claim())? {
        report.add(Rule::UnacceptedRun, folder, "the run has no record", subject());
        return Ok(());
    }
    let Some(facts) = report.unless_unreadable(RunFacts::read(tree, run))? else { return Ok(()) };
    match facts.state(None) {
        RunState::Created if !of.wanted && !of.driven => {
            report.add(
                Rule::UnacceptedRun,
                folder,
                "no ticket names it and nobody has claimed it",
                subject(),
            );
        }
        RunState::Ending(outcome) if !of.driven => {
            let what = format!(
                "the run is {}, and its record says {}",
                outcome.status.as_str(),
                facts.info.status.as_str()
            );
            report.add(Rule::UncommittedEnd, tree.root().absolute(&dir.info()), what, subject());
        }
        RunState::Ended(_) => ended(tree, run, &facts.info, told, marked, report)?,
        RunState::Created | RunState::Running(_) | RunState::Ending(_) => {}
    }
    Ok(())
}

fn ended(
    tree: &Tree,
    run: &RunRef,
    info: &RunInfo,
    told: &Told,
    marked: &Marked,
    report: &mut Report,
) -> Result<()> {
    let root = tree.root();
    let dir = run.dir();
    let record = root.absolute(&dir.info());
    if info.end_time.is_none_or(|end| end < info.start_time) {
        report.add(
            Rule::BadTimes,
            record.clone(),
            "the run ends before it starts, or at no time",
            Subject::Path,
        );
    }
    if !root.exists(&dir.output())? {
        let path = root.absolute(&dir.output());
        report.add(Rule::MissingOutput, path, "the run has ended", Subject::Run(run.clone()));
    }
    let corrupt = |problem: String| TreeError::Corrupt { path: root.absolute(&dir.exit()), problem };
    let exit = ExitRecord::read(root, dir.path()).map_err(|e| corrupt(e.to_string()));
    if let Some(Some(exit)) = report.unless_unreadable(exit)? {
        let outcome = outcome::of_exit(&exit);
        if (outcome.status, outcome.exit_code, outcome.signal) != (info.status, info.exit_code, info.signal) {
            let what = format!("says {}, exit.json says {}", info.status.as_str(), outcome.status.as_str());
            report.add(Rule::ExitDisagrees, record.clone(), what, Subject::Path);
        }
    }
    let (starts, ends) = told.about(&run.run);
    // A run that was never started has no start on the bus.
    let may_lack_start = info.pid.is_none() || info.status == RunStatus::Created;
    if ends != 1 || starts > 1 || (starts == 0 && !may_lack_start) {
        let what = format!("the bus has {starts} start(s) and {ends} end(s) of run {}", run.run);
        report.add(Rule::BusDisagrees, root.absolute(&run.task.dir().bus()), what, Subject::Path);
    }
    for pid in marked.of(&run.run) {
        let what = format!("process {pid} belongs to the run, which has ended");
        report.add(Rule::LivingProcess, record.clone(), what, Subject::Run(run.clone()));
    }
    Ok(())
}
