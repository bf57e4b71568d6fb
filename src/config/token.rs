//! Tokens: from the environment, else from the file that the configuration names.

use std::{
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{error::What, origin::Origin, secret::Secret, section::Reader};
use crate::{
    fsx::{FsErrorKind, read_outside},
    telemetry::{REDACTED, Redactor},
};

/// A token is a line, not a book.
const MAX_TOKEN: u64 = 64 * 1024;

/// The variable that holds an agent's token: `CONDUCTOR_AGENT_<NAME>_TOKEN`, in capitals, other characters as `_`.
pub(super) fn variable(agent: &str) -> String {
    let name: String =
        agent.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    format!("CONDUCTOR_AGENT_{name}_TOKEN")
}

/// The token of an agent; a variable beats its file, which is not even opened then. A file that cannot be used
/// is said by whoever calls the agent: it is no reason to do without all the others.
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
        // Somebody may have written the key itself where its file belongs.
        let shown = Redactor::default().text(&path.to_string_lossy()).into_owned();
        reader.note(format!("agents.{agent}.token_file"), Value::from(shown), origin.clone());
        let (owner, what) = (format!("agent '{agent}'"), path);
        format!("{origin}: {}", What::Token { owner, path: what, problem })
    })
}

/// The API key in a file that a flag names.
pub(super) fn of_flag(reader: &mut Reader<'_>, flag: &'static str, path: &Path) -> Option<Secret> {
    key_file(path)
        .map_err(|problem| {
            let what = What::Token { owner: "the API".to_owned(), path: path.to_owned(), problem };
            reader.problem(Origin::Flag(flag), what);
        })
        .ok()
}

/// Reads a key from a file that a user names: one word, the newline behind it left out. A file that other users may
/// read is warned of.
///
/// # Errors
/// What is wrong with the file; fits after its path.
pub fn key_file(path: &Path) -> Result<Secret, String> {
    let key = secret_in(path)?;
    let open_to_others = path.metadata().is_ok_and(|meta| meta.is_file() && meta.mode() & 0o044 != 0);
    if open_to_others {
        tracing::warn!(file = %path.display(), "other users may read this key: chmod 600 its file");
    }
    Ok(key)
}

/// Reads a token file; a missing or empty one is a problem of its `owner`.
pub(super) fn read(reader: &mut Reader<'_>, owner: String, path: &Path, origin: Origin) -> Option<Secret> {
    secret_in(path)
        .map_err(|problem| reader.problem(origin, What::Token { owner, path: path.to_owned(), problem }))
        .ok()
}

/// The one word of a file, or what is wrong with it.
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
