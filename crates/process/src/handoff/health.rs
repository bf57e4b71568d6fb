//! Checks if a daemon answers `GET /api/v1/health` at its own listener, without blocking on it.

use std::{
    io::{ErrorKind, Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    os::fd::{AsFd, BorrowedFd},
    time::Duration,
};

/// Timeout of a connect. The kernel completes the connection even if the daemon does not accept it.
const CONNECT: Duration = Duration::from_millis(200);
/// Largest part of an answer that is read.
const LONGEST: usize = 4096;

/// A health check that may have a request in progress.
#[derive(Debug)]
pub(super) struct Health {
    address: SocketAddr,
    asked: Option<(TcpStream, Vec<u8>)>,
}

/// Result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HealthState {
    /// The daemon answers, and is ready.
    Healthy,
    /// No answer yet, or not a good one.
    NotYet,
}

impl Health {
    pub(super) fn at(address: SocketAddr) -> Self {
        let address = match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => (Ipv4Addr::LOCALHOST, address.port()).into(),
            IpAddr::V6(ip) if ip.is_unspecified() => (Ipv6Addr::LOCALHOST, address.port()).into(),
            _ => address,
        };
        Self { address, asked: None }
    }

    /// Returns the descriptor that becomes readable when there is an answer.
    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.asked.as_ref().map(|(stream, _)| stream.as_fd())
    }

    /// Sends a request if none is in progress, and checks for an answer.
    pub(super) fn look(&mut self) -> HealthState {
        let Some((mut stream, mut said)) = self.asked.take().or_else(|| self.ask()) else {
            return HealthState::NotYet;
        };
        let mut more = [0; 512];
        match stream.read(&mut more) {
            Ok(n @ 1..) => said.extend_from_slice(&more[..n]),
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            // The daemon has closed the connection. The next check sends a new request.
            _ => return HealthState::NotYet,
        }
        let line = said.split(|b| *b == b'\n').next().filter(|line| line.len() < said.len());
        match line {
            Some(line) if line.starts_with(b"HTTP/1.1 200 ") => HealthState::Healthy,
            Some(_) => HealthState::NotYet,
            None if said.len() > LONGEST => HealthState::NotYet,
            None => {
                self.asked = Some((stream, said));
                HealthState::NotYet
            }
        }
    }

    fn ask(&self) -> Option<(TcpStream, Vec<u8>)> {
        let mut stream = TcpStream::connect_timeout(&self.address, CONNECT).ok()?;
        stream.set_nonblocking(true).ok()?;
        let request =
            format!("GET /api/v1/health HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address);
        stream.write_all(request.as_bytes()).ok()?;
        Some((stream, Vec::new()))
    }
}
