//! The only place that prints: data to stdout, messages to stderr.
//!
//! A reader of stdout that goes away (`run-agent list | head`) is no error: the verb ends at once, with success.

use std::{
    borrow::Cow,
    io::{self, IsTerminal, Write},
    process::ExitCode,
};

use clap::error::{ContextKind, ContextValue};
use serde::Serialize;

use super::{
    colour::{ColorWhen, Colour, Style, Target},
    error::{CliError, CliResult, Kind},
    table::Table,
};
use base::telemetry::Redactor;
use config::Environment;

/// The audience of a verb's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// People.
    #[default]
    Text,
    /// Programs.
    Json,
}

/// Prints the output of a verb.
#[derive(Debug, Clone, Copy)]
pub struct Printer {
    form: Form,
    stdout: Colour,
    stderr: Colour,
    shown_on: Target,
    said_on: Target,
}

impl Printer {
    /// Creates a printer for this process's stdout and stderr.
    #[must_use]
    pub fn new(when: ColorWhen, form: Form, environment: &Environment) -> Self {
        let target = |on: bool| if on { Target::Terminal } else { Target::Elsewhere };
        let shown_on = target(io::stdout().is_terminal());
        let said_on = target(io::stderr().is_terminal());
        Self {
            form,
            shown_on,
            said_on,
            stdout: Colour::decide(when, environment, shown_on),
            stderr: Colour::decide(when, environment, said_on),
        }
    }

    /// The audience of this verb.
    #[must_use]
    pub fn form(&self) -> Form {
        self.form
    }

    /// Returns true if stdout and stderr are both shown on a terminal.
    #[must_use]
    pub fn has_one_terminal(&self) -> bool {
        self.shown_on == Target::Terminal && self.said_on == Target::Terminal
    }

    /// Returns a word for stdout in its style.
    #[must_use]
    pub fn paint(&self, style: Style, text: &str) -> String {
        self.stdout.paint(style, text)
    }

    /// Prints bytes as they are.
    ///
    /// # Errors
    /// If stdout cannot be written.
    pub fn bytes(&self, bytes: &[u8]) -> CliResult<()> {
        let mut out = io::stdout().lock();
        out.write_all(bytes).and_then(|()| out.flush()).map_err(|e| {
            if e.kind() == io::ErrorKind::BrokenPipe {
                CliError::new(Kind::OutputClosed, "the reader of the output has closed it")
            } else {
                CliError::caused(Kind::Failed, "cannot write to stdout", e)
            }
        })
    }

    /// Prints an agent's output unchanged; on a terminal, without characters that would control it. Returns the
    /// number of bytes printed: on a terminal an incomplete character at the end is left for the next call.
    ///
    /// # Errors
    /// If stdout cannot be written.
    pub fn foreign(&self, bytes: &[u8]) -> CliResult<usize> {
        if self.shown_on == Target::Elsewhere {
            self.bytes(bytes)?;
            return Ok(bytes.len());
        }
        let (text, taken) = harmless(bytes);
        self.bytes(text.as_bytes())?;
        Ok(taken)
    }

    /// Prepares foreign text for use within our own text: on a terminal, without characters that would control it.
    #[must_use]
    pub fn shown<'a>(&self, text: &'a str) -> Cow<'a, str> {
        on(self.shown_on, text)
    }

    /// Prints one line of data; on a terminal, without characters that would control it.
    ///
    /// # Errors
    /// If stdout cannot be written.
    pub fn line(&self, text: &str) -> CliResult<()> {
        self.bytes(format!("{}\n", self.shown(text)).as_bytes())
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

    /// Prints a table.
    ///
    /// # Errors
    /// If stdout cannot be written.
    pub fn table(&self, table: &Table) -> CliResult<()> {
        self.bytes(table.render(self.stdout).as_bytes())
    }

    /// Prints a message to the user on stderr, without characters that would control a terminal.
    ///
    /// # Errors
    /// None today: a closed stderr must not end the work of a verb.
    pub fn word(&self, text: &str) -> CliResult<()> {
        let _ = writeln!(io::stderr(), "{}", on(self.said_on, text));
        Ok(())
    }

    /// Prints a question to the user on stderr; the answer is typed behind it.
    pub fn question(&self, text: &str) {
        let _ = write!(io::stderr(), "{}", on(self.said_on, text));
    }

    /// Passes on an agent's output to stderr, as [`Self::foreign`] does to stdout.
    #[must_use]
    pub fn foreign_word(&self, bytes: &[u8]) -> usize {
        let (text, taken) = match self.said_on {
            Target::Elsewhere => (Cow::Borrowed(bytes), bytes.len()),
            Target::Terminal => {
                let (text, taken) = harmless(bytes);
                (Cow::Owned(text.into_bytes()), taken)
            }
        };
        // A closed stderr must not end the work of a verb.
        let _ = io::stderr().write_all(&text);
        taken
    }

    /// Prints the failure of the verb to stderr.
    pub fn error(&self, error: &CliError) {
        if error.kind() == Kind::OutputClosed {
            return;
        }
        // A user may have pasted a key in place of a path; the key must not end up in a log.
        let chain = Redactor::default().text(&error.chain()).into_owned();
        let text = match self.form {
            Form::Text => {
                let chain = on(self.said_on, &chain);
                let report = format!("{} {chain}\n", self.stderr.paint(Style::Bad, "error:"));
                let hint = error.hint().map(|hint| {
                    format!("{} {}\n", self.stderr.paint(Style::Strong, "hint:"), on(self.said_on, hint))
                });
                report + &hint.unwrap_or_default()
            }
            Form::Json => {
                let code = error.kind().code();
                let report = serde_json::json!({ "error": chain, "hint": error.hint(), "code": code });
                format!("{report}\n")
            }
        };
        let _ = io::stderr().write_all(text.as_bytes());
    }

    /// Prints clap's output: the help and version that were asked for, or the error of the command line.
    pub(super) fn usage(self, error: &clap::Error) -> ExitCode {
        if let Some(wrong) = setting_as_option(error) {
            self.error(&wrong);
            return wrong.exit_code();
        }
        match (CliError::of_usage(error), self.form) {
            (None, _) => {
                // A reader such as `head` may close the pipe early, so a write error is ignored.
                let _ = error.print();
                ExitCode::SUCCESS
            }
            (Some(wrong), Form::Text) if wrong.kind() == Kind::Usage => {
                let _ = error.print();
                wrong.exit_code()
            }
            (Some(wrong), _) => {
                self.error(&wrong);
                wrong.exit_code()
            }
        }
    }
}

/// Returns the error for an option that is the name of a task's setting. clap would suggest the option that is spelled
/// most like it, which has nothing to do with it.
fn setting_as_option(error: &clap::Error) -> Option<CliError> {
    if error.kind() != clap::error::ErrorKind::UnknownArgument {
        return None;
    }
    let Some(ContextValue::String(option)) = error.get(ContextKind::InvalidArg) else { return None };
    let name = option.strip_prefix("--")?.split('=').next()?.replace('-', "_");
    config::task_keys().contains(&name).then(|| {
        CliError::new(Kind::Usage, format!("there is no option {option}: {name} is a setting of a task"))
            .with_hint(format!("give `job` or `task` --config-key {name}=VALUE"))
    })
}

/// Returns a text as it may be printed to `target`.
fn on(target: Target, text: &str) -> Cow<'_, str> {
    match target {
        Target::Elsewhere => Cow::Borrowed(text),
        Target::Terminal => Cow::Owned(harmless(text.as_bytes()).0),
    }
}

/// Returns the text without characters that control a terminal or reorder its text. These are all control characters
/// except newline and tab, and the bidirectional embeddings, overrides and isolates of UAX #9. Also returns how many
/// bytes of the text are whole characters.
fn harmless(bytes: &[u8]) -> (String, usize) {
    // Invalid bytes at the very end may be the beginning of a character.
    let rest = bytes.utf8_chunks().last().map_or(&[][..], |chunk| chunk.invalid());
    let begins = std::str::from_utf8(rest).is_err_and(|e| e.error_len().is_none());
    let whole = bytes.len() - if begins { rest.len() } else { 0 };
    let text = String::from_utf8_lossy(&bytes[..whole]);
    let shown = |c: char| match c {
        '\n' | '\t' => c,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => char::REPLACEMENT_CHARACTER,
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    (text.chars().map(shown).collect(), whole)
}

fn spelled(text: serde_json::Result<String>) -> CliResult<String> {
    text.map_err(|e| CliError::caused(Kind::Failed, "cannot write the answer as JSON", e))
}

/// Installs a panic hook that calls a panic a bug and says how to report it.
pub(super) fn report_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("no message");
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let trace = std::backtrace::Backtrace::capture();
        let _ = io::stderr().write_all(bug_report(message, &place, &trace).as_bytes());
    }));
}

fn bug_report(message: &str, place: &str, trace: &std::backtrace::Backtrace) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let mut text = format!(
        "error: run-agent {version} has a bug: {message} ({place})\n\
         hint: please report this line and what you did; what was acknowledged is safe on disk\n"
    );
    if trace.status() == std::backtrace::BacktraceStatus::Captured {
        text.push_str(&trace.to_string());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_on_a_terminal_is_shown_and_not_done() {
        for (bytes, expected, taken) in [
            (&b"a\tb\n"[..], "a\tb\n", 4),
            ("größer 漢 \u{1f600}".as_bytes(), "größer 漢 \u{1f600}", 17),
            (b"\x1b[31mred\x07\r\x7f", "\u{fffd}[31mred\u{fffd}\u{fffd}\u{fffd}", 11),
            ("\u{202e}a\u{2066}\u{9b}".as_bytes(), "\u{fffd}a\u{fffd}\u{fffd}", 9),
            (b"\x9b1m", "\u{fffd}1m", 3),
            // The euro sign without its last byte, and two bytes that can never become a character.
            (b"5 \xe2\x82", "5 ", 2),
            (b"\xe2\x82", "", 0),
            (b"\xe2\x82x", "\u{fffd}x", 3),
            (b"", "", 0),
        ] {
            assert_eq!(harmless(bytes), (expected.to_owned(), taken), "{bytes:?}");
        }
    }

    #[test]
    fn a_bug_asks_to_be_reported() {
        let text = bug_report("index out of bounds", "src/x.rs:1:2", &std::backtrace::Backtrace::disabled());
        assert!(text.starts_with("error: run-agent "), "{text}");
        assert!(
            text.contains("has a bug: index out of bounds (src/x.rs:1:2)\nhint: please report"),
            "{text}"
        );
    }
}
