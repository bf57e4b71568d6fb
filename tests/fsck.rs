//! `run-agent fsck`: each rule is broken once and found, what is mendable is mended, and nothing else is touched.
#![expect(clippy::disallowed_methods, reason = "the tests break files as a fault would")]
#![expect(clippy::expect_used, reason = "a test that cannot prepare itself has failed")]

mod common;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use run_agent::view::fsck::{Rule, Severity};
use serde_json::Value;

use common::Sandbox;

fn edit(path: &Path, change: impl FnOnce(String) -> String) {
    fs::write(path, change(fs::read_to_string(path).expect("a file"))).expect("written");
}

/// A tree with one task `p/t` whose one run has ended well.
struct Broken {
    sandbox: Sandbox,
    run: PathBuf,
}

impl Broken {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let ran = sandbox.run("job --project p --task t --prompt hello -- cat");
        assert_eq!(ran.code, 0, "{ran:?}");
        let runs = sandbox.root().join("p/t/runs");
        let run = fs::read_dir(runs).expect("runs").flatten().next().expect("a run").path();
        Self { sandbox, run }
    }

    fn task(&self) -> PathBuf {
        self.sandbox.root().join("p/t")
    }

    fn run_id(&self) -> String {
        self.run.file_name().expect("a name").to_string_lossy().into_owned()
    }

    fn put(&self, path: &str, text: &str) -> PathBuf {
        let path = self.sandbox.root().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(&path, text).expect("written");
        path
    }

    fn ticket(&self, place: &str, number: u32, task: &str, run: &str) -> PathBuf {
        let text =
            format!("version: 1\nproject_id: p\ntask_id: {task}\nrun_id: {run}\nkind: job\nattempt: 1\n");
        self.put(&format!("_planner/{place}/{number:020}.yaml"), &text)
    }

    /// The rules that are broken, notes on modes left out (the tests write files as anybody would).
    fn findings(&self, line: &str) -> Vec<String> {
        let outcome = self.sandbox.run(line);
        let answer: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
        let findings = answer["findings"].as_array().expect("findings");
        let worst = findings.iter().any(|f| f["severity"] != "note");
        assert_eq!(outcome.code, if worst { 17 } else { 0 }, "{outcome:?}");
        let names = findings.iter().map(|f| f["rule"].as_str().expect("a rule").to_owned());
        names.filter(|r| r != "open-mode").collect()
    }

    fn found(&self) -> Vec<String> {
        self.findings("fsck --json")
    }

    fn left_after_repair(&self) -> Vec<String> {
        self.findings("fsck --repair --json")
    }
}

#[test]
fn a_healthy_tree_has_no_finding() {
    let broken = Broken::new();
    assert_eq!(broken.found(), [""; 0]);
    let words = broken.sandbox.run("fsck");
    assert_eq!((words.code, words.stderr.trim()), (0, "the tree is as it should be"));
}

#[test]
fn a_broken_record_is_one_finding_and_stays_as_it_is() {
    for (name, text, rule) in [
        ("run-info.yaml", "", "corrupt-record"),
        ("run-info.yaml", "version: 1\nrun_id: [", "corrupt-record"),
        ("run-info.yaml", "version: 7\nnew: true\n", "newer-record"),
        ("exit.json", "{\"version\": 1", "corrupt-record"),
    ] {
        let broken = Broken::new();
        let path = broken.run.join(name);
        fs::write(&path, text).expect("written");
        assert_eq!(broken.left_after_repair(), [rule], "{name} {text:?}");
        assert_eq!(fs::read_to_string(&path).expect("still there"), text);
    }
}

#[test]
fn a_record_that_disagrees_with_what_happened_is_an_error() {
    let broken = Broken::new();
    let info = broken.run.join("run-info.yaml");
    edit(&info, |t| t.replace("status: completed", "status: failed"));
    assert_eq!(broken.left_after_repair(), ["exit-disagrees"]);
    edit(&info, |t| t.replace("status: failed", "status: completed").replace("end_time:", "no_time:"));
    assert_eq!(broken.left_after_repair(), ["bad-times"]);
}

#[test]
fn an_end_that_nobody_committed_is_committed() {
    let broken = Broken::new();
    let info = broken.run.join("run-info.yaml");
    let before = fs::read_to_string(&info).expect("a record");
    edit(&info, |t| {
        let keep = |l: &&str| !l.starts_with("end_time") && !l.starts_with("exit_code");
        t.lines().filter(keep).collect::<Vec<_>>().join("\n").replace("status: completed", "status: running")
    });
    fs::remove_file(broken.run.join("output.md")).expect("removed");
    assert_eq!(broken.found(), ["uncommitted-end"]);
    assert_eq!(broken.left_after_repair(), [""; 0]);
    assert_eq!(fs::read_to_string(&info).expect("a record"), before, "the same end, told once on the bus");
}

#[test]
fn what_a_crash_left_before_a_ticket_is_discarded() {
    let broken = Broken::new();
    let made = broken.task().join("runs/20260101-0000000000-1-0001");
    fs::create_dir(&made).expect("made");
    fs::write(made.join("prompt.md"), "x").expect("written");
    assert_eq!(broken.found(), ["unaccepted-run"]);
    assert_eq!(broken.left_after_repair(), [""; 0]);
    assert!(!made.exists() && broken.run.exists());
}

#[test]
fn tickets_that_want_nothing_go() {
    let broken = Broken::new();
    let over = broken.ticket("live", 1, "t", &broken.run_id());
    let lost = broken.ticket("queue", 2, "gone", "20260101-0000000000-1-0001");
    let garbage = broken.put("_planner/queue/00000000000000000003.yaml", "{");
    let mut found = broken.found();
    found.sort_unstable();
    assert_eq!(found, ["corrupt-record", "ticket-of-ended-loop", "ticket-without-run"]);
    assert_eq!(broken.left_after_repair(), ["corrupt-record"]);
    assert!(!over.exists() && !lost.exists() && garbage.exists());
}

#[test]
fn a_missing_answer_is_made_of_what_was_printed() {
    let broken = Broken::new();
    let output = broken.run.join("output.md");
    let before = fs::read_to_string(&output).expect("an answer");
    fs::remove_file(&output).expect("removed");
    assert_eq!(broken.found(), ["missing-output"]);
    assert_eq!(broken.left_after_repair(), [""; 0]);
    assert_eq!(fs::read_to_string(&output).expect("an answer"), before);
}

#[test]
fn a_bus_is_held_to_its_order_and_to_its_runs() {
    let broken = Broken::new();
    let bus = broken.task().join("TASK-MESSAGE-BUS.jsonl");
    let text = fs::read_to_string(&bus).expect("a bus");
    fs::write(&bus, format!("{text}no message\n{{\"type\":\"USER\"")).expect("written");
    assert_eq!(broken.found(), ["bus-garbage", "bus-torn"], "notes: the next poster ends the line");
    let lines: Vec<&str> = text.lines().collect();
    fs::write(&bus, format!("{}\n{}\n", lines[1], lines[0])).expect("written");
    assert_eq!(broken.left_after_repair(), ["bus-order"]);
    fs::write(&bus, format!("{}\n", lines[0])).expect("written");
    assert_eq!(broken.left_after_repair(), ["bus-disagrees"]);
}

#[test]
fn leftovers_of_dead_writers_go() {
    let broken = Broken::new();
    // A pid beyond the largest that Linux gives out.
    let dead = broken.put("p/t/.tmp-99999999-0-TASK.md", "x");
    let living = broken.put(&format!("p/t/.tmp-{}-0-TASK.md", std::process::id()), "x");
    let room = broken.run.join(".reserved-exit.json");
    fs::write(&room, "x").expect("written");
    let trash = broken.put("_daemon/trash/half/deleted", "x");
    assert_eq!(broken.found(), ["leftover"; 3]);
    assert_eq!(broken.left_after_repair(), [""; 0]);
    assert!(!dead.exists() && living.exists() && !room.exists() && !trash.exists());
}

#[test]
fn names_and_modes_are_noted() {
    let broken = Broken::new();
    broken.put("p/a name/file", "x");
    fs::set_permissions(broken.task(), fs::Permissions::from_mode(0o755)).expect("a mode");
    let outcome = broken.sandbox.run("fsck --json");
    assert_eq!(outcome.code, 0, "{outcome:?}");
    for rule in ["bad-name", "open-mode"] {
        assert!(outcome.stdout.contains(rule), "{rule}: {outcome:?}");
    }
}

#[test]
fn the_page_lists_every_rule() {
    let page =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/fsck.md")).expect("a page");
    for (rule, says) in Rule::ALL {
        let severity = match rule.severity() {
            Severity::Note => "note",
            Severity::Mendable => "mendable",
            Severity::Error => "error",
        };
        let row = format!("| `{}` | {severity} | {} |", rule.as_str(), says.trim());
        assert!(page.contains(&row), "docs/fsck.md lacks {row}");
    }
}
