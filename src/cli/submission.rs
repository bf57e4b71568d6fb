//! The flags of `job` and `task`, and the submission that they make.

use std::{
    collections::BTreeMap,
    io::Read,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{
    agent_choice,
    context::Context,
    error::{CHECK_PATH, CliError, CliResult, Kind},
    flags::duration_text,
};
use base::{fsx, record::MAX_RECORD};
use engine::{
    planner::Entry,
    runner::{self, Accepted, Home, Origin, Runner, RunnerError, Submission},
};
use tree::{
    Tree, TreeError,
    ids::{ProjectId, RunId, TaskId},
    refs::TaskRef,
    task::TaskKind,
};

/// Maximum number of names tried in place of a made-up one that is taken.
const NUMBERED: u32 = 100;

/// Flags for the folder, project and agent of a submission.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct PlaceFlags {
    /// Project to put the task in [default: $JRUN_PROJECT_ID, else the project of the working folder]
    #[arg(long, value_name = "ID")]
    pub project: Option<ProjectId>,
    /// Agent to run [default: `defaults.agent`, else the only one that can be used]
    #[arg(long, value_name = "NAME")]
    pub agent: Option<String>,
    /// Folder that the agent works in [default: the working folder]
    #[arg(long, value_name = "DIR")]
    pub cwd: Option<PathBuf>,
    /// End the run after this long without output, such as 10m
    #[arg(long, value_name = "TIME", value_parser = duration_text)]
    pub timeout: Option<String>,
    /// End the run after this long in total, such as 2h
    #[arg(long, value_name = "TIME", value_parser = duration_text)]
    pub max_run_time: Option<String>,
    /// Set one setting for this task only, such as max_cost_usd=5 or model=NAME; repeatable
    #[arg(long, value_name = "KEY=VALUE", value_parser = setting)]
    pub config_key: Vec<(String, Value)>,
    /// Run that starts this task as its child [default: $JRUN_ID]
    #[arg(long, value_name = "RUN")]
    pub parent_run_id: Option<RunId>,
    /// Show what the agent says and does, live on stderr
    #[arg(long, short)]
    pub follow: bool,
}

impl PlaceFlags {
    /// Returns the named project or the one that the caller is in, else the project of the caller's folder.
    pub(super) fn project_or_own(&self, context: &Context, runner: &Runner) -> CliResult<ProjectId> {
        match self.named_project(context)? {
            Some(project) => Ok(project),
            None => project_of(runner, &context.cwd()?),
        }
    }

    /// The run that starts the task as its child: the one that is named, else the one that we are called by.
    pub(super) fn parent(&self, context: &Context, runner: &Runner) -> CliResult<Option<RunId>> {
        match &self.parent_run_id {
            Some(run) => Ok(Some(run.clone())),
            None => calling_run(context, &runner.tree),
        }
    }

    /// Returns the named project or the one that the caller is in.
    pub(super) fn named_project(&self, context: &Context) -> CliResult<Option<ProjectId>> {
        match (&self.project, context.environment().get("JRUN_PROJECT_ID")) {
            (Some(project), _) => Ok(Some(project.clone())),
            (None, Some(id)) => Ok(Some(id.parse()?)),
            (None, None) => Ok(None),
        }
    }
}

/// The flags of one submission.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct SubmissionFlags {
    /// The folder, project and agent.
    #[command(flatten)]
    pub place: PlaceFlags,
    /// Id of the new task [default: task-<date>-<time>-<first words of the prompt>]
    #[arg(long, value_name = "ID")]
    pub task: Option<TaskId>,
    /// Prompt for the agent
    #[arg(
        long,
        value_name = "TEXT",
        required_unless_present_any = ["prompt_file", "task"],
        conflicts_with = "prompt_file"
    )]
    pub prompt: Option<String>,
    /// File with the prompt; - reads standard input
    #[arg(long, value_name = "FILE")]
    pub prompt_file: Option<PathBuf>,
    /// Program to run as the agent, with its arguments
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

/// A task to be accepted, as the flags describe it.
#[derive(Debug)]
pub(super) struct TaskSpec<'a> {
    pub(super) place: &'a PlaceFlags,
    pub(super) kind: TaskKind,
    pub(super) task: Option<TaskId>,
    /// Without it, the TASK.md that a user has written for the named task counts.
    pub(super) prompt: Option<String>,
    pub(super) command: &'a [String],
    pub(super) depends_on: Vec<TaskId>,
    pub(super) config: BTreeMap<String, Value>,
    pub(super) new_project: NewProject,
}

/// The home of a new project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NewProject {
    /// The caller's folder.
    Here,
    /// No home: the caller's folder has nothing to do with the task.
    Homeless,
}

impl<'a> TaskSpec<'a> {
    /// Builds the request that the flags of one submission describe.
    pub(super) fn of(flags: &'a SubmissionFlags, kind: TaskKind) -> CliResult<Self> {
        Ok(Self {
            place: &flags.place,
            kind,
            task: flags.task.clone(),
            prompt: prompt(flags)?,
            command: &flags.command,
            depends_on: Vec::new(),
            config: BTreeMap::new(),
            new_project: NewProject::Here,
        })
    }

    /// Accepts the task, for this process to drive. If a made-up name is taken, another one is chosen.
    pub(super) fn accept(self, context: &Context, runner: &Runner) -> CliResult<Accepted> {
        self.accept_as(context, runner, Entry::AtOnce)
    }

    /// As [`Self::accept`]; a queued task is left to another process.
    pub(super) fn accept_as(self, context: &Context, runner: &Runner, entry: Entry) -> CliResult<Accepted> {
        self.by_free_name(context, runner, |submission| {
            runner::accept(runner, submission, entry).map_err(|e| match e {
                RunnerError::Tree(TreeError::Exists { .. }) => {
                    let task = &submission.task;
                    let is_session =
                        runner.tree.task_config(task).is_ok_and(|config| config.kind == TaskKind::Session);
                    let again = if is_session {
                        format!("`run-agent send {task} TEXT` continues that session")
                    } else {
                        format!("`run-agent resume {task}` runs it again once it has ended")
                    };
                    CliError::from(e).with_hint(format!("{again}; --task with another id starts a new task"))
                }
                e => e.into(),
            })
        })
    }

    /// Calls `begin` with a free name: a made-up name that is taken is replaced, for the project as well as for the
    /// task.
    pub(super) fn by_free_name<T>(
        self,
        context: &Context,
        runner: &Runner,
        begin: impl Fn(&Submission) -> CliResult<T>,
    ) -> CliResult<T> {
        let made_up = self.task.is_none();
        let mut looks = 0;
        let mut submission = self.submission(context, runner)?;
        let first = submission.task.task.clone();
        let mut n = 1;
        loop {
            match begin(&submission) {
                // Another process has given the project's name to its own folder in the meantime.
                Err(e)
                    if e.kind() == Kind::Conflict
                        && looks < NUMBERED
                        && is_outdated(runner, &mut submission)? =>
                {
                    looks += 1;
                }
                Err(e) if made_up && e.kind() == Kind::Conflict && n < NUMBERED => {
                    n += 1;
                    submission.task.task = first.numbered(n);
                }
                result => return result,
            }
        }
    }

    fn submission(self, context: &Context, runner: &Runner) -> CliResult<Submission> {
        let here = context.cwd()?;
        let named = self.place.named_project(context)?;
        // A project's home must lie outside the tree, because agents that work in it must not touch our files.
        let outside = !here.starts_with(fsx::resolve(runner.tree.root().path()).map_err(TreeError::from)?);
        let home = match (&named, self.new_project) {
            (None, _) if outside => Home::Exactly(here.clone()),
            (Some(_), NewProject::Here) if outside => Home::IfNew(here.clone()),
            _ => Home::Unsaid,
        };
        let project = named.map_or_else(|| project_of(runner, &here), Ok)?;
        let parent_run_id = self.place.parent(context, runner)?;
        // The folder is checked before an agent is chosen, because that choice may ask the user.
        let cwd =
            runner::usable_folder(&self.place.cwd.as_ref().map_or_else(|| here.clone(), |d| here.join(d)))?;
        let agent = match &self.place.agent {
            Some(agent) => agent.clone(),
            None if self.command.is_empty() => agent_choice::default_agent(context, runner, &project, &cwd)?,
            None => "command".to_owned(),
        };
        let mut config = self.config;
        config.extend(self.place.config_key.iter().cloned());
        for (key, value) in [("timeout", &self.place.timeout), ("max_run_time", &self.place.max_run_time)] {
            config.extend(value.clone().map(|v| (key.to_owned(), Value::from(v))));
        }
        let made_up = |prompt: &str| TaskId::generate(context.clock().now(), prompt);
        let task = self.task.unwrap_or_else(|| made_up(self.prompt.as_deref().unwrap_or_default()));
        let task = TaskRef { project, task };
        let prompt = self.prompt.map_or_else(|| prompt_by_hand(runner, &task), Ok)?;
        Ok(Submission {
            task,
            kind: self.kind,
            agent,
            prompt,
            cwd: Some(cwd),
            command: self.command.to_vec(),
            config,
            depends_on: self.depends_on,
            parent_run_id,
            home,
            origin: Origin::default(),
        })
    }
}

/// The run of the agent that calls us, if it is one of this tree: an agent may well work on a tree of its own, as a
/// test does.
pub(super) fn calling_run(context: &Context, tree: &Tree) -> CliResult<Option<RunId>> {
    let environment = context.environment();
    let Some(run) = environment.get("JRUN_ID") else { return Ok(None) };
    if let Some(folder) = environment.get_os("JRUN_TASK_FOLDER") {
        let root = fsx::resolve(tree.root().path()).map_err(TreeError::from)?;
        if !fsx::resolve(Path::new(folder)).map_err(TreeError::from)?.starts_with(root) {
            return Ok(None);
        }
    }
    Ok(Some(run.parse()?))
}

/// Returns the name of the person or run that calls us.
pub(super) fn actor(context: &Context) -> Option<String> {
    let environment = context.environment();
    let run = environment.get("JRUN_ID").map(|run| format!("run {run}"));
    run.or_else(|| environment.get("USER").map(str::to_owned))
}

/// Returns the project of a folder; the project may not exist yet.
fn project_of(runner: &Runner, folder: &Path) -> CliResult<ProjectId> {
    runner::project_of(&runner.tree, folder)?.ok_or_else(|| {
        CliError::new(Kind::Usage, format!("cannot name a project after {}", folder.display()))
            .with_hint("name one with --project")
    })
}

/// Looks up the project again if it was found by its folder. Returns true if it is another one by now.
fn is_outdated(runner: &Runner, submission: &mut Submission) -> CliResult<bool> {
    let Home::Exactly(folder) = &submission.home else { return Ok(false) };
    let project = project_of(runner, folder)?;
    let outdated = project != submission.task.project;
    submission.task.project = project;
    Ok(outdated)
}

/// Parses `KEY=VALUE`. A value that is valid JSON is taken as JSON, but a variable is always text.
fn setting(text: &str) -> Result<(String, Value), String> {
    let (key, value) = text.split_once('=').ok_or("it is not of the form KEY=VALUE")?;
    let parsed = if key.starts_with("env.") { None } else { serde_json::from_str(value).ok() };
    let value = parsed.unwrap_or_else(|| Value::from(value));
    match config::unit_problem(key, &value) {
        Some(problem) => Err(format!("{key} {problem}")),
        None => Ok((key.to_owned(), value)),
    }
}

/// Returns the prompt of the flags; `None` if they name none.
pub(super) fn prompt(flags: &SubmissionFlags) -> CliResult<Option<String>> {
    let bytes = match (&flags.prompt, &flags.prompt_file) {
        (Some(text), _) => return Ok(Some(text.clone())),
        (None, Some(file)) if file.as_os_str() == "-" => {
            let mut bytes = Vec::new();
            std::io::stdin().take(MAX_RECORD).read_to_end(&mut bytes).map_err(|e| {
                CliError::caused(Kind::Failed, "cannot read the prompt from standard input", e)
            })?;
            bytes
        }
        (None, Some(file)) => fsx::read_outside(file, MAX_RECORD).map_err(|e| {
            CliError::caused(Kind::NotFound, "cannot read the prompt", e).with_hint(CHECK_PATH)
        })?,
        (None, None) => return Ok(None),
    };
    text(bytes).map(Some)
}

fn text(bytes: Vec<u8>) -> CliResult<String> {
    String::from_utf8(bytes).map_err(|_| CliError::new(Kind::Refused, "the prompt is not UTF-8 text"))
}

/// Returns the content of the TASK.md that a user has written for a new task.
fn prompt_by_hand(runner: &Runner, task: &TaskRef) -> CliResult<String> {
    let root = runner.tree.root();
    let rel = task.dir().prompt();
    match root.read_if_file(&rel, MAX_RECORD).map_err(TreeError::from)? {
        Some(bytes) => text(bytes),
        None => Err(no_prompt().with_hint(format!(
            "use --prompt or --prompt-file, or write the prompt to {} first",
            root.absolute(&rel).display()
        ))),
    }
}

/// The error of a submission without a prompt.
pub(super) fn no_prompt() -> CliError {
    CliError::new(Kind::Usage, "the task has no prompt")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_are_json_where_they_can_be() {
        for (text, key, value) in [
            ("max_restarts=3", "max_restarts", json!(3)),
            ("restart_delay=10s", "restart_delay", json!("10s")),
            ("env.N=5", "env.N", json!("5")),
            ("model=a=b", "model", json!("a=b")),
            ("model=", "model", json!("")),
        ] {
            assert_eq!(setting(text), Ok((key.to_owned(), value)), "{text}");
        }
        assert!(setting("model").is_err());
        assert_eq!(setting("timeout=30").unwrap_err(), "timeout has no unit; write 30s, 30m, 30h or 30d");
    }
}
