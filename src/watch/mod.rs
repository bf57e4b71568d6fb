//! Hints that something on disk has changed. A hint wakes; what is true is read from disk.
//!
//! notify loses files in new nested folders and says nothing on network file
//! systems, so every wait here also ends after a period, and who waits looks again.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::watch;

/// How often to look without hints.
const POLL: Duration = Duration::from_millis(200);

/// Watches folders (not what is below them) and wakes whoever waits. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Hints {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// `None` where the machine has no instance left, or hints say nothing: then it is polled.
    watcher: Mutex<Option<RecommendedWatcher>>,
    changes: watch::Sender<u64>,
    sweep: Duration,
}

/// Whether hints can be had at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// From the kernel.
    Native,
    /// By looking on a period.
    Poll,
}

impl Hints {
    /// Begins to watch nothing; `sweep` is how often to look although there was no hint.
    #[must_use]
    pub fn new(source: Source, sweep: Duration) -> Self {
        let (changes, _) = watch::channel(0_u64);
        let sender = changes.clone();
        let watcher = match source {
            Source::Poll => None,
            Source::Native => notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
                // Our own reading is reported too, and would wake us for ever.
                if !event.is_ok_and(|e| matches!(e.kind, EventKind::Access(_))) {
                    sender.send_modify(|n| *n = n.wrapping_add(1));
                }
            })
            .inspect_err(
                |e| tracing::warn!(error = %e, "no inotify instance is left: changes are polled for"),
            )
            .ok(),
        };
        Self { inner: Arc::new(Inner { watcher: Mutex::new(watcher), changes, sweep }) }
    }

    /// Watches a folder until the guard is dropped. A folder that cannot be watched is polled for.
    #[must_use]
    pub fn watch(&self, folder: &Path) -> Watched {
        let mut watcher = self.inner.watcher.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = watcher.as_mut().and_then(|w| w.watch(folder, RecursiveMode::NonRecursive).err());
        if let Some(e) = failed {
            tracing::warn!(error = %e, folder = %folder.display(), "a folder cannot be watched: changes are polled for");
            *watcher = None;
        }
        Watched { hints: self.clone(), folder: folder.to_owned() }
    }

    /// Somebody who waits from now on.
    #[must_use]
    pub fn waiter(&self) -> Waiter {
        let mut changes = self.inner.changes.subscribe();
        changes.mark_unchanged();
        Waiter { hints: self.clone(), changes }
    }

    fn period(&self) -> Duration {
        let native = self.inner.watcher.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        if native { self.inner.sweep } else { POLL }
    }
}

/// A folder that is watched while this lives.
#[derive(Debug)]
pub struct Watched {
    hints: Hints,
    folder: PathBuf,
}

impl Drop for Watched {
    fn drop(&mut self) {
        let mut watcher = self.hints.inner.watcher.lock().unwrap_or_else(PoisonError::into_inner);
        // The folder may be gone, and its watch with it.
        let _ = watcher.as_mut().map(|w| w.unwatch(&self.folder));
    }
}

/// Waits for hints. What happened since the last wait is not missed.
#[derive(Debug)]
pub struct Waiter {
    hints: Hints,
    changes: watch::Receiver<u64>,
}

impl Waiter {
    /// Returns on the next hint, or when it is time to look anyway.
    pub async fn next(&mut self) {
        // An elapsed period and a closed channel mean the same: look.
        let _ = tokio::time::timeout(self.hints.period(), self.changes.changed()).await;
    }
}
