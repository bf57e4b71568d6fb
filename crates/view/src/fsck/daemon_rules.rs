//! Rules for the folders of the daemon, the planner and the audit log: every record is read, and a file that this
//! program does not write is named.

use std::path::Path;

use super::{Report, Rule};
use base::{
    fsx::Entry,
    names::top as name,
    record::{self, Record},
};
use tree::{
    EntryKind, RelPath, Tree, TreeError, UnfinishedFile,
    daemon_info::DaemonInfo,
    known_programs::KnownPrograms,
    login::{BrowserKeys, LoginCode},
    outbox::Delivery,
    paths::top,
    self_update::SelfUpdate,
};

/// A name that this program uses, and the kind of thing that has it.
type Known = (&'static str, EntryKind);
/// A folder with the entries that this program puts into it.
type KnownFolder = (fn() -> RelPath, &'static [Known]);

const KNOWN: [KnownFolder; 3] = [
    (
        top::daemon,
        &[
            (name::DAEMON_LOCK, EntryKind::File),
            (name::DAEMON_INFO, EntryKind::File),
            (name::SELF_UPDATE, EntryKind::File),
            (name::KNOWN_PROGRAMS, EntryKind::File),
            (name::BROWSER_KEYS, EntryKind::File),
            (name::LOGIN_PAGE, EntryKind::File),
            (name::LOGIN_CODES, EntryKind::Dir),
            (name::OUTBOX, EntryKind::Dir),
            (name::TRASH, EntryKind::Dir),
        ],
    ),
    (
        top::planner,
        &[(name::PLANNER_LOCK, EntryKind::File), (name::QUEUE, EntryKind::Dir), (name::LIVE, EntryKind::Dir)],
    ),
    (audit_folder, &[(name::SUBMISSIONS, EntryKind::File)]),
];

fn audit_folder() -> RelPath {
    top::audit().parent()
}

fn login_codes() -> RelPath {
    top::daemon().join(name::LOGIN_CODES)
}

pub(super) fn check(tree: &Tree, report: &mut Report) {
    for (folder, known) in KNOWN {
        let folder = folder();
        unknown(tree, &folder, |name, kind| known.contains(&(name, kind)), report);
    }
    for folder in [top::outbox(), login_codes()] {
        unknown(tree, &folder, |name, kind| kind == EntryKind::File && is_json(name), report);
    }
    records(tree, report);
}

/// Names the entries of a folder that this program does not know.
fn unknown(tree: &Tree, folder: &RelPath, is_known: impl Fn(&str, EntryKind) -> bool, report: &mut Report) {
    for entry in list(tree, folder, report) {
        if !is_known(&entry.name, entry.kind) && UnfinishedFile::of(&entry.name).is_none() {
            let path = tree.root().absolute(&folder.join(&entry.name));
            report.note(Rule::UnknownFile, path, "this program writes no such file, and does not read it");
        }
    }
}

/// Reads every record of the daemon.
fn records(tree: &Tree, report: &mut Report) {
    let own = |name: &str| top::daemon().join(name);
    readable::<DaemonInfo>(tree, &own(name::DAEMON_INFO), report);
    readable::<SelfUpdate>(tree, &own(name::SELF_UPDATE), report);
    readable::<KnownPrograms>(tree, &own(name::KNOWN_PROGRAMS), report);
    readable::<BrowserKeys>(tree, &own(name::BROWSER_KEYS), report);
    for file in files(tree, &top::outbox(), report) {
        readable::<Delivery>(tree, &file, report);
    }
    for file in files(tree, &login_codes(), report) {
        readable::<LoginCode>(tree, &file, report);
    }
}

fn readable<T: Record>(tree: &Tree, rel: &RelPath, report: &mut Report) {
    report.readable(record::read::<T>(tree.root(), rel).map_err(TreeError::from));
}

/// Returns the records of a folder. One that is gone by the time it is read is no finding.
fn files(tree: &Tree, folder: &RelPath, report: &mut Report) -> Vec<RelPath> {
    let entries = list(tree, folder, report);
    let is_record = |e: &Entry| e.kind == EntryKind::File && is_json(&e.name);
    entries.into_iter().filter(is_record).map(|e| folder.join(&e.name)).collect()
}

fn list(tree: &Tree, folder: &RelPath, report: &mut Report) -> Vec<Entry> {
    report.readable(tree.root().list(folder).map_err(TreeError::from)).unwrap_or_default()
}

fn is_json(name: &str) -> bool {
    UnfinishedFile::of(name).is_none() && Path::new(name).extension().is_some_and(|kind| kind == "json")
}
