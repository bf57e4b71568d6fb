//! A root that is removed, replaced or moved below a daemon, and the stop of a task with a removed folder.

use std::{fs, path::Path};

use serde_json::json;

use crate::common::{
    Sandbox,
    daemon::{Daemon, agents, until},
    fake, processes,
};

/// A sandbox with agents that end at once, that wait for a file, and that ignore SIGTERM.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let go = format!("wait-for:{}", sandbox.work().join("go").display());
    let steps: [(&str, &[&str]); 3] = [
        ("quick", &["say:hello", "done"]),
        // Without DONE, which has no path while the root is away.
        ("waits", &["say:ready", &go]),
        ("stubborn", &["ignore-term", "say:ready", "sleep:600000"]),
    ];
    let more =
        "defaults: {max_restarts: 0, stop_grace: 3s, max_concurrent_root_tasks: 2}\nwatch: {sweep: 200ms}\n";
    agents(&sandbox, &fake::agent(), &steps, more);
    sandbox
}

fn says_that_the_root_is_away(daemon: &Daemon, root: &Path) {
    for path in ["/api/v1/health", "/healthz"] {
        until("health is 503", || daemon.get(path).status == 503);
        let error = daemon.get(path).json()["error"].as_str().unwrap_or_default().to_owned();
        assert!(
            error.contains(root.to_str().unwrap()) && error.contains("renamed, removed or replaced"),
            "{error}"
        );
    }
    let new = json!({"project_id": "p", "task_id": "refused", "agent_type": "quick", "prompt": "x"});
    daemon.post("/api/v1/tasks", &new).fails(503, "renamed, removed or replaced");
    assert_eq!(daemon.get("/api/v1/version").status, 200);
}

#[test]
fn a_daemon_without_its_root_says_so_and_accepts_nothing() {
    let sandbox = sandbox();
    let (daemon, root) = (Daemon::start(&sandbox, &[]), sandbox.root());
    fs::rename(&root, sandbox.path("away")).unwrap();
    says_that_the_root_is_away(&daemon, &root);
    // Another folder at the path is not the root.
    fs::create_dir(&root).unwrap();
    says_that_the_root_is_away(&daemon, &root);
    assert_eq!(fs::read_dir(&root).unwrap().count(), 0, "nothing is written into the other folder");
    fs::remove_dir(&root).unwrap();
    until("it is removed", || {
        fs::remove_dir_all(sandbox.path("away")).is_ok() || !sandbox.path("away").exists()
    });
    says_that_the_root_is_away(&daemon, &root);
}

#[test]
fn a_root_that_is_moved_and_moved_back_loses_nothing() {
    let sandbox = sandbox();
    let (daemon, root, away) = (Daemon::start(&sandbox, &[]), sandbox.root(), sandbox.path("away"));
    let ends = daemon.create("ends", "waits");
    daemon.create("stays", "stubborn");
    let queued = daemon.create("queued", "quick");
    until("the agent is up", || {
        fs::read_to_string(root.join(format!("p/ends/runs/{ends}/agent-stdout.txt")))
            .is_ok_and(|t| t.contains("ready"))
    });
    fs::rename(&root, &away).unwrap();
    says_that_the_root_is_away(&daemon, &root);
    // A run that ends meanwhile is recorded where its files are. The place that it leaves is not given away.
    sandbox.write("work/go", "");
    let record = |at: &Path, task: &str, run: &str| {
        fs::read_to_string(at.join(format!("p/{task}/runs/{run}/run-info.yaml"))).unwrap_or_default()
    };
    until("the end is recorded", || record(&away, "ends", &ends).contains("status: completed"));
    until("its loop has ended", || !daemon.get("/api/v1/status").body.contains(&ends));
    says_that_the_root_is_away(&daemon, &root);
    assert!(record(&away, "queued", &queued).contains("status: created"));
    assert!(!root.exists(), "nothing makes another root");
    fs::rename(&away, &root).unwrap();
    until("health is 200", || daemon.get("/api/v1/health").status == 200);
    daemon.until_task("queued", "completed");
    assert!(record(&root, "ends", &ends).contains("status: completed"));
    let stopped = daemon.send("DELETE", "/api/v1/tasks/stays?project_id=p", "", "");
    assert_eq!(stopped.status, 200, "{stopped:?}");
    let fsck = sandbox.run("fsck");
    assert_eq!(fsck.code, 0, "{fsck:?}");
}

#[test]
fn a_removed_task_can_be_stopped_until_its_processes_have_ended() {
    for (method, path, expected) in [
        ("DELETE", "/api/v1/tasks/t?project_id=p", 200),
        ("POST", "/api/v1/runs/RUN/stop", 200),
        ("POST", "/api/projects/p/tasks/t/runs/RUN/stop", 202),
    ] {
        let sandbox = sandbox();
        let daemon = Daemon::start(&sandbox, &[]);
        let run = daemon.create("t", "stubborn");
        let folder = sandbox.root().join("p/t");
        until("the agent is up", || {
            fs::read_to_string(folder.join(format!("runs/{run}/agent-stdout.txt")))
                .is_ok_and(|t| t.contains("ready"))
        });
        let agent = crate::common::job::claim(&folder.join("runs").join(&run)).agent.unwrap().pid;
        until("the folder is removed", || fs::remove_dir_all(&folder).is_ok() || !folder.exists());
        until("the task is not listed", || daemon.get("/api/v1/tasks/t?project_id=p").status == 404);
        // Its agent has a grace of three seconds.
        let answer = daemon.send(method, &path.replace("RUN", &run), "", "");
        assert_eq!(answer.status, expected, "{path}: {answer:?}");
        if expected == 200 {
            assert!(!processes::is_alive(agent), "{path}: answered before the end of the agent");
        }
        until("the agent ends", || !processes::is_alive(agent));
        until("the ticket is closed", || {
            fs::read_dir(sandbox.root().join("_planner/live")).unwrap().flatten().count() == 0
        });
        // A stop of something that is gone is a 404 again.
        until("nothing is known", || daemon.send(method, &path.replace("RUN", &run), "", "").status == 404);
    }
}
