//! Where an agent would find what it logs in with, and never what that is.
//!
//! Whether the key is any good only its service can tell, and asking costs money: nobody is asked.

use std::path::PathBuf;

use crate::config::{AgentSettings, AgentType, Environment};

/// What an agent logs in with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    /// It needs none.
    NotNeeded,
    /// A token of the configuration, given to it in this variable.
    Token(&'static str),
    /// A variable of the environment.
    Variable(&'static str),
    /// A file that its own login has left.
    File(PathBuf),
    /// Nothing was found; it may have other ways. What to do, as a hint.
    NotFound(String),
}

/// Looks for the credentials of an agent; `key` is the variable that a run would have its key in.
#[must_use]
pub fn credentials(
    settings: &AgentSettings,
    key: Option<&'static str>,
    environment: &Environment,
    exists: impl Fn(&std::path::Path) -> bool,
) -> Credentials {
    if let Some(variable) = settings.token_variable() {
        return Credentials::Token(variable);
    }
    let agent_type = settings.agent_type;
    let login = login_file(agent_type, environment).filter(|file| exists(file));
    let key = match (agent_type, key, &settings.base_url) {
        // Only a provider of the configuration makes Codex read it.
        (AgentType::Codex, Some("OPENAI_API_KEY"), None) => None,
        (_, key, _) => key,
    };
    match (agent_type, key, login) {
        (AgentType::Demo | AgentType::Command, ..) => Credentials::NotNeeded,
        (_, Some(variable), _) => Credentials::Variable(variable),
        (_, None, Some(file)) => Credentials::File(file),
        (_, None, None) => Credentials::NotFound(hint(agent_type)),
    }
}

fn hint(agent_type: AgentType) -> String {
    let variable = agent_type.key_variables().first().copied().unwrap_or_default();
    let login = match agent_type {
        AgentType::Claude => "log in with `claude`, ",
        AgentType::Codex => "log in with `codex login` (OPENAI_API_KEY alone is not used), ",
        AgentType::Gemini => "log in with `gemini`, ",
        AgentType::Opencode => "log in with `opencode auth login`, ",
        _ => "",
    };
    format!("{login}set ${variable}, or give agents.NAME.token_file in config.yaml")
}

/// The file in which an agent keeps its login, as each documents it.
fn login_file(agent_type: AgentType, environment: &Environment) -> Option<PathBuf> {
    let folder = |variable: &str, below_home: &str| {
        let own = environment.get_os(variable).map(PathBuf::from);
        own.or_else(|| environment.home().map(|home| home.join(below_home)))
    };
    match agent_type {
        AgentType::Claude => Some(folder("CLAUDE_CONFIG_DIR", ".claude")?.join(".credentials.json")),
        AgentType::Codex => Some(folder("CODEX_HOME", ".codex")?.join("auth.json")),
        AgentType::Gemini => Some(folder("GEMINI_CLI_HOME", "")?.join(".gemini/oauth_creds.json")),
        AgentType::Opencode => Some(folder("XDG_DATA_HOME", ".local/share")?.join("opencode/auth.json")),
        AgentType::Demo | AgentType::Command | AgentType::Perplexity | AgentType::Xai => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    #[test]
    fn credentials_are_found_where_the_agent_finds_them() {
        use AgentType::{Claude, Codex, Command, Demo, Gemini, Opencode, Xai};

        let home = Environment::from_iter([("HOME", "/h")]);
        let moved =
            Environment::from_iter([("HOME", "/h"), ("CODEX_HOME", "/c"), ("CLAUDE_CONFIG_DIR", "/d")]);
        let file = |path: &str| Credentials::File(path.into());
        for (agent_type, environment, found) in [
            (Claude, &home, file("/h/.claude/.credentials.json")),
            (Claude, &moved, file("/d/.credentials.json")),
            (Codex, &home, file("/h/.codex/auth.json")),
            (Codex, &moved, file("/c/auth.json")),
            (Gemini, &home, file("/h/.gemini/oauth_creds.json")),
            (Opencode, &home, file("/h/.local/share/opencode/auth.json")),
            (Demo, &home, Credentials::NotNeeded),
            (Command, &home, Credentials::NotNeeded),
            (
                Xai,
                &home,
                Credentials::NotFound(
                    "set $XAI_API_KEY, or give agents.NAME.token_file in config.yaml".to_owned(),
                ),
            ),
        ] {
            let settings = AgentSettings::new(agent_type);
            assert_eq!(credentials(&settings, None, environment, |_| true), found, "{agent_type}");
            let none = credentials(&settings, None, environment, |_| false);
            assert!(
                matches!(none, Credentials::NotFound(_) | Credentials::NotNeeded),
                "{agent_type}: {none:?}"
            );
        }
    }

    #[test]
    fn a_key_beats_a_login_and_a_configured_token_both() {
        let home = Environment::from_iter([("HOME", "/h")]);
        let mut settings = AgentSettings::new(AgentType::Codex);
        let look = |settings: &AgentSettings, key| credentials(settings, key, &home, |_| true);
        assert_eq!(look(&settings, Some("CODEX_API_KEY")), Credentials::Variable("CODEX_API_KEY"));
        // It is not looked at, so the login is what counts.
        assert!(matches!(look(&settings, Some("OPENAI_API_KEY")), Credentials::File(_)));
        settings.base_url = Some("http://x".to_owned());
        assert_eq!(look(&settings, Some("OPENAI_API_KEY")), Credentials::Variable("OPENAI_API_KEY"));
        settings.token = Some(Secret::new("sk"));
        assert_eq!(look(&settings, None), Credentials::Token("CODEX_API_KEY"));
    }
}
