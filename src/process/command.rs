//! The one place that starts programs, but for the agent itself, which only a shim starts.
#![expect(clippy::disallowed_methods, reason = "this is the door that the lint sends everybody else to")]

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io::{self, Read},
    os::{
        fd::{AsFd, OwnedFd},
        unix::process::CommandExt,
    },
    path::PathBuf,
    process::{Command, ExitStatus, Output, Stdio},
    time::{Duration, Instant},
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::process::Pid;

use super::sys;

/// What a program has answered.
#[derive(Debug)]
pub enum Answer {
    /// It has ended.
    Ended {
        /// How.
        status: ExitStatus,
        /// What it printed.
        stdout: String,
    },
    /// It had to be ended.
    TooLate,
}

/// The most of an answer that is kept.
const LONGEST_ANSWER: usize = 64 * 1024;

/// A program to start, with nothing inherited by accident.
#[derive(Debug, Clone)]
pub struct CommandSpec {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Its whole environment.
    pub env: BTreeMap<OsString, OsString>,
    /// Its working folder.
    pub cwd: Option<PathBuf>,
}

impl CommandSpec {
    /// Runs the program to its end, stdin closed, output collected.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn output(&self) -> io::Result<Output> {
        self.command().stdin(Stdio::null()).output()
    }

    /// Runs the program with nothing on its stdin and gives back what it printed on stdout, up to 64 KiB; what
    /// has not ended in time is ended, with all that is in its process group.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn answer_within(&self, limit: Duration) -> io::Result<Answer> {
        let deadline = Instant::now() + limit;
        let mut command = self.command();
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn()?;
        let said = child.stdout.take().map_or_else(Vec::new, |out| read_until(out, deadline));
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(Answer::Ended { status, stdout: String::from_utf8_lossy(&said).into_owned() });
            }
            if Instant::now() >= deadline {
                break;
            }
            // It has closed its output, or said more than anybody wants to know: it is about to end.
            std::thread::sleep(Duration::from_millis(2));
        }
        // Nobody has waited for it, so the number is still its own.
        if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        child.wait()?;
        Ok(Answer::TooLate)
    }

    /// Starts the program with `stdin` as its standard input and a pipe as its standard output.
    ///
    /// It is in a process group of its own: what is typed at our terminal is meant for us.
    pub(super) fn spawn_with_report(&self, stdin: OwnedFd) -> io::Result<std::process::Child> {
        let mut command = self.command();
        command.process_group(0).stdin(Stdio::from(stdin)).stdout(Stdio::piped()).stderr(Stdio::null());
        command.spawn()
    }

    /// Starts the program with all three of its streams given, in a process group of its own.
    pub(super) fn spawn_quiet(
        &self,
        stdin: OwnedFd,
        stdout: OwnedFd,
        stderr: OwnedFd,
    ) -> io::Result<std::process::Child> {
        let mut command = self.command();
        command
            .process_group(0)
            .stdin(Stdio::from(stdin))
            .stdout(Stdio::from(stdout))
            .stderr(Stdio::from(stderr));
        command.spawn()
    }

    fn command(&self) -> Command {
        sys::heed_children();
        let mut command = Command::new(&self.program);
        command.args(&self.args).env_clear().envs(&self.env);
        if let Some(cwd) = &self.cwd {
            command.current_dir(cwd);
        }
        command
    }
}

/// Reads until the end, the deadline, or more than is wanted.
fn read_until(mut out: impl Read + AsFd, deadline: Instant) -> Vec<u8> {
    let (mut said, mut buffer) = (Vec::new(), [0; 4096]);
    while said.len() < LONGEST_ANSWER {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
        match poll(&mut [PollFd::new(out.as_fd(), PollFlags::POLLIN)], timeout) {
            Err(nix::errno::Errno::EINTR) => {}
            Ok(1..) => match out.read(&mut buffer) {
                Ok(n @ 1..) => said.extend_from_slice(&buffer[..n]),
                _ => break,
            },
            _ => break,
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(script: &str, limit: Duration) -> Answer {
        let args = vec!["-c".into(), script.into()];
        let command = CommandSpec { program: "/bin/sh".into(), args, env: BTreeMap::new(), cwd: None };
        command.answer_within(limit).unwrap()
    }

    #[test]
    fn an_answer_in_time_is_given_back() {
        let Answer::Ended { status, stdout } = answer("echo a; exit 3", Duration::from_secs(20)) else {
            panic!()
        };
        assert_eq!((status.code(), stdout.as_str()), (Some(3), "a\n"));
    }

    #[test]
    fn whoever_answers_too_late_is_ended() {
        for script in ["sleep 100", "exec >&-; sleep 100", "sleep 100 & exit 0"] {
            let began = Instant::now();
            let answer = answer(script, Duration::from_millis(200));
            assert!(began.elapsed() < Duration::from_secs(10), "{script}: {answer:?}");
        }
    }
}
