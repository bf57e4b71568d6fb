//! Executes a repeated request once, in case the answer to its first attempt was lost: creating a task, or resuming
//! one.
//!
//! TASK-CONFIG.yaml keeps the key of the request and a digest of its content, so the rule holds across daemons. A key
//! belongs to its task.

use crate::runner::{
    Runner,
    accept::submit::is_accepted,
    error::{Result, RunnerError},
};
use tree::{
    TreeError,
    ids::RunId,
    refs::{RunRef, TaskRef},
    run_info::RunStatus,
    task::{Idempotency, Resumed, TaskConfig},
};

/// Maximum length of a key.
const LONGEST: usize = 255;
/// Number of remembered requests that resumed a task.
const REMEMBERED: usize = 16;

/// Builds the identity of a request from its key and its content.
///
/// # Errors
/// [`RunnerError::Refused`] if the key is empty, too long, or not visible ASCII.
pub fn request(key: &str, asked: &[u8]) -> Result<Idempotency> {
    if key.is_empty() || key.len() > LONGEST || !key.bytes().all(|b| b.is_ascii_graphic()) {
        let text = format!("the Idempotency-Key is not 1 to {LONGEST} visible characters of ASCII");
        return Err(RunnerError::Refused(text));
    }
    Ok(Idempotency { key: key.to_owned(), digest: format!("{:016x}", fnv1a(asked)) })
}

/// Returns the run that this very request has created, with the task or by resuming it; `None` if it has created
/// none.
///
/// # Errors
/// [`RunnerError::Reused`] if a request with the same key had another content.
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

/// Records in a task's settings that a request has resumed the task.
pub(in crate::runner) fn remember(config: &mut TaskConfig, asked: &Idempotency, run: &RunId) {
    let Idempotency { key, digest } = asked.clone();
    config.resumed.retain(|resumed| resumed.key != key);
    config.resumed.push(Resumed { key, digest, run_id: run.clone() });
    let forgotten = config.resumed.len().saturating_sub(REMEMBERED);
    config.resumed.drain(..forgotten);
}

/// Returns true if a run was accepted: a ticket names it, or it has begun, or its end is recorded.
fn was_accepted(runner: &Runner, run: &RunRef) -> Result<bool> {
    let tree = &runner.tree;
    if tree.ticket_of(&run.task)?.is_some_and(|(.., ticket)| ticket.run_id == run.run) {
        return Ok(true);
    }
    let begun = tree.run_info(run).is_ok_and(|info| info.status != RunStatus::Created);
    Ok(begun || tree.root().exists(&run.dir().claim())?)
}

/// FNV-1a, 64 bits: small, and the same in every version. A collision between two requests of one client harms only
/// that client.
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
