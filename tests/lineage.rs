//! Child tasks: the run that starts one must be live, and an agent that starts itself ends at the deepest level. For every
//! way in.

use std::{
    fs,
    process::{Child, Command},
};

use base::clock::Clock;
use engine::runner::DEEPEST;
use process::{claim::Claim, identity::ProcStat};
use serde_json::{Value, json};
use tree::{ids::RunId, refs::RunRef};

use crate::common::{
    Outcome,
    daemon::Daemon,
    outcome,
    tasks::{Bench, until},
    words,
};

const CONFIG: &str = "\
defaults: {agent: quick, max_restarts: 0, restart_delay: 10ms}
agents:
  quick: {type: command, command: [sh, -c, 'touch \"$JRUN_TASK_FOLDER/DONE\"']}
  again: {type: command, command: [sh, -c, 'run-agent job --project p --agent again --prompt again 2>>\"$HOME/errors\"; echo $? >>\"$HOME/codes\"']}
";
const UNKNOWN: &str = "20260101-0000000000-1-0001";
const TOO_DEEP: &str = "its task is 16 levels below a root task, and none may be deeper";

/// A chain of runs, the deepest of which is live: its agent is a process of the test.
struct Family {
    runs: Vec<RunRef>,
    agent: Child,
}

impl Family {
    /// A root task and one child below another, down to `level`.
    fn new(bench: &Bench, level: usize) -> Self {
        let agent = Command::new("sleep").arg("120").spawn().unwrap();
        let run_of = |n: usize| {
            let id: RunId = format!("20260205-1000000000-{level}-{n:04}").parse().unwrap();
            Bench::named(&format!("family-{level}-{n}")).run(id)
        };
        let runs: Vec<RunRef> = (0..=level).map(run_of).collect();
        for (n, run) in runs.iter().enumerate() {
            let parent = n.checked_sub(1).map(|above| runs[above].run.clone());
            let status = if n == level { "running" } else { "completed" };
            let info = json!({
                "version": 1, "run_id": run.run, "project_id": "p", "task_id": run.task.task, "status": status,
                "agent": "quick", "agent_type": "command", "executor": "local", "attempt": 1,
                "start_time": "2026-02-05T10:00:00Z", "parent_run_id": parent,
                "prompt_path": "", "output_path": "", "stdout_path": "", "stderr_path": "",
            });
            let root = bench.tree.root();
            root.ensure_dir(run.dir().path()).unwrap();
            root.replace(&run.dir().info(), info.to_string().as_bytes()).unwrap();
        }
        let pid = i32::try_from(agent.id()).unwrap();
        let claim = Claim::by_shim(ProcStat::of(pid).unwrap().id, None, Clock::System.now());
        // The test outlives the run, and is no shim of it.
        let claim = Claim { shim: None, ..claim };
        claim.publish(bench.tree.root(), runs[level].dir().path()).unwrap();
        Self { runs, agent }
    }

    fn live(&self) -> &RunRef {
        self.runs.last().unwrap()
    }

    fn ended(&self) -> &RunRef {
        &self.runs[0]
    }
}

impl Drop for Family {
    fn drop(&mut self) {
        self.agent.kill().unwrap();
        self.agent.wait().unwrap();
    }
}

/// A command line as an agent of a run gives it.
fn by_agent(bench: &Bench, run: &RunRef, line: &str) -> Outcome {
    let folder = bench.tree.root().absolute(run.task.dir().path());
    let mut command = bench.sandbox.command(words(line));
    outcome(command.env("JRUN_ID", run.run.as_str()).env("JRUN_TASK_FOLDER", folder))
}

fn bench() -> Bench {
    let bench = Bench::new();
    bench.sandbox.configure(CONFIG);
    bench
}

/// Every command that starts a task, each with the task that it makes.
const COMMANDS: [(&str, &str); 7] = [
    ("job --project p --task by-job --prompt x", "by-job"),
    ("task --project p --task by-task --prompt x", "by-task"),
    ("job batch --project p --task by-batch --prompt x", "by-batch"),
    ("monitor TODO.md --project p --job", "todo-by-monitor"),
    ("server job submit --project p --task by-submit --prompt x --wait", "by-submit"),
    ("server job submit-batch jobs.jsonl --project p --wait", "by-submit-batch"),
    ("wrap --project p --task by-wrap --agent quick", "by-wrap"),
];

/// The task of an item of a list is named after the item.
fn made(bench: &Bench, task: &str) -> Vec<Option<RunId>> {
    let prefix = |name: &str| name == task || (task == "todo-by-monitor" && name.contains("by-monitor"));
    let tasks = bench.tree.tasks(&"p".parse().unwrap()).unwrap();
    let tasks = tasks.iter().filter(|name| prefix(name.as_str()));
    tasks.flat_map(|name| bench.runs(name.as_str())).map(|run| run.parent_run_id).collect()
}

#[test]
fn each_command_starts_a_child_of_a_live_run_and_of_no_other() {
    let bench = bench();
    bench.sandbox.write("work/TODO.md", "- [ ] by monitor\n");
    bench.sandbox.write("work/jobs.jsonl", "{\"prompt\": \"x\", \"task_id\": \"by-submit-batch\"}\n");
    let (deep, deepest) = (Family::new(&bench, DEEPEST - 1), Family::new(&bench, DEEPEST));
    let _daemon = Daemon::start(&bench.sandbox, &[]);
    let unknown = deep.live().task.run(UNKNOWN.parse().unwrap());
    for (line, task) in COMMANDS {
        let refused = by_agent(&bench, deepest.live(), line);
        assert!(refused.code == 16 && refused.stderr.contains(TOO_DEEP), "{line}: {refused:?}");
        assert_eq!(made(&bench, task), [], "{line}");
        // An agent at the terminal is never kept from its work by what cannot be recorded.
        if !line.starts_with("wrap") {
            for (run, problem) in [(deep.ended(), "it has ended"), (&unknown, "this run does not exist")] {
                let refused = by_agent(&bench, run, line);
                assert!(refused.code == 16 && refused.stderr.contains(problem), "{line}: {refused:?}");
                assert_eq!(made(&bench, task), [], "{line}");
            }
        }
        let accepted = by_agent(&bench, deep.live(), line);
        assert_eq!(accepted.code, 0, "{line}: {accepted:?}");
        assert_eq!(made(&bench, task), [Some(deep.live().run.clone())], "{line}");
    }
    // An agent that works on a tree of its own starts a root task there.
    let elsewhere = by_agent(&bench, deepest.live(), "job --root ../other --project p --prompt x");
    assert_eq!(elsewhere.code, 0, "{elsewhere:?}");
    let named = format!("job --project p --task named --prompt x --parent-run-id {UNKNOWN}");
    bench.run(&named).fails(16, "this run does not exist in this tree", "--parent-run-id");
}

#[test]
fn each_route_takes_a_live_run_as_the_parent_and_no_other() {
    let bench = bench();
    let (deep, deepest) = (Family::new(&bench, DEEPEST - 1), Family::new(&bench, DEEPEST));
    let daemon = Daemon::start(&bench.sandbox, &[]);
    daemon.create("old", "quick");
    until("the old task has ended", || daemon.task("old")["status"] != "running");
    let post = |task: &str, mode: &str, parent: &str| {
        let (status, body) = {
            let answer = daemon.post(
                "/api/v1/tasks",
                &json!({
                    "project_id": "p", "task_id": task, "agent_type": "quick", "prompt": "x",
                    "attach_mode": mode, "parent_run_id": parent,
                }),
            );
            (answer.status, answer.json())
        };
        (status, body["error"].as_str().unwrap_or_default().to_owned())
    };
    for (task, mode) in [("new", "create"), ("new", "attach"), ("new", "resume"), ("old", "resume")] {
        for (parent, problem) in [
            (UNKNOWN, "this run does not exist in this tree"),
            (deep.ended().run.as_str(), "it has ended"),
            (deepest.live().run.as_str(), TOO_DEEP),
        ] {
            let (status, error) = post(task, mode, parent);
            assert!(status == 400 && error.contains(problem), "{task} {mode} {parent}: {status} {error}");
        }
    }
    assert_eq!((bench.runs("new").len(), bench.runs("old").len()), (0, 1));
    let parent = deep.live().run.as_str();
    assert_eq!(post("new", "create", parent), (201, String::new()));
    assert_eq!(post("old", "resume", parent), (201, String::new()));
    for task in ["new", "old"] {
        let run = bench.runs(task).pop().unwrap();
        assert_eq!(run.parent_run_id.as_ref().map(RunId::as_str), Some(parent), "{task}");
    }
}

#[test]
fn a_child_that_outlives_its_parent_is_resumed_as_a_root() {
    let bench = bench();
    let family = Family::new(&bench, 1);
    let submit = "job --project p --task child --agent command --prompt x -- false";
    assert_eq!(by_agent(&bench, family.live(), submit).code, 1);
    assert_eq!(by_agent(&bench, family.live(), "resume p/child").code, 1);
    let daemon = Daemon::start(&bench.sandbox, &[]);
    assert_eq!(daemon.post("/api/projects/p/tasks/child/resume", &Value::Null).status, 200);
    until("it has ended", || daemon.task("child")["status"] == "failed");
    let parent = family.live().run.clone();
    drop(family);
    let resumed = daemon.post("/api/projects/p/tasks/child/resume", &Value::Null);
    assert_eq!(resumed.status, 200, "{resumed:?}");
    let parents: Vec<_> = bench.runs("child").into_iter().map(|run| run.parent_run_id).collect();
    assert_eq!(parents, [Some(parent.clone()), Some(parent.clone()), Some(parent), None]);
}

#[test]
fn an_agent_that_starts_itself_ends_at_the_deepest_level() {
    let bench = bench();
    let first = bench.run("job --project p --agent again --prompt again");
    assert_eq!(first.code, 0, "{first:?}");
    assert_eq!(bench.tree.tasks(&"p".parse().unwrap()).unwrap().len(), DEEPEST + 1);
    let codes = fs::read_to_string(bench.sandbox.home().join("codes")).unwrap();
    assert_eq!(codes, format!("16\n{}", "0\n".repeat(DEEPEST)));
    let errors = fs::read_to_string(bench.sandbox.home().join("errors")).unwrap();
    assert_eq!(errors.matches(TOO_DEEP).count(), 1, "{errors}");
}
