//! What an operator sees: the audit log, the names of requests, and figures.

use crate::common::{
    Sandbox,
    daemon::{Daemon, agents},
    fake,
};
use serde_json::{Value, json};

const JSON: &str = "Content-Type: application/json\r\n";

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let steps: [(&str, &[&str]); 3] =
        [("quick", &["say:hello", "done"]), ("fails", &["exit:3"]), ("waits", &["say:ready", "sleep:60000"])];
    agents(&sandbox, &fake::agent(), &steps, "defaults: {max_restarts: 0}\n");
    sandbox
}

fn audit(sandbox: &Sandbox) -> Vec<Value> {
    let text =
        std::fs::read_to_string(sandbox.root().join("_audit/form-submissions.jsonl")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).expect("JSON on each line")).collect()
}

#[test]
fn every_accepted_submission_is_written_down_without_its_secrets() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    let post = |path: &str, body: &Value| {
        daemon.send("POST", path, &format!("{JSON}X-Request-ID: req-{}\r\n", path.len()), &body.to_string())
    };
    let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJlLTEyMw";
    let task = json!({"project_id": "p", "task_id": "t", "agent_type": "quick", "prompt": format!("use Bearer abcdef123456 and {jwt}"),
                      "config": {"env.MY_API_KEY": "plain-secret", "model": "m"}});
    let created = post("/api/v1/tasks", &task);
    assert_eq!(created.status, 201, "{created:?}");
    assert!(created.head.contains("x-request-id: req-13\r\n"), "{}", created.head);
    let run = created.json()["run_id"].clone();
    let project = json!({"project_id": "q", "project_root": sandbox.work()});
    assert_eq!(post("/api/projects", &project).status, 201);
    let long = "x".repeat(20_000);
    let v1 = post(
        "/api/v1/messages",
        &json!({"project_id": "p", "task_id": "t", "body": long, "meta": {"password": "hush"}}),
    );
    let on_project = post("/api/projects/p/messages", &json!({"body": "one"}));
    let on_task = post("/api/projects/p/tasks/t/messages", &json!({"body": "two"}));
    // What is refused was not accepted.
    assert_eq!(post("/api/v1/tasks", &task).status, 409);
    assert_eq!(post("/api/projects/p/messages", &json!({"body": ""})).status, 400);

    let entries = audit(&sandbox);
    let told: Vec<_> = entries
        .iter()
        .map(|e| {
            (
                e["endpoint"].as_str().unwrap_or(""),
                &e["project_id"],
                &e["task_id"],
                &e["run_id"],
                &e["message_id"],
            )
        })
        .collect();
    let id = |answer: &crate::common::daemon::Answer| answer.json()["msg_id"].clone();
    let (p, t, q, none) = (json!("p"), json!("t"), json!("q"), Value::Null);
    assert_eq!(
        told,
        [
            ("/api/v1/tasks", &p, &t, &run, &none),
            ("/api/projects", &q, &none, &none, &none),
            ("/api/v1/messages", &p, &t, &none, &id(&v1)),
            ("/api/projects/{project_id}/messages", &p, &none, &none, &id(&on_project)),
            ("/api/projects/{project_id}/tasks/{task_id}/messages", &p, &t, &none, &id(&on_task)),
        ]
    );
    let first = &entries[0];
    assert_eq!((&first["request_id"], &first["correlation_id"]), (&json!("req-13"), &json!("req-13")));
    assert_eq!((&first["method"], &first["path"]), (&json!("POST"), &json!("/api/v1/tasks")));
    assert!(first["timestamp"].as_str().is_some_and(|t| t.ends_with('Z')), "{first}");
    assert!(first["remote_addr"].as_str().is_some_and(|a| a.starts_with("127.0.0.1:")), "{first}");
    assert_eq!(first["payload"]["prompt"], "use Bearer [REDACTED] and [REDACTED]");
    assert_eq!(first["payload"]["config"], json!({"env.MY_API_KEY": "[REDACTED]", "model": "m"}));
    let cut = entries[2]["payload"]["body"].as_str().expect("a body");
    assert!(cut.len() < 5000 && cut.contains("truncated"), "{} bytes", cut.len());
    assert_eq!(entries[2]["payload"]["meta"]["password"], "[REDACTED]");
    assert_eq!(entries[4]["path"], "/api/projects/p/tasks/t/messages");
    let messages = daemon.get("/api/projects/p/tasks/t/messages").json()["messages"].clone();
    let whole = messages.as_array().expect("messages").iter().any(|m| m["body"] == long);
    assert!(whole, "the message itself is not cut");
}

#[test]
fn an_audit_log_that_cannot_be_written_holds_nobody_up() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    std::fs::write(sandbox.root().join("_audit"), "in the way").expect("a file");
    let posted = daemon.post("/api/projects", &json!({"project_id": "q", "project_root": sandbox.work()}));
    assert_eq!(posted.status, 201, "{posted:?}");
    assert!(daemon.log().contains("audit log"), "{}", daemon.log());
}

#[test]
fn every_answer_names_its_request() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    let named = |path: &str, header: &str| {
        let answer = daemon.send("GET", path, header, "");
        let id = answer.head.lines().find_map(|l| l.strip_prefix("x-request-id: ")).map(str::to_owned);
        id.unwrap_or_else(|| panic!("{path}: {answer:?}"))
    };
    for path in ["/api/v1/health", "/api/v1/tasks", "/nothing", "/api/v1/tasks?limit=x", "/metrics"] {
        assert_eq!(named(path, "X-Request-ID: mine-7\r\n"), "mine-7");
        let made = named(path, "");
        let (nanos, random) = made.strip_prefix("req-").and_then(|m| m.split_once('-')).expect("our form");
        assert!(nanos.bytes().all(|b| b.is_ascii_digit()) && random.len() == 12, "{made}");
        assert_ne!(named(path, "X-Request-ID: a b\r\n"), "a b");
    }
}

#[test]
fn figures_are_counted() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &["--api-key", "sesame-sesame"]);
    let key = "X-API-Key: sesame-sesame\r\n";
    let create = |task: &str, agent: &str| {
        let new = json!({"project_id": "p", "task_id": task, "agent_type": agent, "prompt": "x"});
        assert_eq!(
            daemon.send("POST", "/api/v1/tasks", &format!("{JSON}{key}"), &new.to_string()).status,
            201
        );
    };
    let figures = || {
        let answer = daemon.get("/metrics");
        assert!(
            answer.status == 200 && answer.head.contains("content-type: text/plain; version=0.0.4\r\n"),
            "{answer:?}"
        );
        answer.body
    };
    let value = |text: &str, name: &str| -> String {
        let line = text.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(' ')).map(str::to_owned);
        line.unwrap_or_else(|| panic!("no {name} in {text}"))
    };
    let number = |text: &str, name: &str| -> f64 { value(text, name).parse().expect("a number") };
    let before = figures();
    for (name, kind, help) in [
        ("uptime_seconds", "gauge", "Server uptime in seconds"),
        ("active_runs_total", "gauge", "Currently active (running) agent runs"),
        ("completed_runs_total", "counter", "Total completed agent runs since startup"),
        ("failed_runs_total", "counter", "Total failed agent runs since startup"),
        ("messagebus_appends_total", "counter", "Total message bus append operations"),
        ("api_requests_total", "counter", "Total API requests by method and status"),
    ] {
        let head = format!("# HELP conductor_{name} {help}\n# TYPE conductor_{name} {kind}\n");
        assert!(before.contains(&head), "{name}: {before}");
    }
    assert_eq!(value(&before, "conductor_completed_runs_total"), "0");
    create("good", "quick");
    create("bad", "fails");
    create("long", "waits");
    crate::common::daemon::until("the runs have ended", || {
        let now = figures();
        value(&now, "conductor_completed_runs_total") == "1"
            && value(&now, "conductor_failed_runs_total") == "1"
    });
    let appends = number(&figures(), "conductor_messagebus_appends_total");
    assert!(appends >= 5.0, "RUN_START and its like: {appends}");
    let posted =
        daemon.send("POST", "/api/v1/messages", &format!("{JSON}{key}"), r#"{"project_id":"p","body":"x"}"#);
    assert_eq!(posted.status, 201);
    let stream = daemon.connect();
    std::io::Write::write_all(
        &mut &stream,
        format!("GET /api/v1/runs/stream/all HTTP/1.1\r\nHost: localhost\r\n{key}\r\n").as_bytes(),
    )
    .expect("a request");
    crate::common::daemon::until("the stream is counted", || {
        value(&figures(), "conductor_open_streams") == "1"
    });
    let now = figures();
    assert!(number(&now, "conductor_messagebus_appends_total") > appends);
    assert_eq!(value(&now, "conductor_active_runs_total"), "1");
    assert!(number(&now, "conductor_uptime_seconds") > number(&before, "conductor_uptime_seconds"));
    assert_eq!(value(&now, "conductor_api_requests_total{method=\"POST\",status=\"201\"}"), "4");
    let refused = daemon.get("/api/v1/tasks");
    assert_eq!(refused.status, 401);
    assert_eq!(value(&figures(), "conductor_api_requests_total{method=\"GET\",status=\"401\"}"), "1");
    drop(stream);
    crate::common::daemon::until("it is counted no more", || {
        value(&figures(), "conductor_open_streams") == "0"
    });
    daemon.send("DELETE", "/api/v1/tasks/long?project_id=p", key, "");
    crate::common::daemon::until("nothing runs", || value(&figures(), "conductor_active_runs_total") == "0");
}
