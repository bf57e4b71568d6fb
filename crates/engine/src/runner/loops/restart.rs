//! Decides the next step after a run has ended, from the facts on disk.
//!
//! 1. A job ends with its run. So does the loop of a session, unless a message waits for the next one.
//! 2. DONE: the task is complete when no child task is alive. If children take longer than `child_wait_timeout`, the
//!    task fails, and the children go on.
//! 3. STOP, or a stop in the inbox of the last run: the task is stopped. (STOP takes precedence over a restart, DONE over STOP.)
//! 4. A limit of `limits` is reached: the task stops with a question.
//! 5. An error that no restart mends, such as refused credentials: the task fails.
//! 6. A usage limit: the task waits for the reset, and that restart does not count.
//! 7. `max_restarts` are used up: the task fails.
//! 8. Else it is restarted after `restart_delay`, doubled for every run in a row that failed quickly, up to
//!    `restart_delay_max`.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use base::words::count;
use config::Defaults;
use tree::{run_info::RunStatus, task::TaskKind, task_end::EndStatus};

/// A run that failed in less time than this failed quickly.
const QUICK: Duration = Duration::from_secs(30);

/// An ended run; lists of them are sorted newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::runner) struct PastRun {
    pub(in crate::runner) status: RunStatus,
    pub(in crate::runner) took: Duration,
}

/// A limit of the provider that ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::runner) struct MetLimit {
    pub(in crate::runner) until: DateTime<Utc>,
    /// The provider had too many requests of all its users, and not this user too many.
    pub(in crate::runner) overload: bool,
}

/// The facts behind the decision.
#[derive(Debug, Clone)]
pub(in crate::runner) struct LoopFacts<'a> {
    pub(in crate::runner) kind: TaskKind,
    /// The name of the last run's agent.
    pub(in crate::runner) agent: &'a str,
    pub(in crate::runner) done: bool,
    pub(in crate::runner) stop: bool,
    /// The last runs of this loop, newest first; at least one.
    pub(in crate::runner) past: &'a [PastRun],
    /// One sentence on the end of the last run, if it did not succeed.
    pub(in crate::runner) summary: Option<&'a str>,
    pub(in crate::runner) ended_at: DateTime<Utc>,
    pub(in crate::runner) now: DateTime<Utc>,
    /// The number of restarts so far that count.
    pub(in crate::runner) restarts: u32,
    pub(in crate::runner) live_children: usize,
    /// True if a message of a session waits for a turn.
    pub(in crate::runner) message_waits: bool,
    /// The limit that was reached, in one sentence.
    pub(in crate::runner) brake: Option<String>,
    /// The reason why no restart can succeed, in one sentence.
    pub(in crate::runner) cannot_heal: Option<String>,
    /// The limit of the provider that ended the run, if one did.
    pub(in crate::runner) met_limit: Option<MetLimit>,
    pub(in crate::runner) settings: &'a Defaults,
}

/// The next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::runner) enum Next {
    /// The loop has ended.
    Finish { status: EndStatus, reason: String, say: Say },
    /// Children are alive: decide again when one ends, at this time at the latest.
    AwaitChildren(DateTime<Utc>),
    /// Start another run, not before this time.
    Restart { not_before: DateTime<Utc>, counts: Counts, reason: String },
}

/// The message on the bus about an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::runner) enum Say {
    /// None beyond the message about the run's own end.
    Nothing,
    /// The task is done.
    Done,
    /// An ERROR.
    Error,
    /// A QUESTION: a user has to decide.
    Question,
}

/// States if a restart counts against `max_restarts`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::runner) enum Counts {
    Yes,
    No,
}

/// Decides the next step, by the rules at the top of this file.
pub(in crate::runner) fn next(facts: &LoopFacts<'_>) -> Next {
    let last = facts.past.first().map_or(RunStatus::Crashed, |r| r.status);
    if facts.kind == TaskKind::Job {
        return end_of_job(facts, last);
    }
    if facts.kind == TaskKind::Session {
        return end_of_turns(facts, last);
    }
    if facts.done {
        return after_done(facts);
    }
    if facts.stop {
        return finish(EndStatus::Stopped, "stopped on request", Say::Nothing);
    }
    if let Some(brake) = &facts.brake {
        return finish(EndStatus::Stopped, brake, Say::Question);
    }
    if let Some(why) = &facts.cannot_heal {
        return finish(EndStatus::Failed, why, Say::Error);
    }
    let how = facts.summary.unwrap_or("it ended without DONE");
    if let Some(MetLimit { until, overload }) = facts.met_limit {
        let reason = if overload {
            format!("the provider of {} is overloaded ({how})", facts.agent)
        } else {
            format!("the usage limit of {} ends then ({how})", facts.agent)
        };
        return Next::Restart { not_before: until, counts: Counts::No, reason };
    }
    if facts.restarts >= facts.settings.max_restarts {
        let times = count(facts.restarts.into(), "time");
        let reason = format!("it was restarted {times} and is not done; the last run: {how}");
        return finish(EndStatus::Failed, &reason, Say::Error);
    }
    let delay = TimeDelta::from_std(delay(facts)).unwrap_or(TimeDelta::MAX);
    let not_before = facts.ended_at.checked_add_signed(delay).unwrap_or(DateTime::<Utc>::MAX_UTC);
    Next::Restart { not_before, counts: Counts::Yes, reason: format!("restart after: {how}") }
}

fn end_of_job(facts: &LoopFacts<'_>, last: RunStatus) -> Next {
    let how = facts.summary.unwrap_or("the run completed");
    let status = match last {
        RunStatus::Completed => EndStatus::Completed,
        RunStatus::Stopped => EndStatus::Stopped,
        _ => EndStatus::Failed,
    };
    finish(status, how, Say::Nothing)
}

fn end_of_turns(facts: &LoopFacts<'_>, last: RunStatus) -> Next {
    if facts.message_waits && !facts.stop && !facts.done {
        if let Some(brake) = &facts.brake {
            return finish(EndStatus::Stopped, brake, Say::Question);
        }
        let reason = "a message waits".to_owned();
        return Next::Restart { not_before: facts.now, counts: Counts::No, reason };
    }
    end_of_job(facts, last)
}

fn after_done(facts: &LoopFacts<'_>) -> Next {
    let limit = TimeDelta::from_std(facts.settings.child_wait_timeout).unwrap_or(TimeDelta::MAX);
    let until = facts.ended_at.checked_add_signed(limit).unwrap_or(DateTime::<Utc>::MAX_UTC);
    if facts.live_children == 0 {
        return finish(EndStatus::Completed, "the agent said DONE", Say::Done);
    }
    if facts.now < until {
        return Next::AwaitChildren(until);
    }
    let run = if facts.live_children == 1 { "runs" } else { "run" };
    let children = count(facts.live_children as u64, "child task");
    let reason =
        format!("the task is DONE, but {children} still {run} after child_wait_timeout; they continue");
    finish(EndStatus::Failed, &reason, Say::Error)
}

fn finish(status: EndStatus, reason: &str, say: Say) -> Next {
    Next::Finish { status, reason: reason.to_owned(), say }
}

fn delay(facts: &LoopFacts<'_>) -> Duration {
    let quick = |r: &&PastRun| matches!(r.status, RunStatus::Failed | RunStatus::Crashed) && r.took < QUICK;
    let failures = facts.past.iter().take_while(quick).count();
    let doublings = u32::try_from(failures.saturating_sub(1)).unwrap_or(u32::MAX).min(20);
    facts.settings.restart_delay.saturating_mul(1 << doublings).min(facts.settings.restart_delay_max)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILED: PastRun = PastRun { status: RunStatus::Failed, took: Duration::from_secs(1) };
    const GOOD: PastRun = PastRun { status: RunStatus::Completed, took: Duration::from_secs(1) };
    const SLOW: PastRun = PastRun { status: RunStatus::Failed, took: Duration::from_mins(10) };

    fn decide(change: impl FnOnce(&mut LoopFacts<'_>)) -> Next {
        let settings = Defaults::default();
        let now = DateTime::UNIX_EPOCH;
        let mut facts = LoopFacts {
            kind: TaskKind::Task,
            agent: "claude",
            done: false,
            stop: false,
            past: &[GOOD],
            summary: None,
            ended_at: now,
            now,
            restarts: 0,
            live_children: 0,
            message_waits: false,
            brake: None,
            cannot_heal: None,
            met_limit: None,
            settings: &settings,
        };
        change(&mut facts);
        next(&facts)
    }

    fn end(change: impl FnOnce(&mut LoopFacts<'_>)) -> Option<(EndStatus, Say)> {
        match decide(change) {
            Next::Finish { status, say, .. } => Some((status, say)),
            _ => None,
        }
    }

    fn delay_of(past: &'static [PastRun]) -> i64 {
        match decide(|f| f.past = past) {
            Next::Restart { not_before, counts: Counts::Yes, .. } => not_before.timestamp(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_error_that_no_restart_mends_fails_the_task_at_once() {
        let refused = |f: &mut LoopFacts<'_>| f.cannot_heal = Some("the key is refused".to_owned());
        assert_eq!(end(refused), Some((EndStatus::Failed, Say::Error)));
        let stopped = |f: &mut LoopFacts<'_>| {
            refused(f);
            f.stop = true;
        };
        assert_eq!(end(stopped), Some((EndStatus::Stopped, Say::Nothing)));
        let done = |f: &mut LoopFacts<'_>| {
            refused(f);
            f.done = true;
        };
        assert_eq!(end(done), Some((EndStatus::Completed, Say::Done)));
    }

    #[test]
    fn markers_beat_restarts_and_done_beats_stop() {
        assert_eq!(end(|f| f.done = true), Some((EndStatus::Completed, Say::Done)));
        assert_eq!(end(|f| f.stop = true), Some((EndStatus::Stopped, Say::Nothing)));
        assert_eq!(end(|f| (f.done, f.stop) = (true, true)), Some((EndStatus::Completed, Say::Done)));
        assert_eq!(end(|_| {}), None);
    }

    #[test]
    fn done_waits_for_children_and_not_for_ever() {
        let waiting = decide(|f| (f.done, f.live_children) = (true, 1));
        assert_eq!(waiting, Next::AwaitChildren(DateTime::UNIX_EPOCH + TimeDelta::minutes(5)));
        let late = |f: &mut LoopFacts<'_>| {
            (f.done, f.live_children, f.now) = (true, 1, f.now + TimeDelta::minutes(5));
        };
        assert_eq!(end(late), Some((EndStatus::Failed, Say::Error)));
    }

    #[test]
    fn restarts_run_out_but_usage_limits_do_not_count() {
        assert_eq!(end(|f| f.restarts = 100), Some((EndStatus::Failed, Say::Error)));
        let reset = DateTime::UNIX_EPOCH + TimeDelta::hours(3);
        for (overload, reason) in [
            (false, "the usage limit of claude ends then (it ended without DONE)"),
            (true, "the provider of claude is overloaded (it ended without DONE)"),
        ] {
            let met_limit = Some(MetLimit { until: reset, overload });
            let waiting = decide(|f| (f.restarts, f.met_limit) = (100, met_limit));
            let reason = reason.to_owned();
            assert_eq!(waiting, Next::Restart { not_before: reset, counts: Counts::No, reason });
        }
        assert_eq!(end(|f| f.brake = Some("cost".to_owned())), Some((EndStatus::Stopped, Say::Question)));
    }

    #[test]
    fn the_delay_doubles_while_runs_fail_quickly() {
        assert_eq!(delay_of(&[GOOD]), 1);
        assert_eq!(delay_of(&[FAILED, GOOD]), 1);
        assert_eq!(delay_of(&[FAILED, FAILED, GOOD, FAILED]), 2);
        assert_eq!(delay_of(&[FAILED, FAILED, FAILED, FAILED]), 8);
        assert_eq!(delay_of(&[FAILED; 20]), 60);
        assert_eq!(delay_of(&[SLOW, FAILED, FAILED]), 1);
    }

    #[test]
    fn a_session_goes_on_while_a_message_waits() {
        let session = |f: &mut LoopFacts<'_>| f.kind = TaskKind::Session;
        assert_eq!(end(session), Some((EndStatus::Completed, Say::Nothing)));
        let waits = |f: &mut LoopFacts<'_>| (f.kind, f.message_waits) = (TaskKind::Session, true);
        let Next::Restart { counts: Counts::No, not_before, .. } = decide(waits) else {
            panic!("the next turn needs a run");
        };
        assert_eq!(not_before, DateTime::UNIX_EPOCH);
        let braked = |f: &mut LoopFacts<'_>| {
            waits(f);
            f.brake = Some("cost".to_owned());
        };
        assert_eq!(end(braked), Some((EndStatus::Stopped, Say::Question)));
        let stopped = |f: &mut LoopFacts<'_>| {
            waits(f);
            f.stop = true;
        };
        assert_eq!(end(stopped), Some((EndStatus::Completed, Say::Nothing)));
        let failed = |f: &mut LoopFacts<'_>| (f.kind, f.past) = (TaskKind::Session, &[FAILED]);
        assert_eq!(end(failed), Some((EndStatus::Failed, Say::Nothing)));
    }

    #[test]
    fn a_job_ends_with_its_run() {
        for (past, status) in [(GOOD, EndStatus::Completed), (FAILED, EndStatus::Failed)] {
            let past = [past];
            let Next::Finish { status: got, say: Say::Nothing, .. } = decide(|f| {
                f.kind = TaskKind::Job;
                f.past = Box::leak(Box::new(past));
            }) else {
                panic!("a job is not restarted");
            };
            assert_eq!(got, status);
        }
    }
}
