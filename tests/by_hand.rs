//! Tasks that a user makes with an editor and a shell: docs/by-hand.md.

use std::{fs, process::Command};

use serde_json::json;

use crate::common::{
    Sandbox,
    daemon::{Daemon, until},
    outcome,
};

#[test]
fn a_prompt_that_is_there_is_taken_and_never_replaced() {
    let sandbox = Sandbox::new();
    let prompt = sandbox.root().join("p/t/TASK.md");
    fs::create_dir_all(prompt.parent().unwrap()).unwrap();
    fs::write(&prompt, "written by hand\n").unwrap();
    let call = |verb: &str, words: &[&str]| {
        let agent = ["--", "sh", "-c", r#"cat "$JRUN_RUN_FOLDER/prompt.md"; touch "$JRUN_TASK_FOLDER/DONE""#];
        let all = [&[verb, "--project", "p"], words, &agent].concat();
        outcome(&mut sandbox.command(all))
    };

    for verb in ["task", "job"] {
        let refused = call(verb, &["--task", "t", "--prompt", "other"]);
        assert_eq!(refused.code, 4, "{refused:?}");
        assert!(refused.stderr.contains("TASK.md exists, and has another prompt"), "{refused:?}");
        assert!(refused.stderr.contains("hint: omit the prompt"), "{refused:?}");
    }
    let daemon = Daemon::start(&sandbox, &[]);
    let new = json!({"project_id": "p", "task_id": "t", "agent_type": "demo", "prompt": "other"});
    assert_eq!(daemon.post("/api/v1/tasks", &new).status, 409);
    daemon.kill();
    assert_eq!(fs::read_to_string(&prompt).unwrap(), "written by hand\n");
    assert_eq!(fs::read_dir(prompt.parent().unwrap()).unwrap().count(), 1, "nothing was added");

    let taken = call("task", &["--task", "t"]);
    assert_eq!(taken.code, 0, "{taken:?}");
    assert!(taken.stdout.contains("written by hand"), "{taken:?}");
    assert_eq!(fs::read_to_string(&prompt).unwrap(), "written by hand\n");

    // The same prompt is no contradiction.
    let same = sandbox.root().join("p/same/TASK.md");
    fs::create_dir_all(same.parent().unwrap()).unwrap();
    fs::write(&same, "go").unwrap();
    assert_eq!(call("job", &["--task", "same", "--prompt", "go"]).code, 0);

    let missing = call("task", &["--task", "missing"]);
    assert_eq!(missing.code, 2, "{missing:?}");
    assert!(missing.stderr.contains("p/missing/TASK.md first"), "{missing:?}");
    assert!(!sandbox.root().join("p/missing").exists());
    assert_eq!(call("task", &[]).code, 2, "neither a prompt nor a name");
}

#[test]
fn the_ticket_of_the_document_is_driven() {
    let document = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/by-hand.md")).unwrap();
    let script = document.split("```bash\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let sandbox = Sandbox::new();
    let make = |task: &str| {
        let script = format!("set -eu\n{}", script.replace("task=by-hand", &format!("task={task}")));
        let mut bash = Command::new("bash");
        bash.args(["-c", &script]).current_dir(sandbox.work());
        bash.env("CONDUCTOR_ROOT", sandbox.root()).env("HOME", sandbox.home());
        let made = outcome(&mut bash);
        assert_eq!((made.code, made.stderr.as_str()), (0, ""), "{made:?}");
    };
    make("one");
    make("two");
    let driven = outcome(&mut sandbox.command(["drive", "--all"]));
    assert_eq!(driven.code, 0, "{driven:?}");
    for task in ["one", "two"] {
        let shown = outcome(&mut sandbox.command(["why", &format!("demo/{task}")]));
        assert!(shown.stdout.contains("completed"), "{shown:?}");
    }
    let daemon = Daemon::start(&sandbox, &[]);
    make("three");
    until("it has completed", || {
        let task = daemon.get("/api/projects/demo/tasks/three");
        task.status == 200 && task.json()["status"] == "completed"
    });
    daemon.kill();
    let checked = outcome(&mut sandbox.command(["fsck"]));
    assert_eq!(checked.code, 0, "{checked:?}");
}
