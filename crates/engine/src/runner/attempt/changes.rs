//! Records the changes of a run in its working folder: a snapshot before its agent starts, and one after it has
//! ended.
//!
//! Nothing here fails or delays a run: if a repository cannot be read, or not in time, the record gets a note. A
//! launch waits only for the first snapshot. If several runs work in one folder at the same time, each records the
//! changes of all.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::compared::{Looks, add_note, from_disk, left_out_note, to_disk};
use crate::runner::{
    Runner,
    error::{Result, RunnerError},
};
use base::{
    fsx::{FsError, RelPath, Root, Scratch},
    names, record,
};
use config::Environment;
use process::git::{self, FileChange, FileChangeKind, GitError, Repository, Setting, Snapshot, Store};
use tree::{
    Tree, TreeError,
    changes::{
        ChangeKind, ChangedFile, Changes, DiffStat, GitInfo, LeftOutBefore, NotRecorded, WorkFolderBefore,
    },
    refs::RunRef,
    run_info::RunInfo,
};

/// Maximum time that a launch waits for the first snapshot.
const BEFORE: Duration = Duration::from_secs(3);
/// Maximum time that an end waits for the second snapshot.
const AFTER: Duration = Duration::from_secs(20);
/// A snapshot this long after the end may contain later changes by others, too.
const LATE: Duration = Duration::from_secs(10);
/// Maximum size of a patch that is kept, in bytes.
const MAX_PATCH: u64 = 32 * 1024 * 1024;
/// Maximum number of files that are named.
const MAX_FILES: usize = 10_000;

/// Takes a snapshot of the working folder of a run that is about to start.
pub(in crate::runner) fn before(runner: &Runner, info: &RunInfo) {
    let began = Instant::now();
    let taken_at = Some(runner.tree.clock().now());
    let mut setting = Setting::new(runner.environment.iter(), began + BEFORE);
    let cwd = Path::new(info.cwd.as_deref().unwrap_or("/"));
    // Outside of a repository nothing is started or written.
    if !git::is_in_work_tree(cwd, &setting) {
        return;
    }
    let (root, run) = (runner.tree.root(), info.run_ref());
    // The agent starts even if this process dies during the snapshot. Then this record holds.
    let words = Some("the look before the run was cut off".to_owned());
    let cut_off = not_seen(Some(NotRecorded::Failed), words);
    if let Err(e) = write_before(root, &run, &cut_off) {
        tracing::warn!(run = %run, error = %e, "cannot create the snapshot of the working folder: the run will report no changes");
        return;
    }
    let mut record = match Repository::find(cwd, &mut setting) {
        Ok(repository) => {
            let store = Store::new(root, run.dir().git());
            let taken = git::snapshot(&setting, &repository, &store, root.path(), None);
            let Repository { head, branch, refs, .. } = repository;
            let record = match taken {
                Ok(Snapshot { tree, left_out }) => {
                    WorkFolderBefore { tree: Some(tree), left_out: to_disk(left_out), ..not_seen(None, None) }
                }
                Err(e) => not_seen(Some(reason(&e)), Some(e.to_string())),
            };
            WorkFolderBefore { head, branch, refs, ..record }
        }
        Err(e) => not_seen(Some(reason(&e)), Some(e.to_string())),
    };
    record.taken_at = taken_at;
    if let Err(e) = write_before(root, &run, &record) {
        tracing::warn!(run = %run, error = %e, "cannot store the snapshot of the working folder: the run will report no changes");
    }
    tracing::debug!(run = %run, took = ?began.elapsed(), "took a snapshot of the working folder before the run");
}

fn not_seen(not_recorded: Option<NotRecorded>, note: Option<String>) -> WorkFolderBefore {
    WorkFolderBefore {
        version: 1,
        head: None,
        tree: None,
        not_recorded,
        note,
        taken_at: None,
        branch: None,
        refs: None,
        left_out: LeftOutBefore::default(),
    }
}

/// Returns the reason that no snapshot was taken before a run that has begun; `None` if there was one. `wanted` is
/// the setting `record_changes`.
pub(in crate::runner) fn skipped(runner: &Runner, info: &RunInfo, wanted: bool) -> Option<GitInfo> {
    let because = |reason| Some(GitInfo { not_recorded: Some(reason), ..GitInfo::default() });
    if !wanted {
        return because(NotRecorded::Disabled);
    }
    let setting = Setting::new(runner.environment.iter(), Instant::now() + BEFORE);
    let cwd = Path::new(info.cwd.as_deref().unwrap_or("/"));
    if git::is_in_work_tree(cwd, &setting) { None } else { because(NotRecorded::NoRepository) }
}

fn write_before(root: &Root, run: &RunRef, record: &WorkFolderBefore) -> std::result::Result<(), TreeError> {
    let file = before_file(run);
    root.ensure_passing_dir(&run.dir().git())?;
    Ok(root.write_passing(&file, &record::bytes(root, &file, record)?)?)
}

fn before_file(run: &RunRef) -> RelPath {
    run.dir().git().join(names::run::GIT_BEFORE)
}

/// Takes a snapshot of the working folder of a run that has ended, and returns the facts for the run's record.
pub(in crate::runner) fn after(runner: &Runner, info: &RunInfo) -> Option<GitInfo> {
    let (root, run) = (runner.tree.root(), info.run_ref());
    let before = record::read::<WorkFolderBefore>(root, &before_file(&run)).unwrap_or_else(|e| {
        Some(not_seen(Some(NotRecorded::Failed), Some(format!("the look before the run was lost: {e}"))))
    });
    match before {
        Some(before) => Some(compare(runner, info, &run, &before)),
        // Keeps the facts that were recorded at the start.
        None => info.git.clone(),
    }
}

/// Removes the data of the first snapshot, once the final record is written.
pub(in crate::runner) fn forget(runner: &Runner, info: &RunInfo) {
    let (root, run) = (runner.tree.root(), info.run_ref());
    let never_looked =
        |git: &GitInfo| matches!(git.not_recorded, Some(NotRecorded::NoRepository | NotRecorded::Disabled));
    // Data that stays costs room, and nothing else.
    if info.git.as_ref().is_some_and(|git| !never_looked(git))
        && let Err(e) = root.remove_tree(&run.dir().git())
    {
        tracing::warn!(run = %run, error = %e, "cannot remove the snapshot of the working folder");
    }
}

fn compare(runner: &Runner, info: &RunInfo, run: &RunRef, before: &WorkFolderBefore) -> GitInfo {
    let mut git = GitInfo {
        head_before: before.head.clone(),
        not_recorded: before.not_recorded,
        note: before.note.clone(),
        ..GitInfo::default()
    };
    let Some(earlier) = snapshot_of(before) else { return git };
    let root = runner.tree.root();
    let mut look = SnapshotJob::begin(&runner.environment, info, AFTER);
    let store = Store::new(root, run.dir().git());
    let taken = look.take(&store, root.path(), &earlier);
    git.head_after = look.repository.as_ref().and_then(|r| r.head.clone());
    let mut left_out = earlier.left_out.clone();
    let done = taken.and_then(|taken| {
        left_out = taken.left_out.and(&left_out);
        let (changes, stat) = look.changes(&store, (&earlier.tree, &taken.tree), &runner.tree)?;
        git.diffstat = Some(stat);
        Ok(changes)
    });
    let mut listed = false;
    let kept = done.and_then(|changes| {
        if changes.more {
            add_note(&mut git.note, Some(format!("only the first {MAX_FILES} changed files are listed")));
        }
        keep(&runner.tree, run, &changes)?;
        listed = true;
        look.keep_patch(&store, root, run, &changes)
    });
    if let Err(e) = kept {
        // Even if the patch is too large, the list of files is kept.
        git.not_recorded = (!listed).then(|| reason(&e));
        add_note(&mut git.note, Some(e.to_string()));
    }
    if let Some(after) = &look.repository {
        let now = runner.tree.clock().now();
        let looks = Looks { before, after, left_out: &left_out, now, not_here: root.path() };
        looks.complete(&look.setting, &mut git);
    }
    add_note(&mut git.note, left_out_note(&left_out));
    let late = info.end_time.and_then(|end| (runner.tree.clock().now() - end).to_std().ok());
    if let Some(late) = late.filter(|l| *l > LATE + AFTER && git.diffstat.is_some()) {
        let seconds = late.as_secs();
        add_note(&mut git.note, Some(format!("the folder was compared {seconds} s after the end")));
    }
    git
}

/// Returns the changes of an unfinished run so far, and their patch.
///
/// # Errors
/// [`RunnerError::Refused`] if there was no snapshot before the run, or there can be none now.
pub fn so_far(tree: &Tree, environment: &Environment, info: &RunInfo) -> Result<(Changes, Vec<u8>)> {
    let (root, run) = (tree.root(), info.run_ref());
    let refused = |why: String| RunnerError::Refused(why);
    let unknown = || {
        let why = match info.git.as_ref().and_then(|git| git.not_recorded) {
            Some(NotRecorded::Disabled) => "defaults.record_changes was false when it started",
            Some(NotRecorded::NoRepository) => {
                "its working folder was not in a git repository when it started"
            }
            _ => "there is no snapshot from before its start",
        };
        refused(format!("the changes of run {run} are unknown: {why}"))
    };
    let before: WorkFolderBefore = record::read(root, &before_file(&run))?.ok_or_else(unknown)?;
    let Some(earlier) = snapshot_of(&before) else {
        return Err(refused(format!(
            "the changes of run {run} are unknown: {}",
            before.note.unwrap_or_default()
        )));
    };
    let temporary = environment.get_os("TMPDIR").map_or_else(|| PathBuf::from("/tmp"), PathBuf::from);
    let scratch = Scratch::new(&temporary).map_err(TreeError::from)?;
    let kept = Store::new(root, run.dir().git());
    let store = Store::new(scratch.root(), RelPath::top().join(names::run::GIT)).knowing(&kept);
    let mut look = SnapshotJob::begin(environment, info, AFTER);
    let looked = look.take(&store, root.path(), &earlier).and_then(|taken| {
        let (changes, _) = look.changes(&store, (&earlier.tree, &taken.tree), tree)?;
        let file = RelPath::top().join("patch");
        look.patch(&store, scratch.root(), &file, &changes)?;
        Ok((changes, scratch.root().read_opt(&file, MAX_PATCH)?.unwrap_or_default()))
    });
    looked.map_err(|e| refused(format!("cannot take a snapshot of the working folder: {e}")))
}

/// Returns the snapshot before the run, if there is one.
fn snapshot_of(before: &WorkFolderBefore) -> Option<Snapshot> {
    let tree = before.tree.clone()?;
    Some(Snapshot { tree, left_out: from_disk(&before.left_out) })
}

/// One snapshot of a working folder.
struct SnapshotJob {
    setting: Setting,
    cwd: PathBuf,
    repository: Option<Repository>,
}

type GitResult<T> = std::result::Result<T, GitError>;

impl SnapshotJob {
    fn begin(environment: &Environment, info: &RunInfo, patience: Duration) -> Self {
        let setting = Setting::new(environment.iter(), Instant::now() + patience);
        Self { setting, cwd: info.cwd.as_deref().unwrap_or("/").into(), repository: None }
    }

    fn take(&mut self, store: &Store<'_>, not_here: &Path, earlier: &Snapshot) -> GitResult<Snapshot> {
        let repository = Repository::find(&self.cwd, &mut self.setting)?;
        let repository = self.repository.insert(repository);
        git::snapshot(&self.setting, repository, store, not_here, Some(earlier))
    }

    fn repository(&self) -> GitResult<&Repository> {
        self.repository.as_ref().ok_or(GitError::Answer("rev-parse"))
    }

    fn changes(&self, store: &Store<'_>, trees: (&str, &str), tree: &Tree) -> GitResult<(Changes, DiffStat)> {
        let repository = self.repository()?;
        let mut files = git::changes(&self.setting, repository, store, trees)?;
        let lines = |of: fn((u64, u64)) -> u64| files.iter().filter_map(|f| f.lines).map(of).sum();
        let stat =
            DiffStat { files: files.len() as u64, insertions: lines(|l| l.0), deletions: lines(|l| l.1) };
        let more = files.len() > MAX_FILES;
        files.truncate(MAX_FILES);
        let changes = Changes {
            version: 1,
            folder: repository.top.display().to_string(),
            tree_before: trees.0.to_owned(),
            tree_after: trees.1.to_owned(),
            taken_at: tree.clock().now(),
            files: files.into_iter().map(on_disk).collect(),
            more,
        };
        Ok((changes, stat))
    }

    /// Keeps the whole patch, or nothing.
    fn keep_patch(&self, store: &Store<'_>, root: &Root, run: &RunRef, changes: &Changes) -> GitResult<()> {
        let file = run.dir().git().join("patch");
        self.patch(store, root, &file, changes)?;
        Ok(root.rename(&file, &run.dir().patch())?)
    }

    fn patch(&self, store: &Store<'_>, root: &Root, file: &RelPath, changes: &Changes) -> GitResult<()> {
        root.write_passing(file, b"")?;
        let out = root.open_append(file)?;
        let trees = (changes.tree_before.as_str(), changes.tree_after.as_str());
        git::patch(&self.setting, self.repository()?, store, trees, &out, MAX_PATCH)
    }
}

fn keep(tree: &Tree, run: &RunRef, changes: &Changes) -> GitResult<()> {
    let (root, file) = (tree.root(), run.dir().changes());
    let bytes = record::bytes(root, &file, changes).map_err(|_| GitError::Answer("diff-tree"))?;
    let kept: std::result::Result<(), FsError> = root.replace(&file, &bytes);
    Ok(kept?)
}

fn on_disk(file: FileChange) -> ChangedFile {
    let change = match file.kind {
        FileChangeKind::Added => ChangeKind::Added,
        FileChangeKind::Modified => ChangeKind::Modified,
        FileChangeKind::Deleted => ChangeKind::Deleted,
        FileChangeKind::Renamed => ChangeKind::Renamed,
    };
    let (insertions, deletions) = file.lines.unzip();
    ChangedFile { path: file.path, old_path: file.old_path, change, insertions, deletions }
}

fn reason(error: &GitError) -> NotRecorded {
    match error {
        GitError::NotInstalled => NotRecorded::GitMissing,
        e if e.is_timeout() => NotRecorded::Deadline,
        _ => NotRecorded::Failed,
    }
}
