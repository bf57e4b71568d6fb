//! Opening a bundle that somebody else may have made: into a folder of its own, and nowhere else.

use std::{
    io::{self, Read},
    path::{Component, Path, PathBuf},
};

use flate2::read::GzDecoder;
use tar::{Archive, EntryType};

use super::manifest::{FILE, Manifest};
use crate::{
    clock::Clock,
    fsx::{Durability, FsError, RelPath, Scratch, open_outside},
    tree::{
        Tree, TreeError, format,
        ids::{ProjectId, TaskId},
        refs::TaskRef,
    },
};

/// Bytes that a bundle may have when it is unpacked.
const MAX_BYTES: u64 = 4 * 1024 * 1024 * 1024;
/// Files that it may have.
const MAX_FILES: usize = 100_000;
/// Names in one path.
const MAX_DEPTH: usize = 16;

/// Why a bundle cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The disk said no.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// A record in it cannot be used.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// It is no archive, or ends before its end.
    #[error("{} is not a readable tar.gz", path.display())]
    Archive {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
    /// It holds what no bundle holds.
    #[error("{} is not a bundle that can be used: {problem}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// What it holds.
        problem: String,
    },
}

/// A bundle, unpacked into a tree that is gone with it.
#[derive(Debug)]
pub struct Bundle {
    /// What it says of itself.
    pub manifest: Manifest,
    /// The tree.
    pub tree: Tree,
    _scratch: Scratch,
}

impl Bundle {
    /// The task that it holds.
    #[must_use]
    pub fn task(&self) -> TaskRef {
        TaskRef { project: self.manifest.project_id.clone(), task: self.manifest.task_id.clone() }
    }
}

/// Unpacks a bundle below `temporary`.
///
/// # Errors
/// If it is no bundle, holds links or paths that lead elsewhere, or is too large.
pub fn open(path: &Path, temporary: &Path) -> Result<Bundle, BundleError> {
    let file = open_outside(path)?;
    let scratch = Scratch::new(temporary)?;
    let refused = |problem: String| BundleError::Refused { path: path.to_owned(), problem };
    let archive_error = |source| BundleError::Archive { path: path.to_owned(), source };
    // One more than is allowed, so that it is seen.
    let mut archive = Archive::new(GzDecoder::new(file).take(MAX_BYTES + 1));
    let (mut files, mut left) = (0, MAX_BYTES);
    for entry in archive.entries().map_err(archive_error)? {
        let mut entry = entry.map_err(archive_error)?;
        let name = entry.path().map_err(archive_error)?.into_owned();
        match entry.header().entry_type() {
            EntryType::Regular => {}
            EntryType::Directory => continue,
            other => return Err(refused(format!("{} is a {other:?}", name.display()))),
        }
        let rel =
            place(&name).ok_or_else(|| refused(format!("'{}' is no path of a bundle", name.display())))?;
        files += 1;
        if files > MAX_FILES || entry.size() > left {
            return Err(refused("it is too large".to_owned()));
        }
        scratch.root().ensure_passing_dir(&rel.parent())?;
        left -=
            scratch.root().fill_new(&rel, &mut entry, left).map_err(|e| match e.source.raw_os_error() {
                Some(_) => BundleError::Fs(e),
                // No word of the kernel's: it is the archive that ends, or goes wrong.
                None => archive_error(e.source),
            })?;
    }
    let tree = Tree::open(scratch.root().path(), Durability::Never, Clock::System)?;
    let manifest = format::read::<Manifest>(tree.root(), &RelPath::top().join(FILE))?
        .ok_or_else(|| refused(format!("it has no {FILE}")))?;
    Ok(Bundle { manifest, tree, _scratch: scratch })
}

/// Where a file of a bundle is unpacked to: the manifest, or below a project and a task.
fn place(name: &Path) -> Option<RelPath> {
    if name == Path::new(FILE) {
        return Some(RelPath::top().join(FILE));
    }
    let mut parts = name.components();
    let mut text = || match parts.next() {
        Some(Component::Normal(part)) => part.to_str(),
        _ => None,
    };
    text()?.parse::<ProjectId>().ok()?;
    text()?.parse::<TaskId>().ok()?;
    text()?;
    let depth = name.components().count();
    // `a/./b` and `a//b` are the same path in two spellings.
    let plain = name.components().collect::<PathBuf>().as_os_str() == name.as_os_str();
    let rel = RelPath::new(name).ok()?;
    (plain && depth <= MAX_DEPTH && name.to_str().is_some()).then_some(rel)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_a_task_are_unpacked() {
        for good in ["manifest.json", "p/t/TASK.md", "p/t/runs/r/run-info.yaml"] {
            assert!(place(Path::new(good)).is_some(), "{good}");
        }
        for bad in [
            "p/t",
            "p",
            "other.json",
            "/p/t/x",
            "../p/t/x",
            "p/t/../../x",
            "_daemon/t/x",
            "p/t/./x",
            "p//t/x",
            "p/_t/x",
        ] {
            assert!(place(Path::new(bad)).is_none(), "{bad}");
        }
        let deep = format!("p/t/{}x", "d/".repeat(20));
        assert!(place(Path::new(&deep)).is_none());
    }
}
