//! Flags that several verbs take.

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};

use super::{colour::ColorWhen, print::Form};
use base::telemetry::LogFormat;

/// Flags that every verb takes.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global options")]
pub struct GlobalFlags {
    /// Root folder of all projects, tasks and runs [default: $CONDUCTOR_ROOT, storage.runs_dir, ~/run-agent]
    #[arg(long, global = true, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// Configuration file [default: $CONDUCTOR_CONFIG, ~/.config/conductor/config.yaml]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// When to print in colour: auto, always or never
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        value_enum,
        default_value_t,
        hide_possible_values = true
    )]
    pub color: ColorWhen,
    /// Log level on stderr: error, warn, info, debug, trace, or a filter per module [default: warn; info for serve]
    #[arg(long, global = true, value_name = "LEVEL")]
    pub log: Option<String>,
    /// Format of log lines: text or json
    #[arg(
        long,
        global = true,
        value_name = "FORMAT",
        value_enum,
        default_value_t,
        hide_possible_values = true
    )]
    pub log_format: LogShape,
}

/// The format of log lines, as spelled on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum LogShape {
    /// Plain text.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

impl From<LogShape> for LogFormat {
    fn from(shape: LogShape) -> Self {
        match shape {
            LogShape::Text => Self::Text,
            LogShape::Json => Self::Json,
        }
    }
}

/// `--json`, for verbs that print data.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct JsonFlag {
    /// Print JSON, including errors
    #[arg(long)]
    pub json: bool,
}

impl JsonFlag {
    /// The output form that the flag selects.
    #[must_use]
    pub fn form(self) -> Form {
        if self.json { Form::Json } else { Form::Text }
    }
}

/// Parses the value of a flag that takes a duration: `10s`, `5m`, `2h`, `7d`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    config::parse_duration(text).map_err(|e| format!("it {e}"))
}

/// Checks a duration and returns its text unchanged, for a flag that is passed on.
pub(super) fn duration_text(text: &str) -> Result<String, String> {
    duration(text).map(|_| text.to_owned())
}
