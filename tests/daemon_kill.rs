//! The daemon is killed while its agents work. The agents go on, the next daemon continues every loop from its files,
//! and nothing is lost, doubled or shown wrong.

#![expect(clippy::expect_used, reason = "a test that cannot prepare itself has failed")]

use std::{collections::BTreeMap, fs};

use serde_json::Value;

use crate::common::{
    Sandbox,
    daemon::{Daemon, until},
};

/// Works until its file appears, and prints a line now and then; a second attempt makes DONE.
const WORKER: &str = r#"echo $JRUN_ID >> "$HOME/starts"; n=0
while [ ! -e "$HOME/go-$JRUN_TASK_ID" ]; do n=$((n+1)); echo line $n; sleep 0.2; done
if grep -q "Continue working" "$JRUN_RUN_FOLDER/prompt.md"; then touch "$JRUN_TASK_FOLDER/DONE"; else exit 7; fi"#;

fn soak() -> bool {
    std::env::var_os("CONDUCTOR_SOAK").is_some()
}

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let command = serde_json::to_string(&["/bin/sh", "-c", WORKER]).expect("JSON");
    let text = format!(
        "agents:\n  worker: {{type: command, command: {command}}}\ndefaults: {{restart_delay: 1s}}\n"
    );
    sandbox.configure(text);
    sandbox
}

/// The runs of the API by id, with their status.
fn runs(daemon: &Daemon) -> BTreeMap<String, String> {
    let answer = daemon.get("/api/v1/runs").json();
    let text = |run: &Value, key: &str| run[key].as_str().unwrap_or_default().to_owned();
    let list = answer["runs"].as_array().expect("runs");
    list.iter().map(|run| (text(run, "run_id"), text(run, "status"))).collect()
}

#[test]
fn heavy_agents_outlive_any_number_of_daemons() {
    let (rounds, tasks) = if soak() { (100, 50) } else { (4, 8) };
    let sandbox = sandbox();
    let mut daemon = Daemon::start(&sandbox, &[]);
    let mut first: Vec<String> = (0..tasks).map(|n| daemon.create(&format!("t{n}"), "worker")).collect();
    first.sort();

    for round in 0..rounds {
        daemon.kill();
        daemon = Daemon::start(&sandbox, &[]);
        // Adopted: the new daemon shows the runs as running, and drives them.
        let seen = runs(&daemon);
        assert_eq!(seen.keys().cloned().collect::<Vec<_>>(), first, "round {round}");
        assert!(seen.values().all(|s| s == "running"), "round {round}: {seen:?}");
        for n in 0..tasks {
            let lock = sandbox.root().join(format!("p/t{n}/task.lock"));
            let holder = format!("\"pid\":{},", daemon.child.id());
            until("it is driven", || fs::read_to_string(&lock).is_ok_and(|text| text.contains(&holder)));
        }
    }

    // Another daemon is killed while the first attempts end unseen; the loops continue at the right attempt.
    daemon.kill();
    for n in 0..tasks {
        fs::write(sandbox.home().join(format!("go-t{n}")), "").expect("written");
    }
    until("the agents have ended", || {
        (0..tasks).all(|n| {
            sandbox
                .root()
                .join(format!("p/t{n}/runs"))
                .join(run_of(&first, &sandbox, n))
                .join("exit.json")
                .exists()
        })
    });
    let daemon = Daemon::start(&sandbox, &[]);
    for n in 0..tasks {
        let task = daemon.until_task(&format!("t{n}"), "completed");
        let runs = task["runs"].as_array().expect("runs");
        let mut ends: Vec<_> =
            runs.iter().map(|r| (r["start_time"].as_str(), r["exit_code"].as_i64())).collect();
        ends.sort();
        let codes: Vec<_> = ends.into_iter().map(|(_, code)| code).collect();
        assert_eq!(codes, [Some(7), Some(0)], "the true ends of both attempts: {task}");
        held_to_its_files(&sandbox, n);
    }
    let starts = fs::read_to_string(sandbox.home().join("starts")).expect("starts");
    let mut lines: Vec<&str> = starts.lines().collect();
    let all = lines.len();
    lines.sort_unstable();
    lines.dedup();
    assert_eq!((lines.len(), all), (2 * tasks, 2 * tasks), "an agent was lost or ran twice");
    let fsck = sandbox.run("fsck");
    assert_eq!(fsck.code, 0, "{fsck:?}");
}

/// The first run of the nth task.
fn run_of(first: &[String], sandbox: &Sandbox, n: usize) -> String {
    let folder = sandbox.root().join(format!("p/t{n}/runs"));
    first.iter().find(|id| folder.join(id).exists()).expect("its run").clone()
}

/// Checks that nothing in its output or on its bus is missing or doubled.
fn held_to_its_files(sandbox: &Sandbox, n: usize) {
    let task = sandbox.root().join(format!("p/t{n}"));
    for run in fs::read_dir(task.join("runs")).expect("runs").flatten() {
        let text = fs::read_to_string(run.path().join("agent-stdout.txt")).expect("its output");
        for (n, line) in (1..).zip(text.lines()) {
            assert_eq!(line, format!("line {n}"), "{text}");
        }
    }
    let bus = fs::read_to_string(task.join("TASK-MESSAGE-BUS.jsonl")).expect("its bus");
    let count = |kind: &str| bus.lines().filter(|l| l.contains(&format!("\"type\":\"{kind}\""))).count();
    let told = ["RUN_START", "RUN_CRASH", "RUN_STOP", "TASK_DONE"].map(count);
    assert_eq!(told, [2, 1, 1, 1], "{bus}");
}

#[test]
fn a_second_daemon_says_who_is_first() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    let second = sandbox.run("serve --port 0");
    second.fails(4, &daemon.child.id().to_string(), "");
}
