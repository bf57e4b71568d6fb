//! The logins that agents keep for themselves: the places of their files, and searching an agent's own settings.

use std::path::{Path, PathBuf};

use base::fsx::{self, FsErrorKind};
use config::{AgentSettings, Environment};

/// The largest settings file of an agent that is searched.
const LONGEST_SETTINGS: u64 = 1024 * 1024;

/// The login that an agent keeps for itself, as it documents it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Login {
    /// The agent's own folder; `None` if it keeps no login.
    pub folder: Option<Folder>,
    /// The files in that folder, any of which is a login.
    pub files: &'static [&'static str],
    /// The first half of the hint for logging in: empty, or ends with a comma and a space.
    pub hint: &'static str,
}

impl Login {
    /// The files in which the agent keeps its login.
    #[must_use]
    pub fn paths(&self, environment: &Environment) -> Vec<PathBuf> {
        let folder = self.folder.and_then(|folder| folder.path(environment));
        folder.iter().flat_map(|folder| self.files.iter().map(|file| folder.join(file))).collect()
    }
}

/// The folder that an agent has for itself.
#[derive(Debug, Clone, Copy)]
pub struct Folder {
    /// The variable that names another folder.
    pub variable: &'static str,
    /// The default folder, below the home folder.
    pub below_home: &'static str,
    /// The part of the path below either of them.
    pub inside: &'static str,
}

impl Folder {
    /// Its path in an environment; `None` without a home folder.
    #[must_use]
    pub fn path(self, environment: &Environment) -> Option<PathBuf> {
        let moved = environment.get_os(self.variable).map(PathBuf::from);
        let folder = moved.or_else(|| environment.home().map(|home| home.join(self.below_home)))?;
        Some(if self.inside.is_empty() { folder } else { folder.join(self.inside) })
    }
}

/// Read access to the files of an agent's own settings.
pub trait Files {
    /// Returns true if the file exists, as far as this process can tell.
    fn exists(&self, path: &Path) -> bool;
    /// Returns true if the file contains one of these words, or exists and cannot be read.
    fn mentions(&self, path: &Path, words: &[&str]) -> bool;
}

/// The files of this machine.
#[derive(Debug, Clone, Copy)]
pub struct OnDisk;

impl Files for OnDisk {
    fn exists(&self, path: &Path) -> bool {
        path.try_exists().unwrap_or(true)
    }

    fn mentions(&self, path: &Path, words: &[&str]) -> bool {
        match fsx::read_regular_outside(path, LONGEST_SETTINGS) {
            Ok(bytes) => {
                let text = String::from_utf8_lossy(&bytes);
                words.iter().any(|word| text.contains(word))
            }
            Err(e) => !matches!(e.kind(), FsErrorKind::NotFound | FsErrorKind::NotAFolder),
        }
    }
}

/// The agent that needs credentials, and the places to search.
#[derive(Clone, Copy)]
pub struct Search<'a> {
    /// Its name.
    pub agent: &'a str,
    /// Its settings.
    pub settings: &'a AgentSettings,
    /// The variable that would hold the key in a run.
    pub key: Option<&'static str>,
    /// The environment of such a run.
    pub environment: &'a Environment,
    /// The folder that such a run works in.
    pub cwd: &'a Path,
    /// The files.
    pub files: &'a dyn Files,
}

impl Search<'_> {
    /// Returns a variable that is set and may name a login, in the words of
    /// [`another_way`](super::Agent::another_way).
    pub(super) fn variable(&self, is_sign: impl Fn(&str) -> bool) -> Option<String> {
        let mut set = self.environment.iter().filter(|(_, value)| !value.is_empty());
        let found = set.find_map(|(name, _)| name.to_str().filter(|name| is_sign(name)))?;
        Some(format!("${found} may name one"))
    }

    /// A file with one of these words, which may name a login.
    pub(super) fn file(&self, paths: impl IntoIterator<Item = PathBuf>, words: &[&str]) -> Option<String> {
        let found = paths.into_iter().find(|path| self.files.mentions(path, words))?;
        Some(format!("{} may name one", found.display()))
    }
}
