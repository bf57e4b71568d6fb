//! Log events: where they go and in which shape.
//!
//! An event is a constant message with fields by name, never a sentence with
//! values in it, never a secret.

use std::{
    io::{self, Write},
    sync::OnceLock,
};

use tracing_subscriber::EnvFilter;

use super::Redactor;

/// What this process knows to be secret, since it has read its settings.
static KNOWN: OnceLock<Redactor> = OnceLock::new();

/// The shape of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// A text that is no log filter.
#[derive(Debug, thiserror::Error)]
#[error("'{filter}' is not a log level or filter")]
pub struct BadFilter {
    /// The text.
    pub filter: String,
    /// What is wrong with it.
    pub source: tracing_subscriber::filter::ParseError,
}

/// Keeps what a redactor knows to be secret out of the log from now on, beside what looks like a secret. A second call
/// changes nothing.
pub fn hide(known: &Redactor) {
    let _ = KNOWN.set(known.clone());
}

/// Takes secrets out of log lines: an event holds none, but an error that it quotes may.
struct Clean<W>(W);

impl<W: Write> Write for Clean<W> {
    /// One event at a time, as they come.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let clean = match KNOWN.get() {
            Some(known) => known.text(&text),
            None => Redactor::default().text(&text).into_owned().into(),
        };
        self.0.write_all(clean.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Sends log events to stderr from now on. A second call changes nothing.
///
/// `filter` is a level (`info`) or directives (`warn,run_agent::runner=debug`).
///
/// # Errors
/// If `filter` is neither.
pub fn init(filter: &str, format: LogFormat) -> Result<(), BadFilter> {
    let parsed =
        EnvFilter::try_new(filter).map_err(|source| BadFilter { filter: filter.to_owned(), source })?;
    let builder = tracing_subscriber::fmt().with_env_filter(parsed).with_writer(|| Clean(io::stderr()));
    // The error says that somebody was first: a test, or an earlier call.
    let _ = match format {
        LogFormat::Text => builder.with_ansi(false).try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_line_has_no_secrets() {
        let mut out = Vec::new();
        hide(&Redactor::new(["hunter2hunter2"]));
        let line = "WARN cannot call url=https://me:pa55@host error=no hunter2hunter2, sk-ant-api03-Ab1Cd2Ef3Gh4Ij5\n";
        let length = Clean(&mut out).write(line.as_bytes()).unwrap();
        assert_eq!(length, line.len(), "all of it was taken");
        let clean = "WARN cannot call url=https://me:[REDACTED]@host error=no [REDACTED], [REDACTED]\n";
        assert_eq!(String::from_utf8(out).unwrap(), clean);
    }
}
