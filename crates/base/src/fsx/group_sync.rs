//! Shares one `fdatasync` among all appends to a file that wait for one at the same time.

use std::{
    collections::HashMap,
    fs::File,
    io,
    os::unix::fs::MetadataExt,
    sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError},
};

/// Device and inode of a file.
type Key = (u64, u64);

/// Files with at least one member in this process.
static GROUPS: LazyLock<Mutex<HashMap<Key, Arc<Group>>>> = LazyLock::new(Mutex::default);

#[derive(Debug, Default)]
struct Group {
    state: Mutex<State>,
    changed: Condvar,
}

/// Counts syncs. At most one is in progress.
#[derive(Debug, Default)]
struct State {
    begun: u64,
    done: u64,
    failed: Option<(u64, i32)>,
}

/// A membership in the group of a file, for one sync.
#[derive(Debug)]
pub(super) struct Member {
    key: Key,
    /// Taken in `drop`, under the lock of the map, so that the number of members is exact there.
    group: Option<Arc<Group>>,
}

impl Member {
    /// Joins the group of a file.
    pub(super) fn join(file: &File) -> io::Result<Self> {
        let meta = file.metadata()?;
        let key = (meta.dev(), meta.ino());
        let group = lock(&GROUPS).entry(key).or_default().clone();
        Ok(Self { key, group: Some(group) })
    }

    /// Waits until everything written to the file before this call is durable.
    pub(super) fn sync(self, file: &File) -> io::Result<()> {
        match &self.group {
            Some(group) => group.sync(|| file.sync_data()),
            None => file.sync_data(),
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut groups = lock(&GROUPS);
        self.group = None;
        // Only the map's own reference is left.
        if groups.get(&self.key).is_some_and(|g| Arc::strong_count(g) == 1) {
            groups.remove(&self.key);
        }
    }
}

impl Group {
    fn sync(&self, sync: impl Fn() -> io::Result<()>) -> io::Result<()> {
        let mut state = lock(&self.state);
        // A sync in progress may have begun before our write, so only the next one covers it.
        let mine = state.begun + 1;
        while state.done < mine {
            if state.begun == state.done {
                state.begun += 1;
                let number = state.begun;
                drop(state);
                let result = sync();
                state = lock(&self.state);
                state.done = number;
                if let Err(e) = result {
                    state.failed = Some((number, e.raw_os_error().unwrap_or(libc::EIO)));
                }
                self.changed.notify_all();
            } else {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
        match state.failed {
            // The kernel reports a lost write only once, and it may be a write of any member that waited.
            Some((number, errno)) if number >= mine => Err(io::Error::from_raw_os_error(errno)),
            _ => Ok(()),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        sync::atomic::{AtomicU64, Ordering},
        time::Duration,
    };

    #[test]
    fn each_caller_gets_a_sync_that_began_after_its_call_and_they_share() {
        const CALLS: u64 = 16 * 20;
        let group = Group::default();
        let ticks = AtomicU64::new(0);
        let (last_begun, syncs) = (AtomicU64::new(0), AtomicU64::new(0));
        let slow = || {
            let began = ticks.fetch_add(1, Ordering::SeqCst);
            std::thread::sleep(Duration::from_micros(500));
            last_begun.store(began, Ordering::SeqCst);
            syncs.fetch_add(1, Ordering::SeqCst);
            Ok(())
        };
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    for _ in 0..CALLS / 16 {
                        let called = ticks.fetch_add(1, Ordering::SeqCst);
                        group.sync(slow).unwrap();
                        assert!(last_begun.load(Ordering::SeqCst) > called);
                    }
                });
            }
        });
        let syncs = syncs.into_inner();
        assert!(syncs < CALLS / 2, "{syncs} syncs for {CALLS} calls");
    }

    #[test]
    fn a_failure_is_told_to_those_it_concerns_and_to_nobody_later() {
        let group = Group::default();
        let broken = || Err(io::Error::from_raw_os_error(libc::ENOSPC));
        assert_eq!(group.sync(broken).unwrap_err().raw_os_error(), Some(libc::ENOSPC));
        group.sync(|| Ok(())).unwrap();
    }

    #[test]
    fn the_last_member_takes_the_group_with_it() {
        let file = tempfile::tempfile().unwrap();
        let key = Member::join(&file).unwrap().key;
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..200).for_each(|_| drop(Member::join(&file).unwrap())));
            }
        });
        assert!(!lock(&GROUPS).contains_key(&key));
    }
}
