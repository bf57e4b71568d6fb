//! The logins of Codex: <https://developers.openai.com/codex/config-reference>.

use std::path::PathBuf;

use crate::login::{Folder, Login, Search};
use config::AgentSettings;

/// The key of a provider that the settings define. `codex exec` ignores it otherwise.
pub(super) const OF_PROVIDERS: &str = "OPENAI_API_KEY";

const FOLDER: Folder = Folder { variable: "CODEX_HOME", below_home: ".codex", inside: "" };

/// Its own login.
pub(super) const LOGIN: Login = Login {
    folder: Some(FOLDER),
    files: &["auth.json"],
    hint: "log in with `codex login` (OPENAI_API_KEY alone is not used), ",
};

/// Returns true if a run with these settings reads the variable.
pub(super) fn reads_key(variable: &str, settings: &AgentSettings) -> bool {
    variable != OF_PROVIDERS || settings.base_url.is_some()
}

/// A sign of another provider, or of a login in the keyring.
pub(super) fn another_way(of: &Search<'_>) -> Option<String> {
    let is_sign =
        |name: &str| name.starts_with("CODEX_") && (name.ends_with("_TOKEN") || name.ends_with("_KEY"));
    let own = FOLDER.path(of.environment).map(|folder| folder.join("config.toml"));
    let others = [of.cwd.join(".codex/config.toml"), PathBuf::from("/etc/codex/config.toml")];
    let words = ["model_provider", "credentials_store", "env_key", "profile", "base_url", "oss"];
    of.variable(is_sign).or_else(|| of.file(own.into_iter().chain(others), &words))
}

#[cfg(test)]
mod tests {
    use crate::{
        Credentials,
        testing::{are_no_signs, are_signs, logs_in_with, search, settings},
    };
    use config::Secret;

    #[test]
    fn its_login_is_found() {
        logs_in_with("codex", &[], "/h/.codex/auth.json");
        logs_in_with("codex", &[("CODEX_HOME", "/c")], "/c/auth.json");
    }

    #[test]
    fn missing_credentials_are_reported_with_the_remedy() {
        let Credentials::Missing(missing) = search(&settings("codex"), None, &[], &[]) else { panic!() };
        assert_eq!(
            missing.to_string(),
            "agent 'a' has no credentials: $CODEX_API_KEY is not set, /h/.codex/auth.json is missing"
        );
        assert!(missing.hint.contains("`codex login`"), "{missing:?}");
    }

    #[test]
    fn another_way_to_log_in_lets_it_run() {
        are_signs(
            "codex",
            &[
                (&[("CODEX_ACCESS_TOKEN", "x")], &[]),
                (&[], &[("/h/.codex/config.toml", "model_provider = \"ollama\"")]),
                (&[], &[("/h/.codex/config.toml", "cli_auth_credentials_store = \"keyring\"")]),
                (&[], &[("/w/p/.codex/config.toml", "profile = \"work\"")]),
            ],
        );
    }

    #[test]
    fn other_settings_are_no_login() {
        are_no_signs(
            "codex",
            &[(&[], &[]), (&[("CODEX_HOME", "/c")], &[("/c/config.toml", "model = \"gpt-5.5\"")])],
        );
        // The program by its path is the program.
        let mut settings = settings("codex");
        settings.command = vec!["/opt/bin/codex".to_owned()];
        assert!(matches!(search(&settings, None, &[], &[]), Credentials::Missing(_)));
    }

    #[test]
    fn a_key_beats_a_login_and_a_configured_token_both() {
        let mut settings = settings("codex");
        let found = |settings: &_, key| search(settings, key, &[], &[("/h/.codex/auth.json", "")]);
        assert_eq!(found(&settings, Some("CODEX_API_KEY")), Credentials::Variable("CODEX_API_KEY"));
        // It does not read this one, so the login counts.
        assert!(matches!(found(&settings, Some("OPENAI_API_KEY")), Credentials::File(_)));
        settings.base_url = Some("http://x".to_owned());
        assert_eq!(found(&settings, Some("OPENAI_API_KEY")), Credentials::Variable("OPENAI_API_KEY"));
        settings.token = Some(Secret::new("sk"));
        assert_eq!(found(&settings, None), Credentials::Token("CODEX_API_KEY"));
    }
}
