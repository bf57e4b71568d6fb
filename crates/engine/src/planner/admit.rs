//! Carries out the decision: names tickets in `live/`, under the planner's lock. A queued ticket is renamed from
//! `queue/`; a new one that need not wait is named there at once.

use super::decide::{Admission, Candidate, Decision, Limits, Readiness, TicketOrigin, decide};
use tree::{
    RelPath, Result, Tree, TreeError,
    ids::TicketId,
    ticket::{Ticket, TicketFolder},
    ticket_folders::{AllTickets, NewTicket, TicketFile},
};
use view::{
    dependency::{Blockers, readable_tickets},
    task::Standing,
};

/// The way of a new ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// It waits in the queue: the caller does not drive it.
    Queued,
    /// It is live at once if it could start now and no other ticket is to go first. The caller drives it.
    AtOnce,
}

/// Accepts a new ticket, once its batch is durable, and returns its number and its folder.
///
/// # Errors
/// If its task has a ticket already, or the planner's folders cannot be read or written.
pub fn accept(tree: &Tree, limits: Limits, new: NewTicket, entry: Entry) -> Result<(TicketId, TicketFolder)> {
    let planner = tree.planner()?;
    let all = planner.tickets()?;
    let may_start = entry == Entry::AtOnce
        && starts_now(tree, limits, &all, new.ticket()).unwrap_or_else(|e| {
            // Another ticket cannot be judged now. This one waits for the gate, which tries again.
            tracing::debug!(error = %e, "cannot decide if a new task may start at once");
            false
        });
    let place = if may_start { TicketFolder::Live } else { TicketFolder::Queue };
    Ok((planner.accept(new, place, &all)?, place))
}

/// Returns true if this new ticket is the only one that the gate would admit now.
fn starts_now(tree: &Tree, limits: Limits, all: &AllTickets, new: &Ticket) -> Result<bool> {
    let id = all.next_id();
    let mut queue = readable(&all.queue);
    queue.push((id.clone(), new.clone()));
    let (_, decision) = decision(tree, limits, queue, &readable(&all.live))?;
    Ok(decision.admitted == [id])
}

fn readable(files: &[TicketFile]) -> Vec<(TicketId, Ticket)> {
    files.iter().filter_map(|file| Some((file.id.clone(), file.ticket.as_ref().ok()?.clone()))).collect()
}

/// Admits the tickets that may become live now. Unreadable tickets are left in place and hold no place.
///
/// # Errors
/// If the planner's folders cannot be read or written.
pub fn admit(tree: &Tree, limits: Limits) -> Result<Decision> {
    let planner = tree.planner()?;
    let (_, decision) = look(tree, limits)?;
    planner.admit(&decision.admitted)?;
    Ok(decision)
}

/// Returns the standing of the queued tickets, oldest first. Changes nothing.
///
/// # Errors
/// If the planner's folders cannot be read.
pub fn standings(tree: &Tree, limits: Limits) -> Result<Vec<(TicketId, Ticket, Standing)>> {
    let (queue, decision) = look(tree, limits)?;
    let standing = |c: &Candidate| match (&c.readiness, decision.waiting.iter().position(|id| *id == c.id)) {
        (Readiness::Blocked(why), _) => Standing::Blocked(why.clone()),
        (_, Some(at)) => Standing::Position(at + 1),
        (Readiness::Ready | Readiness::Over, None) => Standing::Next,
    };
    Ok(queue.into_iter().map(|(c, ticket)| (c.id.clone(), ticket, standing(&c))).collect())
}

/// Returns the state of admission according to the disk: open, or draining for an update.
#[must_use]
pub fn admission(tree: &Tree) -> Admission {
    match tree.self_update() {
        Ok(Some(update)) if update.drains() => Admission::Draining,
        Ok(_) => Admission::Open,
        Err(e) => {
            tracing::warn!(error = %e, "cannot read the update record: new tasks are admitted as usual");
            Admission::Open
        }
    }
}

/// Returns the number of live root tasks.
///
/// # Errors
/// If the planner's folders cannot be read.
pub fn live_roots(tree: &Tree) -> Result<usize> {
    let live = readable_tickets(tree, TicketFolder::Live)?;
    Ok(live.iter().filter(|(_, ticket)| origin(ticket) == TicketOrigin::Root).count())
}

/// Reads the tickets and decides.
fn look(tree: &Tree, limits: Limits) -> Result<(Vec<(Candidate, Ticket)>, Decision)> {
    // The queue first: a ticket that another gate admits between the two reads is counted twice, never missed.
    let queue = readable_tickets(tree, TicketFolder::Queue)?;
    let live = readable_tickets(tree, TicketFolder::Live)?;
    decision(tree, limits, queue, &live)
}

/// Decides about the tickets. The drain is checked here, under the caller's lock: a gate that checked it earlier could
/// admit a root task after the drain began.
fn decision(
    tree: &Tree,
    limits: Limits,
    queue: Vec<(TicketId, Ticket)>,
    live: &[(TicketId, Ticket)],
) -> Result<(Vec<(Candidate, Ticket)>, Decision)> {
    let mut blockers = Blockers::new(queue.iter().chain(live).map(|(_, t)| t));
    let mut candidates = Vec::new();
    for (id, ticket) in queue {
        let dir = ticket.task().dir();
        let marked = |rel: &RelPath| tree.root().is_file(rel).map_err(TreeError::from);
        let readiness = match marked(&dir.stop()).and_then(|stop| Ok(stop || marked(&dir.done())?)) {
            Ok(true) => Readiness::Over,
            Ok(false) => match blockers.of(tree, &ticket)? {
                Some(why) => Readiness::Blocked(why),
                None => Readiness::Ready,
            },
            // Its driver gives it up, with the reason. It must not keep the other tickets waiting.
            Err(e) if e.lasting_fault().is_some() => Readiness::Over,
            Err(e) => return Err(e),
        };
        candidates.push((Candidate { id, origin: origin(&ticket), readiness }, ticket));
    }
    let live: Vec<Candidate> = live
        .iter()
        .map(|(id, ticket)| Candidate { id: id.clone(), origin: origin(ticket), readiness: Readiness::Ready })
        .collect();
    let queue: Vec<Candidate> = candidates.iter().map(|(c, _)| c.clone()).collect();
    let decision = decide(&queue, &live, limits, admission(tree));
    Ok((candidates, decision))
}

fn origin(ticket: &Ticket) -> TicketOrigin {
    if ticket.parent_run_id.is_some() { TicketOrigin::Child } else { TicketOrigin::Root }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use base::{clock::Clock, fsx::Durability};
    use tree::{refs::TaskRef, task::TaskKind};

    fn limits() -> Limits {
        Limits { roots: NonZeroU32::new(1), runs: None }
    }

    struct Bench {
        _folder: tempfile::TempDir,
        tree: Tree,
    }

    impl Bench {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let tree = Tree::create(folder.path(), Durability::Never, Clock::System).unwrap();
            Self { _folder: folder, tree }
        }

        /// Accepts a ticket of a root task while one task may be live.
        fn accept(&self, task: &str, depends_on: &[&str], entry: Entry) -> Result<(TicketId, TicketFolder)> {
            let task = TaskRef { project: "p".parse().unwrap(), task: task.parse().unwrap() };
            self.tree.root().ensure_dir(task.dir().path()).unwrap();
            let ticket = Ticket {
                version: 1,
                project_id: task.project,
                task_id: task.task,
                run_id: "20260205-10000100001-1-0001".parse().unwrap(),
                kind: TaskKind::Task,
                parent_run_id: None,
                depends_on: depends_on.iter().map(|id| id.parse().unwrap()).collect(),
                attempt: 1,
                restarts: 0,
                not_before: None,
                reason: None,
            };
            let mut batch = self.tree.root().batch();
            let new = self.tree.new_ticket(&mut batch, &ticket).unwrap();
            batch.commit().unwrap();
            accept(&self.tree, limits(), new, entry)
        }

        fn place(&self, task: &str, depends_on: &[&str], entry: Entry) -> TicketFolder {
            let (id, place) = self.accept(task, depends_on, entry).unwrap();
            assert!(self.tree.ticket(place, &id).unwrap().is_some(), "{task}: it is where it is said to be");
            place
        }
    }

    #[test]
    fn a_new_ticket_is_live_at_once_only_if_it_need_not_wait() {
        let bench = Bench::new();
        assert_eq!(bench.place("by-hand", &[], Entry::Queued), TicketFolder::Queue);
        // The one before it is first in line.
        assert_eq!(bench.place("second", &[], Entry::AtOnce), TicketFolder::Queue);
        let decision = admit(&bench.tree, limits()).unwrap();
        bench.tree.close_ticket(TicketFolder::Live, &decision.admitted[0]).unwrap();
        let decision = admit(&bench.tree, limits()).unwrap();
        bench.tree.close_ticket(TicketFolder::Live, &decision.admitted[0]).unwrap();
        // It waits for a task, and so holds no place and no line.
        assert_eq!(bench.place("blocked", &["missing"], Entry::AtOnce), TicketFolder::Queue);
        let (first, place) = bench.accept("first", &[], Entry::AtOnce).unwrap();
        assert_eq!(place, TicketFolder::Live);
        assert_eq!(bench.place("late", &[], Entry::AtOnce), TicketFolder::Queue, "there is one place");
        let again = bench.accept("first", &[], Entry::AtOnce).unwrap_err();
        assert!(matches!(again, TreeError::Exists { .. }), "{again}");
        let ids: Vec<TicketId> = bench.tree.ticket_ids(TicketFolder::Queue).unwrap();
        assert!(ids.len() == 2 && ids[0] < first && first < ids[1], "{first} {ids:?}");
        let names = bench.tree.root().list(&TicketFolder::Queue.file(&first).parent()).unwrap();
        assert_eq!(names.len(), 2, "no temporary name is left: {names:?}");
    }
}
