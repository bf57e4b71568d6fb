//! Combines equal requests: requests that arrive while the work is in progress are served together by the next round.
//! So a disk that is slow to sync serves many clients as fast as one.

use std::{
    collections::HashMap,
    hash::Hash,
    mem,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

use base::blocking;

/// Maximum number of requests that are served at once.
const MOST: usize = 64;

type Waiting<K, T, R> = Mutex<HashMap<K, Vec<Request<T, R>>>>;

/// The waiting requests, by their subject.
#[derive(Debug)]
pub(super) struct Coalescer<K, T, R>(Arc<Waiting<K, T, R>>);

/// A request, and the channel for its answer.
#[derive(Debug)]
struct Request<T, R> {
    item: T,
    answer: oneshot::Sender<R>,
}

impl<K, T, R> Default for Coalescer<K, T, R> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K, T, R> Coalescer<K, T, R>
where
    K: Eq + Hash + Clone + Send + 'static,
    T: Send + 'static,
    R: Send + 'static,
{
    /// Makes a request, which is executed on another thread even if the caller goes away. `work` serves several
    /// requests for the same `of`, each in its turn, and returns the answers in the same order. The `work` of the
    /// first request serves them all, so it must be the same for all.
    ///
    /// # Panics
    /// If the work does.
    pub(super) async fn ask(
        &self,
        of: K,
        item: T,
        work: impl Fn(&K, Vec<T>) -> Vec<R> + Send + 'static,
    ) -> R {
        let (answer, told) = oneshot::channel();
        let first = {
            let mut waiting = lock(&self.0);
            let first = !waiting.contains_key(&of);
            waiting.entry(of.clone()).or_default().push(Request { item, answer });
            first
        };
        if first {
            let turn = Turn { waiting: self.0.clone(), of };
            blocking::start(move || turn.serve(work));
        }
        match told.await {
            Ok(told) => told,
            Err(_) => resume_unwind(Box::new("the shared work for several requests has panicked")),
        }
    }
}

/// The turn of the first request, which lasts as long as further requests arrive.
struct Turn<K: Eq + Hash, T, R> {
    waiting: Arc<Waiting<K, T, R>>,
    of: K,
}

impl<K: Eq + Hash, T, R> Turn<K, T, R> {
    fn serve(self, work: impl Fn(&K, Vec<T>) -> Vec<R>) {
        while let Some(asked) = self.next() {
            let (items, answers): (Vec<T>, Vec<_>) = asked.into_iter().map(|a| (a.item, a.answer)).unzip();
            // A panic, which was logged where it happened, affects only the requests of this round: they get no
            // answer and panic, too. The waiting requests are still served.
            let Ok(told) = catch_unwind(AssertUnwindSafe(|| work(&self.of, items))) else { continue };
            for (answer, told) in answers.into_iter().zip(told) {
                // The caller may be gone, but its request was executed.
                let _ = answer.send(told);
            }
        }
    }

    /// Takes the next requests; without any the turn is over.
    fn next(&self) -> Option<Vec<Request<T, R>>> {
        let mut waiting = lock(&self.waiting);
        let all = waiting.get_mut(&self.of)?;
        if all.is_empty() {
            waiting.remove(&self.of);
            return None;
        }
        let later = all.split_off(all.len().min(MOST));
        Some(mem::replace(all, later))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::{FutureExt, future::join_all};

    #[tokio::test]
    async fn who_comes_meanwhile_is_served_together_and_each_gets_his_own_answer() {
        let gathered = Coalescer::default();
        let pieces = Arc::new(AtomicUsize::new(0));
        let ask = |n: usize| {
            let pieces = pieces.clone();
            gathered.ask(n % 2, n, move |of, items: Vec<usize>| {
                assert!(items.len() <= MOST && items.iter().all(|n| n % 2 == *of));
                pieces.fetch_add(1, Ordering::SeqCst);
                std::thread::sleep(std::time::Duration::from_millis(2));
                items.into_iter().map(|n| n * 10).collect()
            })
        };
        let told = join_all((0..400).map(ask)).await;
        assert!(told.into_iter().eq((0..400).map(|n| n * 10)));
        let pieces = pieces.load(Ordering::SeqCst);
        assert!((8..200).contains(&pieces), "{pieces} pieces of work for 400");
        // A moment after the last answer nothing is kept of its subject.
        let began = std::time::Instant::now();
        while !lock(&gathered.0).is_empty() {
            assert!(began.elapsed() < std::time::Duration::from_secs(10));
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_panic_is_told_to_those_it_concerns_and_to_nobody_later() {
        let gathered = Coalescer::default();
        let work = |(): &(), items: Vec<i32>| {
            if items.contains(&1) {
                resume_unwind(Box::new("bad"));
            }
            items
        };
        assert!(AssertUnwindSafe(gathered.ask((), 1, work)).catch_unwind().await.is_err());
        assert_eq!(gathered.ask((), 2, work).await, 2);
    }
}
