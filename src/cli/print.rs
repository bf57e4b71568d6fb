//! The only place that prints: data to stdout, words to stderr.
//!
//! A reader of stdout that goes away (`run-agent list | head`) is no error: the
//! verb ends at once, with success.

use std::{
    io::{self, IsTerminal, Write},
    process::ExitCode,
};

use clap::ValueEnum;
use serde::Serialize;

use super::error::{CliError, CliResult, Kind};
use crate::config::Environment;

/// When to print in colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ColorWhen {
    /// On a terminal, unless $NO_COLOR is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// For whom a verb prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// People.
    #[default]
    Text,
    /// Programs.
    Json,
}

/// Prints what a verb answers.
#[derive(Debug, Clone, Copy)]
pub struct Printer {
    form: Form,
    stderr_colour: bool,
}

impl Printer {
    /// A printer for this process's stdout and stderr.
    #[must_use]
    pub fn new(when: ColorWhen, form: Form, environment: &Environment) -> Self {
        let no_color = environment.get_os("NO_COLOR").is_some();
        let colour = match when {
            ColorWhen::Always => true,
            ColorWhen::Never => false,
            ColorWhen::Auto => !no_color && io::stderr().is_terminal(),
        };
        Self { form, stderr_colour: colour }
    }

    /// Prints bytes as they are.
    ///
    /// # Errors
    /// If stdout cannot be written.
    pub fn bytes(&self, bytes: &[u8]) -> CliResult<()> {
        let mut out = io::stdout().lock();
        out.write_all(bytes).and_then(|()| out.flush()).map_err(|e| {
            if e.kind() == io::ErrorKind::BrokenPipe {
                CliError::new(Kind::OutputClosed, "the reader of our output has gone")
            } else {
                CliError::caused(Kind::Failed, "cannot write to stdout", e)
            }
        })
    }

    /// Prints one line of data.
    ///
    /// # Errors
    /// If stdout cannot be written.
    pub fn line(&self, text: &str) -> CliResult<()> {
        self.bytes(format!("{text}\n").as_bytes())
    }

    /// Prints one JSON document, indented.
    ///
    /// # Errors
    /// If stdout cannot be written.
    pub fn json(&self, value: &impl Serialize) -> CliResult<()> {
        self.line(&spelled(serde_json::to_string_pretty(value))?)
    }

    /// Prints one JSON document as one line, for lists that grow.
    ///
    /// # Errors
    /// If stdout cannot be written.
    pub fn jsonl(&self, value: &impl Serialize) -> CliResult<()> {
        self.line(&spelled(serde_json::to_string(value))?)
    }

    /// Prints a table; nothing if it has no rows.
    ///
    /// # Errors
    /// If stdout cannot be written.
    pub fn table(&self, table: &Table) -> CliResult<()> {
        self.bytes(table.render().as_bytes())
    }

    /// Says something to the person at the terminal, on stderr.
    ///
    /// # Errors
    /// None today: a stderr that is gone takes nobody's work away.
    pub fn word(&self, text: &str) -> CliResult<()> {
        let _ = self.stderr_colour;
        let _ = writeln!(io::stderr(), "{text}");
        Ok(())
    }

    /// Passes on what somebody else says, on stderr, byte for byte.
    pub fn word_bytes(&self, bytes: &[u8]) {
        // A stderr that is gone takes nobody's work away.
        let _ = io::stderr().write_all(bytes);
    }

    /// Says how the verb failed, on stderr.
    pub fn error(&self, error: &CliError) {
        if error.kind() == Kind::OutputClosed {
            return;
        }
        let _ = match self.form {
            Form::Text => {
                let mut text = format!("error: {}\n", error.chain());
                if let Some(hint) = error.hint() {
                    text.push_str(&format!("hint: {hint}\n"));
                }
                io::stderr().write_all(text.as_bytes())
            }
            Form::Json => {
                let report = serde_json::json!({
                    "error": error.chain(), "hint": error.hint(), "code": error.kind().code(),
                });
                writeln!(io::stderr(), "{report}")
            }
        };
    }
}

fn spelled(text: serde_json::Result<String>) -> CliResult<String> {
    text.map_err(|e| CliError::caused(Kind::Failed, "cannot spell the answer as JSON", e))
}

/// Prints what clap says about a command line, which may be help.
pub(super) fn usage(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// From now on a bug says that it is one and where to tell it.
pub(super) fn report_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let _ = writeln!(io::stderr(), "error: run-agent has a bug: {panic}");
    }));
}

/// Aligned columns.
#[derive(Debug, Clone, Default)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these words above its columns.
    #[must_use]
    pub fn new(head: &[&str]) -> Self {
        Self { rows: vec![head.iter().map(|h| (*h).to_owned()).collect()] }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The table as text.
    #[must_use]
    pub fn render(&self) -> String {
        let mut widths: Vec<usize> = Vec::new();
        for row in &self.rows {
            for (at, cell) in row.iter().enumerate() {
                let width = cell.chars().count();
                match widths.get_mut(at) {
                    Some(w) => *w = (*w).max(width),
                    None => widths.push(width),
                }
            }
        }
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(&format!("{cell:width$}  "));
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}
