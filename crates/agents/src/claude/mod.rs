//! Claude Code: `claude -p`.

mod call;
mod credentials;
mod stream;
mod tools;

use super::{
    agent::{Agent, Program},
    error::AgentError,
    login::{Login, Search},
    request::{Call, PlanFor},
};
use config::{AgentKind, AgentType, ProgramOrigin};
use tree::{kinds::Protocol, transcript::Dialect};

/// The agent.
#[derive(Debug)]
pub(super) struct Claude;

const TYPE: AgentType = AgentType::new(&AgentKind {
    name: "claude",
    key_variables: &["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN"],
    // The token that `claude setup-token` prints is no API key.
    token_variables: &[("sk-ant-oat", "CLAUDE_CODE_OAUTH_TOKEN")],
    provider_keys: &[],
    program: ProgramOrigin::Type,
});

impl Agent for Claude {
    fn agent_type(&self) -> AgentType {
        TYPE
    }

    fn program(&self) -> Program {
        Program::Installed { install: "npm install -g @anthropic-ai/claude-code" }
    }

    fn call(&self, of: &PlanFor<'_>) -> Result<Call, AgentError> {
        Ok(call::call(of))
    }

    fn conversation(&self) -> Option<Protocol> {
        Some(Protocol::ClaudeStream)
    }

    fn converse(&self, of: &PlanFor<'_>) -> Option<Call> {
        Some(call::converse(of))
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

    fn quiet(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
            ("DISABLE_AUTOUPDATER", "1"),
            ("DISABLE_TELEMETRY", "1"),
        ]
    }

    /// As seen in its commands and hooks (2.1). A program that finds `CLAUDE_CODE_CHILD_SESSION` saves no transcript.
    fn marks(&self) -> &'static [&'static str] {
        &[
            "AI_AGENT",
            "CLAUDECODE",
            "CLAUDE_AFTER_LAST_COMPACT",
            "CLAUDE_CODE_CHILD_SESSION",
            "CLAUDE_CODE_ENTRYPOINT",
            "CLAUDE_CODE_EXECPATH",
            "CLAUDE_CODE_MESSAGING_*",
            "CLAUDE_CODE_REMOTE_SESSION_ID",
            "CLAUDE_CODE_SESSION_*",
            "CLAUDE_CODE_SSE_PORT",
            "CLAUDE_EFFORT",
            "CLAUDE_PID",
            "CLAUDE_PROJECT_DIR",
        ]
    }

    fn explain(&self, variable: &str) -> Option<&'static str> {
        (variable == call::IS_SANDBOX)
            .then_some("runs as root: Conductor sets IS_SANDBOX=1 for it, because claude refuses to run as root with all permissions otherwise")
    }
}
