//! A request that may be sent again, for its answer was lost, and is done once: to make a task, or to take one up again.
//!
//! TASK-CONFIG.yaml keeps the name of the request and a digest of what it asked for, so it holds across daemons. A name
//! belongs to its task.

use super::{
    Runner,
    error::{Result, RunnerError},
    submit::is_accepted,
};
use crate::tree::{
    TreeError,
    ids::RunId,
    refs::{RunRef, TaskRef},
    run_info::RunStatus,
    task::{Idempotency, Resumed, TaskConfig},
};

/// The longest name of a request.
const LONGEST: usize = 255;
/// So many requests that took a task up again are remembered.
const REMEMBERED: usize = 16;

/// Names a request and what it asks for.
///
/// # Errors
/// [`RunnerError::Refused`] if the name is empty, too long, or no visible ASCII.
pub fn request(key: &str, asked: &[u8]) -> Result<Idempotency> {
    if key.is_empty() || key.len() > LONGEST || !key.bytes().all(|b| b.is_ascii_graphic()) {
        let text = format!("the Idempotency-Key is not 1 to {LONGEST} visible characters of ASCII");
        return Err(RunnerError::Refused(text));
    }
    Ok(Idempotency { key: key.to_owned(), digest: format!("{:016x}", fnv1a(asked)) })
}

/// The run that this very request has made, with the task or when it took it up again; `None`: it has made none.
///
/// # Errors
/// [`RunnerError::Reused`] if a request of the same name has asked for something else.
pub fn accepted_before(runner: &Runner, task: &TaskRef, asked: &Idempotency) -> Result<Option<RunRef>> {
    let config = match runner.tree.task_config(task) {
        Err(TreeError::NotFound { .. }) => return Ok(None),
        config => config?,
    };
    let (digest, run) = match config.idempotency {
        Some(made) if made.key == asked.key && is_accepted(runner, task)? => {
            (made.digest, runner.tree.runs(task)?.into_iter().next())
        }
        _ => match config.resumed.into_iter().find(|resumed| resumed.key == asked.key) {
            Some(resumed) if was_accepted(runner, &task.run(resumed.run_id.clone()))? => {
                (resumed.digest, Some(resumed.run_id))
            }
            _ => return Ok(None),
        },
    };
    if digest != asked.digest {
        return Err(RunnerError::Reused { key: asked.key.clone() });
    }
    Ok(run.map(|run| task.run(run)))
}

/// Writes down in a task's settings that a request has taken it up again.
pub(super) fn remember(config: &mut TaskConfig, asked: &Idempotency, run: &RunId) {
    let Idempotency { key, digest } = asked.clone();
    config.resumed.retain(|resumed| resumed.key != key);
    config.resumed.push(Resumed { key, digest, run_id: run.clone() });
    let forgotten = config.resumed.len().saturating_sub(REMEMBERED);
    config.resumed.drain(..forgotten);
}

/// Whether a run was asked for by a ticket: it still is, or it has begun, or has been said to have ended.
fn was_accepted(runner: &Runner, run: &RunRef) -> Result<bool> {
    let tree = &runner.tree;
    if tree.ticket_of(&run.task)?.is_some_and(|(.., ticket)| ticket.run_id == run.run) {
        return Ok(true);
    }
    let begun = tree.run_info(run).is_ok_and(|info| info.status != RunStatus::Created);
    Ok(begun || tree.root().exists(&run.dir().claim())?)
}

/// FNV-1a, 64 bits: small and the same for ever; nobody gains by two requests of his own that look alike.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_a_name_and_a_digest() {
        assert_eq!(request("k", b"a").unwrap().digest, "af63dc4c8601ec8c");
        assert_ne!(request("k", b"ab").unwrap(), request("k", b"ba").unwrap());
        for bad in ["", "a b", "ü", &"x".repeat(256)] {
            assert!(request(bad, b"").is_err(), "{bad}");
        }
    }
}
