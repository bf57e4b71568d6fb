//! The revision of each project's and task's last change. A client that knows a revision gets the things that changed
//! after it.
//!
//! This is not a history: only the last change of each thing is known, so the size depends on the number of things.
//! Removed things are remembered for a while; a client that was away for longer gets everything again.

use std::collections::{BTreeMap, HashMap};

use tree::{ids::ProjectId, refs::TaskRef};

/// Number of removed things that are remembered.
const KEPT: usize = 8192;
/// Maximum number of things that are returned at once.
const PAGE: usize = 64;

/// A thing that can change.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Entity {
    Project(ProjectId),
    Task(TaskRef),
}

/// A part of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// The whole tree.
    Whole,
    /// A project and its tasks.
    Project(ProjectId),
    /// One task.
    Task(TaskRef),
}

impl Part {
    fn has(&self, thing: &Entity) -> bool {
        match (self, thing) {
            (Self::Whole, _) => true,
            (Self::Project(wanted), Entity::Project(project)) => wanted == project,
            (Self::Project(wanted), Entity::Task(task)) => *wanted == task.project,
            (Self::Task(wanted), Entity::Task(task)) => wanted == task,
            (Self::Task(_), Entity::Project(_)) => false,
        }
    }
}

/// The last change of every thing.
#[derive(Debug, Default)]
pub(super) struct Revisions {
    last: u64,
    of: HashMap<Entity, u64>,
    things: BTreeMap<u64, Entity>,
    gone: BTreeMap<u64, Entity>,
    /// Removals up to this revision are forgotten.
    forgotten: u64,
}

impl Revisions {
    /// The number of the last change.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// Records that a thing has changed.
    pub(super) fn touch(&mut self, thing: Entity) {
        self.last += 1;
        if let Some(before) = self.of.insert(thing.clone(), self.last) {
            self.things.remove(&before);
        }
        self.things.insert(self.last, thing);
    }

    /// Records that a thing was removed.
    pub(super) fn gone(&mut self, thing: Entity) {
        if let Some(before) = self.of.remove(&thing) {
            self.things.remove(&before);
            self.last += 1;
            self.gone.insert(self.last, thing);
            while self.gone.len() > KEPT {
                self.forgotten = self.gone.pop_first().map_or(self.forgotten, |(revision, _)| revision);
            }
        }
    }

    /// Returns things of a part that changed after a revision, in the order of the changes, up to a limit. `None` if
    /// that is not known.
    pub(super) fn since(&self, revision: u64, part: &Part) -> Option<Vec<(u64, Entity)>> {
        // A client that knows nothing yet need not learn what was removed.
        if revision > self.last || (revision < self.forgotten && revision > 0) {
            return None;
        }
        if let Part::Task(task) = part {
            let task = Entity::Task(task.clone());
            let changed = self.of.get(&task).filter(|at| **at > revision);
            return Some(changed.map(|at| (*at, task)).into_iter().collect());
        }
        let behind = revision + 1..;
        let mut changed: Vec<_> =
            self.things.range(behind.clone()).filter(|c| part.has(c.1)).take(PAGE).collect();
        if revision > 0 {
            changed.extend(self.gone.range(behind).filter(|c| part.has(c.1)).take(PAGE));
            changed.sort_unstable_by_key(|(at, _)| **at);
            changed.truncate(PAGE);
        }
        Some(changed.into_iter().map(|(at, thing)| (*at, thing.clone())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(name: &str) -> Entity {
        Entity::Task(TaskRef { project: "p".parse().unwrap(), task: name.parse().unwrap() })
    }

    #[test]
    fn what_is_different_is_told_once_in_order() {
        let mut revisions = Revisions::default();
        let project = Entity::Project("p".parse().unwrap());
        for thing in [project.clone(), task("a"), task("b"), task("a")] {
            revisions.touch(thing);
        }
        let whole = |r: &Revisions, at| r.since(at, &Part::Whole);
        assert_eq!(whole(&revisions, 0), Some(vec![(1, project.clone()), (3, task("b")), (4, task("a"))]));
        assert_eq!(whole(&revisions, 3), Some(vec![(4, task("a"))]));
        assert_eq!(whole(&revisions, 5), None, "it has not been yet");
        revisions.gone(task("b"));
        revisions.gone(task("never-there"));
        assert_eq!(whole(&revisions, 3), Some(vec![(4, task("a")), (5, task("b"))]));
        assert_eq!(
            whole(&revisions, 0),
            Some(vec![(1, project.clone()), (4, task("a"))]),
            "it never was there"
        );
        let TaskRef { project: p, .. } =
            TaskRef { project: "p".parse().unwrap(), task: "a".parse().unwrap() };
        assert_eq!(revisions.since(0, &Part::Project("q".parse().unwrap())), Some(Vec::new()));
        assert_eq!(revisions.since(1, &Part::Project(p)).unwrap().len(), 2);
        let Entity::Task(a) = task("a") else { unreachable!() };
        assert_eq!(revisions.since(0, &Part::Task(a.clone())), Some(vec![(4, task("a"))]));
        assert_eq!(revisions.since(4, &Part::Task(a)), Some(Vec::new()));
    }

    #[test]
    fn who_was_away_too_long_is_told_so() {
        let mut revisions = Revisions::default();
        revisions.touch(task("stays"));
        for n in 0..=KEPT {
            revisions.touch(task(&n.to_string()));
            revisions.gone(task(&n.to_string()));
        }
        assert_eq!(revisions.since(2, &Part::Whole), None);
        assert_eq!(revisions.since(3, &Part::Whole).unwrap().len(), PAGE);
        assert_eq!(revisions.since(0, &Part::Whole), Some(vec![(1, task("stays"))]));
    }
}
