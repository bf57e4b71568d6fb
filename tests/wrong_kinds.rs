//! An agent leaves a link, a folder, a pipe or a file of holes at a name of ours. It is never followed, and stops neither
//! its run, nor its task, nor the queue.

use std::{fs, os::unix::fs::symlink, path::PathBuf, process::Command};

use serde_json::{Value, json};

use crate::common::{
    Sandbox,
    daemon::{Daemon, until},
    processes,
};
use tree::paths::{RunDir, TaskDir};

const KINDS: [&str; 4] = ["link", "folder", "pipe", "sparse"];

/// The agent reads its part from a file with the name of its task: the folder, the name, the kind, and the way on.
const AGENT: &str = r#"
read -r place name kind then <"$PLAN/$JRUN_TASK_ID"
case $place in run) at=$JRUN_RUN_FOLDER/$name ;; *) at=$JRUN_TASK_FOLDER/$name ;; esac
new=$at.new
case $kind in
    link) ln -s "$PLAN/victim" "$new" ;;
    folder) mkdir "$new" && : >"$new/inside" ;;
    pipe) mkfifo "$new" ;;
    sparse) truncate -s 20G "$new" ;;
    nothing) : >"$new" ;;
esac
# The driver may write its record again in between.
until mv -fT "$new" "$at" 2>/dev/null; do rm -rf "$at"; done
: >"$PLAN/$JRUN_TASK_ID.made"
echo said
if [ "$then" = stay ]; then exec sleep 600; fi
[ "$name" = DONE ] || : >"$JRUN_TASK_FOLDER/DONE"
"#;

/// A daemon with an agent that leaves things of the wrong kind.
struct Bench {
    sandbox: Sandbox,
    daemon: Daemon,
}

/// One thing at one name, and the task of the agent that leaves it there.
#[derive(Debug, Clone)]
struct Case {
    task: String,
    place: &'static str,
    name: &'static str,
    kind: &'static str,
}

impl Bench {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let plan = sandbox.path("plan");
        fs::create_dir(&plan).unwrap();
        fs::write(plan.join("victim"), "theirs").unwrap();
        let script = sandbox.write("agent.sh", AGENT);
        let command = json!(["/bin/sh", script]);
        let more = "defaults: {restart_delay: 10ms, max_restarts: 1, stop_grace: 2s, max_concurrent_root_tasks: 6}\nwatch: {sweep: 200ms}\n";
        sandbox.configure(format!("agents: {{odd: {{type: command, command: {command}}}}}\n{more}"));
        let daemon = Daemon::start_with(&sandbox, &[("PLAN", plan.to_str().unwrap())], &[]);
        Self { sandbox, daemon }
    }

    /// Starts a task for each of these names of ours.
    fn start(&self, kind: &'static str, then: &str, names: &[(&'static str, &'static str)]) -> Vec<Case> {
        let cases: Vec<Case> = names
            .iter()
            .map(|(place, name)| {
                let task = format!("{place}-{}", name.replace('.', "-"));
                Case { task, place, name, kind }
            })
            .collect();
        for case in &cases {
            let line = format!("{} {} {kind} {then}\n", case.place, case.name);
            fs::write(self.plan(&case.task), line).unwrap();
            self.daemon.create(&case.task, "odd");
        }
        cases
    }

    fn plan(&self, name: &str) -> PathBuf {
        self.sandbox.path("plan").join(name)
    }

    fn folder(&self, case: &Case) -> PathBuf {
        self.sandbox.root().join("p").join(&case.task)
    }

    fn status(&self, case: &Case) -> String {
        self.daemon.task(&case.task)["status"].as_str().unwrap_or_default().to_owned()
    }

    fn is_over(&self, case: &Case) -> bool {
        !matches!(self.status(case).as_str(), "queued" | "running" | "blocked" | "")
    }

    /// Deletes the tasks, and checks that nothing was followed.
    fn delete(&self, cases: &[Case]) {
        for case in cases {
            let path = format!("/api/projects/p/tasks/{}", case.task);
            let mut answer = self.daemon.send("DELETE", &path, "", "");
            // The driver lets go of the task a moment after its end is shown.
            until(&format!("{case:?} is deleted: {answer:?}"), || {
                if answer.status == 409 {
                    answer = self.daemon.send("DELETE", &path, "", "");
                }
                answer.status != 409
            });
            assert!(answer.status < 300, "{case:?}: {answer:?}");
            assert!(!self.folder(case).exists(), "{case:?}");
        }
        let kinds: Vec<&str> = cases.iter().map(|case| case.kind).collect();
        assert_eq!(fs::read_to_string(self.plan("victim")).unwrap(), "theirs", "{kinds:?}");
    }
}

/// Every name of a file of ours.
fn names() -> Vec<(&'static str, &'static str)> {
    let of_run = RunDir::NAMES.iter().filter(|name| **name != "git").map(|name| ("run", *name));
    let of_task = TaskDir::NAMES.iter().filter(|name| **name != "runs").map(|name| ("task", *name));
    of_run.chain(of_task).collect()
}

#[track_caller]
fn ends_whatever_is_there(kind: &'static str) {
    let bench = Bench::new();
    let cases = bench.start(kind, "end", &names());
    for case in &cases {
        until(&format!("{case:?} is over"), || bench.is_over(case));
        // Without a DONE that is a file, the task is restarted, and fails after its last restart.
        let expected = if case.name == "DONE" { "failed" } else { "completed" };
        let task = bench.daemon.task(&case.task);
        assert_eq!(task["status"], expected, "{case:?}: {task}");
        for run in task["runs"].as_array().unwrap() {
            assert_eq!(run["status"], "success", "{case:?}: {run}");
        }
        let run = task["runs"][0]["run_id"].as_str().unwrap();
        let folder = bench.folder(case).join("runs").join(run);
        let record = fs::read_to_string(folder.join("run-info.yaml")).unwrap();
        assert!(
            record.contains(&format!("{} ", case.name)) && record.contains("counts as absent"),
            "{case:?}: {record}"
        );
        if case.name != "agent-stdout.txt" {
            assert_eq!(fs::read_to_string(folder.join("output.md")).unwrap(), "said\n", "{case:?}");
        }
    }
    let checked = bench.sandbox.run("fsck --json").stdout;
    let findings: Value = serde_json::from_str(&checked).unwrap_or_else(|e| panic!("{e}: {checked}"));
    for case in &cases {
        let named = |finding: &Value| {
            let path = finding["path"].as_str().unwrap_or_default();
            path.contains(&format!("/{}/", case.task)) && path.contains(&format!("/{}", case.name))
        };
        let findings = findings["findings"].as_array().unwrap();
        assert!(findings.iter().any(named), "{case:?}: {findings:?}");
    }
    bench.delete(&cases);
}

#[test]
fn heavy_a_link_at_a_name_of_ours_stops_nothing() {
    ends_whatever_is_there("link");
}

#[test]
fn heavy_a_folder_at_a_name_of_ours_stops_nothing() {
    ends_whatever_is_there("folder");
}

#[test]
fn heavy_a_pipe_at_a_name_of_ours_stops_nothing() {
    ends_whatever_is_there("pipe");
}

#[test]
fn heavy_a_file_of_holes_at_a_name_of_ours_stops_nothing() {
    ends_whatever_is_there("sparse");
}

/// The names that a stop has to do with.
const STOPPING: [(&str, &str); 12] = [
    ("task", "STOP"),
    ("task", "DONE"),
    ("task", "task.lock"),
    ("task", "TASK-END.yaml"),
    ("task", "TASK-CONFIG.yaml"),
    ("task", "TASK-MESSAGE-BUS.jsonl"),
    ("run", "run-info.yaml"),
    ("run", "claim.json"),
    ("run", "exit.json"),
    ("run", "inbox.jsonl"),
    ("run", "output.md"),
    ("run", "run.lock"),
];

#[test]
fn heavy_a_stop_works_whatever_the_agent_leaves() {
    let bench = Bench::new();
    for kind in KINDS {
        let cases = bench.start(kind, "stay", &STOPPING);
        for case in &cases {
            until(&format!("{case:?} is made"), || bench.plan(&format!("{}.made", case.task)).exists());
            fs::remove_file(bench.plan(&format!("{}.made", case.task))).unwrap();
            let stopped =
                bench.daemon.send("DELETE", &format!("/api/v1/tasks/{}?project_id=p", case.task), "", "");
            assert!(stopped.status < 300, "{case:?}: {stopped:?}");
            until(&format!("{case:?} is over"), || bench.is_over(case));
            assert_eq!(bench.status(case), "stopped", "{case:?}");
        }
        bench.delete(&cases);
    }
}

#[test]
fn a_task_that_cannot_be_read_hides_no_other() {
    let bench = Bench::new();
    let cases = bench.start("nothing", "end", &[("task", "a"), ("task", "b"), ("task", "c"), ("task", "d")]);
    for case in &cases {
        until(&format!("{case:?} is over"), || bench.is_over(case));
    }
    let odd = |name: &str| bench.folder(&cases[0]).with_file_name(name);
    // A marker, the folder of the runs, and the folder of a project.
    fs::remove_file(odd("task-a").join("DONE")).unwrap();
    symlink("/etc/hostname", odd("task-a").join("DONE")).unwrap();
    fs::rename(odd("task-b").join("runs"), odd("task-b").join("other")).unwrap();
    symlink("other", odd("task-b").join("runs")).unwrap();
    fs::rename(odd("task-c").join("runs"), odd("task-c").join("other")).unwrap();
    fs::write(odd("task-c").join("runs"), "").unwrap();
    let listed = bench.sandbox.run("list --json");
    assert_eq!(listed.code, 0, "{listed:?}");
    let rows: Value = serde_json::from_str(&listed.stdout).unwrap();
    let row = |name: &str| rows.as_array().unwrap().iter().find(|row| row["task_id"] == name).cloned();
    for (name, why) in
        [("task-a", "DONE is a symbolic link"), ("task-b", "task-b/runs"), ("task-c", "task-c/runs")]
    {
        let row = row(name).unwrap_or_else(|| panic!("{name} is not listed: {rows}"));
        assert_eq!((&row["status"], &row["unreadable"]), (&json!("failed"), &json!(true)), "{row}");
        assert!(row["errors"].to_string().contains(why), "{row}");
        until(&format!("HTTP lists {name}"), || {
            let task = bench.daemon.task(name);
            task["status"] == "failed" && task["unreadable"] == json!(true)
        });
        assert!(bench.daemon.task(name)["reason"].as_str().unwrap().contains(why));
        assert!(bench.daemon.get("/api/projects/p/tasks").body.contains(&format!("\"{name}\"")));
    }
    assert_eq!(row("task-d").unwrap()["status"], "completed");
    assert!(row("task-d").unwrap()["unreadable"].is_null());
    assert_eq!(bench.sandbox.run("drive --all").code, 0, "there is nothing to drive");
    // A new daemon starts with it, too.
    let Bench { sandbox, daemon } = bench;
    daemon.kill();
    let daemon = Daemon::start(&sandbox, &[]);
    assert_eq!(daemon.task("task-b")["unreadable"], json!(true));
    daemon.create("more", "odd");
}

#[test]
fn what_could_not_be_driven_is_an_exit_code() {
    let sandbox = Sandbox::new();
    sandbox.run("job --project p --task t --prompt x -- true");
    let ticket = sandbox.root().join("_planner/live/00000000000000000099.yaml");
    symlink("/etc/hostname", &ticket).unwrap();
    let driven = sandbox.run("drive --all");
    assert_ne!(driven.code, 0, "{driven:?}");
    assert!(driven.stderr.contains("99.yaml"), "{driven:?}");
}

/// The processes of an agent that notes its pid.
fn staying(sandbox: &Sandbox) -> (crate::common::job::Job, i32) {
    let job = sandbox.job_of(&[], &["sh", "-c", "echo $$ >pid; exec sleep 600"]);
    let pid = processes::until("the agent", || {
        fs::read_to_string(sandbox.work().join("pid")).ok()?.trim().parse().ok()
    });
    job.runs();
    (job, pid)
}

#[test]
fn an_agent_ends_when_its_folder_is_removed() {
    for of in ["run", "task", "project"] {
        let sandbox = Sandbox::new();
        let (mut job, agent) = staying(&sandbox);
        let run = job.run_folder();
        let folder = match of {
            "run" => run,
            "task" => job.task_folder(),
            _ => job.task_folder().parent().unwrap().to_owned(),
        };
        // As `rm -rf` would, again if the agent or its driver writes meanwhile.
        processes::until_true("the folder is removed", || {
            fs::remove_dir_all(&folder).is_ok() || !folder.exists()
        });
        processes::until_true(of, || !processes::is_alive(agent));
        assert_ne!(job.wait(), 0, "{of}");
        let tickets = fs::read_dir(sandbox.root().join("_planner/live")).unwrap().flatten();
        assert_eq!(tickets.count(), 0, "the ticket of the {of}'s task is given up");
        assert!(!folder.exists(), "{of}: nothing makes the folder again");
    }
}

/// A root on a file system with few inodes, mounted for a test.
struct FewInodes(PathBuf);

impl FewInodes {
    fn mount(sandbox: &Sandbox) -> Option<Self> {
        let (image, at) = (sandbox.write("image", ""), sandbox.root());
        fs::File::options().write(true).open(&image).unwrap().set_len(8 << 20).unwrap();
        fs::create_dir_all(&at).unwrap();
        let works = |command: &mut Command| command.output().is_ok_and(|o| o.status.success());
        let made = works(Command::new("/sbin/mkfs.ext4").args(["-q", "-N", "128"]).arg(&image));
        if made && works(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&at)) {
            return Some(Self(at));
        }
        crate::common::skipped("no file system may be mounted here");
        None
    }

    /// Uses up the inodes.
    fn fill(&self) {
        fs::create_dir(self.0.join("_fill")).unwrap();
        for n in 0.. {
            if fs::write(self.0.join(format!("_fill/{n}")), "").is_err() {
                return;
            }
        }
    }
}

impl Drop for FewInodes {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_stop_needs_no_inode() {
    let sandbox = Sandbox::new();
    let Some(disk) = FewInodes::mount(&sandbox) else { return };
    let (mut job, agent) = staying(&sandbox);
    disk.fill();
    let stopped =
        sandbox.run(&format!("stop p/{} --no-wait", job.task_folder().file_name().unwrap().display()));
    assert_eq!(stopped.code, 0, "{stopped:?}");
    processes::until_true("the agent is stopped", || !processes::is_alive(agent));
    // Its end is recorded as soon as there is room, by the next driver at the latest.
    job.wait();
    fs::remove_dir_all(disk.0.join("_fill")).unwrap();
    sandbox.run("drive --all");
    let record = fs::read_to_string(job.run_folder().join("run-info.yaml")).unwrap();
    assert!(record.contains("status: stopped"), "{record}");
    assert!(job.task_folder().join("STOP").exists());
}

#[test]
fn a_daemon_starts_without_an_inode() {
    let sandbox = Sandbox::new();
    let Some(disk) = FewInodes::mount(&sandbox) else { return };
    let daemon = Daemon::start(&sandbox, &[]);
    disk.fill();
    daemon.kill();
    let daemon = Daemon::start(&sandbox, &[]);
    assert_eq!(daemon.get("/api/v1/tasks").status, 200);
    let record = disk.0.join("_daemon/daemon.yaml");
    // The record of the killed daemon makes room for that of the new one.
    assert!(fs::read_to_string(&record).unwrap().contains(&format!(":{}", daemon.port)));
    // Without any record to replace, it is written as soon as there is room.
    daemon.kill();
    fs::remove_file(&record).unwrap();
    fs::write(disk.0.join("_fill/last"), "").unwrap();
    let daemon = Daemon::start(&sandbox, &[]);
    assert!(!record.exists());
    fs::remove_dir_all(disk.0.join("_fill")).unwrap();
    until("the address is written", || {
        fs::read_to_string(&record).is_ok_and(|text| text.contains(&format!(":{}", daemon.port)))
    });
}

#[test]
fn an_agent_that_freezes_its_shim_is_stopped_all_the_same() {
    for freeze in ["kill -STOP $PPID", "while :; do kill -STOP $PPID; done &"] {
        let sandbox = Sandbox::new();
        sandbox.configure("defaults: {stop_grace: 1s}\n");
        let script = format!("trap '' TERM; {freeze}\necho $$ >pid; while :; do sleep 1; done");
        let mut job = sandbox.job_of(&[], &["sh", "-c", &script]);
        let agent = processes::until("the agent", || {
            fs::read_to_string(sandbox.work().join("pid")).ok()?.trim().parse().ok()
        });
        job.runs();
        job.stop();
        assert_eq!(job.wait(), 130, "{freeze}");
        assert!(!processes::is_alive(agent), "{freeze}");
        let record = job.read("run-info.yaml");
        assert!(record.contains("status: stopped"), "{freeze}: {record}");
        assert_eq!(job.processes().len(), 0, "{freeze}");
    }
}

#[test]
fn a_stop_in_the_inbox_stops_the_loop() {
    let sandbox = Sandbox::new();
    let script =
        "echo $$ >pid; echo '{\"type\":\"stop\"}' >>\"$JRUN_RUN_FOLDER/inbox.jsonl\"; exec sleep 600";
    let mut task =
        sandbox.command(["task", "--project", "p", "--task", "t", "--prompt", "x", "--", "sh", "-c", script]);
    let ended = crate::common::outcome(&mut task);
    assert_eq!(ended.code, 130, "{ended:?}");
    assert!(ended.stderr.contains("stopped on request"), "{ended:?}");
    assert_eq!(fs::read_dir(sandbox.root().join("p/t/runs")).unwrap().count(), 1);
}
