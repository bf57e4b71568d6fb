//! The truth of answers, faults 1 to 3, 14, 24 and 25 of `docs/original-faults.md`: readers get the true state, and
//! reading changes nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use crate::common::{
    Sandbox,
    daemon::{Daemon, agents, until},
    fake, processes,
    tree::{cpu_ticks, snapshot},
};
use serde_json::{Value, json};

fn sandbox(more: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let steps: [(&str, &[&str]); 4] = [
        ("quick", &["say:hello", "done"]),
        ("fails", &["say:alas", "exit:3"]),
        ("waits", &["say:ready", "pid-file:pid", "sleep:60000"]),
        ("asks", &["bus:QUESTION:which one?", "say:x", "sleep:60000"]),
    ];
    let defaults =
        "defaults: {restart_delay: 10ms, restart_delay_max: 10ms, max_restarts: 0, stop_grace: 2s}\n";
    agents(&sandbox, &fake::agent(), &steps, &format!("{defaults}{more}"));
    sandbox
}

/// Every route for reading, for a task `p/t` with this run.
fn every_get(run: &str) -> Vec<String> {
    let task = "/api/projects/p/tasks/t";
    let mut paths: Vec<String> = [
        "/metrics",
        "/healthz",
        "/api/v1/health",
        "/api/v1/version",
        "/api/v1/status",
        "/api/v1/tasks",
        "/api/v1/tasks?project_id=p&status=running",
        "/api/v1/tasks/t?project_id=p",
        "/api/v1/runs",
        "/api/v1/runs?limit=1",
        "/api/v1/messages?project_id=p",
        "/api/v1/messages?project_id=p&scope=all",
        "/api/v1/messages?project_id=p&task_id=t",
        "/api/projects",
        "/api/projects/home-dirs",
        "/api/projects/p",
        "/api/projects/p/stats",
        "/api/projects/p/runs/flat",
        "/api/projects/p/runs/flat?active_only=1",
        "/api/projects/p/tasks",
        "/api/projects/p/messages",
        "/api/projects/p/tasks/t?include_files=true",
        "/api/projects/p/tasks/t/runs",
        "/api/projects/p/tasks/t/messages",
        "/api/projects/p/tasks/t/file?name=TASK.md",
    ]
    .map(str::to_owned)
    .into();
    paths.extend([
        format!("/api/v1/runs/{run}"),
        format!("/api/v1/runs/{run}/info"),
        format!("{task}/runs/{run}"),
        format!("{task}/runs/{run}/file?name=stdout"),
        format!("{task}/runs/{run}/file?name=stdout&tail=1"),
        format!("{task}/runs/{run}/file?name=prompt&format=raw"),
    ]);
    paths
}

/// Fault 1: a read of a running run rewrote its record, which woke every subscriber to read again: 1,663 writes a
/// second.
#[test]
fn alone_reading_writes_nothing_and_waiting_costs_nothing() {
    let sandbox = sandbox("watch: {sweep: 10s}\n");
    let daemon = Daemon::start(&sandbox, &[]);
    daemon.create("ended", "quick");
    daemon.until_task("ended", "completed");
    let run = daemon.create("t", "asks");
    until("it has asked", || daemon.get("/api/projects/p/tasks/t/messages").body.contains("which one?"));
    let mut streams: Vec<_> = [
        format!("/api/v1/runs/{run}/stream"),
        "/api/v1/runs/stream/all".to_owned(),
        "/api/projects/p/tasks/t/runs/stream".to_owned(),
        format!("/api/projects/p/tasks/t/runs/{run}/stream?name=stdout&format=json"),
        "/api/v1/messages/stream?project_id=p&task_id=t".to_owned(),
        "/api/projects/p/messages/stream".to_owned(),
    ]
    .iter()
    .cycle()
    .take(30)
    .map(|path| daemon.stream(path, None))
    .collect();
    // The first stream of each kind has received everything so far.
    while streams[0].next().expect("an event").data["line"] != "x" {}
    std::thread::sleep(Duration::from_millis(400));

    let before = snapshot(&sandbox.root());
    for path in every_get(&run) {
        for _ in 0..3 {
            let answer = daemon.get(&path);
            assert_eq!(answer.status, 200, "{path}: {answer:?}");
        }
    }
    let ticks = cpu_ticks(daemon.pid());
    // A sweep may fall into this time and has a cost of its own.
    std::thread::sleep(Duration::from_millis(1500));
    let spent = cpu_ticks(daemon.pid()) - ticks;
    let touched: Vec<_> =
        snapshot(&sandbox.root()).into_iter().filter(|(path, now)| before.get(path) != Some(now)).collect();
    assert!(touched.is_empty(), "who looks leaves everything as it was: {touched:?}");
    assert!(spent <= 12, "{spent} ticks of 10 ms in 1.5 s, with 30 subscribers and nothing to tell");
    daemon.send("DELETE", "/api/v1/tasks/t?project_id=p", "", "");
    daemon.until_task("t", "stopped");
}

/// Fault 2: between a process's exit and the last write every reader took a success for a failure, and short runs
/// were never seen running.
#[test]
fn heavy_no_run_is_ever_shown_as_what_it_is_not() {
    let sandbox = sandbox("");
    let daemon = Daemon::start(&sandbox, &[]);
    let mut stream = daemon.stream("/api/v1/runs/stream/all", None);
    let over = AtomicBool::new(false);
    let (tasks, seen) = std::thread::scope(|scope| {
        let pollers: Vec<_> = ["/api/v1/runs", "/api/projects/p/runs/flat"]
            .map(|path| {
                let (daemon, over) = (&daemon, &over);
                scope.spawn(move || {
                    let mut seen = BTreeSet::new();
                    while !over.load(Ordering::Relaxed) {
                        let runs = daemon.get(path).json()["runs"].as_array().cloned().unwrap_or_default();
                        seen.extend(runs.iter().map(|r| r["status"].as_str().expect("a status").to_owned()));
                    }
                    seen
                })
            })
            .into();
        let tasks: Vec<String> = (0..40).map(|n| format!("t{n}")).collect();
        for task in &tasks {
            daemon.create(task, "quick");
        }
        for task in &tasks {
            daemon.until_task(task, "completed");
        }
        over.store(true, Ordering::Relaxed);
        let seen: BTreeSet<String> = pollers.into_iter().flat_map(|p| p.join().expect("a poller")).collect();
        (tasks, seen)
    });
    let allowed = ["created", "running", "success", "completed"];
    assert!(seen.iter().all(|s| allowed.contains(&s.as_str())), "{seen:?}");

    let mut told: BTreeMap<String, Vec<String>> = BTreeMap::new();
    while told.len() < tasks.len() || told.values().any(|t| t.last().is_none_or(|s| s != "success")) {
        let event = stream.next().expect("the stream goes on").data;
        let text = |key: &str| event[key].as_str().expect("text").to_owned();
        if text("type") != "run_created" {
            told.entry(text("run_id")).or_default().push(text("status"));
        }
    }
    for (run, steps) in told {
        let mut steps = steps;
        steps.dedup();
        assert_eq!(steps, ["running", "success"], "{run}");
    }
}

/// Fault 3: the next reader took a killed or cancelled run for a success, as soon as DONE existed.
#[test]
fn how_a_run_ended_stays_as_it_was() {
    let sandbox = sandbox("watch: {sweep: 200ms}\n");
    let daemon = Daemon::start(&sandbox, &[]);
    let cancelled = daemon.create("cancelled", "waits");
    daemon.send("DELETE", "/api/v1/tasks/cancelled?project_id=p", "", "");
    daemon.until_task("cancelled", "stopped");
    let killed = daemon.create("killed", "waits");
    let pid = sandbox.root().join("p/killed/pid");
    until("its pid is there", || pid.exists());
    let pid: i32 = std::fs::read_to_string(pid).expect("a pid").trim().parse().expect("a number");
    processes::signal(pid, nix::sys::signal::Signal::SIGKILL);
    daemon.until_task("killed", "failed");
    let info = |run: &str| daemon.get(&format!("/api/v1/runs/{run}/info")).json();
    let how = info(&killed);
    assert_eq!((&how["status"], how.get("exit_code")), (&json!("failed"), None), "{how}");
    assert!(how["error_summary"].as_str().is_some_and(|e| e.contains("SIGKILL")), "{how}");
    assert_eq!(info(&cancelled)["status"], "stopped");

    for task in ["cancelled", "killed"] {
        sandbox.write(format!("home/run-agent/p/{task}/DONE"), "");
    }
    until("DONE is seen", || {
        ["cancelled", "killed"]
            .iter()
            .all(|t| daemon.get(&format!("/api/projects/p/tasks/{t}")).json()["done"] == true)
    });
    let records = |run: &str, task: &str| {
        std::fs::read_to_string(sandbox.root().join(format!("p/{task}/runs/{run}/run-info.yaml")))
            .expect("a record")
    };
    daemon.get("/api/projects/p/stats");
    assert_eq!(info(&killed), how, "DONE says nothing of a run that was killed");
    assert!(records(&killed, "killed").contains("status: failed"));
    assert_eq!(info(&cancelled)["status"], "stopped");
    assert!(records(&cancelled, "cancelled").contains("status: stopped"));
    drop(daemon);
    let daemon = Daemon::start(&sandbox, &[]);
    assert_eq!(daemon.get(&format!("/api/v1/runs/{killed}/info")).json(), how);
}

/// Fault 14: an unknown agent or a bad name was answered with 201 "started", and the error went to the server's log
/// only.
#[test]
fn what_cannot_start_is_never_said_to_have_started() {
    let sandbox = sandbox("");
    let daemon = Daemon::start(&sandbox, &["--disable-task-start"]);
    let new = |agent: &str, project: &str| json!({"project_id": project, "task_id": "t", "agent_type": agent, "prompt": "x"});
    daemon.post("/api/v1/tasks", &new("quick", "p")).fails(503, "--disable-task-start");
    drop(daemon);
    let daemon = Daemon::start(&sandbox, &[]);
    daemon.post("/api/v1/tasks", &new("nobody", "p")).fails(400, "nobody");
    daemon.post("/api/v1/tasks", &new("quick", "not a name")).fails(400, "project id");
    daemon.post("/api/v1/tasks", &new("codex", "p")).fails(400, "codex");
    assert_eq!(daemon.get("/api/v1/tasks").json(), json!({"tasks": []}));
    assert_eq!(daemon.get("/api/projects").json(), json!({"projects": []}), "nothing is left behind");
    daemon.create("t", "quick");
    daemon.until_task("t", "completed");
    let appends = daemon.get("/metrics").body;
    let appends = appends.lines().find_map(|l| l.strip_prefix("conductor_messagebus_appends_total "));
    assert!(appends.is_some_and(|n| n.parse::<f64>().is_ok_and(|n| n >= 3.0)), "{appends:?}");
}

/// Fault 24: the two APIs left out an exit code of 0, showed the year 1, and had no pages; a repeated request was
/// executed twice.
#[test]
fn both_surfaces_say_zero_and_nothing_of_what_has_not_been() {
    let sandbox = sandbox("");
    let daemon = Daemon::start(&sandbox, &[]);
    let good = daemon.create("good", "quick");
    daemon.until_task("good", "completed");
    let live = daemon.create("live", "waits");
    let both = |task: &str, run: &str| {
        [
            daemon.get(&format!("/api/v1/runs/{run}/info")).json(),
            daemon.get(&format!("/api/v1/tasks/{task}?project_id=p")).json()["runs"][0].clone(),
            daemon.get(&format!("/api/projects/p/tasks/{task}/runs/{run}")).json(),
            daemon.get(&format!("/api/projects/p/tasks/{task}")).json()["runs"][0].clone(),
        ]
    };
    for shown in both("good", &good) {
        assert_eq!(shown["exit_code"], 0, "{shown}");
        assert!(shown["end_time"].as_str() >= shown["start_time"].as_str(), "{shown}");
    }
    for shown in both("live", &live) {
        let absent = ["exit_code", "end_time"].iter().all(|key| shown.get(key).is_none());
        assert!(absent && shown["status"] == "running", "{shown}");
    }
    for path in [
        "/api/v1/tasks",
        "/api/v1/runs",
        "/api/projects/p/tasks",
        "/api/projects/p/runs/flat",
        "/api/v1/admin/self-update",
    ] {
        assert!(!daemon.get(path).body.contains("0001-01-01"), "{path}");
    }
    let page = daemon.get("/api/v1/runs?limit=1").json();
    assert_eq!(
        (page["runs"].as_array().map(Vec::len), page["next_cursor"].is_string()),
        (Some(1), true),
        "{page}"
    );
    daemon.send("DELETE", "/api/v1/tasks/live?project_id=p", "", "");
    daemon.until_task("live", "stopped");
}

/// Fault 25: a task that waited for one which could never be done waited for ever, without any message.
#[test]
fn a_task_that_waits_in_vain_says_for_what() {
    let sandbox = sandbox("");
    let daemon = Daemon::start(&sandbox, &[]);
    daemon.create("broken", "fails");
    daemon.until_task("broken", "failed");
    let new = |task: &str, on: &[&str]| json!({"project_id": "p", "task_id": task, "agent_type": "quick", "prompt": "x", "depends_on": on});
    for (task, on, why) in [("a", "nowhere", "does not exist"), ("b", "broken", "failed")] {
        let answer = daemon.post("/api/v1/tasks", &new(task, &[on])).json();
        let said = answer["reason"].as_str().unwrap_or_default().to_owned();
        assert!(said.contains(on) && said.contains(why), "{answer}");
        let shown = daemon.get(&format!("/api/projects/p/tasks/{task}")).json();
        assert_eq!((&shown["status"], &shown["blocked_by"]), (&json!("blocked"), &json!([on])), "{shown}");
    }
    let items = daemon.get("/api/projects/p/tasks?status=blocked").json()["items"].clone();
    let blocked: Vec<&Value> = items.as_array().expect("items").iter().map(|i| &i["id"]).collect();
    assert_eq!(blocked, ["a", "b"]);
    // The dependency needs DONE and not only exit status 0. DONE is seen at once, not at the next poll.
    daemon.create("nowhere", "quick");
    daemon.until_task("a", "completed");
    let stopped = daemon.send("DELETE", "/api/v1/tasks/b?project_id=p", "", "");
    assert_eq!(stopped.status, 200, "what waits can be cancelled: {stopped:?}");
    daemon.until_task("b", "stopped");
}
