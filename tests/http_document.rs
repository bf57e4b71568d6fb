//! The API's document, row by row: its example requests exactly as printed, sent by curl, and every field, status and
//! value of its tables. Topics that other files test in depth are only touched here.

use std::process::Command;

use crate::common::{
    Sandbox,
    daemon::{Daemon, agents, until},
    fake, tools,
};
use serde_json::{Value, json};

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let steps: [(&str, &[&str]); 3] = [
        ("quick", &["say:Starting agent...", "say:Completed successfully.", "done"]),
        ("fails", &["say:alas", "exit:3"]),
        ("waits", &["say:ready", "sleep:60000"]),
    ];
    agents(
        &sandbox,
        &fake::agent(),
        &steps,
        "defaults: {restart_delay: 10ms, max_restarts: 0, max_concurrent_root_tasks: 2}\n",
    );
    sandbox
}

/// Sends a request of the document with curl, the address and the names in `instead` replaced. Returns status and
/// body.
fn curl(daemon: &Daemon, snippet: &str, instead: &[(&str, &str)]) -> (u16, String) {
    let mut snippet = snippet.replace("localhost:14355", &format!("localhost:{}", daemon.port));
    for (from, to) in instead {
        assert!(snippet.contains(from), "{from} is not in {snippet}");
        snippet = snippet.replace(from, to);
    }
    let told = "curl() { command curl -sS --max-time 20 -w '\\n%{http_code}' \"$@\"; }\n";
    let ran = Command::new("bash").args(["-c", &format!("{told}{snippet}")]).output().expect("bash");
    let text = String::from_utf8(ran.stdout).expect("text");
    let (body, status) = text.rsplit_once('\n').unwrap_or_else(|| panic!("{snippet}: {:?}", ran.stderr));
    (status.parse().unwrap_or_else(|_| panic!("{snippet}: {text}")), body.to_owned())
}

/// The example requests, in an order in which each finds its subject.
const REQUESTS: [(&str, u16, &str); 24] = [
    (
        "curl http://localhost:14355/metrics",
        200,
        "# TYPE conductor_uptime_seconds gauge\nconductor_uptime_seconds ",
    ),
    ("curl http://localhost:14355/api/v1/health", 200, "{\"status\":\"ok\"}"),
    ("curl http://localhost:14355/api/v1/version", 200, "{\"version\":\""),
    ("curl \"http://localhost:14355/api/projects\"", 200, "{\"projects\":[]}"),
    (
        r#"curl -X POST "http://localhost:14355/api/projects" \
  -H "Content-Type: application/json" \
  -d '{
    "project_id": "my-project",
    "project_root": "/Users/alice/Work/my-project"
  }'"#,
        201,
        "\"id\":\"my-project\"",
    ),
    ("curl \"http://localhost:14355/api/projects/home-dirs\"", 200, "{\"dirs\":["),
    (
        r#"curl -X POST http://localhost:14355/api/v1/tasks \
  -H "Content-Type: application/json" \
  -d '{
    "project_id": "my-project",
    "task_id": "task-001",
    "agent_type": "codex",
    "prompt": "Write a Python script that prints hello world"
  }'"#,
        201,
        "\"status\":\"started\"",
    ),
    ("curl http://localhost:14355/api/v1/tasks", 200, "\"task_id\":\"task-001\""),
    ("curl http://localhost:14355/api/v1/tasks?project_id=my-project", 200, "\"task_id\":\"task-001\""),
    (
        "curl \"http://localhost:14355/api/v1/tasks/task-001?project_id=my-project\"",
        200,
        "\"task_id\":\"task-001\"",
    ),
    ("curl http://localhost:14355/api/v1/runs", 200, "{\"runs\":[{\"run_id\":\""),
    ("curl http://localhost:14355/api/v1/runs/run_20260205_100001_abc123", 404, "run_20260205_100001_abc123"),
    (
        "curl http://localhost:14355/api/v1/runs/run_20260205_100001_abc123/info",
        404,
        "run_20260205_100001_abc123",
    ),
    (
        "curl -N http://localhost:14355/api/v1/runs/run_20260205_100001_abc123/stream",
        404,
        "run_20260205_100001_abc123",
    ),
    (
        "curl -X POST http://localhost:14355/api/v1/runs/run_20260205_100001_abc123/stop",
        404,
        "run_20260205_100001_abc123",
    ),
    (
        "curl -X DELETE \\\n  \"http://localhost:14355/api/projects/my-project/tasks/task-20260220-140000-hello/runs/20260220-1400000000-abc12345\"",
        404,
        "task-20260220-140000-hello",
    ),
    ("curl \"http://localhost:14355/api/projects/my-project/stats\"", 200, "\"total_tasks\":1"),
    ("curl \"http://localhost:14355/api/v1/messages?project_id=my-project\"", 200, "{\"messages\":["),
    (
        "curl \"http://localhost:14355/api/v1/messages?project_id=my-project&task_id=task-001\"",
        200,
        "RUN_START",
    ),
    ("curl \"http://localhost:14355/api/v1/messages?project_id=my-project&after=msg_123\"", 404, "msg_123"),
    (
        r#"curl -X POST \
  "http://localhost:14355/api/projects/my-project/messages" \
  -H "Content-Type: application/json" \
  -d '{"type": "USER", "body": "Focus on auth module"}'"#,
        201,
        "{\"msg_id\":\"",
    ),
    (
        r#"curl -X POST \
  "http://localhost:14355/api/projects/my-project/tasks/task-20260221-100000-my-task/messages" \
  -H "Content-Type: application/json" \
  -d '{"type": "DECISION", "body": "Using approach B for the refactor"}'"#,
        404,
        "task-20260221-100000-my-task",
    ),
    (
        "curl -X POST \\\n  \"http://localhost:14355/api/projects/my-project/tasks/task-20260221-100000-my-task/resume\"",
        404,
        "my-task",
    ),
    (
        "curl -X DELETE \\\n  \"http://localhost:14355/api/projects/my-project/tasks/task-20260220-140000-hello\"",
        404,
        "hello",
    ),
];

#[test]
fn the_example_requests_are_answered_as_they_stand() {
    if tools::program("curl").is_none() {
        return;
    }
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    let home = sandbox.work();
    for (snippet, status, said) in REQUESTS {
        let mut instead = Vec::new();
        if snippet.contains("\"codex\"") {
            instead.push(("codex", "quick"));
        }
        if snippet.contains("/Users/alice") {
            instead.push(("/Users/alice/Work/my-project", home.to_str().expect("a path")));
        }
        let (got, body) = curl(&daemon, snippet, &instead);
        assert!(got == status && body.contains(said), "{snippet}\n{got} {body}");
        if snippet.contains("Write a Python script") {
            until("it has ended", || {
                daemon.get("/api/v1/tasks/task-001?project_id=my-project").json()["status"] == "completed"
            });
        }
    }
    // With names of existing things.
    let run = daemon.get("/api/v1/runs").json()["runs"][0]["run_id"].as_str().expect("a run").to_owned();
    let named = [("run_20260205_100001_abc123", run.as_str())];
    let (status, body) =
        curl(&daemon, "curl http://localhost:14355/api/v1/runs/run_20260205_100001_abc123", &named);
    assert!(
        status == 200 && body.contains("\"output\":\"Starting agent...\\nCompleted successfully.\\n\""),
        "{body}"
    );
    let (_, body) =
        curl(&daemon, "curl http://localhost:14355/api/v1/runs/run_20260205_100001_abc123/info", &named);
    assert!(!body.contains("\"output\"") && body.contains("\"error_summary\":\"\""), "{body}");
    let (status, body) =
        curl(&daemon, "curl -N http://localhost:14355/api/v1/runs/run_20260205_100001_abc123/stream", &named);
    assert!(status == 200 && body.contains("data: {\"type\":\"done\"}"), "{body}");
    let (status, body) = curl(
        &daemon,
        "curl -X POST http://localhost:14355/api/v1/runs/run_20260205_100001_abc123/stop",
        &named,
    );
    assert!(status == 409 && body.contains("ended"), "{body}");
    let (status, body) = curl(
        &daemon,
        "curl -X POST \\\n  \"http://localhost:14355/api/projects/my-project/tasks/task-20260221-100000-my-task/resume\"",
        &[("task-20260221-100000-my-task", "task-001")],
    );
    assert!(status == 200 && body.contains("\"resumed\":true"), "{body}");
    daemon.create("live", "waits");
    let (status, body) = curl(
        &daemon,
        "curl -X DELETE \"http://localhost:14355/api/v1/tasks/task-001?project_id=my-project\"",
        &[("task-001", "live"), ("my-project", "p")],
    );
    assert!(status == 200 && body.starts_with("{\"status\":\"cancelled\","), "{body}");
}

#[test]
fn the_requests_with_a_key_are_answered_as_they_stand() {
    if tools::program("curl").is_none() {
        return;
    }
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &["--api-key", "your-secret-key"]);
    for (snippet, status) in [
        ("curl -H \"Authorization: Bearer your-secret-key\" http://localhost:14355/api/v1/tasks", 200),
        ("curl -H \"X-API-Key: your-secret-key\" http://localhost:14355/api/v1/tasks", 200),
        ("curl http://localhost:14355/api/v1/tasks", 401),
        ("curl http://localhost:14355/api/v1/health", 200),
        ("curl http://localhost:14355/api/v1/version", 200),
        ("curl http://localhost:14355/metrics", 200),
    ] {
        let (got, body) = curl(&daemon, snippet, &[]);
        assert_eq!(got, status, "{snippet}: {body}");
    }
    drop(daemon);
    // By the environment, which enables it without the configuration.
    let kept = sandbox
        .configure(std::fs::read(sandbox.path("home/.config/conductor/config.yaml")).expect("settings"));
    let mut text = std::fs::read_to_string(&kept).expect("settings");
    text.push_str("api: {auth_enabled: true}\n");
    std::fs::write(&kept, text).expect("written");
    let daemon = Daemon::start(&sandbox, &[]);
    assert_eq!(daemon.get("/api/v1/tasks").status, 200, "auth_enabled without a key is a warning");
    assert!(daemon.log().contains("without a key"), "{}", daemon.log());
}

#[test]
fn the_fields_of_a_new_task() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    // The document's own body: its `config` is a placeholder, and its parent does not exist.
    let whole = json!({
        "project_id": "my-project", "task_id": "task-001", "agent_type": "quick", "prompt": "Write a hello world script",
        "attach_mode": "create", "config": {"key": "value"},
        "thread_parent": {
            "project_id": "my-project", "task_id": "task-20260222-160000-parent", "run_id": "20260222-1601000000-12345-1",
            "message_id": "MSG-20260222-160200-000000000-PID12345-0001",
        },
        "thread_message_type": "USER_REQUEST",
    });
    daemon.post("/api/v1/tasks", &whole).fails(400, "key");
    let with = |change: &[(&str, Value)]| {
        let mut body = whole.clone();
        body.as_object_mut().expect("an object").remove("config");
        for (key, value) in change {
            match key.split_once('.') {
                Some((outer, inner)) => body[outer][inner] = value.clone(),
                None => body[*key] = value.clone(),
            }
        }
        body
    };
    daemon.post("/api/v1/tasks", &with(&[])).fails(404, "task-20260222-160000-parent");
    for key in ["project_id", "task_id", "agent_type", "prompt"] {
        let mut body = whole.clone();
        body.as_object_mut().expect("an object").remove(key);
        daemon.post("/api/v1/tasks", &body).fails(400, key);
        daemon.post("/api/v1/tasks", &with(&[(key, json!(7))])).fails(400, "line 1 column");
        daemon.post("/api/v1/tasks", &with(&[(key, json!(""))])).fails(400, "");
    }
    for key in ["project_id", "task_id", "run_id", "message_id"] {
        let mut body = whole.clone();
        body["thread_parent"].as_object_mut().expect("an object").remove(key);
        daemon.post("/api/v1/tasks", &body).fails(400, key);
    }
    for (key, value) in [
        ("attach_mode", json!("join")),
        ("config", json!([])),
        ("depends_on", json!("task-000")),
        ("depends_on", json!(["a b"])),
        ("thread_parent", json!("MSG-1")),
        ("thread_message_type", json!("user_request")),
    ] {
        daemon.post("/api/v1/tasks", &with(&[(key, value)])).fails(400, "line 1 column");
    }
    // Letters, digits, dash and underscore are valid, and case matters.
    for id in ["a b", "a.b", "a/b", "ü", "..", ""] {
        daemon.post("/api/v1/tasks", &with(&[("task_id", json!(id))])).fails(400, "task id");
        daemon.post("/api/v1/tasks", &with(&[("project_id", json!(id))])).fails(400, "project id");
    }
    assert!(!sandbox.root().join("my-project").exists(), "nothing of it was begun");
    for id in ["Task_1-A", "task_1-a", "1"] {
        let new = json!({"project_id": "P_1-x", "task_id": id, "agent_type": "quick", "prompt": "x", "depends_on": []});
        assert_eq!(daemon.post("/api/v1/tasks", &new).status, 201, "{id}");
        until("it is done", || {
            daemon.get(&format!("/api/v1/tasks/{id}?project_id=P_1-x")).json()["status"] == "completed"
        });
    }
    assert_eq!(
        daemon.get("/api/v1/tasks?project_id=P_1-x").json()["tasks"].as_array().map(Vec::len),
        Some(3)
    );
    assert_eq!(daemon.get("/api/v1/tasks?project_id=p_1-x").json(), json!({"tasks": []}));
    // 500: the task's folder cannot be created.
    std::fs::write(sandbox.root().join("in-the-way"), "a file").expect("a file");
    let new = json!({"project_id": "in-the-way", "task_id": "t", "agent_type": "quick", "prompt": "x"});
    daemon.post("/api/v1/tasks", &new).fails(500, "in-the-way");
    assert_eq!(std::fs::read_to_string(sandbox.root().join("in-the-way")).expect("a file"), "a file");
}

#[test]
fn every_status_of_a_task_and_of_a_run() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    let good = daemon.create("good", "quick");
    daemon.until_task("good", "completed");
    let bad = daemon.create("bad", "fails");
    daemon.until_task("bad", "failed");
    let first = daemon.create("first", "waits");
    let second = daemon.create("second", "waits");
    let queued = daemon.create("queued", "quick");
    let blocked = json!({"project_id": "p", "task_id": "blocked", "agent_type": "quick", "prompt": "x", "depends_on": ["queued"]});
    assert_eq!(daemon.post("/api/v1/tasks", &blocked).json()["depends_on"], json!(["queued"]));
    sandbox.write("home/run-agent/p/by-hand/TASK.md", "not yet");
    until("what a hand has made is seen", || daemon.task("by-hand")["status"] == "idle");
    for (task, status) in [
        ("good", "completed"),
        ("bad", "failed"),
        ("first", "running"),
        ("queued", "queued"),
        ("blocked", "blocked"),
    ] {
        assert_eq!(daemon.task(task)["status"], status, "{task}");
    }
    let shown = daemon.task("queued");
    assert_eq!((&shown["queue_position"], &shown["runs"][0]["status"]), (&json!(1), &json!("created")));
    let stopped = daemon.post(&format!("/api/v1/runs/{second}/stop"), &Value::Null);
    assert_eq!((stopped.status, stopped.json()), (200, json!({"status": "stopped"})));
    let info = |run: &str| daemon.get(&format!("/api/v1/runs/{run}/info")).json();
    for (run, status, code) in [
        (&good, "success", Some(0)),
        (&bad, "failed", Some(3)),
        (&first, "running", None),
        (&second, "stopped", None),
    ] {
        let info = info(run);
        assert_eq!(info["status"], status, "{info}");
        assert!(code.is_none() || info["exit_code"].as_i64() == code, "{info}");
    }
    daemon.until_task("queued", "completed");
    daemon.until_task("blocked", "completed");
    assert_eq!(info(&queued)["status"], "success");
    daemon.send("DELETE", "/api/v1/tasks/first?project_id=p", "", "");
    daemon.until_task("first", "stopped");
}

/// Checks each field for the beginning of its JSON.
fn has(value: &Value, fields: &[(&str, &str)]) {
    for (name, begins) in fields {
        let text = value[*name].to_string();
        let is_time = *begins != "time" || (text.starts_with("\"20") && text.ends_with("Z\""));
        assert!(
            value.get(*name).is_some() && is_time && (*begins == "time" || text.starts_with(begins)),
            "{name} of {value}"
        );
    }
}

#[test]
fn every_field_of_every_answer() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    let made =
        daemon.post("/api/projects", &json!({"project_id": "p", "project_root": sandbox.work()})).json();
    has(&made, &[("id", "\"p\""), ("last_activity", "time"), ("task_count", "0"), ("project_root", "\"/")]);
    let run = daemon.create("t", "quick");
    daemon.until_task("t", "completed");
    let run_fields = [
        ("run_id", "\"20"),
        ("project_id", "\"p\""),
        ("task_id", "\"t\""),
        ("status", "\"success\""),
        ("start_time", "time"),
        ("end_time", "time"),
        ("exit_code", "0"),
    ];
    let task_fields = [
        ("project_id", "\"p\""),
        ("task_id", "\"t\""),
        ("status", "\"completed\""),
        ("last_activity", "time"),
        ("runs", "[{"),
    ];
    for task in [daemon.get("/api/v1/tasks").json()["tasks"][0].clone(), daemon.task("t")] {
        has(&task, &task_fields);
        has(&task["runs"][0], &run_fields);
    }
    has(&daemon.get("/api/v1/runs").json()["runs"][0], &run_fields);
    for (path, output) in [(format!("/api/v1/runs/{run}"), true), (format!("/api/v1/runs/{run}/info"), false)]
    {
        let shown = daemon.get(&path).json();
        has(&shown, &run_fields);
        has(&shown, &[("agent_version", "\""), ("error_summary", "\"\"")]);
        assert_eq!(shown.get("output").is_some(), output, "{shown}");
    }
    let failed = daemon.create("bad", "fails");
    daemon.until_task("bad", "failed");
    has(
        &daemon.get(&format!("/api/v1/runs/{failed}/info")).json(),
        &[("error_summary", "\"exit code 3"), ("agent_version", "\"")],
    );
    let stats = daemon.get("/api/projects/p/stats").json();
    has(
        &stats,
        &[
            ("project_id", "\"p\""),
            ("total_tasks", "2"),
            ("total_runs", "2"),
            ("running_runs", "0"),
            ("completed_runs", "1"),
            ("failed_runs", "1"),
            ("crashed_runs", "0"),
            ("message_bus_files", ""),
            ("message_bus_total_bytes", ""),
        ],
    );
    has(
        &daemon.get("/api/projects").json()["projects"][0],
        &[("id", "\"p\""), ("last_activity", "time"), ("task_count", "2"), ("project_root", "\"/")],
    );
}

/// The document's message types and those of the original's agents pass through the same bus unchanged.
#[test]
fn every_type_of_message() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    daemon.create("t", "quick");
    daemon.until_task("t", "completed");
    let types = [
        "task_start",
        "task_complete",
        "task_failed",
        "progress",
        "child_request",
        "custom",
        "USER",
        "FACT",
        "PROGRESS",
        "DECISION",
        "ERROR",
        "code-review",
        "QUESTION",
    ];
    let mut last = Value::Null;
    for kind in types {
        let body = json!({"project_id": "p", "task_id": "t", "type": kind, "body": format!("a {kind}"), "parents": if last.is_null() { json!([]) } else { json!([last]) }});
        let posted = daemon.post("/api/v1/messages", &body);
        assert_eq!(posted.status, 201, "{posted:?}");
        has(&posted.json(), &[("msg_id", "\"MSG-"), ("timestamp", "time")]);
        last = posted.json()["msg_id"].clone();
    }
    let all = daemon.get("/api/v1/messages?project_id=p&task_id=t").json()["messages"]
        .as_array()
        .expect("messages")
        .clone();
    let told: Vec<&str> = all.iter().filter_map(|m| m["type"].as_str()).collect();
    assert_eq!(told[told.len() - types.len()..], types);
    has(
        all.last().expect("a message"),
        &[
            ("msg_id", "\"MSG-"),
            ("timestamp", "time"),
            ("type", "\"QUESTION"),
            ("project_id", "\"p"),
            ("task_id", "\"t"),
            ("parents", "[\"MSG-"),
            ("body", "\"a QUESTION"),
        ],
    );
    // An empty bus, queried as in the document's own script, begins at the beginning.
    assert_eq!(
        daemon.post("/api/projects", &json!({"project_id": "empty", "project_root": sandbox.work()})).status,
        201
    );
    let path = "/api/v1/messages?project_id=empty&after=null";
    assert_eq!(daemon.get(path).json()["messages"], json!([]));
    daemon.post("/api/projects/empty/messages", &json!({"body": "first"}));
    assert_eq!(daemon.get(path).json()["messages"][0]["body"], "first");
    daemon.get("/api/v1/messages?project_id=empty&after=nul").fails(404, "nul");
}
