//! A real daemon of a sandbox, and a client that shares no code with the daemon.

use std::{
    fmt::Write as _,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use super::Sandbox;

/// Maximum time to wait for anything here.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// `run-agent serve --port 0`, ended with the test.
pub struct Daemon {
    pub child: Child,
    pub port: u16,
    pub log: std::path::PathBuf,
}

/// An answer.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub head: String,
    pub body: String,
}

/// An event of a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub id: Option<String>,
    pub name: Option<String>,
    pub data: Value,
}

/// An open stream.
pub struct Events {
    reader: BufReader<TcpStream>,
    pub status: u16,
    pub head: String,
    rest: String,
    /// The bytes of `rest` that were already returned.
    taken: usize,
}

impl Daemon {
    pub fn start(sandbox: &Sandbox, flags: &[&str]) -> Self {
        Self::start_with(sandbox, &[], flags)
    }

    /// Starts a daemon with additional variables.
    pub fn start_with(sandbox: &Sandbox, environment: &[(&str, &str)], flags: &[&str]) -> Self {
        Self::of(sandbox, Self::command(sandbox, flags).envs(environment.iter().copied()))
    }

    /// Starts a daemon after a line of shell, which sets limits, for example.
    pub fn start_after(sandbox: &Sandbox, line: &str, flags: &[&str]) -> Self {
        let command = Self::command(sandbox, flags);
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &format!("{line}; exec \"$@\""), "sh"]).arg(command.get_program());
        shell.args(command.get_args()).env_clear().stdin(Stdio::null());
        shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        Self::of(sandbox, shell.current_dir(sandbox.work()))
    }

    fn command(sandbox: &Sandbox, flags: &[&str]) -> Command {
        // The next free port, unless the test needs a certain one.
        let port: &[&str] = if flags.contains(&"--port") { &[] } else { &["--port", "0"] };
        sandbox.command(["serve"].iter().chain(port).chain(flags))
    }

    /// Starts a daemon with a command of the test's own.
    pub fn of(sandbox: &Sandbox, command: &mut Command) -> Self {
        let log = sandbox.write("daemon.log", std::fs::read(sandbox.path("daemon.log")).unwrap_or_default());
        let stderr = std::fs::OpenOptions::new().append(true).open(&log).expect("the log of the daemon");
        let mut child =
            command.stdout(Stdio::piped()).stderr(stderr).spawn().expect("run-agent can be started");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("its stdout"))
            .read_line(&mut line)
            .expect("its first line");
        let port = line.trim().rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        let port = port.unwrap_or_else(|| panic!("no address: {line:?}, {}", read(&log)));
        let daemon = Self { child, port, log };
        until("the daemon is ready", || daemon.get("/api/v1/health").status == 200);
        daemon
    }

    /// Sends these bytes and reads until the daemon closes the connection.
    pub fn raw(&self, request: &str) -> Response {
        self.raw_within(request, PATIENCE)
    }

    fn raw_within(&self, request: &str, limit: Duration) -> Response {
        let mut stream = self.connect();
        stream.set_read_timeout(Some(limit)).expect("a time limit");
        stream.write_all(request.as_bytes()).expect("the daemon takes the request");
        let mut text = Vec::new();
        stream.read_to_end(&mut text).expect("the daemon answers and closes");
        let text = String::from_utf8(text).expect("text");
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
        let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
        let body = if chunked { unchunk(body) } else { body.to_owned() };
        Response { status: status_of(head), head: head.to_owned(), body }
    }

    pub fn send(&self, method: &str, path: &str, headers: &str, body: &str) -> Response {
        let length =
            if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let port = self.port;
        self.raw(&format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n{headers}{length}\r\n{body}"
        ))
    }

    pub fn get(&self, path: &str) -> Response {
        self.send("GET", path, "", "")
    }

    pub fn post(&self, path: &str, body: &Value) -> Response {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.send("POST", path, "Content-Type: application/json\r\n", &body)
    }

    /// Posts an empty body, and waits for the answer as long as the daemon itself may take.
    pub fn post_patiently(&self, path: &str) -> Response {
        let port = self.port;
        let request = format!("POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n");
        self.raw_within(&request, 3 * PATIENCE)
    }

    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a pid")
    }

    /// Makes a task and returns its run.
    #[track_caller]
    pub fn create(&self, task: &str, agent: &str) -> String {
        let new =
            serde_json::json!({"project_id": "p", "task_id": task, "agent_type": agent, "prompt": "work"});
        let answer = self.post("/api/v1/tasks", &new);
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()["run_id"].as_str().expect("a run").to_owned()
    }

    pub fn task(&self, task: &str) -> Value {
        self.get(&format!("/api/v1/tasks/{task}?project_id=p")).json()
    }

    /// Waits until a task has this status.
    pub fn until_task(&self, task: &str, status: &str) -> Value {
        until(&format!("{task} is {status}"), || self.task(task)["status"] == status);
        self.task(task)
    }

    pub fn stream(&self, path: &str, last: Option<&str>) -> Events {
        let last = last.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
        let mut stream = self.connect();
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost:{}\r\n{last}\r\n", self.port);
        stream.write_all(request.as_bytes()).expect("the daemon takes the request");
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(reader.read_line(&mut head).expect("an answer") > 0, "no answer: {head:?}");
        }
        Events { reader, status: status_of(&head), head, rest: String::new(), taken: 0 }
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the daemon listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        stream
    }

    pub fn signal(&self, signal: nix::sys::signal::Signal) {
        let pid = nix::unistd::Pid::from_raw(self.pid());
        nix::sys::signal::kill(pid, signal).expect("the daemon is there");
    }

    /// Ends the daemon as a crash would.
    pub fn kill(mut self) {
        self.child.kill().expect("the daemon is there");
        self.child.wait().expect("its end");
    }

    /// Waits for the daemon's own end. Returns its exit code and the time that it took.
    pub fn ended(&mut self) -> (Option<i32>, Duration) {
        let began = Instant::now();
        let mut status = None;
        until("the daemon ends", || {
            status = self.child.try_wait().expect("its status");
            status.is_some()
        });
        (status.and_then(|s| s.code()), began.elapsed())
    }

    pub fn log(&self) -> String {
        read(&self.log)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

impl Response {
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("no JSON: {e}: {self:?}"))
    }

    /// Checks that the answer is an error of this status with this text.
    #[track_caller]
    pub fn fails(&self, status: u16, text: &str) {
        assert_eq!(self.status, status, "{self:?}");
        let error = self.json()["error"].as_str().unwrap_or_default().to_owned();
        assert!(error.contains(text), "not '{text}': {error}");
    }
}

impl Events {
    /// Returns the next event; `None` if the stream has ended.
    pub fn next(&mut self) -> Option<Event> {
        loop {
            while let Some((block, _)) = self.rest[self.taken..].split_once("\n\n") {
                self.taken += block.len() + 2;
                let field = |name: &str| {
                    block.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(": ").map(str::to_owned))
                };
                if let Some(data) = field("data") {
                    let data = serde_json::from_str(&data).expect("JSON on one line");
                    return Some(Event { id: field("id"), name: field("event"), data });
                }
            }
            self.rest.drain(..std::mem::take(&mut self.taken));
            let chunk = self.chunk()?;
            self.rest.push_str(&chunk);
        }
    }

    /// Reads all events to the end.
    pub fn rest(mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.next()).collect()
    }

    fn chunk(&mut self) -> Option<String> {
        let mut size = String::new();
        if self.reader.read_line(&mut size).ok()? == 0 {
            return None;
        }
        let size = usize::from_str_radix(size.trim(), 16).ok()?;
        let mut bytes = vec![0; size + 2];
        self.reader.read_exact(&mut bytes).ok()?;
        bytes.truncate(size);
        if size == 0 { None } else { Some(String::from_utf8(bytes).expect("text")) }
    }
}

/// Polls until a condition holds.
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Writes a config.yaml with agents that perform these steps.
pub fn agents(sandbox: &Sandbox, fake: &Path, agents: &[(&str, &[&str])], more: &str) {
    let mut text = String::from("agents:\n");
    for (name, steps) in agents {
        let command: Vec<&str> =
            [fake.to_str().expect("a path")].into_iter().chain(steps.iter().copied()).collect();
        let command = serde_json::to_string(&command).expect("JSON");
        let _ = writeln!(text, "  {name}: {{type: command, command: {command}}}");
    }
    sandbox.configure(text + more);
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

fn status_of(head: &str) -> u16 {
    let code = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    code.unwrap_or_else(|| panic!("no status: {head:?}"))
}

fn unchunk(mut body: &str) -> String {
    let mut text = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).expect("a chunk");
        text.push_str(&rest[..size]);
        body = &rest[(size + 2).min(rest.len())..];
    }
    text
}
