//! The environment of an agent: ours, without the variables that must not be inherited, plus the run's own.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    path::PathBuf,
};

use crate::runner::Runner;
use agents::AGENTS;
use config::{AgentSettings, AgentType, TaskSettings};
use tree::run_info::RunInfo;

/// Variables of the daemon's service manager, and of the shell that started us.
const NOT_INHERITED: [&str; 10] = [
    "CONDUCTOR_API_KEY",
    "CONDUCTOR_HANDOFF",
    "LISTEN_FDNAMES",
    "LISTEN_FDS",
    "LISTEN_PID",
    "NOTIFY_SOCKET",
    "OLDPWD",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
    "INVOCATION_ID",
];

/// Returns the whole environment of a run's agent, with the additions of its adapter (`call`).
pub(in crate::runner) fn of_run(
    runner: &Runner,
    info: &RunInfo,
    agent: &AgentSettings,
    settings: &TaskSettings,
    call: &[(&'static str, String)],
) -> BTreeMap<OsString, OsString> {
    let mut env: BTreeMap<OsString, OsString> = runner
        .environment
        .iter()
        .filter(|(name, _)| is_inherited(name, agent.agent_type))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    env.insert("PATH".into(), runner.search_path());
    if let (Some(token), Some(name)) = (&agent.token, agent.token_variable()) {
        if agents::of_type(agent.agent_type).token_replaces_keys() {
            agent.agent_type.key_variables().iter().for_each(|key| drop(env.remove(OsStr::new(key))));
        }
        env.insert(name.into(), token.expose().into());
    }
    env.extend(call.iter().map(|(name, value)| (name.into(), value.into())));
    env.extend(settings.env.iter().map(|(name, value)| (name.into(), value.into())));
    env.extend(place(runner, info));
    env
}

/// Returns the variable in which an agent finds its key, if it gets one.
pub(in crate::runner) fn key(
    runner: &Runner,
    agent: &AgentSettings,
    settings: &TaskSettings,
) -> Option<&'static str> {
    let inherited = |name: &str| agent.token.is_none() && runner.environment.get(name).is_some();
    let given = |name: &&&'static str| settings.env.contains_key(**name) || inherited(name);
    agent.agent_type.key_variables().iter().find(given).copied().or(agent.token_variable())
}

fn is_inherited(name: &OsStr, agent_type: AgentType) -> bool {
    let Some(name) = name.to_str() else { return true };
    let foreign_key = agents::agent_types().is_foreign_key(agent_type, name);
    let token = name.starts_with("CONDUCTOR_AGENT_") && name.ends_with("_TOKEN");
    let mark = AGENTS.iter().any(|agent| agent.marks().contains(&name));
    !(foreign_key || token || mark || NOT_INHERITED.contains(&name) || name.starts_with("JRUN_"))
}

/// Returns the environment of an executor's commands: ours, without any key of an agent.
pub(super) fn of_executor(runner: &Runner) -> BTreeMap<OsString, OsString> {
    let any_program = agents::agent_types().any_program();
    let inherited = runner.environment.iter().filter(|(name, _)| is_inherited(name, any_program));
    inherited.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Returns the variables that describe the run to its agent; with them `run-agent` needs no flags.
fn place(runner: &Runner, info: &RunInfo) -> Vec<(OsString, OsString)> {
    let root = runner.tree.root();
    let run = info.run_ref();
    let task = run.task.dir();
    let path = |rel: &base::fsx::RelPath| root.absolute(rel).into_os_string();
    let mut vars: Vec<(OsString, OsString)> = vec![
        ("CONDUCTOR_ROOT".into(), root.path().into()),
        ("JRUN_PROJECT_ID".into(), info.project_id.as_str().into()),
        ("JRUN_TASK_ID".into(), info.task_id.as_str().into()),
        ("JRUN_ID".into(), info.run_id.as_str().into()),
        ("JRUN_TASK_FOLDER".into(), path(task.path())),
        ("JRUN_RUN_FOLDER".into(), path(run.dir().path())),
        ("JRUN_RUNS_DIR".into(), path(&task.runs())),
        ("JRUN_MESSAGE_BUS".into(), path(&task.bus())),
    ];
    if let Some(cwd) = &info.cwd {
        // The daemon's own PWD names the daemon's folder, and programs would trust it.
        vars.push(("PWD".into(), cwd.into()));
    }
    if let Some(parent) = &info.parent_run_id {
        vars.push(("JRUN_PARENT_ID".into(), parent.as_str().into()));
    }
    // A relative --config would name another file from the agent's working folder.
    if let Some(config) = runner.config.source.as_ref().and_then(|p| std::path::absolute(p).ok()) {
        vars.push(("CONDUCTOR_CONFIG".into(), config.into()));
    }
    vars
}

/// The folder that a run works in.
pub(in crate::runner) fn cwd_of(info: &RunInfo) -> PathBuf {
    PathBuf::from(info.cwd.as_deref().unwrap_or("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_agents_own_keys_are_inherited() {
        for (name, agent_type, inherited) in [
            ("OPENAI_API_KEY", "codex", true),
            ("OPENAI_API_KEY", "claude", false),
            ("ANTHROPIC_API_KEY", "command", false),
            ("CONDUCTOR_AGENT_CODEX_TOKEN", "codex", false),
            ("CONDUCTOR_API_KEY", "codex", false),
            ("JRUN_ID", "demo", false),
            ("NOTIFY_SOCKET", "demo", false),
            ("CLAUDECODE", "claude", false),
            ("HOME", "command", true),
            ("GITHUB_TOKEN", "command", true),
        ] {
            let agent_type = agents::agent_types().of_name(agent_type).unwrap();
            assert_eq!(is_inherited(OsStr::new(name), agent_type), inherited, "{name} for {agent_type}");
        }
    }
}
