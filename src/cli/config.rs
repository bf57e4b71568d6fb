//! `run-agent config`: the settings, and where each came from.

use std::process::ExitCode;

use serde_json::json;

use super::{
    context::Context,
    error::CliResult,
    flags::JsonFlag,
    print::{Form, Table},
};

/// Flags of the verb.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Print every setting as it was decided, secrets left out
    Show(ShowArgs),
    /// Print which configuration file is read
    Path,
}

#[derive(Debug, clap::Args)]
struct ShowArgs {
    /// Say where each value came from
    #[arg(long)]
    origin: bool,
    #[command(flatten)]
    json: JsonFlag,
}

impl Args {
    pub(super) fn form(&self) -> Form {
        match &self.what {
            What::Show(args) => args.json.form(),
            What::Path => Form::Text,
        }
    }
}

/// Prints settings.
pub(super) fn run(args: Args, context: &Context) -> CliResult<ExitCode> {
    match args.what {
        What::Show(args) => show(&args, context)?,
        What::Path => path(context)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn show(args: &ShowArgs, context: &Context) -> CliResult<()> {
    let settings = &context.loaded()?.settings;
    let printer = context.printer();
    match args.json.form() {
        Form::Json => {
            let list: Vec<_> = settings
                .iter()
                .map(|s| json!({ "key": s.key, "value": s.value, "origin": s.origin.to_string() }))
                .collect();
            printer.json(&json!({ "settings": list }))
        }
        Form::Text => {
            let mut table = Table::new(&["KEY", "VALUE", "ORIGIN"]);
            for setting in settings {
                table.row([setting.key.clone(), setting.value.to_string(), setting.origin.to_string()]);
            }
            printer.table(&table)
        }
    }
}

fn path(context: &Context) -> CliResult<()> {
    match &context.config()?.source {
        Some(path) => context.printer().line(&path.display().to_string()),
        None => context.printer().word("no configuration file; the defaults are used"),
    }
}
