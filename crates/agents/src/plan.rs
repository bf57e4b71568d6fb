//! The command line of an agent: its program, and the arguments from its folder.

use std::path::Path;

use super::{
    Program,
    error::AgentError,
    find::program,
    of_type,
    request::{AgentCommand, PlanFor, PromptSource},
};
use tree::kinds::Protocol;

/// Builds the command of an agent. Without a prompt this only checks that the command could be built.
///
/// # Errors
/// If the program is missing, none is given, or a prompt is too long to be an argument.
pub fn plan(of: &PlanFor<'_>) -> Result<AgentCommand, AgentError> {
    let agent = of_type(of.settings.agent_type);
    if agent.program() != Program::Any && !of.command.is_empty() {
        return as_given(of);
    }
    if let Some(problem) = &of.settings.token_problem {
        return Err(AgentError::BadToken { problem: problem.clone() });
    }
    let mut argv = leading(of, agent.program())?;
    let call =
        match of.protocol {
            Protocol::Exec | Protocol::Wrap => agent.call(of)?,
            other => agent.converse(of).filter(|_| agent.conversation().as_ref() == Some(other)).ok_or_else(
                || AgentError::NoConversation { agent: of.agent.to_owned(), protocol: other.to_string() },
            )?,
        };
    argv.extend(call.args);
    Ok(AgentCommand { argv, prompt: call.prompt, env: call.env, file: call.file })
}

/// Returns the program and its leading arguments: the task's command, `agents.NAME.command`, or the default program.
fn leading(of: &PlanFor<'_>, usual: Program) -> Result<Vec<String>, AgentError> {
    let command = if of.command.is_empty() { &of.settings.command } else { of.command };
    match (usual, command.split_first()) {
        (_, Some((name, rest))) => words(of, name, rest),
        (Program::Installed { .. }, None) => words(of, of.settings.agent_type.as_str(), &[]),
        (Program::Own(verb), None) => {
            Ok(std::iter::once(text(of.own_program)).chain(verb.iter().map(|&v| v.to_owned())).collect())
        }
        (Program::Any, None) => Err(AgentError::NoCommand { agent: of.agent.to_owned() }),
    }
}

/// Builds the call of a command that a task gives in place of the agent's own. The command is called as written, with
/// the prompt on its standard input, and its output is parsed like the agent's.
fn as_given(of: &PlanFor<'_>) -> Result<AgentCommand, AgentError> {
    let Some((name, rest)) = of.command.split_first() else {
        return Err(AgentError::NoCommand { agent: of.agent.to_owned() });
    };
    let argv = words(of, name, rest)?;
    let prompt = match of.protocol {
        Protocol::Exec | Protocol::Wrap => PromptSource::Stdin,
        _ => PromptSource::Messages,
    };
    Ok(AgentCommand { argv, prompt, env: Vec::new(), file: None })
}

fn words(of: &PlanFor<'_>, name: &str, rest: &[String]) -> Result<Vec<String>, AgentError> {
    let program = program(of.agent, of.settings.agent_type, name, of.path, of.cwd)?;
    Ok(std::iter::once(text(&program)).chain(rest.iter().cloned()).collect())
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
