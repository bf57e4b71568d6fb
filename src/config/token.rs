//! Tokens: from the environment, else from the file that the configuration names.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{error::What, origin::Origin, secret::Secret, section::Reader};
use crate::{
    fsx::{FsErrorKind, read_outside},
    telemetry::REDACTED,
};

/// A token is a line, not a book.
const MAX_TOKEN: u64 = 64 * 1024;

/// The variable that holds an agent's token: `CONDUCTOR_AGENT_<NAME>_TOKEN`, in capitals, other characters as `_`.
pub(super) fn variable(agent: &str) -> String {
    let name: String =
        agent.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    format!("CONDUCTOR_AGENT_{name}_TOKEN")
}

/// The token of an agent; a variable beats its file, which is not even opened then.
pub(super) fn of_agent(
    reader: &mut Reader<'_>,
    agent: &str,
    file: Option<(PathBuf, Origin)>,
) -> Option<Secret> {
    let variable = variable(agent);
    if let Some(token) = reader.sources.environment.get(&variable) {
        let token = Secret::new(token.trim());
        reader.note(format!("agents.{agent}.token"), Value::from(REDACTED), Origin::Environment(variable));
        return Some(token);
    }
    let (path, origin) = file?;
    read(reader, format!("agent '{agent}'"), &path, origin)
}

/// Reads a token file; a missing or empty one is a problem of its `owner`.
pub(super) fn read(reader: &mut Reader<'_>, owner: String, path: &Path, origin: Origin) -> Option<Secret> {
    let problem = match read_outside(path, MAX_TOKEN) {
        Ok(bytes) => match std::str::from_utf8(&bytes).map(str::trim) {
            Ok("") => "is empty".to_owned(),
            Ok(token) if token.contains(char::is_whitespace) => "holds more than one word".to_owned(),
            Ok(token) => return Some(Secret::new(token)),
            Err(_) => "is not text".to_owned(),
        },
        Err(e) if e.kind() == FsErrorKind::NotFound => "is missing".to_owned(),
        Err(e) => format!("cannot be read: {}", e.source),
    };
    reader.problem(origin, What::Token { owner, path: path.to_owned(), problem });
    None
}
