//! The syntax of functions and the start-up file of each shell.

use std::{fmt::Write as _, path::PathBuf};

use clap::ValueEnum;

use config::Environment;

/// A supported shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Shell {
    Bash,
    Zsh,
    Fish,
}

impl Shell {
    /// Returns the shell with this program.
    pub(super) fn of_path(path: &str) -> Option<Self> {
        Self::from_str(path.rsplit('/').next()?, false).ok()
    }

    /// Returns one function for each agent.
    pub(super) fn functions(self, agents: &[&str]) -> String {
        let mut text = String::new();
        for agent in agents {
            // Writing to a `String` cannot fail.
            let _ = match self {
                // The keyword `function` keeps the shell from expanding the name as an alias.
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

    /// Returns the file that an interactive shell reads at its start.
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
