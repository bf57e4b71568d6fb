//! The records that a run's driver writes: the start and, in a fixed order, the end.
//!
//! The order of the end: output.md, RUN_STOP or RUN_CRASH on the bus, the outbox, and last the final record, which is
//! the commit. A driver that takes over completes the missing steps.

use chrono::TimeDelta;

use crate::runner::{
    Runner,
    agent::launch,
    attempt::{agent_facts, changes},
    error::Result,
    tidy::stale_files,
};
use agents::replay;
use base::fsx::if_file;
use process::claim::Claim;
use tree::{
    EntryKind, TreeError,
    bus::{Draft, LookBack, Message, MessageType},
    outbox::{Delivery, MOST, RunStop},
    refs::RunRef,
    run_info::{RunInfo, RunStatus},
    task_lock::TaskLock,
    transcript::Account,
};
use view::{answer::NO_ANSWER, outcome::Outcome, wrong_kind};

/// States if another driver may already have written part of the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::runner) enum History {
    /// This driver has driven the run from its acceptance.
    Ours,
    /// Another driver has driven the run, and may have died at any point.
    Shared,
}

/// The end of a run, with the account of its agent's stream.
#[derive(Debug, Clone, Copy)]
pub(in crate::runner) struct End<'a> {
    pub(in crate::runner) outcome: &'a Outcome,
    /// `None` if its agent prints only text for users.
    pub(in crate::runner) account: Option<&'a Account>,
}

/// Maximum size of the agent's output that becomes output.md if the agent wrote none.
const OUTPUT_BYTES: u64 = 1024 * 1024;
/// Number of lines of stderr in a RUN_CRASH.
const STDERR_LINES: usize = 50;
/// Maximum jump of the clock backwards between two drivers.
const CLOCK_SLACK: TimeDelta = TimeDelta::hours(24);

/// Records the start of the run. `start` is known to the driver that has started it.
pub(in crate::runner) fn record_start(
    runner: &Runner,
    lock: &TaskLock,
    info: &mut RunInfo,
    claim: &Claim,
    history: History,
    start: Option<&launch::Start>,
) -> Result<()> {
    let body = format!("run {} started: agent {}, attempt {}", info.run_id, info.agent, info.attempt);
    let made = info.start_time;
    post(runner, info, MessageType::RUN_START, &body, history, move |m, run| {
        if m.kind == MessageType::RUN_START && m.run_id.as_ref() == Some(&run.run) {
            LookBack::Found
        } else if m.is_older_than(made - CLOCK_SLACK) {
            LookBack::Stop
        } else {
            LookBack::Continue
        }
    })?;
    info.status = RunStatus::Running;
    // An unreadable recording is reported by the replay itself.
    info.replay_of = replay::played_by(&runner.tree, &info.task_ref()).ok().flatten();
    info.host = Some(claim.host.clone());
    info.start_time = claim.claimed_at;
    if let Some(agent) = claim.agent {
        info.pid = Some(agent.pid);
        // The agent leads a session of its own, and therefore a process group.
        info.pgid = Some(agent.pid);
        info.pid_started = Some(agent.started);
    }
    launch::describe(runner, info, start);
    lock.write_run_info(&runner.tree, info)?;
    Ok(())
}

/// Records the end of the run; the final record comes last.
pub(in crate::runner) fn commit_end(
    runner: &Runner,
    lock: &TaskLock,
    info: &mut RunInfo,
    end: &End<'_>,
    history: History,
) -> Result<()> {
    let run = info.run_ref();
    let outcome = end.outcome;
    info.status = outcome.status;
    info.exit_code = outcome.exit_code;
    info.signal = outcome.signal;
    let summary = outcome.error_summary.as_ref();
    info.error_summary = summary.map(|words| runner.redactor.text(words).into_owned());
    // The clock may have stepped back since the claim.
    let ended_at = outcome.ended_at.unwrap_or_else(|| runner.tree.clock().now());
    info.end_time = Some(ended_at.max(info.start_time));
    agent_facts::fill_in(runner, info, end.account)?;
    let untold = info.error_class.is_none()
        && end.account.is_some_and(|a| a.failure.is_none() && a.last_word.is_none());
    if untold {
        // An agent that fails before it prints an event writes the reason to stderr.
        add_last_words(runner, &run, info)?;
    }
    info.git = changes::after(runner, info);
    add_notes(runner, &run, info);
    let info = &*info;
    ensure_output(runner, &run, info, end.account)?;
    let (kind, body) = end_message(runner, &run, info)?;
    post(runner, info, kind, &body, history, |m, run| {
        if m.run_id.as_ref() != Some(&run.run) {
            LookBack::Continue
        } else if m.kind == MessageType::RUN_STOP || m.kind == MessageType::RUN_CRASH {
            LookBack::Found
        } else if m.kind == MessageType::RUN_START {
            LookBack::Stop
        } else {
            LookBack::Continue
        }
    })?;
    announce_end(runner, info);
    lock.write_run_info(&runner.tree, info)?;
    changes::forget(runner, info);
    stale_files::forget_heartbeat(runner, info);
    Ok(())
}

fn post(
    runner: &Runner,
    info: &RunInfo,
    kind: MessageType,
    body: &str,
    history: History,
    decide: impl Fn(&Message, &RunRef) -> LookBack,
) -> Result<()> {
    let run = info.run_ref();
    let bus = runner.tree.task_bus(&run.task);
    let draft = Draft::new(kind, runner.redactor.text(body)).by_run(&info.run_id);
    match history {
        History::Ours => bus.post(&draft).map(drop)?,
        History::Shared => bus.post_once(&draft, |m| decide(m, &run)).map(drop)?,
    }
    Ok(())
}

fn end_message(runner: &Runner, run: &RunRef, info: &RunInfo) -> Result<(MessageType, String)> {
    let took = info.took().as_secs_f64();
    let mut body = format!("run {} {} after {took:.1} s", run.run, info.status.as_str());
    if let Some(summary) = &info.error_summary {
        body = format!("{body}: {summary}");
    }
    if matches!(info.status, RunStatus::Completed | RunStatus::Stopped) {
        return Ok((MessageType::RUN_STOP, body));
    }
    let errors = last_bytes(runner, &run.dir().stderr(), 16 * 1024)?;
    let errors = String::from_utf8_lossy(&errors);
    let lines: Vec<&str> = errors.lines().collect();
    let last = &lines[lines.len().saturating_sub(STDERR_LINES)..];
    if !last.is_empty() {
        body = format!("{body}\n\nlast lines of stderr:\n{}", last.join("\n"));
    }
    Ok((MessageType::RUN_CRASH, body))
}

/// Notes the things that the agent left at the names of our files.
fn add_notes(runner: &Runner, run: &RunRef, info: &mut RunInfo) {
    // They are notes only, so a folder that cannot be listed does not stop the end.
    let found =
        wrong_kind::of_run(&runner.tree, run).into_iter().chain(wrong_kind::of_task(&runner.tree, &run.task));
    for note in found.flatten().map(|odd| odd.to_string()) {
        if !info.notes.contains(&note) {
            info.notes.push(note);
        }
    }
}

/// Appends the last line of stderr to the reason for a failure.
fn add_last_words(runner: &Runner, run: &RunRef, info: &mut RunInfo) -> Result<()> {
    let errors = last_bytes(runner, &run.dir().stderr(), 4096)?;
    let errors = String::from_utf8_lossy(&errors);
    let last = errors.lines().rev().map(str::trim).find(|line| !line.is_empty());
    if let (RunStatus::Failed, Some(why), Some(last)) = (info.status, &mut info.error_summary, last) {
        let last = runner.redactor.text(&last[..last.floor_char_boundary(300)]).into_owned();
        *why = format!("{why}; the last line of its stderr: {last}");
    }
    Ok(())
}

/// Creates output.md from the agent's output, if the agent wrote none.
pub(in crate::runner) fn ensure_output(
    runner: &Runner,
    run: &RunRef,
    info: &RunInfo,
    account: Option<&Account>,
) -> Result<()> {
    let root = runner.tree.root();
    let path = run.dir().output();
    if root.is_file(&path)? {
        return Ok(());
    }
    root.set_aside(&path)?;
    if let Some(answer) = account.and_then(Account::answer) {
        return Ok(root.replace(&path, format!("{}\n", answer.trim_end()).as_bytes())?);
    }
    let stdout = run.dir().stdout();
    // A stream of events is no answer; the stream's own file remains available.
    let printed = if account.is_some() { Vec::new() } else { last_bytes(runner, &stdout, OUTPUT_BYTES)? };
    let mut text = String::from_utf8_lossy(&printed).into_owned();
    let size = root.stat(&stdout)?.filter(|s| s.kind == EntryKind::File).map_or(0, |s| s.len);
    if size > OUTPUT_BYTES && account.is_none() {
        text = format!(
            "(the last {OUTPUT_BYTES} of {size} bytes; the whole is in {})\n\n{text}",
            info.stdout_path
        );
    } else if text.trim().is_empty() {
        let why = info.error_summary.as_deref().unwrap_or("it printed nothing");
        text = format!("{NO_ANSWER}{why})\n");
    }
    Ok(root.replace(&path, text.as_bytes())?)
}

fn last_bytes(runner: &Runner, path: &base::fsx::RelPath, max: u64) -> Result<Vec<u8>> {
    let Some(file) = if_file(runner.tree.root().open_read(path))? else { return Ok(Vec::new()) };
    let size = file.size()?;
    Ok(file.read_range(size.saturating_sub(max), size)?)
}

/// Puts the end into the outbox if the settings ask for it. A failure is only logged, because the end itself matters
/// more.
fn announce_end(runner: &Runner, info: &RunInfo) {
    let webhook = &runner.config.webhook;
    let wanted = webhook.url.is_some() && webhook.events.iter().any(|e| e == RunStop::EVENT);
    if wanted && let Err(e) = put_in_outbox(runner, info) {
        tracing::error!(error = %e, run = %info.run_id, "cannot queue the webhook for the end of this run: it will not be sent");
    }
}

fn put_in_outbox(runner: &Runner, info: &RunInfo) -> Result<()> {
    let body = RunStop::of(info, |words| runner.redactor.text(words).into_owned());
    let delivery = Delivery {
        version: 1,
        id: format!("{}.{}", info.run_id, RunStop::EVENT),
        event: RunStop::EVENT.to_owned(),
        created_at: runner.tree.clock().now(),
        attempts: 0,
        not_before: None,
        last_error: None,
        body: serde_json::to_string(&body).map_err(|e| TreeError::Invalid(e.to_string()))?,
    };
    if runner.tree.put_delivery(&delivery)? {
        let waiting = runner.tree.deliveries()?;
        let over = waiting.len().saturating_sub(MOST);
        for id in waiting.iter().take(over) {
            tracing::error!(id, "the outbox is full: the webhook for the end of this run will not be sent");
            runner.tree.remove_delivery(id)?;
        }
    }
    Ok(())
}
