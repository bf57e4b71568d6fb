//! Syncs several files and folders at the same time.
//!
//! A file system with a journal makes everything durable with one commit that waits for it at that time. Syncs one after
//! the other wait for a commit each while other processes write, because each of them finds a new transaction.
//!
//! The caller syncs, too, so it never waits for a helper that is busy elsewhere.

use std::{
    collections::VecDeque,
    io,
    os::fd::OwnedFd,
    sync::{
        Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// Says if other threads help the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Helpers {
    /// Some do.
    Some,
    /// None does: the process keeps its one thread.
    None,
}

/// Maximum number of helping threads of this process.
const MOST: usize = 8;
/// Maximum number of requests that wait for a helper.
const MOST_ASKED: usize = 4 * MOST;
/// The time after which a helper without work ends.
const IDLE: Duration = Duration::from_secs(10);

/// A file or folder to be synced.
#[derive(Debug)]
pub(super) enum Target {
    /// Its content and length.
    File(OwnedFd),
    /// Its entries.
    Folder(OwnedFd),
}

impl Target {
    fn sync(&self) -> io::Result<()> {
        match self {
            Self::File(fd) => Ok(rustix::fs::fdatasync(fd)?),
            Self::Folder(fd) => Ok(rustix::fs::fsync(fd)?),
        }
    }
}

/// Syncs all targets, in no order.
///
/// # Errors
/// The first target that could not be synced, by its position. The others were tried.
pub(super) fn sync(targets: Vec<Target>, helpers: Helpers) -> Result<(), (usize, io::Error)> {
    let wave = Arc::new(Wave::of(targets));
    if helpers == Helpers::Some {
        POOL.ask(&wave, wave.targets.len().saturating_sub(1).min(MOST));
    }
    wave.work();
    let result = wave.wait();
    if helpers == Helpers::Some {
        POOL.forget(&wave);
    }
    result
}

/// Targets that are synced together.
#[derive(Debug)]
struct Wave {
    targets: Vec<Target>,
    next: AtomicUsize,
    state: Mutex<Progress>,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct Progress {
    done: usize,
    failed: Option<(usize, io::Error)>,
}

impl Wave {
    fn of(targets: Vec<Target>) -> Self {
        Self { targets, next: AtomicUsize::new(0), state: Mutex::default(), ended: Condvar::new() }
    }

    /// Syncs targets until none is left to begin.
    fn work(&self) {
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(target) = self.targets.get(number) else { return };
            let result = target.sync();
            let mut state = lock(&self.state);
            state.done += 1;
            if let Err(e) = result
                && state.failed.as_ref().is_none_or(|(first, _)| number < *first)
            {
                state.failed = Some((number, e));
            }
            if state.done == self.targets.len() {
                self.ended.notify_all();
            }
        }
    }

    fn wait(&self) -> Result<(), (usize, io::Error)> {
        let mut state = lock(&self.state);
        while state.done < self.targets.len() {
            state = self.ended.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.failed.take().map_or(Ok(()), Err)
    }
}

/// The helpers of this process.
static POOL: LazyLock<Pool> = LazyLock::new(Pool::default);

#[derive(Debug, Default)]
struct Pool {
    state: Mutex<Crew>,
    asked: Condvar,
}

#[derive(Debug, Default)]
struct Crew {
    waves: VecDeque<Arc<Wave>>,
    threads: usize,
    idle: usize,
}

impl Pool {
    /// Asks for some helpers with a wave.
    fn ask(&'static self, wave: &Arc<Wave>, helpers: usize) {
        let mut state = lock(&self.state);
        // Where many callers sync at once, they share commits without help.
        let helpers = helpers.min(MOST_ASKED.saturating_sub(state.waves.len()));
        for _ in 0..helpers {
            state.waves.push_back(wave.clone());
            if state.idle >= state.waves.len() || state.threads >= MOST {
                self.asked.notify_one();
                continue;
            }
            let thread = std::thread::Builder::new().name("sync".to_owned());
            // Without a helper, the caller syncs everything itself.
            if thread.spawn(|| self.help()).is_ok() {
                state.threads += 1;
            }
        }
    }

    /// Withdraws what was asked for a wave that has ended, so that its files are closed now.
    fn forget(&self, wave: &Arc<Wave>) {
        lock(&self.state).waves.retain(|asked| !Arc::ptr_eq(asked, wave));
    }

    fn help(&self) {
        let mut state = lock(&self.state);
        loop {
            if let Some(wave) = state.waves.pop_front() {
                drop(state);
                wave.work();
                drop(wave);
                state = lock(&self.state);
                continue;
            }
            state.idle += 1;
            let timeout;
            (state, timeout) = self.asked.wait_timeout(state, IDLE).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
            if timeout.timed_out() && state.waves.is_empty() {
                state.threads -= 1;
                return;
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_synced_also_by_many_callers_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let target = |name: String| {
            let file = std::fs::File::create(folder.path().join(name)).unwrap();
            Target::File(file.into())
        };
        std::thread::scope(|scope| {
            for caller in 0..MOST * 2 {
                let target = &target;
                let folder = folder.path();
                scope.spawn(move || {
                    for round in 0..3 {
                        let mut targets: Vec<_> =
                            (0..10).map(|n| target(format!("{caller}-{round}-{n}"))).collect();
                        targets.push(Target::Folder(std::fs::File::open(folder).unwrap().into()));
                        sync(targets, Helpers::Some).unwrap();
                    }
                });
            }
        });
        assert!(lock(&POOL.state).threads <= MOST);
        sync(Vec::new(), Helpers::Some).unwrap();
    }

    #[test]
    fn the_first_failure_is_told_by_its_position() {
        let (pipe, _end) = std::io::pipe().unwrap();
        let file = tempfile::tempfile().unwrap();
        let (file, pipe) = (OwnedFd::from(file), OwnedFd::from(pipe));
        for helpers in [Helpers::Some, Helpers::None] {
            let targets = [&file, &pipe].map(|fd| Target::File(fd.try_clone().unwrap()));
            let (position, e) = sync(targets.into(), helpers).unwrap_err();
            assert_eq!((position, e.raw_os_error()), (1, Some(libc::EINVAL)));
        }
    }
}
