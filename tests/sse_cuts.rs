//! Every kind of stream is cut at random bytes, also within events, over real sockets, while daemons are killed and
//! started. In the end a client has received the content byte for byte, and nothing twice.

#![expect(clippy::expect_used, reason = "a test that cannot prepare itself has failed")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::common::{
    Sandbox,
    daemon::{Daemon, until},
    eventsource::{Client, Ended, Message},
    fake,
};

/// Prints difficult lines, then goes on slowly until its file appears, and ends with half a character.
const TALKER: &str = r#"cat "$HOME/hurts"; cat "$HOME/hurts" >&2; n=0
while [ ! -e "$HOME/go" ]; do n=$((n+1)); echo "tick $n"; sleep 0.02; done
cat "$HOME/hurts"; printf 'half \303'; touch "$JRUN_TASK_FOLDER/DONE""#;

/// The same in five attempts, of which the last one succeeds.
const LOOPER: &str = r#"cat "$HOME/hurts"; echo aside >&2
if [ $(ls "$JRUN_TASK_FOLDER/runs" | wc -l) -lt 5 ]; then exit 1; fi
while [ ! -e "$HOME/go" ]; do echo tick; sleep 0.02; done
cat "$HOME/hurts"; touch "$JRUN_TASK_FOLDER/DONE""#;

/// The number of cuts of a stream, and of daemons killed meanwhile.
fn rounds() -> (usize, usize) {
    if std::env::var_os("CONDUCTOR_SOAK").is_some() { (1000, 25) } else { (30, 1) }
}

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let mut text = String::from("agents:\n");
    for (name, script) in
        [("talks", TALKER), ("loops", LOOPER), ("quick", "echo done; touch \"$JRUN_TASK_FOLDER/DONE\"")]
    {
        let command = serde_json::to_string(&["/bin/sh", "-c", script]).expect("JSON");
        let _ = writeln!(text, "  {name}: {{type: command, command: {command}}}");
    }
    text.push_str("defaults: {restart_delay: 10ms, max_restarts: 20}\n");
    sandbox.configure(text);
    sandbox
}

/// Returns at least `least` bytes of lines that could forge events, end lines early, or break within a character.
fn hurting(least: usize) -> Vec<u8> {
    let mut text = Vec::new();
    let mut n = 0;
    while text.len() < least {
        n += 1;
        text.extend_from_slice(format!("line {n}\n").as_bytes());
        text.extend_from_slice(b"a\rid: 9\rdata: forged\r\r\nevent: x\n\n: comment\ndata: y\n");
        text.extend_from_slice("\u{2028}sep\u{2029}\u{85}\u{feff}\n".as_bytes());
        text.extend_from_slice(b"nul \0 and \xff\xfe no UTF-8 \xe2\x82\n");
        if n % 40 == 0 {
            text.extend_from_slice("ü".repeat(3000).as_bytes());
            text.push(b'\n');
        }
    }
    text
}

/// Pseudo-random numbers, the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % most
    }
}

/// Cuts a stream the required number of times, at most `spread` bytes into each connection, and then reads until it
/// is `whole`. `work` is called between the cuts, without a daemon if one has just been killed.
fn cut(
    sandbox: &Sandbox,
    mut daemon: Daemon,
    path: &str,
    spread: usize,
    mut work: impl FnMut(usize, Option<&Daemon>),
    whole: impl Fn(&Daemon, &[Message]) -> bool,
) -> (Daemon, Vec<Message>) {
    let (cuts, kills) = rounds();
    let (mut client, mut dice, mut within) = (Client::default(), Dice(spread as u64), 0);
    let began = Instant::now();
    for round in 0..cuts {
        if (round + cuts / (2 * kills)) % (cuts / kills) == 0 {
            daemon.kill();
            work(round, None);
            daemon = Daemon::start(sandbox, &[]);
        }
        work(round, Some(&daemon));
        let before = client.events.len();
        // From time to time everything available is read: a message larger than `spread` would otherwise be begun for
        // ever.
        let most = if round % 8 == 0 { usize::MAX } else { 1 + dice.below(spread) };
        let ended = client.take(daemon.port, path, most, Duration::from_millis(100));
        within += usize::from(ended == Ended::Cut && client.events.len() > before);
    }
    let cut = began.elapsed();
    work(cuts, Some(&daemon));
    let deadline = Instant::now() + Duration::from_mins(4);
    // On a busy machine a source may need longer for its first event than others do. A client that always left before it
    // would never get any further, so it waits longer each time.
    let mut patience = Duration::from_millis(300);
    while !whole(&daemon, &client.events) {
        assert!(Instant::now() < deadline, "not whole behind {:?}", client.events.last());
        client.take(daemon.port, path, usize::MAX, patience);
        patience = (2 * patience).min(Duration::from_secs(10));
    }
    #[expect(clippy::print_stdout, reason = "the soak test prints its measurements")]
    {
        println!(
            "{path}: {cuts} cuts ({within} behind new events), {kills} daemons killed, {} events, {cut:?}",
            client.events.len()
        );
    }
    (daemon, client.events)
}

/// The content of a file as received, line by line; a continued line is one line.
fn lines<'a>(events: impl Iterator<Item = &'a Value>, stream: &str) -> String {
    let mut text = String::new();
    for event in events.filter(|e| e["type"] == "log" && e["stream"] == stream) {
        text.push_str(event["line"].as_str().expect("a line"));
        text.push_str(if event["continues"] == true { "" } else { "\n" });
    }
    text
}

/// The content of a file as it can be sent: invalid UTF-8 replaced, line by line.
fn file(sandbox: &Sandbox, path: &str) -> String {
    let bytes = fs::read(sandbox.root().join(path)).expect("the file");
    let each = |line: &[u8]| String::from_utf8_lossy(line).into_owned();
    bytes.split(|b| *b == b'\n').map(each).collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn same(told: &str, is: &str, what: &str) {
    if told != is {
        let at = told.bytes().zip(is.bytes()).take_while(|(a, b)| a == b).count();
        let around = |text: &str| {
            text.bytes().skip(at.saturating_sub(60)).take(160).map(char::from).collect::<String>()
        };
        panic!(
            "{what}: {} bytes told of {}, different at {at}:\n{:?}\n{:?}",
            told.len(),
            is.len(),
            around(told),
            around(is)
        );
    }
}

/// Checks the events of a run's own stream against its files.
#[track_caller]
fn held_to_the_run(sandbox: &Sandbox, events: &[Value], run: &str) {
    let folder = format!("p/t/runs/{run}");
    // The last line has no newline.
    same(
        lines(events.iter(), "stdout").trim_end_matches('\n'),
        &file(sandbox, &format!("{folder}/agent-stdout.txt")),
        "stdout",
    );
    same(&lines(events.iter(), "stderr"), &file(sandbox, &format!("{folder}/agent-stderr.txt")), "stderr");
    let statuses: Vec<&str> =
        events.iter().filter(|e| e["type"] == "status").filter_map(|e| e["status"].as_str()).collect();
    assert!(
        statuses == ["running", "success"] || statuses == ["created", "running", "success"],
        "{statuses:?}"
    );
    assert_eq!(events.iter().filter(|e| e["type"] == "done").count(), 1);
}

fn values(events: &[Message]) -> Vec<Value> {
    events.iter().map(Message::json).collect()
}

fn let_go(sandbox: &Sandbox, round: usize) {
    if round == rounds().0 {
        sandbox.write("home/go", "");
    }
}

#[test]
fn heavy_a_run() {
    let sandbox = sandbox();
    let (cuts, _) = rounds();
    sandbox.write("home/hurts", hurting(cuts * 1500));
    let daemon = Daemon::start(&sandbox, &[]);
    let run = daemon.create("t", "talks");
    let path = format!("/api/v1/runs/{run}/stream");
    let over = |daemon: &Daemon, events: &[Message]| {
        let done = events.last().is_some_and(|e| e.json()["type"] == "done");
        if done {
            assert_eq!(daemon.stream(&path, Some(&events[events.len() - 1].id)).status, 204);
        }
        done
    };
    let (_daemon, events) = cut(&sandbox, daemon, &path, 10_000, |round, _| let_go(&sandbox, round), over);
    assert!(events.iter().all(|e| e.event == "message" && e.id.starts_with("s=")));
    held_to_the_run(&sandbox, &values(&events), &run);
}

#[test]
fn heavy_a_file() {
    let sandbox = sandbox();
    let (cuts, _) = rounds();
    sandbox.write("home/hurts", hurting(cuts * 3000));
    let daemon = Daemon::start(&sandbox, &[]);
    let run = daemon.create("t", "talks");
    let path = format!("/api/projects/p/tasks/t/runs/{run}/stream?name=stdout&format=json");
    // Many pieces are larger than what is read of a connection; from time to time all of one is.
    let (_daemon, events) = cut(
        &sandbox,
        daemon,
        &path,
        300_000,
        |round, _| let_go(&sandbox, round),
        |_, events| events.last().is_some_and(|e| e.event == "done"),
    );
    held_to_the_file(&sandbox, &values(&events), &run);
}

#[track_caller]
fn held_to_the_file(sandbox: &Sandbox, events: &[Value], run: &str) {
    let mut told = String::new();
    let mut at = 0;
    for event in events.iter().filter(|e| e["text"].is_string()) {
        assert!(event["offset"].as_u64() >= Some(at), "{event}");
        at = event["offset"].as_u64().expect("an offset") + 1;
        told.push_str(event["text"].as_str().expect("a text"));
    }
    same(&told, &file(sandbox, &format!("p/t/runs/{run}/agent-stdout.txt")), "the file");
    assert_eq!(events.iter().filter(|e| e["type"] == "done").count(), 1);
}

#[test]
fn heavy_all_runs_of_a_task() {
    let sandbox = sandbox();
    let (cuts, _) = rounds();
    sandbox.write("home/hurts", hurting(cuts * 600));
    let daemon = Daemon::start(&sandbox, &[]);
    daemon.create("t", "loops");
    let path = "/api/projects/p/tasks/t/runs/stream";
    let ended = |events: &[Message]| {
        events.iter().filter(|e| e.event == "status" && e.json()["status"] == "success").count()
    };
    let (_daemon, events) = cut(
        &sandbox,
        daemon,
        path,
        10_000,
        |round, _| let_go(&sandbox, round),
        |_, events| events.last().is_some_and(|_| ended(events) == 1),
    );
    held_to_the_runs(&sandbox, &values(&events));
}

#[track_caller]
fn held_to_the_runs(sandbox: &Sandbox, events: &[Value]) {
    let runs: BTreeSet<&str> = events.iter().filter_map(|e| e["run_id"].as_str()).collect();
    assert_eq!(runs.len(), 5);
    for run in runs {
        let own: Vec<&Value> = events.iter().filter(|e| e["run_id"] == run).collect();
        for (stream, name) in [("stdout", "agent-stdout.txt"), ("stderr", "agent-stderr.txt")] {
            same(&lines(own.iter().copied(), stream), &file(sandbox, &format!("p/t/runs/{run}/{name}")), run);
        }
        let ends = own.iter().filter(|e| {
            e["type"] == "status"
                && !["created", "running"].contains(&e["status"].as_str().unwrap_or_default())
        });
        assert_eq!(ends.count(), 1, "{run}");
    }
}

#[test]
fn heavy_what_happens_to_any_run() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    let path = "/api/v1/runs/stream/all";
    let (cuts, _) = rounds();
    let work = |round: usize, daemon: Option<&Daemon>| {
        if let Some(daemon) = daemon.filter(|_| round < cuts && round.is_multiple_of(3)) {
            daemon.create(&format!("t{round}"), "quick");
        }
    };
    let whole =
        |daemon: &Daemon, events: &[Message]| standing(events.iter().map(Message::json)) == listed(daemon);
    let (_daemon, events) = cut(&sandbox, daemon, path, 1500, work, whole);
    held_to_its_revisions(&events.iter().map(|e| (e.id.clone(), e.json())).collect::<Vec<_>>());
}

/// The status of every run by the received events.
fn standing(events: impl Iterator<Item = Value>) -> BTreeMap<String, String> {
    let mut runs = BTreeMap::new();
    let text = |event: &Value, key: &str| event[key].as_str().map(str::to_owned);
    for event in events {
        if event["type"] == "reset" {
            runs.clear();
        } else if let (Some(run), Some(status)) = (text(&event, "run_id"), text(&event, "status")) {
            runs.insert(run, status);
        }
    }
    runs
}

/// The status of every run by the list, if all have ended.
fn listed(daemon: &Daemon) -> BTreeMap<String, String> {
    let answer = daemon.get("/api/v1/runs").json();
    standing(answer["runs"].as_array().expect("runs").iter().cloned())
}

/// Checks that the changes of one daemon are numbered without a gap, and that the earlier ones are sent once each, in
/// order.
#[track_caller]
fn held_to_its_revisions(events: &[(String, Value)]) {
    let (mut daemon, mut revision, mut there) = (String::new(), None, String::new());
    for (id, event) in events {
        if event["type"] == "reset" {
            (revision, there) = (None, String::new());
            continue;
        }
        let (at, listing) = id.split_once(';').map_or((id.as_str(), false), |(at, _)| (at, true));
        let (own, number) = at.rsplit_once('.').expect("an id");
        let number: u64 = number.parse().expect("a revision");
        if listing {
            let run = event["run_id"].as_str().expect("a run").to_owned();
            assert!(run > there, "{run} behind {there}");
            there = run;
        } else if let Some(before) = revision.filter(|_| daemon == own) {
            assert_eq!(number, before + 1, "{event}");
        }
        own.clone_into(&mut daemon);
        revision = Some(number);
    }
}

/// Posts to the bus of a task from a process of its own.
fn flood(sandbox: &Sandbox, task: &str, count: usize) -> Child {
    Command::new(fake::helper())
        .arg("bus-flood")
        .arg(sandbox.root())
        .args(["p", task, "1", &count.to_string()])
        .stdout(Stdio::null())
        .spawn()
        .expect("the helper can be started")
}

/// The ids on the bus of a task, or of the project.
fn ids(sandbox: &Sandbox, task: Option<&str>) -> Vec<String> {
    let path =
        task.map_or("p/PROJECT-MESSAGE-BUS.jsonl".to_owned(), |t| format!("p/{t}/TASK-MESSAGE-BUS.jsonl"));
    let text = fs::read_to_string(sandbox.root().join(path)).unwrap_or_default();
    let id = |line: &str| {
        serde_json::from_str::<Value>(line).expect("a message")["msg_id"].as_str().expect("its id").to_owned()
    };
    text.lines().map(id).collect()
}

/// Floods that are awaited after the last cut.
struct Floods(Vec<Child>);

impl Floods {
    fn end(&mut self) {
        for mut child in self.0.drain(..) {
            assert!(child.wait().expect("its end").success(), "a flood failed");
        }
    }
}

impl Drop for Floods {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[test]
fn heavy_a_bus() {
    let sandbox = sandbox();
    let (cuts, _) = rounds();
    let daemon = Daemon::start(&sandbox, &[]);
    daemon.create("t", "quick");
    daemon.until_task("t", "completed");
    let mut floods = Floods(vec![flood(&sandbox, "t", cuts)]);
    let path = "/api/v1/messages/stream?project_id=p&task_id=t";
    let work = |round: usize, daemon: Option<&Daemon>| {
        if round == cuts {
            floods.end();
        } else if let Some(daemon) = daemon {
            post_some(daemon, "t", round);
        }
    };
    let whole = |_: &Daemon, events: &[Message]| events.len() >= ids(&sandbox, Some("t")).len();
    let (_daemon, events) = cut(&sandbox, daemon, path, 6000, work, whole);
    assert!(events.iter().all(|e| e.event == "message" && e.json()["msg_id"] == e.id.as_str()));
    let told: Vec<&str> = events.iter().map(|e| e.id.as_str()).collect();
    assert_eq!(told, ids(&sandbox, Some("t")));
}

/// Posts some short messages, so that the cut of this round falls among new ones.
fn post_some(daemon: &Daemon, task: &str, round: usize) {
    for n in 0..6 {
        let body = format!("{round}.{n}\rdata: x");
        daemon.post("/api/v1/messages", &json!({"project_id": "p", "task_id": task, "body": body}));
    }
}

/// Posts to a project and some of its tasks while a stream is cut. Some of the tasks are created meanwhile.
fn busy_project<'a>(sandbox: &'a Sandbox, daemon: &Daemon) -> impl FnMut(usize, Option<&Daemon>) + use<'a> {
    let (cuts, _) = rounds();
    for n in 0..3 {
        daemon.create(&format!("b{n}"), "quick");
    }
    let mut floods = Floods((0..3).map(|n| flood(sandbox, &format!("b{n}"), cuts)).collect());
    move |round, daemon| {
        let Some(daemon) = daemon else { return };
        if round < cuts {
            post_some(daemon, &format!("b{}", round % 3), round);
        }
        if round == cuts / 3 || round == cuts / 2 {
            let task = format!("a-late-{round}");
            daemon.create(&task, "quick");
            floods.0.push(flood(sandbox, &task, cuts));
        }
        if round < cuts && round % 4 == 0 {
            daemon.post("/api/v1/messages", &json!({"project_id": "p", "body": format!("{round}\rdata: x")}));
        }
        if round == cuts {
            floods.end();
            for task in tasks(sandbox).iter().filter(|t| *t != "t") {
                daemon.until_task(task, "completed");
            }
        }
    }
}

fn tasks(sandbox: &Sandbox) -> Vec<String> {
    let entries = fs::read_dir(sandbox.root().join("p")).expect("the project").flatten();
    let folders = entries.filter(|e| e.path().is_dir());
    folders.map(|e| e.file_name().to_string_lossy().into_owned()).collect()
}

/// Checks that every message on the buses of the project was received, each bus in order, nothing twice.
#[track_caller]
fn held_to_the_buses(sandbox: &Sandbox, messages: &[&Value]) {
    let mut told: BTreeMap<Option<&str>, Vec<&str>> = BTreeMap::new();
    for message in messages {
        let bus = told.entry(message["task_id"].as_str()).or_default();
        bus.push(message["msg_id"].as_str().expect("an id"));
    }
    let names = tasks(sandbox);
    for task in std::iter::once(None).chain(names.iter().map(|t| Some(t.as_str()))) {
        let on_disk = ids(sandbox, task);
        assert_eq!(told.remove(&task).unwrap_or_default(), on_disk, "{task:?}");
        assert!(!on_disk.is_empty());
    }
    assert!(told.is_empty(), "{told:?}");
}

fn posted(sandbox: &Sandbox) -> usize {
    let names = tasks(sandbox);
    std::iter::once(None)
        .chain(names.iter().map(|t| Some(t.as_str())))
        .map(|task| ids(sandbox, task).len())
        .sum()
}

#[test]
fn heavy_all_buses_of_a_project() {
    let sandbox = sandbox();
    let daemon = Daemon::start(&sandbox, &[]);
    let path = "/api/v1/messages/stream?project_id=p&scope=all";
    let work = busy_project(&sandbox, &daemon);
    let whole = |_: &Daemon, events: &[Message]| events.len() >= posted(&sandbox);
    let (_daemon, events) = cut(&sandbox, daemon, path, 6000, work, whole);
    let longest = events.iter().map(|e| e.id.len()).max().unwrap_or_default();
    assert!(longest < 300, "a cursor of {longest} bytes");
    let events = values(&events);
    assert!(events.iter().all(|e| e["type"] != "reset"));
    held_to_the_buses(&sandbox, &events.iter().collect::<Vec<_>>());
}

#[test]
fn heavy_a_page() {
    let sandbox = sandbox();
    let (cuts, _) = rounds();
    sandbox.write("home/hurts", hurting(cuts * 300));
    let daemon = Daemon::start(&sandbox, &[]);
    let run = daemon.create("t", "talks");
    let mut busy = busy_project(&sandbox, &daemon);
    let (of_run, of_file) = (format!("run:{run}"), format!("file:{run}/stdout"));
    let path = format!("/api/v1/stream?topics=tree,tree:p/t,runs,{of_run},log:p/t,bus:p/t,bus:p/*,{of_file}");
    let work = |round: usize, daemon: Option<&Daemon>| {
        let_go(&sandbox, round);
        busy(round, daemon);
        if let Some(daemon) = daemon.filter(|_| round == cuts) {
            daemon.until_task("t", "completed");
        }
    };
    // Parsed once for all topics: a busy machine would otherwise spend its time on this and not on the stream.
    let parsed = |events: &[Message]| events.iter().map(|e| (e.id.clone(), e.json())).collect::<Vec<_>>();
    let of = |events: &[(String, Value)], topic: &str| -> Vec<(String, Value)> {
        let own = events.iter().filter(|(_, data)| data["topic"] == topic).cloned();
        let place = |id: &str| {
            let own = id.split('!').find_map(|part| part.strip_prefix(topic)?.strip_prefix('='));
            own.unwrap_or_default().to_owned()
        };
        own.map(|(id, data)| (place(&id), data)).filter(|(_, data)| data["type"] != "ready").collect()
    };
    let done = |events: &[(String, Value)], topic: &str| {
        of(events, topic).iter().any(|(_, data)| data["type"] == "done")
    };
    let whole = |daemon: &Daemon, events: &[Message]| {
        let events = parsed(events);
        done(&events, &of_run)
            && done(&events, &of_file)
            && of(&events, "bus:p/*").len() >= posted(&sandbox)
            && of(&events, "bus:p/t").len() >= ids(&sandbox, Some("t")).len()
            && standing(of(&events, "runs").into_iter().map(|(_, data)| data)) == listed(daemon)
            && tree(&of(&events, "tree")) == listed_tasks(daemon)
            && of(&events, "log:p/t").iter().any(|(_, data)| data["status"] == "success")
    };
    let (_daemon, events) = cut(&sandbox, daemon, &path, 20_000, work, whole);
    assert!(events.iter().all(|e| e.event == "message" && e.id.starts_with("1!")));
    let longest = events.iter().map(|e| e.id.len()).max().unwrap_or_default();
    assert!(longest < 1000, "a cursor of {longest} bytes");
    let events = parsed(&events);
    let data = |topic: &str| of(&events, topic).into_iter().map(|(_, data)| data).collect::<Vec<_>>();
    held_to_the_run(&sandbox, &data(&of_run), &run);
    held_to_the_file(&sandbox, &data(&of_file), &run);
    let log = data("log:p/t");
    same(
        lines(log.iter(), "stdout").trim_end_matches('\n'),
        &file(&sandbox, &format!("p/t/runs/{run}/agent-stdout.txt")),
        "log",
    );
    held_to_its_revisions(&of(&events, "runs"));
    let told: Vec<Value> = data("bus:p/*").into_iter().map(|mut data| data["message"].take()).collect();
    held_to_the_buses(&sandbox, &told.iter().collect::<Vec<_>>());
    let told: Vec<Value> =
        data("bus:p/t").into_iter().map(|mut data| data["message"]["msg_id"].take()).collect();
    assert_eq!(told, ids(&sandbox, Some("t")));
}

/// The tasks by the received events of the tree.
fn tree(events: &[(String, Value)]) -> BTreeMap<String, Value> {
    let mut tasks = BTreeMap::new();
    for (_, event) in events {
        match event["type"].as_str() {
            Some("reset") => tasks.clear(),
            Some("task") => {
                tasks.insert(event["task"]["id"].as_str().expect("an id").to_owned(), event["task"].clone());
            }
            _ => {}
        }
    }
    tasks
}

fn listed_tasks(daemon: &Daemon) -> BTreeMap<String, Value> {
    let answer = daemon.get("/api/projects/p/tasks?limit=500").json();
    let tasks = answer["items"].as_array().expect("tasks");
    tasks.iter().map(|task| (task["id"].as_str().expect("an id").to_owned(), task.clone())).collect()
}

#[test]
fn a_line_of_ten_megabytes_comes_whole() {
    let sandbox = sandbox();
    // Each character begins at an odd byte, so that pieces of any even size end within one.
    let long = format!("x{}", "ü".repeat(5 << 20));
    sandbox.write("home/hurts", format!("{long}\nbehind\n"));
    sandbox.write("home/go", "");
    let daemon = Daemon::start(&sandbox, &[]);
    let run = daemon.create("t", "talks");
    daemon.until_task("t", "completed");
    let topic = format!("/api/v1/stream?topics=run:{run}");
    for path in [format!("/api/v1/runs/{run}/stream"), topic] {
        let mut client = Client::default();
        until("the stream is told to its end", || {
            client.take(daemon.port, &path, usize::MAX, Duration::from_secs(2));
            client.events.iter().any(|e| e.data.contains("\"done\""))
        });
        let told = lines(values(&client.events).iter(), "stdout");
        let is = format!("{long}\nbehind\n{long}\nbehind\nhalf \u{fffd}\n");
        assert!(told == is, "{} bytes of {}", told.len(), is.len());
    }
}
