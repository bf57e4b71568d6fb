//! xAI: Grok. <https://docs.x.ai/docs/api-reference>

use super::chat::{Api, ChatAgent, UsageReport};
use config::{AgentKind, AgentType, ProgramOrigin};

const TYPE: AgentType = AgentType::new(&AgentKind {
    name: "xai",
    key_variables: &["XAI_API_KEY"],
    token_variables: &[],
    provider_keys: &[],
    program: ProgramOrigin::Type,
});

static API: Api =
    Api { agent_type: TYPE, base_url: "https://api.x.ai/v1", model: "grok-4", usage: UsageReport::OnRequest };

/// The agent.
pub(super) const AGENT: ChatAgent = ChatAgent { api: &API, arguments: &["chat-agent", "--api", "xai"] };

#[cfg(test)]
mod tests {
    use crate::{
        Credentials,
        testing::{ask, search, settings, url},
    };

    #[test]
    fn it_is_called() {
        let own = || ask("xai").with(|a| a.settings.command.clear());
        own().is("/own/run-agent chat-agent --api xai", &[]);
        own()
            .with(url)
            .with(|a| a.model = Some("m"))
            .is("/own/run-agent chat-agent --api xai --model m --base-url http://127.0.0.1:1/v1", &[]);
    }

    #[test]
    fn missing_credentials_are_reported_with_the_remedy() {
        let Credentials::Missing(missing) = search(&settings("xai"), None, &[], &[]) else { panic!() };
        assert_eq!(missing.to_string(), "agent 'a' has no credentials: $XAI_API_KEY is not set");
        assert_eq!(missing.hint, "set $XAI_API_KEY, or give agents.a.token_file in config.yaml");
    }
}
