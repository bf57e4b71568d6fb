//! Carries out a requested update, up to the exec of the candidate's copy.

use std::{io, path::Path, sync::Arc, time::Duration};

use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;

use super::{
    candidate,
    seat::remove_copy,
    state::{Handover, Updates},
};
use base::{
    blocking,
    fsx::{self, ProgramFile, steps},
};
use engine::{planner, runner::RunnerError};
use process::{
    handoff::{self, Arrival, Handoff, Watch},
    identity::ProcessId,
};
use tree::{
    daemon_info::DaemonInfo,
    paths::top,
    self_update::{SelfUpdate, UpdateMode, UpdateState},
};

/// Interval for counting the live tasks without a hint.
const LOOK: Duration = Duration::from_secs(1);
/// Age of a check after which the tree and the settings may differ from those that the candidate has read.
const STALE: TimeDelta = TimeDelta::minutes(1);

impl Updates {
    /// Waits until this daemon has to make room for another program.
    pub async fn handed_over(&self) -> Handover {
        loop {
            let handed = self.handed.notified();
            if let Some(handover) = self.state().handover.take() {
                return handover;
            }
            handed.await;
        }
    }

    /// Records the daemon's addresses, for the command line.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn announce(&self, info: &DaemonInfo) -> Result<(), RunnerError> {
        Ok(self.seat.lock.announce(&self.parts.runner.tree, info)?)
    }

    /// Removes the record of the addresses.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn withdraw(&self) -> Result<(), RunnerError> {
        Ok(self.seat.lock.withdraw(&self.parts.runner.tree)?)
    }

    /// Closes the listeners: new connections are then refused.
    pub fn close_listeners(&self) {
        self.seat.close();
    }

    pub(super) async fn carry(self: Arc<Self>, program: ProgramFile, update: SelfUpdate) {
        let call_off = self.state().call_off.clone();
        let (one, other, staged) = (self.clone(), self.clone(), update.staged.clone());
        let (for_stage, for_handover) = (update.clone(), update);
        let carried = async {
            blocking::run(move || one.stage(&program, &for_stage)).await?;
            if self.roots_are_done(&staged, &call_off).await? {
                blocking::run(move || other.hand_over(&for_handover)).await?;
            }
            Ok::<_, UpdateError>(())
        };
        let carried = carried.await;
        if self.parts.shutdown.token().is_cancelled() {
            // The next start reads the state of the update from the record, and reports it.
            return;
        }
        if call_off.is_cancelled() {
            remove_copy(&staged);
        } else if let Err(e) = carried {
            let updates = self.clone();
            let failed = blocking::run(move || updates.failed(&staged, &e.to_string())).await;
            if let Err(e) = failed {
                tracing::error!(error = %e, "cannot record that the update failed");
            }
        }
    }

    /// Copies the candidate and has the copy check itself.
    fn stage(&self, program: &ProgramFile, update: &SelfUpdate) -> Result<(), UpdateError> {
        program.must_run_here()?;
        let permissions = fsx::program_permissions(&update.program)?;
        program.copy_to(&update.staged, &permissions)?;
        steps::at("daemon-staged");
        let version = self.check(update)?;
        if let Some(update) = self.state().pending(&update.staged) {
            update.to_version = Some(version);
            self.record(update)?;
        }
        steps::at("daemon-checked");
        Ok(())
    }

    fn check(&self, update: &SelfUpdate) -> Result<String, UpdateError> {
        candidate::check(&update.staged, &self.seat.command, self.limit).map_err(UpdateError::Candidate)
    }

    /// Waits until no root task is live. Returns false if the update was cancelled.
    async fn roots_are_done(
        self: &Arc<Self>,
        staged: &Path,
        call_off: &CancellationToken,
    ) -> Result<bool, UpdateError> {
        let root = self.parts.runner.tree.root();
        let [watched] = self.parts.hints.watch_all([root.absolute(&top::live())]).await;
        let mut waiter = watched.waiter();
        loop {
            let (updates, name) = (self.clone(), staged.to_owned());
            if blocking::run(move || updates.may_apply(&name)).await? {
                return Ok(true);
            }
            tokio::select! {
                () = call_off.cancelled() => return Ok(false),
                () = self.parts.shutdown.token().cancelled() => return Ok(false),
                () = waiter.next() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// Moves the update from `deferred` to `applying` if it has nothing more to wait for.
    fn may_apply(&self, staged: &Path) -> Result<bool, RunnerError> {
        let active = planner::live_roots(&self.parts.runner.tree)?;
        let mut state = self.state();
        let Some(update) = state.pending(staged) else { return Ok(false) };
        let ready = update.mode == UpdateMode::Live || active == 0;
        let next = if ready { UpdateState::Applying } else { UpdateState::Deferred };
        if update.state != next {
            update.state = next;
            self.record(update)?;
        }
        Ok(ready)
    }

    /// Starts the guard, and requests the handover from the serving loop.
    fn hand_over(&self, update: &SelfUpdate) -> Result<(), UpdateError> {
        let seat = &self.seat;
        if self.parts.runner.tree.clock().now() - update.requested_at > STALE {
            self.check(update)?;
        }
        let fds = seat.share().map_err(UpdateError::HandingOver)?;
        let watch = Watch {
            listeners: fds.listeners.iter().map(|listener| listener.name.clone()).collect(),
            daemon: ProcessId::current(),
            program: update.program.clone(),
            staged: update.staged.clone(),
            address: seat.address,
            limit: self.limit,
        };
        let wire = handoff::start_guard(&seat.command, &fds, &watch).map_err(UpdateError::HandingOver)?;
        steps::at("daemon-guarded");
        let handoff = Handoff { fds, arrival: Arrival::OnTrial(wire) };
        let handover = Handover { handoff, file: update.staged.clone(), command: seat.command.clone() };
        self.state().handover = Some(handover);
        self.handed.notify_one();
        Ok(())
    }
}

/// The reason for a failed update.
#[derive(Debug, thiserror::Error)]
enum UpdateError {
    #[error("{0}: {why}", why = .0.source)]
    Fs(#[from] fsx::FsError),
    #[error("the candidate is refused: {0}")]
    Candidate(String),
    #[error("the daemon cannot hand over: {0}")]
    HandingOver(io::Error),
    #[error(transparent)]
    Runner(#[from] RunnerError),
}
