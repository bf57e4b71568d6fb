//! An agent at a user's terminal, as a run like any other: recorded, compared with git, committed, but not queued.
//!
//! It has no ticket: it has no driver but this process, takes no place, and is not restarted.

use std::time::Duration;

use crate::runner::{
    Runner,
    accept::submit::{self, Submission},
    agent::environment::{self, CallVariables},
    attempt::{
        changes,
        commit::{self, End, History},
        orphan,
    },
    error::{Result, RunnerError},
};
use agents::{AgentError, Program};
use config::{Config, TaskSettings};
use process::{
    exit::ProcessEnd,
    foreground::{Foreground, ForegroundRun},
};
use tree::{kinds::Protocol, refs::RunRef, task::TaskKind, task_lock::TaskLock};
use view::{answer::NOT_HEARD, outcome};

/// Returns the whole command of an agent that is called with these arguments.
///
/// # Errors
/// If the agent does not exist, or its program is not installed.
pub fn command_of(
    runner: &Runner,
    agent: &str,
    args: &[String],
    cwd: &std::path::Path,
) -> Result<Vec<String>> {
    let all = runner.config_in(cwd)?;
    let settings = agents::find(&all, agent).map_err(|error| with_programs(error, &all))?;
    let base = match agents::of_type(settings.agent_type).program() {
        _ if !settings.command.is_empty() => settings.command.clone(),
        Program::Any => Vec::new(),
        Program::Own(_) => {
            return Err(RunnerError::Refused(format!(
                "agent '{agent}' has no program that wrap could start; `run-agent job --agent {agent}` runs it"
            )));
        }
        Program::Installed { .. } => vec![settings.agent_type.as_str().to_owned()],
    };
    let mut words = base.into_iter().chain(args.iter().cloned());
    let name = words.next().ok_or_else(|| agents::AgentError::NoCommand { agent: agent.to_owned() })?;
    let path = runner.search_path();
    let program = agents::program(agent, settings.agent_type, &name, &path, cwd)?;
    Ok(std::iter::once(program.to_string_lossy().into_owned()).chain(words).collect())
}

/// Leaves only agents with a program of their own in the list of an error: no other agent can be wrapped.
fn with_programs(error: AgentError, all: &Config) -> AgentError {
    let has_program = |name: &String| {
        let settings = all.agents.get(name);
        settings.is_some_and(|s| !matches!(agents::of_type(s.agent_type).program(), Program::Own(_)))
    };
    match error {
        AgentError::Unknown { name, known } => {
            AgentError::Unknown { name, known: known.into_iter().filter(has_program).collect() }
        }
        error => error,
    }
}

/// An agent that runs at the terminal.
#[derive(Debug)]
pub struct Session {
    runner: Runner,
    lock: TaskLock,
    run: RunRef,
    foreground: Foreground,
    attended: ForegroundRun,
}

/// Records a session and starts its agent with `submission.command`. This process must have only one thread.
///
/// # Errors
/// If the session cannot be recorded; nothing was started then.
pub fn begin_session(runner: &Runner, submission: &Submission) -> Result<Session> {
    debug_assert_eq!(submission.kind, TaskKind::Job, "a session cannot be restarted");
    let (lock, run) = submit::lay_out(runner, submission)?.on_one_thread().commit(runner, submission)?;
    let mut info = runner.tree.run_info(&run)?;
    let cwd = environment::cwd_of(&info);
    let all = runner.config_in(&cwd)?;
    let agent = agents::find(&all, &submission.agent)?;
    let settings = TaskSettings::resolve(&all, agent, &submission.config)?;
    let foreground = Foreground {
        argv: submission.command.clone(),
        env: environment::of_run(runner, &info, &all, agent, &settings, CallVariables::default()),
        cwd,
        dir: run.dir().path().clone(),
        stop_marker: run.task.dir().stop(),
        stop_grace: settings.defaults.stop_grace.max(Duration::from_secs(1)),
    };
    if settings.defaults.record_changes {
        changes::before(runner, &info);
    }
    info.git = changes::skipped(runner, &info, settings.defaults.record_changes);
    let attended = foreground.start(runner.tree.root()).map_err(RunnerError::Refused)?;
    info.protocol = Protocol::Wrap;
    // From here on the agent runs, so a record that cannot be written now is written at the end.
    if let Err(e) = commit::record_start(runner, &lock, &mut info, &attended.claim, History::Ours, None) {
        tracing::warn!(run = %run, error = %e, "cannot record the start of a session");
    }
    Ok(Session { runner: runner.clone(), lock, run, foreground, attended })
}

impl Session {
    /// Waits for the end, and commits it. Returns the exit code that a shell would report, and the result of
    /// recording the end.
    pub fn wait(self) -> (u8, Result<()>) {
        let Self { runner, lock, run, foreground, attended } = self;
        let claim = attended.claim.clone();
        let record = match attended.wait(runner.tree.root(), &foreground) {
            Ok(record) => record,
            Err(e) => return (1, Err(e.into())),
        };
        if record.stop.is_some() {
            // A requested end applies to all processes. If the agent ends by itself, the others may stay.
            orphan::end_processes(&run.run, &claim, foreground.stop_grace);
        }
        let code = match &record.end {
            ProcessEnd::Exited { exit_code } => u8::try_from(*exit_code & 0xff).unwrap_or(1),
            ProcessEnd::Signaled { signal, .. } => u8::try_from(128 + signal).unwrap_or(1),
            ProcessEnd::NotStarted { .. } => 127,
        };
        let commit = || {
            let mut info = runner.tree.run_info(&run)?;
            let output = run.dir().output();
            if !runner.tree.root().is_file(&output)? {
                runner.tree.root().replace(&output, format!("{NOT_HEARD}\n").as_bytes())?;
            }
            let outcome = outcome::of_exit(&record, None);
            let end = End { outcome: &outcome, account: None };
            commit::commit_end(&runner, &lock, &mut info, &end, History::Ours)
        };
        (code, commit())
    }
}
