//! A submission that may be sent again, for its answer was lost, and is accepted once.
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
    refs::{RunRef, TaskRef},
    task::Idempotency,
};

/// The longest name of a request.
const LONGEST: usize = 255;

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

/// The first run of a task that this very request has made; `None`: it has made none.
///
/// # Errors
/// [`RunnerError::Reused`] if a request of the same name has asked for something else.
pub fn accepted_before(runner: &Runner, task: &TaskRef, asked: &Idempotency) -> Result<Option<RunRef>> {
    let config = match runner.tree.task_config(task) {
        Err(TreeError::NotFound { .. }) => return Ok(None),
        config => config?,
    };
    match config.idempotency {
        Some(made) if made.key == asked.key && is_accepted(runner, task)? => {
            if made.digest != asked.digest {
                return Err(RunnerError::Reused { key: made.key });
            }
            Ok(runner.tree.runs(task)?.into_iter().next().map(|run| task.run(run)))
        }
        _ => Ok(None),
    }
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
