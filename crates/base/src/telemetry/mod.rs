//! The program's reports about itself: log events, and the removal of secrets from them.

mod logging;
mod names;
mod redact;
mod rules;
mod shapes;

pub use logging::{BadFilter, LogFormat, hide, init};
pub use names::is_secret_name;
pub use redact::{REDACTED, Redactor};
