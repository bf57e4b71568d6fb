//! The cursor of a run's stream: `s=<bytes>;e=<bytes>;n=<status>`.

use std::{fmt, str::FromStr};

use tree::run_info::RunStatus;

/// One of the two files that an agent prints to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogStream {
    /// `agent-stdout.txt`.
    Stdout,
    /// `agent-stderr.txt`.
    Stderr,
}

impl LogStream {
    /// The name of the stream.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// The last sent event about the run's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Note {
    /// None yet.
    #[default]
    None,
    /// The run was created.
    Created,
    /// The run is running.
    Running,
    /// The run has ended.
    Ended,
    /// Nothing follows.
    Done,
}

impl Note {
    const ALL: [Self; 5] = [Self::None, Self::Created, Self::Running, Self::Ended, Self::Done];

    pub(super) fn of(status: RunStatus) -> Self {
        match status {
            RunStatus::Created => Self::Created,
            RunStatus::Running => Self::Running,
            _ => Self::Ended,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Created => "created",
            Self::Running => "running",
            Self::Ended => "ended",
            Self::Done => "done",
        }
    }
}

/// A position in the stream of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Cursor {
    /// Number of sent bytes of stdout.
    pub stdout: u64,
    /// Number of sent bytes of stderr.
    pub stderr: u64,
    /// The last sent event about the status.
    pub note: Note,
}

/// A text that is not a cursor of a run's stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not a cursor of a run's stream")]
pub struct BadCursor;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s={};e={};n={}", self.stdout, self.stderr, self.note.word())
    }
}

impl FromStr for Cursor {
    type Err = BadCursor;

    fn from_str(text: &str) -> Result<Self, BadCursor> {
        let parse = || {
            let (stdout, rest) = text.strip_prefix("s=")?.split_once(";e=")?;
            let (stderr, word) = rest.split_once(";n=")?;
            let note = Note::ALL.into_iter().find(|n| n.word() == word)?;
            Some(Self { stdout: stdout.parse().ok()?, stderr: stderr.parse().ok()?, note })
        };
        parse().ok_or(BadCursor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_and_nothing_else_is_one() {
        for note in Note::ALL {
            let cursor = Cursor { stdout: 7, stderr: u64::MAX, note };
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
        for bad in ["", "7", "s=1;e=2", "s=-1;e=0;n=done", "s=1;e=2;n=DONE", "s=1;e=2;n=done;"] {
            assert_eq!(bad.parse::<Cursor>(), Err(BadCursor), "{bad}");
        }
    }
}
