//! Passes the place through exec(2): a variable names the descriptors that stay open, and the new program adopts them.

use std::{
    ffi::{CString, OsStr, OsString},
    io,
    os::{
        fd::{AsFd, AsRawFd},
        unix::{
            ffi::{OsStrExt, OsStringExt},
            fs::MetadataExt,
        },
    },
    path::{Path, PathBuf},
};

use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use rustix::io::FdFlags;

use super::{
    super::{command::CommandSpec, open_files, sys},
    Arrival, DaemonFds, Handoff, NamedListener, Wire,
    message::{Message, VARIABLE},
};

impl Handoff {
    /// Adopts the descriptors that the variable's text names. Names the process after `program`.
    ///
    /// # Errors
    /// If the text cannot be parsed, or names a descriptor that is not open.
    pub fn take(text: &str, program: &OsStr) -> Result<Self, String> {
        let Message { listeners, lock, guard, put_back } = Message::parse(text)?;
        let adopt =
            |fd| sys::adopt(fd).map_err(|e| format!("{VARIABLE} names a descriptor that is not open: {e}"));
        let named = |(name, fd)| adopt(fd).map(|socket| NamedListener { name, socket });
        let listeners = listeners.into_iter().map(named).collect::<Result<_, _>>()?;
        let fds = DaemonFds { listeners, lock: adopt(lock)? };
        let arrival = match (guard, put_back) {
            (Some(guard), _) => Arrival::OnTrial(Wire::of(adopt(guard)?)),
            (None, why) => Arrival::PutBack(why.unwrap_or_else(|| "the update was undone".to_owned())),
        };
        name_process(program);
        Ok(Self { fds, arrival })
    }

    /// Replaces this process with the program in `file`, with `command.program` as its own name. Returns only if that
    /// fails, with the reason and with everything unchanged. This process must have no other thread that starts
    /// programs.
    ///
    /// Signals that ask for the end are blocked until [`heed_signals`], so that none is lost during the exec.
    #[must_use]
    pub fn exec(&self, file: &Path, command: &CommandSpec) -> io::Error {
        let guard = match &self.arrival {
            Arrival::OnTrial(wire) => Some(wire.as_fd()),
            Arrival::PutBack(_) => None,
        };
        let listeners = self.fds.listeners.iter();
        let message = Message {
            listeners: listeners.map(|l| (l.name.clone(), l.socket.as_raw_fd())).collect(),
            lock: self.fds.lock.as_raw_fd(),
            guard: guard.map(|fd| fd.as_raw_fd()),
            put_back: match &self.arrival {
                Arrival::OnTrial(_) => None,
                Arrival::PutBack(why) => Some(why.clone()),
            },
        };
        let passed: Vec<_> = self.fds.descriptors().into_iter().chain(guard).collect();
        let failure = || -> io::Result<io::Error> {
            let (file, args, env) =
                (c_string(file.as_os_str())?, arguments(command)?, environment(command, &message.spell())?);
            hold_signals(SigmaskHow::SIG_BLOCK);
            for fd in &passed {
                rustix::io::fcntl_setfd(fd, FdFlags::empty())?;
            }
            // The next program raises the limit itself, and must know from where.
            open_files::restore();
            match nix::unistd::execve(&file, &args, &env) {
                Ok(never) => match never {},
                Err(e) => Ok(e.into()),
            }
        };
        let failure = failure().unwrap_or_else(|e| e);
        open_files::raise();
        for fd in passed {
            let _ = rustix::io::fcntl_setfd(fd, FdFlags::CLOEXEC);
        }
        hold_signals(SigmaskHow::SIG_UNBLOCK);
        failure
    }
}

/// Unblocks the signals that [`Handoff::exec`] has blocked. Call it after the handlers are installed.
pub fn heed_signals() {
    hold_signals(SigmaskHow::SIG_UNBLOCK);
}

/// Returns the program file that this process runs, even if another file has replaced it.
#[must_use]
pub fn own_image() -> PathBuf {
    let own = PathBuf::from("/proc/self/exe");
    let file = |path: &Path| path.metadata().map(|meta| (meta.dev(), meta.ino())).ok();
    match std::env::current_exe() {
        Ok(path) if file(&path).is_some() && file(&path) == file(&own) => path,
        _ => own,
    }
}

fn hold_signals(how: SigmaskHow) {
    let signals: SigSet = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP].into_iter().collect();
    let _ = sigprocmask(how, Some(&signals), None);
}

/// Gives the process the name of a program, which need not be the name of its file.
pub fn name_process(program: &OsStr) {
    let name = Path::new(program).file_name().unwrap_or(program);
    if let Ok(name) = c_string(name) {
        let _ = nix::sys::prctl::set_name(&name);
    }
}

fn c_string(text: &OsStr) -> io::Result<CString> {
    CString::new(text.as_bytes()).map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "a NUL byte"))
}

fn arguments(command: &CommandSpec) -> io::Result<Vec<CString>> {
    std::iter::once(command.program.as_os_str())
        .chain(command.args.iter().map(OsString::as_os_str))
        .map(c_string)
        .collect()
}

fn environment(command: &CommandSpec, handoff: &str) -> io::Result<Vec<CString>> {
    let kept = command.env.iter().filter(|(name, _)| *name != VARIABLE);
    let lines = kept.map(|(name, value)| [name.clone().into_vec(), value.clone().into_vec()].join(&b'='));
    let ours = format!("{VARIABLE}={handoff}").into_bytes();
    lines.chain([ours]).map(|line| c_string(OsStr::from_bytes(&line))).collect()
}
