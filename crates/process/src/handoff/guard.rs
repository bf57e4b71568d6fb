//! `run-agent update-guard` (hidden): a small process of the old program. It shares the daemon's place while the new
//! program proves itself, and restores a daemon if the new program fails.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io,
    os::fd::{AsFd, OwnedFd},
    path::PathBuf,
    time::{Duration, Instant},
};

use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        signal::{SigSet, SigmaskHow, Signal, sigprocmask},
        signalfd::{SfdFlags, SignalFd},
    },
};

use super::{
    Arrival, DaemonFds, Handoff, NamedListener, Watch,
    health::{Health, HealthState},
    own_image,
    watch::{GuardEvent, Stage, Step, next},
    wire::{Received, Wire, Word},
};
use crate::{command::CommandSpec, notify, pidfd::PidFd, sys};
use base::fsx::{self, steps};

/// The verb. It is dispatched before any runtime is built.
pub const VERB: &str = "update-guard";

/// Longest time until the daemon hands over, its drain included.
const BEFORE: Duration = Duration::from_mins(1);
/// Longest time for a healthy successor to settle.
const SETTLE: Duration = Duration::from_secs(30);
/// Period between two health requests and checks of everything else.
const LOOK: Duration = Duration::from_millis(20);
/// Longest time for a killed process to end.
const GONE: Duration = Duration::from_secs(10);

/// Runs the guard. `arguments` are the daemon's; standard input is the wire to the daemon.
#[must_use]
pub fn main(arguments: Vec<OsString>, environment: BTreeMap<OsString, OsString>) -> u8 {
    sys::heed_children();
    if sys::detach().is_err() {
        return 1;
    }
    match Guard::begin(arguments, environment) {
        Ok(guard) => guard.run(),
        Err(e) => {
            tracing::error!(error = %e, "cannot start the guard of an update");
            1
        }
    }
}

struct Guard {
    wire: Wire,
    fds: DaemonFds,
    watch: Watch,
    daemon: Option<PidFd>,
    signals: SignalFd,
    command: CommandSpec,
}

impl Guard {
    fn begin(args: Vec<OsString>, env: BTreeMap<OsString, OsString>) -> io::Result<Self> {
        let wire = Wire::of(io::stdin().as_fd().try_clone_to_owned()?);
        let (text, descriptors) = wire.receive_with()?;
        let watch: Watch = serde_json::from_slice(&text)?;
        let mut descriptors = descriptors.into_iter();
        let lock = descriptors.next().ok_or_else(|| io::Error::other("the watch message has no lock"))?;
        let named = watch.listeners.iter().cloned().zip(descriptors);
        let listeners = named.map(|(name, socket)| NamedListener { name, socket }).collect();
        let fds = DaemonFds { listeners, lock };
        let signals: SigSet = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP].into_iter().collect();
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&signals), None)?;
        let signals = SignalFd::with_flags(&signals, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        // The wire has a descriptor of its own. Stdin must not keep it open, so that a closed end is noticed.
        rustix::stdio::dup2_stdin(&null()?)?;
        let _ = nix::sys::prctl::set_name(c"run-agent-guard");
        let daemon = PidFd::open(watch.daemon);
        let command = CommandSpec { program: watch.program.clone(), args, env, cwd: None };
        let guard = Self { wire, fds, watch, daemon, signals, command };
        // Makes the guard the main process, so that the service manager sees no main process end if the daemon dies.
        guard.tell_manager(std::process::id());
        steps::at("guard-begun");
        guard.wire.say(&Word::Ready)?;
        Ok(guard)
    }

    fn run(self) -> u8 {
        let mut stage = Stage::Before;
        let mut deadline = Instant::now() + BEFORE;
        let mut health = Health::at(self.watch.address);
        let mut closed = false;
        loop {
            let Some(seen) = self.look(stage, deadline, &mut health, &mut closed) else { continue };
            match next(stage, seen) {
                Step::Leave => {
                    self.tell_manager(self.watch.daemon.pid.unsigned_abs());
                    return 0;
                }
                Step::TakeOver(why) => return self.take_over(&why),
                Step::Stay(same) if same == stage => {}
                Step::Stay(Stage::Settling) => {
                    steps::at("guard-healthy");
                    // A successor that has closed the wire settles by itself.
                    let _ = self.wire.say(&Word::Go);
                    (stage, deadline) = (Stage::Settling, Instant::now() + SETTLE);
                }
                Step::Stay(other) => {
                    steps::at("guard-trial");
                    (stage, deadline) = (other, Instant::now() + self.watch.limit);
                }
            }
        }
    }

    /// Waits briefly for the next event, and returns it.
    fn look(
        &self,
        stage: Stage,
        deadline: Instant,
        health: &mut Health,
        closed: &mut bool,
    ) -> Option<GuardEvent> {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left.min(LOOK)).unwrap_or(PollTimeout::ZERO);
        {
            let mut fds = vec![PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
            fds.extend(self.daemon.as_ref().map(|d| PollFd::new(d.as_fd(), PollFlags::POLLIN)));
            fds.extend((!*closed).then(|| PollFd::new(self.wire.as_fd(), PollFlags::POLLIN)));
            fds.extend(health.fd().map(|fd| PollFd::new(fd, PollFlags::POLLIN)));
            // Everything is checked, regardless of the reason why the wait ended.
            let _ = poll(&mut fds, timeout);
        }
        self.pass_signals_on();
        // Read the wire first, so that the last word of a process is handled before its end.
        if !*closed {
            match self.wire.listen(Duration::ZERO) {
                Ok(Received::Word(word)) => return Some(GuardEvent::Word(word)),
                Ok(Received::Nothing) => {}
                Ok(Received::Closed) | Err(_) => *closed = true,
            }
        }
        if self.daemon.as_ref().is_none_or(PidFd::has_ended) {
            return Some(GuardEvent::Ended(self.how_it_ended()));
        }
        if stage == Stage::Trial && health.look() == HealthState::Healthy {
            return Some(GuardEvent::Healthy);
        }
        left.is_zero().then_some(GuardEvent::Late)
    }

    /// Passes signals on to the daemon, because a sender that signals the service's main process means the daemon.
    fn pass_signals_on(&self) {
        while let Ok(Some(info)) = self.signals.read_signal() {
            let signal = i32::try_from(info.ssi_signo).ok().and_then(|n| Signal::try_from(n).ok());
            if let (Some(daemon), Some(signal)) = (&self.daemon, signal) {
                daemon.send(signal);
            }
        }
    }

    fn how_it_ended(&self) -> String {
        match self.daemon.as_ref().and_then(PidFd::exit_status) {
            Some(status) if libc::WIFSIGNALED(status) => {
                format!("ended by signal {}", libc::WTERMSIG(status))
            }
            Some(status) if libc::WIFEXITED(status) => {
                format!("ended with exit code {}", libc::WEXITSTATUS(status))
            }
            _ => "ended".to_owned(),
        }
    }

    /// Kills the daemon if it still lives, and replaces this process with a daemon.
    fn take_over(self, why: &str) -> u8 {
        if let Some(daemon) = self.daemon.as_ref().filter(|d| !d.has_ended()) {
            daemon.send(Signal::SIGKILL);
            let began = Instant::now();
            while !daemon.has_ended() && began.elapsed() < GONE {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        steps::at("guard-takes-over");
        let own = own_image();
        // If the successor has proven itself and is installed, the successor's program is restored.
        let file =
            if fsx::exists_outside(&self.watch.staged) { own.clone() } else { self.watch.program.clone() };
        let handoff = Handoff { fds: self.fds, arrival: Arrival::PutBack(why.to_owned()) };
        for file in [file, own] {
            let e = handoff.exec(&file, &self.command);
            tracing::error!(error = %e, file = %file.display(), "cannot restore the old daemon");
        }
        1
    }

    fn tell_manager(&self, main: u32) {
        let socket = self.command.env.get(std::ffi::OsStr::new(notify::SOCKET));
        notify::notify(socket.map(OsString::as_os_str), &format!("MAINPID={main}"));
    }
}

fn null() -> rustix::io::Result<OwnedFd> {
    use rustix::fs::{Mode, OFlags};
    rustix::fs::open(PathBuf::from("/dev/null"), OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
}
