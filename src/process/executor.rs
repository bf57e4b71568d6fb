//! An executor decides where a shim is started. Only `local` exists. A batch system could be added beside it and could
//! report `queued`, `running` or `gone`, but never that a run succeeded.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io::{self, Read},
    net::Shutdown,
    os::{fd::AsFd, unix::net::UnixStream},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{
    bounded::nameless,
    command::CommandSpec,
    spec::{LaunchSpec, ShimReport},
};

/// Longest time that a shim may take to claim its run.
pub const CLAIM_DEADLINE: Duration = Duration::from_secs(10);

/// Starts shims on this machine.
#[derive(Debug, Clone)]
pub struct Local {
    /// The `run-agent` program.
    pub program: PathBuf,
}

impl Local {
    /// Starts a shim and waits for its report. When this returns, the agent runs, or this shim will never start it.
    ///
    /// The shim gets ready, up to a durable claim, while `meanwhile` does the work that must precede the agent's first
    /// instruction. The shim starts the agent only after that work is done or this process has ended. Afterwards the
    /// shim is not our child and depends on no other process.
    ///
    /// # Errors
    /// If the program cannot be started. A shim that died or hung is a [`ShimReport::Failed`].
    pub fn start(
        &self,
        spec: &LaunchSpec,
        env: BTreeMap<OsString, OsString>,
        meanwhile: impl FnOnce(),
    ) -> io::Result<ShimReport> {
        let run_dir = spec.root.join(spec.run_dir.as_path());
        let command = CommandSpec {
            program: self.program.clone(),
            args: vec!["shim".into(), run_dir.into()],
            env,
            cwd: Some(Path::new("/").to_owned()),
        };
        let (ours, theirs) = UnixStream::pair()?;
        let mut child = command.spawn_with_report(nameless(&serde_json::to_vec(spec)?)?, theirs.into())?;
        meanwhile();
        // Permits the shim to start the agent. A shim that has ended by now has reported the reason.
        let _ = ours.shutdown(Shutdown::Write);
        let report = read_line(ours, CLAIM_DEADLINE);
        // The process that we started ends as soon as it has forked the shim.
        child.wait()?;
        Ok(serde_json::from_str(&report).unwrap_or_else(|_| {
            ShimReport::Failed("the shim ended or hung before it had claimed the run".to_owned())
        }))
    }
}

/// Reads until a newline, the end, or the deadline.
fn read_line(mut out: impl Read + AsFd, limit: Duration) -> String {
    let deadline = Instant::now() + limit;
    let mut line = Vec::new();
    while !line.ends_with(b"\n") {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
        let ready = poll(&mut [PollFd::new(out.as_fd(), PollFlags::POLLIN)], timeout);
        let mut buffer = [0; 1024];
        match ready {
            Err(nix::errno::Errno::EINTR) => {}
            Ok(1..) => match out.read(&mut buffer) {
                Ok(n @ 1..) => line.extend_from_slice(&buffer[..n]),
                _ => break,
            },
            _ => break,
        }
    }
    String::from_utf8_lossy(&line).into_owned()
}
