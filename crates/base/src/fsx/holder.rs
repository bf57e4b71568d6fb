//! The holder of a lock, as stored in the lock file: one JSON object, for programs and for people.
//!
//! The lock itself is the kernel's. The text is only informative: it may be missing or half written, and never decides
//! which process holds the lock. Daemons up to 0.1 wrote prose, `daemon (pid 7, started 42)`. This form is still
//! parsed, since such a daemon may hold a lock now.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The holder of a lock. It is displayed as `daemon (pid 7)`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The name that the holder gives itself: `daemon`, `run-agent drive`, ….
    pub who: String,
    /// Its process id.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pid: Option<i32>,
    /// Start of its process in clock ticks since boot. Together with `pid` it identifies the process uniquely.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub started: Option<u64>,
}

impl Holder {
    /// Creates a holder with an unknown process.
    #[must_use]
    pub fn named(who: impl Into<String>) -> Self {
        Self { who: who.into(), pid: None, started: None }
    }

    /// Creates a holder from a process.
    #[must_use]
    pub fn process(who: impl Into<String>, pid: i32, started: u64) -> Self {
        Self { who: who.into(), pid: Some(pid), started: Some(started) }
    }

    /// Parses the text of a lock file. A text without a holder gives an unknown holder.
    #[must_use]
    pub fn of_text(text: &str) -> Self {
        let text = text.trim();
        if let Ok(holder) = serde_json::from_str(text) {
            return holder;
        }
        // The holder is just writing its name, or never wrote it.
        if text.is_empty() || text.starts_with('{') {
            return Self::unknown();
        }
        Self::of_prose(text)
    }

    fn unknown() -> Self {
        Self::named("another process")
    }

    /// Parses `daemon (pid 7, started 42)`, `shim pid 7 started 42`, `pid 7` and plain words.
    fn of_prose(text: &str) -> Self {
        let number = |key: &str| {
            let (_, rest) = text.split_once(key)?;
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            rest[..end].parse::<u64>().ok()
        };
        let Some(pid) = number("pid ").and_then(|pid| i32::try_from(pid).ok()) else {
            return Self::named(text);
        };
        let who = text.split_once("pid ").map_or("", |(who, _)| who).trim_end_matches(['(', ' ']);
        let who = if who.is_empty() { Self::unknown().who } else { who.to_owned() };
        Self { who, pid: Some(pid), started: number("started ") }
    }

    /// Returns the text for the lock file.
    pub(super) fn to_text(&self) -> String {
        // Three plain fields can always be serialized.
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The start, in ticks of the kernel's clock, tells nothing to users.
        match self.pid {
            Some(pid) => write!(f, "{} (pid {pid})", self.who),
            None => f.write_str(&self.who),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_is_read_back_as_it_was_written() {
        for holder in [
            Holder::process("daemon", 7, 42),
            Holder::named("run-agent, for the \"parent\" (pid x) task"),
            Holder { who: "the gate".to_owned(), pid: Some(7), started: None },
        ] {
            let text = holder.to_text();
            assert!(text.starts_with('{') && text.ends_with("}\n") && text.lines().count() == 1, "{text}");
            assert_eq!(Holder::of_text(&text), holder);
        }
    }

    #[test]
    fn the_prose_of_an_older_program_is_understood() {
        for (text, who, pid, started) in [
            ("daemon (pid 7, started 42)\n", "daemon", Some(7), Some(42)),
            (
                "run-agent, for the parent task (pid 7, started 42)",
                "run-agent, for the parent task",
                Some(7),
                Some(42),
            ),
            ("shim pid 7 started 42", "shim", Some(7), Some(42)),
            ("pid 7", "another process", Some(7), None),
            ("run-agent wrap", "run-agent wrap", None, None),
            ("daemon (pid x, started 7)", "daemon (pid x, started 7)", None, None),
            ("daemon (pid 99999999999, started 7)", "daemon (pid 99999999999, started 7)", None, None),
            ("", "another process", None, None),
            ("{\"who\":\"daem", "another process", None, None),
        ] {
            let expected = Holder { who: who.to_owned(), pid, started };
            assert_eq!(Holder::of_text(text), expected, "{text:?}");
        }
        let text = "daemon (pid 7, started 42)";
        assert_eq!(Holder::of_text(text).to_string(), "daemon (pid 7)");
    }
}
