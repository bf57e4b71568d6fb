//! `storage.extra_roots`: the tasks of further trees are shown as if they were our own, and nothing of them is changed.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::json;

use crate::common::{Sandbox, daemon::Daemon, processes::until_true};

/// A sandbox with a tree of its own, which has the tasks `p/own` and `p/same`; the further tree has `p/far`, `p/same`
/// and `q/far`.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let more = sandbox.path("more");
    sandbox.configure(format!("storage: {{extra_roots: ['{}']}}\nwatch: {{sweep: 1s}}\n", more.display()));
    for (root, task) in [
        (sandbox.root(), "p/own"),
        (sandbox.root(), "p/same"),
        (more.clone(), "p/far"),
        (more.clone(), "p/same"),
        (more, "q/far"),
    ] {
        let name = root.file_name().unwrap().to_str().unwrap().to_owned();
        job(&sandbox, &root, task, &format!("echo {task} of {name}"));
    }
    sandbox
}

/// `run-agent job` of a shell script, in another tree.
fn job_of_shell(sandbox: &Sandbox, root: &Path, task: &str, script: &str) -> Command {
    let (project, task) = task.split_once('/').unwrap();
    let mut command =
        sandbox.command(["job", "--project", project, "--task", task, "--prompt", "x", "--root"]);
    command.arg(root).args(["--", "/bin/sh", "-c", script]).stdout(Stdio::null());
    command
}

fn job(sandbox: &Sandbox, root: &Path, task: &str, script: &str) {
    let outcome = crate::common::outcome(&mut job_of_shell(sandbox, root, task, script));
    assert_eq!(outcome.code, 0, "{outcome:?}");
}

/// Every file below a folder with its time of change and its content.
fn files(folder: &Path) -> BTreeMap<String, (std::time::SystemTime, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut todo = vec![folder.to_owned()];
    while let Some(next) = todo.pop() {
        for entry in fs::read_dir(&next).unwrap().flatten() {
            let (path, meta) = (entry.path(), entry.metadata().unwrap());
            if meta.is_dir() {
                todo.push(path.clone());
            }
            let content = if meta.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
            found.insert(path.display().to_string(), (meta.modified().unwrap(), content));
        }
    }
    found
}

#[test]
fn the_command_line_shows_further_trees() {
    let sandbox = sandbox();
    let before = files(&sandbox.path("more"));
    let listed = sandbox.run("list").succeeds();
    for task in ["p/own", "p/same", "p/far", "q/far"] {
        assert_eq!(listed.matches(task).count(), 1, "{task}: {listed}");
    }
    assert_eq!(sandbox.run("output p/far").succeeds(), "p/far of more\n");
    assert_eq!(sandbox.run("output p/same").succeeds(), "p/same of run-agent\n");
    assert!(sandbox.run("why q/far").succeeds().contains("completed"));
    let stopped = sandbox.run("stop p/far");
    assert!(stopped.code == 0 && stopped.stderr.contains("has ended already"), "{stopped:?}");
    sandbox.run("task delete q/far --yes").fails(16, "only shown (storage.extra_roots)", "--root");
    sandbox.run("bus post --project q --body x").fails(16, "only shown", "--root");
    sandbox.run("job --project q --task new --prompt x -- true").fails(16, "only shown", "--root");
    assert_eq!(sandbox.run("gc --older-than 0s --yes").code, 0);
    assert_eq!(sandbox.run("fsck").code, 0);
    assert_eq!(files(&sandbox.path("more")), before, "the further tree was changed");

    let said = sandbox.run("doctor").stdout;
    assert!(
        said.contains("1 tasks of the tree") && said.contains("hidden by tasks of the same name: p/same"),
        "{said}"
    );
    sandbox.configure("storage: {extra_roots: [/proc/nonexistent]}\n");
    assert!(sandbox.run("doctor").stdout.contains("the tree /proc/nonexistent cannot be shown"));
    let without = sandbox.run("list");
    assert!(without.code == 0 && !without.stdout.contains("q/far"), "{without:?}");
}

#[test]
fn the_daemon_shows_and_streams_further_trees_and_changes_nothing_there() {
    let sandbox = sandbox();
    let more = sandbox.path("more");
    let before = files(&more);
    let daemon = Daemon::start(&sandbox, &[]);
    let tasks = daemon.get("/api/v1/tasks").json();
    let mut names: Vec<String> = tasks["tasks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| format!("{}/{} {}", t["project_id"], t["task_id"], t["status"]).replace('"', ""))
        .collect();
    names.sort();
    assert_eq!(names, ["p/far completed", "p/own completed", "p/same completed", "q/far completed"]);
    let far = daemon.get("/api/v1/tasks/far?project_id=q").json();
    let run = far["runs"][0]["run_id"].as_str().unwrap().to_owned();
    let events = daemon.stream(&format!("/api/v1/runs/{run}/stream"), None).rest();
    let lines: Vec<&str> = events.iter().filter_map(|e| e.data["line"].as_str()).collect();
    assert_eq!(lines, ["q/far of more"]);
    assert_eq!(events.last().unwrap().data, json!({"type": "done"}));
    let file = daemon.get(&format!("/api/projects/q/tasks/far/runs/{run}/file?name=output.md&format=raw"));
    assert_eq!((file.status, file.body.as_str()), (200, "q/far of more\n"));
    for refused in [
        daemon.send("DELETE", "/api/projects/q/tasks/far", "", ""),
        daemon.send("DELETE", "/api/v1/tasks/far?project_id=p", "", ""),
        daemon.post("/api/projects/q/tasks/far/resume", &json!(null)),
        daemon.post("/api/v1/messages", &json!({"project_id": "q", "body": "x"})),
        daemon.post("/api/v1/messages", &json!({"project_id": "p", "task_id": "far", "body": "x"})),
    ] {
        refused.fails(403, "only shown");
    }
    assert_eq!(files(&more), before, "the further tree was changed");

    // A run that goes on there is followed, and its end is seen.
    let script = "echo begun; until [ -e go ]; do sleep 0.02; done; echo over";
    let mut live = job_of_shell(&sandbox, &more, "q/live", script).spawn().unwrap();
    until_true("the new task", || {
        daemon.get("/api/v1/tasks/live?project_id=q").json()["status"] == "running"
    });
    let shown = daemon.get("/api/v1/tasks/live?project_id=q").json();
    let run = shown["runs"][0]["run_id"].as_str().unwrap().to_owned();
    let mut stream = daemon.stream(&format!("/api/v1/runs/{run}/stream"), None);
    while stream.next().expect("an event").data["line"] != "begun" {}
    sandbox.write("work/go", "");
    while stream.next().expect("an event").data["line"] != "over" {}
    assert!(live.wait().unwrap().success());
    until_true("its end", || daemon.get("/api/v1/tasks/live?project_id=q").json()["status"] == "completed");
    assert_eq!(stream.rest().last().unwrap().data, json!({"type": "done"}));
}
