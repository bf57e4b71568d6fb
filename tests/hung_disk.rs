//! A file system that does not answer delays the tasks that need it, and nothing else.
//!
//! A hung network file system is hard to have in a test. A lock that another process keeps does the same to a thread.

use std::fs::File;

use serde_json::json;

use crate::common::{
    Sandbox,
    daemon::{Daemon, agents, until},
    fake,
};

/// More tasks than the daemon's runtime has threads.
fn many() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from).max(2) * 2 + 2
}

#[test]
fn drives_that_hang_on_the_disk_leave_the_api_and_other_tasks_alone() {
    let sandbox = Sandbox::new();
    let steps: [(&str, &[&str]); 2] =
        [("quick", &["say:hello", "done"]), ("waits", &["say:ready", "wait-for:../go", "done"])];
    agents(&sandbox, &fake::agent(), &steps, "defaults: {max_concurrent_root_tasks: 500}\n");
    let tasks: Vec<String> = (0..many()).map(|n| format!("t{n}")).collect();
    let daemon = Daemon::start(&sandbox, &[]);
    let runs: Vec<String> = tasks.iter().map(|task| daemon.create(task, "waits")).collect();
    daemon.kill();
    sandbox.write("home/run-agent/p/go", "");
    // An unreadable record makes the next daemon give the loop up, which it posts to the task's bus.
    let mut held = Vec::new();
    for (task, run) in tasks.iter().zip(&runs) {
        let folder = sandbox.root().join("p").join(task);
        let exit = folder.join("runs").join(run).join("exit.json");
        until("the agent ends", || exit.exists());
        std::fs::write(folder.join("runs").join(run).join("run-info.yaml"), "no: [record").expect("a write");
        let bus = folder.join("TASK-MESSAGE-BUS.jsonl");
        let bus = File::options().create(true).append(true).open(bus).expect("a bus");
        bus.lock().expect("the lock of the bus");
        held.push(bus);
    }
    let daemon = Daemon::start(&sandbox, &[]);
    until("every drive waits for its bus", || waits_for_locks(daemon.pid()) >= tasks.len());
    for path in ["/api/v1/health", "/api/v1/tasks", "/api/v1/runs", "/api/projects", "/api/v1/version"] {
        let answer = daemon.get(path);
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
    }
    let mut stream = daemon.stream("/api/v1/runs/stream/all", None);
    assert_eq!(stream.status, 200, "{}", stream.head);
    daemon.create("other", "quick");
    daemon.until_task("other", "completed");
    assert!(stream.next().is_some(), "a stream tells of the other task");
    assert_eq!(daemon.post("/api/v1/tasks", &json!({})).status, 400);
    drop(held);
    for task in &tasks {
        let bus = sandbox.root().join("p").join(task).join("TASK-MESSAGE-BUS.jsonl");
        until("the loop is given up", || {
            std::fs::read_to_string(&bus).is_ok_and(|text| text.contains("then resume the task"))
        });
    }
}

/// The number of locks that a process waits for, see `proc_locks(5)`.
fn waits_for_locks(pid: i32) -> usize {
    let text = std::fs::read_to_string("/proc/locks").expect("the kernel's list of locks");
    let waits =
        |line: &&str| line.contains("-> FLOCK") && line.split_whitespace().any(|f| f == pid.to_string());
    text.lines().filter(waits).count()
}
