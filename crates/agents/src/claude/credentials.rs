//! The logins of Claude Code: <https://code.claude.com/docs/en/settings>, `/en/iam`.

use std::path::PathBuf;

use crate::login::{Folder, Login, Search};

const FOLDER: Folder = Folder { variable: "CLAUDE_CONFIG_DIR", below_home: ".claude", inside: "" };

/// Its own login.
pub(super) const LOGIN: Login =
    Login { folder: Some(FOLDER), files: &[".credentials.json"], hint: "log in with `claude`, " };

/// A sign of a cloud provider, a gateway or an `apiKeyHelper`.
pub(super) fn another_way(of: &Search<'_>) -> Option<String> {
    let only_model = |name: &str| name.ends_with("_MODEL") || name.contains("_DEFAULT_");
    let is_sign = |name: &str| {
        name.starts_with("CLAUDE_CODE_USE_")
            || name.starts_with("CLAUDE_CODE_OAUTH_")
            || (name.starts_with("CLAUDE_CODE_") && name.ends_with("_FILE_DESCRIPTOR"))
            || (name.starts_with("ANTHROPIC_") && !only_model(name))
    };
    let home = of.environment.home();
    let moved = of.environment.get_os(FOLDER.variable).map(PathBuf::from);
    let account = moved.or(home).map(|folder| folder.join(".claude.json"));
    let own = [FOLDER.path(of.environment).map(|folder| folder.join("settings.json"))];
    let project =
        ["settings.json", "settings.local.json"].map(|name| Some(of.cwd.join(".claude").join(name)));
    let managed = [Some(PathBuf::from("/etc/claude-code/managed-settings.json"))];
    let words = [
        "apiKeyHelper",
        "ANTHROPIC_",
        "CLAUDE_CODE_USE_",
        "CLAUDE_CODE_OAUTH",
        "primaryApiKey",
        "forceLogin",
    ];
    let settings = own.into_iter().chain(project).chain(managed).flatten();
    of.variable(is_sign)
        .or_else(|| of.file(settings, &words))
        .or_else(|| of.file(account, &["primaryApiKey"]))
}

#[cfg(test)]
mod tests {
    use crate::{
        Credentials,
        testing::{are_no_signs, are_signs, logs_in_with, search, settings},
    };

    #[test]
    fn its_login_is_found() {
        logs_in_with("claude", &[], "/h/.claude/.credentials.json");
        logs_in_with("claude", &[("CLAUDE_CONFIG_DIR", "/d")], "/d/.credentials.json");
    }

    #[test]
    fn another_way_to_log_in_lets_it_run() {
        are_signs(
            "claude",
            &[
                (&[("CLAUDE_CODE_USE_BEDROCK", "1")], &[]),
                (&[("CLAUDE_CODE_USE_VERTEX", "1")], &[]),
                (&[("ANTHROPIC_BASE_URL", "http://gateway")], &[]),
                (&[("CLAUDE_CODE_OAUTH_TOKEN_FILE_DESCRIPTOR", "3")], &[]),
                (&[], &[("/h/.claude/settings.json", r#"{"apiKeyHelper": "/bin/key"}"#)]),
                (&[], &[("/h/.claude/settings.json", r#"{"env": {"CLAUDE_CODE_USE_BEDROCK": "1"}}"#)]),
                (&[], &[("/w/p/.claude/settings.local.json", r#"{"apiKeyHelper": "x"}"#)]),
                (&[], &[("/etc/claude-code/managed-settings.json", r#"{"apiKeyHelper": "x"}"#)]),
                (&[], &[("/h/.claude.json", r#"{"primaryApiKey": "x"}"#)]),
            ],
        );
        let mut settings = settings("claude");
        settings.args = vec!["--settings".to_owned(), "x.json".to_owned()];
        assert!(matches!(search(&settings, None, &[], &[]), Credentials::Unknown(_)));
    }

    #[test]
    fn other_settings_are_no_login() {
        are_no_signs(
            "claude",
            &[
                (&[], &[]),
                (&[("ANTHROPIC_MODEL", "opus"), ("CLAUDE_CODE_MAX_RETRIES", "1")], &[]),
                (&[("CLAUDE_CODE_USE_BEDROCK", "")], &[]),
                (&[], &[("/h/.claude/settings.json", r#"{"theme": "dark"}"#)]),
                (&[], &[("/h/.claude.json", r#"{"numStartups": 1}"#)]),
            ],
        );
    }
}
