//! Processes that outlive the agent. Each is this program again, with a script of its own.
//!
//! The functions that start one return when the process is set up, its session changed and its signals set, so that a
//! test needs no sleep.

use std::{
    fs::OpenOptions,
    io,
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
    time::Duration,
};

use super::step::Tree;

const READY: &str = "ready\n";

/// Leaves a child in its own session.
pub fn in_own_session(stay: Duration) -> io::Result<()> {
    leave(Stdio::null(), &["leftover", "new-session", "ready", &sleep(stay)])
}

/// Leaves an orphaned grandchild in another session.
pub fn double_fork(stay: Duration) -> io::Result<()> {
    let orphan = format!("orphan:{}", stay.as_millis());
    let status = start(Stdio::null(), &["new-session", &orphan, "ready"])?.wait()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(status.to_string())) }
}

/// The second half of [`double_fork`], performed by the child.
pub fn orphan(stay: Duration) -> io::Result<()> {
    leave(Stdio::null(), &["leftover", "ignore-term", "ready", &sleep(stay)])
}

/// Leaves a child in our group that keeps our stdout open.
pub fn holding_stdout(stay: Duration) -> io::Result<()> {
    leave(Stdio::inherit(), &["leftover", "ready", &sleep(stay)])
}

/// Leaves a tree of processes in our group.
pub fn tree(tree: Tree) -> io::Result<()> {
    if tree.depth == 0 {
        return Ok(());
    }
    let below = format!("spawn-tree:{}x{}:{}", tree.depth - 1, tree.width, tree.stay.as_millis());
    for _ in 0..tree.width {
        leave(Stdio::null(), &["leftover", &below, "ready", &sleep(tree.stay)])?;
    }
    Ok(())
}

/// Appends our own pid to the list that the test asked for.
pub fn enlist() -> io::Result<()> {
    let Some(list) = std::env::var_os("FAKE_AGENT_PIDS") else { return Ok(()) };
    let mut file = OpenOptions::new().create(true).append(true).open(list)?;
    file.write_all(format!("{}\n", std::process::id()).as_bytes())
}

/// Reports to the parent that this process is set up.
pub fn say_ready() -> io::Result<()> {
    io::stderr().write_all(READY.as_bytes())
}

fn sleep(stay: Duration) -> String {
    format!("sleep:{}", stay.as_millis())
}

fn leave(stdout: Stdio, script: &[&str]) -> io::Result<()> {
    start(stdout, script).map(drop)
}

/// Starts this program and waits until it is ready. Its stderr is the pipe for the report.
fn start(stdout: Stdio, script: &[&str]) -> io::Result<Child> {
    let program = std::env::current_exe()?;
    let mut child = Command::new(program)
        .args(script)
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(Stdio::piped())
        .spawn()?;
    let mut said = String::new();
    if let Some(pipe) = child.stderr.take() {
        BufReader::new(pipe).read_line(&mut said)?;
    }
    if said == READY { Ok(child) } else { Err(io::Error::other(said.trim_end().to_owned())) }
}
