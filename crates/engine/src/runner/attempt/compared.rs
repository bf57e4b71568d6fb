//! Facts about the comparison of two looks at a working folder: what it left out, and whether the run is known to have
//! changed nothing.

use std::path::Path;

use chrono::{DateTime, Utc};
use process::git::{self, ElsewhereKind as Kind, LeftOut, MAX_REFS, Repository, Setting};
use tree::changes::{ChangeElsewhere, ElsewhereKind, GitInfo, LeftOutBefore, WorkFolderBefore};

/// The facts about a look at the working folder before the run that the record keeps.
pub(super) fn to_disk(left_out: LeftOut) -> LeftOutBefore {
    let LeftOut { files, folders, modified_from, untracked_from, more } = left_out;
    LeftOutBefore { files, folders, modified_from, untracked_from, more }
}

pub(super) fn from_disk(left_out: &LeftOutBefore) -> LeftOut {
    let LeftOutBefore { files, folders, modified_from, untracked_from, more } = left_out.clone();
    LeftOut { files, folders, modified_from, untracked_from, more }
}

/// Two looks at a working folder.
pub(super) struct Looks<'a> {
    pub(super) before: &'a WorkFolderBefore,
    pub(super) after: &'a Repository,
    /// The parts that either look left out.
    pub(super) left_out: &'a LeftOut,
    /// The time of the second look.
    pub(super) now: DateTime<Utc>,
    /// A folder with changes that do not count.
    pub(super) not_here: &'a Path,
}

impl Looks<'_> {
    /// Adds the changes outside of the compared files, and decides whether the run is known to have changed nothing.
    ///
    /// Changes in files are searched for only if they decide that: the search looks at every file that git ignores.
    pub(super) fn complete(&self, setting: &Setting, git: &mut GitInfo) {
        let found = |kind, name| ChangeElsewhere { kind: of_kind(kind), name };
        let (before, after) = (self.before, self.after);
        let same_commit = git.head_before == git.head_after;
        let refs = before.refs.as_ref().zip(after.refs.as_ref());
        if let Some((before_refs, after_refs)) = refs {
            // The commit of the checked-out branch is compared by itself.
            let branch = after.branch.as_deref().filter(|_| !same_commit);
            let changed = git::changed_refs(before_refs, after_refs, branch);
            git.elsewhere.extend(changed.into_iter().map(|(kind, name)| found(kind, name)));
        }
        if let (Some(was), Some(is)) = (&before.branch, &after.branch)
            && was != is
            && same_commit
        {
            git.elsewhere.push(found(Kind::Checkout, is.clone()));
        }
        let same_files = git.diffstat.is_some_and(|stat| stat.files == 0) && self.left_out.has_no_files();
        let same = same_files && same_commit && git.elsewhere.is_empty();
        if !same || git.not_recorded.is_some() || git.note.is_some() {
            return;
        }
        let Some(since) = before.taken_at.filter(|at| *at <= self.now) else { return };
        if refs.is_none() {
            let why = format!("there are more than {MAX_REFS}, or git could not list them");
            git.note = Some(format!("the branches were not compared, because {why}"));
            return;
        }
        let folders = &self.left_out.folders;
        match git::changed_elsewhere(setting, after, folders, since, self.not_here) {
            Ok(elsewhere) => {
                let changed = elsewhere.changed.into_iter();
                git.elsewhere = changed.map(|(kind, name)| found(kind, name)).collect();
                git.unchanged = git.elsewhere.is_empty() && elsewhere.incomplete.is_none();
                git.note = elsewhere.incomplete.map(|why| {
                    format!("not all ignored files, submodules and worktrees were looked at: {why}")
                });
            }
            Err(e) => {
                git.note = Some(format!("ignored files, submodules and worktrees were not looked at: {e}"));
            }
        }
    }
}

fn of_kind(kind: Kind) -> ElsewhereKind {
    match kind {
        Kind::Reference => ElsewhereKind::Reference,
        Kind::Checkout => ElsewhereKind::Checkout,
        Kind::Ignored => ElsewhereKind::Ignored,
        Kind::Submodule => ElsewhereKind::Submodule,
        Kind::Folder => ElsewhereKind::Folder,
        Kind::Worktree => ElsewhereKind::Worktree,
    }
}

/// Names the parts that were not compared.
pub(super) fn left_out_note(left_out: &LeftOut) -> Option<String> {
    let (first, others) = left_out.summary()?;
    let others = match others {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    Some(format!(
        "not compared, because too large, too many, not readable, or a repository of its own: {first}{others}"
    ))
}

/// Adds a note that is not present yet.
pub(super) fn add_note(notes: &mut Option<String>, note: Option<String>) {
    let Some(note) = note else { return };
    match notes {
        Some(notes) if notes.contains(&note) => {}
        Some(notes) => *notes = format!("{notes}; {note}"),
        None => *notes = Some(note),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_said_once() {
        let mut notes = None;
        for note in [None, Some("a"), Some("b"), Some("a"), None] {
            add_note(&mut notes, note.map(str::to_owned));
        }
        assert_eq!(notes.as_deref(), Some("a; b"));
        assert_eq!(left_out_note(&LeftOut::default()), None);
        let files = vec!["a.bin".to_owned(), "b.bin".to_owned()];
        let two = left_out_note(&LeftOut { files, ..LeftOut::default() }).unwrap();
        assert!(two.ends_with("a.bin and 1 more"), "{two}");
    }
}
