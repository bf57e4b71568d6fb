//! Opens a bundle. Another person may have made it, or repacked it with another tar program, so it is unpacked into a
//! folder of its own and nowhere else.

use std::{
    collections::BTreeMap,
    io::{self, BufRead, BufReader, ErrorKind, Read, Take},
    path::{Component, Path, PathBuf},
};

use flate2::bufread::GzDecoder;
use tar::{Archive, EntryType};

use super::manifest::{FILE, Manifest};
use crate::{
    Tree, TreeError,
    ids::{ProjectId, TaskId},
    refs::TaskRef,
};
use base::{
    clock::Clock,
    fsx::{Durability, FsError, RelPath, Scratch, open_outside},
    record::{self, RecordError},
};

/// Largest total size of an unpacked bundle, in bytes.
const MAX_BYTES: u64 = 4 * 1024 * 1024 * 1024;
/// Largest number of files.
const MAX_FILES: usize = 100_000;
/// Largest number of names in one path.
const MAX_DEPTH: usize = 16;

/// The reason why a bundle is unusable.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// An operation on the disk failed.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// A record in the bundle is unusable.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The file is not an archive, or is truncated.
    #[error("{} is not a readable tar.gz", path.display())]
    Archive {
        /// The file.
        path: PathBuf,
        /// The problem with it.
        source: io::Error,
    },
    /// The archive contains something that no bundle contains.
    #[error("{} is not a bundle that can be used: {problem}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// The unexpected content.
        problem: String,
    },
}

/// A bundle, unpacked into a tree that is removed together with this value.
#[derive(Debug)]
pub struct Bundle {
    /// The bundle's description of itself.
    pub manifest: Manifest,
    /// The unpacked tree.
    pub tree: Tree,
    _scratch: Scratch,
}

impl Bundle {
    /// Returns the task in the bundle.
    #[must_use]
    pub fn task(&self) -> TaskRef {
        TaskRef { project: self.manifest.project_id.clone(), task: self.manifest.task_id.clone() }
    }
}

/// Unpacks a bundle below `temporary`.
///
/// # Errors
/// If it is not a bundle, is incomplete, was changed, contains links or paths that lead elsewhere, or is too large.
pub fn open(path: &Path, temporary: &Path) -> Result<Bundle, BundleError> {
    let opening = Opening { path, scratch: Scratch::new(temporary)? };
    let mut archive = Archive::new(opening.stream()?);
    let came = opening.unpack(&mut archive)?;
    opening.to_the_end(archive.into_inner())?;
    let root = opening.scratch.root();
    let manifest = match record::read::<Manifest>(root, &RelPath::top().join(FILE)) {
        Ok(Some(manifest)) => manifest,
        Ok(None) => return Err(opening.refused(format!("it has no {FILE}"))),
        // The path in the error would name a folder that is removed before the error is read.
        Err(RecordError::Bad(bad)) => return Err(opening.refused(format!("{FILE} {}", bad.problem()))),
        Err(RecordError::Fs(e)) => return Err(e.into()),
    };
    if let Some(problem) = manifest.contradiction(&came) {
        return Err(opening.refused(problem));
    }
    let tree = Tree::open(root.path(), Durability::Never, Clock::System)?;
    Ok(Bundle { manifest, tree, _scratch: opening.scratch })
}

/// The decompressed archive, limited to the size that a bundle may have.
type Stream = Take<GzDecoder<Box<dyn BufRead>>>;

/// A bundle while it is opened.
struct Opening<'a> {
    path: &'a Path,
    scratch: Scratch,
}

impl Opening<'_> {
    fn refused(&self, problem: String) -> BundleError {
        BundleError::Refused { path: self.path.to_owned(), problem }
    }

    fn unreadable(&self, source: io::Error) -> BundleError {
        BundleError::Archive { path: self.path.to_owned(), source }
    }

    fn stream(&self) -> Result<Stream, BundleError> {
        let whole: Box<dyn BufRead> = Box::new(BufReader::new(open_outside(self.path)?));
        // One byte more than allowed, so that an excess is detected.
        Ok(GzDecoder::new(whole).take(MAX_BYTES + 1))
    }

    /// Unpacks the files and returns the size of each.
    fn unpack(&self, archive: &mut Archive<Stream>) -> Result<BTreeMap<String, u64>, BundleError> {
        let mut came = BTreeMap::new();
        let mut left = MAX_BYTES;
        for entry in archive.entries().map_err(|e| self.unreadable(e))? {
            let mut entry = entry.map_err(|e| self.unreadable(e))?;
            let name = entry.path().map_err(|e| self.unreadable(e))?;
            // `tar -czf x.tar.gz .` writes names in this form.
            let name = name.strip_prefix(".").unwrap_or(&name).to_owned();
            match entry.header().entry_type() {
                EntryType::Regular => {}
                // A global header describes the archive, not a file.
                EntryType::Directory | EntryType::XGlobalHeader => continue,
                other => return Err(self.refused(format!("{} is a {other:?}", name.display()))),
            }
            let rel = place(&name).ok_or_else(|| {
                self.refused(format!("'{}' is not a valid path in a bundle", name.display()))
            })?;
            if came.len() >= MAX_FILES || entry.size() > left {
                return Err(self.refused("it is too large".to_owned()));
            }
            let root = self.scratch.root();
            let written = root
                .ensure_passing_dir(&rel.parent())
                .and_then(|()| root.fill_new(&rel, &mut entry, left))
                .map_err(|e| self.not_written(&rel, e))?;
            if written != entry.size() {
                return Err(self.unreadable(io::ErrorKind::UnexpectedEof.into()));
            }
            left -= written;
            came.insert(rel.to_string(), written);
        }
        Ok(came)
    }

    /// Decides if the disk or the bundle caused the failure to unpack a file.
    fn not_written(&self, rel: &RelPath, error: FsError) -> BundleError {
        match error.source.kind() {
            // The error does not come from the kernel, so the archive is truncated or corrupt.
            kind if error.source.raw_os_error().is_none() => {
                self.unreadable(io::Error::new(kind, error.source.to_string()))
            }
            ErrorKind::AlreadyExists | ErrorKind::NotADirectory | ErrorKind::IsADirectory => {
                self.refused(format!("{rel} is in it twice, or is a file and a folder"))
            }
            ErrorKind::InvalidFilename => self.refused(format!("'{rel}' is not a valid path in a bundle")),
            _ => BundleError::Fs(error),
        }
    }

    /// Reads the data after the last file: only there the decoder compares checksum and length.
    fn to_the_end(&self, mut stream: Stream) -> Result<(), BundleError> {
        let mut block = vec![0; 64 * 1024];
        loop {
            match stream.read(&mut block) {
                Ok(0) => break,
                Ok(n) if block[..n].iter().all(|b| *b == 0) => {}
                Ok(_) => return Err(self.refused("there is data after its last file".to_owned())),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(self.unreadable(e)),
            }
        }
        if stream.limit() == 0 {
            return Err(self.refused("it is too large".to_owned()));
        }
        let mut file = stream.into_inner().into_inner();
        let rest = file.fill_buf().map_err(|e| self.unreadable(e))?;
        if rest.is_empty() { Ok(()) } else { Err(self.refused("there is data after its end".to_owned())) }
    }
}

/// Returns the path to which a file of a bundle is unpacked: the manifest, or a path below a project and a task.
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
