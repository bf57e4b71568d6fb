//! The daemon replaces its own program while it is under load and while its processes are killed at every step. No
//! connection is refused, agents go on, and no task is lost or executed twice.

#![expect(clippy::expect_used, reason = "a test that cannot prepare itself has failed")]

use std::{
    collections::BTreeMap,
    fs,
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    os::{
        fd::{AsFd, AsRawFd},
        unix::fs::{FileExt, MetadataExt},
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::common::{
    Sandbox,
    daemon::{PATIENCE, until},
    fake::helper,
    outcome, words,
};

const PATH: &str = "/api/v1/admin/self-update";
/// `quick` ends at once; `held` ends when its file exists; both record their start.
const CONFIG: &str = r#"agents:
  quick: {type: command, command: [/bin/sh, -c, 'echo $JRUN_TASK_ID >> "$HOME/starts"; touch "$JRUN_TASK_FOLDER/DONE"']}
  held: {type: command, command: [/bin/sh, -c, 'echo $JRUN_TASK_ID >> "$HOME/starts"; while [ ! -e "$HOME/go-$JRUN_TASK_ID" ]; do sleep 0.05; done; touch "$JRUN_TASK_FOLDER/DONE"']}
"#;
/// Time limit of a candidate in these tests.
const LIMIT_MS: &str = "6000";

/// A copy of the program that may be replaced, and the daemon that runs from it.
struct Service {
    sandbox: Sandbox,
    port: u16,
    child: Mutex<Option<Child>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Candidate {
    /// This program, with a mark appended.
    Good,
    /// The helper program with this plan.
    Plan(&'static str),
    /// A program for another machine.
    Foreign,
}

/// One update, and the process that is killed meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Round {
    candidate: Candidate,
    mode: &'static str,
    kill_at: Option<&'static str>,
}

const fn round(candidate: Candidate, mode: &'static str) -> Round {
    Round { candidate, mode, kill_at: None }
}

const fn killed(step: &'static str, candidate: Candidate, mode: &'static str) -> Round {
    Round { candidate, mode, kill_at: Some(step) }
}

use Candidate::{Foreign, Good, Plan};

/// Every kind of candidate, and a kill at every step.
const ROUNDS: &[Round] = &[
    round(Good, "live"),
    killed("new-told", Good, "live"),
    round(Foreign, "live"),
    round(Plan("check-fails"), "drain"),
    round(Plan("serve-dies"), "live"),
    // The rounds above are the short form.
    round(Good, "drain"),
    round(Plan("check-hangs"), "live"),
    round(Plan("check-talks"), "drain"),
    round(Plan("serve-hangs"), "live"),
    killed("daemon-staged", Good, "live"),
    killed("daemon-checked", Good, "drain"),
    killed("guard-begun", Good, "live"),
    killed("daemon-guarded", Good, "live"),
    killed("daemon-down", Good, "drain"),
    killed("guard-trial", Good, "live"),
    killed("new-begun", Good, "live"),
    killed("guard-healthy", Good, "drain"),
    killed("new-exchanged", Good, "live"),
    killed("new-recorded", Good, "live"),
    killed("guard-takes-over", Plan("serve-dies"), "live"),
];
/// Number of rounds in the short form.
const SHORT: usize = 5;

fn soak() -> bool {
    std::env::var_os("CONDUCTOR_SOAK").is_some()
}

impl Service {
    fn start() -> Self {
        let sandbox = Sandbox::new();
        sandbox.configure(CONFIG);
        fs::create_dir(sandbox.path("bin")).expect("a folder");
        fs::copy(env!("CARGO_BIN_EXE_run-agent"), sandbox.path("bin/run-agent")).expect("a copy");
        // A port that was free a moment ago, so that the daemon can be restarted at the same address.
        let port =
            std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
        let service = Self { sandbox, port, child: Mutex::new(None) };
        service.start_daemon();
        service
    }

    fn installed(&self) -> PathBuf {
        self.sandbox.path("bin/run-agent")
    }

    fn command(&self, line: &str) -> Command {
        let model = self.sandbox.command(words(line));
        let mut command = Command::new(self.installed());
        command.args(model.get_args()).env_clear().current_dir(self.sandbox.work()).stdin(Stdio::null());
        command.envs(model.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command
            .env("CONDUCTOR_TEST_UPDATE_LIMIT_MS", LIMIT_MS)
            .env("CONDUCTOR_TEST_KILL_AT", self.sandbox.path("kill-at"))
            .env("CANDIDATE_PLAN", self.sandbox.path("plan"));
        command
    }

    fn start_daemon(&self) {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.sandbox.path("daemon.log"));
        let log = log.expect("a log");
        let mut command = self.command(&format!("serve --port {}", self.port));
        // A killed process holds its lock until the kernel has released it.
        let before = self.child.lock().expect("no panic").take();
        if let Some(mut before) = before {
            let _ = before.wait();
        }
        let child = command.stdout(Stdio::null()).stderr(log).spawn().expect("a daemon");
        *self.child.lock().expect("no panic") = Some(child);
        until("the daemon is ready", || self.get("/api/v1/health").is_ok_and(|a| a.0 == 200));
    }

    /// The daemon's process, if it lives.
    fn pid(&self) -> Option<i32> {
        // A child of ours must be reaped before it counts as dead.
        if let Some(child) = self.child.lock().expect("no panic").as_mut() {
            let _ = child.try_wait();
        }
        let text = fs::read_to_string(self.sandbox.root().join("_daemon/daemon.lock")).ok()?;
        let holder: Value = serde_json::from_str(&text).ok()?;
        let pid = i32::try_from(holder["pid"].as_i64()?).ok()?;
        let state = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        (!state.contains(") Z")).then_some(pid)
    }

    fn request(&self, method: &str, path: &str, headers: &str, body: &str) -> std::io::Result<(u16, Value)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_mins(1)))?;
        let (port, length) = (self.port, body.len());
        let length = if body.is_empty() {
            String::new()
        } else {
            format!("Content-Type: application/json\r\nContent-Length: {length}\r\n")
        };
        stream.write_all(
            format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n{headers}{length}\r\n{body}")
                .as_bytes(),
        )?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        let status = text.split(' ').nth(1).and_then(|s| s.parse().ok());
        let status = status.ok_or_else(|| std::io::Error::new(ErrorKind::UnexpectedEof, "no answer"))?;
        let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        Ok((status, serde_json::from_str(body).unwrap_or(Value::Null)))
    }

    fn get(&self, path: &str) -> std::io::Result<(u16, Value)> {
        self.request("GET", path, "", "")
    }

    fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.request("POST", path, "", &body.to_string()).expect("an answer")
    }

    fn update(&self, candidate: &Path, mode: &str) -> (u16, Value) {
        self.post(PATH, &json!({"binary_path": candidate, "mode": mode}))
    }

    fn state(&self) -> Value {
        self.get(PATH).map_or(Value::Null, |(_, status)| status)
    }

    fn until_state(&self, state: &str) -> Value {
        until(&format!("the update is {state}"), || self.state()["state"] == state);
        self.state()
    }

    fn task(id: &str, agent: &str) -> Value {
        json!({"project_id": "p", "task_id": id, "agent_type": agent, "prompt": "work"})
    }

    /// Posts a root task as a careful client does: until it is accepted, and with effect once.
    fn submit(&self, id: &str, agent: &str) {
        let body = Self::task(id, agent).to_string();
        let deadline = Instant::now() + Duration::from_mins(2);
        loop {
            let answer = self.request("POST", "/api/v1/tasks", &format!("Idempotency-Key: {id}\r\n"), &body);
            match answer {
                Ok((201, _)) => return,
                Ok((409, _)) | Err(_) => {}
                Ok(other) => panic!("{id}: {other:?}\n{}", self.log()),
            }
            assert!(Instant::now() < deadline, "{id} is not taken\n{}", self.log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn status_of(&self, task: &str) -> String {
        let answer = self.get(&format!("/api/v1/tasks/{task}?project_id=p"));
        answer.ok().and_then(|(_, task)| Some(task["status"].as_str()?.to_owned())).unwrap_or_default()
    }

    fn let_go(&self, task: &str) {
        self.sandbox.write(format!("home/go-{task}"), "");
    }

    fn log(&self) -> String {
        fs::read_to_string(self.sandbox.path("daemon.log")).unwrap_or_default()
    }

    /// Creates a candidate program with a name of its own.
    fn candidate(&self, kind: Candidate, name: &str) -> PathBuf {
        let path = self.sandbox.path(format!("candidate-{name}"));
        match kind {
            Good => {
                fs::copy(env!("CARGO_BIN_EXE_run-agent"), &path).expect("a copy");
                let mut file = fs::OpenOptions::new().append(true).open(&path).expect("the copy");
                // An ELF file may have any bytes appended.
                write!(file, "mark of {name}").expect("a mark");
            }
            Plan(plan) => {
                fs::copy(helper(), &path).expect("a copy");
                self.sandbox.write("plan", plan);
            }
            Foreign => {
                fs::copy(helper(), &path).expect("a copy");
                let file = fs::OpenOptions::new().read(true).write(true).open(&path).expect("the copy");
                let mut machine = [0];
                file.read_exact_at(&mut machine, 18).expect("a header");
                file.write_all_at(&[machine[0] ^ 0x55], 18).expect("a header");
            }
        }
        path
    }

    fn installed_is(&self, name: &str) -> bool {
        let file = fs::File::open(self.installed()).expect("a program is installed");
        let mark = format!("mark of {name}");
        let mut end = vec![0; mark.len()];
        let at = file.metadata().expect("its length").len() - mark.len() as u64;
        file.read_exact_at(&mut end, at).expect("its end");
        end == mark.as_bytes()
    }

    /// Checks that the running program is the installed one, and that no temporary files are left.
    fn settled(&self) {
        let pid = self.pid().expect("a daemon");
        let mark = |path: PathBuf| path.metadata().map(|m| (m.dev(), m.ino())).expect("a file");
        assert_eq!(
            mark(format!("/proc/{pid}/exe").into()),
            mark(self.installed()),
            "what runs is what is installed\n{}",
            self.log()
        );
        let left = || -> Vec<String> {
            let names = fs::read_dir(self.sandbox.path("bin")).expect("a folder").flatten();
            let names = names.map(|e| e.file_name().to_string_lossy().into_owned());
            names.filter(|name| !["run-agent", "run-agent.rollback"].contains(&name.as_str())).collect()
        };
        // The update is reported as done before its last file is removed.
        let deadline = Instant::now() + PATIENCE;
        while !left().is_empty() {
            assert!(Instant::now() < deadline, "{:?} is left", left());
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(pid) = self.pid() {
            let _ =
                nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
        }
        if let Some(child) = self.child.lock().expect("no panic").as_mut() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A client that constantly asks the daemon for its health.
struct Poller {
    end: Arc<AtomicBool>,
    /// Set if refusals count as failures.
    counts: Arc<AtomicBool>,
    refused: Arc<Mutex<Vec<String>>>,
    asked: Arc<AtomicUsize>,
    broken: Arc<AtomicUsize>,
    thread: Option<JoinHandle<Duration>>,
}

impl Poller {
    fn start(service: &Arc<Service>) -> Self {
        let poller = Self {
            end: Arc::default(),
            counts: Arc::new(AtomicBool::new(true)),
            refused: Arc::default(),
            asked: Arc::default(),
            broken: Arc::default(),
            thread: None,
        };
        let (end, counts, refused) = (poller.end.clone(), poller.counts.clone(), poller.refused.clone());
        let (asked, broken, service) = (poller.asked.clone(), poller.broken.clone(), service.clone());
        let thread = thread::spawn(move || {
            let mut longest = Duration::ZERO;
            while !end.load(Ordering::Relaxed) {
                let counted = counts.load(Ordering::Relaxed);
                let began = Instant::now();
                let answer = service.get("/api/v1/health");
                if counted && counts.load(Ordering::Relaxed) {
                    asked.fetch_add(1, Ordering::Relaxed);
                    longest = longest.max(began.elapsed());
                    match answer {
                        Ok(_) => {}
                        Err(e) if e.kind() == ErrorKind::ConnectionRefused => {
                            refused.lock().expect("no panic").push(e.to_string());
                        }
                        // The connection was accepted by a process that was killed then.
                        Err(_) => {
                            broken.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                }
                thread::sleep(Duration::from_millis(3));
            }
            longest
        });
        Self { thread: Some(thread), ..poller }
    }
}

#[test]
fn heavy_a_daemon_is_replaced_under_load_whoever_dies() {
    let rounds: Vec<Round> =
        if soak() { ROUNDS.iter().copied().cycle().take(50).collect() } else { ROUNDS[..SHORT].to_vec() };
    let service = Arc::new(Service::start());
    let poller = Poller::start(&service);
    let end = Arc::new(AtomicBool::new(false));
    let load: Vec<JoinHandle<usize>> = (0..2)
        .map(|client| {
            let (service, end) = (service.clone(), end.clone());
            thread::spawn(move || {
                let mut n = 0;
                while !end.load(Ordering::Relaxed) {
                    service.submit(&format!("load-{client}-{n}"), "quick");
                    n += 1;
                    thread::sleep(Duration::from_millis(50));
                }
                n
            })
        })
        .collect();

    let mut restarts = 0;
    let mut took: BTreeMap<String, Vec<Duration>> = BTreeMap::new();
    let mut held = Vec::new();
    for (n, round) in rounds.iter().enumerate() {
        let began = Instant::now();
        restarts += usize::from(play(&service, &poller, n, *round, &mut held));
        took.entry(format!("{round:?}")).or_default().push(began.elapsed());
    }
    for task in &held {
        service.let_go(task);
    }
    end.store(true, Ordering::Relaxed);
    let counts: Vec<usize> = load.into_iter().map(|t| t.join().expect("a client ends well")).collect();
    poller.end.store(true, Ordering::Relaxed);
    let mut poller = poller;
    let longest = poller.thread.take().map(|t| t.join().expect("the poller ends well")).unwrap_or_default();

    let ids = counts.iter().enumerate().flat_map(|(c, n)| (0..*n).map(move |n| format!("load-{c}-{n}")));
    let ids: Vec<String> = ids.chain(held.iter().cloned()).collect();
    for id in &ids {
        until(&format!("{id} is completed"), || service.status_of(id) == "completed");
    }
    let starts = fs::read_to_string(service.sandbox.home().join("starts")).expect("starts");
    let mut started: Vec<&str> = starts.lines().collect();
    let all = started.len();
    started.sort_unstable();
    started.dedup();
    assert_eq!((started.len(), all), (ids.len(), ids.len()), "a task was lost or done twice");
    let refused = poller.refused.lock().expect("no panic").clone();
    let (asked, broken) = (poller.asked.load(Ordering::Relaxed), poller.broken.load(Ordering::Relaxed));
    println!(
        "{} rounds, {} tasks, {asked} questions: {} refused, {broken} broken off by a kill, the slowest answer after \
         {longest:?}; {restarts} times nobody was left and the daemon was started anew",
        rounds.len(),
        ids.len(),
        refused.len(),
    );
    for (round, times) in took {
        println!("{round}: {times:?}");
    }
    assert_eq!(refused.len(), 0, "a connection was refused");
    let fsck = service.command("fsck").output().expect("fsck");
    assert!(fsck.status.success(), "{fsck:?}");
}

/// Performs one update, from its request to a stable daemon. Returns true if the daemon had to be restarted by hand.
fn play(service: &Arc<Service>, poller: &Poller, n: usize, round: Round, held: &mut Vec<String>) -> bool {
    let name = format!("{n}");
    let candidate = service.candidate(round.candidate, &name);
    let before = service.pid().expect("a daemon");
    // An agent that works across a live update, or for a while during a drain.
    let worker = format!("held-{n}");
    service.submit(&worker, "held");
    until("the agent works", || service.status_of(&worker) == "running");
    held.push(worker.clone());

    // If the daemon is killed before the guard exists or after the daemon is gone, the test must restart it.
    let unguarded = matches!(round.kill_at, Some("daemon-staged" | "daemon-checked" | "guard-takes-over"));
    poller.counts.store(!unguarded, Ordering::Relaxed);
    if let Some(step) = round.kill_at {
        service.sandbox.write("kill-at", step);
    }
    let (status, answer) = service.update(&candidate, round.mode);
    assert_eq!(status, 202, "{answer}");
    if round.mode == "drain" {
        if !unguarded && service.state()["state"] == "deferred" {
            let (status, answer) = service.post("/api/v1/tasks", &Service::task("refused", "quick"));
            assert!(status == 409 || service.state()["state"] != "deferred", "{answer}");
        }
        // The workers of earlier rounds hold up the drain, too.
        for task in &*held {
            service.let_go(task);
        }
    }

    let deadline = Instant::now() + Duration::from_mins(1);
    let mut restarted = false;
    let status = loop {
        if unguarded && service.pid().is_none() {
            service.start_daemon();
            restarted = true;
        }
        let status = service.state();
        if matches!(status["state"].as_str(), Some("idle" | "failed")) {
            break status;
        }
        assert!(Instant::now() < deadline, "round {n}, {round:?}: {status}\n{}", service.log());
        thread::sleep(Duration::from_millis(20));
    };
    let succeeded = status["state"] == "idle";
    let why = status["last_error"].as_str().unwrap_or_default();
    let text = format!("round {n}, {round:?}: {status}\n{}", service.log());
    match (round.candidate, round.kill_at) {
        (Good, None) => assert!(succeeded && service.pid() == Some(before), "{text}"),
        (Foreign, _) => assert!(!succeeded && why.contains("another machine"), "{text}"),
        (Plan("check-fails"), _) => assert!(!succeeded && why.contains("knows no such key"), "{text}"),
        (Plan("check-hangs"), _) => assert!(!succeeded && why.contains("took longer than 6 s"), "{text}"),
        (Plan("check-talks"), _) => assert!(!succeeded && why.contains("is too long"), "{text}"),
        (Plan("serve-dies"), None) => assert!(!succeeded && why.contains("exit code 9"), "{text}"),
        (Plan("serve-hangs"), None) => assert!(!succeeded && why.contains("not healthy in time"), "{text}"),
        (Good, Some("guard-trial" | "guard-healthy" | "new-exchanged" | "new-recorded")) => {
            assert!(succeeded, "{text}");
        }
        (Plan(_), _) | (Good, Some(_)) => assert!(!succeeded && !why.is_empty(), "{text}"),
    }
    assert_eq!(succeeded, service.installed_is(&name), "{text}");
    // The guard's last steps may still be in progress.
    until("the killed step has passed", || !service.sandbox.path("kill-at").exists());
    until("the daemon stands", || service.pid().is_some());
    service.settled();
    poller.counts.store(true, Ordering::Relaxed);
    if round.mode == "live" {
        until("the agent is seen at work", || service.status_of(&worker) == "running");
    }
    fs::remove_file(candidate).expect("the candidate");
    restarted
}

#[test]
fn an_update_waits_for_roots_lets_children_pass_and_can_be_called_off() {
    let service = Service::start();
    let (status, idle) = service.get(PATH).expect("an answer");
    assert_eq!((status, idle), (200, json!({"state": "idle", "active_runs_now": 0})));

    service.submit("root", "held");
    let candidate = service.candidate(Good, "new");
    let (status, answer) = service.post(PATH, &json!({"binary_path": candidate}));
    assert_eq!(status, 202, "{answer}");
    assert_eq!(answer["state"], "deferred");
    assert_eq!((&answer["active_runs_at_request"], &answer["active_runs_now"]), (&json!(1), &json!(1)));
    assert_eq!(answer["binary_path"], candidate.to_str().expect("a path"));
    assert!(answer.get("ended_at").is_none() && answer.get("last_error").is_none(), "{answer}");

    let (status, answer) = service.post("/api/v1/tasks", &Service::task("late", "quick"));
    assert_eq!(status, 409, "{answer}");
    assert!(answer["error"].as_str().is_some_and(|e| e.contains("being updated")), "{answer}");
    assert_eq!(service.update(&candidate, "live").0, 409, "one at a time");
    // A root task of the command line waits at the same gate; a child task passes.
    let mut job = service
        .command("job --agent quick --project p --task by-hand --prompt work")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a job");
    until("the job is queued", || service.status_of("by-hand") == "queued");
    let run =
        service.get("/api/v1/tasks/root?project_id=p").expect("an answer").1["runs"][0]["run_id"].clone();
    let mut child = Service::task("child", "quick");
    child["parent_run_id"] = run;
    let (status, answer) = service.post("/api/v1/tasks", &child);
    assert_eq!((status, &answer["status"]), (201, &json!("started")), "{answer}");
    until("the child is completed", || service.status_of("child") == "completed");
    assert_eq!(service.status_of("by-hand"), "queued");

    let (status, answer) = service.request("DELETE", PATH, "", "").expect("an answer");
    assert_eq!((status, &answer["state"]), (200, &json!("idle")), "{answer}");
    assert_eq!(service.request("DELETE", PATH, "", "").expect("an answer").0, 409);
    until("the job goes on", || service.status_of("by-hand") == "completed");
    assert!(job.wait().expect("its end").success());

    // A daemon that is killed while its update waits reports that and blocks no task.
    assert_eq!(service.update(&candidate, "drain").1["state"], "deferred");
    let pid = service.pid().expect("a daemon");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL)
        .expect("a daemon");
    service.start_daemon();
    let status = service.state();
    assert_eq!(status["state"], "failed");
    assert!(status["last_error"].as_str().is_some_and(|e| e.contains("waited for root tasks")), "{status}");
    service.submit("after", "quick");

    // And once more, to its end.
    until("it is done", || service.status_of("after") == "completed");
    assert_eq!(service.update(&candidate, "drain").1["state"], "deferred");
    service.let_go("root");
    let status = service.until_state("idle");
    assert_eq!(status["to_version"], env!("CARGO_PKG_VERSION"), "{status}");
    assert!(service.installed_is("new") && service.status_of("root") == "completed");
    service.settled();
}

#[test]
fn what_others_may_have_written_is_no_candidate() {
    use std::os::unix::fs::PermissionsExt;
    let service = Service::start();
    let refused = |path: &Path, why: &str| {
        let (status, answer) = service.update(path, "live");
        assert_eq!(status, 400, "{answer}");
        assert!(answer["error"].as_str().is_some_and(|e| e.contains(why)), "not '{why}': {answer}");
    };
    let candidate = service.candidate(Plan("check-fails"), "x");
    fs::set_permissions(&candidate, fs::Permissions::from_mode(0o777)).expect("a mode");
    refused(&candidate, "written by everybody");
    fs::set_permissions(&candidate, fs::Permissions::from_mode(0o644)).expect("a mode");
    refused(&candidate, "not executable");
    refused(Path::new("run-agent"), "not absolute");
    refused(&service.sandbox.path("missing"), "No such file");
    refused(&service.sandbox.home(), "not a regular file");
    assert_eq!(service.post(PATH, &json!({"binary": "/x"})).0, 400);
    assert_eq!(service.state()["state"], "idle");

    let line = |line: &str| {
        let output = service.command(line).output().expect("run-agent");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        (output.status.code(), text(output.stdout) + &text(output.stderr))
    };
    let (code, said) = line("server update status");
    assert_eq!((code, said.trim()), (Some(0), "no update is requested; 0 root tasks are live"));
    fs::set_permissions(&candidate, fs::Permissions::from_mode(0o700)).expect("a mode");
    let (code, said) = line(&format!("server update start --wait --binary '{}'", candidate.display()));
    assert!(code == Some(1) && said.contains("knows no such key"), "{code:?} {said}");
    let good = service.candidate(Good, "cli");
    let (code, said) =
        line(&format!("server update start --live --wait --json --binary '{}'", good.display()));
    assert!(code == Some(0) && said.contains("\"idle\""), "{code:?} {said}");
    assert!(service.installed_is("cli"));
}

#[test]
fn a_candidate_that_knows_no_named_listeners_is_refused_before_anything_moves() {
    let service = Service::start();
    let pid = service.pid();
    let candidate = service.candidate(Plan("takes-no-names"), "before");
    assert_eq!(service.update(&candidate, "live").0, 202);
    let state = service.until_state("failed");
    let why = state["last_error"].as_str().unwrap_or_default();
    assert!(why.contains("needs another kind of handover"), "{state}");
    assert_eq!(service.pid(), pid, "the daemon went on");
    service.settled();
}

#[test]
fn a_place_of_the_version_before_is_taken_and_a_newer_one_is_refused() {
    let sandbox = Sandbox::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let folder = sandbox.root().join("_daemon");
    fs::create_dir_all(&folder).expect("a folder");
    let lock = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(folder.join("daemon.lock"))
        .expect("a lock");
    // Left open for the program, as exec(2) does it.
    let left = |fd: std::os::fd::BorrowedFd<'_>| {
        rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::empty()).expect("an open descriptor");
        fd.as_raw_fd()
    };
    let (socket, held) = (left(listener.as_fd()), left(lock.as_fd()));

    let newer =
        format!(r#"{{"version":3,"listeners":{{"main":{socket}}},"lock":{held},"put_back":"a test"}}"#);
    let refused = outcome(sandbox.command(["serve"]).env("CONDUCTOR_HANDOFF", newer));
    assert!(refused.stderr.contains("supports versions up to 2"), "{refused:?}");
    assert_eq!(lock.metadata().expect("its length").len(), 0, "nothing was touched");

    // Version 1, as the program of commit 2494e7a writes it.
    let before = format!(r#"{{"listeners":[{socket}],"lock":{held},"put_back":"a test"}}"#);
    let mut command = sandbox.command(["serve"]);
    command.env("CONDUCTOR_HANDOFF", before).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("a daemon");
    let answers = || {
        let mut stream = TcpStream::connect(listener.local_addr().ok()?).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        stream
            .write_all(b"GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        answer.starts_with("HTTP/1.1 200").then_some(())
    };
    until("the program answers at the socket that was left to it", || answers().is_some());
    child.kill().expect("it lives");
    child.wait().expect("it ends");
}
