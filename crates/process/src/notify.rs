//! Messages to the service manager that started this process, sd_notify(3): one datagram each.

use std::{
    ffi::{OsStr, OsString},
    os::{
        linux::net::SocketAddrExt,
        unix::{
            ffi::OsStrExt,
            net::{SocketAddr, UnixDatagram},
        },
    },
    time::Duration,
};

/// Variable that holds the address of the service manager's socket.
pub const SOCKET: &str = "NOTIFY_SOCKET";

/// The service manager of a daemon.
#[derive(Debug, Clone, Default)]
pub struct Manager {
    socket: Option<OsString>,
    /// Longest time between two signs of life. After it the service manager ends the daemon.
    pub watchdog: Option<Duration>,
}

impl Manager {
    /// Reads the service manager from the environment, sd_watchdog_enabled(3). The manager expects signs of life from
    /// the process that it started, or from a process that took over the place of that process (`successor`).
    pub fn of(environment: impl Fn(&'static str) -> Option<OsString>, successor: bool) -> Self {
        let number = |name| environment(name)?.to_str()?.parse::<u64>().ok();
        let ours = successor || number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let watchdog = number("WATCHDOG_USEC").filter(|micros| ours && *micros > 0);
        Self { socket: environment(SOCKET), watchdog: watchdog.map(Duration::from_micros) }
    }

    /// Sends a message to the service manager.
    pub fn tell(&self, words: &str) {
        notify(self.socket.as_deref(), words);
    }
}

/// Sends a message to the service manager at `socket`, for example `READY=1`. A failure is only logged, because the
/// message affects nothing but the manager's display.
pub fn notify(socket: Option<&OsStr>, words: &str) {
    let Some(socket) = socket.filter(|s| !s.is_empty()) else { return };
    let address = match socket.as_bytes().split_first() {
        Some((b'@', name)) => SocketAddr::from_abstract_name(name),
        _ => SocketAddr::from_pathname(socket),
    };
    let sent = address.and_then(|address| {
        let datagram = UnixDatagram::unbound()?;
        datagram.set_nonblocking(true)?;
        datagram.send_to_addr(words.as_bytes(), &address)
    });
    if let Err(e) = sent {
        tracing::debug!(error = %e, words, "cannot notify the service manager");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_of_life_are_wanted_of_the_one_that_was_started() {
        let own = std::process::id().to_string();
        for (pid, successor, wanted) in [
            (Some(own.as_str()), false, true),
            (None, false, true),
            (Some("1"), false, false),
            (Some("1"), true, true),
        ] {
            let environment = |name: &str| match name {
                "WATCHDOG_USEC" => Some("3000000".into()),
                "WATCHDOG_PID" => pid.map(Into::into),
                _ => None,
            };
            let manager = Manager::of(environment, successor);
            assert_eq!(manager.watchdog, wanted.then_some(Duration::from_secs(3)), "{pid:?} {successor}");
        }
    }

    #[test]
    fn words_arrive_by_path_and_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let by_path = UnixDatagram::bind(&path).unwrap();
        let name = format!("run-agent-test-{}", std::process::id());
        let by_name = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        for (receiver, socket) in [(by_path, path.into_os_string()), (by_name, format!("@{name}").into())] {
            notify(Some(&socket), "READY=1");
            let mut text = [0; 100];
            let n = receiver.recv(&mut text).unwrap();
            assert_eq!(&text[..n], b"READY=1");
        }
        notify(Some(OsStr::new("/nowhere/at/all")), "READY=1");
        notify(None, "READY=1");
    }
}
