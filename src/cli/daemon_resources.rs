//! Makes a process the daemon: takes the root's lock and a socket. The process opens the socket itself, or inherits
//! it from another daemon or from the service manager.

use std::{
    ffi::{OsStr, OsString},
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
};

use tokio::net::TcpListener;

use super::error::{CliError, CliResult, Kind};
use config::Environment;
use engine::runner::Runner;
use process::{
    command::CommandSpec,
    handoff::{self, Arrival, Handoff, MAIN, NamedListener},
};
use tree::daemon_info::DaemonLock;

/// The resources that make this process the daemon.
pub(super) struct DaemonResources {
    pub(super) lock: DaemonLock,
    /// Sockets that are open already, by name.
    listeners: Vec<NamedListener>,
    /// The circumstances of the handover, if another daemon left these resources.
    pub(super) arrival: Option<Arrival>,
}

impl DaemonResources {
    /// Returns the resources that another daemon left for this process.
    pub(super) fn left(environment: &Environment) -> CliResult<Option<Handoff>> {
        let left = environment.get(handoff::VARIABLE);
        let left = left.map(|text| Handoff::take(text, &program_name())).transpose();
        left.map_err(|e| CliError::new(Kind::Failed, e))
    }

    /// Takes the resources that were left for this process, or acquires free ones. It touches nothing else of the
    /// root before, so that there is at most one daemon.
    pub(super) fn take(runner: &Runner, left: Option<Handoff>) -> CliResult<Self> {
        if let Some(Handoff { fds, arrival }) = left {
            let lock = runner.tree.adopt_daemon_lock(fds.lock, &daemon::holder("daemon"))?;
            return Ok(Self { lock, listeners: fds.listeners, arrival: Some(arrival) });
        }
        let lock = daemon::become_daemon(&runner.tree).map_err(|e| {
            let known = runner.tree.daemon().ok().flatten();
            let address = known.and_then(|daemon| daemon.listen.into_iter().next());
            let at = address.map(|address| format!(" at {address}")).unwrap_or_default();
            CliError::from(e)
                .with_hint(format!("use that daemon{at}, stop it, or serve another folder with --root"))
        })?;
        let sockets = handoff::activated(|name| runner.environment.get_os(name).map(OsStr::to_owned));
        let sockets = sockets.map_err(|e| {
            CliError::caused(
                Kind::Failed,
                "the sockets of the service manager ($LISTEN_FDS) cannot be used",
                e,
            )
        })?;
        let main = sockets.into_iter().next().map(|socket| NamedListener { name: MAIN.to_owned(), socket });
        Ok(Self { lock, listeners: main.into_iter().collect(), arrival: None })
    }

    /// Takes the listener of this name out, if it is open already.
    pub(super) fn listener(&mut self, name: &str) -> Option<OwnedFd> {
        let at = self.listeners.iter().position(|listener| listener.name == name)?;
        Some(self.listeners.swap_remove(at).socket)
    }

    /// Closes the listeners that nothing was configured for: else the kernel would queue connections for ever.
    pub(super) fn close_rest(&mut self) {
        for listener in self.listeners.drain(..) {
            tracing::info!(listener = listener.name, "closing a listener that is no longer configured");
        }
    }
}

/// The command that starts another daemon in place of this one.
pub(super) fn command(runner: &Runner) -> CommandSpec {
    let mut args: Vec<OsString> = std::env::args_os().skip(1).collect();
    if is_conductor(&program_name()) && args.first().is_none_or(|verb| verb != "serve") {
        args.insert(0, "serve".into());
    }
    let env = runner.environment.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    CommandSpec { program: runner.program.clone(), args, env, cwd: None }
}

/// Returns true if the program was called by its other name.
pub(super) fn is_conductor(name: &OsStr) -> bool {
    Path::new(name).file_name().is_some_and(|name| name == "conductor")
}

fn program_name() -> OsString {
    std::env::args_os().next().unwrap_or_else(|| "run-agent".into())
}

/// Returns the path of the installed program. This process may run from a copy beside it, which is renamed to that
/// path later.
pub(super) fn installed(image: &Path) -> PathBuf {
    let name = image.file_name().unwrap_or_default().to_string_lossy();
    let copy = name.strip_prefix('.').and_then(|n| n.split_once(".update-"));
    match copy.map(|(name, _)| name).or(name.strip_suffix(" (deleted)")) {
        Some(name) => image.with_file_name(name),
        None => image.to_owned(),
    }
}

/// Returns a share of a listener for the program that follows.
pub(super) fn share(name: &str, listener: &TcpListener) -> std::io::Result<NamedListener> {
    Ok(NamedListener { name: name.to_owned(), socket: listener.as_fd().try_clone_to_owned()? })
}

/// Adopts a socket that another process has opened.
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
