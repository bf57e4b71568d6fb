//! `run-agent server job`: submits work to the daemon, one task or a file of them.

use std::{path::PathBuf, process::ExitCode};

use clap::Subcommand;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    client::Call,
    folder::{Destination, NamedFolders},
    names::task_path,
    wait,
};
use crate::cli::{
    agent_choice, attend,
    error::{CliError, CliResult, Kind},
    print::Form,
    shown_text::ShownText,
    submission::{self, PlaceFlags, SubmissionFlags},
};
use agents::Agent;
use base::{fsx, record::MAX_RECORD};
use tree::{
    ids::{ProjectId, RunId, TaskId},
    refs::TaskRef,
    task_end::EndStatus,
};
use view::files::RunFile;

/// Maximum number of lookups of a project if another folder keeps taking its name.
const LOOKS: u32 = 100;

/// Verbs for work.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  run-agent server job submit --project my-project --agent claude --prompt 'Make the tests pass'
  run-agent server job list")]
pub(super) enum Verb {
    /// Submit one task
    Submit(Box<Submit>),
    /// Submit a file of tasks, one JSON object per line
    SubmitBatch(Batch),
    /// List the tasks that are queued or running
    #[command(after_help = "Examples:
  run-agent server job list
  run-agent server job list --json")]
    List,
}

/// Flags of `submit`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
--config-key takes model, executor, env.NAME, and the keys that `run-agent config show` lists below `defaults` and \
`limits`.

Examples:
  run-agent server job submit --project p --agent claude --prompt 'Make the tests pass' --follow
  run-agent server job submit --project p --task docs --depends-on build --prompt-file docs.md")]
pub(super) struct Submit {
    #[command(flatten)]
    what: SubmissionFlags,
    /// Tasks of the same project that must complete first, separated by commas
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    depends_on: Vec<TaskId>,
    /// Handling of an existing task: create refuses it, attach joins it, resume resumes it
    #[arg(long, value_name = "MODE", default_value = "create", value_parser = ["create", "attach", "resume"])]
    attach_mode: String,
    /// Home of the project if it is new [default: the working folder]
    #[arg(long, value_name = "DIR")]
    project_root: Option<PathBuf>,
    /// Wait until the task has ended, and print its answer
    #[arg(long)]
    wait: bool,
}

/// Flags of `submit-batch`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Each line is one task. Only the prompt is required:
  {\"prompt\": \"Which tests are slow?\", \"task_id\": \"slow-tests\", \"agent_type\": \"claude\"}

Examples:
  run-agent server job submit-batch tasks.jsonl --project my-project
  run-agent server job submit-batch tasks.jsonl --project my-project --agent claude --wait")]
pub(super) struct Batch {
    /// File with one task per line, as JSON
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Project to put the tasks in [default: $JRUN_PROJECT_ID, else the project of the working folder]
    #[arg(long, value_name = "ID")]
    project: Option<ProjectId>,
    /// Folder that the agents work in [default: the working folder, if the daemon sees it]
    #[arg(long, value_name = "DIR")]
    cwd: Option<PathBuf>,
    /// Agent for lines that name none [default: `defaults.agent`, else the only one that the daemon can use]
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// Wait until all tasks have ended
    #[arg(long)]
    wait: bool,
}

/// One line of a batch.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    prompt: String,
    task_id: Option<TaskId>,
    agent_type: Option<String>,
    #[serde(default)]
    depends_on: Vec<TaskId>,
}

/// Runs the verb.
pub(super) fn run(verb: &Verb, call: &Call<'_>) -> CliResult<ExitCode> {
    match verb {
        Verb::Submit(args) => submit(args, call),
        Verb::SubmitBatch(args) => batch(args, call),
        Verb::List => super::status::run(call),
    }
}

fn submit(args: &Submit, call: &Call<'_>) -> CliResult<ExitCode> {
    let place = &args.what.place;
    if !args.what.command.is_empty() {
        return Err(CliError::new(Kind::Usage, "a daemon does not run a program that a request names")
            .with_hint(
                "give the program a name under `agents` in the daemon's config.yaml, and use --agent NAME",
            ));
    }
    let prompt = submission::prompt(&args.what)?
        .ok_or_else(|| submission::no_prompt().with_hint("use --prompt or --prompt-file"))?;
    let id = match &args.what.task {
        Some(task) => task.clone(),
        None => made_up(&prompt, call),
    };
    let named = NamedFolders { cwd: place.cwd.as_deref(), project_root: args.project_root.as_deref() };
    let project = place.named_project(call.context)?;
    let config: serde_json::Map<String, Value> = place.config_key.iter().cloned().collect();
    let mut body = json!({
        "task_id": id, "prompt": prompt, "depends_on": args.depends_on,
        "agent_type": agent(place.agent.as_deref(), call)?, "attach_mode": args.attach_mode, "config": config,
    });
    if let Some(parent) = parent(place.parent_run_id.as_ref(), call)? {
        body["parent_run_id"] = json!(parent);
    }
    for (key, value) in [("timeout", &place.timeout), ("max_run_time", &place.max_run_time)] {
        if let Some(value) = value {
            body["config"][key] = json!(value);
        }
    }
    let started = match project {
        // A task that already exists works in its own folder, wherever the caller stands.
        Some(project)
            if args.attach_mode != "create" && named.is_empty() && is_there(call, &project, &id)? =>
        {
            body["project_id"] = json!(project);
            call.client.post("/api/v1/tasks", Some(&body))?
        }
        project => post(call, &mut Destination::resolve(call, project, named)?, named, body)?,
    };
    let task = accepted(&started)?;
    if !(args.wait || place.follow) {
        return said(call, &started);
    }
    tell(call, &started)?;
    let mut shown = ShownText::default();
    let ended = match started["run_id"].as_str().filter(|_| place.follow) {
        Some(run) => vec![wait::follow_task(call, &task, run, &mut shown)?],
        None => wait::until_ended(call, std::slice::from_ref(&task), None)?,
    };
    finished(call, &[task], &ended, &shown)
}

fn batch(args: &Batch, call: &Call<'_>) -> CliResult<ExitCode> {
    let bytes = fsx::read_outside(&args.file, MAX_RECORD).map_err(CliError::of_outside)?;
    let text = String::from_utf8_lossy(&bytes);
    let mut lines = Vec::new();
    // Every line is parsed before any task is submitted.
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let line: Line = serde_json::from_str(line).map_err(|e| {
            let text = format!("line {number} of {} is not a valid task", args.file.display());
            CliError::caused(Kind::Refused, text, e)
        })?;
        lines.push(line);
    }
    let place = PlaceFlags { project: args.project.clone(), ..PlaceFlags::default() };
    let named = NamedFolders { cwd: args.cwd.as_deref(), project_root: None };
    let mut there = Destination::resolve(call, place.named_project(call.context)?, named)?;
    let parent = parent(None, call)?;
    let mut tasks = Vec::new();
    for line in lines {
        let task = match line.task_id {
            Some(task) => task,
            None => made_up(&line.prompt, call),
        };
        let agent = agent(line.agent_type.as_deref().or(args.agent.as_deref()), call)?;
        let body = json!({
            "task_id": task, "prompt": line.prompt, "agent_type": agent, "depends_on": line.depends_on,
            "parent_run_id": parent,
        });
        let started = post(call, &mut there, named, body)?;
        tasks.push(accepted(&started)?);
        if call.form == Form::Json && !args.wait {
            call.context.printer().jsonl(&started)?;
        } else {
            tell(call, &started)?;
        }
    }
    if !args.wait {
        return Ok(ExitCode::SUCCESS);
    }
    let ended = wait::until_ended(call, &tasks, None)?;
    finished(call, &tasks, &ended, &ShownText::default())
}

/// Submits a task to its destination. If the made-up name of its project is taken meanwhile, another one is chosen.
fn post(
    call: &Call<'_>,
    there: &mut Destination,
    named: NamedFolders<'_>,
    mut body: Value,
) -> CliResult<Value> {
    let mut looks = 0;
    loop {
        body["project_id"] = json!(there.project);
        for (key, value) in there.fields() {
            body[key] = value;
        }
        match call.client.post("/api/v1/tasks", Some(&body)) {
            Err(e) if e.kind() == Kind::Conflict && looks < LOOKS && there.is_outdated(call, named)? => {
                looks += 1;
            }
            result => {
                return result.map_err(|e| match e.kind() {
                    Kind::Conflict => e.with_hint(
                        "--attach-mode resume runs it again once it has ended; --task with another id starts a new task",
                    ),
                    _ => e,
                });
            }
        }
    }
}

/// The run that starts a task as its child: the one that is named, else the run of the agent that calls us, if the
/// daemon serves its tree. A daemon of another tree, perhaps on another machine, does not know the run.
fn parent(named: Option<&RunId>, call: &Call<'_>) -> CliResult<Option<RunId>> {
    if let Some(run) = named {
        return Ok(Some(run.clone()));
    }
    let Some(run) = call.context.environment().get("JRUN_ID").map(str::parse::<RunId>).transpose()? else {
        return Ok(None);
    };
    if serves_the_tree_of_our_run(call)? {
        return Ok(Some(run));
    }
    match call.client.get(&format!("/api/v1/runs/{run}")) {
        Ok(_) => Ok(Some(run)),
        Err(e) if e.kind() == Kind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// Returns true if the daemon is known to serve the tree of the calling agent's run.
fn serves_the_tree_of_our_run(call: &Call<'_>) -> CliResult<bool> {
    let Some(tree) = call.context.tree_if_there()? else { return Ok(false) };
    let daemon = tree.daemon()?;
    let ours = daemon.is_some_and(|daemon| daemon.listen.iter().any(|url| url == call.client.base()));
    Ok(ours && submission::calling_run(call.context, &tree)?.is_some())
}

/// Returns the task that an answer is about.
fn accepted(started: &Value) -> CliResult<TaskRef> {
    let text = |key: &str| started[key].as_str().unwrap_or_default();
    Ok(TaskRef { project: text("project_id").parse()?, task: text("task_id").parse()? })
}

fn is_there(call: &Call<'_>, project: &ProjectId, task: &TaskId) -> CliResult<bool> {
    let task = TaskRef { project: project.clone(), task: task.clone() };
    match call.client.get(&task_path(&task)) {
        Ok(_) => Ok(true),
        Err(e) if e.kind() == Kind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

/// Generates a task id; the daemon refuses one that is taken.
fn made_up(prompt: &str, call: &Call<'_>) -> TaskId {
    TaskId::generate(call.context.clock().now(), prompt)
}

fn agent(named: Option<&str>, call: &Call<'_>) -> CliResult<String> {
    if let Some(agent) = named {
        return Ok(agent.to_owned());
    }
    if let Some(agent) = &call.context.config()?.defaults.agent {
        return Ok(agent.clone());
    }
    // The daemon's agents count, because the daemon may run elsewhere.
    let answer = call.client.get("/api/v1/agents")?;
    let told = answer["agents"].as_array().cloned().unwrap_or_default();
    // A daemon of an earlier version reports only `installed`.
    let is = |agent: &Value, key: &str| agent[key] == true;
    let is_usable = |agent: &&Value| {
        if agent["usable"].is_boolean() { is(agent, "usable") } else { is(agent, "installed") }
    };
    let is_candidate = |agent: &Value| {
        let known = agent["type"].as_str().and_then(agents::of_word);
        known.is_none_or(Agent::is_candidate) && !is(agent, "needs_command")
    };
    let usable = told.iter().filter(|agent| is_candidate(agent));
    let mut usable: Vec<String> =
        usable.filter(is_usable).filter_map(|agent| agent["name"].as_str().map(str::to_owned)).collect();
    match usable.pop() {
        Some(only) if usable.is_empty() => Ok(only),
        last => {
            usable.extend(last);
            agent_choice::one_of(call.context, usable, Vec::new())
        }
    }
}

fn tell(call: &Call<'_>, started: &Value) -> CliResult<()> {
    let text = |key: &str| started[key].as_str().unwrap_or_default();
    let place = match (started["queue_position"].as_u64(), started["reason"].as_str()) {
        (Some(n), _) if n > 0 => format!(", position {n}"),
        (_, Some(reason)) => format!(": {reason}"),
        _ => String::new(),
    };
    let name = format!("{}/{}/{}", text("project_id"), text("task_id"), text("run_id"));
    let works_in = started["cwd"].as_str().map(|cwd| format!("\n  works in {cwd}")).unwrap_or_default();
    call.context.printer().word(&format!("{name} {}{place}{works_in}", text("status")))
}

fn said(call: &Call<'_>, started: &Value) -> CliResult<ExitCode> {
    if call.form == Form::Json {
        call.context.printer().json(started)?;
    } else {
        tell(call, started)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the answers of the tasks' last runs, or everything about the tasks as JSON. Returns the exit code that `job`
/// and `task` have for such ends.
fn finished(call: &Call<'_>, tasks: &[TaskRef], ended: &[Value], shown: &ShownText) -> CliResult<ExitCode> {
    let is = |status: &str| ended.iter().any(|task| task["status"] == status);
    let all = ended.iter().all(|task| task["status"] == "completed");
    let code = attend::exit_code(if all {
        EndStatus::Completed
    } else if is("stopped") && !is("failed") {
        EndStatus::Stopped
    } else {
        EndStatus::Failed
    });
    let printer = call.context.printer();
    if call.form == Form::Json {
        printer.json(&ended)?;
        return Ok(code);
    }
    for (task, end) in tasks.iter().zip(ended) {
        if let Some(run) = end["runs"][0]["run_id"].as_str()
            && let Some(answer) = wait::file(call, task, run, RunFile::Output)?
        {
            shown.print_answer(*printer, run, &answer)?;
        }
        printer.word(end["reason"].as_str().unwrap_or_default())?;
    }
    Ok(code)
}
