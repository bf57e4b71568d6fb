//! Finding an agent by its name, and its program on this machine.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use super::credentials::MissingCredentials;
use crate::config::{AgentSettings, AgentType, Config};

/// Why an agent cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The configuration has no such name.
    #[error("there is no agent '{name}'; known are {}", known.join(", "))]
    Unknown {
        /// The name.
        name: String,
        /// The names that there are.
        known: Vec<String>,
    },
    /// The program is not on this machine.
    #[error("the program '{program}' of agent '{agent}' {problem}")]
    Missing {
        /// The agent.
        agent: String,
        /// Its program.
        program: String,
        /// Fits after the program's name.
        problem: String,
        /// How to get it.
        hint: String,
    },
    /// Its token file cannot be used.
    #[error("{problem}")]
    BadToken {
        /// What is wrong with it, and where it is named.
        problem: String,
    },
    /// It has nothing to log in with.
    #[error(transparent)]
    NoCredentials(#[from] MissingCredentials),
    /// No agent is named, and it is not clear which is meant.
    #[error("no agent is named, and {}", among(usable, unusable))]
    NoChoice {
        /// Those that could be used.
        usable: Vec<String>,
        /// The others that are installed or configured, each with its problem.
        unusable: Vec<String>,
    },
    /// A `command` agent without a command.
    #[error("agent '{agent}' has no command")]
    NoCommand {
        /// The agent.
        agent: String,
    },
    /// The kernel takes no argument of that length.
    #[error("a prompt of {bytes} bytes is too long to be an argument of agent '{agent}'")]
    PromptTooLong {
        /// The agent.
        agent: String,
        /// Length of the prompt, the preamble included.
        bytes: usize,
    },
}

impl AgentError {
    /// What to do about it, where that depends on the agent.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { hint, .. } => Some(hint.clone()),
            Self::NoCredentials(missing) => Some(missing.hint.clone()),
            Self::NoChoice { usable, .. } if usable.is_empty() => Some(
                "install one and log in, or try the built-in one with --agent demo; `run-agent validate` looks again"
                    .to_owned(),
            ),
            Self::NoChoice { .. } => {
                Some("name one with --agent NAME, or set defaults.agent in config.yaml".to_owned())
            }
            Self::NoCommand { agent } => {
                Some(format!("give one after --, or set agents.{agent}.command in config.yaml"))
            }
            Self::PromptTooLong { agent, .. } => {
                Some(format!("set agents.{agent}.prompt to stdin or file in config.yaml"))
            }
            Self::Unknown { .. } | Self::BadToken { .. } => None,
        }
    }
}

fn among(usable: &[String], unusable: &[String]) -> String {
    match (usable, unusable) {
        ([], []) => "none is installed here".to_owned(),
        ([], unusable) => format!("none can be used here: {}", unusable.join("; ")),
        (usable, _) => format!("{} can be used here: {}", usable.len(), usable.join(", ")),
    }
}

/// The settings of an agent.
///
/// # Errors
/// [`AgentError::Unknown`] lists the names that there are.
pub fn find<'a>(config: &'a Config, name: &str) -> Result<&'a AgentSettings, AgentError> {
    config.agents.get(name).ok_or_else(|| AgentError::Unknown {
        name: name.to_owned(),
        known: config.agents.keys().cloned().collect(),
    })
}

/// The absolute path of a program, as `execvp` would find it in `path`.
///
/// # Errors
/// [`AgentError::Missing`] says how to install it.
pub fn program(
    agent: &str,
    agent_type: AgentType,
    name: &str,
    path: &OsStr,
    cwd: &Path,
) -> Result<PathBuf, AgentError> {
    let missing = |problem: &str| AgentError::Missing {
        agent: agent.to_owned(),
        program: name.to_owned(),
        problem: problem.to_owned(),
        hint: install_hint(agent_type, name),
    };
    if name.contains('/') {
        let file = cwd.join(name);
        return match rustix::fs::access(&file, rustix::fs::Access::EXISTS) {
            Err(_) => Err(missing("does not exist")),
            Ok(()) if is_executable(&file) => Ok(file),
            Ok(()) => Err(missing("is not executable")),
        };
    }
    std::env::split_paths(path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(name))
        .find(|file| is_executable(file))
        .ok_or_else(|| missing("is not installed (looked in $PATH)"))
}

fn is_executable(file: &Path) -> bool {
    file.is_file() && rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok()
}

fn install_hint(agent_type: AgentType, name: &str) -> String {
    match agent_type {
        AgentType::Claude => "npm install -g @anthropic-ai/claude-code".to_owned(),
        AgentType::Codex => "npm install -g @openai/codex".to_owned(),
        AgentType::Gemini => "npm install -g @google/gemini-cli".to_owned(),
        AgentType::Opencode => "npm install -g opencode-ai".to_owned(),
        _ => format!(
            "install {name}, or give its absolute path as the first word of agents.NAME.command in config.yaml"
        ),
    }
}
