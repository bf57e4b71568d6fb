//! `run-agent bus` as users and agents call it.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Stdio},
};

use crate::common::{Outcome, Sandbox, outcome};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};

/// A sandbox with task `p/t` in its tree.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    fs::create_dir_all(sandbox.root().join("p/t/runs/r")).unwrap();
    sandbox
}

fn bus(sandbox: &Sandbox) -> PathBuf {
    sandbox.root().join("p/t/TASK-MESSAGE-BUS.jsonl")
}

fn post(sandbox: &Sandbox, body: &str) -> String {
    let args = ["bus", "post", "--project", "p", "--task", "t", "--type", "FACT", "--body", body];
    outcome(&mut sandbox.command(args)).succeeds().trim_end().to_owned()
}

fn read(sandbox: &Sandbox, flags: &str) -> Vec<Value> {
    let text = sandbox.run(&format!("bus read --project p --task t --json {flags}")).succeeds();
    text.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

fn bodies(messages: &[Value]) -> Vec<&str> {
    messages.iter().map(|m| m["body"].as_str().unwrap()).collect()
}

/// Runs a command line with an agent's environment. The settings are not part of it, and may be broken.
fn as_agent(sandbox: &Sandbox, line: &str) -> Outcome {
    let bus = bus(sandbox).to_str().unwrap().to_owned();
    let variables = [
        ("JRUN_MESSAGE_BUS", bus.as_str()),
        ("JRUN_PROJECT_ID", "p"),
        ("JRUN_TASK_ID", "t"),
        ("JRUN_ID", "r"),
    ];
    sandbox.run_with(&variables, line)
}

#[test]
fn every_flag_of_post_is_in_the_message() {
    let sandbox = sandbox();
    let first = post(&sandbox, "first");
    let parent = format!("{first}:reply");
    let args = [
        "bus",
        "post",
        "--project",
        "p",
        "--task",
        "t",
        "--type",
        "DECISION",
        "--run",
        "r",
        "--parent",
        &parent,
        "--parent",
        "MSG-elsewhere",
        "--link",
        "the log file:///l",
        "--link",
        "https://x",
        "--meta",
        "n=3",
        "--meta",
        "text=two words",
        "--body",
        "--starts with dashes",
        "--json",
    ];
    let printed: Value = serde_json::from_str(&outcome(&mut sandbox.command(args)).succeeds()).unwrap();
    let messages = read(&sandbox, "");
    assert_eq!(messages[1], printed);
    let mut rest = printed;
    for generated in ["msg_id", "timestamp"] {
        assert!(rest.as_object_mut().unwrap().remove(generated).unwrap().is_string());
    }
    let expected = json!({
        "type": "DECISION", "project_id": "p", "task_id": "t", "run_id": "r",
        "parents": [{"msg_id": first, "kind": "reply"}, {"msg_id": "MSG-elsewhere"}],
        "links": [{"url": "file:///l", "label": "the log"}, {"url": "https://x"}],
        "meta": {"n": 3, "text": "two words"}, "body": "--starts with dashes",
    });
    assert_eq!(rest, expected);
}

#[test]
fn standard_input_is_posted_byte_for_byte() {
    let sandbox = sandbox();
    for body in ["\n", "---\na: b\n---\n", "no newline", " \u{2028}\u{85}\0\r\n\t", "\u{feff}x"] {
        let input = sandbox.write("input", body);
        let mut command = sandbox.command(["bus", "post", "--project", "p", "--task", "t"]);
        outcome(command.stdin(File::open(input).unwrap())).succeeds();
        assert_eq!(bodies(&read(&sandbox, "--tail 1")), [body]);
    }
    let before = fs::read(bus(&sandbox)).unwrap();
    let with_input = |bytes: &[u8]| {
        let input = sandbox.write("input", bytes);
        let mut command = sandbox.command(["bus", "post", "--project", "p", "--task", "t"]);
        outcome(command.stdin(File::open(input).unwrap()))
    };
    with_input(b"").fails(2, "standard input is empty", "give --body TEXT");
    with_input(b"ab\xff").fails(16, "not UTF-8 text (byte 2)", "nothing was written");
    with_input(&vec![b'x'; 17 << 20]).fails(
        16,
        "is longer than the 16777216 it may have",
        "nothing was written",
    );
    assert_eq!(fs::read(bus(&sandbox)).unwrap(), before);
}

#[test]
fn an_agent_needs_no_flags() {
    let sandbox = sandbox();
    sandbox.write("work/config.yaml", "this: is another program's\n");
    let id = as_agent(&sandbox, "bus post --body half").succeeds();
    let text = as_agent(&sandbox, "bus read").succeeds();
    assert!(text.ends_with(&format!("PROGRESS {} run r\n  half\n", id.trim_end())), "{text}");
    as_agent(&sandbox, "bus post --project p --type FACT --body done").succeeds();
    let on_project = as_agent(&sandbox, "bus read --project p --json").succeeds();
    let message: Value = serde_json::from_str(&on_project).unwrap();
    assert_eq!(
        (&message["task_id"], &message["run_id"], &message["body"]),
        (&json!("t"), &json!("r"), &json!("done"))
    );
}

#[test]
fn discover_says_which_bus_and_why() {
    let sandbox = sandbox();
    let found = |outcome: Outcome| {
        assert_eq!(outcome.code, 0, "{outcome:?}");
        (PathBuf::from(outcome.stdout.trim_end()), outcome.stderr)
    };
    let task = (bus(&sandbox), "the bus of task p/t, because of JRUN_MESSAGE_BUS\n".to_owned());
    assert_eq!(found(as_agent(&sandbox, "bus discover")), task);
    let project = sandbox.root().join("p/PROJECT-MESSAGE-BUS.jsonl");
    let named = (project, "the bus of project p, because of what was named\n".to_owned());
    assert_eq!(found(sandbox.run("bus discover --project p")), named);
    // From inside the folder, by a detour and through a link.
    std::os::unix::fs::symlink(sandbox.root(), sandbox.work().join("link")).unwrap();
    for root in [sandbox.root(), sandbox.work().join("link"), sandbox.work().join("../home/run-agent")] {
        let mut command = sandbox.command(["bus", "discover", "--json", "--root"]);
        command.arg(root).current_dir(sandbox.root().join("p/t/runs/r"));
        let answer: Value = serde_json::from_str(&outcome(&mut command).succeeds()).unwrap();
        let expected = json!({
            "path": bus(&sandbox), "root": sandbox.root(), "project_id": "p", "task_id": "t", "why": "the present folder",
        });
        assert_eq!(answer, expected);
    }
}

#[test]
fn read_shows_what_was_asked_for() {
    let sandbox = sandbox();
    let ids: Vec<String> = (0..25).map(|n| post(&sandbox, &n.to_string())).collect();
    assert_eq!(bodies(&read(&sandbox, "")).len(), 20);
    assert_eq!(bodies(&read(&sandbox, "--tail 2")), ["23", "24"]);
    assert_eq!(bodies(&read(&sandbox, &format!("--after {}", ids[22]))), ["23", "24"]);
    assert_eq!(bodies(&read(&sandbox, "--type USER")), Vec::<&str>::new());
    sandbox.run("bus post --project p --task t --type USER --body mine").succeeds();
    post(&sandbox, "last");
    assert_eq!(bodies(&read(&sandbox, "--type USER --tail 1")), ["mine"]);
    assert_eq!(
        bodies(&read(&sandbox, &format!("--type USER --type FACT --after {}", ids[24]))),
        ["mine", "last"]
    );
    File::options()
        .append(true)
        .open(bus(&sandbox))
        .unwrap()
        .write_all(b"by hand\n{\"body\":\"\\u001b[2Jhand\"}\n")
        .unwrap();
    let shown = sandbox.run("bus read --project p --task t --tail 2");
    assert!(shown.stdout.contains(" USER @") && shown.stdout.ends_with("\n  \u{1b}[2Jhand\n"), "{shown:?}");
    assert_eq!(shown.stderr, "skipped 1 line that is not a message\n");
}

/// A reader that is ended with the test.
struct Follower(Child);

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn follow_shows_what_comes_and_ends_on_ctrl_c() {
    let sandbox = sandbox();
    post(&sandbox, "old");
    let mut command = sandbox.command([
        "bus",
        "read",
        "--project",
        "p",
        "--task",
        "t",
        "--tail",
        "1",
        "--follow",
        "--json",
    ]);
    let mut follower = Follower(command.stdout(Stdio::piped()).spawn().unwrap());
    // The loop ends with the follower. If the test hangs here, its own time limit ends the follower.
    let mut lines = BufReader::new(follower.0.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<Value>(&lines.next().expect("a line").unwrap()).unwrap();
    assert_eq!(next()["body"], "old");
    for n in 0..20 {
        let id = post(&sandbox, &n.to_string());
        let message = next();
        assert_eq!(
            (message["msg_id"].as_str(), message["body"].as_str()),
            (Some(id.as_str()), Some(n.to_string().as_str()))
        );
    }
    kill(Pid::from_raw(follower.0.id().cast_signed()), Signal::SIGINT).unwrap();
    assert!(follower.0.wait().unwrap().success());
}

#[test]
fn the_folder_that_a_project_works_in_finds_its_buses() {
    let sandbox = sandbox();
    let home = sandbox.work().join("home of p");
    fs::create_dir_all(&home).unwrap();
    fs::create_dir_all(sandbox.root().join("q/t")).unwrap();
    sandbox.write("home/run-agent/p/PROJECT-ROOT.txt", format!("{}\n", home.display()));
    let bus = |folder: &Path, line: &str| {
        let mut command = sandbox.command(["bus", "discover"]);
        command.args(line.split_whitespace()).current_dir(folder);
        outcome(&mut command)
    };
    let found = |folder: &Path, line: &str| {
        let found = bus(folder, line);
        assert_eq!(found.code, 0, "{found:?}");
        found.stdout
    };
    let file = |path: &str| format!("{}\n", sandbox.root().join(path).display());
    assert_eq!(found(&home, ""), file("p/PROJECT-MESSAGE-BUS.jsonl"));
    assert_eq!(found(&home, "--task t"), file("p/t/TASK-MESSAGE-BUS.jsonl"), "p's, not its namesake in q");
    // Elsewhere the id alone must be unambiguous.
    bus(&sandbox.work(), "--task t").fails(3, "'t' is the name of 2 tasks", "p/t, q/t");
    fs::remove_dir(sandbox.root().join("q/t")).unwrap();
    assert_eq!(found(&sandbox.work(), "--task t"), file("p/t/TASK-MESSAGE-BUS.jsonl"));
}

#[test]
fn what_cannot_be_meant_is_said_with_its_own_code() {
    let sandbox = sandbox();
    let name_it = "give --project for the bus of a project";
    sandbox.run("bus post --body x").fails(2, "no project is named", name_it);
    sandbox.run("bus read --task nowhere").fails(3, "nowhere", "run-agent list");
    sandbox.run("bus post --project q --body x").fails(3, "there is no project q", "run-agent list");
    sandbox.run("bus read --project p --task u").fails(3, "there is no task p/u", "run-agent list");
    sandbox.run("bus read --project p --after MSG-1").fails(
        3,
        "there is no message MSG-1",
        "run-agent bus read",
    );
    sandbox.run("bus post --project ../x --body x").fails(
        7,
        "'../x' is not a valid project id",
        "an id has letters",
    );
    sandbox.run("bus read --root /proc/nonexistent --project p").fails(
        3,
        "there is no root at /proc/nonexistent",
        "--root",
    );
    for (name, value, code) in [
        ("JRUN_MESSAGE_BUS", "/x/y", 2),
        ("JRUN_MESSAGE_BUS", "p/t/TASK-MESSAGE-BUS.jsonl", 2),
        ("JRUN_PROJECT_ID", "../x", 7),
    ] {
        sandbox.run_with(&[(name, value)], "bus post --body x").fails(code, name, name_it);
    }
    let json = sandbox.run("bus post --project q --body x --json");
    let error: Value = serde_json::from_str(&json.stderr).unwrap();
    assert_eq!((json.code, &error["code"], &error["error"]), (3, &json!(3), &json!("there is no project q")));
    assert!(
        !sandbox.root().join("q").exists() && !sandbox.root().join("p/PROJECT-MESSAGE-BUS.jsonl").exists()
    );
}
