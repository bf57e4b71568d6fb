//! Reads tokens from the environment, or else from the file that the configuration names.

use std::{
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{
    error::{ProblemKind, THE_API},
    origin::Origin,
    section::Reader,
};
use base::{
    fsx::{FsErrorKind, read_outside},
    secret::Secret,
    telemetry::{REDACTED, Redactor},
};

/// Largest size of a token file: a token is one line.
const MAX_TOKEN: u64 = 64 * 1024;

/// Returns the variable that holds an agent's token: `CONDUCTOR_AGENT_<NAME>_TOKEN`, in capitals, other characters as
/// `_`.
pub(super) fn variable(agent: &str) -> String {
    let name: String =
        agent.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    format!("CONDUCTOR_AGENT_{name}_TOKEN")
}

/// Reads the token of an agent. A variable overrides the file, which is not even opened then. An unusable file is
/// reported only when the agent is called, so that it does not block the other agents.
pub(super) fn of_agent(
    reader: &mut Reader<'_>,
    agent: &str,
    file: Option<(PathBuf, Origin)>,
) -> Result<Option<Secret>, String> {
    let variable = variable(agent);
    if let Some(token) = reader.sources.environment.get(&variable) {
        let token = Secret::new(token.trim());
        reader.note(format!("agents.{agent}.token"), Value::from(REDACTED), Origin::Environment(variable));
        return Ok(Some(token));
    }
    let Some((path, origin)) = file else { return Ok(None) };
    secret_in(&path).map(Some).map_err(|problem| {
        // The user may have written the key itself in place of its file.
        let shown = Redactor::default().text(&path.to_string_lossy()).into_owned();
        reader.note(format!("agents.{agent}.token_file"), Value::from(shown), origin.clone());
        let (owner, what) = (format!("agent '{agent}'"), path);
        format!("{origin}: {}", ProblemKind::Token { owner, path: what, problem })
    })
}

/// Reads the API key from a file that a flag names.
pub(super) fn of_flag(reader: &mut Reader<'_>, flag: &'static str, path: &Path) -> Option<Secret> {
    key_file(path)
        .map_err(|problem| {
            let what = ProblemKind::Token { owner: THE_API.to_owned(), path: path.to_owned(), problem };
            reader.problem(Origin::Flag(flag), what);
        })
        .ok()
}

/// Reads a key from a file that a user names: one word, without the newline after it. Logs a warning if other users may
/// read the file.
///
/// # Errors
/// Returns the problem with the file; it fits after the path.
pub fn key_file(path: &Path) -> Result<Secret, String> {
    let key = secret_in(path)?;
    let open_to_others = path.metadata().is_ok_and(|meta| meta.is_file() && meta.mode() & 0o044 != 0);
    if open_to_others {
        tracing::warn!(file = %path.display(), "other users can read the API key file; protect it with chmod 600");
    }
    Ok(key)
}

/// Reads a token file. A missing or empty file is a problem of its `owner`.
pub(super) fn read(reader: &mut Reader<'_>, owner: String, path: &Path, origin: Origin) -> Option<Secret> {
    secret_in(path)
        .map_err(|problem| {
            reader.problem(origin, ProblemKind::Token { owner, path: path.to_owned(), problem });
        })
        .ok()
}

/// Returns the only word in a file, or the problem with the file.
fn secret_in(path: &Path) -> Result<Secret, String> {
    match read_outside(path, MAX_TOKEN) {
        Ok(bytes) => match std::str::from_utf8(&bytes).map(str::trim) {
            Ok("") => Err("is empty".to_owned()),
            Ok(token) if token.contains(char::is_whitespace) => Err("holds more than one word".to_owned()),
            Ok(token) => Ok(Secret::new(token)),
            Err(_) => Err("is not text".to_owned()),
        },
        Err(e) if e.kind() == FsErrorKind::NotFound => Err("is missing".to_owned()),
        Err(e) => Err(format!("cannot be read: {}", e.source)),
    }
}
