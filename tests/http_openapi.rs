//! `/openapi.json` and `/docs`, checked against the daemon's real answers.

use serde_json::{Value, json};

use crate::common::{
    Sandbox,
    daemon::{Daemon, Response, agents},
    fake,
};

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    agents(&sandbox, &fake::agent(), &[("quick", &["say:hello", "done"])], "");
    sandbox
}

/// Every operation of the document, with its method and path.
fn operations(document: &Value) -> Vec<(String, &str, &Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let all = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().expect("operations");
        methods.iter().map(move |(method, operation)| (method.to_ascii_uppercase(), path.as_str(), operation))
    });
    all.collect()
}

/// Fails if an answer is not documented for its operation.
#[track_caller]
fn conforms(document: &Value, method: &str, path: &str, answer: &Response) {
    let operation = &document["paths"][path][method.to_ascii_lowercase()];
    let mut response = &operation["responses"][answer.status.to_string()];
    assert!(!response.is_null(), "{method} {path} documents no {}: {answer:?}", answer.status);
    // Errors are defined once, and referenced.
    if let Some(name) = response["$ref"].as_str() {
        response = document.pointer(name.trim_start_matches('#')).expect("what is referred to");
    }
    let schema = &response["content"]["application/json"]["schema"];
    assert!(!schema.is_null(), "{method} {path} documents no JSON for {}", answer.status);
    let schema = json!({ "allOf": [schema], "components": document["components"] });
    let validator = jsonschema::draft202012::new(&schema).expect("a schema");
    let body = answer.json();
    let wrong: Vec<String> =
        validator.iter_errors(&body).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(wrong.is_empty(), "{method} {path}: {wrong:#?}\n{body:#}");
}

#[test]
fn every_documented_operation_is_served() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    let document = daemon.get("/openapi.json").json();
    assert_eq!(document["openapi"], "3.1.0");
    let absent = "20990101-0000000000-1-0001";
    for (method, path, _) in operations(&document) {
        if path == "/openapi.json" || method == "GET" && !path.contains('{') && path.contains("stream") {
            continue;
        }
        let asked = path.replace("{run_id}", absent).replace('{', "no-").replace('}', "");
        let answer = daemon.send(&method, &asked, "", "");
        assert_ne!(answer.status, 405, "{method} {path}: {answer:?}");
        assert!(!answer.body.contains("no such route"), "{method} {path}: {answer:?}");
        if answer.head.contains("application/json") {
            conforms(&document, &method, path, &answer);
        }
    }
}

#[test]
fn answers_are_of_their_documented_types() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    let document = daemon.get("/openapi.json").json();
    let run = daemon.create("t", "quick");
    daemon.until_task("t", "completed");
    let message = json!({"body": "hello", "parents": ["MSG-1"], "meta": {"a": 1}});
    for (method, path) in [
        ("POST", "/api/projects/{project_id}/messages"),
        ("POST", "/api/projects/{project_id}/tasks/{task_id}/messages"),
        ("GET", "/healthz"),
        ("GET", "/api/v1/health"),
        ("GET", "/api/v1/version"),
        ("GET", "/api/v1/status"),
        ("GET", "/api/v1/auth"),
        ("GET", "/api/v1/auth/keys"),
        ("GET", "/api/v1/tasks"),
        ("GET", "/api/v1/tasks/{task_id}"),
        ("GET", "/api/v1/runs"),
        ("GET", "/api/v1/runs/{run_id}"),
        ("GET", "/api/v1/runs/{run_id}/info"),
        ("GET", "/api/v1/messages"),
        ("GET", "/api/projects"),
        ("GET", "/api/projects/home-dirs"),
        ("GET", "/api/projects/{project_id}"),
        ("GET", "/api/projects/{project_id}/stats"),
        ("GET", "/api/projects/{project_id}/runs/flat"),
        ("GET", "/api/projects/{project_id}/messages"),
        ("GET", "/api/projects/{project_id}/tasks"),
        ("GET", "/api/projects/{project_id}/tasks/{task_id}"),
        ("GET", "/api/projects/{project_id}/tasks/{task_id}/file"),
        ("GET", "/api/projects/{project_id}/tasks/{task_id}/messages"),
        ("GET", "/api/projects/{project_id}/tasks/{task_id}/runs"),
        ("GET", "/api/projects/{project_id}/tasks/{task_id}/runs/{run_id}"),
        ("GET", "/api/projects/{project_id}/tasks/{task_id}/runs/{run_id}/file"),
        ("POST", "/api/projects/{project_id}/gc"),
        ("POST", "/api/projects/{project_id}/tasks/{task_id}/resume"),
    ] {
        let asked = path.replace("{project_id}", "p").replace("{task_id}", "t").replace("{run_id}", &run);
        let name = if path.contains("{run_id}/file") { "stdout" } else { "TASK.md" };
        let query = format!("?project_id=p&dry_run&include_files&name={name}");
        let answer = if path.ends_with("/messages") && method == "POST" {
            daemon.post(&asked, &message)
        } else {
            daemon.send(method, &(asked + &query), "", "")
        };
        assert!((200..300).contains(&answer.status), "{method} {path}: {answer:?}");
        conforms(&document, method, path, &answer);
    }
}

#[test]
fn what_is_there_already_is_not_sent_again() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    for path in ["/openapi.json", "/docs", "/docs/style.css"] {
        let whole = daemon.get(path);
        assert!(whole.status == 200 && whole.body.len() > 1000, "{path}: {}", whole.head);
        let tag = whole.head.lines().find_map(|l| l.strip_prefix("etag: ")).expect("a tag");
        let again = daemon.send("GET", path, &format!("If-None-Match: {tag}\r\n"), "");
        assert_eq!((again.status, again.body.as_str()), (304, ""), "{path}");
        let other = daemon.send("GET", path, "If-None-Match: \"other\"\r\n", "");
        assert_eq!(other.status, 200, "{path}");
    }
}

#[test]
fn the_head_of_everything_can_be_had_alone() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    let run = daemon.create("t", "quick");
    daemon.until_task("t", "completed");
    for path in ["/api/v1/tasks", "/docs", "/metrics", "/api/v1/runs/nobody", "/nowhere"] {
        let (head, whole) = (daemon.send("HEAD", path, "", ""), daemon.get(path));
        assert_eq!((head.status, head.body.as_str()), (whole.status, ""), "{path}");
        let of = |answer: &Response, name: &str| {
            answer.head.lines().find_map(|l| l.strip_prefix(name)).map(str::to_owned)
        };
        assert_eq!(of(&head, "content-type: "), of(&whole, "content-type: "), "{path}");
        assert!(of(&head, "content-length: ").is_some(), "{path}: {}", head.head);
    }
    // HEAD does not open the stream.
    for path in [format!("/api/v1/runs/{run}/stream"), "/api/v1/runs/stream/all".to_owned()] {
        let head = daemon.send("HEAD", &path, "", "");
        assert!(head.status == 200 && head.head.contains("text/event-stream"), "{head:?}");
    }
    assert!(daemon.get("/metrics").body.contains("conductor_open_streams 0"));
    let options = daemon.send("OPTIONS", "/api/v1/tasks", "", "");
    assert!(options.status == 204 && options.head.contains("allow: GET, HEAD, POST, OPTIONS"), "{options:?}");
}
