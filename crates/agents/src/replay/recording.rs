//! The recording of a run, and its place.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use base::{
    fsx::{FsError, RelPath, Root},
    names,
    record::{self, Record, Spelling},
};
use process::exit::{ExitRecord, ProcessEnd};
use tree::{
    Tree, TreeError,
    ids::RunId,
    kinds::AgentType,
    refs::{RunRef, TaskRef},
};

/// Files of a run that are replayed, or needed for that. A missing file is not copied.
pub(super) const STDOUT: &str = names::run::STDOUT;
pub(super) const STDERR: &str = names::run::STDERR;
pub(super) const LOG_TIMES: &str = names::run::LOG_TIMES;
/// Files that the agent may have written into its run's folder.
pub(super) const WRITTEN: [&str; 2] = [names::run::OUTPUT, names::run::RETRY_AFTER];
const FILE: &str = names::run::RECORDING;

/// `recording.json`: the run that was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Recording {
    /// Format version; 1.
    pub version: u64,
    /// The run.
    pub run_id: RunId,
    /// Name of its agent.
    pub agent: String,
    /// Type of its agent.
    pub agent_type: AgentType,
    /// When its agent began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: DateTime<Utc>,
    /// Its exit code, where it exited.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub exit_code: Option<i32>,
    /// The signal that ended it; 9 if the end was not seen.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub signal: Option<i32>,
    /// Its task was done when it had ended.
    pub done: bool,
}

impl Record for Recording {
    const SPELLING: Spelling = Spelling::Json;
}

/// The reason that a run cannot be recorded or replayed.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The disk failed.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// A record cannot be used.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The run has nothing to replay.
    #[error("run {run} cannot be played: {problem}")]
    Unplayable {
        /// The run.
        run: RunRef,
        /// The reason.
        problem: String,
    },
    /// Standard output or error cannot be written.
    #[error("cannot write the recording to standard output")]
    Print(#[from] std::io::Error),
}

impl Recording {
    /// Builds the recording of a run that has ended.
    ///
    /// # Errors
    /// If it has not ended, or never began.
    pub fn of(tree: &Tree, run: &RunRef) -> Result<Self, RecordingError> {
        let unplayable =
            |problem: &str| RecordingError::Unplayable { run: run.clone(), problem: problem.to_owned() };
        let info = tree.run_info(run)?;
        if !info.status.is_final() {
            return Err(unplayable("it has not ended"));
        }
        let exit = ExitRecord::read(tree.root(), run.dir().path()).ok().flatten();
        let (exit_code, signal) = match exit.as_ref().map(|e| &e.end) {
            Some(ProcessEnd::NotStarted { error, .. }) => {
                return Err(unplayable(&format!("it never began: {error}")));
            }
            Some(ProcessEnd::Exited { exit_code }) => (Some(*exit_code), None),
            Some(ProcessEnd::Signaled { signal, .. }) => (None, Some(*signal)),
            None if info.exit_code.is_some() || info.signal.is_some() => (info.exit_code, info.signal),
            None => (None, Some(9)),
        };
        let started_at = exit.as_ref().and_then(|e| e.started_at).unwrap_or(info.start_time);
        let ended_at = exit.map(|e| e.ended_at).or(info.end_time).unwrap_or(started_at);
        Ok(Self {
            version: 1,
            run_id: run.run.clone(),
            agent: info.agent,
            agent_type: info.agent_type,
            started_at,
            ended_at: ended_at.max(started_at),
            exit_code,
            signal,
            done: is_last(tree, run)? && tree.root().is_file(&run.task.dir().done())?,
        })
    }

    pub(super) fn read(root: &Root, folder: &RelPath) -> Result<Option<Self>, RecordingError> {
        Ok(record::read(root, &folder.join(FILE)).map_err(TreeError::from)?)
    }
}

/// Returns the run that a task replays; `None` if it replays none.
///
/// # Errors
/// If its recording cannot be read.
pub fn played_by(tree: &Tree, task: &TaskRef) -> Result<Option<RunId>, TreeError> {
    let recording: Option<Recording> = record::read(tree.root(), &folder(task).join(FILE))?;
    Ok(recording.map(|r| r.run_id))
}

fn is_last(tree: &Tree, run: &RunRef) -> Result<bool, TreeError> {
    Ok(tree.runs(&run.task)?.last() == Some(&run.run))
}

/// The folder of a task's recording.
pub(super) fn folder(task: &TaskRef) -> RelPath {
    task.dir().path().join(names::task::RECORDING)
}

/// Copies a run of one tree into a task of another, which may be the same.
///
/// # Errors
/// If the disk fails.
pub fn copy(
    from: &Tree,
    run: &RunRef,
    recording: &Recording,
    to: &Tree,
    task: &TaskRef,
) -> Result<(), RecordingError> {
    let folder = folder(task);
    to.root().ensure_dir(&folder)?;
    for name in [STDOUT, STDERR, LOG_TIMES].into_iter().chain(WRITTEN) {
        to.root().copy_in(&from.root().absolute(&run.dir().path().join(name)), &folder.join(name))?;
    }
    Ok(record::write(to.root(), &folder.join(FILE), recording).map_err(TreeError::from)?)
}
