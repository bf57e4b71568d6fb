//! Conductor for an ordinary user: without control groups, and with folders that it may not read.
//!
//! As root, the tests run the program as the user `nobody`; else as the user that runs them.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use serde_json::{Value, json};

use crate::common::{
    Sandbox,
    daemon::{Daemon, until},
    processes::{is_alive, signal, until_true},
};
use nix::sys::signal::Signal;

/// A folder that its owner may not even list, until this is dropped.
struct Closed(PathBuf);

impl Closed {
    fn new(folder: PathBuf) -> Self {
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o000)).unwrap();
        Self(folder)
    }
}

impl Drop for Closed {
    fn drop(&mut self) {
        let _ = fs::set_permissions(&self.0, fs::Permissions::from_mode(0o700));
    }
}

#[test]
fn survivors_are_not_excluded_where_a_shim_is_killed_without_a_control_group() {
    let Some(sandbox) = Sandbox::of_ordinary_user() else { return };
    // A process that leaves its parent and its environment, and so all marks of its run.
    let script = "env -i setsid sh -c 'echo $$ >escaped; exec sleep 60' & echo up; exec sleep 600";
    let mut job = sandbox.job_of(&[], &["sh", "-c", script]);
    job.runs();
    job.says("up");
    let escaped: i32 = crate::common::processes::until("the process", || {
        fs::read_to_string(sandbox.work().join("escaped")).ok()?.trim().parse().ok()
    });
    let claim = job.claim();
    let [shim, agent] = [claim.shim, claim.agent].map(|id| id.unwrap().pid);
    signal(shim, Signal::SIGKILL);
    until_true("the end of the shim", || !is_alive(shim));
    job.stop();
    job.wait();
    let info = job.info();
    let survived = is_alive(escaped);
    signal(escaped, Signal::SIGKILL);
    assert!(!is_alive(agent), "the agent itself is known and ended");
    // A user with a delegated control group has one, and then nothing can escape.
    assert_eq!(info.survivors_possible, claim.cgroup.is_none(), "{info:?}");
    assert!(!survived || info.survivors_possible, "a process survived, and the record excludes it");
    if claim.cgroup.is_none() {
        let doctor = sandbox.run("doctor");
        assert!(doctor.stdout.contains("survivors_possible"), "{doctor:?}");
    }
}

#[test]
fn a_run_that_its_shim_ended_has_no_survivors() {
    let Some(sandbox) = Sandbox::of_ordinary_user() else { return };
    let mut job = sandbox.job_of(&[], &["sh", "-c", "echo up; exec sleep 600"]);
    job.says("up");
    job.stop();
    job.wait();
    assert!(!job.info().survivors_possible, "{:?}", job.info());
}

#[test]
fn a_folder_that_may_not_be_read_hides_no_other() {
    let Some(sandbox) = Sandbox::of_ordinary_user() else { return };
    for name in ["a/closed", "a/open", "b/behind", "c/open"] {
        let (project, task) = name.split_once('/').unwrap();
        let ran = sandbox.run(&format!("job --project {project} --task {task} --prompt x -- true"));
        assert_eq!(ran.code, 0, "{ran:?}");
    }
    let _task = Closed::new(sandbox.root().join("a/closed"));
    let _project = Closed::new(sandbox.root().join("b"));

    let listed = sandbox.run("list --json");
    assert_eq!(listed.code, 0, "{listed:?}");
    let rows: Value = serde_json::from_str(&listed.stdout).unwrap();
    let row = |project: &str, task: &str| {
        rows.as_array().unwrap().iter().find(|r| r["project_id"] == project && r["task_id"] == task).cloned()
    };
    let closed = row("a", "closed").unwrap_or_else(|| panic!("{rows}"));
    assert_eq!((&closed["status"], &closed["unreadable"]), (&json!("failed"), &json!(true)), "{closed}");
    assert!(closed["errors"].to_string().contains("Permission denied"), "{closed}");
    for project in ["a", "c"] {
        assert_eq!(row(project, "open").unwrap()["status"], "completed", "{rows}");
    }
    let named = format!("{}{}", listed.stdout, listed.stderr);
    assert!(named.contains("/b"), "the closed project is named: {listed:?}");
    assert_eq!(sandbox.run("drive --all").code, 0, "there is nothing to drive");

    let daemon = Daemon::start(&sandbox, &[]);
    let tasks = daemon.get("/api/v1/tasks").json();
    let task = |project: &str, task: &str| {
        tasks["tasks"]
            .as_array()
            .unwrap()
            .iter()
            .find(|t| t["project_id"] == project && t["task_id"] == task)
            .cloned()
    };
    assert_eq!(task("a", "closed").unwrap()["unreadable"], json!(true), "{tasks}");
    for project in ["a", "c"] {
        assert_eq!(task(project, "open").unwrap()["status"], "completed", "{tasks}");
    }
    // The daemon goes on with other tasks.
    let new = json!({"project_id": "c", "task_id": "new", "agent_type": "demo", "prompt": "x"});
    let answer = daemon.post("/api/v1/tasks", &new);
    assert_eq!(answer.status, 201, "{answer:?}");
    until("the new task ends", || {
        let new = daemon.get("/api/v1/tasks/new?project_id=c").json();
        !matches!(new["status"].as_str(), Some("running" | "queued"))
    });
}
