//! A run whose shim was killed: its processes are found by their environment, and ended by whoever drives.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::{
    process::{
        pidfd::PidFd,
        tree::{ProcTable, signal_all},
    },
    tree::ids::RunId,
};

const LOOK: Duration = Duration::from_millis(50);
/// When to stop waiting for what SIGKILL does not end.
const GIVE_UP: Duration = Duration::from_secs(30);
/// The kernel tells an exit status once the process is reaped, by whoever inherited it.
const REAPED_WITHIN: Duration = Duration::from_secs(2);

/// Ends everything that a run left: SIGTERM, a grace, SIGKILL until nothing is there. Blocks that long.
pub(super) fn end_processes(run: &RunId, grace: Duration) {
    let began = Instant::now();
    let mut signal = Signal::SIGTERM;
    loop {
        let table = ProcTable::snapshot();
        let left = table.of_run(run.as_str());
        let passed = began.elapsed();
        if left.is_empty() || passed > grace + GIVE_UP {
            return;
        }
        if passed >= grace {
            signal = Signal::SIGKILL;
        }
        if signal == Signal::SIGKILL || passed < LOOK {
            signal_all(&left, signal);
        }
        std::thread::sleep(LOOK);
    }
}

/// The wait status of an agent that nobody of ours could wait for, if the kernel tells. Blocks a moment.
pub(super) fn exit_status(agent: &PidFd) -> Option<i32> {
    let began = Instant::now();
    loop {
        let status = agent.exit_status();
        if status.is_some() || began.elapsed() > REAPED_WITHIN {
            return status;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
