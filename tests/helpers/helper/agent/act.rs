//! Performs one step.

use std::{
    ffi::OsString,
    fs, io,
    io::{BufRead, Write},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use nix::{
    sys::{
        resource::{Resource, setrlimit},
        signal::{SigSet, Signal, raise},
        time::TimeSpec,
    },
    unistd::setsid,
};

use super::{leftover, step::Step};

const MB: usize = 1024 * 1024;
const WAIT_FOR: Duration = Duration::from_mins(1);

/// Performs one step. `began` is the time at which `main` was entered.
pub fn act(step: &Step, began: nix::Result<TimeSpec>) -> io::Result<()> {
    match step {
        Step::Say(text) => say(text.as_bytes(), b"\n"),
        Step::Err(text) => writeln!(io::stderr(), "{text}"),
        Step::Sleep(time) => {
            std::thread::sleep(*time);
            Ok(())
        }
        Step::Exit(code) => std::process::exit(*code),
        Step::KillSelf(signal) => kill_self(*signal),
        Step::IgnoreTerm => ignore_term(),
        Step::SetsidChild(stay) => leftover::in_own_session(*stay),
        Step::DoubleFork(stay) => leftover::double_fork(*stay),
        Step::HoldStdout(stay) => leftover::holding_stdout(*stay),
        Step::SpawnTree(tree) => leftover::tree(*tree),
        Step::Flood(mb) => flood(*mb),
        Step::HalfUtf8 => say(&"€".as_bytes()[..2], b""),
        Step::ReadStdin => {
            io::copy(&mut io::stdin(), &mut io::stdout())?;
            io::stdout().flush()
        }
        Step::EchoLines => echo_lines(),
        Step::CloseStdin => Ok(nix::unistd::close(0)?),
        Step::NeverRead => Ok(()),
        Step::Eat(mb) => {
            eat(*mb);
            Ok(())
        }
        Step::Write(path, text) => put(path, text),
        Step::Touch(path) => put(path, ""),
        Step::Env(name) => say_env(name),
        Step::Cwd => say(std::env::current_dir()?.as_os_str().as_encoded_bytes(), b"\n"),
        Step::WaitFor(path) => wait_for(path),
        Step::PidFile(path) => put(path, &format!("{}\n", std::process::id())),
        Step::FirstInstruction(path) => put(path, &format!("{}\n", nanos(began?))),
        Step::Bus(kind, body) => post(kind, body),
        Step::Done => put(&jrun("JRUN_TASK_FOLDER")?.join("DONE"), ""),
        Step::Output(text) => put(&jrun("JRUN_RUN_FOLDER")?.join("output.md"), text),
        Step::Leftover => leftover::enlist(),
        Step::NewSession => setsid().map(drop).map_err(io::Error::from),
        Step::Orphan(stay) => leftover::orphan(*stay),
        Step::Ready => leftover::say_ready(),
    }
}

fn say(text: &[u8], end: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text)?;
    out.write_all(end)?;
    out.flush()
}

fn say_env(name: &str) -> io::Result<()> {
    let text = match std::env::var_os(name) {
        Some(value) => [name.as_bytes(), b"=", value.as_encoded_bytes()].concat(),
        None => format!("{name} unset").into_bytes(),
    };
    say(&text, b"\n")
}

fn kill_self(signal: Signal) -> io::Result<()> {
    // Some signals write a core file to the working folder, which belongs to the test.
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    raise(signal)?;
    if matches!(signal, Signal::SIGSEGV | Signal::SIGBUS) {
        // The standard library's handler caught the first signal: it found no stack overflow and removed itself.
        raise(signal)?;
    }
    Ok(())
}

/// Blocks SIGTERM, which to its sender is the same as ignoring it and needs no unsafe code.
fn ignore_term() -> io::Result<()> {
    let mut set = SigSet::empty();
    set.add(Signal::SIGTERM);
    Ok(set.thread_block()?)
}

fn flood(mb: usize) -> io::Result<()> {
    let line = format!("{:063}\n", 0);
    let block = line.repeat(MB / line.len());
    let mut out = io::stdout().lock();
    for _ in 0..mb {
        out.write_all(block.as_bytes())?;
    }
    out.flush()
}

fn echo_lines() -> io::Result<()> {
    let mut input = io::stdin().lock();
    let mut line = Vec::new();
    while input.read_until(b'\n', &mut line)? > 0 {
        say(&line, b"")?;
        line.clear();
    }
    Ok(())
}

fn eat(mb: usize) {
    let mut eaten = Vec::new();
    for _ in 0..mb {
        // Bytes other than 0 must be written, so the pages are really allocated.
        eaten.push(std::hint::black_box(vec![1_u8; MB]));
    }
}

/// Writes a file atomically, so that a process that waits for its name finds all of it.
fn put(path: &Path, text: &str) -> io::Result<()> {
    let mut temp = OsString::from(path);
    temp.push(format!(".{}", std::process::id()));
    fs::write(&temp, text)?;
    fs::rename(&temp, path)
}

fn wait_for(path: &Path) -> io::Result<()> {
    let deadline = Instant::now() + WAIT_FOR;
    while !path.exists() {
        if Instant::now() > deadline {
            return Err(io::ErrorKind::TimedOut.into());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

fn nanos(time: TimeSpec) -> i128 {
    i128::from(time.tv_sec()) * 1_000_000_000 + i128::from(time.tv_nsec())
}

fn post(kind: &str, body: &str) -> io::Result<()> {
    let status = Command::new("run-agent").args(["bus", "post", "--type", kind, "--body", body]).status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(status.to_string())) }
}

fn jrun(name: &str) -> io::Result<PathBuf> {
    std::env::var_os(name).map(PathBuf::from).ok_or_else(|| io::Error::other(format!("{name} is not set")))
}
