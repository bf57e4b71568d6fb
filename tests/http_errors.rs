//! Errors say what is wrong and where, and change nothing.

use std::io::Write as _;

use serde_json::json;

use crate::common::{
    Sandbox,
    daemon::{Daemon, agents, until},
    fake,
};

const JSON: &str = "Content-Type: application/json\r\n";

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    agents(&sandbox, &fake::agent(), &[("quick", &["done"])], "");
    sandbox
}

#[test]
fn a_body_that_is_wrong_is_told_by_field_line_and_column() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    for (body, said) in [
        ("{\"project_id\": \"p\",\n  oops}", vec!["line 2 column 3"]),
        (r#"{"project_id": 7}"#, vec!["at project_id", "line 1 column"]),
        (r#"{"project_id": "p", "task_id": "../x"}"#, vec!["at task_id", "task id"]),
        (r#"{"project_id": "p", "task_id": "t", "depends_on": ["a", 1]}"#, vec!["at depends_on[1]"]),
        (r#"{"project_id": "p", "colour": 1}"#, vec!["unknown field `colour`", "line 1 column"]),
        ("null", vec!["line 1 column"]),
        ("[]", vec!["line 1 column"]),
        (r#"{"project_id": "p"} {}"#, vec!["line 1 column"]),
        ("\u{feff}{}", vec!["line 1 column 1"]),
    ] {
        let answer = daemon.send("POST", "/api/v1/tasks", JSON, body);
        assert_eq!(answer.status, 400, "{body}: {answer:?}");
        let error = answer.json()["error"].as_str().expect("an error").to_owned();
        assert!(said.iter().all(|said| error.contains(said)), "{body}: {error}");
    }
    assert_eq!(daemon.get("/api/v1/tasks").json()["tasks"], json!([]));
}

#[test]
fn a_parameter_that_is_wrong_is_told_by_name() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    daemon.create("t", "quick");
    for (path, name) in [
        ("/api/v1/tasks?limit=0", "limit"),
        ("/api/v1/tasks?limit=x", "limit"),
        ("/api/v1/tasks?limit=-1", "limit"),
        ("/api/v1/tasks?limit=99999999999999999999", "limit"),
        ("/api/v1/tasks?limit=1&limit=2", "limit"),
        ("/api/v1/tasks?status=bored", "status"),
        ("/api/v1/tasks?since=yesterday", "since"),
        ("/api/v1/tasks?sort=size", "sort"),
        ("/api/v1/tasks?cursor=nonsense", "cursor"),
        ("/api/v1/tasks?project_id=a%2Fb", "project_id"),
        ("/api/v1/tasks/t", "project_id"),
        ("/api/v1/messages?project_id=p&scope=both", "scope"),
        ("/api/projects/p/tasks/t?include_files=perhaps", "include_files"),
        ("/api/projects/p/tasks/t/file?name=passwd", "name"),
        ("/api/v1/tasks?x=%ff", "UTF-8"),
        ("/api/projects/%ff", "project id"),
        ("/api/projects/a%00b", "project id"),
        ("/api/projects/p/tasks/t%2F..%2Fx", "task id"),
    ] {
        daemon.get(path).fails(400, name);
    }
    // An undeclared parameter is ignored, and an escaped plain letter is that letter.
    assert_eq!(daemon.get("/api/v1/tasks?colour=red").status, 200);
    assert_eq!(daemon.get("/api/projects/%70/tasks/%74").status, 200);
    let twice = "Last-Event-ID: a\r\nLast-Event-ID: b\r\n";
    daemon.send("GET", "/api/v1/runs/stream/all", twice, "").fails(400, "Last-Event-ID");
}

#[test]
fn a_body_that_comes_in_pieces_is_no_larger_for_that() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    let mut stream = daemon.connect();
    let head = format!(
        "POST /api/v1/tasks HTTP/1.1\r\nHost: localhost:{}\r\nConnection: close\r\n{JSON}Transfer-Encoding: chunked\r\n\r\n",
        daemon.port
    );
    stream.write_all(head.as_bytes()).expect("it is taken");
    let piece = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    // The daemon may close before everything is sent.
    for _ in 0..200 {
        if stream.write_all(piece.as_bytes()).is_err() {
            break;
        }
    }
    let mut answer = Vec::new();
    let _ = std::io::Read::read_to_end(&mut stream, &mut answer);
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert_eq!(daemon.get("/api/v1/tasks").json()["tasks"], json!([]));
}

#[test]
fn who_hangs_up_changes_nothing() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    // The whole request was sent, so it is executed, even if the client does not wait for the answer.
    let body =
        json!({"project_id": "p", "task_id": "t", "agent_type": "quick", "prompt": "work"}).to_string();
    let head = format!(
        "POST /api/v1/tasks HTTP/1.1\r\nHost: localhost:{}\r\n{JSON}Content-Length: {}\r\n\r\n",
        daemon.port,
        body.len()
    );
    let mut stream = daemon.connect();
    stream.write_all((head.clone() + &body).as_bytes()).expect("it is taken");
    // Disconnects once the daemon works on the request.
    until("the task is being made", || sandbox.root().join("p/t").exists());
    drop(stream);
    daemon.until_task("t", "completed");
    // Only half of the request was sent: nothing is done.
    let half = body.replace("\"t\"", "\"half\"");
    let mut stream = daemon.connect();
    stream.write_all((head + &half[..half.len() / 2]).as_bytes()).expect("it is taken");
    drop(stream);
    let tasks = daemon.get("/api/v1/tasks").json();
    assert_eq!(tasks["tasks"].as_array().map(Vec::len), Some(1), "{tasks}");
    assert!(!sandbox.root().join("p/half").exists());
}
