//! Reasons why an agent cannot be used, and what to do about each.

/// The reason that an agent cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The configuration has no such name.
    #[error("there is no agent '{name}'; known are {}", known.join(", "))]
    Unknown {
        /// The name.
        name: String,
        /// The existing names.
        known: Vec<String>,
    },
    /// The program is not on this machine.
    #[error("the program '{program}' of agent '{agent}' {problem}")]
    Missing {
        /// The agent.
        agent: String,
        /// Its program.
        program: String,
        /// The problem, worded to follow the program's name.
        problem: String,
        /// The way to install it.
        hint: String,
    },
    /// Its token file cannot be used.
    #[error("{problem}")]
    BadToken {
        /// The problem, and the line that names the file.
        problem: String,
    },
    /// It has no credentials.
    #[error(transparent)]
    NoCredentials(#[from] MissingCredentials),
    /// No agent is named, and the choice is not clear.
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
    /// It cannot hold a conversation in this protocol.
    #[error("agent '{agent}' holds no conversation in the protocol '{protocol}'")]
    NoConversation {
        /// The agent.
        agent: String,
        /// The protocol.
        protocol: String,
    },
    /// The kernel accepts no argument of this length.
    #[error("a prompt of {bytes} bytes is too long to be an argument of agent '{agent}'")]
    PromptTooLong {
        /// The agent.
        agent: String,
        /// Length of the prompt, the preamble included.
        bytes: usize,
    },
}

impl AgentError {
    /// The hint, if it depends on the agent.
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
            Self::Unknown { .. } | Self::BadToken { .. } | Self::NoConversation { .. } => None,
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

/// The places that were searched in vain, and the hint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("agent '{agent}' has no credentials: {looked}")]
pub struct MissingCredentials {
    /// The agent.
    pub agent: String,
    /// Each place that was searched.
    pub looked: String,
    /// The hint.
    pub hint: String,
}
