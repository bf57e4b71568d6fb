//! The variables that a run inherits from the process that drives it.
//!
//! That process may itself belong to a run: an agent has started it, or has started the daemon. Its environment then has
//! what was set for that run alone: a key, an address, permissions, `env.NAME`. So each run is given the names of the
//! variables that were set for it ([`SET`]), and the value that another process would have inherited in place of each
//! ([`OUTER`]). The next run takes those values. No list of variables has to be kept for that.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::{OsStr, OsString},
};

use base::telemetry::is_secret_name;
use config::{AgentEnv, AgentType, Environment};

/// The variable with the names of the variables that were set for a run, separated by commas.
const SET: &str = "JRUN_SET_VARIABLES";
/// The beginning of the variable with the value that a variable of that list had before. A secret is not kept, because
/// the agent need not know it.
const OUTER: &str = "JRUN_OUTER_";

/// Variables of the daemon's service manager, and of the shell that started us.
const NOT_INHERITED: [&str; 11] = [
    "CONDUCTOR_API_KEY",
    "CONDUCTOR_HANDOFF",
    "LISTEN_FDNAMES",
    "LISTEN_FDS",
    "LISTEN_PID",
    "NOTIFY_SOCKET",
    "OLDPWD",
    "PWD",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
    "INVOCATION_ID",
];

/// Returns the variables that an agent of this type inherits from a process with this environment.
pub(super) fn by_agent(of: &Environment, agent_type: AgentType, settings: &AgentEnv) -> Environment {
    let foreign = |name: &str| {
        let passes = settings.pass.iter().any(|passed| passed == name);
        !passes && agents::agent_types().is_foreign_key(agent_type, name)
    };
    let mut variables = outside_of_run(of);
    variables.retain(|name, _| name.to_str().is_none_or(|name| is_inherited(name) && !foreign(name)));
    variables.into_iter().collect()
}

/// Adds to a run's environment the names of the variables that are not as the run would have inherited them.
pub(super) fn add_names(env: &mut BTreeMap<OsString, OsString>, inherited: &Environment) {
    let before: BTreeMap<&OsStr, &OsStr> = inherited.iter().collect();
    let own = |(name, value): (&OsString, &OsString)| {
        let is_set = before.get(name.as_os_str()) != Some(&value.as_os_str());
        is_set.then(|| name.to_str().map(str::to_owned)).flatten()
    };
    let names: Vec<String> = env.iter().filter_map(own).collect();
    for name in names.iter().filter(|name| !is_secret_name(name)) {
        if let Some(outer) = inherited.get_os(name) {
            env.insert(format!("{OUTER}{name}").into(), outer.to_owned());
        }
    }
    if !names.is_empty() {
        env.insert(SET.into(), names.join(",").into());
    }
}

/// Returns an environment as it would be outside of the run that it belongs to, if it belongs to one.
fn outside_of_run(of: &Environment) -> BTreeMap<OsString, OsString> {
    let set: BTreeSet<&OsStr> = of.get(SET).unwrap_or_default().split(',').map(OsStr::new).collect();
    let value = |name: &OsStr, value: &OsStr| match name.to_str() {
        Some(text) if set.contains(name) => of.get_os(&format!("{OUTER}{text}")).map(OsStr::to_owned),
        _ => Some(value.to_owned()),
    };
    of.iter().filter_map(|(name, own)| Some((name.to_owned(), value(name, own)?))).collect()
}

fn is_inherited(name: &str) -> bool {
    let token = name.starts_with("CONDUCTOR_AGENT_") && name.ends_with("_TOKEN");
    !(token || agents::is_mark(name) || NOT_INHERITED.contains(&name) || name.starts_with("JRUN_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent_type(name: &str) -> AgentType {
        agents::agent_types().of_name(name).unwrap()
    }

    #[test]
    fn only_the_agents_own_keys_are_inherited() {
        let settings = AgentEnv { pass: vec!["XAI_API_KEY".to_owned(), "MISTRAL_API_KEY".to_owned()] };
        for (name, agent, inherited) in [
            ("OPENAI_API_KEY", "codex", true),
            ("OPENAI_API_KEY", "claude", false),
            ("ANTHROPIC_API_KEY", "command", false),
            ("GROQ_API_KEY", "command", false),
            ("GROQ_API_KEY", "claude", false),
            ("GROQ_API_KEY", "codex", true),
            ("GROQ_API_KEY", "opencode", true),
            ("MISTRAL_API_KEY", "command", true),
            ("XAI_API_KEY", "claude", true),
            ("CONDUCTOR_AGENT_CODEX_TOKEN", "codex", false),
            ("CONDUCTOR_API_KEY", "codex", false),
            ("CONDUCTOR_HOST", "codex", true),
            ("JRUN_ID", "demo", false),
            ("JRUN_SET_VARIABLES", "demo", false),
            ("JRUN_OUTER_HOME", "demo", false),
            ("NOTIFY_SOCKET", "demo", false),
            ("HOME", "command", true),
            ("GITHUB_TOKEN", "command", true),
        ] {
            let given = by_agent(&Environment::from_iter([(name, "x")]), agent_type(agent), &settings);
            assert_eq!(given.get(name).is_some(), inherited, "{name} for {agent}");
        }
    }

    #[test]
    fn no_agent_believes_that_it_runs_inside_another_one() {
        for (name, inherited) in [
            ("CLAUDECODE", false),
            ("CLAUDE_CODE_SESSION_ID", false),
            ("CLAUDE_CODE_SESSION_ATTENDED", false),
            ("CLAUDE_CODE_SESSIONEND_HOOKS_TIMEOUT_MS", true),
            ("CLAUDE_CODE_ENTRYPOINT", false),
            ("CLAUDE_CODE_USE_BEDROCK", true),
            ("CLAUDE_CONFIG_DIR", true),
            ("CODEX_SANDBOX", false),
            ("CODEX_SANDBOX_NETWORK_DISABLED", false),
            ("CODEX_THREAD_ID", false),
            ("CODEX_HOME", true),
            ("GEMINI_CLI", false),
            ("GEMINI_CLI_HOME", true),
            ("OPENCODE", false),
            ("OPENCODE_CONFIG_DIR", true),
        ] {
            for agent in ["claude", "codex", "command"] {
                let outer = Environment::from_iter([(name, "1")]);
                let given = by_agent(&outer, agent_type(agent), &AgentEnv::default());
                assert_eq!(given.get(name).is_some(), inherited, "{name} for {agent}");
            }
        }
    }

    /// The environment of a run in which these variables are set.
    fn run(outer: &Environment, set: &[(&str, &str)]) -> Environment {
        let inherited = by_agent(outer, agent_type("claude"), &AgentEnv::default());
        let mut env: BTreeMap<OsString, OsString> =
            inherited.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        env.extend(set.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))));
        add_names(&mut env, &inherited);
        env.into_iter().collect()
    }

    #[test]
    fn a_run_in_a_run_inherits_what_the_outer_one_has_inherited() {
        let user = Environment::from_iter([
            ("HOME", "/home/me"),
            ("ANTHROPIC_API_KEY", "sk-mine"),
            ("ANTHROPIC_BASE_URL", "http://gateway"),
            ("LANG", "C"),
        ]);
        let set = [
            ("ANTHROPIC_API_KEY", "sk-of-the-run"),
            ("ANTHROPIC_BASE_URL", "http://other"),
            ("HOME", "/sandbox"),
            ("IS_SANDBOX", "1"),
            ("LANG", "C"),
        ];
        let outer = run(&user, &set);
        assert_eq!(outer.get(SET), Some("ANTHROPIC_API_KEY,ANTHROPIC_BASE_URL,HOME,IS_SANDBOX"));
        assert!(outer.iter().all(|(_, value)| value != "sk-mine"), "{outer:?}");
        for inner in [run(&outer, &[]), run(&run(&outer, &[("HOME", "/deeper"), ("X", "1")]), &[])] {
            let value = |name| inner.get(name);
            assert_eq!(
                (value("HOME"), value("ANTHROPIC_BASE_URL"), value("LANG")),
                (Some("/home/me"), Some("http://gateway"), Some("C"))
            );
            // The run does not know the key that its own has replaced.
            assert_eq!((value("ANTHROPIC_API_KEY"), value("IS_SANDBOX"), value("X")), (None, None, None));
            assert_eq!((value(SET), value("JRUN_OUTER_HOME")), (None, None));
        }
    }

    #[test]
    fn a_run_without_variables_of_its_own_says_nothing() {
        let user = Environment::from_iter([("HOME", "/home/me")]);
        assert_eq!(run(&user, &[]), user);
        assert_eq!(run(&user, &[("HOME", "/home/me")]), user);
    }
}
