//! The act behind the decision: tickets are renamed from `queue/` to `live/`, under the planner's lock.

use super::decide::{Candidate, Kin, Limits, decide};
use crate::tree::{
    Result, Tree,
    ids::TicketId,
    ticket::{Place, TicketFile},
};

/// Admits what may go live now. Tickets that cannot be read are left where they are and hold no place.
///
/// # Errors
/// If the planner's folders cannot be read or written.
pub fn admit(tree: &Tree, limits: Limits) -> Result<Vec<TicketId>> {
    let planner = tree.planner()?;
    let queue = candidates(tree.tickets(Place::Queue)?);
    let live = candidates(tree.tickets(Place::Live)?);
    let admitted = decide(&queue, &live, limits);
    for id in &admitted {
        planner.admit(id)?;
    }
    Ok(admitted)
}

fn candidates(files: Vec<TicketFile>) -> Vec<Candidate> {
    files
        .into_iter()
        .filter_map(|file| {
            let ticket = file.ticket.ok()?;
            let kin = if ticket.parent_run_id.is_some() { Kin::Child } else { Kin::Root };
            Some(Candidate { id: file.id, kin })
        })
        .collect()
}
