//! Connection slots: the number of connections has a limit, and an idle connection makes room for a new one.
//!
//! A connection without a request costs its client nothing, so it is closed first. A client that opens thousands of
//! them takes slots from itself, and not from clients with requests.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio_util::sync::CancellationToken;

/// The slots of a server.
#[derive(Debug)]
pub(super) struct Slots {
    most: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    next: u64,
    /// Idle connections, by the order in which they came or were last answered.
    waiting: BTreeMap<u64, Entry>,
    busy: BTreeMap<u64, Entry>,
}

#[derive(Debug, Clone)]
struct Entry {
    peer: IpAddr,
    leave: CancellationToken,
}

/// The slot of a connection, held until this is dropped.
#[derive(Debug)]
pub(super) struct Slot {
    slots: Arc<Slots>,
    number: Mutex<u64>,
    leave: CancellationToken,
}

/// A request that is being answered, until its answer has been sent. Its connection is not idle meanwhile.
#[derive(Debug)]
pub(super) struct Turn(Arc<Slot>);

impl Slots {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most: most.max(8), taken: Mutex::default() })
    }

    /// Takes a slot. Returns none if all are taken and no connection is idle.
    pub(super) fn take(self: &Arc<Self>, peer: IpAddr) -> Option<Slot> {
        let mut taken = self.lock();
        // On this machine all clients look the same; another machine gets at most a quarter.
        let own = |entry: &Entry| entry.peer == peer && !peer.is_loopback();
        let owned = taken.waiting.values().chain(taken.busy.values()).filter(|entry| own(entry)).count();
        if owned >= self.most / 4 {
            let first = taken.waiting.iter().find(|(_, entry)| own(entry)).map(|(n, _)| *n);
            taken.evict(first?);
        } else if taken.waiting.len() + taken.busy.len() >= self.most {
            let first = taken.waiting.keys().next().copied();
            taken.evict(first?);
        }
        let leave = CancellationToken::new();
        let number = taken.number();
        taken.waiting.insert(number, Entry { peer, leave: leave.clone() });
        drop(taken);
        Some(Slot { slots: self.clone(), number: Mutex::new(number), leave })
    }

    /// Closes all idle connections.
    pub(super) fn clear(&self) {
        let mut taken = self.lock();
        while let Some((_, entry)) = taken.waiting.pop_first() {
            entry.leave.cancel();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn evict(&mut self, number: u64) {
        if let Some(entry) = self.waiting.remove(&number) {
            entry.leave.cancel();
        }
    }
}

impl Slot {
    /// Waits until the connection must close.
    pub(super) fn left(&self) -> tokio_util::sync::WaitForCancellationFuture<'_> {
        self.leave.cancelled()
    }

    /// Marks the connection as busy for the length of a request.
    pub(super) fn turn(self: &Arc<Self>) -> Turn {
        let number = *self.number();
        let mut taken = self.slots.lock();
        if let Some(entry) = taken.waiting.remove(&number) {
            taken.busy.insert(number, entry);
        }
        drop(taken);
        Turn(self.clone())
    }

    fn number(&self) -> MutexGuard<'_, u64> {
        self.number.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut number = self.0.number();
        let mut taken = self.0.slots.lock();
        if let Some(entry) = taken.busy.remove(&number) {
            *number = taken.number();
            taken.waiting.insert(*number, entry);
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let number = *self.number();
        let mut taken = self.slots.lock();
        taken.waiting.remove(&number);
        taken.busy.remove(&number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));

    #[test]
    fn the_longest_idle_goes_first_and_the_busy_stay() {
        let slots = Slots::new(8);
        let all: Vec<Arc<Slot>> = (0..8).map(|_| Arc::new(slots.take(HERE).unwrap())).collect();
        let turns: Vec<Turn> = all[1..].iter().map(Slot::turn).collect();
        let ninth = slots.take(HERE).unwrap();
        assert!(all[0].leave.is_cancelled() && !all[1].leave.is_cancelled());
        let _tenth = slots.take(HERE).unwrap();
        assert!(ninth.leave.is_cancelled(), "it was the only one to wait");
        drop(turns);
        let _eleventh = slots.take(HERE).unwrap();
        let gone = all[1..].iter().filter(|slot| slot.leave.is_cancelled()).count();
        assert_eq!(gone, 0, "the tenth has been idle for longer than the busy ones");
    }

    #[test]
    fn with_everybody_being_served_there_is_no_place() {
        let slots = Slots::new(8);
        let all: Vec<Arc<Slot>> = (0..8).map(|_| Arc::new(slots.take(HERE).unwrap())).collect();
        let turns: Vec<Turn> = all.iter().map(Slot::turn).collect();
        assert!(slots.take(HERE).is_none());
        drop((turns, all));
        assert!(slots.take(HERE).is_some());
    }

    #[test]
    fn no_other_machine_takes_all() {
        let slots = Slots::new(8);
        let all: Vec<Slot> = (0..5).map(|_| slots.take(THERE).unwrap()).collect();
        let gone = all.iter().filter(|slot| slot.leave.is_cancelled()).count();
        assert_eq!(gone, 3, "two slots of eight are for one machine");
        assert!(slots.take(HERE).is_some());
        slots.clear();
        assert!(all.iter().all(|slot| slot.leave.is_cancelled()));
    }
}
