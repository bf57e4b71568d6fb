//! Tasks that answer a message, and repeated requests.

use crate::common::{
    Sandbox,
    daemon::{Daemon, Response, agents},
    fake,
};
use serde_json::{Value, json};

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let steps: [(&str, &[&str]); 2] =
        [("quick", &["say:hello", "done"]), ("waits", &["say:ready", "sleep:60000"])];
    agents(&sandbox, &fake::agent(), &steps, "");
    sandbox
}

fn messages(daemon: &Daemon, task: &str) -> Vec<Value> {
    daemon.get(&format!("/api/projects/p/tasks/{task}/messages")).json()["messages"]
        .as_array()
        .expect("messages")
        .clone()
}

#[test]
fn a_question_is_answered_by_a_task() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    let run = daemon.create("parent", "quick");
    daemon.until_task("parent", "completed");
    let post = |kind: &str| {
        let message = json!({"type": kind, "body": "which one?", "run_id": run});
        daemon.post("/api/projects/p/tasks/parent/messages", &message).json()["msg_id"]
            .as_str()
            .expect("an id")
            .to_owned()
    };
    let (question, progress) = (post("QUESTION"), post("PROGRESS"));
    let parent =
        |message: &str| json!({"project_id": "p", "task_id": "parent", "run_id": run, "message_id": message});
    let new = |task: &str, parent: Value| {
        json!({"project_id": "p", "task_id": task, "agent_type": "quick", "prompt": "the second one",
               "thread_parent": parent, "thread_message_type": "USER_REQUEST"})
    };
    let with = |parent: Value, key: &str, value: &str| {
        let mut parent = parent;
        parent[key] = value.into();
        new("child", parent)
    };
    let absent = "20260101-0000000000-1-0001";
    for (body, status, text) in [
        (new("child", parent("MSG-20260101-000000-000000000-PID00001-0001")), 404, "message MSG-20260101"),
        (with(parent(&question), "task_id", "absent"), 404, "task p/absent"),
        (with(parent(&question), "project_id", "absent"), 404, "absent"),
        (with(parent(&question), "run_id", absent), 404, absent),
        (with(parent(&question), "message_id", ""), 400, "message id"),
        (new("child", parent(&progress)), 409, "PROGRESS"),
        (new("child", json!({"project_id": "p"})), 400, "task_id"),
    ] {
        daemon.post("/api/v1/tasks", &body).fails(status, text);
        assert!(!sandbox.root().join("p/child").exists(), "{text}");
    }
    let mut wrong = new("child", parent(&question));
    wrong["thread_message_type"] = "USER".into();
    daemon.post("/api/v1/tasks", &wrong).fails(400, "USER_REQUEST");
    let mut alone = new("child", Value::Null);
    daemon.post("/api/v1/tasks", &alone).fails(400, "thread_parent");
    alone.as_object_mut().expect("an object").remove("thread_message_type");

    let created = daemon.post("/api/v1/tasks", &new("child", parent(&question)));
    assert_eq!(created.status, 201, "{created:?}");
    daemon.until_task("child", "completed");
    let link =
        std::fs::read_to_string(sandbox.root().join("p/child/TASK-THREAD-LINK.yaml")).expect("the link");
    assert!(link.contains(&question) && link.contains("task_id: parent"), "{link}");
    let request = &messages(&daemon, "child")[0];
    assert_eq!((&request["type"], &request["body"]), (&json!("USER_REQUEST"), &json!("the second one")));
    assert_eq!(
        (&request["parents"], &request["meta"]["thread_parent"]),
        (&json!([question]), &parent(&question))
    );
    let backlinks = || {
        let all = messages(&daemon, "parent");
        all.into_iter().filter(|m| m["meta"]["thread_child"]["task_id"] == "child").collect::<Vec<_>>()
    };
    let back = backlinks();
    assert_eq!((back.len(), &back[0]["parents"]), (1, &json!([question])));
    assert!(back[0]["body"].as_str().is_some_and(|b| b.contains("p/child")), "{back:?}");
    let item = daemon.get("/api/projects/p/tasks/child").json();
    assert_eq!(item["thread_parent"], parent(&question));
    // A fact may be answered, too, and several tasks may answer one message.
    let fact = post("FACT");
    assert_eq!(daemon.post("/api/v1/tasks", &new("other", parent(&fact))).status, 201);
    assert_eq!(daemon.post("/api/v1/tasks", &new("third", parent(&question))).status, 201);
    daemon.until_task("other", "completed");
    daemon.until_task("third", "completed");
    assert_eq!(backlinks().len(), 1);
}

#[test]
fn a_backlink_that_a_crash_cut_off_is_made_up_for() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    let run = daemon.create("parent", "quick");
    daemon.until_task("parent", "completed");
    let ask = json!({"type": "QUESTION", "body": "which one?", "run_id": run});
    let question = daemon.post("/api/projects/p/tasks/parent/messages", &ask).json()["msg_id"].clone();
    let bus = sandbox.root().join("p/parent/TASK-MESSAGE-BUS.jsonl");
    let before = std::fs::read(&bus).expect("the bus");
    let new = json!({"project_id": "p", "task_id": "child", "agent_type": "waits", "prompt": "x",
                     "thread_parent": {"project_id": "p", "task_id": "parent", "run_id": run, "message_id": question}});
    assert_eq!(daemon.post("/api/v1/tasks", &new).status, 201);
    daemon.kill();
    assert!(std::fs::read(&bus).expect("the bus").len() > before.len());
    std::fs::write(&bus, before).expect("the bus as a crash leaves it");
    let daemon = Daemon::start(&sandbox, &[]);
    crate::common::daemon::until("the parent's bus names the child", || {
        messages(&daemon, "parent").iter().filter(|m| m["meta"]["thread_child"]["task_id"] == "child").count()
            == 1
    });
    daemon.send("DELETE", "/api/v1/tasks/child?project_id=p", "", "");
    daemon.until_task("child", "stopped");
}

#[test]
fn a_request_that_is_sent_again_is_done_once() {
    let sandbox = sandbox();
    let mut daemon = Daemon::start(&sandbox, &[]);
    let send = |daemon: &Daemon, path: &str, key: &str, body: &Value| -> Response {
        let headers = format!("Content-Type: application/json\r\nIdempotency-Key: {key}\r\n");
        daemon.send("POST", path, &headers, &body.to_string())
    };
    let task = json!({"project_id": "p", "task_id": "t", "agent_type": "quick", "prompt": "x"});
    let first = send(&daemon, "/api/v1/tasks", "k-1", &task);
    assert!(first.status == 201 && !first.head.contains("idempotency-replayed"), "{first:?}");
    daemon.until_task("t", "completed");
    for _ in 0..2 {
        let again = send(&daemon, "/api/v1/tasks", "k-1", &task);
        assert!(again.status == 201 && again.head.contains("idempotency-replayed: true"), "{again:?}");
        assert_eq!(again.json()["run_id"], first.json()["run_id"]);
        // The rule holds across daemons.
        daemon.kill();
        daemon = Daemon::start(&sandbox, &[]);
    }
    let mut other = task.clone();
    other["prompt"] = "y".into();
    send(&daemon, "/api/v1/tasks", "k-1", &other).fails(422, "k-1");
    send(&daemon, "/api/v1/tasks", "k-2", &task).fails(409, "task p/t");
    send(&daemon, "/api/v1/tasks", "a b", &task).fails(400, "Idempotency-Key");
    assert_eq!(daemon.task("t")["runs"].as_array().map(Vec::len), Some(1));

    // Concurrent requests.
    let twin = json!({"project_id": "p", "task_id": "twin", "agent_type": "quick", "prompt": "x"});
    let answers: Vec<Response> = std::thread::scope(|scope| {
        let calls: Vec<_> =
            (0..6).map(|_| scope.spawn(|| send(&daemon, "/api/v1/tasks", "k-3", &twin))).collect();
        calls.into_iter().map(|c| c.join().expect("an answer")).collect()
    });
    let done: Vec<&Response> = answers.iter().filter(|a| a.status == 201).collect();
    assert!(!done.is_empty() && answers.iter().all(|a| a.status == 201 || a.status == 409), "{answers:?}");
    assert!(done.iter().all(|a| a.json()["run_id"] == done[0].json()["run_id"]));
    daemon.until_task("twin", "completed");
    assert_eq!(daemon.task("twin")["runs"].as_array().map(Vec::len), Some(1));

    let message = json!({"type": "FACT", "body": "once"});
    let path = "/api/projects/p/tasks/t/messages";
    let first = send(&daemon, path, "m-1", &message);
    let again = send(&daemon, path, "m-1", &message);
    assert_eq!((first.status, again.status, first.json()), (201, 201, again.json()));
    assert!(again.head.contains("idempotency-replayed: true"), "{again:?}");
    send(&daemon, path, "m-1", &json!({"type": "FACT", "body": "twice"})).fails(422, "m-1");
    let said = messages(&daemon, "t").iter().filter(|m| m["body"] == "once").count();
    assert_eq!(said, 1);
}

#[test]
fn a_task_is_resumed_once_by_one_request_and_an_attached_one_stays_ours() {
    let sandbox = sandbox();
    let mut daemon = Daemon::start(&sandbox, &[]);
    let send = |daemon: &Daemon, mode: &str, key: &str, prompt: &str| -> Response {
        let body = json!({
            "project_id": "p", "task_id": "t", "agent_type": "quick", "prompt": prompt, "attach_mode": mode,
        });
        let headers = format!("Content-Type: application/json\r\nIdempotency-Key: {key}\r\n");
        daemon.send("POST", "/api/v1/tasks", &headers, &body.to_string())
    };
    let first = send(&daemon, "attach", "a-1", "x");
    assert_eq!(first.status, 201, "{first:?}");
    daemon.until_task("t", "completed");
    let again = send(&daemon, "attach", "a-1", "x");
    assert!(again.status == 201 && again.head.contains("idempotency-replayed: true"), "{again:?}");
    assert_eq!(again.json()["run_id"], first.json()["run_id"]);
    send(&daemon, "attach", "a-2", "x").fails(409, "has ended");

    let second = send(&daemon, "resume", "r-1", "x");
    assert!(second.status == 201 && !second.head.contains("idempotency-replayed"), "{second:?}");
    assert_ne!(second.json()["run_id"], first.json()["run_id"]);
    for _ in 0..2 {
        daemon.until_task("t", "completed");
        let again = send(&daemon, "resume", "r-1", "x");
        assert!(again.status == 201 && again.head.contains("idempotency-replayed: true"), "{again:?}");
        assert_eq!(again.json()["run_id"], second.json()["run_id"]);
        daemon.kill();
        daemon = Daemon::start(&sandbox, &[]);
    }
    send(&daemon, "resume", "r-1", "y").fails(422, "r-1");
    assert_eq!(daemon.task("t")["runs"].as_array().map(Vec::len), Some(2));
    assert_eq!(send(&daemon, "resume", "r-2", "x").status, 201, "another request is another one");
    daemon.until_task("t", "completed");
    assert_eq!(daemon.task("t")["runs"].as_array().map(Vec::len), Some(3));
    let fsck = sandbox.run("fsck");
    assert_eq!(fsck.code, 0, "{fsck:?}");
}

#[test]
fn each_attach_mode_means_what_it_says() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    let new = |mode: &str| {
        let new = json!({"project_id": "p", "task_id": "t", "agent_type": "waits", "prompt": "x", "attach_mode": mode});
        daemon.post("/api/v1/tasks", &new)
    };
    // A missing task is created, whatever the mode.
    let first = new("attach").json()["run_id"].clone();
    new("create").fails(409, "task p/t");
    assert_eq!(new("attach").json()["run_id"], first, "its live loop is ours");
    assert_eq!(new("resume").status, 400, "a live task is not resumed");
    daemon.send("DELETE", "/api/v1/tasks/t?project_id=p", "", "");
    daemon.until_task("t", "stopped");
    new("create").fails(409, "task p/t");
    new("attach").fails(409, "has ended");
    let second = new("resume");
    assert_eq!(second.status, 201, "{second:?}");
    assert_ne!(second.json()["run_id"], first);
    daemon.send("DELETE", "/api/v1/tasks/t?project_id=p", "", "");
    daemon.until_task("t", "stopped");
}
