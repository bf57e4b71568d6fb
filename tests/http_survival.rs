//! The daemon is killed, started twice and restarted; runs are not affected.

use crate::common::{
    Sandbox,
    daemon::{Daemon, agents},
    fake,
};
use serde_json::json;

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let steps: [(&str, &[&str]); 2] =
        [("loops", &["say:ready", "wait-for:go", "exit:7"]), ("quick", &["say:hello", "done"])];
    let more = "defaults: {restart_delay: 10ms, restart_delay_max: 10ms, max_restarts: 2}\n";
    agents(&sandbox, &fake::agent(), &steps, more);
    sandbox
}

#[test]
fn the_next_daemon_goes_on_where_a_killed_one_was() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    let run = daemon.create("t", "loops");
    daemon.kill();
    let daemon = Daemon::start(&sandbox, &[]);
    let task = daemon.task("t");
    assert_eq!((&task["status"], &task["runs"][0]["run_id"]), (&json!("running"), &json!(run)));
    assert_eq!(daemon.get(&format!("/api/v1/runs/{run}/info")).json()["status"], "running");
    daemon.kill();
    // The agent ends while there is no daemon.
    sandbox.write("home/run-agent/p/t/go", "");
    let exit = sandbox.root().join(format!("p/t/runs/{run}/exit.json"));
    crate::common::daemon::until("the agent has ended", || exit.exists());
    let daemon = Daemon::start(&sandbox, &[]);
    let task = daemon.until_task("t", "failed");
    let runs = task["runs"].as_array().expect("runs");
    assert_eq!(runs.len(), 3, "one run and two restarts: {task}");
    assert!(runs.iter().all(|r| r["exit_code"] == 7 && r["status"] == "failed"), "{task}");
    assert_eq!(runs[2]["run_id"], run.as_str());
    let bus = daemon.get("/api/v1/messages?project_id=p&task_id=t").json();
    let count = |kind: &str| {
        bus["messages"].as_array().expect("messages").iter().filter(|m| m["type"] == kind).count()
    };
    assert_eq!((count("RUN_START"), count("RUN_CRASH") + count("RUN_STOP")), (3, 3), "{bus}");
}

#[test]
fn a_root_has_one_daemon() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    let second = sandbox.run("serve --port 0");
    second.fails(4, &format!("daemon (pid {}", daemon.child.id()), "--root");
    drop(daemon);
    Daemon::start(&sandbox, &[]);
}

#[test]
fn a_run_that_was_never_accepted_is_cleared_away() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    let run = daemon.create("t", "quick");
    daemon.until_task("t", "completed");
    daemon.kill();
    // The state after a crash between the run's folder and its ticket.
    let runs = sandbox.root().join("p/t/runs");
    let abandoned = "20990101-0000000000-1-0001";
    let info = std::fs::read_to_string(runs.join(&run).join("run-info.yaml")).expect("a record");
    let info = info.replace(&run, abandoned).replace("status: completed", "status: created");
    sandbox.write(format!("home/run-agent/p/t/runs/{abandoned}/run-info.yaml"), info);
    let daemon = Daemon::start(&sandbox, &[]);
    assert_eq!(daemon.get("/api/v1/runs").json()["runs"].as_array().expect("runs").len(), 1);
    assert!(!runs.join(abandoned).exists());
}

#[test]
fn one_corrupt_record_hides_nothing_else() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    let bad = daemon.create("bad", "quick");
    daemon.until_task("bad", "completed");
    daemon.create("good", "quick");
    daemon.until_task("good", "completed");
    daemon.kill();
    sandbox.write(format!("home/run-agent/p/bad/runs/{bad}/run-info.yaml"), "{{{");
    let daemon = Daemon::start(&sandbox, &[]);
    let runs = daemon.get("/api/v1/runs").json();
    let words: Vec<_> = runs["runs"].as_array().expect("runs").iter().map(|r| r["status"].clone()).collect();
    assert_eq!(words, [json!("success"), json!("unknown")]);
    let shown = daemon.get(&format!("/api/v1/runs/{bad}/info")).json();
    assert!(shown["error_summary"].as_str().is_some_and(|e| e.contains("run-info.yaml")), "{shown}");
}

#[test]
fn conductor_is_the_daemon_by_its_own_name() {
    let sandbox = sandbox();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_conductor"));
    command.args(["--host", "0.0.0.0", "--port", "0"]).env_clear().env("HOME", sandbox.home());
    let outcome =
        crate::common::outcome(command.current_dir(sandbox.work()).stdin(std::process::Stdio::null()));
    outcome.fails(16, "without a key", "--api-key");

    // Under any name that leads to it, and with that name for its process.
    let other = sandbox.path("cond");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_conductor"), &other).expect("a link");
    let mut daemon = std::process::Command::new(&other)
        .args(["--port", "0"])
        .env_clear()
        .env("HOME", sandbox.home())
        .current_dir(sandbox.work())
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("conductor can be started");
    let mut line = String::new();
    let said = daemon.stdout.take().expect("its stdout");
    std::io::BufRead::read_line(&mut std::io::BufReader::new(said), &mut line).expect("its first line");
    let name = std::fs::read_to_string(format!("/proc/{}/comm", daemon.id()));
    daemon.kill().expect("the daemon is there");
    daemon.wait().expect("its end");
    assert!(line.starts_with("listening on http://"), "{line}");
    assert_eq!(name.expect("a name"), "conductor\n");
}

#[test]
fn the_launcher_needs_run_agent_beside_it_and_does_not_pass_for_it() {
    let sandbox = Sandbox::new();
    let copy = |name: &str| {
        let path = sandbox.path(name);
        std::fs::copy(env!("CARGO_BIN_EXE_conductor"), &path).expect("a copy");
        path
    };
    let run = |program: &std::path::Path| {
        crate::common::outcome(std::process::Command::new(program).arg("self-check").env_clear())
    };
    let alone = run(&copy("conductor"));
    alone.fails(1, "cannot start ", "install run-agent beside conductor");
    // As an update would try a new version that is only the launcher.
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_run-agent"), sandbox.path("run-agent")).expect("a link");
    run(&copy(".run-agent.update-1")).fails(1, "under another name", "use the program run-agent");
}
