//! `/api/projects`: every row of the document, and the additional needs of the original's web client.

use crate::common::{
    Sandbox,
    daemon::{Daemon, agents, until},
    fake,
};
use serde_json::{Value, json};

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let steps: [(&str, &[&str]); 3] = [
        ("quick", &["say:hello", "err:careful", "done"]),
        ("fails", &["say:alas", "exit:3"]),
        ("waits", &["say:ready", "sleep:60000"]),
    ];
    agents(&sandbox, &fake::agent(), &steps, "defaults: {restart_delay: 10ms, max_restarts: 1}\n");
    sandbox
}

fn delete(daemon: &Daemon, path: &str) -> crate::common::daemon::Response {
    daemon.send("DELETE", path, "", "")
}

#[test]
fn a_project_is_made_once_and_shown() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    assert_eq!(daemon.get("/api/projects").json(), json!({"projects": []}));
    assert_eq!(daemon.get("/api/projects/home-dirs").json(), json!({"dirs": []}));
    let home = sandbox.work();
    let new = |id: &str, root: &std::path::Path| json!({"project_id": id, "project_root": root});
    let made = daemon.post("/api/projects", &new("my-project", &home));
    assert_eq!(made.status, 201, "{made:?}");
    let made = made.json();
    assert_eq!(
        (&made["id"], &made["task_count"], &made["project_root"]),
        (&json!("my-project"), &json!(0), &json!(home))
    );
    assert!(
        made["last_activity"].as_str().is_some_and(|t| t.starts_with("20") && t.ends_with('Z')),
        "{made}"
    );
    let marker =
        std::fs::read_to_string(sandbox.root().join("my-project/PROJECT-ROOT.txt")).expect("the marker");
    assert_eq!(marker.trim(), home.to_str().expect("a path"));
    assert_eq!(daemon.get("/api/projects/my-project").json(), made);
    assert_eq!(daemon.get("/api/projects").json(), json!({"projects": [made]}));
    assert_eq!(daemon.get("/api/projects/home-dirs").json(), json!({"dirs": [home]}));

    // A folder that no project could have any more is not suggested.
    let moved = sandbox.path("moved");
    std::fs::create_dir(&moved).expect("a folder");
    assert_eq!(daemon.post("/api/projects", &new("moving", &moved)).status, 201);
    let suggested =
        |daemon: &Daemon| daemon.get("/api/projects/home-dirs").json()["dirs"].as_array().map(Vec::len);
    assert_eq!(suggested(&daemon), Some(2));
    std::fs::rename(&moved, sandbox.path("away")).expect("renamed");
    assert_eq!(daemon.get("/api/projects/home-dirs").json(), json!({"dirs": [home]}));
    std::fs::write(&moved, "a file").expect("written");
    assert_eq!(suggested(&daemon), Some(1));

    let file = sandbox.write("work/file", "");
    for (body, status, text) in [
        (new("my-project", &home), 409, "exists already"),
        (new("../x", &home), 400, "project id"),
        (new("", &home), 400, "project id"),
        (new("x", "relative".as_ref()), 400, "absolute"),
        (new("x", "/proc/nonexistent".as_ref()), 400, "/proc/nonexistent"),
        (new("x", &file), 400, "not a folder"),
        (new("x", &sandbox.root()), 400, "root of the tree"),
        (new("x", &sandbox.root().join("my-project")), 400, "root of the tree"),
        (json!({"project_id": "x"}), 400, "project_root"),
        (json!({"project_root": home}), 400, "project_id"),
        (json!({"project_id": "x", "project_root": home, "more": 1}), 400, "unknown field `more`"),
    ] {
        daemon.post("/api/projects", &body).fails(status, text);
    }
    assert!(!sandbox.root().join("x").exists());

    // A project that was made by a shell is found.
    std::fs::create_dir(sandbox.root().join("by-hand")).expect("a folder");
    sandbox.write("home/run-agent/by-hand/PROJECT-ROOT.txt", "/srv/somewhere\n");
    until("it is seen", || daemon.get("/api/projects/by-hand").json()["project_root"] == "/srv/somewhere");
    std::fs::remove_dir_all(sandbox.root().join("by-hand")).expect("the folder");
    until("it is gone", || daemon.get("/api/projects/by-hand").status == 404);
}

#[test]
fn tasks_and_runs_are_shown_with_the_words_on_disk() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    let run = daemon.create("good", "quick");
    daemon.create("bad", "fails");
    daemon.until_task("good", "completed");
    daemon.until_task("bad", "failed");
    let waits = daemon.create("waits", "waits");

    let list = daemon.get("/api/projects/p/tasks").json();
    assert_eq!(
        (&list["total"], &list["limit"], &list["offset"], &list["has_more"]),
        (&json!(3), &json!(50), &json!(0), &json!(false))
    );
    let item = |id: &str| {
        list["items"].as_array().and_then(|l| l.iter().find(|i| i["id"] == id)).cloned().expect("an item")
    };
    let good = item("good");
    for (key, value) in [
        ("project_id", json!("p")),
        ("status", json!("completed")),
        ("run_count", json!(1)),
        ("run_counts", json!({"completed": 1})),
        ("depends_on", json!([])),
        ("blocked_by", json!([])),
        ("done", json!(true)),
        ("last_run_status", json!("completed")),
        ("last_run_exit_code", json!(0)),
        ("last_run_output_size", json!(6)),
    ] {
        assert_eq!(good[key], value, "{key}: {good}");
    }
    assert_eq!(item("bad")["run_counts"], json!({"failed": 2}));
    assert!(good["last_activity"].is_string() && good["reason"].is_string(), "{good}");

    let detail = daemon.get("/api/projects/p/tasks/good").json();
    assert_eq!(
        (&detail["id"], &detail["state"], &detail["runs"][0]["id"]),
        (&json!("good"), &json!("completed"), &json!(run))
    );
    let files = detail["runs"][0]["files"].as_array().expect("files").clone();
    let stdout = files.iter().find(|f| f["name"] == "stdout").expect("stdout");
    assert_eq!(stdout, &json!({"name": "stdout", "label": "Standard output", "size": 6}));
    assert!(detail["created_at"].is_string(), "{detail}");

    let shown = daemon.get(&format!("/api/projects/p/tasks/good/runs/{run}")).json();
    for (key, value) in [
        ("id", json!(run)),
        ("run_id", json!(run)),
        ("project_id", json!("p")),
        ("task_id", json!("good")),
        ("status", json!("completed")),
        ("exit_code", json!(0)),
        ("agent", json!("quick")),
        ("error_summary", json!("")),
    ] {
        assert_eq!(shown[key], value, "{key}: {shown}");
    }
    let running = daemon.get(&format!("/api/projects/p/tasks/waits/runs/{waits}")).json();
    assert!(running.get("end_time").is_none() && running.get("exit_code").is_none(), "{running}");
    let runs = daemon.get("/api/projects/p/tasks/bad/runs").json();
    assert_eq!((&runs["total"], &runs["items"][0]["previous_run_id"]), (&json!(2), &runs["items"][1]["id"]));

    let flat = |query: &str| daemon.get(&format!("/api/projects/p/runs/flat{query}")).json();
    let (all, latest, active) = (flat(""), flat("?limit=1"), flat("?active_only=1"));
    assert_eq!(all["runs"].as_array().map(Vec::len), Some(4), "{all}");
    assert_eq!(latest["runs"], json!([all["runs"][3]]), "the latest");
    assert_eq!((active["runs"].as_array().map(Vec::len), &active["runs"][0]["id"]), (Some(1), &json!(waits)));
    let selected = flat("?active_only=1&selected_task_id=bad&selected_task_limit=1");
    let ids: Vec<&Value> = selected["runs"].as_array().expect("runs").iter().map(|r| &r["id"]).collect();
    assert_eq!(ids, [&runs["items"][0]["id"], &json!(waits)], "oldest first");

    until("its start is told", || sandbox.root().join("p/waits/TASK-MESSAGE-BUS.jsonl").exists());
    let stats = daemon.get("/api/projects/p/stats").json();
    let bytes = stats["message_bus_total_bytes"].as_u64().expect("bytes");
    let on_disk: u64 = [
        "PROJECT-MESSAGE-BUS.jsonl",
        "good/TASK-MESSAGE-BUS.jsonl",
        "bad/TASK-MESSAGE-BUS.jsonl",
        "waits/TASK-MESSAGE-BUS.jsonl",
    ]
    .iter()
    .map(|f| std::fs::metadata(sandbox.root().join("p").join(f)).map_or(0, |m| m.len()))
    .sum();
    assert_eq!(
        stats,
        json!({
            "project_id": "p", "total_tasks": 3, "total_runs": 4, "running_runs": 1, "completed_runs": 1, "failed_runs": 2,
            "crashed_runs": 0, "stopped_runs": 0, "message_bus_files": 4, "message_bus_total_bytes": bytes,
        })
    );
    assert_eq!(bytes, on_disk);
    assert_eq!(daemon.get("/api/projects").json()["projects"][0]["task_count"], 3);

    let now = daemon.get("/api/v1/status").json();
    assert_eq!((&now["active_runs_count"], &now["running_tasks"][0]["run_id"]), (&json!(1), &json!(waits)));
    assert!(now["uptime_seconds"].as_f64().is_some_and(|s| s > 0.0), "{now}");
    assert!(now["configured_agents"].as_array().is_some_and(|a| a.contains(&json!("quick"))), "{now}");
    assert_eq!(daemon.get("/healthz").json()["status"], "ok");
    delete(&daemon, "/api/v1/tasks/waits?project_id=p");
    daemon.until_task("waits", "stopped");
    let stats = daemon.get("/api/projects/p/stats").json();
    assert_eq!(
        (&stats["stopped_runs"], &stats["crashed_runs"], &stats["running_runs"]),
        (&json!(1), &json!(1), &json!(0))
    );
}

#[test]
fn a_run_is_stopped_deleted_and_its_task_resumed() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    let run = daemon.create("t", "waits");
    let task = "/api/projects/p/tasks/t";
    let path = format!("{task}/runs/{run}");
    delete(&daemon, &path).fails(409, "stop it first");
    delete(&daemon, task).fails(409, "");
    delete(&daemon, "/api/projects/p").fails(409, "");
    daemon.post(&format!("{task}/resume"), &Value::Null).fails(400, "nothing to resume");
    let stopped = daemon.post(&format!("{path}/stop"), &Value::Null);
    assert_eq!((stopped.status, stopped.json()), (202, json!({"run_id": run, "message": "SIGTERM sent"})));
    daemon.until_task("t", "stopped");
    daemon.post(&format!("{path}/stop"), &Value::Null).fails(409, "not running");

    let resumed = daemon.post(&format!("{task}/resume"), &Value::Null);
    assert_eq!(resumed.status, 200, "{resumed:?}");
    let resumed = resumed.json();
    assert_eq!(
        (&resumed["project_id"], &resumed["task_id"], &resumed["resumed"]),
        (&json!("p"), &json!("t"), &json!(true))
    );
    assert_ne!(resumed["run_id"], run, "a run has begun");
    assert_eq!(daemon.task("t")["status"], "running");
    delete(&daemon, "/api/v1/tasks/t?project_id=p");
    daemon.until_task("t", "stopped");

    let gone = delete(&daemon, &path);
    assert_eq!((gone.status, gone.body.as_str()), (204, ""));
    assert!(!sandbox.root().join(format!("p/t/runs/{run}")).exists());
    assert_eq!(daemon.get(&path).status, 404);
    assert_eq!(daemon.get(&format!("{task}/runs")).json()["total"], 1);
    delete(&daemon, &path).fails(404, "run");

    assert_eq!(delete(&daemon, task).status, 204);
    assert!(!sandbox.root().join("p/t").exists());
    delete(&daemon, task).fails(404, "p/t");
    daemon.post(&format!("{task}/resume"), &Value::Null).fails(404, "p/t");
    assert_eq!(daemon.get("/api/v1/runs").json(), json!({"runs": []}));
}

#[test]
fn a_task_that_has_just_ended_is_deleted_at_once() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    for n in 0..5 {
        let name = format!("t{n}");
        let run = daemon.create(&name, "quick");
        until("the run has ended", || {
            daemon.get(&format!("/api/v1/runs/{run}/info")).json()["status"] == "success"
        });
        assert_eq!(delete(&daemon, &format!("/api/projects/p/tasks/{name}")).status, 204);
    }
}

#[test]
fn a_project_is_cleared_and_deleted() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    daemon.create("t", "fails");
    daemon.until_task("t", "failed");
    let gc = |query: &str| daemon.post(&format!("/api/projects/p/gc?{query}"), &Value::Null);
    assert_eq!(
        gc("").json(),
        json!({"deleted_runs": 0, "freed_bytes": 0, "dry_run": false}),
        "nothing is a week old"
    );
    let rehearsed = gc("older_than=0s&dry_run=true").json();
    assert_eq!((&rehearsed["deleted_runs"], &rehearsed["dry_run"]), (&json!(1), &json!(true)));
    assert_eq!(gc("older_than=0s&keep_failed=1").json()["deleted_runs"], 0);
    let done = gc("older_than=0s").json();
    assert_eq!((&done["deleted_runs"], &done["freed_bytes"]), (&json!(1), &rehearsed["freed_bytes"]));
    assert_eq!(daemon.task("t")["runs"].as_array().map(Vec::len), Some(1), "the last one stays");
    gc("older_than=soon").fails(400, "older_than");
    gc("older_than=1").fails(400, "the unit is missing");
    gc("dry_run=maybe").fails(400, "dry_run");
    daemon.post("/api/projects/absent/gc", &Value::Null).fails(404, "project absent");

    daemon.create("live", "waits");
    delete(&daemon, "/api/projects/p").fails(409, "");
    assert_eq!(daemon.get("/api/projects/p/tasks").json()["total"], 2, "nothing went");
    let gone = delete(&daemon, "/api/projects/p?force=true");
    assert_eq!(gone.status, 200, "{gone:?}");
    let gone = gone.json();
    assert_eq!((&gone["project_id"], &gone["deleted_tasks"]), (&json!("p"), &json!(2)));
    assert!(gone["freed_bytes"].as_u64().is_some_and(|n| n > 1000), "{gone}");
    assert!(!sandbox.root().join("p").exists());
    delete(&daemon, "/api/projects/p").fails(404, "project p");
    assert_eq!(daemon.get("/api/projects").json(), json!({"projects": []}));
    let new = json!({"project_id": "p", "task_id": "live", "agent_type": "quick", "prompt": "x"});
    assert_eq!(daemon.post("/api/v1/tasks", &new).status, 201, "the name is free again");
    daemon.until_task("live", "completed");
}

#[test]
fn nothing_is_deleted_from_a_page() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    let run = daemon.create("t", "quick");
    daemon.until_task("t", "completed");
    let own = format!("http://127.0.0.1:{}", daemon.port);
    for header in [
        "X-Conductor-Client: web-ui".to_owned(),
        "Sec-Fetch-Mode: cors".to_owned(),
        "Sec-Fetch-Site: same-origin".to_owned(),
        format!("Origin: {own}"),
        format!("Referer: {own}/ui/"),
    ] {
        for (method, path) in [
            ("DELETE", "/api/projects/p"),
            ("DELETE", "/api/projects/p?force=true"),
            ("DELETE", "/api/projects/p/tasks/t"),
            ("DELETE", &format!("/api/projects/p/tasks/t/runs/{run}")),
            ("POST", "/api/projects/p/gc?older_than=0s"),
        ] {
            daemon.send(method, path, &format!("{header}\r\n"), "").fails(403, "page");
        }
        let read = daemon.send("GET", "/api/projects/p/tasks/t", &format!("{header}\r\n"), "");
        assert_eq!(read.status, 200, "{header}");
    }
    assert!(sandbox.root().join(format!("p/t/runs/{run}/run-info.yaml")).exists());
}

#[test]
fn what_is_not_there_is_said() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    daemon.create("t", "quick");
    daemon.until_task("t", "completed");
    let absent = "20260101-0000000000-1-0001";
    for (method, path, status, text) in [
        ("GET", "/api/projects/absent", 404, "project absent"),
        ("GET", "/api/projects/..", 400, "project id"),
        ("GET", "/api/projects/absent/tasks", 404, "project absent"),
        ("GET", "/api/projects/absent/stats", 404, "project absent"),
        ("GET", "/api/projects/absent/runs/flat", 404, "project absent"),
        ("GET", "/api/projects/p/tasks/absent", 404, "task p/absent"),
        ("GET", "/api/projects/p/tasks/absent/runs", 404, "task p/absent"),
        ("GET", "/api/projects/p/tasks/absent/runs/stream", 404, "task p/absent"),
        ("GET", "/api/projects/p/tasks/absent/file?name=TASK.md", 404, "task p/absent"),
        ("GET", &format!("/api/projects/p/tasks/t/runs/{absent}"), 404, absent),
        ("GET", &format!("/api/projects/p/tasks/t/runs/{absent}/file?name=stdout"), 404, absent),
        ("GET", &format!("/api/projects/p/tasks/t/runs/{absent}/stream?name=stdout"), 404, absent),
        ("POST", &format!("/api/projects/p/tasks/t/runs/{absent}/stop"), 404, absent),
        ("GET", "/api/projects/absent/messages", 404, "project absent"),
        ("GET", "/api/projects/absent/messages/stream", 404, "project absent"),
        ("GET", "/api/projects/p/tasks/absent/messages", 404, "task p/absent"),
        ("GET", "/api/projects/p/tasks/absent/messages/stream", 404, "task p/absent"),
        ("GET", "/api/projects/p/nothing", 404, "no such route"),
        ("GET", "/api/projects/p/tasks/", 404, "no such route"),
    ] {
        daemon.send(method, path, "", "").fails(status, text);
    }
    for (method, path, allow) in [
        ("PUT", "/api/projects", "GET, HEAD, POST, OPTIONS"),
        ("POST", "/api/projects/home-dirs", "GET, HEAD, OPTIONS"),
        ("POST", "/api/projects/p", "GET, HEAD, DELETE, OPTIONS"),
        ("DELETE", "/api/projects/p/stats", "GET, HEAD, OPTIONS"),
        ("GET", "/api/projects/p/gc", "POST, OPTIONS"),
        ("POST", "/api/projects/p/tasks", "GET, HEAD, OPTIONS"),
        ("POST", "/api/projects/p/tasks/t", "GET, HEAD, DELETE, OPTIONS"),
        ("GET", "/api/projects/p/tasks/t/resume", "POST, OPTIONS"),
        ("DELETE", "/api/projects/p/tasks/t/runs", "GET, HEAD, OPTIONS"),
        ("POST", "/api/projects/p/tasks/t/runs/stream", "GET, HEAD, OPTIONS"),
        ("POST", "/api/projects/p/tasks/t/runs/x", "GET, HEAD, DELETE, OPTIONS"),
        ("GET", "/api/projects/p/tasks/t/runs/x/stop", "POST, OPTIONS"),
        ("DELETE", "/api/projects/p/messages", "GET, HEAD, POST, OPTIONS"),
        ("DELETE", "/api/v1/status", "GET, HEAD, OPTIONS"),
        ("POST", "/metrics", "GET, HEAD, OPTIONS"),
    ] {
        let answer = daemon.send(method, path, "", "");
        answer.fails(405, "method");
        assert!(answer.head.contains(&format!("allow: {allow}\r\n")), "{answer:?}");
    }
}
