//! Gemini CLI.

mod call;
mod credentials;
mod stream;

use super::{
    agent::{Agent, Program},
    error::AgentError,
    login::{Login, Search},
    request::{Call, PlanFor},
};
use config::{AgentKind, AgentType, ProgramOrigin};
use tree::transcript::Dialect;

/// The agent.
#[derive(Debug)]
pub(super) struct Gemini;

const TYPE: AgentType = AgentType::new(&AgentKind {
    name: "gemini",
    key_variables: &["GEMINI_API_KEY", "GOOGLE_API_KEY"],
    token_variables: &[],
    provider_keys: &[],
    program: ProgramOrigin::Type,
});

impl Agent for Gemini {
    fn agent_type(&self) -> AgentType {
        TYPE
    }

    fn program(&self) -> Program {
        Program::Installed { install: "npm install -g @google/gemini-cli" }
    }

    fn call(&self, of: &PlanFor<'_>) -> Result<Call, AgentError> {
        Ok(call::call(of))
    }

    fn dialect(&self) -> Dialect {
        Dialect::Lines(&stream::LANGUAGE)
    }

    fn login(&self) -> Option<Login> {
        Some(credentials::LOGIN)
    }

    fn another_way(&self, of: &Search<'_>) -> Option<String> {
        credentials::another_way(of)
    }

    fn marks(&self) -> &'static [&'static str] {
        &["GEMINI_CLI", "GEMINI_PROJECT_DIR", "GEMINI_SESSION_ID"]
    }
}
