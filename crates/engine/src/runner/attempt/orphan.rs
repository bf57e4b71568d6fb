//! Handles a run after its shim was killed: finds its processes by its claim and by their environment, and ends them.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use process::{
    cgroup::RunGroup,
    claim::Claim,
    pidfd::{Leader, PidFd},
    tree::{ProcTable, signal_all},
};
use tree::ids::RunId;

/// The parent of the first process.
const EVERYTHING: i32 = 0;
const LOOK: Duration = Duration::from_millis(50);
/// Time after which the driver stops waiting for processes that SIGKILL does not end.
const GIVE_UP: Duration = Duration::from_secs(30);
/// Maximum time to wait for an exit status. That of a process which we may not inspect is available only after its new
/// parent has reaped it.
const REAPED_WITHIN: Duration = Duration::from_secs(2);

/// Ends all processes that a run left: SIGTERM, a grace, then SIGKILL until none is left. Blocks that long.
pub(in crate::runner) fn end_processes(run: &RunId, claim: &Claim, grace: Duration) {
    if !claim.is_of_this_boot() {
        return;
    }
    let Some(agent) = claim.agent else { return forget(run) };
    // Dropping the group removes it at the end.
    let group = claim.cgroup.as_deref().and_then(RunGroup::of_claim);
    let handle = PidFd::open(agent);
    let began = Instant::now();
    let mut signal = Signal::SIGTERM;
    loop {
        let table = ProcTable::snapshot();
        // An agent may have changed its environment; its descendants are found all the same.
        let mut left = table.of_run(run.as_str());
        left.extend(table.tree_of(agent));
        let passed = began.elapsed();
        // A process that has changed its environment is still in the group.
        let none_left = left.is_empty() && group.as_ref().is_none_or(RunGroup::is_empty);
        if none_left || passed > grace + GIVE_UP {
            return;
        }
        if passed >= grace {
            signal = Signal::SIGKILL;
        }
        if signal == Signal::SIGKILL || passed < LOOK {
            signal_all(&left, signal);
            if signal == Signal::SIGKILL {
                let below = table.below(EVERYTHING);
                if let Some(handle) = &handle {
                    table.kill_group(handle, Leader::MayBeReaped, &below);
                }
                if let Some(group) = &group {
                    group.kill(&below.others);
                }
            }
        }
        std::thread::sleep(LOOK);
    }
}

/// Removes the control group of a shim that died before it claimed the run.
fn forget(run: &RunId) {
    let Some(group) = RunGroup::of_unclaimed(run.as_str()) else { return };
    // The process in the group, which waited for its start, ends together with the shim.
    let began = Instant::now();
    while !group.is_empty() && began.elapsed() < REAPED_WITHIN {
        std::thread::sleep(LOOK);
    }
}

/// Returns the wait status of an agent that is no child of ours, if the kernel reports it. Blocks for a moment.
pub(in crate::runner) fn exit_status(agent: &PidFd) -> Option<i32> {
    let began = Instant::now();
    loop {
        let status = agent.exit_status();
        if status.is_some() || began.elapsed() > REAPED_WITHIN {
            return status;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
