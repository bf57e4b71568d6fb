//! Files that are empty, truncated, garbage or a gigabyte long. Each affects only its own record, is named once in
//! the log and in `doctor`, and has no other effect.

use std::{
    fs::{self, File, OpenOptions},
    io::{Seek, SeekFrom, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use crate::common::{
    Sandbox,
    daemon::{Daemon, agents, until},
    fake, processes,
};
use serde_json::{Value, json};

const GIB: u64 = 1 << 30;

/// The damage to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Damage {
    Empty,
    Truncated,
    Garbage,
    /// A gigabyte of zeroes, which takes no room.
    Gigabyte,
    /// One line of 24 MiB of real data.
    LongLine,
}

/// The time of the damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DamageTime {
    /// While no daemon ran.
    Before,
    /// While a daemon ran.
    Meanwhile,
}

impl Damage {
    /// Damages a record.
    fn of_record(self, path: &Path) {
        let old = fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let new = match self {
            Self::Empty | Self::Gigabyte => Vec::new(),
            Self::Truncated => old[..old.len() / 2].to_vec(),
            Self::Garbage => b"\x00\xff{{{: [\n\t- \xc3\x28".to_vec(),
            Self::LongLine => vec![b'x'; 24 << 20],
        };
        // In place, as a disk or an editor would.
        fs::write(path, new).expect("written");
        if self == Self::Gigabyte {
            File::options().write(true).open(path).and_then(|f| f.set_len(GIB)).expect("made long");
        }
    }

    /// Appends a damaged line to a bus, and a good one after it.
    fn of_line(self, bus: &Path) {
        let last = fs::read_to_string(bus).expect("a bus").lines().last().expect("a message").to_owned();
        let mut file = OpenOptions::new().append(true).open(bus).expect("a bus");
        match self {
            Self::Empty => file.write_all(b"\n\n"),
            Self::Truncated => file.write_all(format!("{}\n", &last[..last.len() / 2]).as_bytes()),
            Self::Garbage => file.write_all(b"\x00\xff{{{: [\t- \xc3\x28\n"),
            Self::LongLine => file.write_all(&[&vec![b'x'; 24 << 20][..], b"\n"].concat()),
            Self::Gigabyte => {
                let end = file.seek(SeekFrom::End(0)).expect("an end");
                // Without O_APPEND, so that a hole is left.
                let file = File::options().write(true).open(bus).expect("a bus");
                file.write_all_at(b"\n", end + GIB)
            }
        }
        .expect("written");
        let behind = r#"{"msg_id":"MSG-20990101-000000-000000000-PID00001-0001","timestamp":"2026-01-01T00:00:00Z","type":"FACT","body":"behind it"}"#;
        OpenOptions::new()
            .append(true)
            .open(bus)
            .expect("a bus")
            .write_all(format!("{behind}\n").as_bytes())
            .expect("written");
    }
}

/// A tree with one task for each damaged file, and one task that is left alone.
struct Bench {
    sandbox: Sandbox,
}

const ENDED: [&str; 4] = ["ended-info", "ended-config", "ended-bus", "fine"];
const LIVE: [&str; 3] = ["live-info", "live-config", "live-ticket"];
const QUEUED: [&str; 2] = ["queued-config", "queued-ticket"];

impl Bench {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let steps: [(&str, &[&str]); 2] =
            [("quick", &["say:hello", "done"]), ("waits", &["say:ready", "wait-for:../go", "done"])];
        let more = "defaults: {restart_delay: 10ms, max_restarts: 0, max_concurrent_root_tasks: 5, stop_grace: 1s}\nwatch: {sweep: 200ms}\n";
        agents(&sandbox, &fake::agent(), &steps, more);
        Self { sandbox }
    }

    fn fill(daemon: &Daemon) {
        for task in ENDED {
            daemon.create(task, "quick");
            daemon.until_task(task, "completed");
        }
        for task in LIVE {
            daemon.create(task, "waits");
            until("it says that it is there", || daemon.get("/api/v1/tasks").body.contains(task));
        }
        for task in QUEUED {
            let new = json!({"project_id": "p", "task_id": task, "agent_type": "quick", "prompt": "x", "depends_on": ["nowhere"]});
            assert_eq!(daemon.post("/api/v1/tasks", &new).status, 201);
        }
    }

    fn task(&self, task: &str) -> PathBuf {
        self.sandbox.root().join("p").join(task)
    }

    fn run_info(&self, task: &str) -> PathBuf {
        let runs = fs::read_dir(self.task(task).join("runs")).expect("runs");
        runs.flatten().next().expect("a run").path().join("run-info.yaml")
    }

    fn ticket(&self, place: &str, task: &str) -> PathBuf {
        let tickets =
            fs::read_dir(self.sandbox.root().join("_planner").join(place)).expect("tickets").flatten();
        let names = |path: &Path| {
            fs::read_to_string(path).is_ok_and(|text| text.contains(&format!("task_id: {task}\n")))
        };
        tickets
            .map(|e| e.path())
            .find(|path| names(path))
            .unwrap_or_else(|| panic!("a ticket of {task} in {place}"))
    }

    /// The damaged files, without lines of buses.
    fn records(&self) -> Vec<PathBuf> {
        vec![
            self.run_info("ended-info"),
            self.run_info("live-info"),
            self.task("ended-config").join("TASK-CONFIG.yaml"),
            self.task("live-config").join("TASK-CONFIG.yaml"),
            self.task("queued-config").join("TASK-CONFIG.yaml"),
            self.ticket("live", "live-ticket"),
            self.ticket("queue", "queued-ticket"),
        ]
    }

    /// All damaged files. Tickets are identified by their folder, because the task of an unreadable ticket is
    /// unknown.
    fn files(&self) -> Vec<PathBuf> {
        let tickets =
            ["live", "queue"].map(|place| fs::read_dir(self.sandbox.root().join("_planner").join(place)));
        let tickets = tickets.into_iter().flat_map(|dir| dir.expect("a folder").flatten()).map(|e| e.path());
        let short = |path: &PathBuf| fs::metadata(path).is_ok_and(|m| m.len() < 4096);
        let unreadable =
            |path: &PathBuf| !short(path) || !fs::read_to_string(path).is_ok_and(|t| t.contains("kind:"));
        let broken = tickets.filter(unreadable);
        let own = [
            self.run_info("ended-info"),
            self.run_info("live-info"),
            self.task("ended-config").join("TASK-CONFIG.yaml"),
            self.task("live-config").join("TASK-CONFIG.yaml"),
            self.task("queued-config").join("TASK-CONFIG.yaml"),
            self.bus(),
        ];
        broken.chain(own).collect()
    }

    fn bus(&self) -> PathBuf {
        self.task("ended-bus").join("TASK-MESSAGE-BUS.jsonl")
    }
}

fn damaged(damage: Damage, when: DamageTime) {
    let bench = Bench::new();
    let sandbox = &bench.sandbox;
    let daemon = Daemon::start(sandbox, &[]);
    Bench::fill(&daemon);
    let records = bench.records();
    let kept: Vec<Vec<u8>> = records.iter().map(|p| fs::read(p).expect("a record")).collect();
    let harm = || {
        for path in &records {
            damage.of_record(path);
        }
        damage.of_line(&bench.bus());
    };
    let daemon = match when {
        DamageTime::Before => {
            daemon.kill();
            harm();
            let began = Instant::now();
            let daemon = Daemon::start(sandbox, &[]);
            assert!(began.elapsed() < Duration::from_secs(10), "{damage:?}: {:?} to start", began.elapsed());
            daemon
        }
        DamageTime::Meanwhile => {
            harm();
            daemon
        }
    };
    let lengths: Vec<u64> = records.iter().map(|p| fs::metadata(p).expect("a file").len()).collect();
    let what = format!("{damage:?} {when:?}");
    everything_else_is_well(&daemon, &what);
    until("the record of the run is shown as what it is", || {
        // The record of an ended run is not read again while the daemon lives.
        when == DamageTime::Meanwhile || daemon.task("ended-info")["runs"][0]["status"] == "unknown"
    });
    each_file_is_named_once(&bench, &daemon, when, &what);
    let peak = processes::status(daemon.pid(), "VmHWM") >> 10;
    assert!(peak < 160, "{what}: {peak} MB");
    for (path, length) in records.iter().zip(lengths) {
        let now = fs::metadata(path).map(|m| m.len());
        assert_eq!(now.ok(), Some(length), "{what}: {} was touched", path.display());
    }
    // A restored file is used again, and its pending work continues.
    for (path, bytes) in records.iter().zip(kept) {
        fs::write(path, bytes).expect("restored");
    }
    sandbox.write("home/run-agent/p/go", "");
    for task in LIVE {
        daemon.until_task(task, "completed");
    }
    until("the record is read again", || daemon.task("ended-info")["runs"][0]["status"] == "success");
    daemon.create("nowhere", "quick");
    for task in QUEUED {
        daemon.until_task(task, "completed");
    }
}

/// Checks that lists answer, intact tasks are unchanged, every message is there, and other tasks run.
fn everything_else_is_well(daemon: &Daemon, what: &str) {
    for path in [
        "/api/v1/tasks",
        "/api/v1/runs",
        "/api/v1/status",
        "/api/projects",
        "/api/projects/home-dirs",
        "/api/projects/p",
        "/api/projects/p/stats",
        "/api/projects/p/tasks",
        "/api/projects/p/runs/flat",
        "/metrics",
    ] {
        assert_eq!(daemon.get(path).status, 200, "{what} {path}");
    }
    let fine = daemon.task("fine");
    assert_eq!(
        (&fine["status"], &fine["runs"][0]["status"]),
        (&json!("completed"), &json!("success")),
        "{fine}"
    );
    let listed = daemon.get("/api/v1/tasks").json();
    let listed = listed["tasks"].as_array().expect("tasks");
    let names: Vec<&str> = listed.iter().filter_map(|t| t["task_id"].as_str()).collect();
    for task in ENDED.iter().chain(&LIVE).chain(&QUEUED) {
        assert!(names.contains(task), "{what}: {task} is not in {names:?}");
    }
    // No other task may take the name of a task with an unreadable ticket.
    let taken =
        json!({"project_id": "p", "task_id": "queued-ticket", "agent_type": "quick", "prompt": "another"});
    daemon.post("/api/v1/tasks", &taken).fails(409, "queued-ticket");
    for query in ["", "?limit=3", "?since=2026-01-01T00:00:00Z"] {
        let messages = daemon.get(&format!("/api/projects/p/tasks/ended-bus/messages{query}")).json();
        let messages = messages["messages"].as_array().expect("messages");
        let behind = messages.iter().any(|m| m["body"] == "behind it");
        assert!(behind && messages.len() >= 3, "{what} {query}: {messages:?}");
    }
    let posted = daemon.post("/api/projects/p/tasks/ended-bus/messages", &json!({"body": "and more"}));
    assert_eq!(posted.status, 201, "{what}: {posted:?}");
    for task in ["new-1", "new-2"] {
        daemon.create(task, "quick");
        daemon.until_task(task, "completed");
    }
}

/// Checks the log after several sweeps, and the report of the doctor.
fn each_file_is_named_once(bench: &Bench, daemon: &Daemon, when: DamageTime, what: &str) {
    std::thread::sleep(Duration::from_millis(1200));
    let log = daemon.log();
    let doctor = bench.sandbox.run("doctor --json");
    assert_eq!(doctor.code, 17, "{doctor:?}");
    let says: Value = serde_json::from_str(&doctor.stdout).unwrap_or_else(|e| panic!("{e}: {doctor:?}"));
    let says = says["checks"].to_string();
    for path in bench.files() {
        // A living daemon does not read the record of a known end again.
        let unread = when == DamageTime::Meanwhile && path.ends_with(bench.run_info("ended-info"));
        let name = path.to_str().expect("a path");
        let (in_log, in_doctor) = (log.matches(name).count(), says.matches(name).count());
        assert!(in_log == 1 || (unread && in_log == 0), "{what}: {name} is named {in_log} times:\n{log}");
        assert!(in_doctor == 1, "{what}: {name} is named {in_doctor} times:\n{says}");
    }
}

macro_rules! damages {
    ($($name:ident: $damage:ident $when:ident;)*) => {$(
        #[test]
        fn $name() {
            damaged(Damage::$damage, DamageTime::$when);
        }
    )*};
}

damages! {
    an_empty_file_costs_its_record: Empty Before;
    a_file_that_becomes_empty_costs_its_record: Empty Meanwhile;
    a_file_that_is_cut_off_costs_its_record: Truncated Before;
    a_file_that_becomes_cut_off_costs_its_record: Truncated Meanwhile;
    a_file_of_garbage_costs_its_record: Garbage Before;
    a_file_that_becomes_garbage_costs_its_record: Garbage Meanwhile;
    heavy_a_file_of_a_gigabyte_costs_its_record: Gigabyte Before;
    heavy_a_file_that_becomes_a_gigabyte_costs_its_record: Gigabyte Meanwhile;
    heavy_a_file_of_one_long_line_costs_its_record: LongLine Before;
    heavy_a_file_that_becomes_one_long_line_costs_its_record: LongLine Meanwhile;
}

/// A loop that can never be decided again is given up once all its processes are dead, because other tasks wait for
/// its place.
#[test]
fn a_broken_record_holds_no_place() {
    for (file, done) in [("TASK-CONFIG.yaml", false), ("run-info.yaml", false), ("TASK-CONFIG.yaml", true)] {
        let sandbox = Sandbox::new();
        let steps: [(&str, &[&str]); 2] =
            [("quick", &["say:hello", "done"]), ("waits", &["say:ready", "wait-for:../go"])];
        agents(
            &sandbox,
            &fake::agent(),
            &steps,
            "defaults: {restart_delay: 10ms, max_concurrent_root_tasks: 1}\n",
        );
        let daemon = Daemon::start(&sandbox, &[]);
        let run = daemon.create("broken", "waits");
        daemon.kill();
        let task = sandbox.root().join("p/broken");
        let path =
            if file == "run-info.yaml" { task.join("runs").join(&run).join(file) } else { task.join(file) };
        let kept = fs::read(&path).expect("a record");
        fs::write(&path, "{{{").expect("written");
        // A live loop keeps its place, whatever its files contain.
        let daemon = Daemon::start(&sandbox, &[]);
        let next = daemon.create("next", "quick");
        assert!(!daemon.get(&format!("/api/v1/runs/{next}/info")).body.contains("success"));
        daemon.kill();
        if done {
            sandbox.write("home/run-agent/p/broken/DONE", "");
        }
        sandbox.write("home/run-agent/p/go", "");
        let exit = task.join("runs").join(&run).join("exit.json");
        until("its agent has ended", || exit.exists());
        let daemon = Daemon::start(&sandbox, &[]);
        daemon.until_task("next", "completed");
        let shown = daemon.until_task("broken", if done { "completed" } else { "failed" });
        if done {
            continue;
        }
        let reason = shown["reason"].as_str().expect("a reason");
        assert!(reason.contains(path.to_str().expect("a path")) && reason.contains("resume"), "{reason}");
        assert_eq!(
            daemon.log().matches(path.to_str().expect("a path")).count(),
            2,
            "once by each daemon: {}",
            daemon.log()
        );
        // After the restoration the loop can be resumed.
        fs::write(&path, kept).expect("restored");
        let resumed = daemon.post("/api/projects/p/tasks/broken/resume", &Value::Null);
        assert_eq!(resumed.status, 200, "{resumed:?}");
        daemon.send("DELETE", "/api/v1/tasks/broken?project_id=p", "", "");
        daemon.until_task("broken", "stopped");
    }
}
