//! Replays a recording: prints, writes and ends as the agent did.

use std::{io::Write, path::Path};

use nix::sys::signal::{Signal, raise};

use super::{
    recording::{LOG_TIMES, Recording, RecordingError, STDERR, STDOUT, WRITTEN, folder},
    schedule::{Mark, Pace, Stream, schedule},
};
use base::{
    clock::Clock,
    fsx::{Durability, ReadFile, RelPath, Root},
};
use tree::{
    Tree, TreeError,
    refs::{RunRef, TaskRef},
};

/// Maximum size of the marks, in bytes.
const MAX_MARKS: u64 = 256 * 1024 * 1024;
/// Maximum size of a copied file of the agent, in bytes.
const MAX_WRITTEN: u64 = 64 * 1024 * 1024;
/// Number of bytes that are printed at once.
const CHUNK: u64 = 256 * 1024;

/// The end of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finale {
    /// With this exit code.
    Exit(u8),
    /// By this signal.
    Signal(i32),
}

impl Finale {
    /// Ends the process by a signal, or returns the exit code.
    #[must_use]
    pub fn end(self) -> u8 {
        match self {
            Self::Exit(code) => code,
            Self::Signal(number) => {
                // A signal that is ignored or unknown on this machine is converted to the exit code that a shell
                // would report.
                let _ = Signal::try_from(number).map(raise);
                u8::try_from(128 + number).unwrap_or(1)
            }
        }
    }
}

/// Replays the recording of the task of `run`, below `root`.
///
/// # Errors
/// If there is no recording, or the streams cannot be written.
pub fn play(
    root: &Path,
    run: &RunRef,
    pace: Pace,
    mut stdout: impl Write,
    mut stderr: impl Write,
) -> Result<Finale, RecordingError> {
    let tree = Tree::open(root, Durability::Always, Clock::System)?;
    let root = tree.root();
    let folder = folder(&run.task);
    let recording = Recording::read(root, &folder)?.ok_or_else(|| RecordingError::Unplayable {
        run: run.clone(),
        problem: "its task has no recording".to_owned(),
    })?;
    let files = [STDOUT, STDERR].map(|name| open(root, &folder.join(name)));
    let [out, err] = files;
    let (out, err) = (out?, err?);
    let size = |file: &Option<ReadFile>| file.as_ref().map_or(Ok(0), ReadFile::size);
    let marks = marks(root, &folder.join(LOG_TIMES))?;
    let times = (recording.started_at, recording.ended_at);
    let (steps, rest) = schedule(&marks, (size(&out)?, size(&err)?), times, pace);
    for step in steps {
        std::thread::sleep(step.pause);
        match step.stream {
            Stream::Stdout => print(out.as_ref(), step.from, step.to, &mut stdout)?,
            Stream::Stderr => print(err.as_ref(), step.from, step.to, &mut stderr)?,
        }
    }
    std::thread::sleep(rest);
    write_files(root, &folder, run)?;
    if recording.done {
        mark_done(root, &run.task)?;
    }
    Ok(match (recording.exit_code, recording.signal) {
        (_, Some(signal)) => Finale::Signal(signal),
        // wait(2) keeps the last eight bits.
        (Some(code), None) => Finale::Exit(u8::try_from(code & 0xff).unwrap_or(1)),
        (None, None) => Finale::Exit(1),
    })
}

fn open(root: &Root, rel: &RelPath) -> Result<Option<ReadFile>, RecordingError> {
    Ok(if root.exists(rel)? { Some(root.open_read(rel)?) } else { None })
}

/// Returns the marks in order; an invalid line is skipped.
fn marks(root: &Root, rel: &RelPath) -> Result<Vec<Mark>, RecordingError> {
    let bytes = root.read_opt(rel, MAX_MARKS)?.unwrap_or_default();
    Ok(bytes.split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect())
}

fn print(file: Option<&ReadFile>, from: u64, to: u64, out: &mut impl Write) -> Result<(), RecordingError> {
    let Some(file) = file else { return Ok(()) };
    let mut at = from;
    while at < to {
        let bytes = file.read_range(at, to.min(at + CHUNK))?;
        if bytes.is_empty() {
            break;
        }
        out.write_all(&bytes)?;
        at += bytes.len() as u64;
    }
    Ok(out.flush()?)
}

fn write_files(root: &Root, folder: &RelPath, run: &RunRef) -> Result<(), RecordingError> {
    for name in WRITTEN {
        if let Some(bytes) = root.read_opt(&folder.join(name), MAX_WRITTEN)? {
            root.replace(&run.dir().path().join(name), &bytes)?;
        }
    }
    Ok(())
}

fn mark_done(root: &Root, task: &TaskRef) -> Result<(), RecordingError> {
    root.mark(&task.dir().done()).map(drop).map_err(|e| TreeError::from(e).into())
}
