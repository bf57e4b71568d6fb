//! One piece of work for all who ask for it at the same time: whoever comes while it is under way is served with all
//! others who came meanwhile. So a disk that is slow to sync serves many clients as soon as one.

use std::{
    collections::HashMap,
    hash::Hash,
    mem,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

use crate::blocking;

/// So many are served at a time.
const MOST: usize = 64;

type Waiting<K, T, R> = Mutex<HashMap<K, Vec<Asked<T, R>>>>;

/// Those who wait, by what they ask something of.
#[derive(Debug)]
pub(super) struct Gathered<K, T, R>(Arc<Waiting<K, T, R>>);

/// What somebody asks, and where the answer goes.
#[derive(Debug)]
struct Asked<T, R> {
    item: T,
    answer: oneshot::Sender<R>,
}

impl<K, T, R> Default for Gathered<K, T, R> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K, T, R> Gathered<K, T, R>
where
    K: Eq + Hash + Clone + Send + 'static,
    T: Send + 'static,
    R: Send + 'static,
{
    /// Asks for something, off this thread. It is done even if whoever asked goes away meanwhile. `work` serves many who ask the same `of`, each in its turn, and answers in
    /// the same order; that of whoever came first serves them all, so that it must be the same for all.
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
            waiting.entry(of.clone()).or_default().push(Asked { item, answer });
            first
        };
        if first {
            let turn = Turn { waiting: self.0.clone(), of };
            blocking::start(move || turn.serve(work));
        }
        match told.await {
            Ok(told) => told,
            Err(_) => resume_unwind(Box::new("the work that many had asked for has panicked")),
        }
    }
}

/// The turn of who came first, which lasts as long as somebody comes.
struct Turn<K: Eq + Hash, T, R> {
    waiting: Arc<Waiting<K, T, R>>,
    of: K,
}

impl<K: Eq + Hash, T, R> Turn<K, T, R> {
    fn serve(self, work: impl Fn(&K, Vec<T>) -> Vec<R>) {
        while let Some(asked) = self.next() {
            let (items, answers): (Vec<T>, Vec<_>) = asked.into_iter().map(|a| (a.item, a.answer)).unzip();
            // A panic, which was said where it happened, is that of those who are served just now: without an answer
            // they end likewise. Those who wait are served all the same.
            let Ok(told) = catch_unwind(AssertUnwindSafe(|| work(&self.of, items))) else { continue };
            for (answer, told) in answers.into_iter().zip(told) {
                // Whoever asked may be gone; what was asked for is done.
                let _ = answer.send(told);
            }
        }
    }

    /// Those who are served next; with nobody left the turn is over.
    fn next(&self) -> Option<Vec<Asked<T, R>>> {
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
        let gathered = Gathered::default();
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
        // Nothing is kept of whom nobody asks any more, a moment after the last answer.
        let began = std::time::Instant::now();
        while !lock(&gathered.0).is_empty() {
            assert!(began.elapsed() < std::time::Duration::from_secs(10));
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_panic_is_told_to_those_it_concerns_and_to_nobody_later() {
        let gathered = Gathered::default();
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
