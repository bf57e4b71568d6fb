//! The findings: one per rule and path, also for a file that could not be read.

use std::{collections::HashSet, path::PathBuf};

use serde::Serialize;

use super::rule::{Rule, Severity};
use base::record::BadRecord;
use tree::{
    FsErrorKind, Result, TreeError,
    ids::TicketId,
    refs::{RunRef, TaskRef},
    ticket::TicketFolder,
};

/// One violation of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The violated rule.
    pub rule: Rule,
    /// Its severity.
    pub severity: Severity,
    /// The file or folder.
    pub path: PathBuf,
    /// One sentence.
    pub what: String,
    /// The next step for the user.
    pub hint: &'static str,
    /// The subject, for the repair.
    #[serde(skip)]
    pub subject: Subject,
}

/// The subject of a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// Only a path.
    Path,
    /// A run.
    Run(RunRef),
    /// A ticket, and the task that it names.
    Ticket(TicketFolder, TicketId, TaskRef),
}

/// The findings, rule by rule along the tree.
#[derive(Debug, Default)]
pub struct Report {
    /// The findings; at most one per rule and path.
    pub findings: Vec<Finding>,
    said: HashSet<(Rule, PathBuf)>,
}

impl Report {
    /// Returns true if there are only notes.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.findings.iter().all(|f| f.severity == Severity::Note)
    }

    pub(super) fn add(&mut self, rule: Rule, path: PathBuf, what: impl Into<String>, subject: Subject) {
        if self.said.insert((rule, path.clone())) {
            let (severity, hint, what) = (rule.severity(), rule.hint(), what.into());
            self.findings.push(Finding { rule, severity, path, what, hint, subject });
        }
    }

    pub(super) fn note(&mut self, rule: Rule, path: PathBuf, what: impl Into<String>) {
        self.add(rule, path, what, Subject::Path);
    }

    /// Returns the value that was read. `None` if reading failed, which is a finding, or if the file is gone since
    /// its folder was listed.
    pub(super) fn readable<T>(&mut self, result: Result<T>) -> Option<T> {
        match result {
            Ok(value) => return Some(value),
            Err(TreeError::Record(bad)) => {
                let rule = match &bad {
                    BadRecord::Corrupt { .. } => Rule::CorruptRecord,
                    BadRecord::Newer { .. } => Rule::NewerRecord,
                };
                self.note(rule, bad.path().to_owned(), bad.problem());
            }
            Err(TreeError::NotFound { .. }) => {}
            Err(TreeError::Fs(e)) if e.kind() == FsErrorKind::NotFound => {}
            Err(TreeError::Fs(e)) => {
                let what = format!("cannot {}: {}", e.op, e.source);
                self.note(Rule::Unreadable, e.path, what);
            }
            Err(e) => self.note(Rule::Unreadable, PathBuf::new(), e.to_string()),
        }
        None
    }
}
