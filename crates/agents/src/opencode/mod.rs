//! OpenCode: `opencode run`.

mod call;
mod stream;

use super::{
    agent::{Agent, Program},
    error::AgentError,
    login::{Folder, Login, Search},
    provider_keys::PROVIDER_KEYS,
    request::{Call, PlanFor},
};
use config::{AgentKind, AgentType, ProgramOrigin};
use tree::transcript::Dialect;

/// The agent.
#[derive(Debug)]
pub(super) struct Opencode;

const TYPE: AgentType = AgentType::new(&AgentKind {
    name: "opencode",
    // It talks to the provider that its model names.
    key_variables: &[call::KEY, "ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY", "XAI_API_KEY"],
    token_variables: &[],
    provider_keys: PROVIDER_KEYS,
    program: ProgramOrigin::Type,
});

const LOGIN: Login = Login {
    folder: Some(Folder { variable: "XDG_DATA_HOME", below_home: ".local/share", inside: "" }),
    files: &["opencode/auth.json"],
    hint: "log in with `opencode auth login`, ",
};

impl Agent for Opencode {
    fn agent_type(&self) -> AgentType {
        TYPE
    }

    fn program(&self) -> Program {
        Program::Installed { install: "npm install -g opencode-ai" }
    }

    fn call(&self, of: &PlanFor<'_>) -> Result<Call, AgentError> {
        Ok(call::call(of))
    }

    fn dialect(&self) -> Dialect {
        Dialect::Lines(&stream::LANGUAGE)
    }

    fn login(&self) -> Option<Login> {
        Some(LOGIN)
    }

    /// Its own service has models that are free.
    fn another_way(&self, _of: &Search<'_>) -> Option<String> {
        Some("it has models that need none".to_owned())
    }

    /// Each of its providers has a key of its own, and none takes precedence.
    fn token_replaces_keys(&self) -> bool {
        false
    }

    fn quiet(&self) -> &'static [(&'static str, &'static str)] {
        &[("OPENCODE_DISABLE_AUTOUPDATE", "1"), ("OPENCODE_DISABLE_MODELS_FETCH", "1")]
    }

    fn marks(&self) -> &'static [&'static str] {
        &["OPENCODE", "OPENCODE_PID"]
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{are_signs, logs_in_with};

    #[test]
    fn its_login_is_found_and_not_required() {
        logs_in_with("opencode", &[], "/h/.local/share/opencode/auth.json");
        are_signs("opencode", &[(&[], &[])]);
    }
}
