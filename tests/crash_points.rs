//! The program is ended by SIGKILL before each of its operations on the disk in turn, driver and shim alike;
//! another driver takes over, and the tree must be as if nothing had happened.
//!
//! `fsx` counts the operations; debug builds obey `CONDUCTOR_TEST_KILL_DRIVER` and `…_SHIM`.
#![expect(clippy::disallowed_methods, reason = "the test looks at files as a stranger would")]
#![expect(clippy::expect_used, reason = "a test that cannot prepare itself has failed")]

mod common;

use std::{
    collections::BTreeMap,
    fs,
    os::unix::process::ExitStatusExt,
    path::Path,
    process::Stdio,
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use common::{Sandbox, outcome};

/// More operations than a job's driver, or its shim, takes.
const BEYOND: u32 = 400;
/// Points that are tried at the same time.
const THREADS: usize = 4;

/// What the agent does. It says that it started before anything else.
#[derive(Debug, Clone, Copy)]
enum Agent {
    Answers,
    Fails,
    IsStopped,
}

impl Agent {
    fn script(self) -> String {
        let deed = match self {
            Self::Answers => "echo working; echo answer > $JRUN_RUN_FOLDER/output.md",
            Self::Fails => "echo trouble >&2; exit 3",
            Self::IsStopped => "touch $JRUN_TASK_FOLDER/STOP; exec sleep 60",
        };
        format!("echo $JRUN_ID >> $CONDUCTOR_ROOT/../starts; {deed}")
    }

    fn status(self) -> &'static str {
        match self {
            Self::Answers => "completed",
            Self::Fails => "failed",
            Self::IsStopped => "stopped",
        }
    }
}

/// Who is killed, and before which of his operations.
#[derive(Debug, Clone, Copy)]
struct Kill {
    variable: &'static str,
    at: u32,
}

const DRIVER: &str = "CONDUCTOR_TEST_KILL_DRIVER";
const SHIM: &str = "CONDUCTOR_TEST_KILL_SHIM";

/// Runs the job with a kill. `true`: the command line itself was killed.
fn job(sandbox: &Sandbox, agent: Agent, kill: Option<Kill>) -> bool {
    let script = agent.script();
    let args = ["job", "--project", "p", "--task", "t", "--prompt", "hello", "--", "/bin/sh", "-c", &script];
    run(sandbox, &args, kill)
}

fn run(sandbox: &Sandbox, args: &[&str], kill: Option<Kill>) -> bool {
    let mut command = sandbox.command(args);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    if let Some(kill) = kill {
        command.env(kill.variable, kill.at.to_string());
    }
    let mut child = command.spawn().expect("run-agent can be started");
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        if let Some(status) = child.try_wait().expect("a child") {
            return status.signal() == Some(9);
        }
        if Instant::now() > deadline {
            let _ = child.kill();
            panic!("{args:?} with {kill:?} does not end in {}", sandbox.root().display());
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Rules that a crash may break until a repair, and no others.
const MENDABLE_AFTER_A_CRASH: [&str; 2] = ["unaccepted-run", "leftover"];

/// Lets another driver take over, and holds the tree to its invariants.
fn settle_and_check(sandbox: &Sandbox, agent: Agent, what: &str) {
    assert!(!run(sandbox, &["drive", "--all"], None), "{what}");
    let rules = |line: &str| -> Vec<String> {
        let outcome = sandbox.run(line);
        let answer: Value =
            serde_json::from_str(&outcome.stdout).unwrap_or_else(|e| panic!("{what}: {e}: {outcome:?}"));
        let findings = answer["findings"].as_array().expect("findings");
        let serious = findings.iter().filter(|f| f["severity"] != "note");
        serious.map(|f| format!("{} {} {}", f["rule"], f["path"], f["what"])).collect()
    };
    for finding in rules("fsck --json") {
        let known = MENDABLE_AFTER_A_CRASH.iter().any(|rule| finding.starts_with(&format!("\"{rule}\"")));
        assert!(known, "{what}: {finding}");
    }
    assert_eq!(rules("fsck --repair --json"), [""; 0], "{what}");

    let starts = fs::read_to_string(sandbox.home().join("starts")).unwrap_or_default();
    let mut by_run: BTreeMap<&str, u32> = BTreeMap::new();
    for line in starts.lines() {
        *by_run.entry(line).or_default() += 1;
    }
    assert!(by_run.values().all(|n| *n == 1), "{what}: an agent ran twice for one run: {by_run:?}");

    let runs: Vec<Value> = list(sandbox);
    for run in &runs {
        let status = run["status"].as_str().expect("a status");
        let folder = sandbox.root().join("p/t/runs").join(run["run_id"].as_str().expect("an id"));
        let lost = status == "crashed" || (status == "failed" && !folder.join("exit.json").exists());
        assert!(status == agent.status() || lost, "{what}: {run}");
        // Without its shim a run is a success only if a driver that was there saw it through the kernel.
        let seen = folder.join("exit.json").exists() || what.contains(SHIM);
        assert!(status != "completed" || seen, "{what}: success that nobody saw");
        assert!(folder.join("output.md").exists(), "{what}: no answer");
    }
    assert_nobody_is_left(sandbox.root().as_path(), what);
    if runs.is_empty() {
        // Never accepted: the same submission is as good as the first.
        assert!(!job(sandbox, agent, None), "{what}");
        assert_eq!(list(sandbox)[0]["status"], agent.status(), "{what}");
    }
}

fn list(sandbox: &Sandbox) -> Vec<Value> {
    if !sandbox.root().join("p/t").exists() {
        return Vec::new();
    }
    let listed = sandbox.run("list p/t --json");
    serde_json::from_str(&listed.stdout).unwrap_or_else(|e| panic!("{e}: {listed:?}"))
}

/// No process of ours may be left; one that is ending gets a moment.
fn assert_nobody_is_left(root: &Path, what: &str) {
    let mark = format!("CONDUCTOR_ROOT={}", root.display()).into_bytes();
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let mut left = Vec::new();
        for entry in fs::read_dir("/proc").expect("/proc").flatten() {
            let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
            if environment.split(|b| *b == 0).any(|v| v == mark) {
                left.push(entry.file_name());
            }
        }
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < deadline, "{what}: processes are left: {left:?}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Tries every point until one lies behind the last operation; several at a time.
fn every_point(agent: Agent, variable: &'static str, step: u32) -> u32 {
    let next = AtomicU32::new(1);
    let last = AtomicU32::new(0);
    let failures = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(step, Ordering::Relaxed);
                    if at > BEYOND
                        || last.load(Ordering::Relaxed) != 0
                        || !failures.lock().expect("a list").is_empty()
                    {
                        return;
                    }
                    let tried = std::panic::catch_unwind(|| try_point(agent, Kill { variable, at }));
                    match tried {
                        Ok(Reached::Yes) => {}
                        Ok(Reached::No) => {
                            last.fetch_max(at, Ordering::Relaxed);
                        }
                        Err(_) => failures.lock().expect("a list").push(at),
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().expect("a list");
    assert!(failures.is_empty(), "{agent:?} {variable}: failed at {failures:?} (see above)");
    let last = last.into_inner();
    assert!(last > 5, "{variable} was not obeyed: the points end at {last}");
    last
}

#[derive(Debug, PartialEq, Eq)]
enum Reached {
    Yes,
    No,
}

fn try_point(agent: Agent, kill: Kill) -> Reached {
    let sandbox = Sandbox::new();
    let killed = job(&sandbox, agent, Some(kill));
    let reached = if kill.variable == DRIVER { killed } else { shim_was_killed(&sandbox) };
    settle_and_check(&sandbox, agent, &format!("{agent:?} with {kill:?} in {}", sandbox.root().display()));
    if reached { Reached::Yes } else { Reached::No }
}

/// A shim that ends by itself leaves exit.json, and no room that it has reserved.
fn shim_was_killed(sandbox: &Sandbox) -> bool {
    let Ok(runs) = fs::read_dir(sandbox.root().join("p/t/runs")) else { return true };
    runs.flatten().any(|run| {
        let path = run.path();
        !path.join("exit.json").exists() || path.join(".reserved-exit.json").exists()
    })
}

#[test]
fn heavy_a_driver_may_die_at_any_point() {
    let points = every_point(Agent::Answers, DRIVER, 1);
    println!("a job's driver has {points} points");
}

#[test]
fn heavy_a_shim_may_die_at_any_point() {
    let points = every_point(Agent::Answers, SHIM, 1);
    println!("a shim has {points} points");
}

#[test]
fn heavy_a_job_that_fails_or_is_stopped_keeps_its_end() {
    let step = if soak() { 1 } else { 5 };
    for agent in [Agent::Fails, Agent::IsStopped] {
        for variable in [DRIVER, SHIM] {
            every_point(agent, variable, step);
        }
    }
}

/// The driver dies, and so does the one that takes over.
#[test]
fn heavy_the_next_driver_may_die_too() {
    let (first, second) = if soak() { (1, 1) } else { (9, 7) };
    for at in (5..80).step_by(first) {
        for again in (1..30).step_by(second) {
            let sandbox = Sandbox::new();
            job(&sandbox, Agent::Answers, Some(Kill { variable: DRIVER, at }));
            if list(&sandbox).is_empty() {
                continue;
            }
            run(&sandbox, &["drive", "--all"], Some(Kill { variable: DRIVER, at: again }));
            let what = format!("killed at {at}, then at {again} in {}", sandbox.root().display());
            settle_and_check(&sandbox, Agent::Answers, &what);
        }
    }
}

fn soak() -> bool {
    std::env::var_os("CONDUCTOR_SOAK").is_some()
}

#[test]
fn the_operations_of_a_job_are_few() {
    let sandbox = Sandbox::new();
    let kill = Kill { variable: DRIVER, at: 120 };
    assert!(!job(&sandbox, Agent::Answers, Some(kill)), "a job takes more operations than it used to");
    let seen = outcome(&mut sandbox.command(["list", "p/t", "--json"]));
    assert!(seen.stdout.contains("completed"), "{seen:?}");
}
