//! The origin of a value.

use std::{fmt, path::Path, sync::Arc};

/// The origin of a value, in the order of precedence, strongest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A flag of the command line.
    Flag(&'static str),
    /// A variable of the environment.
    Environment(String),
    /// A line of the configuration file, counted from 1; 0 is the file as a whole.
    File(Arc<Path>, u64),
    /// The `config` map of a task.
    Task,
    /// No other origin sets the value.
    Default,
}

impl Origin {
    /// Returns the line in the configuration file, for a value from there.
    #[must_use]
    pub fn line(&self) -> Option<u64> {
        match self {
            Self::File(_, line) => Some(*line),
            _ => None,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => f.write_str(name),
            Self::Environment(name) => write!(f, "${name}"),
            Self::File(path, 0) => path.display().fmt(f),
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Task => f.write_str("the task's config"),
            Self::Default => f.write_str("default"),
        }
    }
}
