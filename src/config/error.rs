//! What can be wrong with the configuration: each problem with the place it stands at.

use std::{fmt, path::PathBuf};

use super::{origin::Origin, units::BadDuration};
use crate::fsx::FsError;

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration file{} cannot be used", named(.named_by.as_ref()))]
    Unreadable {
        /// The flag or variable that names it; absent: it was found in its usual place.
        named_by: Option<Origin>,
        /// What the disk said.
        source: FsError,
    },
    /// Keys or values are wrong. There is at least one.
    #[error("{}", Lines(.0))]
    Invalid(Vec<Problem>),
}

/// What the user can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigErrorKind {
    /// Correct the configuration.
    Invalid,
    /// Put the token where it was looked for.
    Token,
}

impl ConfigError {
    /// Sorts the error by what can be done about it.
    #[must_use]
    pub fn kind(&self) -> ConfigErrorKind {
        match self {
            Self::Invalid(problems) if problems.iter().all(Problem::is_about_a_token) => {
                ConfigErrorKind::Token
            }
            _ => ConfigErrorKind::Invalid,
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where it stands.
    pub origin: Origin,
    /// What it is.
    pub what: What,
}

/// What is wrong with a key or a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// The file is no YAML, or not text at all.
    Syntax(String),
    /// There is no such key.
    UnknownKey {
        /// The key with its sections: `defaults.timout`.
        key: String,
        /// The known key that looks most like it.
        nearest: Option<String>,
    },
    /// A key stands twice in one section.
    DuplicateKey {
        /// The key with its sections.
        key: String,
        /// Line of the first.
        first: u64,
    },
    /// A value of another type.
    WrongType {
        /// The key with its sections.
        key: String,
        /// What it takes, with an example.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// A value of the right type that makes no sense.
    BadValue {
        /// The key with its sections.
        key: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A duration without a unit.
    NoUnit {
        /// The key with its sections.
        key: String,
        /// What stands there.
        number: String,
    },
    /// A project's file may not set this.
    NotOfAProject {
        /// The section.
        key: String,
    },
    /// A task may not set this.
    NotYours {
        /// The key.
        key: String,
        /// Why not.
        why: &'static str,
    },
    /// A token file cannot be used.
    Token {
        /// Whose it is: "agent 'codex'".
        owner: String,
        /// The file.
        path: PathBuf,
        /// "is missing", "is empty".
        problem: String,
    },
}

impl Problem {
    fn is_about_a_token(&self) -> bool {
        matches!(self.what, What::Token { .. })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.origin, self.what)
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(problem) => write!(f, "not valid YAML: {problem}"),
            Self::UnknownKey { key, nearest: Some(nearest) } => {
                write!(f, "unknown key '{key}', did you mean '{nearest}'?")
            }
            Self::UnknownKey { key, nearest: None } => write!(f, "unknown key '{key}'"),
            Self::DuplicateKey { key, first } => write!(f, "key '{key}' is already set in line {first}"),
            Self::WrongType { key, expected, found } => write!(f, "'{key}' takes {expected}, not {found}"),
            Self::BadValue { key, problem } => write!(f, "'{key}' {problem}"),
            Self::NoUnit { key, number } => {
                write!(f, "'{key}' {}", BadDuration::NoUnit(number.clone()))
            }
            Self::NotOfAProject { key } => write!(
                f,
                "'{key}' is about this machine, and cannot be set by a project; it belongs into your own config.yaml"
            ),
            Self::NotYours { key, why } => write!(f, "'{key}' cannot be set by a task: {why}"),
            Self::Token { owner, path, problem } => {
                write!(f, "the token file {} of {owner} {problem}", path.display())
            }
        }
    }
}

fn named(by: Option<&Origin>) -> String {
    by.map_or_else(String::new, |by| format!(" that {by} names"))
}

struct Lines<'a>(&'a [Problem]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}
