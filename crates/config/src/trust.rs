//! The project files that the user trusts, by path and content, in a record of the user's own.
//!
//! The record is outside of every project, so that a repository cannot trust itself:
//! `$XDG_STATE_HOME/conductor/trusted.json`, mode 0600.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::environment::Environment;
use base::fsx::{Durability, FsError, FsErrorKind, Holder, RelPath, Root};

/// The version of the record that this program writes and understands.
const VERSION: u32 = 1;
/// The names of the record and of the lock that its writers take.
const RECORD: &str = "trusted.json";
const LOCK: &str = "trusted.lock";

/// The reason why the record is unusable.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The folder of the record is unknown.
    #[error("cannot find the folder for trusted files: neither $XDG_STATE_HOME nor $HOME is set")]
    NoFolder,
    /// A file operation failed.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// The file is not such a record.
    #[error("{} is not a valid record of trusted files: {problem}", path.display())]
    Corrupt {
        /// The record.
        path: PathBuf,
        /// The problem with it.
        problem: String,
    },
}

/// One trusted file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trusted {
    /// Its path; the path of its folder contains no links.
    pub path: PathBuf,
    /// SHA-256 of its content, in hexadecimal digits.
    pub sha256: String,
    /// Time at which it was trusted, RFC 3339.
    pub at: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Record {
    version: u32,
    trusted: Vec<Trusted>,
}

/// The user's record.
#[derive(Debug, Clone)]
pub struct Trust {
    folder: PathBuf,
}

impl Trust {
    /// Returns the record of the user with this environment.
    ///
    /// # Errors
    /// [`TrustError::NoFolder`] without a home folder.
    pub fn of(environment: &Environment) -> Result<Self, TrustError> {
        let xdg = environment.get_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        let state = xdg.or_else(|| Some(environment.home()?.join(".local/state")));
        Ok(Self { folder: state.ok_or(TrustError::NoFolder)?.join("conductor") })
    }

    /// Returns every trusted file, by path.
    ///
    /// # Errors
    /// If the record exists and cannot be read.
    pub fn list(&self) -> Result<Vec<Trusted>, TrustError> {
        match Root::open(&self.folder, Durability::Always) {
            Ok(root) => self.read(&root),
            Err(e) if e.kind() == FsErrorKind::NotFound => Ok(Vec::new()),
            Err(e) => Err(e.into()),
        }
    }

    /// Returns true if exactly this content of the file is trusted.
    ///
    /// # Errors
    /// If the record exists and cannot be read.
    pub fn has(&self, path: &Path, sha256: &str) -> Result<bool, TrustError> {
        Ok(self.list()?.iter().any(|trusted| trusted.path == path && trusted.sha256 == sha256))
    }

    /// Trusts a file. Replaces an earlier entry for the same path.
    ///
    /// # Errors
    /// If the record cannot be written.
    pub fn add(&self, new: Trusted) -> Result<(), TrustError> {
        self.change(|list| {
            list.retain(|trusted| trusted.path != new.path);
            list.push(new);
            list.sort_by(|a, b| a.path.cmp(&b.path));
        })
    }

    /// Revokes the trust in a file. Returns true if it was trusted.
    ///
    /// # Errors
    /// If the record cannot be written.
    pub fn revoke(&self, path: &Path) -> Result<bool, TrustError> {
        let mut was = false;
        self.change(|list| {
            was = list.iter().any(|trusted| trusted.path == path);
            list.retain(|trusted| trusted.path != path);
        })?;
        Ok(was)
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Trusted>)) -> Result<(), TrustError> {
        let root = Root::create(&self.folder, Durability::Always)?;
        let _lock = root.lock(&RelPath::top().join(LOCK), &Holder::named("run-agent config trust"))?;
        let mut trusted = self.read(&root)?;
        change(&mut trusted);
        let record = Record { version: VERSION, trusted };
        let mut bytes = serde_json::to_vec_pretty(&record).map_err(|e| self.corrupt(e.to_string()))?;
        bytes.push(b'\n');
        Ok(root.replace(&RelPath::top().join(RECORD), &bytes)?)
    }

    fn read(&self, root: &Root) -> Result<Vec<Trusted>, TrustError> {
        let Some(bytes) = root.read_opt(&RelPath::top().join(RECORD), 16 * 1024 * 1024)? else {
            return Ok(Vec::new());
        };
        let record: Record = serde_json::from_slice(&bytes).map_err(|e| self.corrupt(e.to_string()))?;
        if record.version != VERSION {
            return Err(self.corrupt(format!("it has version {}, not {VERSION}", record.version)));
        }
        Ok(record.trusted)
    }

    fn corrupt(&self, problem: String) -> TrustError {
        TrustError::Corrupt { path: self.folder.join(RECORD), problem }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_is_trusted_by_path_and_content_until_it_is_revoked() {
        let home = tempfile::tempdir().unwrap();
        let trust = Trust::of(&Environment::from_iter([("HOME", home.path())])).unwrap();
        let file = |path: &str, sha256: &str| Trusted {
            path: path.into(),
            sha256: sha256.to_owned(),
            at: String::new(),
        };
        assert!(trust.list().unwrap().is_empty());
        assert!(!home.path().join(".local").exists(), "looking makes nothing");
        trust.add(file("/b/conductor.yaml", "1")).unwrap();
        trust.add(file("/a/conductor.yaml", "1")).unwrap();
        trust.add(file("/b/conductor.yaml", "2")).unwrap();
        assert!(trust.has(Path::new("/b/conductor.yaml"), "2").unwrap());
        assert!(!trust.has(Path::new("/b/conductor.yaml"), "1").unwrap(), "the content before");
        assert!(!trust.has(Path::new("/c/conductor.yaml"), "2").unwrap(), "the same content elsewhere");
        assert_eq!(trust.list().unwrap().len(), 2);
        assert!(trust.revoke(Path::new("/b/conductor.yaml")).unwrap());
        assert!(!trust.revoke(Path::new("/b/conductor.yaml")).unwrap());
        let record = home.path().join(".local/state/conductor/trusted.json");
        assert_eq!(record.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        for odd in ["{", r#"{"version": 2, "trusted": []}"#] {
            base::fsx::replace_outside(&record, odd.as_bytes()).unwrap();
            assert!(matches!(trust.list(), Err(TrustError::Corrupt { .. })), "{odd}");
        }
        assert!(matches!(Trust::of(&Environment::default()), Err(TrustError::NoFolder)));
    }
}
