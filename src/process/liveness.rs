//! Whether a run's processes are still there, seen from outside.

use super::{
    claim::{Claim, ClaimBy},
    identity::{ProcessId, host},
    pidfd::PidFd,
};

/// What can be known of the processes that a claim names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liveness {
    /// The shim is there: it will say how the run ended.
    Shim(ProcessId),
    /// Only the agent is there; its shim was killed.
    Agent(ProcessId),
    /// Neither is there.
    Gone,
    /// The claim is of another machine: nobody here can say.
    Elsewhere,
}

/// Looks at the processes that a claim names.
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
    /// A handle on the process whose end is the next thing to happen; `None` if there is none here.
    #[must_use]
    pub fn handle(self) -> Option<PidFd> {
        match self {
            Self::Shim(id) | Self::Agent(id) => PidFd::open(id),
            Self::Gone | Self::Elsewhere => None,
        }
    }
}
