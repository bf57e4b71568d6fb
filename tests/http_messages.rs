//! Messages on both APIs: pages of a bus, of all buses of a project, and streams.

use crate::common::{
    Sandbox,
    daemon::{Daemon, Response, agents},
    fake,
};
use serde_json::{Value, json};

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    agents(&sandbox, &fake::agent(), &[("quick", &["say:hello", "done"])], "");
    sandbox
}

fn bodies(answer: &Response) -> Vec<String> {
    assert_eq!(answer.status, 200, "{answer:?}");
    let messages = answer.json()["messages"].as_array().expect("messages").clone();
    messages.iter().map(|m| m["body"].as_str().expect("a body").to_owned()).collect()
}

fn project(daemon: &Daemon, sandbox: &Sandbox) {
    let new = json!({"project_id": "q", "project_root": sandbox.work()});
    assert_eq!(daemon.post("/api/projects", &new).status, 201);
}

#[test]
fn messages_are_posted_to_a_project_and_to_a_task() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    daemon.create("t", "quick");
    daemon.until_task("t", "completed");
    for path in ["/api/projects/p/messages", "/api/projects/p/tasks/t/messages"] {
        let mut stream = daemon.stream(&format!("{path}/stream"), None);
        let posted = daemon.post(path, &json!({"body": "said by hand"}));
        assert_eq!(posted.status, 201, "{posted:?}");
        let posted = posted.json();
        assert_eq!(posted.as_object().expect("an object").len(), 2, "{posted}");
        assert!(posted["timestamp"].is_string(), "{posted}");
        let decision =
            json!({"type": "DECISION", "body": "b", "parents": [posted["msg_id"]], "meta": {"k": 1}});
        assert_eq!(daemon.post(path, &decision).status, 201);
        let messages = daemon.get(path).json()["messages"].as_array().expect("messages").clone();
        let (first, second) = (&messages[messages.len() - 2], &messages[messages.len() - 1]);
        assert_eq!(
            (&first["msg_id"], &first["type"]),
            (&posted["msg_id"], &json!("USER")),
            "USER is the default"
        );
        assert_eq!(
            (&second["type"], &second["parents"], &second["meta"]),
            (&json!("DECISION"), &json!([posted["msg_id"]]), &json!({"k": 1}))
        );
        let event =
            std::iter::from_fn(|| stream.next()).find(|e| e.data["body"] == "said by hand").expect("it");
        assert_eq!(
            (event.name.as_deref(), event.id.as_deref()),
            (Some("message"), posted["msg_id"].as_str())
        );
        for (body, text) in [
            (json!({}), "body"),
            (json!({"body": ""}), "empty"),
            (json!({"body": "x", "type": "A B"}), "message type"),
            (json!({"body": "x", "project_id": "p"}), "unknown field"),
        ] {
            daemon.post(path, &body).fails(400, text);
        }
    }
    daemon.post("/api/projects/absent/messages", &json!({"body": "x"})).fails(404, "project absent");
    daemon.post("/api/projects/p/tasks/absent/messages", &json!({"body": "x"})).fails(404, "task p/absent");
    assert!(!sandbox.root().join("absent").exists() && !sandbox.root().join("p/absent").exists());
}

#[test]
fn a_bus_is_read_page_by_page_in_both_directions() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    project(&daemon, &sandbox);
    let mut ids = Vec::new();
    let mut times = Vec::new();
    for n in 0..10 {
        let posted = daemon.post("/api/projects/q/messages", &json!({"body": n.to_string()})).json();
        ids.push(posted["msg_id"].as_str().expect("an id").to_owned());
        times.push(posted["timestamp"].as_str().expect("a time").to_owned());
    }
    for path in ["/api/projects/q/messages?", "/api/v1/messages?project_id=q&"] {
        let get = |query: &str| daemon.get(&format!("{path}{query}"));
        assert_eq!(bodies(&get("")).len(), 10);
        assert_eq!(bodies(&get("limit=2")), ["8", "9"], "the last ones");
        assert_eq!(bodies(&get(&format!("after={}&limit=2", ids[3]))), ["4", "5"]);
        assert_eq!(bodies(&get(&format!("since={}", ids[7]))), ["8", "9"]);
        assert_eq!(bodies(&get(&format!("before={}&limit=2", ids[3]))), ["1", "2"]);
        assert_eq!(bodies(&get(&format!("after={}", ids[9]))), [""; 0]);
        let since = bodies(&get(&format!("since={}", times[4])));
        assert!(since.len() <= 6 && since.last().is_some_and(|b| b == "9"), "{since:?}");
        assert_eq!(get(&format!("after={}&limit=2", ids[3])).json()["more"], true);
        for (query, text) in [
            ("limit=0", "limit"),
            ("limit=5001", "limit"),
            ("limit=many", "limit"),
            ("after=@x", "after"),
            ("since=yesterday%20at%20noon", "since"),
            (&format!("after={}&before={}", ids[1], ids[3]), "use only one"),
            ("scope=most", "scope"),
        ] {
            get(query).fails(400, text);
        }
        for query in ["after=MSG-1", "before=MSG-1", "since=MSG-1"] {
            get(query).fails(404, "MSG-1");
        }
    }
}

#[test]
fn the_buses_of_a_project_are_one_on_request() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    daemon.create("a", "quick");
    daemon.create("b", "quick");
    daemon.until_task("a", "completed");
    daemon.until_task("b", "completed");
    let mut last = Value::Null;
    for n in 0..9 {
        let path = [
            "/api/projects/p/messages",
            "/api/projects/p/tasks/a/messages",
            "/api/projects/p/tasks/b/messages",
        ][n % 3];
        let posted = daemon.post(path, &json!({"body": format!("n{n}")})).json();
        if n == 2 {
            last = posted["msg_id"].clone();
        }
    }
    let own = bodies(&daemon.get("/api/v1/messages?project_id=p"));
    let said: Vec<&String> = own.iter().filter(|b| b.starts_with('n')).collect();
    assert_eq!(said, ["n0", "n3", "n6"], "the project's bus alone");
    let all = bodies(&daemon.get("/api/v1/messages?project_id=p&scope=all&limit=9"));
    assert_eq!(all, (0..9).map(|n| format!("n{n}")).collect::<Vec<_>>());
    // Page by page, after a message of any bus.
    let (mut at, mut seen) = (last.as_str().expect("an id").to_owned(), Vec::new());
    loop {
        let page = daemon.get(&format!("/api/projects/p/messages?scope=all&limit=2&after={at}"));
        seen.extend(bodies(&page));
        let page = page.json();
        let Some(last) = page["messages"].as_array().and_then(|m| m.last()) else { break };
        at = last["msg_id"].as_str().expect("an id").to_owned();
        assert_eq!(page["more"] == true, seen.len() < 6, "{seen:?}");
    }
    assert_eq!(seen, (3..9).map(|n| format!("n{n}")).collect::<Vec<_>>());
    daemon.get("/api/v1/messages?project_id=p&task_id=a&scope=all").fails(400, "scope");
    daemon.get("/api/v1/messages?project_id=p&scope=all&after=MSG-1").fails(404, "MSG-1");
}

#[test]
fn a_line_by_hand_and_a_damaged_one_look_the_same_on_every_face() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    daemon.create("t", "quick");
    daemon.until_task("t", "completed");
    let path = "/api/projects/p/tasks/t/messages";
    let post = |body: &str| assert_eq!(daemon.post(path, &json!({"body": body})).status, 201);
    post("whole");
    let bus = sandbox.root().join("p/t/TASK-MESSAGE-BUS.jsonl");
    let mut lines = std::fs::read_to_string(&bus).expect("a bus");
    lines.push_str("{\"body\":\"by hand\"}\n");
    std::fs::write(&bus, &lines).expect("written");
    post("flipped");
    let lines = std::fs::read_to_string(&bus).expect("a bus");
    std::fs::write(&bus, lines.replace("\"body\":\"flipped\"", "\"body\":\"glipped\"")).expect("written");

    let of = |messages: &[Value]| -> Vec<Value> {
        let last = &messages[messages.len() - 3..];
        last.iter().map(|m| json!([m["body"], m["timestamp"], m["damaged"], m["crc"], m["extra"]])).collect()
    };
    let listed = daemon.get(path).json()["messages"].as_array().expect("messages").clone();
    let expected = of(&listed);
    let time = &expected[0][1];
    assert!(time.as_str().is_some_and(|time| time.starts_with("20")), "{time}");
    assert_eq!(
        expected[..2],
        [json!(["whole", time, null, null, null]), json!(["by hand", time, null, null, null])]
    );
    assert_eq!((&expected[2][0], &expected[2][2]), (&json!("glipped"), &json!(true)));
    for query in ["?limit=3", "?limit=100"] {
        let page = daemon.get(&format!("{path}{query}")).json();
        assert_eq!(of(page["messages"].as_array().expect("messages")), expected, "{query}");
    }
    let all = daemon.get("/api/projects/p/messages?scope=all&limit=100").json();
    let all: Vec<Value> = all["messages"].as_array().expect("messages").clone();
    let all: Vec<Value> = all.into_iter().filter(|m| m["task_id"] == "t" && m["type"] != "FACT").collect();
    assert_eq!(of(&all), expected);
    let mut stream = daemon.stream(&format!("{path}/stream"), None);
    let streamed: Vec<Value> = (0..listed.len()).map(|_| stream.next().expect("a message").data).collect();
    assert_eq!(of(&streamed), expected);
    let printed = sandbox.run("bus read --project p --task t --json").succeeds();
    let printed: Vec<Value> = printed.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    assert_eq!(of(&printed), expected);
    let text = sandbox.run("bus read --project p --task t --tail 1").succeeds();
    assert!(text.lines().next().is_some_and(|head| head.ends_with(" damaged")), "{text}");
}

#[test]
fn a_line_by_hand_hides_no_earlier_request() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    daemon.create("t", "quick");
    daemon.until_task("t", "completed");
    let headers = "Content-Type: application/json\r\nIdempotency-Key: k1\r\n";
    let post = || daemon.send("POST", "/api/projects/p/tasks/t/messages", headers, r#"{"body":"once"}"#);
    let first = post();
    assert_eq!(first.status, 201, "{first:?}");
    let bus = sandbox.root().join("p/t/TASK-MESSAGE-BUS.jsonl");
    let mut lines = std::fs::read_to_string(&bus).expect("a bus");
    // Neither line has a time.
    lines.push_str(
        "{\"body\":\"by hand\"}\n{\"timestamp\":\"0001-01-01T00:00:00Z\",\"body\":\"of a zero date\"}\n",
    );
    std::fs::write(&bus, lines).expect("written");
    assert_eq!(post().json()["msg_id"], first.json()["msg_id"]);
}
