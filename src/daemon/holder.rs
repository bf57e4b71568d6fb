//! Who holds a lock, in words, and what to make of a holder that is dead or about to be.

use std::time::{Duration, Instant};

use crate::{
    process::identity::ProcessId,
    runner::Result,
    tree::{Tree, TreeError, daemon_info::DaemonLock},
};

/// How long a killed daemon's lock may stay with a child that it was just making.
const LET_GO: Duration = Duration::from_secs(2);

/// Becomes the daemon of a root. The lock of a daemon that is just being killed, or that it has left with a child of its
/// own, which is about to become another program, is free in a moment: that is waited for.
///
/// # Errors
/// [`TreeError::Locked`] says who is the daemon.
pub fn become_daemon(tree: &Tree) -> Result<DaemonLock> {
    let began = Instant::now();
    loop {
        match tree.lock_daemon(&holder("daemon")) {
            Err(TreeError::Locked { by, .. }) if has_ended(&by) && began.elapsed() < LET_GO => {
                std::thread::sleep(Duration::from_millis(10));
            }
            result => return Ok(result?),
        }
    }
}

/// Whether the process that a holder's words name has ended or ends now; of words that name none nothing is known.
fn has_ended(holder: &str) -> bool {
    let number = |name: &str| holder.split_once(name)?.1.split([',', ')']).next()?.trim().parse::<u64>().ok();
    let (Some(pid), Some(started)) = (number("(pid "), number("started ")) else { return false };
    i32::try_from(pid).is_ok_and(|pid| !ProcessId { pid, started }.goes_on())
}

/// How a holder of a task's lock names itself, for people.
#[must_use]
pub fn holder(who: &str) -> String {
    let me = ProcessId::current();
    format!("{who} (pid {}, started {})", me.pid, me.started)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_holder_that_is_known_to_be_dead_is_dead() {
        assert!(!has_ended(&holder("daemon")));
        assert!(has_ended("daemon (pid 1, started 7)"), "the first process began at another time");
        for words in ["", "somebody", "daemon (pid x, started 7)", "daemon (pid 99999999999, started 7)"] {
            assert!(!has_ended(words), "{words}");
        }
    }
}
