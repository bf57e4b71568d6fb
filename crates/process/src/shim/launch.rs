//! Starts an agent from a launch spec: fork, claim, and only then exec.

use std::{
    ffi::CString,
    os::{
        fd::{AsFd, OwnedFd},
        unix::ffi::{OsStrExt, OsStringExt},
    },
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
use rustix::{
    fs::{Mode, OFlags},
    net::RecvFlags,
};

use super::{
    super::{
        cgroup::RunGroup,
        claim::Claim,
        exit::{self, ExitRecord, ProcessEnd, StopBy, StopRequest},
        identity::{ProcStat, ProcessId, holder},
        launch_files::{self, Env},
        pidfd::PidFd,
        spec::{LaunchSpec, StdinPlan},
        sys::{self, ExecFailure, ExecPlan, ExecStage, Held, Session},
    },
    ending::{RunEnd, RunFiles},
    source::{Source, text},
};
use base::{
    fsx::{Durability, Lock, LockAttempt, Published, RelPath, Root},
    names,
};

/// Longest time for which another shim may hold the run's lock without having claimed the run.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest time that a claimed run waits for the permission to start. The driver's work takes less time.
const LEAVE: Duration = Duration::from_secs(5);

/// A run that this shim has claimed, with its started agent.
#[derive(Debug)]
pub(super) struct Agent {
    pub(super) id: ProcessId,
    /// The published claim.
    pub(super) claim: Claim,
    /// Leads the agent's process group, also when the agent has been reaped.
    pub(super) handle: Option<PidFd>,
    pub(super) files: RunFiles,
    /// The agent's control group, if one could be created. It is removed before the end is published.
    pub(super) group: Option<RunGroup>,
    pub(super) started_at: chrono::DateTime<Utc>,
    /// Delivers the signals that have been blocked since before the agent existed.
    pub(super) signals: SignalFd,
    /// The shim's end of the pipe through which it pumps input to the agent.
    pub(super) stdin: Option<OwnedFd>,
}

/// Result of a launch.
#[derive(Debug)]
pub(super) enum Launched {
    /// The agent runs.
    Running(Agent),
    /// This shim owns the run, but its agent never starts.
    Never(RunEnd),
    /// Another process owns the run.
    AlreadyClaimed,
}

/// Claims the run and starts its agent. From the claim on, every failure is recorded in `exit.json`.
pub(super) fn launch(spec: &LaunchSpec, env: Env, source: Source) -> Result<Launched, String> {
    let root = Root::open(&spec.root, Durability::Always).map_err(text)?;
    let dir = spec.run_dir.clone();
    let Some(lock) = take_lock(&root, &dir)? else { return Ok(Launched::AlreadyClaimed) };
    let (plan, stdin) = plan(spec, env, &root, &dir)?;
    // Blocks SIGCHLD from here on, so that the agent's end cannot be missed.
    let signals = take_signals().map_err(text)?;
    // Bound in this order, so that the held process is dropped first and the group is empty when it is dropped.
    let (group, held) = fork(&plan, &dir)?;
    drop(plan);
    // Reserved before the claim, because a disk that is too full for the record is too full for the run.
    let reserved = root.reserve(&dir.join(names::run::EXIT), exit::RESERVED_BYTES).map_err(text)?;
    let id = ProcStat::of(held.pid).map(|s| s.id).ok_or("the forked process was gone at once")?;
    let handle = PidFd::open(id);
    let cgroup = group.as_ref().map(|g| g.path().to_owned());
    let claim = Claim::by_shim(id, cgroup, Utc::now());
    if claim.publish(&root, &dir).map_err(text)? == Published::AlreadyThere {
        reserved.discard();
        return Ok(Launched::AlreadyClaimed);
    }
    let files = RunFiles { root, dir, reserved, lock };
    match source {
        Source::Driver => wait_for_leave(),
        // Before the agent starts: they are in its environment and its command line by then. A secret that cannot be
        // removed here is removed by the driver.
        Source::Folder => drop(launch_files::remove_secrets(&files.root, &files.dir)),
    }
    // If this check fails, the shim repeats it as soon as the agent runs.
    if files.root.is_file(&spec.stop_marker).unwrap_or(false) {
        return Ok(Launched::Never(stopped_before(files)));
    }
    let started_at = Utc::now();
    match held.release() {
        None => Ok(Launched::Running(Agent { id, claim, handle, files, group, started_at, signals, stdin })),
        Some(failure) => Ok(Launched::Never(not_started(files, spec, failure))),
    }
}

/// Waits until the driver has finished the work that must precede the agent's first instruction. The driver then closes
/// its end of our standard output, or has ended. The wait is limited, so that a slow driver cannot delay the run for
/// ever.
fn wait_for_leave() {
    let deadline = Instant::now() + LEAVE;
    let mut byte = [0];
    loop {
        // If standard output is not a socket, there is no driver to wait for.
        match rustix::net::recv(std::io::stdout().as_fd(), &mut byte, RecvFlags::DONTWAIT) {
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
            _ => return,
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
        // A failure is repeated by the call above, where the deadline ends the loop.
        let _ = poll(&mut [PollFd::new(std::io::stdout().as_fd(), PollFlags::POLLIN)], timeout);
    }
}

/// Forks the agent's process, into a control group of its own if one may be created.
fn fork(plan: &ExecPlan, dir: &RelPath) -> Result<(Option<RunGroup>, Held), String> {
    if let Some(group) = RunGroup::make(dir.name())
        && let Ok(held) = sys::fork_held(plan, Some(group.as_fd()))
    {
        return Ok((Some(group), held));
    }
    Ok((None, sys::fork_held(plan, None).map_err(text)?))
}

/// Takes `run.lock`; `None` if another process has claimed the run.
fn take_lock(root: &Root, dir: &RelPath) -> Result<Option<Lock>, String> {
    let holder = holder("shim");
    let patience = Instant::now() + PATIENCE;
    loop {
        let attempt = root.try_lock(&dir.join(names::run::LOCK), &holder).map_err(text)?;
        // Read after the attempt: an earlier holder of the lock may have claimed the run and ended.
        if Claim::read(root, dir).map_err(text)?.is_some() {
            return Ok(None);
        }
        match attempt {
            LockAttempt::Taken(lock) => return Ok(Some(lock)),
            LockAttempt::Held(by) if Instant::now() >= patience => {
                return Err(format!("another shim has the run's lock and does not claim the run: {by}"));
            }
            // The holder claims the run in a moment, or fails and leaves it to us.
            LockAttempt::Held(_) => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

/// Opens the agent's files and prepares everything that exec needs.
fn plan(
    spec: &LaunchSpec,
    env: Env,
    root: &Root,
    dir: &RelPath,
) -> Result<(ExecPlan, Option<OwnedFd>), String> {
    let c_string = |bytes: Vec<u8>| CString::new(bytes).map_err(|_| "a NUL byte in the command".to_owned());
    let argv = spec.argv.iter().map(|a| c_string(a.clone().into_bytes())).collect::<Result<Vec<_>, _>>()?;
    let envp = env
        .into_iter()
        .filter(|(name, _)| !name.as_bytes().starts_with(b"CONDUCTOR_TEST_"))
        .map(|(name, value)| c_string([name.into_vec(), value.into_vec()].join(&b'=')))
        .collect::<Result<Vec<_>, _>>()?;
    let (stdin, pump) = match &spec.stdin {
        StdinPlan::Null => (
            rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).map_err(text)?,
            None,
        ),
        StdinPlan::File(file) => (root.open_fd(&dir.below(file)).map_err(text)?, None),
        StdinPlan::Pump => {
            let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(text)?;
            (read, Some(write))
        }
    };
    let plan = ExecPlan {
        program: argv.first().cloned().ok_or("no program to start")?,
        argv,
        envp,
        cwd: c_string(spec.cwd.clone().into_os_string().into_vec())?,
        stdin,
        stdout: root.open_append(&dir.join(names::run::STDOUT)).map_err(text)?,
        stderr: root.open_append(&dir.join(names::run::STDERR)).map_err(text)?,
        session: Session::Own,
        open_files: spec.open_files,
    };
    Ok((plan, pump))
}

fn stopped_before(files: RunFiles) -> RunEnd {
    let now = Utc::now();
    let error = "it was stopped before it started".to_owned();
    let record = ExitRecord {
        stop: Some(StopRequest { by: StopBy::StopMarker, at: now }),
        ..ExitRecord::new(ProcessEnd::NotStarted { error, hint: None, errno: None }, now)
    };
    RunEnd { files, record }
}

fn not_started(files: RunFiles, spec: &LaunchSpec, failure: ExecFailure) -> RunEnd {
    let program = spec.argv.first().map_or("", String::as_str);
    let reason = std::io::Error::from_raw_os_error(failure.errno);
    let (error, hint) = match failure.stage {
        ExecStage::Chdir => (
            format!("cannot enter the working folder {}: {reason}", spec.cwd.display()),
            "create the folder, or name another one with --cwd".to_owned(),
        ),
        ExecStage::Exec => (format!("cannot execute {program}: {reason}"), exec_hint(failure.errno, program)),
    };
    let end = ProcessEnd::NotStarted { error, hint: Some(hint), errno: Some(failure.errno) };
    RunEnd { files, record: ExitRecord::new(end, Utc::now()) }
}

fn exec_hint(errno: i32, program: &str) -> String {
    match errno {
        libc::ENOENT => format!("check that {program} exists, and the interpreter that its first line names"),
        libc::EACCES => format!("make it executable: chmod +x {program}"),
        libc::ENOEXEC => {
            "it is not a program for this machine, or it is a script without a '#!' line".to_owned()
        }
        libc::E2BIG => "arguments and environment are too long: give the prompt by stdin or file".to_owned(),
        _ => format!("try to start {program} by hand"),
    }
}

/// The signals that a shim receives in its poll loop instead of a handler. SIGHUP is included so that it has no effect:
/// a shim outlives every terminal.
const TAKEN: [Signal; 4] = [Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP];

/// Blocks the signals from now on, and opens the descriptor that delivers them.
fn take_signals() -> nix::Result<SignalFd> {
    let taken = TAKEN.into_iter().collect::<SigSet>();
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&taken), None)?;
    SignalFd::with_flags(&taken, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
}
