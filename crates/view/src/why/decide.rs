//! Decides the reason for a task's status from the facts.
//!
//! In this order: a queued ticket is blocked by tasks or waits for a place. An admitted ticket is stopping, waits for
//! children, for a time, for its start, or runs. Without a ticket: a run that is still there, the end of the last
//! loop, the markers, the last run, nothing.

use chrono::{DateTime, SecondsFormat, Utc};

use super::facts::{DaemonPresence, Facts, LastError, Source};
use crate::task::{Access, Standing};
use base::words::count;
use tree::{
    refs::TaskRef,
    run_info::RunStatus,
    task::TaskKind,
    task_end::{EndStatus, TaskEnd},
    ticket::{Ticket, TicketFolder},
};

/// Maximum number of names that a sentence lists.
const NAMED: usize = 5;

/// Returns the reason, in the order at the top of this file.
pub(super) fn decide(facts: &Facts<'_>) -> (String, Vec<Source>) {
    match &facts.own.ticket {
        Some((TicketFolder::Queue, ticket)) => queued(facts, ticket),
        Some((TicketFolder::Live, ticket)) => live(facts, ticket),
        None => at_rest(facts),
    }
}

fn queued(facts: &Facts<'_>, ticket: &Ticket) -> (String, Vec<Source>) {
    let task = facts.task;
    let waits = match &facts.around.standing {
        _ if facts.own.stop => ("is to stop (STOP) before it has started".to_owned(), Source::Stop),
        _ if facts.own.done => ("is done (DONE) before it has started".to_owned(), Source::Done),
        Standing::Blocked(why) => (format!("is blocked: {why}"), Source::Config),
        Standing::Position(at) if facts.around.live.is_empty() => {
            (format!("is queued in position {at}: no new task may start now"), Source::LiveTickets)
        }
        Standing::Position(at) => {
            let behind = named(facts.around.live);
            (format!("is queued in position {at}: all places are taken by {behind}"), Source::LiveTickets)
        }
        Standing::Next | Standing::Live => {
            (format!("is accepted and about to start (attempt {})", ticket.attempt), Source::Ticket)
        }
    };
    let (why, source) = waits;
    let mut files = vec![Source::Ticket];
    if source != Source::Ticket {
        files.push(source);
    }
    (format!("task {task} {why}{}", undriven(facts)), files)
}

fn live(facts: &Facts<'_>, ticket: &Ticket) -> (String, Vec<Source>) {
    let task = facts.task;
    let attempt = ticket.attempt;
    let run = &ticket.run_id;
    let status = facts.own.run.as_ref().map_or(RunStatus::Created, |r| r.status);
    let since = facts.own.run.as_ref().map(|r| when(r.start)).unwrap_or_default();
    let before = ticket.not_before.filter(|t| *t > facts.around.now);
    let is_left = facts.own.driver.is_none() && facts.around.daemon == DaemonPresence::Absent;
    let job = facts.own.run.as_ref().and_then(|r| r.job.as_deref());
    let (what, mut files) = match (status, before, job) {
        (RunStatus::Running, ..) if facts.own.stop => (
            format!("was asked to stop (STOP); run {run} (attempt {attempt}) is being ended"),
            vec![Source::Stop, Source::RunInfo],
        ),
        (RunStatus::Running, ..) if facts.own.done => (
            format!("is done (DONE), and ends with run {run} (attempt {attempt}), which runs since {since}"),
            vec![Source::Done, Source::RunInfo],
        ),
        (RunStatus::Running, ..) => {
            let (error, files) = match &facts.around.last_error {
                Some(error) => (last_error(error), vec![Source::RunInfo, Source::Events]),
                None => (String::new(), vec![Source::RunInfo]),
            };
            (format!("runs since {since}: run {run} (attempt {attempt}){error}"), files)
        }
        // A run that is to stop is not started any more, whatever its executor says.
        (RunStatus::Created, ..) if facts.own.stop => (
            format!("was asked to stop (STOP); run {run} (attempt {attempt}) is not started"),
            vec![Source::Stop],
        ),
        (RunStatus::Created, ..) if facts.own.done => {
            (format!("is done (DONE); run {run} (attempt {attempt}) is not started"), vec![Source::Done])
        }
        (RunStatus::Created, _, None) if is_left => {
            (format!("is idle: run {run} (attempt {attempt}) has not started"), vec![])
        }
        (RunStatus::Created, Some(time), _) => {
            let why = ticket.reason.as_deref().map(|r| format!(": {r}")).unwrap_or_default();
            (format!("waits until {} for attempt {attempt}{why}", when(time)), vec![])
        }
        (RunStatus::Created, _, Some(job)) => (
            format!(
                "is queued at executor '{}' since {}: run {run} (attempt {attempt})",
                job.executor,
                when(job.submitted_at)
            ),
            vec![Source::Job],
        ),
        (RunStatus::Created, ..) => (format!("is about to start run {run} (attempt {attempt})"), vec![]),
        _ if facts.own.done && !facts.around.children.is_empty() => (
            format!("is done, and waits for its child tasks: {}", named(&facts.around.children)),
            vec![Source::Done],
        ),
        (status, ..) => ended(facts, ticket, status),
    };
    files.push(Source::Ticket);
    let driven = facts.own.driver.as_ref().map(|by| format!(", driven by {by}")).unwrap_or_default();
    if facts.own.driver.is_some() {
        files.push(Source::Lock);
    }
    (format!("task {task} {what}{driven}{}", undriven(facts)), files)
}

/// Explains a live ticket after the end of its run. Only a loop without DONE and STOP continues.
fn ended(facts: &Facts<'_>, ticket: &Ticket, status: RunStatus) -> (String, Vec<Source>) {
    let own = &facts.own;
    let run = format!("run {} (attempt {}) ended as {}", ticket.run_id, ticket.attempt, status.as_str());
    if let Some(end) = own.end.as_ref().filter(|end| end.run_id == ticket.run_id) {
        return (format!("is ending: {}", end.reason), vec![Source::End]);
    }
    if own.stop {
        return (
            format!("was asked to stop (STOP) and is ending: {run}"),
            vec![Source::Stop, Source::RunInfo],
        );
    }
    if own.done {
        return (format!("is done (DONE) and is ending: {run}"), vec![Source::Done, Source::RunInfo]);
    }
    if own.kind == TaskKind::Job {
        return (format!("is ending: {run}"), vec![Source::RunInfo]);
    }
    let state = if own.driver.is_none() && facts.around.daemon == DaemonPresence::Absent {
        "is idle"
    } else {
        "continues soon"
    };
    (format!("{state}: {run}"), vec![Source::RunInfo])
}

fn at_rest(facts: &Facts<'_>) -> (String, Vec<Source>) {
    let task = facts.task;
    let is_session = facts.own.kind == TaskKind::Session;
    let resume = if is_session {
        format!("`run-agent send {task} TEXT` continues the session")
    } else {
        format!("`run-agent resume {task}` resumes it")
    };
    if let Some(run) = facts.own.run.as_ref().filter(|r| r.status == RunStatus::Running) {
        let asked = if facts.own.stop { "was asked to stop (STOP), " } else { "" };
        let text = format!(
            "task {task} {asked}has a run that is still there ({}, since {}), and no ticket: no driver restarts it",
            run.id,
            when(run.start)
        );
        let mut files = vec![Source::RunInfo];
        files.extend(facts.own.stop.then_some(Source::Stop));
        return (text, files);
    }
    let completed = |end: &TaskEnd| end.status == EndStatus::Completed;
    if let Some(why) = facts.own.unreadable.as_ref().filter(|_| facts.own.access == Access::Unreadable)
        && facts.own.end.as_ref().is_none_or(completed)
    {
        return (format!("task {task} cannot be read: {why}"), vec![]);
    }
    if let Some(end) = &facts.own.end {
        let TaskEnd { reason, attempt, ended_at, .. } = end;
        let at = when(*ended_at);
        // A resumed task has runs of earlier loops, too. Old runs may have been removed.
        let runs = facts.around.runs.max(*attempt as usize);
        let runs = count(runs as u64, "run");
        return match end.status {
            EndStatus::Completed if is_session => {
                (format!("session {task} is at rest since {at} after {runs}; {resume}"), vec![Source::End])
            }
            EndStatus::Completed => {
                (format!("task {task} completed at {at} after {runs}: {reason}"), vec![Source::End])
            }
            EndStatus::Failed => {
                (format!("task {task} failed at {at} after {runs}: {reason}; {resume}"), vec![Source::End])
            }
            EndStatus::Stopped => {
                let mut files = vec![Source::End];
                files.extend(facts.own.stop.then_some(Source::Stop));
                (format!("task {task} was stopped at {at} after {runs}: {reason}; {resume}"), files)
            }
        };
    }
    if facts.own.done {
        return (format!("task {task} is completed: it has DONE"), vec![Source::Done]);
    }
    if facts.own.stop {
        return (format!("task {task} is stopped: it has STOP; {resume}"), vec![Source::Stop]);
    }
    let Some(run) = &facts.own.run else {
        return (format!("task {task} is idle: it has no ticket and no run"), vec![]);
    };
    let how = run.error.as_deref().map(|s| format!(": {s}")).unwrap_or_default();
    let last = format!("its last run {} ended as {}{how}", run.id, run.status.as_str());
    let state = match (run.status, facts.own.kind) {
        (RunStatus::Completed, TaskKind::Job) => "is completed",
        (RunStatus::Failed | RunStatus::Crashed, _) => "failed",
        (RunStatus::Stopped, _) => "was stopped",
        _ => "is idle: it has no ticket",
    };
    (format!("task {task} {state}; {last}"), vec![Source::RunInfo])
}

/// Names the error after which the agent has done nothing yet.
fn last_error(error: &LastError) -> String {
    let at = error.at.map(|at| format!(" at {}", when(at))).unwrap_or_default();
    format!("; its agent has printed an error{at} and nothing since: {}", error.message)
}

/// Returns the advice for a ticket without a driver.
fn undriven(facts: &Facts<'_>) -> String {
    if facts.own.driver.is_some() || facts.around.daemon == DaemonPresence::Running {
        return String::new();
    }
    format!("; no driver runs it: start `run-agent serve` or `run-agent drive {}`", facts.task)
}

fn when(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn named(tasks: &[TaskRef]) -> String {
    let mut text = tasks.iter().take(NAMED).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if tasks.len() > NAMED {
        text = format!("{text} and {} more", tasks.len() - NAMED);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        task_files::{Attempt, TaskFiles},
        why::facts::Surroundings,
    };
    use process::launch_files::JobRecord;
    use tree::Holder;

    const RUN: &str = "20260205-10000100001-1-0001";

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn task(name: &str) -> TaskRef {
        TaskRef { project: "p".parse().unwrap(), task: name.parse().unwrap() }
    }

    fn ticket(not_before: Option<&str>) -> Ticket {
        Ticket {
            version: 1,
            project_id: "p".parse().unwrap(),
            task_id: "t".parse().unwrap(),
            run_id: RUN.parse().unwrap(),
            kind: TaskKind::Task,
            parent_run_id: None,
            depends_on: Vec::new(),
            attempt: 2,
            restarts: 1,
            not_before: not_before.map(at),
            reason: not_before.map(|_| "restart after: exit code 3".to_owned()),
        }
    }

    fn run(status: RunStatus, error: Option<&str>) -> Attempt {
        let (id, start) = (RUN.parse().unwrap(), at("2026-02-05T10:00:00Z"));
        Attempt { id, start, status, error: error.map(str::to_owned), job: None }
    }

    fn end(status: EndStatus, reason: &str, attempt: u32) -> TaskEnd {
        let ended_at = at("2026-02-05T10:00:00Z");
        TaskEnd {
            version: 1,
            status,
            reason: reason.to_owned(),
            run_id: RUN.parse().unwrap(),
            attempt,
            ended_at,
        }
    }

    /// Checks the sentence without "task p/t " and the files, for facts that differ in this way from an idle task's.
    #[track_caller]
    fn says<'a>(
        change: impl FnOnce(&mut TaskFiles, &mut Surroundings<'a>),
        sentence: &str,
        files: &[Source],
    ) {
        let mut own = TaskFiles { driver: Some(Holder::named("me")), ..TaskFiles::default() };
        let now = at("2026-02-05T10:00:00Z");
        let mut around = Surroundings {
            standing: Standing::Next,
            live: &[],
            runs: 0,
            children: Vec::new(),
            daemon: DaemonPresence::Absent,
            now,
            last_error: None,
        };
        change(&mut own, &mut around);
        let (said, sources) = decide(&Facts { task: &task("t"), own: &own, around: &around });
        assert_eq!((said.strip_prefix("task p/t "), sources.as_slice()), (Some(sentence), files));
    }

    #[test]
    fn a_queued_task_says_what_it_waits_for() {
        use Source::{Config, LiveTickets, Stop, Ticket as T};
        let two = [task("a"), task("b")];
        let seven: Vec<TaskRef> = (0..7).map(|n| task(&format!("t{n}"))).collect();
        let queued = |f: &mut TaskFiles, a: &mut Surroundings<'_>, standing| {
            f.ticket = Some((TicketFolder::Queue, ticket(None)));
            a.standing = standing;
        };
        says(|f, a| queued(f, a, Standing::Next), "is accepted and about to start (attempt 2)", &[T]);
        says(
            |f, a| {
                queued(f, a, Standing::Position(2));
                a.live = &two;
            },
            "is queued in position 2: all places are taken by p/a, p/b",
            &[T, LiveTickets],
        );
        says(
            |f, a| {
                queued(f, a, Standing::Position(1));
                a.live = &seven;
                f.driver = None;
            },
            "is queued in position 1: all places are taken by p/t0, p/t1, p/t2, p/t3, p/t4 and 2 more; \
             no driver runs it: start `run-agent serve` or `run-agent drive p/t`",
            &[T, LiveTickets],
        );
        says(
            |f, a| {
                queued(f, a, Standing::Position(1));
                (f.driver, a.daemon) = (None, DaemonPresence::Running);
            },
            "is queued in position 1: no new task may start now",
            &[T, LiveTickets],
        );
        says(
            |f, a| queued(f, a, Standing::Blocked("task a does not exist: create it as p/a".to_owned())),
            "is blocked: task a does not exist: create it as p/a",
            &[T, Config],
        );
        says(
            |f, a| {
                queued(f, a, Standing::Position(1));
                f.stop = true;
            },
            "is to stop (STOP) before it has started",
            &[T, Stop],
        );
        says(
            |f, a| {
                queued(f, a, Standing::Position(1));
                f.done = true;
            },
            "is done (DONE) before it has started",
            &[T, Source::Done],
        );
    }

    #[test]
    fn a_live_task_says_what_it_does() {
        use Source::{Done, Lock, RunInfo as R, Stop, Ticket as T};
        let live = |f: &mut TaskFiles, status| {
            f.ticket = Some((TicketFolder::Live, ticket(Some("2026-02-05T11:00:00Z"))));
            f.run = Some(run(status, None));
        };
        let runs = format!("runs since 2026-02-05T10:00:00Z: run {RUN} (attempt 2)");
        says(|f, _| live(f, RunStatus::Running), &format!("{runs}, driven by me"), &[R, T, Lock]);
        says(
            |f, a| {
                live(f, RunStatus::Running);
                a.last_error = Some(LastError {
                    at: Some(at("2026-02-05T10:01:00Z")),
                    message: "HTTP 429: slow".to_owned(),
                });
            },
            &format!(
                "{runs}; its agent has printed an error at 2026-02-05T10:01:00Z and nothing since: HTTP 429: slow, \
                 driven by me"
            ),
            &[R, Source::Events, T, Lock],
        );
        says(
            |f, _| {
                live(f, RunStatus::Running);
                f.driver = None;
            },
            &format!("{runs}; no driver runs it: start `run-agent serve` or `run-agent drive p/t`"),
            &[R, T],
        );
        says(
            |f, _| {
                live(f, RunStatus::Running);
                f.stop = true;
            },
            &format!("was asked to stop (STOP); run {RUN} (attempt 2) is being ended, driven by me"),
            &[Stop, R, T, Lock],
        );
        says(
            |f, _| live(f, RunStatus::Created),
            "waits until 2026-02-05T11:00:00Z for attempt 2: restart after: exit code 3, driven by me",
            &[T, Lock],
        );
        says(
            |f, a| {
                live(f, RunStatus::Created);
                a.now = at("2026-02-05T12:00:00Z");
            },
            &format!("is about to start run {RUN} (attempt 2), driven by me"),
            &[T, Lock],
        );
        says(
            |f, a| {
                live(f, RunStatus::Completed);
                f.done = true;
                a.children = vec![task("c")];
            },
            "is done, and waits for its child tasks: p/c, driven by me",
            &[Done, T, Lock],
        );
        says(
            |f, _| {
                live(f, RunStatus::Created);
                let at = at("2026-02-05T10:00:00Z");
                let job = JobRecord {
                    version: 1,
                    executor: "box".to_owned(),
                    job: "17".to_owned(),
                    submitted_at: at,
                };
                f.run.as_mut().unwrap().job = Some(Arc::new(job));
                f.ticket = Some((TicketFolder::Live, ticket(None)));
            },
            &format!(
                "is queued at executor 'box' since 2026-02-05T10:00:00Z: run {RUN} (attempt 2), driven by me"
            ),
            &[Source::Job, T, Lock],
        );
        says(
            |f, _| live(f, RunStatus::Failed),
            &format!("continues soon: run {RUN} (attempt 2) ended as failed, driven by me"),
            &[R, T, Lock],
        );
    }

    #[test]
    fn a_live_task_that_does_not_continue_says_so() {
        use Source::{Done, Lock, RunInfo as R, Stop, Ticket as T};
        let live = |f: &mut TaskFiles, status| {
            f.ticket = Some((TicketFolder::Live, ticket(Some("2026-02-05T11:00:00Z"))));
            f.run = Some(run(status, None));
        };
        for (status, stop, done, sentence, file) in [
            (
                RunStatus::Running,
                false,
                true,
                format!(
                    "is done (DONE), and ends with run {RUN} (attempt 2), which runs since 2026-02-05T10:00:00Z"
                ),
                Done,
            ),
            (
                RunStatus::Created,
                true,
                false,
                format!("was asked to stop (STOP); run {RUN} (attempt 2) is not started"),
                Stop,
            ),
            (
                RunStatus::Created,
                false,
                true,
                format!("is done (DONE); run {RUN} (attempt 2) is not started"),
                Done,
            ),
            (
                RunStatus::Failed,
                true,
                false,
                format!("was asked to stop (STOP) and is ending: run {RUN} (attempt 2) ended as failed"),
                Stop,
            ),
            (
                RunStatus::Completed,
                false,
                true,
                format!("is done (DONE) and is ending: run {RUN} (attempt 2) ended as completed"),
                Done,
            ),
        ] {
            let files =
                if status == RunStatus::Created { vec![file, T, Lock] } else { vec![file, R, T, Lock] };
            says(
                |f, _| {
                    live(f, status);
                    (f.stop, f.done) = (stop, done);
                },
                &format!("{sentence}, driven by me"),
                &files,
            );
        }
        says(
            |f, _| {
                live(f, RunStatus::Crashed);
                f.driver = None;
            },
            &format!(
                "is idle: run {RUN} (attempt 2) ended as crashed; no driver runs it: start `run-agent serve` or \
                 `run-agent drive p/t`"
            ),
            &[R, T],
        );
        says(
            |f, _| {
                live(f, RunStatus::Failed);
                f.kind = TaskKind::Job;
            },
            &format!("is ending: run {RUN} (attempt 2) ended as failed, driven by me"),
            &[R, T, Lock],
        );
        says(
            |f, _| {
                live(f, RunStatus::Stopped);
                f.stop = true;
                f.end = Some(end(EndStatus::Stopped, "stopped on request", 2));
            },
            "is ending: stopped on request, driven by me",
            &[Source::End, T, Lock],
        );
    }

    #[test]
    fn a_task_at_rest_says_how_it_ended() {
        use Source::{Done, End, RunInfo as R, Stop};
        const AT: &str = "at 2026-02-05T10:00:00Z after";
        const RESUME: &str = "`run-agent resume p/t` resumes it";
        says(
            |f, _| f.end = Some(end(EndStatus::Completed, "the agent said DONE", 3)),
            &format!("completed {AT} 3 runs: the agent said DONE"),
            &[End],
        );
        says(
            |f, a| (f.end, a.runs) = (Some(end(EndStatus::Failed, "exit code 3", 1)), 2),
            &format!("failed {AT} 2 runs: exit code 3; {RESUME}"),
            &[End],
        );
        says(
            |f, _| f.end = Some(end(EndStatus::Failed, "exit code 3", 1)),
            &format!("failed {AT} 1 run: exit code 3; {RESUME}"),
            &[End],
        );
        says(
            |f, _| {
                f.end = Some(end(EndStatus::Stopped, "stopped on request", 1));
                f.stop = true;
            },
            &format!("was stopped {AT} 1 run: stopped on request; {RESUME}"),
            &[End, Stop],
        );
        says(|f, _| f.done = true, "is completed: it has DONE", &[Done]);
        says(|f, _| f.stop = true, &format!("is stopped: it has STOP; {RESUME}"), &[Stop]);
        says(
            |f, _| f.run = Some(run(RunStatus::Failed, Some("exit code 3"))),
            &format!("failed; its last run {RUN} ended as failed: exit code 3"),
            &[R],
        );
        says(
            |f, _| f.run = Some(run(RunStatus::Completed, None)),
            &format!("is idle: it has no ticket; its last run {RUN} ended as completed"),
            &[R],
        );
        says(
            |f, _| f.run = Some(run(RunStatus::Running, None)),
            &format!(
                "has a run that is still there ({RUN}, since 2026-02-05T10:00:00Z), and no ticket: no driver restarts it"
            ),
            &[R],
        );
        says(|_, _| {}, "is idle: it has no ticket and no run", &[]);
    }
}
