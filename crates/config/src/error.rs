//! Errors of the configuration: each problem with its position.

use std::{fmt, path::PathBuf};

use super::{origin::Origin, units::BadDuration};
use base::fsx::FsError;

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration file{} cannot be used", named(.named_by.as_ref()))]
    Unreadable {
        /// The flag or variable that names the file; absent: the file was found in its usual place.
        named_by: Option<Origin>,
        /// The error of the file operation.
        source: FsError,
    },
    /// Keys or values are wrong. There is at least one.
    #[error("{}", Lines(.0))]
    Invalid(Vec<Problem>),
}

/// The reaction that the user can take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigErrorKind {
    /// Correct the configuration.
    Invalid,
    /// Provide the token in the configured place.
    Token,
    /// Make the file that a flag names for the API's key.
    ApiKey,
}

/// Owner of the API's key in messages.
pub(super) const THE_API: &str = "the API";

impl ConfigError {
    /// Classifies the error by the possible reaction.
    #[must_use]
    pub fn kind(&self) -> ConfigErrorKind {
        match self {
            Self::Invalid(problems) if problems.iter().all(Problem::is_about_the_api_key) => {
                ConfigErrorKind::ApiKey
            }
            Self::Invalid(problems) if problems.iter().all(Problem::is_about_a_token) => {
                ConfigErrorKind::Token
            }
            _ => ConfigErrorKind::Invalid,
        }
    }
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Position of the problem.
    pub origin: Origin,
    /// The problem itself.
    pub what: ProblemKind,
}

/// A problem with a key or a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProblemKind {
    /// The file is not YAML, or not text at all.
    Syntax(String),
    /// The key does not exist.
    UnknownKey {
        /// The key with its sections: `defaults.timout`.
        key: String,
        /// The known key that is most similar.
        nearest: Option<String>,
    },
    /// A key appears twice in one section.
    DuplicateKey {
        /// The key with its sections.
        key: String,
        /// Line of the first occurrence.
        first: u64,
    },
    /// A value has the wrong type.
    WrongType {
        /// The key with its sections.
        key: String,
        /// The accepted values, with an example.
        expected: String,
        /// The value that was found.
        found: String,
    },
    /// A value has the right type but an invalid content.
    BadValue {
        /// The key with its sections.
        key: String,
        /// The problem with the value.
        problem: String,
    },
    /// A duration has no unit.
    NoUnit {
        /// The key with its sections.
        key: String,
        /// The number that was found.
        number: String,
    },
    /// A project's file may not contain this section.
    NotOfAProject {
        /// The section.
        key: String,
    },
    /// A task may not set this key.
    NotYours {
        /// The key.
        key: String,
        /// The reason.
        why: &'static str,
    },
    /// A token file is unusable.
    Token {
        /// Owner of the token: "agent 'codex'".
        owner: String,
        /// The file.
        path: PathBuf,
        /// "is missing", "is empty".
        problem: String,
    },
}

impl Problem {
    fn is_about_the_api_key(&self) -> bool {
        matches!(&self.what, ProblemKind::Token { owner, .. } if owner == THE_API)
    }

    fn is_about_a_token(&self) -> bool {
        matches!(self.what, ProblemKind::Token { .. })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.origin, self.what)
    }
}

impl fmt::Display for ProblemKind {
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
