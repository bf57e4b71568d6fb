//! Bad input and faults of the machine: one clear error, a hint, an exit code of its own, and nothing lost.

use std::{fs, path::PathBuf, process::Command};

use crate::common::Sandbox;

#[test]
fn a_name_that_is_no_id_is_refused_before_anything_is_made() {
    let sandbox = Sandbox::new();
    let long = "a".repeat(129);
    for (bad, problem) in
        [("..", "only letters"), ("a/b", "only letters"), ("_planner", "starts with"), (long.as_str(), "128")]
    {
        for flag in ["--project", "--task"] {
            let outcome = sandbox.run(&format!("job {flag} {bad} --prompt x -- true"));
            outcome.fails(7, problem, "an id has letters");
        }
    }
    assert!(!sandbox.root().exists(), "nothing was made");
}

#[test]
fn an_option_that_is_a_setting_is_said_to_be_one() {
    let sandbox = Sandbox::new();
    for line in ["task --prompt x --max-cost-usd 5 -- true", "job --max-cost-usd=5 --prompt x -- true"] {
        sandbox.run(line).fails(2, "max_cost_usd is a setting of a task", "--config-key max_cost_usd=VALUE");
    }
    // clap's own suggestion stays for other words.
    let near = sandbox.run("task --prompt x --max-restart 5 -- true");
    assert!(near.code == 2 && near.stderr.contains("'--max-restarts'"), "{near:?}");
    let help = sandbox.run("task --help").stdout;
    assert!(help.contains("max_cost_usd=5") && help.contains("run-agent config show"), "{help}");
}

#[test]
fn a_root_that_cannot_be_used_is_said() {
    let sandbox = Sandbox::new();
    let file = sandbox.write("file", "x");
    for root in [file.as_path(), file.join("below").as_path(), "/proc/no-such-folder".as_ref()] {
        let outcome = sandbox.run(&format!("job --root '{}' --prompt x -- true", root.display()));
        outcome.fails(8, &root.display().to_string(), "--root");
    }
}

/// A file system of 512 KiB, unmounted with the test.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: PathBuf) -> Option<Self> {
        fs::create_dir_all(&at).ok()?;
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=512k", "none"]).arg(&at).output().ok()?;
        mounted.status.success().then_some(Self(at))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

#[test]
fn a_full_disk_is_said_and_loses_nothing() {
    let sandbox = Sandbox::new();
    let Some(disk) = SmallDisk::mount(sandbox.home().join("small")) else {
        println!("skipped: this machine lets us mount nothing");
        return;
    };
    let root = disk.0.display();
    assert_eq!(
        sandbox.run(&format!("job --root '{root}' --project p --task before --prompt x -- true")).code,
        0
    );
    let posted = sandbox.run(&format!("bus post --root '{root}' --project p --task before --body kept"));
    assert_eq!(posted.code, 0, "{posted:?}");
    let bus = disk.0.join("p/before/TASK-MESSAGE-BUS.jsonl");
    let before = fs::read(&bus).expect("a bus");

    fs::write(disk.0.join("filler"), vec![0; 1 << 20]).expect_err("the disk is full now");
    let job = sandbox.run(&format!("job --root '{root}' --project p --task after --prompt x -- true"));
    job.fails(9, "", "make room");
    let body = "x".repeat(8000);
    let post = sandbox.run(&format!("bus post --root '{root}' --project p --task before --body {body}"));
    post.fails(9, "TASK-MESSAGE-BUS.jsonl", "make room");
    assert_eq!(fs::read(&bus).expect("a bus"), before, "the bus is as it was");

    fs::remove_file(disk.0.join("filler")).expect("removed");
    let again = sandbox.run(&format!("job --root '{root}' --project p --task after --prompt x -- true"));
    assert_eq!(again.code, 0, "what was refused can be asked for again: {again:?}");
}

#[test]
fn an_agent_that_is_not_there_is_said_at_once() {
    let sandbox = Sandbox::new();
    sandbox.run("job --agent nobody --prompt x").fails(10, "'nobody'", "config show");
    sandbox.run("job --prompt x -- no-such-program").fails(11, "no-such-program", "install");
    let work = sandbox.work().join("no-such").display().to_string();
    sandbox.run("job --prompt x -- ./no-such").fails(11, "'./no-such'", &work);
    let script = sandbox.write("work/script", "#!/bin/sh\n");
    sandbox.run(&format!("job --prompt x -- '{}'", script.display())).fails(11, "not executable", "");
    sandbox.run("job --prompt x --cwd /no/such/folder -- true").fails(3, "/no/such/folder", "--cwd");
    for time in ["soon", "30"] {
        let refused = sandbox.run(&format!("job --prompt x --timeout {time} -- true"));
        assert!(refused.code == 2 && refused.stderr.contains("--timeout"), "{refused:?}");
        assert_eq!(refused.stderr.contains("write 30s, 30m, 30h or 30d"), time == "30", "{refused:?}");
    }
    assert!(!sandbox.root().join("work").exists(), "nothing was made");
}

#[test]
fn a_record_that_cannot_be_read_is_named_and_hides_nothing_else() {
    for (text, code, error) in [
        ("", 14, "is empty"),
        ("version: 1\nrun_id: [", 14, "not readable"),
        ("version: 1\n", 14, "run_id"),
        ("version: 9\nrun_id: x\n", 15, "version 9"),
    ] {
        let sandbox = Sandbox::new();
        for task in ["good", "bad"] {
            assert_eq!(sandbox.run(&format!("job --project p --task {task} --prompt x -- true")).code, 0);
        }
        let runs = fs::read_dir(sandbox.root().join("p/bad/runs")).expect("runs");
        let info = runs.flatten().next().expect("a run").path().join("run-info.yaml");
        fs::write(&info, text).expect("written");
        let outcome = sandbox.run("output p/bad --file stdout --follow");
        outcome.fails(code, error, "left unchanged");
        assert_eq!(fs::read_to_string(&info).expect("still there"), text);
        let listed = sandbox.run("list");
        assert_eq!(listed.code, 0, "{listed:?}");
        assert!(listed.stdout.contains("p/good") && listed.stdout.contains("p/bad"), "{listed:?}");
        assert!(listed.stderr.contains("run-info.yaml"), "{listed:?}");
    }
}

#[test]
fn a_line_that_is_no_message_is_passed_over() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.run("job --project p --task t --prompt x -- true").code, 0);
    let bus = sandbox.root().join("p/t/TASK-MESSAGE-BUS.jsonl");
    let text = fs::read_to_string(&bus).expect("a bus");
    fs::write(&bus, format!("not JSON\n{text}[1]\n")).expect("written");
    let read = sandbox.run("bus read --project p --task t");
    assert_eq!(read.code, 0, "{read:?}");
    assert!(read.stdout.contains("RUN_START") && read.stdout.contains("RUN_STOP"), "{read:?}");
}

#[test]
fn a_task_that_exists_is_not_overwritten() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.run("job --project p --task t --prompt first -- true").code, 0);
    sandbox.run("job --project p --task t --prompt second -- true").fails(4, "p/t", "");
    let prompt = fs::read_to_string(sandbox.root().join("p/t/TASK.md")).expect("a prompt");
    assert_eq!(prompt, "first");
}
