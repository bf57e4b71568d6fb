//! Keeps the disk busy, as builds and databases of other users do.

use std::{
    fs::OpenOptions,
    io::Write,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use crate::Result;

/// Number of threads that write and sync.
const WRITERS: usize = 2;
/// Number of bytes between two syncs.
const BYTES: usize = 256 * 1024;
/// Length at which a file begins again.
const LENGTH: u64 = 64 * 1024 * 1024;

/// Threads that write files and sync them, until this is dropped.
pub struct BusyDisk {
    over: Arc<AtomicBool>,
    writers: Vec<JoinHandle<()>>,
}

impl BusyDisk {
    pub fn begin(folder: &Path) -> Result<Self> {
        let over = Arc::new(AtomicBool::new(false));
        let mut writers = Vec::new();
        for number in 0..WRITERS {
            let path = folder.join(format!("busy{number}"));
            let mut file = OpenOptions::new().create(true).append(true).open(path)?;
            let over = over.clone();
            writers.push(std::thread::spawn(move || {
                let bytes = vec![b'x'; BYTES];
                // A disk that is full is not busy, and the figures show that.
                while !over.load(Ordering::Relaxed)
                    && file.write_all(&bytes).and_then(|()| file.sync_data()).is_ok()
                {
                    if file.metadata().is_ok_and(|m| m.len() > LENGTH) {
                        let _ = file.set_len(0);
                    }
                }
            }));
        }
        Ok(Self { over, writers })
    }
}

impl Drop for BusyDisk {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        for writer in self.writers.drain(..) {
            let _ = writer.join();
        }
    }
}
