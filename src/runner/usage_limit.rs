//! Whether a run ended on a usage limit, and until when: such a loop waits, and the restart does not count.
//!
//! A `command` agent says so by exit code 75 (`EX_TEMPFAIL`, sysexits.h: try again later) and may write the
//! time of the reset, RFC 3339, into the file `retry-after` of its run's folder. Without one the
//! loop waits for `restart_delay_max`.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Runner, environment::run_of, error::Result};
use crate::{config::Defaults, tree::run_info::RunInfo};

/// "Temporary failure", sysexits.h.
const TEMPORARY_FAILURE: i32 = 75;

/// When the limit ends; `None` if the run did not end on one.
pub(super) fn until(runner: &Runner, info: &RunInfo, settings: &Defaults) -> Result<Option<DateTime<Utc>>> {
    if info.exit_code != Some(TEMPORARY_FAILURE) {
        return Ok(None);
    }
    let file = run_of(info).dir().retry_after();
    let said = runner.tree.root().read_opt(&file, 1024)?;
    let said = said.and_then(|bytes| String::from_utf8_lossy(&bytes).trim().parse::<DateTime<Utc>>().ok());
    let ended = info.end_time.unwrap_or_else(|| runner.tree.clock().now());
    let pause = TimeDelta::from_std(settings.restart_delay_max).unwrap_or(TimeDelta::MAX);
    Ok(said.or_else(|| ended.checked_add_signed(pause)))
}
