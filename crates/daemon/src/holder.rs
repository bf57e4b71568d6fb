//! Becomes the daemon of a root, also when the lock's holder is dead or about to end.

use std::time::{Duration, Instant};

use engine::runner::Result;
use process::identity::{ProcessId, holder};
use tree::{Holder, Tree, TreeError, daemon_info::DaemonLock};

/// Maximum time for which the lock of a killed daemon may stay with a child process that it was just creating.
const LET_GO: Duration = Duration::from_secs(2);

/// Becomes the daemon of a root. A daemon that is just being killed may still hold the lock, or a child of it that is
/// about to become another program. Such a lock is free in a moment, so the function waits for it.
///
/// # Errors
/// [`TreeError::Locked`] names the present daemon.
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

/// Returns true if the holder's process has ended or is ending. A holder without a known process may still be there.
fn has_ended(holder: &Holder) -> bool {
    match (holder.pid, holder.started) {
        (Some(pid), Some(started)) => !ProcessId { pid, started }.goes_on(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_holder_that_is_known_to_be_dead_is_dead() {
        assert!(!has_ended(&holder("daemon")));
        assert!(has_ended(&Holder::process("daemon", 1, 7)), "the first process began at another time");
        assert!(has_ended(&Holder::of_text("daemon (pid 1, started 7)")), "an older program's words");
        for words in
            ["", "somebody", "pid 1", "daemon (pid x, started 7)", "daemon (pid 99999999999, started 7)"]
        {
            assert!(!has_ended(&Holder::of_text(words)), "{words}");
        }
    }
}
