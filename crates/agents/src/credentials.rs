//! The search for an agent's credentials: where they are, and never their value.
//!
//! A login in an unknown place must not stop an agent that works. So an agent has no credentials only if every way that
//! it documents was searched. Any sign of another way, such as a wrapper or a setting of its own, gives
//! [`Credentials::Unknown`], and the agent runs. No service is asked whether a key is valid: that would cost money.

use std::path::{Path, PathBuf};

use super::{
    Agent,
    error::MissingCredentials,
    login::{Login, Search},
    of_type,
};
use config::AgentSettings;

/// The credentials of an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    /// It needs none.
    NotNeeded,
    /// A token of the configuration, given to it in this variable.
    Token(&'static str),
    /// A variable of the environment.
    Variable(&'static str),
    /// A file of its own login.
    File(PathBuf),
    /// None was found, and it may log in another way, for this reason.
    Unknown(String),
    /// It has none.
    Missing(MissingCredentials),
}

/// Searches the credentials of an agent.
#[must_use]
pub fn credentials(of: &Search<'_>) -> Credentials {
    let settings = of.settings;
    if let Some(variable) = settings.token_variable() {
        return Credentials::Token(variable);
    }
    let agent = of_type(settings.agent_type);
    let Some(login) = agent.login() else { return Credentials::NotNeeded };
    if let Some(variable) = of.key.filter(|variable| agent.reads_key(variable, settings)) {
        return Credentials::Variable(variable);
    }
    let logins = login.paths(of.environment);
    if let Some(file) = logins.iter().find(|file| of.files.exists(file)) {
        return Credentials::File(file.clone());
    }
    match another_way(agent, &login, of) {
        Some(why) => Credentials::Unknown(why),
        None => Credentials::Missing(MissingCredentials {
            agent: of.agent.to_owned(),
            looked: looked(agent, of, &logins),
            hint: hint(of.agent, of.settings, &login),
        }),
    }
}

fn looked(agent: &dyn Agent, of: &Search<'_>, logins: &[PathBuf]) -> String {
    let keys = of.settings.agent_type.key_variables().iter();
    let keys = keys.filter(|name| agent.reads_key(name, of.settings));
    let variables = keys.map(|name| format!("${name} is not set"));
    let files = logins.iter().map(|file| format!("{} is missing", file.display()));
    variables.chain(files).collect::<Vec<_>>().join(", ")
}

/// Says what gives an agent new credentials.
#[must_use]
pub fn how_to_sign_in(name: &str, settings: &AgentSettings) -> String {
    match of_type(settings.agent_type).login() {
        Some(login) => hint(name, settings, &login),
        None => "correct its credentials".to_owned(),
    }
}

fn hint(name: &str, settings: &AgentSettings, login: &Login) -> String {
    let variable = settings.agent_type.key_variables().first().copied().unwrap_or_default();
    format!("{}set ${variable}, or give agents.{name}.token_file in config.yaml", login.hint)
}

/// A sign that the agent logs in with something that is not searched; fits after "no key and no login was found, but".
fn another_way(agent: &dyn Agent, login: &Login, of: &Search<'_>) -> Option<String> {
    let settings = of.settings;
    let program = settings.command.first().map(|word| Path::new(word).file_name().unwrap_or_default());
    let own = program.is_none_or(|name| name == settings.agent_type.as_str());
    if !own || settings.command.len() > 1 {
        return Some("its command may bring its own".to_owned());
    }
    if settings.base_url.is_some() {
        return Some("its base_url may need no key".to_owned());
    }
    let has_own_settings = login.folder.is_some_and(|folder| folder.path(of.environment).is_some());
    if !settings.args.is_empty() && has_own_settings {
        return Some("its args may name one".to_owned());
    }
    agent.another_way(of)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AGENTS, testing::search};

    #[test]
    fn a_wrapper_or_another_address_may_bring_its_own_credentials() {
        for change in [
            |s: &mut AgentSettings| s.command = vec!["docker".to_owned(), "run".to_owned()],
            |s: &mut AgentSettings| s.command = vec!["/opt/my-wrapper".to_owned()],
            |s: &mut AgentSettings| s.base_url = Some("http://127.0.0.1:1".to_owned()),
        ] {
            for agent in AGENTS.iter().filter(|agent| agent.login().is_some()) {
                let mut settings = AgentSettings::new(agent.agent_type());
                change(&mut settings);
                let found = search(&settings, None, &[], &[]);
                assert!(matches!(found, Credentials::Unknown(_)), "{settings:?}: {found:?}");
            }
        }
    }
}
