//! Why a task stands where it stands: one sentence, and the files that say so.
//!
//! In this order: a queued ticket is blocked by tasks or waits for a place; an admitted one
//! is stopping, waits for children, for a time, for its start, or runs; without a ticket, a
//! run that is still there, how the last loop ended, the markers, the last run, nothing.

use std::path::PathBuf;

use chrono::{DateTime, SecondsFormat, Utc};

use crate::tree::{
    Result, Tree, TreeError,
    paths::top,
    refs::TaskRef,
    run_info::{RunInfo, RunStatus},
    task::TaskKind,
    task_end::{EndStatus, TaskEnd},
    ticket::{Place, Ticket},
};

use super::{dependency::readable_tickets, scan};

/// The most names that a sentence lists.
const NAMED: usize = 5;

/// The answer to "why".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// One sentence.
    pub sentence: String,
    /// The files that say so.
    pub files: Vec<PathBuf>,
}

/// What a ticket in the queue waits for, as the planner says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Waits {
    /// Nothing: the next look of a driver admits it.
    ForDriver,
    /// A place; 1 is the first in line.
    ForPlace(usize),
    /// Other tasks: why.
    ForTasks(String),
}

/// A file of a task, or of the run that it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Ticket,
    LiveTickets,
    Lock,
    Config,
    Done,
    Stop,
    End,
    RunInfo,
}

/// What the answer is made from.
#[derive(Debug, Clone)]
struct Facts<'a> {
    task: &'a TaskRef,
    kind: TaskKind,
    ticket: Option<(Place, Ticket)>,
    waits: Waits,
    /// Who holds the task's lock, in his own words.
    driver: Option<String>,
    done: bool,
    stop: bool,
    end: Option<TaskEnd>,
    /// The run of the ticket, else the last one, with the status that everybody is shown.
    run: Option<(RunInfo, RunStatus)>,
    /// The root tasks that are live.
    live: Vec<TaskRef>,
    /// The tasks with a ticket that this task's runs asked for.
    children: Vec<TaskRef>,
    now: DateTime<Utc>,
}

/// Says why a task stands where it stands. `waits` is the planner's word on a ticket in the queue.
///
/// # Errors
/// [`TreeError::NotFound`] if there is no such task.
pub fn of_task(tree: &Tree, task: &TaskRef, waits: Waits) -> Result<Reason> {
    let root = tree.root();
    let dir = task.dir();
    if !root.exists(dir.path())? {
        return Err(TreeError::NotFound { what: format!("task {task}") });
    }
    let ticket = tree.ticket_of(task)?;
    let runs = tree.runs(task)?;
    let about = ticket.as_ref().map(|(.., t)| t.run_id.clone()).or_else(|| runs.last().cloned());
    let live = readable_tickets(tree, Place::Live)?;
    let queue = readable_tickets(tree, Place::Queue)?;
    let asked_by_us = |t: &Ticket| t.parent_run_id.as_ref().is_some_and(|p| runs.contains(p));
    let facts = Facts {
        task,
        kind: tree.task_config(task).map_or(TaskKind::Task, |c| c.kind),
        ticket: ticket.as_ref().map(|(_, place, ticket)| (*place, ticket.clone())),
        waits,
        driver: tree.driver_of(task)?,
        done: root.exists(&dir.done())?,
        stop: root.exists(&dir.stop())?,
        // A record that cannot be read says nothing; `fsck` names it.
        end: tree.task_end(task).ok().flatten(),
        run: about.clone().and_then(|id| scan::run(tree, task.run(id)).record.ok()),
        live: live.iter().filter(|(_, t)| t.parent_run_id.is_none()).map(|(_, t)| t.task()).collect(),
        children: queue
            .iter()
            .chain(&live)
            .map(|(_, t)| t)
            .filter(|t| asked_by_us(t))
            .map(Ticket::task)
            .collect(),
        now: tree.clock().now(),
    };
    let (sentence, sources) = decide(&facts);
    let number = ticket.map(|(id, place, _)| (place, id));
    let path = |source: &Source| {
        let run = || about.clone().map(|id| task.run(id).dir().info());
        let rel = match source {
            Source::Ticket => number.as_ref().map(|(place, id)| place.file(id)),
            Source::LiveTickets => Some(top::live()),
            Source::Lock => Some(dir.lock()),
            Source::Config => Some(dir.config()),
            Source::Done => Some(dir.done()),
            Source::Stop => Some(dir.stop()),
            Source::End => Some(dir.end()),
            Source::RunInfo => run(),
        };
        rel.map(|rel| root.absolute(&rel))
    };
    Ok(Reason { sentence, files: sources.iter().filter_map(path).collect() })
}

/// Decides what to say; the order stands at the top of this file.
fn decide(facts: &Facts<'_>) -> (String, Vec<Source>) {
    match &facts.ticket {
        Some((Place::Queue, ticket)) => queued(facts, ticket),
        Some((Place::Live, ticket)) => live(facts, ticket),
        None => at_rest(facts),
    }
}

fn queued(facts: &Facts<'_>, ticket: &Ticket) -> (String, Vec<Source>) {
    let task = facts.task;
    let waits = match &facts.waits {
        _ if facts.stop => ("is to stop (STOP) before it has started".to_owned(), Source::Stop),
        Waits::ForTasks(why) => (format!("is blocked: {why}"), Source::Config),
        Waits::ForPlace(at) if facts.live.is_empty() => {
            (format!("is queued in position {at}: no place is given now"), Source::LiveTickets)
        }
        Waits::ForPlace(at) => {
            let behind = named(&facts.live);
            (format!("is queued in position {at}: all places are taken, by {behind}"), Source::LiveTickets)
        }
        Waits::ForDriver => {
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
    let status = facts.run.as_ref().map_or(RunStatus::Created, |(_, status)| *status);
    let since = facts.run.as_ref().map(|(info, _)| when(info.start_time)).unwrap_or_default();
    let before = ticket.not_before.filter(|t| *t > facts.now);
    let (what, mut files) = match (status, before) {
        (RunStatus::Running, _) if facts.stop => (
            format!("was asked to stop (STOP); run {run} (attempt {attempt}) is being ended"),
            vec![Source::Stop, Source::RunInfo],
        ),
        (RunStatus::Running, _) => {
            (format!("runs since {since}: run {run} (attempt {attempt})"), vec![Source::RunInfo])
        }
        (RunStatus::Created, Some(time)) if !facts.stop && !facts.done => {
            let why = ticket.reason.as_deref().map(|r| format!(": {r}")).unwrap_or_default();
            (format!("waits until {} for attempt {attempt}{why}", when(time)), vec![])
        }
        (RunStatus::Created, _) => (format!("is about to start run {run} (attempt {attempt})"), vec![]),
        _ if facts.done && !facts.children.is_empty() => (
            format!("is done, and waits for its child tasks: {}", named(&facts.children)),
            vec![Source::Done],
        ),
        (status, _) => (
            format!("goes on soon: run {run} (attempt {attempt}) ended as {}", status.as_str()),
            vec![Source::RunInfo],
        ),
    };
    files.push(Source::Ticket);
    let driven = facts.driver.as_ref().map(|by| format!(", driven by {by}")).unwrap_or_default();
    if facts.driver.is_some() {
        files.push(Source::Lock);
    }
    (format!("task {task} {what}{driven}{}", undriven(facts)), files)
}

fn at_rest(facts: &Facts<'_>) -> (String, Vec<Source>) {
    let task = facts.task;
    let resume = format!("`run-agent task resume {task}` takes it up again");
    if let Some((info, RunStatus::Running)) = &facts.run {
        let text = format!(
            "task {task} has a run that is still there ({}, since {}), and no ticket: nobody starts it again",
            info.run_id,
            when(info.start_time)
        );
        return (text, vec![Source::RunInfo]);
    }
    if let Some(end) = &facts.end {
        let TaskEnd { reason, attempt, ended_at, .. } = end;
        let at = when(*ended_at);
        let runs = if *attempt == 1 { "1 run".to_owned() } else { format!("{attempt} runs") };
        return match end.status {
            EndStatus::Completed => {
                (format!("task {task} was completed at {at} after {runs}: {reason}"), vec![Source::End])
            }
            EndStatus::Failed => {
                (format!("task {task} failed at {at} after {runs}: {reason}; {resume}"), vec![Source::End])
            }
            EndStatus::Stopped => {
                let mut files = vec![Source::End];
                files.extend(facts.stop.then_some(Source::Stop));
                (format!("task {task} was stopped at {at} after {runs}: {reason}; {resume}"), files)
            }
        };
    }
    if facts.done {
        return (format!("task {task} is completed: it has DONE"), vec![Source::Done]);
    }
    if facts.stop {
        return (format!("task {task} is stopped: it has STOP; {resume}"), vec![Source::Stop]);
    }
    let Some((info, status)) = &facts.run else {
        return (format!("task {task} is idle: it has no ticket and no run"), vec![]);
    };
    let how = info.error_summary.as_deref().map(|s| format!(": {s}")).unwrap_or_default();
    let last = format!("its last run {} ended as {}{how}", info.run_id, status.as_str());
    let state = match (status, facts.kind) {
        (RunStatus::Completed, TaskKind::Job) => "is completed",
        (RunStatus::Failed | RunStatus::Crashed, _) => "failed",
        (RunStatus::Stopped, _) => "was stopped",
        _ => "is idle: it has no ticket",
    };
    (format!("task {task} {state}; {last}"), vec![Source::RunInfo])
}

/// What to do about a ticket that nobody drives.
fn undriven(facts: &Facts<'_>) -> String {
    if facts.driver.is_some() {
        return String::new();
    }
    format!("; nobody drives it: start `run-agent serve` or `run-agent drive {}`", facts.task)
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
    use super::*;

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
            reason: not_before.map(|_| "it is started again: exit code 3".to_owned()),
        }
    }

    fn run(status: &str, summary: Option<&str>) -> (RunInfo, RunStatus) {
        let info = serde_json::json!({
            "version": 1, "run_id": RUN, "project_id": "p", "task_id": "t", "status": status,
            "agent": "demo", "agent_type": "demo", "driver": "exec", "executor": "local",
            "start_time": "2026-02-05T10:00:00Z", "error_summary": summary,
            "prompt_path": "", "output_path": "", "stdout_path": "", "stderr_path": "",
        });
        let info: RunInfo = serde_json::from_value(info).unwrap();
        let status = info.status;
        (info, status)
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

    /// The sentence without "task p/t " and the files for facts that differ like this from an idle task's.
    #[track_caller]
    fn says(change: impl FnOnce(&mut Facts<'_>), sentence: &str, files: &[Source]) {
        let task = task("t");
        let mut facts = Facts {
            task: &task,
            kind: TaskKind::Task,
            ticket: None,
            waits: Waits::ForDriver,
            driver: Some("me".to_owned()),
            done: false,
            stop: false,
            end: None,
            run: None,
            live: Vec::new(),
            children: Vec::new(),
            now: at("2026-02-05T10:00:00Z"),
        };
        change(&mut facts);
        let (said, sources) = decide(&facts);
        assert_eq!((said.strip_prefix("task p/t "), sources.as_slice()), (Some(sentence), files));
    }

    #[test]
    fn a_queued_task_says_what_it_waits_for() {
        use Source::{Config, LiveTickets, Stop, Ticket as T};
        let queued = |f: &mut Facts<'_>, waits| {
            f.ticket = Some((Place::Queue, ticket(None)));
            f.waits = waits;
        };
        says(|f| queued(f, Waits::ForDriver), "is accepted and about to start (attempt 2)", &[T]);
        says(
            |f| {
                queued(f, Waits::ForPlace(2));
                f.live = vec![task("a"), task("b")];
            },
            "is queued in position 2: all places are taken, by p/a, p/b",
            &[T, LiveTickets],
        );
        says(
            |f| {
                queued(f, Waits::ForPlace(1));
                f.live = (0..7).map(|n| task(&format!("t{n}"))).collect();
                f.driver = None;
            },
            "is queued in position 1: all places are taken, by p/t0, p/t1, p/t2, p/t3, p/t4 and 2 more; \
             nobody drives it: start `run-agent serve` or `run-agent drive p/t`",
            &[T, LiveTickets],
        );
        says(
            |f| queued(f, Waits::ForPlace(1)),
            "is queued in position 1: no place is given now",
            &[T, LiveTickets],
        );
        says(
            |f| queued(f, Waits::ForTasks("task a failed; resume or remove it".to_owned())),
            "is blocked: task a failed; resume or remove it",
            &[T, Config],
        );
        says(
            |f| {
                queued(f, Waits::ForPlace(1));
                f.stop = true;
            },
            "is to stop (STOP) before it has started",
            &[T, Stop],
        );
    }

    #[test]
    fn a_live_task_says_what_it_does() {
        use Source::{Done, Lock, RunInfo as R, Stop, Ticket as T};
        let live = |f: &mut Facts<'_>, status| {
            f.ticket = Some((Place::Live, ticket(Some("2026-02-05T11:00:00Z"))));
            f.run = Some(run(status, None));
        };
        let runs = format!("runs since 2026-02-05T10:00:00Z: run {RUN} (attempt 2)");
        says(|f| live(f, "running"), &format!("{runs}, driven by me"), &[R, T, Lock]);
        says(
            |f| {
                live(f, "running");
                f.driver = None;
            },
            &format!("{runs}; nobody drives it: start `run-agent serve` or `run-agent drive p/t`"),
            &[R, T],
        );
        says(
            |f| {
                live(f, "running");
                f.stop = true;
            },
            &format!("was asked to stop (STOP); run {RUN} (attempt 2) is being ended, driven by me"),
            &[Stop, R, T, Lock],
        );
        says(
            |f| live(f, "created"),
            "waits until 2026-02-05T11:00:00Z for attempt 2: it is started again: exit code 3, driven by me",
            &[T, Lock],
        );
        says(
            |f| {
                live(f, "created");
                f.now = at("2026-02-05T12:00:00Z");
            },
            &format!("is about to start run {RUN} (attempt 2), driven by me"),
            &[T, Lock],
        );
        says(
            |f| {
                live(f, "completed");
                f.done = true;
                f.children = vec![task("c")];
            },
            "is done, and waits for its child tasks: p/c, driven by me",
            &[Done, T, Lock],
        );
        says(
            |f| live(f, "failed"),
            &format!("goes on soon: run {RUN} (attempt 2) ended as failed, driven by me"),
            &[R, T, Lock],
        );
    }

    #[test]
    fn a_task_at_rest_says_how_it_ended() {
        use Source::{Done, End, RunInfo as R, Stop};
        const AT: &str = "at 2026-02-05T10:00:00Z after";
        const RESUME: &str = "`run-agent task resume p/t` takes it up again";
        says(
            |f| f.end = Some(end(EndStatus::Completed, "the agent said DONE", 3)),
            &format!("was completed {AT} 3 runs: the agent said DONE"),
            &[End],
        );
        says(
            |f| f.end = Some(end(EndStatus::Failed, "exit code 3", 1)),
            &format!("failed {AT} 1 run: exit code 3; {RESUME}"),
            &[End],
        );
        says(
            |f| {
                f.end = Some(end(EndStatus::Stopped, "somebody stopped it", 1));
                f.stop = true;
            },
            &format!("was stopped {AT} 1 run: somebody stopped it; {RESUME}"),
            &[End, Stop],
        );
        says(|f| f.done = true, "is completed: it has DONE", &[Done]);
        says(|f| f.stop = true, &format!("is stopped: it has STOP; {RESUME}"), &[Stop]);
        says(
            |f| f.run = Some(run("failed", Some("exit code 3"))),
            &format!("failed; its last run {RUN} ended as failed: exit code 3"),
            &[R],
        );
        says(
            |f| f.run = Some(run("completed", None)),
            &format!("is idle: it has no ticket; its last run {RUN} ended as completed"),
            &[R],
        );
        says(
            |f| f.run = Some(run("running", None)),
            &format!(
                "has a run that is still there ({RUN}, since 2026-02-05T10:00:00Z), and no ticket: nobody starts it again"
            ),
            &[R],
        );
        says(|_| {}, "is idle: it has no ticket and no run", &[]);
    }
}
