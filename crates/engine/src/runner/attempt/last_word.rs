//! Notices that a live agent has reported its final result, and tells its shim, which ends it if it does not exit by itself.
//!
//! The shim does not understand the stream, and the driver may be away for long. So the driver says once for each size of
//! the output that it ends with a result, and the shim decides when the agent's time is over (`exit_grace`).

use std::time::{Duration, Instant};

use serde_json::json;

use crate::runner::{Runner, error::Result};
use base::fsx::FsError;
use process::exit::{ExitRecord, StopBy};
use tree::{
    kinds::Protocol,
    refs::RunRef,
    run_info::RunInfo,
    transcript::{Account, background_tasks},
};

/// Time without output after which the whole stream is read. Most agents have exited by then.
const SETTLED: Duration = Duration::from_millis(500);

/// The observations of one driver.
#[derive(Debug, Default)]
pub(super) struct Watch {
    output: Option<Output>,
}

/// The agent's output, as it was last seen to change.
#[derive(Debug, Clone, Copy)]
struct Output {
    stdout: u64,
    since: Instant,
    is_judged: bool,
}

impl Watch {
    /// Looks at a live run whose agent may have ended its turn. Returns the time until the next look; `None` if nothing is
    /// to be done before the output changes.
    pub(super) fn look(&mut self, runner: &Runner, run: &RunRef, info: &RunInfo) -> Result<Option<Duration>> {
        if info.protocol != Protocol::Exec {
            return Ok(None);
        }
        let (root, dir) = (runner.tree.root(), run.dir());
        let stdout = root.stat(&dir.stdout())?.map_or(0, |stat| stat.len);
        let seen = self.output.filter(|output| output.stdout == stdout);
        let output =
            self.output.insert(seen.unwrap_or(Output { stdout, since: Instant::now(), is_judged: false }));
        if output.is_judged {
            return Ok(None);
        }
        let left = SETTLED.saturating_sub(output.since.elapsed());
        if !left.is_zero() {
            return Ok(Some(left));
        }
        output.is_judged = true;
        let dialect = agents::dialect_of(info);
        let has_ended = Account::of_run(dialect, root, &dir)?.last_word.is_some()
            && background_tasks(dialect, root, &dir)?.is_empty();
        if has_ended {
            // The size was read before the stream, so output that has come since is known to the shim as later.
            let line = format!("{}\n", json!({"type": "last_word", "stdout": stdout})).into_bytes();
            root.append(&dir.inbox(), |_| Ok::<_, FsError>((line, ())))?;
        }
        Ok(None)
    }
}

/// Returns the note for the record of a run that was ended after its final result.
pub(super) fn note(exit: &ExitRecord) -> Option<String> {
    let by = exit.stop.as_ref()?.by;
    (by == StopBy::LastWord)
        .then(|| "the agent did not exit after its final result, and was ended (exit_grace)".to_owned())
}
