//! The records of a live run as its driver last saw them, so that an agent that removes or replaces them does not
//! take its run away from the driver.

use crate::runner::{Runner, error::Result};
use process::claim::Claim;
use tree::{RelPath, refs::RunRef, run_info::RunInfo, task_lock::TaskLock};
use view::run::RunFacts;

/// The records that the driver needs for every look at the run.
#[derive(Debug)]
pub(super) struct KnownRecords {
    info: RunInfo,
    claim: Option<Claim>,
}

/// The treatment of a record that has no file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// It is left alone: its folder may be about to be removed.
    Left,
    /// It is written again: its folder has stayed.
    Restored,
}

impl KnownRecords {
    pub(super) fn of(facts: &RunFacts) -> Self {
        Self { info: facts.info.clone(), claim: facts.claim.clone() }
    }

    /// Writes a record again if its name has a thing of the wrong kind; with [`Missing::Restored`] also if it has no file.
    /// A file that was changed is left as it is, and so is a run without its folder.
    pub(super) fn restore(
        &self,
        runner: &Runner,
        lock: &TaskLock,
        run: &RunRef,
        missing: Missing,
    ) -> Result<()> {
        let (root, dir) = (runner.tree.root(), run.dir());
        let is_lost = |rel: &RelPath| -> Result<bool> {
            let removed = missing == Missing::Restored && !root.exists(rel)? && root.exists(dir.path())?;
            Ok(removed || root.wrong_kind(rel)?.is_some())
        };
        if is_lost(&dir.info())? {
            lock.write_run_info(&runner.tree, &self.info)?;
            tracing::warn!(run = %run, "the record of a live run was lost; it is written again");
        }
        if let Some(claim) = &self.claim
            && is_lost(&dir.claim())?
        {
            claim.publish(root, dir.path())?;
            tracing::warn!(run = %run, "the claim of a live run was lost; it is written again");
        }
        Ok(())
    }
}
