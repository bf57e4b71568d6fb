//! What each shell calls a function, and which file it reads when it starts.

use std::{fmt::Write as _, path::PathBuf};

use clap::ValueEnum;

use crate::config::Environment;

/// A shell that has functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Shell {
    Bash,
    Zsh,
    Fish,
}

impl Shell {
    /// The shell whose program this is.
    pub(super) fn of_path(path: &str) -> Option<Self> {
        Self::from_str(path.rsplit('/').next()?, false).ok()
    }

    /// A function for each agent.
    pub(super) fn functions(self, agents: &[&str]) -> String {
        let mut text = String::new();
        for agent in agents {
            // Writing to a String cannot fail.
            let _ = match self {
                // `function` before it: the name is not taken for an alias then.
                Self::Bash | Self::Zsh => write!(
                    text,
                    "function {agent} {{\n  if [ -z \"${{JRUN_ID:-}}\" ] && command -v run-agent >/dev/null 2>&1; then\n    \
                     command run-agent wrap --agent {agent} -- \"$@\"\n  else\n    command {agent} \"$@\"\n  fi\n}}\n"
                ),
                Self::Fish => write!(
                    text,
                    "function {agent}\n  if not set -q JRUN_ID; and command -q run-agent\n    \
                     command run-agent wrap --agent {agent} -- $argv\n  else\n    command {agent} $argv\n  end\nend\n"
                ),
            };
        }
        text
    }

    /// The file that an interactive shell reads.
    pub(super) fn start_up_file(self, environment: &Environment) -> Option<PathBuf> {
        let home = environment.home()?;
        Some(match self {
            Self::Bash => home.join(".bashrc"),
            Self::Zsh => environment.get_os("ZDOTDIR").map_or(home, PathBuf::from).join(".zshrc"),
            Self::Fish => {
                let config = environment.get_os("XDG_CONFIG_HOME").map(PathBuf::from);
                config.unwrap_or_else(|| home.join(".config")).join("fish/conf.d/run-agent.fish")
            }
        })
    }
}
