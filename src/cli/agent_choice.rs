//! Asks for the agent of a task that names none. The rule is in `runner`; this file only asks the user.

use std::path::Path;

use super::{
    confirm,
    context::Context,
    error::{CliError, CliResult},
    print::Form,
};
use agents::AgentError;
use engine::runner::{self, Chosen, Runner, RunnerError};
use tree::ids::ProjectId;

/// Maximum number of times that a wrong answer is asked for again.
const QUESTIONS: usize = 3;

/// Returns the agent of a task of `project` in `cwd` that names none. Prints the name if there is only one, and asks
/// at a terminal if there are several.
///
/// # Errors
/// If the choice is not clear.
pub(super) fn default_agent(
    context: &Context,
    runner: &Runner,
    project: &ProjectId,
    cwd: &Path,
) -> CliResult<String> {
    let known = runner.tree.projects()?.contains(project);
    let tasks = if known { runner.tree.tasks(project)?.len() } else { 0 };
    match runner::default_agent(runner, cwd, tasks) {
        Ok(Chosen::BySettings(name)) => Ok(name),
        Ok(Chosen::AsTheOnlyOne(name)) => {
            if context.printer().form() == Form::Text {
                context.printer().word(&format!("agent {name}, the only one that can be used here"))?;
            }
            Ok(name)
        }
        Err(RunnerError::Agent(AgentError::NoChoice { usable, unusable })) => {
            one_of(context, usable, unusable)
        }
        Err(e) => Err(e.into()),
    }
}

/// Asks at a terminal which of several agents to use. The answer holds for the whole verb, so the user is asked once.
///
/// # Errors
/// [`AgentError::NoChoice`] if there is no terminal to ask at.
pub(super) fn one_of(context: &Context, usable: Vec<String>, unusable: Vec<String>) -> CliResult<String> {
    if let Some(chosen) = context.chosen_agent.get() {
        return Ok(chosen.clone());
    }
    if usable.len() > 1 && confirm::can_ask(context.printer().form()) {
        let printer = context.printer();
        printer
            .word("Which agent? `defaults.agent` in config.yaml, or --agent, says so without a question.")?;
        for (number, name) in (1..).zip(&usable) {
            printer.word(&format!("  {number}  {name}"))?;
        }
        for _ in 0..QUESTIONS {
            let answer = confirm::answer(context, "number or name: ")?;
            if answer.is_empty() {
                break;
            }
            if let Some(name) = meant(&usable, &answer) {
                return Ok(context.chosen_agent.get_or_init(|| name.to_owned()).clone());
            }
        }
    }
    Err(CliError::from(AgentError::NoChoice { usable, unusable }))
}

/// Returns the agent that an answer selects, by its number in the list or by name.
fn meant<'a>(usable: &'a [String], answer: &str) -> Option<&'a str> {
    let by_number = answer.parse::<usize>().ok().and_then(|n| usable.get(n.checked_sub(1)?));
    by_number.or_else(|| usable.iter().find(|name| *name == answer)).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_number_or_a_name() {
        let usable = ["claude", "codex"].map(str::to_owned);
        for (answer, expected) in [
            ("1", Some("claude")),
            ("2", Some("codex")),
            ("codex", Some("codex")),
            ("0", None),
            ("3", None),
            ("demo", None),
            ("", None),
        ] {
            assert_eq!(meant(&usable, answer), expected, "{answer:?}");
        }
    }
}
