//! The cost of reads, faults 17 and 19 of `docs/original-faults.md`: it grows with the live and requested tasks, not
//! with history.

use std::{fs, path::Path, time::Duration};

use crate::common::{
    Sandbox,
    daemon::{Daemon, agents, until},
    fake,
    strace::{Call, Traced},
    tree::{cpu_ticks, has_read, watches},
};
use serde_json::json;

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let steps: [(&str, &[&str]); 2] =
        [("quick", &["say:hello", "done"]), ("waits", &["say:ready", "sleep:60000"])];
    agents(&sandbox, &fake::agent(), &steps, "watch: {sweep: 1h}\n");
    sandbox
}

/// Copies an ended run under many other names, as history.
fn history(sandbox: &Sandbox, tasks: usize, runs: usize) {
    assert_eq!(sandbox.run("job --project p --task first --agent quick --prompt x").code, 0);
    let first = sandbox.root().join("p/first");
    let run = fs::read_dir(first.join("runs")).expect("runs").flatten().next().expect("a run").file_name();
    let run = run.to_str().expect("a name").to_owned();
    let record = fs::read_to_string(first.join("runs").join(&run).join("run-info.yaml")).expect("a record");
    let config = fs::read_to_string(first.join("TASK-CONFIG.yaml")).expect("settings");
    for t in 0..tasks {
        let task = format!("old-{t:04}");
        sandbox.write(format!("home/run-agent/p/{task}/TASK-CONFIG.yaml"), &config);
        sandbox.write(format!("home/run-agent/p/{task}/DONE"), "");
        for r in 0..runs {
            let id = format!("20250101-0000{t:06}-1-{r:04}");
            let record = record.replace(&run, &id).replace("task_id: first", &format!("task_id: {task}"));
            sandbox.write(format!("home/run-agent/p/{task}/runs/{id}/run-info.yaml"), record);
        }
    }
}

const LISTS: [&str; 12] = [
    "/api/v1/tasks",
    "/api/v1/tasks?project_id=p&limit=100",
    "/api/v1/tasks?status=running",
    "/api/v1/runs?limit=100",
    "/api/v1/runs?status=failed&since=2026-01-01T00:00:00Z",
    "/api/v1/status",
    "/api/projects",
    "/api/projects/p",
    "/api/projects/p/tasks?limit=100",
    "/api/projects/p/tasks/old-0001/runs",
    "/api/projects/p/runs/flat",
    "/api/projects/p/runs/flat?active_only=1",
];

/// Fault 17: every list walked the tree and parsed every record, and so did every POST.
#[test]
fn a_list_asks_the_disk_for_nothing() {
    let sandbox = sandbox();
    history(&sandbox, 30, 4);
    let daemon = Daemon::start(&sandbox, &[]);
    assert_eq!(daemon.get("/api/v1/runs").json()["runs"].as_array().map(Vec::len), Some(121));
    // Waits for work that still follows the start.
    std::thread::sleep(Duration::from_millis(300));
    let before = has_read(daemon.pid());
    for path in LISTS {
        for _ in 0..20 {
            assert_eq!(daemon.get(path).status, 200, "{path}");
        }
    }
    let read = has_read(daemon.pid());
    // The runtime wakes its threads through an eventfd of 8 bytes.
    let bytes = read.bytes - before.bytes;
    assert!(
        bytes < 16 << 10,
        "{bytes} bytes in {} calls for {} lists",
        read.calls - before.calls,
        LISTS.len() * 20
    );
    drop(daemon);

    let Some(traced) = Traced::daemon(&sandbox, "%file,getdents64,pread64") else { return };
    let begun = traced.calls().len();
    for path in LISTS {
        assert_eq!(traced.daemon.get(path).status, 200, "{path}");
    }
    std::thread::sleep(Duration::from_millis(100));
    let calls = traced.calls();
    assert!(calls.len() == begun, "{:#?}", &calls[begun..]);

    // Suggested folders are looked at, and nothing else is: a folder that is gone cannot be the home of a project.
    assert_eq!(traced.daemon.get("/api/projects/home-dirs").status, 200);
    std::thread::sleep(Duration::from_millis(100));
    let calls = &traced.calls()[begun..];
    let reads = |call: &Call| ["openat", "openat2", "open", "getdents64", "pread64"].contains(&&*call.name);
    assert!(!calls.iter().any(reads), "{calls:#?}");
}

/// Fault 19: the stream of all runs watched every run in history, and searched the tree every second.
#[test]
fn alone_history_costs_a_stream_of_all_runs_nothing() {
    let watched = |tasks: usize| {
        let sandbox = sandbox();
        history(&sandbox, tasks, 5);
        let daemon = Daemon::start(&sandbox, &[]);
        daemon.create("live", "waits");
        daemon.until_task("live", "running");
        let streams: Vec<_> = (0..10).map(|_| daemon.stream("/api/v1/runs/stream/all", None)).collect();
        let mut told = daemon.stream("/api/projects/p/tasks/live/runs/stream", None);
        while told.next().expect("an event").data["line"] != "ready" {}
        std::thread::sleep(Duration::from_millis(300));
        let (before, from) = (cpu_ticks(daemon.pid()), watches(daemon.pid()));
        std::thread::sleep(Duration::from_millis(1500));
        let spent = cpu_ticks(daemon.pid()) - before;
        assert!(spent <= 6, "{spent} ticks of 10 ms in 1.5 s beside {tasks} old tasks");
        drop(streams);
        daemon.send("DELETE", "/api/v1/tasks/live?project_id=p", "", "");
        daemon.until_task("live", "stopped");
        // The idle project has no active runs, whatever its history.
        assert_eq!(daemon.get("/api/projects/p/runs/flat?active_only=1").json(), json!({"runs": []}));
        from
    };
    let (few, many) = (watched(2), watched(60));
    assert_eq!(few, many, "folders that are watched");
}

/// Fault 17, too: reading one task's file, or posting to its bus, scanned the whole project.
#[test]
fn what_is_asked_of_one_task_is_read_of_one_task() {
    let sandbox = sandbox();
    history(&sandbox, 20, 4);
    let Some(traced) = Traced::daemon(&sandbox, "%file,getdents64") else { return };
    let daemon = &traced.daemon;
    let begun = traced.calls().len();
    let run = daemon.get("/api/projects/p/tasks/first/runs").json()["items"][0]["id"]
        .as_str()
        .expect("a run")
        .to_owned();
    for path in [
        format!("/api/v1/runs/{run}"),
        format!("/api/projects/p/tasks/first/runs/{run}/file?name=stdout"),
        "/api/projects/p/tasks/first/file?name=TASK.md".to_owned(),
        "/api/projects/p/tasks/first/messages?limit=5".to_owned(),
        "/api/v1/tasks/first?project_id=p".to_owned(),
    ] {
        assert_eq!(daemon.get(&path).status, 200, "{path}");
    }
    assert_eq!(daemon.post("/api/projects/p/tasks/first/messages", &json!({"body": "x"})).status, 201);
    until("the trace has it", || traced.calls().iter().any(|c| c.text.contains("TASK-MESSAGE-BUS.jsonl")));
    std::thread::sleep(Duration::from_millis(100));
    let calls = traced.calls();
    let others: Vec<_> =
        calls[begun..].iter().filter(|c| c.text.contains("/old-") || c.text.contains("\"old-")).collect();
    assert!(others.is_empty(), "{others:#?}");
    assert!(Path::new(&sandbox.root()).exists());
}
