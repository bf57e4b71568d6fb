//! `run-agent approvals`, `approve` and `deny`: the requests of the agents of sessions, and their answers.
//!
//! An answer is a line in approvals.jsonl. The first line there that decides a request is valid, so a verb appends its
//! own, reads back, and reports the line that came first.

use std::{
    collections::BTreeMap,
    process::ExitCode,
    time::{Duration, Instant},
};

use serde::Serialize;
use serde_json::Value;

use super::{
    context::Context,
    error::{CliError, CliResult, Kind},
    flags::JsonFlag,
    print::Form,
    reference::References,
    submission,
};
use engine::runner::{APPROVAL_REQUEST, Runner};
use tree::{
    bus::Message,
    ids::RunId,
    kinds::ApprovalWord,
    refs::TaskRef,
    session::{ApprovalLine, LinePosition},
    task::TaskKind,
    ticket::TicketFolder,
};

/// Time for a driver to deliver an answer.
const DELIVERED_WITHIN: Duration = Duration::from_secs(10);
/// Pause between two looks at the file, which another process writes.
const LOOK: Duration = Duration::from_millis(20);

/// Flags of `approvals`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  run-agent approvals
  run-agent approvals --json")]
pub struct ListArgs {
    #[command(flatten)]
    pub(super) json: JsonFlag,
}

/// Flags of `approve`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
An approval covers this request only. Exit code: 4 if another answer came first.

Examples:
  run-agent approve 4553cdc8-17ca-4c71-a6c8-3bfbe4de56ac
  run-agent approve 4553cdc8 --input '{\"command\": \"make test\"}'")]
pub struct ApproveArgs {
    /// Request, or the beginning of its id; `run-agent approvals` lists them
    #[arg(value_name = "REQUEST")]
    request: String,
    /// Session of the request [default: the one that has it]
    #[arg(long, value_name = "NAME")]
    task: Option<String>,
    /// Input for the tool, as JSON, in place of the requested one
    #[arg(long, value_name = "JSON")]
    input: Option<String>,
    #[command(flatten)]
    pub(super) json: JsonFlag,
}

/// Flags of `deny`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  run-agent deny 4553cdc8-17ca-4c71-a6c8-3bfbe4de56ac
  run-agent deny 4553cdc8 --message 'not on this branch'")]
pub struct DenyArgs {
    /// Request, or the beginning of its id; `run-agent approvals` lists them
    #[arg(value_name = "REQUEST")]
    request: String,
    /// Session of the request [default: the one that has it]
    #[arg(long, value_name = "NAME")]
    task: Option<String>,
    /// Reason for the agent
    #[arg(long, value_name = "TEXT")]
    message: Option<String>,
    #[command(flatten)]
    pub(super) json: JsonFlag,
}

/// A request that waits for an answer.
#[derive(Debug, Clone, Serialize)]
struct Open {
    session: String,
    request: String,
    tool: String,
    input: Value,
    #[serde(skip)]
    task: TaskRef,
}

/// The result of an answer.
#[derive(Debug, Serialize)]
struct JsonOutput<'a> {
    session: String,
    request: &'a str,
    /// `applied`, `pending` without a driver, `stale` if another answer came first, `withdrawn`.
    result: &'static str,
    /// The line that decided the request.
    decided_by: &'a ApprovalLine,
}

/// Lists the open requests.
pub(super) fn list(args: &ListArgs, context: &Context) -> CliResult<ExitCode> {
    let runner = context.runner()?;
    let open = open_requests(&runner, &sessions(&runner)?)?;
    let printer = context.printer();
    if args.json.form() == Form::Json {
        printer.json(&open)?;
        return Ok(ExitCode::SUCCESS);
    }
    for Open { session, request, tool, input, .. } in &open {
        printer.line(&format!("{request}  {session}  {tool} {input}"))?;
    }
    if open.is_empty() {
        printer.word("no agent asks for anything")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Approves a request.
pub(super) fn approve(args: &ApproveArgs, context: &Context) -> CliResult<ExitCode> {
    let input = args.input.as_deref().map(input).transpose()?;
    let answer = answer(context, ApprovalWord::Approved, None, input)?;
    decide(context, &args.request, args.task.as_deref(), answer, args.json.form())
}

/// Denies a request.
pub(super) fn deny(args: &DenyArgs, context: &Context) -> CliResult<ExitCode> {
    let answer = answer(context, ApprovalWord::Denied, args.message.clone(), None)?;
    decide(context, &args.request, args.task.as_deref(), answer, args.json.form())
}

fn input(text: &str) -> CliResult<Value> {
    let value: Value = serde_json::from_str(text)
        .map_err(|e| CliError::caused(Kind::Usage, "--input is not valid JSON", e))?;
    if value.is_object() {
        return Ok(value);
    }
    Err(CliError::new(Kind::Usage, "--input is no JSON object")
        .with_hint("give the whole input, as `run-agent approvals --json` shows it"))
}

/// Returns the line of an answer, for a request that is not known yet.
fn answer(
    context: &Context,
    what: ApprovalWord,
    message: Option<String>,
    input: Option<Value>,
) -> CliResult<ApprovalLine> {
    if context.environment().get("JRUN_ID").is_some() {
        let error = CliError::new(Kind::Refused, "an agent must not answer requests of agents");
        return Err(error.with_hint("a person answers them, outside of a run"));
    }
    let now = context.clock().now();
    Ok(ApprovalLine {
        id: Some(RunId::generate(now).to_string()),
        request: String::new(),
        time: Some(now),
        actor: submission::actor(context),
        source: Some("cli".to_owned()),
        what,
        message,
        input,
        extra: BTreeMap::new(),
    })
}

fn decide(
    context: &Context,
    request: &str,
    session: Option<&str>,
    answer: ApprovalLine,
    form: Form,
) -> CliResult<ExitCode> {
    let runner = context.runner()?;
    let tasks = match session {
        Some(name) => vec![References::of(context, &runner.tree).task(Some(name))?],
        None => sessions(&runner)?,
    };
    let (task, request) = find(&runner, &tasks, request)?;
    let answer = ApprovalLine { request: request.clone(), ..answer };
    if decision(&runner, &task, &request)?.is_none() {
        runner.tree.append_approval(&task, &answer)?;
    }
    let Some(decided_by) = decision(&runner, &task, &request)? else {
        let text = format!("the answer to {request} is not in approvals.jsonl of {task} any more");
        return Err(CliError::new(Kind::Failed, text));
    };
    let is_ours = decided_by.id == answer.id;
    let result = match (is_ours, &decided_by.what) {
        (false, ApprovalWord::Withdrawn) => "withdrawn",
        (false, _) => "stale",
        (true, _) => until_delivered(&runner, &task, &request)?,
    };
    let printer = context.printer();
    if form == Form::Json {
        let decided_by = &decided_by;
        printer.json(&JsonOutput { session: task.to_string(), request: &request, result, decided_by })?;
    } else {
        let what = &decided_by.what;
        let by = decided_by.actor.as_deref().or(decided_by.source.as_deref()).unwrap_or("another writer");
        printer.word(&match result {
            "applied" => format!("{request} is {what}, and the agent knows"),
            "pending" => format!("{request} is {what}; a daemon or `run-agent drive {task}` tells the agent"),
            "withdrawn" => format!("{request} is withdrawn: the agent does not wait for it any more"),
            _ => format!("{request} was answered before: {what} by {by}"),
        })?;
    }
    Ok(match result {
        "applied" | "pending" => ExitCode::SUCCESS,
        _ => ExitCode::from(Kind::Conflict.code()),
    })
}

/// Waits until a driver has delivered our answer, or the request was withdrawn.
fn until_delivered(runner: &Runner, task: &TaskRef, request: &str) -> CliResult<&'static str> {
    let until = Instant::now() + DELIVERED_WITHIN;
    loop {
        for line in lines(runner, task, request)? {
            match line.what {
                ApprovalWord::Delivered => return Ok("applied"),
                ApprovalWord::Withdrawn => return Ok("withdrawn"),
                _ => {}
            }
        }
        if Instant::now() >= until || !runner.tree.is_driven(task)? {
            return Ok("pending");
        }
        std::thread::sleep(LOOK);
    }
}

/// Returns the sessions with a ticket. Only these have a process that can ask.
fn sessions(runner: &Runner) -> CliResult<Vec<TaskRef>> {
    let mut tasks = Vec::new();
    for folder in [TicketFolder::Live, TicketFolder::Queue] {
        let tickets = runner.tree.tickets(folder)?.into_iter().filter_map(|file| file.ticket.ok());
        tasks.extend(tickets.filter(|t| t.kind == TaskKind::Session).map(|ticket| ticket.task()));
    }
    Ok(tasks)
}

/// Returns true if no line decides the request yet.
pub(super) fn is_open(runner: &Runner, task: &TaskRef, request: &str) -> CliResult<bool> {
    Ok(decision(runner, task, request)?.is_none())
}

fn lines(runner: &Runner, task: &TaskRef, request: &str) -> CliResult<Vec<ApprovalLine>> {
    let lines: Vec<ApprovalLine> =
        LinePosition::default().records(runner.tree.root(), &task.dir().approvals())?;
    Ok(lines.into_iter().filter(|line| line.request == request).collect())
}

/// Returns the line that decides a request: the first in the order of the file.
fn decision(runner: &Runner, task: &TaskRef, request: &str) -> CliResult<Option<ApprovalLine>> {
    Ok(lines(runner, task, request)?.into_iter().find(ApprovalLine::decides))
}

/// Returns the messages with requests from an offset in the bus, and moves the offset behind them.
pub(super) fn messages(runner: &Runner, task: &TaskRef, offset: &mut u64) -> CliResult<Vec<Message>> {
    let bus = runner.tree.task_bus(task);
    let mut found = Vec::new();
    loop {
        // A page has a largest size.
        let page = bus.read_from(*offset, usize::MAX)?;
        found.extend(page.messages.into_iter().filter(|m| m.kind.as_str() == APPROVAL_REQUEST));
        *offset = page.next;
        if !page.more {
            return Ok(found);
        }
    }
}

/// Returns the requests of these sessions, answered or not, oldest first.
fn requests(runner: &Runner, tasks: &[TaskRef]) -> CliResult<Vec<Open>> {
    let mut found = Vec::new();
    for task in tasks {
        for message in messages(runner, task, &mut 0)? {
            let text = |key: &str| message.meta.get(key)?.as_str().map(str::to_owned);
            found.push(Open {
                session: task.to_string(),
                request: text("request").unwrap_or_default(),
                tool: text("tool").unwrap_or_default(),
                input: message.meta.get("input").unwrap_or_default(),
                task: task.clone(),
            });
        }
    }
    Ok(found)
}

fn open_requests(runner: &Runner, tasks: &[TaskRef]) -> CliResult<Vec<Open>> {
    let mut open = Vec::new();
    for request in requests(runner, tasks)? {
        if is_open(runner, &request.task, &request.request)? {
            open.push(request);
        }
    }
    Ok(open)
}

/// Finds a request by its id or the beginning of it.
fn find(runner: &Runner, tasks: &[TaskRef], request: &str) -> CliResult<(TaskRef, String)> {
    let all = requests(runner, tasks)?;
    let exact = all.iter().find(|open| open.request == request);
    let mut alike = all.iter().filter(|open| !request.is_empty() && open.request.starts_with(request));
    let found = match (exact, alike.next(), alike.next()) {
        (Some(exact), ..) => exact,
        (None, Some(one), None) => one,
        (None, Some(_), Some(_)) => {
            let error = CliError::new(Kind::Usage, format!("several requests begin with '{request}'"));
            return Err(error.with_hint("`run-agent approvals` lists them"));
        }
        (None, None, _) => {
            let error = CliError::new(Kind::NotFound, format!("no session has a request '{request}'"));
            return Err(
                error.with_hint("`run-agent approvals` lists the open ones; --task names a session at rest")
            );
        }
    };
    Ok((found.task.clone(), found.request.clone()))
}
