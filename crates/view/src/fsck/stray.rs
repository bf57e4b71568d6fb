//! Rules for names in our folders: names that are no ids, files that never got their final name, open modes.
//!
//! Only folders that we create are checked: the files below a task's folder belong to its agent.

use std::str::FromStr;

use super::{Report, Rule, Subject};
use crate::wrong_kind::{self, WrongKind};
use base::{names, record};
use process::{exit::ExitRecord, identity::ProcStat};
use tree::{
    EntryKind, RelPath, Result, Tree, UnfinishedFile,
    ids::{ProjectId, RunId, TaskId, TicketId},
    paths::{ProjectDir, top},
    refs::{RunRef, TaskRef},
    run_info::RunInfo,
};

/// The names that are allowed in a folder.
type Expected = fn(&str, EntryKind) -> bool;

pub(super) fn top(tree: &Tree, report: &mut Report) {
    // Names that begin with '_' belong to this program or to a later version of it.
    folder(tree, &RelPath::top(), |n, kind| n.starts_with('_') || is_folder::<ProjectId>(n, kind), report);
    for rel in [top::audit().parent(), top::planner(), top::daemon()] {
        folder(tree, &rel, anything, report);
    }
    for rel in [top::queue(), top::live()] {
        folder(tree, &rel, is_ticket, report);
    }
    let trash = top::trash();
    for entry in report.readable(list(tree, &trash)).unwrap_or_default() {
        let rel = trash.join(&entry.0);
        if is_left_behind(tree, &rel).unwrap_or(false) {
            report.add(Rule::Leftover, tree.root().absolute(&rel), "it was being deleted", Subject::Path);
        }
    }
}

pub(super) fn project(tree: &Tree, project: &ProjectId, report: &mut Report) {
    wrong_kinds(tree, wrong_kind::of_project(tree, project), report);
    folder(tree, ProjectDir::new(project).path(), is_folder::<TaskId>, report);
}

pub(super) fn task(tree: &Tree, task: &TaskRef, report: &mut Report) {
    wrong_kinds(tree, wrong_kind::of_task(tree, task), report);
    folder(tree, task.dir().path(), anything, report);
    folder(tree, &task.dir().runs(), is_folder::<RunId>, report);
}

pub(super) fn run(tree: &Tree, run: &RunRef, report: &mut Report) {
    wrong_kinds(tree, wrong_kind::of_run(tree, run), report);
    folder(tree, run.dir().path(), anything, report);
}

/// Reports what is, or was, at the names of our files without being a file.
fn wrong_kinds(tree: &Tree, found: Result<Vec<WrongKind>>, report: &mut Report) {
    for odd in report.readable(found).unwrap_or_default() {
        let rule = if odd.set_aside_from().is_some() { Rule::SetAside } else { Rule::Unreadable };
        report.note(rule, tree.root().absolute(&odd.path), odd.to_string());
    }
}

/// Returns true if a file was left by a process that is gone: under a temporary name, in the trash, or beside a run that does
/// not need it any more.
///
/// # Errors
/// If the run's lock, or its claim, cannot be tested.
pub fn is_left_behind(tree: &Tree, rel: &RelPath) -> Result<bool> {
    let gone = |pid: i32| ProcStat::of(pid).is_none_or(|s| s.is_dead());
    if rel.parent() == top::trash() {
        // The names are those of runs: <date>-<time>-<pid>-<number>.
        return Ok(rel.name().split('-').nth(2).and_then(|pid| pid.parse().ok()).is_none_or(gone));
    }
    match UnfinishedFile::of(rel.name()) {
        Some(UnfinishedFile::Temporary(writer)) => Ok(gone(writer)),
        // Before the claim another shim may come and use the same room.
        Some(UnfinishedFile::Reserved) => {
            let there = |name| rel.parent().join(name);
            let claimed = tree.root().exists(&there(names::run::CLAIM))?;
            let unlocked = claimed && !tree.root().is_locked(&there(names::run::LOCK))?;
            // A complete record without its name is the only one of that end.
            let is_needed = || {
                let named = tree.root().is_file(&there(names::run::EXIT)).unwrap_or(true);
                !named && ExitRecord::unlinked(tree.root(), &rel.parent()).is_some()
            };
            Ok(unlocked && !is_needed())
        }
        // The secrets of a launch go with the claim.
        None if rel.name() == names::run::LAUNCH_SECRETS => {
            Ok(tree.root().exists(&rel.parent().join(names::run::CLAIM))?)
        }
        None if rel.name() == names::run::HEARTBEAT => {
            let info: Option<RunInfo> = record::read(tree.root(), &rel.parent().join(names::run::INFO))?;
            Ok(info.is_some_and(|info| info.status.is_final()))
        }
        None => Ok(false),
    }
}

/// Returns the reason that a file may be removed if it is left behind; `None` for a file that stays.
fn why_left_behind(name: &str) -> Option<&'static str> {
    match name {
        names::run::LAUNCH_SECRETS => {
            Some("the run is claimed, so that these secrets of its launch are not needed any more")
        }
        names::run::HEARTBEAT => Some("the run has ended, and this sign of life was not removed"),
        _ => UnfinishedFile::of(name).map(|_| "its writer died before it renamed the file"),
    }
}

fn folder(tree: &Tree, rel: &RelPath, expected: Expected, report: &mut Report) {
    let root = tree.root();
    let open = |rel: &RelPath| root.stat(rel).ok().flatten().is_some_and(|s| s.open_to_others);
    let folder_is_open = open(rel);
    if folder_is_open {
        report.note(Rule::OpenMode, root.absolute(rel), "users other than its owner may list it");
    }
    for (name, kind) in report.readable(list(tree, rel)).unwrap_or_default() {
        let path = rel.join(&name);
        let absolute = root.absolute(&path);
        if let Some(what) = why_left_behind(&name) {
            if report.readable(is_left_behind(tree, &path)) == Some(true) {
                report.add(Rule::Leftover, absolute, what, Subject::Path);
            }
            continue;
        }
        if !expected(&name, kind) {
            report.note(Rule::BadName, absolute.clone(), "the name is not an id, so it is ignored");
        }
        // In a folder that is closed to other users they cannot reach a file, whatever mode an agent gave it.
        if folder_is_open && kind == EntryKind::File && open(&path) {
            report.note(Rule::OpenMode, absolute, "users other than its owner may read it");
        }
    }
}

fn list(tree: &Tree, rel: &RelPath) -> Result<Vec<(String, EntryKind)>> {
    Ok(tree.root().list(rel)?.into_iter().map(|e| (e.name, e.kind)).collect())
}

fn anything(_: &str, _: EntryKind) -> bool {
    true
}

/// Returns true for a folder with a valid id. Plain files beside the folders belong to the user.
fn is_folder<T: FromStr>(name: &str, kind: EntryKind) -> bool {
    match kind {
        EntryKind::Dir => name.parse::<T>().is_ok(),
        EntryKind::File => true,
        EntryKind::Other => false,
    }
}

fn is_ticket(name: &str, kind: EntryKind) -> bool {
    kind == EntryKind::File && name.strip_suffix(".yaml").is_some_and(|n| n.parse::<TicketId>().is_ok())
}
