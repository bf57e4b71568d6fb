//! Carries out the decision: renames tickets from `queue/` to `live/`, under the planner's lock.

use super::decide::{Admission, Candidate, Decision, Limits, Readiness, TicketOrigin, decide};
use tree::{
    RelPath, Result, Tree, TreeError,
    ids::TicketId,
    ticket::{Ticket, TicketFolder},
};
use view::{
    dependency::{Blockers, readable_tickets},
    task::Standing,
};

/// Admits the tickets that may become live now. Unreadable tickets are left in place and hold no place.
///
/// # Errors
/// If the planner's folders cannot be read or written.
pub fn admit(tree: &Tree, limits: Limits) -> Result<Decision> {
    let planner = tree.planner()?;
    let (_, decision) = look(tree, limits)?;
    for id in &decision.admitted {
        planner.admit(id)?;
    }
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

/// Reads the tickets and decides. The drain is checked here, under the caller's lock: a gate that checked it earlier
/// could admit a root task after the drain began.
fn look(tree: &Tree, limits: Limits) -> Result<(Vec<(Candidate, Ticket)>, Decision)> {
    // The queue first: a ticket that another gate admits between the two reads is counted twice, never missed.
    let queue = readable_tickets(tree, TicketFolder::Queue)?;
    let live = readable_tickets(tree, TicketFolder::Live)?;
    let mut blockers = Blockers::new(queue.iter().chain(&live).map(|(_, t)| t));
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
        .into_iter()
        .map(|(id, ticket)| Candidate { id, origin: origin(&ticket), readiness: Readiness::Ready })
        .collect();
    let queue: Vec<Candidate> = candidates.iter().map(|(c, _)| c.clone()).collect();
    let decision = decide(&queue, &live, limits, admission(tree));
    Ok((candidates, decision))
}

fn origin(ticket: &Ticket) -> TicketOrigin {
    if ticket.parent_run_id.is_some() { TicketOrigin::Child } else { TicketOrigin::Root }
}
