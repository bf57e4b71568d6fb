//! Unreadable files: each is logged once, and again only if it was readable in between.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

use engine::runner::RunnerError;
use tree::{Fault, refs::TaskRef};

/// The files that were logged.
#[derive(Debug, Default)]
pub struct Faults(Mutex<Reported>);

#[derive(Debug, Default)]
struct Reported {
    /// Reported by the index, which notices when they are readable again.
    indexed: BTreeSet<PathBuf>,
    /// Reported by other readers.
    met: BTreeSet<PathBuf>,
}

impl Faults {
    /// Logs a file that a reader could not read.
    pub fn tell(&self, fault: &Fault) {
        let mut reported = self.reported();
        if !reported.indexed.contains(&fault.path) && reported.met.insert(fault.path.clone()) {
            warn(fault);
        }
    }

    /// Stores all unreadable files that the index knows.
    pub(super) fn settle(&self, now: Vec<Fault>) {
        let mut reported = self.reported();
        let before = std::mem::take(&mut reported.indexed);
        for fault in now {
            let known = reported.met.remove(&fault.path) || before.contains(&fault.path);
            if reported.indexed.insert(fault.path.clone()) && !known {
                warn(&fault);
            }
        }
    }

    /// Logs a failed operation on a task. A failure caused by an unreadable file is logged once.
    pub(super) fn complain(&self, task: &TaskRef, error: &RunnerError, what: &'static str) {
        match error {
            RunnerError::Tree(e) if let Some(fault) = e.fault() => self.tell(&fault),
            _ => tracing::error!(error = %error, task = %task, "{what}"),
        }
    }

    fn reported(&self) -> MutexGuard<'_, Reported> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn warn(fault: &Fault) {
    tracing::warn!(path = %fault.path.display(), problem = %fault.problem, "skipping an unreadable file of the tree; `run-agent doctor` lists such files");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_right_is_told_of_again() {
        let faults = Faults::default();
        let fault = |name: &str| Fault { path: name.into(), problem: "is empty".to_owned() };
        let known = |faults: &Faults| {
            let reported = faults.reported();
            (reported.indexed.len(), reported.met.len())
        };
        faults.tell(&fault("a"));
        faults.tell(&fault("a"));
        assert_eq!(known(&faults), (0, 1));
        faults.settle(vec![fault("a"), fault("b"), fault("b")]);
        assert_eq!(known(&faults), (2, 0), "the index has it now");
        faults.tell(&fault("b"));
        assert_eq!(known(&faults), (2, 0));
        faults.settle(vec![fault("b")]);
        assert_eq!(known(&faults), (1, 0));
        faults.tell(&fault("a"));
        assert_eq!(known(&faults), (1, 1), "it was well in between");
    }
}
