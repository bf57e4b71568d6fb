//! A budget of memory: answers, and bodies of requests, take shares of it, so that many slow clients cannot fill the
//! machine.
//!
//! A share is taken before its bytes are read or made. A caller that finds too little left waits in line, in the order
//! of arrival, and holds nothing meanwhile. Each answer also has a deadline for its writes, so a client that reads
//! nothing gives its share back in the end.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use tokio::sync::oneshot;

/// A number of bytes that all holders of shares have together. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    all: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The bytes that are left. Negative if shares grew after they were taken.
    left: i64,
    /// The callers that wait, each with the number of bytes that it wants.
    waiting: VecDeque<(usize, oneshot::Sender<Share>)>,
}

/// A part of a budget, given back when this is dropped.
#[derive(Debug)]
pub struct Share {
    budget: Budget,
    bytes: usize,
}

impl Budget {
    /// A budget of this many bytes.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        let state = State { left: signed(bytes), waiting: VecDeque::new() };
        Self(Arc::new(Inner { all: bytes, state: Mutex::new(state) }))
    }

    /// Takes a share, and waits until there is enough left. A share is never larger than the whole budget, so that a
    /// caller that wants more is served alone.
    pub async fn take(&self, bytes: usize) -> Share {
        let bytes = bytes.min(self.0.all);
        let served = {
            let mut state = self.lock();
            if state.waiting.is_empty() && state.left >= signed(bytes) {
                state.left -= signed(bytes);
                return Share { budget: self.clone(), bytes };
            }
            let (serve, served) = oneshot::channel();
            state.waiting.push_back((bytes, serve));
            served
        };
        // The sender stays in the queue until it is used.
        served.await.unwrap_or_else(|_| Share { budget: self.clone(), bytes: 0 })
    }

    /// Takes a share if there is enough left and no other caller waits.
    #[must_use]
    pub fn try_take(&self, bytes: usize) -> Option<Share> {
        let bytes = bytes.min(self.0.all);
        let mut state = self.lock();
        (state.waiting.is_empty() && state.left >= signed(bytes)).then(|| {
            state.left -= signed(bytes);
            Share { budget: self.clone(), bytes }
        })
    }

    fn give_back(&self, bytes: usize) {
        let mut state = self.lock();
        state.left += signed(bytes);
        let mut unwanted = Vec::new();
        while let Some((wanted, _)) = state.waiting.front()
            && state.left >= signed(*wanted)
            && let Some((wanted, serve)) = state.waiting.pop_front()
        {
            // A caller that is gone takes nothing.
            if !serve.is_closed() {
                state.left -= signed(wanted);
                unwanted.extend(serve.send(Share { budget: self.clone(), bytes: wanted }).err());
            }
        }
        drop(state);
        // A share gives itself back when it is dropped, which takes the lock again.
        drop(unwanted);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    /// Returns the number of bytes of this share.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Changes the size without waiting. A share that grows beyond the rest of its budget delays all others until the
    /// difference is given back.
    pub fn resize(&mut self, bytes: usize) {
        let before = std::mem::replace(&mut self.bytes, bytes);
        if bytes > before {
            self.budget.lock().left -= signed(bytes - before);
        } else {
            self.budget.give_back(before - bytes);
        }
    }

    /// Waits until this share has at least so many bytes, up to the whole budget. It holds nothing while it waits, so
    /// that callers which wait at the same time cannot block each other.
    pub async fn grow_to(&mut self, bytes: usize) {
        if self.bytes < bytes.min(self.budget.0.all) {
            self.resize(0);
            *self = self.budget.clone().take(bytes).await;
        }
    }

    /// Returns the bytes of an answer, which hold this share until the last of them was sent.
    #[must_use]
    pub fn around(mut self, bytes: Vec<u8>) -> Bytes {
        self.resize(bytes.capacity());
        Bytes::from_owner(Held { bytes, _share: self })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.budget.give_back(self.bytes);
        }
    }
}

/// Bytes and their share.
struct Held {
    bytes: Vec<u8>,
    _share: Share,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[tokio::test]
    async fn shares_are_served_in_order_and_come_back() {
        let budget = Budget::new(100);
        let first = budget.take(60).await;
        let mut large = Box::pin(budget.take(50));
        assert!(large.as_mut().now_or_never().is_none());
        let mut small = Box::pin(budget.take(10));
        assert!(small.as_mut().now_or_never().is_none(), "the large one is first in line");
        assert!(budget.try_take(1).is_none());
        drop(first);
        let large = large.await;
        let small = small.await;
        assert_eq!((large.bytes(), small.bytes(), budget.lock().left), (50, 10, 40));
        drop((large, small));
        assert_eq!(budget.lock().left, 100);
    }

    #[tokio::test]
    async fn a_share_larger_than_all_is_all_and_a_waiter_that_leaves_costs_nothing() {
        let budget = Budget::new(100);
        let all = budget.take(1000).await;
        assert_eq!(all.bytes(), 100);
        let mut gone = Box::pin(budget.take(100));
        assert!(gone.as_mut().now_or_never().is_none());
        drop(gone);
        let mut next = Box::pin(budget.take(100));
        assert!(next.as_mut().now_or_never().is_none());
        drop(all);
        assert_eq!(next.await.bytes(), 100);
        assert_eq!(budget.lock().left, 100);
    }

    #[tokio::test]
    async fn a_share_that_grows_delays_the_next_and_bytes_hold_theirs() {
        let budget = Budget::new(100);
        let mut share = budget.take(10).await;
        share.resize(150);
        let mut next = Box::pin(budget.take(1));
        assert!(next.as_mut().now_or_never().is_none());
        let mut bytes = share.around(vec![0; 40]);
        assert!(next.as_mut().now_or_never().is_some());
        let rest = bytes.split_off(10);
        drop(bytes);
        assert!(budget.try_take(70).is_none(), "the rest holds the share");
        drop(rest);
        let mut share = budget.take(30).await;
        share.grow_to(90).await;
        assert_eq!((share.bytes(), budget.lock().left), (90, 10));
    }
}
