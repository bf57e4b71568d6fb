//! Checks from outside if a run's processes are still alive.

use super::{
    claim::{Claim, ClaimBy},
    identity::{ProcessId, host},
    pidfd::PidFd,
};

/// The state of the processes that a claim names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liveness {
    /// The shim is alive and will record how the run ends.
    Shim(ProcessId),
    /// Only the agent is alive. Its shim was killed.
    Agent(ProcessId),
    /// Both are gone.
    Gone,
    /// The claim is from another machine, so this machine cannot know.
    Elsewhere,
}

/// Checks the processes that a claim names.
#[must_use]
pub fn of(claim: &Claim) -> Liveness {
    if claim.by == ClaimBy::Driver {
        return Liveness::Gone;
    }
    if claim.host != host() {
        return Liveness::Elsewhere;
    }
    if !claim.is_of_this_boot() {
        return Liveness::Gone;
    }
    let alive = |id: Option<ProcessId>| id.filter(|id| id.is_alive());
    match (alive(claim.shim), alive(claim.agent)) {
        (Some(shim), _) => Liveness::Shim(shim),
        (None, Some(agent)) => Liveness::Agent(agent),
        (None, None) => Liveness::Gone,
    }
}

impl Liveness {
    /// Returns a handle on the process that is expected to end next; `None` if there is none on this machine.
    #[must_use]
    pub fn handle(self) -> Option<PidFd> {
        match self {
            Self::Shim(id) | Self::Agent(id) => PidFd::open(id),
            Self::Gone | Self::Elsewhere => None,
        }
    }
}
