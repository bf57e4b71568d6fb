//! The only file watcher of the process, and the tasks that wait for it.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::{FutureExt, future::select_all};
use notify::{EventKindMask, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::watch;

use super::changed::{Collector, WeakCollector};
use base::blocking;

/// Period of checks without hints.
const POLL: Duration = Duration::from_millis(200);

/// Watches folders (not the folders below them) and wakes the waiters. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Hints {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// `None` if the machine has no inotify instance left, or hints do not work. Changes are polled then. A hung file
    /// system may hold this lock for a long time, so no thread of the runtime takes it.
    watcher: Mutex<Option<RecommendedWatcher>>,
    /// True if there is a watcher; for readers that must not wait for its lock.
    native: AtomicBool,
    told: Arc<Receivers>,
    sweep: Duration,
}

/// The receivers of events.
#[derive(Debug)]
struct Receivers {
    changes: watch::Sender<u64>,
    folders: Mutex<HashMap<PathBuf, Folder>>,
    collectors: Mutex<Vec<WeakCollector>>,
}

/// A watched folder. Several guards may watch the same folder.
#[derive(Debug)]
struct Folder {
    watchers: usize,
    changes: watch::Sender<u64>,
}

/// State of the hints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HintState {
    /// True if the kernel reports changes.
    pub native: bool,
    /// Number of watched folders.
    pub folders: usize,
    /// Number of changes reported so far.
    pub hints: u64,
}

/// The source of hints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The kernel.
    Native,
    /// Periodic checks.
    Poll,
}

impl Receivers {
    fn event(&self, event: notify::Result<notify::Event>) {
        match event {
            Ok(e) if !e.need_rescan() => {
                let folders = lock(&self.folders);
                for folder in e.paths.iter().flat_map(|p| [Some(p.as_path()), p.parent()]).flatten() {
                    if let Some(folder) = folders.get(folder) {
                        bump(&folder.changes);
                    }
                }
                self.tell(|c| c.add(&e.paths));
            }
            _ => {
                lock(&self.folders).values().for_each(|f| bump(&f.changes));
                self.tell(Collector::add_everything);
            }
        }
        bump(&self.changes);
    }

    /// Calls `what` for the collectors that still exist.
    fn tell(&self, what: impl Fn(&Collector)) {
        lock(&self.collectors).retain(|collector| collector.get().inspect(&what).is_some());
    }
}

impl Hints {
    /// Starts without watched folders. `sweep` is the period of the checks that need no hint.
    #[must_use]
    pub fn new(source: Source, sweep: Duration) -> Self {
        let (changes, _) = watch::channel(0_u64);
        let told = Arc::new(Receivers { changes, folders: Mutex::default(), collectors: Mutex::default() });
        let watcher = match source {
            Source::Poll => None,
            Source::Native => {
                let told = told.clone();
                // Not of opens and reads: this process itself opens and reads the files, and would wake itself for
                // ever.
                let changes = notify::Config::default().with_event_kinds(EventKindMask::CORE);
                RecommendedWatcher::new(move |event| told.event(event), changes)
                    .inspect_err(
                        |e| tracing::warn!(error = %e, "cannot use inotify; polling for changes instead"),
                    )
                    .ok()
            }
        };
        let native = AtomicBool::new(watcher.is_some());
        Self { inner: Arc::new(Inner { watcher: Mutex::new(watcher), native, told, sweep }) }
    }

    /// Watches a folder until the guard is dropped. A folder that cannot be watched is polled.
    ///
    /// The kernel looks up the folder, so a hung file system blocks this call. Call it only on threads that may wait.
    /// On a thread of the runtime use [`Hints::watch_all`] or [`Hints::watch_soon`].
    #[must_use]
    pub fn watch(&self, folder: &Path) -> Watched {
        let watched = self.register(folder);
        self.inner.ask_kernel(folder);
        watched
    }

    /// Watches several folders, and waits for the kernel on a blocking thread.
    pub async fn watch_all<const N: usize>(&self, folders: [PathBuf; N]) -> [Watched; N] {
        let hints = self.clone();
        blocking::run(move || folders.map(|folder| hints.watch(&folder))).await
    }

    /// Watches a folder without waiting for the kernel. A change before the kernel watches is not missed: the guard's
    /// waiters are woken once when the watch is active.
    #[must_use]
    pub fn watch_soon(&self, folder: &Path) -> Watched {
        let watched = self.register(folder);
        let (inner, folder) = (self.inner.clone(), folder.to_owned());
        blocking::start(move || {
            inner.ask_kernel(&folder);
            if let Some(folder) = lock(&inner.told.folders).get(&folder) {
                bump(&folder.changes);
            }
        });
        watched
    }

    fn register(&self, folder: &Path) -> Watched {
        let mut folders = lock(&self.inner.told.folders);
        let new = || Folder { watchers: 0, changes: watch::channel(0).0 };
        let entry = folders.entry(folder.to_owned()).or_insert_with(new);
        entry.watchers += 1;
        Watched { hints: self.clone(), folder: folder.to_owned(), changes: entry.changes.subscribe() }
    }

    /// Returns the way in which changes are detected, and their number.
    #[must_use]
    pub fn state(&self) -> HintState {
        HintState {
            native: self.is_native(),
            folders: lock(&self.inner.told.folders).len(),
            hints: *self.inner.told.changes.borrow(),
        }
    }

    /// Returns a waiter for changes from now on in any watched folder. It is for a process that watches few folders.
    #[must_use]
    pub fn waiter(&self) -> Waiter {
        self.waiter_for([self.inner.told.changes.subscribe()])
    }

    /// Returns a waiter for changes from now on in these folders only.
    #[must_use]
    pub fn waiter_of(&self, watched: &[Watched]) -> Waiter {
        self.waiter_for(watched.iter().map(|w| w.changes.clone()))
    }

    fn waiter_for(&self, changes: impl IntoIterator<Item = watch::Receiver<u64>>) -> Waiter {
        let mut waiter = Waiter { hints: self.clone(), changes: changes.into_iter().collect() };
        waiter.mark_unchanged();
        waiter
    }

    /// Collects the paths that change in watched folders and that `wanted` accepts.
    #[must_use]
    pub fn collect(&self, wanted: fn(&Path) -> bool) -> Collector {
        let collector = Collector::new(wanted);
        lock(&self.inner.told.collectors).push(collector.weak());
        collector
    }

    /// Returns the longest time to wait before a check without a hint.
    #[must_use]
    pub fn period(&self) -> Duration {
        if self.is_native() { self.inner.sweep } else { POLL }
    }

    fn is_native(&self) -> bool {
        self.inner.native.load(Ordering::Relaxed)
    }
}

/// A folder that is watched until this guard is dropped.
#[derive(Debug)]
pub struct Watched {
    hints: Hints,
    folder: PathBuf,
    changes: watch::Receiver<u64>,
}

impl Watched {
    /// Returns a waiter for changes from now on in this folder only.
    #[must_use]
    pub fn waiter(&self) -> Waiter {
        self.hints.waiter_for([self.changes.clone()])
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // Guards are dropped on the runtime's threads, too, and a hung file system may block the watcher.
        let (inner, folder) = (self.hints.inner.clone(), std::mem::take(&mut self.folder));
        blocking::start(move || inner.forget(&folder));
    }
}

impl Inner {
    /// Makes the kernel watch a registered folder.
    fn ask_kernel(&self, folder: &Path) {
        // Not under the lock of the folders: the watcher's thread takes that lock while this thread waits for it.
        let mut watcher = lock(&self.watcher);
        if !lock(&self.told.folders).contains_key(folder) {
            // Its last guard was dropped in the meantime.
            return;
        }
        match watcher.as_mut().and_then(|w| w.watch(folder, RecursiveMode::NonRecursive).err()) {
            // The folder does not exist yet, or any more. Its waiters check it periodically.
            Some(e) if is_missing(&e) => {}
            Some(e) => {
                tracing::warn!(error = %e, folder = %folder.display(), "cannot watch a folder; polling it for changes instead");
                self.native.store(false, Ordering::Relaxed);
                *watcher = None;
            }
            // A file may have changed in the folder since its reader looked: the waiters for all folders look again.
            None => bump(&self.told.changes),
        }
    }

    /// Removes one guard from a folder, and the kernel's watch together with the last guard.
    fn forget(&self, folder: &Path) {
        // Locked before the folders: a watch that begins now waits here, and then renews the watch that this call
        // removes.
        let mut watcher = lock(&self.watcher);
        let last = {
            let mut folders = lock(&self.told.folders);
            let last = folders.get_mut(folder).is_none_or(|f| {
                f.watchers -= 1;
                f.watchers == 0
            });
            if last {
                folders.remove(folder);
            }
            last
        };
        if last {
            // The folder may be gone, and its watch with it.
            let _ = watcher.as_mut().map(|w| w.unwatch(folder));
        }
    }
}

/// Waits for hints. A change since the last wait is not missed.
#[derive(Debug)]
pub struct Waiter {
    hints: Hints,
    changes: Vec<watch::Receiver<u64>>,
}

impl Waiter {
    /// Waits for the next hint, or until the next periodic check is due.
    pub async fn next(&mut self) {
        // An elapsed period causes a check. A closed channel never sends a hint, but the periods continue.
        let period = self.hints.period();
        let hint = async {
            match self.changes.as_mut_slice() {
                [] => std::future::pending().await,
                [one] => one.changed().await,
                many => select_all(many.iter_mut().map(|c| c.changed().boxed())).await.0,
            }
        };
        if let Ok(Err(_)) = tokio::time::timeout(period, hint).await {
            tokio::time::sleep(period).await;
        }
        // A check from here on sees the changes of all hints so far.
        self.mark_unchanged();
    }

    /// Returns true if there was a hint since the last wait.
    #[must_use]
    pub fn is_told(&self) -> bool {
        self.changes.iter().any(|changes| changes.has_changed().unwrap_or(true))
    }

    fn mark_unchanged(&mut self) {
        self.changes.iter_mut().for_each(watch::Receiver::mark_unchanged);
    }
}

fn is_missing(error: &notify::Error) -> bool {
    match &error.kind {
        notify::ErrorKind::PathNotFound => true,
        notify::ErrorKind::Io(e) => e.kind() == std::io::ErrorKind::NotFound,
        _ => false,
    }
}

fn bump(changes: &watch::Sender<u64>) {
    changes.send_modify(|n| *n = n.wrapping_add(1));
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    #[expect(
        clippy::disallowed_methods,
        reason = "the test plays another program that writes into the folder"
    )]
    async fn a_folder_that_two_watch_is_watched_until_both_have_gone() {
        let dir = tempfile::tempdir().unwrap();
        let hints = Hints::new(Source::Native, Duration::from_mins(10));
        let kept = hints.watch(dir.path());
        drop(hints.watch(dir.path()));
        let other = tempfile::tempdir().unwrap();
        let elsewhere = hints.watch(other.path());
        let (mut mine, mut foreign) = (kept.waiter(), elsewhere.waiter());
        std::fs::write(dir.path().join("x"), "x").unwrap();
        tokio::time::timeout(Duration::from_secs(10), mine.next()).await.unwrap();
        assert!(tokio::time::timeout(Duration::from_millis(50), foreign.next()).await.is_err());
        let both = [kept, elsewhere];
        let mut either = hints.waiter_of(&both);
        for folder in [dir.path(), other.path()] {
            // Hints about earlier writes may still arrive.
            while tokio::time::timeout(Duration::from_millis(50), either.next()).await.is_ok() {}
            std::fs::write(folder.join("y"), "y").unwrap();
            tokio::time::timeout(Duration::from_secs(10), either.next()).await.unwrap();
        }
        let [kept, _elsewhere] = both;
        drop(kept);
        let began = std::time::Instant::now();
        while hints.state().folders > 1 {
            assert!(began.elapsed() < Duration::from_secs(10), "only the other folder is left");
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    #[expect(
        clippy::disallowed_methods,
        reason = "the test plays another program that writes into the folder"
    )]
    async fn a_watch_that_is_not_waited_for_misses_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let hints = Hints::new(Source::Native, Duration::from_mins(10));
        let (let_go, until) = std::sync::mpsc::channel::<()>();
        let (holding, held) = std::sync::mpsc::channel();
        let inner = hints.inner.clone();
        let holder = std::thread::spawn(move || {
            let _held = lock(&inner.watcher);
            holding.send(()).unwrap();
            until.recv_timeout(Duration::from_secs(30)).unwrap();
        });
        held.recv().unwrap();
        let watched = hints.watch_soon(dir.path());
        let mut waiter = watched.waiter();
        assert_eq!(hints.period(), Duration::from_mins(10), "asked while the watcher is held up");
        std::fs::write(dir.path().join("x"), "x").unwrap();
        assert!(tokio::time::timeout(Duration::from_millis(20), waiter.next()).await.is_err());
        drop(watched);
        let watched = hints.watch_soon(dir.path());
        let mut waiter = watched.waiter();
        let_go.send(()).unwrap();
        holder.join().unwrap();
        tokio::time::timeout(Duration::from_secs(10), waiter.next()).await.unwrap();
    }
}
