//! The loop of a task by hand: the real binary, with shell scripts as agents and no daemon.

use crate::common::tasks;

use std::{
    fs,
    process::{Command, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tasks::{Bench, DONE, Driver, UNTIL_GO, until};
use tree::{run_info::RunStatus, task_end::EndStatus};

/// An agent that makes DONE in its third attempt.
const THREE: &str = "[ $(ls \"$JRUN_RUNS_DIR\" | wc -l) -lt 3 ] || touch \"$JRUN_TASK_FOLDER\"/DONE";

#[test]
fn a_task_is_started_again_until_it_is_done() {
    let bench = Bench::new();
    let answer = bench.task("t", "", THREE);
    assert_eq!(answer.ended(), (0, "completed", "the agent said DONE"), "{answer:?}");
    let runs = bench.runs("t");
    assert_eq!(runs.iter().map(|r| r.attempt).collect::<Vec<_>>(), [1, 2, 3]);
    for pair in runs.windows(2) {
        assert_eq!(pair[1].previous_run_id.as_ref(), Some(&pair[0].run_id));
        let prompt = fs::read_to_string(&pair[1].prompt_path).unwrap();
        assert!(prompt.contains("\nContinue working on the following:\n\ndo it\n"), "{prompt}");
        assert!(
            prompt.contains(&format!("run `{}` (attempt {})", pair[0].run_id, pair[0].attempt)),
            "{prompt}"
        );
    }
    bench.nothing_is_missing_or_doubled("t");
    assert_eq!((bench.posts(Some("t"), "TASK_DONE"), bench.posts(None, "FACT")), (1, 1));
    assert!(bench.why("t").contains("completed"), "{}", bench.why("t"));
}

#[test]
fn a_job_is_run_once() {
    let bench = Bench::new();
    let outcome = crate::common::outcome(&mut bench.command("job", "j", "", "echo hello"));
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!((bench.runs("j").len(), bench.posts(None, "FACT")), (1, 0));
}

#[test]
fn restarts_that_are_used_up_fail_the_task_with_one_error() {
    let bench = Bench::new();
    let answer = bench.task("t", "--max-restarts 2", "echo oh >&2; exit 3");
    let (code, status, reason) = answer.ended();
    assert_eq!((code, status), (1, "failed"));
    assert!(reason.starts_with("it was restarted 2 times and is not done"), "{reason}");
    assert_eq!((bench.runs("t").len(), bench.posts(Some("t"), "ERROR")), (3, 1));
    bench.nothing_is_missing_or_doubled("t");
    assert!(bench.why("t").contains("failed at"), "{}", bench.why("t"));
}

#[test]
fn the_delay_doubles_while_runs_fail_quickly() {
    let bench = Bench::new();
    let flags = "--max-restarts 3 --restart-delay 100ms --config-key restart_delay_max=250ms";
    let outcome = crate::common::outcome(&mut bench.command("task", "t", flags, "exit 3"));
    assert_eq!(outcome.code, 1, "{outcome:?}");
    let runs = bench.runs("t");
    let pauses = runs.windows(2).map(|p| (p[1].start_time - p[0].end_time.unwrap()).num_milliseconds());
    for (pause, least) in pauses.zip([100, 200, 250]) {
        assert!((least..least + 5000).contains(&pause), "{pause} ms, not {least}");
    }
}

#[test]
fn done_waits_for_the_children() {
    let bench = Bench::new();
    // The child's command line ends with the agent that called it; the child goes on.
    let child = format!("run-agent job --task child --prompt c -- sh -c '{UNTIL_GO}' & ");
    let until_child =
        "while [ ! -e \"$JRUN_TASK_FOLDER\"/../child/runs/*/claim.json ]; do sleep 0.01; done; ";
    let parent = bench.start("t", "", &[&child, until_child, DONE].concat());
    until("it waits for the child", || bench.why("t").contains("waits for its child tasks: p/child"));
    until("who drives the parent drives the child", || {
        bench.why("child").contains("driven by run-agent, for the parent task")
    });
    assert!(bench.end("t").is_none());
    bench.touch("go");
    let answer = parent.wait();
    assert_eq!(answer.ended(), (0, "completed", "the agent said DONE"));
    assert_eq!(bench.end("child").unwrap().status, EndStatus::Completed);
    bench.nothing_is_missing_or_doubled("child");
    let parent = bench.runs("t").remove(0).run_id;
    assert_eq!(bench.runs("child")[0].parent_run_id.as_ref(), Some(&parent));
}

#[test]
fn children_that_take_too_long_fail_the_task_and_go_on() {
    let bench = Bench::new();
    let child = format!("run-agent job --task child --prompt c -- sh -c '{UNTIL_GO}' & ");
    let until_child =
        "while [ ! -e \"$JRUN_TASK_FOLDER\"/../child/runs/*/claim.json ]; do sleep 0.01; done; ";
    let answer = bench.task("t", "--child-wait-timeout 300ms", &[&child, until_child, DONE].concat());
    let (code, status, reason) = answer.ended();
    assert_eq!((code, status), (1, "failed"));
    assert!(reason.contains("1 child task still runs"), "{reason}");
    assert_eq!(bench.posts(Some("t"), "ERROR"), 1);
    bench.until_running("child");
    assert_eq!(bench.runs("child")[0].status, RunStatus::Running);
    bench.touch("go");
    let watched = bench.run("watch p/child --timeout 20s");
    assert_eq!(watched.code, 0, "{watched:?}");
    bench.nothing_is_missing_or_doubled("child");
}

#[test]
fn a_parent_job_that_ends_leaves_its_child_at_work() {
    let bench = Bench::new();
    let child = format!("run-agent task --task child --prompt c -- sh -c '{UNTIL_GO}; {DONE}' & ");
    let until_child = "while [ ! -e \"$JRUN_TASK_FOLDER\"/../child/runs/*/claim.json ]; do sleep 0.01; done";
    let outcome = crate::common::outcome(&mut bench.command("job", "j", "", &[&child, until_child].concat()));
    assert_eq!(outcome.code, 0, "{outcome:?}");
    bench.until_running("child");
    assert_eq!(bench.runs("child")[0].status, RunStatus::Running);
    bench.touch("go");
    assert_eq!(bench.run("watch --timeout 20s").code, 0);
    assert_eq!((bench.runs("child").len(), bench.end("child").unwrap().status), (1, EndStatus::Completed));
}

#[test]
fn stop_ends_the_run_and_the_loop() {
    let bench = Bench::new();
    let task = bench.start("t", "", UNTIL_GO);
    assert_eq!(bench.run("task cancel p/t").code, 0);
    let answer = task.wait();
    assert_eq!(answer.ended(), (130, "stopped", "stopped on request"));
    assert_eq!((bench.runs("t").len(), bench.runs("t")[0].status), (1, RunStatus::Stopped));
    assert!(bench.marker("t", "STOP").exists());
    assert!(bench.why("t").contains("was stopped"), "{}", bench.why("t"));
}

#[test]
fn a_usage_limit_is_waited_for_and_does_not_count() {
    let bench = Bench::new();
    let limited = r#"date -u -d '+2 seconds' +%Y-%m-%dT%H:%M:%SZ > "$JRUN_RUN_FOLDER/retry-after"; exit 75"#;
    let script = format!(
        "if grep -q 'Continue working' \"$JRUN_RUN_FOLDER\"/prompt.md; then {DONE}; else {limited}; fi"
    );
    let task = bench.start_only("t", "--max-restarts 0", &script);
    // The wait for the limit does not count as a restart, otherwise none would be left.
    assert_eq!(task.wait().ended(), (0, "completed", "the agent said DONE"));
    let runs = bench.runs("t");
    assert_eq!((runs.len(), runs[0].exit_code), (2, Some(75)));
    let said = std::fs::read_to_string(bench.run_file("t", 0, "retry-after")).unwrap();
    let reset: chrono::DateTime<chrono::Utc> = said.trim().parse().unwrap();
    assert!(runs[1].start_time >= reset, "{} before {reset}", runs[1].start_time);
}

#[test]
fn a_wait_for_a_usage_limit_is_announced_when_it_begins() {
    let bench = Bench::new();
    let limited = r#"date -u -d '+2 hours' +%Y-%m-%dT%H:%M:%SZ > "$JRUN_RUN_FOLDER/retry-after"; exit 75"#;
    let (task, log) = bench.start_logging("t", "", limited);
    let announced = || {
        let said = std::fs::read_to_string(&log).unwrap();
        said.lines().find(|line| line.starts_with("the task waits until ")).map(str::to_owned)
    };
    until("it says that it waits", || announced().is_some());
    let said = announced().unwrap();
    for words in
        [" (UTC+00:00) for attempt 2: the usage limit of command ends then", "; Ctrl-C stops the task"]
    {
        assert!(said.contains(words), "{words}: {said}");
    }
    let why = bench.why("t");
    assert!(why.contains("for attempt 2: the usage limit of command ends then (exit code 75"), "{why}");
    assert_eq!(bench.run("stop p/t").code, 0);
    assert_eq!(task.wait().outcome.code, 130);
}

/// An agent that runs the last command of its prompt, exactly as printed there. Its child does nothing more.
#[test]
fn a_program_that_the_task_names_delegates_as_its_prompt_says() {
    let bench = Bench::new();
    let script = r#"[ -z "$JRUN_PARENT_ID" ] || { echo "the child works"; exit; }
        sed -n '/^---$/q; s/^- .\(run-agent job .*\). runs an agent.*/\1/p' >command
        cat command >&2; sh command"#;
    bench.sandbox.write("work/it's an agent.sh", script);
    let job = ["job", "--project", "p", "--task", "t", "--prompt", "x", "--", "sh", "it's an agent.sh"];
    let done = crate::common::outcome(&mut bench.sandbox.command(job));
    assert_eq!((done.code, done.stdout.as_str()), (0, "the child works\n"), "{done:?}");
    let tasks = bench.tree.tasks(&"p".parse().unwrap()).unwrap();
    assert_eq!(tasks.len(), 2, "{tasks:?}");
    let prompt = std::fs::read_to_string(bench.run_file("t", 0, "prompt.md")).unwrap();
    assert!(prompt.contains(r#"`run-agent job --prompt "…" -- sh 'it'\''s an agent.sh'`"#), "{prompt}");
}

#[test]
fn stop_ends_the_wait_for_a_restart() {
    let bench = Bench::new();
    let task = bench.start_only("t", "--restart-delay 1h", "exit 3");
    until("it is accepted", || !bench.runs("t").is_empty());
    until("it waits", || {
        let why = bench.why("t");
        why.contains("waits until") && why.contains("for attempt 2: restart after: exit code 3")
    });
    assert_eq!(bench.run("stop p/t").code, 0);
    assert_eq!(task.wait().ended(), (130, "stopped", "stopped on request"));
    assert_eq!(bench.runs("t")[1].error_summary.as_deref(), Some("stopped before it started"));
}

#[test]
fn done_beats_stop() {
    let bench = Bench::new();
    let answer = bench.task("t", "", &format!("{DONE}; touch \"$JRUN_TASK_FOLDER\"/STOP; {UNTIL_GO}"));
    assert_eq!(answer.ended(), (0, "completed", "the agent said DONE"));
}

#[test]
fn ctrl_c_stops_and_a_closed_terminal_leaves() {
    let bench = Bench::new();
    let task = bench.start("a", "", UNTIL_GO);
    task.signal(Signal::SIGINT);
    assert_eq!(task.wait().ended(), (130, "stopped", "stopped on request"));

    let task = bench.start("b", "", &format!("{UNTIL_GO}; {DONE}"));
    task.signal(Signal::SIGHUP);
    let outcome = task.wait().outcome;
    assert!(
        outcome.code == 130 && outcome.stderr.contains("stopped following; the task continues"),
        "{outcome:?}"
    );
    assert!(bench.why("b").contains("no driver runs it: start `run-agent serve`"), "{}", bench.why("b"));
    let watching = Driver::of(&mut bench.sandbox.command(["watch", "p/b"]));
    until("somebody watches", || bench.why("b").contains("driven by run-agent watch"));
    watching.signal(Signal::SIGTERM);
    assert_eq!(watching.wait().outcome.code, 143);
    assert!(!bench.marker("b", "STOP").exists());
    bench.touch("go");
    assert_eq!(bench.run("drive p/b").code, 0);
    assert_eq!(bench.end("b").unwrap().status, EndStatus::Completed);
    bench.nothing_is_missing_or_doubled("b");
}

#[test]
fn a_live_task_without_a_driver_and_a_process_is_idle() {
    let bench = Bench::new();
    let task = bench.start("t", "", UNTIL_GO);
    let status = || {
        let list = bench.run("list p --json").succeeds();
        serde_json::from_str::<serde_json::Value>(&list).unwrap()[0]["status"].as_str().unwrap().to_owned()
    };
    task.kill();
    assert_eq!(status(), "running", "its agent runs");
    bench.touch("go");
    until("its process is gone", || status() == "idle");
    let why = bench.why("t");
    assert!(
        why.contains("is idle: run ") && why.contains("no driver runs it: start `run-agent serve`"),
        "{why}"
    );
    assert!(!bench.marker("t", "TASK-END.yaml").exists(), "reading changes nothing");
    // STOP is obeyed by the next driver, and the reason says so meanwhile.
    fs::write(bench.marker("t", "STOP"), "").unwrap();
    assert!(bench.why("t").contains("was asked to stop (STOP) and is ending"), "{}", bench.why("t"));
    bench.run("drive p/t");
    assert_eq!((status().as_str(), bench.end("t").unwrap().status), ("stopped", EndStatus::Stopped));

    // A loop that waits for its next run is left in the same way.
    let task = bench.start_only("u", "--restart-delay 1h", "true");
    until("it waits", || bench.runs("u").len() == 2 && bench.why("u").contains("waits until"));
    task.kill();
    let why = bench.why("u");
    assert!(why.contains("is idle: run ") && why.contains("has not started; no driver runs it"), "{why}");
}

#[test]
fn a_second_ctrl_c_leaves_a_task_that_takes_its_time() {
    let bench = Bench::new();
    let task = bench.start("t", "", &format!("trap '' TERM; {UNTIL_GO}"));
    task.signal(Signal::SIGINT);
    until("STOP is there", || bench.marker("t", "STOP").exists());
    assert!(bench.why("t").contains("was asked to stop (STOP); run"), "{}", bench.why("t"));
    task.signal(Signal::SIGINT);
    let outcome = task.wait().outcome;
    assert!(
        outcome.code == 130
            && outcome.stderr.contains("the task is still being stopped")
            && outcome.stderr.contains("`run-agent drive p/t` waits for its end"),
        "{outcome:?}"
    );
    assert!(bench.end("t").is_none());
    bench.touch("go");
    assert_eq!(bench.run("drive p/t").code, 0);
    assert_eq!((bench.end("t").unwrap().status, bench.runs("t").len()), (EndStatus::Stopped, 1));
    bench.nothing_is_missing_or_doubled("t");
}

#[test]
fn a_person_may_say_done_between_two_runs() {
    let bench = Bench::new();
    let task = bench.start_only("t", "--restart-delay 1h", "true");
    until("it waits", || bench.runs("t").len() == 2);
    fs::write(bench.marker("t", "DONE"), "").unwrap();
    assert_eq!(task.wait().ended(), (0, "completed", "the agent said DONE"));
    assert_eq!((bench.runs("t")[1].pid, bench.posts(Some("t"), "TASK_DONE")), (None, 1));
    // The answer is that of the run that took place.
    let fact = bench.bodies(None, "FACT").pop().unwrap();
    assert!(fact.contains("after 1 run;") && fact.contains(&bench.runs("t")[0].output_path), "{fact}");
}

#[test]
fn an_ended_task_is_taken_up_again() {
    let bench = Bench::new();
    bench.task("t", "", DONE);
    let resumed = bench.run("task resume p/t --json");
    assert_eq!(resumed.code, 0, "{resumed:?}");
    let runs = bench.runs("t");
    assert_eq!(
        (runs.len(), runs[1].attempt, runs[1].previous_run_id.as_ref()),
        (2, 1, Some(&runs[0].run_id))
    );
    // The markers are removed before the ticket is created.
    let accepted = bench.run("resume p/t --no-wait");
    assert_eq!(accepted.code, 0, "{accepted:?}");
    assert!(!bench.marker("t", "DONE").exists() && bench.end("t").is_none());
    assert!(bench.why("t").contains("no driver runs it"), "{}", bench.why("t"));
    bench.run("task resume p/t").fails(4, "ticket", "");
    assert_eq!(bench.run("watch p/t --timeout 20s").code, 0);
    assert_eq!(bench.runs("t").len(), 3);
    // There is neither DONE nor STOP, nor a recorded end, so there is nothing to resume.
    for gone in ["DONE", "TASK-END.yaml"] {
        fs::remove_file(bench.marker("t", gone)).unwrap();
    }
    bench.run("task resume p/t").fails(16, "has neither DONE nor STOP", "");
}

#[test]
fn a_live_task_is_not_deleted_without_force() {
    let bench = Bench::new();
    let task = bench.start("t", "", UNTIL_GO);
    bench.run("task delete p/t --yes").fails(4, "held by run-agent (pid ", "--force");
    assert_eq!(bench.run("task delete p/t --force --yes").code, 0);
    assert_eq!(task.wait().outcome.code, 130);
    assert!(!bench.marker("t", "").exists());
    bench.task("t", "", DONE);
    assert_eq!(bench.run("task delete p/t --yes").code, 0);
    bench.run("why p/t").fails(3, "there is no task", "");
}

#[test]
fn a_dependency_holds_a_task_back_until_it_is_done() {
    let bench = Bench::new();
    // Two runs without DONE, to show that the exit of a run does not release the dependent task.
    let first = bench.start("a", "", &format!("{UNTIL_GO}; {THREE}"));
    let second = bench.start_only("b", "--depends-on a", DONE);
    until("b is accepted", || !bench.runs("b").is_empty());
    until("b says why", || bench.why("b").contains("is blocked: task a is not done yet"));
    let listed = bench.run("list p --status blocked").succeeds();
    assert!(listed.contains("p/b") && !listed.contains("p/a"), "{listed}");
    bench.touch("go");
    assert_eq!(first.wait().outcome.code, 0);
    assert_eq!(second.wait().outcome.code, 0);
    let released = bench.runs("b")[0].start_time;
    assert!(bench.runs("a")[2].end_time.unwrap() <= released, "b began before a was done");
}

#[test]
fn a_dependency_that_failed_or_is_gone_is_said() {
    let bench = Bench::new();
    let first = bench.start("a", "--max-restarts 0", &format!("{UNTIL_GO}; exit 3"));
    let (blocked, log) = bench.start_logging("b", "--depends-on a", DONE);
    let says = |words: &str| {
        until(words, || bench.why("b").contains(words));
        // The command line that waits says each new reason, too.
        until(words, || std::fs::read_to_string(&log).unwrap().contains(words));
    };
    until("b is accepted", || !bench.runs("b").is_empty());
    says("is blocked: task a is not done yet");
    bench.touch("go");
    assert_eq!(first.wait().outcome.code, 1);
    says("is blocked: task a failed, so it will not be done by itself: `run-agent resume p/a` runs it again");
    assert_eq!(bench.run("task delete p/a --yes").code, 0);
    let missing = "is blocked: task a does not exist: create it as p/a, or stop this task";
    until("b says why", || bench.why("b").contains(missing));
    // A queued task can be stopped, too.
    assert_eq!(bench.run("stop p/b").code, 0);
    assert_eq!(blocked.wait().ended(), (130, "stopped", "stopped on request"));
}

#[test]
fn the_demo_agent_starts_one_child_task() {
    let bench = Bench::new();
    bench.sandbox.configure("agents:\n  demo:\n    args: [--pace, \"0\"]\n");
    bench.sandbox.write("work/src/main.rs", "fn main() {\n}\n");
    let outcome = bench.sandbox.run("task --agent demo --project p --task t --prompt report");
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(outcome.stdout.contains("A child task looked at `src`: src has 2 lines"), "{outcome:?}");
    let tasks = bench.tree.tasks(&"p".parse().unwrap()).unwrap();
    let child = tasks.iter().find(|t| t.as_str() != "t").unwrap();
    assert_eq!((tasks.len(), bench.end(child.as_str()).unwrap().status), (2, EndStatus::Completed));
    let parent = bench.runs("t").remove(0).run_id;
    assert_eq!(bench.runs(child.as_str())[0].parent_run_id.as_ref(), Some(&parent));
}

#[test]
fn a_ring_of_dependencies_is_refused() {
    let bench = Bench::new();
    let _first = bench.start_only("a", "--depends-on b", DONE);
    until("a is accepted", || !bench.runs("a").is_empty());
    let refused = crate::common::outcome(&mut bench.command("task", "b", "--depends-on a", DONE));
    assert!(refused.code == 4 && refused.stderr.contains("dependency cycle: b -> a -> b"), "{refused:?}");
    assert!(!bench.marker("b", "TASK.md").exists());
}

#[test]
fn a_task_without_a_place_says_behind_whom_it_waits() {
    let bench = Bench::new();
    bench.sandbox.configure("defaults:\n  max_concurrent_root_tasks: 1\n");
    let first = bench.start("a", "", &format!("{UNTIL_GO}; {DONE}"));
    let second = bench.start_only("b", "", DONE);
    until("b is queued", || !bench.runs("b").is_empty());
    until("b says why", || bench.why("b").contains("is queued in position 1: all places are taken by p/a"));
    let status = bench.run("status --json");
    let status: serde_json::Value = serde_json::from_str(&status.stdout).unwrap();
    let shown = |at: usize| {
        let row = &status["loops"][at];
        (
            row["task"].as_str().unwrap().to_owned(),
            row["state"].as_str().unwrap().to_owned(),
            row["position"].as_u64(),
        )
    };
    assert_eq!(shown(0), ("p/a".to_owned(), "live".to_owned(), None), "{status}");
    assert_eq!(shown(1), ("p/b".to_owned(), "queued".to_owned(), Some(1)), "{status}");
    bench.touch("go");
    assert_eq!((first.wait().outcome.code, second.wait().outcome.code), (0, 0));
}

#[test]
fn a_driver_that_is_killed_is_followed_by_another_at_the_right_attempt() {
    let bench = Bench::new();
    let script = format!("[ $(ls \"$JRUN_RUNS_DIR\" | wc -l) -lt 2 ] || {{ {UNTIL_GO}; }}; {THREE}");
    let first = bench.start("t", "", &script);
    bench.until_attempt("t", 2);
    first.kill();
    assert_eq!(bench.runs("t")[1].status, RunStatus::Running, "the agent goes on");
    let second = Driver::of(&mut bench.sandbox.command(["watch", "p/t"]));
    until("the second drives", || bench.why("t").contains("driven by run-agent watch (pid "));
    bench.touch("go");
    assert_eq!(second.wait().outcome.code, 0);
    assert_eq!(bench.runs("t").iter().map(|r| r.attempt).collect::<Vec<_>>(), [1, 2, 3]);
    bench.nothing_is_missing_or_doubled("t");
    assert_eq!((bench.posts(Some("t"), "TASK_DONE"), bench.posts(None, "FACT")), (1, 1));
}

#[test]
fn a_run_that_ended_while_nobody_drove_is_ended_once() {
    let bench = Bench::new();
    let first = bench.start("t", "", &format!("{UNTIL_GO}; {DONE}; exit 7"));
    first.kill();
    bench.touch("go");
    let exit = bench.marker("t", "runs").join(bench.runs("t")[0].run_id.as_str()).join("exit.json");
    until("the agent has ended", || exit.exists());
    assert_eq!(bench.run("drive p/t").code, 0);
    let run = bench.runs("t").remove(0);
    assert_eq!((run.status, run.exit_code), (RunStatus::Failed, Some(7)));
    assert_eq!(bench.end("t").unwrap().status, EndStatus::Completed);
    bench.nothing_is_missing_or_doubled("t");
}

#[test]
fn a_second_driver_says_who_has_the_task() {
    let bench = Bench::new();
    let task = bench.start("t", "", &format!("{UNTIL_GO}; {DONE}"));
    let again = crate::common::outcome(&mut bench.command("task", "t", "", DONE));
    assert!(again.code == 4 && again.stderr.contains("run-agent (pid "), "{again:?}");
    let drive = bench.run("drive p/t");
    assert!(drive.code == 4 && drive.stderr.contains("driven by run-agent (pid "), "{drive:?}");
    bench.touch("go");
    assert_eq!((task.wait().outcome.code, bench.runs("t").len()), (0, 1));
}

#[test]
fn after_a_reboot_nobody_is_signalled_and_the_loop_goes_on() {
    let bench = Bench::new();
    let first = bench.start(
        "t",
        "",
        &format!("[ $(ls \"$JRUN_RUNS_DIR\" | wc -l) -gt 1 ] || {{ {UNTIL_GO}; }}; {DONE}"),
    );
    first.kill();
    let run = bench.runs("t").remove(0);
    let folder = bench.marker("t", "runs").join(run.run_id.as_str());
    let claim = fs::read_to_string(folder.join("claim.json")).unwrap();
    let mut claim: serde_json::Value = serde_json::from_str(&claim).unwrap();
    for process in ["shim", "agent"] {
        let pid = claim[process]["pid"].as_i64().unwrap();
        let _ = kill(Pid::from_raw(i32::try_from(pid).unwrap()), Signal::SIGKILL);
    }
    // After another boot the same pid belongs to another process.
    let mut stranger = Command::new("sleep").arg("60").spawn().unwrap();
    claim["boot_id"] = "00000000-0000-0000-0000-000000000000".into();
    for process in ["shim", "agent"] {
        claim[process]["pid"] = stranger.id().into();
    }
    let _ = fs::remove_file(folder.join("exit.json"));
    fs::write(folder.join("claim.json"), claim.to_string()).unwrap();
    let _ = fs::remove_file(bench.marker("t", "DONE"));
    let watched = bench.run("watch p/t --timeout 20s");
    let alive = stranger.try_wait().unwrap().is_none();
    stranger.kill().unwrap();
    stranger.wait().unwrap();
    assert!(alive, "a stranger was signalled");
    assert_eq!(watched.code, 0, "{watched:?}");
    let runs = bench.runs("t");
    assert_eq!(
        runs.iter().map(|r| (r.attempt, r.status)).collect::<Vec<_>>(),
        [(1, RunStatus::Crashed), (2, RunStatus::Completed)]
    );
    bench.nothing_is_missing_or_doubled("t");
}

#[test]
fn a_loop_that_changes_nothing_stops_with_a_question() {
    let bench = Bench::new();
    let made = Command::new("git").args(["init", "-q"]).current_dir(bench.sandbox.work()).status();
    assert!(made.is_ok_and(|made| made.success()), "git is needed");
    let answer = bench.task("t", "--config-key no_progress_runs=2", "echo same");
    let (code, status, reason) = answer.ended();
    assert_eq!((code, status), (130, "stopped"));
    assert!(reason.contains("changed nothing"), "{reason}");
    assert_eq!((bench.runs("t").len(), bench.posts(Some("t"), "QUESTION")), (2, 1));
}

#[test]
fn watch_says_when_its_time_is_over() {
    let bench = Bench::new();
    let task = bench.start("t", "", &format!("{UNTIL_GO}; {DONE}"));
    bench.run("watch p/t --timeout 0").fails(124, "not all tasks have ended", "--timeout");
    bench.touch("go");
    let watched = bench.run("watch p/t --timeout 20s");
    assert!(watched.code == 0 && watched.stdout.contains("completed"), "{watched:?}");
    assert_eq!(task.wait().outcome.code, 0);
}

#[test]
fn a_batch_runs_its_jobs_in_their_order() {
    let bench = Bench::new();
    let config = "agents:\n  sh:\n    type: command\n    command: [sh]\n    prompt: arg\n    args: []\ndefaults:\n  agent: sh\n";
    bench.sandbox.configure(config.replace("[sh]", "[sh, -c, 'case \"$0\" in *fail*) exit 3;; esac']"));
    let jobs = "{\"prompt\": \"one\", \"task\": \"one\"}\n\n{\"prompt\": \"fail\", \"task\": \"two\"}\n{\"prompt\": \"three\"}\n";
    bench.sandbox.write("work/jobs.jsonl", jobs);
    let batch = bench.run("job batch --project p --file jobs.jsonl --continue-on-fail --json");
    assert_eq!(batch.code, 1, "{batch:?}");
    let rows: serde_json::Value = serde_json::from_str(&batch.stdout).unwrap();
    let statuses: Vec<_> = rows.as_array().unwrap().iter().map(|r| r["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["completed", "failed", "completed"]);
    let stopped = bench.run("job batch --project p --prompt fail --prompt never --task a --task b --json");
    assert_eq!(stopped.code, 1, "{stopped:?}");
    assert!(bench.marker("a", "").exists() && !bench.marker("b", "").exists());
    bench.run("job batch --project p --prompt x --prompt y --task a").fails(
        2,
        "do not match",
        "give a --task for every",
    );
    bench.sandbox.write("work/bad.jsonl", "{\"promt\": \"x\"}\n");
    bench.run("job batch --project p --file bad.jsonl").fails(16, "bad.jsonl line 1 is not a valid job", "");
}

#[test]
fn tasks_that_name_no_agent_take_turns() {
    let bench = Bench::new();
    let agent = |name: &str| format!("  {name}:\n    type: command\n    command: [sh, -c, '{DONE}']\n");
    let config = format!(
        "agents:\n{}{}defaults:\n  diversification:\n    enabled: true\n    agents: [one, two]\n",
        agent("one"),
        agent("two")
    );
    bench.sandbox.configure(config);
    for (name, expected) in [("t1", "one"), ("t2", "two"), ("t3", "one")] {
        let outcome = bench.run(&format!("task --project p --task {name} --prompt x"));
        assert_eq!(outcome.code, 0, "{outcome:?}");
        assert_eq!(bench.runs(name)[0].agent, expected, "{name}");
    }
}

/// An agent that retries by itself is silent for minutes.
#[test]
fn why_names_the_error_after_which_a_live_agent_retries() {
    let bench = Bench::new();
    let retry = r#"{"type":"system","subtype":"api_retry","attempt":1,"max_retries":9,"retry_delay_ms":555,"error_status":429,"error":"rate_limit"}"#;
    let said = r#"{"type":"assistant","message":{"role":"assistant","content":[{"type":"text","text":"I go on."}]}}"#;
    let script = format!("echo '{retry}'; {UNTIL_GO}; rm go; echo '{said}'; {UNTIL_GO}");
    let command = serde_json::to_string(&["sh", "-c", &script]).unwrap();
    bench.sandbox.configure(format!("agents:\n  known: {{type: claude, command: {command}}}\n"));
    let job = "job --project p --task t --agent known --prompt x";
    let mut job = bench.sandbox.command(crate::common::words(job));
    let mut job =
        job.env("ANTHROPIC_API_KEY", "k").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until("the error is named", || {
        let why = bench.run("why p/t").stdout;
        let named = why.find("its agent has printed an error at 20").zip(why.find("HTTP 429: rate_limit"));
        named.is_some_and(|_| why.contains("/events.jsonl\n"))
    });
    bench.touch("go");
    until("an agent that works again has no error", || {
        let why = bench.run("why p/t").stdout;
        why.contains("runs since") && !why.contains("429")
    });
    bench.touch("go");
    job.wait().unwrap();
}
