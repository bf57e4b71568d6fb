//! Finds the process that listens on a TCP port, for the message about a port that is taken.

use std::path::Path;

use crate::{identity::ProcStat, tree::ProcTable};
use base::fsx::{self, Durability, RelPath, Root};

/// The state of a listening socket in `/proc/net/tcp`: `TCP_LISTEN` in `include/net/tcp_states.h`.
const LISTEN: &str = "0A";
/// The largest table of sockets that is read, in bytes.
const MAX_TABLE: u64 = 16 << 20;

/// Returns the process that listens on a port of this machine. `None` if there is none, or if it belongs to another
/// user: the kernel shows the sockets of a process only to its own user.
#[must_use]
pub fn listener_on(port: u16) -> Option<ProcStat> {
    let sockets: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .into_iter()
        .filter_map(|table| fsx::read_outside(Path::new(table), MAX_TABLE).ok())
        .flat_map(|table| sockets_on(port, &String::from_utf8_lossy(&table)))
        .collect();
    if sockets.is_empty() {
        return None;
    }
    let proc = Root::open(Path::new("/proc"), Durability::Never).ok()?;
    ProcTable::snapshot().into_processes().find(|process| holds(&proc, process.id.pid, &sockets))
}

/// Returns the sockets that listen on a port, in the spelling of `/proc/<pid>/fd`.
fn sockets_on(port: u16, table: &str) -> Vec<String> {
    let end = format!(":{port:04X}");
    let inode = |line: &str| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let [_, local, _, state, .., _] = fields.as_slice() else { return None };
        let inode = fields.get(9).filter(|_| local.ends_with(&end) && *state == LISTEN)?;
        Some(format!("socket:[{inode}]"))
    };
    table.lines().filter_map(inode).collect()
}

/// Returns true if a process has one of these sockets open.
fn holds(proc: &Root, pid: i32, sockets: &[String]) -> bool {
    let descriptors = proc.list(&RelPath::top().join(pid.to_string()).join("fd")).unwrap_or_default();
    descriptors.iter().any(|descriptor| {
        let link = rustix::fs::readlink(format!("/proc/{pid}/fd/{}", descriptor.name), Vec::new());
        link.is_ok_and(|target| sockets.iter().any(|socket| socket.as_bytes() == target.as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_listener_is_found() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(listener_on(port).map(|process| process.id.pid), Some(std::process::id().cast_signed()));
        drop(listener);
        assert_eq!(sockets_on(port, "  sl  local_address rem_address   st\n"), Vec::<String>::new());
    }

    #[test]
    fn a_connection_is_no_listener() {
        let line = |state| {
            format!(
                "   0: 0100007F:3813 00000000:0000 {state} 00000000:00000000 00:00000000 00000000  1000 0 77 1 0 100 0"
            )
        };
        assert_eq!(sockets_on(14355, &line("0A")), ["socket:[77]"]);
        assert_eq!(sockets_on(14355, &line("01")), Vec::<String>::new());
        assert_eq!(sockets_on(14356, &line("0A")), Vec::<String>::new());
    }
}
