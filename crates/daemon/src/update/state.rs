//! The state of an update, and its record.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{
    seat::{Seat, remove_copy},
    start,
};
use crate::parts::Parts;
use base::fsx::steps;
use engine::runner::RunnerError;
use process::{
    command::CommandSpec,
    handoff::{self, Arrival, Handoff, Word},
};
use tree::self_update::{SelfUpdate, UpdateState};

/// Time limit for a candidate's check of itself, and for a new daemon to become healthy.
const LIMIT: Duration = Duration::from_secs(10);

/// The update of a daemon.
#[derive(Debug)]
pub struct Updates {
    pub(crate) parts: Parts,
    pub(super) seat: Seat,
    pub(super) limit: Duration,
    state: Mutex<State>,
    pub(super) handed: Notify,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) update: Option<SelfUpdate>,
    /// True if the program is on trial and therefore drives nothing.
    pub(super) on_trial: bool,
    pub(super) call_off: CancellationToken,
    pub(super) handover: Option<Handover>,
}

impl State {
    /// Returns the update with this copy, while it is in progress.
    pub(super) fn pending(&mut self, staged: &Path) -> Option<&mut SelfUpdate> {
        self.update.as_mut().filter(|update| update.is_pending() && update.staged == staged)
    }
}

impl Updates {
    /// The update as its record has it. One that was cut off is ended.
    pub(crate) fn new(parts: Parts, seat: Seat) -> Arc<Self> {
        let mut state = State { update: start::at_start(&seat, &parts.runner.tree), ..State::default() };
        state.on_trial = state.update.as_ref().is_some_and(SelfUpdate::is_pending);
        let environment = &parts.runner.environment;
        let limit = environment.get("CONDUCTOR_TEST_UPDATE_LIMIT_MS").filter(|_| cfg!(debug_assertions));
        let limit = limit.and_then(|ms| ms.parse().ok()).map_or(LIMIT, Duration::from_millis);
        Arc::new(Self { parts, seat, limit, state: Mutex::new(state), handed: Notify::new() })
    }

    /// Returns true if tasks may be driven: not while the program is on trial.
    pub(crate) fn may_drive(&self) -> bool {
        !self.state().on_trial
    }

    /// Writes the record of the update.
    pub(super) fn record(&self, update: &SelfUpdate) -> Result<(), RunnerError> {
        Ok(self.seat.lock.record_update(&self.parts.runner.tree, update)?)
    }

    /// Records the failure of an update. Everything that waited for it continues.
    pub(super) fn failed(&self, staged: &Path, why: &str) -> Result<(), RunnerError> {
        remove_copy(staged);
        let mut state = self.state();
        let Some(update) = state.pending(staged) else { return Ok(()) };
        tracing::error!(candidate = %update.binary_path.display(), why, "the update failed");
        update.state = UpdateState::Failed;
        update.last_error = Some(why.to_owned());
        update.ended_at = Some(self.parts.runner.tree.clock().now());
        // In memory it has failed even if the disk does not take the record, so that nothing is held back any longer.
        let recorded = self.record(update);
        drop(state);
        self.parts.wake.up();
        recorded
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Everything that the succeeding program needs. Its holder ends the daemon, and then calls [`exec`](Self::exec).
#[derive(Debug)]
pub struct Handover {
    pub(super) handoff: Handoff,
    pub(super) file: PathBuf,
    pub(super) command: CommandSpec,
}

impl Handover {
    /// Becomes the other program. Returns only if neither it nor our own can be started again.
    #[must_use]
    pub fn exec(self) -> io::Error {
        steps::at("daemon-down");
        let Self { handoff, file, command } = self;
        let why = match &handoff.arrival {
            Arrival::PutBack(why) => why.clone(),
            Arrival::OnTrial(wire) => {
                if let Err(e) = wire.say(&Word::Exec) {
                    // Without the guard no process could restore this program.
                    format!("the guard of the update has ended ({e})")
                } else {
                    let e = handoff.exec(&file, &command);
                    let _ = wire.say(&Word::Bye);
                    format!("the new program cannot be started: {e}")
                }
            }
        };
        let back = Handoff { fds: handoff.fds, arrival: Arrival::PutBack(why) };
        back.exec(&handoff::own_image(), &command)
    }

    /// Ends the guard: the daemon was asked to end, and no program is to follow it.
    pub fn call_off(self) {
        if let Arrival::OnTrial(wire) = &self.handoff.arrival {
            let _ = wire.say(&Word::Bye);
        }
    }
}
