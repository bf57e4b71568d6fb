//! A project's home: the folder that its `PROJECT-ROOT.txt` names.

use std::path::PathBuf;

use super::{Tree, error::Result, ids::ProjectId, paths::ProjectDir};

/// The longest `PROJECT-ROOT.txt` that is read: a path and a line end.
const LONGEST: u64 = 8192;

impl Tree {
    /// Returns the folder that `PROJECT-ROOT.txt` names; `None` if the project has none.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn project_home(&self, project: &ProjectId) -> Result<Option<PathBuf>> {
        let marker = self.root().read_opt(&ProjectDir::new(project).root_marker(), LONGEST)?;
        let text = marker.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
        // Only the line end is removed, because the name of a folder may end with a space.
        let line = text.trim_end_matches(['\n', '\r']);
        Ok((!line.trim().is_empty()).then(|| PathBuf::from(line)))
    }
}
