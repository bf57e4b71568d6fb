//! `_daemon/agents.yaml`: what is known of the agents' programs on this machine, so that no launch has to ask them.
//!
//! An entry is about one file, and worth nothing once the file is another: it is believed only as long as
//! inode, time and size are what they were.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Tree, error::Result, paths::top};
use crate::{
    fsx::RelPath,
    names,
    record::{self, Record, Spelling},
};

/// All that is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KnownPrograms {
    /// Format version; 1.
    pub version: u64,
    /// One entry per program.
    pub programs: Vec<KnownProgram>,
}

/// What is known of one program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KnownProgram {
    /// Its absolute path, as it is called.
    pub path: PathBuf,
    /// Which file that was, behind all links.
    #[serde(flatten)]
    pub file: FileMark,
    /// What it says of its version; absent: it says nothing that is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub program_version: Option<String>,
    /// When it was asked.
    pub asked_at: DateTime<Utc>,
}

/// What tells a file from the one that takes its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileMark {
    /// Its inode.
    pub inode: u64,
    /// When it was written, in nanoseconds since 1970.
    pub modified_ns: i64,
    /// Its length in bytes.
    pub size: u64,
}

impl Record for KnownPrograms {
    const SPELLING: Spelling = Spelling::Yaml;
}

impl KnownPrograms {
    /// What is known of a program, if it is still the file that was asked.
    #[must_use]
    pub fn of(&self, path: &Path, file: FileMark) -> Option<&KnownProgram> {
        self.programs.iter().find(|p| p.path == path && p.file == file)
    }
}

fn path() -> RelPath {
    top::daemon().join(names::top::KNOWN_PROGRAMS)
}

impl Tree {
    /// What is known of the agents' programs.
    ///
    /// # Errors
    /// If the record cannot be understood.
    pub fn known_programs(&self) -> Result<KnownPrograms> {
        Ok(record::read(self.root(), &path())?.unwrap_or_default())
    }

    /// Writes down what is known of the agents' programs. Of two writers the last one wins: both have asked the programs.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn remember_programs(&self, programs: Vec<KnownProgram>) -> Result<()> {
        self.root().ensure_dir(&top::daemon())?;
        Ok(record::write(self.root(), &path(), &KnownPrograms { version: KnownPrograms::VERSION, programs })?)
    }
}
