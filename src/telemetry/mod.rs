//! What the program says about itself: log events, and what must not be said.

mod logging;
mod redact;

pub use logging::{BadFilter, LogFormat, init};
pub use redact::{REDACTED, Redactor};
