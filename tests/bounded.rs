//! Clients that ask for much and read little: the daemon's memory and its descriptors have limits, and everything that
//! it holds for such a client comes back.

#![expect(clippy::expect_used, reason = "a test that cannot prepare itself has failed")]

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::common::{
    Sandbox,
    daemon::{Daemon, agents, until},
    fake, processes,
};

/// The memory that a daemon may have in use at any time, in KiB.
const MOST: u64 = 150 << 10;

fn soak() -> bool {
    std::env::var_os("CONDUCTOR_SOAK").is_some()
}

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let steps: [(&str, &[&str]); 2] =
        [("quick", &["say:hello", "done"]), ("waits", &["say:ready", "wait-for:../go", "done"])];
    agents(&sandbox, &fake::agent(), &steps, "");
    sandbox
}

/// A daemon with a task `t` that has ended, and the run of it.
fn daemon_with_task(sandbox: &Sandbox) -> (Daemon, String) {
    let daemon = Daemon::start(sandbox, &[]);
    let run = daemon.create("t", "quick");
    daemon.until_task("t", "completed");
    (daemon, run)
}

/// Fills the bus of `t` with messages that have this body and this `meta`.
fn fill(sandbox: &Sandbox, count: usize, body: &str, meta: &str) {
    let mut text = String::new();
    for n in 0..count {
        let (second, nano) = (n / 1000, n % 1000);
        let _ = writeln!(
            text,
            r#"{{"msg_id":"MSG-20260201-10{:02}{:02}-{nano:09}-PID00001-0001","timestamp":"2026-02-01T10:00:00.000000Z","type":"FACT","project_id":"p","task_id":"t","meta":{meta},"body":"{n} {body}"}}"#,
            second / 60,
            second % 60,
        );
    }
    fs::write(sandbox.root().join("p/t/TASK-MESSAGE-BUS.jsonl"), text).expect("the bus");
    // The end of the task is on this one.
    fs::write(sandbox.root().join("p/PROJECT-MESSAGE-BUS.jsonl"), "").expect("the project's bus");
}

/// A JSON object with an array of very many numbers, of about this size. As values they would take thirty times as much.
fn numbers(bytes: usize) -> String {
    format!("{{\"numbers\":[{}0]}}", "0,".repeat(bytes / 2))
}

/// Sends requests for a path on connections of their own, and reads nothing.
fn ask_and_read_nothing(daemon: &Daemon, path: &str, count: usize) -> Vec<TcpStream> {
    let ask = |_| {
        let mut stream = daemon.connect();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost:{}\r\n\r\n", daemon.port).expect("a request");
        stream
    };
    (0..count).map(ask).collect()
}

/// Waits until the daemon does nothing any more: all buffers are full.
fn settle(daemon: &Daemon) {
    let cpu = || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", daemon.pid())).expect("a live process");
        let fields: Vec<String> =
            stat.rsplit_once(')').expect("its name").1.split_whitespace().map(str::to_owned).collect();
        fields[11].parse::<u64>().expect("utime") + fields[12].parse::<u64>().expect("stime")
    };
    let mut before = cpu();
    until("the daemon is idle", || {
        thread::sleep(Duration::from_millis(300));
        let now = cpu();
        now <= std::mem::replace(&mut before, now) + 1
    });
}

/// Checks the largest memory so far, and that another client is answered.
#[track_caller]
fn is_bounded(daemon: &Daemon, what: &str) {
    let peak = processes::status(daemon.pid(), "VmHWM");
    assert!(peak < MOST, "{what}: {peak} KiB");
    let began = Instant::now();
    assert_eq!(daemon.get("/api/v1/health").status, 200);
    assert!(began.elapsed() < Duration::from_secs(5), "{what}: {:?}", began.elapsed());
}

#[test]
fn heavy_lists_of_messages_that_are_not_read_cost_little_and_one_that_is_read_is_whole() {
    let (clients, count) = if soak() { (20, 5000) } else { (20, 1000) };
    let sandbox = sandbox();
    let (daemon, _) = daemon_with_task(&sandbox);
    fill(&sandbox, count, &"x".repeat(40_000), r#"{"k":1}"#);
    let own = "/api/v1/messages?project_id=p&task_id=t&limit=5000";
    let stalled = ask_and_read_nothing(&daemon, own, clients);
    let merged = ask_and_read_nothing(&daemon, "/api/v1/messages?project_id=p&scope=all&limit=5000", clients);
    settle(&daemon);
    is_bounded(&daemon, "lists that are not read");
    for path in [own, "/api/v1/messages?project_id=p&scope=all", "/api/v1/messages?project_id=p&task_id=t"] {
        let list = daemon.get(path).json();
        let messages = list["messages"].as_array().expect("messages");
        assert_eq!((messages.len(), &list["more"]), (count, &json!(false)), "{path}");
        let is_in_order = messages.iter().enumerate().all(|(n, message)| {
            message["body"].as_str().is_some_and(|body| body.starts_with(&format!("{n} x")))
        });
        assert!(is_in_order, "{path}");
    }
    is_bounded(&daemon, "a list that is read");
    drop((stalled, merged));
}

#[test]
fn a_list_says_where_to_go_on() {
    let sandbox = sandbox();
    let (daemon, _) = daemon_with_task(&sandbox);
    // Ten of these are more than one piece of an answer.
    fill(&sandbox, 100, &"x".repeat(10_000), "{}");
    for scope in ["project_id=p&task_id=t", "project_id=p&scope=all"] {
        let list = |query: &str| daemon.get(&format!("/api/v1/messages?{scope}{query}")).json();
        let numbers = |list: &Value| -> Vec<usize> {
            let body = |m: &Value| m["body"].as_str().and_then(|b| b.split(' ').next()?.parse().ok());
            list["messages"]
                .as_array()
                .expect("messages")
                .iter()
                .map(|m| body(m).expect("a number"))
                .collect()
        };
        let first = list("&since=2026-01-01T00:00:00Z&limit=30");
        assert_eq!((numbers(&first), &first["more"]), ((0..30).collect(), &json!(true)), "{scope}");
        let thirtieth = first["messages"][29]["msg_id"].as_str().expect("an id").to_owned();
        let rest = list(&format!("&after={thirtieth}&limit=70"));
        assert_eq!((numbers(&rest), &rest["more"]), ((30..100).collect(), &json!(false)), "{scope}");
        let tail = list("&limit=25");
        assert_eq!((numbers(&tail), &tail["more"]), ((75..100).collect(), &json!(false)), "{scope}");
        let all = list("");
        assert_eq!((numbers(&all), &all["more"]), ((0..100).collect(), &json!(false)), "{scope}");
    }
    let list = daemon.get("/api/v1/messages?project_id=p&task_id=t&limit=20").json();
    let first = list["messages"][0]["msg_id"].as_str().expect("an id");
    let before =
        daemon.get(&format!("/api/v1/messages?project_id=p&task_id=t&before={first}&limit=80")).json();
    assert_eq!((before["messages"].as_array().map(Vec::len), &before["more"]), (Some(80), &json!(false)));
    let before =
        daemon.get(&format!("/api/v1/messages?project_id=p&task_id=t&before={first}&limit=70")).json();
    assert_eq!((before["messages"].as_array().map(Vec::len), &before["more"]), (Some(70), &json!(true)));
}

#[test]
fn heavy_posts_of_large_arrays_are_stored_as_they_are_and_cost_little() {
    let posts = if soak() { 40 } else { 16 };
    let sandbox = sandbox();
    let (daemon, _) = daemon_with_task(&sandbox);
    let meta = numbers(960_000);
    let body = format!(r#"{{"project_id":"p","task_id":"t","body":"b","meta":{meta}}}"#);
    let statuses: Vec<u16> = thread::scope(|scope| {
        let post =
            || daemon.send("POST", "/api/v1/messages", "Content-Type: application/json\r\n", &body).status;
        let all: Vec<_> = (0..posts).map(|_| scope.spawn(post)).collect();
        all.into_iter().map(|one| one.join().expect("an answer")).collect()
    });
    assert!(statuses.iter().all(|status| *status == 201), "{statuses:?}");
    is_bounded(&daemon, "posts of large arrays");
    let bus = fs::read_to_string(sandbox.root().join("p/t/TASK-MESSAGE-BUS.jsonl")).expect("the bus");
    assert_eq!(bus.matches(&meta).count(), posts);

    // Readers of such a bus hold it as text, too.
    let stalled = ask_and_read_nothing(&daemon, "/api/v1/messages/stream?project_id=p&task_id=t", 30);
    let merged = ask_and_read_nothing(&daemon, "/api/v1/stream?topics=bus:p/*", 30);
    settle(&daemon);
    is_bounded(&daemon, "streams that are not read");
    drop((stalled, merged));
    // The memory comes back without another request.
    let before = processes::status(daemon.pid(), "VmHWM");
    until("the memory comes back", || processes::status(daemon.pid(), "VmRSS") < 64 << 10);
    println!("{before} KiB at most");
    // Tasks are refused or accepted, and cost as little.
    let body = format!(
        r#"{{"project_id":"p","task_id":"u","agent_type":"quick","prompt":"x","config":{{"x":{meta}}}}}"#
    );
    let refused = daemon.send("POST", "/api/v1/tasks", "Content-Type: application/json\r\n", &body);
    assert_eq!(refused.status, 400, "{refused:?}");
    is_bounded(&daemon, "a task with a large array");
}

#[test]
fn meta_comes_back_exactly_as_it_was_sent() {
    let sandbox = sandbox();
    let (daemon, _) = daemon_with_task(&sandbox);
    let meta = r#"{"big":123456789012345678901234567890,"e":1E400,"one":1.0,"k":1,"k":2,"a":{"b":[]}}"#;
    let post = |key: &str, meta: &str| {
        let body = format!(r#"{{"project_id":"p","task_id":"t","body":"b","meta":{meta}}}"#);
        daemon.send("POST", "/api/v1/messages", &format!("Content-Type: application/json\r\n{key}"), &body)
    };
    assert_eq!(post("", &meta.replace(',', " ,\n ")).status, 201);
    let list = daemon.get("/api/v1/messages?project_id=p&task_id=t&limit=1");
    assert!(list.body.contains(&format!("\"meta\":{meta}")), "{}", list.body);

    let key = "Idempotency-Key: k1\r\n";
    let first = post(key, meta);
    assert_eq!(first.status, 201);
    assert_eq!(post(key, meta).json(), first.json(), "the same request is answered in the same way");
    post(key, r#"{"k":3}"#).fails(422, "k1");
    post("", "[]").fails(400, "meta");
    post("", &format!("{{\"a\":{}{}}}", "[".repeat(100), "]".repeat(100))).fails(400, "nested deeper");
}

#[test]
fn heavy_files_and_indexes_of_lines_have_a_limit() {
    let sandbox = sandbox();
    let (daemon, run) = daemon_with_task(&sandbox);
    let megabytes = if soak() { 42 } else { 4 };
    let stdout = sandbox.root().join(format!("p/t/runs/{run}/agent-stdout.txt"));
    fs::write(&stdout, "\n".repeat(megabytes << 20)).expect("the output");
    let run = format!("/api/projects/p/tasks/t/runs/{run}");
    let index = daemon.get(&format!("{run}/lines/index?name=stdout&every=1")).json();
    let offsets = index["offsets"].as_array().expect("offsets");
    let every = index["every"].as_u64().expect("a distance");
    assert!(offsets.len() <= 100_000 && every > 1, "{} offsets, one for {every} lines", offsets.len());
    assert_eq!((&offsets[7], &index["lines"]), (&json!(7 * every), &json!(megabytes << 20)));

    // A control character is six bytes as JSON.
    fs::write(&stdout, "\u{1}".repeat(16 << 20)).expect("the output");
    let file = format!("{run}/file?name=stdout");
    let stalled = ask_and_read_nothing(&daemon, &file, 30);
    settle(&daemon);
    is_bounded(&daemon, "files that are not read");
    drop(stalled);
    let shown = daemon.get(&file).json();
    assert_eq!(shown["content"].as_str().map(str::len), Some(16 << 20));
    assert_eq!(shown["size_bytes"], json!(16 << 20));

    fs::write(&stdout, format!("{}\n", "é".repeat(40_000)).repeat(5000)).expect("the output");
    let lines = daemon.get(&format!("{run}/lines?name=stdout&offset=0&limit=5000&width=65536")).json();
    let shown = lines["lines"].as_array().expect("lines").len();
    assert!((10..100).contains(&shown), "{shown} lines");
    let next = daemon.get(&format!("{run}/lines?name=stdout&offset={}&limit=1&width=4", lines["end"])).json();
    assert_eq!(next["lines"][0]["text"], "éé", "the rest follows from `end` on");
    is_bounded(&daemon, "lines");
}

#[test]
fn a_stream_of_a_bus_begins_with_its_last_messages() {
    let sandbox = sandbox();
    let (daemon, _) = daemon_with_task(&sandbox);
    fill(&sandbox, 20, "b", "{}");
    for path in [
        "/api/v1/messages/stream?project_id=p&task_id=t&tail=2",
        "/api/v1/messages/stream?project_id=p&scope=all&tail=2",
        "/api/projects/p/messages/stream?scope=all&tail=2",
        "/api/projects/p/tasks/t/messages/stream?tail=2",
        "/api/v1/stream?topics=bus:p/t%3Ftail%3D2",
        "/api/v1/stream?topics=bus:p/*%3Ftail%3D2",
    ] {
        let mut stream = daemon.stream(path, None);
        let mut body = || {
            let event = stream.next().expect("the stream goes on");
            let message =
                if event.data["message"].is_object() { &event.data["message"] } else { &event.data };
            (message["body"].as_str().map(str::to_owned), event.id)
        };
        let ((first, _), (second, id)) = (body(), body());
        assert_eq!((first.as_deref(), second.as_deref()), (Some("18 b"), Some("19 b")), "{path}");
        // A position takes precedence.
        let posted =
            daemon.post("/api/v1/messages", &json!({"project_id": "p", "task_id": "t", "body": "new"}));
        assert_eq!(posted.status, 201, "{posted:?}");
        let mut resumed = daemon.stream(path, id.as_deref());
        let event = resumed.next().expect("the stream goes on").data;
        let message = if event["message"].is_object() { &event["message"] } else { &event };
        assert_eq!(message["body"], "new", "{path}");
        fill(&sandbox, 20, "b", "{}");
    }
    daemon.get("/api/v1/messages/stream?project_id=p&tail=5001").fails(400, "tail");
}

#[test]
fn a_head_has_the_documented_limit_and_one_length() {
    let sandbox = sandbox();
    let (daemon, _) = daemon_with_task(&sandbox);
    let head = |bytes: usize| {
        let start = format!(
            "GET /api/v1/health HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\nX: ",
            daemon.port
        );
        format!("{start}{}\r\n\r\n", "x".repeat(bytes - start.len() - 4))
    };
    assert_eq!(daemon.raw(&head(64 << 10)).status, 200);
    let mut stream = daemon.connect();
    // The daemon may close the connection while this is still being sent.
    let _ = stream.write_all(head((64 << 10) + 1).as_bytes());
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");

    let body = json!({"project_id": "p", "task_id": "t", "body": "b"}).to_string();
    for lengths in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    ] {
        let chunk = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
        let request = |lengths: &str| {
            format!(
                "POST /api/v1/messages HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\nContent-Type: application/json\r\n{lengths}\r\n{chunk}",
                daemon.port
            )
        };
        daemon.raw(&request(lengths)).fails(400, "twice");
        assert_eq!(daemon.raw(&request("Transfer-Encoding: chunked\r\n")).status, 201);
    }
}

#[test]
fn heavy_a_burst_beyond_the_open_files_is_refused_and_leaves_nothing() {
    let sandbox = sandbox();
    let daemon = Daemon::start_after(&sandbox, "ulimit -n 256", &[]);
    let tasks = 300;
    let answers: Vec<(String, u16, String)> = thread::scope(|scope| {
        let post = |n: usize| {
            let task = format!("t{n}");
            let new = json!({"project_id": "p", "task_id": task, "agent_type": "waits", "prompt": "x"});
            let answer = daemon.post("/api/v1/tasks", &new);
            (task, answer.status, answer.head.to_lowercase() + &answer.body)
        };
        let clients = 30;
        let client = move |first: usize| (first..tasks).step_by(clients).map(post).collect::<Vec<_>>();
        let all: Vec<_> = (0..clients).map(|n| scope.spawn(move || client(n))).collect();
        all.into_iter().flat_map(|one| one.join().expect("answers")).collect()
    });
    let accepted: BTreeSet<&str> =
        answers.iter().filter(|(_, status, _)| *status == 201).map(|(task, ..)| task.as_str()).collect();
    let refused = answers.iter().filter(|(_, status, _)| *status != 201);
    for (task, status, answer) in refused.clone() {
        assert!(*status == 503 && answer.contains("retry-after: "), "{task}: {status} {answer}");
    }
    println!("{} of {tasks} accepted", accepted.len());
    assert!(!accepted.is_empty() && refused.count() > 0, "{} accepted", accepted.len());
    let project = sandbox.root().join("p");
    let entries = fs::read_dir(&project).expect("the project").flatten();
    let there: BTreeSet<String> = entries
        .filter(|entry| entry.path().is_dir())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.starts_with('t'))
        .collect();
    let there: BTreeSet<&str> = there.iter().map(String::as_str).collect();
    assert_eq!(there, accepted, "a refused task leaves nothing");
    // All that were accepted come to their end.
    sandbox.write("home/run-agent/p/go", "");
    for task in &accepted {
        daemon.until_task(task, "completed");
    }
    assert_eq!(daemon.get("/api/v1/health").status, 200);
}

#[test]
fn a_daemon_uses_all_open_files_that_it_may_have_and_its_agents_get_the_usual_limit() {
    let sandbox = Sandbox::new();
    let limits = "ulimit -Sn > limits; touch DONE";
    let config = format!("agents:\n  shows: {{type: command, command: [/bin/sh, -c, {limits:?}]}}\n");
    sandbox.configure(config);
    let daemon = Daemon::start_after(&sandbox, "ulimit -Sn 300; ulimit -Hn 900", &[]);
    let limits = fs::read_to_string(format!("/proc/{}/limits", daemon.pid())).expect("its limits");
    let line = limits.lines().find(|line| line.starts_with("Max open files")).expect("a line");
    let numbers: Vec<&str> = line.split_whitespace().skip(3).take(2).collect();
    assert_eq!(numbers, ["900", "900"]);
    daemon.create("t", "shows");
    daemon.until_task("t", "completed");
    let of_agent = fs::read_to_string(sandbox.root().join("p/t/limits")).expect("the agent's limits");
    assert_eq!(of_agent.trim(), "300");
}

#[test]
fn an_idle_connection_is_kept_for_the_next_request() {
    let idle = if soak() { Duration::from_secs(76) } else { Duration::from_millis(100) };
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    let mut stream = BufReader::new(daemon.connect());
    let mut ask = || {
        let port = daemon.port;
        write!(stream.get_mut(), "GET /api/v1/health HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n")
            .expect("a request");
        let (mut line, mut length) = (String::new(), 0);
        while line != "\r\n" {
            line.clear();
            assert!(stream.read_line(&mut line).expect("an answer") > 0, "the connection was closed");
            if let Some(value) = line.to_lowercase().strip_prefix("content-length: ") {
                length = value.trim().parse().expect("a length");
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).expect("a body");
    };
    ask();
    thread::sleep(idle);
    ask();
}
