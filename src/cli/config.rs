//! `run-agent config`: prints the settings and the origin of each.

use std::process::ExitCode;

use serde_json::{Map, Value, json};

use super::{
    colour::Style,
    context::Context,
    error::{CliError, CliResult, Kind},
    flags::JsonFlag,
    print::Form,
    table::{Cell, Table, spelled},
    trust,
};
use config::{Origin, Setting};

/// The page about all settings.
const REFERENCE: &str = include_str!("../../docs/configuration.md");

/// Flags of the verb.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  run-agent config show
  run-agent config show --origin
  run-agent --config my.yaml config path
  run-agent config trust")]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Print every setting in effect, without secrets
    Show(ShowArgs),
    /// Explain every setting
    #[command(after_help = "Examples:
  run-agent config reference
  run-agent config reference | less")]
    Reference,
    /// Print the path of the configuration file in use
    #[command(after_help = "Examples:
  run-agent config path
  run-agent --config my.yaml config path")]
    Path,
    /// Show what a project's conductor.yaml would change, and trust it
    Trust(trust::Args),
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  run-agent config show
  run-agent config show --origin
  run-agent config show --json | jq .defaults")]
struct ShowArgs {
    /// Show the origin of each value
    #[arg(long)]
    origin: bool,
    #[command(flatten)]
    json: JsonFlag,
}

impl Args {
    pub(super) fn form(&self) -> Form {
        match &self.verb {
            Verb::Show(args) => args.json.form(),
            Verb::Trust(args) => args.json.form(),
            Verb::Reference | Verb::Path => Form::Text,
        }
    }
}

/// Prints settings.
pub(super) fn run(args: Args, context: &Context) -> CliResult<ExitCode> {
    match args.verb {
        Verb::Show(args) => show(&args, context)?,
        // Needs no settings: they may be what is wrong.
        Verb::Reference => context.printer().bytes(REFERENCE.as_bytes())?,
        Verb::Path => path(context)?,
        Verb::Trust(args) => return trust::run(&args, context),
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
        Form::Text if args.origin => {
            let mut table = Table::new(&["KEY", "VALUE", "ORIGIN"]);
            for setting in settings {
                let style = if setting.origin == Origin::Default { Style::Faint } else { Style::Plain };
                let cells = [setting.key.clone(), spelled(&setting.value), setting.origin.to_string()];
                table.row(cells.map(|cell| Cell::styled(cell, style)));
            }
            printer.table(&table)
        }
        Form::Text => {
            let text = serde_yaml::to_string(&nested(settings))
                .map_err(|e| CliError::caused(Kind::Failed, "cannot write the settings as YAML", e))?;
            printer.bytes(text.as_bytes())
        }
    }
}

/// Nests the settings as in a configuration file: `a.b[0].c` becomes a list in a section.
fn nested(settings: &[Setting]) -> Value {
    let mut top = Value::Object(Map::new());
    for setting in settings {
        let mut at = &mut top;
        for part in setting.key.split('.') {
            let (name, index) = match part.strip_suffix(']').and_then(|p| p.split_once('[')) {
                Some((name, index)) => (name, index.parse::<usize>().ok()),
                None => (part, None),
            };
            at = below(at, name);
            if let Some(index) = index {
                at = item(at, index);
            }
        }
        *at = setting.value.clone();
    }
    top
}

fn below<'a>(value: &'a mut Value, name: &str) -> &'a mut Value {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    &mut value[name]
}

fn item(value: &mut Value, index: usize) -> &mut Value {
    if !value.is_array() {
        *value = Value::Array(Vec::new());
    }
    if let Value::Array(items) = value
        && items.len() <= index
    {
        items.resize(index + 1, Value::Null);
    }
    &mut value[index]
}

fn path(context: &Context) -> CliResult<()> {
    if let Some(path) = context.config_file()? {
        return context.printer().line(&path.display().to_string());
    }
    let usual = config::usual_place(context.environment());
    let usual = usual.map(|path| format!("{} if you create it", path.display()));
    context.printer().word(&format!(
        "no configuration file, so the defaults are used; run-agent reads {}",
        usual.as_deref().unwrap_or("one that --config names")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_become_sections_and_lists() {
        let setting =
            |key: &str, value: Value| Setting { key: key.to_owned(), value, origin: Origin::Default };
        let settings = [
            setting("api.port", json!(1)),
            setting("api.keys[0].name", json!("a")),
            setting("api.keys[1].name", json!("b")),
            setting("faces.x", json!({"listen": "y"})),
        ];
        assert_eq!(
            nested(&settings),
            json!({"api": {"port": 1, "keys": [{"name": "a"}, {"name": "b"}]}, "faces": {"x": {"listen": "y"}}})
        );
    }
}
