//! The environment of an agent: what it inherits, plus the run's own.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};

use crate::runner::{Runner, agent::inherited};
use config::{AgentEnv, AgentSettings, Config, Environment, TaskSettings};
use tree::run_info::RunInfo;

/// The variables of one call, from the agent's adapter.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::runner) struct CallVariables<'a> {
    pub(in crate::runner) set: &'a [(&'static str, String)],
    /// The variable with the path of a file of the run. A value that the user has set takes precedence.
    pub(in crate::runner) file: Option<(&'static str, &'a Path)>,
}

/// Returns the whole environment of a run's agent, with the additions of its adapter (`call`).
pub(in crate::runner) fn of_run(
    runner: &Runner,
    info: &RunInfo,
    config: &Config,
    agent: &AgentSettings,
    settings: &TaskSettings,
    call: CallVariables<'_>,
) -> BTreeMap<OsString, OsString> {
    let inherited = inherited::by_agent(&runner.environment, agent.agent_type, &config.env);
    let mut env = variables_of(&inherited);
    if let (Some(token), Some(name)) = (&agent.token, agent.token_variable()) {
        if agents::of_type(agent.agent_type).token_replaces_keys() {
            agent.agent_type.key_variables().iter().for_each(|key| drop(env.remove(OsStr::new(key))));
        }
        env.insert(name.into(), token.expose().into());
    }
    env.extend(call.set.iter().map(|(name, value)| (name.into(), value.into())));
    env.extend(settings.env.iter().map(|(name, value)| (name.into(), value.into())));
    if let Some((name, path)) = call.file {
        env.entry(name.into()).or_insert_with(|| path.into());
    }
    inherited::add_names(&mut env, &inherited);
    env.insert("PATH".into(), runner.search_path());
    env.extend(place(runner, info));
    env
}

/// Returns the variable in which an agent finds its key, if it gets one. `inherited` is what the agent inherits.
pub(in crate::runner) fn key(
    inherited: &Environment,
    agent: &AgentSettings,
    settings: &TaskSettings,
) -> Option<&'static str> {
    let inherits = |name: &str| agent.token.is_none() && inherited.get(name).is_some();
    let given = |name: &&&'static str| settings.env.contains_key(**name) || inherits(name);
    agent.agent_type.key_variables().iter().find(given).copied().or(agent.token_variable())
}

/// Returns the environment of an executor's commands: ours, without any key of an agent.
pub(super) fn of_executor(runner: &Runner) -> BTreeMap<OsString, OsString> {
    let any_program = agents::agent_types().any_program();
    variables_of(&inherited::by_agent(&runner.environment, any_program, &AgentEnv::default()))
}

fn variables_of(environment: &Environment) -> BTreeMap<OsString, OsString> {
    environment.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
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
