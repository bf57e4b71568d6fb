//! `run-agent fsck`: each rule is broken once and found, mendable damage is mended, and nothing else is touched.

#![expect(clippy::expect_used, reason = "a test that cannot prepare itself has failed")]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use base::{
    checksum,
    clock::Clock,
    fsx::{Durability, Holder, LockAttempt, RelPath, Root},
};
use nix::sys::signal::Signal;
use process::identity::ProcStat;
use serde_json::Value;
use tree::{Tree, refs::TaskRef};
use view::fsck::{Rule, Severity};

use crate::common::{Sandbox, daemon::until};

const NO_RUN: &str = "20260101-0000000000-1-0001";
/// A pid beyond the largest that Linux assigns.
const NOBODY: &str = "99999999";

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("a file")
}

fn write(path: impl AsRef<Path>, text: &str) {
    fs::write(path, text).expect("written");
}

fn edit(path: &Path, change: impl FnOnce(String) -> String) {
    write(path, &change(read(path)));
}

/// A tree with one task, `p/t`. Its only run has succeeded.
struct BrokenTree {
    sandbox: Sandbox,
    run: PathBuf,
    /// The resources that keep the tree broken, until they are dropped.
    kept: Vec<Kept>,
}

/// A resource that exists as long as the test keeps it.
enum Kept {
    Process(Child),
    Lock { _lock: LockAttempt },
}

impl Drop for BrokenTree {
    fn drop(&mut self) {
        for kept in &mut self.kept {
            if let Kept::Process(child) = kept {
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }
}

impl BrokenTree {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let ran = sandbox.run("job --project p --task t --prompt hello -- cat");
        assert_eq!(ran.code, 0, "{ran:?}");
        let runs = sandbox.root().join("p/t/runs");
        let run = fs::read_dir(runs).expect("runs").flatten().next().expect("a run").path();
        Self { sandbox, run, kept: Vec::new() }
    }

    fn task(&self) -> PathBuf {
        self.sandbox.root().join("p/t")
    }

    fn bus(&self) -> PathBuf {
        self.task().join("TASK-MESSAGE-BUS.jsonl")
    }

    fn info(&self) -> PathBuf {
        self.run.join("run-info.yaml")
    }

    fn run_id(&self) -> String {
        self.run.file_name().expect("a name").to_string_lossy().into_owned()
    }

    fn put(&self, path: &str, text: &str) -> PathBuf {
        let path = self.sandbox.root().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        write(&path, text);
        path
    }

    /// Creates a run that was made a moment ago: it has a record and no claim.
    fn made(&self) -> PathBuf {
        let record = read(&self.info())
            .replace(&self.run_id(), NO_RUN)
            .replace("status: completed", "status: created")
            .lines()
            .filter(|l| {
                !["pid", "pgid", "host", "end_time", "exit_code"].iter().any(|key| l.starts_with(key))
            })
            .fold(String::new(), |text, line| text + line + "\n");
        self.put(&format!("p/t/runs/{NO_RUN}/run-info.yaml"), &record);
        self.put(&format!("p/t/runs/{NO_RUN}/prompt.md"), "hello").parent().expect("a folder").to_owned()
    }

    /// Makes the run look as if its driver had died before the end was committed.
    fn uncommitted(&self) {
        edit(&self.info(), |t| {
            let keep = |l: &&str| !l.starts_with("end_time") && !l.starts_with("exit_code");
            let kept = t.lines().filter(keep).fold(String::new(), |text, line| text + line + "\n");
            kept.replace("status: completed", "status: running")
        });
        fs::remove_file(self.run.join("output.md")).expect("removed");
    }

    fn ticket(&self, place: &str, number: u32, task: &str, run: &str) -> PathBuf {
        let text =
            format!("version: 1\nproject_id: p\ntask_id: {task}\nrun_id: {run}\nkind: job\nattempt: 1\n");
        self.put(&format!("_planner/{place}/{number:020}.yaml"), &text)
    }

    /// Holds a lock of the tree, as a process of Conductor would.
    fn hold(&mut self, path: &Path) {
        let root = Root::open(&self.sandbox.root(), Durability::Never).expect("a root");
        let rel = RelPath::new(path.strip_prefix(self.sandbox.root()).expect("below")).expect("a path");
        let lock = root.try_lock(&rel, &Holder::named("the test")).expect("a lock");
        assert!(matches!(lock, LockAttempt::Taken(_)));
        self.kept.push(Kept::Lock { _lock: lock });
    }

    /// Starts a process that claims to belong to the run.
    fn process(&mut self) -> u32 {
        let mut command = Command::new("/bin/sleep");
        let child = command.arg("60").env("JRUN_ID", self.run_id()).stdin(Stdio::null()).spawn();
        let child = child.expect("started");
        let pid = child.id();
        self.kept.push(Kept::Process(child));
        pid
    }

    /// Returns the broken rules without notes on modes, because the tests write files with ordinary modes.
    fn findings(&self, line: &str) -> Vec<String> {
        let outcome = self.sandbox.run(line);
        let answer: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
        let findings = answer["findings"].as_array().expect("findings");
        let worst = findings.iter().any(|f| f["severity"] != "note");
        assert_eq!(outcome.code, if worst { 17 } else { 0 }, "{outcome:?}");
        let mut names: Vec<String> =
            findings.iter().map(|f| f["rule"].as_str().expect("a rule").to_owned()).collect();
        names.sort_unstable();
        names.retain(|r| r != "open-mode");
        names
    }

    fn found(&self) -> Vec<String> {
        self.findings("fsck --json")
    }

    fn left_after_repair(&self) -> Vec<String> {
        self.findings("fsck --repair --json")
    }
}

/// A way to break each rule. `open-mode` has a test of its own.
type Break = fn(&mut BrokenTree);
const BREAKS: &[(&str, Break)] = &[
    ("corrupt-record", |b| write(b.task().join("TASK-CONFIG.yaml"), "")),
    ("newer-record", |b| write(b.info(), "version: 7\nnew: true\n")),
    ("missing-record", |b| fs::remove_file(b.info()).expect("removed")),
    ("misplaced-record", |b| edit(&b.info(), |t| t.replace("task_id: t", "task_id: other"))),
    ("unreadable", |b| {
        fs::remove_file(b.run.join("exit.json")).expect("removed");
        fs::create_dir(b.run.join("exit.json")).expect("made");
    }),
    ("two-tickets", |b| {
        b.made();
        b.ticket("queue", 1, "t", NO_RUN);
        b.ticket("queue", 2, "t", NO_RUN);
    }),
    ("ticket-without-run", |b| drop(b.ticket("queue", 1, "gone", NO_RUN))),
    ("ticket-of-ended-loop", |b| drop(b.ticket("live", 1, "t", &b.run_id()))),
    ("undriven-loop", |b| {
        b.made();
        b.ticket("live", 1, "t", NO_RUN);
    }),
    ("unaccepted-run", |b| drop(b.made())),
    ("uncommitted-end", |b| b.uncommitted()),
    ("missing-claim", |b| {
        b.uncommitted();
        fs::remove_file(b.run.join("claim.json")).expect("removed");
    }),
    ("silent-shim", |b| {
        let made = b.made();
        b.ticket("queue", 1, "t", NO_RUN);
        b.hold(&made.join("run.lock"));
    }),
    ("missing-output", |b| fs::remove_file(b.run.join("output.md")).expect("removed")),
    ("bad-times", |b| {
        edit(&b.info(), |t| t.replace("start_time: \"20", "start_time: \"30"));
    }),
    ("impossible-value", |b| edit(&b.info(), |t| t.replace("attempt: 1", "attempt: 0"))),
    ("frozen-shim", |b| {
        b.uncommitted();
        fs::remove_file(b.run.join("exit.json")).expect("removed");
        let pid = b.process().cast_signed();
        let shim = ProcStat::of(pid).expect("a process").id;
        edit(&b.run.join("claim.json"), |t| {
            let mut claim: Value = serde_json::from_str(&t).expect("a claim");
            claim["shim"] = serde_json::json!(shim);
            claim.to_string()
        });
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), Signal::SIGSTOP).expect("stopped");
        until("it is stopped", || shim.is_frozen());
    }),
    ("exit-disagrees", |b| edit(&b.info(), |t| t.replace("status: completed", "status: failed"))),
    ("living-process", |b| {
        b.process();
    }),
    ("bus-disagrees", |b| edit(&b.bus(), |t| format!("{}\n", t.lines().next().expect("a line")))),
    ("bus-order", |b| {
        edit(&b.bus(), |t| {
            let lines: Vec<&str> = t.lines().collect();
            format!("{}\n{}\n", lines[1], lines[0])
        });
    }),
    ("bus-duplicate", |b| {
        edit(&b.bus(), |t| {
            let id = t.split('"').nth(3).expect("an id").to_owned();
            let twice = "{\"msg_id\":\"MSG-mine\"}\n".repeat(2);
            format!("{t}{{\"msg_id\":\"{id}\",\"body\":\"again\"}}\n{twice}")
        });
    }),
    ("bus-damaged", |b| edit(&b.bus(), |t| t.replacen(" started:", " sTarted:", 1))),
    ("events-damaged", |b| {
        let mut line =
            br#"{"version":1,"offset":0,"length":9,"type":"raw","reason":"unknown","text":"x"}"#.to_vec();
        checksum::add(&mut line);
        line[12] ^= 4;
        write(b.run.join("events.jsonl"), &format!("{}\n", String::from_utf8(line).expect("text")));
    }),
    ("bus-garbage", |b| edit(&b.bus(), |t| format!("{t}no message\n\n[]\n"))),
    ("bus-torn", |b| edit(&b.bus(), |t| format!("{t}{{\"type\":\"USER\""))),
    ("leftover", |b| drop(b.put(&format!("p/t/.tmp-{NOBODY}-0-TASK.md"), "x"))),
    ("set-aside", |b| drop(b.put("p/t/STOP.set-aside-1/file", "x"))),
    ("bad-name", |b| drop(b.put("p/a name/file", "x"))),
    ("unknown-file", |b| drop(b.put("_daemon/core.1234", "x"))),
];

/// The rules that are still broken after a repair, if the result is neither nothing nor the rule itself.
fn left(rule: Rule) -> Vec<String> {
    match (rule, rule.severity()) {
        // The torn line is terminated, and then is a line that is no message.
        (Rule::BusTorn, _) => vec![Rule::BusGarbage.as_str().to_owned()],
        (_, Severity::Mendable) => Vec::new(),
        (_, Severity::Error | Severity::Note) => vec![rule.as_str().to_owned()],
    }
}

#[test]
fn each_rule_can_be_broken_and_no_other_by_that() {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some((name, break_it)) = BREAKS.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let rule = Rule::ALL.iter().find(|r| r.as_str() == *name).expect("a rule");
                    let mut broken = BrokenTree::new();
                    break_it(&mut broken);
                    assert_eq!(broken.found(), [*name]);
                    assert_eq!(broken.left_after_repair(), left(*rule), "{name}, repaired");
                }
            });
        }
    });
    for rule in Rule::ALL.iter().filter(|r| **r != Rule::OpenMode) {
        assert!(BREAKS.iter().any(|(name, _)| *name == rule.as_str()), "no test breaks {rule:?}");
    }
}

#[test]
fn a_healthy_tree_has_no_finding() {
    let broken = BrokenTree::new();
    assert_eq!(broken.found(), [""; 0]);
    let words = broken.sandbox.run("fsck");
    assert_eq!((words.code, words.stderr.trim()), (0, "no problems found"));
}

#[test]
fn a_broken_record_is_one_finding_and_stays_as_it_is() {
    for (name, text, rule) in [
        ("run-info.yaml", "", "corrupt-record"),
        ("run-info.yaml", "version: 1\nrun_id: [", "corrupt-record"),
        ("run-info.yaml", "\u{0}\u{0}\u{0}", "corrupt-record"),
        ("exit.json", "{\"version\": 1", "corrupt-record"),
        ("exit.json", " \n", "corrupt-record"),
        ("exit.json", "{\"version\": 2, \"end\": {}}", "newer-record"),
        ("claim.json", "{\"version\": 1}", "corrupt-record"),
        ("claim.json", "{\"version\": 2}", "newer-record"),
        ("../../TASK-END.yaml", "version: x", "corrupt-record"),
        ("../../../../_planner/queue/00000000000000000001.yaml", "{", "corrupt-record"),
    ] {
        let broken = BrokenTree::new();
        let path = broken.run.join(name);
        write(&path, text);
        assert_eq!(broken.left_after_repair(), [rule], "{name} {text:?}");
        assert_eq!(read(&path), text);
        let said = broken.sandbox.run("fsck --json").stdout;
        let file = path.file_name().expect("a name").to_string_lossy().into_owned();
        assert!(said.contains(&format!("{file}\",")), "the file itself is named: {said}");
    }
}

#[test]
fn garbage_in_the_folder_of_the_daemon_is_found() {
    let broken = BrokenTree::new();
    for name in [
        "daemon.yaml",
        "agents.yaml",
        "self-update.yaml",
        "browser-keys.json",
        "outbox/x.run_stop.json",
        "login-codes/x.json",
    ] {
        let file = broken.put(&format!("_daemon/{name}"), "version: [\u{0}");
        assert_eq!(broken.left_after_repair(), ["corrupt-record"], "{name}");
        fs::remove_file(file).expect("removed");
    }
    broken.put("_daemon/outbox/notes.txt", "x");
    broken.put("_planner/queue.bak/00000000000000000001.yaml", "x");
    broken.put("_audit/old.jsonl", "x");
    assert_eq!(broken.found(), ["unknown-file", "unknown-file", "unknown-file"]);
    // A half of a ticket, in either folder.
    broken.put("_planner/live/00000000000000000002.yaml", "version: 1\nproject_id: p\ntask_");
    assert!(broken.found().contains(&"corrupt-record".to_owned()));
}

#[test]
fn a_flipped_bit_in_the_record_of_a_run_is_found() {
    for (line, flipped, rule) in [
        ("attempt: 1", "attempt: 0", "impossible-value"),
        ("version: 1", "version: 0", "impossible-value"),
        ("status: completed", "status: cgmpleted", "corrupt-record"),
        ("exit_code: 0", "exit_code: 8", "exit-disagrees"),
        ("start_time: \"2", "start_time: \"1", "bad-times"),
        ("end_time: \"20", "end_time: \"21", "bad-times"),
        ("pid: ", "pid: 1", "exit-disagrees"),
        ("pid: ", "pid: -", "impossible-value"),
        ("pid_started: ", "pid_started: 1", "exit-disagrees"),
        ("host: ", "host: x", "exit-disagrees"),
        ("run_id: 2", "run_id: 3", "misplaced-record"),
        ("task_id: t", "task_id: v", "misplaced-record"),
    ] {
        let broken = BrokenTree::new();
        let before = read(&broken.info());
        let after = format!("\n{before}").replace(&format!("\n{line}"), &format!("\n{flipped}"));
        assert_ne!(after.trim_start(), before, "{line}");
        write(broken.info(), after.trim_start());
        assert!(broken.found().contains(&rule.to_owned()), "{flipped}: {:?}", broken.found());
    }
}

#[test]
fn broken_files_hide_nothing_else() {
    let broken = BrokenTree::new();
    let other = broken.sandbox.run("job --project p --task other --prompt hello -- cat");
    assert_eq!(other.code, 0, "{other:?}");
    for (path, text) in [(broken.info(), "{"), (broken.run.join("claim.json"), ""), (broken.bus(), "x")] {
        write(path, text);
    }
    fs::remove_file(broken.task().join("task.lock")).expect("removed");
    fs::create_dir(broken.task().join("task.lock")).expect("made");
    let runs = fs::read_dir(broken.sandbox.root().join("p/other/runs")).expect("runs");
    let run = runs.flatten().next().expect("a run").path();
    fs::remove_file(run.join("output.md")).expect("removed");
    assert_eq!(
        broken.found(),
        ["bus-torn", "corrupt-record", "corrupt-record", "missing-output", "unreadable"]
    );
    assert_eq!(broken.left_after_repair(), ["bus-garbage", "corrupt-record", "corrupt-record", "unreadable"]);
    // A run that waits for its commit also requires a check of the lock, for which the folder counts as absent.
    let made = broken.put(&format!("p/t/runs/{NO_RUN}/prompt.md"), "x");
    assert_eq!(
        broken.found(),
        ["bus-garbage", "corrupt-record", "corrupt-record", "unaccepted-run", "unreadable"]
    );
    assert!(made.exists());
}

#[test]
fn an_end_that_nobody_committed_is_committed() {
    let broken = BrokenTree::new();
    let before = read(&broken.info());
    broken.uncommitted();
    assert_eq!(broken.found(), ["uncommitted-end"]);
    assert_eq!(broken.left_after_repair(), [""; 0]);
    assert_eq!(read(&broken.info()), before, "the same end, told once on the bus");
}

#[test]
fn an_end_that_did_not_get_its_name_is_no_crash() {
    let broken = BrokenTree::new();
    let before = read(&broken.info());
    let (named, room) = (broken.run.join("exit.json"), broken.run.join(".reserved-exit.json"));
    fs::rename(&named, &room).expect("renamed");
    broken.uncommitted();
    assert_eq!(broken.found(), ["uncommitted-end"]);
    assert_eq!(broken.left_after_repair(), [""; 0]);
    assert_eq!(read(&broken.info()), before, "the same end");
    assert!(room.exists(), "the only record of the end stays");
    // Room that was never written says nothing.
    write(&room, &"\0".repeat(16 * 1024));
    broken.uncommitted();
    assert_eq!(broken.found(), ["leftover", "uncommitted-end"]);
    assert_eq!(broken.left_after_repair(), [""; 0]);
    assert!(read(&broken.info()).contains("status: crashed"));
}

#[test]
fn a_crash_of_another_boot_is_committed_as_one() {
    let broken = BrokenTree::new();
    broken.uncommitted();
    fs::remove_file(broken.run.join("exit.json")).expect("removed");
    edit(&broken.bus(), |t| format!("{}\n", t.lines().next().expect("the start")));
    edit(&broken.run.join("claim.json"), |t| {
        let line = t.lines().find(|l| l.contains("boot_id")).expect("a boot").to_owned();
        t.replace(&line, "\"boot_id\": \"another\",")
    });
    assert_eq!(broken.found(), ["uncommitted-end"]);
    assert_eq!(broken.left_after_repair(), [""; 0]);
    assert!(read(&broken.info()).contains("status: crashed"));
}

#[test]
fn what_somebody_drives_is_left_to_him() {
    let mut broken = BrokenTree::new();
    broken.made();
    broken.uncommitted();
    let over = broken.ticket("live", 1, "t", &broken.run_id());
    let before = read(&broken.info());
    broken.hold(&broken.task().join("task.lock"));
    assert_eq!(broken.found(), [""; 0], "it may be what its driver is just doing");
    assert_eq!(broken.left_after_repair(), [""; 0]);
    assert!(over.exists() && read(&broken.info()) == before);
    broken.kept.clear();
    assert_eq!(broken.found(), ["ticket-of-ended-loop", "unaccepted-run", "uncommitted-end"]);
    assert_eq!(broken.left_after_repair(), [""; 0]);
}

#[test]
fn a_ticket_that_cannot_be_read_may_have_accepted_any_run() {
    let broken = BrokenTree::new();
    let made = broken.made();
    let ticket = broken.put("_planner/queue/00000000000000000001.yaml", "version: 1\nproj");
    assert_eq!(broken.left_after_repair(), ["corrupt-record"]);
    assert!(made.join("prompt.md").exists());
    fs::remove_file(ticket).expect("removed");
    assert_eq!(broken.left_after_repair(), [""; 0]);
    assert!(!made.exists() && broken.run.exists());
}

#[test]
fn a_run_without_its_claim_is_not_started_again() {
    let broken = BrokenTree::new();
    broken.uncommitted();
    fs::remove_file(broken.run.join("claim.json")).expect("removed");
    fs::remove_file(broken.run.join("exit.json")).expect("removed");
    fs::remove_file(broken.task().join("TASK-END.yaml")).expect("removed");
    broken.ticket("live", 1, "t", &broken.run_id());
    let driven = broken.sandbox.run("drive --all");
    assert_eq!(driven.code, 14, "{driven:?}");
    assert!(driven.stderr.contains("claim.json is missing, though its run has begun"), "{driven:?}");
    assert!(!broken.run.join("claim.json").exists());
}

#[test]
fn a_missing_answer_is_made_of_what_was_printed() {
    let broken = BrokenTree::new();
    let output = broken.run.join("output.md");
    let before = read(&output);
    fs::remove_file(&output).expect("removed");
    assert_eq!(broken.left_after_repair(), [""; 0]);
    assert_eq!(read(&output), before);
}

#[test]
fn a_process_of_an_ended_run_is_ended() {
    let mut broken = BrokenTree::new();
    let pid = broken.process();
    let said = broken.sandbox.run("fsck").stdout;
    assert!(said.contains(&format!("of its processes {pid} are still there")), "{said}");
    assert_eq!(broken.left_after_repair(), [""; 0]);
    let Some(Kept::Process(child)) = broken.kept.last_mut() else { panic!("a process") };
    let deadline = Instant::now() + Duration::from_secs(10);
    while child.try_wait().expect("a child").is_none() {
        assert!(Instant::now() < deadline, "it still lives");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn leftovers_of_dead_writers_go_and_nothing_else() {
    let broken = BrokenTree::new();
    let temp = |pid: &str| broken.put(&format!("p/t/.tmp-{pid}-0-TASK.md"), "x");
    let trash = |pid: &str| broken.put(&format!("_daemon/trash/20260101-0000000000-{pid}-0001/x"), "x");
    let own = std::process::id().to_string();
    let room = broken.run.join(".reserved-exit.json");
    write(&room, "x");
    let gone = [temp(NOBODY), trash(NOBODY), room];
    // Files in use, files of others, and room for a shim that may still come.
    let unclaimed = broken.made();
    broken.ticket("queue", 1, "t", NO_RUN);
    let taken = unclaimed.join(".reserved-exit.json");
    write(&taken, "x");
    let stay = [temp(&own), trash(&own), broken.put("p/t/.tmp-mine", "x"), taken];
    assert_eq!(broken.found(), ["leftover"; 3]);
    assert_eq!(broken.left_after_repair(), [""; 0]);
    assert!(gone.iter().all(|path| !path.exists()) && stay.iter().all(|path| path.exists()));
}

#[test]
fn an_open_folder_is_noted_and_what_agents_write_is_not() {
    let broken = BrokenTree::new();
    let (sandbox, task) = (&broken.sandbox, broken.task());
    write(task.join("notes.md"), "an agent's own, readable by all but for the folder");
    fs::create_dir_all(task.join("checkout/src")).expect("made");
    assert_eq!(sandbox.run("fsck").stderr.trim(), "no problems found");
    fs::set_permissions(&task, fs::Permissions::from_mode(0o755)).expect("a mode");
    let outcome = sandbox.run("fsck --json");
    assert_eq!(outcome.code, 0, "notes are no fault: {outcome:?}");
    assert_eq!(outcome.stdout.matches("\"open-mode\"").count(), 2, "the folder and notes.md: {outcome:?}");
}

/// Three jobs at a time.
const JOBS: usize = 3 * 12;

/// A tree at work passes through intermediate states between two writes, which must not be findings.
#[test]
fn heavy_a_tree_at_work_has_no_finding_and_loses_nothing_by_a_repair() {
    let sandbox = Sandbox::new();
    let tree = Tree::create(&sandbox.root(), Durability::Never, Clock::System).expect("a tree");
    let done = AtomicUsize::new(0);
    thread::scope(|scope| {
        for worker in 0..3 {
            let (sandbox, done) = (&sandbox, &done);
            scope.spawn(move || {
                for n in 0..JOBS / 3 {
                    let line = format!("job --project p --task t{worker}-{n} --prompt hello -- cat");
                    let ran = sandbox.run(&line);
                    done.fetch_add(1, Ordering::Relaxed);
                    assert_eq!(ran.code, 0, "{ran:?}");
                }
            });
        }
        let mut looks = 0;
        while done.load(Ordering::Relaxed) < JOBS {
            let line = if looks % 2 == 0 { "fsck --json" } else { "fsck --repair --json" };
            let outcome = sandbox.run(line);
            assert!(outcome.code == 0 && outcome.stdout.contains("\"mended\": []"), "{outcome:?}");
            looks += 1;
        }
        assert!(looks > 3, "{looks} looks");
    });
    let tasks = tree.tasks(&"p".parse().expect("an id")).expect("tasks");
    assert_eq!(tasks.len(), JOBS);
    for task in tasks {
        let task = TaskRef { project: "p".parse().expect("an id"), task };
        assert!(tree.task_end(&task).expect("readable").is_some(), "{task}");
    }
}

#[test]
fn the_page_lists_every_rule() {
    let page = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/fsck.md"));
    let rows: Vec<&str> = page.lines().filter(|l| l.starts_with("| `")).collect();
    let expected = Rule::ALL.iter().map(|rule| {
        let severity = rule.severity().as_str();
        format!("| `{}` | {severity} | {} | {} |", rule.as_str(), rule.says(), rule.hint())
    });
    assert_eq!(rows, expected.collect::<Vec<_>>());
}
