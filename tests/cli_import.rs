//! `run-agent import`: the result of importing a tree of the original Conductor Loop, which itself stays unchanged.

use std::{
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
};

use crate::common::Sandbox;
use serde_json::Value;
use tree::{bus::Message, run_info::RunStatus};

const CART: &str = "shop/task-20260222-160000-cart";
const HANG: &str = "shop/task-20260222-170000-hang";

fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/conductor-loop")
}

/// A sandbox with a copy of the sample.
fn sandbox() -> (Sandbox, PathBuf) {
    let sandbox = Sandbox::new();
    let to = sandbox.path("original");
    copy(&sample(), &to);
    (sandbox, to)
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn everything(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(everything(&path));
        } else {
            found.push((path.clone(), std::fs::read(path).unwrap()));
        }
    }
    found.sort();
    found
}

/// Imports the sample. Returns name, outcome and notes of each task.
fn import(sandbox: &Sandbox, flags: &str) -> Vec<(String, String, String)> {
    let said = sandbox.run(&format!("import ../original --json {flags}"));
    assert_eq!(said.code, 18, "something is left out: {said:?}");
    let list: Vec<Value> = serde_json::from_str(&said.stdout).unwrap();
    let text = |v: &Value| v.as_str().unwrap().to_owned();
    let notes = |v: &Value| {
        v["notes"].as_array().map_or(String::new(), |n| n.iter().map(text).collect::<Vec<_>>().join("; "))
    };
    list.iter().map(|v| (text(&v["name"]), text(&v["outcome"]), notes(v))).collect()
}

#[test]
fn a_tree_of_the_original_is_taken_in() {
    let (sandbox, original) = sandbox();
    let before = everything(&original);
    let planned = import(&sandbox, "--dry-run");
    assert!(!sandbox.root().join("shop").exists());
    let done = import(&sandbox, "");
    assert_eq!(planned, done);
    assert!(everything(&original) == before, "the source stays as it was");
    let outcomes: Vec<(&str, &str)> = done.iter().map(|(n, o, _)| (n.as_str(), o.as_str())).collect();
    assert_eq!(
        outcomes,
        [
            ("bad name", "skipped"),
            ("shop", "imported"),
            ("shop/notes", "skipped"),
            (CART, "imported"),
            (HANG, "imported")
        ]
    );
    let notes = &done[4].2;
    assert!(
        notes.contains("run-info.yaml is not readable") && notes.contains("'not an id' left out"),
        "{notes}"
    );

    let listed: Vec<Value> = serde_json::from_str(&sandbox.run("list --json").succeeds()).unwrap();
    let status: Vec<(&str, &str)> =
        listed.iter().map(|t| (t["task_id"].as_str().unwrap(), t["status"].as_str().unwrap())).collect();
    assert_eq!(
        status,
        [("task-20260222-160000-cart", "completed"), ("task-20260222-170000-hang", "stopped")]
    );
    let runs = |task: &str| -> Vec<Value> {
        serde_json::from_str(&sandbox.run(&format!("list {task} --json")).succeeds()).unwrap()
    };
    let of =
        |task: &str| runs(task).iter().map(|r| r["status"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(of(CART), [RunStatus::Completed.as_str(), RunStatus::Crashed.as_str()]);
    assert_eq!(of(HANG), [RunStatus::Crashed.as_str()]);
    assert!(!runs(HANG)[0]["end_time"].as_str().unwrap().starts_with("0001"));
    assert_eq!(sandbox.run(&format!("output {CART}/20260222-1601")).succeeds(), "Repaired.\n");
    let record = sandbox.root().join(CART).join("runs/20260222-1601001234-12345-1/run-info.yaml");
    let record = std::fs::read_to_string(record).unwrap();
    assert!(!record.contains("sk-ant") && !record.contains("/home/somebody/.run-agent"), "{record}");

    // Nothing is queued, and no problems are found.
    assert!(sandbox.run("status --json").succeeds().contains("\"loops\": []"));
    let clean = sandbox.run("fsck");
    assert_eq!(clean.code, 0, "{clean:?}");
}

#[test]
fn messages_keep_their_ids_their_bodies_and_their_order() {
    let (sandbox, _) = sandbox();
    import(&sandbox, "");
    let bus = std::fs::read_to_string(sandbox.root().join(CART).join("TASK-MESSAGE-BUS.jsonl")).unwrap();
    let messages: Vec<Message> = bus.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(messages.len(), 3);
    assert_eq!(messages[0].msg_id.as_str(), "MSG-20260222-160100-000000000-PID12345-0001");
    assert_eq!(messages[1].body, "A summary\n\n---\n\nwith a rule in it.");
    assert!(messages[1].msg_id < messages[2].msg_id, "although its time is earlier");
    assert_eq!(
        (messages[2].parents[0].msg_id.clone(), messages[2].links.len()),
        (messages[1].msg_id.clone(), 1)
    );
    assert_eq!(messages[2].meta.get("issue_id").unwrap(), "ISSUE-7");
    // New messages come after the imported ones.
    let (project, task) = CART.split_once('/').unwrap();
    let posted = sandbox.run(&format!("bus post --project {project} --task {task} --type USER --body blue"));
    assert_eq!(posted.code, 0, "{posted:?}");
    assert_eq!(sandbox.run("fsck").code, 0);
}

#[test]
fn a_second_import_finds_everything_there() {
    let (sandbox, original) = sandbox();
    import(&sandbox, "");
    let before = everything(&sandbox.root());
    let again = import(&sandbox, "");
    for (name, outcome, notes) in
        again.iter().filter(|(name, ..)| name.starts_with("shop/task") || name == "shop")
    {
        assert_eq!(outcome, "already_there", "{name}: {notes}");
    }
    assert!(everything(&sandbox.root()) == before);
    // An existing task of the same name from another tree is not touched.
    std::fs::rename(&original, sandbox.path("moved")).unwrap();
    let other = sandbox.run("import ../moved --project shop");
    assert!(other.stdout.contains("a task of that name was imported from"), "{other:?}");
}

#[test]
fn what_is_no_source_is_refused() {
    let (sandbox, _) = sandbox();
    sandbox.run("import ../absent").fails(3, "absent", "");
    sandbox.run("import .").fails(3, "no project to import", "folders of the projects");
    let own = sandbox.home().join("run-agent");
    std::fs::create_dir_all(&own).unwrap();
    sandbox.run(&format!("import '{}'", own.display())).fails(16, "is, or holds, the tree itself", "");
}

/// Gives the only readable run of the second task the pid of this process, and a start.
fn give_pid(original: &Path, start: &str) {
    let record = original.join(HANG).join("runs/20260222-1701001234-12346-1/run-info.yaml");
    let text = std::fs::read_to_string(&record).unwrap();
    let text = text.replace("2147480000", &std::process::id().to_string());
    std::fs::write(record, text.replace("2026-02-22T17:01:00Z", start)).unwrap();
}

#[test]
fn a_run_that_goes_on_is_told_from_one_whose_pid_another_process_has() {
    let outcome = |start: &str| {
        let (sandbox, original) = sandbox();
        give_pid(&original, start);
        let done = import(&sandbox, "");
        done.into_iter().find(|(name, ..)| name == HANG).unwrap()
    };
    let live = outcome(&base::clock::rfc3339(base::clock::Clock::System.now()));
    assert!(live.1 == "skipped" && live.2.contains("seems to go on"), "{live:?}");
    // This process is younger than such a run.
    let reused = outcome("2026-02-22T17:01:00Z");
    assert_eq!(reused.1, "imported", "{reused:?}");
}

#[test]
fn a_run_that_was_left_out_is_imported_once_it_is_mended() {
    let (sandbox, original) = sandbox();
    for odd in ["bad name", "shop/notes", "shop/task-20260222-170000-hang/runs/not an id"] {
        std::fs::remove_dir_all(original.join(odd)).unwrap();
    }
    let import = |code: i32| -> (String, String) {
        let said = sandbox.run("import ../original --json");
        assert_eq!(said.code, code, "{said:?}");
        let list: Vec<Value> = serde_json::from_str(&said.stdout).unwrap();
        let hang = list.into_iter().find(|v| v["name"] == HANG).unwrap();
        (hang["outcome"].as_str().unwrap().to_owned(), hang["notes"].to_string())
    };
    for outcome in ["imported", "already_there"] {
        let (found, notes) = import(18);
        assert_eq!(found, outcome);
        assert!(notes.contains("run 20260222-1800001234-12346-2 left out: run-info.yaml is not"), "{notes}");
    }
    let broken = original.join(HANG).join("runs/20260222-1800001234-12346-2/run-info.yaml");
    let mended = "run_id: 20260222-1800001234-12346-2\nstatus: completed\nexit_code: 0\nagent: codex\n\
                  start_time: 2026-02-22T18:00:00Z\nend_time: 2026-02-22T18:05:00Z\n";
    std::fs::write(broken, mended).unwrap();
    let planned = sandbox.run("import ../original --dry-run");
    assert!(planned.code == 0 && planned.stdout.contains("added to the task"), "{planned:?}");
    let (found, notes) = import(0);
    assert_eq!(found, "imported");
    assert!(notes.contains("added to the task: 20260222-1800001234-12346-2"), "{notes}");
    assert_eq!(import(0), ("already_there".to_owned(), "null".to_owned()));
    let runs: Vec<Value> =
        serde_json::from_str(&sandbox.run(&format!("list {HANG} --json")).succeeds()).unwrap();
    let status: Vec<&str> = runs.iter().map(|r| r["status"].as_str().unwrap()).collect();
    assert_eq!(status, ["crashed", "completed"]);
    assert_eq!(sandbox.run("fsck").code, 0);
}

#[test]
fn heavy_an_import_that_was_killed_is_completed_by_the_next() {
    let (sandbox, _) = sandbox();
    let whole = import(&sandbox, "");
    let expected = imported_files(&sandbox);
    let mut killed = 0;
    for at in (1..400).step_by(9) {
        std::fs::remove_dir_all(sandbox.root()).unwrap();
        let mut command = sandbox.command(["import", "../original", "--json"]);
        let status = command.env("CONDUCTOR_TEST_KILL_DRIVER", at.to_string()).output().unwrap().status;
        if status.signal() != Some(9) {
            break;
        }
        killed += 1;
        // A task is whole or not there.
        for file in imported_files(&sandbox) {
            assert!(expected.contains(&file), "killed at {at}: {file:?}");
        }
        let again = import(&sandbox, "");
        assert_eq!(again.len(), whole.len(), "killed at {at}: {again:?}");
        assert_eq!(imported_files(&sandbox), expected, "killed at {at}");
        assert_eq!(sandbox.run("fsck --repair").code, 0, "killed at {at}");
        let trash = std::fs::read_dir(sandbox.root().join("_daemon/trash")).into_iter().flatten();
        assert_eq!(trash.count(), 0, "killed at {at}");
    }
    assert!(killed > 3, "the import has few operations: {killed}");
}

/// The files of the imported projects with their lengths, without what a killed process has left. The ids of some messages
/// depend on the importing process.
fn imported_files(sandbox: &Sandbox) -> Vec<(PathBuf, usize)> {
    let shop = sandbox.root().join("shop");
    let files = if shop.exists() { everything(&shop) } else { Vec::new() };
    let is_temporary =
        |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().starts_with(".tmp-");
    files
        .into_iter()
        .filter(|(path, _)| !is_temporary(path))
        .map(|(path, bytes)| (path, bytes.len()))
        .collect()
}
