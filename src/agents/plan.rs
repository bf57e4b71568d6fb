//! The command line of an agent.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use super::find::{AgentError, program};
use crate::config::{AgentSettings, AgentType, PromptDelivery};

/// How the program is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentCommand {
    /// Absolute path of the program, and its arguments.
    pub argv: Vec<String>,
    /// Where the prompt comes from.
    pub prompt: PromptSource,
}

/// Where an agent's program finds the prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PromptSource {
    /// On standard input, which is the prompt's file.
    Stdin,
    /// In its arguments; standard input is `/dev/null`.
    Arguments,
}

/// What a plan is made for.
#[derive(Debug, Clone, Copy)]
pub struct PlanFor<'a> {
    /// Name of the agent.
    pub agent: &'a str,
    /// Its settings.
    pub settings: &'a AgentSettings,
    /// A command given for this task alone.
    pub command: &'a [String],
    /// Our own program.
    pub own_program: &'a Path,
    /// Where programs are looked for.
    pub path: &'a OsStr,
    /// Against which relative programs are taken.
    pub cwd: &'a Path,
}

/// Builds the command of an agent. With `prompt` absent it is only checked that it could be built.
///
/// # Errors
/// If the program is missing, or none is given.
pub fn plan(of: &PlanFor<'_>, prompt: Option<(&Path, &str)>) -> Result<AgentCommand, AgentError> {
    let agent_type = of.settings.agent_type;
    match agent_type {
        AgentType::Demo => {
            let mut argv = vec![text(of.own_program), "demo-agent".to_owned()];
            argv.extend(of.settings.args.iter().cloned());
            Ok(AgentCommand { argv, prompt: PromptSource::Stdin })
        }
        AgentType::Command => {
            let command = if of.command.is_empty() { &of.settings.command } else { of.command };
            let Some((name, rest)) = command.split_first() else {
                return Err(AgentError::NoCommand { agent: of.agent.to_owned() });
            };
            let mut argv = vec![text(&program(of.agent, agent_type, name, of.path, of.cwd)?)];
            argv.extend(rest.iter().chain(&of.settings.args).cloned());
            let delivery = of.settings.prompt;
            if let Some((file, words)) = prompt {
                match delivery {
                    PromptDelivery::Stdin => {}
                    PromptDelivery::File => argv.push(text(file)),
                    PromptDelivery::Arg => argv.push(words.to_owned()),
                }
            }
            let source = match delivery {
                PromptDelivery::Stdin => PromptSource::Stdin,
                PromptDelivery::File | PromptDelivery::Arg => PromptSource::Arguments,
            };
            Ok(AgentCommand { argv, prompt: source })
        }
        other => Err(AgentError::Unsupported { agent: of.agent.to_owned(), agent_type: other }),
    }
}

fn text(path: &Path) -> String {
    PathBuf::from(path).to_string_lossy().into_owned()
}
