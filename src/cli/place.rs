//! What makes a process the daemon: the root's lock, and a socket that it opens itself or was left by another daemon or
//! by the service manager.

use std::{
    ffi::{OsStr, OsString},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use tokio::net::TcpListener;

use super::error::{CliError, CliResult, Kind};
use crate::{
    config::Environment,
    daemon,
    process::{
        command::CommandSpec,
        handoff::{self, Arrival, Handoff},
    },
    runner::Runner,
    tree::daemon_info::DaemonLock,
};

/// What makes us the daemon.
pub(super) struct Place {
    pub(super) lock: DaemonLock,
    /// `None`: it is to be opened.
    pub(super) listener: Option<OwnedFd>,
    /// How we came by it, if another daemon has left it.
    pub(super) arrival: Option<Arrival>,
}

impl Place {
    /// What another daemon has left to us.
    pub(super) fn left(environment: &Environment) -> CliResult<Option<Handoff>> {
        let left = environment.get(handoff::VARIABLE);
        let left = left.map(|text| Handoff::take(text, &program_name())).transpose();
        left.map_err(|e| CliError::new(Kind::Failed, e))
    }

    /// Takes what was left to us, or what is free. Nothing else of the root is touched before: there is one daemon, or none.
    pub(super) fn take(runner: &Runner, left: Option<Handoff>) -> CliResult<Self> {
        if let Some(Handoff { place, arrival }) = left {
            let lock = runner.tree.adopt_daemon_lock(place.lock, &daemon::holder("daemon"))?;
            return Ok(Self { lock, listener: place.listeners.into_iter().next(), arrival: Some(arrival) });
        }
        let lock = daemon::become_daemon(&runner.tree).map_err(|e| {
            CliError::from(e).with_hint("use that daemon, stop it, or serve another folder with --root")
        })?;
        let sockets = handoff::activated(|name| runner.environment.get_os(name).map(OsStr::to_owned));
        let sockets = sockets.map_err(|e| {
            CliError::caused(
                Kind::Failed,
                "the sockets of the service manager ($LISTEN_FDS) cannot be used",
                e,
            )
        })?;
        Ok(Self { lock, listener: sockets.into_iter().next(), arrival: None })
    }
}

/// How another daemon is started in our place.
pub(super) fn command(runner: &Runner) -> CommandSpec {
    let mut args: Vec<OsString> = std::env::args_os().skip(1).collect();
    if is_conductor(&program_name()) && args.first().is_none_or(|verb| verb != "serve") {
        args.insert(0, "serve".into());
    }
    let env = runner.environment.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    CommandSpec { program: runner.program.clone(), args, env, cwd: None }
}

/// Whether a program was called by its other name.
pub(super) fn is_conductor(name: &OsStr) -> bool {
    Path::new(name).file_name().is_some_and(|name| name == "conductor")
}

fn program_name() -> OsString {
    std::env::args_os().next().unwrap_or_else(|| "run-agent".into())
}

/// The file that stands, or will stand, for our program: we may run from a copy beside it that takes its place later.
pub(super) fn installed(image: &Path) -> PathBuf {
    let name = image.file_name().unwrap_or_default().to_string_lossy();
    let copy = name.strip_prefix('.').and_then(|n| n.split_once(".update-"));
    match copy.map(|(name, _)| name).or(name.strip_suffix(" (deleted)")) {
        Some(name) => image.with_file_name(name),
        None => image.to_owned(),
    }
}

/// A socket that another has opened.
pub(super) fn adopt(left: OwnedFd) -> std::io::Result<TcpListener> {
    let listener = std::net::TcpListener::from(left);
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_installed_is_known_from_the_copy_too() {
        for (image, program) in [
            ("/bin/run-agent", "/bin/run-agent"),
            ("/bin/.run-agent.update-17", "/bin/run-agent"),
            ("/bin/run-agent (deleted)", "/bin/run-agent"),
            ("/proc/self/exe", "/proc/self/exe"),
        ] {
            assert_eq!(installed(Path::new(image)), Path::new(program));
        }
    }
}
