//! Where a run stands, decided from its files and its processes.

use crate::{
    process::{
        claim::Claim,
        exit::ExitRecord,
        liveness::{self, Liveness},
    },
    record::BadRecord,
    transcript::{Account, Dialect},
    tree::{
        Result, Tree,
        refs::RunRef,
        run_info::{ProcessOwnership, RunInfo, RunStatus},
    },
};

use super::outcome::{self, Outcome, Seen};

/// Everything on disk, and in the table of processes, that says where a run stands.
#[derive(Debug)]
pub struct RunFacts {
    /// The record.
    pub info: RunInfo,
    /// Who has the run.
    pub claim: Option<Claim>,
    /// How its process ended.
    pub exit: Option<ExitRecord>,
    /// Its processes; meaningful with a claim.
    pub liveness: Liveness,
    /// What its stream comes to, where it has a last word and nobody writes it any more.
    pub account: Option<Box<Account>>,
}

/// Where a run stands; each state carries what exists only then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunState {
    /// Accepted; nobody has it yet.
    Created,
    /// Its processes are there (or on a machine that cannot be asked).
    Running(Liveness),
    /// Its processes are gone, and its record does not say so yet: everybody still shows `running`.
    Ending(Outcome),
    /// The record is final.
    Ended(RunStatus),
}

/// Who has a run; `None` if nobody has it.
///
/// # Errors
/// If its claim cannot be understood.
pub fn claim(tree: &Tree, run: &RunRef) -> Result<Option<Claim>> {
    Ok(Claim::read(tree.root(), run.dir().path())?)
}

/// How a run's process ended; `None` if it has not, or nobody saw it.
///
/// # Errors
/// If the record cannot be understood.
pub fn exit(tree: &Tree, run: &RunRef) -> Result<Option<ExitRecord>> {
    Ok(ExitRecord::read(tree.root(), run.dir().path())?)
}

/// What the stream of a run comes to; `None` if its agent prints words for people only.
///
/// # Errors
/// If the stream cannot be read.
pub fn account(tree: &Tree, run: &RunRef, info: &RunInfo) -> Result<Option<Box<Account>>> {
    let dialect = Dialect::of_run(info);
    if !dialect.has_last_word() {
        return Ok(None);
    }
    Account::of_run(dialect, tree.root(), &run.dir()).map(Box::new).map(Some)
}

/// Whether a run of ours has begun by its other files: without a claim it would be started again.
#[must_use]
pub fn has_begun(info: &RunInfo, exit: Option<&ExitRecord>) -> bool {
    let running = info.status == RunStatus::Running && info.process_ownership == ProcessOwnership::Managed;
    running || exit.is_some()
}

impl RunFacts {
    /// Reads the facts of a run.
    ///
    /// # Errors
    /// If a file cannot be understood; no other run is touched by that.
    pub fn read(tree: &Tree, run: &RunRef) -> Result<Self> {
        let info = tree.run_info(run)?;
        if info.status.is_final() {
            return Ok(Self { info, claim: None, exit: None, liveness: Liveness::Gone, account: None });
        }
        let claim = claim(tree, run)?;
        // The processes before exit.json: a shim that is gone has written what it ever will.
        let liveness = claim.as_ref().map_or(Liveness::Gone, liveness::of);
        let exit = exit(tree, run)?;
        if claim.is_none() && has_begun(&info, exit.as_ref()) {
            let path = tree.root().absolute(&run.dir().claim());
            let problem = "is missing, though its run has begun".to_owned();
            return Err(BadRecord::Corrupt { path, problem }.into());
        }
        let ended =
            exit.is_some() || claim.as_ref().is_some_and(|c| c.agent.is_some() && liveness == Liveness::Gone);
        let account = if ended { account(tree, run, &info)? } else { None };
        Ok(Self { info, claim, exit, liveness, account })
    }

    /// Decides where the run stands; `seen` is what was seen of an agent whose shim had been killed.
    #[must_use]
    pub fn state(&self, seen: Option<Seen>) -> RunState {
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

    /// The status that everybody is shown: no end before it is committed, unless nobody is there to commit it.
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

/// Whether somebody holds the task's lock, and so will commit the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Driven {
    /// Yes.
    Yes,
    /// Nobody does.
    No,
}

impl Driven {
    /// Asks whether a run's task is driven.
    ///
    /// # Errors
    /// If the lock file cannot be opened.
    pub fn of(tree: &Tree, run: &RunRef) -> Result<Self> {
        Ok(if tree.is_driven(&run.task)? { Self::Yes } else { Self::No })
    }
}
