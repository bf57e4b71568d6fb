//! The memory of this process: settings of the C library's heap, and the size as the kernel sees it.

use std::path::Path;

use super::sys;
use base::fsx;

/// Makes the C library give freed memory back soon. Call it once, before there are other threads.
pub fn tune() {
    sys::tune_memory();
}

/// Gives the free memory of this process back to the system.
pub fn trim() {
    sys::trim_memory();
}

/// Returns the bytes of this process that are in memory; `None` if the kernel does not say.
#[must_use]
pub fn resident() -> Option<u64> {
    let bytes = fsx::read_outside(Path::new("/proc/self/status"), 16 * 1024).ok()?;
    let line = std::str::from_utf8(&bytes).ok()?.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1024)
}
