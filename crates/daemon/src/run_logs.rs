//! The output of live runs for many followers at a time: followers at the same position share one read.
//!
//! Each run has one shared reader, at the position of the follower that is farthest ahead. A follower that is behind it
//! reads by itself until it has caught up.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use super::{coalesce::Coalescer, parts::Parts};
use tree::{Result, Tree, refs::RunRef};
use view::run_log::{Cursor, LogEvent, RunLog, ShownStatus};

/// Number of pages that stay in memory for followers that are a little behind.
const RECENT: usize = 4;

/// Events of a run, each with the cursor after it.
type Page = Arc<Vec<(LogEvent, Cursor)>>;

/// The runs that are followed.
#[derive(Debug)]
pub struct RunLogs {
    tree: Tree,
    followed: Mutex<HashMap<RunRef, Weak<SharedLog>>>,
}

impl RunLogs {
    /// Returns no followed runs yet.
    pub(super) fn new(parts: &Parts) -> Self {
        Self { tree: parts.runner.tree.clone(), followed: Mutex::default() }
    }

    /// Returns the output of a run, which is shared while any follower holds it.
    #[must_use]
    pub fn follow(&self, run: &RunRef) -> Arc<SharedLog> {
        let mut followed = lock(&self.followed);
        if let Some(log) = followed.get(run).and_then(Weak::upgrade) {
            return log;
        }
        followed.retain(|_, log| log.strong_count() > 0);
        let log = Arc::new(SharedLog::new(self.tree.clone(), run.clone()));
        followed.insert(run.clone(), Arc::downgrade(&log));
        log
    }
}

/// The output of a run, for all its followers.
#[derive(Debug)]
pub struct SharedLog {
    own: Arc<Shared>,
    reads: Coalescer<(Cursor, ShownStatus), (), Result<Option<Page>>>,
}

#[derive(Debug)]
struct Shared {
    tree: Tree,
    run: RunRef,
    /// The reader that is farthest ahead. It is held during a read, so only threads that may block take it.
    front: Mutex<Option<RunLog>>,
    recent: Mutex<Recent>,
}

#[derive(Debug, Default)]
struct Recent {
    /// The position of the shared reader.
    front: Option<Cursor>,
    /// The last pages, oldest first, each with the position and the status for which it was read.
    pages: VecDeque<(Cursor, ShownStatus, Page)>,
}

impl SharedLog {
    fn new(tree: Tree, run: RunRef) -> Self {
        let own = Shared { tree, run, front: Mutex::default(), recent: Mutex::default() };
        Self { own: Arc::new(own), reads: Coalescer::default() }
    }

    /// Returns the next events from a position; none if nothing is new. Returns `None` if the position is behind the
    /// shared reader: the caller then reads by itself. `shown` was read before this call, and a read begins after it.
    ///
    /// # Errors
    /// If the files cannot be read.
    pub async fn read(&self, at: Cursor, shown: ShownStatus) -> Result<Option<Page>> {
        {
            let recent = lock(&self.own.recent);
            if let Some(page) = recent.page(at, shown) {
                return Ok(Some(page));
            }
            if recent.front.is_some_and(|front| is_behind(at, front)) {
                return Ok(None);
            }
        }
        let own = self.own.clone();
        let read = move |(at, shown): &(Cursor, ShownStatus), followers: Vec<()>| {
            let page = own.read(*at, *shown);
            vec![page; followers.len()]
        };
        self.reads.ask((at, shown), (), read).await
    }
}

impl Shared {
    fn read(&self, at: Cursor, shown: ShownStatus) -> Result<Option<Page>> {
        let mut front = lock(&self.front);
        // Another follower may have read it since the request.
        if let Some(page) = lock(&self.recent).page(at, shown) {
            return Ok(Some(page));
        }
        let is_there = front.as_ref().is_some_and(|log| log.place() == at);
        if !is_there && front.as_ref().is_some_and(|log| is_behind(at, log.place())) {
            return Ok(None);
        }
        // A reader that fails is not used again: it may have read a part of a page.
        let log = if is_there { front.take() } else { None };
        let mut log = log.unwrap_or_else(|| RunLog::new(self.tree.clone(), &self.run, at));
        let page = Arc::new(log.read(shown)?);
        lock(&self.recent).add(at, shown, &page, log.place());
        *front = Some(log);
        Ok(Some(page))
    }
}

impl Recent {
    fn page(&self, at: Cursor, shown: ShownStatus) -> Option<Page> {
        let found = self.pages.iter().rev().find(|(from, status, _)| *from == at && *status == shown);
        found.map(|(_, _, page)| page.clone())
    }

    fn add(&mut self, at: Cursor, shown: ShownStatus, page: &Page, front: Cursor) {
        self.front = Some(front);
        // The agent has cut its output. The same positions have other lines now.
        if front.stdout < at.stdout || front.stderr < at.stderr {
            self.pages.clear();
        }
        if !page.is_empty() {
            self.pages.push_back((at, shown, page.clone()));
            self.pages.drain(..self.pages.len().saturating_sub(RECENT));
        }
    }
}

/// Returns true if a part of what the other position has sent is still to be sent.
fn is_behind(at: Cursor, front: Cursor) -> bool {
    at.stdout < front.stdout || at.stderr < front.stderr
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{clock::Clock, fsx::Durability};
    use futures_util::future::join_all;
    use tree::{refs::TaskRef, run_info::RunStatus};

    const RUNNING: ShownStatus = ShownStatus { status: RunStatus::Running, exit_code: None };

    struct Bench {
        _folder: tempfile::TempDir,
        tree: Tree,
        run: RunRef,
        log: SharedLog,
    }

    impl Bench {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let tree = Tree::create(folder.path(), Durability::Never, Clock::System).unwrap();
            let task = TaskRef { project: "p".parse().unwrap(), task: "t".parse().unwrap() };
            let run = task.run("20260205-10000100001-1-0001".parse().unwrap());
            tree.root().ensure_dir(run.dir().path()).unwrap();
            let log = SharedLog::new(tree.clone(), run.clone());
            Self { _folder: folder, tree, run, log }
        }

        fn print(&self, text: &str) {
            let lines = text.as_bytes().to_vec();
            self.tree.root().append_derived(&self.run.dir().stdout(), lines).unwrap();
        }

        /// Reads on as a stream does: shared, or alone while it is behind.
        async fn read(&self, at: Cursor) -> (Vec<String>, Cursor, bool) {
            let shared = self.log.read(at, RUNNING).await.unwrap();
            let is_shared = shared.is_some();
            let alone = || RunLog::new(self.tree.clone(), &self.run, at).read(RUNNING).unwrap();
            let events = shared.unwrap_or_else(|| Arc::new(alone()));
            let lines = events.iter().filter_map(|(event, _)| match event {
                LogEvent::Line { text, .. } => Some(text.clone()),
                _ => None,
            });
            (lines.collect(), events.last().map_or(at, |(_, at)| *at), is_shared)
        }
    }

    #[tokio::test]
    async fn followers_share_what_they_read_and_each_sees_all_of_it() {
        let bench = Bench::new();
        let mut at = vec![Cursor::default(); 100];
        for n in 0..20 {
            bench.print(&format!("{n}\n"));
            let read = join_all(at.iter().map(|at| bench.read(*at))).await;
            for (at, (lines, next, is_shared)) in at.iter_mut().zip(read) {
                assert_eq!((lines, is_shared), (vec![n.to_string()], true));
                *at = next;
            }
            let nothing = join_all(at.iter().map(|at| bench.read(*at))).await;
            assert!(nothing.iter().all(|(lines, _, is_shared)| lines.is_empty() && *is_shared));
        }
        assert_eq!(lock(&bench.log.own.recent).pages.len(), RECENT);
        // A new follower reads alone until it has caught up.
        let (lines, next, is_shared) = bench.read(Cursor::default()).await;
        assert_eq!((lines.len(), next, is_shared), (20, at[0], false));
        bench.print("20\n");
        let (lines, _, is_shared) = bench.read(next).await;
        assert_eq!((lines, is_shared), (vec!["20".to_owned()], true));
    }

    #[tokio::test]
    async fn an_output_that_was_cut_is_read_anew() {
        let bench = Bench::new();
        bench.print("a long first line\n");
        let (_, at, _) = bench.read(Cursor::default()).await;
        bench.tree.root().replace(&bench.run.dir().stdout(), b"b\n").unwrap();
        let (lines, next, _) = bench.read(at).await;
        assert_eq!((lines, next.stdout), (vec!["b".to_owned()], 2));
        let (lines, ..) = bench.read(Cursor::default()).await;
        assert_eq!(lines, ["b"]);
    }
}
