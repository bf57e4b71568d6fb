//! Codex: `codex exec`.

mod call;
mod credentials;
mod stream;

use super::{
    agent::{Agent, Program},
    error::AgentError,
    login::{Login, Search},
    provider_keys::PROVIDER_KEYS,
    request::{Call, PlanFor},
};
use config::{AgentKind, AgentSettings, AgentType, ProgramOrigin};
use tree::transcript::Dialect;

/// The agent.
#[derive(Debug)]
pub(super) struct Codex;

const TYPE: AgentType = AgentType::new(&AgentKind {
    name: "codex",
    key_variables: &["CODEX_API_KEY", credentials::OF_PROVIDERS],
    token_variables: &[],
    provider_keys: PROVIDER_KEYS,
    program: ProgramOrigin::Type,
});

impl Agent for Codex {
    fn agent_type(&self) -> AgentType {
        TYPE
    }

    fn program(&self) -> Program {
        Program::Installed { install: "npm install -g @openai/codex" }
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

    fn reads_key(&self, variable: &str, settings: &AgentSettings) -> bool {
        credentials::reads_key(variable, settings)
    }

    fn another_way(&self, of: &Search<'_>) -> Option<String> {
        credentials::another_way(of)
    }

    /// A program that finds `CODEX_SANDBOX` takes itself for one that runs in a sandbox.
    fn marks(&self) -> &'static [&'static str] {
        &["CODEX_CI", "CODEX_SANDBOX*", "CODEX_SESSION_ID", "CODEX_THREAD_ID"]
    }
}
