//! Makes a bundle of a task.

use std::io::{self, Write};

use flate2::{Compression, write::GzEncoder};
use tar::{Builder, EntryType, Header};

use super::{
    manifest::{BundledFile, FILE, LeftOut, Manifest},
    masked::Masked,
};
use crate::{
    Result, Tree, TreeError,
    ids::RunId,
    paths::{RunDir, TaskDir},
    refs::TaskRef,
};
use base::{
    fsx::{EntryKind, RelPath, UnfinishedFile},
    names, record,
    telemetry::Redactor,
};

/// The largest file that goes into a bundle, in bytes.
const MAX_FILE: u64 = 1024 * 1024 * 1024;
/// Files that are of no use elsewhere, and the secrets of a launch, which never leave the tree.
const PASSING: [&str; 4] =
    [names::task::LOCK, names::run::LOCK, names::run::HEARTBEAT, names::run::LAUNCH_SECRETS];
/// Deepest level of a task's own folders that is included.
const DEEP: usize = 8;
/// Number of bytes that are examined to decide if a file is text.
const SAMPLE: u64 = 64 * 1024;

/// The manifest's text about masking.
const NOTE: &str = "Tokens of known shapes, the values after names such as TOKEN= or \"api_key\":, private keys, and \
    the values of secret variables and settings of the creator of this bundle were overwritten, byte for byte. Names, paths, \
    prompts and answers are as they were: read them before you share this file.";

/// The selected part of a task.
#[derive(Debug, Clone)]
pub struct Selection {
    /// The task.
    pub task: TaskRef,
    /// Only these of its runs; empty: all.
    pub runs: Vec<RunId>,
}

impl Selection {
    fn includes(&self, run: &str) -> bool {
        self.runs.is_empty() || self.runs.iter().any(|r| r.as_str() == run)
    }
}

/// Writes a bundle and returns its manifest.
///
/// # Errors
/// If a file cannot be read, or `to` cannot be written.
pub fn pack<W: Write>(
    tree: &Tree,
    selection: &Selection,
    redactor: &Redactor,
    to: W,
) -> io::Result<(Manifest, W)> {
    let files = TaskContents::below(tree, selection).map_err(io::Error::other)?;
    let mut archive = Builder::new(GzEncoder::new(to, Compression::default()));
    let mut manifest = Manifest {
        version: 1,
        run_agent: env!("CARGO_PKG_VERSION").to_owned(),
        made_at: tree.clock().now(),
        project_id: selection.task.project.clone(),
        task_id: selection.task.task.clone(),
        runs: files.runs,
        redaction: NOTE.to_owned(),
        files: Vec::new(),
        left_out: files.left_out,
    };
    for rel in files.files {
        let file = tree.root().open_read(&rel).map_err(io::Error::other)?;
        let size = file.size().map_err(io::Error::other)?;
        // An asterisk at the start of a YAML value would be a reference.
        let yaml = rel.as_path().extension().is_some_and(|e| e == "yaml");
        let with = if yaml { b'x' } else { b'*' };
        let mut masked = Masked::new(&file, size, redactor, with);
        archive.append_data(&mut header(&manifest, size), rel.as_path(), &mut masked)?;
        manifest.files.push(BundledFile { path: rel.to_string(), size, masked: masked.masked() });
    }
    let bytes =
        record::bytes(tree.root(), &RelPath::top().join(FILE), &manifest).map_err(io::Error::other)?;
    archive.append_data(&mut header(&manifest, bytes.len() as u64), FILE, bytes.as_slice())?;
    let to = archive.into_inner()?.finish()?;
    Ok((manifest, to))
}

fn header(manifest: &Manifest, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o600);
    header.set_mtime(u64::try_from(manifest.made_at.timestamp()).unwrap_or(0));
    header.set_size(size);
    header
}

/// The files of a task.
#[derive(Debug, Default)]
struct TaskContents {
    runs: Vec<RunId>,
    files: Vec<RelPath>,
    left_out: Vec<LeftOut>,
}

impl TaskContents {
    fn below(tree: &Tree, selection: &Selection) -> Result<Self> {
        let dir = selection.task.dir();
        if !tree.root().exists(dir.path())? {
            return Err(TreeError::NotFound { what: format!("task {}", selection.task) });
        }
        let mut found = Self::default();
        found.folder(tree, dir.path(), selection, 0)?;
        for run in tree.runs(&selection.task)? {
            if selection.includes(run.as_str()) {
                found.folder(tree, dir.run(&run).path(), selection, 0)?;
                found.runs.push(run);
            }
        }
        found.files.sort();
        Ok(found)
    }

    fn folder(&mut self, tree: &Tree, folder: &RelPath, selection: &Selection, depth: usize) -> Result<()> {
        let runs = selection.task.dir().runs();
        for entry in tree.root().list(folder)? {
            let rel = folder.join(&entry.name);
            let passing = UnfinishedFile::of(&entry.name).is_some() || PASSING.contains(&&*entry.name);
            // Git's objects are compressed, so their content cannot be masked.
            let objects = entry.name == names::run::GIT && folder.parent() == runs;
            match entry.kind {
                _ if passing || objects || rel == runs => {}
                EntryKind::Dir if depth < DEEP => self.folder(tree, &rel, selection, depth + 1)?,
                EntryKind::File => match why_not(tree, &rel)? {
                    Some(why) => self.leave(&rel, why),
                    None => self.files.push(rel),
                },
                EntryKind::Dir => self.leave(&rel, "lies too deep"),
                EntryKind::Other => self.leave(&rel, "is a link, pipe, socket or device"),
            }
        }
        Ok(())
    }

    fn leave(&mut self, rel: &RelPath, why: &str) {
        self.left_out.push(LeftOut { path: rel.to_string(), why: why.to_owned() });
    }
}

/// Returns the reason why a file is left out; `None` if it is included.
fn why_not(tree: &Tree, rel: &RelPath) -> Result<Option<&'static str>> {
    let Ok(file) = tree.root().open_read(rel) else { return Ok(Some("cannot be read")) };
    let size = file.size()?;
    if size > MAX_FILE {
        return Ok(Some("is larger than 1 GiB"));
    }
    let own = RunDir::NAMES.contains(&rel.name()) || TaskDir::NAMES.contains(&rel.name());
    let text = own || !file.read_range(0, SAMPLE.min(size))?.contains(&0);
    Ok((!text).then_some("is not text, so nothing in it can be masked"))
}
