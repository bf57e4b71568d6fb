//! `run-agent server project`: projects on the other side.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::Value;

use super::{Call, names::escaped};
use crate::{
    cli::{error::CliResult, print::Form, table::Table},
    tree::ids::ProjectId,
};

/// What is asked about projects.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// The projects
    List,
    /// How much there is of a project
    Stats {
        /// Project
        #[arg(value_name = "PROJECT")]
        project: ProjectId,
    },
    /// Remove old runs of a project
    Gc {
        /// Project
        #[arg(value_name = "PROJECT")]
        project: ProjectId,
        /// Only runs that ended longer ago than this, such as 168h
        #[arg(long, value_name = "TIME", default_value = "168h")]
        older_than: String,
        /// Leave runs alone that did not succeed
        #[arg(long)]
        keep_failed: bool,
        /// Only say what would go
        #[arg(long)]
        dry_run: bool,
    },
    /// Remove a project with all its tasks
    Delete {
        /// Project
        #[arg(value_name = "PROJECT")]
        project: ProjectId,
        /// Stop what is live of it first
        #[arg(long)]
        force: bool,
    },
}

/// Asks.
pub(super) fn run(verb: &Verb, call: &Call<'_>) -> CliResult<ExitCode> {
    let answer = match verb {
        Verb::List => return list(call),
        Verb::Stats { project } => call.client.get(&format!("/api/projects/{project}/stats"))?,
        Verb::Gc { project, older_than, keep_failed, dry_run } => {
            let older_than = escaped(older_than);
            let query = format!("older_than={older_than}&keep_failed={keep_failed}&dry_run={dry_run}");
            call.client.post(&format!("/api/projects/{project}/gc?{query}"), None)?
        }
        Verb::Delete { project, force } => {
            call.client.delete(&format!("/api/projects/{project}?force={force}"))?
        }
    };
    if call.form == Form::Json || answer.is_null() {
        call.context.printer().json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new(&["WHAT", "HOW MUCH"]);
    for (name, value) in answer.as_object().into_iter().flatten() {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        table.row([name.clone(), value]);
    }
    call.context.printer().table(&table)?;
    Ok(ExitCode::SUCCESS)
}

fn list(call: &Call<'_>) -> CliResult<ExitCode> {
    let answer = call.client.get("/api/projects")?;
    if call.form == Form::Json {
        call.context.printer().json(&answer["projects"])?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new(&["PROJECT", "TASKS", "LAST ACTIVITY", "FOLDER"]);
    for project in answer["projects"].as_array().into_iter().flatten() {
        let text = |key: &str| match &project[key] {
            Value::String(text) => text.clone(),
            Value::Null => "-".to_owned(),
            other => other.to_string(),
        };
        table.row([text("id"), text("task_count"), text("last_activity"), text("project_root")]);
    }
    call.context.printer().table(&table)?;
    Ok(ExitCode::SUCCESS)
}
