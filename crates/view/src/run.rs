//! The state of a run, decided from its files and its processes.

use base::record::BadRecord;
use chrono::{DateTime, Utc};
use process::{
    claim::{Claim, ClaimBy},
    exit::ExitRecord,
    launch_files::JobRecord,
    liveness::{self, Liveness},
};
use tree::{
    Result, Tree,
    kinds::Executor,
    refs::RunRef,
    run_info::{ProcessOwnership, RunInfo, RunStatus},
    transcript::Account,
};

use super::outcome::{self, ObservedEnd, Outcome};

/// All facts on disk and about processes that determine the state of a run.
#[derive(Debug)]
pub struct RunFacts {
    /// The record.
    pub info: RunInfo,
    /// The executor's job, while the run waits there for its claim.
    pub job: Option<JobRecord>,
    /// The owner of the run.
    pub claim: Option<Claim>,
    /// The end of its process.
    pub exit: Option<ExitRecord>,
    /// Its processes; meaningful only with a claim.
    pub liveness: Liveness,
    /// The account of its stream, if the agent has a last word and the stream is complete.
    pub account: Option<Box<Account>>,
}

/// The state of a run; each variant carries the facts that exist only then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunState {
    /// Accepted, and not claimed yet.
    Created,
    /// Its processes are alive, or on a machine that cannot be asked.
    Running(Liveness),
    /// Its processes are gone, but its record does not say so yet, and readers still show `running`.
    Ending(Outcome),
    /// The record is final.
    Ended(RunStatus),
}

/// Returns the claim of a run; `None` if the run is not claimed.
///
/// # Errors
/// If the claim is invalid.
pub fn claim(tree: &Tree, run: &RunRef) -> Result<Option<Claim>> {
    Ok(Claim::read(tree.root(), run.dir().path())?)
}

/// Returns the end of a run's process; `None` if it has not ended, or its end was not seen.
///
/// # Errors
/// If the record is invalid.
pub fn exit(tree: &Tree, run: &RunRef) -> Result<Option<ExitRecord>> {
    Ok(ExitRecord::read(tree.root(), run.dir().path())?)
}

/// Returns the job of a run that was handed over to its executor. An unreadable record is reported by its driver, and
/// says nothing about the run to others.
fn job(tree: &Tree, run: &RunRef, info: &RunInfo) -> Option<JobRecord> {
    if info.executor.is_local() {
        return None;
    }
    JobRecord::read(tree.root(), run.dir().path()).ok().flatten()
}

/// Returns the account of a run's stream; `None` if its agent prints only text for users.
///
/// # Errors
/// If the stream cannot be read.
pub fn account(tree: &Tree, run: &RunRef, info: &RunInfo) -> Result<Option<Box<Account>>> {
    let dialect = agents::dialect_of(info);
    if !dialect.has_last_word() {
        return Ok(None);
    }
    Account::of_run(dialect, tree.root(), &run.dir()).map(Box::new).map(Some)
}

/// Returns true if other files than the claim show that a run of ours has begun. Without its claim it would otherwise
/// be started again.
#[must_use]
pub fn has_begun(info: &RunInfo, exit: Option<&ExitRecord>) -> bool {
    let running = info.status == RunStatus::Running && info.process_ownership == ProcessOwnership::Managed;
    running || exit.is_some()
}

/// Returns the liveness of a run. Processes of another executor may be invisible here, in a container for example, so
/// only that executor may call them gone.
fn liveness_of(info: &RunInfo, claim: &Claim) -> Liveness {
    match liveness::of(claim) {
        Liveness::Gone if claim.by == ClaimBy::Shim && info.executor != Executor::Local => {
            Liveness::Elsewhere
        }
        liveness => liveness,
    }
}

impl RunFacts {
    /// Counts the processes of a run elsewhere as gone, for a driver that has asked its executor.
    ///
    /// # Errors
    /// If the run's stream cannot be read.
    pub fn count_as_gone(&mut self, tree: &Tree, run: &RunRef) -> Result<()> {
        if self.liveness == Liveness::Elsewhere {
            self.liveness = Liveness::Gone;
            self.account = account(tree, run, &self.info)?;
        }
        Ok(())
    }

    /// Reads the facts of a run.
    ///
    /// # Errors
    /// If a file is invalid; this affects no other run.
    pub fn read(tree: &Tree, run: &RunRef) -> Result<Self> {
        let info = tree.run_info(run)?;
        if info.status.is_final() {
            let (job, claim, exit) = (None, None, None);
            return Ok(Self { info, job, claim, exit, liveness: Liveness::Gone, account: None });
        }
        let claim = claim(tree, run)?;
        // The processes are checked before exit.json is read: a shim that is gone has written everything by then.
        let liveness = claim.as_ref().map_or(Liveness::Gone, |claim| liveness_of(&info, claim));
        let exit = exit(tree, run)?;
        if claim.is_none() && has_begun(&info, exit.as_ref()) {
            let path = tree.root().absolute(&run.dir().claim());
            let problem = "is missing, though its run has begun".to_owned();
            return Err(BadRecord::Corrupt { path, problem }.into());
        }
        let ended =
            exit.is_some() || claim.as_ref().is_some_and(|c| c.agent.is_some() && liveness == Liveness::Gone);
        let account = if ended { account(tree, run, &info)? } else { None };
        let job = if claim.is_none() { job(tree, run, &info) } else { None };
        Ok(Self { info, job, claim, exit, liveness, account })
    }

    /// Decides the state of the run. `seen` is the observed end of an agent after its shim had been killed.
    #[must_use]
    pub fn state(&self, seen: Option<ObservedEnd>) -> RunState {
        if self.info.status.is_final() {
            return RunState::Ended(self.info.status);
        }
        let Some(claim) = &self.claim else { return RunState::Created };
        let account = self.account.as_deref();
        if let Some(exit) = &self.exit {
            return RunState::Ending(outcome::of_exit(exit, account));
        }
        if let Some(never) = outcome::of_driver_claim(claim) {
            return RunState::Ending(never);
        }
        match self.liveness {
            Liveness::Gone => RunState::Ending(outcome::of_lost(seen, account)),
            alive => RunState::Running(alive),
        }
    }

    /// Returns the time of the start, as all readers are shown it. The driver records it a moment after the claim, and
    /// until then the record has the time of its own creation.
    #[must_use]
    pub fn start_time(&self) -> DateTime<Utc> {
        let claim = self.claim.as_ref().filter(|c| c.agent.is_some());
        match (self.info.status, claim) {
            (RunStatus::Created, Some(claim)) => claim.claimed_at,
            _ => self.info.start_time,
        }
    }

    /// Returns the status as shown to all readers: no end before it is committed, unless the task has no driver to
    /// commit it.
    #[must_use]
    pub fn shown_status(&self, driven: Driven) -> RunStatus {
        match (self.state(None), driven) {
            (RunState::Ended(status), _) => status,
            (RunState::Created, _) => RunStatus::Created,
            (RunState::Ending(outcome), Driven::No) => outcome.status,
            (RunState::Ending(_) | RunState::Running(_), _) => RunStatus::Running,
        }
    }
}

/// States if a driver holds the task's lock, and will therefore commit the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Driven {
    /// The task has a driver.
    #[default]
    Yes,
    /// The task has no driver.
    No,
}

impl Driven {
    /// Tests if a run's task has a driver.
    ///
    /// # Errors
    /// If the lock file cannot be opened.
    pub fn of(tree: &Tree, run: &RunRef) -> Result<Self> {
        Ok(if tree.is_driven(&run.task)? { Self::Yes } else { Self::No })
    }
}
