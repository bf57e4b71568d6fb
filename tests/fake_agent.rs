//! The scripted agent does what the other tests rely on.

use crate::common::fake;

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    os::{fd::AsFd, unix::process::ExitStatusExt},
    path::Path,
    process::{Child, ChildStdout, Command, Output, Stdio},
};

use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        prctl::set_child_subreaper,
        resource::{UsageWho, getrusage},
        signal::{Signal, kill},
        wait::waitpid,
    },
    time::{ClockId, clock_gettime},
    unistd::Pid,
};
use tempfile::TempDir;

fn command(script: &[&str]) -> Command {
    let mut command = Command::new(fake::agent());
    command.args(script).stdin(Stdio::null());
    command
}

fn run(script: &[&str]) -> Output {
    command(script).output().unwrap()
}

/// Processes that an agent left behind, ended and reaped with the test that examines them.
struct Leftovers {
    pids: Vec<i32>,
}

/// Runs a script to the end of the agent itself.
fn run_leaving(script: &[&str]) -> (Leftovers, ChildStdout) {
    // An orphan becomes our child, so that we can wait for it.
    set_child_subreaper(true).unwrap();
    let dir = TempDir::new().unwrap();
    let list = dir.path().join("pids");
    let mut agent = command(script).env("FAKE_AGENT_PIDS", &list).stdout(Stdio::piped()).spawn().unwrap();
    let status = agent.wait().unwrap();
    let list = fs::read_to_string(list).unwrap();
    let left = Leftovers { pids: list.lines().map(|l| l.parse().unwrap()).collect() };
    assert!(status.success());
    (left, agent.stdout.take().unwrap())
}

impl Leftovers {
    /// Returns the only process: pid, session and parent, from `/proc/<pid>/stat`.
    fn only(&self) -> (i32, i32, i32) {
        let [pid] = self.pids[..] else { panic!("{:?}", self.pids) };
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it is alive");
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        (pid, fields[3].parse().unwrap(), fields[1].parse().unwrap())
    }
}

impl Drop for Leftovers {
    fn drop(&mut self) {
        for pid in &self.pids {
            let pid = Pid::from_raw(*pid);
            let _ = kill(pid, Signal::SIGKILL);
            let _ = waitpid(pid, None);
        }
    }
}

#[test]
fn a_misspelled_step_undoes_the_script() {
    for wrong in ["sai:x", "sleep:soon", "kill-self:SIGNOPE", "write:no-text", "spawn-tree:4x10:1"] {
        let output = run(&["say:hello", wrong]);
        assert_eq!(output.status.code(), Some(64), "{wrong}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{wrong}");
    }
}

#[test]
fn steps_run_in_order_and_exit_ends_them() {
    let output = run(&["say:a:b", "err:c", "half-utf8", "exit:3", "say:d"]);
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(output.stdout, b"a:b\n\xe2\x82");
    assert_eq!(output.stderr, b"c\n");
}

#[test]
fn it_can_end_by_a_signal() {
    let status = run(&["kill-self:SEGV", "exit:0"]).status;
    assert_eq!((status.signal(), status.core_dumped()), (Some(11), false));
}

#[test]
fn sigterm_is_ignored_when_asked() {
    let dir = TempDir::new().unwrap();
    let go = dir.path().join("go");
    let mut agent = command(&["ignore-term", "say:up", &format!("wait-for:{}", go.display()), "say:alive"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(agent.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "up");
    kill(Pid::from_raw(agent.id().cast_signed()), Signal::SIGTERM).unwrap();
    fs::write(go, "").unwrap();
    assert_eq!(lines.next().unwrap().unwrap(), "alive");
    assert!(agent.wait().unwrap().success());
}

#[test]
fn a_setsid_child_leads_a_session() {
    let (left, _) = run_leaving(&["setsid-child:60000"]);
    let (pid, session, _) = left.only();
    assert_eq!(session, pid);
    let argv = fs::read(format!("/proc/{pid}/cmdline")).unwrap();
    assert_eq!(argv.split(|b| *b == 0).nth(1), Some(&b"leftover"[..]));
}

#[test]
fn a_double_forked_child_has_left_its_parent_its_session_and_sigterm() {
    let (left, _) = run_leaving(&["double-fork:60000"]);
    let (pid, session, parent) = left.only();
    assert_ne!(session, pid, "it leads no session");
    assert!(!Path::new(&format!("/proc/{session}")).exists(), "who made its session is gone");
    assert_eq!(parent, std::process::id().cast_signed());
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let blocked = status.lines().find_map(|l| l.strip_prefix("SigBlk:")).unwrap();
    let blocked = u64::from_str_radix(blocked.trim(), 16).unwrap();
    assert_eq!(blocked, 1 << (Signal::SIGTERM as i32 - 1));
}

#[test]
fn a_background_child_holds_stdout() {
    let (left, mut out) = run_leaving(&["say:x", "hold-stdout:60000"]);
    let mut said = [0; 2];
    out.read_exact(&mut said).unwrap();
    let hung_up = |timeout| {
        let mut fds = [PollFd::new(out.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, timeout).unwrap();
        fds[0].revents().unwrap().contains(PollFlags::POLLHUP)
    };
    assert!(!hung_up(PollTimeout::ZERO));
    drop(left);
    assert!(hung_up(PollTimeout::from(10_000_u16)));
}

#[test]
fn a_tree_is_whole_when_its_step_is_done() {
    let (left, _) = run_leaving(&["spawn-tree:2x3:60000"]);
    assert_eq!(left.pids.len(), 3 + 9);
    for pid in &left.pids {
        assert!(Path::new(&format!("/proc/{pid}")).exists());
    }
}

fn talk(script: &[&str]) -> Child {
    command(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

#[test]
fn lines_come_back_one_by_one_and_all_of_stdin_too() {
    let mut agent = talk(&["echo-lines", "say:end"]);
    let mut input = agent.stdin.take().unwrap();
    let mut lines = BufReader::new(agent.stdout.take().unwrap()).lines();
    for line in ["one", "two"] {
        writeln!(input, "{line}").unwrap();
        assert_eq!(lines.next().unwrap().unwrap(), line);
    }
    drop(input);
    assert_eq!(lines.next().unwrap().unwrap(), "end");
    agent.wait().unwrap();

    let mut agent = talk(&["read-stdin"]);
    agent.stdin.take().unwrap().write_all(b"a\0b").unwrap();
    assert_eq!(agent.wait_with_output().unwrap().stdout, b"a\0b");
}

#[test]
fn a_flood_is_as_large_as_it_says() {
    assert_eq!(run(&["flood:3"]).stdout.len(), 3 * 1024 * 1024);
}

#[test]
fn eaten_memory_is_really_taken() {
    run(&["eat:64"]);
    let kilobytes = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss();
    assert!(kilobytes > 64 * 1024, "{kilobytes}");
}

#[test]
fn the_first_instruction_lies_between_start_and_end() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("at");
    let now = || {
        let time = clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap();
        time.tv_sec() * 1_000_000_000 + time.tv_nsec()
    };
    let before = now();
    run(&[&format!("first-instruction:{}", file.display())]);
    let at: i64 = fs::read_to_string(file).unwrap().trim().parse().unwrap();
    assert!(before < at && at < now());
}

#[test]
fn it_uses_what_an_agent_is_given() {
    let dir = TempDir::new().unwrap();
    let output = command(&[
        "env:JRUN_ID",
        "env:NOT_THERE",
        "cwd",
        "bus:FACT:a:b",
        "output:answer",
        "write:f=x=y",
        "done",
    ])
    .current_dir(dir.path())
    .env("PATH", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/helpers/bin"))
    .env("POSTED", dir.path().join("posted"))
    .env("JRUN_ID", "r1")
    .env("JRUN_RUN_FOLDER", dir.path())
    .env("JRUN_TASK_FOLDER", dir.path())
    .env_remove("NOT_THERE")
    .output()
    .unwrap();
    assert!(output.status.success(), "{output:?}");
    let cwd = dir.path().canonicalize().unwrap();
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        format!("JRUN_ID=r1\nNOT_THERE unset\n{}\n", cwd.display())
    );
    let read = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
    assert_eq!(read("posted"), "FACT: a:b\n");
    assert_eq!(
        (read("output.md").as_str(), read("f").as_str(), read("DONE").as_str()),
        ("answer", "x=y", "")
    );
}
