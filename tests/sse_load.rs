//! The cost of streams: with many readers, with one that does not read, and while nothing happens.

#![expect(clippy::expect_used, reason = "a test that cannot prepare itself has failed")]

use std::{
    fmt::Write as _,
    fs,
    io::{BufRead, BufReader},
    time::{Duration, Instant},
};

use serde_json::json;

use crate::common::{
    Sandbox,
    daemon::{Daemon, Events, agents},
    fake, processes,
};

fn soak() -> bool {
    std::env::var_os("CONDUCTOR_SOAK").is_some()
}

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let steps: [(&str, &[&str]); 3] = [
        ("quick", &["say:one", "done"]),
        ("floods", &["flood:12", "done"]),
        ("waits", &["say:ready", "wait-for:../go", "done"]),
    ];
    agents(&sandbox, &fake::agent(), &steps, "");
    sandbox
}

/// Fills a bus with this many messages, as another program would have written them.
fn fill(sandbox: &Sandbox, task: &str, count: usize) {
    let mut text = String::new();
    for n in 0..count {
        let (second, nano) = (n / 1000, n % 1000);
        let _ = writeln!(
            text,
            r#"{{"msg_id":"MSG-20260205-10{:02}{:02}-{nano:09}-PID00001-0001","timestamp":"2026-02-05T10:00:00Z","type":"FACT","body":"message {n}"}}"#,
            second / 60,
            second % 60
        );
    }
    fs::write(sandbox.root().join(format!("p/{task}/TASK-MESSAGE-BUS.jsonl")), text).expect("written");
}

#[test]
fn heavy_every_subscriber_gets_every_message() {
    let (subscribers, messages, posts) = if soak() { (200, 10_000, 100) } else { (60, 1500, 20) };
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    daemon.create("t", "quick");
    daemon.until_task("t", "completed");
    fill(&sandbox, "t", messages);
    let (port, all) = (daemon.port, messages + posts);
    let began = Instant::now();
    let told: Vec<Vec<String>> = std::thread::scope(|scope| {
        let one = |n: usize| {
            let path = if n.is_multiple_of(2) {
                "/api/v1/messages/stream?project_id=p&task_id=t"
            } else {
                "/api/v1/stream?topics=bus:p/t"
            };
            let mut stream = daemon.connect();
            let request = format!("GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n");
            std::io::Write::write_all(&mut stream, request.as_bytes()).expect("the daemon takes the request");
            let mut ids = Vec::with_capacity(all);
            // Only the ids are parsed: parsing everything would be measured, too.
            for line in BufReader::new(stream).split(b'\n') {
                let line = line.expect("the stream goes on");
                let Some(at) = line.windows(7).position(|w| w == b"{\"msg_i" || w == b"\"messag") else {
                    continue;
                };
                let text = String::from_utf8_lossy(&line[at..]);
                if let Some(id) =
                    text.find("MSG-").map(|at| text[at..].split('"').next().unwrap_or_default().to_owned())
                {
                    ids.push(id);
                }
                if ids.len() == all {
                    break;
                }
            }
            ids
        };
        let threads: Vec<_> = (0..subscribers).map(|n| scope.spawn(move || one(n))).collect();
        for n in 0..posts {
            let posted = daemon
                .post("/api/v1/messages", &json!({"project_id": "p", "task_id": "t", "body": n.to_string()}));
            assert_eq!(posted.status, 201, "{posted:?}");
        }
        threads.into_iter().map(|t| t.join().expect("a subscriber")).collect()
    });
    let text = fs::read_to_string(sandbox.root().join("p/t/TASK-MESSAGE-BUS.jsonl")).expect("the bus");
    let on_disk: Vec<String> = text
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).expect("JSON")["msg_id"]
                .as_str()
                .expect("an id")
                .to_owned()
        })
        .collect();
    for ids in &told {
        assert!(*ids == on_disk, "{} of {}", ids.len(), on_disk.len());
    }
    let memory = processes::status(daemon.pid(), "VmHWM");
    println!(
        "{subscribers} subscribers got {all} messages each in {:?}; the daemon had {memory} kB at most",
        began.elapsed()
    );
}

#[test]
fn heavy_a_page_that_does_not_read_costs_no_memory_and_misses_nothing() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    let run = daemon.create("t", "floods");
    daemon.until_task("t", "completed");
    fill(&sandbox, "t", 20_000);
    let before = processes::status(daemon.pid(), "VmRSS");
    let topics = format!("run:{run},file:{run}/stdout,bus:p/t,bus:p/*,tree");
    let mut stalled: Vec<Events> =
        (0..4).map(|_| daemon.stream(&format!("/api/v1/stream?topics={topics}"), None)).collect();
    // The daemon's buffers are full when the sockets are: nothing more is sent, and nothing more is held.
    std::thread::sleep(Duration::from_secs(2));
    let held = processes::status(daemon.pid(), "VmRSS").saturating_sub(before);
    let size =
        fs::metadata(sandbox.root().join(format!("p/t/runs/{run}/agent-stdout.txt"))).expect("a file").len();
    let (mut lines, mut text, mut messages, mut merged) = (0, 0, 0, 0);
    let stream = &mut stalled[0];
    while lines < size || text < size || messages < 20_000 || merged < 20_000 {
        let event = stream.next().expect("the stream goes on").data;
        match (event["type"].as_str(), event["topic"].as_str()) {
            (Some("log"), _) => lines += event["line"].as_str().expect("a line").len() as u64 + 1,
            (Some("text"), _) => text += event["text"].as_str().expect("a text").len() as u64,
            (Some("message"), Some("bus:p/t")) => messages += 1,
            (Some("message"), _) => merged += 1,
            _ => {}
        }
    }
    assert_eq!((lines, text, messages), (size, size, 20_000));
    let grown = processes::status(daemon.pid(), "VmRSS").saturating_sub(before);
    println!("four pages that do not read: {held} kB; when one has read {size} bytes twice: {grown} kB");
    assert!(held < 16 << 10 && grown < 24 << 10, "{held} kB, {grown} kB more than before");
}

#[test]
fn a_flood_holds_up_no_message() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    let run = daemon.create("t", "floods");
    daemon.until_task("t", "completed");
    let mut stream = daemon.stream(&format!("/api/v1/stream?topics=run:{run},bus:p"), None);
    let mut lines = 0;
    while lines < 100 {
        lines += usize::from(stream.next().expect("the stream goes on").data["type"] == "log");
    }
    daemon.post("/api/v1/messages", &json!({"project_id": "p", "body": "hello"}));
    let (mut found, mut done) = (false, false);
    while !found && !done {
        let event = stream.next().expect("the stream goes on").data;
        found = event["type"] == "message";
        done = event["type"] == "done";
    }
    assert!(found && !done, "the message comes before the flood has passed");
}

#[test]
fn alone_nothing_costs_nothing() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    let run = daemon.create("t", "waits");
    let paths = [
        format!("/api/v1/runs/{run}/stream"),
        "/api/v1/runs/stream/all".to_owned(),
        "/api/projects/p/tasks/t/runs/stream".to_owned(),
        "/api/v1/messages/stream?project_id=p&task_id=t".to_owned(),
        "/api/v1/messages/stream?project_id=p&scope=all".to_owned(),
        format!("/api/projects/p/tasks/t/runs/{run}/stream?name=stdout"),
        format!("/api/v1/stream?topics=tree,runs,run:{run},bus:p/*,file:{run}/events.jsonl"),
    ];
    for path in &paths {
        let streams: Vec<Events> = (0..50).map(|_| daemon.stream(path, None)).collect();
        assert!(streams.iter().all(|stream| stream.status == 200));
        // The earlier content is sent into the sockets; then nothing happens.
        std::thread::sleep(Duration::from_millis(700));
        let (cpu, began) = (cpu_millis(daemon.pid()), Instant::now());
        std::thread::sleep(Duration::from_secs(2));
        let percent = u128::from(cpu_millis(daemon.pid()) - cpu) * 100 / began.elapsed().as_millis();
        println!("50 x {path}: {percent} % of a core");
        assert!(percent < 5, "50 x {path}: {percent} % of a core");
        drop(streams);
    }
    sandbox.write("home/run-agent/p/go", "");
    daemon.until_task("t", "completed");
}

/// The user and system time of a process.
fn cpu_millis(pid: i32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("a live process");
    let fields: Vec<&str> = stat.rsplit_once(')').expect("its name").1.split_whitespace().collect();
    let ticks = fields[11].parse::<u64>().expect("utime") + fields[12].parse::<u64>().expect("stime");
    // A tick is a hundredth of a second.
    ticks * 10
}
