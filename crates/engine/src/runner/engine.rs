//! The parts that running a task takes, shared by everything that drives one.

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::runner::error::Result;
use base::telemetry::Redactor;
use config::{Config, Environment, Loader};
use tree::Tree;

/// Everything that running a task needs. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Runner {
    /// The tree.
    pub tree: Tree,
    /// The settings of this process: for its tree, and for work in its own folder.
    pub config: Arc<Config>,
    /// The source of the settings for work in other folders.
    pub settings: Arc<Settings>,
    /// The environment from which agents inherit all but a few variables.
    pub environment: Arc<Environment>,
    /// The `run-agent` program, which is also the shim.
    pub program: PathBuf,
    /// Removes secrets from everything that is recorded.
    pub redactor: Redactor,
}

/// The settings without those of a project, and a loader that merges a project's settings into them.
#[derive(Debug)]
pub struct Settings {
    /// The settings without those of any project.
    pub base: Arc<Config>,
    /// Reads the settings of a folder.
    pub loader: Loader,
}

impl Runner {
    /// Returns the folders that are searched for programs: our own folder first, so that `run-agent` in an agent is this
    /// program, then `$PATH`.
    #[must_use]
    pub fn search_path(&self) -> OsString {
        let own = self.program.parent().unwrap_or(Path::new("/usr/bin")).to_owned();
        let inherited = self.environment.get_os("PATH").unwrap_or(OsStr::new("/usr/local/bin:/usr/bin:/bin"));
        // Inside a run, our own folder is in front already.
        let rest = std::env::split_paths(inherited).skip_while(|folder| *folder == own);
        let folders = std::iter::once(own.clone()).chain(rest);
        std::env::join_paths(folders).unwrap_or_else(|_| inherited.to_owned())
    }

    /// Returns the settings for work in `folder`, including its `conductor.yaml` if the user trusts that file.
    ///
    /// # Errors
    /// If the trusted file conflicts with the user's settings.
    pub fn config_in(&self, folder: &Path) -> Result<Arc<Config>> {
        match self.settings.loader.trusted_in(folder) {
            None => Ok(self.settings.base.clone()),
            Some(file) => Ok(Arc::new(self.settings.loader.with(&file)?.config)),
        }
    }
}
