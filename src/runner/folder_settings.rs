//! The settings of the folder that an agent works in, the same for every process that drives the task.

use std::{path::Path, sync::Arc};

use super::{Runner, error::Result};
use crate::config::{Config, Loader};

/// The settings without those of a project, and what it takes to lay a project's over them.
#[derive(Debug)]
pub struct Settings {
    /// Without those of any project.
    pub base: Arc<Config>,
    /// Reads those of a folder.
    pub loader: Loader,
}

impl Runner {
    /// The settings for work in `folder`: with those of its `conductor.yaml`, if the user trusts that.
    ///
    /// # Errors
    /// If the trusted file does not go with the user's settings any more.
    pub fn config_in(&self, folder: &Path) -> Result<Arc<Config>> {
        match self.settings.loader.trusted_in(folder) {
            None => Ok(self.settings.base.clone()),
            Some(file) => Ok(Arc::new(self.settings.loader.with(&file)?.config)),
        }
    }
}
