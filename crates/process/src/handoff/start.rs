//! Starts a guard, and adopts the sockets that a service manager has opened.

use std::{
    ffi::OsString,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd},
    time::Duration,
};

use super::{
    super::{
        command::{CommandSpec, Lifetime},
        sys,
    },
    DaemonFds, Received, VERB, Watch, Wire, Word, own_image,
};

/// The first descriptor that a service manager passes.
const FIRST: RawFd = 3;
/// Longest time for a guard to begin.
const BEGIN: Duration = Duration::from_secs(10);

/// Starts a guard and gives it a share of the place. After this returns, the guard restores the daemon however it ends.
///
/// # Errors
/// If the guard cannot be started, or does not begin in time.
pub fn start_guard(command: &CommandSpec, fds: &DaemonFds, watch: &Watch) -> io::Result<Wire> {
    let (ours, its) = Wire::pair()?;
    let verb = std::iter::once(VERB.into());
    let spec = CommandSpec {
        program: own_image(),
        args: verb.chain(command.args.iter().cloned()).collect(),
        ..command.clone()
    };
    let dup = |fd: BorrowedFd<'_>| fd.try_clone_to_owned();
    let (out, err) = (dup(std::io::stdout().as_fd())?, dup(std::io::stderr().as_fd())?);
    let mut child = spec.spawn_quiet(its.into_fd(), out, err, Lifetime::ItsOwn)?;
    ours.send_with(&serde_json::to_vec(watch)?, &fds.descriptors())?;
    // The process that was started ends at once, because the guard detaches itself.
    child.wait()?;
    match ours.listen(BEGIN)? {
        Received::Word(Word::Ready) => Ok(ours),
        heard => Err(io::Error::other(format!("the guard does not begin ({heard:?})"))),
    }
}

/// Returns the sockets that a service manager has opened for this process, sd_listen_fds(3); empty without any.
///
/// # Errors
/// If the variables name a descriptor that is not open.
pub fn activated(environment: impl Fn(&'static str) -> Option<OsString>) -> io::Result<Vec<OwnedFd>> {
    let number = |name| environment(name)?.to_str()?.parse::<u32>().ok();
    let ours = number("LISTEN_PID") == Some(std::process::id());
    let count = number("LISTEN_FDS").filter(|_| ours).and_then(|n| RawFd::try_from(n).ok()).unwrap_or(0);
    (FIRST..FIRST.saturating_add(count)).map(sys::adopt).collect()
}
