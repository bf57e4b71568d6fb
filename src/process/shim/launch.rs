//! From the launch spec to a running agent: fork, claim, and only then exec.

use std::{
    ffi::CString,
    os::{
        fd::OwnedFd,
        unix::ffi::{OsStrExt, OsStringExt},
    },
};

use chrono::Utc;
use rustix::fs::{Mode, OFlags};

use super::{
    super::{
        claim::Claim,
        exit::{self, ExitRecord, ProcessEnd, StopBy, StopRequest},
        identity::{ProcStat, ProcessId},
        spec::{LaunchSpec, StdinPlan},
        sys::{self, ExecFailure, ExecPlan, ExecStage},
    },
    ending::{RunEnd, RunFiles},
    signals, text,
};
use crate::fsx::{Durability, LockAttempt, Published, RelPath, Root};

/// A run that this shim has claimed and whose agent was let go.
#[derive(Debug)]
pub(super) struct Agent {
    pub(super) id: ProcessId,
    pub(super) files: RunFiles,
    pub(super) started_at: chrono::DateTime<Utc>,
    /// The end of the pipe that the shim writes, for an agent whose input is pumped.
    pub(super) stdin: Option<OwnedFd>,
}

/// What came of a launch.
#[derive(Debug)]
pub(super) enum Launched {
    /// The agent runs.
    Running(Agent),
    /// The run is ours, and its agent never starts.
    Never(RunEnd),
    /// Somebody else has the run.
    AlreadyClaimed,
}

/// Claims the run and starts its agent.
pub(super) fn launch(spec: &LaunchSpec) -> Result<Launched, String> {
    let root = Root::open(&spec.root, Durability::Always).map_err(text)?;
    let dir = RelPath::new(&spec.run_dir).map_err(text)?;
    let stop = RelPath::new(&spec.stop_marker).map_err(text)?;
    let me = ProcessId::current();
    let holder = format!("shim pid {} started {}", me.pid, me.started);
    let LockAttempt::Taken(lock) = root.try_lock(&dir.join("run.lock"), &holder).map_err(text)? else {
        return Ok(Launched::AlreadyClaimed);
    };
    if Claim::read(&root, &dir).map_err(text)?.is_some() {
        return Ok(Launched::AlreadyClaimed);
    }
    // Before the claim: a disk without room for the end has none for the run.
    let reserved = root.reserve(&dir.join(exit::FILE), exit::RESERVED_BYTES).map_err(text)?;
    let (plan, stdin) = plan(spec, &root, &dir)?;
    // The agent's end must not be missed: its signal waits from here on.
    signals::block().map_err(text)?;
    let held = sys::fork_held(&plan).map_err(text)?;
    drop(plan);
    let id = ProcStat::of(held.pid).map(|s| s.id).ok_or("the forked process was gone at once")?;
    if claim(&root, &dir, id)? == Published::AlreadyThere {
        reserved.discard();
        return Ok(Launched::AlreadyClaimed);
    }
    let files = RunFiles { root, dir, reserved, lock };
    if files.root.exists(&stop).map_err(text)? {
        drop(held);
        return Ok(Launched::Never(stopped_before(files)));
    }
    let started_at = Utc::now();
    match held.release().map_err(text)? {
        None => Ok(Launched::Running(Agent { id, files, started_at, stdin })),
        Some(failure) => Ok(Launched::Never(not_started(files, spec, failure))),
    }
}

fn claim(root: &Root, dir: &RelPath, agent: ProcessId) -> Result<Published, String> {
    Claim::by_shim(agent, Utc::now()).publish(root, dir).map_err(text)
}

/// Opens the agent's files and makes everything that exec needs.
fn plan(spec: &LaunchSpec, root: &Root, dir: &RelPath) -> Result<(ExecPlan, Option<OwnedFd>), String> {
    let c_string = |bytes: Vec<u8>| CString::new(bytes).map_err(|_| "a NUL byte in the command".to_owned());
    let argv = spec.argv.iter().map(|a| c_string(a.clone().into_bytes())).collect::<Result<Vec<_>, _>>()?;
    let envp = std::env::vars_os()
        .filter(|(name, _)| !name.as_bytes().starts_with(b"CONDUCTOR_TEST_"))
        .map(|(name, value)| c_string([name.into_vec(), value.into_vec()].join(&b'=')))
        .collect::<Result<Vec<_>, _>>()?;
    let (stdin, pump) = match &spec.stdin {
        StdinPlan::Null => (
            rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).map_err(text)?,
            None,
        ),
        StdinPlan::File(name) => (root.open_fd(&dir.join(name)).map_err(text)?, None),
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
        stdout: root.open_append(&dir.join("agent-stdout.txt")).map_err(text)?,
        stderr: root.open_append(&dir.join("agent-stderr.txt")).map_err(text)?,
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
            "make the folder, or name another with --cwd".to_owned(),
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
        libc::ENOEXEC => "it is no program for this machine, or a script without a '#!' line".to_owned(),
        libc::E2BIG => "arguments and environment are too long: give the prompt by stdin or file".to_owned(),
        _ => format!("try to start {program} by hand"),
    }
}
