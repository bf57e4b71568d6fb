//! The doctor's result about one thing.

use serde::Serialize;

/// The state of one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As it should be.
    Ok,
    /// It works, but not as well as it could.
    Warn,
    /// Something does not work.
    Fail,
}

impl State {
    /// The word for the state.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// One thing that was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Its name: `disk`, `inotify`, ….
    pub name: &'static str,
    /// The state.
    pub state: State,
    /// The thing that was checked, where there are several of a name: an agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// One sentence.
    pub what: String,
    /// The next step for the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Check {
    /// Creates a check without a problem.
    #[must_use]
    pub fn ok(name: &'static str, what: impl Into<String>) -> Self {
        Self { name, state: State::Ok, subject: None, what: what.into(), hint: None }
    }

    /// Creates a check with a minor problem.
    #[must_use]
    pub fn warn(name: &'static str, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { name, state: State::Warn, subject: None, what: what.into(), hint: Some(hint.into()) }
    }

    /// Names the thing that was checked.
    #[must_use]
    pub fn of(self, subject: &str) -> Self {
        Self { subject: Some(subject.to_owned()), ..self }
    }

    /// Creates a check of something that does not work.
    #[must_use]
    pub fn fail(name: &'static str, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { state: State::Fail, ..Self::warn(name, what, hint) }
    }
}
