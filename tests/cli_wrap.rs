//! `run-agent wrap` and `shell-setup`: an agent at a user's terminal is recorded and works as without Conductor.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use crate::common::{
    in_terminal, outcome,
    processes::marked,
    tasks::{Bench, Driver, UNTIL_GO, until},
};
use nix::sys::signal::Signal;
use tree::{kinds::Protocol, run_info::RunStatus};

/// `run-agent wrap --agent command --project p --task NAME -- sh -c SCRIPT`.
fn wrap(bench: &Bench, name: &str, script: &str) -> Command {
    bench.sandbox.command([
        "wrap",
        "--agent",
        "command",
        "--project",
        "p",
        "--task",
        name,
        "--",
        "sh",
        "-c",
        script,
    ])
}

#[test]
fn the_agent_has_our_streams_and_its_end_is_recorded() {
    let bench = Bench::new();
    let mut child =
        wrap(&bench, "t", "read a; echo got $a in $PWD; echo oops >&2; echo $JRUN_TASK_ID; exit 3")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
    child.stdin.take().unwrap().write_all(b"this\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let work = bench.sandbox.work();
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("got this in {}\nt\n", work.display()));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "oops\n");
    let run = bench.runs("t").remove(0);
    assert_eq!((run.status, run.exit_code, run.protocol), (RunStatus::Failed, Some(3), Protocol::Wrap));
    bench.nothing_is_missing_or_doubled("t");
    assert_eq!(bench.run("fsck").code, 0);
    assert!(bench.run("list p --json").stdout.contains("\"failed\""));
}

#[test]
fn a_session_can_be_stopped_signalled_and_lost() {
    let bench = Bench::new();
    let escaped = || marked("JRUN_TASK_ID=stopped").iter().any(|p| p.command.starts_with("sleep 4711"));
    let stopped = Driver::of(&mut wrap(&bench, "stopped", &format!("setsid sleep 4711 & {UNTIL_GO}")));
    bench.until_running("stopped");
    until("what it puts into the background", escaped);
    assert_eq!(bench.run("list p --status running").stdout.lines().count(), 2);
    assert_eq!(bench.run("stop p/stopped").code, 0);
    assert_eq!(stopped.wait().outcome.code, 143);
    assert_eq!(bench.runs("stopped")[0].status, RunStatus::Stopped);
    assert!(!escaped(), "a stop ends all of it");

    let signalled =
        Driver::of(&mut wrap(&bench, "signalled", "trap 'exit 9' INT; while :; do sleep 0.05; done"));
    bench.until_running("signalled");
    signalled.signal(Signal::SIGINT);
    assert_eq!(signalled.wait().outcome.code, 9, "a signal to us is passed on");

    // The agent keeps its streams open as long as it lives, so the test must not wait for their end.
    let mut lost = wrap(&bench, "lost", UNTIL_GO);
    let mut lost = lost.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    bench.until_running("lost");
    lost.kill().unwrap();
    lost.wait().unwrap();
    let status = || bench.run("list p/lost --json").stdout;
    assert!(status().contains("\"running\""), "its agent goes on: {}", status());
    bench.touch("go");
    until("the agent is gone", || status().contains("\"crashed\""));
    assert_eq!(bench.run("fsck --repair").code, 0);
    assert_eq!(bench.runs("lost")[0].status, RunStatus::Crashed);
}

#[test]
fn a_terminal_that_goes_away_ends_the_session_that_it_had() {
    let bench = Bench::new();
    // script(1) has SIGTERM sent to its child when script itself dies, which is not under test here.
    let agent = "trap '' TERM; trap 'echo told >hangup; exit 9' HUP; while :; do sleep 0.05; done";
    // As with `ssh -t`: `wrap` itself leads the terminal's session.
    let Some(mut script) = in_terminal(&wrap(&bench, "t", agent)) else { return };
    script.stdout(Stdio::null()).stderr(Stdio::null());
    let mut script = script.spawn().unwrap();
    bench.until_running("t");
    script.kill().unwrap();
    script.wait().unwrap();
    until("the agent was told", || bench.sandbox.work().join("hangup").exists());
    until("its end is recorded", || bench.run("list p/t --json").stdout.contains("\"failed\""));
    let run = bench.runs("t").remove(0);
    assert_eq!((run.status, run.exit_code), (RunStatus::Failed, Some(9)));
}

#[test]
fn a_session_that_cannot_be_recorded_takes_place_all_the_same() {
    let bench = Bench::new();
    bench.sandbox.write("file", "no folder");
    let root = bench.sandbox.path("file/root");
    let mut command = wrap(&bench, "t", "echo works; exit 4");
    let said = outcome(command.env("CONDUCTOR_ROOT", root));
    assert_eq!((said.code, said.stdout.as_str()), (4, "works\n"), "{said:?}");
    assert!(said.stderr.starts_with("not recorded: "), "{said:?}");
    bench.run("wrap --agent nobody").fails(10, "there is no agent 'nobody'", "config show");
    let unknown = bench.run("wrap --agent nobody").stderr;
    assert!(unknown.contains("claude") && !unknown.contains("demo"), "only what can be wrapped: {unknown}");
    bench.run("wrap --agent demo").fails(16, "`run-agent job --agent demo` runs it", "");
    bench.run("wrap --agent claude").fails(11, "'claude' of agent 'claude' is not installed", "npm install");
}

#[test]
fn shell_functions_come_and_go() {
    let bench = Bench::new();
    let sandbox = &bench.sandbox;
    let rc = sandbox.write("home/.bashrc", "export MINE=1\n");
    let install = "shell-setup install --shell bash --agents claude";
    for _ in 0..2 {
        assert_eq!(sandbox.run(install).code, 0);
    }
    let with = std::fs::read_to_string(&rc).unwrap();
    assert_eq!(with.matches("function claude").count(), 1, "{with}");
    // As bash sees the function: it calls wrap, and inside of a run it calls the program itself.
    let log = sandbox.path("log");
    for (name, text) in [("claude", "direct"), ("run-agent", "wrapped")] {
        let script = format!("#!/bin/sh\necho {text} \"$@\" >>'{}'\n", log.display());
        let program = sandbox.write(format!("bin/{name}"), script);
        assert!(Command::new("chmod").arg("755").arg(program).status().unwrap().success());
    }
    let path = format!("{}:/usr/bin:/bin", sandbox.path("bin").display());
    for inside in ["", "some-run"] {
        let script = format!(". '{}'; claude 'a b'", rc.display());
        let mut bash = Command::new("bash");
        bash.args(["--norc", "-c", &script]).env_clear().env("PATH", &path).env("JRUN_ID", inside);
        assert!(bash.status().unwrap().success());
    }
    assert_eq!(std::fs::read_to_string(log).unwrap(), "wrapped wrap --agent claude -- a b\ndirect a b\n");
    assert_eq!(sandbox.run("shell-setup uninstall --shell bash").code, 0);
    assert_eq!(std::fs::read_to_string(&rc).unwrap(), "export MINE=1\n");
    std::fs::write(&rc, with.lines().next().unwrap().to_owned() + "\n# >>> run-agent shell-setup >>>\n")
        .unwrap();
    sandbox.run(install).fails(16, "has only one of the two marker lines", "by hand");
    let zsh = sandbox.run_with(&[("SHELL", "/usr/bin/zsh")], "shell-setup print").succeeds();
    assert!(zsh.contains("function opencode"), "{zsh}");
    sandbox.run("shell-setup print").fails(2, "the shell is unknown", "--shell");
    sandbox.run("shell-setup print --shell fish --agents a;b").fails(
        2,
        "cannot be the name of a function",
        "",
    );
}
