//! What is wrong with a tree: the invariants of the design, each as a small rule with a name.
//!
//! Reads only, and in time that grows with the tree. One broken file is one
//! finding and hides nothing else. What can be mended is mended by `runner`.

mod bus_rules;
mod processes;
mod rule;
mod run_rules;
mod stray;
mod task_rules;
mod ticket_rules;

use std::path::PathBuf;

use serde::Serialize;

use crate::tree::{
    Result, Tree, TreeError,
    ids::TicketId,
    refs::{RunRef, TaskRef},
    ticket::Place,
};

pub use rule::{Rule, Severity};

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The rule that it breaks.
    pub rule: Rule,
    /// How bad it is.
    pub severity: Severity,
    /// The file or folder.
    pub path: PathBuf,
    /// One sentence.
    pub what: String,
    /// What it is about, for whoever mends it.
    #[serde(skip)]
    pub subject: Subject,
}

/// What a finding is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// Only a path.
    Path,
    /// A run.
    Run(RunRef),
    /// A ticket, and the task that it names if it names one.
    Ticket(Place, TicketId, Option<TaskRef>),
}

/// What was found, rule by rule along the tree.
#[derive(Debug, Default)]
pub struct Report {
    /// The findings.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether anything was found that is more than a note.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.findings.iter().all(|f| f.severity == Severity::Note)
    }

    fn add(&mut self, rule: Rule, path: PathBuf, what: impl Into<String>, subject: Subject) {
        self.findings.push(Finding { rule, severity: rule.severity(), path, what: what.into(), subject });
    }

    /// A record that cannot be read is a finding; any other failure is the caller's.
    fn unless_unreadable<T>(&mut self, result: Result<T>) -> Result<Option<T>> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(TreeError::Corrupt { path, problem }) => {
                self.add(Rule::CorruptRecord, path, problem, Subject::Path);
                Ok(None)
            }
            Err(TreeError::Newer { path, found, known }) => {
                let what = format!("has format version {found}; this program knows up to {known}");
                self.add(Rule::NewerRecord, path, what, Subject::Path);
                Ok(None)
            }
            // Gone since its folder was listed.
            Err(TreeError::NotFound { .. }) => Ok(None),
            Err(e) => Err(e),
        }
    }
}

/// Looks at everything.
///
/// # Errors
/// Only if the root itself cannot be read.
pub fn check(tree: &Tree) -> Result<Report> {
    let mut report = Report::default();
    stray::names_of_projects(tree, &mut report)?;
    let tickets = ticket_rules::check(tree, &mut report)?;
    let marked = processes::Marked::look();
    for project in tree.projects()? {
        bus_rules::check(tree, &tree.project_bus(&project), &mut report)?;
        for task in tree.tasks(&project)? {
            let task = TaskRef { project: project.clone(), task };
            let told = bus_rules::check(tree, &tree.task_bus(&task), &mut report)?;
            task_rules::check(tree, &task, &tickets, &told, &marked, &mut report)?;
        }
    }
    stray::temporary_files(tree, &mut report)?;
    Ok(report)
}
