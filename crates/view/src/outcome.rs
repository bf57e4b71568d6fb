//! The end of a run, decided from the facts: the one place that says `completed`, `failed`, `stopped` or `crashed`.
//!
//! 1. A driver's claim: the run never started, and ended as the claim says.
//! 2. `exit.json`: STOP or an inbox command before the end makes it `stopped`. Exit code 0 without a timeout makes it
//!    `completed`, if the last word of the agent's stream, where there is one, says so too. That word alone decides if
//!    the agent was ended because it did not exit after it. Everything else is `failed`.
//! 3. No `exit.json` and the processes gone: the end as a driver saw it through a handle on the process, by the same
//!    rule, else `crashed`. Never a success by default.

use chrono::{DateTime, Utc};

use process::{
    claim::{Claim, ClaimBy, EndsAs},
    exit::{ExitRecord, ProcessEnd, StopBy},
};
use tree::{event::TurnOutcome, run_info::RunStatus, transcript::Account};

/// Maximum number of bytes of the agent's own words in the reason for a failure.
const REASON_BYTES: usize = 400;

/// The end of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// A final status.
    pub status: RunStatus,
    /// Exit code, if the process exited.
    pub exit_code: Option<i32>,
    /// Signal, if one ended the process.
    pub signal: Option<i32>,
    /// One sentence on its failure.
    pub error_summary: Option<String>,
    /// The time of the end, if known.
    pub ended_at: Option<DateTime<Utc>>,
    /// The time of the agent's start, if known.
    pub started_at: Option<DateTime<Utc>>,
}

/// The end of a process that was watched through a pidfd, in the absence of `exit.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObservedEnd {
    /// The status as of wait(2); `None` if the kernel does not report it.
    pub wait_status: Option<i32>,
    /// The time when the end was noticed.
    pub at: DateTime<Utc>,
    /// True if we ended the process because of STOP.
    pub stopped: bool,
}

/// Returns the end according to `exit.json` and the agent's stream. There is no account if the agent prints only text
/// for users.
#[must_use]
pub fn of_exit(exit: &ExitRecord, account: Option<&Account>) -> Outcome {
    let (exit_code, signal) = match exit.end {
        ProcessEnd::Exited { exit_code } => (Some(exit_code), None),
        ProcessEnd::Signaled { signal, .. } => (None, Some(signal)),
        ProcessEnd::NotStarted { .. } => (None, None),
    };
    let stop = exit.stop.as_ref().map(|s| s.by);
    let (status, error_summary) = match stop {
        Some(StopBy::StopMarker | StopBy::Inbox) => (RunStatus::Stopped, Some(summary(exit))),
        None if exit_code == Some(0) => by_last_word(account, "exit code 0"),
        // The driver has found a final result in the stream, so there is an account.
        Some(StopBy::LastWord) if account.is_some() => by_last_word(account, "it did not exit"),
        None => (RunStatus::Failed, Some(with_reason(summary(exit), account))),
        Some(_) => (RunStatus::Failed, Some(summary(exit))),
    };
    Outcome {
        status,
        exit_code,
        signal,
        error_summary,
        ended_at: Some(exit.ended_at),
        started_at: exit.started_at,
    }
}

/// Returns the end of a process that exited with 0, which alone is no success if the agent has a last word, or that was
/// ended after its last word. `how` says which.
fn by_last_word(account: Option<&Account>, how: &str) -> (RunStatus, Option<String>) {
    let Some(account) = account else { return (RunStatus::Completed, None) };
    let reason = match account.last_word.as_ref().map(|word| word.outcome) {
        Some(TurnOutcome::Completed) => return (RunStatus::Completed, None),
        Some(TurnOutcome::Failed) => "the agent gave up".to_owned(),
        Some(TurnOutcome::Interrupted) => "the agent was interrupted".to_owned(),
        None => format!("{how}, but the agent's output ends without its final result"),
    };
    (RunStatus::Failed, Some(with_reason(reason, account.into())))
}

/// Adds the reason in the agent's words, if it reported one.
fn with_reason(how: String, account: Option<&Account>) -> String {
    let said = account.and_then(|account| {
        let failure = account.failure.as_ref().map(|f| f.message.as_str());
        let gave_up = account.last_word.as_ref().filter(|word| word.outcome != TurnOutcome::Completed);
        failure.or_else(|| gave_up?.message.as_deref())
    });
    match said.map(str::trim).filter(|said| !said.is_empty()) {
        None => how,
        Some(said) => {
            let line = said.lines().next().unwrap_or_default();
            let short = &line[..line.floor_char_boundary(REASON_BYTES)];
            format!("{how}: {short}{}", if short.len() < said.len() { "…" } else { "" })
        }
    }
}

/// Returns the end of a run that a driver claimed so that it never starts.
#[must_use]
pub fn of_driver_claim(claim: &Claim) -> Option<Outcome> {
    let (ClaimBy::Driver, ends_as) = (claim.by, claim.ends_as) else { return None };
    let status = match ends_as {
        Some(EndsAs::Stopped) => RunStatus::Stopped,
        Some(EndsAs::Failed) | None => RunStatus::Failed,
    };
    Some(Outcome {
        status,
        exit_code: None,
        signal: None,
        error_summary: Some(claim.reason.clone().unwrap_or_else(|| "it was never started".to_owned())),
        ended_at: Some(claim.claimed_at),
        started_at: None,
    })
}

/// Returns the end of a run if its processes are gone and have left no `exit.json`.
#[must_use]
pub fn of_lost(seen: Option<ObservedEnd>, account: Option<&Account>) -> Outcome {
    let status = seen.and_then(|s| s.wait_status);
    let exit_code = status.filter(|s| libc::WIFEXITED(*s)).map(|s| libc::WEXITSTATUS(s));
    let signal = status.filter(|s| libc::WIFSIGNALED(*s)).map(|s| libc::WTERMSIG(s));
    let how = "its shim was killed";
    let (status, summary) = match (seen.is_some_and(|s| s.stopped), exit_code, signal) {
        (true, ..) => (RunStatus::Stopped, Some("stopped on request; its shim was killed before".to_owned())),
        (_, Some(0), _) => by_last_word(account, "exit code 0"),
        (_, Some(code), _) => (RunStatus::Failed, Some(format!("exit code {code}; {how}"))),
        (_, _, Some(signal)) => (RunStatus::Failed, Some(format!("ended by {}; {how}", signal_name(signal)))),
        _ => (RunStatus::Crashed, Some("its processes are gone and their exit was not recorded".to_owned())),
    };
    Outcome {
        status,
        exit_code,
        signal,
        error_summary: summary,
        ended_at: seen.map(|s| s.at),
        started_at: None,
    }
}

fn summary(exit: &ExitRecord) -> String {
    let how = match &exit.end {
        ProcessEnd::NotStarted { error, .. } => return error.clone(),
        ProcessEnd::Exited { exit_code } => format!("exit code {exit_code}"),
        ProcessEnd::Signaled { signal, .. } => match &exit.out_of_memory {
            Some(_) => "killed by the kernel: out of memory".to_owned(),
            None => format!("ended by {}", signal_name(*signal)),
        },
    };
    match exit.stop.as_ref().map(|s| s.by) {
        None => how,
        Some(StopBy::StopMarker | StopBy::Inbox) => format!("stopped on request ({how})"),
        Some(StopBy::UsageLimit) => format!("the agent waited for longer than limit_patience ({how})"),
        Some(StopBy::LastWord) => format!("did not exit after its final result ({how})"),
        Some(StopBy::IdleTimeout) => format!("no output for longer than the timeout ({how})"),
        Some(StopBy::MaxRunTime) => format!("ran longer than max_run_time ({how})"),
        Some(StopBy::FolderGone) => format!("its folder was removed ({how})"),
        Some(StopBy::Signal) => format!("its shim was asked to end by a signal ({how})"),
    }
}

/// `SIGKILL` for 9.
#[must_use]
pub fn signal_name(signal: i32) -> String {
    nix::sys::signal::Signal::try_from(signal)
        .map_or_else(|_| format!("signal {signal}"), |s| s.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use process::exit::StopRequest;
    use tree::{
        event::ErrorClass,
        transcript::{Failure, LastWord},
    };

    fn exit(end: ProcessEnd, stop: Option<StopBy>) -> ExitRecord {
        let now = Utc::now();
        ExitRecord { stop: stop.map(|by| StopRequest { by, at: now }), ..ExitRecord::new(end, now) }
    }

    #[test]
    fn what_exit_json_means() {
        let code = |exit_code| ProcessEnd::Exited { exit_code };
        let killed = |signal| ProcessEnd::Signaled { signal, core_dumped: false };
        for (end, stop, status, summary) in [
            (code(0), None, RunStatus::Completed, None),
            (code(3), None, RunStatus::Failed, Some("exit code 3")),
            (killed(9), None, RunStatus::Failed, Some("ended by SIGKILL")),
            (code(0), Some(StopBy::StopMarker), RunStatus::Stopped, Some("stopped on request (exit code 0)")),
            (
                killed(15),
                Some(StopBy::Inbox),
                RunStatus::Stopped,
                Some("stopped on request (ended by SIGTERM)"),
            ),
            (
                code(0),
                Some(StopBy::IdleTimeout),
                RunStatus::Failed,
                Some("no output for longer than the timeout (exit code 0)"),
            ),
            (
                killed(15),
                Some(StopBy::LastWord),
                RunStatus::Failed,
                Some("did not exit after its final result (ended by SIGTERM)"),
            ),
            (
                killed(15),
                Some(StopBy::Signal),
                RunStatus::Failed,
                Some("its shim was asked to end by a signal (ended by SIGTERM)"),
            ),
        ] {
            let outcome = of_exit(&exit(end, stop), None);
            assert_eq!((outcome.status, outcome.error_summary.as_deref()), (status, summary));
        }
    }

    #[test]
    fn a_lost_run_is_never_a_success_by_default() {
        let lost = |seen| of_lost(seen, None);
        assert_eq!(lost(None).status, RunStatus::Crashed);
        let seen = |wait_status| Some(ObservedEnd { wait_status, at: Utc::now(), stopped: false });
        assert_eq!(lost(seen(None)).status, RunStatus::Crashed);
        assert_eq!(lost(seen(Some(0))).status, RunStatus::Completed);
        assert_eq!(lost(seen(Some(33 << 8))).exit_code, Some(33));
        assert_eq!(lost(seen(Some(9))).signal, Some(9));
        let said_so = account(Some((TurnOutcome::Completed, "done")), None);
        assert_eq!(of_lost(None, Some(&said_so)).status, RunStatus::Crashed);
        assert_eq!(of_lost(seen(Some(0)), Some(&Account::default())).status, RunStatus::Failed);
    }

    fn account(last_word: Option<(TurnOutcome, &str)>, failure: Option<Failure>) -> Account {
        let mut account = Account::default();
        account.last_word =
            last_word.map(|(outcome, said)| LastWord { outcome, message: Some(said.to_owned()) });
        account.failure = failure;
        account
    }

    #[test]
    fn exit_code_0_is_no_success_without_the_agents_last_word() {
        let failure = Failure {
            class: ErrorClass::Request,
            message: "no such model\nat line 3".to_owned(),
            retry_at: None,
            retry_after: None,
            retry_clock: None,
        };
        for (code, last_word, failure, status, summary) in [
            (0, Some((TurnOutcome::Completed, "done")), None, RunStatus::Completed, None),
            (
                0,
                Some((TurnOutcome::Failed, "budget")),
                None,
                RunStatus::Failed,
                Some("the agent gave up: budget"),
            ),
            (
                0,
                Some((TurnOutcome::Interrupted, "")),
                None,
                RunStatus::Failed,
                Some("the agent was interrupted"),
            ),
            (
                0,
                None,
                None,
                RunStatus::Failed,
                Some("exit code 0, but the agent's output ends without its final result"),
            ),
            (
                1,
                Some((TurnOutcome::Failed, "x")),
                Some(failure),
                RunStatus::Failed,
                Some("exit code 1: no such model…"),
            ),
            (1, Some((TurnOutcome::Completed, "done")), None, RunStatus::Failed, Some("exit code 1")),
        ] {
            let end = exit(ProcessEnd::Exited { exit_code: code }, None);
            let outcome = of_exit(&end, Some(&account(last_word, failure)));
            assert_eq!((outcome.status, outcome.error_summary.as_deref()), (status, summary));
        }
    }

    #[test]
    fn an_agent_that_was_ended_after_its_last_word_is_judged_by_it() {
        for (last_word, status, summary) in [
            (Some((TurnOutcome::Completed, "done")), RunStatus::Completed, None),
            (Some((TurnOutcome::Failed, "no model")), RunStatus::Failed, Some("the agent gave up: no model")),
            (
                None,
                RunStatus::Failed,
                Some("it did not exit, but the agent's output ends without its final result"),
            ),
        ] {
            for end in [
                ProcessEnd::Exited { exit_code: 143 },
                ProcessEnd::Exited { exit_code: 0 },
                ProcessEnd::Signaled { signal: 9, core_dumped: false },
            ] {
                let outcome = of_exit(&exit(end, Some(StopBy::LastWord)), Some(&account(last_word, None)));
                assert_eq!((outcome.status, outcome.error_summary.as_deref()), (status, summary));
            }
        }
    }
}
