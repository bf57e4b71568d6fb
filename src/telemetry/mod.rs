//! What the program says about itself: log events, and what must not be said.

mod logging;
mod names;
mod redact;
mod shapes;

pub use logging::{BadFilter, LogFormat, hide, init};
pub use names::is_secret_name;
pub use redact::{REDACTED, Redactor};
