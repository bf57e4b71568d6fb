//! `run-agent server bus`: messages of a remote daemon.

use std::{io::Read, process::ExitCode};

use clap::Subcommand;
use serde_json::{Value, json};

use super::{
    client::{Call, Next},
    names::{escaped, project},
};
use crate::cli::{
    error::{CliError, CliResult, Kind},
    print::Form,
};
use base::record::MAX_RECORD;
use tree::{
    bus::MessageType,
    ids::{ProjectId, RunId, TaskId},
};

/// Names a bus.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Target {
    /// Project; without --task, the bus of the project [default: $JRUN_PROJECT_ID, else the project of the working folder]
    #[arg(long, value_name = "ID")]
    project: Option<ProjectId>,
    /// Use the bus of this task
    #[arg(long, value_name = "ID")]
    task: Option<TaskId>,
}

/// Verbs for messages.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  run-agent server bus read --project my-project --follow
  run-agent server bus post --project my-project --type USER --body 'please look at the logs'")]
pub(super) enum Verb {
    /// Print the last messages
    #[command(after_help = "Examples:
  run-agent server bus read --project my-project
  run-agent server bus read --project my-project --task my-task --follow")]
    Read {
        #[command(flatten)]
        target: Target,
        /// Print only messages after this one
        #[arg(long, value_name = "MSG_ID")]
        after: Option<String>,
        /// Keep printing new messages until Ctrl-C
        #[arg(long, short)]
        follow: bool,
    },
    /// Post a message
    #[command(after_help = "Examples:
  run-agent server bus post --project my-project --type USER --body 'please look at the logs'
  git log -3 | run-agent server bus post --project my-project --task my-task --type FACT")]
    Post {
        #[command(flatten)]
        target: Target,
        /// Message type, such as FACT, PROGRESS, DECISION, ERROR or QUESTION
        #[arg(long = "type", value_name = "TYPE", default_value = "USER")]
        kind: MessageType,
        /// Message text [default: read from standard input]
        #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
        body: Option<String>,
        /// Run that posts the message [default: $JRUN_ID]
        #[arg(long, value_name = "RUN")]
        run: Option<RunId>,
    },
}

/// Runs the verb.
pub(super) fn run(verb: &Verb, call: &Call<'_>) -> CliResult<ExitCode> {
    match verb {
        Verb::Read { target, after, follow: false } => read(target, after.as_deref(), call)?,
        Verb::Read { target, after, follow: true } => {
            let path = format!("/api/v1/messages/stream?{}", query(target, after.as_deref(), call)?);
            call.client.follow(&path, |message| print(call, message).map(|()| Next::On))?;
        }
        Verb::Post { target, kind, body, run } => post(target, kind, body.clone(), run.as_ref(), call)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn query(target: &Target, after: Option<&str>, call: &Call<'_>) -> CliResult<String> {
    let mut query = format!("project_id={}", project(target.project.as_ref(), call)?);
    if let Some(task) = &target.task {
        query = format!("{query}&task_id={task}");
    }
    if let Some(after) = after {
        query = format!("{query}&after={}", escaped(after));
    }
    Ok(query)
}

/// Reads page by page, so that a bus of any length can be read.
fn read(target: &Target, after: Option<&str>, call: &Call<'_>) -> CliResult<()> {
    let mut after = after.map(str::to_owned);
    loop {
        let answer =
            call.client.get(&format!("/api/v1/messages?{}", query(target, after.as_deref(), call)?))?;
        let messages = answer["messages"].as_array().cloned().unwrap_or_default();
        for message in &messages {
            print(call, message)?;
        }
        let last = messages.last().and_then(|m| m["msg_id"].as_str()).map(str::to_owned);
        match last {
            Some(last) if answer["more"] == true => after = Some(last),
            _ => return Ok(()),
        }
    }
}

fn print(call: &Call<'_>, message: &Value) -> CliResult<()> {
    let printer = call.context.printer();
    if call.form == Form::Json {
        return printer.jsonl(message);
    }
    let text = |key: &str| message[key].as_str().unwrap_or_default();
    let run = message["run_id"].as_str().map(|run| format!(" run {run}")).unwrap_or_default();
    let damaged = if message["damaged"] == true { " damaged" } else { "" };
    printer.line(&format!("{} {} {}{run}{damaged}", text("timestamp"), text("type"), text("msg_id")))?;
    text("body").lines().try_for_each(|line| printer.line(&format!("  {line}")))
}

fn post(
    target: &Target,
    kind: &MessageType,
    body: Option<String>,
    run: Option<&RunId>,
    call: &Call<'_>,
) -> CliResult<()> {
    let body = match body {
        Some(body) => body,
        None => from_stdin()?,
    };
    let own = call.context.environment().get("JRUN_ID");
    let run = run.map(RunId::as_str).or(own);
    let mut message = json!({
        "project_id": project(target.project.as_ref(), call)?,
        "type": kind.as_str(),
        "body": body,
    });
    if let Some(task) = &target.task {
        message["task_id"] = json!(task);
    }
    if let Some(run) = run {
        message["run_id"] = json!(run);
    }
    let answer = call.client.post("/api/v1/messages", Some(&message))?;
    if call.form == Form::Json {
        return call.context.printer().json(&answer);
    }
    call.context.printer().line(answer["msg_id"].as_str().unwrap_or_default())
}

fn from_stdin() -> CliResult<String> {
    let mut text = String::new();
    let mut input = std::io::stdin().take(MAX_RECORD + 1);
    input
        .read_to_string(&mut text)
        .map_err(|e| CliError::caused(Kind::Failed, "cannot read the text from standard input", e))?;
    if text.len() as u64 > MAX_RECORD {
        return Err(CliError::new(Kind::Refused, format!("the text is larger than {MAX_RECORD} bytes")));
    }
    Ok(text)
}
