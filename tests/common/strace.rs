//! The system calls of a program, seen by strace(1) if it is installed and may trace.

use std::{fs, path::PathBuf, process::Command, time::Duration};

use super::{Sandbox, daemon::Daemon, outcome, skipped, tools};

/// A program that was traced with all processes that it started.
pub struct Traced {
    log: PathBuf,
}

/// A traced daemon.
pub struct TracedDaemon {
    pub daemon: Daemon,
    log: PathBuf,
}

/// One call, in the order in which the calls ended or began to wait.
#[derive(Debug, Clone)]
pub struct Call {
    pub name: String,
    /// The whole line; descriptors appear with their paths.
    pub text: String,
}

impl Traced {
    /// Runs a command line to its end; `None`, with a message on stderr, if tracing is impossible.
    pub fn run(sandbox: &Sandbox, calls: &str, args: &[&str]) -> Option<Self> {
        let log = sandbox.path("strace.log");
        let plain = sandbox.command(args);
        let mut command = strace(&log, calls)?;
        command.arg(plain.get_program()).args(plain.get_args()).current_dir(sandbox.work()).env_clear();
        command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let ran = outcome(&mut command);
        assert_eq!(ran.code, 0, "{ran:?}");
        Some(Self { log })
    }

    /// Starts a daemon and then traces it; `None`, with a message on stderr, if tracing is impossible.
    pub fn daemon(sandbox: &Sandbox, calls: &str) -> Option<TracedDaemon> {
        let log = sandbox.path("strace.log");
        let mut command = strace(&log, calls)?;
        let daemon = Daemon::start(sandbox, &[]);
        // The tracer ends with the daemon.
        let mut tracer =
            command.arg("-p").arg(daemon.pid().to_string()).spawn().expect("strace can be started");
        let attached = || {
            let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap_or_default();
            status.lines().any(|l| l.strip_prefix("TracerPid:").is_some_and(|p| p.trim() != "0"))
        };
        for _ in 0..500 {
            if attached() {
                // strace attaches to the other threads after the first one.
                std::thread::sleep(Duration::from_millis(200));
                std::thread::spawn(move || tracer.wait());
                return Some(TracedDaemon { daemon, log });
            }
            if !matches!(tracer.try_wait(), Ok(None)) {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = tracer.kill();
        let _ = tracer.wait();
        skipped("strace may not attach to a process here");
        None
    }

    /// The traced calls.
    pub fn calls(&self) -> Vec<Call> {
        read(&self.log)
    }
}

impl TracedDaemon {
    /// The calls traced so far.
    pub fn calls(&self) -> Vec<Call> {
        read(&self.log)
    }
}

fn strace(log: &std::path::Path, calls: &str) -> Option<Command> {
    tools::program("strace")?;
    let works = Command::new("strace").args(["-f", "-o", "/dev/null", "true"]).output();
    if !works.is_ok_and(|o| o.status.success()) {
        skipped("strace may not trace here");
        return None;
    }
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-y", "-s", "400", "-e", &format!("trace={calls}"), "-o"]).arg(log);
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    Some(command)
}

fn read(log: &std::path::Path) -> Vec<Call> {
    let text = String::from_utf8_lossy(&fs::read(log).unwrap_or_default()).into_owned();
    let calls = text.lines().filter_map(|line| {
        // `pid name(arguments) = result`, or one of its two halves.
        let (_, call) = line.split_once(' ')?;
        let call = call.trim_start().trim_start_matches("<... ");
        let end = call.find(['(', ' '])?;
        Some(Call { name: call[..end].to_owned(), text: call.to_owned() })
    });
    calls.collect()
}
