//! The demo agent as one of the agents: a verb of this program.

use crate::{
    agent::{Agent, Program},
    error::AgentError,
    login::Login,
    request::{Call, PlanFor},
};
use config::{AgentKind, AgentType, ProgramOrigin};
use tree::transcript::Dialect;

/// The agent.
#[derive(Debug)]
pub(crate) struct Demo;

const TYPE: AgentType = AgentType::new(&AgentKind {
    name: "demo",
    key_variables: &[],
    token_variables: &[],
    provider_keys: &[],
    program: ProgramOrigin::Type,
});

impl Agent for Demo {
    fn agent_type(&self) -> AgentType {
        TYPE
    }

    fn program(&self) -> Program {
        Program::Own(&["demo-agent"])
    }

    fn call(&self, of: &PlanFor<'_>) -> Result<Call, AgentError> {
        Ok(Call { args: of.settings.args.clone(), ..Call::default() })
    }

    fn dialect(&self) -> Dialect {
        Dialect::Text
    }

    fn login(&self) -> Option<Login> {
        None
    }

    /// It answers only questions about the files of its folder.
    fn is_candidate(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{ask, search, settings};

    #[test]
    fn it_is_called() {
        ask("demo").with(|a| a.settings.command.clear()).is("/own/run-agent demo-agent", &[]);
        // A wrapper takes the place of the program and its verb.
        let wrapper = ask("demo").with(|a| a.settings.command.push("demo-agent".to_owned()));
        wrapper.is("/bin/true demo-agent", &[]);
        let found = search(&settings("demo"), None, &[], &[]);
        assert_eq!(found, crate::Credentials::NotNeeded);
    }
}
