//! `run-agent status`: shows the queued and live tasks of this root, and the driver of each.

use std::process::ExitCode;

use serde::Serialize;

use super::{context::Context, error::CliResult, flags::JsonFlag, print::Form, table::Table};
use base::clock::rfc3339;
use engine::planner::{self, Limits};
use tree::{
    Tree,
    daemon_info::DaemonInfo,
    ticket::{Ticket, TicketFolder},
};
use view::task::Standing;

/// Flags of the verb.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  run-agent status
  run-agent status --json")]
pub struct Args {
    #[command(flatten)]
    pub(super) json: JsonFlag,
}

/// The whole answer.
#[derive(Debug, Serialize)]
struct JsonOutput {
    root: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    daemon: Option<DaemonInfo>,
    loops: Vec<Row>,
}

/// The ticket of one task.
#[derive(Debug, Serialize)]
struct Row {
    task: String,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<usize>,
    attempt: u32,
    run_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    driven_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// Prints the loops.
pub(super) fn run(args: &Args, context: &Context) -> CliResult<ExitCode> {
    let tree = context.tree()?;
    let limits = Limits::of(&context.config()?.defaults);
    let mut loops = Vec::new();
    // Reads the queue first: a ticket that is admitted between the two reads is then shown twice instead of missed.
    let queued = planner::standings(&tree, limits)?;
    for file in tree.tickets(TicketFolder::Live)? {
        if let Ok(ticket) = file.ticket {
            loops.push(row(&tree, &ticket, "live", None)?);
        }
    }
    for (id, ticket, standing) in queued {
        if tree.ticket(TicketFolder::Queue, &id)?.is_none() {
            continue;
        }
        let (state, position, reason) = match standing {
            Standing::Position(at) => ("queued", Some(at), None),
            Standing::Blocked(why) => ("blocked", None, Some(why)),
            Standing::Next | Standing::Live => ("queued", None, None),
        };
        let row = row(&tree, &ticket, state, position)?;
        loops.push(Row { reason: reason.or(row.reason), ..row });
    }
    let answer = JsonOutput { root: tree.root().path().display().to_string(), daemon: tree.daemon()?, loops };
    if args.json.form() == Form::Json {
        context.printer().json(&answer)?;
    } else {
        print(context, &answer)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn row(tree: &Tree, ticket: &Ticket, state: &'static str, position: Option<usize>) -> CliResult<Row> {
    let task = ticket.task();
    // An unreadable record is left out here; `fsck` names it.
    let since = tree.run_info(&ticket.run()).ok().map(|info| rfc3339(info.start_time));
    Ok(Row {
        task: task.to_string(),
        state,
        position,
        attempt: ticket.attempt,
        run_id: ticket.run_id.to_string(),
        since,
        driven_by: tree.driver_of(&task)?.map(|by| by.to_string()),
        reason: ticket.reason.clone(),
    })
}

fn print(context: &Context, answer: &JsonOutput) -> CliResult<()> {
    let printer = context.printer();
    printer.word(&match &answer.daemon {
        Some(daemon) => format!("daemon: pid {}, {}", daemon.pid, daemon.listen.join(", ")),
        None => format!("no daemon runs for {}", answer.root),
    })?;
    if answer.loops.is_empty() {
        return printer.word("nothing is queued or live");
    }
    let mut table = Table::new(&["TASK", "STATE", "POSITION", "ATTEMPT", "SINCE", "DRIVEN BY", "WHY"]);
    let dash = || "-".to_owned();
    for row in &answer.loops {
        table.row([
            row.task.clone(),
            row.state.to_owned(),
            row.position.map_or_else(dash, |p| p.to_string()),
            row.attempt.to_string(),
            row.since.clone().unwrap_or_else(dash),
            row.driven_by.clone().unwrap_or_else(dash),
            row.reason.clone().unwrap_or_else(dash),
        ]);
    }
    printer.table(&table)
}
