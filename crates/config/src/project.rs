//! A project's own settings: `conductor.yaml` in its folder. They are used only after the user has trusted the file.
//!
//! A repository comes from other people. Its file could choose the programs that run and the receivers of prompts and
//! tokens. So a file is used only with the content that the user has seen (`run-agent config trust`). Even then the
//! sections about this machine and its daemon are rejected.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use sha2::{Digest, Sha256};

use super::{
    environment::Environment,
    error::{ConfigError, Problem, ProblemKind},
    node::{Entry, Node, Raw},
    origin::Origin,
    trust::{Trust, TrustError},
};
use base::fsx::{FsError, FsErrorKind, read_regular_outside};

/// The name of a project's file.
pub const PROJECT_FILE: &str = "conductor.yaml";
/// Largest size of such a file.
const MAX_FILE: u64 = 1024 * 1024;
/// The sections that a project may not set: the machine's server, tree and plug-ins.
const NOT_OF_A_PROJECT: [&str; 5] = ["api", "storage", "faces", "executors", "extensions"];

/// The content of a project's file.
#[derive(Debug, Clone)]
pub struct ProjectFile {
    path: Arc<Path>,
    bytes: Vec<u8>,
    sha256: String,
}

impl ProjectFile {
    /// Reads the file of a folder, if there is one. A FIFO or a folder of that name is an error, and does not block.
    ///
    /// # Errors
    /// If the file exists and cannot be read.
    pub fn in_folder(folder: &Path) -> Result<Option<Self>, FsError> {
        match read_regular_outside(&folder.join(PROJECT_FILE), MAX_FILE) {
            Ok(bytes) => {
                // The path is without links, so that a link cannot present another folder under a trusted path.
                let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
                let path = folder.join(PROJECT_FILE);
                let sha256 = hex(&Sha256::digest(&bytes));
                Ok(Some(Self { path: path.into(), bytes, sha256 }))
            }
            Err(e) if matches!(e.kind(), FsErrorKind::NotFound | FsErrorKind::NotAFolder) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Returns the path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the SHA-256 of its content, in hexadecimal digits.
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Returns true if the user trusts this content.
    ///
    /// # Errors
    /// If the user's record cannot be read.
    pub fn is_trusted(&self, environment: &Environment) -> Result<bool, TrustError> {
        Trust::of(environment)?.has(&self.path, &self.sha256)
    }

    pub(super) fn shared_path(&self) -> Arc<Path> {
        self.path.clone()
    }

    /// Parses the content.
    ///
    /// # Errors
    /// If it is not YAML.
    pub(super) fn parse(&self) -> Result<Node, ConfigError> {
        Node::of_file(&self.path, &self.bytes)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Removes the sections that a project may not set. Each of them is a problem.
pub(super) fn refuse_foreign_sections(node: &mut Node, file: &Arc<Path>) -> Vec<Problem> {
    let Raw::Map(entries) = &mut node.raw else { return Vec::new() };
    let refused = entries.extract_if(.., |entry| NOT_OF_A_PROJECT.contains(&entry.key.as_str()));
    let problem = |entry: Entry| Problem {
        origin: Origin::File(file.clone(), entry.at.line),
        what: ProblemKind::NotOfAProject { key: entry.key },
    };
    refused.map(problem).collect()
}

/// The use of the project file in the folder that the settings were loaded for.
#[derive(Debug, Clone, Default)]
pub enum ProjectUse {
    /// There is no file, or it was not asked for.
    #[default]
    None,
    /// The file is trusted, and part of the settings.
    Used(PathBuf),
    /// The file is not trusted, or cannot be read. Nothing in it is used.
    Untrusted(PathBuf),
}
