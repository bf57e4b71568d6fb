//! Log events: where they go and in which shape.
//!
//! An event is a constant message with fields by name, never a sentence with
//! values in it, never a secret.

use tracing_subscriber::EnvFilter;

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

/// Sends log events to stderr from now on. A second call changes nothing.
///
/// `filter` is a level (`info`) or directives (`warn,run_agent::runner=debug`).
///
/// # Errors
/// If `filter` is neither.
pub fn init(filter: &str, format: LogFormat) -> Result<(), BadFilter> {
    let parsed =
        EnvFilter::try_new(filter).map_err(|source| BadFilter { filter: filter.to_owned(), source })?;
    let builder = tracing_subscriber::fmt().with_env_filter(parsed).with_writer(std::io::stderr);
    // The error says that somebody was first: a test, or an earlier call.
    let _ = match format {
        LogFormat::Text => builder.with_ansi(false).try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    Ok(())
}
