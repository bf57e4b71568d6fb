//! Versioned records: reads and writes our YAML and JSON files, with size limits and errors that name line and column.
//! The module that owns a record defines its meaning.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    flat_record,
    fsx::{Batch, FsError, RelPath, Root},
};

/// Result of reading or writing a record.
pub type Result<T> = std::result::Result<T, RecordError>;

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
    /// The spelling of the file.
    const SPELLING: Spelling;
    /// The newest version that this program writes and understands.
    const VERSION: u64 = 1;
    /// The largest file that is read.
    const MAX_BYTES: u64 = MAX_RECORD;
}

/// A record that cannot be read or written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RecordError {
    /// An operation on the disk failed.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// The file is not such a record.
    #[error(transparent)]
    Bad(#[from] BadRecord),
}

/// A file that is not the record it should be. It is left unchanged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadRecord {
    /// The file cannot be parsed.
    #[error("{} {problem}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// The problem with the file, with line and column if known; fits after the path.
        problem: String,
    },
    /// A newer version of this program wrote the file.
    #[error("{} {}", path.display(), self.problem())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version in the file.
        found: u64,
        /// The newest version that this program knows.
        known: u64,
    },
}

impl BadRecord {
    /// Returns the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        let (Self::Corrupt { path, .. } | Self::Newer { path, .. }) = self;
        path
    }

    /// Returns the problem with the file; fits after its path.
    #[must_use]
    pub fn problem(&self) -> String {
        match self {
            Self::Corrupt { problem, .. } => problem.clone(),
            Self::Newer { found, known, .. } => {
                format!("has format version {found}, this program knows up to {known}")
            }
        }
    }
}

#[derive(Deserialize)]
struct Probe {
    #[serde(default)]
    version: Option<u64>,
}

/// Reads a record; `None` if there is no file.
///
/// # Errors
/// [`RecordError::Bad`], which names the file. The file is never changed.
pub fn read<T: Record>(root: &Root, rel: &RelPath) -> Result<Option<T>> {
    match root.read_opt(rel, T::MAX_BYTES) {
        Ok(Some(bytes)) => parse(&bytes, root, rel).map(Some),
        Ok(None) => Ok(None),
        Err(e) if e.is_wrong_kind() => {
            let problem = format!("is not a regular file: {}", e.source);
            Err(BadRecord::Corrupt { path: root.absolute(rel), problem }.into())
        }
        Err(e) => Err(e.into()),
    }
}

/// Reads a record for which a thing of the wrong kind, which an agent may have put there, counts as absent.
///
/// # Errors
/// As [`read`].
pub fn read_if_file<T: Record>(root: &Root, rel: &RelPath) -> Result<Option<T>> {
    match root.read_if_file(rel, T::MAX_BYTES)? {
        Some(bytes) => parse(&bytes, root, rel).map(Some),
        None => Ok(None),
    }
}

/// Parses the bytes of a record.
///
/// # Errors
/// As [`read`].
pub fn parse<T: Record>(bytes: &[u8], root: &Root, rel: &RelPath) -> Result<T> {
    let corrupt = |problem: String| BadRecord::Corrupt { path: root.absolute(rel), problem };
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(corrupt("is empty".to_owned()).into());
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|e| corrupt(format!("is not UTF-8 text (byte {})", e.valid_up_to())))?;
    if !says_its_version::<T>(text)
        && let Ok(Probe { version: Some(found) }) = decode::<Probe>(T::SPELLING, text)
        && found > T::VERSION
    {
        return Err(BadRecord::Newer { path: root.absolute(rel), found, known: T::VERSION }.into());
    }
    Ok(decode(T::SPELLING, text).map_err(|problem| corrupt(format!("is not readable: {problem}")))?)
}

/// Returns true if a line states the version that this program writes. Every file of ours has such a line, and parsing
/// the file for the version alone would double the work of a start. A line without indent belongs to the record itself,
/// in any YAML.
fn says_its_version<T: Record>(text: &str) -> bool {
    T::SPELLING == Spelling::Yaml
        && text
            .lines()
            .any(|line| line.strip_prefix("version: ").is_some_and(|v| v.parse() == Ok(T::VERSION)))
}

/// Writes a complete record, durably.
///
/// # Errors
/// If the disk fails. The old record is kept then.
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

/// Returns the bytes of a record for the disk.
///
/// # Errors
/// If a value cannot be represented in the format (a map with a non-text key).
pub fn bytes<T: Record>(root: &Root, rel: &RelPath, record: &T) -> Result<Vec<u8>> {
    let unspeakable = |problem: String| BadRecord::Corrupt { path: root.absolute(rel), problem };
    Ok(match T::SPELLING {
        Spelling::Yaml => {
            // One line per value: `grep stdout_path run-info.yaml` finds the path.
            let options = serde_yaml::ser_options! { prefer_block_scalars: false };
            serde_yaml::to_string_with_options(record, options)
                .map(String::into_bytes)
                .map_err(|e| unspeakable(e.to_string()))?
        }
        Spelling::Json => {
            let mut bytes = serde_json::to_vec_pretty(record).map_err(|e| unspeakable(e.to_string()))?;
            bytes.push(b'\n');
            bytes
        }
    })
}

fn decode<T: DeserializeOwned>(spelling: Spelling, text: &str) -> std::result::Result<T, String> {
    match spelling {
        Spelling::Yaml => match flat_record::parse(text) {
            Some(record) => Ok(record),
            None => serde_yaml::from_str(text).map_err(|e| e.without_snippet().to_string()),
        },
        Spelling::Json => serde_json::from_str(text).map_err(|e| e.to_string()),
    }
}
