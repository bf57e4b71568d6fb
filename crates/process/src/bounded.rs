//! Runs a helper program to its end, within a deadline and a limit on its output.

use std::{
    io::{self, Read as _, Seek as _},
    os::fd::{AsFd, OwnedFd},
    process::{Child, ExitStatus},
    time::{Duration, Instant},
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use super::command::{CommandSpec, Lifetime};

/// Period between two checks of the output's size.
const LOOK: Duration = Duration::from_millis(50);
/// Number of bytes of stderr that are kept.
const WORDS: u64 = 64 * 1024;

/// Limits of a helper program.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// The program is killed at this time.
    pub deadline: Instant,
    /// Largest size of stdout, in bytes.
    pub output: u64,
    /// Lifetime of the program if this process is killed.
    pub life: Lifetime,
}

/// A program that ended by itself.
#[derive(Debug)]
pub struct Finished {
    /// Its exit status.
    pub status: ExitStatus,
    /// The beginning of its stderr.
    pub words: String,
}

/// The reason why a program did not end by itself.
#[derive(Debug, thiserror::Error)]
pub enum BoundedError {
    /// The program could not be started or waited for.
    #[error("cannot run {program}")]
    Start {
        /// The program.
        program: String,
        /// The kernel's error.
        source: io::Error,
    },
    /// The program took too long and was killed.
    #[error("{0} took too long")]
    TimedOut(String),
    /// The program printed too much and was killed.
    #[error("{0} printed too much")]
    TooMuch(String),
}

/// Runs a program with `stdout`, a regular or nameless file, as its standard output.
///
/// # Errors
/// If the program cannot be started, takes too long or prints too much. It is killed and reaped before the error is
/// returned.
pub fn run(
    spec: &CommandSpec,
    stdin: &[u8],
    stdout: &OwnedFd,
    bounds: Bounds,
) -> Result<Finished, BoundedError> {
    let program = || spec.program.display().to_string();
    let start = |source: io::Error| BoundedError::Start { program: program(), source };
    let words = nameless(&[]).map_err(start)?;
    let (input, output) = (nameless(stdin).map_err(start)?, stdout.try_clone().map_err(start)?);
    let mut child =
        spec.spawn_quiet(input, output, words.try_clone().map_err(start)?, bounds.life).map_err(start)?;
    let status = match wait(&mut child, stdout, bounds) {
        Ok(Waited::Ended(status)) => status,
        stopped => {
            // The program is not reaped yet, so its pid still belongs to it. Its group contains the processes that it
            // has started.
            if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
                let _ = kill_process_group(group, Signal::KILL);
            }
            let _ = child.kill();
            let _ = child.wait();
            return Err(match stopped {
                Ok(Waited::TooMuch) => BoundedError::TooMuch(program()),
                Ok(_) => BoundedError::TimedOut(program()),
                Err(e) => start(e),
            });
        }
    };
    let words = contents(words, WORDS).map_err(start)?;
    Ok(Finished { status, words: String::from_utf8_lossy(&words).into_owned() })
}

/// Runs a program as [`run`] does, and returns its output in memory.
///
/// # Errors
/// As [`run`].
pub fn output(spec: &CommandSpec, stdin: &[u8], bounds: Bounds) -> Result<(Finished, Vec<u8>), BoundedError> {
    let start = |source| BoundedError::Start { program: spec.program.display().to_string(), source };
    let stdout = nameless(&[]).map_err(start)?;
    let finished = run(spec, stdin, &stdout, bounds)?;
    Ok((finished, contents(stdout, bounds.output).map_err(start)?))
}

enum Waited {
    Ended(ExitStatus),
    TooLong,
    TooMuch,
}

fn wait(child: &mut Child, stdout: &OwnedFd, bounds: Bounds) -> io::Result<Waited> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::NotFound)?;
    let handle = pidfd_open(pid, PidfdFlags::empty())?;
    loop {
        let left = bounds.deadline.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left.min(LOOK)).unwrap_or(PollTimeout::ZERO);
        let ready = poll(&mut [PollFd::new(handle.as_fd(), PollFlags::POLLIN)], timeout);
        let printed = u64::try_from(rustix::fs::fstat(stdout)?.st_size).unwrap_or(0);
        if printed > bounds.output {
            return Ok(Waited::TooMuch);
        }
        match ready {
            Ok(1..) => return Ok(Waited::Ended(child.wait()?)),
            Ok(_) if left.is_zero() => return Ok(Waited::TooLong),
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
}

/// Creates a nameless file that holds these bytes, positioned at its beginning.
pub(super) fn nameless(bytes: &[u8]) -> io::Result<OwnedFd> {
    let fd = rustix::fs::memfd_create("run-agent", rustix::fs::MemfdFlags::CLOEXEC)?;
    let mut rest = bytes;
    while !rest.is_empty() {
        let n = rustix::io::write(&fd, rest)?;
        rest = &rest[n..];
    }
    rustix::fs::seek(&fd, rustix::fs::SeekFrom::Start(0))?;
    Ok(fd)
}

fn contents(fd: OwnedFd, most: u64) -> io::Result<Vec<u8>> {
    #[expect(clippy::disallowed_types, reason = "a file without a name: no path to put into an error")]
    let mut file = std::fs::File::from(fd);
    file.rewind()?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::identity::ProcStat;

    fn shell(script: &str) -> CommandSpec {
        CommandSpec {
            program: "/bin/sh".into(),
            args: vec!["-c".into(), script.into()],
            env: BTreeMap::new(),
            cwd: None,
        }
    }

    fn bounds(milliseconds: u64, output: u64) -> Bounds {
        Bounds {
            deadline: Instant::now() + Duration::from_millis(milliseconds),
            output,
            life: Lifetime::ItsOwn,
        }
    }

    #[test]
    fn what_it_says_comes_back() {
        let (finished, said) =
            output(&shell("read line; echo got $line; echo oops >&2; exit 3"), b"it\n", bounds(10_000, 100))
                .unwrap();
        assert_eq!((finished.status.code(), finished.words.as_str()), (Some(3), "oops\n"));
        assert_eq!(said, b"got it\n");
    }

    #[test]
    fn it_ends_in_time_and_within_its_room() {
        let began = Instant::now();
        let slow = output(&shell("exec sleep 100"), b"", bounds(100, 100));
        assert!(matches!(slow, Err(BoundedError::TimedOut(_))), "{slow:?}");
        let loud = output(&shell("while :; do echo aaaaaaaaaaaaaaa; done"), b"", bounds(50_000, 1000));
        assert!(matches!(loud, Err(BoundedError::TooMuch(_))), "{loud:?}");
        assert!(began.elapsed() < Duration::from_secs(20));
        let absent = CommandSpec { program: "/proc/nonexistent/git".into(), ..shell("") };
        assert!(matches!(output(&absent, b"", bounds(1000, 10)), Err(BoundedError::Start { .. })));
    }

    #[test]
    fn what_it_has_started_ends_with_it() {
        let file = tempfile::NamedTempFile::new().unwrap();
        // The intermediate shell stays alive, as it does for a script that starts another program.
        let script = format!("sh -c 'echo $$ > {}; exec sleep 100'; true", file.path().display());
        let late = output(&shell(&script), b"", bounds(500, 100));
        assert!(matches!(late, Err(BoundedError::TimedOut(_))), "{late:?}");
        let inner: i32 = base::fsx::read_outside(file.path(), 100)
            .map(|bytes| String::from_utf8(bytes).unwrap().trim().parse().unwrap())
            .unwrap();
        let gone = || ProcStat::of(inner).is_none_or(|stat| stat.is_dead());
        let began = Instant::now();
        while !gone() {
            assert!(began.elapsed() < Duration::from_secs(20), "{inner} is still there");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
