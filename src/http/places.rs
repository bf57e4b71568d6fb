//! Places: how many connections there may be, and who has to go when there are too many.
//!
//! A connection on which nothing is asked for costs its owner nothing, so it is the first to go: whoever opens
//! thousands of them takes places from himself, and not from those who ask for something.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio_util::sync::CancellationToken;

/// The places of a server.
#[derive(Debug)]
pub(super) struct Places {
    most: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    next: u64,
    /// By the order in which they came, or were last answered.
    waiting: BTreeMap<u64, Seat>,
    busy: BTreeMap<u64, Seat>,
}

#[derive(Debug, Clone)]
struct Seat {
    peer: IpAddr,
    leave: CancellationToken,
}

/// A connection's place, as long as this lives.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    number: Mutex<u64>,
    leave: CancellationToken,
}

/// A request that is being answered on a connection, until its answer has been sent.
#[derive(Debug)]
pub(super) struct Turn(Arc<Place>);

impl Places {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most: most.max(8), taken: Mutex::default() })
    }

    /// Takes a place; `None`: there is none, and nobody who only waits.
    pub(super) fn take(self: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        let mut taken = self.lock();
        // On this machine all clients look the same; from elsewhere nobody gets more than a quarter.
        let own = |seat: &Seat| seat.peer == peer && !peer.is_loopback();
        let owned = taken.waiting.values().chain(taken.busy.values()).filter(|seat| own(seat)).count();
        if owned >= self.most / 4 {
            let first = taken.waiting.iter().find(|(_, seat)| own(seat)).map(|(n, _)| *n);
            taken.evict(first?);
        } else if taken.waiting.len() + taken.busy.len() >= self.most {
            let first = taken.waiting.keys().next().copied();
            taken.evict(first?);
        }
        let leave = CancellationToken::new();
        let number = taken.number();
        taken.waiting.insert(number, Seat { peer, leave: leave.clone() });
        drop(taken);
        Some(Place { places: self.clone(), number: Mutex::new(number), leave })
    }

    /// Sends everybody away who only waits.
    pub(super) fn clear(&self) {
        let mut taken = self.lock();
        while let Some((_, seat)) = taken.waiting.pop_first() {
            seat.leave.cancel();
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
        if let Some(seat) = self.waiting.remove(&number) {
            seat.leave.cancel();
        }
    }
}

impl Place {
    /// Waits until the connection has to go.
    pub(super) fn left(&self) -> tokio_util::sync::WaitForCancellationFuture<'_> {
        self.leave.cancelled()
    }

    /// Something is asked for.
    pub(super) fn turn(self: &Arc<Self>) -> Turn {
        let number = *self.number();
        let mut taken = self.places.lock();
        if let Some(seat) = taken.waiting.remove(&number) {
            taken.busy.insert(number, seat);
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
        let mut taken = self.0.places.lock();
        if let Some(seat) = taken.busy.remove(&number) {
            *number = taken.number();
            taken.waiting.insert(*number, seat);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let number = *self.number();
        let mut taken = self.places.lock();
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
    fn who_waits_longest_goes_first_and_who_is_served_stays() {
        let places = Places::new(8);
        let all: Vec<Arc<Place>> = (0..8).map(|_| Arc::new(places.take(HERE).unwrap())).collect();
        let turns: Vec<Turn> = all[1..].iter().map(Place::turn).collect();
        let ninth = places.take(HERE).unwrap();
        assert!(all[0].leave.is_cancelled() && !all[1].leave.is_cancelled());
        let _tenth = places.take(HERE).unwrap();
        assert!(ninth.leave.is_cancelled(), "it was the only one to wait");
        drop(turns);
        let _eleventh = places.take(HERE).unwrap();
        let gone = all[1..].iter().filter(|place| place.leave.is_cancelled()).count();
        assert_eq!(gone, 0, "the tenth has waited longer than those who were served");
    }

    #[test]
    fn with_everybody_being_served_there_is_no_place() {
        let places = Places::new(8);
        let all: Vec<Arc<Place>> = (0..8).map(|_| Arc::new(places.take(HERE).unwrap())).collect();
        let turns: Vec<Turn> = all.iter().map(Place::turn).collect();
        assert!(places.take(HERE).is_none());
        drop((turns, all));
        assert!(places.take(HERE).is_some());
    }

    #[test]
    fn nobody_from_elsewhere_takes_all() {
        let places = Places::new(8);
        let all: Vec<Place> = (0..5).map(|_| places.take(THERE).unwrap()).collect();
        let gone = all.iter().filter(|place| place.leave.is_cancelled()).count();
        assert_eq!(gone, 3, "two places of eight are his");
        assert!(places.take(HERE).is_some());
        places.clear();
        assert!(all.iter().all(|place| place.leave.is_cancelled()));
    }
}
