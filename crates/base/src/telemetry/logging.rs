//! Log events: their destination and their format.
//!
//! An event is a constant message with named fields. It is never a sentence with values in it, and never contains a
//! secret.

use std::{
    io::{self, Write},
    sync::OnceLock,
};

use tracing_subscriber::EnvFilter;

use super::Redactor;

/// The secrets of this process, known after it has read its settings.
static KNOWN: OnceLock<Redactor> = OnceLock::new();

/// The format of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// A text that is not a log filter.
#[derive(Debug, thiserror::Error)]
#[error("'{filter}' is not a log level or filter")]
pub struct BadFilter {
    /// The text.
    pub filter: String,
    /// The problem with it.
    pub source: tracing_subscriber::filter::ParseError,
}

/// Keeps the secrets that a redactor knows out of the log from now on, in addition to texts that look like secrets. A
/// second call changes nothing.
pub fn hide(known: &Redactor) {
    let _ = KNOWN.set(known.clone());
}

/// Removes secrets from log lines: an event contains none, but an error that it quotes may.
struct Clean<W>(W);

impl<W: Write> Write for Clean<W> {
    /// Called with one event at a time.
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
/// `filter` is a level (`info`) or directives (`warn,engine::runner=debug`).
///
/// # Errors
/// If `filter` is neither.
pub fn init(filter: &str, format: LogFormat) -> Result<(), BadFilter> {
    let parsed =
        EnvFilter::try_new(filter).map_err(|source| BadFilter { filter: filter.to_owned(), source })?;
    let builder = tracing_subscriber::fmt().with_env_filter(parsed).with_writer(|| Clean(io::stderr()));
    // An error means that a subscriber is installed already: by a test, or by an earlier call.
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
