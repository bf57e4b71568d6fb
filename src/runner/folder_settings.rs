//! The settings for the folder that an agent works in, the same for every process that drives the task.

use std::{path::Path, sync::Arc};

use super::{Runner, error::Result};
use crate::config::{Config, Loader};

/// The settings without those of a project, and a loader that merges a project's settings into them.
#[derive(Debug)]
pub struct Settings {
    /// The settings without those of any project.
    pub base: Arc<Config>,
    /// Reads the settings of a folder.
    pub loader: Loader,
}

impl Runner {
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
