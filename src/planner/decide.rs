//! The decision, as a pure function of the tickets and the limits.
//!
//! 1. A child (a ticket with a parent run) is admitted at once and takes no root's place.
//! 2. Roots are admitted in order of acceptance while a place is free.
//! 3. Live roots and runs are counted from `live/`, so a driver that died changes no count.

use std::num::NonZeroU32;

use crate::tree::ids::TicketId;

/// How many may be live at a time; `None`: any number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Root tasks.
    pub roots: Option<NonZeroU32>,
    /// Runs; a live ticket is one run.
    pub runs: Option<NonZeroU32>,
}

/// What the gate needs to know of a ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its number.
    pub id: TicketId,
    /// Who asked for it.
    pub kin: Kin,
}

/// Whether a ticket waits for a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kin {
    /// It does.
    Root,
    /// An agent asked for it: it never waits.
    Child,
}

/// Decides which queued tickets go live now, in this order. Both lists are oldest first.
#[must_use]
pub fn decide(queue: &[Candidate], live: &[Candidate], limits: Limits) -> Vec<TicketId> {
    let room = |limit: Option<NonZeroU32>, taken: usize| {
        limit.map_or(usize::MAX, |l| usize::try_from(l.get()).unwrap_or(usize::MAX).saturating_sub(taken))
    };
    let live_roots = live.iter().filter(|c| c.kin == Kin::Root).count();
    let children = queue.iter().filter(|c| c.kin == Kin::Child).count();
    let places = room(limits.roots, live_roots).min(room(limits.runs, live.len() + children));
    let mut free = places;
    let mut admitted = Vec::new();
    for candidate in queue {
        match candidate.kin {
            Kin::Child => admitted.push(candidate.id.clone()),
            Kin::Root if free > 0 => {
                free -= 1;
                admitted.push(candidate.id.clone());
            }
            Kin::Root => {}
        }
    }
    admitted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tickets(kinds: &str, first: u64) -> Vec<Candidate> {
        let kin = |c| if c == 'r' { Kin::Root } else { Kin::Child };
        (first..)
            .zip(kinds.chars())
            .map(|(n, c)| Candidate { id: format!("{n:020}").parse().unwrap(), kin: kin(c) })
            .collect()
    }

    #[test]
    fn roots_wait_in_order_and_children_never() {
        for (queue, live, roots, runs, admitted) in [
            ("rrr", "", 0, 0, "123"),
            ("rrr", "r", 2, 0, "1"),
            ("rcr", "rr", 2, 0, "2"),
            ("rrr", "rc", 0, 3, "1"),
            ("rcr", "r", 0, 2, "2"),
            ("", "rr", 1, 1, ""),
        ] {
            let limits = Limits { roots: NonZeroU32::new(roots), runs: NonZeroU32::new(runs) };
            let ids = decide(&tickets(queue, 1), &tickets(live, 100), limits);
            let digits: String =
                ids.iter().map(|id| id.as_str().trim_start_matches('0').to_owned()).collect();
            assert_eq!(digits, admitted, "queue {queue:?} live {live:?} roots {roots} runs {runs}");
        }
    }
}
