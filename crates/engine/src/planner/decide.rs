//! The decision, as a pure function of the tickets and the limits.
//!
//! 1. A ticket that is blocked, or waits for a time, is not ready: it is not admitted and holds no place and
//!    no position.
//! 2. A ticket of a task that was stopped, or is done, before it started is admitted at once: it starts nothing, and
//!    its driver ends it.
//! 3. A ready child (a ticket with a parent run) is admitted at once and takes no place of a root.
//! 4. Ready roots are admitted in order of acceptance while a place is free.
//! 5. While a drain is on, no root is admitted; children are.
//! 6. Live roots and runs are counted from `live/`, so the death of a driver changes no count.

use std::num::NonZeroU32;

use config::Defaults;
use tree::ids::TicketId;

/// The largest numbers of live tickets; `None`: no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Root tasks.
    pub roots: Option<NonZeroU32>,
    /// Runs. A live ticket is one run.
    pub runs: Option<NonZeroU32>,
}

impl Limits {
    /// Returns the limits in the settings.
    #[must_use]
    pub fn of(defaults: &Defaults) -> Self {
        Self { roots: defaults.max_concurrent_root_tasks, runs: defaults.max_concurrent_runs }
    }
}

/// The facts about a ticket that the gate needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its id.
    pub id: TicketId,
    /// The origin of the ticket.
    pub origin: TicketOrigin,
    /// Says if it could start, given a place.
    pub readiness: Readiness,
}

/// The origin of a ticket, which decides if it waits for a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TicketOrigin {
    /// A root task: it waits for a place.
    Root,
    /// An agent requested it: it never waits for a place.
    Child,
}

/// Says if a ticket could start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// It could start.
    Ready,
    /// It will not start: STOP or DONE exists already.
    Over,
    /// It waits for other tasks, or for a time; with the reason.
    Blocked(String),
}

/// Says if root tasks may start at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Admission {
    /// They may start.
    #[default]
    Open,
    /// They may not: an update waits until no root task is live.
    Draining,
}

/// The decision of the gate.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decision {
    /// The tickets that become live now, in this order.
    pub admitted: Vec<TicketId>,
    /// The ready roots that wait for a place, the first in line first.
    pub waiting: Vec<TicketId>,
}

/// Decides which queued tickets become live now. Both lists are oldest first.
#[must_use]
pub fn decide(queue: &[Candidate], live: &[Candidate], limits: Limits, admission: Admission) -> Decision {
    let room = |limit: Option<NonZeroU32>, taken: usize| {
        limit.map_or(usize::MAX, |l| usize::try_from(l.get()).unwrap_or(usize::MAX).saturating_sub(taken))
    };
    let passes = |c: &Candidate| c.origin == TicketOrigin::Child || c.readiness == Readiness::Over;
    let ready = || queue.iter().filter(|c| !matches!(c.readiness, Readiness::Blocked(_)));
    let live_roots = live.iter().filter(|c| c.origin == TicketOrigin::Root).count();
    let children = ready().filter(|c| c.origin == TicketOrigin::Child).count();
    let places = room(limits.roots, live_roots).min(room(limits.runs, live.len() + children));
    let mut free = if admission == Admission::Draining { 0 } else { places };
    let mut decision = Decision::default();
    for candidate in ready() {
        if passes(candidate) {
            decision.admitted.push(candidate.id.clone());
        } else if free > 0 {
            free -= 1;
            decision.admitted.push(candidate.id.clone());
        } else {
            decision.waiting.push(candidate.id.clone());
        }
    }
    decision
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Creates tickets: `r` a ready root, `c` a ready child, `b` a blocked root, `d` a blocked child, `s` a stopped
    /// root.
    fn tickets(kinds: &str, first: u64) -> Vec<Candidate> {
        let candidate = |(n, c): (u64, char)| Candidate {
            id: format!("{n:020}").parse().unwrap(),
            origin: if "rbs".contains(c) { TicketOrigin::Root } else { TicketOrigin::Child },
            readiness: match c {
                'r' | 'c' => Readiness::Ready,
                's' => Readiness::Over,
                _ => Readiness::Blocked(String::new()),
            },
        };
        (first..).zip(kinds.chars()).map(candidate).collect()
    }

    fn digits(ids: &[TicketId]) -> String {
        ids.iter().map(|id| id.as_str().trim_start_matches('0').to_owned()).collect()
    }

    #[test]
    fn roots_wait_in_order_and_children_never() {
        for (queue, live, roots, runs, admitted, waiting) in [
            ("rrr", "", 0, 0, "123", ""),
            ("rrr", "r", 2, 0, "1", "23"),
            ("rcr", "rr", 2, 0, "2", "13"),
            ("rrr", "rc", 0, 3, "1", "23"),
            ("rcr", "r", 0, 2, "2", "13"),
            ("brr", "", 1, 0, "2", "3"),
            ("dbr", "", 1, 0, "3", ""),
            ("rsr", "r", 1, 1, "2", "13"),
            ("", "rr", 1, 1, "", ""),
        ] {
            let limits = Limits { roots: NonZeroU32::new(roots), runs: NonZeroU32::new(runs) };
            let decision = decide(&tickets(queue, 1), &tickets(live, 100), limits, Admission::Open);
            let got = (digits(&decision.admitted), digits(&decision.waiting));
            assert_eq!(got, (admitted.to_owned(), waiting.to_owned()), "{queue:?} {live:?} {roots} {runs}");
        }
    }

    #[test]
    fn a_drain_holds_roots_back_and_lets_children_pass() {
        let decision = decide(&tickets("rcb", 1), &[], Limits::default(), Admission::Draining);
        assert_eq!((digits(&decision.admitted), digits(&decision.waiting)), ("2".to_owned(), "1".to_owned()));
    }

    proptest! {
        /// Passes a thousand tickets through the gate. In any order of endings, FIFO and limits hold at every step.
        #[test]
        fn the_gate_keeps_order_and_limits(
            kinds in proptest::collection::vec(prop_oneof![6 => Just('r'), 1 => Just('c'), 1 => Just('b')], 1..1000),
            limit in 1_u32..6,
            ends in proptest::collection::vec(any::<prop::sample::Index>(), 1..2000),
        ) {
            let limits = Limits { roots: NonZeroU32::new(limit), runs: None };
            let text: String = kinds.iter().collect();
            let mut queue = tickets(&text, 1);
            let mut live: Vec<Candidate> = Vec::new();
            let mut last_root = None;
            for end in ends {
                let decision = decide(&queue, &live, limits, Admission::Open);
                for id in &decision.admitted {
                    let at = queue.iter().position(|c| c.id == *id).unwrap();
                    let ticket = queue.remove(at);
                    prop_assert_eq!(&ticket.readiness, &Readiness::Ready);
                    if ticket.origin == TicketOrigin::Root {
                        prop_assert!(last_root.as_ref().is_none_or(|l| *l < ticket.id), "roots in order of acceptance");
                        last_root = Some(ticket.id.clone());
                    }
                    live.push(ticket);
                }
                let roots = live.iter().filter(|c| c.origin == TicketOrigin::Root).count();
                prop_assert!(roots <= limit as usize);
                let ready = queue.iter().any(|c| c.readiness == Readiness::Ready);
                prop_assert!(!ready || roots == limit as usize, "nobody who could start is kept waiting");
                if live.is_empty() {
                    break;
                }
                live.remove(end.index(live.len()));
            }
        }
    }
}
