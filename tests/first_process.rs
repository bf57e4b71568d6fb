//! `run-agent` as the first process of a container (pid 1): it reaps what loses its parent, and passes signals on.

use std::{
    fs,
    process::{Command, Stdio},
};

use nix::sys::signal::Signal;

use crate::common::{
    Sandbox,
    daemon::{Daemon, agents, until},
    fake, outcome,
    processes::{signal, until as until_value},
    tools,
};

/// `unshare … run-agent ARGS`, in which run-agent is the first process; `None` if this user may not do that.
fn first(sandbox: &Sandbox, args: &[&str]) -> Option<Command> {
    tools::program("unshare")?;
    let unshare = ["--pid", "--fork", "--mount-proc", "--kill-child"];
    let wrap = |command: &Command| {
        let mut wrapped = Command::new("unshare");
        wrapped.args(unshare).arg(command.get_program()).args(command.get_args());
        wrapped.current_dir(sandbox.work()).env_clear().stdin(Stdio::null());
        wrapped.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        wrapped
    };
    let trial = outcome(wrap(&Command::new("true")).env("PATH", "/usr/bin:/bin"));
    if trial.code != 0 {
        tools::lacks("the right to open a pid namespace", "run it as root");
        return None;
    }
    Some(wrap(&sandbox.command(args)))
}

/// The children of a process: their pids and states.
fn children(pid: i32) -> Vec<(i32, char)> {
    let all = fs::read_dir("/proc").unwrap().flatten();
    let stat = |pid: i32| {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let mut rest = text.rsplit_once(") ")?.1.split(' ');
        Some((rest.next()?.chars().next()?, rest.next()?.parse::<i32>().ok()?))
    };
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let found = pids.filter_map(|child| stat(child).map(|(state, parent)| (child, state, parent)));
    found.filter(|(.., parent)| *parent == pid).map(|(child, state, _)| (child, state)).collect()
}

#[test]
fn a_daemon_leaves_no_zombie_of_its_runs_and_ends_with_its_signal() {
    let sandbox = Sandbox::new();
    let (fake, go) = (fake::agent(), sandbox.path("go"));
    let wait = format!("wait-for:{}", go.display());
    let waits = sandbox.path("waits");
    let touch = format!("touch:{}", waits.display());
    // One leaves an orphan that outlives it for a moment.
    let all: [(&str, &[&str]); 3] =
        [("quick", &["done"]), ("orphan", &["double-fork:200", "done"]), ("slow", &[&touch, &wait, "done"])];
    agents(&sandbox, &fake, &all, "");
    let Some(mut command) = first(&sandbox, &["serve", "--port", "0"]) else { return };
    let mut daemon = Daemon::of(&sandbox, &mut command);
    let init = children(daemon.pid())[0].0;
    let program = children(init)[0].0;
    for n in 0..6 {
        daemon.create(&format!("t{n}"), if n % 2 == 0 { "quick" } else { "orphan" });
    }
    for n in 0..6 {
        daemon.until_task(&format!("t{n}"), "completed");
    }
    // A shim ends a moment after its run, and then only the daemon is left: no zombie either.
    until("nothing is left of the runs", || children(init).len() == 1);
    // A shim that is killed leaves its agent to the first process.
    daemon.create("slow", "slow");
    until("the agent waits", || waits.exists() && children(init).len() == 2);
    let shim = children(init).into_iter().map(|(pid, _)| pid).find(|pid| *pid != program).unwrap();
    let agent = until_value("the agent", || children(shim).first().map(|(pid, _)| *pid));
    signal(shim, Signal::SIGKILL);
    until("the agent has a new parent", || children(init).iter().any(|(pid, _)| *pid == agent));
    sandbox.write("go", "");
    until("nothing is left of the run", || children(init).iter().all(|(pid, _)| *pid == program));
    signal(init, Signal::SIGTERM);
    assert_eq!(daemon.ended().0, Some(0), "{}", daemon.log());
}

#[test]
fn the_exit_code_is_that_of_the_program() {
    let sandbox = Sandbox::new();
    for (script, code) in [("exit 3", 1), ("true", 0)] {
        let args = ["job", "--project", "p", "--agent", "command", "--prompt", "x", "--", "sh", "-c", script];
        let Some(mut command) = first(&sandbox, &args) else { return };
        assert_eq!(outcome(&mut command).code, code, "{script}");
    }
    let Some(mut command) = first(&sandbox, &["no-such-verb"]) else { return };
    assert_eq!(outcome(&mut command).code, 2);
}

#[test]
fn a_signal_to_the_first_process_reaches_the_program() {
    let sandbox = Sandbox::new();
    let args = ["job", "--project", "p", "--task", "t", "--agent", "command", "--prompt", "x", "--"];
    let work = ["sh", "-c", "touch running; exec sleep 100"];
    let Some(mut command) = first(&sandbox, &[&args[..], &work].concat()) else { return };
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until("the agent runs", || sandbox.path("work/running").exists());
    let init = children(child.id().cast_signed())[0].0;
    signal(init, Signal::SIGTERM);
    let mut code = None;
    until("it ends", || {
        code = child.try_wait().unwrap().and_then(|status| status.code());
        code.is_some()
    });
    assert_ne!(code, Some(137), "it was ended by force");
}
