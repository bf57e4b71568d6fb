//! Helpers of the tests of this module: an agent that is called in a made-up folder, or with made-up credentials.

use std::{collections::BTreeMap, ffi::OsStr, path::Path};

use super::{
    AgentCommand, AgentError, Credentials, Files, PlanFor, Search, User, agent_types, credentials, plan,
};
use config::{AgentSettings, Permissions};
use tree::kinds::Protocol;

/// Settings of the agent type of that name.
pub(super) fn settings(agent_type: &str) -> AgentSettings {
    AgentSettings::new(agent_types().of_name(agent_type).unwrap())
}

/// A request to call an agent; `/bin/true` stands for its program.
pub(super) struct Ask {
    pub(super) settings: AgentSettings,
    pub(super) command: Vec<String>,
    pub(super) model: Option<&'static str>,
    pub(super) resume: Option<&'static str>,
    pub(super) key: Option<&'static str>,
    pub(super) user: User,
    pub(super) protocol: Protocol,
}

pub(super) fn ask(agent_type: &str) -> Ask {
    let mut settings = settings(agent_type);
    settings.command = vec!["/bin/true".to_owned()];
    Ask {
        settings,
        command: Vec::new(),
        model: None,
        resume: None,
        key: None,
        user: User::Other,
        protocol: Protocol::Exec,
    }
}

impl Ask {
    pub(super) fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    pub(super) fn plan(&self, prompt: Option<(&Path, &str)>) -> Result<AgentCommand, AgentError> {
        plan(&PlanFor {
            agent: "a",
            settings: &self.settings,
            command: &self.command,
            own_program: Path::new("/own/run-agent"),
            path: OsStr::new("/bin"),
            cwd: Path::new("/"),
            model: self.model,
            resume: self.resume,
            key: self.key,
            user: self.user,
            protocol: &self.protocol,
            prompt,
        })
    }

    /// Asserts the command, as in a shell without quotes, and its variables.
    #[track_caller]
    pub(super) fn is(&self, line: &str, env: &[(&str, &str)]) {
        let planned = self.plan(Some((Path::new("/run/prompt.md"), "words"))).unwrap();
        assert_eq!(planned.argv.join(" "), line);
        let variables: Vec<(&str, &str)> = planned.env.iter().map(|(n, v)| (*n, v.as_str())).collect();
        assert_eq!(variables, env, "{line}");
    }

    /// Asserts that the hint on a missing program names the package that has it.
    #[track_caller]
    pub(super) fn comes_from(mut self, package: &str) {
        self.settings.command = vec!["/proc/nonexistent/program".to_owned()];
        let Err(AgentError::Missing { hint, .. }) = self.plan(None) else { panic!("{:?}", self.settings) };
        assert!(hint.contains(package), "{hint}");
    }
}

pub(super) fn url(ask: &mut Ask) {
    ask.settings.base_url = Some("http://127.0.0.1:1/v1".to_owned());
}

pub(super) fn asks(ask: &mut Ask) {
    ask.settings.permissions = Permissions::Ask;
}

pub(super) fn everything(ask: &mut Ask) {
    (ask.model, ask.resume) = (Some("m"), Some("id-1"));
    ask.settings.args = vec!["--more".to_owned(), "x".to_owned()];
}

/// Names with values: variables, or files.
pub(super) type Pairs = &'static [(&'static str, &'static str)];

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

/// The credentials of agent `a` with the home folder `/h`, in the work folder `/w/p`.
pub(super) fn search(
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

/// Asserts that each of these makes it possible that the agent logs in another way.
#[track_caller]
pub(super) fn are_signs(agent_type: &str, cases: &[(Pairs, Pairs)]) {
    for (variables, files) in cases {
        let found = search(&settings(agent_type), None, variables, files);
        assert!(matches!(found, Credentials::Unknown(_)), "{variables:?} {files:?}: {found:?}");
    }
}

/// Asserts that none of these is a login, or a sign of one.
#[track_caller]
pub(super) fn are_no_signs(agent_type: &str, cases: &[(Pairs, Pairs)]) {
    for (variables, files) in cases {
        let found = search(&settings(agent_type), None, variables, files);
        assert!(matches!(found, Credentials::Missing(_)), "{variables:?} {files:?}: {found:?}");
    }
}

/// Asserts that the agent's login is this file, given these variables.
#[track_caller]
pub(super) fn logs_in_with(agent_type: &str, variables: Pairs, file: &'static str) {
    let found = search(&settings(agent_type), None, variables, &[(file, "")]);
    assert_eq!(found, Credentials::File(file.into()));
}
