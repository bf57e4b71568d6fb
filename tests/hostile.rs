//! A hostile client: requests that are malformed, addressed to another host, huge, slow or many. All of them are
//! refused or closed, nothing is started, and the daemon neither grows nor keeps other clients waiting.

#![expect(clippy::expect_used, reason = "a test that cannot prepare itself has failed")]

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, TcpStream},
    time::{Duration, Instant},
};

use nix::sys::{
    resource::{Resource, getrlimit, setrlimit},
    signal::Signal,
};
use serde_json::json;

use crate::common::{
    Sandbox,
    daemon::{Daemon, agents, until},
    fake, skipped,
};

fn soak() -> bool {
    std::env::var_os("CONDUCTOR_SOAK").is_some()
}

fn sandbox(more: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let steps: [(&str, &[&str]); 2] =
        [("quick", &["say:hello", "done"]), ("waits", &["say:ready", "sleep:60000"])];
    agents(&sandbox, &fake::agent(), &steps, more);
    sandbox
}

/// Sends these bytes and reads until the daemon closes, or until the timeout. Returns the answer.
fn say(daemon: &Daemon, bytes: &[u8]) -> String {
    let mut stream = daemon.connect();
    // A daemon that refuses early may close the connection while this is still being sent.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// The daemon's resident memory as the kernel reports it, in KiB.
fn resident(daemon: &Daemon) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid())).expect("its status");
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).expect("its memory");
    line.split_whitespace().next().and_then(|n| n.parse().ok()).expect("a number")
}

/// Checks that an honest client is answered at once.
#[track_caller]
fn is_well(daemon: &Daemon) {
    let began = Instant::now();
    assert_eq!(daemon.get("/api/v1/health").status, 200);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[test]
fn what_is_no_request_for_us_is_refused() {
    let sandbox = sandbox("");
    let daemon = Daemon::start(&sandbox, &[]);
    let own = format!("127.0.0.1:{}", daemon.port);
    let new = json!({"project_id": "p", "task_id": "t", "agent_type": "quick", "prompt": "x"}).to_string();
    let length = new.len();
    let post = format!("POST /api/v1/tasks HTTP/1.1\r\nHost: {own}\r\nConnection: close\r\n");
    let json = "Content-Type: application/json\r\n";
    let get = |target: &str, headers: &str| {
        format!("GET {target} HTTP/1.1\r\nHost: {own}\r\nConnection: close\r\n{headers}\r\n")
    };
    let flood: String =
        (0..500).flat_map(|n| ["X-".to_owned(), n.to_string(), ": y\r\n".to_owned()]).collect();
    let large = format!("X-Large: {}\r\n", "y".repeat(200_000));
    for (what, request, refused) in [
        ("no Host", "GET /api/v1/tasks HTTP/1.1\r\nConnection: close\r\n\r\n".to_owned(), "421"),
        ("HTTP/1.0", "GET /api/v1/tasks HTTP/1.0\r\n\r\n".to_owned(), "421"),
        ("two Hosts", get("/api/v1/tasks", "Host: evil.example\r\n"), "421"),
        ("the same twice", get("/api/v1/tasks", &format!("Host: {own}\r\n")), "421"),
        (
            "a rebound name",
            get("/api/v1/tasks", "Origin: http://evil.example\r\n").replace(&own, "evil.example"),
            "421",
        ),
        (
            "a rebound name that starts something",
            post.replace(&own, "evil.example") + &format!("{json}Content-Length: {length}\r\n\r\n{new}"),
            "421",
        ),
        ("another's URL", get("http://evil.example/api/v1/tasks", ""), "421"),
        ("a tunnel", format!("CONNECT {own} HTTP/1.1\r\nHost: {own}\r\nConnection: close\r\n\r\n"), "405"),
        (
            "a trace",
            format!("TRACE /api/v1/tasks HTTP/1.1\r\nHost: {own}\r\nConnection: close\r\n\r\n"),
            "405",
        ),
        ("a body of no kind", format!("{post}Content-Length: {length}\r\n\r\n{new}"), "415"),
        ("a form", format!("{post}Content-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{new}"), "415"),
        (
            "two kinds",
            format!("{post}{json}Content-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{new}"),
            "415",
        ),
        (
            "two lengths",
            format!("{post}{json}Content-Length: {length}\r\nContent-Length: 3\r\n\r\n{new}"),
            "400",
        ),
        (
            "a length and pieces",
            format!("{post}{json}Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            "400",
        ),
        ("an unknown coding", format!("{post}{json}Transfer-Encoding: gzip, identity\r\n\r\n{new}"), "400"),
        ("a negative length", format!("{post}{json}Content-Length: -1\r\n\r\n"), "400"),
        (
            "a bad piece",
            format!("{post}{json}Transfer-Encoding: chunked\r\n\r\nzz\r\n{new}\r\n0\r\n\r\n"),
            "400",
        ),
        ("a folded header", get("/api/v1/tasks", "X-A: b\r\n c\r\n"), "400"),
        ("a blank before the colon", get("/api/v1/tasks", "Host : x\r\n"), "400"),
        ("a NUL in a header", get("/api/v1/tasks", "X-A: b\0c\r\n"), "400"),
        ("a NUL in the target", get("/api/v1/tasks/\0", ""), "400"),
        ("many headers", get("/api/v1/tasks", &flood), "431"),
        ("a large header", get("/api/v1/tasks", &large), "431"),
        ("a long target", get(&format!("/api/v1/tasks?x={}", "y".repeat(20_000)), ""), "414"),
        ("a dot-dot", get("/api/projects/%2e%2e/tasks", ""), "400"),
        ("dot-dots in a task", get("/api/projects/p/tasks/%2e%2e%2f%2e%2e%2fetc", ""), "40"),
        ("a NUL that is written out", get("/api/projects/p%00/tasks", ""), "400"),
        ("a backslash", get("/api/projects/..%5c..%5cetc/tasks", ""), "400"),
        ("a path that climbs", get("/../../etc/passwd", ""), "404"),
        ("a double slash", get("//api/v1/tasks", ""), "404"),
        // Every path below /ui/ is the page itself.
        ("a page that climbs", get("/ui/%2e%2e/%2e%2e/etc/passwd", ""), "200"),
    ] {
        let answer = say(&daemon, request.as_bytes());
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert!(answer.starts_with("HTTP/1.") && status.starts_with(refused), "{what}: {answer}");
        assert!(!answer.contains("root:"), "{what}: {answer}");
    }
    for garbage in
        [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], b"\0\0\0\0\r\n\r\n", b"hello\r\n\r\n"]
    {
        let answer = say(&daemon, garbage);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{garbage:?}: {answer}");
    }
    is_well(&daemon);
    assert_eq!(daemon.get("/api/v1/tasks").json(), json!({"tasks": []}));
    assert!(!sandbox.root().join("p").exists(), "nothing was made");
}

#[test]
fn a_second_request_that_was_smuggled_in_is_none() {
    let sandbox = sandbox("");
    let daemon = Daemon::start(&sandbox, &[]);
    let own = format!("127.0.0.1:{}", daemon.port);
    // A refusal before the body was read ends the connection, so that the body is not taken for a request.
    let inner = format!("DELETE /api/v1/tasks/t?project_id=p HTTP/1.1\r\nHost: {own}\r\n\r\n");
    let outer = format!(
        "POST /api/v1/tasks HTTP/1.1\r\nHost: {own}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{inner}",
        inner.len()
    );
    let answer = say(&daemon, outer.as_bytes());
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    assert!(answer.starts_with("HTTP/1.1 415") && answer.contains("connection: close\r\n"), "{answer}");
}

/// Sends an endless body. Returns the number of accepted bytes, and the answer.
fn pour(daemon: &Daemon, head: &str, piece: &[u8]) -> (u64, String) {
    const GIB: u64 = 1 << 30;
    let mut stream = daemon.connect();
    stream.write_all(head.as_bytes()).expect("the head is taken");
    stream.set_write_timeout(Some(Duration::from_secs(5))).expect("a time limit");
    let mut sent = 0;
    let mut reader = stream.try_clone().expect("a second handle");
    let answer = std::thread::spawn(move || {
        let mut answer = Vec::new();
        let mut buffer = [0; 4096];
        while let Ok(n @ 1..) = reader.read(&mut buffer) {
            answer.extend_from_slice(&buffer[..n]);
        }
        String::from_utf8_lossy(&answer).into_owned()
    });
    while sent < GIB && stream.write_all(piece).is_ok() {
        sent += piece.len() as u64;
    }
    let _ = stream.shutdown(Shutdown::Both);
    (sent, answer.join().expect("the reader"))
}

#[test]
fn heavy_a_body_of_a_gigabyte_is_not_taken() {
    let sandbox = sandbox("");
    let daemon = Daemon::start(&sandbox, &[]);
    let own = format!("127.0.0.1:{}", daemon.port);
    let head = |path: &str, length: &str| {
        format!("POST {path} HTTP/1.1\r\nHost: {own}\r\nContent-Type: application/json\r\n{length}\r\n")
    };
    is_well(&daemon);
    let before = resident(&daemon);
    let plain = vec![b' '; 64 * 1024];
    let chunk = [b"10000\r\n", &plain[..], b"\r\n"].concat();
    for (path, length, piece) in [
        ("/api/v1/tasks", "Content-Length: 1073741824\r\n", &plain),
        ("/api/v1/nothing", "Content-Length: 1073741824\r\n", &plain),
        ("/api/v1/tasks", "Transfer-Encoding: chunked\r\n", &chunk),
        ("/api/v1/tasks", "Content-Length: 18446744073709551615\r\n", &plain),
    ] {
        let (sent, answer) = pour(&daemon, &head(path, length), piece);
        assert!(sent < 64 << 20, "{path} {length}: {sent} bytes were taken");
        // A client that never reads may lose the answer with the connection; this one reads.
        assert!(answer.starts_with("HTTP/1.1 4"), "{path} {length}: {answer:?}");
        assert!(!length.starts_with("Content-Length: 1073") || answer.contains("413"), "{answer}");
        is_well(&daemon);
    }
    // A client that asks first does not even get `100 Continue`.
    let asks = head("/api/v1/tasks", "Content-Length: 1073741824\r\nExpect: 100-continue\r\n");
    let mut stream = daemon.connect();
    stream.write_all(asks.as_bytes()).expect("a head");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    let body = json!({"project_id": "p", "body": "x"}).to_string();
    let asks =
        head("/api/v1/messages", &format!("Content-Length: {}\r\nExpect: 100-continue\r\n", body.len()));
    let mut stream = daemon.connect();
    stream.write_all(asks.as_bytes()).expect("a head");
    let mut said = [0; 25];
    stream.read_exact(&mut said).expect("a word");
    assert_eq!(&said, b"HTTP/1.1 100 Continue\r\n\r\n", "an honest one is");
    let grown = resident(&daemon).saturating_sub(before);
    assert!(grown < 32 * 1024, "{grown} KiB more");
}

#[test]
fn slow_clients_are_sent_away() {
    let sandbox = sandbox("");
    let daemon = Daemon::start(&sandbox, &[]);
    let began = Instant::now();
    let mut head = daemon.connect();
    let mut body = daemon.connect();
    let mut idle = daemon.connect();
    head.write_all(b"GET /api/v1/tasks HTTP/1.1\r\n").expect("a beginning");
    let own = daemon.port;
    body.write_all(
        format!(
            "POST /api/v1/messages HTTP/1.1\r\nHost: 127.0.0.1:{own}\r\nContent-Type: application/json\r\n\
             Content-Length: 1000\r\n\r\n"
        )
        .as_bytes(),
    )
    .expect("a beginning");
    let closed = |stream: &mut TcpStream, said: &mut String| {
        stream.set_read_timeout(Some(Duration::from_millis(50))).expect("a time limit");
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer) {
            Ok(0) => true,
            Ok(n) => {
                said.push_str(&String::from_utf8_lossy(&buffer[..n]));
                false
            }
            Err(e) => !matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        }
    };
    let (mut of_head, mut of_body) = (None, None);
    let (mut said, mut refused) = (String::new(), String::new());
    while of_head.is_none() || of_body.is_none() {
        assert!(began.elapsed() < Duration::from_mins(1), "{of_head:?} {of_body:?}");
        // A byte now and then does not help.
        let _ = head.write_all(b"X");
        let _ = body.write_all(b" ");
        for (stream, end, said) in
            [(&mut head, &mut of_head, &mut said), (&mut body, &mut of_body, &mut refused)]
        {
            if end.is_none() && closed(stream, said) {
                *end = Some(began.elapsed());
            }
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    assert!(of_head < Some(Duration::from_secs(20)), "{of_head:?}");
    assert!(!closed(&mut idle, &mut String::new()), "an idle connection is kept for its next request");
    assert!(
        refused.starts_with("HTTP/1.1 408") && of_body > Some(Duration::from_secs(25)),
        "{of_body:?}: {refused}"
    );
    is_well(&daemon);
}

#[test]
fn heavy_thousands_who_ask_for_nothing_keep_nobody_out() {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    let _ = setrlimit(Resource::RLIMIT_NOFILE, hard.min(20_000), hard);
    let idle = if soak() { 5000 } else { 5000.min(hard.saturating_sub(200)) };
    if hard < 2000 {
        skipped("this machine gives a process too few descriptors");
        return;
    }
    let sandbox = sandbox("");
    let daemon = Daemon::start(&sandbox, &[]);
    let path = "/api/v1/runs/stream/all";
    let mut served = daemon.stream(path, None);
    let before = resident(&daemon);
    let mut all = Vec::new();
    for n in 0..idle {
        all.push(TcpStream::connect(("127.0.0.1", daemon.port)).expect("a connection"));
        if n % 500 == 0 {
            is_well(&daemon);
        }
    }
    is_well(&daemon);
    // A stream that was open before is still served.
    daemon.create("t", "quick");
    assert!(served.next().is_some());
    let grown = resident(&daemon).saturating_sub(before);
    assert!(grown < 128 * 1024, "{grown} KiB more for {idle} connections");
    drop(all);
    daemon.until_task("t", "completed");
    is_well(&daemon);
}

#[test]
fn heavy_a_daemon_that_is_told_to_go_answers_and_is_gone() {
    let sandbox = sandbox("");
    let mut daemon = Daemon::start(&sandbox, &[]);
    let mut streams: Vec<_> = (0..200).map(|_| daemon.stream("/api/v1/runs/stream/all", None)).collect();
    assert!(streams.iter().all(|stream| stream.status == 200));
    let mut half_open: Vec<TcpStream> = (0..50).map(|_| daemon.connect()).collect();
    for (n, stream) in half_open.iter_mut().enumerate() {
        let part =
            ["", "GET /api/v1/tasks HTTP/1.1\r\n", "GET /api/v1/tasks HTTP/1.1\r\nHost: localhost\r\n"];
        stream.write_all(part[n % 3].as_bytes()).expect("a beginning");
    }
    let body = json!({"project_id": "p", "task_id": "t", "agent_type": "quick", "prompt": "x"}).to_string();
    let (first, second) = body.split_at(10);
    let mut post = daemon.connect();
    let head = format!(
        "POST /api/v1/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    post.write_all(head.as_bytes()).and_then(|()| post.write_all(first.as_bytes())).expect("half a request");
    is_well(&daemon);
    daemon.signal(Signal::SIGTERM);
    let began = Instant::now();
    until("the way down has begun", || daemon.log().contains("SIGTERM"));
    post.write_all(second.as_bytes()).expect("the rest of the request");
    let mut answer = String::new();
    post.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    let (code, _) = daemon.ended();
    let took = began.elapsed();
    assert!(code == Some(0) && took < Duration::from_secs(5), "{code:?} {took:?}: {}", daemon.log());
    assert!(streams.iter_mut().all(|stream| stream.next().is_none_or(|e| e.data["project_id"] == "p")));
    let daemon = Daemon::start(&sandbox, &[]);
    daemon.until_task("t", "completed");
}
