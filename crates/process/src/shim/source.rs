//! The sources of a shim's launch: the driver that starts it, or the run's folder.

use std::{fmt::Display, io::Read as _, path::Path};

use super::super::{
    claim::Claim,
    launch_files::{self, Env},
    spec::LaunchSpec,
};
use base::fsx::{Durability, RelPath, Root};

/// The source of a shim's launch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// The driver that started it: the spec comes on standard input, and the environment is the shim's own.
    Driver,
    /// The run's folder: an executor has started the shim.
    Folder,
}

impl Source {
    /// Reads the launch; `None` if the run is claimed, and nothing is left to launch.
    pub(super) fn read(self, run_dir: &Path) -> Result<Option<(LaunchSpec, Env)>, String> {
        match self {
            Self::Driver => Ok(Some((of_driver()?, std::env::vars_os().collect()))),
            Self::Folder => of_folder(run_dir),
        }
    }

    /// Removes the secrets of a launch that another process has claimed: they may have been written again after it had
    /// removed them.
    pub(super) fn forget(self, spec: &LaunchSpec) {
        if self == Self::Folder
            && let Ok(root) = Root::open(&spec.root, Durability::Never)
        {
            // The driver removes what is left.
            let _ = launch_files::remove_secrets(&root, &spec.run_dir);
        }
    }
}

fn of_driver() -> Result<LaunchSpec, String> {
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes).map_err(|e| format!("cannot read the launch spec: {e}"))?;
    serde_json::from_slice(&bytes).map_err(|e| format!("the launch spec is not readable: {e}"))
}

fn of_folder(run_dir: &Path) -> Result<Option<(LaunchSpec, Env)>, String> {
    let (root, here) = (Root::open(run_dir, Durability::Never).map_err(text)?, RelPath::top());
    let launch = launch_files::read(&root, &here).map_err(text)?;
    // Checked after the launch was read, because the secrets are removed only after a claim.
    if Claim::read(&root, &here).map_err(text)?.is_some() {
        launch_files::remove_secrets(&root, &here).map_err(text)?;
        return Ok(None);
    }
    launch
        .map(Some)
        .ok_or_else(|| format!("there is no complete launch specification in {}", run_dir.display()))
}

/// Formats an error as the text of a report.
pub(super) fn text(e: impl Display) -> String {
    e.to_string()
}
