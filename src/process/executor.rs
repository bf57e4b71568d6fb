//! Where a shim is started. Only `local` exists; a batch system would stand beside it
//! and could say `queued`, `running` or `gone`, but never that a run succeeded.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io::{self, Read},
    os::fd::AsFd,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{
    bounded::nameless,
    command::CommandSpec,
    spec::{LaunchSpec, ShimReport},
};

/// How long a shim may take to claim its run.
pub const CLAIM_DEADLINE: Duration = Duration::from_secs(10);

/// Starts shims on this machine.
#[derive(Debug, Clone)]
pub struct Local {
    /// The `run-agent` program.
    pub program: PathBuf,
}

impl Local {
    /// Starts a shim and waits for its report: when this returns the agent runs, or never will through this shim.
    ///
    /// The shim is not our child afterwards; it needs nobody.
    ///
    /// # Errors
    /// If the program cannot be started. A shim that died or hung is a [`ShimReport::Failed`].
    pub fn start(&self, spec: &LaunchSpec, env: BTreeMap<OsString, OsString>) -> io::Result<ShimReport> {
        let run_dir = spec.root.join(&spec.run_dir);
        let command = CommandSpec {
            program: self.program.clone(),
            args: vec!["shim".into(), run_dir.into()],
            env,
            cwd: Some(Path::new("/").to_owned()),
        };
        let mut child = command.spawn_with_report(nameless(&serde_json::to_vec(spec)?)?)?;
        let report = child.stdout.take().map_or_else(String::new, |out| read_line(out, CLAIM_DEADLINE));
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
