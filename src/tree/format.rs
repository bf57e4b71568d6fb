//! Reading and writing our YAML and JSON files: size caps, versions, and errors that name line and column.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::error::{Result, TreeError};
use crate::fsx::{Batch, RelPath, Root};

/// The largest record file that is read. Bodies of the bus have their own limit.
pub const MAX_RECORD: u64 = 4 * 1024 * 1024;

/// The spelling of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// `*.yaml`.
    Yaml,
    /// `*.json`.
    Json,
}

/// A record with a file of its own and a version in it.
pub trait Record: Serialize + DeserializeOwned {
    /// How the file is spelled.
    const SPELLING: Spelling;
    /// The newest version that this program writes and understands.
    const VERSION: u64 = 1;
}

#[derive(Deserialize)]
struct Probe {
    #[serde(default)]
    version: Option<u64>,
}

/// Reads a record; `None` if there is no file.
///
/// # Errors
/// [`TreeError::Corrupt`] and [`TreeError::Newer`] name the file; it is never changed.
pub fn read<T: Record>(root: &Root, rel: &RelPath) -> Result<Option<T>> {
    match root.read_opt(rel, MAX_RECORD)? {
        Some(bytes) => parse(&bytes, root, rel).map(Some),
        None => Ok(None),
    }
}

/// Understands the bytes of a record.
///
/// # Errors
/// As [`read`].
pub fn parse<T: Record>(bytes: &[u8], root: &Root, rel: &RelPath) -> Result<T> {
    let corrupt = |problem: String| TreeError::Corrupt { path: root.absolute(rel), problem };
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(corrupt("is empty".to_owned()));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|e| corrupt(format!("is not UTF-8 text (byte {})", e.valid_up_to())))?;
    if !says_its_version::<T>(text)
        && let Ok(Probe { version: Some(found) }) = decode::<Probe>(T::SPELLING, text)
        && found > T::VERSION
    {
        return Err(TreeError::Newer { path: root.absolute(rel), found, known: T::VERSION });
    }
    decode(T::SPELLING, text).map_err(|problem| corrupt(format!("is not readable: {problem}")))
}

/// Whether a line says that this is the version that we write, as it stands in every file of ours: to parse the file for
/// that alone would double what a start reads. A line without indent belongs to the record itself, in any YAML.
fn says_its_version<T: Record>(text: &str) -> bool {
    T::SPELLING == Spelling::Yaml
        && text
            .lines()
            .any(|line| line.strip_prefix("version: ").is_some_and(|v| v.parse() == Ok(T::VERSION)))
}

/// Writes a record, whole and durably.
///
/// # Errors
/// If the disk fails; the old record stays then.
pub fn write<T: Record>(root: &Root, rel: &RelPath, record: &T) -> Result<()> {
    Ok(root.replace(rel, &bytes(root, rel, record)?)?)
}

/// Writes a record, durable with the batch.
///
/// # Errors
/// As [`write()`].
pub fn write_in<T: Record>(batch: &mut Batch<'_>, root: &Root, rel: &RelPath, record: &T) -> Result<()> {
    Ok(batch.write(rel, &bytes(root, rel, record)?)?)
}

/// The bytes of a record as they go to disk.
///
/// # Errors
/// If a value has no spelling in the format (a map with a non-text key).
pub fn bytes<T: Record>(root: &Root, rel: &RelPath, record: &T) -> Result<Vec<u8>> {
    let unspeakable = |e: String| TreeError::Corrupt { path: root.absolute(rel), problem: e };
    match T::SPELLING {
        Spelling::Yaml => {
            // One line per value: `grep stdout_path run-info.yaml` finds the path.
            let options = serde_yaml::ser_options! { prefer_block_scalars: false };
            serde_yaml::to_string_with_options(record, options)
                .map(String::into_bytes)
                .map_err(|e| unspeakable(e.to_string()))
        }
        Spelling::Json => serde_json::to_vec_pretty(record)
            .map(|mut b| {
                b.push(b'\n');
                b
            })
            .map_err(|e| unspeakable(e.to_string())),
    }
}

fn decode<T: DeserializeOwned>(spelling: Spelling, text: &str) -> std::result::Result<T, String> {
    match spelling {
        Spelling::Yaml => serde_yaml::from_str(text).map_err(|e| e.without_snippet().to_string()),
        Spelling::Json => serde_json::from_str(text).map_err(|e| e.to_string()),
    }
}
