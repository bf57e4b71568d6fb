//! The commands of an update: begin, cancel, and report its state.

use std::{path::PathBuf, sync::Arc};

use super::{
    seat::{beside, remove_copy},
    state::Updates,
};
use base::{
    blocking,
    fsx::{FsError, ProgramFile},
};
use engine::{planner, runner::RunnerError};
use tree::self_update::{SelfUpdate, UpdateMode, UpdateState};

/// The state of the update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateStatus {
    /// The last requested update.
    pub update: Option<SelfUpdate>,
    /// Number of live root tasks.
    pub active_runs_now: usize,
}

/// The reason that an update does not begin, or cannot be cancelled.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The program is refused.
    #[error(transparent)]
    Candidate(#[from] FsError),
    /// Another update is in progress.
    #[error("an update to {} is in progress; only a deferred update can be cancelled", .0.display())]
    Pending(PathBuf),
    /// There is no update, or it cannot be cancelled any more.
    #[error("no update is deferred")]
    NotDeferred,
    /// The tree cannot be read or written.
    #[error(transparent)]
    Runner(#[from] RunnerError),
}

impl Updates {
    /// Returns the state of the update.
    ///
    /// # Errors
    /// If the planner's folders cannot be read.
    pub fn status(&self) -> Result<UpdateStatus, RunnerError> {
        let update = self.state().update.clone();
        Ok(UpdateStatus { update, active_runs_now: planner::live_roots(&self.parts.runner.tree)? })
    }

    /// Returns true if an update is in progress, during which no root task is accepted.
    #[must_use]
    pub fn refuses_roots(&self) -> bool {
        self.state().update.as_ref().is_some_and(SelfUpdate::is_pending)
    }

    /// Begins an update. When this function returns, no root task is admitted any more, unless the mode is
    /// [`UpdateMode::Live`].
    ///
    /// # Errors
    /// If the program cannot be trusted or used, or an update is in progress; nothing has changed then.
    pub async fn request(
        self: &Arc<Self>,
        binary_path: PathBuf,
        mode: UpdateMode,
    ) -> Result<UpdateStatus, Refusal> {
        let updates = self.clone();
        let begin = async move {
            let (one, path) = (updates.clone(), binary_path);
            let begun = blocking::run(move || one.begin(path, mode)).await?;
            let (program, update) = begun;
            drop(updates.parts.shutdown.spawn(updates.clone().carry(program, update.clone())));
            Ok(UpdateStatus { active_runs_now: update.active_runs_at_request, update: Some(update) })
        };
        self.parts.shutdown.owned(begin).await
    }

    /// Cancels a deferred update.
    ///
    /// # Errors
    /// If none is deferred.
    pub async fn call_off(self: &Arc<Self>) -> Result<UpdateStatus, Refusal> {
        {
            let mut state = self.state();
            let deferred = state.update.as_mut().filter(|u| u.state == UpdateState::Deferred);
            let Some(update) = deferred else { return Err(Refusal::NotDeferred) };
            update.state = UpdateState::Idle;
            update.to_version = None;
            update.ended_at = Some(self.parts.runner.tree.clock().now());
            self.record(update)?;
            state.call_off.cancel();
        }
        tracing::info!("the update was cancelled");
        self.parts.wake.up();
        let updates = self.clone();
        Ok(blocking::run(move || updates.status()).await?)
    }

    fn begin(&self, binary_path: PathBuf, mode: UpdateMode) -> Result<(ProgramFile, SelfUpdate), Refusal> {
        let program = ProgramFile::open(&binary_path)?;
        let tree = &self.parts.runner.tree;
        // The planner's lock is held, so that the gate is closed before any ticket passes it again.
        let planner = tree.planner().map_err(RunnerError::from)?;
        let mut state = self.state();
        if let Some(pending) = state.update.as_ref().filter(|u| u.is_pending()) {
            return Err(Refusal::Pending(pending.binary_path.clone()));
        }
        let active = planner::live_roots(tree).map_err(RunnerError::from)?;
        let installed = self.seat.command.program.clone();
        let now = tree.clock().now();
        let update = SelfUpdate {
            version: 1,
            state: if mode == UpdateMode::Drain && active > 0 {
                UpdateState::Deferred
            } else {
                UpdateState::Applying
            },
            mode,
            binary_path,
            staged: beside(&installed, |name| format!(".{name}.update-{}", now.timestamp_micros())),
            program: installed,
            requested_at: now,
            active_runs_at_request: active,
            from_version: env!("CARGO_PKG_VERSION").to_owned(),
            to_version: None,
            last_error: None,
            ended_at: None,
        };
        // From here on no record names the copy of the update before, which may be on its way out.
        if let Some(before) = &state.update {
            remove_copy(&before.staged);
        }
        self.record(&update)?;
        state.update = Some(update.clone());
        state.call_off = tokio_util::sync::CancellationToken::new();
        drop((state, planner));
        tracing::info!(candidate = %update.binary_path.display(), ?mode, active, "an update was requested");
        Ok((program, update))
    }
}
