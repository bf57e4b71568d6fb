//! One `fdatasync` for all appends to a file that wait for one at the same time.

use std::{
    collections::HashMap,
    fs::File,
    io,
    os::unix::fs::MetadataExt,
    sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError},
};

type Groups = HashMap<(u64, u64), Arc<Group>>;

/// Files with a writer in this process, by device and inode; an entry goes with its last writer.
static GROUPS: LazyLock<Mutex<Groups>> = LazyLock::new(Mutex::default);

#[derive(Debug, Default)]
struct Group {
    state: Mutex<State>,
    changed: Condvar,
}

/// Counts syncs: what was written before sync number `begun + 1` starts is durable once it is `done`.
#[derive(Debug, Default)]
struct State {
    begun: u64,
    done: u64,
    failed: Option<(u64, i32)>,
}

/// A writer's place in the group of its file.
#[derive(Debug)]
pub(super) struct Member {
    key: (u64, u64),
    group: Arc<Group>,
}

/// Joins the group of a file; call it before the write.
pub(super) fn begin(file: &File) -> io::Result<Member> {
    let meta = file.metadata()?;
    let key = (meta.dev(), meta.ino());
    let group = lock(&GROUPS).entry(key).or_default().clone();
    Ok(Member { key, group })
}

impl Member {
    /// Returns when everything written to the file before this call is durable.
    pub(super) fn wait(&self, file: &File) -> io::Result<()> {
        let mut state = lock(&self.group.state);
        // A sync that is under way may have begun before our write: the next one covers us.
        let mine = state.begun + 1;
        while state.done < mine {
            if state.begun == state.done {
                state.begun += 1;
                let number = state.begun;
                drop(state);
                let result = file.sync_data();
                state = lock(&self.group.state);
                state.done = number;
                if let Err(e) = result {
                    state.failed = Some((number, e.raw_os_error().unwrap_or(libc::EIO)));
                }
                self.group.changed.notify_all();
            } else {
                state = self.group.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
        match state.failed {
            // The kernel reports a lost write once: it may have been any of those that waited.
            Some((number, errno)) if number >= mine => Err(io::Error::from_raw_os_error(errno)),
            _ => Ok(()),
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut groups = lock(&GROUPS);
        // Two: the map's and ours.
        if Arc::strong_count(&self.group) == 2 {
            groups.remove(&self.key);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
