//! Any program: the configuration or the task names it and the way it gets its prompt.

use std::path::Path;

use super::{
    agent::{Agent, Program},
    error::AgentError,
    login::Login,
    request::{Call, LONGEST_ARGUMENT, PlanFor, PromptSource},
};
use config::{AgentKind, AgentType, ProgramOrigin, PromptDelivery};
use tree::transcript::Dialect;

/// The agent.
#[derive(Debug)]
pub(super) struct Command;

const TYPE: AgentType = AgentType::new(&AgentKind {
    name: "command",
    key_variables: &[],
    token_variables: &[],
    provider_keys: &[],
    program: ProgramOrigin::Configuration,
});

impl Agent for Command {
    fn agent_type(&self) -> AgentType {
        TYPE
    }

    fn program(&self) -> Program {
        Program::Any
    }

    fn call(&self, of: &PlanFor<'_>) -> Result<Call, AgentError> {
        let mut call = Call { args: of.settings.args.clone(), ..Call::default() };
        if of.settings.prompt != PromptDelivery::Stdin {
            call.prompt = PromptSource::Arguments;
        }
        let Some((file, words)) = of.prompt else { return Ok(call) };
        match of.settings.prompt {
            PromptDelivery::Stdin => {}
            PromptDelivery::File => call.args.push(Path::to_string_lossy(file).into_owned()),
            PromptDelivery::Arg if words.len() >= LONGEST_ARGUMENT => {
                return Err(AgentError::PromptTooLong { agent: of.agent.to_owned(), bytes: words.len() });
            }
            PromptDelivery::Arg => call.args.push(words.to_owned()),
        }
        Ok(call)
    }

    fn dialect(&self) -> Dialect {
        Dialect::Text
    }

    fn login(&self) -> Option<Login> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Credentials,
        testing::{ask, search, settings},
    };

    #[test]
    fn it_is_called_as_it_is_configured() {
        let command = |delivery| ask("command").with(|a| a.settings.prompt = delivery);
        command(PromptDelivery::Stdin).is("/bin/true", &[]);
        command(PromptDelivery::File).is("/bin/true /run/prompt.md", &[]);
        command(PromptDelivery::Arg).is("/bin/true words", &[]);
        let own = command(PromptDelivery::Arg).with(|a| a.command = vec!["true".to_owned(), "-x".to_owned()]);
        own.is("/bin/true -x words", &[]);
        let none = ask("command").with(|a| a.settings.command.clear());
        assert!(matches!(none.plan(None), Err(AgentError::NoCommand { .. })));
        let words = "x".repeat(LONGEST_ARGUMENT);
        let long = command(PromptDelivery::Arg).plan(Some((Path::new("/p"), &words)));
        assert!(matches!(long, Err(AgentError::PromptTooLong { bytes: 131_072, .. })), "{long:?}");
        assert!(command(PromptDelivery::Arg).plan(Some((Path::new("/p"), &words[1..]))).is_ok());
        assert_eq!(search(&settings("command"), None, &[], &[]), Credentials::NotNeeded);
    }
}
