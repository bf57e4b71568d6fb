//! Webhooks against a real listener that fails, hangs and redirects. Every end of a run is posted at least once, even
//! if no daemon has seen it or daemons are killed. No run waits for the listener.

#![expect(clippy::expect_used, reason = "a test that cannot prepare itself has failed")]

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::common::{
    Sandbox,
    daemon::{Daemon, until},
    tools,
};

const SECRET: &str = "a secret between the two";
const ENVIRONMENT: [(&str, &str); 1] = [("CONDUCTOR_TEST_WEBHOOK_PAUSE_MS", "50")];

/// The reaction of the receiver to the next request, and to all later ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reaction {
    Takes,
    Fails,
    Hangs,
    Redirects,
}

#[derive(Debug, Clone)]
struct Delivery {
    path: String,
    headers: BTreeMap<String, String>,
    body: String,
    mood: Reaction,
}

/// The receiver of the webhooks.
struct Receiver {
    port: u16,
    mood: Arc<Mutex<Reaction>>,
    told: Arc<Mutex<Vec<Delivery>>>,
}

impl Receiver {
    fn start(mood: Reaction) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let port = listener.local_addr().expect("its address").port();
        let receiver = Self { port, mood: Arc::new(Mutex::new(mood)), told: Arc::default() };
        let (mood, told) = (receiver.mood.clone(), receiver.told.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (mood, told) = (mood.clone(), told.clone());
                std::thread::spawn(move || answer(stream, &mood, &told, port));
            }
        });
        receiver
    }

    fn set(&self, mood: Reaction) {
        *self.mood.lock().expect("no panic") = mood;
    }

    fn told(&self) -> Vec<Delivery> {
        self.told.lock().expect("no panic").clone()
    }

    fn taken(&self, run: &str) -> Option<Delivery> {
        self.told().into_iter().find(|t| t.mood == Reaction::Takes && t.body.contains(run))
    }
}

fn answer(stream: TcpStream, mood: &Mutex<Reaction>, told: &Mutex<Vec<Delivery>>, port: u16) {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    if reader.read_line(&mut first).is_err() {
        return;
    }
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).is_err() || line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.trim().split_once(": ") {
            headers.insert(name.to_ascii_lowercase(), value.to_owned());
        }
    }
    let length = headers.get("content-length").and_then(|l| l.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    if reader.read_exact(&mut body).is_err() {
        return;
    }
    let mood = *mood.lock().expect("no panic");
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let body = String::from_utf8(body).expect("text");
    told.lock().expect("no panic").push(Delivery { path, headers, body, mood });
    let mut stream = reader.into_inner();
    let words = match mood {
        Reaction::Takes => "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n".to_owned(),
        Reaction::Fails => {
            "HTTP/1.1 503 Not Now\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned()
        }
        Reaction::Redirects => format!(
            "HTTP/1.1 307 There\r\nLocation: http://127.0.0.1:{port}/stolen\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        ),
        Reaction::Hangs => {
            std::thread::sleep(Duration::from_secs(30));
            return;
        }
    };
    let _ = stream.write_all(words.as_bytes());
}

fn sandbox(receiver: &Receiver, timeout: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let text = format!(
        "agents:\n  works: {{type: command, command: [/bin/sh, -c, 'touch \"$JRUN_TASK_FOLDER/DONE\"']}}\n  \
         fails: {{type: command, command: [/bin/sh, -c, 'echo sk-ant-api03-abcdefghijklmnopqrstuvwxyz0123456789 >&2; exit 5']}}\n\
         defaults: {{max_restarts: 0}}\n\
         webhook: {{url: 'http://127.0.0.1:{}/hook', secret: '{SECRET}', timeout: {timeout}}}\n",
        receiver.port
    );
    sandbox.configure(text);
    sandbox
}

fn waiting(sandbox: &Sandbox) -> usize {
    let folder = std::fs::read_dir(sandbox.root().join("_daemon/outbox"));
    folder.map_or(0, |names| {
        names.flatten().filter(|e| e.path().extension().is_some_and(|end| end == "json")).count()
    })
}

/// HMAC-SHA256, computed by another program.
fn openssl(key: &str, text: &str) -> Option<String> {
    let mut child = std::process::Command::new(tools::program("openssl")?)
        .args(["dgst", "-sha256", "-hmac", key])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("openssl can be started");
    child.stdin.take().expect("its stdin").write_all(text.as_bytes()).expect("openssl reads");
    let output = child.wait_with_output().expect("the end of openssl");
    let said = String::from_utf8(output.stdout).expect("text");
    Some(said.trim().rsplit(' ').next().expect("a sum").to_owned())
}

#[test]
fn an_end_is_told_signed_and_without_secrets() {
    let receiver = Receiver::start(Reaction::Takes);
    let sandbox = sandbox(&receiver, "5s");
    let daemon = Daemon::start_with(&sandbox, &ENVIRONMENT, &[]);
    let run = daemon.create("good", "works");
    until("it is told", || receiver.taken(&run).is_some());
    let told = receiver.taken(&run).expect("told");
    assert_eq!(told.path, "/hook");
    let body: Value = serde_json::from_str(&told.body).expect("JSON");
    for (key, value) in
        [("event", "run_stop"), ("project_id", "p"), ("task_id", "good"), ("status", "completed")]
    {
        assert_eq!(body[key], value, "{body}");
    }
    assert_eq!((&body["exit_code"], &body["run_id"]), (&Value::from(0), &Value::from(run.as_str())));
    let id = format!("{run}.run_stop");
    let header = |name: &str| told.headers.get(name).cloned().unwrap_or_default();
    assert_eq!((header("x-conductor-delivery"), header("webhook-id")), (id.clone(), id));
    assert_eq!(header("content-type"), "application/json");
    if let Some(sum) = openssl(SECRET, &told.body) {
        assert_eq!(header("x-conductor-signature"), format!("sha256={sum}"));
    }
    assert!(header("webhook-signature").starts_with("v1,"), "{told:?}");
    until("nothing waits", || waiting(&sandbox) == 0);

    let run = daemon.create("bad", "fails");
    until("it is told", || receiver.taken(&run).is_some());
    let body = receiver.taken(&run).expect("told").body;
    assert!(body.contains("\"failed\"") && body.contains("exit code 5"), "{body}");
    assert!(!body.contains("abcdefghijklmnop") && !body.contains(SECRET), "{body}");
    assert_eq!(receiver.told().len(), 2, "each once");
}

#[test]
fn whoever_fails_hangs_or_redirects_is_told_later_and_holds_nobody_up() {
    let receiver = Receiver::start(Reaction::Fails);
    let sandbox = sandbox(&receiver, "300ms");
    let daemon = Daemon::start_with(&sandbox, &ENVIRONMENT, &[]);
    let mut runs = Vec::new();
    for (n, mood) in [Reaction::Fails, Reaction::Redirects, Reaction::Hangs].into_iter().enumerate() {
        receiver.set(mood);
        let before = receiver.told().len();
        let began = Instant::now();
        let task = format!("t{n}");
        runs.push(daemon.create(&task, "works"));
        daemon.until_task(&task, "completed");
        assert!(began.elapsed() < Duration::from_secs(20), "the run waited for the webhook");
        until("it was tried twice", || receiver.told().len() >= before + 2);
    }
    assert!(receiver.told().iter().all(|t| t.path == "/hook"), "no redirect is followed");
    assert_eq!(waiting(&sandbox), 3);
    let doctor = sandbox.run("doctor");
    assert!(doctor.stdout.contains("3 ends of runs wait to be posted"), "{doctor:?}");

    // Killed in the middle of all this, the daemon continues where it was.
    daemon.kill();
    receiver.set(Reaction::Takes);
    let _daemon = Daemon::start_with(&sandbox, &ENVIRONMENT, &[]);
    for run in &runs {
        until("it is told", || receiver.taken(run).is_some());
    }
    until("nothing waits", || waiting(&sandbox) == 0);
}

#[test]
fn what_no_daemon_has_seen_is_told_by_the_next_one() {
    let receiver = Receiver::start(Reaction::Takes);
    let sandbox = sandbox(&receiver, "5s");
    let job = sandbox.run("job --agent works --project p --task alone --prompt work");
    assert_eq!(job.code, 0, "{job:?}");
    assert_eq!((waiting(&sandbox), receiver.told().len()), (1, 0));
    let _daemon = Daemon::start_with(&sandbox, &ENVIRONMENT, &[]);
    until("it is told", || receiver.told().iter().any(|t| t.body.contains("\"alone\"")));
    until("nothing waits", || waiting(&sandbox) == 0);
}

#[test]
fn wrong_settings_are_said() {
    let sandbox = Sandbox::new();
    sandbox.configure("webhook:\n  url: ftp://x\n  events: [run_stop, run_stopp]\n");
    let shown = sandbox.run("config show");
    assert_ne!(shown.code, 0);
    assert!(shown.stderr.contains("http://") && shown.stderr.contains("run_stopp"), "{shown:?}");
}
