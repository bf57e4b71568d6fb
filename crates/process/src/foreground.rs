//! Runs an agent at the user's terminal. The agent runs in the session and process group of this process, and with its
//! streams. This process keeps the same records as a shim: claim before exec, `run.lock` while the agent lives,
//! `exit.json` at its end.
//!
//! Keys typed by the user reach the agent from the terminal directly. Processes that the agent leaves behind when it
//! ends by itself stay, as they would in a shell: the user may have sent them into the background. If STOP ends the
//! agent, the runner ends these processes, too.

use std::{
    collections::BTreeMap,
    ffi::{CString, OsString},
    os::{fd::AsFd, unix::ffi::OsStringExt},
    path::PathBuf,
    time::{Duration, Instant},
};

use chrono::Utc;
use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        signal::{SigSet, SigmaskHow, Signal, sigprocmask},
        signalfd::{SfdFlags, SignalFd},
    },
};

use super::{
    claim::Claim,
    exit::{self, ExitRecord, ProcessEnd, ResourceUsage, StopBy, StopRequest},
    identity::{ProcStat, ProcessId, holder},
    pidfd::PidFd,
    sys::{self, ExecPlan, Held, Reap, Reaped, Session},
};
use base::{
    fsx::{Lock, LockAttempt, Published, RelPath, Reserved, Root},
    names,
};

/// Period between two checks for STOP.
const LOOK: Duration = Duration::from_millis(250);

/// The program to run, and the run that records it.
#[derive(Debug)]
pub struct Foreground {
    /// Program (an absolute path) and arguments.
    pub argv: Vec<String>,
    /// Its complete environment.
    pub env: BTreeMap<OsString, OsString>,
    /// Its working folder.
    pub cwd: PathBuf,
    /// The run's folder.
    pub dir: RelPath,
    /// A file that asks for the end by existing.
    pub stop_marker: RelPath,
    /// Time between SIGTERM and SIGKILL.
    pub stop_grace: Duration,
}

/// A running agent. This process has claimed its run.
#[derive(Debug)]
pub struct ForegroundRun {
    /// The claim.
    pub claim: Claim,
    agent: ProcessId,
    signals: SignalFd,
    reserved: Reserved,
    lock: Lock,
    not_started: Option<ExitRecord>,
    started_at: chrono::DateTime<Utc>,
}

impl Foreground {
    /// Claims the run and starts its agent. This process must have one thread.
    ///
    /// # Errors
    /// If the run was not claimed, with the reason.
    pub fn start(&self, root: &Root) -> Result<ForegroundRun, String> {
        let holder = holder("run-agent wrap");
        let lock = match root.try_lock(&self.dir.join(names::run::LOCK), &holder).map_err(text)? {
            LockAttempt::Taken(lock) => lock,
            LockAttempt::Held(by) => return Err(format!("another process has the run: {by}")),
        };
        let plan = self.plan()?;
        let signals = take_signals().map_err(text)?;
        sys::heed_children();
        let held = sys::fork_held(&plan, None).map_err(text)?;
        let reserved = root.reserve(&self.dir.join(names::run::EXIT), exit::RESERVED_BYTES).map_err(text)?;
        let agent = ProcStat::of(held.pid).map(|s| s.id).ok_or("the forked process was gone at once")?;
        let claim = Claim::by_shim(agent, None, Utc::now());
        if claim.publish(root, &self.dir).map_err(text)? == Published::AlreadyThere {
            reserved.discard();
            return Err("another process has the run".to_owned());
        }
        let started_at = Utc::now();
        let not_started = self.release(held);
        Ok(ForegroundRun { claim, agent, signals, reserved, lock, not_started, started_at })
    }

    fn release(&self, held: Held) -> Option<ExitRecord> {
        let failure = held.release()?;
        let reason = std::io::Error::from_raw_os_error(failure.errno);
        let error = format!("cannot start {}: {reason}", self.argv.first().map_or("", String::as_str));
        let end = ProcessEnd::NotStarted { error, hint: None, errno: Some(failure.errno) };
        Some(ExitRecord::new(end, Utc::now()))
    }

    fn plan(&self) -> Result<ExecPlan, String> {
        let c_string =
            |bytes: Vec<u8>| CString::new(bytes).map_err(|_| "a NUL byte in the command".to_owned());
        let own = |n: std::os::fd::BorrowedFd<'_>| n.try_clone_to_owned().map_err(text);
        let argv =
            self.argv.iter().map(|a| c_string(a.clone().into_bytes())).collect::<Result<Vec<_>, _>>()?;
        let envp = self.env.clone().into_iter();
        let envp = envp
            .map(|(name, value)| c_string([name.into_vec(), value.into_vec()].join(&b'=')))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(ExecPlan {
            program: argv.first().cloned().ok_or("no program to start")?,
            argv,
            envp,
            cwd: c_string(self.cwd.clone().into_os_string().into_vec())?,
            stdin: own(std::io::stdin().as_fd())?,
            stdout: own(std::io::stdout().as_fd())?,
            stderr: own(std::io::stderr().as_fd())?,
            session: Session::Ours,
            open_files: None,
        })
    }
}

impl ForegroundRun {
    /// Waits for the agent's end and publishes it.
    ///
    /// # Errors
    /// If the end cannot be written.
    pub fn wait(self, root: &Root, of: &Foreground) -> base::fsx::Result<ExitRecord> {
        let record = match &self.not_started {
            Some(record) => record.clone(),
            None => self.until_ended(root, of),
        };
        self.reserved.publish(&of.dir.join(names::run::EXIT), &record.to_bytes())?;
        drop(self.lock);
        Ok(record)
    }

    fn until_ended(&self, root: &Root, of: &Foreground) -> ExitRecord {
        // The agent is our child and not reaped yet, so its pid still belongs to it.
        let handle = PidFd::open(self.agent);
        let mut stop: Option<(StopRequest, Instant)> = None;
        loop {
            if let Reap::Ended(reaped) = sys::reap_any()
                && reaped.pid == self.agent.pid
            {
                return self.record(reaped, stop.map(|(request, _)| request));
            }
            self.pass_signals_on(handle.as_ref());
            match &stop {
                None if root.is_file(&of.stop_marker).unwrap_or(false) => {
                    stop = Some((StopRequest { by: StopBy::StopMarker, at: Utc::now() }, Instant::now()));
                    send(handle.as_ref(), Signal::SIGTERM);
                }
                Some((_, since)) if since.elapsed() > of.stop_grace => send(handle.as_ref(), Signal::SIGKILL),
                _ => {}
            }
            let timeout = PollTimeout::try_from(LOOK).unwrap_or(PollTimeout::ZERO);
            // Every event is checked again, regardless of the reason why the wait ended.
            let _ = poll(&mut [PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)], timeout);
        }
    }

    /// Passes on the signals that were sent to this process alone.
    fn pass_signals_on(&self, agent: Option<&PidFd>) {
        while let Ok(Some(info)) = self.signals.read_signal() {
            let signal = i32::try_from(info.ssi_signo).ok().and_then(|n| Signal::try_from(n).ok());
            for signal in signal.map_or(&[][..], |signal| passed_on(signal, info.ssi_code)) {
                send(agent, *signal);
            }
        }
    }

    fn record(&self, reaped: Reaped, stop: Option<StopRequest>) -> ExitRecord {
        let status = reaped.status;
        let end = if libc::WIFSIGNALED(status) {
            ProcessEnd::Signaled { signal: libc::WTERMSIG(status), core_dumped: libc::WCOREDUMP(status) }
        } else {
            ProcessEnd::Exited { exit_code: libc::WEXITSTATUS(status) }
        };
        let rusage = ResourceUsage {
            user_seconds: reaped.user.as_secs_f64(),
            system_seconds: reaped.system.as_secs_f64(),
            max_rss_bytes: reaped.max_rss_bytes,
        };
        ExitRecord {
            started_at: Some(self.started_at),
            stop,
            rusage: Some(rusage),
            ..ExitRecord::new(end, Utc::now())
        }
    }
}

fn send(agent: Option<&PidFd>, signal: Signal) {
    if let Some(agent) = agent {
        agent.send(signal);
    }
}

/// Returns the signals to send to the agent for a signal that this process received. The agent receives signals from
/// keys at the terminal itself. It does not receive a hang-up if this process leads the session: the kernel sends
/// SIGHUP to the leader only, followed by SIGCONT.
fn passed_on(signal: Signal, code: i32) -> &'static [Signal] {
    // SI_KERNEL of sigaction(2).
    let typed = code == 0x80;
    match signal {
        Signal::SIGHUP => &[Signal::SIGHUP, Signal::SIGCONT],
        Signal::SIGINT if !typed => &[Signal::SIGINT],
        Signal::SIGQUIT if !typed => &[Signal::SIGQUIT],
        Signal::SIGTERM if !typed => &[Signal::SIGTERM],
        _ => &[],
    }
}

/// Blocks the signals that would end this process before its agent: Ctrl-C is meant for the agent.
fn take_signals() -> nix::Result<SignalFd> {
    let taken = [Signal::SIGCHLD, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM, Signal::SIGHUP];
    let taken = taken.into_iter().collect::<SigSet>();
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&taken), None)?;
    SignalFd::with_flags(&taken, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
}

fn text(e: impl std::fmt::Display) -> String {
    e.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_heard_once_and_a_hang_up_is_always_told() {
        let (by_kernel, by_user) = (0x80, 0);
        for (signal, code, expected) in [
            (Signal::SIGHUP, by_kernel, &[Signal::SIGHUP, Signal::SIGCONT][..]),
            (Signal::SIGHUP, by_user, &[Signal::SIGHUP, Signal::SIGCONT]),
            (Signal::SIGINT, by_kernel, &[]),
            (Signal::SIGINT, by_user, &[Signal::SIGINT]),
            (Signal::SIGTERM, by_user, &[Signal::SIGTERM]),
            (Signal::SIGCHLD, by_user, &[]),
        ] {
            assert_eq!(passed_on(signal, code), expected, "{signal} {code}");
        }
    }
}
