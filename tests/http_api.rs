//! The routes of `/api/v1` that are no streams: shapes, errors, and access.

use std::io::{Read, Write};

use crate::common::{
    Sandbox,
    daemon::{Daemon, agents, until},
    fake,
    processes::Cleanup,
};
use serde_json::{Value, json};

const JSON: &str = "Content-Type: application/json\r\n";

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let steps: [(&str, &[&str]); 4] = [
        ("quick", &["say:hello", "err:careful", "done"]),
        ("fails", &["say:alas", "exit:3"]),
        ("waits", &["say:ready", "sleep:60000"]),
        ("gone", &["exit:0"]),
    ];
    let more = "  lost: {type: command, command: [/proc/nonexistent/agent]}\n\
                defaults: {restart_delay: 10ms, restart_delay_max: 10ms, max_restarts: 1, max_concurrent_root_tasks: 1}\n";
    agents(&sandbox, &fake::agent(), &steps, more);
    sandbox
}

#[test]
fn a_task_is_created_run_and_shown() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    let version = daemon.get("/api/v1/version").json();
    assert_eq!(version, json!({ "version": env!("CARGO_PKG_VERSION") }));

    let new = json!({"project_id": "p", "task_id": "t", "agent_type": "quick", "prompt": "x"});
    let answer = daemon.post("/api/v1/tasks", &new);
    assert_eq!(answer.status, 201, "{answer:?}");
    let started = answer.json();
    let run = started["run_id"].as_str().expect("a run").to_owned();
    let expected = json!({"project_id": "p", "task_id": "t", "run_id": run, "status": "started",
                          "queue_position": 0, "depends_on": [], "cwd": sandbox.root().join("p/t")});
    assert_eq!(started, expected);

    let task = daemon.until_task("t", "completed");
    let lock = std::fs::read_to_string(sandbox.root().join("p/t/task.lock")).expect("its lock");
    assert!(lock.contains("\"daemon\"") && lock.contains(&daemon.pid().to_string()), "its driver: {lock}");
    assert_eq!(task["runs"][0]["status"], "success");
    assert_eq!(task["runs"][0]["exit_code"], 0, "a zero is said, too");
    assert!(task.get("queue_position").is_none(), "{task}");
    assert!(task["reason"].as_str().is_some_and(|r| r.contains("p/t")), "{task}");
    assert_eq!(daemon.get("/api/v1/tasks").json()["tasks"][0]["task_id"], "t");
    assert_eq!(daemon.get("/api/v1/tasks?project_id=other").json(), json!({"tasks": []}));

    let shown = daemon.get(&format!("/api/v1/runs/{run}")).json();
    assert_eq!((&shown["output"], &shown["error_summary"]), (&json!("hello\n"), &json!("")));
    let info = daemon.get(&format!("/api/v1/runs/{run}/info")).json();
    assert!(info.get("output").is_none() && info["end_time"].is_string(), "{info}");
    assert_eq!(daemon.get("/api/v1/runs").json()["runs"][0]["run_id"], run.as_str());

    daemon.post("/api/v1/tasks", &new).fails(409, "task p/t");
    daemon.post(&format!("/api/v1/runs/{run}/stop"), &Value::Null).fails(409, "has ended");
}

#[test]
fn what_cannot_be_created_leaves_nothing_behind() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    let with = |change: Value| {
        let mut new = json!({"project_id": "p", "task_id": "t", "agent_type": "quick", "prompt": "x"});
        new.as_object_mut().expect("an object").extend(change.as_object().expect("an object").clone());
        new
    };
    for (change, status, text) in [
        (json!({"agent_type": "nobody"}), 400, "nobody"),
        (json!({"agent_type": "lost"}), 400, "/proc/nonexistent/agent"),
        (json!({"cwd": "/proc/nonexistent"}), 400, "/proc/nonexistent"),
        (json!({"cwd": "relative"}), 400, "absolute"),
        (json!({"project_id": "../x"}), 400, "not a valid project id"),
        (json!({"task_id": "a b"}), 400, "not a valid task id"),
        (json!({"prompt": ""}), 400, "prompt is empty"),
        (json!({"agent": "quick"}), 400, "unknown field `agent`"),
        (json!({"config": {"key": "value"}}), 400, "unknown key 'key'"),
        (json!({"config": {"env.LD_PRELOAD": "x"}}), 400, "env.LD_PRELOAD"),
        (json!({"depends_on": ["t"]}), 409, "cycle"),
        (json!({"attach_mode": "join"}), 400, "line 1 column"),
    ] {
        daemon.post("/api/v1/tasks", &with(change)).fails(status, text);
        assert!(!sandbox.root().join("p").exists(), "{text}");
    }
    for (body, text) in [("{", "line 1 column 1"), ("{}", "missing field `project_id`"), ("[", "line 1")] {
        daemon.send("POST", "/api/v1/tasks", JSON, body).fails(400, text);
    }
    let large = format!("{{\"prompt\": \"{}\"}}", "x".repeat(1100 * 1024));
    daemon.send("POST", "/api/v1/tasks", JSON, &large).fails(413, "max_body");
    assert_eq!(daemon.get("/api/v1/tasks").json(), json!({"tasks": []}));
}

#[test]
fn one_waits_for_a_place_and_one_for_another_task() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    let run = daemon.create("first", "waits");
    let new = |task: &str, depends_on: &[&str]| json!({"project_id": "p", "task_id": task, "agent_type": "quick", "prompt": "x", "depends_on": depends_on});
    let second = daemon.post("/api/v1/tasks", &new("second", &[])).json();
    assert_eq!((&second["status"], &second["queue_position"]), (&json!("queued"), &json!(1)));
    let third = daemon.post("/api/v1/tasks", &new("third", &["second"])).json();
    assert_eq!((&third["status"], &third["queue_position"]), (&json!("queued"), &json!(0)));
    assert!(third["reason"].as_str().is_some_and(|r| r.contains("second")), "{third}");
    assert_eq!(third["depends_on"], json!(["second"]));
    assert_eq!(daemon.task("second")["queue_position"], 1);
    assert_eq!(daemon.task("third")["status"], "blocked");
    until("the list says what each task's own answer says", || {
        let list = daemon.get("/api/v1/tasks").json();
        let said = |name| list["tasks"].as_array()?.iter().find(|t| t["task_id"] == name)?["reason"].as_str();
        ["first", "second", "third"].iter().all(|name| {
            said(*name)
                .is_some_and(|r| !r.contains("no driver") && Some(r) == daemon.task(name)["reason"].as_str())
        })
    });

    let stopped = daemon.post(&format!("/api/v1/runs/{run}/stop"), &Value::Null);
    assert_eq!((stopped.status, stopped.json()), (200, json!({"status": "stopped"})));
    assert_eq!(daemon.get(&format!("/api/v1/runs/{run}/info")).json()["status"], "stopped");
    daemon.until_task("first", "stopped");
    daemon.until_task("third", "completed");
}

#[test]
fn a_task_is_cancelled_and_taken_up_again() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    daemon.create("t", "waits");
    let cancelled = daemon.send("DELETE", "/api/v1/tasks/t?project_id=p", "", "");
    assert_eq!(
        (cancelled.status, cancelled.json()),
        (200, json!({"status": "cancelled", "stopped_runs": 1}))
    );
    daemon.until_task("t", "stopped");
    let again = json!({"project_id": "p", "task_id": "t", "agent_type": "waits", "prompt": "x", "attach_mode": "resume"});
    assert_eq!(daemon.post("/api/v1/tasks", &again).status, 201);
    assert_eq!(daemon.task("t")["runs"].as_array().expect("runs").len(), 2);
    let attach = json!({"project_id": "p", "task_id": "t", "agent_type": "waits", "prompt": "x", "attach_mode": "attach"});
    let attached = daemon.post("/api/v1/tasks", &attach).json();
    assert_eq!(attached["run_id"], daemon.task("t")["runs"][0]["run_id"], "the newest run comes first");
    daemon.send("DELETE", "/api/v1/tasks/t?project_id=p", "", "");
    daemon.until_task("t", "stopped");
}

#[test]
fn a_loop_that_fails_is_failed() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    daemon.create("t", "fails");
    let task = daemon.until_task("t", "failed");
    assert_eq!(task["runs"].as_array().expect("runs").len(), 2, "{task}");
    assert_eq!((&task["runs"][0]["status"], &task["runs"][0]["exit_code"]), (&json!("failed"), &json!(3)));
    assert_eq!(task["runs"][0]["previous_run_id"], task["runs"][1]["run_id"]);
}

#[test]
fn what_a_shell_does_to_the_tree_is_seen() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    let job = sandbox.run("job --project shell --task t --agent quick --prompt x");
    assert_eq!(job.code, 0, "{job:?}");
    until("the job is seen", || {
        daemon.get("/api/v1/tasks?project_id=shell").json()["tasks"][0]["status"] == "completed"
    });
    std::fs::remove_dir_all(sandbox.root().join("shell")).expect("the project");
    until("it is gone", || daemon.get("/api/v1/tasks?project_id=shell").json() == json!({"tasks": []}));
    assert_eq!(daemon.get("/api/v1/runs").json(), json!({"runs": []}));
}

#[test]
fn messages_are_posted_and_read() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    daemon.create("t", "quick");
    daemon.until_task("t", "completed");
    let first =
        daemon.post("/api/v1/messages", &json!({"project_id": "p", "task_id": "t", "body": "---\r\nhi"}));
    assert_eq!(first.status, 201, "{first:?}");
    let id = first.json()["msg_id"].as_str().expect("an id").to_owned();
    let reply = json!({"project_id": "p", "task_id": "t", "type": "DECISION", "body": "b",
                       "parents": [{"msg_id": id, "kind": "reply"}]});
    assert_eq!(daemon.post("/api/v1/messages", &reply).status, 201);
    let after = daemon.get(&format!("/api/v1/messages?project_id=p&task_id=t&after={id}")).json();
    let message = &after["messages"][0];
    assert_eq!((&message["type"], &message["parents"]), (&json!("DECISION"), &json!([id])));
    assert_eq!(message["parent_refs"], json!([{"msg_id": id, "kind": "reply"}]));
    let all = daemon.get("/api/v1/messages?project_id=p&task_id=t").json();
    let bodies: Vec<&Value> =
        all["messages"].as_array().expect("messages").iter().map(|m| &m["body"]).collect();
    assert!(bodies.contains(&&json!("---\r\nhi")), "{bodies:?}");
    let project = daemon.get("/api/v1/messages?project_id=p");
    assert!(!project.body.contains("---"), "the task's messages stand on the task's bus: {project:?}");

    daemon.get("/api/v1/messages").fails(400, "project_id");
    daemon.get("/api/v1/messages?project_id=p&task_id=t&after=MSG-1").fails(404, "MSG-1");
    daemon.get("/api/v1/messages?project_id=absent").fails(404, "project absent");
    daemon
        .post("/api/v1/messages", &json!({"project_id": "p", "body": "x", "type": "A B"}))
        .fails(400, "message type");
    daemon
        .post("/api/v1/messages", &json!({"project_id": "absent", "body": "x"}))
        .fails(404, "project absent");
}

#[test]
fn every_refusal_is_json_with_its_status() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    let absent = "20260101-0000000000-1-0001";
    for (method, path, status, text) in [
        ("GET", "/nothing", 404, "no such route"),
        ("GET", "/api/v1/nothing", 404, "no such route"),
        ("GET", "/api/v1/tasks/t", 400, "project_id"),
        ("GET", "/api/v1/tasks/t?project_id=p", 404, "task p/t"),
        ("GET", "/api/v1/tasks/t?project_id=..", 400, "project id"),
        ("GET", "/api/v1/tasks/%2e%2e?project_id=p", 400, "task id"),
        ("DELETE", "/api/v1/tasks/t?project_id=p", 404, "task p/t"),
        ("GET", &format!("/api/v1/runs/{absent}"), 404, absent),
        ("GET", &format!("/api/v1/runs/{absent}/info"), 404, absent),
        ("GET", &format!("/api/v1/runs/{absent}/stream"), 404, absent),
        ("POST", &format!("/api/v1/runs/{absent}/stop"), 404, absent),
        ("GET", "/api/v1/messages/stream", 400, "project_id"),
        ("GET", "/api/v1/messages/stream?project_id=p", 404, "project p"),
    ] {
        daemon.send(method, path, "", "").fails(status, text);
    }
    for (method, path, allow) in [
        ("PUT", "/api/v1/tasks", "GET, HEAD, POST, OPTIONS"),
        ("POST", "/api/v1/tasks/t", "GET, HEAD, DELETE, OPTIONS"),
        ("DELETE", "/api/v1/runs", "GET, HEAD, OPTIONS"),
        ("POST", "/api/v1/runs/stream/all", "GET, HEAD, OPTIONS"),
        ("GET", "/api/v1/runs/x/stop", "POST, OPTIONS"),
        ("POST", "/api/v1/health", "GET, HEAD, OPTIONS"),
        ("DELETE", "/api/v1/messages", "GET, HEAD, POST, OPTIONS"),
    ] {
        let answer = daemon.send(method, path, "", "");
        answer.fails(405, "method");
        assert!(answer.head.contains(&format!("allow: {allow}\r\n")), "{answer:?}");
    }
}

#[test]
fn a_foreign_page_gets_nothing() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    let own = format!("127.0.0.1:{}", daemon.port);
    let get = |headers: &str| {
        daemon.raw(&format!("GET /api/v1/tasks HTTP/1.1\r\nConnection: close\r\n{headers}\r\n"))
    };
    for (headers, status) in [
        (format!("Host: {own}\r\n"), 200),
        ("Host: localhost\r\n".to_owned(), 200),
        ("Host: [::1]:99\r\n".to_owned(), 200),
        (String::new(), 421),
        ("Host: evil.example\r\n".to_owned(), 421),
        ("Host: 127.0.0.1.evil.example\r\n".to_owned(), 421),
        (format!("Host: {own}\r\nHost: evil.example\r\n"), 421),
        (format!("Host: {own}\r\nOrigin: http://{own}\r\n"), 200),
        (format!("Host: {own}\r\nOrigin: http://evil.example\r\n"), 403),
        (format!("Host: {own}\r\nOrigin: http://localhost:1\r\n"), 403),
        (format!("Host: {own}\r\nOrigin: null\r\n"), 403),
        (format!("Host: {own}\r\nSec-Fetch-Site: cross-site\r\n"), 403),
        (format!("Host: {own}\r\nSec-Fetch-Site: same-site\r\n"), 403),
        (format!("Host: {own}\r\nSec-Fetch-Site: same-origin\r\n"), 200),
    ] {
        assert_eq!(get(&headers).status, status, "{headers}");
    }
    let new = json!({"project_id": "p", "task_id": "t", "agent_type": "quick", "prompt": "x"}).to_string();
    daemon.send("POST", "/api/v1/tasks", "Content-Type: text/plain\r\n", &new).fails(415, "application/json");
    daemon.send("POST", "/api/v1/tasks", "", &new).fails(415, "application/json");
    daemon
        .raw(&format!("CONNECT {own} HTTP/1.1\r\nHost: {own}\r\nConnection: close\r\n\r\n"))
        .fails(405, "proxy");
    let elsewhere =
        format!("GET http://evil.example/api/v1/tasks HTTP/1.1\r\nHost: {own}\r\nConnection: close\r\n\r\n");
    daemon.raw(&elsewhere).fails(421, "host");
    assert!(!sandbox.root().join("p").exists());
}

#[test]
fn a_key_is_asked_for_and_starting_can_be_off() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &["--api-key", "sesame-sesame", "--disable-task-start"]);
    let refused = daemon.get("/api/v1/tasks");
    assert_eq!(refused.json(), json!({"error": "unauthorized", "message": "valid API key required"}));
    assert!(refused.status == 401 && refused.head.contains("www-authenticate: Bearer realm=\"conductor\""));
    assert_eq!(
        daemon.send("GET", "/api/v1/tasks", "Authorization: Bearer sesame-sesame\r\n", "").status,
        200
    );
    assert_eq!(daemon.send("GET", "/api/v1/tasks", "X-API-Key: sesame-open\r\n", "").status, 401);
    let new = json!({"project_id": "p", "task_id": "t", "agent_type": "quick", "prompt": "x"}).to_string();
    let keyed = format!("{JSON}X-API-Key: sesame-sesame\r\n");
    daemon.send("POST", "/api/v1/tasks", &keyed, &new).fails(503, "--disable-task-start");
    assert!(!sandbox.root().join("p").exists());
    let open = sandbox.run("serve --host 0.0.0.0 --port 0 --root other");
    open.fails(16, "without a key", "--api-key");
}

#[test]
fn a_stop_that_takes_long_is_answered_before_it_is_done() {
    let sandbox = Sandbox::new();
    let _cleanup = Cleanup::of(&format!("HOME={}", sandbox.home().display()));
    agents(
        &sandbox,
        &fake::agent(),
        &[("stays", &["ignore-term", "say:ready", "sleep:120000"])],
        "defaults: {stop_grace: 100s}\n",
    );
    let daemon = Daemon::start(&sandbox, &[]);
    let run = daemon.create("t", "stays");
    let mut stream = daemon.stream(&format!("/api/v1/runs/{run}/stream"), None);
    while stream.next().expect("an event").data["line"] != "ready" {}
    let began = std::time::Instant::now();
    let answer = daemon.post_patiently(&format!("/api/v1/runs/{run}/stop"));
    assert_eq!((answer.status, answer.json()), (202, json!({"status": "stopping"})));
    assert!(began.elapsed().as_secs() >= 20, "{:?}", began.elapsed());
    assert_eq!(daemon.get(&format!("/api/v1/runs/{run}/info")).json()["status"], "running");
    let why = daemon.task("t")["reason"].as_str().expect("a reason").to_owned();
    assert!(why.contains("was asked to stop"), "{why}");
}

#[test]
fn a_task_that_is_being_accepted_at_the_signal_is_accepted_and_answered() {
    let sandbox = sandbox();
    let mut daemon = Daemon::start(&sandbox, &[]);
    let body = json!({"project_id": "p", "task_id": "t", "agent_type": "quick", "prompt": "x"}).to_string();
    let mut stream = daemon.connect();
    let head = format!(
        "POST /api/v1/tasks HTTP/1.1\r\nHost: localhost:{}\r\n{JSON}Content-Length: {}\r\nConnection: close\r\n\r\n",
        daemon.port,
        body.len()
    );
    let (first, second) = body.split_at(10);
    stream
        .write_all(head.as_bytes())
        .and_then(|()| stream.write_all(first.as_bytes()))
        .expect("half a request");
    until("the request is being read", || daemon.get("/api/v1/health").status == 200);
    daemon.signal(nix::sys::signal::Signal::SIGTERM);
    until("the way down has begun", || daemon.log().contains("SIGTERM"));
    stream.write_all(second.as_bytes()).expect("the rest of the request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    let (code, took) = daemon.ended();
    assert!(code == Some(0) && took.as_secs() < 5, "{code:?} {took:?}: {}", daemon.log());

    let daemon = Daemon::start(&sandbox, &[]);
    daemon.until_task("t", "completed");
}
