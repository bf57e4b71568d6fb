//! Copies the facts that an agent has reported into the run's record: its conversation, its usage, the reason for a
//! failure.
//!
//! Totals over a conversation are converted to the run's own figures by subtracting those of the run before it.
//!
//! A `command` agent reports a usage limit by exit code 75 (`EX_TEMPFAIL`, sysexits.h: try again later), and may
//! write the time of the reset, RFC 3339, into the file `retry-after` of its run's folder.

use chrono::{DateTime, Utc};

use crate::runner::{Runner, attempt::limited, error::Result};
use tree::{
    event::ErrorClass,
    kinds::AgentType,
    run_info::{RunInfo, RunStatus},
    transcript::{Account, difference},
    usage::Usage,
};

/// "Temporary failure", sysexits.h.
const TEMPORARY_FAILURE: i32 = 75;

/// Maximum length of a refusal's text in the summary, in bytes.
const REASON_BYTES: usize = 400;

/// Fills in the reported facts. The status and the end are already set.
pub(in crate::runner) fn fill_in(
    runner: &Runner,
    info: &mut RunInfo,
    account: Option<&Account>,
) -> Result<()> {
    let failed = matches!(info.status, RunStatus::Failed | RunStatus::Crashed);
    if info.agent_type == AgentType::Command && failed && info.exit_code == Some(TEMPORARY_FAILURE) {
        info.error_class = Some(ErrorClass::UsageLimit);
        info.retry_at = said_in_file(runner, info)?;
    }
    let Some(account) = account else { return Ok(()) };
    if let Some(failure) = account.failure.as_ref().filter(|_| failed) {
        info.error_class = Some(failure.class);
        let ended = info.ended_by(runner.tree.clock().now());
        info.retry_at = failure.not_before(runner.tree.clock().on_the_wall(ended));
    } else if failed
        && let Some(refusal) = limited::refusal(runner, &info.run_ref(), info, &account.refusals)?
    {
        // The run was ended while its agent waited.
        let ended = info.ended_by(runner.tree.clock().now());
        info.error_class = Some(refusal.class);
        info.retry_at = refusal.not_before(runner.tree.clock().on_the_wall(ended));
        let why = info.error_summary.take().unwrap_or_default();
        let words = runner.redactor.text(refusal.message.lines().next().unwrap_or_default()).into_owned();
        info.error_summary = Some(format!("{why}: {}", &words[..words.floor_char_boundary(REASON_BYTES)]));
    }
    if account.agent_version.is_some() {
        info.agent_version.clone_from(&account.agent_version);
    }
    if account.model.is_some() {
        info.model.clone_from(&account.model);
    }
    if info.error_class == Some(ErrorClass::UnknownSession) {
        // The next attempt begins a new conversation.
        info.thread_id = None;
    } else if let Some(id) = account.thread_id.as_ref().filter(|id| is_a_name(id)) {
        info.thread_id = Some(id.clone());
    }
    let before = used_before(runner, info).unwrap_or_default();
    let own = account.used_by_thread.as_ref().map(|total| difference(total, &before));
    info.usage = together(account.used.as_ref(), own.as_ref());
    let total = account.used_by_thread.clone().unwrap_or(before);
    info.thread_usage = Some(total).filter(|total| *total != Usage::default());
    Ok(())
}

/// Returns true if the id of a conversation is safe. The next attempt passes it on a command line, where it must be
/// neither a flag nor several words, whatever an agent prints.
fn is_a_name(id: &str) -> bool {
    id.starts_with(|c: char| c.is_ascii_alphanumeric())
        && id.len() <= 256
        && id.chars().all(|c| c.is_ascii_alphanumeric() || "._:-".contains(c))
}

/// Returns the usage of the conversation before the run began.
fn used_before(runner: &Runner, info: &RunInfo) -> Option<Usage> {
    let previous = info.previous_ref()?;
    let previous = runner.tree.run_info(&previous).ok()?;
    previous.thread_usage.filter(|_| previous.thread_id.is_some() && previous.thread_id == info.thread_id)
}

/// Combines the figures that the agent counts per run with those that it counts per conversation.
fn together(run: Option<&Usage>, thread: Option<&Usage>) -> Option<Usage> {
    let (Some(run), Some(thread)) = (run, thread) else { return run.or(thread).cloned() };
    Some(Usage {
        input_tokens: run.input_tokens.or(thread.input_tokens),
        output_tokens: run.output_tokens.or(thread.output_tokens),
        cached_tokens: run.cached_tokens.or(thread.cached_tokens),
        cost_usd: run.cost_usd.or(thread.cost_usd),
    })
}

fn said_in_file(runner: &Runner, info: &RunInfo) -> Result<Option<DateTime<Utc>>> {
    let said = runner.tree.root().read_if_file(&info.run_ref().dir().retry_after(), 1024)?;
    Ok(said.and_then(|bytes| String::from_utf8_lossy(&bytes).trim().parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversation_has_a_name_that_is_no_flag() {
        for id in ["11111111-2222-4333-8444-555555555555", "ses_dff105365ffeZ4", "thread:1.2"] {
            assert!(is_a_name(id), "{id}");
        }
        for id in ["", "--dangerous; rm -rf /", "-p", "a b", "a/b", "é", "a\n"] {
            assert!(!is_a_name(id), "{id}");
        }
    }
}
