//! From an accepted run to a shim: the agent's command, environment and limits.

use std::{collections::BTreeMap, ffi::OsString, fmt, path::Path, time::Duration};

use crate::runner::{
    Runner,
    agent::{
        environment::{self, CallVariables},
        executors, inherited,
    },
    attempt::changes,
    error::{Result, RunnerError},
};
use agents::{AgentCommand, AgentError, Credentials, OnDisk, PlanFor, PromptSource, RunFile, Search, User};
use base::{fsx::RelPath, record, telemetry::is_secret_name};
use config::{AgentSettings, AgentType, Config, Defaults, Environment, TaskSettings};
use process::spec::{LaunchSpec, StdinPlan};
use tree::{
    kinds::{Executor, Protocol},
    run_info::RunInfo,
    task::{TaskConfig, TaskKind},
};

/// Minimum length in bytes of a secret variable's value that is masked in the agent's command line.
const SHORTEST_GIVEN: usize = 8;

/// The facts about a task's agent that was found to be usable.
#[derive(Debug)]
pub(in crate::runner) struct Checked {
    pub(in crate::runner) agent_type: AgentType,
    /// The protocol of the task's runs.
    pub(in crate::runner) protocol: Protocol,
    /// The executor of the task's runs.
    pub(in crate::runner) executor: Executor,
}

/// Checks that a task's agent could be started in `cwd`, without starting it.
pub(in crate::runner) fn check(runner: &Runner, config: &TaskConfig, cwd: &Path) -> Result<Checked> {
    let all = runner.config_in(cwd)?;
    let agent = agents::find(&all, &config.agent)?;
    let settings = TaskSettings::resolve(&all, agent, &config.config)?;
    let protocol = protocol_of(&config.agent, agent.agent_type, config.kind)?;
    let called = Called { protocol: protocol.clone(), ..Called::new(runner, &all, agent, &settings, None) };
    command(runner, &config.agent, &config.command, &called, cwd, None)?;
    must_have_credentials(config, &called, cwd)?;
    let executor = settings.executor.as_deref().map_or(Executor::Local, Executor::from);
    if protocol != Protocol::Exec && !executor.is_local() {
        let text = format!("a session runs on this machine only, not on executor '{executor}'");
        return Err(RunnerError::Refused(text));
    }
    Ok(Checked { agent_type: agent.agent_type, protocol, executor })
}

/// The call of an agent, as a run in some folder would make it.
#[derive(Debug)]
pub struct DryRun {
    /// The command, secrets redacted.
    pub argv: Vec<String>,
    /// The names of the variables that are set in addition to the inherited ones.
    pub variables: Vec<String>,
}

/// Returns the credentials that an agent would use in `cwd`.
///
/// # Errors
/// If the agent does not exist.
pub fn credentials_of(runner: &Runner, agent: &str, cwd: &Path) -> Result<Credentials> {
    let all = runner.config_in(cwd)?;
    let settings = agents::find(&all, agent)?;
    let task = TaskSettings::resolve(&all, settings, &BTreeMap::new())?;
    Ok(credentials(agent, &Called::new(runner, &all, settings, &task, None), cwd))
}

fn credentials(agent: &str, called: &Called<'_>, cwd: &Path) -> Credentials {
    let inherited = called.inherited.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    let own = called.settings.env.iter().map(|(name, value)| (name.into(), value.into()));
    let environment: Environment = inherited.chain(own).collect();
    agents::credentials(&Search {
        agent,
        settings: called.agent,
        key: called.key(),
        environment: &environment,
        cwd,
        files: &OnDisk,
    })
}

/// Refuses an agent that cannot log in. A command that is given with the task may bring its own login.
fn must_have_credentials(config: &TaskConfig, called: &Called<'_>, cwd: &Path) -> Result<()> {
    if !config.command.is_empty() {
        return Ok(());
    }
    match credentials(&config.agent, called, cwd) {
        Credentials::Missing(missing) => Err(AgentError::NoCredentials(missing).into()),
        _ => Ok(()),
    }
}

/// Builds the command of an agent as a run would, and starts nothing.
///
/// # Errors
/// As for a run: an unknown agent, a missing program.
pub fn rehearse(runner: &Runner, agent: &str, cwd: &Path) -> Result<DryRun> {
    let all = runner.config_in(cwd)?;
    let settings = agents::find(&all, agent)?;
    let task = TaskSettings::resolve(&all, settings, &BTreeMap::new())?;
    let called = Called::new(runner, &all, settings, &task, None);
    let command = command(runner, agent, &[], &called, cwd, None)?;
    let set = command.env.iter().map(|(name, _)| *name).chain(command.file.iter().map(|f| f.variable));
    let token = settings.token_variable();
    Ok(DryRun {
        argv: runner.redactor.commandline(&command.argv),
        variables: set.chain(token).map(str::to_owned).collect(),
    })
}

/// Everything that a start needs.
pub(in crate::runner) struct Start {
    pub(in crate::runner) spec: LaunchSpec,
    pub(in crate::runner) env: BTreeMap<OsString, OsString>,
    pub(in crate::runner) file: Option<RunFile>,
    /// The requested model.
    model: Option<String>,
    /// True if the changes are recorded.
    pub(in crate::runner) record_changes: bool,
}

/// Without the environment and the command, which may hold secrets.
impl fmt::Debug for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Start").field("model", &self.model).finish_non_exhaustive()
    }
}

/// Builds everything that the start of a run needs.
pub(in crate::runner) fn spec(runner: &Runner, info: &RunInfo) -> Result<Start> {
    let run = info.run_ref();
    // An attempt may have another agent than the first one.
    let config = TaskConfig { agent: info.agent.clone(), ..runner.tree.task_config(&run.task)? };
    let cwd = environment::cwd_of(info);
    let all = runner.config_in(&cwd)?;
    let agent = agents::find(&all, &config.agent)?;
    let settings = TaskSettings::resolve(&all, agent, &config.config)?;
    let root = runner.tree.root();
    let prompt_file = run.dir().prompt();
    let words = root.read_opt(&prompt_file, record::MAX_RECORD)?.unwrap_or_default();
    let words = String::from_utf8_lossy(&words);
    // Before a run has begun, its record names the conversation that it continues.
    let called = Called {
        protocol: info.protocol.clone(),
        ..Called::new(runner, &all, agent, &settings, info.thread_id.as_deref())
    };
    let command = command(
        runner,
        &config.agent,
        &config.command,
        &called,
        &cwd,
        Some((&root.absolute(&prompt_file), &words)),
    )?;
    must_have_credentials(&config, &called, &cwd)?;
    let stdin = match command.prompt {
        PromptSource::Stdin => StdinPlan::File(RelPath::top().join(prompt_file.name())),
        PromptSource::Arguments => StdinPlan::Null,
        PromptSource::Messages => StdinPlan::Pump,
    };
    let stdin_is_given = stdin != StdinPlan::Pump;
    let spec = LaunchSpec {
        root: root.path().to_owned(),
        run_dir: run.dir().path().clone(),
        argv: command.argv,
        cwd,
        stdin,
        stop_marker: run.task.dir().stop(),
        // The driver of a conversation counts its silence, because a turn may wait for a person.
        idle_timeout: settings.defaults.timeout.filter(|_| stdin_is_given),
        max_run_time: settings.defaults.max_run_time,
        stop_grace: settings.defaults.stop_grace,
        exit_grace: exit_grace(&settings.defaults),
        heartbeat: executors::heartbeat(runner, &info.executor),
        open_files: process::open_files::before_raise(),
    };
    let file = command.file.as_ref();
    let file = file.map(|file| (file.variable, root.absolute(&run.dir().path().join(file.name))));
    let call =
        CallVariables { set: &command.env, file: file.as_ref().map(|(name, path)| (*name, path.as_path())) };
    let env = environment::of_run(runner, info, &all, agent, &settings, call);
    let record_changes = settings.defaults.record_changes;
    Ok(Start { spec, env, file: command.file, model: settings.model.clone(), record_changes })
}

/// Returns the time for which the agent may stay after its final result. It is shorter than the time without output that
/// would call the run failed.
fn exit_grace(settings: &Defaults) -> Option<Duration> {
    let grace = settings.exit_grace?;
    Some(settings.timeout.map_or(grace, |timeout| grace.min(timeout / 2)))
}

/// The called agent, and its parameters beside the prompt.
struct Called<'a> {
    agent: &'a AgentSettings,
    settings: &'a TaskSettings,
    resume: Option<&'a str>,
    /// The variables that it inherits.
    inherited: Environment,
    protocol: Protocol,
}

impl<'a> Called<'a> {
    fn new(
        runner: &Runner,
        config: &Config,
        agent: &'a AgentSettings,
        settings: &'a TaskSettings,
        resume: Option<&'a str>,
    ) -> Self {
        let inherited = inherited::by_agent(&runner.environment, agent.agent_type, &config.env);
        Self { agent, settings, resume, inherited, protocol: Protocol::Exec }
    }

    /// The variable of its environment that will hold its key, if one does.
    fn key(&self) -> Option<&'static str> {
        environment::key(&self.inherited, self.agent, self.settings)
    }
}

/// Returns the protocol of a task's runs.
pub(in crate::runner) fn protocol_of(agent: &str, agent_type: AgentType, kind: TaskKind) -> Result<Protocol> {
    if kind != TaskKind::Session {
        return Ok(Protocol::Exec);
    }
    agents::of_type(agent_type).conversation().ok_or_else(|| {
        let able =
            agents::AGENTS.iter().filter(|a| a.conversation().is_some()).map(|a| a.agent_type().as_str());
        let able = able.collect::<Vec<_>>().join(", ");
        RunnerError::Refused(format!("agent '{agent}' takes one prompt only; a session needs one of: {able}"))
    })
}

fn command(
    runner: &Runner,
    agent: &str,
    own_command: &[String],
    called: &Called<'_>,
    cwd: &Path,
    prompt: Option<(&Path, &str)>,
) -> Result<AgentCommand> {
    let path = runner.search_path();
    let of = PlanFor {
        agent,
        settings: called.agent,
        command: own_command,
        own_program: &runner.program,
        path: &path,
        cwd,
        model: called.settings.model.as_deref(),
        resume: called.resume,
        key: called.key(),
        user: if rustix::process::geteuid().is_root() { User::Root } else { User::Other },
        protocol: &called.protocol,
        prompt,
    };
    Ok(agents::plan(&of)?)
}

/// Records the command of a run's agent, secrets redacted, and the known version of its program. Starts nothing. `start` is
/// known to the driver that has started the run; another one builds it again.
pub(in crate::runner) fn describe(runner: &Runner, info: &mut RunInfo, start: Option<&Start>) {
    let again;
    let Start { spec, env, model, record_changes, .. } = if let Some(start) = start {
        start
    } else {
        // If the command cannot be built any more, it was still started: its record goes without these fields.
        let Ok(built) = spec(runner, info) else { return };
        again = built;
        &again
    };
    info.model.clone_from(model);
    info.git = changes::skipped(runner, info, *record_changes);
    let variables = env.iter().filter_map(|(name, value)| Some((name.to_str()?, value.to_str()?)));
    let given = variables.filter(|(name, _)| is_secret_name(name)).map(|(_, value)| value);
    let redactor = runner.redactor.clone().and(given, SHORTEST_GIVEN);
    let mut text = redactor.commandline(&spec.argv).join(" ");
    if text.len() > 4096 {
        text.truncate(text.floor_char_boundary(4096));
        text.push('…');
    }
    info.commandline = Some(text);
    info.agent_version =
        spec.argv.first().and_then(|program| agents::version_of(&runner.tree, Path::new(program)));
}
