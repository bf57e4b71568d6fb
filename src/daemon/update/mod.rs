//! The daemon replaces its own program; `_daemon/self-update.yaml` records each step.
//!
//! 1. **Requested** (`request`): the candidate is examined through one open file. The record is written under the
//!    planner's lock: from then on `deferred` means a drain, for every gate.
//! 2. **Proven** (`candidate`): it is copied beside our own program, and the copy checks itself: it reads the
//!    settings and the tree.
//! 3. **Handed over** (`carry`): once no root task is live (or at once, with `live`), a guard gets a share of
//!    listeners and lock. Then the daemon shuts down and becomes the copy, in the same process. No connection is
//!    refused, because the socket is never closed.
//! 4. **Settled** (`settle`): the new daemon answers, but drives nothing. When the guard has seen it healthy, it
//!    renames the copy over our own program, keeps the old one as `….rollback`, and begins to drive. Until then the
//!    old program is the installed one.
//!
//! Any of these processes may be killed in between. The guard puts a daemon back, and a daemon without a guard settles
//! by itself. The next start determines from record and copy which of the two programs it is, and reports that.

mod candidate;
mod carry;
mod request;
mod seat;
mod settle;

use std::{
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{
    config::Environment,
    tree::{Tree, self_update::SelfUpdate},
};

pub use candidate::{SelfReport, report};
pub use carry::Handover;
pub use request::{Refusal, UpdateStatus};
pub use seat::Seat;
use seat::beside;

/// Time limit for a candidate's check of itself, and for a new daemon to become healthy.
const LIMIT: Duration = Duration::from_secs(10);

/// The update of a daemon.
#[derive(Debug)]
pub(super) struct Updates {
    seat: Seat,
    limit: Duration,
    state: Mutex<State>,
    handed: Notify,
}

#[derive(Debug, Default)]
struct State {
    update: Option<SelfUpdate>,
    /// True if the program is on trial and therefore drives nothing.
    on_trial: bool,
    call_off: CancellationToken,
    handover: Option<Handover>,
}

impl State {
    /// Returns the update with this copy, while it is in progress.
    fn pending(&mut self, staged: &Path) -> Option<&mut SelfUpdate> {
        self.update.as_mut().filter(|update| update.is_pending() && update.staged == staged)
    }
}

impl Updates {
    pub(super) fn new(seat: Seat, tree: &Tree, environment: &Environment) -> Self {
        let mut state = State { update: settle::at_start(&seat, tree), ..State::default() };
        state.on_trial = state.update.as_ref().is_some_and(SelfUpdate::is_pending);
        let limit = environment.get("CONDUCTOR_TEST_UPDATE_LIMIT_MS").filter(|_| cfg!(debug_assertions));
        let limit = limit.and_then(|ms| ms.parse().ok()).map_or(LIMIT, Duration::from_millis);
        Self { seat, limit, state: Mutex::new(state), handed: Notify::new() }
    }

    /// Returns true if tasks may be driven, which a program on trial must not do.
    pub(super) fn may_drive(&self) -> bool {
        !self.state().on_trial
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
