//! The daemon is killed by SIGKILL before each of its operations on the disk in turn: at its start, during a POST,
//! and until the end of the run. The next daemon must continue as if nothing had happened.

#![expect(clippy::expect_used, reason = "a test that cannot prepare itself has failed")]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::common::{
    Sandbox,
    daemon::{Daemon, until},
};

/// More operations than a daemon makes for one task.
const BEYOND: u32 = 600;
const THREADS: usize = 4;

const AGENT: &str = r#"echo $JRUN_ID >> "$HOME/starts"; echo working; touch "$JRUN_TASK_FOLDER/DONE""#;

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let command = serde_json::to_string(&["/bin/sh", "-c", AGENT]).expect("JSON");
    sandbox.configure(format!("agents:\n  worker: {{type: command, command: {command}}}\n"));
    sandbox
}

fn task() -> Value {
    json!({"project_id": "p", "task_id": "t", "agent_type": "worker", "prompt": "work"})
}

/// A daemon that may die at any moment.
struct KilledDaemon(Child);

impl Drop for KilledDaemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl KilledDaemon {
    /// Starts it and posts the task. Returns the status of the answer, if one arrived.
    fn start_and_post(sandbox: &Sandbox, at: u32) -> (Self, Option<u16>) {
        let mut command = sandbox.command(["serve", "--port", "0"]);
        command.env("CONDUCTOR_TEST_KILL_DRIVER", at.to_string());
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it can be started");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("its stdout");
        let _ = BufReader::new(stdout).read_line(&mut line);
        let port = line.trim().rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        let status = port.and_then(post);
        (Self(child), status)
    }

    /// Waits until the daemon is dead or the task has ended. Returns true if the daemon was killed.
    fn was_killed(&mut self, sandbox: &Sandbox) -> bool {
        let deadline = Instant::now() + Duration::from_secs(30);
        let live = sandbox.root().join("_planner/live");
        let ended = || {
            let gone = fs::read_dir(&live).is_ok_and(|mut d| d.next().is_none());
            gone && sandbox.root().join("p/t/TASK-END.yaml").exists()
        };
        loop {
            if self.0.try_wait().expect("its status").is_some() {
                return true;
            }
            if ended() {
                return false;
            }
            assert!(Instant::now() < deadline, "neither dead nor done in {}", sandbox.root().display());
            thread::sleep(Duration::from_millis(5));
        }
    }
}

fn post(port: u16) -> Option<u16> {
    let body = task().to_string();
    let length = body.len();
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
        let request = format!(
            "POST /api/v1/tasks HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let status = answer.split(' ').nth(1)?.parse().ok()?;
        // The daemon is not ready and has made nothing: ask again.
        if status != 503 {
            return Some(status);
        }
        thread::sleep(Duration::from_millis(5));
    }
    None
}

/// Tries one point. Returns true if the daemon lived beyond it.
fn try_point(at: u32) -> bool {
    let sandbox = sandbox();
    let what = format!("killed at {at} in {}", sandbox.root().display());
    let (mut doomed, status) = KilledDaemon::start_and_post(&sandbox, at);
    assert!(matches!(status, None | Some(201)), "{what}: {status:?}");
    let killed = match status {
        Some(_) => doomed.was_killed(&sandbox),
        None => true,
    };
    drop(doomed);

    let daemon = Daemon::start(&sandbox, &[]);
    if status.is_none() {
        // The client got no answer, so it asks again: the task is then made, or found made.
        let again = daemon.post("/api/v1/tasks", &task()).status;
        assert!([201, 409].contains(&again), "{what}: {again}");
    }
    let ended = daemon.until_task("t", "completed");
    let runs = ended["runs"].as_array().expect("runs");
    let good = runs.iter().filter(|r| r["status"] == "success").count();
    // A start without an observed end is followed by another attempt.
    assert!(good == 1 || runs.len() > 1, "{what}: {ended}");

    let starts = fs::read_to_string(sandbox.home().join("starts")).expect("starts");
    let mut lines: Vec<&str> = starts.lines().collect();
    let all = lines.len();
    lines.sort_unstable();
    lines.dedup();
    assert_eq!(lines.len(), all, "{what}: an agent ran twice for one run");
    drop(daemon);
    let serious = || -> Vec<String> {
        let answer = sandbox.run("fsck --repair --json");
        let answer: Value = serde_json::from_str(&answer.stdout).expect("JSON");
        let findings = answer["findings"].as_array().expect("findings").clone();
        findings.iter().filter(|f| f["severity"] != "note").map(ToString::to_string).collect()
    };
    assert_eq!(serious(), [""; 0], "{what}");
    !killed
}

#[test]
fn heavy_a_daemon_may_die_at_any_point() {
    let step = if std::env::var_os("CONDUCTOR_SOAK").is_some() { 1 } else { 3 };
    let (next, last) = (AtomicU32::new(1), AtomicU32::new(0));
    let failures = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(step, Ordering::Relaxed);
                    let enough = last.load(Ordering::Relaxed) != 0 || at > BEYOND;
                    if enough || !failures.lock().expect("a list").is_empty() {
                        return;
                    }
                    match std::panic::catch_unwind(|| try_point(at)) {
                        Ok(false) => {}
                        Ok(true) => {
                            last.fetch_max(at, Ordering::Relaxed);
                        }
                        Err(_) => failures.lock().expect("a list").push(at),
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().expect("a list");
    assert!(failures.is_empty(), "failed at {failures:?} (see above)");
    let last = last.into_inner();
    assert!(last > 20, "the daemon was not killed: the points end at {last}");
    println!("a daemon has {last} points from its start to the end of a task");
}

#[test]
fn a_task_is_done_when_nobody_dies() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    assert_eq!(daemon.post("/api/v1/tasks", &task()).status, 201);
    let mut status = Value::Null;
    until("it is completed", || {
        status = daemon.task("t")["status"].clone();
        status == "completed"
    });
}
