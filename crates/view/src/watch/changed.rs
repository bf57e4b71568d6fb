//! Collects the changed paths for one reader that processes many of them at once.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::sync::Notify;

/// Largest number of paths that are reported one by one. Beyond it only "everything" is reported.
const MOST: usize = 4096;

/// The changes since the last call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// These paths.
    Paths(HashSet<PathBuf>),
    /// The paths are unknown: hints were lost, or there were too many.
    Everything,
}

impl Default for Changed {
    fn default() -> Self {
        Self::Paths(HashSet::new())
    }
}

impl Changed {
    fn add<'a>(&mut self, paths: impl IntoIterator<Item = &'a Path>) {
        let Self::Paths(known) = self else { return };
        known.extend(paths.into_iter().map(Path::to_owned));
        if known.len() > MOST {
            *self = Self::Everything;
        }
    }
}

/// Collects changed paths. Cheap to clone; clones share their collection.
#[derive(Debug, Clone)]
pub struct Collector {
    inner: Arc<Inner>,
}

/// A collector that may have been dropped.
#[derive(Debug)]
pub(super) struct WeakCollector(Weak<Inner>);

impl WeakCollector {
    pub(super) fn get(&self) -> Option<Collector> {
        self.0.upgrade().map(|inner| Collector { inner })
    }
}

#[derive(Debug)]
struct Inner {
    wanted: fn(&Path) -> bool,
    changed: Mutex<Changed>,
    wake: Notify,
}

impl Collector {
    pub(super) fn new(wanted: fn(&Path) -> bool) -> Self {
        Self { inner: Arc::new(Inner { wanted, changed: Mutex::default(), wake: Notify::new() }) }
    }

    /// Returns a weak reference for the watcher, which does not keep the collector alive.
    pub(super) fn weak(&self) -> WeakCollector {
        WeakCollector(Arc::downgrade(&self.inner))
    }

    pub(super) fn add(&self, paths: &[PathBuf]) {
        let mut wanted = paths.iter().map(PathBuf::as_path).filter(|p| (self.inner.wanted)(p)).peekable();
        if wanted.peek().is_some() {
            self.changed().add(wanted);
            self.inner.wake.notify_one();
        }
    }

    pub(super) fn add_everything(&self) {
        *self.changed() = Changed::Everything;
        self.inner.wake.notify_one();
    }

    /// Waits for a change and takes all changes collected until then.
    pub async fn next(&self) -> Changed {
        self.inner.wake.notified().await;
        std::mem::take(&mut *self.changed())
    }

    fn changed(&self) -> std::sync::MutexGuard<'_, Changed> {
        self.inner.changed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_flood_of_paths_becomes_everything() {
        let collector = Collector::new(|p| !p.ends_with("noise"));
        collector.add(&["a/noise".into()]);
        collector.add(&["a/b".into(), "a/noise".into()]);
        assert_eq!(collector.next().await, Changed::Paths([PathBuf::from("a/b")].into()));
        let many: Vec<PathBuf> = (0..=MOST).map(|n| n.to_string().into()).collect();
        collector.add(&many);
        assert_eq!(collector.next().await, Changed::Everything);
        collector.add(&["a/b".into()]);
        collector.add_everything();
        assert_eq!(collector.next().await, Changed::Everything);
    }
}
