//! `_daemon/agents.yaml`: the known facts about the agents' programs on this machine, so that a launch need not ask the
//! programs.
//!
//! An entry describes one file and is valid only as long as the file's inode, time and size are unchanged. After that
//! the path may hold another program.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Tree, error::Result, paths::top};
use base::{
    fsx::RelPath,
    names,
    record::{self, Record, Spelling},
};

/// All known programs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KnownPrograms {
    /// Format version; 1.
    pub version: u64,
    /// One entry per program.
    pub programs: Vec<KnownProgram>,
}

/// The known facts about one program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KnownProgram {
    /// Its absolute path, as it is called.
    pub path: PathBuf,
    /// The file behind the path, after all links.
    #[serde(flatten)]
    pub file: FileMark,
    /// The version that the program reports; absent if it reports none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub program_version: Option<String>,
    /// Time when the program was asked.
    pub asked_at: DateTime<Utc>,
}

/// Distinguishes a file from another one that replaces it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileMark {
    /// Its inode.
    pub inode: u64,
    /// Time of its last change, in nanoseconds since 1970.
    pub modified_ns: i64,
    /// Its length in bytes.
    pub size: u64,
}

impl Record for KnownPrograms {
    const SPELLING: Spelling = Spelling::Yaml;
}

impl KnownPrograms {
    /// Returns the entry of a program, if the file is still the one that was asked.
    #[must_use]
    pub fn of(&self, path: &Path, file: FileMark) -> Option<&KnownProgram> {
        self.programs.iter().find(|p| p.path == path && p.file == file)
    }
}

fn path() -> RelPath {
    top::daemon().join(names::top::KNOWN_PROGRAMS)
}

impl Tree {
    /// Returns the known facts about the agents' programs.
    ///
    /// # Errors
    /// If the record cannot be parsed.
    pub fn known_programs(&self) -> Result<KnownPrograms> {
        Ok(record::read(self.root(), &path())?.unwrap_or_default())
    }

    /// Stores the facts about the agents' programs. The last writer wins, because every writer has asked the programs.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn remember_programs(&self, programs: Vec<KnownProgram>) -> Result<()> {
        self.root().ensure_dir(&top::daemon())?;
        Ok(record::write(self.root(), &path(), &KnownPrograms { version: KnownPrograms::VERSION, programs })?)
    }
}
