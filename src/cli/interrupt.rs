//! Signals to a verb that waits: Ctrl-C stops the task, every other signal leaves it running.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::error::{CliError, CliResult, Kind};

/// The user's wish, as a signal expresses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SignalAction {
    /// The task is to stop.
    Stop,
    /// Only this process ends; the task continues.
    Detach,
}

/// The signals that a waiting verb obeys.
#[derive(Debug)]
pub(super) struct Interrupts {
    interrupt: Signal,
    hangup: Signal,
    terminate: Signal,
    stops: u32,
    kind: Kind,
}

impl Interrupts {
    pub(super) fn listen() -> CliResult<Self> {
        let listen =
            |kind| signal(kind).map_err(|e| CliError::caused(Kind::Failed, "cannot listen for signals", e));
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            hangup: listen(SignalKind::hangup())?,
            terminate: listen(SignalKind::terminate())?,
            stops: 0,
            kind: Kind::Interrupted,
        })
    }

    /// Waits for the next wish.
    pub(super) async fn next(&mut self) -> SignalAction {
        tokio::select! {
            _ = self.interrupt.recv() => {
                self.stops += 1;
                if self.stops > 1 { SignalAction::Detach } else { SignalAction::Stop }
            }
            // A closed terminal or a machine that shuts down says nothing about the task.
            _ = self.hangup.recv() => SignalAction::Detach,
            _ = self.terminate.recv() => {
                self.kind = Kind::Terminated;
                SignalAction::Detach
            }
        }
    }

    /// Returns true if the task was asked to stop.
    pub(super) fn asked_to_stop(&self) -> bool {
        self.stops > 0
    }

    /// The failure of a verb that has obeyed the last wish.
    pub(super) fn kind(&self) -> Kind {
        self.kind
    }
}
