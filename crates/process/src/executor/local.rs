//! The executor of this machine: it starts the shim, and waits for its report.

use std::{
    io::{self, Read},
    net::Shutdown,
    os::{fd::AsFd, unix::net::UnixStream},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::signal::Signal,
};

use super::{
    super::{
        bounded::nameless,
        claim::Claim,
        command::CommandSpec,
        liveness::{self, Liveness},
        spec::ShimReport,
    },
    Executor, JobState, Launch, Submitted,
};
use base::{
    fsx::{RelPath, Root},
    names,
};

/// The time that a shim has to claim its run.
pub const CLAIM_DEADLINE: Duration = Duration::from_secs(10);

/// Starts shims on this machine. The launch spec travels in memory, because it may hold secrets.
#[derive(Debug, Clone)]
pub struct Local {
    /// The `run-agent` program.
    pub program: PathBuf,
}

impl Executor for Local {
    /// Starts a shim and waits for its report: when this returns the agent runs, or never will through this shim.
    ///
    /// The shim gets ready, up to a durable claim, while `before` runs: it has no leave to start the agent before that is
    /// over, or this process has ended. The shim is not our child afterwards and depends on no other process.
    fn submit(&self, launch: &Launch<'_>, before: &mut dyn FnMut()) -> io::Result<Submitted> {
        let run_dir = launch.spec.root.join(launch.spec.run_dir.as_path());
        let command = CommandSpec {
            program: self.program.clone(),
            args: vec!["shim".into(), run_dir.into()],
            env: launch.env.clone(),
            cwd: Some(Path::new("/").to_owned()),
        };
        let (ours, theirs) = UnixStream::pair()?;
        let mut child =
            command.spawn_with_report(nameless(&serde_json::to_vec(launch.spec)?)?, theirs.into())?;
        before();
        // This gives the leave. A shim that has ended by now has sent the reason.
        let _ = ours.shutdown(Shutdown::Write);
        let report = read_line(ours, CLAIM_DEADLINE);
        // The process that we started ends as soon as it has forked the shim.
        child.wait()?;
        Ok(Submitted::Reported(serde_json::from_str(&report).unwrap_or_else(|_| {
            ShimReport::Failed("the shim ended or hung before it had claimed the run".to_owned())
        })))
    }

    fn find(&self, root: &Root, run_dir: &RelPath) -> io::Result<JobState> {
        match Claim::read(root, run_dir).map_err(io::Error::other)? {
            Some(claim) => match liveness::of(&claim) {
                Liveness::Shim(_) | Liveness::Agent(_) => Ok(JobState::Running),
                Liveness::Gone => Ok(JobState::Gone),
                Liveness::Elsewhere => {
                    Err(io::Error::other(format!("the run was started on the machine {}", claim.host)))
                }
            },
            // A shim holds the run's lock before it claims the run.
            None if root.is_locked(&run_dir.join(names::run::LOCK)).map_err(io::Error::other)? => {
                Ok(JobState::Running)
            }
            None => Ok(JobState::Gone),
        }
    }

    fn cancel(&self, root: &Root, run_dir: &RelPath) -> io::Result<()> {
        // Nothing is ever queued here: a run without a claim is cancelled by the claim of its driver.
        let claim = Claim::read(root, run_dir).map_err(io::Error::other)?;
        if let Some(process) = claim.and_then(|claim| liveness::of(&claim).handle()) {
            process.send(Signal::SIGTERM);
        }
        Ok(())
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
