//! Where an agent would find what it logs in with, and never what that is.
//!
//! A login that is kept in a place of which we do not know must not stop an agent that works. So an agent has no
//! credentials only where every way that it documents was looked at; any sign of another way, a wrapper or a setting of
//! its own, makes the answer [`Credentials::Unknown`], and the agent runs. No service is asked whether a key is good:
//! that would cost money.

use std::path::{Path, PathBuf};

use crate::{
    config::{AgentSettings, AgentType, Environment},
    fsx::{self, FsErrorKind},
};

/// The largest settings file of an agent that is searched.
const LONGEST_SETTINGS: u64 = 1024 * 1024;

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
    /// None was found, and it may have another way; why.
    Unknown(String),
    /// It has none.
    Missing(MissingCredentials),
}

/// What was looked for in vain, and what helps.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("agent '{agent}' has no credentials: {looked}")]
pub struct MissingCredentials {
    /// The agent.
    pub agent: String,
    /// Each place that was looked at.
    pub looked: String,
    /// What to do.
    pub hint: String,
}

/// The files of an agent's own settings.
pub trait Files {
    /// Whether there is such a file, as far as can be told.
    fn exists(&self, path: &Path) -> bool;
    /// Whether the file has one of these words in it; also if it is there and cannot be read.
    fn mentions(&self, path: &Path, words: &[&str]) -> bool;
}

/// The files of this machine.
#[derive(Debug, Clone, Copy)]
pub struct OnDisk;

impl Files for OnDisk {
    fn exists(&self, path: &Path) -> bool {
        path.try_exists().unwrap_or(true)
    }

    fn mentions(&self, path: &Path, words: &[&str]) -> bool {
        match fsx::read_regular_outside(path, LONGEST_SETTINGS) {
            Ok(bytes) => {
                let text = String::from_utf8_lossy(&bytes);
                words.iter().any(|word| text.contains(word))
            }
            Err(e) => !matches!(e.kind(), FsErrorKind::NotFound | FsErrorKind::NotAFolder),
        }
    }
}

/// The agent whose credentials are looked for, and where.
#[derive(Clone, Copy)]
pub struct Search<'a> {
    /// Its name.
    pub agent: &'a str,
    /// Its settings.
    pub settings: &'a AgentSettings,
    /// The variable that a run would have its key in.
    pub key: Option<&'static str>,
    /// The environment that a run would have.
    pub environment: &'a Environment,
    /// The folder that a run would work in.
    pub cwd: &'a Path,
    /// The files.
    pub files: &'a dyn Files,
}

/// Looks for the credentials of an agent.
#[must_use]
pub fn credentials(of: &Search<'_>) -> Credentials {
    let settings = of.settings;
    if let Some(variable) = settings.token_variable() {
        return Credentials::Token(variable);
    }
    let agent_type = settings.agent_type;
    if matches!(agent_type, AgentType::Demo | AgentType::Command) {
        return Credentials::NotNeeded;
    }
    let key = match (agent_type, of.key, &settings.base_url) {
        // Only a provider of the configuration makes Codex read it.
        (AgentType::Codex, Some("OPENAI_API_KEY"), None) => None,
        (_, key, _) => key,
    };
    if let Some(variable) = key {
        return Credentials::Variable(variable);
    }
    let logins = login_files(agent_type, of.environment);
    if let Some(file) = logins.iter().find(|file| of.files.exists(file)) {
        return Credentials::File(file.clone());
    }
    match another_way(of) {
        Some(why) => Credentials::Unknown(why),
        None => Credentials::Missing(MissingCredentials {
            agent: of.agent.to_owned(),
            looked: looked(agent_type, &logins),
            hint: hint(of.agent, agent_type),
        }),
    }
}

fn looked(agent_type: AgentType, logins: &[PathBuf]) -> String {
    let keys = match agent_type {
        AgentType::Codex => &agent_type.key_variables()[..1],
        other => other.key_variables(),
    };
    let variables = keys.iter().map(|name| format!("${name} is not set"));
    let files = logins.iter().map(|file| format!("{} is missing", file.display()));
    variables.chain(files).collect::<Vec<_>>().join(", ")
}

fn hint(agent: &str, agent_type: AgentType) -> String {
    let variable = agent_type.key_variables().first().copied().unwrap_or_default();
    let login = match agent_type {
        AgentType::Claude => "log in with `claude`, ",
        AgentType::Codex => "log in with `codex login` (OPENAI_API_KEY alone is not used), ",
        AgentType::Gemini => "log in with `gemini`, ",
        AgentType::Opencode => "log in with `opencode auth login`, ",
        _ => "",
    };
    format!("{login}set ${variable}, or give agents.{agent}.token_file in config.yaml")
}

/// The files in which an agent keeps its login, as each documents them.
fn login_files(agent_type: AgentType, environment: &Environment) -> Vec<PathBuf> {
    let files: &[&str] = match agent_type {
        AgentType::Claude => &[".credentials.json"],
        AgentType::Codex => &["auth.json"],
        AgentType::Gemini => &["oauth_creds.json", "gemini-credentials.json"],
        AgentType::Opencode => &["opencode/auth.json"],
        AgentType::Demo | AgentType::Command | AgentType::Perplexity | AgentType::Xai => &[],
    };
    let folder = own_folder(agent_type, environment);
    folder.iter().flat_map(|folder| files.iter().map(|file| folder.join(file))).collect()
}

/// The folder that an agent has for itself.
fn own_folder(agent_type: AgentType, environment: &Environment) -> Option<PathBuf> {
    let folder = |variable: &str, below_home: &str| {
        let own = environment.get_os(variable).map(PathBuf::from);
        own.or_else(|| environment.home().map(|home| home.join(below_home)))
    };
    match agent_type {
        AgentType::Claude => folder("CLAUDE_CONFIG_DIR", ".claude"),
        AgentType::Codex => folder("CODEX_HOME", ".codex"),
        AgentType::Gemini => Some(folder("GEMINI_CLI_HOME", "")?.join(".gemini")),
        AgentType::Opencode => folder("XDG_DATA_HOME", ".local/share"),
        AgentType::Demo | AgentType::Command | AgentType::Perplexity | AgentType::Xai => None,
    }
}

/// A sign that the agent logs in with something that is not looked for; fits after "no key and no login was found, but".
fn another_way(of: &Search<'_>) -> Option<String> {
    let settings = of.settings;
    let program = settings.command.first().map(|word| Path::new(word).file_name().unwrap_or_default());
    let own = program.is_none_or(|name| name == settings.agent_type.as_str());
    if !own || settings.command.len() > 1 {
        return Some("its command may bring its own".to_owned());
    }
    if settings.base_url.is_some() {
        return Some("its base_url may need none".to_owned());
    }
    if !settings.args.is_empty() && own_folder(settings.agent_type, of.environment).is_some() {
        return Some("its args may name one".to_owned());
    }
    match settings.agent_type {
        AgentType::Claude => claude(of),
        AgentType::Codex => codex(of),
        AgentType::Gemini => gemini(of),
        AgentType::Opencode => Some("it has models that need none".to_owned()),
        AgentType::Demo | AgentType::Command | AgentType::Perplexity | AgentType::Xai => None,
    }
}

/// Cloud providers, gateways and `apiKeyHelper`: <https://code.claude.com/docs/en/settings>, `/en/iam`.
fn claude(of: &Search<'_>) -> Option<String> {
    let only_model = |name: &str| name.ends_with("_MODEL") || name.contains("_DEFAULT_");
    let sign = |name: &str| {
        name.starts_with("CLAUDE_CODE_USE_")
            || name.starts_with("CLAUDE_CODE_OAUTH_")
            || (name.starts_with("CLAUDE_CODE_") && name.ends_with("_FILE_DESCRIPTOR"))
            || (name.starts_with("ANTHROPIC_") && !only_model(name))
    };
    let folder = own_folder(AgentType::Claude, of.environment);
    let home = of.environment.home();
    let moved = of.environment.get_os("CLAUDE_CONFIG_DIR").map(PathBuf::from);
    let account = moved.or(home).map(|folder| folder.join(".claude.json"));
    let own = [folder.map(|folder| folder.join("settings.json"))];
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
    variable(of, sign)
        .or_else(|| file(of, settings, &words))
        .or_else(|| file(of, account, &["primaryApiKey"]))
}

/// Other providers, and a login in the keyring: <https://developers.openai.com/codex/config-reference>.
fn codex(of: &Search<'_>) -> Option<String> {
    let sign =
        |name: &str| name.starts_with("CODEX_") && (name.ends_with("_TOKEN") || name.ends_with("_KEY"));
    let own = own_folder(AgentType::Codex, of.environment).map(|folder| folder.join("config.toml"));
    let others = [of.cwd.join(".codex/config.toml"), PathBuf::from("/etc/codex/config.toml")];
    let words = ["model_provider", "credentials_store", "env_key", "profile", "base_url", "oss"];
    variable(of, sign).or_else(|| file(of, own.into_iter().chain(others), &words))
}

/// Vertex AI, the account of the machine, and keys in `.env`: <https://geminicli.com/docs/get-started/authentication>.
fn gemini(of: &Search<'_>) -> Option<String> {
    let sign = |name: &str| {
        name.starts_with("GOOGLE_") || name == "CLOUD_SHELL" || name == "GEMINI_CLI_USE_COMPUTE_ADC"
    };
    let own = own_folder(AgentType::Gemini, of.environment);
    let home = of.environment.home();
    let above = of.cwd.ancestors().flat_map(|folder| [folder.join(".env"), folder.join(".gemini/.env")]);
    let variables =
        above.chain(home.map(|home| home.join(".env"))).chain(own.clone().map(|f| f.join(".env")));
    let system = PathBuf::from("/etc/gemini-cli/settings.json");
    let settings = [
        own.map(|folder| folder.join("settings.json")),
        Some(of.cwd.join(".gemini/settings.json")),
        Some(system),
    ];
    variable(of, sign).or_else(|| file(of, variables, &["GEMINI_", "GOOGLE_"])).or_else(|| {
        file(of, settings.into_iter().flatten(), &["selectedType", "selectedAuthType", "\"auth\""])
    })
}

fn variable(of: &Search<'_>, sign: impl Fn(&str) -> bool) -> Option<String> {
    let mut set = of.environment.iter().filter(|(_, value)| !value.is_empty());
    let found = set.find_map(|(name, _)| name.to_str().filter(|name| sign(name)))?;
    Some(format!("${found} may name one"))
}

fn file(of: &Search<'_>, paths: impl IntoIterator<Item = PathBuf>, words: &[&str]) -> Option<String> {
    let found = paths.into_iter().find(|path| of.files.mentions(path, words))?;
    Some(format!("{} may name one", found.display()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::Secret;

    /// Files by their paths.
    struct Fake(BTreeMap<&'static str, &'static str>);

    impl Files for Fake {
        fn exists(&self, path: &Path) -> bool {
            path.to_str().is_some_and(|path| self.0.contains_key(path))
        }
        fn mentions(&self, path: &Path, words: &[&str]) -> bool {
            let text = path.to_str().and_then(|path| self.0.get(path));
            text.is_some_and(|text| words.iter().any(|word| text.contains(word)))
        }
    }

    fn look(
        settings: &AgentSettings,
        key: Option<&'static str>,
        variables: &[(&str, &str)],
        files: &[(&'static str, &'static str)],
    ) -> Credentials {
        let environment = [("HOME", "/h")].iter().chain(variables).copied().collect();
        let files = Fake(files.iter().copied().collect());
        let cwd = Path::new("/w/p");
        credentials(&Search { agent: "a", settings, key, environment: &environment, cwd, files: &files })
    }

    #[test]
    fn a_login_is_found_where_the_agent_keeps_it() {
        use AgentType::{Claude, Codex, Command, Demo, Gemini, Opencode, Perplexity, Xai};

        let moved: &[(&str, &str)] = &[("CODEX_HOME", "/c"), ("CLAUDE_CONFIG_DIR", "/d")];
        for (agent_type, variables, file) in [
            (Claude, &[][..], "/h/.claude/.credentials.json"),
            (Claude, moved, "/d/.credentials.json"),
            (Codex, &[], "/h/.codex/auth.json"),
            (Codex, moved, "/c/auth.json"),
            (Gemini, &[], "/h/.gemini/oauth_creds.json"),
            (Gemini, &[], "/h/.gemini/gemini-credentials.json"),
            (Opencode, &[], "/h/.local/share/opencode/auth.json"),
        ] {
            let settings = AgentSettings::new(agent_type);
            let found = look(&settings, None, variables, &[(file, "")]);
            assert_eq!(found, Credentials::File(file.into()), "{agent_type}");
        }
        for agent_type in [Demo, Command] {
            assert_eq!(look(&AgentSettings::new(agent_type), None, &[], &[]), Credentials::NotNeeded);
        }
        for agent_type in [Claude, Codex, Gemini, Perplexity, Xai] {
            let found = look(&AgentSettings::new(agent_type), None, &[], &[]);
            assert!(matches!(found, Credentials::Missing(_)), "{agent_type}: {found:?}");
        }
    }

    #[test]
    fn what_is_missing_is_told_with_what_helps() {
        let of = |agent_type| match look(&AgentSettings::new(agent_type), None, &[], &[]) {
            Credentials::Missing(missing) => (missing.to_string(), missing.hint),
            other => panic!("{other:?}"),
        };
        let (what, hint) = of(AgentType::Xai);
        assert_eq!(what, "agent 'a' has no credentials: $XAI_API_KEY is not set");
        assert_eq!(hint, "set $XAI_API_KEY, or give agents.a.token_file in config.yaml");
        let (what, hint) = of(AgentType::Codex);
        assert_eq!(
            what,
            "agent 'a' has no credentials: $CODEX_API_KEY is not set, /h/.codex/auth.json is missing"
        );
        assert!(hint.contains("`codex login`"), "{hint}");
    }

    #[test]
    fn a_sign_of_another_way_lets_the_agent_run() {
        use AgentType::{Claude, Codex, Gemini, Opencode, Xai};
        type Pairs = &'static [(&'static str, &'static str)];

        let cases: &[(AgentType, Pairs, Pairs)] = &[
            (Claude, &[("CLAUDE_CODE_USE_BEDROCK", "1")], &[]),
            (Claude, &[("CLAUDE_CODE_USE_VERTEX", "1")], &[]),
            (Claude, &[("ANTHROPIC_BASE_URL", "http://gateway")], &[]),
            (Claude, &[("CLAUDE_CODE_OAUTH_TOKEN_FILE_DESCRIPTOR", "3")], &[]),
            (Claude, &[], &[("/h/.claude/settings.json", r#"{"apiKeyHelper": "/bin/key"}"#)]),
            (Claude, &[], &[("/h/.claude/settings.json", r#"{"env": {"CLAUDE_CODE_USE_BEDROCK": "1"}}"#)]),
            (Claude, &[], &[("/w/p/.claude/settings.local.json", r#"{"apiKeyHelper": "x"}"#)]),
            (Claude, &[], &[("/etc/claude-code/managed-settings.json", r#"{"apiKeyHelper": "x"}"#)]),
            (Claude, &[], &[("/h/.claude.json", r#"{"primaryApiKey": "x"}"#)]),
            (Codex, &[("CODEX_ACCESS_TOKEN", "x")], &[]),
            (Codex, &[], &[("/h/.codex/config.toml", "model_provider = \"ollama\"")]),
            (Codex, &[], &[("/h/.codex/config.toml", "cli_auth_credentials_store = \"keyring\"")]),
            (Codex, &[], &[("/w/p/.codex/config.toml", "profile = \"work\"")]),
            (Gemini, &[("GOOGLE_GENAI_USE_VERTEXAI", "true")], &[]),
            (Gemini, &[("GOOGLE_APPLICATION_CREDENTIALS", "/k.json")], &[]),
            (Gemini, &[], &[("/h/.gemini/.env", "GEMINI_API_KEY=x")]),
            (Gemini, &[], &[("/w/.env", "GEMINI_API_KEY=x")]),
            (
                Gemini,
                &[],
                &[("/h/.gemini/settings.json", r#"{"security": {"auth": {"selectedType": "x"}}}"#)],
            ),
            // Its own service has models that are free.
            (Opencode, &[], &[]),
        ];
        for (agent_type, variables, files) in cases {
            let found = look(&AgentSettings::new(*agent_type), None, variables, files);
            assert!(
                matches!(found, Credentials::Unknown(_)),
                "{agent_type} {variables:?} {files:?}: {found:?}"
            );
        }
        for change in [
            |s: &mut AgentSettings| s.command = vec!["docker".to_owned(), "run".to_owned()],
            |s: &mut AgentSettings| s.command = vec!["/opt/my-wrapper".to_owned()],
            |s: &mut AgentSettings| s.base_url = Some("http://127.0.0.1:1".to_owned()),
        ] {
            for agent_type in [Claude, Codex, Gemini, Xai] {
                let mut settings = AgentSettings::new(agent_type);
                change(&mut settings);
                let found = look(&settings, None, &[], &[]);
                assert!(matches!(found, Credentials::Unknown(_)), "{settings:?}: {found:?}");
            }
        }
        let mut settings = AgentSettings::new(Claude);
        settings.args = vec!["--settings".to_owned(), "x.json".to_owned()];
        assert!(matches!(look(&settings, None, &[], &[]), Credentials::Unknown(_)));
    }

    #[test]
    fn what_says_nothing_of_a_login_is_no_sign_of_one() {
        use AgentType::{Claude, Codex, Gemini};
        type Pairs = &'static [(&'static str, &'static str)];

        let cases: &[(AgentType, Pairs, Pairs)] = &[
            (Claude, &[("ANTHROPIC_MODEL", "opus"), ("CLAUDE_CODE_MAX_RETRIES", "1")], &[]),
            (Claude, &[("CLAUDE_CODE_USE_BEDROCK", "")], &[]),
            (Claude, &[], &[("/h/.claude/settings.json", r#"{"theme": "dark"}"#)]),
            (Claude, &[], &[("/h/.claude.json", r#"{"numStartups": 1}"#)]),
            (Codex, &[("CODEX_HOME", "/c")], &[("/c/config.toml", "model = \"gpt-5.5\"")]),
            (Gemini, &[], &[("/w/p/.env", "DATABASE_URL=x")]),
        ];
        for (agent_type, variables, files) in cases {
            let found = look(&AgentSettings::new(*agent_type), None, variables, files);
            assert!(
                matches!(found, Credentials::Missing(_)),
                "{agent_type} {variables:?} {files:?}: {found:?}"
            );
        }
        // The program by its path is the program.
        let mut settings = AgentSettings::new(Codex);
        settings.command = vec!["/opt/bin/codex".to_owned()];
        assert!(matches!(look(&settings, None, &[], &[]), Credentials::Missing(_)));
    }

    #[test]
    fn a_key_beats_a_login_and_a_configured_token_both() {
        let login: &[(&str, &str)] = &[("/h/.codex/auth.json", "")];
        let mut settings = AgentSettings::new(AgentType::Codex);
        let look = |settings: &AgentSettings, key| look(settings, key, &[], login);
        assert_eq!(look(&settings, Some("CODEX_API_KEY")), Credentials::Variable("CODEX_API_KEY"));
        // It is not looked at, so the login is what counts.
        assert!(matches!(look(&settings, Some("OPENAI_API_KEY")), Credentials::File(_)));
        settings.base_url = Some("http://x".to_owned());
        assert_eq!(look(&settings, Some("OPENAI_API_KEY")), Credentials::Variable("OPENAI_API_KEY"));
        settings.token = Some(Secret::new("sk"));
        assert_eq!(look(&settings, None), Credentials::Token("CODEX_API_KEY"));
    }
}
